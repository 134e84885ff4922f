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
from cpppo.server.enip.device.object import REPLY_HEAD, Answer, Context, Object, serves
from cpppo.server.enip.device.target import BITS, Target
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.services import tag
from cpppo.server.enip.wire.strings import ShortString
from cpppo.server.enip.wire.types import BOOL, BY_CODE, Kind, pack, unpack

__all__ = ["REPLY_OCTETS", "Observer", "TagServices"]

log = logging.getLogger("enip.lgx")

#: Octets of a whole unconnected reply.
REPLY_OCTETS = 4000

#: Types whose values a wider tag takes, as the tags of a test bench are often written.
_WIDER = {
    "SINT": {"INT", "DINT", "LINT", "REAL", "LREAL"},
    "INT": {"DINT", "LINT", "REAL", "LREAL"},
    "DINT": {"LINT", "REAL", "LREAL"},
    "REAL": {"LREAL"},
}

#: Told (name, type, first element, octets, "==" or "<=") of every read and write.
Observer = Callable[[str, Kind, int, bytes, str], None]


class TagServices(Object):
    """An object each of whose attributes is a tag."""

    def __init__(self, name: str = "", instance_id: int = 1) -> None:
        super().__init__(name, instance_id)
        self._widened: set[tuple[str, str, int]] = set()
        #: Whether a tag takes its own type only, as a controller does.
        self.strict = False
        #: Called after every read and write.
        self.observer: Observer | None = None

    def settable(self, attribute: Attribute) -> bool:
        return not attribute.read_only and not attribute.hidden

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
            raise StatusError(target.absent)
        if attribute.hidden:
            raise StatusError(status.PRIVILEGE_VIOLATION)
        if attribute.error:
            raise StatusError(attribute.error)
        kind, head = target.kind, target.head
        if not 0 < elements <= target.count:
            raise StatusError(status.LOGIX, status.BEYOND_END)
        if head is None:
            raise StatusError(status.RESOURCE_UNAVAILABLE)
        if target.varying is not None:
            return self._read_varying(target, target.varying, head, elements, offset, context)
        size = kind.size
        left = elements * size - offset
        if left <= 0:
            raise StatusError(status.LOGIX, status.OFFSET_BEYOND_END)
        room = context.room - REPLY_HEAD - len(head)
        if room < 0:
            raise StatusError(status.REPLY_TOO_LARGE)
        if room > context.data:
            room = context.data
        partial = left > room
        if partial:  # whole elements, or a part of a structure: a reply with nothing of it would lead nowhere
            left = max(room - room % size or (room if target.handle is not None else 0), 0)
        first = target.first + offset
        octets = attribute.read_octets(first, first + left) if left else b""
        if target.bit is not None and octets:
            octets = _TRUE if octets[0] >> target.bit & 1 else _FALSE
        if self.observer is not None:
            self._observed(target.name, kind, first - target.base, octets, "==")
        return Answer(head + octets, status.PARTIAL) if partial else head + octets

    def _read_varying(
        self, target: Target, kind: ShortString, head: bytes, elements: int, offset: int, context: Context
    ) -> Any:
        """Elements that are sent in as many octets as each needs: whole ones, or a part of the first left."""
        kept = self._attribute(target).read_octets(target.first, target.first + elements * kind.size)
        parts = kind.sent(kept)
        octets, ends = b"".join(parts), list(accumulate(map(len, parts)))
        if offset >= len(octets):
            raise StatusError(status.LOGIX, status.OFFSET_BEYOND_END)
        room = max(context.most(len(head)), 0)
        first, stop = bisect_right(ends, offset), bisect_right(ends, offset + room)
        end = ends[stop - 1] if stop > first else offset + room
        first += offset > 0 and offset not in ends[first - 1 : first]
        shown = kept[first * kind.size : stop * kind.size]
        self._observed(target.name, kind, target.first + first * kind.size, shown, "==")
        data = head + octets[offset:end]
        return data if stop == len(ends) else Answer(data, status.PARTIAL)

    @serves(tag.WRITE_TAG)
    def write_tag(self, target: Target, data: Any, context: Context) -> Any:
        """Exactly the elements announced."""
        self._writable(target)
        kind = self._kind(target, data)
        self._bounds(target, data.elements)
        varying = target.varying
        if varying is not None and varying is kind:
            kept, used = varying.received(data.data, data.elements)
            short = len(kept) < data.elements * kind.size
            if short or (used < len(data.data) and not _sent_twice(data, used)):
                raise StatusError(status.NOT_ENOUGH_DATA if short else status.TOO_MUCH_DATA)
            return self._store(target, kind, 0, kept)
        wanted = data.elements * kind.size
        if len(data.data) < wanted:
            raise StatusError(status.NOT_ENOUGH_DATA)
        if len(data.data) > wanted and not _sent_twice(data, wanted):
            raise StatusError(status.TOO_MUCH_DATA)
        return self._store(target, kind, 0, data.data[:wanted])

    @serves(tag.WRITE_TAG_FRAGMENTED)
    def write_tag_fragmented(self, target: Target, data: Any, context: Context) -> Any:
        """A part of the elements announced, from an octet offset on."""
        self._writable(target)
        kind = self._kind(target, data)
        self._bounds(target, data.elements)
        if target.varying is not None and target.varying is kind:
            return self._write_varying(target, target.varying, data)
        total = data.elements * kind.size
        if data.offset >= total:
            raise StatusError(status.LOGIX, status.OFFSET_BEYOND_END)
        if not data.data:
            raise StatusError(status.NOT_ENOUGH_DATA)
        if data.offset + len(data.data) > total:
            raise StatusError(status.LOGIX, status.BEYOND_END)
        return self._store(target, kind, data.offset, data.data)

    def _write_varying(self, target: Target, kind: ShortString, data: Any) -> Any:
        """Whole elements, from the end of one that is there on, which is where the part before this one ended."""
        skip = 0
        if data.offset:
            stop = target.first + data.elements * kind.size
            parts = kind.sent(self._attribute(target).read_octets(target.first, stop))
            ends = list(accumulate(map(len, parts)))
            skip = bisect_left(ends, data.offset) + 1
            if skip >= len(ends) or ends[skip - 1] != data.offset:
                raise StatusError(status.LOGIX, status.OFFSET_BEYOND_END)
        kept, used = kind.received(data.data, data.elements - skip)
        if used < len(data.data) or not kept:
            full = len(kept) == (data.elements - skip) * kind.size
            raise StatusError(*(status.LOGIX, status.BEYOND_END) if full else (status.NOT_ENOUGH_DATA,))
        return self._store(target, kind, skip * kind.size, kept)

    @serves(tag.RMW_TAG)
    def read_modify_write_tag(self, target: Target, data: Any, context: Context) -> Any:
        """Set and clear bits of one element, at once."""
        attribute = self._writable(target)
        size = data.size
        if size != target.kind.size or target.kind.code not in BITS:
            raise StatusError(status.INVALID_PARAMETER)
        if len(data.masks) < 2 * size:
            raise StatusError(status.NOT_ENOUGH_DATA)
        self._bounds(target, 1)
        written = attribute.modify_octets(target.first, data.masks[:size], data.masks[size : 2 * size])
        return self._written(target, target.first, written)

    def read(self, attribute: Attribute) -> bytes:
        if attribute.hidden:
            raise StatusError(status.PRIVILEGE_VIOLATION)
        octets = super().read(attribute)
        if self.observer is not None:
            self._observed(attribute.name, attribute.type, 0, attribute.kept(octets), "==")
        return octets

    def store(self, attribute: Attribute, octets: bytes) -> None:
        super().store(attribute, octets)
        self._observed(attribute.name, attribute.type, 0, octets, "<=")

    @staticmethod
    def _attribute(target: Target) -> Attribute:
        if target.attribute is None:
            raise StatusError(target.absent)
        return target.attribute

    def _writable(self, target: Target) -> Attribute:
        attribute = self._attribute(target)
        if attribute.read_only or attribute.hidden:
            raise StatusError(status.PRIVILEGE_VIOLATION)
        return attribute

    def _kind(self, target: Target, data: Any) -> Any:
        """The type that was sent, if the tag or member takes it."""
        own = target.kind
        if data.type == own.tag_type and data.handle == target.handle:
            return own
        sent = None if self.strict else BY_CODE.get(data.type)
        if sent is None or own.name not in _WIDER.get(sent.name, ()):
            raise StatusError(status.LOGIX, status.TYPE_MISMATCH)
        told = (self._attribute(target).name, own.name, data.type)  # not of each element: an array has many
        if told not in self._widened:
            self._widened.add(told)
            log.warning("%s written to %s of type %s: a controller would refuse it", sent.name, target.name, own.name)
        return sent

    @staticmethod
    def _bounds(target: Target, elements: int) -> None:
        if not 0 < elements <= target.count:
            raise StatusError(status.LOGIX, status.BEYOND_END)

    def _store(self, target: Target, kind: Any, offset: int, octets: bytes) -> Any:
        own = target.kind
        if kind is not own:
            if offset % kind.size or len(octets) % kind.size:
                raise StatusError(status.LOGIX, status.BEYOND_END)
            offset = offset // kind.size * own.size
            octets = pack(own, unpack(kind, octets))
        first, attribute = target.first + offset, self._attribute(target)
        if target.bit is None:
            attribute.write_octets(first, octets)
        else:
            mask, one = 1 << target.bit, BOOL.unpack(octets)
            attribute.modify_octets(first, bytes([mask if one else 0]), bytes([0xFF if one else 0xFF ^ mask]))
        return self._written(target, first, octets)

    def _written(self, target: Target, first: int, octets: bytes) -> bytes:
        self._observed(target.name, target.kind, first - target.base, octets, "<=")
        attribute = target.attribute
        if attribute is not None and attribute.error:
            raise StatusError(attribute.error)
        return b""

    def _observed(self, name: str, kind: Kind, first: int, octets: bytes, sign: str) -> None:
        """Tell the observer of the whole elements among some octets; one that fails is not asked again."""
        if self.observer is None:
            return
        size = kind.size
        skip = -first % size
        whole = octets[skip : skip + (len(octets) - skip) // size * size] if len(octets) > skip else b""
        try:
            self.observer(name, kind, (first + skip) // size, whole, sign)
        except Exception as exc:  # what watches must never change what is answered
            self.observer = None
            log.warning("reads and writes are no longer observed: %s: %s", type(exc).__name__, exc)


def _sent_twice(data: Any, wanted: int) -> bool:
    """Whether what follows a write's data is the whole request again: pycomm3 sends every single write so."""
    again: bytes = type(data)(data.type, data.handle, data.elements, data.data[:wanted]).produce()
    return bool(data.data[wanted:].endswith(again))


_FALSE, _TRUE = BOOL.produce(False), BOOL.produce(True)
