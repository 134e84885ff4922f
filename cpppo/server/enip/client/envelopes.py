"""The frames around requests: everything but the session, what a reply is matched by, and the request itself.

Owns: what is around an unconnected and a connected request, and how large a request may be.
Rule: a frame is made once and filled again and again.  Must not know which requests are unanswered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cpppo.errors import LocalProtocolError
from cpppo.server.enip.client.operations import Operation
from cpppo.server.enip.wire.header import HEADER_OCTETS, MAXIMUM_LENGTH, SEND_RR_DATA, SEND_UNIT_DATA, RequestFrame
from cpppo.server.enip.wire.items import (
    ADDRESS_CONNECTED,
    DATA_CONNECTED,
    DATA_UNCONNECTED,
    NULL,
    ConnectedRequest,
    RequestItem,
    RequestItems,
)
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services import Request
from cpppo.server.enip.wire.services.attributes import GET_ATTRIBUTES_ALL
from cpppo.server.enip.wire.services.multiple import MULTIPLE, MemberRequest, Multiple
from cpppo.server.enip.wire.services.tag import Void
from cpppo.server.enip.wire.services.unconnected import UNCONNECTED_SEND, UnconnectedSend

__all__ = ["CONTEXT_OCTETS", "Connected", "Envelope", "Unconnected", "named"]

#: Octets of a context, and where it stands in a frame.
CONTEXT_OCTETS, _CONTEXT_AT = 8, 12
#: Octets of a frame before the data item of a connected request, and those of the sequence count that begins it.
_DATA_AT, _SEQUENCE = HEADER_OCTETS + 8 + 8 + 4, 2
#: Octets of a frame around the CIP reply to an unconnected request.
_REPLY_AT = HEADER_OCTETS + 16

_PRIORITY, _TICKS = 5, 157
_ROUTER = Path.of([{"class": 2}, {"instance": 1}])
#: A request without data, to measure what is around it.
_LEAST = MemberRequest(GET_ATTRIBUTES_ALL.code, _ROUTER, Void())
#: Octets in front of the members of a packet and their offsets: of the request, with its padding; of the reply.
_PACKET, _PACKET_REPLY = len(_LEAST.produce()) + 2 + 1, 4 + 2


def named(operations: Sequence[Operation]) -> str:
    """Operations that are sent together, in a few words."""
    more = len(operations) - 1
    return f"{operations[0]}{f' and {more} more' if more else ''}"


class Envelope:
    """A frame around any request.  ``wrapped``: whether it is in an Unconnected Send; ``largest``: octets of a frame
    that may be filled.

    :param frame: a frame but for its session and the request, which is the attribute ``place`` of ``holder``.
    :param hole: from which octet to which there stands what the reply is matched by.
    :param before: octets that count for no size; ``most``: those that may follow; ``taker``: who says so.
    """

    wrapped = False
    #: Of the reply: from which octet to which there stands what it is matched by, and where the CIP reply begins.
    reply_hole, reply_at = (_CONTEXT_AT, _CONTEXT_AT + CONTEXT_OCTETS), _REPLY_AT

    def __init__(
        self, frame: Any, holder: Any, place: str, hole: tuple[int, int], before: int, most: int, taker: str
    ) -> None:
        self._frame, self._holder, self._place = frame, holder, place
        self._start, self._stop = hole
        self._before, self._most, self._taker = before, most, taker
        self.largest = before + most

    def around(self, operations: Sequence[Operation], session: int) -> tuple[bytes, bytes]:
        """The octets of the frame around a request of operations, before the hole in it and after that.

        LocalProtocolError if it is too large.
        """
        self._frame.session = session
        if len(operations) == 1:
            request = operations[0].request
        else:
            request = MemberRequest(MULTIPLE.code, _ROUTER, Multiple([one.request for one in operations]))
        try:
            octets = self._produce(request)
            size = len(octets) - self._before
        except LocalProtocolError:  # maybe since it is beyond the lengths that are written within the frame
            sizes = [len(one.request.produce()) for one in operations]
            inner = sizes[0] - len(_LEAST.produce()) if len(sizes) == 1 else 2 + sum(sizes) + 2 * len(sizes)
            size = len(self._produce(_LEAST)) - self._before + inner
            if size <= self._most:
                raise
        if size > self._most:
            raise LocalProtocolError(
                f"{named(operations)}: the request has {size} octets, {self._taker} takes at most {self._most}; "
                "do it in parts"
            )
        return octets[: self._start], octets[self._stop :]

    def _produce(self, request: Any) -> bytes:
        setattr(self._holder, self._place, request)
        octets: bytes = self._frame.produce()
        return octets

    def parts(self, kept: Any, operations: Sequence[Operation], session: int) -> tuple[bytes, bytes]:
        """As ``around``; they are kept in ``kept.framed``: many are sent again and again."""
        framed = kept.framed
        if not framed or framed[0] is not self or framed[1] != session:
            kept.framed = framed = (self, session, *self.around(operations, session))
        return framed[2], framed[3]

    def around_packet(self) -> int:
        """Octets of a frame around the members of a Multiple Service Packet."""
        return len(self._produce(_LEAST)) - len(_LEAST.produce()) + _PACKET

    def around_answers(self) -> int:
        """Octets of a frame around the replies in the reply to one."""
        return self.reply_at + _PACKET_REPLY


class Unconnected(Envelope):
    """A frame of SendRRData; the hole in it is the context.

    :param route: along which its requests go by Unconnected Send, empty: without one.
    :param target: the object that takes Unconnected Send.
    """

    def __init__(self, route: Path, target: Path) -> None:
        item = RequestItem(DATA_UNCONNECTED, None)
        holder: Any = item
        self.wrapped = bool(route.segment)
        if self.wrapped:
            holder = UnconnectedSend(priority=_PRIORITY, ticks=_TICKS, route=route)
            item.data = Request(UNCONNECTED_SEND.code, target, holder)
        frame = _frame(SEND_RR_DATA, RequestItem(NULL, None), item)
        hole = (_CONTEXT_AT, _CONTEXT_AT + CONTEXT_OCTETS)
        place = "request" if self.wrapped else "data"
        super().__init__(frame, holder, place, hole, HEADER_OCTETS, MAXIMUM_LENGTH, "a frame")


class Connected(Envelope):
    """A frame of SendUnitData; the hole in it is the sequence count.

    :param to_id: the id (O->T) of the connection; ``size``: octets that it takes, sequence count included.
    """

    reply_hole, reply_at = (_DATA_AT, _DATA_AT + _SEQUENCE), _DATA_AT + _SEQUENCE

    def __init__(self, to_id: int, size: int) -> None:
        holder = ConnectedRequest(0, None)
        frame = _frame(SEND_UNIT_DATA, RequestItem(ADDRESS_CONNECTED, to_id), RequestItem(DATA_CONNECTED, holder))
        super().__init__(frame, holder, "request", (_DATA_AT, _DATA_AT + _SEQUENCE), _DATA_AT, size, "the connection")


def _frame(command: int, address: Any, data: Any) -> Any:
    items = RequestItems(interface=0, timeout=0, item=[address, data])
    return RequestFrame(command=command, session=0, status=0, context=bytes(CONTEXT_OCTETS), options=0, CIP=items)
