"""Random patterns and machines over random words: stepped, compiled and a slow reference are one; planted bugs show."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cpppo.automata import dfa, regex_bytes, state, state_input
from cpppo.errors import GrammarError
from tests.automata.planted import BUGS
from tests.automata.random_machines import chunkings, cut, draw_graph, draw_pattern, told
from tests.automata.referees import Disagreement, examine_graph, examine_pattern, examine_pieces
from tests.automata.references import walked
from tests.tools import examples

#: Examples drawn by every run of the tests, the same ones each time; and until a planted bug must be found.
GRAPHS, PATTERNS, PIECES, PLANTED_EXAMPLES = examples(350), examples(160), examples(100), 400
#: Fewer of one of these is no proof of anything.
LEAST = 8

SETTINGS: dict[str, Any] = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "phases": [Phase.generate],  # a seed that is less is not simpler
    "suppress_health_check": list(HealthCheck),
}

CHANCE = st.integers(0, 2**32 - 1).map(Random)

GRAPH_KINDS = (
    *("state", "state_input", "state_drop", "nested machine", "machine that takes", "text", "octets"),
    *("exact symbol", "class of characters", "any symbol", "no symbol", "explicitly no transition"),
    *("unconditional decide", "conditional decide", "predicate", "terminal", "state not greedy"),
    *("alphabet of state", "alphabet of state_input", "alphabet of state_drop"),
    *("limit of state", "limit of state_input", "limit of state_drop"),
    *(
        inside + kind
        for inside in ("", "nested ")
        for kind in ("machine terminal", "machine not greedy", "exact", *(f"limit {count}" for count in range(5)))
    ),
    *(inside + f"repeat {count}" for inside in ("", "nested ") for count in range(4)),
    *("compiled", "told by stepping", "refused when frozen", "refused when compiled"),
    *("accepted", "rejected", "circles", "in pieces"),
)
PATTERN_KINDS = (
    *("text", "octets of text", "octets", "nested", "not greedy", "limit", "outer limit", "alternation"),
    *(f"piece: {length} octet{'s' * (length != 'one')}" for length in ("one", "two", "three", "four")),
    *("piece: class", "piece: negated class", "piece: dot"),
    *(f"quantifier: {each}" for each in ("*", "+", "?", "{2}", "{1,2}", "{0,2}")),
    *("accepted", "rejected", "left within a character", "stopped early", "in pieces"),
)


@pytest.fixture(scope="module")
def graphs() -> Counter[str]:
    """What the graphs held that all agreed on, and how they went."""
    tally = Counter[str]()

    @settings(max_examples=GRAPHS, **SETTINGS)
    @given(CHANCE)
    def agree(chance: Random) -> None:
        examine_graph(draw_graph(chance, tally), chance, tally)

    agree()
    return tally


@pytest.fixture(scope="module")
def patterns() -> Counter[str]:
    """What the patterns held that all agreed on, and how they went."""
    tally = Counter[str]()

    @settings(max_examples=PATTERNS, **SETTINGS)
    @given(CHANCE)
    def agree(chance: Random) -> None:
        examine_pattern(draw_pattern(chance, tally), chance, tally)

    agree()
    return tally


def test_all_agree_on_random_graphs(graphs: Counter[str]) -> None:
    """Stepped, compiled in pieces of any size, and interpreted, each machine drawn tells the same of each word."""
    assert graphs["accepted"] > GRAPHS and graphs["rejected"] > GRAPHS


@pytest.mark.long  # with fewer examples there may be none of a kind
def test_every_kind_of_graph_was_drawn(graphs: Counter[str]) -> None:
    """A harness that never draws a limit in a repeated machine proves nothing about one."""
    assert {kind: graphs[kind] for kind in GRAPH_KINDS if graphs[kind] < LEAST} == {}


def test_all_agree_on_random_patterns(patterns: Counter[str]) -> None:
    """Stepped, compiled in pieces of any size, and walked on greenery's machine, each pattern tells the same."""
    assert patterns["accepted"] > PATTERNS and patterns["rejected"] > PATTERNS


@pytest.mark.long  # with fewer examples there may be none of a kind
def test_every_kind_of_pattern_was_drawn(patterns: Counter[str]) -> None:
    """A harness that never stops within a character proves nothing about octets."""
    assert {kind: patterns[kind] for kind in PATTERN_KINDS if patterns[kind] < LEAST} == {}


@settings(max_examples=PIECES, **SETTINGS)
@given(CHANCE)
def test_pieces_make_no_difference(chance: Random) -> None:
    """Fed symbol by symbol, or in any pieces, a run takes the same steps to the same data and end as fed at once."""
    drawn = draw_graph(chance, Counter()) if chance.random() < 0.6 else draw_pattern(chance, Counter())
    examine_pieces(drawn, chance)


# ------------------------------------------------------------------ octets, from Python's own expressions

#: Octets that make characters of two and three octets with one another, and parts of them.
FEW = b"a\xc3\xa9\xe2\x82\xac\xff"
CONTINUING = [octet for octet in FEW if 0x80 <= octet < 0xC0]


def characters() -> list[str]:
    """All characters that the few octets can be, odd octets included."""
    pairs = [bytes([0xC3, last]) for last in CONTINUING]
    triples = [bytes([0xE2, *rest]) for rest in itertools.product(CONTINUING, repeat=2)]
    single = [bytes([octet]) for octet in FEW]
    return [octets.decode("utf-8", "surrogateescape") for octets in (*single, *pairs, *triples)]


@pytest.mark.parametrize(
    "pattern",
    [
        ".",
        "..",
        "é",
        "é?.",
        "[^é]",
        "[^a€]{1,2}",
        "(é|€).?",
        "a?[^€].?",
        "\udce2?.",
        "\udce2\udc82",
        "\udce2(\udc82.|a)",
    ],
)
@pytest.mark.parametrize("greedy", [True, False])
def test_octets_of_text_are_those_of_python(pattern: str, greedy: bool) -> None:
    """Octets can go on if some sentence of Python's re, in UTF-8 with odd octets escaped, begins with them."""
    matches = re.compile(pattern, re.DOTALL).fullmatch
    known = characters()
    whole = {
        text.encode("utf-8", "surrogateescape")
        for count in range(4)
        for text in map("".join, itertools.product(known, repeat=count))
        if matches(text) and text == text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    }
    begun = {octets[:count] for octets in whole for count in range(len(octets) + 1)}

    def sentences(word: Sequence[Any]) -> tuple[bool, bool]:
        return bytes(word) in begun, bytes(word) in whole

    if not whole:
        with pytest.raises(GrammarError, match="no sentence of octets"):
            regex_bytes(initial=pattern)
        return
    machine = regex_bytes(initial=pattern, greedy=greedy)
    matcher = machine.compile()
    for word in map(bytes, itertools.chain(*(itertools.product(FEW, repeat=count) for count in range(5)))):
        expected = walked(sentences, word, greedy)
        assert matcher.match(word)[:2] == expected, word
        if len(word) < 4:
            assert told(machine, [word])[:2] == expected, word


# ------------------------------------------------------------------ found by the harness, and mended


def test_exact_symbol_leads_back_beside_a_predicate() -> None:
    """A state that a symbol leads back to itself takes it, whatever predicates it has besides."""
    a = state_input("A", terminal=True)
    a["a"] = a
    a[lambda symbol: symbol == "b"] = None
    assert told(dfa("M", a), ["aaa"]).consumed == 3


def test_symbol_before_a_limit_too_large_is_counted() -> None:
    """A state that took a symbol before its limit was refused has taken it, compiled as well."""
    a = state_input("A", terminal=True, limit=1)
    machine = dfa("M", a, limit=1)
    assert tuple(machine.compile().match("a")) == told(machine, ["a"])[:3] == (1, False, False)


def test_machine_inside_itself_is_stepped_when_compiled() -> None:
    """Nested brackets are no regular language: a machine that is inside itself runs by stepping."""
    start, left, right = state("S"), state_input("L"), state_input("R", terminal=True)
    nest = dfa("N", start, terminal=True)
    start["("] = left
    left["("] = nest
    left[")"] = nest[")"] = right
    matcher = dfa("M", nest, terminal=True).compile()
    assert matcher.stepped and tuple(matcher.match("((()))")) == (6, True, True)


# ------------------------------------------------------------------ harness and bugs planted


def test_chunkings_are_all() -> None:
    """A short word is cut in each of its ways, pieces of nothing among them; a long one in single symbols too."""
    ways = [tuple(pieces) for pieces in chunkings("abcd", Random(1), every=4)]
    assert len({way for way in ways if "" not in way}) >= 2**3 - 1 and any("" in way for way in ways)
    assert list("abcde") in list(chunkings("abcde", Random(1), every=4))
    assert all("".join(map(str, pieces)) == "abcde" for pieces in chunkings("abcde", Random(1), every=5))
    assert cut("abc", [1, 1, 9]) == ["a", "", "bc"]


@pytest.mark.long  # a test of the harness, which is the same by each interpreter
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness notices each of these faults of an engine within a bounded number of examples."""
    draw_and_examine = BUGS[bug](monkeypatch)

    @settings(max_examples=PLANTED_EXAMPLES, report_multiple_bugs=False, **SETTINGS)
    @given(CHANCE)
    def agree(chance: Random) -> None:
        draw_and_examine(chance)

    with pytest.raises(Disagreement):
        agree()
