"""Appending to a history file, from any thread, whatever becomes of the disk.

Owns: the open file, when lines go there, and what to do when it cannot be written.
Rule: a line is in the file when the call returns (or, with an interval, when ``flush`` does), or it is counted as lost;
what is stored is never touched again.
Must not know what is recorded, nor which clock or kind of file it has: both are arguments.
"""

from __future__ import annotations

import errno
import logging
import math
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import RLock, Timer
from types import TracebackType
from typing import Any, BinaryIO, cast

from cpppo.errors import Error
from cpppo.history.files import plain
from cpppo.history.moments import render
from cpppo.history.record import TORN, format_comment, format_values
from cpppo.history.rotation import Rotation, Rotator
from cpppo.timing import timer

__all__ = ["Writer", "open_to_append"]

log = logging.getLogger("cpppo.history")

#: Seconds by which a clock goes back before a comment says so, and lines that wait at most, if they may.
_BACK_S, _MOST_WAITING = 1.0, 1000


def open_to_append(path: Path) -> BinaryIO:
    """A file to append to, without a buffer of its own; it and its directories are created; OSError if it cannot be.

    It is not compressed, so its name must not say so.
    """
    if not plain(path):
        raise OSError(errno.EINVAL, f"what is written is not compressed; leave {path.suffix} away", os.fspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    return cast(BinaryIO, path.open("ab+", buffering=0))


class Writer:
    """Appends records and comments to the file ``path``, one whole line at a time.

    ``clock``: gives seconds since the epoch, asked for each line that brings no time of its own.  If it goes back by
    a second or more a comment says so: what is recorded keeps the time that it was given.
    ``opener``: gives a binary file that appends; asked when there is something to write, and again after a failure.
    ``flush_s``: 0: each line is in the file when it was written.  Else lines may wait so many seconds; a crash loses
    those that wait, and ``flush`` writes them at once.
    ``fsync``: whenever lines are written, wait until they are on the disk: they survive a crash of the system.
    ``rotation``: when a new file is begun, of the set ``path``, ``path.0``, ``path.1.gz``...; None: never.

    If writing fails, eg. for a full disk, that is logged once and what follows is lost, until writing works again:
    then a comment in the file (and the log) says how much was.  A line left in mid-sentence, by that or by a crash,
    is marked such that readers know it for no record, and the next begins on its own.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        clock: Callable[[], float] = timer,
        opener: Callable[[Path], BinaryIO] = open_to_append,
        *,
        flush_s: float = 0.0,
        fsync: bool = False,
        rotation: Rotation | None = None,
    ) -> None:
        self.path = Path(path)
        self._clock = clock
        self._opener = opener
        self._flush_s, self._fsync = flush_s, fsync
        self._rotator = None if rotation is None else Rotator(self.path, rotation)
        self._lock = RLock()
        self._file: BinaryIO | None = None
        self._size = 0
        self._waiting: list[bytes] = []
        self._flushing: Timer | None = None
        self._latest = -math.inf
        self._closed = False
        self._lost = self._losses = 0
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

    @property
    def failing(self) -> bool:
        """Whether the latest line could not be written."""
        return self._lost > 0

    @property
    def losses(self) -> int:
        """How many lines could not be written, so far."""
        return self._losses + self._lost

    def write(self, data: Any, now: float | None = None, serial: Any = None) -> None:
        """Append a record of JSON values; RecordError if they are none, never an OSError.

        :param now: seconds since the epoch, by default those of the clock.
        :param serial: what it is about.
        """
        with self._lock:  # from the clock on: lines stand in the order of their times
            moment = self._moment(now)
            stamp = render(moment)
            self._append(moment, stamp, format_values(stamp, serial, data))

    def comment(self, text: str, now: float | None = None) -> None:
        """Append a comment, with its time; as ``write`` otherwise."""
        with self._lock:
            moment = self._moment(now)
            stamp = render(moment)
            self._append(moment, stamp, format_comment(f"{stamp}: {text}"))

    def flush(self) -> bool:
        """Write the lines that wait; whether all that was appended since the last failure is in the file."""
        with self._lock:
            if self._flushing is not None:
                self._flushing.cancel()
                self._flushing = None
            if self._waiting:
                self._write(render(self._clock()))
            return not self._lost

    def close(self) -> None:
        """Write the lines that wait and close the file; nothing can be written afterwards.

        What was rotated out is compressed before this returns.
        """
        with self._lock:
            self.flush()
            self._closed = True
            self._release()
        if self._rotator is not None:
            self._rotator.wait()

    def _moment(self, now: float | None) -> float:
        if now is not None:
            return now
        now = self._clock()
        if now <= self._latest - _BACK_S:
            back, stamp = self._latest - now, render(now)
            self._latest = now
            self._append(now, stamp, format_comment(f"{stamp}: the clock was put back by {back:.3f} s"))
        self._latest = now
        return now

    def _append(self, moment: float, stamp: str, line: str) -> None:
        if self._closed:
            raise Error(f"{self.path} is closed: nothing more can be recorded; use a new Writer")
        octets = line.encode("ascii")
        if self._rotator is not None:
            self._make_room(len(octets), moment, stamp)
        self._waiting.append(octets)
        if not self._flush_s or len(self._waiting) >= _MOST_WAITING:
            self._write(stamp)
        elif self._flushing is None:
            self._flushing = Timer(self._flush_s, self.flush)
            self._flushing.daemon = True
            self._flushing.start()

    def _make_room(self, more: int, moment: float, stamp: str) -> None:
        """Begin a new file if a line of so many octets belongs in one."""
        assert self._rotator is not None
        if self._file is None:
            try:
                self._opened()
            except OSError:
                return
        if self._rotator.due(self._size + sum(map(len, self._waiting)), more, moment):
            if self._waiting:
                self._write(stamp)
            self._release()
            rotated = self._rotator.rotate()
            with suppress(OSError):  # which writing will tell
                self._opened()
            if not rotated:
                self._size = 0  # it is tried again when as much was written
            self._rotator.opened(moment)

    def _write(self, stamp: str) -> None:
        """Write the lines that wait, or count them as lost."""
        lines, self._waiting = self._waiting, []
        note, written = b"", 0
        try:
            file = self._file or self._opened()
            if self._lost:
                told = f"{stamp}: {self._lost} lines were lost since {self._lost_since}"
                note = format_comment(told).encode("ascii")
            written, failure = _put(file, note + b"".join(lines))
            self._size += written
            if failure is not None:
                raise failure
            if self._fsync:
                written = 0  # or nobody knows
                os.fsync(file.fileno())
        except OSError as exc:
            self._release()
            if not self._lost:
                self._lost_since = stamp
                log.warning("%s cannot be written; what should be recorded is lost until it can: %s", self.path, exc)
            written -= len(note)
            for line in lines:
                written -= len(line)
                self._lost += written < 0
            return
        if self._lost:
            log.warning("%s is written again; %d lines were lost since %s", self.path, self._lost, self._lost_since)
            self._losses += self._lost
            self._lost = 0

    def _opened(self) -> BinaryIO:
        if self._closed:
            raise Error(f"{self.path} is closed: nothing more can be recorded; use a new Writer")
        if self._file is None:
            file = self._opener(self.path)
            try:
                if _torn(file) and (failure := _put(file, TORN)[1]):
                    raise failure
                if self._rotator is not None:
                    status = os.fstat(file.fileno())
                    self._size = status.st_size
                    if self._size:
                        self._rotator.opened(status.st_mtime)
            except OSError:
                with suppress(OSError):
                    file.close()
                raise
            self._file = file
            if self._fsync:
                _sync_names(self.path.parent)
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


def _sync_names(directory: Path) -> None:
    """The names in a directory, too, are to survive; not every system lets them be asked for."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _put(file: BinaryIO, octets: bytes) -> tuple[int, OSError | None]:
    """Write all octets; how many were written, and what went wrong if that is not all."""
    done = 0
    try:
        while done < len(octets):
            written = file.write(octets[done:] if done else octets)
            if not written:
                return done, OSError(errno.EAGAIN, "the file takes nothing")
            done += written
        file.flush()
    except OSError as exc:
        return done, exc
    return done, None
