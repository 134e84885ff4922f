"""The flags of regular expressions: greedy, terminal, limit and repeat, alone and nested, over text and octets."""

from __future__ import annotations

from typing import Any

import pytest

from cpppo.automata import chainable, dfa, peekable, regex, regex_bytes, regex_bytes_promote, state_drop
from cpppo.dotdict import dotdict
from cpppo.errors import GrammarError, NonTerminal
from tests.automata.outcomes import outcome

KINDS = pytest.mark.parametrize("kind", [regex, regex_bytes])


def symbols(kind: type[regex], text: str) -> Any:
    """A text as what machines of a kind take."""
    return text if kind is regex else text.encode()


def alone(kind: type[regex], text: str, data: dict[str, Any] | None = None, **given: Any) -> tuple[str, str, bool]:
    """What a machine of ``a[bô]+`` collects, leaves, and whether it was terminal then."""
    kept, rest, terminal = outcome(
        kind(initial="a[bô]+", context="w", **given), symbols(kind, text), dotdict(data or {})
    )
    return *(_text(each) for each in (kept.get("w.input", ""), rest)), terminal  # type: ignore[return-value]


def listed(kind: type[regex], text: str, data: dict[str, Any] | None = None, **given: Any) -> tuple[str, str]:
    """As `alone`, of such machines one after the other, a comma dropped between, in another machine."""
    item = kind(initial="a[bô]+", terminal=True, **given)
    comma = item[symbols(kind, ",")[0]] = state_drop("comma")
    comma[None] = item
    kept, rest, _ = outcome(dfa("M", initial=item, context="w"), symbols(kind, text), dotdict(data or {}))
    return _text(kept.get("w.input", "")), _text(rest)


def _text(collected: Any) -> str:
    whole = collected if isinstance(collected, (str, bytes)) else b"".join(map(_octets, collected))
    return whole.decode() if isinstance(whole, bytes) else whole


def _octets(symbol: str | int) -> bytes:
    return symbol.encode() if isinstance(symbol, str) else bytes([symbol])


# -- greedy


@KINDS
@pytest.mark.parametrize(
    ("given", "accepted", "remaining"),
    [({}, "abôb", ",ab"), ({"greedy": True}, "abôb", ",ab"), ({"greedy": False}, "ab", "ôb,ab")],
)
def test_greedy_alone(kind: type[regex], given: dict[str, bool], accepted: str, remaining: str) -> None:
    """By default all that continues a sentence is taken; not greedy, the first whole sentence."""
    assert alone(kind, "abôb,ab", **given)[:2] == (accepted, remaining)


@KINDS
@pytest.mark.parametrize(
    ("given", "accepted", "remaining"),
    [({}, "abôbab", ""), ({"greedy": True}, "abôbab", ""), ({"greedy": False}, "ab", "ôb,ab")],
)
def test_greedy_nested(kind: type[regex], given: dict[str, bool], accepted: str, remaining: str) -> None:
    """Inside another machine, too: one that is not greedy hands over as soon as it is satisfied."""
    assert listed(kind, "abôb,ab", **given) == (accepted, remaining)
    assert listed(kind, "ab,ab", **given) == ("abab", "")


@KINDS
def test_not_greedy_takes_whole_characters(kind: type[regex]) -> None:
    """A character is never cut in two."""
    assert alone(kind, "aôb", greedy=False)[:2] == ("aô", "b")


@KINDS
@pytest.mark.parametrize(("greedy", "waits"), [(True, 3), (False, 2)])
def test_not_greedy_does_not_wait(kind: type[regex], greedy: bool, waits: int) -> None:
    """Satisfied, a machine that is not greedy does not ask for another symbol."""
    text, source, waited = symbols(kind, "ab"), chainable(), 0
    for _, entered in kind(initial="ab+", greedy=greedy).run(source):
        if entered is None:
            waited += 1
            source.chain(text[source.sent : source.sent + 1])
    assert (waited, source.sent) == (waits, 2)


@KINDS
def test_empty_sentence_satisfies(kind: type[regex]) -> None:
    """Not greedy, a pattern that the empty sentence matches takes nothing."""
    for greedy, rest in ((True, 0), (False, 3)):
        assert len(outcome(kind(initial="a*", greedy=greedy), symbols(kind, "aaa")).remaining) == rest


def test_greedy_of_the_enclosing_machine() -> None:
    """A machine around that is not greedy ends with its first sentence, however long that is."""
    for greedy, remaining in ((True, ""), (False, ",abb")):
        item = regex(initial="ab+", terminal=True)
        comma = item[","] = state_drop("comma")
        comma[None] = item
        source = peekable("abb,abb")
        list(dfa("M", initial=item, greedy=greedy).run(source))
        assert "".join(source) == remaining


# -- terminal


@KINDS
@pytest.mark.parametrize("given", [False, True])
def test_terminal(kind: type[regex], given: bool) -> None:
    """terminal tells of a whole sentence, in a machine made terminal only."""
    machine = kind(initial="ab+", terminal=given)
    seen = [(machine.terminal, str(entered)[1] == "(") for _, entered in machine.run(symbols(kind, "abb,"))]
    assert seen == [(False, False), (False, False), (given, True), (given, True)]
    assert machine.terminal is given


@KINDS
def test_terminal_after_a_failure(kind: type[regex]) -> None:
    """After half a sentence, a machine made terminal is not; after the next whole one it is again."""
    machine = kind(initial="ab+", terminal=True)
    assert outcome(machine, symbols(kind, "ab")).terminal
    with pytest.raises(NonTerminal):
        outcome(machine, symbols(kind, "ax"))
    assert not machine.terminal
    assert outcome(machine, symbols(kind, "ab")).terminal


@KINDS
def test_terminal_nested(kind: type[regex]) -> None:
    """A machine around cannot end where the one inside was not made terminal."""
    with pytest.raises(NonTerminal, match="sub-machine terminated in a non-terminal state, at offset 2"):
        outcome(dfa("M", initial=kind(initial="ab+")), symbols(kind, "ab"))
    around = dfa("M", initial=kind(initial="ab+", terminal=True), terminal=True)
    assert outcome(around, symbols(kind, "ab")).terminal


# -- limit


@KINDS
@pytest.mark.parametrize(
    ("limit", "accepted", "remaining"),
    [(2, "ab", "bbb"), (99, "abbbb", ""), (".n", "abb", "bb"), (lambda **_: 4, "abbb", "b")],
    ids=["number", "large", "path", "function"],
)
def test_limit_alone(kind: type[regex], limit: Any, accepted: str, remaining: str) -> None:
    """At most as many symbols are taken as the limit says."""
    kept = outcome(kind(initial="ab+", context="w", limit=limit), symbols(kind, "abbbb"), dotdict(n=3))
    assert (_text(kept.kept["w.input"]), _text(kept.remaining)) == (accepted, remaining)


@KINDS
def test_limit_nested(kind: type[regex]) -> None:
    """Inside another machine a limit begins anew each time."""
    assert listed(kind, "abb,abb") == ("abbabb", "")
    assert listed(kind, "ab,abb", limit=2) == ("abab", "b")
    assert listed(kind, "ab,abb", {"n": 2}, limit=".n") == ("abab", "b")
    with pytest.raises(NonTerminal, match="at offset 1: limit reached"):
        listed(kind, "ab,abb", limit=1)


def test_limit_counts_octets() -> None:
    """Over octets a limit counts these, and may cut a character, which then is an error."""
    assert alone(regex, "aôô", limit=2)[:2] == ("aô", "ô")
    assert alone(regex_bytes, "aôô", limit=3)[:2] == ("aô", "ô")
    with pytest.raises(NonTerminal, match="at offset 2: limit reached"):
        alone(regex_bytes, "aôô", limit=2)


def test_limit_is_not_asked_of_the_source() -> None:
    """At its limit a machine does not wait for another symbol."""
    assert [entered for _, entered in regex(initial="a+", limit=2).run("aa")][-1] is not None
    assert [entered for _, entered in regex(initial="a+").run("aa")][-1] is None


def test_limit_larger_than_the_enclosing_one() -> None:
    """Known beforehand, such a limit is refused before the first symbol; else, where it is measured."""
    inner = regex(initial="a+", terminal=True, limit=3)
    with pytest.raises(GrammarError, match="has a limit of 3, but is inside .*, whose limit is 2"):
        dfa("M", initial=inner, limit=2).run("aaa")
    late = regex(initial="a+", terminal=True, limit=lambda **_: 3)
    with pytest.raises(NonTerminal, match="limit of 3 reaches 1 beyond the enclosing limit, at offset 0"):
        outcome(dfa("M", initial=late, limit=2), "aaa")


# -- repeat


@KINDS
@pytest.mark.parametrize(
    ("repeat", "accepted", "remaining"),
    [(None, "abô", "abab"), (1, "abô", "abab"), (2, "abôab", "ab"), (0, "", "abôabab"), (".n", "abôabab", "")],
)
def test_repeat_alone(kind: type[regex], repeat: Any, accepted: str, remaining: str) -> None:
    """The pattern is matched as often as repeat says."""
    assert alone(kind, "abôabab", {"n": 3}, repeat=repeat, terminal=True) == (accepted, remaining, True)


@KINDS
def test_repeat_nested(kind: type[regex]) -> None:
    """Inside another machine, each item is that often the pattern."""
    assert listed(kind, "abab,abbab", repeat=2) == ("abababbab", "")
    with pytest.raises(NonTerminal, match="at offset 2"):
        listed(kind, "ab,ab", repeat=2)


@KINDS
def test_repeat_not_greedy(kind: type[regex]) -> None:
    """All repeats but the last are greedy."""
    assert alone(kind, "abbabb", repeat=2, greedy=False)[:2] == ("abbab", "b")


@pytest.mark.parametrize(
    ("given", "remaining"),
    [({}, b""), ({"greedy": False}, b"aab"), ({"limit": 2}, b"ab"), ({"repeat": 0}, b"aaab")],
    ids=str,
)
def test_flags_of_promotion(given: dict[str, Any], remaining: bytes) -> None:
    """A machine that promotes what it collects heeds the flags just so."""
    promoting = regex_bytes_promote(initial="a+b?", context="w", **given)
    kept, rest, _ = outcome(promoting, b"aaab")
    taken = b"aaab"[: 4 - len(remaining)]
    assert (kept, bytes(rest)) == ({"w": taken} if taken else {}, remaining)
