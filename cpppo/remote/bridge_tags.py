"""Tags whose values are registers of a polled device: clients read what was polled, and write to the device.

Owns: Attributes over a poller, and the CIP status of what goes wrong.  Rule: reading never waits, and gives nothing
that was not polled; writing touches the registers of what is written, and no others.  Must not know: how devices are
polled, files, servers.

    status       extended         what happened
    0x02                          the device is offline, or has not answered for that yet, or refuses it
    0x02         exception code   the device says that it is busy, or failed (4, 5, 6, 8, 10, 11)
    0x03                          a part of a value, or bits of a number, were written: neither can be on its own
    0x09                          what was written does not fit the registers, or what they hold does not fit the tag
    0x09         3                the device refused the value
    0x0F                          the tag cannot be written
    0x0F         1, 2             the device does not let it be written
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, Protocol

from cpppo.errors import Error, StatusError
from cpppo.remote import pdu
from cpppo.remote.bridge_config import BridgeTag
from cpppo.remote.plc import PlcOffline
from cpppo.remote.points import Point, Unfit
from cpppo.server.enip.device import Attribute
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.types import BOOL, DWORD, TYPES, pack, unpack

__all__ = ["BitsAttribute", "OnlineAttribute", "PointAttribute", "Polled", "attribute_for"]

log = logging.getLogger("cpppo.remote.bridge")

#: Bits of an element of an array of BOOL, as controllers keep it.
_WORD_BITS = 8 * DWORD.size
#: The status of what a device refuses, by its exception code; 0x08 is none of them: clients would never ask again.
_REFUSED = {1: status.PRIVILEGE_VIOLATION, 2: status.PRIVILEGE_VIOLATION, 3: status.INVALID_VALUE}


class Polled(Protocol):
    """What is needed of a poller."""

    online: bool

    def values(self, addresses: Iterable[int]) -> list[Any]:
        """What some addresses hold, all at once; None of those that are not known."""

    def write(self, address: int, value: Any) -> None:
        """Write a value, or a sequence of them from ``address`` on."""


class _OfDevice(Attribute):
    """What tags over a point have in common."""

    def __init__(self, tag: BridgeTag, polled: Polled, kind: Any, default: Any) -> None:
        super().__init__(tag.name, kind, default)
        self.description, self.read_only = tag.description, tag.read_only
        self.point = tag.point
        self._polled = polled

    def _values(self, first: int, stop: int) -> list[Any]:
        """Values [first:stop) of the point; StatusError if any is not known."""
        held = self._polled.values(self.point.addresses(first, stop))
        if None in held:
            raise StatusError(status.RESOURCE_UNAVAILABLE, (), f"{self.name} is not known: {self._polled}")
        try:
            return self.point.values(first, stop, held)
        except Unfit as exc:
            raise StatusError(status.INVALID_VALUE, (), f"{self.name}: {exc}") from None

    def _send(self, first: int, values: Sequence[Any]) -> None:
        """Write values of the point, from ``first`` on, to the device."""
        point = self.point
        if not point.writable:
            raise StatusError(status.PRIVILEGE_VIOLATION, (), f"{self.name} cannot be written")
        address = point.addresses(first, first + 1)[0]
        try:
            held = point.registers(values)
        except Unfit as exc:
            raise StatusError(status.INVALID_VALUE, (), f"{self.name}: {exc}") from None
        for start, part in _requests(point, held):
            try:
                self._polled.write(address + start, part if len(part) > 1 else part[0])
            except PlcOffline as exc:
                raise StatusError(status.RESOURCE_UNAVAILABLE, (), f"{self.name}: {exc}") from None
            except pdu.ExceptionReply as exc:
                log.warning("%s written to %s at %d: %s", self.name, self._polled, address + start, exc)
                code = _REFUSED.get(exc.code, status.RESOURCE_UNAVAILABLE)
                raise StatusError(code, (exc.code,), f"{self.name}: {exc}") from None
            except Error as exc:
                log.warning("%s written to %s at %d: %s", self.name, self._polled, address + start, exc)
                raise StatusError(status.RESOURCE_UNAVAILABLE, (), f"{self.name}: {exc}") from None


class PointAttribute(_OfDevice):
    """A number or a bit of a device, or an array of numbers."""

    def __init__(self, tag: BridgeTag, polled: Polled) -> None:
        kind = TYPES[tag.point.type]
        super().__init__(
            tag, polled, kind, kind.default if tag.point.count is None else bytes(kind.size * tag.point.size)
        )

    def __getitem__(self, key: Any) -> Any:
        start, stop = self.span(key)
        values = self._values(start, stop)
        return values if isinstance(key, slice) else values[0]

    def __setitem__(self, key: Any, value: Any) -> None:
        start, stop = self.span(key)
        values = list(value) if isinstance(key, slice) else [value]
        if len(values) != stop - start:
            raise KeyError(f"Attribute {self.name}: {len(values)} values for {stop - start} elements at key {key!r}")
        self._send(start, unpack(self.type, pack(self.type, values)))

    def write_octets(self, start: int, octets: bytes) -> None:
        if start % self.type.size or len(octets) % self.type.size:
            self._partly()
        super().write_octets(start, octets)

    def modify_octets(self, start: int, or_mask: bytes, and_mask: bytes) -> bytes:
        self._partly()

    def _partly(self) -> NoReturn:
        """The rest of a value is that of the last poll: to write it, too, would undo what the device did since."""
        raise StatusError(status.INVALID_PARAMETER, (), f"{self.name} is written as a whole value, not in part")


class BitsAttribute(_OfDevice):
    """An array of BOOL, which controllers keep in DWORDs; bits beyond its end are 0."""

    def __init__(self, tag: BridgeTag, polled: Polled) -> None:
        super().__init__(tag, polled, DWORD, [0] * -(-tag.point.size // _WORD_BITS))

    def __getitem__(self, key: Any) -> Any:
        start, stop = self.span(key)
        bits = self._values(start * _WORD_BITS, min(stop * _WORD_BITS, self.point.size))
        words = [0] * (stop - start)
        for at, bit in enumerate(bits):
            words[at // _WORD_BITS] |= bit << at % _WORD_BITS
        return words if isinstance(key, slice) else words[0]

    def __setitem__(self, key: Any, value: Any) -> None:
        start, stop = self.span(key)
        words = list(value) if isinstance(key, slice) else [value]
        if len(words) != stop - start:
            raise KeyError(f"Attribute {self.name}: {len(words)} values for {stop - start} elements at key {key!r}")
        octets = pack(self.type, words)
        self._change(start * DWORD.size, octets, b"\xff" * len(octets))

    def write_octets(self, start: int, octets: bytes) -> None:
        self._change(start, octets, b"\xff" * len(octets))

    def modify_octets(self, start: int, or_mask: bytes, and_mask: bytes) -> bytes:
        """Only the bits that are set or cleared are written."""
        size = len(or_mask)
        ones, keep = int.from_bytes(or_mask, "little"), int.from_bytes(and_mask, "little")
        touched = ones | (~keep & ((1 << 8 * size) - 1))
        self._change(start, (ones & keep).to_bytes(size, "little"), touched.to_bytes(size, "little"))
        try:
            old = int.from_bytes(self.read_octets(start, start + size), "little")
        except StatusError:  # not polled yet: what is told of it to who looks on are the bits written
            old = 0
        return ((old | ones) & keep).to_bytes(size, "little")

    def _change(self, start: int, octets: bytes, touched: bytes) -> None:
        """Write the touched bits of some octets."""
        values, wanted = int.from_bytes(octets, "little"), int.from_bytes(touched, "little")
        first, count = 8 * start, self.point.size
        beyond = -1 << max(count - first, 0)
        if values & wanted & beyond:
            raise StatusError(status.INVALID_VALUE, (), f"{self.name} has {count} bits; those beyond are 0")
        at, most = 0, min(8 * len(octets), count - first)
        while at < most:
            end = at
            while end < most and wanted >> end & 1:
                end += 1
            if end > at:
                self._send(first + at, [values >> bit & 1 for bit in range(at, end)])
            at = end + 1


class OnlineAttribute(Attribute):
    """Whether a device answers: a BOOL that can always be read."""

    read_only = True

    def __init__(self, name: str, polled: Polled) -> None:
        super().__init__(name, BOOL, False)
        self.description = f"whether {polled} answers"
        self._polled = polled

    def __getitem__(self, key: Any) -> Any:
        self.span(key)
        return [self._polled.online] if isinstance(key, slice) else self._polled.online

    def __setitem__(self, key: Any, value: Any) -> None:
        raise StatusError(status.PRIVILEGE_VIOLATION, (), f"{self.name} cannot be written")


def attribute_for(tag: BridgeTag, polled: Polled) -> Attribute:
    """The Attribute of a tag."""
    bits = tag.point.type == "BOOL" and tag.point.count is not None
    return BitsAttribute(tag, polled) if bits else PointAttribute(tag, polled)


def _requests(point: Point, held: Sequence[int]) -> Iterable[tuple[int, list[int]]]:
    """(first, values) of requests that write something: no value is in two of them."""
    width = 1 if point.type == "BOOL" else point.form.registers
    most = pdu.WRITE_LIMIT[point.type == "BOOL"] // width * width
    for start in range(0, len(held), most):
        yield start, list(held[start : start + most])
