"""The hand-written server of the benchmarks answers as it should, and survives what is short."""

from __future__ import annotations

import struct

from bench import struct_server
from bench.messages import multiple_request
from cpppo.server.enip.wire.header import ReplyFrame
from cpppo.server.enip.wire.services import Reply
from cpppo.server.enip.wire.services.multiple import MultipleReply
from cpppo.server.enip.wire.services.tag import TagData


def asked(octets: bytes) -> bytes:
    """A frame with the server's session."""
    return octets[:4] + struct.pack("<I", struct_server.SESSION) + octets[8:]


def test_answers_a_packet() -> None:
    """Fifty reads are answered by fifty values, in order."""
    struct_server.TAGS["scada"][2][6:8] = b"\x34\x12"
    octets = asked(multiple_request(50).produce())
    reply = Reply.parse(ReplyFrame.parse(struct_server.answer(octets)).CIP.item[1].data)
    struct_server.TAGS["scada"][2][6:8] = b"\0\0"
    assert (reply.service, reply.status) == (0x8A, 0)
    replies = [Reply.parse(one) for one in MultipleReply.parse(reply.data).reply]
    assert [one.service for one in replies] == [0xCC] * 50
    assert [TagData.parse(one.data).data for one in replies] == [b"\0\0"] * 3 + [b"\x34\x12"] + [b"\0\0"] * 46


def test_refuses() -> None:
    """Other sessions, other services and lengths that are wrong get an encapsulation status."""
    octets = asked(multiple_request(3).produce())
    assert struct_server.answer(octets)[8] == 0
    assert struct_server.answer(multiple_request(3).produce())[8] == 1
    assert struct_server.answer(octets[:-1])[8] == 3
    assert struct_server.answer(octets[:40] + b"\x4c" + octets[41:])[8] == 3
