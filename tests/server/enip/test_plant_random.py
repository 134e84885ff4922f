"""Plants drawn at random: written as TOML in any style they are read as they were; damaged, they are only wrong."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpppo.errors import UsageError
from cpppo.server.enip.device import Device
from cpppo.server.enip.plant import PlantError, parse_plant
from cpppo.server.enip.toml import key_lines, parse_toml
from cpppo.server.enip.wire.types import TYPES, limits
from tests.server.enip.test_plant import SAMPLE

#: What stands in types of text; and names, of which no two are equal but for case.
TEXT = st.text(st.characters(max_codepoint=0xFF, exclude_categories=("Cs",)), max_size=12)
NAMES = st.lists(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True), unique_by=str.lower, max_size=4)
NUMBERS: dict[str, st.SearchStrategy[Any]] = {
    **{name: st.integers(*limits(kind)) for name, kind in TYPES.items() if kind.code not in "?fd"},
    "BOOL": st.booleans(),
    "REAL": st.floats(width=32, allow_nan=False),
    "LREAL": st.floats(allow_nan=False),
    "STRING": TEXT,
}


#: Elementary values that a type or a tag has at most: nested arrays of 40 would soon be larger than structures can be.
MOST_VALUES = 2000


class Type(NamedTuple):
    """A type: its name; its members, each with its type, or 0 of an elementary one; and how many elements, or none."""

    name: str
    members: Any
    shape: tuple[int, ...]

    @property
    def values(self) -> int:
        """The elementary values that it has."""
        each = sum(one.values for one in self.members.values()) if self.members else 1
        return each * math.prod(self.shape)

    def __str__(self) -> str:
        return f"{self.name}[{', '.join(map(str, self.shape))}]" if self.shape else self.name


class Tag(NamedTuple):
    """A tag: its type, its value (None: not written), how the file writes that, and the rest of its table."""

    type: Type
    value: Any
    written: str
    rest: dict[str, str]


class Drawn(NamedTuple):
    """A plant: types, by name; tags, by scope and name; and its text."""

    types: dict[str, dict[str, Type]]
    tags: dict[str, dict[str, Tag]]
    text: str


def toml(value: Any) -> str:
    """A value as TOML, in one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {toml(one)}' for key, one in value.items())}}}"
    return json.dumps(value) if isinstance(value, (str, bool)) else repr(value)


def value_of(draw: st.DrawFn, kind: Type) -> Any:
    """A value of a type: a list where it has dimensions, not of all elements, nor of all members."""
    if kind.shape:
        inner = Type(kind.name, kind.members, ())
        values = [value_of(draw, inner) for _ in range(draw(st.integers(0, min(math.prod(kind.shape), 6))))]
        return nested(values, kind.shape) if draw(st.booleans()) else values
    if kind.members:
        some = draw(st.lists(st.sampled_from(sorted(kind.members)), unique=True))
        return {name: value_of(draw, kind.members[name]) for name in some}
    return draw(NUMBERS[kind.name])


def nested(values: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """A list of lists, as deep as there are dimensions."""
    if len(shape) < 2:
        return values
    size = math.prod(shape[1:])
    return [nested(values[at : at + size], shape[1:]) for at in range(0, len(values), size)]


def flat(values: list[Any]) -> list[Any]:
    return [part for one in values for part in (flat(one) if isinstance(one, list) else [one])]


def whole(kind: Type, value: Any) -> Any:
    """What the tag of a value has: zeros where there is none, and DWORDs for an array of BOOL."""
    if kind.shape and kind.name == "BOOL":
        words = -(-kind.shape[0] // 32)
        bits = sum(bool(bit) << at for at, bit in enumerate(value or []))
        return [bits >> 32 * at & 0xFFFFFFFF for at in range(words)]
    if kind.shape:
        inner = Type(kind.name, kind.members, ())
        values = flat(value or [])
        return [whole(inner, values[at] if at < len(values) else None) for at in range(math.prod(kind.shape))]
    if kind.members:
        return {name: whole(member, (value or {}).get(name)) for name, member in kind.members.items()}
    return value if value is not None else "" if kind.name == "STRING" else False if kind.name == "BOOL" else 0


@st.composite
def plants(draw: st.DrawFn) -> Drawn:
    """A plant with structures within structures, tags of them, programs, and its text in a random style."""
    types: dict[str, dict[str, Type]] = {}

    def a_type(most: int) -> Type:
        name = draw(st.sampled_from([*types, *NUMBERS]))
        dimensions = draw(st.integers(0, 1 if name == "BOOL" else most))
        shape = [draw(st.integers(1, 40 if dimensions == 1 else 3)) for _ in range(dimensions)]
        drawn = Type(name, types.get(name), tuple(shape))
        return drawn if drawn.values <= MOST_VALUES else Type("INT", None, tuple(shape))

    for name in draw(NAMES):
        members = draw(NAMES.filter(bool))
        types[f"T{name}"] = {member: a_type(1) for member in members}
    tags: dict[str, dict[str, Tag]] = {}
    for scope in ("tags", *(f"programs.{name}.tags" for name in draw(NAMES))):
        tags[scope] = {name: a_tag(draw, a_type(3)) for name in draw(NAMES)}
    parts = [f"[types.{name}]\n{lines({key: toml(str(one)) for key, one in types[name].items()})}" for name in types]
    parts += [f"[{scope}]\n{lines({name: one.written for name, one in tags[scope].items()})}" for scope in tags]
    between = draw(st.sampled_from(["", "\n", "# [x]\n", "\r\n"]))
    return Drawn(types, tags, between.join(draw(st.permutations(parts))))


def a_tag(draw: st.DrawFn, kind: Type) -> Tag:
    """A tag of a type, as its type alone or as a table."""
    rest = {"access": draw(st.sampled_from(["read-write", "read-only", "none"])), "description": draw(TEXT)}
    value = value_of(draw, kind)
    name = draw(st.sampled_from([str(kind), str(kind).lower(), f" {kind} "]))
    if draw(st.booleans()):
        return Tag(kind, None, toml(name), {})
    entries = draw(st.permutations([("type", name), ("value", value), *rest.items()]))
    return Tag(kind, value, toml(dict(entries)), rest)


def lines(entries: dict[str, str]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in entries.items())


def made(octets: bytes) -> Device:
    """The controller of a plant file."""
    plant = parse_plant(octets)
    device = plant.device()
    plant.populate(device)
    return device


@settings(max_examples=60)
@given(plants())
def test_read_as_written(drawn: Drawn) -> None:
    """Each tag has the type, shape, values, access and description that were written, and there are no others."""
    device = made(drawn.text.encode())
    expected: dict[str, tuple[Any, ...]] = {}
    for scope, tags in drawn.tags.items():
        for name, tag in tags.items():
            full = name if scope == "tags" else f"Program:{scope.split('.')[1]}.{name}"
            value = whole(tag.type, tag.value)
            bits = tag.type.shape and tag.type.name == "BOOL"
            kind, shape = ("DWORD", (len(value),)) if bits else (tag.type.name, tag.type.shape)
            access = tag.rest.get("access")
            told = (access == "read-only", access == "none", tag.rest.get("description", ""))
            expected[full] = (kind, shape, value, *told)
    found = {
        one.name: (one.type.name, one.shape, one.value, one.read_only, one.hidden, one.description)
        for one in device.tags()
    }
    assert found == expected
    assert sorted(device.programs) == sorted(scope.split(".")[1].lower() for scope in drawn.tags if scope != "tags")


@settings(max_examples=60)
@given(plants(), st.data())
def test_line_of_a_mistake(drawn: Drawn, data: st.DataObject) -> None:
    """A type spoilt in one place is told of that place, with its line, and of no other."""
    text = drawn.text.replace("\r\n", "\n")
    places = [keys for keys in key_lines(text) if keys[-1] not in ("value", "access", "description", "type")]
    named = [keys for keys in places if keys[0] == "types" and len(keys) == 3 or keys[-2:-1] == ("tags",)]
    if not named:
        return
    keys = data.draw(st.sampled_from(named))
    at = key_lines(text)[keys] - 1
    spoilt = text.split("\n")
    assert spoilt[at].startswith(f"{keys[-1]} = ")
    spoilt[at] = f"{keys[-1]} = 5"
    with pytest.raises(PlantError) as raised:
        made("\n".join(spoilt).encode())
    assert [one[:2] for one in raised.value.problems] == [(at + 1, ".".join(keys))]


#: What files are damaged with: some of it has a meaning in TOML.
PIECES = st.one_of(
    st.binary(max_size=3),
    st.sampled_from(
        [b'"', b"'", b'"""', b"[", b"]", b"{", b"}", b"=", b".", b",", b"#", b"\n", b"\r", b"5", b"-", b"e9"]
    ),
    st.sampled_from(
        [b"true", b"inf", b"INT", b"Motor", b"[tags]\n", b"Drive", b"type", b"value", b"[9]", b"0x", b"\0"]
    ),
)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(SAMPLE)), st.integers(0, 6), PIECES), min_size=1, max_size=4))
def test_damaged(changes: list[tuple[int, int, bytes]]) -> None:
    """Whatever a file is damaged with, it is read, or it is told what is wrong, every line of that with its place."""
    octets = SAMPLE.encode()
    for at, gone, piece in changes:
        octets = octets[:at] + piece + octets[at + gone :]
    try:
        made(octets)
    except UsageError as exc:
        count = octets.count(b"\n") + 1
        for line in str(exc).split("\n"):
            name, place, said = line.split(":", 2)
            assert name == "plant.toml" and 1 <= int(place) <= count and said.strip(), line


@settings(max_examples=100)
@given(st.binary(max_size=40), st.text(max_size=40))
def test_garbage(octets: bytes, text: str) -> None:
    """Whatever else is given for a file, it is read, or refused by UsageError."""
    for one in (octets, text.encode("utf-8", "surrogatepass"), b"[tags]\nA = " + octets):
        try:
            parse_toml(one, "plant.toml")
            made(one)
        except UsageError as exc:
            assert str(exc).startswith("plant.toml:")
