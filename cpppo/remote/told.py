"""Requests and what became of them, for the log of a simulated device.

Owns: their texts.  Rule: pure; whatever the octets, there is a text.  Must not know: who asked, who answered.
"""

from __future__ import annotations

import struct

from cpppo.remote.ranges import TABLES, Table, spelled

__all__ = ["changes", "exchange_told"]


def changes(reply: bytes, request: bytes) -> bool:
    """Whether a request is worth more notice than a read that was answered: it was refused, or writes."""
    return bool(reply[:1] > b"\x7f") or all(request[0] != table.read for table in TABLES)


def exchange_told(request: bytes, reply: bytes) -> str:
    """``reads 40001-40003``, ``writes 40001: exception 3``, of data units; of a reply that is not there, no word."""
    told = _request(request)
    return f"{told}: exception {reply[1]}" if len(reply) == 2 and reply[0] & 0x80 else told


def _request(pdu: bytes) -> str:
    for table in TABLES:
        if len(pdu) >= 5 and pdu[0] in (table.read, table.write, table.write_several):
            offset, count = struct.unpack_from(">HH", pdu, 1)
            count = 1 if pdu[0] == table.write else count
            return f"{'reads' if pdu[0] == table.read else 'writes'} {_addresses(table, offset, count)}"
    return f"function {pdu[0]}, {len(pdu)} octets"


def _addresses(table: Table, offset: int, count: int) -> str:
    for first, last in table.spans:
        if 0 < count and first + offset + count - 1 <= last:
            return spelled(first + offset, count)
    return f"{count} {table.name}s from protocol address {offset}"  # which no notation can say
