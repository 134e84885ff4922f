"""The types of text that a tag can have: STRING and structures like it, and SSTRING.

Owns: their octets, kept and sent.  Rule: text is ISO-8859-1; octets that were received are kept as they came, and
what of them cannot be shown as text is not shown.  Must not know services or tags.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from cpppo.errors import LocalProtocolError
from cpppo.server.enip.wire.structures import STRING_HANDLE, Member, Structure
from cpppo.server.enip.wire.types import BY_CODE, DINT, SINT, STRUCTURE, TYPES, Kind

__all__ = ["KINDS", "SSTRING", "STRING", "LogixString", "ShortString", "is_text", "kind_of", "structure"]

_ENCODING = "iso-8859-1"


def _encoded(name: str, value: Any, capacity: int) -> bytes:
    """The octets of text; LocalProtocolError if the type cannot hold it."""
    if not isinstance(value, str):
        raise LocalProtocolError(f"{value!r} is no {name}: it takes text")
    try:
        octets = value.encode(_ENCODING)
    except UnicodeEncodeError as exc:
        raise LocalProtocolError(f"{value[exc.start]!r} cannot be part of a {name}, which is ISO-8859-1") from None
    if len(octets) > capacity:
        raise LocalProtocolError(f"a text of {len(octets)} characters is no {name}: it holds {capacity}")
    return octets


class LogixString(Structure):
    """A structure of LEN (DINT) and DATA (``capacity`` characters), padded to whole words, whose value is text.

    Its LEN is whatever was written; the text has the characters that are there.
    """

    default: Any = ""

    def __init__(self, name: str, capacity: int, handle: int | None = None, template_name: str | None = None) -> None:
        super().__init__(name, [("LEN", DINT, 0), ("DATA", SINT, capacity)], handle, template_name)

    def _made(self, name: str, members: tuple[Member, ...], size: int, template_name: str | None) -> None:
        super()._made(name, members, size, template_name)
        self.capacity = members[-1].count
        self._struct = struct.Struct(f"<i{size - DINT.size}s")

    def produce(self, value: Any) -> bytes:
        """The octets of a text (or of its members, or so many octets); LocalProtocolError if it does not fit."""
        if not isinstance(value, str):
            if isinstance(value, Mapping) or (isinstance(value, (bytes, bytearray)) and len(value) == self.size):
                return super().produce(value)
            raise LocalProtocolError(f"{value!r} is no {self.name}: it takes text")
        octets = _encoded(self.name, value, self.capacity)
        return self._struct.pack(len(octets), octets)

    def unpack(self, octets: bytes | bytearray) -> str:
        """The text of exactly ``size`` octets."""
        length, data = self._struct.unpack(octets)
        text: bytes = data[: min(max(length, 0), self.capacity)]
        return text.decode(_ENCODING)


def structure(name: str, members: Sequence[tuple[str, Kind, int]]) -> Structure:
    """A structure; one of LEN (DINT) and DATA (an array of SINT) is text, as it is to clients."""
    if is_text(members):
        return LogixString(name, members[-1][2])
    return Structure(name, members)


def is_text(members: Sequence[tuple[str, Kind, int]]) -> bool:
    """Whether a structure of these members, each (name, kind, number of elements or 0), is text to clients."""
    named = [(name.lower(), kind, bool(count)) for name, kind, count in members]
    return named == [("len", DINT, False), ("data", SINT, True)]


class ShortString:
    """A length octet and that many characters; kept with room for the longest, sent back to back."""

    code: str = ""
    default: Any = ""
    #: Characters that the length octet can count.
    capacity: int = 0xFF

    def __init__(self, name: str, tag_type: int | None) -> None:
        self.name = name
        self.tag_type = tag_type
        self.size = 1 + self.capacity

    def __repr__(self) -> str:
        return self.name

    def produce(self, value: Any) -> bytes:
        """The octets of a text as they are kept; LocalProtocolError if it is none, or too long."""
        octets = _encoded(self.name, value, self.capacity)
        return (bytes([len(octets)]) + octets).ljust(self.size, b"\0")

    def unpack(self, octets: bytes | bytearray) -> str:
        """The text of exactly ``size`` octets."""
        return octets[1 : 1 + octets[0]].decode(_ENCODING)

    def sent(self, kept: bytes) -> list[bytes]:
        """The octets to send of each element, from those that are kept."""
        return [kept[at : at + 1 + kept[at]] for at in range(0, len(kept), self.size)]

    def received(self, octets: bytes, most: int) -> tuple[bytes, int]:
        """(octets to keep of the elements received that are whole, ``most`` at most; how many octets those were)."""
        kept: list[bytes] = []
        at = 0
        while len(kept) < most and at < len(octets) and at + 1 + octets[at] <= len(octets):
            end = at + 1 + octets[at]
            kept.append(octets[at:end].ljust(self.size, b"\0"))
            at = end
        return b"".join(kept), at


STRING = LogixString("STRING", 82, STRING_HANDLE, "ASCIISTRING82")
SSTRING = ShortString("SSTRING", 0xDA)

#: Every type that a tag can have, by name.
KINDS: dict[str, Kind] = {**TYPES, STRING.name: STRING, SSTRING.name: SSTRING}


def kind_of(tag_type: int, handle: int | None = None) -> Kind | None:
    """The type that the code in front of data says, for a structure with its handle; None if it is not known."""
    if tag_type == STRUCTURE:
        return STRING if handle == STRING.handle else None
    return BY_CODE.get(tag_type) or (SSTRING if tag_type == SSTRING.tag_type else None)
