"""The replies of one connection, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from cpppo.remote.framing import Framed, tcp_frame
from cpppo.remote.serving import Exchange


def test_replies_to_what_came_at_once_are_written_at_once() -> None:
    """A transport takes time by the square of the pieces that wait in it: what thousands of requests bring is one."""
    written: list[list[bytes]] = []

    def write(frames: Sequence[bytes]) -> None:
        written.append(list(frames))

    exchange = Exchange(lambda request: request.pdu, lambda request, reply: tcp_frame(*request[:2], reply), write)
    requests = [Framed(number, 1, b"\x07") for number in range(1000)]
    exchange.take(requests)
    exchange.take([])
    assert written == [[tcp_frame(*request) for request in requests]]


def test_who_awaits_one_reply_gets_the_newest() -> None:
    """On a serial line all requests are executed, and the last alone is answered."""
    executed: list[int] = []
    written: list[list[bytes]] = []

    def answer(request: Framed) -> bytes:
        executed.append(request.transaction)
        return request.pdu

    exchange = Exchange(answer, lambda request, reply: reply, lambda frames: written.append(list(frames)))
    exchange.take([Framed(number, 1, bytes((number,))) for number in range(3)], newest=True)
    assert (executed, written) == ([0, 1, 2], [[b"\2"]])
