"""Our servers, octet by octet: pipelines, pieces, wrong headers, floods, ends in order; and serial lines."""

from __future__ import annotations

import logging
import os
import socket
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpppo.remote import pymodbus_fixes
from cpppo.remote.cells import Device
from cpppo.remote.framing import TcpFrames, rtu_frame, tcp_frame
from cpppo.remote.hosting import Hosted
from cpppo.remote.simulator import Simulator, simulator
from tests.remote.serial_lines import Line
from tests.tools import examples

READ = bytes.fromhex("03 0000 0002")
VALUES = bytes.fromhex("03 04 0063 0064")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator("40001=99,100", "1-16=1,0") as served:
        yield served


def connected(served: Simulator) -> socket.socket:
    sock = socket.create_connection(served.address, timeout=10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def received(sock: socket.socket, count: int) -> list[tuple[int, int, bytes]]:
    """So many replies, or fewer if the connection ends before."""
    frames, found = TcpFrames(), []
    while len(found) < count:
        try:
            octets = sock.recv(65536)
        except ConnectionResetError:
            break
        if not octets:
            break
        found += [tuple(one) for one in frames.feed(octets)]
    return found


def ended(sock: socket.socket) -> bool:
    """Whether nothing comes any more; it waits for the end."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


# ------------------------------------------------------------------ Modbus/TCP
@pytest.mark.parametrize("count", [1, 2, 5, 30, 1000])
def test_all_requests_of_a_segment_are_answered_in_order(sim: Simulator, count: int) -> None:
    """However many requests come in one piece, each has its reply, in their order."""
    with connected(sim) as sock:
        sock.sendall(b"".join(tcp_frame(number, 1, READ) for number in range(count)))
        assert received(sock, count) == [(number, 1, VALUES) for number in range(count)]


def test_a_request_may_come_in_pieces(sim: Simulator) -> None:
    """A request that comes octet by octet is answered, and so is the one behind it."""
    with connected(sim) as sock:
        for octet in tcp_frame(7, 9, READ) + tcp_frame(8, 9, READ)[:3]:
            sock.send(bytes((octet,)))
        assert received(sock, 1) == [(7, 9, VALUES)]
        sock.send(tcp_frame(8, 9, READ)[3:])
        assert received(sock, 1) == [(8, 9, VALUES)]


@pytest.mark.parametrize(
    "wrong", ["0001 0001 0006 01 03 0000 0002", "0001 0000 0001 01", "0001 0000 00ff 01", "0001 0000 0000 01"]
)
def test_a_wrong_header_ends_the_connection(sim: Simulator, wrong: str, caplog: pytest.LogCaptureFixture) -> None:
    """Requests before it are answered, nothing after it, and the client learns of it; others are served on."""
    caplog.set_level(logging.INFO, "cpppo")
    with connected(sim) as sock, connected(sim) as other:
        sock.sendall(tcp_frame(1, 1, READ) * 2 + bytes.fromhex(wrong) + tcp_frame(1, 1, READ))
        assert received(sock, 3) == [(1, 1, VALUES)] * 2
        other.sendall(tcp_frame(2, 1, READ))
        assert received(other, 1) == [(2, 1, VALUES)]
    assert "in a Modbus/TCP header" in caplog.text


@given(st.binary(min_size=1, max_size=600))
@settings(max_examples=examples(200))
def test_any_octets_are_answered_or_end_the_connection(octets: bytes) -> None:
    """Garbage has replies, or the connection is ended; nothing is logged as a failure, and others are served."""
    served = shared()
    with connected(served) as sock:
        sock.sendall(octets)
        with suppress(OSError):  # it may have been left already
            sock.shutdown(socket.SHUT_WR)
        while not ended(sock):
            pass
    with connected(served) as sock:
        sock.sendall(tcp_frame(1, 1, READ))
        assert received(sock, 1) == [(1, 1, VALUES)]
    assert not FAILURES.records


class Failures(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record.getMessage())


FAILURES = Failures()
_SHARED: list[Simulator] = []


def shared() -> Simulator:
    if not _SHARED:
        for name in ("cpppo", "asyncio", "pymodbus"):
            logging.getLogger(name).addHandler(FAILURES)
        _SHARED.append(simulator("40001=99,100"))
        _SHARED[0].start()
    return _SHARED[0]


@pytest.fixture(scope="module", autouse=True)
def ending() -> Iterator[None]:
    yield
    while _SHARED:
        _SHARED.pop().stop()
        for name in ("cpppo", "asyncio", "pymodbus"):
            logging.getLogger(name).removeHandler(FAILURES)


def test_a_flood_is_answered_and_does_not_grow(sim: Simulator) -> None:
    """A client that asks without reading is not listened to after a while; then all is answered, and others were."""
    sim.device.define(40001, range(125))
    request, total = tcp_frame(1, 1, bytes.fromhex("17 0000 007d 0000 0064 c8" + "0001" * 100)), 0
    with connected(sim) as flood, connected(sim) as other:
        flood.setblocking(False)
        burst = request * 500
        stalled = 0
        while stalled < 20:  # until the server takes no more
            try:
                total += flood.send(burst[total % len(request) :])
                stalled = 0
            except BlockingIOError:
                stalled += 1
                other.sendall(tcp_frame(2, 1, bytes.fromhex("03 0000 0001")))
                assert len(received(other, 1)) == 1
            assert total < 100_000_000, "it takes everything"
        flood.settimeout(10)
        assert len(received(flood, total // len(request))) == total // len(request)


@pytest.mark.long
def test_a_thousand_connections(sim: Simulator) -> None:
    """A thousand clients at once are each answered."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    socks = [connected(sim) for _ in range(1000)]
    try:
        for number, sock in enumerate(socks):
            sock.sendall(tcp_frame(number, 1, READ))
        for number, sock in enumerate(socks):
            assert received(sock, 1) == [(number, 1, VALUES)]
    finally:
        for sock in socks:
            sock.close()


def test_units_that_are_not_there() -> None:
    """With units named, others are refused as a gateway does (11), or in silence if so wanted."""
    with simulator("40001=99,100", units=[2, 3]) as served, connected(served) as sock:
        sock.sendall(tcp_frame(1, 1, READ) + tcp_frame(2, 2, READ) + tcp_frame(3, 0, READ))
        assert received(sock, 3) == [(1, 1, b"\x83\x0b"), (2, 2, VALUES), (3, 0, b"\x83\x0b")]
    store = pymodbus_fixes.modbus_store({2: Device()})
    quiet = Hosted(
        lambda: pymodbus_fixes.modbus_server_tcp(store, address=("127.0.0.1", 0), ignore_missing_devices=True)
    )
    with quiet, socket.create_connection(quiet.address, timeout=10) as sock:
        sock.sendall(tcp_frame(1, 1, READ) + tcp_frame(2, 2, READ))
        assert received(sock, 1) == [(2, 2, b"\x83\x02")]


# ------------------------------------------------------------------ ends
def states(port: int) -> list[str]:
    """The states of all sockets of this host's port, as the kernel tells them; 06 is TIME_WAIT."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return [row[3] for row in rows if int(row[1].rpartition(":")[2], 16) == port]


needs_proc = pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="/proc/net/tcp is Linux'")


@needs_proc
def test_an_end_leaves_no_time_wait() -> None:
    """After `stop` no socket of the port is left, in whatever state; clients learn of it, and the port is free."""
    served = simulator("40001=99,100")
    served.start()
    host, port = served.address
    socks = [connected(served) for _ in range(5)]
    socks[0].sendall(tcp_frame(1, 1, READ))
    assert received(socks[0], 1) == [(1, 1, VALUES)]
    served.stop()
    assert states(port) == []
    assert all(ended(sock) for sock in socks)
    for sock in socks:
        sock.close()
    with simulator("40001=99,100", address=(host, port)) as again:
        assert again.address == (host, port)


@needs_proc
def test_a_wrong_header_leaves_no_time_wait(sim: Simulator) -> None:
    """Nor does a client that had to be left."""
    with connected(sim) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert ended(sock)
    assert "06" not in states(sim.address[1])


def test_replies_in_flight_are_sent_before_the_end() -> None:
    """A reply that is delayed comes although the server is stopped meanwhile."""
    with simulator("40001=99,100", evil="delay:0.3") as served, connected(served) as sock:
        sock.sendall(tcp_frame(5, 1, READ))
        taken = threading.Event()
        served.on_read = lambda *_: taken.set()
        sock.sendall(tcp_frame(6, 1, READ))
        assert taken.wait(10)
        served.stop()
        assert received(sock, 2) == [(5, 1, VALUES), (6, 1, VALUES)]
        assert ended(sock)


def test_a_request_on_its_way_is_answered_before_the_end() -> None:
    """What arrives within `latency` of the stop is answered."""
    with simulator("40001=99,100") as served, connected(served) as sock:
        stopping = threading.Thread(target=served.stop)
        stopping.start()
        sock.sendall(tcp_frame(6, 1, READ))
        assert received(sock, 1) == [(6, 1, VALUES)]
        stopping.join()


def test_a_client_that_takes_nothing_does_not_hinder_the_end() -> None:
    """A server with a client that reads no replies ends all the same, after `drain`."""
    with simulator("40001-40125=1") as served:
        sock = connected(served)
        sock.setblocking(False)
        try:
            while True:
                sock.send(tcp_frame(1, 1, bytes.fromhex("03 0000 007d")) * 1000)
        except BlockingIOError:
            pass
        begun = time.monotonic()
        served.stop()
        assert time.monotonic() - begun < 5
        sock.close()


def test_service_actions_are_called() -> None:
    """`service_actions` is called every `poll_interval` while serving, what it raises is logged, and not afterwards."""
    called = threading.Semaphore(0)

    class Served(pymodbus_fixes.modbus_server_tcp):
        async def serve_forever(self, poll_interval: float = 0.5, *, background: bool = False) -> None:
            await super().serve_forever(0.01, background=background)

        def service_actions(self) -> None:
            called.release()

    with Hosted(lambda: Served(pymodbus_fixes.modbus_store(Device()), address=("127.0.0.1", 0))):
        for _ in range(3):
            assert called.acquire(timeout=10)


def test_service_actions_that_fail_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What `service_actions` raises is logged, and the server serves on."""
    failed = threading.Semaphore(0)

    class Served(pymodbus_fixes.modbus_server_tcp):
        async def serve_forever(self, poll_interval: float = 0.5, *, background: bool = False) -> None:
            await super().serve_forever(0.01, background=background)

        def service_actions(self) -> None:
            failed.release()
            raise ValueError("no service today")

    with Hosted(lambda: Served(pymodbus_fixes.modbus_store(Device()), address=("127.0.0.1", 0))):
        assert failed.acquire(timeout=10) and failed.acquire(timeout=10)
    assert "service_actions failed" in caplog.text and "no service today" in caplog.text


def test_an_address_that_cannot_be_had(sim: Simulator) -> None:
    """A port that is taken is an OSError with its reason, where the server is started."""
    with pytest.raises(OSError, match="address already in use"):
        simulator("40001", address=sim.address).start()


# ------------------------------------------------------------------ serial lines
RTU_READ, RTU_VALUES = rtu_frame(1, READ), rtu_frame(1, VALUES)
#: Long enough for a reply that must not come.
SILENT_S = 0.2


@pytest.mark.parametrize(
    "noise", [b"", b"\xff", b"\0", b"\1", b"\1\3", b"\1\3\xf0", bytes(range(60)), RTU_READ[:-1] + b"x"]
)
def test_requests_are_found_in_noise(noise: bytes) -> None:
    """Whatever comes before a request, it is answered at once."""
    with Line(noise=noise) as line, simulator("40001=99,100", address=line.paths[0], units=[1]):
        for _ in range(3):
            assert line.ask(RTU_READ, len(RTU_VALUES)) == RTU_VALUES


def test_a_request_of_a_serial_line_may_come_in_pieces() -> None:
    """Octet by octet is a request, too."""
    with Line() as line, simulator("40001=99,100", address=line.paths[0]):
        for octet in RTU_READ:
            line.send(bytes((octet,)))
        assert line.hear(len(RTU_VALUES), 10) == RTU_VALUES


def test_a_beginning_is_forgotten_after_a_silence() -> None:
    """A request that stays incomplete does not take octets of a later one."""
    with Line() as line, simulator("40001=99,100", address=line.paths[0]):
        long = bytes.fromhex("01 10 0000 0002 04")  # would take the next 6 octets, and the CRC might even be right
        assert line.ask(long, 1, SILENT_S) == b""
        assert line.ask(RTU_READ, len(RTU_VALUES)) == RTU_VALUES
        write = rtu_frame(1, bytes.fromhex("06 0000 0063"))
        assert line.ask(write[:5], 1, SILENT_S) == line.ask(write[5:], 1, SILENT_S) == b""


@pytest.mark.parametrize("noise", [b"", b"\xff"])
def test_three_servers_on_one_line(noise: bytes) -> None:
    """Each answers for its own unit; the replies of others are no requests, and others' requests are not answered."""
    with Line(3, noise) as line:
        sims = [simulator(f"40001={number}", address=line.paths[number - 1], units=[number]) for number in (1, 2, 3)]
        try:
            for one in sims:
                one.start()
            for turn in range(60):
                unit = turn % 3 + 1
                reply = rtu_frame(unit, bytes((3, 2, 0, unit)))
                assert line.ask(rtu_frame(unit, bytes.fromhex("03 0000 0001")), len(reply)) == reply
            assert line.ask(rtu_frame(4, READ), 1, SILENT_S) == b""
        finally:
            for one in sims:
                one.stop()


def test_unit_0_is_everybody() -> None:
    """A write to unit 0 is executed by all units, and nobody answers; nor to a read."""
    with Line() as line, simulator("40001=1", address=line.paths[0], units=[1, 2]) as served:
        assert line.ask(rtu_frame(0, bytes.fromhex("06 0000 0007")), 1, SILENT_S) == b""
        assert served.unit(1)[40001] == served.unit(2)[40001] == 7
        assert line.ask(rtu_frame(0, READ), 1, SILENT_S) == b""


def test_the_newest_request_is_answered() -> None:
    """Of requests that come together all are executed, and the last is answered: no one waits for the others."""
    with Line() as line, simulator("40001=99,100", address=line.paths[0]) as served:
        write = rtu_frame(1, bytes.fromhex("06 0000 0063"))
        assert line.ask(rtu_frame(1, bytes.fromhex("06 0001 0064")) + write, len(write) + 1, SILENT_S) == write
        assert served[40001:40003] == [0x63, 0x64]


@pytest.mark.parametrize("faults", [[], [OSError(5, "no"), termios.error(5, "no"), ValueError("no")]])
def test_a_device_that_is_unplugged_is_opened_again(
    tmp_path: os.PathLike[str], caplog: pytest.LogCaptureFixture, faults: list[Exception]
) -> None:
    """The server goes on when the device is back, and says each once."""
    link = os.path.join(tmp_path, "port")
    back = threading.Event()

    class Waits(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "is back" in record.getMessage():
                back.set()

    waits = Waits()
    logging.getLogger("cpppo.remote.sim").addHandler(waits)
    try:
        with Line(2) as line:
            os.symlink(line.paths[0], link)
            with simulator("40001=99,100", address=link, reconnect_delay=0.05) as served:
                assert line.ask(RTU_READ, len(RTU_VALUES)) == RTU_VALUES
                server = served._hosted.server
                listen = server.listen

                async def opened() -> bool:
                    if faults:
                        raise faults.pop()
                    return bool(await listen())

                server.listen = opened
                os.unlink(link)
                line.unplug()
                os.symlink(line.paths[1], link)
                assert back.wait(10)
                assert line.ask(RTU_READ, len(RTU_VALUES)) == RTU_VALUES
                assert served.address == link
    finally:
        logging.getLogger("cpppo.remote.sim").removeHandler(waits)
    told = [record.getMessage() for record in caplog.records if record.name == "cpppo.remote.sim"]
    assert len(told) == 2 and "is gone" in told[0] and "is back" in told[1]


def test_a_serial_device_that_is_not_there() -> None:
    """It is an OSError with its reason."""
    with pytest.raises(OSError, match="/nowhere/ttyS9"):
        simulator("40001", address="/nowhere/ttyS9").start()


def test_settings_that_a_device_does_not_take() -> None:
    """A pseudo terminal has no mark parity: that is an OSError, with the device's name."""
    with Line() as line, pytest.raises(OSError, match=f"{line.paths[0]} does not take these settings"):
        simulator("40001", address=line.paths[0], parity="M").start()


def test_the_echo_of_an_adapter_is_no_request() -> None:
    """With handle_local_echo, what the server sent itself is passed over."""
    with Line() as line, simulator("40001=99,100", address=line.paths[0], handle_local_echo=True):
        write = rtu_frame(1, bytes.fromhex("06 0000 0063"))
        assert line.ask(write, len(write)) == write
        assert line.ask(write, 1, SILENT_S) == b""  # the echo of the reply: else this would be answered for ever
        assert line.ask(RTU_READ, len(RTU_VALUES)) == RTU_VALUES
