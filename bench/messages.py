"""The messages measured: their records, made new each time, and the compiled and hand-written code for each.

Owns: MESSAGES.  Rule: both sides get the same octets or equal records, and give equal artifacts or the same octets.
Must not know clocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from bench import reference, straight, straight_replies
from bench.paths import remembered_path, set_octets
from cpppo.grammar.parse import parser
from cpppo.server.enip.wire.header import REGISTER_SESSION, SEND_RR_DATA, Register, ReplyFrame, RequestFrame
from cpppo.server.enip.wire.items import (
    DATA_UNCONNECTED,
    NULL,
    ReplyItem,
    ReplyItems,
    RequestItem,
    RequestItems,
)
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services import Reply, Request
from cpppo.server.enip.wire.services.multiple import MemberRequest, Multiple, MultipleReply
from cpppo.server.enip.wire.services.tag import ReadTag, ReadTagFragmented, TagData
from cpppo.server.enip.wire.services.unconnected import EmbeddedRequest, UnconnectedSend
from cpppo.server.enip.wire.types import INT

__all__ = ["MESSAGES", "MULTIPLE_READS", "SIDES", "Measured", "forget", "multiple_request", "read_request", "register"]

#: How many requests a Multiple Service Packet has here.
MULTIPLE_READS = 20

#: Compiled from the declarations; hand-written, deciding what it meets; hand-written for one message known beforehand.
SIDES = COMPILED, REFERENCE, STRAIGHT = "compiled", "reference", "straight"


Code = Callable[..., Any]


class Measured(NamedTuple):
    """A message: ``make`` gives a record nobody has produced yet; then parsers and producers by side: SIDES.

    ``parse(side, memo)`` gives ``f(octets) -> artifacts``; ``paths`` those of a record.
    """

    name: str
    make: Code
    parsers: dict[str, Callable[[bool], Code]]
    producers: dict[str, Code]
    paths: Callable[[Any], list[Path]]

    def parse(self, side: str, memo: bool = False) -> Code:
        """The parser of a side, with or without remembered paths."""
        return self.parsers[side](memo)


def forget(paths: list[Path]) -> None:
    """Make paths be produced anew."""
    for path in paths:
        set_octets(path, None)


# ------------------------------------------------------------------ records
def register() -> RequestFrame:
    """RegisterSession."""
    return RequestFrame(REGISTER_SESSION, 0, 0, b"\x01\x02\x03\x04\x05\x06\x07\x08", 0, Register(1, 0))


def _send(frame: Any, items: Any, item: Any, data: Any) -> Any:
    both = [item(NULL, None), item(DATA_UNCONNECTED, data)]
    return frame(SEND_RR_DATA, 0x12345678, 0, b"\x01\x02\x03\x04\x05\x06\x07\x08", 0, items(0, 5, both))


def _manager() -> Path:
    return Path.of([{"class": 6}, {"instance": 1}])


def read_request() -> Any:
    """72 octets: Read Tag Fragmented of SCADA[7], 1 element, in an Unconnected Send to port 1, link 0."""
    path = Path.of([{"symbolic": "SCADA"}, {"element": 7}])
    request = EmbeddedRequest(0x52, path, ReadTagFragmented(1, 0))
    route = Path.of([{"port": 1, "link": 0}])
    send = UnconnectedSend(5, 157, request, route)
    return _send(RequestFrame, RequestItems, RequestItem, Request(0x52, _manager(), send))


def multiple_request(reads: int = MULTIPLE_READS) -> Any:
    """A Multiple Service Packet of reads of SCADA[0], SCADA[1], ..."""
    requests = [
        MemberRequest(0x4C, Path.of([{"symbolic": "SCADA"}, {"element": number}]), ReadTag(1))
        for number in range(reads)
    ]
    router = Path.of([{"class": 2}, {"instance": 1}])
    return _send(RequestFrame, RequestItems, RequestItem, Request(0x0A, router, Multiple(requests)))


def _data(elements: int) -> TagData:
    return TagData(INT.tag_type, None, bytes(number % 251 for number in range(2 * elements)))


def _reply(elements: int) -> Callable[[], ReplyFrame]:
    def make() -> Any:
        return _send(ReplyFrame, ReplyItems, ReplyItem, Reply(0xD2, 0, [], _data(elements)))

    return make


def _multiple_reply() -> Any:
    replies = [Reply(0xCC, 0, [], _data(1)) for _ in range(MULTIPLE_READS)]
    return _send(ReplyFrame, ReplyItems, ReplyItem, Reply(0x8A, 0, [], MultipleReply(replies)))


# ------------------------------------------------------------------ paths to produce anew
def _no_paths(frame: Any) -> list[Path]:
    return []


def _read_paths(frame: Any) -> list[Path]:
    outer = frame.CIP.item[1].data
    return [outer.path, outer.data.request.path, outer.data.route]


def _multiple_paths(frame: Any) -> list[Path]:
    outer = frame.CIP.item[1].data
    return [outer.path, *(request.path for request in outer.data.request)]


# ------------------------------------------------------------------ the sides
def _compiled_request(memo: bool) -> Code:
    parse = parser(RequestFrame._node_, True, memo=memo).made()
    return lambda octets: parse(octets, 0, len(octets))


def _compiled_reply(memo: bool) -> Code:
    frame, reply, data = ReplyFrame.parser(), Reply.parser(), TagData.parser()

    def parse(octets: bytes) -> Any:
        whole = frame(octets, 0, len(octets))
        inner = whole.CIP.item[1].data
        answer = reply(inner, 0, len(inner))
        inner = answer.data
        return whole, answer, data(inner, 0, len(inner))

    return parse


def _compiled_packet(memo: bool) -> Code:
    frame, reply, packet, data = ReplyFrame.parser(), Reply.parser(), MultipleReply.parser(), TagData.parser()

    def parse(octets: bytes) -> Any:
        whole = frame(octets, 0, len(octets))
        inner = whole.CIP.item[1].data
        answer = reply(inner, 0, len(inner))
        inner = answer.data
        members = packet(inner, 0, len(inner))
        replies = []
        for one in members.reply:
            member = reply(one, 0, len(one))
            inner = member.data
            replies.append((member, data(inner, 0, len(inner))))
        return whole, answer, members, replies

    return parse


def _reference_reply(octets: bytes) -> Any:
    whole = reference.parse_reply_frame(octets)
    return whole, *reference.parse_read_reply(whole.CIP.item[1].data)


def _reference_packet(octets: bytes) -> Any:
    whole = reference.parse_reply_frame(octets)
    return whole, *reference.parse_reply_packet(whole.CIP.item[1].data)


def _by_hand(parse: Callable[..., Any], paths: bool) -> Callable[[bool], Code]:
    def choose(memo: bool) -> Code:
        if not memo or not paths:
            return parse
        return lambda octets: parse(octets, remembered_path)

    return choose


def _request(name: str, make: Code, parse: Code, produce: Code, paths: Code | None = None) -> Measured:
    """A request, with what is hand-written for it alone."""
    return Measured(
        name,
        make,
        {
            COMPILED: _compiled_request,
            REFERENCE: _by_hand(reference.parse_request_frame, True),
            STRAIGHT: _by_hand(parse, paths is not None),
        },
        {COMPILED: RequestFrame.producer(), REFERENCE: reference.produce_request_frame, STRAIGHT: produce},
        paths or _no_paths,
    )


def _answer(name: str, make: Code, compiled: Any, by_hand: Code, parse: Code, produce: Code) -> Measured:
    """A reply, parsed by whoever knows what was asked."""
    return Measured(
        name,
        make,
        {COMPILED: compiled, REFERENCE: _by_hand(by_hand, False), STRAIGHT: _by_hand(parse, False)},
        {COMPILED: ReplyFrame.producer(), REFERENCE: reference.produce_reply_frame, STRAIGHT: produce},
        _no_paths,
    )


MESSAGES = (
    _request("RegisterSession", register, straight.register, straight.produce_register),
    _request(
        "Read Tag Fragmented, 72 octets",
        read_request,
        straight.read_request,
        straight.produce_read_request,
        _read_paths,
    ),
    *(
        _answer(
            f"reply with {elements} INT",
            _reply(elements),
            _compiled_reply,
            _reference_reply,
            straight_replies.reply,
            straight_replies.produce_reply,
        )
        for elements in (1, 20, 250)
    ),
    _request(
        f"Multiple Service Packet of {MULTIPLE_READS} reads",
        multiple_request,
        straight.multiple_request,
        straight.produce_multiple_request,
        _multiple_paths,
    ),
    _answer(
        f"its reply, {MULTIPLE_READS} times 1 INT",
        _multiple_reply,
        _compiled_packet,
        _reference_packet,
        straight_replies.multiple_reply,
        straight_replies.produce_multiple_reply,
    ),
)
