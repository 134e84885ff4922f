"""The List commands: who a device is and what it offers, told to whoever asks, in a session or in a datagram.

Owns: what each is answered, and which datagrams are answered at all.
Rule: sans-I/O: datagram in, datagram out; over UDP what is not a List command, whole and alone, is passed over in
silence, for nobody there waits for an error.  Must not know sessions.
"""

from __future__ import annotations

from collections.abc import Callable

from cpppo.grammar import framer
from cpppo.server.enip.device.router import Device
from cpppo.server.enip.wire import header, items
from cpppo.server.enip.wire.header import HEADER_OCTETS, VERSION, ReplyFrame, RequestFrame

__all__ = ["LISTS", "Discovery", "Where"]

#: Gives the (IPv4 address as an int, port) that List Identity shows, if it is asked for.
Where = Callable[[], tuple[int, int]]

#: The capability of List Services: CIP over TCP.
_TCP = 0x20


def _services(device: Device, where: Where) -> items.ItemList:
    services = items.ServicesItem(VERSION, _TCP, "Communications\0\0")
    return items.ItemList([items.ReplyItem(items.SERVICES, services)])


def _interfaces(device: Device, where: Where) -> items.ItemList:
    return items.ItemList([])


def _identity(device: Device, where: Where) -> items.ItemList:
    who = device.identity.data
    ip, port = where()
    identity = items.Identity(
        version=VERSION,
        family=2,
        port=port,
        address=ip,
        vendor=who.vendor,
        device_type=who.device_type,
        product_code=who.product_code,
        major=who.major,
        minor=who.minor,
        status=who.status,
        serial=who.serial,
        name=who.product_name,
        state=who.state,
    )
    return items.ItemList([items.ReplyItem(items.IDENTITY, identity)])


#: What each List command is answered by a device, by its code.
LISTS: dict[int, Callable[[Device, Where], items.ItemList]] = {
    header.LIST_SERVICES: _services,
    header.LIST_IDENTITY: _identity,
    header.LIST_INTERFACES: _interfaces,
}


class Discovery:
    """Answers datagrams for ``device``."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._size = framer(RequestFrame)
        self._parse = RequestFrame.parser()
        self._produce = ReplyFrame.producer()

    def answer(self, octets: bytes, where: Where) -> bytes:
        """The datagram that answers one; empty where none does."""
        # A List command is a header alone; a reply of one never is, so that two servers cannot be set upon each other.
        if len(octets) != HEADER_OCTETS or self._size(octets, 0) != HEADER_OCTETS:
            return b""
        frame = self._parse(octets, 0, HEADER_OCTETS)
        listed = LISTS.get(frame.command)
        if listed is None or frame.options:
            return b""
        payload = listed(self.device, where)
        reply: bytes = self._produce(ReplyFrame(frame.command, frame.session, 0, frame.context, 0, payload))
        return reply
