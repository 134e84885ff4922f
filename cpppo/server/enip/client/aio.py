"""The client for asyncio: ``aio.Logix`` is ``client.Logix`` with ``await``.

Owns: the transport, its time-outs, and waking who waits for a reply.  Rule: moves octets and time, as connector.py
does for threads; what is sent and what a reply means is decided in exchange, transfers and flows.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from cpppo.errors import Error, LocalProtocolError, RemoteProtocolError, Timeout
from cpppo.server.enip.client.cache import Cache
from cpppo.server.enip.client.catalog import Catalog, Flow, IdentityObject, TagInfo
from cpppo.server.enip.client.connected import CHANCE_OCTETS
from cpppo.server.enip.client.exchange import Exchange, Pending, Result, Route
from cpppo.server.enip.client.flows import Knowledge, OutcomeUnknown, changing, first_refused, from_clock, to_clock
from cpppo.server.enip.client.healing import CLOSED, CONNECTED, LOST, doubtful, idle, pauses
from cpppo.server.enip.client.operations import Operation
from cpppo.server.enip.client.planner import Plan
from cpppo.server.enip.client.rehearsed import Run, run_of
from cpppo.server.enip.wire.header import PORT
from cpppo.server.enip.wire.structures import Structure

__all__ = ["Connection", "Logix", "connect"]

log = logging.getLogger("enip.cli")

T = TypeVar("T")


class Connection(asyncio.Protocol):
    """A session with a controller, for tasks of one event loop; made by `connect`."""

    def __init__(self, exchange: Exchange, name: str) -> None:
        self.exchange = exchange
        self.name = name
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[Pending, asyncio.Future[None]] = {}
        #: Whose turn it is to send, where there is to be one request in flight.
        self._turn = asyncio.Lock()

    def __str__(self) -> str:
        return self.name

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self.exchange.failure is not None:
            return
        try:
            self.exchange.feed(data)
        except RemoteProtocolError:
            self.abort()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.exchange.failure is None:
            reason = f"the connection to {self} broke ({exc})" if exc else f"{self} closed the connection"
            self.exchange.end(reason)
        self._wake()

    def _wake(self) -> None:
        """Wake those whose replies have come, or, once the conversation is over, all."""
        over = self.exchange.failure is not None
        for pending, future in list(self._waiting.items()):
            if over or pending.results is not None:
                _wake(future)

    # -- what callers use

    def abort(self) -> None:
        """End the connection now."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the session and the connection; whoever waits for a reply gets RemoteProtocolError.

        To be polite, ``await leave()`` first.
        """
        if self.exchange.failure is None:
            self.exchange.end("it was closed")
        self._wake()
        if self._transport is not None:
            self._transport.close()

    async def leave(self, timeout: float | None) -> None:
        """Close the connection that requests go over, if there is one, as far as the peer takes part in that."""
        try:
            for pending, octets in self.exchange.finish():
                self.send(octets)
                if pending is not None:
                    await self.wait(pending, timeout)
        except (OSError, Error) as exc:  # it ends by the end of the session, too
            log.info("%s: the connection was not closed first: %s", self, exc)

    def send(self, octets: bytes) -> None:
        """Send a whole frame."""
        self._open().write(octets)

    def _open(self) -> asyncio.Transport:
        """What to write to; RemoteProtocolError if it is closed, which asyncio may not have told yet."""
        self.exchange.check()
        if self._transport is None or self._transport.is_closing():
            raise self.exchange.end(f"the connection to {self} is closed")
        return self._transport

    async def wait(self, pending: Pending, timeout: float | None) -> list[Result]:
        """The results of a request, once its reply has come; Timeout if it does not in so many seconds."""
        if pending.results is None and self.exchange.failure is None:
            loop = asyncio.get_running_loop()
            future = self._waiting[pending] = loop.create_future()
            # asyncio.wait_for() takes longer than all the rest of a read
            late = None if timeout is None else loop.call_later(timeout, _wake, future)
            try:
                await future
            finally:
                del self._waiting[pending]
                if late is not None:
                    late.cancel()
        if pending.results is None:
            if self.exchange.failure is not None:
                raise self.exchange.failure
            self.exchange.abandon(pending)
            raise Timeout(f"{self} did not answer {pending} within {timeout:.3f} s")
        return pending.results

    async def perform(
        self,
        operations: Iterable[Operation | Mapping[str, Any]],
        depth: int = 1,
        multiple: int = 0,
        timeout: float | None = None,
    ) -> list[Result]:
        """The results of operations in the order asked; see ``connector.pipeline``.

        With a ``depth`` of 1 or less there is one request in flight on a connection, however many tasks use it.
        """
        return await self.carry_out(run_of(self.exchange, operations, multiple=multiple), depth, timeout)

    async def carry_out(self, run: Run, depth: int, timeout: float | None) -> list[Result]:
        """The results of a run (``rehearsed.run_of``), with up to ``depth`` of its requests in flight."""
        if depth <= 1 and self.exchange.connection is not None:
            return await self._one_by_one(run, timeout)
        flying: deque[Pending] = deque()
        found: list[Result] = []
        try:
            while True:
                while len(flying) < max(depth, 1) and run.ready():
                    transport = self._open()  # first: of what was issued it is not known whether it was done
                    issued = run.issue()
                    if issued is None:
                        break
                    transport.write(issued[1])
                    flying.append(issued[0])
                if not flying:
                    break
                await self.wait(flying[0], timeout)
                found += run.take(flying.popleft())
        finally:
            for one in flying:
                self.exchange.abandon(one)
        if run.error is not None:
            raise run.error
        return found

    async def _one_by_one(self, run: Run, timeout: float | None) -> list[Result]:
        found: list[Result] = []
        while run.ready():
            async with self._turn:
                transport = self._open()
                issued = run.issue()
                if issued is None:
                    continue
                try:
                    transport.write(issued[1])
                    await self.wait(issued[0], timeout)
                finally:
                    if issued[0].results is None:
                        self.exchange.abandon(issued[0])
            found += run.take(issued[0])
        if run.error is not None:
            raise run.error
        return found


def _wake(future: asyncio.Future[None]) -> None:
    """Let whoever awaits it look what there is."""
    if not future.done():
        future.set_result(None)


async def connect(
    host: str, port: int = PORT, timeout: float | None = None, route_path: Route = None, connected: bool = False
) -> Connection:
    """A session with a controller; ``connected``: with a connection, as of ``client.connector``.

    OSError if there is no TCP connection, Timeout or RemoteProtocolError if no session, StatusError if a connection is
    refused.
    """
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    loop = asyncio.get_running_loop()
    exchange = Exchange(route_path)
    try:
        _, made = await asyncio.wait_for(
            loop.create_connection(lambda: Connection(exchange, name), host, port), timeout
        )
    except (TimeoutError, asyncio.TimeoutError):
        raise Timeout(f"no connection to {name} within {timeout} s") from None
    try:
        for pending, octets in exchange.begin(os.urandom(CHANCE_OCTETS) if connected else b""):
            made.send(octets)
            await made.wait(pending, timeout)
    except BaseException:
        made.abort()
        raise
    return made


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
