"""Which requests poll the addresses that are wanted, and when the next poll is due.

Owns: joining neighbours into requests, what the device was found to refuse, the cadence.  Rule: pure; time is an
argument, in seconds of any clock that only grows.  Must not know: protocol octets, devices, threads.

A device may refuse a request because of one address in it that it does not have, or because it takes fewer at a time
than the protocol allows.  Such a request is cut in two, and each part as long as it is refused; cuts and refused
addresses are remembered, and tried again after a while, each time after a longer one.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cpppo.remote.ranges import merge

__all__ = ["RETRY_FIRST", "RETRY_MOST", "Cadence", "Plan", "Range"]

#: (address, count).
Range = tuple[int, int]

#: Seconds until what was refused is tried again: the first time, and the longest.
RETRY_FIRST, RETRY_MOST = 60.0, 3600.0


@dataclass
class _Retry:
    due: float
    wait: float = RETRY_FIRST

    def renewed(self, now: float) -> _Retry:
        wait = min(2 * self.wait, RETRY_MOST)
        return _Retry(now + wait, wait)


class Plan:
    """The requests that read the wanted ranges of one device.

    `reach`: ranges at most so many addresses apart are read in one request, what is between them included.
    """

    def __init__(self, reach: int = 100) -> None:
        self.reach = reach
        self._wanted: list[Range] = []
        #: No request goes across the beginning of these ranges.
        self._cuts: dict[Range, _Retry] = {}
        self._refused: dict[Range, _Retry] = {}
        self._requests: list[Range] = []
        self._until = -math.inf

    def want(self, ranges: Iterable[Range]) -> None:
        """Read these from now on, and no others; each is asked for in one request if the protocol allows."""
        self._wanted = sorted(set(ranges))
        self._until = -math.inf

    def requests(self, now: float) -> list[Range]:
        """The requests of one poll.  What was refused is among them only when it is due to be tried again."""
        if now >= self._until:
            self._requests = [request for part in self._parts(now) for request in merge(part, self.reach)]
            dues = (retry.due for retry in (*self._cuts.values(), *self._refused.values()) if retry.due > now)
            self._until = min(dues, default=math.inf)
        return list(self._requests)

    def of(self, ranges: Iterable[Range]) -> list[Range]:
        """The requests that would read these alone."""
        return list(merge(ranges, self.reach))

    def _parts(self, now: float) -> Iterator[list[Range]]:
        """The ranges to be read, as lists within which they may be joined: never across one that was refused."""
        for again in (False, True):
            part: list[Range] = []
            for wanted in self._wanted:
                cut, refused = self._cuts.get(wanted), self._refused.get(wanted)
                if part and (bool(refused) is not again or (cut is not None and cut.due > now)):
                    yield part
                    part = []
                if bool(refused) is again and (refused is None or refused.due <= now):
                    part.append(wanted)
            yield part

    def within(self, request: Range) -> list[Range]:
        """The wanted ranges that a request reads whole."""
        address, count = request
        end = address + count
        some = self._wanted[bisect_left(self._wanted, (address, 0)) : bisect_left(self._wanted, (end, 0))]
        return [one for one in some if one[0] + one[1] <= end]

    def accepted(self, request: Range) -> None:
        """The device answered: what was thought of this request's parts is forgotten."""
        if self._cuts or self._refused:
            for wanted in self.within(request):
                known = self._refused.pop(wanted, None)
                if wanted[0] != request[0]:
                    known = self._cuts.pop(wanted, None) or known
                if known is not None:
                    self._until = -math.inf

    def refuse(self, request: Range, now: float) -> list[Range]:
        """The device refused: the requests to try in its place; none if there is nothing left to cut."""
        self._until = -math.inf
        wanted = self.within(request)
        if len(wanted) < 2:
            for one in wanted:
                known = self._refused.get(one)
                if known is None or known.due <= now:
                    self._refused[one] = known.renewed(now) if known else _Retry(now + RETRY_FIRST)
            return []
        place = self._weakest(wanted)
        known = self._cuts.get(wanted[place])
        self._cuts[wanted[place]] = known.renewed(now) if known else _Retry(now + RETRY_FIRST)
        return [_span(wanted[:place]), _span(wanted[place:])]

    def _weakest(self, wanted: list[Range]) -> int:
        """Where to cut: where it was cut before, else at the widest gap, else in the middle."""
        places = range(1, len(wanted))
        middle = len(wanted) / 2

        def weakness(place: int) -> tuple[bool, int, float]:
            gap = wanted[place][0] - sum(wanted[place - 1])
            return wanted[place] in self._cuts, gap, -abs(place - middle)

        return max(places, key=weakness)

    @property
    def refused(self) -> list[Range]:
        """The wanted ranges that the device does not have, as far as known."""
        return sorted(self._refused)


def _span(wanted: list[Range]) -> Range:
    first = wanted[0][0]
    return first, max(address + count for address, count in wanted) - first


class Cadence:
    """The beats of a clock: polls that take too long leave beats out, they do not move them."""

    def __init__(self, rate: float, start: float) -> None:
        self.rate = rate
        self.due = start

    def hasten(self, rate: float, now: float) -> None:
        """Beat at another rate from now on: the next beat comes no later than that."""
        if rate != self.rate:
            self.rate = rate
            self.due = min(self.due, now + rate)

    def next(self, now: float) -> int:
        """Move `due` to the first beat after `now`; the number of beats left out."""
        self.due += self.rate
        missed = 0
        if self.due < now:
            missed = math.ceil((now - self.due) / self.rate)
            self.due += missed * self.rate
        return missed
