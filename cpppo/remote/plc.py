"""A remote PLC as a set of addresses that are read again and again: the poller metaphor, whatever the protocol.

Owns: which addresses are polled, their last values and how old these are, who is told of changes.  Rule: asking for a
value never waits, and a value is never given once it cannot be vouched for.  Must not know: Modbus, sockets, threads
other than a lock.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from cpppo.errors import Error, UsageError
from cpppo.timing import clock

__all__ = ["Change", "PlcOffline", "poller", "poller_simulator"]

log = logging.getLogger("cpppo.remote.plc")

#: Seconds from poll to poll: what clocks can tell apart, and what every system can wait for.
SHORTEST_S, LONGEST_S = 1e-6, 1e8

#: Called with (address, old value, new value); None: not known.
Change = Callable[[int, Any, Any], object]


class PlcOffline(Error):
    """The device does not answer, and so cannot be written to."""


class poller:
    """The values of one device's addresses, as they were last polled.

    `description` names the device in logs and errors; `rate` is the time from poll to poll, in seconds.  Whoever
    implements a protocol overrides `_receive`, which polls and calls `_store`, and `_write`.
    """

    #: Seconds from poll to poll where nobody says otherwise.
    RATE = 1.0

    def __init__(self, description: str | None = None, rate: float | None = None) -> None:
        self.description = description or "PLC"
        self.rate = self.RATE if rate is None else positive(rate)
        self.online = False
        self._wanted: set[int] = set()
        self._values: dict[int, Any] = {}
        self._asked: dict[int, float] = {}
        self._told: list[Change] = []
        self._guard = threading.Lock()

    def __str__(self) -> str:
        return self.description

    # ------------------------------------------------------------ what users call
    def poll(self, address: int, rate: float | None = None) -> None:
        """Poll `address` from now on, and all addresses every `rate` seconds if that is more often than so far."""
        if rate is not None:
            self.rate = min(self.rate, positive(rate))
        if address not in self._wanted:
            self._poll(address)

    def read(self, address: int) -> Any:
        """The last polled value, at once; None: not polled yet, refused, or the device is offline.

        An address that was not polled so far is, from now on.
        """
        self.poll(address)
        return self._read(address)

    def write(self, address: int, value: Any) -> None:
        """Write a value, or a sequence of them from `address` on.  PlcOffline: the device does not answer."""
        self._write(address, value)

    def age(self, address: int) -> float | None:
        """Seconds since the value that `read` gives was asked of the device; None: there is no value."""
        asked = self._asked.get(address)
        return None if asked is None else max(0.0, clock() - asked)

    def on_change(self, callback: Change) -> None:
        """Call `callback(address, old, new)` whenever a poll finds another value, or a value is lost (new is None).

        It is called by whoever polls, between two polls: what it takes delays the next one.
        """
        self._told.append(callback)

    def values(self, addresses: Iterable[int]) -> list[Any]:
        """What `read` gives for several addresses at one moment: no poll comes in between."""
        wanted = tuple(addresses)
        for address in wanted:
            self.poll(address)
        with self._guard:
            return [self._read(address) for address in wanted]

    @property
    def addresses(self) -> set[int]:
        """The addresses polled."""
        with self._guard:
            return set(self._wanted)

    # ------------------------------------------------------------ what implementations extend
    def _poll(self, address: int) -> None:
        with self._guard:
            self._wanted.add(address)

    def _read(self, address: int) -> Any:
        return self._values.get(address)

    def _write(self, address: int, value: Any) -> None:
        raise PlcOffline(f"Write to PLC {self}/{address:6d} failed: Offline")

    def _receive(self) -> None:
        """Poll all addresses once."""

    def _store(self, address: int, value: Any, at: float | None = None, create: bool = False) -> None:
        """Note a value that was asked for at time `at`.  `create`: also where the address is not polled."""
        self._store_all({address: value}, at, create)

    def _store_all(self, values: Mapping[int, Any], at: float | None = None, create: bool = False) -> None:
        """As `_store`, of all that one answer brought: whoever reads sees all of it or nothing."""
        asked = clock() if at is None else at
        with self._guard:
            if not create and not values.keys() <= self._wanted:
                values = {address: values[address] for address in values if address in self._wanted}
            held = list(map(self._values.get, values))
            given = list(values.values())
            if held != given:
                self._values.update(values)
            self._asked.update(dict.fromkeys(values, asked))
        if held != given:
            self._tell([change for change in zip(values, held, given, strict=True) if change[1] != change[2]])

    def _forget(self, addresses: Iterable[int]) -> None:
        """Give no value for these any more, until they are polled again."""
        with self._guard:
            lost = [(address, self._values.pop(address)) for address in addresses if address in self._values]
            for address, _ in lost:
                del self._asked[address]
        self._tell([(address, value, None) for address, value in lost])

    def _tell(self, changes: Iterable[tuple[int, Any, Any]]) -> None:
        for address, old, new in changes:
            for callback in tuple(self._told):
                try:
                    callback(address, old, new)
                except (Exception, SystemExit):  # it must not end polling
                    log.exception("PLC %s: a function called for a change of %d failed", self, address)


class poller_simulator(poller):
    """A PLC of values in memory: what is written is seen from the next poll on, which `_receive()` does.

    Every address holds `initial` until it is written.
    """

    def __init__(self, description: str | None = None, rate: float | None = None, initial: Any = 0) -> None:
        super().__init__(description, rate)
        self.initial = initial
        self.online = True
        self._memory: dict[int, Any] = {}
        self._pending: dict[int, Any] = {}

    def _write(self, address: int, value: Any) -> None:
        if not self.online:
            super()._write(address, value)
        with self._guard:
            self._pending.update(enumerate(several(value), address))

    def _read(self, address: int) -> Any:
        return super()._read(address) if self.online else None

    def _receive(self) -> None:
        with self._guard:
            self._memory.update(self._pending)
            self._pending.clear()
        self._store_all({address: self._memory.get(address, self.initial) for address in sorted(self.addresses)})


def several(value: Any) -> Sequence[Any]:
    """A value, or several, as a sequence.  UsageError: it has several, but not in an order that was meant."""
    if isinstance(value, (Mapping, Set, bytes, bytearray, memoryview)):
        raise UsageError(f"a {type(value).__name__} is no value and no sequence of values")
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)


def positive(rate: float) -> float:
    """A rate, in seconds; ValueError if it is none."""
    if not SHORTEST_S <= rate <= LONGEST_S:
        raise ValueError(f"a rate is a time in seconds, {SHORTEST_S:g} to {LONGEST_S:g}; not {rate!r}")
    return float(rate)
