"""The shared clock, and the version's two forms."""

from __future__ import annotations

import time

from cpppo.timing import timer
from cpppo.version import __version__, __version_info__


def test_timer_is_the_wall_clock_in_seconds() -> None:
    """timer() gives float seconds since the epoch."""
    before = time.time()
    now = timer()
    assert isinstance(now, float)
    assert before <= now <= time.time()


def test_version_text_is_that_of_its_numbers() -> None:
    """__version__ is the dotted form of __version_info__."""
    assert __version_info__ == (0, 1, 0)
    assert __version__ == "0.1.0"
