"""Bad machines and bad input: found when a machine is frozen where possible, else at the symbol; nothing is spoilt."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from cpppo.automata import (
    LimitExceeded,
    TransitionError,
    Unacceptable,
    chainable,
    check,
    choice,
    decide,
    dfa,
    regex,
    regex_bytes,
    state,
    state_act,
    state_drop,
    state_input,
    string_bytes,
)
from cpppo.dotdict import dotdict
from cpppo.errors import GrammarError, NonTerminal
from tests.automata.examples import csv, told
from tests.automata.outcomes import outcome


def line(*states: state, back: bool = False) -> state:
    """States that lead one to the next without a symbol; ``back``, the last to the first."""
    for here, there in zip(states, [*states[1:], states[0]] if back else states[1:], strict=False):
        here[None] = there
    return states[0]


def end(**given: Any) -> state_input:
    return state_input("end", terminal=True, **given)


# -- circles


BEGINNINGS: list[Callable[[state], Any]] = [
    lambda first: dfa("M", initial=first).run("x"),
    lambda first: dfa("M", initial=first).compile(),
    lambda first: first.run("x"),
]


@pytest.mark.parametrize("begin", BEGINNINGS, ids=["run", "compile", "bare"])
@pytest.mark.parametrize(
    ("states", "shown"),
    [("a", "( a ) -> ( a )"), ("ab", "( a ) -> ( b ) -> ( a )"), ("abc", "( a ) -> ( b ) -> ( c ) -> ( a )")],
)
def test_circle_found_beforehand(states: str, shown: str, begin: Callable[[state], Any]) -> None:
    """States that do nothing and lead round are refused before the first symbol."""
    with pytest.raises(GrammarError) as caught:
        begin(line(*map(state, states), back=True))
    assert str(caught.value) == f"{shown} goes in circles without taking a symbol; let a state on the way take input"


def test_circle_behind_a_line() -> None:
    """The states told are those of the circle, not those on the way to it."""
    first, second = state("first"), state("second")
    first[None] = second
    second[None] = second
    with pytest.raises(GrammarError, match=r"^\( second \) -> \( second \) goes in circles"):
        dfa("M", initial=first).run("")


def test_a_line_is_gone_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for circles, the states of a long line are asked once each, not again from each state before them."""
    asked: list[Any] = []
    circles = check._circles

    def counted(node: Any, passes: Callable[[Any], bool], free: set[Any]) -> None:
        def passed(each: Any) -> bool:
            asked.append(each)
            return passes(each)

        circles(node, passed, free)

    monkeypatch.setattr(check, "_circles", counted)
    states = [state(str(number)) for number in range(1000)]
    list(dfa("M", initial=line(*states, end())).run("x"))
    assert len(states) <= len(asked) <= 2 * len(states)


def _by_symbol() -> tuple[state, str]:
    first, second = state("1"), state("2", terminal=True)
    first["x"] = second
    second["x"] = first
    return first, "x"


def _by_decide() -> tuple[state, str]:
    here = state("1")
    here[None] = decide("always", here, lambda **_: True)
    return here, ""


def _by_choice() -> tuple[state, str]:
    class same(choice):
        def choose(self, data: Any) -> Any:
            return self.targets[0]  # type: ignore[index]

    here, target = state("1"), same()
    target.targets = (here,)
    here[None] = target
    return here, ""


def _by_act() -> tuple[state, str]:
    class nothing(state_act):
        def act(self, data: Any, sent: int, ending: int | None) -> None:
            pass

    return line(nothing("1"), nothing("2"), back=True), ""


def test_circle_of_terminal_states() -> None:
    """Terminal states that lead to one another without input go in circles, unless the machine stops at the first."""
    first = line(state("1", terminal=True), back=True)
    with pytest.raises(GrammarError, match=r"^\(\(1\)\) -> \(\(1\)\) goes in circles without taking a symbol"):
        dfa("M", initial=first).run("a")
    assert outcome(dfa("M", initial=first, greedy=False), "a").remaining == ["a"]


@pytest.mark.parametrize("build", [_by_symbol, _by_decide, _by_choice, _by_act])
def test_circle_found_by_the_run(build: Callable[[], tuple[state, str]]) -> None:
    """A circle that depends on symbol, data or code is found after some rounds, with machine, state and offset."""
    first, text = build()
    before = state_drop("D")
    before[True] = before[None] = first
    with pytest.raises(
        GrammarError, match=r"^\( M\.\(.*\) goes in circles .* entering \(.*[12].*\) again at offset 1;"
    ):
        list(dfa("M", initial=before).run("d" + text))


# -- unreachable states


def test_state_listed_but_not_reached() -> None:
    """A state listed as the machine's that no transition leads to is refused; listed and reached, it is fine."""
    first, last, lost = state("S"), end(), state("lost")
    first["a"] = last
    lost["b"] = last
    assert told(dfa("M", initial=first, states=[first, last]), "a").remaining == ""
    with pytest.raises(
        GrammarError, match=r"^\( lost \) of machine 'M' can never be reached: no transition leads there"
    ):
        dfa("M", initial=first, states=[first, last, lost]).run("a")


def _greedless() -> state:
    first = state_input("A", terminal=True, greedy=False)
    first["b"] = state("lost", terminal=True)
    return first


def _behind_decide() -> state:
    first = end()
    first["b"] = decide("always", first)
    first["b"] = state("lost", terminal=True)
    return first


@pytest.mark.parametrize("build", [_greedless, _behind_decide])
def test_state_behind_what_is_never_taken(build: Callable[[], state]) -> None:
    """A state is not reached by transitions that are never taken."""
    with pytest.raises(GrammarError, match=r"^\( M\..*\(\(lost\)\) can never be reached: only by .*; remove it"):
        dfa("M", initial=build()).run("ab")


# -- targets


@pytest.mark.parametrize("target", [5, "b", [], {}, lambda: None, state, decide("d", 7)], ids=repr)
@pytest.mark.parametrize("symbol", ["a", None, True, str.isalpha], ids=repr)
def test_target_that_is_no_state(symbol: Any, target: Any) -> None:
    """A target that is no state is refused where it is assigned; there is no transition then."""
    here = state("S")
    with pytest.raises(
        TransitionError, match=r"Target must be a state, None, a decide or a choice, not .*, in \( S \)"
    ):
        here[symbol] = target
    assert len(here) == 0
    assert issubclass(TransitionError, KeyError) and issubclass(TransitionError, TypeError)


@pytest.mark.parametrize("initial", [None, 5, "E", {}, decide("d", state("S"))], ids=repr)
def test_initial_that_is_no_state(initial: Any) -> None:
    """A machine starts with a state."""
    with pytest.raises(GrammarError, match="Machine 'M' needs a state as its initial, not"):
        dfa("M", initial=initial)


# -- limits


def _machine(limit: Any) -> state:
    return dfa("I", initial=end(), limit=limit, terminal=True)


def _nested(limit: Any) -> state:
    return dfa("N", initial=_machine(limit), terminal=True)


def _state(limit: Any) -> state:
    return end(limit=limit)


@pytest.mark.parametrize("inner", [_machine, _nested, _state])
def test_limit_larger_than_the_enclosing_one(inner: Callable[[Any], state]) -> None:
    """A limit inside that is larger is refused before the first symbol where both are known, else when measured."""
    with pytest.raises(
        GrammarError, match=r"has a limit of 3, but is inside \( M\..*, whose limit is 2; make it smaller"
    ):
        dfa("M", initial=inner(3), limit=2).run("abc")
    for outside, inside in ((2, lambda **_: 3), (lambda **_: 2, 3), (2, ".n")):
        machine = dfa("M", initial=inner(inside), limit=outside, context="m")
        with pytest.raises(LimitExceeded, match="limit of 3 reaches [12] beyond the enclosing limit, at offset [01]"):
            outcome(machine, "abc", dotdict({"n": 3, "m.n": 3}))
    assert outcome(dfa("M", initial=inner(1), limit=2), "abc").remaining == ["b", "c"]


@pytest.mark.parametrize("what", ["limit", "repeat"])
def test_strange_numbers(what: str) -> None:
    """A limit or repeat that is negative, or no whole number, is an error that names the machine."""
    for given in (1.5, object(), [2], -1):
        with pytest.raises(GrammarError, match=f"^{what} .* of 'M' is none: give a whole number from 0, the path"):
            dfa("M", initial=end(), **{what: given})
    for data in (1.5, "1"):
        with pytest.raises(GrammarError, match=rf"^\( M\..*: {what} 'n' is .*, which is not a whole number"):
            outcome(dfa("M", initial=end(), context="m", **{what: "n"}), "a", dotdict({"m.n": data}))
    with pytest.raises(NonTerminal, match=f"M.*{what} 'n' is negative: -2, at offset 0"):
        outcome(dfa("M", initial=end(), context="m", **{what: "n"}), "a", dotdict({"m.n": -2}))


# -- alphabets


@pytest.mark.parametrize("alphabet", ["", b"", (), [], set(), {}, range(0)], ids=repr)
@pytest.mark.parametrize("kind", [state, state_input, state_drop])
def test_empty_alphabet(kind: type[state], alphabet: Any) -> None:
    """An alphabet without symbols is refused, with the state."""
    with pytest.raises(GrammarError, match="Empty alphabet of state 'S': give the symbols it can process, or None"):
        kind("S", alphabet=alphabet)


def test_symbol_that_its_target_cannot_take() -> None:
    """A transition on a symbol that is not of the alphabet of its target is refused, through machines as well."""
    for target in (end(alphabet="yz"), dfa("I", initial=dfa("J", initial=end(alphabet="yz")))):
        first = state("S")
        first["y"] = target
        first["x"] = target
        with pytest.raises(GrammarError, match=r"\( S \) leads to \(\(end\)\) on 'x', which that cannot take"):
            dfa("M", initial=first).run("y")
    first = state("S")
    between = first["x"] = state("between")
    between[None] = end(alphabet="yz")
    with pytest.raises(Unacceptable, match=r"^\( M\..* the symbol 'x', at offset 0"):
        told(dfa("M", initial=first), "x")


def anything(alphabet: Any, kind: type[state_input] = state_input, **given: Any) -> dfa:
    """A machine of any number of any symbols, the alphabet of whose only state is narrower."""
    here = kind("S", terminal=True, alphabet=alphabet, **given)
    here[True] = here
    return dfa("M", initial=here, context="m")


@pytest.mark.parametrize("data", [True, False], ids=["data", "no data"])
@pytest.mark.parametrize("kind", [state_input, state_drop])
@pytest.mark.parametrize("alphabet", ["ab", {"a", "b"}, lambda symbol: symbol < "c"], ids=["text", "set", "predicate"])
def test_symbol_outside_of_the_alphabet(alphabet: Any, kind: type[state_input], data: bool) -> None:
    """It is an error at that symbol, which is not taken, naming machine, state, symbol and offset."""
    source = chainable("abz")
    with pytest.raises(Unacceptable, match=r"^\( M\.\(\(S\)\) \) cannot \w+ the symbol 'z', at offset 2") as caught:
        list(anything(alphabet, kind).run(source, data=dotdict() if data else None))
    assert (caught.value.offset, source.sent, source.peek()) == (2, 2, "z")


FED = [
    (regex, b"ab", 0, "97"),
    (regex, ["a", 98], 1, "98"),
    (regex_bytes, "ab", 0, "'a'"),
    (regex_bytes, [97, 256], 1, "256"),
    (regex_bytes, [97, -1], 1, "-1"),
    (regex_bytes, [97, "b"], 1, "'b'"),
]


@pytest.mark.parametrize("given", [{}, {"context": "w"}, {"regex_states": state_drop}], ids=str)
@pytest.mark.parametrize("data", [True, False], ids=["data", "no data"])
@pytest.mark.parametrize(("kind", "symbols", "offset", "shown"), FED)
def test_symbols_of_another_type(
    kind: type[regex], symbols: Any, offset: int, shown: str, data: bool, given: dict[str, Any]
) -> None:
    """Octets for text, text for octets and what is neither are refused where anything would match."""
    expected = rf"^\( '\.\+'\.\(\(1\)\) \) cannot (collect|process) the symbol {shown}, at offset {offset}"
    with pytest.raises(Unacceptable, match=expected) as caught:
        list(kind(initial=".+", **given).run(symbols, data=dotdict() if data else None))
    assert caught.value.offset == offset


@pytest.mark.parametrize(("kind", "symbols", "shown"), [(regex, b"ab", "97"), (regex_bytes, "ab", "'a'")])
def test_symbols_of_another_type_that_nothing_names(kind: type[regex], symbols: Any, shown: str) -> None:
    """Where a transition names the symbols, those of another type have none."""
    with pytest.raises(NonTerminal, match=f"'ab'.* at offset 0: next symbol {shown}"):
        list(kind(initial="ab").run(symbols))


# -- the machine, after all that


def test_source_that_ends_in_mid_sentence_is_resumed() -> None:
    """A run that wants more goes on in the same state once more is chained, however often."""
    source, data = chainable(), dotdict()
    run, wanted = csv(terminal=True).run(source, data=data), 0
    for part in ("ab", "b, ", "a", "b"):
        source.chain(part)
        for _, entered in run:
            if entered is None and source.peek() is None:
                wanted += 1
                break
    assert (wanted, "".join(data["csv.input"])) == (4, "abbab")
    assert list(run)[-1][1] is None


def test_run_that_was_told_of_the_end_is_over() -> None:
    """Going on without more tells the run that the source has ended: chaining more later needs a new run."""
    source = chainable("a")
    machine = csv(terminal=True)
    with pytest.raises(NonTerminal, match="at offset 1: no more input"):
        list(machine.run(source))
    source.chain("ab")
    assert list(machine.run(source))[-1][1] is None
    assert source.sent == 3


def _waits(machine: dfa) -> None:
    run = machine.run(chainable("a"))
    while next(run)[1] is not None:
        pass
    run.close()


FAILURES: list[tuple[Callable[[dfa], Any], type[Exception] | None]] = [
    (lambda machine: list(machine.run("ax")), NonTerminal),
    (lambda machine: list(machine.run(b"ab")), NonTerminal),
    (lambda machine: list(machine.run("ab,", data=dotdict({"csv.input": 5}))), GrammarError),
    (lambda machine: list(machine.run("abb", ending=1)), NonTerminal),
    (lambda machine: machine.run("ab").throw(ZeroDivisionError()), ZeroDivisionError),
    (lambda machine: list(machine.run(5)), TypeError),
    (lambda machine: next(machine.run("ab")), None),
    (_waits, None),
]


@pytest.mark.parametrize(("failure", "error"), FAILURES, ids=range(len(FAILURES)))
def test_machine_still_works(failure: Callable[[dfa], Any], error: type[Exception] | None) -> None:
    """After any failed or abandoned run, the shared machine is as before, and runs begun before go on."""
    machine, data = csv(terminal=True), dotdict()
    before = told(machine, "abb, abx")
    halfway = machine.run("abb, ab", data=data)
    for _ in range(3):
        next(halfway)
    with pytest.raises(error) if error else nullcontext():
        failure(machine)
    assert told(machine, "abb, abx") == before
    list(halfway)
    assert "".join(data["csv.input"]) == "abbab"


def test_values_still_work() -> None:
    """A machine that refused a sentence takes the next, over the same data too."""
    machine, data = string_bytes(decode="ascii", context="s"), dotdict()
    with pytest.raises(NonTerminal):
        outcome(machine, b"\xff", data)
    assert outcome(machine, b"ok", data).kept == {"s": "ok"}


def test_refused_machine_can_be_mended() -> None:
    """A machine refused is not frozen by that: mended, it runs."""
    first, second = state("1"), state("2")
    first[None] = second
    second[None] = first
    machine = dfa("M", initial=first)
    for _ in range(2):
        with pytest.raises(GrammarError, match="circles"):
            machine.run("")
    second[None] = end()
    assert told(machine, "x").remaining == ""
    with pytest.raises(GrammarError, match="frozen"):
        second["a"] = first
