"""A log file that stays small, and follows those who move it away.

Owns: rotation by size, opening anew, and what happens when it cannot be written.
Rule: a log that cannot be written is told once on standard error, and never hinders what is logged.
"""

from __future__ import annotations

import logging
import os
import sys
from logging.handlers import RotatingFileHandler

__all__ = ["COPIES", "MAXIMUM_OCTETS", "LogFile"]

#: Octets after which a new file is begun, and files that are kept beside it.
MAXIMUM_OCTETS, COPIES = 10_000_000, 5


class LogFile(RotatingFileHandler):
    """Appends to a file; beyond ``octets`` it becomes ``path.1``, that ``path.2``, and so on up to ``copies``.

    OSError if the file cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str], octets: int = MAXIMUM_OCTETS, copies: int = COPIES) -> None:
        super().__init__(path, maxBytes=octets, backupCount=copies, encoding="utf-8", errors="backslashreplace")
        self._troubled = False

    def reopen(self) -> None:
        """Open the file of that name anew, as it may have been moved away."""
        self.acquire()
        try:
            self.close()  # an appending handler that was closed opens its file with the next line
            self.stream = self._open()
            self._troubled = False
        except OSError as exc:
            self._tell(exc)
        finally:
            self.release()

    def close(self) -> None:
        try:
            super().close()
        except OSError as exc:  # lines that waited to be written
            self._tell(exc)

    def handleError(self, record: logging.LogRecord) -> None:
        exc = sys.exc_info()[1]
        if isinstance(exc, OSError):
            self._tell(exc)
        else:  # a line that was badly made
            super().handleError(record)

    def _tell(self, exc: OSError) -> None:
        if not self._troubled:
            self._troubled = True
            print(f"cannot log to {self.baseFilename}: {exc.strerror or exc}", file=sys.stderr, flush=True)
