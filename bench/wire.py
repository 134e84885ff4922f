"""Parsing and producing messages: compiled and stepped, against hand-written code.

Owns: the rows about the wire.  Rule: a parse row is the time from octets to all artifacts, a produce row that from
records to octets, paths included; what a memo saves has rows of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.measure import Row, best_of, geometric_mean, microseconds, progress
from bench.messages import COMPILED, MESSAGES, REFERENCE, SIDES, STRAIGHT, Measured, forget
from cpppo import dotdict
from cpppo.automata import peekable
from cpppo.server.enip.wire.header import RequestFrame

__all__ = ["rows"]

#: Goals: the mean of all rows, any one row, the mean with memoised paths, stepping.
MEAN, WORST, MEMOISED, STEPPED = 1.2, 1.4, 1.05, 25.0

#: How many calls make a turn.
CALLS = 40

Times = dict[str, float]


def rows() -> Iterator[Row]:
    """All rows about the wire."""
    plain: list[float] = []
    remembered: list[float] = []
    floor: list[float] = []
    memo_rows: list[Row] = []
    for word, measure in (("parse", _parsing), ("produce", _producing)):
        for message in MESSAGES:
            name = f"{word} {message.name}"
            progress(name)
            fresh = measure(message, False)
            yield _row(name, fresh, WORST)
            plain.append(fresh[COMPILED] / fresh[REFERENCE])
            floor.append(fresh[COMPILED] / fresh[STRAIGHT])
            if not message.paths(message.make()):
                remembered.append(plain[-1])
                continue
            known = measure(message, True)
            remembered.append(known[COMPILED] / fresh[REFERENCE])
            both = f"{name}, paths memoised"
            memo_rows.append(_row(both, {**known, REFERENCE: fresh[REFERENCE]}, None))
            memo_rows.append(_row(f"{both} by both", known, None))
    yield Row("geometric mean of parse and produce", "", "", geometric_mean(plain), MEAN)
    yield from memo_rows
    yield Row("geometric mean with our paths memoised, all hits", "", "", geometric_mean(remembered), MEMOISED)
    yield Row("geometric mean against code for one known message", "", "", geometric_mean(floor), None)
    yield _stepped()


def _row(name: str, times: Times, goal: float | None) -> Row:
    ours, theirs = times[COMPILED], times[REFERENCE]
    return Row(name, microseconds(ours), microseconds(theirs), ours / theirs, goal)


def _parsing(message: Measured, memo: bool) -> Times:
    octets = message.producers[COMPILED](message.make())
    functions = [message.parse(side, memo) for side in SIDES]
    for function in functions:
        function(octets)
    return dict(zip(SIDES, best_of(functions, [octets] * CALLS), strict=True))


def _producing(message: Measured, memo: bool) -> Times:
    records = [message.make() for _ in range(CALLS)]
    paths = [path for record in records for path in message.paths(record)]
    functions = [message.producers[side] for side in SIDES]

    def before() -> None:
        if not memo:
            forget(paths)

    for record in records:
        functions[0](record)
    return dict(zip(SIDES, best_of(functions, records, before), strict=True))


def _stepped() -> Row:
    message = next(one for one in MESSAGES if "72 octets" in one.name)
    progress("stepping")
    octets = message.producers[COMPILED](message.make())
    machine = RequestFrame.machine(context="frame")

    def step(octets: bytes) -> Any:
        data = dotdict()
        for _ in machine.run(source=peekable(octets), data=data, ending=len(octets)):
            pass
        return data.frame

    by_hand = message.parse(REFERENCE)
    if step(octets) != by_hand(octets):
        raise RuntimeError("stepping gives other artifacts than the reference")
    ours, theirs = best_of([step, by_hand], [octets] * (CALLS // 8))
    return Row(f"step {message.name}", microseconds(ours), microseconds(theirs), ours / theirs, STEPPED)
