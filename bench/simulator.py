"""The simulator as a whole: a crowd of connections, printing, its page being watched, starting with many tags.

Owns: these rows.  Rule: a crowd is driven by one thread that waits for all its connections at once, and one
connection by the very same code, so that what differs is the server's doing.
"""

from __future__ import annotations

import http.client
import json
import selectors
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bench.load import Client, Server, running
from bench.measure import Row, microseconds, progress
from bench.server import MODULE, REQUESTS, TAG, costs, on_one_core, reads, start

__all__ = ["rows"]

#: Connections at once; how much more one alone may get done; how much more CPU a read may take that is printed.
CROWD, SLOWER, PRINTING = 100, 2.0, 2.0
#: How much more CPU a read may take while the page is open; seconds between what it asks, each a turn; turns.
WATCHED, POLL_S, WATCHED_TURNS = 1.15, 1.0, 10
#: Requests in a turn of the crowd, and turns.
ANSWERS, TURNS = 10_000, 8
#: Seconds to the first reply, by scalar tags, and whether these come from standard input.
STARTS = {500: (0.3, False), 100_000: (5.0, True)}


class Driven(NamedTuple):
    """A connection with its request and the octets that answer it."""

    client: Client
    request: bytes
    answer: int


def rows() -> Iterator[Row]:
    """All rows about the simulator."""
    with on_one_core():
        progress(f"{CROWD} connections at once")
        yield _crowd()
        progress("printing")
        yield _printing()
        progress("the page is open")
        yield from _watched()
    for tags, (limit, stdin) in STARTS.items():
        progress(f"start-up with {tags} scalar tags")
        yield start(f"{tags:,} scalar tags", [f"Tag_{number}=INT" for number in range(tags)], limit, stdin)


def _driven(server: Server) -> Driven:
    (frame,) = reads(1)
    client = Client(server.port)
    ((request, answer),) = client.blocks([frame], 1)
    return Driven(client, request, answer)


def _crowd() -> Row:
    with running(MODULE, "-a", "127.0.0.1:0", TAG) as server:
        crowd = [_driven(server) for _ in range(CROWD)]
        one, all_of_them = 0.0, 0.0
        for _ in range(TURNS):
            one = max(one, _rate(crowd[:1], ANSWERS))
            all_of_them = max(all_of_them, _rate(crowd, ANSWERS))
        for connection in crowd:
            connection.client.close()
    name = f"single reads a second, {CROWD} connections together, against one alone (ratio: one to {CROWD})"
    return Row(name, f"{all_of_them:,.0f}/s", f"{one:,.0f}/s", one / all_of_them, SLOWER)


def _rate(driven: Sequence[Driven], requests: int) -> float:
    """Requests a second of connections each of which sends again as soon as it is answered."""
    begun = time.perf_counter()
    asked = answered = 0
    with selectors.DefaultSelector() as selector:
        for one in driven:
            selector.register(one.client.socket, selectors.EVENT_READ, [one, one.answer])
            one.client.socket.sendall(one.request)
            asked += 1
        while answered < asked:
            for key, _ in selector.select():
                one, left = key.data
                octets = one.client.socket.recv(65536)
                if not octets:
                    raise RuntimeError("the server closed a connection")
                left -= len(octets)
                if not left:
                    left, answered = one.answer, answered + 1
                    if asked < requests:
                        one.client.socket.sendall(one.request)
                        asked += 1
                key.data[1] = left
    return answered / (time.perf_counter() - begun)


def _printing() -> Row:
    frames = reads(100) * (REQUESTS // 100)
    with (
        running(MODULE, "-a", "127.0.0.1:0", TAG) as silent,
        running(MODULE, "-a", "127.0.0.1:0", "--print", TAG) as printing,
    ):
        first, other = Client(silent.port), Client(printing.port)
        quiet, loud = costs((silent, first, first.blocks(frames, 1)), (printing, other, other.blocks(frames, 1)))
        first.close()
        other.close()
    name = "server CPU a single read with --print, against one without"
    return Row(name, microseconds(loud / REQUESTS), microseconds(quiet / REQUESTS), loud / quiet, PRINTING)


def _watched() -> Iterator[Row]:
    """The page is open, the web interface is there and nobody asks, there is none."""
    with (
        running(MODULE, "-a", "127.0.0.1:0", "--web", "127.0.0.1:0", TAG) as opened,
        running(MODULE, "-a", "127.0.0.1:0", "--web", "127.0.0.1:0", TAG) as closed,
        running(MODULE, "-a", "127.0.0.1:0", TAG) as without,
    ):
        page = _Page(opened.web)
        clients = {server: Client(server.port) for server in (opened, closed, without)}
        blocks = {server: client.blocks(reads(100), 1) for server, client in clients.items()}
        best = dict.fromkeys(clients, float("inf"))
        for _ in range(WATCHED_TURNS):
            for server, client in clients.items():
                asking = threading.Thread(target=page.ask if server is opened else lambda: None)
                done, before, end = 0, server.cpu(), time.perf_counter() + POLL_S
                asking.start()
                while time.perf_counter() < end:
                    client.exchange(blocks[server])
                    done += len(blocks[server])
                asking.join()
                best[server] = min(best[server], (server.cpu() - before) / done)
        page.close()
        for client in clients.values():
            client.close()
    what = "server CPU a single read with"
    for name, ours, theirs, goal in (
        (f"{what} the page open, against one with it closed", best[opened], best[closed], WATCHED),
        (f"{what} the web interface, which counts, against one without", best[closed], best[without], None),
    ):
        yield Row(name, microseconds(ours), microseconds(theirs), ours / theirs, goal)


class _Page:
    """Asks what the page asks at a time."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._since = 0.0
        self.close = self._connection.close

    def ask(self) -> None:
        samples = self._get(f"rates?since={self._since}")["samples"]
        self._since = samples[-1]["time"] if samples else self._since
        for part in ("overview", "tags?search=&offset=0&limit=50", "connections?offset=0&limit=25"):
            self._get(part)

    def _get(self, part: str) -> Any:
        self._connection.request("GET", f"/page/{part}")
        reply = self._connection.getresponse()
        body = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"/page/{part} is answered {reply.status}: {body[:200]!r}")
        return json.loads(body)
