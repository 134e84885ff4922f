"""An operation that takes several requests: what all of these have in common; and writing in pieces.

Owns: requests for parts, the elements after others, and Write Tag Fragmented or what takes its place.
Rule: every reply brings a transfer nearer to its end, or ends it.  Must not know frames, nor what else is in flight.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Protocol

from cpppo.server.enip.client.learned import Learned
from cpppo.server.enip.client.operations import Operation
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.path import SEGMENTS, Path
from cpppo.server.enip.wire.services import REPLY, Reply
from cpppo.server.enip.wire.services.tag import (
    READ_TAG,
    WRITE_TAG,
    WRITE_TAG_FRAGMENTED,
    ReadTag,
    WriteTag,
    WriteTagFragmented,
)
from cpppo.server.enip.wire.strings import ShortString

__all__ = ["Part", "Transfer", "Write", "advanced", "linear", "plain"]

_element: Any = SEGMENTS["element"]


class Part(Operation):
    """A request for a part of an operation; its result has no value, and whoever asked looks at the reply."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{super().__str__()}{f' from octet {self.offset}' if self.offset else ''}"

    def asked(self) -> Any:
        return self.request

    def _read(self, octets: bytes, partial: bool) -> Any:
        return []


class Transfer(Protocol):
    """An operation under way.  ``final``: the reply that answers all of it, or None: the refusal of one of its parts,
    or one as if all had been asked at once.
    """

    final: Any

    def request(self) -> Operation | None:
        """What to send next; None: nothing (more) until a reply has come."""

    def take(self, request: Operation, reply: Any) -> Transfer:
        """Go on by a reply to one of its requests; whoever carries on, which is this one in most cases.

        RemoteProtocolError if the reply cannot be one to that request.
        """


def linear(path: Path) -> bool:
    """Whether elements after the one addressed can be addressed without knowing the tag's dimensions."""
    return len(path.segment) < 2 or type(path.segment[-2]) is not _element or type(path.segment[-1]) is not _element


def advanced(path: Path, elements: int) -> Path:
    """The path to so many elements after the one addressed."""
    segments = path.segment
    if not elements:
        return path
    first = 0
    if segments and type(segments[-1]) is _element:
        first, segments = segments[-1].element, segments[:-1]
    further: Path = Path((*segments, _element(first + elements)))
    return further


def plain(operation: Operation) -> Operation:
    """The same operation without a Fragmented service."""
    path, text, data = operation.request.path, operation.text, operation.request.data
    if operation.kind is None:
        return Operation(READ_TAG, path, ReadTag(operation.elements), text, operation.elements)
    count = len(_ends(operation))
    written = WriteTag(data.type, data.handle, count, data.data)
    return Operation(WRITE_TAG, path, written, text, count, None, operation.kind)


class Write:
    """Writing in pieces, one after the other: of what follows a refusal nothing was sent.

    By Write Tag Fragmented; by Write Tag at later elements, if the peer does not have that service.
    """

    def __init__(self, operation: Operation, learned: Learned, room: int) -> None:
        self.operation = operation
        self.final: Any = None
        self._learned, self._room = learned, room
        self._by_octets = WRITE_TAG_FRAGMENTED.code not in learned.refused
        self._ends = _ends(operation)
        self._at = self._count = 0
        self._flying: Operation | None = None

    def request(self) -> Operation | None:
        return None if self.final is not None or self._flying else self.piece()

    def piece(self) -> Operation:
        """The request for what is to be written now."""
        operation, start = self.operation, self._at
        stop, count = self._next()
        data, path = operation.request.data, operation.request.path
        piece = data.data[start:stop]
        made: Any
        if self._by_octets:
            made = WriteTagFragmented(data.type, data.handle, operation.elements, start, piece)
            self._flying = Part(WRITE_TAG_FRAGMENTED, path, made, operation.text, operation.elements, start)
        else:
            made = WriteTag(data.type, data.handle, count, piece)
            self._flying = Part(WRITE_TAG, advanced(path, self._count), made, operation.text, count)
        return self._flying

    def take(self, request: Operation, reply: Any) -> Transfer:
        self._flying = None
        if self._unsupported(reply):
            self._by_octets = False
        elif reply.status != status.SUCCESS:
            self.final = reply
        else:
            if request.service is WRITE_TAG and WRITE_TAG_FRAGMENTED.code not in self._learned.offered:
                self._learned.refused.add(WRITE_TAG_FRAGMENTED.code)
            stop, count = self._next()
            self._at, self._count = stop, self._count + count
            if stop == self._ends[-1]:
                self.final = Reply(self.operation.service.code | REPLY, status.SUCCESS, [], b"")
        return self

    def _unsupported(self, reply: Any) -> bool:
        """Whether the peer has no Write Tag Fragmented, and can be given whole elements instead."""
        if reply.status != status.SERVICE_NOT_SUPPORTED or not self._by_octets or self._at:
            return False
        alone = self._ends[-1] <= self._room or len(self._ends) == 1
        return alone or linear(self.operation.request.path)

    def _next(self) -> tuple[int, int]:
        """(octet at which the next piece ends, elements in it): whole elements, but of one larger than a packet."""
        after = bisect_right(self._ends, self._at)
        fits = bisect_right(self._ends, self._at + self._room)
        if fits > after:
            return self._ends[fits - 1], fits - after
        end = self._ends[after]
        cut = self._by_octets and not isinstance(self.operation.kind, ShortString)
        return (min(end, self._at + self._room), 0) if cut else (end, 1)


def _ends(operation: Operation) -> Sequence[int]:
    """Where the elements end that an operation writes, in octets."""
    kind, octets = operation.kind, operation.request.data.data
    assert kind is not None
    if isinstance(kind, ShortString):
        kept, _ = kind.received(octets, len(octets))
        return list(accumulate(map(len, kind.sent(kept))))
    return range(kind.size, len(octets) + 1, kind.size)
