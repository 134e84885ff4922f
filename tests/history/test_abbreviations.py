"""Abbreviations: what a country, area or zone brings, and what is refused."""

from __future__ import annotations

import pytest

from cpppo.history import AmbiguousTimeZoneError, UnknownTimeZoneError
from cpppo.history.abbreviations import Abbreviations, format_numeric
from cpppo.history.moments import parse, render

AT, REACH_S = 1399326141, 365 * 86400
CANADA = ["ADT", "AST", "CDT", "CST", "EDT", "EST", "MDT", "MST", "NDT", "NST", "PDT", "PST"]


def supported(*regions: str, exclude: tuple[str, ...] = ()) -> Abbreviations:
    made = Abbreviations()
    made.support(regions, exclude, AT, REACH_S)
    return made


def test_country() -> None:
    """A country brings all that its zones use around that moment; asked again, nothing is new."""
    made = Abbreviations()
    assert made.support("CA", None, AT, REACH_S) == CANADA
    assert made.support("CA", None, AT, REACH_S) == []
    assert made.support("Europe/London", None, AT, REACH_S) == ["BST", "GMT"]
    assert made.moments("BST", 1404216000) == [1404216000 - 3600]


def test_only_what_is_in_use() -> None:
    """What was in use at another time only is not supported: British Standard Time was all year."""
    assert Abbreviations().support("Europe/London", None, 1388534400, 86400) == ["GMT"]
    assert Abbreviations().support("Europe/London", None, 0, 86400) == ["BST"]


@pytest.mark.parametrize(
    ("one", "other", "label"),
    [
        ("Asia/Kolkata", "Asia/Jerusalem", "IST"),
        ("Europe/Dublin", "Asia/Jerusalem", "IST"),
        ("America/Chicago", "Asia/Shanghai", "CST"),
        ("America/Chicago", "America/Havana", "C[SD]T"),
    ],
)
def test_conflicts(one: str, other: str, label: str) -> None:
    """Zones that use an abbreviation otherwise are refused, in any order, and nothing of them is taken over."""
    for first, second in ((one, other), (other, one)):
        made = supported(first)
        before = dict(made._meanings)
        with pytest.raises(
            AmbiguousTimeZoneError, match=f"{label} means .* in {second}, and .* in {first}; exclude"
        ) as caught:
            made.support([second, "Europe/London"], None, AT, REACH_S)
        assert isinstance(caught.value, UnknownTimeZoneError)
        assert made._meanings == before and made.moments("BST", AT) is None
        made.support([second, first], [first], AT, REACH_S, reset=True)
        assert len(made.zones(label.replace("[SD]", "S"))) == 1


def test_a_refused_reset_keeps_what_there_was() -> None:
    """A region that is refused, or is none, changes nothing, not even with reset."""
    made = supported("CA")
    for wrong in (["Asia/Kolkata", "Asia/Jerusalem"], "Atlantis"):
        with pytest.raises(UnknownTimeZoneError):
            made.support(wrong, None, AT, REACH_S, reset=True)
        assert made.moments("NST", 1388577600) == [1388577600 + 12600]


def test_local_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The abbreviations of this machine's zone need no support; supported ones come first; 'MST' alone is a zone."""
    made = Abbreviations()
    assert made.moments("MST", 1404216000) == [1404216000 + 7 * 3600]
    assert made.moments("MDT", 1404216000) is None
    monkeypatch.setenv("TZ", "America/Edmonton")
    assert made.moments("MST", 1404216000) == []
    assert made.moments("MDT", 1404216000) == [1404216000 + 6 * 3600]
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    assert made.moments("CST", 1388577600) == [1388577600 - 8 * 3600]
    assert supported("America/Chicago").moments("CST", 1388577600) == [1388577600 + 6 * 3600]


def test_what_others_would_misread_is_an_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    """An abbreviation that is read as another moment, here or by what is supported, is never written."""
    assert render(1388548800, "Asia/Shanghai", 0) == "2014-01-01 12:00:00 CST"
    monkeypatch.setenv("TZ", "America/Chicago")
    assert render(1388548800, "Asia/Shanghai", 0) == "2014-01-01 12:00:00 +0800"
    assert parse("2014-01-01 12:00:00 CST", "Asia/Shanghai") == 1388548800


@pytest.mark.parametrize(("offset", "text"), [(0, "+0000"), (-12600, "-0330"), (38700, "+1045"), (-60, "-0001")])
def test_numeric(offset: int, text: str) -> None:
    """Offsets are hours and minutes, with a sign."""
    assert format_numeric(offset) == text
