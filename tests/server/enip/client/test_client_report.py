"""The lines people see."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from cpppo.server.enip.client.exchange import Result
from cpppo.server.enip.client.operations import parse_operations, prepare
from cpppo.server.enip.client.report import (
    format_failure,
    format_rate,
    format_result,
    label,
    plain_rate,
    plain_result,
)
from cpppo.server.enip.wire.services import Reply


def result(operation: str | dict[str, Any], status: Any, value: Any, data: str = "") -> Result:
    """A result as the exchange gives it."""
    made = prepare(next(parse_operations([operation])) if isinstance(operation, str) else operation)
    general, extended = status if isinstance(status, tuple) else (status, [])
    reply = Reply(made.service.code | 0x80, general, extended, bytes.fromhex(data))
    return Result(0, made.single, made.request, reply, status, value)


@pytest.mark.parametrize(
    ("operation", "status", "value", "data", "line"),
    [
        ("SCADA", 0, [0], "c3000000", "               SCADA              == [0]: 'OK'"),
        ("SCADA[0-3]=1,2,3,4", 0, True, "", "               SCADA[    0-3    ] <= [1, 2, 3, 4]: 'OK'"),
        ("NOPE[0-3]+2", (4, [0]), None, "", "                NOPE[    0-3    ] == None: 'Status 4 [0]'"),
        ("SCADA[0-3]+2", 0, [2, 3, 4], "c300", "               SCADA[    1-3    ] == [2, 3, 4]: 'OK'"),
        ("@2/1/1", 0, [0], "c300", "         @0x0002/1/1              == [0]: 'OK'"),
        (
            "@2/1/1[0-2]",
            (255, [8453]),
            None,
            "",
            "      @0x0002/1/1[0][    0-2    ] == None: 'Status 255 [8453]'",
        ),
        (
            "@4/5/{'connection':100}",
            (5, [0]),
            None,
            "",
            "@0x0004/5/{\"connection\":100}              == None: 'Status 5 [0]'",
        ),
        ("SCADA[1000]", (255, [8453]), None, "", "               SCADA[ 1000-1000 ] == None: 'Status 255 [8453]'"),
        (
            "SCADA[0]=(DINT)70000",
            (255, [8455]),
            None,
            "",
            "               SCADA[    0-0    ] <= [70000]: 'Status 255 [8455]'",
        ),
        ("Tag", 8, None, "", "                 Tag              == None: 'Status 8 '"),
        ("Tag[0-9]+16=(DINT)4,5", 0, True, "", "                 Tag[    4-9    ] <= [4, 5]: 'OK'"),
        ({"path": "Tag", "elements": 3}, 0, [1, 2, 3], "c300", "                 Tag[    0-2    ] == [1, 2, 3]: 'OK'"),
        ("Name", 0, ["unit 7"], "a002ce0f", "                Name              == ['unit 7']: 'OK'"),
        ("Names[2-3]+88", 0, ["a"], "a002ce0f", "               Names[    3-3    ] == ['a']: 'OK'"),
        ("Names[0-1]='a','b c'", 0, True, "", "               Names[    0-1    ] <= ['a', 'b c']: 'OK'"),
        ("Short=(SSTRING)'ab',''", 0, True, "", "               Short[    0-1    ] <= ['ab', '']: 'OK'"),
        ("Short[0-1]", 0, ["ab", ""], "da00", "               Short[    0-1    ] == ['ab', '']: 'OK'"),
        ("Grid[1,2]", 0, [5], "c300", "             Grid[1][    2-2    ] == [5]: 'OK'"),
        ("Motor[2].Speed", 0, [5], "c300", "      Motor[2].Speed              == [5]: 'OK'"),
        ("Words[2].5=1", 0, True, "", "          Words[2].5              <= [True]: 'OK'"),
        ("SCADA[0-9]", 6, [1, 2], "c300", "               SCADA[    0-9    ] == [1, 2]: 'Status 6 '"),
        (
            {"method": "get_attribute_single", "path": "@1/1/7"},
            0,
            [20, 49],
            "",
            "         @0x0001/1/7              ?? [20, 49]: 'OK'",
        ),
        (
            {"method": "set_attribute_single", "path": "@1/1/7", "data": [1, 2]},
            0,
            True,
            "",
            "         @0x0001/1/7              <= [1, 2]: 'OK'",
        ),
    ],
)
def test_lines(operation: str | dict[str, Any], status: Any, value: Any, data: str, line: str) -> None:
    """Each kind of operation and status has its line, in columns."""
    assert format_result(result(operation, status, value, data)) == line


def test_failures_say_why() -> None:
    """A failure names the operation, the status, and its words."""
    line = "Single Read  Tag  NOPE returned non-zero status: Status 4 [0] (path segment error: no such tag)"
    assert format_failure(result("NOPE", (4, [0]), None)) == line
    assert format_failure(result("X", 8, None)).endswith("status: Status 8 (service not supported)")


def test_rate() -> None:
    """The rate is that of operations, over the time they took."""
    assert format_rate("ReadFrg.", 20, 0.98686) == "Client ReadFrg. Average  20.266 TPS (  0.049s ea)."
    assert format_rate("Tag I/O", 2, 1.0) == "Client Tag I/O  Average   2.000 TPS (  0.500s ea)."
    assert format_rate("Tag I/O", 0, 0.0) == "Client Tag I/O  Average   0.000 TPS (  0.000s ea)."


def test_labels() -> None:
    """A run of one service has its name, all others are tag I/O."""
    assert [label(code) for code in (0x4C, 0x52, 0x4D, 0x53, 0x0E, None)] == [
        "ReadTag",
        "ReadFrg.",
        "WriteTag",
        "WriteFrg.",
        "Tag I/O",
        "Tag I/O",
    ]


@pytest.mark.parametrize(
    ("operation", "status", "value", "data", "expected"),
    [
        ("SCADA[0-2]", 0, [0, 1, 2], "c300", ("Read Tag", "SCADA[0-2]", 0, [], "success", [0, 1, 2])),
        ("SCADA[3]", 6, [1], "c300", ("Read Tag", "SCADA[3]", 6, [], "partial transfer: there is more data", [1])),
        ("X[1]=(DINT)7", 0, True, "", ("Write Tag", "X[1]", 0, [], "success", [7])),
        ("X=7", (255, [8455]), None, "", ("Write Tag", "X", 255, [8455], "general error: data type mismatch", None)),
        ("NOPE", (4, [0]), None, "", ("Read Tag", "NOPE", 4, [0], "path segment error: no such tag", None)),
        ("Name='\u00fcber \"x\"'", 0, True, "", ("Write Tag", "Name", 0, [], "success", ['\u00fcber "x"'])),
        ("R[0-3]", 0, [1.5, math.nan, math.inf, -math.inf], "ca00",
         ("Read Tag", "R[0-3]", 0, [], "success", [1.5, "nan", "inf", "-inf"])),
        ("Udt", 0, b"\x01\xff", "a0021234", ("Read Tag", "Udt", 0, [], "success", [1, 255])),
        ("Udt", 0, [{"A": math.nan, "B": [1]}], "a0021234",
         ("Read Tag", "Udt", 0, [], "success", [{"A": "nan", "B": [1]}])),
        ({"method": "get_attribute_single", "path": "@1/1/7"}, 0, [20, 49], "",
         ("Get Attribute Single", "@0x0001/1/7", 0, [], "success", [20, 49])),
    ],
)  # fmt: skip
def test_plain_results(operation: Any, status: Any, value: Any, data: str, expected: tuple[Any, ...]) -> None:
    """A result for programs has what was asked, where, by which service, its status in all forms, and its value."""
    plain = plain_result(result(operation, status, value, data), "as asked", 1795329781.9347)
    service, path, code, extended, words, shown = expected
    assert json.loads(json.dumps(plain, allow_nan=False)) == {
        "time": 1795329781.935,
        "operation": "as asked",
        "service": service,
        "path": path,
        "status": code,
        "extended": extended,
        "words": words,
        "value": shown,
    }


def test_plain_rate() -> None:
    """The rate for programs is in numbers, of no time at all too."""
    assert plain_rate("ReadFrg.", 20, 3, 0.98686) == {
        "operations": 20,
        "failures": 3,
        "label": "ReadFrg.",
        "seconds": 0.98686,
        "tps": 20.266,
    }
    assert plain_rate("Tag I/O", 1, 0, 0.0)["tps"] == 0.0
