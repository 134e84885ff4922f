"""Appending to a history file: whole lines from any thread, through full disks and crashes."""

from __future__ import annotations

import errno
import io
import logging
import re
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from cpppo.errors import Error
from cpppo.history import RecordError, Writer, open_to_append, parse_line

WHEN = 1405461824.186
STAMP = "2014-07-15 22:03:44.186"


class Disk:
    """An opener of files on a disk with `room` octets left, which writes as much of a line as fits."""

    def __init__(self, room: int | None = None) -> None:
        self.room = room

    def __call__(self, path: Path) -> BinaryIO:
        return cast(BinaryIO, _File(path, self))


class _File(io.FileIO):
    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path, "a+")
        self.disk = disk

    def write(self, octets: Any) -> int:
        if self.disk.room is None:
            return super().write(octets) or 0
        if not self.disk.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = super().write(bytes(octets)[: self.disk.room]) or 0
        self.disk.room -= written
        return written


def clock() -> float:
    return WHEN


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


def test_lines(tmp_path: Path) -> None:
    """Records and comments are there as soon as the call returns, with the clock's time or the one given."""
    path = tmp_path / "some.hst"
    with Writer(path, clock=clock) as writer:
        writer.comment("Started")
        assert path.read_text() == f"# {STAMP}: Started\n"
        writer.write({"read": [1]}, serial="S")
        writer.write([1], now=0.25)
        assert path.read_text() == (
            f'# {STAMP}: Started\n{STAMP}\t"S"\t{{"read": [1]}}\n1970-01-01 00:00:00.250\tnull\t[1]\n'
        )


def test_appends(tmp_path: Path) -> None:
    """A file that is there is appended to."""
    path = tmp_path / "some.hst"
    for number in range(3):
        with Writer(path, clock=clock) as writer:
            writer.write(number)
    assert path.read_text() == "".join(f"{STAMP}\tnull\t{number}\n" for number in range(3))


def test_directories_are_made(tmp_path: Path) -> None:
    """The directories of the file are created; the file itself when it is opened or written to, not before."""
    path = tmp_path / "a" / "b" / "some.hst"
    with Writer(path) as writer:
        assert not path.parent.exists()
        writer.open()
        assert path.read_bytes() == b""


def test_open_tells(tmp_path: Path) -> None:
    """A file that cannot be opened is told by open(), while write() carries on."""
    with Writer(tmp_path) as writer:
        with pytest.raises(OSError, match="directory|denied"):
            writer.open()
        writer.write(1)


def test_closed(tmp_path: Path) -> None:
    """Nothing is written after close(), and whoever tries is told; closing twice is fine."""
    writer = Writer(tmp_path / "some.hst")
    writer.write(1)
    writer.close()
    writer.close()
    with pytest.raises(Error, match="closed"):
        writer.write(2)
    assert len((tmp_path / "some.hst").read_text().splitlines()) == 1


def test_what_is_no_json(tmp_path: Path) -> None:
    """Values that cannot be recorded are the caller's error; the file stays as it is."""
    with Writer(tmp_path / "some.hst") as writer:
        writer.write(1)
        before = (tmp_path / "some.hst").read_bytes()
        with pytest.raises(RecordError):
            writer.write(b"octets")
        assert (tmp_path / "some.hst").read_bytes() == before


# -- full disks


def test_full_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk is one line in the log; when there is room again the file says how much was lost, and goes on."""
    path, disk = tmp_path / "some.hst", Disk()
    with Writer(path, clock=clock, opener=disk) as writer:
        writer.write("kept")
        stored = path.read_bytes()
        disk.room = 0
        for number in range(5):
            writer.write(number)
        (line,) = warnings(caplog)
        assert str(path) in line and "No space left" in line
        assert path.read_bytes() == stored
        disk.room = None
        writer.write("again")
        writer.write("and on")
    assert path.read_text().splitlines() == [
        f'{STAMP}\tnull\t"kept"',
        f"# {STAMP}: 5 lines were lost since {STAMP}",
        f'{STAMP}\tnull\t"again"',
        f'{STAMP}\tnull\t"and on"',
    ]
    assert len(warnings(caplog)) == 2 and "5 lines were lost" in warnings(caplog)[1]


@pytest.mark.parametrize("room", range(1, 60))
def test_disk_full_within_a_line(room: int, tmp_path: Path) -> None:
    """Wherever a full disk cuts a line, all before it is kept, it is no record, and what follows is read."""
    path, disk = tmp_path / "some.hst", Disk()
    with Writer(path, clock=clock, opener=disk) as writer:
        writer.write("kept")
        stored = path.read_bytes()
        disk.room = room
        writer.write(list(range(30)))
        disk.room = None
        writer.write("again")
    assert path.read_bytes().startswith(stored)
    kept, torn, note, again = path.read_text().splitlines()
    assert parse_line(kept) and note.startswith("# ")
    with pytest.raises(RecordError):
        parse_line(torn)
    found = parse_line(again)
    assert found is not None and found.data == "again"


def test_full_disk_for_a_while(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Room for a part of a line only, several times over: every line is told as stored or lost, once."""
    path, disk = tmp_path / "some.hst", Disk()
    with Writer(path, clock=clock, opener=disk) as writer:
        for number in range(20):
            disk.room = (None, 10, 40, 0)[number % 4]
            writer.write(number)
        disk.room = None
        writer.comment("end")
    stored = []
    for line in path.read_text().splitlines():
        try:
            found = parse_line(line)
        except RecordError:
            continue
        if found is not None:
            stored.append(found.data)
    told = [re.search(r"written again; (\d+) lines were lost", one) for one in warnings(caplog)]
    lost = [int(one[1]) for one in told if one]
    assert len(stored) + sum(lost) == 20 and stored == sorted(set(stored)) and set(range(0, 20, 4)) <= set(stored)
    assert len(warnings(caplog)) == 2 * len(lost)


def test_a_file_that_takes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that accepts no octet, without an error of its own, is a failure and no endless loop."""

    class Stuck(io.BytesIO):
        def write(self, octets: Any) -> int:
            return 0

    with Writer(tmp_path / "some.hst", opener=lambda path: Stuck()) as writer:
        writer.write(1)
    (line,) = warnings(caplog)
    assert "takes nothing" in line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_device_that_is_full(caplog: pytest.LogCaptureFixture) -> None:
    """The system's own full disk: one line in the log, however much is written."""
    with Writer("/dev/full") as writer:
        writer.open()
        for number in range(10):
            writer.write(number)
    (line,) = warnings(caplog)
    assert "/dev/full cannot be written" in line


# -- crashes


@pytest.mark.parametrize("cut", [1, 10, 30, 45])
def test_torn_by_a_crash(cut: int, tmp_path: Path) -> None:
    """A file whose last line was cut by a crash: what is there stays, and a new line begins on its own."""
    path = tmp_path / "some.hst"
    with Writer(path, clock=clock) as writer:
        writer.write("kept")
        whole = path.stat().st_size
        writer.write([1234, 5678, 91011, 121314])
    torn = path.read_bytes()[: whole + cut]
    path.write_bytes(torn)
    with Writer(path, clock=clock) as writer:
        writer.write("again")
    assert path.read_bytes().startswith(torn)
    kept, second, again = path.read_text().splitlines()
    assert second.endswith("# torn") and (parse_line(kept), parse_line(again)) == (
        (STAMP, None, "kept"),
        (STAMP, None, "again"),
    )


def test_openers_of_other_kinds(tmp_path: Path) -> None:
    """A file that cannot be read back, eg. one being compressed, is appended to as it is."""
    path = tmp_path / "some.hst"
    path.write_text("no end")
    with Writer(path, clock=clock, opener=lambda one: one.open("ab")) as writer:
        writer.write(1)
        assert path.read_text() == f"no end{STAMP}\tnull\t1\n"


def test_open_to_append(tmp_path: Path) -> None:
    """The opener of files has no buffer, which a crash could lose."""
    with open_to_append(tmp_path / "x" / "some.hst") as file:
        file.write(b"1")
        assert (tmp_path / "x" / "some.hst").read_bytes() == b"1"


# -- threads


def test_threads(tmp_path: Path) -> None:
    """Lines from many threads are whole, all there, and in the order of their times."""
    path, ticks = tmp_path / "some.hst", iter(range(1, 10_000))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with Writer(path, clock=lambda: float(next(ticks))) as writer:

            def work(number: int) -> None:
                for count in range(100):
                    writer.write([count] * 20, serial=number)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(interval)
    found = [parse_line(line) for line in path.read_text().splitlines()]
    records = [one for one in found if one is not None]
    assert len(records) == 800
    assert [one.timestamp for one in records] == sorted(one.timestamp for one in records)
    for number in range(8):
        assert [one.data for one in records if one.serial == number] == [[count] * 20 for count in range(100)]
