"""A conversation with a controller for asyncio: its transport, its time-outs, and waking who waits for a reply.

Owns: the transport.  Rule: moves octets and time, as link.py and connector.py do for threads; what is sent and what a
reply means is decided in exchange and transfers.  Must not know tags.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from cpppo.errors import Error, RemoteProtocolError, Timeout
from cpppo.server.enip.client.connected import CHANCE_OCTETS
from cpppo.server.enip.client.exchange import Exchange, Pending, Result, Route
from cpppo.server.enip.client.operations import Operation
from cpppo.server.enip.client.rehearsed import Run, run_of
from cpppo.server.enip.wire.header import PORT

__all__ = ["Connection", "connect"]

log = logging.getLogger("enip.cli")


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
