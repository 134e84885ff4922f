"""One value of a type from text: ``12.5`` ``0x1F`` ``true`` ``"unit 7"``.

Owns: reading it, and what is wrong with it.  Rule: text is never run as code; a value that does not fit is
refused, naming what the type takes.  Must not know where the text stands.
"""

from __future__ import annotations

import math
import re

from cpppo.errors import LocalProtocolError, UsageError
from cpppo.server.enip.wire.types import LREAL, TYPES, Kind, limits

__all__ = ["QUOTED", "Unfit", "parse_int", "parse_value"]

#: Text in quotes of either sort; a backslash goes before a quote, a backslash, n, r, t, or xHH.
QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)

_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
_BOOLS = {"0": False, "false": False, "1": True, "true": True}


class Unfit(UsageError):
    """A value that a type does not take; ``wider``: the name of the type that does, if there is one."""

    def __init__(self, problem: str, wider: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.wider = wider


def parse_int(text: str, base: int = 10) -> int:
    """A number in decimal (leading zeros too) or with a prefix: 0x1A, 0o32, 0b11010; ValueError otherwise."""
    try:
        return int(text, base)
    except ValueError:
        return int(text, 0)


def parse_value(kind: Kind, text: str) -> bool | int | float | str:
    """The value of a type that a text says; Unfit if the type does not take it."""
    if not kind.code:
        return _text(kind, text)
    if kind.code == "?":
        if text.lower() not in _BOOLS:
            raise Unfit(f"{text!r} is no BOOL; write 0, 1, false or true")
        return _BOOLS[text.lower()]
    if kind.code in "fd":
        return _real(kind, text)
    low, high = limits(kind)
    try:
        number = parse_int(text)
    except ValueError:
        raise Unfit(f"{text!r} is no whole number; {kind.name} takes {low} to {high} (a REAL is eg. 1.5)") from None
    if not low <= number <= high:
        wider = _wider(number)
        hint = "" if wider else "; no whole-number type does"
        raise Unfit(f"{number} does not fit {kind.name}, which takes {low} to {high}{hint}", wider)
    return number


def _real(kind: Kind, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise Unfit(f"{text!r} is no {kind.name}; write eg. 1.5 or -2.5e3") from None
    try:
        if math.isinf(number) and any(one.isdigit() for one in text):  # more than any type holds, eg. 1e999
            raise Unfit(f"{text} does not fit {kind.name}; no type of numbers does")
        kind.produce(number)
    except OverflowError:
        raise Unfit(f"{text} does not fit {kind.name}, which ends at 3.4e38", LREAL.name) from None
    return number


def _text(kind: Kind, text: str) -> str:
    if not isinstance(kind.default, str):
        raise Unfit(f"{text!r} is no {kind.name}, which is a structure: write its members' values one by one")
    if not QUOTED.fullmatch(text):
        raise Unfit(f"{text!r} is no {kind.name}; write it in quotes, that the shell leaves there")
    value = _ESCAPE.sub(_unescaped, text[1:-1])
    try:
        kind.produce(value)
    except LocalProtocolError as exc:
        raise Unfit(exc.reason) from None
    return value


def _unescaped(match: re.Match[str]) -> str:
    sort = match[1]
    if len(sort) == 3:
        return chr(int(sort[1:], 16))
    if sort not in _ESCAPED:
        raise Unfit(f"\\{sort} is unknown in a text; write \\\\ for a backslash")
    return _ESCAPED[sort]


def _wider(number: int) -> str | None:
    """The narrowest type that takes a number, if any does."""
    for name in ("SINT", "USINT", "INT", "UINT", "DINT", "UDINT", "LINT", "ULINT"):
        low, high = limits(TYPES[name])
        if low <= number <= high:
            return name
    return None
