"""Regular expressions as machines: text and octets, each option, promotion, and refusals."""

from __future__ import annotations

import subprocess
import sys
from array import array
from collections.abc import Callable
from typing import Any

import greenery
import pytest

from cpppo.automata import (
    PatternError,
    Unacceptable,
    chainable,
    dfa,
    regex,
    regex_bytes,
    regex_bytes_promote,
    state,
    state_drop,
    state_input,
    type_str_array_symbol,
    type_unicode_encoder,
)
from cpppo.dotdict import dotdict
from cpppo.errors import GrammarError, NonTerminal
from tests.automata.outcomes import outcome

UNICODE = "pôt, мир,日本"


def collected(machine: Any, symbols: Any, **given: Any) -> tuple[Any, str | bytes | list[Any]]:
    """What a machine of context ``w`` collected, and what it left, as text or octets like ``symbols``."""
    kept, remaining, _ = outcome(machine, symbols, **given)
    rest = "".join(remaining) if isinstance(symbols, str) else bytes(remaining)
    return kept.get("w.input"), rest


# -- names, and what is told of the pattern


@pytest.mark.parametrize("kind", [regex, regex_bytes, regex_bytes_promote])
def test_name_is_the_pattern(kind: type[regex]) -> None:
    """Without a name, a machine is called by the repr of its pattern; with one, by that, even if empty."""
    assert (kind(initial="a+").own_name, kind(initial=b"a\n").own_name) == ("'a+'", r"b'a\n'")
    assert (kind("word", "a+").own_name, kind("", "a+").own_name) == ("word", "")


def test_pattern_and_its_machine() -> None:
    """The pattern, greenery's Pattern and greenery's Fsm are kept."""
    machine = regex(initial="ab|cb")
    assert machine.pattern == "ab|cb"
    assert isinstance(machine.lego, greenery.Pattern)
    assert (machine.lego.matches("cb"), machine.fsm.accepts("cb"), machine.fsm.accepts("c")) == (True, True, False)


def test_first_state_takes_nothing() -> None:
    """A run begins in a copy of the first state that takes no symbol."""
    steps = [str(entered) for _, entered in regex(initial="ab").run("ab")]
    assert steps == ["( 0' )", "( 1 )", "((2))"]


def test_greenery_objects_as_initial() -> None:
    """greenery's own Pattern and Fsm serve as the expression, over text and over octets."""
    pattern = greenery.parse("é+b")
    for initial in (pattern, pattern.to_fsm()):
        assert collected(regex(initial=initial, context="w"), "éébx") == ("ééb", "x")
        assert collected(regex_bytes(initial=initial, context="w"), "éébx".encode()) == ("ééb".encode(), b"x")
    assert regex(initial=pattern).own_name == "'é+b'"
    assert regex(initial=pattern).lego is pattern
    assert regex(initial=pattern.to_fsm()).lego is None


# -- text, octets, Unicode


def test_unicode_over_text() -> None:
    """Each symbol is a character."""
    machine = regex(initial=UNICODE, context="w", terminal=True)
    assert collected(machine, UNICODE + "x") == (UNICODE, "x")
    assert machine.terminal


def test_unicode_over_octets() -> None:
    """Each symbol is an octet of UTF-8, and a character takes all of its own."""
    machine = regex_bytes(initial=UNICODE, context="w", terminal=True)
    assert collected(machine, (UNICODE + "x").encode()) == (UNICODE.encode(), b"x")
    assert machine.terminal


@pytest.mark.parametrize("kind", [regex, regex_bytes])
def test_unicode_symbol_by_symbol(kind: type[regex]) -> None:
    """Chained symbol by symbol, the sentence is the same, and each symbol was waited for."""
    symbols: Any = UNICODE if kind is regex else UNICODE.encode()
    source, data, waits = chainable(), dotdict(), 0
    for _, entered in kind(initial=UNICODE, context="w").run(source, data=data):
        if entered is None:
            waits += 1
            source.chain(symbols[source.sent : source.sent + 1])
    assert (list(data["w.input"]), waits) == (list(symbols), len(symbols))


@pytest.mark.parametrize(("octets", "offset"), [(b"p\xc3", 2), (b"p\xc3t", 2), (b"p\xb4", 1), (b"", 0)])
def test_part_of_a_character(octets: bytes, offset: int) -> None:
    """Octets that end, or go wrong, within a character are an error at that octet."""
    with pytest.raises(NonTerminal) as caught:
        outcome(regex_bytes(initial="pô", context="w"), octets)
    assert caught.value.offset == offset


def test_any_character_over_octets() -> None:
    """A dot is one character, of however many octets, or one odd octet."""
    machine = regex_bytes(initial="a.b", context="w")
    for sentence in (b"axb", "aéb".encode(), "a日b".encode(), "a😀b".encode(), b"a\xffb"):
        assert collected(machine, sentence + b"b") == (sentence, b"b")
    with pytest.raises(NonTerminal, match="at offset 2"):
        outcome(machine, "aé".encode("latin-1") + b"\xe9b")


@pytest.mark.parametrize("kind", [regex, regex_bytes])
def test_octet_patterns(kind: type[regex]) -> None:
    """A pattern of octets means these octets, in a machine of text by name, too."""
    assert collected(kind(initial=b"[\x80-\xff]+", context="w"), b"\xff\x80a") == (b"\xff\x80", b"a")
    assert collected(kind(initial=rb"\xc3.", context="w"), b"\xc3\xa9\xa9") == (b"\xc3\xa9", b"\xa9")


def test_whole_pattern_must_match() -> None:
    """A symbol that may continue a sentence is taken, even if then none is completed: no going back."""
    assert collected(regex(initial="ab(cd)?", context="w"), "abx") == ("ab", "x")
    with pytest.raises(NonTerminal, match=r"sub-machine terminated in a non-terminal state, at offset 3: .*'x'"):
        outcome(regex(initial="ab(cd)?", context="w"), "abcx")


# -- options


def test_states_drop() -> None:
    """With regex_states=state_drop nothing is collected, and the same symbols are taken."""
    kept, remaining, _ = outcome(regex(initial="a+", context="w", regex_states=state_drop), "aab")
    assert (kept, remaining) == ({}, ["b"])


def test_states_of_ones_own() -> None:
    """The states are of the class given, which may do what it likes with a symbol."""

    class upper(state_input):
        def process(self, source: Any, machine: Any, path: str | None, data: Any) -> None:
            data.setdefault("seen", []).append(next(source).upper())

    assert outcome(regex(initial="ab+", regex_states=upper), "abbx").kept == {"seen": ["A", "B", "B"]}


def test_alphabet() -> None:
    """regex_alphabet is that of the states; by default str, octets for a machine of octets, else all."""

    def alphabet(**given: Any) -> Any:
        return next(iter(each for each in regex(**given).nodes() if isinstance(each, state_input))).alphabet

    assert alphabet(initial="a") is str
    assert alphabet(initial=b"a") == alphabet(initial="a", regex_encoder=type_unicode_encoder) == range(256)
    assert alphabet(initial="a", regex_encoder=lambda text: [ord(text)]) is None
    assert alphabet(initial="a", regex_alphabet="abc") == "abc"
    with pytest.raises(Unacceptable, match=r"cannot collect the symbol 'b', at offset 1: .* alphabet 'a'"):
        outcome(regex(initial=".+", context="w", regex_alphabet="a"), "ab")


def test_alphabet_that_the_pattern_leaves() -> None:
    """A pattern that names symbols outside of the alphabet given is refused before the first symbol."""
    machine = regex(initial="[a-d]+", regex_alphabet="abc")
    with pytest.raises(GrammarError, match=r"on 'd', which that cannot take; its alphabet is 'abc'"):
        machine.run("a")


def test_unicode_encoder() -> None:
    """With type_unicode_encoder a machine of text is over octets."""
    machine = regex(initial="日+", context="w", regex_encoder=type_unicode_encoder)
    assert collected(machine, "日日x".encode()) == ("日日".encode(), b"x")


def test_encoder_of_one_symbol() -> None:
    """An encoder says which symbol of the source stands for a character of the pattern."""
    machine = regex(initial="a+b", context="w", regex_encoder=lambda text: [{"a": 1000, "b": -1}[text]])
    data = dotdict({"w.input": []})
    assert outcome(machine, [1000, 1000, -1, -1], data)[:2] == ({"w.input": [1000, 1000, -1]}, [-1])


def test_encoder_of_many_symbols() -> None:
    """An encoder may make several symbols of a character; all must come, and in order."""
    machine = regex(initial="(aж)+", context="w", regex_encoder=lambda text: text.encode("utf-16-be"))
    sentence = "aжaж".encode("utf-16-be")
    assert collected(machine, sentence + b"x") == (sentence, b"x")
    with pytest.raises(NonTerminal, match="at offset 3"):
        outcome(machine, sentence[:3])


def test_encoder_and_what_is_not_named() -> None:
    """With an encoder, what a pattern takes without naming it is any single other symbol."""
    machine = regex(initial="a[^a]", context="w", regex_encoder=lambda text: [ord(text) + 1])
    assert outcome(machine, [98, 7, 8], dotdict({"w.input": []}))[:2] == ({"w.input": [98, 7]}, [8])
    with pytest.raises(NonTerminal, match="at offset 1: next symbol 98"):
        outcome(machine, [98, 98])


@pytest.mark.parametrize(
    ("encoder", "sentence"),
    [
        (str.swapcase, "AB"),
        (lambda text: text + text.upper(), "aAbB"),
        (lambda text: {"a": "x", "b": "yz"}[text], "xyz"),
    ],
)
def test_encoder_to_text(encoder: Callable[[str], Any], sentence: str) -> None:
    """The symbols that an encoder makes may be text themselves."""
    assert collected(regex(initial="ab", context="w", regex_encoder=encoder), sentence + "!") == (sentence, "!")


@pytest.mark.parametrize(
    ("pattern", "encoder", "message"),
    [
        ("a", lambda text: (), "makes nothing of 'a'; it must give a symbol or more"),
        ("[\x00-\U0001ffff]", lambda text: [ord(text)], "are 131072; name at most 65536"),
        ("ab|cd", lambda text: [0 if text in "ac" else ord(text)], r"makes of one character \(0,\), which another"),
        ("a|b", lambda text: [0] if text == "a" else [0, 1], "which another is or begins with"),
        ("b|a", lambda text: [0] if text == "a" else [0, 1], "which another is or begins with"),
    ],
)
def test_encoder_that_cannot_serve(pattern: str, encoder: Callable[[str], Any], message: str) -> None:
    """An encoder that gives nothing, too much to ask for, or the same for two characters is refused."""
    with pytest.raises(GrammarError, match=message):
        regex(initial=pattern, regex_encoder=encoder)


def test_typecode() -> None:
    """regex_typecode is that of the array collected in; by default it follows the symbols."""

    def kept(source: Any, **given: Any) -> Any:
        data = dotdict()
        list(regex(context="w", **given).run(source, data=data))
        return data["w.input"]

    assert kept(b"aa", initial=b"a+", regex_typecode="H") == array("H", [97, 97])
    assert kept(b"aa", initial=b"a+", regex_typecode="H").typecode == "H"
    assert kept(b"aa", initial=b"a+").typecode == "B"
    assert kept("aa", initial="a+").typecode == type_str_array_symbol


def test_typecode_too_small() -> None:
    """A symbol that the array cannot hold is an error at that symbol, which is not taken."""
    with pytest.raises(Unacceptable, match=r"cannot collect the symbol 200, at offset 1"):
        outcome(regex_bytes(initial="a.", context="w", regex_typecode="b"), b"a\xc8")


def test_context() -> None:
    """regex_context is below the machine's own context, and that below the path."""
    machine = regex(initial="a+", context="w", regex_context="in")
    assert outcome(machine, "aa").kept == {"w.in.input": "aa"}
    assert outcome(machine, "aa", path="p").kept == {"p.w.in.input": "aa"}
    assert outcome(regex(initial="a+"), "aa").kept == {}


# -- promotion


def test_promote() -> None:
    """What was collected moves up to the machine's own context; nothing collected, nothing moves."""
    assert outcome(regex_bytes_promote(initial="a*", context="w"), b"aab")[:2] == ({"w": b"aa"}, [98])
    assert outcome(regex_bytes_promote(initial="a*", context="w"), b"b").kept == {}
    assert outcome(regex_bytes_promote(initial="a*", context="w", regex_context="in"), b"aa").kept == {"w": b"aa"}
    inside = dfa("M", initial=regex_bytes_promote(initial="a+", context="w", terminal=True), context="m")
    assert outcome(inside, b"aa").kept == {"m.w": b"aa"}


def test_promote_only_what_is_whole() -> None:
    """Where no sentence was completed, what was collected stays where it is."""
    data = dotdict()
    with pytest.raises(NonTerminal):
        list(regex_bytes_promote(initial="ab", context="w").run(b"ax", data=data))
    assert dict(data.items()) == {"w.input": array("B", b"a")}


def test_promote_again() -> None:
    """A second run over the same data replaces what the first one promoted."""
    data, machine = dotdict(), regex_bytes_promote(initial="a+", context="w")
    outcome(machine, b"a", data)
    assert outcome(machine, b"aaa", data).kept == {"w": b"aaa"}


# -- from_regex


def test_from_regex() -> None:
    """The states of a pattern can be had alone: its text, greenery's two, and the first state."""
    text, lego, fsm, first = state_input.from_regex("ab+", alphabet=str, context="c")
    assert (text, lego, fsm.accepts("abb")) == ("ab+", greenery.parse("ab+"), True)
    assert (type(first), first.name) == (state, "0'")
    inside = list(first.nodes())[1:]
    assert {(type(each), each.alphabet, each.context()) for each in inside} == {(state_input, str, "c.input")}
    assert outcome(dfa("M", initial=first, context="m"), "abbx")[:2] == ({"m.c.input": "abb"}, ["x"])


def test_from_regex_of_another_class() -> None:
    """The states are of the class asked; octets come by pattern or by encoder."""
    for pattern, encoder in ((b"\xc3\xa9", None), ("é", type_unicode_encoder)):
        *_, first = state_drop.from_regex(pattern, encoder)
        assert [type(each) for each in first.nodes()] == [state, state_drop, state_drop]
        assert outcome(dfa("M", initial=first), "éx".encode()).remaining == [120]


# -- read once, and only when needed


def test_second_build_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern is read when the first machine of it is built, and never again, for octets as well."""
    read: list[str] = []
    real = greenery.parse
    monkeypatch.setattr(greenery, "parse", lambda text: read.append(text) or real(text))
    pattern = "(read+once)((,[ ]*)(only))*"
    first = regex(initial=pattern)
    assert read == [pattern]
    again, octets = regex("again", pattern, context="w", terminal=True), regex_bytes(initial=pattern)
    state_drop.from_regex(pattern)
    assert read == [pattern]
    assert (first.fsm is again.fsm, first.fsm is octets.fsm, first.initial is again.initial) == (True, True, False)


def test_greenery_is_imported_late() -> None:
    """Importing the package does not import greenery; the first pattern does."""
    program = (
        "import sys, cpppo; early = 'greenery' in sys.modules;"
        "cpppo.dfa('M', initial=cpppo.state('S')); between = 'greenery' in sys.modules;"
        "cpppo.regex(initial='a'); print(early, between, 'greenery' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.split() == ["False", "False", "True"]


# -- refusals


@pytest.mark.parametrize("kind", [regex, regex_bytes, regex_bytes_promote])
def test_bad_pattern(kind: type[regex]) -> None:
    """What is no pattern is told with the pattern, the position, and what to write instead."""
    with pytest.raises(PatternError, match=r"'\[\+-\]' at position 2") as caught:
        kind(initial="[+-]")
    assert (caught.value.pattern, caught.value.position) == ("[+-]", 2)
    assert r"[+\-]" in str(caught.value)
    assert isinstance(caught.value, GrammarError) and isinstance(caught.value, ValueError)
    with pytest.raises(PatternError, match=r"b'a\(b' at position 1"):
        kind(initial=b"a(b")


def test_no_sentence_at_all() -> None:
    """A pattern that no sentence matches is refused, as greenery's objects too; so where only octets are none."""
    nothing = greenery.parse("[]")
    for initial in ("[]", nothing, nothing.to_fsm()):
        with pytest.raises(PatternError):
            regex(initial=initial)
    for octets in (rb"[^\x00-\xff]", b"[^\x00-\xff]"):
        with pytest.raises(PatternError, match="no sentence of octets matches it"):
            regex(initial=octets)
    assert collected(regex(initial="\ud800", context="w"), "\ud800x") == ("\ud800", "x")
    with pytest.raises(PatternError, match="no sentence of octets matches it; take it as text"):
        regex_bytes(initial="\ud800")


def test_octet_pattern_of_another_character() -> None:
    """A pattern of octets cannot name what is no octet."""
    with pytest.raises(PatternError, match=r"at position 1: .*octets in UTF-8, b'\\xe6\\x97\\xa5'"):
        regex(initial=rb"a\u65e5")


@pytest.mark.parametrize("initial", [None, 5, bytearray(b"a"), state("S"), ["a"]])
def test_initial_of_another_type(initial: Any) -> None:
    """What is no pattern by its type is refused, with what is one."""
    with pytest.raises(GrammarError, match="(?i)regular expression"):
        regex("N", initial)


@pytest.mark.parametrize(("alphabet", "message"), [("", "Empty alphabet"), (5, "Unknown alphabet 5")])
def test_bad_alphabet(alphabet: Any, message: str) -> None:
    """An alphabet that is empty or none at all is refused."""
    with pytest.raises(GrammarError, match=message):
        regex(initial="a", regex_alphabet=alphabet)


@pytest.mark.parametrize("given", [{"regex_states": 42}, {"regex_encoder": 5}, {"regex_typecode": "zz"}], ids=str)
def test_options_of_another_type(given: dict[str, Any]) -> None:
    """Options of a wrong type are refused when the machine is built."""
    with pytest.raises(GrammarError):
        outcome(regex(initial="a", context="w", **given), "a")
