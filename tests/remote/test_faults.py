"""The fault matrix: every way in which a simulated device can be wrong, over TCP and RTU, for client and poller.

Whatever the device does, a client either gives the value or says that it has none; and a poller never shows a value
that the device does not hold, goes on, and has the value when the device is right again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cpppo.errors import Error
from cpppo.remote.pdu import reply_values, request_read
from cpppo.remote.plc_modbus import poller_modbus
from cpppo.remote.pymodbus_fixes import modbus_client_rtu, modbus_client_tcp
from cpppo.remote.simulator import Simulator, simulator
from tests.remote.bus import Bus
from tests.remote.test_plc_modbus import until

VALUES = list(range(7001, 7011))
HELD = "40001-40010=" + ",".join(map(str, VALUES))
READ = request_read(3, 0, 10)
TIMEOUT_S = 0.1
SEED = 7

pytestmark = pytest.mark.long

#: Where and in which way it is wrong; whether clients can tell it from a good reply.  A value that was changed under a
#: checksum that fits, or over TCP, is what the device says: no client can tell.
EVILS = [
    *((where, "truncate", True) for where in ("tcp", "rtu")),
    *((where, "delay:0.2", True) for where in ("tcp", "rtu")),
    *((where, "delay:0.01-0.02", False) for where in ("tcp", "rtu")),
    ("tcp", "corrupt:transaction", True),
    ("tcp", "corrupt:protocol", True),
    *((where, "corrupt:unit", True) for where in ("tcp", "rtu")),
    *((where, "corrupt:function", True) for where in ("tcp", "rtu")),
    ("rtu", "corrupt:checksum", True),
    *((where, "corrupt:registers", False) for where in ("tcp", "rtu")),
]
Made = tuple[Simulator, Any]


@pytest.fixture
def wrong() -> Iterator[Callable[[str, str], Made]]:
    """Makes (simulator, client) of an evil, over TCP or a serial line."""
    with ExitStack() as stack:

        def make(where: str, evil: str) -> Made:
            if where == "tcp":
                sim = stack.enter_context(simulator(HELD, evil=evil, seed=SEED))
                return sim, modbus_client_tcp(*sim.address, timeout=TIMEOUT_S)
            bus = stack.enter_context(Bus())
            line = {"baudrate": 115200}
            sim = stack.enter_context(simulator(HELD, address=bus.paths[0], evil=evil, seed=SEED, **line))
            return sim, modbus_client_rtu(port=bus.paths[1], timeout=TIMEOUT_S, **line)

        yield make


def mend(sim: Simulator) -> None:
    """From now on the device is right."""
    sim.evil = None


@pytest.mark.parametrize(("where", "evil", "told"), EVILS)
def test_client(wrong: Callable[[str, str], Made], where: str, evil: str, told: bool) -> None:
    """Either the values or an error, in time; and the values when the device is right again."""
    sim, client = wrong(where, evil)
    for _ in range(4):
        begun = time.monotonic()
        try:
            values = reply_values(READ, client.transact(READ))
        except Error as exc:
            assert told, exc
            assert str(client) in str(exc)
        else:
            assert not told
            assert values == VALUES or evil == "corrupt:registers"
        assert time.monotonic() - begun < 10
    mend(sim)
    client.timeout = 30
    for _ in range(5):  # what is still under way to the client may cost it a transaction or two
        try:
            assert reply_values(READ, client.transact(READ)) == VALUES
            break
        except Error:
            continue
    else:
        raise AssertionError("it does not recover")
    client.close()


@pytest.mark.parametrize(("where", "evil", "told"), EVILS)
def test_poller(wrong: Callable[[str, str], Made], where: str, evil: str, told: bool) -> None:
    """It goes on, shows nothing that is not there, says what fails, and recovers by itself."""
    sim, client = wrong(where, evil)
    shown: list[Any] = []
    changed = threading.Event()
    with poller_modbus("evil", client, rate=0.03) as plc:
        plc.on_change(lambda address, old, new: (shown.append((address, new)), changed.set()))
        for number in range(10):
            plc.poll(40001 + number)
        until(lambda: plc.counter >= 4)
        if told:
            assert not plc.online
            assert plc.values(range(40001, 40011)) == [None] * 10
            counts = plc.counts(40001)
            assert counts.timeouts + counts.others > 0
            assert counts.last
        mend(sim)
        until(lambda: plc.online and plc.values(range(40001, 40011)) == VALUES)
    client.close()
    if evil != "corrupt:registers":
        assert {(address, new) for address, new in shown if new is not None} <= set(enumerate(VALUES, 40001))


@pytest.mark.parametrize("where", ["tcp", "rtu"])
@pytest.mark.parametrize("evil", ["corrupt", "truncate", "delay:0-0.2"])
def test_writes(wrong: Callable[[str, str], Made], where: str, evil: str) -> None:
    """A write returns when it is confirmed, or raises; then the device may hold it or not, and nothing else."""
    sim, client = wrong(where, evil)
    with poller_modbus("evil", client) as plc:
        confirmed = 7001
        possible = {confirmed}
        for value in range(1, 7):
            possible.add(value)
            try:
                plc.write(40001, value)
            except Error:
                continue
            possible = {value}
        assert sim[40001] in possible
        assert sim[40002:40011] == VALUES[1:]
    client.close()


def test_noise_on_the_line() -> None:
    """Octets of noise between frames cost no poll; a frame that is damaged costs one, and is never shown."""
    with Bus() as bus, simulator(HELD, address=bus.paths[0], baudrate=115200) as sim:
        client = modbus_client_rtu(port=bus.paths[1], baudrate=115200, timeout=0.1)
        bus.carry = lambda octets: b"\xff\x01\x00" + octets  # type: ignore[method-assign]
        for _ in range(10):
            assert reply_values(READ, client.transact(READ)) == VALUES
        flips = iter(range(10_000))
        bus.carry = (
            lambda octets: (  # type: ignore[method-assign]
                octets if next(flips) % 3 else bytes((octets[0] ^ 0x40,)) + octets[1:]
            )
        )
        shown: set[Any] = set()
        with poller_modbus("noisy", client, rate=0.01) as plc:
            plc.on_change(lambda address, old, new: shown.add(new))
            plc.poll(40001)
            until(lambda: plc.counter > 10)
        assert shown <= {7001, None}
        assert sim[40001] == 7001
        client.close()
