"""A scripted peer that opens connections: frames of SendUnitData and the Connection Manager's replies, made by hand.

Rule: as in scripted.py, nothing of the project's wire code is used.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from tests.server.enip.client.scripted import bare, frame, registered, reply, serve, service_reply

__all__ = ["TO_ID", "Target", "Unit", "unit", "unit_reply"]

#: The id that the peer chooses for a connection.
TO_ID = 0x00C0FFEE
CLOSE, OPEN, LARGE_OPEN = 0x4E, 0x54, 0x5B


class Unit(NamedTuple):
    """What a frame of SendUnitData carries."""

    to_id: int
    sequence: int
    cip: bytes


def unit(request: bytes) -> Unit:
    """The parts of a request on a connection, all of whose frame is checked."""
    assert struct.unpack_from("<H", request) == (0x70,) and request[8:24] == bytes(16)
    *head, to_id, kind, size, sequence = struct.unpack_from("<IHHHHIHHH", request, 24)
    assert head == [0, 0, 2, 0xA1, 4] and kind == 0xB1 and size == len(request) - 44
    return Unit(to_id, sequence, request[46:])


def unit_reply(from_id: int, sequence: int, cip: bytes, context: bytes = bytes(8)) -> bytes:
    """The frame of a reply on a connection."""
    head = struct.pack("<IHHHHIHHH", 0, 0, 2, 0xA1, 4, from_id, 0xB1, len(cip) + 2, sequence)
    return frame(0x70, head + cip, context)


class Target:
    """The script of a peer that opens connections and serves tags on them.

    ``refuses``: by the code of a service, the status and extended words that refuse it; ``opened``, ``closed``: the
    requests that opened and closed one; ``from_id``: as the client chose it.
    """

    def __init__(self, refuses: dict[int, tuple[int, ...]] | None = None) -> None:
        self.refuses = refuses or {}
        self.opened: list[bytes] = []
        self.closed: list[bytes] = []
        self.from_id = 0

    def __call__(self, request: bytes, number: int) -> bytes | None:
        if request[0] == 0x65:
            return registered(request)
        if request[0] == 0x66:
            return None
        if request[0] == 0x6F:
            return self.managed(request)
        return self.answer(request)

    def managed(self, request: bytes) -> bytes:
        """The reply to an unconnected request."""
        cip = bare(request)
        if cip[:6] == bytes([cip[0]]) + bytes.fromhex("0220062401"):
            return reply(request, self.manager(cip))
        return reply(request, serve(cip))

    def manager(self, cip: bytes) -> bytes:
        """The Connection Manager's reply."""
        if cip[0] in self.refuses:
            status, *extended = self.refuses[cip[0]]
            return service_reply(cip[0], b"" if status == 8 else self.triad(cip) + bytes(2), status, *extended)
        if cip[0] == CLOSE:
            self.closed.append(cip)
            return service_reply(CLOSE, cip[8:16] + bytes(2))
        self.opened.append(cip)
        (self.from_id,) = struct.unpack_from("<I", cip, 12)
        data = struct.pack("<II", TO_ID, self.from_id) + self.triad(cip) + struct.pack("<II", 2_000_000, 2_000_000)
        return service_reply(cip[0], data + bytes(2))

    @staticmethod
    def triad(cip: bytes) -> bytes:
        """Serial number, vendor and originator of an opening."""
        return cip[8:16] if cip[0] == CLOSE else cip[16:24]

    def answer(self, request: bytes) -> bytes:
        """The reply to a request on the connection."""
        asked = unit(request)
        assert asked.to_id == TO_ID
        return unit_reply(self.from_id, asked.sequence, serve(asked.cip))
