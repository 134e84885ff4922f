"""One machine, many runs: threads that share it tell the same, and what is left halfway harms nobody."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cpppo.automata import chainable, dfa, dfa_post, regex, regex_bytes
from cpppo.errors import NonTerminal
from tests.automata.examples import basic, csv
from tests.automata.random_machines import Told, told

THREADS, ROUNDS = 16, 20
#: Far less than the usual 5 ms: threads take turns in mid-run.
SWITCH_INTERVAL_S = 1e-5

LIST = "(ab+)((,[ ]*)(ab+))*"
MACHINES: dict[str, tuple[Callable[[], dfa], list[Any]]] = {
    "BASIC": (lambda: basic(terminal=True), ["abbbb,ab", "ab", "a", "", "ba", "abx"]),
    "CSV": (lambda: csv(terminal=True), ["abbbb, ab", "ab,ab,  abb", "ab,", "abb", ",", "ab, a"]),
    "REGEX": (lambda: regex(initial=LIST, context="regex", terminal=True), ["abbb, abb, ab", "ab,", "abab", "a", "ab"]),
    "octets": (
        lambda: regex_bytes(initial="(é|日.)+", context="octets", terminal=True),
        ["é日😀é".encode(), "日".encode(), b"\xc3", b"\xc3\xa9\xff", b""],
    ),
    "repeated": (lambda: basic(repeat=2, limit=6, terminal=True), ["abbabbb", "abab", "ab", "abbbbbbb"]),
}


@pytest.fixture(autouse=True)
def hasty() -> Iterator[None]:
    """Threads take turns far more often than they usually do."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    yield
    sys.setswitchinterval(before)


def together(work: Callable[[int], Any]) -> list[Any]:
    """What ``work`` returns in each of the threads, let go all at once; an error in any is an error here."""
    barrier, results, errors = threading.Barrier(THREADS), [None] * THREADS, []

    def body(number: int) -> None:
        try:
            barrier.wait(10)
            results[number] = work(number)
        except BaseException as exc:  # told to whoever waits for the thread
            errors.append(exc)

    threads = [threading.Thread(target=body, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [thread for thread in threads if thread.is_alive()] == []
    if errors:
        raise errors[0]
    return results


@pytest.mark.parametrize("name", MACHINES)
def test_threads_share_a_machine(name: str) -> None:
    """Sixteen threads, the first run of each racing to freeze, tell what one thread alone tells of its own machine."""
    build, words = MACHINES[name]
    alone = [told(build(), [word]) for word in words]
    for _ in range(ROUNDS):
        machine = build()

        def work(number: int, machine: dfa = machine) -> list[Told]:
            order = [(number + turn) % len(words) for turn in range(len(words))]
            found = {each: told(machine, [words[each]]) for each in order}
            return [found[each] for each in range(len(words))]

        assert together(work) == [alone] * THREADS


@pytest.mark.parametrize("name", MACHINES)
def test_threads_share_a_compiled_machine(name: str) -> None:
    """Sixteen threads that fill the tables of one matcher tell what stepping tells; compiling may race as well."""
    build, words = MACHINES[name]
    alone = [told(build(), [word])[:3] for word in words]
    for _ in range(ROUNDS):
        machine = build()
        shared = machine.compile()

        def work(number: int, machine: dfa = machine, shared: Any = shared) -> list[Any]:
            matcher = machine.compile() if number % 4 == 0 else shared
            whole = [tuple(matcher.match(word)) for word in words]
            pieces = []
            for word in words:
                stream = matcher.stream()
                for at in range(len(word)):
                    stream.feed(word[at : at + 1])
                pieces.append(tuple(stream.finish()))
            return [whole, pieces]

        assert together(work) == [[alone, alone]] * THREADS


def test_each_thread_sees_its_own_run() -> None:
    """terminal, current and name are of the calling thread's latest run, though all have runs in other states."""
    machine = basic(terminal=True)
    midway = threading.Barrier(THREADS)

    def work(number: int) -> tuple[Any, ...]:
        before = machine.current.name, machine.terminal
        source = chainable("ab" if number % 2 else "a")
        run = machine.run(source)
        for _, entered in run:
            if entered is None:
                break  # all the others are here, too
        midway.wait(10)
        seen = machine.current.name, machine.terminal, machine.name
        midway.wait(10)
        source.chain("b,")
        for _ in run:
            pass
        return before, seen, (machine.current.name, machine.terminal)

    first, last = ("E", False), ("B", True)
    even = (first, ("A", False, "ab+.( A )"), last)
    odd = (first, ("B", True, "ab+.((B))"), last)
    assert together(work) == [odd if number % 2 else even for number in range(THREADS)]
    assert (machine.current.name, machine.terminal) == first  # this thread has run nothing


def test_posted_is_called_in_the_thread_that_posted() -> None:
    """What runs of one machine post is called when that run is over, in its thread, and no other's."""
    machine = dfa_post("P", basic(terminal=True))
    calls: list[tuple[int, int]] = []

    def work(number: int) -> None:
        for turn, _ in enumerate(machine.run("abb")):
            if not turn:
                machine.post(lambda: calls.append((number, threading.get_ident())))
        assert [ident for who, ident in calls if who == number] == [threading.get_ident()]

    together(work)
    assert sorted(who for who, _ in calls) == list(range(THREADS))


# ------------------------------------------------------------------ runs left halfway


def halfway(machine: dfa, steps: int) -> Any:
    """A run after a few of its steps."""
    run: Any = machine.run("ab, abb", data=None)
    for _ in range(steps):
        next(run)
    return run


LEAVES: dict[str, Callable[[Any], Any]] = {
    "closed": lambda run: run.close(),
    "thrown into": lambda run: pytest.raises(KeyError, run.throw, KeyError("thrown")),
    "collected": lambda run: None,
    "suspended": lambda run: run,
}


@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("leave", LEAVES)
def test_left_halfway_harms_nobody(leave: str, steps: int) -> None:
    """After a run was closed, failed, forgotten or left suspended at any step, all others tell the same."""
    machine = csv(terminal=True)
    alone = told(csv(terminal=True), ["ab, abb"])
    other = machine.run(chainable("ab, abb"))
    next(other)

    def work(number: int) -> Told:
        kept = LEAVES[leave](halfway(machine, steps))
        found = told(machine, ["ab, abb"])
        del kept
        return found

    assert together(work) == [alone] * THREADS
    kept = LEAVES[leave](halfway(machine, steps))
    assert told(machine, ["ab, abb"]) == alone
    assert sum(entered is not None for _, entered in other) == len(alone.steps) - 1  # begun before all these
    assert machine.terminal
    del kept


def test_suspended_run_goes_on_later() -> None:
    """A run that waits for symbols while others come and go takes up where it was."""
    machine = basic(terminal=True)
    source = chainable("a")
    run = machine.run(source)
    assert [entered and entered.name for _, entered in (next(run) for _ in range(3))] == ["E", "A", None]
    assert together(lambda number: told(machine, ["abb"]).consumed) == [3] * THREADS
    with pytest.raises(NonTerminal):
        list(machine.run("a"))
    source.chain("b")
    view, entered = next(run)
    assert (
        entered is not None and entered.name == "B" and view.terminal and not machine.terminal
    )  # its latest run is the one that failed


def test_run_taken_over_by_another_thread() -> None:
    """A run begun here may be stepped on elsewhere, by one thread at a time."""
    machine = basic(terminal=True)
    source = chainable("")
    run: Any = machine.run(source)
    turn = threading.Lock()
    names: list[str] = []

    def work(number: int) -> None:
        with turn:
            source.chain("a" if len(names) == 0 else "b")
            names.append(next(entered.name for _, entered in run if entered is not None and entered.name != "E"))

    next(run)
    together(work)
    assert names == ["A"] + ["B"] * (THREADS - 1)


def test_forgotten_run_keeps_nothing_alive() -> None:
    """A machine and a source are free once the run that was left halfway is."""
    machine = basic()
    run: Any = machine.run(chainable("abb"))
    next(run)
    gone = weakref.ref(machine)
    del machine, run
    gc.collect()
    assert gone() is None
