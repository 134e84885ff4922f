"""States: transitions and their lookup, what is shown, alphabets, places of data, freezing."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

from cpppo.automata import (
    TransitionError,
    chainable,
    choice,
    decide,
    dfa,
    peekable,
    state,
    state_act,
    state_drop,
    state_input,
    state_take,
)
from cpppo.automata.steps import measure
from cpppo.automata.symbols import TEXT_TYPECODE
from cpppo.dotdict import dotdict
from cpppo.errors import GrammarError, NonTerminal


def entered(machine: dfa, source: Any, data: Any = None) -> list[str]:
    """The text of each state entered, '-' where the run waited."""
    return ["-" if each is None else each.name for _, each in machine.run(source, data=data)]


# -- the mapping


def test_identity() -> None:
    """A state is itself, whatever its transitions: equality and hash are identity, and it is always true."""
    one, other = state("S"), state("S")
    assert one == one
    assert one != other
    assert len({one, other}) == 2
    assert bool(one)
    assert one != {}


def test_text() -> None:
    """A state shows its name in parentheses, doubled if terminal, and centred around its last dot."""
    assert (str(state("E")), repr(state("B", terminal=True))) == ("( E )", "<((B))>")
    machine = dfa("ab+", initial=state("E"))
    assert str(machine) == "( ab+.( E ) )"
    assert machine.name_centered() == " " * 35 + "( ab+.( E ) )  "
    assert dfa("CSV", initial=machine).name_centered() == " " * 29 + "( CSV.( ab+.( E ) ) )"


def test_lookup_order() -> None:
    """Exact, then predicates in order, then True for a symbol, then None."""
    here = state("S")
    exact, first, second, other, epsilon = (state(name) for name in "EFSOP")
    here["a"] = exact
    here[str.isalpha] = first
    here[str.isalnum] = second
    assert here.get("!") is None
    here[None] = epsilon
    assert here["!"] is epsilon
    here[True] = other
    assert [here[symbol] for symbol in ("a", "b", "1", "!", None)] == [exact, first, second, other, epsilon]


def test_run_follows_the_lookup_order() -> None:
    """A run moves as the lookup says."""
    here = state("S")
    for key, name in (("a", "exact"), (str.isalpha, "alpha"), (str.isalnum, "alnum"), (True, "any"), (None, "epsilon")):
        here[key] = state(name, terminal=True)
    machine = dfa("M", initial=here)
    assert {symbol: entered(machine, symbol) for symbol in ("a", "b", "1", "!", "")} == {
        "a": ["S", "exact"],
        "b": ["S", "alpha"],
        "1": ["S", "alnum"],
        "!": ["S", "any"],
        "": ["S", "-", "epsilon"],
    }


def test_epsilon_for_an_unknown_symbol() -> None:
    """Without a wildcard, None is taken for a symbol that nothing else knows."""
    here = state("S")
    here["a"] = state("A", terminal=True)
    here[None] = state("N", terminal=True)
    assert entered(dfa("M", initial=here), "b") == ["S", "N"]


def test_symbol_one_is_not_the_wildcard() -> None:
    """S[1] and S[True] are two transitions."""
    here = state("S")
    one, other = state("1", terminal=True), state("any", terminal=True)
    here[1] = one
    here[True] = other
    assert (here[1], here[True], here[2]) == (one, other, other)
    machine = dfa("M", initial=here)
    assert [entered(machine, bytes([octet])) for octet in (1, 2)] == [["S", "1"], ["S", "any"]]


def test_explicitly_no_transition() -> None:
    """S[symbol] = None stops even where a wildcard would go on."""
    here = state_drop("S", terminal=True)
    here[True] = here
    here["."] = None
    source = peekable("ab.c")
    assert entered(dfa("M", initial=here), source) == ["S", "S"]
    assert "".join(source) == ".c"


def test_no_such_transition() -> None:
    """Looking up or deleting what is not there raises a KeyError of ours, naming state and symbol."""
    here = state("S")
    with pytest.raises(KeyError, match=r"\( S \) has no transition on 'x'") as caught:
        here["x"]
    assert isinstance(caught.value, GrammarError)
    with pytest.raises(TransitionError, match="no transition on None"):
        del here[None]


def test_target_must_be_one() -> None:
    """A target that is no state, None, decide or choice is refused, as KeyError and as ours."""
    for wrong in (1, "A", state, object()):
        with pytest.raises(KeyError, match="Target must be"):
            state("S")["a"] = wrong
    with pytest.raises(GrammarError, match=r"Target must be .* in \( S \)"):
        state("S")["a"] = "A"


def test_other_ways_to_change_transitions() -> None:
    """update and setdefault assign; del deletes; what would bypass assignment is refused."""
    here, there = state("S"), state("T")
    here.update({"a": there, "b": None})
    assert here.setdefault("a") is there
    assert "a" in here
    del here["a"]
    assert "a" not in here
    with pytest.raises(TransitionError, match="Target must be"):
        here.update({"a": 1})
    with pytest.raises(GrammarError, match="one by one"):
        here.pop("b")
    with pytest.raises(GrammarError, match="one by one"):
        here.clear()


def test_copy() -> None:
    """A state made from another has its transitions and settings, and its name with a quote."""
    origin = state_input("0", terminal=True, context="c", typecode="B", alphabet=int)
    origin["a"] = origin
    copy = state(origin)
    assert (copy.name, copy.terminal, copy["a"], copy.context()) == ("0'", True, origin, "c")
    copy["b"] = copy
    assert "b" not in origin
    assert copy.typecode == "B"


def test_encoder() -> None:
    """An encoder makes the source's symbols of the text symbols given; several make a tuple."""
    here = state("S", encoder=lambda text: text.encode())
    there = state("T", terminal=True)
    here["a"] = there
    here["é"] = there
    assert (here["a"], here[97], here["é"], here[(0xC3, 0xA9)]) == (there,) * 4
    assert entered(dfa("M", initial=here), b"a") == ["S", "T"]


# -- conditional targets


def test_decide_stacked() -> None:
    """Decides on one key are asked in order, by keyword; the first true one leads, else the state after them."""
    asked: list[set[str]] = []

    def says(number: int) -> Any:
        def predicate(**given: Any) -> bool:
            asked.append(set(given))
            return bool(given["data"] == number)

        return predicate

    here = state("S")
    here["a"] = decide("one", state("1", terminal=True), says(1))
    here["a"] = decide("two", state("2", terminal=True), says(2))
    here["a"] = state("3", terminal=True)
    machine = dfa("M", initial=here)
    assert [entered(machine, "a", data=number) for number in (1, 2, 3)] == [["S", "1"], ["S", "2"], ["S", "3"]]
    assert asked == [{"machine", "source", "path", "data"}] * 5


def test_decide_declining() -> None:
    """When all decides decline and no state follows, there is no transition; None as state says so at once."""
    here = state("S", terminal=True)
    here[None] = decide("no", state("1"), lambda **_: False)
    assert entered(dfa("M", initial=here), "a") == ["S"]
    stop = state("S", terminal=True)
    stop["a"] = decide("stop", None, lambda **_: True)
    stop["a"] = state("2")
    assert entered(dfa("M", initial=stop), "a") == ["S"]


def test_decide_after_the_state() -> None:
    """A decide behind the state it could not come before is refused."""
    here = state("S")
    here["a"] = state("T")
    with pytest.raises(TransitionError, match="must be given before the state of 'a'"):
        here["a"] = decide("late", state("U"))


def test_decide_called() -> None:
    """A decide can be called, and gives its state or None."""
    there = state("T")
    assert decide("yes", there)() is there
    assert decide("no", there, lambda **_: 0)() is None


def test_choice() -> None:
    """A choice takes the data alone; None means no transition; a state it did not list is frozen when chosen."""
    left, right = state("L", terminal=True), state("R", terminal=True)

    class by_data(choice):
        targets = (left,)

        def choose(self, data: Any) -> state | None:
            return {"l": left, "r": right}.get(data)

    here = state("S", terminal=True)
    here[None] = by_data()
    machine = dfa("M", initial=here)
    assert [entered(machine, "", data=data) for data in "lrx"] == [["S", "L"], ["S", "R"], ["S"]]
    for each in (left, right):
        with pytest.raises(GrammarError, match="frozen"):
            each["a"] = None


# -- alphabets


@pytest.mark.parametrize(
    ("alphabet", "inside", "outside"),
    [(str, "a", 1), ("abc", "a", "d"), (b"abc", 97, 100), ({1, 2}, 1, 3), (str.isdigit, "1", "a"), (range(3), 2, 3)],
)
def test_alphabet(alphabet: Any, inside: Any, outside: Any) -> None:
    """A type, a container or a predicate says which symbols are valid; a run refuses others, with position."""
    taking = state_input("T", terminal=True, alphabet=alphabet)
    assert taking.validate(inside)
    assert not taking.validate(outside)
    assert not taking.validate(None)
    assert state("S", alphabet=alphabet).validate(None)
    taking[True] = taking
    machine = dfa("M", initial=taking)
    assert entered(machine, [inside]) == ["T", "-"]
    with pytest.raises(NonTerminal, match=r"M\.\(\(T\)\).* cannot collect the symbol .* at offset 1") as caught:
        entered(machine, [inside, outside])
    assert caught.value.offset == 1


def test_alphabet_refused() -> None:
    """What is no alphabet, or an empty one, is refused as TypeError and as ours."""
    with pytest.raises(TypeError, match="Unknown alphabet 5 of state 'S'") as caught:
        state("S", alphabet=5)
    assert isinstance(caught.value, GrammarError)
    with pytest.raises(GrammarError, match="Empty alphabet"):
        state("S", alphabet="")


# -- where data is kept


def test_context() -> None:
    """context is path, own context and extension, joined; the extension of an input state is .input."""
    assert state("S", context="boo").context("a.b", "_") == "a.b.boo_"
    assert state("S", context="boo").context() == "boo"
    assert state("S", extension=".x").context("a") == "a.x"
    assert state_input("S", context="boo").context("a.b") == "a.b.boo.input"
    assert state_input("S").context("a") == "a.input"
    assert dfa("M", initial=state("S"), context="m").context() == "m"


@pytest.mark.parametrize(
    ("source", "typecode", "kept"),
    [
        ("ab", None, array(TEXT_TYPECODE, "ab")),
        ("ab", "u", array(TEXT_TYPECODE, "ab")),
        (b"ab", None, array("B", b"ab")),
        ([1, 300], "H", array("H", [1, 300])),
        ([1.5, 2.5], None, [1.5, 2.5]),
    ],
)
def test_input_collects(source: Any, typecode: str | None, kept: Any) -> None:
    """Symbols are appended to a new array of the given typecode, or of the first symbol's kind, else to a list."""
    taking = state_input("T", terminal=True, context="t", typecode=typecode)
    taking[True] = taking
    data = dotdict()
    assert entered(dfa("M", initial=taking, context="m"), source, data) == ["T", "T", "-"]
    assert data["m.t.input"] == kept
    assert type(data["m.t.input"]) is type(kept)


def test_input_appends_to_what_is_there() -> None:
    """Anything with append at the place is used as it is."""
    taking = state_input("T", terminal=True)
    mine: list[str] = ["x"]
    data = {"p.m.input": mine}
    list(dfa("M", initial=taking, context="m").run("a", path="p", data=data))
    assert data["p.m.input"] is mine
    assert mine == ["x", "a"]


def test_input_keeps_nothing_without_place() -> None:
    """With data None, or an empty path and no context, symbols are taken and not kept, data not touched."""
    taking = state_input("T", terminal=True)
    untouchable = object()
    for data in (None, untouchable):
        source = peekable("a")
        assert entered(dfa("M", initial=taking), source, data) == ["T"]
        assert source.sent == 1
    assert entered(dfa("M", initial=state_input("T", terminal=True), context="m"), "a", None) == ["T"]


def test_input_that_cannot_collect() -> None:
    """A place without append, and a symbol the array cannot hold, are errors that say where."""
    taking = state_input("T", terminal=True, context="t")
    taking[True] = taking
    machine = dfa("M", initial=taking)
    with pytest.raises(GrammarError, match=r"\(\(T\)\) cannot collect into 't.input': 5 has no append"):
        entered(machine, "a", {"t.input": 5})
    with pytest.raises(NonTerminal, match="cannot collect the symbol 300, at offset 1") as caught:
        entered(machine, [1, 300], {})
    assert caught.value.offset == 1


# -- derived states


def test_drop() -> None:
    """state_drop takes its symbol and keeps nothing."""
    data = dotdict()
    source = peekable("ab")
    list(dfa("M", initial=state_drop("D", terminal=True), context="m").run(source, data=data))
    assert (source.sent, data) == (1, {})


def test_take_and_act() -> None:
    """take gets the symbol and the very data; act the data, the count sent and where input ends."""
    log: list[Any] = []

    class taker(state_take):
        def take(self, symbol: Any, data: Any) -> None:
            log.append((symbol, data))

    class actor(state_act):
        def act(self, data: Any, sent: int, ending: int | None) -> None:
            log.append((data, sent, ending))

    first, last, data = taker("T"), actor("A", terminal=True), object()
    first[None] = last
    list(dfa("M", initial=first).run("ab", data=data))
    list(dfa("M", initial=first, limit=2).run("ab", data=data))
    assert log == [("a", data), (data, 1, None), ("a", data), (data, 1, 2)]


def test_hooks_of_a_subclass() -> None:
    """Overridden hooks are called by keyword: initialize, process, terminate; with the exception, if one passes."""
    log: list[Any] = []

    class own(state_input):
        def initialize(self, machine: Any, path: str | None, data: Any) -> None:
            log.append(("initialize", machine, path))

        def process(self, source: Any, machine: Any, path: str | None, data: Any) -> None:
            super().process(source=source, machine=machine, path=path, data=data)
            if source.sent > 1:
                raise ZeroDivisionError

        def terminate(self, exception: BaseException | None, machine: Any, path: str | None, data: Any) -> None:
            log.append(("terminate", type(exception)))

    here = own("O", terminal=True)
    here[True] = here
    machine = dfa("M", initial=here, context="m")
    data = dotdict()
    with pytest.raises(ZeroDivisionError):
        list(machine.run("ab", data=data))
    begun = ("initialize", machine, "m")
    assert log == [begun, ("terminate", type(None)), begun, ("terminate", ZeroDivisionError)]
    assert "".join(data["m.input"]) == "ab"


def test_act_and_take_with_hooks() -> None:
    """A take or act state with hooks or a limit of its own still takes or acts, with the same arguments."""
    log: list[Any] = []

    class taker(state_take):
        def take(self, symbol: Any, data: Any) -> None:
            log.append(symbol)

    class actor(state_act):
        def act(self, data: Any, sent: int, ending: int | None) -> None:
            log.append((sent, ending))

    first, last = taker("T", limit=1), actor("A", terminal=True, limit=0)
    first[None] = last
    list(dfa("M", initial=first).run("ab"))
    assert log == ["a", (1, 2)]


def test_validate_overridden() -> None:
    """A subclass' validate decides which symbols a run takes."""

    class lower(state_input):
        def validate(self, symbol: Any) -> bool:
            return symbol is not None and bool(symbol.islower())

    here = lower("L", terminal=True)
    here[True] = here
    machine = dfa("M", initial=here)
    assert entered(machine, "ab") == ["L", "L", "-"]
    with pytest.raises(NonTerminal, match="symbol 'B', at offset 1"):
        entered(machine, "aB")


def test_custom_state_waits() -> None:
    """A state with hooks waits for its symbol as any other."""

    class own(state_input):
        def initialize(self, machine: Any, path: str | None, data: Any) -> None:
            data.append("begun")

    source = chainable()
    data: list[str] = []
    here = own("O", terminal=True)
    run = dfa("M", initial=here).run(source, data=data)
    assert [each for _, each in (next(run), next(run))] == [here, None]
    assert data == []
    source.chain("a")
    assert list(run) == []
    assert (data, source.sent) == (["begun"], 1)
    with pytest.raises(NonTerminal, match="no more input"):
        list(dfa("M", initial=own("O", terminal=True)).run("", data=data))


# -- freezing


def test_frozen_at_first_run() -> None:
    """The first run freezes all that can be reached: states, sub-machines, targets of decides; not what cannot."""
    first, second, inner, decided, apart = (state(name) for name in ("1", "2", "inner", "decided", "apart"))
    sub = dfa("sub", initial=inner)
    first["a"] = second
    second[str.isdigit] = sub
    sub[None] = decide("d", decided)
    apart["a"] = first
    machine = dfa("M", initial=first)
    first["b"] = None
    machine.run("")
    for each in (first, second, inner, decided, sub, machine):
        with pytest.raises(GrammarError, match="is frozen since its machine first ran"):
            each["z"] = None
        with pytest.raises(GrammarError, match="is frozen"):
            del each["a"]
    apart["z"] = None


# -- numbers


@pytest.mark.parametrize(
    ("given", "number"),
    [(3, 3), ("n", 5), (".n", 4), ("..n", 3), ("none", 0), (lambda data, **_: data["n"] + 1, 4)],
)
def test_measure(given: Any, number: int) -> None:
    """A limit or repeat is a number, a path relative to the context (dots back up; absent is 0), or a function."""
    data = dotdict({"n": 3, "p.n": 4, "p.c.n": 5})
    assert measure(given, "limit", state("S", context="c"), None, peekable(""), "p", data) == number


def test_measure_without_data() -> None:
    """A path means 0 where there is no data."""
    assert measure("n", "limit", state("S"), None, peekable(""), None, None) == 0


def test_measure_refuses() -> None:
    """What is no whole number, or negative, is an error that names the state and the setting."""
    with pytest.raises(GrammarError, match=r"\( S \): repeat 'n' is 'x', which is not a whole number"):
        measure("n", "repeat", state("S"), None, peekable(""), None, {"n": "x"})
    with pytest.raises(NonTerminal, match=r"\( S \): limit -1 is negative: -1, at offset 0"):
        measure(-1, "limit", state("S"), None, peekable(""), None, None)
