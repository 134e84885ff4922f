"""How states, machines and symbols are written in a line of text.

Owns these texts and their order.  Rule: no text is read back.  Must not know what a state does.
"""

from __future__ import annotations

from typing import Any

from cpppo.automata.symbols import CharacterClass
from cpppo.misc import natural

__all__ = ["centered", "edge_order", "embrace", "shown"]

# Where a name is centred: what is left of its last dot, and what is right of it.
LEFT_COLUMNS, RIGHT_COLUMNS = 40, 10


def edge_order(edge: tuple[Any, Any]) -> tuple[Any, ...]:
    """Sorts transitions: predicates, symbols in natural order, True, None."""
    key = edge[0]
    rank = 3 if key is None else 2 if key is True else 0 if callable(key) else 1
    return rank, natural(repr(key)) if rank == 1 else ()


def embrace(name: str, terminal: bool) -> str:
    """``name`` as a state's text: in two pairs of parentheses if terminal."""
    return f"(({name}))" if terminal else f"( {name} )"


def centered(text: str) -> str:
    left, dot, right = text.rpartition(".")
    return left.rjust(LEFT_COLUMNS) + (dot + right).ljust(RIGHT_COLUMNS)


def shown(symbol: Any) -> str:
    """The key of a transition, for people: None and True as such, a predicate by its name, all else by its repr."""
    if isinstance(symbol, CharacterClass):
        return str(symbol)
    if callable(symbol):
        return f"{getattr(symbol, '__name__', None) or type(symbol).__name__}()"
    if type(symbol) is int and 0x20 < symbol < 0x7F:
        return f"{symbol:#04x} {chr(symbol)!r}"
    return repr(symbol)
