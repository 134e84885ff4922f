"""What we produce, judged by Wireshark's dissectors: whole conversations, at least one for every service."""

from __future__ import annotations

from typing import Any

import pytest

from cpppo.server.enip.wire.header import ReplyFrame, RequestFrame
from cpppo.server.enip.wire.items import (
    ConnectedReply,
    ConnectedRequest,
    ReplyItem,
    ReplyItems,
    RequestItem,
    RequestItems,
)
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services import REPLY, SERVICES, Reply, Request, Service
from cpppo.server.enip.wire.services.attributes import AttributeData, AttributeValues
from cpppo.server.enip.wire.services.browse import InstanceAttributes, TemplateData
from cpppo.server.enip.wire.services.connection import ForwardClosed, ForwardOpened, ForwardRefused
from cpppo.server.enip.wire.services.multiple import MultipleReply
from cpppo.server.enip.wire.services.tag import TagData
from tests.pcap_oracle import C2S, S2C, check, dissect
from tests.server.enip.wire.names import NAMES, VECTORS, service_of
from tests.tools import need

pytestmark = pytest.mark.peers

SESSION = 0x11223344
REGISTER = [
    (C2S, RequestFrame(0x65, 0, 0, b"_tests__", 0, NAMES["Register"](version=1, options=0)).produce()),
    (S2C, ReplyFrame(0x65, SESSION, 0, b"_tests__", 0, NAMES["Register"](version=1, options=0)).produce()),
]

ATTRIBUTES = AttributeData(data=bytes.fromhex("01000E009400200B6030EEFFC0000353494D"))
TWO = MultipleReply(reply=[Reply(0xCC, 0, [], TagData(0xC1, None, b"\1")), Reply(0xCD, 0, [], b"")])
BOTH_REFUSED = MultipleReply(reply=[Reply(0xCC, 4, [0], b""), Reply(0xCD, 0xFF, [0x2105], b"")])


def values(octets: str) -> Any:
    """One attribute: its number, its status, and perhaps its value."""
    return AttributeValues(count=1, data=bytes.fromhex(octets))


TRIAD = {"serial": 0x427, "vendor": 0x1009, "originator": 0xCE5BF28C}
OPENED = ForwardOpened(to_id=0x20000001, from_id=0x84D3, **TRIAD, to_api=1000000, from_api=1000000, application=b"")
CLOSED = ForwardClosed(**TRIAD, application=b"")
SYMBOLS = InstanceAttributes(data=bytes.fromhex("14000000 0200 4231 E982 00100000 00200000"))
TEMPLATE = TemplateData(data=bytes.fromhex("0000C400000000005200C22004000000") + b"STRING;nEAEA\0LEN\0DATA\0")


def refused(remaining: int) -> Any:
    """What a refused opening or closing tells, with the words of path left."""
    return ForwardRefused(**TRIAD, remaining=remaining)


#: Refusals of any opening.
NOT_OPENED: list[tuple[int, list[int], Any]] = [
    *((1, [reason], refused(0)) for reason in (0x100, 0x103, 0x113)),
    *((1, [reason], refused(3)) for reason in (0x114, 0x115, 0x116, 0x311, 0x312, 0x315)),
    (1, [0x109, 4002], refused(0)),
]

#: Replies to a request of each service, by its code and its class (None: any other): (status, extended, data).
ANSWERS: dict[tuple[int, int | None], list[tuple[int, list[int], Any]]] = {
    (0x01, None): [(0, [], ATTRIBUTES), (5, [], b"")],
    (0x02, None): [(0, [], b""), (0x0E, [], b"")],
    (0x03, None): [(0, [], values("0B0000000100")), (0x0A, [], values("63001400"))],
    (0x04, None): [(0, [], values("06000000")), (0x0A, [], values("06000E00"))],
    (0x0A, None): [(0, [], TWO), (0x1E, [], BOTH_REFUSED)],
    (0x0E, None): [(0, [], AttributeData(data=b"\3SIM")), (0x14, [], b"")],
    (0x10, None): [(0, [], b""), (0x13, [], b""), (0x15, [], b"")],
    (0x4C, None): [(0, [], TagData(0xC3, None, b"c\0")), (6, [], TagData(0x2A0, 0xFCE, bytes(40))), (4, [0], b"")],
    (0x4C, 0x6C): [(0, [], TEMPLATE), (6, [], TEMPLATE), (5, [], b""), (0xFF, [0x2104], b"")],
    (0x4D, None): [(0, [], b""), (0xFF, [0x2107], b"")],
    (0x4E, None): [(0, [], b""), (3, [], b"")],
    (0x4E, 0x06): [(0, [], CLOSED), (1, [0x107], refused(3))],
    (0x52, None): [
        (0, [], TagData(0xC3, None, b"c\0" * 20)),
        (6, [], TagData(0xC4, None, bytes(480))),
        (0xFF, [0x2105], b""),
    ],
    (0x52, 0x06): [],  # those of the request in it
    (0x53, None): [(0, [], b""), (0xFF, [0x2104], b"")],
    (0x54, 0x06): [(0, [], OPENED), *NOT_OPENED],
    (0x55, None): [(0, [], SYMBOLS), (6, [], SYMBOLS), (0, [], InstanceAttributes(data=b"")), (4, [0], b"")],
    (0x5B, 0x06): [(0, [], OPENED), *NOT_OPENED, (8, [], b"")],
}


def requests() -> list[tuple[str, Any]]:
    """Every request among the vectors that can be sent, by its name."""
    return [
        (vector.name, eval(vector.expected, dict(NAMES)))
        for vector in (*VECTORS["requests"], *VECTORS["connections"])
        if vector.message == "Request" and "malformed" not in vector.flags and vector.expected != "REFUSED"
    ]


def unconnected(request: Any, answer: Any, number: int) -> list[tuple[str, bytes]]:
    """A request and its reply in SendRRData frames."""
    context = number.to_bytes(8, "little")
    asked = RequestItems(0, 5, [RequestItem(0, None), RequestItem(0xB2, request)])
    told = ReplyItems(0, 0, [ReplyItem(0, None), ReplyItem(0xB2, answer)])
    return [
        (C2S, RequestFrame(0x6F, SESSION, 0, context, 0, asked).produce()),
        (S2C, ReplyFrame(0x6F, SESSION, 0, context, 0, told).produce()),
    ]


def connected(request: Any, answer: Any, number: int) -> list[tuple[str, bytes]]:
    """A request and its reply in SendUnitData frames."""
    asked = RequestItems(0, 0, [RequestItem(0xA1, 0x20000001), RequestItem(0xB1, ConnectedRequest(number, request))])
    told = ReplyItems(0, 0, [ReplyItem(0xA1, 0x84D3), ReplyItem(0xB1, ConnectedReply(number, answer))])
    return [
        (C2S, RequestFrame(0x70, SESSION, 0, bytes(8), 0, asked).produce()),
        (S2C, ReplyFrame(0x70, SESSION, 0, bytes(8), 0, told).produce()),
    ]


def replies(request: Any) -> list[Any]:
    """The replies to a request; to an Unconnected Send those of the request in it."""
    inner = request.data.request if hasattr(request.data, "route") else request
    told = ANSWERS[_key(service_of(inner))]
    return [Reply(inner.service | REPLY, status, extended, data) for status, extended, data in told]


def _key(service: Service) -> tuple[int, int | None]:
    return service.code, service.class_id


def _spoken(request: Any) -> bool:
    """Whether a request is one that its service takes, and so is what it carries."""
    inner = getattr(request.data, "request", None)
    embedded = [one for one in (inner if isinstance(inner, list) else [inner]) if one is not None]
    return type(request.data) is not bytes and all(map(_spoken, embedded))


def test_every_service_is_in_a_conversation() -> None:
    """With replies, and a request that it takes."""
    asked = [request for _, request in requests() if _spoken(request)]
    assert {_key(service_of(request)) for request in asked} == {_key(service) for service in SERVICES}
    assert set(ANSWERS) == {_key(service) for service in SERVICES}


@pytest.mark.parametrize("wrap", [unconnected, connected])
def test_wireshark_has_no_objection_to_any_service(wrap: Any) -> None:
    """Every request vector with each of its replies, one conversation, no finding."""
    need("tshark")
    exchange = list(REGISTER)
    number = 0
    for _, request in requests():
        if not _spoken(request):
            continue
        if wrap is connected and hasattr(request.data, "route"):
            continue
        for answer in replies(request):
            number += 1
            exchange += wrap(request, answer, number)
    found = dissect(exchange)
    assert [str(one) for pdu in found for one in pdu.errors if not _known(pdu, one)] == []
    assert len(found) == len(exchange) > 40


def _known(pdu: Any, finding: Any) -> bool:
    """A false alarm: tshark shows one octet of the last status (a UINT) in a reply to an attribute list."""
    lists = pdu.direction == S2C and pdu.number("cip.sc") in (3, 4)
    return finding.kind == "uncovered" and finding.text.startswith("1 of") and lists


def test_wireshark_has_no_objection_to_any_path() -> None:
    """Every path vector, in a Get Attribute Single request."""
    need("tshark")
    exchange = list(REGISTER)
    for number, vector in enumerate(VECTORS["paths"]):
        path = eval(vector.expected, dict(NAMES)).path
        kinds = {name for term in path.as_plain() for name in term}
        if kinds & {"port", "vendor", "network", "data"} or not path.segment or "" in path.symbol:
            continue  # those are of routes, connection paths
        request = Request(service=0x0E, path=path, data=NAMES["Void"]())
        exchange += unconnected(request, Reply(0x8E, 5, [], b""), number)
    assert len(check(exchange)) == len(exchange) > 40


def test_wireshark_has_no_objection_to_any_route() -> None:
    """Ports and links, as numbers and as addresses, in the route of an Unconnected Send."""
    need("tshark")
    exchange = list(REGISTER)
    inner = Request(service=0x01, path=Path.of([{"class": 1}, {"instance": 1}]), data=NAMES["Void"]())
    for number, vector in enumerate(VECTORS["paths"]):
        route = eval(vector.expected, dict(NAMES)).path
        if not route.segment or any("port" not in term for term in route.as_plain()):
            continue
        data = NAMES["UnconnectedSend"](priority=5, ticks=157, request=inner, route=route)
        request = Request(service=0x52, path=NAMES["AT_MANAGER"], data=data)
        exchange += unconnected(
            request, Reply(0x81, 0, [], b"\1\0\x0e\0\x36\0\x14\x0b\x60\x31\x1a\x06\x6c\0\3SIM"), number
        )
    assert len(check(exchange)) == len(exchange) > 15


def test_wireshark_has_no_objection_to_any_connection_path() -> None:
    """Ports, electronic keys, network and data segments, in the connection path of a Forward Open and Close."""
    need("tshark")
    exchange = list(REGISTER)
    for number, vector in enumerate(VECTORS["paths"]):
        path = eval(vector.expected, dict(NAMES)).path
        if path.symbol or path.element or any(term.get("network") in (0x40, 0x4F) for term in path.as_plain()):
            continue  # those are of tags; and network segments that Wireshark does not know
        opening = NAMES["ForwardOpen"](**NAMES["OPENING"], path=path)
        exchange += unconnected(Request(0x54, NAMES["AT_MANAGER"], opening), Reply(0xD4, 0, [], OPENED), 2 * number)
        closing = NAMES["ForwardClose"](priority=10, ticks=5, **TRIAD, path=path)
        exchange += unconnected(Request(0x4E, NAMES["AT_MANAGER"], closing), Reply(0xCE, 0, [], CLOSED), 2 * number + 1)
    assert len(check(exchange)) == len(exchange) > 80


#: What Wireshark calls the fields of an opening, of a closing, and of their replies.
CALLED = {
    "ticks": "timeout_tick",
    "to_id": "ot_connid",
    "from_id": "to_connid",
    "serial": "conn_serial_num",
    "vendor": "vendor",
    "originator": "orig_serial_num",
    "multiplier": "timeout_multiplier",
    "to_rpi": "otrpi",
    "to_parameters": "ot_net_params",
    "from_rpi": "torpi",
    "from_parameters": "to_net_params",
    "trigger": "transport_type_trigger",
    "to_api": "otapi",
    "from_api": "toapi",
    "remaining": "remain_path_size",
}


def test_wireshark_reads_the_same_numbers_in_an_opening() -> None:
    """Each field of Forward Open, Large Forward Open, Forward Close, their replies and refusals: no two exchanged."""
    need("tshark")
    exchange, records = list(REGISTER), list[Any]([None] * len(REGISTER))
    numbers = {name: 0x11 + at for at, name in enumerate(CALLED)}
    for kind in (NAMES["ForwardOpen"], NAMES["LargeForwardOpen"], NAMES["ForwardClose"]):
        code = next(one.code for one in SERVICES if one.request is kind)
        asked = {name: value for name, value in {**numbers, "priority": 0}.items() if name in kind._fields_}
        request = Request(code, NAMES["AT_MANAGER"], kind(**asked, path=NAMES["TO_ROUTER"]))
        reply = service_of(request).reply
        told = reply(**{name: value for name, value in numbers.items() if name in reply._fields_}, application=b"")
        for answer in (Reply(code | REPLY, 0, [], told), Reply(code | REPLY, 1, [0x312], refused(3))):
            exchange += unconnected(request, answer, len(exchange))
            records += [request.data, answer.data]
    compared = 0
    for pdu, record in zip(check(exchange), records, strict=True):
        for name in set(CALLED) & set(getattr(record, "_fields_", ())):
            assert pdu.number(f"cip.cm.{CALLED[name]}") == getattr(record, name), (name, record)
            compared += 1
    assert compared > 70


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_wireshark_has_no_objection_to_the_encapsulation(transport: str) -> None:
    """List Services, List Identity, List Interfaces, Register, refusals: as the vectors have them."""
    need("tshark")
    exchange = []
    for vector in VECTORS["frames"]:
        command = vector.octets[0]
        if vector.expected == "REFUSED" or "malformed" in vector.flags or command in (0x6F, 0x70, 0x99):
            continue
        if transport == "udp" and command not in (0x04, 0x63, 0x64):
            continue
        exchange.append((C2S if vector.message == "RequestFrame" else S2C, vector.octets))
    assert len(check(exchange, transport=transport)) == len(exchange)


def test_the_oracle_objects_to_what_is_wrong() -> None:
    """A path size one too large is noticed: a silent oracle proves nothing."""
    need("tshark")
    good = unconnected(
        Request(service=0x0E, path=Path.of([{"class": 1}, {"instance": 1}, {"attribute": 1}]), data=NAMES["Void"]()),
        Reply(0x8E, 5, [], b""),
        1,
    )
    check([*REGISTER, *good])
    bad = bytearray(good[0][1])
    bad[41] += 1
    assert dissect([*REGISTER, (C2S, bytes(bad)), good[1]]).errors
