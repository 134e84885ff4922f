"""Time zones: which offset and abbreviation a zone has at a moment, and which moments a clock on its wall may mean.

Owns: the tables of zones, made once each from pytz, and the name of this machine's zone, from TZ or tzlocal.
Rule: one database for everything, pytz's; what the system has of its own, or lacks, changes nothing.  Both packages
are imported by the first local time, and only here.  After 2037 pytz knows no daylight saving time.
Must not know texts of moments.  All times here are seconds since 1970, of UTC or, where said, of a clock on the wall.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple, TypeAlias

from cpppo.errors import UsageError

__all__ = [
    "UTC",
    "Meaning",
    "Period",
    "UnknownTimeZoneError",
    "Zone",
    "ZoneLike",
    "get_localzone",
    "zone_names",
    "zone_of",
]

#: Before and after all moments that can be told.
_ALWAYS, _NEVER = -(10**12), 10**12

_EPOCH = datetime(1970, 1, 1)


class UnknownTimeZoneError(UsageError, KeyError):
    """A zone, an abbreviation or a region that nobody knows by that name; or packages are missing that would."""

    def __str__(self) -> str:  # KeyError would quote it
        return str(self.args[0])


class Period(NamedTuple):
    """A time without changes: ``offset`` seconds east of UTC, the abbreviation in use, and whether that is DST."""

    start: float
    offset: int
    label: str
    dst: bool


class Meaning:
    """When an abbreviation stands for which offset, in one zone or in several together."""

    def __init__(self, spans: Iterable[tuple[int, float, float]]) -> None:
        """Of (offset, first second, second after the last) each time that it is in use."""
        self._spans: dict[int, tuple[list[float], list[float]]] = {}
        for offset, start, end in sorted(spans):
            starts, ends = self._spans.setdefault(offset, ([], []))
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)

    def moments(self, wall: float) -> list[float]:
        """The moments when a clock that shows ``wall`` is of this abbreviation, in order."""
        found = []
        for offset, (starts, ends) in self._spans.items():
            moment = wall - offset
            at = bisect_right(starts, moment) - 1
            if at >= 0 and moment < ends[at]:
                found.append(moment)
        return sorted(found) if len(found) > 1 else found

    def spans(self) -> Iterator[tuple[int, float, float]]:
        """What it was made of, merged."""
        for offset, (starts, ends) in self._spans.items():
            for start, end in zip(starts, ends, strict=True):
                yield offset, start, end

    def offsets(self, start: float = _ALWAYS, end: float = _NEVER) -> frozenset[int]:
        """The offsets it has between two moments."""
        return frozenset(offset for offset, begin, until in self.spans() if begin <= end and until > start)


class Zone:
    """A time zone by its name, all its periods known."""

    def __init__(self, name: str, periods: Sequence[Period], native: tzinfo) -> None:
        self.name = name
        #: The zone as datetime takes it, for those who go on with that.
        self.native = native
        self._periods = list(periods)
        self._starts = [period.start for period in periods]
        ends = [*self._starts[1:], _NEVER]
        spans: dict[str, list[tuple[int, float, float]]] = {}
        for (start, offset, label, _), end in zip(self._periods, ends, strict=True):
            spans.setdefault(label, []).append((offset, start, end))
        #: What its abbreviations mean.
        self.meanings = {label: Meaning(those) for label, those in spans.items()}

    def __repr__(self) -> str:
        return f"<Zone {self.name}>"

    def at(self, moment: float) -> Period:
        """The period that a moment is in."""
        return self._periods[bisect_right(self._starts, moment) - 1]

    def dst(self, label: str) -> bool | None:
        """Whether an abbreviation of this zone stands for daylight saving time; None if it is none, or for both."""
        found = {period.dst for period in self._periods if period.label == label}
        return found.pop() if len(found) == 1 else None

    def moments(self, wall: float) -> list[float]:
        """The moments when its clocks show ``wall``: one, two where they are put back, none where put forward."""
        day = 86400.0
        first = bisect_right(self._starts, wall - 2 * day) - 1
        last = bisect_right(self._starts, wall + 2 * day) - 1
        offsets = {period.offset for period in self._periods[first : last + 1]}
        return sorted(wall - offset for offset in offsets if self.at(wall - offset).offset == offset)


#: Coordinated Universal Time, which needs no other package.
UTC = Zone("UTC", [Period(_ALWAYS, 0, "UTC", False)], timezone.utc)

#: What names a zone: its name, a Zone, what pytz or zoneinfo give; None is UTC.
ZoneLike: TypeAlias = "str | Zone | tzinfo | None"

_zones: dict[object, Zone] = {None: UTC, "UTC": UTC, timezone.utc: UTC}
_local: dict[str | None, Zone] = {}


def zone_of(which: ZoneLike) -> Zone:
    """The zone of that name, or of a tzinfo; UnknownTimeZoneError if there is none."""
    if isinstance(which, Zone):
        return which
    found = _zones.get(which)
    if found is None:
        found = _zones[which] = _made(which)
    return found


def _made(which: str | tzinfo | None) -> Zone:
    if isinstance(which, str):
        pytz = _pytz(f"zone {which!r}")
        if which not in pytz.all_timezones_set:  # which timezone() would look for in any case
            raise UnknownTimeZoneError(f"{which!r} is no time zone; name one as in America/Edmonton")
        native = pytz.timezone(which)
        return Zone(which, list(_periods(native)), native)
    name = getattr(which, "zone", None) or getattr(which, "key", None)  # of pytz, of zoneinfo
    if isinstance(name, str):
        return zone_of(name)
    offset = which.utcoffset(None) if which is not None else None
    if which is None or offset is None:
        raise UnknownTimeZoneError(f"{which!r} has no name; give a zone by name, as in America/Edmonton")
    return Zone(
        str(which), [Period(_ALWAYS, int(offset.total_seconds()), "", False)], which
    )  # its name is no abbreviation


def _periods(native: Any) -> Iterator[Period]:
    """The periods of a zone of pytz, which keeps those of a zone with changes in two lists."""
    changes, told = getattr(native, "_utc_transition_times", None), getattr(native, "_transition_info", None)
    if changes is None or told is None:
        now = _EPOCH.replace(tzinfo=timezone.utc).astimezone(native)
        yield Period(_ALWAYS, _seconds(now.utcoffset()), now.tzname() or "", False)
        return
    for number, (change, (offset, dst, label)) in enumerate(zip(changes, told, strict=True)):
        start = _ALWAYS if not number else _seconds(change - _EPOCH)
        yield Period(start, _seconds(offset), label, bool(dst))


def _seconds(length: timedelta | None) -> int:
    return 0 if length is None else length.days * 86400 + length.seconds


def _pytz(wanted: str) -> Any:
    try:
        import pytz
    except ImportError as exc:
        raise UnknownTimeZoneError(
            f"{wanted} needs pytz, which is not installed: pip install pytz tzlocal; UTC and offsets do without"
        ) from exc
    return pytz


# ------------------------------------------------------------------ this machine's zone
def get_localzone() -> Zone:
    """The zone of this machine, by TZ if that is set, else as its system says; UTC where nothing says anything.

    UnknownTimeZoneError if what it says is no name that pytz knows, eg. a rule, or a copied /etc/localtime.
    """
    told = os.environ.get("TZ")
    found = _local.get(told)
    if found is None:
        found = _local[told] = zone_of(_system_name() if told is None else _name_in(told))
    return found


def _name_in(told: str) -> str:
    """The name of a zone in the value of TZ."""
    name = told.removeprefix(":").rpartition("zoneinfo/")[2] or "UTC"
    try:
        zone_of(name)
    except UnknownTimeZoneError as exc:
        if "needs pytz" in str(exc):
            raise
        raise UnknownTimeZoneError(f"TZ={told} is no name of a time zone; set eg. TZ=America/Edmonton") from None
    return name


def _system_name(link: str = "/etc/localtime") -> str:
    _pytz("the local time")
    try:
        import tzlocal
    except ImportError as exc:
        raise UnknownTimeZoneError(
            "the local time needs tzlocal, which is not installed: pip install tzlocal; or set eg. TZ=America/Edmonton"
        ) from exc
    try:
        name: str | None = tzlocal.get_localzone_name()
    except KeyError as exc:  # ZoneInfoNotFoundError: files that contradict each other
        raise UnknownTimeZoneError(f"the local time zone is not clear, set eg. TZ=America/Edmonton: {exc}") from None
    if name is None and os.path.islink(link):  # to where the system has no zone data
        name = os.readlink(link).rpartition("zoneinfo/")[2]
    if name is None and os.path.exists(link):
        raise UnknownTimeZoneError(f"{link} does not tell the name of its zone; set eg. TZ=America/Edmonton")
    return name or "UTC"


# ------------------------------------------------------------------ names
def zone_names(region: str | Iterable[str] | None = None) -> list[str]:
    """The zones of a country ('CA'), an area ('Europe'), a zone, or several of these; all if None; in order.

    UnknownTimeZoneError for what is none of these.
    """
    pytz = _pytz(f"region {region!r}")
    if region is None:
        return list(pytz.common_timezones)
    if not isinstance(region, str):
        return list(dict.fromkeys(name for one in region for name in zone_names(one)))
    if region.upper() in pytz.country_timezones:
        return list(pytz.country_timezones[region.upper()])
    inside = [name for name in pytz.common_timezones if name.startswith(f"{region.rstrip('/')}/")]
    if inside:
        return inside
    if region in pytz.all_timezones_set:
        return [region]
    raise UnknownTimeZoneError(f"{region!r} is no country, area or zone; eg. 'CA', 'Europe' or 'America/Edmonton'")
