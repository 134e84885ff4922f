"""Whatever is asked, however it is packed, cut and overlapped: the values are those of asking one by one."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cpppo.server.enip.client.operations import prepare
from cpppo.server.enip.device import Attribute
from cpppo.server.enip.wire.strings import SSTRING, STRING
from cpppo.server.enip.wire.structures import Structure
from cpppo.server.enip.wire.types import BOOL, DINT, INT, LREAL, REAL, SINT, Kind
from tests.server.enip.client.memory import Controller, Front

#: A structure whose handle the client does not know.
PAIR = Structure("Pair", [("Number", DINT, 0), ("Level", REAL, 9)])

#: The tags: name, type, elements; and values to write, by type.
TAGS: tuple[tuple[str, Kind, int], ...] = (
    ("Word", INT, 400),
    ("Wide", DINT, 40),
    ("Fine", LREAL, 90),
    ("Flag", BOOL, 3),
    ("Text", STRING, 12),
    ("Short", SSTRING, 20),
    ("Pair", PAIR, 30),
)
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "INT": st.integers(-9, 9),
    "DINT": st.integers(-99999, 99999),
    "LREAL": st.integers(-9, 9).map(float),
    "BOOL": st.booleans(),
    "STRING": st.text("abc", max_size=5),
    "SSTRING": st.integers(0, 255).map(lambda size: "x" * size),
    "SINT": st.integers(-9, 9),
}
KINDS: Mapping[str, Any] = {one.name: one for one in (INT, DINT, LREAL, BOOL, STRING, SSTRING, SINT)}
SERVICES_LACKING = ((), (0x0A,), (0x52, 0x53), (0x0A, 0x52, 0x53))


def controller() -> Controller:
    """A controller with the tags, each value different from its neighbours."""
    one = Controller()
    for name, kind, count in TAGS:
        first: list[Any]
        match kind.name:
            case "STRING" | "SSTRING":
                first = [f"{number % 10}" * (number * 7 % 80) for number in range(count)]
            case "Pair":
                first = [{"Number": number, "Level": [number] * 9} for number in range(count)]
            case _:
                first = [kind.unpack(kind.produce(number % 2)) for number in range(count)]
        one.add_tag(Attribute(name, kind, first))
    return one


@st.composite
def operations(draw: st.DrawFn, tags: list[int], beyond: bool) -> dict[str, Any]:
    """A read or a write, of a tag by name or by number, whole or one fragment; maybe beyond the end of the tag."""
    number = draw(st.sampled_from(tags))
    name, kind, count = TAGS[number]
    first = draw(st.sampled_from([0, draw(st.integers(0, count - 1))]))
    elements = draw(st.sampled_from([1, count - first, draw(st.integers(1, count - first)), count if beyond else 1]))
    where = draw(st.sampled_from([name, name.upper(), f"@2/1/{number + 1}", name, "Nowhere"]))
    one: dict[str, Any] = {"path": f"{where}[{first}]", "elements": elements}
    action = draw(st.sampled_from(["read", "read", "write", "write", "get", "part", "part of a write"]))
    if action == "get":
        return {"method": "get_attribute_single", "path": f"@2/1/{number + 1}"}
    if action == "part":
        one["offset"] = draw(st.integers(0, max(elements * min(kind.size, 20) - 1, 0)))
    if action.endswith("write") and kind.name in VALUES:
        sent = draw(st.sampled_from([kind.name, kind.name, "INT"]))
        values = draw(st.lists(VALUES[sent], min_size=elements, max_size=elements))
        one.update(data=values, tag_type=KINDS[sent])
        if action == "part of a write":
            skip = draw(st.integers(0, elements - 1))
            one.update(data=values[skip:], offset=skip * (1 if kind is SSTRING else KINDS[sent].size))
    return one


def one_by_one(device: Controller, asked: list[dict[str, Any]], limits: tuple[int, int], lacks: Any) -> list[Any]:
    """(status, value) of operations asked one by one of a controller without limits and lacks.

    Of fragments and attributes, with them: of those there is only one request.
    """
    found = []
    wide, narrow = Front.of(device, 65000, 65000), Front.of(device, *limits)
    for one in asked:
        explicit = "offset" in one or "method" in one
        front = narrow if explicit else wide
        device.lacks = frozenset(lacks if explicit else ())
        pending, octets = front.exchange.issue([prepare(one)])
        front.exchange.feed(front._answer(octets) or b"")
        assert pending.results is not None
        found.append((pending.results[0].sts, pending.results[0].val))
    return found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_same_as_one_by_one(data: st.DataObject) -> None:
    """Any operations in packets of any size, any of them in flight, of a controller with any limits and lacks."""
    lacks = data.draw(st.sampled_from(SERVICES_LACKING), "lacks")
    narrow = data.draw(st.integers(260 if 0x52 in lacks else 16, 600), "data octets")
    whole = narrow + 8 + data.draw(st.integers(0, 600), "more octets of a reply")
    # Without Fragmented services what is before the end of a tag is written before the rest is refused.
    tags = data.draw(st.lists(st.integers(0, len(TAGS) - 1), min_size=1, max_size=2), "tags")
    asked = data.draw(st.lists(operations(tags, 0x53 not in lacks), min_size=1, max_size=10), "operations")
    ours, other = controller(), controller()
    expected = one_by_one(other, asked, (narrow, whole), lacks)
    ours.lacks = frozenset(lacks)
    front = Front.of(ours, narrow, whole, data.draw(st.booleans(), "over a connection"))
    chance = Random(data.draw(st.integers(0, 99), "order of the replies"))
    for _ in range(data.draw(st.integers(1, 2), "runs")):
        results = front.run(
            asked,
            depth=data.draw(st.sampled_from([0, 1, 2, 3, 20]), "depth"),
            choose=chance.randrange,
            fragment=data.draw(st.booleans(), "fragment"),
            multiple=data.draw(st.sampled_from([0, 0, 100, 250, 500, 2000, 100000]), "multiple"),
        )
        assert [(one.sts, one.val) for one in results] == expected
        assert [one.octets() for one in ours.router.attribute.values()] == [
            one.octets() for one in other.router.attribute.values()
        ]
        assert [one.idx for one in results] == sorted(one.idx for one in results)
        expected = one_by_one(other, asked, (narrow, whole), lacks)
