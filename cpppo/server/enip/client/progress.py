"""A line on a terminal that tells how far a long run has come.

Owns: when it is drawn, and that it is gone before anything else is written there.
Rule: where nobody looks (no terminal) nothing is ever written; short runs see nothing of it.
Must not know what is counted.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import TextIO

__all__ = ["AFTER_S", "EVERY_S", "Progress"]

#: Seconds after which a run is long, and between two drawings.
AFTER_S, EVERY_S = 2.0, 0.2


class Progress:
    """The line of a run of ``total`` operations, while in its ``with`` block: ``step`` after each of them.

    :param stream: where it is drawn, if it is a terminal; None: nowhere.
    :param clock: seconds from some moment on.
    """

    def __init__(self, total: int, stream: TextIO | None, clock: Callable[[], float] = monotonic) -> None:
        self._total, self._clock = total, clock
        self._stream = stream if stream is not None and stream.isatty() else None
        self._count = self._failures = self._drawn = 0
        self._began = clock()
        self._due = self._began + AFTER_S

    def __enter__(self) -> Progress:
        for handler in (
            logging.root.handlers if self._stream is not None else ()
        ):  # lines of the log may go to the terminal, too
            handler.addFilter(self._make_way)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, where: TracebackType | None
    ) -> None:
        self.clear()
        for handler in logging.root.handlers:
            handler.removeFilter(self._make_way)

    def _make_way(self, record: logging.LogRecord) -> bool:
        self.clear()
        return True

    def step(self, failed: bool) -> None:
        """One operation more is done; the line is drawn if it is due."""
        self._count += 1
        self._failures += failed
        if self._stream is not None and (now := self._clock()) >= self._due:
            self._due = now + EVERY_S
            self.clear()
            line = self._line(now - self._began)[: shutil.get_terminal_size().columns - 1]
            self._drawn = len(line)
            self._stream.write(line)
            self._stream.flush()

    def _line(self, elapsed_s: float) -> str:
        rate = self._count / elapsed_s if elapsed_s else 0.0
        left = f", {(self._total - self._count) / rate:.0f} s left" if rate else ""
        failed = f", {self._failures} failed" if self._failures else ""
        return f"{self._count} of {self._total} operations{failed}, {rate:.1f} TPS{left}"

    def clear(self) -> None:
        """Take the line away, for something else to be written."""
        if self._stream is not None and self._drawn:
            self._stream.write(f"\r{' ' * self._drawn}\r")
            self._stream.flush()
            self._drawn = 0
