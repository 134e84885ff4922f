"""What is found out about a controller: tags, types, programs, identity; and what peers may say wrongly."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import pytest

from cpppo.errors import RemoteProtocolError, StatusError
from cpppo.server.enip.client.catalog import Catalog, browse, changes, identify
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.wire.strings import STRING, LogixString, structure
from cpppo.server.enip.wire.types import BOOL, DINT, INT
from tests.server.enip.client.plant import catalog, controller, run


def test_every_tag_with_its_type() -> None:
    """Names as they are, whole with their programs; types with dimensions; access."""
    found = catalog()
    assert {one.name: one.type for one in found} == {
        "SCADA": "INT[1000]",
        "Level": "REAL",
        "Fixed": "DINT",
        "Word": "DINT",
        "Small": "SINT",
        "Drive": "Motor[8]",
        "Grid": "DINT[2,3]",
        "Cube": "INT[2,3,4]",
        "Flags": "DWORD[2]",
        "Name": "STRING",
        "Names": "STRING[3]",
        "Short": "Text20",
        "Pump": "BOOL",
        "Program:Main.Step": "DINT",
        "Program:Main.Drive": "Motor",
    }
    assert found.programs == ("Main", "Empty") and len(found) == 15
    assert {one.name for one in found if one.access != "read-write"} == {"Fixed"}
    assert found.get("program:main.STEP") == found.get("Program:Main.Step") is not None
    assert found.get("nothing") is None


def test_types_are_those_of_the_controller() -> None:
    """Every member with its kind, place and bit; custom strings are text; found by their handles."""
    device = controller()
    found = catalog(device)
    motor = found.get("Drive")
    assert motor is not None and motor.kind is not None
    theirs = device["Drive"].type
    assert [(one.name, one.kind.name, one.count, one.offset, one.bit) for one in motor.kind.members] == [
        (one.name, one.kind.name, one.count, one.offset, one.bit) for one in theirs.members
    ]
    value = {"running": True, "speed": 1.5, "label": "x", "short": "y", "leaf": [{}, {"name": "deep", "on": True}]}
    assert motor.kind.unpack(theirs.produce(value)) == theirs.unpack(theirs.produce(value))
    short = found.get("Short")
    assert short is not None and isinstance(short.kind, LogixString) and short.kind.capacity == 20
    assert found.kind_of_handle(theirs.handle) is motor.kind and found.kind_of_handle(None) is None
    name = found.get("Name")
    assert name is not None and name.kind.size == STRING.size and name.kind.name == "STRING"


@pytest.mark.parametrize("tags", [0, 1, 17, 400])
def test_any_number_of_tags(tags: int) -> None:
    """None, one, or many pages of them."""
    device = Device()
    for number in range(tags):
        device.add_tag(Attribute(f"Tag_{number}", INT))
    assert [one.name for one in catalog(device)] == [f"Tag_{number}" for number in range(tags)]


def test_identity_and_stamps() -> None:
    """Who it is; stamps that change with the tags."""
    device = controller()
    who = run(identify(), device)
    assert (who.vendor, who.device_type, who.revision, who.product_name) == (1, 14, (32, 11), "1756-L83E/B")
    before = run(changes(), device)
    assert run(changes(), device) == before
    device.add_tag(Attribute("New", INT))
    assert run(changes(), device) != before


# -- peers that say something else


class Said:
    """Answers operations from a list: octets, or a status."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    def run(self, flow: Any) -> Any:
        try:
            operations = next(flow)
            while True:
                self.asked += operations
                operations = flow.send([self.result(self.answers.pop(0)) for _ in operations])
        except StopIteration as done:
            return done.value

    @staticmethod
    def result(answer: Any) -> Any:
        status, data = (
            (answer, None) if isinstance(answer, int) else answer if isinstance(answer, tuple) else (0, answer)
        )
        value = None if data is None else True
        return SimpleNamespace(sts=status, val=value, rpy=SimpleNamespace(data=data), dsc="asked")


def record(instance: int, name: str, kind: int, access: bool = True) -> bytes:
    """A symbol as it is sent."""
    text = name.encode()
    return struct.pack("<IH", instance, len(text)) + text + struct.pack("<H3I", kind, 0, 0, 0) + b"\0" * access


def test_older_controllers_have_no_access() -> None:
    """Refused with the attribute for access, the list is asked for without."""
    for status in (0x14, 0x0A, 0x03):
        said = Said(status, record(5, "A", 0xC4, access=False))
        found = said.run(browse())
        assert [(one.name, one.instance, one.access) for one in found] == [("A", 5, "read-write")]
        assert [list(one.request.data.attribute) for one in said.asked] == [[1, 2, 8, 10], [1, 2, 8]]


def test_system_symbols_and_modules_are_left_out() -> None:
    """Tasks, routines, maps, what has a colon in its name; the tag of a program of type SSTRING is text."""
    page = b"".join(
        record(number, name, kind)
        for number, (name, kind) in enumerate(
            [("Task:Main", 0x1070), ("Map:X", 0x1069), ("__hidden", 0x10C4), ("Local:1:I", 0x8123), ("T", 0xDA)], 1
        )
    )
    found = Said(page).run(browse())
    assert [(one.name, one.type) for one in found] == [("T", "SSTRING")]


def test_a_program_that_cannot_be_listed_is_empty() -> None:
    """0x05 is what some answer for a program without tags."""
    found = Said(record(1, "Program:P", 0x1068), 5).run(browse())
    assert len(found) == 0 and found.programs == ("P",)


def test_a_type_that_nobody_knows() -> None:
    """The tag is there, its type is not known; nothing else is lost."""
    found = Said(record(1, "Odd", 0xC0) + record(2, "A", 0xC4)).run(browse())
    assert [(one.name, one.type) for one in found] == [("Odd", "?"), ("A", "DINT")]


def test_a_controller_that_cannot_be_browsed() -> None:
    """Its refusal is what is raised, in words."""
    with pytest.raises(StatusError, match="^asked: path destination unknown .*0x05") as raised:
        Said(5).run(browse())
    assert raised.value.status == 5


@pytest.mark.parametrize(
    "answers",
    [
        [(6, b"")],
        [(6, record(3, "A", 0xC4)), (6, record(2, "B", 0xC4))],
        [record(1, "A", 0xC4)[:-3]],
        [record(1, "A", 0xC4) + b"\1"],
        [record(1, "A", 0x8123), b"\0\0"],
        [record(1, "A", 0x8123), struct.pack("<HHHIHHIHHHHHH", 4, 5, 0, 30, 4, 0, 32, 2, 0, 4, 1, 0, 1)],
        [record(1, "A", 0x8123), struct.pack("<HHHIHHIHHHHHH", 4, 4, 5, 30, 5, 0, 32, 2, 0, 4, 1, 0, 1)],
        [record(1, "A", 0x8123), struct.pack("<HHHIHHIHHHHHH", 4, 4, 0, 30, 5, 0, 32, 2, 0, 4, 1, 0, 1), bytes(10)],
    ],
)
def test_nonsense(answers: list[Any]) -> None:
    """Pages that lead nowhere, symbols and templates cut short: RemoteProtocolError, never a loop."""
    with pytest.raises(RemoteProtocolError):
        Said(*answers).run(browse())


def sizes(octets: bytes, size: int, members: int) -> bytes:
    """What a template says of its sizes."""
    return struct.pack("<HHHIHHIHHHHHH", 4, 4, 0, (len(octets) + 20) // 4, 5, 0, size, 2, 0, members, 1, 0, 0x4321)


def test_a_definition_in_parts() -> None:
    """... is put together; one that ends early is RemoteProtocolError."""
    kind = structure("S", [("x", DINT, 0), ("on", BOOL, 0)])
    octets = kind.definition(lambda one: 0)
    found: Catalog = Said(
        record(1, "A", 0x8123), sizes(octets, kind.size, 3), (6, octets[:9]), (6, octets[9:30]), octets[30:]
    ).run(browse())
    tag = found.get("A")
    assert tag is not None and tag.kind is not None and tag.kind.name == "S" and tag.kind.size == 8


def test_structures_that_contain_themselves() -> None:
    """A circle of templates ends in an error."""
    octets = struct.pack("<HHI", 0, 0x8000 | 0x123, 0) + b"S;nEA\0x\0".ljust(12, b"\0")
    with pytest.raises(RemoteProtocolError, match="contains itself"):
        Said(record(1, "A", 0x8123), sizes(octets, 4, 1), octets).run(browse())


def test_members_beyond_their_structure() -> None:
    """A member that does not fit is refused: its octets would be another's."""
    octets = struct.pack("<HHI", 0, 0xC4, 8) + b"S;nEA\0x\0".ljust(12, b"\0")
    with pytest.raises(RemoteProtocolError, match="beyond its 8 octets"):
        Said(record(1, "A", 0x8123), sizes(octets, 8, 1), octets).run(browse())
