"""Plans: which requests read or write what a person asked for, and how their replies become its values.

Owns: merging neighbours into one read, bits into their words, and taking results apart again.
Rule: sans-I/O; a plan is made of the catalog alone, and can be printed.  Must not know sockets or packets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cpppo.errors import LocalProtocolError, RemoteProtocolError, StatusError
from cpppo.server.enip.client.operations import Operation, prepare
from cpppo.server.enip.client.pending import failure
from cpppo.server.enip.client.places import Place, checked, shaped
from cpppo.server.enip.client.rehearsed import Batch
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services.tag import RMW_TAG, ReadModifyWriteTag
from cpppo.server.enip.wire.structures import Structure
from cpppo.server.enip.wire.text import format_path
from cpppo.server.enip.wire.types import DWORD, Kind, pack, unpack

__all__ = ["Plan", "Read", "Write", "plan_reads", "plan_writes"]

#: Octets that may be read in vain to read two places of an array at once: as many as another request would take.
_GAP = 64
_WORD_BITS = 8 * DWORD.size


class Read(NamedTuple):
    """One read of ``elements`` elements from ``start`` on, and the places that it is for.

    ``head``: how the data of its reply begins; ``alone``: it is for the value of one element, and nothing else.
    """

    operation: Operation
    kind: Kind
    start: int
    elements: int
    places: tuple[int, ...]
    head: bytes
    alone: bool

    def __str__(self) -> str:
        return str(self.operation)


class Write(NamedTuple):
    """One write, for the place of a number."""

    operation: Operation
    place: int

    def __str__(self) -> str:
        return str(self.operation)


class Plan:
    """What is read for the places asked for; ``str()`` shows it, a request a line."""

    def __init__(self, places: Sequence[Place], reads: Sequence[Read]) -> None:
        self.places, self.reads = places, reads
        #: To be done together.
        self.operations = Batch(one.operation for one in reads)
        #: Whether each read is for one place, in their order.
        self._plain = all(one.alone and one.places == (number,) for number, one in enumerate(reads))

    def values(self, results: Sequence[Any]) -> list[Any]:
        """The value of each place, or the StatusError that it got, in the order asked."""
        if self._plain:
            return [
                _elements(read, result)[0] if result.val is not None else failure(result)
                for read, result in zip(self.reads, results, strict=True)
            ]
        found: list[Any] = [None] * len(self.places)
        for read, result in zip(self.reads, results, strict=True):
            refused = failure(result) if result.val is None else None
            elements = [] if refused else _elements(read, result)
            if read.alone:
                found[read.places[0]] = refused or elements[0]
                continue
            for number in read.places:
                found[number] = refused or _value(self.places[number], elements, read.start)
        return found

    def __str__(self) -> str:
        lines = []
        for read in self.reads:
            names = ", ".join(self.places[number].text for number in read.places)
            lines.append(f"{read}: {names}")
        return "\n".join(lines)


def plan_reads(places: Sequence[Place]) -> Plan:
    """The fewest reads for some places: those of an array that are near each other are read at once."""
    groups: dict[Any, list[int]] = {}
    for number, place in enumerate(places):
        groups.setdefault((_key(place.path), place.kind), []).append(number)
    reads = [read for numbers in groups.values() for read in _merged(places, numbers)]
    reads.sort(key=lambda read: min(read.places))
    return Plan(places, reads)


def _key(path: Iterable[Mapping[str, Any]]) -> tuple[Any, ...]:
    """What makes two paths the same; names are compared without case."""
    return tuple(
        (name, value.lower() if isinstance(value, str) else value) for one in path for name, value in one.items()
    )


def _merged(places: Sequence[Place], numbers: list[int]) -> Iterable[Read]:
    """Reads of places in one array, in the order of their elements."""
    size = places[numbers[0]].kind.size
    spans = sorted((places[number].words(), number) for number in numbers)
    run: list[int] = []
    start = end = 0
    for (first, count), number in spans:
        if run and (first - end) * size > _GAP:
            yield _read(places, run, start, end)
            run = []
        if not run:
            start = end = first
        end = max(end, first + count)
        run.append(number)
    yield _read(places, run, start, end)


def _read(places: Sequence[Place], run: Sequence[int], start: int, end: int) -> Read:
    place = places[run[0]]
    operation = prepare({"path": _path(place, start), "elements": end - start})
    head = (place.kind.tag_type or 0).to_bytes(2, "little")
    if isinstance(place.kind, Structure):
        head += place.kind.handle.to_bytes(2, "little")
    alone = len(run) == 1 and place.number is None and place.bit is None
    return Read(operation, place.kind, start, end - start, tuple(run), head, alone)


def _path(place: Place, start: int) -> list[dict[str, Any]]:
    """The path to an element: an index for each dimension."""
    indices: list[int] = []
    for size in reversed(place.shape):
        start, index = divmod(start, size)
        indices.insert(0, index)
    return [*map(dict, place.path), *({"element": index} for index in indices)]


def _elements(read: Read, result: Any) -> list[Any]:
    """The values that a read gave; RemoteProtocolError if they are of another type than the catalog says."""
    values: list[Any] = result.val
    if not result.rpy.data.startswith(read.head):
        raise RemoteProtocolError(f"{read} gave another type than {read.kind.name}: the program has changed", "type")
    if values.__class__ is not list:
        values = unpack(read.kind, bytes(values))
    if len(values) != read.elements:
        raise RemoteProtocolError(f"{read} gave {len(values)} elements", "data")
    return values


def _value(place: Place, elements: list[Any], start: int) -> Any:
    """The value of a place among elements from ``start`` on."""
    if place.bit is not None:
        if place.kind is not DWORD or not place.shape:
            word = elements[place.start - start]
            return bool(word >> place.bit & 1)
        first = place.start - start * _WORD_BITS
        bits = [
            bool(elements[at // _WORD_BITS] >> at % _WORD_BITS & 1) for at in range(first, first + (place.number or 1))
        ]
        return bits[0] if place.number is None else bits
    first = place.start - start
    if place.number is None:
        return elements[first]
    values = elements[first : first + place.number]
    return shaped(values, place.shape) if place.whole else values


def plan_writes(places: Sequence[Place], values: Sequence[Any]) -> list[Write]:
    """The writes of values to places, all checked first; several only for a range of BOOLs in several words.

    LocalProtocolError names the value that does not belong there; StatusError (0x0F) for a tag that cannot be written.
    """
    return [
        write
        for number, (place, value) in enumerate(zip(places, values, strict=True))
        for write in _writes(place, number, value)
    ]


def _writes(place: Place, number: int, value: Any) -> Iterable[Write]:
    if place.tag.access == "read-only":  # without access it is for the controller to refuse, as when it is read
        raise StatusError(status.PRIVILEGE_VIOLATION, (), f"{place.tag.name} is read-only")
    data = checked(place, value)
    if place.bit is not None:
        return [Write(one, number) for one in _masks(place, data)]
    try:
        pack(place.kind, data)  # which checks the ranges
    except LocalProtocolError as exc:
        raise LocalProtocolError(exc.reason, f"{place.text}{exc.path if place.number is not None else ''}") from None
    path = _path(place, place.start)
    return [Write(prepare({"method": "write", "path": path, "data": data, "tag_type": place.kind}), number)]


def _masks(place: Place, bits: Sequence[bool]) -> Iterable[Operation]:
    """Read Modify Write of each word that bits are in."""
    array = place.kind is DWORD and bool(place.shape)
    first = place.start if array else place.start * 8 * place.kind.size + (place.bit or 0)
    size = place.kind.size
    masks: dict[int, tuple[int, int]] = {}
    for at, bit in enumerate(bits, first):
        word, one = at // (8 * size), 1 << at % (8 * size)
        ones, keep = masks.get(word, (0, (1 << 8 * size) - 1))
        masks[word] = (ones | one, keep) if bit else (ones, keep & ~one)
    for word, (ones, keep) in masks.items():
        path = _path(place, word)
        octets = ones.to_bytes(size, "little") + keep.to_bytes(size, "little")
        yield Operation(RMW_TAG, Path.of(path), ReadModifyWriteTag(size, octets), format_path(path))
