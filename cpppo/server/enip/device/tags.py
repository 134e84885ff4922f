"""Reading and writing tags: the Logix tag services on the attributes of an object.

Owns: those services, which types a tag takes, and who looks on.  Rule: a write is checked in the order clients
expect: path, access, type, bounds, length.  Data stays packed from the request to the Attribute and back.
Must not know frames or sockets.
"""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from cpppo.errors import StatusError
from cpppo.server.enip.device.attribute import Attribute
from cpppo.server.enip.device.object import REPLY_HEAD, Answer, Context, Object, Target, serves
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.services import tag
from cpppo.server.enip.wire.strings import ShortString
from cpppo.server.enip.wire.types import BY_CODE, pack, unpack

__all__ = ["READ_OCTETS", "REPLY_OCTETS", "TagServices"]

log = logging.getLogger("enip.lgx")

#: Data octets that one unconnected read carries, and octets of a whole unconnected reply.
READ_OCTETS, REPLY_OCTETS = 500, 4000

#: Types whose values a wider tag takes, as the tags of a test bench are often written.
_WIDER = {
    "SINT": {"INT", "DINT", "LINT", "REAL", "LREAL"},
    "INT": {"DINT", "LINT", "REAL", "LREAL"},
    "DINT": {"LINT", "REAL", "LREAL"},
    "REAL": {"LREAL"},
}
#: The codes of the types that have bits to set and clear.
_BITS = frozenset("bhiqBHIQ")

_TagData = tag.TagData


class TagServices(Object):
    """An object each of whose attributes is a tag."""

    def __init__(self, name: str = "", instance_id: int = 1) -> None:
        super().__init__(name, instance_id)
        self._widened: set[tuple[str, int]] = set()
        #: Whether a tag takes its own type only, as a controller does.
        self.strict = False
        #: Called with (attribute, first element, octets, '==' or '<=') after every read and write.
        self.observer: Callable[[Attribute, int, bytes, str], None] | None = None

    def settable(self, attribute: Attribute) -> bool:
        return not attribute.read_only

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
        if attribute.varying is not None:
            return self._read_varying(attribute, attribute.varying, start, elements, offset, context)
        left = elements * size - offset
        if left <= 0:
            raise StatusError(status.LOGIX, status.OFFSET_BEYOND_END)
        room = context.room - REPLY_HEAD - attribute.head
        if room > READ_OCTETS:
            room = READ_OCTETS
        partial = left > room
        if partial:  # whole elements, or a part of a structure: a reply with nothing of it would lead nowhere
            left = max(room - room % size or (room if attribute.handle is not None else 0), 0)
        first = start * size + offset
        octets = attribute.read_octets(first, first + left) if left else b""
        if self.observer is not None:
            self._observed(attribute, first, octets, "==")
        if partial:
            return Answer(_TagData(kind.tag_type, attribute.handle, octets), status.PARTIAL)
        return _TagData(kind.tag_type, attribute.handle, octets)

    def _read_varying(
        self, attribute: Attribute, kind: ShortString, start: int, elements: int, offset: int, context: Context
    ) -> Any:
        """Elements that are sent in as many octets as each needs: whole ones, or a part of the first left."""
        kept = attribute.read_octets(start * kind.size, (start + elements) * kind.size)
        parts = kind.sent(kept)
        octets, ends = b"".join(parts), list(accumulate(map(len, parts)))
        if offset >= len(octets):
            raise StatusError(status.LOGIX, status.OFFSET_BEYOND_END)
        room = max(min(context.room - REPLY_HEAD - attribute.head, READ_OCTETS), 0)
        first, stop = bisect_right(ends, offset), bisect_right(ends, offset + room)
        end = ends[stop - 1] if stop > first else offset + room
        first += offset > 0 and offset not in ends[first - 1 : first]
        shown = kept[first * kind.size : stop * kind.size]
        self._observed(attribute, (start + first) * kind.size, shown, "==")
        data = _TagData(kind.tag_type, None, octets[offset:end])
        return data if stop == len(ends) else Answer(data, status.PARTIAL)

    @serves(tag.WRITE_TAG)
    def write_tag(self, target: Target, data: Any, context: Context) -> Any:
        """Exactly the elements announced."""
        attribute = self._writable(target)
        kind = self._kind(attribute, data)
        self._bounds(target, attribute, data.elements)
        if attribute.varying is not None:
            kept, used = attribute.varying.received(data.data, data.elements)
            short = len(kept) < data.elements * kind.size
            if short or used < len(data.data):
                raise StatusError(status.NOT_ENOUGH_DATA if short else status.TOO_MUCH_DATA)
            return self._store(attribute, kind, target.start, 0, kept)
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
        if attribute.varying is not None:
            return self._write_varying(attribute, attribute.varying, target.start, data)
        total = data.elements * kind.size
        if data.offset >= total:
            raise StatusError(status.LOGIX, status.OFFSET_BEYOND_END)
        if not data.data:
            raise StatusError(status.NOT_ENOUGH_DATA)
        if data.offset + len(data.data) > total:
            raise StatusError(status.LOGIX, status.BEYOND_END)
        return self._store(attribute, kind, target.start, data.offset, data.data)

    def _write_varying(self, attribute: Attribute, kind: ShortString, start: int, data: Any) -> Any:
        """Whole elements, from the end of one that is there on, which is where the part before this one ended."""
        skip = 0
        if data.offset:
            parts = kind.sent(attribute.read_octets(start * kind.size, (start + data.elements) * kind.size))
            ends = list(accumulate(map(len, parts)))
            skip = bisect_left(ends, data.offset) + 1
            if skip >= len(ends) or ends[skip - 1] != data.offset:
                raise StatusError(status.LOGIX, status.OFFSET_BEYOND_END)
        kept, used = kind.received(data.data, data.elements - skip)
        if used < len(data.data) or not kept:
            full = len(kept) == (data.elements - skip) * kind.size
            raise StatusError(*(status.LOGIX, status.BEYOND_END) if full else (status.NOT_ENOUGH_DATA,))
        return self._store(attribute, kind, start + skip, 0, kept)

    @serves(tag.RMW_TAG)
    def read_modify_write_tag(self, target: Target, data: Any, context: Context) -> Any:
        """Set and clear bits of one element, at once."""
        attribute = self._writable(target)
        size = data.size
        if size != attribute.type.size or attribute.type.code not in _BITS:
            raise StatusError(status.INVALID_PARAMETER)
        if len(data.masks) < 2 * size:
            raise StatusError(status.NOT_ENOUGH_DATA)
        self._bounds(target, attribute, 1)
        first = target.start * size
        written = attribute.modify_octets(first, data.masks[:size], data.masks[size : 2 * size])
        return self._written(attribute, first, written)

    def read(self, attribute: Attribute) -> bytes:
        octets = super().read(attribute)
        if self.observer is not None:
            self._observed(attribute, 0, attribute.kept(octets), "==")
        return octets

    def store(self, attribute: Attribute, octets: bytes) -> None:
        super().store(attribute, octets)
        self._observed(attribute, 0, octets, "<=")

    def _writable(self, target: Target) -> Attribute:
        if target.attribute is None:
            raise StatusError(status.ATTRIBUTE_NOT_SUPPORTED)
        if target.attribute.read_only:
            raise StatusError(status.PRIVILEGE_VIOLATION)
        return target.attribute

    def _kind(self, attribute: Attribute, data: Any) -> Any:
        """The type that was sent, if the attribute takes it."""
        own = attribute.type
        if data.type == own.tag_type and data.handle == attribute.handle:
            return own
        sent = None if self.strict else BY_CODE.get(data.type)
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
