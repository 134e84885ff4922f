"""Places: what a person's text says of a controller's tags: ``SCADA[0-9]``, ``Drive[2].speed``, ``Word.3``.

Owns: finding it in a Catalog, and checking values before they are sent.  Rule: strict: nothing is converted that a
person could have meant otherwise.  Must not know requests or sockets.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cpppo.errors import Error, LocalProtocolError
from cpppo.server.enip.client.catalog import Catalog, TagInfo
from cpppo.server.enip.wire.structures import Structure
from cpppo.server.enip.wire.text import format_path, parse_path_elements
from cpppo.server.enip.wire.types import BOOL, DWORD, Kind

__all__ = ["Place", "UnknownTag", "checked", "find", "shaped"]

_PROGRAM = "program:"
_WORD_BITS = 8 * DWORD.size
#: The ``struct`` codes of whole numbers, and of real ones.
_WHOLE, _REAL = frozenset("bhiqBHIQ"), frozenset("fd")
#: Near names that are shown of a tag that is not there.
_NEAR = 3


class UnknownTag(Error, KeyError):
    """A tag, member or element that the controller does not have."""

    def __str__(self) -> str:  # KeyError would quote it
        return str(self.args[0])


class Place(NamedTuple):
    """A part of a tag.  ``text``: as it was asked for; ``path``: the terms before the indices; ``kind``: the type of
    the elements there, of which ``shape`` has the dimensions; ``start``: the first, in row-major order.

    ``number``: how many, None for one alone, whose value is no list; ``whole``: all were meant, by the name alone.
    ``bit``: of a word, or the first of an array of BOOL, in which ``start`` and ``number`` are about BOOLs.
    """

    text: str
    tag: TagInfo
    path: tuple[Mapping[str, Any], ...]
    kind: Kind
    shape: tuple[int, ...]
    start: int
    number: int | None
    whole: bool = False
    bit: int | None = None

    @property
    def bools(self) -> bool:
        """Whether it is about single BOOLs of words."""
        return self.bit is not None

    def words(self) -> tuple[int, int]:
        """(first element, number of elements) to read for it."""
        if self.bit is None or self.kind is not DWORD or not self.shape:
            return self.start, self.number or 1
        first, last = self.start // _WORD_BITS, (self.start + (self.number or 1) - 1) // _WORD_BITS
        return first, last - first + 1


def find(text: str, catalog: Catalog) -> Place:
    """The place that a text names; UnknownTag if it is not there, UsageError if it is no text of a tag."""
    terms, _, count = parse_path_elements(text)
    if not terms or "symbolic" not in terms[0]:
        raise LocalProtocolError(f"{text!r} is a numeric address; read it through a connector", "tag")
    name = terms[0]["symbolic"]
    at = 1
    if name.lower().startswith(_PROGRAM) and len(terms) > 1 and "symbolic" in terms[1]:
        name, at = f"{name}.{terms[1]['symbolic']}", 2
    tag = catalog.get(name)
    if tag is None:
        raise UnknownTag(_unknown(name, catalog))
    if tag.kind is None:
        raise UnknownTag(f"{tag.name} is of a type that is not known")
    return _walk(text, tag, terms, at, count)


def _unknown(name: str, catalog: Catalog) -> str:
    names = {one.name.lower(): one.name for one in catalog}
    near = difflib.get_close_matches(name.lower(), names, _NEAR)
    hint = f"; is it {' or '.join(names[one] for one in near)}?" if near else ""
    return f"there is no tag {name!r}{hint}"


def _walk(text: str, tag: TagInfo, terms: Sequence[Mapping[str, Any]], at: int, count: int | None) -> Place:
    """Go through indices and members to what is meant."""
    assert tag.kind is not None
    kind, shape = tag.kind, tag.shape
    path = list(terms[:at])
    indices = _indices(terms, at)
    while at + len(indices) < len(terms):
        path += terms[at : at + len(indices)]
        start = _linear(text, path, indices, shape) if indices else 0
        at += len(indices)
        member = terms[at]["symbolic"]
        at += 1
        if isinstance(kind, Structure):
            found = kind.find(member)
            if found is None:
                raise UnknownTag(f"{format_path(path)} has no member {member!r}; it is a {kind.name}")
            path.append({"symbolic": found.name})
            kind, shape = found.kind, (found.count,) if found.count else ()
            indices = _indices(terms, at)
            continue
        if at < len(terms) or not _is_bit(kind, member):
            raise UnknownTag(f"{format_path(path)} is of type {kind.name}, which has no {member!r}")
        where = path[: len(path) - len(indices)]
        return Place(text, tag, tuple(where), kind, shape, start, None, bit=int(member))
    if kind is DWORD and shape:  # there are no others in a controller: it is an array of BOOL
        return _bools(text, tag, path, indices, shape, count)
    start = _linear(text, path, indices, shape) if indices else 0
    whole = not indices and bool(shape)
    total = math.prod(shape)
    if whole:
        count = total
    if count is not None and start + count > (total if shape else 1):
        raise UnknownTag(f"{text}: {format_path(path)} has {total if shape else 1} elements")
    return Place(text, tag, tuple(path), kind, shape, start, count, whole)


def _bools(
    text: str,
    tag: TagInfo,
    path: Sequence[Mapping[str, Any]],
    indices: tuple[int, ...],
    shape: tuple[int, ...],
    count: int | None,
) -> Place:
    total = shape[0] * _WORD_BITS
    start, whole = indices[0] if indices else 0, not indices
    count = total if whole else count
    if len(indices) > 1 or start + (count or 1) > total:
        raise UnknownTag(f"{text}: {format_path(path)} has {total} BOOLs")
    return Place(text, tag, tuple(path), DWORD, shape, start, count, whole, bit=0)


def _is_bit(kind: Kind, member: str) -> bool:
    return kind.code in _WHOLE and member.isdecimal() and member.isascii() and int(member) < 8 * kind.size


def _indices(terms: Sequence[Mapping[str, Any]], at: int) -> tuple[int, ...]:
    found = []
    while at < len(terms) and "element" in terms[at]:
        found.append(terms[at]["element"])
        at += 1
    return tuple(found)


def _linear(text: str, path: Sequence[Mapping[str, Any]], indices: tuple[int, ...], shape: tuple[int, ...]) -> int:
    if len(indices) != max(len(shape), 1) or any(one >= most for one, most in zip(indices, shape or (1,), strict=True)):
        names = [one for one in path if "symbolic" in one]
        size = f"[{','.join(map(str, shape))}]" if shape else ", which is no array"
        raise UnknownTag(f"{text}: there is no such element of {format_path(names)}{size}")
    at = 0
    for one, most in zip(indices, shape or (1,), strict=True):
        at = at * most + one
    return at


def shaped(values: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """All elements of an array of several dimensions as lists of lists."""
    for size in reversed(shape[1:]):
        values = [values[at : at + size] for at in range(0, len(values), size)]
    return values


def checked(place: Place, value: Any) -> list[Any]:
    """The elements to write for a value; LocalProtocolError unless it is exactly what belongs there."""
    if place.number is None:
        values = [value]
    else:
        values = _flat(value, place.shape) if place.whole else value
        if not isinstance(values, (list, tuple)) or len(values) != place.number:
            raise LocalProtocolError(f"{_shown(value)} is not a list of {place.number} {_name(place)}", place.text)
    kind = BOOL if place.bools else place.kind
    for at, one in enumerate(values):
        _check(kind, one, place.text if place.number is None else f"{place.text}[{at}]")
    return list(values)


def _name(place: Place) -> str:
    return BOOL.name if place.bools else place.kind.name


def _flat(value: Any, shape: tuple[int, ...]) -> Any:
    """The elements of lists in lists, if they are just as the dimensions say; else the value as it is."""
    if len(shape) < 2 or not isinstance(value, (list, tuple)) or len(value) != shape[0]:
        return value
    rows = [_flat(one, shape[1:]) for one in value]
    most = math.prod(shape[1:])
    if not all(isinstance(row, (list, tuple)) and len(row) == most for row in rows):
        return value
    return [one for row in rows for one in row]


def _check(kind: Kind, value: Any, where: str) -> None:
    """LocalProtocolError unless a value is of a type, whole and in every part."""
    if kind is BOOL:
        fits = isinstance(value, bool) or (type(value) is int and value in (0, 1))
    elif kind.code in _WHOLE:
        fits = isinstance(value, int) and not isinstance(value, bool)
    elif kind.code in _REAL:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif isinstance(kind.default, str):
        fits = isinstance(value, str)
    elif isinstance(kind, Structure):
        return _check_members(kind, value, where)
    else:
        fits = True
    if not fits:
        raise LocalProtocolError(f"{_shown(value)} is no {kind.name}", where)


def _check_members(kind: Structure, value: Any, where: str) -> None:
    if not isinstance(value, Mapping):
        raise LocalProtocolError(f"{_shown(value)} is no {kind.name}: it takes its members", where)
    names = {str(name).lower() for name in value}
    missing = [one.name for one in kind.members if not one.hidden and one.name.lower() not in names]
    if missing:
        raise LocalProtocolError(f"members are missing: {', '.join(missing)}; they would become 0", where)
    for name, one in value.items():
        member = kind.find(str(name))
        if member is None:
            raise LocalProtocolError(f"{kind.name} has no member {name!r}", where)
        inner = f"{where}.{member.name}"
        if not member.count:
            _check(member.kind, one, inner)
            continue
        if not isinstance(one, (list, tuple)) or len(one) != member.count:
            raise LocalProtocolError(f"{_shown(one)} is not a list of {member.count} {member.kind.name}", inner)
        for at, part in enumerate(one):
            _check(member.kind, part, f"{inner}[{at}]")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
