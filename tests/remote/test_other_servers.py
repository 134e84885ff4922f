"""The poller against servers that are not ours: pymodbus' own, and modbus-serial's in JavaScript."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from cpppo.remote.pdu import ExceptionReply
from cpppo.remote.plc_modbus import poller_modbus
from tests.peers.with_node import installed
from tests.remote.test_plc_modbus import until
from tests.tools import need

HELD = list(range(100, 110))
COILS = [bool(at % 2) for at in range(10)]


@contextmanager
def modbus_serial(port: int = 0) -> Iterator[int]:
    """modbus-serial's server; the port it listens on."""
    server = subprocess.Popen(
        [need("node", optional=True), str(Path(__file__).parent / "modbus_server.js"), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NODE_PATH": str(installed())},
    )
    with server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield int(server.stdout.readline())
        server.stdin.close()
        assert server.wait(20) == 0


@contextmanager
def pymodbus_itself(port: int = 0) -> Iterator[int]:
    """pymodbus' server as it is, with ten elements of each table of unit 1; the port it listens on."""
    tables = (
        [SimData(0, values=[*COILS, *[False] * 6], datatype=DataType.BITS)],
        [SimData(0, values=[not coil for coil in [*COILS, *[True] * 6]], datatype=DataType.BITS)],
        [SimData(0, values=HELD, datatype=DataType.REGISTERS)],
        [SimData(0, values=[value + 100 for value in HELD], datatype=DataType.REGISTERS)],
    )
    ready = threading.Event()
    made: dict[str, ModbusTcpServer] = {}

    async def serve() -> None:
        made["server"] = server = ModbusTcpServer(SimDevice(1, simdata=tables), address=("127.0.0.1", port))
        made["loop"] = asyncio.get_running_loop()  # type: ignore[assignment]
        await server.serve_forever(background=True)
        ready.set()
        await server.serving

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(20)
    yield made["server"].transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    asyncio.run_coroutine_threadsafe(made["server"].shutdown(), made["loop"]).result(20)  # type: ignore[arg-type]
    thread.join(20)


SERVERS = [
    pytest.param(modbus_serial, id="modbus-serial", marks=pytest.mark.peers),
    pytest.param(pymodbus_itself, id="pymodbus"),
]


@pytest.mark.parametrize("server", SERVERS)
def test_polls_and_writes(server: type[Iterator[int]]) -> None:
    """All tables are read and written; what is not there is found out and refused."""
    with server() as port, poller_modbus("other", host="127.0.0.1", port=port, rate=0.02) as plc:  # type: ignore[attr-defined]
        tables = {1: COILS, 10001: [not coil for coil in COILS], 30001: [200 + at for at in range(10)], 40001: HELD}
        for first, values in tables.items():
            until(lambda first=first, values=values: plc.values(range(first, first + 10)) == values)
        plc.write(40001, 7)
        plc.write(40002, [8, 65000])
        plc.write(1, True)
        plc.write(2, [False, True])
        until(lambda: plc.values([40001, 40002, 40003, 1, 2, 3]) == [7, 8, 65000, True, False, True])
        with pytest.raises(ExceptionReply, match="Exception Response.134, 6, "):
            plc.write(40101, 1)
        assert plc.read(40101) is None
        until(lambda: plc.refused == [(40101, 1)])
        until(lambda: not plc.failing)
        assert plc.online
        assert plc.read(40001) == 7


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_that_is_started_again(server: type[Iterator[int]]) -> None:
    """Its end is noticed; it is found again on its port."""
    with server() as port:  # type: ignore[attr-defined]
        plc = poller_modbus("other", host="127.0.0.1", port=port, rate=0.02, timeout=0.5)
        until(lambda: plc.read(40001) == 100)
    until(lambda: not plc.online)
    assert plc.read(40001) is None
    with server(port):  # type: ignore[attr-defined]
        until(lambda: plc.read(40001) == 100)
        plc.stop()
