"""A threaded TCP server: one thread a connection; no protocol.

Owns: listening, accepting, the thread and socket of each connection, and ending them all, also upon Ctrl-C.
Rule: what is read goes to a protocol object and what that returns is sent, in one piece; nothing polls.
Must not know what the octets mean.
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
from typing import Protocol

__all__ = ["MAXIMUM_CONNECTIONS", "Connection", "Server", "Talks"]

log = logging.getLogger("network")

#: Octets read at once, and connections that may wait to be accepted.
_READ, _BACKLOG = 65536, 128
#: Seconds that a peer may still send after we have ended its connection, and that it may take to read what we send.
_DRAIN_S, _SEND_S = 0.5, 30
#: Connections there can be at once, each with a thread; those beyond are closed at once.
MAXIMUM_CONNECTIONS = 2500
#: Seconds that accepting pauses when the process has no descriptors or threads left.
_PAUSE_S = 0.1

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Talks(Protocol):
    """What a connection talks to."""

    closed: bool

    def receive(self, data: bytes) -> bytes:
        """The octets that answer some octets."""


class Connection:
    """A client's connection, served by its own thread."""

    def __init__(self, server: Server, sock: socket.socket, talk: Talks) -> None:
        self.server, self.sock, self.talk = server, sock, talk
        self.peer = sock.getpeername()
        self.thread = threading.Thread(target=self._serve, name=f"{server.name}_{self.peer[1]}", daemon=True)

    def _serve(self) -> None:
        sock, talk = self.sock, self.talk
        recv, send, receive = sock.recv, sock.sendall, talk.receive
        try:
            while not talk.closed:
                data = recv(_READ)
                if not data:
                    break
                reply = receive(data)
                if reply:
                    send(reply)
            if talk.closed:
                self._drain()
        except OSError as exc:
            log.info("%s: connection lost: %s", self.peer[0], exc)
        except Exception:  # a bug of ours: this client is lost, no other one
            log.exception("%s: session ended by an error", self.peer[0])
        finally:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
            self.server.forget(self)

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
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RD)

    def abort(self) -> None:
        """End the connection now."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


class Server:
    """Listens on ``address`` (host, port; '' is all interfaces, port 0 any free one) as soon as it is made.

    ``talk(sock)`` makes the protocol object of a new connection; ``ended(connection, left)`` is told when one is over
    and how many are left; ``most`` connections are served at once.  The thread of a connection is called ``name``,
    an underscore, and the port of its peer.  OSError if the address cannot be had.
    """

    def __init__(
        self,
        address: tuple[str, int],
        talk: Callable[[socket.socket], Talks],
        ended: Callable[[Connection, int], None] | None = None,
        most: int = MAXIMUM_CONNECTIONS,
        name: str = "tcp",
    ) -> None:
        self.name = name
        self._talk = talk
        self._most = most
        self._crowded = False
        self._ended = ended
        self._lock = threading.Lock()
        self._connections: set[Connection] = set()
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
        exhausted = False
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError as exc:
                if self._stopping.is_set():
                    return
                if exc.errno not in _EXHAUSTED:
                    log.info("a connection was lost while it was accepted: %s", exc)
                elif not exhausted:
                    log.warning("no descriptors left for more connections (%s); those there are go on", exc)
                exhausted = exc.errno in _EXHAUSTED
                self._stopping.wait(_PAUSE_S)
                continue
            exhausted = False
            self._start(sock)

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
            if crowded and not self._crowded:
                log.warning("%d connections are as many as there can be; more are closed at once", self._most)
            self._crowded = crowded
            refused = crowded or self._stopping.is_set()
            if not refused:
                try:
                    connection.thread.start()
                    self._connections.add(connection)
                except RuntimeError as exc:
                    log.warning("no thread left for another connection (%s); those there are go on", exc)
                    refused = True
        if refused:
            sock.close()

    def forget(self, connection: Connection) -> None:
        """A connection has ended."""
        with self._lock:
            self._connections.discard(connection)
            left = len(self._connections)
        if self._ended is not None:
            self._ended(connection, left)

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
        left = self.connections()
        for one in left:
            one.stop_reading()
        deadline = time.monotonic() + timeout_s
        for one in left:
            one.thread.join(max(deadline - time.monotonic(), 0.0))
        stuck = self.connections()
        for one in stuck:
            one.abort()
        deadline = time.monotonic() + timeout_s
        for one in stuck:
            one.thread.join(max(deadline - time.monotonic(), 0.0))
