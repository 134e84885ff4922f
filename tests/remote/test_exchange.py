"""A request and its reply among octets, with no connection at all."""

from __future__ import annotations

import pytest

from cpppo.errors import RemoteProtocolError
from cpppo.remote.exchange import FLOOD, SILENT, TcpExchange
from cpppo.remote.framing import tcp_frame

READ, ANSWER = bytes.fromhex("03 0000 0001"), bytes.fromhex("03 02 0007")


def test_a_reply_in_pieces() -> None:
    """The reply is given once its last octet is there, however it came."""
    exchange = TcpExchange()
    assert exchange.request(READ, 5) == tcp_frame(1, 5, READ)
    octets = tcp_frame(1, 5, ANSWER)
    assert [exchange.feed(octets[place : place + 1]) for place in range(len(octets))] == [None] * 10 + [ANSWER]


def test_numbers() -> None:
    """Each request has the next number, from 1 to 65535, across connections; 0 is none of them."""
    exchange = TcpExchange()
    exchange.opened()
    numbers = []
    for _ in range(65537):
        numbers.append(int.from_bytes(exchange.request(READ, 1)[:2], "big"))
    assert numbers == [*range(1, 65536), 1, 2]
    exchange.opened()
    assert exchange.request(READ, 1)[:2] == b"\x00\x03"


def test_late_and_second_replies() -> None:
    """A reply to an earlier request is told, not taken; what comes when nobody waits is nothing at all."""
    exchange = TcpExchange()
    exchange.request(READ, 1)
    assert exchange.expired() is False
    assert exchange.feed(tcp_frame(1, 1, ANSWER)) is None
    exchange.request(READ, 1)
    assert exchange.feed(tcp_frame(1, 1, ANSWER)) is None
    assert exchange.seen == "but one to transaction 1 of 2"
    assert exchange.feed(tcp_frame(1, 1, ANSWER) + tcp_frame(2, 1, ANSWER)) == ANSWER
    assert exchange.feed(tcp_frame(2, 1, b"\x04")) is None
    exchange.request(READ, 1, answered=False)
    assert exchange.feed(tcp_frame(3, 1, b"\x04")) is None


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (tcp_frame(1, 2, ANSWER), "unit 2 answered, where 1 was asked"),
        (tcp_frame(1, 1, b"\x04\x02\x00\x07"), "a reply to function 4, where 3 was asked"),
        (tcp_frame(1, 1, b"\x03\x01\x07"), "1 octets of data, where 2 were asked"),
        (b"\x00\x01\x00\x01\x00\x06", None),
        (b"\x00\x01\x00\x01\x00\x06\x01", "protocol 1 in a Modbus/TCP header"),
    ],
)
def test_what_answers_nothing(frame: bytes, told: str | None) -> None:
    """What does not answer the request, or is no Modbus, is an error, as soon as it shows."""
    exchange = TcpExchange()
    exchange.request(READ, 1)
    if told is None:
        assert exchange.feed(frame) is None
        return
    with pytest.raises(RemoteProtocolError, match=told):
        exchange.feed(frame)


def test_a_flood() -> None:
    """Octets that answer nothing are taken up to a limit, for each request anew."""
    exchange, useless = TcpExchange(), tcp_frame(999, 1, ANSWER)
    many = FLOOD // len(useless)
    for _ in range(2):
        exchange.request(READ, 1)
        assert exchange.feed(useless * many) is None
    with pytest.raises(RemoteProtocolError, match=f"more than {FLOOD} octets that answer nothing"):
        exchange.feed(useless)


def test_when_a_connection_is_given_up() -> None:
    """After some silent requests in a row, or at once where a reply has begun; an answer begins the count anew."""
    exchange = TcpExchange()
    for _ in range(2):
        told = []
        for _ in range(SILENT - 1):
            exchange.request(READ, 1)
            told.append(exchange.expired())
        assert told == [False] * (SILENT - 1) and exchange.seen == ""
        number = int.from_bytes(exchange.request(READ, 1)[:2], "big")
        assert exchange.feed(tcp_frame(number, 1, ANSWER)) == ANSWER
    for _ in range(SILENT):
        exchange.request(READ, 1)
        last = exchange.expired()
    assert last is True
    exchange.opened()
    exchange.request(READ, 1)
    assert exchange.feed(b"\x00") is None
    assert exchange.expired() is True and exchange.seen == "but a part of one"
