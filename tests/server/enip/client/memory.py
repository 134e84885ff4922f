"""Runs of operations in memory: a front without sockets, and a simulated controller with narrow limits and lacks.

Rule: requests are carried out in the order sent, as by TCP; in which order the replies come is the test's choice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cpppo.server.enip.client.connected import CHANCE_OCTETS
from cpppo.server.enip.client.exchange import ROOM, Exchange, Pending, Result
from cpppo.server.enip.client.transfers import Transfers
from cpppo.server.enip.device import Device
from cpppo.server.enip.device.object import Context
from cpppo.server.enip.session import Session
from cpppo.server.enip.wire.services import REPLY, Reply
from tests.server.enip.client.scripted import SESSION, bare, registered

#: What is drawn for a connection.
_CHANCE = bytes(range(1, CHANCE_OCTETS + 1))

__all__ = ["Controller", "Front", "Narrow", "services"]

#: Which of so many replies comes next.
Choice = Callable[[int], int]


class Controller(Device):
    """A simulated controller; ``lacks``: codes of the services that it does not have."""

    lacks: frozenset[int] = frozenset()

    def request(self, request: Any, context: Context) -> Reply:
        path = getattr(request, "path", None)
        if path is not None and request.service in self.lacks and path.class_id != 6:
            return Reply(request.service | REPLY, 0x08, (), b"")
        return super().request(request, context)


class Narrow(Session):
    """A session whose replies have at most ``data`` octets of a tag, and ``whole`` octets in all."""

    data = ROOM
    whole = 4000

    def answered(self, request: Any, context: Context) -> Any:
        context.data, context.room = self.data, self.whole
        return super().answered(request, context)


class Front:
    """A conversation with whoever gives the octets of replies for those of requests; ``sent``: what was asked."""

    def __init__(self, answer: Callable[[bytes], bytes | None], chance: bytes = b"", **kwds: Any) -> None:
        self.exchange = Exchange(**kwds)
        self.sent: list[bytes] = []
        self.most = 0
        self._answer = answer
        for number, (_, octets) in enumerate(self.exchange.begin(chance)):
            self.exchange.feed((answer(octets) or b"") if number else registered(octets))

    @classmethod
    def of(cls, device: Device, data: int = ROOM, whole: int = 4000, connected: bool = False) -> Front:
        """A conversation with a simulated controller; ``connected``: over a connection, to whose replies the limits
        apply all the same.
        """
        session = Narrow(device, SESSION, (0x7F000001, 44818))
        session.registered = True
        front = cls(session.receive, _CHANCE[: connected * CHANCE_OCTETS])
        session.data, session.whole = data, whole
        front.exchange.room = data
        return front

    def run(
        self,
        operations: Iterable[Mapping[str, Any]],
        depth: int = 0,
        choose: Choice = lambda count: 0,
        **kwds: Any,
    ) -> list[Result]:
        """The results of some operations with so many requests in flight; raises what the run ended with."""
        results, error = self.outcome(operations, depth, choose, **kwds)
        if error is not None:
            raise error
        return results

    def outcome(
        self, operations: Iterable[Mapping[str, Any]], depth: int, choose: Choice = lambda count: 0, **kwds: Any
    ) -> tuple[list[Result], Exception | None]:
        """(results, what the run ended with)."""
        run = Transfers(self.exchange, operations, overlap=depth > 1, **kwds)
        flying: deque[Pending] = deque()
        coming: list[bytes] = []
        results: list[Result] = []
        while True:
            while len(flying) < max(depth, 1) and run.ready():
                issued = run.issue()
                if issued is not None:
                    flying.append(issued[0])
                    self.sent.append(issued[1])
                    coming.append(self._answer(issued[1]) or b"")
            self.most = max(self.most, len(flying))
            if not flying:
                return results, run.error
            while flying[0].results is None:
                if self.exchange.failure is not None:
                    return results, self.exchange.failure
                try:
                    self.exchange.feed(coming.pop(choose(len(coming))))
                except Exception as exc:
                    return results, exc
            results += run.take(flying.popleft())


def services(front: Front) -> list[int]:
    """The services that were asked for, in their order."""
    return [bare(octets)[0] for octets in front.sent]
