"""TOML text as Python values, and the line each key stands in, which the parser does not tell.

Owns: reading the text, and finding lines.  Rule: lines are only sought when there is something to say about them.
Must not know what the keys mean.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from cpppo.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Keys", "key_lines", "line_of", "parse_toml"]

#: The keys that lead to a value: ("tags", "Level", "value").
Keys = tuple[str, ...]

_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")
#: How a statement of several lines can end.
_ENDS = ("]", "}", "'''", '"""')


def parse_toml(octets: bytes, name: str) -> tuple[dict[str, Any], str]:
    """(values, text) of a document; UsageError with the line of its first mistake.

    :param name: of the file, for the error.
    """
    try:
        text = octets.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as exc:
        line = octets[: exc.start].count(b"\n") + 1
        raise UsageError(f"{name}:{line}: it is not UTF-8: {exc.reason}; save it as UTF-8") from None
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as exc:
        place = _PLACE.search(str(exc))
        line = int(place[1]) if place else text.count("\n") + 1
        problem = _PLACE.sub("", str(exc)).removesuffix(" (at end of document)")
        raise UsageError(f"{name}:{line}: it is not TOML: {problem}") from None


def key_lines(text: str) -> dict[Keys, int]:
    """The line of every key of a document that is TOML."""
    found: dict[Keys, int] = {}
    lines = text.split("\n")
    table: Keys = ()
    at = 0
    while at < len(lines):
        start, statement = at + 1, lines[at]
        at += 1
        values = _values(statement)
        while values is None and at < len(lines):
            statement += "\n" + lines[at]
            at += 1
            if statement.rstrip().endswith(_ENDS) or "#" in lines[at - 1]:
                values = _values(statement)
        if statement.lstrip().startswith("["):
            table = _header(values or {})
            _note(found, (), values or {}, start)
        else:
            _note(found, table, values or {}, start)
    return found


def line_of(lines: dict[Keys, int], keys: Keys) -> int:
    """The line of some keys, or of the nearest around them."""
    while keys and keys not in lines:
        keys = keys[:-1]
    return lines.get(keys, 1)


def _values(statement: str) -> dict[str, Any] | None:
    """What a statement says by itself; None if it is not whole."""
    try:
        values: dict[str, Any] = tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return None
    return values


def _header(values: Any) -> Keys:
    """The keys of a table, from its header."""
    keys: Keys = ()
    while isinstance(values, dict) and values:
        ((key, values),) = values.items()
        keys += (key,)
    return keys


def _note(found: dict[Keys, int], table: Keys, values: dict[str, Any], line: int) -> None:
    for key, value in values.items():
        found.setdefault((*table, key), line)
        if isinstance(value, dict):
            _note(found, (*table, key), value, line)
