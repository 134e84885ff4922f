"""What `modbus_sim --config` is given: options as JSON text, or a TOML file of values, units and options.

Owns: their keys and everything that is wrong with them, each with its place.  Rule: all mistakes are told at once.
Must not know: the command line's options, servers.

    address = ":1502"                   # or a serial device, eg. "/dev/ttyS1"
    evil = "delay:0.1-0.5"
    slaves = [1, 2]                     # the units that answer; all if none are named
    [serial]                            # baudrate, bytesize, parity, stopbits
    [values]                            # of all units: range = value, [values] or "signal"
    40001-40100 = 99
    [units.2]                           # further values of one unit
    40001 = "ramp:0,100,10s"
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cpppo.errors import UsageError
from cpppo.remote.cells import Element
from cpppo.remote.simulator import parse_values, valued
from cpppo.server.enip.plant_problems import Problems
from cpppo.server.enip.toml import Keys, dotted, key_lines, line_of, parse_toml, read_octets, shown

__all__ = ["ConfigError", "SimConfig", "parse_config", "parse_options", "read_config"]

_SERIAL = {"baudrate": int, "bytesize": int, "parity": str, "stopbits": object}
#: What each can be; None: a number above 0.
_CHOICES: dict[str, tuple[object, ...] | None] = {
    "baudrate": None,
    "bytesize": (8,),
    "parity": ("N", "E", "O", "M", "S"),
    "stopbits": (1, 1.5, 2),
}
_KEYS = {"address": str, "ports": int, "evil": str, "slaves": list, "serial": dict, "values": dict, "units": dict}
Values = list[tuple[int, list[Element]]]


class ConfigError(UsageError):
    """Mistakes, a line of text each; ``count`` of them."""

    def __init__(self, lines: Iterable[str]) -> None:
        told = list(lines)
        self.count = len(told)
        super().__init__("\n".join(told))


@dataclass
class SimConfig:
    """What a configuration says; None and empty where it says nothing.

    ``units``: those that answer, with the values that each has beside ``values``; None: all units answer.
    """

    address: str | None = None
    ports: int | None = None
    evil: str | None = None
    serial: dict[str, Any] = field(default_factory=dict)
    values: Values = field(default_factory=list)
    units: dict[int, Values] | None = None


def read_config(text: str) -> SimConfig:
    """The configuration that an option's text gives, or the file that it names.  OSError: it cannot be read."""
    if text.lstrip().startswith("{"):
        return parse_options(text)
    if not text.strip():
        raise UsageError("--config is empty; name a TOML file, or write JSON, which begins with {")
    return parse_config(read_octets(text), text)


def parse_options(text: str) -> SimConfig:
    """Options as JSON: baudrate, bytesize, parity, stopbits and slaves.  ConfigError with all mistakes."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ConfigError([f'--config: it is not JSON: {exc}; write eg. {{"baudrate": 19200}}']) from None
    problems = Problems()
    known = problems.table((), given, {**_SERIAL, "slaves": list})
    slaves = known.pop("slaves", None)
    config = SimConfig(serial=_serial((), known, problems), units=_units(slaves, {}, problems))
    if problems.found:
        raise ConfigError(f"--config: {dotted(keys)}: {what}" for keys, what in problems.found)
    return config


def parse_config(octets: bytes, name: str = "sim.toml") -> SimConfig:
    """A TOML file's configuration.  ConfigError with the line and key of each mistake, UsageError if it is no TOML."""
    document = parse_toml(octets, name)
    problems = Problems()
    known = problems.table((), document.values, _KEYS)
    if not 1 <= known.get("ports", 1) <= 65535:
        problems.wrong(("ports",), f"{known['ports']} is not 1 to 65535")
    serial = problems.table(("serial",), known.get("serial", {}), _SERIAL)
    config = SimConfig(
        known.get("address"),
        known.get("ports"),
        known.get("evil"),
        _serial(("serial",), serial, problems),
        _values(("values",), known.get("values", {}), problems),
        _units(known.get("slaves"), known.get("units", {}), problems),
    )
    if problems.found or document.repeated:
        again = [(one.line, dotted(one.keys), f"it is there already, in line {one.first}") for one in document.repeated]
        lines = key_lines(document.text)
        found = [(line_of(lines, keys), dotted(keys), what) for keys, what in problems.found]
        raise ConfigError(f"{name}:{line}: {key}: {what}" for line, key, what in sorted([*again, *found]))
    return config


def _serial(keys: Keys, given: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    for key, value in given.items():
        choices = _CHOICES[key]
        if choices is None and value <= 0:
            problems.wrong((*keys, key), f"{value} is not more than 0")
        elif choices is not None and (isinstance(value, bool) or value not in choices):
            problems.wrong((*keys, key), f"{shown(value)} is not {' or '.join(map(shown, choices))}")
    return dict(given)


def _values(keys: Keys, given: Mapping[str, Any], problems: Problems) -> Values:
    made: Values = []
    for where, value in given.items():
        each = value if isinstance(value, list) else [value]
        try:
            if not all(isinstance(one, (int, str)) for one in each):
                raise UsageError(f"{shown(value)} is no whole number, no list of them and no signal in quotes")
            made.append(parse_values(f"{where}={value}") if isinstance(value, str) else valued(where, value))
        except UsageError as exc:
            problems.wrong((*keys, where), str(exc).removeprefix(f"{where}: "))
    return made


def _units(slaves: list[Any] | None, given: Mapping[str, Any], problems: Problems) -> dict[int, Values] | None:
    if slaves is None and not given:
        return None
    made: dict[int, Values] = {}
    for one in slaves or ():
        if type(one) is not int or not 0 <= one <= 255:
            problems.wrong(("slaves",), f"{shown(one)} is no unit: these are 0 to 255")
        else:
            made[one] = []
    for name, values in given.items():
        keys = ("units", name)
        if not name.isdecimal() or int(name) > 255:
            problems.wrong(keys, "a unit is 0 to 255")
        elif not isinstance(values, dict):
            problems.wrong(keys, f"{shown(values)} is not a table; write [units.{name}], and its values below")
        else:
            made[int(name)] = _values(keys, values, problems)
    if slaves == []:
        problems.wrong(("slaves",), "no unit would answer; leave it out to have all answer")
    return made
