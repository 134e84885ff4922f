"""Tags made from their text: what they hold, where they stand, and what is refused."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from cpppo.errors import UsageError
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.tagging import create
from tests.server.enip.device.frames import Simulator, numbers, read, symbol, write


@pytest.mark.parametrize(
    ("text", "scalar", "shape", "value"),
    [
        ("A", True, (), 0),
        ("A=REAL", True, (), 0.0),
        ("A=BOOL", True, (), False),
        ("A=STRING", True, (), ""),
        ("A=SSTRING[2]", False, (2,), ["", ""]),
        ("A=REAL=12.5", True, (), 12.5),
        ("A=BOOL=true", True, (), True),
        ("A=STRING='unit 7'", True, (), "unit 7"),
        ("A=INT[1]=5", False, (1,), [5]),
        ("A=INT[4]=1,2", False, (4,), [1, 2, 0, 0]),
        ("A=STRING[3]='a','b'", False, (3,), ["a", "b", ""]),
        ("A=DINT[2,3]=1,2,3,4", False, (2, 3), [1, 2, 3, 4, 0, 0]),
        ("A=BOOL[40]=1,1", False, (2,), [3, 0]),
    ],
)
def test_what_is_made(text: str, scalar: bool, shape: tuple[int, ...], value: Any) -> None:
    """Type, dimensions and values are those of the text; elements that are given no value are zero, or empty."""
    device = Device()
    made = create(device, text)
    assert (made.scalar, made.shape, made.value) == (scalar, shape, value)
    assert device["a"] is made and device.tags() == [made]


def test_class_of_attributes_can_be_chosen() -> None:
    """A subclass that knows nothing of dimensions or addresses will do."""

    class Mine(Attribute):
        def __init__(self, name: str, type_cls: Any, default: Any = 0, error: int = 0) -> None:
            super().__init__(name, type_cls, default=default, error=error)

    made = create(Device(), "Grid@0x93/1/1=DINT[2,3]=1,2,3,4,5,6", Mine)
    assert type(made) is Mine and made.shape == (2, 3) and made[1, 0] == 4


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SCADA", "Creating tag: SCADA=INT"),
        ("SCADA=dint[10]=1", "Creating tag: SCADA=DINT[10]"),
        ("Grid=REAL[2,3]", "Creating tag: Grid=REAL[2,3]"),
        ("Tag@147/1/10=STRING", "Creating tag: Tag@0x0093/1/10=STRING"),
    ],
)
def test_line_in_the_log(caplog: pytest.LogCaptureFixture, text: str, line: str) -> None:
    """Each tag is named in the log."""
    with caplog.at_level(logging.INFO):
        create(Device(), text)
    assert caplog.messages == [line]


# -- chosen addresses


def test_tag_at_an_address() -> None:
    """It is read and written by its name and by its address; class and object are there."""
    device = Device()
    create(device, "Tag@0x93/2/10=DINT[3]=7,8,9")
    simulator = Simulator(device)
    for where in (symbol("tag"), numbers(0x93, 2, 10)):
        assert simulator.cip(read(where, 3)).hex() == "cc000000c400" + "07000000" + "08000000" + "09000000"
    assert simulator.cip(write(numbers(0x93, 2, 10), 0xC4, 1, b"\5\0\0\0")).hex() == "cd000000"
    assert device["Tag"].value == [5, 8, 9]
    assert simulator.cip(b"\x0e" + numbers(0x93, 2, 10))[4:] == device["Tag"].octets()
    assert simulator.cip(b"\x10" + numbers(0x93, 2, 10) + bytes(12)).hex() == "90000000"
    assert device["Tag"].value == [0, 0, 0]
    assert simulator.cip(b"\x01" + numbers(0x93, 2)).hex() == "81000000" + "00" * 12
    assert simulator.cip(b"\x01" + numbers(0x93, 0)).hex() == "81000000" + "0100" + "0200" + "0100"
    assert simulator.cip(b"\x0a" + numbers(0x93, 2) + b"\0\0").hex() == "8a000800"
    assert simulator.cip(read(numbers(0x93, 2, 11))).hex() == "cc001400"
    assert simulator.cip(read(numbers(0x93, 1, 10))).hex() == "cc000500"


def test_tag_added_to_an_object_that_was_asked_before() -> None:
    """A second tag of an object is found, also where a request found none."""
    device = Device()
    create(device, "A@0x93/1/1=INT=1")
    simulator = Simulator(device)
    assert simulator.cip(read(numbers(0x93, 1, 2))).hex() == "cc001400"
    create(device, "B@0x93/1/2=INT=2")
    assert simulator.cip(read(numbers(0x93, 1, 2))).hex() == "cc000000c3000200"
    assert [one.name for one in device.tags()] == ["A", "B"]


def test_tags_without_an_address_take_the_numbers_that_are_free() -> None:
    """@2/1/2 may be chosen; the tags around it are 1 and 3."""
    device = Device()
    for text in ("A@2/1/2=INT=1", "B=INT=2", "C=INT=3"):
        create(device, text)
    assert {number: one.name for number, one in device.router.attribute.items()} == {2: "A", 1: "B", 3: "C"}
    assert [one.name for one in device.tags()] == ["A", "B", "C"]


def test_reads_and_writes_at_an_address_are_observed() -> None:
    """Whoever looks on sees them by whatever path and service they come."""
    device = Device()
    create(device, "Tag@0x93/1/1=INT")
    seen: list[tuple[str, str]] = []
    device.router.observer = lambda name, kind, first, octets, sign: seen.append((name, sign))
    simulator = Simulator(device)
    simulator.cip(read(symbol("Tag")))
    simulator.cip(write(numbers(0x93, 1, 1), 0xC3, 1, b"\0\0"))
    simulator.cip(b"\x0e" + numbers(0x93, 1, 1))
    simulator.cip(b"\x10" + numbers(0x93, 1, 1) + b"\0\0")
    assert seen == [("Tag", "=="), ("Tag", "<="), ("Tag", "=="), ("Tag", "<=")]


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("tag=DINT", "exists already, as 'Tag'"),
        ("B@0x93/1/10=INT", "'Tag' is there already; choose another attribute"),
        ("B@2/1/1=INT", "'First' is there already"),
        ("B@1/1/100=INT", "Identity; choose another class, eg. 0x93"),
        ("B@6/1/1=INT", "Connection_Manager; choose another class"),
        ("B@0x93/0/1=INT", "numbers begin at 1"),
        ("B@0/1/1=INT", "numbers begin at 1"),
        ("B@0x10000/1/1=INT", "65535"),
        ("B@1/1/0x10000=INT", "65535"),
        ("B=INT=99999", "B=DINT"),
    ],
)
def test_refused(text: str, instead: str) -> None:
    """A name or an address that is taken, or cannot be: one line that says what to do, and nothing is added."""
    device = Device()
    create(device, "First=INT")
    create(device, "Tag@0x93/1/10=INT")
    with pytest.raises(UsageError) as raised:
        create(device, text)
    assert instead in str(raised.value) and "\n" not in str(raised.value)
    assert len(device.tags()) == 2
