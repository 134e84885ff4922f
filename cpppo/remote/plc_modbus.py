"""A thread that polls a Modbus device: specification chapter 3.1.1.

Owns: the thread, its cadence, moving a poll's requests through a client.  Rule: whatever a device does, the thread goes
on; whoever reads never waits for it.  Must not know: what replies mean.
"""

from __future__ import annotations

import threading
from typing import Any

from cpppo.errors import Error
from cpppo.remote import pymodbus_fixes as fixes
from cpppo.remote.pdu import ExceptionReply, reply_values
from cpppo.remote.polling import Poll, Wait, polling
from cpppo.remote.transacting import TIMEOUT_S

__all__ = ["poller_modbus"]


class poller_modbus(polling):
    """Polls the addresses of a Modbus device in the background, and writes to it at once.

    Either `host` (and `port`, 502) of a Modbus/TCP device, or a `client`: one of pymodbus_fixes (a line's client may
    be shared by several pollers, each with its `unit`), or any synchronous client of pymodbus.  `rate` is the time
    from poll to poll, `timeout` that of one request of the client made for `host`, both in seconds; see `polling` for
    the others.  `stop()` ends it, as the end of a `with` block does.  `start`: False leaves it to `start()` to begin.

        with poller_modbus("pump 3", host="10.0.111.123", rate=.5) as plc:
            plc.poll(40001)
            plc.read(40001)         # None until the first poll
            plc.write(40001, 123)   # returns when the device has confirmed it
    """

    def __init__(
        self,
        description: str | None,
        client: Any = None,
        reach: int = 100,
        multi: bool = False,
        unit: int | None = None,
        host: str | None = None,
        port: int | None = None,
        rate: float | None = None,
        timeout: float = TIMEOUT_S,
        start: bool = True,
    ) -> None:
        super().__init__(description, rate, reach, multi, unit)
        if (client is None) == (host is None):
            raise ValueError("a poller needs a client or a host, one of them")
        self._own = client is None
        if host is not None:
            client = fixes.modbus_client_tcp(host, 502 if port is None else port, timeout=timeout)
        self.client = client
        self._through = client if hasattr(client, "transact") else fixes.adapted(client)
        self._ended = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"poll {self}", daemon=True)
        if start:
            self._thread.start()

    def __enter__(self) -> poller_modbus:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # ------------------------------------------------------------ what users call
    def start(self) -> None:
        """Begin to poll, where that was left for later."""
        self._thread.start()

    def poll_once(self) -> None:
        """Poll all addresses once, now, in this thread; only before `start()`."""
        if self.is_alive():
            raise RuntimeError(f"{self} is polled by its thread already")
        self._receive()

    def stop(self, timeout: float | None = 5.0) -> bool:
        """End polling, and close the client if it is our own; whether the thread ended within `timeout` seconds."""
        self._ended.set()
        self._woken.set()
        if self._own:
            self.client.retire()
        if self._thread.ident is None and self._own:
            self.client.close()
        self.join(timeout)
        return not self.is_alive()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended."""
        if self._thread is not threading.current_thread() and self._thread.ident is not None:
            self._thread.join(timeout)

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _write(self, address: int, value: Any) -> None:
        writes = self._writes(address, value)
        for write in writes:
            try:
                reply = self._through.transact(write.pdu, self.unit)
                if reply:  # to all units of a serial line there is none
                    reply_values(write.pdu, reply)
            except ExceptionReply as exc:
                raise self._write_failed(write, address, fixes.modbus_refused(exc.function, exc.code)) from exc
            except Error as exc:
                raise self._write_failed(write, address, exc) from exc

    def _unwritable(self, text: str) -> Exception:
        return fixes.modbus_bad_address(text)

    # ------------------------------------------------------------ the thread
    def _wake(self) -> None:
        self._woken.set()

    def _receive(self) -> None:
        """Poll all addresses once, now; for whoever has the thread's part."""
        self._move(self._steps())

    def _run(self) -> None:
        turns = self._turns()
        turn = next(turns)
        while not self._ended.is_set():
            woken = False
            if isinstance(turn, Wait):
                woken = self._woken.wait(turn.seconds)
                self._woken.clear()
                if self._ended.is_set():
                    break
            else:
                self._guarded(turn)
            turn = turns.send(woken)
        if self._own:
            self.client.close()

    def _guarded(self, steps: Poll) -> None:
        try:
            self._move(steps)
        except Exception:
            self._faulty()

    def _move(self, steps: Poll) -> None:
        """Send what a poll asks, and give it what comes back."""
        try:
            asked = next(steps)
            while not self._ended.is_set():
                try:
                    reply = self._through.transact(asked, self.unit)
                except (Error, OSError) as exc:
                    if self._ended.is_set():
                        break  # what stop() interrupted says nothing of the device
                    asked = steps.throw(exc)
                else:
                    asked = steps.send(reply)
        except StopIteration:
            pass
