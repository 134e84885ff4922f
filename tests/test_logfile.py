"""The log file: it stays small, follows those who move it, and is no trouble when it cannot be written."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cpppo.logfile import COPIES, MAXIMUM_OCTETS, LogFile
from cpppo.logs import NORMAL, start_logging


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """A logger of its own, whose handlers are closed after the test."""
    one = logging.Logger("one")
    yield one
    for handler in one.handlers:
        handler.close()


@contextmanager
def fresh() -> Iterator[logging.Logger]:
    """The root logger, as in a fresh process; afterwards as it was."""
    root, handlers, level = logging.root, logging.root.handlers[:], logging.root.level
    root.handlers[:] = []
    try:
        yield root
    finally:
        for one in root.handlers:
            one.close()
        root.handlers[:] = handlers
        root.setLevel(level)


def test_limits() -> None:
    """10 MB, and 5 copies."""
    assert (MAXIMUM_OCTETS, COPIES) == (10_000_000, 5)


def test_rotation(tmp_path: Path, log: logging.Logger) -> None:
    """Beyond its octets a new file is begun; no more copies are kept than said."""
    log.addHandler(LogFile(tmp_path / "a.log", octets=100, copies=2))
    for at in range(50):
        log.info("line %d of several", at)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.log", "a.log.1", "a.log.2"]
    assert all(one.stat().st_size <= 100 for one in tmp_path.iterdir())
    assert (tmp_path / "a.log").read_text().splitlines()[-1] == "line 49 of several"


def test_appends(tmp_path: Path, log: logging.Logger) -> None:
    """What was in the file stays."""
    (tmp_path / "a.log").write_text("before\n")
    log.addHandler(LogFile(tmp_path / "a.log"))
    log.info("after")
    assert (tmp_path / "a.log").read_text() == "before\nafter\n"


def test_reopen(tmp_path: Path, log: logging.Logger) -> None:
    """A file that was moved away is written on until reopen(); then there is a new one, at once."""
    path, moved = tmp_path / "a.log", tmp_path / "moved"
    handler = LogFile(path)
    log.addHandler(handler)
    log.info("one")
    path.rename(moved)
    log.info("two")
    handler.reopen()
    assert path.read_text() == ""
    log.info("three")
    assert (moved.read_text(), path.read_text()) == ("one\ntwo\n", "three\n")


def test_reopen_where_that_is_impossible(
    tmp_path: Path, log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """A directory that has gone: told once on standard error; when it is there again, so is the log."""
    home = tmp_path / "home"
    home.mkdir()
    handler = LogFile(home / "a.log")
    log.addHandler(handler)
    home.rename(tmp_path / "elsewhere")
    handler.reopen()
    for _ in range(3):
        log.info("lost")
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot log to" in line and "a.log" in line
    home.mkdir()
    log.info("back")
    assert (home / "a.log").read_text() == "back\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_disk_full(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """A disk that is full is told once on standard error, without a traceback; nothing is raised."""
    handler = LogFile("/dev/full", octets=0)
    log.addHandler(handler)
    for _ in range(3):
        log.info("lost")
    handler.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert "/dev/full" in line and "space" in line


def test_badly_made_line(tmp_path: Path, log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that cannot be made is a mistake in a program, and shown as logging does."""
    log.addHandler(LogFile(tmp_path / "a.log"))
    log.info("%d", "no number")
    assert "Logging error" in capsys.readouterr().err


def test_any_text(tmp_path: Path, log: logging.Logger) -> None:
    """Also what is no Unicode is logged."""
    log.addHandler(LogFile(tmp_path / "a.log"))
    log.info("a\udcffb \u00e9")
    assert (tmp_path / "a.log").read_text(encoding="utf-8") == "a\\udcffb \u00e9\n"


def test_start_logging_to_it(tmp_path: Path) -> None:
    """It takes the place of standard error; the verbosity and the form of lines are the same."""
    handler = LogFile(tmp_path / "a.log")
    with fresh() as root:
        start_logging(1, handler)
        logging.getLogger("enip.srv").log(NORMAL, "told")
        logging.getLogger("enip.srv").info("not told")
        assert root.handlers == [handler]
    (line,) = (tmp_path / "a.log").read_text().splitlines()
    assert " enip.srv NORMAL " in line and line.endswith("told")


def test_start_logging_beside_others(tmp_path: Path) -> None:
    """A program that has set up logging keeps what it has."""
    mine, handler = logging.StreamHandler(sys.stderr), LogFile(tmp_path / "a.log")
    with fresh() as root:
        root.addHandler(mine)
        root.setLevel(logging.ERROR)
        start_logging(4, handler)
        assert root.handlers == [mine, handler] and root.level == logging.ERROR


@pytest.mark.parametrize(
    ("verbose", "level"), [(0, logging.WARNING), (1, 25), (2, 23), (3, logging.INFO), (4, logging.DEBUG), (9, 10)]
)
def test_verbosity(verbose: int, level: int) -> None:
    """Each -v is a level more, down to everything."""
    with fresh() as root:
        start_logging(verbose)
        assert root.level == level
