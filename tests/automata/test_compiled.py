"""Compiled machines: one by one what makes a machine be stepped, limits, pieces, wildcards, and what is refused."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import pytest

from cpppo.automata import (
    Match,
    Matcher,
    choice,
    decide,
    dfa,
    dfa_post,
    integer,
    peekable,
    regex,
    regex_bytes,
    rows,
    state,
    state_act,
    state_drop,
    state_input,
    state_take,
    string_bytes,
)
from cpppo.dotdict import dotdict
from cpppo.errors import GrammarError, NonTerminal, UsageError
from tests.automata.examples import basic, csv

TEXTS = ["", "a", "b", "1", "ab", "abb", "aab", "aaa", "ab,ab", "ab, a", "abx", "a1b", "aaaa1", "x", "日b"]


def stepped(machine: dfa, symbols: Any) -> Match:
    """What a run of ``machine`` tells."""
    source = peekable(symbols)
    try:
        for _ in machine.run(source, data=dotdict()):
            pass
    except NonTerminal:
        return Match(source.sent, False, False)
    return Match(source.sent, True, machine.terminal)


def pieces(matcher: Matcher, symbols: Any, size: int) -> Match:
    """What ``matcher`` tells of symbols in pieces of ``size``."""
    run = matcher.stream()
    for at in range(0, len(symbols), size):
        if not run.feed(symbols[at : at + size]):
            break
    return run.finish()


def agree(machine: dfa, texts: list[Any]) -> Matcher:
    """The matcher of ``machine``, once it told of all texts what stepping does, whole and in pieces."""
    matcher = machine.compile()
    for text in texts:
        expected = stepped(machine, text)
        assert matcher.match(text) == expected, text
        assert [pieces(matcher, text, size) for size in (1, 2)] == [expected] * 2, text
    return matcher


# -- by table


@pytest.mark.parametrize(
    "machine",
    [
        basic(terminal=True),
        basic(),
        csv(terminal=True),
        basic(greedy=False),
        basic(repeat=2, terminal=True),
        regex(initial="(ab+)((,[ ]*)(ab+))*", terminal=True),
        regex(initial="a*", greedy=False),
        regex(initial=".b?", repeat=2),
        dfa("M", initial=state_input("S", terminal=True, alphabet="ab")),
    ],
    ids=str,
)
def test_tables_answer_as_stepping_does(machine: dfa) -> None:
    """A machine of the engine's own states is compiled, and tells what its runs do."""
    assert agree(machine, TEXTS).stepped is None


def test_match() -> None:
    """A match has the symbols taken, whether they are a sentence, and whether the machine was terminal."""
    for terminal in (False, True):
        matcher = regex(initial="ab+", terminal=terminal).compile()
        assert matcher.match("abbx") == Match(consumed=3, accepted=True, terminal=terminal) == (3, True, terminal)
        assert matcher.match("ax") == (1, False, False)


@pytest.mark.parametrize("make", [list, tuple, iter, lambda text: (each for each in text), dict.fromkeys])
def test_symbols_of_any_iterable(make: Callable[[str], Any]) -> None:
    """Symbols may come in any iterable, to match and to feed."""
    matcher = regex(initial="[a-c]+", terminal=True).compile()
    assert matcher.match(make("abc,")) == (3, True, True)
    run = matcher.stream()
    assert run.feed(make("abc"))
    assert not run.feed(make(",b"))
    assert (run.consumed, run.finish()) == (3, (3, True, True))


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, list, lambda octets: array("B", octets)])
def test_octets_of_any_kind(make: Callable[[bytes], Any]) -> None:
    """Octets are ints, from whatever they come; a limit counts them alike."""
    assert regex_bytes(initial="é+").compile().match(make("éé,".encode())) == (4, True, False)
    assert regex_bytes(initial=".+", limit=3).compile().match(make(b"abcde")) == (3, True, False)


def test_text_for_octets_and_octets_for_text() -> None:
    """Symbols of another type are not taken."""
    assert regex(initial=".+").compile().match(b"ab") == (0, False, False)
    assert regex_bytes(initial=".+").compile().match("ab") == (0, False, False)
    assert regex_bytes(initial=".+").compile().match([97, 256]) == stepped(regex_bytes(initial=".+"), [97, 256])


@pytest.mark.parametrize(
    ("given", "text", "expected"),
    [
        ({"limit": 2}, "aaa", (2, True, True)),
        ({"limit": 2}, "a", (1, True, True)),
        ({"limit": 0}, "a", (0, False, False)),
        ({"limit": 0, "initial": "a*"}, "a", (0, True, True)),
        ({"limit": 2, "repeat": 2, "initial": "ab?"}, "aba", (2, False, False)),
        ({"limit": 3, "repeat": 2, "initial": "ab?"}, "abab", (3, True, True)),
        ({"limit": 2, "exact": True}, "ab", (1, False, False)),
        ({"limit": 2, "exact": True}, "aaa", (2, True, True)),
        ({"repeat": 0}, "aaa", (0, True, True)),
        ({"repeat": 0, "limit": 0, "exact": True}, "a", (0, True, True)),
        ({"repeat": 0, "limit": 1, "exact": True}, "a", (0, False, False)),
    ],
    ids=str,
)
def test_limits_and_repeats_of_the_machine(given: dict[str, Any], text: str, expected: tuple[int, bool, bool]) -> None:
    """Its limit is where all ends, whatever comes; repeated not at all, it takes nothing."""
    machine = regex(**{"initial": "a+", "terminal": True, **given})
    assert machine.compile().match(text) == expected
    assert agree(machine, [text, text[:1], ""]).stepped is None


def test_limited_run_has_ended() -> None:
    """At its limit a run takes nothing more, and says so."""
    run = regex(initial="a+", limit=2).compile().stream()
    assert [run.feed("a"), run.feed("a"), run.feed("a"), run.consumed] == [True, False, False, 2]
    run = regex(initial="a*", limit=0).compile().stream()
    assert (run.feed("a"), run.finish()) == (False, (0, True, False))


def test_limits_inside() -> None:
    """Limits and repeats of machines inside are told beforehand, too."""
    inner = regex(initial="a+", limit=2, repeat=2, terminal=True)
    inner["b"] = state_input("end", terminal=True)
    assert agree(dfa("M", initial=inner, limit=3), [*TEXTS, "aab", "aaab", "aaa"]).stepped is None


def test_symbol_back_to_its_state_beside_a_large_class() -> None:
    """A state with a large class of characters may be led back to by a symbol."""
    assert agree(regex(initial="(b|[一-鿿]c)*", terminal=True), ["bbb", "一cbb"]).stepped is None


# -- wildcards


def test_wildcard_symbols_beyond_those_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row remembers where so many symbols lead, and no more; the answers are the same."""
    monkeypatch.setattr(rows, "SYMBOLS", 4)
    machine = regex(initial="[^a]+", terminal=True)
    matcher = machine.compile()
    text = "".join(map(chr, range(0x100, 0x180)))
    for _ in range(2):
        assert matcher.match(text + "a" + text) == (len(text), True, True)
        assert [matcher.match(each) for each in text] == [(1, True, True)] * len(text)
        assert [matcher.match("a" + each) for each in text] == [(0, False, False)] * len(text)
    tables = matcher._tables
    assert tables is not None and isinstance(tables.first, rows.Row)
    seen = [tables.first, *(tables.first.lead(each) for each in "\u0100\u0101")]
    assert all(isinstance(row, rows.Row) and len(row.table) <= 6 for row in seen)


def test_wildcard_symbols_that_stop_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Symbols that are not taken count with those remembered."""
    monkeypatch.setattr(rows, "SYMBOLS", 4)
    matcher = regex(initial="a").compile()
    text = "".join(map(chr, range(0x100, 0x180)))
    assert [matcher.match(each) for each in text] == [(0, False, False)] * len(text)
    assert matcher._tables is not None and isinstance(matcher._tables.first, rows.Row)
    assert len(matcher._tables.first._stops) <= 5


# -- stepped after all


class Processing(state_input):
    def process(self, source: Any, machine: Any, path: str | None, data: Any) -> None:
        next(source)


class Taking(state_take):
    def take(self, symbol: Any, data: Any) -> None:
        pass


class Acting(state_act):
    def act(self, data: Any, sent: int, ending: int | None) -> None:
        pass


class Validating(state_input):
    def validate(self, symbol: Any) -> bool:
        return symbol == "a"


class Delegating(state_input):
    def delegate(self, **given: Any) -> Any:
        yield given["machine"], self


class Ending(state):
    def transition(self, **given: Any) -> Any:
        return iter(())


class First(choice):
    def __init__(self, *targets: state) -> None:
        self.targets = targets

    def choose(self, data: Any) -> Any:
        return next(iter(self.targets))


class Hooked(dfa):
    def leave(self, data: Any, sent: int, ending: int | None) -> None:
        if sent > 2:
            raise NonTerminal("too long", sent)


def looping(kind: type[state], *keys: Any, **given: Any) -> dfa:
    """A machine of one terminal state that comes back to itself."""
    here = kind("S", terminal=True, **given)
    for key in keys or (True,):
        here[key] = here
    return dfa("M", initial=here, terminal=True)


def followed(kind: type[state], then: Any) -> dfa:
    """A machine of a state from which an ``a`` leads to what ``then`` makes of a terminal state."""
    first = kind("S", terminal=True)
    first["a"] = then(state_input("end", terminal=True))
    return dfa("M", initial=first, terminal=True)


CODE, DATA, DECIDED, PREDICATE = (
    "has code of its own",
    "has a limit or repeat that the data decide",
    "has a transition that is decided while it runs",
    "has a predicate on symbols",
)
STEPPED: list[tuple[dfa, str, str]] = [
    (looping(Processing), "((S))", CODE),
    (looping(Taking), "((S))", CODE),
    (looping(Validating), "((S))", CODE),
    (looping(Delegating), "((S))", CODE),
    (followed(Acting, lambda end: end), "((S))", CODE),
    (Hooked("H", initial=state_input("S", terminal=True), repeat=2), "( H.((S)) )", CODE),
    (dfa_post("P", initial=state_input("S", terminal=True)), "( P.((S)) )", CODE),
    (dfa("M", initial=Hooked("H", initial=basic().initial, terminal=True)), "( H.( E ) )", CODE),
    (integer(), r"( '\\d+'.( 0' ) )", CODE),
    (basic(limit=".n", terminal=True), "( ab+.( E ) )", DATA),
    (basic(repeat=".n", terminal=True), "( ab+.( E ) )", DATA),
    (basic(limit=lambda **_: 2, terminal=True), "( ab+.( E ) )", DATA),
    (basic(repeat=lambda **_: 2, terminal=True), "( ab+.( E ) )", DATA),
    (looping(state_input, limit=lambda **_: 2), "((S))", DATA),
    (followed(state_input, lambda end: decide("d", end, lambda source, **_: source.sent < 2)), "((S))", DECIDED),
    (followed(state, First), "((S))", DECIDED),
    (looping(Ending), "((S))", DECIDED),
    (looping(state_input, str.isalpha), "((S))", PREDICATE),
    (looping(state_drop, str.isdigit, lambda symbol: symbol == "a"), "((S))", PREDICATE),
]


@pytest.mark.parametrize(("machine", "who", "why"), STEPPED, ids=range(len(STEPPED)))
def test_stepped(machine: dfa, who: str, why: str) -> None:
    """Code and data that decide are told of in ``stepped``, with whose; the answers are those of stepping."""
    assert machine.compile().stepped == f"{who} {why}"
    agree(machine, TEXTS)


def test_decide_without_a_predicate_is_no_decision() -> None:
    """A decide that always decides is told beforehand."""
    assert agree(followed(state_input, lambda end: decide("d", end)), TEXTS).stepped is None


def test_values_are_stepped() -> None:
    """A sentence that a value refuses is none."""
    matcher = string_bytes(decode="utf-8").compile()
    assert [matcher.match("é".encode()), matcher.match(b"\xe9")] == [(2, True, False), (1, False, False)]
    assert agree(string_bytes(decode="utf-8", limit=3), ["éé".encode(), b"abc", b"abcd", b""]).stepped is not None


def test_too_many_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that can be at more places than are told beforehand is stepped, and says so."""
    inner = dfa("I", initial=regex(initial="a+", terminal=True).initial, limit=20, terminal=True)
    assert agree(dfa("M", initial=inner), ["a" * 19, "a" * 20, "a" * 21, "aab"]).stepped is None
    monkeypatch.setattr(rows, "ROWS", 10)
    matcher = agree(dfa("M", initial=inner), ["a" * 19, "a" * 20, "a" * 21, "aab"])
    assert matcher.stepped == "it has more than 10 places between two symbols"


# -- refused


@pytest.mark.parametrize("machine", [regex(initial="a+"), looping(Processing)], ids=["table", "stepped"])
def test_feeding_after_the_end(machine: dfa) -> None:
    """After finish nothing is fed; finish itself tells the same again."""
    run = machine.compile().stream()
    assert run.feed("aa")
    assert run.finish() == run.finish()
    for symbols in ("a", ""):
        with pytest.raises(UsageError, match=r"is finished; begin another with stream\(\)"):
            run.feed(symbols)
    assert run.consumed == 2


@pytest.mark.parametrize("machine", [regex(initial="a+"), looping(Processing)], ids=["table", "stepped"])
def test_runs_do_not_share(machine: dfa) -> None:
    """Runs of one matcher at once do not disturb one another."""
    matcher = machine.compile()
    one, two = matcher.stream(), matcher.stream()
    assert (one.feed("a"), two.feed("aaa"), one.feed("a")) == (True, True, True)
    assert (one.consumed, two.consumed, one.finish().consumed, two.finish().consumed) == (2, 3, 2, 3)


@pytest.mark.parametrize("machine", [regex(initial="a+"), looping(Processing)], ids=["table", "stepped"])
def test_symbols_that_are_no_iterable(machine: dfa) -> None:
    """What has no symbols is a TypeError."""
    with pytest.raises(TypeError, match="cannot run on .*, which is no iterable of symbols"):
        machine.compile().match(5)  # type: ignore[arg-type]


def test_machine_in_circles() -> None:
    """A machine that can go in circles for some input is refused, with machine and state; it still runs for other."""
    first, second = state("1"), state("2", terminal=True)
    first["x"] = second
    second["x"] = first
    machine = dfa("M", initial=first)
    with pytest.raises(GrammarError, match=r"\( M\.\( 1 \) \) can go in circles .*, entering \( ?\(?[12].* again"):
        machine.compile()
    assert stepped(machine, "y") == (0, False, False)
    start = state("S")
    inside = dfa("inside", initial=start)
    start[None] = inside
    with pytest.raises(GrammarError, match="can go in circles"):
        inside.compile()


def test_machine_that_cannot_work() -> None:
    """What a run would refuse beforehand, compiling does."""
    with pytest.raises(GrammarError, match="has a limit of 3, but is inside"):
        dfa("M", initial=regex(initial="a", limit=3), limit=2).compile()
