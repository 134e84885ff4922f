"""Records read by hand, one at a time or at the speed of a clock."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import pytest

from cpppo.errors import UsageError
from cpppo.history import DataError, HistoryExhausted, RecordError, parse_record, reader, timestamp
from tests.history.test_stream import WHEN, line, lines


def test_parse_record() -> None:
    """The next record of a file: the number of its line, and its time, serial and data, these as text."""
    file = io.BytesIO(b"# comment\n\n" + b'2014-07-15 22:03:44.186\t["S", [0, 1]]\t{"read":  [1]}\r\n' + lines(1))
    number, (when, serial, text) = parse_record(file)
    assert (number, when, serial, text) == (2, 1405461824.186, ["S", [0, 1]], '{"read":  [1]}')
    assert parse_record(file, number) == (3, (timestamp(WHEN), None, "0"))
    with pytest.raises(StopIteration):
        parse_record(file)
    assert parse_record(iter([line(5)]), 6) == (7, (timestamp(WHEN + 5), None, "5"))
    assert parse_record(io.BytesIO(line(5).replace("5\n", '"\xe4"\n').encode("latin-1")), encoding="latin-1")[0] == 0


def test_parse_record_malformed() -> None:
    """A line that is none is an error with its number, and passed over; so is one that has no end."""
    file = io.BytesIO(b"one\n" + lines(1) + b"2014-07-15 22:03:44.186\tnull\t12")
    with pytest.raises(RecordError, match="line 0: no record") as caught:
        parse_record(file)
    assert isinstance(caught.value, ValueError)
    assert parse_record(file, 0)[0] == 1
    with pytest.raises(RecordError, match="line 2: torn"):
        parse_record(file, 1)
    with pytest.raises(RecordError, match="ascii"):
        parse_record(io.BytesIO(b"\xff\n"))


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float = 1e9) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "x.hst.0").write_bytes(lines(5))
    (tmp_path / "x.hst").write_bytes(lines(5, 5))
    return tmp_path / "x.hst"


def test_times(path: Path) -> None:
    """Historical time passes from its beginning on at the factor; realtime tells when it will be some time."""
    clock = Clock()
    made = reader(path, WHEN, factor=10, clock=clock)
    assert made.advance() == WHEN and str(made) == "2014-07-15 22:03:44.000 >  0:00:00.000 x 10.00 x.hst"
    clock.now += 2
    assert made.advance() == WHEN + 20 and made.advance(1e9 + 1) == WHEN + 10
    assert made.realtime(WHEN + 20) == clock.now and made.realtime(made.advance()) == clock.now
    assert reader(path, "2014-07-15 22:03:44", basis=clock.now - 5, clock=clock).advance() == WHEN + 5
    for wrong in (0, -1, float("nan")):
        with pytest.raises(UsageError, match="factor"):
            reader(path, WHEN, factor=wrong)


def test_open(path: Path) -> None:
    """Records come when they are due; until then there is None for the text, and the time of what is next."""
    clock = Clock()
    records = reader(path, WHEN + 2, factor=2, clock=clock).open()
    assert next(records) == ((".0", 3, timestamp(WHEN + 2)), (timestamp(WHEN + 2), "2"))
    assert next(records) == ((".0", 4, timestamp(WHEN + 2)), (timestamp(WHEN + 3), None))
    assert next(records)[1] == (timestamp(WHEN + 3), None)
    clock.now += 0.5
    assert next(records)[1] == (timestamp(WHEN + 3), "3")
    clock.now += 100
    rest = list(records)
    assert [text for _, (_, text) in rest] == list("456789") and rest[-1][0] == ("", 5, timestamp(WHEN + 203))


def test_open_options(path: Path) -> None:
    """It begins at any time, with or after the record that holds then, and looks ahead if asked."""
    made = reader(path, WHEN, clock=Clock())
    assert next(made.open(WHEN + 6.5, lookahead=100))[1] == (timestamp(WHEN + 7), "7")
    assert next(made.open(WHEN + 6.5, after=False, lookahead=100))[1] == (timestamp(WHEN + 6), "6")
    assert [text for _, (_, text) in itertools.islice(made.open(lookahead=3), 5)] == ["0", "1", "2", "3", None]


def test_open_malformed(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is no record is logged, or raised where that is wanted; data are not looked at."""
    path.write_bytes(b"bad\n" + line(6).replace("6\n", "{\n").encode())
    made = reader(path, WHEN, clock=Clock(1e10), basis=0)
    assert [text for _, (_, text) in made.open(WHEN)] == ["0", "1", "2", "3", "4", "{"]
    assert "x.hst, line 1: no record" in caplog.text
    with pytest.raises(DataError):
        list(made.open(WHEN, strict=True))
    with pytest.raises(HistoryExhausted):
        next(reader(path.with_name("none"), WHEN).open())


def test_bare_names(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without a directory is one of the current directory."""
    monkeypatch.chdir(path.parent)
    assert next(reader("x.hst", WHEN, clock=Clock()).open())[1] == (timestamp(WHEN), "0")
