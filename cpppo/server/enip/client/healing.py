"""When a lost connection is tried again, and what may be repeated then.

Owns: the pauses between attempts, and the states that are told.  Rule: pure; the time is an argument.
Must not know sockets.
"""

from __future__ import annotations

from collections.abc import Iterator

from cpppo.errors import Timeout
from cpppo.server.enip.client.exchange import Exchange

__all__ = ["CLOSED", "CONNECTED", "LOST", "doubtful", "idle", "pauses"]

#: The states that a state callback is told.
CONNECTED, LOST, CLOSED = "connected", "lost", "closed"

#: The first pause, and the longest, in seconds.
_FIRST_S, _LONGEST_S = 0.05, 2.0
#: The part of the time that a controller keeps an idle connection, after which it is taken to be closed.
_EARLY = 0.9


def pauses() -> Iterator[float]:
    """Seconds to wait before each further attempt: twice as long each time, up to a limit."""
    pause = _FIRST_S
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_S)


def idle(exchange: Exchange, seconds: float) -> Timeout | None:
    """The reason not to use a connection after so many seconds of idleness, if the controller closes it about then."""
    connection = exchange.connection
    if connection is None or seconds < _EARLY * connection.idle_s:
        return None
    return Timeout(
        f"idle for {seconds:.0f} s, of {connection.idle_s:.0f} s that the controller keeps a connection open"
    )


def doubtful(exchange: Exchange) -> bool:
    """Whether a connection that was there before a call may have been closed by the controller, which says nothing of
    that: a call that found it lost gets its time once more.
    """
    return exchange.connection is not None
