"""A simulated Modbus device for programs and test-suites: what it holds is written as for `modbus_sim`.

Owns: reading ``40001-40100=99``, making devices of it, and the life of their server.  Rule: what a user writes is
either understood or refused with what to write instead.  Must not know: the command line, pymodbus' classes.
"""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from cpppo.errors import UsageError
from cpppo.remote import ranges
from cpppo.remote.cells import Device, Element, Hook
from cpppo.remote.evil import parse_evil
from cpppo.remote.hosting import Hosted
from cpppo.remote.signals import parse_signal, register_value

__all__ = ["LOOPBACK", "Simulator", "devices_of", "parse_values", "simulator", "valued"]

#: Where a simulator listens unless told otherwise: this host alone, any free port.
LOOPBACK = ("127.0.0.1", 0)
#: The settings of a serial line, where nothing else is said.
SERIAL = {"baudrate": 4800, "bytesize": 8, "parity": "N", "stopbits": 1}
#: What a range holds, as a person writes it: one value for all, or several.
Given = int | str | Sequence[int | str]


def parse_values(text: str) -> tuple[int, list[Element]]:
    """(address, values) of ``40001-40100=99``, ``1-4=1,0``, ``40010=5,6,7`` or ``40001=ramp:0,100,10s``.

    Values are repeated until the range is full, and are 0 where none are given; several for one address go on from
    there.  UsageError says what is wrong.
    """
    where, equals, rest = text.partition("=")
    if equals and not rest.strip():
        raise UsageError(f"{text.strip()}: no value after the =; write eg. {where.strip()}=0")
    if re.match(r"\s*[A-Za-z_]", rest):
        return valued(where, rest.strip())
    return valued(where, [part.strip() for part in rest.split(",")] if equals else 0)


def valued(where: str, given: Given) -> tuple[int, list[Element]]:
    """(address, values) of a range and what it holds.  UsageError says what is wrong."""
    address, count = ranges.parse_range(where)
    place = ranges.locate(address)
    each = [given] if isinstance(given, (int, str)) else list(given)
    if len(each) > count and count == 1 and "-" not in where:
        count = len(each)
    if not 1 <= len(each) <= count:
        raise UsageError(f"{where.strip()}: {len(each)} values for {count} addresses")
    if address + count - 1 > place.last:
        raise UsageError(f"{where.strip()}: {count} values go beyond {place.last}, the last {place.table.name}")
    try:
        return address, [_element(each[number % len(each)], place.table.bits, number) for number in range(count)]
    except UsageError as exc:
        raise UsageError(f"{where.strip()}: {exc}") from None


def _element(given: int | str, bits: bool, number: int) -> Element:
    if isinstance(given, str):
        if re.match(r"[A-Za-z_]", given):
            return parse_signal(given, bits, number)
        try:
            return register_value(int(given, 0), bits)
        except UsageError:
            raise
        except ValueError:
            told = "; a register holds whole numbers" if re.fullmatch(r"[-+]?\d*\.\d*", given) else ""
            raise UsageError(f"{given!r} is no whole number{told}, eg. 99 or 0x63") from None
    return register_value(int(given), bits)


def devices_of(
    values: Iterable[tuple[int, list[Element]]],
    units: Mapping[int, Iterable[tuple[int, list[Element]]]] | None = None,
) -> Device | dict[int, Device]:
    """The devices of some units, each with `values` and further ones of its own; None: one, that answers for all."""
    shared = list(values)
    made: dict[int, Device] = {}
    for unit, further in ({0: ()} if units is None else units).items():
        if not 0 <= unit <= 255:
            raise UsageError(f"unit {unit}: a unit is 0 to 255")
        made[unit] = Device()
        for address, elements in [*shared, *further]:
            made[unit].define(address, elements)
    return made[0] if units is None else made


class Simulator:
    """A Modbus device in this process; in a ``with`` block, or from `start` to `stop`, it answers clients.

    :param values: as on the command line, eg. ``40001-40100=99``.
    :param address: (host, port) of Modbus/TCP, this host alone and any free port if not given; or a serial device.
    :param units: which answer, each with values of its own; or what further values each has; None: all, as one.
    :param evil: what is wrong with replies, eg. ``delay:1``.
    :param seed: of the chance in this.
    :param devices: made beforehand, instead of values and units.
    :param serial: baudrate, bytesize, parity, stopbits of a serial line; 4800 baud 8N1 where not given.

    ``sim[40001]`` and ``sim[40001:40011]`` are its values; of one of several units: ``sim.unit(2)[40001]``.
    UsageError for what cannot be understood; OSError from `start` if the address cannot be had.
    """

    def __init__(
        self,
        *values: str,
        address: tuple[str, int] | str = LOOPBACK,
        units: Iterable[int] | Mapping[int, Iterable[str]] | None = None,
        evil: str | None = None,
        seed: int | None = None,
        devices: Device | Mapping[int, Device] | None = None,
        **serial: Any,
    ) -> None:
        self.rtu = isinstance(address, str)
        if devices is None:
            own = units if isinstance(units, Mapping) or units is None else dict.fromkeys(units, ())
            further = None if own is None else {one: map(parse_values, own[one]) for one in own}
            devices = devices_of(map(parse_values, values), further)
        self.devices = devices
        self._wanted, self._serial = address, {**SERIAL, **serial}
        self._hosted = Hosted(self._made, "Modbus simulator")
        self._chance = random.Random(seed)
        self.evil = evil

    def unit(self, unit: int) -> Device:
        """The device that answers for a unit.  UsageError: none does."""
        if isinstance(self.devices, Device):
            return self.devices
        if unit not in self.devices:
            raise UsageError(f"unit {unit} is not there; there are {', '.join(map(str, self.devices))}")
        return self.devices[unit]

    @property
    def device(self) -> Device:
        """The device, or the first of several."""
        return self.devices if isinstance(self.devices, Device) else next(iter(self.devices.values()))

    def __getitem__(self, key: int | slice) -> int | list[int]:
        return self.device[key]

    def __setitem__(self, key: int | slice, value: Any) -> None:
        self.device[key] = value

    @property
    def on_read(self) -> Hook | None:
        """Called with address and values before a client is given them; see cells.Hook."""
        return self.device.on_read

    @on_read.setter
    def on_read(self, hook: Hook | None) -> None:
        self.device.on_read = hook

    @property
    def on_write(self) -> Hook | None:
        """Called with address and values before what a client writes is stored; see cells.Hook."""
        return self.device.on_write

    @on_write.setter
    def on_write(self, hook: Hook | None) -> None:
        self.device.on_write = hook

    @property
    def address(self) -> Any:
        """(host, port) it listens on, or the serial device."""
        return self._hosted.address

    @property
    def evil(self) -> str | None:
        """What is wrong with replies; it may be changed at any time, and counts from the next request on."""
        return self._evil

    @evil.setter
    def evil(self, evil: str | None) -> None:
        self._spoil = parse_evil(evil, self.rtu, self._chance) if evil else None
        self._evil = evil
        if self._hosted.server is not None:
            self._hosted.server.evil = self._spoil

    def _made(self) -> Any:
        from cpppo.remote import pymodbus_fixes  # needs pymodbus, which is optional

        store = pymodbus_fixes.modbus_store(self.devices)
        server: Any
        if isinstance(self._wanted, str):
            server = pymodbus_fixes.modbus_server_rtu(store, port=self._wanted, **self._serial)
        else:
            server = pymodbus_fixes.modbus_server_tcp(store, address=_resolved(*self._wanted))
        server.evil = self._spoil
        return server

    def start(self) -> None:
        """Answer clients from now on."""
        self._hosted.start()

    def serve(self) -> None:
        """Wait for `stop` in another thread, or for an interrupt."""
        self._hosted.serve()

    def stop(self) -> None:
        """End in order."""
        self._hosted.stop()

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def simulator(*values: str, **options: Any) -> Simulator:
    """A Simulator: ``with simulator("40001-40100=99") as sim: ...``; ``sim.address`` is where it listens."""
    return Simulator(*values, **options)


def _resolved(host: str, port: int) -> tuple[str, int]:
    """One address of a host, of IPv4 if it has one: a port chosen by the system would be another on each."""
    found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)
    best = sorted(found, key=lambda one: one[0] != socket.AF_INET)[0][4]
    return str(best[0]), int(best[1])
