"""Tags of several dimensions, tags that can only be read, and the strictness of types."""

from __future__ import annotations

import logging
import struct
from typing import Any

import pytest

from cpppo.errors import LocalProtocolError
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.wire.strings import structure
from cpppo.server.enip.wire.types import DINT, INT, REAL
from tests.server.enip.device.frames import (
    Simulator,
    modify,
    numbers,
    path,
    read,
    shown,
    symbol,
    write,
    write_fragmented,
)


def shaped(*shape: int) -> Attribute:
    """A tag that holds its own numbers."""
    count = 1
    for one in shape:
        count *= one
    attribute = Attribute("Grid", DINT, list(range(count)))
    attribute.shape = shape
    return attribute


def grid(*shape: int) -> Simulator:
    device = Device()
    device.add_tag(shaped(*shape))
    return Simulator(device)


def test_in_python() -> None:
    """len() counts all elements, shape has the dimensions; elements by number, indices or slice."""
    one = shaped(2, 3)
    assert (len(one), one.shape, one.size, one.scalar) == (6, (2, 3), 24, False)
    assert (one[4], one[1, 1], one[3:], one.value) == (4, 4, [3, 4, 5], [0, 1, 2, 3, 4, 5])
    one[0, 2] = 77
    assert one[2] == 77
    assert str(one) == "Grid          DINT[2,3] == [0, 1, 77, 3, 4, 5]"
    assert Attribute("A", INT, 5).shape == () and Attribute("A", INT, [5]).shape == (1,)


@pytest.mark.parametrize("key", [(2, 0), (0, 3), (-1, 0), (0, -1), (0,), (0, 0, 0), ()])
def test_indices_outside(key: Any) -> None:
    """An index beyond its dimension, or another number of them: KeyError."""
    one = shaped(2, 3)
    if key == (0,):
        assert one[key] == 0
        return
    with pytest.raises(KeyError):
        one[key]
    with pytest.raises(KeyError):
        one[key] = 1
    assert one.value == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("shape", [(2, 2), (7,), (), (-2, -3), (0,)])
def test_dimensions_that_do_not_fit(shape: Any) -> None:
    """Dimensions that do not hold as many elements as there are: refused."""
    one = shaped(2, 3)
    with pytest.raises(LocalProtocolError, match="6 elements"):
        one.shape = shape
    assert one.shape == (2, 3)


@pytest.mark.parametrize(
    ("shape", "indices", "number"),
    [
        ((2, 3), (), 0),
        ((2, 3), (1, 2), 5),
        ((2, 3), (1, 0), 3),
        ((2, 3), (4,), 4),
        ((2, 3, 4), (1, 2, 3), 23),
        ((2, 3, 4), (1, 0, 2), 14),
        ((300, 2), (299, 1), 599),
    ],
)
def test_elements(shape: tuple[int, ...], indices: tuple[int, ...], number: int) -> None:
    """An index for each dimension, in row-major order; one alone counts through all of them."""
    simulator = grid(*shape)
    assert simulator.cip(read(symbol("Grid", *indices)))[6:] == struct.pack("<i", number)
    assert simulator.cip(write(symbol("Grid", *indices), 0xC4, 1, b"\xff" * 4))[2] == 0
    assert simulator.device["Grid"][number] == -1
    assert simulator.device["Grid"].value.count(-1) == 1


@pytest.mark.parametrize(
    ("indices", "elements"),
    [((2, 0), 1), ((0, 3), 1), ((1, 2), 2), ((6,), 1), ((0, 0, 0), 1), ((1, 0), 4), ((0, 0), 0)],
)
def test_elements_outside(indices: tuple[int, ...], elements: int) -> None:
    """Beyond any dimension, beyond the end, or with too many indices: 0xFF/0x2105."""
    simulator = grid(2, 3)
    assert simulator.cip(read(symbol("Grid", *indices), elements)).hex() == "cc00ff010521"
    reply = simulator.cip(write(symbol("Grid", *indices), 0xC4, elements, bytes(4 * elements)))
    assert reply.hex() == "cd00ff010521"
    assert simulator.device["Grid"].value == [0, 1, 2, 3, 4, 5]


def test_rows_are_read_through() -> None:
    """Elements from one on go on with the next row."""
    assert grid(2, 3).cip(read(symbol("Grid", 0, 1), 4))[6:] == struct.pack("<4i", 1, 2, 3, 4)


# -- read only


def fixed() -> Simulator:
    device = Device()
    tag = device.add_tag(Attribute("Fixed", INT, 7))
    tag.read_only = True
    return Simulator(device)


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (write(symbol("Fixed"), 0xC3, 1, b"\1\0"), "cd 00 0f 00"),
        (write(symbol("Fixed"), 0xC4, 9, b"\1"), "cd 00 0f 00"),
        (write_fragmented(symbol("Fixed"), 0xC3, 1, 0, b"\1\0"), "d3 00 0f 00"),
        (modify(symbol("Fixed"), 2, b"\1\0", b"\1\0"), "ce 00 0f 00"),
        (b"\x10" + numbers(2, 1, 1) + b"\1\0", "90 00 0e 00"),
        (b"\x02" + numbers(2, 1) + b"\1\0", "82 00 08 00"),
    ],
    ids=shown,
)
def test_write_to_what_can_only_be_read(request_: bytes, reply: str) -> None:
    """0x0F before type, bounds and length are looked at; for the attribute services 0x0E; nothing is changed."""
    simulator = fixed()
    assert simulator.cip(request_).hex(" ") == reply
    assert simulator.cip(read(symbol("Fixed"))).hex() == "cc000000c3000700"


# -- strict


def test_strict_tags_take_their_own_type_only(caplog: pytest.LogCaptureFixture) -> None:
    """A type that would fit is refused as by a controller: 0xFF/0x2107, without a line in the log."""
    device = Device(strict=True)
    device.add_tag(Attribute("Wide", DINT, 5))
    device.add_tag(Attribute("Level", REAL, 0.5))
    simulator = Simulator(device)
    with caplog.at_level(logging.WARNING):
        for request in (
            write(symbol("Wide"), 0xC3, 1, b"\1\0"),
            write(symbol("Level"), 0xC4, 1, bytes(4)),
            write_fragmented(symbol("Wide"), 0xC2, 1, 0, b"\1"),
        ):
            assert simulator.cip(request)[2:].hex() == "ff010721"
    assert (device["Wide"].value, device["Level"].value, caplog.messages) == (5, 0.5, [])
    assert simulator.cip(write(symbol("Wide"), 0xC4, 1, b"\1\0\0\0")).hex() == "cd000000"


def test_strictness_can_be_changed() -> None:
    """By default a device is not strict; the change holds from the next request on."""
    device = Device()
    device.add_tag(Attribute("Wide", DINT, 5))
    simulator = Simulator(device)
    assert device.strict is False
    assert simulator.cip(write(symbol("Wide"), 0xC3, 1, b"\1\0")).hex() == "cd000000"
    device.strict = True
    assert simulator.cip(write(symbol("Wide"), 0xC3, 1, b"\2\0")).hex() == "cd00ff010721"
    assert device.strict and device["Wide"].value == 1


def test_no_more_than_three_dimensions() -> None:
    """Clients can be told of three; a fourth is refused at once, and not when they list the tags."""
    with pytest.raises(LocalProtocolError, match="dimensions"):
        shaped(2, 2, 2, 2)


def test_widening_is_told_once_for_all_elements(caplog: pytest.LogCaptureFixture) -> None:
    """Of a member written in each of many elements there is one line, and not as many as elements."""
    kind = structure("Motor", [("speed", REAL, 0)])
    device = Device()
    device.add_tag(Attribute("Drive", kind, bytes(kind.size * 9)))
    simulator = Simulator(device)
    for number in range(9):
        where = path(symbol("Drive", number)[1:] + symbol("speed")[1:])
        assert simulator.cip(write(where, 0xC3, 1, b"\1\0")).hex() == "cd000000"
    assert len(caplog.messages) == 1
