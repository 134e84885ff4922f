"""Operations: what a caller asks, as a CIP request; and what the reply to it means.

Owns: the operation dictionaries, their checks, the choice of service, packing by size, status and value of a reply.
Rule: an operation given by the caller is never changed.  Must not know frames, sessions, sockets or time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from cpppo.errors import Error, LocalProtocolError, RemoteProtocolError
from cpppo.grammar import REJECTS, Message, Scalar
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services import REPLY, Service
from cpppo.server.enip.wire.services.attributes import (
    GET_ATTRIBUTE_SINGLE,
    GET_ATTRIBUTES_ALL,
    SET_ATTRIBUTE_SINGLE,
    AttributeData,
)
from cpppo.server.enip.wire.services.multiple import MemberRequest
from cpppo.server.enip.wire.services.tag import (
    READ_TAG,
    READ_TAG_FRAGMENTED,
    WRITE_TAG,
    WRITE_TAG_FRAGMENTED,
    ReadTag,
    ReadTagFragmented,
    TagData,
    Void,
    WriteTag,
    WriteTagFragmented,
)
from cpppo.server.enip.wire.strings import SSTRING, STRING, LogixString, ShortString, kind_of
from cpppo.server.enip.wire.text import MAXIMUM_ELEMENTS, format_path, parse_operation, parse_path_elements
from cpppo.server.enip.wire.types import BY_CODE, INT, REAL, USINT, Kind, pack, unpack

__all__ = [
    "FULL",
    "KEYS",
    "METHODS",
    "Operation",
    "Status",
    "as_path",
    "packed",
    "parse_operations",
    "parsed",
    "prepare",
    "refusal",
]

T = TypeVar("T")
M = TypeVar("M", bound=Message)

#: 0 (success), a general status, or a general status and its extended words.
Status = int | tuple[int, list[int]]

#: What an operation can be, and the keys of its dictionary; ``tagtype`` is another name of ``tag_type``.
METHODS = ("read", "write", "get_attribute_single", "get_attributes_all", "set_attribute_single")
KEYS = ("method", "path", "elements", "offset", "tag_type", "tagtype", "data")

#: Octets of a packet around the members of a Multiple Service Packet, and least octets of a request and a reply.
_AROUND, _READ_REQUEST, _WRITE_REQUEST, _REPLY = 68, 22, 24, 6
#: Octets assumed for an element of unknown type.
_ELEMENT = 4
#: A reply that may take all the room there is.
FULL = 0x10000

#: Paths, and operations without data, that are remembered; at most so many of each.
MEMO_ENTRIES = 4096
_paths: dict[Any, tuple[Path, int | None, str]] = {}
_operations: dict[Any, Operation] = {}

#: Compiled parsers of the messages met.
_parsers: dict[type[Message], Any] = {}

_NAMES = {
    READ_TAG.code: "Read  Tag ",
    READ_TAG_FRAGMENTED.code: "Read  Frag",
    WRITE_TAG.code: "Write Tag ",
    WRITE_TAG_FRAGMENTED.code: "Write Frag",
    GET_ATTRIBUTE_SINGLE.code: "G_A_S     ",
    GET_ATTRIBUTES_ALL.code: "G_A_A     ",
    SET_ATTRIBUTE_SINGLE.code: "S_A_S     ",
}


def parse_operations(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The operations that texts such as ``Tag[8-9]=88,99`` and ``@1/1/7`` say, one by one as they are asked for.

    UsageError at the first text that cannot be understood, after the operations before it.
    """
    if isinstance(texts, str):
        raise LocalProtocolError(f"parse_operations takes a sequence of texts; write [{texts!r}]", "texts")
    return map(parse_operation, texts)


def as_path(path: Any) -> tuple[Path, int | None, str]:
    """(path, number of elements if it is text with a range, its text) of text, of terms, or of a Path."""
    try:
        key = _path_key(path)
        found = _paths.get(key)
    except (TypeError, AttributeError):  # terms that cannot be remembered; Path.of says what is wrong with them
        return _resolve(path)
    if found is None:
        found = _remember(_paths, key, _resolve(path))
    return found


def _path_key(path: Any) -> Any:
    # With the types of the values: True is no 1.
    return tuple([(*term.items(), *map(type, term.values())) for term in path]) if path.__class__ is list else path


def _remember(known: dict[Any, T], key: Any, value: T) -> T:
    if len(known) >= MEMO_ENTRIES:  # start afresh, never grow
        known.clear()
    known[key] = value
    return value


def _resolve(path: Any) -> tuple[Path, int | None, str]:
    count = None
    if isinstance(path, str):
        path, _, count = parse_path_elements(path)
    if not isinstance(path, Path):
        terms = list(path) if isinstance(path, Iterable) else [path]
        if not terms or not all(isinstance(term, Mapping) for term in terms):
            raise LocalProtocolError(
                f"{path!r} is no path; eg. 'SCADA[1]' or [{{'class': 2}}, {{'instance': 1}}]", "path"
            )
        path = Path.of(terms)
    return path, count, format_path(path)


class Operation:
    """An operation made ready: its CIP ``request`` record, the ``service`` that it asks for, and its path in ``text``.

    ``elements``: how many it is about (0: not known); ``offset``: octets before the first that is meant;
    ``single``: its description when alone; ``framed``: room for the frame around it, for whoever sends it.
    """

    __slots__ = ("elements", "framed", "offset", "request", "service", "single", "text")

    def __init__(self, service: Service, path: Path, data: Any, text: str, elements: int = 0, offset: int = 0) -> None:
        self.service, self.text, self.elements, self.offset = service, text, elements, offset
        self.request = MemberRequest(service.code, path, data)
        self.single = f"Single {_NAMES[service.code]} {text}"
        self.framed: tuple[Any, ...] = ()

    def __str__(self) -> str:
        name = self.service.name
        return f"{name} {format_path(self.request.path, self.elements)}" if self.elements else f"{name} {self.text}"

    def description(self, multiple: bool) -> str:
        """A few words in columns, eg. ``Single Read  Frag SCADA``."""
        return f"Multi. {_NAMES[self.service.code]} {self.text}" if multiple else self.single

    def asked(self) -> Any:
        """A copy of the request, for a caller to keep and change: this operation may be shared."""
        data = self.request.data
        fields = [getattr(data, name) for name in data._fields_]
        return MemberRequest(self.service.code, self.request.path, type(data)(*fields))

    def sizes(self) -> tuple[int, int]:
        """(octets of the request, most octets of the reply) as members of a Multiple Service Packet."""
        request = 2 + len(self.request.produce())
        code = self.service.code
        if code in (READ_TAG.code, READ_TAG_FRAGMENTED.code):
            data = max(_ELEMENT * self.elements - self.offset, _ELEMENT)
            return max(request, _READ_REQUEST), _REPLY + 2 + data
        if code in (WRITE_TAG.code, WRITE_TAG_FRAGMENTED.code):
            return max(request, _WRITE_REQUEST + len(self.request.data.data)), _REPLY
        return request, _REPLY if code == SET_ATTRIBUTE_SINGLE.code else FULL

    def outcome(self, reply: Any) -> tuple[Status, Any]:
        """(status, value) of a Reply record: a list (octets, if the type is not known), True for writes, None: refused.

        RemoteProtocolError if the reply cannot be one to this operation.
        """
        code = self.service.code
        if reply.service != code | REPLY:
            raise RemoteProtocolError(
                f"a reply to service 0x{reply.service & ~REPLY:02x} answers {self}", "CIP.item[1].data.service"
            )
        general = reply.status
        if general not in self.service.answered:
            return refusal(reply), None
        if code in (READ_TAG.code, READ_TAG_FRAGMENTED.code):
            return general, self._read(reply.data, general == status.PARTIAL)
        if self.service.reply is AttributeData:
            return general, list(reply.data)
        return general, True

    def _read(self, octets: bytes, partial: bool) -> Any:
        """The values of read data; of a part, those that are whole."""
        if partial and not octets:
            return []
        data = parsed(TagData, octets)
        kind = BY_CODE.get(data.type) or kind_of(data.type, data.handle)
        if kind is None:
            return data.data
        if isinstance(kind, ShortString):
            return self._short(kind, data.data, partial)
        size, got = kind.size, len(data.data)
        if partial:
            return unpack(kind, data.data[: got - got % size])
        if got != self.elements * size - self.offset:
            raise RemoteProtocolError(
                f"{got} octets of {kind.name} answer {self}, which needs {self.elements * size - self.offset}",
                "CIP.item[1].data.data",
            )
        return unpack(kind, data.data)

    def _short(self, kind: ShortString, octets: bytes, partial: bool) -> Any:
        """The texts of read data, those that are whole; octets, if they begin within one."""
        if self.offset:
            return octets
        kept, used = kind.received(octets, self.elements)
        if not partial and (used < len(octets) or len(kept) < self.elements * kind.size):
            raise RemoteProtocolError(
                f"{len(octets)} octets of {kind.name} answer {self}, which are not {self.elements} texts",
                "CIP.item[1].data.data",
            )
        return unpack(kind, kept)


def parsed(message: type[M], octets: bytes) -> M:
    """The record of octets received, by the compiled parser; RemoteProtocolError says what is wrong with them."""
    parse = _parsers.get(message)
    if parse is None:
        parse = _parsers[message] = message.parser()
    try:
        record: M = parse(octets, 0, len(octets))
    except REJECTS:
        return message.parse(octets)
    return record


def refusal(reply: Any) -> Status:
    """The status of a reply that carries no value."""
    return (reply.status, list(reply.extended)) if reply.extended else int(reply.status)


def prepare(operation: Mapping[str, Any], fragment: bool = False) -> Operation:
    """Make an operation ready, checking all of it; ``fragment``: use the Fragmented services for tags.

    LocalProtocolError or UsageError says what is wrong with it.
    """
    if "data" in operation:
        return _prepare(operation, fragment)
    try:
        key = (
            fragment,
            *[
                _path_key(value) if name == "path" else (name, value, value.__class__)
                for name, value in operation.items()
            ],
        )
        found = _operations.get(key)
    except (TypeError, AttributeError):
        return _prepare(operation, fragment)
    if found is None:
        found = _remember(_operations, key, _prepare(operation, fragment))
    return found


def _prepare(operation: Mapping[str, Any], fragment: bool) -> Operation:
    get = operation.get
    for key in operation:
        if key not in KEYS:
            raise LocalProtocolError(f"unknown key {key!r}; one of {', '.join(KEYS)}", "operation")
    if "path" not in operation:
        raise LocalProtocolError("it has no path; eg. {'path': 'SCADA[1]'}", "operation")
    path, count, text = as_path(operation["path"])
    data = get("data")
    method = get("method") or ("read" if data is None else "write")
    elements, offset = get("elements"), get("offset")
    if elements is None:
        elements = count
    if fragment and offset is None:
        offset = 0
    if method == "read":
        return _read(path, text, 1 if elements is None else elements, offset)
    kind = get("tag_type")
    if kind is None:
        kind = get("tagtype")
    if method == "write":
        return _write(path, text, _values(data, method), elements, offset, kind)
    if method == "get_attribute_single":
        return Operation(GET_ATTRIBUTE_SINGLE, path, Void(), text)
    if method == "get_attributes_all":
        return Operation(GET_ATTRIBUTES_ALL, path, Void(), text)
    if method == "set_attribute_single":
        octets, _ = _pack(USINT if kind is None else _kind(kind), _values(data, method))
        return Operation(SET_ATTRIBUTE_SINGLE, path, AttributeData(octets), text)
    raise LocalProtocolError(f"unknown method {method!r}; one of {', '.join(METHODS)}", "operation.method")


def _read(path: Path, text: str, elements: int, offset: int | None) -> Operation:
    _check("elements", elements, MAXIMUM_ELEMENTS)
    if offset is None:
        return Operation(READ_TAG, path, ReadTag(elements), text, elements)
    _check("offset", offset, 0xFFFFFFFF)
    return Operation(READ_TAG_FRAGMENTED, path, ReadTagFragmented(elements, offset), text, elements, offset)


def _write(
    path: Path, text: str, data: Sequence[Any], elements: int | None, offset: int | None, kind: Any
) -> Operation:
    if kind is None:
        kind = REAL if any(isinstance(value, float) for value in data) else INT
    kind = _kind(kind)
    octets, count = _pack(kind, data)
    handle = getattr(kind, "handle", None)
    if elements is None:
        elements = count
    _check("elements", elements, MAXIMUM_ELEMENTS)
    if offset is None:
        if count != elements:
            raise LocalProtocolError(f"{count} values for {elements} elements of {text}", "operation.data")
        return Operation(WRITE_TAG, path, WriteTag(kind.tag_type, handle, elements, octets), text, elements)
    _check("offset", offset, 0xFFFFFFFF)
    if offset + len(octets) > elements * kind.size:
        raise LocalProtocolError(
            f"{count} values at offset {offset} go beyond the {elements} elements of {text}", "operation.data"
        )
    written = WriteTagFragmented(kind.tag_type, handle, elements, offset, octets)
    return Operation(WRITE_TAG_FRAGMENTED, path, written, text, elements, offset)


def _kind(kind: Any) -> Kind:
    """The type that a caller names by its code, or by itself; of the structures, STRING."""
    known = isinstance(kind, (Scalar, LogixString, ShortString))
    found: Kind | None = kind if known else kind_of(kind, STRING.handle) if isinstance(kind, int) else None
    if found is None:
        kinds: list[Kind] = [*BY_CODE.values(), SSTRING, STRING]
        codes = ", ".join(f"0x{one.tag_type:02x} {one.name}" for one in kinds)
        raise LocalProtocolError(f"{kind!r} is no type code; one of {codes}", "operation.tag_type")
    return found


def _values(data: Any, method: str) -> Sequence[Any]:
    if isinstance(data, (str, Mapping)) or not isinstance(data, Sequence) or not len(data):
        raise LocalProtocolError(f"to {method} it needs a sequence of values, not {data!r}", "operation.data")
    return data


def _pack(kind: Kind, data: Sequence[Any]) -> tuple[bytes, int]:
    """The octets of values and how many these are; octets are taken as they are, if they are whole elements."""
    given = bytes(data) if isinstance(data, (bytes, bytearray)) else None
    if isinstance(kind, ShortString):
        kept, used = (pack(kind, data), 0) if given is None else kind.received(given, len(given))
        octets, whole = b"".join(kind.sent(kept)), given is None or used == len(given)
    else:
        octets = kept = pack(kind, data) if given is None else given
        whole = len(octets) % kind.size == 0
    if not whole:
        raise LocalProtocolError(f"{len(data)} octets are no whole number of {kind.name}", "operation.data")
    return octets, len(kept) // kind.size


def _check(name: str, value: Any, most: int) -> None:
    if value.__class__ is not int or not 0 <= value <= most:
        raise LocalProtocolError(f"it must be a number of 0 to {most}, not {value!r}", f"operation.{name}")


def packed(operations: Iterable[Operation], multiple: int) -> Iterator[list[Operation]]:
    """The operations in groups, one a request: neither requests nor expected replies beyond ``multiple`` octets.

    Without ``multiple`` each goes alone, and so does one that is too large for any company.  An error of
    ``operations`` shows after the group before it.
    """
    group: list[Operation] = []
    sent = answered = _AROUND
    try:
        for one in operations:
            if multiple > 0:
                request, reply = one.sizes()
                sent, answered = sent + request, answered + reply
                if group and (sent > multiple or answered > multiple):
                    yield group
                    group, sent, answered = [], _AROUND + request, _AROUND + reply
                group.append(one)
            else:
                yield [one]
    except Error:
        if group:
            yield group
        raise
    if group:
        yield group
