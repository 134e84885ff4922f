"""What is given to states and machines is checked where it is given, once and for all."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from cpppo.automata import CharacterClass, choice, decide, dfa, regex, state, state_drop, state_input
from cpppo.errors import GrammarError
from tests.automata.examples import basic, told


def ending(**settings: Any) -> state_input:
    return state_input("S", terminal=True, **settings)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: state("S", context=5), "context 5 of 'S' is no place in data: give names"),
        (lambda: state("S", context="a..b"), "context 'a..b' of 'S' is no place"),
        (lambda: state("S", context="a["), "context 'a.' of 'S' is no place"),
        (lambda: state("S", extension=5), "extension 5 of 'S' is no place"),
        (lambda: state("S", encoder=5), "encoder 5 of 'S' cannot be called"),
        (lambda: state("S", typecode="zz"), "Unknown typecode 'zz' of 'S'"),
        (lambda: state("S", limit=-1), "limit -1 of 'S' is none: give a whole number from 0"),
        (lambda: state("S", limit=""), "limit '' of 'S' is none"),
        (lambda: state("S", limit="a b"), "limit 'a b' of 'S' is none"),
        (lambda: dfa("M", initial=ending(), repeat="2"), "repeat '2' of 'M' is none"),
        (lambda: dfa("M", initial=ending(), repeat=1.5), "repeat 1.5 of 'M' is none"),
        (lambda: dfa("M", initial=ending(), alphabet="xyz"), "Machine 'M' has no alphabet; give it to the states"),
        (lambda: dfa("M", initial=ending(), typecode="B"), "Machine 'M' has no typecode"),
        (lambda: dfa("M", initial=ending(), states=[5]), "states of machine 'M' has 5, which is none"),
        (lambda: decide("d", None, 5), "decide 'd': the predicate 5 cannot be called"),
        (lambda: CharacterClass([]), "a class of no symbols"),
        (lambda: CharacterClass([(5, 1)]), "ranges .* of a class"),
        (lambda: CharacterClass([(1, 5), (5, 9)]), "ranges .* of a class"),
        (lambda: CharacterClass([(0, 256)], octets=True), "ranges .* of a class"),
    ],
)
def test_refused_where_given(build: Callable[[], object], message: str) -> None:
    """What can never serve is refused, with whose it is and what to give instead."""
    with pytest.raises(GrammarError, match=message):
        build()


@pytest.mark.parametrize(
    ("encoder", "why"),
    [
        (ord, "makes no symbols of 'a': TypeError"),
        (lambda text: None, "makes no symbols of 'a': TypeError"),
        (lambda text: [[text]], "makes no symbols of 'a': TypeError: unhashable"),
        (lambda text: "", "makes nothing of 'a'; it must give a symbol or more"),
        (lambda text: "\udc80".encode(), "makes no symbols of 'a': UnicodeEncodeError"),
    ],
)
def test_encoders_that_make_junk(encoder: Any, why: str) -> None:
    """An encoder that makes no symbols is told of, for a state and for an expression."""
    with pytest.raises(GrammarError, match=why):
        state("S", encoder=encoder)["a"] = None
    with pytest.raises(GrammarError, match=why):
        regex(initial="a", regex_encoder=encoder)


@pytest.mark.parametrize("name", ["limit", "greedy", "repeat", "initial", "exact"])
def test_frozen_settings(name: str) -> None:
    """Once a machine ran, setting what it is made of is refused, not ignored; so is it of its states."""
    machine = basic()
    setattr(machine, name, getattr(machine, name))
    told(machine, "ab")
    with pytest.raises(GrammarError, match=f"is frozen since its machine first ran; set {name} before that"):
        setattr(machine, name, getattr(machine, name))
    with pytest.raises(GrammarError, match="frozen"):
        machine.initial.alphabet = "ab"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_definitions_are_not_copied(copied: Callable[[Any], Any]) -> None:
    """A definition is shared; the message says how to make a copy of a state."""
    for definition in (basic(), ending()):
        with pytest.raises(GrammarError, match="is a definition, to be shared; make a copy of a state by"):
            copied(definition)


def test_view_can_be_copied_and_entered() -> None:
    """A view is an ordinary object, which may be copied and entered like its machine."""
    seen, _ = next(iter(basic().run("ab")))
    with seen as entered:
        assert entered is seen
    assert copy.copy(seen) == seen and copy.copy(seen).current is seen.current


def test_decide_that_tells_the_state_itself() -> None:
    """A decide may be called to tell the state, or anything that has its state and can be called."""
    one, two = ending(), state_drop("two", terminal=True)

    class telling(decide):
        def __call__(self, **given: Any) -> Any:
            return two if given["source"].peek() == "b" else None

    class called:
        state = two

        def __call__(self, **given: Any) -> Any:
            return self.state if given["source"].peek() == "c" else None

    for target, symbol in ((telling("t", two), "b"), (called(), "c")):
        first = state("first")
        first[True] = target
        first[True] = one
        assert [name for _, name in told(dfa("M", initial=first), symbol).steps] == ["first", "two"]
        assert [name for _, name in told(dfa("M", initial=first), "x").steps] == ["first", "S"]


def test_choice_of_what_is_no_state() -> None:
    """What a choice chooses must be a state."""

    class wrong(choice):
        def choose(self, data: Any) -> Any:
            return "nowhere"

    first = state("first")
    first[None] = wrong()
    with pytest.raises(GrammarError, match=r"\( M\..*what was chosen, 'nowhere', is no state"):
        told(dfa("M", initial=first), "a")
