"""Tags by name: ``Logix(host)`` reads and writes values and finds out their types by itself; for threads.

Owns: the life of a connection: made when it is needed, made anew when it was lost.
Rule: moves octets and time: flows and plans decide what is asked and what it means.  A read that was cut short is
repeated, a write whose outcome is not known is not.
"""

from __future__ import annotations

import datetime
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic, sleep
from types import TracebackType
from typing import Any, TypeVar

from cpppo.errors import Error, LocalProtocolError, RemoteProtocolError, Timeout
from cpppo.server.enip.client.cache import Cache
from cpppo.server.enip.client.catalog import Catalog, Flow, IdentityObject, TagInfo
from cpppo.server.enip.client.connector import connector
from cpppo.server.enip.client.exchange import Result, Route
from cpppo.server.enip.client.flows import (
    Knowledge,
    OutcomeUnknown,
    changing,
    first_refused,
    follow,
    from_clock,
    to_clock,
)
from cpppo.server.enip.client.healing import CLOSED, CONNECTED, LOST, doubtful, idle, pauses
from cpppo.server.enip.client.operations import Operation
from cpppo.server.enip.client.planner import Plan
from cpppo.server.enip.client.rehearsed import Run, run_of
from cpppo.server.enip.wire.header import PORT
from cpppo.server.enip.wire.structures import Structure

__all__ = ["Logix"]

log = logging.getLogger("enip.cli")

T = TypeVar("T")


class Logix:
    """A Logix controller, by the names of its tags.  Many threads may share one.

    :param host: name or IP address.
    :param port: 44818 if not given.
    :param path: route to the controller, eg. ``[{"port": 1, "link": 0}]``, which is the usual one; ``[]``: none.
    :param timeout: seconds that a call may take to connect, and each of its replies to come.
    :param cache: a file in which to keep the tag list: the next program that names it need not browse, while the
        controller's change stamps (class 0xAC) are what they were; else it browses, and writes the file anew.
    :param on_state: is called with "connected", "lost" or "closed", and the reason or None.
    :param connected: send requests over a connection (Forward Open), one at a time, of up to 4000 octets if the
        controller grants them; a refusal is a StatusError.

    Nothing is sent before the first call.  Values: bool, int, float, str, lists of these, and dicts (whose keys are
    attributes, too) of structures.  An array by its name alone is all of it, lists in lists for several dimensions.
    """

    def __init__(
        self,
        host: str,
        port: int = PORT,
        path: Route = None,
        timeout: float = 5.0,
        *,
        cache: str | os.PathLike[str] | None = None,
        on_state: Callable[[str, Exception | None], object] | None = None,
        connected: bool = False,
    ) -> None:
        self.host, self.port, self.timeout = host, port, timeout
        self._path = path
        self._on_state = on_state
        self._by_connection = connected
        #: When the connection was last used, in seconds.
        self._used = 0.0
        self._lock = threading.RLock()
        self._connection: connector | None = None
        self._closed = False
        self._cache = Cache(cache)
        self._knowledge = Knowledge(self._cache.kept)

    def __enter__(self) -> Logix:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    @property
    def connected(self) -> bool:
        """Whether there is a connection that is not known to be lost."""
        connection = self._connection
        return connection is not None and connection.exchange.failure is None

    def close(self) -> None:
        """End the connection; it cannot be used again."""
        with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            self._tell(CLOSED, None)

    # -- values

    def read(self, *tags: str, raises: bool = True) -> Any:
        """The value of a tag, or a list of those of several.

        :param tags: eg. ``'Level'``, ``'SCADA[0-9]'``, ``'Drive[2].speed'``, ``'Word.3'``, ``'Program:Main.Step'``.
        :param raises: raise the StatusError (or UnknownTag) of one that cannot be read; else it stands in its place.
        """
        values = self._call(lambda: self._knowledge.read(tags))
        if raises:
            first_refused(values)
        return values[0] if len(tags) == 1 else values

    def write(self, values: Mapping[str, Any], raises: bool = True) -> dict[str, Exception | None]:
        """Write tags: all values are checked before the first is sent.

        :param values: by tag, eg. ``{'Level': 12.5, 'SCADA[0-3]': [1, 2, 3, 4], 'Word.3': True}``.
        :param raises: raise the first refusal (StatusError); else all are in what is returned, None for success.
        :raises OutcomeUnknown: the connection was lost after something was sent.
        """
        refusals = self._call(lambda: self._knowledge.write(values))
        if raises:
            first_refused(refusals)
        return dict(zip(values, refusals, strict=True))

    def plan(self, *tags: str) -> Plan:
        """How these tags would be read; ``print`` it."""
        return self._call(lambda: self._knowledge.plan(tags))

    # -- what there is

    def tags(self) -> list[TagInfo]:
        """Every tag, those of programs included."""
        return list(self._catalog())

    def types(self) -> dict[str, Structure]:
        """The structures, by name."""
        return {kind.name: kind for kind in self._catalog().types.values()}

    def identity(self) -> IdentityObject:
        """Who the controller is."""
        return self._call(self._knowledge.identity)

    def refresh(self) -> None:
        """Ask anew what tags and types there are, at the next call."""
        self._knowledge.forget()

    def _catalog(self) -> Catalog:
        return self._call(self._knowledge.known)

    @property
    def clock(self) -> datetime.datetime:
        """The controller's clock, in UTC; can be set."""
        return from_clock(self._call(self._knowledge.clock))

    @clock.setter
    def clock(self, time: datetime.datetime) -> None:
        microseconds = to_clock(time)
        self._call(lambda: self._knowledge.set_clock(microseconds))

    # -- the connection

    def _call(self, flow: Callable[[], Flow[T]]) -> T:
        """Run a flow; from its beginning again after a lost connection, unless it may have changed something."""
        deadline = monotonic() + self.timeout
        before = self._connection
        while True:
            connection = self._connect(deadline)
            sent: list[Run] = []
            try:
                value = self._run(flow(), connection, sent)
                self._cache.keep(self._knowledge.kept)
                return value
            except (OSError, Error) as exc:
                if connection.exchange.failure is None and not isinstance(exc, OSError):
                    raise
                self._lost(connection, exc)
                if any(run.issued for run in sent):
                    raise OutcomeUnknown(f"{connection} was lost before it answered a write: {exc}") from exc
                if connection is before and doubtful(connection.exchange):
                    deadline = monotonic() + self.timeout
                elif monotonic() >= deadline:
                    raise

    def _run(self, flow: Flow[T], connection: connector, sent: list[Run]) -> T:
        """Do what a flow asks for; ``sent`` has a run in it while that makes changes."""
        exchange = connection.exchange

        def perform(operations: Sequence[Operation]) -> Sequence[Result]:
            run = run_of(exchange, operations, multiple=exchange.packet)
            if changing(operations):
                sent.append(run)
            results = list(connection.carry_out(run, exchange.depth, self.timeout))
            self._used = monotonic()
            sent.clear()
            return results

        return follow(flow, perform)

    def _connect(self, deadline: float) -> connector:
        """The connection, made anew if there is none; OSError or Timeout after attempts until the deadline."""
        there = self._connection
        if there is not None and there.exchange.failure is None and there.exchange.connection is None:
            return there
        with self._lock:
            for pause in pauses():
                if self._closed:
                    raise LocalProtocolError(f"{self.host}:{self.port} was closed here; make a new Logix", "connection")
                there = self._connection
                if there is not None:
                    reason = there.exchange.failure or idle(there.exchange, monotonic() - self._used)
                    if reason is None:
                        return there
                    self._lost(there, reason)
                try:
                    left = max(deadline - monotonic(), 0.001)
                    made = connector(self.host, self.port, left, route_path=self._path, connected=self._by_connection)
                except (OSError, RemoteProtocolError) as exc:
                    if monotonic() + pause >= deadline:
                        raise
                    log.info("%s:%d: %s; trying again in %g s", self.host, self.port, exc, pause)
                    sleep(pause)
                    continue
                made.timeout = self.timeout
                self._connection, self._used = made, monotonic()
                self._tell(CONNECTED, None)
                return made
        raise Timeout("no connection")  # not reached: the pauses never end

    def _lost(self, connection: connector, exc: Exception | None) -> None:
        with self._lock:  # to the end: another thread would tell of the next connection before
            mine = self._connection is connection
            if mine:
                self._connection = None
            connection.abort()
            if mine:
                self._tell(LOST, exc)

    def _tell(self, state: str, reason: Exception | None) -> None:
        if self._on_state is not None:
            self._on_state(state, reason)
