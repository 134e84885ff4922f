"""The Message Router: the object whose attributes are the tags, and several requests in one.

Owns: Multiple Service Packet.  Rule: each member is answered by itself; what does not fit the reply is cut short
or refused, never left out.  Must not know frames or sockets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar

from cpppo.errors import StatusError
from cpppo.grammar import UNPRODUCIBLE
from cpppo.server.enip.device.object import REPLY_HEAD, Answer, Context, serves
from cpppo.server.enip.device.tags import TagServices
from cpppo.server.enip.device.target import Target
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.services import REPLY, Reply, multiple

__all__ = ["MessageRouter"]

log = logging.getLogger("enip.lgx")

#: Octets that the reply of a member needs: its head, a type, and, where there is room for it, a structure's handle.
_LEAST, _HANDLE = REPLY_HEAD + 2, 2
#: Octets of an entry in the table of offsets.
_OFFSET = 2


class MessageRouter(TagServices):
    """The Message Router object, class 2; each of its attributes is a tag.

    ``packets``: whether it takes several requests in one.
    """

    class_id: ClassVar[int] = 0x02

    def __init__(self, route: Callable[[Any, Context], Reply], packets: bool = True, instance_id: int = 1) -> None:
        super().__init__("Message_Router", instance_id)
        self.packets = packets
        self._route = route
        self._produce = Reply.producer()

    @serves(multiple.MULTIPLE)
    def multiple_service_packet(self, target: Target, data: Any, context: Context) -> Any:
        """Each request in turn; what no longer fits the reply is cut short (reads) or refused (all else)."""
        if not isinstance(data, multiple.Multiple) or not self.packets:  # as a member of another: no nesting
            raise StatusError(status.SERVICE_NOT_SUPPORTED)
        requests = data.request
        left = len(requests)
        room = context.room - REPLY_HEAD - _OFFSET * (1 + left)
        least = _LEAST + _HANDLE if left * (_LEAST + _HANDLE) <= room else _LEAST
        if left * least > room:
            raise StatusError(status.REPLY_TOO_LARGE)
        replies, worst = [], status.SUCCESS
        produce, route = self._produce, self._route
        inside = context.inside(multiple.MEMBERS)
        for request in requests:
            left -= 1
            spare = room - left * least
            inside.room = spare
            reply = route(request, inside)
            try:
                produced = produce(reply)
            except UNPRODUCIBLE as exc:
                log.warning("the reply to service 0x%02x cannot be sent: %s", reply.service & ~REPLY, exc)
                reply = Reply(reply.service, status.RESOURCE_UNAVAILABLE, (), b"")
                produced = produce(reply)
            if len(produced) > spare:
                produced = produce(Reply(reply.service, status.REPLY_TOO_LARGE, (), b""))
                worst = status.EMBEDDED_ERROR
            elif reply.status:
                worst = status.EMBEDDED_ERROR
            room -= len(produced)
            replies.append(produced)
        answer = multiple.MultipleReply(replies)
        return Answer(answer, worst) if worst else answer
