"""Other makers' clients and structures: by member, three deep, whole, and arrays of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.conftest import Talk
from tests.peers.plants import DRIVES, NUMBERS, kept, motor

pytestmark = pytest.mark.peers

#: Members of a Motor, how they are found in its value, and another value for each.
MEMBERS: tuple[tuple[str, tuple[Any, ...], Any], ...] = (
    ("running", ("running",), True),
    ("running", ("running",), False),
    ("fault", ("fault",), True),
    ("speed", ("speed",), -2.5),
    ("counts[2]", ("counts", 2), 77),
    ("counts", ("counts",), [4, 3, 2, 1]),
    ("label", ("label",), "another"),
    ("small", ("small",), 5),
    ("steps[1]", ("steps", 1), -300),
    ("middle.inner[1].a", ("middle", "inner", 1, "a"), 1234567),
    ("middle.inner[0].on", ("middle", "inner", 0, "on"), False),
    ("middle.inner[1].off", ("middle", "inner", 1, "off"), False),
    ("middle.inner[1].name", ("middle", "inner", 1, "name"), "deep down"),
    ("middle.totals[1]", ("middle", "totals", 1), 2**50),
)


def _changed(value: Any, keys: tuple[Any, ...], new: Any) -> Any:
    """A value with one of its parts replaced."""
    if not keys:
        return new
    copy = value.copy()
    copy[keys[0]] = _changed(value[keys[0]], keys[1:], new)
    return copy


@pytest.mark.capability("structures by member")
@pytest.mark.parametrize("tag", ["Pump", "Drive[2]", "Program:MainProgram.Motor"])
def test_members(talk: Talk, tag: str) -> None:
    """Each member is written without a change to the others, and read; also bits of a member, and of its BOOL array."""
    name, _, index = tag.partition("[")
    at = int(index.strip("]") or 0)
    value = motor(3)
    talk.plant[name][at] = kept(value)
    for member, keys, new in MEMBERS:
        talk.peer.write(f"{tag}.{member}", new)
        value = _changed(value, keys, new)
        assert talk.plant[name][at] == kept(value), member
        assert (member, talk.peer.read(f"{tag}.{member}", len(new) if isinstance(new, list) else 1)) == (member, new)
    for bit in (0, 33):
        new = not value["flags"][bit]
        talk.peer.write(f"{tag}.flags[{bit}]", new)
        value = _changed(value, ("flags", bit), new)
        assert talk.plant[name][at] == kept(value)
        assert talk.peer.read(f"{tag}.flags[{bit}]") is new
    talk.peer.write(f"{tag}.counts[0].3", True)
    assert talk.plant[name][at]["counts"] == [4 | 8, 3, 2, 1]


@pytest.mark.capability("structures by member")
def test_members_of_other_types(talk: Talk) -> None:
    """Members of the types that a Motor has not, as far as the client knows the type."""
    known = ("USINT", "LINT") if talk.peer.name == "st-ethernet-ip" else ("USINT", "UINT", "UDINT", "ULINT", "LREAL")
    talk.plant["Mixed"].value = {}
    for kind in known:
        talk.peer.write(f"Mixed.m_{kind}", NUMBERS[kind][0])
        assert (kind, talk.peer.read(f"Mixed.m_{kind}")) == (kind, NUMBERS[kind][0])
    assert {name: value for name, value in talk.plant["Mixed"].value.items() if value} == {
        f"m_{kind}": NUMBERS[kind][0] for kind in known
    }


@pytest.mark.capability("whole structures read")
def test_whole_structures_are_read(talk: Talk) -> None:
    """A whole structure, an element of an array, and the array, which fills several replies."""
    talk.plant["Pump"].value = kept(motor(9))
    talk.plant["Drive"][:] = [kept(motor(at)) for at in range(DRIVES)]
    if talk.peer.name == "pylogix":  # which leaves it to its users what the octets mean
        octets = talk.plant["Drive"].attribute.octets()
        assert talk.peer.read("Pump") == talk.plant["Pump"].attribute.octets()
        assert talk.peer.read("Drive[2]") == octets[len(octets) // DRIVES * 2 : len(octets) // DRIVES * 3]
        assert talk.peer.read("Drive", DRIVES) == octets
        return
    assert talk.peer.read("Pump") == motor(9)
    assert talk.peer.read("Drive[2]") == motor(2)
    assert talk.peer.read("Drive", DRIVES) == [motor(at) for at in range(DRIVES)]


@pytest.mark.capability("whole structures written")
def test_whole_structures_are_written(talk: Talk) -> None:
    """A whole structure, an element of an array, and the array, which fills several requests."""
    talk.peer.write("Pump", motor(11))
    assert talk.plant["Pump"].value == kept(motor(11))
    talk.peer.write("Drive", [motor(at + 20) for at in range(DRIVES)])
    talk.peer.write("Drive[3]", motor(12))
    assert talk.plant["Drive"][:] == [kept(motor(12 if at == 3 else at + 20)) for at in range(DRIVES)]
