"""Every status a simulator answers, a row each, judged in exact octets by a session in memory.

The rows follow the tables that real clients were measured by: read and write, the attribute services, requests in
requests, and the encapsulation.  After each row the session must still answer, unless the row says that it closes.
"""

from __future__ import annotations

import logging
import struct
from typing import Any

import pytest

from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.session import Session
from cpppo.server.enip.tagging import create
from cpppo.server.enip.wire.types import INT
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
    frame,
    frames,
    item,
    modify,
    multiple,
    numbers,
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

TAGS = (
    "Word=INT=7",
    "Wide=DINT[3]=1,2,3",
    "Grid=DINT[2,3]=1,2,3,4,5,6",
    "Level=REAL=1.5",
    "Name=STRING='ab'",
    "Short=SSTRING='ab'",
    "Much=INT[1000]",
    "Placed@0x93/1/10=INT=9",
)


class Failing(Attribute):
    """Raises whenever it is asked."""

    def __getitem__(self, key: Any) -> Any:
        raise OSError("no route to the weather")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise OSError("not that easy")


class TooLittle(Attribute):
    """Gives fewer values than were asked for."""

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key)[:-1]


def plant(strict: bool = False) -> Simulator:
    """A simulator with a tag for each of the ways to refuse it."""
    device = Device(strict=strict)
    for text in TAGS:
        create(device, text)
    create(device, "Failing=INT", Failing)
    create(device, "Little=INT[2]", TooLittle)
    create(device, "Fixed=INT=7").read_only = True
    device.add_tag(Attribute("Forced", INT, 0, error=0x08))
    return Simulator(device)


def structure(where: bytes, handle: int, elements: int, data: bytes) -> bytes:
    """Write Tag of a structure."""
    return b"\x4d" + where + struct.pack("<HHH", 0x02A0, handle, elements) + data


ALL_WIDE = "01000000 02000000 03000000"
TEXT = "02000000 6162" + "00" * 82
WORD = read(symbol("Word"))

READS = {
    "read of a scalar": (WORD, "cc000000 c300 0700"),
    "read of a vector": (read(symbol("Wide"), 3), "cc000000 c400" + ALL_WIDE),
    "read of an element by two indices": (read(symbol("Grid", 1, 2)), "cc000000 c400 06000000"),
    "read of a STRING": (read(symbol("Name")), "cc000000 a002 ce0f" + TEXT),
    "read of an SSTRING": (read(symbol("Short")), "cc000000 da00 026162"),
    "read by a chosen address": (read(numbers(0x93, 1, 10)), "cc000000 c300 0900"),
    "names without case": (read(symbol("wORD")), "cc000000 c300 0700"),
    "no such tag": (read(symbol("Nope")), "cc000401 0000"),
    "no such tag, fragmented": (read_fragmented(symbol("Nope"), 1), "d2000401 0000"),
    "a member of what has none": (read(b"\x05\x91\x04Word\x91\x01x\0"), "cc000401 0000"),
    "a path that is none": (read(b"\x01\xff\xff"), "cc000401 0000"),
    "a path longer than the request": (b"\x4c\x7f\x20\x02", "cc002600"),
    "no such class": (read(numbers(0x99, 1, 1)), "cc000500"),
    "no such instance": (read(numbers(2, 99, 1)), "cc000500"),
    "no such instance of a chosen class": (read(numbers(0x93, 9, 10)), "cc000500"),
    "no such attribute": (read(numbers(2, 1, 99)), "cc001400"),
    "read of what is no tag": (read(numbers(1, 1, 1)), "cc000800"),
    "no elements": (read(symbol("Wide"), 0), "cc00ff01 0521"),
    "too many elements": (read(symbol("Wide"), 4), "cc00ff01 0521"),
    "an element past the end": (read(symbol("Wide", 3)), "cc00ff01 0521"),
    "elements past the end": (read(symbol("Wide", 1), 3), "cc00ff01 0521"),
    "an index beyond its dimension": (read(symbol("Grid", 0, 3)), "cc00ff01 0521"),
    "too many indices": (read(symbol("Grid", 0, 0, 0)), "cc00ff01 0521"),
    "an offset beyond the end": (read_fragmented(symbol("Wide"), 3, 12), "d200ff01 0421"),
    "an offset within an element": (read_fragmented(symbol("Wide"), 3, 10), "d2000000 c400 0000"),
    "no data in a read": (b"\x4c" + symbol("Word"), "cc001300"),
    "half of the data of a read": (b"\x52" + symbol("Word") + b"\1\0\0\0", "d2001300"),
    "more than a packet holds": (read(symbol("Much"), 1000), "cc000600 c300" + "00" * 500),
    "more than a packet holds, fragmented": (read_fragmented(symbol("Much"), 1000), "d2000600 c300" + "00" * 500),
    "the last fragment": (read_fragmented(symbol("Much"), 1000, 1500), "d2000000 c300" + "00" * 500),
    "an Attribute that raises": (read(symbol("Failing")), "cc000200"),
    "an Attribute that gives too little": (read(symbol("Little"), 2), "cc000200"),
    "a tag forced to a status": (read(symbol("Forced")), "cc000800"),
}

WRITES = {
    "write of a scalar": (write(symbol("Word"), 0xC3, 1, b"\5\0"), "cd000000"),
    "write by an index of two": (write(symbol("Grid", 1, 0), 0xC4, 3, bytes(12)), "cd000000"),
    "write of a STRING": (structure(symbol("Name"), 0x0FCE, 1, bytes(88)), "cd000000"),
    "write of an SSTRING": (write(symbol("Short"), 0xDA, 1, b"\1x"), "cd000000"),
    "write by a chosen address": (write(numbers(0x93, 1, 10), 0xC3, 1, b"\1\0"), "cd000000"),
    "SINT into INT": (write(symbol("Word"), 0xC2, 1, b"\xff"), "cd000000"),
    "INT into DINT": (write(symbol("Wide"), 0xC3, 1, b"\1\0"), "cd000000"),
    "DINT into REAL": (write(symbol("Level"), 0xC4, 1, bytes(4)), "cd000000"),
    "write to no such tag": (write(symbol("Nope"), 0xC3, 1, b"\5\0"), "cd000401 0000"),
    "write to what can only be read": (write(symbol("Fixed"), 0xC3, 1, b"\5\0"), "cd000f00"),
    "access is checked before the type": (write(symbol("Fixed"), 0xCA, 9, b""), "cd000f00"),
    "another type of the same size": (write(symbol("Word"), 0xC7, 1, b"\5\0"), "cd00ff01 0721"),
    "a wider type": (write(symbol("Word"), 0xC4, 1, bytes(4)), "cd00ff01 0721"),
    "USINT into INT": (write(symbol("Word"), 0xC6, 1, b"\5"), "cd00ff01 0721"),
    "REAL into DINT": (write(symbol("Wide"), 0xCA, 1, bytes(4)), "cd00ff01 0721"),
    "a structure into INT": (structure(symbol("Word"), 0x0FCE, 1, bytes(88)), "cd00ff01 0721"),
    "another structure into STRING": (structure(symbol("Name"), 0x0101, 1, bytes(88)), "cd00ff01 0721"),
    "an SSTRING into STRING": (write(symbol("Name"), 0xDA, 1, b"\1x"), "cd00ff01 0721"),
    "type is checked before bounds": (write(symbol("Wide"), 0xC8, 4, b""), "cd00ff01 0721"),
    "write of no elements": (write(symbol("Wide"), 0xC4, 0, b""), "cd00ff01 0521"),
    "write past the end": (write(symbol("Wide", 2), 0xC4, 2, bytes(8)), "cd00ff01 0521"),
    "write beyond a dimension": (write(symbol("Grid", 2, 0), 0xC4, 1, bytes(4)), "cd00ff01 0521"),
    "bounds are checked before the length": (write(symbol("Wide"), 0xC4, 4, b"\0"), "cd00ff01 0521"),
    "fewer values than elements": (write(symbol("Wide"), 0xC4, 2, bytes(4)), "cd001300"),
    "more values than elements": (write(symbol("Wide"), 0xC4, 1, bytes(8)), "cd001500"),
    "a STRING cut off": (structure(symbol("Name"), 0x0FCE, 1, bytes(87)), "cd001300"),
    "a text shorter than its length": (write(symbol("Short"), 0xDA, 1, b"\2x"), "cd001300"),
    "no data in a write": (b"\x4d" + symbol("Word") + b"\xc3\0", "cd001300"),
    "a fragment": (write_fragmented(symbol("Wide"), 0xC4, 3, 4, bytes(4)), "d3000000"),
    "a fragment offset beyond the end": (write_fragmented(symbol("Wide"), 0xC4, 3, 12, bytes(4)), "d300ff01 0421"),
    "a fragment past the transfer": (write_fragmented(symbol("Wide"), 0xC4, 2, 4, bytes(8)), "d300ff01 0521"),
    "a transfer past the tag": (write_fragmented(symbol("Wide"), 0xC4, 4, 0, bytes(4)), "d300ff01 0521"),
    "a fragment of nothing": (write_fragmented(symbol("Wide"), 0xC4, 3, 0, b""), "d3001300"),
    "an Attribute that refuses a write": (write(symbol("Failing"), 0xC3, 1, b"\5\0"), "cd000200"),
    "write to a tag forced to a status": (write(symbol("Forced"), 0xC3, 1, b"\5\0"), "cd000800"),
    "bits": (modify(symbol("Word"), 2, b"\1\0", b"\xff\xff"), "ce000000"),
    "bits of another size": (modify(symbol("Word"), 4, bytes(4), bytes(4)), "ce000300"),
    "bits of a REAL": (modify(symbol("Level"), 4, bytes(4), bytes(4)), "ce000300"),
    "bits of a STRING": (modify(symbol("Name"), 88, bytes(88), bytes(88)), "ce000300"),
    "masks cut off": (modify(symbol("Word"), 2, b"\1\0", b"\xff"), "ce001300"),
    "a longer AND mask": (modify(symbol("Word"), 2, b"\1\0", b"\xff" * 8), "ce000000"),
}

OTHERS = {
    "an unknown service": (b"\x77" + numbers(2, 1), "f7000800"),
    "an unknown service of a tag": (b"\x77" + symbol("Word"), "f7000800"),
    "an unknown service of nothing": (b"\x77" + numbers(0x99, 1), "f7000500"),
    "get an attribute": (b"\x0e" + numbers(1, 1, 1), "8e000000 0100"),
    "get an attribute that is not there": (b"\x0e" + numbers(1, 1, 99), "8e001400"),
    "get an attribute of nothing": (b"\x0e" + numbers(0x99, 1, 1), "8e000500"),
    "get an attribute by the name of a tag": (b"\x0e" + symbol("Word"), "8e000800"),
    "set an attribute": (b"\x10" + numbers(2, 1, 1) + b"\5\0", "90000000"),
    "set an attribute that is not there": (b"\x10" + numbers(2, 1, 99) + b"\5\0", "90001400"),
    "set what cannot be set": (b"\x10" + numbers(1, 1, 1) + b"\5\0", "90000e00"),
    "set too little": (b"\x10" + numbers(2, 1, 1) + b"\5", "90001300"),
    "set too much": (b"\x10" + numbers(2, 1, 1) + b"\5\0\0", "90001500"),
    "get a list": (b"\x03" + numbers(1, 1) + b"\1\0\1\0", "83000000 0100 0100 0000 0100"),
    "get a list with an unknown one": (
        b"\x03" + numbers(1, 1) + b"\2\0\x63\0\1\0",
        "83000a00 0200 6300 1400 0100 0000 0100",
    ),
    "get a list cut off": (b"\x03" + numbers(1, 1) + b"\2\0\1\0", "83001300"),
    "get a list of what raises": (b"\x03" + numbers(2, 1) + b"\1\0\x08\0", "83000200"),
    "several": (multiple(WORD, WORD), "8a000000 0200 0600 0e00" + "cc000000 c300 0700" * 2),
    "several, one refused": (
        multiple(WORD, read(symbol("Nope")), WORD),
        "8a001e00 0300 0800 1000 1600 cc000000c3000700 cc0004010000 cc000000c3000700",
    ),
    "several, one raises": (
        multiple(read(symbol("Failing")), WORD),
        "8a001e00 0200 0600 0a00 cc000200 cc000000c3000700",
    ),
    "several in several": (multiple(multiple(WORD), WORD), "8a001e00 0200 0600 0a00 8a000800 cc000000c3000700"),
    "several cut off": (b"\x0a" + numbers(2, 1) + b"\2\0\6\0", "8a001300"),
    "over a route": (unconnected(WORD), "cc000000 c300 0700"),
    "over an empty route": (unconnected(WORD, b"\0\0"), "cc000000 c300 0700"),
    "over a route, odd length": (unconnected(WORD + b"\0"), "cc000000 c300 0700"),
    "to no such port": (unconnected(WORD, bytes.fromhex("0100 0200")), "d2000101 1103 01"),
    "to no such slot": (unconnected(WORD, bytes.fromhex("0100 0105")), "d2000101 1203 01"),
    "a route in a route": (unconnected(unconnected(WORD)), "d2000800"),
    "0x52 elsewhere is Read Tag Fragmented": (read_fragmented(symbol("Word"), 1), "d2000000 c300 0700"),
    "octets after a request": (WORD + BACKPLANE, "cc000000 c300 0700"),
}


@pytest.mark.parametrize("row", [*READS, *WRITES, *OTHERS])
def test_cip_status(row: str) -> None:
    """The reply is the row's, to the octet, with an extended status on errors only; the session goes on."""
    request, expected = {**READS, **WRITES, **OTHERS}[row]
    simulator = plant()
    assert simulator.cip(request).hex(" ") == bytes.fromhex(expected).hex(" ")
    assert simulator.alive()


@pytest.mark.parametrize("row", [row for row, (_, reply) in WRITES.items() if reply[4:6] not in ("00", "08")])
def test_refused_write_changes_nothing(row: str) -> None:
    """After a write that was refused every tag is as it was."""
    simulator = plant()
    before = [Attribute.octets(one) for one in simulator.device.tags() if not isinstance(one, (Failing, TooLittle))]
    simulator.cip(WRITES[row][0])
    assert before == [
        Attribute.octets(one) for one in simulator.device.tags() if not isinstance(one, (Failing, TooLittle))
    ]


@pytest.mark.parametrize("row", ["SINT into INT", "INT into DINT", "DINT into REAL"])
def test_narrower_types_by_strictness(caplog: pytest.LogCaptureFixture, row: str) -> None:
    """A narrower type is taken, with one line in the log; a strict device refuses it: 0xFF/0x2107."""
    with caplog.at_level(logging.WARNING):
        assert plant(strict=True).cip(WRITES[row][0]).hex() == "cd00ff010721"
        assert caplog.messages == []
        assert plant().cip(WRITES[row][0]).hex() == "cd000000"
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("row", ["an Attribute that raises", "an Attribute that gives too little"])
def test_one_line_on_a_failure(caplog: pytest.LogCaptureFixture, row: str) -> None:
    """What an Attribute fails by is one line in the log."""
    with caplog.at_level(logging.INFO):
        simulator = plant()
        caplog.clear()
        simulator.cip(READS[row][0])
    assert len(caplog.messages) == 1 and "\n" not in caplog.messages[0]


# -- the encapsulation: frame sent; command, status, session and payload of the answer (None: there is none); closed


REPLY = bytes.fromhex("00000000 0000 0200 00000000 b2000800 cc000000 c3000700")
NOTHING = bytes.fromhex("01000000")

ENCAPSULATION: dict[str, tuple[bytes, tuple[int, int, int, bytes | None] | None, bool]] = {
    "SendRRData": (rr(WORD), (SEND_RR_DATA, 0, HANDLE, REPLY), False),
    "a third item is ignored": (
        frame(SEND_RR_DATA, packet(item(0), item(0xB2, WORD), item(0x8000, bytes(16))), HANDLE),
        (SEND_RR_DATA, 0, HANDLE, REPLY),
        False,
    ),
    "a command that is not spoken": (frame(0x1234, b"abc"), (0x1234, 1, 0, b""), False),
    "one item only": (frame(SEND_RR_DATA, packet(item(0)), HANDLE), (SEND_RR_DATA, 3, HANDLE, b""), False),
    "other items": (
        frame(SEND_RR_DATA, packet(item(0xA1, bytes(4)), item(0xB1, b"\0\0" + WORD)), HANDLE),
        (SEND_RR_DATA, 3, HANDLE, b""),
        False,
    ),
    "items cut off": (
        frame(SEND_RR_DATA, packet(item(0), item(0xB2, WORD, length=99)), HANDLE),
        (SEND_RR_DATA, 3, HANDLE, b""),
        False,
    ),
    "no service octet": (
        frame(SEND_RR_DATA, packet(item(0), item(0xB2)), HANDLE),
        (SEND_RR_DATA, 3, HANDLE, b""),
        False,
    ),
    "no payload": (frame(SEND_RR_DATA, b"", HANDLE), (SEND_RR_DATA, 3, HANDLE, b""), False),
    "another session's handle": (rr(WORD, HANDLE + 1), (SEND_RR_DATA, 0x64, HANDLE + 1, b""), False),
    "no session's handle": (rr(WORD, 0), (SEND_RR_DATA, 0x64, 0, b""), False),
    "options that are not 0": (frame(SEND_RR_DATA, packet(item(0), item(0xB2, WORD)), HANDLE, options=1), None, False),
    "a length beyond the limit": (
        frame(SEND_RR_DATA, b"", HANDLE, length=0xFFFF),
        (SEND_RR_DATA, 0x65, HANDLE, b""),
        True,
    ),
    "a second session": (register(), (REGISTER, 1, 0, b""), False),
    "SendUnitData for no connection": (
        frame(SEND_UNIT_DATA, packet(item(0xA1, bytes(4)), item(0xB1, b"\0\0" + WORD)), HANDLE),
        None,
        False,
    ),
    "SendUnitData with another handle": (
        frame(SEND_UNIT_DATA, packet(item(0xA1, bytes(4)), item(0xB1, b"\0\0" + WORD)), 9),
        (SEND_UNIT_DATA, 0x64, 9, b""),
        False,
    ),
    "NOP": (frame(NOP, b"anything"), None, False),
    "UnRegisterSession": (frame(UNREGISTER, b"", HANDLE), None, True),
    "ListServices": (
        frame(LIST_SERVICES),
        (LIST_SERVICES, 0, 0, bytes.fromhex("0100 0001 1400 0100 2000") + b"Communications\0\0"),
        False,
    ),
    "ListInterfaces": (frame(LIST_INTERFACES), (LIST_INTERFACES, 0, 0, b"\0\0"), False),
    "ListIdentity": (
        frame(LIST_IDENTITY),
        (
            LIST_IDENTITY,
            0,
            0,
            bytes.fromhex("0100 0c00 3600 0100 0002 af12 7f000001 0000000000000000")
            + bytes.fromhex("0100 0e00 3600 140b 6030 1a066c00 14")
            + b"1756-L61/B LOGIX5561\x03",
        ),
        False,
    ),
}


@pytest.mark.parametrize("row", ENCAPSULATION)
def test_encapsulation_status(row: str) -> None:
    """The header is the row's, echoing the context; the session goes on unless the row closes it."""
    sent, expected, closed = ENCAPSULATION[row]
    simulator = plant()
    answers = list(frames(simulator.send(sent)))
    got = [(one.command, one.status, one.session, one.payload) for one in answers]
    assert got == ([] if expected is None else [expected])
    assert all(one.context == CONTEXT and one.options == 0 for one in answers)
    assert simulator.session.closed is closed
    assert closed or simulator.alive()


REGISTRATIONS = {
    "granted": (register(), (0, HANDLE, NOTHING), False),
    "the session of the request is ignored": (register(session=77), (0, HANDLE, NOTHING), False),
    "another version": (register(version=2), (0x69, 0, NOTHING), False),
    "options": (register(options=1), (0x69, 0, NOTHING), False),
    "a length of 3": (frame(REGISTER, b"\1\0\0"), (0x65, 0, b""), False),
    "a length of 5": (frame(REGISTER, b"\1\0\0\0\0"), (0x65, 0, b""), False),
}


@pytest.mark.parametrize("row", REGISTRATIONS)
def test_registration_status(row: str) -> None:
    """RegisterSession: what is refused can be asked again."""
    sent, expected, closed = REGISTRATIONS[row]
    session = Session(plant().device, HANDLE, ADDRESS)
    (answer,) = frames(session.receive(sent))
    assert (answer.command, answer.status, answer.session, answer.payload) == (REGISTER, *expected)
    assert (session.registered, session.closed) == (expected[0] == 0, closed)
    if not session.registered:
        (answer,) = frames(session.receive(register()))
        assert (answer.status, answer.session) == (0, HANDLE)


def test_no_room_for_a_session() -> None:
    """Where there is no room: 0x0002, session 0, and the connection is closed."""
    session = Session(plant().device, HANDLE, ADDRESS, "peer:1", lambda: False)
    (answer,) = frames(session.receive(register()))
    assert (answer.status, answer.session, answer.payload, session.closed) == (2, 0, b"", True)


def test_requests_before_a_session() -> None:
    """Without a session: 0x0064, also with the handle that it would have."""
    session = Session(plant().device, HANDLE, ADDRESS)
    (answer,) = frames(session.receive(rr(WORD)))
    assert (answer.status, answer.session, answer.payload, session.closed) == (0x64, HANDLE, b"", False)
