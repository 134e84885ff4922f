"""Playing a recording: its records at the pace of a clock, faster or slower, once or for ever.

Owns: when each record is due.
Rule: nothing waits and nothing reads a clock: the time is an argument, and the same times give the same records.
A record that was made before the one ahead of it, by a clock that was put back, is due together with that.
Must not know what data mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from cpppo.errors import UsageError
from cpppo.history.source import Entry
from cpppo.history.stream import Stream

__all__ = ["Playback", "Played"]

#: Seconds between rounds of a recording that has no length of its own.
_PAUSE_S = 1.0


class Played(NamedTuple):
    """``when``: the time it has now, shifted or as recorded; ``due``: when to be shown; ``entry``: as it was read."""

    when: float
    due: float
    entry: Entry


class Playback:
    """Plays what a stream has from ``start`` on to the first record of ``end`` or later (seconds; None: all of it).

    :param begin: the moment, on the clock of who asks, at which the first record is due.
    :param factor: how many seconds are played in one; ``math.inf``: all is due at once.
    :param loop: begin again at the end, after a pause as long as the mean time between records.
    :param shifted: records get the times at which they are due; else they keep their own.
    :param lookahead_s: seconds of the clock that records are given ahead of their time.

    The first question for records is the first to open a file: HistoryExhausted if there is none, or no record.
    """

    def __init__(
        self,
        stream: Stream,
        begin: float,
        factor: float = 1.0,
        loop: bool = False,
        shifted: bool = True,
        lookahead_s: float = 0.0,
        start: float | None = None,
        end: float | None = None,
    ) -> None:
        if not factor > 0:
            raise UsageError(f"factor {factor!r} is not above 0; 1 is the speed at which it was recorded")
        if loop and math.isinf(factor):
            raise UsageError("a loop at infinite speed never ends; name a factor")
        self._stream, self._begin, self._factor, self._loop = stream, begin, factor, loop
        self._shifted, self._lookahead_s, self._start, self._end = shifted, lookahead_s, start, end
        self._coming = self._all()
        self._next: Played | None = None
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether all was given."""
        return self._peek() is None

    def wait_s(self, now: float) -> float | None:
        """Seconds from a moment until the next record is to be given, 0 if it is late; None if there is none."""
        coming = self._peek()
        return None if coming is None else max(0.0, coming.due - self._lookahead_s - now)

    def due(self, now: float) -> Iterator[Played]:
        """The records that are to be given by now."""
        while (coming := self._peek()) is not None and coming.due - self._lookahead_s <= now:
            self._next = None
            yield coming

    def _peek(self) -> Played | None:
        if self._next is None and not self._ended:
            self._next = next(self._coming, None)
            self._ended = self._next is None
        return self._next

    def _all(self) -> Iterator[Played]:
        begin = latest = self._begin
        while True:
            first: float | None = None
            last, count = 0.0, 0
            for entry in self._stream.entries(self._start):
                if entry is None or (self._end is not None and entry.when >= self._end):
                    break
                first = entry.when if first is None else first
                last, count = max(last, entry.when) if count else entry.when, count + 1
                latest = max(latest, begin + (entry.when - first) / self._factor)
                yield Played(latest if self._shifted else entry.when, latest, entry)
            if not self._loop or first is None:
                return
            pause = (last - first) / (count - 1) if count > 1 and last > first else _PAUSE_S
            begin = latest = begin + (last - first + pause) / self._factor
