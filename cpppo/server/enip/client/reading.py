"""Reading a tag that is larger than a packet: one reply from the replies to its parts.

Owns: reading on by octets (Read Tag Fragmented) or, where a peer has no such service, by elements (Read Tag).
Rule: every reply brings a reading nearer to its end, or ends it; the type never changes.  Must not know frames, nor
what else is in flight.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from cpppo.errors import RemoteProtocolError
from cpppo.server.enip.client.learned import Learned
from cpppo.server.enip.client.memo import remember
from cpppo.server.enip.client.operations import Operation, parsed
from cpppo.server.enip.client.parts import Part, Transfer, advanced, linear
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services import REPLY, Reply
from cpppo.server.enip.wire.services.tag import READ_TAG, READ_TAG_FRAGMENTED, ReadTag, ReadTagFragmented, TagData
from cpppo.server.enip.wire.strings import ShortString, kind_of
from cpppo.server.enip.wire.types import BY_CODE, Kind

__all__ = ["MAXIMUM_OCTETS", "ReadElements", "ReadOctets"]

#: Octets of a tag whose size its type does not tell, beyond which a peer is taken to send without end.
MAXIMUM_OCTETS = 0x400000

#: Requests for parts, which the same reads need again and again.
_fragments: dict[tuple[Path, int, int], Part] = {}


class _Read:
    """What reading on by octets and by elements have in common: the type, which never changes, and the end."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.final: Any = None
        self.head: tuple[int, int | None] | None = None
        self.kind: Kind | None = None

    def data(self, octets: bytes, partial: bool = False) -> bytes:
        """The data in a reply; RemoteProtocolError if it is of another type than that of the replies before it."""
        if partial and not octets:  # not even a type: there was no room for anything
            return b""
        data = parsed(TagData, octets)
        head = (data.type, data.handle)
        if self.head is None:
            self.head = head
            self.kind = BY_CODE.get(data.type) or kind_of(data.type, data.handle)
        elif head != self.head:
            was, now = (f"0x{t:04x}" + (f" of handle 0x{h:04x}" if h is not None else "") for t, h in (self.head, head))
            raise RemoteProtocolError(f"type {now} follows type {was} within {self.operation}", "CIP.item[1].data.data")
        found: bytes = data.data
        return found

    def finish(self, octets: bytes | bytearray) -> None:
        """It is read, all of it."""
        assert self.head is not None
        data = TagData(*self.head, bytes(octets)).produce()
        self.final = Reply(self.operation.service.code | REPLY, status.SUCCESS, [], data)

    def wrong(self, problem: str) -> RemoteProtocolError:
        return RemoteProtocolError(f"{problem} {self.operation}", "CIP.item[1].data.data")


class ReadOctets(_Read):
    """Reading on by Read Tag Fragmented, from where the first reply ended.

    Once the type tells how much there is, the parts left may be asked for together.
    """

    def __init__(self, operation: Operation, learned: Learned, room: int) -> None:
        super().__init__(operation)
        self._learned, self._room = learned, room
        self._octets = bytearray()
        #: Octets in all, if the type tells; received; asked for from the start on; in a part; in the first one.
        self._total: int | None = None
        self._got = self._asked = self._step = self._first = 0
        #: Parts asked for that came short, from octet to octet.
        self._gaps: deque[tuple[int, int]] = deque()
        #: Of the requests in flight, by their first octets, the octets at which they need to end.
        self._stops: dict[int, int | None] = {}

    def request(self) -> Operation | None:
        if self.final is not None:
            return None
        stop: int | None
        if self._total is None:
            if self._stops:
                return None
            start, stop = self._got, None
        elif self._gaps:
            start, stop = self._gaps.popleft()
        elif self._asked < self._total:
            start = self._asked
            stop = self._asked = min(start + self._step, self._total)
        else:
            return None
        self._stops[start] = stop
        operation = self.operation
        path, elements = operation.request.path, operation.elements
        part = _fragments.get((path, elements, start))
        if part is None:
            data = ReadTagFragmented(elements, start)
            part = Part(READ_TAG_FRAGMENTED, path, data, operation.text, elements, start)
            remember(_fragments, (path, elements, start), part)
        return part

    def take(self, request: Operation, reply: Any) -> Transfer:
        start = request.offset
        stop = self._stops.pop(start, None)
        if self.final is not None:
            return self
        code, general = request.service.code, reply.status
        if general == status.SERVICE_NOT_SUPPORTED and code == READ_TAG_FRAGMENTED.code:
            begun = bytes(self._octets[: self._first])
            return ReadElements(self.operation, self._learned, self.head, begun, reply)
        first = request is self.operation
        if general == status.REPLY_TOO_LARGE and first and code == READ_TAG.code:
            return self
        if general not in (status.SUCCESS, status.PARTIAL):
            self.final = reply
            return self
        octets = self.data(reply.data, general == status.PARTIAL)
        if general == status.PARTIAL and not octets and not (first and code == READ_TAG.code):
            raise self.wrong(f"status 0x06 without data at octet {start} makes no progress with")
        if self._total is None:
            self._measure(octets, first)
        if self._total is None:
            self._append(octets, general)
        else:
            self._place(start, stop, octets, general)
        return self

    def _measure(self, octets: bytes, first: bool) -> None:
        """Prepare for all parts, if the type tells how many octets there will be."""
        kind = self.kind
        if kind is None or isinstance(kind, ShortString):
            return
        self._total = self.operation.elements * kind.size
        self._step = self._room - self._room % kind.size or self._room
        self._octets = bytearray(self._total)
        self._first = len(octets)

    def _place(self, start: int, stop: int | None, octets: bytes, general: int) -> None:
        """Put the octets of a part where they belong; what it left out is asked for again."""
        assert self._total is not None
        end = start + len(octets)
        if end > self._total or (general == status.SUCCESS and end != self._total):
            raise self.wrong(f"{len(octets)} octets from octet {start} cannot be the rest of {self._total} of")
        if stop is None or stop == self._asked:  # nothing beyond it was asked for yet
            self._asked = stop = end
            self._step = max(self._step, len(octets))
        else:
            if end < stop:
                self._gaps.append((end, stop))
            self._step = len(octets) if end != stop else self._step
        end = min(end, stop)
        self._octets[start:end] = octets[: end - start]
        self._got += end - start
        if self._got == self._total:
            self.finish(self._octets)

    def _append(self, octets: bytes, general: int) -> None:
        """Put the octets of a part behind those before it."""
        self._octets += octets
        self._got = self._first = len(self._octets)
        if general == status.SUCCESS:
            self.finish(self._octets)
            return
        most = MAXIMUM_OCTETS if self.kind is None else self.operation.elements * self.kind.size
        if self._got > most:
            raise self.wrong(f"{self._got} octets, and still no end, are too many for")


class ReadElements(_Read):
    """Reading by Read Tag at later elements, for a peer without Read Tag Fragmented.

    ``refusal``: its reply that says so, or None if that was known before.
    """

    def __init__(
        self,
        operation: Operation,
        learned: Learned,
        head: tuple[int, int | None] | None = None,
        begun: bytes = b"",
        refusal: Any = None,
    ) -> None:
        super().__init__(operation)
        self._learned, self._octets = learned, bytearray()
        self._size: int | None = None
        self._count, self._most = 0, operation.elements
        self._flying: Operation | None = None
        code = operation.service.code | REPLY
        self._refusal = refusal or Reply(code, status.SERVICE_NOT_SUPPORTED, [], b"")
        if head is not None:
            self.data(TagData(*head, b"").produce())
            if self.kind is None:  # how large an element is shows when there is one
                self._most = 1
            self._keep(begun)
            self._check()

    def request(self) -> Operation | None:
        if self.final is not None or self._flying is not None:
            return None
        operation = self.operation
        path = advanced(operation.request.path, self._count)
        count = min(self._most, operation.elements - self._count)
        self._flying = Part(READ_TAG, path, ReadTag(count), operation.text, count)
        return self._flying

    def take(self, request: Operation, reply: Any) -> Transfer:
        first = request is self.operation
        if not (first or request is self._flying) or self.final is not None:  # asked for before it was refused
            return self
        self._flying = None
        general, asked = reply.status, request.elements
        if general in (status.SUCCESS, status.PARTIAL):
            if not first and READ_TAG_FRAGMENTED.code not in self._learned.offered:
                self._learned.refused.add(READ_TAG_FRAGMENTED.code)
            octets = self.data(reply.data, general == status.PARTIAL)
            if general == status.SUCCESS:
                self._whole(octets, asked)
            elif not self._keep(octets, asked) and not self._fewer(asked):
                self.final = self._refusal
        elif general != status.REPLY_TOO_LARGE or not self._fewer(asked):
            self.final = reply
        self._check()
        return self

    def _check(self) -> None:
        """Give up if the elements that follow cannot be addressed."""
        if self.final is None and self._count and not linear(self.operation.request.path):
            self.final = self._refusal

    def _fewer(self, asked: int) -> bool:
        """Ask for fewer elements from now on, if there are fewer."""
        self._most = asked // 2 if self.kind is not None or self.head is None else 1
        return asked > 1

    def _whole(self, octets: bytes, asked: int) -> None:
        """Keep elements all of which came."""
        before = self._count
        if self.kind is None and self._size is None:  # a structure, whose size shows now
            self._size, self._most = len(octets) // max(asked, 1), self.operation.elements
        if self._keep(octets, asked) != len(octets) or self._count != before + asked:
            raise self.wrong(f"{len(octets)} octets are no {asked} elements of")

    def _keep(self, octets: bytes, asked: int | None = None) -> int:
        """Keep the elements that are whole; the octets of these."""
        most = self.operation.elements if asked is None else asked
        kind = self.kind
        if isinstance(kind, ShortString):
            kept, used = kind.received(octets, most)
            count = len(kept) // kind.size
        else:
            size = self._size if kind is None else kind.size
            count = min(len(octets) // size, most) if size else 0
            used = count * (size or 0)
        self._octets += octets[:used]
        self._count += count
        if self._count == self.operation.elements and self.head is not None:
            self.finish(self._octets)
        return used
