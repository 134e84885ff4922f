"""What one client of a long run does: reads, writes, packets, mistakes on purpose, and bad manners.

Owns: the kinds of operations, and what may be read after them.  Rule: of most tags a client has elements of its own,
and knows what is in them.  Whatever is not as it must be is kept as a fault, and the client goes on.  Must not know
processes, nor how long the run is.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from bench.load import TIMEOUT_S, Client
from bench.soak_tags import AREAS, GRID, LEVELS, UNIFORM, Area, Wrong, drawn, level, succeeded, uniform
from cpppo.server.enip.client import Result, connector
from cpppo.server.enip.client.exchange import Exchange
from cpppo.server.enip.client.operations import prepare
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.header import HEADER_OCTETS, SEND_RR_DATA
from cpppo.server.enip.wire.strings import SSTRING, STRING, ShortString
from cpppo.server.enip.wire.types import DINT, DWORD, INT, REAL, unpack

__all__ = ["KINDS", "REFUSALS", "Member"]

#: Faults after which a client gives up.
MOST_FAULTS = 10
#: Octets of data that go in one reply or request, and in a member of a packet.
ROOM, MEMBER_ROOM = 480, 90
#: Octets of a Multiple Service Packet, its members, and requests in flight.
PACKET, MEMBERS, DEPTH = 3000, 12, 20
#: What a client writes when it leaves without a word: numbers from its own range.
RANGE = 10_000_000


_BEYOND, _TYPE = ((status.LOGIX, list(extended)) for extended in (status.BEYOND_END, status.TYPE_MISMATCH))
_UNKNOWN = (status.PATH_SEGMENT_ERROR, list(status.NO_SUCH_SYMBOL))


class Ask(NamedTuple):
    """An operation, and what its result must be: ``check`` raises Wrong if it is not."""

    kind: str
    operation: dict[str, Any]
    check: Callable[[Result], None]


class Member:
    """Client ``number`` of ``clients``; all it does follows from ``seed``.  ``run`` until ``stop`` is set.

    ``done``: operations; ``expected``, ``seen``: errors it asked for, and got; ``faults``: (kind, what was wrong).
    """

    def __init__(self, number: int, clients: int, port: int, seed: int, stop: threading.Event) -> None:
        self.number, self.clients, self.port, self.stop = number, clients, port, stop
        self.chance = random.Random(f"{seed} {number}")
        self.done: Counter[str] = Counter()
        self.expected: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.faults: list[tuple[str, str]] = []
        self._connection: connector | None = None
        self._model = {area.tag: unpack(area.kind, bytes(area.own * area.kind.size)) for area in AREAS}
        self._grid = [[0] * GRID[1] for _ in range(GRID[0])]
        self._scratched = 0

    # -- the run

    def run(self) -> None:
        """Do one thing after the other, and look at all that is its own in the end."""
        names, weights = list(KINDS), [weight for weight, _ in KINDS.values()]
        while not self.stop.is_set() and len(self.faults) < MOST_FAULTS:
            kind = self.chance.choices(names, weights)[0]
            self._attempt(kind, KINDS[kind][1])
        self._attempt("last look", Member._last_look)
        self._leave()

    def _attempt(self, kind: str, action: Callable[[Member], None]) -> None:
        try:
            action(self)
            self.done[kind] += 1
        except Exception as exc:  # whatever it is, it is what the run looks for
            self.faults.append((kind, f"{type(exc).__name__}: {exc}"))
            self._leave()

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _line(self) -> connector:
        if self._connection is None:
            self._connection = connector("127.0.0.1", self.port, timeout=TIMEOUT_S)
        return self._connection

    def _results(self, asks: list[Ask], **how: Any) -> None:
        """Ask, and check all results, each in the light of those before it."""
        results = list(self._line().operate((ask.operation for ask in asks), **how))
        if len(results) != len(asks):
            raise Wrong(f"{len(results)} results of {len(asks)} operations")
        for ask, result in zip(asks, results, strict=True):
            ask.check(result)
            if ask.kind in REFUSALS:
                self.seen[ask.kind] += 1

    # -- what it knows

    def remember(self, area: Area, first: int, values: list[Any]) -> None:
        """Elements of its own, from ``first`` on, have been written."""
        self._model[area.tag][first : first + len(values)] = values

    def _held(self, area: Area, first: int, values: Any) -> None:
        """Elements of its own were read."""
        wanted = self._model[area.tag][first : first + len(values)]
        if values != wanted:
            raise Wrong(f"{self._place(area, first)} is {values!r}, not {wanted!r}")

    def _place(self, area: Area, first: int) -> str:
        return f"{area.tag}[{self.number * area.own + first}]"

    def _stretch(self, area: Area, room: int) -> tuple[int, int]:
        """(first, count) of elements of its own, in no more octets than ``room``."""
        first = self.chance.randrange(area.own)
        return first, self.chance.randint(1, max(1, min(area.own - first, room // area.kind.size)))

    # -- single operations

    def _read(self, room: int = ROOM) -> Ask:
        """Of elements of its own."""
        area = self.chance.choice(AREAS)
        first, count = self._stretch(area, room)

        def check(result: Result) -> None:
            succeeded(result)
            if len(result.val) != count:
                raise Wrong(f"{len(result.val)} elements of {self._place(area, first)} instead of {count}")
            self._held(area, first, result.val)

        return Ask("read", {"path": self._place(area, first), "elements": count, "offset": None}, check)

    def _write(self, room: int = ROOM) -> Ask:
        """Of elements of its own."""
        area = self.chance.choice(AREAS)
        first, count = self._stretch(area, room)
        values = drawn(self.chance, area.kind, count)

        def check(result: Result) -> None:
            succeeded(result)
            self.remember(area, first, values)

        operation = {"path": self._place(area, first), "data": values, "tag_type": area.kind, "offset": None}
        return Ask("write", operation, check)

    def _refused(self) -> Ask:
        """A mistake, and the status that answers it."""
        kind = self.chance.choice(REFUSALS)
        area = self.chance.choice(AREAS)
        operation: dict[str, Any]
        if kind == "unknown tag":
            operation, wanted = {"path": f"{area.tag}_{self.chance.randrange(100)}"}, _UNKNOWN
        elif kind == "beyond the end":
            count = self.clients * area.own
            operation, wanted = {"path": f"{area.tag}[{count - 1}]", "elements": 2}, _BEYOND
        else:
            wrong, value = (REAL, 1.5) if area.kind in (DWORD, STRING, SSTRING) else (STRING, "text")
            operation, wanted = {"path": self._place(area, 0), "data": [value], "tag_type": wrong}, _TYPE

        def check(result: Result) -> None:
            if result.sts != wanted:
                raise Wrong(f"{kind}: status {result.sts} answers {operation}, not {wanted}")

        self.expected[kind] += 1
        return Ask(kind, {**operation, "offset": None}, check)

    def _one(self, make: Callable[[Member], Ask]) -> None:
        self._results([make(self)])

    def _several(self, **how: Any) -> None:
        names = self.chance.choices(("read", "write", "mistake"), (5, 4, 1), k=MEMBERS)
        makes = {"read": self._read, "write": self._write}
        self._results([makes[name](MEMBER_ROOM) if name in makes else self._refused() for name in names], **how)

    def _packet(self) -> None:
        self._several(multiple=PACKET)

    def _pipeline(self) -> None:
        self._several(depth=self.chance.randint(1, DEPTH))

    def _plane(self) -> None:
        """Write one element of its plane of the Grid, and read the row."""
        row, column = (self.chance.randrange(size) for size in GRID)
        value = self.chance.randrange(2**31)
        line = self._line()
        written, read = line.operate(
            [
                {"path": f"Grid[{self.number},{row},{column}]", "data": [value], "tag_type": DINT},
                {"path": f"Grid[{self.number},{row},0]", "elements": GRID[1]},
            ]
        )
        succeeded(written)
        self._grid[row][column] = value
        succeeded(read)
        if read.val != self._grid[row]:
            raise Wrong(f"row {row} of plane {self.number} is {read.val}, not {self._grid[row]}")

    # -- in fragments

    def _fragmented_read(self) -> None:
        area = self.chance.choice(_FIXED)
        first, count = self._stretch(area, area.own * area.kind.size)
        self._read_all(area, first, count)

    def _read_all(self, area: Area, first: int, count: int) -> None:
        got = 0
        while got < count:
            offset = got * area.kind.size
            operation = {"path": self._place(area, first), "elements": count, "offset": offset}
            (result,) = self._line().synchronous([operation])
            if result.sts not in (status.SUCCESS, status.PARTIAL) or not result.val:
                raise Wrong(f"status {result.sts} and {result.val!r} answer {operation}")
            self._held(area, first + got, result.val)
            got += len(result.val)
            if (result.sts == status.PARTIAL) != (got < count):
                raise Wrong(f"status {result.sts} after {got} of {count} elements answers {operation}")

    def _fragmented_write(self) -> None:
        """Maybe not to its end: what was sent counts."""
        area = self.chance.choice(_FIXED)
        size = area.kind.size
        first, count = self._stretch(area, area.own * size)
        path, sent = self._place(area, first), 0
        while sent < count and (not sent or self.chance.random() < 0.9):
            most = max(1, min(count - sent, ROOM // size))
            values = drawn(self.chance, area.kind, self.chance.randint(1, most))
            operation = {"path": path, "elements": count, "offset": sent * size, "data": values, "tag_type": area.kind}
            (result,) = self._line().synchronous([operation])
            succeeded(result)
            self.remember(area, first + sent, values)
            sent += len(values)

    # -- tags that all write

    def _shared(self) -> None:
        value = self.chance.randrange(LEVELS + 1)
        asks = [
            Ask("", {"path": "Level", "data": [value / 4], "tag_type": REAL, "offset": None}, succeeded),
            Ask("", {"path": "Level", "offset": None}, level),
            Ask("", {"path": "Uniform", "data": [value] * UNIFORM, "tag_type": INT, "offset": None}, succeeded),
            Ask("", {"path": "Uniform", "elements": UNIFORM, "offset": None}, uniform),
        ]
        self._results(self.chance.sample(asks, 2))

    # -- bad manners

    def _departure(self) -> None:
        """Close the session, and open another one when there is need of it."""
        self._leave()

    def _abrupt(self) -> None:
        """Send requests, and be gone before the replies; what was written is in the range of what was sent."""
        client = Client(self.port)
        path = f"Scratch[{self.number}]"
        for _ in range(self.chance.randint(1, 5)):
            self._scratched += 1
            data = [self.number * RANGE + self._scratched]
            client.socket.sendall(client.own(_frame({"path": path, "data": data, "tag_type": DINT})))
        self._drop(client)
        (result,) = self._line().synchronous([{"path": path}])
        succeeded(result)
        least, (value,) = self.number * RANGE, result.val
        if value and not least < value <= least + self._scratched:
            raise Wrong(f"{path} is {value}, not {least + 1} to {least + self._scratched}")

    def _half(self) -> None:
        """Be gone in the middle of a frame that would write; it must not be carried out, which later reads tell."""
        area = self.chance.choice(AREAS)
        values = drawn(self.chance, area.kind, 1)
        client = Client(self.port, register=self.chance.random() < 0.8)
        frame = client.own(_frame({"path": self._place(area, 0), "data": values, "tag_type": area.kind}))
        client.socket.sendall(frame[: self.chance.randrange(1, len(frame))])
        self._drop(client)

    def _drop(self, client: Client) -> None:
        """Close a connection, mostly so that the other side finds it reset."""
        if self.chance.random() < 0.9:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()

    def _noise(self) -> None:
        """Octets without meaning, to their end: the server closes the connection, whatever it answers before."""
        client = Client(self.port, register=False)
        try:
            client.socket.sendall(self.chance.randbytes(self.chance.randint(1, 2000)))
            client.socket.shutdown(socket.SHUT_WR)
            while client.socket.recv(65536):
                pass
        except TimeoutError as exc:
            raise Wrong(f"the server keeps the connection open for {TIMEOUT_S} s") from exc
        except ConnectionError:  # closed before it had read all, which is as good
            pass
        finally:
            client.close()

    def _garbled(self) -> None:
        """Requests of octets without meaning, or that differ somewhere: each is answered, and the session lives."""
        client = Client(self.port)
        good = client.own(_frame({"path": "Level", "offset": None}))
        stream = client.socket.makefile("rb")
        for _ in range(self.chance.randint(1, 8)):
            if self.chance.random() < 0.5:
                payload = self.chance.randbytes(self.chance.randrange(200))
            else:
                changed = bytearray(good[HEADER_OCTETS:])
                changed[self.chance.randrange(len(changed))] ^= 1 << self.chance.randrange(8)
                payload = bytes(changed)
            client.socket.sendall(good[:2] + struct.pack("<H", len(payload)) + good[4:HEADER_OCTETS] + payload)
            head = stream.read(HEADER_OCTETS)
            if len(head) < HEADER_OCTETS or int.from_bytes(head[:2], "little") != SEND_RR_DATA:
                raise Wrong(f"{head.hex()!r} answers {payload.hex(' ')}")
            stream.read(int.from_bytes(head[2:4], "little"))
        reply = client.ask(good)
        if reply[_SERVICE] != 0xCC or reply[_STATUS]:
            raise Wrong(f"after garbage, {reply.hex(' ')} answers a read")
        stream.close()
        self._drop(client)

    def _last_look(self) -> None:
        for area in _FIXED:
            self._read_all(area, 0, area.own)


#: Where service and status stand in a frame with a reply.
_SERVICE, _STATUS = 40, 42

_FIXED = [area for area in AREAS if not isinstance(area.kind, ShortString)]

#: Mistakes a client makes on purpose.
REFUSALS = ("unknown tag", "beyond the end", "wrong type")

#: Kind of operation -> how often, and what is done.
KINDS: dict[str, tuple[int, Callable[[Member], None]]] = {
    "read": (200, lambda member: member._one(Member._read)),
    "write": (150, lambda member: member._one(Member._write)),
    "fragmented read": (60, Member._fragmented_read),
    "fragmented write": (60, Member._fragmented_write),
    f"Multiple Service Packet of {MEMBERS}": (80, Member._packet),
    f"pipeline of {MEMBERS}": (40, Member._pipeline),
    "element by three indices": (40, Member._plane),
    "tags that all write": (80, Member._shared),
    "mistake": (60, lambda member: member._one(Member._refused)),
    "session closed": (5, Member._departure),
    "gone before the replies": (10, Member._abrupt),
    "gone in mid-frame": (10, Member._half),
    "noise": (5, Member._noise),
    "garbled requests": (10, Member._garbled),
}


def _frame(operation: dict[str, Any]) -> bytes:
    """The frame of an operation, of no session yet."""
    exchange = Exchange()
    exchange.session = 1
    return exchange.issue([prepare(operation)])[1]
