"""What a conversation finds out about its peer: the sizes of its tags, and which services it offers.

Owns: how many octets the reply to a read will have, exact once the tag's type is known; and the services that were
refused or answered.  Rule: what is learned makes requests fewer, never values different.  Must not know frames.
"""

from __future__ import annotations

from typing import NamedTuple

from cpppo.server.enip.client.memo import remember
from cpppo.server.enip.client.operations import Operation
from cpppo.server.enip.wire.services.tag import READ_TAG, READ_TAG_FRAGMENTED
from cpppo.server.enip.wire.strings import SSTRING, STRING
from cpppo.server.enip.wire.types import BY_CODE, STRUCTURE

__all__ = ["FULL", "REPLY_HEAD", "UNKNOWN", "Extent", "Learned"]

#: Octets of a reply before its payload.
REPLY_HEAD = 4
#: Those of a reply that may take all the room there is.
FULL = 0x10000

_TAG_READS = (READ_TAG.code, READ_TAG_FRAGMENTED.code)


class Extent(NamedTuple):
    """Octets of a type in front of data, of an element as it was, and of one as it can be at most; and whether that is
    known.
    """

    head: int
    each: int
    most: int
    known: bool = True


#: What is assumed of a tag that was never read: elements of 4 octets, or text at most.
UNKNOWN = Extent(2, 4, STRING.size, False)


class Learned:
    """``refused``, ``offered``: codes of services that the peer does not have, and of those that it answered."""

    __slots__ = ("extents", "offered", "refused")

    def __init__(self) -> None:
        self.extents: dict[str, Extent] = {}
        self.refused: set[int] = set()
        self.offered: set[int] = set()

    def learn(self, operation: Operation, octets: bytes) -> None:
        """Remember a tag by the successful reply to an operation; to others than reads of tags it tells nothing."""
        if operation.kind is not None or not operation.elements:
            return
        tag_type = octets[0] | octets[1] << 8
        kind = BY_CODE.get(tag_type)
        if kind is not None:
            extent = Extent(2, kind.size, kind.size)
        elif operation.offset:
            return
        else:
            head = 4 if tag_type == STRUCTURE else 2
            each = -(-(len(octets) - head) // operation.elements)
            extent = Extent(head, each, SSTRING.size if tag_type == SSTRING.tag_type else each)
        remember(self.extents, operation.key, extent)

    def reply_octets(self, operation: Operation, room: int) -> tuple[int, int, bool]:
        """(octets of the reply that is expected, of the largest one, whether the type is known) to a request.

        :param room: octets of data that one reply carries.
        """
        code = operation.service.code
        if code not in _TAG_READS:
            size = FULL if operation.reads else REPLY_HEAD
            return size, size, True
        head, each, most, known = self.extents.get(operation.key, UNKNOWN)
        elements, offset = operation.elements, operation.offset
        expected = min(max(each * elements - offset, each), room)
        return REPLY_HEAD + head + expected, REPLY_HEAD + head + most * elements - offset, known
