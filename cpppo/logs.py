"""Log levels between INFO and WARNING, and the form of our log lines.

Owns: the numbers and the format.  Rule: importing changes nothing; a command line's main puts them to use.
"""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["DETAIL", "NORMAL", "log", "log_cfg", "start_logging"]

log = logging.getLogger("cpppo")

#: What a user who asks for more wants to see first, and the details of that.
NORMAL, DETAIL = 25, 23

_LEVELS = (logging.WARNING, NORMAL, DETAIL, logging.INFO, logging.DEBUG)

#: Arguments for ``logging.basicConfig``.
log_cfg: dict[str, Any] = {
    "level": logging.WARNING,
    "datefmt": "%m-%d %H:%M:%S",
    "format": "%(asctime)s.%(msecs)03d %(thread)16x %(name)-8.8s %(levelname)-8.8s %(funcName)-10.10s %(message)s",
}


def start_logging(verbose: int) -> None:
    """Log to standard error: warnings, and with each degree of ``verbose`` one level more."""
    logging.addLevelName(NORMAL, "NORMAL")
    logging.addLevelName(DETAIL, "DETAIL")
    logging.basicConfig(**{**log_cfg, "level": _LEVELS[min(verbose, len(_LEVELS) - 1)]})
