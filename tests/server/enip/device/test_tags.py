"""The tag services, in exact octets: every type, parts, offsets, bounds, widening, bits."""

from __future__ import annotations

import logging
import struct
from typing import Any

import pytest

from cpppo.server.enip.wire.types import BOOL, DINT, INT, LREAL, REAL, TYPES, UINT
from tests.server.enip.device.frames import (
    Simulator,
    device,
    every_type,
    modify,
    numbers,
    read,
    read_fragmented,
    shown,
    symbol,
    write,
    write_fragmented,
)

#: Type: code, octets of three values, and the values.
VALUES = {
    "BOOL": (0xC1, "01 00 01", [True, False, True]),
    "SINT": (0xC2, "ff 80 7f", [-1, -128, 127]),
    "INT": (0xC3, "ffff 0080 ff7f", [-1, -32768, 32767]),
    "DINT": (0xC4, "ffffffff 00000080 01020304", [-1, -(2**31), 0x04030201]),
    "LINT": (0xC5, "ffffffffffffffff 0000000000000080 0102030405060708", [-1, -(2**63), 0x0807060504030201]),
    "USINT": (0xC6, "ff 80 7f", [255, 128, 127]),
    "UINT": (0xC7, "ffff 0080 ff7f", [65535, 32768, 32767]),
    "UDINT": (0xC8, "ffffffff 00000080 01020304", [2**32 - 1, 2**31, 0x04030201]),
    "ULINT": (0xC9, "ffffffffffffffff 0000000000000080 0102030405060708", [2**64 - 1, 2**63, 0x0807060504030201]),
    "REAL": (0xCA, "0000803f 000020c1 0000807f", [1.0, -10.0, float("inf")]),
    "LREAL": (0xCB, "000000000000f03f 00000000000024c0 000000000000f0ff", [1.0, -10.0, float("-inf")]),
    "BYTE": (0xD1, "ff 80 7f", [255, 128, 127]),
    "WORD": (0xD2, "ffff 0080 ff7f", [65535, 32768, 32767]),
    "DWORD": (0xD3, "ffffffff 00000080 01020304", [2**32 - 1, 2**31, 0x04030201]),
    "LWORD": (0xD4, "ffffffffffffffff 0000000000000080 0102030405060708", [2**64 - 1, 2**63, 0x0807060504030201]),
}


@pytest.fixture
def simulator() -> Simulator:
    return Simulator()


def cip(simulator: Simulator, request: bytes, expected: str) -> None:
    assert simulator.cip(request).hex(" ") == bytes.fromhex(expected).hex(" ")


def test_values_cover_every_type() -> None:
    """Every type a tag can have is in the table of these tests."""
    assert set(VALUES) == set(TYPES)


@pytest.mark.parametrize("name", VALUES)
def test_every_type_both_ways(name: str) -> None:
    """Each type is written and read in its own code and octets, whole, by element and in fragments."""
    code, text, values = VALUES[name]
    octets, simulator = bytes.fromhex(text), Simulator(every_type())
    size, head = len(octets) // 3, struct.pack("<H", code)
    assert simulator.cip(read(symbol(name), 3)) == b"\xcc\0\0\0" + head + bytes(3 * size)
    assert simulator.cip(write(symbol(name), code, 3, octets)) == b"\xcd\0\0\0"
    assert simulator.device[name].value == values
    assert simulator.cip(read(symbol(name), 3)) == b"\xcc\0\0\0" + head + octets
    assert simulator.cip(read(symbol(name, 1))) == b"\xcc\0\0\0" + head + octets[size : 2 * size]
    assert simulator.cip(read_fragmented(symbol(name), 3, size)) == b"\xd2\0\0\0" + head + octets[size:]
    assert simulator.cip(write(symbol(name, 2), code, 1, octets[:size])) == b"\xcd\0\0\0"
    assert simulator.cip(write_fragmented(symbol(name), code, 3, size, octets[2 * size :])) == b"\xd3\0\0\0"
    assert simulator.device[name].value == [values[0], values[2], values[0]]


@pytest.mark.parametrize(
    ("name", "value"),
    [("Flag", "c100 00"), ("Small", "c200 ff"), ("Word", "c300 0700"), ("Level", "ca00 0000c03f")],
)
def test_scalars(simulator: Simulator, name: str, value: str) -> None:
    """A scalar is a vector of one: with or without an index."""
    cip(simulator, read(symbol(name)), "cc000000" + value)
    cip(simulator, read(symbol(name, 0)), "cc000000" + value)
    cip(simulator, read(symbol(name), 2), "cc 00 ff 01 0521")


def test_base_of_a_vector_is_its_first_element(simulator: Simulator) -> None:
    """The name of a vector without an index means element 0."""
    cip(simulator, write(symbol("SCADA"), 0xC3, 1, b"\5\0"), "cd000000")
    cip(simulator, read(symbol("SCADA", 0)), "cc000000 c300 0500")


def test_numbers_instead_of_a_name(simulator: Simulator) -> None:
    """Tags are also attributes of @2/1, in their order; the type and rules are the same."""
    cip(simulator, write(numbers(2, 1, 1), 0xC3, 2, b"\1\0\2\0"), "cd000000")
    cip(simulator, read(symbol("SCADA"), 3), "cc000000 c300 0100 0200 0000")
    cip(simulator, read(numbers(2, 1, 5), 3), "cc000000 c400 01000000 02000000 03000000")
    cip(simulator, read(numbers(2, 1, 99)), "cc 00 14 00")
    cip(simulator, read(numbers(2, 1)), "cc 00 14 00")


# -- bounds of reads


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (read(symbol("Wide"), 0), "cc 00 ff 01 0521"),
        (read(symbol("Wide"), 4), "cc 00 ff 01 0521"),
        (read(symbol("Wide", 1), 3), "cc 00 ff 01 0521"),
        (read(symbol("Wide", 3)), "cc 00 ff 01 0521"),
        (read(symbol("Wide", 70000 % 65536)), "cc 00 ff 01 0521"),
        (read(symbol("Wide", 0, 0)), "cc 00 ff 01 0521"),
        (read(symbol("Wide"), 0xFFFF), "cc 00 ff 01 0521"),
        (read_fragmented(symbol("Wide"), 0), "d2 00 ff 01 0521"),
        (read_fragmented(symbol("Wide"), 4), "d2 00 ff 01 0521"),
        (read_fragmented(symbol("Wide"), 3, 12), "d2 00 ff 01 0421"),
        (read_fragmented(symbol("Wide"), 3, 0xFFFFFFFF), "d2 00 ff 01 0421"),
        (read_fragmented(symbol("Wide", 2), 1, 4), "d2 00 ff 01 0421"),
        (read_fragmented(symbol("Wide"), 1, 4), "d2 00 ff 01 0421"),
    ],
    ids=shown,
)
def test_reads_beyond_the_end(simulator: Simulator, request_: bytes, reply: str) -> None:
    """Elements beyond the end, or none: 0xFF/0x2105; an offset beyond the data asked for: 0xFF/0x2104."""
    cip(simulator, request_, reply)


def test_last_element_and_last_octet(simulator: Simulator) -> None:
    """The last element, and the last octet of the data, can be read."""
    cip(simulator, read(symbol("Wide", 2)), "cc000000 c400 03000000")
    cip(simulator, read_fragmented(symbol("Wide"), 3, 11), "d2000000 c400 00")


# -- partial reads


def count_up(simulator: Simulator) -> bytes:
    """SCADA filled with its indices; its octets."""
    values = list(range(1000))
    simulator.device["SCADA"][0:1000] = values
    return struct.pack("<1000h", *values)


@pytest.mark.parametrize(("elements", "status"), [(249, 0), (250, 0), (251, 6), (1000, 6)])
def test_plain_read_of_too_much(simulator: Simulator, elements: int, status: int) -> None:
    """A plain read of more than a packet holds: status 0x06 and the first 500 octets."""
    octets = count_up(simulator)
    reply = simulator.cip(read(symbol("SCADA"), elements))
    assert reply == bytes([0xCC, 0, status, 0, 0xC3, 0]) + octets[: min(500, 2 * elements)]


@pytest.mark.parametrize("first", [0, 10])
def test_fragments_give_the_whole(simulator: Simulator, first: int) -> None:
    """Fragments, continued by the octets received, give it all: 0x06 until the last; each repeats the type."""
    octets = count_up(simulator)[2 * first :]
    got, statuses = b"", []
    while not statuses or statuses[-1] == 6:
        reply = simulator.cip(read_fragmented(symbol("SCADA", first), 1000 - first, len(got)))
        assert reply[:2] == b"\xd2\0" and reply[3:6] == b"\0\xc3\0"
        statuses.append(reply[2])
        assert len(reply) > 6
        got += reply[6:]
    assert got == octets
    assert statuses == [6, 6, 6, 0]


@pytest.mark.parametrize("offset", [1, 3, 501, 777, 1999])
def test_offset_within_an_element(simulator: Simulator, offset: int) -> None:
    """An offset counts octets and need not be that of an element."""
    octets = count_up(simulator)[offset:]
    reply = simulator.cip(read_fragmented(symbol("SCADA"), 1000, offset))
    assert reply[2] == (6 if len(octets) > 500 else 0)
    assert reply[6:] == octets[: len(reply) - 6]
    assert len(reply) - 6 == min(500, len(octets))


def test_offsets_of_one_octet_walk_through_a_wide_type() -> None:
    """Continuing by any received octets ends, also for elements of 8 octets."""
    simulator = Simulator(device([("Fine", LREAL, [float(at) for at in range(100)])]))
    octets, got = struct.pack("<100d", *map(float, range(100))), b""
    for _ in range(3):
        got += simulator.cip(read_fragmented(symbol("Fine"), 100, len(got)))[6:]
    assert got == octets


# -- writes


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (write(symbol("Wide"), 0xC4, 0, b""), "cd 00 ff 01 0521"),
        (write(symbol("Wide"), 0xC4, 4, bytes(16)), "cd 00 ff 01 0521"),
        (write(symbol("Wide", 2), 0xC4, 2, bytes(8)), "cd 00 ff 01 0521"),
        (write(symbol("Wide", 3), 0xC4, 1, bytes(4)), "cd 00 ff 01 0521"),
        (write(symbol("Wide"), 0xC4, 2, bytes(7)), "cd 00 13 00"),
        (write(symbol("Wide"), 0xC4, 2, b""), "cd 00 13 00"),
        (write(symbol("Wide"), 0xC4, 2, bytes(9)), "cd 00 15 00"),
        (write(symbol("Wide"), 0xC4, 2, bytes(12)), "cd 00 15 00"),
        (write(symbol("Wide"), 0xC4, 4, bytes(3)), "cd 00 ff 01 0521"),
        (write(symbol("Wide"), 0xC8, 4, bytes(3)), "cd 00 ff 01 0721"),
        (write(symbol("Wide"), 0xCA, 1, bytes(4)), "cd 00 ff 01 0721"),
        (write(symbol("Wide"), 0xC7, 1, bytes(2)), "cd 00 ff 01 0721"),
        (write(symbol("Wide"), 0xC5, 1, bytes(8)), "cd 00 ff 01 0721"),
        (write(symbol("Wide"), 0x00, 1, bytes(4)), "cd 00 ff 01 0721"),
        (write(symbol("Wide"), 0xFFFF, 1, bytes(4)), "cd 00 ff 01 0721"),
        (b"\x4d" + symbol("Wide") + bytes.fromhex("a002 ce0f 0100") + bytes(88), "cd 00 ff 01 0721"),
        (write(numbers(2, 1, 99), 0xC4, 1, bytes(4)), "cd 00 14 00"),
        (write_fragmented(symbol("Wide"), 0xC4, 0, 0, b""), "d3 00 ff 01 0521"),
        (write_fragmented(symbol("Wide"), 0xC4, 4, 0, bytes(4)), "d3 00 ff 01 0521"),
        (write_fragmented(symbol("Wide"), 0xC4, 3, 12, bytes(4)), "d3 00 ff 01 0421"),
        (write_fragmented(symbol("Wide"), 0xC4, 3, 12, b""), "d3 00 ff 01 0421"),
        (write_fragmented(symbol("Wide"), 0xC4, 3, 0xFFFFFFFF, bytes(4)), "d3 00 ff 01 0421"),
        (write_fragmented(symbol("Wide"), 0xC4, 3, 8, bytes(5)), "d3 00 ff 01 0521"),
        (write_fragmented(symbol("Wide"), 0xC4, 2, 4, bytes(8)), "d3 00 ff 01 0521"),
        (write_fragmented(symbol("Wide"), 0xC4, 3, 0, b""), "d3 00 13 00"),
        (write_fragmented(symbol("Wide"), 0xC8, 4, 0, b""), "d3 00 ff 01 0721"),
    ],
    ids=shown,
)
def test_refused_writes(simulator: Simulator, request_: bytes, reply: str) -> None:
    """Writes are checked in the order path, type, bounds, length; a refused one changes nothing."""
    cip(simulator, request_, reply)
    assert simulator.device["Wide"].value == [1, 2, 3]


def test_write_fragments(simulator: Simulator) -> None:
    """Fragments of a write say the whole count each, and where they go; they may overlap and come in any order."""
    values = struct.pack("<1000h", *range(1000))
    for offset in (1500, 0, 500, 1000, 250):
        data = values[offset : offset + 500]
        cip(simulator, write_fragmented(symbol("SCADA"), 0xC3, 1000, offset, data), "d3000000")
    assert simulator.device["SCADA"].value == list(range(1000))


def test_write_fragment_within_an_element(simulator: Simulator) -> None:
    """A fragment may begin and end within an element; the rest of it stays."""
    cip(simulator, write_fragmented(symbol("Wide"), 0xC4, 3, 3, b"\xaa\xbb"), "d3000000")
    cip(simulator, read(symbol("Wide"), 3), "cc000000 c400 010000aa bb000000 03000000")


def test_write_fragment_counts_from_the_element_addressed(simulator: Simulator) -> None:
    """The offset of a fragment counts from the element in the path."""
    cip(simulator, write_fragmented(symbol("Wide", 1), 0xC4, 2, 4, b"\7\0\0\0"), "d3000000")
    assert simulator.device["Wide"].value == [1, 2, 7]


def test_bool_as_it_is_written() -> None:
    """A BOOL is one octet; what is not 0 is true."""
    simulator = Simulator(device([("Flag", BOOL, False)]))
    cip(simulator, write(symbol("Flag"), 0xC1, 1, b"\xff"), "cd000000")
    assert simulator.device["Flag"].value is True


# -- writing a narrower type


@pytest.mark.parametrize(
    ("sent", "own", "octets", "value"),
    [
        ("SINT", "INT", "ff", -1),
        ("SINT", "DINT", "80", -128),
        ("SINT", "REAL", "05", 5.0),
        ("INT", "DINT", "ffff", -1),
        ("INT", "LINT", "0080", -32768),
        ("INT", "REAL", "0300", 3.0),
        ("DINT", "REAL", "00000080", -(2.0**31)),
        ("DINT", "LREAL", "01000080", 1 - 2.0**31),
        ("REAL", "LREAL", "0000c03f", 1.5),
    ],
)
def test_widening(caplog: pytest.LogCaptureFixture, sent: str, own: str, octets: str, value: float) -> None:
    """A narrower type is taken by a wider tag, with one line in the log that a controller would refuse it."""
    simulator = Simulator(every_type())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            cip(simulator, write(symbol(own, 1), VALUES[sent][0], 1, bytes.fromhex(octets)), "cd000000")
    assert simulator.device[own][1] == value
    assert len(caplog.messages) == 1 and sent in caplog.text and own in caplog.text


@pytest.mark.parametrize(
    ("sent", "own"),
    [
        ("INT", "SINT"),
        ("DINT", "INT"),
        ("UINT", "INT"),
        ("INT", "UINT"),
        ("UINT", "DINT"),
        ("USINT", "INT"),
        ("LINT", "REAL"),
        ("LINT", "LREAL"),
        ("REAL", "DINT"),
        ("LREAL", "REAL"),
        ("BOOL", "SINT"),
        ("SINT", "BOOL"),
        ("DINT", "DWORD"),
        ("WORD", "DWORD"),
    ],
)
def test_types_that_do_not_fit(sent: str, own: str) -> None:
    """Any other type is refused, also of the same size: 0xFF/0x2107."""
    simulator = Simulator(every_type())
    code, text, _ = VALUES[sent]
    cip(simulator, write(symbol(own), code, 3, bytes.fromhex(text)), "cd 00 ff 01 0721")
    assert simulator.device[own].octets() == bytes(3 * TYPES[own].size)


def test_widening_in_fragments() -> None:
    """The offset of a narrower fragment counts octets as they were sent."""
    simulator = Simulator(device([("Wide", DINT, [0] * 6)]))
    cip(simulator, write_fragmented(symbol("Wide"), 0xC3, 6, 0, struct.pack("<3h", -1, 2, 3)), "d3000000")
    cip(simulator, write_fragmented(symbol("Wide"), 0xC3, 6, 6, struct.pack("<3h", 4, 5, -6)), "d3000000")
    assert simulator.device["Wide"].value == [-1, 2, 3, 4, 5, -6]
    reply = simulator.cip(write_fragmented(symbol("Wide"), 0xC3, 6, 1, b"\0\0"))
    assert reply[:3] == b"\xd3\0\xff"
    cip(simulator, write(symbol("Wide"), 0xC3, 2, bytes(8)), "cd 00 15 00")
    cip(simulator, write(symbol("Wide"), 0xC3, 2, bytes(3)), "cd 00 13 00")


# -- Read Modify Write


@pytest.mark.parametrize(
    ("ones", "keep", "result"),
    [
        ("00000000", "ffffffff", 0xF0F0F0F0),
        ("0f000000", "ffffffff", 0xF0F0F0FF),
        ("00000000", "ffffff00", 0x00F0F0F0),
        ("ffffffff", "00ff00ff", 0xFF00FF00),
        ("ffffffff", "00000000", 0),
    ],
)
def test_modify(simulator: Simulator, ones: str, keep: str, result: int) -> None:
    """The bits of the OR mask are set, then only those of the AND mask kept."""
    cip(simulator, modify(symbol("Bits"), 4, bytes.fromhex(ones), bytes.fromhex(keep)), "ce000000")
    assert simulator.device["Bits"].value == result


def test_modify_of_an_element(simulator: Simulator) -> None:
    """One element of a vector is modified, and no other."""
    cip(simulator, modify(symbol("SCADA", 3), 2, b"\1\x80", b"\xff\xff"), "ce000000")
    assert simulator.device["SCADA"][2:5] == [0, -32767, 0]


def test_modify_with_a_longer_and_mask(simulator: Simulator) -> None:
    """Some clients send an AND mask of 8 octets whatever the size: the first ones count."""
    cip(simulator, modify(symbol("Bits"), 4, b"\1\0\0\0", b"\xfe\xff\xff\xff\xff\xff\xff\xff"), "ce000000")
    assert simulator.device["Bits"].value == 0xF0F0F0F0


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (modify(symbol("Bits"), 2, b"\0\0", b"\0\0"), "ce 00 03 00"),
        (modify(symbol("Bits"), 8, bytes(8), bytes(8)), "ce 00 03 00"),
        (modify(symbol("Bits"), 0, b"", b""), "ce 00 03 00"),
        (modify(symbol("Bits"), 3, bytes(3), bytes(3)), "ce 00 03 00"),
        (modify(symbol("Level"), 4, bytes(4), bytes(4)), "ce 00 03 00"),
        (modify(symbol("Bits"), 4, bytes(4), bytes(3)), "ce 00 13 00"),
        (modify(symbol("Bits"), 4, b"", b""), "ce 00 13 00"),
        (modify(symbol("Bits", 1), 4, bytes(4), bytes(4)), "ce 00 ff 01 0521"),
        (modify(numbers(2, 1, 99), 4, bytes(4), bytes(4)), "ce 00 14 00"),
    ],
    ids=shown,
)
def test_refused_modifies(simulator: Simulator, request_: bytes, reply: str) -> None:
    """A size that is not the tag's: 0x03; masks too short: 0x13; nothing is changed."""
    cip(simulator, request_, reply)
    assert (simulator.device["Bits"].value, simulator.device["Level"].value) == (0xF0F0F0F0, 1.5)


# -- who looks on


def test_observer_sees_reads_and_writes(simulator: Simulator) -> None:
    """Every read and write of a tag, by whatever service, is shown: element, octets, and which it was."""
    seen: list[tuple[str, int, bytes, str]] = []
    simulator.device.router.observer = lambda name, kind, first, octets, sign: seen.append((name, first, octets, sign))
    simulator.cip(read(symbol("Wide", 1), 2))
    simulator.cip(write(symbol("Wide", 2), 0xC4, 1, b"\5\0\0\0"))
    simulator.cip(read_fragmented(symbol("SCADA"), 1000, 1990))
    simulator.cip(write_fragmented(symbol("SCADA"), 0xC3, 10, 4, b"\1\0"))
    simulator.cip(read(symbol("None")))
    simulator.cip(write(symbol("Wide"), 0xC4, 9, b""))
    assert seen == [
        ("Wide", 1, bytes.fromhex("02000000 03000000"), "=="),
        ("Wide", 2, bytes.fromhex("05000000"), "<="),
        ("SCADA", 995, bytes(10), "=="),
        ("SCADA", 2, b"\1\0", "<="),
    ]


@pytest.mark.parametrize(
    ("request_", "sign"),
    [
        (modify(symbol("Word"), 2, b"\1\0", b"\xff\xff"), "<="),
        (b"\x10" + numbers(2, 1, 4) + b"\7\0", "<="),
        (b"\x0e" + numbers(2, 1, 4), "=="),
        (b"\x03" + numbers(2, 1) + bytes.fromhex("0100 0400"), "=="),
        (b"\x04" + numbers(2, 1) + bytes.fromhex("0100 0400 0700"), "<="),
    ],
    ids=["modify", "set", "get", "get list", "set list"],
)
def test_observer_sees_other_services(simulator: Simulator, request_: bytes, sign: str) -> None:
    """... also those that change bits, and those of attributes."""
    seen: list[tuple[str, int, bytes, str]] = []
    simulator.device.router.observer = lambda name, kind, first, octets, sign: seen.append((name, first, octets, sign))
    assert simulator.cip(request_)[2] == 0
    assert seen == [("Word", 0, b"\7\0", sign)]


def test_observer_that_fails_changes_no_reply(simulator: Simulator) -> None:
    """Whatever becomes of the printing, the reply is that of the read or write."""

    def fail(name: str, kind: Any, first: int, octets: bytes, sign: str) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    simulator.device.router.observer = fail
    cip(simulator, write(symbol("Word"), 0xC3, 1, b"\5\0"), "cd000000")
    cip(simulator, read(symbol("Word")), "cc000000 c300 0500")


def test_types_of_the_table_are_little_endian() -> None:
    """The values of these tests and the types agree (a check of the table itself)."""
    for name, (code, text, values) in VALUES.items():
        kind = TYPES[name]
        assert kind.tag_type == code
        assert b"".join(kind.produce(one) for one in values) == bytes.fromhex(text)
    assert (INT.size, UINT.size, REAL.size) == (2, 2, 4)
