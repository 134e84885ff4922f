"""Operations whose types may still have to be asked for, so that ``Level=12`` writes what Level is, be it a REAL.

Owns: which of the texts on a command line need an answer, what is asked, and the operation that comes of it.
Rule: pure; whoever uses it does the reading.  Must not know sockets or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cpppo.errors import UsageError
from cpppo.server.enip.wire.strings import KINDS, kind_of
from cpppo.server.enip.wire.text import Segments, format_path, parse_operation, untyped
from cpppo.server.enip.wire.types import DWORD, LINT, LREAL, ULINT, Kind

__all__ = ["AUTO", "CHOICES", "PLAIN", "Draft", "answered", "questions"]

#: The type of values without a cast: what the controller says, or what they look like; or one by its name.
AUTO, PLAIN = "auto", "plain"
CHOICES = (AUTO, PLAIN, *KINDS)

#: Types that take more than those that values look like.
_WIDE: tuple[Kind, ...] = (LINT, ULINT, LREAL)


class Draft:
    """An operation by its ``text``; ``asks`` for the type of a tag if that has to be known first.

    UsageError if the text cannot be understood, whatever the type.

    :param choice: one of CHOICES.
    """

    def __init__(self, text: str, choice: str = AUTO) -> None:
        self.text = text
        self.asks: Segments | None = None
        self._problem: UsageError | None = None
        self._operation: dict[str, Any] = {}
        try:
            self._operation = parse_operation(text, KINDS.get(choice))
        except UsageError as exc:
            if choice != AUTO or not _fits_any(text):
                raise
            self._problem = exc
        path = untyped(text) if choice == AUTO else None
        while path and "element" in path[-1]:
            *path, last = path
            rest = {name: value for name, value in last.items() if name != "element"}
            path += [rest] if rest else []
        self.asks = path or None

    @property
    def key(self) -> str:
        """What it asks about; without case, as controllers compare names."""
        return format_path(self.asks or ()).lower()

    def operation(self, kinds: Mapping[str, Kind]) -> dict[str, Any]:
        """The operation, with the type that its tag was found to have.

        Values that are of another type go as they look: the controller's refusal says what it does not take.
        UsageError if they cannot be sent at all.
        """
        kind = None if self.asks is None else kinds.get(self.key)
        if kind is not None:
            try:
                return parse_operation(self.text, kind)
            except UsageError as exc:
                if self._problem is not None:
                    raise exc from None
        if self._problem is not None:
            raise self._problem
        return self._operation


def _fits_any(text: str) -> bool:
    """Whether it is a write of numbers that some type takes, though not the one that they look like."""
    for kind in _WIDE if untyped(text) is not None else ():
        try:
            parse_operation(text, kind)
        except UsageError:
            continue
        return True
    return False


def questions(drafts: Iterable[Draft]) -> dict[str, dict[str, Any]]:
    """The reads, of one element each, that tell the types the drafts ask for; by key."""
    return {one.key: {"method": "read", "path": one.asks, "elements": 1} for one in drafts if one.asks is not None}


def answered(keys: Iterable[str], results: Sequence[Any]) -> dict[str, Kind]:
    """The types by key, of the results of the questions; those that were refused or are not known are left out."""
    kinds = {}
    for key, result in zip(keys, results, strict=True):
        octets = b"" if result.val is None else bytes(result.rpy.data[:4])
        kind = kind_of(int.from_bytes(octets[:2], "little"), int.from_bytes(octets[2:4], "little"))
        if kind is not None and kind is not DWORD:  # a BOOL array: a 1 for one of them would clear 31 others
            kinds[key] = kind
    return kinds
