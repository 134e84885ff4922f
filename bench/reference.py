"""The hand-written codec that the compiled one is measured against.

Owns: ``struct`` code for the messages of bench/messages.py as a careful engineer writes it for a server and a client:
it decides by if-chains, likeliest first, what the octets (or records) are, with the same bounds checks, and makes the
same artifacts of the same octets and the same octets of the same records.  Messages that are not measured are refused
with ValueError.  Rule: as fast as careful hand-work gets; no call, copy or check that the job does not need.
"""

from __future__ import annotations

from struct import Struct, pack, unpack_from
from typing import Any

from bench.paths import PathParser, new, path_octets, simple_path
from cpppo.server.enip.wire.header import Register, ReplyFrame, RequestFrame
from cpppo.server.enip.wire.items import ReplyItem, ReplyItems, RequestItem, RequestItems
from cpppo.server.enip.wire.services import Reply, Request
from cpppo.server.enip.wire.services.multiple import MemberRequest, Multiple, MultipleReply
from cpppo.server.enip.wire.services.tag import ReadTag, ReadTagFragmented, TagData
from cpppo.server.enip.wire.services.unconnected import EmbeddedRequest, UnconnectedSend

__all__ = [
    "parse_read_reply",
    "parse_reply_frame",
    "parse_reply_packet",
    "parse_request_frame",
    "produce_reply_frame",
    "produce_request_frame",
]

HEADER = Struct("<HHII8sI")
#: Interface, time-out, item count.
ITEMS = Struct("<IHH")
#: Type and length of an item; version and options of Register.
TWO_WORDS = Struct("<HH")
HEAD = Struct("<BB")
UNCONNECTED = Struct("<BBH")
FRAGMENTED = Struct("<HI")
WORD = Struct("<H")
#: Service, reserved octet, status, number of extended status words.
REPLY = Struct("<BxBB")


# ------------------------------------------------------------------ requests
def parse_request_frame(o: bytes, parse_path: PathParser = simple_path) -> RequestFrame:
    """A whole frame from a client."""
    total = len(o)
    if total < 24:
        raise ValueError("header")
    command, length, session, status, context, options = HEADER.unpack_from(o)
    if length + 24 != total:
        raise ValueError("length")
    payload: Any
    if command == 0x6F or command == 0x70:
        if total < 32:
            raise ValueError("items")
        interface, timeout, count = ITEMS.unpack_from(o, 24)
        if count * 4 > total - 32:
            raise ValueError("item count")
        p = 32
        items = []
        for _ in range(count):
            if p + 4 > total:
                raise ValueError("item")
            kind, length = TWO_WORDS.unpack_from(o, p)
            p += 4
            end = p + length
            if end > total:
                raise ValueError("item length")
            item = new(RequestItem)
            item.type_id = kind
            if kind == 0xB2:
                item.data = _request(o, p, end, Request, parse_path)
            elif kind == 0 and not length:
                item.data = None
            else:
                raise ValueError(f"item {kind:#x}")
            items.append(item)
            p = end
        if p != total:
            raise ValueError("octets after items")
        payload = new(RequestItems)
        payload.interface = interface
        payload.timeout = timeout
        payload.item = items
    elif command == 0x65:
        if total != 28:
            raise ValueError("register")
        payload = new(Register)
        payload.version, payload.options = TWO_WORDS.unpack_from(o, 24)
    else:
        raise ValueError(f"command {command:#x}")
    frame = new(RequestFrame)
    frame.command = command
    frame.session = session
    frame.status = status
    frame.context = context
    frame.options = options
    frame.CIP = payload
    return frame


def _request(o: bytes, p: int, end: int, record: Any, parse_path: PathParser) -> Any:
    """A request in octets [p:end], as a record of the class for its place."""
    if p + 2 > end:
        raise ValueError("request")
    service = o[p]
    start = p + 2
    p = start + o[p + 1] * 2
    if p > end:
        raise ValueError("path")
    path = parse_path(o, start, p)
    data: Any
    if service == 0x52:
        if record is not Request or path.class_id != 6:
            if p + 6 != end:
                raise ValueError("read")
            data = new(ReadTagFragmented)
            data.elements, data.offset = FRAGMENTED.unpack_from(o, p)
        else:
            if p + 4 > end:
                raise ValueError("unconnected send")
            data = new(UnconnectedSend)
            data.priority, data.ticks, length = UNCONNECTED.unpack_from(o, p)
            p += 4
            stop = p + length
            start = stop + (length & 1) + 2
            if start > end:
                raise ValueError("embedded request")
            data.request = _request(o, p, stop, EmbeddedRequest, parse_path)
            if start + o[start - 2] * 2 != end:
                raise ValueError("route")
            data.route = parse_path(o, start, end)
    elif service == 0x4C:
        if p + 2 != end:
            raise ValueError("read")
        data = new(ReadTag)
        (data.elements,) = WORD.unpack_from(o, p)
    elif service == 0x0A and record is not MemberRequest:
        offsets = _offsets(o, p, end)
        start = p + offsets[0]
        requests = []
        for offset in offsets[1:]:
            stop = p + offset
            if stop < start or stop > end:
                raise ValueError("offset")
            requests.append(_request(o, start, stop, MemberRequest, parse_path))
            start = stop
        data = new(Multiple)
        data.request = requests
    else:
        raise ValueError(f"service {service:#x}")
    request = new(record)
    request.service = service
    request.path = path
    request.data = data
    return request


def _offsets(o: bytes, base: int, end: int) -> tuple[int, ...]:
    """The offsets of the members of a packet, and the end of the last."""
    if base + 2 > end:
        raise ValueError("packet")
    number = o[base] | o[base + 1] << 8
    if base + 2 + number * 2 > end:
        raise ValueError("offsets")
    offsets = (*unpack_from(f"<{number}H", o, base + 2), end - base)
    if offsets[0] < 2 + number * 2 or (not number and offsets[0] != 2):
        raise ValueError("first offset")
    return offsets


def produce_request_frame(frame: RequestFrame) -> bytes:
    """The octets of a whole frame from a client; lengths, counts, offsets and pads are derived."""
    payload = frame.CIP
    command = frame.command
    if command == 0x6F or command == 0x70:
        items = payload.item
        octets = ITEMS.pack(payload.interface, payload.timeout, len(items))
        for item in items:
            data = item.data
            if data is None:
                octets += TWO_WORDS.pack(item.type_id, 0)
            else:
                data = _request_octets(data)
                octets += TWO_WORDS.pack(item.type_id, len(data)) + data
    elif command == 0x65:
        octets = TWO_WORDS.pack(payload.version, payload.options)
    else:
        raise ValueError(f"command {command:#x}")
    context = frame.context
    if len(context) != 8:
        raise ValueError("context")
    return HEADER.pack(command, len(octets), frame.session, frame.status, context, frame.options) + octets


def _request_octets(request: Any) -> bytes:
    path = request.path.octets or path_octets(request.path)
    data = request.data
    kind = data.__class__
    head = HEAD.pack(request.service, len(path) // 2) + path
    if kind is ReadTag:
        return head + WORD.pack(data.elements)
    if kind is ReadTagFragmented:
        return head + FRAGMENTED.pack(data.elements, data.offset)
    if kind is UnconnectedSend:
        inner = _request_octets(data.request)
        route = data.route.octets or path_octets(data.route)
        length = len(inner)
        head += UNCONNECTED.pack(data.priority, data.ticks, length) + inner
        return head + (b"\0" if length & 1 else b"") + HEAD.pack(len(route) // 2, 0) + route
    if kind is Multiple:
        return head + _packet_octets([_request_octets(one) for one in data.request])
    raise ValueError(f"{data!r}")


def _packet_octets(parts: list[bytes]) -> bytes:
    """Count, offsets and members of a packet."""
    number = len(parts)
    at = 2 + 2 * number
    offsets = []
    for one in parts:
        offsets.append(at)
        at += len(one)
    return pack(f"<H{number}H", number, *offsets) + b"".join(parts)


# ------------------------------------------------------------------ replies
def parse_reply_frame(o: bytes) -> ReplyFrame:
    """A whole frame from a server; the reply in it stays octets, as only who asked knows what it means."""
    total = len(o)
    if total < 24:
        raise ValueError("header")
    command, length, session, status, context, options = HEADER.unpack_from(o)
    if length + 24 != total:
        raise ValueError("length")
    payload: Any
    if command == 0x6F or command == 0x70:
        if total < 32:
            raise ValueError("items")
        interface, timeout, count = ITEMS.unpack_from(o, 24)
        if count * 4 > total - 32:
            raise ValueError("item count")
        p = 32
        items = []
        for _ in range(count):
            if p + 4 > total:
                raise ValueError("item")
            kind, length = TWO_WORDS.unpack_from(o, p)
            p += 4
            end = p + length
            if end > total:
                raise ValueError("item length")
            item = new(ReplyItem)
            item.type_id = kind
            if kind == 0xB2:
                item.data = o[p:end]
            elif kind == 0 and not length:
                item.data = None
            else:
                raise ValueError(f"item {kind:#x}")
            items.append(item)
            p = end
        if p != total:
            raise ValueError("octets after items")
        payload = new(ReplyItems)
        payload.interface = interface
        payload.timeout = timeout
        payload.item = items
    elif command == 0x65:
        if total != 28:
            raise ValueError("register")
        payload = new(Register)
        payload.version, payload.options = TWO_WORDS.unpack_from(o, 24)
    else:
        raise ValueError(f"command {command:#x}")
    frame = new(ReplyFrame)
    frame.command = command
    frame.session = session
    frame.status = status
    frame.context = context
    frame.options = options
    frame.CIP = payload
    return frame


def parse_read_reply(o: bytes) -> tuple[Reply, TagData]:
    """The reply to a read, and the data in it."""
    answer = new(Reply)
    answer.service, answer.status, size = REPLY.unpack_from(o)
    p = 4 + 2 * size
    end = len(o)
    if p + 2 > end:
        raise ValueError("reply")
    answer.extended = [*unpack_from(f"<{size}H", o, 4)] if size else []
    answer.data = o[p:]
    data = new(TagData)
    data.type = kind = o[p] | o[p + 1] << 8
    p += 2
    if kind == 0x02A0:
        (data.handle,) = WORD.unpack_from(o, p)
        p += 2
    else:
        data.handle = None
    data.data = o[p:]
    return answer, data


def parse_reply_packet(o: bytes) -> tuple[Reply, MultipleReply, list[tuple[Reply, TagData]]]:
    """The reply to a packet of reads: itself, its members' octets, and their replies and data."""
    answer = new(Reply)
    answer.service, answer.status, size = REPLY.unpack_from(o)
    base = 4 + 2 * size
    end = len(o)
    if base > end:
        raise ValueError("reply")
    answer.extended = [*unpack_from(f"<{size}H", o, 4)] if size else []
    answer.data = o[base:]
    offsets = _offsets(o, base, end)
    start = base + offsets[0]
    members = []
    replies = []
    for offset in offsets[1:]:
        stop = base + offset
        if stop < start or stop > end:
            raise ValueError("offset")
        one = o[start:stop]
        members.append(one)
        replies.append(parse_read_reply(one))
        start = stop
    packet = new(MultipleReply)
    packet.reply = members
    return answer, packet, replies


def produce_reply_frame(frame: ReplyFrame) -> bytes:
    """The octets of a whole frame from a server."""
    payload = frame.CIP
    command = frame.command
    if command == 0x6F or command == 0x70:
        items = payload.item
        octets = ITEMS.pack(payload.interface, payload.timeout, len(items))
        for item in items:
            data = item.data
            if data is None:
                octets += TWO_WORDS.pack(item.type_id, 0)
            else:
                data = _reply_octets(data)
                octets += TWO_WORDS.pack(item.type_id, len(data)) + data
    elif command == 0x65:
        octets = TWO_WORDS.pack(payload.version, payload.options)
    else:
        raise ValueError(f"command {command:#x}")
    context = frame.context
    if len(context) != 8:
        raise ValueError("context")
    return HEADER.pack(command, len(octets), frame.session, frame.status, context, frame.options) + octets


def _reply_octets(reply: Any) -> Any:
    extended = reply.extended
    head: bytes = REPLY.pack(reply.service, reply.status, len(extended))
    if extended:
        head += pack(f"<{len(extended)}H", *extended)
    data = reply.data
    kind = data.__class__
    if kind is TagData:
        if data.handle is None:
            return head + WORD.pack(data.type) + data.data
        return head + TWO_WORDS.pack(data.type, data.handle) + data.data
    if kind is bytes:
        return head + data
    if kind is MultipleReply:
        return head + _packet_octets([_reply_octets(one) for one in data.reply])
    raise ValueError(f"{data!r}")
