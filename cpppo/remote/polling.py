"""Polling one Modbus device: what to ask, and what its answers and silences mean.

Owns: a poll as a sequence of requests, values and their loss, offline and online, counts of failures, load.  Rule: no
thread, socket or waiting; a poll is a generator of requests that is sent replies, or thrown what went wrong.  Must not
know: pymodbus, who moves the octets.

A value is lost at once when the device refuses its address, when a second poll in a row fails or does not come to it,
and when the device is offline: when no request of a poll is answered.  While it is offline a poll is a single request.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cpppo.errors import Error, Timeout, UsageError
from cpppo.remote import pdu
from cpppo.remote.load import Load
from cpppo.remote.plc import PlcOffline, poller, positive
from cpppo.remote.ranges import locate, spelled
from cpppo.remote.schedule import Cadence, Plan, Range
from cpppo.remote.transacting import NotConnected
from cpppo.remote.writing import Write, writes_of
from cpppo.timing import clock

__all__ = ["Counts", "Poll", "Turns", "Wait", "polling"]

log = logging.getLogger("cpppo.remote.polling")

#: A poll of a device: data units to be sent, replies to be received; it returns nothing.
Poll = Generator[bytes, bytes, None]


class Wait(NamedTuple):
    """Nothing is to be done for so many seconds (None: for ever), or until an address or a rate is asked for."""

    seconds: float | None


#: What to do next, for ever: a poll to be moved, or a wait; after a wait it is sent whether something was asked for.
Turns = Generator[Poll | Wait, bool, None]


#: Exceptions that may be due to one address of a request, or to its length; and those that a gateway gives for a
#: device that does not answer it.
_CUTTING, _GATEWAY = frozenset({2, 3}), frozenset({10, 11})
#: Requests in a row without an answer after which a poll is given up, if none was answered.
_SILENT = 2
#: A poll that has lasted for half the time to the next asks one request more of what failed before, and goes on to cut
#: what it refused up to so many refusals.  The next polls do the rest.
_MORE = 16


@dataclass
class Counts:
    """How often polls of an address failed: exception replies, time-outs, other failures; `last` says how."""

    exceptions: int = 0
    timeouts: int = 0
    others: int = 0
    last: str = ""


class polling(poller):
    """The values of a Modbus device, and how to poll and write them; see cpppo.remote.plc.poller.

    `reach`: registers at most so many apart are read in one request.  `multi`: single registers are written by the
    function for several, too.  `unit`: the device's unit id.
    """

    def __init__(
        self,
        description: str | None,
        rate: float | None,
        reach: int = 100,
        multi: bool = False,
        unit: int | None = None,
    ) -> None:
        super().__init__(description, rate)
        if reach < 1:
            raise ValueError(f"reach is a number of addresses, 1 (neighbours) or more; not {reach}")
        if unit is not None and not 0 <= unit <= 255:
            raise ValueError(f"a unit is 0 to 255, not {unit}")
        self.multi = multi
        self.unit = 1 if unit is None else unit
        #: Polls done, seconds that the last one took, ranges that the last poll failed to read.
        self.counter = 0
        self.duration = 0.0
        self.failing: set[Range] = set()
        self._plan = Plan(reach)
        self._groups: set[Range] = set()
        self._new: set[Range] = set()
        self._planned = True
        self._polled: list[Callable[[], object]] = []
        self._load = Load()
        self._begun: float | None = None
        self._tried = False
        self._why = ""
        self._counts: dict[int, Counts] = {}
        #: Addresses whose last poll failed, and from which one on those of them are asked that no poll came to.
        self._failed: set[int] = set()
        self._resume = 0

    # ------------------------------------------------------------ what users see
    @property
    def reach(self) -> int:
        return self._plan.reach

    @property
    def load(self) -> tuple[float | None, float | None, float | None]:
        """The fractions [0.0, 1.0] of time spent polling in about 1, 5 and 15 minutes; None before the second poll."""
        return self._load.averages

    @property
    def polling(self) -> set[Range]:
        """The requests of a poll: (address, count)."""
        with self._guard:
            return set(self._plans().requests(clock()))

    @property
    def refused(self) -> list[Range]:
        """What is polled and the device refuses: it is tried again now and then."""
        with self._guard:
            return self._plan.refused

    def counts(self, address: int) -> Counts:
        """How often polls of an address failed, since it is polled."""
        return self._counts.get(address) or Counts()

    def on_poll(self, callback: Callable[[], object]) -> None:
        """Call `callback()` after each poll of all addresses, by whoever polls, as on_change says."""
        self._polled.append(callback)

    def poll(self, address: int, rate: float | None = None, count: int = 1) -> None:
        """As poller.poll, of `count` addresses that are always read in one request (125 registers or 2000 bits)."""
        if rate is not None and positive(rate) < self.rate:
            self.rate = float(rate)
            self._wake()
        wanted = (address, count)
        if count == 1 or wanted in self._groups:
            super().poll(address)
            return
        place = locate(address)
        if count < 1 or address + count - 1 > place.last or count > pdu.READ_LIMIT[place.table.bits]:
            raise ValueError(f"{count} from {address} cannot be read in one request")
        with self._guard:
            self._wanted.update(range(address, address + count))
            self._wants({wanted})
        super().poll(address)

    def _poll(self, address: int) -> None:
        locate(address)  # UsageError: there is no such address
        with self._guard:
            self._wanted.add(address)
            self._wants({(address, 1)})

    def _wants(self, ranges: set[Range]) -> None:
        self._groups |= ranges
        self._new |= ranges
        self._planned = False
        self._wake()

    def _plans(self) -> Plan:
        """The plan of all that is wanted by now: thousands of addresses come one by one, and are sorted once."""
        if not self._planned:
            self._planned = True
            self._plan.want(self._groups)
        return self._plan

    def _wake(self) -> None:
        """There is something to do: whoever waits is to look."""

    # ------------------------------------------------------------ polls in turn
    def _turns(self, after: float = 0.0) -> Turns:
        """All that is to be done from now on; the first poll is due `after` seconds from the first address."""
        cadence: Cadence | None = None
        while True:
            now = clock()
            if cadence is not None:
                cadence.hasten(self.rate, now)
                if now >= cadence.due:
                    yield self._steps()
                    missed = cadence.next(clock())
                    if missed and self.online:  # what does not answer is not slow, and was told
                        log.warning("Polling: PLC %s slipped; missed %d cycles", self, missed)
                    continue
            woken = yield Wait(None if cadence is None else cadence.due - now)
            if cadence is None and self._wanted:
                cadence = Cadence(self.rate, clock() + after)
            elif woken and self._new and self.counter:
                yield self._new_steps()

    # ------------------------------------------------------------ a poll
    def _steps(self) -> Poll:
        """A poll of all addresses; yields data units of requests, is sent those of replies or thrown errors."""
        with self._guard:
            self._new.clear()
            plan = self._plans()
            planned = plan.requests(clock())
            refused = [] if planned else plan.refused
        if refused:  # all of it: whether the device is there is to be known
            planned = [refused[self.counter % len(refused)]]
        yield from self._requests(planned, self._whole)

    def _new_steps(self) -> Poll:
        """A poll of those addresses alone that nobody asked for before the last poll."""
        with self._guard:
            planned = self._plans().of(self._new)
            self._new.clear()
        yield from self._requests(planned, self._some)

    def _some(self, answered: int, silent: int) -> None:
        """A poll is over: `answered` of its requests got an answer, `silent` did not."""
        if answered:
            self._set_online(True)

    def _whole(self, answered: int, silent: int) -> None:
        """As _some, of all addresses."""
        self.counter += 1
        if answered:
            self._set_online(True)
        elif silent:
            self._set_online(False)
        for callback in tuple(self._polled):
            try:
                callback()
            except (Exception, SystemExit):  # it must not end polling
                log.exception("PLC %s: a function called after a poll failed", self)

    def _requests(self, planned: Sequence[Range], ended: Callable[[int, int], object]) -> Poll:
        begun = clock()
        self._why = ""
        if self._begun is not None:
            self._load.add(self.duration, begun - self._begun)
        self._begun = begun
        todo = deque(self._ordered(planned))
        failing: set[Range] = set()
        failed: set[int] = set()
        skipped: list[Range] = []
        answered = silent = refusals = doubted = 0
        while todo:
            request = todo.popleft()
            span = range(request[0], sum(request))
            # Mostly nothing failed, and a span is long.
            cut = bool(failed) and not failed.isdisjoint(span)
            doubtful = bool(self._failed) and not self._failed.isdisjoint(span)
            if cut or doubtful:
                enough = refusals >= _MORE if cut else doubted
                if enough and clock() - begun >= self.rate / 2:
                    skipped.append(request)
                    continue
                doubted += 1
            place = locate(request[0])
            asked = pdu.request_read(place.table.read, place.offset, request[1])
            at = clock()
            try:
                values = pdu.reply_values(asked, (yield asked))
            except pdu.ExceptionReply as exc:
                failing.add(request)
                failed.update(self._count(request, exc))
                if exc.code in _GATEWAY:
                    silent += 1
                    self._lose(span)
                else:
                    answered += 1
                    refused = exc.code in _CUTTING
                    refusals += refused
                    parts = self._cut(request, at) if refused else []
                    todo.extendleft(reversed(parts))
                    if not parts:
                        self._lose(span, refused)
            except (Error, OSError) as exc:
                failing.add(request)
                failed.update(self._count(request, exc))
                silent += 1
                self._lose(span)
                if not answered and not todo and self.online and silent < _SILENT:
                    todo.append(request)  # one lost message is not a device that is gone
            else:
                answered += 1
                if failed:
                    failed.difference_update(span)
                self._answered(request, values, at)
            if not answered and silent >= (_SILENT if self.online else 1):
                failing.update(todo)
                break
        for request in skipped:
            failing.add(request)
            failed.update(self._wanted.intersection(range(request[0], sum(request))))
        self._resume = skipped[0][0] if skipped else 0
        self._lose(failed)
        self._failed |= failed
        self.failing = failing
        self.duration = clock() - begun
        ended(answered, silent)

    def _ordered(self, planned: Sequence[Range]) -> list[Range]:
        """Those first that did not fail last time, then the others, from where the last poll stopped asking them; of a
        device that is offline each first in turn."""
        if not self.online and self._tried and planned:
            turn = self.counter % len(planned)
            return [*planned[turn:], *planned[:turn]]
        if not self._failed:
            return list(planned)
        sound: list[Range] = []
        doubtful: list[Range] = []
        for request in planned:
            told = self._failed.isdisjoint(range(request[0], sum(request)))
            (sound if told else doubtful).append(request)
        return sound + sorted(doubtful, key=lambda request: (request[0] < self._resume, request))

    def _answered(self, request: Range, values: list[int], at: float) -> None:
        if self._failed:
            self._failed.difference_update(range(request[0], sum(request)))
        with self._guard:
            self._plan.accepted(request)
        self._store_all(dict(zip(range(request[0], sum(request)), values, strict=True)), at)

    def _cut(self, request: Range, now: float) -> list[Range]:
        with self._guard:
            return self._plan.refuse(request, now)

    def _lose(self, addresses: Iterable[int], refused: bool = False) -> None:
        """A poll of these failed: their values are lost where the device refuses them, or the last poll failed, too."""
        self._forget(addresses if refused else self._failed.intersection(addresses))

    def _count(self, request: Range, exc: Exception) -> set[int]:
        """Count a failure; the addresses that it is about."""
        self._why = str(exc).removeprefix(f"{self}: ")
        wanted = self._wanted.intersection(range(request[0], sum(request)))
        for address in wanted:
            counts = self._counts.setdefault(address, Counts())
            counts.last = str(exc)
            if isinstance(exc, pdu.ExceptionReply):
                counts.exceptions += 1
            elif isinstance(exc, Timeout):
                counts.timeouts += 1
            else:
                counts.others += 1
        log.debug("Polling: PLC %s %s: %s", self, spelled(*request), exc)
        return wanted

    def _faulty(self) -> None:
        """A poll ended by a fault of ours, that is being handled: what it did not see is not known any more."""
        log.exception("Polling: PLC %s: a fault of ours; polling goes on", self)
        self.failing = set(self._groups)
        self._set_online(False)

    def _set_online(self, online: bool) -> None:
        if not online:
            self._forget(list(self._values))  # first: who hears that it is offline finds no value any more
            self._failed.clear()
        if online != self.online or not self._tried:
            self._tried = True
            self.online = online
            log.critical("Polling: PLC %s %s", self, "online" if online else "offline")
            if not online and self._why:
                log.warning("Polling: PLC %s: %s", self, self._why)

    # ------------------------------------------------------------ a write
    def _writes(self, address: int, value: Any) -> list[Write]:
        """The requests that write a value, or a sequence of them from `address` on."""
        try:
            writes = writes_of(address, value, self.multi)
        except UsageError as exc:
            raise self._unwritable(str(exc)) from exc
        if self._tried and not self.online:
            raise PlcOffline(f"Write to PLC {self}/{address:6d} failed: Offline")
        return writes

    def _unwritable(self, text: str) -> Exception:
        """What to raise for a write that cannot be."""
        return UsageError(text)

    def _write_failed(self, write: Write, first: int, exc: Error) -> Error:
        """What to raise where a request of a write failed; `first` is the address that the whole write begins at."""
        done = f"; {spelled(first, write.address - first)} is written" if write.address > first else ""
        if isinstance(exc, pdu.ExceptionReply):
            return type(exc)(exc.function, exc.code, done)
        text = f"Write to PLC {self}/{write.address:6d} failed: {exc}{done}"
        return PlcOffline(text) if isinstance(exc, NotConnected) else type(exc)(text)
