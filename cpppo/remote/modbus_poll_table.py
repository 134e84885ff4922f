"""The live table of modbus_poll on a terminal.

Owns: the table's text, rewriting it in place, colours.  Rule: what does not fit is said, never wrapped; without a
terminal nothing is ever written.  Must not know: devices, protocol, threads.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TextIO

__all__ = ["Row", "Screen", "coloured", "table"]

_PLAIN, _BOLD, _RED, _GREEN = "\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m"
_HEAD = ("address", "value", "age", "exceptions", "time-outs", "others", "last failure")
_WIDTHS = (7, 7, 8, 10, 9, 6)


class Row(NamedTuple):
    """An address: its value (None: none), the age of that in seconds, counts of failures, what the last one was.

    `fresh`: the value is another than that of the poll before.
    """

    address: int
    value: Any
    age: float | None
    exceptions: int = 0
    timeouts: int = 0
    others: int = 0
    last: str = ""
    fresh: bool = False


def table(title: str, rows: Sequence[Row], note: str, size: tuple[int, int], colour: bool) -> list[str]:
    """The lines of a table that fits in (columns, lines) of a terminal; `note` is its last line, if any."""
    columns, height = max(size[0] - 1, 1), size[1] - 1
    head = " ".join([*(text.rjust(width) for text, width in zip(_HEAD, _WIDTHS, strict=False)), f" {_HEAD[-1]}"])
    below = [note[:columns]] if note else []
    room = max(1, height - 2 - len(below))
    if len(rows) > room:
        shown = rows[: max(1, room - 1)]
        more = len(rows) - len(shown)
        below.insert(0, f"... and {more} more addresses, for which the window is too low"[:columns])
        rows = shown
    lines = [_painted(title[:columns], _BOLD, colour), _painted(head[:columns], _BOLD, colour)]
    return [*lines, *(_line(row, columns, colour) for row in rows), *below]


def _line(row: Row, columns: int, colour: bool) -> str:
    age = "" if row.age is None else f"{row.age:.1f} s"
    value = "-" if row.value is None else str(row.value)
    cells = (str(row.address), value, age, *(str(n or "") for n in (row.exceptions, row.timeouts, row.others)))
    text = " ".join([*(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True)), f" {row.last}"])
    return _painted(text[:columns].rstrip(), _RED if row.value is None else _GREEN if row.fresh else "", colour)


def _painted(text: str, paint: str, colour: bool) -> str:
    return f"{paint}{text}{_PLAIN}" if colour and paint else text


def coloured(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether colours are wanted there: on a terminal that has them, unless NO_COLOR is set to anything."""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


class Screen:
    """A part of a terminal that is written again and again, in place."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines = 0
        self.colour = coloured(stream)

    @property
    def size(self) -> tuple[int, int]:
        """(columns, lines), as the window is now."""
        return shutil.get_terminal_size()

    def show(self, lines: Sequence[str]) -> None:
        """Write these lines where the last ones were."""
        up = f"\x1b[{self._lines}A" if self._lines else "\x1b[?25l"  # no cursor that jumps about
        self._stream.write(f"{up}\r" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
        self._stream.flush()
        self._lines = len(lines)

    def close(self) -> None:
        """The lines stay; the cursor is back."""
        if self._lines:
            self._stream.write("\x1b[?25h")
            self._stream.flush()
