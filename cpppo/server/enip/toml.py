"""TOML text as Python values, the line each key stands in, which the parser does not tell, and values as TOML again.

Owns: reading the text, what is wrong with it, and finding lines.  Rule: lines are only sought when there is something
to say about them; whatever the octets, what is raised is UsageError.  Must not know what the keys mean.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cpppo.errors import UsageError
from cpppo.server.enip.toml_hints import hint

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Document", "Keys", "Repeated", "dotted", "key_lines", "line_of", "parse_toml", "read_octets", "shown"]

#: The keys that lead to a value: ("tags", "Level", "value").
Keys = tuple[str, ...]

_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
#: What matters to where a statement ends: text (which may hold any of it), comments, brackets and line ends.
_TOKEN = re.compile(
    r'"""(?:(?:[^\\]|\\.)*?"{3,5}|.*)'
    r"|'''(?:.*?'{3,5}|.*)"
    r'|"(?:[^"\\\n]|\\[^\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|(?P<opens>[\[{])|(?P<closes>[\]}])|(?P<parts>,)|(?P<ends>\n)",
    re.DOTALL,
)
_PART = r"""(?:[\w-]+|"(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*')"""
#: The key of a statement, and a key that needs no quotes.
_KEY = re.compile(rf"(?:\s|#[^\n]*\n)*({_PART}(?:\s*\.\s*{_PART})*)\s*=\s*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
#: Octets of the largest file: more than a million tags.  A device file may have no end.
LARGEST = 1 << 26
#: Characters of a value that are shown, and what stands for the others.
_SHOWN, _KEY_SHOWN, _MORE = 40, 80, "..."


class Repeated(NamedTuple):
    """Keys that are there again, in ``line``; the first time in ``first``."""

    line: int
    keys: Keys
    first: int


class Document(NamedTuple):
    """A document.  ``text``: that of ``values``; ``repeated``: what was left out of both, since it was there before."""

    values: dict[str, Any]
    text: str
    repeated: tuple[Repeated, ...] = ()


def read_octets(path: str | Path) -> bytes:
    """The octets of a configuration file; OSError if it cannot be read, UsageError if it has no end."""
    with Path(path).open("rb") as file:
        octets = file.read(LARGEST + 1)
    if len(octets) > LARGEST:
        raise UsageError(f"{path}: it has more than {LARGEST:,} octets; name a TOML file")
    return octets


def parse_toml(octets: bytes, name: str) -> Document:
    """The document of some octets; UsageError with the line of its first mistake.

    Keys and tables that are there twice count the first time only.

    :param name: of the file, for the error.
    """
    try:
        text = octets.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as exc:
        line = octets[: exc.start].count(b"\n") + 1
        raise UsageError(f"{name}:{line}: it is not UTF-8: {exc.reason}; save it as UTF-8") from None
    repeated: tuple[Repeated, ...] = ()
    values, problem = _tried(text)
    if values is None:
        rest, repeated = _once(text)
        if repeated:
            text = rest
            values, problem = _tried(text)
    if values is None:
        raise UsageError(f"{name}:{problem}")
    return Document(values, text, repeated)


def _tried(text: str) -> tuple[dict[str, Any] | None, str]:
    """The values of a text, or None and what is wrong with it, its line first."""
    try:
        return tomllib.loads(text), ""
    except tomllib.TOMLDecodeError as exc:
        place = _PLACE.search(str(exc))
        problem = _PLACE.sub("", str(exc))
        if place and place["line"]:
            line, rest = int(place["line"]), text.split("\n")[int(place["line"]) - 1][int(place["column"]) - 1 :]
        else:  # what is never closed, eg. a text, ends with the document: where it begins says more
            line, rest = _first_wrong(text), ""
        return None, f"{line}: it is not TOML: {problem}{hint(problem, text.split(chr(10))[line - 1], rest)}"
    except (ValueError, RecursionError) as exc:  # a number of thousands of digits; brackets within brackets
        deep = isinstance(exc, RecursionError)
        return None, f"{_first_wrong(text)}: {'brackets in brackets' if deep else 'a number of digits'} without end"


def _first_wrong(text: str) -> int:
    """The line of the first statement that is wrong by itself, or that of the last if none is."""
    last = 1
    for start, statement in _statements(text):
        last = start
        if _values(statement) is None:
            break
    return last


def _once(text: str) -> tuple[str, tuple[Repeated, ...]]:
    """A text without the keys and tables that were there before, whose lines are left empty, and those."""
    lines, repeated = text.split("\n"), []
    seen: dict[Keys, int] = {}
    table: Keys = ()
    left_out = False
    for start, statement in _statements(text):
        keys: Keys = ()
        if statement.lstrip().startswith("["):
            table = keys = _header(_values(statement))
            if statement.lstrip().startswith("[["):  # one of many: nothing of it is there twice
                table, keys = (*table, f"[{start}]"), ()
            left_out = keys in seen
        elif not left_out and (key := _KEY.match(statement)):
            own = _header(_values(f"{key[1]} = 0"))
            keys = (*table, *own) if own else ()
        if keys in seen:
            repeated.append(Repeated(start, keys, seen[keys]))
        elif keys:
            seen[keys] = start
        if left_out or keys and seen[keys] != start:
            lines[start - 1 : start + statement.count("\n")] = [""] * (statement.count("\n") + 1)
    return "\n".join(lines), tuple(repeated)


def key_lines(text: str) -> dict[Keys, int]:
    """The line of every key of a document that is TOML, but of those in lists."""
    found: dict[Keys, int] = {}
    table: Keys = ()
    for start, statement in _statements(text):
        if statement.lstrip().startswith("["):
            table = _header(_values(statement))
            for count in range(len(table)):
                found.setdefault(table[: count + 1], start)
        else:
            _note(found, table, statement, start)
    return found


def line_of(lines: dict[Keys, int], keys: Keys) -> int:
    """The line of some keys, or of the nearest around them."""
    while keys and keys not in lines:
        keys = keys[:-1]
    return lines.get(keys, 1)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """(first line, text) of each key with its value, and each head of a table; none of lines without."""
    begin, start, line, depth = 0, 1, 1, 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind is None or kind == "parts":
            line += token[0].count("\n")
        elif kind == "ends":
            line += 1
            if depth:
                continue
            statement = text[begin : token.start()]
            if (bare := statement.lstrip()) and not bare.startswith("#"):
                yield start, statement
            begin, start = token.end(), line
        else:
            depth = max(depth + (1 if kind == "opens" else -1), 0)
    if text[begin:].strip():
        yield start, text[begin:]


def _values(statement: str) -> dict[str, Any] | None:
    """What a statement says by itself; None if it is wrong."""
    try:
        values: dict[str, Any] = tomllib.loads(statement)
    except (ValueError, RecursionError):
        return None
    return values


def _header(values: Any) -> Keys:
    """The keys of a table, from its head."""
    keys: Keys = ()
    while isinstance(values, list) and values:
        values = values[0]
    while isinstance(values, dict) and values:
        ((key, values),) = values.items()
        keys += (key,)
    return keys


def _note(found: dict[Keys, int], table: Keys, entry: str, line: int) -> None:
    """Note the keys of an entry of a table, ``key = value``, which begins in a line, and those within its value."""
    key = _KEY.match(entry)
    if key is None:
        return
    keys = table
    line += entry.count("\n", 0, key.start(1))
    for one in _header(_values(f"{key[1]} = 0")):
        keys += (one,)
        found.setdefault(keys, line)
    if entry.startswith("{", key.end()):
        for begin, stop in _entries(entry, key.end()):
            _note(found, keys, entry[begin:stop], line + entry.count("\n", key.start(1), begin))


def _entries(text: str, start: int) -> Iterator[tuple[int, int]]:
    """Where each entry of a table in { } begins and ends."""
    begin, depth = start + 1, 0
    for token in _TOKEN.finditer(text, start):
        kind = token.lastgroup
        depth += (kind == "opens") - (kind == "closes")
        if depth == 0 or (depth == 1 and kind == "parts"):
            yield begin, token.start()
            begin = token.end()
        if depth == 0:
            return


# -- as TOML again


def dotted(keys: Keys) -> str:
    """Keys as they are written: ``tags.Level``."""
    return ".".join(one if _BARE.fullmatch(one) else json.dumps(one, ensure_ascii=False) for one in map(_cut, keys))


def _cut(key: str) -> str:
    return key if len(key) <= _KEY_SHOWN else key[:_KEY_SHOWN] + _MORE


def shown(value: Any) -> str:
    """A value as it is written, for an error; not too long."""
    text = _written(value, _SHOWN)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + _MORE


def _written(value: Any, room: int) -> str:
    """A value as it is written, or enough of it to fill ``room``."""
    if room <= 0:
        return _MORE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value[: room + 1], ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(_parts(value, room))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(_parts(value.items(), room))}}}"
    if isinstance(value, tuple):  # an entry of a table
        return f"{dotted((value[0][: room + 1],))} = {_written(value[1], room)}"
    if isinstance(value, int) and value.bit_length() > 64:  # of thousands of digits there is no decimal
        return hex(value)
    return str(value)


def _parts(values: Any, room: int) -> Iterator[str]:
    for one in values:
        if room <= 0:
            return
        text = _written(one, room - 2)
        yield text
        room -= len(text)
