"""Sources of symbols: iterators that can be looked ahead into, pushed back, and continued.

Owns the look-ahead, the count of symbols sent, and the memory of them where one is kept.  Rule: looking
never takes more from the underlying iterable than the one symbol asked for.  Must not know machines, nor
what a symbol means.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from cpppo.errors import Error

__all__ = ["Misremembered", "chainable", "chaining", "peekable", "peeking", "rememberable", "remembering"]


#: Octets or characters looked at together; these are at hand anyway, so nothing is taken early.
BLOCK = 4096


class peeking(Iterator[Any]):
    """Iterator over ``iterable`` with one symbol of look-ahead and any number pushed back.

    ``sent`` counts symbols taken less symbols pushed back, and so may be negative.  Octets iterate
    as int, text as str of length 1.  None is never a symbol: it means "nothing there (yet)".
    """

    __slots__ = ("_ahead", "_at", "_symbols", "_text", "sent")

    def __init__(self, iterable: Iterable[Any] = ()) -> None:
        self._ahead: list[Any] = []  # the last is the next
        self.sent = 0
        self._begin(iterable)

    def __iter__(self) -> peeking:
        return self

    def __next__(self) -> Any:
        if not self._ahead and not self._more():
            raise StopIteration
        self.sent += 1
        return self._ahead.pop()

    def next(self) -> Any:
        """The next symbol; raises StopIteration when there is none."""
        return self.__next__()

    def peek(self) -> Any:
        """The next symbol without taking it, or None when there is none now."""
        return self._ahead[-1] if self._ahead or self._more() else None

    def push(self, symbol: Any) -> None:
        """Give ``symbol`` back, to be the next one; ``sent`` goes down by one."""
        self._ahead.append(symbol)
        self.sent -= 1

    def _begin(self, iterable: Iterable[Any]) -> None:
        """Go on with ``iterable``, which must be exhausted before the next begins."""
        text = iterable if isinstance(iterable, (bytes, str)) else b""
        self._symbols: Iterator[Any] = iter(() if text else iterable)
        self._text: bytes | str = text
        self._at = 0

    def _more(self) -> bool:
        """Look at one symbol more, or at a block of octets or text; False if there is none."""
        block = self._text[self._at : self._at + BLOCK]
        if block:
            self._at += BLOCK
            self._ahead.extend(block[::-1])
            return True
        for symbol in self._symbols:
            self._ahead.append(symbol)
            return True
        return False


class chaining(peeking):
    """A peeking source that goes on with whatever was chained to it, first in first out.

    Exhausted, it stops (StopIteration, or None from peek) as often as asked, and resumes when more is
    chained.  Something that is no iterable raises TypeError once it is reached, and ever after: the
    way to stop a consumer that waits for more.
    """

    __slots__ = ("_pending",)

    def __init__(self, iterable: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._pending: deque[Any] = deque()
        if iterable is not None:
            self.chain(iterable)

    def chain(self, iterable: Any) -> None:
        """Queue ``iterable`` behind all that was chained before."""
        self._pending.append(iterable)

    def _more(self) -> bool:
        while not super()._more():
            if not self._pending:
                return False
            self._begin(self._pending[0])  # stays queued, hence fatal again, when this raises
            self._pending.popleft()
        return True


class Misremembered(Error, AssertionError):
    """A symbol was pushed back that is not the one that a source delivered last."""


class remembering(chaining):
    """A chaining source that keeps in ``memory`` the list of the symbols it delivered, oldest first.

    Pushing a symbol back takes it out of memory again.  Memory grows until `forget` is called; symbols
    from before that may be pushed back unchecked.
    """

    __slots__ = ("memory",)

    def __init__(self, iterable: Iterable[Any] | None = None) -> None:
        super().__init__(iterable)
        self.memory: list[Any] = []

    def __next__(self) -> Any:
        symbol = super().__next__()
        self.memory.append(symbol)
        return symbol

    def push(self, symbol: Any) -> None:
        """Give ``symbol`` back, to be the next one, and out of memory.

        :raises Misremembered: if another symbol was delivered last; nothing is changed then.
        """
        if self.memory:
            last = self.memory[-1]
            if symbol is not last and symbol != last:
                raise Misremembered(
                    f"{symbol!r} pushed back, but symbol {self.sent - 1} was {last!r};"
                    " push back what was delivered, latest first, or forget() it before"
                )
            self.memory.pop()
        super().push(symbol)

    def forget(self) -> None:
        """Begin with an empty memory; the list had before stays as it is."""
        self.memory = []


def peekable(source: Any) -> Any:
    """``source`` itself if it has ``peek`` and ``sent``, else a `peeking` over it."""
    return source if hasattr(source, "peek") and hasattr(source, "sent") else peeking(source)


def chainable(source: Any = None) -> chaining:
    """``source`` itself if it is `chaining`, else a `chaining` that begins with it (with nothing for None)."""
    return source if isinstance(source, chaining) else chaining(source)


def rememberable(source: Any = None) -> remembering:
    """``source`` itself if it is `remembering`, else a `remembering` that begins with it (with nothing for None)."""
    return source if isinstance(source, remembering) else remembering(source)


def look_ahead(source: Any) -> list[Any]:
    """The symbols ``source`` has looked at or been given back, the next at the end, for the stepping loop.

    Whoever takes one off must count it in ``sent``.  For sources with ways of their own: a list that stays empty.
    """
    return source._ahead if type(source) in (peeking, chaining) else []
