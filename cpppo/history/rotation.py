"""Rotating a history: when a new file is begun, and what becomes of those before.

Owns: the names of a set while it is written, and compressing in the background.
Rule: what was written is somewhere under a name of the set at every moment, in one piece; what cannot be renamed or
compressed stays as it is, and that is logged.  Must not know lines.  One process at a time writes a set.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cpppo.errors import UsageError
from cpppo.history.files import DAMAGES, ENDS, Member, files_of, opener

__all__ = ["Rotation", "Rotator"]

log = logging.getLogger("cpppo.history")

#: Octets that are compressed at once.
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Rotation:
    """When a new file is begun, and what is kept.

    ``octets``: a line that would make it larger begins a new file.  ``seconds``: as does one of the next such period,
    counted since 1970, eg. 86400: a file a day, of UTC.  ``copies``: the most files kept beside it; None: all.
    ``compress``: how, by the end of names: ``.gz``, ``.bz2``, ``.xz``, ``.zst``; "" leaves them as they are.
    """

    octets: int | None = None
    seconds: float | None = None
    copies: int | None = None
    compress: str = ".gz"

    def __post_init__(self) -> None:
        for name in ("octets", "seconds", "copies"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"rotation: {name} {value!r} is not above 0; None is no limit")
        if self.compress not in ("", *ENDS):
            raise UsageError(f"rotation: {self.compress!r} is no compression; one of {', '.join(ENDS)}, or ''")


class Rotator:
    """Keeps the files of the set ``path`` by a rule.  Its methods, but ``wait``, are called by one thread at a time."""

    def __init__(self, path: Path, rule: Rotation) -> None:
        self._path, self._rule = path, rule
        self._names = threading.Lock()  # held while they change
        self._compressing: threading.Thread | None = None
        self._period = -1

    def opened(self, now: float) -> None:
        """A file was opened, that was last written to at a moment."""
        if self._rule.seconds is not None:
            self._period = int(now // self._rule.seconds)

    def due(self, size: int, more: int, now: float) -> bool:
        """Whether a line of so many octets, written now, belongs in a new file, not in this of ``size`` octets."""
        rule = self._rule
        if not size:
            self.opened(now)
            return False
        if rule.octets is not None and size + more > rule.octets:
            return True
        return rule.seconds is not None and now // rule.seconds > self._period

    def rotate(self) -> bool:
        """Give the file, which is closed, its number, and those before it the next; whether that could be done."""
        try:
            with self._names:
                self._shift()
                os.rename(self._path, self._path.with_name(f"{self._path.name}.0"))
        except OSError as exc:
            log.warning("%s cannot be rotated, and is written on: %s", self._path, exc)
            return False
        if self._rule.compress and (self._compressing is None or not self._compressing.is_alive()):
            self._compressing = threading.Thread(target=self._compress, name="history compression", daemon=True)
            self._compressing.start()
        return True

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until nothing is being compressed."""
        if self._compressing is not None:
            self._compressing.join(timeout_s)

    def _numbered(self) -> dict[int, list[Member]]:
        """The files with numbers: more than one of each if compression was cut short."""
        found: dict[int, list[Member]] = {}
        for one in files_of(self._path):
            if one.number is not None:
                found.setdefault(one.number, []).append(one)
        return found

    def _shift(self) -> None:
        """Make the number 0 free."""
        files = self._numbered()
        free = next(number for number in range(len(files) + 1) if number not in files)
        for number in range(free - 1, -1, -1):
            for one in files[number]:
                if self._rule.copies is not None and number + 1 >= self._rule.copies:
                    one.path.unlink()
                else:
                    os.rename(one.path, self._path.with_name(f"{self._path.name}.{number + 1}{one.end}"))

    def _compress(self) -> None:
        """Compress what is not, the oldest first, until nothing is left to do."""
        part = self._path.with_name(f"{self._path.name}.part{self._rule.compress}")
        try:
            while source := self._plain():
                with source:  # open until the end, or its number on the disk could become another file's
                    self._pack(source, part)
                    with self._names:
                        self._replace(part, os.fstat(source.fileno()))
        except DAMAGES as exc:
            log.warning("the history %s could not be compressed, and stays as it is: %s", self._path, exc)
        with suppress(OSError):
            part.unlink()

    def _pack(self, source: BinaryIO, part: Path) -> None:
        with opener(part, "wb") as target:
            shutil.copyfileobj(source, target, _CHUNK)
        with part.open("rb+") as written:
            os.fsync(written.fileno())  # before what it was made of is removed
        status = os.fstat(source.fileno())
        os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _plain(self) -> BinaryIO | None:
        """The oldest file that is not compressed, opened before it can be renamed."""
        with self._names:
            files = self._numbered()
            plain = (one.path for number in sorted(files, reverse=True) for one in files[number] if not one.end)
            oldest = next(plain, None)
            return None if oldest is None else oldest.open("rb")

    def _replace(self, part: Path, status: os.stat_result) -> None:
        """Put a compressed file in the place of the one it was made of, which may have another number by now."""
        for number, those in self._numbered().items():
            for one in those:
                if not one.end and os.path.samestat(one.path.stat(), status):
                    os.replace(part, self._path.with_name(f"{self._path.name}.{number}{self._rule.compress}"))
                    one.path.unlink()
                    return
