"""Operations: from dictionaries and text to CIP requests, their packing, and what replies mean."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cpppo.errors import Error, LocalProtocolError, RemoteProtocolError, UsageError
from cpppo.server.enip.client import memo
from cpppo.server.enip.client.memo import MEMO_ENTRIES
from cpppo.server.enip.client.operations import (
    Operation,
    parse_operations,
    prepare,
)
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services import Reply
from cpppo.server.enip.wire.strings import SSTRING, STRING
from cpppo.server.enip.wire.types import DINT

SCADA1 = "9105534341444100 2801"


def ready(text: str, fragment: bool = False) -> Operation:
    """The operation that a text says, made ready."""
    return prepare(next(parse_operations([text])), fragment)


@pytest.mark.parametrize(
    ("text", "fragment", "octets"),
    [
        ("SCADA[1]", False, f"4c05 {SCADA1} 0100"),
        ("SCADA[1-5]", False, f"4c05 {SCADA1} 0500"),
        ("SCADA[1]", True, f"5205 {SCADA1} 0100 00000000"),
        ("SCADA[1-5]+4", False, f"5205 {SCADA1} 0500 04000000"),
        ("SCADA[1]=99", False, f"4d05 {SCADA1} c300 0100 6300"),
        ("SCADA[1]=99", True, f"5305 {SCADA1} c300 0100 00000000 6300"),
        ("SCADA[1-3]+4=(DINT)7,8", False, f"5305 {SCADA1} c400 0300 04000000 07000000 08000000"),
        ("@2/1/3", False, "4c03 2002 2401 3003 0100"),
        ("SCADA[1]='ab'", False, f"4d05 {SCADA1} a002 ce0f 0100 02000000 6162" + "00" * 82),
        ("SCADA[1]='ab'", True, f"5305 {SCADA1} a002 ce0f 0100 00000000 02000000 6162" + "00" * 82),
        ("SCADA[1-2]=(SSTRING)'ab',''", False, f"4d05 {SCADA1} da00 0200 026162 00"),
    ],
)
def test_tag_requests(text: str, fragment: bool, octets: str) -> None:
    """Tags are read and written by the plain services; at an offset, or where asked for, by the Fragmented ones."""
    assert ready(text, fragment).request.produce() == bytes.fromhex(octets)


@pytest.mark.parametrize(
    ("operation", "octets"),
    [
        ({"method": "get_attribute_single", "path": "@1/1/7"}, "0e03 2001 2401 3007"),
        ({"method": "get_attributes_all", "path": [{"class": 1}, {"instance": 1}]}, "0102 2001 2401"),
        ({"method": "set_attribute_single", "path": "@1/1/7", "data": [1, 255]}, "1003 2001 2401 3007 01ff"),
        (
            {"method": "set_attribute_single", "path": "@1/1/7", "data": [1], "tag_type": 0xC7},
            "1003 2001 2401 3007 0100",
        ),
        ({"method": "read", "path": "SCADA[1-5]"}, f"4c05 {SCADA1} 0500"),
        ({"path": "SCADA[1-5]", "elements": 2}, f"4c05 {SCADA1} 0200"),
        ({"path": Path.of([{"symbolic": "SCADA"}, {"element": 1}])}, f"4c05 {SCADA1} 0100"),
        ({"path": "SCADA[1]", "data": [1], "tagtype": 0xC4}, f"4d05 {SCADA1} c400 0100 01000000"),
        ({"path": "SCADA[1]", "data": [1], "tag_type": DINT}, f"4d05 {SCADA1} c400 0100 01000000"),
        ({"path": "SCADA[1]", "data": [1, 2]}, f"4d05 {SCADA1} c300 0200 0100 0200"),
        ({"path": "SCADA[1]", "data": [1.0]}, f"4d05 {SCADA1} ca00 0100 0000803f"),
        ({"path": "SCADA[1]", "data": ["a"], "tag_type": 0xDA}, f"4d05 {SCADA1} da00 0100 0161"),
        ({"path": "SCADA[1]", "data": b"\1a\0", "tag_type": SSTRING}, f"4d05 {SCADA1} da00 0200 016100"),
        (
            {"path": "SCADA[1]", "data": ["a"], "tag_type": 0x02A0},
            f"4d05 {SCADA1} a002 ce0f 0100 01000000 61" + "00" * 83,
        ),
        (
            {"method": "set_attribute_single", "path": "@1/1/7", "data": ["a", ""], "tag_type": SSTRING},
            "1003 2001 2401 3007 0161 00",
        ),
        ({"path": "SCADA[1]", "data": b"\1\2\3\4"}, f"4d05 {SCADA1} c300 0200 0102 0304"),
    ],
)
def test_operations_as_dictionaries(operation: dict[str, Any], octets: str) -> None:
    """Every method and every form of path, type and data gives its request."""
    assert prepare(operation).request.produce() == bytes.fromhex(octets)


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        ({}, "no path"),
        ({"path": "X", "tag": 1}, "unknown key 'tag'; one of method, path"),
        ({"path": "X", "method": "peek"}, "unknown method 'peek'; one of read, write"),
        ({"path": "X["}, "at its end"),
        ({"path": 5}, "no path"),
        ({"path": []}, "no path"),
        ({"path": ["X"]}, "no path"),
        ({"path": [{"clas": 1}]}, "unknown path component 'clas'"),
        ({"path": [{"class": []}]}, "must be a number"),
        ({"path": "X", "elements": 65536}, "operation.elements: it must be a number of 0 to 65535"),
        ({"path": "X", "elements": "3"}, "operation.elements"),
        ({"path": "X", "offset": -1}, "operation.offset"),
        ({"path": "X", "method": "write"}, "operation.data: to write it needs a sequence"),
        ({"path": "X", "data": "text"}, "operation.data"),
        ({"path": "X", "data": 5}, "operation.data"),
        ({"path": "X", "data": []}, "operation.data"),
        ({"path": "X", "data": [70000]}, "70000 is no INT"),
        ({"path": "X", "data": ["a"]}, "'a' is no INT"),
        ({"path": "X", "data": b"\1\2\3"}, "no whole number of INT"),
        ({"path": "X", "data": [1], "tag_type": 0x99}, "no type code; one of 0xc1 BOOL"),
        ({"path": "X", "data": [5], "tag_type": 0x02A0}, "5 is no STRING: it takes text"),
        ({"path": "X", "data": ["a" * 83], "tag_type": STRING}, "it holds 82"),
        ({"path": "X", "data": b"\2a", "tag_type": SSTRING}, "no whole number of SSTRING"),
        ({"path": "X", "data": [1], "elements": 2}, "1 values for 2 elements of X"),
        ({"path": "X", "data": [1, 2], "elements": 2, "offset": 2}, "beyond the 2 elements of X"),
    ],
)
def test_refusals(operation: dict[str, Any], problem: str) -> None:
    """An operation that cannot be sent is refused with what is wrong, and what can be written instead."""
    with pytest.raises((LocalProtocolError, UsageError)) as caught:
        prepare(operation)
    assert problem in str(caught.value)


def test_operations_are_not_changed() -> None:
    """An operation of the caller's is never changed, and can be used again."""
    operations: list[dict[str, Any]] = [
        {"method": "write", "path": [{"symbolic": "X"}], "data": [1], "tag_type": 0xC3},
        {"path": [{"symbolic": "X"}]},
    ]
    before = copy.deepcopy(operations)
    first = [prepare(one, True).request.produce() for one in operations]
    assert [prepare(one, True).request.produce() for one in operations] == first
    assert operations == before


def test_changed_operations_are_seen() -> None:
    """What is remembered of an operation never outlives a change of it."""
    operation: dict[str, Any] = {"path": [{"symbolic": "X"}, {"element": 1}]}
    first = prepare(operation).request.produce()
    operation["path"][1]["element"] = 2
    second = prepare(operation).request.produce()
    operation["elements"] = 3
    assert len({first, second, prepare(operation).request.produce(), prepare(operation, True).request.produce()}) == 4


def test_what_is_handed_out_is_not_shared() -> None:
    """The copy of a request that callers get can be changed without changing what is sent later."""
    operation = prepare({"path": "X[1]", "elements": 2})
    sent = operation.request.produce()
    asked = operation.asked()
    assert asked == operation.request
    asked.data.elements = 7
    asked.service = 0x01
    assert prepare({"path": "X[1]", "elements": 2}).request.produce() == sent


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ({"path": "Twin", "elements": 1}, {"path": "Twin", "elements": True}),
        ({"path": "Twin", "offset": 0}, {"path": "Twin", "offset": 0.0}),
        ({"path": [{"class": 1}]}, {"path": [{"class": 1.0}]}),
    ],
)
def test_equal_is_not_the_same(right: dict[str, Any], wrong: dict[str, Any]) -> None:
    """What is refused is refused after its like was remembered, too."""
    prepare(right)
    with pytest.raises(LocalProtocolError):
        prepare(wrong)


def test_memory_is_bounded() -> None:
    """However many different operations come, only so many are remembered."""
    from cpppo.server.enip.client import operations

    for number in range(MEMO_ENTRIES + 10):
        prepare({"path": [{"symbolic": "X"}, {"element": number}]})
    assert len(memo._paths) <= MEMO_ENTRIES
    assert len(operations._operations) <= MEMO_ENTRIES


def test_parsing_is_lazy() -> None:
    """Texts are read one by one: a wrong one is refused after those before it."""
    operations = parse_operations(iter(["A", "B[", "C"]))
    assert next(operations) == {"path": [{"symbolic": "A"}]}
    with pytest.raises(UsageError, match=r"'B\['"):
        next(operations)


def test_one_text_is_no_sequence() -> None:
    """A single text in place of a sequence is refused, not taken letter by letter."""
    with pytest.raises(LocalProtocolError, match=r"write \['SCADA'\]"):
        parse_operations("SCADA")


def descriptions(text: str, fragment: bool = False) -> tuple[str, str]:
    return ready(text, fragment).description(False), ready(text, fragment).description(True)


def test_descriptions() -> None:
    """An operation is described in columns: company, service, path."""
    assert descriptions("NOPE") == ("Single Read  Tag  NOPE", "Multi. Read  Tag  NOPE")
    assert descriptions("Tag=1") == ("Single Write Tag  Tag", "Multi. Write Tag  Tag")
    assert descriptions("SCADA[0-3]", True)[0] == "Single Read  Frag SCADA"
    assert prepare({"method": "get_attributes_all", "path": "@1/1"}).description(False) == "Single G_A_A      @0x0001/1"
    assert str(ready("SCADA[1-5]")) == "Read Tag SCADA[1-5]"


def outcome(text: str, status: int, data: str = "", extended: tuple[int, ...] = (), service: int | None = None) -> Any:
    operation = ready(text)
    code = operation.service.code | 0x80 if service is None else service
    return operation.outcome(Reply(code, status, list(extended), bytes.fromhex(data)))


@pytest.mark.parametrize(
    ("text", "status", "data", "extended", "expected"),
    [
        ("X[0-1]", 0, "c300 0100 ffff", (), (0, [1, -1])),
        ("X", 0, "ca00 0000c03f", (), (0, [1.5])),
        ("X", 0, "c100 01", (), (0, [True])),
        ("X[0-3]+4", 0, "c300 0100 0200", (), (0, [1, 2])),
        ("X", 0, "a002 3412 010203", (), (0, b"\1\2\3")),
        ("X[0-9]", 6, "c300 0100 02", (), (6, [1])),
        ("X[0-9]", 6, "", (), (6, [])),
        ("X", 0, "a002 ce0f 02000000 6162" + "00" * 82, (), (0, ["ab"])),
        ("X[0-1]", 6, "a002 ce0f 02000000 6162" + "00" * 90, (), (6, ["ab"])),
        ("X[0-1]", 0, "da00 026162 00", (), (0, ["ab", ""])),
        ("X[0-1]", 6, "da00 026162 0563", (), (6, ["ab"])),
        ("X[0-1]+2", 0, "da00 62 00", (), (0, b"b\0")),
        ("X", 4, "", (0,), ((4, [0]), None)),
        ("X", 8, "", (), (8, None)),
        ("X=1", 0, "", (), (0, True)),
        ("X=1", 0xFF, "", (0x2107,), ((0xFF, [0x2107]), None)),
    ],
)
def test_outcomes(text: str, status: int, data: str, extended: tuple[int, ...], expected: Any) -> None:
    """A reply gives status and value: a list, True for a write, None for a refusal; partial data is a success."""
    assert outcome(text, status, data, extended) == expected


@pytest.mark.parametrize(
    ("text", "data", "service"),
    [
        ("X[0-1]", "c300 0100", None),
        ("X", "a002 ce0f 02000000 6162", None),
        ("X[0-1]", "da00 026162", None),
        ("X", "da00 026162 00", None),
        ("X", "c300 0100 0200", None),
        ("X", "c300 01", None),
        ("X", "c3", None),
        ("X", "", None),
        ("X", "c300 0100", 0xCD),
        ("X", "c300 0100", 0xD2),
    ],
)
def test_impossible_replies(text: str, data: str, service: int | None) -> None:
    """A reply of another length than was asked for, or to another service, is an error of the peer's."""
    with pytest.raises(RemoteProtocolError):
        outcome(text, 0, data, (), service)


def test_errors_are_of_one_tree() -> None:
    """Whatever is refused here is an Error of the project's."""
    assert issubclass(LocalProtocolError, Error) and issubclass(UsageError, Error)
