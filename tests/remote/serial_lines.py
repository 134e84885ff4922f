"""Serial lines without hardware: a pair of pseudo terminals, and a bus on which everybody hears everybody else.

Rule: whoever waits, waits for octets, with a deadline; a line ends with its `with` block.
"""

from __future__ import annotations

import os
import pty
import select
import threading
import time
import tty
from types import TracebackType

DEADLINE_S = 10.0


class Line:
    """Some devices on one line: ``ports[0]`` ... are opened by programs; `master` is the test's own end.

    What one sends all others hear; `noise` comes before everything that the master sends.
    """

    def __init__(self, count: int = 1, noise: bytes = b"") -> None:
        self.noise = noise
        self.heard: list[bytes] = []
        self._pairs = [pty.openpty() for _ in range(count)]
        for pair in self._pairs:
            for one in pair:
                tty.setraw(one)
        self.ports = [os.ttyname(slave) for _, slave in self._pairs]
        self._wake, self._woken = os.pipe()
        self._gone: int | None = None
        self._over, self._unplugged = False, threading.Event()
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Line:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._over = True
        os.write(self._woken, b"x")
        self._thread.join(DEADLINE_S)
        for one in (self._wake, self._woken, *(end for pair in self._pairs for end in pair)):
            if one >= 0:
                os.close(one)

    def unplug(self, number: int = 0) -> None:
        """Take a device away."""
        self._gone = number
        self._unplugged.clear()
        os.write(self._woken, b"x")
        assert self._unplugged.wait(DEADLINE_S)

    def _run(self) -> None:
        while True:
            masters = [master for master, _ in self._pairs if master >= 0]
            ready, _, _ = select.select([*masters, self._wake], [], [])
            if self._wake in ready:
                os.read(self._wake, 1)
                if self._over:
                    return
                if self._gone is not None:
                    for one in self._pairs[self._gone]:
                        os.close(one)
                    self._pairs[self._gone], self._gone = (-1, -1), None
                    self._unplugged.set()
                continue
            for one in ready:
                try:
                    octets = os.read(one, 4096)
                except OSError:
                    continue
                for other in masters:
                    if other != one:
                        os.write(other, octets)
                with self._arrived:
                    self.heard.append(octets)
                    self._arrived.notify_all()

    def send(self, octets: bytes) -> None:
        """Send to all devices."""
        for master, _ in self._pairs:
            if master >= 0:
                os.write(master, self.noise + octets)

    def ask(self, octets: bytes, size: int, wait_s: float = DEADLINE_S) -> bytes:
        """Send, and what is heard of the devices: as soon as it is so many octets, or after the time."""
        with self._arrived:
            self.heard.clear()
        self.send(octets)
        return self.hear(size, wait_s)

    def hear(self, size: int, wait_s: float) -> bytes:
        """What is heard, as soon as it is so many octets, or after the time."""
        until = time.monotonic() + wait_s
        with self._arrived:
            while len(b"".join(self.heard)) < size and (left := until - time.monotonic()) > 0:
                self._arrived.wait(left)
            return b"".join(self.heard)
