"""As bench/straight.py, for replies: hand-written code that knows beforehand which reply it gets.

Owns: one function for each reply of bench/messages.py.  Rule: as there.
"""

from __future__ import annotations

from struct import Struct, pack
from typing import Any

from bench.paths import new
from bench.straight import ITEMS, member_offsets
from cpppo.server.enip.wire.header import ReplyFrame
from cpppo.server.enip.wire.items import ReplyItem, ReplyItems
from cpppo.server.enip.wire.services import Reply
from cpppo.server.enip.wire.services.multiple import MultipleReply
from cpppo.server.enip.wire.services.tag import TagData

__all__ = ["multiple_reply", "produce_multiple_reply", "produce_reply", "reply"]

#: Service, reserved octet, status, and number of extended status words; then the type of the data.
REPLY = Struct("<BxBB")
DATA = Struct("<BxBBH")
#: ITEMS and DATA in one.
REPLY_FRAME = Struct("<HHII8sIIHHHHHHBxBBH")

Replies = list[tuple[Reply, TagData]]


def reply(o: bytes) -> tuple[ReplyFrame, Reply, TagData]:
    """The frame of a read's reply, the reply in it, and the data in that."""
    total = len(o)
    if total < 46:
        raise ValueError("too short")
    (command, length, session, status, context, options, interface, timeout, count, null, none, kind, size) = (
        ITEMS.unpack_from(o)
    )
    if command != 0x6F or length + 24 != total or count != 2 or null or none or kind != 0xB2 or size + 40 != total:
        raise ValueError("no unconnected reply")
    service, refused, words, type_ = DATA.unpack_from(o, 40)
    if words or type_ == 0x02A0:
        raise ValueError("no data of an elementary type")
    data = new(TagData)
    data.type = type_
    data.handle = None
    data.data = o[46:]
    answer = new(Reply)
    answer.service = service
    answer.status = refused
    answer.extended = []
    answer.data = o[44:]
    return _reply_frame(command, session, status, context, options, interface, timeout, o[40:]), answer, data


def produce_reply(frame: ReplyFrame) -> bytes:
    """The octets of a read's reply whose records stand within one another."""
    context = frame.context
    if len(context) != 8:
        raise ValueError("context")
    items = frame.CIP
    address, item = items.item
    answer = item.data
    data = answer.data
    packed: bytes = data.data
    size = 6 + len(packed)
    if answer.extended or data.handle is not None:
        raise ValueError("no plain data")
    return (
        REPLY_FRAME.pack(
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
            answer.service,
            answer.status,
            0,
            data.type,
        )
        + packed
    )


def multiple_reply(o: bytes) -> tuple[ReplyFrame, Reply, MultipleReply, Replies]:
    """The frame of a packet's reply, the reply in it, the packet, and each reply in it with its data."""
    total = len(o)
    if total < 46:
        raise ValueError("too short")
    (command, length, session, status, context, options, interface, timeout, count, null, none, kind, size) = (
        ITEMS.unpack_from(o)
    )
    if command != 0x6F or length + 24 != total or count != 2 or null or none or kind != 0xB2 or size + 40 != total:
        raise ValueError("no unconnected reply")
    service, refused, words = REPLY.unpack_from(o, 40)
    if words:
        raise ValueError("refused")
    offsets = member_offsets(o, 44, total)
    start = 44 + offsets[0]
    members = []
    replies: Replies = []
    for offset in offsets[1:]:
        stop = 44 + offset
        if stop < start + 6 or stop > total:
            raise ValueError("offset")
        member, member_status, words, type_ = DATA.unpack_from(o, start)
        if words or type_ == 0x02A0:
            raise ValueError("no data of an elementary type")
        data = new(TagData)
        data.type = type_
        data.handle = None
        data.data = o[start + 6 : stop]
        one = new(Reply)
        one.service = member
        one.status = member_status
        one.extended = []
        one.data = o[start + 4 : stop]
        members.append(o[start:stop])
        replies.append((one, data))
        start = stop
    packet = new(MultipleReply)
    packet.reply = members
    answer = new(Reply)
    answer.service = service
    answer.status = refused
    answer.extended = []
    answer.data = o[44:]
    frame = _reply_frame(command, session, status, context, options, interface, timeout, o[40:])
    return frame, answer, packet, replies


def produce_multiple_reply(frame: ReplyFrame) -> bytes:
    """The octets of a packet's reply whose records stand within one another."""
    context = frame.context
    if len(context) != 8:
        raise ValueError("context")
    items = frame.CIP
    address, item = items.item
    answer = item.data
    replies = answer.data.reply
    number = len(replies)
    at = 2 + 2 * number
    offsets = []
    parts = []
    for one in replies:
        data = one.data
        packed = data.data
        if one.extended or data.handle is not None:
            raise ValueError("no plain data")
        offsets.append(at)
        parts.append(DATA.pack(one.service, one.status, 0, data.type) + packed)
        at += 6 + len(packed)
    if answer.extended:
        raise ValueError("no plain data")
    size = 4 + at
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
    return b"".join(
        (
            head,
            REPLY.pack(answer.service, answer.status, 0),
            pack(f"<H{number}H", number, *offsets),
            *parts,
        )
    )


def _reply_frame(
    command: int, session: int, status: int, context: bytes, options: int, interface: int, timeout: int, answer: Any
) -> ReplyFrame:
    address = new(ReplyItem)
    address.type_id = 0
    address.data = None
    item = new(ReplyItem)
    item.type_id = 0xB2
    item.data = answer
    items = new(ReplyItems)
    items.interface = interface
    items.timeout = timeout
    items.item = [address, item]
    frame = new(ReplyFrame)
    frame.command = command
    frame.session = session
    frame.status = status
    frame.context = context
    frame.options = options
    frame.CIP = items
    return frame
