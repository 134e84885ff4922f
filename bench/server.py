"""The server as users start it: CPU for each request, start-up, memory, and what importing loads.

Owns: the rows about the server.  Rule: CPU is that of the server process alone, turns of both servers alternate and
the best of each counts; the client and the requests are the same.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.load import Client, Server, running
from bench.measure import Row, microseconds, progress
from bench.messages import multiple_request, read_request

__all__ = ["MODULE", "REQUESTS", "TAG", "costs", "on_one_core", "reads", "rows", "start"]

MODULE = "cpppo.server.enip"
TAG = "SCADA=INT[1000]"

#: Goals: a read against the echo, at depth against it, a packet of reads against struct, a large read against a small.
ONE, DEEP, PACKET, LARGE = 3.0, 1.5, 3.0, 2.0
DEPTH, READS, ELEMENTS = 20, 50, 1000
#: Seconds to the first reply, by tags; idle connections, and megabytes they may take.
STARTS = {1: 0.25, 10_000: 1.5}
IDLE, MEGABYTES = 1000, 40.0
OPTIONAL = ("greenery", "web", "pytz", "pymodbus")

#: Requests in a turn, and turns; starts of a server.
REQUESTS, TURNS, STARTED = 2000, 12, 5
#: Where the CIP status stands in a frame with a reply.
STATUS = 42


@contextmanager
def on_one_core() -> Iterator[None]:
    """Client and servers share one core: what waking another one costs is a matter of luck, and not of any server."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_of_them)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


def rows() -> Iterator[Row]:
    """All rows about the server."""
    with on_one_core(), running(MODULE, "-a", "127.0.0.1:0", TAG) as ours:
        progress("single reads")
        yield from _single(ours)
        progress(f"packets of {READS} reads")
        yield _packets(ours)
        progress(f"reads of {ELEMENTS} elements")
        yield _large(ours)
    for tags, limit in STARTS.items():
        progress(f"start-up with {tags} tags")
        names = [TAG, *(f"Tag_{number}=INT[10]" for number in range(1, tags))]
        yield start(f"{tags:,} {'tag' if tags == 1 else 'tags'}", names, limit, stdin=tags > 1)
    progress(f"{IDLE} idle connections")
    yield _idle()
    for module in ("cpppo", "cpppo.server.enip"):
        yield _imports(module)


# ------------------------------------------------------------------ CPU
Work = tuple[Server, Client, Sequence[tuple[bytes, int]]]


def reads(number: int) -> list[bytes]:
    """Frames of Read Tag Fragmented, one element each."""
    frames = []
    for element in range(number):
        frame = read_request()
        request = frame.CIP.item[1].data.data.request
        request.path = type(request.path).of([{"symbolic": "SCADA"}, {"element": element}])
        frames.append(frame.produce())
    return frames


def _fragments() -> list[bytes]:
    """Frames of Read Tag Fragmented that together read all elements."""
    frames = []
    for offset in range(0, 2 * ELEMENTS, 500):
        frame = read_request()
        request = frame.CIP.item[1].data.data.request
        request.path = type(request.path).of([{"symbolic": "SCADA"}, {"element": 0}])
        request.data.elements, request.data.offset = ELEMENTS, offset
        frames.append(frame.produce())
    return frames


def costs(*works: Work) -> list[float]:
    """Seconds of the server's CPU for each piece of work, the best turn of each."""
    best = [float("inf")] * len(works)
    for _ in range(TURNS):
        for number, (server, client, blocks) in enumerate(works):
            before = server.cpu()
            client.exchange(blocks)
            best[number] = min(best[number], server.cpu() - before)
    return best


def _row(name: str, ours: float, theirs: float, goal: float) -> Row:
    return Row(name, microseconds(ours), microseconds(theirs), ours / theirs, goal)


def _single(ours: Server) -> Iterator[Row]:
    frames = reads(100) * (REQUESTS // 100)
    client = Client(ours.port)
    one, deep = client.blocks(frames, 1), client.blocks(frames, DEPTH)
    sizes = len(frames[0]), one[0][1]
    if len(one) != REQUESTS or {(len(octets), answer) for octets, answer in one} != {sizes}:
        raise RuntimeError("the requests or replies are not all of the same size")
    with running("bench.echo", *map(str, sizes)) as echo:
        other = Client(echo.port, register=False)
        alone, at_depth, bare = costs((ours, client, one), (ours, client, deep), (echo, other, one))
        other.close()
    client.close()
    alone, at_depth, bare = (cost / REQUESTS for cost in (alone, at_depth, bare))
    what = f"server CPU a single read, {sizes[0]} octets in, {sizes[1]} out"
    yield _row(f"{what}, against an echo", alone, bare, ONE)
    yield _row(f"server CPU a single read at depth {DEPTH}, against that echo at depth 1", at_depth, bare, DEEP)


def _packets(ours: Server) -> Row:
    frames = [multiple_request(READS).produce()] * (REQUESTS // 10)
    client = Client(ours.port)
    with running("bench.struct_server") as by_hand:
        other = Client(by_hand.port)
        if client.ask(client.own(frames[0]))[24:] != other.ask(other.own(frames[0]))[24:]:
            raise RuntimeError("the servers answer differently")
        mine, theirs = costs((ours, client, client.blocks(frames, 1)), (by_hand, other, other.blocks(frames, 1)))
        other.close()
    client.close()
    name = f"server CPU a Multiple Service Packet of {READS} reads, against a struct server"
    return _row(name, mine / len(frames), theirs / len(frames), PACKET)


def _large(ours: Server) -> Row:
    fragments, singles = _fragments(), reads(1)
    client = Client(ours.port)
    blocks = client.blocks(fragments * (REQUESTS // len(fragments)), 1)
    data = sum(answer for _, answer in blocks[: len(fragments)]) - len(fragments) * 46
    if data != 2 * ELEMENTS:
        raise RuntimeError(f"the fragments hold {data} octets, not {2 * ELEMENTS}")
    large, single = costs((ours, client, blocks), (ours, client, client.blocks(singles * len(blocks), 1)))
    client.close()
    name = f"server CPU a packet of a {ELEMENTS}-element INT read ({len(fragments)} packets), against a single read"
    return _row(name, large / len(blocks), single / len(blocks), LARGE)


# ------------------------------------------------------------------ start-up, memory, imports
def start(what: str, tags: Sequence[str], limit: float, stdin: bool) -> Row:
    """From starting a server of tags to its first reply, a read of the first of them; the best of five starts."""
    frame = read_request()
    request = frame.CIP.item[1].data.data.request
    request.path = type(request.path).of([{"symbolic": tags[0].partition("=")[0]}])
    octets, best = frame.produce(), float("inf")
    for _ in range(STARTED):
        begun = time.perf_counter()
        given, text = (["-"], "\n".join(tags) + "\n") if stdin else (tags, "")
        with running(MODULE, "-a", "127.0.0.1:0", *given, stdin=text) as server:
            client = Client(server.port)
            reply = client.ask(client.own(octets))
            best = min(best, time.perf_counter() - begun)
            client.close()
        if reply[STATUS]:
            raise RuntimeError(f"the first tag cannot be read: {reply.hex(' ')}")
    return Row(f"start-up to first reply, {what}", f"{best:.3f} s", f"limit {limit} s", best / limit, 1.0)


def _idle() -> Row:
    name = f"memory of {IDLE} idle connections, each with a session"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = IDLE + 200
    if soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            return Row(f"{name}: not measured, the system allows {hard} descriptors", "", "", None, None)
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    with running(MODULE, "-a", "127.0.0.1:0", TAG) as server:
        first = Client(server.port)
        first.ask(first.own(read_request().produce()))
        before = server.resident()
        clients = [Client(server.port) for _ in range(IDLE)]
        taken = (server.resident() - before) / 1e6
        for client in (first, *clients):
            client.close()
    return Row(name, f"{taken:.1f} MB", f"limit {MEGABYTES:.0f} MB", taken / MEGABYTES, 1.0)


def _imports(module: str) -> Row:
    code = f"import {module}, json, sys; print(json.dumps(list(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(run.stdout)} & set(OPTIONAL)
    name = f"import {module} loads {', '.join(OPTIONAL[:-1])} or {OPTIONAL[-1]}"
    return Row(name, ", ".join(sorted(loaded)) or "none", "none", float(len(loaded)), 0.0)
