"""The client's side of a conversation: requests to frames, octets of replies to results.

Owns: registering, the frames around requests, contexts, and which reply answers which request.
Rule: sans-I/O; never waits, and knows no clock, socket or thread.  A reply is matched by its context alone, and
decoded with the request that caused it.  Must not know how octets travel, nor what results are used for.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cpppo.errors import LocalProtocolError, RemoteProtocolError
from cpppo.grammar import Malformed, Message
from cpppo.server.enip.client.learned import Learned
from cpppo.server.enip.client.operations import Operation, Status, as_path, parsed, refusal
from cpppo.server.enip.wire.header import (
    HEADER_OCTETS,
    MAXIMUM_LENGTH,
    NOP,
    REGISTER_SESSION,
    SEND_RR_DATA,
    Register,
    ReplyFrame,
    RequestFrame,
)
from cpppo.server.enip.wire.items import DATA_UNCONNECTED, NULL, ReplyItems, RequestItem, RequestItems
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services import REPLY, Reply, Request
from cpppo.server.enip.wire.services.attributes import GET_ATTRIBUTES_ALL
from cpppo.server.enip.wire.services.multiple import MULTIPLE, MemberRequest, Multiple, MultipleReply
from cpppo.server.enip.wire.services.tag import Void
from cpppo.server.enip.wire.services.unconnected import CONNECTION_MANAGER, UNCONNECTED_SEND, UnconnectedSend
from cpppo.server.enip.wire.status import describe_encapsulation

__all__ = ["CONTEXT_OCTETS", "MAXIMUM_ABANDONED", "ROOM", "Exchange", "Pending", "Result", "Route"]

log = logging.getLogger("enip.cli")

#: Octets of a context, and where it stands in a frame.
CONTEXT_OCTETS, _CONTEXT_AT = 8, 12
#: Requests given up that may stay unanswered before the peer counts as deaf.
MAXIMUM_ABANDONED = 1000
#: Octets of a tag's data that an unconnected request or reply carries.
ROOM = 500

_VERSION = 1
_LONGEST = HEADER_OCTETS + MAXIMUM_LENGTH
_PRIORITY, _TICKS = 5, 157
_ROUTER = Path.of([{"class": 2}, {"instance": 1}])
_PAYLOADS: Mapping[int, type[Message]] = {REGISTER_SESSION: Register, SEND_RR_DATA: ReplyItems}
_REFUSED = UNCONNECTED_SEND.code | REPLY
#: A request without data, to measure what is around it.
_LEAST = MemberRequest(GET_ATTRIBUTES_ALL.code, _ROUTER, Void())
#: Octets in front of the members of a packet and their offsets: of the request, with its padding; of the reply's frame.
_PACKET, _REPLY_AROUND = len(_LEAST.produce()) + 2 + 1, HEADER_OCTETS + 16 + 4 + 2

#: A path to send to or along: terms, text or a Path; None is the usual one.
Route = Path | str | Iterable[Mapping[str, Any]] | None


class Result(NamedTuple):
    """What came of one operation.

    ``idx``: number of the request; ``dsc``: a description; ``req``, ``rpy``: the CIP records; ``sts``: 0, a general
    status or (status, extended words); ``val``: a list, or True for writes, or None if it was refused.
    """

    idx: int
    dsc: str
    req: Any
    rpy: Any
    sts: Status
    val: Any


class Pending:
    """A request that was sent: ``results`` is None until its reply has come."""

    __slots__ = ("command", "context", "index", "operations", "results", "wrapped")

    def __init__(
        self, command: int, context: bytes, operations: Sequence[Operation], index: int, wrapped: bool
    ) -> None:
        self.command, self.context, self.operations, self.index = command, context, operations, index
        self.wrapped = wrapped
        self.results: list[Result] | None = None

    def __str__(self) -> str:
        return _named(self.operations) if self.operations else "Register Session"


class _Envelope:
    """A frame of SendRRData, complete but for session, context and request; made once and filled again and again."""

    __slots__ = ("frame", "holder", "wrapped")

    def __init__(self, route: Path, target: Path) -> None:
        self.wrapped = bool(route.segment)
        item = RequestItem(DATA_UNCONNECTED, None)
        self.holder: Any = item
        if self.wrapped:
            self.holder = UnconnectedSend(priority=_PRIORITY, ticks=_TICKS, route=route)
            item.data = Request(UNCONNECTED_SEND.code, target, self.holder)
        items = RequestItems(interface=0, timeout=0, item=[RequestItem(NULL, None), item])
        self.frame = RequestFrame(
            command=SEND_RR_DATA, session=0, status=0, context=bytes(CONTEXT_OCTETS), options=0, CIP=items
        )

    def around(self, request: Any, operations: Sequence[Operation], session: int) -> tuple[bytes, bytes]:
        """The octets of the frame around a request of operations: those before its context, and those after it."""
        self.frame.session = session
        try:
            octets = self._produce(request)
            size = len(octets) - HEADER_OCTETS
        except LocalProtocolError:  # maybe since it is beyond the lengths that are written within the frame
            sizes = [len(one.request.produce()) for one in operations]
            inner = sizes[0] - len(_LEAST.produce()) if len(sizes) == 1 else 2 + sum(sizes) + 2 * len(sizes)
            size = len(self._produce(_LEAST)) - HEADER_OCTETS + inner
            if size <= MAXIMUM_LENGTH:
                raise
        if size > MAXIMUM_LENGTH:
            raise LocalProtocolError(
                f"{_named(operations)}: the request has {size} octets, a frame takes at most {MAXIMUM_LENGTH}; "
                "do it in parts"
            )
        return octets[:_CONTEXT_AT], octets[_CONTEXT_AT + CONTEXT_OCTETS :]

    def _produce(self, request: Any) -> bytes:
        if self.wrapped:
            self.holder.request = request
        else:
            self.holder.data = request
        return self.frame.produce()

    def parts(self, operation: Operation, session: int) -> tuple[bytes, bytes]:
        """As ``around``, of one operation, which keeps them: many are sent again and again."""
        framed = operation.framed
        if not framed or framed[0] is not self or framed[1] != session:
            operation.framed = framed = (self, session, *self.around(operation.request, (operation,), session))
        return framed[2], framed[3]


class Exchange:
    """One conversation.  ``session``: its handle, 0 until registered; ``failure``: why it is over, or None.

    ``learned``: what it found out about the peer; ``room``: octets of a tag's data that one request or reply carries.

    :param route_path: where requests go by default, [{"port": 1, "link": 0}] if None; empty: no Unconnected Send.
    :param send_path: the object that takes Unconnected Send, [{"class": 6}, {"instance": 1}] if None.
    """

    def __init__(self, route_path: Route = None, send_path: Route = None) -> None:
        self.session = 0
        self.failure: RemoteProtocolError | None = None
        self.learned = Learned()
        self.room = ROOM
        self._route = _path(route_path, [{"port": 1, "link": 0}])
        self._target = _path(send_path, [{"class": CONNECTION_MANAGER}, {"instance": 1}])
        self._envelopes: dict[tuple[Path, Path], _Envelope] = {}
        self._usual = self._envelope(None, None)
        self._pending: dict[bytes, Pending] = {}
        self._abandoned: set[bytes] = set()
        self._serial = 0
        self._rest = bytearray()
        self._needed = HEADER_OCTETS

    # -- what to send

    def register(self, context: bytes = b"") -> tuple[Pending, bytes]:
        """(pending, octets to send) of the request that begins a session."""
        self.check()
        pending = self._expect(REGISTER_SESSION, (), 0, context, False)
        frame = RequestFrame(
            command=REGISTER_SESSION, session=0, status=0, context=pending.context, options=0, CIP=Register(_VERSION, 0)
        )
        return pending, frame.produce()

    def issue(
        self,
        operations: Sequence[Operation],
        index: int = 0,
        context: bytes = b"",
        route_path: Route = None,
        send_path: Route = None,
    ) -> tuple[Pending, bytes]:
        """(pending, octets to send) of a request: of one operation, or of several in a Multiple Service Packet.

        :param index: the number that the results carry; part of the context.
        :param context: up to 8 octets of the caller's own, instead of the context made here.
        """
        self.check()
        if not self.session:
            raise LocalProtocolError("there is no session yet; register first", "session")
        if not operations:
            raise LocalProtocolError("a request needs one operation at least", "operations")
        usual = route_path is None and send_path is None
        envelope = self._usual if usual else self._envelope(route_path, send_path)
        if len(operations) == 1:
            head, tail = envelope.parts(operations[0], self.session)
        else:
            members = Multiple([one.request for one in operations])
            head, tail = envelope.around(MemberRequest(MULTIPLE.code, _ROUTER, members), operations, self.session)
        pending = self._expect(SEND_RR_DATA, operations, index, context, envelope.wrapped)
        return pending, head + pending.context + tail

    def check(self) -> None:
        """LocalProtocolError if this conversation is over."""
        if self.failure is not None:
            raise LocalProtocolError(f"this connection is over, open a new one: {self.failure}")

    def around(self) -> tuple[int, int]:
        """Octets of a frame around the members of a Multiple Service Packet: of its request, and of its reply."""
        head, tail = self._usual.around(_LEAST, (), self.session)
        return len(head) + CONTEXT_OCTETS + len(tail) - len(_LEAST.produce()) + _PACKET, _REPLY_AROUND

    def _envelope(self, route_path: Route, send_path: Route) -> _Envelope:
        route = self._route if route_path is None else _path(route_path, ())
        target = self._target if send_path is None else _path(send_path, ())
        found = self._envelopes.get((route, target))
        if found is None:
            found = self._envelopes[route, target] = _Envelope(route, target)
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
            context = struct.pack("<II", index & 0xFFFFFFFF, self._serial)
        pending = self._pending[context] = Pending(command, context, operations, index, wrapped)
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
        frame: Any = parsed(ReplyFrame, octets)
        if frame.command == NOP:  # it answers nothing, whatever its context
            return
        context = frame.context
        pending = self._pending.get(context)
        if pending is None:
            _check_header(octets)
            late = context in self._abandoned
            self._abandoned.discard(context)
            log.log(
                logging.INFO if late else logging.WARNING,
                "dropped a reply %s (context %s)",
                "that came too late" if late else "that answers no request",
                context.hex(),
            )
            return
        if frame.command != pending.command:
            raise RemoteProtocolError(f"a reply to command 0x{frame.command:04x} answers {pending}", "command", 0)
        if frame.status:
            raise RemoteProtocolError(
                f"the peer refused {pending}: EtherNet/IP status 0x{frame.status:04x}, "
                f"{describe_encapsulation(frame.status)}",
                "status",
            )
        if frame.CIP.__class__ is Malformed:
            _PAYLOADS[frame.command].parse(octets[HEADER_OCTETS:])  # which says what is wrong
            raise RemoteProtocolError(f"the reply to {pending} cannot be understood", "CIP", HEADER_OCTETS)
        pending.results = self._registered(frame) if not pending.operations else _results(pending, frame.CIP.item)
        self._pending.pop(context, None)  # gone already if the conversation was ended meanwhile

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
    if command not in (NOP, *_PAYLOADS):
        raise RemoteProtocolError(
            f"a frame of command 0x{command:04x}, which answers nothing; {octets!r}", "command", 0
        )
    if length > MAXIMUM_LENGTH:
        raise RemoteProtocolError(f"a frame of {length} octets, more than {MAXIMUM_LENGTH}", "length", 2)


def _named(operations: Sequence[Operation]) -> str:
    more = len(operations) - 1
    return f"{operations[0]}{f' and {more} more' if more else ''}"


def _path(given: Route, usual: Iterable[Mapping[str, Any]]) -> Path:
    terms = usual if given is None else given
    if isinstance(terms, (Path, str)):
        return as_path(terms)[0]
    terms = list(terms)
    return as_path(terms)[0] if terms else Path.of([])


def _results(pending: Pending, items: Sequence[Any]) -> list[Result]:
    """A result for each operation of a request, from the items of the reply to it."""
    if len(items) < 2 or items[1].type_id != DATA_UNCONNECTED:
        raise RemoteProtocolError(f"the reply to {pending} has no unconnected data item", "CIP.item")
    reply = parsed(Reply, items[1].data)
    operations, index = pending.operations, pending.index
    multiple = len(operations) > 1
    expected = (MULTIPLE if multiple else operations[0].service).code | REPLY
    if pending.wrapped and reply.service == _REFUSED != expected and reply.status:  # the route itself was refused
        return [
            Result(index, one.description(multiple), one.asked(), reply, refusal(reply), None) for one in operations
        ]
    if not multiple:
        one = operations[0]
        return [Result(index, one.description(False), one.asked(), reply, *one.outcome(reply))]
    if reply.service != expected:
        raise RemoteProtocolError(f"a reply to service 0x{reply.service & ~REPLY:02x} answers {pending}", "CIP.item[1]")
    if reply.status not in MULTIPLE.answered:
        return [Result(index, one.description(True), one.asked(), reply, refusal(reply), None) for one in operations]
    members = [parsed(Reply, octets) for octets in parsed(MultipleReply, reply.data).reply]
    if len(members) != len(operations):
        raise RemoteProtocolError(f"{len(members)} replies answer {len(operations)} requests", "CIP.item[1].data.reply")
    return [
        Result(index, one.description(True), one.asked(), member, *one.outcome(member))
        for one, member in zip(operations, members, strict=True)
    ]
