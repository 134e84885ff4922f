"""A delay before each response of a server: constant, or drawn from a range once a second.

Owns: the number of seconds, as text and in force.  Rule: whoever waits asks for ``value`` each time, so that it may
be changed while a server runs.  Must not know sockets.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from cpppo.errors import UsageError

__all__ = ["MAXIMUM_S", "Delay"]

#: The longest delay, in seconds; a client has given up long before.
MAXIMUM_S = 3600.0

_NUMBER = r"(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
_RANGE = re.compile(rf"(?P<low>{_NUMBER})(?:-(?P<high>{_NUMBER}))?")


class Delay:
    """``value``: seconds that each response is delayed now; with a range, `roll` draws it anew, ``draw`` saying how.

    ``ranged``: whether it was made with a range, which then says the value, whatever is set.

    :param low, high: the seconds; equal: a constant.  UsageError unless 0 <= low <= high <= MAXIMUM_S.
    """

    def __init__(
        self, low: float = 0.0, high: float | None = None, draw: Callable[[float, float], float] = random.uniform
    ) -> None:
        self.ranged = high is not None
        self._draw = draw
        self.value = low
        self.set(low, high)

    @classmethod
    def parse(cls, text: str) -> Delay:
        """The delay of ``#.#[-#.#]``, in seconds; UsageError for another text."""
        return cls(*_parse(text))

    def set(self, low: float, high: float | None = None) -> None:
        """Delay by so many seconds from now on, or by those of a range; UsageError as when it is made."""
        limits = (low, low if high is None else high)
        if not 0 <= low <= limits[1] <= MAXIMUM_S:
            raise UsageError(
                f"a delay of {_shown(limits)} seconds: 0 to {MAXIMUM_S:.0f} are possible, the smaller number first; "
                "eg. 0.1-0.9"
            )
        self.range = limits
        self.value = low
        self.roll()

    def say(self, text: str) -> None:
        """As `set`, by text: ``#.#[-#.#]``; UsageError for another one."""
        self.set(*_parse(text))

    def roll(self) -> None:
        """Draw the value anew, if there is a range to draw it from."""
        low, high = self.range
        if low != high:
            self.value = self._draw(low, high)

    def __str__(self) -> str:
        return _shown(self.range)


def _parse(text: str) -> tuple[float, float | None]:
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"delay {text[:60]!r} is not seconds, or a range of them; eg. 0.5 or 0.1-0.9")
    return float(match["low"]), None if match["high"] is None else float(match["high"])


def _shown(limits: tuple[float, float]) -> str:
    low, high = limits
    return f"{low}" if low == high else f"{low}-{high}"
