"""Reading and writing tags by name, in memory: every kind of place, what is refused before it is sent, and plans."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cpppo.errors import LocalProtocolError, RemoteProtocolError, StatusError, UsageError
from cpppo.server.enip.client import flows
from cpppo.server.enip.client.flows import Knowledge, changing, from_clock, to_clock
from cpppo.server.enip.client.places import UnknownTag, find
from cpppo.server.enip.client.planner import plan_reads
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.wire.types import DINT, INT
from tests.server.enip.client.plant import catalog, controller, run

MOTOR = {
    "running": True,
    "fault": False,
    "speed": 1.5,
    "counts": [1, 2, 3, 4],
    "label": "motor",
    "short": "abc",
    "flags": [5, 6],
    "leaf": [{"on": False, "value": 7, "name": "x"}, {"on": True, "value": -8, "name": "deep"}],
}


@pytest.fixture
def device() -> Device:
    made = controller()
    made["SCADA"][0:10] = list(range(10))
    made["Drive"][2] = MOTOR
    return made


def read(device: Device, *tags: str) -> Any:
    """The values of tags."""
    return run(Knowledge().read(tags), device)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("Level", 12.5),
        ("level", 12.5),
        ("SCADA[3]", 3),
        ("SCADA[3-5]", [3, 4, 5]),
        ("SCADA[3-3]", [3]),
        ("Word", 8),
        ("Word.3", True),
        ("Word.4", False),
        ("SCADA[5].0", True),
        ("SCADA[5].1", False),
        ("Name", "unit 7"),
        ("Name.LEN", 6),
        ("Pump", False),
        ("Grid", [[1, 2, 3], [4, 5, 6]]),
        ("Grid[1,2]", 6),
        ("Grid[0,1-2]", [2, 3]),
        ("Grid[0,2-3]", [3, 4]),
        ("Cube[1,2,3]", 0),
        ("Flags[0]", True),
        ("Flags[1]", False),
        ("Flags[2-4]", [True, False, False]),
        ("Flags[31-32]", [False, False]),
        ("Drive[2].speed", 1.5),
        ("Drive[2].running", True),
        ("Drive[2].counts", [1, 2, 3, 4]),
        ("Drive[2].counts[1-2]", [2, 3]),
        ("Drive[2].counts[3]", 4),
        ("Drive[2].counts[3].2", True),
        ("Drive[2].leaf[1].name", "deep"),
        ("Drive[2].leaf[1].on", True),
        ("Drive[2].flags[32]", False),
        ("Drive[2].flags[33]", True),
        ("Drive[2].short", "abc"),
        ("Drive[2]", MOTOR),
        ("Program:Main.Step", 3),
        ("program:main.drive.speed", 0.0),
    ],
)
def test_reading(device: Device, tag: str, value: Any) -> None:
    """A value, a list for a range or an array, lists in lists for dimensions, dicts for structures, bools for bits."""
    (found,) = read(device, tag)
    assert found == value and type(found) is type(value) or isinstance(value, dict) and found == value


def test_whole_arrays(device: Device) -> None:
    """By the name alone: all elements, also of structures and BOOLs."""
    scada, flags, drives, cube = read(device, "SCADA", "Flags", "Drive", "Cube")
    assert (len(scada), scada[:10], len(flags), flags[:3]) == (1000, list(range(10)), 64, [True, False, True])
    assert len(drives) == 8 and drives[2] == MOTOR and drives[2].leaf[1].name == "deep"
    assert cube == [[[0] * 4] * 3] * 2


def test_values_in_the_order_asked(device: Device) -> None:
    """However places are merged and ordered, each value is that of its place; twice the same is asked once."""
    tags = ["SCADA[9]", "Level", "SCADA[0-2]", "Word.3", "SCADA[4]", "Level", "Word", "SCADA[900]", "scada[1]"]
    assert read(device, *tags) == [9, 12.5, [0, 1, 2], True, 4, 12.5, 8, 0, 1]


def test_neighbours_are_read_at_once() -> None:
    """Near elements of an array in one request, far ones in others; bits with their words; a plan shows it."""
    known = catalog()
    tags = ["SCADA[0-9]", "SCADA[12]", "SCADA[900]", "Word.3", "Word.9", "Word", "Flags[0]", "Flags[63]", "Level"]
    plan = plan_reads([find(one, known) for one in tags])
    assert str(plan).splitlines() == [
        "Read Tag SCADA[0-12]: SCADA[0-9], SCADA[12]",
        "Read Tag SCADA[900]: SCADA[900]",
        "Read Tag Word: Word.3, Word.9, Word",
        "Read Tag Flags[0-1]: Flags[0], Flags[63]",
        "Read Tag Level: Level",
    ]


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        ("Levle", "there is no tag 'Levle'; is it Level?"),
        ("Program:Main.X", "there is no tag 'Program:Main.X'"),
        ("Program:X.Step", "there is no tag"),
        ("SCADA[1000]", "no such element of SCADA[1000]"),
        ("SCADA[990-1000]", "SCADA has 1000 elements"),
        ("SCADA[1,2]", "no such element of SCADA[1000]"),
        ("Grid[1]", "no such element of Grid[2,3]"),
        ("Grid[2,0]", "no such element of Grid[2,3]"),
        ("Grid[1,1-3]", "Grid has 6 elements"),
        ("Level[0]x", None),
        ("Word.3.1", None),
        ("Level[1]", "which is no array"),
        ("Word.32", "is of type DINT, which has no '32'"),
        ("Word.x", "is of type DINT, which has no 'x'"),
        ("Level.3", "is of type REAL"),
        ("Drive[1].sped", "has no member 'sped'; it is a Motor"),
        ("Drive[8].speed", "no such element"),
        ("Drive[1].counts[4]", "no such element"),
        ("Flags[64]", "has 64 BOOLs"),
        ("Flags[60-64]", "has 64 BOOLs"),
    ],
)
def test_places_that_are_not_there(device: Device, tag: str, says: str | None) -> None:
    """Said before anything is sent; the others are read all the same."""
    if says is None:
        with pytest.raises(UsageError):
            read(device, tag)
        return
    level, error = read(device, "Level", tag)
    assert level == 12.5 and type(error) is UnknownTag and says in str(error)


@pytest.mark.parametrize("tag", [["Level", "Word"], {"Level": 1}, None, 3])
def test_what_is_no_text_is_no_tag(device: Device, tag: Any) -> None:
    """A list where its members were meant, say, is told in words."""
    for _ in range(2):
        with pytest.raises(UsageError, match="a tag or an operation is text"):
            read(device, tag)


def test_numeric_addresses_have_no_type() -> None:
    """... so that they belong to a connector."""
    with pytest.raises(LocalProtocolError, match="numeric address"):
        find("@2/1/1", catalog())


def test_what_the_controller_refuses(device: Device) -> None:
    """A StatusError in its place; others are not touched."""
    device["Level"].error = 8
    device["SCADA"].hidden = True
    level, word, first, bit = read(device, "Level", "Word", "SCADA[0]", "SCADA[1].0")
    assert (level.status, word, first.status, bit.status) == (8, 8, 15, 15)
    assert "Level" in str(level) and "service not supported" in str(level)


def test_another_program_since(device: Device) -> None:
    """A tag that has another type than the catalog says: an error that says so, never a wrong value."""
    known = Knowledge()
    run(known.known(), device)
    other = controller()
    other.symbols.by_name.pop("word")
    other.symbols.by_name["word"] = type(other.symbols.get(1))("Word", Attribute("Word", INT, 5))  # type: ignore[misc]
    with pytest.raises(RemoteProtocolError, match="the program has changed"):
        run(known.read(("Word",)), other)
    known.forget()
    assert known.catalog is None


# -- writing


def write(device: Device, values: dict[str, Any]) -> Any:
    """What became of writes."""
    return run(Knowledge().write(values), device)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("Level", 2.5),
        ("Level", 3),
        ("Word", -5),
        ("Word.3", False),
        ("Word.31", True),
        ("SCADA[7]", 70),
        ("SCADA[7-9]", [70, 80, 90]),
        ("SCADA[7].14", True),
        ("SCADA", list(range(200)) + [0] * 800),
        ("Grid", [[9, 8, 7], [6, 5, 4]]),
        ("Grid[1,1]", 50),
        ("Grid[0,0-1]", [7, 8]),
        ("Cube[1,2,3]", 5),
        ("Flags[40]", True),
        ("Flags[0]", False),
        ("Flags[30-33]", [True, True, True, False]),
        ("Flags", [True] * 64),
        ("Name", "unit 8"),
        ("Names[1-2]", ["a", "b"]),
        ("Short", "12345678901234567890"),
        ("Pump", True),
        ("Drive[3].speed", 2.0),
        ("Drive[3].running", True),
        ("Drive[3].counts", [4, 3, 2, 1]),
        ("Drive[3].counts[1].4", True),
        ("Drive[3].leaf[0].name", "leaf"),
        ("Drive[3].flags[33]", True),
        ("Drive[3]", MOTOR),
        ("Drive[3-4]", [MOTOR, MOTOR]),
        ("Program:Main.Step", 4),
    ],
)
def test_writing(device: Device, tag: str, value: Any) -> None:
    """What is written is read again; nothing else changes."""
    others = [one for one in everything() if not tag.startswith(one)]
    before = read(device, *others)
    assert write(device, {tag: value}) == [None]
    assert read(device, tag) == [value]
    assert read(device, *others) == before


def everything() -> list[str]:
    """The names of all tags."""
    return [one.name for one in catalog()]


def test_bits_beside_a_bit_stay(device: Device) -> None:
    """A bit is written by Read Modify Write: the others of its word stay, whatever becomes of them meanwhile."""
    device["Word"].value = 0x0FF0
    write(device, {"Word.0": True, "Word.4": False, "Word.15": True})
    assert device["Word"].value == 0x8FE1


@pytest.mark.parametrize(
    ("tag", "value", "says"),
    [
        ("Pump", "Hello", "'Hello' is no BOOL"),
        ("Pump", 2, "2 is no BOOL"),
        ("Word.3", 5, "5 is no BOOL"),
        ("Word", True, "True is no DINT"),
        ("Word", 1.0, "1.0 is no DINT"),
        ("Word", "1", "'1' is no DINT"),
        ("Word", [1], "is no DINT"),
        ("Word", 1 << 31, "2147483648 is no DINT, which takes"),
        ("Word", None, "None is no DINT"),
        ("Level", "1.5", "'1.5' is no REAL"),
        ("Level", True, "True is no REAL"),
        ("Level", 1e39, "1e+39 is no REAL"),
        ("Name", 5, "5 is no STRING"),
        ("Name", "x" * 83, "holds 82"),
        ("Short", "x" * 21, "holds 20"),
        ("SCADA[1-3]", [1, 2], "is not a list of 3 INT"),
        ("SCADA[1-3]", 1, "is not a list of 3 INT"),
        ("SCADA[1-3]", [1, 2, 40000], "SCADA[1-3][2]: 40000 is no INT"),
        ("SCADA", [1], "is not a list of 1000 INT"),
        ("Grid", [[1, 2], [3, 4]], "is not a list of 6 DINT"),
        ("Flags[1-2]", [True, 7], "7 is no BOOL"),
        ("Drive[3]", {"speed": 1.0}, "members are missing: running, fault, counts"),
        ("Drive[3]", {**MOTOR, "more": 1}, "Motor has no member 'more'"),
        ("Drive[3]", {**MOTOR, "speed": "x"}, "Drive[3].speed: 'x' is no REAL"),
        ("Drive[3]", {**MOTOR, "counts": [1]}, "is not a list of 4 DINT"),
        ("Drive[3]", {**MOTOR, "leaf": [{}, {}]}, "Drive[3].leaf[0]: members are missing"),
        ("Drive[3]", 5, "5 is no Motor"),
    ],
)
def test_values_that_do_not_belong(device: Device, tag: str, value: Any, says: str) -> None:
    """Refused before anything is sent, those beside it, too; the place is named."""
    with pytest.raises(LocalProtocolError) as raised:
        write(device, {"SCADA[500]": 5, tag: value})
    assert says in str(raised.value) and tag.partition("[")[0] in str(raised.value)
    assert device["SCADA"][500] == 0


def test_what_cannot_be_written(device: Device) -> None:
    """Read-only tags and unknown ones are refused before anything is sent."""
    for tag, error in (("Fixed", StatusError), ("Nothing", UnknownTag)):
        with pytest.raises(error):
            write(device, {"SCADA[500]": 5, tag: 1})
    assert device["SCADA"][500] == 0 and device["Fixed"].value == 7


def test_a_tag_without_access_is_for_the_controller_to_refuse(device: Device) -> None:
    """A list that says so is not believed, for reads as for writes: some devices mean read-write by it."""
    device["Word"].hidden = True
    (read,), (written,) = run(Knowledge().read(("Word",)), device), run(Knowledge().write({"Word": 5}), device)
    assert read.status == written.status == 0x0F and device["Word"].value == 8
    known = Knowledge()
    assert run(known.known(), device).get("Word").access == "none"
    device["Word"].hidden = False
    assert run(known.write({"Word": 5}), device) == [None] and device["Word"].value == 5


def test_writes_that_the_controller_refuses(device: Device) -> None:
    """Each write has its own outcome."""
    known = Knowledge()
    run(known.known(), device)
    device["Level"].read_only = True
    refused, fine = run(known.write({"Level": 1.0, "Word": 5}), device)
    assert refused.status == 0x0F and "Level was not written: privilege violation" in str(refused) and fine is None
    assert device["Word"].value == 5


def test_changing() -> None:
    """Writes of all sorts count as changes, reads do not."""
    device = controller()
    flows = {"Word": 1, "Word.3": True, "SCADA[0-1]": [1, 2]}
    known = Knowledge()
    run(known.known(), device)
    for tag, value in flows.items():
        assert changing(next(known.write({tag: value})))
    assert not changing(next(known.read(("Word",)))) and not changing(next(known.clock()))
    assert changing(next(known.set_clock(5)))


def test_clock(device: Device) -> None:
    """Told and set in UTC; a time without zone is refused."""
    device.clock = lambda: 1_500_000_000_000_000
    known = Knowledge()
    assert from_clock(run(known.clock(), device)).isoformat() == "2017-07-14T02:40:00+00:00"
    run(known.set_clock(to_clock(from_clock(5_000_000))), device)
    assert run(known.clock(), device) == 5_000_000
    with pytest.raises(LocalProtocolError, match="no time zone"):
        to_clock(from_clock(0).replace(tzinfo=None))


def test_a_device_without_clock() -> None:
    """Its refusal is what is raised, reading it and setting it."""
    for flow, says in ((Knowledge().clock(), "not read"), (Knowledge().set_clock(5), "not set")):
        next(flow)
        with pytest.raises(StatusError, match=f"the clock was {says}: path destination unknown .*0x05"):
            flow.send([SimpleNamespace(sts=5, val=None)])


def test_the_catalog_is_asked_for_once(device: Device) -> None:
    """... and kept, until it is forgotten."""
    known = Knowledge()
    first = run(known.known(), device)
    device.add_tag(Attribute("Later", DINT))
    assert run(known.known(), device) is first
    known.forget()
    assert run(known.known(), device).get("Later") is not None


# -- plans that are remembered


def test_the_same_again_is_planned_once(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again, the plan is there; after refresh, or of a controller that has changed, it is made anew."""
    planned: list[int] = []

    def counted(places: Any) -> Any:
        planned.append(len(places))
        return plan_reads(places)

    monkeypatch.setattr(flows, "plan_reads", counted)
    known = Knowledge()
    for _ in range(3):
        values = run(known.read(("Level", "NOPE", "Word")), device)
        assert values[0] == 12.5 and isinstance(values[1], UnknownTag) and values[2] == 8
    assert planned == [2]
    known.forget()
    device.add_tag(Attribute("NOPE", INT))
    assert run(known.read(("Level", "NOPE", "Word")), device) == [12.5, 0, 8]
    assert planned == [2, 3]


def test_what_is_remembered_has_a_bound(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many different things are asked, no more places are remembered than there may be."""
    monkeypatch.setattr(flows, "_REMEMBERED", 10)
    known = Knowledge()
    for number in range(50):
        assert run(known.read((f"SCADA[{number}]", "Word")), device)[1] == 8
        assert sum(map(len, known._asked)) <= 10
    run(known.read(tuple(f"SCADA[{number}]" for number in range(20))), device)
    assert sum(map(len, known._asked)) <= 10
