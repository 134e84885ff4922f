"""Playing at any speed: when each record is due, and that the same times always give the same records."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import UsageError
from cpppo.history import HistoryExhausted, Playback, Stream
from tests.history.test_stream import WHEN, line, lines

NOW = 1e9


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    (tmp_path / "x.hst.0").write_bytes(lines(3))
    (tmp_path / "x.hst").write_bytes(lines(2, 3))
    return Stream(tmp_path / "x.hst")


def due(playback: Playback, now: float) -> list[object]:
    return [one.entry.data for one in playback.due(NOW + now)]


def test_pace(stream: Stream) -> None:
    """Each record is due as long after the first as it was recorded, and what is late comes at once."""
    playback = Playback(stream, NOW)
    assert due(playback, -1) == [] and playback.wait_s(NOW - 1) == 1
    assert due(playback, 0) == [0] and due(playback, 0.9) == [] and playback.wait_s(NOW + 0.75) == 0.25
    assert due(playback, 3) == [1, 2, 3] and not playback.ended
    assert playback.wait_s(NOW + 99) == 0 and due(playback, 99) == [4]
    assert playback.ended and playback.wait_s(NOW) is None and due(playback, 100) == []


@pytest.mark.parametrize("factor", [0.25, 1, 10, 1000])
def test_factor(factor: float, stream: Stream) -> None:
    """Faster or slower."""
    played = list(Playback(stream, NOW, factor).due(NOW + 1e6))
    assert [one.due - NOW for one in played] == pytest.approx([number / factor for number in range(5)], abs=1e-6)


def test_at_once(stream: Stream) -> None:
    """At infinite speed all is due at once; but not for ever."""
    assert due(Playback(stream, NOW, math.inf), 0) == [0, 1, 2, 3, 4]
    with pytest.raises(UsageError, match="never ends"):
        Playback(stream, NOW, math.inf, loop=True)


def test_times(stream: Stream) -> None:
    """Records have the times at which they are due, or those that were recorded."""
    assert [one.when for one in Playback(stream, NOW, 2).due(NOW + 9)] == [NOW, NOW + 0.5, NOW + 1, NOW + 1.5, NOW + 2]
    own = Playback(stream, NOW, 2, shifted=False)
    assert [one.when for one in own.due(NOW + 9)] == [WHEN, WHEN + 1, WHEN + 2, WHEN + 3, WHEN + 4]


def test_loop(stream: Stream, tmp_path: Path) -> None:
    """Round after round, with a pause as long as those between records; one record comes once a second."""
    playback = Playback(stream, NOW, loop=True)
    assert due(playback, 12) == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2] and not playback.ended
    (tmp_path / "one").write_bytes(lines(1))
    assert due(Playback(Stream(tmp_path / "one"), NOW, loop=True), 3) == [0, 0, 0, 0]
    (tmp_path / "none").write_bytes(b"# nothing\n")
    assert Playback(Stream(tmp_path / "none"), NOW, loop=True).ended


def test_part(stream: Stream) -> None:
    """From one time to another, in each round."""
    playback = Playback(stream, NOW, loop=True, start=WHEN + 0.5, end=WHEN + 4)
    assert due(playback, 5) == [1, 2, 3, 1, 2, 3]


def test_lookahead(stream: Stream) -> None:
    """Records are given ahead of their time, and say when that is."""
    playback = Playback(stream, NOW, lookahead_s=1.5)
    assert [(one.entry.data, one.due) for one in playback.due(NOW)] == [(0, NOW), (1, NOW + 1)]
    assert playback.wait_s(NOW) == 0.5


def test_clock_that_was_put_back(tmp_path: Path) -> None:
    """What was recorded by a clock that was put back is due together with what is ahead of it."""
    (tmp_path / "x").write_text(line(0) + line(10) + line(5) + line(6) + line(12))
    assert [one.due - NOW for one in Playback(Stream(tmp_path / "x"), NOW).due(NOW + 99)] == [0, 10, 10, 10, 12]


@given(st.lists(st.floats(0, 5), max_size=30), st.integers(0, 99))
def test_deterministic(steps: list[float], seed: int) -> None:
    """However often it is asked, the same times give the same records."""
    chance = random.Random(seed)

    class Made(Stream):
        def entries(self, *_: object, **__: object):  # type: ignore[no-untyped-def, override]
            when = WHEN
            for number in range(40):
                when += random.Random(seed + number).choice([0, 0.1, 3])
                yield type("E", (), {"when": when, "data": number})()

    fine, coarse = (Playback(Made("x"), NOW) for _ in range(2))
    now, found = 0.0, []
    for step in steps:
        now += step
        found += due(fine, now - step * chance.random()) + due(fine, now)
    found += due(fine, now)
    assert found == due(coarse, now)


@pytest.mark.parametrize("factor", [0, -1, math.nan])
def test_wrong_factors(factor: float, stream: Stream) -> None:
    """Time does not stand still, nor run backwards."""
    with pytest.raises(UsageError, match="not above 0"):
        Playback(stream, NOW, factor)


def test_no_file(tmp_path: Path) -> None:
    """No file is told by the first question."""
    playback = Playback(Stream(tmp_path / "none"), NOW)
    with pytest.raises(HistoryExhausted):
        playback.wait_s(NOW)
