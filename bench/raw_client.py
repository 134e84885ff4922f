"""Hand-written ``struct`` clients of tags, one with a socket and one for asyncio: what a careful engineer writes.

Owns: RegisterSession, Read Tag and Read Tag Fragmented in SendRRData and Unconnected Send, Multiple Service Packets.
Rule: for INT tags alone: no records, no layers; every status, length and context is checked.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator, Iterator, Sequence
from struct import Struct, pack, unpack, unpack_from

__all__ = ["RawClient", "RawProtocol", "fragments", "packets"]

HEADER = Struct("<HHII8sI")
#: Interface, time-out, item count, null item, head of the data item.
ITEMS = Struct("<IHHHHHH")
#: Unconnected Send to the Connection Manager: service, path, priority, ticks, octets of the request.
WRAPPED = Struct("<BB4sBBH")
ROUTE = bytes((1, 0, 1, 0))
INT = 0xC3
#: Octets of a packet of several requests, and of its reply; of each there.
PACKET, HEAD = 500, 2
TIMEOUT_S = 10.0


def _path(name: str, element: int | None) -> bytes:
    text = name.encode("iso-8859-1")
    path = pack("BB", 0x91, len(text)) + text + (b"\0" if len(text) % 2 else b"")
    if element is not None:
        path += pack("BB", 0x28, element) if element < 0x100 else pack("<BBH", 0x29, 0, element)
    return path


def _read(name: str, element: int | None, count: int) -> bytes:
    path = _path(name, element)
    return pack("BB", 0x4C, len(path) // 2) + path + pack("<H", count)


def _values(reply: bytes, service: int, count: int) -> tuple[int, ...]:
    """The values of a reply to a read; of a part, those there are."""
    code, _, status, words = unpack_from("<BBBB", reply)
    if code != service | 0x80 or status not in (0, 6):
        raise RuntimeError(f"status {status}")
    at = 4 + 2 * words
    (kind,) = unpack_from("<H", reply, at)
    data = reply[at + 2 :]
    if kind != INT or len(data) % 2 or (not status and len(data) != 2 * count):
        raise RuntimeError(f"{len(data)} octets of type {kind}")
    return unpack(f"<{len(data) // 2}h", data)


def packets(names: Sequence[str]) -> Iterator[tuple[list[str], bytes]]:
    """(names, request) of the packets that read one element of each tag."""
    chosen: list[str] = []
    requests: list[bytes] = []
    size = answer = HEAD
    for name in names:
        one = _read(name, None, 1)
        if chosen and (size + len(one) + 2 > PACKET or answer + 10 > PACKET):
            yield chosen, _packed(requests)
            chosen, requests, size, answer = [], [], HEAD, HEAD
        chosen.append(name)
        requests.append(one)
        size += len(one) + 2
        answer += 10
    if chosen:
        yield chosen, _packed(requests)


def _packed(requests: Sequence[bytes]) -> bytes:
    offsets, at = [], 2 + 2 * len(requests)
    for one in requests:
        offsets.append(at)
        at += len(one)
    head = bytes((0x0A, 2, 0x20, 2, 0x24, 1))
    return head + pack(f"<H{len(offsets)}H", len(offsets), *offsets) + b"".join(requests)


def _unpacked(reply: bytes, count: int) -> list[int]:
    """The one value of each member of a packet."""
    if reply[0] != 0x8A or reply[2] or unpack_from("<H", reply, 4) != (count,):
        raise RuntimeError(f"status {reply[2]} of a packet")
    offsets = unpack_from(f"<{count}H", reply, 6)
    found = []
    for start, end in zip(offsets, [*offsets[1:], len(reply) - 4], strict=True):
        found.append(_values(reply[4 + start : 4 + end], 0x4C, 1)[0])
    return found


def fragments(name: str, count: int) -> Generator[bytes, int, None]:
    """Read Tag Fragmented requests; the next is for the octets that follow those sent, ``send(number)``."""
    path, offset = _path(name, 0), 0
    while offset < 2 * count:
        request = pack("BB", 0x52, len(path) // 2) + path + pack("<HI", count, offset)
        offset += yield request


class _Frames:
    """Frames of one session."""

    session = 0
    number = 0

    def register(self) -> bytes:
        return HEADER.pack(0x65, 4, 0, 0, bytes(8), 0) + pack("<HH", 1, 0)

    def frame(self, request: bytes) -> bytes:
        """A request in SendRRData, over the backplane to slot 0."""
        self.number += 1
        size = len(request)
        pad = b"\0" if size % 2 else b""
        wrapped = WRAPPED.pack(0x52, 2, b"\x20\x06\x24\x01", 5, 157, size) + request + pad + ROUTE
        items = ITEMS.pack(0, 0, 2, 0, 0, 0xB2, len(wrapped))
        context = self.number.to_bytes(8, "little")
        return HEADER.pack(0x6F, len(items) + len(wrapped), self.session, 0, context, 0) + items + wrapped

    def reply(self, octets: bytes) -> bytes:
        """The CIP reply in a frame."""
        command, length, session, status, context, _ = HEADER.unpack_from(octets)
        if command != 0x6F or status or session != self.session or context != self.number.to_bytes(8, "little"):
            raise RuntimeError(f"status {status} of a frame")
        _, _, count, _, none, kind, size = ITEMS.unpack_from(octets, 24)
        if count != 2 or none or kind != 0xB2 or size + 40 != len(octets) or length + 24 != len(octets):
            raise RuntimeError("a frame of another form")
        return octets[40:]


class RawClient(_Frames):
    """The client with a socket."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        (self.session,) = unpack_from("<I", self._ask(self.register()), 4)

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def read(self, name: str, element: int) -> int:
        """One element."""
        return _values(self.reply(self._ask(self.frame(_read(name, element, 1)))), 0x4C, 1)[0]

    def read_many(self, names: Sequence[str]) -> list[int]:
        """One element of each tag."""
        found = []
        for chosen, request in packets(names):
            found += _unpacked(self.reply(self._ask(self.frame(request))), len(chosen))
        return found

    def read_array(self, name: str, count: int) -> list[int]:
        """All elements of an array."""
        found: list[int] = []
        asking = fragments(name, count)
        request = next(asking, None)
        while request is not None:
            part = _values(self.reply(self._ask(self.frame(request))), 0x52, count - len(found))
            found += part
            try:
                request = asking.send(2 * len(part))
            except StopIteration:
                request = None
        return found

    def _ask(self, frame: bytes) -> bytes:
        self.socket.sendall(frame)
        octets = self.socket.recv(65536)
        while len(octets) < 24 or len(octets) < 24 + unpack_from("<H", octets, 2)[0]:
            more = self.socket.recv(65536)
            if not more:
                raise RuntimeError("the server closed the connection")
            octets += more
        return octets


class RawProtocol(_Frames, asyncio.Protocol):
    """The client for asyncio; one request at a time."""

    def __init__(self) -> None:
        self.octets = b""
        self.transport: asyncio.Transport | None = None
        self.waiting: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.octets += data
        if len(self.octets) >= 24 and len(self.octets) >= 24 + unpack_from("<H", self.octets, 2)[0]:
            octets, self.octets = self.octets, b""
            if self.waiting is not None:
                self.waiting.set_result(octets)

    async def ask(self, frame: bytes) -> bytes:
        """The frame that answers one."""
        assert self.transport is not None
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(frame)
        return await asyncio.wait_for(self.waiting, TIMEOUT_S)

    async def open(self) -> None:
        """Register a session."""
        (self.session,) = unpack_from("<I", await self.ask(self.register()), 4)

    async def read(self, name: str, element: int) -> int:
        """One element."""
        return _values(self.reply(await self.ask(self.frame(_read(name, element, 1)))), 0x4C, 1)[0]
