"""One file of a history while it is read: its lines as records, and the place in it where a time begins.

Owns: the open file, what a line without an end is, and bisection.
Rule: what cannot be read is told with file, line and reason, and the next line is read.  A line without its end is no
record: nobody can tell 12 from the beginning of 1234.  Must not know that there are other files.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from cpppo.errors import Error
from cpppo.history.files import DAMAGES, Member
from cpppo.history.moments import parse
from cpppo.history.record import parse_line, parse_line_raw

__all__ = ["DataError", "Entry", "Source"]

#: Octets within which a time is sought by reading, of a line at most, and of the beginning that tells files apart.
NEAR, LONGEST, HEAD = 1 << 16, 1 << 24, 1 << 12


class DataError(Error, ValueError):
    """A line that is no record, or a file that is damaged from there on; ``path``, ``line`` (from 1) and ``why``."""

    def __init__(self, path: Path, line: int | None, why: str) -> None:
        super().__init__(f"{path}{'' if line is None else f', line {line}'}: {why}")
        self.path, self.line, self.why = path, line, why


class Entry(NamedTuple):
    """A record as it was read.

    ``when``: seconds since 1970; ``member``: its file; ``line``: from 1, of all that was read of that file.
    """

    when: float
    serial: Any
    data: Any
    member: Member
    line: int


class Source:
    """A file, opened to be read; its last line may not be there yet.

    :param problem: called with a DataError for each line that is no record.
    :param raw: leave data as the text that they are.
    """

    def __init__(
        self,
        member: Member,
        file: BinaryIO,
        problem: Callable[[DataError], object],
        encoding: str = "ascii",
        raw: bool = False,
    ) -> None:
        self.member = member
        self._file, self._problem, self._encoding = file, problem, encoding
        self._parse = parse_line_raw if raw else parse_line
        self._line, self._begun = 0, 0  # lines read, and the octet where that began
        self._rest = b""
        #: The time of the latest record that was read.
        self.latest = -math.inf
        self._head = b""
        self._damage: Exception | None = None
        if member.end:
            try:
                self._head = file.peek(HEAD)[:HEAD]  # type: ignore[attr-defined]
            except DAMAGES as exc:  # which is raised but once
                self._damage = exc

    def entries(self) -> Iterator[Entry | None]:
        """The records, and None whenever there is no more for now; ends where the file is damaged."""
        while True:
            try:
                if self._damage is not None:
                    raise self._damage
                line = self._file.readline(LONGEST)
            except DAMAGES as exc:
                self._told(f"damaged, and not read any further: {exc}", 1)
                self._rest = b""
                return
            if not line:
                yield None
                continue
            if self._rest or not line.endswith(b"\n"):
                self._rest += line
                if len(self._rest) >= LONGEST and not line.endswith(b"\n"):
                    self._skip()
                    continue
                if not line.endswith(b"\n"):
                    continue
                line, self._rest = self._rest, b""
            self._line += 1
            try:
                record = self._parse(line.decode(self._encoding))
                if record is not None:
                    self.latest = when = parse(record[0])
                    yield Entry(when, record[1], record[2], self.member, self._line)
            except UnicodeDecodeError as exc:
                self._told(f"octet {exc.start} of it is not {self._encoding}: {line[:60]!r}")
            except ValueError as exc:  # of the record or its time
                self._told("torn by a crash or a full disk" if line.endswith(b"# torn\n") else str(exc))

    def _skip(self) -> None:
        """Pass over a line that is too long to be one."""
        self._rest = b""
        self._line += 1
        self._told(f"longer than {LONGEST} octets")
        try:
            while (part := self._file.readline(LONGEST)) and not part.endswith(b"\n"):
                pass
        except DAMAGES:  # which reading on will tell
            pass

    def _told(self, why: str, beyond: int = 0) -> None:
        self._problem(DataError(self.member.path, self._lines_before() + self._line + beyond, why))

    def _lines_before(self) -> int:
        """The lines before what was read; counted only when there is something to tell."""
        if not self._begun:
            return 0
        here, lines, left = self._file.tell(), 0, self._begun
        self._file.seek(0)
        while left and (octets := self._file.read(min(left, 1 << 20))):
            lines += octets.count(b"\n")
            left -= len(octets)
        self._file.seek(here)
        return lines

    def head(self) -> bytes:
        """The beginning of the file, by which it is known if it was compressed meanwhile."""
        if self.member.end:
            return self._head
        here = self._file.tell()
        self._file.seek(0)
        octets = self._file.read(HEAD)
        self._file.seek(here)
        return octets

    def written_on(self, path: Path) -> bool:
        """Whether this is the file that has a name now."""
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), os.stat(path))
        except OSError:
            return False

    def finish(self) -> None:
        """There will be no more: a last line without an end is told."""
        if self._rest:
            self._told(f"torn: it has no end: {self._rest[:60]!r}", 1)

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def seek(self, start: float) -> None:
        """Go to where reading on soon comes to the first record of a time or later; not if it is compressed."""
        low, high = 0, self._file.seek(0, os.SEEK_END)
        while high - low > NEAR:
            middle = (low + high) // 2
            self._file.seek(middle)
            self._file.readline(LONGEST)
            place, when = self._next_record(high)
            if when is None or when >= start:
                high = middle
            else:
                low = place
        self._file.seek(low)
        self._begun = low

    def _next_record(self, high: int) -> tuple[int, float | None]:
        """Where the next record before an octet begins, and its time; None if there is none."""
        while (place := self._file.tell()) < high and (line := self._file.readline(LONGEST)):
            try:
                if (record := parse_line_raw(line.decode(self._encoding))) is not None:
                    return place, parse(record.timestamp)
            except ValueError:
                continue
        return high, None
