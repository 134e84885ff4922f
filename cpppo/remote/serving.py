"""One connection of a Modbus server: requests come in, replies go out in their order, and an end that loses none.

Owns: the order of replies, delays, pausing a client that does not take its replies, draining and hanging up.  Rule:
what a client sends can neither grow without bound here nor raise anything into the event loop.  Must not know: what
requests say, how they are framed, pymodbus.
"""

from __future__ import annotations

import asyncio
import errno
import inspect
import logging
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Union

from cpppo.remote.framing import Framed

__all__ = ["Answer", "Exchange", "Spoil"]

log = logging.getLogger("cpppo.remote.sim")

#: The data unit that answers a request, at once or when it is there; b"": none is sent.
Answer = Callable[[Framed], "bytes | Awaitable[bytes]"]
#: What becomes of the octets of a reply, and after how many seconds it is sent.
Spoil = Callable[[bytes], "tuple[bytes, float]"]

#: Requests of one client that may wait for their answers: from then on it is not listened to until half are answered.
WAITING = 64
#: Seconds between two looks whether what was sent has arrived.
_LOOK_S = 0.005
_Later = tuple[Framed, Union[bytes, "Awaitable[bytes]", None], bytes, float]


class Exchange:
    """The requests and replies of one connection.

    `pack` makes the octets of a reply; `write` sends those of some; what `spoil` gives, if anything, changes or
    delays them first.
    """

    def __init__(
        self,
        answer: Answer,
        pack: Callable[[Framed, bytes], bytes],
        write: Callable[[Sequence[bytes]], None],
        spoil: Callable[[], Spoil | None] = lambda: None,
    ) -> None:
        self.transport: asyncio.Transport | None = None
        self.closing = False
        self._answer, self._pack, self._write, self._spoil = answer, pack, write, spoil
        self._later: deque[_Later] = deque()
        self._task: asyncio.Task[None] | None = None
        self._full = self._stalled = self._paused = False

    def take(self, requests: Sequence[Framed], newest: bool = False) -> None:
        """Answer requests.  `newest`: all are executed, the last alone is answered: its sender forgot the others."""
        ready: list[bytes] = []  # written at once: thousands of pieces cost a transport time by their square
        for request in requests:
            answered = self._answer(request)
            if newest and request is not requests[-1]:
                if not isinstance(answered, bytes):
                    self._queue((request, answered, b"", -1.0))
                continue
            if isinstance(answered, bytes):
                if not answered:
                    continue
                octets, delay = self._made(request, answered)
                if not delay and self._task is None:
                    ready.append(octets)
                else:
                    self._queue((request, None, octets, delay))
            else:
                self._queue((request, answered, b"", 0.0))
        if ready:
            self._write(ready)

    def _made(self, request: Framed, reply: bytes) -> tuple[bytes, float]:
        octets, spoil = self._pack(request, reply), self._spoil()
        return (octets, 0.0) if spoil is None else spoil(octets)

    def _queue(self, one: _Later) -> None:
        self._later.append(one)
        if len(self._later) >= WAITING:
            self._full = True
            self._listen()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        while self._later:
            request, coming, octets, delay = self._later[0]
            if coming is not None:
                reply = coming if isinstance(coming, bytes) else await coming
                if delay >= 0:
                    octets, delay = self._made(request, reply) if reply else (b"", 0.0)
            if delay > 0:
                await asyncio.sleep(delay)
            if octets:
                self._write([octets])
            self._later.popleft()
            if self._full and len(self._later) <= WAITING // 2:
                self._full = False
                self._listen()
        self._task = None

    def stall(self, stalled: bool) -> None:
        """The client takes no more of its replies at the moment, or does again."""
        self._stalled = stalled
        self._listen()

    def _listen(self) -> None:
        wanted = self._full or self._stalled or self.closing
        if self.transport is not None and wanted != self._paused and not self.transport.is_closing():
            self._paused = wanted
            (self.transport.pause_reading if wanted else self.transport.resume_reading)()

    def lost(self) -> None:
        """The connection is no more."""
        self.transport = None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        for _, coming, _, _ in self._later:
            if inspect.iscoroutine(coming) and inspect.getcoroutinestate(coming) == inspect.CORO_CREATED:
                coming.close()  # the one that has begun ends with the task that awaits it
        self._later.clear()

    async def answered(self, within_s: float) -> None:
        """Wait until all requests that came are answered, for so many seconds at most."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=within_s)

    async def hang_up(self, drain: float) -> None:
        """Close, once what was sent has arrived or `drain` seconds are over; then nothing of it is left here.

        Whoever ends a connection first keeps its port in TIME_WAIT for a minute.  It is reset instead; what has
        arrived can be read all the same.
        """
        self.closing = True
        self._listen()
        transport = self.transport
        if transport is None:
            return
        sock: socket.socket | None = transport.get_extra_info("socket")
        until = asyncio.get_running_loop().time() + drain
        while not transport.is_closing() and (transport.get_write_buffer_size() or _unconfirmed(sock)):
            if asyncio.get_running_loop().time() >= until:
                break
            await asyncio.sleep(_LOOK_S)
        if sock is not None:
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError as exc:
                if exc.errno not in (errno.EBADF, errno.EINVAL):  # it is closed already
                    log.info("a connection could not be reset: %s", exc)
        transport.abort()


def _unconfirmed(sock: socket.socket | None) -> int:
    """Octets that the other side has not confirmed, where the system can tell."""
    if sock is None:
        return 0
    try:
        import fcntl
        import termios

        return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except (ImportError, AttributeError, OSError):
        return 0
