"""`timestamp`, a moment that scripts calculate with.

Owns: comparison, arithmetic, and the way to and from text, datetimes and zones.
Rule: what is no moment is refused when it comes in.  Numbers are rounded to milliseconds as decimals are, for text,
comparison and hash alike.  Only ``timestamp()`` and ``support_abbreviations()`` read the clock, if given no time.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, ClassVar, overload

from cpppo.errors import UsageError
from cpppo.history.abbreviations import Abbreviations
from cpppo.history.moments import ABBREVIATIONS, parse, render, scaled
from cpppo.history.zones import ZoneLike, get_localzone, zone_of
from cpppo.timing import timer

__all__ = ["parse", "render", "timestamp"]

_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = _EPOCH.replace(tzinfo=timezone.utc)


class _Local:
    """The zone of this machine, as long as nobody chose another."""

    def __get__(self, one: object, kind: type | None = None) -> tzinfo:
        return get_localzone().native


class timestamp:
    """A moment, ``value`` seconds since the epoch, to the microsecond; written and compared to the millisecond.

    :param value: None for now; seconds; a text (see ``parse``); a timestamp; a datetime, which is UTC if naive.
    :param zone: of a text that names none, by name or as a tzinfo; UTC if None.

    ``str`` is UTC to the millisecond.  Compares with timestamps and numbers, equal if both round to one millisecond.
    Seconds can be added and taken away (``+=`` changes it in place, so that as a key it is best left alone);
    timestamp - timestamp are seconds.  ``UTC``, ``LOC``: zones to render with; set ``LOC`` for another local one.

    UsageError (a ValueError) for what is no moment, and beyond the years 1 to 9999.
    """

    __slots__ = ("value",)
    value: float

    #: Decimals that are written and compared, 0 to 6.
    _precision: ClassVar[int] = 3
    _tzabbrev: ClassVar[Abbreviations] = ABBREVIATIONS
    UTC: ClassVar[tzinfo] = timezone.utc
    LOC: ClassVar[Any] = _Local()

    def __init__(self, value: Any = None, zone: ZoneLike = None) -> None:
        if isinstance(value, str):
            self.value = parse(value, zone)
        elif value is None:
            self.value = timer()
        elif isinstance(value, timestamp):
            self.value = value.value
        elif isinstance(value, datetime):
            self.value = self.number_from_datetime(value)
        else:
            try:
                self.value = float(value)
            except (TypeError, ValueError, OverflowError):
                told = "is no moment; give seconds since 1970, a text, a datetime or a timestamp"
                raise UsageError(f"{value!r} {told}") from None
            render(self.value)  # or it is no moment

    # -- text
    def render(self, tzinfo: ZoneLike = None, ms: bool | int = True) -> str:
        """Its text in a zone (UTC if None), the abbreviation added in all but UTC.

        :param ms: decimals, 0 to 6, rounded; but False or 0 cut them off; True is the precision of the class, 3.
        """
        decimals = self._precision if ms is True else int(ms)
        if not 0 <= decimals <= 6:
            raise UsageError(f"{ms!r} decimals cannot be written, only 0 to 6")
        return render(self.value, tzinfo, decimals)

    def __str__(self) -> str:
        return render(self.value, None, self._precision)

    def __repr__(self) -> str:
        return f"<{self} =~= {self.value:.6f}>"

    @property
    def utc(self) -> str:
        """Its text in UTC; can be set to one, as can ``local``."""
        return self.render()

    @utc.setter
    def utc(self, text: str) -> None:
        self.value = parse(text)

    @property
    def local(self) -> str:
        """Its text in the local zone, to the second."""
        return self.render(self.LOC, ms=False)

    @local.setter
    def local(self, text: str) -> None:
        self.value = parse(text, self.LOC)

    # -- numbers
    def __float__(self) -> float:
        return self.value

    def __int__(self) -> int:
        return int(self.value)

    def __add__(self, seconds: Any) -> timestamp:
        return type(self)(self.value + seconds) if isinstance(seconds, (int, float)) else NotImplemented

    __radd__ = __add__

    @overload
    def __sub__(self, other: timestamp) -> float: ...
    @overload
    def __sub__(self, other: float) -> timestamp: ...
    def __sub__(self, other: Any) -> Any:
        """The timestamp so many seconds before; the seconds between, of two timestamps."""
        if isinstance(other, timestamp):
            return self.value - other.value
        return type(self)(self.value - other) if isinstance(other, (int, float)) else NotImplemented

    def __iadd__(self, seconds: Any) -> timestamp:
        self.value = (self + seconds).value
        return self

    def __isub__(self, seconds: float) -> timestamp:  # type: ignore[misc]  # in place, there are only seconds
        self.value = (self + -seconds).value
        return self

    # -- comparison
    def _compared(self, other: Any, how: Callable[[Any, Any], bool]) -> Any:
        if isinstance(other, timestamp):
            other = other.value
        elif not isinstance(other, (int, float)):
            return NotImplemented
        return how(round(self.value, self._precision), round(other, self._precision))

    def __eq__(self, other: object) -> Any:
        return self._compared(other, operator.eq)

    def __lt__(self, other: Any) -> Any:
        return self._compared(other, operator.lt)

    def __le__(self, other: Any) -> Any:
        return self._compared(other, operator.le)

    def __gt__(self, other: Any) -> Any:
        return self._compared(other, operator.gt)

    def __ge__(self, other: Any) -> Any:
        return self._compared(other, operator.ge)

    def __hash__(self) -> int:
        return hash(round(self.value, self._precision))

    # -- zones and datetimes
    @classmethod
    def support_abbreviations(
        cls,
        region: str | Iterable[str] | None,
        exclude: Iterable[str] | None = None,
        at: Any = None,
        reach: timedelta = timedelta(365),
        reset: bool = False,
    ) -> list[str]:
        """Understand the abbreviations that a country ('CA'), an area ('Europe'), a zone or several of these use.

        :param exclude: zones or regions to leave out.
        :param at: the moment around which they are in use, within ``reach``; None is now.
        :param reset: forget those supported before.
        :return: the abbreviations that were not supported before, in order.

        AmbiguousTimeZoneError if zones use one for different offsets: then nothing changes.
        """
        return cls._tzabbrev.support(region, exclude, timestamp(at).value, reach.total_seconds(), reset)

    @classmethod
    def timezone_info(cls, zone: str) -> tuple[tzinfo, bool | None]:
        """The tzinfo of a zone or abbreviation, and whether it is daylight saving time; None of what is both."""
        zones = cls._tzabbrev.zones(zone)
        if not zones:
            return zone_of(zone).native, None
        return zones[0].native, zones[0].dst(zone)

    @classmethod
    def datetime_from_number(cls, number: float, tzinfo: ZoneLike = None) -> datetime:
        """The aware datetime of seconds since the epoch, in a zone (UTC if None)."""
        moment = _EPOCH_UTC + timedelta(microseconds=scaled(number, 6))
        return moment.astimezone(zone_of(tzinfo).native)

    @classmethod
    def datetime_from_string(cls, text: str, tzinfo: ZoneLike = None) -> datetime:
        """The aware datetime of a text, in the zone that it is of if it names none."""
        return cls.datetime_from_number(parse(text, tzinfo), tzinfo)

    @classmethod
    def number_from_datetime(cls, moment: datetime) -> float:
        """Seconds since the epoch of a datetime, which is UTC if naive."""
        return (moment - (_EPOCH if moment.tzinfo is None else _EPOCH_UTC)).total_seconds()
