"""Attributes: access in Python, overrides as a simulator's user writes them, and many threads."""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Callable
from typing import Any

import pytest

from cpppo.errors import LocalProtocolError
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.wire.types import BOOL, DINT, INT, REAL, SINT
from tests.server.enip.device.frames import (
    Simulator,
    modify,
    multiple,
    numbers,
    read,
    read_fragmented,
    shown,
    symbol,
    write,
    write_fragmented,
)

READ, WRITE = read(symbol("A")), write(symbol("A"), 0xC3, 1, b"\5\0")


def simulator_of(kind: type[Attribute], type_: Any = INT, default: Any = 0) -> Simulator:
    """A simulator with the tag A."""
    device = Device()
    device.add_tag(kind("A", type_, default))
    device.add_tag(Attribute("B", INT, 9))
    return Simulator(device)


def cip(simulator: Simulator, request: bytes, expected: str) -> None:
    assert simulator.cip(request).hex(" ") == bytes.fromhex(expected).hex(" ")


# -- in Python


def test_scalar() -> None:
    """A scalar: its value, element 0, a slice of one; its length is 1."""
    one = Attribute("A", INT, 5)
    assert (one.scalar, len(one), one.size, one.value, one[0], one[0:1]) == (True, 1, 2, 5, 5, [5])
    one.value = 6
    one[0] = one[0] + 1
    assert one.value == 7
    one[:] = [8]
    assert one.octets() == b"\x08\0"


def test_vector() -> None:
    """A vector: lists by slice, values by index."""
    one = Attribute("A", DINT, [1, 2, 3])
    assert (one.scalar, len(one), one.size, one.value) == (False, 3, 12, [1, 2, 3])
    assert (one[2], one[1:], one[:2], one[1:2], one[0:3:1]) == (3, [2, 3], [1, 2], [2], [1, 2, 3])
    one[1:3] = (7, 8)
    one[0] = -1
    assert one.value == [-1, 7, 8]
    one.value = [4, 5, 6]
    assert one.value == [4, 5, 6]


@pytest.mark.parametrize(
    "key", [3, -1, 100, slice(0, 4), slice(2, 2), slice(3, 1), slice(-1, 2), slice(0, 3, 2), slice(5, 9)]
)
def test_keys_outside(key: Any) -> None:
    """A key outside of the attribute, or with a stride: KeyError, reading and writing."""
    one = Attribute("A", INT, [1, 2, 3])
    with pytest.raises(KeyError):
        one[key]
    with pytest.raises(KeyError):
        one[key] = [1] if isinstance(key, slice) else 1
    assert one.value == [1, 2, 3]


@pytest.mark.parametrize("values", [[], [1], [1, 2, 3]])
def test_another_number_of_values(values: list[int]) -> None:
    """A slice takes as many values as it is long: KeyError, and nothing is changed."""
    one = Attribute("A", INT, [1, 2, 3])
    with pytest.raises(KeyError, match="values for 2 elements"):
        one[0:2] = values
    assert (one.value, len(one)) == ([1, 2, 3], 3)


@pytest.mark.parametrize(
    ("kind", "value"), [(INT, 32768), (INT, 1.5), (INT, "1"), (SINT, -129), (REAL, 1e39), (INT, None)]
)
def test_values_of_another_type(kind: Any, value: Any) -> None:
    """A value that the type cannot hold: an error that names it, and nothing is changed."""
    one = Attribute("A", kind, [1, 2])
    with pytest.raises(LocalProtocolError, match=kind.name):
        one[0:2] = [0, value]
    assert one.value == [1, 2]
    with pytest.raises(LocalProtocolError):
        Attribute("B", kind, [value])


def test_text_of_an_attribute() -> None:
    """str() shows name, type, length and values; long vectors are cut."""
    assert str(Attribute("Tag", DINT, [0, 7, 0])) == "Tag           DINT[   3] == [0, 7, 0]"
    assert str(Attribute("T", INT, [0] * 50)).endswith("0, ...]")


# -- overrides


class Raising(Attribute):
    """Neither read nor written, as in 'changing the weather is not that easy'."""

    def __getitem__(self, key: Any) -> Any:
        raise RuntimeError("no weather today")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise OSError(5, "changing the weather is not that easy")


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (READ, "cc 00 02 00"),
        (WRITE, "cd 00 02 00"),
        (read_fragmented(symbol("A"), 1), "d2 00 02 00"),
        (write_fragmented(symbol("A"), 0xC3, 1, 0, b"\1\0"), "d3 00 02 00"),
        (modify(symbol("A"), 2, b"\0\0", b"\0\0"), "ce 00 02 00"),
        (b"\x0e" + numbers(2, 1, 1), "8e 00 02 00"),
        (b"\x10" + numbers(2, 1, 1) + b"\0\0", "90 00 02 00"),
        (b"\x01" + numbers(2, 1), "81 00 02 00"),
    ],
    ids=shown,
)
def test_override_that_raises(caplog: pytest.LogCaptureFixture, request_: bytes, reply: str) -> None:
    """An Attribute that raises: 0x02, one line in the log that says why, and the session lives."""
    simulator = simulator_of(Raising)
    with caplog.at_level(logging.INFO):
        cip(simulator, request_, reply)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and record.exc_info is None
    assert "weather" in record.message and "\n" not in record.message
    cip(simulator, read(symbol("B")), "cc000000 c300 0900")


def test_line_on_a_failure_is_short(caplog: pytest.LogCaptureFixture) -> None:
    """The line says what failed, and does not repeat thousands of octets that were sent."""
    simulator = simulator_of(Raising, default=[0] * 2000)
    cip(simulator, write(symbol("A"), 0xC3, 2000, bytes(4000)), "cd 00 02 00")
    assert len(caplog.records) == 1 and len(caplog.records[0].message) < 500


def test_failing_member_of_a_packet() -> None:
    """An Attribute that raises fails its member of a packet alone."""
    cip(
        simulator_of(Raising),
        multiple(READ, read(symbol("B"))),
        "8a001e00 0200 0600 0a00 cc000200 cc000000c3000900",
    )


@pytest.mark.parametrize("exception", [KeyError("x"), ValueError(), StopIteration(), RecursionError(), MemoryError()])
def test_whatever_is_raised(exception: Exception) -> None:
    """Any exception of an override is that: 0x02."""

    class Odd(Attribute):
        def __getitem__(self, key: Any) -> Any:
            raise exception

    simulator = simulator_of(Odd)
    cip(simulator, READ, "cc 00 02 00")
    assert simulator.alive()


@pytest.mark.parametrize("given", [[], [1], [1, 2, 3], 7, None, "ab", {0: 1, 1: 2}, ["a", "b"], [1, 99999], [None, 1]])
def test_override_that_gives_something_else(caplog: pytest.LogCaptureFixture, given: Any) -> None:
    """Too few values, too many, none, or such as the type cannot hold: 0x02 and a line in the log."""

    class Odd(Attribute):
        def __getitem__(self, key: Any) -> Any:
            return given

    simulator = simulator_of(Odd, default=[0, 0])
    cip(simulator, read(symbol("A"), 2), "cc 00 02 00")
    assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == 1
    assert simulator.alive()


class Recording(Attribute):
    """Keeps the keys and values it is accessed by, and the threads it is accessed from."""

    def __init__(self, *args: Any, **kwds: Any) -> None:
        self.got: list[Any] = []
        self.put: list[Any] = []
        self.threads: set[int] = set()
        super().__init__(*args, **kwds)

    def __getitem__(self, key: Any) -> Any:
        self.got.append(key)
        self.threads.add(threading.get_ident())
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.put.append((key, value))
        super().__setitem__(key, value)


def recording(simulator: Simulator) -> Recording:
    one = simulator.device["A"]
    assert isinstance(one, Recording)
    return one


def test_overrides_get_slices_and_lists() -> None:
    """An override is asked for slices of just what is needed, and given slices and lists, also for a scalar."""
    simulator = simulator_of(Recording, default=[1, 2, 3, 4])
    cip(simulator, read(symbol("A", 1), 2), "cc000000 c300 0200 0300")
    cip(simulator, write(symbol("A", 2), 0xC3, 2, b"\7\0\x08\0"), "cd000000")
    assert recording(simulator).got == [slice(1, 3)]
    assert recording(simulator).put == [(slice(2, 4), [7, 8])]
    scalar = simulator_of(Recording)
    cip(scalar, READ, "cc000000 c300 0000")
    cip(scalar, WRITE, "cd000000")
    assert (recording(scalar).got, recording(scalar).put) == ([slice(0, 1)], [(slice(0, 1), [5])])


def test_values_given_to_an_override_are_of_its_type() -> None:
    """What is written in another type arrives as values of the tag's own: bool, int, float."""
    for kind, code, octets, expected in (
        (BOOL, 0xC1, "01", [True]),
        (REAL, 0xC3, "0300", [3.0]),
        (DINT, 0xC2, "ff", [-1]),
    ):
        simulator = simulator_of(Recording, kind, kind.unpack(bytes(kind.size)))
        cip(simulator, write(symbol("A"), code, 1, bytes.fromhex(octets)), "cd000000")
        ((key, value),) = recording(simulator).put
        assert (key, value, type(value), type(value[0])) == (slice(0, 1), expected, list, type(expected[0]))


def test_every_service_goes_through_the_overrides() -> None:
    """No service gets at the values of an Attribute past its overrides."""

    class Twice(Attribute):
        def __getitem__(self, key: Any) -> Any:
            return [2 * one for one in super().__getitem__(key)]

        def __setitem__(self, key: Any, value: Any) -> None:
            super().__setitem__(key, [one + 1 for one in value])

    simulator = simulator_of(Twice, default=[1, 2])
    cip(simulator, read(symbol("A"), 2), "cc000000 c300 0200 0400")
    cip(simulator, read_fragmented(symbol("A"), 2, 1), "d2000000 c300 00 0400")
    cip(simulator, b"\x0e" + numbers(2, 1, 1), "8e000000 0200 0400")
    cip(simulator, b"\x03" + numbers(2, 1) + b"\1\0\1\0", "83000000 0100 0100 0000 0200 0400")
    cip(simulator, b"\x01" + numbers(2, 1), "81000000 0200 0400 0900")
    cip(simulator, write(symbol("A"), 0xC3, 1, b"\4\0"), "cd000000")
    cip(simulator, read(symbol("A"), 2), "cc000000 c300 0a00 0400")
    cip(simulator, b"\x10" + numbers(2, 1, 1) + b"\0\0\0\0", "90000000")
    cip(simulator, read(symbol("A"), 2), "cc000000 c300 0200 0200")
    cip(simulator, modify(symbol("A"), 2, b"\1\0", b"\xff\xff"), "ce000000")
    cip(simulator, read(symbol("A"), 2), "cc000000 c300 0800 0200")


def test_overrides_inherited_and_mixed_in() -> None:
    """Overrides count wherever in the bases they stand."""

    class Five:
        def __getitem__(self, key: Any) -> Any:
            return [5]

    class Mixed(Five, Attribute):
        pass

    class Derived(Mixed):
        pass

    cip(simulator_of(Mixed), READ, "cc000000 c300 0500")
    cip(simulator_of(Derived), READ, "cc000000 c300 0500")


def test_write_of_a_part_through_an_override() -> None:
    """A fragment that ends within an element reaches an override as whole elements."""
    simulator = simulator_of(Recording, DINT, [1, 2, 3])
    cip(simulator, write_fragmented(symbol("A"), 0xC4, 3, 3, b"\xaa\xbb"), "d3000000")
    ((key, value),) = recording(simulator).put
    assert (key, value) == (slice(0, 2), [struct.unpack("<i", b"\1\0\0\xaa")[0], 0xBB])


def test_overrides_run_in_the_thread_of_the_session() -> None:
    """An override is called by the thread that gave the session its octets."""
    simulator = simulator_of(Recording)
    thread = threading.Thread(target=simulator.cip, args=(READ,))
    thread.start()
    thread.join(10)
    simulator.cip(READ)
    assert len(recording(simulator).threads) == 2


@pytest.mark.parametrize("request_", [READ, WRITE, modify(symbol("A"), 2, b"\1\0", b"\xff\xff")], ids=shown)
def test_no_lock_is_held_around_an_override(request_: bytes) -> None:
    """An override may take its time, and use its own Attribute and that of others, from any thread."""

    class Nested(Attribute):
        def other(self) -> None:
            thread = threading.Thread(target=lambda: Attribute.__getitem__(self, 0), daemon=True)
            thread.start()
            thread.join(10)
            assert not thread.is_alive(), "the lock is held"

        def __getitem__(self, key: Any) -> Any:
            self.other()
            Attribute.__setitem__(self, 0, Attribute.__getitem__(self, 0))
            return Attribute.__getitem__(self, key)

        def __setitem__(self, key: Any, value: Any) -> None:
            self.other()
            Attribute.__setitem__(self, key, value)

    assert simulator_of(Nested).cip(request_)[2] == 0


def test_blocked_override_holds_up_nobody_else() -> None:
    """While an override blocks, other sessions read and write, also the same tag's plain neighbours."""
    entered, go = threading.Event(), threading.Event()

    class Slow(Attribute):
        def __getitem__(self, key: Any) -> Any:
            entered.set()
            assert go.wait(10)
            return super().__getitem__(key)

    simulator = simulator_of(Slow)
    other = Simulator(simulator.device)
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(simulator.cip(READ)))
    thread.start()
    try:
        assert entered.wait(10)
        cip(other, read(symbol("B")), "cc000000 c300 0900")
        cip(other, WRITE, "cd000000")
    finally:
        go.set()
        thread.join(10)
    assert got == [bytes.fromhex("cc000000 c300 0500")]


# -- many threads


def together(*jobs: Callable[[], None]) -> None:
    """Run jobs at once, each in its own thread; the first error is raised."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], None]) -> None:
        try:
            start.wait(10)
            job()
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    if failures:
        raise failures[0]


def test_vectors_are_read_and_written_whole() -> None:
    """A read of a plain vector never sees half of a write."""
    device = Device()
    device.add_tag(Attribute("A", INT, [0] * 100))

    def writer(value: int) -> Callable[[], None]:
        simulator = Simulator(device)
        request = write(symbol("A"), 0xC3, 100, struct.pack("<h", value) * 100)
        return lambda: [simulator.cip(request) for _ in range(300)] and None

    def reader() -> None:
        simulator = Simulator(device)
        for _ in range(600):
            assert len(set(struct.unpack("<100h", simulator.cip(read(symbol("A"), 100))[6:]))) == 1

    together(writer(1), writer(2), writer(3), reader, reader)


def test_bits_are_modified_at_once() -> None:
    """Read Modify Write of different bits from many threads loses none."""
    device = Device()
    device.add_tag(Attribute("A", DINT, 0))

    def flipper(bit: int) -> Callable[[], None]:
        def run() -> None:
            simulator, mask = Simulator(device), struct.pack("<I", 1 << bit)
            keep = struct.pack("<I", 0xFFFFFFFF ^ (1 << bit))
            for _ in range(200):
                simulator.cip(modify(symbol("A"), 4, mask, b"\xff" * 4))
                assert simulator.device["A"].value >> bit & 1
                simulator.cip(modify(symbol("A"), 4, bytes(4), keep))
                assert not simulator.device["A"].value >> bit & 1
            simulator.cip(modify(symbol("A"), 4, mask, b"\xff" * 4))

        return run

    together(*map(flipper, range(6)))
    assert device["A"].value == 0b111111


def test_paths_are_resolved_from_many_threads() -> None:
    """Sessions that resolve thousands of paths at once, more than are remembered, get the right elements."""
    device = Device()
    device.add_tag(Attribute("A", INT, list(range(6000))))

    def reader(first: int) -> Callable[[], None]:
        def run() -> None:
            simulator = Simulator(device)
            for at in range(first, 6000, 4):
                assert simulator.cip(read(symbol("A", at)))[6:] == struct.pack("<h", at)

        return run

    together(*map(reader, range(4)))
