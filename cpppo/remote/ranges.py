"""Modbus addresses as people write them (40001), the tables they are in, and ranges of them.

Owns: which address is in which table, what can be written, merging and shattering of ranges, their spelling.  Rule:
pure functions.  Must not know: requests, devices, time.

An address says its table by its first digits and its place in it by the others, from 1: 40001 and 400001 are both the
first holding register, at protocol address 0.  Source: Modicon Modbus protocol reference guide, "reference" notation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cpppo.errors import UsageError
from cpppo.remote import pdu

__all__ = [
    "COILS",
    "DISCRETE_INPUTS",
    "HOLDING_REGISTERS",
    "INPUT_REGISTERS",
    "TABLES",
    "Place",
    "Table",
    "locate",
    "merge",
    "parse_range",
    "shatter",
    "spelled",
]


class Table(NamedTuple):
    """One of the four tables of a Modbus device."""

    name: str
    #: The addresses of its elements: (first, last) of each notation.
    spans: tuple[tuple[int, int], ...]
    read: int
    #: The functions that write one element and several; 0: they cannot be written.
    write: int
    write_several: int
    bits: bool


COILS = Table("coil", ((1, 9999),), pdu.READ_COILS, pdu.WRITE_COIL, pdu.WRITE_COILS, True)
DISCRETE_INPUTS = Table("discrete input", ((10001, 19999), (100001, 165536)), pdu.READ_DISCRETE_INPUTS, 0, 0, True)
INPUT_REGISTERS = Table("input register", ((30001, 39999), (300001, 365536)), pdu.READ_INPUT_REGISTERS, 0, 0, False)
HOLDING_REGISTERS = Table(
    "holding register",
    ((40001, 99999), (400001, 465536)),
    pdu.READ_HOLDING_REGISTERS,
    pdu.WRITE_REGISTER,
    pdu.WRITE_REGISTERS,
    False,
)
TABLES = (COILS, DISCRETE_INPUTS, INPUT_REGISTERS, HOLDING_REGISTERS)

_SPANS = tuple((first, last, table) for table in TABLES for first, last in table.spans)
#: Ranges are merged within blocks of so many addresses only.
_BLOCK = 10000


class Place(NamedTuple):
    """Where an address is: its table, its protocol address (from 0), and the last address of its notation."""

    table: Table
    offset: int
    last: int


def locate(address: int) -> Place:
    """The place of an address.  UsageError, with the ranges that there are, if it is in none."""
    if not hasattr(address, "__index__"):
        raise UsageError(f"{address!r} is no Modbus address: these are whole numbers, eg. 40001")
    for first, last, table in _SPANS:
        if first <= address <= last:
            return Place(table, address - first, last)
    known = ", ".join(f"{first}-{last} ({table.name}s)" for first, last, table in sorted(_SPANS)[:4])
    raise UsageError(f"{address} is no Modbus address: {known}, or 6 digits: 100001-, 300001-, 400001-")


def merge(ranges: Iterable[tuple[int, int]], reach: int = 1, limit: int | None = None) -> Iterator[tuple[int, int]]:
    """(address, count) ranges in order, neighbours as one: those at most `reach` apart (1: touching).

    None is longer than `limit` (None: what one request may read), and none joins two blocks of 10000 addresses.  A
    range that is not longer itself is never divided: its values can be had together.
    """
    first = beyond = -1
    for start, count in sorted(ranges):
        most = limit or pdu.READ_LIMIT[locate(start).table.bits]
        end = start + count
        while start < end:
            near = 0 <= first <= start < beyond + reach and start // _BLOCK == first // _BLOCK
            if near and (end <= first + most or (count > most and start < first + most)):
                beyond = max(beyond, min(end, first + most))
            else:
                if first >= 0:
                    yield first, beyond - first
                first, beyond = start, min(end, start + most)
            start = beyond
    if first >= 0:
        yield first, beyond - first


def shatter(address: int, count: int, limit: int | None = None) -> Iterator[tuple[int, int]]:
    """A range in pieces of at most `limit` (None: what one request may read: 2000 bits, 125 registers)."""
    most = limit or pdu.READ_LIMIT[locate(address).table.bits]
    for start in range(0, count, most):
        yield address + start, min(most, count - start)


_RANGE = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?")


def parse_range(text: str) -> tuple[int, int]:
    """(address, count) of "40001" or "40001-40100".  UsageError says what is wrong with it."""
    match = _RANGE.fullmatch(text)
    if not match:
        raise UsageError(f"{text!r} is no range of addresses: write 40001 or 40001-40100")
    first = int(match[1])
    last = int(match[2] or match[1])
    place = locate(first)
    if last < first:
        raise UsageError(f"{text.strip()}: the last address comes before the first; write {last}-{first}")
    if last > place.last:
        raise UsageError(f"{text.strip()}: the {place.table.name}s of this notation end at {place.last}")
    return first, last - first + 1


def spelled(address: int, count: int) -> str:
    """A range as people write it."""
    return f"{address}-{address + count - 1}" if count > 1 else str(address)
