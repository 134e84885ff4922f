"""Addresses and their tables, ranges as people write them, merging and shattering."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import UsageError
from cpppo.remote.ranges import (
    COILS,
    DISCRETE_INPUTS,
    HOLDING_REGISTERS,
    INPUT_REGISTERS,
    locate,
    merge,
    parse_range,
    shatter,
    spelled,
)


@pytest.mark.parametrize(
    ("address", "table", "offset"),
    [
        (1, COILS, 0),
        (9999, COILS, 9998),
        (10001, DISCRETE_INPUTS, 0),
        (19999, DISCRETE_INPUTS, 9998),
        (100001, DISCRETE_INPUTS, 0),
        (165536, DISCRETE_INPUTS, 65535),
        (30001, INPUT_REGISTERS, 0),
        (39999, INPUT_REGISTERS, 9998),
        (300001, INPUT_REGISTERS, 0),
        (365536, INPUT_REGISTERS, 65535),
        (40001, HOLDING_REGISTERS, 0),
        (99999, HOLDING_REGISTERS, 59998),
        (400001, HOLDING_REGISTERS, 0),
        (465536, HOLDING_REGISTERS, 65535),
    ],
)
def test_the_bounds_of_each_table(address: int, table: object, offset: int) -> None:
    """The first and last addresses of the specification's table of ranges."""
    assert locate(address)[:2] == (table, offset)


@pytest.mark.parametrize("address", [-1, 0, 10000, 20000, 30000, 40000, 100000, 165537, 300000, 365537, 400000, 465537])
def test_addresses_beside_the_tables(address: int) -> None:
    """What is in no table is refused, with the tables that there are."""
    with pytest.raises(UsageError, match=f"{address} is no Modbus address: 1-9999 .coils., 10001-19999"):
        locate(address)


@pytest.mark.parametrize(
    ("ranges", "reach", "limit", "merged"),
    [
        ([(1, 2), (5, 3), (40001, 4), (40010, 1)], 10, None, [(1, 7), (40001, 10)]),
        ([(1, 2), (3, 1)], 1, None, [(1, 3)]),
        ([(1, 2), (4, 1)], 1, None, [(1, 2), (4, 1)]),
        ([(1, 2), (4, 1)], 2, None, [(1, 4)]),
        ([(40002, 1), (40001, 1), (40001, 1)], 1, None, [(40001, 2)]),
        ([(40001, 10), (40003, 2)], 1, None, [(40001, 10)]),
        ([(9999, 1), (10001, 1)], 100, None, [(9999, 1), (10001, 1)]),
        ([(49999, 1), (50000, 1)], 100, None, [(49999, 1), (50000, 1)]),
        ([(40001, 125), (40126, 1)], 1, None, [(40001, 125), (40126, 1)]),
        ([(1, 2000), (2001, 1)], 1, None, [(1, 2000), (2001, 1)]),
        ([(40001, 300)], 1, None, [(40001, 125), (40126, 125), (40251, 50)]),
        ([(40001, 10), (40011, 130)], 1, None, [(40001, 125), (40126, 15)]),
        ([(40001, 124), (40125, 2)], 1, None, [(40001, 124), (40125, 2)]),
        ([(40001, 1), (40002, 1), (40003, 1)], 1, 2, [(40001, 2), (40003, 1)]),
        ([], 1, None, []),
    ],
)
def test_merge(ranges: list[tuple[int, int]], reach: int, limit: int | None, merged: list[tuple[int, int]]) -> None:
    """Neighbours within reach are one, within blocks and limits; what is short enough stays whole."""
    assert list(merge(ranges, reach, limit)) == merged


RANGES = st.lists(st.tuples(st.integers(40001, 41000), st.integers(1, 200)), max_size=20)


@given(RANGES, st.integers(1, 50), st.none() | st.integers(1, 125))
def test_merge_covers(ranges: list[tuple[int, int]], reach: int, limit: int | None) -> None:
    """All that was asked is read; nothing is longer than its limit; each short range is in one request."""
    merged = list(merge(ranges, reach, limit))
    wanted = {a for address, count in ranges for a in range(address, address + count)}
    read = {a for address, count in merged for a in range(address, address + count)}
    assert wanted <= read
    assert all(1 <= count <= (limit or 125) for _, count in merged)
    for address, count in ranges:
        if count <= (limit or 125):
            assert any(a <= address and address + count <= a + n for a, n in merged)
    assert all(any(near in wanted for near in range(a - reach, a + reach + 1)) for a in read)


@given(st.sets(st.integers(40001, 40400), min_size=1), st.integers(1, 20), st.integers(1, 30))
def test_merge_of_single_addresses_takes_the_least_requests(addresses: set[int], reach: int, limit: int) -> None:
    """No division of the addresses into requests of that reach and limit has fewer of them."""
    ordered = sorted(addresses)
    least = [0]
    for end in range(1, len(ordered) + 1):
        best = least[end - 1] + 1
        start = end - 1
        while start > 0 and ordered[start] - ordered[start - 1] <= reach:
            start -= 1
            if ordered[end - 1] - ordered[start] >= limit:
                break
            best = min(best, least[start] + 1)
        least.append(best)
    assert len(list(merge(((a, 1) for a in ordered), reach, limit))) == least[-1]


def test_shatter() -> None:
    """What is too long for one read goes in pieces; writes name their own limit."""
    assert list(shatter(40001, 250)) == [(40001, 125), (40126, 125)]
    assert list(shatter(1, 2001)) == [(1, 2000), (2001, 1)]
    assert list(shatter(40001, 124, 123)) == [(40001, 123), (40124, 1)]
    assert list(shatter(1, 1969, 1968)) == [(1, 1968), (1969, 1)]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [("40001", (40001, 1)), (" 40001 - 40100 ", (40001, 100)), ("1-9999", (1, 9999)), ("7-7", (7, 1))],
)
def test_ranges_as_people_write_them(text: str, parsed: tuple[int, int]) -> None:
    """One address, or a first and a last; blanks do not matter."""
    assert parse_range(text) == parsed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' is no range of addresses: write 40001 or 40001-40100"),
        ("40001-", "is no range of addresses"),
        ("four", "is no range of addresses"),
        ("40001-40100-40200", "is no range of addresses"),
        ("40100-40001", "the last address comes before the first; write 40001-40100"),
        ("9990-10010", "the coils of this notation end at 9999"),
        ("99999-100001", "the holding registers of this notation end at 99999"),
        ("20000", "20000 is no Modbus address"),
    ],
)
def test_ranges_that_are_none(text: str, told: str) -> None:
    """What is wrong is said, and what to write instead."""
    with pytest.raises(UsageError, match=told.replace("(", r"\(")):
        parse_range(text)


def test_spelled() -> None:
    """A range is shown as it would be written."""
    assert (spelled(40001, 1), spelled(40001, 3)) == ("40001", "40001-40003")


@pytest.mark.parametrize("address", [40001.0, 40001.5, "40001", None])
def test_addresses_are_whole_numbers(address: Any) -> None:
    """A number with a fraction would be no request; that it is none is told where it is given."""
    with pytest.raises(UsageError, match=r"is no Modbus address: these are whole numbers, eg. 40001"):
        locate(address)
