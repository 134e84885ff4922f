"""Lengths of time as text, and back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import UsageError
from cpppo.history import format_offset, parse_offset, timedelta_total_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("< 1:02:03", -3723.0), (">1:02:03", 3723.0), ("> 1.5", 1.5), ("<2:00", -120.0), (" > 100:00:00 ", 360000.0)],
)
def test_parse(text: str, seconds: float) -> None:
    """A length is hours, minutes and seconds, as many as there are, behind or ahead."""
    assert parse_offset(text) == seconds


@pytest.mark.parametrize(
    ("text", "why"),
    [("1", "missing sign"), ("", "must be"), ("> ", "must be"), ("> 1:2:3:4", "must be"), ("> -1", "must be")],
)
def test_no_length(text: str, why: str) -> None:
    """What is no length is refused, with the form that it must have."""
    with pytest.raises(UsageError, match=f"Invalid offset '{text[:5]}.*{why}") as caught:
        parse_offset(text)
    assert "[[h:]m:]s[.s]" in str(caught.value)


def test_format() -> None:
    """A length is written to the millisecond or to the second, with the symbols asked for."""
    assert format_offset(3661.5) == "> 1:01:01.500"
    assert format_offset(-3661.4, ms=False) == "< 1:01:01"
    assert format_offset(-0.25, symbols="-+") == "- 0:00:00.250"
    assert format_offset(0) == "> 0:00:00.000"
    assert format_offset(59.9996) == "> 0:01:00.000"


@given(st.integers(-(10**12), 10**12))
def test_round_trip(milliseconds: int) -> None:
    """What is written is read back, to the millisecond."""
    assert parse_offset(format_offset(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=1e-4)


def test_timedelta() -> None:
    """The seconds of a timedelta, by the name that scripts know."""
    assert timedelta_total_seconds(timedelta(days=1, milliseconds=1)) == 86400.001
