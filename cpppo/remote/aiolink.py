"""Modbus/TCP transactions for asyncio: one connection, one request at a time.

Owns: the connection, its one budget of time for each transaction, who waits for a reply.  Rule: whatever ends a
transaction, a cancelled task among it, leaves no socket that nobody knows.  Must not know: what is asked, what octets
mean.  Raises NotConnected, NoAnswer and BadReply, as cpppo.remote.transacting says.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from cpppo.errors import RemoteProtocolError, UsageError
from cpppo.remote.exchange import TcpExchange
from cpppo.remote.transacting import TIMEOUT_S, BadReply, NoAnswer, NotConnected

__all__ = ["Link"]


class _Connection(asyncio.Protocol):
    """A connection, from its first moment to its last; `over` is done when its socket is closed."""

    def __init__(self, exchange: TcpExchange) -> None:
        self._exchange = exchange
        self._transport: asyncio.Transport | None = None
        self._reply: asyncio.Future[bytes] | None = None
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.usable = True

    # ------------------------------------------------------------ what asyncio calls
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            reply = self._exchange.feed(data)
        except RemoteProtocolError as exc:
            self.close(exc)
        else:
            if reply is not None and self._reply is not None and not self._reply.done():
                self._reply.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        why = f"ended before an answer came: {exc}" if exc else "was closed by the device before an answer came"
        self.close(NoAnswer(f"the connection {why}"))
        if not self.over.done():
            self.over.set_result(None)

    # ------------------------------------------------------------ what the link calls
    def close(self, why: Exception) -> None:
        """End it now; who waits for a reply is told why."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(why)

    async def ask(self, octets: bytes, until: float) -> bytes:
        """Send, and await the reply.  TimeoutError: none came until then."""
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        self._reply = reply = loop.create_future()
        timer = loop.call_at(until, _expire, reply)
        try:
            self._transport.write(octets)
            octets = await reply
        finally:
            timer.cancel()
            self._reply = None
        return octets


def _expire(waiter: asyncio.Future[bytes]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


class Link:
    """Transactions with one device over Modbus/TCP, each within `timeout` seconds, connecting included.

    Several tasks may call `transact`: they take turns.  A task that is cancelled while it waits gives its turn up; its
    request may have been executed.
    """

    def __init__(self, host: str, port: int = 502, timeout: float = TIMEOUT_S) -> None:
        if not timeout > 0:
            raise ValueError(f"a time-out is a time in seconds, more than 0; not {timeout!r}")
        if not 0 < port <= 65535:
            raise ValueError(f"a port is 1 to 65535, not {port}")
        self.host, self.port, self.timeout = host, port, timeout
        self._told = TcpExchange()
        self._connection: _Connection | None = None
        self._opening: asyncio.Task[Any] | None = None
        self._turn = asyncio.Lock()
        self._ended = False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def closed(self) -> bool:
        """Whether `close` was called: nothing goes over it any more."""
        return self._ended

    async def transact(self, pdu: bytes, unit: int = 1) -> bytes:
        """Send a data unit to a unit; the data unit of its reply, exceptions included."""
        if not 0 <= unit <= 255:
            raise UsageError(f"a unit is 0 to 255, not {unit}")
        async with self._turn:
            until = asyncio.get_running_loop().time() + self.timeout
            connection = await self._connected(until)
            try:
                return await connection.ask(self._told.request(pdu, unit), until)
            except TimeoutError as exc:
                if isinstance(exc, NoAnswer):
                    raise NoAnswer(f"{self}: {exc}") from exc
                if self._told.expired():
                    connection.close(exc)
                seen = f", {self._told.seen}" if self._told.seen else ""
                raise NoAnswer(f"{self}: no answer in time{seen}") from None
            except NotConnected as exc:
                raise NotConnected(f"{self}: {exc}") from exc
            except RemoteProtocolError as exc:
                raise BadReply(f"{self}: {exc}") from exc

    async def close(self) -> None:
        """End the connection, at once; transactions that wait fail, and so do those to come.  No socket is left."""
        self._ended = True
        if self._opening is not None:
            await _abandoned(self._opening)
        held, self._connection = self._connection, None
        if held is not None:
            held.close(NoAnswer("the connection was closed before an answer came"))
            await held.over

    async def _connected(self, until: float) -> _Connection:
        if self.closed:
            raise NotConnected(f"{self}: closed")
        held = self._connection
        if held is not None and held.usable:
            return held
        if held is not None:
            self._connection = None
            await held.over
        self._told.opened()
        fresh = await self._open(until)
        if not fresh.usable:  # `close` came in between, or the device closed it at once
            await fresh.over
            raise NotConnected(f"{self}: the connection was closed before anything was sent")
        self._connection = fresh
        return fresh

    async def _open(self, until: float) -> _Connection:
        """A new connection.  What asyncio made of one that came too late is closed as well."""
        loop = asyncio.get_running_loop()
        self._opening = opening = loop.create_task(
            loop.create_connection(lambda: _Connection(self._told), self.host, self.port)
        )
        try:
            await asyncio.wait({opening}, timeout=max(0.0, until - loop.time()))
            if not opening.done():
                raise NotConnected(f"{self}: no connection in time")
            if opening.cancelled():
                raise NotConnected(f"{self}: closed")
            return opening.result()[1]
        except (OSError, UnicodeError) as exc:
            raise NotConnected(f"{self}: no connection: {exc}") from exc
        except BaseException:
            await _abandoned(opening)
            raise
        finally:
            self._opening = None


async def _abandoned(opening: asyncio.Task[tuple[Any, _Connection]]) -> None:
    """Whatever becomes of opening a connection, it is closed."""
    opening.cancel()
    await asyncio.wait({opening})
    if not opening.cancelled() and opening.exception() is None:
        connection = opening.result()[1]
        connection.close(NotConnected("closed"))
        await connection.over
