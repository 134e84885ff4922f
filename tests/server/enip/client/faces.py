"""The two faces of the tag level, one for threads and one for asyncio, so that the same tests drive both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from cpppo.server.enip.client import Logix, aio

__all__ = ["FACES", "Asyncio", "Open", "Threads", "opening"]

#: Makes a face, as its class does.
Open = Callable[..., Any]


class Threads:
    """The face for threads, as it is."""

    def __init__(self, *args: Any, **kwds: Any) -> None:
        self.plc = Logix(*args, **kwds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plc, name)

    def end(self) -> None:
        self.plc.close()

    close = end

    def clock(self) -> Any:
        return self.plc.clock

    def set_clock(self, time: Any) -> None:
        self.plc.clock = time


class Asyncio:
    """The face for asyncio, its coroutines run by a loop in a thread of their own."""

    def __init__(self, *args: Any, **kwds: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.plc: aio.Logix = self.run(self._made(*args, **kwds))

    @staticmethod
    async def _made(*args: Any, **kwds: Any) -> aio.Logix:
        return aio.Logix(*args, **kwds)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.plc, name)
        if not asyncio.iscoroutinefunction(found):
            return found
        return lambda *args, **kwds: self.run(found(*args, **kwds))

    def end(self) -> None:
        self.run(self.plc.close())

    def close(self) -> None:
        self.end()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


FACES = {"threads": Threads, "asyncio": Asyncio}


@contextmanager
def opening(face: str, **usual: Any) -> Iterator[Open]:
    """Makes one face or the other of the tag level, with these settings; all are closed at the end."""
    made: list[Any] = []

    def make(*args: Any, **kwds: Any) -> Any:
        made.append(FACES[face](*args, **{**usual, **kwds}))
        return made[-1]

    yield make
    for one in made:
        one.close()
