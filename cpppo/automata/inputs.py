"""States that do something: collect, forget or take a symbol, or act without one.

Owns what is done with one symbol.  Rule: of the data they touch only their own place, and only if they
have one.  Must not know where they lead.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from typing import Any, cast

from cpppo.automata.node import ACT, DROP, INPUT, TAKE, Node
from cpppo.automata.state import state
from cpppo.automata.symbols import OCTET_TYPECODE, OCTETS, TEXT_TYPECODE, path_ext_input, typecode_of
from cpppo.errors import GrammarError

__all__ = ["state_act", "state_drop", "state_input", "state_take"]

# What these arrays take is the alphabet itself: no need to look twice.
SELF_CHECKING = {OCTET_TYPECODE: OCTETS, TEXT_TYPECODE: str}


class state_input(state):
    """Takes one symbol and appends it to data[path + context + '.input'].

    What is there may be anything with ``append``; else an array of ``typecode`` is put there: ``'B'``
    for octets, the text typecode of this Python for text, and for symbols of another type a list.
    Nothing is kept where data is None or the path is empty.
    """

    extension_default = path_ext_input
    _kind = INPUT
    _consumes = True

    def validate(self, symbol: Any) -> bool:
        return symbol is not None and self._belongs(symbol)

    def accepts(self, source: Any, machine: Any, path: str | None, data: Any) -> bool:
        return self.validate(source.peek())

    def process(self, source: Any, machine: Any, path: str | None, data: Any) -> None:
        symbol = next(source)
        append = self.collector(path, data, symbol)
        if append is not None:
            append(symbol)

    def collector(self, path: str | None, data: Any, symbol: Any) -> Callable[[Any], Any] | None:
        """What appends symbols such as ``symbol`` to its place in the data; None if it has none.

        What it returns raises ValueError for a symbol that is not of the alphabet.
        """
        append: Callable[[Any], Any] | None = None
        if data is not None and self.context(path, ""):
            where = self.context(path)
            try:
                if where not in data:
                    typecode = self.typecode or typecode_of(symbol)
                    data[where] = [] if typecode is None else array(typecode)
                there = data[where]
            except (LookupError, TypeError) as exc:
                raise GrammarError(f"{self} cannot collect into {where!r} of the data: {exc}") from exc
            append = cast("Callable[[Any], Any] | None", getattr(there, "append", None))
            if append is None:
                raise GrammarError(
                    f"{self} cannot collect into {where!r}: {there!r} has no append; use another context"
                )
            if type(there) is array and self.alphabet == SELF_CHECKING.get(there.typecode):
                return append  # the array itself refuses any other
        return append if self.alphabet is None else self._checked(append)

    def _checked(self, append: Callable[[Any], Any] | None) -> Callable[[Any], None]:
        def checked(symbol: Any) -> None:
            if not self._belongs(symbol):
                raise ValueError(f"it is not of the alphabet {self.alphabet!r}")
            if append is not None:
                append(symbol)

        return checked

    def _fill(self, node: Node, nodes: dict[state, Node]) -> None:
        super()._fill(node, nodes)
        # states that share this share what they append to, within one machine of one run
        node.collects = sys.intern(f"{self.context()}|{self.typecode}|{id(self.alphabet)}")


class state_drop(state_input):
    """Takes one symbol and forgets it."""

    _kind = DROP

    def process(self, source: Any, machine: Any, path: str | None, data: Any) -> None:
        next(source)


class state_take(state_input):
    """Takes one symbol and gives it to `take`: the quick way to do something of one's own with it."""

    _kind = TAKE

    def take(self, symbol: Any, data: Any) -> None:
        """Called positionally with the symbol, and the data exactly as given to run()."""
        raise NotImplementedError(f"{type(self).__name__} must define take(symbol, data)")

    def process(self, source: Any, machine: Any, path: str | None, data: Any) -> None:
        self.take(next(source), data)

    def _fill(self, node: Node, nodes: dict[state, Node]) -> None:
        super()._fill(node, nodes)
        node.take = self.take


class state_act(state):
    """Takes no symbol, but does something on being entered: checks and bookkeeping."""

    _kind = ACT

    def act(self, data: Any, sent: int, ending: int | None) -> None:
        """Called positionally; ``ending`` is the count of symbols sent at which input ends here, or None."""
        raise NotImplementedError(f"{type(self).__name__} must define act(data, sent, ending)")

    def process(self, source: Any, machine: Any, path: str | None, data: Any) -> None:
        self.act(data, source.sent, getattr(machine, "ending", None))

    def _fill(self, node: Node, nodes: dict[state, Node]) -> None:
        super()._fill(node, nodes)
        node.act = self.act
