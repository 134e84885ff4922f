"""Frames and CIP requests written out by hand with `struct`, and a simulator that answers them in memory.

Rule: nothing here uses the package's own wire declarations, so that a mistake in them shows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.session import Session
from cpppo.server.enip.wire.types import BOOL, DINT, INT, LINT, LREAL, REAL, SINT, TYPES, UDINT

HANDLE = 0x11223344
CONTEXT = b"contexts"
ADDRESS = (0x7F000001, 44818)

NOP, LIST_SERVICES, LIST_IDENTITY, LIST_INTERFACES = 0x00, 0x04, 0x63, 0x64
REGISTER, UNREGISTER, SEND_RR_DATA, SEND_UNIT_DATA = 0x65, 0x66, 0x6F, 0x70

MANAGER = bytes.fromhex("02 20 06 24 01")
ROUTER = bytes.fromhex("02 20 02 24 01")
BACKPLANE = bytes.fromhex("01 00 01 00")


class Header(NamedTuple):
    """An encapsulation header, and the payload after it."""

    command: int
    length: int
    session: int
    status: int
    context: bytes
    options: int
    payload: bytes


def frame(
    command: int,
    payload: bytes = b"",
    session: int = 0,
    context: bytes = CONTEXT,
    status: int = 0,
    options: int = 0,
    length: int | None = None,
) -> bytes:
    """A frame; `length` lies about that of the payload."""
    size = len(payload) if length is None else length
    return struct.pack("<HHII8sI", command, size, session, status, context, options) + payload


def frames(octets: bytes) -> Iterator[Header]:
    """The frames in octets, which must be whole."""
    at = 0
    while at < len(octets):
        head = struct.unpack_from("<HHII8sI", octets, at)
        end = at + 24 + head[1]
        assert end <= len(octets), f"{len(octets)} octets end within the frame at {at}"
        yield Header(*head, octets[at + 24 : end])
        at = end


def only(octets: bytes) -> Header:
    """The one frame in octets."""
    (one,) = frames(octets)
    return one


def register(version: int = 1, options: int = 0, session: int = 0) -> bytes:
    """A RegisterSession frame."""
    return frame(REGISTER, struct.pack("<HH", version, options), session)


def item(kind: int, data: bytes = b"", length: int | None = None) -> bytes:
    """A CPF item."""
    return struct.pack("<HH", kind, len(data) if length is None else length) + data


def packet(*items: bytes, count: int | None = None, interface: int = 0, timeout: int = 5) -> bytes:
    """The payload of SendRRData and SendUnitData."""
    return struct.pack("<IHH", interface, timeout, len(items) if count is None else count) + b"".join(items)


def rr(cip: bytes, session: int = HANDLE, context: bytes = CONTEXT) -> bytes:
    """A CIP request in a SendRRData frame."""
    return frame(SEND_RR_DATA, packet(item(0x00), item(0xB2, cip)), session, context)


def cip_of(header: Header) -> bytes:
    """The CIP reply in a SendRRData reply, whose packet is checked."""
    assert (header.command, header.status, header.options) == (SEND_RR_DATA, 0, 0), header
    head = struct.unpack_from("<IHHHHHH", header.payload)
    octets = header.payload[16:]
    assert head[1:] == (0, 2, 0x00, 0, 0xB2, len(octets)), header
    return octets


def path(octets: bytes) -> bytes:
    """A path with its size in words."""
    assert len(octets) % 2 == 0
    return bytes([len(octets) // 2]) + octets


def symbol(name: str, *elements: int) -> bytes:
    """The path to a tag, or to an element of it."""
    text = name.encode("iso-8859-1")
    octets = bytes([0x91, len(text)]) + text + bytes(len(text) % 2)
    for one in elements:
        octets += struct.pack("<BB", 0x28, one) if one < 0x100 else struct.pack("<BxH", 0x29, one)
    return path(octets)


def numbers(class_id: int, instance: int | None = None, attribute: int | None = None) -> bytes:
    """The path to an object or to an attribute of it, in the narrowest encoding."""
    octets = b""
    for base, value in ((0x20, class_id), (0x24, instance), (0x30, attribute)):
        if value is not None:
            octets += struct.pack("<BB", base, value) if value < 0x100 else struct.pack("<BxH", base + 1, value)
    return path(octets)


def read(where: bytes, elements: int = 1) -> bytes:
    """Read Tag."""
    return b"\x4c" + where + struct.pack("<H", elements)


def read_fragmented(where: bytes, elements: int, offset: int = 0) -> bytes:
    """Read Tag Fragmented."""
    return b"\x52" + where + struct.pack("<HI", elements, offset)


def write(where: bytes, kind: int, elements: int, data: bytes) -> bytes:
    """Write Tag."""
    return b"\x4d" + where + struct.pack("<HH", kind, elements) + data


def write_fragmented(where: bytes, kind: int, elements: int, offset: int, data: bytes) -> bytes:
    """Write Tag Fragmented."""
    return b"\x53" + where + struct.pack("<HHI", kind, elements, offset) + data


def modify(where: bytes, size: int, ones: bytes, keep: bytes) -> bytes:
    """Read Modify Write Tag."""
    return b"\x4e" + where + struct.pack("<H", size) + ones + keep


def multiple(*members: bytes) -> bytes:
    """Multiple Service Packet."""
    table, at = b"", 2 + 2 * len(members)
    for one in members:
        table += struct.pack("<H", at)
        at += len(one)
    return b"\x0a" + ROUTER + struct.pack("<H", len(members)) + table + b"".join(members)


def members(reply: bytes) -> list[bytes]:
    """The members of a Multiple Service Packet's reply, whose offsets are checked."""
    (count,) = struct.unpack_from("<H", reply, 4)
    starts = list(struct.unpack_from(f"<{count}H", reply, 6))
    assert not starts or starts[0] == 2 + 2 * count
    assert starts == sorted(starts)
    ends = [*starts[1:], len(reply) - 4]
    return [reply[4 + start : 4 + end] for start, end in zip(starts, ends, strict=True)]


def unconnected(embedded: bytes, route: bytes = BACKPLANE) -> bytes:
    """Unconnected Send; `route` with its size in words and reserved octet."""
    return b"\x52" + MANAGER + struct.pack("<BBH", 5, 157, len(embedded)) + embedded + bytes(len(embedded) % 2) + route


def shown(value: Any) -> str | None:
    """The id of a test's parameter, if it is octets."""
    return value.hex()[:32] if isinstance(value, bytes) else None


#: The tags of the simulator: (name, type, default).
TAGS: tuple[tuple[str, Any, Any], ...] = (
    ("SCADA", INT, [0] * 1000),
    ("Flag", BOOL, False),
    ("Small", SINT, -1),
    ("Word", INT, 7),
    ("Wide", DINT, [1, 2, 3]),
    ("Long", LINT, 0),
    ("Level", REAL, 1.5),
    ("Fine", LREAL, [0.25, 0.5]),
    ("Bits", UDINT, 0xF0F0F0F0),
)


def device(tags: Iterable[tuple[str, Any, Any]] = TAGS) -> Device:
    """A device with tags."""
    one = Device()
    for name, kind, default in tags:
        one.add_tag(Attribute(name, kind, default))
    return one


def every_type() -> Device:
    """A device with a vector of three of every type, named after it."""
    return device((name, kind, [kind.unpack(bytes(kind.size))] * 3) for name, kind in TYPES.items())


class Simulator:
    """A device and a registered session with it; keeps the conversation."""

    def __init__(self, of: Device | None = None) -> None:
        self.device = device() if of is None else of
        self.session = Session(self.device, HANDLE, ADDRESS, "peer:1")
        self.spoken: list[tuple[str, bytes]] = []
        self.send(register())

    def send(self, octets: bytes) -> bytes:
        """What the session answers."""
        reply = self.session.receive(octets)
        self.spoken += [("C2S", octets), ("S2C", reply)]
        return reply

    def cip(self, request: bytes) -> bytes:
        """The CIP reply to a CIP request; the session must go on."""
        reply = cip_of(only(self.send(rr(request))))
        assert not self.session.closed
        return reply

    def alive(self) -> bool:
        """Whether the session still answers a read."""
        return self.cip(read(numbers(1, 1))) == bytes.fromhex("cc 00 08 00")
