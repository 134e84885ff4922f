"""Parts of tags: members of structures, bits of words, elements in members; whole structures in fragments."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.wire.strings import STRING, structure
from cpppo.server.enip.wire.types import BOOL, DINT, DWORD, INT, LINT, REAL, SINT, Kind, unpack
from tests.server.enip.device.connected import Client
from tests.server.enip.device.frames import (
    Simulator,
    modify,
    numbers,
    path,
    read,
    read_fragmented,
    symbol,
    write,
    write_fragmented,
)

LEAF = structure("Leaf", [("on", BOOL, 0), ("value", INT, 0), ("name", STRING, 0)])
MIDDLE = structure("Middle", [("leaf", LEAF, 2), ("big", LINT, 0), ("flags", BOOL, 40)])
MOTOR = structure(
    "Motor",
    [("running", BOOL, 0), ("fault", BOOL, 0), ("speed", REAL, 0), ("counts", DINT, 4), ("middle", MIDDLE, 0)],
)


def at(*parts: str | int) -> bytes:
    """The path of names and indices."""
    octets = b""
    for one in parts:
        octets += symbol(one)[1:] if isinstance(one, str) else struct.pack("<BB", 0x28, one)
    return path(octets)


@pytest.fixture
def simulator() -> Simulator:
    of = Device()
    value = {
        "running": True,
        "speed": 1.5,
        "counts": [1, 2, 3, 4],
        "middle": {"leaf": [{}, {"name": "deep"}], "big": 9},
    }
    of.add_tag(Attribute("Drive", MOTOR, [{}, value, {}]))
    of.add_tag(Attribute("One", LEAF, {"value": 7}))
    of.add_tag(Attribute("Word", DINT, 0x80000008 - (1 << 32)))
    of.add_tag(Attribute("Words", INT, [1, 2, 4]))
    of.add_tag(Attribute("Small", SINT, 1))
    of.add_tag(Attribute("Flags", DWORD, [0, 8]))
    of.add_tag(Attribute("Level", REAL, 1.5))
    of.add_tag(Attribute("Name", STRING, "unit 7"))
    of.add_tag(Attribute("Program:Main.D", MOTOR, {"speed": 2.5}))
    return Simulator(of)


@pytest.mark.parametrize(
    ("where", "elements", "reply"),
    [
        (at("Drive", 1, "speed"), 1, "ca00 0000c03f"),
        (at("drive", 1, "SPEED"), 1, "ca00 0000c03f"),
        (at("Drive", 1, "running"), 1, "c100 01"),
        (at("Drive", 1, "fault"), 1, "c100 00"),
        (at("Drive", "running"), 1, "c100 00"),
        (at("Drive", 1, "counts"), 4, "c400 01000000 02000000 03000000 04000000"),
        (at("Drive", 1, "counts", 2), 2, "c400 03000000 04000000"),
        (at("Drive", 1, "middle", "big"), 1, "c500 0900000000000000"),
        (at("Drive", 1, "middle", "leaf", 1, "name", "LEN"), 1, "c400 04000000"),
        (at("Drive", 1, "middle", "leaf", 1, "name", "DATA", 1), 3, "c200 656570"),
        (at("Drive", 1, "middle", "flags"), 2, "d300 00000000 00000000"),
        (at("Drive", 1, "ZZZZZZZZZZMotor0"), 1, "c200 01"),
        (at("Name", "LEN"), 1, "c400 06000000"),
        (at("One", "value", 0), 1, "c300 0700"),
        (at("Word", "3"), 1, "c100 01"),
        (at("Word", "31"), 1, "c100 01"),
        (at("Word", "4"), 1, "c100 00"),
        (at("Words", 2, "2"), 1, "c100 01"),
        (at("Words", "0"), 1, "c100 01"),
        (at("Flags", 1, "3"), 1, "c100 01"),
        (at("One", "value", "1"), 1, "c100 01"),
        (at("Drive", 1, "middle", "flags", 1, "7"), 1, "c100 00"),
        (at("Program:main", "D", "speed"), 1, "ca00 00002040"),
        (path(numbers(2, 1, 1)[1:] + at(1, "speed")[1:]), 1, "ca00 0000c03f"),
    ],
)
def test_reading_parts(simulator: Simulator, where: bytes, elements: int, reply: str) -> None:
    """By members and indices however deep, without case; a bit by its number; also over a fragmented read."""
    assert simulator.cip(read(where, elements)) == bytes.fromhex("cc000000") + bytes.fromhex(reply)
    assert simulator.cip(read_fragmented(where, elements)) == bytes.fromhex("d2000000") + bytes.fromhex(reply)


UNKNOWN, BEYOND = "0401 0000", "ff01 0521"


@pytest.mark.parametrize(
    ("where", "elements", "status"),
    [
        (at("Drive", 1, "nothing"), 1, UNKNOWN),
        (at("Drive", 3, "speed"), 1, BEYOND),
        (at("Drive", 1, "speed", 1), 1, BEYOND),
        (at("Drive", 1, "counts", 4), 1, BEYOND),
        (at("Drive", 1, "counts", 0, 0), 1, BEYOND),
        (at("Drive", 1, "counts", 2), 3, BEYOND),
        (at("Drive", 1, "speed"), 2, BEYOND),
        (at("Drive", 1, "running"), 2, BEYOND),
        (at("Drive", 1, "running", "0"), 1, UNKNOWN),
        (at("Drive", 1, "running", 0), 1, None),
        (at("Drive", 1, "speed", "0"), 1, UNKNOWN),
        (at("Word", "32"), 1, UNKNOWN),
        (at("Word", "032"), 1, UNKNOWN),
        (at("Word", "x"), 1, UNKNOWN),
        (at("Word", "\xb2"), 1, UNKNOWN),
        (at("Word", "3"), 2, BEYOND),
        (at("Word", "3", "0"), 1, UNKNOWN),
        (at("Small", "8"), 1, UNKNOWN),
        (at("Level", "0"), 1, UNKNOWN),
        (at("Name", "0"), 1, UNKNOWN),
        (at("Drive", 1, "middle", "leaf", 2, "on"), 1, BEYOND),
        (at("Program:Main"), 1, UNKNOWN),
        (at("Program:Main", "X"), 1, UNKNOWN),
        (at("Program:X", "D"), 1, UNKNOWN),
        (at("Program:Main", "Word"), 1, UNKNOWN),
        (path(symbol("Program:Main")[1:] + numbers(2, 1, 1)[1:]), 1, "0500"),
        (path(symbol("Drive")[1:] + numbers(2, 1, 1)[1:]), 1, UNKNOWN),
    ],
)
def test_parts_that_are_not_there(simulator: Simulator, where: bytes, elements: int, status: str | None) -> None:
    """No such member, bit or program: 0x04; beyond the end: 0xFF/0x2105."""
    reply = simulator.cip(read(where, elements))
    assert reply == (
        bytes.fromhex("cc000000 c100 01") if status is None else bytes.fromhex("cc00") + bytes.fromhex(status)
    )
    assert simulator.alive()


@pytest.mark.parametrize(
    ("where", "kind", "elements", "data", "expected"),
    [
        (at("Drive", 1, "speed"), 0xCA, 1, "00002040", {"speed": 2.5}),
        (at("Drive", 1, "running"), 0xC1, 1, "00", {"running": False}),
        (at("Drive", 1, "fault"), 0xC1, 1, "01", {"fault": True}),
        (at("Drive", 1, "fault"), 0xC1, 1, "ff", {"fault": True}),
        (at("Drive", 1, "counts", 1), 0xC4, 2, "09000000 08000000", {"counts": [1, 9, 8, 4]}),
    ],
)
def test_writing_members(
    simulator: Simulator, where: bytes, kind: int, elements: int, data: str, expected: dict[str, Any]
) -> None:
    """Only that member changes, whole or by a fragment."""
    before = simulator.device["Drive"][0:3]
    octets = bytes.fromhex(data)
    assert simulator.cip(write(where, kind, elements, octets)) == bytes.fromhex("cd000000")
    changed = {**before[1], **expected}
    assert simulator.device["Drive"][0:3] == [before[0], changed, before[2]]
    simulator.device["Drive"][0:3] = before
    assert simulator.cip(write_fragmented(where, kind, elements, 0, octets)) == bytes.fromhex("d3000000")
    assert simulator.device["Drive"][0:3] == [before[0], changed, before[2]]


def test_writing_text_inside(simulator: Simulator) -> None:
    """A STRING member as the structure it is."""
    data = struct.pack("<HHHI", 0x02A0, 0x0FCE, 1, 3) + b"abc".ljust(84, b"\0")
    where = at("Drive", 2, "middle", "leaf", 0, "name")
    assert simulator.cip(b"\x4d" + where + data) == bytes.fromhex("cd000000")
    assert simulator.device["Drive"][2].middle.leaf[0].name == "abc"


@pytest.mark.parametrize(
    ("where", "kind", "elements", "data", "status"),
    [
        (at("Drive", 1, "counts"), 0xCA, 1, "01000000", "ff010721"),
        (at("Drive", 1, "running"), 0xC2, 1, "01", "ff010721"),
        (at("Drive", 1, "running"), 0xC1, 2, "0101", BEYOND),
        (at("Drive", 1, "running"), 0xC1, 1, "0101", "1500"),
        (at("Drive", 1, "running"), 0xC1, 1, "", "1300"),
        (at("Drive", 1, "counts", 3), 0xC4, 2, "01000000 01000000", BEYOND),
        (at("Drive", 1, "nothing"), 0xC4, 1, "01000000", UNKNOWN),
        (at("Word", "3"), 0xC4, 1, "01000000", "ff010721"),
    ],
)
def test_writes_that_members_refuse(
    simulator: Simulator, where: bytes, kind: int, elements: int, data: str, status: str
) -> None:
    """Wrong types, too many elements, too much or too little data: nothing changes."""
    before = simulator.device["Drive"][0:3]
    reply = simulator.cip(write(where, kind, elements, bytes.fromhex(data)))
    assert reply == bytes.fromhex("cd00") + bytes.fromhex(status)
    assert simulator.device["Drive"][0:3] == before


@pytest.mark.parametrize(("name", "bit"), [("Word", 0), ("Word", 9), ("Word", 31), ("Small", 7)])
def test_writing_bits(simulator: Simulator, name: str, bit: int) -> None:
    """A bit of a word is a BOOL: set and cleared, the others stay."""
    tag = simulator.device[name]
    mask, before = 1 << bit, tag.value
    whole = (1 << 8 * tag.type.size) - 1
    assert simulator.cip(write(at(name, str(bit)), 0xC1, 1, b"\1")) == bytes.fromhex("cd000000")
    assert tag.value & whole == (before | mask) & whole
    assert simulator.cip(write(at(name, str(bit)), 0xC1, 1, b"\0")) == bytes.fromhex("cd000000")
    assert tag.value & whole == before & ~mask & whole


def test_modifying_members(simulator: Simulator) -> None:
    """Read Modify Write on a member, of as many octets as it has; a BOOL has no bits."""
    where = at("Drive", 1, "counts", 3)
    assert simulator.cip(modify(where, 4, b"\x10\0\0\0", b"\xfb\xff\xff\xff")) == bytes.fromhex("ce000000")
    assert simulator.device["Drive"][1].counts == [1, 2, 3, 16]
    assert simulator.cip(modify(where, 2, b"\x10\0", b"\xff\xff")) == bytes.fromhex("ce000300")
    assert simulator.cip(modify(at("Drive", 1, "running"), 1, b"\1", b"\xff")) == bytes.fromhex("ce000300")
    longer = modify(where, 4, b"\1\0\0\0", b"\xff" * 8)  # pycomm3 sends so
    assert simulator.cip(longer) == bytes.fromhex("ce000000")


@pytest.mark.parametrize("size", [60, 200, 500])
def test_whole_structures_in_fragments(simulator: Simulator, size: int) -> None:
    """Every fragment repeats type and handle; offsets count data alone, and need not be those of elements."""
    client = Client(simulator, size, large=False)
    whole = b"".join(MOTOR.produce(one) for one in simulator.device["Drive"][0:3])
    head = struct.pack("<HH", 0x02A0, MOTOR.handle or 0)
    reply = client.cip(read(symbol("Drive"), 3))
    assert reply[:4] == bytes.fromhex("cc000600") and reply[4:8] == head
    assert len(reply) == 8 + ((size - 10) // MOTOR.size * MOTOR.size or size - 10)
    data = reply[8:]
    while len(data) < len(whole):
        reply = client.cip(read_fragmented(symbol("Drive"), 3, len(data)))
        assert reply[4:8] == head and reply[2] in (0, 6) and len(reply) <= size - 2
        data += reply[8:]
    assert data == whole and reply[2] == 0
    changed = bytes(one ^ 0xFF if 8 < at < 60 else one for at, one in enumerate(whole))
    for start in range(0, len(whole), 37):
        part = changed[start : start + 37]
        request = b"\x53" + symbol("Drive") + head + struct.pack("<HI", 3, start) + part
        assert client.cip(request) == bytes.fromhex("d3000000")
    assert client.cip(read(symbol("Drive"), 1))[8:] == changed[: min(size - 10, MOTOR.size)]


def test_who_looks_on_is_told_the_part(simulator: Simulator) -> None:
    """Members and bits by their names, elements by their place in the member."""
    seen: list[tuple[str, int, list[Any], str]] = []

    def observer(name: str, kind: Kind, first: int, octets: bytes, sign: str) -> None:
        seen.append((name, first, unpack(kind, octets), sign))

    simulator.device.router.observer = observer
    simulator.cip(read(at("drive", 1, "SPEED")))
    simulator.cip(read(at("Drive", 1, "counts", 2), 2))
    simulator.cip(write(at("Drive", 1, "running"), 0xC1, 1, b"\0"))
    simulator.cip(write(at("Word", "3"), 0xC1, 1, b"\0"))
    simulator.cip(read(at("Drive", 1, "middle", "leaf", 1, "on")))
    simulator.cip(read(at("Program:main", "D", "speed")))
    simulator.cip(read(at("Drive", 2)))
    assert seen[:-1] == [
        ("Drive[1].speed", 0, [1.5], "=="),
        ("Drive[1].counts", 2, [3, 4], "=="),
        ("Drive[1].running", 0, [False], "<="),
        ("Word.3", 0, [False], "<="),
        ("Drive[1].middle.leaf[1].on", 0, [False], "=="),
        ("Program:Main.D.speed", 0, [2.5], "=="),
    ]
    assert seen[-1][:2] == ("Drive", 2) and seen[-1][2][0].speed == 0


class Recorded(Attribute):
    """Remembers how it was accessed."""

    def __init__(self, *args: Any, **kwds: Any) -> None:
        self.log: list[tuple[str, Any]] = []
        super().__init__(*args, **kwds)

    def __getitem__(self, key: Any) -> Any:
        self.log.append(("read", key))
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.log.append(("write", key))
        super().__setitem__(key, value)


def test_an_override_sees_whole_structures() -> None:
    """Members of a customised tag are read and written through its __getitem__ and __setitem__, by elements."""
    of = Device()
    tag = Recorded("Drive", MOTOR, [{}, {}, {}])
    of.add_tag(tag)
    simulator = Simulator(of)
    tag.log.clear()
    assert simulator.cip(write(at("Drive", 1, "speed"), 0xCA, 1, bytes.fromhex("00002040")))[2] == 0
    assert simulator.cip(read(at("Drive", 1, "speed")))[6:] == bytes.fromhex("00002040")
    assert all(key == slice(1, 2) for _, key in tag.log) and ("write", slice(1, 2)) in tag.log


def test_a_write_sent_twice_in_one_request(simulator: Simulator) -> None:
    """pycomm3 puts sequence count and request a second time behind every single write: it is done once."""
    client = Client(simulator)
    request = write(at("Words", 1), 0xC3, 1, b"\x4d\0")
    assert client.cip(request + b"\2\0" + request) == bytes.fromhex("cd000000")
    assert simulator.device["Words"][0:3] == [1, 0x4D, 4]
    assert client.cip(request + b"\2\0" + write(at("Words", 1), 0xC3, 1, b"\x4e\0")) == bytes.fromhex("cd001500")
    assert client.cip(request + b"\0") == bytes.fromhex("cd001500")


def test_long_paths_are_not_remembered() -> None:
    """Nothing that leads anywhere has so many segments; thousands of such paths would cost tens of megabytes."""
    device = Device()
    simulator = Simulator(device)
    for tail in range(20):
        assert simulator.cip(b"\x01" + path(numbers(1, 1)[1:] + b"\x28\1" * 100 + bytes([0x28, tail])))[2] == 0
    assert not device._targets
    simulator.cip(b"\x0e" + numbers(1, 1, 1))
    assert len(device._targets) == 1
