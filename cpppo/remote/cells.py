"""The data of a simulated Modbus device: four tables of which only what is configured exists.

Owns: the values of each table, signals that give a value anew at each reading, and the functions of the user's that
see every access of a client.  Rule: what is not configured is refused, and a refused write changes nothing.  Any
thread may read and change values while they are served.  Must not know: requests as octets, sockets, pymodbus.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cpppo.errors import Error, UsageError
from cpppo.remote import ranges
from cpppo.timing import clock

__all__ = [
    "DEVICE_FAILURE",
    "GATEWAY_NO_RESPONSE",
    "IDENTITY",
    "ILLEGAL_ADDRESS",
    "ILLEGAL_FUNCTION",
    "ILLEGAL_VALUE",
    "Cells",
    "Device",
    "Hook",
    "Refused",
    "Signal",
    "SparseBlock",
]

log = logging.getLogger("cpppo.remote.sim")

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE, GATEWAY_NO_RESPONSE = 1, 2, 3, 4, 11

#: A value that is worked out when it is read, from the seconds since the device was made.
Signal = Callable[[float], int]
#: What an element can be set to.
Element = int | Signal
#: Called with the address (40001) and the values that a client reads or writes there; what it gives counts instead
#: of them, unless it is None.  It may raise Refused.  It is called while the client waits, and so do all others.
Hook = Callable[[int, "list[int]"], "Sequence[int] | None"]

#: What function 43/14 says of a device: vendor, product code, revision, URL, product, model, application.
IDENTITY = ("cpppo", "modbus_sim", "1.0", "", "Modbus simulator", "modbus_sim", "")


class Refused(Error):
    """A request that is answered with an exception: ``code`` is its code (pdu.EXCEPTIONS has their names)."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message or f"refused with exception {code}")
        self.code = code


class Cells:
    """One table: values by protocol address (0 to 65535), as many as there are and no more.

    `values` are 0 to 65535, of `bits` 0 or 1, or signals; UsageError for others.
    """

    def __init__(
        self,
        values: Mapping[int, Element] | None = None,
        bits: bool = False,
        lock: Any = None,
        now: Callable[[], float] = clock,
    ) -> None:
        self.bits = bits
        self._lock = lock or threading.RLock()
        self._now = now
        self._values: dict[int, int] = {}  # of signals, too: then it counts for nothing
        self._signals: dict[int, Signal] = {}
        self.define(values or {})

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, address: object) -> bool:
        return address in self._values

    @property
    def base(self) -> int:
        """The lowest address that there is, 0 if there is none."""
        with self._lock:
            return min(self._values, default=0)

    def items(self) -> list[tuple[int, int]]:
        """All (address, value), in order of address."""
        with self._lock:
            now = self._now()
            signals = self._signals
            return [
                (at, self._signalled(at, now) if at in signals else self._values[at]) for at in sorted(self._values)
            ]

    def validate(self, address: int, count: int = 1) -> bool:
        """Whether all of `count` elements from `address` on are there; takes time by their number alone."""
        held = self._values
        return count > 0 and all(one in held for one in range(address, address + count))

    def read(self, address: int, count: int = 1) -> list[int]:
        """The values of `count` elements.  Refused: not all of them are there, or the signal of one fails."""
        with self._lock:
            try:
                found = list(map(self._values.__getitem__, range(address, address + count)))
            except KeyError:
                raise Refused(ILLEGAL_ADDRESS) from None
            if self._signals:
                now = self._now()
                for place, one in enumerate(range(address, address + count)):
                    if one in self._signals:
                        found[place] = self._signalled(one, now)
        return found

    def _signalled(self, address: int, now: float) -> int:
        """The value of a signal."""
        most = 1 if self.bits else 0xFFFF
        try:
            value = self._signals[address](now)
            if not 0 <= value <= most or int(value) != value:
                raise ValueError(f"a whole number of 0 to {most} is wanted, not {value!r}")
            return int(value)
        except Exception:
            log.exception("the signal at protocol address %d failed", address)
            raise Refused(DEVICE_FAILURE) from None

    def write(self, address: int, values: Sequence[int]) -> None:
        """Change elements that are there; a signal among them is one no more.  Refused: not all are; none changes."""
        with self._lock:
            if not self.validate(address, len(values)):
                raise Refused(ILLEGAL_ADDRESS)
            self._values.update(enumerate(values, address))
            if self._signals:
                for one in range(address, address + len(values)):
                    self._signals.pop(one, None)

    def define(self, values: Mapping[int, Element]) -> None:
        """Let elements be there from now on, with values or signals."""
        for address, value in values.items():
            if not 0 <= address <= 0xFFFF:
                raise UsageError(f"protocol address {address} is not 0 to 65535")
            if not callable(value) and not 0 <= value <= (1 if self.bits else 0xFFFF):
                raise UsageError(f"{value} is not {'0 or 1' if self.bits else '0 to 65535'}")
        with self._lock:
            for address, value in values.items():
                self._signals.pop(address, None)
                if callable(value):
                    self._signals[address] = value
                self._values[address] = 0 if callable(value) else int(value)


class SparseBlock:
    """A table as pymodbus' data blocks are used: `address` is the base, `values` are by address; see Cells."""

    def __init__(self, values: Mapping[int, int] | Iterable[int] | None = None, mutable: bool = True) -> None:
        given = dict(values) if isinstance(values, Mapping) else dict(enumerate(values or ()))
        bits = bool(given) and all(isinstance(value, bool) for value in given.values())
        self.cells = Cells({at: int(value) for at, value in given.items()}, bits)
        self.mutable = mutable

    @property
    def address(self) -> int:
        """The base address: the lowest there is."""
        return self.cells.base

    @property
    def values(self) -> dict[int, int]:
        """All values, by address."""
        return dict(self.cells.items())

    def validate(self, address: int, count: int = 1) -> bool:
        """Whether all of `count` elements from `address` on are there."""
        return self.cells.validate(address, count)

    def getValues(self, address: int, count: int = 1) -> list[int]:
        """The values of elements.  Refused: not all are there."""
        return self.cells.read(address, count)

    def setValues(self, address: int, values: Mapping[int, int] | Sequence[int] | int) -> None:
        """Change elements; of a mutable block some may be new.  Refused: it is not, and they are."""
        if isinstance(values, Mapping):
            given = dict(values)
        else:
            given = dict(enumerate(values if isinstance(values, Sequence) else [values], address))
        if not self.mutable and not all(one in self.cells for one in given):
            raise Refused(ILLEGAL_ADDRESS, "some of these are not there, and the block is not mutable")
        self.cells.define(given)

    def runs(self) -> list[tuple[int, list[int]]]:
        """(address, values) of each run of neighbours, in order."""
        found: list[tuple[int, list[int]]] = []
        for at, value in self.cells.items():
            if not found or at != found[-1][0] + len(found[-1][1]):
                found.append((at, []))
            found[-1][1].append(value)
        return found


class Device:
    """The four tables of one unit, by the addresses that people write: ``device[40001]``, ``device[40001:40011]``.

    Only what `define` was told is there.  `on_read`, `on_write`: see Hook.  `now` gives the seconds that signals go by.
    """

    def __init__(self, now: Callable[[], float] | None = None, identity: Sequence[str] = IDENTITY) -> None:
        started = clock()
        self.lock = threading.RLock()
        self.identity = tuple(identity)
        self.on_read: Hook | None = None
        self.on_write: Hook | None = None
        timed = now or (lambda: clock() - started)
        #: Coils, discrete inputs, input registers, holding registers: in the order of ranges.TABLES.
        self.tables = tuple(Cells(bits=table.bits, lock=self.lock, now=timed) for table in ranges.TABLES)

    def define(self, address: int, values: Iterable[Element]) -> None:
        """Let elements from `address` (40001) on be there, with values or signals.  UsageError: they cannot be."""
        place = ranges.locate(address)
        given = list(values)
        if address + len(given) - 1 > place.last:
            raise UsageError(f"{len(given)} values from {address} on go beyond {place.last}")
        self.tables[ranges.TABLES.index(place.table)].define(dict(enumerate(given, place.offset)))

    def __getitem__(self, key: int | slice) -> int | list[int]:
        cells, offset, count = self._spot(key)
        values = cells.read(offset, count)
        return values if isinstance(key, slice) else values[0]

    def __setitem__(self, key: int | slice, value: Element | Iterable[Element]) -> None:
        cells, offset, count = self._spot(key)
        values = list(value) if isinstance(key, slice) else [value]  # type: ignore[arg-type]
        if len(values) != count:
            raise UsageError(f"{count} elements were named, and {len(values)} values given")
        cells.define(dict(enumerate(values, offset)))  # type: ignore[arg-type]

    def _spot(self, key: int | slice) -> tuple[Cells, int, int]:
        first, beyond = (key.start, key.stop) if isinstance(key, slice) else (key, None)
        if isinstance(first, int) and not isinstance(key, slice):
            beyond = first + 1
        if not isinstance(first, int) or not isinstance(beyond, int) or (isinstance(key, slice) and key.step):
            raise UsageError(f"{key} is no address and no range: write device[40001] or device[40001:40011]")
        place = ranges.locate(first)
        cells = self.tables[ranges.TABLES.index(place.table)]
        if not cells.validate(place.offset, beyond - first):
            missing = next((one for one in range(first, beyond) if one - first + place.offset not in cells), first)
            raise UsageError(f"{missing} is not there; device.define({missing}, [0]) lets it be")
        return cells, place.offset, beyond - first

    # ------------------------------------------------------------ what clients do
    def read(self, table: int, address: int, count: int) -> Sequence[int]:
        """Values that a client reads: `table` is its place in `tables`.  Refused: see Cells, or the user's function."""
        values = self.tables[table].read(address, count)
        return values if self.on_read is None else self._asked(self.on_read, table, address, values)

    def write(self, table: int, address: int, values: Sequence[int]) -> None:
        """Values that a client writes, all or none.  Refused: see Cells, or the user's function."""
        if self.on_write is not None:
            if not self.tables[table].validate(address, len(values)):
                raise Refused(ILLEGAL_ADDRESS)
            values = self._asked(self.on_write, table, address, list(values))
        self.tables[table].write(address, values)

    def _asked(self, hook: Hook, table: int, address: int, values: list[int]) -> Sequence[int]:
        spans = ranges.TABLES[table].spans
        first, last = spans[0]
        spoken = first + address if first + address <= last else spans[-1][0] + address
        count, most = len(values), 1 if self.tables[table].bits else 0xFFFF
        try:
            given = hook(spoken, values)
            taken = values if given is None else list(given)
            if len(taken) != count or not all(0 <= int(one) <= most for one in taken):
                raise ValueError(f"{count} values of 0 to {most} are wanted, not {taken}")
            return [int(one) for one in taken]
        except Refused:
            raise
        except Exception:
            log.exception("a function called for an access to %s failed", ranges.spelled(spoken, count))
            raise Refused(DEVICE_FAILURE) from None
