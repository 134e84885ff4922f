"""Where a Modbus message begins and ends among the octets of a stream or of a serial line.

Owns: the Modbus/TCP header, the checksum of Modbus/RTU, finding RTU frames in noise.  Rule: octets in, messages out; a
checksum that is right is never doubted, one that is wrong costs one octet and not what follows it.  Must not know:
sockets, serial ports, what a message says, pymodbus.  Sources: MODBUS messaging on TCP/IP 1.0b chapter 3.1; MODBUS
over serial line 1.02 chapter 2.5.1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from typing import NamedTuple

from cpppo.errors import RemoteProtocolError

__all__ = ["RTU_LARGEST", "Found", "Framed", "TcpFrames", "crc", "find_rtu", "rtu_frame", "tcp_frame"]

_HEADER = struct.Struct(">HHHB")
#: Unit and data unit: one octet, and 1 to 253.
_LEAST, _MOST = 2, 254
#: An RTU frame: unit, data unit of 253, checksum.
RTU_LARGEST, _RTU_LEAST = 256, 4


class Framed(NamedTuple):
    """One message of a stream: its transaction, its unit, its data unit."""

    transaction: int
    unit: int
    pdu: bytes


def tcp_frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    """A data unit with its Modbus/TCP header."""
    return _HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu


class TcpFrames:
    """Collects the octets of one Modbus/TCP connection; in whatever pieces they come."""

    def __init__(self) -> None:
        self._octets = b""

    @property
    def partial(self) -> bool:
        """Whether a message has begun and is not complete."""
        return bool(self._octets)

    def feed(self, octets: bytes) -> list[Framed]:
        """The messages that `octets` complete.  RemoteProtocolError: no Modbus/TCP; the stream cannot go on.

        Messages before the wrong octets are given first; these stay (`partial`), and the next call fails.
        """
        octets = self._octets + octets if self._octets else octets
        found: list[Framed] = []
        start, end = 0, len(octets)
        while end - start >= _HEADER.size:
            transaction, protocol, length, unit = _HEADER.unpack_from(octets, start)
            if found and (protocol or not _LEAST <= length <= _MOST):
                break
            if protocol:
                raise RemoteProtocolError(f"protocol {protocol} in a Modbus/TCP header, not 0")
            if not _LEAST <= length <= _MOST:
                raise RemoteProtocolError(f"length {length} in a Modbus/TCP header, not {_LEAST} to {_MOST}")
            after = start + 6 + length
            if after > end:
                break
            found.append(Framed(transaction, unit, octets[start + _HEADER.size : after]))
            start = after
        self._octets = octets[start:]
        return found


def _table() -> tuple[int, ...]:
    entries = []
    for entry in range(256):
        for _ in range(8):
            entry = entry >> 1 ^ 0xA001 if entry & 1 else entry >> 1
        entries.append(entry)
    return tuple(entries)


_CRC = _table()


def crc(octets: bytes) -> bytes:
    """The two octets of checksum that follow `octets` on a serial line, low octet first."""
    value = 0xFFFF
    for octet in octets:
        value = value >> 8 ^ _CRC[(value ^ octet) & 0xFF]
    return value.to_bytes(2, "little")


def rtu_frame(unit: int, pdu: bytes) -> bytes:
    """A data unit as it goes over a serial line: with its unit before and its checksum after it."""
    octets = bytes((unit,)) + pdu
    return octets + crc(octets)


class Found(NamedTuple):
    """What `find_rtu` found: `used` octets are done with; `frame` is a whole one (with checksum) or b""."""

    used: int
    frame: bytes


def find_rtu(
    octets: bytes, size_of: Callable[[bytes], int | None], units: Collection[int] | None = None, requests: bool = False
) -> Found:
    """The first frame in `octets` whose checksum is right, wherever it begins.

    `size_of` is given octets from a unit on, 2 at least: the size of the frame that would begin there, 0 where more
    octets must be seen to tell, None where none begins.  `units`: those whose frames count (None: all).  `requests`:
    look for requests, which have no exceptions among them.
    """
    end, keep = len(octets), None
    for start in range(end):
        if units is not None and octets[start] not in units:
            continue
        if end - start < 2:
            keep = start if keep is None else keep
            break
        if requests and octets[start + 1] & 0x80:
            continue
        size = size_of(octets[start:])
        if size is None or size > RTU_LARGEST:
            continue
        if not size or start + size > end:
            keep = start if keep is None else keep  # this may yet become a frame
        elif size >= _RTU_LEAST and crc(octets[start : start + size - 2]) == octets[start + size - 2 : start + size]:
            return Found(start + size, octets[start : start + size])
    return Found(end if keep is None else keep, b"")
