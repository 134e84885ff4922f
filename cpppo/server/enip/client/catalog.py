"""What a controller says it has: tags, programs, types and its identity; and the requests that ask for them.

Owns: the records, the Catalog they make, and the flows that fill it.  Rule: sans-I/O: a flow yields operations and is
sent their results; what a peer says wrongly raises RemoteProtocolError.  Must not know sockets or clocks.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from cpppo.errors import RemoteProtocolError
from cpppo.server.enip.client.operations import Operation
from cpppo.server.enip.client.pending import failure
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.definitions import NUMBER_BITS, inner_numbers, parse_definition
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services.attributes import GET_ATTRIBUTE_LIST, GET_ATTRIBUTES_ALL, AttributeList
from cpppo.server.enip.wire.services.browse import (
    GET_INSTANCE_ATTRIBUTE_LIST,
    READ_TEMPLATE,
    SYMBOL,
    TEMPLATE,
    ReadTemplate,
)
from cpppo.server.enip.wire.services.tag import Void
from cpppo.server.enip.wire.strings import SSTRING
from cpppo.server.enip.wire.structures import STRUCTURE_BIT, Structure
from cpppo.server.enip.wire.types import BY_CODE, Kind

__all__ = [
    "Catalog",
    "Definition",
    "Facts",
    "Flow",
    "IdentityObject",
    "Kept",
    "Symbol",
    "TagInfo",
    "browse",
    "changes",
    "identify",
]

T = TypeVar("T")
#: Yields operations to be done together, is sent their results, and returns what it was for.
Flow = Generator[Sequence[Operation], Sequence[Any], T]

_PROGRAM = "Program:"
#: Bits of a symbol's type: its dimensions, and that it is the system's.
_DIMENSIONS, _SYSTEM = 13, 0x1000
#: Attributes of symbols: name, type, dimensions and, where controllers have it, access.
_ATTRIBUTES, _OLDER = (1, 2, 8, 10), (1, 2, 8)
_ACCESS = {0: "read-write", 2: "read-only", 3: "none"}
#: Attributes of templates: words of the definition, octets of the structure, members, handle.
_SIZES = struct.Struct("<H HHI HHI HHH HHH")
_TEMPLATE_ATTRIBUTES = (4, 5, 2, 1)
#: Octets of a definition that a template's size in words counts too much.
_UNREAD = 20
#: The change stamps of class 0xAC.
_STAMPS = (1, 2, 3, 4, 10)
_CHANGES = 0xAC
#: Templates that may be inside one another: what a peer says must end.
_DEPTH = 32


class IdentityObject(NamedTuple):
    """Who a device is (Identity object, class 1).  ``revision``: (major, minor)."""

    vendor: int
    device_type: int
    product_code: int
    revision: tuple[int, int]
    status: int
    serial: int
    product_name: str


class TagInfo(NamedTuple):
    """A tag.  ``name``: whole, with its program; ``instance``: of its symbol, in its scope; ``kind``: type of its
    elements, None if it is not known; ``shape``: dimensions, () of a scalar.
    """

    name: str
    instance: int
    kind: Kind | None
    shape: tuple[int, ...]
    access: str = "read-write"

    @property
    def type(self) -> str:
        """The name of its type, with dimensions: ``DINT[2,3]``."""
        name = "?" if self.kind is None else self.kind.name
        return f"{name}[{','.join(map(str, self.shape))}]" if self.shape else name


class Symbol(NamedTuple):
    """An instance of the Symbol object: ``word`` is its type, ``sizes`` its dimensions, ``access`` attribute 10."""

    name: str
    instance: int
    word: int
    sizes: tuple[int, int, int]
    access: int


class Definition(NamedTuple):
    """An instance of the Template object: the octets of its definition, and the attributes that go with them."""

    octets: bytes
    members: int
    size: int
    handle: int


class Facts(NamedTuple):
    """What a controller said: its own symbols, those of programs too; templates by number; programs by name."""

    symbols: Sequence[Symbol]
    definitions: Mapping[int, Definition]
    programs: Sequence[str]


class Catalog:
    """Tags by name, without case; types by template number; programs by name.  Made of facts, which it keeps.

    RemoteProtocolError if these cannot be true.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.types = _structures(facts.definitions)
        self.programs = tuple(facts.programs)
        self._tags = {one.name.lower(): _info(one, self.types) for one in facts.symbols}
        self._kinds = {kind.handle: kind for kind in self.types.values()}

    def __iter__(self) -> Iterator[TagInfo]:
        return iter(self._tags.values())

    def __len__(self) -> int:
        return len(self._tags)

    def get(self, name: str) -> TagInfo | None:
        """The tag of a whole name, if there is one."""
        return self._tags.get(name.lower())

    def kind_of_handle(self, handle: int | None) -> Structure | None:
        """The structure whose handle stands in front of data."""
        return None if handle is None else self._kinds.get(handle)


class Kept(NamedTuple):
    """A catalog, and the change stamps that the controller had then."""

    stamps: bytes
    catalog: Catalog


def _reply(result: Any) -> bytes:
    """The octets that answer an operation; StatusError if it was refused."""
    if result.val is None:
        raise failure(result)
    octets: bytes = result.rpy.data
    return octets


def _refused(result: Any, *codes: int) -> bool:
    """Whether an operation was refused by one of some statuses."""
    code = result.sts[0] if isinstance(result.sts, tuple) else result.sts
    return result.val is None and code in codes


def identify() -> Flow[IdentityObject]:
    """The Identity object of the device."""
    path = Path.of([{"class": 1}, {"instance": 1}])
    (result,) = yield [Operation(GET_ATTRIBUTES_ALL, path, Void(), "@1/1")]
    octets = _reply(result)
    try:
        vendor, kind, code, major, minor, word, serial, length = struct.unpack_from("<HHHBBHIB", octets)
    except struct.error:
        raise RemoteProtocolError(f"an identity of {len(octets)} octets", "identity", len(octets)) from None
    name = octets[15 : 15 + length].decode("iso-8859-1")
    return IdentityObject(vendor, kind, code, (major, minor), word, serial, name)


def changes() -> Flow[bytes | None]:
    """The change stamps, by which a catalog that was kept is known to be good; None if the device has none."""
    path = Path.of([{"class": _CHANGES}, {"instance": 1}])
    (result,) = yield [Operation(GET_ATTRIBUTE_LIST, path, AttributeList(list(_STAMPS)), "@0xAC/1")]
    return None if result.val is None or result.sts else bytes(result.rpy.data)


def browse() -> Flow[Catalog]:
    """Everything there is to know of tags, those of programs too; StatusError where the device cannot be browsed."""
    symbols = yield from _symbols("")
    programs = [one.name[len(_PROGRAM) :] for one in symbols if one.name.startswith(_PROGRAM)]
    for program in programs:
        symbols += yield from _symbols(f"{_PROGRAM}{program}")
    own = [one for one in symbols if not one.word & _SYSTEM and ":" not in one.name.removeprefix(_PROGRAM)]
    wanted = {one.word & NUMBER_BITS for one in own if one.word & STRUCTURE_BIT}
    definitions = yield from _definitions(wanted)
    return Catalog(Facts(own, definitions, programs))


def _info(symbol: Symbol, types: Mapping[int, Structure]) -> TagInfo:
    name, instance, word, sizes, access = symbol
    number = word & NUMBER_BITS
    kind: Kind | None
    if word & STRUCTURE_BIT:
        kind = types.get(number)
    else:  # of a BOOL, the bits above tell which one of a host it is
        kind = SSTRING if number & 0xFF == SSTRING.tag_type else BY_CODE.get(number & 0xFF)
    return TagInfo(name, instance, kind, sizes[: word >> _DIMENSIONS & 3], _ACCESS.get(access, "read-write"))


def _symbols(program: str) -> Flow[list[Symbol]]:
    """The symbols of a scope, page by page."""
    found: list[Symbol] = []
    attributes: tuple[int, ...] = _ATTRIBUTES
    start = 0
    scope = [{"symbolic": program}] if program else []
    while True:
        path = Path.of([*scope, {"class": SYMBOL}, {"instance": start}])
        asked = AttributeList(list(attributes))
        (result,) = yield [Operation(GET_INSTANCE_ATTRIBUTE_LIST, path, asked, f"{program or 'tags'} from {start}")]
        older = (status.ATTRIBUTE_NOT_SUPPORTED, status.ATTRIBUTE_LIST_ERROR, status.INVALID_PARAMETER)
        if attributes is _ATTRIBUTES and _refused(result, *older):
            attributes = _OLDER
            continue
        if program and _refused(result, status.PATH_DESTINATION_UNKNOWN):  # as some answer of an empty program
            return found
        page = list(_records(_reply(result), program, attributes is _ATTRIBUTES))
        if result.sts == status.PARTIAL and (not page or page[-1].instance < start):
            raise RemoteProtocolError(f"a page of symbols from {start} on leads nowhere", "symbols")
        found += page
        if result.sts != status.PARTIAL:
            return found
        start = page[-1].instance + 1


def _records(octets: bytes, program: str, access: bool) -> Iterator[Symbol]:
    prefix = f"{program}." if program else ""
    at = 0
    try:
        while at < len(octets):
            instance, length = struct.unpack_from("<IH", octets, at)
            name = octets[at + 6 : at + 6 + length].decode("iso-8859-1")
            at += 6 + length
            kind, *sizes = struct.unpack_from("<H3I", octets, at)
            at += 14
            if access:
                (allowed,) = struct.unpack_from("<B", octets, at)
                at += 1
            yield Symbol(prefix + name, instance, kind, (sizes[0], sizes[1], sizes[2]), allowed if access else 0)
    except struct.error:
        raise RemoteProtocolError("a symbol is cut short", "symbols", at) from None


def _definitions(wanted: set[int]) -> Flow[dict[int, Definition]]:
    """The definitions of template numbers, and of all that are inside them."""
    read: dict[int, Definition] = {}
    left = sorted(wanted)
    for _ in range(_DEPTH):
        if not left:
            break
        sizes = yield [_template(number) for number in left]
        for number, result in zip(left, sizes, strict=True):
            words, size, members, handle = _template_sizes(_reply(result))
            octets = yield from _definition(number, 4 * words - _UNREAD)
            read[number] = Definition(octets, members, size, handle)
        inner = {one for number in left for one in inner_numbers(*read[number][:2])}
        left = sorted(inner - read.keys())
    return read


def _structures(read: Mapping[int, Definition]) -> dict[int, Structure]:
    """The structures of definitions; RemoteProtocolError if one contains itself, or one that is not there."""
    made: dict[int, Structure] = {}

    def at(number: int, inside: tuple[int, ...] = ()) -> Structure:
        if number in inside or number not in read:
            raise RemoteProtocolError(f"template 0x{number:x} contains itself, or what is not there", "templates")
        if number not in made:
            made[number] = parse_definition(*read[number], lambda one: at(one, (*inside, number)))
        return made[number]

    for number in read:
        at(number)
    return made


def _template(number: int) -> Operation:
    path = Path.of([{"class": TEMPLATE}, {"instance": number}])
    return Operation(GET_ATTRIBUTE_LIST, path, AttributeList(list(_TEMPLATE_ATTRIBUTES)), f"template 0x{number:x}")


def _template_sizes(octets: bytes) -> tuple[int, int, int, int]:
    """(words, octets of the structure, members, handle)."""
    try:
        parts = _SIZES.unpack(octets)
    except struct.error:
        raise RemoteProtocolError(f"the sizes of a template in {len(octets)} octets", "templates") from None
    if parts[1::3] != _TEMPLATE_ATTRIBUTES or any(parts[2::3]):
        raise RemoteProtocolError("a template does not tell its sizes", "templates")
    words, size, members, handle = parts[3::3]
    return words, size, members, handle


def _definition(number: int, length: int) -> Flow[bytes]:
    """The octets of a definition, in as many parts as it takes."""
    octets = b""
    path = Path.of([{"class": TEMPLATE}, {"instance": number}])
    while len(octets) < length:
        asked = ReadTemplate(len(octets), min(length - len(octets), 0xFFFF))
        (result,) = yield [Operation(READ_TEMPLATE, path, asked, f"template 0x{number:x}")]
        part = _reply(result)
        octets += part
        if not part or result.sts != status.PARTIAL:
            break
    return octets
