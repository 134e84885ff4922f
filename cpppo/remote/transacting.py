"""One request, one answer: transactions over a TCP connection or a serial line, with one budget of time for each.

Owns: the lock and the time-out of a client, what is sent and awaited, when a connection is given up, the errors.
Rule: a request is sent once; what comes back is believed if it answers the request, and else named in the error.
Must not know: pymodbus (who subclasses these brings the connection), what is polled.

    NotConnected    nothing was sent
    NoAnswer        sent, and no answer came: a write may have been executed
    BadReply        what came does not answer what was asked
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, cast

from cpppo.errors import Error, RemoteProtocolError, Timeout, UsageError
from cpppo.remote.exchange import TcpExchange
from cpppo.remote.framing import rtu_frame
from cpppo.remote.pdu import reply_problem
from cpppo.remote.serial_address import serial_trouble
from cpppo.timing import clock

__all__ = [
    "TIMEOUT_S",
    "BadReply",
    "NoAnswer",
    "NotConnected",
    "RtuTransactions",
    "TcpTransactions",
    "Transactions",
    "read_port",
]

#: Seconds that a transaction may take as a whole, where nobody says otherwise.
TIMEOUT_S = 2.0
#: Time-outs for which an answer that did not come is still expected on a serial line.
LATE = 2
#: Bits of an octet on a serial line: start, 8 of data, parity or stop, stop.
_BITS = 11
#: Seconds: the least silence between two frames of a serial line, and what a broadcast is given to be executed.
_SILENCE_S, _TURNAROUND_S = 0.00175, 0.1
#: Seconds: the least time-out of a socket (0: not to wait at all), and by how much one that is set may be too long.
_LEAST_S, _LITTLE_S = 0.001, 0.01
#: Seconds for which who waits for a late answer has the line, and then leaves it to others.
_SLICE_S, _LEFT_S = 0.02, 0.001


class NotConnected(Error):
    """No connection: refused, no route, no such host, no such port; or lost before the request was sent."""


class NoAnswer(Timeout):
    """Sent, but no answer to it came: in time, or before the connection ended.  A write may have been executed."""


class BadReply(RemoteProtocolError):
    """What came back does not answer what was asked."""


class Transactions:
    """A lock, and a time-out for whole transactions: connect, send and receive have one budget together.

    `timeout`: reading it gives the seconds that are left (without a budget: those that a transaction would have);
    setting it to seconds, or to True for the client's own, starts a budget for all that follows together; None ends
    it, and each transaction has the client's own again.  `with client:` holds the lock, and connects to nothing.
    """

    #: What is raised; who has another family of errors to satisfy puts subclasses here.
    not_connected: Callable[[str], NotConnected] = NotConnected
    no_answer: Callable[[str], NoAnswer] = NoAnswer
    bad_reply: Callable[[str], BadReply] = BadReply

    #: The connection: a socket or a serial port; None: not connected.
    socket: Any

    def __init__(self, *args: Any, timeout: float = TIMEOUT_S, **kwds: Any) -> None:
        if not timeout > 0:
            raise ValueError(f"a time-out is a time in seconds, more than 0; not {timeout!r}")
        cast(Any, super()).__init__(*args, timeout=timeout, **kwds)
        # Inside a lock held by `with`, the same thread goes on.
        self._lock = threading.RLock()
        self._own = timeout
        self._until: float | None = None
        self._trouble = ""
        self._retired = False

    def __enter__(self) -> Any:
        self._lock.acquire()
        return self

    def __exit__(self, *exc: object) -> None:
        self._lock.release()

    @property
    def timeout(self) -> float | None:
        return self._own if self._until is None else max(0.0, self._until - clock())

    @timeout.setter
    def timeout(self, seconds: float | bool | None) -> None:
        self._until = None if seconds is None else clock() + (self._own if seconds is True else seconds)

    def _deadline(self) -> float:
        return clock() + self._own if self._until is None else self._until

    def connect(self) -> bool:
        """Connect if not connected; whether there is a connection."""
        with self._lock:
            return self._connected(self._deadline())

    def _connected(self, until: float) -> bool:
        if self.socket is None and not self._retired:
            try:
                self._open(max(_LEAST_S, until - clock()))
            except Exception as exc:  # what serial ports raise is not told by pyserial
                late = isinstance(exc, TimeoutError)
                self._trouble = "no connection in time" if late else f"no connection: {self._reason(exc)}"
                return False
        if self._retired:  # perhaps meanwhile
            self.close()
            self._trouble = "closed"
        return not self._retired

    def transact(self, pdu: bytes, unit: int = 1, answered: bool = True) -> bytes:
        """Send a data unit to a unit; the data unit of its reply, exceptions included (b"": none is awaited).

        NotConnected, NoAnswer, BadReply: what they say.  Several threads may call this: each waits for its turn.
        """
        if not 0 <= unit <= 255:
            raise UsageError(f"a unit is 0 to 255, not {unit}")
        with self._lock:
            until = self._deadline()
            if not self._connected(until):
                raise self.not_connected(f"{self}: {self._trouble}")
            try:
                return self._exchange(pdu, unit, answered, until)
            except RemoteProtocolError as exc:
                self.close()
                raise self.bad_reply(f"{self}: {exc}") from exc

    def close(self) -> None:
        """End the connection; the next transaction opens another."""
        held, self.socket = self.socket, None
        if held is not None:
            held.close()

    def abort(self) -> None:
        """From another thread: let a transaction that waits end at once, with NoAnswer."""

    def retire(self) -> None:
        """From any thread: as abort, and transactions to come fail with NotConnected; `close` may still be needed."""
        self._retired = True
        self.abort()

    def _open(self, left: float) -> None:
        """Set `self.socket`, within `left` seconds."""
        raise NotImplementedError

    def _reason(self, exc: Exception) -> str:
        """Why `_open` failed."""
        return str(exc)

    def _exchange(self, pdu: bytes, unit: int, answered: bool, until: float) -> bytes:
        raise NotImplementedError

    def _late(self, seen: str) -> NoAnswer:
        return self.no_answer(f"{self}: no answer in time{f', {seen}' if seen else ''}")


class TcpTransactions(Transactions):
    """Transactions of Modbus/TCP, told apart by number: a late reply is not taken for the one awaited."""

    #: (host, port)
    place: tuple[str, int]

    def __init__(self, *args: Any, **kwds: Any) -> None:
        super().__init__(*args, **kwds)
        self._told = TcpExchange()
        self._arrivals: Any = None
        self._limit = 0.0

    def __str__(self) -> str:
        host, port = self.place
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _connected(self, until: float) -> bool:
        if self.socket is not None and self._left():
            self.close()
        return super()._connected(until)

    def _left(self) -> bool:
        """Whether the device hung up since the last transaction: a request would be lost.  Takes late replies."""
        if self._arrivals is not None and not self._arrivals.poll(0):
            return False
        try:
            self._limit = 0.0
            self.socket.settimeout(0)
            while octets := self.socket.recv(4096):
                self._told.feed(octets)
        except BlockingIOError:
            return False
        except (OSError, AttributeError, RemoteProtocolError):
            pass
        return True

    def _open(self, left: float) -> None:
        until, trouble = clock() + left, OSError(f"{self.place[0]} has no address")
        places = socket.getaddrinfo(*self.place, type=socket.SOCK_STREAM)
        for number, (family, kind, protocol, _, place) in enumerate(places):
            sock = socket.socket(family, kind, protocol)
            try:
                # The others get their part of the time, too, where one does not answer.
                sock.settimeout(max(_LEAST_S, (until - clock()) / (len(places) - number)))
                sock.connect(place)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as exc:
                sock.close()
                trouble = exc
            else:
                self._told.opened()
                self._limit = 0.0
                if hasattr(select, "poll"):
                    self._arrivals = select.poll()
                    self._arrivals.register(sock, select.POLLIN)
                self.socket = sock
                return
        raise trouble

    def abort(self) -> None:
        held = self.socket
        if held is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

    def _exchange(self, pdu: bytes, unit: int, answered: bool, until: float) -> bytes:
        self._send(self._told.request(pdu, unit, answered), until)
        reply = None if answered else b""
        while reply is None:
            reply = self._told.feed(self._received(until))
        return reply

    def _within(self, left: float) -> None:
        """The socket waits for `left` seconds, or a little longer: to set it each time costs more than to send."""
        if not 0 <= self._limit - left < _LITTLE_S:
            self._limit = max(_LEAST_S, left)
            self.socket.settimeout(self._limit)

    def _send(self, octets: bytes, until: float) -> None:
        held = self.socket
        try:
            self._within(until - clock())
            held.sendall(octets)
        except (OSError, AttributeError) as exc:
            self.close()
            raise self.not_connected(f"{self}: the connection is lost: {exc}") from exc

    def _received(self, until: float) -> bytes:
        """Octets, whatever there is."""
        left = until - clock()
        try:
            if left <= 0:
                raise TimeoutError
            self._within(left)
            octets = cast(bytes, self.socket.recv(4096))
        except TimeoutError:
            if self._told.expired():
                self.close()
            raise self._late(self._told.seen) from None
        except (OSError, AttributeError) as exc:
            self.close()
            raise self.no_answer(f"{self}: the connection ended before an answer came: {exc}") from exc
        if not octets:
            self.close()
            raise self.no_answer(f"{self}: the device closed the connection before an answer came")
        return octets


class RtuTransactions(Transactions):
    """Transactions of Modbus/RTU over a serial port of pyserial's kind.

    A frame does not say which request it answers.  So a unit that did not answer in time is asked again only after its
    late answer has come, or would have for LATE times the time-out; its turn, and so its time, begins then.

    `decode(octets)` gives (octets done with, unit, ..., data unit) of the first right frame, as a framer does.
    """

    decode: Callable[[bytes], tuple[int, int, int, bytes]]
    #: Whether the line gives back what is sent.
    echo = False

    def __init__(self, *args: Any, baudrate: int = 19200, **kwds: Any) -> None:
        super().__init__(*args, baudrate=baudrate, **kwds)
        self._silence = max(3.5 * _BITS / baudrate, _SILENCE_S)
        self._quiet = 0.0
        #: Until when an answer of a unit may belong to a request that timed out.
        self._doubtful: dict[int, float] = {}

    def abort(self) -> None:
        held = self.socket
        if held is not None and hasattr(held, "cancel_read"):
            held.cancel_read()

    def transact(self, pdu: bytes, unit: int = 1, answered: bool = True) -> bytes:
        while True:
            self._outwait(unit)
            with self._lock:
                if unit not in self._doubtful:  # by another thread, meanwhile
                    return super().transact(pdu, unit, answered)

    def _reason(self, exc: Exception) -> str:
        return serial_trouble(exc)

    def _exchange(self, pdu: bytes, unit: int, answered: bool, until: float) -> bytes:
        frame = rtu_frame(unit, pdu)
        self._send(frame, until)
        if not answered or not unit:
            self._quiet = clock() + _TURNAROUND_S
            return b""
        echo, octets, seen = self.echo, b"", ""
        while True:
            try:
                octets += self._received(until, seen)
            except NoAnswer:
                self._doubtful[unit] = clock() + LATE * self._own
                raise
            if echo and octets.startswith(frame):
                octets, echo = octets[len(frame) :], False
            while octets:
                used, who, _, reply = self.decode(octets)
                octets = octets[used:]
                if not reply:
                    break
                problem = reply_problem(pdu, reply) if who == unit else f"unit {who} answered"
                if not problem:
                    return reply
                if who != unit:
                    self._doubtful.pop(who, None)
                seen = f"but {problem}"  # perhaps the late answer to another request: ours may follow

    def _outwait(self, unit: int) -> None:
        """Wait for the late answer of a unit, or until none can come any more; others have the line in between."""
        octets = b""
        while clock() < self._doubtful.get(unit, 0.0):
            with self._lock:
                if self.socket is None:
                    break
                with contextlib.suppress(NoAnswer):
                    octets += self._received(clock() + _SLICE_S, "")
                while octets:
                    used, who, _, reply = self.decode(octets)
                    octets = octets[used:]
                    if not reply:
                        break
                    self._doubtful.pop(who, None)
            time.sleep(_LEFT_S)
        self._doubtful.pop(unit, None)

    def _send(self, frame: bytes, until: float) -> None:
        pause = self._quiet - clock()
        if pause > 0:
            time.sleep(pause)
        try:
            while self.socket.in_waiting:  # late, or noise: no answer to what was not asked yet
                if clock() >= until:
                    raise TimeoutError("the line does not fall silent")
                self.socket.read(self.socket.in_waiting)
            self.socket.write(frame)
        except Exception as exc:  # as in _connected
            self.close()
            raise self.not_connected(f"{self}: cannot be written to: {exc}") from exc

    def _received(self, until: float, seen: str) -> bytes:
        left = until - clock()
        try:
            octets = read_port(self.socket, left) if left > 0 else b""
        except Exception as exc:  # as in _connected
            self.close()
            raise self.no_answer(f"{self}: cannot be read any more: {exc}") from exc
        self._quiet = clock() + self._silence
        if not octets:
            raise self._late(seen)
        return octets


def read_port(port: Any, timeout: float) -> bytes:
    """What a serial port has: waits up to `timeout` seconds for a first octet, and not for any after it.

    `Serial.read(size)` waits for `size` octets, which a sender of frames never promised.
    """
    port.timeout = max(0.0, timeout)
    first = cast(bytes, port.read(1))
    waiting = port.in_waiting if first else 0
    return first + cast(bytes, port.read(waiting)) if waiting else first
