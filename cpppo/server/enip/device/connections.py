"""The connections that clients have opened (CIP volume 1, chapter 3-5).

Owns: the table of them, by triad for the device and by id for each session.  Rule: a triad is open once in the whole
device; what opens or closes holds the lock, so that both tables always agree.  Must not know frames, sockets or clocks.
"""

from __future__ import annotations

import itertools
from threading import Lock
from typing import Any, NamedTuple

from cpppo.errors import StatusError
from cpppo.server.enip.wire import status

__all__ = ["MAXIMUM_CONNECTIONS", "Connection", "Connections", "Origin", "Triad"]

#: Connections that one session may have open at once.
MAXIMUM_CONNECTIONS = 32

#: Seconds that a connection stays open without a first frame, at least.
_FIRST_S = 10.0
#: The time-out is so many packet intervals, times two to the power of the multiplier, which ends here.
_INTERVALS, _MULTIPLIER = 4, 7
#: Octets of the sequence count, which a connection's size includes.
_SEQUENCE = 2


class Triad(NamedTuple):
    """What identifies a connection: its serial number, and its originator's vendor and serial number."""

    serial: int
    vendor: int
    originator: int


class Connection:
    """An open connection.  ``to_id``: what frames to us carry (O->T); ``from_id``: what ours carry (T->O); ``room``:
    octets of a reply; ``frames`` received; ``sequence``, ``reply``: of the frame before, None if there was none.

    ``seen`` and ``since`` are for whoever looks after those that are idle.
    """

    __slots__ = (
        "frames",
        "from_id",
        "origin",
        "reply",
        "room",
        "seen",
        "sequence",
        "since",
        "timeout_s",
        "to_id",
        "triad",
    )

    def __init__(self, origin: Origin, to_id: int, triad: Triad, from_id: int, size: int, timeout_s: float) -> None:
        self.origin, self.to_id, self.triad, self.from_id = origin, to_id, triad, from_id
        self.room = size - _SEQUENCE
        self.timeout_s = timeout_s
        self.frames = self.seen = 0
        self.since: float | None = None
        self.sequence: int | None = None
        self.reply: Any = None

    def idle_s(self) -> float:
        """Seconds after which it is closed if nothing comes."""
        return self.timeout_s if self.frames else max(self.timeout_s, _FIRST_S)


class Origin:
    """A session, as the originator of connections: ``connections``, by the id that frames to us carry."""

    __slots__ = ("connections",)

    def __init__(self) -> None:
        self.connections: dict[int, Connection] = {}


class Connections:
    """All open connections of a device."""

    def __init__(self) -> None:
        self._open: dict[Triad, Connection] = {}
        self._ids = itertools.count(1)
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._open)

    def open(
        self, origin: Origin, triad: Triad, from_id: int, size: int, interval_us: int, multiplier: int
    ) -> Connection:
        """A new connection; StatusError if its triad is open, or its session has as many as it can have.

        :param size: octets that we may send at once, T->O.
        :param interval_us: packet interval O->T in microseconds, which with the multiplier gives the time-out.
        """
        timeout_s = interval_us * _INTERVALS * 2 ** min(multiplier, _MULTIPLIER) / 1e6 or _FIRST_S
        with self._lock:
            if len(origin.connections) >= MAXIMUM_CONNECTIONS:
                raise StatusError(status.CONNECTION_FAILURE, status.NO_MORE_CONNECTIONS)
            if triad in self._open:
                raise StatusError(status.CONNECTION_FAILURE, status.CONNECTION_IN_USE)
            to_id = next(self._ids) % 0xFFFFFFFF + 1
            made = Connection(origin, to_id, triad, from_id, size, timeout_s)
            self._open[triad] = origin.connections[to_id] = made
        return made

    def close(self, triad: Triad) -> None:
        """Close the connection of a triad; StatusError if there is none."""
        with self._lock:
            found = self._open.pop(triad, None)
            if found is None:
                raise StatusError(status.CONNECTION_FAILURE, status.NO_SUCH_CONNECTION)
            del found.origin.connections[found.to_id]

    def drop(self, origin: Origin) -> None:
        """Close all connections of a session."""
        with self._lock:
            for one in origin.connections.values():
                del self._open[one.triad]
            origin.connections.clear()

    def expire(self, origin: Origin, now: float) -> list[Connection]:
        """Close, and return, those of a session that have been idle too long.

        :param now: seconds of a clock that only goes forward; the time between two calls is what is noticed.
        """
        late: list[Connection] = []
        if not origin.connections:
            return late
        with self._lock:
            for one in origin.connections.values():
                if one.since is None or one.frames != one.seen:
                    one.seen, one.since = one.frames, now
                elif now - one.since >= one.idle_s():
                    late.append(one)
            for one in late:
                del self._open[one.triad], origin.connections[one.to_id]
        return late
