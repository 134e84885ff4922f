"""The threaded server alone, with a protocol that echoes: threads, sockets, and ending them."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import pytest

from cpppo.server import tcp
from cpppo.server.delay import Delay
from cpppo.server.tcp import Server, format_address
from tests.tools import python_environment

TIMEOUT_S = 10.0


class Echo:
    """Gives back what it gets, until it gets a full stop."""

    def __init__(self) -> None:
        self.closed = False

    def receive(self, data: bytes) -> bytes:
        self.closed = b"." in data
        return data


class Flood(Echo):
    """Answers anything with very much."""

    def receive(self, data: bytes) -> bytes:
        return bytes(64 << 20)


class Broken(Echo):
    """Has a bug."""

    def receive(self, data: bytes) -> bytes:
        raise ZeroDivisionError("a bug")


@contextmanager
def serving(talk: Callable[[socket.socket], Echo] = lambda sock: Echo(), **settings: Any) -> Iterator[Server]:
    """A server that accepts in a thread of its own; everything has ended after the block."""
    server = Server(("127.0.0.1", 0), talk, **settings)
    thread = threading.Thread(target=server.serve, name="accepts")
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def connect(server: Server) -> socket.socket:
    sock = socket.create_connection(server.address, TIMEOUT_S)
    sock.settimeout(TIMEOUT_S)
    return sock


def say(sock: socket.socket, data: bytes) -> bytes:
    """Send, and receive as much."""
    sock.sendall(data)
    got = b""
    while len(got) < len(data) and (more := sock.recv(65536)):
        got += more
    return got


def at_end(sock: socket.socket) -> bool:
    """Whether the server has ended the connection."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def threads_of(server: Server) -> list[threading.Thread]:
    return [one.thread for one in server.connections()]


def test_it_listens_when_it_is_made() -> None:
    """The port is there, and known, as soon as the server is made; a client may connect before it accepts."""
    server = Server(("127.0.0.1", 0), lambda sock: Echo())
    with connect(server):
        assert server.address[0] == "127.0.0.1" and server.address[1] > 0
    server.stop()


def test_answers() -> None:
    """What the protocol object returns is sent, on the connection it came from."""
    with serving() as server, connect(server) as one, connect(server) as two:
        assert say(one, b"one") == b"one"
        assert say(two, b"two") == b"two"
        assert say(one, bytes(300_000)) == bytes(300_000)


class Sizes:
    """A socket that has some octets, and notes how many it is asked for."""

    def __init__(self, octets: int) -> None:
        self.octets, self.asked = octets, list[int]()

    def getpeername(self) -> tuple[str, int]:
        return "127.0.0.1", 1

    def recv(self, size: int) -> bytes:
        self.asked.append(size)
        data = bytes(min(size, self.octets))
        self.octets -= len(data)
        return data

    def sendall(self, data: bytes) -> None:
        """Nobody looks at what is answered."""

    def shutdown(self, how: int) -> None:
        """Nobody is there."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("octets", "asked"),
    [(100, [4096, 4096]), (4096, [4096, 65536]), (100_000, [4096, 65536, 65536, 4096])],
)
def test_reads_are_small_until_much_is_waiting(octets: int, asked: list[int]) -> None:
    """A connection makes room for 4096 octets, since most requests are small; for many while its reads are full."""
    server, sock = Server(("127.0.0.1", 0), lambda sock: Echo()), Sizes(octets)
    connection = tcp.Connection(server, cast(socket.socket, sock), Echo())
    connection.thread.start()
    connection.thread.join(TIMEOUT_S)
    server.stop()
    assert sock.asked == asked


def test_closed_protocol_ends_the_connection() -> None:
    """When the protocol object is closed, what it returned last is sent, then the connection ends."""
    with serving() as server, connect(server) as one, connect(server) as two:
        assert say(one, b"bye.") == b"bye."
        assert at_end(one)
        assert say(two, b"two") == b"two"


def test_a_client_that_goes_is_forgotten() -> None:
    """The thread and socket of a client that is gone are gone, too."""
    with serving() as server:
        with connect(server) as one:
            say(one, b"one")
            (thread,) = threads_of(server)
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()
        assert server.connections() == []


def test_a_bug_ends_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    """A protocol object that raises loses its client, with an error in the log; the others go on."""
    made: list[Echo] = []

    def talk(sock: socket.socket) -> Echo:
        made.append(Broken() if not made else Echo())
        return made[-1]

    with serving(talk) as server, connect(server) as one:
        one.sendall(b"x")
        assert at_end(one)
        with connect(server) as two:
            assert say(two, b"two") == b"two"
    (record,) = caplog.records
    assert record.exc_info and "127.0.0.1" in record.message


def test_two_servers_cannot_share_a_port() -> None:
    """A port that another server listens on cannot be had: OSError, at once."""
    with serving() as server, pytest.raises(OSError, match="in use"):
        Server(server.address, lambda sock: Echo())


def test_port_of_a_server_that_was_stopped() -> None:
    """A port is free again as soon as the server has stopped, though its connections linger in the kernel."""
    with serving() as server:
        client = connect(server)
        assert say(client, b"one") == b"one"
        address = server.address
    again = Server(address, lambda sock: Echo())
    again.stop()
    client.close()


def test_nobody_listens_after_stop() -> None:
    """After stop() a client is refused."""
    with serving() as server:
        address = server.address
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, TIMEOUT_S)


@pytest.mark.parametrize("address", [("127.0.0.1", -1), ("127.0.0.1", 70000), ("no.such.host.invalid", 0), ("a..b", 0)])
def test_addresses_that_cannot_be_had(address: tuple[str, int]) -> None:
    """An address that cannot be: OSError or OverflowError, as the socket says; no socket is left open."""
    before = descriptors()
    with pytest.raises((OSError, OverflowError, UnicodeError)):
        Server(address, lambda sock: Echo())
    assert descriptors() == before


def test_stop_ends_idle_connections() -> None:
    """stop() ends connections on which nothing happens, and their threads, without waiting for its time-out."""
    with ExitStack() as stack:
        server = stack.enter_context(serving())
        clients = [stack.enter_context(connect(server)) for _ in range(10)]
        for one in clients:
            say(one, b"here")
        threads = threads_of(server)
        assert len(threads) == 10
        server.stop(timeout_s=TIMEOUT_S)
        assert not any(one.is_alive() for one in threads)
        assert all(at_end(one) for one in clients)


def test_stop_answers_what_was_sent() -> None:
    """What a client has sent before stop() is answered; then the connection ends."""
    entered, go = threading.Event(), threading.Event()

    class Slow(Echo):
        def receive(self, data: bytes) -> bytes:
            entered.set()
            assert go.wait(TIMEOUT_S)
            return data

    with serving(lambda sock: Slow()) as server, connect(server) as one:
        one.sendall(b"question")
        assert entered.wait(TIMEOUT_S)
        stopper = threading.Thread(target=server.stop, args=(TIMEOUT_S,))
        stopper.start()
        go.set()
        assert one.recv(100) == b"question"
        assert at_end(one)
        stopper.join(TIMEOUT_S)
        assert not stopper.is_alive()


@pytest.mark.parametrize(("started", "covered"), [(True, False), (False, False), (True, True)])
def test_ctrl_c_while_a_client_is_accepted(monkeypatch: pytest.MonkeyPatch, started: bool, covered: bool) -> None:
    """Ctrl-C can come while the thread of a client is being started: that client is answered as any other one."""
    server = Server(("127.0.0.1", 0), lambda sock: Echo())
    start = threading.Thread.start

    def interrupted(self: threading.Thread) -> None:
        if started:
            start(self)
        try:
            raise KeyboardInterrupt
        finally:
            if covered:  # as a condition of threading does, if it is interrupted between two of its steps
                raise RuntimeError("release unlocked lock")

    with connect(server) as client:
        client.sendall(b"accepted")
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", interrupted)
            with pytest.raises(KeyboardInterrupt):
                server.serve()
        server.stop(TIMEOUT_S)
        assert client.recv(100) == (b"accepted" if started else b"")
        assert client.recv(100) == b""
    assert threads_of(server) == []


def test_clients_that_never_read_hinder_no_one() -> None:
    """A client that sends and never reads blocks its own thread alone."""

    class Big(Echo):
        def receive(self, data: bytes) -> bytes:
            return data if data == b"two" else bytes(64 << 20)

    with serving(lambda sock: Big()) as server, connect(server) as one, connect(server) as two:
        one.sendall(b"x")
        assert one.recv(1)
        assert say(two, b"two") == b"two"


def test_clients_that_never_read_do_not_keep_stop_from_ending() -> None:
    """However many clients never read, stop() ends them all when its one time-out is over."""
    with ExitStack() as stack:
        server = stack.enter_context(serving(lambda sock: Flood()))
        clients = [stack.enter_context(connect(server)) for _ in range(8)]
        for one in clients:
            one.sendall(b"x")
            assert one.recv(1)  # it has begun to answer, and cannot end
        threads = threads_of(server)
        stopper = threading.Thread(target=server.stop, args=(0.5,))
        stopper.start()
        stopper.join(2.0)
        late = stopper.is_alive()
        stopper.join(TIMEOUT_S)
        assert not late, "the time-out counts for each connection, not for all"
        assert not any(one.is_alive() for one in threads)


def test_stop_while_a_client_is_accepted() -> None:
    """A client that is accepted just while stop() runs does not stay behind."""
    servers: list[Server] = []
    made: list[Echo] = []

    def talk(sock: socket.socket) -> Echo:
        stopper = threading.Thread(target=servers[0].stop)
        stopper.start()
        stopper.join(TIMEOUT_S)
        made.append(Echo())
        return made[-1]

    server = Server(("127.0.0.1", 0), talk)
    servers.append(server)
    accepting = threading.Thread(target=server.serve)
    accepting.start()
    with connect(server) as one:
        accepting.join(TIMEOUT_S)
        assert not accepting.is_alive() and made
        one.settimeout(1.0)
        try:
            assert one.recv(1) == b""
        except ConnectionResetError:
            pass
        except TimeoutError:
            pytest.fail("the connection is served after stop()")


def test_stop_twice() -> None:
    """stop() again does nothing."""
    with serving() as server:
        server.stop()
        server.stop()


def test_stop_without_serve() -> None:
    """A server that never accepted can be stopped; its port is free then."""
    server = Server(("127.0.0.1", 0), lambda sock: Echo())
    server.stop()
    Server(server.address, lambda sock: Echo()).stop()


def test_serve_after_stop_returns() -> None:
    """serve() of a server that was stopped returns at once."""
    server = Server(("127.0.0.1", 0), lambda sock: Echo())
    server.stop()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()


def descriptors() -> int:
    """Open descriptors of this process."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_fifty_servers_leave_nothing_behind() -> None:
    """Started and stopped fifty times, with clients in every state, it leaves no thread and no socket."""

    def once() -> None:
        with serving() as server, connect(server) as idle, connect(server) as half, connect(server) as gone:
            for one in (idle, half, gone):
                say(one, b"x")
            threads = threads_of(server)
            gone.close()
        for thread in threads:
            thread.join(TIMEOUT_S)

    once()
    threads, open_ = threading.active_count(), descriptors()
    for _ in range(50):
        once()
    assert (threading.active_count(), descriptors()) == (threads, open_)


def test_clients_that_never_read_leave_nothing_behind() -> None:
    """The same with a client whose answer could not be sent."""

    def once() -> None:
        with serving(lambda sock: Flood()) as server, connect(server) as one:
            one.sendall(b"x")
            assert one.recv(1)
            server.stop(timeout_s=0.01)

    once()
    threads, open_ = threading.active_count(), descriptors()
    for _ in range(5):
        once()
    assert (threading.active_count(), descriptors()) == (threads, open_)


def test_one_hundred_at_once() -> None:
    """A hundred clients at once are all answered."""
    with ExitStack() as stack:
        server = stack.enter_context(serving())
        clients = [stack.enter_context(connect(server)) for _ in range(100)]
        for at, one in enumerate(clients):
            one.sendall(b"%03d" % at)
        for at, one in enumerate(clients):
            assert one.recv(100) == b"%03d" % at
        assert len(server.connections()) == 100


def test_more_connections_than_there_can_be_are_closed_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """Those there are go on; one line in the log says so, however many come."""
    server = Server(("127.0.0.1", 0), lambda sock: Echo(), most=2)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        with connect(server) as one, connect(server) as two:
            assert say(one, b"1") == b"1" and say(two, b"2") == b"2"
            for _ in range(5):
                with connect(server) as other:
                    assert other.recv(1) == b""
            assert say(one, b"1") == b"1" and say(two, b"2") == b"2"
        assert len([line for line in caplog.records if "as many as there can be" in line.getMessage()]) == 1
    finally:
        server.stop()
        thread.join(TIMEOUT_S)


class Ends(Echo):
    """Ends its connection at the first octets."""

    def receive(self, data: bytes) -> bytes:
        self.closed = True
        return b"bye"


def test_a_peer_that_goes_on_sending_does_not_keep_an_ended_connection() -> None:
    """The last reply arrives, and soon after nobody reads any more."""
    with serving(lambda sock: Ends()) as server, connect(server) as sock:
        assert say(sock, b"one") == b"bye"
        deadline = time.monotonic() + TIMEOUT_S
        with pytest.raises(OSError):
            while time.monotonic() < deadline:
                sock.sendall(bytes(100))


class Stuck(Echo):
    """Waits for the test to let go."""

    release = threading.Event()

    def receive(self, data: bytes) -> bytes:
        self.release.wait(TIMEOUT_S)
        return data


def test_many_blocked_connections_do_not_add_up() -> None:
    """stop() gives all of them together its time-out, twice, and not each."""
    Stuck.release.clear()
    server = Server(("127.0.0.1", 0), lambda sock: Stuck())
    thread = threading.Thread(target=server.serve)
    thread.start()
    socks = [connect(server) for _ in range(8)]
    for sock in socks:
        sock.sendall(b"x")
    began = time.monotonic()
    server.stop(0.25)
    assert time.monotonic() - began < 1.5
    Stuck.release.set()
    thread.join(TIMEOUT_S)
    for sock in socks:
        sock.close()


@pytest.mark.parametrize(("given", "name"), [({}, "tcp"), ({"name": "other"}, "other")])
def test_names_of_threads(given: dict[str, str], name: str) -> None:
    """The thread of a connection bears the name of the server and the port of the client."""
    server = Server(("127.0.0.1", 0), lambda sock: Echo(), **given)
    thread = threading.Thread(target=server.serve)
    thread.start()
    with connect(server) as sock:
        say(sock, b"one")
        assert [one.name for one in threads_of(server)] == [f"{name}_{sock.getsockname()[1]}"]
    server.stop()
    thread.join(TIMEOUT_S)


@pytest.mark.skipif(not hasattr(socket, "SO_SNDTIMEO"), reason="this system bounds no sending")
def test_a_client_that_never_reads_is_left(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A client that takes nothing of its answer for so long is left, and its thread ends."""
    monkeypatch.setattr(tcp, "_SEND_S", 1)
    with caplog.at_level("INFO"), serving(lambda sock: Flood()) as server, connect(server) as one:
        one.sendall(b"x")
        assert one.recv(1)
        (thread,) = threads_of(server)
        thread.join(TIMEOUT_S)
        assert not thread.is_alive() and server.connections() == []
    assert "connection lost" in caplog.text


def test_time_to_read() -> None:
    """Half a minute is what a client may take."""
    assert tcp._SEND_S == 30


# -- ticks, delays, and whoever runs a conversation


def test_ticks_come_as_often_as_they_say() -> None:
    """tick() is called at the start, and again after as many seconds as it said, clients or no clients."""
    times: list[float] = []
    enough = threading.Event()

    def tick() -> float:
        times.append(time.monotonic())
        if len(times) == 4:
            enough.set()
        return 0.05

    with serving(tick=tick) as server:
        while not enough.is_set():
            with connect(server) as sock:
                assert say(sock, b"one") == b"one"
    assert all(later - earlier >= 0.05 for earlier, later in zip(times, times[1:], strict=False))


def test_connections_wait_in_the_kernel() -> None:
    """Though accepting wakes up for ticks, a connection's socket has no time-out of its own."""
    with serving(tick=lambda: 0.01) as server, connect(server) as sock:
        say(sock, b"one")
        assert [one.sock.gettimeout() for one in server.connections()] == [None]


def test_tick_that_stops_the_server() -> None:
    """A tick may stop the server whose serve() calls it."""
    servers: list[Server] = []

    def tick() -> float:
        servers[0].stop()
        return 0.0

    servers.append(Server(("127.0.0.1", 0), lambda sock: Echo(), tick=tick))
    servers[0].serve()
    with pytest.raises(ConnectionRefusedError):
        connect(servers[0])


def test_tick_that_fails() -> None:
    """What a tick raises comes out of serve(), be it an OSError or not."""

    def tick() -> float:
        raise OSError("no more")

    server = Server(("127.0.0.1", 0), lambda sock: Echo(), tick=tick)
    with pytest.raises(OSError, match="no more"):
        server.serve()
    server.stop()


def test_delay() -> None:
    """A response comes after the delay; another connection is not held up by it."""
    with serving(delay=Delay(0.5)) as server, connect(server) as one, connect(server) as two:
        began = time.monotonic()
        one.sendall(b"one")
        two.sendall(b"two")
        assert one.recv(3) == b"one" and two.recv(3) == b"two"
        assert 0.5 <= time.monotonic() - began < 1.0


def test_delay_of_each_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers one by one is delayed one by one; what is empty is not."""

    class Letters(Echo):
        def answers(self, data: bytes) -> Iterator[bytes]:
            for octet in data:
                yield bytes([octet])
                yield b""

    pauses: list[float] = []
    with serving(lambda sock: Letters(), delay=Delay(7.0)) as server, connect(server) as sock:
        monkeypatch.setattr(server, "pause", pauses.append)
        assert say(sock, b"abc") == b"abc"
    assert pauses == [7.0] * 3


def test_stop_cuts_delays_short() -> None:
    """What was accepted is answered by stop(), but not as late as it would have been."""
    with serving(delay=Delay(3600.0)) as server, connect(server) as sock:
        sock.sendall(b"one")
        (here,) = _connections(server)
        while not here.busy:
            assert here.thread.is_alive()
        server.stop()
        assert sock.recv(3) == b"one"
        assert at_end(sock)


def _connections(server: Server) -> list[tcp.Connection]:
    """Its connections, once it has any."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (there := server.connections()) and time.monotonic() < deadline:
        pass
    return there


def test_run() -> None:
    """The conversation is led by what is given for it, in the thread of the connection."""
    threads: list[threading.Thread] = []

    def run(converse: Callable[[], None]) -> None:
        threads.append(threading.current_thread())
        converse()

    with serving(run=run) as server, connect(server) as sock:
        assert say(sock, b"one") == b"one"
        assert threads == threads_of(server)


def test_stop_waits_until_the_end_was_told() -> None:
    """stop() returns after ``ended`` has, of clients that were gone before, too."""
    telling, go, told = threading.Event(), threading.Event(), threading.Event()

    def ended(connection: tcp.Connection, left: int) -> None:
        telling.set()
        assert go.wait(TIMEOUT_S)
        told.set()

    with serving(ended=ended) as server:
        connect(server).close()
        assert telling.wait(TIMEOUT_S)
        assert server.connections() == []
        stopper = threading.Thread(target=server.stop, args=(TIMEOUT_S,))
        stopper.start()
        go.set()
        stopper.join(TIMEOUT_S)
        assert told.is_set() and not stopper.is_alive()


# -- shortages


EXHAUSTED = """
import logging, os, resource, socket, sys, threading
from cpppo.server.tcp import Server
from tests.server.test_tcp import TIMEOUT_S, Echo, connect, say

told = threading.Event()
logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(message)s")
logging.getLogger("network").addFilter(lambda record: told.set() or True)
server = Server(("127.0.0.1", 0), lambda sock: Echo())
threading.Thread(target=server.serve).start()
first = connect(server)
assert say(first, b"one") == b"one"
clients = [socket.socket() for _ in range(20)]
highest = max(one.fileno() for one in clients)
spare = []
while not spare or spare[-1] < highest:
    spare.append(os.dup(0))
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (spare[-1] + 1, hard))
for one in clients:
    one.settimeout(TIMEOUT_S)
    one.connect(server.address)
assert told.wait(TIMEOUT_S)
assert say(first, b"two") == b"two"
for one in clients[:10]:  # what becomes free is taken by those who wait
    one.close()
for one in clients[10:]:
    assert say(one, b"three") == b"three"
server.stop()
"""


def test_no_descriptors_left() -> None:
    """Without descriptors accepting pauses, with one line in the log; those there are go on, and it recovers."""
    pytest.importorskip("resource", reason="this system has no limit of descriptors")
    done = subprocess.run(
        [sys.executable, "-c", EXHAUSTED], capture_output=True, text=True, timeout=30, env=python_environment()
    )
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert "no descriptors left" in line


def test_shortage_that_comes_and_goes(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shortage that comes and goes is told once in a while, not each time."""
    monkeypatch.setattr(tcp, "_PAUSE_S", 0.001)
    server = Server(("127.0.0.1", 0), lambda sock: Echo())
    real, turns = server._listener, iter(range(20))

    class Short:
        def accept(self) -> tuple[socket.socket, object]:
            if next(turns, None) is None:
                return real.accept()
            raise OSError(errno.EMFILE, "Too many open files")

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    monkeypatch.setattr(server, "_listener", Short())
    thread = threading.Thread(target=server.serve)
    thread.start()
    with connect(server) as sock:
        assert say(sock, b"one") == b"one"
    server.stop()
    thread.join(TIMEOUT_S)
    assert caplog.text.count("no descriptors left") == 1


def test_no_thread_left(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started the client is closed, with one line in the log; later ones are served."""
    with serving() as server:
        with monkeypatch.context() as patched:

            def start(thread: threading.Thread) -> None:
                raise RuntimeError("can't start new thread")

            patched.setattr(threading.Thread, "start", start)
            for _ in range(3):
                with connect(server) as sock:
                    assert at_end(sock)
        with connect(server) as sock:
            assert say(sock, b"one") == b"one"
    assert caplog.text.count("no thread left") == 1


@pytest.mark.parametrize(("address", "text"), [(("10.0.0.1", 5), "10.0.0.1:5"), (("::1", 5), "[::1]:5")])
def test_addresses_as_text(address: tuple[str, int], text: str) -> None:
    """An IPv6 host stands in brackets."""
    assert format_address(address) == text
