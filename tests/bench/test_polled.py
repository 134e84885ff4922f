"""Two hundred devices polled from one process: on time, no growth, nothing left; the verdict finds what is not so."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.polled import LATE_S, Outcome, Taken, main
from bench.remote import fewest
from tests.tools import ROOT, python_environment

SAME = Taken(30_000_000, 1, 2)
BUSY = Taken(34_000_000, 201, 202)


def outcome(**changes: Any) -> Outcome:
    """A run without fault, but for the changes."""
    good = Outcome(200, 60.0, 11_990, 0, [], 0.02, 0.001, 6.0, SAME, BUSY, BUSY, SAME)
    return good._replace(**changes)


@pytest.mark.long
def test_two_hundred_devices() -> None:
    """Five seconds in a process of its own: none is late by 100 ms, nothing grows.  A busy machine is tried thrice."""
    told = ""
    for _ in range(3):
        run = subprocess.run(
            [sys.executable, "-m", "bench.polled", "--seconds", "5", "--devices", "200"],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            env=python_environment(),
        )
        told = run.stdout + run.stderr
        if run.returncode == 0:
            break
    assert run.returncode == 0, told
    polls = re.search(r"5\.\d s: ([\d,]+) polls, 0 left out", told)
    assert polls is not None and 800 <= int(polls[1].replace(",", "")) <= 1000, told
    assert re.search(r"CPU: \d+\.\d% of a core", told)
    assert "left: 0 tasks, 0 sockets" in told


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"polls": 11_000}, "11000 polls, where 11800 were due at least"),
        ({"missed": 1}, "1 polls were left out"),
        ({"late_s": LATE_S + 0.01}, "late by 110 ms, more than 100 ms"),
        ({"during": BUSY._replace(memory=36_000_000)}, "the memory grew by more than 5%"),
        ({"during": BUSY._replace(tasks=202)}, "1 tasks more at the end of the run"),
        ({"after": SAME._replace(sockets=5)}, "3 sockets more at the end of all"),
        ({"warnings": ["device 1 slipped; missed 1 cycles"]}, "device 1 slipped; missed 1 cycles"),
    ],
)
def test_verdict(changes: dict[str, Any], problem: str) -> None:
    """What is late, left out, left or grown is a problem."""
    assert outcome().problems() == []
    assert any(problem in one for one in outcome(**changes).problems())


def test_short_runs_say_nothing_of_memory() -> None:
    """Where all has just begun memory still grows."""
    assert outcome(seconds=5.0, during=BUSY._replace(memory=40_000_000)).problems() == []


def test_the_command_tells(capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what it did, and ends with status 0 if nothing was wrong."""
    assert main(["--seconds", "1.2", "--devices", "3"]) == 0
    assert "3 devices of 10 registers every 1 s, 1.2 s" in capsys.readouterr().out


@given(st.sets(st.integers(0, 14), min_size=1, max_size=7), st.integers(1, 5), st.integers(1, 6))
def test_the_fewest_requests(places: set[int], reach: int, limit: int) -> None:
    """Taking as much as possible from the left needs as few requests as the best way to cut, of all ways there are."""
    ordered = sorted(places)

    def whole(part: list[int]) -> bool:
        near = all(after - before <= reach for before, after in zip(part, part[1:], strict=False))
        return near and part[-1] - part[0] < limit

    for cuts in range(len(ordered)):
        for chosen in combinations(range(1, len(ordered)), cuts):
            edges = [0, *chosen, len(ordered)]
            if all(whole(ordered[one:other]) for one, other in zip(edges, edges[1:], strict=False)):
                assert fewest(list(places), reach, limit) == cuts + 1
                return
