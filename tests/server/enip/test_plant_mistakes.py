"""Mistakes in plant files: each with its line and key and what to do instead, all of them in one go, and no others."""

from __future__ import annotations

import pytest

from cpppo.errors import UsageError
from cpppo.server.enip.device import Device
from cpppo.server.enip.plant import PlantError, parse_plant
from cpppo.server.enip.tagging import create
from tests.server.enip.test_plant import MOTOR

LONG = "x" * 41


def mistakes(text: str) -> list[tuple[int, str, str]]:
    """(line, key, what is wrong) of all that is wrong with a plant file, be it found in reading or in making it."""
    with pytest.raises(PlantError) as raised:
        plant = parse_plant(text.encode(), "some.toml")
        plant.populate(plant.device())
    found = raised.value.problems
    assert str(raised.value).split("\n") == [f"some.toml:{line}: {key}: {said}" for line, key, said in found]
    return found


def check(text: str, *expected: tuple[int, str, str]) -> None:
    """The mistakes of a file are these and no others: line, key, and a part of what is said."""
    found = mistakes(text)
    assert [one[:2] for one in found] == [one[:2] for one in expected], found
    for (_, _, said), (_, _, part) in zip(found, expected, strict=True):
        assert part in said


# -- one of each sort, and all of them together

#: A mistake of each sort that the specification names, on lines of their own.
EACH = """\
[controller]
profile = "1756-L99"
color = "red"

[types.Motor]
speed = "FLOAT"
[types.A]
b = "B[2]"
[types.B]
a = "A"
[types.Fine]
x = "INT"

[tags]
Drive = "Motor[8]"
Ring = "A"
Count = { type = "SINT", value = 128 }
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx = "INT"
Level = "REAL"
LEVEL = "INT"
Count = "DINT"
Fine = "Fine"
One = { type = "INT", address = "0x93/1/1" }
Two = { type = "INT", address = "0x93/1/1" }
Three = 3

[programs.MainProgram.tags]
Level = { type = "INT", value = "5" }
Other = { typ = "INT" }
"""


def test_all_in_one_go() -> None:
    """Every mistake of a file is told at once, each with line and key; what depends on one is not told again."""
    check(
        EACH,
        (2, "controller.profile", "'1756-L99'; one of 1756-L61, 1756-L83E, 5069-L320ER, 2080-LC50"),
        (3, "controller.color", "unknown key; known are name, profile, vendor"),
        (6, "types.Motor.speed", "unknown type 'FLOAT'; write REAL, one of BOOL, SINT"),
        (10, "types.B.a", "A would contain itself: A -> B -> A"),
        (17, "tags.Count.value", "128 does not fit SINT, which takes -128 to 127; USINT does"),
        (18, f"tags.{LONG}", "a name has up to 40 characters, this one 41"),
        (20, "tags.LEVEL", "it is there already, as Level: names are compared without case"),
        (21, "tags.Count", "it is there already, in line 17"),
        (24, "tags.Two.address", "'One' is there already; choose another attribute"),
        (25, "tags.Three", '3 is no type; write eg. Three = "REAL"'),
        (28, "programs.MainProgram.tags.Level.value", '"5" is no INT'),
        (29, "programs.MainProgram.tags.Other.typ", "unknown key; is it type?"),
    )


# -- tables and keys


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("A = 'INT[10]'", 1, "A", "tags stand below [tags]"),
        ("[tag]\nA = 'INT'", 1, "tag", "is it tags?"),
        ("[Tags]\nA = 'INT'", 1, "Tags", "is it tags?"),
        ("[program.P.tags]", 1, "program", "is it programs?"),
        ("[plant]", 1, "plant", "known are controller, types, tags, programs"),
        ("tags = 'INT'", 1, "tags", '"INT" is not a table'),
        ("[[tags]]\nA = 'INT'", 1, "tags", "single brackets: [tags]"),
        ("[programs]\nP = 'x'", 2, "programs.P", "write [programs.P.tags]"),
        ("[programs.P]\nA = 'INT'", 2, "programs.P.A", "the tags stand below [programs.P.tags]"),
        ("[programs.P]\ntags = 5", 2, "programs.P.tags", "5 is not a table"),
        ("[programs.'a b'.tags]", 1, 'programs."a b"', "letters, digits and _"),
        ("[programs.'a:b'.tags]", 1, 'programs."a:b"', "letters, digits and _"),
        (f"[programs.{LONG}.tags]", 1, f"programs.{LONG}", "40 characters"),
        ("[programs.P]\n[programs.p]", 2, "programs.p", "already, as P"),
    ],
)
def test_tables(text: str, line: int, key: str, says: str) -> None:
    """Tables and keys that there are not, or that are something else: one mistake."""
    check(text, (line, key, says))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("name = ''", "1 to 40 characters"),
        (f"name = '{LONG}'", "1 to 40 characters"),
        ("name = '\u20ac'", "ISO-8859-1"),
        ("name = 5", '5 is not text in quotes; write name = "5"'),
        ("profile = 1756", 'write profile = "1756"'),
        ("vendor = 'Rockwell'", '"Rockwell" is not a whole number, without quotes'),
        ("vendor = 65536", "65536 is not a number of 0 to 65535"),
        ("device_type = -1", "-1 is not a number of 0 to 65535"),
        ("product_code = true", "true is not a whole number"),
        ("status = 1.5", "1.5 is not a whole number"),
        ("serial = 0x100000000", "4294967296 is not a number of 0 to 4294967295"),
        ("serial = 0x" + "f" * 6000, "... is not a number of 0 to 4294967295"),
        ("revision = 32.11", 'write revision = "32.11"'),
        ("revision = '32'", '"32" is no revision; write major and minor number, eg. "32.11"'),
        ("revision = '32.256'", "no revision"),
        ("revision = '1.2.3'", "no revision"),
        ("revision = '\u0663.1'", "no revision"),
        ("product_name = '123456789012345678901234567890123'", "up to 32 characters"),
        ("product_name = '\u20ac'", "ISO-8859-1"),
        ("strict = 1", "1 is not true or false"),
        ("large_forward_open = 'no'", '"no" is not true or false, without quotes'),
        ("Profile = '1756-L61'", "is it profile?"),
        ("slot = 0", "known are name, profile"),
    ],
    ids=lambda one: one[:30],
)
def test_controller(line: str, says: str) -> None:
    """Each key of the controller, with what it cannot be."""
    check(f"[tags]\n\n[controller]\n{line}\n", (4, f"controller.{line.partition(' ')[0]}", says))


# -- types


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ("x = 'FLOAT'", "write REAL"),
        ("x = 'Moter'", "is it Motor?"),
        ("x = 'INT[2,3]'", 'one dimension at most; write eg. "INT[2]"'),
        ("x = 'INT[0]'", 'x = "INT[10]"'),
        ("x = 'INT['", "is no type"),
        ("x = 'INT = 5'", "a type has no values"),
        ("x = 'DINT[65536]'", "an array has 1 to 65535 elements, not 65536"),
        ("x = 'SSTRING'", "use STRING"),
        ("x = 5", 'write eg. x = "REAL"'),
        ("x = { type = 'INT' }", 'write x = "INT"'),
        ("x = { a = 'INT' }", "a head of its own, [types.NAME]"),
        ("x = ['INT', 'INT']", 'write x = "INT"'),
        ("'x y' = 'INT'", "letters, digits and _"),
        ("'x:y' = 'INT'", "letters, digits and _"),
        (f"{LONG} = 'INT'", "40 characters"),
        ("SPEED = 'INT'", "already, as speed"),
        ("x = 'Motor'", "Motor would contain itself: Motor -> Motor"),
    ],
)
def test_members(member: str, says: str) -> None:
    """What a member cannot be; nothing is said of the tags of its structure."""
    name = member.partition(" =")[0].replace("'", '"')
    text = f"{MOTOR.rstrip()}\n{member}\n[types.Line]\nm = 'Motor'\n[tags]\nA = 'Motor'\nB = 'Line[2]'\n"
    check(text, (7, f"types.Motor.{name}", says))


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("[types.INT]\nx = 'REAL'\n[tags]\nA = 'INT'", 1, "types.INT", "elementary type of that name"),
        ("[types.string]\nx = 'REAL'", 1, "types.string", "elementary type of that name"),
        (
            "[types]\nMotor = 'REAL'\n[tags]\nA = 'Motor'",
            2,
            "types.Motor",
            "write [types.Motor] and below it member = type",
        ),
        ("[types.Motor]\n[tags]\nA = 'Motor'", 1, "types.Motor", "at least one member"),
        ("[types.'a b']\nx = 'INT'\n[tags]\nA = 'a b'", 1, 'types."a b"', "letters, digits and _"),
        (f"[types.{LONG}]\nx = 'INT'\n[tags]\nA = '{LONG}'", 1, f"types.{LONG}", "40 characters"),
        ("[types.A]\nx = 'INT'\n[types.a]\ny = 'INT'\n[tags]\nA = 'a'", 3, "types.a", "already, as A"),
        ("[types.A]\nx = 'INT'\n[tags]\n[types.A]\ny = 'IMT'", 4, "types.A", "already, in line 1"),
        ("[type.A]\nx = 'INT'\n[tags]\nA = 'A[2]'", 1, "type", "is it types?"),
        ("types = 5\n[tags]\nA = 'A[2]'", 1, "types", "5 is not a table"),
    ],
)
def test_types(text: str, line: int, key: str, says: str) -> None:
    """What a structure cannot be; nothing is said of the tags of it."""
    check(text, (line, key, says))


def test_members_of_types_that_cannot_be() -> None:
    """The members of a structure whose name is wrong are looked at all the same."""
    text = "[types.INT]\nx = 'FLOAT'\n[types.'a b']\nx = 5\n[types.A]\nx = 'INT'\n[types.a]\nx = 'IMT'\n"
    assert [one[:2] for one in mistakes(text)] == [
        (1, "types.INT"),
        (2, "types.INT.x"),
        (3, 'types."a b"'),
        (4, 'types."a b".x'),
        (7, "types.a"),
        (8, "types.a.x"),
    ]


def test_cycles() -> None:
    """Each cycle is told once, where it is closed, with all that are in it; not what is made of it."""
    text = """\
[types.Outside]
a = "A"
[types.A]
x = "INT"
b = "B"
[types.B]
c = "C[3]"
b = "B"
[types.C]
a = "a"
[tags]
T = "Outside"
U = "A"
"""
    check(
        text,
        (8, "types.B.b", "B would contain itself: B -> B"),
        (10, "types.C.a", "A would contain itself: A -> B -> C -> A"),
    )


def test_too_deep() -> None:
    """Structures more than 32 deep in each other are refused, in whatever order they stand; so are thousands."""
    types = [f"[types.T{one}]\nx = '{f'T{one + 1}' if one < 32 else 'INT'}'\n" for one in range(33)]
    for order, line in ((types, 64), (types[::-1], 65)):
        ((found, _, said),) = mistakes("".join(order) + "[tags]\nA = 'T0'\n")
        assert (found, "32 deep" in said) == (line, True)
    many = "".join(f"[types.T{one}]\nx = 'T{one + 1}'\n" for one in range(3000)) + "[types.T3000]\nx = 'INT'\n"
    assert {said for _, _, said in mistakes(many)} == {"structures are up to 32 deep in each other; it is deeper"}


def test_too_many_members() -> None:
    """A structure of more members than a controller counts, those that hold BOOLs included."""
    members = "".join(f"m{one} = 'BOOL'\n" for one in range(456))
    assert parse_plant(f"[types.A]\n{members[:-1]}\n".rpartition("m455")[0].encode()).summary().startswith("1 type")
    check(f"[types.A]\n{members}", (1, "types.A", "513 members are more than the 512"))


def test_more_templates_than_there_are_numbers_for() -> None:
    """More structures than a controller has numbers for: told once, with the first tag that has none."""
    types = "".join(f"[types.T{one}]\nx = 'INT'\n" for one in range(3300))
    tags = "".join(f"A{one} = 'T{one}'\n" for one in range(3300))
    ((line, key, said),) = mistakes(f"{types}[tags]\n{tags}")
    assert line == 6601 + 1 + int(key.removeprefix("tags.A")) and "use fewer types" in said
    assert parse_plant(f"{types}[tags]\n".encode()).summary() == "3300 types, 0 tags, 0 programs"


# -- beside the file


def test_names_that_the_command_line_has_too() -> None:
    """A tag of the command line with the name of one of the file is refused, whatever its case."""
    plant = parse_plant(b"[tags]\nLevel = 'REAL'\n[programs.P.tags]\nA = 'INT'\n")
    for text, there in (("LEVEL=INT", "Level"), ("Program:p.a", "Program:P.A")):
        device = plant.device()
        plant.populate(device)
        with pytest.raises(UsageError, match=f"exists already, as '{there}'"):
            create(device, text, kinds=plant.kinds)
        assert len(device.tags()) == 2


def test_a_controller_that_has_tags() -> None:
    """Names and addresses that a controller has already are refused, with their lines."""
    plant = parse_plant(b"[tags]\nA = 'INT'\nB = { type = 'INT', address = '0x93/1/1' }\nC = 'INT'", "x.toml")
    device = Device()
    create(device, "a")
    create(device, "X@0x93/1/1=INT")
    with pytest.raises(PlantError) as raised:
        plant.populate(device)
    assert [one[:2] for one in raised.value.problems] == [(2, "tags.A"), (3, "tags.B.address")]
