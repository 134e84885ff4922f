"""A session in memory: its place among sessions, the size of requests, and replies one by one."""

from __future__ import annotations

import pytest

from cpppo.server.enip.session import Session
from cpppo.server.enip.wire.header import MAXIMUM_LENGTH
from tests.server.enip.device.frames import (
    ADDRESS,
    HANDLE,
    NOP,
    REGISTER,
    UNREGISTER,
    device,
    frame,
    frames,
    only,
    register,
    rr,
    symbol,
    write,
)


class Places:
    """Places for sessions, and what happened to them."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.given_back = 0

    def take(self) -> bool:
        self.free -= 1
        return self.free >= 0

    def give_back(self) -> None:
        self.given_back += 1


def session_of(places: Places, most: int = MAXIMUM_LENGTH) -> Session:
    return Session(device(), HANDLE, ADDRESS, "peer:1", places.take, places.give_back, most)


def test_no_place() -> None:
    """Without a place: 0x0002, session 0, no payload, and the end; none is given back."""
    places = Places(0)
    session = session_of(places)
    assert session.receive(register(session=5)) == frame(REGISTER, b"", 0, status=0x02)
    assert session.closed
    session.end()
    assert places.given_back == 0


def test_a_place_is_taken_by_those_who_get_it() -> None:
    """A registration that is refused for another reason takes no place."""
    places = Places(1)
    session = session_of(places)
    assert only(session.receive(register(version=2))).status == 0x69
    assert only(session.receive(frame(REGISTER, b"\1"))).status == 0x65
    assert places.free == 1
    assert only(session.receive(register())).status == 0
    assert only(session.receive(register())).status == 0x01
    assert places.free == 0


def test_a_place_is_given_back_once() -> None:
    """UnRegisterSession gives the place back, and the end of the connection does not do so again."""
    places = Places(1)
    session = session_of(places)
    session.receive(register())
    session.receive(frame(UNREGISTER))
    session.end()
    assert places.given_back == 1
    other = session_of(Places(1))
    other.receive(register())
    other.end()
    assert other.closed and not other.registered


@pytest.mark.parametrize("octets", [4, 30, 1000])
def test_size(octets: int) -> None:
    """A request of as many octets is answered, one of more 0x0065 as soon as its header is there; the session ends."""
    places = Places(1)
    session = session_of(places, octets)
    session.receive(register())
    assert only(session.receive(frame(0x99, bytes(octets)))).status == 0x01
    reply = only(session.receive(frame(0x99, bytes(octets + 1), session=9)[:24]))
    assert (reply.command, reply.session, reply.status, reply.length) == (0x99, 9, 0x65, 0)
    assert session.closed and places.given_back == 1
    assert session.receive(register()) == b""


def test_size_beyond_the_largest() -> None:
    """A size that no frame can have leaves the limit of the protocol in force."""
    session = session_of(Places(1), 10 * MAXIMUM_LENGTH)
    assert only(session.receive(frame(0x99, b"", length=MAXIMUM_LENGTH + 1))).status == 0x65


def test_answers_come_one_by_one() -> None:
    """answers() gives the replies of receive(), each of a request that is carried out when it is asked for."""
    session = session_of(Places(1))
    writes = [rr(write(symbol("Word"), 0xC3, 1, bytes([value, 0])), HANDLE) for value in (1, 2, 3)]
    replies = session.answers(register() + writes[0] + frame(NOP) + writes[1] + writes[2][:30])
    tag = session.device["Word"]
    assert only(next(replies)).command == REGISTER and tag[0] == 7
    assert next(replies) and tag[0] == 1
    assert next(replies) == b"" and tag[0] == 1
    assert next(replies) and tag[0] == 2
    assert next(replies, None) is None
    assert next(session.answers(writes[2][30:])) and tag[0] == 3


def test_answers_end_with_the_session() -> None:
    """After the end of the session the rest is not answered."""
    session = session_of(Places(1))
    given = list(session.answers(register() + frame(UNREGISTER) + register()))
    assert [len(one) for one in given] == [28, 0] and session.closed


def test_counts() -> None:
    """Octets received, those of whole requests, and requests; by either way of answering."""
    for answer in (Session.receive, lambda session, data: b"".join(session.answers(data))):
        session = session_of(Places(1))
        octets = register() + frame(NOP) + rr(b"\1", HANDLE)[:10]
        assert len(list(frames(answer(session, octets)))) == 1
        assert (session.received, session.processed, session.requests) == (len(octets), len(octets) - 10, 2)
