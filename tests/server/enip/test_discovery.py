"""Discovery over UDP, over sockets: the address it shows, its port, its end, and other makers who discover."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cpppo.logs import NORMAL
from cpppo.server.delay import Delay
from cpppo.server.enip import Simulator, simulator
from cpppo.server.enip.device import LOGIX_L61, Identity, IdentityData
from cpppo.server.enip.serve import serve
from cpppo.server.tcp import Server
from tests.server.enip.device.frames import (
    LIST_IDENTITY,
    LIST_SERVICES,
    NOP,
    device,
    frame,
    only,
    read,
    register,
    symbol,
)
from tests.server.enip.test_listing import LISTS, PYLOGIX, shown
from tests.server.enip.test_main_control import refused, running, wait_for
from tests.server.enip.test_serve import WORD, WORD_IS, Client
from tests.server.test_udp import TIMEOUT_S, descriptors
from tests.tools import Server as Process

LOOPBACK = ("127.0.0.1", 0)
BROADCAST = "127.255.255.255"


@contextmanager
def serving(host: str = "127.0.0.1", **settings: Any) -> Iterator[Server]:
    """A simulator; everything has ended after the block."""
    server = serve(device(), (host, 0), **settings)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


@contextmanager
def asking(family: socket.AddressFamily = socket.AF_INET) -> Iterator[socket.socket]:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT_S)
        yield sock


def ask(address: tuple[str, int], *octets: bytes) -> bytes:
    """The first datagram that comes after some were sent."""
    with asking(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as sock:
        for one in octets:
            sock.sendto(one, address)
        return sock.recv(65536)


def udp_is_free(address: tuple[str, int]) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(address)
        except OSError:
            return False
    return True


# -- over sockets


@pytest.mark.parametrize("command", LISTS)
def test_lists_over_udp(command: int) -> None:
    """On the port of TCP, over UDP, each List command is answered as TCP answers it."""
    with serving() as server, Client(server) as client:
        reply = ask(server.address, frame(command))
        assert only(reply) == client.ask(frame(command))


def test_garbage_over_udp() -> None:
    """What is not to be answered is not, and does not keep the next datagram from its answer."""
    silent = [b"", b"\0", b"garbage, no frame" * 3, bytes(65507), register(), frame(0x99), frame(NOP)]
    silent += [frame(LIST_IDENTITY, options=1), frame(LIST_IDENTITY, length=5), frame(LIST_IDENTITY, b"more")]
    with serving() as server:
        assert only(ask(server.address, *silent, frame(LIST_SERVICES, context=b"the last"))).context == b"the last"


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_address_shown(host: str) -> None:
    """List Identity shows the address that the peer reaches it by, also if it serves on all, and the TCP port."""
    with serving(host) as server:
        port = server.address[1]
        reply = ask(("127.0.0.1", port), PYLOGIX)
        assert shown(reply) == ("127.0.0.1", port)
        with socket.create_connection(shown(reply), TIMEOUT_S) as sock:
            sock.sendall(PYLOGIX)
            assert sock.recv(1000) == reply


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is there on Linux alone")
def test_address_shown_of_one_interface() -> None:
    """A server on one interface shows that one, whatever the way back to the peer."""
    with serving("127.0.0.2") as server:
        assert shown(ask(server.address, PYLOGIX)) == ("127.0.0.2", server.address[1])


def test_over_ipv6() -> None:
    """On an IPv6 address, UDP is served over IPv6, and the loopback shows as that of IPv4, as over TCP."""
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    try:
        serve(device(), ("::1", 0)).stop()
    except OSError as exc:
        pytest.skip(f"this machine has no IPv6: {exc}")
    with serving("::1") as server, Client(server) as client:
        reply = ask(server.address, PYLOGIX)
        assert shown(reply) == ("127.0.0.1", server.address[1])
        assert only(reply) == client.ask(PYLOGIX)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not serve IPv4 on :: or have no such broadcasts")
def test_ipv4_on_all_interfaces_of_ipv6() -> None:
    """A peer of IPv4 that asks a server on :: is shown the address of IPv4."""
    try:
        serve(device(), ("::", 0)).stop()
    except OSError as exc:
        pytest.skip(f"this machine has no IPv6: {exc}")
    with serving("::") as server:
        port = server.address[1]
        assert shown(ask(("127.0.0.1", port), PYLOGIX)) == ("127.0.0.1", port)
        assert shown(ask(("::1", port), PYLOGIX)) == ("127.0.0.1", port)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no broadcasts on the loopback")
def test_broadcasts() -> None:
    """A broadcast is answered by a server on all interfaces, and not by one on a single address."""
    with serving("") as all_, serving() as one, asking() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for server in (all_, one):
            sock.sendto(frame(LIST_IDENTITY, context=b"to all.."), (BROADCAST, server.address[1]))
        assert shown(sock.recv(1000)) == ("127.0.0.1", all_.address[1])
        sock.sendto(frame(LIST_IDENTITY, context=b"directly"), one.address)
        assert only(sock.recv(1000)).context == b"directly"


def test_delay_does_not_count() -> None:
    """Discovery is answered at once, however long responses are delayed."""
    with serving(delay=Delay(3600.0)) as server:
        assert shown(ask(server.address, PYLOGIX)) == server.address


def test_no_session_is_needed() -> None:
    """Discovery takes no place from sessions, and is answered where there is no place left."""
    with serving(sessions=1) as server:
        for _ in range(5):
            assert ask(server.address, PYLOGIX)
        with Client(server) as client:
            assert ask(server.address, PYLOGIX)
            assert client.cip(WORD) == WORD_IS


class Broken(Identity):
    """Has no identity to give."""

    @property
    def data(self) -> IdentityData:
        raise ZeroDivisionError("a bug")

    @data.setter
    def data(self, value: IdentityData) -> None:
        pass


def test_identity_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """An Identity of one's own that raises costs the answer; there is an error in the log, and the rest goes on."""
    of = device()
    of.identity = Broken(LOGIX_L61)
    server = serve(of, LOOPBACK)
    try:
        assert only(ask(server.address, PYLOGIX, frame(LIST_SERVICES))).command == LIST_SERVICES
    finally:
        server.stop()
    assert "a bug" in caplog.text


# -- its port


def test_port_that_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    """Another program has the UDP port: one warning that says what follows, and TCP is served."""
    server = serve(device(), LOOPBACK)
    server.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(server.address)
        again = serve(device(), server.address)
        thread = threading.Thread(target=again.serve)
        thread.start()
        try:
            with Client(again) as client:
                assert client.cip(WORD) == WORD_IS
        finally:
            again.stop()
            thread.join(TIMEOUT_S)
    (record,) = [one for one in caplog.records if one.levelno >= logging.WARNING]
    for words in ("127.0.0.1:", "in use", "discovery will not be answered", "TCP is served"):
        assert words in record.getMessage()


def test_no_thread_left(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The same if there is no thread for it."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        server = serve(device(), LOOPBACK)
    server.stop()
    assert "can't start new thread" in caplog.text and "TCP is served" in caplog.text


@pytest.mark.parametrize(("host", "lines"), [("127.0.0.1", 1), ("", 0)])
def test_one_address_is_told(host: str, lines: int, caplog: pytest.LogCaptureFixture) -> None:
    """A server on one address says in the log, once, that no broadcasts reach it."""
    with caplog.at_level(NORMAL):
        serve(device(), (host, 0)).stop()
    assert caplog.text.count("broadcasts") == lines


def test_taken_port_and_a_simulator() -> None:
    """A simulator whose UDP port is taken starts, serves and stops; later it has it."""
    with simulator("A=INT") as plc:
        address = plc.address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(address)
        with simulator("A=INT", address=address) as plc, Client(plc) as client:
            assert client.cip(read(symbol("A")))[2] == 0
    with simulator("A=INT", address=address) as plc:
        assert shown(ask(address, PYLOGIX)) == address


# -- its end


def test_stop_ends_it() -> None:
    """After stop() the UDP port is free; no thread is left."""
    with serving() as server:
        assert not udp_is_free(server.address)
        server.stop()
        assert udp_is_free(server.address)
        assert not [one for one in threading.enumerate() if one.name == f"discovery_{server.address[1]}"]


def test_disable_ends_it_for_a_while() -> None:
    """Disabled by its control it gives the UDP port back, too; enabled, it answers there again."""
    with running("SCADA", control={"latency": 0.02}) as one:
        address = one.address
        assert shown(ask(address, PYLOGIX)) == address
        one.control.disable = True
        assert wait_for(lambda: refused(address))
        assert udp_is_free(address)
        one.control.disable = False
        assert wait_for(lambda: not refused(address))
        one.idle.clear()
        assert one.idle.wait(TIMEOUT_S), "it is idle again when it serves, over UDP too"
        assert shown(ask(address, PYLOGIX)) == address
        one.control.done = True
        assert one.ended() == 0
        assert udp_is_free(address)


def test_identity_of_a_command_line() -> None:
    """Discovered is who the command line's identity class says."""

    class Pump(Identity):
        def __init__(self, data: IdentityData = LOGIX_L61, instance_id: int = 1) -> None:
            super().__init__(data._replace(product_name="a pump"), instance_id)

    with running("SCADA", identity_class=Pump) as one:
        assert b"\6a pump" in ask(one.address, PYLOGIX)


def test_interrupting_it() -> None:
    """Ctrl-C ends a process that is discovered: exit status 0, and nothing said but its first line."""
    with Process("SCADA") as server:
        assert shown(ask(server.address, PYLOGIX)) == server.address
        assert server.stop() == 0
        assert server.lines[1:] == []
    assert udp_is_free(server.address)


def test_process_whose_udp_port_is_taken() -> None:
    """enip_server whose UDP port is taken warns on stderr and serves."""
    with Process("SCADA") as server:
        address = server.address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(address)
        command = (sys.executable, "-u", "-m", "cpppo.server.enip", "-a", f"127.0.0.1:{address[1]}")
        with Process("SCADA", command=command) as server, Client(server) as client:
            assert client.cip(read(symbol("SCADA")))[2] == 0
            server.stop()
            (line,) = [one for one in server.lines if "discovery will not be answered" in one]


def test_two_hundred_leave_nothing_behind() -> None:
    """Started and stopped 200 times, discovered each time, a simulator leaves no thread and no descriptor."""

    def once() -> Simulator:
        with simulator("SCADA=INT[10]") as plc:
            assert shown(ask(plc.address, PYLOGIX)) == plc.address
        return plc

    once()
    threads, open_ = set(threading.enumerate()), descriptors()
    for _ in range(200):
        once()
    assert set(threading.enumerate()) == threads
    assert descriptors() <= open_
