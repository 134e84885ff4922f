"""The clock as a date (class 0x8B, attribute 5), which st-ethernet-ip reads and sets."""

from __future__ import annotations

import struct

import pytest

from cpppo.server.enip.device import Device
from tests.server.enip.device.frames import Simulator, numbers

GET, SET, GET_ALL = b"\x0e", b"\x10", b"\x01"
DATE, TIME = numbers(0x8B, 1, 5), numbers(0x8B, 1, 6)
#: 2020-09-13 12:26:40.000123 UTC.
NOW, NOW_DATE = 1_600_000_000_000_123, (2020, 9, 13, 12, 26, 40, 123)


@pytest.fixture
def simulator() -> Simulator:
    device = Device()
    device.clock = lambda: NOW
    return Simulator(device)


def test_read(simulator: Simulator) -> None:
    """Seven DINT: year to microsecond; Get Attributes All does not show them beside the microseconds."""
    assert simulator.cip(GET + DATE) == b"\x8e\0\0\0" + struct.pack("<7i", *NOW_DATE)
    assert simulator.cip(GET_ALL + numbers(0x8B, 1)) == b"\x81\0\0\0" + struct.pack("<QBQ", NOW, 0, NOW)


def test_set(simulator: Simulator) -> None:
    """What is set as a date is read as microseconds, and the other way round."""
    assert simulator.cip(SET + DATE + struct.pack("<7i", 1970, 1, 2, 0, 0, 1, 5)) == b"\x90\0\0\0"
    assert simulator.cip(GET + TIME)[4:] == struct.pack("<Q", 86_401_000_005)
    assert simulator.cip(SET + TIME + struct.pack("<Q", 5_000_000)) == b"\x90\0\0\0"
    assert simulator.cip(GET + DATE)[4:] == struct.pack("<7i", 1970, 1, 1, 0, 0, 5, 0)


@pytest.mark.parametrize("date", [(2020, 13, 1, 0, 0, 0, 0), (2020, 2, 30, 0, 0, 0, 0), (0, 1, 1, 0, 0, 0, 0)])
def test_no_date(simulator: Simulator, date: tuple[int, ...]) -> None:
    """What is no date is refused with 0x09, and the clock goes on as it was."""
    assert simulator.cip(SET + DATE + struct.pack("<7i", *date)) == b"\x90\0\x09\0"
    assert simulator.cip(GET + TIME)[4:] == struct.pack("<Q", NOW)


def test_beyond_all_dates(simulator: Simulator) -> None:
    """A clock that is set beyond the last date shows that one."""
    simulator.cip(SET + TIME + b"\xff" * 8)
    assert simulator.cip(GET + DATE)[4:16] == struct.pack("<3i", 9999, 12, 31)


def test_before_all_dates(simulator: Simulator) -> None:
    """A date before 1970, where the clock begins, is refused: it could not be shown."""
    assert simulator.cip(SET + DATE + struct.pack("<7i", 1969, 12, 31, 23, 59, 59, 0)) == b"\x90\0\x09\0"
    assert simulator.cip(GET + TIME)[4:] == struct.pack("<Q", NOW)


def test_the_last_time_stays(simulator: Simulator) -> None:
    """A clock that is set to the last time there is can still be read when it has gone on."""
    simulator.cip(SET + TIME + b"\xff" * 8)
    simulator.device.clock = lambda: NOW + 5
    assert simulator.cip(GET + TIME) == b"\x8e\0\0\0" + b"\xff" * 8
