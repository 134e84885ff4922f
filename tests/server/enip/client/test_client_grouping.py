"""Which operations share a packet, and which have to wait for others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cpppo.errors import LocalProtocolError, UsageError
from cpppo.server.enip.client.exchange import Exchange
from cpppo.server.enip.client.grouping import ALL, CHANGES, Groups, Hold
from cpppo.server.enip.client.learned import Learned
from cpppo.server.enip.client.memo import MEMO_ENTRIES
from cpppo.server.enip.client.operations import parse_operations, prepare
from cpppo.server.enip.wire.strings import SSTRING
from tests.server.enip.client.memory import Controller, Front
from tests.server.enip.client.scripted import registered

#: Octets of a frame around the members of a packet, and of the reply's; of a small read in it, and of its reply.
SENT, ANSWERED = 63, 46
READ, READ_REPLY = 2 + 10, 2 + 6


def groups(texts: Any, multiple: int = 0, fragment: bool = False, known: dict[str, str] | None = None) -> Groups:
    """The groups of some operations, for a peer of which the types of some tags are known."""
    exchange = Exchange()
    exchange.feed(registered(exchange.register()[1]))
    exchange.learned.offered |= {0x0A, 0x52, 0x53}
    for text, octets in (known or {}).items():
        exchange.learned.learn(prepare(next(parse_operations([text]))), bytes.fromhex(octets))
    operations = parse_operations(texts) if isinstance(texts, list) else texts
    return Groups(exchange, operations, fragment, multiple)


def sizes(texts: Any, multiple: int = 0, **kwds: Any) -> list[int]:
    """How many operations there are in each request."""
    one = groups(texts, multiple, **kwds)
    return list(iter(lambda: len(one.next()), 0))


def test_what_is_no_operation_is_no_end() -> None:
    """None among the operations is refused as other things are: those after it are not left out in silence."""
    with pytest.raises(TypeError):
        groups(iter([None, {"path": "Level"}])).next()


def test_around() -> None:
    """A packet is counted with all that is around its members; what is there depends on the route."""
    exchange = Exchange()
    exchange.feed(registered(exchange.register()[1]))
    assert exchange.around() == (SENT, ANSWERED)
    members = [prepare({"path": f"X[{number}]"}) for number in range(3)]
    assert len(exchange.issue(members)[1]) == SENT + 3 * READ - 1, "without padding"
    bare = Exchange(route_path=[])
    bare.feed(registered(bare.register()[1]))
    assert len(bare.issue(members)[1]) == bare.around()[0] + 3 * READ - 1


def test_packing_by_requests() -> None:
    """Operations share a packet while their requests fit, to the octet; without a limit each goes alone."""
    small = ["X[0-0]"] * 7
    assert sizes(small, SENT + 3 * READ) == [3, 3, 1]
    assert sizes(small, SENT + 3 * READ - 1) == [2, 2, 2, 1]
    assert sizes(small, 0) == [1] * 7
    assert sizes([], 500) == []


@pytest.mark.parametrize(
    ("known", "each"),
    [
        ({}, 4 * 50),
        ({"x[7]": "c300 0000"}, 2 * 50),
        ({"X": "c200 00"}, 50),
        ({"X": "cb00" + "00" * 8}, 8 * 50),
        ({"X[0-1]": "a002 3412" + "00" * 6}, 2 + 3 * 50),
    ],
)
def test_packing_by_expected_replies(known: dict[str, str], each: int) -> None:
    """They share a packet while the expected replies fit: 4 octets an element, or exactly what the tag has."""
    wide = ["X[0-49]"] * 4
    reply = READ_REPLY + each
    assert sizes(wide, ANSWERED + 2 * reply, known=known) == [2, 2]
    assert sizes(wide, ANSWERED + 2 * reply - 1, known=known) == [1] * 4


def test_a_reply_is_no_larger_than_a_packet() -> None:
    """A tag that takes several packets is expected to fill one."""
    assert sizes(["X[0-9999]"] * 3, ANSWERED + 2 * (READ_REPLY + 500)) == [2, 1]


def test_whole_objects_go_alone() -> None:
    """Nothing is packed with an operation whose reply may have any size, nor with one that is too large itself."""
    whole = {"method": "get_attributes_all", "path": "@1/1"}
    small, large = {"path": "X"}, {"path": "X", "data": [0] * 200}
    assert sizes(iter([small, small, whole, small, large, small]), 300) == [2, 1, 1, 1, 1]


def test_packets_end_with_a_frame() -> None:
    """A limit beyond that of a frame is that of a frame: all operations can be sent."""
    found = sizes(["X[0-0]"] * 6000, 1_000_000)
    assert len(found) > 1 and sum(found) == 6000
    exchange = groups([], 0)
    operations = [prepare({"path": "X[0]"})] * found[0]
    assert exchange is not None and len(Front(lambda octets: None).exchange.issue(operations)[1]) <= 24 + 65511


def test_errors_come_after_what_is_before_them() -> None:
    """When the source fails, or an operation cannot be sent, those before it are still in a group."""

    def source() -> Iterator[dict[str, Any]]:
        yield {"path": "A"}
        yield {"path": "B"}
        raise UsageError("no more")

    one = groups(source(), 500)
    assert [operation.text for operation in one.next()] == ["A", "B"]
    assert one.next() == [] and str(one.error) == "no more"
    for wrong in ({"path": "C", "elements": -1}, {"path": [{"symbolic": "C" * 300}]}):
        one = groups(iter([{"path": "A"}, wrong, {"path": "D"}]), 500)
        assert [operation.text for operation in one.next()] == ["A"]
        assert one.next() == [] and isinstance(one.error, LocalProtocolError)


@pytest.mark.parametrize(
    ("texts", "known", "expected"),
    [
        (["A", "B=1", "A", "B=2"], {}, [4]),
        (["A", "A=1", "A"], {}, [3]),
        (["A", "A.B=1", "A"], {}, [1, 2]),
        (["@2/1/1", "@2/1/1=1"], {}, [2]),
        (["A", "A=(SSTRING)''"], {}, [1, 1]),
        (["A", "A='b'"], {}, [2]),
        (["A", "@2/1/1=1"], {}, [1, 1]),
        (["@2/1/1", "A=1"], {}, [1, 1]),
        (["A", "A=1", "A"], {"A": "c300 0000"}, [3]),
        (["A[0-9]", "B=1"], {}, [1, 1]),
        (["A[0-9]", "B=1"], {"A": "c300 0000"}, [2]),
        (["A[0-190]", "B=1"], {"A": "c300 0000"}, [1, 1]),
        (["A[0-9]", "B[0-9]"], {}, [2]),
    ],
)
def test_changes_wait_for_reads(texts: list[str], known: dict[str, str], expected: list[int]) -> None:
    """A change shares no packet with a read before it that may come short, unless both are small and of other tags."""
    one = groups(texts, 500, known=known)
    found = []
    while group := one.next():
        found.append(len(group))
        one.holds.clear()
    assert found == expected


def test_what_is_sent_waits() -> None:
    """What a request holds is not sent before it is done; what it does not hold is."""
    one = groups(["A[0-99]", "B", "C=1", "D"])
    first = one.next()
    assert one.hold == CHANGES
    one.holds["request"] = (0, 0), CHANGES
    assert [operation.text for operation in (*first, *one.next())] == ["A", "B"]
    assert one.next() == [] and one.next() == []
    one.holds.clear()
    assert [operation.text for operation in one.next()] == ["C"]
    one.holds["request"] = (2, 0), ALL
    assert one.next() == []
    one.holds.clear()
    assert [operation.text for operation in one.next()] == ["D"]
    assert one.error is None


def test_what_the_peer_may_not_have() -> None:
    """Until Fragmented services were answered, other services wait for them, but not they for each other."""
    one = groups(["A", "B=1", "C[0-1]+2"], fragment=True)
    one._learned.offered.clear()
    one.next()
    assert one.hold is not None and one.hold.others
    held = one.hold
    plain, forced = prepare({"path": "X"}), prepare({"path": "X"}, True)
    assert (held.lets(plain), held.lets(forced)) == (False, True)
    one.next()
    assert one.hold == Hold(others=True)
    one.next()
    assert one.hold is None, "of one fragment there is no other way"
    one = groups(["A", "B=1"], 500)
    one._learned.offered.clear()
    assert len(one.next()) == 2 and one.hold is not None and one.hold.everything


def test_splits() -> None:
    """A write larger than a packet takes several requests; one fragment never does."""
    one = groups([])
    large = {"path": "X", "data": [0] * 251}
    assert [one.splits(prepare(large, fragment)) for fragment in (False, True)] == [True, True]
    assert not one.splits(prepare({**large, "data": [0] * 250}))
    assert not one.splits(prepare({**large, "offset": 0}))
    small = {"path": "X", "data": [0]}
    assert not one.splits(prepare(small, True))
    one._learned.refused.add(0x53)
    assert (one.splits(prepare(small, True)), one.splits(prepare(small))) == (True, False)


def test_sizes_are_learned() -> None:
    """What is remembered of a tag is by its name and members, without case or last index, and is bounded."""
    learned = Learned()

    def expected(text: str) -> tuple[int, int, bool]:
        return learned.reply_octets(prepare(next(parse_operations([text]))), 500)

    def learn(text: str, octets: str) -> None:
        learned.learn(prepare(next(parse_operations([text]))), bytes.fromhex(octets))

    learn("Tag[5].Member[3]", "cb00" + "00" * 8)
    learn("@2/1/9[1]", "c200 00")
    learn("Short[0-2]", "da00 00 026162 00")
    assert expected("TAG[5].member[0-1]") == (6 + 16, 6 + 16, True)
    assert expected("Tag[6].Member") == (6 + 4, 6 + 88, False)
    assert expected("@2/1/9[0-2]") == (6 + 3, 6 + 3, True)
    assert expected("Short[0-1]") == (6 + 4, 6 + 2 * SSTRING.size, True)
    learn("X[0-9]+18", "c300 0000")
    assert expected("X[0-1]") == (6 + 4, 6 + 4, True)
    learn("Y[0-9]+18", "a002 3412 0000")
    assert not expected("Y")[2], "a part does not tell how large an element is"
    for number in range(MEMO_ENTRIES + 5):
        learn(f"T{number}", "c300 0000")
    assert len(learned.extents) <= MEMO_ENTRIES


def test_a_controller_in_memory() -> None:
    """Packets are never larger than asked, nor are the replies once types are known."""
    from cpppo.server.enip.device import Attribute
    from cpppo.server.enip.wire.types import LREAL

    device = Controller()
    device.add_tag(Attribute("Fine", LREAL, [0.5] * 100))
    front = Front.of(device)
    answers: list[bytes] = []
    answer = front._answer
    front._answer = lambda octets: answers.append(answer(octets) or b"") or answers[-1]  # type: ignore[func-returns-value]
    texts = [f"Fine[{number}-{number + 5}]" for number in range(60)]
    for _ in range(2):
        front.sent.clear()
        answers.clear()
        found = front.run(parse_operations(texts), multiple=300, depth=4)
        assert [one.val for one in found] == [[0.5] * 6] * 60
    assert max(map(len, front.sent)) <= 300 and max(map(len, answers)) <= 300
    assert len(front.sent) == 60 // ((300 - ANSWERED) // (READ_REPLY + 48))
