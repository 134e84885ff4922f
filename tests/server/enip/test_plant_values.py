"""Mistakes in the tags of plant files: types, values, access and addresses, and what is said to do instead."""

from __future__ import annotations

import pytest

from tests.server.enip.test_plant import MOTOR
from tests.server.enip.test_plant_mistakes import LONG, check, mistakes

LINE = MOTOR + "[types.Line]\nmotors = 'Motor[2]'\nspare = 'Motor'\nbits = 'BOOL[40]'\n"


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        ("A = 'FLOAT'", "unknown type 'FLOAT'; write REAL, one of BOOL, SINT"),
        ("A = 'int32'", "write DINT"),
        ("A = ''", "unknown type ''"),
        ("A = 'Moter'", 'unknown type "Moter"; is it Motor?'),
        ("A = 'Moter[2]'", 'unknown type "Moter"; is it Motor?'),
        ("A = 'INT['", "'INT[' is no type"),
        ("A = 'INT[0]'", 'A = "INT[10]"'),
        ("A = 'INT[-1]'", 'A = "INT[10]"'),
        ("A = 'INT[16777217]'", "16777216"),
        ("A = 'INT[1,2,3,4]'", 'A = "INT[2,3]"'),
        ("A = 'BOOL[2,3]'", 'A = "BOOL[6]"'),
        ("A = 'INT 10'", 'write "INT[10]"'),
        ("A = 'INT(10)'", 'write "INT[10]"'),
        ("A = 'Motor (2, 3)'", 'write "Motor[2,3]"'),
        ("A = 'INT[2][3]'", 'write "INT[2,3]"'),
        ("A = 'ARRAY[0..9] OF INT'", 'write "INT[10]"'),
        ("A = 'array [5] of Motor'", 'write "Motor[5]"'),
        ("A = 'INT = 5'", 'write eg. { type = "INT[4]", value = [1, 2] }'),
        ("A = 'INT[4]=1,2,3'", 'write eg. { type = "INT[4]", value = [1, 2] }'),
        ("A = 5", '5 is no type; write eg. A = "REAL"'),
        ("A = true", "true is no type"),
        ("A = ['INT', 'INT']", 'write A = "INT"'),
        ("A = []", "[] is no type"),
        ("A = 2020-01-01", "2020-01-01 is no type"),
        ("'a b' = 'INT'", "letters, digits and _"),
        ("1a = 'INT'", "letters, digits and _"),
        ("'a.b' = 'INT'", "letters, digits and _"),
        ("'a:' = 'INT'", "letters, digits and _"),
        ("'' = 'INT'", "letters, digits and _"),
        ("'Stra\u00dfe' = 'INT'", "letters, digits and _"),
        (f"{LONG} = 'INT'", "up to 40 characters, this one 41"),
        (f"{'x' * 5000} = 'INT'", "this one 5000"),
        ("'Program:P.A' = 'INT'", "below [programs.NAME.tags]"),
    ],
    ids=lambda one: one[:30],
)
def test_tags(tag: str, says: str) -> None:
    """What a tag cannot be, in one line: what, and what to write instead."""
    ((line, key, said),) = mistakes(f"{MOTOR}[tags]\nFirst = 'INT'\n{tag}\nLast = 'INT'\n")
    assert (line, key.startswith("tags."), says in said, "\n" in said) == (10, True, True, False), said
    assert len(key) + len(said) < 250


@pytest.mark.parametrize(
    ("table", "key", "says"),
    [
        ("{ value = 5 }", "", 'it has no type; add eg. type = "INT[10]"'),
        ("{ }", "", "The members of a structure stand below [types.A]"),
        ("{ speed = 'REAL', run = 'BOOL' }", "", "The members of a structure stand below [types.A]"),
        ("{ Type = 'INT' }", ".Type", "is it type?"),
        ("{ type = 'INT', vale = 5 }", ".vale", "is it value?"),
        ("{ type = 'INT', initial = 5 }", ".initial", "known are type, value, description, access, address"),
        ("{ type = 'Motor', speed = 5 }", ".speed", "write a member's value as value = {speed = 5}"),
        ("{ type = 5 }", ".type", '5 is not text in quotes; write type = "5"'),
        ("{ type = 'IMT', value = 'x' }", ".type", "unknown type 'IMT'"),
        ("{ type = 'IMT[0]', value = [5] }", ".type", "unknown type 'IMT'"),
        ("{ type = 'INT', description = 5 }", ".description", '5 is not text in quotes; write description = "5"'),
        ("{ type = 'INT', access = 'ro' }", ".access", '"ro" is not one of read-write, read-only, none'),
        ("{ type = 'INT', access = false }", ".access", "false is not text in quotes"),
        ("{ type = 'INT', address = 5 }", ".address", "5 is not text in quotes"),
        ("{ type = 'INT', address = '' }", ".address", 'write eg. "0x93/1/10"'),
        (
            "{ type = 'INT', address = '0x93/1' }",
            ".address",
            '"0x93/1" is no class/instance/attribute; write eg. "0x93',
        ),
        ("{ type = 'INT', address = '1/1/1' }", ".address", "Identity; choose another class, eg. 0x93"),
        ("{ type = 'INT', address = '0x6b/1/1' }", ".address", "choose another, eg. 0x93"),
        ("{ type = 'INT', address = '0/1/1' }", ".address", "numbers begin at 1"),
        ("{ type = 'INT', address = '0x93/1/1' }", ".address", "'First' is there already"),
    ],
)
def test_tables(table: str, key: str, says: str) -> None:
    """What the table of a tag cannot be."""
    first = 'First = { type = "INT", address = "0x93/1/1" }'
    check(f"{MOTOR}[tags]\n{first}\nA = {table}\nLast = 'INT'\n", (10, f"tags.A{key}", says))


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("INT", "99999", "99999 does not fit INT, which takes -32768 to 32767; DINT does"),
        ("USINT", "-1", "-1 does not fit USINT, which takes 0 to 255; SINT does"),
        ("ULINT", "18446744073709551616", "no ULINT, which takes whole numbers of 0 to 18446744073709551615"),
        ("INT", f"0x{'f' * 6000}", "... is no INT, which takes whole numbers"),
        ("INT", "5.5", "5.5 is no INT, which takes whole numbers of -32768 to 32767"),
        ("INT", "'5'", '"5" is no INT, which takes whole numbers of -32768 to 32767, without quotes'),
        ("INT", "true", "true is no INT, which takes whole numbers of -32768 to 32767; a BOOL is true or false"),
        ("INT", "[5]", "[5] is a list, where there is one INT only"),
        ("INT", "{ a = 1 }", "{a = 1} is no INT"),
        ("INT", "2020-01-01", "2020-01-01 is no INT"),
        ("REAL", "1e39", "1e+39 does not fit REAL, which ends at 3.4e38; LREAL does"),
        ("REAL", "'1.5'", '"1.5" is no REAL, which takes numbers, without quotes'),
        ("REAL", "false", "false is no REAL, which takes numbers; a BOOL is true or false"),
        ("LREAL", f"0x{'f' * 6000}", "... is no LREAL, which takes numbers"),
        ("BOOL", "2", "2 is no BOOL; write true or false"),
        ("BOOL", "1.0", "1.0 is no BOOL; write true or false"),
        ("BOOL", "'true'", '"true" is no BOOL; write true or false'),
        ("STRING", "5", '5 is no STRING; text stands in quotes: "5"'),
        ("STRING", "['a']", '["a"] is a list, where there is one STRING only'),
        ("STRING", f"'{'x' * 83}'", "a text of 83 characters is no STRING: it holds 82"),
        ("STRING", "'\u20ac'", "'\u20ac' cannot be part of a STRING, which is ISO-8859-1"),
        ("SSTRING", f"'{'x' * 256}'", "a text of 256 characters is no SSTRING: it holds 255"),
        ("Motor", "5", "5 is no Motor, which takes its members, eg. {running = false}"),
        ("Motor", "[{}]", "[{}] is a list, where there is one Motor only"),
        ("INT[3]", "5", "5 is no list; write eg. [5], of up to 3 elements"),
        ("INT[1]", "'x'", '"x" is no list; write eg. ["x"], of 1 element'),
        ("INT[3]", "[1, 2, 3, 4]", "4 values are too many: it takes up to 3 elements"),
        ("INT[3]", "[1, 'x', 3]", '[1]: "x" is no INT'),
        ("INT[3]", "[[1, 2, 3]]", "[0]: [1, 2, 3] is a list, where there is one INT only"),
        ("BOOL[3]", "[true, false, true, true]", "4 values are too many: it takes up to 3 elements"),
        ("BOOL[64]", "[true, 2]", "[1]: 2 is no BOOL; write true or false"),
        ("BOOL[64]", "5", "5 is no list"),
        ("Motor[2]", "{ speed = 1 }", "{speed = 1} is no list; write eg. [{speed = 1}], of up to 2 elements"),
        ("DINT[2,3]", "[1, 2, 3, 4, 5, 6, 7]", "7 values are too many: it takes up to 6 elements"),
        ("DINT[2,3]", "[[1], [2], [3]]", "3 lists are too many: it takes up to 2 here"),
        ("DINT[2,3]", "[[1, 2], [3]]", "[0]: 2 values are too few: 3 stand before those of the next"),
        ("DINT[2,3]", "[[1, 2, 3, 4], [5]]", "[0]: 4 values are too many: it takes up to 3 elements"),
        ("DINT[2,3]", "[[1, 2, 3], 4]", "lists and values side by side"),
        ("DINT[2,2,2]", "[[[1, 2], [3, 4]], [[5, 'x']]]", '[1][0][1]: "x" is no DINT'),
    ],
    ids=lambda one: one[:30],
)
def test_values(kind: str, value: str, says: str) -> None:
    """What a value cannot be: one mistake, that says what its type takes, or which one takes it."""
    text = f"{MOTOR}[tags]\nA = {{ type = '{kind}', value = {value} }}\n"
    check(text, (9, "tags.A.value", says))


@pytest.mark.parametrize(
    ("value", "key", "says"),
    [
        ("{ spare = 5 }", ".spare", "5 is no Motor"),
        ("{ spar = {} }", ".spar", "Line has no member spar; is it spare?"),
        ("{ 'a b' = 1 }", '."a b"', 'Line has no member "a b"; there are motors, spare, bits'),
        ("{ spare = { speed = 'x' } }", ".spare.speed", '"x" is no REAL'),
        ("{ spare = { speed = 1, SPEED = 2 } }", ".spare.SPEED", "speed has a value already"),
        ("{ spare = { ZZZZZZZZZZMotor0 = 1 } }", ".spare.ZZZZZZZZZZMotor0", "Motor has no member ZZZZZZZZZZMotor0"),
        ("{ spare = { running = 2 } }", ".spare.running", "2 is no BOOL"),
        ("{ spare = { counts = 5 } }", ".spare.counts", "5 is no list; write eg. [5], of up to 4 elements"),
        ("{ spare = { counts = [1, 2, 3, 4, 5] } }", ".spare.counts", "5 values are too many"),
        ("{ spare = { label = 5 } }", ".spare.label", '5 is no STRING; text stands in quotes: "5"'),
        ("{ spare = { label = { LEN = 'x' } } }", ".spare.label.LEN", '"x" is no DINT'),
        ("{ motors = { speed = 1 } }", ".motors", "{speed = 1} is no list; write eg. [{speed = 1}]"),
        ("{ motors = [{ speed = 'x' }] }", ".motors", '[0].speed: "x" is no REAL'),
        ("{ motors = [{}, { counts = [1, 'x'] }] }", ".motors", '[1].counts[1]: "x" is no DINT'),
        ("{ motors = [{}, {}, {}] }", ".motors", "3 values are too many: it takes up to 2 elements"),
        ("{ bits = true }", ".bits", "true is no list; write eg. [true], of up to 40 elements"),
        ("{ bits = [5] }", ".bits", "[0]: 5 is no BOOL"),
    ],
)
def test_values_of_structures(value: str, key: str, says: str) -> None:
    """A part of a structure that does not fit is told with the way to it: members as keys, elements by number."""
    check(f"{LINE}[tags]\nA = {{ type = 'Line', value = {value} }}\n", (13, f"tags.A.value{key}", says))


def test_lines_of_members() -> None:
    """Members that stand in tables with heads of their own have their own lines."""
    text = """\
[tags.A]
type = "Line"
[tags.A.value]
motors = [
  { speed = "x" },
]
[tags.A.value.spare]
speed = true
fault = 7
"""
    check(
        text + LINE,
        (4, "tags.A.value.motors", '[0].speed: "x" is no REAL'),
        (8, "tags.A.value.spare.speed", "true is no REAL"),
        (9, "tags.A.value.spare.fault", "7 is no BOOL"),
    )


def test_many_mistakes_of_one_value() -> None:
    """Of one value the first five mistakes are told, and how many more there are; others are told all the same."""
    values = ", ".join(["'x'"] * 9)
    text = f"[tags]\nA = {{ type = 'INT[10]', value = [{values}] }}\nB = {{ type = 'INT', value = 'y' }}\n"
    found = mistakes(text)
    assert [one[:2] for one in found] == [(2, "tags.A.value")] * 5 + [(3, "tags.B.value")]
    assert [said.partition(":")[0] for _, _, said in found[:5]] == [f"[{one}]" for one in range(5)]
    assert [said for _, _, said in found if "(and 4 more)" in said] == [found[4][2]]


def test_all_mistakes_of_one_tag() -> None:
    """A tag may have a mistake in each of its keys; what its value should be is not known where the type is wrong."""
    text = "[tags]\nA = { type = 'IMT', value = 'x', description = 1, access = 'x', address = 'x', colour = 'x' }\n"
    keys = ("access", "address", "colour", "description", "type")
    assert [one[:2] for one in mistakes(text)] == [(2, f"tags.A.{key}") for key in keys]


def test_text_in_structures_of_micro800() -> None:
    """Text of a length octet cannot be part of a structure: that is told where the profile is of that family."""
    check(f"[controller]\nprofile = '2080-LC50'\n{MOTOR}", (8, "types.Motor.label", "Micro800 family"))
