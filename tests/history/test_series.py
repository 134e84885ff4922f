"""What records say as series, and how these are thinned out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.history import Entry
from cpppo.history.files import Member
from cpppo.history.plot import sparkline
from cpppo.history.series import TagValues, Thinned, points, tag_values


def entry(serial: Any, data: Any) -> Entry:
    return Entry(0.0, serial, data, Member(Path("x"), None, ""), 1)


@pytest.mark.parametrize(
    ("serial", "data", "expected"),
    [
        (["Tag", [3, 4]], {"write": [1, 2]}, {"Tag[3]": 1, "Tag[4]": 2}),
        (["S", [0, 0]], {"read": [1.5]}, {"S[0]": 1.5}),
        (None, {"40001": 5, "40002": 6}, {"40001": 5, "40002": 6}),
        ("unit 7", {"level": 5}, {"unit 7.level": 5}),
        ("Level", 12.5, {"Level": 12.5}),
        (None, 12.5, {"value": 12.5}),
        (None, [1, 2], {"[0]": 1, "[1]": 2}),
        (["x", 1], None, {'["x", 1]': None}),
    ],
)
def test_points(serial: Any, data: Any, expected: dict[str, Any]) -> None:
    """Elements of tags, keys and items are series of their own."""
    assert dict(points(entry(serial, data))) == expected


@given(st.recursive(st.none() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_any_json(value: Any) -> None:
    """Whatever is recorded has series, and is no tag by chance."""
    for one in (
        entry(value, value),
        entry(["Tag", value], {"write": value}),
        entry(["Tag", [value, 1]], {"read": [1]}),
    ):
        assert all(isinstance(name, str) for name, _ in points(one))
        found = tag_values(one)
        assert found is None or (type(found.first) is int and found.first >= 0)
        json.dumps(list(points(one)))


def test_tag_values() -> None:
    """A record of tags is told from others."""
    assert tag_values(entry(["Tag", [3, 4]], {"write": [1, 2]})) == TagValues("Tag", 3, [1, 2], True)
    assert tag_values(entry(["Tag", [3, 3]], {"read": [1]})) == TagValues("Tag", 3, [1], False)
    for other in (["Tag", [-1, 3]], ["Tag"], "Tag", ["Tag", ["a", 1]], [1, [0, 0]]):
        assert tag_values(entry(other, {"read": [1]})) is None


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=200), st.integers(2, 20))
def test_thinned(values: list[tuple[float, float]], most: int) -> None:
    """However many values there are, there are so many lengths of time, and no peak is lost."""
    thinned = Thinned(0.0, most)
    for when, value in values:
        thinned.add(when, value)
    bins = list(thinned.bins())
    assert len(bins) <= most
    assert min(one[1] for one in bins) == min(value for _, value in values)
    assert max(one[3] for one in bins) == max(value for _, value in values)
    assert all(low - 1e-6 <= mean <= high + 1e-6 for _, low, mean, high in bins)


def test_time_that_goes_back() -> None:
    """What is before the start counts as there."""
    thinned = Thinned(100.0)
    thinned.add(50.0, 1.0)
    assert [one[1:] for one in thinned.bins()] == [(1.0, 1.0, 1.0)]


def test_sparkline() -> None:
    """The higher the block the larger the value; blank where there is none, and where it is no number."""
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([0, None, float("nan"), 7], plain=True) == "_  @"
    assert sparkline([5, 5]) == "▁▁" and sparkline([None]) == " " and sparkline([]) == ""
