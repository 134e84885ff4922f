"""What a poll makes of answers and silences, with a device in memory and a clock by hand."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from cpppo.errors import Error, UsageError
from cpppo.remote import pdu
from cpppo.remote.plc import PlcOffline
from cpppo.remote.polling import Counts, Poll, polling
from cpppo.remote.ranges import TABLES
from cpppo.remote.transacting import BadReply, NoAnswer, NotConnected

Answer = Callable[[int, int, int], list[int]]


class Device:
    """A device in memory: registers by protocol address; `fails` decides by (function, address, count)."""

    def __init__(self, plc: polling, registers: dict[int, int]) -> None:
        self.plc = plc
        self.registers = registers
        self.asked: list[tuple[int, int]] = []
        self.fails: Callable[[int, int, int], Exception | int | None] = lambda function, address, count: None

    def poll(self, steps: Poll | None = None) -> list[tuple[int, int]]:
        """A poll of all, or the steps given; the (address, count) that it asked for."""
        self.asked = []
        steps = self.plc._steps() if steps is None else steps
        try:
            request = next(steps)
            while True:
                reply = self.reply(request)
                request = steps.throw(reply) if isinstance(reply, Exception) else steps.send(reply)
        except StopIteration:
            return self.asked

    def reply(self, request: bytes) -> bytes | Exception:
        function, address, count = request[0], *(int.from_bytes(request[i : i + 2], "big") for i in (1, 3))
        table = next(table for table in TABLES if function == table.read)
        self.asked.append((table.spans[0][0] + address, count))
        fault = self.fails(function, address, count)
        if isinstance(fault, Exception):
            return fault
        if fault is None and any(a not in self.registers for a in range(address, address + count)):
            fault = 2
        if fault is not None:
            return bytes((function | 0x80, fault))
        values = [self.registers[a] for a in range(address, address + count)]
        if table.bits:
            return bytes((function, (count + 7) // 8)) + sum(v << n for n, v in enumerate(values)).to_bytes(
                (count + 7) // 8, "little"
            )
        return bytes((function, 2 * count)) + b"".join(value.to_bytes(2, "big") for value in values)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time, in a list of one: what the clock says."""
    time = [1000.0]
    for module in ("polling", "plc"):
        monkeypatch.setattr(f"cpppo.remote.{module}.clock", lambda: time[0])
    yield time


@pytest.fixture
def plc(now: list[float]) -> polling:
    return polling("pump", 1.0)


@pytest.fixture
def device(plc: polling) -> Device:
    return Device(plc, {number: number % 2 for number in range(200)})


SILENT = NoAnswer("no answer in time")


def test_all_tables(plc: polling, device: Device) -> None:
    """Each range is read by its own function: bits as bools, registers as numbers."""
    for address in (2, 10002, 30002, 40002):
        plc.poll(address)
    assert device.poll() == [(2, 1), (10002, 1), (30002, 1), (40002, 1)]
    assert plc.values([2, 10002, 30002, 40002]) == [True, True, 1, 1]
    assert plc.read(2) is True
    assert plc.polling == {(2, 1), (10002, 1), (30002, 1), (40002, 1)}


def test_only_what_was_asked_is_given(plc: polling, device: Device) -> None:
    """What is read between two addresses is not known, until it is polled itself."""
    plc.poll(40001)
    plc.poll(40010)
    assert device.poll() == [(40001, 10)]
    assert plc.read(40005) is None
    device.poll()
    assert plc.read(40005) == 0


def test_addresses_that_are_none(plc: polling) -> None:
    """They are refused where they are asked for, and not polled."""
    for call in (plc.poll, plc.read):
        with pytest.raises(UsageError, match="40000 is no Modbus address"):
            call(40000)
    assert plc.addresses == set()


def test_values_that_are_read_together(plc: polling, device: Device) -> None:
    """A group is asked for as one; what no request can hold is refused."""
    plc.poll(40001, count=124)
    plc.poll(40125, count=2)
    assert device.poll() == [(40001, 124), (40125, 2)]
    assert plc.values([40125, 40126]) == [0, 1]
    for address, count in ((40001, 126), (40001, 0), (9999, 2), (1, 2001)):
        with pytest.raises(ValueError, match=f"{count} from {address} cannot be read in one request"):
            plc.poll(address, count=count)


def test_new_addresses_alone(plc: polling, device: Device) -> None:
    """What is asked for between two polls is polled alone, and then with the others."""
    plc.poll(40001)
    device.poll()
    plc.poll(40003)
    assert device.poll(plc._new_steps()) == [(40003, 1)]
    assert device.poll(plc._new_steps()) == []
    assert plc.read(40003) == 0
    assert device.poll() == [(40001, 3)]
    assert plc.counter == 2


def test_what_a_device_refuses(plc: polling, device: Device, now: list[float]) -> None:
    """The rest is polled in the same poll; what is refused is None, counted, named, and tried again after a while."""
    for address in (40198, 40199, 40200, 40201):
        plc.poll(address)
    device.poll()
    assert plc.values([40198, 40199, 40200, 40201]) == [1, 0, 1, None]
    assert plc.refused == [(40201, 1)]
    assert plc.failing == {(40198, 4), (40200, 2), (40201, 1)}
    assert plc.counts(40201) == Counts(3, 0, 0, "Exception Response(131, 3, IllegalAddress)")
    assert plc.online
    device.poll()
    assert (plc.failing, device.asked) == (set(), [(40198, 2), (40200, 1)])
    device.registers[200] = 9
    now[0] += 60
    device.poll()
    assert plc.read(40201) == 9


def test_a_value_that_comes_to_be_refused(plc: polling, device: Device) -> None:
    """A device that does not have a register any more does not leave its last value behind."""
    plc.poll(40001)
    device.poll()
    del device.registers[0]
    device.poll()
    assert (plc.read(40001), plc.age(40001), plc.online) == (None, None, True)


def test_cuts_of_one_poll_are_bounded(plc: polling, device: Device, now: list[float]) -> None:
    """A device that refuses much is not asked for all of it at once; polls find out by and by."""
    device.fails = lambda *_: now.append(now.pop() + 0.05)
    for address in range(40001, 40101):
        plc.poll(address)
    device.registers = {number: 5 for number in range(50)}
    first = len(device.poll())
    assert first <= 20
    for _ in range(60):
        device.poll()
    assert plc.values(range(40001, 40101)) == [5] * 50 + [None] * 50
    assert device.asked == [(40001, 50)]


@pytest.mark.parametrize("code", [4, 5, 6, 99])
def test_a_device_that_is_busy(plc: polling, device: Device, code: int) -> None:
    """Other exceptions cut nothing: one of them keeps the value, a second in a row loses it; the device is there."""
    plc.poll(40001)
    plc.poll(40002)
    device.poll()
    device.fails = lambda *_: code
    device.poll()
    assert (plc.read(40002), plc.online) == (1, True)
    device.poll()
    assert (plc.read(40002), plc.online, plc.refused) == (None, True, [])
    device.fails = lambda *_: None
    device.poll()
    assert (plc.read(40002), plc.counts(40002).exceptions) == (1, 2)


@pytest.mark.parametrize("fault", [SILENT, NotConnected("refused"), BadReply("nonsense"), OSError("reset"), 10, 11])
def test_offline(plc: polling, device: Device, caplog: pytest.LogCaptureFixture, fault: Exception | int) -> None:
    """No answer (from the device, or behind a gateway) is offline: no values, told once; so is its return."""
    caplog.set_level(logging.WARNING)
    for address in (40001, 40150, 1, 30001):
        plc.poll(address)
    device.poll()
    assert plc.online
    device.fails = lambda *_: fault
    assert len(device.poll()) == 2
    assert (plc.online, plc.values([40001, 40150, 1])) == (False, [None] * 3)
    assert plc.failing == {(40001, 1), (40150, 1), (1, 1), (30001, 1)}
    assert [len(device.poll()) for _ in range(3)] == [1, 1, 1]
    device.fails = lambda *_: None
    assert len(device.poll()) == 4
    assert plc.values([40001, 40002, 40150]) == [0, None, 1]
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]
    assert told == [f"Polling: PLC pump {what}" for what in ("online", "offline", "online")]
    why = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(why) == 1 and why[0].startswith("Polling: PLC pump: "), "and, once, why"
    assert isinstance(fault, int) or why[0].endswith(str(fault))


def test_offline_from_the_beginning(plc: polling, device: Device, caplog: pytest.LogCaptureFixture) -> None:
    """A device that never answered is told as offline, once, too."""
    plc.poll(40001)
    device.fails = lambda *_: SILENT
    assert [len(device.poll()) for _ in range(3)] == [1, 1, 1]
    said = ["Polling: PLC pump offline", "Polling: PLC pump: no answer in time"]
    assert [record.getMessage() for record in caplog.records] == said


def test_one_lost_message(plc: polling, device: Device) -> None:
    """A single request that is not answered is tried once more before the device counts as gone."""
    plc.poll(40001)
    device.poll()
    faults: list[Exception | None] = [SILENT, None]
    device.fails = lambda *_: faults.pop(0)
    assert device.poll() == [(40001, 1), (40001, 1)]
    assert (plc.online, plc.read(40001), plc.counts(40001).timeouts) == (True, 0, 1)


def test_one_silent_range(plc: polling, device: Device) -> None:
    """One range that never answers comes last, loses its value, and keeps no other from being polled."""
    plc.poll(1)
    plc.poll(40001)
    device.poll()
    device.fails = lambda function, *_: SILENT if function == 1 else None
    assert device.poll() == [(1, 1), (40001, 1)]
    assert plc.values([1, 40001]) == [False, 0]
    assert device.poll() == [(40001, 1), (1, 1)]
    assert plc.values([1, 40001]) == [None, 0]
    assert (plc.online, plc.failing, plc.counts(1).timeouts) == (True, {(1, 1)}, 2)


def test_while_offline_each_range_gets_its_turn(plc: polling, device: Device) -> None:
    """A range that is never answered does not keep a device offline that answers others."""
    for address in (1, 10001, 40001):
        plc.poll(address)
    device.fails = lambda *_: SILENT
    device.poll()
    device.fails = lambda function, *_: None if function == 3 else SILENT
    for _ in range(3):
        device.poll()
    assert (plc.online, plc.read(40001)) == (True, 0)


def test_ages_count_from_the_request(plc: polling, device: Device, now: list[float]) -> None:
    """A slow answer is as old as its question."""
    plc.poll(40001)

    def slow(*_: int) -> None:
        now[0] += 0.7

    device.fails = slow
    device.poll()
    now[0] += 0.1
    assert plc.age(40001) == pytest.approx(0.8)
    assert plc.duration == pytest.approx(0.7)


def test_load(plc: polling, device: Device, now: list[float]) -> None:
    """The part of the time that polls take: nothing is known before the second."""
    plc.poll(40001)

    def slow(*_: int) -> None:
        now[0] += 0.25

    device.fails = slow
    device.poll()
    assert plc.load == (None, None, None)
    now[0] += 0.75
    device.poll()
    assert plc.load == (0.25, 0.25, 0.25)


def test_changes(plc: polling, device: Device) -> None:
    """A change is told once, the loss of a value too."""
    told: list[tuple[int, object, object]] = []
    plc.on_change(lambda *change: told.append(change))
    plc.poll(40001)
    device.poll()
    device.poll()
    device.registers[0] = 5
    device.poll()
    device.fails = lambda *_: SILENT
    device.poll()
    assert told == [(40001, None, 0), (40001, 0, 5), (40001, 5, None)]


@pytest.mark.parametrize(
    ("address", "value", "multi", "octets"),
    [
        (40001, 7, False, ["06 0000 0007"]),
        (40001, 7, True, ["10 0000 0001 02 0007"]),
        (40001, [7], False, ["10 0000 0001 02 0007"]),
        (400001, (7, 8), False, ["10 0000 0002 04 0007 0008"]),
        (3, True, True, ["05 0002 ff00"]),
        (3, [1, 0], False, ["0f 0002 0002 01 01"]),
        (40001, [1] * 124, False, ["10 0000 007b f6" + "0001" * 123, "10 007b 0001 02 0001"]),
    ],
)
def test_writes(now: list[float], address: int, value: object, multi: bool, octets: list[str]) -> None:
    """Lists by the function for several, in pieces; single registers too with multi, coils never."""
    writes = polling("pump", 1.0, multi=multi)._writes(address, value)
    assert [write.pdu for write in writes] == [bytes.fromhex(octet) for octet in octets]


@pytest.mark.parametrize(
    ("address", "value", "told"),
    [
        (10001, 1, r"Invalid Modbus address for write: 10001 \(discrete inputs are read-only\)"),
        (300001, 1, r"Invalid Modbus address for write: 300001 \(input registers are read-only\)"),
        (20000, 1, r"Invalid Modbus address for write: 20000 \(20000 is no Modbus address"),
        (9999, [1, 1], r"write: 9999 \(2 values go beyond 9999\)"),
        (40001, [], r"write: 40001 \(no value\)"),
        (40001, 65536, r"Invalid value for a write to 40001 \(a register holds 0 to 65535, not 65536\)"),
        (40001, [1, -1], r"40001-40002 \(a register holds 0 to 65535, not -1; write 65535 for the signed -1\)"),
        (40001, "x", "Invalid value for a write to 40001"),
        (40001, None, "Invalid value for a write to 40001"),
        (40001, float("nan"), "Invalid value for a write to 40001"),
        (40001, float("inf"), "Invalid value for a write to 40001"),
        (40001, {40001: 5}, r"write to 40001 \(a dict is no value and no sequence of values"),
        (40001, {5, 6}, "a set is no value and no sequence"),
        (40001, bytearray(b"ab"), "a bytearray is no value and no sequence"),
        (40001.0, 5, "40001.0 is no Modbus address: these are whole numbers"),
        (1, 2, r"Invalid value for a write to 1 \(a coil is 0 or 1, not 2\)"),
    ],
)
def test_writes_that_cannot_be(plc: polling, address: int, value: object, told: str) -> None:
    """Nothing is sent, and it is said why."""
    with pytest.raises(UsageError, match=told):
        plc._writes(address, value)


def test_a_write_while_offline(plc: polling, device: Device) -> None:
    """Who is known not to answer is not asked; who was not asked yet, is."""
    assert plc._writes(40001, 1)
    plc.poll(40001)
    device.fails = lambda *_: SILENT
    device.poll()
    with pytest.raises(PlcOffline, match="Write to PLC pump/ 40001 failed: Offline"):
        plc._writes(40001, 1)


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        (NotConnected("refused"), PlcOffline, "Write to PLC pump/ 40124 failed: refused; 40001-40123 is written"),
        (SILENT, NoAnswer, "failed: no answer in time; 40001-40123 is written"),
        (pdu.ExceptionReply(16, 2), pdu.ExceptionReply, r"\(144, 16, IllegalAddress\); 40001-40123 is written"),
    ],
)
def test_a_write_that_fails_half_way(plc: polling, fault: Error, kind: type[Error], told: str) -> None:
    """What is written already is told."""
    writes = plc._writes(40001, [1] * 124)
    with pytest.raises(kind, match=told):
        raise plc._write_failed(writes[1], 40001, fault)


@pytest.mark.parametrize(("reach", "unit"), [(0, None), (-1, None), (1, 256), (1, -1)])
def test_settings_that_cannot_be(reach: int, unit: int | None) -> None:
    """A reach below 1 and a unit beyond an octet are refused."""
    with pytest.raises(ValueError, match="reach is a number|a unit is 0 to 255"):
        polling("pump", 1.0, reach=reach, unit=unit)


def test_much_that_is_refused_delays_nothing(plc: polling, device: Device, now: list[float]) -> None:
    """However much a device refuses, a poll is a few requests longer; what it has is known soon, the rest by and by."""
    for address in range(40001, 41001):
        plc.poll(address)
    device.registers = {number: 5 for number in range(500, 700)}
    device.fails = lambda *_: now.append(now.pop() + 0.05)
    sizes = []
    for _ in range(400):
        sizes.append(len(device.poll()))
        now[0] += 1
    assert max(sizes) <= 8 + 2 + 16
    device.fails = lambda *_: None
    now[0] += 3600
    assert len(device.poll()) > 500  # it answers at once: there is time for all
    assert plc.values(range(40001, 41001)) == [None] * 500 + [5] * 200 + [None] * 300
    assert set(plc.refused) == {(address, 1) for address in range(40001, 41001) if not 40501 <= address <= 40700}


def test_much_that_comes_to_be_refused(plc: polling, device: Device, now: list[float]) -> None:
    """What was refused, and not asked again in the same poll, has no value after the second."""
    for address in range(40001, 41001):
        plc.poll(address)
    device.registers = dict.fromkeys(range(1000), 5)
    device.poll()
    assert plc.values(range(40001, 41001)) == [5] * 1000
    device.registers = {}
    device.fails = lambda *_: now.append(now.pop() + 0.05)
    device.poll()
    device.poll()
    assert plc.values(range(40001, 41001)) == [None] * 1000


def test_a_failure_in_another_request(plc: polling, device: Device) -> None:
    """A second failure of an address loses its value, also where it is asked among others than before."""
    plc.poll(1)
    plc.poll(40001)
    device.poll()
    device.fails = lambda function, *_: SILENT if function == 3 else None
    device.poll()
    assert plc.read(40001) == 0
    plc.poll(40002)
    device.poll()
    assert (plc.values([1, 40001]), plc.online) == ([False, None], True)


def test_silent_ranges_do_not_make_the_others_old(plc: polling, device: Device, now: list[float]) -> None:
    """What failed before is asked while the time from poll to poll lasts, one at least: each in turn."""
    plc.poll(1)
    places = range(40001, 41001, 200)
    for address in places:
        plc.poll(address)
    device.registers[0] = 1

    def slow(function: int, *_: int) -> NoAnswer | None:
        now[0] += 2
        return SILENT if function == 3 else None

    device.fails = slow
    assert len(device.poll()) == 6
    asked = [device.poll() for _ in places]
    assert [len(requests) for requests in asked] == [2] * 5
    assert [requests[1][0] for requests in asked] == list(places)
    assert plc.failing == {(place, 1) for place in places}


def test_a_slow_device_that_returns_is_asked_for_all(plc: polling, device: Device, now: list[float]) -> None:
    """What failed while it was offline does not count afterwards."""

    def slow(*_: int) -> None:
        now[0] += 2

    places = (40001, 30001, 10001, 1)
    for address in places:
        plc.poll(address)
    device.poll()
    device.fails = lambda *_: SILENT
    for _ in range(5):
        device.poll()
    device.fails = slow
    assert len(device.poll()) == 4
    assert None not in plc.values(places)


def test_a_device_that_refuses_all(plc: polling, device: Device, now: list[float]) -> None:
    """It is asked for one address in turn, so that it is known whether it is there; no retry is later for it."""
    device.registers = {}
    plc.poll(40001)
    plc.poll(30001)
    device.poll()
    assert [device.poll() for _ in range(2)] in ([[(40001, 1)], [(30001, 1)]], [[(30001, 1)], [(40001, 1)]])
    device.fails = lambda *_: SILENT
    device.poll()
    device.poll()
    assert not plc.online
    device.fails = lambda *_: None
    device.registers = {0: 5}
    now[0] += 61
    device.poll()
    device.poll()
    assert (plc.online, plc.values([40001, 30001])) == (True, [5, 5])
