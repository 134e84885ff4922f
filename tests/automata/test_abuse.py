"""Odd symbols, data and code met while a machine runs: one clear error, and the answers stay right."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from cpppo.automata import (
    LimitExceeded,
    Unacceptable,
    chainable,
    dfa,
    peekable,
    regex,
    regex_bytes,
    state,
    state_drop,
    state_input,
    string_bytes,
)
from cpppo.dotdict import dotdict
from cpppo.errors import GrammarError, NonTerminal
from tests.automata.examples import basic


def any_of(**settings: Any) -> dfa:
    """A machine of any symbols its one state can take."""
    first, taking = state("E"), state_input("A", terminal=True, **settings)
    first[True] = taking[True] = taking
    return dfa("m", initial=first, terminal=True)


def test_matcher_has_no_history() -> None:
    """What a matcher met before changes no answer, of symbols that are equal and yet not of one type."""
    matcher = any_of(alphabet=int).compile()
    assert matcher.match([1.0]) == (0, False, False)
    assert matcher.match([1, 1]) == (2, True, True)
    assert matcher.match([1, 1.0]) == any_of(alphabet=int).compile().match([1, 1.0]) == (1, False, False)


def test_compiled_goes_no_further_than_its_limit() -> None:
    """A circle that is never reached, because of a limit, is no reason to refuse the machine."""
    here = state("s")
    here["a"] = here
    assert dfa("m", initial=here, terminal=True, limit=0).compile().match("aaa") == (0, False, False)
    with pytest.raises(GrammarError, match="can go in circles"):
        dfa("m", initial=here, terminal=True, limit=1).compile()


def test_matcher_takes_of_an_endless_iterable_what_it_needs() -> None:
    """An iterable that never ends is no trouble to a machine that does."""
    assert regex(initial="a{3}", terminal=True).compile().match(itertools.repeat("a")) == (3, True, True)
    assert regex(initial="a*", limit=5000, terminal=True).compile().match(itertools.repeat("a")) == (5000, True, True)


@pytest.mark.parametrize("times", [1000, 10**9])
def test_compiled_repeats_that_take_nothing(times: int) -> None:
    """Repeats are compiled at once, however many take nothing."""
    machine = regex(initial="a?", repeat=times, terminal=True)
    assert machine.compile().match("aab") == (2, True, True)


@pytest.mark.parametrize("given", [None, 5])
def test_no_source(given: Any) -> None:
    """What is no iterable is no source."""
    with pytest.raises(GrammarError, match="cannot run on .* which is no iterable of symbols"):
        basic().run(given)
    with pytest.raises(GrammarError, match="cannot run on"):
        basic().compile().match(given)


def test_limit_from_a_plain_dict() -> None:
    """A path that goes up by dots is found in a plain dict, too."""
    machine = string_bytes("text", context="text", limit=".size")
    data: dict[str, Any] = {"frame.size": 5}
    source = peekable(b"hello, world")
    for _ in machine.run(source, path="frame", data=data):
        pass
    assert data["frame.text"] == b"hello" and source.sent == 5


def test_process_beyond_the_input() -> None:
    """A state of one's own that takes more than there is ends in an error that says where."""

    class pair(state_drop):
        def process(self, source: Any, machine: Any, path: str | None, data: Any) -> None:
            next(source), next(source)

    with pytest.raises(NonTerminal, match=r"\( M\.\( P \) \) sub-machine terminated.* at offset 1: no more input"):
        list(dfa("M", initial=pair("P")).run("a"))


def test_deep_nesting_has_a_short_name() -> None:
    """However deep machines are inside one another, the name is short, and being terminal is told."""
    first, left, right = state("S"), state_drop("L"), state_drop("R", terminal=True)
    inner = dfa("in", initial=first, terminal=True)
    first["("] = left
    left["("] = inner
    left[")"] = inner[")"] = right
    inner_first = state("T")
    inner_first[None] = inner
    top = dfa("top", initial=inner_first, terminal=True)
    inner[None] = state("end", terminal=True)
    seen: Any = None
    source = chainable("(" * 3000)
    for machine, entered in top.run(source):
        seen = seen or machine
        if entered is None:
            break
    assert str(seen).count("in.") < 12 and "..." in str(seen) and seen.terminal is False


def test_closing_with_an_error() -> None:
    """A value that cannot be made when a run is closed is our error, and machines around are ended all the same."""
    ended: list[str] = []

    class outer(dfa):
        def terminate(self, exception: Any, machine: Any, path: Any, data: Any) -> None:
            ended.append(type(exception).__name__)

    machine = outer("O", initial=string_bytes("s", decode="utf-8", terminal=True), context="o")
    run = machine.run(chainable(b"\xff"), data=dotdict())
    while next(run)[1] is not None:
        pass
    with pytest.raises(Unacceptable, match="cannot use what it took, at offset 1: 'utf-8' codec"):
        run.close()  # type: ignore[attr-defined]
    assert ended == ["Unacceptable"]


def test_limit_exceeded_is_an_assertion() -> None:
    """Scripts that catch AssertionError for a limit that is overrun go on doing so."""
    with pytest.raises(AssertionError):
        list(dfa("M", initial=basic(limit=lambda **_: 9), limit=3).run("abbb"))
    assert issubclass(LimitExceeded, NonTerminal)


@pytest.mark.parametrize(
    ("machine", "given", "hint"),
    [
        (
            regex(initial="ab+"),
            b"abb",
            "next symbol 97, an octet, but 'ab.' is over text: decode it",
        ),
        (
            regex_bytes(initial="ab+"),
            "abb",
            "next symbol 'a', a character, but .* is over octets: encode it",
        ),
        (regex(initial="ab+"), ["a", 7.0], "next symbol 7.0$"),
    ],
)
def test_symbols_of_the_other_kind(machine: dfa, given: Any, hint: str) -> None:
    """Octets given to a machine over text, or the reverse, are named."""
    with pytest.raises(NonTerminal, match=hint):
        list(machine.run(given))


def test_predicates_that_fail() -> None:
    """A predicate that does not know a symbol is named, with the state and the symbol."""
    first = state("first")
    first[str.isdigit] = state("end", terminal=True)
    with pytest.raises(GrammarError, match=r"\( first \): its predicate isdigit\(\) fails for the symbol 49"):
        list(dfa("M", initial=first).run(b"1"))
    first = state("first")
    first[48] = state_input("A", terminal=True, alphabet=str.isdigit)
    with pytest.raises(Unacceptable, match="cannot collect the symbol 48"):
        list(dfa("M", initial=first).run(b"0"))


def test_place_that_cannot_be_collected_into() -> None:
    """A scalar in the way is named with the state."""
    with pytest.raises(GrammarError, match=r"\( A \) cannot collect into 'basic.input' of the data: .*basic"):
        list(basic().run("ab", data=dotdict(basic=1)))


def test_circle_only_for_some_input() -> None:
    """What goes in circles for some input only is told of then, and runs for any other."""
    first, second = state("E"), state("F")
    first["a"] = second["b"] = state_drop("end", terminal=True)
    first[None], second[None] = second, first
    machine = dfa("M", initial=first)
    for text in ("a", "b"):
        assert list(machine.run(text))
    with pytest.raises(GrammarError, match="goes in circles"):
        list(machine.run("c"))
    with pytest.raises(GrammarError, match="can go in circles"):
        machine.compile()
