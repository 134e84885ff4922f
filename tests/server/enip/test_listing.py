"""What a datagram is answered, in memory: the List commands, and silence to all else."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.server.enip.listing import Discovery
from cpppo.server.enip.session import Session
from tests.server.enip.device.frames import (
    ADDRESS,
    HANDLE,
    LIST_IDENTITY,
    LIST_INTERFACES,
    LIST_SERVICES,
    NOP,
    REGISTER,
    SEND_RR_DATA,
    SEND_UNIT_DATA,
    UNREGISTER,
    device,
    frame,
    only,
    read,
    register,
    rr,
    symbol,
)

LISTS = (LIST_SERVICES, LIST_IDENTITY, LIST_INTERFACES)
OTHERS = (NOP, REGISTER, UNREGISTER, SEND_RR_DATA, SEND_UNIT_DATA)
#: What pylogix broadcasts.
PYLOGIX = bytes.fromhex("6300 0000 00000000 00000000 fa00 4869 4d6f 6d00 00000000")
#: Answers what Hypothesis draws.
ANY = Discovery(device())


@pytest.fixture(scope="module")
def discovery() -> Discovery:
    return Discovery(device())


def told(discovery: Discovery, octets: bytes) -> bytes:
    """What a datagram is answered."""
    return discovery.answer(octets, lambda: ADDRESS)


def shown(reply: bytes) -> tuple[str, int]:
    """The socket address in a reply to List Identity."""
    payload = only(reply).payload
    return socket.inet_ntoa(payload[12:16]), int.from_bytes(payload[10:12], "big")


@pytest.mark.parametrize("command", LISTS)
@pytest.mark.parametrize("context", [bytes(8), b"\xff" * 8, PYLOGIX[12:20]])
@pytest.mark.parametrize("handle", [0, HANDLE])
def test_lists_are_answered_as_in_a_session(discovery: Discovery, command: int, context: bytes, handle: int) -> None:
    """List Services, Identity and Interfaces need no session, and are answered as TCP does, octet by octet."""
    octets = frame(command, session=handle, context=context)
    reply = told(discovery, octets)
    assert reply == Session(discovery.device, HANDLE, ADDRESS).receive(octets) != b""
    assert only(reply)[2:6] == (handle, 0, context, 0)


def test_capability(discovery: Discovery) -> None:
    """List Services does not offer CIP over UDP: capability 0x0020."""
    payload = bytes.fromhex("0100 0001 1400 0100 2000") + b"Communications\0\0"
    assert told(discovery, frame(LIST_SERVICES)) == frame(LIST_SERVICES, payload)


@pytest.mark.parametrize("command", [*OTHERS, 0x01, 0x62, 0x67, 0x6E, 0x72, 0x73, 0xC8, 0x6300, 0xFFFF])
@pytest.mark.parametrize("payload", [b"", b"\1\0\0\0"])
def test_other_commands_are_passed_over(discovery: Discovery, command: int, payload: bytes) -> None:
    """Any other command is not answered, not even by an error."""
    assert told(discovery, frame(command, payload, HANDLE)) == b""


@pytest.mark.parametrize("octets", [register(), rr(read(symbol("SCADA"))), frame(LIST_IDENTITY) * 2])
def test_conversations_are_passed_over(discovery: Discovery, octets: bytes) -> None:
    """There are no sessions over UDP, and there is one frame a datagram."""
    assert told(discovery, octets) == b""


@pytest.mark.parametrize("command", LISTS)
@pytest.mark.parametrize("options", [1, 0x80000000, 0xFFFFFFFF])
def test_options_are_passed_over(discovery: Discovery, command: int, options: int) -> None:
    """A frame whose header options are not 0 is discarded."""
    assert told(discovery, frame(command, options=options)) == b""


@pytest.mark.parametrize("command", LISTS)
def test_status_is_ignored(discovery: Discovery, command: int) -> None:
    """A status in a request means nothing, as over TCP."""
    assert only(told(discovery, frame(command, status=0x65))).status == 0


@pytest.mark.parametrize("command", LISTS)
@pytest.mark.parametrize("length", [1, 4, 24, 0x100, 65511, 65512, 65535])
def test_wrong_lengths_are_passed_over(discovery: Discovery, command: int, length: int) -> None:
    """A header that announces what is not there is not answered."""
    assert told(discovery, frame(command, length=length)) == b""


@pytest.mark.parametrize("command", LISTS)
def test_pieces_are_passed_over(discovery: Discovery, command: int) -> None:
    """Nothing is kept: a datagram that ends too soon, or is longer than its header says, is not answered."""
    octets = frame(command)
    for at in range(len(octets)):
        assert told(discovery, octets[:at]) == told(discovery, octets[at:] if at else b"") == b""
    for more in (b"\0", bytes(24), bytes(65507 - 24)):
        assert told(discovery, octets + more) == b""


@pytest.mark.parametrize("command", LISTS)
def test_replies_are_passed_over(discovery: Discovery, command: int) -> None:
    """A reply is no request: two simulators, each taken for the other's client, do not talk for ever."""
    assert told(discovery, told(discovery, frame(command))) == b""


@given(st.binary(max_size=80) | st.binary(min_size=24, max_size=24))
def test_garbage_is_passed_over(octets: bytes) -> None:
    """Whatever the octets, there is no exception; there is an answer to nothing but a List command's header."""
    reply = told(ANY, octets)
    good = len(octets) == 24 and octets[:4] in [bytes([one, 0, 0, 0]) for one in LISTS] and octets[20:] == bytes(4)
    assert bool(reply) is good


@given(st.sampled_from(LISTS), st.lists(st.tuples(st.integers(0, 23), st.integers(0, 255)), max_size=3))
def test_damaged_frames(command: int, changes: list[tuple[int, int]]) -> None:
    """A request of which some octets are changed is answered in one frame with its context, or not at all."""
    octets = bytearray(frame(command))
    for at, value in changes:
        octets[at] = value
    if reply := told(ANY, bytes(octets)):
        assert only(reply).context == octets[12:20]


def test_where_is_asked_for_by_list_identity_alone() -> None:
    """The address is found anew each time, and only if it is to be shown."""
    asked: list[int] = []

    def where() -> tuple[int, int]:
        asked.append(1)
        return len(asked), 44818

    for octets in (frame(LIST_SERVICES), frame(LIST_INTERFACES), b"garbage", frame(LIST_IDENTITY, b"more")):
        ANY.answer(octets, where)
    assert asked == []
    assert [shown(ANY.answer(PYLOGIX, where)) for _ in range(2)] == [("0.0.0.1", 44818), ("0.0.0.2", 44818)]
