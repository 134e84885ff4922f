"""Profiles of connections: printed, summed up in a file, and never in the way."""

from __future__ import annotations

import cProfile
import io
import pstats
from pathlib import Path

import pytest

from cpppo.server.profiling import SHOWN, Profiling


def work() -> None:
    sorted(range(10))


def calls(path: Path) -> int:
    """How often work() was called, by the file."""
    stats = pstats.Stats(str(path)).stats  # type: ignore[attr-defined]
    return sum(row[1] for (_, _, name), row in stats.items() if name == "work")


def test_profiles_add_up(tmp_path: Path) -> None:
    """Of each its most costly functions are printed; the file holds the sum of all."""
    out = io.StringIO()
    profiling = Profiling(str(tmp_path / "a.prof"), out)
    profiling(work)
    assert "test_profiling.py" in out.getvalue() and "(work)" in out.getvalue()
    assert calls(tmp_path / "a.prof") == 1
    profiling(work)
    assert out.getvalue().count("(work)") == 2
    assert calls(tmp_path / "a.prof") == 2
    assert SHOWN == 50


def test_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are printed on standard output, unless told otherwise."""
    Profiling(str(tmp_path / "a.prof"))(work)
    assert "(work)" in capsys.readouterr().out


def test_work_that_fails(tmp_path: Path) -> None:
    """What is raised comes through, and the profile is kept all the same."""

    def fails() -> None:
        work()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Profiling(str(tmp_path / "a.prof"), io.StringIO())(fails)
    assert calls(tmp_path / "a.prof") == 1


def test_file_that_cannot_be_written(tmp_path: Path) -> None:
    """That is told at once, before any connection."""
    with pytest.raises(OSError, match="a.prof"):
        Profiling(str(tmp_path / "none" / "a.prof"))


def test_file_that_goes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Later it is a line in the log."""
    home = tmp_path / "home"
    home.mkdir()
    profiling = Profiling(str(home / "a.prof"), io.StringIO())
    (home / "a.prof").unlink()
    home.rmdir()
    profiling(work)
    assert "lost" in caplog.text


def test_second_profiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where Python has but one profiler and it is in use, the work is done without."""

    class Used(cProfile.Profile):
        def enable(self, *args: object, **kwds: object) -> None:
            raise ValueError("Another profiling tool is already active")

    monkeypatch.setattr(cProfile, "Profile", Used)
    done: list[int] = []
    Profiling(str(tmp_path / "a.prof"), io.StringIO())(lambda: done.append(1))
    assert done == [1] and "not profiled" in caplog.text
