"""The client for asyncio: ``aio.Logix`` is ``client.Logix`` with ``await``.

Owns: the life of a connection: made when it is needed, made anew when it was lost.  Rule: as of logix.py.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from cpppo.errors import Error, LocalProtocolError, RemoteProtocolError, Timeout
from cpppo.server.enip.client.aiolink import Connection, connect
from cpppo.server.enip.client.cache import Cache
from cpppo.server.enip.client.catalog import Catalog, Flow, IdentityObject, TagInfo
from cpppo.server.enip.client.exchange import Route
from cpppo.server.enip.client.flows import Knowledge, OutcomeUnknown, changing, first_refused, from_clock, to_clock
from cpppo.server.enip.client.healing import CLOSED, CONNECTED, LOST, doubtful, idle, pauses
from cpppo.server.enip.client.planner import Plan
from cpppo.server.enip.client.rehearsed import Run, run_of
from cpppo.server.enip.wire.header import PORT
from cpppo.server.enip.wire.structures import Structure

__all__ = ["Connection", "Logix", "connect"]

log = logging.getLogger("enip.cli")

T = TypeVar("T")


class Logix:
    """A Logix controller, by the names of its tags, for asyncio: see ``client.Logix``, of which this has every method.

    Any number of tasks of one event loop may share it.
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
        #: When the connection was last used, in the loop's seconds.
        self._used = 0.0
        self._lock = asyncio.Lock()
        self._connection: Connection | None = None
        self._closed = False
        self._cache = Cache(cache)
        self._knowledge = Knowledge(self._cache.kept)

    async def __aenter__(self) -> Logix:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def connected(self) -> bool:
        """Whether there is a connection that is not known to be lost."""
        connection = self._connection
        return connection is not None and connection.exchange.failure is None

    async def close(self) -> None:
        """End the connection; it cannot be used again."""
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.leave(self.timeout)
            finally:
                connection.close()
                self._tell(CLOSED, None)

    async def read(self, *tags: str, raises: bool = True) -> Any:
        """The value of a tag, or a list of those of several."""
        values = await self._call(lambda: self._knowledge.read(tags))
        if raises:
            first_refused(values)
        return values[0] if len(tags) == 1 else values

    async def write(self, values: Mapping[str, Any], raises: bool = True) -> dict[str, Exception | None]:
        """Write tags: all values are checked before the first is sent."""
        refusals = await self._call(lambda: self._knowledge.write(values))
        if raises:
            first_refused(refusals)
        return dict(zip(values, refusals, strict=True))

    async def plan(self, *tags: str) -> Plan:
        """How these tags would be read."""
        return await self._call(lambda: self._knowledge.plan(tags))

    async def tags(self) -> list[TagInfo]:
        """Every tag, those of programs included."""
        return list(await self._catalog())

    async def types(self) -> dict[str, Structure]:
        """The structures, by name."""
        return {kind.name: kind for kind in (await self._catalog()).types.values()}

    async def identity(self) -> IdentityObject:
        """Who the controller is."""
        return await self._call(self._knowledge.identity)

    def refresh(self) -> None:
        """Ask anew what tags and types there are, at the next call."""
        self._knowledge.forget()

    async def _catalog(self) -> Catalog:
        return await self._call(self._knowledge.known)

    async def clock(self) -> datetime.datetime:
        """The controller's clock, in UTC."""
        return from_clock(await self._call(self._knowledge.clock))

    async def set_clock(self, time: datetime.datetime) -> None:
        """Set the controller's clock."""
        microseconds = to_clock(time)
        await self._call(lambda: self._knowledge.set_clock(microseconds))

    # -- the connection

    async def _call(self, flow: Callable[[], Flow[T]]) -> T:
        """Run a flow; from its beginning again after a lost connection, unless it may have changed something."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.timeout
        before = self._connection
        while True:
            connection = await self._connect(deadline)
            sent: list[Run] = []
            try:
                value = await self._run(flow(), connection, sent)
                if self._cache.lacks(self._knowledge.kept):
                    await loop.run_in_executor(None, self._cache.keep, self._knowledge.kept)
                return value
            except (OSError, Error) as exc:
                if connection.exchange.failure is None and not isinstance(exc, OSError):
                    raise
                self._lost(connection, exc)
                if any(run.issued for run in sent):
                    raise OutcomeUnknown(f"{connection} was lost before it answered a write: {exc}") from exc
                if connection is before and doubtful(connection.exchange):
                    deadline = loop.time() + self.timeout
                elif loop.time() >= deadline:
                    raise

    async def _run(self, flow: Flow[T], connection: Connection, sent: list[Run]) -> T:
        """Do what a flow asks for; ``sent`` has a run in it while that makes changes."""
        try:
            operations = next(flow)
            while True:
                exchange = connection.exchange
                run = run_of(exchange, operations, multiple=exchange.packet)
                if changing(operations):
                    sent.append(run)
                results = await connection.carry_out(run, exchange.depth, self.timeout)
                self._used = asyncio.get_running_loop().time()
                sent.clear()
                operations = flow.send(results)
        except StopIteration as done:
            value: T = done.value
            return value

    async def _connect(self, deadline: float) -> Connection:
        """The connection, made anew if there is none; OSError or Timeout after attempts until the deadline."""
        there = self._connection
        if there is not None and there.exchange.failure is None and there.exchange.connection is None:
            return there
        loop = asyncio.get_running_loop()
        async with self._lock:
            for pause in pauses():
                if self._closed:
                    raise LocalProtocolError(f"{self.host}:{self.port} was closed here; make a new Logix", "connection")
                there = self._connection
                if there is not None:
                    reason = there.exchange.failure or idle(there.exchange, loop.time() - self._used)
                    if reason is None:
                        return there
                    self._lost(there, reason)
                try:
                    left = max(deadline - loop.time(), 0.001)
                    made = await connect(self.host, self.port, left, self._path, self._by_connection)
                except (OSError, RemoteProtocolError) as exc:
                    if loop.time() + pause >= deadline:
                        raise
                    log.info("%s:%d: %s; trying again in %g s", self.host, self.port, exc, pause)
                    await asyncio.sleep(pause)
                    continue
                self._connection, self._used = made, loop.time()
                self._tell(CONNECTED, None)
                return made
        raise Timeout("no connection")  # not reached: the pauses never end

    def _lost(self, connection: Connection, exc: Exception | None) -> None:
        mine = self._connection is connection
        if mine:
            self._connection = None
        connection.close()
        if mine:
            self._tell(LOST, exc)

    def _tell(self, state: str, reason: Exception | None) -> None:
        if self._on_state is not None:
            self._on_state(state, reason)
