"""The table of modbus_poll: what it shows, and how it fits."""

from __future__ import annotations

import io

import pytest

from cpppo.remote.modbus_poll_table import Row, Screen, coloured, table

ROWS = [Row(40001, 123, 0.25), Row(2, True, 1.0, fresh=True), Row(40003, None, None, 3, 2, 1, "IllegalAddress")]


class Terminal(io.StringIO):
    """A stream that is one."""

    def isatty(self) -> bool:
        return True


def test_what_it_shows() -> None:
    """A title, a head, a line an address, and the note."""
    lines = table("plc: online", ROWS, "the latest", (100, 24), False)
    assert lines[0] == "plc: online"
    assert lines[1].split() == "address value age exceptions time-outs others last failure".split()
    assert [line.split() for line in lines[2:5]] == [
        ["40001", "123", "0.2", "s"],
        ["2", "True", "1.0", "s"],
        ["40003", "-", "3", "2", "1", "IllegalAddress"],
    ]
    assert lines[5:] == ["the latest"]
    assert lines[1].index("last failure") == lines[4].index("IllegalAddress")


@pytest.mark.parametrize(("columns", "height"), [(100, 24), (20, 24), (100, 6), (10, 5), (1, 1)])
def test_it_fits(columns: int, height: int) -> None:
    """No line is as wide as the window, and not more lines than it has, down to where nothing can be seen anyway."""
    rows = [Row(40001 + number, number, 0.1, last="x" * 200) for number in range(50)]
    lines = table("t" * 300, rows, "n" * 300, (columns, height), False)
    assert all(len(line) <= max(columns - 1, 1) for line in lines)
    assert len(lines) <= max(height - 1, 5)


def test_what_does_not_fit_is_said() -> None:
    """How many addresses are not shown."""
    rows = [Row(40001 + number, number, 0.1) for number in range(50)]
    lines = table("title", rows, "", (100, 14), False)
    assert len(lines) == 13
    assert lines[-1] == "... and 40 more addresses, for which the window is too low"


def test_colours() -> None:
    """Missing values are red, new ones green; without colours there are no escapes at all."""
    painted = table("title", ROWS, "", (100, 24), True)
    assert painted[4].startswith("\x1b[31m") and painted[3].startswith("\x1b[32m") and "\x1b" not in painted[2]
    assert not any("\x1b" in line for line in table("title", ROWS, "", (100, 24), False))


@pytest.mark.parametrize(
    ("stream", "environment", "wanted"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_where_colours_are_wanted(stream: io.StringIO, environment: dict[str, str], wanted: bool) -> None:
    """On a terminal that has them, unless NO_COLOR says otherwise."""
    assert coloured(stream, environment) is wanted


def test_in_place() -> None:
    """Lines are written over the last ones; what these had more is cleared, and the cursor returns at the end."""
    stream = Terminal()
    screen = Screen(stream)
    screen.show(["one", "two"])
    screen.show(["three"])
    screen.close()
    assert stream.getvalue() == (
        "\x1b[?25l\rone\x1b[K\ntwo\x1b[K\n\x1b[J" + "\x1b[2A\rthree\x1b[K\n\x1b[J" + "\x1b[?25h"
    )


def test_nothing_shown() -> None:
    """Where nothing was shown nothing is to be undone."""
    stream = Terminal()
    Screen(stream).close()
    assert stream.getvalue() == ""
