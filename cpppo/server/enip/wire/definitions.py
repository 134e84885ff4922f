"""Templates as a controller describes them: from the octets of a definition to a Structure.

Owns: that direction; the other is `Structure.definition`.  Rule: members stand where the controller says they do,
and what cannot be a structure raises RemoteProtocolError.  Must not know services.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from cpppo.errors import LocalProtocolError, RemoteProtocolError
from cpppo.server.enip.wire.strings import SSTRING, STRING, LogixString, is_text
from cpppo.server.enip.wire.structures import ARRAY_BIT, STRUCTURE_BIT, Member, Structure
from cpppo.server.enip.wire.types import BOOL, BY_CODE, Kind

__all__ = ["NUMBER_BITS", "inner_numbers", "parse_definition"]

#: The bits of a type that are the number of a template, or the code of an elementary type.
NUMBER_BITS = 0x0FFF

_RECORD = struct.Struct("<HHI")
#: How the names of members begin that only hold others.
_HIDDEN = ("ZZZZZZZZZZ", "__")


def inner_numbers(octets: bytes, count: int) -> list[int]:
    """The numbers of the templates that a definition of so many members needs."""
    return [code & NUMBER_BITS for _, code, _ in _records(octets, count) if code & STRUCTURE_BIT]


def parse_definition(
    octets: bytes, count: int, size: int, handle: int, kind_at: Callable[[int], Structure]
) -> Structure:
    """The structure that a definition says.

    :param octets: what was read of the template; ``count``: of members; ``size``: octets of the structure.
    :param kind_at: gives the structure of a template number, for members that are structures.
    """
    names = octets[count * _RECORD.size :].split(b"\0")
    if len(names) <= count:
        raise RemoteProtocolError(f"the names of {count} members are missing", "definition", len(octets))
    template, *members = (one.decode("iso-8859-1") for one in names[: count + 1])
    title = template.partition(";")[0]
    placed = []
    for number, (info, code, offset) in enumerate(_records(octets, count)):
        kind = kind_at(code & NUMBER_BITS) if code & STRUCTURE_BIT else _elementary(code & NUMBER_BITS, members[number])
        array = info if code & ARRAY_BIT else 0
        bit = info if kind is BOOL and not array else None
        if offset + kind.size * (array or 1) > size or (bit or 0) > 7:
            raise RemoteProtocolError(f"member {members[number]} of {title} is beyond its {size} octets", "definition")
        hidden = members[number].startswith(_HIDDEN)
        placed.append(Member(members[number], kind, array, offset, bit, hidden))
    try:
        if is_text([(one.name, one.kind, one.count) for one in placed]):
            known = title == STRING.template_name
            return LogixString.placed(STRING.name if known else title, placed, size, handle, title)
        return Structure.placed(title, placed, size, handle)
    except LocalProtocolError as exc:
        raise RemoteProtocolError(f"{title}: {exc.reason}", "definition") from None


def _records(octets: bytes, count: int) -> Iterator[tuple[int, int, int]]:
    if count * _RECORD.size > len(octets):
        raise RemoteProtocolError(f"{len(octets)} octets are too few for {count} members", "definition", len(octets))
    return _RECORD.iter_unpack(octets[: count * _RECORD.size])


def _elementary(code: int, member: str) -> Kind:
    kind = SSTRING if code == SSTRING.tag_type else BY_CODE.get(code)
    if kind is None:
        raise RemoteProtocolError(f"member {member} is of the unknown type 0x{code:02x}", "definition")
    return kind
