"""`logger`, a writer by the names that scripts know, which can be closed and opened again.

Owns: that, and nothing else; see `Writer`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cpppo.errors import UsageError
from cpppo.history.moments import parse
from cpppo.history.timestamp import timestamp
from cpppo.history.writer import Writer

__all__ = ["logger"]

#: Lines may wait so long where a buffer was asked for.
_BUFFERED_S = 1.0


class logger:
    """Appends to a history file; true while it is open and can be written.

    :param path: the file, created with its directories by the first line.
    :param bufsize: ``LINE_BUF`` (or None), each line is written at once; a larger number: lines may wait a second.
    :param options: as of `Writer`: ``clock``, ``fsync``, ``rotation`` ...

    What cannot be written is logged once, counted as lost, and never raised: see `Writer`.
    """

    LINE_BUF = 1

    def __init__(self, path: str | os.PathLike[str], bufsize: int | None = None, **options: Any) -> None:
        self.path = Path(path)
        self._options = options
        self._writer: Writer | None = None
        self.buffering("line" if bufsize in (None, self.LINE_BUF) else "block")

    def __bool__(self) -> bool:
        return self._writer is not None and not self._writer.failing

    def __enter__(self) -> logger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def opened(self) -> bool:
        """Whether it is open; the first line opens it."""
        return self._writer is not None

    def buffering(self, how: str) -> None:
        """Write lines one at a time (``line``), or let them wait a second (``block``)."""
        if how not in ("line", "block"):
            raise UsageError(f"buffering {how!r} is neither 'line' nor 'block'")
        self.close()
        self._options["flush_s"] = 0.0 if how == "line" else _BUFFERED_S

    def open(self) -> None:
        """Open it now; OSError if it cannot be."""
        writer = self._writer or Writer(self.path, **self._options)
        writer.open()
        self._writer = writer

    def close(self) -> None:
        """Close it, until the next line or ``open``."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _written(self) -> Writer:
        if self._writer is None:
            self._writer = Writer(self.path, **self._options)
        return self._writer

    def comment(self, text: str, now: Any = None) -> None:
        """Append a comment."""
        self._written().comment(text, _seconds(now))

    def write(self, data: Any, now: Any = None, serial: Any = None, encoding: str | None = None) -> None:
        """Append a record of JSON values.

        :param now: its time: a timestamp, seconds or a text; by default now.
        :param encoding: accepted; what is written is ASCII, which all of them have.
        """
        self._written().write(data, _seconds(now), serial)


def _seconds(now: Any) -> float | None:
    if isinstance(now, str):
        return parse(now)
    return None if now is None else timestamp(now).value
