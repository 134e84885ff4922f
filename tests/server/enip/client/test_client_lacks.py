"""Controllers that lack Multiple Service Packet or the Fragmented services are served all the same."""

from __future__ import annotations

from typing import Any

import pytest

from cpppo.server.enip.client.operations import parse_operations
from cpppo.server.enip.device import Attribute
from cpppo.server.enip.tagging import create
from cpppo.server.enip.wire.strings import STRING
from cpppo.server.enip.wire.structures import Structure
from cpppo.server.enip.wire.types import DINT, INT, REAL
from tests.server.enip.client.large import DEPTHS, READS, VALUES, WRITES, controller
from tests.server.enip.client.memory import Front, services
from tests.server.enip.client.scripted import bare


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("fragment", [False, True])
def test_no_packets(depth: int, fragment: bool) -> None:
    """A controller that refuses packets gets all operations singly, in their order, and no packet ever again."""
    device = controller((0x0A,))
    front = Front.of(device)
    operations = [*parse_operations(["One", "One=5", "One", "Nope", "One=6", "One"]), *READS[:1]]
    found = front.run(operations, depth, multiple=500, fragment=fragment)
    assert [one.val for one in found] == [[1], True, [5], None, True, [6], VALUES["Word"][1]]
    assert found[0].idx == found[1].idx == 0 and found[0].dsc.startswith("Multi.")
    assert services(front).count(0x0A) == 1
    again = front.run(operations[:3], depth, multiple=500, fragment=fragment)
    assert [one.val for one in again] == [[6], True, [5]]
    assert services(front).count(0x0A) == 1


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("multiple", [0, 500])
@pytest.mark.parametrize("fragment", [False, True])
def test_no_fragments(depth: int, multiple: int, fragment: bool) -> None:
    """A controller without Fragmented services is read and written by elements, and not asked for them again."""
    device = controller((0x52, 0x53))
    front = Front.of(device)
    operations: list[Any] = [*READS, *WRITES, *READS]
    found = front.run(operations, depth, multiple=multiple, fragment=fragment)
    values = [values for _, values in VALUES.values()]
    assert [one.val for one in found] == [*values, *[True] * 4, *(one[::-1] for one in values)]
    front.sent.clear()
    found = front.run(operations[:6], depth, multiple=multiple, fragment=fragment)
    assert [one.val for one in found] == [*(one[::-1] for one in values), True, True]
    assert set(services(front)) <= {0x4C, 0x4D, 0x0A}
    assert all(b"\x52" + b"\x03\x91\x04Word" not in octets for octets in front.sent)


@pytest.mark.parametrize("depth", DEPTHS)
def test_no_fragments_in_their_order(depth: int) -> None:
    """What was refused for its service is done in the order asked, by another one."""
    device = controller((0x0A, 0x52, 0x53))
    front = Front.of(device)
    operations = [
        {"path": "One", "data": [5]},
        {"path": "One"},
        {"path": "Text", "data": ["b"], "tag_type": STRING},
        {"path": "Text", "data": ["a"] * 12, "tag_type": STRING},
        {"path": "Text[0-12]", "elements": 13},
        {"method": "set_attribute_single", "path": "@2/1/7", "data": [7, 0]},
        {"path": "One"},
    ]
    found = front.run(operations, depth, multiple=2000, fragment=True)
    assert [one.val for one in found] == [True, [5], True, True, ["a"] * 12 + ["text 12"], True, [7]]


def test_by_elements() -> None:
    """Later elements are addressed from where the ones received end."""
    device = controller((0x52,))
    front = Front.of(device)
    (found,) = front.run([{"path": "Word[100]", "elements": 600}])
    assert found.val == list(range(100, 700))
    paths = [(octets[1] * 2, octets[2:]) for octets in map(bare, front.sent)]
    starts = [octets[:size][6:] for size, octets in paths]
    assert services(front) == [0x4C, 0x52, 0x4C, 0x4C]
    assert [one.hex() for one in starts] == ["2864", "2864", "29005e01", "29005802"]


@pytest.mark.parametrize("depth", DEPTHS)
def test_what_only_fragments_could_do(depth: int) -> None:
    """Without them an element larger than a packet, and elements of several dimensions, are refused as unsupported."""
    device = controller((0x52, 0x53))
    create(device, "Grid=DINT[20,30]")
    reads = [{"path": "Huge"}, {"path": "Huge", "elements": 3}, {"path": "Grid[1,2]", "elements": 300}]
    writes = [{"path": "Grid[1,2]", "data": [5] * 300, "tag_type": DINT}]
    found = Front.of(device).run([*reads, {"path": "Grid[1,2]", "elements": 100}, *writes, {"path": "One"}], depth)
    assert [one.sts for one in found] == [8, 8, 8, 0, 8, 0]
    assert found[3].val == [0] * 100


def test_structures_by_elements() -> None:
    """Octets of an unknown structure are read element by element until the size of one shows, and then in groups."""
    pair = Structure("Pair", [("Number", DINT, 0), ("Level", REAL, 9)])
    device = controller((0x52, 0x53))
    kept = Attribute("Pair", pair, [{"Number": number} for number in range(50)])
    device.add_tag(kept)
    for depth in DEPTHS:
        front = Front.of(device)
        (found,) = front.run([{"path": "Pair", "elements": 50}], depth)
        assert (found.sts, found.val) == (0, kept.octets())
        assert len(front.sent) <= 8


def test_a_tag_that_answers_unsupported() -> None:
    """A tag that answers every service as unsupported does not make the controller one without these services."""
    device = controller()
    odd = Attribute("Odd", INT, [0] * 10)
    odd.error = 8
    device.add_tag(odd)
    front = Front.of(device)
    found = front.run([{"path": "Odd", "elements": 10}, {"path": "Odd", "data": [1]}, *READS[:1]], 2, fragment=True)
    assert [one.sts for one in found] == [8, 8, 0]
    assert front.exchange.learned.refused == set()
