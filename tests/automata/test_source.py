"""Sources of symbols: look-ahead, pushing back, counting, and going on with more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cpppo.automata import chainable, chaining, peekable, peeking
from cpppo.automata.source import BLOCK


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
