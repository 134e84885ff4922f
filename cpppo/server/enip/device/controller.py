"""What a Logix controller tells of itself beside its tags: its name, its clock, and whether its program changed.

Owns: the objects of classes 0x64, 0x8B and 0xAC.  Rule: the time is asked of a function that is given.
Must not know frames or sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from cpppo.errors import StatusError
from cpppo.server.enip.device.attribute import MASK_GA_ALL, Attribute
from cpppo.server.enip.device.object import Object
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.types import DINT, INT, UDINT, UINT, ULINT, USINT

__all__ = ["Changes", "ProgramName", "WallClock"]

_EPOCH, _MICROSECOND = datetime(1970, 1, 1), timedelta(microseconds=1)
#: The latest time there can be, and the last moment that has a date, in microseconds.
_END = (1 << 8 * ULINT.size) - 1
_LAST = (datetime.max - _EPOCH) // _MICROSECOND


class ProgramName(Object):
    """The name of the program that runs (class 0x64): a UINT length and so many characters."""

    class_id: ClassVar[int] = 0x64

    def __init__(self, name: str) -> None:
        super().__init__("Program_Name", 1)
        octets = name.encode("iso-8859-1")
        self.put(1, Attribute("name", USINT, UINT.produce(len(octets)) + octets))


class WallClock(Object):
    """The clock (class 0x8B): microseconds since 1970 (attributes 6 and 11), the same as a date (5), and whether it is
    summer time (10).

    ``now``: gives them.  Setting it changes what clients are told, not the clock of this machine.
    """

    class_id: ClassVar[int] = 0x8B

    def __init__(self, now: Callable[[], int]) -> None:
        super().__init__("Wall_Clock", 1)
        clock = _Time("time", now)
        self.put(5, _Date("date", clock))
        self.put(6, clock)
        self.put(10, Attribute("summer_time", USINT, 0))
        self.put(11, clock)

    def settable(self, attribute: Attribute) -> bool:
        return True


class _Time(Attribute):
    """Microseconds since 1970; what is written sets it."""

    def __init__(self, name: str, now: Callable[[], int]) -> None:
        super().__init__(name, ULINT, 0)
        self._now = now
        self._ahead = 0

    def __getitem__(self, key: Any) -> Any:
        value = min(max(self._now() + self._ahead, 0), _END)
        return [value] if isinstance(key, slice) else value

    def __setitem__(self, key: Any, value: Any) -> None:
        self._ahead = (value[0] if isinstance(key, slice) else value) - self._now()


class _Date(Attribute):
    """What a clock shows, as seven DINT: year, month, day, hour, minute, second and microsecond, of UTC."""

    def __init__(self, name: str, clock: Attribute) -> None:
        super().__init__(name, DINT, [0] * 7, mask=MASK_GA_ALL)
        self._clock = clock

    def __getitem__(self, key: Any) -> Any:
        now = _EPOCH + min(self._clock[0], _LAST) * _MICROSECOND
        return [now.year, now.month, now.day, now.hour, now.minute, now.second, now.microsecond][key]

    def __setitem__(self, key: Any, value: Any) -> None:
        values = self[:]
        values[key] = value
        try:
            moment = datetime(*values)
        except (ValueError, OverflowError):
            raise StatusError(status.INVALID_VALUE) from None
        if moment < _EPOCH:  # which no clock that counts from there can show
            raise StatusError(status.INVALID_VALUE)
        self._clock[0] = (moment - _EPOCH) // _MICROSECOND


class Changes(Object):
    """Numbers that stay as long as the program does (class 0xAC), by which clients know that lists they keep are good.

    ``stamp``: gives 32 bits that follow from the tags and types there are.
    """

    class_id: ClassVar[int] = 0xAC

    def __init__(self, stamp: Callable[[], int]) -> None:
        super().__init__("Changes", 1)
        for number, kind, bits in ((1, INT, 15), (2, INT, 15), (3, UDINT, 32), (4, UDINT, 32), (10, UDINT, 32)):
            self.put(number, _Stamp(f"stamp_{number}", kind, bits, stamp))


class _Stamp(Attribute):
    """As many bits of a stamp as its type holds without a sign."""

    def __init__(self, name: str, kind: Any, bits: int, stamp: Callable[[], int]) -> None:
        super().__init__(name, kind, 0)
        self._mask = (1 << bits) - 1
        self._stamp = stamp

    def __getitem__(self, key: Any) -> Any:
        value = self._stamp() & self._mask
        return [value] if isinstance(key, slice) else value
