"""One request and its reply among what a Modbus/TCP connection brings: whoever moves the octets.

Owns: transaction numbers, which message is the reply, when a silent connection is given up.  Rule: octets in, a reply
or an error out; a request is followed by another only when it was answered or given up.  Must not know: sockets, time,
threads.
"""

from __future__ import annotations

from cpppo.errors import RemoteProtocolError
from cpppo.remote.framing import TcpFrames, tcp_frame
from cpppo.remote.pdu import reply_problem

__all__ = ["FLOOD", "SILENT", "TcpExchange"]

#: Transactions without an answer after which a connection is taken for dead.
SILENT = 3
#: Octets that answer nothing after which a connection is given up: those of 250 of the largest late replies.
FLOOD = 0x10000


class TcpExchange:
    """The requests of one device, told apart by number: a late reply is not taken for the one awaited.

    `opened` begins a connection, `request` a transaction; then `feed` is given what is received, until it gives the
    reply, or `expired` says that time is over.  `seen` tells what came instead of the reply, "" for nothing.
    """

    def __init__(self) -> None:
        self._number = 0
        self.opened()

    def opened(self) -> None:
        """A connection begins: nothing of an earlier one counts."""
        self._frames = TcpFrames()
        self._asked: tuple[bytes, int] | None = None
        self._silent = self._useless = 0
        self.seen = ""

    def request(self, pdu: bytes, unit: int, answered: bool = True) -> bytes:
        """The octets to send; `answered`: whether a reply is awaited."""
        self._number = self._number % 0xFFFF + 1
        self._asked = (pdu, unit) if answered else None
        self._useless = 0
        self.seen = ""
        return tcp_frame(self._number, unit, pdu)

    def feed(self, octets: bytes) -> bytes | None:
        """The data unit of the reply, once it is whole.

        RemoteProtocolError: it does not answer the request, or nothing that came does: the connection is of no use.
        """
        self._useless += len(octets)
        for framed in self._frames.feed(octets):
            if self._asked is None:
                continue  # nobody waits: a late reply
            if framed.transaction != self._number:
                self.seen = f"but one to transaction {framed.transaction} of {self._number}"
                continue
            (pdu, unit), self._asked = self._asked, None
            self._silent = self._useless = 0
            problem = reply_problem(pdu, framed.pdu)
            if framed.unit != unit:
                problem = f"unit {framed.unit} answered, where {unit} was asked"
            if problem:
                raise RemoteProtocolError(problem)
            return framed.pdu
        if self._useless > FLOOD:
            raise RemoteProtocolError(f"more than {FLOOD} octets that answer nothing")
        return None

    def expired(self) -> bool:
        """No reply came in time; whether the connection is to be closed: it is in mid-reply, or was silent for long."""
        self._asked = None
        self._silent += 1
        if self._frames.partial:
            self.seen = self.seen or "but a part of one"
        return self._frames.partial or self._silent >= SILENT
