"""The client's side of a conversation, in memory: frames out, octets in, results."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from cpppo.server.enip.client.exchange import MAXIMUM_ABANDONED, Exchange, Pending, Result
from cpppo.server.enip.client.operations import Operation, parse_operations, prepare
from tests.server.enip.client.scripted import (
    SESSION,
    bare,
    controller,
    frame,
    registered,
    reply,
    serve,
    service_reply,
)

UNCONNECTED = "5202 2006 2401 059d"
ROUTE = "0100 0100"


def open_exchange(**kwds: Any) -> Exchange:
    """An exchange with a session."""
    exchange = Exchange(**kwds)
    pending, octets = exchange.register()
    exchange.feed(registered(octets))
    assert pending.results == []
    return exchange


def ready(*texts: str, fragment: bool = False) -> list[Operation]:
    return [prepare(one, fragment) for one in parse_operations(texts)]


def issue(exchange: Exchange, *texts: str, index: int = 0) -> tuple[Pending, bytes]:
    return exchange.issue(ready(*texts), index)


def values(pending: Pending) -> list[Any]:
    assert pending.results is not None
    return [result.val for result in pending.results]


def test_register() -> None:
    """A session begins with RegisterSession, version 1; the reply's handle is the session."""
    exchange = Exchange()
    pending, octets = exchange.register(b"me")
    assert octets == bytes.fromhex("6500 0400 00000000 00000000") + b"me" + bytes(6 + 4) + bytes.fromhex("0100 0000")
    assert exchange.session == 0 and pending.results is None
    exchange.feed(registered(octets))
    assert exchange.session == SESSION


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda request: frame(0x65, b"", request[12:20], 0, 0x69), "unsupported protocol version"),
        (lambda request: frame(0x65, b"\2\0\0\0", request[12:20]), "version 2"),
        (lambda request: registered(request, 0), "no session handle"),
        (lambda request: frame(0x65, b"\1\0", request[12:20]), "options"),
    ],
)
def test_register_refused(answer: Callable[[bytes], bytes], problem: str) -> None:
    """A session that the peer refuses, or grants wrongly, is an error that says why."""
    exchange = Exchange()
    _, octets = exchange.register()
    with pytest.raises(RemoteProtocolError, match=problem):
        exchange.feed(answer(octets))
    assert exchange.session == 0


def test_no_request_without_a_session() -> None:
    """Requests before registering are refused."""
    with pytest.raises(LocalProtocolError, match="register first"):
        issue(Exchange(), "X")


def test_request_in_unconnected_send() -> None:
    """A request goes by SendRRData in Unconnected Send to @6/1, time-out 5/157, along port 1 link 0."""
    exchange = open_exchange()
    pending, octets = issue(exchange, "SCADA[1]", index=7)
    cip = "4c05 9105534341444100 2801 0100"
    items = f"00000000 0000 0200 0000 0000 b200 1c00 {UNCONNECTED} 0e00 {cip} {ROUTE}"
    payload = bytes.fromhex(items)
    assert octets == struct.pack("<HHII8sI", 0x6F, len(payload), SESSION, 0, pending.context, 0) + payload
    assert struct.unpack("<I", pending.context[:4]) == (7,)


def test_routes() -> None:
    """Route and send path can be chosen for a conversation and for a request; an empty route sends bare."""
    cip = bytes.fromhex("4c02 910158 00 0100")
    for exchange in (open_exchange(route_path=[]), open_exchange(route_path=[], send_path="@6/2")):
        assert issue(exchange, "X")[1][38:] == struct.pack("<H", len(cip)) + cip
    exchange = open_exchange()
    operation = ready("X")
    _, octets = exchange.issue(operation, route_path=[{"port": 2, "link": "10.0.0.1"}], send_path="@6/2")
    assert octets.endswith(bytes.fromhex("0500 1208") + b"10.0.0.1")
    assert bytes.fromhex("5202 2006 2402") in octets
    assert exchange.issue(operation, route_path=())[1][40:] == cip
    assert exchange.issue(operation)[1].endswith(cip + bytes.fromhex(ROUTE))


def test_results() -> None:
    """A reply gives the 6-tuple of its request: number, description, records, status, value."""
    exchange = open_exchange()
    pending, octets = issue(exchange, "SCADA[3-5]", index=4)
    exchange.feed(controller(octets, 0))
    assert pending.results is not None
    (result,) = pending.results
    assert isinstance(result, Result)
    index, description, request, answer, status, value = result
    assert (index, description, status, value) == (4, "Single Read  Tag  SCADA", 0, [3, 4, 5])
    assert request["path.segment[1].element"] == 3 and answer.service == 0xCC


def test_refused_operation() -> None:
    """A status of CIP is a result like others, and the conversation goes on."""
    exchange = open_exchange()
    pending, octets = issue(exchange, "NOPE")
    exchange.feed(controller(octets, 0))
    assert pending.results is not None and pending.results[0][4:] == ((4, [0]), None)
    pending, octets = issue(exchange, "X")
    exchange.feed(controller(octets, 0))
    assert values(pending) == [[0]]


def test_any_portions() -> None:
    """Octets may come one by one, or several frames at once."""
    exchange = open_exchange()
    sent = [issue(exchange, f"X[{number}]") for number in range(3)]
    answers = b"".join(controller(octets, 0) for _, octets in sent)
    for at in range(len(answers)):
        assert [pending.results is None for pending, _ in sent].count(False) == at * 3 // len(answers)
        exchange.feed(answers[at : at + 1])
    assert [values(pending) for pending, _ in sent] == [[[0]], [[1]], [[2]]]
    sent = [issue(exchange, f"X[{number}]") for number in range(3)]
    answers = b"".join(controller(octets, 0) for _, octets in sent)
    exchange.feed(answers[:-1])
    assert sent[2][0].results is None
    exchange.feed(answers[-1:])
    assert [values(pending) for pending, _ in sent] == [[[0]], [[1]], [[2]]]


def test_replies_in_any_order() -> None:
    """Replies are matched by context, whatever their order."""
    exchange = open_exchange()
    sent = [issue(exchange, f"X[{number}]") for number in range(5)]
    for _, octets in reversed(sent):
        exchange.feed(controller(octets, 0))
    assert [values(pending) for pending, _ in sent] == [[[number]] for number in range(5)]


def test_nothing_is_matched_to_the_wrong_request(caplog: pytest.LogCaptureFixture) -> None:
    """Late, repeated and unknown replies are dropped, with a word in the log; the right one is still awaited."""
    exchange = open_exchange()
    late, late_octets = issue(exchange, "X[1]")
    exchange.abandon(late)
    pending, octets = issue(exchange, "X[2]")
    with caplog.at_level(logging.INFO, "enip.cli"):
        exchange.feed(controller(late_octets, 0))
        exchange.feed(reply(octets, serve(bare(late_octets)), context=b"unknown!"))
        exchange.feed(frame(0x6F, b"", b"unknown!", status=0x64))
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "WARNING"]
    assert late.results is None and pending.results is None
    exchange.feed(controller(octets, 0))
    exchange.feed(controller(octets, 0))
    assert values(pending) == [[2]]


def test_contexts_are_never_shared() -> None:
    """Contexts differ although the numbers are the same; one of the caller's is refused while unanswered."""
    exchange = open_exchange()
    assert len({issue(exchange, "X")[0].context for _ in range(100)}) == 100
    mine, octets = exchange.issue(ready("X"), context=b"mine")
    assert mine.context == b"mine\0\0\0\0"
    with pytest.raises(LocalProtocolError, match="still unanswered"):
        exchange.issue(ready("X"), context=b"mine")
    exchange.abandon(mine)
    with pytest.raises(LocalProtocolError, match="still unanswered"):
        exchange.issue(ready("X"), context=b"mine")
    exchange.feed(controller(octets, 0))
    exchange.issue(ready("X"), context=b"mine")
    with pytest.raises(LocalProtocolError, match="more than 8 octets"):
        exchange.issue(ready("X"), context=b"123456789")


def test_multiple() -> None:
    """Operations sent together have a result each, all of one number, each with its own status."""
    exchange = open_exchange()
    pending, octets = issue(exchange, "X[1-2]", "NOPE", "X[5]=7", index=3)
    assert bare(octets)[:8] == bytes.fromhex("0a02 2002 2401 0300")
    exchange.feed(controller(octets, 0))
    assert pending.results is not None
    assert [(one.idx, one.sts, one.val) for one in pending.results] == [
        (3, 0, [1, 2]),
        (3, (4, [0]), None),
        (3, 0, True),
    ]
    assert [one.dsc[:6] for one in pending.results] == ["Multi."] * 3


@pytest.mark.parametrize("status", [0x08, 0x06])
def test_multiple_refused(status: int) -> None:
    """A packet refused as a whole refuses all its members."""
    exchange = open_exchange()
    pending, octets = issue(exchange, "X", "Y")
    exchange.feed(reply(octets, service_reply(0x0A, b"", status)))
    assert pending.results is not None
    assert [(one.sts, one.val) for one in pending.results] == [(status, None)] * 2


@pytest.mark.parametrize("texts", [["X"], ["X", "Y"]])
def test_route_refused(texts: list[str]) -> None:
    """When the route is refused, by the reply to Unconnected Send, so are the operations sent along it."""
    exchange = open_exchange()
    pending, octets = issue(exchange, *texts)
    exchange.feed(reply(octets, service_reply(0x52, b"\1", 0x01, 0x0312)))
    assert pending.results is not None
    assert [(one.sts, one.val) for one in pending.results] == [((1, [0x312]), None)] * len(texts)


def test_read_fragmented_is_no_route_refused() -> None:
    """The code of Read Tag Fragmented is that of Unconnected Send: what was sent tells them apart."""
    exchange = open_exchange()
    pending, octets = exchange.issue(ready("X[0-9]", fragment=True))
    exchange.feed(reply(octets, service_reply(0x52, bytes.fromhex("c300 0100 0200"), 0x06)))
    assert pending.results is not None and pending.results[0][4:] == (6, [1, 2])


def item(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def items(request: bytes, *each: bytes) -> bytes:
    return frame(0x6F, struct.pack("<IHH", 0, 0, len(each)) + b"".join(each), request[12:20])


OK = bytes.fromhex("cc000000 c300 0100")


def test_more_items_are_ignored() -> None:
    """Items after the first two are accepted."""
    exchange = open_exchange()
    pending, octets = issue(exchange, "X")
    exchange.feed(items(octets, item(0, b""), item(0xB2, OK), item(0x8000, bytes(16))))
    assert values(pending) == [[1]]


MISBEHAVIOUR: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "encapsulation status": (lambda o: frame(0x6F, b"", o[12:20], status=0x64), "0x0064, invalid session handle"),
    "other command": (lambda o: registered(o), "command 0x0065"),
    "no payload": (lambda o: frame(0x6F, b"", o[12:20]), "CIP|interface|octet"),
    "no items": (lambda o: items(o), "no unconnected data item"),
    "one item": (lambda o: items(o, item(0, b"")), "no unconnected data item"),
    "connected item": (lambda o: items(o, item(0, b""), item(0xB1, b"\0\0" + OK)), "no unconnected data item"),
    "item too long": (lambda o: items(o, item(0, b""), item(0xB2, OK)[:-1]), "item"),
    "no reply": (lambda o: reply(o, b""), "octet|offset"),
    "reply cut short": (lambda o: reply(o, OK[:3]), "octet|offset"),
    "extended status cut short": (lambda o: reply(o, bytes.fromhex("cc000402 0000")), "octet|offset"),
    "other service": (lambda o: reply(o, service_reply(0x4D)), "service 0x4d answers Read Tag X"),
    "no data": (lambda o: reply(o, service_reply(0x4C)), "octet|offset"),
    "too much data": (lambda o: reply(o, OK + b"\0\0"), "4 octets of INT answer Read Tag X"),
}


@pytest.mark.parametrize("kind", MISBEHAVIOUR)
def test_misbehaviour(kind: str) -> None:
    """What does not follow the protocol is a RemoteProtocolError once; then every use says that it is over."""
    answer, problem = MISBEHAVIOUR[kind]
    exchange = open_exchange()
    before, before_octets = issue(exchange, "X[9]")
    pending, octets = issue(exchange, "X")
    with pytest.raises(RemoteProtocolError, match=problem) as caught:
        exchange.feed(controller(before_octets, 0) + answer(octets) + b"more")
    assert values(before) == [[9]], "what came before is not lost"
    assert pending.results is None
    assert exchange.failure is caught.value
    for use in (lambda: issue(exchange, "X"), lambda: exchange.feed(b""), exchange.register):
        with pytest.raises(LocalProtocolError, match="is over, open a new one") as again:
            use()
        assert str(caught.value) in str(again.value)


@pytest.mark.parametrize(
    ("octets", "problem"),
    [
        (b"HTTP/1.1 400 Bad Request", "command 0x5448"),
        (struct.pack("<HHII8sI", 0x6F, 65512, SESSION, 0, bytes(8), 0), "65512 octets, more than 65511"),
    ],
)
def test_hopeless_frames_are_not_awaited(octets: bytes, problem: str) -> None:
    """A header that can begin no reply is refused when it is there, not when its frame is whole."""
    exchange = open_exchange()
    exchange.feed(octets[:23])
    with pytest.raises(RemoteProtocolError, match=problem):
        exchange.feed(octets[23:])


def test_nop_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """A peer may send NOP at any time, under any context; nothing is said of it."""
    caplog.set_level(logging.DEBUG)
    exchange = open_exchange()
    pending, octets = issue(exchange, "X")
    exchange.feed(frame(0, b"hello", bytes(8)) + frame(0, b"", pending.context) + controller(octets, 0))
    assert values(pending) == [[0]]
    assert not caplog.records


def test_ended_while_a_reply_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversation that is ended while a reply is being understood still gives its result."""
    from cpppo.server.enip.client import exchange as module

    exchange, understood = open_exchange(), module.results_of
    pending, octets = issue(exchange, "X[3]")

    def ending(*args: Any) -> list[Result]:
        exchange.end("it was closed")
        return understood(*args)

    monkeypatch.setattr(module, "results_of", ending)
    exchange.feed(controller(octets, 0))
    assert values(pending) == [[3]]


@pytest.mark.parametrize("route", [None, []])
@pytest.mark.parametrize(
    ("counts", "what", "extra"),
    [
        ([32760], r"Write Tag X\[0-32759\]", 10),
        ([40000], r"Write Tag X\[0-39999\]", 10),
        ([500] * 70, r"Write Tag X\[0-499\] and 69 more", 70 * 12 + 8),
    ],
)
def test_too_large_for_a_frame(route: Any, counts: list[int], what: str, extra: int) -> None:
    """A request too large for a frame is one short sentence: which, its octets, the limit, and what to do."""
    exchange = open_exchange(route_path=route)
    around = 16 if route == [] else 16 + 14
    size = 2 * sum(counts) + extra + around
    with pytest.raises(LocalProtocolError, match=rf"^{what}: the request has {size} octets, .* 65511; do it in parts$"):
        exchange.issue([prepare({"path": "X", "data": [0] * count}) for count in counts])


def test_a_frame_may_be_full() -> None:
    """The limit is that of the payload, without the header."""
    exchange = open_exchange(route_path=[])
    most = (65511 - 16 - 10) // 2
    _, octets = exchange.issue([prepare({"path": "X", "data": [0] * most})])
    assert len(octets) == 24 + 65510
    with pytest.raises(LocalProtocolError, match="has 65512 octets"):
        exchange.issue([prepare({"path": "X", "data": [0] * (most + 1)})])


@pytest.mark.parametrize(
    ("cip", "problem"),
    [
        (service_reply(0x0A, bytes.fromhex("0100 0400") + OK), "1 replies answer 2 requests"),
        (service_reply(0x0A, bytes.fromhex("0200 0600")), "octet|offset"),
        (service_reply(0x0A, bytes.fromhex("0200 0600 0e00") + OK + OK[:2]), "octet|offset"),
        (service_reply(0x0A, bytes.fromhex("0200 0600 0e00") + OK + service_reply(0x4D)), "service 0x4d"),
        (service_reply(0x4C), "service 0x4c"),
    ],
)
def test_multiple_misbehaviour(cip: bytes, problem: str) -> None:
    """Members that are too few, cut short or of another service are errors of the peer's."""
    exchange = open_exchange()
    _, octets = issue(exchange, "X", "Y")
    with pytest.raises(RemoteProtocolError, match=problem):
        exchange.feed(reply(octets, cip))


def test_end() -> None:
    """When the peer has gone, the error names what was left unanswered, and whether a frame was cut."""
    exchange = open_exchange()
    assert str(exchange.end()) == "the peer closed the connection"
    exchange = open_exchange()
    _, octets = issue(exchange, "X")
    issue(exchange, "Y", "Z")
    exchange.feed(controller(octets, 0)[:30])
    failure = exchange.end("it went")
    assert str(failure) == "it went in the middle of a frame, 30 octets into it before answering Read Tag X and 1 more"
    with pytest.raises(LocalProtocolError, match="it went"):
        issue(exchange, "X")


def test_deaf_peer() -> None:
    """A peer that leaves too many requests unanswered is given up, so that memory is bounded."""
    exchange = open_exchange()
    for _ in range(MAXIMUM_ABANDONED):
        exchange.abandon(issue(exchange, "X")[0])
    last = issue(exchange, "X")[0]
    exchange.abandon(last)
    with pytest.raises(LocalProtocolError, match="unanswered"):
        issue(exchange, "X")


def test_what_cannot_be_sent_leaves_nothing_behind() -> None:
    """A request too large for a frame is refused before it is sent; the conversation goes on."""
    exchange = open_exchange()
    large = prepare({"path": "X", "data": [0] * 33000})
    with pytest.raises(LocalProtocolError):
        exchange.issue([large])
    with pytest.raises(LocalProtocolError):
        exchange.issue([prepare({"path": "N" * 250})], send_path="@2/1")
    with pytest.raises(LocalProtocolError, match="one operation at least"):
        exchange.issue([])
    assert str(exchange.end("gone")) == "gone"


def test_one_operation_in_two_conversations() -> None:
    """The frame kept with an operation is never sent under another session."""
    operation = ready("X")
    one, two = open_exchange(), Exchange()
    _, octets = two.register()
    two.feed(registered(octets, 0x55))
    for _ in range(2):
        assert one.issue(operation)[1][4:8] == struct.pack("<I", SESSION)
        assert two.issue(operation)[1][4:8] == struct.pack("<I", 0x55)


@given(st.data())
def test_mutated_replies(data: st.DataObject) -> None:
    """Whatever octets come, in whatever portions, they complete a request or raise RemoteProtocolError alone."""
    texts = data.draw(st.sampled_from([["X[0-3]"], ["X=1"], ["X", "NOPE", "Y=(REAL)1"]]))
    whole, parts = open_exchange(), open_exchange()
    pending, octets = whole.issue(ready(*texts), context=b"same")
    again, _ = parts.issue(ready(*texts), context=b"same")
    answer = bytearray(controller(octets, 0))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(answer) - 1))
        match data.draw(st.sampled_from(["set", "cut", "insert"])):
            case "set":
                answer[at] = data.draw(st.integers(0, 255))
            case "cut" if len(answer) > 1:
                del answer[at]
            case _:
                answer.insert(at, data.draw(st.integers(0, 255)))
    try:
        whole.feed(bytes(answer))
    except ProtocolError as exc:
        assert type(exc) is RemoteProtocolError and whole.failure is exc
    try:
        for octet in answer:
            parts.feed(bytes([octet]))
    except ProtocolError as exc:
        assert type(exc) is RemoteProtocolError or parts.failure is not None
    assert (whole.failure is None) == (parts.failure is None)
    assert repr(pending.results) == repr(again.results)
    assert pending.results is None or len(pending.results) == len(texts)
