"""Machines: stepped and compiled, against loops over a dict by hand; and what a pattern costs, first and again.

Owns: the rows about the engine.  Rule: both sides take the same text to the same end, and are asked whether they did.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import cpppo
from bench.measure import Row, best_of, microseconds, progress

__all__ = ["rows"]

#: Goals: stepping, compiled, building a pattern again.
STEPPED, COMPILED, AGAIN = 6.0, 1.2, 0.01

PATTERN = "(ab+)((,[ ]*)(ab+))*"
TEXT = "abbbb, ab, abbbbbbb,ab," * 45 + "ab"
LETTERS = "a" + "b" * (len(TEXT) - 1)
#: The machine of the pattern, and of ab+, by hand.
TABLE = {0: {"a": 1}, 1: {"b": 2}, 2: {"b": 2, ",": 3}, 3: {" ": 3, "a": 1}}
CODES = {state: {ord(symbol): there for symbol, there in row.items()} for state, row in TABLE.items()}


def rows() -> Iterator[Row]:
    """All rows about the engine."""
    first, again = _building()
    yield _row("step ab+, a symbol", _steps(_basic()), _yielding, LETTERS, STEPPED)
    yield _row("step a regular expression, a symbol", _steps(_regex(context="r")), _yielding, TEXT, STEPPED)
    yield _row("step it, collecting nothing, a symbol", _steps(_regex(), None), _yielding, TEXT, STEPPED)
    yield _row("match it compiled, a character", _match(_regex()), _looping, TEXT, COMPILED)
    octets = cpppo.regex_bytes(initial=PATTERN)
    yield _row("match it compiled, an octet", _match(octets), _looping_octets, TEXT.encode(), COMPILED)
    yield Row(
        "build its machine again, to building it first", microseconds(again), microseconds(first), again / first, AGAIN
    )


def _row(name: str, ours: Any, reference: Any, text: Any, goal: float) -> Row:
    progress(name)
    if ours(text) != len(text) or reference(text) != len(text):
        raise RuntimeError(f"{name}: not all symbols were taken")
    times = best_of([ours, reference], [text] * 4)
    mine, theirs = (each / len(text) for each in times)
    return Row(name, f"{mine * 1e9:.0f} ns", f"{theirs * 1e9:.0f} ns", mine / theirs, goal)


def _basic() -> Any:
    first, a, b = cpppo.state("E"), cpppo.state_input("A"), cpppo.state_input("B", terminal=True)
    first["a"] = a
    a["b"] = b
    b["b"] = b
    return cpppo.dfa("ab+", initial=first, context="basic")


def _regex(**settings: Any) -> Any:
    return cpppo.regex(initial=PATTERN, **settings)


def _steps(machine: Any, data: Any = cpppo.dotdict) -> Any:
    def step(text: Any) -> int:
        source = cpppo.peekable(text)
        for _ in machine.run(source=source, data=data and data()):
            pass
        return int(source.sent)

    return step


def _match(machine: Any) -> Any:
    matcher = machine.compile()
    return lambda text: matcher.match(text).consumed


def _yielding(text: str) -> int:
    """A step for each symbol, by a loop over a dict."""

    def steps() -> Iterator[int]:
        state: int | None = 0
        for symbol in text:
            state = TABLE[state].get(symbol)
            if state is None:
                return
            yield state

    count = 0
    for _ in steps():
        count += 1
    return count


def _looping(text: str) -> int:
    """The same without yielding."""
    count, state = 0, 0
    for symbol in text:
        there = TABLE[state].get(symbol)
        if there is None:
            break
        state = there
        count += 1
    return count


def _looping_octets(text: bytes) -> int:
    count, state = 0, 0
    for symbol in text:
        there = CODES[state].get(symbol)
        if there is None:
            break
        state = there
        count += 1
    return count


def _building() -> tuple[float, float]:
    """Seconds that the first machine of a pattern takes, and the least that another does."""
    progress("building a machine of a pattern")
    cpppo.regex(initial="x").compile()  # imports what reads patterns
    clock = time.perf_counter
    start = clock()
    _regex()
    first = clock() - start
    again = []
    for _ in range(100):
        start = clock()
        _regex()
        again.append(clock() - start)
    return first, min(again)
