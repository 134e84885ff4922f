"""The simulator over loopback: many requests, many clients, clients that misbehave."""

from __future__ import annotations

import logging
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

import pytest

from cpppo.server.enip.device import Device
from cpppo.server.enip.serve import MAXIMUM_SESSIONS, serve
from cpppo.server.tcp import Server
from tests.server.enip.device.frames import (
    LIST_IDENTITY,
    REGISTER,
    UNREGISTER,
    Header,
    cip_of,
    device,
    frame,
    modify,
    only,
    read,
    register,
    rr,
    symbol,
    write,
)

TIMEOUT_S = 10.0
WORD, WORD_IS = read(symbol("Word")), bytes.fromhex("cc000000 c300 0700")


@contextmanager
def serving(
    of: Device | None = None, address: tuple[str, int] = ("127.0.0.1", 0), sessions: int = MAXIMUM_SESSIONS
) -> Iterator[Server]:
    """A simulator that accepts in a thread of its own; everything has ended after the block."""
    server = serve(device() if of is None else of, address, sessions)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


class Listens(Protocol):
    """What clients connect to."""

    @property
    def address(self) -> tuple[str, int]: ...


class Client:
    """A registered client."""

    def __init__(self, server: Listens) -> None:
        self.sock = socket.create_connection(server.address, TIMEOUT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.sock.makefile("rb")
        self.handle = self.ask(register()).session

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()
        self.sock.close()

    def receive(self) -> Header:
        """The next frame."""
        head = self._file.read(24)
        assert len(head) == 24, f"the connection ended after {len(head)} octets"
        return only(head + self._file.read(struct.unpack_from("<H", head, 2)[0]))

    def ask(self, octets: bytes) -> Header:
        self.sock.sendall(octets)
        return self.receive()

    def cip(self, request: bytes) -> bytes:
        return cip_of(self.ask(rr(request, self.handle)))

    def at_end(self) -> bool:
        """Whether the server ends the connection, without another octet."""
        return self._file.read(1) == b""


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


def test_read_and_write(server: Server) -> None:
    """A session over a socket: register, write, read, unregister, end."""
    with Client(server) as client:
        assert client.cip(write(symbol("SCADA", 1), 0xC3, 1, b"\x63\0")) == bytes.fromhex("cd000000")
        assert client.cip(read(symbol("SCADA"), 3)) == bytes.fromhex("cc000000 c300 0000 6300 0000")
        client.sock.sendall(frame(UNREGISTER, session=client.handle))
        assert client.at_end()


def test_twenty_in_flight(server: Server) -> None:
    """Twenty requests are sent before the first reply is read; the replies come in order."""
    with Client(server) as client:
        for at in range(20):
            client.sock.sendall(rr(read(symbol("SCADA", at)), client.handle, b"%08d" % at))
        assert [client.receive().context for _ in range(20)] == [b"%08d" % at for at in range(20)]


def test_many_segments(server: Server) -> None:
    """Requests without end, in one stream that ends anywhere in a segment, are each answered."""
    with Client(server) as client:
        asked = b"".join(rr(read(symbol("SCADA"), 250), client.handle, b"%08d" % at) for at in range(2000))
        sender = threading.Thread(target=client.sock.sendall, args=(asked,))
        sender.start()
        for at in range(2000):
            reply = client.receive()
            assert reply.context == b"%08d" % at and len(cip_of(reply)) == 506
        sender.join(TIMEOUT_S)


def test_octet_by_octet(server: Server) -> None:
    """A request sent octet by octet is answered once, when it is whole."""
    with Client(server) as client:
        for octet in rr(WORD, client.handle):
            client.sock.sendall(bytes([octet]))
        assert cip_of(client.receive()) == WORD_IS


def test_one_hundred_connections(server: Server) -> None:
    """A hundred clients at once have a hundred different handles, and each is answered."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(server)) for _ in range(100)]
        assert len({one.handle for one in clients} - {0}) == 100
        for at, one in enumerate(clients):
            one.sock.sendall(rr(write(symbol("SCADA", at), 0xC3, 1, struct.pack("<h", at + 1)), one.handle))
        for one in clients:
            assert cip_of(one.receive()) == bytes.fromhex("cd000000")
        values = struct.pack("<100h", *range(1, 101))
        assert clients[0].cip(read(symbol("SCADA"), 100))[6:] == values


def test_handle_of_another_connection(server: Server) -> None:
    """The handle of another client's session is wrong here: 0x0064; both sessions stay."""
    with Client(server) as one, Client(server) as two:
        assert one.ask(rr(WORD, two.handle)).status == 0x64
        assert one.cip(WORD) == two.cip(WORD) == WORD_IS


def test_a_client_that_vanishes_in_a_frame(server: Server) -> None:
    """Clients that vanish within a frame, by end or by reset, leave nothing behind; the others go on."""
    with Client(server) as stays:
        for reset in (False, True):
            for size in (1, 23, 24, 30, 50):
                with Client(server) as client:
                    (here,) = [one for one in server.connections() if one.peer == client.sock.getsockname()]
                    client.sock.sendall(rr(WORD, client.handle)[:size])
                    if reset:
                        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                here.thread.join(TIMEOUT_S)
                assert not here.thread.is_alive()
        assert stays.cip(WORD) == WORD_IS
        assert len(server.connections()) == 1


def test_a_client_that_never_reads(server: Server) -> None:
    """A client that only sends blocks at last, alone: the others are answered, and stop() ends."""
    with Client(server) as deaf, Client(server) as other:
        deaf.sock.settimeout(0.5)
        asked = rr(read(symbol("SCADA"), 250), deaf.handle) * 200
        with pytest.raises(TimeoutError):
            while True:
                deaf.sock.sendall(asked)
        assert other.cip(WORD) == WORD_IS
        threads = [one.thread for one in server.connections()]
        stopper = threading.Thread(target=server.stop, args=(0.2,))
        stopper.start()
        stopper.join(TIMEOUT_S)
        assert not stopper.is_alive()
        assert not any(one.is_alive() for one in threads)


def test_too_long_a_frame_ends_the_connection(server: Server) -> None:
    """A length beyond the limit: 0x0065, and the end of this connection."""
    with Client(server) as client, Client(server) as other:
        assert client.ask(frame(0x6F, b"", client.handle, length=65512)).status == 0x65
        assert client.at_end()
        assert other.cip(WORD) == WORD_IS


@pytest.mark.parametrize("length", [65511, 65512, 65535])
def test_frames_about_as_long_as_they_can_be(server: Server, length: int) -> None:
    """A frame up to the limit is answered, one beyond it refused, in whatever segments it comes."""
    with Client(server) as client:
        sender = threading.Thread(target=_send_all, args=(client.sock, frame(0x99, bytes(length), client.handle)))
        sender.start()
        assert client.receive().status == (0x01 if length == 65511 else 0x65)
        sender.join(TIMEOUT_S)
        assert not sender.is_alive()


def _send_all(sock: socket.socket, octets: bytes) -> None:
    try:
        sock.sendall(octets)
    except OSError:  # the server may end the connection before all is sent
        pass


def test_nonsense(server: Server) -> None:
    """A client of another protocol is discarded (its header options are not zero), and hinders no one."""
    with Client(server) as other, socket.create_connection(server.address, TIMEOUT_S) as web:
        web.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + bytes(70000))
        assert other.cip(WORD) == WORD_IS


def test_list_identity_names_the_address_of_the_connection(server: Server) -> None:
    """The socket address in List Identity is the one that the client has reached."""
    with Client(server) as client:
        payload = client.ask(frame(LIST_IDENTITY)).payload
        assert payload[8:16] == struct.pack(">HH4s", 2, server.address[1], socket.inet_aton("127.0.0.1"))


def test_list_identity_on_all_interfaces() -> None:
    """A server on all interfaces never shows 0.0.0.0."""
    with serving(address=("", 0)) as server:
        with socket.create_connection(("127.0.0.1", server.address[1]), TIMEOUT_S) as sock:
            sock.sendall(frame(LIST_IDENTITY))
            assert sock.recv(1000)[24 + 12 : 24 + 16] == socket.inet_aton("127.0.0.1")


def test_ipv6() -> None:
    """The simulator may listen on an IPv6 address."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with serving(address=("::1", 0)) as server, Client(server) as client:
        assert client.cip(WORD) == WORD_IS
        assert client.ask(frame(LIST_IDENTITY)).status == 0


def test_bits_from_many_clients(server: Server) -> None:
    """Bits that many clients set at once, by Read Modify Write, are all there in the end."""

    def setter(bit: int) -> None:
        with Client(server) as client:
            for at in range(20):
                client.cip(modify(symbol("SCADA", at), 2, struct.pack("<H", 1 << bit), b"\xff\xff"))

    threads = [threading.Thread(target=setter, args=(bit,)) for bit in range(15)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(TIMEOUT_S)
    with Client(server) as client:
        assert client.cip(read(symbol("SCADA"), 20))[6:] == b"\xff\x7f" * 20


def test_octets_gone_wrong_over_a_socket(server: Server) -> None:
    """Whatever a client sends, the next client is served; no thread stays behind."""
    for octets in (
        b"",
        b"\0" * 24,
        b"\xff" * 24,
        b"\xff" * 70000,
        bytes(range(256)) * 10,
        frame(REGISTER, bytes(60000)),
    ):
        with socket.create_connection(server.address, TIMEOUT_S) as sock:
            _send_all(sock, octets)
            sock.shutdown(socket.SHUT_WR)
            try:
                while sock.recv(65536):
                    pass
            except ConnectionResetError:
                pass
    with Client(server) as client:
        assert client.cip(WORD) == WORD_IS
        for one in server.connections():
            if one.peer != client.sock.getsockname():
                one.thread.join(TIMEOUT_S)
        assert len(server.connections()) == 1


def test_clients_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A client that comes and one that goes have a line each in the log, with its address and what it did."""
    with caplog.at_level(logging.DEBUG), serving() as server:
        with Client(server) as client:
            client.cip(WORD)
            (here,) = server.connections()
            port = str(client.sock.getsockname()[1])
        here.thread.join(TIMEOUT_S)
        lines = [one for one in caplog.messages if port in one]
        assert len(lines) >= 2, caplog.messages
        assert any("2 requests" in one for one in lines)


def test_fifty_simulators_leave_nothing_behind() -> None:
    """Started and stopped fifty times in one process, with a client, no thread is left."""

    def once() -> None:
        with serving() as server, Client(server) as client:
            assert client.cip(WORD) == WORD_IS
            threads = [one.thread for one in server.connections()]
            server.stop()
            assert client.at_end()
            assert not any(one.is_alive() for one in threads)

    once()
    before = threading.active_count()
    for _ in range(50):
        once()
    assert threading.active_count() == before


def test_one_session_too_many() -> None:
    """Beyond the sessions there is room for, RegisterSession is answered 0x0002 with session 0, and the end."""
    with serving(sessions=1) as server, Client(server) as first:
        with socket.create_connection(server.address, TIMEOUT_S) as sock:
            sock.sendall(frame(REGISTER, b"\1\0\0\0"))
            answer = b""
            while octets := sock.recv(100):
                answer += octets
        assert struct.unpack_from("<HHII", answer) == (REGISTER, 0, 0, 0x0002) and len(answer) == 24
        assert first.cip(WORD) == WORD_IS


def test_room_is_made_by_those_who_leave() -> None:
    """Whether there is room is asked when a client registers, not when it connects."""
    with serving(sessions=1) as server, Client(server) as first:
        (session,) = server.connections()
        with socket.create_connection(server.address, TIMEOUT_S) as second:
            second.sendall(frame(LIST_IDENTITY))
            assert second.recv(1000)
            first.sock.shutdown(socket.SHUT_RDWR)
            session.thread.join(TIMEOUT_S)
            second.sendall(frame(REGISTER, b"\1\0\0\0"))
            assert struct.unpack_from("<HHII", second.recv(1000))[::3] == (REGISTER, 0)
