"""Pollers of both forms, thread and task, do the same; what only one of them has comes at the end."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cpppo.errors import UsageError
from cpppo.remote.aio import poller_asyncio, together
from cpppo.remote.aiolink import Link
from cpppo.remote.pdu import ExceptionReply
from cpppo.remote.plc import PlcOffline
from cpppo.remote.plc_modbus import poller_modbus
from cpppo.remote.transacting import BadReply, NoAnswer, NotConnected
from tests.remote.forms import FORMS, Form
from tests.remote.modbus_device import Device

#: Seconds from poll to poll where the pace is not what is tested.
RATE = 0.02

Maker = Callable[..., Form]


@pytest.fixture
def device() -> Iterator[Device]:
    with Device({place: 1000 + place for place in range(200)}, {place: place % 2 for place in range(50)}) as one:
        yield one


@pytest.fixture(params=FORMS, ids=["thread", "task"])
def made(request: pytest.FixtureRequest, device: Device) -> Iterator[Maker]:
    """Makes a poller of the device, of each form."""
    with_ended: list[Form] = []

    def make(**options: Any) -> Form:
        form: Form = request.param(device.port, **{"rate": RATE, **options})
        with_ended.append(form)
        return form

    yield make
    for form in with_ended:
        form.stop()


# ------------------------------------------------------------------ both forms
def test_values(made: Maker) -> None:
    """Nothing is known before a poll, the values after it; what was asked for later is polled, too."""
    form = made()
    assert form.plc.read(40001) is None
    form.wait(lambda: form.plc.read(40001) == 1000)
    form.plc.poll(2)
    form.wait(lambda: form.plc.read(2) is True)
    age = form.plc.age(40001)
    assert age is not None and age < 5
    assert form.plc.online and form.plc.load[0] is not None
    assert (40001, None, 1000) in form.told


def test_one_request_for_neighbours(made: Maker, device: Device) -> None:
    """Addresses within reach are one request; those in between are not told."""
    form = made(reach=10)
    form.plc.values(range(40001, 40010, 4))
    form.polls(2)
    assert device.asked[-1] == bytes.fromhex("03 0000 0009")
    assert form.plc.polling == {(40001, 9)}
    assert {address for address, _, _ in form.told} == {40001, 40005, 40009}


def test_new_addresses_do_not_wait(made: Maker) -> None:
    """What is asked for between two polls is polled at once, however far the next one is."""
    form = made(rate=60.0)
    form.plc.poll(40001)
    form.wait(lambda: form.plc.counter == 1)
    form.plc.poll(40100)
    form.wait(lambda: form.plc.read(40100) == 1099)
    assert form.plc.counter == 1


def test_a_faster_rate_counts_at_once(made: Maker) -> None:
    """A rate asked for between two polls is that of the next."""
    form = made(rate=60.0)
    form.plc.poll(40001)
    form.wait(lambda: form.plc.counter == 1)
    form.plc.poll(40001, rate=RATE)
    form.polls(2)


def test_writes(made: Maker, device: Device) -> None:
    """A write returns when the device has it; the next poll shows it."""
    form = made()
    form.plc.poll(40001)
    form.write(40001, 5)
    form.write(1, True)
    form.write(40101, [7, 8])
    assert (device.registers[0], device.coils[0], device.registers[101]) == (
        5,
        1,
        8,
    )
    form.wait(lambda: form.plc.read(40001) == 5)


def test_what_a_write_refuses(made: Maker) -> None:
    """What cannot be written is said before anything is sent, and what the device refuses is its exception."""
    form = made()
    with pytest.raises(UsageError, match=r"Invalid Modbus address for write: 10001 \(discrete inputs are read-only\)"):
        form.write(10001, 1)
    with pytest.raises(UsageError, match="a register holds 0 to 65535, not 65536"):
        form.write(40001, 65536)
    with pytest.raises(ExceptionReply, match=r"Exception Response\(134, 6, IllegalAddress\)"):
        form.write(49999, 1)


def test_offline_and_online(made: Maker, device: Device, caplog: pytest.LogCaptureFixture) -> None:
    """A device that goes loses its values and refuses writes; when it is back, so are they.  Each is logged once."""
    form = made()
    form.plc.poll(40001)
    form.wait(lambda: form.plc.online)
    device.gone()
    form.wait(lambda: not form.plc.online)
    assert form.plc.read(40001) is None and form.plc.age(40001) is None
    with pytest.raises(PlcOffline, match=r"Write to PLC it/ 40001 failed: Offline"):
        form.write(40001, 1)
    form.polls(3)
    device.listen()
    form.wait(lambda: form.plc.read(40001) == 1000)
    form.stop()
    lines = [one.getMessage() for one in caplog.records if one.levelno == logging.CRITICAL]
    assert lines == ["Polling: PLC it online", "Polling: PLC it offline", "Polling: PLC it online"]


def test_a_slow_device_keeps_the_beat(made: Maker, device: Device, caplog: pytest.LogCaptureFixture) -> None:
    """Polls that take longer than the rate leave beats out and say so; they stay on the beat."""
    slow, at = threading.Event(), []

    def answer(unit: int, pdu: bytes) -> bytes | None:
        at.append(time.monotonic())
        if len(at) == 2:
            slow.wait(0.45)
        return device.served(unit, pdu)

    device.answer = answer
    form = made(rate=0.2)
    form.plc.poll(40001)
    form.wait(lambda: form.plc.counter >= 4)
    form.stop()
    assert any("Polling: PLC it slipped; missed 2 cycles" in one.getMessage() for one in caplog.records)
    beats = [(one - at[0]) / 0.2 for one in at]
    assert all(-0.1 < beat - round(beat) < 0.4 for beat in beats[:4]), beats
    assert [round(beat) for beat in beats[:4]] == [0, 1, 4, 5]


def test_a_silent_device_is_left_at_once(made: Maker, device: Device) -> None:
    """Stopping does not wait for a device that never answers, and leaves no thread, task or connection."""
    device.answer = lambda unit, pdu: None
    form = made(timeout=60.0)
    form.plc.poll(40001)
    device.wait(lambda: device.asked)
    begun = time.monotonic()
    form.stop()
    assert time.monotonic() - begun < 2.0
    assert form.left() == []
    device.wait(lambda: not device.open)
    assert not form.plc.online and form.told == []


def test_late_replies_are_skipped(made: Maker, device: Device) -> None:
    """A reply that comes after its time is not taken for that to the next request."""
    late: list[bytes] = []

    def raw(asked: bytes, reply: bytes) -> bytes:
        if asked[7] == 6:  # a write: its reply comes with that of the next request, which is a read
            late.append(reply)
            return b""
        return b"".join([*late, reply]) if late else reply

    device.raw = raw
    form = made(timeout=0.3)
    form.plc.poll(40001)
    form.wait(lambda: form.plc.online)
    with pytest.raises(NoAnswer, match="no answer in time"):
        form.write(40001, 5)
    form.wait(lambda: form.plc.read(40001) == 5)
    assert device.connections == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda frame: frame[:6] + bytes([9]) + frame[7:], "unit 9 answered, where 1 was asked"),
        (lambda frame: frame[:7] + bytes([4]) + frame[8:], "a reply to function 4, where 6 was asked"),
        (lambda frame: frame[:5] + bytes([5]) + frame[6:-1], "confirmed, where"),
        (lambda frame: frame[:2] + bytes([1]) + frame[3:], "protocol 256 in a Modbus/TCP header, not 0"),
        (lambda frame: b"\xff\xff" + frame[2:6] + bytes(frame[4:6]), None),
        (lambda frame: (b"\xff\xff" + frame[2:]) * 6000, "more than 65536 octets that answer nothing"),
    ],
    ids=["unit", "function", "length", "protocol", "part", "flood"],
)
def test_bad_replies(made: Maker, device: Device, change: Callable[[bytes], bytes], told: str | None) -> None:
    """What does not answer the request is said, and ends the connection: the next request begins another."""
    form = made(timeout=0.5)
    form.plc.poll(40001)
    form.wait(lambda: form.plc.online)
    device.raw = lambda asked, reply: change(reply) if asked[7] == 6 else reply
    with pytest.raises(BadReply if told else NoAnswer, match=told or "no answer in time, but a part of one"):
        form.write(40001, 5)
    device.raw = lambda asked, reply: reply
    form.wait(lambda: form.plc.read(40001) == 5)
    assert device.connections >= 2


def test_silence_ends_a_connection(made: Maker, device: Device) -> None:
    """After three requests without an answer the connection is taken for dead, and another is tried."""
    form = made(timeout=0.05)
    form.plc.poll(40001)
    form.wait(lambda: form.plc.online)
    device.answer = lambda unit, pdu: None
    device.wait(lambda: device.connections >= 2)
    device.answer = device.served
    form.wait(lambda: form.told[-1] == (40001, None, 1000) and form.plc.online)


def test_one_budget_for_all(made: Maker, device: Device) -> None:
    """A device that dribbles octets has the time of one transaction, not of each octet."""
    form = made(timeout=0.3)
    form.plc.poll(40001)
    form.wait(lambda: form.plc.online)
    gone = threading.Event()

    def answer(unit: int, pdu: bytes) -> bytes | None:
        if pdu[0] == 6:
            gone.wait(0.2)
        return device.served(unit, pdu)

    sent = threading.Event()

    def raw(asked: bytes, reply: bytes) -> bytes:
        if asked[7] == 6:
            sent.set()
            return reply[:6]
        return reply

    device.answer, device.raw = answer, raw
    begun = time.monotonic()
    with pytest.raises(NoAnswer, match="no answer in time, but a part of one"):
        form.write(40001, 5)
    assert 0.25 < time.monotonic() - begun < 0.45 and sent.is_set()


def test_callbacks_may_fail(made: Maker, caplog: pytest.LogCaptureFixture) -> None:
    """A function of the user that raises is logged, and polling goes on."""
    form = made()

    def wrong() -> None:
        raise RuntimeError("of the user")

    form.plc.on_poll(wrong)
    form.plc.poll(40001)
    form.polls(2)
    form.stop()
    assert any("a function called after a poll failed" in one.getMessage() for one in caplog.records)


def test_faults_of_ours(made: Maker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are logged, no old value is given, and polling goes on."""
    form = made()
    form.plc.poll(40001)
    form.wait(lambda: form.plc.read(40001) == 1000)
    with monkeypatch.context() as broken:
        broken.setattr(form.plc, "_answered", lambda *_: 1 / 0)
        form.wait(lambda: form.told[-1] == (40001, 1000, None))
        assert (form.plc.read(40001), form.plc.failing) == (None, {(40001, 1)})
    form.wait(lambda: form.plc.read(40001) == 1000)
    assert any("a fault of ours; polling goes on" in one.getMessage() for one in caplog.records)


# ------------------------------------------------------------------ tasks alone
def test_a_write_takes_its_turn(device: Device) -> None:
    """A write comes between two requests of a poll: it does not wait for the end of all of them."""
    held, going = threading.Event(), threading.Event()

    def answer(unit: int, pdu: bytes) -> bytes | None:
        if len(device.asked) == 1:
            held.set()
            going.wait(10)
        return device.served(unit, pdu)

    device.answer = answer

    async def run() -> None:
        async with poller_asyncio("it", "127.0.0.1", device.port, reach=1, rate=60.0) as plc:
            plc.values(range(40001, 40011, 2))
            await asyncio.to_thread(held.wait, 10)
            writing = asyncio.create_task(plc.write(40101, 5))
            await asyncio.sleep(0)
            going.set()
            await writing
            assert [pdu[0] for pdu in device.asked[:3]] == [3, 6, 3] or [pdu[0] for pdu in device.asked[:2]] == [3, 6]

    asyncio.run(run())


def test_a_write_is_awaited(device: Device) -> None:
    """A cancelled write leaves the poller as it was; stopping ends one that waits."""
    device.answer = lambda unit, pdu: device.served(unit, pdu) if pdu[0] == 3 else None

    async def run() -> None:
        async with poller_asyncio("it", "127.0.0.1", device.port, rate=RATE, timeout=60.0) as plc:
            seen = asyncio.Event()
            plc.on_poll(seen.set)
            plc.poll(40001)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(plc.write(40001, 1), 0.05)
            seen.clear()
            await asyncio.wait_for(seen.wait(), 10)
            assert plc.online and plc.read(40001) == 1000
            waiting = asyncio.create_task(plc.write(40001, 1))
            await asyncio.to_thread(device.wait, lambda: device.asked[-1][0] == 6)
        with pytest.raises((NoAnswer, PlcOffline), match="closed"):
            await waiting
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
    device.wait(lambda: not device.open)


def test_stopping_while_it_connects() -> None:
    """A connection that is not answered yet is given up by stop, and a write that waits for it fails."""

    async def run() -> None:
        plc = poller_asyncio("it", "127.0.0.1", 1, timeout=60.0)
        gate: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().create_connection = lambda *_, **__: _forever(gate)  # type: ignore[method-assign]
        waiting = asyncio.create_task(plc.write(40001, 1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await plc.stop()
        with pytest.raises(PlcOffline, match="closed"):
            await waiting
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_a_connection_that_comes_too_late(device: Device) -> None:
    """One that is made in the very moment in which it is given up, or the link is closed, is closed, too."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        create = loop.create_connection
        for closing in (False, True):
            link = Link("127.0.0.1", device.port, timeout=60.0 if closing else 0.05)
            ended: list[asyncio.Task[None]] = []

            async def late(*told: Any, link: Link = link, closing: bool = closing, ended: Any = ended) -> Any:
                if closing:
                    made = await create(*told)
                    ended.append(loop.create_task(link.close()))
                    return made
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    return await create(*told)

            loop.create_connection = late  # type: ignore[method-assign, assignment]
            with pytest.raises(NotConnected, match="closed" if closing else "no connection in time"):
                await asyncio.wait_for(link.transact(bytes(5)), 10)
            await asyncio.gather(*ended)
        await asyncio.to_thread(device.wait, lambda: device.connections == 2 and not device.open)

    asyncio.run(run())


async def _forever(gate: asyncio.Future[Any]) -> Any:
    await gate


def test_no_connection_in_time() -> None:
    """Connecting is part of a transaction's time."""

    async def run() -> None:
        plc = poller_asyncio("it", "127.0.0.1", 1, timeout=0.05)
        gate: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().create_connection = lambda *_, **__: _forever(gate)  # type: ignore[method-assign]
        with pytest.raises(PlcOffline, match="no connection in time"):
            await plc.write(40001, 1)
        await plc.stop()

    asyncio.run(run())


def test_a_refused_connection(device: Device) -> None:
    """A device that is not there is offline, and says why."""
    device.gone()

    async def run() -> None:
        plc = poller_asyncio("it", "127.0.0.1", device.port)
        plc.poll(40001)
        await plc.poll_once()
        assert not plc.online and plc.failing == {(40001, 1)}
        assert "no connection" in plc.counts(40001).last
        with pytest.raises(PlcOffline):
            await plc.write(40001, 1)
        await plc.stop()

    asyncio.run(run())


def test_what_nobody_asked_for(device: Device) -> None:
    """A device that sends without end while nothing is asked loses its connection, not the loop's time."""
    device.raw = lambda asked, reply: reply + (b"\xff\xff" + reply[2:]) * 100000

    async def run() -> None:
        async with poller_asyncio("it", "127.0.0.1", device.port, rate=60.0) as plc:
            plc.poll(40001)
            await asyncio.to_thread(device.wait, lambda: device.connections and not device.open)
            assert plc.read(40001) == 1000

    asyncio.run(run())


def test_started_and_stopped_again(device: Device) -> None:
    """A stopped poller may be started again, one that runs may not; and one that runs is not polled by hand."""

    async def run() -> None:
        plc = poller_asyncio("it", "127.0.0.1", device.port, rate=RATE)
        plc.poll(40001)
        for _ in range(2):
            seen = asyncio.Event()
            plc.on_poll(seen.set)
            plc.start()
            await asyncio.wait_for(seen.wait(), 10)
            with pytest.raises(RuntimeError, match="polled already"):
                plc.start()
            with pytest.raises(RuntimeError, match="by its task already"):
                await plc.poll_once()
            await plc.stop()
            await plc.stop()
        assert device.connections == 2

    asyncio.run(run())
    device.wait(lambda: not device.open)


def test_what_stop_leaves(device: Device) -> None:
    """When stop returns the socket is closed, and the task over, whatever it was about; timers do not pile up."""

    async def run() -> None:
        for polls in (0, 3):
            plc = poller_asyncio("it", "127.0.0.1", device.port, rate=RATE, timeout=60.0)
            if polls:
                plc.poll(40001)
                for _ in range(polls):
                    await plc.poll_once()
                timers: Any = asyncio.get_running_loop()
                assert [one for one in timers._scheduled if not one.cancelled()] == []
            plc.start()
            held = plc._link._connection
            await plc.stop()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            plc.start()
            await asyncio.sleep(0)
            if polls:
                seen = asyncio.Event()
                plc.on_poll(seen.set)
                await asyncio.wait_for(seen.wait(), 10)
                held = plc._link._connection
                assert held is not None and held._transport is not None
                sock = held._transport.get_extra_info("socket")
                await plc.stop()
                assert sock.fileno() == -1
            await plc.stop()
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
    device.wait(lambda: not device.open)


def test_the_wrong_write() -> None:
    """Who forgets to await a write through the plain interface is told."""
    plc = poller_asyncio("it", "127.0.0.1")
    with pytest.raises(UsageError, match=r"await plc\.write\(40001, 5\)"):
        plc._write(40001, 5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"timeout": 0}, "a time-out"),
        ({"port": 70000}, "a port is 1"),
        ({"reach": 0}, "reach"),
        ({"unit": 256}, "unit"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], told: str) -> None:
    """What cannot be is refused when a poller is made."""
    with pytest.raises(ValueError, match=told):
        poller_asyncio("it", "127.0.0.1", **options)


def test_many_together(device: Device) -> None:
    """Many are polled while in the block, their first polls spread over a period; nothing is left after it."""

    async def run() -> None:
        begun = time.monotonic()
        first: dict[str, float] = {}
        all_seen = asyncio.Event()

        def note(name: str) -> None:
            first.setdefault(name, time.monotonic() - begun)
            if len(first) == 10:
                all_seen.set()

        plcs = [poller_asyncio(f"plc {number}", "127.0.0.1", device.port, rate=0.5) for number in range(10)]
        for plc in plcs:
            plc.on_poll(lambda name=str(plc): note(name))  # type: ignore[misc]
            plc.poll(40001)
        async with together(plcs):
            await asyncio.wait_for(all_seen.wait(), 10)
        times = sorted(first.values())
        assert list(first) == [str(plc) for plc in plcs]
        assert times[-1] - times[0] > 0.4
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
    device.wait(lambda: not device.open)


# ------------------------------------------------------------------ threads alone
def test_a_thread_that_is_started_later(device: Device) -> None:
    """What is to be polled can be named before; it can also be polled by hand, until the thread does."""
    plc = poller_modbus("it", host="127.0.0.1", port=device.port, rate=RATE, start=False)
    plc.poll(40001)
    plc.poll(40100)
    assert not plc.is_alive() and device.asked == []
    plc.poll_once()
    assert (plc.read(40001), plc.counter) == (1000, 1)
    seen = threading.Event()
    plc.on_poll(seen.set)
    plc.start()
    assert seen.wait(10)
    with pytest.raises(RuntimeError, match="by its thread already"):
        plc.poll_once()
    assert plc.stop(10)


def test_a_thread_that_was_never_started(device: Device) -> None:
    """Stopping closes the connection, thread or not."""
    plc = poller_modbus("it", host="127.0.0.1", port=device.port, start=False)
    plc.poll(40001)
    plc.poll_once()
    assert device.open == 1
    assert plc.stop()
    device.wait(lambda: not device.open)


def test_an_address_of_ipv6() -> None:
    """Its host is in brackets where it is told."""
    assert str(Link("::1", 1502)) == "[::1]:1502"
