"""The poller metaphor without a protocol."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import pytest

from cpppo.remote import PlcOffline, plc_poller, poller_simulator
from tests.tools import python_environment


def test_reading_begins_polling() -> None:
    """A value is None until the poll after it was first asked for."""
    plc = poller_simulator("pump", initial=7)
    assert plc.read(40001) is None
    assert plc.addresses == {40001}
    plc._receive()
    assert (plc.read(40001), plc.read(40002)) == (7, None)


def test_writes_are_seen_after_the_next_poll() -> None:
    """One value, or several from an address on."""
    plc = poller_simulator()
    plc.poll(1)
    plc.write(1, 5)
    plc.write(2, [6, 7])
    assert plc.read(1) is None
    plc._receive()
    plc.values([1, 2, 3])
    plc._receive()
    assert plc.values([1, 2, 3]) == [5, 6, 7]


def test_offline() -> None:
    """Offline nothing is read, and a write is refused by name, place and reason."""
    plc = poller_simulator("pump")
    plc.poll(40001)
    plc._receive()
    plc.online = False
    assert plc.read(40001) is None
    with pytest.raises(PlcOffline, match="Write to PLC pump/ 40001 failed: Offline"):
        plc.write(40001, 1)
    with pytest.raises(PlcOffline):
        plc_poller("nothing there").write(1, 1)


def test_the_rate_only_increases() -> None:
    """Of all rates asked for, the shortest time counts."""
    plc = plc_poller(rate=2)
    plc.poll(1, rate=0.5)
    plc.poll(2, rate=3)
    assert (plc.rate, plc_poller().rate) == (0.5, 1.0)


@pytest.mark.parametrize("rate", [0, -1, 5e-324, 1e10, float("inf"), float("nan")])
def test_rates_that_are_none(rate: float) -> None:
    """A rate is a time of more than nothing, and one that can be waited for."""
    with pytest.raises(ValueError, match="a rate is a time in seconds"):
        plc_poller(rate=rate)
    with pytest.raises(ValueError, match="a rate is a time in seconds"):
        plc_poller().poll(1, rate=rate)


def test_changes_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Old and new value of each change, once; a function that fails is logged and keeps nobody from being told."""
    plc = poller_simulator()
    told: list[tuple[int, object, object]] = []

    def broken(*_: object) -> None:
        raise RuntimeError("no display")

    def ending(*_: object) -> None:
        sys.exit("it would end the thread that polls, and nothing else")

    plc.on_change(broken)
    plc.on_change(ending)
    plc.on_change(lambda *change: told.append(change))
    plc.poll(1)
    plc._receive()
    plc._receive()
    plc.write(1, 5)
    plc._receive()
    plc._forget([1, 2])
    assert told == [(1, None, 0), (1, 0, 5), (1, 5, None)]
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 6
    assert plc.age(1) is None


def test_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The age of a value counts from when it was asked for."""
    monkeypatch.setattr("cpppo.remote.plc.clock", lambda: 100.0)
    plc = poller_simulator()
    plc.poll(1)
    plc._store(1, 9, at=98.5)
    plc._store(2, 9, at=98.5)
    assert (plc.age(1), plc.age(2)) == (1.5, None)
    plc._store(2, 9, create=True)
    assert plc.age(2) == 0


def test_several_values_are_of_one_poll() -> None:
    """Whoever asks for two values never sees one of a poll and one of the next."""
    plc = poller_simulator()
    plc.values([1, 2])
    ended = threading.Event()
    torn: list[list[int]] = []

    def look() -> None:
        while not ended.is_set():
            both = plc.values([1, 2])
            if both[0] != both[1]:
                torn.append(both)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(2000):
        plc.write(1, [number, number])
        plc._receive()
    ended.set()
    reader.join()
    assert torn == []


def test_the_metaphor_needs_no_pymodbus() -> None:
    """cpppo.remote and the poller can be had where pymodbus is not; what needs it says how to get it."""
    code = (
        "import sys; sys.modules['pymodbus'] = None; from cpppo.remote import plc_poller; import cpppo.remote.plc\n"
        "import cpppo.remote.polling\nprint('here')\nimport cpppo.remote.plc_modbus"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=python_environment(), timeout=60
    )
    assert run.stdout == "here\n"
    assert run.stderr.splitlines()[-1].endswith("Modbus needs pymodbus 3.16 and pyserial: pip install 'cpppo[remote]'")
