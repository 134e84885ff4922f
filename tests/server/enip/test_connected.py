"""Connections in memory: opening, closing, and what is sent over them."""

from __future__ import annotations

import contextlib
import struct
import threading
from typing import Any

import pytest

from cpppo.errors import StatusError
from cpppo.server.enip.device import Attribute, profile_named
from cpppo.server.enip.device.connections import MAXIMUM_CONNECTIONS, Connection, Connections, Origin, Triad
from cpppo.server.enip.device.manager import LARGEST_SIZE, SMALLEST_SIZE
from cpppo.server.enip.session import Session
from cpppo.server.enip.wire.strings import STRING
from tests.server.enip.device.connected import (
    BY_BACKPLANE,
    DIRECT,
    FROM_ID,
    ORIGINATOR,
    RPI,
    VENDOR,
    Client,
    forward_close,
    forward_open,
    opened,
    refused,
    unit,
    unit_of,
)
from tests.server.enip.device.frames import (
    ADDRESS,
    HANDLE,
    SEND_RR_DATA,
    SEND_UNIT_DATA,
    UNREGISTER,
    Simulator,
    device,
    frame,
    item,
    members,
    multiple,
    numbers,
    only,
    packet,
    read,
    read_fragmented,
    register,
    rr,
    symbol,
    unconnected,
    write,
)

WORD, WORD_IS = read(symbol("Word")), bytes.fromhex("cc000000 c300 0700")


@pytest.fixture
def simulator() -> Simulator:
    return Simulator()


@pytest.mark.parametrize(("large", "size"), [(True, 4000), (True, 4002), (True, 500), (False, 500), (False, 511)])
def test_open_read_close(simulator: Simulator, large: bool, size: int) -> None:
    """Granted: the triad and T->O id come back, O->T is chosen, the intervals are those asked for; then it works."""
    reply = simulator.cip(forward_open(size, 0x0427, large=large, from_rpi=5))
    assert reply[0] == (0xDB if large else 0xD4)
    found = opened(reply)
    assert found[1:] == (FROM_ID, 0x0427, VENDOR, ORIGINATOR, RPI, 5)
    assert unit_of(only(simulator.send(unit(found.to_id, 1, WORD)))) == (FROM_ID, 1, WORD_IS)
    closed = simulator.cip(forward_close(0x0427))
    assert closed == b"\xce\0\0\0" + struct.pack("<HHI", 0x0427, VENDOR, ORIGINATOR) + b"\0\0"
    assert len(simulator.device.manager.connections) == 0


def test_intervals_are_echoed_each_for_itself(simulator: Simulator) -> None:
    """Also 0, which a controller's own messages take as it is."""
    found = opened(simulator.cip(forward_open(rpi=0, from_rpi=12345)))
    assert (found.to_api, found.from_api) == (0, 12345)


def test_every_open_has_an_id_of_its_own(simulator: Simulator) -> None:
    """T->O ids may be the same for all clients; ours never are, not even after closing."""
    ids = set()
    for serial in range(MAXIMUM_CONNECTIONS):
        ids.add(opened(simulator.cip(forward_open(serial=serial))).to_id)
    simulator.cip(forward_close(3))
    ids.add(opened(simulator.cip(forward_open(serial=3))).to_id)
    assert len(ids) == MAXIMUM_CONNECTIONS + 1 and 0 not in ids


# -- refusals


@pytest.mark.parametrize("large", [True, False])
def test_same_triad_twice(simulator: Simulator, large: bool) -> None:
    """A triad that is open, also by another session: 01/0x0100; the connection there is stays."""
    client = Client(simulator, serial=9)
    other = Simulator(simulator.device)
    for one in (simulator, other):
        assert refused(one.cip(forward_open(500, 9, large=large))) == ([0x0100], 0)
    assert client.cip(WORD) == WORD_IS


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        (forward_open(4003), LARGEST_SIZE),
        (forward_open(0xFFFF), LARGEST_SIZE),
        (forward_open(500, to_size=5000), LARGEST_SIZE),
        (forward_open(0), LARGEST_SIZE),
        (forward_open(SMALLEST_SIZE - 1), LARGEST_SIZE),
        (forward_open(0, large=False), 511),
        (forward_open(500, large=False, to_size=3), 511),
    ],
)
def test_impossible_sizes(simulator: Simulator, request_: bytes, size: int) -> None:
    """Too large or too small, in either direction: 01/0x0109 and the size that is possible."""
    assert refused(simulator.cip(request_)) == ([0x0109, size], 0)
    assert len(simulator.device.manager.connections) == 0


def test_too_many(simulator: Simulator) -> None:
    """More connections than a session may have: 01/0x0113; another session has its own; closing one makes room."""
    for serial in range(MAXIMUM_CONNECTIONS):
        opened(simulator.cip(forward_open(serial=serial)))
    assert refused(simulator.cip(forward_open(serial=1000))) == ([0x0113], 0)
    opened(Simulator(simulator.device).cip(forward_open(serial=1001)))
    simulator.cip(forward_close(0))
    opened(simulator.cip(forward_open(serial=1000)))


@pytest.mark.parametrize("trigger", [0x01, 0xA0, 0xA1, 0xA2, 0x8F])
def test_other_transport_classes(simulator: Simulator, trigger: int) -> None:
    """Connections of input and output, and any but class 3: 01/0x0103."""
    assert refused(simulator.cip(forward_open(trigger=trigger)))[0] == [0x0103]


@pytest.mark.parametrize(
    ("route", "extended", "left"),
    [
        ("0100 2004 2401", 0x0315, 2),  # Assembly
        ("0100 2002 2402", 0x0315, 2),
        ("0100", 0x0315, 0),
        ("", 0x0315, 0),
        ("0100 2002 2401 2c64", 0x0315, 3),
        ("0101 2002 2401", 0x0312, 3),
        ("0200 2002 2401", 0x0311, 3),
        ("0100 0200 2002 2401", 0x0311, 3),
        ("0f3412 00", 0x0311, 2),
        ("3404 0200 0000 0000 0000 0100 2002 2401", 0x0114, 8),
        ("3404 0100 0000 3700 0000 0100 2002 2401", 0x0114, 8),
        ("3404 0100 0200 3600 0000 0100 2002 2401", 0x0115, 8),
        ("3404 0100 0e00 3600 150b 0100 2002 2401", 0x0116, 8),
        ("3404 0100 0e00 3600 140c 0100 2002 2401", 0x0116, 8),
        ("3404 0100 0e00 3600 9500 0100 2002 2401", 0x0116, 8),
    ],
)
def test_paths_that_lead_elsewhere(simulator: Simulator, route: str, extended: int, left: int) -> None:
    """No such port or slot, no Message Router, another device: each its extended status, and the words left."""
    assert refused(simulator.cip(forward_open(route=bytes.fromhex(route)))) == ([extended], left)


@pytest.mark.parametrize(
    "route",
    [
        BY_BACKPLANE.hex(),
        DIRECT.hex(),
        "3404 0000 0000 0000 0000 0100 2002 2401",
        "3404 0100 0e00 3600 140b 0100 2002 2401",
        "3404 0100 0e00 3600 9401 0100 2002 2401",  # a compatible revision will do
        "0100 3404 0000 0000 0000 0000 2002 2401",
        "0100 4305 2002 2401",  # a network segment
        "0100 2100 0200 2500 0100",
    ],
)
def test_paths_that_lead_here(simulator: Simulator, route: str) -> None:
    """With and without backplane, with a key of zeros or our own, with network segments, in wider encodings."""
    opened(simulator.cip(forward_open(route=bytes.fromhex(route))))


def test_large_is_not_granted_by_all(simulator: Simulator) -> None:
    """A controller without Large Forward Open says 0x08 in four octets, by which clients know to ask for less."""
    simulator.device.manager.large = False
    assert simulator.cip(forward_open()) == bytes.fromhex("db000800")
    opened(simulator.cip(forward_open(504, large=False)))


def test_micro800_has_no_backplane() -> None:
    """That family takes the path without port alone."""
    of = type(device())(profile_named("2080-LC50"))
    simulator = Simulator(of)
    assert refused(simulator.cip(forward_open(500, large=False))) == ([0x0311], 3)
    opened(simulator.cip(forward_open(500, large=False, route=DIRECT)))


@pytest.mark.parametrize("request_", [forward_close(2), forward_close(1, DIRECT)])
def test_closing_what_is_not_open(simulator: Simulator, request_: bytes) -> None:
    """A triad that is not open: 01/0x0107."""
    opened(simulator.cip(forward_open(serial=7)))
    extended, _ = refused(simulator.cip(request_))
    assert extended == [0x0107] and len(simulator.device.manager.connections) == 1


def test_closing_is_by_triad_alone(simulator: Simulator) -> None:
    """The path of a Forward Close need not be that of the Forward Open; any session may close."""
    client = Client(simulator, serial=5)
    assert Simulator(simulator.device).cip(forward_close(5, bytes.fromhex("2004 2464")))[2] == 0
    assert simulator.send(unit(client.to_id, 1, WORD)) == b""


@pytest.mark.parametrize("request_", [forward_open(), forward_open(large=False), forward_close()])
def test_truncated_and_misplaced(simulator: Simulator, request_: bytes) -> None:
    """Cut short anywhere: a CIP refusal and nothing open; inside a packet or an Unconnected Send: 0x08."""
    for length in range(6, len(request_)):
        assert simulator.cip(request_[:length])[2] in (0x13, 0x26, 0x04), length
    refusal = bytes([request_[0] | 0x80, 0, 8, 0])
    assert simulator.cip(unconnected(request_)) == refusal
    assert members(simulator.cip(multiple(request_, WORD)))[0] == refusal
    assert len(simulator.device.manager.connections) == 0 and simulator.alive()


# -- over a connection


@pytest.mark.parametrize("sequence", [0, 1, 0x7FFF, 0xFFFF])
def test_any_count_is_taken_and_echoed(simulator: Simulator, sequence: int) -> None:
    """Clients count from anywhere; there is no count before the first, so that 0 is as good as any."""
    to_id = opened(simulator.cip(forward_open())).to_id
    assert unit_of(only(simulator.send(unit(to_id, sequence, WORD)))) == (FROM_ID, sequence, WORD_IS)


def test_out_of_order_counts(simulator: Simulator) -> None:
    """Counts in any order are each carried out."""
    to_id = opened(simulator.cip(forward_open())).to_id
    for value, sequence in enumerate([0x19, 0x1F, 0x1B, 0x20, 0x19]):
        simulator.send(unit(to_id, sequence, write(symbol("Word"), 0xC3, 1, struct.pack("<h", value))))
        assert simulator.device["Word"].value == value


def test_the_same_count_again_is_answered_again_and_not_done_again(simulator: Simulator) -> None:
    """A count that repeats the one just before: the stored reply, with the context of the new frame."""
    to_id = opened(simulator.cip(forward_open())).to_id
    first = simulator.send(unit(to_id, 5, write(symbol("Word"), 0xC3, 1, b"\1\0")))
    simulator.device["Word"].value = 50
    assert simulator.send(unit(to_id, 5, write(symbol("Word"), 0xC3, 1, b"\2\0"))) == first
    assert simulator.device["Word"].value == 50
    assert unit_of(only(simulator.send(unit(to_id, 5, read(symbol("Wide"), 3)))))[2] == bytes.fromhex("cd000000")
    assert unit_of(only(simulator.send(unit(to_id, 6, WORD))))[2] == bytes.fromhex("cc000000 c300 3200")
    other = opened(simulator.cip(forward_open(serial=2))).to_id
    assert unit_of(only(simulator.send(unit(other, 6, WORD))))[2] == bytes.fromhex("cc000000 c300 3200")


@pytest.mark.parametrize("size", [SMALLEST_SIZE, 20, 100, 500, 511, 4000])
def test_replies_are_bounded_by_the_size_asked_for(simulator: Simulator, size: int) -> None:
    """Reads end where the connection does, with 0x06, packets of several, too; nothing is longer."""
    simulator.device["SCADA"].value = list(range(1000))
    client = Client(simulator, size, large=size > 511)
    most = size - 2
    reply = client.cip(read(symbol("SCADA"), 1000))
    whole = min((most - 6) // 2 * 2, 2000)
    assert (reply[2], len(reply)) == (0 if whole == 2000 else 6, 6 + whole)
    data, at = b"", 0
    while size > 20 and at < 2000:
        part = client.cip(read_fragmented(symbol("SCADA"), 1000, at))
        assert len(part) <= most and part[:6] == bytes.fromhex("d200" + ("0000" if part[2] == 0 else "0600") + "c300")
        data += part[6:]
        at = len(data)
    assert data in (b"", struct.pack("<1000h", *range(1000)))
    several = client.cip(multiple(*[read(symbol("SCADA"), 400)] * 3))
    assert len(several) <= most
    listed = client.cip(b"\x03" + numbers(1, 1) + bytes.fromhex("0300 0100 0700 0600"))
    assert len(listed) <= most and listed[2] in (0, 0x11)
    assert client.cip(read(symbol("None"))) == bytes.fromhex("cc000401 0000")


def test_structures_in_a_crowded_packet() -> None:
    """Each member has room for a type and handle, so that a read of a structure is cut short and not refused.

    Only where that is too much for all of them together may one be refused, 0x11.
    """
    of = device()
    of.add_tag(Attribute("Name", STRING, "unit 7"))
    client = Client(Simulator(of), 60, large=False)
    wide, name = read(symbol("SCADA"), 20), read(symbol("Name"))
    cut = bytes.fromhex("cc000600 a002ce0f")
    for crowd in (2, 5):
        replies = members(client.cip(multiple(wide, *[name] * (crowd - 1))))
        assert replies[0][:6] == bytes.fromhex("cc000600 c300")
        assert all(one[:8] == cut for one in replies[1:])
    replies = members(client.cip(multiple(*[name] * 6)))
    assert {one[:8] for one in replies} == {cut, bytes.fromhex("cc001100")}


def test_a_whole_thousand_in_one_connected_reply(simulator: Simulator) -> None:
    """What takes four unconnected reads fits one reply of a large connection."""
    assert len(Client(simulator, 4000).cip(read(symbol("SCADA"), 1000))) == 6 + 2000


def test_everything_goes_over_a_connection(simulator: Simulator) -> None:
    """Attributes, packets, refusals and requests over a route: as unconnected."""
    client = Client(simulator)
    for request_ in (
        b"\x01" + numbers(1, 1),
        multiple(WORD, read(symbol("None"))),
        unconnected(WORD),
        b"\x99" + numbers(1, 1),
        b"\x4c" + symbol("Word"),
        b"\x4c\x7f",
    ):
        assert client.cip(request_) == simulator.cip(request_)


# -- connections that are not there


def test_unknown_connection(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """Data for a connection that is not open: no reply, one line in the log, the session goes on."""
    caplog.set_level("INFO", "enip.srv")
    for _ in range(5):
        assert simulator.send(unit(0xDEAD, 1, WORD)) == b""
    assert caplog.text.count("0x0000dead") == 1
    assert simulator.alive()


def test_another_sessions_connection(simulator: Simulator) -> None:
    """A connection can only be used on the TCP connection that opened it."""
    client = Client(simulator)
    other = Session(simulator.device, HANDLE + 1, ADDRESS)
    other.receive(register())
    assert other.receive(unit(client.to_id, 1, WORD, HANDLE + 1)) == b""
    assert client.cip(WORD) == WORD_IS


@pytest.mark.parametrize("how", ["unregister", "end"])
def test_the_end_of_a_session_closes_its_connections(simulator: Simulator, how: str) -> None:
    """By UnRegisterSession or by losing TCP: ids and triads are free at once, those of others stay."""
    other = Simulator(simulator.device)
    theirs = Client(other, serial=2)
    for serial in (1, 3):
        opened(simulator.cip(forward_open(serial=serial)))
    if how == "unregister":
        simulator.send(frame(UNREGISTER, b"", HANDLE))
    else:
        simulator.session.end()
    assert len(simulator.device.manager.connections) == 1
    opened(other.cip(forward_open(serial=1)))
    assert theirs.cip(WORD) == WORD_IS


@pytest.mark.parametrize(
    "items",
    [
        (item(0xA1, bytes(4)), item(0xB2, WORD)),
        (item(0), item(0xB1, b"\0\0" + WORD)),
        (item(0xA1, bytes(2)), item(0xB1, b"\0\0" + WORD)),
        (item(0xA1, bytes(4)), item(0xB1, b"\0")),
        (item(0xA1, bytes(4)),),
    ],
)
def test_wrong_items(simulator: Simulator, items: Any) -> None:
    """Items that are not a connection's address and data: 0x0003, the session stays."""
    reply = only(simulator.send(frame(SEND_UNIT_DATA, packet(*items), HANDLE)))
    assert (reply.status, reply.payload) == (3, b"")
    assert simulator.alive()


def test_no_service_octet(simulator: Simulator) -> None:
    """A sequence count and nothing more: 0x0003."""
    client = Client(simulator)
    assert only(simulator.send(unit(client.to_id, 1, b""))).status == 3
    assert client.cip(WORD) == WORD_IS


def test_further_items_are_ignored(simulator: Simulator) -> None:
    """Socket addresses that some clients add change nothing."""
    client = Client(simulator)
    payload = packet(item(0xA1, struct.pack("<I", client.to_id)), item(0xB1, b"\x09\0" + WORD), item(0x8000, bytes(16)))
    assert unit_of(only(simulator.send(frame(SEND_UNIT_DATA, payload, HANDLE)))) == (FROM_ID, 9, WORD_IS)
    assert only(simulator.send(frame(SEND_RR_DATA, payload, HANDLE))).status == 3


# -- time


def looked(simulator: Simulator, *times: float) -> int:
    """How many connections there are after looks at these times."""
    for now in times:
        simulator.session.look(now)
    return len(simulator.device.manager.connections)


def test_idle_connections_are_closed(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """After 4 * 2**multiplier intervals O->T without a frame; each frame begins anew; the session stays."""
    caplog.set_level("INFO", "enip.srv")
    to_id = opened(simulator.cip(forward_open(rpi=1_000_000, multiplier=1))).to_id  # 8 s
    simulator.send(unit(to_id, 1, WORD))
    assert looked(simulator, 100.0, 107.9) == 1
    simulator.send(unit(to_id, 2, WORD))
    assert looked(simulator, 108.0, 115.9) == 1
    assert looked(simulator, 116.0) == 0
    assert f"0x{to_id:08x} closed: no frame for 8 s" in caplog.text
    assert simulator.send(unit(to_id, 3, WORD)) == b"" and simulator.alive()
    opened(simulator.cip(forward_open()))  # the triad is free


def test_a_repeated_frame_keeps_a_connection(simulator: Simulator) -> None:
    """... also one that is only answered again."""
    to_id = opened(simulator.cip(forward_open(rpi=1_000_000, multiplier=1))).to_id
    for now in (0.0, 7.0, 14.0, 21.0):
        simulator.send(unit(to_id, 1, WORD))
        assert looked(simulator, now) == 1


def test_the_first_frame_has_ten_seconds(simulator: Simulator) -> None:
    """However short the interval; with a long one as long as that says."""
    opened(simulator.cip(forward_open(serial=1, rpi=1000, multiplier=0)))
    opened(simulator.cip(forward_open(serial=2, rpi=5_000_000, multiplier=0)))
    assert looked(simulator, 0.0, 9.9) == 2
    assert looked(simulator, 10.0) == 1
    assert looked(simulator, 19.9) == 1
    assert looked(simulator, 20.0) == 0


def test_an_interval_of_zero_is_no_time_out_at_once(simulator: Simulator) -> None:
    """A controller's own messages ask for an interval of 0."""
    to_id = opened(simulator.cip(forward_open(rpi=0))).to_id
    simulator.send(unit(to_id, 1, WORD))
    assert looked(simulator, 0.0, 9.9) == 1
    assert looked(simulator, 10.0) == 0


def test_only_own_connections_are_looked_at(simulator: Simulator) -> None:
    """A session closes none but its own."""
    Client(Simulator(simulator.device), serial=8)
    Client(simulator, serial=9)
    assert looked(simulator, 0.0, 1e6) == 1


def test_open_over_the_wire_of_rr_alone(simulator: Simulator) -> None:
    """Forward Open comes in SendRRData; sent over a connection it opens another."""
    client = Client(simulator)
    second = opened(client.cip(forward_open(serial=2))).to_id
    assert unit_of(only(simulator.send(unit(second, 1, WORD))))[2] == WORD_IS
    assert only(simulator.send(rr(WORD))).status == 0


# -- small connections, and two threads


@pytest.mark.parametrize("size", [SMALLEST_SIZE, 9, 12, 20, 31, 32])
def test_nothing_is_longer_than_a_small_connection(size: int) -> None:
    """What does not fit is refused with 0x11, and has not been done: no connection is open that nobody was told of."""
    of = device()
    of.add_tag(Attribute("Name", STRING, "unit 7"))
    simulator = Simulator(of)
    client = Client(simulator, size)
    for request_, least in (
        (read(symbol("Name")), 8),
        (forward_open(serial=2), 30),
        (forward_close(3), 16),  # a refusal
        (unconnected(WORD, bytes.fromhex("0100 0101")), 7),
        (forward_close(1), 14),  # itself
    ):
        reply = client.cip(request_)
        assert len(reply) <= size - 2
        refusal = bytes([request_[0] | 0x80, 0, 0x11, 0])
        assert (reply == refusal) is (size - 2 < least), (reply, least)
    assert len(of.manager.connections) == (1 if size < 16 else 0 if size < 32 else 1)


def test_a_late_one_is_opened_anew_while_it_is_closed() -> None:
    """A triad that another thread closes and opens again, while it is closed for being late, stays in the table."""
    table = Connections()
    origin, triad = Origin(), Triad(1, 2, 3)
    reopened = threading.Event()

    def reopen() -> None:
        with contextlib.suppress(StatusError):
            table.close(triad)
        table.open(origin, triad, 1, 500, 0, 0)
        reopened.set()

    other = threading.Thread(target=reopen)

    class Slow(dict[int, Connection]):
        def begin(self) -> None:
            if not other.ident:
                other.start()
                reopened.wait(0.2)  # in vain: it waits for us

        def __delitem__(self, key: int) -> None:
            super().__delitem__(key)
            self.begin()

        def pop(self, *args: Any) -> Any:
            found = super().pop(*args)
            self.begin()
            return found

    origin.connections = Slow()
    table.open(origin, triad, 1, 500, 0, 0).since = 0.0
    assert len(table.expire(origin, 1e6)) == 1
    other.join()
    assert len(table) == len(origin.connections) == 1
    table.close(triad)
    assert len(table) == len(origin.connections) == 0
