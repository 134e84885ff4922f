"""A bar on a terminal that tells how far long work has come.

Owns: when it is drawn, and that it is gone before anything else is written there.
Rule: where nobody looks (no terminal) nothing is ever written; short work sees nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TextIO

__all__ = ["AFTER_S", "Bar"]

#: Seconds after which work is long, and between two drawings; records between two looks at the clock; columns.
AFTER_S, _EVERY_S, _LOOK, _WIDTH = 2.0, 0.2, 64, 40


class Bar:
    """A bar over the time of a recording.

    :param stream: where it is drawn, if it is a terminal.
    :param clock: seconds from some moment on.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = monotonic) -> None:
        self._stream = stream if stream.isatty() else None
        self._clock = clock
        self._drawn = self._count = 0
        self._start: float | None = None
        self._end: float | None = None
        self._due = 0.0

    @contextmanager
    def over(self, start: float | None, end: float | None) -> Iterator[None]:
        """Work from one recorded time to another; None: that of the first record; nobody knows."""
        self._start, self._end, self._count = start, end, 0
        self._due = self._clock() + AFTER_S
        try:
            yield
        finally:
            self.clear()

    def at(self, when: float) -> None:
        """A record of that time is done; the bar is drawn if it is due."""
        self._count += 1
        if self._stream is None or self._count % _LOOK and self._count > _LOOK or (now := self._clock()) < self._due:
            return
        self._due = now + _EVERY_S
        self._start = when if self._start is None else self._start
        line = f"{self._count} records"
        if self._end is not None and self._end > self._start:
            part = min(max((when - self._start) / (self._end - self._start), 0.0), 1.0)
            filled = int(part * _WIDTH)
            line = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {part:4.0%}, {line}"
        self.clear()
        self._drawn = len(line)
        self._stream.write(line)
        self._stream.flush()

    def clear(self) -> None:
        """Take the bar away, for something else to be written."""
        if self._stream is not None and self._drawn:
            self._stream.write(f"\r{' ' * self._drawn}\r")
            self._stream.flush()
            self._drawn = 0
