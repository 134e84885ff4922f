"""Moments as text.

Owns: how a moment is written, ``2014-07-15 22:03:44.186``: UTC, to the millisecond, no zone named.
Rule: what cannot be written raises.  Must not know records or files, nor read the clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cpppo.errors import UsageError

__all__ = ["render"]

_EPOCH = datetime(1970, 1, 1)


def render(value: float) -> str:
    """The text of a moment: seconds since the epoch, rounded to milliseconds; UsageError beyond years 1 to 9999."""
    try:
        moment = _EPOCH + timedelta(milliseconds=round(value * 1000))  # whole numbers: exact, however far away
    except (OverflowError, ValueError) as exc:
        raise UsageError(f"{value!r} is no moment of the years 1 to 9999, in seconds since 1970: {exc}") from None
    return moment.isoformat(" ", "milliseconds")
