"""Points: values of a device, made of one or several of its registers or bits.

Owns: types, the order of octets, scaling, and what fits where: registers to values and back.  Rule: pure functions;
a value that the registers cannot hold is refused, never wrapped.  Must not know requests, tags, files.

A register has 16 bits, the more significant octet first.  The order of a value's octets is told as it is in the
field: A is the most significant, and they stand as they come over the wire, eg. CDAB: the low register first.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from cpppo.errors import UsageError
from cpppo.remote.ranges import locate

__all__ = [
    "FORMS",
    "ORDERS",
    "TYPES",
    "Form",
    "Point",
    "Unfit",
    "order_for",
    "parse_address",
    "parse_point",
    "parse_type",
]


class Unfit(UsageError):
    """A value that the registers, or the type, cannot hold."""


class Form(NamedTuple):
    """What registers hold: the code of ``struct``, and how many of them one value takes."""

    code: str
    registers: int


#: What registers can hold, by the name of its type.
FORMS = {
    "INT": Form("h", 1),
    "UINT": Form("H", 1),
    "WORD": Form("H", 1),
    "DINT": Form("i", 2),
    "UDINT": Form("I", 2),
    "DWORD": Form("I", 2),
    "REAL": Form("f", 2),
    "LINT": Form("q", 4),
    "ULINT": Form("Q", 4),
    "LWORD": Form("Q", 4),
    "LREAL": Form("d", 4),
}
#: The types of points.
TYPES = ("BOOL", *FORMS)
#: The orders of octets, by the registers of a value: high register first, low register first, both with octets swapped.
ORDERS = {
    1: ("AB", "AB", "BA", "BA"),
    2: ("ABCD", "CDAB", "BADC", "DCBA"),
    4: ("ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA"),
}
#: Bits of a register; points of one tag at most, as many as a table has.
_BITS, _COUNT = 16, 65536

_TYPE = re.compile(r"\s*([A-Za-z]\w*)\s*(?:\[\s*(\d+)\s*\])?\s*", re.ASCII)
_ADDRESS = re.compile(r"\s*(\d{1,6})\s*(?:\.\s*(\d{1,3}))?\s*", re.ASCII)
_POINT = re.compile(r"(?P<type>[^@]*)@\s*(?P<address>[\d.]+)(?:\s+(?P<order>\w+))?\s*", re.ASCII)


@dataclass(frozen=True)
class Point:
    """A value, or ``count`` of them (None: a single one), from ``address`` on.

    ``type``: what users see; ``bit``: of that register, if it is a BOOL in one; ``raw``: what the registers hold, in
    ``order``.  What users see is raw * ``scale`` + ``offset``; where that is a whole number it is rounded to the
    nearest, and so is what is written to registers that hold one.
    """

    type: str
    address: int
    bit: int | None = None
    count: int | None = None
    raw: str = ""
    order: str = ""
    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)

    @property
    def size(self) -> int:
        """How many values there are."""
        return 1 if self.count is None else self.count

    @property
    def scaled(self) -> bool:
        """Whether users see other numbers than the registers hold."""
        return self.scale != 1 or self.offset != 0

    @property
    def form(self) -> Form:
        """What the registers of a value hold."""
        return FORMS[self.raw or self.type]

    @property
    def writable(self) -> bool:
        """Whether a device lets it be written: a bit of a register cannot be without the 15 others."""
        return bool(locate(self.address).table.write) and self.bit is None

    def checked(self) -> Point:
        """The point itself; UsageError if there can be none like it."""
        place = locate(self.address)
        if place.table.bits and self.type != "BOOL":
            raise UsageError(f"{self.address} is a {place.table.name}, one bit: its type is BOOL, not {self.type}")
        if self.bit is not None and (self.type != "BOOL" or place.table.bits):
            what = f"{self.address} is one bit itself" if place.table.bits else f"{self.type} has whole registers"
            raise UsageError(f"{what}; leave out .{self.bit}")
        if self.type == "BOOL" and self.bit is None and not place.table.bits:
            raise UsageError(f"{self.address} is a {place.table.name} of {_BITS} bits: say which, eg. {self.address}.0")
        if self.type == "BOOL" and (self.raw or self.order or self.scaled):
            raise UsageError("a BOOL is one bit: raw, order, scale and offset are of numbers")
        last = self.addresses(0, self.size)[-1]
        if last > place.last:
            raise UsageError(f"it would end at {last}; the {place.table.name}s of this notation end at {place.last}")
        return self

    def addresses(self, first: int, stop: int) -> range:
        """The addresses that values [first:stop) are made of."""
        if self.type != "BOOL":
            width = self.form.registers
            return range(self.address + first * width, self.address + stop * width)
        if self.bit is None:
            return range(self.address + first, self.address + stop)
        begin, end = self.bit + first, self.bit + stop - 1
        return range(self.address + begin // _BITS, self.address + end // _BITS + 1)

    def values(self, first: int, stop: int, held: Sequence[int]) -> list[Any]:
        """Values [first:stop), from what their addresses hold.  Unfit: one is beyond what its type can hold."""
        if self.type != "BOOL":
            return [self._seen(one) for one in self._raw(held)]
        if self.bit is None:
            return [bool(one) for one in held]
        start = (self.bit + first) % _BITS
        return [bool(held[at // _BITS] >> at % _BITS & 1) for at in range(start, start + stop - first)]

    def registers(self, values: Sequence[Any]) -> list[int]:
        """What addresses hold for some values, one after the other.  Unfit: they cannot hold one of them."""
        if self.type == "BOOL":
            return [int(bool(one)) for one in values]
        return [one for value in values for one in self._held(self._written(value))]

    # -- registers to numbers as they are, and back

    def _places(self) -> list[int]:
        """Of each octet as it comes, which one it is from the most significant."""
        order = self.order or ORDERS[self.form.registers][0]
        return [ord(one) - ord("A") for one in order]

    def _raw(self, held: Sequence[int]) -> Iterator[Any]:
        code, width = self.form
        places = self._places()
        octets = struct.pack(f">{len(held)}H", *held)
        for start in range(0, len(octets), 2 * width):
            sorted_octets = bytearray(2 * width)
            for at, place in enumerate(places):
                sorted_octets[place] = octets[start + at]
            yield struct.unpack(f">{code}", sorted_octets)[0]

    def _held(self, raw: Any) -> tuple[int, ...]:
        code, width = self.form
        try:
            octets = struct.pack(f">{code}", raw)
        except (struct.error, OverflowError):
            raise Unfit(f"{raw!r} does not fit registers that hold {self.raw or self.type}") from None
        return struct.unpack(f">{width}H", bytes(octets[place] for place in self._places()))

    # -- numbers as they are to those that users see, and back

    def _seen(self, raw: Any) -> Any:
        real = FORMS[self.type].code in "fd"
        if not self.scaled and (self.raw or self.type) == self.type:
            return raw
        if isinstance(raw, float) and not math.isfinite(raw):
            if not real:
                raise Unfit(f"{raw} is no {self.type}")
            return raw if self.scale > 0 else -raw
        return _fit(self.type, Fraction(raw) * self.scale + self.offset)

    def _written(self, value: Any) -> Any:
        raw = self.raw or self.type
        if not self.scaled and raw == self.type:
            return value
        if isinstance(value, float) and not math.isfinite(value):
            if FORMS[raw].code not in "fd":
                raise Unfit(f"{value} does not fit registers that hold {raw}")
            return value if self.scale > 0 else -value
        return _fit(raw, (Fraction(value) - self.offset) / self.scale)


def _fit(kind: str, exact: Fraction) -> Any:
    """A number as a type has it; Unfit if it is beyond."""
    code = FORMS[kind].code
    number: Any
    try:
        number = float(exact) if code in "fd" else _nearest(exact)
        struct.pack(f">{code}", number)
    except (struct.error, OverflowError):
        raise Unfit(f"{_short(exact)} does not fit {kind}") from None
    return number


def _nearest(exact: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    whole = int(abs(exact) + Fraction(1, 2))
    return whole if exact >= 0 else -whole


def _short(exact: Fraction) -> str:
    if exact.denominator == 1 and abs(exact) < 10**20:
        return str(exact)
    try:
        return f"{float(exact):g}"
    except OverflowError:
        return "a number beyond 1.8e308"


# -- texts


def parse_type(text: str) -> tuple[str, int | None]:
    """(type, count or None) of ``REAL`` or ``REAL[4]``; UsageError if it is none."""
    match = _TYPE.fullmatch(text)
    if match is None:
        raise UsageError(f"{text[:40]!r} is no type; eg. INT, REAL or DINT[4]")
    kind = match[1].upper()
    if kind not in TYPES:
        raise UsageError(f"unknown type {match[1][:40]}; one of {', '.join(TYPES)}")
    if match[2] is None:
        return kind, None
    count = int(match[2][:9])
    if not 0 < count <= _COUNT:
        raise UsageError(f"{match[2][:9]} elements: write 1 to {_COUNT}")
    return kind, count


def parse_address(given: Any) -> tuple[int, int | None]:
    """(address, bit or None) of 40001, "40001" or "40001.3"; UsageError if it is none."""
    if isinstance(given, float):
        raise UsageError(f'a bit of a register is written in quotes; eg. "{given}"')
    match = _ADDRESS.fullmatch(str(given)) if not isinstance(given, bool) else None
    if match is None:
        raise UsageError(f"{str(given)[:40]!r} is no address; eg. 40001, or 40001.3 for its bit 3")
    address, bit = int(match[1]), None if match[2] is None else int(match[2])
    locate(address)
    if bit is not None and bit >= _BITS:
        raise UsageError(f"a register has the bits 0 to {_BITS - 1}, 0 being the least significant; not {bit}")
    return address, bit


def parse_point(text: str) -> Point:
    """The point of ``TYPE[count] @ address[.bit] ORDER``, count, bit and order as need be; it is not `checked` yet.

    UsageError says what to write instead.
    """
    match = _POINT.fullmatch(text)
    if match is None:
        raise UsageError(
            f'{text[:60]!r} is not type @ address; eg. "INT @ 40001", "REAL[4] @ 40010 CDAB" or "BOOL @ 1"'
        )
    (kind, count), (address, bit) = parse_type(match["type"]), parse_address(match["address"])
    order = (match["order"] or "").upper()
    return Point(kind, address, bit, count, order=order_for(order, kind) if order else "")


def order_for(order: str, kind: str) -> str:
    """An order of octets, of a type; UsageError if it has others."""
    wanted = order.strip().upper()
    if kind == "BOOL":
        raise UsageError("a BOOL is one bit, and has no order of octets; leave it out")
    known = list(dict.fromkeys(ORDERS[FORMS[kind].registers]))
    if wanted not in known:
        octets = 2 * FORMS[kind].registers
        raise UsageError(f"{order[:20]!r} is no order of the {octets} octets of {kind}; write {', '.join(known)}")
    return wanted
