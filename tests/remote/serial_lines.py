"""A serial bus whose master is the test: what devices send is heard, and waited for with a deadline."""

from __future__ import annotations

import os
import threading
import time

from tests.remote.bus import Bus

DEADLINE_S = 10.0


class Line(Bus):
    """Some devices on one bus: programs open ``paths``; `noise` comes before everything that the test sends."""

    def __init__(self, ends: int = 1, noise: bytes = b"") -> None:
        super().__init__(ends)
        self.noise = noise
        self._heard = b""
        self._arrived = threading.Condition()

    def carry(self, octets: bytes) -> bytes:
        with self._arrived:
            self._heard += octets
            self._arrived.notify_all()
        return octets

    def send(self, octets: bytes) -> None:
        """Send to all devices."""
        for master in self._masters:
            os.write(master, self.noise + octets)

    def ask(self, octets: bytes, size: int, wait_s: float = DEADLINE_S) -> bytes:
        """Send, and what is heard of the devices: as soon as it is so many octets, or after the time."""
        with self._arrived:
            self._heard = b""
        self.send(octets)
        return self.hear(size, wait_s)

    def hear(self, size: int, wait_s: float = DEADLINE_S) -> bytes:
        """What is heard, as soon as it is so many octets, or after the time."""
        until = time.monotonic() + wait_s
        with self._arrived:
            while len(self._heard) < size and (left := until - time.monotonic()) > 0:
                self._arrived.wait(left)
            return self._heard
