"""Connections of the client in memory: what opens and closes them, what goes over them, and peers that misbehave."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import LocalProtocolError, ProtocolError, RemoteProtocolError, StatusError
from cpppo.server.enip.client.exchange import MAXIMUM_ABANDONED, Exchange, Pending
from cpppo.server.enip.client.healing import idle
from cpppo.server.enip.client.operations import Operation, parse_operations, prepare
from cpppo.server.enip.client.transfers import Transfers
from tests.server.enip.client.scripted import SESSION, bare, controller, frame, reply, serve, service_reply
from tests.server.enip.client.scripted_connected import TO_ID, Target, unit, unit_reply

#: What is drawn for a connection: T->O id, serial number, serial number of the originator.
FROM_ID, SERIAL, ORIGINATOR = 0x11223344, 0x5566, 0x778899AA
CHANCE = struct.pack("<IHI", FROM_ID, SERIAL, ORIGINATOR)
TRIAD = struct.pack("<HHI", SERIAL, 0x4350, ORIGINATOR)
#: @6/1; and the route of the usual conversation with the Message Router at its end.
MANAGER, ROUTED = bytes.fromhex("02 2006 2401"), bytes.fromhex("03 0100 2002 2401")
RPI = struct.pack("<I", 2_000_000)

OK = bytes.fromhex("cc000000 c300 0100")


def begun(target: Target, **kwds: Any) -> tuple[Exchange, list[bytes]]:
    """A conversation with a connection, and what was sent for that after registering."""
    exchange, sent = Exchange(**kwds), []
    for pending, octets in exchange.begin(CHANCE):
        sent.append(octets)
        exchange.feed(target(octets, 0) or b"")
        assert pending.results is not None
    return exchange, sent[1:]


def ready(*texts: str) -> list[Operation]:
    return [prepare(one) for one in parse_operations(texts)]


def issue(exchange: Exchange, *texts: str) -> tuple[Pending, bytes]:
    return exchange.issue(ready(*texts))


def values(pending: Pending) -> list[Any]:
    assert pending.results is not None
    return [result.val for result in pending.results]


# -- opening


def opening(size: int, large: bool, path: bytes = ROUTED) -> bytes:
    """The CIP request that opens a connection."""
    code, parameters = (b"\x5b", struct.pack("<I", 0x42000000 | size)) if large else (b"\x54", struct.pack("<H", size))
    head = struct.pack("<BBII", 10, 5, 0, FROM_ID) + TRIAD + b"\7\0\0\0"
    if not large:
        parameters = struct.pack("<H", 0x4200 | size)
    return code + MANAGER + head + RPI + parameters + RPI + parameters + b"\xa3" + path


def test_large_opening() -> None:
    """Large Forward Open, 4000 octets each way, class 3, along the route to the Message Router, sent bare."""
    target = Target()
    exchange, sent = begun(target)
    assert [bare(one) for one in sent] == [opening(4000, True)]
    assert sent[0][:2] == b"\x6f\0" and target.opened == [opening(4000, True)]
    made = exchange.connection
    assert made is not None and (made.to_id, made.from_id, made.size) == (TO_ID, FROM_ID, 4000)
    assert made.idle_s == 2.0 * 4 * 2**7


@pytest.mark.parametrize("refusal", [(8,), (1, 0x109), (1, 0x109, 504), (1, 0x127), (1, 0x128)])
def test_small_opening_after_the_large_one(refusal: tuple[int, ...]) -> None:
    """Where the service or the size is refused, Forward Open of 500 octets follows, under the same names."""
    exchange, sent = begun(Target({0x5B: refusal}))
    assert [bare(one) for one in sent] == [opening(4000, True), opening(500, False)]
    assert exchange.connection is not None and exchange.connection.size == 500


@pytest.mark.parametrize(
    ("route", "path"),
    [([], "02 2002 2401"), ([{"port": 2, "link": "10.0.0.1"}], "07 1208 31302e302e302e31 2002 2401")],
)
def test_route_of_a_connection(route: Any, path: str) -> None:
    """The route of the conversation leads the connection; without one it is the Message Router's path alone."""
    _, sent = begun(Target(), route_path=route)
    assert bare(sent[0]) == opening(4000, True, bytes.fromhex(path))


@pytest.mark.parametrize(
    ("refuses", "says", "requests"),
    [
        ({0x5B: (1, 0x100)}, "Large Forward Open .* connection failure: connection already in use", 1),
        ({0x5B: (1, 0x113)}, "connection failure: no more connections .*0x01 extended 0x0113", 1),
        ({0x5B: (1, 0x312)}, "no such slot or link address", 1),
        ({0x5B: (5,)}, "path destination unknown", 1),
        ({0x5B: (8,), 0x54: (8,)}, "refused Forward Open .* service not supported", 2),
        ({0x5B: (1, 0x109), 0x54: (1, 0x109)}, "refused Forward Open .* invalid connection size", 2),
    ],
)
def test_refused(refuses: dict[int, tuple[int, ...]], says: str, requests: int) -> None:
    """Other refusals, and that of the small one, are errors with the status in numbers and words."""
    target, asked = Target(refuses), 0

    def counting(cip: bytes, manager: Callable[[bytes], bytes] = target.manager) -> bytes:
        nonlocal asked
        asked += 1
        return manager(cip)

    target.manager = counting  # type: ignore[method-assign]
    with pytest.raises(StatusError, match=says) as caught:
        begun(target)
    assert (caught.value.status, *caught.value.extended) == list(refuses.values())[-1] and asked == requests


@pytest.mark.parametrize("at", [8, 12, 14, 16])
def test_another_connection_is_granted(at: int) -> None:
    """A reply that grants what was not asked for (another T->O id or triad) is an error of the peer's."""
    target = Target()
    grant = target.manager

    def lying(cip: bytes) -> bytes:
        octets = bytearray(grant(cip))
        octets[at] ^= 1
        return bytes(octets)

    target.manager = lying  # type: ignore[method-assign]
    with pytest.raises(RemoteProtocolError, match="opens another connection"):
        begun(target)


def test_a_grant_cut_short() -> None:
    """... and so is one that is cut short."""
    target = Target()
    grant = target.manager
    target.manager = lambda cip: grant(cip)[:20]  # type: ignore[method-assign]
    with pytest.raises(RemoteProtocolError):
        begun(target)


def test_unconnected_opens_nothing() -> None:
    """Without anything drawn there is RegisterSession, and nothing else."""
    exchange = Exchange()
    requests = list(zip(exchange.begin(), range(2), strict=False))
    assert len(requests) == 1 and exchange.connection is None and list(exchange.finish()) == []


def test_closing() -> None:
    """Forward Close with the triad and the path of the opening, an octet reserved; then UnRegisterSession."""
    target = Target()
    exchange, _ = begun(target)
    issue(exchange, "X")
    sent = []
    for pending, octets in exchange.finish():
        sent.append(octets)
        if pending is not None:
            exchange.feed(target(octets, 0) or b"")
            assert pending.results is not None and pending.results[0].sts == 0
    assert bare(sent[0]) == b"\x4e" + MANAGER + b"\x0a\5" + TRIAD + b"\3\0" + ROUTED[1:]
    assert sent[1] == frame(0x66, b"", bytes(8)) and len(sent) == 2


def test_idle() -> None:
    """A connection is not used when the controller is about to close it; without one nothing is idle for too long."""
    exchange, _ = begun(Target())
    assert idle(exchange, 900.0) is None and "1024 s" in str(idle(exchange, 1000.0))
    assert idle(Exchange(), 1e9) is None


# -- requests


def test_request_on_a_connection() -> None:
    """By SendUnitData: the O->T id, the sequence count, then the request, bare; no context."""
    exchange, _ = begun(Target())
    cip = bytes.fromhex("4c05 9105534341444100 2801 0100")
    for sequence in (1, 2, 3):
        _, octets = issue(exchange, "SCADA[1]")
        items = struct.pack("<IHHHHIHHH", 0, 0, 2, 0xA1, 4, TO_ID, 0xB1, 2 + len(cip), sequence)
        assert octets == struct.pack("<HHII8sI", 0x70, 22 + len(cip), SESSION, 0, bytes(8), 0) + items + cip
    _, octets = issue(exchange, "X", "Y=1")
    assert unit(octets).sequence == 4 and unit(octets).cip[:8] == bytes.fromhex("0a02 2002 2401 0200")


def test_what_goes_unconnected() -> None:
    """Requests with a route or a context of their own, and those that are said to: by SendRRData, beside others."""
    target = Target()
    exchange, _ = begun(target)
    own: list[dict[str, Any]] = [
        {"route_path": []},
        {"route_path": [{"port": 1, "link": 0}]},
        {"send_path": "@6/1"},
        {"context": b"mine"},
        {"unconnected": True},
    ]
    connected, unit_octets = issue(exchange, "X[9]")
    for number, kwds in enumerate(own):
        pending, octets = exchange.issue(ready(f"X[{number}]"), **kwds)
        assert octets[:2] == b"\x6f\0"
        exchange.feed(controller(octets, 0))
        assert values(pending) == [[number]]
    exchange.feed(target(unit_octets, 0) or b"")
    assert values(connected) == [[9]]


def test_results() -> None:
    """Values, refusals and packets are as of unconnected requests."""
    target = Target()
    exchange, _ = begun(target)
    pending, octets = issue(exchange, "X[1-2]", "NOPE", "X[5]=7")
    exchange.feed(target(octets, 0) or b"")
    assert pending.results is not None
    assert [(one.sts, one.val) for one in pending.results] == [(0, [1, 2]), ((4, [0]), None), (0, True)]
    pending, octets = issue(exchange, "NOPE")
    exchange.feed(target(octets, 0) or b"")
    assert pending.results is not None and pending.results[0].sts == (4, [0])


def test_sequence_counts_go_round() -> None:
    """After 65535 comes 0; a count whose reply is awaited, or was given up, is passed over."""
    target = Target()
    exchange, _ = begun(target)
    exchange._sequence = 0xFFFD
    waiting, first = issue(exchange, "X[5]")
    given_up, _ = issue(exchange, "X[6]")
    exchange.abandon(given_up)
    assert unit(first).sequence == 0xFFFE
    assert unit(issue(exchange, "X")[1]).sequence == 0
    exchange._sequence = 0xFFFD
    assert unit(issue(exchange, "X")[1]).sequence == 1, "0xFFFE and 0xFFFF, and 0, are in use"
    exchange.feed(target(first, 0) or b"")
    assert values(waiting) == [[5]]


# -- sizes


class Sizes:
    """Requests and replies of a run on a connection, and how large they were."""

    def __init__(self, size: int) -> None:
        self.target = Target() if size == 4000 else Target({0x5B: (8,)})
        self.exchange, _ = begun(self.target)
        self.sent: list[int] = []
        self.received: list[int] = []

    def run(self, operations: list[Any], multiple: int = 0) -> list[Any]:
        run, found = Transfers(self.exchange, operations, multiple=multiple), []
        while run.ready():
            issued = run.issue()
            if issued is None:
                break
            self.sent.append(struct.unpack_from("<H", issued[1], 42)[0])
            answer = self.target(issued[1], 0) or b""
            self.received.append(struct.unpack_from("<H", answer, 42)[0])
            self.exchange.feed(answer)
            found += [one.val for one in run.take(issued[0])]
        if run.error is not None:
            raise run.error
        return found


@pytest.mark.parametrize("size", [4000, 500])
def test_writes_fill_the_connection(size: int) -> None:
    """A large write goes in pieces that are nearly as large as the connection, and never larger, whatever its name."""
    for name in ("X", "N" * 40, ".".join(["Member" * 6] * 6)):
        sizes = Sizes(size)
        assert sizes.run([{"path": name, "data": list(range(6000))}]) == [True]
        *full, last = sizes.sent
        assert size - 24 < min(full) and max(full) <= size and last <= size


@pytest.mark.parametrize("size", [4000, 500])
def test_packets_fill_the_connection(size: int) -> None:
    """Packets are filled up to the connection's size, and not beyond it, whatever is asked."""
    sizes = Sizes(size)
    writes = [{"path": f"X[{number % 100}]", "data": [number]} for number in range(1000)]
    assert sizes.run(writes, sizes.exchange.packet) == [True] * 1000
    assert size - 30 < max(sizes.sent) <= size
    few = len(sizes.sent)
    assert sizes.run(writes, 100_000) == [True] * 1000
    assert len(sizes.sent) <= 2 * few and max(sizes.sent) <= size


@pytest.mark.parametrize("size", [4000, 500])
def test_packets_are_bounded_by_their_replies(size: int) -> None:
    """Of tags whose type is known, no more is asked for in a packet than the reply has room for."""
    sizes = Sizes(size)
    counts = [20, 30, 1, 40] * 100
    reads = [{"path": "X", "elements": count} for count in counts]
    expected = [list(range(count)) for count in counts]
    for _ in range(2):
        assert sizes.run(reads, sizes.exchange.packet) == expected
        before, sizes.received[:] = sizes.received[:], []
    assert size - 90 < max(before) <= size


@pytest.mark.parametrize("size", [4000, 500])
def test_room_of_replies(size: int) -> None:
    """What is expected to come at once follows from the connection's size, too."""
    assert Sizes(size).exchange.room == size - 10


def test_too_large_for_a_connection() -> None:
    """What cannot be split and does not fit is an error that names the limit; it leaves nothing behind."""
    exchange, _ = begun(Target({0x5B: (8,)}))
    operation = {"method": "set_attribute_single", "path": "@1/1/7", "data": [0] * 600}
    with pytest.raises(LocalProtocolError, match="the request has 610 octets, the connection takes at most 500"):
        exchange.issue([prepare(operation)])
    assert exchange.issue([prepare(operation)], unconnected=True)
    exchange.abandon(issue(exchange, "X")[0])
    with pytest.raises(LocalProtocolError, match="takes at most 500; do it in parts"):
        Sizes(500).run([{"path": ".".join(["Member" * 6] * 13), "data": [1] * 10}])


# -- peers that misbehave


def test_replies_in_any_order() -> None:
    """Replies are matched by the sequence count, whatever their order and their contexts."""
    target = Target()
    exchange, _ = begun(target)
    sent = [issue(exchange, f"X[{number}]") for number in range(5)]
    for pending, octets in reversed(sent):
        asked = unit(octets)
        exchange.feed(unit_reply(FROM_ID, asked.sequence, serve(asked.cip), sent[0][0].context.ljust(8, b"\0")))
        assert pending.results is not None
    assert [values(pending) for pending, _ in sent] == [[[number]] for number in range(5)]


def test_late_twice_and_unknown(caplog: pytest.LogCaptureFixture) -> None:
    """Replies that come late, twice, on another connection, or under a count not in use answer nothing."""
    target = Target()
    exchange, _ = begun(target)
    late, late_octets = issue(exchange, "X[1]")
    exchange.abandon(late)
    pending, octets = issue(exchange, "X[2]")
    asked, wrong = unit(octets), service_reply(0x4C, bytes.fromhex("c300 6300"))
    with caplog.at_level(logging.INFO, "enip.cli"):
        exchange.feed(target(late_octets, 0) or b"")
        exchange.feed(target(late_octets, 0) or b"")
        exchange.feed(unit_reply(FROM_ID + 1, asked.sequence, wrong))
        exchange.feed(unit_reply(TO_ID, asked.sequence, wrong))
        exchange.feed(unit_reply(FROM_ID, asked.sequence + 1, wrong))
        exchange.feed(reply(octets, wrong, context=pending.context.ljust(8, b"\0")))
    assert [record.levelname for record in caplog.records] == ["INFO", *["WARNING"] * 5]
    assert late.results is None and pending.results is None
    exchange.feed(target(octets, 0) or b"")
    exchange.feed(unit_reply(FROM_ID, asked.sequence, wrong))
    assert values(pending) == [[2]]


def test_connected_data_without_a_connection() -> None:
    """... is dropped, and answers no unconnected request, not even under its context."""
    exchange = Exchange()
    for _, octets in exchange.begin():
        exchange.feed(controller(octets, 0))
    pending, octets = issue(exchange, "X")
    exchange.feed(unit_reply(FROM_ID, 1, OK))
    with pytest.raises(RemoteProtocolError, match="command 0x0070 answers Read Tag X"):
        exchange.feed(unit_reply(FROM_ID, 1, OK, pending.context))
    assert pending.results is None


def items(*each: tuple[int, bytes]) -> bytes:
    """A frame of SendUnitData with items."""
    packed = b"".join(struct.pack("<HH", kind, len(data)) + data for kind, data in each)
    return frame(0x70, struct.pack("<IHH", 0, 0, len(each)) + packed, bytes(8))


ADDRESS, COUNT = struct.pack("<I", FROM_ID), b"\2\0"

MISBEHAVIOUR: dict[str, tuple[bytes, str]] = {
    "refused": (frame(0x70, b"", bytes(8), status=0x64), "refused data on the connection.*0x0064"),
    "refused with a payload": (
        frame(0x70, unit_reply(FROM_ID, 2, OK)[24:], bytes(8), status=0x03),
        "0x0003, incorrect data",
    ),
    "no payload": (frame(0x70, b"", bytes(8)), "octet|offset"),
    "no items": (items(), "without its two items"),
    "address alone": (items((0xA1, ADDRESS)), "without its two items"),
    "unconnected items": (items((0, b""), (0xB2, OK)), "without its two items"),
    "unconnected data": (items((0xA1, ADDRESS), (0xB2, OK)), "without its two items"),
    "no address": (items((0, b""), (0xB1, COUNT + OK)), "without its two items"),
    "items the other way round": (items((0xB1, COUNT + OK), (0xA1, ADDRESS)), "without its two items"),
    "address cut short": (items((0xA1, ADDRESS[:3]), (0xB1, COUNT + OK)), "octet|offset"),
    "count cut short": (items((0xA1, ADDRESS), (0xB1, COUNT[:1])), "octet|offset"),
    "no reply": (items((0xA1, ADDRESS), (0xB1, COUNT)), "octet|offset"),
    "reply cut short": (items((0xA1, ADDRESS), (0xB1, COUNT + OK[:3])), "octet|offset"),
    "other service": (unit_reply(FROM_ID, 2, service_reply(0x4D)), "service 0x4d answers Read Tag X"),
    "too much data": (unit_reply(FROM_ID, 2, OK + b"\0\0"), "4 octets of INT answer Read Tag X"),
    "unconnected send": (unit_reply(FROM_ID, 2, service_reply(0x52, b"", 1, 0x204)), "service 0x52 answers Read Tag"),
}


@pytest.mark.parametrize("kind", MISBEHAVIOUR)
def test_misbehaviour(kind: str) -> None:
    """What does not follow the protocol ends the conversation, and answers nothing."""
    answer, problem = MISBEHAVIOUR[kind]
    target = Target()
    exchange, _ = begun(target)
    before, before_octets = issue(exchange, "X[9]")
    pending, octets = issue(exchange, "X")
    assert unit(octets).sequence == 2
    with pytest.raises(RemoteProtocolError, match=problem) as caught:
        exchange.feed((target(before_octets, 0) or b"") + answer)
    assert values(before) == [[9]] and pending.results is None
    assert exchange.failure is caught.value and list(exchange.finish()) == []
    with pytest.raises(LocalProtocolError, match="is over, open a new one"):
        issue(exchange, "X")


def test_more_items_are_ignored() -> None:
    """Items after the first two are accepted."""
    exchange, _ = begun(Target())
    pending, _ = issue(exchange, "X")
    exchange.feed(items((0xA1, ADDRESS), (0xB1, b"\1\0" + OK), (0x8000, bytes(16))))
    assert values(pending) == [[1]]


def test_deaf_peer() -> None:
    """Requests given up are bounded on a connection, too."""
    exchange, _ = begun(Target())
    for _ in range(MAXIMUM_ABANDONED + 1):
        exchange.abandon(issue(exchange, "X")[0])
    with pytest.raises(LocalProtocolError, match="unanswered"):
        issue(exchange, "X")


@given(st.data())
def test_mutated_replies(data: st.DataObject) -> None:
    """Whatever octets come, each request gets the reply with its own ids or none, or the conversation is over."""
    target = Target()
    exchange, _ = begun(target)
    sent = [issue(exchange, f"X[{number}]") for number in (3, 5)]
    answers = [bytearray(target(octets, 0) or b"") for _, octets in sent]
    mutated = data.draw(st.integers(0, 1))
    octets = answers[mutated]
    kind = data.draw(st.sampled_from(["set", "cut", "insert", "twice"]))
    at = data.draw(st.integers(0, len(octets) - 3))  # not the value, which nothing can vouch for
    if kind == "set" and at not in (44, 45):  # nor the count: another one is another reply
        octets[at] = data.draw(st.integers(0, 255))
    elif kind == "cut":
        del octets[at]
    elif kind == "insert":
        octets.insert(at, data.draw(st.integers(0, 255)))
    else:
        answers.append(octets)
    order = data.draw(st.permutations(answers))
    try:
        for answer in order:
            exchange.feed(bytes(answer))
    except ProtocolError as exc:
        assert type(exc) is RemoteProtocolError and exchange.failure is exc
    for number, (pending, _) in zip((3, 5), sent, strict=True):
        if pending.results is not None and number != (3, 5)[mutated]:
            assert values(pending) == [[number]]
