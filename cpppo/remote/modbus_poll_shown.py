"""What modbus_poll makes of polls: lines of the log, JSON, a history file, a table.

Owns: the forms of these.  Rule: each takes what one poll changed, in the main thread; a slow reader of ours delays no
device.  Must not know: how polls are done, options.
"""

from __future__ import annotations

import errno
import json
import logging
import select
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple, TextIO, cast

from cpppo.history import Writer
from cpppo.logs import NORMAL
from cpppo.remote.modbus_poll_table import Row, Screen, table
from cpppo.remote.polling import polling
from cpppo.remote.ranges import merge, spelled

__all__ = ["Latest", "Poll", "failures", "in_table", "to_history", "to_json", "to_log", "told_plan", "while_read"]

log = logging.getLogger("modbus_poll")

#: Addresses of a range that is told, however many requests they are.
_ANY = 0x10000


class Poll(NamedTuple):
    """What a poll brought: when it ended (seconds since the epoch), and (address, old value, new value) of changes."""

    time: float
    changes: Sequence[tuple[int, Any, Any]]


#: What shows a poll; also called with one without changes, now and then.
Shows = Callable[[Poll], object]


def spelled_all(ranges: Iterable[tuple[int, int]]) -> str:
    """Ranges as people write them."""
    return ", ".join(spelled(*one) for one in sorted(ranges))


def to_log(poll: Poll) -> None:
    """A line a change: `40001 ==   123 (was: None)`."""
    for address, old, new in poll.changes:
        log.warning("%5d == %5s (was: %s)", address, new, old)


def while_read(stream: TextIO | None) -> Shows:
    """BrokenPipeError as soon as nobody reads a pipe any more: logging never says so, and values may stay for days."""
    try:
        poller = select.poll()
        poller.register(cast(TextIO, stream).fileno(), 0)
    except (AttributeError, OSError, ValueError):  # no such system, no such stream
        return lambda poll: None

    def show(poll: Poll) -> None:
        if any(event & select.POLLERR for _, event in poller.poll(0)):
            raise BrokenPipeError(errno.EPIPE, "nobody reads the output any more")

    return show


def told_plan(plc: polling) -> Shows:
    """What fails and what is asked for, for who asked for more than changes; whenever it is another."""
    told = ""

    def show(poll: Poll) -> None:
        nonlocal told
        line = f"failing: {spelled_all(plc.failing)}, polling: {spelled_all(plc.polling)}"
        if line != told:
            told = line
            log.log(NORMAL, "%s", line)

    return show


def to_json(plc: polling, stream: TextIO) -> Shows:
    """An object a line and change: time, address, value, was; of a value that was lost also the error."""

    def show(poll: Poll) -> None:
        for address, old, new in poll.changes:
            plain = {"time": round(poll.time, 3), "address": address, "value": new, "was": old}
            if new is None:
                plain["error"] = plc.counts(address).last
            print(json.dumps(plain), file=stream, flush=True)

    return show


def to_history(plc: polling, writer: Writer) -> Shows:
    """A record a poll with changes: {"40001": 123, ...}, as `cpppo.history.loader` reads; bits are 0 and 1."""

    def show(poll: Poll) -> None:
        values = {str(address): int(new) for address, _, new in poll.changes if new is not None}
        lost = [address for address, _, new in poll.changes if new is None]
        if values:
            writer.write(values, now=poll.time, serial=str(plc))
        for ranges, why in failures(plc, lost):
            writer.comment(f"{ranges}: no value any more: {why}", now=poll.time)

    return show


def failures(plc: polling, addresses: Iterable[int]) -> list[tuple[str, str]]:
    """Addresses as ranges, each with why it failed last; those first that did not fail for others that were silent."""
    why = sorted((plc.counts(address).last, address) for address in addresses)
    told = [
        (spelled_all(merge(((address, 1) for _, address in group), limit=_ANY)), text)
        for text, group in groupby(why, key=lambda pair: pair[0])
    ]
    return [*(one for one in told if one[1]), *((ranges, "not asked for") for ranges, text in told if not text)]


class Latest(logging.Handler):
    """Keeps the latest line of the log, for the bottom of a table."""

    line = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.line = record.getMessage()


def in_table(plc: polling, addresses: Sequence[int], screen: Screen, latest: Latest) -> Shows:
    """The table, written anew with each poll and now and then between two."""
    fresh: set[int] = set()
    polls = -1

    def show(poll: Poll) -> None:
        nonlocal polls
        if plc.counter != polls:
            polls = plc.counter
            fresh.clear()
        fresh.update(address for address, old, _ in poll.changes if old is not None)
        rows = [
            Row(address, value, plc.age(address), counts.exceptions, counts.timeouts, counts.others, counts.last, new)
            for address, value in zip(addresses, plc.values(addresses), strict=True)
            for counts, new in [(plc.counts(address), address in fresh)]
        ]
        load = ", ".join("-" if part is None else f"{part:.1%}" for part in plc.load)
        state = "online" if plc.online else "offline"
        title = f"{plc}: {state}, {polls} polls, the last in {1000 * plc.duration:.1f} ms, load {load} (1, 5, 15 min)"
        screen.show(table(title, rows, latest.line, screen.size, screen.colour))

    return show
