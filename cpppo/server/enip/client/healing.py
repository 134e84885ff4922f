"""When a lost connection is tried again, and what may be repeated then.

Owns: the pauses between attempts, and the states that are told.  Rule: pure; the time is an argument.
Must not know sockets.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["CLOSED", "CONNECTED", "LOST", "pauses"]

#: The states that a state callback is told.
CONNECTED, LOST, CLOSED = "connected", "lost", "closed"

#: The first pause, and the longest, in seconds.
_FIRST_S, _LONGEST_S = 0.05, 2.0


def pauses() -> Iterator[float]:
    """Seconds to wait before each further attempt: twice as long each time, up to a limit."""
    pause = _FIRST_S
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_S)
