"""The line that tells how far a long run has come: when it is there, and that it makes way."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from cpppo.server.enip.client.progress import AFTER_S, EVERY_S, Progress


class Terminal(io.StringIO):
    """A stream that passes for a terminal; ``screen`` is what its user sees in the end."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        lines = []
        for line in self.getvalue().split("\n"):
            seen: list[str] = []
            for part in line.split("\r"):
                seen[: len(part)] = part
            lines.append("".join(seen).rstrip())
        return lines


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The root logger with a handler on a terminal; afterwards as it was."""
    root, before = logging.root, logging.root.handlers[:]
    root.handlers[:] = [logging.StreamHandler(Terminal())]
    yield root
    root.handlers[:] = before


def test_a_short_run_shows_nothing() -> None:
    """Before two seconds have gone by nothing is written."""
    terminal, clock = Terminal(), Clock()
    with Progress(1000, terminal, clock) as progress:
        for _ in range(50):
            progress.step(False)
        clock.now += AFTER_S - 0.01
        progress.step(False)
    assert AFTER_S == 2.0
    assert terminal.getvalue() == ""


def test_a_long_run_tells_how_far_it_is() -> None:
    """After two seconds: operations done, of how many, failed, how fast, and the time left; then ever again."""
    terminal, clock = Terminal(), Clock()
    with Progress(1000, terminal, clock) as progress:
        for number in range(199):
            progress.step(number == 0)
        clock.now += AFTER_S
        progress.step(False)
        assert terminal.screen() == ["200 of 1000 operations, 1 failed, 100.0 TPS, 8 s left"]
        clock.now += EVERY_S / 2
        progress.step(False)
        assert terminal.screen()[0].startswith("200 of 1000 "), "not more often than can be read"
        clock.now += 2 * AFTER_S
        progress.step(False)
        assert terminal.screen() == ["202 of 1000 operations, 1 failed, 33.1 TPS, 24 s left"]
    assert terminal.screen() == [""], "and in the end it is gone"


def test_it_makes_way() -> None:
    """Cleared, nothing of it is left where something else is written."""
    terminal, clock = Terminal(), Clock()
    with Progress(10, terminal, clock) as progress:
        clock.now += AFTER_S
        progress.step(False)
        progress.clear()
        terminal.write("result\n")
        progress.clear()
        terminal.write("another\n")
    assert terminal.screen() == ["result", "another", ""]


def test_the_log_goes_before_it(logger: logging.Logger) -> None:
    """A line of the log does not stand beside it, and is not held up once it has ended."""
    handler = logger.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    terminal, clock = handler.stream, Clock()
    with Progress(10, terminal, clock) as progress:
        clock.now += AFTER_S
        progress.step(False)
        logger.warning("a warning")
    logger.warning("another")
    assert terminal.screen() == ["a warning", "another", ""]
    assert handler.filters == []


@pytest.mark.parametrize("stream", [io.StringIO(), None])
def test_no_terminal(stream: io.StringIO | None) -> None:
    """Where there is no terminal nothing is ever written."""
    clock = Clock()
    with Progress(10, stream, clock) as progress:
        clock.now += 10 * AFTER_S
        progress.step(True)
        progress.clear()
    assert stream is None or stream.getvalue() == ""


def test_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line never wraps, which could not be taken away."""
    monkeypatch.setenv("COLUMNS", "20")
    terminal, clock = Terminal(), Clock()
    with Progress(1000, terminal, clock) as progress:
        clock.now += AFTER_S
        progress.step(False)
        assert terminal.screen() == ["1 of 1000 operation"]
