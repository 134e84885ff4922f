"""A plant that is recorded, and a simulator that is driven by the recording."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bench.recorded import compared, recorded_and_replayed
from cpppo.history import HistoryExhausted, Stream, Writer
from cpppo.server.enip import simulator
from cpppo.server.enip.client import connector, parse_operations
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.replay import Replay
from cpppo.server.enip.wire.types import INT
from tests.tools import Server, run_module

WHEN = 1405461824.0


def recorded(path: Path) -> list[tuple[float, Any, Any]]:
    return [(one.when, one.serial, one.data) for one in Stream(path).entries() if one]


class Seen(Attribute):
    """Tells what is set."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.values: list[Any] = []
        self.wanted, self.there = 0, threading.Event()

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self.values.append((key, value))
        if len(self.values) >= self.wanted:
            self.there.set()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "x.hst"
    with Writer(made) as writer:
        for number in range(5):
            writer.write({"write": [number, number + 1]}, WHEN + number * 0.01, ["level", [1, 2]])
    return made


def driven(path: Path, **options: Any) -> tuple[Seen, Replay]:
    device, tag = Device(), Seen("Level", INT, default=[0] * 4)
    device.add_tag(tag)
    return tag, Replay(device, str(path), **options)


def test_values_are_set(path: Path) -> None:
    """Each record sets its elements, in order, whatever the case of the name; then it is over."""
    tag, replay = driven(path, factor=100)
    replay.start()
    replay.join(20)
    assert tag.values == [(slice(1, 3), [number, number + 1]) for number in range(5)]
    replay.stop()


def test_loop_and_stop(path: Path) -> None:
    """In a loop it goes on until it is stopped, which does not wait for the next record."""
    tag, replay = driven(path, factor=1000, loop=True)
    tag.wanted = 12
    replay.start()
    assert tag.there.wait(20)
    replay.stop()
    assert [value[0] for _, value in tag.values[:12]] == [0, 1, 2, 3, 4] * 2 + [0, 1]
    with Writer(path) as writer:
        writer.write({"write": [1]}, WHEN + 3600, ["Level", [0, 0]])
    tag, replay = driven(path)
    tag.wanted = 5
    replay.start()
    assert tag.there.wait(20)
    replay.stop()
    assert len(tag.values) == 5


def test_what_cannot_be_set(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Tags that are not there, values that do not fit, other records and bad lines are told once, and passed over."""
    with Writer(path) as writer:
        for number in range(2):
            writer.write({"write": [1]}, WHEN + 1, ["Nothing", [0, 0]])
            writer.write({"write": [1] * 9}, WHEN + 1, ["Level", [0, 8]])
            writer.write({"write": ["text"]}, WHEN + 1, ["Level", [0, 0]])
            writer.write(number, WHEN + 1)
            writer.write({"write": [9]}, WHEN + 1, ["Level", [0, 0]])
    with path.open("a") as file:
        file.write("bad\n")
    tag, replay = driven(path, factor=1e6)
    replay.start()
    replay.join(20)
    assert tag.values[-1][1] == [9] and len(tag.values) == 7
    assert caplog.text.count("tag Nothing that cannot be played: there is none of that name here") == 1
    assert caplog.text.count("tag Level that cannot be played") == 1
    assert caplog.text.count("records that are not of tags") == 1 and "line 16: no record" in caplog.text


def test_no_recording(tmp_path: Path) -> None:
    """A recording that is not there is told before anything is served."""
    with pytest.raises(HistoryExhausted):
        driven(tmp_path / "none")
    told = run_module("cpppo.server.enip", "-a", "127.0.0.1:0", "--play", str(tmp_path / "none"), "Level")
    assert told.returncode == 1 and "cannot play" in told.stderr and "there is no such file" in told.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--loop"], "name it: --play FILE"),
        (["--factor", "2"], "name it: --play FILE"),
        (["--play", "x", "--factor", "0"], "not a number above 0"),
        (["--play", "x", "--factor", "fast"], "not a number above 0"),
        (["--play", "x", "--factor", "nan"], "not a number above 0"),
    ],
)
def test_options_that_make_no_sense(options: list[str], says: str) -> None:
    """Options of playing without a recording, or of no speed, are refused."""
    told = run_module("cpppo.server.enip", *options, "Level")
    assert told.returncode == 2 and says in told.stderr


def test_client_records_and_server_plays(tmp_path: Path) -> None:
    """What enip_client records, a server plays to any client."""
    path = tmp_path / "plant.hst"
    with simulator("Level=REAL[4]", "Name=STRING", "Pump=BOOL") as plc:
        where = "{}:{}".format(*plc.address)
        done = run_module(
            "cpppo.server.enip.client", "-a", where, "-p", "--record", str(path),
            "Level[1-2]=1.5,2.5", "Level[0-3]", "Name='unit 7'", "Pump=1", "Nothing",
        )  # fmt: skip
    assert done.returncode == 1
    assert [(serial, data) for _, serial, data in recorded(path)] == [
        (["Level", [1, 2]], {"write": [1.5, 2.5]}),
        (["Level", [0, 3]], {"read": [0.0, 1.5, 2.5, 0.0]}),
        (["Name", [0, 0]], {"write": ["unit 7"]}),
        (["Pump", [0, 0]], {"write": [True]}),
    ]
    assert ": Nothing: Status 4 " in path.read_text()
    with Server("--play", str(path), "--factor", "1000", "Level=REAL[4]", "Name=STRING", "Pump=BOOL") as server:
        connection = connector(*server.address, timeout=5.0)
        deadline = time.monotonic() + 20
        values: Any = None
        while values != [[0.0, 1.5, 2.5, 0.0], ["unit 7"], [True]] and time.monotonic() < deadline:
            _, values = connection.process(operations=parse_operations(["Level[0-3]", "Name", "Pump"]))
        connection.close()
    assert values == [[0.0, 1.5, 2.5, 0.0], ["unit 7"], [True]]


def test_client_cannot_record(tmp_path: Path) -> None:
    """A file that cannot be written is told before anything is asked of the controller."""
    with simulator("Level=REAL") as plc:
        done = run_module(
            "cpppo.server.enip.client", "-a", "{}:{}".format(*plc.address), "--record", str(tmp_path), "Level=5"
        )
        assert done.returncode == 2 and "cannot record to" in done.stderr and plc["Level"].value == 0


@pytest.mark.long
def test_plant_is_recorded_under_load_and_replayed(tmp_path: Path) -> None:
    """A plant recorded for five seconds under load is replayed at 10 times its speed: value by value, none early."""
    outcome = recorded_and_replayed(tmp_path, 5.0, 4, 10.0)
    assert outcome.records > 100 and outcome.differences == []
    assert outcome.least_late_s > -0.1  # how late depends on what else the machine does


def test_differences_are_found(path: Path, tmp_path: Path) -> None:
    """A recording that lacks a value, or has another, is not the same."""
    other = tmp_path / "other.hst"
    other.write_text(path.read_text().replace("[3, 4]", "[3, 5]"))
    assert [one.partition(":")[0] for one in compared(path, other, 1.0).differences] == ["record 4"]
    other.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert compared(path, other, 1.0).differences == ["5 records, and 4 when replayed"]
    assert compared(path, path, 1.0) == (5, [], 0.0, 0.0)
