"""Our clients beside hand-written ones, and beside pylogix and pycomm3 as published, all of one simulator.

Owns: these rows.  Rule: what is measured is the CPU of this process, in which all clients run, one at a time; the
simulator is another process.  Values are compared first: what reads wrongly is not measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from bench.delayed import Delayed
from bench.load import running
from bench.measure import Row, best_of, microseconds, progress
from bench.raw_client import RawClient, RawProtocol
from bench.server import MODULE, on_one_core
from cpppo.server.enip.client import Logix, aio, connector

__all__ = ["rows"]

#: Goals, against the hand-written client, and of many tags also against others' clients; pipelining, of its time alone.
SINGLE, TAGWISE, MANY, FASTER, LARGE, TASKS, LATENT = 2.0, 2.5, 2.5, 1 / 3, 1.5, 1.5, 1 / 15
#: Tags of a call for many, elements of a large array; reads in a turn of each kind, and turns.
TAGS, ELEMENTS, SINGLES, LARGES, TURNS = 100, 1000, 200, 10, 30
#: Seconds each way, requests, and how many are in flight.
DELAY_S, REQUESTS, DEPTH = 0.05, 60, 20

Timed = Callable[[int], Any]


def rows() -> Iterator[Row]:
    """All rows about the clients."""
    names = [f"Tag_{number}" for number in range(TAGS)]
    arguments = [f"SCADA=INT[{ELEMENTS}]=" + ",".join(map(str, range(ELEMENTS))), *(f"{one}=INT=7" for one in names)]
    with on_one_core(), ExitStack() as stack:
        port = stack.enter_context(running(MODULE, "-a", "127.0.0.1:0", *arguments)).port
        raw = RawClient(port)
        stack.callback(raw.close)
        ours = stack.enter_context(connector("127.0.0.1", port, 10.0))
        logix = stack.enter_context(Logix("127.0.0.1", port))
        pylogix, pycomm3 = _pylogix(stack, port), _pycomm3(stack, port)
        progress("single reads")
        yield from _single(raw, ours, logix, pylogix, pycomm3)
        progress(f"{TAGS} tags in one call")
        yield from _many(names, raw, logix, pylogix, pycomm3)
        progress(f"an array of {ELEMENTS} INT")
        yield from _large(raw, logix, pylogix, pycomm3)
        progress("asyncio")
        yield _asyncio(port)
        progress(f"a line that takes {1000 * DELAY_S:g} ms each way")
        yield _latency(port)


def _pylogix(stack: ExitStack, port: int) -> Any:
    from pylogix import PLC

    client = stack.enter_context(PLC("127.0.0.1"))
    client.Port = port
    return client


def _pycomm3(stack: ExitStack, port: int) -> Any:
    from pycomm3 import LogixDriver

    return stack.enter_context(LogixDriver(f"127.0.0.1:{port}"))


def _cpu(wanted: object, functions: dict[str, Timed], calls: int) -> dict[str, float]:
    """Seconds of CPU a call of each, which must give what is wanted."""
    for name, function in functions.items():
        for number in (0, 1):
            found = function(number)
            if found != (wanted(number) if callable(wanted) else wanted):
                raise RuntimeError(f"{name} reads {found!r}")
    best = best_of(list(functions.values()), range(calls), rounds=TURNS, clock=time.process_time)
    return dict(zip(functions, best, strict=True))


def _row(name: str, cpu: dict[str, float], mine: str, other: str, goal: float | None) -> Row:
    return Row(f"client CPU {name}", microseconds(cpu[mine]), microseconds(cpu[other]), cpu[mine] / cpu[other], goal)


def _single(raw: RawClient, ours: connector, logix: Logix, pylogix: Any, pycomm3: Any) -> Iterator[Row]:
    def through_connector(number: int) -> Any:
        ((value,),) = ours.results([{"path": f"SCADA[{number}]"}])
        return value

    cpu = _cpu(
        lambda number: number,
        {
            "raw": lambda number: raw.read("SCADA", number),
            "connector": through_connector,
            "Logix": lambda number: logix.read(f"SCADA[{number}]"),
            "pylogix": lambda number: pylogix.Read(f"SCADA[{number}]").Value,
            "pycomm3": lambda number: pycomm3.read(f"SCADA[{number}]").value,
        },
        SINGLES,
    )
    yield _row("a single read through connector, against hand-written", cpu, "connector", "raw", SINGLE)
    yield _row("a single read through Logix, against hand-written", cpu, "Logix", "raw", TAGWISE)
    yield _row("a single read through Logix, against pylogix", cpu, "Logix", "pylogix", 1.0)
    yield _row("a single read through Logix, against pycomm3", cpu, "Logix", "pycomm3", None)


def _many(names: list[str], raw: RawClient, logix: Logix, pylogix: Any, pycomm3: Any) -> Iterator[Row]:
    cpu = _cpu(
        [7] * TAGS,
        {
            "raw": lambda _: raw.read_many(names),
            "Logix": lambda _: logix.read(*names),
            "pylogix": lambda _: [one.Value for one in pylogix.Read(names)],
            "pycomm3": lambda _: [one.value for one in pycomm3.read(*names)],
        },
        LARGES,
    )
    yield _row(f"{TAGS} tags in one call of Logix, against hand-written", cpu, "Logix", "raw", MANY)
    yield _row(f"{TAGS} tags in one call of Logix, against pylogix", cpu, "Logix", "pylogix", FASTER)
    yield _row(f"{TAGS} tags in one call of Logix, against pycomm3", cpu, "Logix", "pycomm3", FASTER)


def _large(raw: RawClient, logix: Logix, pylogix: Any, pycomm3: Any) -> Iterator[Row]:
    cpu = _cpu(
        list(range(ELEMENTS)),
        {
            "raw": lambda _: raw.read_array("SCADA", ELEMENTS),
            "Logix": lambda _: logix.read("SCADA"),
            "pylogix": lambda _: pylogix.Read("SCADA[0]", ELEMENTS).Value,
            "pycomm3": lambda _: pycomm3.read(f"SCADA{{{ELEMENTS}}}").value,
        },
        LARGES,
    )
    yield _row(f"{ELEMENTS} INT through Logix, against hand-written", cpu, "Logix", "raw", LARGE)
    yield _row(f"{ELEMENTS} INT through Logix, against pylogix", cpu, "Logix", "pylogix", None)
    yield _row(f"{ELEMENTS} INT through Logix, against pycomm3", cpu, "Logix", "pycomm3", None)


def _asyncio(port: int) -> Row:
    loop = asyncio.new_event_loop()

    async def opened() -> tuple[RawProtocol, aio.Logix]:
        _, protocol = await loop.create_connection(RawProtocol, "127.0.0.1", port)
        await protocol.open()
        return protocol, aio.Logix("127.0.0.1", port)

    async def bare(reads: int) -> list[int]:
        return [await raw.read("SCADA", number) for number in range(reads)]

    async def tagwise(reads: int) -> list[int]:
        return [await logix.read(f"SCADA[{number}]") for number in range(reads)]

    raw, logix = loop.run_until_complete(opened())
    cpu = _cpu(
        lambda _: list(range(SINGLES)),
        {
            "raw": lambda _: loop.run_until_complete(bare(SINGLES)),
            "Logix": lambda _: loop.run_until_complete(tagwise(SINGLES)),
        },
        1,
    )
    loop.run_until_complete(logix.close())
    assert raw.transport is not None
    raw.transport.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    each = {name: seconds / SINGLES for name, seconds in cpu.items()}
    return _row("a single read through aio.Logix, against a hand-written Protocol", each, "Logix", "raw", TASKS)


def _latency(port: int) -> Row:
    """Time, not CPU: what keeps requests in flight is for."""
    operations = [{"path": f"SCADA[{number}]"} for number in range(REQUESTS)]
    took = []
    with Delayed(port, DELAY_S) as line, connector("127.0.0.1", line.port, 10.0) as ours:
        for depth in (0, DEPTH):
            begun = time.perf_counter()
            if list(ours.results(operations, depth=depth)) != [[number] for number in range(REQUESTS)]:
                raise RuntimeError("wrong values over the slow line")
            took.append((time.perf_counter() - begun) / REQUESTS)
    alone, deep = took
    name = f"time a read at depth {DEPTH}, against depth 0, over a line of {1000 * DELAY_S:g} ms each way"
    return Row(name, microseconds(deep), microseconds(alone), deep / alone, LATENT)
