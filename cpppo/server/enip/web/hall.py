"""Where HTTP connections wait until their request has come in whole, so that slow clients hold no thread.

Owns: the sockets that have not said all yet, and how long they may take.  Rule: looks at what has come without taking
it; whoever is late is closed, and when there are too many the one that came first.  Must not know what is asked.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["BODY_OCTETS", "HEAD_OCTETS", "PLACES", "WHOLE_S", "Hall", "whole"]

#: Octets of the head of a request and of its body, at most.
HEAD_OCTETS, BODY_OCTETS = 16_384, 65_536
#: Seconds that a request may take to come; connections that wait at once.
WHOLE_S, PLACES = 5.0, 250
#: Seconds until what had come in part is looked at again, and until the waiting is looked through if nothing comes.
_AGAIN_S, _LOOK_S = 0.05, 1.0

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)


def whole(data: bytes) -> bool:
    """Whether some octets are a request to the end, or more than there can be of one."""
    end = data.find(b"\r\n\r\n", 0, HEAD_OCTETS)
    if end < 0:
        return len(data) >= HEAD_OCTETS
    match = _LENGTH.search(data, 0, end + 2)
    length = int(match[1]) if match else 0
    return length > BODY_OCTETS or len(data) >= end + 4 + length


class _Waiting:
    """A connection that waits, no longer than ``until``."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.socket: socket.socket = connection.socket
        self.descriptor = self.socket.fileno()
        self.until = time.monotonic() + WHOLE_S

    def come(self) -> bool | None:
        """Whether the request is whole; None if nothing more will come."""
        try:
            self.socket.settimeout(0)
            data = self.socket.recv(HEAD_OCTETS + BODY_OCTETS, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return None
        return whole(data) if data else None


class Hall:
    """``ready(connection)`` is called for each whose request is there; connections have ``socket`` and ``close()``."""

    def __init__(self, ready: Callable[[Any], object]) -> None:
        self._ready = ready
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        #: By descriptor; who came first is first.
        self._waiting: dict[int, _Waiting] = {}
        self._stopping = False
        #: Selectors of some systems do not see what is registered while they wait: a bell wakes them.
        self._bell, self._door = socket.socketpair()
        for one in (self._bell, self._door):
            one.setblocking(False)
        self._selector.register(self._door, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._watch, name="web_hall", daemon=True)

    def start(self) -> None:
        """Begin to look after those that wait."""
        self._thread.start()

    def stop(self) -> None:
        """Close all that wait."""
        with self._lock:
            self._stopping = True
        self._ring()
        if self._thread.ident is not None:
            self._thread.join()
        self._send_away(None)
        self._selector.close()
        self._bell.close()
        self._door.close()

    def enter(self, connection: Any) -> None:
        """A connection that is new, or whose next request begins."""
        one = _Waiting(connection)
        if self._sent_on(one, one.come()):
            return
        with self._lock:
            refused = one if self._stopping else None
            if refused is None:
                if len(self._waiting) >= PLACES:
                    refused = self._leave(next(iter(self._waiting.values())))
                self._waiting[one.descriptor] = one
                self._selector.register(one.socket, selectors.EVENT_READ, one)
        if refused is not None:
            refused.connection.close()
        self._ring()

    def _leave(self, one: _Waiting) -> _Waiting:
        del self._waiting[one.descriptor]
        with contextlib.suppress(KeyError):  # looked at again without being asked for
            self._selector.unregister(one.socket)
        return one

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # it rings already, or all is over
            self._bell.send(b".")

    def _watch(self) -> None:
        part: list[_Waiting] = []
        again = time.monotonic()
        while not self._stopping:
            for key, _ in self._selector.select(_AGAIN_S if part else _LOOK_S):
                if key.data is None:
                    with contextlib.suppress(OSError):
                        self._door.recv(4096)
                elif not self._seen(key.data):
                    with self._lock:  # what has come in part stays readable: look again in a while, not at once
                        if self._waits(key.data):
                            self._selector.unregister(key.fileobj)
                            part.append(key.data)
            now = time.monotonic()
            if now >= again:
                again = now + _AGAIN_S
                part = [one for one in part if not self._seen(one)]
                self._send_away(now)

    def _waits(self, one: _Waiting) -> bool:
        return self._waiting.get(one.descriptor) is one

    def _seen(self, one: _Waiting) -> bool:
        """Look at somebody who waited; whether he does so no more."""
        come = one.come()
        if come is False:
            return not self._waits(one)
        with self._lock:
            if not self._waits(one):  # sent away meanwhile
                return True
            self._leave(one)
        return self._sent_on(one, come)

    def _sent_on(self, one: _Waiting, come: bool | None) -> bool:
        if come:
            one.socket.settimeout(WHOLE_S)
            self._ready(one.connection)
        elif come is None:
            one.connection.close()
        return come is not False

    def _send_away(self, now: float | None) -> None:
        """Close those who are late; all if no time is given."""
        with self._lock:
            late = [self._leave(one) for one in list(self._waiting.values()) if now is None or now >= one.until]
        for one in late:
            one.connection.close()
