"""A serial bus: what one end sends, all others receive."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from typing import TypeVar

Self = TypeVar("Self", bound="Bus")


class Bus:
    """As many ends as asked for, each with a path that can be opened like a serial device; `carry` sees all octets."""

    def __init__(self, ends: int = 2) -> None:
        pairs = [pty.openpty() for _ in range(ends)]
        for pair in pairs:
            for one in pair:
                tty.setraw(one)
        self._masters = [master for master, _ in pairs]
        self._slaves = [slave for _, slave in pairs]
        self.paths = [os.ttyname(slave) for slave in self._slaves]
        self._wakes, self._waker = os.pipe()
        self._unplugged = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def carry(self, octets: bytes) -> bytes:
        """What becomes of octets on the line: what a test puts in its place makes noise."""
        return octets

    def unplug(self) -> None:
        """Take the first end away."""
        os.write(self._waker, b"u")
        assert self._unplugged.wait(10)

    def __enter__(self: Self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        os.write(self._waker, b"x")
        self._thread.join(10)
        assert not self._thread.is_alive()
        for one in (*self._masters, *self._slaves, self._wakes, self._waker):
            os.close(one)

    def _run(self) -> None:
        while True:
            ready = select.select([*self._masters, self._wakes], [], [])[0]
            if self._wakes in ready:
                if os.read(self._wakes, 1) == b"x":
                    return
                for one in (self._masters.pop(0), self._slaves.pop(0)):
                    os.close(one)
                self._unplugged.set()
                continue
            for master in ready:
                octets = self.carry(os.read(master, 4096))
                for other in self._masters:
                    if other != master and octets:
                        os.write(other, octets)
