"""Devices that answer as a test says, octet by octet: over TCP, and at the other end of a serial line.

Rule: a device does what its script says and nothing else; it ends when its `with` block does.
"""

from __future__ import annotations

import os
import pty
import select
import socket
import threading
import tty
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

#: What a device does about a request: octets are sent; None ends the connection.
Script = Callable[[bytes], Iterator["bytes | None"]]


class _Device:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[bytes] = []
        #: Set when the device is to end: what its script may wait for.
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.ended.set()
        self._wake()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _wake(self) -> None: ...
    def _run(self) -> None: ...


class TcpDevice(_Device):
    """Listens; of each connection, each chunk received is a request."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.connections = 0
        self._held: list[socket.socket] = []

    def _wake(self) -> None:
        for held in (self.listener, *self._held):
            try:
                held.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _run(self) -> None:
        with self.listener:
            while not self.ended.is_set():
                try:
                    connection, _ = self.listener.accept()
                except OSError:
                    return
                self.connections += 1
                self._held.append(connection)
                with connection:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        try:
            while octets := connection.recv(4096):
                self.requests.append(octets)
                for part in self.script(octets):
                    if part is None:
                        return
                    connection.sendall(part)
        except OSError:
            return


class SerialDevice(_Device):
    """The far end of a pseudo terminal; `path` is the near one."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self.master, self.slave = pty.openpty()
        tty.setraw(self.master)
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self._wakes, self._waker = os.pipe()

    def _wake(self) -> None:
        os.write(self._waker, b"x")

    def unplug(self) -> None:
        """The line is gone: what is open at the near end reads an end, and cannot be opened again."""
        self.ended.set()
        self._wake()
        self._thread.join(10)

    def _run(self) -> None:
        try:
            while not self.ended.is_set():
                if self._wakes in select.select([self.master, self._wakes], [], [])[0]:
                    return
                octets = os.read(self.master, 4096)
                self.requests.append(octets)
                for part in self.script(octets):
                    assert part is not None, "a serial line has no connection to end"
                    self._put(part)
        finally:
            for held in (self.master, self.slave):
                os.close(held)

    def _put(self, octets: bytes) -> None:
        """Write all, unless the device is to end: nobody may read any more."""
        os.set_blocking(self.master, False)
        while octets and not self.ended.is_set():
            if self.master in select.select([self._wakes], [self.master], [])[1]:
                octets = octets[os.write(self.master, octets) :]

    def __exit__(self, *exc: Any) -> None:
        super().__exit__(*exc)
        os.close(self._wakes)
        os.close(self._waker)
