"""Polls of Modbus devices beside pymodbus as published, requests merged beside the fewest possible, many devices.

Owns: these rows.  Rule: what is measured of clients is the CPU of this process, in which all of them run, one at a
time, against the same device in another process; values are compared first.  The fewest requests are found here, by
other code than the package's.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from bench.load import Client, Server, running
from bench.measure import Row, best_of, microseconds, progress
from bench.polled import LATE_S, polled
from bench.server import on_one_core
from cpppo.remote.aio import poller_asyncio
from cpppo.remote.plc_modbus import poller_modbus
from cpppo.remote.pymodbus_fixes import modbus_client_tcp

__all__ = ["fewest", "rows"]

#: Goals: a poll and a read against pymodbus' client, requests against the fewest, our simulator against its server.
POLL, MERGED, SERVED = 1.5, 1.1, 1.0
#: Registers of a poll; scattered registers, and how far apart those of a request may be; requests and turns.
REGISTERS, SCATTERED, REACHES, REQUESTS, TURNS = 125, 10_000, (1, 10, 100), 100, 40
#: Many devices, and for how long.
DEVICES, SECONDS = 200, 10.0
#: What a server is asked when requests a second are measured: 125 registers of unit 1, one at a time.
ASKED = bytes.fromhex("0001 0000 0006 01 03 0000 007d")
ASKED_TURN, ANSWER = 500, 9 + 2 * REGISTERS

Timed = Callable[[int], Any]


def rows() -> Iterator[Row]:
    """All rows about remote devices."""
    logging.getLogger("cpppo.remote").addHandler(logging.NullHandler())
    with on_one_core(), running("bench.modbus_devices", "1") as device:
        progress(f"polls of {REGISTERS} registers")
        yield from _polls(device.port)
        progress(f"{SCATTERED} scattered registers")
        yield from _merged(device.port)
    progress("our simulator and pymodbus' server")
    yield from _served()
    progress(f"{DEVICES} devices for {SECONDS:g} s")
    yield from _many()


def _polls(port: int) -> Iterator[Row]:
    """A poll of registers that stay what they are, as nearly all do from poll to poll."""
    from pymodbus.client import AsyncModbusTcpClient, ModbusTcpClient

    first, wanted = 1, list(range(1, 1 + REGISTERS))
    loop = asyncio.new_event_loop()
    with ExitStack() as stack:
        stack.callback(loop.close)
        theirs, ours = ModbusTcpClient("127.0.0.1", port=port), modbus_client_tcp("127.0.0.1", port)
        thread = poller_modbus("device", ours, start=False)
        task = poller_asyncio("device", "127.0.0.1", port)
        for plc in (thread, task):
            for place in wanted:
                plc.poll(40001 + place)

        async def connected() -> Any:
            client = AsyncModbusTcpClient("127.0.0.1", port=port)
            await client.connect()
            return client

        async def ended() -> None:
            others.close()
            await task.stop()

        others = loop.run_until_complete(connected())
        stack.callback(lambda: loop.run_until_complete(ended()))
        stack.callback(theirs.close)
        stack.callback(ours.close)

        async def tasked(polls: int) -> list[int]:
            for _ in range(polls):
                await task.poll_once()
            return task.values(40001 + place for place in wanted)

        async def awaited(reads: int) -> list[int]:
            for _ in range(reads):
                reply = await others.read_holding_registers(first, count=REGISTERS)
            return list(reply.registers)

        def in_thread(polls: int) -> list[int]:
            for _ in range(polls):
                thread.poll_once()
            return thread.values(40001 + place for place in wanted)

        def by(client: Any) -> Timed:
            def reads(count: int) -> list[int]:
                for _ in range(count):
                    reply = client.read_holding_registers(first, count=REGISTERS)
                return list(reply.registers)

            return reads

        def looped(work: Callable[[int], Any]) -> Timed:
            return lambda count: loop.run_until_complete(work(count))

        kinds: list[Timed] = [in_thread, by(ours), by(theirs), looped(tasked), looped(awaited)]
        for kind in kinds:
            if (found := kind(1)) != wanted:
                raise RuntimeError(f"{found} read")
        costs = best_of(kinds, [REQUESTS], rounds=TURNS, clock=time.process_time)
        poll, read, reference, polled_in_task, asynchronous = (cost / REQUESTS for cost in costs)
        what = f"of {REGISTERS} registers"
        yield _row(f"a poll {what}, against a read by pymodbus' ModbusTcpClient", poll, reference, POLL)
        yield _row(f"a read {what} by modbus_client_tcp, against the same", read, reference, POLL)
        yield _row(
            f"a poll {what} in a task, against pymodbus' AsyncModbusTcpClient", polled_in_task, asynchronous, POLL
        )


def _row(name: str, ours: float, others: float, goal: float | None) -> Row:
    return Row(f"client CPU of {name}", microseconds(ours), microseconds(others), ours / others, goal)


# ------------------------------------------------------------------ merging
def fewest(places: Sequence[int], reach: int, limit: int) -> int:
    """The fewest requests of at most `limit` that read all places, none of which leaves out more than reach allows.

    Who takes as much as possible from the left needs no more than anybody else: each of another's requests, in order,
    ends no later than the one taken here.
    """
    requests, first, last = 0, -1, -1
    for place in sorted(set(places)):
        if first < 0 or place >= first + limit or place > last + reach:
            requests, first = requests + 1, place
        last = place
    return requests


def _merged(port: int) -> Iterator[Row]:
    """Requests as the device counts them, of one poll of registers anywhere among all that a device can have."""
    chosen = random.Random(4).sample(range(1, 65536), SCATTERED)
    for reach in REACHES:
        client = modbus_client_tcp("127.0.0.1", port)
        plc = poller_modbus("device", client, reach=reach, start=False)
        for place in chosen:
            plc.poll(400001 + place)
        before = client.read_holding_registers(0, count=1).registers[0]
        plc.poll_once()
        after = client.read_holding_registers(0, count=1).registers[0]
        client.close()
        if any(plc.read(400001 + place) != place for place in chosen):
            raise RuntimeError("wrong values of scattered registers")
        requests, least = (after - before - 1) % 65536, fewest(chosen, reach, 125)
        name = f"requests for {SCATTERED:,} scattered registers at reach {reach}, against the fewest"
        yield Row(name, f"{requests:,}", f"{least:,}", requests / least, MERGED)


# ------------------------------------------------------------------ servers
def _served() -> Iterator[Row]:
    arguments = ("-a", "127.0.0.1:0", "40001-40125=7")
    with on_one_core(), ExitStack() as stack:
        ours = stack.enter_context(running("cpppo.remote.modbus_sim", *arguments, told="stdout"))
        theirs = stack.enter_context(running("bench.pymodbus_server"))
        mine, other = _each(stack, [ours, theirs])
        name = f"time a read of {REGISTERS} registers of our simulator, against pymodbus' server"
        yield Row(name, microseconds(mine), microseconds(other), mine / other, SERVED)


def _each(stack: ExitStack, servers: Sequence[Server]) -> list[float]:
    """Seconds a request of each server, of the whole exchange: client and server share a core."""
    asks = []
    for server in servers:
        client = Client(server.port, register=False)
        stack.callback(client.close)
        client.exchange([(ASKED, ANSWER)])
        asks.append(lambda blocks, client=client: client.exchange(blocks))
    return [each / ASKED_TURN for each in best_of(asks, [[(ASKED, ANSWER)] * ASKED_TURN], rounds=TURNS)]


# ------------------------------------------------------------------ many devices
def _many() -> Iterator[Row]:
    outcome = polled(SECONDS, DEVICES)
    left = outcome.problems()
    if outcome.missed or outcome.polls < DEVICES:
        raise RuntimeError("; ".join(left))
    name = f"{DEVICES} devices polled at 1 Hz from one thread"
    late, most = 1000 * outcome.late_s, 1000 * LATE_S
    yield Row(f"{name}: the latest poll, against the limit", f"{late:.1f} ms", f"{most:.0f} ms", late / most, 1.0)
    yield Row(f"{name}: CPU", f"{outcome.cpu_s / outcome.seconds:.1%} of a core", "", None, None)
