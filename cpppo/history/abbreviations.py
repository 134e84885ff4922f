"""Abbreviations of time zones, ``MST`` and the like: which of them are understood, and as what.

Owns: the abbreviations that were asked for by country, area or zone, and those that need not be asked for.
Rule: an abbreviation that two zones use for different offsets is refused, at the latest where it is read; nothing is
taken over from a region that is refused.  Must not know texts of moments.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache

from cpppo.history.zones import UTC, Meaning, UnknownTimeZoneError, Zone, get_localzone, zone_names, zone_of

__all__ = ["Abbreviations", "AmbiguousTimeZoneError", "format_numeric", "numeric", "users"]

#: Zones that a message names.
_SHOWN = 6


class AmbiguousTimeZoneError(UnknownTimeZoneError):
    """An abbreviation that zones use for different offsets."""


def numeric(label: str) -> bool:
    """Whether an abbreviation is an offset by itself, as those of many zones are: ``-03``, ``+0545``."""
    return label[:1] in ("+", "-")


def format_numeric(offset: int) -> str:
    """An offset of so many seconds east of UTC, to the minute: ``-0600``."""
    hours, minutes = divmod(abs(offset) // 60, 60)
    return f"{'-' if offset < 0 else '+'}{hours:02}{minutes:02}"


class Abbreviations:
    """What abbreviations mean: those supported; of others, those of this machine's zone; and zones' names (``EST``)."""

    def __init__(self) -> None:
        self._meanings: Mapping[str, Meaning] = {}
        self._zones: Mapping[str, tuple[Zone, ...]] = {}

    def support(
        self,
        region: str | Iterable[str] | None,
        exclude: Iterable[str] | None = None,
        at: float = 0.0,
        reach_s: float = 0.0,
        reset: bool = False,
    ) -> list[str]:
        """Understand what the zones of a region use around a moment; the names that were not understood before.

        :param region: as of ``zone_names``.
        :param exclude: zones to leave out, or regions.
        :param at: the moment, in seconds since 1970.
        :param reach_s: seconds before and after it that count, too.
        :param reset: forget first what was supported before, if this succeeds.

        AmbiguousTimeZoneError if zones use one for different offsets then, UnknownTimeZoneError for an unknown region.
        """
        start, end = at - reach_s, at + reach_s
        out = set() if exclude is None else set(zone_names(exclude))
        zones: dict[str, tuple[Zone, ...]] = {} if reset else dict(self._zones)
        for zone in (zone_of(name) for name in zone_names(region) if name not in out):
            for label, meaning in zone.meanings.items():
                used = meaning.offsets(start, end)
                if not used or numeric(label) or zone in zones.get(label, ()):
                    continue
                for other in zones.get(label, ()):
                    if (theirs := other.meanings[label].offsets(start, end)) and theirs != used:
                        raise AmbiguousTimeZoneError(
                            f"{label} means {_offsets(used)} in {zone.name}, and {_offsets(theirs)} in {other.name}; "
                            f"exclude one of them, or support fewer zones"
                        )
                zones[label] = (*zones.get(label, ()), zone)
        known = {} if reset else self._meanings
        meanings = {
            label: known[label] if label in known and those == self._zones[label] else _merged(label, those)
            for label, those in zones.items()
        }
        added = sorted(label for label in meanings if label not in known)
        self._meanings, self._zones = meanings, zones
        return added

    def zones(self, label: str) -> tuple[Zone, ...]:
        """The zones in which an abbreviation is looked for."""
        if label in self._zones:
            return self._zones[label]
        try:
            local = get_localzone()
            return (local,) if label in local.meanings else (zone_of(label),)
        except UnknownTimeZoneError:
            return ()

    def moments(self, label: str, wall: float) -> list[float] | None:
        """The moments that a clock showing ``wall`` may mean with an abbreviation, or name of a zone; None: unknown."""
        meaning = self._meanings.get(label) or _unasked(label, os.environ.get("TZ"))
        return None if meaning is None else meaning.moments(wall)


def _merged(label: str, zones: Iterable[Zone]) -> Meaning:
    return Meaning(span for zone in zones for span in zone.meanings[label].spans())


@lru_cache(1024)
def _unasked(label: str, told: str | None) -> Meaning | Zone | None:
    """What a name means without being supported: to this machine's zone, which TZ tells; else as that of a zone."""
    try:
        local: Zone | None = get_localzone()
    except UnknownTimeZoneError:  # there is none, or no package to ask
        local = None
    if local is not None and local is not UTC and label in local.meanings:
        return local.meanings[label]
    try:
        return zone_of(label)
    except UnknownTimeZoneError:
        return None


def _offsets(offsets: Iterable[int]) -> str:
    return " or ".join(
        f"{'-' if one < 0 else '+'}{abs(one) // 3600:02}{abs(one) // 60 % 60:02}" for one in sorted(offsets)
    )


@lru_cache(1)
def _users() -> dict[str, list[str]]:
    users: dict[str, list[str]] = {}
    for name in zone_names():
        for label in zone_of(name).meanings:
            users.setdefault(label, []).append(name)
    return users


def users(label: str) -> str:
    """The zones that have used an abbreviation since 1970 or before, as far as there is room for them; '' if none."""
    try:
        found = _users().get(label, [])
    except UnknownTimeZoneError:
        return ""
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{', '.join(found[:_SHOWN])}{more}"
