"""A gate between a client and a controller: passes octets on, and can be cut, closed and opened.

Rule: one thread a connection and direction; whoever cuts does so between frames that have passed.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType

__all__ = ["Gate"]


class Gate:
    """Listens on ``address`` and leads to ``target``.

    ``cut_reply(octets)``: asked of what the controller sends; True: it is not passed on, and the connection is cut.
    """

    def __init__(self, target: tuple[str, int], port: int = 0) -> None:
        self.target = target
        self.cut_reply: Callable[[bytes], bool] = lambda octets: False
        self.connections = 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._start(self._accept)

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, where: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for one in self._threads:
            one.join(10)

    def cut(self) -> None:
        """Cut all connections."""
        for pair in self._pairs:
            self._end(pair)
        self._pairs.clear()

    @staticmethod
    def _end(pair: tuple[socket.socket, socket.socket]) -> None:
        for sock in pair:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            self.connections += 1
            pair = client, server
            self._pairs.append(pair)
            self._start(self._pass, pair, client, server, lambda octets: False)
            self._start(self._pass, pair, server, client, lambda octets: self.cut_reply(octets))

    def _pass(
        self,
        pair: tuple[socket.socket, socket.socket],
        source: socket.socket,
        sink: socket.socket,
        cut: Callable[[bytes], bool],
    ) -> None:
        try:
            while octets := source.recv(65536):
                if cut(octets):
                    break
                sink.sendall(octets)
        except OSError:
            pass
        finally:
            self._end(pair)
            source.close()
