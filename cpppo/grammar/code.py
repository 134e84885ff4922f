"""Generated Python source: one function at a time, through exec, known to linecache.

Owns: lines, indentation, names of locals, the constants a function uses, and compiling it.
Rule: a function is generated when it is first called, never at import.
Must not know what the code it carries does.
"""

from __future__ import annotations

import builtins
import keyword
import linecache
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any

__all__ = ["Code", "Lazy", "Reject", "field_name"]

#: Where generated functions are also written as files, for a debugger or a curious reader.
DIRECTORY = "CPPPO_GENERATED"


#: How often a function of a name was made.
_made: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(1))


class Reject(Exception):
    """Compiled code met octets that its grammar does not allow; the stepped machine explains where and why."""


def field_name(name: str) -> str:
    """The attribute that holds a field: ``class`` becomes ``class_``."""
    return name + "_" if keyword.iskeyword(name) else name


class Code:
    """The source of one function under construction."""

    def __init__(self, name: str, arguments: str) -> None:
        self.name = re.sub(r"\W+", "_", name)
        self.lines = [f"def {self.name}({arguments}):"]
        self.depth = 1
        self.namespace: dict[str, Any] = {"Reject": Reject}
        self._used = {*arguments.replace(",", " ").split(), self.name, "Reject", *dir(builtins)}

    def line(self, text: str) -> None:
        """Append one line at the current indentation."""
        self.lines.append("    " * self.depth + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """A statement with an indented body."""
        self.line(head)
        self.depth += 1
        yield
        self.depth -= 1

    def otherwise(self, word: str) -> AbstractContextManager[None]:
        """The body for all else: under ``else:`` after branches, or where it stands if there were none ("if")."""
        return nullcontext() if word == "if" else self.block("else:")

    def var(self, hint: str) -> str:
        """A fresh local name that resembles ``hint``."""
        base = re.sub(r"\W+", "_", hint) or "v"
        name, number = field_name(base), 1
        while name in self._used:
            number += 1
            name = f"{base}_{number}"
        self._used.add(name)
        return name

    def const(self, value: Any, hint: str) -> str:
        """A global name of the function for an object; the same object gets the same name."""
        for name, known in self.namespace.items():
            if known is value:
                return name
        name = self.var(hint)
        self.namespace[name] = value
        return name

    def source(self) -> str:
        """The function's text."""
        return "\n".join(self.lines) + "\n"

    def compile(self) -> Callable[..., Any]:
        """Run the definition; the function knows its text as ``__source__`` and shows it in tracebacks."""
        source, number = self.source(), next(_made[self.name])
        name = self.name if number == 1 else f"{self.name}_{number}"  # messages and forms of one name
        filename, directory = f"<cpppo {name}>", os.environ.get(DIRECTORY)
        if directory:
            Path(directory).mkdir(parents=True, exist_ok=True)
            filename = str(Path(directory) / f"{name}.py")
            Path(filename).write_text(source, encoding="utf-8")
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        exec(compile(source, filename, "exec"), self.namespace)
        function: Callable[..., Any] = self.namespace[self.name]
        function.__source__ = source  # type: ignore[attr-defined]
        return function


class Lazy:
    """Stands for a function until its first call, then puts the function in every place where it stood."""

    __slots__ = ("_make", "_places", "function")

    def __init__(self, make: Callable[[], Callable[..., Any]]) -> None:
        self._make = make
        self._places: list[tuple[Any, Any]] = []
        self.function: Callable[..., Any] | None = None

    def put(self, container: Any, key: Any) -> None:
        """Have ``container[key]`` be the function: now if it is made, else from its first call on."""
        container[key] = self.function or self
        if self.function is None:
            self._places.append((container, key))

    def made(self) -> Callable[..., Any]:
        """The function, made if need be."""
        if self.function is None:
            self.function = self._make()
            for container, key in self._places:
                container[key] = self.function
            self._places.clear()
        return self.function

    def __call__(self, *args: Any) -> Any:
        return self.made()(*args)
