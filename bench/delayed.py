"""A line that takes its time: a proxy on the loopback interface that passes octets on after a delay, both ways.

Owns: that.  Rule: it delays, and neither limits the rate nor changes what it passes on.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from types import TracebackType

__all__ = ["Delayed"]


class Delayed:
    """A proxy to a port of this host, for one connection; ``port``: its own."""

    def __init__(self, port: int, delay_s: float) -> None:
        self._target, self._delay_s = port, delay_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Delayed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, where: TracebackType | None
    ) -> None:
        for one in (self._listener, *self._sockets):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:  # it has ended by itself
                pass
            one.close()
        for thread in self._threads:
            thread.join(10)

    def _serve(self) -> None:
        try:
            near, _ = self._listener.accept()
        except OSError:  # nobody came
            return
        far = socket.create_connection(("127.0.0.1", self._target))
        self._sockets += near, far
        for one in near, far:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, sink in ((near, far), (far, near)):
            passing: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
            for target, end in ((self._take, source), (self._give, sink)):
                thread = threading.Thread(target=target, args=(end, passing), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _take(self, source: socket.socket, passing: queue.SimpleQueue[tuple[float, bytes]]) -> None:
        octets = b"-"
        while octets:
            try:
                octets = source.recv(65536)
            except OSError:
                octets = b""
            passing.put((time.monotonic() + self._delay_s, octets))

    @staticmethod
    def _give(sink: socket.socket, passing: queue.SimpleQueue[tuple[float, bytes]]) -> None:
        while True:
            due, octets = passing.get()
            time.sleep(max(due - time.monotonic(), 0.0))
            try:
                if not octets:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(octets)
            except OSError:  # closed on that side
                return
