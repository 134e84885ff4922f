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


def start_logging(verbose: int, handler: logging.Handler | None = None) -> None:
    """Log warnings, and with each degree of ``verbose`` one level more: to ``handler``, if not to standard error.

    What a program has set up itself stays as it is; ``handler`` is added to it.
    """
    logging.addLevelName(NORMAL, "NORMAL")
    logging.addLevelName(DETAIL, "DETAIL")
    fresh = not logging.root.handlers
    if handler is not None:
        handler.setFormatter(logging.Formatter(log_cfg["format"], log_cfg["datefmt"]))
        logging.root.addHandler(handler)
    if fresh:
        level = _LEVELS[min(verbose, len(_LEVELS) - 1)]
        if handler is None:
            logging.basicConfig(**{**log_cfg, "level": level})
        else:
            logging.root.setLevel(level)
