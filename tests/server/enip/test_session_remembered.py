"""Requests that come again, octet by octet: answered as at first, by what is there now, and by nothing more."""

from __future__ import annotations

from typing import Any

import pytest

from cpppo.server.enip import session as module
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.session import REMEMBERED_OCTETS, Session
from cpppo.server.enip.wire.services.tag import ReadTag
from cpppo.server.enip.wire.types import INT
from tests.server.enip.device.connected import FROM_ID, forward_open, opened, unit, unit_of
from tests.server.enip.device.frames import (
    ADDRESS,
    HANDLE,
    SEND_RR_DATA,
    SEND_UNIT_DATA,
    Simulator,
    cip_of,
    frame,
    item,
    only,
    packet,
    read,
    read_fragmented,
    register,
    rr,
    shown,
    symbol,
    unconnected,
    write,
)

WORD = read(symbol("Word"))
FORMS = [WORD, read_fragmented(symbol("Word"), 1), unconnected(WORD), unconnected(read_fragmented(symbol("Word"), 1))]


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, Any]:
    """What is remembered: nothing at first."""
    known: dict[bytes, Any] = {}
    monkeypatch.setattr(module, "_remembered", known)
    return known


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, Any]:
    """What is remembered of connections: nothing at first."""
    known: dict[bytes, Any] = {}
    monkeypatch.setattr(module, "_connected", known)
    return known


@pytest.mark.parametrize("request_", FORMS, ids=shown)
def test_values_are_those_of_now(request_: bytes, remembered: dict[bytes, Any]) -> None:
    """A request is remembered, never a value."""
    simulator = Simulator()
    for number in (7, 8, 9):
        simulator.device["Word"].value = number
        assert simulator.cip(request_)[-2:] == bytes([number, 0])
    assert len(remembered) == 1 and None not in remembered.values()


@pytest.mark.parametrize("request_", FORMS, ids=shown)
def test_context_and_interface_are_those_of_the_frame(request_: bytes) -> None:
    simulator = Simulator()
    for interface in (0, 5, 0, 5):
        for context in (b"one-----", b"other---"):
            payload = packet(item(0x00), item(0xB2, request_), interface=interface)
            reply = only(simulator.send(frame(SEND_RR_DATA, payload, HANDLE, context)))
            assert (reply.session, reply.context, reply.payload[0]) == (HANDLE, context, interface)
            assert cip_of(reply)[-2:] == b"\7\0"


def test_each_device_answers_for_itself() -> None:
    """A tag that comes later, or is another in another device."""
    one, other = Simulator(Device()), Simulator()
    for _ in range(3):
        assert one.cip(WORD).hex() == "cc0004010000"
        assert other.cip(WORD)[-2:] == b"\7\0"
    one.device.add_tag(Attribute("Word", INT, 300))
    assert one.cip(WORD)[-2:] == b"\x2c\1"


def test_only_in_the_frames_it_came_in() -> None:
    """Another command, options, another session or none: as if it had never come."""
    simulator = Simulator()
    payload = packet(item(0x00), item(0xB2, WORD))
    for _ in range(3):
        assert simulator.cip(WORD)[2] == 0
        assert only(simulator.send(frame(SEND_UNIT_DATA, payload, HANDLE))).status == 3
        assert simulator.send(frame(SEND_RR_DATA, payload, HANDLE, options=1)) == b""
        assert only(simulator.send(rr(WORD, HANDLE + 1))).status == 0x64
        unregistered = Session(simulator.device, HANDLE, ADDRESS)
        assert only(unregistered.receive(rr(WORD))).status == 0x64
    assert simulator.session.requests == 1 + 3 * 4


def test_whoever_answers_may_change_a_request() -> None:
    """The one that comes next is as it was sent."""
    seen = []

    class Greedy(Device):
        def request(self, request: Any, context: Any) -> Any:
            if request.data.__class__ is ReadTag:
                seen.append(request.data.elements)
                request.data.elements += 1
                request.service = 0x4C
            return super().request(request, context)

    simulator = Simulator(Greedy())
    simulator.device.add_tag(Attribute("Word", INT, [1, 2, 3]))
    for request in (WORD, unconnected(WORD)):
        replies = {simulator.cip(request) for _ in range(3)}
        assert replies == {bytes.fromhex("cc000000 c300 0100 0200")}
    assert seen == [1] * 6


def test_no_more_than_there_is_room_for(remembered: dict[bytes, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a peer asks for; nor long requests, writes, and what is malformed."""
    monkeypatch.setattr(module, "REMEMBERED", 20)
    simulator = Simulator()
    for number in range(50):
        for _ in range(number % 3 + 1):
            assert simulator.cip(read(symbol("SCADA", number)))[2] == 0
        assert 0 < len(remembered) <= 20
    remembered.clear()
    for request in (read(symbol("x" * REMEMBERED_OCTETS)), write(symbol("Word"), 0xC3, 1, b"\7\0"), WORD[:-1]):
        simulator.cip(request)
        simulator.cip(unconnected(request))
    assert remembered == {}


def test_pipelined_and_in_pieces() -> None:
    """Several at once, and one that comes octet by octet, are answered and counted alike."""
    simulator = Simulator()
    one, unknown = rr(WORD), rr(read(symbol("None")))
    (first,) = {simulator.send(one) for _ in range(2)}
    none = simulator.send(unknown)
    assert simulator.send(one + unknown + one) == first + none + first
    assert b"".join(simulator.send(one[at : at + 1]) for at in range(len(one))) == first
    assert simulator.send(one + one[:30]) + simulator.send(one[30:] + one) == first * 3
    session = simulator.session
    assert session.requests == 1 + 2 + 1 + 3 + 1 + 3
    assert session.received == session.processed == len(register()) + 8 * len(one) + 2 * len(unknown)


def test_frames_longer_than_allowed() -> None:
    """Those that another session remembers, too."""
    simulator = Simulator()
    (reply,) = {simulator.send(rr(WORD)) for _ in range(3)}
    size = len(rr(WORD)) - 24
    for most in (size, size - 1):
        session = Session(simulator.device, HANDLE, ADDRESS, most=most)
        session.receive(register())
        answer = session.receive(rr(WORD))
        assert (answer == reply, session.closed) == ((True, False) if most == size else (False, True))


def test_all_sessions_share_them(remembered: dict[bytes, Any]) -> None:
    """What is remembered of one session serves the next."""
    simulator = Simulator()
    assert simulator.cip(WORD) == simulator.cip(WORD)
    session = Session(Simulator().device, HANDLE, ADDRESS)
    session.receive(register())
    assert cip_of(only(session.receive(rr(WORD))))[-2:] == b"\7\0" and len(remembered) == 1


# -- over connections

OVER = [WORD, read_fragmented(symbol("Word"), 1)]


@pytest.mark.parametrize("request_", OVER, ids=shown)
def test_over_a_connection(request_: bytes, connected: dict[bytes, Any], remembered: dict[bytes, Any]) -> None:
    """Whatever the count and the connection; a count that comes again is answered again, and not done again."""
    simulator = Simulator()
    ids = [opened(simulator.cip(forward_open(serial=serial))).to_id for serial in (1, 2)]
    for sequence in (5, 6, 7, 8):
        for to_id in ids:
            simulator.device["Word"].value = sequence
            first = simulator.send(unit(to_id, sequence, request_))
            assert unit_of(only(first))[:2] == (FROM_ID, sequence) and first[-2:] == bytes([sequence, 0])
            simulator.device["Word"].value = 99
            assert simulator.send(unit(to_id, sequence, request_)) == first
    assert len(connected) == 1 and None not in connected.values() and remembered == {}


def test_on_no_connection() -> None:
    """Of another session, or closed: as if it had never come."""
    simulator = Simulator()
    to_id = opened(simulator.cip(forward_open())).to_id
    for sequence in range(3):
        assert simulator.send(unit(to_id, sequence, WORD)) != b""
    other = Simulator(simulator.device)
    assert other.send(unit(to_id, 9, WORD)) == b"" == simulator.send(unit(to_id + 1, 9, WORD))


@pytest.mark.parametrize("request_", OVER, ids=shown)
def test_no_octet_of_a_frame_can_differ(request_: bytes) -> None:
    """Whatever octet is another one: who remembers answers as who does not."""

    def ready() -> tuple[Simulator, int]:
        simulator = Simulator()
        return simulator, opened(simulator.cip(forward_open())).to_id

    _, to_id = ready()
    whole = unit(to_id, 7, request_)
    taken = 0
    for at in range(len(whole)):
        for change in (0x01, 0xFF):
            octets = whole[:at] + bytes((whole[at] ^ change,)) + whole[at + 1 :]
            replies = []
            for short in (REMEMBERED_OCTETS, 0):
                simulator, _ = ready()
                simulator.session._short = short
                for sequence in range(3):
                    simulator.send(unit(to_id, sequence, request_))
                replies.append(
                    (simulator.session.receive(octets), simulator.session.closed, simulator.session.requests)
                )
            assert replies[0] == replies[1], (at, change)
            taken += replies[0][0] != b""
    assert taken > 40


def test_unconnected_is_not_taken_for_connected(connected: dict[bytes, Any]) -> None:
    """Octets under the other command mean what they mean there."""
    simulator = Simulator()
    to_id = opened(simulator.cip(forward_open())).to_id
    for sequence in range(3):
        simulator.send(unit(to_id, sequence, WORD))
    (key,) = connected
    assert only(simulator.send(frame(SEND_RR_DATA, key, HANDLE))).status == 3


def test_connections_are_remembered_in_bounds(connected: dict[bytes, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for over them."""
    monkeypatch.setattr(module, "REMEMBERED", 20)
    simulator = Simulator()
    to_id = opened(simulator.cip(forward_open())).to_id
    for number in range(50):
        for turn in range(2):
            simulator.send(unit(to_id, 2 * number + turn, read(symbol("SCADA", number))))
        assert 0 < len(connected) <= 20
