"""The long run, in short: many clients leave a simulator as they found it, and what is wrong is found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from typing import Any

import pytest

from bench.soak import Report, Taken, main, soak
from bench.soak_member import KINDS, REFUSALS, Member
from bench.soak_tags import AREAS, Area, tags
from cpppo.server.enip.client import connector
from cpppo.server.enip.wire.types import SINT
from tests.tools import ROOT, python_environment

#: What is tested is the harness, which is the same by each interpreter.
pytestmark = pytest.mark.long

SEED = 4


class Mistaken(Member):
    """Client 0 has a wrong idea of what is in its elements; the others are right."""

    def __init__(self, number: int, clients: int, port: int, seed: int, stop: threading.Event) -> None:
        super().__init__(number, clients, port, seed, stop)
        for area in AREAS:
            self.remember(area, 0, [area.kind.default])

    def remember(self, area: Area, first: int, values: list[Any]) -> None:
        if self.number == 0:
            values = [value + type(value)(1) for value in values]
        super().remember(area, first, values)


class Careless(Member):
    """It writes what a real controller would refuse, about which the simulator warns."""

    def run(self) -> None:
        connection = connector("127.0.0.1", self.port, timeout=10.0)
        assert connection.process([{"path": "Counts", "data": [1], "tag_type": SINT}]) == (0, [True])
        connection.close()


def report(**changes: Any) -> Report:
    """A run without fault, but for the changes."""
    counts: Counter[str] = Counter(read=5)
    same = Taken(20_000_000, 1, 1)
    good = Report(60.0, 8, SEED, counts, Counter(), Counter(), [], same, same, (50e6, 52e6), False)
    return good._replace(**changes)


def test_short_run() -> None:
    """Clients that read, write, err, vanish and talk nonsense find what they must, and leave nothing behind."""
    result = soak(3.0, 8, SEED)
    assert result.problems() == []
    assert result.done["read"] > 0 and result.done["last look"] == 8
    assert sum(result.expected.values()) > 0
    text = "\n".join(result.lines())
    assert all(kind in text for kind in (*KINDS, *REFUSALS))
    assert f"8 clients, {result.seconds:.1f} s, seed {SEED}" in text


def test_wrong_value_is_found() -> None:
    """Values that are not what a client expects are reported, with the client and the element; others are content."""
    result = soak(0.5, 2, SEED, Mistaken)
    assert {text.split(":")[0] for _, text in result.faults} == {"client 0"}
    assert any(", not [" in problem for problem in result.problems())


def test_output_of_the_simulator_is_found() -> None:
    """A line on the simulator's standard error is a fault."""
    result = soak(0.1, 1, SEED, Careless)
    assert any(kind == "simulator" and "SINT written to Counts" in text for kind, text in result.faults)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"memory": (50e6, 53e6)}, "the memory grew by more than 5%"),
        ({"after": Taken(20_000_000, 3, 1)}, "2 threads left"),
        ({"after": Taken(20_000_000, 1, 2)}, "1 sockets left"),
        ({"expected": Counter({REFUSALS[0]: 1})}, "errors expected"),
        ({"faults": [("read", f"client {number}: it is wrong") for number in range(30)]}, "and 10 more"),
    ],
)
def test_verdict(changes: dict[str, Any], problem: str) -> None:
    """Growth beyond the limit, threads and connections left, errors that were not answered: each is a problem."""
    assert report().problems() == []
    assert any(problem in one for one in report(**changes).problems())


def test_without_proc() -> None:
    """Where the system does not tell what a process takes, the table says so, and nothing is judged by it."""
    unknown = report(before=None, after=None, memory=None)
    assert unknown.problems() == []
    assert sum("no /proc" in line for line in unknown.lines()) == 2


def test_freed_memory_is_no_growth() -> None:
    """A run that ends with less memory than it began with is in order, and says how much."""
    smaller = report(memory=(50e6, 45e6))
    assert smaller.problems() == []
    assert any("45.0 MB at the end: -10.0%" in line for line in smaller.lines())


def test_interrupted() -> None:
    """Ctrl-C, which a terminal sends to the simulator too, ends it early with the table and status 130."""
    command = [sys.executable, "-m", "bench.soak", "--seconds", "60", "--clients", "2", "--seed", str(SEED)]
    environment = python_environment()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert "of 60 s" in first
    assert (process.returncode, errors) == (130, "")
    assert "2 clients, " in output and "unexpected:" not in output


@pytest.mark.parametrize("wrong", [["--seconds", "0"], ["--clients", "-1"], ["--seconds", "nan"], ["--clients", "x"]])
def test_wrong_usage(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers that make no sense are refused."""
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_areas_hold_more_than_a_reply() -> None:
    """There are tags that can only be read in fragments, and a dozen of them at least."""
    assert max(area.own * area.kind.size for area in AREAS) > 1000
    assert len(tags(3)) >= 12
