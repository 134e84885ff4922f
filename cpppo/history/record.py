"""The lines of a history file: ``time TAB serial TAB data``, the latter two JSON; and ``# comments``.

Owns: writing and reading one line.
Rule: a line is ASCII and whole; it is read back as it was written, or refused.
Must not know files or clocks; nor what a serial key or data mean, nor whether the text of the time is a moment.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from cpppo.errors import Error

__all__ = [
    "TORN",
    "Record",
    "RecordError",
    "format_comment",
    "format_record",
    "format_values",
    "parse_line",
    "parse_line_raw",
]

#: Ends a line that was cut short, wherever that was, such that it is no record: not even 12 of a number 1234.
TORN = b"\t# torn\n"

#: How much of a line an error shows.
_SHOWN = 80

_encode = json.JSONEncoder().encode
_decode = json.JSONDecoder().decode
#: The same for text that has nothing around it, which is quicker; it tells where the value ended.
_decode_from = json.JSONDecoder().raw_decode

_ENDS = "\r\n"


class RecordError(Error, ValueError):
    """A line that is no record, or values that cannot be written as one."""


class Record(NamedTuple):
    """``timestamp``: when, as text; ``serial``: what it is about; ``data``: the values; the latter are JSON values."""

    timestamp: str
    serial: Any
    data: Any


def format_record(record: Record) -> str:
    """The line of a record, with its end; RecordError for what JSON has no form for.

    Keys of mappings become text, tuples become lists; numbers that are not finite are written as NaN and Infinity.
    """
    when = record.timestamp
    if not when.strip() or when.lstrip().startswith("#") or not (when.isascii() and when.isprintable()):
        raise RecordError(f"{when!r} is no time of a record; it is plain text, eg. 2014-07-15 22:03:44.186")
    return format_values(when, record.serial, record.data)


def format_values(when: str, serial: Any, data: Any) -> str:
    """The same, of a time that needs no look."""
    try:
        return f"{when}\t{_encode(serial)}\t{_encode(data)}\n"
    except (TypeError, ValueError, RecursionError) as exc:
        told = f"{serial!r}: {data!r}"[:_SHOWN] if not isinstance(exc, RecursionError) else "it"
        raise RecordError(f"{told} cannot be recorded, only what JSON can hold: {exc}") from exc


def format_comment(text: str) -> str:
    """The one line of a comment, with its end; what is not printable ASCII is escaped, line ends among it."""
    escaped = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return f"# {escaped.encode('ascii', 'backslashreplace').decode()}\n"


def parse_line(line: str) -> Record | None:
    """The record of a line, with or without its end; None for a comment or an empty line; else RecordError."""
    raw = parse_line_raw(line)
    return None if raw is None else Record(raw.timestamp, raw.serial, _value(raw.data, "data", line))


def parse_line_raw(line: str) -> Record | None:
    """The same, its data as the text that they are, be it JSON or not."""
    fields = line.split("\t")
    if len(fields) != 3 or line[0] in "# \t":
        bare = line.strip()
        if not bare or bare[0] == "#":
            return None
        if len(fields) != 3 or not fields[0].strip():
            raise RecordError(f"no record of time TAB serial TAB data: {line.rstrip(_ENDS)[:_SHOWN]!r}")
    return Record(fields[0], _value(fields[1], "serial", line), fields[2].rstrip(_ENDS))


def _value(field: str, name: str, line: str) -> Any:
    try:
        value, end = _decode_from(field)
        return value if end == len(field) else _decode(field)
    except (ValueError, RecursionError):
        try:
            return _decode(field)
        except (ValueError, RecursionError) as exc:
            shown = line.rstrip(_ENDS)[:_SHOWN]
            raise RecordError(f"the {name} of a record is not JSON, {exc}: {shown!r}") from None
