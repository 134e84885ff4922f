"""Addresses, tags and verbosity as text."""

from __future__ import annotations

import pytest

from cpppo.errors import UsageError
from cpppo.server.enip.options import MAXIMUM_ELEMENTS, parse_tag
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


@pytest.mark.parametrize("name", TYPES)
def test_every_type(name: str) -> None:
    """Every type can be named, in either case."""
    assert parse_tag(f"T={name}").type is parse_tag(f"T={name.lower()}").type is TYPES[name]


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
        ("SCADA=INT=3", "SCADA=INT[1000]"),
        ("SCADA=FLOAT[3]", "REAL"),
        ("SCADA=", "REAL"),
        ("SCADA=STRING", "REAL"),
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
        ("@2/1/1=INT", "letters"),
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
