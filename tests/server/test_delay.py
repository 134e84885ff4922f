"""Delays: what is read from text, and what a range makes of chance."""

from __future__ import annotations

import pytest

from cpppo.errors import UsageError
from cpppo.server.delay import MAXIMUM_S, Delay


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", (0.0, 0.0)),
        ("0.5", (0.5, 0.5)),
        (".5", (0.5, 0.5)),
        ("2.", (2.0, 2.0)),
        (" 0.1-0.9 ", (0.1, 0.9)),
        ("1-1", (1.0, 1.0)),
        ("0-3600", (0.0, 3600.0)),
    ],
)
def test_text(text: str, expected: tuple[float, float]) -> None:
    """Seconds, or two of them with a dash between."""
    delay = Delay.parse(text)
    assert delay.range == expected
    assert expected[0] <= delay.value <= expected[1]


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1-", "-", "1-2-3", "0.9-0.1", "nan", "inf", "1e3", "3600.1", "1_0", "\u0661", "9" * 5000]
)
def test_bad_text(text: str) -> None:
    """Anything else: a UsageError of one line that says how it is written."""
    with pytest.raises(UsageError) as raised:
        Delay.parse(text)
    assert "eg." in str(raised.value) and len(str(raised.value)) < 200


def test_bad_numbers() -> None:
    """Seconds that cannot be are refused also without text."""
    for low, high in ((-1.0, None), (2.0, 1.0), (0.0, MAXIMUM_S + 1), (float("nan"), None)):
        with pytest.raises(UsageError):
            Delay(low, high)


def test_range_is_drawn() -> None:
    """A range is drawn when it is made, and each time it is rolled."""
    drawn = iter([0.2, 0.8, 0.5])
    asked: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        asked.append((low, high))
        return next(drawn)

    delay = Delay(0.1, 0.9, draw)
    assert delay.value == 0.2
    delay.roll()
    assert delay.value == 0.8
    delay.roll()
    assert delay.value == 0.5
    assert asked == [(0.1, 0.9)] * 3


def test_constant_stays_as_it_is_set() -> None:
    """Rolling changes no constant, also one that was changed since."""
    delay = Delay(0.5)
    delay.value = 0.7
    delay.roll()
    assert delay.value == 0.7


@pytest.mark.parametrize("text", ["0.5", "0.1-0.9"])
def test_shown_as_written(text: str) -> None:
    """str() is what parse reads."""
    assert str(Delay.parse(text)) == text
