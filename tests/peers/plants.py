"""The controllers that other makers' clients are let loose on.

Owns: their types and tags, of every kind that there is, and the value of a whole structure. Rule: one controller for
each profile, the same for all clients. Must not know any client.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from cpppo.server.enip.device import Attribute, profile_named
from cpppo.server.enip.simulator import Simulator
from cpppo.server.enip.wire.strings import SSTRING, STRING, structure
from cpppo.server.enip.wire.types import DWORD, TYPES, Kind

__all__ = [
    "BITS",
    "BOOLS",
    "DRIVES",
    "LARGE",
    "MICRO",
    "NUMBERS",
    "PROFILES",
    "everything",
    "kept",
    "motor",
    "numbered",
]

PROFILES = ("1756-L61", "1756-L83E", "5069-L320ER", "2080-LC50")

#: The profile whose tags have no structures, and whose text has a length octet.
MICRO = "2080-LC50"

#: Values of each type, its extremes among them: a scalar ``One_TYPE`` and an array ``Some_TYPE`` are in every plant.
NUMBERS: dict[str, list[Any]] = {
    "BOOL": [True],
    "SINT": [-128, 127, 0, 1, -1],
    "INT": [-32768, 32767, 0, 1, -1],
    "DINT": [-(2**31), 2**31 - 1, 0, 1, -1],
    "LINT": [-(2**63), 2**63 - 1, 0, 1, -1],
    "USINT": [255, 0, 1, 128, 77],
    "UINT": [65535, 0, 1, 32768, 77],
    "UDINT": [2**32 - 1, 0, 1, 2**31, 77],
    "ULINT": [2**64 - 1, 0, 1, 2**63, 77],
    "REAL": [-1.5, 0.0, 2.0**100, 1.25, 77.0],
    "LREAL": [-1e300, 0.0, 1e-300, 0.1, 77.0],
}

#: Whose bits are addressed, and how many there are.
BITS = {"Bits_SINT": 8, "Bits_INT": 16, "Bits_DINT": 32}

#: Elements of the array of BOOL, of the large array, and of that of structures.
BOOLS, LARGE, DRIVES = 96, 1500, 14

_T = TYPES

INNER = structure("Inner", [("a", _T["DINT"], 0), ("on", _T["BOOL"], 0), ("name", STRING, 0), ("off", _T["BOOL"], 0)])
MIDDLE = structure("Middle", [("inner", INNER, 2), ("totals", _T["LINT"], 2)])
MOTOR = structure(
    "Motor",
    [
        ("running", _T["BOOL"], 0),
        ("fault", _T["BOOL"], 0),
        ("speed", _T["REAL"], 0),
        ("counts", _T["DINT"], 4),
        ("label", STRING, 0),
        ("flags", _T["BOOL"], 64),
        ("small", _T["SINT"], 0),
        ("steps", _T["INT"], 3),
        ("middle", MIDDLE, 0),
    ],
)
#: Members of all types that Motor has not.
_OTHERS = ("USINT", "UINT", "UDINT", "ULINT", "LREAL", "LINT")
MIXED = structure("Mixed", [(f"m_{name}", _T[name], 0) for name in _OTHERS])
#: Text of another length than STRING's.
SHORT = structure("STR20", [("LEN", _T["DINT"], 0), ("DATA", _T["SINT"], 20)])


def motor(salt: int) -> dict[str, Any]:
    """The value of a whole Motor, each member another for each salt."""
    inner = [{"a": salt + one, "on": one == 0, "name": f"inner {salt}/{one}", "off": one == 1} for one in range(2)]
    return {
        "running": salt % 2 == 0,
        "fault": salt % 2 == 1,
        "speed": salt + 0.5,
        "counts": [salt, -salt, 2**31 - 1, -(2**31)],
        "label": f"motor {salt}",
        "flags": [bit % (salt % 5 + 2) == 0 for bit in range(64)],
        "small": salt % 128,
        "steps": [salt, -1, 32767],
        "middle": {"inner": inner, "totals": [2**40 + salt, -(2**40)]},
    }


def kept(value: dict[str, Any]) -> dict[str, Any]:
    """The value of a Motor as the controller has it: an array of BOOL is one of DWORD."""
    words = [sum(bit << at for at, bit in enumerate(value["flags"][start : start + 32])) for start in (0, 32)]
    return {**value, "flags": words}


def tag(name: str, kind: Kind, values: Any, shape: Sequence[int] = (), **settings: bool) -> Attribute:
    """A tag with its dimensions, and ``read_only`` or ``hidden``."""
    made = Attribute(name, kind, values)
    if shape:
        made.shape = shape
    for key, value in settings.items():
        setattr(made, key, value)
    return made


def _common() -> Iterable[Attribute]:
    for name, values in NUMBERS.items():
        yield tag(f"One_{name}", _T[name], 0)
        if len(values) > 1:
            yield tag(f"Some_{name}", _T[name], [0] * len(values))
    for name in BITS:
        yield tag(name, _T[name.removeprefix("Bits_")], 0)
    yield tag("Flags", DWORD, [0] * (BOOLS // 32))
    yield tag("Row", _T["DINT"], [0] * 6)
    yield tag("Grid", _T["DINT"], [0] * 6, (2, 3))
    yield tag("Cube", _T["INT"], [0] * 24, (2, 3, 4))
    yield tag("Large", _T["DINT"], [0] * LARGE)
    yield tag("Locked", _T["REAL"], 12.5, read_only=True)
    yield tag("Hidden", _T["INT"], 3, hidden=True)
    yield tag("Program:MainProgram.Speed", _T["REAL"], 1.5)
    yield tag("Program:MainProgram.Steps", _T["INT"], [0] * 4)


def _structured() -> Iterable[Attribute]:
    yield tag("Name", STRING, "unit 7")
    yield tag("Names", STRING, [""] * 5)
    yield tag("Short", SHORT, "short")
    yield tag("Shorts", SHORT, [""] * 3)
    yield tag("Pump", MOTOR, {})
    yield tag("Drive", MOTOR, [{}] * DRIVES)
    yield tag("Mixed", MIXED, {})
    yield tag("Program:MainProgram.Motor", MOTOR, {})


def _micro() -> Iterable[Attribute]:
    yield tag("Name", SSTRING, "unit 7")
    yield tag("Names", SSTRING, [""] * 5)


def everything(profile: str) -> Simulator:
    """A controller that has each kind of tag that its family can have, and a program without any."""
    tags = itertools.chain(_common(), _micro() if profile == MICRO else _structured())
    made = Simulator(*tags, identity=profile_named(profile))
    made.device.add_program("Empty")
    return made


def numbered(profile: str, count: int) -> Simulator:
    """A controller of ``count`` tags: ``Tag_0`` and so on, each with its number as value; every tenth an array."""
    tags = (
        tag(f"Tag_{one}", _T["DINT"], [one] * 3 if one % 10 == 5 else one)  # so tag 0 is no array
        for one in range(count)
    )
    return Simulator(*tags, identity=profile_named(profile))
