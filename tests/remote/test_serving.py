"""The requests of one connection: whoever asks more than is answered is not listened to for a while."""

from __future__ import annotations

import asyncio
from typing import Any

from cpppo.remote.framing import Framed
from cpppo.remote.serving import WAITING, Exchange


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

        exchange = Exchange(lambda request: answered(request.transaction), lambda _, reply: reply, sent.append)
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
