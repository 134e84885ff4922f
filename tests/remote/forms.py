"""Both forms of the poller under one face, for cases that hold for each: a thread's, and a task's in a loop of its own.

Rule: what a test calls is called from the test's thread; whoever waits, waits for a poll or a change, with a deadline.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from cpppo.remote.aio import poller_asyncio
from cpppo.remote.plc_modbus import poller_modbus
from cpppo.remote.polling import polling

__all__ = ["FORMS", "Form", "Tasked", "Threaded"]

DEADLINE_S = 10.0


class Form:
    """A poller that polls while in the block, and what it told."""

    plc: polling

    def begin(self) -> None:
        """Note what the poller tells; before it polls."""
        self.told: list[tuple[int, Any, Any]] = []
        self._changed = threading.Condition()
        self.plc.on_change(self._note)
        self.plc.on_poll(self._polled)

    def _note(self, *change: Any) -> None:
        with self._changed:
            self.told.append(change)
            self._changed.notify_all()

    def _polled(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def wait(self, when: Callable[[], Any], seconds: float = DEADLINE_S) -> None:
        """Wait until something holds that polls change."""
        with self._changed:
            assert self._changed.wait_for(when, seconds), f"in vain; told: {self.told[-5:]}"

    def polls(self, more: int = 1) -> None:
        """Wait until so many polls more are over."""
        wanted = self.plc.counter + more
        self.wait(lambda: self.plc.counter >= wanted)

    def __enter__(self) -> Form:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def write(self, address: int, value: Any) -> None:
        """Write, and wait for the end of that."""
        raise NotImplementedError

    def stop(self) -> None:
        """End polling, and wait for the end of that."""
        raise NotImplementedError

    def left(self) -> list[str]:
        """Threads or tasks that are left after `stop`."""
        raise NotImplementedError


class Threaded(Form):
    """poller_modbus."""

    def __init__(self, port: int, **options: Any) -> None:
        self.plc = poller_modbus("it", host="127.0.0.1", port=port, start=False, **options)
        self.begin()
        self.plc.start()

    def write(self, address: int, value: Any) -> None:
        self.plc.write(address, value)

    def stop(self) -> None:
        assert self.plc.stop(DEADLINE_S)

    def left(self) -> list[str]:
        return [one.name for one in threading.enumerate() if one.name == "poll it"]


class Tasked(Form):
    """poller_asyncio, in a loop that runs in a thread."""

    def __init__(self, port: int, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.plc = poller_asyncio("it", host="127.0.0.1", port=port, **options)
        self.begin()
        self.call(self._start())

    async def _start(self) -> None:
        self.plc.start()

    def call(self, work: Any) -> Any:
        """Run a coroutine in the loop, to its end."""
        running: Future[Any] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return running.result(DEADLINE_S)

    def write(self, address: int, value: Any) -> None:
        self.call(self.plc.write(address, value))

    def stop(self) -> None:
        if self.loop.is_closed():
            return
        self.call(self.plc.stop())
        self._left = self.call(self._tasks())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(DEADLINE_S)
        self.loop.close()

    async def _tasks(self) -> list[str]:
        return [one.get_name() for one in asyncio.all_tasks() if one is not asyncio.current_task()]

    def left(self) -> list[str]:
        return self._left


FORMS = (Threaded, Tasked)
