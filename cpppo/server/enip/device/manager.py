"""The Connection Manager: connections, and requests sent over a route (CIP volume 1, chapter 3-5).

Owns: Unconnected Send, Forward Open and Close, and which paths lead here.  Rule: the reply to an Unconnected Send is
the embedded request's own.  Must not know frames or sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from cpppo.errors import StatusError
from cpppo.server.enip.device.connections import Connections, Triad
from cpppo.server.enip.device.identity import IdentityData
from cpppo.server.enip.device.object import Context, Object, serves
from cpppo.server.enip.device.target import Target
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.path import SEGMENTS, Path, encoded
from cpppo.server.enip.wire.services import REPLY, Reply
from cpppo.server.enip.wire.services import connection as wire
from cpppo.server.enip.wire.services.unconnected import EMBEDDED, UNCONNECTED_SEND, UnconnectedSend
from cpppo.server.enip.wire.types import USINT

__all__ = ["LARGEST_SIZE", "SMALLEST_SIZE", "ConnectionManager"]

#: The backplane port of a controller, and the slot it sits in.
_BACKPLANE, _SLOT = 1, 0

#: Octets of the smallest connection on which any request can be refused, and of the largest, as controllers have it.
SMALLEST_SIZE, LARGEST_SIZE = 8, 4002
#: Where a connection's parameters tell its size: of a Forward Open, and of a large one.
_SIZE, _LARGE_SIZE = 0x1FF, 0xFFFF

#: Octets that the replies to an opening and a closing have after their heads.
_OPENED, _CLOSED = 26, 10

#: The transport class of explicit messages, in the low bits of the trigger.
_CLASS_BITS, _EXPLICIT = 0x0F, 3
#: In an electronic key, the bit that says a compatible revision will do.
_COMPATIBLE = 0x80

_Key, _Network, _Port = SEGMENTS["vendor"], SEGMENTS["network"], SEGMENTS["port"]
_ROUTER = Path.of([{"class": 2}, {"instance": 1}]).segment


class ConnectionManager(Object):
    """The Connection Manager object, class 6.

    ``large``: whether it grants Large Forward Open; ``backplane``: whether routes lead over one (a Micro800 has none).
    """

    class_id: ClassVar[int] = 0x06

    def __init__(
        self,
        route: Callable[[Any, Context], Reply],
        identity: IdentityData,
        large: bool = True,
        backplane: bool = True,
        instance_id: int = 1,
    ) -> None:
        super().__init__("Connection_Manager", instance_id)
        self.connections = Connections()
        self.large = large
        self.backplane = backplane
        self._identity = identity
        self._route = route
        self._here = {Path.of([]), Path.of([{"port": _BACKPLANE, "link": _SLOT}])}
        #: The last route that led here: paths are remembered, so it is mostly the same one again.
        self._came: Path | None = None

    @serves(UNCONNECTED_SEND)
    def unconnected_send(self, target: Target, data: Any, context: Context) -> Any:
        """Answer the embedded request, if the route leads here."""
        if not isinstance(data, UnconnectedSend):  # sent inside another: there is nowhere further to go
            raise StatusError(status.SERVICE_NOT_SUPPORTED)
        route = data.route
        if route is not self._came:
            if route not in self._here:
                left, reason = _astray(route.segment)
                code = UNCONNECTED_SEND.code | REPLY
                return Reply(code, status.CONNECTION_FAILURE, reason, USINT.produce(_words(left)))
            self._came = route
        context.services = EMBEDDED  # there is nothing else in this frame that it is needed for
        return self._route(data.request, context)

    @serves(wire.FORWARD_OPEN)
    def forward_open(self, target: Target, data: Any, context: Context) -> Any:
        """Open a connection of up to 511 octets."""
        if not isinstance(data, wire.ForwardOpen):
            raise StatusError(status.SERVICE_NOT_SUPPORTED)
        return self._open(wire.FORWARD_OPEN.code, data, context, _SIZE)

    @serves(wire.LARGE_FORWARD_OPEN)
    def large_forward_open(self, target: Target, data: Any, context: Context) -> Any:
        """Open a connection of up to `LARGEST_SIZE` octets."""
        if not isinstance(data, wire.LargeForwardOpen) or not self.large:
            raise StatusError(status.SERVICE_NOT_SUPPORTED)
        return self._open(wire.LARGE_FORWARD_OPEN.code, data, context, _LARGE_SIZE)

    def _open(self, code: int, data: Any, context: Context, size_bits: int) -> Any:
        context.fit(_OPENED)  # before it is open: on a small connection its id could not be told
        triad = Triad(data.serial, data.vendor, data.originator)
        left = data.path.segment
        try:
            if context.origin is None or data.trigger & _CLASS_BITS != _EXPLICIT:
                raise StatusError(status.CONNECTION_FAILURE, status.NO_SUCH_CLASS)
            left = self._arrived(left)
            for size in (data.to_parameters & size_bits, data.from_parameters & size_bits):
                if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
                    raise StatusError(status.CONNECTION_FAILURE, (*status.INVALID_SIZE, min(LARGEST_SIZE, size_bits)))
            made = self.connections.open(context.origin, triad, data.from_id, size, data.to_rpi, data.multiplier)
        except _Astray as exc:
            left = exc.left
            return _refused(code, triad, exc.extended, left)
        except StatusError as exc:
            return _refused(code, triad, exc.extended, left)
        return wire.ForwardOpened(
            to_id=made.to_id,
            from_id=made.from_id,
            serial=triad.serial,
            vendor=triad.vendor,
            originator=triad.originator,
            to_api=data.to_rpi,
            from_api=data.from_rpi,
            application=b"",
        )

    def _arrived(self, segments: Sequence[Any]) -> Sequence[Any]:
        """What is left (nothing) of a path that leads to our Message Router; _Astray for others."""
        rest = list(segments)
        hops = 0
        while rest:
            one = rest[0]
            if isinstance(one, _Key):
                self._fits(one, rest)
            elif isinstance(one, _Port) and self.backplane and not hops:
                if not _leads_here(one):
                    raise _Astray(*_astray(rest))
                hops += 1
            elif isinstance(one, _Port):
                raise _Astray(rest, status.NO_SUCH_PORT)
            elif not isinstance(one, _Network):
                break
            rest = rest[1:]
        if tuple(rest) != _ROUTER:
            raise _Astray(rest, status.INVALID_SEGMENT)
        return ()

    def _fits(self, key: Any, rest: Sequence[Any]) -> None:
        """_Astray unless an electronic key is ours; in it zero stands for any."""
        who = self._identity
        if key.vendor not in (0, who.vendor) or key.product_code not in (0, who.product_code):
            raise _Astray(rest, status.OTHER_PRODUCT)
        if key.device_type not in (0, who.device_type):
            raise _Astray(rest, status.OTHER_DEVICE_TYPE)
        major, minor = key.major & ~_COMPATIBLE, key.minor
        if key.major & _COMPATIBLE:
            fits = major <= who.major
        else:
            fits = major in (0, who.major) and minor in (0, who.minor)
        if not fits:
            raise _Astray(rest, status.OTHER_REVISION)

    @serves(wire.FORWARD_CLOSE)
    def forward_close(self, target: Target, data: Any, context: Context) -> Any:
        """Close the connection of a triad, whatever path it is given."""
        if not isinstance(data, wire.ForwardClose):
            raise StatusError(status.SERVICE_NOT_SUPPORTED)
        context.fit(_CLOSED)
        triad = Triad(data.serial, data.vendor, data.originator)
        try:
            self.connections.close(triad)
        except StatusError as exc:
            return _refused(wire.FORWARD_CLOSE.code, triad, exc.extended, data.path.segment)
        return wire.ForwardClosed(triad.serial, triad.vendor, triad.originator, b"")


class _Astray(StatusError):
    """A path that does not lead here; ``left``: the segments from where it goes wrong."""

    def __init__(self, left: Sequence[Any], reason: tuple[int, ...]) -> None:
        super().__init__(status.CONNECTION_FAILURE, reason)
        self.left = left


def _refused(code: int, triad: Triad, extended: tuple[int, ...], left: Sequence[Any]) -> Reply:
    refusal = wire.ForwardRefused(triad.serial, triad.vendor, triad.originator, _words(left))
    return Reply(code | REPLY, status.CONNECTION_FAILURE, extended, refusal)


def _words(segments: Sequence[Any]) -> int:
    """The words of a path."""
    return len(encoded(Path(segments))) // 2


def _leads_here(segment: Any) -> bool:
    return getattr(segment, "port", None) == _BACKPLANE and segment.link == _SLOT


def _astray(segments: Sequence[Any]) -> tuple[Sequence[Any], tuple[int, ...]]:
    """The segments from where a route leaves us for nowhere, and why that is nowhere."""
    left = segments[1:] if _leads_here(segments[0]) else segments
    known = bool(left) and getattr(left[0], "port", None) == _BACKPLANE
    return left, status.NO_SUCH_SLOT if known else status.NO_SUCH_PORT
