"""Tags larger than a packet, packets cut short, and controllers that lack services, against a simulated one."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from cpppo.errors import LocalProtocolError, UsageError
from cpppo.server.enip.client.operations import parse_operations
from cpppo.server.enip.client.transfers import Transfers
from cpppo.server.enip.device import Attribute
from cpppo.server.enip.device.attribute import AttributeFailure
from cpppo.server.enip.wire.strings import SSTRING
from cpppo.server.enip.wire.types import INT, LREAL
from tests.server.enip.client.large import DEPTHS, HUGE, LONG, READS, VALUES, WRITES, controller, tag
from tests.server.enip.client.memory import Front, services
from tests.server.enip.client.scripted import bare


def requests(front: Front) -> list[tuple[int, int, int]]:
    """(service, elements, octet) of the requests for parts of tags, of reads."""
    found = []
    for one in map(bare, front.sent):
        data = one[2 + 2 * one[1] :]
        found.append((one[0], *struct.unpack("<HI", data.ljust(6, b"\0"))))
    return found


# -- reading


@pytest.mark.parametrize("multiple", [0, 500])
@pytest.mark.parametrize("fragment", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_large_reads(depth: int, fragment: bool, multiple: int) -> None:
    """A tag larger than a packet is read whole: one result, status 0, all values, and all octets in its reply."""
    front = Front.of(controller())
    results = front.run([*READS, {"path": "One"}], depth, fragment=fragment, multiple=multiple)
    assert [(one.sts, one.val) for one in results] == [(0, values) for _, values in VALUES.values()] + [(0, [1])]
    assert [one.rpy.status for one in results] == [0] * 5
    assert len(results[0].rpy.data) == 2 + 2000 and results[0].rpy.service == (0xD2 if fragment else 0xCC)
    assert [one.req.data.elements for one in results[:4]] == [1000, 300, 30, 60]


@pytest.mark.parametrize("fragment", [False, True])
def test_where_reading_goes_on(fragment: bool) -> None:
    """Reading goes on by Read Tag Fragmented of the same elements, at the octets received."""
    front = Front.of(controller())
    front.run(READS[:1], fragment=fragment)
    first = (0x52, 1000, 0) if fragment else (0x4C, 1000, 0)
    assert requests(front) == [first, (0x52, 1000, 500), (0x52, 1000, 1000), (0x52, 1000, 1500)]


@pytest.mark.parametrize(("depth", "most"), [(0, 1), (1, 1), (2, 2), (3, 3), (20, 3)])
def test_parts_fly_together(depth: int, most: int) -> None:
    """Once the type is known, the three parts left are asked for together, as far as the depth allows."""
    front = Front.of(controller())
    assert front.run(READS[:1], depth)[0].val == VALUES["Word"][1]
    assert (front.most, len(front.sent)) == (most, 4)


@pytest.mark.parametrize("depth", DEPTHS)
def test_octets_of_unknown_structures(depth: int) -> None:
    """Structures of a handle not known come as octets, whole, though parts end inside elements."""
    device = controller()
    whole, one = Front.of(device).run([{"path": "Huge", "elements": 3}, {"path": "Huge[1]"}], depth)
    (kept,) = [one.octets() for one in device.router.attribute.values() if one.name == "Huge"]
    assert (whole.sts, whole.val) == (0, kept)
    assert (one.sts, one.val) == (0, kept[HUGE.size : 2 * HUGE.size])


def test_numbers_count_all_requests() -> None:
    """A result has the number of the request that its operation was first sent in; all requests are counted."""
    operations = [{"path": "One"}, *READS[:1], {"path": "One"}]
    front = Front.of(controller())
    assert [one.idx for one in front.run(operations, index=5)] == [5, 6, 10]
    front = Front.of(controller())
    assert [one.idx for one in front.run(operations, 2)] == [0, 1, 2]
    front = Front.of(controller())
    packed = front.run([{"path": "One"}, {"path": "Huge"}, {"path": "One"}, {"path": "One"}], 20, multiple=500)
    assert {(one.idx, one.dsc[:6]) for one in packed} == {(0, "Multi.")}
    assert services(front) == [0x0A, 0x52, 0x52]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("multiple", [0, 500])
def test_a_fragment_is_what_was_asked(depth: int, multiple: int) -> None:
    """Who names an offset gets that one fragment, as it comes, and it stays a success."""
    front = Front.of(controller())
    operations = [{"path": "Word", "elements": 1000, "offset": offset} for offset in (0, 4, 1800)]
    operations += [{"path": "Fine", "elements": 300, "offset": 12}]
    found = front.run(operations, depth, multiple=multiple, fragment=True)
    assert [one.sts for one in found] == [6, 6, 0, 6]
    assert [one.val for one in found[:3]] == [list(range(250)), list(range(2, 252)), list(range(900, 1000))]
    assert len(found[3].val) == 496 and isinstance(found[3].val, bytes), "it begins within an element"
    assert set(services(front)) <= {0x52, 0x0A}


@pytest.mark.parametrize("depth", DEPTHS)
def test_refused_reads(depth: int) -> None:
    """A read that is refused is so at once, and those around it are not."""
    operations = [*READS[:1], {"path": "Word", "elements": 1001}, {"path": "Nope"}, *READS[:1]]
    found = Front.of(controller()).run(operations, depth)
    assert [one.sts for one in found] == [0, (0xFF, [0x2105]), (4, [0]), 0]


class Failing(Attribute):
    """A tag whose last elements cannot be read."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice) and key.stop > 900:
            raise AttributeFailure("out of order")
        return super().__getitem__(key)


@pytest.mark.parametrize("depth", DEPTHS)
def test_refused_midway(depth: int) -> None:
    """A part that is refused refuses the whole; what else is in flight for it is dropped."""
    device = controller()
    device.add_tag(Failing("Bad", INT, [0] * 1000))
    front = Front.of(device)
    found = front.run([{"path": "Bad", "elements": 1000}, {"path": "One"}, *READS[:1]], depth)
    assert [(one.sts, one.val is None) for one in found] == [(2, True), (0, False), (0, False)]
    assert found[0].rpy.status == 2 and found[0].req.data.elements == 1000


def test_values_do_not_depend_on_the_order_of_replies() -> None:
    """Parts may be answered in any order."""
    for number in range(1, 6):
        front = Front.of(controller())
        found = front.run(READS * 2, 7, choose=lambda count, n=number: n * 3 % count)  # type: ignore[misc]
        assert [one.val for one in found] == [values for _, values in VALUES.values()] * 2


# -- writing


@pytest.mark.parametrize("fragment", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_large_writes(depth: int, fragment: bool) -> None:
    """A write larger than a packet is done in pieces, but has one result: True, and the request as it was asked."""
    device = controller()
    front = Front.of(device)
    found = front.run([*WRITES, {"path": "One", "data": [7]}], depth, fragment=fragment, multiple=500)
    assert [(one.sts, one.val) for one in found] == [(0, True)] * 5
    for name, (_, values) in VALUES.items():
        assert tag(device, name) == values[::-1]
    assert found[0].req.data.elements == 1000 and len(found[0].req.data.data) == 2000
    assert found[0].dsc == f"Single Write {'Frag' if fragment else 'Tag '} Word"
    assert [one.rpy.status for one in found] == [0] * 5


@pytest.mark.parametrize(
    ("operation", "pieces"),
    [
        (WRITES[0], [500] * 4),
        (WRITES[1], [496] * 4 + [416]),
        (WRITES[2], [440] * 6),
        ({"path": "Long", "data": ["c" * 1000], "tag_type": LONG}, [500, 500, LONG.size - 1000]),
        ({"path": "Short[3-5]", "data": ["a" * 200, "b" * 200, "c" * 200], "tag_type": SSTRING}, [402, 201]),
    ],
)
def test_pieces(operation: dict[str, Any], pieces: list[int]) -> None:
    """Pieces have the type and elements of the whole, octets up to a packet, and end between elements if they can."""
    device = controller()
    front = Front.of(device)
    assert [one.sts for one in front.run([operation], 20)] == [0]
    assert services(front) == [0x53] * len(pieces)
    at = 0
    for octets, size in zip(map(bare, front.sent), pieces, strict=True):
        kind = operation["tag_type"]
        head = struct.pack("<H", kind.tag_type) + (struct.pack("<H", kind.handle) if hasattr(kind, "handle") else b"")
        data = octets[2 + 2 * octets[1] :]
        assert data[: len(head)] == head
        assert struct.unpack_from("<HI", data, len(head)) == (len(operation["data"]), at)
        assert len(data) - len(head) - 6 == size
        at += size


def test_the_first_refusal_ends_a_write() -> None:
    """Nothing more is sent after a piece was refused, and that is the result; the next operation goes on."""
    device = controller()
    for depth in DEPTHS:
        front = Front.of(device)
        beyond, unknown = {"path": "Word[1-1000]", "data": [5] * 1000}, {"path": "Nope", "data": [1] * 600}
        found = front.run([beyond, unknown, {"path": "One"}], depth)
        assert [(one.sts, one.val) for one in found] == [((0xFF, [0x2105]), None), ((4, [0]), None), (0, [1])]
        assert services(front) == [0x53, 0x53, 0x4C]


class Half(Attribute):
    """A tag whose elements beyond the middle cannot be written."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, slice) and key.stop > len(self) // 2:
            raise AttributeFailure("out of order")
        super().__setitem__(key, value)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_write_refused_midway(depth: int) -> None:
    """Of a write that is refused midway the pieces before that are written, and none after it is sent."""
    device = controller()
    half = Half("Half", INT, [0] * 1000)
    device.add_tag(half)
    front = Front.of(device)
    found = front.run([{"path": "Half", "data": [1] * 1000}], depth)
    assert [(one.sts, one.val) for one in found] == [(2, None)]
    assert len(front.sent) == 3 and half[:] == [1] * 500 + [0] * 500


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("multiple", [0, 500, 4000])
def test_order_of_changes(depth: int, multiple: int) -> None:
    """Operations have their effects in the order asked: nothing overtakes a change, no change overtakes a read."""
    other = [0.25] * 300
    operations = [
        {"path": "Fine", "elements": 300},
        {"path": "Fine", "data": other, "tag_type": LREAL},
        {"path": "Fine[299]"},
        {"path": "@2/1/2", "elements": 300},
        {"path": "Fine[299]", "data": [9.0], "tag_type": LREAL},
        {"path": "Fine", "elements": 300},
    ]
    front = Front.of(controller())
    found = [one.val for one in front.run(operations, depth, multiple=multiple)]
    assert found == [VALUES["Fine"][1], True, [0.25], other, True, [*other[:-1], 9.0]]


# -- packets


@pytest.mark.parametrize("depth", DEPTHS)
def test_packets_cut_short(depth: int) -> None:
    """Members that a packet had no room for are asked again, or read on, each with its own result in its place."""
    device = controller()
    operations = list(parse_operations([f"Fine[{n}-{n + 9}]" for n in range(20)] + ["Nope", "One", "@1/1/7"]))
    operations += [{"path": "Word[5-9]", "elements": 5, "offset": 2}]
    operations[-2] = {"method": "get_attribute_single", "path": "@1/1/7"}
    front = Front.of(device, whole=260)
    found = front.run(operations, depth, multiple=1000)
    plain = Front.of(device).run(operations)
    assert [(one.sts, one.val) for one in found] == [(one.sts, one.val) for one in plain]
    assert 0x0A in services(front) and len(front.sent) > 3


# -- errors


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("multiple", [0, 500])
def test_errors_come_after_the_results_before_them(depth: int, multiple: int) -> None:
    """An operation that cannot be understood or sent is an error after the results before it, parts and all."""
    large = {"path": "X", "data": [0] * 40000, "offset": 0}
    for wrong, error in (({"path": "X["}, UsageError), (large, LocalProtocolError)):
        front = Front.of(controller())
        found, caught = front.outcome([*READS, wrong, {"path": "One"}], depth, multiple=multiple)
        assert [one.val for one in found] == [values for _, values in VALUES.values()]
        assert isinstance(caught, error)
        assert [one.val for one in front.run([{"path": "One"}], depth)] == [[1]], "and the conversation goes on"


def test_operations_are_taken_as_they_are_needed() -> None:
    """No more operations are taken from their source than can be sent, while a large tag is read."""
    taken = 0

    def source() -> Any:
        nonlocal taken
        while True:
            taken += 1
            yield {"path": "Huge", "elements": 3} if taken == 1 else {"path": "One"}

    run = Transfers(Front.of(controller()).exchange, source())
    pending = []
    while len(pending) < 5 and run.ready():
        issued = run.issue()
        assert issued is not None
        pending.append(issued)
    assert taken == 5
