"""Frames: a whole one always parses, what is wrong in it is told, and no octets do anything else."""

from __future__ import annotations

import random
import sys
import time
from typing import Any

import pytest

from cpppo import LocalProtocolError
from cpppo.grammar import REJECTS, Malformed, framer, values
from cpppo.server.enip.wire.header import (
    HEADER_OCTETS,
    MAXIMUM_LENGTH,
    ConnectedFrame,
    Header,
    ReplyFrame,
    RequestFrame,
    UnconnectedReply,
)
from cpppo.server.enip.wire.items import ConnectedReply, ReplyItem, ReplyItems
from cpppo.server.enip.wire.services import Reply, Request
from tests.grammar.harness import examine
from tests.helpers import check_wire, refused, same, stepped
from tests.server.enip.wire.names import NAMES, VECTORS
from tests.strategies import damaged

HEADER = bytes.fromhex("6F00 0000 44332211 00000000 0000000000000000 00000000")


def frame(payload: bytes, command: int = 0x6F) -> bytes:
    """A whole frame."""
    return command.to_bytes(2, "little") + len(payload).to_bytes(2, "little") + HEADER[4:] + payload


def item(request: bytes) -> bytes:
    """A SendRRData payload with one request."""
    return bytes.fromhex("00000000 0500 0200 0000 0000 B200") + len(request).to_bytes(2, "little") + request


@pytest.mark.parametrize("length", [0, 1, 4, 500, MAXIMUM_LENGTH])
def test_the_framer_tells_how_long_a_frame_is(length: int) -> None:
    """24 octets and what the length says, wherever it starts."""
    size = framer(RequestFrame)
    octets = frame(b"")[:2] + length.to_bytes(2, "little") + frame(b"")[4:]
    assert size(octets, 0) == size(b"..." + octets, 3) == HEADER_OCTETS + length


def test_a_whole_frame_always_parses() -> None:
    """Random payloads of every command: the header is known, the payload at worst Malformed."""
    chance = random.Random(7)
    for _ in range(300):
        octets = frame(chance.randbytes(chance.randint(0, 40)), chance.choice((0x65, 0x6F, 0x70, 4, 0x63, 0x99)))
        for message in (RequestFrame, ReplyFrame):
            record = message.parse(octets)
            assert record.session == 0x11223344
            assert same(stepped(message, octets), record)


def test_a_frame_of_the_largest_size() -> None:
    """No octet is lost, and the machine takes it in reasonable time."""
    octets = frame(item(b"\x4b\2\x20\x67\x24\1" + bytes(MAXIMUM_LENGTH - 22)))
    assert len(octets) == HEADER_OCTETS + MAXIMUM_LENGTH
    record = RequestFrame.parse(octets)
    assert record.produce() == octets
    assert same(stepped(RequestFrame, octets), record)


def test_more_than_the_length_can_say_is_not_produced() -> None:
    record = RequestFrame(command=0, session=0, status=0, context=bytes(8), options=0, CIP=bytes(65536))
    with pytest.raises(LocalProtocolError):
        record.produce()


def test_a_context_is_eight_octets() -> None:
    record = RequestFrame(command=0, session=0, status=0, context=bytes(7), options=0, CIP=b"")
    with pytest.raises(LocalProtocolError, match="context"):
        record.produce()


@pytest.mark.parametrize(
    ("payload", "path", "offset"),
    [
        ("00000000 0500 FFFF 0000 0000", "CIP.item", 32),
        ("00000000 0500 0100 0000 0200 01", "CIP.item", 36),
        ("00000000 0500 0100 0000 0100 01", "CIP.item", 36),
        ("00000000 0500", "CIP.count", 30),
        ("000000", "CIP.interface", 27),
        ("00000000 0500 0000 FF", "CIP", 32),
        ("00000000 0500 0200 0000 0000", "CIP.item", 32),
    ],
)
def test_a_damaged_payload_is_explained(payload: str, path: str, offset: int) -> None:
    """Malformed in its frame; of the items alone the error tells the field and the octet."""
    octets = frame(bytes.fromhex(payload))
    assert RequestFrame.parse(octets).CIP == Malformed(HEADER_OCTETS, len(octets))
    error = refused(NAMES["RequestItems"], octets[HEADER_OCTETS:])
    assert f"CIP.{error.path}".rstrip(".").startswith(path)
    assert error.offset is not None and error.offset + HEADER_OCTETS in range(offset - 2, offset + 3)


# ------------------------------------------------------------------ bounds
def test_a_count_without_octets_costs_nothing() -> None:
    """65535 items, attributes, words, offsets or elements in a few octets are refused before any loop."""
    cases: list[tuple[Any, bytes]] = [
        (NAMES["RequestItems"], bytes.fromhex("00000000 0500 FFFF 0000 0000")),
        (NAMES["ItemList"], bytes.fromhex("FFFF 0000 0000")),
        (NAMES["AttributeList"], bytes.fromhex("FFFF 0100")),
        (NAMES["Multiple"], bytes.fromhex("FFFF 0400 0600")),
        (NAMES["MultipleReply"], bytes.fromhex("FFFF 0400 0600")),
        (NAMES["Reply"], bytes.fromhex("CC 00 FF FF 0521")),
    ]
    for message, octets in cases:
        message.parser()
        start = time.process_time()
        for _ in range(100):
            refused(message, octets)
        assert time.process_time() - start < 2.0


def nested(depth: int) -> bytes:
    """Multiple Service Packets, one in the other."""
    octets = b"\x4c\0\1\0"
    while depth:
        octets = b"\x0a\0\1\0\4\0" + octets
        depth -= 1
    return octets


def test_packets_nested_ten_thousand_deep_are_parsed_flat() -> None:
    """A member that is itself a Multiple Service Packet stays octets; nothing recurses."""
    octets = nested(10_000)
    assert len(octets) < MAXIMUM_LENGTH
    limit = sys.getrecursionlimit()
    record = Request.parse(octets)
    (member,) = record.data.request
    assert (member.service, type(member.data)) == (0x0A, bytes)
    assert member.data == octets[8:]
    assert record.produce() == octets
    assert same(stepped(Request, octets), record)
    whole = RequestFrame.parse(frame(item(octets)))
    assert whole.CIP.item[1].data == record
    assert sys.getrecursionlimit() == limit


def test_many_requests_in_one_packet() -> None:
    """As many as 64 K hold: parsed, produced, stepped alike."""
    member = b"\x01\0"
    count = 16_000
    table = b"".join((2 + 2 * count + 2 * number).to_bytes(2, "little") for number in range(count))
    octets = b"\x0a\2\x20\2\x24\1" + count.to_bytes(2, "little") + table + member * count
    record = Request.parse(octets)
    assert len(record.data.request) == count
    assert record.produce() == octets
    assert same(stepped(Request, octets), record)


def test_a_path_of_many_segments() -> None:
    """255 words are 255 segments at most."""
    octets = b"\x01\xff" + b"\x28\1" * 255
    record = Request.parse(octets)
    assert record.path.element == (1,) * 255
    assert record.produce() == octets


@pytest.mark.parametrize("extended", [[], [5, 0x2105]])
@pytest.mark.parametrize("data", [b"", b"\xc3\0\7\0", bytes(4000)], ids=len)
def test_a_reply_in_one_piece_is_the_same_octets(extended: list[int], data: bytes) -> None:
    """`UnconnectedReply` says what a `ReplyFrame` with two items does."""
    reply = Reply(0xCC, 6, extended, data)
    items = ReplyItems(9, 0, [ReplyItem(0, None), ReplyItem(0xB2, reply)])
    octets = ReplyFrame(0x6F, 5, 0, b"contexts", 0, items).produce()
    whole = UnconnectedReply(session=5, context=b"contexts", interface=9, reply=reply)
    assert whole.produce() == octets
    if len(data) < 100:
        check_wire(UnconnectedReply, octets, whole, reserved=(41,))


@pytest.mark.parametrize("extended", [[], [5, 0x2105]])
@pytest.mark.parametrize("data", [b"", b"\xc3\0\7\0", bytes(4000)], ids=len)
def test_a_connected_reply_in_one_piece_is_the_same_octets(extended: list[int], data: bytes) -> None:
    """`ConnectedFrame` says what a `ReplyFrame` with two items does."""
    reply = Reply(0xCC, 6, extended, data)
    items = ReplyItems(9, 0, [ReplyItem(0xA1, 0x12345678), ReplyItem(0xB1, ConnectedReply(77, reply))])
    octets = ReplyFrame(0x70, 5, 0, b"contexts", 0, items).produce()
    whole = ConnectedFrame(session=5, context=b"contexts", interface=9, from_id=0x12345678, sequence=77, reply=reply)
    assert whole.produce() == octets
    if len(data) < 100:
        check_wire(ConnectedFrame, octets, whole, reserved=(47,))


def test_a_header_alone() -> None:
    """As a record, and as its values without one."""
    head = Header(command=0x6F, length=0, session=0x11223344, status=0, context=bytes(8), options=0)
    check_wire(Header, HEADER, head)
    told = values(Header)
    assert told(b"." + HEADER + b".", 1, 25) == (0x6F, 0, 0x11223344, 0, bytes(8), 0)
    with pytest.raises(REJECTS):
        told(HEADER, 0, 23)


# ------------------------------------------------------------------ damage
@pytest.mark.parametrize("file", ["requests", "connections", "replies", "frames"])
def test_damaged_octets_are_parsed_alike_or_refused(file: str) -> None:
    """Any octets parse or raise RemoteProtocolError, never anything else; stepped equals compiled."""
    parsed = refusals = 0
    for number, vector in enumerate(VECTORS[file]):
        message = NAMES[vector.message]
        for octets in damaged(vector.octets, number, 12):
            if examine(message, octets, prefixed=False, seed=number):
                parsed += 1
            else:
                refusals += 1
    assert parsed > 50 and refusals > 20
