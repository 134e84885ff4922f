"""Sources of symbols: look-ahead, pushing back, counting, and going on with more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.automata import chainable, chaining, dfa, peekable, peeking, state, state_input
from cpppo.automata.source import BLOCK, look_ahead, rememberable, remembering
from cpppo.errors import Error


@pytest.mark.parametrize(
    ("iterable", "symbols"),
    [("ab", ["a", "b"]), (b"ab", [97, 98]), (bytearray(b"ab"), [97, 98]), ([1, 2], [1, 2]), (iter("ab"), ["a", "b"])],
)
def test_iterates_any_iterable(iterable: object, symbols: list[object]) -> None:
    """Text gives characters, octets give ints, anything else its items."""
    assert list(peekable(iterable)) == symbols
    assert list(chainable(b"")) == []


def test_peek_takes_nothing() -> None:
    """peek gives the next symbol as often as asked, and counts nothing as sent."""
    source = peekable("ab")
    assert (source.peek(), source.peek(), source.sent) == ("a", "a", 0)
    assert (source.next(), next(source), source.sent) == ("a", "b", 2)


def test_peek_at_the_end_is_none() -> None:
    """An exhausted source peeks None, and never raises StopIteration for it; next does."""
    source = peekable("")
    assert source.peek() is None
    with pytest.raises(StopIteration):
        next(source)
    with pytest.raises(StopIteration):
        source.next()
    assert (source.peek(), source.sent) == (None, 0)


def test_push_gives_back() -> None:
    """Pushed symbols come last in first out, before the rest, and count down, below zero too."""
    source = peekable("c")
    source.push("b")
    source.push("a")
    assert (source.sent, source.peek()) == (-2, "a")
    assert "".join(source) == "abc"
    assert source.sent == 1


def test_looking_takes_one_symbol_from_an_iterator() -> None:
    """Looking ahead takes no more from an iterator than what is looked at."""
    taken: list[int] = []

    def lazily() -> Iterator[int]:
        for each in range(3):
            taken.append(each)
            yield each

    source = peekable(lazily())
    assert taken == []
    source.peek()
    source.peek()
    assert taken == [0]
    assert list(source) == [0, 1, 2]


def test_long_text_keeps_its_order() -> None:
    """Text and octets longer than a block come in order, with pushes at the seam."""
    octets = bytes(range(256)) * (BLOCK // 256 * 2 + 1)
    source = peekable(octets)
    begin = [next(source) for _ in range(BLOCK)]
    source.push(begin.pop())
    assert bytes(begin) + bytes(source) == octets
    assert source.sent == len(octets)


def test_conversions_keep_what_serves_already() -> None:
    """peekable keeps anything with peek and sent; chainable keeps only a chaining source."""

    class Own:
        sent = 0

        def peek(self) -> None:
            return None

    own, plain, chain = Own(), peeking("a"), chaining("a")
    assert peekable(own) is own
    assert peekable(plain) is plain
    assert peekable(chain) is chain
    assert chainable(chain) is chain
    assert chainable(plain) is not plain
    assert list(chainable(plain)) == ["a"]


def test_chain_goes_on_first_in_first_out() -> None:
    """Chained iterables follow one another; an exhausted chain resumes with the next."""
    source = chainable()
    assert source.peek() is None
    source.chain("ab")
    source.chain(b"")
    source.chain(iter([1, 2]))
    assert list(source) == ["a", "b", 1, 2]
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(source)
    source.chain("c")
    assert (source.peek(), source.next(), source.peek(), source.sent) == ("c", "c", None, 5)


def test_chaining_what_is_no_iterable_is_fatal() -> None:
    """A non-iterable raises TypeError once reached, from next and peek, and ever after."""
    source = chainable("a")
    source.chain(1)
    source.chain("never")
    assert next(source) == "a"
    for _ in range(2):
        with pytest.raises(TypeError, match="'int' object is not iterable"):
            next(source)
        with pytest.raises(TypeError, match="'int' object is not iterable"):
            source.peek()


def test_rememberable_keeps_only_a_remembering_source() -> None:
    """A remembering source serves as it is, anywhere; any other is put into one, and none begins empty."""
    source, chain = remembering("a"), chaining("ab")
    assert rememberable(source) is source
    assert chainable(source) is source
    assert peekable(source) is source
    assert rememberable(chain) is not chain
    assert list(rememberable(chain)) == ["a", "b"]
    assert rememberable().peek() is None


def test_remembers_what_was_delivered() -> None:
    """Memory holds what next gave, in order, and neither what was peeked nor the end."""
    source = rememberable("ab")
    assert (source.peek(), source.memory) == ("a", [])
    assert (next(source), source.next(), source.peek()) == ("a", "b", None)
    with pytest.raises(StopIteration):
        next(source)
    source.chain([1])
    assert (next(source), source.memory, source.sent) == (1, ["a", "b", 1], 3)


def test_pushing_back_takes_out_of_memory() -> None:
    """A symbol pushed back is no longer remembered, until it is delivered again."""
    source = rememberable("ab")
    source.push(next(source))
    assert (source.memory, source.sent, source.peek()) == ([], 0, "a")
    assert (list(source), source.memory) == (["a", "b"], ["a", "b"])


@pytest.mark.parametrize("kind", [AssertionError, Error])
def test_pushing_back_another_symbol_is_refused(kind: type[Exception]) -> None:
    """Another symbol than the last delivered is refused, telling both and where; the source stays as it was."""
    source = rememberable("abc")
    next(source), next(source)
    with pytest.raises(kind, match="'a' pushed back, but symbol 1 was 'b'; push back what was delivered"):
        source.push("a")
    assert (source.memory, source.sent, source.peek()) == (["a", "b"], 2, "c")


def test_a_symbol_unequal_to_itself_can_be_pushed_back() -> None:
    """The very symbol delivered may be pushed back, be it NaN."""
    source = rememberable([float("nan")])
    source.push(next(source))
    assert source.memory == []


def test_forgetting_begins_anew() -> None:
    """forget empties the memory and leaves alone the list had before; anything may be pushed back then."""
    source = rememberable("abc")
    next(source), next(source)
    before = source.memory
    source.forget()
    source.push("x")
    assert (before, source.memory, source.sent) == (["a", "b"], [], 1)
    assert (list(source), source.memory) == (["x", "c"], ["x", "c"])


def test_a_machine_run_is_remembered() -> None:
    """The stepping loop takes nothing behind a remembering source's back."""
    begin, more = state("B"), state_input("M", terminal=True, context="m")
    begin["a"] = more
    more["a"] = more
    source = rememberable("aab")
    assert look_ahead(source) == []
    with dfa("as", initial=begin) as machine:
        for _ in machine.run(source=source):
            pass
    assert (source.memory, source.sent, source.peek()) == (["a", "a"], 2, "b")
    assert look_ahead(source) == []


@given(st.binary(max_size=30), st.lists(st.booleans(), max_size=60))
def test_memory_and_rest_are_the_input(octets: bytes, moves: list[bool]) -> None:
    """However it is taken and pushed back, what is remembered and what is left make up the input."""
    source = rememberable(octets)
    for forward in moves:
        if forward and source.peek() is not None:
            next(source)
        elif source.memory:
            source.push(source.memory[-1])
    taken = len(source.memory)
    assert (source.sent, bytes(source.memory)) == (taken, octets[:taken])
    assert bytes(source) == octets[taken:]
    assert bytes(source.memory) == octets
