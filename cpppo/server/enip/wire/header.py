"""The encapsulation header and its commands (CIP volume 2, chapter 2-3).

Owns: the frame of requests and of replies, the command codes, and how long a frame is.
Rule: a whole frame (24 + length octets) always parses; a payload that does not is Malformed.
Must not know sessions.
"""

from __future__ import annotations

from typing import Any

from cpppo.grammar import Message, const, guarded, octets, payload, switch
from cpppo.server.enip.wire.items import (
    ADDRESS_CONNECTED,
    DATA_CONNECTED,
    DATA_UNCONNECTED,
    NULL,
    ItemList,
    ReplyItems,
    RequestItems,
)
from cpppo.server.enip.wire.services import Reply
from cpppo.server.enip.wire.types import UDINT, UINT

__all__ = [
    "HEADER_OCTETS",
    "LIST_IDENTITY",
    "LIST_INTERFACES",
    "LIST_SERVICES",
    "MAXIMUM_LENGTH",
    "NOP",
    "PORT",
    "REGISTER_SESSION",
    "SEND_RR_DATA",
    "SEND_UNIT_DATA",
    "UNREGISTER_SESSION",
    "VERSION",
    "Header",
    "Register",
    "ReplyFrame",
    "RequestFrame",
    "UnconnectedReply",
    "ConnectedFrame",
]

NOP, LIST_SERVICES, LIST_IDENTITY, LIST_INTERFACES = 0x0000, 0x0004, 0x0063, 0x0064
REGISTER_SESSION, UNREGISTER_SESSION, SEND_RR_DATA, SEND_UNIT_DATA = 0x0065, 0x0066, 0x006F, 0x0070

#: The version of the encapsulation, and the port registered for it, over TCP and over UDP.
VERSION, PORT = 1, 44818

#: Octets before the payload, and the longest payload that the length field can state.
HEADER_OCTETS, MAXIMUM_LENGTH = 24, 65511


class Register(Message):
    """RegisterSession, both ways."""

    version = UINT
    options = UINT


_REQUESTS: dict[int, Any] = {
    REGISTER_SESSION: Register,
    SEND_RR_DATA: RequestItems,
    SEND_UNIT_DATA: RequestItems,
}
_REPLIES: dict[int, Any] = {
    REGISTER_SESSION: Register,
    LIST_SERVICES: ItemList,
    LIST_IDENTITY: ItemList,
    LIST_INTERFACES: ItemList,
    SEND_RR_DATA: ReplyItems,
    SEND_UNIT_DATA: ReplyItems,
}


class Header(Message):
    """What every frame begins with."""

    command = UINT
    length = UINT
    session = UDINT
    status = UDINT
    context = octets(8)
    options = UDINT


class RequestFrame(Message):
    """A whole frame from a client."""

    command = UINT
    length = UINT
    session = UDINT
    status = UDINT
    context = octets(8)
    options = UDINT
    CIP = guarded(switch(command, _REQUESTS, default=octets(), likely=(SEND_RR_DATA, REGISTER_SESSION))).within(length)


class ReplyFrame(Message):
    """A whole frame from a server; one that is refused has no payload, so look at its status before its ``CIP``."""

    command = UINT
    length = UINT
    session = UDINT
    status = UDINT
    context = octets(8)
    options = UDINT
    CIP = guarded(switch(command, _REPLIES, default=payload(), likely=(SEND_RR_DATA, REGISTER_SESSION))).within(length)


class UnconnectedReply(Message):
    """A `ReplyFrame` as nearly all are: SendRRData with a null address and the reply to a request, in one piece."""

    command = const(SEND_RR_DATA, UINT)
    length = UINT
    session = UDINT
    status = const(0, UDINT)
    context = octets(8)
    options = const(0, UDINT)
    interface = UDINT
    timeout = const(0, UINT)
    count = const(2, UINT)
    address = const(NULL, UINT)
    empty = const(0, UINT)
    type_id = const(DATA_UNCONNECTED, UINT)
    size = UINT
    reply = Reply.within(size).within(length - 16)


class ConnectedFrame(Message):
    """A `ReplyFrame` of a connection: SendUnitData with its id and the reply to a request, in one piece."""

    command = const(SEND_UNIT_DATA, UINT)
    length = UINT
    session = UDINT
    status = const(0, UDINT)
    context = octets(8)
    options = const(0, UDINT)
    interface = UDINT
    timeout = const(0, UINT)
    count = const(2, UINT)
    address = const(ADDRESS_CONNECTED, UINT)
    four = const(UDINT.size, UINT)
    from_id = UDINT
    type_id = const(DATA_CONNECTED, UINT)
    size = UINT
    sequence = UINT
    reply = Reply.within(size - 2).within(length - 22)
