"""The polling thread: against simulated devices that come, go, are slow, and refuse; over TCP and serial lines."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException, ParameterException

from cpppo.remote import PlcOffline, plc_modbus
from cpppo.remote.framing import rtu_frame
from cpppo.remote.pdu import request_write
from cpppo.remote.plc_modbus import poller_modbus
from cpppo.remote.polling import Counts
from cpppo.remote.pymodbus_fixes import modbus_client_rtu, modbus_client_tcp
from cpppo.remote.simulator import Simulator, simulator
from cpppo.remote.transacting import NoAnswer
from tests.remote.modbus_device import Device
from tests.remote.scripted import SerialDevice, TcpDevice
from tests.remote.test_transacting import rtu

SOON = 20.0


def until(true: Callable[[], object], events: threading.Event | None = None) -> None:
    """Wait for something to become true; who polls tells changes, and `events` is set by them."""
    end = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < end, "it never came"
        (events or threading.Event()).wait(0.01)
        if events:
            events.clear()


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator("40001-40100=99", "1-16=1,0", "10001-10016=0,1", "30001-30010=5,6,7") as sim:
        yield sim


def poller(sim: Simulator, rate: float = 0.02, **options: Any) -> poller_modbus:
    host, port = sim.address
    return poller_modbus("fake", host=host, port=port, rate=rate, **options)


def test_the_example_of_the_specification(sim: Simulator) -> None:
    """Poll, read what was polled, write at once, read it after the next poll."""
    p = plc_modbus.poller_modbus("fake", host="localhost", port=sim.address[1], rate=0.05)
    p.poll(40001)
    until(lambda: p.read(40001) == 99)
    p.write(40001, 123)
    assert sim[40001] == 123
    until(lambda: p.read(40001) == 123)
    assert p.stop()


def test_all_tables(sim: Simulator) -> None:
    """Coils, discrete inputs, input and holding registers, in both notations; what is written is read."""
    with poller(sim) as plc:
        addresses = [1, 2, 10001, 10002, 100002, 30001, 300002, 40001, 400100]
        until(lambda: plc.values(addresses) == [True, False, False, True, True, 5, 6, 99, 99])
        plc.write(1, [0, 1, 1])
        plc.write(5, False)
        plc.write(40001, [1, 2, 3])
        assert sim[1:6] == [0, 1, 1, 0, 0]
        assert sim[40001:40005] == [1, 2, 3, 99]
        for address, told in ((10001, "Invalid Modbus address for write: 10001"), (30001, "input registers are read-")):
            with pytest.raises(ParameterException, match=told):
                plc.write(address, 1)


def test_a_refused_write(sim: Simulator) -> None:
    """The device's exception is raised, under pymodbus' name, too, with both function codes."""
    with poller(sim) as plc, pytest.raises(ModbusException, match=r"Exception Response\(134, 6, IllegalAddress\)"):
        plc.write(40101, 1)


def test_what_is_refused_does_not_keep_others(sim: Simulator) -> None:
    """Registers that are not there are found out; those beside them are polled."""
    with poller(sim) as plc:
        until(lambda: plc.values([40099, 40100, 40101, 40150]) == [99, 99, None, None])
        until(lambda: plc.refused == [(40101, 1), (40150, 1)])
        assert plc.counts(40150).exceptions > 0
        assert plc.online


def test_values_change(sim: Simulator) -> None:
    """Changes are told by the polling thread; what the called function does wrong is logged, and polls go on."""
    changed = threading.Event()
    told: list[tuple[int, Any, Any]] = []

    def note(*change: Any) -> None:
        told.append(change)
        changed.set()
        raise RuntimeError("no display")

    with poller(sim) as plc:
        plc.on_change(note)
        plc.poll(40001)
        assert changed.wait(SOON)
        changed.clear()
        sim[40001] = 100
        assert changed.wait(SOON)
    assert told[:2] == [(40001, None, 99), (40001, 99, 100)]


def test_a_device_that_goes_and_comes(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """No values and no writes while it is away, both told once; it is found again by itself."""
    caplog.set_level(logging.WARNING, "cpppo.remote.polling")
    address = sim.address
    with poller(sim, timeout=0.3) as plc:
        until(lambda: plc.read(40001) == 99)
        sim.stop()
        until(lambda: not plc.online)
        assert (plc.read(40001), plc.age(40001)) == (None, None)
        with pytest.raises(PlcOffline, match="Write to PLC fake/ 40001 failed: Offline"):
            plc.write(40001, 5)
        counter = plc.counter
        until(lambda: plc.counter > counter + 3)
        with simulator("40001=7", address=address):
            until(lambda: plc.read(40001) == 7)
            plc.write(40001, 5)
            told = [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]
    assert told == [f"Polling: PLC fake {what}" for what in ("online", "offline", "online")]


def test_who_reads_never_waits() -> None:
    """While the device does not answer, reading takes no time; a write is refused when that is known."""
    with TcpDevice(lambda request: iter([])) as device:
        plc = poller_modbus("deaf", host="127.0.0.1", port=device.port, rate=0.02, timeout=30)
        plc.poll(40001)
        until(lambda: device.requests)
        begun = time.monotonic()
        for address in range(40001, 40100):
            assert plc.read(address) is None
        assert plc.values(range(40001, 40100)) == [None] * 99
        assert time.monotonic() - begun < 5
        begun = time.monotonic()
        assert plc.stop()
        assert time.monotonic() - begun < 5
        assert not plc.is_alive()


def test_stopping_says_nothing_of_the_device(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """A poll that stop() interrupts is no failure; no thread and no connection are left; again it does nothing."""
    caplog.set_level(logging.WARNING)
    plc = poller(sim)
    plc.poll(40001)
    until(lambda: plc.counter > 2)
    assert plc.stop()
    assert plc.stop()
    assert (plc.counts(40001).timeouts, plc.counts(40001).others) == (0, 0)
    assert plc.client.socket is None
    assert not plc.is_alive()
    assert [record.getMessage() for record in caplog.records if "offline" in record.getMessage()] == []
    assert [thread for thread in threading.enumerate() if thread.name == "poll fake"] == []


def test_stopping_from_a_change(sim: Simulator) -> None:
    """The polling thread itself may end the polling."""
    plc = poller(sim)
    plc.on_change(lambda *_: plc.stop())
    plc.poll(40001)
    plc.join(SOON)
    assert not plc.is_alive()


def test_a_device_that_is_offline_is_not_slow(caplog: pytest.LogCaptureFixture) -> None:
    """Polls that wait for a silent device leave beats out, too, which is not told for days: it is offline."""
    with Device() as silent:
        silent.answer = lambda unit, pdu: None
        with poller_modbus("fake", host="127.0.0.1", port=silent.port, rate=0.05, timeout=0.12) as plc:
            plc.poll(40001)
            until(lambda: plc.counter > 3)
    assert [one for one in caplog.messages if "slipped" in one] == []


def test_polls_that_are_too_slow(caplog: pytest.LogCaptureFixture) -> None:
    """Beats are left out and told, and the others stay where they were."""

    def slips() -> list[str]:
        return [record.getMessage() for record in caplog.records if "slipped" in record.getMessage()]

    with simulator("40001-40010=1", evil="delay:0.25") as sim, poller(sim, rate=0.1) as plc:
        plc.poll(40001)
        until(lambda: len(slips()) > 1)
        assert plc.duration > 0.2
        assert plc.load[0] is not None and plc.load[0] > 0.5
    assert set(slips()) <= {f"Polling: PLC fake slipped; missed {number} cycles" for number in range(1, 9)}


def test_a_faster_rate_counts_at_once(sim: Simulator) -> None:
    """A poller that waits for a minute is woken by a shorter rate; a new address does not wait for its turn."""
    with poller(sim, rate=3600) as plc:
        plc.poll(40001)
        until(lambda: plc.read(40001) == 99)
        until(lambda: plc.read(30001) == 5)
        assert plc.counter == 1
        sim[40001] = 1
        plc.poll(40001, rate=0.02)
        until(lambda: plc.read(40001) == 1)
        assert plc.rate == 0.02


def test_units_share_a_client() -> None:
    """Devices behind one gateway are polled over one connection, each by its unit."""
    with simulator(units={1: ["40001=1"], 2: ["40001=2"], 3: ["40001=3"]}) as sim:
        client = modbus_client_tcp(*sim.address)
        plcs = [poller_modbus(f"unit {unit}", client, unit=unit, rate=0.02) for unit in (1, 2, 3)]
        until(lambda: [plc.read(40001) for plc in plcs] == [1, 2, 3])
        plcs[1].write(40001, 7)
        assert [sim.unit(unit)[40001] for unit in (1, 2, 3)] == [1, 7, 3]
        assert all(plc.stop() for plc in plcs)
        assert client.connect(), "a client that was given is not closed"
        client.close()


def test_units_share_a_serial_line() -> None:
    """Several units of one bus; one that is not there does not take the others down."""
    values = {1: b"\0\1", 2: b"\0\2"}
    with SerialDevice(lambda r: iter([rtu(r, b"\3\2" + values[r[0]])] if r[0] in values else [])) as device:
        client = modbus_client_rtu(port=device.path, baudrate=115200, timeout=0.2)
        plcs = [poller_modbus(f"unit {unit}", client, unit=unit, rate=0.05) for unit in (1, 2, 3)]
        until(lambda: [plc.read(40001) for plc in plcs] == [1, 2, None] and plcs[2].counter > 1)
        assert [plc.online for plc in plcs] == [True, True, False]
        assert all(plc.stop() for plc in plcs)
        client.close()


def test_a_client_of_pymodbus(sim: Simulator) -> None:
    """pymodbus' own client will do, too."""
    host, port = sim.address
    client = ModbusTcpClient(host, port=port, timeout=1, retries=0)
    with poller_modbus("fake", client, rate=0.02) as plc:
        until(lambda: plc.values([40001, 1, 10002]) == [99, True, True])
        plc.write(40001, 5)
        plc.write(40002, [6, 7])
        plc.write(2, True)
        assert (sim[40001:40004], sim[2]) == ([5, 6, 7], 1)
        with pytest.raises(ModbusException, match="134, 6, IllegalAddress"):
            plc.write(40101, 1)
        sim.stop()
        until(lambda: not plc.online)
    client.close()


def test_a_client_of_others_that_raises_anything(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """What such a client raises is no answer; it is counted, and values do not stay."""
    host, port = sim.address
    client = ModbusTcpClient(host, port=port, timeout=1, retries=0)
    with poller_modbus("fake", client, rate=0.02) as plc:
        until(lambda: plc.read(40001) == 99)
        monkeypatch.setattr(client, "execute", lambda *_: [][0])
        until(lambda: not plc.online)
        assert (plc.read(40001), "IndexError" in plc.counts(40001).last) == (None, True)
    client.close()


def test_a_write_that_is_not_answered() -> None:
    """It is said that nothing is known of it: it is not called offline, and it is not sent again."""
    with TcpDevice(lambda request: iter([])) as device:
        with poller_modbus("deaf", host="127.0.0.1", port=device.port, timeout=0.2) as plc:
            with pytest.raises(NoAnswer, match=f"Write to PLC deaf/ 40001 failed: 127.0.0.1:{device.port}: no answer"):
                plc.write(40001, 1)
        assert len(device.requests) == 1


def test_a_write_to_who_is_not_there() -> None:
    """Nobody listens: offline, even if nothing was polled yet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        poller_modbus("gone", host="127.0.0.1", port=port, timeout=5) as plc,
        pytest.raises(PlcOffline, match="refused"),
    ):
        plc.write(40001, 1)


def test_writes_while_polls_go_on(sim: Simulator) -> None:
    """Writers and polls share a connection; every write is confirmed, and every value read is one that was there."""
    seen: set[int] = set()
    with poller(sim, rate=0.001) as plc:
        plc.on_change(lambda address, old, new: seen.add(new))
        plc.poll(40001)

        def write(first: int) -> None:
            for value in range(first, first + 50):
                plc.write(40001, value)

        writers = [threading.Thread(target=write, args=(1000 * number,)) for number in (1, 2, 3)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(SOON)
        until(lambda: plc.read(40001) == sim[40001])
    assert seen <= {99, *(1000 * number + more for number in (1, 2, 3) for more in range(50))}


def test_a_name_that_stops_resolving(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is offline, the thread goes on, and finds it when its name is known again."""
    found = socket.getaddrinfo

    def lost(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    with poller(sim, timeout=0.5) as plc:
        until(lambda: plc.read(40001) == 99)
        monkeypatch.setattr(socket, "getaddrinfo", lost)
        plc.client.abort()
        until(lambda: not plc.online)
        assert "Name or service not known" in plc.counts(40001).last
        monkeypatch.setattr(socket, "getaddrinfo", found)
        until(lambda: plc.read(40001) == 99)


def test_our_own_faults_do_not_end_it(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong inside is logged with its traceback, no old value is given, and polling goes on."""
    with poller(sim) as plc:
        until(lambda: plc.read(40001) == 99)
        with monkeypatch.context() as broken:
            broken.setattr(plc.client, "transact", lambda *_: 1 / 0)
            until(lambda: any("a fault of ours; polling goes on" in record.getMessage() for record in caplog.records))
            until(lambda: not plc.online)
            assert plc.read(40001) is None
        sim[40001] = 3
        until(lambda: plc.read(40001) == 3)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "a poller needs a client or a host"),
        ({"host": "x", "client": object()}, "a poller needs a client or a host"),
        ({"host": "x", "rate": 0}, "a rate is a time in seconds"),
        ({"host": "x", "timeout": 0}, "a time-out is a time in seconds"),
        ({"host": "x", "reach": 0}, "reach is a number of addresses"),
        ({"host": "x", "unit": 300}, "a unit is 0 to 255"),
    ],
)
def test_settings_that_cannot_be(options: dict[str, Any], told: str) -> None:
    """They are refused where the poller is made; no thread begins."""
    with pytest.raises(ValueError, match=told):
        poller_modbus("fake", **options)
    assert [thread for thread in threading.enumerate() if thread.name == "poll fake"] == []


def test_a_serial_device_that_is_unplugged() -> None:
    """The thread goes on without it, and finds the device when the line is there again."""
    with SerialDevice(lambda request: iter([rtu(request, b"\3\2\0\7")])) as device:
        client = modbus_client_rtu(port=device.path, baudrate=115200, timeout=0.3)
        plc = poller_modbus("serial", client, rate=0.05)
        until(lambda: plc.read(40001) == 7)
        device.unplug()
        until(lambda: not plc.online)
        assert plc.read(40001) is None
    with SerialDevice(lambda request: iter([rtu(request, b"\3\2\0\x08")])) as device:
        client.comm_params.host = device.path
        until(lambda: plc.read(40001) == 8)
        assert plc.stop()
        client.close()


def test_a_write_after_the_end(sim: Simulator) -> None:
    """It fails, and opens no connection that nobody would close."""
    plc = poller(sim)
    until(lambda: plc.read(40001) == 99)
    assert plc.stop()
    with pytest.raises(PlcOffline, match="closed"):
        plc.write(40001, 5)
    assert (sim[40001], plc.client.socket) == (99, None)


def test_a_write_to_all_units_of_a_line() -> None:
    """Nobody answers it, and that is no failure."""
    with SerialDevice(lambda request: iter([])) as device:
        client = modbus_client_rtu(port=device.path, baudrate=115200, timeout=0.3)
        with poller_modbus("all", client, unit=0) as plc:
            plc.write(40001, 5)
        client.close()
        until(lambda: device.requests == [rtu_frame(0, request_write(6, 0, [5]))])


def test_a_silent_poll_that_is_stopped() -> None:
    """A request that stop() interrupts counts as no failure of its address."""
    asked = threading.Event()

    def silent(request: bytes) -> Iterator[bytes | None]:
        asked.set()
        return iter([])

    with TcpDevice(silent) as device:
        plc = poller_modbus("silent", host="127.0.0.1", port=device.port, timeout=60)
        plc.poll(40001)
        assert asked.wait(10)
        assert plc.stop(10)
        assert plc.counts(40001) == Counts()
