"""Counting what sessions do: requests by service and status, how long they took, octets; for those who watch.

Owns: the counters of each session, and their sums with those of sessions that have ended.
Rule: a session counts in its own thread, without a lock; whoever asks adds up.  Must not know who asks.
"""

from __future__ import annotations

import threading
import weakref
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from cpppo.server.enip.session import Session
from cpppo.server.enip.wire.services import REPLY
from cpppo.server.enip.wire.services.multiple import MULTIPLE, MultipleReply
from cpppo.server.enip.wire.services.tag import WRITE_TAG, WRITE_TAG_FRAGMENTED

__all__ = ["BOUNDS_S", "CountedSession", "Counters", "Totals"]

#: Upper bounds of the histogram, in seconds; one more count is of those beyond the last.
BOUNDS_S = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2, 1e-1, 5e-1, 1.0, 5.0)

#: What the reply to a packet of several requests says.
_PACKET = MULTIPLE.code | REPLY


@dataclass
class Totals:
    """What was counted.  ``connections`` there were; ``requests``: frames; ``received``, ``sent``: octets.

    ``answers``: CIP requests by (service, status), those in a packet of several, too; ``took``: CIP requests, a packet
    being one, by how long the controller took for them, as ``BOUNDS_S`` say; ``seconds``: all of that.
    """

    connections: int = 0
    requests: int = 0
    received: int = 0
    sent: int = 0
    seconds: float = 0.0
    answers: Counter[tuple[int, int]] = field(default_factory=Counter)
    took: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))

    @property
    def writes(self) -> int:
        """Write Tag and Write Tag Fragmented that were done (the code of modifying bits is shared)."""
        return self.answers[WRITE_TAG.code, 0] + self.answers[WRITE_TAG_FRAGMENTED.code, 0]

    def add(self, session: CountedSession) -> None:
        """Add what a session has counted."""
        self.requests += session.requests
        self.received += session.received
        self.sent += session.sent
        self.seconds += session.seconds
        for service, count in list(session.done.items()):  # a copy in one step: the session goes on counting
            self.answers[service & ~REPLY, 0] += count
        for (service, status), count in list(session.refused.items()):
            self.answers[service & ~REPLY, status] += count
        self.took = [one + more for one, more in zip(self.took, session.took, strict=True)]


class CountedSession(Session):
    """A session that counts, as cheaply as it can be done: it adds up to each request.

    ``done``: CIP requests that succeeded, by the service of the reply; ``refused``: the others, by (service, status).
    """

    def __init__(self, *args: Any, **kwds: Any) -> None:
        super().__init__(*args, **kwds)
        self.sent = 0
        self.seconds = 0.0
        self.done: dict[int, int] = {}
        self.refused: dict[tuple[int, int], int] = {}
        self.took = [0] * (len(BOUNDS_S) + 1)

    def receive(self, data: bytes) -> bytes:
        before = self.sent
        reply = _receive(self, data)
        self.sent = before + len(reply)  # set, not added: it may have come by way of `answers`
        return reply

    def answers(self, data: bytes) -> Iterator[bytes]:
        for reply in super().answers(data):
            self.sent += len(reply)
            yield reply

    def answered(self, request: Any, context: Any) -> Any:
        begun = perf_counter()
        reply = _answered(self, request, context)
        took = perf_counter() - begun
        self.seconds += took
        self.took[bisect_left(BOUNDS_S, took)] += 1
        service = reply.service
        if reply.status:
            self._refused_with(service, reply.status)
        else:
            try:
                self.done[service] += 1
            except KeyError:
                self.done[service] = 1
        if service == _PACKET and reply.data.__class__ is MultipleReply:
            for one in reply.data.reply:  # service, a reserved octet, status
                if one[2]:
                    self._refused_with(one[0], one[2])
                else:
                    self.done[one[0]] = self.done.get(one[0], 0) + 1
        return reply

    def _refused_with(self, service: int, status: int) -> None:
        self.refused[service, status] = self.refused.get((service, status), 0) + 1


#: Called by their names: to look for them in the class above costs as much as counting.
_receive, _answered = Session.receive, Session.answered


class Counters:
    """The counters of all sessions of a server, from when it is made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Weakly: a connection that is refused at once is never told to have ended, nor has it counted anything.
        self._live: weakref.WeakSet[CountedSession] = weakref.WeakSet()
        self._past = Totals()

    def session(self, *args: Any) -> CountedSession:
        """A session, as `Session`, that counts here."""
        made = CountedSession(*args)
        with self._lock:
            self._live.add(made)
            self._past.connections += 1
        return made

    def ended(self, session: Session) -> None:
        """A session is over: its counts stay."""
        if isinstance(session, CountedSession):
            with self._lock:
                self._live.discard(session)
                self._past.add(session)

    def totals(self) -> Totals:
        """What was counted until now."""
        with self._lock:
            past = self._past
            made = Totals(past.connections, past.requests, past.received, past.sent, past.seconds)
            made.answers.update(past.answers)
            made.took = list(past.took)
            for one in self._live:
                made.add(one)
        return made
