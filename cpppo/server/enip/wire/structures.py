"""Structures: types made of named members, laid out as a Logix controller does, and their templates.

Owns: the layout (alignment, hidden hosts of BOOL members), values of whole structures, and the octets of a template
(class 0x6C; Logix 5000 Data Access).  Rule: a structure is immutable once made; its handle follows from its members.
Must not know tags or services, nor the numbers that a controller gives to its templates.
"""

from __future__ import annotations

import struct
from binascii import crc_hqx
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cpppo.errors import LocalProtocolError
from cpppo.server.enip.wire.types import BOOL, DINT, DWORD, LINT, SINT, STRUCTURE, Kind, pack, unpack

__all__ = [
    "ARRAY_BIT",
    "MAXIMUM_ELEMENTS",
    "MAXIMUM_MEMBERS",
    "MAXIMUM_SIZE",
    "STRING_HANDLE",
    "STRUCTURE_BIT",
    "Member",
    "Members",
    "Structure",
    "template_words",
]

#: Members that a structure may have, hidden ones included: a template counts them in 16 bits, controllers in less.
MAXIMUM_MEMBERS = 512
#: Elements of a member, which a template counts in 16 bits; octets of a structure, as controllers limit their tags.
MAXIMUM_ELEMENTS, MAXIMUM_SIZE = 0xFFFF, 1 << 21

#: Bits of a type word (of a symbol or a member): a structure, and an array of one dimension.
STRUCTURE_BIT, ARRAY_BIT = 0x8000, 0x2000

#: The handle of STRING: clients take whatever has it for text.
STRING_HANDLE = 0x0FCE
#: Handles that cannot be calculated, and the bit that makes others of them.
_TAKEN, _OTHERWISE = frozenset({0, STRING_HANDLE}), 0x8000

#: BOOL members share octets of this many bits, whose names begin so and end with their place.
_HOST_BITS, _HOST_NAME = 8, "ZZZZZZZZZZ"
#: Characters of a name, as controllers limit them, and of the greatest place of a member.
_NAME_LENGTH, _PLACE_LENGTH = 40, len(str(MAXIMUM_MEMBERS))
#: Octets that a template's size counts beside the definition before it is padded, and after that.
_COUNTED, _UNREAD = 23, 20
_ENCODING = "iso-8859-1"


@dataclass(frozen=True)
class Member:
    """A member of a structure, ``offset`` octets from its start.

    ``kind``: the type of its elements; ``count``: how many, 0 if it is no array; ``bit``: of a BOOL, in that octet;
    ``hidden``: an octet that holds BOOL members.
    """

    name: str
    kind: Kind
    count: int
    offset: int
    bit: int | None = None
    hidden: bool = False


class Members(dict[str, Any]):
    """The value of a structure: a dict of its members, which are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no member {name!r}; there are {', '.join(self)}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"no member {name!r}") from None


class Structure:
    """The type of structures with ``members`` in their order, each (name, kind, number of elements or 0).

    ``size``: octets of one; ``alignment``: where one can begin; ``handle``: what goes with the type in front of data.
    An array of BOOL is an array of DWORD.  LocalProtocolError if a controller could not have such a structure.

    A value is a mapping of members (see `Members`); members left out of one, and elements at the end of arrays, are 0.
    """

    code: str = ""
    default: Any = {}
    tag_type: int | None = STRUCTURE

    handle: int
    alignment: int

    def __init__(
        self,
        name: str,
        members: Iterable[tuple[str, Kind, int]],
        handle: int | None = None,
        template_name: str | None = None,
    ) -> None:
        _named(name, "structure", also=":")
        placed, end, self.alignment = _laid_out(name, members)
        self._made(name, placed, end + -end % self.alignment, template_name)
        self.handle = handle or _handle(self)

    @classmethod
    def placed(
        cls, name: str, members: Sequence[Member], size: int, handle: int, template_name: str | None = None
    ) -> Structure:
        """A structure as a controller describes it, its members where that has put them."""
        one = cls.__new__(cls)
        inner = [member.kind.alignment for member in members if isinstance(member.kind, Structure)]
        one.alignment = max((DINT.size, *inner, *(LINT.size for member in members if member.kind.size == LINT.size)))
        one._made(name, tuple(members), size, template_name)
        one.handle = handle
        return one

    def _made(self, name: str, members: tuple[Member, ...], size: int, template_name: str | None) -> None:
        self.name = name
        self.template_name = template_name or name
        self.members, self.size = members, size
        self._by_name = {one.name.lower(): one for one in self.members}
        if len(self._by_name) != len(self.members):
            names = [one.name.lower() for one in self.members]
            twice = next(one.name for one in self.members if names.count(one.name.lower()) > 1)
            raise LocalProtocolError(f"member {twice!r} is there twice: names are compared without case")
        self._shown = tuple(one for one in self.members if not one.hidden)

    def __repr__(self) -> str:
        return self.name

    def find(self, name: str) -> Member | None:
        """The member of a name, without case."""
        return self._by_name.get(name.lower())

    # -- values

    def produce(self, value: Any) -> bytes:
        """The octets of a value, or of as many octets; LocalProtocolError names the member that does not fit."""
        if isinstance(value, (bytes, bytearray)):
            if len(value) != self.size:
                raise LocalProtocolError(f"{len(value)} octets are no {self.name}, which has {self.size}")
            return bytes(value)
        if not isinstance(value, Mapping):
            raise LocalProtocolError(f"{value!r} is no {self.name}: it takes its members, eg. {self._example()}")
        octets = bytearray(self.size)
        for name, given in value.items():
            member = self.find(name) if isinstance(name, str) else None
            if member is None:
                names = ", ".join(one.name for one in self._shown)
                raise LocalProtocolError(f"{self.name} has no member {name!r}; there are {names}")
            try:
                _put(octets, member, given)
            except LocalProtocolError as exc:
                path = exc.path if exc.path.startswith("[") or not exc.path else f".{exc.path}"
                raise LocalProtocolError(exc.reason, f"{member.name}{path}") from None
        return bytes(octets)

    def unpack(self, octets: bytes | bytearray) -> Any:
        """The `Members` of exactly ``size`` octets."""
        octets = bytes(octets)
        return Members((one.name, _value(octets, one)) for one in self._shown)

    def _example(self) -> str:
        first = self._shown[0]
        return f"{{{first.name!r}: {'[...]' if first.count else '...'}}}"

    # -- its template

    def definition(self, number_of: Callable[[Structure], int]) -> bytes:
        """The octets of its template, padded to what clients ask for.

        :param number_of: the template instance of a structure inside it.
        """
        records, names = [], [f"{self.template_name};n{'EA' * len(self.members)}"]
        for one in self.members:
            if isinstance(one.kind, Structure):
                code = STRUCTURE_BIT | number_of(one.kind)
            else:
                code = one.kind.tag_type or 0
            info = one.count or one.bit or 0
            records.append(struct.pack("<HHI", info, code | (ARRAY_BIT if one.count else 0), one.offset))
            names.append(one.name)
        raw = b"".join(records) + b"".join(one.encode(_ENCODING) + b"\0" for one in names)
        words = -(-(len(raw) + _COUNTED) // 4)
        return raw.ljust(4 * words - _UNREAD, b"\0")

    def inner(self) -> Iterable[Structure]:
        """The structures that its members are made of."""
        return (one.kind for one in self.members if isinstance(one.kind, Structure))


def template_words(definition: bytes) -> int:
    """The size in 32-bit words that a template states of a definition."""
    return (len(definition) + _UNREAD) // 4


def _laid_out(structure: str, members: Iterable[tuple[str, Kind, int]]) -> tuple[tuple[Member, ...], int, int]:
    """The members with their places and the octets that host BOOLs; where they end; the greatest alignment."""
    placed: list[Member] = []
    end, most, bit = 0, DINT.size, _HOST_BITS
    for name, kind, count in members:
        _named(name, "member")
        if name.upper().startswith(_HOST_NAME):
            raise LocalProtocolError(f"member {name!r}: names with {_HOST_NAME} in front are of octets that hold BOOLs")
        if not kind.code and not isinstance(kind, Structure):
            raise LocalProtocolError(f"member {name!r}: {kind.name} cannot be part of a structure; use STRING")
        if not 0 <= count <= MAXIMUM_ELEMENTS:
            raise LocalProtocolError(f"member {name!r}: an array has 1 to {MAXIMUM_ELEMENTS} elements, not {count}")
        if kind is BOOL and not count:
            if bit == _HOST_BITS:
                host = f"{_HOST_NAME}{structure}"[: _NAME_LENGTH - _PLACE_LENGTH] + str(len(placed))
                placed.append(Member(host, SINT, 0, end, hidden=True))
                end, bit = end + 1, 0
            placed.append(Member(name, BOOL, 0, end - 1, bit))
            bit += 1
            continue
        bit = _HOST_BITS
        if kind is BOOL:
            kind, count = DWORD, -(-count // (8 * DWORD.size))
        alignment = kind.alignment if isinstance(kind, Structure) else kind.size
        most = max(most, alignment)
        end += -end % alignment
        placed.append(Member(name, kind, count, end))
        end += kind.size * (count or 1)
    if not placed:
        raise LocalProtocolError("a structure needs at least one member")
    if len(placed) > MAXIMUM_MEMBERS:
        raise LocalProtocolError(f"{len(placed)} members are more than the {MAXIMUM_MEMBERS} that are possible")
    if end > MAXIMUM_SIZE:
        raise LocalProtocolError(f"{end} octets are more than the {MAXIMUM_SIZE} that a structure can have")
    return tuple(placed), end, most


def _named(name: str, of: str, also: str = "_") -> None:
    """LocalProtocolError unless it can be a name ``of`` a member or a structure; ``also``: a character in it."""
    if not (name.isascii() and name.replace(also, "_").isidentifier() and len(name) <= _NAME_LENGTH):
        raise LocalProtocolError(
            f"{name[: _NAME_LENGTH + 1]!r} is no name of a {of}; use up to {_NAME_LENGTH} letters, digits and _"
        )


def _handle(structure: Structure) -> int:
    """A number of 16 bits that differs (nearly always) between structures that differ, the same at every start."""
    text = [structure.template_name]
    for one in structure.members:
        inner = f"{one.kind.handle:04x}" if isinstance(one.kind, Structure) else one.kind.name
        text.append(f"{one.name}:{inner}:{one.count}:{one.offset}:{one.bit}")
    handle = crc_hqx("|".join(text).encode(_ENCODING), 0xFFFF)
    return handle ^ _OTHERWISE if handle in _TAKEN else handle


def _put(octets: bytearray, member: Member, value: Any) -> None:
    """Put the value of a member among the octets of its structure."""
    if member.bit is not None:
        if not isinstance(value, (bool, int)) or value not in (0, 1):
            raise LocalProtocolError(f"{value!r} is no BOOL; it is False or True")
        octets[member.offset] = octets[member.offset] & ~(1 << member.bit) | bool(value) << member.bit
        return
    values: Sequence[Any] = [value]
    if member.count:
        if not isinstance(value, (list, tuple)) or len(value) > member.count:
            raise LocalProtocolError(f"{value!r} is no list of up to {member.count} {member.kind.name}")
        values = value
    try:
        packed = pack(member.kind, values)
    except LocalProtocolError as exc:
        path = exc.path if member.count else exc.path.removeprefix("[0]").removeprefix(".")
        raise LocalProtocolError(exc.reason, path) from None
    octets[member.offset : member.offset + len(packed)] = packed


def _value(octets: bytes, member: Member) -> Any:
    """The value of a member among the octets of its structure."""
    if member.bit is not None:
        return bool(octets[member.offset] >> member.bit & 1)
    stop = member.offset + member.kind.size * (member.count or 1)
    part = octets[member.offset : stop]
    return unpack(member.kind, part) if member.count else member.kind.unpack(part)
