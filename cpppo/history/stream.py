"""Reading the files of a history one after the other, from any time on, while they are written and rotated.

Owns: the order of files, and how one is found again that has another name by now.
Rule: one line at a time is in memory, however large the files are.  A time is sought by file, then by bisection.
Records come in the order of their files: a clock that was put back shows in their times.
Must not know what data mean, nor the clock.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from cpppo.errors import Error, UsageError
from cpppo.history.files import DAMAGES, Member, members, opener
from cpppo.history.source import DataError, Entry, Source

__all__ = ["FAIL", "RAISE", "SUPPRESS", "HistoryExhausted", "Stream", "raising", "warning"]

log = logging.getLogger("cpppo.history")

#: What becomes of a line that is no record: it is logged; reading ends; DataError is raised.
SUPPRESS, FAIL, RAISE = 0, 1, 2

#: Octets that are read from a file at once.
_BUFFER = 1 << 16

#: How often files are looked for again that got other names meanwhile.
_TRIES = 1000


class HistoryExhausted(Error):
    """There is no file to read."""


def _missing(path: Path) -> str:
    return f"{path}: there is no such file, nor {path.name}.0 or the like beside it"


def raising(exc: DataError) -> None:
    """The policy that raises what is wrong."""
    raise exc


def warning(exc: DataError) -> None:
    """The policy that logs what is wrong, and goes on."""
    log.warning("%s", exc)


class Stream:
    """The records of a file set, the oldest first.

    :param path: the file that is, or was, written, from which the others have their names.
    :param problem: called with a DataError for each line that is no record and each file that is damaged, which then
        is passed over; what it raises ends reading: `raising` (so it is by default) or `warning`, or another.
    :param encoding: of the files; one in which line ends and tabs are those of ASCII.
    :param raw: leave data as the text that they are.
    :param opener: opens a file of a set to read.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        problem: Callable[[DataError], object] = raising,
        encoding: str | None = None,
        raw: bool = False,
        opener: Callable[[Path, str, int], BinaryIO] = opener,
    ) -> None:
        self.path = Path(path)
        self._problem, self._raw, self._opener = problem, raw, opener
        self._encoding = encoding or "ascii"
        try:
            fits = "\t\n".encode(self._encoding) == b"\t\n"
        except LookupError:
            fits = False
        if not fits:
            raise UsageError(f"{encoding!r} is no encoding of histories; eg. ascii, utf-8 or latin-1")

    def entries(self, start: float | None = None, before: bool = False, follow: bool = False) -> Iterator[Entry | None]:
        """The records of all files, from the first of a time or later on.

        :param start: seconds since 1970; None: from the beginning.
        :param before: begin with the last record before that, as what it says still holds then.
        :param follow: where there is no more give None, and go on when asked again, in newer files, too.

        HistoryExhausted if there is no file; OSError if one cannot be opened.
        """
        source = self._settled(lambda there: self._member_at(there, start))
        if source is None:
            raise HistoryExhausted(_missing(self.path))
        previous: Entry | None = None
        while source is not None:
            try:
                if start is not None and not source.member.end:
                    source.seek(start)
                ending = False
                for one in source.entries():
                    if one is None:
                        if ending:
                            break
                        if not source.written_on(self.path):
                            ending = True  # it has been, until now: look once more
                        elif follow:
                            if before and previous is not None:
                                yield previous
                                start = previous = None
                            yield None
                        else:
                            break
                        continue
                    ending = False
                    if start is not None:
                        if one.when < start:
                            previous = one
                            continue
                        start = None
                        if before and previous is not None:
                            yield previous
                    yield one
                source.finish()
                while (newer := self._settled(partial(self._newer, source))) is None and follow:
                    yield None
            finally:
                source.close()
            source = newer
        if start is not None and before and previous is not None:
            yield previous

    def _opened(self, member: Member, problem: Callable[[DataError], object] | None = None) -> Source:
        file = self._opener(member.path, "rb", _BUFFER)
        return Source(member, file, problem or self._problem, self._encoding, self._raw)

    def first(self, member: Member) -> Entry | None:
        """The first record of a file; None if it has none."""
        source = self._opened(member, lambda exc: None)
        try:
            return next(source.entries(), None)
        finally:
            source.close()

    def members(self) -> list[Member]:
        """The files there are, oldest first; HistoryExhausted if there is none."""
        found = members(self.path)
        if not found:
            raise HistoryExhausted(_missing(self.path))
        return found[::-1]

    def last_time(self) -> float | None:
        """The time of the last record, if it can be had without reading much; None if not, or if there is none."""
        newest = next(iter(members(self.path)), None)
        if newest is None or newest.end:
            return None
        source = self._opened(newest, lambda exc: None)
        try:
            source.seek(math.inf)
            for one in source.entries():
                if one is None:
                    break
            return source.latest if source.latest > -math.inf else None
        finally:
            source.close()

    def _settled(self, choose: Callable[[list[Member]], Member | None]) -> Source | None:
        """The file that is chosen of those there are, newest first, opened while none of them got another name."""
        for _ in range(_TRIES):
            there = self._names()
            try:
                member = choose([one for one, _ in there])
                source = None if member is None else self._opened(member)
            except FileNotFoundError:
                continue
            if self._names() == there:
                return source
            if source is not None:
                source.close()
        raise Error(f"the files of {self.path} get other names more quickly than they can be opened")

    def _names(self) -> list[tuple[Member, int]]:
        """The files there are, and which each of them is."""
        found = []
        for one in members(self.path):
            with suppress(FileNotFoundError):
                found.append((one, os.stat(one.path).st_ino))
        return found

    def _member_at(self, there: list[Member], start: float | None) -> Member | None:
        """The newest file that begins before a time; the oldest if none does."""
        low, high = 0, len(there)  # from the oldest on
        while start is not None and high - low > 1:
            middle = (low + high) // 2
            begins = next((one.when for at in range(middle, high) if (one := self.first(there[-1 - at]))), None)
            if begins is None or begins >= start:
                high = middle
            else:
                low = middle
        return there[-1 - low] if there else None

    def _newer(self, source: Source, there: list[Member]) -> Member | None:
        """The file that follows one, whatever both are called by now; None if there is none yet."""
        for at, one in enumerate(there):
            if source.written_on(one.path):
                return there[at - 1] if at else None
        head = source.head()
        for at, one in enumerate(there):
            if head and self._begins(one, head):  # compressed meanwhile
                return there[at - 1] if at else None
        # It was removed: what is left that is not older than it.
        newer = [one for one in there if (begins := self.first(one)) is None or begins.when >= source.latest]
        return newer[-1] if newer else None

    def _begins(self, member: Member, head: bytes) -> bool:
        """Whether a file begins with some octets."""
        try:
            with self._opener(member.path, "rb", _BUFFER) as file:
                return file.read(len(head)) == head
        except FileNotFoundError:
            raise
        except DAMAGES:
            return False
