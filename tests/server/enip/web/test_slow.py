"""Slow and greedy clients: neither the interface nor the simulator notices them."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from typing import Any

import pytest

from cpppo.server.enip.client import connector, parse_operations
from cpppo.server.enip.web import app, hall
from cpppo.server.enip.web.hall import BODY_OCTETS, HEAD_OCTETS, Hall, whole
from tests.server.enip.web.browsing import TIMEOUT_S, Web, web

HEAD = b"POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SLOW = 200


@pytest.mark.parametrize(
    ("octets", "is_whole"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\n\r", False),
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (HEAD + b"Content-Length: 3\r\n\r\nab", False),
        (HEAD + b"content-length:3\r\n\r\nabc", True),
        (HEAD + b"Content-Length: %d\r\n\r\n" % BODY_OCTETS, False),
        (HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_OCTETS + 1), True),
        (HEAD + b"Content-Length: x\r\n\r\n", True),
        (b"a" * (HEAD_OCTETS - 1), False),
        (b"a" * HEAD_OCTETS, True),
    ],
)
def test_whole(octets: bytes, is_whole: bool) -> None:
    """What is whole, or refused anyway, needs no more waiting."""
    assert whole(octets) is is_whole


def read_something(site: Web) -> None:
    with connector(*site.plc.address, timeout=TIMEOUT_S) as connection:
        assert list(connection.results(parse_operations(["SCADA[0-3]"]))) == [[0, 0, 0, 0]]
    connection.close()


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET /api HTTP/1.1\r\nHost: loc", HEAD + b"Content-Length: 900\r\n\r\n{"],
    ids=["nothing", "half a head", "half a body"],
)
def test_slow_clients_hold_nobody(site: Web, begun: bytes) -> None:
    """With 200 of them others are answered as before, and so are the controller's clients."""
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(site.address, TIMEOUT_S)) for _ in range(SLOW)]
        for one in slow:
            one.sendall(begun)
        for _ in range(20):
            assert site.get("/page/overview").status == 200
        read_something(site)
        for one in slow[:20]:  # and who completes it is answered
            one.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" if begun == b"" else b".")
        if begun == b"":
            assert all(one.recv(12) == b"HTTP/1.1 200" for one in slow[:20])


def test_a_request_in_pieces(site: Web) -> None:
    """One octet at a time is a request, too."""
    with socket.create_connection(site.address, TIMEOUT_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in HEAD + b"Content-Length: 2\r\n\r\n{}":
            sock.sendall(bytes([octet]))
        assert sock.recv(12) == b"HTTP/1.1 400"


def test_who_is_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many seconds without a whole request the connection ends, also if octets keep coming."""
    monkeypatch.setattr(hall, "WHOLE_S", 0.3)
    with web() as site, socket.create_connection(site.address, TIMEOUT_S) as sock:
        sock.sendall(b"GET /")
        assert sock.recv(1) == b""


def test_when_there_are_too_many_the_first_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The places are bounded; those who come later have them."""
    monkeypatch.setattr(hall, "PLACES", 3)
    with web() as site, ExitStack() as stack:
        first, *others = [stack.enter_context(socket.create_connection(site.address, TIMEOUT_S)) for _ in range(4)]
        assert first.recv(1) == b""
        for one in others[1:]:
            one.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert one.recv(12) == b"HTTP/1.1 200"


class Visitor:
    """A connection of the hall's, and its other end."""

    def __init__(self) -> None:
        self.socket, self.peer = socket.socketpair()
        self.closed = threading.Event()

    def close(self) -> None:
        self.socket.close()
        self.closed.set()


def test_the_hall_ends_with_all_who_wait() -> None:
    """Those who wait are closed when it stops, those who come afterwards at once; those who have left, too."""
    ready: list[Any] = []
    one = Hall(ready.append)
    one.start()
    waiting, gone, served, late = Visitor(), Visitor(), Visitor(), Visitor()
    for visitor in (waiting, gone, served):
        one.enter(visitor)
    gone.peer.close()
    assert gone.closed.wait(TIMEOUT_S)
    one.stop()
    assert waiting.closed.is_set() and served.closed.is_set() and ready == []
    late.peer.sendall(b"GET")
    one.enter(late)
    assert late.closed.is_set()
    for visitor in (waiting, served, late):
        visitor.peer.close()


@pytest.mark.long
def test_large_answers_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many clients that do not read theirs are served at once, others told to try again; small ones are answered."""
    monkeypatch.setattr(app, "_LARGE", 2)
    monkeypatch.setattr(app, "_PART", 1024)
    with web(*(f"T{number}=INT[9]" for number in range(30000))) as site, ExitStack() as stack:
        busy = [stack.enter_context(socket.create_connection(site.address, TIMEOUT_S)) for _ in range(2)]
        for one in busy:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.sendall(b"GET /api HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert one.recv(12) == b"HTTP/1.1 200"
        got = site.get("/api/tags")
        assert got.status == 503 and got.headers["retry-after"] == "1"
        assert site.get("/api/tags/T9/attribute[1]").command == (True, "tags.T9.attribute[1]: 0")
        for one in busy:
            one.close()
        monkeypatch.undo()


def test_requests_one_after_the_other(site: Web) -> None:
    """A connection is kept for further requests; who sends the next before the answer is served and left."""
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(site.address, TIMEOUT_S) as sock, sock.makefile("rb") as file:
        for _ in range(3):
            sock.sendall(request)
            assert file.readline() == b"HTTP/1.1 200 OK\r\n"
            length = 0
            while (line := file.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            assert len(file.read(length)) == length > 0
    with socket.create_connection(site.address, TIMEOUT_S) as sock, sock.makefile("rb") as file:
        sock.sendall(request * 3)
        try:
            assert file.read().count(b"HTTP/1.1 200 OK\r\n") <= 1
        except ConnectionResetError:
            pass
