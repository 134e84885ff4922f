"""Rows of histories: times as text against datetime and zoneinfo, files against json alone, memory of a large set.

Rule: what ours does is done by the reference too, to the same end, in the same run.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bench.measure import Row, best_of, microseconds, progress
from cpppo.history import Stream, Writer
from cpppo.history.moments import parse, render

__all__ = ["rows"]

ZONE = "America/Edmonton"
WHEN = 1405461824.186
#: Records of a file, and rounds.
RECORDS, ROUNDS = 5000, 25
#: Octets of the large set and of the small one that it is compared with, and of a line; files.
LARGE, SMALL, LINE, FILES = 1_000_000_000, 10_000_000, 4000, 8
#: How much more memory a set a hundred times as large may take.
FLAT = 1.1
SERIAL, MOMENTS = ["Tag_Name", [0, 3]], [WHEN + number * 0.137 for number in range(300)]


def _data(number: int) -> dict[str, Any]:
    return {"read": [number, number + 1, number + 2, number + 3]}


def rows() -> Iterator[Row]:
    """All rows."""
    progress("history: times")
    yield from _times()
    with tempfile.TemporaryDirectory() as scratch:
        progress("history: files")
        yield from _files(Path(scratch))
    with tempfile.TemporaryDirectory() as scratch:
        progress("history: a set of 1 GB")
        yield from _memory(Path(scratch))


def _row(name: str, ours: float, reference: float, goal: float | None) -> Row:
    return Row(name, microseconds(ours), microseconds(reference), ours / reference, goal)


def _times() -> Iterator[Row]:
    texts = [render(one) for one in MOMENTS]
    naive = [datetime.fromisoformat(text) for text in texts]
    local = [render(one, ZONE) for one in MOMENTS]
    theirs = ZoneInfo(ZONE)

    def zoned(value: float) -> str:
        there = datetime.fromtimestamp(value, theirs)
        return f"{there.isoformat(' ', 'milliseconds')[:23]} {there.tzname()}"

    def unzoned(text: str) -> float:
        return datetime.fromisoformat(text[:23]).replace(tzinfo=theirs).timestamp()

    def converted(value: float) -> str:
        return datetime.fromtimestamp(value, timezone.utc).isoformat(" ", "milliseconds")

    (bare,) = best_of([datetime.isoformat], naive)
    ours, whole = best_of([render, converted], MOMENTS)
    yield _row("history: render UTC, against datetime.isoformat alone", ours, bare, 3.0)
    yield _row("history: render UTC, against fromtimestamp and isoformat", ours, whole, None)
    ours, bare = best_of([parse, datetime.fromisoformat], texts)
    yield _row("history: parse UTC, against datetime.fromisoformat alone", ours, bare, 5.0)
    apart = [render(WHEN + second * 60) for second in range(5000)]  # more than are remembered
    ours, bare = best_of([parse, datetime.fromisoformat], apart, rounds=20)
    yield _row("history: parse UTC, each of another minute, against the same", ours, bare, None)
    ours, bare = best_of([lambda one: render(one, ZONE), zoned], MOMENTS)
    yield _row("history: render in a zone, against zoneinfo", ours, bare, 2.0)
    ours, bare = best_of([lambda one: parse(one, ZONE), unzoned], local)
    yield _row("history: parse in a zone, against zoneinfo", ours, bare, 2.0)


def _timed(*functions: Callable[[], object]) -> list[float]:
    """The best time of each a record, in turn."""
    best = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for number, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[number] = min(best[number], (time.perf_counter() - start) / RECORDS)
    return best


def _files(scratch: Path) -> Iterator[Row]:
    ours, theirs = scratch / "ours", scratch / "theirs"
    times = [WHEN + number * 0.137 for number in range(RECORDS)]
    values = [_data(number) for number in range(RECORDS)]

    def written(**how: Any) -> Callable[[], None]:
        def write() -> None:
            ours.unlink(missing_ok=True)
            with Writer(ours, **how) as writer:
                for when, data in zip(times, values, strict=True):
                    writer.write(data, when, SERIAL)

        return write

    def dumped() -> None:
        with theirs.open("w") as file:
            for when, data in zip(times, values, strict=True):
                file.write(json.dumps([when, SERIAL, data]) + "\n")

    each, waiting, bare = _timed(written(), written(flush_s=1.0), dumped)
    yield _row("history: write a record at once, against json.dumps and file.write", each, bare, 2.0)
    yield _row("history: write a record, lines may wait a second, against the same", waiting, bare, 2.0)

    with theirs.open("w") as file:
        for when, data in zip(times, values, strict=True):
            file.write(json.dumps([render(when), SERIAL, data]) + "\n")
    for one in (ours, theirs):
        with gzip.open(f"{one}.gz", "wb") as packed:
            packed.write(one.read_bytes())

    def read(path: str) -> Callable[[], None]:
        def count() -> None:
            assert sum(1 for _ in Stream(path).entries()) == RECORDS

        return count

    def loaded(opener: Callable[..., Any], path: str) -> Callable[[], None]:
        def load() -> None:
            with opener(path, "rb") as file:
                while line := file.readline():
                    json.loads(line)

        return load

    (scratch / "gz").mkdir()
    Path(f"{ours}.gz").rename(scratch / "gz" / "ours.gz")
    packed_ours, bare_gz = _timed(read(str(scratch / "gz" / "ours")), loaded(gzip.open, f"{theirs}.gz"))
    plain, bare = _timed(read(str(ours)), loaded(open, str(theirs)))
    yield _row("history: read a record, against readline and json.loads", plain, bare, 2.0)
    yield _row("history: read a record of a .gz, against the same of a .gz", packed_ours, bare_gz, 2.0)


_READING = """
import resource, sys, time
from cpppo.history import Stream
start = time.perf_counter()
count = sum(1 for _ in Stream(sys.argv[1]).entries())
taken = time.perf_counter() - start
start = time.perf_counter()
next(Stream(sys.argv[1]).entries(float(sys.argv[2])))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, taken, time.perf_counter() - start)
"""


def _memory(scratch: Path) -> Iterator[Row]:
    """What reading a whole set takes, of one small and of one large set; and what seeking in it takes."""
    found = []
    payload = json.dumps(["x" * 50] * (LINE // 54))
    for size in (SMALL, LARGE):
        directory = scratch / str(size)
        directory.mkdir()
        lines = size // len(f"{render(WHEN)}\tnull\t{payload}\n")
        for number in range(FILES):
            name = "x" if number == FILES - 1 else f"x.{FILES - 2 - number}"
            with (directory / name).open("w") as file:
                for line in range(lines // FILES):
                    file.write(f"{render(WHEN + number * lines // FILES + line)}\tnull\t{payload}\n")
        middle = str(WHEN + lines * 0.6)
        command = [sys.executable, "-c", _READING, str(directory / "x"), middle]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append([float(word) for word in done.stdout.split()])
        for one in directory.iterdir():
            one.unlink()
    (_, small, _, _), (count, large, taken, seek) = found
    told = f"{small / 1024:.1f} MB"
    yield Row("history: memory of reading 1 GB, against 10 MB", f"{large / 1024:.1f} MB", told, large / small, FLAT)
    whole = f"{taken:.1f} s"
    yield Row(
        f"history: seek a time in 1 GB, against reading it ({count:.0f})", f"{seek:.4f} s", whole, seek / taken, None
    )
