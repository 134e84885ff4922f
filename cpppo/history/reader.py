"""`reader` and `parse_record`: records read by hand, at the speed of a clock.

Owns: the relation of recorded time to the time of the clock.
Rule: nothing waits; what is not due yet is None, and the caller decides when to ask again.
Must not know what data mean: they are text here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from cpppo.errors import UsageError
from cpppo.history.files import opener
from cpppo.history.offsets import format_offset
from cpppo.history.record import RecordError, parse_line_raw
from cpppo.history.stream import Stream, raising, warning
from cpppo.history.timestamp import timestamp
from cpppo.timing import timer

__all__ = ["Read", "parse_record", "reader"]

#: What ``reader.open`` gives: ((end of the file's name, line, historical time), (time of the record, its JSON text)).
Read: TypeAlias = tuple[tuple[str, int, timestamp], tuple[timestamp, str | None]]


def parse_record(
    lines: Iterator[Any], n: int = -1, encoding: str | None = None
) -> tuple[int, tuple[timestamp, Any, str]]:
    """The next record of an open file: (number of its line, (its time, its serial, its data as JSON text)).

    :param lines: a file of octets or of text, or any iterator of lines.
    :param n: the number of the line before; files begin with line 0.
    :param encoding: of octets; ASCII if None.

    StopIteration where there is none left; RecordError (a ValueError) for a line that is no record, or has no end: it
    is passed over.
    """
    for number, line in enumerate(lines, n + 1):
        try:
            text = line if isinstance(line, str) else line.decode(encoding or "ascii")
            if (record := parse_line_raw(text)) is None:
                continue
            if not text.endswith("\n"):
                raise RecordError(f"torn: it has no end: {text[:60]!r}")
            return number, (timestamp(record.timestamp), record.serial, record.data)
        except ValueError as exc:
            raise RecordError(f"line {number}: {exc}") from None
    raise StopIteration


class reader:
    """Reads the file set ``path`` as if the time was ``historical``, at the moment ``basis``.

    :param historical: a timestamp, or what makes one.
    :param basis: the moment from which it counts, in seconds since 1970 or as ``historical``; None: now.
    :param factor: seconds of history that pass in one of the clock; 1 if None.
    :param clock: gives the seconds since 1970.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        historical: Any,
        basis: Any = None,
        factor: float | None = None,
        clock: Callable[[], float] = timer,
        opener: Callable[..., Any] = opener,
    ) -> None:
        self.path = Path(path)
        self.historical = timestamp(historical)
        self.basis = timestamp(clock() if basis is None else basis)
        self.factor = 1.0 if factor is None else factor
        if not self.factor > 0:
            raise UsageError(f"factor {factor!r} is not above 0; 1 is the speed at which it was recorded")
        self._clock, self._opener = clock, opener

    def __str__(self) -> str:
        current = self.advance()
        passed = format_offset(current - self.historical)
        return f"{current} {passed[0]} {passed[1:]} x {self.factor:5.2f} {self.path.name}"

    def advance(self, now: Any = None) -> timestamp:
        """The historical time at a moment, by default now."""
        moment = self._clock() if now is None else timestamp(now).value
        return self.historical + (moment - self.basis.value) * self.factor

    def realtime(self, ts: Any) -> timestamp:
        """The moment at which it is some historical time."""
        return self.basis + (timestamp(ts) - self.historical) / self.factor

    def open(
        self,
        target: Any = None,
        after: bool = True,
        lookahead: float | None = None,
        strict: bool = False,
        encoding: str | None = None,
    ) -> Iterator[Read]:
        """The records: ((end of the file's name, line, historical time), (time, JSON text)).

        While the next record is not due its text is None: ask again later.

        :param target: the time to begin at; by default the historical time that it is.
        :param after: begin with the first record of that time or later; False: with the last one before, which still
            holds then.
        :param lookahead: seconds of history that a record is given ahead of its time.
        :param strict: raise DataError for what is no record; it is logged and passed over otherwise.

        HistoryExhausted if there is no file.
        """
        start = self.advance() if target is None else timestamp(target)
        stream = Stream(self.path, raising if strict else warning, encoding, raw=True, opener=self._opener)
        for one in stream.entries(start.value, before=not after):
            if one is None:  # only of streams that are followed
                continue
            when = timestamp(one.when)
            while when > (current := self.advance()) + (lookahead or 0.0):
                yield (one.member.ext, one.line, current), (when, None)
            yield (one.member.ext, one.line, current), (when, one.data)
