"""``python -m bench.recorded [--seconds 60] [--clients 4] [--factor 10]``: a plant is recorded, replayed and compared.

Owns: a plant under load, the recording of it, and the recording of what is played of that.
Rule: every value must come again, in its order; how late it comes is told.
Exit status 0: all came; 1: something is missing or differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.measure import progress
from cpppo.history import Entry, Stream, Writer
from cpppo.server.enip import simulator
from cpppo.server.enip.client import connector, parse_operations
from cpppo.server.enip.device import Device
from cpppo.server.enip.historize import historized
from cpppo.server.enip.replay import Replay
from cpppo.server.enip.wire.types import DINT

__all__ = ["Outcome", "compared", "main", "recorded_and_replayed"]

#: Differences that are told.
_SHOWN = 10


class Outcome(NamedTuple):
    """How many records there were, what differed, and how late they came: the median and the least, in seconds."""

    records: int
    differences: list[str]
    median_late_s: float
    least_late_s: float


def _record(path: Path, seconds: float, names: Sequence[str]) -> None:
    """A plant with a tag a client, which each of them writes and reads as fast as it can."""
    failed: list[str] = []
    with Writer(path) as history:
        with simulator(*(f"{name}=DINT[10]" for name in names), attribute_class=historized(history)) as plc:
            ends = time.monotonic() + seconds

            def work(name: str) -> None:
                connection = connector(*plc.address, timeout=5.0)
                number = 0
                while time.monotonic() < ends:
                    number += 1
                    first = number % 8
                    asked = [f"{name}[{first}-{first + 1}]=(DINT){number},{-number}", f"{name}[0-9]"]
                    failures, _ = connection.process(operations=parse_operations(asked))
                    if failures:
                        failed.append(name)
                connection.close()

            threads = [threading.Thread(target=work, args=(name,)) for name in names]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    if failed:
        raise RuntimeError(f"{len(failed)} operations failed, the first of {failed[0]}")


def _replay(path: Path, again: Path, factor: float, names: Sequence[str]) -> None:
    """Play a recording to a plant that is recorded itself."""
    with Writer(again) as history:
        device, kind = Device(), historized(history)
        for name in names:
            device.add_tag(kind(name, DINT, default=[0] * 10))
        replay = Replay(device, str(path), factor)
        replay.start()
        replay.join()


def compared(path: Path, again: Path, factor: float) -> Outcome:
    """What differs between a recording and one of what was played of it."""
    first, second = ([one for one in Stream(one).entries() if one] for one in (path, again))
    if len(first) != len(second):
        return Outcome(len(first), [f"{len(first)} records, and {len(second)} when replayed"], 0.0, 0.0)
    differences, late = [], []
    for number, (one, other) in enumerate(zip(first, second, strict=True), 1):
        if _said(one) != _said(other):
            differences.append(f"record {number}: {_said(one)}, and when replayed {_said(other)}")
        late.append((other.when - second[0].when) - (one.when - first[0].when) / factor)
    late.sort()
    return Outcome(len(first), differences, late[len(late) // 2], late[0])


def _said(one: Entry) -> object:
    return one.serial, list(one.data.values())


def recorded_and_replayed(scratch: Path, seconds: float, clients: int, factor: float) -> Outcome:
    """Record so many clients for so long, and play that so many times faster."""
    path, again = scratch / "plant.hst", scratch / "again.hst"
    names = [f"Tag{client}" for client in range(clients)]
    progress(f"recording {clients} clients for {seconds:g} s")
    _record(path, seconds, names)
    progress(f"replaying at {factor:g} x")
    _replay(path, again, factor, names)
    return compared(path, again, factor)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it, and tell what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.recorded", description="Record, replay and compare a plant.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--factor", type=float, default=10.0)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        outcome = recorded_and_replayed(Path(scratch), arguments.seconds, arguments.clients, arguments.factor)
    print(
        f"{outcome.records} records replayed, {len(outcome.differences)} differ",
        *outcome.differences[:_SHOWN],
        sep="\n",
    )
    print(f"late by {outcome.median_late_s:.3f} s (median), {outcome.least_late_s:.3f} s at least")
    return 1 if outcome.differences else 0


if __name__ == "__main__":
    sys.exit(main())
