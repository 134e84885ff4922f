"""A session in memory: every rule of the encapsulation, framing in any pieces, and octets gone wrong."""

from __future__ import annotations

import logging
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpppo.grammar import Disagreement
from cpppo.server.enip.device import Attribute
from cpppo.server.enip.session import EXPLANATIONS, Session
from cpppo.server.enip.wire.types import DINT
from tests.server.enip.device.frames import (
    ADDRESS,
    BACKPLANE,
    CONTEXT,
    HANDLE,
    LIST_IDENTITY,
    LIST_INTERFACES,
    LIST_SERVICES,
    NOP,
    REGISTER,
    SEND_RR_DATA,
    SEND_UNIT_DATA,
    UNREGISTER,
    Simulator,
    cip_of,
    device,
    frame,
    frames,
    item,
    modify,
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
    write_fragmented,
)

READ_WORD = read(symbol("Word"))
WORD_IS = bytes.fromhex("cc 00 00 00 c3 00 07 00")
#: A frame of every command and service, each answered.
CONVERSATION = (
    frame(LIST_SERVICES),
    frame(LIST_IDENTITY),
    frame(LIST_INTERFACES),
    rr(READ_WORD),
    rr(read_fragmented(symbol("SCADA", 990), 10, 4)),
    rr(write(symbol("SCADA", 3), 0xC3, 2, b"\1\0\2\0")),
    rr(write_fragmented(symbol("Wide"), 0xC4, 3, 4, b"\5\0\0\0")),
    rr(modify(symbol("Bits"), 4, bytes(4), b"\xff" * 4)),
    rr(b"\x01" + numbers(1, 1)),
    rr(b"\x0e" + numbers(1, 1, 7)),
    rr(b"\x03" + numbers(1, 1) + bytes.fromhex("0200 0100 0200")),
    rr(b"\x10" + numbers(2, 1, 4) + b"\7\0"),
    rr(b"\x04" + numbers(2, 1) + bytes.fromhex("0100 0400 0700")),
    rr(multiple(READ_WORD, b"\x0e" + numbers(1, 1, 1), write(symbol("word"), 0xC3, 1, b"\7\0"))),
    rr(unconnected(READ_WORD)),
    rr(unconnected(multiple(READ_WORD, READ_WORD))),
)


@pytest.fixture
def session() -> Session:
    return Session(device(), HANDLE, ADDRESS, "peer:1")


@pytest.fixture
def simulator() -> Simulator:
    return Simulator()


# -- RegisterSession and UnRegisterSession


def test_register_answers_with_the_handle(session: Session) -> None:
    """RegisterSession is answered by our handle, the context and version 1, options 0."""
    assert session.receive(register()) == frame(REGISTER, bytes.fromhex("01000000"), HANDLE)
    assert not session.closed


def test_register_ignores_the_session_field(session: Session) -> None:
    """Whatever stands in the session field of RegisterSession is ignored."""
    assert only(session.receive(register(session=0xDEADBEEF)))[:4] == (REGISTER, 4, HANDLE, 0)


@pytest.mark.parametrize(("version", "options"), [(0, 0), (2, 0), (0xFFFF, 0), (1, 1), (2, 0x8000)])
def test_register_of_another_version_is_refused(session: Session, version: int, options: int) -> None:
    """Another version, or options: 0x0069, session 0 and the version we speak; it may then be done right."""
    reply = session.receive(register(version, options, session=5))
    assert reply == frame(REGISTER, bytes.fromhex("01000000"), 0, status=0x69)
    assert only(session.receive(rr(READ_WORD))).status == 0x64
    assert only(session.receive(register())).status == 0


def test_second_register_is_refused_and_the_first_stays(simulator: Simulator) -> None:
    """A second RegisterSession on a connection: 0x0001; the first session stays valid."""
    reply = only(simulator.send(register()))
    assert (reply.command, reply.status, reply.context) == (REGISTER, 0x01, CONTEXT)
    assert simulator.cip(READ_WORD) == WORD_IS


@pytest.mark.parametrize("size", [0, 1, 3, 5, 8, 400])
def test_register_of_another_length_is_refused(session: Session, size: int) -> None:
    """RegisterSession whose length is not 4: 0x0065, no session, and the connection stays."""
    reply = only(session.receive(frame(REGISTER, (b"\1\0\0\0" * 100)[:size])))
    assert (reply.command, reply.length, reply.status) == (REGISTER, 0, 0x65)
    assert not session.closed
    assert only(session.receive(rr(READ_WORD))).status == 0x64
    assert only(session.receive(register())).session == HANDLE


def test_unregister_closes_without_a_reply(simulator: Simulator) -> None:
    """UnRegisterSession is answered by nothing but the end of the connection; what follows is not answered."""
    assert simulator.send(frame(UNREGISTER, session=HANDLE) + rr(READ_WORD)) == b""
    assert simulator.session.closed


def test_nothing_is_answered_after_the_end(simulator: Simulator) -> None:
    """A session that is closed answers nothing more."""
    assert simulator.send(frame(UNREGISTER, session=HANDLE)) == b""
    assert simulator.send(rr(READ_WORD)) == b""


# -- commands without a session


def test_list_services_octets(session: Session) -> None:
    """ListServices needs no session; version 1, CIP over TCP, and a name of 16 octets."""
    payload = bytes.fromhex("0100 0001 1400 0100 2000") + b"Communications\0\0"
    assert session.receive(frame(LIST_SERVICES)) == frame(LIST_SERVICES, payload)


def test_list_identity_octets(session: Session) -> None:
    """ListIdentity needs no session; the socket address is that of the connection, in network order."""
    who = bytes.fromhex("0100 0002 af12 7f000001 0000000000000000 0100 0e00 3600 14 0b 6030 1a066c00")
    who += b"\x141756-L61/B LOGIX5561\x03"
    payload = struct.pack("<HHH", 1, 0x0C, len(who)) + who
    assert session.receive(frame(LIST_IDENTITY, context=b"HiMom\0\0\0")) == frame(
        LIST_IDENTITY, payload, context=b"HiMom\0\0\0"
    )


def test_list_interfaces_octets(session: Session) -> None:
    """ListInterfaces needs no session; there are none."""
    assert session.receive(frame(LIST_INTERFACES)) == frame(LIST_INTERFACES, b"\0\0")


@pytest.mark.parametrize("payload", [b"", b"anything at all"])
def test_nop_is_silent(session: Session, payload: bytes) -> None:
    """NOP is never answered, and changes nothing."""
    assert session.receive(frame(NOP, payload)) == b""
    assert not session.closed
    assert only(session.receive(register())).status == 0


@pytest.mark.parametrize("command", [0x01, 0x02, 0x05, 0x62, 0x67, 0x6E, 0x71, 0x72, 0x73, 0xC8, 0x6F00, 0xFFFF])
def test_unsupported_command(simulator: Simulator, command: int) -> None:
    """Any other command: 0x0001 without a payload, its context echoed; the session stays."""
    reply = only(simulator.send(frame(command, b"octets", HANDLE, b"12345678")))
    assert reply[:6] == (command, 0, HANDLE, 0x01, b"12345678", 0)
    assert simulator.cip(READ_WORD) == WORD_IS


@pytest.mark.parametrize("context", [bytes(8), b"\xff" * 8, b"_pycomm_"])
def test_context_is_echoed(simulator: Simulator, context: bytes) -> None:
    """The sender context comes back in every reply, good or bad."""
    asked = [frame(one, context=context) for one in (LIST_SERVICES, LIST_IDENTITY, LIST_INTERFACES, 0x99)]
    asked += [rr(READ_WORD, context=context), rr(READ_WORD, 1, context), rr(b"", context=context)]
    for one in asked:
        assert only(simulator.send(one)).context == context


def test_status_of_a_request_is_ignored(simulator: Simulator) -> None:
    """A status in a request means nothing; the reply's is 0."""
    payload = packet(item(0), item(0xB2, READ_WORD))
    assert cip_of(only(simulator.send(frame(SEND_RR_DATA, payload, HANDLE, status=0x65)))) == WORD_IS


@pytest.mark.parametrize(
    "octets", [one[:20] + b"\1\0\0\0" + one[24:] for one in (register(), *CONVERSATION, frame(NOP), frame(UNREGISTER))]
)
def test_header_options_discard_a_frame(session: Session, octets: bytes) -> None:
    """A frame whose header options are not 0 is discarded: not answered, not executed."""
    assert session.receive(octets) == b""
    assert not session.closed
    assert only(session.receive(register()))[2:4] == (HANDLE, 0)
    assert cip_of(only(session.receive(rr(READ_WORD)))) == WORD_IS


# -- sessions and lengths


@pytest.mark.parametrize("command", [SEND_RR_DATA, SEND_UNIT_DATA])
@pytest.mark.parametrize("handle", [0, HANDLE + 1, 0xFFFFFFFF])
def test_wrong_session(simulator: Simulator, command: int, handle: int) -> None:
    """A session handle that is not of this connection: 0x0064 without payload; the connection stays."""
    payload = packet(item(0), item(0xB2, write(symbol("Word"), 0xC3, 1, b"\1\0")))
    reply = only(simulator.send(frame(command, payload, handle)))
    assert (reply.command, reply.length, reply.status, reply.context) == (command, 0, 0x64, CONTEXT)
    assert simulator.cip(READ_WORD) == WORD_IS


@pytest.mark.parametrize("command", [SEND_RR_DATA, SEND_UNIT_DATA])
def test_no_session(session: Session, command: int) -> None:
    """Before RegisterSession even the handle to come is wrong: 0x0064."""
    reply = only(session.receive(frame(command, packet(item(0), item(0xB2, READ_WORD)), HANDLE)))
    assert (reply.length, reply.status) == (0, 0x64)
    assert not session.closed


@pytest.mark.parametrize("length", [65512, 65535])
@pytest.mark.parametrize("command", [NOP, REGISTER, SEND_RR_DATA, 0x99])
def test_length_beyond_the_limit(simulator: Simulator, command: int, length: int) -> None:
    """A length that no frame can have: 0x0065 as soon as the header is there, and the end."""
    reply = only(simulator.send(frame(command, b"", HANDLE, length=length)))
    assert (reply.command, reply.length, reply.status, reply.context) == (command, 0, 0x65, CONTEXT)
    assert simulator.session.closed


@pytest.mark.parametrize("length", [65512, 65535])
def test_length_beyond_the_limit_in_one_piece(simulator: Simulator, length: int) -> None:
    """A frame too long is refused just so when it arrives whole, at once."""
    reply = only(simulator.send(frame(0x99, bytes(length), HANDLE)))
    assert (reply.length, reply.status) == (0, 0x65)
    assert simulator.session.closed


def test_longest_frame(simulator: Simulator) -> None:
    """The longest frame there can be is answered."""
    reply = only(simulator.send(frame(0x99, bytes(65511), HANDLE)))
    assert (reply.length, reply.status) == (0, 0x01)
    assert simulator.cip(READ_WORD) == WORD_IS


# -- the common packet format


BAD_PACKETS = {
    "empty": b"",
    "no items": packet(),
    "one item": packet(item(0)),
    "data item only": packet(item(0xB2, READ_WORD)),
    "items the other way": packet(item(0xB2, READ_WORD), item(0)),
    "address that is not null": packet(item(0xA1, b"\1\0\0\0"), item(0xB2, READ_WORD)),
    "null item with octets": packet(item(0, b"\0\0"), item(0xB2, READ_WORD)),
    "connected data": packet(item(0), item(0xB1, b"\1\0" + READ_WORD)),
    "unknown data": packet(item(0), item(0x99, READ_WORD)),
    "no service octet": packet(item(0), item(0xB2)),
    "count too high": packet(item(0), item(0xB2, READ_WORD), count=3),
    "count far too high": packet(item(0), item(0xB2, READ_WORD), count=0xFFFF),
    "item too long": packet(item(0), item(0xB2, READ_WORD, length=len(READ_WORD) + 1)),
    "item far too long": packet(item(0), item(0xB2, READ_WORD, length=0xFFFF)),
    "item cut off": packet(item(0), b"\xb2\0"),
    "third item cut off": packet(item(0), item(0xB2, READ_WORD), item(0x8000, b"", length=16)),
}


@pytest.mark.parametrize("payload", BAD_PACKETS.values(), ids=BAD_PACKETS.keys())
def test_incorrect_data(simulator: Simulator, payload: bytes) -> None:
    """A packet that cannot be parsed, of wrong items or without a service octet: 0x0003; the session stays."""
    reply = only(simulator.send(frame(SEND_RR_DATA, payload, HANDLE)))
    assert reply[:6] == (SEND_RR_DATA, 0, HANDLE, 0x03, CONTEXT, 0)
    assert simulator.cip(READ_WORD) == WORD_IS


@pytest.mark.parametrize("size", range(len(packet(item(0), item(0xB2, READ_WORD)))))
def test_packet_cut_off_anywhere(simulator: Simulator, size: int) -> None:
    """A packet that ends anywhere before its end: 0x0003; the session stays."""
    payload = packet(item(0), item(0xB2, READ_WORD))[:size]
    reply = only(simulator.send(frame(SEND_RR_DATA, payload, HANDLE)))
    assert (reply.length, reply.status) == (0, 0x03)
    assert simulator.cip(READ_WORD) == WORD_IS


@pytest.mark.parametrize(
    "extra",
    [
        [item(0x8000, bytes(16))],
        [item(0x8001, bytes(16))],
        [item(0x8000, bytes(16)), item(0x8001, bytes(16))],
        [item(0x1234, b"odd")],
        [item(0x8000)],
    ],
)
def test_items_after_the_second_are_ignored(simulator: Simulator, extra: list[bytes]) -> None:
    """Some clients send socket addresses after the two items: accepted and ignored."""
    payload = packet(item(0), item(0xB2, READ_WORD), *extra)
    assert cip_of(only(simulator.send(frame(SEND_RR_DATA, payload, HANDLE)))) == WORD_IS


def test_interface_is_echoed_and_time_out_ignored(simulator: Simulator) -> None:
    """The interface handle comes back; the time-out of the reply is 0."""
    payload = packet(item(0), item(0xB2, READ_WORD), interface=0x01020304, timeout=0xFFFF)
    reply = only(simulator.send(frame(SEND_RR_DATA, payload, HANDLE)))
    assert reply.payload[:6] == bytes.fromhex("04030201 0000")


# -- SendUnitData


def connected(cip: bytes, connection: int = 0x99, sequence: int = 1) -> bytes:
    data = struct.pack("<H", sequence) + cip
    return frame(SEND_UNIT_DATA, packet(item(0xA1, struct.pack("<I", connection)), item(0xB1, data), timeout=0), HANDLE)


def test_unknown_connection_is_silent(simulator: Simulator) -> None:
    """Data for a connection nobody opened: no answer, nothing executed, the session stays."""
    assert simulator.send(connected(write(symbol("Word"), 0xC3, 1, b"\1\0"))) == b""
    assert simulator.cip(READ_WORD) == WORD_IS


def test_unknown_connection_is_logged_once(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """... and one line in the log, not one for each frame."""
    with caplog.at_level(logging.DEBUG):
        for sequence in range(5):
            simulator.send(connected(READ_WORD, sequence=sequence))
    assert len([one for one in caplog.records if "connection" in one.message]) == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        packet(),
        packet(item(0xA1, b"\1\0\0\0")),
        packet(item(0xA1, b"\1\0\0\0"), item(0xB1, b"\1\0" + READ_WORD), count=3),
        packet(item(0xA1, b"\1\0"), item(0xB1, b"\1\0" + READ_WORD)),
        packet(item(0), item(0xB2, READ_WORD)),
        packet(item(0xA1, b"\1\0\0\0"), item(0xB2, READ_WORD)),
        packet(item(0), item(0xB1, b"\1\0" + READ_WORD)),
        packet(item(0xB1, b"\1\0" + READ_WORD), item(0xA1, b"\1\0\0\0")),
        packet(item(0xA1, b"\1\0\0\0"), item(0xB1)),
    ],
    ids=[
        "empty",
        "no items",
        "one item",
        "count",
        "short id",
        "unconnected",
        "mixed",
        "null address",
        "swapped",
        "no data",
    ],
)
def test_unit_data_of_wrong_items(simulator: Simulator, payload: bytes) -> None:
    """SendUnitData with a packet that cannot be parsed or of wrong items: 0x0003; the session stays."""
    reply = only(simulator.send(frame(SEND_UNIT_DATA, payload, HANDLE)))
    assert reply[:4] == (SEND_UNIT_DATA, 0, HANDLE, 0x03)
    assert simulator.cip(READ_WORD) == WORD_IS


# -- framing


def whole() -> tuple[bytes, list[bytes]]:
    """The conversation in one piece, and its replies one by one."""
    simulator = Simulator()
    return b"".join(CONVERSATION), [simulator.send(one) for one in CONVERSATION]


def test_each_frame_of_the_conversation_is_answered() -> None:
    """The conversation that the framing tests use has one good reply a frame."""
    for asked, reply in zip(CONVERSATION, whole()[1], strict=True):
        one = only(reply)
        assert one.status == 0, asked.hex(" ")
        if one.command == SEND_RR_DATA:
            assert cip_of(one)[2] == 0, asked.hex(" ")


def test_octet_by_octet(simulator: Simulator) -> None:
    """Octets that come one by one give the same replies, each as soon as its frame is whole."""
    octets, replies = whole()
    got = [simulator.send(octets[at : at + 1]) for at in range(len(octets))]
    ends = [sum(map(len, CONVERSATION[: at + 1])) - 1 for at in range(len(CONVERSATION))]
    assert [at for at, one in enumerate(got) if one] == ends
    assert [one for one in got if one] == replies


def test_all_at_once(simulator: Simulator) -> None:
    """Frames that come together are answered together, in order."""
    octets, replies = whole()
    assert simulator.send(octets) == b"".join(replies)


def test_twenty_in_one_segment(simulator: Simulator) -> None:
    """Twenty requests in one segment: twenty replies, each with its context."""
    asked = [rr(read(symbol("SCADA", at)), context=b"%08d" % at) for at in range(20)]
    assert [one.context for one in frames(simulator.send(b"".join(asked)))] == [b"%08d" % at for at in range(20)]


def test_two_frames_split_at_every_offset() -> None:
    """Wherever two frames are cut in two, the replies are the same."""
    octets = rr(READ_WORD) + frame(LIST_SERVICES)
    expected = Simulator().send(octets)
    for at in range(len(octets) + 1):
        simulator = Simulator()
        assert simulator.send(octets[:at]) + simulator.send(octets[at:]) == expected, at


@settings(max_examples=60)
@given(st.lists(st.integers(1, 200), max_size=60))
def test_any_pieces(sizes: list[int]) -> None:
    """In whatever pieces the octets come, the replies are the same."""
    octets, replies = whole()
    simulator, got, at = Simulator(), b"", 0
    for size in sizes:
        got += simulator.send(octets[at : at + size])
        at += size
    assert got + simulator.send(octets[at:]) == b"".join(replies)


def test_frames_before_a_bad_length_are_answered(simulator: Simulator) -> None:
    """What came before a frame that ends the connection is answered first; what follows is not."""
    got = list(frames(simulator.send(rr(READ_WORD) + frame(0x99, b"", length=65535) + rr(READ_WORD))))
    assert [one.status for one in got] == [0, 0x65]
    assert simulator.session.closed


# -- octets gone wrong


def sane(simulator: Simulator, octets: bytes) -> None:
    """Octets that may mean anything: replies are whole frames, and the session is usable or closed by rule."""
    replies = list(frames(simulator.send(octets)))
    assert {one.status for one in replies} <= {0x00, 0x01, 0x03, 0x64, 0x65, 0x69}
    for one in replies:
        if one.command == SEND_RR_DATA and one.status == 0:
            cip = cip_of(one)
            assert len(cip) >= 4 and cip[0] & 0x80 and cip[1] == 0
            assert len(cip) >= 4 + 2 * cip[3]
        elif one.status and one.status != 0x69:
            assert one.length == 0
    if simulator.session.closed:
        assert struct.pack("<H", UNREGISTER) in octets or 0x65 in {one.status for one in replies}


def mutated(random_: random.Random, octets: bytes) -> bytes:
    """Octets with some changed, inserted, left out or put at the end; the lengths may or may not be mended."""
    body = bytearray(octets)
    for _ in range(random_.randint(1, 3)):
        at = random_.randrange(len(body) + 1)
        match random_.randrange(5):
            case 0:
                body[at : at + 1] = bytes([random_.choice((0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF, random_.randrange(256)))])
            case 1:
                body[at:at] = random_.randbytes(random_.randint(1, 4))
            case 2:
                del body[at : at + random_.randint(1, 8)]
            case 3:
                body += random_.randbytes(random_.randint(1, 4))
            case 4:
                body[at : at + 2] = random_.choice((b"\0\0", b"\1\0", b"\xff\xff", b"\0\x80"))
    if random_.random() < 0.8 and len(body) >= 24:
        body[2:4] = struct.pack("<H", len(body) - 24)
    return bytes(body)


@pytest.fixture
def explained(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Every malformed frame is re-read by the stepped engine, too."""
    caplog.set_level(logging.INFO)
    return caplog


def test_mutated_frames(explained: pytest.LogCaptureFixture) -> None:
    """Frames changed at random never raise; the next right one, on a session that stays, is answered."""
    random_, base = random.Random(2015), device()
    for round_ in range(2000):
        simulator = Simulator(base)
        sane(simulator, mutated(random_, random_.choice(CONVERSATION)))
        if round_ % 4 == 0 and not simulator.session.closed:
            simulator.session._buffer = b""  # as if the rest of the frame had come
            assert simulator.alive()
    assert not [one for one in explained.records if one.levelno >= logging.ERROR]


def test_mutated_requests(explained: pytest.LogCaptureFixture) -> None:
    """Requests changed at random inside a right frame: always one well-formed reply, and the session stays."""
    random_, simulator = random.Random(44818), Simulator()
    requests = [one[40:] for one in CONVERSATION if one[0] == SEND_RR_DATA]
    for _ in range(3000):
        simulator.session._explained = 0
        octets = mutated(random_, random_.choice(requests)) or b"\0"
        reply = simulator.cip(octets)
        assert reply[0] == octets[0] | 0x80 or octets[:1] == b"\x52"
    assert not [one for one in explained.records if one.levelno >= logging.ERROR]


@pytest.mark.parametrize("octets", [one[40:] for one in CONVERSATION if one[0] == SEND_RR_DATA])
def test_requests_cut_off_anywhere(simulator: Simulator, octets: bytes) -> None:
    """A request cut off anywhere is answered by a status, never by data that was not asked for."""
    for size in range(1, len(octets)):
        reply = simulator.cip(octets[:size])
        assert reply[0] & 0x80 and reply[1] == 0
        if size < 2 + 2 * octets[1]:
            assert reply == bytes([octets[0] | 0x80, 0, 0x26, 0]), size


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_random_octets(octets: bytes) -> None:
    """Random octets never raise."""
    sane(Simulator(), octets)


@settings(max_examples=300)
@given(st.sampled_from([0x00, 0x04, 0x63, 0x64, 0x65, 0x66, 0x6F, 0x70]), st.binary(max_size=120))
def test_random_payloads(command: int, payload: bytes) -> None:
    """Random payloads of every command never raise."""
    sane(Simulator(), frame(command, payload, HANDLE))


@settings(max_examples=500)
@given(
    st.sampled_from([0x01, 0x02, 0x03, 0x04, 0x0A, 0x0E, 0x10, 0x4C, 0x4D, 0x4E, 0x52, 0x53, 0x54, 0x5B, 0x7F]),
    st.sampled_from(
        [symbol("SCADA"), symbol("Wide", 1), numbers(1, 1), numbers(2, 1), numbers(2, 1, 1), numbers(6, 1)]
    ),
    st.binary(max_size=80),
)
def test_random_service_data(service: int, where: bytes, data: bytes) -> None:
    """Random data of every service at every object: one well-formed reply, and the session stays."""
    simulator = Simulator()
    reply = simulator.cip(bytes([service]) + where + data)
    assert reply[0] & 0x80
    assert simulator.alive()


def test_nested_route_and_packet_in_depth(simulator: Simulator) -> None:
    """Requests nested as deep as a frame can hold are refused, without an error of the interpreter's limits."""
    request = READ_WORD
    while True:
        deeper = unconnected(multiple(request), bytes(2))
        if len(deeper) > 60000:
            break
        request = deeper
    reply = simulator.cip(request)
    assert reply[0] in (0x8A, 0xD2)
    assert simulator.alive()


@pytest.mark.parametrize("count", [2000, 8000, 16000])
def test_many_tiny_members_never_end_the_session(simulator: Simulator, count: int) -> None:
    """A packet of very many members, whose replies may fit no frame, has a reply; the session stays."""
    reply = simulator.cip(multiple(*[b"\x4c\x00"] * count))
    assert reply[0] == 0x8A and reply[2] != 0
    assert simulator.cip(READ_WORD) == WORD_IS


def test_many_tiny_members_do_not_exceed_the_reply(simulator: Simulator) -> None:
    """A packet whose replies cannot fit the room there is, even cut to statuses, is refused as a whole."""
    assert len(simulator.cip(multiple(*[READ_WORD] * 600))) <= 4000


def test_tag_too_large_for_a_reply(simulator: Simulator) -> None:
    """An attribute that fits no reply: 0x11, and the session stays."""
    simulator.device.add_tag(Attribute("Huge", DINT, bytes(4 * 50_000)))
    number = len(simulator.device.tags())
    assert simulator.cip(b"\x0e" + numbers(2, 1, number)) == bytes.fromhex("8e 00 11 00")
    assert simulator.cip(b"\x01" + numbers(2, 1)) == bytes.fromhex("81 00 11 00")
    listed = b"\x03" + numbers(2, 1) + struct.pack("<HHH", 2, 4, number)
    assert simulator.cip(listed) == bytes.fromhex("83 00 11 00")
    assert simulator.cip(READ_WORD) == WORD_IS


# -- the log


def test_explanations_are_limited(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """A session that sends nonsense for ever gets so many lines in the log, and no more; replies go on."""
    with caplog.at_level(logging.DEBUG):
        for _ in range(5 * EXPLANATIONS):
            assert only(simulator.send(frame(SEND_RR_DATA, b"nonsense", HANDLE))).status == 0x03
            assert only(simulator.send(frame(0x99))).status == 0x01
            simulator.cip(b"\x4c\x7f\x91")
            simulator.send(rr(READ_WORD, session=1))
    assert 1 <= len(caplog.records) <= EXPLANATIONS


def test_explanation_says_what_and_where(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """A malformed packet is explained: who sent it, and at which octet it goes wrong."""
    with caplog.at_level(logging.INFO):
        simulator.send(frame(SEND_RR_DATA, packet(item(0), b"\xb2\0"), HANDLE))
    assert "peer:1" in caplog.messages[0] and "octet" in caplog.messages[0]


def test_packet_with_octets_put_in_is_explained(explained: pytest.LogCaptureFixture) -> None:
    """Two octets put into the first member of a packet: explained, and never an error of ours."""
    packed = bytes.fromhex(
        "0a02 2002 2401 0300 0800 1200 1a00 21c6"
        "4c03 9104 576f7264 0100 0e03 2001 2401 3001 4d03 9104 776f7264 c300 0100 0700"
    )
    payload = packet(item(0), item(0xB2, packed, length=len(packed) - 2))
    assert only(Simulator().send(frame(SEND_RR_DATA, payload, HANDLE))).status == 0x03
    assert not [one for one in explained.records if one.levelno >= logging.ERROR]


def test_cip_matters_are_no_matter_of_the_encapsulation(simulator: Simulator) -> None:
    """Refused routes, unknown tags and empty requests on a route leave the encapsulation status 0."""
    for cip in (unconnected(READ_WORD, b"\1\0\1\5"), unconnected(read(symbol("None"))), unconnected(b"", BACKPLANE)):
        assert only(simulator.send(rr(cip))).status == 0


def test_engines_that_disagree_are_an_error_in_the_log_and_nothing_else(
    session: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A request that only one engine refuses is answered as malformed; an ERROR shows its octets."""

    def disagree(node: object, octets: bytes) -> Exception:
        raise Disagreement(f"compiled rejects what its machine accepts: {octets.hex(' ')}")

    monkeypatch.setattr("cpppo.grammar.message.explain", disagree)
    session.receive(register())
    assert cip_of(only(session.receive(rr(READ_WORD[:-1], HANDLE))))[:4] == bytes.fromhex("cc 00 13 00")
    (line,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert READ_WORD[:-1].hex(" ") in line.getMessage()
