"""How much of its time a device spends answering us, over the last 1, 5 and 15 minutes.

Owns: the three averages.  Rule: pure; time is an argument.  Must not know: what the time is spent on.
"""

from __future__ import annotations

import math

__all__ = ["SPANS", "Load"]

#: The spans averaged over, in seconds.
SPANS = (60.0, 300.0, 900.0)


class Load:
    """Exponential averages of busy time over passed time, each in [0.0, 1.0]; None until anything was measured."""

    def __init__(self) -> None:
        self._averages: tuple[float, ...] | None = None

    @property
    def averages(self) -> tuple[float | None, float | None, float | None]:
        """(1 minute, 5 minutes, 15 minutes)."""
        if self._averages is None:
            return None, None, None
        one, five, fifteen = self._averages
        return one, five, fifteen

    def add(self, busy: float, passed: float) -> None:
        """Of the last `passed` seconds, `busy` were spent waiting for the device."""
        if passed <= 0:
            return
        now = min(1.0, max(0.0, busy / passed))
        before = self._averages or (now,) * len(SPANS)
        weights = (math.exp(-passed / span) for span in SPANS)
        self._averages = tuple(old * weight + now * (1 - weight) for old, weight in zip(before, weights, strict=True))
