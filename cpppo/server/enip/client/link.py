"""A conversation over a TCP socket: its connection, its time-outs, and waiting for replies.

Owns: the socket, and the lock that lets several threads take turns at it.
Rule: moves octets and time; what is sent and what a reply means is decided in exchange.  Must not know operations.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
import threading
from contextlib import suppress
from time import monotonic
from typing import NoReturn

from cpppo.errors import Error, RemoteProtocolError, Timeout
from cpppo.server.enip.client.connected import CHANCE_OCTETS
from cpppo.server.enip.client.exchange import Exchange, Pending, Result

__all__ = ["Link"]

log = logging.getLogger("enip.cli")

_RECEIVED = 0x10000
#: A time-out of nothing at all still takes what is there already.
_SHORTEST_S = 1e-6
_CLOSED = "it was closed"
#: Seconds that closing a connection may take where replies have no limit.
_LEAVE_S = 5.0


class Link:
    """The socket of a conversation, with a session.

    :param timeout: seconds that connecting and every reply may take; None: no limit.
    :param connected: whether requests go over a connection of their own (Forward Open).

    Raises OSError if there is no TCP connection to be had, Timeout and RemoteProtocolError if there is no session,
    StatusError if the peer refuses a connection.
    """

    def __init__(self, exchange: Exchange, host: str, port: int, timeout: float | None, connected: bool) -> None:
        self.exchange = exchange
        self.host, self.port, self.timeout = host, port, timeout
        self._lock = threading.RLock()
        self._limit: float | None = -1.0
        self._closed = False
        started = monotonic()
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except TimeoutError as exc:
            raise Timeout(f"no connection to {self} within {monotonic() - started:.3f} s") from exc
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._allow(timeout)
            for pending, octets in exchange.begin(os.urandom(CHANCE_OCTETS) if connected else b""):
                self._send(octets)
                self._wait(pending, timeout)
        except BaseException:
            self._socket.close()
            raise

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def close(self) -> None:
        """End the session and the connection; whoever waits for a reply gets RemoteProtocolError.

        A connection of its own is closed first, unless another thread is waiting for a reply on it.
        """
        if self.exchange.connection is not None and self._lock.acquire(blocking=False):
            try:
                self._take_leave(_LEAVE_S if self.timeout is None else self.timeout)
            except (OSError, Error) as exc:  # it ends by the end of the session, too
                log.info("%s: the connection was not closed first: %s", self, exc)
            finally:
                self._lock.release()
        self.abort()

    def _take_leave(self, allowed: float) -> None:
        for pending, octets in self.exchange.finish():
            self._allow(allowed)
            self._send(octets)
            if pending is not None:
                self._wait(pending, allowed)

    def abort(self) -> None:
        """As ``close``, without a word to the peer."""
        self._closed = True
        with suppress(OSError):  # it may be closed already
            self._socket.shutdown(socket.SHUT_RDWR)  # which wakes a thread that waits, and holds the lock
        with self._lock:
            if self.exchange.failure is None:
                self.exchange.end(_CLOSED)
            self._socket.close()

    def __del__(self) -> None:
        if hasattr(self, "_socket"):
            self._socket.close()

    def _allow(self, timeout: float | None) -> None:
        """How long the socket may wait."""
        if timeout != self._limit:
            self._limit = timeout
            _set_timeout(self._socket, timeout)

    def _send(self, octets: bytes) -> None:
        try:
            self._socket.sendall(octets)
        except (TimeoutError, BlockingIOError) as exc:  # part of a frame may be on its way: no other can follow
            self._socket.close()
            raise Timeout(str(self.exchange.end(f"{self} took no request for {self._limit:.3f} s"))) from exc
        except OSError as exc:
            self._lost(exc)
        except BaseException:
            self._socket.close()
            self.exchange.end("sending was interrupted")
            raise

    def _lost(self, exc: OSError) -> NoReturn:
        self._socket.close()
        raise self.exchange.end(f"the connection to {self} broke ({exc.strerror or exc})") from exc

    def _wait(self, pending: Pending, timeout: float | None) -> list[Result]:
        """The results of a request, once its reply has come."""
        started = monotonic()
        left = timeout
        exchange = self.exchange
        while pending.results is None:
            if exchange.failure is not None:  # found by whoever received last, or by what he received
                self._socket.close()
                raise exchange.failure
            try:
                self._allow(left if left is None else max(left, _SHORTEST_S))
                octets = self._socket.recv(_RECEIVED)
            except (TimeoutError, BlockingIOError):
                break
            except OSError as exc:
                self._lost(exc)
            if not octets:
                self._socket.close()
                raise exchange.end(_CLOSED if self._closed else f"{self} closed the connection")
            try:
                exchange.feed(octets)
            except RemoteProtocolError:  # raised unless the octets answer this request, too
                self._socket.close()
                if pending.results is None:
                    raise
            if timeout is not None and pending.results is None:
                left = timeout - (monotonic() - started)
                if left <= 0:
                    break
        if pending.results is None:
            exchange.abandon(pending)
            raise Timeout(f"{self} did not answer {pending} within {monotonic() - started:.3f} s")
        return pending.results


def _set_timeout(sock: socket.socket, timeout: float | None) -> None:
    """Let sending and receiving take so long; by the system where it can, which saves a poll each."""
    if hasattr(socket, "SO_RCVTIMEO") and sys.platform != "win32":
        sock.settimeout(None)
        microseconds = 0 if timeout is None else max(1, round(timeout * 1e6))  # 0: no limit
        value = struct.pack("@ll", *divmod(microseconds, 1_000_000))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
    else:
        sock.settimeout(timeout)
