"""How much goes on, second by second, over the last minutes.

Owns: the samples and their differences.  Rule: the time is an argument; sampling is done by whoever has a clock.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from cpppo.server.enip.web.running import Sums

__all__ = ["INTERVAL_S", "SAMPLES", "Rates"]

#: Seconds between two samples, and how many are kept: five minutes.
INTERVAL_S, SAMPLES = 1.0, 300


class Rates:
    """Samples of counters, as rates between each and the one before."""

    def __init__(self) -> None:
        self._kept: deque[dict[str, Any]] = deque(maxlen=SAMPLES)
        self._before: tuple[float, tuple[float, ...], int] | None = None

    def sample(self, now: float, sums: Sums, connections: int) -> None:
        """Note what was counted until now, in seconds since 1970."""
        counted = (sums.requests, sums.received, sums.sent)
        times = (sums.seconds, sum(sums.took))
        before, self._before = self._before, (now, (*counted, *times), connections)
        if before is None or now <= before[0]:
            return
        passed = now - before[0]
        requests, received, sent, seconds, took = (
            new - old for new, old in zip((*counted, *times), before[1], strict=True)
        )
        self._kept.append(
            {
                "time": now,
                "requests": requests / passed,
                "received": received / passed,
                "sent": sent / passed,
                "latency": seconds / took if took else None,
                "connections": connections,
            }
        )

    def since(self, time: float) -> list[dict[str, Any]]:
        """The samples after a time."""
        return [one for one in list(self._kept) if one["time"] > time]
