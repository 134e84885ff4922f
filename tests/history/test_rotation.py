"""Rotation: by size and by time, with compression in the background, and whatever the disk does."""

from __future__ import annotations

import errno
import gzip
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from cpppo.errors import UsageError
from cpppo.history import Rotation, Stream, Writer, rotation
from cpppo.history.rotation import Rotator
from tests.history.test_files import COMPRESSIONS

WHEN = 1405461824.0


def written(path: Path, rule: Rotation, times: Any, **options: Any) -> None:
    with Writer(path, clock=lambda: WHEN, rotation=rule, **options) as writer:
        for number, when in enumerate(times):
            writer.write(number, now=when)


def names(directory: Path) -> list[str]:
    return sorted(one.name for one in directory.iterdir())


def numbers(path: Path) -> list[Any]:
    return [one.data for one in Stream(path).entries() if one]


@pytest.mark.parametrize("end", ["", *COMPRESSIONS])
def test_by_size(end: str, tmp_path: Path) -> None:
    """A line that would make the file too large begins a new one; those before have numbers, and all is there."""
    path = tmp_path / "x.hst"
    written(path, Rotation(octets=100, compress=end), [WHEN + one for one in range(10)])
    assert names(tmp_path) == sorted(["x.hst", *(f"x.hst.{one}{end}" for one in range(3))])
    assert numbers(path) == list(range(10))
    assert path.stat().st_size <= 100


def test_a_line_that_is_larger_than_a_file(tmp_path: Path) -> None:
    """A line is never split: one that is too large has a file of its own."""
    path = tmp_path / "x.hst"
    with Writer(path, clock=lambda: WHEN, rotation=Rotation(octets=50, compress="")) as writer:
        for number in range(3):
            writer.write([number] * 100)
    assert names(tmp_path) == ["x.hst", "x.hst.0", "x.hst.1"] and len(numbers(path)) == 3


def test_by_time(tmp_path: Path) -> None:
    """The first line of a new day begins a new file; a clock that was put back does not."""
    path, day = tmp_path / "x.hst", 86400
    start = WHEN - WHEN % day
    times = [start, start + day - 1, start + day, start + 5, start + day + 1, start + 9 * day]
    written(path, Rotation(seconds=day, compress=""), times)
    assert names(tmp_path) == ["x.hst", "x.hst.0", "x.hst.1"]
    assert [[one.data for one in Stream(tmp_path / name).entries() if one] for name in names(tmp_path)][1:] == [
        [2, 3, 4],
        [0, 1],
    ]


def test_by_time_goes_on(tmp_path: Path) -> None:
    """A file that was left there is rotated if it was last written to in another period."""
    path = tmp_path / "x.hst"
    for day in range(3):
        written(path, Rotation(seconds=86400, compress=""), [WHEN + day * 86400])
        os.utime(path, (WHEN + day * 86400,) * 2)
    assert names(tmp_path) == ["x.hst", "x.hst.0", "x.hst.1"] and numbers(path) == [0, 0, 0]


def test_copies(tmp_path: Path) -> None:
    """Of so many files beside it the oldest is removed; without a number none ever is."""
    path = tmp_path / "x.hst"
    written(path, Rotation(octets=1, copies=2), [WHEN + one for one in range(6)])
    assert names(tmp_path) == ["x.hst", "x.hst.0.gz", "x.hst.1.gz"] and numbers(path) == [3, 4, 5]


def test_removed_while_it_is_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is removed as the oldest while it is compressed is gone; no other takes its place."""
    path, go, began = tmp_path / "x.hst", threading.Event(), threading.Event()
    packing = Rotator._pack

    def slowly(self: Rotator, *arguments: Any) -> None:
        packing(self, *arguments)
        began.set()
        assert go.wait(20)

    monkeypatch.setattr(Rotator, "_pack", slowly)
    with Writer(path, clock=lambda: WHEN, rotation=Rotation(octets=1, copies=2)) as writer:
        writer.write(0)
        writer.write(1)
        assert began.wait(20)
        for number in range(2, 20):  # the system gives the numbers of removed files to new ones
            writer.write(number)
        go.set()
    assert names(tmp_path) == ["x.hst", "x.hst.0.gz", "x.hst.1.gz"] and numbers(path) == [17, 18, 19]


def test_gaps_are_filled(tmp_path: Path) -> None:
    """Only the files up to the first missing number are renamed."""
    path = tmp_path / "x.hst"
    for name in ("x.hst.0", "x.hst.2.gz"):
        (tmp_path / name).write_bytes(b"")
    Rotator(path, Rotation(compress=""))._shift()
    assert names(tmp_path) == ["x.hst.1", "x.hst.2.gz"]


def test_intervals(tmp_path: Path) -> None:
    """Lines that wait are in the file that they belong to."""
    path = tmp_path / "x.hst"
    written(path, Rotation(octets=100, compress=""), [WHEN + one for one in range(10)], flush_s=3600)
    assert names(tmp_path) == ["x.hst", "x.hst.0", "x.hst.1", "x.hst.2"] and numbers(path) == list(range(10))


@pytest.mark.parametrize("wrong", [{"octets": 0}, {"seconds": -1}, {"copies": 0}, {"compress": ".zip"}], ids=str)
def test_wrong_rules(wrong: dict[str, Any]) -> None:
    """A rule that cannot be followed is refused."""
    with pytest.raises(UsageError, match="rotation: "):
        Rotation(**wrong)


# -- faults


def test_no_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be renamed is written on, and that is logged; nothing is lost."""

    def rename(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(rotation.os, "rename", rename)
    path = tmp_path / "x.hst"
    written(path, Rotation(octets=40), [WHEN, WHEN + 1, WHEN + 2])
    assert names(tmp_path) == ["x.hst"] and numbers(path) == [0, 1, 2]
    assert "cannot be rotated, and is written on" in caplog.text
    caplog.clear()
    written(path, Rotation(octets=400), [WHEN + one for one in range(30)])
    assert len(numbers(path)) == 33 and 1 <= caplog.text.count("cannot be rotated") <= 3


def test_compression_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be compressed, eg. on a full disk, stays as it was; the half that was made is removed."""

    def full(path: Path, mode: str) -> Any:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rotation, "opener", full)
    path = tmp_path / "x.hst"
    written(path, Rotation(octets=1), [WHEN, WHEN + 1])
    assert names(tmp_path) == ["x.hst", "x.hst.0"] and numbers(path) == [0, 1]
    assert "could not be compressed, and stays as it is: [Errno 28]" in caplog.text


@pytest.mark.parametrize("left", ["x.hst.0", "x.hst.0.gz", "x.hst.part.gz"])
def test_compression_cut_short_by_a_crash(left: str, tmp_path: Path) -> None:
    """After a crash within compression nothing is doubled or lost, and it is done next time."""
    path = tmp_path / "x.hst"
    written(path, Rotation(octets=1, compress=""), [WHEN, WHEN + 1])
    with gzip.open(tmp_path / "x.hst.part.gz", "wb") as file:
        file.write((tmp_path / "x.hst.0").read_bytes()[:20])
    if left == "x.hst.0.gz":  # it had its name, and the other was not removed
        (tmp_path / "x.hst.part.gz").rename(tmp_path / left)
    assert numbers(path) == [0, 1]
    with Writer(path, clock=lambda: WHEN + 2, rotation=Rotation(octets=1)) as writer:
        writer.write(2)
    assert names(tmp_path) == ["x.hst", "x.hst.0.gz", "x.hst.1.gz"] and numbers(path) == [0, 1, 2]


def test_renamed_while_it_is_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that gets another number while it is compressed keeps that, and none hinders the writer."""
    path, go = tmp_path / "x.hst", threading.Event()
    copying, began = rotation.shutil.copyfileobj, threading.Event()

    def slowly(*arguments: Any) -> None:
        began.set()
        assert go.wait(20)
        copying(*arguments)

    monkeypatch.setattr(rotation.shutil, "copyfileobj", slowly)
    with Writer(path, clock=lambda: WHEN, rotation=Rotation(octets=1)) as writer:
        writer.write(0)
        writer.write(1)
        assert began.wait(20)
        for number in range(2, 5):
            writer.write(number)
        assert names(tmp_path) == ["x.hst", *(f"x.hst.{one}" for one in range(4)), "x.hst.part.gz"]
        assert numbers(path) == list(range(5))
        go.set()
    assert names(tmp_path) == ["x.hst", *(f"x.hst.{one}.gz" for one in range(4))]
    assert numbers(path) == list(range(5))


def test_nothing_is_logged_if_all_is_well(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rotation says nothing of itself."""
    with caplog.at_level(logging.INFO):
        written(tmp_path / "x.hst", Rotation(octets=1), [WHEN, WHEN + 1])
    assert caplog.text == ""
