"""A serial bus: what one end sends, all others receive."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty


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
        self._thread = threading.Thread(target=self._run, daemon=True)

    def carry(self, octets: bytes) -> bytes:
        """What becomes of octets on the line: what a test puts in its place makes noise."""
        return octets

    def __enter__(self) -> Bus:
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
                return
            for master in ready:
                octets = self.carry(os.read(master, 4096))
                for other in self._masters:
                    if other != master and octets:
                        os.write(other, octets)
