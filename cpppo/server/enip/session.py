"""One client's session: octets in, octets out.

Owns: framing, the encapsulation commands, and what each answers.  Rule: sans-I/O: it never waits and knows no
clock, thread or socket; what it needs of the outside is handed in.  A CIP problem is answered as CIP, never by an
encapsulation error or silence, and never ends the session.  Must not know what any service does.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator
from typing import Any

from cpppo.errors import RemoteProtocolError
from cpppo.grammar import UNPRODUCIBLE, Disagreement, Malformed, copier, framer, values
from cpppo.server.enip.device.connections import Origin
from cpppo.server.enip.device.object import READ_OCTETS, Context
from cpppo.server.enip.device.router import Device
from cpppo.server.enip.device.tags import REPLY_OCTETS
from cpppo.server.enip.listing import LISTS
from cpppo.server.enip.wire import header, items, status
from cpppo.server.enip.wire.header import (
    HEADER_OCTETS,
    MAXIMUM_LENGTH,
    SEND_RR_DATA,
    SEND_UNIT_DATA,
    VERSION,
    ConnectedFrame,
    Header,
    ReplyFrame,
    RequestFrame,
    UnconnectedReply,
)
from cpppo.server.enip.wire.services import REPLY, SERVICES, Reply, Request, repeats

__all__ = ["EXPLANATIONS", "REMEMBERED", "REMEMBERED_OCTETS", "Session"]

log = logging.getLogger("enip.srv")

#: Octets of a SendUnitData frame around its CIP reply: header, packet, address item, data item and sequence count.
_AROUND = HEADER_OCTETS + 8 + 8 + 4 + 2

#: Malformed requests that are explained in the log, a session; finding out why costs far more than answering.
EXPLANATIONS = 10

#: Requests of SendRRData remembered at most, and octets of a frame with one: clients ask for the same again and again.
REMEMBERED, REMEMBERED_OCTETS = 4096, 160

#: By octets: interface handle, request, and what copies it, as whoever answers may change it; None of a request that
#: came but once.
_Memo = dict[bytes, tuple[int, Any, Callable[[Any], Any]] | None]

#: By the octets after the header; and, of a connection, by those but the connection's id and the sequence count.
_remembered: _Memo = {}
_connected: _Memo = {}

#: Where a frame of a connection has these two, and what it has around the id.
_ID_AT, _SEQUENCE_AT = HEADER_OCTETS + 12, HEADER_OCTETS + 20
_NUMBERED = struct.Struct("<I4xH").unpack_from
_BEFORE_ID = struct.pack("<HHH", 2, items.ADDRESS_CONNECTED, 4)
_AFTER_ID = struct.pack("<H", items.DATA_CONNECTED)


class Session:
    """A session with one client.

    ``device`` answers CIP requests; ``handle`` is what RegisterSession will give; ``address`` is the (IPv4 address as
    an int, port) that List Identity shows; ``peer`` names the client in the log; ``admit()`` takes the place of a
    session if there is one, ``leave()`` gives it back; ``most``: octets that a frame may have after its header.
    ``closed`` becomes True when the connection is to be closed, once what ``receive`` returned is sent.
    """

    def __init__(
        self,
        device: Device,
        handle: int,
        address: tuple[int, int],
        peer: str = "?",
        admit: Callable[[], bool] = lambda: True,
        leave: Callable[[], object] = lambda: None,
        most: int = MAXIMUM_LENGTH,
    ) -> None:
        self.device = device
        self.handle = handle
        self.address = address
        self.peer = peer
        self.admit, self.leave = admit, leave
        self.registered = False
        self.closed = False
        self.requests = 0
        self.received = 0
        self._explained = 0
        self._unknown: tuple[int, ...] = ()
        #: What the device knows this session by, with its open connections.
        self.origin = Origin()
        self._buffer = b""
        self._most = HEADER_OCTETS + min(most, MAXIMUM_LENGTH)
        self._short = min(REMEMBERED_OCTETS, self._most)
        self._size = framer(RequestFrame)
        self._head = values(Header)
        self._parse = RequestFrame.parser()
        self._produce = ReplyFrame.producer()
        self._produce_unconnected = UnconnectedReply.producer()
        self._produce_connected = ConnectedFrame.producer()

    @property
    def processed(self) -> int:
        """Octets of the requests that were answered; the others received wait for the rest of theirs."""
        return self.received - len(self._buffer)

    def receive(self, data: bytes) -> bytes:
        """The octets that answer what is whole of ``data`` and what came before it; the rest is kept."""
        total = len(data)
        if total <= self._short and not self._buffer and not self.closed:
            reply = self._again(data)
            if reply is not None:
                self.received += total
                return reply
        if HEADER_OCTETS <= total <= self._most and not self._buffer and not self.closed:
            if self._size(data, 0) == total:  # the usual case: one frame, whole
                self.received += total
                return self._frame(data)
        return b"".join(self.answers(data))

    def _again(self, octets: bytes) -> bytes | None:
        """What answers octets that are a frame with a remembered request; None: they are to be taken apart."""
        if len(octets) < HEADER_OCTETS:
            return None
        command, length, session, _, context, options = self._head(octets, 0, HEADER_OCTETS)
        if command == SEND_RR_DATA:
            known = _remembered.get(octets[HEADER_OCTETS:])
        elif command == SEND_UNIT_DATA:
            known = _connected.get(_unnumbered(octets))
        else:
            return None
        usual = length == len(octets) - HEADER_OCTETS and not options
        if known is None or not usual or session != self.handle or not self.registered:
            return None
        self.requests += 1
        interface, request, copy = known
        if command == SEND_RR_DATA:
            return self._unconnected(context, interface, copy(request), octets)
        to_id, sequence = _NUMBERED(octets, _ID_AT)
        return self._over(context, interface, to_id, sequence, copy(request), octets)

    def answers(self, data: bytes) -> Iterator[bytes]:
        """As `receive`, reply by reply; a request is carried out when its reply is asked for.  To be used up."""
        self.received += len(data)
        data = self._buffer + data
        total, at = len(data), 0
        while not self.closed and total - at >= HEADER_OCTETS:
            size = self._size(data, at)
            if size > self._most:
                self.end()
                yield self._refused(self._headless(data, at), status.ENIP_INVALID_LENGTH)
                break
            if at + size > total:
                break
            octets = data[at : at + size]
            at += size
            reply = self._again(octets) if size <= self._short else None
            yield self._frame(octets) if reply is None else reply
        self._buffer = data[at:]

    def _headless(self, data: bytes, at: int) -> Any:
        """The frame that a header would head if it announced no payload."""
        octets = data[at : at + 2] + b"\0\0" + data[at + 4 : at + HEADER_OCTETS]
        return self._parse(octets, 0, HEADER_OCTETS)

    def _frame(self, octets: bytes) -> bytes:
        frame = self._parse(octets, 0, len(octets))
        self.requests += 1
        if frame.options:
            self._note("options 0x%08x of command 0x%04x are not zero: discarded", frame.options, frame.command)
            return b""
        command = _COMMANDS.get(frame.command)
        if command is None:
            return self._refused(frame, status.ENIP_UNSUPPORTED_COMMAND)
        return command(self, frame, octets)

    def _refused(self, frame: Any, code: int, session: int | None = None) -> bytes:
        """A header that says why, and nothing else."""
        handle = frame.session if session is None else session
        self._note("command 0x%04x refused: %s", frame.command, status.describe_encapsulation(code))
        octets: bytes = self._produce(ReplyFrame(frame.command, handle, code, frame.context, 0, b""))
        return octets

    def _reply(self, frame: Any, payload: Any) -> bytes:
        octets: bytes = self._produce(ReplyFrame(frame.command, frame.session, 0, frame.context, 0, payload))
        return octets

    def end(self) -> None:
        """It is over, for whatever reason; its place and its connections are free."""
        self.closed = True
        self.device.manager.connections.drop(self.origin)
        if self.registered:
            self.registered = False
            self.leave()

    def look(self, now: float) -> None:
        """Close connections on which nothing came for too long; the session stays.

        :param now: seconds of a clock that only goes forward; to be called now and then.
        """
        for one in self.device.manager.connections.expire(self.origin, now):
            log.info("%s: connection 0x%08x closed: no frame for %g s", self.peer, one.to_id, one.idle_s())

    # -- commands

    def _register(self, frame: Any, octets: bytes) -> bytes:
        asked = frame.CIP
        if asked.__class__ is Malformed:
            return self._refused(frame, status.ENIP_INVALID_LENGTH)
        if self.registered:
            return self._refused(frame, status.ENIP_UNSUPPORTED_COMMAND)
        granted = asked.version == VERSION and not asked.options
        payload = header.Register(VERSION, 0)
        if not granted:
            self._note("session of version %d, options %d refused", asked.version, asked.options)
            code = status.ENIP_UNSUPPORTED_VERSION
            refused: bytes = self._produce(ReplyFrame(frame.command, 0, code, frame.context, 0, payload))
            return refused
        if not self.admit():
            self.closed = True
            return self._refused(frame, status.ENIP_NO_RESOURCES, session=0)
        self.registered = True
        reply: bytes = self._produce(ReplyFrame(frame.command, self.handle, 0, frame.context, 0, payload))
        return reply

    def _unregister(self, frame: Any, octets: bytes) -> bytes:
        self.end()
        return b""

    def _nop(self, frame: Any, octets: bytes) -> bytes:
        return b""

    def _list(self, frame: Any, octets: bytes) -> bytes:
        return self._reply(frame, LISTS[frame.command](self.device, lambda: self.address))

    def _send_rr_data(self, frame: Any, octets: bytes) -> bytes:
        if frame.session != self.handle or not self.registered:
            return self._refused(frame, status.ENIP_INVALID_SESSION)
        found = self._items(frame, items.NULL, items.DATA_UNCONNECTED)
        request = None if found is None else found[1].data
        if request is None or (request.__class__ is Malformed and request.start == request.end):
            return self._incorrect(frame, octets)
        if len(octets) <= self._short and repeats(request):
            _remember(_remembered, octets[HEADER_OCTETS:], frame.CIP.interface, request)
        return self._unconnected(frame.context, frame.CIP.interface, request, octets)

    def _unconnected(self, context: bytes, interface: int, request: Any, octets: bytes) -> bytes:
        """The device's reply to a request, in a frame of this session."""
        reply = self.answered(request, Context(octets, REPLY_OCTETS, SERVICES, READ_OCTETS, self.origin))
        answer = UnconnectedReply(self.handle, context, interface, reply)
        produced: bytes
        try:
            produced = self._produce_unconnected(answer)
        except UNPRODUCIBLE as exc:
            answer.reply = self._unsendable(reply, exc)
            produced = self._produce_unconnected(answer)
        return produced

    def answered(self, request: Any, context: Context) -> Any:
        """The device's reply to a request; to be overridden by what looks on."""
        if request.__class__ is Malformed:
            self._explain(Request, context.octets[request.start : request.end])
        return self.device.request(request, context)

    def _unsendable(self, reply: Any, exc: Exception) -> Reply:
        """What stands for a reply that cannot be produced: a customised Object gave what none can hold."""
        log.warning("%s: the reply to service 0x%02x cannot be sent: %s", self.peer, reply.service & ~REPLY, exc)
        return Reply(reply.service, status.RESOURCE_UNAVAILABLE, (), b"")

    def _send_unit_data(self, frame: Any, octets: bytes) -> bytes:
        if frame.session != self.handle or not self.registered:
            return self._refused(frame, status.ENIP_INVALID_SESSION)
        found = self._items(frame, items.ADDRESS_CONNECTED, items.DATA_CONNECTED)
        if found is None:
            return self._incorrect(frame, octets)
        to_id, data = found[0].data, found[1].data
        request = data.request
        if request.__class__ is Malformed and request.start == request.end:
            if to_id in self.origin.connections:
                return self._incorrect(frame, octets)
        elif len(octets) <= self._short and repeats(request) and _numbered(octets):
            _remember(_connected, _unnumbered(octets), frame.CIP.interface, request)
        return self._over(frame.context, frame.CIP.interface, to_id, data.sequence, request, octets)

    def _over(self, context: bytes, interface: int, to_id: int, sequence: int, request: Any, octets: bytes) -> bytes:
        """The device's reply to a request on a connection, in a frame of this session; none if it is not open."""
        connection = self.origin.connections.get(to_id)
        if connection is None:
            if to_id not in self._unknown:
                self._unknown = (to_id,)
                self._note("data for connection 0x%08x, which is not open: discarded", to_id)
            return b""
        room = connection.room
        connection.frames += 1
        produced: bytes
        if sequence == connection.sequence:  # sent again: answered again, not done again
            answer = connection.reply
            answer.context = context
            produced = self._produce_connected(answer)
            return produced
        reply = self.answered(request, Context(octets, room, SERVICES, room, self.origin))
        answer = ConnectedFrame(self.handle, context, interface, connection.from_id, sequence, reply)
        try:
            produced = self._produce_connected(answer)
        except UNPRODUCIBLE as exc:
            answer.reply = self._unsendable(reply, exc)
            produced = self._produce_connected(answer)
        if len(produced) > _AROUND + room:
            answer.reply = Reply(reply.service, status.REPLY_TOO_LARGE, (), b"")
            produced = self._produce_connected(answer)
        connection.sequence, connection.reply = sequence, answer
        return produced

    @staticmethod
    def _items(frame: Any, address_type: int, data_type: int) -> tuple[Any, Any] | None:
        """The address and the data item of a frame, if there are such; further ones are not looked at."""
        payload = frame.CIP
        if payload.__class__ is Malformed or len(payload.item) < 2:
            return None
        address, data = payload.item[0], payload.item[1]
        return (address, data) if address.type_id == address_type and data.type_id == data_type else None

    def _incorrect(self, frame: Any, octets: bytes) -> bytes:
        if frame.CIP.__class__ is Malformed:
            self._explain(items.RequestItems, octets[frame.CIP.start : frame.CIP.end])
        return self._refused(frame, status.ENIP_INCORRECT_DATA)

    # -- the log

    def _note(self, text: str, *args: Any) -> None:
        """A line in the log on something the peer did, as long as it has not done so too often."""
        self._explained += 1
        if self._explained <= EXPLANATIONS:
            log.info("%s: " + text, self.peer, *args)

    def _explain(self, message: Any, octets: bytes) -> None:
        """Why octets do not follow the grammar, by the other engine; never more than a few times a session."""
        self._explained += 1
        if self._explained > EXPLANATIONS:
            return
        try:
            message.parse(octets)
        except RemoteProtocolError as exc:
            log.info("%s: malformed %s: %s", self.peer, message.__name__, exc)
        except Disagreement as exc:
            log.error("%s: %s", self.peer, exc)


def _unnumbered(octets: bytes) -> bytes:
    """A frame of a connection without what differs between the same requests: header, id and sequence count."""
    return octets[HEADER_OCTETS:_ID_AT] + octets[_ID_AT + 4 : _SEQUENCE_AT] + octets[_SEQUENCE_AT + 2 :]


def _numbered(octets: bytes) -> bool:
    """Whether a frame has the id and the sequence count where nearly all have them."""
    return octets[_ID_AT - 6 : _ID_AT] == _BEFORE_ID and octets[_ID_AT + 4 : _ID_AT + 6] == _AFTER_ID


def _remember(memo: _Memo, octets: bytes, interface: int, request: Any) -> None:
    """Note octets that come for the first time; the second time, keep the request: many come but once."""
    if octets in memo:
        copy = copier(request)
        memo[octets] = interface, copy(request), copy
        return
    if len(memo) >= REMEMBERED:  # a hostile peer fills it: start afresh, never grow
        memo.clear()
    memo[octets] = None


_COMMANDS: dict[int, Callable[[Session, Any, bytes], bytes]] = {
    header.SEND_RR_DATA: Session._send_rr_data,
    header.SEND_UNIT_DATA: Session._send_unit_data,
    header.REGISTER_SESSION: Session._register,
    header.UNREGISTER_SESSION: Session._unregister,
    **dict.fromkeys(LISTS, Session._list),
    header.NOP: Session._nop,
}
