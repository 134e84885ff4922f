"""Who a device is, as it answers List Identity: the request, and the records of replies.

Owns: Identity, and which octets are a reply.  Rule: sans-I/O; octets and the host they came from come in, records go
out.  A reply is known by what it is, not by its context: some devices do not give that back.
Must not know sockets or time.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from cpppo.errors import RemoteProtocolError
from cpppo.grammar import Malformed
from cpppo.server.enip.client.operations import parsed
from cpppo.server.enip.wire import items
from cpppo.server.enip.wire.header import HEADER_OCTETS, LIST_IDENTITY, MAXIMUM_LENGTH, ReplyFrame, RequestFrame
from cpppo.server.enip.wire.status import describe_encapsulation

__all__ = ["Found", "Identity", "identities", "missing", "request"]

#: Milliseconds in which devices may spread their answers to a broadcast: 0 means 2000, and less than 500 means 500.
_LEAST_MS, _MOST_MS = 500, 0xFFFF


class Identity(NamedTuple):
    """What a device says of itself.  ``address``: where it is asked over TCP; ``revision``: major, minor."""

    address: tuple[str, int]
    vendor: int
    device_type: int
    product_code: int
    revision: tuple[int, int]
    status: int
    serial: int
    product_name: str
    state: int


def request(timeout_s: float) -> bytes:
    """The octets that ask who is there, for answers that come within a time."""
    delay_ms = int(min(max(_LEAST_MS, timeout_s * 500), _MOST_MS))
    context = struct.pack("<H6s", delay_ms, b"cpppo")
    return RequestFrame(command=LIST_IDENTITY, session=0, status=0, context=context, options=0, CIP=b"").produce()


def identities(octets: bytes, address: tuple[str, int]) -> list[Identity]:
    """The identities in a whole reply, from whom it came and on the port that was asked; mostly one.

    RemoteProtocolError if it is no such reply.
    """
    frame: Any = parsed(ReplyFrame, octets)
    if frame.command != LIST_IDENTITY:
        raise RemoteProtocolError(f"a frame of command 0x{frame.command:04x} answers List Identity", "command", 0)
    if frame.status:
        reason = describe_encapsulation(frame.status)
        raise RemoteProtocolError(f"List Identity is refused: EtherNet/IP status 0x{frame.status:04x}, {reason}")
    if frame.CIP.__class__ is Malformed:
        items.ItemList.parse(octets[HEADER_OCTETS:])  # which says what is wrong
        raise RemoteProtocolError("the reply to List Identity cannot be understood", "CIP", HEADER_OCTETS)
    found = [one.data for one in frame.CIP.item if one.type_id == items.IDENTITY]
    if not found:
        raise RemoteProtocolError("the reply to List Identity has no identity", "CIP.item")
    host, port = address
    return [
        Identity(
            (host, one.port or port),
            one.vendor,
            one.device_type,
            one.product_code,
            (one.major, one.minor),
            one.status,
            one.serial,
            one.name,
            one.state,
        )
        for one in found
    ]


def missing(octets: bytes) -> int:
    """Octets that are missing at least of a reply that begins so; RemoteProtocolError if none does."""
    if len(octets) < HEADER_OCTETS:
        return HEADER_OCTETS - len(octets)
    command, length = struct.unpack_from("<HH", octets)
    if command != LIST_IDENTITY or length > MAXIMUM_LENGTH:
        raise RemoteProtocolError(f"{octets[:HEADER_OCTETS]!r} begins no reply to List Identity", "command", 0)
    return HEADER_OCTETS + int(length) - len(octets)


class Found:
    """The devices that answered a request to ``port``."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._devices: dict[Identity, None] = {}

    def take(self, octets: bytes, host: str) -> bool:
        """Whether a datagram from a host tells of a device; what does not is passed over."""
        try:
            self._devices.update(dict.fromkeys(identities(octets, (host, self._port))))
        except RemoteProtocolError:
            return False
        return True

    @property
    def devices(self) -> list[Identity]:
        """Each of them once, in the order they answered."""
        return list(self._devices)
