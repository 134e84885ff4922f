"""What a path leads to: an object, and of a tag the elements, the member or the bit addressed.

Owns: Target, and finding a part of a tag by element and member segments.  Rule: names are compared without case; a
part is told by octets, so that nothing more has to be resolved when it is read or written.
Must not know services, frames or sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cpppo.errors import StatusError
from cpppo.server.enip.device.attribute import Attribute
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.path import SEGMENTS
from cpppo.server.enip.wire.services.tag import TagData
from cpppo.server.enip.wire.strings import ShortString
from cpppo.server.enip.wire.structures import Structure
from cpppo.server.enip.wire.types import BOOL, Kind

__all__ = ["BITS", "Target", "no_such_symbol"]

#: The ``struct`` codes of the types that have bits.
BITS = frozenset("bhiqBHIQ")

_Element, _Symbolic = SEGMENTS["element"], SEGMENTS["symbolic"]


def no_such_symbol() -> StatusError:
    """The refusal of a name that is not there, as a Logix controller words it."""
    return StatusError(status.PATH_SEGMENT_ERROR, status.NO_SUCH_SYMBOL)


class Target:
    """What a path leads to.  ``object``; ``attribute_id``; ``instance``: its number, where one object answers for many;
    ``services``: the handlers of what can be asked, by service code.

    Of a tag: ``attribute``; ``kind``: the type of what is addressed, and ``handle`` of a structure; ``head``: the
    octets of both in front of its data, None if the type has no code; ``varying``: the type, if its elements are sent
    in fewer octets than they are kept in; ``base``: octets before the array it is in; ``first``: octets before the
    first element addressed; ``count``: elements from there on; ``bit``: of a BOOL, in that octet; ``name``: that of
    the array.  ``absent``: the status if there is no attribute.
    """

    __slots__ = (
        "absent",
        "attribute",
        "attribute_id",
        "base",
        "bit",
        "count",
        "first",
        "handle",
        "head",
        "instance",
        "kind",
        "name",
        "object",
        "services",
        "varying",
    )

    kind: Kind
    bit: int | None
    handle: int | None
    head: bytes | None
    varying: ShortString | None

    def __init__(
        self,
        one: Any,
        services: dict[int, Any],
        attribute_id: int | None = None,
        attribute: Attribute | None = None,
        instance: int | None = None,
        segments: Sequence[Any] = (),
        absent: int = status.ATTRIBUTE_NOT_SUPPORTED,
    ) -> None:
        self.object = one
        self.services = services
        self.attribute_id = attribute_id
        self.attribute = attribute
        self.instance = instance
        self.absent = absent
        if attribute is not None:
            self._locate(attribute, segments)

    def _locate(self, attribute: Attribute, segments: Sequence[Any]) -> None:
        """Find what element and member segments lead to; StatusError if it is not there."""
        self.name, self.kind, self.base, self.bit = attribute.name, attribute.type, 0, None
        index: Callable[[Sequence[int]], int] = attribute.index
        count, start, at = len(attribute), 0, 0
        while at < len(segments):
            indices = _indices(segments, at)
            if indices:
                at += len(indices)
                try:
                    start = index(indices)
                except KeyError:
                    raise StatusError(status.LOGIX, status.BEYOND_END) from None
            if at == len(segments):
                break
            one, at = segments[at], at + 1
            if one.__class__ is not _Symbolic or self.bit is not None:
                raise no_such_symbol()
            if indices:
                self.name += f"[{','.join(map(str, indices))}]"
            count, index = self._enter(one.symbolic, start)
            start = 0
        self.handle = self.kind.handle if isinstance(self.kind, Structure) else None
        self.head = None if self.kind.tag_type is None else TagData(self.kind.tag_type, self.handle).produce()
        self.varying = attribute.varying if self.kind is attribute.varying else None
        self.first = self.base + start * self.kind.size
        self.count = count - start

    def _enter(self, name: str, start: int) -> tuple[int, Callable[[Sequence[int]], int]]:
        """Go on to a member, or a bit, of element ``start``; how many elements that has, and what finds one of them."""
        kind = self.kind
        self.base += start * kind.size
        if isinstance(kind, Structure):
            member = kind.find(name)
            if member is None:
                raise no_such_symbol()
            self.name += f".{member.name}"
            self.base += member.offset
            self.kind, self.bit = member.kind, member.bit
            count = member.count or 1
        elif name.isascii() and name.isdecimal() and len(name) < 3 and kind.code in BITS and int(name) < 8 * kind.size:
            self.name += f".{int(name)}"
            self.base += int(name) // 8
            self.kind, self.bit, count = BOOL, int(name) % 8, 1
        else:
            raise no_such_symbol()

        def index(indices: Sequence[int]) -> int:
            if len(indices) != 1 or not 0 <= indices[0] < count:
                raise KeyError(indices)
            return indices[0]

        return count, index


def _indices(segments: Sequence[Any], at: int) -> tuple[int, ...]:
    """The numbers of the element segments from a place on."""
    stop = at
    while stop < len(segments) and segments[stop].__class__ is _Element:
        stop += 1
    return tuple(one.element for one in segments[at:stop])
