"""Any structure, known by its template alone: a client that reads templates finds in the octets what was put there.

The reader of templates here is written from their description (Logix 5000 Data Access), and shares no code with what
it judges.
"""

from __future__ import annotations

import math
import random
import string
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from cpppo.server.enip.wire.strings import STRING, LogixString, structure
from cpppo.server.enip.wire.structures import Structure, template_words
from cpppo.server.enip.wire.types import BOOL, TYPES

ANY = settings(max_examples=200, derandomize=True, database=None)


# ------------------------------------------------------------------ a client's reader
class Entry(NamedTuple):
    """A member, as a template tells it."""

    name: str
    info: int
    word: int
    offset: int

    @property
    def code(self) -> int:
        """Of an elementary type, or the number of a template."""
        return self.word & 0x0FFF

    @property
    def nested(self) -> bool:
        return bool(self.word & 0x8000)

    @property
    def count(self) -> int | None:
        return self.info if self.word & 0x2000 else None

    @property
    def hidden(self) -> bool:
        return self.name.startswith("ZZZZZZZZZZ")


class Template(NamedTuple):
    """A template: its name, its members, and the octets of the structure."""

    name: str
    entries: list[Entry]
    size: int


#: Elementary types: code, and how to unpack one.
CODES = {
    **{0xC2: "<b", 0xC3: "<h", 0xC4: "<i", 0xC5: "<q", 0xC6: "<B", 0xC7: "<H", 0xC8: "<I", 0xC9: "<Q"},
    **{0xCA: "<f", 0xCB: "<d", 0xD1: "<B", 0xD2: "<H", 0xD3: "<I", 0xD4: "<Q"},
}


def read_template(definition: bytes, members: int, size: int) -> Template:
    """What the octets of a definition say, all of which must say something, but for three to six pads."""
    records = list(struct.iter_unpack("<HHI", definition[: 8 * members]))
    title, *names = definition[8 * members :].split(b"\0")
    name, semicolon, marks = title.partition(b";n")
    assert semicolon and len(marks) == 2 * members and all(mark & 3 == 1 for mark in marks[1::2])
    assert set(names[members:]) == {b""} and 4 <= len(names) - members <= 7
    entries = [Entry(one.decode("ascii"), *record) for one, record in zip(names, records, strict=False)]
    assert len(entries) == members and all(one.name for one in entries)
    return Template(name.decode("ascii"), entries, size)


def read_value(templates: dict[int, Template], number: int, octets: bytes) -> Any:
    """The value in the octets of a structure, of whose sort only its template is known."""
    template = templates[number]
    assert len(octets) == template.size
    if [(one.name, one.code) for one in template.entries] == [("LEN", 0xC4), ("DATA", 0xC2)]:
        length, data = struct.unpack_from("<i", octets)[0], template.entries[1]
        return octets[data.offset : data.offset + (data.count or 0)][: max(length, 0)].decode("iso-8859-1")
    value: dict[str, Any] = {}
    for one in template.entries:
        if one.hidden:
            continue
        if one.word == 0xC1:
            value[one.name] = bool(octets[one.offset] >> one.info & 1)
            continue
        step = templates[one.code].size if one.nested else struct.calcsize(CODES[one.code])
        found = []
        for at in range(one.offset, one.offset + step * (one.count or 1), step):
            part = octets[at : at + step]
            found.append(
                read_value(templates, one.code, part) if one.nested else struct.unpack(CODES[one.code], part)[0]
            )
        value[one.name] = found[0] if one.count is None else found
    return value


def published(kind: Structure) -> tuple[dict[int, Template], int]:
    """The templates of a structure and of all inside it, by numbers as a controller gives them; and its own."""
    templates: dict[int, Template] = {}
    numbers: dict[int, int] = {}

    def publish(one: Structure) -> None:
        for inner in one.inner():
            if id(inner) not in numbers:
                publish(inner)
        numbers[id(one)] = 0xFCE if one is STRING else 0x101 + len(numbers)
        definition = one.definition(lambda inner: numbers[id(inner)])
        assert len(definition) == 4 * template_words(definition) - 20
        templates[numbers[id(one)]] = read_template(definition, len(one.members), one.size)

    publish(kind)
    return templates, numbers[id(kind)]


# ------------------------------------------------------------------ any structure, and any value
class Draw(NamedTuple):
    """A structure with a value of it, and the randomness to go on with."""

    kind: Structure
    value: Any
    chance: random.Random


def draws() -> st.SearchStrategy[Draw]:
    """Structures up to three deep, made of everything that there is."""

    def draw(chance: random.Random) -> Draw:
        kind = any_structure(chance, 3)
        return Draw(kind, any_value(chance, kind), chance)

    return st.builds(random.Random, st.integers(0, 1 << 64)).map(draw)


def any_name(chance: random.Random) -> str:
    letters = string.ascii_letters
    more = chance.choices(letters + string.digits + "_", k=chance.choice((0, 1, 2, 3, 8, 39)))
    return chance.choice(letters) + "".join(more)


def any_structure(chance: random.Random, depth: int) -> Structure:
    """A structure of up to twenty members, BOOLs more often than others."""
    names = {name.lower(): name for name in (any_name(chance) for _ in range(chance.randint(1, 20)))}
    members = []
    for name in names.values():
        sort = chance.randrange(8)
        count = chance.choice((0, 0, 0, 1, 2, 3))
        if sort < 3:
            members.append((name, BOOL, 33 * chance.choice((0, 0, count))))
        elif sort == 3:
            members.append((name, STRING, count))
        elif sort == 4:
            members.append((name, LogixString(any_name(chance), chance.randint(1, 9)), count))
        elif sort == 5 and depth > 1:
            members.append((name, any_structure(chance, depth - 1), count))
        else:
            members.append((name, chance.choice(list(TYPES.values())), count))
    return structure(any_name(chance), members)


def any_value(chance: random.Random, kind: Any) -> Any:
    """A value of a type, with all its members and elements."""
    if isinstance(kind, LogixString):
        return "".join(map(chr, chance.choices(range(256), k=chance.randint(0, kind.capacity))))
    if isinstance(kind, Structure):
        return {one.name: _member_value(chance, one) for one in kind.members if not one.hidden}
    if kind.code in "fd":
        return chance.choice((0.0, -1.5, math.inf, 2.0**-126, float(chance.randint(-(2**20), 2**20))))
    bits = 8 * kind.size
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if kind.code.islower() else (0, (1 << bits) - 1)
    return chance.choice((low, high, chance.randint(low, high)))


def _member_value(chance: random.Random, member: Any) -> Any:
    if member.bit is not None:
        return chance.random() < 0.5
    if not member.count:
        return any_value(chance, member.kind)
    return [any_value(chance, member.kind) for _ in range(member.count)]


# ------------------------------------------------------------------ what holds for all of them
def alignment(kind: Any) -> int:
    """Where a type can begin: structures at 4 octets, or at 8 if something of 8 octets is in them."""
    if not isinstance(kind, Structure):
        return int(kind.size)
    return max(4, *(alignment(one.kind) for one in kind.members))


def all_inside(kind: Structure) -> Iterator[Structure]:
    yield kind
    for one in kind.inner():
        yield from all_inside(one)


@ANY
@given(draws())
def test_members_lie_side_by_side(drawn: Draw) -> None:
    """In their order, each aligned, none on another, with no more between them than their alignment needs."""
    for one in all_inside(drawn.kind):
        end, host, bits = 0, -1, 0
        for member in one.members:
            if member.bit is not None:
                assert (member.offset, member.bit, member.count) == (host, bits, 0) and bits < 8
                bits += 1
                continue
            needed = alignment(member.kind)
            assert member.offset % needed == 0 and 0 <= member.offset - end < needed
            end = member.offset + member.kind.size * (member.count or 1)
            if member.hidden:
                host, bits = member.offset, 0
            else:
                host = -1
        needed = alignment(one)
        assert one.alignment == needed and one.size % needed == 0 and 0 <= one.size - end < needed


@ANY
@given(draws())
def test_a_template_tells_the_members(drawn: Draw) -> None:
    """Names, places, bits, types and numbers of elements, of the structure and of all inside it."""
    kind = drawn.kind
    templates, number = published(kind)
    assert templates[number].name == kind.template_name
    assert len(templates) == len({id(one) for one in all_inside(kind)})
    for entry, member in zip(templates[number].entries, kind.members, strict=True):
        assert (entry.name, entry.offset, entry.hidden) == (member.name, member.offset, member.hidden)
        assert entry.count == (member.count or None)
        if isinstance(member.kind, Structure):
            assert entry.nested and templates[entry.code].name == member.kind.template_name
            assert templates[entry.code].size == member.kind.size
        else:
            assert not entry.nested and entry.code == member.kind.tag_type
            assert entry.info == (member.count or member.bit or 0)


@ANY
@given(draws())
def test_a_value_is_what_a_client_reads_by_the_template(drawn: Draw) -> None:
    """Produced, it is unpacked again as it was, and a reader of templates finds the same."""
    kind, value, _ = drawn
    octets = kind.produce(value)
    assert len(octets) == kind.size
    assert kind.unpack(octets) == value
    assert kind.produce(kind.unpack(octets)) == octets
    templates, number = published(kind)
    assert read_value(templates, number, octets) == value


@ANY
@given(draws())
def test_whatever_octets_are_there_are_read_alike(drawn: Draw) -> None:
    """Lengths that are none, pads that are not zero: nothing is refused, and pads are no part of the value."""
    kind, _, chance = drawn
    octets = chance.randbytes(kind.size)
    templates, number = published(kind)
    value = kind.unpack(octets)
    assert repr(dict(value)) == repr(read_value(templates, number, octets))  # so that a NaN is a NaN
    assert repr(kind.unpack(kind.produce(value))) == repr(value)


@ANY
@given(draws())
def test_members_left_out_are_zero(drawn: Draw) -> None:
    """In any order, and some of them in another case."""
    kind, value, chance = drawn
    told = chance.sample(list(value), chance.randint(0, len(value)))
    octets = kind.produce({chance.choice((name, name.swapcase())): value[name] for name in told})
    assert kind.unpack(octets) == {**kind.unpack(bytes(kind.size)), **{name: value[name] for name in told}}
