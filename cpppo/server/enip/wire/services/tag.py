"""The Logix tag services: read and write, whole, in fragments, and by bits (Logix 5000 Data Access)."""

from __future__ import annotations

from cpppo.grammar import Message, nothing, octets, switch
from cpppo.server.enip.wire.services.base import Service
from cpppo.server.enip.wire.types import STRUCTURE, UDINT, UINT

__all__ = [
    "READ_TAG",
    "READ_TAG_FRAGMENTED",
    "RMW_TAG",
    "SERVICES",
    "WRITE_TAG",
    "WRITE_TAG_FRAGMENTED",
    "ReadModifyWriteTag",
    "ReadTag",
    "ReadTagFragmented",
    "TagData",
    "Void",
    "WriteTag",
    "WriteTagFragmented",
]


class Void(Message):
    """No payload."""


class ReadTag(Message):
    """Read ``elements`` elements of a tag."""

    elements = UINT


class ReadTagFragmented(Message):
    """Read as much of ``elements`` elements as fits, from octet ``offset`` of their data."""

    elements = UINT
    offset = UDINT


class TagData(Message):
    """A type (for structures followed by the structure's handle) and packed data: the reply to every read."""

    type = UINT
    handle = switch(type, {STRUCTURE: UINT}, default=nothing())
    data = octets()


class WriteTag(Message):
    """Write exactly ``elements`` elements."""

    type = UINT
    handle = switch(type, {STRUCTURE: UINT}, default=nothing())
    elements = UINT
    data = octets()


class WriteTagFragmented(Message):
    """Write a part, at octet ``offset``, of a transfer of ``elements`` elements in all."""

    type = UINT
    handle = switch(type, {STRUCTURE: UINT}, default=nothing())
    elements = UINT
    offset = UDINT
    data = octets()


class ReadModifyWriteTag(Message):
    """Set and clear bits of ``size`` octets at once.

    ``masks`` are the OR mask and then the AND mask; some clients send a longer AND mask than they announce.
    """

    size = UINT
    masks = octets()


READ_TAG = Service(0x4C, "Read Tag", ReadTag, TagData, answered=(0x00, 0x06), symbolic=True, repeats=True)
WRITE_TAG = Service(0x4D, "Write Tag", WriteTag, Void, symbolic=True)
RMW_TAG = Service(0x4E, "Read Modify Write Tag", ReadModifyWriteTag, Void, symbolic=True)
READ_TAG_FRAGMENTED = Service(
    0x52, "Read Tag Fragmented", ReadTagFragmented, TagData, answered=(0x00, 0x06), symbolic=True, repeats=True
)
WRITE_TAG_FRAGMENTED = Service(0x53, "Write Tag Fragmented", WriteTagFragmented, Void, symbolic=True)

SERVICES = (READ_TAG, WRITE_TAG, RMW_TAG, READ_TAG_FRAGMENTED, WRITE_TAG_FRAGMENTED)
