"""Forward Open, Forward Close and connected messages, written out by hand, and a client that uses them in memory.

Rule: as in frames.py, nothing here uses the package's own wire declarations.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from tests.server.enip.device.frames import (
    CONTEXT,
    HANDLE,
    MANAGER,
    SEND_UNIT_DATA,
    Header,
    Simulator,
    frame,
    item,
    only,
    packet,
    path,
)

FROM_ID = 0x9FDE04EF
VENDOR, ORIGINATOR = 0x1009, 0xCE5BF28C
#: A connection path: the backplane's port 1, slot 0, then the Message Router.
BY_BACKPLANE, DIRECT = bytes.fromhex("0100 2002 2401"), bytes.fromhex("2002 2401")
#: Class 3, server, application object.
EXPLICIT = 0xA3
RPI = 0x00204001


def forward_open(
    size: int = 4000,
    serial: int = 1,
    *,
    large: bool = True,
    from_id: int = FROM_ID,
    to_size: int | None = None,
    rpi: int = RPI,
    from_rpi: int | None = None,
    multiplier: int = 7,
    trigger: int = EXPLICIT,
    route: bytes = BY_BACKPLANE,
) -> bytes:
    """A (Large) Forward Open request; ``size`` is T->O, ``to_size`` O->T if that differs."""
    flags, code = (0x42000000, "<I") if large else (0x4200, "<H")
    sizes = [struct.pack(code, flags | one) for one in (size if to_size is None else to_size, size)]
    intervals = [struct.pack("<I", one) for one in (rpi, rpi if from_rpi is None else from_rpi)]
    return (
        (b"\x5b" if large else b"\x54")
        + MANAGER
        + struct.pack("<BBIIHHIB3x", 0x0A, 5, 0, from_id, serial, VENDOR, ORIGINATOR, multiplier)
        + intervals[0]
        + sizes[0]
        + intervals[1]
        + sizes[1]
        + bytes([trigger])
        + path(route)
    )


def forward_close(serial: int = 1, route: bytes = BY_BACKPLANE) -> bytes:
    """A Forward Close request."""
    words = path(route)
    triad = struct.pack("<BBHHI", 0x0A, 5, serial, VENDOR, ORIGINATOR)
    return b"\x4e" + MANAGER + triad + words[:1] + b"\0" + words[1:]


class Opened(NamedTuple):
    """The reply to a Forward Open that was granted."""

    to_id: int
    from_id: int
    serial: int
    vendor: int
    originator: int
    to_api: int
    from_api: int


def opened(reply: bytes) -> Opened:
    """The parts of a Forward Open's reply, which must be a success without application data."""
    assert reply[0] in (0xD4, 0xDB) and reply[1:4] == b"\0\0\0", reply.hex(" ")
    *parts, words, reserved = struct.unpack("<IIHHIIIBB", reply[4:])
    assert (words, reserved) == (0, 0)
    return Opened(*parts)


def refused(reply: bytes) -> tuple[list[int], int]:
    """(extended status, words of path left) of a refused Forward Open or Close, whose triad is checked."""
    assert reply[2] == 1, reply.hex(" ")
    extended = list(struct.unpack_from(f"<{reply[3]}H", reply, 4))
    _, vendor, originator, left, reserved = struct.unpack("<HHIBB", reply[4 + 2 * reply[3] :])
    assert (vendor, originator, reserved) == (VENDOR, ORIGINATOR, 0)
    return extended, left


def unit(to_id: int, sequence: int, cip: bytes, session: int = HANDLE) -> bytes:
    """A CIP request on a connection, in a SendUnitData frame."""
    items = item(0xA1, struct.pack("<I", to_id)), item(0xB1, struct.pack("<H", sequence) + cip)
    return frame(SEND_UNIT_DATA, packet(*items), session, CONTEXT)


def unit_of(header: Header) -> tuple[int, int, bytes]:
    """(connection id, sequence count, CIP reply) of a SendUnitData reply, whose packet is checked."""
    assert (header.command, header.status, header.context, header.options) == (SEND_UNIT_DATA, 0, CONTEXT, 0)
    head = struct.unpack_from("<IHHHHIHHH", header.payload)
    octets = header.payload[22:]
    assert (head[0], *head[2:5], *head[6:8]) == (0, 2, 0xA1, 4, 0xB1, len(octets) + 2)
    return head[5], head[8], octets


class Client:
    """An open connection to a simulator in memory."""

    def __init__(self, simulator: Simulator, size: int = 4000, serial: int = 1, *, large: bool = True) -> None:
        self.simulator = simulator
        self.to_id = opened(simulator.cip(forward_open(size, serial, large=large))).to_id
        self.sequence = 0

    def cip(self, request: bytes) -> bytes:
        """The CIP reply to a CIP request, over the connection."""
        self.sequence += 1
        found = unit_of(only(self.simulator.send(unit(self.to_id, self.sequence, request))))
        assert found[:2] == (FROM_ID, self.sequence)
        return found[2]
