"""Times of several pieces of code in one run, and the rows of the table.

Owns: interleaved rounds, best of each, and Row.  Rule: what is compared is measured in turn, so that a slow moment
of the machine meets all of it; the collector is off meanwhile.  Must not know what is measured.
"""

from __future__ import annotations

import gc
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

__all__ = ["Row", "best_of", "geometric_mean", "microseconds", "progress"]

#: Rounds of each measurement.
ROUNDS = 150


class Row(NamedTuple):
    """A line of the table.  ``ratio`` is what ``goal`` (None: there is none) limits, of whatever ``name`` says."""

    name: str
    ours: str
    reference: str
    ratio: float | None
    goal: float | None

    def cells(self) -> list[str]:
        """The texts of the table's columns."""
        verdict = "" if self.goal is None or self.ratio is None else "met" if self.ratio <= self.goal else "missed"
        numbers = ["" if number is None else f"{number:.2f}" for number in (self.ratio, self.goal)]
        return [self.name, self.ours, self.reference, *numbers, verdict]


def progress(text: str) -> None:
    """Tell whoever waits what goes on."""
    print(text, file=sys.stderr, flush=True)


def microseconds(seconds: float) -> str:
    """A time for the table."""
    return f"{seconds * 1e6:.2f} µs"


def geometric_mean(ratios: Iterable[float]) -> float:
    """The geometric mean of ratios."""
    logs = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logs) / len(logs))


def _turn(function: Callable[[Any], Any], arguments: Sequence[Any], clock: Callable[[], float]) -> float:
    start = clock()
    for one in arguments:
        function(one)
    return clock() - start


def best_of(
    functions: Sequence[Callable[[Any], Any]],
    arguments: Sequence[Any],
    before: Callable[[], object] = lambda: None,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """The best time of each function, in seconds a call, called with all the arguments each round.

    ``before`` runs before each turn and is not measured.  ``clock``: ``time.process_time`` for the CPU alone.
    """
    best = [math.inf] * len(functions)
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for number, function in enumerate(functions):
                before()
                best[number] = min(best[number], _turn(function, arguments, clock))
    finally:
        gc.enable()
    return [one / len(arguments) for one in best]
