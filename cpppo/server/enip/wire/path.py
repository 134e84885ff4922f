"""EPATH: the segments of a path to an object, and the Path they make (CIP volume 1, appendix C-1).

Owns: the declarations of all segments, the immutable Path, and ``EPATH`` itself, memoised by its octets.
Rule: any encoding of a value is parsed, the narrowest is produced.  Must not know what a path leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from cpppo.errors import LocalProtocolError
from cpppo.grammar import Node, Struct, const, drop, field, mapped, memo, octets, peek, rest, text
from cpppo.grammar.produce import producer
from cpppo.server.enip.wire.types import UDINT, UINT, USINT

__all__ = ["EPATH", "SEGMENTS", "Path", "encoded"]

_LOGICAL = {"class": 0x20, "instance": 0x24, "element": 0x28, "connection": 0x2C, "attribute": 0x30}
_NETWORK = range(0x40, 0x50)
_SYMBOLIC, _KEY, _DATA, _WIDE_PORT, _ADDRESS = 0x91, 0x34, 0x80, 0x0F, 0x10

#: The encodings that nearly every path is made of: names, elements, classes and instances.
_LIKELY = (_SYMBOLIC, 0x28, 0x20, 0x24)

_cases: dict[int, Any] = {}
#: Segment record classes by the names of the fields that tell them.
SEGMENTS: dict[str, Any] = {}
#: For segment records whose encoding their class does not tell, the octet of the encoding that produces them.
_octet_of: dict[type, Callable[[Any], int]] = {}


def _logical(name: str, base: int) -> None:
    """A class, instance, ... in 8, 16 and 32 bits, all giving the same record."""
    narrow = Struct(f"{name.capitalize()}Segment", [const(base, USINT), name / USINT], frozen=True)
    _cases[base] = narrow
    _cases[base + 1] = Struct(f"{name}_16", [const(base + 1, USINT), drop(1), name / UINT], record=narrow)
    _cases[base + 2] = Struct(f"{name}_32", [const(base + 2, USINT), drop(1), name / UDINT], record=narrow)
    SEGMENTS[name] = narrow


def _ports() -> None:
    """A port and a link: one octet each, or a wide port, or a link that is an address in text."""
    port = Struct("PortSegment", ["port" / USINT, "link" / USINT], frozen=True)
    for number in range(1, 15):
        _cases[number] = port
        address = Struct(
            f"address_{number}",
            [
                const(_ADDRESS + number, USINT),
                "size" / USINT,
                "link" / text(field("size")),
                drop(field("size") % 2),
            ],
        )
        _cases[_ADDRESS + number] = mapped(address._node_, _at_port(port, number))
    _cases[_WIDE_PORT] = Struct("wide_port", [const(_WIDE_PORT, USINT), "port" / UINT, "link" / USINT], record=port)
    _cases[_ADDRESS + _WIDE_PORT] = Struct(
        "wide_address",
        [
            const(_ADDRESS + _WIDE_PORT, USINT),
            "size" / USINT,
            "port" / UINT,
            "link" / text(field("size")),
            drop(field("size") % 2),
        ],
        record=port,
    )
    SEGMENTS["port"] = port
    _octet_of[port] = _port_octet


def _at_port(port: Any, number: int) -> Callable[[Any], Any]:
    def build(address: Any) -> Any:
        return port(port=number, link=address.link)

    return build


def _port_octet(one: Any) -> int:
    return (one.port if 0 < one.port < _WIDE_PORT else _WIDE_PORT) + (_ADDRESS if isinstance(one.link, str) else 0)


def _others() -> None:
    """Symbolic, electronic key, network and data segments."""
    symbolic = [const(_SYMBOLIC, USINT), "size" / USINT, "symbolic" / text(field("size")), drop(field("size") % 2)]
    SEGMENTS["symbolic"] = _cases[_SYMBOLIC] = Struct("SymbolicSegment", symbolic, frozen=True)
    key = ["vendor" / UINT, "device_type" / UINT, "product_code" / UINT, "major" / USINT, "minor" / USINT]
    SEGMENTS["vendor"] = _cases[_KEY] = Struct("KeySegment", [const(_KEY, USINT), const(4, USINT), *key], frozen=True)
    SEGMENTS["network"] = network = Struct("NetworkSegment", ["network" / USINT, "value" / USINT], frozen=True)
    _cases.update(dict.fromkeys(_NETWORK, network))
    _octet_of[network] = lambda segment: int(segment.network)
    data = [const(_DATA, USINT), "size" / USINT, "data" / octets(field("size") * 2)]
    SEGMENTS["data"] = _cases[_DATA] = Struct("DataSegment", data, frozen=True)


for _name, _base in _LOGICAL.items():
    _logical(_name, _base)
_ports()
_others()


_SLOTS = ("attribute", "class_id", "connection", "element", "hash", "instance", "octets", "segment", "symbol")


class _Draft:
    """A path that is being made; it becomes a Path by its class."""

    __slots__ = _SLOTS


class Path:
    """An immutable path.  ``segment``: its records in order; ``class_id``, ``instance``, ``attribute``,
    ``connection``: the last of each or None; ``element``: all elements; ``symbol``: all symbolic names.
    ``octets``: what was produced for it, if anything was.
    """

    __slots__ = _SLOTS

    segment: tuple[Any, ...]
    class_id: int | None
    instance: int | None
    attribute: int | None
    connection: int | None
    element: tuple[int, ...]
    symbol: tuple[str, ...]
    octets: bytes | None
    hash: int | None

    def __new__(cls, segments: Iterable[Any]) -> Any:
        class_id = instance = attribute = connection = None
        element: tuple[int, ...] = ()
        symbol: tuple[str, ...] = ()
        segments = tuple(segments)
        for one in segments:
            kind = type(one)
            if kind is _Symbolic:
                symbol += (one.symbolic,)
            elif kind is _Class:
                class_id = one.class_
            elif kind is _Instance:
                instance = one.instance
            elif kind is _Element:
                element += (one.element,)
            elif kind is _Attribute:
                attribute = one.attribute
            elif kind is _Connection:
                connection = one.connection
        draft = _new(_Draft)
        draft.segment = segments
        draft.class_id, draft.instance, draft.attribute, draft.connection = class_id, instance, attribute, connection
        draft.element, draft.symbol = element, symbol
        draft.octets = draft.hash = None
        draft.__class__ = cls
        return draft

    @classmethod
    def of(cls, terms: Iterable[Mapping[str, Any]]) -> Path:
        """A path from ``[{"class": 2}, {"instance": 1, "attribute": 3}, {"port": 1, "link": 0}]``."""
        path: Path = cls(segment for term in terms for segment in _segments(dict(term)))
        return path

    def as_plain(self) -> list[dict[str, Any]]:
        """The terms that ``of`` takes."""
        return [segment.as_dict() for segment in self.segment]

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise LocalProtocolError("a path is shared and cannot be changed; make a new one with Path.of", name)

    def _level_(self) -> Iterable[tuple[str, Any]]:
        return [("segment", list(self.segment))]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Path) and self.segment == other.segment

    def __hash__(self) -> int:
        value = self.hash
        if value is None:
            value = hash(self.segment)
            _set_hash(self, value)
        return value

    def __repr__(self) -> str:
        return f"Path.of({self.as_plain()!r})"


_Class, _Instance, _Element = SEGMENTS["class"], SEGMENTS["instance"], SEGMENTS["element"]
_Attribute, _Connection, _Symbolic = SEGMENTS["attribute"], SEGMENTS["connection"], SEGMENTS["symbolic"]
_slots: Mapping[str, Any] = vars(Path)
_set_octets, _set_hash = _slots["octets"].__set__, _slots["hash"].__set__
_new: Any = object.__new__


def _segments(term: dict[str, Any]) -> Iterable[Any]:
    """The segment records of one term, which may hold several."""
    while term:
        name = next(iter(term))
        kind = SEGMENTS.get("port" if name == "link" else name)
        if kind is None:
            raise LocalProtocolError(f"unknown path component {name!r}; one of {', '.join(SEGMENTS)}", "path")
        names = [one.rstrip("_") for one in kind._fields_]
        missing = [one for one in names if one not in term]
        if missing:
            raise LocalProtocolError(f"{name!r} also needs {', '.join(map(repr, missing))}", "path")
        yield kind(*(_checked(one, term.pop(one)) for one in names))


def _checked(name: str, value: Any) -> Any:
    """A component's value; a link may be text, a symbol must be, data is octets, all else are numbers."""
    if name == "data":
        return bytes(value)
    if name == "symbolic" or (name == "link" and isinstance(value, str)):
        return str(value)
    if name == "network" and value not in _NETWORK:
        raise LocalProtocolError(f"a network segment starts with 0x40 to 0x4F, not {value!r}", "path")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0xFFFFFFFF:
        raise LocalProtocolError(f"{name!r} must be a number of 0 to 0xFFFFFFFF, not {value!r}", "path")
    return value


#: A path that fills its limit (always used within one).
EPATH: Node[Path] = memo(
    mapped(rest(peek(_cases, of=_octet_of, likely=_LIKELY)), Path, "segment"), _set_octets, granularity=2
)


def encoded(path: Path) -> bytes:
    """The octets of a path."""
    octets: bytes = producer(EPATH)(path)
    return octets
