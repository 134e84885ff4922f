"""Hand-written code for requests that knows beforehand which one it gets: a floor for what any codec can cost.

Owns: straight-line ``struct`` code, one function for each request of bench/messages.py.  It decides nothing, so it
fuses frame, items and message into single calls of ``struct``; whatever is not that message is refused with ValueError.
Rule: as fast as careful hand-work gets, for the same artifacts with the same bounds checks.
"""

from __future__ import annotations

from struct import Struct, pack, unpack_from
from typing import Any

from bench.paths import PathParser, new, path_octets, simple_path
from cpppo.server.enip.wire.header import Register, RequestFrame
from cpppo.server.enip.wire.items import RequestItem, RequestItems
from cpppo.server.enip.wire.services import Request
from cpppo.server.enip.wire.services.multiple import MemberRequest, Multiple
from cpppo.server.enip.wire.services.tag import ReadTag, ReadTagFragmented
from cpppo.server.enip.wire.services.unconnected import EmbeddedRequest, UnconnectedSend

__all__ = [
    "ITEMS",
    "member_offsets",
    "multiple_request",
    "produce_multiple_request",
    "produce_read_request",
    "produce_register",
    "read_request",
    "register",
]

REGISTER = Struct("<HHII8sIHH")
#: Header, interface, time-out, item count, null item, head of the data item.
ITEMS = Struct("<HHII8sIIHHHHHH")
HEAD = Struct("<BB")
UNCONNECTED = Struct("<BBH")
FRAGMENTED = Struct("<HI")
WORD = Struct("<H")


def register(o: bytes) -> RequestFrame:
    """RegisterSession."""
    if len(o) != 28:
        raise ValueError("length")
    command, length, session, status, context, options, version, flags = REGISTER.unpack(o)
    if command != 0x65 or length != 4:
        raise ValueError("no RegisterSession")
    payload = new(Register)
    payload.version = version
    payload.options = flags
    frame = new(RequestFrame)
    frame.command = command
    frame.session = session
    frame.status = status
    frame.context = context
    frame.options = options
    frame.CIP = payload
    return frame


def produce_register(frame: RequestFrame) -> bytes:
    """The octets of RegisterSession."""
    context = frame.context
    if len(context) != 8:
        raise ValueError("context")
    payload = frame.CIP
    return REGISTER.pack(
        frame.command, 4, frame.session, frame.status, context, frame.options, payload.version, payload.options
    )


def read_request(o: bytes, parse_path: PathParser = simple_path) -> RequestFrame:
    """SendRRData with a Read Tag Fragmented in an Unconnected Send."""
    total = len(o)
    if total < 42:
        raise ValueError("too short")
    (command, length, session, status, context, options, interface, timeout, count, null, none, kind, size) = (
        ITEMS.unpack_from(o)
    )
    if command != 0x6F or length + 24 != total or count != 2 or null or none or kind != 0xB2 or size + 40 != total:
        raise ValueError("no unconnected request")
    service, words = o[40], o[41]
    p = 42 + words * 2
    if service != 0x52 or p + 4 > total:
        raise ValueError("no Unconnected Send")
    manager = parse_path(o, 42, p)
    if manager.class_id != 6:
        raise ValueError("no Unconnected Send")
    priority, ticks, inner = UNCONNECTED.unpack_from(o, p)
    p += 4
    end = p + inner
    after = end + (inner & 1)
    if inner < 2 or after + 2 > total:
        raise ValueError("request beyond Unconnected Send")
    inner_service, words = o[p], o[p + 1]
    start = p + 2
    p = start + words * 2
    if inner_service != 0x52 or p + 6 != end:
        raise ValueError("no Read Tag Fragmented")
    path = parse_path(o, start, p)
    elements, offset = FRAGMENTED.unpack_from(o, p)
    start = after + 2
    if start + o[after] * 2 != total:
        raise ValueError("route beyond Unconnected Send")
    read = new(ReadTagFragmented)
    read.elements = elements
    read.offset = offset
    request = new(EmbeddedRequest)
    request.service = inner_service
    request.path = path
    request.data = read
    send = new(UnconnectedSend)
    send.priority = priority
    send.ticks = ticks
    send.request = request
    send.route = parse_path(o, start, total)
    outer = new(Request)
    outer.service = service
    outer.path = manager
    outer.data = send
    return _request_frame(command, session, status, context, options, interface, timeout, outer)


def produce_read_request(frame: RequestFrame) -> bytes:
    """The octets of a Read Tag Fragmented in an Unconnected Send; lengths, counts and pad are derived."""
    context = frame.context
    if len(context) != 8:
        raise ValueError("context")
    items = frame.CIP
    address, item = items.item
    outer = item.data
    send = outer.data
    request = send.request
    read = request.data
    path = request.path.octets or path_octets(request.path)
    manager = outer.path.octets or path_octets(outer.path)
    route = send.route.octets or path_octets(send.route)
    inner = 8 + len(path)
    size = 8 + len(manager) + inner + (inner & 1) + len(route)
    return b"".join(
        (
            ITEMS.pack(
                frame.command,
                size + 16,
                frame.session,
                frame.status,
                context,
                frame.options,
                items.interface,
                items.timeout,
                2,
                address.type_id,
                0,
                item.type_id,
                size,
            ),
            HEAD.pack(outer.service, len(manager) // 2),
            manager,
            pack("<BBHBB", send.priority, send.ticks, inner, request.service, len(path) // 2),
            path,
            FRAGMENTED.pack(read.elements, read.offset),
            b"\0" if inner & 1 else b"",
            HEAD.pack(len(route) // 2, 0),
            route,
        )
    )


def multiple_request(o: bytes, parse_path: PathParser = simple_path) -> RequestFrame:
    """SendRRData with a Multiple Service Packet of Read Tag requests."""
    total = len(o)
    if total < 44:
        raise ValueError("too short")
    (command, length, session, status, context, options, interface, timeout, count, null, none, kind, size) = (
        ITEMS.unpack_from(o)
    )
    if command != 0x6F or length + 24 != total or count != 2 or null or none or kind != 0xB2 or size + 40 != total:
        raise ValueError("no unconnected request")
    service, words = o[40], o[41]
    base = 42 + words * 2
    if service != 0x0A or base + 2 > total:
        raise ValueError("no Multiple Service Packet")
    router = parse_path(o, 42, base)
    offsets = member_offsets(o, base, total)
    start = base + offsets[0]
    requests = []
    for offset in offsets[1:]:
        stop = base + offset
        if stop < start + 2 or stop > total:
            raise ValueError("offset")
        member, words = o[start], o[start + 1]
        end = start + 2 + words * 2
        if member != 0x4C or end + 2 != stop:
            raise ValueError("no Read Tag")
        read = new(ReadTag)
        read.elements = o[end] | o[end + 1] << 8
        request = new(MemberRequest)
        request.service = member
        request.path = parse_path(o, start + 2, end)
        request.data = read
        requests.append(request)
        start = stop
    packet = new(Multiple)
    packet.request = requests
    outer = new(Request)
    outer.service = service
    outer.path = router
    outer.data = packet
    return _request_frame(command, session, status, context, options, interface, timeout, outer)


def produce_multiple_request(frame: RequestFrame) -> bytes:
    """The octets of a Multiple Service Packet of Read Tag requests."""
    context = frame.context
    if len(context) != 8:
        raise ValueError("context")
    items = frame.CIP
    address, item = items.item
    outer = item.data
    requests = outer.data.request
    router = outer.path.octets or path_octets(outer.path)
    number = len(requests)
    at = 2 + 2 * number
    offsets = []
    parts = []
    for request in requests:
        path = request.path.octets or path_octets(request.path)
        size = len(path)
        offsets.append(at)
        parts.append(HEAD.pack(request.service, size // 2) + path + WORD.pack(request.data.elements))
        at += 4 + size
    size = 2 + len(router) + at
    head = ITEMS.pack(
        frame.command,
        size + 16,
        frame.session,
        frame.status,
        context,
        frame.options,
        items.interface,
        items.timeout,
        2,
        address.type_id,
        0,
        item.type_id,
        size,
    )
    table = pack(f"<H{number}H", number, *offsets)
    return b"".join((head, HEAD.pack(outer.service, len(router) // 2), router, table, *parts))


def member_offsets(o: bytes, base: int, total: int) -> tuple[int, ...]:
    """The offsets of the members of a packet, and the end of the last."""
    number = o[base] | o[base + 1] << 8
    if base + 2 + number * 2 > total:
        raise ValueError("offsets")
    offsets = (*unpack_from(f"<{number}H", o, base + 2), total - base)
    if offsets[0] < 2 + number * 2 or (not number and offsets[0] != 2):
        raise ValueError("first offset")
    return offsets


def _request_frame(
    command: int, session: int, status: int, context: bytes, options: int, interface: int, timeout: int, request: Any
) -> RequestFrame:
    address = new(RequestItem)
    address.type_id = 0
    address.data = None
    item = new(RequestItem)
    item.type_id = 0xB2
    item.data = request
    items = new(RequestItems)
    items.interface = interface
    items.timeout = timeout
    items.item = [address, item]
    frame = new(RequestFrame)
    frame.command = command
    frame.session = session
    frame.status = status
    frame.context = context
    frame.options = options
    frame.CIP = items
    return frame
