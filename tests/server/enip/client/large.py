"""A simulated controller whose tags are larger than a packet, and reads and writes of all of them."""

from __future__ import annotations

from typing import Any

from cpppo.server.enip.device import Attribute
from cpppo.server.enip.wire.strings import SSTRING, STRING, LogixString
from cpppo.server.enip.wire.structures import Structure
from cpppo.server.enip.wire.types import DINT, INT, LREAL, REAL
from tests.server.enip.client.memory import Controller

__all__ = ["DEPTHS", "HUGE", "LONG", "READS", "VALUES", "WRITES", "controller", "tag"]

DEPTHS = [0, 1, 20]
#: A structure that no packet takes, of a handle that the client does not know.
HUGE = Structure("Huge", [("Number", DINT, 0), ("Level", REAL, 300)])
LONG = LogixString("Long", 1000)

VALUES: dict[str, tuple[Any, list[Any]]] = {
    "Word": (INT, list(range(1000))),
    "Fine": (LREAL, [0.5 * number for number in range(300)]),
    "Text": (STRING, [f"text {number}" for number in range(30)]),
    "Short": (SSTRING, ["x" * (number * 7 % 256) for number in range(60)]),
}
READS: list[dict[str, Any]] = [{"path": name, "elements": len(values)} for name, (_, values) in VALUES.items()]


def controller(lacks: tuple[int, ...] = ()) -> Controller:
    one = Controller()
    one.lacks = frozenset(lacks)
    for name, (kind, values) in VALUES.items():
        one.add_tag(Attribute(name, kind, values))
    one.add_tag(Attribute("Huge", HUGE, [{"Number": number, "Level": [float(number)] * 300} for number in range(3)]))
    one.add_tag(Attribute("Long", LONG, ["a" * 900, "b"]))
    one.add_tag(Attribute("One", INT, 1))
    return one


def tag(device: Controller, name: str) -> Any:
    """The values of a tag."""
    return next(one for one in device.router.attribute.values() if one.name == name)[:]


WRITES = [{"path": name, "data": values[::-1], "tag_type": kind} for name, (kind, values) in VALUES.items()]
