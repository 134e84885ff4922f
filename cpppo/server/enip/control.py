"""A server that is led from outside while it serves: ended, or closed for a while.

Owns: what ``control`` says: ``done`` ends it, ``disable`` closes it until False again; and what is done while idle.
Rule: looks at the control every ``latency`` seconds, from the thread that serves.  Must not know the protocol.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from cpppo.dotdict import apidict, dotdict
from cpppo.errors import UsageError
from cpppo.logs import NORMAL
from cpppo.server.tcp import Connection, Server, format_address

__all__ = ["LATENCY_S", "Controlled", "completed"]

log = logging.getLogger("enip.srv")

#: Seconds between two looks at the control, unless it says otherwise.
LATENCY_S = 0.1

#: Seconds that accepted requests may take at the end, at least; and the shortest latency.
_END_S, _LEAST_S = 2.0, 0.001


def completed(control: dotdict | None) -> dotdict:
    """A control with all it needs: ``latency``, ``timeout``, ``done`` and ``disable``, as they are or as usual.

    UsageError if it is none, or its latency or timeout is no number of seconds.
    """
    if control is None:
        control = apidict(2 * LATENCY_S)
    if not isinstance(control, dotdict):
        raise UsageError(f"control is a cpppo.apidict(timeout), not {type(control).__name__}")
    for name, usual in (("done", False), ("disable", False), ("latency", LATENCY_S)):
        if name not in control:
            control[name] = usual
    if "timeout" not in control:
        control["timeout"] = 2 * control["latency"]
    for name in ("latency", "timeout"):
        value = control[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= threading.TIMEOUT_MAX:
            raise UsageError(f"control.{name} is a number of seconds above 0, not {value!r}")
    return control


class Controlled:
    """A server, or one after the other where it is disabled in between; ``address`` stays the same.

    :param start: makes a server of (host, port) that calls the tick it is given.
    :param control: see `completed`.
    :param chores: are called every ``latency`` seconds; what they raise ends it.

    OSError if the address cannot be had.
    """

    def __init__(
        self,
        start: Callable[[tuple[str, int], Callable[[], float]], Server],
        address: tuple[str, int],
        control: dotdict,
        chores: Sequence[Callable[[], object]] = (),
    ) -> None:
        self._start = start
        self._control = control
        self._chores = chores
        self._over = threading.Event()
        #: Set while it listens, or is about to.
        self._open = threading.Event()
        self._lock = threading.Lock()
        self._server = start(address, self._tick)
        self.address = self._server.address
        self._open.set()

    @property
    def disabled(self) -> bool:
        """Whether its port is closed for a while."""
        return not self._open.is_set()

    def connections(self) -> list[Connection]:
        """The connections there are."""
        return self._server.connections()

    def wait_open(self, timeout_s: float) -> bool:
        """Wait until it listens; whether it does."""
        return self._open.wait(timeout_s)

    def serve(self) -> None:
        """Serve until ``control.done`` or ``stop``."""
        while not self._over.is_set():
            self._server.serve()
            self._wait()

    def stop(self, timeout_s: float = _END_S) -> None:
        """End it: accepted requests are answered, sockets closed.

        :param timeout_s: seconds that requests may take, if not ``control.timeout``, which is longer.
        """
        with self._lock:
            self._over.set()
            server = self._server
        server.stop(max(timeout_s, self._control["timeout"]))

    def _tick(self) -> float:
        again = self._look()
        if self._control.disable and not self._over.is_set():
            log.log(NORMAL, "disabled by its control")
            self._open.clear()
            self._server.stop(max(_END_S, self._control["timeout"]))
        return again

    def _look(self) -> float:
        """Do the chores, and end if that is asked for; in how many seconds again."""
        for chore in self._chores:
            chore()
        if self._control.done and not self._over.is_set():
            log.log(NORMAL, "ended by its control")
            self.stop()
        latency: float = self._control.latency
        return max(latency, _LEAST_S)

    def _wait(self) -> None:
        """While it is disabled, wait; then listen again where it did."""
        told = False
        while not self._over.is_set():
            if not self._control.disable:
                try:
                    self._again()
                    return
                except OSError as exc:
                    if not told:
                        log.warning("cannot serve on %s again, trying on: %s", format_address(self.address), exc)
                    told = True
            self._over.wait(self._look())

    def _again(self) -> None:
        with self._lock:
            if not self._over.is_set():
                self._server = self._start(self.address, self._tick)
        self._open.set()
        log.log(NORMAL, "enabled by its control")
