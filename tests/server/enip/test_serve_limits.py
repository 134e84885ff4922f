"""The limits of a simulator: sessions, time to register, idle clients, delays; and ten thousand who want to come in."""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from cpppo.server.delay import Delay
from cpppo.server.enip import serve as serving_module
from cpppo.server.enip.device import Attribute
from cpppo.server.enip.serve import MAXIMUM_SESSIONS, REGISTER_S, connections_for, serve
from cpppo.server.enip.wire.types import INT
from cpppo.server.tcp import MAXIMUM_CONNECTIONS, Server
from tests.server.enip.device.frames import (
    LIST_IDENTITY,
    NOP,
    REGISTER,
    UNREGISTER,
    cip_of,
    device,
    frame,
    read,
    register,
    rr,
    symbol,
)
from tests.server.enip.test_serve import TIMEOUT_S, WORD, WORD_IS, Client
from tests.tools import Server as Process

#: Connections attempted in all, and of those at once that are refused.
ATTEMPTS, WAVE = 10_000, 250


@contextmanager
def serving(of: Any = None, **settings: Any) -> Iterator[Server]:
    """A simulator with some limits, accepting in a thread of its own."""
    server = serve(device() if of is None else of, ("127.0.0.1", 0), **settings)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def gone(sock: socket.socket) -> bool:
    """Whether the server ends the connection, having sent nothing more."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


# -- time


@pytest.mark.parametrize("sends", [b"", frame(LIST_IDENTITY), register(version=7), b"\x65\0"])
def test_a_client_that_never_registers(
    sends: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever registers no session in time is left, whatever else it does; those who did stay."""
    monkeypatch.setattr(serving_module, "REGISTER_S", 0.3)
    with caplog.at_level(logging.INFO), serving() as server, Client(server) as stays:
        with socket.create_connection(server.address, TIMEOUT_S) as sock:
            began = time.monotonic()
            sock.sendall(sends)
            while sock.recv(1000):
                pass
            assert 0.25 <= time.monotonic() - began < 3.0
        assert stays.cip(WORD) == WORD_IS
    assert caplog.text.count("registered no session within 0.3 s") == 1


def test_a_client_that_only_talks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending all the time is no registering: nobody listens to it any more."""
    monkeypatch.setattr(serving_module, "REGISTER_S", 0.3)
    with serving() as server, socket.create_connection(server.address, TIMEOUT_S) as sock:
        sender = threading.Thread(target=_talk, args=(sock,))
        sock.sendall(frame(LIST_IDENTITY))
        assert sock.recv(1000)
        (here,) = server.connections()
        sender.start()
        here.thread.join(TIMEOUT_S)
        assert not here.thread.is_alive()
        with contextlib.suppress(OSError):  # the other side may have reset it already
            sock.shutdown(socket.SHUT_RDWR)
        sender.join(TIMEOUT_S)
        assert not sender.is_alive()


def _talk(sock: socket.socket) -> None:
    try:
        while True:
            sock.sendall(frame(NOP) * 100)
    except OSError:
        pass


def test_two_seconds() -> None:
    """The time to register is two seconds."""
    assert REGISTER_S == 2.0


@pytest.mark.parametrize("dribble", [b"", rr(WORD, 1)[:10]])
def test_idle_clients_are_left(dribble: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A client that completes no request for so long is left, also one that sends an octet now and then."""
    with caplog.at_level(logging.INFO), serving(idle_s=0.3) as server:
        with Client(server) as idle, Client(server) as busy:
            sender = threading.Thread(target=_dribble, args=(idle.sock, dribble))
            sender.start()
            began = time.monotonic()
            idle.sock.settimeout(0.02)
            while time.monotonic() - began < TIMEOUT_S:
                assert busy.cip(WORD) == WORD_IS
                try:
                    assert idle.sock.recv(1) == b""
                    break
                except TimeoutError:
                    continue
                except ConnectionResetError:
                    break
            assert 0.25 <= time.monotonic() - began < 3.0
            assert busy.cip(WORD) == WORD_IS
            sender.join(TIMEOUT_S)
    assert "no whole request for 0.3 s" in caplog.text


def _dribble(sock: socket.socket, octets: bytes) -> None:
    pause = threading.Event()
    try:
        for octet in octets:
            sock.sendall(bytes([octet]))
            pause.wait(0.1)
    except OSError:  # it was left
        pass


def test_idle_is_off_unless_asked_for() -> None:
    """Without a time-out an idle client stays."""
    with serving() as server, Client(server) as client:
        client.sock.settimeout(0.6)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        client.sock.settimeout(TIMEOUT_S)
        client.sock.sendall(rr(WORD, client.handle))
        assert client.sock.recv(1000)[-8:] == WORD_IS


def test_waiting_for_an_answer_is_not_idle() -> None:
    """A client whose request takes long is not left, and may go on afterwards."""
    asked, go = threading.Event(), threading.Event()

    class Slow(Attribute):
        def __getitem__(self, key: Any) -> Any:
            asked.set()
            assert go.wait(TIMEOUT_S)
            return super().__getitem__(key)

    of = device()
    of.add_tag(Slow("Slow", INT))
    with serving(of, idle_s=0.1) as server, Client(server) as slow, Client(server) as idle:
        slow.sock.sendall(rr(read(symbol("Slow")), slow.handle))
        assert asked.wait(TIMEOUT_S)
        assert idle.at_end()  # as long as the other one waits
        go.set()
        assert cip_of(slow.receive()) == bytes.fromhex("cc000000 c300 0000")
        assert slow.cip(WORD) == WORD_IS


# -- delays


def test_each_response_is_delayed() -> None:
    """Of requests sent at once each response comes after the delay, in order, carried out one after the other."""
    delay = Delay(0.3)
    with serving(delay=delay) as server:
        began = time.monotonic()
        with Client(server) as client:
            assert time.monotonic() - began >= 0.3
            began = time.monotonic()
            client.sock.sendall(b"".join(rr(WORD, client.handle, b"%08d" % at) for at in range(3)))
            for at in range(3):
                assert client.receive().context == b"%08d" % at
                assert time.monotonic() - began >= 0.3 * (at + 1)
            delay.value = 0.0
            began = time.monotonic()
            client.ask(rr(WORD, client.handle))
            assert time.monotonic() - began < 0.3, "it may be changed while it serves"


def test_a_range_is_drawn_each_second() -> None:
    """A delay range is drawn anew about once a second, and no more often."""
    drawn = threading.Semaphore(0)

    def draw(low: float, high: float) -> float:
        drawn.release()
        return 0.01

    delay = Delay(0.0, 0.02, draw)
    assert drawn.acquire(timeout=TIMEOUT_S)
    began = time.monotonic()
    with serving(delay=delay):
        assert drawn.acquire(timeout=TIMEOUT_S)  # as it starts
        assert drawn.acquire(timeout=TIMEOUT_S)
        assert time.monotonic() - began >= 0.9
        assert not drawn.acquire(timeout=0.3)


# -- room


def test_room_for_those_who_are_told_that_there_is_none() -> None:
    """There is room for more connections than sessions, so that those beyond can be told."""
    assert connections_for(MAXIMUM_SESSIONS) > MAXIMUM_SESSIONS + WAVE
    assert MAXIMUM_SESSIONS == 2000 < MAXIMUM_CONNECTIONS


def test_places_are_given_back() -> None:
    """Every way to end a session makes room for another one; being refused takes none."""
    with serving(sessions=1) as server:
        for how in ("unregister", "close", "reset") * 3:
            with Client(server) as client:
                assert client.handle
                (here,) = [one for one in server.connections() if one.peer == client.sock.getsockname()]
                with socket.create_connection(server.address, TIMEOUT_S) as other:
                    other.sendall(frame(REGISTER, b"\1\0\0\0"))
                    assert struct.unpack_from("<HHII", other.recv(100))[3] == 0x0002
                if how == "unregister":
                    client.sock.sendall(frame(UNREGISTER, session=client.handle))
                    assert client.at_end()
                elif how == "reset":
                    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            here.thread.join(TIMEOUT_S)


def test_many_at_once_for_few_places() -> None:
    """However many register at the same time, there are never more sessions than places."""
    with serving(sessions=10) as server, ExitStack() as stack:
        socks = [stack.enter_context(socket.create_connection(server.address, TIMEOUT_S)) for _ in range(60)]
        for one in socks:
            one.sendall(frame(REGISTER, b"\1\0\0\0"))
        codes = [struct.unpack_from("<HHII", one.recv(100))[3] for one in socks]
        assert sorted(codes) == [0] * 10 + [2] * 50


def test_handles_differ() -> None:
    """No two sessions get the same handle, and none gets 0."""
    with serving() as server, ExitStack() as stack:
        handles = [stack.enter_context(Client(server)).handle for _ in range(50)]
        assert len({*handles, 0}) == 51


def limit() -> int:
    """Sessions that this process can hold as a client."""
    resource = pytest.importorskip("resource", reason="this system tells no limit of descriptors")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAXIMUM_SESSIONS if soft == resource.RLIM_INFINITY else min(MAXIMUM_SESSIONS, soft - WAVE - 100)


@pytest.mark.long
def test_ten_thousand_connections() -> None:
    """Ten thousand connections against the limit: as many sessions as there can be, the others are refused
    each; those there are go on; and when they are gone there is room again."""
    places = limit()
    register_octets, request = frame(REGISTER, b"\1\0\0\0"), read(symbol("SCADA"))
    with Process("--connections", str(places), "SCADA", deadline_s=60.0) as server, ExitStack() as stack:
        held = []
        for _ in range(places):
            sock = stack.enter_context(socket.create_connection(server.address, TIMEOUT_S))
            sock.sendall(register_octets)
            held.append(sock)
            assert struct.unpack_from("<HHII", sock.recv(100))[3] == 0
        refused, attempted = 0, places
        while attempted < ATTEMPTS:
            with ExitStack() as wave:
                socks = [wave.enter_context(socket.create_connection(server.address, TIMEOUT_S)) for _ in range(WAVE)]
                for sock in socks:
                    sock.sendall(register_octets)
                for sock in socks:
                    answer = struct.unpack_from("<HHII", sock.recv(100))
                    assert answer == (REGISTER, 0, 0, 2)
                    assert gone(sock)
            refused += WAVE
            attempted += WAVE
        assert refused >= ATTEMPTS - MAXIMUM_SESSIONS
        for sock in (held[0], held[-1]):
            sock.sendall(frame(UNREGISTER))
            assert gone(sock)
        with Client(server) as client:
            assert client.cip(request) == bytes.fromhex("cc000000 c300 0000")
        for sock in held[1:-1]:
            sock.sendall(frame(LIST_IDENTITY))
            assert len(sock.recv(1000)) > 24
        server.stop()
        assert len(server.lines) == 1, server.lines[1:]
