"""Values and indices from what is written in a URL or in JSON.

Owns: making a value of the type that an element has, and a key of ``[3]``, ``[0-9]`` or ``[1,2]``.
Rule: text is never run as code; what does not fit is refused with a reason.  Must not know HTTP.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from cpppo.errors import UsageError
from cpppo.indexing import steps_of
from cpppo.server.enip.wire.types import BOOL, Kind, pack
from cpppo.server.enip.wire.values import QUOTED, parse_value

__all__ = ["Key", "boolean", "key_of", "listed", "number", "shown", "single"]

Key = int | slice | tuple[int, ...]

#: Beyond this, numbers of a browser have gaps.
_EXACT = 1 << 53

_RANGE = re.compile(r"\[\s*([0-9]{1,9})\s*-\s*([0-9]{1,9})\s*\]")
_INDICES = re.compile(r"\[\s*([0-9]{1,9}(?:\s*,\s*[0-9]{1,9})+)\s*\]")
_PARTS = re.compile(rf"\s*({QUOTED.pattern}|[^,]*?)\s*(?:,|\Z)", re.DOTALL)
_BOOLS = {"true": True, "yes": True, "false": False, "no": False}


def key_of(text: str) -> Key:
    """The element or elements that ``[...]`` names: as tags are written (``[3]``, ``[0-9]``, ``[1,2]``), or by
    arithmetic and slices of Python (``[2+1]``, ``[0:10]``).  UsageError if it cannot be understood.
    """
    span, several = _RANGE.fullmatch(text), _INDICES.fullmatch(text)
    if span:
        return slice(int(span[1]), int(span[2]) + 1)
    if several:
        return tuple(map(int, several[1].split(",")))
    try:
        steps = steps_of(f"attribute{text}")
        if len(steps) == len(steps[0].indexes) == 1:
            return steps[0].indexes[0]({})
    except (LookupError, NameError, SyntaxError, TypeError, ValueError) as exc:
        raise UsageError(f"index {text[:40]} cannot be understood: {exc}") from None
    raise UsageError(f"index {text[:40]} is not one of [3], [0-9] and [1,2]")


def boolean(value: Any) -> bool:
    """True or False of a JSON value, or of true, yes, false, no or a whole number as text."""
    if isinstance(value, (bool, int)):
        return bool(value)
    try:
        found = _BOOLS.get(value.strip().lower()) if isinstance(value, str) else None
        return bool(int(value)) if found is None else found
    except (TypeError, ValueError):
        raise UsageError(f"{_short(value)} is neither true nor false") from None


def number(value: Any, whole: bool = False) -> Any:
    """A finite number of a JSON value or a text; a whole one on demand."""
    made = value
    if isinstance(value, str):
        try:
            made = int(value, 0) if whole else float(value)
        except ValueError:
            made = None
    sort = int if whole else (int, float)
    if isinstance(made, bool) or not isinstance(made, sort) or not math.isfinite(made):
        raise UsageError(f"{_short(value)} is no {'whole ' if whole else ''}number")
    return made if whole else float(made)


def single(kind: Kind, value: Any) -> Any:
    """The value of a type that a text or a JSON value says; an error of ours if the type does not take it."""
    if kind.code == BOOL.code:
        return boolean(value)
    text = isinstance(kind.default, str)
    if isinstance(value, str) and not (text and not QUOTED.fullmatch(value)):
        return parse_value(kind, value if text else value.strip())
    if kind.code and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise UsageError(f"{_short(value)} is no {kind.name}")
    pack(kind, [value])
    return value


def listed(kind: Kind, value: Any, count: int) -> list[Any]:
    """So many values of a type, of a list or of a text with commas between them, with or without brackets around."""
    parts = value if isinstance(value, list) else _parts(value) if isinstance(value, str) else [value]
    if len(parts) != count:
        raise UsageError(f"{len(parts)} values for {count} elements; give as many")
    return [single(kind, one) for one in parts]


def _parts(text: str) -> list[str]:
    text = text.strip()
    if text[:1] == "[" and text[-1:] == "]":
        text = text[1:-1]
    parts, at = [], 0
    while match := _PARTS.match(text, at):
        parts.append(match[1])
        at = match.end()
        if at == len(text):
            if text.endswith(",") and match[0].endswith(","):
                parts.append("")
            break
    return parts


def shown(value: Any) -> Any:
    """A value as JSON has it; text for a number that a browser has not."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if -_EXACT <= value <= _EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, Mapping):
        return {str(name): shown(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(one) for one in value]
    return str(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
