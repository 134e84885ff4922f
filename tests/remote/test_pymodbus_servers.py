"""Our servers and pymodbus: its clients, its contexts, its servers on our store, and the faults that we mend."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from cpppo.remote.cells import Device, Refused
from cpppo.remote.framing import TcpFrames, rtu_frame, tcp_frame
from cpppo.remote.hosting import Hosted
from cpppo.remote.pymodbus_fixes import modbus_server_rtu, modbus_server_tcp, modbus_sparse_data_block, modbus_store
from tests.remote.serial_lines import Line

pytest.importorskip("pymodbus")
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.datastore import ModbusDeviceContext, ModbusServerContext
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

READ = bytes.fromhex("03 0000 0002")


class Stock(ModbusTcpServer):
    """pymodbus' own server."""

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.transport.sockets[0].getsockname()[:2]  # type: ignore[attr-defined]
        return host, port


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """pymodbus warns of its own classes."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("pymodbus").setLevel(logging.NOTSET)


def device() -> Device:
    made = Device(now=lambda: 0.0)
    made.define(1, [1, 0, 1])
    made.define(10001, [0, 1])
    made.define(30001, [7, 8])
    made.define(40001, [1, 2, 3])
    return made


def replies(address: tuple[str, int], *pdus: bytes, unit: int = 1, count: int | None = None) -> list[bytes]:
    """The data units that answer those of some requests, which are sent in one piece; whatever came within 5 s."""
    frames, found = TcpFrames(), []
    with socket.create_connection(address, timeout=5 if count is None else 0.3) as sock:
        sock.sendall(b"".join(tcp_frame(number, unit, pdu) for number, pdu in enumerate(pdus)))
        try:
            while len(found) < (len(pdus) if count is None else count) and (octets := sock.recv(65536)):
                found += [one.pdu for one in frames.feed(octets)]
        except TimeoutError:
            pass
    return found


@pytest.mark.parametrize("kind", [modbus_server_tcp, Stock])
def test_pymodbus_client_and_our_store(kind: type) -> None:
    """pymodbus' client reads and writes every table of our store, over our server and over pymodbus' own."""
    served = device()
    with Hosted(lambda: kind(modbus_store({1: served}), address=("127.0.0.1", 0))) as hosted:
        with ModbusTcpClient(hosted.address[0], port=hosted.address[1], retries=0) as client:
            assert client.read_coils(0, count=3).bits[:3] == [True, False, True]
            assert client.read_discrete_inputs(0, count=2).bits[:2] == [False, True]
            assert client.read_input_registers(0, count=2).registers == [7, 8]
            assert client.read_holding_registers(0, count=3).registers == [1, 2, 3]
            assert not client.write_coil(1, True).isError() and not client.write_coils(0, [False, True]).isError()
            assert not client.write_register(0, 9).isError() and not client.write_registers(1, [8, 7]).isError()
            assert served[1:4] == [0, 1, 1] and served[40001:40004] == [9, 8, 7]
            assert not client.mask_write_register(address=0, and_mask=0xF0, or_mask=5).isError()
            assert client.readwrite_registers(read_address=0, read_count=2, write_address=1, values=[4]).registers == [
                5,
                4,
            ]
            refused = [client.read_holding_registers(3), client.write_register(3, 1), client.write_coils(2, [True] * 2)]
            assert [one.exception_code for one in refused] == [2, 2, 2]
            assert client.read_holding_registers(0, device_id=2).exception_code == 11


def test_our_server_of_pymodbus_devices() -> None:
    """A SimDevice of pymodbus' is served: pipelined, in order, with the right exceptions, and its action is called."""
    seen = []

    async def action(function: int, start: int, address: int, count: int, registers: list[int], values: object) -> None:
        seen.append((function, address, count))

    simulated = SimDevice(1, simdata=[SimData(0, values=[5] * 10, datatype=DataType.REGISTERS)], action=action)
    with Hosted(lambda: modbus_server_tcp(simulated, address=("127.0.0.1", 0))) as hosted:
        write = bytes.fromhex("06 0001 0063")
        assert replies(hosted.address, *[READ, write] * 100) == [
            bytes.fromhex("0304 0005 0005"),
            write,
            *[bytes.fromhex("0304 0005 0063"), write] * 99,
        ]
        wrong = [bytes.fromhex(text) for text in ("03 0000 007e", "03 0000 0000", "63 0000", "03 0064 0001", "83 02")]
        assert replies(hosted.address, *wrong) == [b"\x83\3", b"\x83\3", b"\xe3\1", b"\x83\2", b"\x83\1"]
        assert replies(hosted.address, READ, unit=9) == [b"\x83\x0b"]
    assert len(seen) >= 200


def test_a_pymodbus_device_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """What a SimDevice's action raises is logged, and answered as a failure of the device (4)."""

    async def action(*_: object) -> None:
        raise ValueError("out of order")

    simulated = SimDevice(1, simdata=[SimData(0, values=[5] * 10, datatype=DataType.REGISTERS)], action=action)
    with Hosted(lambda: modbus_server_tcp(simulated, address=("127.0.0.1", 0))) as hosted:
        assert replies(hosted.address, READ) == [b"\x83\4"]
    assert "unit 1, function 3: a pymodbus context failed" in caplog.text and "out of order" in caplog.text


def test_what_pymodbus_does_with_pipelines() -> None:
    """The fault that is mended: its own server answers fewer requests than came.  If this fails, it is mended there."""
    simulated = SimDevice(1, simdata=[SimData(0, values=[5] * 10, datatype=DataType.REGISTERS)])
    with Hosted(lambda: Stock(simulated, address=("127.0.0.1", 0))) as hosted:
        assert len(replies(hosted.address, *[READ] * 30, count=30)) < 30


def test_our_serial_server_of_pymodbus_devices() -> None:
    """On a serial line, too: among noise, others' units in silence, broadcasts executed and not answered."""
    simulated = SimDevice(1, simdata=[SimData(0, values=[5] * 10, datatype=DataType.REGISTERS)])
    with Line(noise=b"\xff") as line:
        with Hosted(lambda: modbus_server_rtu(simulated, port=line.paths[0], units=[1])) as hosted:
            assert hosted.address == line.paths[0]
            reply = rtu_frame(1, bytes.fromhex("0304 0005 0005"))
            assert line.ask(rtu_frame(1, READ), len(reply)) == reply
            assert line.ask(rtu_frame(2, READ), 1, 0.2) == b""
            assert line.ask(rtu_frame(0, bytes.fromhex("06 0000 0063")), 1, 0.2) == b""
            changed = rtu_frame(1, bytes.fromhex("0304 0063 0005"))
            assert line.ask(rtu_frame(1, READ), len(changed)) == changed


def test_the_newest_request_of_a_line_is_answered_by_pymodbus_devices() -> None:
    """Of requests that come together all are executed, in their order, and the last one is answered."""
    simulated = SimDevice(1, simdata=[SimData(0, values=[5] * 10, datatype=DataType.REGISTERS)])
    with Line() as line, Hosted(lambda: modbus_server_rtu(simulated, port=line.paths[0])):
        reply = rtu_frame(1, bytes.fromhex("0304 0063 0005"))
        asked = rtu_frame(1, bytes.fromhex("06 0000 0063")) + rtu_frame(1, READ)
        assert line.ask(asked, len(reply) + 1, 0.2) == reply


def test_broadcasts_over_tcp() -> None:
    """With broadcast_enable unit 0 is everybody on TCP, too: executed, and not answered."""
    store = modbus_store({1: device(), 2: device()})
    with Hosted(lambda: modbus_server_tcp(store, address=("127.0.0.1", 0), broadcast_enable=True)) as hosted:
        assert replies(hosted.address, bytes.fromhex("06 0000 0063"), READ, unit=0, count=1) == []
        assert replies(hosted.address, READ, unit=2) == [bytes.fromhex("0304 0063 0002")]
    assert [one[40001] for one in store.every] == [0x63, 0x63]


def test_pymodbus_serial_client() -> None:
    """pymodbus' serial client reads and writes over a line."""
    served = device()
    with Line(2) as line, Hosted(lambda: modbus_server_rtu(modbus_store({1: served}), port=line.paths[0])):
        client = ModbusSerialClient(line.paths[1], baudrate=19200, retries=0, timeout=5)
        try:
            assert client.connect()
            assert client.read_holding_registers(0, count=3).registers == [1, 2, 3]
            assert not client.write_registers(1, [8, 7]).isError()
            assert served[40001:40004] == [1, 8, 7]
        finally:
            client.close()


def test_a_block_in_pymodbus_own_context() -> None:
    """pymodbus' own contexts take a block; what is there has its values, each run of neighbours one SimData."""
    block = modbus_sparse_data_block({100: 1, 101: 2, 3: 9})
    assert [(one.address, one.values) for one in block.simdata] == [(3, [9]), (100, [1, 2])]
    other = modbus_sparse_data_block([0])
    bits = modbus_sparse_data_block([True, False])
    context = ModbusServerContext({1: ModbusDeviceContext(hr=block, ir=other, co=bits, di=bits)})
    with Hosted(lambda: modbus_server_tcp(context, address=("127.0.0.1", 0))) as hosted:
        asked = [bytes((3, 0, at, 0, count)) for at, count in ((3, 1), (100, 2), (102, 1))]
        assert replies(hosted.address, *asked) == [b"\3\2\0\x09", b"\3\4\0\1\0\2", b"\x83\2"]


def test_a_block_is_sparse() -> None:
    """Base address and validate are right, and 60000 registers with gaps are built at once."""
    block = modbus_sparse_data_block({at: 1 for at in range(0, 0x10000) if at % 11})
    assert block.address == 1 and block.validate(1, 10) and not block.validate(1, 11)
    assert block.getValues(1, 2) == [1, 1]
    block.setValues(1, [4, 5])
    assert block.getValues(1, 2) == [4, 5]
    with pytest.raises(Refused):
        block.getValues(11)


def test_a_store_as_pymodbus_asks_it() -> None:
    """The store answers pymodbus' own calls: values, or an exception code; units that there are."""
    import asyncio

    store = modbus_store({1: device(), 5: device()})
    assert store.device_ids() == [1, 5] and modbus_store(device()).device_ids() == [0]
    assert asyncio.run(store.async_getValues(1, 3, 0, 2)) == [1, 2]
    assert asyncio.run(store.async_getValues(1, 3, 2, 2)) == ExcCodes.ILLEGAL_ADDRESS
    assert asyncio.run(store.async_setValues(1, 6, 9, [2])) == ExcCodes.ILLEGAL_ADDRESS
    assert asyncio.run(store.async_setValues(1, 16, 0, [2])) is None
    assert asyncio.run(store.async_getValues(1, 3, 0)) == [2] and asyncio.run(store.async_getValues(5, 3, 0)) == [1]


def test_a_client_that_leaves_while_a_pymodbus_device_works() -> None:
    """Its requests are given up, without a word to the event loop."""
    told: list[dict[str, Any]] = []

    async def main() -> None:
        begun, left = asyncio.Event(), asyncio.Event()

        async def action(*_: Any) -> None:
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                left.set()

        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        data = [SimData(0, values=[1, 2], datatype=DataType.REGISTERS)]
        server = modbus_server_tcp(SimDevice(1, simdata=data, action=action), address=("127.0.0.1", 0))
        await server.serve_forever(background=True)
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(b"".join(tcp_frame(number, 1, READ) for number in range(3)))
        await begun.wait()
        writer.close()
        await left.wait()
        await server.shutdown()

    asyncio.run(asyncio.wait_for(main(), 20))
    gc.collect()
    assert told == []


def test_a_serial_server_that_was_not_told_its_units() -> None:
    """It is silent about units that its context has not: they may be others' on the line."""
    simulated = SimDevice(1, simdata=[SimData(0, values=[5] * 10, datatype=DataType.REGISTERS)])
    with Line() as line, Hosted(lambda: modbus_server_rtu(simulated, port=line.paths[0])):
        assert line.ask(rtu_frame(2, READ), 1, 0.2) == b""
        reply = rtu_frame(1, bytes.fromhex("0304 0005 0005"))
        assert line.ask(rtu_frame(1, READ), len(reply)) == reply
