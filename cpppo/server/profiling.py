"""What a server spends its time on: a profile of each connection.

Owns: the profiler of each connection's thread, the sum of all in a file, and what is printed of each.
Rule: a profile that cannot be had or kept is told in the log; the connection is served all the same.
Must not know what a connection is about.
"""

from __future__ import annotations

import cProfile
import logging
import pstats
import sys
import threading
from collections.abc import Callable
from typing import TextIO

__all__ = ["SHOWN", "Profiling"]

log = logging.getLogger("network")

#: Functions shown of each connection, those that take most time first.
SHOWN = 50


class Profiling:
    """Called with what a thread is to do, does it under a profiler: the `SHOWN` most costly functions go to ``out``.

    :param path: where the sum of all profiles is kept, for ``python -m pstats``; OSError if it cannot be written.
    :param out: standard output if not given.
    """

    def __init__(self, path: str, out: TextIO | None = None) -> None:
        with open(path, "wb"):  # to know now whether it can be written
            pass
        self._path = path
        self._out = out
        self._lock = threading.Lock()
        self._sum: pstats.Stats | None = None

    def __call__(self, work: Callable[[], None]) -> None:
        profile = cProfile.Profile()
        try:
            profile.enable()
        except ValueError as exc:  # from Python 3.12 on there is one profiler in a process at a time
            log.warning("this connection is not profiled: %s", exc)
            work()
            return
        try:
            work()
        finally:
            profile.disable()
            self._keep(profile)

    def _keep(self, profile: cProfile.Profile) -> None:
        with self._lock:
            out = self._out or sys.stdout
            try:
                pstats.Stats(profile, stream=out).sort_stats("cumulative").print_stats(SHOWN)
                out.flush()
                self._sum = pstats.Stats(profile) if self._sum is None else self._sum.add(profile)
                self._sum.dump_stats(self._path)
            except OSError as exc:
                log.warning("the profile of a connection is lost: %s", exc)
