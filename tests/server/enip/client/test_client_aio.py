"""What only the asyncio face has: its connection by itself, many tasks, and peers that misbehave."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from cpppo.errors import RemoteProtocolError, Timeout
from cpppo.server.enip.client import aio
from cpppo.server.enip.simulator import Simulator
from tests.tools import python_environment


@pytest.fixture
def plc() -> Iterator[Simulator]:
    with Simulator("SCADA=INT[1000]", "Level=REAL=1.5") as simulator:
        yield simulator


def test_operations_in_the_order_asked(plc: Simulator) -> None:
    """Many in flight, in packets or not: a result for each, in order; a large read is whole."""

    async def use() -> None:
        connection = await aio.connect(*plc.address, timeout=5.0)
        writes: list[Any] = [{"path": f"SCADA[{at}]", "data": [at]} for at in range(100)]
        for multiple in (0, 300):
            assert [one.val for one in await connection.perform(writes, 20, multiple)] == [True] * 100
        reads: list[Any] = [{"path": f"SCADA[{at}]"} for at in range(100)]
        for depth, multiple in ((1, 0), (20, 0), (20, 300)):
            assert [one.val for one in await connection.perform(reads, depth, multiple)] == [[at] for at in range(100)]
        (whole,) = await connection.perform([{"path": "SCADA[0-999]"}])
        assert len(whole.val) == 1000 and whole.sts == 0
        connection.close()
        with pytest.raises(Exception, match="closed"):
            await connection.perform(reads)

    asyncio.run(use())


def test_many_tasks_of_one_loop(plc: Simulator) -> None:
    """A hundred tasks share one connection: each gets its own."""

    async def use() -> None:
        async with aio.Logix(*plc.address) as tags:
            await asyncio.gather(*(tags.write({f"SCADA[{at}]": at}) for at in range(100)))
            assert await asyncio.gather(*(tags.read(f"SCADA[{at}]") for at in range(100))) == list(range(100))

    asyncio.run(use())


def test_a_cancelled_call_harms_no_other(plc: Simulator) -> None:
    """Its reply, when it comes, is dropped; the connection stays in use."""

    async def use() -> None:
        async with aio.Logix(*plc.address) as tags:
            await tags.tags()
            call = asyncio.ensure_future(tags.read("SCADA"))
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await tags.read("Level") == 1.5 and tags.connected

    asyncio.run(use())


@pytest.mark.parametrize("connected", [False, True])
def test_a_write_to_a_connection_just_closed(plc: Simulator, connected: bool) -> None:
    """The loop has seen its end, and has not told it yet: nothing was sent, so that the write is done anew."""

    async def use() -> None:
        async with aio.Logix(*plc.address, connected=connected) as tags:
            assert await tags.read("Level") == 1.5
            connection = tags._connection
            assert connection is not None and connection._transport is not None
            connection._transport.close()
            assert connection.exchange.failure is None
            await tags.write({"Level": 2.5})
            assert await tags.read("Level") == 2.5

    asyncio.run(use())


@asynccontextmanager
async def peer(answer: bytes, *, stay: bool = False) -> AsyncIterator[tuple[str, int]]:
    """The address of a server that answers a client with some octets, and closes, or stays silent."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        octets = await reader.read(1000)
        writer.write(answer.replace(b"CCCCCCCC", octets[12:20]))
        if stay:
            await reader.read(1000)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[:2]
    await ended.wait()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0" * 10,
        b"GET / HTTP/1.1\r\n" + bytes(30),
        bytes.fromhex("6500 0400 07000000 00000000") + b"CCCCCCCC" + bytes.fromhex("00000000 0200 0000"),
        bytes.fromhex("6500 0000 00000000 02000000") + b"CCCCCCCC" + bytes.fromhex("00000000"),
    ],
)
def test_peers_that_give_no_session(answer: bytes) -> None:
    """Closed, nonsense, another version, refused: RemoteProtocolError says so."""

    async def use() -> None:
        async with peer(answer) as address:
            with pytest.raises(RemoteProtocolError):
                await aio.connect(*address, timeout=5.0)

    asyncio.run(use())


def test_a_peer_that_says_nothing() -> None:
    """Timeout names what was not answered."""

    async def use() -> None:
        async with peer(b"", stay=True) as address:
            with pytest.raises(Timeout, match="did not answer Register Session"):
                await aio.connect(*address, timeout=0.1)

    asyncio.run(use())


def test_importing_the_client_imports_no_asyncio() -> None:
    """Who does not use it does not pay for it."""
    program = "import sys, cpppo.server.enip.client; sys.exit('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], env=python_environment()).returncode == 0
