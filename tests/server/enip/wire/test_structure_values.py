"""Values of structures: members to octets and back, what is left out, and what does not fit, by its path."""

from __future__ import annotations

import copy
import pickle
from types import MappingProxyType
from typing import Any

import pytest

from cpppo import LocalProtocolError, RemoteProtocolError
from cpppo.server.enip.wire.strings import STRING, structure
from cpppo.server.enip.wire.structures import Members, Structure
from cpppo.server.enip.wire.types import BOOL, DINT, INT, LINT, LREAL, REAL, SINT, TYPES, USINT, pack, unpack

STRUCT_B = Structure("STRUCT_B", [("pilot_on", BOOL, 0), ("hourlyCount", INT, 12), ("rate", REAL, 0)])
MOTOR = structure(
    "Motor",
    [("on", BOOL, 0), ("fault", BOOL, 0), ("speed", REAL, 0), ("counts", DINT, 4), ("label", STRING, 0)],
)
PLANT = structure(
    "Plant",
    [("id", SINT, 0), ("main", MOTOR, 0), ("motors", MOTOR, 3), ("names", STRING, 2), ("flags", BOOL, 40)],
)
STILL = {"on": False, "fault": False, "speed": 0.0, "counts": [0, 0, 0, 0], "label": ""}
NOTHING = {"id": 0, "main": STILL, "motors": [STILL] * 3, "names": ["", ""], "flags": [0, 0]}


# ------------------------------------------------------------------ both ways
def test_the_octets_of_a_structure() -> None:
    """The 32 octets with which a client was answered for B1: each member in its place, the pads zero."""
    octets = bytes.fromhex("01000000010002000300040005000600070008000900 0A000B00 0000 0000C03F")
    value = {"pilot_on": True, "hourlyCount": [0, *range(1, 12)], "rate": 1.5}
    assert STRUCT_B.unpack(octets) == value
    assert STRUCT_B.produce(value) == octets


def test_every_type_of_member_both_ways() -> None:
    """The least and the greatest value of each, alone and in an array."""
    for name, kind in TYPES.items():
        if kind is BOOL:
            continue
        low, high = _limits(kind)
        made = Structure("S", [("lead", SINT, 0), ("one", kind, 0), ("two", kind, 2), ("last", USINT, 0)])
        value = {"lead": -1, "one": high, "two": [low, high], "last": 255}
        octets = made.produce(value)
        assert len(octets) == made.size, name
        assert made.unpack(octets) == value
        one, two = made.members[1].offset, made.members[2].offset
        assert octets[one : one + kind.size] == kind.produce(high)
        assert octets[two : two + 2 * kind.size] == kind.produce(low) + kind.produce(high)


def _limits(kind: Any) -> tuple[Any, Any]:
    if kind.code in "fd":
        return -1.5, 3.25
    bits = 8 * kind.size
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if kind.code.islower() else (0, (1 << bits) - 1)


@pytest.mark.parametrize("count", [1, 8, 9, 17])
def test_bools_both_ways(count: int) -> None:
    """Each is one bit of its octet, and touches no other."""
    made = Structure("S", [("x", SINT, 0), *((f"b{at}", BOOL, 0) for at in range(count)), ("y", SINT, 0)])
    nothing: dict[str, Any] = {"x": 0, **{f"b{at}": False for at in range(count)}, "y": 0}
    hosts = -(-count // 8)
    for at in range(count):
        octets = made.produce({f"b{at}": True})
        expected = bytearray(made.size)
        expected[1 + at // 8] = 1 << at % 8
        assert octets == expected
        assert made.unpack(octets) == {**nothing, f"b{at}": True}
    full = made.produce({name: True for name in nothing if name.startswith("b")})
    assert full[1 : 1 + hosts] == ((1 << count) - 1).to_bytes(hosts, "little")
    assert full[0] == full[1 + hosts] == 0
    assert made.unpack(b"\xff" * made.size)["b0"] is True
    assert made.produce({"b0": 1}) == made.produce({"b0": True})


def test_a_bool_can_be_cleared_behind_its_octet() -> None:
    """The hidden octet can be given, too, as clients address it by its name; what comes later counts."""
    made = Structure("S", [("a", BOOL, 0), ("b", BOOL, 0)])
    assert made.produce({"ZZZZZZZZZZS0": -1}) == b"\xff\0\0\0"
    assert made.produce({"ZZZZZZZZZZS0": -1, "a": False}) == b"\xfe\0\0\0"
    assert made.unpack(b"\xfe\xff\xff\xff") == {"a": False, "b": True}


def test_an_array_of_bool_has_words_for_values() -> None:
    """As clients read and write it."""
    made = Structure("S", [("flags", BOOL, 40)])
    assert made.produce({"flags": [0x80000001, 0xFF]}) == bytes.fromhex("01000080FF000000")
    assert made.unpack(bytes.fromhex("01000080FF000000")) == {"flags": [0x80000001, 0xFF]}


def test_structures_in_structures_both_ways() -> None:
    """Arrays of them, and text: each element where its size puts it."""
    running = {"on": True, "fault": False, "speed": 12.5, "counts": [1, -2, 3, -4], "label": "M\xfc 1"}
    value = {
        "id": -7,
        "main": {**STILL, "label": "x" * 82},
        "motors": [running, STILL, {**running, "label": ""}],
        "names": ["", "unit 7"],
        "flags": [1, 2],
    }
    octets = PLANT.produce(value)
    assert PLANT.unpack(octets) == value
    assert octets[:4] == b"\xf9\0\0\0" and octets[4 : 4 + MOTOR.size] == MOTOR.produce(value["main"])
    for at, one in enumerate(value["motors"]):
        start = 4 + (1 + at) * MOTOR.size
        assert octets[start : start + MOTOR.size] == MOTOR.produce(one)
    assert octets[-8:] == bytes.fromhex("0100000002000000")
    assert octets[-8 - 88 : -8] == STRING.produce("unit 7")


def test_members_of_8_octets_inside() -> None:
    """The pads in front of them, and at the end of each element, are zero."""
    inner = Structure("Inner", [("a", SINT, 0), ("b", LINT, 0), ("c", SINT, 0)])
    outer = Structure("Outer", [("x", SINT, 0), ("i", inner, 2), ("y", LREAL, 0)])
    value = {"x": -1, "i": [{"a": -1, "b": -1, "c": -1}] * 2, "y": -1.0}
    one = b"\xff" + bytes(7) + b"\xff" * 9 + bytes(7)
    assert outer.produce(value) == b"\xff" + bytes(7) + one * 2 + bytes.fromhex("000000000000F0BF")
    assert outer.unpack(outer.produce(value)) == value


@pytest.mark.parametrize("kind", [STRUCT_B, MOTOR, PLANT], ids=repr)
def test_zeros_are_the_value_without_members(kind: Structure) -> None:
    """What a new tag has; and the octets themselves are a value, too."""
    zeros = bytes(kind.size)
    assert (
        kind.produce({}) == kind.produce(kind.default) == kind.produce(zeros) == kind.produce(bytearray(zeros)) == zeros
    )
    assert kind.produce(kind.unpack(zeros)) == zeros
    octets = bytes(at % 251 for at in range(kind.size))
    assert kind.produce(octets) == octets and type(kind.produce(bytearray(octets))) is bytes


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ({}, {}),
        ({"id": 3}, {"id": 3}),
        ({"ID": 3, "FLAGS": [1]}, {"id": 3, "flags": [1, 0]}),
        ({"motors": []}, {}),
        ({"motors": [{}, {"speed": 2}]}, {"motors": [STILL, {**STILL, "speed": 2.0}, STILL]}),
        ({"main": {"counts": (1,), "on": 1}}, {"main": {**STILL, "counts": [1, 0, 0, 0], "on": True}}),
        ({"names": ["a"]}, {"names": ["a", ""]}),
        ({"main": MOTOR.produce({"speed": 1.0})}, {"main": {**STILL, "speed": 1.0}}),
        (MappingProxyType({"id": 1}), {"id": 1}),
        (Members(id=1), {"id": 1}),
    ],
    ids=repr,
)
def test_what_is_left_out_is_zero(given: Any, full: dict[str, Any]) -> None:
    """Members, elements at the end of arrays, at any depth; names are taken without case, and any mapping will do."""
    assert PLANT.unpack(PLANT.produce(given)) == {**NOTHING, **full}


def test_a_vector_of_structures() -> None:
    """One after the other, as the elements of a tag; half a structure is refused."""
    octets = pack(MOTOR, [{"speed": 1.0}, {}, {"on": True}])
    assert len(octets) == 3 * MOTOR.size
    assert unpack(MOTOR, octets) == [{**STILL, "speed": 1.0}, STILL, {**STILL, "on": True}]
    with pytest.raises(RemoteProtocolError, match="no whole number of Motor") as caught:
        unpack(MOTOR, octets[:-1])
    assert caught.value.offset == 2 * MOTOR.size


# ------------------------------------------------------------------ members as attributes
def test_members_are_attributes_too() -> None:
    """Read, changed and deleted either way, at any depth; the order is that of the structure."""
    value = PLANT.unpack(bytes(PLANT.size))
    assert type(value) is type(value.main) is type(value.motors[2]) is Members
    value.motors[2].speed = 1.5
    assert value["motors"][2]["speed"] == value.motors[2].speed == 1.5
    assert list(value) == ["id", "main", "motors", "names", "flags"]
    del value.names
    assert "names" not in value
    assert PLANT.unpack(PLANT.produce(value)) == {**NOTHING, "motors": [STILL, STILL, {**STILL, "speed": 1.5}]}


def test_a_member_that_is_not_there_is_an_attribute_error() -> None:
    """Which names those that are; the name of one that a dict has itself is reached as a key."""
    value = Members(speed=1, items=2)
    with pytest.raises(AttributeError, match="no member 'sped'; there are speed, items"):
        _ = value.sped
    with pytest.raises(AttributeError, match="no member 'sped'"):
        del value.sped
    assert not hasattr(value, "sped") and getattr(value, "sped", None) is None
    assert value["items"] == 2 and callable(value.items)


def test_members_are_copied_and_pickled() -> None:
    """As other dicts are, and what is made of them is no longer the same."""
    value = PLANT.unpack(PLANT.produce({"motors": [{"speed": 1.0}]}))
    for other in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert other == value and type(other) is type(other.motors[0]) is Members
        other.motors[0].speed = 2.0
        assert value.motors[0].speed == 1.0


def test_values_share_nothing() -> None:
    """Two values of the same octets, and the default of all: changing one leaves the others."""
    one, other = PLANT.unpack(bytes(PLANT.size)), PLANT.unpack(bytes(PLANT.size))
    one.motors[0].counts[0] = 5
    assert other == NOTHING and PLANT.default == MOTOR.default == {}


# ------------------------------------------------------------------ what does not fit
@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        (5, "", "5 is no Plant: it takes its members, eg. {'id': ...}"),
        (None, "", "None is no Plant"),
        ("id", "", "'id' is no Plant"),
        ([{}], "", "is no Plant"),
        (b"", "", f"0 octets are no Plant, which has {PLANT.size}"),
        (bytes(3), "", "3 octets are no Plant"),
        ({"idd": 1}, "", "Plant has no member 'idd'; there are id, main, motors, names, flags"),
        ({5: 1}, "", "Plant has no member 5"),
        ({"id": 128}, "id", "128 is no SINT"),
        ({"id": "1"}, "id", "'1' is no SINT"),
        ({"id": None}, "id", "None is no SINT"),
        ({"id": 1.0}, "id", "1.0 is no SINT"),
        ({"id": [1]}, "id", "[1] is no SINT"),
        ({"ID": 128}, "id", "128 is no SINT"),
        ({"main": 7}, "main", "7 is no Motor: it takes its members"),
        ({"main": [{}]}, "main", "[{}] is no Motor"),
        ({"main": bytes(7)}, "main", "7 octets are no Motor"),
        ({"main": {"velocity": 1}}, "main", "Motor has no member 'velocity'"),
        ({"main": {"on": 2}}, "main.on", "2 is no BOOL; it is False or True"),
        ({"main": {"on": "1"}}, "main.on", "'1' is no BOOL"),
        ({"main": {"on": 1.0}}, "main.on", "1.0 is no BOOL"),
        ({"main": {"on": None}}, "main.on", "None is no BOOL"),
        ({"main": {"speed": 1e39}}, "main.speed", "1e+39 is no REAL"),
        ({"main": {"speed": "fast"}}, "main.speed", "'fast' is no REAL"),
        ({"main": {"counts": 1}}, "main.counts", "1 is no list of up to 4 DINT"),
        ({"main": {"counts": "1234"}}, "main.counts", "'1234' is no list of up to 4 DINT"),
        ({"main": {"counts": b"1234"}}, "main.counts", "b'1234' is no list of up to 4 DINT"),
        ({"main": {"counts": [1, 2, 3, 4, 5]}}, "main.counts", "[1, 2, 3, 4, 5] is no list of up to 4 DINT"),
        ({"main": {"counts": [1, 2, 1 << 31]}}, "main.counts[2]", "2147483648 is no DINT"),
        ({"main": {"counts": [None]}}, "main.counts[0]", "None is no DINT"),
        ({"main": {"label": 5}}, "main.label", "5 is no STRING: it takes text"),
        ({"main": {"label": "x" * 83}}, "main.label", "a text of 83 characters is no STRING: it holds 82"),
        ({"main": {"label": "\u20ac"}}, "main.label", "'\u20ac' cannot be part of a STRING, which is ISO-8859-1"),
        ({"main": {"label": {"LEN": "x"}}}, "main.label.LEN", "'x' is no DINT"),
        ({"main": {"label": {"DATA": [0, 128]}}}, "main.label.DATA[1]", "128 is no SINT"),
        ({"motors": {}}, "motors", "{} is no list of up to 3 Motor"),
        ({"motors": [{}, 5]}, "motors[1]", "5 is no Motor"),
        ({"motors": [{}, {}, {"counts": [0, "x"]}]}, "motors[2].counts[1]", "'x' is no DINT"),
        ({"motors": [{}, {"velocity": 1}]}, "motors[1]", "Motor has no member 'velocity'"),
        ({"names": ["a", None]}, "names[1]", "None is no STRING"),
        ({"names": "ab"}, "names", "'ab' is no list of up to 2 STRING"),
        ({"flags": [1 << 32]}, "flags[0]", "4294967296 is no DWORD"),
        ({"flags": [1, 2, 3]}, "flags", "[1, 2, 3] is no list of up to 2 DWORD"),
    ],
    ids=repr,
)
def test_what_does_not_fit_is_told_by_its_path(value: Any, path: str, words: str) -> None:
    """The member or the element, as it would be addressed, what is wrong there, and what it takes."""
    with pytest.raises(LocalProtocolError) as caught:
        PLANT.produce(value)
    assert caught.value.path == path
    assert words in caught.value.reason
    assert str(caught.value) == (f"{path}: {caught.value.reason}" if path else caught.value.reason)


def test_the_path_in_a_vector_begins_with_the_element() -> None:
    """``[1].motors[2].counts[1]``, and without more if it is the element itself."""
    for value, path in (
        ({"motors": [{}, {}, {"counts": [0, "x"]}]}, "[1].motors[2].counts[1]"),
        ({"id": 128}, "[1].id"),
        (5, "[1]"),
    ):
        with pytest.raises(LocalProtocolError) as caught:
            pack(PLANT, [{}, value])
        assert caught.value.path == path


def test_nothing_is_changed_by_a_value_that_does_not_fit() -> None:
    """Neither the value nor the structure: the same value without the fault is produced as ever."""
    value: dict[str, Any] = {"id": 1, "motors": [{"speed": "x"}]}
    with pytest.raises(LocalProtocolError):
        PLANT.produce(value)
    assert value == {"id": 1, "motors": [{"speed": "x"}]}
    value["motors"][0]["speed"] = 2.0
    assert PLANT.unpack(PLANT.produce(value)).motors[0].speed == 2.0
