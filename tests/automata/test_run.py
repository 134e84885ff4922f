"""Runs: the pinned ones, waiting and chunks, limits, repeats, greed, errors with position, circles, threads."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.automata import (
    LimitExceeded,
    chainable,
    decide,
    dfa,
    peekable,
    regex,
    state,
    state_act,
    state_drop,
    state_input,
)
from cpppo.automata import run as run_module
from cpppo.dotdict import dotdict
from cpppo.errors import GrammarError, NonTerminal
from tests.automata.examples import Told, basic, csv, letters, told

MACHINES: dict[str, Callable[[], dfa]] = {
    "basic": basic,
    "csv": csv,
    "regex": lambda: regex(initial="(ab+)((,[ ]*)(ab+))*", context="regex"),
}
SECTION = re.compile(r"## '(?P<machine>\w+)' on '(?P<text>.*)'\n(?P<steps>(?: .*\n)+)(?P<end>Accepted: .*)")
NUMBERED = re.compile(r"(?<=-> [(][ (])\d+'?")
STEP = re.compile(r" +(?P<machine>\(.*\)) +# *(?P<number>\d+); next symbol +(?P<rest>.*)")
PINNED = list(SECTION.finditer((Path(__file__).parents[1] / "vectors" / "automata-runs.txt").read_text()))


def own(name: str) -> str:
    """A machine's own name, of its text."""
    return name.strip("( ").partition(".")[0]


def renumbered(steps: list[str]) -> list[str]:
    """Steps, the numbers of states entered replaced by their order."""
    order: dict[str, int] = {}
    return [NUMBERED.sub(lambda found: str(order.setdefault(found[0], len(order))), step) for step in steps]


def test_pinned_runs_are_there() -> None:
    """The file of pinned runs is read whole."""
    assert [found["machine"] for found in PINNED] == ["basic", "csv", "regex"] * 3
    assert sum(len(found["steps"].splitlines()) for found in PINNED) == 6 + 15 + 11 + 5 + 13 + 9 + 4 + 6 + 4


@pytest.mark.parametrize("pinned", PINNED, ids=lambda found: f"{found['machine']} on {found['text']!r}")
def test_pinned_run(pinned: re.Match[str]) -> None:
    """Each step has the machine, state, count sent, next symbol and collected text pinned; so has the end."""
    machine = MACHINES[pinned["machine"]]()
    where = machine.context() + ".input"
    data, source = dotdict(), peekable(pinned["text"])

    def kept() -> str:
        return repr("".join(data[where])) if where in data else "None"

    lines = []
    for number, (seen, entered) in enumerate(machine.run(source, data=data)):
        step = f"{source.sent:3d}: {source.peek()!r:10}: {kept()}   -> {entered}"
        lines.append((own(str(seen)), number, step.strip()))
    expected: list[tuple[str, int, str]] = []
    for line in pinned["steps"].splitlines():
        found = STEP.fullmatch(line)
        assert found is not None
        expected.append((own(found["machine"]), int(found["number"]), found["rest"]))
    assert [line[:2] for line in lines] == [line[:2] for line in expected]
    assert renumbered([line[2] for line in lines]) == renumbered([line[2] for line in expected])
    assert f"Accepted: {kept()}; remaining: {''.join(source)!r}; terminal: {machine.terminal}" == pinned["end"]


# -- waiting, and the end of the source


def test_waits_then_goes_on() -> None:
    """(machine, None) is yielded where a symbol is wanted; chained, it goes on in the same state."""
    source, machine = chainable(), basic()
    run = machine.run(source)
    assert [str(entered) for _, entered in (next(run), next(run))] == ["( E )", "None"]
    source.chain("a")
    assert [str(entered) for _, entered in (next(run), next(run))] == ["( A )", "None"]
    source.chain("b,")
    assert [str(entered) for _, entered in run] == ["((B))"]
    assert (source.sent, source.peek()) == (2, ",")


def test_waiting_may_last() -> None:
    """Each time a symbol came, it waits anew."""
    source = chainable()
    steps = []
    for _, entered in basic().run(source):
        steps.append(str(entered))
        if entered is None and source.sent < 3:
            source.chain("abb"[source.sent])
    assert steps == ["( E )", "None", "( A )", "None", "((B))", "None", "((B))", "None"]


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("", "( ab+.( E ) ) sub-machine terminated in a non-terminal state, at offset 0: no more input", 0),
        ("a", "( ab+.( A ) ) sub-machine terminated in a non-terminal state, at offset 1: no more input", 1),
        ("ax", "( ab+.( A ) ) sub-machine terminated in a non-terminal state, at offset 1: next symbol 'x'", 1),
    ],
)
def test_stopped_in_mid_sentence(text: str, message: str, offset: int) -> None:
    """A machine that cannot go on in a non-terminal state says so, with its name, the offset, and why."""
    with pytest.raises(NonTerminal) as caught:
        list(basic().run(text))
    assert (str(caught.value), caught.value.offset) == (message, offset)


def test_empty_source_steps() -> None:
    """Over nothing: the initial state, a wait, and the error."""
    run = basic().run("")
    assert [str(entered) for _, entered in (next(run), next(run))] == ["( E )", "None"]
    with pytest.raises(NonTerminal):
        next(run)


def test_sub_machine_must_be_terminal_even_if_the_machine_is_not() -> None:
    """A machine inside another that stops too early is an error at once, not another's chance."""
    with pytest.raises(NonTerminal, match=r"\( ab\+\.\( A \) \).* at offset 4: next symbol ','"):
        list(csv().run("ab,a,"))


def test_epsilon_alone_is_taken_at_once() -> None:
    """A state with an epsilon transition only does not wait for a symbol."""
    first, last = state("1"), state("2", terminal=True)
    first[None] = last
    assert told(dfa("M", initial=first), "").steps == [("M", "1"), ("M", "2")]


def test_epsilon_at_the_end_of_the_source() -> None:
    """A state that could also take a symbol waits once, then takes its epsilon transition."""
    first, last = state("1"), state("2", terminal=True)
    first["a"] = first[None] = last
    assert told(dfa("M", initial=first), "").steps == [("M", "1"), ("M", None), ("M", "2")]


def test_input_state_entered_without_a_symbol() -> None:
    """An input state entered without a symbol waits for one; without, the sentence is incomplete."""
    machine = dfa("M", initial=state_input("A", terminal=True))
    source = chainable()
    run = machine.run(source)
    assert [entered for _, entered in (next(run), next(run))][1] is None
    source.chain("x")
    assert list(run) == []
    assert source.sent == 1
    with pytest.raises(NonTerminal, match=r"\( M\.\(\(A\)\) \).* at offset 0: no more input"):
        list(machine.run(""))


def test_input_state_after_an_epsilon_waits() -> None:
    """An input state reached by an epsilon transition waits for a symbol of its own."""
    first, second = state_input("1"), state_input("2", terminal=True)
    first[None] = second
    source = chainable("a")
    steps = []
    for _, entered in dfa("M", initial=first).run(source):
        steps.append(entered and entered.name)
        if entered is None:
            source.chain("b")
    assert (steps, source.sent) == (["1", "2", None], 2)
    with pytest.raises(NonTerminal, match="at offset 1: limit reached"):
        list(dfa("M", initial=first, limit=1).run("ab"))


def test_each_machine_collects_in_its_own_place() -> None:
    """What is collected goes below the context of the machine entered, and of the one around it after that."""
    inner = dfa("inner", initial=state_input("I", terminal=True), context="i", terminal=True)
    before, after = state_input("B"), state_input("A", terminal=True)
    before["i"] = inner
    inner["a"] = after
    data = dotdict()
    list(dfa("outer", initial=before, context="o").run("bia", data=data))
    assert {key: "".join(kept) for key, kept in data.items()} == {"o.input": "ba", "o.i.input": "i"}


def test_symbol_taken_by_somebody_else() -> None:
    """A symbol decided on but gone when it is to be taken is an error that says so."""
    source = peekable(iter("ab"))
    run = basic().run(source)
    next(run)
    next(run)
    assert "".join(source) == "ab"
    with pytest.raises(NonTerminal, match="no more input"):
        next(run)


def test_killed_source() -> None:
    """What is no iterable, chained to the source of a waiting run, ends it with TypeError."""
    source = chainable("a")
    run = basic().run(source)
    while next(run)[1] is not None:
        pass
    source.chain(1)
    with pytest.raises(TypeError):
        next(run)


def in_pieces(machine: dfa, text: str, sizes: list[int]) -> tuple[Told, int]:
    """As `told`, the text chained piece by piece as the run wants it; and how often it waited for a piece."""
    source, data, steps, waits = chainable(), dotdict(), [], 0
    for seen, entered in machine.run(source, data=data):
        if entered is None and text:
            size = sizes[waits % len(sizes)]
            source.chain(text[:size])
            text = text[size:]
            waits += 1
        else:
            steps.append((seen.own_name, None if entered is None else entered.name))
    accepted = "".join(data.get(machine.context() + ".input", ""))
    return Told(steps, accepted, "".join(source) + text, machine.terminal), waits


SENTENCES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(lambda each: ", ".join("a" + "b" * n for n in each))


@given(SENTENCES, st.lists(st.integers(1, 5), min_size=1, max_size=5), st.sampled_from(["", ";", "aab"]))
def test_pieces_make_no_difference(text: str, sizes: list[int], rest: str) -> None:
    """A run fed in pieces takes the same steps to the same end as one fed at once."""
    for machine in (basic(), csv(terminal=True)):
        pieces, _ = in_pieces(machine, text + rest, sizes)
        assert pieces == told(machine, text + rest)


def test_symbol_by_symbol_waits_for_each() -> None:
    """Fed symbol by symbol, a run waits for each symbol it takes, no more."""
    assert in_pieces(csv(), "abb, ab", [1])[1] == 7


def test_foreign_source() -> None:
    """Anything with peek, sent and next serves as a source."""

    class Own:
        def __init__(self, text: str) -> None:
            self.text, self.sent = text, 0

        def peek(self) -> str | None:
            return self.text[self.sent] if self.sent < len(self.text) else None

        def __next__(self) -> str:
            self.sent += 1
            return self.text[self.sent - 1]

    source, data = Own("abb, ab"), dotdict()
    steps = [(seen.own_name, entered and entered.name) for seen, entered in csv().run(source, data=data)]
    assert steps == told(csv(), "abb, ab").steps
    assert ("".join(data["csv.input"]), source.sent) == ("abbab", 7)


# -- greed


@pytest.mark.parametrize(
    ("settings", "accepted", "remaining"),
    [({}, "abbb", ",ab"), ({"greedy": True}, "abbb", ",ab"), ({"greedy": False}, "ab", "bb,ab")],
)
def test_greedy(settings: dict[str, Any], accepted: str, remaining: str) -> None:
    """A greedy machine goes on while it can; one that is not stops in the first terminal state."""
    assert told(basic(**settings), "abbb,ab")[1:3] == (accepted, remaining)


def test_not_greedy_does_not_wait() -> None:
    """A satisfied machine that is not greedy does not ask for another symbol."""
    assert (None in [entered for _, entered in basic().run("ab")]) is True
    assert (None in [entered for _, entered in basic(greedy=False).run("ab")]) is False


def test_not_greedy_inside() -> None:
    """A machine inside another that is not greedy stops first; the other goes on with its transitions."""
    with pytest.raises(NonTerminal):
        told(dfa("M", initial=dfa("ab", initial=letters(), greedy=False)), "ab")
    assert told(csv(item={"greedy": False}), "ab,abb")[1:3] == ("abab", "b")
    assert told(csv(greedy=False), "abb,ab")[1:3] == ("abb", ",ab")


def test_not_greedy_state() -> None:
    """A terminal state that is not greedy is the end of its machine."""
    assert told(basic(initial=letters(greedy_state=False)), "abbb")[1:3] == ("ab", "bb")


# -- repeat


@pytest.mark.parametrize(
    ("repeat", "accepted", "remaining"),
    [
        (None, "abb", "abx"),
        (1, "abb", "abx"),
        (2, "abbab", "x"),
        (0, "", "abbabx"),
        ("n", "abbab", "x"),
        ("none", "", "abbabx"),
    ],
)
def test_repeat(repeat: Any, accepted: str, remaining: str) -> None:
    """The machine is run as often as repeat says: a number, or one in the data below its context."""
    machine = basic(repeat=repeat, terminal=True)
    data, source = dotdict({"basic.n": 2}), peekable("abbabx")
    list(machine.run(source, data=data))
    assert ("".join(data.get("basic.input", "")), "".join(source)) == (accepted, remaining)
    assert machine.terminal


def test_repeat_yields_the_initial_state_again() -> None:
    """Each repeat begins with the initial state; none at all yields nothing."""
    assert [name for _, name in told(basic(repeat=2), "abab").steps] == ["E", "A", "B", "E", "A", "B", None]
    assert told(basic(repeat=0), "ab").steps == []


def test_repeat_not_done() -> None:
    """Input that ends before all repeats are done is incomplete."""
    with pytest.raises(NonTerminal, match=r"\( ab\+\.\( E \) \).* at offset 2: next symbol 'x'"):
        told(basic(repeat=2), "abx")


def test_repeat_not_greedy() -> None:
    """Not greedy, the last repeat stops as soon as satisfied."""
    assert told(basic(repeat=2, greedy=False), "abbabb")[1:3] == ("abbab", "b")


def test_repeat_zero_inside() -> None:
    """Repeated not at all, a machine is passed through, and its own transitions are taken."""
    inner = dfa("inner", initial=letters(), repeat=0, terminal=True)
    inner["x"] = state_input("X", terminal=True)
    assert told(dfa("M", initial=inner, context="m"), "x")[:3] == ([("M", "inner.( E )"), ("M", "X")], "x", "")


# -- limits


@pytest.mark.parametrize(
    ("limit", "accepted"),
    [(3, "abb"), ("n", "abb"), (lambda source, machine, path, data: 2, "ab"), (99, "abbbb"), (None, "abbbb")],
)
def test_limit(limit: Any, accepted: str) -> None:
    """At most as many symbols are taken as limit says: a number, one in the data, or what a function gives."""
    machine = basic(limit=limit, terminal=True)
    data, source = dotdict({"basic.n": 3}), peekable("abbbb")
    list(machine.run(source, data=data))
    assert ("".join(data["basic.input"]), "".join(source)) == (accepted, "abbbb"[len(accepted) :])
    assert machine.terminal


def test_limit_counts_from_where_the_machine_begins() -> None:
    """A limit is counted from the symbols already sent."""
    source = peekable("xxabbb")
    assert [next(source), next(source)] == ["x", "x"]
    list(basic(limit=3).run(source))
    assert source.sent == 5


def test_limit_is_not_waited_at() -> None:
    """At its limit a machine neither looks at nor waits for another symbol."""
    assert None not in [entered for _, entered in basic(limit=2).run(chainable("ab"))]


def test_limit_too_small() -> None:
    """A limit in mid-sentence is an error that says it was the limit."""
    with pytest.raises(NonTerminal, match=r"\( ab\+\.\( A \) \).* at offset 1: limit reached"):
        told(basic(limit=1), "ab")
    with pytest.raises(NonTerminal, match="at offset 0: limit reached"):
        told(dfa("M", initial=state_input("A"), limit=0), "ab")


def test_epsilon_at_the_limit() -> None:
    """At the limit only transitions without a symbol are taken."""
    first, taken, free = state_drop("1"), state_drop("2", terminal=True), state("3", terminal=True)
    first["b"] = taken
    first[None] = free
    assert told(dfa("M", initial=first, limit=1), "ab").steps == [("M", "1"), ("M", "3")]
    assert told(dfa("M", initial=first, limit=2), "ab").steps == [("M", "1"), ("M", "2")]


def test_limit_of_a_machine_inside() -> None:
    """The limit of a machine inside ends with it: the one around goes on with the same symbol."""
    inner = dfa("inner", initial=letters(), terminal=True, limit=3)
    inner["b"] = state_input("B'", terminal=True)
    assert told(dfa("M", initial=inner, context="m"), "abbbb")[1:3] == ("abbb", "b")


def test_limit_is_inherited() -> None:
    """A machine inside is bound by the limit around it."""
    with pytest.raises(NonTerminal, match=r"\( ab\+\.\( A \) \).* at offset 5: limit reached"):
        told(csv(limit=5), "abb,abbb")
    assert told(csv(limit=6), "abb,abbb")[1:3] == ("abbab", "bb")


def test_limit_holds_for_the_symbol_that_led_here() -> None:
    """A machine entered because of a symbol may not take it if its own limit is 0."""
    first = state("S")
    first["a"] = dfa("inner", initial=state_input("A", terminal=True), limit=0, terminal=True)
    with pytest.raises(NonTerminal, match=r"inner.* at offset 0: limit reached"):
        told(dfa("M", initial=first), "a")


def test_limit_beyond_the_enclosing_one() -> None:
    """A limit that reaches beyond the one around it is refused where it is measured, with machine and position."""
    inner = dfa("inner", initial=letters(), terminal=True, limit=3)
    first = state_drop("D")
    first[None] = inner
    assert told(dfa("M", initial=first, limit=4), "xabb").remaining == ""
    with pytest.raises(
        LimitExceeded, match=r"inner.* limit of 3 reaches 1 beyond the enclosing limit, at offset 1"
    ) as caught:
        told(dfa("M", initial=first, limit=3), "xabb")
    assert caught.value.offset == 1


def test_ending_given() -> None:
    """A run may be told where its input ends, as a machine around it would."""
    assert told(basic(), "abbb", ending=3)[1:3] == ("abb", "b")
    with pytest.raises(LimitExceeded):
        told(basic(limit=3), "abbb", ending=2)


@pytest.mark.parametrize("limit", [2, "n", lambda **_: 2])
def test_limit_of_a_state(limit: Any) -> None:
    """The limit of a plain state counts from after it was processed, to the end of its machine."""
    first, rest = state_input("1", limit=limit), state_input("2", terminal=True)
    first[True] = rest[True] = rest
    machine = dfa("M", initial=first, context="m")
    data, source = dotdict({"m.n": 2}), peekable("abcdef")
    list(machine.run(source, data=data))
    assert "".join(data["m.input"]) == "abc"


def test_limit_of_a_state_ends_with_a_repeat() -> None:
    """Each repeat begins with the limit of the machine alone."""
    first, rest = state_input("1", limit=1), state_input("2", terminal=True)
    first[True] = rest[True] = rest
    assert told(dfa("M", initial=first, context="m", repeat=2), "abcde")[1:3] == ("abcd", "e")


def test_limit_of_a_state_beyond_the_enclosing_one() -> None:
    """A state's limit beyond that of its machine is refused as well."""
    with pytest.raises(LimitExceeded, match="at offset 1"):
        told(dfa("M", initial=state_input("1", limit=2, terminal=True), limit=2), "abc")


def test_state_that_takes_too_much() -> None:
    """A state of one's own that takes more than the limit allows is an error."""

    class greedy(state):
        def process(self, source: Any, machine: Any, path: str | None, data: Any) -> None:
            for _ in range(3):
                next(source)

    with pytest.raises(LimitExceeded, match=r"M.* took 1 symbols beyond its limit, at offset 3"):
        told(dfa("M", initial=greedy("G", terminal=True), limit=2), "abcd")


# -- going in circles


def test_circle_of_states() -> None:
    """States that lead to one another without input are found out, with machine, state and position."""
    first, one, two = state_drop("D"), state("one"), state("two")
    first[None] = one
    one[None] = decide("always", two, lambda **_: True)
    two[None] = one
    with pytest.raises(GrammarError, match=r"\( M\.\( \w+ \) \) goes in circles .* entering \( \w+ \) .* offset 1"):
        for steps, _ in enumerate(dfa("M", initial=first).run("ab")):
            assert steps < 3 * run_module.IDLE_STATES


def test_circle_that_waits() -> None:
    """A circle that only ever waits is found out when nobody feeds it."""
    here = state("S")
    here["a"] = state("A")
    here[None] = here
    with pytest.raises(GrammarError, match="goes in circles"):
        for steps, _ in enumerate(dfa("M", initial=here).run("")):
            assert steps < 5 * run_module.IDLE_STATES


def test_circle_of_machines() -> None:
    """Machines entered again and again without input are found out: side by side, and inside one another."""
    one = dfa("one", initial=state("S", terminal=True), repeat=3, terminal=True)
    one[None] = one
    with pytest.raises(GrammarError, match="goes in circles"):
        list(dfa("M", initial=one).run(""))
    start = state("S")
    inside = dfa("inside", initial=start)
    start[None] = inside
    with pytest.raises(GrammarError, match="goes in circles"):
        list(inside.run(""))


def test_many_empty_repeats_are_no_circle() -> None:
    """A machine that takes nothing may be repeated any number of times: one cycle tells of all that follow."""
    inner = dfa("inner", initial=state("S", terminal=True), repeat=10**9, terminal=True)
    outer = dfa("outer", initial=inner, repeat=10**9, terminal=True)
    assert sum(1 for _ in outer.run("")) == 2 and outer.terminal


def test_many_repeats_of_code_are_bounded() -> None:
    """A cycle with code of the user's is run each time, beyond the bound of circles, but not for ever."""
    done: list[int] = []

    class counting(state_act):
        def act(self, data: Any, sent: int, ending: int | None) -> None:
            done.append(sent)

    def repeated(times: int) -> dfa:
        return dfa("M", initial=counting("S", terminal=True), repeat=times)

    times = run_module.IDLE_STATES * 2
    list(repeated(times).run(""))
    assert len(done) == times
    with pytest.raises(LimitExceeded, match="entered 100000 states without taking a symbol, at offset 0"):
        list(repeated(10**9).run(""))


def test_long_line_is_no_circle() -> None:
    """States without input in a line longer than the bound are no circle."""
    line = [state(str(number)) for number in range(run_module.IDLE_STATES * 2)] + [state("end", terminal=True)]
    for here, there in zip(line, line[1:], strict=False):
        here[None] = there
    assert sum(1 for _ in dfa("M", initial=line[0]).run("")) == len(line)


def test_long_line_twice_is_no_circle() -> None:
    """A line longer than the bound may be gone through again once a symbol was taken."""
    line = [state(str(number)) for number in range(run_module.IDLE_STATES * 2)]
    taking = state_drop("D", terminal=True)
    for here, there in zip(line, line[1:], strict=False):
        here[None] = there
    line[-1][True] = taking
    taking["a"] = line[0]
    assert sum(1 for _ in dfa("M", initial=line[0]).run("aa,")) == 2 * (len(line) + 1)


def test_circle_with_input_is_none() -> None:
    """A circle that takes a symbol each time round goes on."""
    free, taking = state_act_nothing("F"), state_drop("D", terminal=True)
    free["a"] = taking
    taking[None] = free
    free[None] = state("end", terminal=True)
    text = "a" * (run_module.IDLE_STATES * 2)
    assert told(dfa("M", initial=free), text).remaining == ""


class state_act_nothing(state_act):
    """Does nothing, but is called."""

    def act(self, data: Any, sent: int, ending: int | None) -> None:
        pass


# -- nesting, sharing


def parentheses() -> dfa:
    """A machine inside itself: balanced parentheses."""
    opening, closing, start = state_input("("), state_input(")", terminal=True), state("S")
    inside = dfa("inside", initial=start)
    start["("] = opening
    opening["("] = inside["("] = inside
    opening[")"] = inside[")"] = closing
    return dfa("P", initial=start, context="p")


def test_machine_inside_itself() -> None:
    """A machine may contain itself; each level has a view of its own."""
    assert told(parentheses(), "(()(()))x")[1:3] == ("(()(()))", "x")
    with pytest.raises(NonTerminal, match=r"\( P\.\( inside\.\(\(\)\)\) \) \).* at offset 3: next symbol 'x'"):
        told(parentheses(), "(()x")
    levels = {id(seen) for seen, _ in parentheses().run("(((())))") if seen.own_name == "inside"}
    assert len(levels) == 3


def test_deep_nesting() -> None:
    """Nesting is bounded by the input alone, not by Python's stack."""
    depth = 5000
    assert told(parentheses(), "(" * depth + ")" * depth).remaining == ""


def test_abandoned_run_leaves_the_machine_usable() -> None:
    """A run left halfway, closed or not, changes nothing for others."""
    machine = csv(terminal=True)
    whole = told(machine, "abb, ab")
    halfway = machine.run("abb, ab", data=dotdict())
    for _ in range(5):
        next(halfway)
    assert told(machine, "abb, ab") == whole
    halfway.close()
    assert told(machine, "abb, ab") == whole
    with pytest.raises(NonTerminal):
        told(machine, "a")
    assert told(machine, "abb, ab") == whole


def test_threads_share_a_machine() -> None:
    """Sixteen threads run one machine from its first run on, step by step in turns, each to its own end."""
    machine = csv(terminal=True)
    texts = [", ".join("a" + "b" * (1 + (seed + part) % 5) for part in range(seed + 1)) for seed in range(16)]
    expected = [told(csv(terminal=True), text) for text in texts]
    ready = threading.Barrier(len(texts))
    got: list[list[Told]] = [[] for _ in texts]

    def work(number: int) -> None:
        ready.wait()
        for _ in range(20):
            got[number].append(told(machine, texts[number]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [[each] * 20 for each in expected]


def test_run_may_move_between_threads() -> None:
    """A run begun in one thread can be finished in another."""
    data = dotdict()
    run = csv().run("abb, ab", data=data)
    next(run)
    thread = threading.Thread(target=lambda: list(run))
    thread.start()
    thread.join()
    assert "".join(data["csv.input"]) == "abbab"
