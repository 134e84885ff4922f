"""Closures posted during a run: called in order once it is over, however it ended, and never a run's failure."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from cpppo.automata import dfa, dfa_post, state_input
from cpppo.errors import GrammarError, NonTerminal
from cpppo.logs import log


class poster(state_input):
    """Posts for each symbol it takes what ``make(symbol)`` gives."""

    make: Callable[[Any], Callable[[], object]]

    def process(self, source: Any, machine: Any, path: str | None, data: Any) -> None:
        machine.post(self.make(next(source)))


def posting(make: Callable[[Any], Callable[[], object]], terminal: bool = True) -> dfa_post:
    """A machine of any symbols that posts for each."""
    here = poster("P", terminal=terminal)
    here.make = make
    here[str.isalpha] = here
    return dfa_post("M", here, terminal=True)


def into(calls: list[Any]) -> Callable[[Any], Callable[[], object]]:
    """Makes closures that tell their symbol to ``calls``."""
    return lambda symbol: lambda: calls.append(symbol)


def test_called_in_order_after_the_run() -> None:
    """Nothing is called before the run is over; then all is, in the order posted."""
    calls: list[Any] = []
    for _ in posting(into(calls)).run("abc."):
        assert calls == []
    assert calls == ["a", "b", "c"]


def test_called_after_a_failure() -> None:
    """A run that failed calls what was posted, too, before the error is seen."""
    calls: list[Any] = []
    with pytest.raises(NonTerminal):
        list(posting(into(calls), terminal=False).run("ab."))
    assert calls == ["a", "b"]


@pytest.mark.parametrize("terminal", [False, True])
def test_called_for_an_abandoned_run(terminal: bool) -> None:
    """A run closed halfway calls what was posted until then, whether its sentence was whole or not."""
    calls: list[Any] = []
    run = posting(into(calls), terminal).run("abc")
    for _ in range(3):
        next(run)
    assert calls == []
    run.close()
    assert calls == ["a", "b"]


def test_called_where_the_consumer_fails() -> None:
    """An error thrown into the run is as any other."""
    calls: list[Any] = []
    run = posting(into(calls)).run("abc")
    next(run), next(run)
    with pytest.raises(ZeroDivisionError):
        run.throw(ZeroDivisionError())
    assert calls == ["a"]


def test_called_when_its_own_machine_is_over() -> None:
    """Inside another machine, closures are called when the machine they were posted to is left."""
    calls: list[Any] = []
    inner = posting(into(calls))
    inner["."] = state_input("end", terminal=True)
    seen = [(entered and entered.name, list(calls)) for _, entered in dfa("O", initial=inner).run("ab.")]
    assert seen[-2:] == [("P", []), ("end", ["a", "b"])]


def test_each_run_has_its_own() -> None:
    """Two runs of one machine at once each call only what was posted in them."""
    calls: list[Any] = []
    machine = posting(into(calls))
    one, two = machine.run("ab"), machine.run("xy")
    for run in (one, two, one, two):
        next(run)
    list(two)
    assert calls == ["x", "y"]
    list(one)
    assert calls == ["x", "y", "a", "b"]


def test_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A closure that fails is logged, with machine and traceback; the next is called, and the run is no failure."""
    calls: list[Any] = []

    def make(symbol: str) -> Callable[[], object]:
        return (lambda: calls.append(1 / 0)) if symbol == "b" else into(calls)(symbol)

    with caplog.at_level(logging.ERROR, logger=log.name):
        list(posting(make).run("abc"))
    assert calls == ["a", "c"]
    (record,) = caplog.records
    assert record.exc_info and record.exc_info[0] is ZeroDivisionError
    assert "M" in record.getMessage() and "lambda" in record.getMessage()


def test_closures_that_end_the_program_do() -> None:
    """What is no Exception is not swallowed."""

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(posting(lambda symbol: stop).run("a"))


def test_posting_to_the_machine() -> None:
    """The machine itself takes closures for the calling thread's run, which another thread has none of."""
    calls: list[Any] = []
    machine = posting(into(calls))
    run = machine.run("ab")
    next(run)
    machine.post(lambda: calls.append("own"))
    refused: list[Exception] = []

    def elsewhere() -> None:
        try:
            machine.post(lambda: calls.append("other"))
        except GrammarError as exc:
            refused.append(exc)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    list(run)
    assert (calls, len(refused)) == (["own", "a", "b"], 1)


def test_posting_before_any_run() -> None:
    """Without a run there is nothing to post to."""
    with pytest.raises(GrammarError, match="is not running in this thread; post while it runs"):
        posting(into([])).post(lambda: None)


@pytest.mark.parametrize("text", ["ab", "."])
def test_posting_after_the_run(text: str) -> None:
    """After the run it is too late."""
    machine = posting(into([]), terminal=text == "ab")
    try:
        list(machine.run(text))
    except NonTerminal:
        pass
    with pytest.raises(GrammarError, match="this run is over; post while it runs"):
        machine.post(lambda: None)


def test_nothing_posted() -> None:
    """A machine whose states post nothing is as any other, and may be entered by ``with``."""
    machine = dfa_post("M", state_input("S", terminal=True), terminal=True)
    with machine as same:
        assert same is machine
        assert len(list(machine.run("a"))) == 1
    assert machine.terminal
