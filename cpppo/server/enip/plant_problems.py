"""What is wrong with a plant file, or another like it, gathered as it is found, and what all its tables have in common.

Owns: unknown keys, values of the wrong sort, names, and the lines of what is wrong.  Rule: a problem is told once, with
the keys that lead to it and what to do instead.  Must not know what the tables mean.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from cpppo.errors import UsageError
from cpppo.server.enip.toml import Document, Keys, dotted, key_lines, line_of, shown

__all__ = ["NAME_LENGTH", "Mistakes", "Problems", "located", "nearest"]

#: Characters of a name, as Logix controllers limit them.
NAME_LENGTH = 40

_NAME = re.compile(r"[A-Za-z_]\w*(:\w+)*", re.ASCII)
#: How sorts of values are called where one is wrong.
_WORDS = {dict: "a table", str: "text in quotes", int: "a whole number", bool: "true or false"}


class Mistakes(UsageError):
    """A file with mistakes, a line of text each; ``problems``: (line, key, what is wrong)."""

    def __init__(self, name: str, problems: Iterable[tuple[int, str, str]]) -> None:
        self.problems = sorted(problems)
        super().__init__(
            "\n".join(f"{name}:{line}: {f'{key}: ' if key else ''}{text}" for line, key, text in self.problems)
        )

    @property
    def count(self) -> str:
        """How many there are, in words."""
        return f"{len(self.problems)} mistake{'' if len(self.problems) == 1 else 's'}"


def located(document: Document, problems: Iterable[tuple[Keys, str]]) -> Iterator[tuple[int, str, str]]:
    """Problems as `Mistakes` has them, and the keys that are there again."""
    for one in document.repeated:
        yield one.line, dotted(one.keys), f"it is there already, in line {one.first}"
    lines = key_lines(document.text)
    for keys, what in problems:
        yield line_of(lines, keys), dotted(keys), what


class Problems:
    """``found``: (keys, what is wrong), in no order."""

    def __init__(self) -> None:
        self.found: list[tuple[Keys, str]] = []

    def wrong(self, keys: Keys, text: object) -> None:
        """Note what is wrong with a key."""
        self.found.append((keys, str(text)))

    def table(
        self,
        keys: Keys,
        values: Mapping[str, Any],
        known: Mapping[str, type],
        instead: Callable[[str, Any], str] = lambda key, value: "",
    ) -> dict[str, Any]:
        """Those entries of a table that can be used: known, and of the right sort.

        :param instead: what to do instead of an unknown key that resembles none, by key and value; or empty.
        """
        found = {}
        for key, value in values.items():
            here = (*keys, key)
            if key not in known:
                near = nearest(key, known)
                told = f"is it {near}?" if near else instead(key, value) or f"known are {', '.join(known)}"
                self.wrong(here, f"unknown key; {told}")
            elif known[key] is not object and type(value) is not known[key]:
                self.wrong(here, f"{shown(value)} is not {_WORDS[known[key]]}{_remedy(here, value, known[key])}")
            else:
                found[key] = value
        return found

    def named(self, keys: Keys, others: dict[str, str], parts: bool = False) -> bool:
        """Whether the last key can be a name; if not, say so.

        :param others: those of its sort that are there, by their names in lower case; it is added to them.
        :param parts: it may have parts, with a colon between them.
        """
        name = keys[-1]
        twice = others.get(name.lower())
        if len(name) > NAME_LENGTH:
            self.wrong(keys, f"a name has up to {NAME_LENGTH} characters, this one {len(name)}")
        elif not _NAME.fullmatch(name) or (":" in name and not parts):
            self.wrong(keys, "a name is made of letters, digits and _, no digit first")
        elif twice is not None:
            self.wrong(keys, f"it is there already, as {twice}: names are compared without case")
        else:
            others[name.lower()] = name
            return True
        return False


def nearest(name: str, names: Mapping[str, Any]) -> str | None:
    """Which of some names another one was meant to be, if any."""
    lower = {one.lower(): one for one in names}
    near = difflib.get_close_matches(name.lower(), lower, 1)
    return lower[near[0]] if near else None


def _remedy(keys: Keys, value: Any, sort: type) -> str:
    if sort is str and type(value) in (int, float):
        return f'; write {dotted(keys[-1:])} = "{value}"'
    if sort in (int, bool) and isinstance(value, str):
        return ", without quotes"
    if sort is dict and isinstance(value, list) and value and isinstance(value[0], dict):
        return f"; write its head in single brackets: [{dotted(keys)}]"
    return ""
