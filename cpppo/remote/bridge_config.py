"""Bridge files: Modbus devices, and which of their registers are which tags, written in TOML.

Owns: reading one, and everything that is wrong with it, each with its line and key.  Rule: all mistakes are told at
once; what depends on a mistake is not told again.  Must not know pollers, sockets, or how tags are served.

    [server]                    where and as what tags are served: address, name, profile, strict
    [devices.Boiler]            a device: host and port, or serial, ...; unit, rate, timeout, reach, order, online
    [devices.Boiler.tags]       name = "TYPE @ address ORDER", or { type, address, order, raw, scale, offset, ... }
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from cpppo.errors import UsageError
from cpppo.remote.points import FORMS, ORDERS, Point, order_for, parse_address, parse_point, parse_type
from cpppo.remote.ranges import locate
from cpppo.server.command import parse_address as parse_interface
from cpppo.server.enip.device import DEFAULT_PROFILE, Profile, profile_named
from cpppo.server.enip.options import ADDRESS
from cpppo.server.enip.plant_problems import NAME_LENGTH, Mistakes, Problems, located, nearest
from cpppo.server.enip.toml import Keys, dotted, parse_toml, read_octets, shown

__all__ = ["BridgeConfig", "BridgeTag", "DeviceConfig", "Serial", "parse_bridge", "read_bridge"]

#: The keys of each table, and what their values are.
_TOP = {"server": dict, "devices": dict}
_SERVER = {"address": str, "name": str, "profile": str, "strict": bool}
_TCP = {"host": str, "port": int}
_LINE = {"serial": str, "baudrate": int, "parity": str, "stopbits": int}
_DEVICE: Mapping[str, type] = {
    **_TCP,
    **_LINE,
    **{"unit": int, "rate": object, "timeout": object, "reach": int, "multi": bool},
    **{"order": str, "online": str, "tags": dict},
}
_TAG: Mapping[str, type] = {
    **{"type": str, "address": object, "order": str, "raw": str, "scale": object, "offset": object},
    **{"access": str, "description": str},
}
_ACCESS = ("read-write", "read-only")
#: Whole numbers, with the least and the greatest.
_WITHIN = {"port": (1, 65535), "baudrate": (50, 4_000_000), "stopbits": (1, 2), "unit": (0, 255), "reach": (1, 1000)}
#: Seconds: the least and the greatest time from poll to poll, and for a reply.
_SECONDS = {"rate": (0.01, 86400), "timeout": (0.01, 3600)}
#: The port of Modbus, and the name of the controller if the file has none.
_PORT, _NAME = 502, "Bridge"

_T = TypeVar("_T")


class Serial(NamedTuple):
    """A serial line; ``parity``: N, E or O."""

    path: str
    baudrate: int = 19200
    parity: str = "E"
    stopbits: int = 1

    def __str__(self) -> str:
        return f"{self.path} ({self.baudrate} 8{self.parity}{self.stopbits})"


class BridgeTag(NamedTuple):
    """A tag, and what it is made of.  ``read_only``: clients cannot write it."""

    name: str
    point: Point
    read_only: bool = False
    description: str = ""


class DeviceConfig(NamedTuple):
    """A device.  ``serial``: its line, None: it is at ``host`` and ``port``; ``unit``: None: the poller's usual one;
    ``rate``, ``timeout``: seconds; ``reach``: addresses at most so far apart are read together; ``multi``: single
    registers, too, are written by the function for several; ``online``: the name of a tag that says whether it answers.
    """

    name: str
    host: str = ""
    port: int = _PORT
    serial: Serial | None = None
    unit: int | None = None
    rate: float = 1.0
    timeout: float | None = None
    reach: int = 100
    multi: bool = False
    online: str | None = None
    tags: tuple[BridgeTag, ...] = ()

    @property
    def where(self) -> str:
        """Where it is, for people."""
        where = f"{self.host}:{self.port}" if self.serial is None else str(self.serial)
        return where if self.unit is None else f"{where} unit {self.unit}"


class BridgeConfig(NamedTuple):
    """What a bridge file says."""

    address: tuple[str, int]
    name: str
    profile: Profile
    strict: bool
    devices: tuple[DeviceConfig, ...]

    @property
    def tags(self) -> int:
        """How many tags there are, those that say whether a device is online included."""
        return sum(len(one.tags) + (one.online is not None) for one in self.devices)


def read_bridge(path: str | Path) -> BridgeConfig:
    """The bridge of a file; Mistakes (or UsageError for what is not TOML) with all mistakes, OSError if unreadable."""
    return parse_bridge(read_octets(path), str(path))


def parse_bridge(octets: bytes, name: str = "bridge.toml") -> BridgeConfig:
    """As `read_bridge`, of the octets of a file called ``name``."""
    document = parse_toml(octets, name)
    problems = Problems()
    found = _Reader(problems).read(document.values)
    if problems.found or document.repeated:
        raise Mistakes(name, located(document, problems.found))
    return found


class _Reader:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        #: The tags there are, by name in lower case: the name, and its device.
        self._names: dict[str, tuple[str, str]] = {}
        self._lines: dict[str, tuple[Serial, str]] = {}

    def read(self, values: dict[str, Any]) -> BridgeConfig:
        top = self._problems.table((), values, _TOP, _misplaced)
        server = self._problems.table(("server",), top.get("server", {}), _SERVER)
        name = server.get("name", _NAME)
        if not 0 < len(name) <= NAME_LENGTH or max(name) > "\xff":
            self._problems.wrong(("server", "name"), f"a name has 1 to {NAME_LENGTH} characters of ISO-8859-1")
        if not any(nearest(key, {"devices": dict}) for key in values):
            self._problems.wrong((), 'there are no devices; write eg. [devices.Boiler] and below it host = "10.0.0.5"')
        devices: list[DeviceConfig] = []
        others: dict[str, str] = {}
        for device, table in top.get("devices", {}).items():
            keys = ("devices", device)
            self._problems.named(keys, others)
            if type(table) is dict:
                devices.append(self._device(keys, table))
            else:
                self._problems.wrong(keys, f"{shown(table)} is not a table; write [{dotted(keys)}]")
        address = self._read(("server", "address"), server, lambda text: parse_interface(text, ADDRESS), ADDRESS)
        usual = profile_named(DEFAULT_PROFILE)
        profile = self._read(("server", "profile"), server, profile_named, usual)
        return BridgeConfig(address, name, profile, bool(server.get("strict", False)), tuple(devices))

    def _read(self, keys: Keys, table: Mapping[str, Any], read: Callable[[Any], _T], usual: _T) -> _T:
        """What a key of a table says, or what is usual if it says nothing, or something wrong, which then is told."""
        if keys[-1] not in table:
            return usual
        try:
            return read(table[keys[-1]])
        except UsageError as exc:
            self._problems.wrong(keys, exc)
            return usual

    # -- devices

    def _device(self, keys: Keys, given: dict[str, Any]) -> DeviceConfig:
        head = f"[{dotted((*keys, 'tags'))}]"

        def misplaced(key: str, value: Any) -> str:
            like_tag = isinstance(value, dict) or (isinstance(value, str) and "@" in value)
            return f"tags stand below {head}" if like_tag else ""

        table = self._problems.table(keys, given, _DEVICE, misplaced)
        for key, (least, most) in _WITHIN.items():
            if key in table and not least <= table[key] <= most:
                self._problems.wrong((*keys, key), f"{shown(table[key])} is not a number of {least} to {most}")
                del table[key]
        for key, (shortest, longest) in _SECONDS.items():
            if key in table and not (type(table[key]) in (int, float) and shortest <= table[key] <= longest):
                told = f"{shown(table[key])} is not a number of seconds from {shortest} to {longest}"
                self._problems.wrong((*keys, key), told)
                del table[key]
        serial = self._where(keys, given, table)
        order = self._read((*keys, "order"), table, lambda text: ORDERS[2].index(order_for(text, "DINT")), 0)
        tags = tuple(self._tags((*keys, "tags"), table.get("tags", {}), order))
        online = table.get("online")
        if online is not None:
            self._named((*keys, "online"), online, keys[-1])
        if not any(nearest(key, {"tags": dict}) for key in given) and online is None:
            self._problems.wrong(keys, f'it has no tags; write {head} and below it eg. Level = "INT @ 40001"')
        return DeviceConfig(
            name=keys[-1],
            host=table.get("host", ""),
            port=table.get("port", _PORT),
            serial=serial,
            unit=table.get("unit"),
            rate=float(table.get("rate", 1.0)),
            timeout=float(table["timeout"]) if "timeout" in table else None,
            reach=table.get("reach", 100),
            multi=table.get("multi", False),
            online=online,
            tags=tags,
        )

    def _where(self, keys: Keys, given: dict[str, Any], table: dict[str, Any]) -> Serial | None:
        """The serial line of a device; None if it has none, or is not anywhere, which then is told."""
        if "serial" not in given:
            for key in _LINE:
                if key in given:
                    self._problems.wrong((*keys, key), 'that is of a serial line; name it: serial = "/dev/ttyUSB0"')
            if not any(nearest(key, {"host": str, "serial": str}) for key in given):
                self._problems.wrong(keys, 'where is it? Write host = "10.0.0.5", or serial = "/dev/ttyUSB0"')
            elif table.get("host", "-").strip() == "" or not table.get("host", "-").isascii():
                self._problems.wrong((*keys, "host"), f"{shown(table['host'])} is no host name or address")
            return None
        for key in _TCP:
            if key in given:
                self._problems.wrong((*keys, key), "it is on a serial line, and has none; leave it out, or serial")
        if "serial" not in table:
            return None
        parity = table.get("parity", "E")
        if parity[:1].upper() not in ("N", "E", "O") or parity.upper() not in ("N", "E", "O", "NONE", "EVEN", "ODD"):
            self._problems.wrong((*keys, "parity"), f'{shown(parity)} is not one of "N", "E", "O"')
            return None
        line = Serial(table["serial"], table.get("baudrate", 19200), parity[:1].upper(), table.get("stopbits", 1))
        first, other = self._lines.setdefault(line.path, (line, keys[-1]))
        if first != line:
            self._problems.wrong((*keys, "serial"), f"it is {line} here, and {first} of {other}: say the same of both")
        if not 1 <= table.get("unit", 1) <= 247:
            self._problems.wrong((*keys, "unit"), f"{table['unit']} is no unit of a serial line, 1 to 247")
        return line

    # -- tags

    def _named(self, keys: Keys, name: str, device: str) -> bool:
        """Whether a tag can have a name; if not, say so."""
        first = self._names.get(name.lower())
        if first is not None:
            told = f"there is a tag {first[0]} already, of {first[1]}: names are compared without case; choose another"
            self._problems.wrong(keys, told)
            return False
        scratch = Problems()
        good = scratch.named((name,), {})
        for _, what in scratch.found:
            self._problems.wrong(keys, what)
        self._names[name.lower()] = name, device
        return good

    def _tags(self, keys: Keys, tags: dict[str, Any], order: int) -> Iterator[BridgeTag]:
        for name, given in tags.items():
            here = (*keys, name)
            good = self._named(here, name, keys[-2])
            tag = self._short(here, given) if isinstance(given, str) else self._long(here, given)
            if tag is None or not good:
                continue
            if not tag.point.order and tag.point.type != "BOOL":
                usual = ORDERS[tag.point.form.registers][order]
                tag = tag._replace(point=replace(tag.point, order=usual))
            yield tag

    def _short(self, keys: Keys, text: str) -> BridgeTag | None:
        try:
            point = parse_point(text).checked()
        except UsageError as exc:
            self._problems.wrong(keys, exc)
            return None
        return BridgeTag(keys[-1], point, not point.writable)

    def _long(self, keys: Keys, given: Any) -> BridgeTag | None:
        name = keys[-1]
        if type(given) is not dict:
            self._problems.wrong(keys, f'{shown(given)} is no tag; write eg. {dotted((name,))} = "INT @ 40001"')
            return None
        before = len(self._problems.found)
        table = self._problems.table(keys, given, _TAG)
        for key, example in (("type", '"REAL"'), ("address", "40001")):
            if not any(nearest(one, {key: str}) for one in given):
                self._problems.wrong(keys, f"it has no {key}; add eg. {key} = {example}")
        usual: tuple[Any, int | None] = "INT", None  # of what is wrong no point is made
        kind, count = self._read((*keys, "type"), table, parse_type, usual)
        address, bit = self._read((*keys, "address"), table, parse_address, usual)
        raw = self._read((*keys, "raw"), table, _raw, "")
        held = raw or kind
        order = self._read((*keys, "order"), table, lambda text: order_for(text, held), "")
        scale = self._read((*keys, "scale"), table, _number, Fraction(1))
        offset = self._read((*keys, "offset"), table, _number, Fraction(0))
        if scale == 0:
            self._problems.wrong((*keys, "scale"), "a scale of 0 leaves nothing of the value; leave it out")
        if kind in ("REAL", "LREAL") and not raw and (scale != 1 or offset != 0):
            told = f'say what the registers hold: raw = "INT" (or "{kind}", "DINT", ...)'
            self._problems.wrong((*keys, "scale" if "scale" in given else "offset"), told)
        access = "-".join(table.get("access", "").lower().replace("_", " ").replace("/", " ").replace("-", " ").split())
        if "access" in table and access not in _ACCESS:
            self._problems.wrong((*keys, "access"), f"{shown(table['access'])} is not one of {', '.join(_ACCESS)}")
        if len(self._problems.found) > before:
            return None
        try:
            point = Point(kind, address, bit, count, raw, order, scale, offset).checked()
        except UsageError as exc:
            self._problems.wrong((*keys, "address"), exc)
            return None
        if access == "read-write" and not point.writable:
            what = "bits of registers" if bit is not None else f"{locate(address).table.name}s"
            self._problems.wrong((*keys, "access"), f"{what} cannot be written; leave it out, or write read-only")
            return None
        return BridgeTag(name, point, access == "read-only" or not point.writable, table.get("description", ""))


def _raw(text: str) -> str:
    kind, count = parse_type(text)
    if count is not None or kind not in FORMS:
        raise UsageError(f"{shown(text)} is not what registers hold; write one of {', '.join(FORMS)}")
    return kind


def _number(value: Any) -> Fraction:
    """A number as it is written: 0.1 is a tenth."""
    if type(value) not in (int, float) or not math.isfinite(value):
        hint = ", without quotes" if isinstance(value, str) else ""
        raise UsageError(f"{shown(value)} is not a number{hint}")
    return Fraction(str(value))


def _misplaced(key: str, value: Any) -> str:
    """What to do instead of a key beside all tables."""
    if isinstance(value, dict):
        return f"a device has the head [devices.{dotted((key,))}]"
    return "devices stand below [devices.NAME], and their tags below [devices.NAME.tags]"
