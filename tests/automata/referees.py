"""The comparison: one machine, many words, every way to run it, one answer.

Owns what is compared with what.  Rule: a difference is a `Disagreement` that holds all that reproduces it.  Must not
know how machines are drawn, nor why an answer is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

from cpppo.automata import Matcher, dfa
from cpppo.errors import GrammarError
from tests.automata.random_machines import Graph, Pattern, Told, Word, chunkings, draw_words, told
from tests.automata.references import Expected, interpreted, machine_of, nested

__all__ = ["Disagreement", "examine_graph", "examine_pattern", "examine_pieces"]

#: Words of a graph, and how long; words of a pattern; length up to which a word is cut in all ways.
GRAPH_WORDS, GRAPH_LENGTH, PATTERN_WORDS, EVERY = 40, 5, 10, 4


class Disagreement(AssertionError):
    """Two ways to run one machine tell different things of one word."""


def _same(drawn: Graph | Pattern, word: Any, what: str, one: Any, other: Any) -> None:
    if one != other:
        shown = drawn.text if isinstance(drawn, Graph) else repr(drawn)
        raise Disagreement(f"{shown}\nover {word!r}, {what}:\n  {one}\n  {other}")


def examine_pattern(drawn: Pattern, chance: Random, tally: Counter[str]) -> None:
    """The machine of a pattern over words near its language."""
    machine, fsm = drawn.build(), machine_of(drawn.pattern)
    matcher = machine.compile()
    _same(drawn, None, "what keeps it from being compiled", matcher.stepped, None)
    for word in draw_words(drawn, fsm, chance, PATTERN_WORDS):
        stepped = told(machine, [word])
        _same(drawn, word, "stepped and expected", Expected(*stepped[:4]), nested(drawn, word))
        _pieces(drawn, machine, matcher, word, stepped, chance, tally)
        tally["accepted" if stepped.accepted else "rejected"] += 1
        tally["stopped early"] += stepped.consumed < len(word)
        if drawn.symbols == "octets of text":
            tally["left within a character"] += _within(word[: stepped.consumed]) and not _within(word)


def _within(octets: Any) -> bool:
    """True if the last octets could be those of a character that is not complete."""
    return any(octets[-count:].startswith(tuple(bytes([lead]) for lead in range(0xC2, 0xF5))) for count in (1, 2, 3))


def examine_graph(drawn: Graph, chance: Random, tally: Counter[str]) -> None:
    """A machine made by hand over all short words, longer ones where it goes on."""
    machine = drawn.build()
    try:
        told(machine, [])
    except GrammarError as exc:
        tally["refused when frozen"] += 1
        _refused(drawn, machine, str(exc))
        return
    matcher = _compiled(machine)
    kind = "refused when compiled" if matcher is None else "compiled" if matcher.stepped is None else "told by stepping"
    tally[kind] += 1
    circles = False
    for word, stepped in _words(drawn, machine, chance):
        expected = interpreted(drawn.build(), word)
        if stepped.accepted is None:
            circles = True
            tally["circles"] += 1
            _same(drawn, word, "circles, stepped and expected", stepped.accepted, expected.accepted)
            _same(drawn, word, "circles, compiled though it should not", matcher is None or bool(matcher.stepped), True)
            continue
        _same(drawn, word, "stepped and expected", Expected(*stepped[:4]), expected)
        _pieces(drawn, machine, matcher, word, stepped, chance, tally)
        tally["accepted" if stepped.accepted else "rejected"] += 1
    tally["refused with cause"] += circles and matcher is None


def _refused(drawn: Graph, machine: dfa, why: str) -> None:
    """What stepping refuses, compiling refuses as well."""
    try:
        machine.compile()
    except GrammarError as exc:
        _same(drawn, None, "refused, compiled and stepped", str(exc), why)
    else:
        _same(drawn, None, "refused, compiled and stepped", None, why)


def _compiled(machine: dfa) -> Matcher | None:
    """None for a machine that can go in circles."""
    try:
        return machine.compile()
    except GrammarError as exc:
        if "circles" not in str(exc):
            raise
        return None


def _words(drawn: Graph, machine: dfa, chance: Random) -> list[tuple[Any, Told]]:
    """Words and what is told of them; one goes on only where another was taken whole."""
    empty: Any = "" if isinstance(drawn.symbols[0], str) else b""
    words, found = [empty], []
    for word in words:
        stepped = told(machine, [word])
        found.append((word, stepped))
        if stepped.consumed == len(word) < GRAPH_LENGTH and len(words) < GRAPH_WORDS:
            for symbol in chance.sample(drawn.symbols, 4 if len(word) < 2 else 2):
                words.append(word + (symbol if isinstance(symbol, str) else bytes([symbol])))
    return found


def _pieces(
    drawn: Graph | Pattern, machine: dfa, matcher: Matcher | None, word: Any, whole: Told, chance: Random,
    tally: Counter[str],
) -> None:  # fmt: skip
    """A word in pieces, stepped and compiled, against the whole of it stepped."""
    if matcher is not None:
        for form in (word, list(word), iter(word)):
            _same(drawn, word, "compiled and stepped", tuple(matcher.match(form)), whole[:3])
    for pieces in chunkings(word, chance, EVERY):
        tally["in pieces"] += 1
        wants: list[int] = []
        _same(drawn, pieces, "stepped in pieces and at once", told(machine, _wanted(pieces, wants)), whole)
        if matcher is not None:
            streamed = _streamed(drawn, matcher, pieces, len(wants))
            _same(drawn, pieces, "compiled in pieces and stepped", streamed, whole[:3])


def _wanted(pieces: list[Word], wants: list[int]) -> Iterator[Word]:
    """The pieces, and one want for each that is asked for, or would be were there one more."""
    for number, piece in enumerate(pieces):
        wants.append(number)
        yield piece
    wants.append(len(pieces))


def _streamed(drawn: Graph | Pattern, matcher: Matcher, pieces: list[Word], wants: int) -> tuple[int, bool, bool]:
    """What the compiled machine tells of pieces: it takes them whole until it ends, which is when stepping does."""
    stream = matcher.stream()
    given = 0
    for number, piece in enumerate(pieces, 1):
        before = stream.consumed
        given += len(piece)
        _same(drawn, pieces, f"wants more after {number}, compiled and stepped", stream.feed(piece), wants > number)
        if wants > number:
            _same(drawn, pieces, "taken and given", stream.consumed, given)
        elif wants < number:
            _same(drawn, pieces, "taken after the end", stream.consumed, before)
    return stream.finish()


def examine_pieces(drawn: Graph | Pattern, chance: Random) -> None:
    """A few words, cut in many ways: the same steps, data, error and count as at once."""
    machine = drawn.build()
    if isinstance(drawn, Graph):
        try:
            words: list[Any] = [word for word, _ in _words(drawn, machine, chance)]
        except GrammarError:  # cannot be run at all
            return
        words = chance.sample(words, min(len(words), 8))
    else:
        words = draw_words(drawn, machine_of(drawn.pattern), chance, 8)
    for word in words:
        whole = told(machine, [word])
        for pieces in chunkings(word, chance, EVERY + 2):
            _same(drawn, pieces, "stepped in pieces and at once", told(machine, pieces), whole)
