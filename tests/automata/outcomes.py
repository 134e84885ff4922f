"""What a run leaves behind: the data kept, the symbols not taken, and whether the machine was terminal."""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple

from cpppo.automata import peekable, type_str_array_symbol
from cpppo.dotdict import dotdict


class Outcome(NamedTuple):
    """What a run left; arrays of text are told as text, those of octets as octets."""

    kept: dict[str, Any]
    remaining: list[Any]
    terminal: bool


def plain(value: Any) -> Any:
    """An array of text as str, one of octets as bytes, all else as it is."""
    if isinstance(value, array) and value.typecode == type_str_array_symbol:
        return "".join(value)
    return value.tobytes() if isinstance(value, array) and value.typecode == "B" else value


def outcome(machine: Any, symbols: Any, data: dotdict | None = None, **given: Any) -> Outcome:
    """Run ``machine`` over ``symbols`` to its end."""
    data, source = dotdict() if data is None else data, peekable(symbols)
    for _ in machine.run(source, data=data, **given):
        pass
    return Outcome({path: plain(value) for path, value in data.items()}, list(source), machine.terminal)
