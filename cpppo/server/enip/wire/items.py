"""The common packet format: items, each with a type and a length (CIP volume 2, chapter 2-6).

Owns: the items of requests and of replies, List Services and List Identity items among them.
Rule: an item is a record; an item type that nobody knows stays octets.  Must not know commands.
"""

from __future__ import annotations

from typing import Any

from cpppo.grammar import Message, drop, guarded, nothing, octets, payload, switch, text, vector
from cpppo.server.enip.wire.services import Reply, Request
from cpppo.server.enip.wire.types import UDINT, UDINT_BE, UINT, UINT_BE, USINT

__all__ = [
    "ADDRESS_CONNECTED",
    "DATA_CONNECTED",
    "DATA_UNCONNECTED",
    "IDENTITY",
    "MAXIMUM_ITEMS",
    "NULL",
    "SERVICES",
    "ConnectedReply",
    "ConnectedRequest",
    "Identity",
    "ItemList",
    "ReplyItem",
    "ReplyItems",
    "RequestItem",
    "RequestItems",
    "ServicesItem",
]

NULL, IDENTITY, ADDRESS_CONNECTED, DATA_CONNECTED = 0x0000, 0x000C, 0x00A1, 0x00B1
DATA_UNCONNECTED, SERVICES = 0x00B2, 0x0100


class ConnectedRequest(Message):
    """A request on a connection, with its sequence count."""

    sequence = UINT
    request = guarded(Request)


class ConnectedReply(Message):
    """The reply on a connection, with the sequence count of its request."""

    sequence = UINT
    reply = payload(likely=Reply)


class ServicesItem(Message):
    """What a device can do: capability bits 0x20 (CIP over TCP), 0x100 (I/O over UDP); a name of 16 octets."""

    version = UINT
    capability = UINT
    name = text(16)


class Identity(Message):
    """Who a device is (the item of List Identity); the socket address is in network order, in 4 octets."""

    version = UINT
    family = UINT_BE
    port = UINT_BE
    address = UDINT_BE
    zero = drop(8)
    vendor = UINT
    device_type = UINT
    product_code = UINT
    major = USINT
    minor = USINT
    status = UINT
    serial = UDINT
    size = USINT
    name = text(size)
    state = USINT


#: Items in a frame; clients send two or three.
MAXIMUM_ITEMS = 16

_ADDRESSES: dict[int, Any] = {NULL: nothing(), ADDRESS_CONNECTED: UDINT}


class RequestItem(Message):
    """An item of a request."""

    type_id = UINT
    length = UINT
    data = switch(
        type_id,
        {**_ADDRESSES, DATA_CONNECTED: ConnectedRequest, DATA_UNCONNECTED: guarded(Request)},
        default=octets(),
        likely=(DATA_UNCONNECTED, NULL),
    ).within(length)


class ReplyItem(Message):
    """An item of a reply."""

    type_id = UINT
    length = UINT
    data = switch(
        type_id,
        {
            **_ADDRESSES,
            DATA_CONNECTED: ConnectedReply,
            DATA_UNCONNECTED: payload(likely=Reply),
            IDENTITY: Identity,
            SERVICES: ServicesItem,
        },
        default=octets(),
        likely=(DATA_UNCONNECTED, NULL),
    ).within(length)


class RequestItems(Message):
    """Interface handle (0: CIP), time-out in seconds, and items: SendRRData and SendUnitData."""

    interface = UDINT
    timeout = UINT
    count = UINT
    item = vector(RequestItem, count, most=MAXIMUM_ITEMS)


class ReplyItems(Message):
    """As RequestItems, in a reply."""

    interface = UDINT
    timeout = UINT
    count = UINT
    item = vector(ReplyItem, count, most=MAXIMUM_ITEMS)


class ItemList(Message):
    """Items alone: the replies to List Services, List Identity, List Interfaces."""

    count = UINT
    item = vector(ReplyItem, count, most=MAXIMUM_ITEMS)
