"""A bridge over real pollers: devices that vanish and return, groups that are polled together, peers by others."""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from cpppo.remote.bridge_config import BridgeConfig, parse_bridge
from cpppo.remote.bridge_devices import Bridge, modbus_pollers
from cpppo.remote.simulator import simulator
from cpppo.remote.transacting import TIMEOUT_S
from cpppo.server.enip.client import connector, parse_operations
from cpppo.server.enip.serve import serve
from tests.remote.bus import Bus
from tests.remote.field import Field
from tests.tools import need_module

CELLS = {**dict.fromkeys(range(40001, 40200), 0), **dict.fromkeys(range(1, 20), 0), 30001: 0b1000}


def _config(**devices: tuple[Field, str]) -> BridgeConfig:
    text = "".join(
        f'[devices.{name}]\nhost = "127.0.0.1"\nport = {field.address[1]}\nrate = 0.02\ntimeout = 1\n'
        f'online = "{name}_Online"\n[devices.{name}.tags]\n{tags}\n'
        for name, (field, tags) in devices.items()
    )
    return parse_bridge(text.encode())


@contextmanager
def _served(config: BridgeConfig) -> Iterator[tuple[Bridge, tuple[str, int]]]:
    with Bridge(config) as bridge:
        server: Any = serve(bridge.device, ("127.0.0.1", 0))
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield bridge, server.address
        finally:
            server.stop()
            thread.join()


class _Watch:
    """Waits until what pollers hold is as wanted; woken by their changes, and by time where there is none to come."""

    def __init__(self, *pollers: Any) -> None:
        self._changed = threading.Condition()
        for one in pollers:
            one.on_change(self._tell)

    def _tell(self, address: int, old: Any, new: Any) -> None:
        with self._changed:
            self._changed.notify_all()

    def until(self, wanted: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(wanted, 10)


def _real(value: float) -> list[int]:
    return list(struct.unpack(">2H", struct.pack(">f", value)))


def test_a_device_that_is_gone_is_0x02_and_the_others_go_on() -> None:
    """Tags of a stopped device have status 0x02, never old values, while others' read on; it returns with new ones."""
    with Field(CELLS) as one, Field(CELLS) as two:
        one[40001] = [*_real(1.5), 7]
        two[40001] = [8]
        config = _config(One=(one, 'Level = "REAL @ 40001"\nStep = "INT @ 40003"'), Two=(two, 'Other = "INT @ 40001"'))
        with _served(config) as (bridge, address), connector(*address, timeout=5.0) as connection:
            first, second = bridge.pollers["One"], bridge.pollers["Two"]
            watch = _Watch(first, second)

            def read(*tags: str) -> list[Any]:
                return [(r.sts, r.val) for r in connection.synchronous(parse_operations(tags))]

            watch.until(lambda: None not in first.values([40001, 40003]) and None not in second.values([40001]))
            assert read("Level", "Step", "Other", "One_Online") == [(0, [1.5]), (0, [7]), (0, [8]), (0, [True])]
            one.stop()
            watch.until(lambda: first.values([40001, 40002, 40003]) == [None] * 3)
            assert read("Level", "Step", "Other", "One_Online", "Two_Online") == [
                (2, None),
                (2, None),
                (0, [8]),
                (0, [False]),
                (0, [True]),
            ]
            assert read("Step=(INT)1", "Other=(INT)9") == [(2, None), (0, True)]
            assert (one.writes, two.writes) == ([], [(6, 40001, [9])])
            one[40001] = [*_real(-3.0), 9]
            one.start()
            watch.until(lambda: first.values([40003]) == [9])
            assert read("Level", "Step", "Other", "One_Online") == [(0, [-3.0]), (0, [9]), (0, [9]), (0, [True])]


def test_writes_pass_through() -> None:
    """What a client writes is in the device once the write is answered, by one request for each value or array."""
    with Field(CELLS) as field:
        tags = (
            'Level = "REAL @ 40001 CDAB"\nList = "INT[4] @ 40011"\nPump = "BOOL @ 1"\n'
            'Valves = "BOOL[8] @ 11"\nNo = "INT @ 45000"'
        )
        with _served(_config(One=(field, tags))) as (bridge, address):
            with connector(*address, timeout=5.0) as connection:
                operations = [
                    "Level=(REAL)2.5",
                    "List[1-2]=(INT)-1,2",
                    "Pump=(BOOL)1",
                    "Valves[0].3=(BOOL)1",
                    "No=(INT)1",
                ]
                results = list(connection.synchronous(parse_operations(operations)))
            assert [one.sts for one in results[:4]] == [0] * 4
            assert results[4].sts == (0x0F, [2]), "the device has no such register: exception code 2"
            high, low = _real(2.5)
            assert field.writes == [(16, 40001, [low, high]), (16, 40012, [0xFFFF, 2]), (5, 1, [1]), (5, 14, [1])]


def test_a_value_is_never_of_two_polls() -> None:
    """Registers that change together, again and again, are read together: no REAL is half old and half new."""
    with Field(CELLS) as field:
        tags = (
            "\n".join(f'T{at} = "DINT @ {40001 + 2 * at}"' for at in range(90))
            + '\nOdd = "INT @ 40126"\nAt = "INT @ 40125"'
        )
        with _served(_config(One=(field, tags))) as (bridge, address):
            poller: Any = bridge.pollers["One"]
            watch = _Watch(poller)
            seen: set[int] = set()
            with connector(*address, timeout=5.0) as connection:
                watch.until(lambda: None not in poller.values(range(40001, 40181)))
                last, number = poller.counter + 20, 0
                while poller.counter < last:
                    number = number % 0x7000 + 1
                    field[40001] = [number, number] * 90
                    for result in connection.synchronous(parse_operations(["T0", "T62", "T89"])):
                        assert result.sts == 0, result
                        high, low = divmod(result.val[0], 0x10000)
                        assert high == low
                        seen.add(high)
            assert len(seen) > 1, "nothing changed while it was read"


def test_values_that_overlap_are_polled_together() -> None:
    """Tags over the same registers are one group, those side by side are not; too long a chain is polled as it is."""
    wanted: list[tuple[int, int]] = []

    class Poller:
        online = False

        def poll(self, address: int, rate: float | None = None, count: int = 1) -> None:
            wanted.append((address, count))

        def stop(self, timeout: float | None = None) -> bool:
            return True

    def polled(*tags: str) -> list[tuple[int, int]]:
        wanted.clear()
        text = "\n".join(f'T{at} = "{tag}"' for at, tag in enumerate(tags))
        config = parse_bridge(f'[devices.A]\nhost = "a"\n[devices.A.tags]\n{text}'.encode())
        pollers: Any = lambda config, stack: {"A": Poller()}  # noqa: E731
        with Bridge(config, pollers):
            return list(wanted)

    assert polled("REAL @ 40001", "INT @ 40003", "REAL @ 40004") == [(40001, 2), (40003, 1), (40004, 2)]
    assert polled("REAL @ 40002", "INT @ 40001", "INT @ 40003", "DINT @ 40003") == [(40001, 1), (40002, 3)]
    assert polled("BOOL[20] @ 40001.0", "BOOL[2] @ 1") == [(1, 1), (2, 1), (40001, 1), (40002, 1)]
    chain = polled("DINT[80] @ 40001", "DINT[80] @ 40002")
    assert len(chain) == 160 and set(count for _, count in chain) == {2}


def test_devices_of_a_serial_line_share_it() -> None:
    """One client serves a line, with the longest of its time-outs; it is closed at the end."""
    line = b'serial = "/dev/does-not-exist"\nbaudrate = 9600\nparity = "N"\n'
    config = parse_bridge(
        b"[devices.A]\n" + line + b'unit = 1\nonline = "A_Online"\ntimeout = 1\n'
        b"[devices.B]\n" + line + b'unit = 2\nonline = "B_Online"\ntimeout = 3\n'
        b'[devices.C]\nserial = "/dev/other"\nonline = "C_Online"\n'
    )
    stack = ExitStack()
    pollers: dict[str, Any] = modbus_pollers(config, stack)
    try:
        a, b, c = (pollers[name] for name in "ABC")
        assert a.client is b.client and a.client is not c.client
        told = a.client.comm_params
        assert (told.host, told.baudrate, told.parity, told.stopbits) == ("/dev/does-not-exist", 9600, "N", 1)
        assert (told.timeout_connect, c.client.comm_params.timeout_connect) == (3, TIMEOUT_S)
        assert (a.unit, b.unit, c.unit) == (1, 2, 1)
    finally:
        for one in pollers.values():
            one.stop()
        stack.close()


def test_threads_end() -> None:
    """After the end of a bridge there is no thread of it, whether its devices answered or not."""
    before = set(threading.enumerate())
    with Field(CELLS) as field, Field(CELLS) as silent:
        silent.stop()
        config = _config(One=(field, 'Level = "REAL @ 40001"'), Two=(silent, 'Other = "INT @ 40001"'))
        with Bridge(config) as bridge:
            _Watch(bridge.pollers["One"]).until(lambda: None not in bridge.pollers["One"].values([40001]))
        assert not [one.name for one in set(threading.enumerate()) - before if one.name.startswith("poll")]


@pytest.mark.peers
def test_peers_on_both_sides() -> None:
    """pylogix writes a tag, pymodbus' client finds it in the device, and the other way round."""
    pylogix, modbus = need_module("pylogix"), need_module("pymodbus.client")
    with Field(CELLS) as field:
        tags = 'Level = "REAL @ 40001 CDAB"\nList = "DINT[4] @ 40011"\nPump = "BOOL @ 1"\nAlarm = "BOOL @ 30001.3"'
        with _served(_config(One=(field, tags))) as (bridge, address):
            poller: Any = bridge.pollers["One"]
            watch = _Watch(poller)
            client = modbus.ModbusTcpClient("127.0.0.1", port=field.address[1])
            assert client.connect()
            with pylogix.PLC("127.0.0.1", port=address[1]) as plc:
                plc.conn.msg_socket.close()  # it never closes that itself
                watch.until(lambda: None not in poller.values([40001, 30001, 1]))
                assert plc.Write("Level", 12.5).Status == "Success"
                assert plc.Write("List[1]", [-5, 6]).Status == "Success"
                assert plc.Write("Pump", True).Status == "Success"
                held = client.read_holding_registers(0, count=18).registers
                assert held[:2] == _real(12.5)[::-1]
                assert held[10:18] == [0, 0, 0xFFFF, 0xFFFB, 0, 6, 0, 0]
                assert client.read_coils(0, count=1).bits[0] is True
                assert plc.Read("Alarm").Value is True
                client.write_registers(10, [0, 1, 0, 2, 0, 3, 0, 4])
                watch.until(lambda: poller.values([40018]) == [4])
                assert plc.Read("List[0]", 4).Value == [1, 2, 3, 4]
                field.stop()
                watch.until(lambda: poller.values([40001]) == [None])
                assert plc.Read("Level").Status == "Resource unavailable"
            client.close()


def test_who_hears_of_offline_finds_no_value() -> None:
    """When the log says that a device is offline, its values are gone already."""
    found: list[Any] = []
    over = threading.Event()

    class Reads(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().endswith("offline"):
                found.extend(poller.values([1, 30001, 40001]))
                over.set()

    tags = 'Pump = "BOOL @ 1"\nInput = "INT @ 30001"\nLevel = "INT @ 40001"'  # three requests: not all are tried
    with Field(CELLS) as field, Bridge(_config(One=(field, tags))) as bridge:
        poller: Any = bridge.pollers["One"]
        _Watch(poller).until(lambda: None not in poller.values([1, 30001, 40001]))
        handler = Reads()
        logging.getLogger("cpppo.remote.polling").addHandler(handler)
        try:
            field.stop()
            assert over.wait(10)
        finally:
            logging.getLogger("cpppo.remote.polling").removeHandler(handler)
    assert found == [None] * 3


def test_a_serial_line_with_several_units() -> None:
    """Devices of one line are polled and written in turn; one that is not there is 0x02, the others go on."""
    with (
        Bus() as bus,
        simulator("40001-40002=0", address=bus.paths[1], units={1: ["40001=11"], 2: ["40001=22"]}) as sim,
    ):
        config = parse_bridge(
            "".join(
                f'[devices.U{unit}]\nserial = "{bus.paths[0]}"\nbaudrate = 115200\nparity = "N"\nunit = {unit}\n'
                f'rate = 0.05\ntimeout = 0.3\n[devices.U{unit}.tags]\nT{unit} = "INT @ 40001"\n'
                for unit in (1, 2, 3)
            ).encode()
        )
        with _served(config) as (bridge, address), connector(*address, timeout=5.0) as connection:
            pollers: list[Any] = list(bridge.pollers.values())
            _Watch(*pollers).until(lambda: [one.values([40001]) for one in pollers] == [[11], [22], [None]])
            operations = parse_operations(["T1", "T2", "T3", "T2=(INT)-5"])
            assert [(one.sts, one.val) for one in connection.synchronous(operations)] == [
                (0, [11]),
                (0, [22]),
                (2, None),
                (0, True),
            ]
            assert (sim.unit(1)[40001], sim.unit(2)[40001]) == (11, 0xFFFB)
