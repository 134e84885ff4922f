"""Addresses, tags and verbosity as text."""

from __future__ import annotations

from time import perf_counter

import pytest

from cpppo.errors import UsageError
from cpppo.server.enip.options import MAXIMUM_ELEMENTS, parse_tag
from cpppo.server.enip.wire.strings import KINDS
from cpppo.server.enip.wire.types import TYPES


@pytest.mark.parametrize(
    ("text", "name", "kind", "elements"),
    [
        ("SCADA", "SCADA", "INT", None),
        ("SCADA[3]", "SCADA", "INT", 3),
        ("SCADA=INT[1000]", "SCADA", "INT", 1000),
        ("SCADA=dint[1000]", "SCADA", "DINT", 1000),
        ("Level=Real", "Level", "REAL", None),
        (" Level = LReal [ 2 ] ", "Level", "LREAL", 2),
        ("X=INT[1]", "X", "INT", 1),
        ("Pump=BOOL", "Pump", "BOOL", None),
        ("Pumps=BOOL[1]", "Pumps", "DWORD", 1),
        ("Pumps=BOOL[32]", "Pumps", "DWORD", 1),
        ("Pumps=BOOL[33]", "Pumps", "DWORD", 2),
        ("Pumps=BOOL[64]", "Pumps", "DWORD", 2),
        ("_a1", "_a1", "INT", None),
        ("Local:1:I", "Local:1:I", "INT", None),
        (f"Much=SINT[{MAXIMUM_ELEMENTS}]", "Much", "SINT", MAXIMUM_ELEMENTS),
    ],
)
def test_tags(text: str, name: str, kind: str, elements: int | None) -> None:
    """name[=TYPE][[count]], the type in any case; BOOL vectors are DWORDs, as a controller keeps them."""
    spec = parse_tag(text)
    assert (spec.name, spec.type.name, spec.elements) == (name, kind, elements)


@pytest.mark.parametrize("name", [*TYPES, "STRING", "SSTRING"])
def test_every_type(name: str) -> None:
    """Every type can be named, in either case."""
    assert parse_tag(f"T={name}").type is parse_tag(f"T={name.lower()}").type is KINDS[name]


@pytest.mark.parametrize(
    ("text", "shape", "elements"),
    [
        ("Grid=DINT[2,3]", (2, 3), 6),
        ("Grid=DINT[ 2 , 3 , 4 ]", (2, 3, 4), 24),
        ("Grid=STRING[1,1]", (1, 1), 1),
        ("Grid=DINT[6]", (6,), 6),
        ("Grid=DINT", (), None),
    ],
)
def test_dimensions(text: str, shape: tuple[int, ...], elements: int | None) -> None:
    """Up to three sizes."""
    spec = parse_tag(text)
    assert (spec.shape, spec.elements, spec.values, spec.address) == (shape, elements, (), None)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Level=REAL=12.5", (12.5,)),
        ("Level=LREAL = -1e3", (-1000.0,)),
        ("Ramp=INT[4]=1,2,3,4", (1, 2, 3, 4)),
        ("Ramp = INT[4] = [ 1 , 2 ]", (1, 2)),
        ("Ramp=DINT[2]=0x1F,-7", (31, -7)),
        ("Pump=BOOL=TRUE", (True,)),
        ("Pump=BOOL=0", (False,)),
        ("Flags=BOOL[40]=1,0,true,false,1", (0b10101,)),
        ("Flags=BOOL[40]=" + "0," * 39 + "1", (0, 0x80)),
        ('Name=STRING="unit 7"', ("unit 7",)),
        ("Name=STRING=''", ("",)),
        ("Names=SSTRING[3]='a,b', \"it's\",'=[]@'", ("a,b", "it's", "=[]@")),
        (r"Name=STRING='\'\\\x41\n'", ("'\\A\n",)),
    ],
)
def test_initial_values(text: str, values: tuple[object, ...]) -> None:
    """Values of the first elements after the type, text in quotes; those of a BOOL vector are bits of its DWORDs."""
    found = parse_tag(text).values
    assert found == values and [type(one) for one in found] == [type(one) for one in values]


def test_chosen_address() -> None:
    """Class, instance and attribute, in any notation, before the type."""
    assert parse_tag("Tag@0x93/1/10=DINT[2]=3").address == parse_tag("Tag @ 147/1/0b1010").address == (0x93, 1, 10)
    assert parse_tag("Tag@0x93/1/10").type.name == "INT"


def test_many_values_are_read_in_time_that_grows_with_their_number() -> None:
    """Ten times the values take about ten times as long, not a hundred times."""

    def taken(count: int) -> float:
        text = f"Much=INT[{count}]=" + ",".join(["12345"] * count)
        begin = perf_counter()
        assert len(parse_tag(text).values) == count
        return perf_counter() - begin

    assert min(taken(20_000) for _ in range(3)) < 40 * min(taken(2_000) for _ in range(3))


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("", "SCADA=INT[1000]"),
        ("=INT", "SCADA=INT[1000]"),
        ("[3]", "SCADA=INT[1000]"),
        ("SCADA=INT[", "SCADA=INT[1000]"),
        ("SCADA=INT]", "SCADA=INT[1000]"),
        ("SCADA=INT[3", "SCADA=INT[1000]"),
        ("SCADA=INT[3]]", "SCADA=INT[1000]"),
        ("SCADA=INT[3][4]", "SCADA=INT[1000]"),
        ("SCADA=FLOAT[3]", "write REAL, one of BOOL, SINT"),
        ("SCADA=uint8", "write USINT, one of"),
        ("SCADA=", "REAL"),
        ("SCADA=TEXT", "STRING"),
        ("SCADA=12.5", "values follow the type"),
        ("SCADA[3]=1,2,3", "SCADA=INT[4]=1,2,3,4"),
        ("SCADA[3]=INT", "SCADA=INT[4]=1,2,3,4"),
        ("SCADA=INT[1,2,3,4]", "SCADA=INT[2,3]"),
        ("SCADA=INT[2,,3]", "SCADA=INT[2,3]"),
        ("SCADA=INT[4096,4096,2]", "SCADA=INT[2,3]"),
        ("SCADA=STRING[1525202]", "1525201"),
        ("SCADA=BOOL[2,3]", "SCADA=BOOL[6]"),
        ("SCADA=INT=", "value 1 is missing; eg. SCADA=INT=1"),
        ("SCADA=INT[3]=1,,2", "value 2 is missing"),
        ("SCADA=INT[3]=1,2,", "value 3 is missing"),
        ("SCADA=INT[3]=[1,2", "'[1' is no whole number"),
        ("SCADA=INT=1,2", "value 2, '2', is one too many: there is 1 element"),
        ("SCADA=INT[2]=1,2,3", "value 3, '3', is one too many: there are 2 elements"),
        ("SCADA=INT[2]=1,32768", "value 2: 32768 does not fit INT, which takes -32768 to 32767; write SCADA=UINT"),
        ("SCADA=USINT=-1", "value 1: -1 does not fit USINT, which takes 0 to 255; write SCADA=SINT"),
        ("SCADA=ULINT=18446744073709551616", "no whole-number type does"),
        ("SCADA=INT=1.5", "value 1: '1.5' is no whole number"),
        ("SCADA=INT=true", "'true' is no whole number"),
        ("SCADA=REAL=1e39", "write SCADA=LREAL"),
        ("SCADA=LREAL=1e999", "no type of numbers does"),
        ("SCADA=REAL=much", "'SCADA=REAL=12.5'"),
        ("SCADA=BOOL=2", "write 0, 1, false or true"),
        ("SCADA=STRING=unit 7", "write it in quotes, that the shell leaves there; eg. 'SCADA=STRING=\"unit 7\"'"),
        ("SCADA=STRING='unit 7", "in quotes"),
        ("SCADA=STRING[2]='a' 'b'", "put commas between values"),
        ("SCADA=STRING='\u20ac'", "ISO-8859-1"),
        ("SCADA=STRING='\\q'", "for a backslash"),
        ("SCADA@1/2=INT", "SCADA@0x93/1/10=DINT"),
        ("SCADA@1/2/3/4=INT", "SCADA@0x93/1/10=DINT"),
        ("SCADA@a/b/c=INT", "SCADA@0x93/1/10=DINT"),
        ("SCADA@=INT", "SCADA@0x93/1/10=DINT"),
        ("SCADA=INT[0]", "SCADA=INT[10]"),
        ("SCADA=INT[-1]", "SCADA=INT[10]"),
        ("SCADA=INT[]", "SCADA=INT[10]"),
        ("SCADA=INT[a]", "SCADA=INT[10]"),
        ("SCADA=REAL[1.5]", "SCADA=REAL[10]"),
        ("SCADA=INT[0x10]", "SCADA=INT[10]"),
        ("SCADA=INT[1_0]", "SCADA=INT[10]"),
        (f"SCADA=INT[{MAXIMUM_ELEMENTS + 1}]", str(MAXIMUM_ELEMENTS)),
        ("3D=INT", "no digit first"),
        ("a b=INT", "letters"),
        ("a.b=INT", "letters"),
        ("some/Plant.TOML", "--config some/Plant.TOML"),
        ("@2/1/1=INT", "SCADA=INT[1000]"),
        ("Stra\u00dfe=INT", "letters"),
        ("a\n=INT", None),
    ],
)
def test_bad_tags(text: str, instead: str | None) -> None:
    """Anything else: a UsageError of one line that quotes it and says what to write instead."""
    if instead is None:
        assert parse_tag(text).name == "a"
        return
    with pytest.raises(UsageError) as raised:
        parse_tag(text)
    message = str(raised.value)
    assert repr(text) in message and instead in message and "\n" not in message


def test_tag_of_very_many_digits() -> None:
    """A size of thousands of digits is refused like any other."""
    with pytest.raises(UsageError):
        parse_tag("SCADA=INT[" + "9" * 5000 + "]")


def test_name_that_no_request_can_hold() -> None:
    """A name of more than 255 characters, which no path can hold, is refused."""
    assert parse_tag("A" * 255).name == "A" * 255
    with pytest.raises(UsageError):
        parse_tag("A" * 256)
