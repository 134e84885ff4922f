"""The simulator as a library, with a plant file: structures and their members as Python has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cpppo.errors import LocalProtocolError, UsageError
from cpppo.server.enip import Simulator, simulator
from cpppo.server.enip.device import LOGIX_L61, PROFILES, Attribute
from cpppo.server.enip.plant import PlantError
from cpppo.server.enip.wire.types import INT
from tests.server.enip.test_plant import MOTOR, SAMPLE
from tests.server.enip.test_simulator import ask

ZERO = {"running": False, "fault": False, "speed": 0.0, "counts": [0] * 4, "label": ""}


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    file = tmp_path / "plant.toml"
    file.write_text(f"{SAMPLE}\n[types.Line]\nname = 'STRING'\nmotors = 'Motor[2]'\n[tags.Whole]\ntype = 'Line'\n")
    return file


@pytest.fixture
def plc(sample: Path) -> Iterator[Simulator]:
    with simulator(config=sample) as one:
        yield one


def test_tags_of_the_file(plc: Simulator) -> None:
    """Tags and those of programs are there by their names, with the values of the file; clients have the same."""
    names = ["SCADA", "Level", "Drive", "Grid", "Flags", "Name", "Whole", "Program:MainProgram.Speed"]
    assert list(plc) == names
    assert (plc["Level"].value, plc["name"].value, plc["Grid"].shape) == (12.5, "unit 7", (2, 3))
    plc["program:mainprogram.speed"].value = 2.5
    assert ask(plc, "Program:MainProgram.Speed", "Level", "Level=(REAL)1.0") == [[2.5], [12.5], None]
    plc["Level"].value = 13  # read-only for clients
    assert ask(plc, "Level") == [[13.0]]


def test_members(plc: Simulator) -> None:
    """Members are attributes and keys of what an element reads as; those within structures, too."""
    plc["Drive"][2] = {"speed": 1.5, "counts": [1, 2], "label": "x", "running": True}
    one = plc["Drive"][2]
    assert one == ZERO | {"speed": 1.5, "counts": [1, 2, 0, 0], "label": "x", "running": True}
    assert (one.speed, one["speed"], one.counts[1], one.label, one.running) == (1.5, 1.5, 2, "x", True)
    assert plc["Drive"].value[:3] == [ZERO, ZERO, one]
    plc["Whole"].value = {"name": "L1", "motors": [{}, {"speed": 4}]}
    assert (plc["Whole"].value.name, plc["Whole"].value.motors[1].speed) == ("L1", 4.0)
    with pytest.raises(AttributeError, match="no member 'sped'; there are running, fault, speed, counts, label"):
        one.sped  # noqa: B018


def test_members_are_replaced_with_their_structure(plc: Simulator) -> None:
    """What is read is a copy; assigned, it is all of the new value, in which members left out are zero."""
    drive = plc["Drive"]
    drive[2] = {"speed": 1.5, "running": True}
    one = drive[2]
    one.speed = 3
    assert drive[2].speed == 1.5
    drive[2] = one
    assert drive[2] == ZERO | {"speed": 3.0, "running": True}
    drive[2] = drive[2] | {"fault": True}
    assert drive[2] == ZERO | {"speed": 3.0, "running": True, "fault": True}
    drive[2] = {"label": "new"}
    assert drive[2] == ZERO | {"label": "new"}
    drive[-2:] = [{"speed": 1}, {}]
    assert [one.speed for one in drive[5:]] == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"sped": 1}, "Motor has no member 'sped'; there are running, fault"),
        ({"speed": "fast"}, "speed: 'fast' is no REAL"),
        ({"counts": [1] * 5}, "counts: .* is no list of up to 4 DINT"),
        ({"label": "x" * 83}, "label: .*it holds 82"),
        (5, "5 is no Motor"),
    ],
)
def test_values_that_cannot_be_set(plc: Simulator, value: Any, says: str) -> None:
    """A member that is not there or does not fit is told with its name, and nothing is written."""
    with pytest.raises(LocalProtocolError, match=says):
        plc["Drive"][2] = value
    assert plc["Drive"][2] == ZERO


def test_members_of_clients(plc: Simulator) -> None:
    """What clients write of a member, of its elements and bits is there, and the other way round."""
    wrote = ask(plc, "Drive[2].speed=(REAL)2.5", "Drive[2].counts[1-2]=(DINT)7,8", "Drive[2].running=(BOOL)1")
    assert wrote == [True, True, True]
    assert plc["Drive"][2] == ZERO | {"speed": 2.5, "counts": [0, 7, 8, 0], "running": True}
    plc["Drive"][2] = plc["Drive"][2] | {"running": False, "fault": True}
    assert ask(plc, "Drive[2].running", "Drive[2].fault", "Drive[2].speed") == [[False], [True], [2.5]]


def test_how_structures_look(plc: Simulator) -> None:
    """A tag of structures shows as its type and its members' values."""
    plc["Whole"].value = {"name": "L1"}
    shown = f"Whole         Line[   1] == [{{'name': 'L1', 'motors': [{ZERO}, {ZERO}]}}]"
    assert str(plc["Whole"].attribute) == shown and repr(plc["Whole"]) == f"<Tag {shown}>"


def test_file_and_arguments(sample: Path) -> None:
    """Tags as arguments may be of the file's types; each of its options can be given beside it."""

    class Mine(Attribute):
        pass

    one = simulator("Spare=Motor[2]", Attribute("Own", INT), config=str(sample), attribute_class=Mine, strict=True)
    assert list(one)[-2:] == ["Spare", "Own"] and one["Spare"].value == [ZERO, ZERO]
    assert {type(tag) for tag in one.device.tags()[:-1]} == {Mine} and one.device.strict
    with pytest.raises(UsageError, match="'LEVEL' exists already, as 'Level'"):
        simulator("LEVEL=INT", config=sample)


def test_identity_beside_the_file(sample: Path) -> None:
    """The file says who it is, unless that is given: the name of a profile, a profile or an identity."""
    assert simulator(config=sample).device.identity.data == PROFILES["1756-L83E"].identity
    sample.write_text("[tags]\nA = 'INT'\n[controller]\nprofile = '1756-L83E'\n")
    for identity in ("2080-lc50", PROFILES["2080-LC50"], PROFILES["2080-LC50"].identity, LOGIX_L61):
        who = LOGIX_L61 if identity is LOGIX_L61 else PROFILES["2080-LC50"].identity
        assert simulator(config=sample, identity=identity).device.identity.data == who


def test_mistakes(tmp_path: Path) -> None:
    """All that is wrong with the file is one error; a file that cannot be read is an OSError."""
    file = tmp_path / "plant.toml"
    file.write_text(MOTOR + "[tags]\nA = 'Moter'\nB = 5\n")
    with pytest.raises(PlantError) as raised:
        simulator(config=file)
    assert [one[:2] for one in raised.value.problems] == [(9, "tags.A"), (10, "tags.B")]
    with pytest.raises(FileNotFoundError):
        simulator(config=tmp_path / "none.toml")
