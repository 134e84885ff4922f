"""Connections for explicit messages (transport class 3): what opens and closes them, and what came of that.

Owns: the sizes and times asked for, which refusal of the large one the small one is tried after, and the words of all
others.  Rule: sans-I/O; chance is an argument.  Must not know frames, sequence counts, nor who sends what it makes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from cpppo.errors import RemoteProtocolError, StatusError
from cpppo.server.enip.client.operations import Operation, parsed
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services import Request, Service
from cpppo.server.enip.wire.services.connection import (
    FORWARD_CLOSE,
    FORWARD_OPEN,
    LARGE_FORWARD_OPEN,
    ForwardClose,
    ForwardOpen,
    ForwardOpened,
    LargeForwardOpen,
)
from cpppo.server.enip.wire.text import format_path

__all__ = ["CHANCE_OCTETS", "LARGE_SIZE", "SIZE", "Connection", "Opening", "closing", "openings"]

#: Octets of a connection opened by Large Forward Open, and of one by Forward Open, sequence count included.
LARGE_SIZE, SIZE = 4000, 500

#: What is drawn for a connection: its T->O id and serial number, and the originator's serial number.
_CHANCE = struct.Struct("<IHI")
CHANCE_OCTETS = _CHANCE.size
#: The vendor part of the triad that names a connection; no vendor has this number.
_VENDOR = 0x4350

_PRIORITY, _TICKS = 10, 5
#: Microseconds between packets, and the multiplier of the time-out: idle for 4 * 2**7 of these, 17 minutes, it ends.
_INTERVAL_US, _MULTIPLIER = 2_000_000, 7
_INTERVALS = 4 << _MULTIPLIER
#: Server, triggered by the application, class 3.
_EXPLICIT = 0xA3
#: Parameters of a connection: from point to point, of variable size up to the one that the low bits tell.
_PARAMETERS, _LARGE_SHIFT = 0x4200, 16

_ROUTER = Path.of([{"class": 2}, {"instance": 1}]).segment
#: The words of a connection failure after which a smaller one may be had.
_TOO_LARGE = frozenset(word for (word,) in (status.INVALID_SIZE, status.INVALID_TO_SIZE, status.INVALID_FROM_SIZE))


class Connection(NamedTuple):
    """A connection that is open.  ``to_id``, ``from_id``: what frames carry to the target (O->T), and from it (T->O);
    ``size``: octets that each may carry, sequence count included; ``idle_s``: seconds after which an idle one ends.
    """

    to_id: int
    from_id: int
    serial: int
    originator: int
    path: Path
    size: int
    idle_s: float


class _Managing(Operation):
    """A request to the Connection Manager, which is never a member of a packet."""

    __slots__ = ()

    def __init__(self, service: Service, manager: Path, data: Any) -> None:
        super().__init__(service, manager, data, format_path(manager))
        self.request = Request(service.code, manager, data)


class Opening(_Managing):
    """A request that opens a connection.

    :param wide: whether it is a Large Forward Open.
    :param path: of the connection, to the Message Router that it leads to.
    :param drawn: the ids that name it: T->O id, serial number, serial number of the originator.
    """

    __slots__ = ("_connection", "_wide")

    def __init__(self, wide: bool, manager: Path, path: Path, drawn: tuple[int, int, int]) -> None:
        self._wide = wide
        from_id, serial, originator = drawn
        size = LARGE_SIZE if wide else SIZE
        self._connection = Connection(0, from_id, serial, originator, path, size, 0.0)
        parameters = _PARAMETERS << _LARGE_SHIFT | size if wide else _PARAMETERS | size
        message = LargeForwardOpen if wide else ForwardOpen
        asked = message(
            priority=_PRIORITY,
            ticks=_TICKS,
            to_id=0,
            from_id=from_id,
            serial=serial,
            vendor=_VENDOR,
            originator=originator,
            multiplier=_MULTIPLIER,
            to_rpi=_INTERVAL_US,
            to_parameters=parameters,
            from_rpi=_INTERVAL_US,
            from_parameters=parameters,
            trigger=_EXPLICIT,
            path=path,
        )
        super().__init__(LARGE_FORWARD_OPEN if wide else FORWARD_OPEN, manager, asked)

    def taken(self, reply: Any) -> Connection | None:
        """The connection that a reply grants; None if it is refused so that a smaller one may be granted.

        StatusError for other refusals; RemoteProtocolError if what is granted was not asked for.
        """
        if reply.status == status.SUCCESS:
            return self._granted(parsed(ForwardOpened, reply.data))
        refused_size = reply.status == status.CONNECTION_FAILURE and _TOO_LARGE.intersection(reply.extended[:1])
        if self._wide and (reply.status == status.SERVICE_NOT_SUPPORTED or refused_size):
            return None
        words = status.describe(reply.status, reply.extended)
        raise StatusError(reply.status, reply.extended, f"the peer refused {self}, and so a connection: {words}")

    def _granted(self, opened: Any) -> Connection:
        asked = self._connection
        given = (opened.from_id, opened.serial, opened.vendor, opened.originator)
        if given != (asked.from_id, asked.serial, _VENDOR, asked.originator):
            raise RemoteProtocolError(f"the reply to {self} opens another connection", "CIP.item[1].data")
        interval_us = opened.to_api or _INTERVAL_US
        return asked._replace(to_id=opened.to_id, idle_s=interval_us * _INTERVALS / 1e6)


def openings(route: Path, manager: Path, chance: bytes) -> Sequence[Opening]:
    """The requests that open a connection along a route, each to be tried if the one before was too large.

    :param manager: the object that takes them; ``chance``: CHANCE_OCTETS drawn at random.
    """
    path = Path((*route.segment, *_ROUTER))
    drawn = _CHANCE.unpack(chance)
    return [Opening(wide, manager, path, drawn) for wide in (True, False)]


def closing(connection: Connection, manager: Path) -> Operation:
    """The request that closes a connection."""
    triad = {"serial": connection.serial, "vendor": _VENDOR, "originator": connection.originator}
    asked = ForwardClose(priority=_PRIORITY, ticks=_TICKS, **triad, path=connection.path)
    return _Managing(FORWARD_CLOSE, manager, asked)
