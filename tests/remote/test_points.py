"""Points: registers to values and back, exactly, in every order, and refusals of what does not fit."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import UsageError
from cpppo.remote.points import FORMS, ORDERS, Point, Unfit, order_for, parse_address, parse_point, parse_type

REGISTER = st.integers(0, 0xFFFF)


def _same(one: Any, other: Any) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@pytest.mark.parametrize(
    ("order", "registers"),
    [
        ("ABCD", [0x0A0B, 0x0C0D]),
        ("CDAB", [0x0C0D, 0x0A0B]),
        ("BADC", [0x0B0A, 0x0D0C]),
        ("DCBA", [0x0D0C, 0x0B0A]),
    ],
)
def test_order_says_how_octets_come(order: str, registers: list[int]) -> None:
    """A is the most significant octet, and the order is that of the octets on the wire."""
    point = Point("DINT", 40001, order=order).checked()
    assert point.values(0, 1, registers) == [0x0A0B0C0D]
    assert point.registers([0x0A0B0C0D]) == registers


def test_orders_of_one_and_of_four_registers() -> None:
    """Values of 16 bits may have their octets swapped, and values of 64 bits have the same four orders."""
    assert Point("INT", 40001, order="BA").registers([0x0102]) == [0x0201]
    octets = bytes(range(1, 9))
    value = int.from_bytes(octets, "big")
    for order, wire in (
        ("ABCDEFGH", octets),
        ("GHEFCDAB", bytes([7, 8, 5, 6, 3, 4, 1, 2])),
        ("BADCFEHG", bytes([2, 1, 4, 3, 6, 5, 8, 7])),
        ("HGFEDCBA", octets[::-1]),
    ):
        assert Point("LINT", 40001, order=order).registers([value]) == list(struct.unpack(">4H", wire))


@pytest.mark.parametrize("kind", FORMS)
@given(data=st.data())
def test_values_give_their_registers_back(kind: str, data: st.DataObject) -> None:
    """Whatever registers hold, in whatever order, the values made of them make the same registers (NaN: a NaN)."""
    width = FORMS[kind].registers
    order = data.draw(st.sampled_from(ORDERS[width]))
    count = data.draw(st.integers(1, 5))
    held = data.draw(st.lists(REGISTER, min_size=count * width, max_size=count * width))
    point = Point(kind, 40001, count=count, order=order).checked()
    values = point.values(0, count, held)
    assert len(values) == count
    again = point.registers(values)
    if any(isinstance(one, float) and math.isnan(one) for one in values):
        assert all(_same(one, other) for one, other in zip(point.values(0, count, again), values, strict=True))
    else:
        assert again == held


@given(
    kind=st.sampled_from(["REAL", "LREAL"]),
    raw=st.sampled_from(["INT", "UINT", "WORD"]),
    held=REGISTER,
    scale=st.decimals("-100", "100", places=3).filter(bool),
    offset=st.integers(-100, 100),
)
def test_scaled_values_give_their_registers_back(kind: str, raw: str, held: int, scale: Any, offset: int) -> None:
    """Scaling by decimal numbers is exact but for the last bit of the result, so that no register value is lost."""
    fine = Fraction(scale) if abs(scale) >= 1 else Fraction(1, 10) * (1 if scale > 0 else -1)
    point = Point(kind, 40001, raw=raw, scale=fine, offset=Fraction(offset)).checked()
    (value,) = point.values(0, 1, [held])
    seen = struct.unpack("<f", struct.pack("<f", value))[0] if kind == "REAL" else value
    assert point.registers([seen]) == [held]


def test_scaling_is_decimal() -> None:
    """3 * 0.1 is 0.3, not 0.30000000000000004; what is written is rounded to the nearest the registers can hold."""
    point = Point("LREAL", 40001, raw="INT", scale=Fraction("0.1"), offset=Fraction(-40))
    assert point.values(0, 1, [403]) == [0.3]
    assert point.registers([0.3]) == [403]
    assert point.registers([0.349]) == [403]
    assert point.registers([0.351]) == [404]
    whole = Point("DINT", 40001, raw="INT", scale=Fraction("0.5"))
    assert [whole.values(0, 1, [one & 0xFFFF])[0] for one in (5, -5, 4)] == [3, -3, 2]


def test_what_does_not_fit_is_refused() -> None:
    """Nothing wraps: values beyond the registers, or beyond the type that users see, are Unfit."""
    real = Point("REAL", 40001, raw="INT", scale=Fraction("0.1"))
    for value in (3276.8, -3276.9, math.inf, -math.inf, math.nan, 3e38):
        with pytest.raises(Unfit, match="does not fit"):
            real.registers([value])
    assert real.registers([3276.7]) == [0x7FFF]
    with pytest.raises(Unfit, match="70000 does not fit INT"):
        Point("DINT", 40001, raw="INT").registers([70000])
    with pytest.raises(Unfit, match="-1 does not fit UINT"):
        Point("INT", 40001, raw="UINT").registers([-1])
    with pytest.raises(Unfit, match="65535 does not fit INT"):
        Point("INT", 40001, raw="UINT").values(0, 1, [0xFFFF])
    with pytest.raises(Unfit, match="does not fit REAL"):
        Point("REAL", 40001, raw="LREAL").values(0, 1, list(struct.unpack(">4H", struct.pack(">d", 1e300))))
    with pytest.raises(Unfit, match="inf is no DINT"):
        Point("DINT", 40001, raw="REAL").values(0, 1, list(struct.unpack(">2H", struct.pack(">f", math.inf))))
    huge = Point("LREAL", 40001, raw="LREAL", scale=Fraction(10) ** 300)
    with pytest.raises(Unfit, match="beyond 1.8e308"):
        huge.values(0, 1, list(struct.unpack(">4H", struct.pack(">d", 1e300))))
    with pytest.raises(Unfit, match="40000 does not fit registers that hold INT"):
        Point("INT", 40001).registers([40000])


def test_no_number_and_infinity_pass() -> None:
    """A REAL that is no number, or infinite, is what it is, scaled or not; a negative scale turns infinity around."""
    inf = [0x7F80, 0]
    assert Point("REAL", 40001).values(0, 1, inf) == [math.inf]
    assert Point("REAL", 40001, scale=Fraction(-2)).values(0, 1, inf) == [-math.inf]
    assert Point("REAL", 40001, scale=Fraction(-2)).registers([-math.inf]) == inf
    assert math.isnan(Point("REAL", 40001, scale=Fraction(2)).values(0, 1, [0x7FC0, 0])[0])
    assert Point("REAL", 40001).registers([math.nan]) == [0x7FC0, 0]


def test_bits_of_registers_and_coils() -> None:
    """Bit 0 is the least significant; bits go on in the next register; coils are one bit each."""
    flags = Point("BOOL", 40001, bit=14, count=4).checked()
    assert flags.addresses(0, 4) == range(40001, 40003)
    assert flags.values(0, 4, [0x4000, 0x0002]) == [True, False, False, True]
    assert flags.addresses(2, 4) == range(40002, 40003)
    assert flags.values(2, 4, [0x0002]) == [False, True]
    assert not flags.writable
    coils = Point("BOOL", 1, count=3).checked()
    assert coils.writable and coils.addresses(1, 3) == range(2, 4)
    assert coils.values(1, 3, [1, 0]) == [True, False] and coils.registers([True, False]) == [1, 0]


def test_elements_touch_their_registers_only() -> None:
    """The addresses of some elements are those that they are made of."""
    assert Point("REAL", 40011, count=4).addresses(1, 3) == range(40013, 40017)
    assert Point("INT", 30001).addresses(0, 1) == range(30001, 30002)
    assert not Point("INT", 30001).writable and not Point("BOOL", 10001).writable and Point("INT", 40001).writable


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("INT @ 40001", Point("INT", 40001)),
        ("real[4]@400010 cdab", Point("REAL", 400010, count=4, order="CDAB")),
        (" BOOL @ 30005.3 ", Point("BOOL", 30005, 3)),
        ("BOOL[9] @ 17", Point("BOOL", 17, count=9)),
    ],
)
def test_points_are_read_from_text(text: str, point: Point) -> None:
    """TYPE[count] @ address.bit ORDER, in any case."""
    assert parse_point(text).checked() == point


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("40001", r'is not type @ address; eg. "INT @ 40001"'),
        ("FLOAT @ 40001", "unknown type FLOAT; one of BOOL, INT"),
        ("REAL() @ 40001", r"is no type; eg. INT, REAL or DINT\[4\]"),
        ("INT[0] @ 40001", "0 elements: write 1 to 65536"),
        ("INT @ 20001", "20001 is no Modbus address: 1-9999"),
        ("INT @ 4.5.6", "'4.5.6' is no address; eg. 40001, or 40001.3"),
        ("BOOL @ 40001.16", "has the bits 0 to 15, 0 being the least significant; not 16"),
        ("INT @ 40001 CDAB", "'CDAB' is no order of the 2 octets of INT; write AB, BA"),
        ("DINT @ 40001 ABBA", "write ABCD, CDAB, BADC, DCBA"),
        ("BOOL @ 1 AB", "one bit, and has no order of octets"),
        ("INT @ 1", "1 is a coil, one bit: its type is BOOL, not INT"),
        ("BOOL @ 1.3", "1 is one bit itself; leave out .3"),
        ("INT @ 40001.3", "INT has whole registers; leave out .3"),
        ("BOOL @ 40001", "holding register of 16 bits: say which, eg. 40001.0"),
        ("REAL @ 465536", "it would end at 465537; the holding registers of this notation end at 465536"),
        ("REAL @ 39999", "it would end at 40000; the input registers of this notation end at 39999"),
        ("BOOL[3] @ 9998", "it would end at 10000; the coils of this notation end at 9999"),
    ],
)
def test_mistakes_are_told(text: str, told: str) -> None:
    """What a point cannot be is refused, with what to write instead."""
    with pytest.raises(UsageError, match=told):
        parse_point(text).checked()


def test_parts_are_read_alone() -> None:
    """Type, address and order can be read one by one, and numbers are addresses, too."""
    assert parse_type("dint [ 4 ]") == ("DINT", 4)
    assert parse_address(40001) == (40001, None)
    with pytest.raises(UsageError, match='in quotes; eg. "40001.3"'):
        parse_address(40001.3)
    with pytest.raises(UsageError, match="no address"):
        parse_address(True)
    assert order_for("dcba", "REAL") == "DCBA"
    with pytest.raises(UsageError, match="raw, order, scale and offset are of numbers"):
        Point("BOOL", 1, scale=Fraction(2)).checked()
