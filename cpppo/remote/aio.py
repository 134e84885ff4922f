"""Tasks that poll Modbus devices: many from one thread, without pymodbus.

Owns: the task of a device and its waiting, starting and stopping of many.  Rule: whatever a device does, its task goes
on, and costs the others nothing; stopping leaves no task and no socket.  Must not know: what replies mean.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

from cpppo.errors import Error, UsageError
from cpppo.remote.aiolink import Link
from cpppo.remote.pdu import reply_values
from cpppo.remote.polling import Poll, Wait, polling
from cpppo.remote.transacting import TIMEOUT_S

__all__ = ["poller_asyncio", "together"]


class poller_asyncio(polling):
    """Polls the addresses of a Modbus/TCP device in a task, and writes to it in between.

    All arguments are as of poller_modbus.  `start()`, or the beginning of an `async with` block, begins to poll;
    `await stop()`, or its end, ends that and closes the connection.  `write` is the one call that is awaited; the
    others give what is known, at once, in any thread.

        async with poller_asyncio("pump 3", host="10.0.111.123", rate=.5) as plc:
            plc.poll(40001)
            plc.read(40001)               # None until the first poll
            await plc.write(40001, 123)   # returns when the device has confirmed it
    """

    def __init__(
        self,
        description: str | None,
        host: str,
        port: int | None = None,
        reach: int = 100,
        multi: bool = False,
        unit: int | None = None,
        rate: float | None = None,
        timeout: float = TIMEOUT_S,
    ) -> None:
        super().__init__(description, rate, reach, multi, unit)
        self._place = host, 502 if port is None else port, timeout
        self._link = Link(*self._place)
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._woken = False

    async def __aenter__(self) -> poller_asyncio:
        self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    # ------------------------------------------------------------ what users call
    def start(self, after: float = 0.0) -> None:
        """Begin to poll, in the running loop; `after` seconds later the first time.  RuntimeError: it polls already."""
        if self._task is not None:
            raise RuntimeError(f"{self} is polled already")
        self._loop = asyncio.get_running_loop()
        if self._link.closed:
            self._link = Link(*self._place)
        self._woken = True
        self._task = self._loop.create_task(self._run(after), name=f"poll {self}")

    async def stop(self) -> None:
        """End polling, at once, and close the connection; a write that waits fails.  `start()` may begin it anew."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        try:
            await self._link.close()
        finally:
            if task is not None:
                await asyncio.wait({task})

    async def poll_once(self) -> None:
        """Poll all addresses once, now; only before `start()`, and `stop()` is needed then, too."""
        if self._task is not None:
            raise RuntimeError(f"{self} is polled by its task already")
        await self._move(self._steps())

    async def write(self, address: int, value: Any) -> None:  # type: ignore[override]  # the one call that waits
        """Write a value, or a sequence of them from `address` on, between two requests of a poll.

        PlcOffline: the device does not answer; UsageError: no such address or value; ExceptionReply: the device
        refused; NoAnswer, BadReply: it may have been executed.
        """
        for write in self._writes(address, value):
            try:
                reply_values(write.pdu, await self._link.transact(write.pdu, self.unit))
            except Error as exc:
                raise self._write_failed(write, address, exc) from exc

    def _write(self, address: int, value: Any) -> None:
        raise UsageError(f"a write to {self} is awaited: await plc.write({address}, {value!r})")

    # ------------------------------------------------------------ the task
    def _wake(self) -> None:
        """As polling._wake, from any thread."""
        self._woken = True
        loop, waiter = self._loop, self._waiter
        if loop is None or waiter is None:
            return
        try:
            here = asyncio.get_running_loop() is loop
        except RuntimeError:
            here = False
        if here:
            _release(waiter)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(_release, waiter)

    async def _wait(self, seconds: float | None) -> bool:
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = None if seconds is None else loop.call_later(seconds, _release, waiter)
        try:
            if not self._woken:
                await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
        woken, self._woken = self._woken, False
        return woken

    async def _run(self, after: float) -> None:
        turns = self._turns(after)
        turn = next(turns)
        while True:
            woken = False
            if isinstance(turn, Wait):
                woken = await self._wait(turn.seconds)
            else:
                try:
                    await self._move(turn)
                except Exception:
                    self._faulty()
            turn = turns.send(woken)

    async def _move(self, steps: Poll) -> None:
        """Send what a poll asks, and give it what comes back."""
        try:
            asked = next(steps)
            while True:
                try:
                    reply = await self._link.transact(asked, self.unit)
                except (Error, OSError) as exc:
                    asked = steps.throw(exc)
                else:
                    asked = steps.send(reply)
        except StopIteration:
            pass


def _release(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


@contextlib.asynccontextmanager
async def together(pollers: Iterable[poller_asyncio]) -> AsyncIterator[list[poller_asyncio]]:
    """Poll many devices while in the block: their first polls are spread over the time from poll to poll.

    async with together([poller_asyncio(host, host=host) for host in hosts]) as plcs: ...
    """
    plcs = list(pollers)
    try:
        for number, plc in enumerate(plcs):
            plc.start(plc.rate * number / len(plcs))
        yield plcs
    finally:
        await asyncio.gather(*(plc.stop() for plc in plcs))
