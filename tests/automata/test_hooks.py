"""States run bare, the hooks that subclasses override, and the machines that take a symbol first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cpppo.automata import (
    LimitExceeded,
    Unacceptable,
    chainable,
    decide,
    dfa,
    dfa_base,
    dfa_drop,
    dfa_input,
    peekable,
    state,
    state_act,
    state_drop,
    state_input,
    state_take,
)
from cpppo.dotdict import dotdict
from cpppo.errors import GrammarError, NonTerminal
from tests.automata.examples import basic
from tests.automata.outcomes import outcome

GIVEN = ["data", "machine", "path", "source"]


def pair(**given: Any) -> tuple[state, state]:
    """A state that takes a symbol, and that to which a ``b`` leads from it."""
    first, second = state_input("A", context="a", **given), state_input("B", terminal=True)
    first["b"] = second
    return first, second


# -- a state run bare


def test_bare_run_yields_the_target() -> None:
    """A state alone is processed, and yields (None, where it leads), which is not entered."""
    first, second = pair()
    source, data = peekable("abc"), dotdict()
    assert list(first.run(source, data=data)) == [(None, second)]
    assert ("".join(data["a.input"]), source.sent) == ("a", 1)


def test_bare_run_is_given_its_surroundings() -> None:
    """The machine given is yielded; the path given is where data is kept."""
    first, second = pair()
    data = dotdict()
    assert list(first.run("ab", machine="around", path="p", data=data)) == [("around", second)]
    assert list(data) == ["p.a.input"]


def test_bare_run_waits() -> None:
    """(None, None) is yielded for want of a symbol, to take and to decide by."""
    first, second = pair()
    source = chainable()
    run = first.run(source)
    steps = [next(run)]
    source.chain("a")
    steps.append(next(run))
    source.chain("b")
    assert [*steps, *run] == [(None, None), (None, None), (None, second)]


def test_bare_run_without_a_way_on() -> None:
    """A symbol that leads nowhere, and the end of the input, yield None; at the latter it waited first."""
    first, _ = pair()
    assert list(first.run("ax")) == [(None, None)]
    assert list(first.run("a")) == [(None, None), (None, None)]
    assert list(first.run("ab", ending=1)) == [(None, None)]


def test_bare_run_decides() -> None:
    """A decide is asked, by keyword; one that declines leaves it to the next target."""
    first, second = pair()
    asked: list[Any] = []
    del first["b"]
    first["b"] = decide("never", first, lambda **given: asked.append(given))
    first["b"] = second
    data = dotdict()
    assert list(first.run("ab", machine="M", path="p", data=data)) == [("M", second)]
    (given,) = asked
    assert given.pop("source").sent == 1
    assert given == {"machine": "M", "path": "p", "data": data}


def test_bare_run_comes_back() -> None:
    """A state may lead to itself."""
    first, _ = pair()
    first["a"] = first
    assert list(first.run("aa")) == [(None, first)]


def test_bare_run_fails() -> None:
    """No symbol, one not of the alphabet, and a limit too large are errors here as in a machine."""
    with pytest.raises(NonTerminal, match=r"\( A \) .* at offset 0: no more input"):
        list(pair()[0].run(""))
    with pytest.raises(Unacceptable, match=r"\( A \) cannot process the symbol 'x', at offset 0"):
        list(pair(alphabet="ab")[0].run("xb"))
    with pytest.raises(LimitExceeded, match="limit of 2 reaches 1 beyond the enclosing limit, at offset 1"):
        list(pair(limit=2)[0].run("abc", ending=2))


def test_bare_run_takes_nothing_beyond_its_end() -> None:
    """Where input has ended, a state cannot take a symbol."""
    with pytest.raises(NonTerminal, match=r"\( A \).* at offset 0: limit reached"):
        list(pair()[0].run("ab", ending=0))


def test_bare_run_takes() -> None:
    """A state that takes a symbol in its own way does so bare, too."""

    class taking(state_take):
        def take(self, symbol: Any, data: Any) -> None:
            data.append(symbol)

    data: list[Any] = []
    assert (list(taking("T").run("b", data=data)), data) == ([(None, None)], ["b"])


def test_bare_run_acts() -> None:
    """A state that acts does so bare, too."""

    class acting(state_act):
        def act(self, data: Any, sent: int, ending: int | None) -> None:
            data.append((sent, ending))

    data: list[Any] = []
    list(acting("A").run("b", data=data, ending=5))
    assert data == [(0, 5)]


@pytest.mark.parametrize(("kind", "what"), [(state_take, "take"), (state_act, "act")])
def test_abstract_states(kind: type[state], what: str) -> None:
    """The states whose one method is left to subclasses say so when run."""
    with pytest.raises(NotImplementedError, match=f"{kind.__name__} must define {what}"):
        list(dfa("M", initial=kind("S", terminal=True)).run("a"))


# -- hooks


class telling(state_input):
    """Tells in ``told`` how each hook is called; does what its base does."""

    told: list[tuple[str, Any]]

    def validate(self, symbol: Any) -> bool:
        self.told.append(("validate", symbol))
        return super().validate(symbol)

    def accepts(self, **given: Any) -> bool:
        self.told.append(("accepts", sorted(given)))
        return super().accepts(**given)

    def initialize(self, **given: Any) -> None:
        self.told.append(("initialize", sorted(given)))

    def process(self, **given: Any) -> None:
        self.told.append(("process", sorted(given)))
        super().process(**given)

    def terminate(self, *, exception: BaseException | None, **given: Any) -> None:
        self.told.append(("terminate", [type(exception).__name__, *sorted(given)]))

    def delegate(self, **given: Any) -> Iterator[tuple[Any, Any]]:
        self.told.append(("delegate", sorted(given)))
        yield given["machine"], self


SHORT = ["data", "machine", "path"]
PROCESSED = [("initialize", SHORT), ("process", GIVEN), ("terminate", ["NoneType", *SHORT])]
ENDING = sorted(["ending", *GIVEN])


def hooked(**given: Any) -> telling:
    here = telling("H", terminal=True, **given)
    here.told = []
    here["b"] = here
    return here


def test_hooks_in_their_order() -> None:
    """Each symbol taken calls the hooks in order, by keyword."""
    here = hooked()
    data = dotdict()
    run = dfa("M", initial=here, context="m").run("abx", data=data)
    here.told.clear()  # symbols were validated as the machine was frozen
    list(run)
    each = [("accepts", GIVEN), *PROCESSED, ("delegate", ENDING)]
    assert [told for told in here.told if told[0] != "validate"] == each * 2
    assert [symbol for hook, symbol in here.told if hook == "validate"] == ["a", "b"]
    assert "".join(data["m.input"]) == "ab"


def test_hooks_of_a_bare_run() -> None:
    """A state run bare calls the same hooks; what it delegates to is yielded before its target."""
    here, end = hooked(), state("end")
    here["c"] = end
    assert list(here.run("ac", machine="M")) == [("M", here), ("M", end)]
    assert [told for told in here.told if told[0] != "validate"] == [
        ("accepts", GIVEN),
        *PROCESSED,
        ("delegate", ENDING),
    ]


def test_delegate_yields_steps() -> None:
    """What delegate yields are steps of the run, after the state was processed."""
    here = hooked()
    source = peekable("ab")
    sent = [(entered, source.sent) for _, entered in dfa("M", initial=here).run(source)]
    assert sent == [(here, 0), (here, 1), (here, 1), (here, 2), (None, 2)]


def test_accepts_is_asked_twice() -> None:
    """A state that does not accept is asked once more after a wait, which only the end of the source is worth."""
    here = hooked(alphabet="b")
    with pytest.raises(Unacceptable, match=r"\( M\.\(\(H\)\) \) cannot process the symbol 'a', at offset 0"):
        list(dfa("M", initial=here).run("a"))
    assert [told for told in here.told if told[0] != "validate"] == [("accepts", GIVEN)] * 2
    source = chainable()
    run = dfa("M", initial=hooked(alphabet="b")).run(source)
    assert [entered is None for _, entered in (next(run), next(run))] == [False, True]
    source.chain("b")
    assert len(list(run)) == 2


def test_accepts_on_other_grounds() -> None:
    """A state may refuse by the data, though the symbol is right."""

    class counting(state_input):
        def accepts(self, source: Any, machine: Any, path: str | None, data: Any) -> bool:
            return data["left"] > source.sent

    here = counting("C", terminal=True)
    here[True] = here
    machine = dfa("M", initial=here)
    assert outcome(machine, "ab", dotdict(left=2)).terminal is False
    with pytest.raises(Unacceptable, match="at offset 2"):
        outcome(machine, "abc", dotdict(left=2))


def test_terminate_is_told_of_the_error() -> None:
    """A process that fails is told to terminate, once; the error passes."""
    told: list[Any] = []

    class failing(state):
        def process(self, **given: Any) -> None:
            raise ZeroDivisionError("of its own")

        def terminate(self, *, exception: BaseException | None, **given: Any) -> None:
            told.append((type(exception), sorted(given)))

    with pytest.raises(ZeroDivisionError, match="of its own"):
        list(dfa("M", initial=failing("F")).run(""))
    assert told == [(ZeroDivisionError, SHORT)]


@pytest.mark.parametrize("kind", [state, dfa])
def test_terminate_may_refuse(kind: type[state]) -> None:
    """A ValueError of terminate is the refusal of what was taken, with the position."""

    class refusing(kind):  # type: ignore[misc, valid-type]
        def terminate(self, *, exception: BaseException | None, **given: Any) -> None:
            if exception is None:
                raise ValueError("not that")

    inside = basic().initial
    first = refusing("R", inside) if kind is dfa else refusing("R", terminal=True)
    around = state_drop("D")
    around[None] = first
    with pytest.raises(Unacceptable, match=r"R.* cannot use what it took, at offset \d: not that") as caught:
        list(dfa("M", initial=around).run("xab"))
    assert caught.value.offset == (3 if kind is dfa else 1)


def test_transition_of_ones_own() -> None:
    """transition is called by keyword, yields while it waits, and at last where to move."""
    told: list[Any] = []
    end = state("end", terminal=True)

    class moving(state):
        def transition(self, **given: Any) -> Iterator[tuple[Any, Any]]:
            told.append(sorted(given))
            yield given["machine"], None
            yield given["machine"], end

    steps = [entered and entered.name for _, entered in dfa("M", initial=moving("T")).run("")]
    assert (steps, told) == (["T", None, "end"], [ENDING])


def test_transition_to_nowhere() -> None:
    """A transition that yields no state is none: the end of a sentence, or an error."""

    class still(state):
        def transition(self, **given: Any) -> Iterator[tuple[Any, Any]]:
            return iter(())

    assert len(list(dfa("M", initial=still("S", terminal=True)).run("a"))) == 1
    with pytest.raises(NonTerminal, match=r"\( M\.\( S \) \).* at offset 0: next symbol 'a'"):
        list(dfa("M", initial=still("S")).run("a"))


def test_transition_of_the_base() -> None:
    """transition may be overridden to look on, and call that of its base."""

    class watching(state_input):
        def transition(self, **given: Any) -> Iterator[tuple[Any, Any]]:
            yield from super().transition(**given)

    here = watching("W", terminal=True)
    here["a"] = here
    assert outcome(dfa("M", initial=here, context="m"), "aab")[:2] == ({"m.input": "aa"}, ["b"])


@pytest.mark.parametrize("hook", ["accepts", "context", "delegate", "process", "validate"])
def test_hooks_that_a_machine_does_not_have(hook: str) -> None:
    """What is never asked of a machine cannot be overridden in vain."""
    overriding = type("overriding", (dfa,), {hook: lambda self, **given: None})
    with pytest.raises(GrammarError, match=f"overriding overrides {hook}, which is never asked of a machine"):
        overriding("D", basic().initial).run("ab")


# -- machines that take a symbol first


def tail() -> state:
    """The first state of a machine of ``b+``."""
    first, b = state("S"), state_input("B", terminal=True)
    first["b"] = b["b"] = b
    return first


@pytest.mark.parametrize(("kind", "kept"), [(dfa_input, "abb"), (dfa_drop, "bb")])
def test_first_symbol(kind: type[dfa_input], kept: str) -> None:
    """The first symbol, any at all, is collected or dropped; then the states run."""
    machine = kind("I", tail(), context="i", terminal=True)
    assert outcome(machine, "abbc") == ({"i.input": kept}, ["c"], True)
    assert [entered and entered.name for _, entered in kind("I", tail()).run("ab")] == [
        *("I_first", "I.( S )", "S", "B", None)
    ]
    assert isinstance(machine, dfa_base)


@pytest.mark.parametrize(
    ("given", "kept", "remaining"),
    [
        ({"greedy": False}, "ab", "bcb"),
        ({"limit": 2}, "ab", "bcb"),
        ({"repeat": 0}, "a", "bbcb"),
    ],
    ids=str,
)
def test_first_symbol_flags(given: dict[str, Any], kept: str, remaining: str) -> None:
    """greedy and repeat are of the states after the first symbol, a limit of both together."""
    told, rest, _ = outcome(dfa_input("I", tail(), context="i", **given), "abbcb")
    assert (told["i.input"], "".join(rest)) == (kept, remaining)


def test_first_symbol_options() -> None:
    """Alphabet, typecode and extension are of the state that takes the first symbol."""
    machine = dfa_input(initial=state("E", True), context="i", alphabet=range(9), typecode="H", extension=".first")
    data = dotdict()
    list(machine.run([5], data=data))
    assert (machine.own_name, data["i.first"].typecode, list(data["i.first"])) == ("dfa_input", "H", [5])
    with pytest.raises(Unacceptable, match="symbol 9, at offset 0"):
        list(machine.run([9]))
    with pytest.raises(NonTerminal, match="at offset 0: no more input"):
        list(machine.run([]))
    with pytest.raises(GrammarError, match="Machine 'I' needs a state"):
        dfa_drop("I")


@pytest.mark.parametrize("machine", [basic(), dfa_input("I", tail()), pair()[0]], ids=["dfa", "dfa_input", "state"])
def test_with_is_accepted(machine: state) -> None:
    """States and machines may be used in ``with``, again inside, and an error inside passes."""
    with machine as same, machine:
        assert same is machine
        assert next(machine.run("ab")) is not None
    with pytest.raises(ZeroDivisionError), machine:
        raise ZeroDivisionError
