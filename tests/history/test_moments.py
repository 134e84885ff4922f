"""Moments as text and back: every zone, every change of the clocks, and all that is refused."""

from __future__ import annotations

import math
from datetime import datetime, timezone

import pytest
import pytz
from hypothesis import given, settings
from hypothesis import strategies as st

from cpppo.errors import UsageError
from cpppo.history.moments import ABBREVIATIONS, parse, render
from cpppo.history.zones import zone_of
from tests.history.test_zones import BEGIN, END, TEN, transitions
from tests.tools import examples

MOMENTS = st.integers(BEGIN * 1_000_000, END * 1_000_000 - 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1399326141.999836, "2014-05-05 21:42:22.000"),
        (1399326141.9994, "2014-05-05 21:42:21.999"),
        (-0.0015, "1969-12-31 23:59:59.998"),
        (0.0005, "1970-01-01 00:00:00.001"),
        (-0.0, "1970-01-01 00:00:00.000"),
        (1e-300, "1970-01-01 00:00:00.000"),
        (-62135596800, "0001-01-01 00:00:00.000"),
        (253402300799.999, "9999-12-31 23:59:59.999"),
    ],
)
def test_rounded_then_split(value: float, text: str) -> None:
    """A moment is rounded as a decimal number is, and then taken apart."""
    assert render(value) == text


@given(st.floats(-6e10, 2.5e11))
@settings(max_examples=examples(300))
def test_rounded_as_decimals_are(value: float) -> None:
    """Milliseconds are those of '%.3f', whatever the number."""
    assert render(value)[-3:] == render(float(f"{value:.3f}"))[-3:]
    assert parse(render(value)) == pytest.approx(float(f"{value:.3f}"), abs=1e-6)


@pytest.mark.parametrize(
    ("decimals", "text"),
    [(0, "21"), (1, "22.0"), (2, "22.00"), (3, "22.000"), (4, "21.9998"), (5, "21.99984"), (6, "21.999836")],
)
def test_decimals(decimals: int, text: str) -> None:
    """So many decimals, rounded; none: cut off."""
    assert render(1399326141.999836, None, decimals) == f"2014-05-05 21:42:{text}"
    assert render(1399326141.999836, "America/Edmonton", decimals) == f"2014-05-05 15:42:{text} MDT"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e12, -1e12, 1e300])
@pytest.mark.parametrize("zone", [None, "America/Edmonton"])
def test_no_moment(value: float, zone: str | None) -> None:
    """What is no moment of the calendar is refused."""
    with pytest.raises(UsageError, match="no moment of the years 1 to 9999"):
        render(value, zone)


# -- there and back


def agrees(text: str, moment: float, zone: str) -> None:
    """A text is read as its moment by those who know the zone, and as no other by anyone."""
    assert parse(text, zone) == moment, text
    try:
        assert parse(text) == moment, text
    except UsageError:
        assert text.rpartition(" ")[2] in zone_of(zone).meanings  # an abbreviation that nobody supported


@pytest.mark.long
@pytest.mark.parametrize("supported", [(), ("CA", "GB"), ("Europe",), ("Asia/Shanghai", "Asia/Jerusalem")], ids=str)
def test_both_sides_of_every_change(supported: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change of the clocks, 1970 to 2037: what is written about it is read back, and never as something else."""
    ABBREVIATIONS.support(supported, at=1399326141, reach_s=365 * 86400)
    for local in ("UTC", "America/Chicago"):
        monkeypatch.setenv("TZ", local)
        for name in TEN:
            zone = zone_of(name)
            for change in transitions(zone):
                for aside in (0.001, 1, 1799, 1800, 3599, 3600, 3601, 5400, 7200, 10_000):
                    for moment in (change - aside, change + aside, float(change)):
                        agrees(render(moment, zone), round(moment, 3), name)


@given(MOMENTS, st.sampled_from(pytz.all_timezones), st.integers(0, 6), st.sampled_from(["UTC", *TEN]))
@settings(max_examples=examples(1500), deadline=None)
def test_any_moment_of_any_zone(moment: int, name: str, decimals: int, local: str) -> None:
    """Any moment in any zone, with any number of decimals, wherever it is read."""
    value = moment / 1_000_000
    expected = math.floor(value) if decimals == 0 else round(value, decimals)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", local)
        agrees(render(value, name, decimals), expected, name)


@given(MOMENTS)
@settings(max_examples=examples(300))
def test_microseconds(moment: int) -> None:
    """UTC to the microsecond is read back as the same number, in our form and in that of ISO 8601."""
    value = moment / 1_000_000
    assert parse(render(value, None, 6)) == value
    assert parse(datetime.fromtimestamp(moment // 1_000_000, timezone.utc).isoformat()) == moment // 1_000_000


@pytest.mark.long
@pytest.mark.parametrize("name", TEN)
def test_supported_abbreviations_are_read_back(name: str) -> None:
    """With a zone supported, what is written of it is read by anybody; 'MST' and 'MDT' tell the repeated hour."""
    ABBREVIATIONS.support(name, at=1399326141, reach_s=365 * 86400)
    for moment in range(1388534400, 1420070400, 1800):
        text = render(moment, name)
        assert parse(text) == moment
    if name == "America/Edmonton":
        assert parse("2014-11-02 01:30:00 MDT") + 3600 == parse("2014-11-02 01:30:00 MST") == 1414917000


# -- cases


@pytest.mark.parametrize(
    ("text", "zone", "moment", "again"),
    [
        ("2014-11-02 01:30:00 MDT", "America/Edmonton", 1414913400, "MDT"),
        ("2014-11-02 01:30:00 MST", "America/Edmonton", 1414917000, "MST"),
        ("2026-12-15 12:00:00 CST", "America/Edmonton", 1797357600, "CST"),
        ("2014-10-26 01:30:00 +0400", "Europe/Moscow", 1414272600, "+0400"),
        ("2014-10-26 01:30:00 +0300", "Europe/Moscow", 1414276200, "+0300"),
        ("2013-01-01 00:00:00 MSK", "Europe/Moscow", 1356984000, "MSK"),
        ("2016-01-01 00:00:00 MSK", "Europe/Moscow", 1451595600, "MSK"),
        ("2014-07-01 12:00:00 IST", "Asia/Kolkata", 1404196200, "IST"),
        ("2014-07-01 12:00:00 IST", "Europe/Dublin", 1404212400, "IST"),
        ("2014-01-01 12:00:00 IST", "Asia/Jerusalem", 1388570400, "IST"),
        ("2014-01-01 12:00:00 CST", "America/Chicago", 1388599200, "CST"),
        ("2014-01-01 12:00:00 CST", "America/Havana", 1388595600, "CST"),
        ("2014-01-01 12:00:00 CST", "Asia/Shanghai", 1388548800, "CST"),
        ("1970-01-15 12:00:00 BST", "Europe/London", 1249200, "BST"),
        ("2014-04-06 01:45:00 +11", "Australia/Lord_Howe", 1396709100, "+1100"),
        ("2014-04-06 01:45:00 +1030", "Australia/Lord_Howe", 1396710900, "+1030"),
        ("2011-12-29 23:59:59 -10", "Pacific/Apia", 1325239199, "-1000"),
        ("2011-12-31 00:00:00 +14", "Pacific/Apia", 1325239200, "+1400"),
        ("2024-01-01 00:00:00 -03", "America/Sao_Paulo", 1704078000, "-0300"),
        ("2024-03-15 12:00:00 +00", "Africa/Casablanca", 1710504000, "+0000"),
    ],
)
def test_local_texts(text: str, zone: str, moment: int, again: str) -> None:
    """Texts of one zone are their moment, and are written again as they were."""
    assert parse(text, zone) == moment
    assert render(moment, zone, 0) == f"{text.rpartition(' ')[0]} {again}"


@pytest.mark.parametrize(
    ("text", "zone", "says"),
    [
        ("2014-11-02 01:30:00", "America/Edmonton", "2 moments.*-0600 .MDT. or .*-0700 .MST."),
        ("2014-11-02 01:30:00 America/Edmonton", None, "2 moments.*MDT.*MST"),
        ("2014-03-09 02:30:00", "America/Edmonton", "no such time.*01:30:00 -0700 .MST. or .*03:30:00 -0600 .MDT."),
        ("2014-10-26 01:30:00 MSK", "Europe/Moscow", r"2 moments.*\+0300 .MSK. or .*\+0400 .MSK."),
        (
            "2011-12-30 12:00:00",
            "Pacific/Apia",
            r"no such time.*2011-12-29 12:00:00 -1000 or 2011-12-31 12:00:00 \+1400",
        ),
        ("2014-07-01 12:00:00 IST", None, "used in .*Asia/Kolkata, Europe/Dublin: support_abbreviations"),
        ("2014-07-01 12:00:00 XYZ", None, "'XYZ' is no zone, and no abbreviation"),
        ("2014-07-01 12:00:00 mdt", "America/Edmonton", "'mdt' is no zone"),
        (
            "2050-07-01 12:00:00 MDT",
            "America/Denver",
            "by MDT in America/Denver there is no such time; it may be .*MST",
        ),
    ],
)
def test_refused_with_the_candidates(text: str, zone: str | None, says: str) -> None:
    """A local time that is two moments, or none, is refused with those that it could be."""
    with pytest.raises(UsageError, match=says) as caught:
        parse(text, zone)
    assert str(caught.value).startswith(repr(text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2014-03-09 02:30:00 MST", "no such time; it may be .*01:30:00 -0700 .MST. or .*03:30:00 -0600 .MDT."),
        ("2014-07-01 12:00:00 MST", "no such time; it may be .*12:00:00 -0600 .MDT."),
        ("2026-12-15 12:00:00 MST", "no such time; it may be .*12:00:00 -0600 .CST."),
    ],
)
def test_off_season(text: str, says: str) -> None:
    """An abbreviation that is not in use at that time is refused, unless another supported zone uses it then."""
    ABBREVIATIONS.support("America/Edmonton", at=1399326141, reach_s=365 * 86400)
    with pytest.raises(UsageError, match=says):
        parse(text)
    ABBREVIATIONS.support("America/Phoenix", at=1399326141, reach_s=365 * 86400)
    assert parse(text) == parse(text.replace("MST", "-0700"))


@pytest.mark.parametrize(
    "text",
    [
        "2014-05-05 21:42:22",
        "2014-05-05 21:42:22.0 UTC",
        "2014-05-05 21:42:22 GMT",
        "2014-05-05 21:42:22 Z",
        "2014-05-05 21:42:22 +00:00",
        " 2014-05-05  21:42:22.000000 ",
        "2014 05 05 21 42 22",
        "2014:05:05 21.42.22 000",
        "2014-5-5 21:42:22",
        "2014-05-05T21:42:22",
        "2014-05-05T21:42:22Z",
        "2014-05-05t21:42:22,000z",
        "2014-05-05T15:42:22-06:00",
        "2014-05-05T15:42:22-0600",
        "2014-05-05T15:42:22.000-06",
        "2014-05-06 03:12:22+05:30",
        "2014-05-05 22:42:22 Europe/London",
        "2014-05-05 14:42:22 MST",
    ],
)
def test_forms(text: str) -> None:
    """All forms of one moment; 'MST', supported by nobody, is the zone of that name."""
    assert parse(text) == 1399326142.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2014-05-05",
        "2014-05-05 21:42",
        "14-05-05 21:42:22",
        "20140505T214222",
        "2014-W19-1 21:42:22.000",
        "2014-05-05x21:42:22.000",
        "2014-05-05 21:42:22,000,000",
        "2014-05-05 21:42:22.1234567",
        "2014-05-05 21:42:22 +25:00",
        "2014-05-05 21:42:22 +0",
        "2014-02-29 21:42:22.000",
        "2014-05-05 24:00:00",
        "2016-12-31 23:59:60",
        "\u0662\u0660\u0661\u0664-05-05 21:42:22",
        "2014-05-05 21:42:22 UTC UTC",
        "2014-05-05 21:42:22 Nowhere/City",
        "2014-05-05 21:42:22 ../../etc/passwd",
        "2014-05-05 21:42:22.\n000",
    ],
)
@pytest.mark.parametrize("zone", [None, "America/Edmonton"])
def test_no_text_of_a_moment(text: str, zone: str | None) -> None:
    """Anything else is refused, on all interpreters; the message repeats it."""
    with pytest.raises(UsageError, match="is no moment: ") as caught:
        parse(text, zone)
    assert isinstance(caught.value, ValueError) and repr(text) in str(caught.value)


def test_long_texts_are_not_repeated_whole() -> None:
    """A text of any length is refused at once, and shown in part."""
    with pytest.raises(UsageError) as caught:
        parse("2014-05-05 21:42:22 " + "x" * 1_000_000)
    assert len(str(caught.value)) < 300


@given(st.text())
@settings(max_examples=examples(300))
def test_any_text(text: str) -> None:
    """Any text is a moment or refused."""
    try:
        assert math.isfinite(parse(text))
    except UsageError:
        pass


def test_after_2037() -> None:
    """Beyond the rules of the database there is no daylight saving time; what is written is still read back."""
    assert render(2540311200, "America/Denver") == "2050-07-01 11:00:00.000 MST"
    assert parse("2050-07-01 11:00:00.000 MST", "America/Denver") == 2540311200
