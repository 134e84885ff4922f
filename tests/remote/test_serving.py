"""The replies of one connection, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from cpppo.remote.framing import Framed, tcp_frame
from cpppo.remote.serving import WAITING, Exchange


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


class Transport:
    """Notes whether it is read."""

    read = True

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.read = False

    def resume_reading(self) -> None:
        self.read = True


def test_requests_that_wait_are_bounded() -> None:
    """A client with many unanswered requests is not listened to until half of them are answered; none is lost."""

    async def main() -> None:
        gates = [asyncio.Event() for _ in range(WAITING)]
        sent: list[bytes] = []

        async def answered(number: int) -> bytes:
            await gates[number].wait()
            return bytes((number,))

        exchange = Exchange(lambda request: answered(request.transaction), lambda _, reply: reply, sent.extend)
        transport: Any = Transport()
        exchange.transport = transport
        exchange.take([Framed(number, 1, b"") for number in range(WAITING - 1)])
        assert transport.read
        exchange.take([Framed(WAITING - 1, 1, b"")])
        assert not transport.read
        for gate in gates[: WAITING // 2 - 1]:
            gate.set()
        while len(sent) < WAITING // 2 - 1:
            await asyncio.sleep(0)
        assert not transport.read
        for gate in gates:
            gate.set()
        await exchange.answered(10)
        assert transport.read
        assert sent == [bytes((number,)) for number in range(WAITING)]

    asyncio.run(main())
