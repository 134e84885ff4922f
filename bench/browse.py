"""Browsing and connected messages: what opening costs a client of another maker, and reads over a connection.

Owns: these rows.  Rule: the client is pycomm3 as published, with its default settings; a page is one reply to its
questions for symbols, counted where they are asked.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from typing import Any

from bench.load import Client, Server, running
from bench.measure import Row, microseconds, progress
from bench.messages import read_request
from bench.server import MODULE, REQUESTS, TAG, costs, on_one_core, reads

__all__ = ["rows"]

#: Tags of the small and the large controller; how much more a page of the large one may take.
FEW, MANY, STEEPER = 300, 3000, 1.5
#: Tags of the largest, and seconds it may take to open.
MOST, SECONDS = 20_000, 5.0
#: Times each is opened; the best counts.
OPENED = 5
#: A read over a connection against one without.
CONNECTED = 1.0

#: Forward Open of class 3, 500 octets, to the Message Router over the backplane; as pycomm3 sends it.
_OPEN = bytes.fromhex(
    "54 022006 2401 0a05 00000000 ef04de9f 2704 0910 8cf25bce 07 000000 01402000 f443 01402000 f443 a3 03"
)
_OPEN += bytes.fromhex("0100 2002 2401")
#: Where the service stands in a SendUnitData frame, and that which lists symbols.
_SERVICE, _LIST = 46, 0x55


def rows() -> Iterator[Row]:
    """All rows about browsing and connections."""
    with on_one_core(), running(MODULE, "-a", "127.0.0.1:0", TAG) as server:
        progress("connected reads")
        yield _connected(server)
    progress(f"pycomm3 opens {FEW} and {MANY} tags")
    few, many = _opening(FEW), _opening(MANY)
    name = f"pycomm3 opens, per page of symbols, {MANY:,} tags against {FEW}"
    yield Row(name, microseconds(many), microseconds(few), many / few, STEEPER)
    progress(f"pycomm3 opens {MOST} tags")
    whole = _opening(MOST, per_page=False)
    yield Row(f"pycomm3 opens {MOST:,} tags", f"{whole:.2f} s", f"limit {SECONDS} s", whole / SECONDS, 1.0)


def _connected(server: Server) -> Row:
    client, other = Client(server.port), Client(server.port)
    to_id = _forward_open(client)
    frames = [_unit(to_id, number % 0xFFFF, octets) for number, octets in enumerate(_requests())]
    unconnected = other.blocks(reads(100) * (REQUESTS // 100), 1)
    mine, theirs = costs((server, client, client.blocks(frames, 1)), (server, other, unconnected))
    client.close()
    other.close()
    name = "server CPU a single read over a connection, against one without"
    return Row(name, microseconds(mine / len(frames)), microseconds(theirs / len(frames)), mine / theirs, CONNECTED)


def _requests() -> list[bytes]:
    """Read Tag Fragmented requests, the same as those that are sent unconnected."""
    found = []
    for element in range(100):
        request = read_request().CIP.item[1].data.data.request
        request.path = type(request.path).of([{"symbolic": "SCADA"}, {"element": element}])
        found.append(request.produce())
    return found * (REQUESTS // 100)


def _frame(command: int, *items: tuple[int, bytes]) -> bytes:
    """A frame with items, its session still to be filled in."""
    packet = struct.pack("<IHH", 0, 5, len(items))
    packet += b"".join(struct.pack("<HH", kind, len(data)) + data for kind, data in items)
    return struct.pack("<HHII8sI", command, len(packet), 0, 0, bytes(8), 0) + packet


def _forward_open(client: Client) -> int:
    reply = client.ask(client.own(_frame(0x6F, (0, b""), (0xB2, _OPEN))))
    if reply[42]:
        raise RuntimeError(f"Forward Open is refused: {reply[40:].hex(' ')}")
    return int.from_bytes(reply[44:48], "little")


def _unit(to_id: int, sequence: int, request: bytes) -> bytes:
    """A request on a connection; counts that follow each other differ, or nothing would be done."""
    return _frame(0x70, (0xA1, struct.pack("<I", to_id)), (0xB1, struct.pack("<H", sequence) + request))


def _opening(tags: int, per_page: bool = True) -> float:
    """Seconds that pycomm3 takes to open a controller with so many tags, for each page of symbols if so wanted."""
    counting = _counting()
    names = "\n".join(f"Tag_{number}=DINT" for number in range(tags)) + "\n"
    best = float("inf")
    with running(MODULE, "-a", "127.0.0.1:0", "--identity", "1756-L83E", "-", stdin=names) as server:
        for _ in range(OPENED):
            driver = counting(f"127.0.0.1:{server.port}")
            begun = time.perf_counter()
            driver.open()
            taken = time.perf_counter() - begun
            if len(driver.tags) != tags:
                raise RuntimeError(f"pycomm3 found {len(driver.tags)} of {tags} tags")
            best = min(best, taken / driver.pages if per_page else taken)
            driver.close()
    return best


def _counting() -> Any:
    """pycomm3's driver, which counts the pages of symbols it asks for; imported by who measures it alone."""
    from pycomm3 import LogixDriver

    class Counting(LogixDriver):  # type: ignore[misc]
        pages = 0

        def _send(self, message: bytes) -> Any:
            self.pages += message[:1] == b"\x70" and message[_SERVICE] == _LIST
            return super()._send(message)

    return Counting
