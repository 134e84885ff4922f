"""A hand-written ``struct`` server of tags: ``python -m bench.struct_server`` serves SCADA=INT[1000].

Owns: RegisterSession, and SendRRData with a Multiple Service Packet of Read Tag requests for symbolic names, which is
all it can do.  Rule: what a careful engineer writes for that alone: no records, no layers, every length checked.
"""

from __future__ import annotations

import socket
from struct import Struct, pack, unpack_from

from bench.threads import serve

__all__ = ["answer", "main"]

HEADER = Struct("<HHII8sI")
#: Header, interface, time-out, item count, null item, head of the data item.
ITEMS = Struct("<HHII8sIIHHHHHH")
WORD = Struct("<H")
#: Service, reserved octet, status, number of extended status words, type of the data.
DATA = Struct("<BBBBH")
NO_SUCH_TAG = bytes((0xCC, 0, 0x04, 1, 0, 0))
TOO_SHORT = bytes((0xCC, 0, 0x13, 0))
BEYOND_END = bytes((0xCC, 0, 0xFF, 1, 0x05, 0x21))
INT = 0xC3

#: Name -> type code, octets of an element, packed values.
TAGS: dict[str, tuple[int, int, bytearray]] = {"scada": (INT, 2, bytearray(2000))}
SESSION = 1


def answer(octets: bytes) -> bytes:
    """The reply to one whole frame."""
    command, _, session, _, context, _ = HEADER.unpack_from(octets)
    if command == 0x65:
        return HEADER.pack(command, 4, SESSION, 0, context, 0) + octets[24:28]
    total = len(octets)
    if command != 0x6F or session != SESSION or total < 44:
        return HEADER.pack(command, 0, session, 1, context, 0)
    _, _, _, _, _, _, interface, _, count, null, none, kind, size = ITEMS.unpack_from(octets)
    base = 42 + 2 * octets[41]
    if count != 2 or null or none or kind != 0xB2 or size + 40 != total or octets[40] != 0x0A or base + 2 > total:
        return HEADER.pack(command, 0, session, 3, context, 0)
    if octets[42:base] != b"\x20\x02\x24\x01":
        return HEADER.pack(command, 0, session, 3, context, 0)
    number = octets[base] | octets[base + 1] << 8
    at = 2 + 2 * number
    if base + at > total:
        return HEADER.pack(command, 0, session, 3, context, 0)
    starts = unpack_from(f"<{number}H", octets, base + 2)
    replies = []
    offsets = []
    for start in starts:
        reply = _read(octets, base + start, total)
        replies.append(reply)
        offsets.append(at)
        at += len(reply)
    head = ITEMS.pack(command, at + 20, session, 0, context, 0, interface, 0, 2, 0, 0, 0xB2, at + 4)
    return b"".join((head, b"\x8a\0\0\0", pack(f"<H{number}H", number, *offsets), *replies))


def _read(o: bytes, p: int, end: int) -> bytes:
    """The reply to the Read Tag request at p."""
    if p + 2 > end or o[p] != 0x4C:
        return TOO_SHORT
    stop = p + 2 + 2 * o[p + 1]
    if stop + 2 > end or o[p + 2] != 0x91:
        return TOO_SHORT
    size = o[p + 3]
    p += 4
    tag = TAGS.get(o[p : p + size].decode("iso-8859-1").lower())
    if tag is None:
        return NO_SUCH_TAG
    p += size + (size & 1)
    first = 0
    if p < stop:
        if o[p] == 0x28 and p + 2 == stop:
            first = o[p + 1]
        elif o[p] == 0x29 and p + 4 == stop:
            (first,) = WORD.unpack_from(o, p + 2)
        else:
            return NO_SUCH_TAG
    elif p > stop:
        return TOO_SHORT
    (elements,) = WORD.unpack_from(o, stop)
    kind, width, values = tag
    start = first * width
    last = start + elements * width
    if not elements or last > len(values):
        return BEYOND_END
    return DATA.pack(0xCC, 0, 0, 0, kind) + values[start:last]


def _talk(connection: socket.socket) -> None:
    buffered = b""
    while data := connection.recv(65536):
        buffered += data
        replies = []
        while len(buffered) >= 24:
            size = 24 + (buffered[2] | buffered[3] << 8)
            if len(buffered) < size:
                break
            replies.append(answer(buffered[:size]))
            buffered = buffered[size:]
        if replies:
            connection.sendall(b"".join(replies))


def main() -> None:
    """Serve until killed."""
    serve(_talk)


if __name__ == "__main__":
    main()
