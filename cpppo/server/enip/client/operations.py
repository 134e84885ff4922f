"""Operations: what a caller asks, as a CIP request; and what the reply to it means.

Owns: the operation dictionaries, their checks, the choice of service, status and value of a reply.
Rule: an operation given by the caller is never changed.  Must not know frames, sessions, sockets or time, nor that
an operation may take several requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from cpppo.errors import LocalProtocolError, RemoteProtocolError
from cpppo.grammar import REJECTS, Message, Scalar
from cpppo.server.enip.client.memo import as_path, path_key, remember
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services import REPLY, Service
from cpppo.server.enip.wire.services.attributes import (
    GET_ATTRIBUTE_LIST,
    GET_ATTRIBUTE_SINGLE,
    GET_ATTRIBUTES_ALL,
    SET_ATTRIBUTE_SINGLE,
    AttributeData,
)
from cpppo.server.enip.wire.services.browse import GET_INSTANCE_ATTRIBUTE_LIST
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
from cpppo.server.enip.wire.strings import SSTRING, STRING, ShortString, kind_of
from cpppo.server.enip.wire.structures import Structure
from cpppo.server.enip.wire.text import MAXIMUM_ELEMENTS, format_path, parse_operation
from cpppo.server.enip.wire.types import BY_CODE, INT, REAL, USINT, Kind, pack, unpack

__all__ = [
    "KEYS",
    "METHODS",
    "Operation",
    "Status",
    "known",
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

#: Operations without data that were made ready.
_operations: dict[Any, Operation] = {}

#: Compiled parsers of the messages met.
_parsers: dict[type[Message], Any] = {}

#: Services that change nothing: they can be asked again.
_READING = frozenset(
    one.code
    for one in (
        *(READ_TAG, READ_TAG_FRAGMENTED, GET_ATTRIBUTE_SINGLE, GET_ATTRIBUTES_ALL, GET_ATTRIBUTE_LIST),
        GET_INSTANCE_ATTRIBUTE_LIST,
    )
)


_NAMES = {
    READ_TAG: "Read  Tag ",
    READ_TAG_FRAGMENTED: "Read  Frag",
    WRITE_TAG: "Write Tag ",
    WRITE_TAG_FRAGMENTED: "Write Frag",
    GET_ATTRIBUTE_SINGLE: "G_A_S     ",
    GET_ATTRIBUTES_ALL: "G_A_A     ",
    SET_ATTRIBUTE_SINGLE: "S_A_S     ",
}


def _named(service: Service) -> str:
    """The name of a service in descriptions."""
    return _NAMES.get(service) or f"{service.name:<10}"


def parse_operations(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The operations that texts such as ``Tag[8-9]=88,99`` and ``@1/1/7`` say, one by one as they are asked for.

    UsageError at the first text that cannot be understood, after the operations before it.
    """
    if isinstance(texts, str):
        raise LocalProtocolError(f"parse_operations takes a sequence of texts; write [{texts!r}]", "texts")
    return map(parse_operation, texts)


class Operation:
    """An operation made ready: its CIP ``request`` record, the ``service`` that it asks for, and its path in ``text``.

    ``elements``: how many it is about (0: not known); ``offset``: octets before the first that is meant; ``explicit``:
    whether the caller named that offset, and so means one fragment; ``kind``: the type it writes to a tag, or None;
    ``reads``: whether it changes nothing; ``key``: the tag with its members and their indices, without case, by which
    to remember what is known of it; ``tag``: the tag, empty if it is told by numbers.
    ``single``: its description when alone; ``framed``: room for the frame around it, for whoever sends it; ``shape``
    and ``seen``: for how its reply looks, and how often that was answered, for whoever receives it.
    """

    __slots__ = (
        *("copied", "elements", "explicit", "framed", "key", "kind", "offset", "reads", "request", "seen", "service"),
        *("shape", "single", "size", "tag", "text"),
    )

    def __init__(
        self,
        service: Service,
        path: Path,
        data: Any,
        text: str,
        elements: int = 0,
        offset: int | None = None,
        kind: Kind | None = None,
    ) -> None:
        self.service, self.text, self.elements, self.kind = service, text, elements, kind
        self.offset, self.explicit = offset or 0, offset is not None
        self.request = MemberRequest(service.code, path, data)
        self.reads = service.code in _READING
        self.key = (text[: text.rindex("[")] if text.endswith("]") else text).lower()
        self.tag = path.symbol[0].lower() if path.symbol and path.class_id is None else ""
        self.size = 0
        self.single = f"Single {_named(service)} {text}"
        self.framed: tuple[Any, ...] = ()
        self.shape: Any = None
        self.seen = 0
        self.copied = type(data), [getattr(data, name) for name in data._fields_]

    def __str__(self) -> str:
        name = self.service.name
        return f"{name} {format_path(self.request.path, self.elements)}" if self.elements else f"{name} {self.text}"

    def description(self, multiple: bool) -> str:
        """A few words in columns, eg. ``Single Read  Frag SCADA``."""
        return f"Multi. {_named(self.service)} {self.text}" if multiple else self.single

    def asked(self) -> Any:
        """A copy of the request, for a caller to keep and change: this operation may be shared."""
        make, fields = self.copied
        return MemberRequest(self.service.code, self.request.path, make(*fields))

    def octets(self) -> int:
        """How many octets its request has."""
        if not self.size:
            self.size = len(self.request.produce())
        return self.size

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
        if self.service.reply is TagData:
            return general, self._read(reply.data, general == status.PARTIAL)
        if self.service.reply is AttributeData:
            return general, list(reply.data)
        return general, True

    def _read(self, octets: bytes, partial: bool) -> Any:
        """The values of read data; of a part, those that are whole; octets, if they begin within one."""
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
            return data.data if self.offset % size else unpack(kind, data.data[: got - got % size])
        if got != self.elements * size - self.offset:
            raise RemoteProtocolError(
                f"{got} octets of {kind.name} answer {self}, which needs {self.elements * size - self.offset}",
                "CIP.item[1].data.data",
            )
        return data.data if self.offset % size else unpack(kind, data.data)

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


def prepare(operation: Mapping[str, Any] | Operation, fragment: bool = False) -> Operation:
    """Make an operation ready, checking all of it; ``fragment``: use the Fragmented services for tags.

    One that is ready stays as it is.  LocalProtocolError or UsageError says what is wrong with it.
    """
    if isinstance(operation, Operation):
        return operation
    if "data" in operation:
        return _prepare(operation, fragment)
    found = known(operation, fragment)
    if found is None:
        found = _prepare(operation, fragment)
        with suppress(TypeError, AttributeError):  # it cannot be remembered
            remember(_operations, _operation_key(operation, fragment), found)
    return found


def known(operation: Mapping[str, Any], fragment: bool) -> Operation | None:
    """An operation without data as it was made ready before, if it was."""
    try:
        return _operations.get(_operation_key(operation, fragment))
    except (TypeError, AttributeError):
        return None


def _operation_key(operation: Mapping[str, Any], fragment: bool) -> Any:
    if len(operation) == 1:
        path = operation.get("path")
        if path.__class__ is str:
            return fragment, path
    return (
        fragment,
        *[path_key(value) if name == "path" else (name, value, value.__class__) for name, value in operation.items()],
    )


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
    fragment = fragment or offset is not None
    if method == "read":
        return _read(path, text, 1 if elements is None else elements, offset, fragment)
    kind = get("tag_type")
    if kind is None:
        kind = get("tagtype")
    if method == "write":
        return _write(path, text, _values(data, method), elements, offset, kind, fragment)
    if method == "get_attribute_single":
        return Operation(GET_ATTRIBUTE_SINGLE, path, Void(), text)
    if method == "get_attributes_all":
        return Operation(GET_ATTRIBUTES_ALL, path, Void(), text)
    if method == "set_attribute_single":
        octets, _ = _pack(USINT if kind is None else _kind(kind), _values(data, method))
        return Operation(SET_ATTRIBUTE_SINGLE, path, AttributeData(octets), text)
    raise LocalProtocolError(f"unknown method {method!r}; one of {', '.join(METHODS)}", "operation.method")


def _read(path: Path, text: str, elements: int, offset: int | None, fragment: bool) -> Operation:
    _check("elements", elements, MAXIMUM_ELEMENTS)
    if not fragment:
        return Operation(READ_TAG, path, ReadTag(elements), text, elements)
    if offset is not None:
        _check("offset", offset, 0xFFFFFFFF)
    return Operation(READ_TAG_FRAGMENTED, path, ReadTagFragmented(elements, offset or 0), text, elements, offset)


def _write(
    path: Path, text: str, data: Sequence[Any], elements: int | None, offset: int | None, kind: Any, fragment: bool
) -> Operation:
    if kind is None:
        kind = REAL if any(isinstance(value, float) for value in data) else INT
    kind = _kind(kind)
    octets, count = _pack(kind, data)
    handle = getattr(kind, "handle", None)
    if elements is None:
        elements = count
    _check("elements", elements, MAXIMUM_ELEMENTS)
    if not fragment:
        if count != elements:
            raise LocalProtocolError(f"{count} values for {elements} elements of {text}", "operation.data")
        return Operation(WRITE_TAG, path, WriteTag(kind.tag_type, handle, elements, octets), text, elements, None, kind)
    start = 0 if offset is None else offset
    _check("offset", start, 0xFFFFFFFF)
    if start + len(octets) > elements * kind.size:
        raise LocalProtocolError(
            f"{count} values at offset {start} go beyond the {elements} elements of {text}", "operation.data"
        )
    written = WriteTagFragmented(kind.tag_type, handle, elements, start, octets)
    return Operation(WRITE_TAG_FRAGMENTED, path, written, text, elements, offset, kind)


def _kind(kind: Any) -> Kind:
    """The type that a caller names by its code, or by itself; of the structures, STRING."""
    known = isinstance(kind, (Scalar, Structure, ShortString))
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
