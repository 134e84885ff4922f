"""What the same callers ask again and again, and so is remembered: paths, and whatever else is told by a key.

Owns: the bound of every such memo, and the paths.  Rule: a memo starts afresh, and never grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from cpppo.errors import LocalProtocolError
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.text import format_path, parse_path_elements

__all__ = ["MEMO_ENTRIES", "as_path", "path_key", "remember"]

T = TypeVar("T")

#: Entries of a memo at most.
MEMO_ENTRIES = 4096
_paths: dict[Any, tuple[Path, int | None, str]] = {}


def as_path(path: Any) -> tuple[Path, int | None, str]:
    """(path, number of elements if it is text with a range, its text) of text, of terms, or of a Path."""
    try:
        key = path_key(path)
        found = _paths.get(key)
    except (TypeError, AttributeError):  # terms that cannot be remembered; Path.of says what is wrong with them
        return _resolve(path)
    if found is None:
        found = remember(_paths, key, _resolve(path))
    return found


def path_key(path: Any) -> Any:
    # With the types of the values: True is no 1.
    return tuple([(*term.items(), *map(type, term.values())) for term in path]) if path.__class__ is list else path


def remember(known: dict[Any, T], key: Any, value: T) -> T:
    """Put a value into a memo of at most MEMO_ENTRIES, and give it back."""
    if len(known) >= MEMO_ENTRIES:  # start afresh, never grow
        known.clear()
    known[key] = value
    return value


def _resolve(path: Any) -> tuple[Path, int | None, str]:
    count = None
    if isinstance(path, str):
        path, _, count = parse_path_elements(path)
    if not isinstance(path, Path):
        terms = list(path) if isinstance(path, Iterable) else [path]
        if not terms or not all(isinstance(term, Mapping) for term in terms):
            raise LocalProtocolError(
                f"{path!r} is no path; eg. 'SCADA[1]' or [{{'class': 2}}, {{'instance': 1}}]", "path"
            )
        path = Path.of(terms)
    return path, count, format_path(path)
