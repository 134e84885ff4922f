"""Plant files: what each key and form of one gives, in specifications and in the tags of a controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cpppo.errors import UsageError
from cpppo.server.enip.device import LOGIX_L61, PROFILES, Attribute, Device, Profile
from cpppo.server.enip.options import TagSpec
from cpppo.server.enip.plant import Plant, parse_plant, read_plant
from cpppo.server.enip.wire.strings import SSTRING, STRING, LogixString
from cpppo.server.enip.wire.structures import Structure
from cpppo.server.enip.wire.types import BOOL, DINT, DWORD, INT, REAL
from tests.server.enip.device.frames import Simulator, numbers, read, symbol, write

#: The file that the specification gives as its example.
SAMPLE = """\
[controller]
name    = "Plant"
profile = "1756-L83E"       # an identity profile; vendor, product_code, revision, serial, ... can be set one by one

[types.Motor]                    # a structure: member = type
running = "BOOL"
fault   = "BOOL"
speed   = "REAL"
counts  = "DINT[4]"
label   = "STRING"

[tags]
SCADA = "INT[1000]"
Level = { type = "REAL", value = 12.5, description = "tank level, m", access = "read-only" }
Drive = "Motor[8]"
Grid  = "DINT[2,3]"
Flags = "BOOL[64]"
Name  = { type = "STRING", value = "unit 7" }

[programs.MainProgram.tags]
Speed = "REAL"
"""
MOTOR = SAMPLE[SAMPLE.index("[types") : SAMPLE.index("[tags")]


def made(text: str, attribute_class: type[Attribute] = Attribute) -> Device:
    """The controller of a plant file."""
    plant = parse_plant(text.encode())
    device = plant.device()
    plant.populate(device, attribute_class)
    return device


def value_of(text: str, before: str = "") -> Any:
    """The value of the tag A that a line says."""
    return made(f"{before}\n[tags]\nA = {text}\n")["A"].value


def members_of(kind: Any) -> list[tuple[str, str, int]]:
    """The members that a structure shows: name, type and number of elements."""
    assert isinstance(kind, Structure)
    return [(one.name, one.kind.name, one.count) for one in kind.members if not one.hidden]


# -- the whole sample


def test_sample() -> None:
    """The sample, whole: who it is, its structure, and of each tag the type, shape, value, access and description."""
    plant = parse_plant(SAMPLE.encode())
    motor = plant.kinds["MOTOR"]
    assert (plant.name, plant.identity, plant.strict) == ("Plant", PROFILES["1756-L83E"], False)
    assert (plant.programs, plant.summary()) == (("MainProgram",), "1 type, 7 tags, 1 program")
    assert plant.tags == (
        TagSpec("SCADA", INT, (1000,)),
        TagSpec("Level", REAL, (), (12.5,), access="read-only", description="tank level, m"),
        TagSpec("Drive", motor, (8,)),
        TagSpec("Grid", DINT, (2, 3)),
        TagSpec("Flags", DWORD, (2,)),
        TagSpec("Name", STRING, (), ("unit 7",)),
        TagSpec("Program:MainProgram.Speed", REAL),
    )
    assert members_of(motor) == [
        ("running", "BOOL", 0),
        ("fault", "BOOL", 0),
        ("speed", "REAL", 0),
        ("counts", "DINT", 4),
        ("label", "STRING", 0),
    ]


def test_controller_of_the_sample() -> None:
    """The controller made of it has all of that, and answers for it."""
    device = made(SAMPLE)
    zero = {"running": False, "fault": False, "speed": 0.0, "counts": [0] * 4, "label": ""}
    found = {one.name: (one.type.name, one.shape, one.value) for one in device.tags()}
    assert found == {
        "SCADA": ("INT", (1000,), [0] * 1000),
        "Level": ("REAL", (), 12.5),
        "Drive": ("Motor", (8,), [zero] * 8),
        "Grid": ("DINT", (2, 3), [0] * 6),
        "Flags": ("DWORD", (2,), [0, 0]),
        "Name": ("STRING", (), "unit 7"),
        "Program:MainProgram.Speed": ("REAL", (), 0.0),
    }
    assert device["Level"].description == "tank level, m" and device["SCADA"].description == ""
    assert [one.name for one in device.tags() if one.read_only] == ["Level"]
    assert (device.name, device.identity.data, device.strict) == ("Plant", PROFILES["1756-L83E"].identity, False)


def test_read_from_a_file(tmp_path: Path) -> None:
    """A file gives what its octets give, and is named in what is wrong with it."""
    path = tmp_path / "some.toml"
    path.write_text(SAMPLE)
    assert read_plant(path).tags[0] == read_plant(str(path)).tags[0] == TagSpec("SCADA", INT, (1000,))
    path.write_text("[tags]\nA = 5\n")
    with pytest.raises(UsageError, match=rf"^{path}:2: tags.A: "):
        read_plant(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is not there, and a directory, are errors of the system."""
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(OSError, match=str(path)):
            read_plant(path)


@pytest.mark.parametrize("octets", [b"", b"\n", b"# nothing\n", b"[tags]\n[types]\n[programs]\n[controller]\n"])
def test_nothing(octets: bytes) -> None:
    """A file of nothing is a controller of nothing, as it is without a file."""
    plant = parse_plant(octets)
    assert plant[:6] == ("Simulator", Profile(LOGIX_L61), False, plant.kinds, (), ())
    assert plant.summary() == "0 types, 0 tags, 0 programs"


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
def test_as_other_editors_save_it(before: bytes) -> None:
    """A mark at the start, and lines that end in CR LF, make no difference."""
    plant = parse_plant(before + SAMPLE.replace("\n", "\r\n").encode())
    assert [spec[:1] + spec[2:] for spec in plant.tags] == [spec[:1] + spec[2:] for spec in parse(SAMPLE).tags]


def parse(text: str) -> Plant:
    return parse_plant(text.encode())


# -- [controller]


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("vendor = 0x1234", {"vendor": 0x1234}),
        ("device_type = 0", {"device_type": 0}),
        ("product_code = 65535", {"product_code": 65535}),
        ('revision = "33.2"', {"major": 33, "minor": 2}),
        ('revision = "255.002"', {"major": 255, "minor": 2}),
        ("status = 0b11", {"status": 3}),
        ("serial = 0xFFFFFFFF", {"serial": 0xFFFFFFFF}),
        ('product_name = "Caf\u00e9"', {"product_name": "Caf\u00e9"}),
        ('product_name = ""', {"product_name": ""}),
    ],
)
def test_identity(line: str, changes: dict[str, Any]) -> None:
    """Each key of who it is replaces what the profile says of it, and nothing else."""
    for profile, before in (("", LOGIX_L61), ('profile = "5069-l320er"\n', PROFILES["5069-L320ER"].identity)):
        assert parse(f"[controller]\n{profile}{line}\n").identity.identity == before._replace(**changes)


@pytest.mark.parametrize("name", PROFILES)
def test_profiles(name: str) -> None:
    """Each profile by its name, in any case; another that is asked for takes its place, but not that of single keys."""
    text = f'[controller]\nprofile = "{name.lower()}"\nserial = 5\n'
    assert parse(text).identity == PROFILES[name]._replace(identity=PROFILES[name].identity._replace(serial=5))
    other = PROFILES["5069-L320ER"]
    found = parse_plant(text.encode(), identity=other).identity
    assert found == other._replace(identity=other.identity._replace(serial=5))


def test_name() -> None:
    """The controller's name is that of the file, of 1 to 40 characters, whatever they are in ISO-8859-1."""
    for name in ("A", "x" * 40, "Werk S\u00fcd 3"):
        assert made(f'[controller]\nname = "{name}"\n').name == name


def test_strict() -> None:
    """strict = true refuses other types than a tag's own; so does whoever makes the controller, whatever the file."""
    for text, asked, expected in (
        ("strict = true", False, True),
        ("strict = false", False, False),
        ("strict = false", True, True),
        ("", False, False),
    ):
        plant = parse(f"[controller]\n{text}\n[tags]\nWide = 'DINT'\n")
        device = plant.device(strict=asked)
        plant.populate(device)
        assert device.strict is expected
        reply = Simulator(device).cip(write(symbol("Wide"), 0xC3, 1, b"\1\0"))
        assert reply.hex() == ("cd00ff010721" if expected else "cd000000")


def test_large_forward_open() -> None:
    """Whether Large Forward Open is granted is said by the profile, unless the file says it."""
    assert parse("[controller]\nlarge_forward_open = false\n").identity.large is False
    assert parse("[controller]\nprofile = '2080-LC50'\n").identity.large is False
    assert parse("[controller]\nprofile = '2080-LC50'\nlarge_forward_open = true\n").identity.large is True


# -- [types]


def test_types_in_any_order() -> None:
    """A structure may stand before those it is made of; names are compared without case."""
    text = "[types.Outer]\ni = 'INNER[2]'\nj = 'Inner'\n[types.Inner]\nx = 'int'\n[tags]\nA = 'outer[3]'\n"
    assert made(text)["A"].value == [{"i": [{"x": 0}] * 2, "j": {"x": 0}}] * 3
    assert list(parse(text).kinds)[-2:] == ["INNER", "OUTER"]


def test_text_of_ones_own() -> None:
    """A structure of LEN (DINT) and DATA (an array of SINT) is text; with anything else in it, it is none."""
    types = "[types.Short]\nLEN = 'DINT'\nDATA = 'SINT[20]'\n[types.No]\nLEN = 'DINT'\nDATA = 'SINT'\n"
    kind = parse(types).kinds["SHORT"]
    assert isinstance(kind, LogixString) and kind.capacity == 20
    assert value_of('{ type = "Short", value = "valve" }', types) == "valve"
    assert value_of('{ type = "Short[2]", value = ["a", "b"] }', types) == ["a", "b"]
    assert value_of('{ type = "Short", value = { LEN = 1, DATA = [65, 66] } }', types) == "A"
    assert value_of('{ type = "No", value = { DATA = 65 } }', types) == {"LEN": 0, "DATA": 65}


def test_bits_of_structures() -> None:
    """An array of BOOL in a structure is kept in DWORDs, whose bits its values are."""
    types = "[types.S]\nb = 'BOOL'\nf = 'BOOL[40]'\nx = 'BOOL'\n"
    assert members_of(parse(types).kinds["S"]) == [("b", "BOOL", 0), ("f", "DWORD", 2), ("x", "BOOL", 0)]
    text = f'{{ type = "S", value = {{ b = true, f = [1, false, true{", false" * 36}, true], x = 1 }} }}'
    assert value_of(text, types) == {"b": True, "f": [0b101, 0x80], "x": True}
    assert value_of('{ type = "S", value = { f = [true] } }', types) == {"b": False, "f": [1, 0], "x": False}


def test_depth() -> None:
    """Structures may be 32 deep in each other, in whatever order they stand."""
    types = [f"[types.T{one}]\nx = '{f'T{one + 1}' if one < 31 else 'INT'}'\n" for one in range(32)]
    for order in (types, types[::-1]):
        assert made("".join(order) + "[tags]\nA = 'T0'\n")["A"].type.size == 4


# -- [tags]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{ type = "INT" }', 0),
        ('{ type = "INT", value = -32768 }', -32768),
        ('{ type = "ULINT", value = 0xFFFFFFFFFFFFFFFF }', (1 << 64) - 1),
        ('{ type = "REAL", value = 5 }', 5.0),
        ('{ type = "REAL", value = -inf }', float("-inf")),
        ('{ type = "LREAL", value = 1e300 }', 1e300),
        ('{ type = "BOOL", value = true }', True),
        ('{ type = "BOOL", value = 1 }', True),
        ('{ type = "STRING", value = "Caf\u00e9 \\"x\\"" }', 'Caf\u00e9 "x"'),
        ("{ type = 'SSTRING[2]', value = ['a', \"b\"] }", ["a", "b"]),
        ('{ type = "INT[3]", value = [] }', [0, 0, 0]),
        ('{ type = "INT[3]", value = [1, 2] }', [1, 2, 0]),
        ('{ type = "INT[3]", value = [\n  1, # one ]\n  2,\n\n  3,\n] }', [1, 2, 3]),
        ('{ type = "REAL[2]", value = [1, 2.5] }', [1.0, 2.5]),
        ('{ type = "BOOL[40]", value = [true, 0, 1] }', [0b101, 0]),
        ('{ type = "DINT[2,3]", value = [1, 2, 3, 4] }', [1, 2, 3, 4, 0, 0]),
        ('{ type = "DINT[2,3]", value = [[1, 2, 3], [4]] }', [1, 2, 3, 4, 0, 0]),
        ('{ type = "DINT[2,3]", value = [[1, 2, 3], []] }', [1, 2, 3, 0, 0, 0]),
        ('{ type = "INT[2,2,2]", value = [[[1, 2], [3, 4]], [[5, 6], [7, 8]]] }', [1, 2, 3, 4, 5, 6, 7, 8]),
        ('{ type = "INT[2,2,2]", value = [[1, 2, 3, 4], [[5, 6]]] }', [1, 2, 3, 4, 5, 6, 0, 0]),
        ('{ type = "STRING", value = """\nline 1\nline 2""" }', "line 1\nline 2"),
        ("{ type = 'STRING', value = '''C:\\x''' }", "C:\\x"),
    ],
)
def test_values(text: str, value: Any) -> None:
    """Values by type, of as many elements as are given; lists in lists for several dimensions; text of any sort."""
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{ speed = 1 }", {"speed": 1.0}),
        ('{ RUNNING = true, label = "M1", counts = [1, 2] }', {"running": True, "label": "M1", "counts": [1, 2, 0, 0]}),
        ("{}", {}),
        ("{ speed = 1, counts = [\n1,\n2 ] }", {"speed": 1.0, "counts": [1, 2, 0, 0]}),
    ],
)
def test_values_of_structures(text: str, value: dict[str, Any]) -> None:
    """The value of a structure is a table of members, in any case; those left out are zero."""
    zero = {"running": False, "fault": False, "speed": 0.0, "counts": [0] * 4, "label": ""}
    assert value_of(f'{{ type = "Motor", value = {text} }}', MOTOR) == zero | value
    assert value_of(f'{{ type = "Motor[2]", value = [{{}}, {text}] }}', MOTOR) == [zero, zero | value]


def test_values_of_structures_in_structures() -> None:
    """Tables within tables and lists, in { } or with heads of their own."""
    types = MOTOR + "[types.Line]\nname = 'STRING'\nmotors = 'Motor[2]'\nspare = 'Motor'\n"
    inline = 'value = { name = "L", motors = [{ speed = 1.5 }, { counts = [7] }], spare = { fault = true } }'
    head = (
        '[tags.A.value]\nname = "L"\nmotors = [{ speed = 1.5 }, { counts = [7] }]\n[tags.A.value.spare]\nfault = true'
    )
    for text in (
        f'A = {{ type = "Line", {inline} }}',
        f'[tags.A]\ntype = "Line"\n{head}',
        f"A.type = 'Line'\nA.{inline}",
    ):
        value = made(f"{types}[tags]\n{text}\n")["A"].value
        assert (value.name, value.motors[0].speed, value.motors[1].counts[0]) == ("L", 1.5, 7)
        assert (value.spare.fault, value.spare.speed) == (True, 0.0)


def test_dotted_and_quoted_keys() -> None:
    """Keys in quotes, with dots, and in heads are the same keys."""
    text = """\
controller.name = "x"
"tags".'A' = 'INT'
tags.B.type = "INT"
tags.B.value = 5
types . M . x = "REAL"
programs."P".tags.C = "M"
"""
    device = made(text)
    assert {one.name: one.value for one in device.tags()} == {"A": 0, "B": 5, "Program:P.C": {"x": 0.0}}
    assert device.name == "x"


@pytest.mark.parametrize(
    ("access", "read_only", "hidden"),
    [
        ("read-write", False, False),
        ("Read/Write", False, False),
        ("read-only", True, False),
        ("Read Only", True, False),
        ("none", False, True),
        ("None", False, True),
    ],
)
def test_access(access: str, read_only: bool, hidden: bool) -> None:
    """Access as the file says it, or as engineering tools show it; refusals are those of a controller."""
    device = made(f'[tags]\nA = {{ type = "INT", value = 5, access = "{access}" }}\n')
    assert (device["A"].read_only, device["A"].hidden) == (read_only, hidden)
    simulator = Simulator(device)
    assert simulator.cip(read(symbol("A"))).hex() == ("cc000f00" if hidden else "cc000000c3000500")
    assert simulator.cip(write(symbol("A"), 0xC3, 1, b"\6\0")).hex() == f"cd00{'0f' if read_only or hidden else '00'}00"


def test_address() -> None:
    """An address of a tag's own, in any notation, is that of the tag."""
    for address in ("0x93/1/10", "@147/1/0b1010", " 0x93 / 1 / 10 "):
        device = made(f'[tags]\nA = {{ type = "DINT", value = 7, address = "{address}" }}\n')
        assert Simulator(device).cip(read(numbers(0x93, 1, 10))).hex() == "cc000000c40007000000"


def test_names() -> None:
    """Names have up to 40 letters, digits and _, in parts with colons between them if they are of tags or types."""
    long = "x" * 40
    types = f"[types.{long}]\n{long} = 'INT'\n[types.'AB:M:1']\na = 'INT'\n"
    text = f"{types}[tags]\n{long} = '{long}'\n'Local:1:I' = 'AB:M:1'\n"
    assert [one.name for one in made(f"{text}[programs.{long}.tags]\n_1 = 'INT'\n").tags()] == [
        long,
        "Local:1:I",
        f"Program:{long}._1",
    ]


# -- [programs]


def test_programs() -> None:
    """A program has tags of its own, also of names that are there elsewhere; one without tags is there, too."""
    device = made("[tags]\nA = 'INT'\n[programs.P.tags]\nA = 'REAL'\n[programs.Q.tags]\nA = 'BOOL'\n[programs.Empty]\n")
    names = ("A", "Program:P.A", "program:q.a")
    assert [device[name].type for name in names] == [INT, REAL, BOOL]
    assert sorted(device.programs) == ["empty", "p", "q"] and device.programs["empty"].by_name == {}
    assert list(parse("[programs.P.tags]\n").programs) == ["P"]


# -- what the profile changes, and what the tags are made of


def test_text_of_micro800() -> None:
    """STRING is text with a length octet where the profile is of the Micro800 family, by file or by choice."""
    text = "[tags]\nA = { type = 'STRING', value = 'x' }\n"
    assert parse(text).tags[0].type is STRING
    assert parse(f"[controller]\nprofile = '2080-LC50'\n{text}").tags[0].type is SSTRING
    assert parse_plant(text.encode(), identity=PROFILES["2080-LC50"]).tags[0].type is SSTRING


def test_class_of_attributes() -> None:
    """Tags are made of the class that is asked for, with all that the file says of them."""

    class Mine(Attribute):
        pass

    tags = made(SAMPLE, Mine).tags()
    assert {type(one) for one in tags} == {Mine} and tags[1].description == "tank level, m"


def test_structures_of_one_sort_are_one() -> None:
    """All tags of a structure have the same type, so that it has one template."""
    device = made(MOTOR + "[tags]\nA = 'Motor'\nB = 'MOTOR[2]'\n[programs.P.tags]\nC = 'motor'\n")
    assert len({id(one.type) for one in device.tags()}) == 1
