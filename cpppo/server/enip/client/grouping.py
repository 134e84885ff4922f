"""Which operations go into the next request: one, or as many as a Multiple Service Packet takes, and what has to wait.

Owns: packing by the octets of requests and of expected replies, and what may be sent after what.
Rule: an operation is not sent while one before it may need another request that it must not overtake: no change after
a read that may come short, nothing after a change that may be refused for its service.  Must not know what becomes of
the requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any, NamedTuple

from cpppo.errors import Error
from cpppo.server.enip.client.exchange import Exchange
from cpppo.server.enip.client.learned import REPLY_HEAD, UNKNOWN
from cpppo.server.enip.client.operations import Operation, prepare
from cpppo.server.enip.wire.services.multiple import MULTIPLE
from cpppo.server.enip.wire.services.tag import READ_TAG, READ_TAG_FRAGMENTED, WRITE_TAG_FRAGMENTED

__all__ = ["ALL", "CHANGES", "Groups", "Hold", "Order"]

#: Octets of an entry in the table of offsets of a packet; and of a reply before its data, at most.
_OFFSET, _HEAD = 2, REPLY_HEAD + 4
_READ, _READ_ON, _WRITE_ON = READ_TAG.code, READ_TAG_FRAGMENTED.code, WRITE_TAG_FRAGMENTED.code
_FRAGMENTED = (_READ_ON, _WRITE_ON)
#: What a source gives that has no more operations.
_END: Any = object()


class Hold(NamedTuple):
    """What must not be sent before a request is done.

    ``everything``; ``changes``: all of them; ``reads``: changes of the tags that are read, (tag, key) as of operations;
    ``others``: operations of services other than the Fragmented ones, which a peer has all, or none.
    """

    everything: bool = False
    changes: bool = False
    reads: frozenset[tuple[str, str]] = frozenset()
    others: bool = False

    def lets(self, operation: Operation) -> bool:
        """Whether an operation may be sent nevertheless."""
        if self.everything or (self.others and operation.service.code not in _FRAGMENTED):
            return False
        return operation.reads or not (self.changes or any(_touches(operation, *one) for one in self.reads))

    def also(self, other: Hold | None) -> Hold:
        """What is held by this or the other."""
        if other is None:
            return self
        return Hold(
            self.everything or other.everything,
            self.changes or other.changes,
            self.reads | other.reads,
            self.others or other.others,
        )


def _touches(change: Operation, tag: str, key: str) -> bool:
    """Whether a change may change what a read of a few elements of unknown type will need another request for.

    If it writes the very elements and succeeds, their type is its own, and small enough: the read was whole.
    """
    if key == change.key and change.kind is not None and change.kind.size <= UNKNOWN.most:
        return False
    return not tag or not change.tag or tag == change.tag


#: The number of a request, and which of its operations it is.
Order = tuple[float, int]
#: That of what was never sent.
LAST: Order = (inf, 0)

ALL, CHANGES, _OTHERS = Hold(everything=True), Hold(changes=True), Hold(others=True)


class Groups:
    """The operations of each request, taken from their source when they are asked for.

    ``error``: of the source, or of an operation that cannot be sent: no other is taken after it.  ``holds``: by what is
    under way, its place in the order of operations and what it holds, kept up to date by who sends; ``hold``: what the
    request of the group does.
    """

    def __init__(
        self, exchange: Exchange, operations: Iterable[Mapping[str, Any] | Operation], fragment: bool, multiple: int
    ) -> None:
        self.error: Error | None = None
        self.holds: dict[object, tuple[Order, Hold]] = {}
        self.hold: Hold | None = None
        self._source: Iterator[Any] = iter(operations)
        self._fragment = fragment
        self._learned, self._room, self._room_to_write = exchange.learned, exchange.room, exchange.room_to_write
        self._extents, self._offered = exchange.learned.extents, exchange.learned.offered
        self._refused = exchange.learned.refused
        #: The most octets of a reply that every peer is taken to send whole: not quite those of a packet.
        self._sure = exchange.room * 3 // 4
        self._multiple, self._around = 0, (0, 0)
        if multiple > 0:
            self._multiple, self._around = min(multiple, exchange.largest), exchange.around()
        #: An operation that was taken and is not sent yet.
        self._ahead: Operation | None = None

    def one(self) -> Operation | None:
        """The next operation of the source, whatever else there is."""
        if self.error is not None:
            return None
        try:
            asked = next(self._source, _END)
            if asked is _END:
                self._source = iter(())
                return None
            operation = prepare(asked, self._fragment)
            if _READ_ON in self._refused and operation.reads and not self._known(operation):
                operation = prepare(asked)
        except Error as exc:
            self.error = exc
            return None
        return operation

    def next(self) -> list[Operation]:
        """The operations of the next request; none if there are no more, or if they have to wait."""
        operation = self._ahead or self.one()
        if operation is None:
            return []
        if self.holds and not self.allows(operation):
            self._ahead = operation
            return []
        self._ahead = None
        if self._multiple > 0 and MULTIPLE.code not in self._learned.refused and not self.splits(operation):
            return self._packet(operation)
        self.hold = self.held_by(operation)
        return [operation]

    def stop(self, error: Error) -> None:
        """Take no more operations, for a reason that comes before any that there was."""
        self.error, self._ahead = error, None

    def allows(self, operation: Operation, order: Order = LAST) -> bool:
        """Whether an operation may be sent now: whether what is under way before it lets it."""
        return all(hold.lets(operation) for before, hold in self.holds.values() if before < order)

    def splits(self, operation: Operation) -> bool:
        """Whether it is a write to a tag that takes several requests, or another service than its own."""
        if operation.kind is None or operation.explicit:
            return False
        return len(operation.request.data.data) > self._room_to_write(operation) or (
            _WRITE_ON in self._learned.refused and operation.service.code == _WRITE_ON
        )

    def held_by(self, operation: Operation) -> Hold | None:
        """What an operation that is asked alone holds until it is done."""
        if operation.explicit or not operation.elements:
            return None
        if not operation.reads:
            return None if self._known(operation) else _OTHERS
        extent = self._extents.get(operation.key)
        if extent is None:
            return self._held_by_read(operation, _HEAD + UNKNOWN.most * operation.elements, False)
        size = _HEAD + extent.most * operation.elements
        return None if size <= self._sure and self._known(operation) else self._held_by_read(operation, size, True)

    def _known(self, operation: Operation) -> bool:
        """Whether the peer has the service of an operation, or there is none to take its place."""
        code = operation.service.code
        return code == _READ or code not in _FRAGMENTED or operation.explicit or code in self._offered

    def _held_by_read(self, operation: Operation, size: int, known: bool) -> Hold | None:
        """What is held by a read that is sure to be whole if so many octets are, and if its type is known."""
        hold = None if self._known(operation) else _OTHERS
        if size > self._sure:
            return CHANGES.also(hold)
        return hold if known else Hold(reads=frozenset([(operation.tag, operation.key)])).also(hold)

    def _packet(self, first: Operation) -> list[Operation]:
        """The first and as many operations after it as fit into a packet with it."""
        group: list[Operation] = []
        operation: Operation | None = first
        sent, answered = self._around
        held: Hold | None = None
        largest, changing, most_octets = 0, False, self._multiple
        while operation is not None:
            reply, most, known = self._learned.reply_octets(operation, self._room)
            try:
                sent += _OFFSET + operation.octets()
            except Error as exc:
                self.error = exc
                break
            answered += _OFFSET + reply
            if group and (
                sent > most_octets
                or answered > most_octets
                or (held is not None and not held.lets(operation))
                or (self.holds and not self.allows(operation))
                or self.splits(operation)
            ):
                self._ahead = operation
                break
            largest += _OFFSET + most
            hold: Hold | None
            if operation.reads:
                hold = None
                if not known or largest > self._sure or not self._known(operation):
                    hold = self._held_by_read(operation, largest, known)
            else:
                changing = True
                hold = None if self._known(operation) else _OTHERS
            if hold is not None:
                held = hold.also(held)
            group.append(operation)
            operation = self.one()
        if not group:
            return group
        if len(group) == 1:
            held = self.held_by(first)
        elif MULTIPLE.code not in self._offered:  # maybe it is all to be asked again
            held = (ALL if changing else CHANGES).also(held)
        self.hold = held
        return group
