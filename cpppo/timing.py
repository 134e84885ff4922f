"""The clocks that fronts and scripts share.

Rule: only fronts and tools read the clock; everything below them takes time as an argument.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["clock", "timer"]

#: Wall-clock time: a float, seconds since the epoch.
timer: Callable[[], float] = time.time

#: Seconds that only ever grow, whatever happens to the wall clock: for ages, deadlines and cadences.
clock: Callable[[], float] = time.monotonic
