"""Requests in requests, in exact octets: Multiple Service Packet, Unconnected Send and its routes."""

from __future__ import annotations

import struct

import pytest

from tests.server.enip.device.frames import (
    BACKPLANE,
    ROUTER,
    Simulator,
    members,
    multiple,
    numbers,
    read,
    read_fragmented,
    shown,
    symbol,
    unconnected,
    write,
    write_fragmented,
)

WORD, WORD_IS = read(symbol("Word")), bytes.fromhex("cc00 0000 c300 0700")
NAME_ALL = b"\x01" + numbers(1, 1)


@pytest.fixture
def simulator() -> Simulator:
    return Simulator()


def cip(simulator: Simulator, request: bytes, expected: str) -> None:
    assert simulator.cip(request).hex(" ") == bytes.fromhex(expected).hex(" ")


# -- Multiple Service Packet


def test_offsets_count_from_the_number_of_services(simulator: Simulator) -> None:
    """Two members: the offsets of the reply count from its service count."""
    cip(
        simulator,
        multiple(WORD, write(symbol("Word"), 0xC3, 1, b"\x08\0")),
        "8a000000 0200 0600 0e00 cc000000 c3000700 cd000000",
    )
    assert simulator.device["Word"].value == 8


def test_no_members(simulator: Simulator) -> None:
    """A packet of nothing is answered by a packet of nothing."""
    cip(simulator, multiple(), "8a000000 0000")


def test_failing_members(simulator: Simulator) -> None:
    """A member that fails has its own status; the packet's is 0x1E; the others are answered, in order."""
    cip(
        simulator,
        multiple(WORD, read(symbol("None")), write(symbol("Word"), 0xC4, 1, bytes(4)), b"\x7f" + numbers(1, 1), WORD),
        "8a001e00 0500 0c00 1400 1a00 2000 2400cc000000c3000700 cc0004010000 cd00ff010721 ff000800 cc000000c3000700",
    )


def test_malformed_members(simulator: Simulator) -> None:
    """A malformed member does not spoil the others."""
    reply = simulator.cip(multiple(b"\x4c\x09\x91", WORD, b"\x4c", b"\x4c" + symbol("Word"), WORD + b"more", b""))
    assert reply[:4] == bytes.fromhex("8a001e00")
    assert members(reply)[:5] == [
        bytes.fromhex("cc002600"),
        WORD_IS,
        bytes.fromhex("cc002600"),
        bytes.fromhex("cc001300"),
        WORD_IS,
    ]


@pytest.mark.parametrize(
    "table",
    [
        "0100 ffff",
        "0100 1000",
        "0100 0000",
        "0100 0300",
        "0200 0e00 0600",
        "0200 0600",
        "ffff 0400",
        "0300 0800 0800 0100",
    ],
)
def test_offsets_gone_wrong(simulator: Simulator, table: str) -> None:
    """Offsets outside of the packet, into the table or backwards: refused, by a status of the packet."""
    reply = simulator.cip(b"\x0a" + ROUTER + bytes.fromhex(table) + WORD[:6])
    assert reply[0] == 0x8A and reply[2] != 0
    assert simulator.alive()


@pytest.mark.parametrize("wrap", [lambda one: one, unconnected], ids=["bare", "routed"])
def test_packet_in_a_packet_is_refused(simulator: Simulator, wrap: object) -> None:
    """A Multiple Service Packet as a member is refused by 0x08, and it alone."""
    assert callable(wrap)
    reply = simulator.cip(wrap(multiple(WORD, multiple(WORD), WORD)))
    assert reply[:4] == bytes.fromhex("8a001e00")
    assert members(reply) == [WORD_IS, bytes.fromhex("8a000800"), WORD_IS]


@pytest.mark.parametrize("route", [BACKPLANE, bytes(2)], ids=shown)
@pytest.mark.parametrize("inner", [WORD, multiple(WORD), multiple(multiple(WORD)), b"\x4c"], ids=shown)
def test_route_in_a_packet_is_refused(simulator: Simulator, inner: bytes, route: bytes) -> None:
    """An Unconnected Send as a member is refused by 0x08: else packets would nest through it."""
    reply = simulator.cip(multiple(WORD, unconnected(inner, route)))
    assert reply[:4] == bytes.fromhex("8a001e00")
    assert members(reply) == [WORD_IS, bytes.fromhex("d2000800")]


@pytest.mark.parametrize("inner", [WORD, multiple(WORD), b"\x4c"], ids=shown)
def test_route_in_a_route_is_refused(simulator: Simulator, inner: bytes) -> None:
    """An Unconnected Send in another is refused by 0x08: there is nowhere further to go."""
    cip(simulator, unconnected(unconnected(inner)), "d2 00 08 00")


def test_members_that_do_not_fit(simulator: Simulator) -> None:
    """Reads beyond the room of the reply get 0x06 with what fits, at least the type; the packet 0x1E."""
    values = struct.pack("<1000h", *range(1000))
    simulator.device["SCADA"][0:1000] = list(range(1000))
    reply = simulator.cip(multiple(*[read(symbol("SCADA"), 250)] * 9))
    assert reply[:4] == bytes.fromhex("8a001e00") and len(reply) <= 4000
    parts = members(reply)
    assert len(parts) == 9
    assert [one[2] for one in parts] == [0, 0, 0, 0, 0, 0, 0, 6, 6]
    for one in parts:
        assert one[:2] == b"\xcc\0" and one[3:6] == b"\0\xc3\0"
        assert one[6:] == values[: len(one) - 6]
    assert len(reply) > 3900


def test_members_that_fit_say_so(simulator: Simulator) -> None:
    """A read of too much as a member has its own 0x06, as it would have alone; the packet 0x1E."""
    reply = simulator.cip(multiple(read_fragmented(symbol("SCADA"), 1000), WORD))
    assert reply[:4] == bytes.fromhex("8a001e00")
    assert [(one[2], len(one)) for one in members(reply)] == [(6, 506), (0, 8)]


def test_other_members_that_do_not_fit(simulator: Simulator) -> None:
    """What is no read and does not fit gets 0x11; the packet 0x1E; writes are still done and answered."""
    asked = [NAME_ALL] * 110 + [write(symbol("Word"), 0xC3, 1, b"\5\0")]
    reply = simulator.cip(multiple(*asked))
    parts = members(reply)
    assert reply[2] == 0x1E and len(parts) == 111 and len(reply) <= 4000
    full = simulator.cip(NAME_ALL)
    statuses = [one[2] for one in parts[:110]]
    assert set(statuses) == {0, 0x11} and statuses.index(0x11) > 80
    assert all(one == (full if one[2] == 0 else bytes.fromhex("81001100")) for one in parts[:110])
    assert parts[110] == bytes.fromhex("cd000000")
    assert simulator.device["Word"].value == 5


def test_two_hundred_reads(simulator: Simulator) -> None:
    """As many reads of one element as fit are all answered."""
    reply = simulator.cip(multiple(*[read(symbol("SCADA", at)) for at in range(390)]))
    assert reply[2] == 0 and {one for one in members(reply)} == {bytes.fromhex("cc000000 c300 0000")}


# -- Unconnected Send


@pytest.mark.parametrize(
    "route",
    ["00 00", "01 00 01 00", "02 00 0f 01 00 00", "01 55 01 00"],
    ids=["empty", "backplane", "wide port", "reserved octet"],
)
@pytest.mark.parametrize(
    "embedded",
    [
        WORD,
        WORD + b"z",
        read_fragmented(symbol("SCADA", 5), 10, 4),
        NAME_ALL,
        multiple(WORD, NAME_ALL),
        read(symbol("None")),
        b"\x7f" + numbers(1, 1),
        b"\x4c",
        write_fragmented(symbol("Wide"), 0xC4, 3, 0, bytes(4)),
        b"\x0e" + numbers(1, 1, 7),
    ],
    ids=shown,
)
def test_routes_that_lead_here(simulator: Simulator, embedded: bytes, route: str) -> None:
    """An empty route and the one to our slot: the reply is the embedded request's, as if it came bare."""
    assert simulator.cip(unconnected(embedded, bytes.fromhex(route))) == Simulator().cip(embedded)


@pytest.mark.parametrize(
    ("route", "reply"),
    [
        ("01 00 02 00", "d2 00 01 01 1103 01"),
        ("01 00 0e 01", "d2 00 01 01 1103 01"),
        ("01 00 01 01", "d2 00 01 01 1203 01"),
        ("01 00 01 ff", "d2 00 01 01 1203 01"),
        ("02 00 02 00 01 00", "d2 00 01 01 1103 02"),
        ("03 00 12 04 31 2e 32 2e", None),
    ],
)
def test_routes_that_lead_nowhere(simulator: Simulator, route: str, reply: str | None) -> None:
    """No such port: 01/0x0311; no such slot: 01/0x0312; then the words of route that are left."""
    got = simulator.cip(unconnected(write(symbol("Word"), 0xC3, 1, b"\0\0"), bytes.fromhex(route)))
    if reply is None:
        assert got[0] == 0xD2 and got[2] in (1, 0x13)
    else:
        assert got.hex(" ") == bytes.fromhex(reply).hex(" ")
    assert simulator.device["Word"].value == 7


def test_routes_by_turns(simulator: Simulator) -> None:
    """A route that leads here says nothing of the next one."""
    nowhere = bytes.fromhex("01 00 01 05")
    for route, status in [(BACKPLANE, 0), (nowhere, 1), (b"\0\0", 0), (nowhere, 1), (BACKPLANE, 0), (BACKPLANE, 0)]:
        for request in (WORD, read(symbol("Wide"))):
            assert simulator.cip(unconnected(request, route))[2] == status


def test_route_by_an_address(simulator: Simulator) -> None:
    """A port that has an IP address behind it: no such port."""
    link = b"10.0.0.1"
    route = bytes([5, 0, 0x12, len(link)]) + link
    cip(simulator, unconnected(WORD, route), "d2 00 01 01 1103 05")


@pytest.mark.parametrize("route", ["", "01", "01 00", "01 00 01", "02 00 01 00", "ff 00 01 00"])
def test_route_cut_off(simulator: Simulator, route: str) -> None:
    """A route that is not whole: 0x13, for the Unconnected Send."""
    cip(simulator, unconnected(WORD, bytes.fromhex(route)), "d2 00 13 00")


def test_embedded_length_beyond_the_request(simulator: Simulator) -> None:
    """An embedded request said to be longer than the octets there are: 0x13."""
    asked = bytearray(unconnected(WORD))
    asked[8:10] = b"\xff\x7f"
    cip(simulator, bytes(asked), "d2 00 13 00")


def test_odd_embedded_request_is_padded(simulator: Simulator) -> None:
    """An embedded request of odd length has a pad octet that is not its own."""
    asked = b"\x10" + numbers(2, 1, 2) + b"\1"
    assert len(asked) % 2 == 1
    cip(simulator, unconnected(asked), "90 00 00 00")
    assert simulator.device["Flag"].value is True


@pytest.mark.parametrize("extra", [b"\0", b"xx", b"\1\0\1\0"], ids=shown)
@pytest.mark.parametrize("embedded", [WORD + b"zz", b"\x4c", b"\x4c\x09\x91", b"\x4c" + symbol("Word")], ids=shown)
def test_octets_too_many_inside_and_outside(simulator: Simulator, embedded: bytes, extra: bytes) -> None:
    """Octets too many after the route and something wrong inside: the reply is still that of what is inside."""
    assert simulator.cip(unconnected(embedded) + extra) == simulator.cip(embedded)


def test_unconnected_send_elsewhere(simulator: Simulator) -> None:
    """0x52 is Unconnected Send at @6/1 only: at another instance 0x05, at a tag Read Tag Fragmented."""
    cip(simulator, b"\x52" + numbers(6, 2) + unconnected(WORD)[6:], "d2 00 05 00")
    cip(simulator, b"\x52" + numbers(6, 0) + unconnected(WORD)[6:], "d2 00 08 00")
    cip(simulator, b"\x52" + symbol("Word") + bytes.fromhex("0100 00000000"), "d2000000 c300 0700")
