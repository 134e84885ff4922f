"""Requests that were sent, and what the frames that answer them mean.

Owns: Pending and Result, what a connected reply is matched by, and the errors that frames are.
Rule: a reply is decoded with the request that caused it.  Must not know which requests are unanswered.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cpppo.errors import RemoteProtocolError, StatusError
from cpppo.grammar import Malformed, Message
from cpppo.server.enip.client.envelopes import named
from cpppo.server.enip.client.operations import Operation, Status, parsed, refusal
from cpppo.server.enip.wire.header import HEADER_OCTETS, REGISTER_SESSION, SEND_RR_DATA, SEND_UNIT_DATA, Register
from cpppo.server.enip.wire.items import ADDRESS_CONNECTED, DATA_CONNECTED, DATA_UNCONNECTED, ReplyItems
from cpppo.server.enip.wire.services import REPLY, Reply
from cpppo.server.enip.wire.services.multiple import MULTIPLE, MultipleReply
from cpppo.server.enip.wire.services.unconnected import UNCONNECTED_SEND
from cpppo.server.enip.wire.status import describe, describe_encapsulation

__all__ = [
    "PAYLOADS",
    "SEQUENCED",
    "SEQUENCE_AT",
    "Pending",
    "Result",
    "Shot",
    "failure",
    "label_of",
    "match_of",
    "results_of",
    "wrong",
]

#: The payloads of the frames that answer something.
PAYLOADS: Mapping[int, type[Message]] = {
    REGISTER_SESSION: Register,
    SEND_RR_DATA: ReplyItems,
    SEND_UNIT_DATA: ReplyItems,
}
#: What a connected reply is matched by, T->O id and sequence count; where the latter begins in it.
SEQUENCED, SEQUENCE_AT = struct.Struct("<IH"), 4

_REFUSED = UNCONNECTED_SEND.code | REPLY


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


class Shot(tuple[Operation, ...]):
    """Operations that are sent together again and again: the frame around them, and how the reply looks."""

    framed: tuple[Any, ...] = ()
    shape: Any = None
    seen = 0


class Pending:
    """A request that was sent: ``results`` is None until its reply has come.

    ``kept``: where the shape of its reply is kept, an Operation or Shot, or None.
    """

    __slots__ = ("command", "context", "index", "kept", "operations", "results", "wrapped")

    def __init__(
        self, command: int, context: bytes, operations: Sequence[Operation], index: int, wrapped: bool
    ) -> None:
        self.command, self.context, self.operations, self.index = command, context, operations, index
        self.wrapped = wrapped
        self.results: list[Result] | None = None
        self.kept: Any = None

    def __str__(self) -> str:
        return named(self.operations) if self.operations else "Register Session"


def wrong(frame: Any, octets: bytes, what: object) -> RemoteProtocolError:
    """The error that a frame is which tells a status, or does not follow the grammar."""
    if frame.status:
        told = f"EtherNet/IP status 0x{frame.status:04x}, {describe_encapsulation(frame.status)}"
        return RemoteProtocolError(f"the peer refused {what}: {told}", "status")
    PAYLOADS[frame.command].parse(octets[HEADER_OCTETS:])  # which says what is wrong
    return RemoteProtocolError(f"the reply to {what} cannot be understood", "CIP", HEADER_OCTETS)


def failure(result: Any, what: str = "") -> StatusError:
    """Why an operation was refused, in words: of what was asked, if nothing else is said."""
    code, extended = result.sts if isinstance(result.sts, tuple) else (result.sts, ())
    return StatusError(code, extended, f"{what or result.dsc.strip()}: {describe(code, extended)}")


def match_of(frame: Any, octets: bytes) -> bytes:
    """What a connected reply is matched by: the T->O id and the sequence count in it."""
    if frame.status or frame.CIP.__class__ is Malformed:
        raise wrong(frame, octets, "data on the connection")
    items = frame.CIP.item
    if len(items) < 2 or (items[0].type_id, items[1].type_id) != (ADDRESS_CONNECTED, DATA_CONNECTED):
        raise RemoteProtocolError("connected data without its two items", "CIP.item")
    return SEQUENCED.pack(items[0].data, items[1].data.sequence)


def label_of(context: bytes) -> str:
    """What a reply is matched by, for people."""
    if len(context) != SEQUENCED.size:
        return f"context {context.hex()}"
    return "on connection 0x{:08x}, sequence count {}".format(*SEQUENCED.unpack(context))


def results_of(pending: Pending, items: Sequence[Any]) -> list[Result]:
    """A result for each operation of a request, from the items of the reply to it."""
    if pending.command == SEND_UNIT_DATA:
        reply = parsed(Reply, items[1].data.reply)
    elif len(items) < 2 or items[1].type_id != DATA_UNCONNECTED:
        raise RemoteProtocolError(f"the reply to {pending} has no unconnected data item", "CIP.item")
    else:
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
