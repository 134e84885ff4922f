"""What records say, as values of named series: elements of tags, registers, or whatever was recorded.

Owns: the names of series, and thinning them out to what a picture can show.
Rule: any JSON has some series; memory depends on how many there are, not on how long they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cpppo.history.source import Entry

__all__ = ["Thinned", "TagValues", "points", "tag_values"]


class TagValues(NamedTuple):
    """Values that elements of a tag had, from ``first`` on; ``written`` or else read."""

    name: str
    first: int
    values: list[Any]
    written: bool


def tag_values(entry: Entry) -> TagValues | None:
    """The values of a record of tags, ``["Tag", [0, 3]]`` and ``{"write": [0, 1, 2, 3]}``; None if it is another."""
    serial, data = entry.serial, entry.data
    if not (isinstance(serial, list) and len(serial) == 2 and isinstance(serial[0], str) and isinstance(data, dict)):
        return None
    for how in ("write", "read"):
        values, place = data.get(how), serial[1]
        if isinstance(values, list) and isinstance(place, list) and len(place) == 2 and type(place[0]) is int:
            return TagValues(serial[0], place[0], values, how == "write") if place[0] >= 0 else None
    return None


def points(entry: Entry) -> Iterator[tuple[str, Any]]:
    """(series, value) of all that a record says: ``Tag[3]``, the keys of a mapping, the items of a list."""
    tag = tag_values(entry)
    if tag is not None:
        for index, value in enumerate(tag.values, tag.first):
            yield f"{tag.name}[{index}]", value
        return
    if entry.serial is None:
        prefix = ""
    else:
        prefix = entry.serial if isinstance(entry.serial, str) else json.dumps(entry.serial)
    if isinstance(entry.data, Mapping):
        for key, value in entry.data.items():
            yield f"{prefix}.{key}" if prefix else key, value
    elif isinstance(entry.data, list):
        for index, value in enumerate(entry.data):
            yield f"{prefix}[{index}]", value
    else:
        yield prefix or "value", entry.data


class Thinned:
    """The least, the mean and the greatest value of a series in each of some equal lengths of time.

    :param most: lengths of time there are at most: when more are needed, two become one.
    """

    def __init__(self, start: float, most: int = 512) -> None:
        self.start, self._most = start, most
        self.length_s = 0.001
        self._bins: list[tuple[float, float, float, int]] = []  # least, greatest, sum, count

    def add(self, when: float, value: float) -> None:
        """A value at a time; one before the start, by a clock that was put back, counts as there."""
        at = max(0, int((when - self.start) / self.length_s))
        while at >= self._most:
            self._halve()
            at //= 2
        while len(self._bins) <= at:
            self._bins.append((math.inf, -math.inf, 0.0, 0))
        least, greatest, total, count = self._bins[at]
        self._bins[at] = (min(least, value), max(greatest, value), total + value, count + 1)

    def _halve(self) -> None:
        self.length_s *= 2
        bins = self._bins
        if len(bins) % 2:
            bins.append((math.inf, -math.inf, 0.0, 0))
        self._bins = [
            (min(one[0], other[0]), max(one[1], other[1]), one[2] + other[2], one[3] + other[3])
            for one, other in zip(bins[::2], bins[1::2], strict=True)
        ]

    def bins(self) -> Iterator[tuple[float, float, float, float]]:
        """(time in the middle, least, mean, greatest) where there are values."""
        for at, (least, greatest, total, count) in enumerate(self._bins):
            if count:
                yield self.start + (at + 0.5) * self.length_s, least, total / count, greatest
