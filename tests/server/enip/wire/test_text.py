"""Tags, paths and values in text, both ways."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import UsageError
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.text import (
    format_path,
    parse_int,
    parse_operation,
    parse_path,
    parse_path_elements,
)

TAG = [{"symbolic": "Tag"}]
ELEMENT = [*TAG, {"element": 0}]


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("Tag", {"path": TAG}),
        ("  Tag  ", {"path": TAG}),
        ("Tag[3]", {"path": [*TAG, {"element": 3}]}),
        ("Tag[1-5]", {"path": [*TAG, {"element": 1}], "elements": 5}),
        ("Tag[0-3]+2", {"path": ELEMENT, "elements": 4, "offset": 2}),
        ("Tag+", {"path": TAG}),
        ("Grid[1,2]", {"path": [{"symbolic": "Grid"}, {"element": 1}, {"element": 2}]}),
        ("Grid[1,2-4]", {"path": [{"symbolic": "Grid"}, {"element": 1}, {"element": 2}], "elements": 3}),
        ("A.B[2].C", {"path": [{"symbolic": "A"}, {"symbolic": "B"}, {"element": 2}, {"symbolic": "C"}]}),
        ("Word.3", {"path": [{"symbolic": "Word"}, {"symbolic": "3"}]}),
        ("A.Words[2].31", {"path": [{"symbolic": "A"}, {"symbolic": "Words"}, {"element": 2}, {"symbolic": "31"}]}),
        ("Program:Main.X", {"path": [{"symbolic": "Program:Main"}, {"symbolic": "X"}]}),
        ("Größe", {"path": [{"symbolic": "Größe"}]}),
        ("@2", {"path": [{"class": 2}]}),
        ("@0x1FF/01/0x1A", {"path": [{"class": 511}, {"instance": 1}, {"attribute": 26}]}),
        ("@012/0o17/0b11", {"path": [{"class": 12}, {"instance": 15}, {"attribute": 3}]}),
        ("@2/1/1/3", {"path": [{"class": 2}, {"instance": 1}, {"attribute": 1}, {"element": 3}]}),
        ("@0x2/1/2/3[5]", {"path": [{"class": 2}, {"instance": 1}, {"attribute": 2}, {"element": 5}]}),
        ("@2/1/1[4-9]", {"path": [{"class": 2}, {"instance": 1}, {"attribute": 1}, {"element": 4}], "elements": 6}),
        ("@4/5/{'connection':100}", {"path": [{"class": 4}, {"instance": 5}, {"connection": 100}]}),
        ('@0x04/5/{"connection":100}', {"path": [{"class": 4}, {"instance": 5}, {"connection": 100}]}),
        ('@{"class":4}/5/{"connection":100}', {"path": [{"class": 4}, {"instance": 5}, {"connection": 100}]}),
        (
            '@{"port":123,"link":"130.151.137.105"}/{"class":4}/{ "instance":3}/7',
            {"path": [{"port": 123, "link": "130.151.137.105"}, {"class": 4}, {"instance": 3}, {"attribute": 7}]},
        ),
        ("@{'class':4,'instance':5}/6", {"path": [{"class": 4, "instance": 5}, {"attribute": 6}]}),
    ],
)
def test_paths_to_read(text: str, operation: dict[str, Any]) -> None:
    """Every form of tag and address is read; what is not said is not in the operation."""
    assert parse_operation(text) == operation


@pytest.mark.parametrize(
    ("text", "elements", "tag_type", "data"),
    [
        ("Tag=1", 1, 0xC3, [1]),
        ("Tag=-1, 0x10 ,007", 3, 0xC3, [-1, 16, 7]),
        ("Tag=1.5", 1, 0xCA, [1.5]),
        ("Tag=1e3,2.0", 2, 0xCA, [1000.0, 2.0]),
        ("Tag=(REAL)1,2", 2, 0xCA, [1.0, 2.0]),
        ("Tag=(dint) 70000", 1, 0xC4, [70000]),
        ("Tag=(SINT)-128,127", 2, 0xC2, [-128, 127]),
        ("Tag=(ULINT)18446744073709551615", 1, 0xC9, [2**64 - 1]),
        ("Tag=(LREAL)1e300", 1, 0xCB, [1e300]),
        ("Tag=(BOOL)1,false,TRUE", 3, 0xC1, [True, False, True]),
        ("Tag='unit 7'", 1, 0x02A0, ["unit 7"]),
        ("Tag=(string) \"a,b\" , 'c'", 2, 0x02A0, ["a,b", "c"]),
        ("Tag=(SSTRING)['', 'it\\'s']", 2, 0xDA, ["", "it's"]),
        ("Tag=[0,1,2,3]", 4, 0xC3, [0, 1, 2, 3]),
        ("Tag=(DINT)[7]", 1, 0xC4, [7]),
    ],
)
def test_values(text: str, elements: int, tag_type: int, data: list[Any]) -> None:
    """Values are INT, REAL if one has a dot, or of the type they are cast to; brackets around them are accepted."""
    operation = {"path": TAG, "method": "write", "elements": elements, "tag_type": tag_type, "data": data}
    assert parse_operation(text) == operation
    assert [type(value) for value in parse_operation(text)["data"]] == [type(value) for value in data]


@pytest.mark.parametrize("text", ["Word.3=1", "Word.3=true", "Word.3=(BOOL)1", "Word.3=[1]", "Words[2].3=1"])
def test_bits(text: str) -> None:
    """A last member that is a number is a bit: what is written there is a BOOL, cast or not."""
    operation = parse_operation(text)
    assert operation["path"][-1] == {"symbolic": "3"}
    assert (operation["elements"], operation["tag_type"], operation["data"]) == (1, 0xC1, [True])
    assert operation["data"][0] is True


def test_a_bit_of_another_type() -> None:
    """A cast is taken as it is said, of a bit too; what only looks like a bit is none."""
    assert parse_operation("Word.3=(DINT)5")["tag_type"] == 0xC4
    assert parse_operation("3=5")["tag_type"] == 0xC3, "a tag may be called 3"
    assert parse_operation("Word.3a=5")["tag_type"] == 0xC3
    assert parse_operation("Word.x3=1.5")["tag_type"] == 0xCA


def test_partial_write() -> None:
    """A write at an offset names the range of the whole transfer and holds a part of it."""
    whole = parse_operation("Tag[0-9]+16=(DINT)4,5,6,7,8,9")
    assert (whole["elements"], whole["offset"], whole["data"]) == (10, 16, [4, 5, 6, 7, 8, 9])
    assert parse_operation("Tag[0-9]+4=(DINT)1")["data"] == [1]


@pytest.mark.parametrize(
    ("text", "where", "instead"),
    [
        ("", "at its end", "SCADA"),
        ("Tag[", "at its end", "[1-5]"),
        ("Tag[1-", "at its end", "[1-5]"),
        ("Tag[1", "at its end", "']' is missing"),
        ("Tag[x]", "at character 5, 'x]'", "[1-5]"),
        ("Tag[5-3]", "at character 5, '5-3]'", "write [3-5]"),
        ("Tag[0-65535]", "at character 5", "at most 65535"),
        ("Tag[0x1G]", "at character 5", "hexadecimal"),
        ("Tag[4294967296]", "at character 5", "0xFFFFFFFF"),
        ("Tag]", "at character 4, ']'", "[first-last]"),
        ("Tag=(STRING)ab", "at character 13, 'ab'", "in quotes"),
        ("Tag='ab", "at character 5", "whole number"),
        ("Tag=(INT)'5'", "at character 10", "whole number"),
        ("Tag=(STRING)'" + "x" * 83 + "'", "at character 13", "holds 82"),
        ("Tag[0-1]+2=(SSTRING)'a'", "at character 12", "leave it out"),
        ("Tag Other", "at character 5, 'Other'", "[first-last]"),
        ("A..B", "at character 3, '.B'", "name"),
        ("A[0-1].B", "at character 8, 'B'", "put the range last"),
        ("Word.64", "at character 6, '64'", "bits of a word are 0 to 63"),
        ("Word." + "9" * 200, "at character 6", "bits of a word are 0 to 63"),
        ("Word.3[1]", "at character 7, '[1]'", "neither elements nor members, eg. Word.3"),
        ("Word.3.x", "at character 7, '.x'", "neither elements nor members"),
        ("Word.3=2", "at character 8, '2'", "write 0, 1, false or true"),
        ("Word.3='1'", "at character 8", "write 0, 1, false or true"),
        ("Word.3=1,0", "at character 8", "(2) doesn't match the element count (1)"),
        ("日", "at character 1", "ISO-8859-1"),
        ("N" * 256, "at character 1", "at most 255"),
        ("Tag+x", "at character 5, 'x'", "Tag[0-9]+4"),
        ("Tag+4294967296", "at character 5", "4294967295"),
        ("Tag=", "at its end", "Tag=1"),
        ("Tag=1,", "at its end", "value is missing"),
        ("Tag=[1", "at its end", "']' is missing"),
        ("Tag=1]", "at character 6", "=value"),
        ("Tag=1 2", "at character 7, '2'", "=value"),
        ("Tag=(FLOAT)1", "at character 6, 'FLOAT)1'", "REAL"),
        ("Tag=(INT", "at its end", "(INT)1"),
        ("Tag=70000", "at character 5, '70000'", "-32768 to 32767; to a tag of type DINT write (DINT)70000"),
        ("Tag=(SINT)1,200", "at character 13, '200'", "-128 to 127; to a tag of type USINT write (USINT)200"),
        ("Tag=(USINT)-1", "at character 12", "0 to 255"),
        ("Tag=(ULINT)18446744073709551616", "at character 12", "no whole-number type"),
        ("Tag=(DINT)1.5", "at character 11, '1.5'", "no whole number"),
        ("Tag=1e3", "at character 5", "REAL"),
        ("Tag=abc", "at character 5, 'abc'", "INT takes"),
        ("Tag=1.2.3", "at character 5", "1.5"),
        ("Tag=(REAL)1e39", "at character 11, '1e39'", "(LREAL)1e39"),
        ("Tag=(BOOL)2", "at character 11", "true"),
        ("Tag[0-3]=1,2,3", "at character 10", "(3) doesn't match the element count (4)"),
        ("Tag[3]=1,2", "at character 8", "(2) doesn't match the element count (1)"),
        ("Tag+4=1", "at character 7", "Tag[0-9]+4"),
        ("Tag[0-9]+3=(DINT)1", "at character 12", "no multiple of the 4 octets"),
        ("Tag[0-2]+8=(DINT)1,2", "at character 12", "beyond the 3 elements"),
        ("@", "at its end", "@2/1/3"),
        ("@2/", "at its end", "@2/1/3"),
        ("@a", "at character 2, 'a'", "@2/1/3"),
        ("@0o49", "at character 2", "octal"),
        ("@0x100000000", "at character 2", "0xFFFFFFFF"),
        ("@1/2/3/4/5", "at character 10, '5'", "name it"),
        ("@1/2/3[1,2]", "at character 7", "one index"),
        ("@{'clas':1}", "at character 3", "class, instance"),
        ("@{class:1}", "at character 3", "quotes"),
        ("@{'class'=1}", "at character 10", "':' is missing"),
        ("@{'class':1", "at its end", "'}' is missing"),
        ("@{'class':1,'class':2}", "at character 13", "twice"),
        ("@{'class':'one'}", "at character 2", "number"),
        ("@{'port':1}", "at character 2", "'link'"),
        ("@{'port':70000,'link':1}", "at character 2", "cannot be sent"),
        ("@{'symbolic':'日'}", "at character 2", "cannot be sent"),
    ],
)
def test_refusals(text: str, where: str, instead: str) -> None:
    """What cannot be understood is refused by one line: the text, the character, and what to write instead."""
    with pytest.raises(UsageError) as caught:
        parse_operation(text)
    message = str(caught.value)
    assert message.startswith(f"{text!r}, {where}")
    assert instead in message and "\n" not in message


def test_a_path_has_no_values() -> None:
    """Where a path is asked for, a write is refused."""
    with pytest.raises(UsageError, match="at character 4, '=1'"):
        parse_path("Tag=1")


def test_only_text_is_read() -> None:
    """Anything but text is refused as such."""
    with pytest.raises(UsageError, match="is text"):
        parse_operation(3)  # type: ignore[arg-type]


def test_path_elements() -> None:
    """A path tells its first element and the number of elements, where it says them."""
    assert parse_path_elements("Tag[1-5]") == ([*TAG, {"element": 1}], 1, 5)
    assert parse_path_elements("Tag") == (TAG, None, None)
    assert parse_path_elements("@2/1/1/3") == (parse_path("@2/1/1/3"), 3, None)


def test_parse_int() -> None:
    """Numbers are decimal, leading zeros or not, unless a prefix tells otherwise."""
    assert [parse_int(text) for text in ("012", "0x1A", "0o32", "0b11010")] == [12, 26, 26, 26]
    with pytest.raises(ValueError, match="invalid literal"):
        parse_int("0o49")


@pytest.mark.parametrize(
    ("text", "count", "shown"),
    [
        ("SCADA", None, "SCADA"),
        ("SCADA[3]", None, "SCADA"),
        ("SCADA[3]", 1, "SCADA[3]"),
        ("SCADA[3]", 2, "SCADA[3-4]"),
        ("SCADA", 3, "SCADA[0-2]"),
        ("A.B[2].C", None, "A.B[2].C"),
        ("Grid[1,2]", None, "Grid[1]"),
        ("Grid[1,2]", 3, "Grid[1,2-4]"),
        ("@2/1/1", None, "@0x0002/1/1"),
        ("@2/1/1[3]", None, "@0x0002/1/1[3]"),
        ("@2/1/1[3]", 2, "@0x0002/1/1[3-4]"),
        ("@0xFFFF/1", None, "@0xFFFF/1"),
        ("@4/5/{'connection':100}", None, '@0x0004/5/{"connection":100}'),
        ("@{'port':1,'link':'10.0.0.1'}/2/1", None, '@{"port":1,"link":"10.0.0.1"}/0x0002/1'),
    ],
)
def test_format_path(text: str, count: int | None, shown: str) -> None:
    """Paths are shown as people write them; a tag's last element only with the number of elements."""
    assert format_path(parse_path(text), count) == shown
    assert format_path(Path.of(parse_path(text)), count) == shown


NAMES = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=12)
NUMBERS = st.sampled_from([0, 1, 255, 256, 65535, 65536, 0xFFFFFFFF])
#: A member whose name is a number alone would be a bit.
MEMBERS = st.tuples(NAMES.map("m".__add__), st.lists(NUMBERS, max_size=3))


@given(st.lists(MEMBERS, min_size=1, max_size=4), st.integers(1, 65535))
def test_symbolic_paths_round_trip(members: list[tuple[str, list[int]]], count: int) -> None:
    """What is written of a symbolic path with its count is read as the same."""
    terms: list[dict[str, Any]] = []
    for name, indices in members:
        terms += [{"symbolic": name}, *({"element": index} for index in indices)]
    read, first, elements = parse_path_elements(format_path(terms, count))
    if "element" not in terms[-1] and count > 1:
        terms.append({"element": 0})
    assert read == terms
    assert (elements or 1) == count
    assert first == terms[-1].get("element")


@given(
    st.lists(NUMBERS, min_size=1, max_size=4),
    st.one_of(st.none(), st.sampled_from([{"connection": 100}, {"symbolic": "x"}])),
    st.booleans(),
)
def test_numeric_paths_round_trip(numbers: list[int], more: dict[str, Any] | None, routed: bool) -> None:
    """What is written of a numeric path is read as the same."""
    terms: list[dict[str, Any]] = [{"port": 1, "link": 0}] if routed else []
    terms += [
        {name: number} for name, number in zip(("class", "instance", "attribute", "element"), numbers, strict=False)
    ]
    if more is not None:
        terms.append(more)
    assert parse_path(format_path(terms)) == terms


@given(st.text(st.sampled_from("Tag@[](){}.,+-=/'\":0123xDINT \té日"), max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text raises anything but UsageError."""
    try:
        operation = parse_operation(text)
    except UsageError as exc:
        assert str(exc).startswith(repr(text))
    else:
        assert operation["path"]
