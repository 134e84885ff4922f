"""Lengths of time as text: ``< 1:02:03`` is so long ago, ``> 1:02:03`` is to come.

Owns: writing and reading them.  Rule: the sign is always there, and what is written is read back.
Must not know moments.
"""

from __future__ import annotations

import re
from datetime import timedelta

from cpppo.errors import UsageError

__all__ = ["format_offset", "parse_offset", "timedelta_total_seconds"]

_OFFSET = re.compile(r"\s*([<>])?\s*(?:(?:(\d{1,9}):)?(\d{1,9}):)?(\d{1,9}(?:\.\d{0,9})?)\s*", re.ASCII)
_FORM = "must be </>[[h:]m:]s[.s]"


def parse_offset(text: str) -> float:
    """Seconds of ``</>[[h:]m:]s[.s]``, negative after ``<``; UsageError (a ValueError) for anything else."""
    found = _OFFSET.fullmatch(text)
    if found is None:
        raise UsageError(f"Invalid offset {text[:60]!r}; {_FORM}")
    sign, hours, minutes, seconds = found.groups()
    if sign is None:
        raise UsageError(f"Invalid offset {text[:60]!r}; {_FORM}: missing sign")
    length = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)
    return -length if sign == "<" else length


def format_offset(seconds: float, ms: bool = True, symbols: str = "<>") -> str:
    """The text of so many seconds, ``> 1:01:01.500``: to the millisecond, or to the second.

    :param symbols: those of negative and of other lengths; what is written with others than ``<>`` is not read back.
    """
    whole = round(abs(seconds) * (1000 if ms else 1))
    length, part = divmod(whole, 1000) if ms else (whole, 0)
    minutes, second = divmod(length, 60)
    hours, minute = divmod(minutes, 60)
    return f"{symbols[seconds >= 0]}{hours:2}:{minute:02}:{second:02}" + (f".{part:03}" if ms else "")


def timedelta_total_seconds(length: timedelta) -> float:
    """The seconds of a timedelta."""
    return length.total_seconds()
