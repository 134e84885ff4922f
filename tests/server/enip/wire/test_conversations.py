"""Frames that published clients really sent: parsed, told apart, and produced again octet by octet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cpppo.grammar import Malformed
from cpppo.server.enip.wire.header import HEADER_OCTETS, ReplyFrame, RequestFrame
from cpppo.server.enip.wire.items import DATA_CONNECTED
from cpppo.server.enip.wire.services import REPLY, Reply, Request, Service, browse, connection
from tests.helpers import check_wire, compiled, same, stepped
from tests.server.enip.wire.names import service_of

HERE = Path(__file__).parents[3] / "vectors"


def conversation(name: str) -> list[tuple[str, bytes]]:
    """(">" of the client or "<" of the server, frame) of a fixture."""
    lines = (HERE / f"{name}.txt").read_text().splitlines()
    return [(line[0], bytes.fromhex(line[1:])) for line in lines if not line.startswith("#")]


FRAMES = {
    f"{name} {number}{way}": (way, frame)
    for name in ("pycomm3", "pylogix")
    for number, (way, frame) in enumerate(conversation(name))
}


def cip(frame: Any) -> Any:
    """The request (or reply) in a frame, None if it has none."""
    if len(getattr(frame.CIP, "item", ())) < 2:
        return None
    data = frame.CIP.item[1].data
    return (data.request if hasattr(data, "request") else data.reply) if hasattr(data, "sequence") else data


def enveloped(octets: bytes) -> bytes | None:
    """The octets of the request in a frame."""
    items = octets[HEADER_OCTETS + 8 :]
    if octets[0] not in (0x6F, 0x70):
        return None
    address = 4 + int.from_bytes(items[2:4], "little")
    return items[address + 4 + (2 if octets[0] == 0x70 else 0) :]


@pytest.mark.long
@pytest.mark.parametrize("which", [name for name, (way, _) in FRAMES.items() if way == ">"])
def test_what_clients_sent_is_parsed_and_produced_again(which: str) -> None:
    """Each frame is a RequestFrame, its request that of a service spoken, and the octets come out again."""
    octets = FRAMES[which][1]
    assert len(octets) == HEADER_OCTETS + int.from_bytes(octets[2:4], "little")
    frame = compiled(RequestFrame, octets)
    assert same(stepped(RequestFrame, octets), frame)
    assert "Malformed(" not in repr(frame)
    request = cip(frame)
    if enveloped(octets) is not None:
        assert type(request) is Request and type(request.data) is service_of(request).request
    if frame.produce() == octets:
        check_wire(RequestFrame, octets, frame)
    else:  # a wider encoding than need be: what is produced is shorter, and means the same
        assert b"\x25\0" in octets or b"\x29\0" in octets
        assert len(frame.produce()) < len(octets)
        assert RequestFrame.parse(frame.produce()) == frame


@pytest.mark.parametrize("which", [name for name, (way, _) in FRAMES.items() if way == "<"])
def test_what_satisfied_clients_is_parsed_and_produced_again(which: str) -> None:
    """Each answer is a ReplyFrame with a Reply in it, and the same octets again."""
    octets = FRAMES[which][1]
    frame = compiled(ReplyFrame, octets)
    assert same(stepped(ReplyFrame, octets), frame)
    assert not isinstance(frame.CIP, Malformed)
    assert frame.produce() == octets
    answer = cip(frame)
    if type(answer) is bytes:
        reply = compiled(Reply, answer)
        assert reply.service & REPLY
        assert reply.produce() == answer


def test_replies_answer_their_requests() -> None:
    """Every request with items has the reply of its service, on its connection with its sequence count.

    Where it is a success, its data is what that service answers, and the same octets again.
    """
    pairs = 0
    meant = set[Service]()
    for name in ("pycomm3", "pylogix"):
        frames = conversation(name)
        for (way, one), (_, other) in zip(frames, frames[1:], strict=False):
            asked = enveloped(one) if way == ">" else None
            if asked is None:
                continue
            frame, answer = RequestFrame.parse(one), ReplyFrame.parse(other)
            embedded = getattr(getattr(cip(frame), "data", None), "request", None)
            service = service_of(embedded if hasattr(embedded, "service") else cip(frame))
            reply = Reply.parse(cip(answer))
            assert reply.service == service.code | REPLY
            if reply.status in service.answered:
                assert service.reply.parse(reply.data).produce() == reply.data
                meant.add(service)
            if frame.CIP.item[1].type_id == DATA_CONNECTED:
                assert answer.CIP.item[1].data.sequence == frame.CIP.item[1].data.sequence
            pairs += 1
    assert pairs > 50
    assert meant >= {*connection.SERVICES, *browse.SERVICES} - {connection.FORWARD_OPEN}  # a large one was granted
