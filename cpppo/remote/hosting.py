"""A server on asyncio, in a thread of its own: for programs and tests that do not use asyncio.

Owns: the thread and its event loop.  Rule: after `stop` neither they nor a socket are left, and what keeps a server
from starting is raised where it was started.  Must not know: what is served, pymodbus.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol

__all__ = ["Hosted", "Hosts"]

#: Seconds that a server may take to end.
_END_S = 20.0


class Hosts(Protocol):
    """A server as those of pymodbus_fixes are: made and used within a running event loop."""

    async def serve_forever(self, poll_interval: float = 0.5, *, background: bool = False) -> None: ...

    async def shutdown(self) -> None: ...


class Hosted:
    """A server that serves from `start` to `stop`, or inside a ``with`` block.

    `make` is called within the event loop and makes the server, which is then `server`; `address` is its.
    """

    def __init__(self, make: Callable[[], Hosts], name: str = "Modbus server") -> None:
        self._make, self._name = make, name
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self.server: Any = None

    @property
    def address(self) -> Any:
        """Where it is served: (host, port), or the name of a serial device."""
        return self.server.address

    def start(self) -> None:
        """Serve from now on.  OSError: it cannot be."""
        if self._thread is not None:
            raise RuntimeError(f"{self._name} is started already")
        self._up, self._over = threading.Event(), threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()
        self._up.wait()
        if failure := self._outcome():
            self._thread.join()
            self._thread = None
            raise failure

    def _outcome(self) -> BaseException | None:
        return self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as exc:
            self._failure = exc
        finally:
            self._up.set()
            self._over.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.server = self._make()
        await self.server.serve_forever(background=True)
        self._up.set()
        await self.server.serving

    def serve(self) -> None:
        """Wait for the end, which `stop` in another thread, or an interrupt in this one, brings."""
        if self._thread is not None:
            self._over.wait()

    def stop(self) -> None:
        """End in order: replies in flight are sent.  It may be called again.

        RuntimeError: by a function that the server calls, eg. of an access: it would wait for itself.
        """
        if self._thread is threading.current_thread():
            raise RuntimeError(f"{self._name} cannot be stopped by what it calls; do that in another thread")
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if thread.is_alive():
            asyncio.run_coroutine_threadsafe(self.server.shutdown(), self._loop).result(_END_S)
        thread.join(_END_S)

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
