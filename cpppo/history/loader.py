"""`loader`: the values of registers, played back from a recording.

Owns: what is due, what is known to come, and the value that each register has.
Rule: nothing waits; ``load`` says what happened up to now.  What a record says is applied whole, or not at all.
"""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from collections.abc import Iterator
from typing import Any

from cpppo.history.reader import reader
from cpppo.history.source import DataError, Entry
from cpppo.history.stream import FAIL, RAISE, SUPPRESS, HistoryExhausted, Stream
from cpppo.history.timestamp import timestamp

__all__ = ["IframeError", "loader"]

log = logging.getLogger("cpppo.history")

#: Records that are known ahead of their time, at most.
_FUTURE = 1000


class IframeError(DataError):
    """The first record, from which all registers should have their values, says nothing of the kind."""


class loader(reader):
    """Loads the records of registers as they become due: their data are ``{"40001": 123, ...}``.

    :param lookahead: seconds of history that are read ahead, into ``future``.
    :param duration: seconds of history after which it is complete; None: at its end.
    :param values: the values of registers before the first record.
    Others as of `reader`.  It is true until it is complete or has failed; ``state`` is one of INITIAL (nothing read),
    SWITCHING (another file), STREAMING, EXHAUSTED (all is read, not all is due), AWAITING (nothing is left, but the
    duration is not over), COMPLETE and FAILED; ``statename`` is its name.
    ``values``: of each register the moment (of the clock) at which it got its value, and that.
    ``until``: the historical time of what was read last.  ``future``: the events that are not due.
    """

    INITIAL, SWITCHING, STREAMING, EXHAUSTED, AWAITING, COMPLETE, FAILED = range(7)
    SUPPRESS, FAIL, RAISE = SUPPRESS, FAIL, RAISE
    _NAMES = ("INITIAL", "SWITCHING", "STREAMING", "EXHAUSTED", "AWAITING", "COMPLETE", "FAILED")

    def __init__(
        self,
        path: str | os.PathLike[str],
        historical: Any,
        basis: Any = None,
        factor: float | None = None,
        lookahead: float | None = None,
        duration: float | None = None,
        values: dict[int, tuple[timestamp, int]] | None = None,
        **others: Any,
    ) -> None:
        super().__init__(path, historical, basis, factor, **others)
        self.state = self.INITIAL
        self.lookahead = lookahead or 0.0
        self.duration = duration
        self.values: dict[int, tuple[timestamp, int]] = dict(values or {})
        self.until = self.historical
        self.future: deque[dict[str, Any]] = deque()
        self._entries: Iterator[Entry | None] | None = None
        self._policy: tuple[int, int] = (FAIL, SUPPRESS)
        self._begun = False
        self._ext: str | None = None

    def __bool__(self) -> bool:
        return self.state < self.COMPLETE

    @property
    def statename(self) -> str:
        """The name of its state."""
        return self._NAMES[self.state]

    def load(
        self,
        limit: int | None = None,
        upcoming: int | None = None,
        on_bad_iframe: int = FAIL,
        on_bad_data: int = SUPPRESS,
        encoding: str | None = None,
    ) -> tuple[timestamp, list[dict[str, Any]]]:
        """The historical time, and the events that became due: ``{timestamp, command: 'register', values}``.

        :param limit: events to give at most; the others are given next time.
        :param upcoming: events that ``future`` holds at most, 1000 if None.
        :param on_bad_iframe: if the first record is bad, or there is no file: SUPPRESS (it is logged, the next one is
            first), FAIL (``state`` is FAILED) or RAISE (IframeError, HistoryExhausted).
        :param on_bad_data: the same for all others, and what is raised is DataError.
        """
        self._policy = on_bad_iframe, on_bad_data
        current = self.advance()
        end = None if self.duration is None else self.historical + self.duration
        due = current if end is None or current < end else end
        events: list[dict[str, Any]] = []
        while self and (limit is None or len(events) < limit):
            self._fill(due, upcoming or _FUTURE, encoding)
            if not self.future or self.future[0]["timestamp"] > due or not self:
                break
            event = self.future.popleft()
            moment = self.realtime(event["timestamp"])
            self.values.update((register, (moment, value)) for register, value in event["values"].items())
            events.append(event)
        else:
            return current, events
        if self.state in (self.EXHAUSTED, self.AWAITING) and not self.future:
            self.state = self.AWAITING if end is not None and current < end else self.COMPLETE
        elif self and end is not None and current >= end:
            self.state = self.COMPLETE
        return current, events

    def _fill(self, due: timestamp, most: int, encoding: str | None) -> None:
        """Read ahead, one event beyond what is looked for."""
        horizon = due + self.lookahead
        while self.state < self.EXHAUSTED and len(self.future) < most:
            if self.future and self.future[-1]["timestamp"] > horizon:
                return
            try:
                event = self._next(encoding)
            except HistoryExhausted as exc:
                self._bad(exc, self._policy[0])
                return
            except _Ended:
                return
            if event is not None:
                self.future.append(event)

    def _next(self, encoding: str | None) -> dict[str, Any] | None:
        """The event of the next record; None if it has none."""
        if self._entries is None:
            self.state = self.SWITCHING
            stream = Stream(self.path, self._problem, encoding, raw=True, opener=self._opener)
            self._entries = stream.entries(self.historical.value, before=True)
        try:
            one = next(self._entries)
        except HistoryExhausted:
            self._entries = None
            raise
        except StopIteration:
            self.state = self.EXHAUSTED
            raise _Ended from None
        assert one is not None
        self.state = self.STREAMING if self._ext in (None, one.member.ext) else self.SWITCHING
        self._ext = one.member.ext
        try:
            values = _values(one)
        except DataError as exc:
            self._problem(exc)
            return None
        if values is None:
            return None
        self._begun = True
        self.until = timestamp(one.when)
        return {"timestamp": self.until, "command": "register", "values": values}

    def _problem(self, exc: DataError) -> None:
        if self._begun:
            self._bad(exc, self._policy[1])
        else:
            self._bad(IframeError(exc.path, exc.line, exc.why), self._policy[0])
        if not self:
            raise _Ended

    def _bad(self, exc: Exception, policy: int) -> None:
        if policy == RAISE:
            raise exc
        log.warning("%s", exc)
        if policy == FAIL:
            self.state = self.FAILED


class _Ended(Exception):
    """There is nothing more to read."""


def _values(one: Entry) -> dict[int, int] | None:
    """The registers of a record; None if it is a note, which is logged, or null; DataError for anything else."""
    try:
        data = json.loads(one.data)
        if isinstance(data, str):
            log.info("%s: %s", timestamp(one.when), data)
            return None
        return None if data is None else {int(register): int(value) for register, value in data.items()}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as exc:
        why = f'its data are no registers, as in {{"40001": 123}}: {exc}'
        raise DataError(one.member.path, one.line, why) from None
