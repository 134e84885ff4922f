"""Appending to a history file, from any thread, whatever becomes of the disk.

Owns: the open file, and what to do when it cannot be written.
Rule: a line is in the file when the call returns, or it is counted as lost; what is stored is never touched again.
Must not know what is recorded, nor which clock or kind of file it has: both are arguments.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, BinaryIO, cast

from cpppo.errors import Error
from cpppo.history.moments import render
from cpppo.history.record import TORN, Record, format_comment, format_record
from cpppo.timing import timer

__all__ = ["Writer", "open_to_append"]

log = logging.getLogger("cpppo.history")


def open_to_append(path: Path) -> BinaryIO:
    """A file to append to, without a buffer of its own; it and its directories are created; OSError if it cannot be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return cast(BinaryIO, path.open("ab+", buffering=0))


class Writer:
    """Appends records and comments to the file ``path``, one whole line at a time.

    ``clock``: gives seconds since the epoch, asked for each line that brings no time of its own.
    ``opener``: gives a binary file that appends; asked when there is something to write, and again after a failure.

    If writing fails, eg. for a full disk, that is logged once and what follows is lost, until writing works again:
    then a comment in the file (and the log) says how much was.  A line left in mid-sentence, by that or by a crash,
    is marked such that readers know it for no record, and the next begins on its own.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        clock: Callable[[], float] = timer,
        opener: Callable[[Path], BinaryIO] = open_to_append,
    ) -> None:
        self.path = Path(path)
        self._clock = clock
        self._opener = opener
        self._lock = Lock()
        self._file: BinaryIO | None = None
        self._closed = False
        self._lost = 0
        self._lost_since = ""

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Open the file now, which else the first line does; OSError if it cannot be."""
        with self._lock:
            self._opened()

    def write(self, data: Any, now: float | None = None, serial: Any = None) -> None:
        """Append a record of JSON values; RecordError if they are none, never an OSError.

        :param now: seconds since the epoch, by default those of the clock.
        :param serial: what it is about.
        """
        with self._lock:  # from the clock on: lines stand in the order of their times
            stamp = self._stamp(now)
            self._append(stamp, format_record(Record(stamp, serial, data)))

    def comment(self, text: str, now: float | None = None) -> None:
        """Append a comment, with its time; as ``write`` otherwise."""
        with self._lock:
            stamp = self._stamp(now)
            self._append(stamp, format_comment(f"{stamp}: {text}"))

    def close(self) -> None:
        """Close the file; nothing can be written afterwards."""
        with self._lock:
            self._closed = True
            self._release()

    def _stamp(self, now: float | None) -> str:
        return render(self._clock() if now is None else now)

    def _append(self, stamp: str, line: str) -> None:
        try:
            file = self._opened()
            if self._lost:
                line = format_comment(f"{stamp}: {self._lost} lines were lost since {self._lost_since}") + line
            _put(file, line)
        except OSError as exc:
            self._release()
            if not self._lost:
                self._lost_since = stamp
                log.warning("%s cannot be written; what should be recorded is lost until it can: %s", self.path, exc)
            self._lost += 1
            return
        if self._lost:
            log.warning("%s is written again; %d lines were lost since %s", self.path, self._lost, self._lost_since)
            self._lost = 0

    def _opened(self) -> BinaryIO:
        if self._closed:
            raise Error(f"{self.path} is closed: nothing more can be recorded; use a new Writer")
        if self._file is None:
            file = self._opener(self.path)
            try:
                if _torn(file):
                    _put(file, TORN)
            except OSError:
                with suppress(OSError):
                    file.close()
                raise
            self._file = file
        return self._file

    def _release(self) -> None:
        """Close the file, if open; whatever it could not write was told when that failed."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()


def _torn(file: BinaryIO) -> bool:
    """Whether a file ends within a line, as far as that can be found out."""
    if not (file.readable() and file.seekable() and file.seek(0, os.SEEK_END)):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _put(file: BinaryIO, text: str) -> None:
    """Write all of a text; OSError if less than that could be."""
    left = memoryview(text.encode("ascii"))
    while left:
        written = file.write(left)
        if not written:
            raise OSError(errno.EAGAIN, "the file takes nothing")
        left = left[written:]
    file.flush()
