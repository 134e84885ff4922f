"""The timestamp: made of anything that is a moment, compared, calculated with, written."""

from __future__ import annotations

import copy
import pickle
import sys
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
import pytz
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import UsageError
from cpppo.history import timestamp
from cpppo.history import timestamp as timestamps
from cpppo.history.zones import UTC

WHEN = 1399326141.999836


@pytest.mark.parametrize(
    "given",
    [
        1399326142,
        1399326142.0,
        "2014-05-05 21:42:22",
        timestamps(1399326142),
        datetime(2014, 5, 5, 21, 42, 22),
        datetime(2014, 5, 5, 15, 42, 22, tzinfo=timezone(timedelta(hours=-6))),
    ],
    ids=lambda one: type(one).__name__,
)
def test_made_of(given: Any) -> None:
    """Numbers, text, datetimes (UTC if naive) and timestamps are moments."""
    made = timestamp(given)
    assert made.value == 1399326142.0 and type(made.value) is float and made is not given


def test_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of nothing it is made of the clock."""
    monkeypatch.setattr(sys.modules["cpppo.history.timestamp"], "timer", lambda: 12.5)
    assert timestamp().value == 12.5


@pytest.mark.parametrize(
    "given",
    [[], {}, b"2014-05-05 21:42:22", date(2014, 5, 5), float("nan"), float("inf"), 1e12, 10**400, "now"],
    ids=repr,
)
def test_no_moment(given: Any) -> None:
    """Anything else is refused."""
    with pytest.raises(UsageError, match="no moment"):
        timestamp(given)


def test_zone_of_a_text() -> None:
    """A zone can be given for a text that names none."""
    assert timestamp("2014-05-05 15:42:22", "America/Edmonton") == 1399326142
    assert timestamp("2014-05-05 15:42:22", pytz.timezone("America/Edmonton")) == 1399326142


def test_text() -> None:
    """str and repr are UTC; render takes a zone and a number of decimals."""
    made = timestamp(WHEN)
    assert str(made) == made.utc == "2014-05-05 21:42:22.000"
    assert repr(made) == "<2014-05-05 21:42:22.000 =~= 1399326141.999836>"
    assert made.render(pytz.timezone("America/Edmonton")) == "2014-05-05 15:42:22.000 MDT"
    assert made.render("America/Edmonton", ms=False) == "2014-05-05 15:42:21 MDT"
    assert made.render(ms=0) == "2014-05-05 21:42:21"
    assert made.render(ms=6) == "2014-05-05 21:42:21.999836"
    for wrong in (-1, 7):
        with pytest.raises(UsageError, match="decimals"):
            made.render(ms=wrong)


def test_local(monkeypatch: pytest.MonkeyPatch) -> None:
    """utc and local are texts that can be read and set; LOC chooses another local zone."""
    monkeypatch.setenv("TZ", "America/Edmonton")
    made = timestamp(WHEN)
    assert made.local == "2014-05-05 15:42:21 MDT"
    made.local = "2014-01-01 00:00:00"
    assert made.utc == "2014-01-01 07:00:00.000" and made.local == "2014-01-01 00:00:00 MST"
    made.utc = "2014-05-05 21:42:22"
    assert made.value == 1399326142.0
    monkeypatch.setattr(timestamp, "LOC", pytz.timezone("Europe/London"))
    assert made.local == "2014-05-05 22:42:22 BST"
    with pytest.raises(UsageError, match="2 moments"):
        made.local = "2014-10-26 01:30:00"
    assert made.value == 1399326142.0


def test_comparison() -> None:
    """Compared to the millisecond, with timestamps and numbers, and equal ones hash alike."""
    one = timestamp(1.0)
    assert one == 1.0004 and one == timestamp(0.9996) and one != 1.0009 and hash(one) == hash(timestamp(1.0004))
    assert one < 1.001 and one <= timestamp(1.0004) and one > 0.999 and one >= 1 and not one < timestamp(1.0004)
    assert {one: "a"}[timestamp(1.0004)] == "a"
    assert one != "1970-01-01 00:00:01" and one is not None
    with pytest.raises(TypeError):
        assert one < "1970-01-01 00:00:02"


@given(st.floats(0, 4e9), st.floats(-0.002, 0.002))
def test_equal_means_same_text(value: float, aside: float) -> None:
    """Two moments are equal if they are written alike, and only then."""
    one, other = timestamp(value), timestamp(value + aside)
    assert (one == other) == (str(one) == str(other)) == (hash(one) == hash(other))
    assert (one < other) == (str(one) < str(other))


def test_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The class says how many decimals are written and compared."""
    monkeypatch.setattr(timestamp, "_precision", 6)
    assert str(timestamp(WHEN)) == "2014-05-05 21:42:21.999836" and timestamp(1.0) != 1.0004


def test_arithmetic() -> None:
    """Seconds are added and taken away; += changes the object itself; the difference of two are seconds."""
    one = timestamp(10)
    assert (one + 5).value == (5 + one).value == 15 and (one - 0.25).value == 9.75 and (one + 0) is not one
    same = one
    one += 5
    assert same is one and same.value == 15
    one -= 10
    assert same is one and same.value == 5
    assert timestamp(12.5) - timestamp(2) == 10.5 and float(one) == 5.0 and int(timestamp(5.9)) == 5
    for wrong in ("1", None, timestamp(1)):
        with pytest.raises(TypeError):
            one + wrong  # noqa: B018
    with pytest.raises(UsageError, match="no moment"):
        one += 1e300
    assert one.value == 5


def test_subclasses_copies_and_pickles() -> None:
    """Arithmetic gives the class that it was done with; copies are equal."""

    class Mine(timestamps):
        pass

    assert type(Mine(1) + 1) is Mine and type(Mine(1) - 1) is Mine
    for made in (copy.copy(timestamp(WHEN)), pickle.loads(pickle.dumps(timestamp(WHEN)))):
        assert made.value == WHEN


def test_datetimes() -> None:
    """Datetimes are aware, exact to the microsecond, and come back."""
    there = timestamp.datetime_from_number(WHEN, "America/Edmonton")
    assert there.isoformat() == "2014-05-05T15:42:21.999836-06:00"
    assert timestamp.number_from_datetime(there) == WHEN
    assert timestamp.datetime_from_number(WHEN).tzinfo is timezone.utc
    assert timestamp.datetime_from_string("2014-11-02 01:30:00 MST", "America/Edmonton").isoformat() == (
        "2014-11-02T01:30:00-07:00"
    )


def test_timezone_info() -> None:
    """A name is a zone; an abbreviation is a zone and whether it is daylight saving time."""
    assert timestamp.timezone_info("America/Edmonton") == (pytz.timezone("America/Edmonton"), None)
    timestamp.support_abbreviations("America/Edmonton", at="2014-05-05 00:00:00")
    assert timestamp.timezone_info("MDT") == (pytz.timezone("America/Edmonton"), True)
    assert timestamp.timezone_info("MST") == (pytz.timezone("America/Edmonton"), False)
    assert timestamp.timezone_info("UTC")[0] is UTC.native
    with pytest.raises(UsageError, match="no time zone"):
        timestamp.timezone_info("XYZ")


def test_support_abbreviations() -> None:
    """Supported for all timestamps, within reach of now or of the moment given."""
    assert "MDT" in timestamp.support_abbreviations("CA", at=WHEN)
    assert timestamp("2014-05-05 15:42:22 MDT") == 1399326142
    assert timestamp.support_abbreviations("Europe/London", at=WHEN, reach=timedelta(days=1), reset=True) == ["BST"]
    with pytest.raises(UsageError, match=r"used in America/.* and \d+ more: support_"):
        timestamp("2014-05-05 15:42:22 MDT")
