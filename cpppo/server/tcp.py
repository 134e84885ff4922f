"""A threaded TCP server: one thread a connection; no protocol.

Owns: listening, accepting, the thread and socket of each connection, and ending them all, also upon Ctrl-C.
Rule: what is read goes to a protocol object and what that returns is sent, in one piece (one by one where they are
delayed); a connection waits in the kernel and polls nothing.  Must not know what the octets mean.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from cpppo.server.delay import Delay

__all__ = ["MAXIMUM_CONNECTIONS", "Connection", "Server", "Talks", "format_address"]

log = logging.getLogger("network")

#: Octets read at once: few, since a buffer that is mostly cut off again leaves a hole in the memory; many after a read
#: that was full, as more is waiting then.
_READ, _MOST = 4096, 65536
#: Connections that may wait to be accepted.
_BACKLOG = 1024
#: Seconds that a peer may still send after we have ended its connection, and that it may take to read what we send.
_DRAIN_S, _SEND_S = 0.5, 30
#: Connections there can be at once, each with a thread; those beyond are closed at once.
MAXIMUM_CONNECTIONS = 2500
#: Seconds that accepting pauses when the process has no descriptors or threads left.
_PAUSE_S = 0.1
#: Seconds in which a shortage is told once, however often it comes and goes.
_TELL_S = 60.0
#: Seconds that waiting for a connection takes at least.
_LEAST_S = 0.001

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def format_address(address: tuple[str, int]) -> str:
    """(host, port) as text, an IPv6 host in brackets."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Talks(Protocol):
    """What a connection talks to.  It may also have ``answers(data)``, which gives the same octets reply by reply."""

    closed: bool

    def receive(self, data: bytes) -> bytes:
        """The octets that answer some octets."""


class Connection:
    """A client's connection, served by its own thread.

    ``began``: when, by the monotonic clock; ``busy``: it is answering; ``ending``: nothing more is read from it;
    ``seen`` and ``since`` are for whoever looks after idle connections.
    """

    def __init__(self, server: Server, sock: socket.socket, talk: Talks) -> None:
        self.server, self.sock, self.talk = server, sock, talk
        self.peer = sock.getpeername()
        self.busy = self.ending = False
        self.began = self.since = time.monotonic()
        self.seen = 0
        self.thread = threading.Thread(target=self._serve, name=f"{server.name}_{self.peer[1]}", daemon=True)

    def _serve(self) -> None:
        try:
            self.server.run(self._converse)
            if self.talk.closed:
                self._drain()
        except OSError as exc:
            log.info("%s: connection lost: %s", format_address(self.peer[:2]), exc)
        except Exception:  # a bug of ours: this client is lost, no other one
            log.exception("%s: session ended by an error", format_address(self.peer[:2]))
        finally:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
            self.sock.close()
            self.server.forget(self)

    def _converse(self) -> None:
        sock, talk, delay = self.sock, self.talk, self.server.delay
        recv, send, receive = sock.recv, sock.sendall, talk.receive
        size = _READ
        while not talk.closed:
            data = recv(size)
            if not data:
                break
            size = _MOST if len(data) == size else _READ
            self.busy = True
            if delay.value:
                self._one_by_one(data)
            else:
                reply = receive(data)
                if reply:
                    send(reply)
            self.busy = False

    def _one_by_one(self, data: bytes) -> None:
        """Each response after the delay; once the server stops, at once."""
        answers = getattr(self.talk, "answers", None)
        for reply in [self.talk.receive(data)] if answers is None else answers(data):
            if reply:
                self.server.pause(self.server.delay.value)
                self.sock.sendall(reply)

    def _drain(self) -> None:
        """Say that nothing more comes, and read what the peer still sends: closing at once may lose the last reply."""
        self.sock.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + _DRAIN_S
        while (left := deadline - time.monotonic()) > 0:
            self.sock.settimeout(left)
            if not self.sock.recv(_READ):
                break

    def stop_reading(self) -> None:
        """Let the thread answer what it has read, then end."""
        self.ending = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RD)

    def abort(self) -> None:
        """End the connection now."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def join(self, deadline: float) -> None:
        """Wait until its thread has ended, but not beyond a time of the monotonic clock."""
        with contextlib.suppress(RuntimeError):  # never started: Ctrl-C came just before
            self.thread.join(max(deadline - time.monotonic(), 0.0))


class Server:
    """Listens on ``address`` (host, port; '' is all interfaces, port 0 any free one) as soon as it is made.

    ``talk(sock)`` makes the protocol object of a new connection; ``ended(connection, left)`` is told when one is over
    and how many are left; ``most`` connections are served at once.  The thread of a connection is called ``name``,
    an underscore, and the port of its peer; ``run(converse)`` calls what is given to it there.  ``delay`` is waited
    for before each response.  ``tick()`` is called between accepting connections, and says in how many seconds again.
    OSError if the address cannot be had.
    """

    def __init__(
        self,
        address: tuple[str, int],
        talk: Callable[[socket.socket], Talks],
        ended: Callable[[Connection, int], None] | None = None,
        most: int = MAXIMUM_CONNECTIONS,
        name: str = "tcp",
        delay: Delay | None = None,
        tick: Callable[[], float] | None = None,
        run: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.name = name
        self.delay = Delay() if delay is None else delay
        self.run = run if run is not None else lambda converse: converse()
        self._talk = talk
        self._most = most
        self._tick = tick
        self._told: dict[str, float] = {}
        self._ended = ended
        self._lock = threading.Lock()
        self._connections: set[Connection] = set()
        #: Those over, of which ``ended`` is just being told.
        self._leaving: set[Connection] = set()
        self._stopping = threading.Event()
        host, port = address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            # A port in TIME_WAIT can be had again; one that is listened on cannot (not so on Windows without this).
            if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
                self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind((host, port))
            self._listener.listen(_BACKLOG)
        except BaseException:
            self._listener.close()
            raise
        self.address: tuple[str, int] = self._listener.getsockname()[:2]

    def serve(self) -> None:
        """Accept connections until ``stop``."""
        due = time.monotonic()
        while not self._stopping.is_set():
            if self._tick is not None and time.monotonic() >= due:
                due = time.monotonic() + self._tick()
            try:
                if self._tick is not None:
                    self._listener.settimeout(max(due - time.monotonic(), _LEAST_S))
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError as exc:
                if self._stopping.is_set():
                    return
                if exc.errno in _EXHAUSTED:
                    self._tell("no descriptors left for more connections (%s); those there are go on", exc)
                else:
                    log.info("a connection was lost while it was accepted: %s", exc)
                self.pause(_PAUSE_S)
                continue
            self._start(sock)

    def pause(self, seconds: float) -> None:
        """Wait that long, but not beyond `stop`."""
        self._stopping.wait(seconds)

    def _tell(self, text: str, *args: Any) -> None:
        """Warn of a shortage, once in a while."""
        now = time.monotonic()
        if now - self._told.get(text, -_TELL_S) >= _TELL_S:
            self._told[text] = now
            log.warning(text, *args)

    def _start(self, sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if os.name == "posix" and hasattr(socket, "SO_SNDTIMEO"):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_S, 0))
            connection = Connection(self, sock, self._talk(sock))
        except OSError as exc:  # gone already
            log.info("a connection was lost before it was served: %s", exc)
            sock.close()
            return
        with self._lock:  # from here on stop() knows of it; after stop() there are no new ones
            crowded = len(self._connections) >= self._most
            if crowded:
                self._tell("%d connections are as many as there can be; more are closed at once", self._most)
            refused = crowded or self._stopping.is_set()
            if not refused:
                self._connections.add(connection)  # first: starting it can be interrupted, and stop() must know of it
                try:
                    connection.thread.start()
                except RuntimeError as exc:
                    if isinstance(exc.__context__, KeyboardInterrupt):  # "release unlocked lock": Ctrl-C within start()
                        raise exc.__context__ from None
                    self._connections.discard(connection)
                    self._tell("no thread left for another connection (%s); those there are go on", exc)
                    refused = True
        if refused:
            sock.close()

    def forget(self, connection: Connection) -> None:
        """A connection has ended."""
        with self._lock:
            self._connections.discard(connection)
            self._leaving.add(connection)
            left = len(self._connections)
        try:
            if self._ended is not None:
                self._ended(connection, left)
        finally:
            with self._lock:
                self._leaving.discard(connection)

    def connections(self) -> list[Connection]:
        """The connections there are."""
        with self._lock:
            return list(self._connections)

    def stop(self, timeout_s: float = 2.0) -> None:
        """Stop accepting; let each connection answer what it has read; end those that take longer than the time-out."""
        with self._lock:
            self._stopping.set()
        # shutdown() wakes accept() on Linux; elsewhere closing does.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            left = [*self._connections, *self._leaving]
        for one in left:
            one.stop_reading()
        deadline = time.monotonic() + timeout_s
        for one in left:
            one.join(deadline)
        stuck = self.connections()
        for one in stuck:
            one.abort()
        deadline = time.monotonic() + timeout_s
        for one in stuck:
            one.join(deadline)
            if one.thread.ident is None:  # never started
                one.sock.close()
                self.forget(one)
