"""One device and many clients: what a request sees at once, and who waits for whom."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cpppo.server.enip.client import connector
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.serve import serve
from cpppo.server.enip.wire.strings import STRING
from cpppo.server.enip.wire.types import INT
from tests.server.enip.device.frames import Simulator, read, read_fragmented, symbol, write

WAIT_S = 10


def together(*jobs: Callable[[], None]) -> None:
    """Run jobs at once, each in its own thread; the first error is raised."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], None]) -> None:
        try:
            start.wait(WAIT_S)
            job()
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for one in threads:
        one.start()
    for one in threads:
        one.join(3 * WAIT_S)
    if failures:
        raise failures[0]


def test_a_thousand_elements_are_written_at_once() -> None:
    """Whatever a request reads, first or last elements, is of one write, by request or from Python."""
    device = Device()
    tag = device.add_tag(Attribute("A", INT, [0] * 1000))

    def writer(value: int) -> Callable[[], None]:
        simulator = Simulator(device)
        request = write(symbol("A"), 0xC3, 1000, struct.pack("<h", value) * 1000)
        return lambda: [simulator.cip(request) for _ in range(200)] and None

    def filler() -> None:
        for value in range(100, 300):
            tag[0:1000] = [value] * 1000

    def reader(request: bytes) -> Callable[[], None]:
        def run() -> None:
            simulator = Simulator(device)
            for _ in range(300):
                values = struct.unpack("<250h", simulator.cip(request)[6:])
                assert len(set(values)) == 1

        return run

    def whole() -> None:
        for _ in range(300):
            assert len(set(tag[0:1000])) == 1

    first, last = read(symbol("A"), 1000), read_fragmented(symbol("A"), 1000, 1500)
    together(writer(1), writer(2), filler, reader(first), reader(last), whole)


def test_texts_are_written_at_once() -> None:
    """LEN and characters of a text are always of one write."""
    device = Device()
    tag = device.add_tag(Attribute("A", STRING, ["a"] * 5))

    def writer() -> None:
        for length in range(1, 80):
            tag[0:5] = [chr(97 + length % 26) * length] * 5

    def reader() -> None:
        simulator = Simulator(device)
        for _ in range(200):
            data = simulator.cip(read(symbol("A"), 5))[8:]
            texts = {STRING.unpack(data[at : at + 88]) for at in range(0, 440, 88)}
            assert len(texts) == 1 and len(set(texts.pop())) == 1

    together(writer, writer, reader, reader)


class Slow(Attribute):
    """Waits before it answers, until it is told to go on."""

    entered: threading.Event
    go: threading.Event

    def __getitem__(self, key: Any) -> Any:
        self.entered.set()
        assert self.go.wait(WAIT_S)
        return super().__getitem__(key)


@pytest.fixture
def slow() -> Iterator[Device]:
    """A served device with a slow tag and two others; its address is in its attribute."""
    Slow.entered, Slow.go = threading.Event(), threading.Event()
    device = Device()
    device.add_tag(Slow("Slow", INT, 5))
    device.add_tag(Attribute("Quick", INT, 7))
    yield device
    Slow.go.set()


def test_a_blocking_attribute_delays_only_its_own_session(slow: Device) -> None:
    """Over loopback: while one client waits for a slow tag, others read, and write that tag too."""
    server = serve(slow, ("127.0.0.1", 0))
    front = threading.Thread(target=server.serve)
    front.start()
    host, port = server.address[:2]
    got: list[Any] = []

    def ask() -> None:
        with connector(host=host, port=port, timeout=2 * WAIT_S) as waiting:
            got.extend(list(waiting.synchronous([{"path": "Slow"}]))[0].val)

    client = threading.Thread(target=ask)
    try:
        client.start()
        assert Slow.entered.wait(WAIT_S)
        with connector(host=host, port=port, timeout=WAIT_S) as other:
            operations = [{"path": "Quick"}, {"path": "Slow", "data": [6]}, {"path": "Quick", "data": [8]}]
            assert [one.val for one in other.synchronous(operations)] == [[7], True, True]
        assert client.is_alive() and got == []
        Slow.go.set()
        client.join(WAIT_S)
        assert got == [6]
    finally:
        Slow.go.set()
        client.join(WAIT_S)
        server.stop()
        front.join(WAIT_S)
    assert not front.is_alive()


def test_attributes_do_not_wait_for_each_other() -> None:
    """While the lock of one attribute is held, another is read and written, and that one read."""
    one, other = Attribute("A", INT, 1), Attribute("B", INT, 2)
    with one._lock:
        other.value = 3
        assert other.value == 3 and other.octets() == b"\3\0"
        assert one.value == 1 and one.octets() == b"\1\0"
