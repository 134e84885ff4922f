"""Moments as text, and back: ``2014-07-15 22:03:44.186``, UTC or of any zone.

Owns: the forms of text.
Rule: a text says one moment, or is refused with those it could be; what is written is never read as another moment.
Numbers are rounded as decimals are ('%.3f'): to the nearest, whatever sums of binary digits are beside it.
Must not know records or files, nor read the clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from cpppo.errors import UsageError
from cpppo.history.abbreviations import Abbreviations, format_numeric, numeric, users
from cpppo.history.zones import UTC, Zone, ZoneLike, zone_of

__all__ = ["ABBREVIATIONS", "parse", "render", "scaled"]

_EPOCH = datetime(1970, 1, 1)

#: The abbreviations that all texts are read with.
ABBREVIATIONS = Abbreviations()

#: Days of which the text is remembered; and of seconds that were read, in milliseconds: records come many a second.
_REMEMBERED = 4096
_days: dict[int, str] = {}
_seconds: dict[str, int] = {}

_SCALES = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]
_MINUTES = [f" {minute // 60:02}:{minute % 60:02}:" for minute in range(1440)]
_SECONDS = [f"{second:02}" for second in range(60)]
_MILLISECONDS = [f".{part:03}" for part in range(1000)]
_MILLISECONDS_READ = {text: part for part, text in enumerate(_MILLISECONDS)}

#: How much of a text an error shows.
_SHOWN = 60

_TEXT = re.compile(
    r"\s*(\d{4})[-:.\s]+(\d\d?)[-:.\s]+(\d\d?)(?:\s*[Tt]\s*|[-:.\s]+)(\d\d?)[:.\s]+(\d\d?)[:.\s]+(\d\d?)"
    r"(?:(?:[.:,]|\s+)(\d{1,6})(?!\d))?\s*([+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?|[A-Za-z][\w/+-]{0,60})?\s*",
    re.ASCII,
)
_FORM = "write eg. 2014-07-15 22:03:44.186, then nothing (UTC), an offset (-0600), an abbreviation or a zone"


# ------------------------------------------------------------------ moments to text
def render(value: float, zone: ZoneLike = None, decimals: int = 3) -> str:
    """The text of a moment: seconds since the epoch, rounded to so many decimals, 0 to 6; of 0 they are cut off.

    In any zone but UTC an abbreviation follows, or the offset where that would not tell the moment.
    UsageError beyond years 1 to 9999.
    """
    where = UTC if zone is None else zone_of(zone)
    try:
        if decimals == 3:
            seconds, part = divmod(scaled(value, 3), 1000)
            text = _MILLISECONDS[part]
        else:
            seconds, part = divmod(scaled(value, decimals), _SCALES[decimals])
            text = f".{part:0{decimals}}" if decimals else ""
        if where is UTC:
            return _digits(seconds) + text
        _, offset, label, _ = where.at(seconds)
        return f"{_digits(seconds + offset)}{text} {_label(where, seconds, offset, label)}"
    except (OverflowError, ValueError) as exc:
        raise UsageError(f"{value!r} is no moment of the years 1 to 9999, in seconds since 1970: {exc}") from None


def scaled(value: float, decimals: int) -> int:
    """A number rounded as a decimal one is, in units of its last decimal; of none it is cut off."""
    if decimals == 0:
        return int(value // 1)
    scale = _SCALES[decimals]
    product = value * scale
    whole = round(product)
    if abs(product - whole) == 0.5:  # the product may have been rounded to this middle
        whole = round(round(value, decimals) * scale)
    return whole


def _digits(wall: int) -> str:
    """What a clock shows, to the second."""
    day, second = divmod(wall, 86400)
    minute, second = divmod(second, 60)
    return (_days.get(day) or _day(day)) + _MINUTES[minute] + _SECONDS[second]


def _day(day: int) -> str:
    text = (_EPOCH + timedelta(days=day)).date().isoformat()
    if len(_days) >= _REMEMBERED:
        _days.clear()
    _days[day] = text
    return text


def _label(zone: Zone, seconds: int, offset: int, label: str) -> str:
    """What follows the digits: the zone's abbreviation, if it is read back as this moment by all who can read it."""
    wall = seconds + offset
    if label[:1] not in "+-":
        if len(zone.meanings[label].moments(wall)) == 1:
            read = ABBREVIATIONS.moments(label, wall)
            if read is None or read == [seconds]:
                return label
    return format_numeric(offset)


# ------------------------------------------------------------------ text to moments
def parse(text: str, zone: ZoneLike = None) -> float:
    """The moment of a text, in seconds since the epoch, to the microsecond.

    ``YYYY-MM-DD HH:MM:SS[.ssssss] [ZONE]``, with blanks, ``:``, ``-`` and ``.`` between numbers at will, or ISO 8601
    with ``T``; ZONE is ``Z``, an offset as ``-0600`` or ``-06:00``, the name of a zone, or an abbreviation: one of
    ``zone``, one supported, or one of this machine's zone.

    :param zone: of a text that names none; UTC if None.

    UsageError (a ValueError) for what is no such text, and for local times that do not tell one moment.
    """
    try:  # as we write it
        wall = (_seconds.get(text[:19]) or _second(text)) + _MILLISECONDS_READ[text[19:23]]
    except (KeyError, ValueError):
        return _parsed(text, zone)
    if zone is None:
        return wall / 1000 if len(text) == 23 else _parsed(text, zone)
    if text[23:24] == " " and (meaning := zone_of(zone).meanings.get(text[24:])):
        seconds, part = divmod(wall, 1000)
        moments = meaning.moments(seconds)
        if len(moments) == 1:
            return (int(moments[0]) * 1000 + part) / 1000
    return _parsed(text, zone)


def _second(text: str) -> int:
    """The milliseconds of what a text has up to the second, if that is as we write it; else ValueError."""
    if text[7:20:3] != "- ::.":  # interpreters differ in what else they take
        raise ValueError(_FORM)
    elapsed = datetime.fromisoformat(text[:19]) - _EPOCH
    if len(_seconds) >= _REMEMBERED:
        _seconds.clear()
    _seconds[text[:19]] = wall = (elapsed.days * 86400 + elapsed.seconds) * 1000
    return wall


def _parsed(text: str, zone: ZoneLike) -> float:
    found = _TEXT.fullmatch(text)
    try:
        if found is None:
            raise ValueError(_FORM)
        *numbers, fraction, label = found.groups()
        year, month, day, hour, minute, second = map(int, numbers)
        elapsed = datetime(year, month, day, hour, minute, second) - _EPOCH
        wall = elapsed.days * 86400 + elapsed.seconds
        seconds = _resolved(wall, label, zone)
    except ValueError as exc:  # UsageError among them
        raise UsageError(f"{text[:_SHOWN]!r} is no moment: {exc}") from None
    return (seconds * 1_000_000 + int((fraction or "").ljust(6, "0"))) / 1_000_000


def _resolved(wall: int, label: str | None, zone: ZoneLike) -> int:
    """The second that a clock showing ``wall`` means; UsageError names those it could be."""
    if label is None:
        where = zone_of(zone)
        return _one(where.moments(wall), wall, f"in {where.name}", (where,))
    if label in ("UTC", "GMT", "Z", "z"):
        return wall
    if numeric(label):
        sign, digits = -1 if label[0] == "-" else 1, label[1:].replace(":", "").ljust(4, "0")
        return wall - sign * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)
    read = None
    if zone is not None:
        where = zone_of(zone)
        read = where.meanings[label].moments(wall) if label in where.meanings else None
        if read or (read is not None and ABBREVIATIONS.moments(label, wall) is None):
            return _one(read, wall, f"by {label} in {where.name}", (where,))
    read = ABBREVIATIONS.moments(label, wall)
    if read is None:
        who = users(label)
        raise UsageError(
            f"{label!r} is no zone, and no abbreviation that is supported; "
            + (f"it is used in {who}: support_abbreviations() of one of them, or " if who else "")
            + "write an offset, as -0600"
        )
    return _one(read, wall, f"by {label}", ABBREVIATIONS.zones(label))


def _one(moments: list[float], wall: int, how: str, zones: Iterable[Zone]) -> int:
    """The only one of some moments; UsageError names them if there are more, or if there is none those beside."""
    if len(moments) == 1:
        return int(moments[0])
    zones = tuple(zones)
    if moments:
        candidates = {_candidate(zone, moment) for moment in moments for zone in zones if _shows(zone, moment, wall)}
        raise UsageError(f"{how} that is {len(moments)} moments: {' or '.join(sorted(candidates))}")
    beside = {_candidate(zone, wall - zone.at(wall + hours * 3600).offset) for zone in zones for hours in (-36, 36)}
    beside |= {_candidate(zone, moment) for zone in zones for moment in zone.moments(wall)}
    raise UsageError(f"{how} there is no such time; it may be {' or '.join(sorted(beside)[:4])}")


def _shows(zone: Zone, moment: float, wall: int) -> bool:
    return moment + zone.at(moment).offset == wall


def _candidate(zone: Zone, moment: float) -> str:
    _, offset, label, _ = zone.at(moment)
    return f"{_digits(int(moment) + offset)} {format_numeric(offset)}" + (
        f" ({label})" if label and not numeric(label) else ""
    )
