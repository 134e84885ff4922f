"""The CIP elementary data types: their codes, names and octets (CIP volume 1, appendix C).

Owns: the one table of types, what any type of a tag has (Kind), and packing whole vectors of them.
Rule: everything is little-endian; a vector of numbers is packed at once, never in a loop.
Must not know services or tags.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Protocol

from cpppo.errors import LocalProtocolError, RemoteProtocolError
from cpppo.grammar import Scalar

__all__ = [
    "BOOL",
    "BY_CODE",
    "BYTE",
    "DINT",
    "DWORD",
    "INT",
    "Kind",
    "LINT",
    "LREAL",
    "LWORD",
    "REAL",
    "SINT",
    "STRUCTURE",
    "TYPES",
    "UDINT",
    "UDINT_BE",
    "UINT",
    "UINT_BE",
    "ULINT",
    "USINT",
    "WORD",
    "limits",
    "pack",
    "unpack",
]


class Kind(Protocol):
    """The type of a tag's elements, each of ``size`` octets where it is kept.

    ``tag_type``: the code in front of its data; ``code``: that of ``struct``, empty for what is no number;
    ``default``: the value of zeros.
    """

    name: str
    size: int
    tag_type: int | None
    code: str
    default: Any

    def produce(self, value: Any) -> bytes:
        """The octets of one value."""

    def unpack(self, octets: bytes | bytearray) -> Any:
        """The value of exactly ``size`` octets."""


BOOL: Scalar[bool] = Scalar("BOOL", "?", 0xC1)
SINT: Scalar[int] = Scalar("SINT", "b", 0xC2)
INT: Scalar[int] = Scalar("INT", "h", 0xC3)
DINT: Scalar[int] = Scalar("DINT", "i", 0xC4)
LINT: Scalar[int] = Scalar("LINT", "q", 0xC5)
USINT: Scalar[int] = Scalar("USINT", "B", 0xC6)
UINT: Scalar[int] = Scalar("UINT", "H", 0xC7)
UDINT: Scalar[int] = Scalar("UDINT", "I", 0xC8)
ULINT: Scalar[int] = Scalar("ULINT", "Q", 0xC9)
REAL: Scalar[float] = Scalar("REAL", "f", 0xCA)
LREAL: Scalar[float] = Scalar("LREAL", "d", 0xCB)
BYTE: Scalar[int] = Scalar("BYTE", "B", 0xD1)
WORD: Scalar[int] = Scalar("WORD", "H", 0xD2)
DWORD: Scalar[int] = Scalar("DWORD", "I", 0xD3)
LWORD: Scalar[int] = Scalar("LWORD", "Q", 0xD4)

#: Network order, as in the socket addresses of List Identity.
UINT_BE: Scalar[int] = Scalar("UINT_BE", ">H")
UDINT_BE: Scalar[int] = Scalar("UDINT_BE", ">I")

#: The type code in front of a structure's handle.
STRUCTURE = 0x02A0

#: The types a tag can have, by name.
TYPES: dict[str, Scalar[Any]] = {
    one.name: one
    for one in (BOOL, SINT, INT, DINT, LINT, USINT, UINT, UDINT, ULINT, REAL, LREAL, BYTE, WORD, DWORD, LWORD)
}
BY_CODE: dict[int, Scalar[Any]] = {one.tag_type: one for one in TYPES.values() if one.tag_type is not None}


def pack(kind: Kind, values: Sequence[Any]) -> bytes:
    """The octets of a vector; LocalProtocolError names the first value that does not fit."""
    try:
        if kind.code:
            return struct.pack(f"<{len(values)}{kind.code}", *values)
        return b"".join(map(kind.produce, values))
    except (struct.error, OverflowError, LocalProtocolError):
        for index, value in enumerate(values):
            try:
                kind.produce(value)
            except (struct.error, OverflowError):
                raise LocalProtocolError(_unfit(kind, value), f"[{index}]") from None
            except LocalProtocolError as found:
                raise LocalProtocolError(found.reason, f"[{index}]{'.' if found.path else ''}{found.path}") from None
        raise


def limits(kind: Kind) -> tuple[int, int]:
    """The least and the greatest value of a whole-number type."""
    bits = 8 * kind.size
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if kind.code.islower() else (0, (1 << bits) - 1)


def _unfit(kind: Kind, value: Any) -> str:
    """What is wrong with a value that a type of numbers does not take."""
    if kind.code in "fd":
        return f"{value!r} is no {kind.name}, which takes numbers" + (" up to 3.4e38" if kind.code == "f" else "")
    low, high = limits(kind)
    return f"{value!r} is no {kind.name}, which takes whole numbers of {low} to {high}"


def unpack(kind: Kind, octets: bytes) -> list[Any]:
    """The values of whole octets; RemoteProtocolError if they are not a whole number of them."""
    size = kind.size
    count, left = divmod(len(octets), size)
    if left:
        raise RemoteProtocolError(f"{len(octets)} octets are no whole number of {kind.name}", offset=count * size)
    if kind.code:
        return list(struct.unpack(f"<{count}{kind.code}", octets))
    return [kind.unpack(octets[at : at + size]) for at in range(0, len(octets), size)]
