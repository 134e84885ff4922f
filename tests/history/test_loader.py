"""Values of registers, played back: when they are due, what each register has, and all that can be wrong."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from cpppo.history import DataError, HistoryExhausted, IframeError, loader, timestamp
from cpppo.history.moments import render
from tests.history.test_reader import Clock

WHEN = 1405461824.0


def write(path: Path, *records: Any, begin: int = 0) -> None:
    with open(path, "w", encoding="ascii") as file:
        for number, data in enumerate(records, begin):
            file.write(f"{render(WHEN + number)}\tnull\t{data if isinstance(data, str) else json.dumps(data)}\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "x.hst.0", {"1": 10, "2": 20}, {"1": 11}, '"a note"', "null")
    write(tmp_path / "x.hst", {"2": 24}, {"1": 15, "3": 35}, begin=4)
    return tmp_path / "x.hst"


def event(number: int, **values: int) -> dict[str, Any]:
    found = {int(register[1:]): value for register, value in values.items()}
    return {"timestamp": timestamp(WHEN + number), "command": "register", "values": found}


def test_load(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Events come when they are due; registers keep their values, and the moment they got them; notes are logged."""
    caplog.set_level(logging.INFO, "cpppo.history")
    clock = Clock()
    made = loader(path, WHEN, factor=2, clock=clock)
    assert made and made.statename == "INITIAL" and made.until == WHEN
    assert made.load() == (timestamp(WHEN), [event(0, r1=10, r2=20)])
    assert made.statename == "STREAMING" and list(made.future) == [event(1, r1=11)]
    assert made.load() == (timestamp(WHEN), [])
    clock.now += 2.5
    current, events = made.load()
    assert current == WHEN + 5 and events == [event(1, r1=11), event(4, r2=24), event(5, r1=15, r3=35)]
    assert made.values == {
        1: (timestamp(1e9 + 2.5), 15),
        2: (timestamp(1e9 + 2), 24),
        3: (timestamp(1e9 + 2.5), 35),
    }
    assert made.until == WHEN + 5 and "a note" in caplog.text
    assert made.load()[1] == [] and made.statename == "COMPLETE" and not made
    assert made.load()[1] == []


def test_begins_with_what_holds(path: Path) -> None:
    """It begins with the record that holds at its time, though that is older."""
    made = loader(path, WHEN + 4.5, clock=Clock())
    assert made.load()[1] == [event(4, r2=24)]
    assert loader(path, WHEN + 99, clock=Clock()).load()[1] == [event(5, r1=15, r3=35)]


def test_limits(path: Path) -> None:
    """So many events at once, and so many known ahead; the lookahead says how far."""
    made = loader(path, WHEN, basis=1e9 - 99, clock=Clock())
    assert [len(made.load(limit=2)[1]) for _ in range(3)] == [2, 2, 0] and made.statename == "COMPLETE"
    ahead = loader(path, WHEN, lookahead=4, clock=Clock())
    ahead.load()
    assert [one["timestamp"] for one in ahead.future] == [WHEN + 1, WHEN + 4, WHEN + 5]
    few = loader(path, WHEN, lookahead=4, clock=Clock())
    few.load(upcoming=1)
    assert len(few.future) == 1


def test_duration(path: Path) -> None:
    """It is complete after its duration, be there more or less to play; the duration can be changed."""
    clock = Clock()
    made = loader(path, WHEN, duration=2, clock=clock)
    clock.now += 10
    assert made.load()[1] == [event(0, r1=10, r2=20), event(1, r1=11)] and made.statename == "COMPLETE"
    clock.now = 1e9 + 6
    waits = loader(path, WHEN, basis=1e9, duration=100, clock=clock)
    assert len(waits.load()[1]) == 4 and waits.load()[1] == [] and waits.statename == "AWAITING" and waits
    waits.duration = 5
    assert waits.load()[1] == [] and waits.statename == "COMPLETE"


def test_states(path: Path) -> None:
    """All is read before all is due: exhausted; another file: switching."""
    clock = Clock(1e9 + 4)
    made = loader(path, WHEN, basis=1e9, clock=clock)
    assert len(made.load(limit=3, upcoming=1)[1]) == 3 and made.statename == "SWITCHING"
    made.lookahead = 100
    made.load()
    assert made.statename == "EXHAUSTED" and made and len(made.future) == 1
    assert [loader.INITIAL, loader.SWITCHING, loader.STREAMING, loader.EXHAUSTED] == [0, 1, 2, 3]
    assert [loader.AWAITING, loader.COMPLETE, loader.FAILED] == [4, 5, 6]
    assert [loader.SUPPRESS, loader.FAIL, loader.RAISE] == [0, 1, 2]


BAD = ['{"1": "x"}', '{"x": 1}', "[1]", "12", "{", '{"1": 1e999}', '{"1": [1]}', '{"1": NaN}']


@pytest.mark.parametrize("bad", BAD)
def test_bad_data(bad: str, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Data that are no registers are passed over, end it, or are raised, with file, line and reason."""
    write(path, {"1": 1}, bad, {"1": 3})
    path.with_name("x.hst.0").unlink()

    def made() -> loader:
        return loader(path, WHEN, basis=0, clock=Clock())

    assert [one["values"][1] for one in made().load()[1]] == [1, 3]
    assert f"{path}, line 2: its data are no registers" in caplog.text
    failed = made()
    assert [one["values"][1] for one in failed.load(on_bad_data=loader.FAIL)[1]] in ([1], [])
    assert failed.statename == "FAILED" and not failed and failed.load()[1] == []
    with pytest.raises(DataError, match="x.hst, line 2: its data are no registers"):
        made().load(on_bad_data=loader.RAISE)


@pytest.mark.parametrize("bad", ["{", "no record"])
def test_bad_beginning(bad: str, path: Path) -> None:
    """A first record that is bad ends it, is passed over, or is raised as what it is."""
    write(path, bad, {"1": 3})
    if bad == "no record":
        path.write_text(path.read_text().replace("\tnull\tno record", ""))
    path.with_name("x.hst.0").unlink()

    def made() -> loader:
        return loader(path, WHEN, basis=0, clock=Clock())

    failed = made()
    assert failed.load()[1] == [] and failed.statename == "FAILED"
    assert [one["values"][1] for one in made().load(on_bad_iframe=loader.SUPPRESS)[1]] == [3]
    with pytest.raises(IframeError, match="x.hst, line 1: "):
        made().load(on_bad_iframe=loader.RAISE)


def test_no_file(path: Path) -> None:
    """No file is a bad beginning; suppressed, it is looked for again."""
    missing = path.with_name("none.hst")
    assert not loader(missing, WHEN).load()[1]
    with pytest.raises(HistoryExhausted):
        loader(missing, WHEN).load(on_bad_iframe=loader.RAISE)
    made = loader(missing, WHEN, basis=0, clock=Clock())
    assert made.load(on_bad_iframe=loader.SUPPRESS)[1] == [] and made
    write(missing, {"1": 5})
    assert made.load()[1] == [event(0, r1=5)]
