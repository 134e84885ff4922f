"""The requests that write values from an address on.

Owns: what can be written where, in which pieces, by which functions.  Rule: pure; what cannot be written as it is given
is refused whole, before anything is sent.  Must not know: devices, who sends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from cpppo.errors import Error, UsageError
from cpppo.remote import pdu
from cpppo.remote.plc import several
from cpppo.remote.ranges import locate, shatter, spelled

__all__ = ["Write", "writes_of"]


class Write(NamedTuple):
    """One request of a write, and the first address that it writes."""

    pdu: bytes
    address: int


def writes_of(address: int, value: Any, multi: bool = False) -> list[Write]:
    """The requests that write a value, or a sequence of them from `address` on; UsageError: they cannot be written.

    Sequences go by the functions for several, single registers too with `multi`; coils never.
    """
    try:
        values = several(value)
    except UsageError as exc:
        raise UsageError(f"Invalid value for a write to {address} ({exc})") from exc
    try:
        place = locate(address)
        if not place.table.write:
            raise ValueError(f"{place.table.name}s are read-only")
        if not values:
            raise ValueError("no value")
        if address + len(values) - 1 > place.last:
            raise ValueError(f"{len(values)} values go beyond {place.last}")
    except ValueError as exc:
        raise UsageError(f"Invalid Modbus address for write: {address} ({exc})") from exc
    many = isinstance(value, Iterable) or (multi and not place.table.bits)
    function = place.table.write_several if many else place.table.write
    writes = []
    for start, count in shatter(address, len(values), pdu.WRITE_LIMIT[place.table.bits]):
        some = values[start - address : start - address + count]
        try:
            writes.append(Write(pdu.request_write(function, place.offset + start - address, some), start))
        except (Error, TypeError, ValueError, OverflowError) as exc:
            raise UsageError(f"Invalid value for a write to {spelled(address, len(values))} ({exc})") from exc
    return writes
