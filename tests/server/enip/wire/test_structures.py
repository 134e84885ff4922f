"""Structures: how a Logix controller lays them out, their names and handles, and the templates clients know them by."""

from __future__ import annotations

from typing import Any

import pytest

from cpppo import LocalProtocolError
from cpppo.server.enip.wire.strings import SSTRING, STRING, structure
from cpppo.server.enip.wire.structures import MAXIMUM_MEMBERS, Member, Structure, template_words
from cpppo.server.enip.wire.types import BOOL, DINT, DWORD, INT, LINT, LREAL, REAL, SINT, TYPES, USINT

STRUCT_B = Structure("STRUCT_B", [("pilot_on", BOOL, 0), ("hourlyCount", INT, 12), ("rate", REAL, 0)], 0x9ECD)
OUTER = structure("Outer", [("id", DINT, 0), ("b", STRUCT_B, 2), ("msg", STRING, 0)])

#: Where a type can begin, in octets.
ALIGNMENTS = {
    **{"SINT": 1, "USINT": 1, "BYTE": 1, "INT": 2, "UINT": 2, "WORD": 2},
    **{"DINT": 4, "UDINT": 4, "DWORD": 4, "REAL": 4, "LINT": 8, "ULINT": 8, "LWORD": 8, "LREAL": 8},
}


def number(kind: Structure) -> int:
    """The numbers of the templates inside others, as in the recorded conversations."""
    return 0xFCE if kind is STRING else 0x2E9


def places(*members: tuple[str, Any, int]) -> dict[str, tuple[int, int | None]]:
    """(offset, bit) of each member by name, hidden ones as host0, host1, ..."""
    made = Structure("S", members)
    hosts = [one for one in made.members if one.hidden]
    return {f"host{hosts.index(one)}" if one.hidden else one.name: (one.offset, one.bit) for one in made.members}


# ------------------------------------------------------------------ templates
def test_the_template_of_a_structure() -> None:
    """STRUCT_B of Logix 5000 Data Access: 0x61 octets of definition are 0x1E words, and 100 octets when padded."""
    definition = STRUCT_B.definition(number)
    assert definition == (
        bytes.fromhex("0000C20000000000 0000C10000000000 0C00C32002000000 0000CA001C000000")
        + b"STRUCT_B;nEAEAEAEA\0"
        + b"ZZZZZZZZZZSTRUCT_B0\0pilot_on\0hourlyCount\0rate\0"
        + bytes(3)
    )
    assert len(definition) == 100 and len(definition.rstrip(b"\0")) + 1 == 0x61
    assert template_words(definition) == 0x1E
    assert (STRUCT_B.size, STRUCT_B.alignment, STRUCT_B.handle, STRUCT_B.tag_type) == (0x20, 4, 0x9ECD, 0x2A0)


def test_the_template_of_string() -> None:
    """LEN and 82 DATA in 88 octets; its template has another name, and its handle is that of all STRINGs."""
    definition = STRING.definition(number)
    assert definition == (
        bytes.fromhex("0000C40000000000 5200C22004000000") + b"ASCIISTRING82;nEAEA\0LEN\0DATA\0" + bytes(3)
    )
    assert (len(definition), template_words(definition)) == (48, 0x11)
    assert (STRING.size, STRING.alignment, STRING.handle, len(STRING.members)) == (88, 4, 0xFCE, 2)


def test_the_template_of_structures_in_a_structure() -> None:
    """A member that is a structure has the number of its template, with a bit, and another for an array."""
    definition = OUTER.definition(number)
    assert definition == (
        bytes.fromhex("0000C40000000000 0200E9A204000000 0000CE8F44000000") + b"Outer;nEAEAEA\0id\0b\0msg\0" + bytes(5)
    )
    assert (template_words(definition), OUTER.size) == (0x12, 156)
    assert list(OUTER.inner()) == [STRUCT_B, STRING] and list(STRUCT_B.inner()) == []


@pytest.mark.parametrize("length", range(1, 41))
def test_a_template_has_all_that_any_client_asks_for(length: int) -> None:
    """Clients ask for 4 * words less 23, 21 or 20 octets: the definition is in the least, and the most are there."""
    definition = Structure("S", [("x" * length, DINT, 0)]).definition(number)
    raw = 8 + len("S;nEA\0") + length + 1
    words = template_words(definition)
    assert words == (raw + 23 + 3) // 4
    assert raw <= 4 * words - 23 and len(definition) == 4 * words - 20
    assert definition[raw - 2 :] == b"x" + bytes(len(definition) - raw + 1)


def test_what_a_template_says_of_arrays_and_bits() -> None:
    """The number of a BOOL's bit or of an array's elements; the type of an array has a bit of its own."""
    made = Structure("S", [("a", BOOL, 0), ("b", BOOL, 0), ("c", BOOL, 40), ("d", LREAL, 65535), ("e", SINT, 1)])
    assert made.definition(number)[:48].hex(" ", 8).upper() == (
        "0000C20000000000 0000C10000000000 0100C10000000000 0200D32004000000 FFFFCB2010000000 0100C22008000800"
    )


# ------------------------------------------------------------------ layout
@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("name", ALIGNMENTS)
def test_every_type_is_aligned(name: str, count: int) -> None:
    """A member begins at a multiple of its size, alone and in an array; the whole is padded to 4, or to 8."""
    size = ALIGNMENTS[name]
    made = Structure("S", [("lead", SINT, 0), ("it", TYPES[name], count), ("last", USINT, 0)])
    end = size * (1 + (count or 1))
    assert made.members == (
        Member("lead", SINT, 0, 0),
        Member("it", TYPES[name], count, size),
        Member("last", USINT, 0, end),
    )
    assert made.alignment == (8 if size == 8 else 4)
    assert made.size == (end + made.alignment) // made.alignment * made.alignment


def test_every_type_has_an_alignment() -> None:
    """No elementary type was forgotten above; BOOL has no place of its own."""
    assert set(ALIGNMENTS) == set(TYPES) - {"BOOL"}


@pytest.mark.parametrize(("kind", "size"), [(SINT, 4), (INT, 4), (REAL, 4), (LINT, 8), (LREAL, 8), (BOOL, 4)])
def test_a_structure_is_whole_words(kind: Any, size: int) -> None:
    """However small: 4 octets, or 8 with a member of 8."""
    made = Structure("S", [("x", kind, 0)])
    assert (made.size, made.alignment) == (size, size)


def test_structures_in_a_structure_are_aligned_to_4() -> None:
    """Even those whose members would not need it; octets follow one another, words do not begin in between."""
    small = Structure("Small", [("a", SINT, 0)])
    assert places(("x", SINT, 0), ("one", small, 0), ("y", SINT, 0), ("two", small, 3), ("z", SINT, 0)) == {
        **{"x": (0, None), "one": (4, None), "y": (8, None), "two": (12, None), "z": (24, None)}
    }


@pytest.mark.parametrize("kind", [LINT, LREAL, TYPES["ULINT"], TYPES["LWORD"]])
def test_structures_with_a_member_of_8_octets_are_aligned_to_8(kind: Any) -> None:
    """And so are those that contain them, at any depth, also as arrays."""
    wide = Structure("Wide", [("a", SINT, 0), ("b", kind, 0), ("c", SINT, 0)])
    assert (wide.size, wide.alignment) == (24, 8)
    middle = Structure("Middle", [("x", DINT, 0), ("w", wide, 2), ("y", SINT, 0)])
    assert [one.offset for one in middle.members] == [0, 8, 56]
    assert (middle.size, middle.alignment) == (64, 8)
    outer = Structure("Top", [("x", DINT, 0), ("m", middle, 0)])
    assert ([one.offset for one in outer.members], outer.size, outer.alignment) == ([0, 8], 72, 8)


def test_strings_in_a_structure() -> None:
    """Each STRING has 88 octets, also in an array, and begins at a whole word."""
    assert places(("x", SINT, 0), ("s", STRING, 0), ("t", STRING, 3), ("y", SINT, 0)) == {
        **{"x": (0, None), "s": (4, None), "t": (92, None), "y": (92 + 3 * 88, None)}
    }


# ------------------------------------------------------------------ BOOL
@pytest.mark.parametrize(("count", "hosts"), [(1, 1), (7, 1), (8, 1), (9, 2), (16, 2), (17, 3), (32, 4), (33, 5)])
def test_bools_share_hidden_octets(count: int, hosts: int) -> None:
    """Eight to an octet, the first in bit 0; an octet is a hidden SINT in front of its bits."""
    made = Structure("S", [(f"b{at}", BOOL, 0) for at in range(count)])
    expected = []
    for host in range(hosts):
        expected.append(Member(f"ZZZZZZZZZZS{9 * host}", SINT, 0, host, hidden=True))
        expected += [Member(f"b{at}", BOOL, 0, host, at % 8) for at in range(8 * host, min(8 * host + 8, count))]
    assert made.members == tuple(expected)
    assert made.size == (4 if count <= 32 else 8)


@pytest.mark.parametrize(
    ("between", "second"),
    [
        (("x", SINT, 0), 2),
        (("x", INT, 0), 4),
        (("x", DINT, 0), 8),
        (("x", SINT, 5), 6),
        (("x", BOOL, 32), 8),
        (("x", STRUCT_B, 0), 36),
        (("x", STRING, 2), 180),
    ],
    ids=str,
)
def test_a_member_between_bools_breaks_their_octet(between: Any, second: int) -> None:
    """Whatever it is: the BOOLs behind it get a new octet, beginning with bit 0 again."""
    found = places(("a", BOOL, 0), ("b", BOOL, 0), between, ("c", BOOL, 0), ("d", BOOL, 0))
    found.pop("x")
    assert found == {
        **{"host0": (0, None), "a": (0, 0), "b": (0, 1)},
        **{"host1": (second, None), "c": (second, 0), "d": (second, 1)},
    }


@pytest.mark.parametrize(("count", "words"), [(1, 1), (31, 1), (32, 1), (33, 2), (64, 2), (65535, 2048)])
def test_an_array_of_bool_is_one_of_dword(count: int, words: int) -> None:
    """32 to a word, and aligned as words."""
    made = Structure("S", [("x", SINT, 0), ("flags", BOOL, count)])
    assert made.members[1] == Member("flags", DWORD, words, 4)
    assert made.size == 4 + 4 * words


@pytest.mark.parametrize("name", ["S", "x" * 27, "x" * 27 + "1", "x" * 28 + "1", "x" * 29 + "1", "x" * 39 + "1"])
def test_hidden_octets_have_names_of_their_own(name: str) -> None:
    """Their places at the end, however long the structure's name and whatever digits it ends with."""
    members: list[tuple[str, Any, int]] = [("lead", SINT, 0), *((f"a{at}", BOOL, 0) for at in range(8))]
    members += [("between", SINT, 0), *((f"b{at}", BOOL, 0) for at in range(440))]
    hosts = [one.name for one in Structure(name, members).members if one.hidden]
    assert len(hosts) == len(set(hosts)) == 56
    prefix = ("ZZZZZZZZZZ" + name)[:37]
    assert hosts[:3] == [f"{prefix}{place}" for place in (1, 11, 20)] and hosts[-1] == f"{prefix}497"


# ------------------------------------------------------------------ names
def test_members_are_found_without_case() -> None:
    """With the case they were given; the hidden octet of BOOLs, too; what is not there is None."""
    for name in ("hourlyCount", "HOURLYCOUNT", "hourlycount"):
        assert STRUCT_B.find(name) == Member("hourlyCount", INT, 12, 2)
    assert STRUCT_B.find("zzzzzzzzzzstruct_b0") == Member("ZZZZZZZZZZSTRUCT_B0", SINT, 0, 0, hidden=True)
    assert STRUCT_B.find("hourly") is STRUCT_B.find("") is None
    assert (repr(STRUCT_B), STRUCT_B.name) == ("STRUCT_B", "STRUCT_B")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([], "at least one member"),
        ([("a", DINT, 0), ("b", INT, 0), ("A", REAL, 0)], "member 'a' is there twice"),
        ([("a", BOOL, 0), ("b", BOOL, 0), ("b", BOOL, 0)], "member 'b' is there twice"),
        ([("ZZZZZZZZZZ", SINT, 0)], "member 'ZZZZZZZZZZ': names with .* are of octets that hold BOOLs"),
        ([("b", BOOL, 0), ("zzzzzzzzzzs0", SINT, 0)], "member 'zzzzzzzzzzs0': names with ZZZZZZZZZZ in front"),
        ([("a", SSTRING, 0)], "member 'a': SSTRING .* use STRING"),
        ([("", DINT, 0)], "'' is no name of a member"),
        ([("1a", DINT, 0)], "'1a' is no name of a member"),
        ([("a b", DINT, 0)], "'a b' is no name of a member"),
        ([("a.b", DINT, 0)], "'a.b' is no name of a member"),
        ([("a:b", DINT, 0)], "'a:b' is no name of a member"),
        ([("a\0", DINT, 0)], "is no name of a member"),
        ([("gr\xfc\xdfe", DINT, 0)], "is no name of a member"),
        ([("x" * 41, BOOL, 0)], f"'{'x' * 41}' is no name of a member; use up to 40 letters, digits and _"),
    ],
    ids=str,
)
def test_what_no_controller_could_have_is_refused(members: Any, words: str) -> None:
    """No members, names that are none or are there twice, and types that have no place: the member is named."""
    with pytest.raises(LocalProtocolError, match=words):
        Structure("S", members)


@pytest.mark.parametrize("name", ["", "1a", "a b", "a;b", "a.b", "a\0", "gr\xfc\xdfe", "a\u20ac", "x" * 41, "a:b c"])
@pytest.mark.parametrize("make", [structure, lambda name, _: structure(name, [("LEN", DINT, 0), ("DATA", SINT, 8)])])
def test_a_structure_needs_a_name_that_a_template_can_tell(make: Any, name: str) -> None:
    """Clients find where it ends by a semicolon, and all are in ISO-8859-1; also of text."""
    with pytest.raises(LocalProtocolError) as caught:
        make(name, [("a", DINT, 0)])
    assert caught.value.reason == f"{name!r} is no name of a structure; use up to 40 letters, digits and _"


@pytest.mark.parametrize("name", ["x" * 40, "_", "AB:1756_IF8:I:0"])
def test_names_that_a_structure_can_have(name: str) -> None:
    """Those of modules have colons."""
    made = Structure(name, [("a", DINT, 0)])
    assert (made.name, made.template_name, repr(made)) == (name, name, name)
    assert f"{name};nEA\0a\0".encode() in made.definition(number)


def test_a_name_is_not_repeated_at_length() -> None:
    """Of a name that is far too long, an error shows the beginning."""
    for name, member in (("S", "x" * 100_000), ("x" * 100_000, "a")):
        with pytest.raises(LocalProtocolError) as caught:
            Structure(name, [(member, BOOL, 0)])
        assert len(caught.value.reason) < 150


@pytest.mark.parametrize("name", ["x" * 40, "_", "Z9", "for", "__class__", "ZZZZZZZZZ"])
def test_names_that_are_possible(name: str) -> None:
    """Up to 40 characters, and words that mean something to Python."""
    made = Structure("S", [(name, DINT, 0)])
    assert made.find(name.upper()) == Member(name, DINT, 0, 0)
    assert made.unpack(made.produce({name: 7})) == {name: 7}


def test_the_most_members() -> None:
    """512 with those that are hidden, and not one more."""
    assert MAXIMUM_MEMBERS == 512
    assert len(Structure("S", [(f"m{at}", SINT, 0) for at in range(512)]).members) == 512
    assert len(Structure("S", [(f"m{at}", BOOL, 0) for at in range(455)]).members) == 512
    for count, kind, found in ((513, SINT, 513), (456, BOOL, 513), (9999, SINT, 9999)):
        with pytest.raises(LocalProtocolError, match=f"{found} members are more than the 512"):
            Structure("S", [(f"m{at}", kind, 0) for at in range(count)])


@pytest.mark.parametrize("kind", [BOOL, SINT, LREAL, STRUCT_B, STRING], ids=repr)
@pytest.mark.parametrize("count", [-1, -32, -33, 65536, 1 << 32])
def test_an_array_has_as_many_elements_as_a_template_can_count(kind: Any, count: int) -> None:
    """No fewer than none, which would have members on top of each other, and no more than 16 bits tell."""
    with pytest.raises(LocalProtocolError, match=f"member 'x': an array has 1 to 65535 elements, not {count}"):
        Structure("S", [("a", DINT, 0), ("x", kind, count), ("b", DINT, 0)])


def test_the_largest_structure() -> None:
    """2 MB, as the tags of controllers; however it comes to be so large."""
    part = Structure("Part", [("x", SINT, 1 << 15)])
    assert Structure("S", [("a", part, 64)]).size == 1 << 21
    assert Structure("S", [("a", part, 63), ("b", part, 0)]).size == 1 << 21
    for members in ([("a", part, 64), ("b", BOOL, 0)], [("a", SINT, 0), ("b", part, 64)], [("a", part, 65535)]):
        with pytest.raises(LocalProtocolError, match="octets are more than the 2097152 that a structure can have"):
            Structure("S", members)


# ------------------------------------------------------------------ handles
MEMBERS: list[tuple[str, Any, int]] = [("a", DINT, 0), ("b", BOOL, 0), ("c", REAL, 4), ("d", STRUCT_B, 0)]


def test_a_handle_is_the_same_at_every_start() -> None:
    """Clients keep it, and send it back when they write: it follows from names and types alone."""
    assert Structure("Motor", MEMBERS).handle == Structure("Motor", list(MEMBERS)).handle == 0x8428
    assert structure("STR20", [("LEN", DINT, 0), ("DATA", SINT, 20)]).handle == 0x779A


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("Pump", MEMBERS),
        ("Motor", MEMBERS[:3]),
        ("Motor", [*MEMBERS, ("e", DINT, 0)]),
        ("Motor", [MEMBERS[1], MEMBERS[0], *MEMBERS[2:]]),
        ("Motor", [("x", DINT, 0), *MEMBERS[1:]]),
        ("Motor", [("a", TYPES["UDINT"], 0), *MEMBERS[1:]]),
        ("Motor", [("a", DINT, 1), *MEMBERS[1:]]),
        ("Motor", [*MEMBERS[:2], ("c", REAL, 5), MEMBERS[3]]),
        ("Motor", [*MEMBERS[:3], ("d", OUTER, 0)]),
        ("Motor", [*MEMBERS[:3], ("d", Structure("STRUCT_B", [("pilot_on", BOOL, 0)]), 0)]),
    ],
    ids=lambda one: str(one)[:60],
)
def test_structures_that_differ_have_other_handles(name: str, members: Any) -> None:
    """In a name, a type, a number of elements, an order, or in what is inside: data of one is not taken for another."""
    assert Structure(name, members).handle != Structure("Motor", MEMBERS).handle


def test_handles_are_16_bits_and_numbered_structures_have_their_own() -> None:
    """Never zero; and of structures alike but for two digits of their names no two have the same."""
    made = [Structure(f"Recipe{at:02}", [("a", DINT, 0)]).handle for at in range(100)]
    assert all(0 < one < 0x10000 for one in made) and len(set(made)) == 100


@pytest.mark.parametrize(("name", "otherwise"), [("S127139", 0xFCE), ("S7", 0)])
def test_no_structure_has_the_handle_of_string_by_chance(name: str, otherwise: int) -> None:
    """Clients would take it for text; and zero for none."""
    assert Structure(name, [("a", DINT, 0)]).handle == otherwise | 0x8000


def test_a_handle_that_is_given_is_kept() -> None:
    """As a controller of that structure has it."""
    assert Structure("Motor", MEMBERS, 0x1234).handle == 0x1234
    assert Structure("Motor", MEMBERS, 0x1234).template_name == "Motor"
