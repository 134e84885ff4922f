"""A UDP server: one thread that answers datagrams one after the other; no protocol.

Owns: the socket, the thread, ending them, and by which of its addresses this machine reaches a peer.
Rule: a datagram is answered by a function, at once and by one datagram or none; nothing that a peer does, nor a
datagram that cannot be answered, ends the thread; it waits in the kernel and polls nothing.
Must not know what the octets mean.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any

from cpppo.server.tcp import format_address

__all__ = ["WILDCARDS", "Datagrams", "Peer", "local_host"]

log = logging.getLogger("network")

#: Hosts that stand for all interfaces.
WILDCARDS = ("", "0.0.0.0", "::")

#: Octets that a datagram may have: more than any has.
_READ = 65536
#: Seconds that receiving pauses after an error of the system, so that one that lasts costs little.
_PAUSE_S = 0.1

#: An address as the socket gives and takes it: host, port, and over IPv6 flow and scope.
Peer = tuple[Any, ...]


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def local_host(peer: Peer, listening: str) -> str:
    """The host by which ``peer`` reaches a server that listens on a host; OSError if it cannot."""
    if listening not in WILDCARDS:
        return listening
    # Connected, a socket has the address that the route to the peer begins with; nothing is sent.
    with socket.socket(_family(peer[0]), socket.SOCK_DGRAM) as sock:
        sock.connect(peer)
        host: str = sock.getsockname()[0]
    return host


class Datagrams:
    """Answers datagrams that come to ``address`` (host, port), as soon as it is made and until ``stop``.

    ``answer(data, peer)`` gives the datagram that answers one, or nothing: b"".  The thread is called ``name``, an
    underscore, and the port.  OSError if the address cannot be had, RuntimeError if there is no thread left.
    """

    def __init__(self, address: tuple[str, int], answer: Callable[[bytes, Peer], bytes], name: str = "udp") -> None:
        self._answer = answer
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._failed = False
        with contextlib.ExitStack() as undo:
            self._sock = undo.enter_context(socket.socket(_family(address[0]), socket.SOCK_DGRAM))
            if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # elsewhere a port that is taken cannot be had anyway
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            self._sock.bind(address)
            self._sock.setblocking(False)
            self.address: tuple[str, int] = self._sock.getsockname()[:2]
            # Not every system wakes a thread that receives when its socket is closed: the end of a pair does.
            self._woken, self._waker = socket.socketpair()
            undo.enter_context(self._woken)
            undo.enter_context(self._waker)
            self._selector = undo.enter_context(selectors.DefaultSelector())
            self._selector.register(self._sock, selectors.EVENT_READ)
            self._selector.register(self._woken, selectors.EVENT_READ)
            self.thread = threading.Thread(target=self._serve, name=f"{name}_{self.address[1]}", daemon=True)
            self.thread.start()
            self._resources = undo.pop_all()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._selector.select()
            if self._stopping.is_set():
                return
            try:
                data, peer = self._sock.recvfrom(_READ)
            except BlockingIOError:  # the kernel dropped it, eg. for a wrong checksum
                continue
            except ConnectionError as exc:  # Windows: whom we answered before was not there any more
                log.debug("an answer has not arrived: %s", exc)
                continue
            except OSError as exc:
                log.info("a datagram was lost while it was received: %s", exc)
                self._stopping.wait(_PAUSE_S)
                continue
            self._reply(data, peer)

    def _reply(self, data: bytes, peer: Peer) -> None:
        try:
            reply = self._answer(data, peer)
            if reply:
                self._sock.sendto(reply, peer)
        except OSError as exc:
            log.info("%s: a datagram cannot be answered: %s", format_address(peer[:2]), exc)
        except Exception as exc:  # a bug of ours: this datagram is lost, no other one
            log.error("%s: a datagram is not answered: %r", format_address(peer[:2]), exc, exc_info=not self._failed)
            self._failed = True

    def stop(self, timeout_s: float = 2.0) -> None:
        """End it: the datagram that is being answered is the last; it may take as long as the time-out."""
        self._stopping.set()
        self._waker.close()
        self.thread.join(timeout_s)
        with self._lock:
            self._resources.close()
