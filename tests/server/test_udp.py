"""The UDP server alone, with a function that echoes: its thread, its socket, what goes wrong, and ending it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cpppo.server import udp
from cpppo.server.udp import WILDCARDS, Datagrams, Peer, local_host

TIMEOUT_S = 10.0
LOOPBACK = ("127.0.0.1", 0)


def echo(data: bytes, peer: Peer) -> bytes:
    """Gives back what it gets, but for what begins with a full stop."""
    return b"" if data[:1] == b"." else data


@contextmanager
def answering(
    answer: Callable[[bytes, Peer], bytes] = echo, address: tuple[str, int] = LOOPBACK, **settings: Any
) -> Iterator[Datagrams]:
    """A server of datagrams; everything has ended after the block."""
    one = Datagrams(address, answer, **settings)
    try:
        yield one
    finally:
        one.stop()
        assert not one.thread.is_alive()


@contextmanager
def asking(server: Datagrams, host: str = "") -> Iterator[socket.socket]:
    """A client's socket that sends to a server and takes its answers alone."""
    address = (host or server.address[0], server.address[1])
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT_S)
        sock.connect(address)
        yield sock


def ask(sock: socket.socket, data: bytes) -> bytes:
    """The next datagram that comes after one was sent."""
    sock.send(data)
    return sock.recv(65536)


def descriptors() -> int:
    """Open descriptors of this process."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


class Trouble:
    """A socket that fails for as many times as there are errors, then is the one it stands for."""

    def __init__(self, sock: socket.socket, errors: list[OSError]) -> None:
        self._sock = sock
        self.errors = errors

    def recvfrom(self, size: int) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        return self._sock.recvfrom(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


# -- answers


def test_each_is_answered() -> None:
    """Each datagram is answered by one, which goes to whom it came from."""
    with answering() as server, asking(server) as one, asking(server) as two:
        assert ask(one, b"one") == b"one"
        assert ask(two, b"two") == b"two"
        for octets in (b"a", b"b", b"c"):
            one.send(octets)
        assert [one.recv(10) for _ in range(3)] == [b"a", b"b", b"c"]


def test_peer_is_told() -> None:
    """What answers is told from where a datagram came."""
    peers: list[Peer] = []

    def answer(data: bytes, peer: Peer) -> bytes:
        peers.append(peer)
        return data

    with answering(answer) as server, asking(server) as sock:
        ask(sock, b"one")
        assert peers == [sock.getsockname()]


def test_silence() -> None:
    """Where the answer is empty there is none: what comes next is the answer to the next datagram."""
    with answering() as server, asking(server) as sock:
        for octets in (b".", b"", b"...."):
            sock.send(octets)
        assert ask(sock, b"one") == b"one"


@pytest.mark.parametrize("size", [1, 1500, 9000, 65507])
def test_long_datagrams(size: int) -> None:
    """A datagram is whole, up to the longest there can be."""
    sizes: list[int] = []

    def answer(data: bytes, peer: Peer) -> bytes:
        sizes.append(len(data))
        return b"got it"

    with answering(answer) as server, asking(server) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        assert ask(sock, bytes(size)) == b"got it"
    assert sizes == [size]


def test_over_ipv6() -> None:
    """An IPv6 address is served by UDP over IPv6."""
    try:
        one = Datagrams(("::1", 0), echo)
    except OSError as exc:
        pytest.skip(f"this machine has no IPv6: {exc}")
    with asking(one) as sock:
        assert ask(sock, b"six") == b"six"
    one.stop()
    assert not one.thread.is_alive()


@pytest.mark.parametrize(("given", "name"), [({}, "udp"), ({"name": "other"}, "other")])
def test_name_of_the_thread(given: dict[str, str], name: str) -> None:
    """The thread bears the name of the server and its port."""
    with answering(**given) as server:
        assert server.thread.name == f"{name}_{server.address[1]}"


# -- what goes wrong


@pytest.mark.parametrize(
    "error", [ConnectionResetError(10054, "reset"), ConnectionRefusedError(111, "refused"), OSError(100, "down")]
)
def test_errors_of_receiving(error: OSError) -> None:
    """An error while it receives, such as the news that an earlier answer found nobody, does not end it."""
    with answering() as server, asking(server) as sock:
        trouble = Trouble(server._sock, [error, error])
        server._sock = trouble  # type: ignore[assignment]
        assert ask(sock, b"one") == b"one"
        assert trouble.errors == []
        assert ask(sock, b"two") == b"two"


def test_clients_that_are_gone_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """It pauses after errors of the system, but not after the news that an answer found nobody."""
    monkeypatch.setattr(udp, "_PAUSE_S", 3600.0)
    with answering() as server, asking(server) as sock:
        errors: list[OSError] = [ConnectionResetError(10054, "reset")] * 3
        server._sock = Trouble(server._sock, errors)  # type: ignore[assignment]
        assert ask(sock, b"one") == b"one"
        server._sock = Trouble(server._sock, [OSError(100, "down")])  # type: ignore[assignment]
        sock.send(b"two")
        server.stop(TIMEOUT_S)
        assert not server.thread.is_alive()


def test_datagram_that_the_kernel_drops() -> None:
    """A datagram that was announced and is not there is waited for no longer than another one."""
    with answering() as server, asking(server) as sock:
        server._sock = Trouble(server._sock, [BlockingIOError(11, "nothing there")])  # type: ignore[assignment]
        assert ask(sock, b"one") == b"one"


def test_clients_that_are_gone() -> None:
    """A client that is gone when it is answered does not hinder the next one."""
    gone: list[socket.socket] = []

    def answer(data: bytes, peer: Peer) -> bytes:
        if data == b"gone":
            gone.pop().close()
        return data

    with answering(answer) as server, asking(server) as sock:
        for _ in range(3):
            gone.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            gone[0].sendto(b"gone", server.address)
            assert ask(sock, b"here") == b"here"


def test_answers_that_cannot_be_sent() -> None:
    """An answer that no datagram can hold, or an OSError of what answers, costs that answer and no other."""

    def answer(data: bytes, peer: Peer) -> bytes:
        if data == b"error":
            raise OSError("no route")
        return bytes(100_000) if data == b"huge" else data

    with answering(answer) as server, asking(server) as sock:
        sock.send(b"huge")
        sock.send(b"error")
        assert ask(sock, b"one") == b"one"


def test_a_bug_costs_one_datagram(caplog: pytest.LogCaptureFixture) -> None:
    """What answers may raise anything: that datagram is lost, with an error in the log, and one traceback in all."""

    def answer(data: bytes, peer: Peer) -> bytes:
        if data == b"bug":
            raise ZeroDivisionError("a bug")
        return data

    with answering(answer) as server, asking(server) as sock:
        sock.send(b"bug")
        sock.send(b"bug")
        assert ask(sock, b"one") == b"one"
    assert [bool(one.exc_info) for one in caplog.records] == [True, False]
    assert all("127.0.0.1" in one.getMessage() and "a bug" in one.getMessage() for one in caplog.records)


def test_port_that_is_taken() -> None:
    """A port that another one has is an OSError; nothing is left, and the other one goes on."""
    with answering() as server, asking(server) as sock:
        threads, open_ = threading.active_count(), descriptors()
        with pytest.raises(OSError, match=r"in use|10048|10013"):
            Datagrams(server.address, echo)
        assert (threading.active_count(), descriptors()) == (threads, open_)
        assert ask(sock, b"one") == b"one"


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1"])
def test_host_that_is_not_here(host: str) -> None:
    """An interface that this machine has not is an OSError; nothing is left."""
    open_ = descriptors()
    with pytest.raises(OSError):
        Datagrams((host, 0), echo)
    assert descriptors() == open_


def test_no_thread_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started it is a RuntimeError, and no descriptor is left."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    open_ = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="new thread"):
            Datagrams(LOOPBACK, echo)
    assert descriptors() == open_


# -- the end


def test_stop_gives_the_port_back() -> None:
    """After stop() the port can be had again, at once; stop() again does nothing."""
    with answering() as server, asking(server) as sock:
        assert ask(sock, b"one") == b"one"
        server.stop()
        server.stop()
        with answering(address=server.address) as again:
            assert again.address == server.address
            assert ask(sock, b"two") == b"two"


def test_stop_from_many_threads() -> None:
    """Many may stop it at the same time: each returns when it has ended."""
    server = Datagrams(LOOPBACK, echo)
    ended: list[bool] = []

    def stop() -> None:
        server.stop(TIMEOUT_S)
        ended.append(not server.thread.is_alive())

    stoppers = [threading.Thread(target=stop) for _ in range(8)]
    for one in stoppers:
        one.start()
    for one in stoppers:
        one.join(TIMEOUT_S)
    assert ended == [True] * 8


def test_stop_under_a_flood() -> None:
    """stop() ends it however many datagrams are still there."""
    with answering(lambda data, peer: b"") as server, asking(server) as sock:
        for _ in range(2000):
            sock.send(bytes(100))
        server.stop(TIMEOUT_S)
        assert not server.thread.is_alive()


def test_stop_does_not_wait_for_ever() -> None:
    """An answer that takes longer than the time-out is not waited for; its thread ends with it, and nothing is left."""
    entered, leave = threading.Event(), threading.Event()

    def answer(data: bytes, peer: Peer) -> bytes:
        entered.set()
        leave.wait(TIMEOUT_S)
        return data

    open_ = descriptors()
    server = Datagrams(LOOPBACK, answer)
    with asking(server) as sock:
        sock.send(b"one")
        assert entered.wait(TIMEOUT_S)
        server.stop(0.01)
        assert server.thread.is_alive()
    leave.set()
    server.thread.join(TIMEOUT_S)
    assert not server.thread.is_alive()
    assert descriptors() == open_


def test_two_hundred_leave_nothing_behind() -> None:
    """Started and stopped two hundred times, asked or not, it leaves no thread and no descriptor."""

    def once(number: int) -> None:
        with answering() as server:
            if number % 2:
                with asking(server) as sock:
                    assert ask(sock, b"one") == b"one"
                    sock.send(b"two")  # which may not be answered any more

    once(1)
    threads, open_ = threading.active_count(), descriptors()
    for number in range(200):
        once(number)
    assert (threading.active_count(), descriptors()) == (threads, open_)


# -- by which address


def test_host_of_one_interface() -> None:
    """Who listens on one interface is reached by its address, from wherever."""
    assert local_host(("127.0.0.1", 9), "127.0.0.2") == "127.0.0.2"
    assert local_host(("::1", 9, 0, 0), "fd00::5") == "fd00::5"


@pytest.mark.parametrize("listening", WILDCARDS)
def test_host_towards_a_peer(listening: str) -> None:
    """Who listens on all interfaces is reached by the address of the one that leads to the peer."""
    assert local_host(("127.0.0.1", 9), listening) == "127.0.0.1"


def test_host_towards_a_peer_of_ipv6() -> None:
    """So it is over IPv6, also for a peer of IPv4 that comes that way."""
    try:
        assert local_host(("::1", 9, 0, 0), "::") == "::1"
    except OSError as exc:
        pytest.skip(f"this machine has no IPv6: {exc}")
    assert local_host(("::ffff:127.0.0.1", 9, 0, 0), "::") == "::ffff:127.0.0.1"


def test_host_towards_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer to which no way leads is an OSError; no descriptor is left."""

    class Lost(socket.socket):
        def connect(self, address: Any) -> None:
            raise OSError(101, "Network is unreachable")

    open_ = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(udp.socket, "socket", Lost)
        with pytest.raises(OSError, match="unreachable"):
            local_host(("203.0.113.1", 9), "0.0.0.0")
    assert descriptors() == open_
