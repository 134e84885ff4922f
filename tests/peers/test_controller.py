"""Other makers' clients and the controller itself: who it is, what tags it has, its clock, and what it refuses."""

from __future__ import annotations

import pytest

from tests.peers.conftest import Talk
from tests.peers.peer import Refused

pytestmark = pytest.mark.peers

#: A time that no clock of this machine shows: in 2020.
LONG_AGO = 1_600_000_000_000_000


@pytest.mark.capability("open")
def test_opens(talk: Talk) -> None:
    """With its default settings a client opens the controller, and reads a tag."""
    talk.plant["One_INT"].value = 4711
    assert talk.peer.read("One_INT") == 4711


@pytest.mark.capability("identity")
def test_identity(talk: Talk) -> None:
    """Name, serial number and revision are those of the profile."""
    who = talk.plant.device.identity.data
    assert talk.peer.identity() == (who.product_name, who.serial, (who.major, who.minor))


@pytest.mark.capability("tag list")
def test_tag_list(talk: Talk) -> None:
    """All tags are listed, each with its type and dimensions."""
    found = talk.peer.tags()
    expected = {}
    for one in talk.plant.device.tags():
        kind = {"SSTRING": "SHORT_STRING"}.get(one.type.name, one.type.name)
        expected[one.name] = kind, len(one.shape), one.shape[0] if one.shape else 0
    assert sorted(found) == sorted(expected)
    for name, (kind, dimensions, extent) in expected.items():
        listed = found[name]
        assert (name, listed.dimensions) == (name, dimensions)
        assert listed.extent in (extent, None)
        assert listed.kind in (kind, *ALIASES.get((talk.peer.name, kind), ()))


#: What clients call a type that they have no name, or another one, for.
ALIASES: dict[tuple[str, str], tuple[str | None, ...]] = {
    ("pylogix", "ULINT"): ("LWORD",),
    ("pylogix", "SHORT_STRING"): ("STRING",),
    ("st-ethernet-ip", "ULINT"): (None,),
}


@pytest.mark.capability("program tags")
def test_program_tags(talk: Talk) -> None:
    """The programs are listed, also the one without tags; the tags of the other are read and written."""
    assert sorted(talk.peer.programs()) == ["Empty", "MainProgram"]
    assert not [name for name in talk.peer.tags() if name.startswith("Program:Empty.")]
    talk.peer.write("Program:MainProgram.Speed", 2.5)
    talk.peer.write("Program:MainProgram.Steps", [1, -2, 3, -4])
    assert talk.plant["Program:MainProgram.Speed"].value == talk.peer.read("Program:MainProgram.Speed") == 2.5
    assert talk.plant["Program:MainProgram.Steps"][:] == [1, -2, 3, -4]
    assert talk.peer.read("Program:MainProgram.Steps[1]", 3) == [-2, 3, -4]


@pytest.mark.capability("several tags at once")
def test_several_tags(talk: Talk) -> None:
    """One call reads, and one writes, tags of several types, elements, members and bits."""
    talk.peer.write_many(("One_DINT", 5), ("Grid[1,2]", 6), ("One_REAL", 1.5), ("Cube[1,1,1]", -7))
    written = [talk.plant[name][key] for name, key in (("One_DINT", 0), ("Grid", (1, 2)), ("One_REAL", 0))]
    assert written == [5, 6, 1.5]
    talk.plant["Bits_DINT"].value = 0b1000
    names = ["One_DINT", "Grid[1,2]", "One_REAL", "Cube[1,1,1]", "Bits_DINT.3", "Bits_DINT.2"]
    assert talk.peer.read_many(*names) == [5, 6, 1.5, -7, True, False]
    many = [f"Large[{at}]" for at in range(0, 1500, 5)]
    talk.plant["Large"][:] = range(1500)
    assert talk.peer.read_many(*many) == list(range(0, 1500, 5))


@pytest.mark.capability("clock")
def test_clock(talk: Talk) -> None:
    """A client reads the controller's time; and sets it, which does not change that of this machine."""
    talk.plant.device.clock = lambda: LONG_AGO
    assert talk.peer.clock() == LONG_AGO
    talk.peer.set_clock()
    assert talk.peer.clock() > LONG_AGO
    assert talk.plant.device.clock() == LONG_AGO


@pytest.mark.capability("refusals")
def test_refusals(talk: Talk) -> None:
    """What cannot be written or read, or is not there, is refused in words, and the conversation goes on."""
    for call, *arguments in (
        (talk.peer.write, "Locked", 1.0),
        (talk.peer.write, "Hidden", 5),
        (talk.peer.read, "Hidden"),
        (talk.peer.read, "Nothing"),
        (talk.peer.read, "Grid[2,0]"),
    ):
        with pytest.raises(Refused):
            call(*arguments)
    assert (talk.plant["Locked"].value, talk.plant["Hidden"].value) == (12.5, 3)
    assert talk.peer.read("Locked") == 12.5
