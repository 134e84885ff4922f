"""What a run of a stepped grammar puts together, and its errors.

Owns: the Builder, and where in the octets something is wrong.
Rule: a Builder belongs to one run.  Must not know states, nodes or any protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cpppo.errors import NonTerminal

__all__ = ["Builder", "Mismatch", "Parts", "Unfit"]


class Mismatch(NonTerminal):
    """Octets that cannot be, found by a state's own check at an offset."""

    def __init__(self, why: str, offset: int) -> None:
        super().__init__(f"{why}, at offset {offset}", offset)


class Unfit(Exception):
    """Octets that no value can be made of; ``at``: the first of them that is wrong."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.at = at


class Builder:
    """What one run has put together so far: a stack of (name, container) and the octets of the field in progress."""

    __slots__ = ("marks", "raw", "source", "stack", "top", "values")

    def __init__(self, source: Any, top: Any = None) -> None:
        self.source = source
        self.raw = bytearray()
        self.top: Any = [] if top is None else top
        self.values: dict[str, Any] = {}
        self.stack: list[tuple[str | None, Any, dict[str, Any]]] = []
        self.marks: list[tuple[int, int, int]] = []

    def put(self, name: str | None, value: Any) -> None:
        """Deliver a value: under its name in a message, else as the next of a list."""
        if name is None or self.top is not self.values:
            self.top.append(value)
        else:
            self.top[name] = value

    def deliver(self, name: str | None, convert: Callable[[bytearray], Any]) -> None:
        """Deliver the value of the octets of the field in progress."""
        raw = self.raw
        try:
            value = convert(raw)
        except Unfit as exc:
            raise self.unfit(str(exc), exc.at) from None
        raw.clear()
        self.put(name, value)

    def unfit(self, why: str, at: int) -> Mismatch:
        """The error for octet ``at`` of the field in progress."""
        began = self.source.sent - len(self.raw)
        return Mismatch(f"{why}, in a value that began at offset {began}" if at else why, began + at)

    def open(self, name: str | None, container: Any) -> None:
        """Go down into a new list, or into a new dict that expressions then refer to."""
        self.stack.append((name, self.top, self.values))
        self.top = container
        if type(container) is dict:
            self.values = container

    def close(self) -> Any:
        """Come back up; the container."""
        container = self.top
        _, self.top, self.values = self.stack.pop()
        return container

    def cut(self, depth: int) -> None:
        """Give up everything opened since the stack was ``depth`` deep."""
        while len(self.stack) > depth:
            self.close()
        self.raw.clear()

    def path(self, last: str) -> str:
        """Where the run is, eg. ``CIP.item[1].type``."""
        words = ""
        tops = [top for _, top, _ in self.stack[1:]] + [self.top]
        for (name, _, _), top in zip(self.stack, tops, strict=False):
            words += f".{name}" if name else ""
            words += f"[{len(top)}]" if type(top) is list and name else ""
        if last and type(self.top) is dict:
            words += f".{last.partition('+')[0].rstrip('*')}"
        return words.lstrip(".")


class Parts(list[Any]):
    """What an artifact is made of; the offset at which it began."""

    __slots__ = ("began",)

    def __init__(self, began: int) -> None:
        super().__init__()
        self.began = began
