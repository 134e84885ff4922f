"""The Message Router: tags, reading and writing them, and several requests in one.

Owns: the Logix tag services on the attributes of class 2, and Multiple Service Packet.
Rule: a write is checked in the order clients expect: path, access, type, bounds, length.  Data stays packed
from the request to the Attribute and back.  Must not know frames or sockets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar

from cpppo.errors import StatusError
from cpppo.grammar import UNPRODUCIBLE
from cpppo.server.enip.device.attribute import Attribute
from cpppo.server.enip.device.object import REPLY_HEAD, Answer, Context, Object, Target, serves
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.services import REPLY, Reply, multiple, tag
from cpppo.server.enip.wire.types import BY_CODE, pack, unpack

__all__ = ["READ_OCTETS", "REPLY_OCTETS", "MessageRouter"]

log = logging.getLogger("enip.lgx")

#: Data octets that one unconnected read carries, and octets of a whole unconnected reply.
READ_OCTETS, REPLY_OCTETS = 500, 4000

#: Octets of a type in front of data, and of an entry in the table of offsets.
_TYPE, _OFFSET = 2, 2

#: Types whose values a wider tag takes, as the tags of a test bench are often written.
_WIDER = {
    "SINT": {"INT", "DINT", "LINT", "REAL", "LREAL"},
    "INT": {"DINT", "LINT", "REAL", "LREAL"},
    "DINT": {"LINT", "REAL", "LREAL"},
    "REAL": {"LREAL"},
}

_TagData = tag.TagData


class MessageRouter(Object):
    """The Message Router object, class 2; each of its attributes is a tag."""

    class_id: ClassVar[int] = 0x02

    def __init__(self, route: Callable[[Any, Context], Reply], instance_id: int = 1) -> None:
        super().__init__("Message_Router", instance_id)
        self._route = route
        self._widened: set[tuple[str, int]] = set()
        self._produce = Reply.producer()
        #: Called with (attribute, first element, octets, '==' or '<=') after every read and write.
        self.observer: Callable[[Attribute, int, bytes, str], None] | None = None

    def settable(self, attribute: Attribute) -> bool:
        return True

    @serves(tag.READ_TAG)
    def read_tag(self, target: Target, data: Any, context: Context) -> Any:
        """Elements from the one addressed; status 0x06 with the first of them if they do not fit."""
        return self._read(target, data.elements, 0, context)

    @serves(tag.READ_TAG_FRAGMENTED)
    def read_tag_fragmented(self, target: Target, data: Any, context: Context) -> Any:
        """As Read Tag, from an octet offset on."""
        return self._read(target, data.elements, data.offset, context)

    def _read(self, target: Target, elements: int, offset: int, context: Context) -> Any:
        attribute = target.attribute
        if attribute is None:
            raise StatusError(status.ATTRIBUTE_NOT_SUPPORTED)
        if attribute.error:
            raise StatusError(attribute.error)
        kind = attribute.type
        size, start = kind.size, target.start
        if not 0 < elements <= len(attribute) - start:
            raise StatusError(status.LOGIX, status.BEYOND_END)
        total = elements * size
        if offset >= total:
            raise StatusError(status.LOGIX, status.OFFSET_BEYOND_END)
        room = context.room - (REPLY_HEAD + _TYPE)
        if room > READ_OCTETS:
            room = READ_OCTETS
        first, stop = start * size + offset, start * size + total
        partial = stop - first > room
        if partial:
            stop = first + max(room - room % size, 0)
        octets = attribute.read_octets(first, stop) if stop > first else b""
        if self.observer is not None:
            self._observed(attribute, first, octets, "==")
        if partial:
            return Answer(_TagData(kind.tag_type, None, octets), status.PARTIAL)
        return _TagData(kind.tag_type, None, octets)

    @serves(tag.WRITE_TAG)
    def write_tag(self, target: Target, data: Any, context: Context) -> Any:
        """Exactly the elements announced."""
        attribute = self._writable(target)
        kind = self._kind(attribute, data)
        self._bounds(target, attribute, data.elements)
        wanted = data.elements * kind.size
        if len(data.data) != wanted:
            raise StatusError(status.NOT_ENOUGH_DATA if len(data.data) < wanted else status.TOO_MUCH_DATA)
        return self._store(attribute, kind, target.start, 0, data.data)

    @serves(tag.WRITE_TAG_FRAGMENTED)
    def write_tag_fragmented(self, target: Target, data: Any, context: Context) -> Any:
        """A part of the elements announced, from an octet offset on."""
        attribute = self._writable(target)
        kind = self._kind(attribute, data)
        self._bounds(target, attribute, data.elements)
        total = data.elements * kind.size
        if data.offset >= total:
            raise StatusError(status.LOGIX, status.OFFSET_BEYOND_END)
        if not data.data:
            raise StatusError(status.NOT_ENOUGH_DATA)
        if data.offset + len(data.data) > total:
            raise StatusError(status.LOGIX, status.BEYOND_END)
        return self._store(attribute, kind, target.start, data.offset, data.data)

    @serves(tag.RMW_TAG)
    def read_modify_write_tag(self, target: Target, data: Any, context: Context) -> Any:
        """Set and clear bits of one element, at once."""
        attribute = self._writable(target)
        size = data.size
        if size != attribute.type.size or attribute.type.code in "?fd":
            raise StatusError(status.INVALID_PARAMETER)
        if len(data.masks) < 2 * size:
            raise StatusError(status.NOT_ENOUGH_DATA)
        self._bounds(target, attribute, 1)
        first = target.start * size
        written = attribute.modify_octets(first, data.masks[:size], data.masks[size : 2 * size])
        return self._written(attribute, first, written)

    def read(self, attribute: Attribute) -> bytes:
        octets = super().read(attribute)
        self._observed(attribute, 0, octets, "==")
        return octets

    def store(self, attribute: Attribute, octets: bytes) -> None:
        super().store(attribute, octets)
        self._observed(attribute, 0, octets, "<=")

    def _writable(self, target: Target) -> Attribute:
        if target.attribute is None:
            raise StatusError(status.ATTRIBUTE_NOT_SUPPORTED)
        return target.attribute

    def _kind(self, attribute: Attribute, data: Any) -> Any:
        """The type that was sent, if the attribute takes it."""
        own = attribute.type
        if data.type == own.tag_type:
            return own
        sent = BY_CODE.get(data.type)
        if sent is None or own.name not in _WIDER.get(sent.name, ()):
            raise StatusError(status.LOGIX, status.TYPE_MISMATCH)
        if (attribute.name, data.type) not in self._widened:
            self._widened.add((attribute.name, data.type))
            log.warning(
                "%s written to %s of type %s: a controller would refuse it", sent.name, attribute.name, own.name
            )
        return sent

    @staticmethod
    def _bounds(target: Target, attribute: Attribute, elements: int) -> None:
        if not 0 < elements <= len(attribute) - target.start:
            raise StatusError(status.LOGIX, status.BEYOND_END)

    def _store(self, attribute: Attribute, kind: Any, start: int, offset: int, octets: bytes) -> Any:
        own = attribute.type
        if kind is not own:
            if offset % kind.size or len(octets) % kind.size:
                raise StatusError(status.LOGIX, status.BEYOND_END)
            offset = offset // kind.size * own.size
            octets = pack(own, unpack(kind, octets))
        first = start * own.size + offset
        attribute.write_octets(first, octets)
        return self._written(attribute, first, octets)

    def _written(self, attribute: Attribute, first: int, octets: bytes) -> bytes:
        self._observed(attribute, first, octets, "<=")
        if attribute.error:
            raise StatusError(attribute.error)
        return b""

    def _observed(self, attribute: Attribute, first: int, octets: bytes, sign: str) -> None:
        """Tell the observer of the whole elements among some octets; one that fails is not asked again."""
        if self.observer is None:
            return
        size = attribute.type.size
        skip = -first % size
        whole = octets[skip : skip + (len(octets) - skip) // size * size] if len(octets) > skip else b""
        try:
            self.observer(attribute, (first + skip) // size, whole, sign)
        except Exception as exc:  # what watches must never change what is answered
            self.observer = None
            log.warning("reads and writes are no longer observed: %s: %s", type(exc).__name__, exc)

    @serves(multiple.MULTIPLE)
    def multiple_service_packet(self, target: Target, data: Any, context: Context) -> Any:
        """Each request in turn; what no longer fits the reply is cut short (reads) or refused (all else)."""
        if not isinstance(data, multiple.Multiple):  # as a member of another: nesting is not allowed
            raise StatusError(status.SERVICE_NOT_SUPPORTED)
        requests = data.request
        least = REPLY_HEAD + _TYPE
        left = len(requests)
        room = context.room - REPLY_HEAD - _OFFSET * (1 + left)
        if left * least > room:
            raise StatusError(status.REPLY_TOO_LARGE)
        replies, worst = [], status.SUCCESS
        produce, route = self._produce, self._route
        inside = Context(context.octets, room, multiple.MEMBERS)
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
