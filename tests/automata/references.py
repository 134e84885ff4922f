"""What a run must tell, written a second time: slow, plain, and from the definitions alone.

Owns three references: a walk of a pattern's machine a symbol at a time, the same over octets, and an interpreter of
machines made by hand.  Rule: nothing is frozen, and nothing of the engine's tables or nodes is used.  Must not know
how machines are drawn.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from greenery import parse

from cpppo.automata import decide, dfa, state, state_drop, state_input

__all__ = ["Expected", "Sentences", "interpreted", "machine_of", "nested", "walked"]

#: States entered without a symbol, beyond which a run goes in circles.
IDLE = 3000
#: Octets that continue a character.
CONTINUING = range(0x80, 0xC0)


class Expected(NamedTuple):
    """Symbols taken; whether they are a sentence, None for going in circles; terminal then; what is kept."""

    consumed: int
    accepted: bool | None
    terminal: bool
    data: dict[str, list[Any]]


#: Whether a word can begin a sentence, and whether it is one.
Sentences = Callable[[Sequence[Any]], tuple[bool, bool]]


# ------------------------------------------------------------------ patterns


@lru_cache(64)
def machine_of(pattern: str | bytes) -> Any:
    """Greenery's machine of a pattern; of octets, of the characters of their numbers."""
    return parse(pattern if isinstance(pattern, str) else pattern.decode("latin-1")).to_fsm()


def _at(fsm: Any, text: str) -> Any:
    """Where a text leads, live or not."""
    at = fsm.initial
    for character in text:
        (chosen,) = (each for each in fsm.alphabet if each.accepts(character))
        at = fsm.map[at][chosen]
    return at


def _spans(each: Any) -> list[tuple[int, int]]:
    """The code points of one of greenery's classes."""
    if not each.negated:
        return list(each.ord_ranges)
    spans, start = [], 0
    for first, last in sorted(each.ord_ranges):
        spans.append((start, first - 1))
        start = last + 1
    return [span for span in (*spans, (start, 0x10FFFF)) if span[0] <= span[1]]


def _live(fsm: Any, at: Any, first: int = 0, last: int = 0x10FFFF) -> bool:
    """Whether a symbol of these code points leads from here to where a sentence can be completed."""
    return any(
        fsm.islive(fsm.map[at][each]) and any(low <= last and high >= first for low, high in _spans(each))
        for each in fsm.alphabet
    )


def _text(fsm: Any) -> Sentences:
    def sentences(word: Sequence[Any]) -> tuple[bool, bool]:
        at = _at(fsm, "".join(word))
        return fsm.islive(at), at in fsm.finals

    return sentences


def _latin_1(fsm: Any) -> Sentences:
    """Octets of an octet pattern: what only other characters complete is no beginning."""
    live = set(fsm.finals)
    octets = [each for each in fsm.alphabet if any(low <= 0xFF for low, _ in _spans(each))]
    while more := {at for at in fsm.states if at not in live and any(fsm.map[at][each] in live for each in octets)}:
        live |= more

    def sentences(word: Sequence[Any]) -> tuple[bool, bool]:
        at = _at(fsm, bytes(word).decode("latin-1"))
        return at in live, at in fsm.finals

    return sentences


def _utf_8(fsm: Any) -> Sentences:
    """Octets of a pattern of text, which must name no surrogate.

    A word begins a sentence if its last octets, those of a character not complete, are completed by one
    that is live, or are odd ones and what follows is no continuation of them.
    """

    def sentences(word: Sequence[Any]) -> tuple[bool, bool]:
        octets = bytes(word)
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        whole = decoder.decode(octets)
        tail = decoder.getstate()[0]
        odd = _at(fsm, octets.decode("utf-8", "surrogateescape"))
        if fsm.islive(odd):
            return True, odd in fsm.finals
        first, last = _completed(tail, 1), _completed(tail, -1)
        return first is not None and last is not None and _live(fsm, _at(fsm, whole), first, last), False

    return sentences


@lru_cache(None)
def _completed(tail: bytes, order: int) -> int | None:
    """The first (order 1) or last (order -1) character of several octets that begins with these, if any."""
    if not tail:
        return None
    for octet in CONTINUING[::order]:
        longer = tail + bytes([octet])
        decoder = codecs.getincrementaldecoder("utf-8")("strict")
        try:
            character = decoder.decode(longer)
        except UnicodeDecodeError:
            continue
        found = ord(character) if character else _completed(longer, order)
        if found is not None:  # the decoder waits for the end of some that none begins with
            return found
    return None


@lru_cache(64)
def sentences_of(symbols: str, pattern: str | bytes) -> Sentences:
    """Those of a pattern, over text, octets of text, or octets."""
    return {"text": _text, "octets of text": _utf_8, "octets": _latin_1}[symbols](machine_of(pattern))


def walked(sentences: Sentences, word: Sequence[Any], greedy: bool, end: int | None = None) -> tuple[int, bool]:
    """Symbols taken and whether they are a sentence: as long as it can go on, or until first satisfied."""
    count = 0
    while count < len(word) and count != end and not (not greedy and sentences(word[:count])[1]):
        if not sentences(word[: count + 1])[0]:
            break
        count += 1
    return count, sentences(word[:count])[1]


def nested(drawn: Any, word: Sequence[Any]) -> Expected:
    """What the machine of a drawn pattern, nested or not, must tell of a word."""
    sentences = sentences_of(drawn.symbols, drawn.pattern)
    if drawn.separator is None:
        count, accepted = walked(sentences, word, drawn.greedy, drawn.limit)
        return Expected(count, accepted, accepted and drawn.terminal, {"p.input": list(word[:count])} if count else {})
    at, accepted = 0, True
    kept: list[Any] = []
    outer = len(word) + 1 if drawn.outer_limit is None else drawn.outer_limit
    while True:
        end = outer if drawn.limit is None else at + drawn.limit
        if end > outer and drawn.outer_limit is not None:
            accepted = False
            break
        count, accepted = walked(sentences, word[at:], drawn.greedy, end - at)
        kept += word[at : at + count]
        at += count
        if not accepted:
            break
        accepted = drawn.terminal
        if drawn.terminal and not drawn.outer_greedy or at >= min(outer, len(word)) or word[at] != drawn.separator:
            break
        at += 1
    return Expected(at, accepted, accepted, {"outer.p.input": kept} if kept else {})


# ------------------------------------------------------------------ machines made by hand


class _Refused(Exception):
    """The word is no sentence."""


class _Circles(Exception):
    """Going round without a symbol."""


class _Interpreter:
    """One run of a machine over one word."""

    def __init__(self, word: Sequence[Any]) -> None:
        self.word, self.at, self.idle = word, 0, 0
        self.data: dict[str, list[Any]] = {}

    def machine(self, own: dfa, path: str, end: int | None) -> None:
        path = ".".join(part for part in (path, own.context("", "")) if part)
        if own.limit is not None:
            end = self.bound(own.limit, end)
        times = 1 if own.repeat is None else own.repeat
        for cycle in range(times):
            self.cycle(own, path, end, lazy=not own.greedy and cycle == times - 1)
        if own.exact and own.limit is not None and self.at != end:
            raise _Refused

    def cycle(self, own: dfa, path: str, end: int | None, lazy: bool) -> None:
        here: state | None = own.initial
        while here is not None:
            last, terminal = here, _terminal(here)
            self.idle += 1
            if self.idle > IDLE:
                raise _Circles
            if isinstance(here, dfa):
                self.machine(here, path, end)
                satisfied = lazy and terminal
            else:
                end = self.enter(here, path, end)
                satisfied = terminal and (lazy or not here.greedy)
            here = None if satisfied else self.move(here, own, path, end)
        if not _terminal(last):
            raise _Refused

    def bound(self, limit: int, end: int | None) -> int:
        if end is not None and self.at + limit > end:
            raise _Refused
        return self.at + limit

    def next(self, end: int | None) -> Any:
        return None if self.at >= len(self.word) or (end is not None and self.at >= end) else self.word[self.at]

    def enter(self, here: state, path: str, end: int | None) -> int | None:
        if isinstance(here, state_input):
            symbol = self.next(end)
            if symbol is None or not _belongs(symbol, here.alphabet):
                raise _Refused
            self.at, self.idle = self.at + 1, 0
            if not isinstance(here, state_drop) and here.context(path, ""):
                self.data.setdefault(here.context(path), []).append(symbol)
        return end if here.limit is None else self.bound(here.limit, end)

    def move(self, here: state, own: dfa, path: str, end: int | None) -> Any:
        there = here.get(self.next(end))
        for each in there if isinstance(there, tuple) else (there,):
            if not isinstance(each, decide):
                return each
            if each.predicate is None or each.predicate(source=_Sent(self.at), machine=own, path=path, data=self.data):
                return each.state
        return None


class _Sent(NamedTuple):
    """All of a source that drawn decides look at."""

    sent: int


def _terminal(here: state) -> bool:
    """As it was made: a machine's own `terminal` is that of its latest run."""
    return here._terminal


def _belongs(symbol: Any, alphabet: Any) -> bool:
    if alphabet is None:
        return True
    if isinstance(alphabet, type):
        return isinstance(symbol, alphabet)
    return symbol in alphabet if hasattr(alphabet, "__contains__") else bool(alphabet(symbol))


def interpreted(machine: dfa, word: Sequence[Any]) -> Expected:
    """What a run of a machine made by hand must tell; its integers are numbers, its decides look at the count alone."""
    run = _Interpreter(word)
    accepted: bool | None = True
    try:
        run.machine(machine, "", None)
    except _Refused:
        accepted = False
    except _Circles:
        accepted = None
    return Expected(run.at, accepted, accepted is True and _terminal(machine), run.data)
