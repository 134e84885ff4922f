"""The client's side of a conversation: requests to frames, octets of replies to results.

Owns: registering, opening a connection, contexts and sequence counts, and which reply answers which request.
Rule: sans-I/O; never waits, and knows no clock, socket, thread or chance.  A reply is matched by its context alone, or
by the connection's id and the sequence count.  Must not know how octets travel, nor what results are used for.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cpppo.errors import LocalProtocolError, RemoteProtocolError
from cpppo.grammar import Malformed
from cpppo.server.enip.client.connected import Connection, closing, openings
from cpppo.server.enip.client.envelopes import CONTEXT_OCTETS, Connected, Envelope, Unconnected
from cpppo.server.enip.client.learned import Learned
from cpppo.server.enip.client.memo import as_path
from cpppo.server.enip.client.operations import Operation, parsed
from cpppo.server.enip.client.pending import (
    PAYLOADS,
    SEQUENCE_AT,
    SEQUENCED,
    Pending,
    Result,
    Shot,
    label_of,
    match_of,
    results_of,
    wrong,
)
from cpppo.server.enip.client.shapes import shape_of
from cpppo.server.enip.wire.header import (
    HEADER_OCTETS,
    MAXIMUM_LENGTH,
    NOP,
    REGISTER_SESSION,
    SEND_RR_DATA,
    SEND_UNIT_DATA,
    UNREGISTER_SESSION,
    Register,
    ReplyFrame,
    RequestFrame,
)
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services.unconnected import CONNECTION_MANAGER

__all__ = ["CONTEXT_OCTETS", "MAXIMUM_ABANDONED", "ROOM", "Exchange", "Pending", "Result", "Route", "Shot"]

log = logging.getLogger("enip.cli")

#: Requests given up that may stay unanswered before the peer counts as deaf.
MAXIMUM_ABANDONED = 1000
#: Octets of a tag's data that an unconnected request or reply carries.
ROOM = 500
#: Requests in flight at once, and octets of a Multiple Service Packet with its frame, that are unconnected.
_DEPTH, _PACKET = 20, 500
#: Octets of a connected reply that are no data of a tag, at most: sequence count, reply, type with handle; and of a
#: request to write, those that another service or element for it may have more.
_NO_DATA, _SPARE = 2 + 4 + 4, 4 + 6

#: How often a reply is parsed before it is known by its octets.
_SEEN = 2
#: A context made here: the number of the request as its caller counts, and as we do.
_MADE = struct.Struct("<II").pack
#: Where the context of a frame stands, and the T->O id and the sequence count of one over a connection.
_CONTEXT = slice(*Unconnected.reply_hole)
_FROM_ID, _COUNTED = slice(36, 40), slice(*Connected.reply_hole)

_VERSION = 1
_LONGEST = HEADER_OCTETS + MAXIMUM_LENGTH
#: Octets of a sequence count.
_SEQUENCE_OCTETS = 2

#: A path to send to or along: terms, text or a Path; None is the usual one.
Route = Path | str | Iterable[Mapping[str, Any]] | None


class Exchange:
    """One conversation.  ``session``: its handle, 0 until registered; ``failure``: why it is over, or None;
    ``connection``: the one that requests go over, None if they are unconnected.

    ``learned``: what it found out about the peer.  What one peer of its kind is sure to take: ``room``: octets of a
    tag's data in a reply; ``packet``: octets of a frame with a Multiple Service Packet; ``depth``: requests in flight.

    :param route_path: where requests go by default, [{"port": 1, "link": 0}] if None; empty: no Unconnected Send.
    :param send_path: the object that takes Unconnected Send, [{"class": 6}, {"instance": 1}] if None.
    """

    def __init__(self, route_path: Route = None, send_path: Route = None) -> None:
        self.session = 0
        self.failure: RemoteProtocolError | None = None
        self.learned = Learned()
        self.room, self.packet, self.depth = ROOM, _PACKET, _DEPTH
        self.connection: Connection | None = None
        self._route = _path(route_path, [{"port": 1, "link": 0}])
        self._target = _path(send_path, [{"class": CONNECTION_MANAGER}, {"instance": 1}])
        self._envelopes: dict[tuple[Path, Path], Unconnected] = {}
        self._usual = self._envelope(None, None)
        self._connected: Connected | None = None
        self._pending: dict[bytes, Pending] = {}
        self._abandoned: set[bytes] = set()
        self._serial = self._sequence = 0
        self._rest = bytearray()
        self._needed = HEADER_OCTETS

    # -- what to send

    def begin(self, chance: bytes = b"") -> Iterator[tuple[Pending, bytes]]:
        """What begins a conversation, request by request; each is to be sent, and its reply waited for.

        StatusError, when the next is asked for, if the peer refuses a connection.

        :param chance: octets drawn at random, for a connection (``connected.CHANCE_OCTETS``); none: there is none.
        """
        yield self.register()
        if chance:
            for opening in openings(self._route, self._target, chance):
                pending, octets = self.issue([opening], route_path=())
                yield pending, octets
                assert pending.results is not None
                made = opening.taken(pending.results[0].rpy)
                if made is not None:
                    self._open(made)
                    break

    def _open(self, made: Connection) -> None:
        """Let requests go over a connection."""
        self.connection, self._connected = made, Connected(made.to_id, made.size)
        self.room, self.packet = made.size - _NO_DATA, self._connected.largest
        # Peers keep one reply to repeat, and the clients that controllers are known to serve wait for each before the
        # next request: more in flight is for callers who know their controller.
        self.depth = 1

    def finish(self) -> Iterator[tuple[Pending | None, bytes]]:
        """What ends a conversation over a connection, to be sent; those with a reply (pending) to be waited for."""
        if self.connection is not None and self.failure is None:
            yield self.issue([closing(self.connection, self._target)], route_path=())
            yield None, self._session_frame(UNREGISTER_SESSION, bytes(CONTEXT_OCTETS), b"")

    def register(self, context: bytes = b"") -> tuple[Pending, bytes]:
        """(pending, octets to send) of the request that begins a session."""
        self.check()
        pending = self._expect(REGISTER_SESSION, (), 0, context, False)
        return pending, self._session_frame(REGISTER_SESSION, pending.context, Register(_VERSION, 0))

    def _session_frame(self, command: int, context: bytes, payload: Any) -> bytes:
        frame = RequestFrame(command=command, session=self.session, status=0, context=context, options=0, CIP=payload)
        return frame.produce()

    def issue(
        self,
        operations: Sequence[Operation],
        index: int = 0,
        context: bytes = b"",
        route_path: Route = None,
        send_path: Route = None,
        unconnected: bool = False,
    ) -> tuple[Pending, bytes]:
        """(pending, octets to send) of a request: of one operation, or of several in a Multiple Service Packet.

        It goes over the connection, if there is one, unless it has a context or a route of its own.

        :param index: the number that the results carry; part of the context.
        :param context: up to 8 octets of the caller's own, instead of the context made here.
        :param unconnected: never over a connection.
        """
        if self.failure is not None:
            self.check()
        if not self.session:
            raise LocalProtocolError("there is no session yet; register first", "session")
        if not operations:
            raise LocalProtocolError("a request needs one operation at least", "operations")
        envelope: Envelope = self._usual
        if route_path is not None or send_path is not None:
            envelope = self._envelope(route_path, send_path)
        elif self._connected is not None and not context and not unconnected:
            envelope = self._connected
        kept: Any = operations if operations.__class__ is Shot else operations[0] if len(operations) == 1 else None
        if kept is None:
            head, tail = envelope.around(operations, self.session)
        else:
            head, tail = envelope.parts(kept, operations, self.session)
        if envelope is self._connected:
            pending = self._expect_next(operations, index)
            matched = pending.context[SEQUENCE_AT:]
        else:
            pending = self._expect(SEND_RR_DATA, operations, index, context, envelope.wrapped)
            matched = pending.context
        pending.kept = kept
        return pending, head + matched + tail

    def check(self) -> None:
        """LocalProtocolError if this conversation is over."""
        if self.failure is not None:
            raise LocalProtocolError(f"this connection is over, open a new one: {self.failure}")

    def around(self) -> tuple[int, int]:
        """Octets of a frame around the members of a Multiple Service Packet: of its request, and of its reply."""
        envelope = self._connected or self._usual
        return envelope.around_packet(), envelope.around_answers()

    @property
    def largest(self) -> int:
        """Octets that a frame can have."""
        return (self._connected or self._usual).largest

    def room_to_write(self, operation: Operation) -> int:
        """Octets of data that one request can carry of an operation that writes a tag."""
        if self.connection is None:
            return self.room
        around = operation.octets() - len(operation.request.data.data) + _SPARE
        return max(1, self.connection.size - _SEQUENCE_OCTETS - around)

    def _envelope(self, route_path: Route, send_path: Route) -> Unconnected:
        route = self._route if route_path is None else _path(route_path, ())
        target = self._target if send_path is None else _path(send_path, ())
        found = self._envelopes.get((route, target))
        if found is None:
            found = self._envelopes[route, target] = Unconnected(route, target)
        return found

    def _expect(
        self, command: int, operations: Sequence[Operation], index: int, context: bytes, wrapped: bool
    ) -> Pending:
        """A new pending request, under a context that no other one has, nor one given up."""
        if context:
            context = context.ljust(CONTEXT_OCTETS, b"\0")
            if len(context) != CONTEXT_OCTETS:
                raise LocalProtocolError(f"{context!r} has more than {CONTEXT_OCTETS} octets", "sender_context")
            if context in self._pending or context in self._abandoned:
                raise LocalProtocolError(f"{context!r} is of a request still unanswered; use another", "sender_context")
        while not context or context in self._pending or context in self._abandoned:
            self._serial = self._serial + 1 & 0xFFFFFFFF
            context = _MADE(index & 0xFFFFFFFF, self._serial)
        pending = self._pending[context] = Pending(command, context, operations, index, wrapped)
        return pending

    def _expect_next(self, operations: Sequence[Operation], index: int) -> Pending:
        """A new pending request, under the next sequence count of the connection that no other one has."""
        assert self.connection is not None
        context = b""
        while not context or context in self._pending or context in self._abandoned:
            self._sequence = self._sequence + 1 & 0xFFFF
            context = SEQUENCED.pack(self.connection.from_id, self._sequence)
        pending = self._pending[context] = Pending(SEND_UNIT_DATA, context, operations, index, False)
        return pending

    def abandon(self, pending: Pending) -> None:
        """Give up a request: a reply that comes late is dropped, whatever was asked since."""
        if self._pending.pop(pending.context, None) is not None:
            self._abandoned.add(pending.context)
            if len(self._abandoned) > MAXIMUM_ABANDONED and self.failure is None:
                self.fail(RemoteProtocolError(f"it left {MAXIMUM_ABANDONED} requests unanswered"))

    # -- what was received

    def feed(self, octets: bytes) -> None:
        """Take octets in any portions; completes the pending requests whose replies are whole.

        RemoteProtocolError, once, if they do not follow the protocol: then this conversation is over.
        """
        if self.failure is not None:
            self.check()
        rest = self._rest
        if rest:
            rest += octets
            if len(rest) < self._needed:
                return
            octets = bytes(rest)
            rest.clear()
        at, size, needed = 0, len(octets), HEADER_OCTETS
        try:
            while size - at >= HEADER_OCTETS:
                needed = HEADER_OCTETS + (octets[at + 2] | octets[at + 3] << 8)
                if needed > size - at or needed > _LONGEST:
                    _check_header(octets[at : at + HEADER_OCTETS])
                    break
                self._frame(octets[at : at + needed])
                at += needed
                needed = HEADER_OCTETS
        except RemoteProtocolError as exc:
            self.fail(exc)
            raise
        if at < size:
            rest += octets[at:]
            self._needed = needed

    def end(self, reason: str = "the peer closed the connection") -> RemoteProtocolError:
        """No more octets will come: the error that says so, and what was left unanswered."""
        waiting = [str(one) for one in self._pending.values()]
        if self._rest:
            reason += f" in the middle of a frame, {len(self._rest)} octets into it"
        if waiting:
            reason += f" before answering {waiting[0]}{f' and {len(waiting) - 1} more' if len(waiting) > 1 else ''}"
        return self.fail(RemoteProtocolError(reason))

    def fail(self, failure: RemoteProtocolError) -> RemoteProtocolError:
        """The conversation is over, for a reason that is found in the replies; gives it back."""
        self.failure = failure
        self._pending.clear()
        self._rest.clear()
        return failure

    def _frame(self, octets: bytes) -> None:
        """A whole frame."""
        by_connection = self.connection is not None and octets[0] == SEND_UNIT_DATA
        pending = self._pending.get(octets[_FROM_ID] + octets[_COUNTED] if by_connection else octets[_CONTEXT])
        # Operations are shared with other conversations, which may take the shape away at any time.
        shape = None if pending is None or pending.kept is None else pending.kept.shape
        if shape is not None and pending is not None:
            results = shape.results(octets, pending)
            if results is not None:
                self._pending.pop(pending.context, None)  # gone already if the conversation was ended meanwhile
                pending.results = results
                return
        self._parse(octets)

    def _parse(self, octets: bytes) -> None:
        """A whole frame of which nothing is known."""
        frame: Any = parsed(ReplyFrame, octets)
        context = frame.context
        if frame.command != SEND_RR_DATA:
            if frame.command == NOP:  # it answers nothing, whatever its context
                return
            if frame.command == SEND_UNIT_DATA and self.connection is not None:
                context = match_of(frame, octets)
        pending = self._pending.get(context)
        if pending is None:
            _check_header(octets)
            late = context in self._abandoned
            self._abandoned.discard(context)
            log.log(
                logging.INFO if late else logging.WARNING,
                "dropped a reply %s (%s)",
                "that came too late" if late else "that answers no request",
                label_of(context),
            )
            return
        if frame.command != pending.command:
            raise RemoteProtocolError(f"a reply to command 0x{frame.command:04x} answers {pending}", "command", 0)
        if frame.status or frame.CIP.__class__ is Malformed:
            raise wrong(frame, octets, pending)
        pending.results = self._registered(frame) if not pending.operations else results_of(pending, frame.CIP.item)
        self._pending.pop(context, None)  # gone already if the conversation was ended meanwhile
        if pending.kept is not None and len(frame.CIP.item) == 2:
            self._remember(pending, octets)

    def _remember(self, pending: Pending, octets: bytes) -> None:
        """Keep how a reply looks, once it was seen twice: what is asked only once is not worth it."""
        kept = pending.kept
        kept.seen += 1
        if kept.seen == _SEEN:
            envelope = self._connected if pending.command == SEND_UNIT_DATA else self._usual
            assert envelope is not None
            own = kept is pending.operations
            kept.shape = shape_of(pending, octets, envelope.reply_hole, envelope.reply_at, own)
        elif kept.shape is not None:  # it is of another conversation, or the tag has changed
            kept.seen, kept.shape = 0, None

    def _registered(self, frame: Any) -> list[Result]:
        if frame.CIP.version != _VERSION:
            raise RemoteProtocolError(f"the peer speaks version {frame.CIP.version}, not {_VERSION}", "CIP.version")
        if not frame.session:
            raise RemoteProtocolError("the peer gave no session handle", "session")
        self.session = frame.session
        return []


def _check_header(octets: bytes) -> None:
    """Refuse at once the beginning of a frame for whose end it makes no sense to wait."""
    command, length = struct.unpack_from("<HH", octets)
    if command not in (NOP, *PAYLOADS):
        raise RemoteProtocolError(
            f"a frame of command 0x{command:04x}, which answers nothing; {octets!r}", "command", 0
        )
    if length > MAXIMUM_LENGTH:
        raise RemoteProtocolError(f"a frame of {length} octets, more than {MAXIMUM_LENGTH}", "length", 2)


def _path(given: Route, usual: Iterable[Mapping[str, Any]]) -> Path:
    terms = usual if given is None else given
    if isinstance(terms, (Path, str)):
        return as_path(terms)[0]
    terms = list(terms)
    return as_path(terms)[0] if terms else Path.of([])
