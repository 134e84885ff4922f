"""Machines: what their runs show, whose run they answer for, their own hooks, and how they are made."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest

from cpppo.automata import Leftover, dfa, peekable, state, state_drop, state_input, view
from cpppo.errors import GrammarError, NonTerminal
from tests.automata.examples import basic, csv, told


def test_needs_an_initial_state() -> None:
    """A machine without a state to start in is refused."""
    for wrong in (None, "E", {}):
        with pytest.raises(GrammarError, match="Machine 'M' needs a state as its initial"):
            dfa("M", initial=wrong)  # type: ignore[arg-type]


def test_starting_with_itself() -> None:
    """A machine whose initial states come back to it is refused when first run, and is not frozen by that."""
    outer = dfa("outer", initial=dfa("inner", initial=state("S")))
    outer.initial.initial = outer  # type: ignore[attr-defined]
    with pytest.raises(GrammarError, match="starts with itself"):
        outer.run("")
    outer.initial.initial = state("S")  # type: ignore[attr-defined]
    outer["a"] = None


def test_name_by_default() -> None:
    """Without a name, a machine has that of its class."""
    assert dfa(initial=state("E")).name == "dfa.( E )"


def test_with_is_accepted() -> None:
    """A machine may be used in a with statement, also while it runs, to no effect."""
    machine = basic()
    with machine as same:
        assert same is machine
        assert told(machine, "ab").accepted == "ab"


def test_view_is_like_its_machine() -> None:
    """A run yields views that equal their machine, hash as it, and have its attributes; one for each machine."""
    machine = basic(context="basic", terminal=True)
    views = {id(seen): seen for seen, _ in machine.run("abb")}
    assert len(views) == 1
    (seen,) = views.values()
    assert isinstance(seen, view)
    assert (seen == machine, machine == seen, hash(seen) == hash(machine), seen != basic()) == (True,) * 4
    assert seen in {machine: 1}
    assert (seen.context(), seen.greedy, seen.machine) == ("basic", True, machine)
    assert (str(seen), repr(seen), seen.name) == ("((ab+.((B))))", "<((ab+.((B))))>", "ab+.((B))")
    assert seen.name_centered() == machine.name_centered()
    with pytest.raises(AttributeError, match="nothing"):
        seen.nothing  # noqa: B018


def test_view_shows_the_state_of_its_run() -> None:
    """At each step the view's name has the state just yielded; two runs at once do not disturb one another."""
    machine = basic()
    one, two = machine.run("abb"), machine.run("ab")
    (first, _), (second, _) = next(one), next(two)
    assert (str(first), str(second)) == ("( ab+.( E ) )", "( ab+.( E ) )")
    shown = [str(seen) for seen, _ in one]
    assert shown == ["( ab+.( A ) )", "( ab+.((B)) )", "( ab+.((B)) )", "( ab+.((B)) )"]
    assert str(second) == "( ab+.( E ) )"
    assert first == second


def test_machine_yielded_as_a_state() -> None:
    """A machine entered as a state is shown with its own current state: that of its last time."""
    shown = [str(entered) for seen, entered in csv().run("ab,abb") if seen.own_name == "CSV"]
    assert shown == ["( ab+.( E ) )", "( SEP )", "((ab+.((B))))", "None"]


@pytest.mark.parametrize("flag", [False, True])
def test_terminal_needs_both(flag: bool) -> None:
    """A machine is terminal only if made so, and in a terminal state, with all repeats done."""
    machine = basic(terminal=flag)
    assert not machine.terminal
    seen = [machine.terminal for _ in machine.run("abb")]
    assert seen == [False, False, flag, flag, flag]
    twice = basic(terminal=flag, repeat=2)
    assert [twice.terminal for _ in twice.run("abab")] == [False] * 5 + [flag, flag]


def test_terminal_before_a_run() -> None:
    """Before it ran, a machine answers as in its initial state."""
    assert dfa("M", initial=state("S", terminal=True), terminal=True).terminal
    assert not dfa("M", initial=state("S"), terminal=True).terminal
    assert str(basic().current) == "( E )"


def test_answers_for_the_latest_run() -> None:
    """terminal and current of a machine are of its latest run, whatever other machines ran since."""
    machine, other = basic(terminal=True), csv()
    told(machine, "ab")
    told(other, "ab")
    assert (machine.terminal, str(machine.current)) == (True, "((B))")
    run = machine.run("ab")
    next(run)
    assert (machine.terminal, str(machine.current)) == (False, "( E )")


def test_answers_for_the_calling_thread() -> None:
    """Another thread's run changes nothing in what this one is answered, for machines inside others too."""
    machine = csv(terminal=True)
    told(machine, "ab")
    stopped: list[Any] = []

    def elsewhere() -> None:
        run = machine.run("ab")
        next(run)
        stopped.append((str(machine), str(machine.initial), machine.terminal))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert stopped == [("( CSV.( ab+.( E ) ) )", "( ab+.( E ) )", False)]
    assert (str(machine), str(machine.initial), machine.terminal) == ("((CSV.((ab+.((B))))))", "((ab+.((B))))", True)


def test_machine_is_not_kept_alive() -> None:
    """What a machine remembers of its runs goes with it."""
    machine = basic()
    told(machine, "ab")
    gone = weakref.ref(machine)
    del machine
    gc.collect()
    assert gone() is None


class logged(dfa):
    """Tells of its hooks in data, a list."""

    def enter(self, data: Any, sent: int, ending: int | None) -> None:
        data.append(("enter", sent, ending))

    def leave(self, data: Any, sent: int, ending: int | None) -> None:
        data.append(("leave", sent, ending))


@pytest.mark.parametrize(
    ("settings", "log"),
    [
        ({}, [("enter", 0, None), ("leave", 2, None)]),
        ({"limit": 2}, [("enter", 0, 2), ("leave", 2, 2)]),
        ({"repeat": 0}, [("enter", 0, None), ("leave", 0, None)]),
        ({"repeat": 2}, [("enter", 0, None), ("leave", 4, None)]),
    ],
)
def test_enter_and_leave(settings: dict[str, Any], log: list[Any]) -> None:
    """enter and leave are called once each, with the count sent and where input ends; with repeat 0 too."""
    data: list[Any] = []
    list(logged("M", initial=basic().initial, **settings).run("ababab", data=data))
    assert data == log


def test_enter_and_leave_inside_a_limit() -> None:
    """A machine without a limit of its own ends where the one around it does."""
    data: list[Any] = []
    inner = logged("inner", initial=state_drop("D", terminal=True), terminal=True)
    list(dfa("outer", initial=inner, limit=3).run("abc", data=data))
    assert data == [("enter", 0, 3), ("leave", 1, 3)]


def test_no_leave_without_order() -> None:
    """leave is not called where the machine stopped for an error; errors of enter and leave pass."""
    data: list[Any] = []
    with pytest.raises(NonTerminal):
        list(logged("M", initial=basic().initial).run("a", data=data))
    assert data == [("enter", 0, None)]

    class refusing(dfa):
        def leave(self, data: Any, sent: int, ending: int | None) -> None:
            raise NonTerminal("refused", sent)

    with pytest.raises(NonTerminal, match="refused"):
        list(refusing("M", initial=basic().initial).run("ab"))


def test_exact() -> None:
    """exact: a machine must take all of its limit; what is left is an error that says how much, and where."""
    assert told(basic(exact=True, limit=3), "abbb").accepted == "abb"
    with pytest.raises(
        Leftover, match=r"\( ab\+\.\(\(B\)\) \) stopped with 2 symbols of its limit left, at offset 2"
    ) as caught:
        told(basic(exact=True, limit=4), "ab,,")
    assert caught.value.offset == 2
    assert told(basic(limit=4), "ab,,").accepted == "ab"
    assert told(basic(exact=True), "ab,,").accepted == "ab"
    with pytest.raises(Leftover, match="1 symbols"):
        told(basic(exact=True, limit=1, repeat=0), "ab")


class hooked(dfa):
    """Tells of initialize and terminate in a list of its own."""

    def initialize(self, machine: Any, path: str | None, data: Any) -> None:
        LOG.append((self.own_name, "initialize", path))

    def terminate(self, exception: BaseException | None, machine: Any, path: str | None, data: Any) -> None:
        LOG.append((self.own_name, type(exception).__name__, path))


LOG: list[Any] = []


def nested() -> dfa:
    LOG.clear()
    inner = hooked("inner", initial=basic().initial, terminal=True, context="i")
    return hooked("outer", initial=inner, context="o")


BEGUN = [("outer", "initialize", "p"), ("inner", "initialize", "p.o")]


def test_initialize_and_terminate() -> None:
    """A machine's own hooks are called around each time it runs, with the path of the machine around it."""
    list(nested().run("ab", path="p"))
    assert LOG == [*BEGUN, ("inner", "NoneType", "p.o"), ("outer", "NoneType", "p")]


def test_terminate_with_the_exception() -> None:
    """An error ends all entered machines, innermost first, each told of it once."""
    with pytest.raises(NonTerminal):
        list(nested().run("ax", path="p"))
    assert LOG == [*BEGUN, ("inner", "NonTerminal", "p.o"), ("outer", "NonTerminal", "p")]


def test_terminate_after_a_hook_failed() -> None:
    """A machine whose enter or leave fails is told of that once."""

    class failing(hooked):
        def enter(self, data: Any, sent: int, ending: int | None) -> None:
            if data == "enter":
                raise NonTerminal(data)

        def leave(self, data: Any, sent: int, ending: int | None) -> None:
            if data == "leave":
                raise NonTerminal(data)

    for when in ("enter", "leave"):
        LOG.clear()
        with pytest.raises(NonTerminal, match=when):
            list(failing("M", initial=basic().initial).run("ab", data=when))
        assert LOG == [("M", "initialize", ""), ("M", "NonTerminal", "")]


@pytest.mark.parametrize(("steps", "outcome"), [(4, "GeneratorExit"), (5, "NoneType")])
def test_terminate_of_a_closed_run(steps: int, outcome: str) -> None:
    """A run closed early ends as usual where a sentence was complete, else with GeneratorExit."""
    run = nested().run("abb", path="p")
    entered = [next(run)[1] for _ in range(steps)]
    assert str(entered[-1]) == "((B))"
    run.close()
    assert LOG == [*BEGUN, ("inner", outcome, "p.o"), ("outer", outcome, "p")]


def test_terminate_of_a_run_closed_while_waiting() -> None:
    """A terminal state that still waits for its symbol has not completed a sentence."""
    LOG.clear()
    run = hooked("M", initial=state_input("A", terminal=True)).run("")
    assert [next(run)[1] is None for _ in range(2)] == [False, True]
    run.close()
    assert LOG == [("M", "initialize", ""), ("M", "GeneratorExit", "")]


def test_terminate_of_a_closed_run_around_one_complete() -> None:
    """A complete machine that does not make the one around it complete leaves that one closed in mid-sentence."""
    LOG.clear()
    run = hooked("outer", initial=hooked("inner", initial=basic().initial)).run("ab")
    while next(run)[1] is not None:
        pass
    run.close()
    assert LOG[2:] == [("inner", "NoneType", ""), ("outer", "GeneratorExit", "")]


def test_outer_machine_given() -> None:
    """The machine given to run is the one around it, for its hooks."""
    given: list[Any] = []
    machine = dfa("M", initial=state("S", terminal=True), repeat=lambda machine, **_: given.append(machine) or 1)
    list(machine.run("", machine="around"))
    assert given == ["around"]


def test_custom_process_sees_its_run() -> None:
    """Hooks of states are given the view: path, ending and cycle of the run they are in."""
    seen: list[Any] = []

    class own(state_input):
        def process(self, source: Any, machine: Any, path: str | None, data: Any) -> None:
            seen.append((machine.path, path, machine.ending, machine.cycle, machine.final, str(machine)))
            next(source)

    machine = dfa("M", initial=own("O", terminal=True), context="m", limit=3, repeat=2)
    source = peekable("abc")
    list(machine.run(source, path="p"))
    assert seen == [("p.m", "p.m", 3, cycle, 2, "( M.((O)) )") for cycle in (1, 2)]
    assert source.sent == 2
