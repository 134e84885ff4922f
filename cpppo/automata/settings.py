"""What may be given to states and machines, checked where it is given.

Owns these checks, and their messages: what, whose, and what to give instead.  Rule: what is let pass
can work with some input and data.  Must not know what it is used for.
"""

from __future__ import annotations

import re
from array import typecodes
from collections.abc import Callable
from typing import Any

from cpppo.automata.symbols import TEXT_TYPECODE
from cpppo.errors import GrammarError

__all__ = ["amount", "called", "encoded", "membership", "place", "typecode_known"]

# A path in data; one that may go up by leading dots; and the ending of one.
_PATH = re.compile(r"[^\W\d]\w*(\[.+\])?(\.[^\W\d]\w*(\[.+\])?)*")
_RELATIVE = re.compile(r"\.*" + _PATH.pattern)
_ENDING = re.compile(r"\.?\w+(\.\w+)*")


def place(given: Any, what: str, name: str) -> str:
    """A context, or an extension; '' for None."""
    if given is None or given == "":
        return ""
    if isinstance(given, str) and (_ENDING if what == "extension" else _PATH).fullmatch(given):
        return given
    raise GrammarError(f"{what} {given!r} of {name!r} is no place in data: give names with dots between them")


def amount(given: Any, what: str, name: str) -> Any:
    """A limit or repeat."""
    if given is None or callable(given) or (isinstance(given, str) and _RELATIVE.fullmatch(given)):
        return given
    if isinstance(given, int) and given >= 0:
        return int(given)
    raise GrammarError(
        f"{what} {given!r} of {name!r} is none: give a whole number from 0, the path of one in the data, or a callable"
    )


def typecode_known(given: Any, name: str) -> str | None:
    """A typecode of arrays; that of text by its name in this Python."""
    if given is None or given in (*typecodes, "u", TEXT_TYPECODE):
        return TEXT_TYPECODE if given == "u" else given
    raise GrammarError(f"Unknown typecode {given!r} of {name!r}: give one of array's, such as 'B'")


def called(given: Any, what: str, name: str) -> Any:
    """What must be callable, or None."""
    if given is None or callable(given):
        return given
    raise GrammarError(f"{what} {given!r} of {name!r} cannot be called; give a function")


def encoded(encoder: Callable[[str], Any], text: str) -> tuple[Any, ...]:
    """The symbols that an encoder makes of text: one or more, each hashable."""
    try:
        symbols = tuple(encoder(text))
        hash(symbols)
    except Exception as exc:  # whatever code of the user's raises
        raise GrammarError(
            f"The encoder {encoder!r} makes no symbols of {text!r}: {type(exc).__name__}: {exc}"
        ) from exc
    if not symbols:
        raise GrammarError(f"The encoder {encoder!r} makes nothing of {text!r}; it must give a symbol or more")
    return symbols


def membership(alphabet: Any, name: str) -> Callable[[Any], bool]:
    """What tells whether a symbol is of ``alphabet``.

    :raises GrammarError: for one that has no symbols, or that is no type, container or predicate.
    """
    if alphabet is None:
        return lambda symbol: True
    if isinstance(alphabet, type):
        return lambda symbol: isinstance(symbol, alphabet)
    if hasattr(alphabet, "__contains__"):
        members = frozenset(alphabet) if isinstance(alphabet, (str, bytes, bytearray)) else alphabet
        if hasattr(members, "__len__") and not len(members):
            raise GrammarError(f"Empty alphabet of state {name!r}: give the symbols it can process, or None for all")
        return lambda symbol: symbol in members
    if callable(alphabet):
        return lambda symbol: bool(alphabet(symbol))
    raise GrammarError(f"Unknown alphabet {alphabet!r} of state {name!r}: give a type, a container or a predicate")
