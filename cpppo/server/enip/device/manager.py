"""The Connection Manager: requests sent over a route (CIP volume 1, chapter 3-5).

Owns: Unconnected Send and which routes lead here.  Rule: the reply is the embedded request's own.
Must not know frames or sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from cpppo.errors import StatusError
from cpppo.server.enip.device.object import Context, Object, Target, serves
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.path import Path, encoded
from cpppo.server.enip.wire.services import REPLY, Reply
from cpppo.server.enip.wire.services.unconnected import EMBEDDED, UNCONNECTED_SEND, UnconnectedSend
from cpppo.server.enip.wire.types import USINT

__all__ = ["ConnectionManager"]

#: The backplane port of a controller, and the slot it sits in.
_BACKPLANE, _SLOT = 1, 0


class ConnectionManager(Object):
    """The Connection Manager object, class 6."""

    class_id: ClassVar[int] = 0x06

    def __init__(self, route: Callable[[Any, Context], Reply], instance_id: int = 1) -> None:
        super().__init__("Connection_Manager", instance_id)
        self._route = route
        self._here = {Path.of([]), Path.of([{"port": _BACKPLANE, "link": _SLOT}])}

    @serves(UNCONNECTED_SEND)
    def unconnected_send(self, target: Target, data: Any, context: Context) -> Any:
        """Answer the embedded request, if the route leads here."""
        if not isinstance(data, UnconnectedSend):  # sent inside another: there is nowhere further to go
            raise StatusError(status.SERVICE_NOT_SUPPORTED)
        if data.route not in self._here:
            left = data.route.segment[1:] if _leads_here(data.route.segment[0]) else data.route.segment
            known = bool(left) and getattr(left[0], "port", None) == _BACKPLANE
            words = len(encoded(Path(left))) // 2
            reason = status.NO_SUCH_SLOT if known else status.NO_SUCH_PORT
            return Reply(UNCONNECTED_SEND.code | REPLY, status.CONNECTION_FAILURE, reason, USINT.produce(words))
        return self._route(data.request, Context(context.octets, context.room, EMBEDDED))


def _leads_here(segment: Any) -> bool:
    return getattr(segment, "port", None) == _BACKPLANE and segment.link == _SLOT
