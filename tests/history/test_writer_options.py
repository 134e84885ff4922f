"""What a writer can be asked for: an interval, fsync, rotation; and clocks that jump."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from cpppo.errors import UsageError
from cpppo.history import DataError, Stream, Writer, logger, timestamp, writer
from cpppo.history.files import ENDS
from tests.history.test_writer import STAMP, WHEN, Disk, _File, clock, warnings
from tests.tools import python_environment

HOUR_S = 3600.0


def numbers(path: Path) -> list[Any]:
    return [one.data for one in Stream(path).entries() if one]


# -- intervals


def test_lines_wait(tmp_path: Path) -> None:
    """With an interval lines wait, until flush, which says that they are there, or the end."""
    path = tmp_path / "x.hst"
    with Writer(path, clock=clock, flush_s=HOUR_S) as made:
        made.write(0)
        made.comment("also")
        assert not path.exists()
        assert made.flush() and numbers(path) == [0]
        made.write(1)
        assert numbers(path) == [0]
    assert numbers(path) == [0, 1]


def test_the_interval_ends(tmp_path: Path) -> None:
    """After the interval they are written, whether more come or not."""
    path, there = tmp_path / "x.hst", threading.Event()

    class Told(_File):
        def flush(self) -> None:
            super().flush()
            there.set()

    with Writer(path, clock=clock, flush_s=0.001, opener=lambda one: cast(BinaryIO, Told(one, Disk()))) as made:
        for number in range(3):
            made.write(number)
            assert there.wait(20)
            there.clear()
            assert numbers(path) == list(range(number + 1))


def test_waiting_lines_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the interval, only so many lines wait."""
    monkeypatch.setattr(writer, "_MOST_WAITING", 10)
    path = tmp_path / "x.hst"
    with Writer(path, clock=clock, flush_s=HOUR_S) as made:
        for number in range(25):
            made.write(number)
        assert numbers(path) == list(range(20))


def test_full_disk_with_an_interval(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of lines that waited those that found room are kept, the others counted; flush says that not all is there."""
    path, disk = tmp_path / "x.hst", Disk()
    with Writer(path, clock=clock, flush_s=HOUR_S, opener=disk) as made:
        for number in range(5):
            made.write(number)
        disk.room = len(f"{STAMP}\tnull\t0\n") * 2 + 5
        assert not made.flush() and made.failing
        disk.room = None
        made.write("again")
        assert made.flush() and not made.failing
    told: list[DataError] = []
    assert [one.data for one in Stream(path, problem=told.append).entries() if one] == [0, 1, "again"]
    assert len(told) == 1 and "torn" in str(told[0])
    assert f"# {STAMP}: 3 lines were lost since {STAMP}" in path.read_text()
    assert len(warnings(caplog)) == 2


# -- fsync


def test_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On request each line, or each interval, is on the disk; else the system decides when."""
    synced: list[int] = []
    genuine = os.fsync

    def fsync(descriptor: int) -> None:
        genuine(descriptor)
        status = os.fstat(descriptor)
        synced.append(status.st_size if stat.S_ISREG(status.st_mode) else -1)

    monkeypatch.setattr(writer.os, "fsync", fsync)
    size = len(f"{STAMP}\tnull\t0\n")
    for options, expected in (
        ({}, []),
        ({"fsync": True}, [-1, size, 2 * size]),  # its name, too
        ({"fsync": True, "flush_s": HOUR_S}, [-1, 2 * size]),
    ):
        synced.clear()
        (tmp_path / "x.hst").unlink(missing_ok=True)
        with Writer(tmp_path / "x.hst", clock=clock, **options) as made:  # type: ignore[arg-type]
            made.write(0)
            made.write(1)
        assert synced == expected


def test_fsync_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What may not have reached the disk is not said to be there."""

    def fsync(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with Writer(tmp_path / "x.hst", clock=clock, fsync=True) as made:
        with monkeypatch.context() as patch:
            patch.setattr(writer.os, "fsync", fsync)
            made.write(0)
            assert not made.flush()
        made.write(1)
        assert made.flush()
    assert "Input/output error" in caplog.text and "1 lines were lost" in (tmp_path / "x.hst").read_text()


def test_names_of_compressed_files(tmp_path: Path) -> None:
    """What is written is not compressed: a name that says so is refused, and nothing is created."""
    for end in ENDS:
        with Writer(tmp_path / f"x.hst{end}") as made:
            with pytest.raises(OSError, match=f"not compressed; leave {end} away"):
                made.open()
    assert not list(tmp_path.iterdir())


# -- clocks


def test_clock_goes_back(tmp_path: Path) -> None:
    """A clock that is put back is told in the file; what is recorded keeps the time it was given, and all is read."""
    path, times = tmp_path / "x.hst", iter([WHEN, WHEN + 10, WHEN + 9.5, WHEN - 3600, WHEN - 3599, WHEN + 99])
    with Writer(path, clock=lambda: next(times)) as made:
        for number in range(6):
            made.write(number)
    assert numbers(path) == list(range(6))
    (note,) = (line for line in path.read_text().splitlines() if line.startswith("#"))
    assert note == "# 2014-07-15 21:03:44.186: the clock was put back by 3609.500 s"


def test_times_that_are_given_are_nobodys_clock(tmp_path: Path) -> None:
    """Records of any times may be written in any order, without a word."""
    path = tmp_path / "x.hst"
    with Writer(path, clock=clock) as made:
        for number, when in enumerate((WHEN, WHEN - 1e6, WHEN + 1e6)):
            made.write(number, now=when)
    assert numbers(path) == [0, 1, 2] and "#" not in path.read_text()


# -- crashes

#: Forks writers, which acknowledge what is flushed, kills them, and tells what each acknowledged.
KILLING = """
import os, random, signal, sys
from cpppo.history import Writer

chance = random.Random(int(sys.argv[2]))
for run in range(int(sys.argv[3])):
    how = [{}, {"flush_s": 0.0005}, {"fsync": True}][run % 3]
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        writer = Writer(f"{sys.argv[1]}.run{run}", **how)
        for number in range(10**9):
            writer.write([number, "x" * (number % 3000)])
            if run % 3 != 1 or number % 7 == 0 and writer.flush():
                os.write(writable, b"%d\\n" % number)
    os.close(writable)
    with os.fdopen(readable, "rb") as acknowledged:
        for _ in range(chance.randrange(1, 200)):
            acknowledged.readline()
        os.kill(child, signal.SIGKILL)
        lines = acknowledged.read().splitlines(keepends=True)
        os.waitpid(child, 0)
    print(max((int(one) for one in lines if one.endswith(b"\\n")), default=0))
"""


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no kill -9")
def test_killed(tmp_path: Path) -> None:
    """A writer killed 100 times at random moments: all that was acknowledged is read back, the rest whole or told."""
    path = tmp_path / "x.hst"
    command = [sys.executable, "-c", KILLING, str(path), "1", "100"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, env=python_environment(), check=True)
    acknowledged = [int(one) for one in told.stdout.split()]
    assert len(acknowledged) == 100 and max(acknowledged) > 100
    for run, whole in enumerate(acknowledged):
        path = tmp_path / f"x.hst.run{run}"
        problems: list[DataError] = []
        found = [one.data[0] for one in Stream(path, problem=problems.append).entries() if one]
        assert found == list(range(len(found))) and len(found) > whole
        torn = not path.read_bytes().endswith(b"\n")
        assert [one.line for one in problems] == [len(found) + 1] * torn
        with Writer(path, clock=clock) as made:
            made.write("again")
        assert [one.data for one in Stream(path, problem=problems.append).entries() if one][-1] == "again"


@pytest.mark.parametrize("cut", [1, 2, 20, 40, 900])
def test_torn_tail_is_told_and_what_follows_is_read(cut: int, tmp_path: Path) -> None:
    """A file cut within its last record: that is told, before and after it was written on; all else is read."""
    path = tmp_path / "x.hst"
    with Writer(path, clock=clock) as made:
        for number in range(3):
            made.write([number, "x" * 1000])
    path.write_bytes(path.read_bytes()[:-cut])
    for again in range(2):
        problems: list[DataError] = []
        found = [one.data[0] for one in Stream(path, problem=problems.append).entries() if one]
        assert found == [0, 1, *range(3, 3 + again)]
        assert [one.line for one in problems] == [3] and "torn" in problems[0].why
        with Writer(path, clock=clock) as made:
            made.write([3 + again])


# -- logger


def test_logger(tmp_path: Path) -> None:
    """A logger writes as its names say, and can be closed and opened again; it is true while it can be written."""
    path = tmp_path / "some" / "x.hst"
    made = logger(path, clock=clock)
    assert not made and not made.opened
    made.comment("hello")
    assert made and made.opened
    made.write({"40001": 1}, now="2014-05-05 21:42:22", serial=5, encoding="ascii")
    made.write(2, now=timestamp(WHEN))
    made.close()
    assert not made and not made.opened
    with made:
        made.open()
        assert made
        made.write(3, now=WHEN)
    assert path.read_text() == (
        f'# {STAMP}: hello\n2014-05-05 21:42:22.000\t5\t{{"40001": 1}}\n{STAMP}\tnull\t2\n{STAMP}\tnull\t3\n'
    )


def test_logger_buffers(tmp_path: Path) -> None:
    """Lines are written one at a time, unless a buffer was asked for."""
    path = tmp_path / "x.hst"
    made = logger(path, bufsize=4096)
    made.write(0)
    assert not path.exists()
    made.buffering("line")
    assert numbers(path) == [0]
    made.write(1)
    assert numbers(path) == [0, 1]
    made.close()
    with pytest.raises(UsageError, match="'line' nor 'block'"):
        made.buffering("no")


def test_logger_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be written is logged once and makes it false; open() raises what is wrong."""
    disk = Disk(0)
    with logger(tmp_path / "x.hst", opener=disk) as made:
        made.write(0)
        made.write(1)
        assert not made and made.opened and len(warnings(caplog)) == 1
        disk.room = None
        made.write(2)
        assert made
    with pytest.raises(OSError, match="directory|denied"):
        logger(tmp_path).open()
    assert not logger(tmp_path).opened
