"""The lines of a history file: written and read back, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import Error, UsageError
from cpppo.history import Record, RecordError, format_comment, format_record, parse_line
from cpppo.history.record import TORN
from cpppo.history.timestamp import render

WHEN = "2014-07-15 22:03:44.186"

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def test_form() -> None:
    """A record is time TAB serial TAB data, both JSON with a blank after commas and colons."""
    line = format_record(Record(WHEN, ["Tag_Name", [0, 3]], {"write": [0, 1, 2, 3]}))
    assert line == '2014-07-15 22:03:44.186\t["Tag_Name", [0, 3]]\t{"write": [0, 1, 2, 3]}\n'


@given(JSON, JSON)
def test_round_trip(serial: Any, data: Any) -> None:
    """Whatever JSON can hold is one line of ASCII, and read back as it was."""
    line = format_record(Record(WHEN, serial, data))
    assert line.isascii() and line.count("\n") == 1 and line.endswith("\n")
    assert parse_line(line) == Record(WHEN, serial, data)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_ends(end: str) -> None:
    """A line is read with any end, or none."""
    assert parse_line(f"{WHEN}\tnull\t12{end}") == (WHEN, None, 12)


def test_numbers_that_are_not_finite() -> None:
    """A REAL that is no number is recorded, too."""
    found = parse_line(format_record(Record(WHEN, "R", [math.nan, math.inf, -math.inf])))
    assert found is not None
    nan, *infinities = found.data
    assert math.isnan(nan) and infinities == [math.inf, -math.inf]


@pytest.mark.parametrize("data", [b"octets", {1, 2}, object(), {(1, 2): 3}], ids=lambda one: type(one).__name__)
def test_no_json(data: Any) -> None:
    """What JSON has no form for is refused, and the error says what it was."""
    with pytest.raises(RecordError, match="cannot be recorded") as caught:
        format_record(Record(WHEN, "Tag", data))
    assert "'Tag'" in str(caught.value) and isinstance(caught.value, Error)


def test_endless() -> None:
    """Values that hold themselves, or nest without end, are refused both ways."""
    own: list[Any] = []
    own.append(own)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for data in (own, deep):
        with pytest.raises(RecordError):
            format_record(Record(WHEN, None, data))
    with pytest.raises(RecordError, match="data"):
        parse_line(f"{WHEN}\tnull\t{'[' * 100_000}")


@pytest.mark.parametrize("when", ["", "  ", "2014\t07", "# 2014", "2014\n", "now\u2028"])
def test_times_that_would_not_be_read_back(when: str) -> None:
    """The text of a time that would be read as something else is refused."""
    with pytest.raises(RecordError, match="no time of a record"):
        format_record(Record(when, None, None))


@given(st.text())
def test_comments(text: str) -> None:
    """Any comment is one line of ASCII, which no reader takes for a record."""
    line = format_comment(text)
    assert line.startswith("# ") and line.isascii() and line.count("\n") == 1
    assert "\r" not in line and parse_line(line) is None


def test_comment_shows_its_text() -> None:
    """A comment stands as it was given; line ends and other scripts are escaped."""
    assert format_comment("a b: 'c'") == "# a b: 'c'\n"
    assert format_comment("a\nb\u00e9") == "# a\\nb\\xe9\n"


@pytest.mark.parametrize("line", ["", "\n", "  \r\n", "# anything\tat\tall", "  # indented"])
def test_no_record(line: str) -> None:
    """Empty lines and comments are None."""
    assert parse_line(line) is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("some text", "time TAB serial TAB data"),
        (f"{WHEN}\tnull", "time TAB serial TAB data"),
        (f"{WHEN}\tnull\t1\t2", "time TAB serial TAB data"),
        ("\tnull\t1", "time TAB serial TAB data"),
        (f"{WHEN}\tTag\t1", "serial of a record is not JSON"),
        (f"{WHEN}\tnull\t{{'a': 1}}", "data of a record is not JSON"),
        (f"{WHEN}\tnull\t1 2", "data of a record is not JSON"),
        (f"{WHEN}\tnull\t{'1' * 5000}", "data of a record is not JSON"),
    ],
    ids=range(8),
)
def test_malformed(line: str, says: str) -> None:
    """What is no record is an error that says why and shows the beginning of the line."""
    with pytest.raises(RecordError, match=says) as caught:
        parse_line(line)
    assert repr(line[:20])[1:-1] in str(caught.value)


@pytest.mark.parametrize("data", [1234, [1, 2], {"read": [1]}, "text", None, True])
def test_torn_lines_are_no_records(data: Any) -> None:
    """A record cut anywhere and ended as torn is never taken for one, even if it is JSON by chance."""
    line = format_record(Record(WHEN, 5, data))
    for cut in range(1, len(line)):
        with pytest.raises(RecordError):
            parse_line(line[:cut] + TORN.decode())


# -- moments


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "1970-01-01 00:00:00.000"),
        (1405461824.186, "2014-07-15 22:03:44.186"),
        (1399326141.999836, "2014-05-05 21:42:22.000"),
        (1399326141.9994, "2014-05-05 21:42:21.999"),
        (-0.001, "1969-12-31 23:59:59.999"),
        (253402300799.999, "9999-12-31 23:59:59.999"),
    ],
)
def test_render(value: float, text: str) -> None:
    """A moment is UTC to the millisecond, rounded, whichever zone the machine is in."""
    assert render(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e12, -1e12, 1e300])
def test_no_moment(value: float) -> None:
    """What is no moment is refused."""
    with pytest.raises(UsageError, match="no moment"):
        render(value)
