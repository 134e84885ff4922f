"""``python -m bench.polled [--seconds 60] [--devices 200]``: many Modbus devices, polled by one process at 1 Hz.

Owns: the pollers, and what this process takes meanwhile.  Rule: the devices are another process; a poll is late by how
much later it ended, on its device's beat, than the earliest poll of that device; a poll that was left out shows in
what the device counts.  Memory is compared as bench.soak does, after a warm-up.

Exit status 0: no poll was late or left out, and nothing grew or was left; 1: something was.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.load import running
from bench.measure import progress
from bench.soak import GROWTH
from cpppo.remote.aio import poller_asyncio, together
from cpppo.timing import clock

__all__ = ["LATE_S", "Outcome", "main", "polled"]

#: Seconds by which a poll may be late; from poll to poll; registers polled of each device.
LATE_S, RATE_S, REGISTERS = 0.1, 1.0, 10
#: The part of a run that is its warm-up, and the shortest run whose memory says anything.
WARM_UP, SHORTEST_S = 0.25, 30.0
#: Warnings that are told.
_SHOWN = 10


class Taken(NamedTuple):
    """What this process takes: octets of memory, tasks, sockets; memory and sockets are 0 where there is no /proc."""

    memory: int
    tasks: int
    sockets: int


class Outcome(NamedTuple):
    """What came of a run: polls done and left out, how late they were, and what this process took.

    ``before``: before the first device, ``warm``: with all of them, ``during``: at the end, ``after``: after the last.
    """

    devices: int
    seconds: float
    polls: int
    missed: int
    warnings: list[str]
    late_s: float
    median_late_s: float
    cpu_s: float
    before: Taken
    warm: Taken
    during: Taken
    after: Taken

    def problems(self) -> list[str]:
        """Everything that is not as it must be."""
        found = self.warnings[:_SHOWN]
        wanted = self.devices * int(self.seconds / RATE_S - 1)
        if self.polls < wanted:
            found.append(f"{self.polls} polls, where {wanted} were due at least")
        if self.missed:
            found.append(f"{self.missed} polls were left out")
        if self.late_s > LATE_S:
            found.append(f"a poll was late by {1000 * self.late_s:.0f} ms, more than {1000 * LATE_S:.0f} ms")
        if self.seconds >= SHORTEST_S and self.during.memory > self.warm.memory * (1 + GROWTH):
            found.append(f"the memory grew by more than {GROWTH:.0%}")
        for name, one, other in (("the run", self.warm, self.during), ("all", self.before, self.after)):
            for kind in ("tasks", "sockets"):
                if (more := getattr(other, kind) - getattr(one, kind)) > 0:
                    found.append(f"{more} {kind} more at the end of {name} than at its beginning")
        return found

    def lines(self) -> list[str]:
        """What is told."""
        return [
            f"{self.devices} devices of {REGISTERS} registers every {RATE_S:g} s, {self.seconds:.1f} s: "
            f"{self.polls:,} polls, {self.missed} left out",
            f"late by {1000 * self.median_late_s:.1f} ms (median), {1000 * self.late_s:.1f} ms at most",
            f"CPU: {self.cpu_s / self.seconds:.1%} of a core, {1e6 * self.cpu_s / max(self.polls, 1):.0f} µs a poll",
            f"memory: {self.before.memory / 1e6:.1f} MB before, {self.warm.memory / 1e6:.1f} MB warm, "
            f"{self.during.memory / 1e6:.1f} MB at the end",
            f"left: {self.after.tasks - self.before.tasks} tasks, {self.after.sockets - self.before.sockets} sockets",
        ]


class _Slips(logging.Handler):
    """What pollers warn of; that a device is online is no news here."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno != logging.CRITICAL:
            self.told.append(record.getMessage())


class _Beat:
    """When the polls of a device ended, as offsets to its beat."""

    def __init__(self, plc: poller_asyncio) -> None:
        self._plc = plc
        self.offsets: list[float] = []
        self._first = self._latest = -1
        self.missed = 0
        plc.on_poll(self._polled)

    def _polled(self) -> None:
        asked = self._plc.read(40001)
        if asked is None:
            return
        if self._first < 0:
            self._first = self._latest = asked
        else:
            self.missed += asked - self._latest - 1
        self._latest = asked
        # A poll left out moves all that follow off the beats of the device's count, and is late by that as well.
        self.offsets.append(clock() - (asked - self._first) * RATE_S)


def taken() -> Taken:
    """What this process takes now."""
    tasks = len(asyncio.all_tasks())
    here = Path("/proc/self")
    if not (here / "status").exists():
        return Taken(0, tasks, 0)
    resident = re.search(r"^VmRSS:\s*(\d+) kB", (here / "status").read_text(), re.MULTILINE)
    sockets = 0
    for descriptor in os.listdir(here / "fd"):
        try:
            sockets += os.readlink(here / "fd" / descriptor).startswith("socket:")
        except FileNotFoundError:  # the listing's own
            continue
    return Taken(int(resident[1]) * 1024 if resident else 0, tasks, sockets)


async def _run(ports: Sequence[int], seconds: float, slips: _Slips) -> Outcome:
    before = taken()
    plcs = [poller_asyncio(f"device {port}", "127.0.0.1", port, rate=RATE_S) for port in ports]
    beats = [_Beat(plc) for plc in plcs]
    for plc in plcs:
        for register in range(REGISTERS):
            plc.poll(40001 + register)
    begun, spent = clock(), time.process_time()
    async with together(plcs):
        await asyncio.sleep(max(seconds * WARM_UP, RATE_S))
        warm = taken()
        await asyncio.sleep(begun + seconds - clock())
        cpu, took = time.process_time() - spent, clock() - begun
        during = taken()
    offsets = [[one - min(beat.offsets) for one in beat.offsets] for beat in beats if beat.offsets]
    late = sorted(one for each in offsets for one in each) or [0.0]
    return Outcome(
        len(ports),
        took,
        sum(map(len, offsets)),
        sum(beat.missed for beat in beats),
        slips.told,
        late[-1],
        statistics.median(late),
        cpu,
        before,
        warm,
        during,
        taken(),
    )


def polled(seconds: float, devices: int) -> Outcome:
    """Poll so many devices for so long."""
    with running("bench.modbus_devices", str(devices)) as server:
        ports = [int(port) for port in server.line.partition(" ports ")[2].split()]
        slips, log = _Slips(), logging.getLogger("cpppo.remote")
        log.addHandler(slips)
        try:
            return asyncio.run(_run(ports, seconds, slips))
        finally:
            log.removeHandler(slips)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it, and tell what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.polled", description="Many Modbus devices, one process.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--devices", type=int, default=200)
    arguments = parser.parse_args(argv)
    progress(f"polling {arguments.devices} devices for {arguments.seconds:g} s")
    outcome = polled(arguments.seconds, arguments.devices)
    print(*outcome.lines(), sep="\n")
    problems = outcome.problems()
    print(*(f"unexpected: {problem}" for problem in problems), sep="\n", end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
