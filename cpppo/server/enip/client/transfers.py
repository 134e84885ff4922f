"""A run of operations in one conversation: the requests that it takes, and the results in the order asked.

Owns: what is asked again or in parts, and results that wait for those before them.
Rule: sans-I/O; the values are those of asking one by one.  Only reads are sent twice, and what the peer does not know.
Must not know how octets travel, how many requests are in flight, nor what results are used for.

A front sends while it has less in flight than it may have, and takes the replies in the order of the requests:

    run = Transfers(exchange, operations)
    while run.ready():              # when it is not, it may be again after the next `take`
        pending, octets = run.issue()
        ...                         # send the octets, and wait until pending.results is there
        results = run.take(pending)
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cpppo.errors import Error, RemoteProtocolError
from cpppo.server.enip.client.exchange import Exchange, Pending, Result
from cpppo.server.enip.client.grouping import ALL, CHANGES, Groups, Order
from cpppo.server.enip.client.operations import Operation, Status, parsed, refusal
from cpppo.server.enip.client.parts import Transfer, Write, plain
from cpppo.server.enip.client.reading import ReadElements, ReadOctets
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.services import REPLY, Service
from cpppo.server.enip.wire.services.multiple import MULTIPLE
from cpppo.server.enip.wire.services.tag import READ_TAG, READ_TAG_FRAGMENTED, WRITE_TAG_FRAGMENTED, TagData

__all__ = ["Transfers"]

#: Requests whose results may wait for those before them; then no further operation is begun.
_HELD = 1000
#: The services that others take the place of, where a peer does not have them.
_FRAGMENTED = (READ_TAG_FRAGMENTED.code, WRITE_TAG_FRAGMENTED.code)


class _Batch:
    """The results of the operations of one request, None where it is not known yet; ``given``: how many were."""

    __slots__ = ("given", "results")

    def __init__(self, results: list[Result | None]) -> None:
        self.results = results
        self.given = 0


class _Place:
    """An operation whose result is not known yet: what there is of it, and where in which batch it belongs.

    ``transfer``: the requests that it takes, or None: it is asked again, alone.  ``refused``: the code of its service,
    if the peer may not have that, and another is tried.  ``result`` and ``batch`` are None until its first request was
    sent, and answered; ``order``: its place among the operations.
    """

    __slots__ = ("at", "batch", "operation", "order", "refused", "result", "transfer")

    def __init__(self, operation: Operation, number: int, at: int = 0, batch: _Batch | None = None) -> None:
        self.operation, self.at, self.batch = operation, at, batch
        self.order: Order = (number, at)
        self.transfer: Transfer | None = None
        self.result: Result | None = None
        self.refused = 0


class Transfers:
    """The requests and the results of some operations.

    :param overlap: whether there may be more than one request in flight; the others as of ``connector.synchronous``.
    """

    #: Whether it is known to take one request.
    alone = False

    def __init__(
        self,
        exchange: Exchange,
        operations: Iterable[Mapping[str, Any] | Operation],
        index: int = 0,
        fragment: bool = False,
        multiple: int = 0,
        overlap: bool = True,
    ) -> None:
        self._exchange, self._learned, self._number = exchange, exchange.learned, index
        self._begun = index
        self._groups = Groups(exchange, operations, fragment, multiple)
        self._simple = not overlap and multiple <= 0
        #: The operations of the next request, and the place of which it is a part.
        self._group: list[Operation] = []
        self._place: _Place | None = None
        #: Places that may have something to send, in their order; and those of the requests in flight.
        self._active: list[_Place] = []
        self._parts: dict[Pending, _Place] = {}
        #: Results that wait for those before them.
        self._held: deque[_Batch] = deque()

    @property
    def issued(self) -> int:
        """How many requests were issued."""
        return self._number - self._begun

    @property
    def error(self) -> Error | None:
        """What is wrong with an operation, or with the peer's replies to one; to be raised after the results before it,
        when nothing is in flight any more.
        """
        return self._groups.error

    # -- what to send

    def ready(self) -> bool:
        """Whether there is a request, which then is to be issued; takes operations from their source, if need be."""
        self._place = None
        if self._active and self._resume():
            return True
        if not self._simple:
            if len(self._held) > _HELD:
                return False
            self._group = self._groups.next()
            if not self._group:
                return False
            operation = self._group[0]
        else:
            one = self._groups.one()
            if one is None:
                return False
            operation, self._group = one, [one]
        if operation.kind is not None and self._groups.splits(operation):
            place = self._place = _Place(operation, self._number)
            place.transfer = write = Write(operation, self._learned, self._exchange.room_to_write(operation))
            self._group = [write.piece()]
            self._groups.holds[place] = place.order, ALL
        return True

    def issue(self) -> tuple[Pending, bytes] | None:
        """(pending, octets to send) of the request that is ready; None if it cannot be sent, as ``error`` tells."""
        place, groups = self._place, self._groups
        try:
            issued = self._exchange.issue(self._group, self._number)
        except Error as exc:
            if place in self._active:
                self._active.remove(place)
            groups.stop(exc)
            return None
        if place is not None:
            self._parts[issued[0]] = place
            if place.result is None:
                one = place.operation
                place.result = Result(self._number, one.description(False), one.asked(), None, 0, None)
        elif groups.hold is not None:
            groups.holds[issued[0]] = (self._number, 0), groups.hold
        self._number += 1
        return issued

    def several(self, most: int) -> list[tuple[Pending, bytes]]:
        """One request at most, of so many: the next ones come of operations that may still be made."""
        issued = self.issue()
        return [] if issued is None else [issued]

    def _resume(self) -> bool:
        """Make what an operation under way has to send the next request, unless there is none, or they have to wait."""
        for place in list(self._active):
            if not self._groups.allows(place.operation, place.order):
                continue
            part = place.operation if place.transfer is None else place.transfer.request()
            if place.transfer is None or part is None:
                self._active.remove(place)
            if part is not None:
                self._place, self._group = place, [part]
                return True
        return False

    # -- what was received

    def take(self, pending: Pending) -> Sequence[Result]:
        """The results that are known now, in the order asked, by a request that was answered: the oldest in flight."""
        results = pending.results
        assert results is not None
        place = self._parts.pop(pending, None) if self._parts else None
        if place is None and not self._held:
            if len(results) == 1 and not results[0].sts:  # the usual case, and of several operations the other one
                operation = pending.operations[0]
                if operation.key not in self._learned.extents:
                    self._learned.learn(operation, results[0].rpy.data)
                if self._simple:
                    return results
                self._learned.offered.add(operation.service.code)
                if self._groups.holds:
                    self._groups.holds.pop(pending, None)
                return results
            if len(results) > 1 and not any([result.sts for result in results]):
                self._all_well(pending, results)
                return results
        try:
            if place is None:
                self._first(pending, results)
            else:
                self._further(place, pending.operations[0], results[0])
        except RemoteProtocolError as exc:
            self._groups.stop(self._exchange.fail(exc))
            self._active.clear()
        return self._due()

    def _all_well(self, pending: Pending, results: Sequence[Result]) -> None:
        """Learn from the replies in a packet all of which are good."""
        learned = self._learned
        learned.offered.add(MULTIPLE.code)
        for operation, result in zip(pending.operations, results, strict=True):
            learned.offered.add(operation.service.code)
            if operation.key not in learned.extents:
                learned.learn(operation, result.rpy.data)
        self._groups.holds.pop(pending, None)

    def _due(self) -> list[Result]:
        """The results for which those before them have been waited."""
        due: list[Result] = []
        while self._held:
            batch = self._held[0]
            for result in batch.results[batch.given :]:
                if result is None:
                    return due
                due.append(result)
                batch.given += 1
            self._held.popleft()
        return due

    def _first(self, pending: Pending, results: Sequence[Result]) -> None:
        """The first results of operations: those that are not the last word keep their places."""
        batch = _Batch([None] * len(results))
        self._held.append(batch)
        packed = len(results) > 1
        refused = packed and results[0].rpy is results[-1].rpy
        if refused and results[0].rpy.status == status.SERVICE_NOT_SUPPORTED:
            self._learned.refused.add(MULTIPLE.code)
        elif packed and not refused:
            self._learned.offered.add(MULTIPLE.code)
        for at, (operation, result) in enumerate(zip(pending.operations, results, strict=True)):
            if refused:
                alone = not _refused_with(operation, result)
            else:
                alone = not packed or not self._cut_short(operation, result)
            step = self._step(operation, result) if alone else operation
            if step is None:
                batch.results[at] = result
            else:
                place = _Place(operation, result.idx, at, batch)
                place.result = result
                self._go_on(place, step)
        self._groups.holds.pop(pending, None)

    def _cut_short(self, operation: Operation, result: Result) -> bool:
        """Whether to ask alone what a packet had too little room for: nothing came that one can go on from."""
        reply = result.rpy
        if not operation.reads or reply.status not in (status.PARTIAL, status.REPLY_TOO_LARGE):
            return False
        if reply.status == status.REPLY_TOO_LARGE or operation.explicit or not operation.elements:
            return True
        return self._lacking(READ_TAG_FRAGMENTED) or not reply.data or not parsed(TagData, reply.data).data

    def _lacking(self, service: Service) -> bool:
        """Whether the peer is known not to have a service."""
        return service.code in self._learned.refused

    def _further(self, place: _Place, operation: Operation, result: Result) -> None:
        """Go on with an operation that takes several requests, by the result of one of them."""
        if place.batch is None:
            place.batch = _Batch([None])
            self._held.append(place.batch)
        if place.batch.results[place.at] is not None:  # it came to its end before this part did
            return
        reply = result.rpy
        if reply.service != operation.service.code | REPLY:  # the route was refused
            self._settle(place, reply, result.sts, result.val)
        elif place.transfer is not None:
            if reply.status in operation.service.answered:
                self._learned.offered.add(operation.service.code)
            self._go_on(place, place.transfer.take(operation, reply))
        else:
            if place.refused and reply.status in operation.service.answered:  # then it was the service indeed
                self._learned.refused |= {place.refused} - self._learned.offered
            step = self._step(operation, result)
            if step is None:
                self._settle(place, reply, result.sts, result.val)
            else:
                self._go_on(place, step)

    def _step(self, operation: Operation, result: Result) -> Operation | Transfer | None:
        """What follows from the result of an operation that was asked whole.

        An operation: it is to be asked instead; a transfer: it goes on; None: this is its result.
        """
        reply, code = result.rpy, operation.service.code
        general, learned = reply.status, self._learned
        if general in operation.service.answered:
            learned.offered.add(code)
            if not general:
                learned.learn(operation, reply.data)
        if not general or operation.explicit or reply.service != code | REPLY:
            return None
        if general == status.SERVICE_NOT_SUPPORTED and code in _FRAGMENTED:
            return plain(operation)
        transfer: Transfer
        if code == READ_TAG.code and general in (status.PARTIAL, status.REPLY_TOO_LARGE):
            if self._lacking(READ_TAG_FRAGMENTED):
                transfer = ReadElements(operation, learned)
            else:
                transfer = ReadOctets(operation, learned, self._exchange.room)
        elif code == READ_TAG_FRAGMENTED.code and general == status.PARTIAL:
            transfer = ReadOctets(operation, learned, self._exchange.room)
        else:
            return None
        return transfer.take(operation, reply)

    def _go_on(self, place: _Place, step: Operation | Transfer) -> None:
        """Send what an operation needs next, or put its result in its place."""
        if isinstance(step, Operation):
            if step is not place.operation:
                place.refused, place.operation = place.operation.service.code, step
            final = place.transfer = None
        else:
            place.transfer, final = step, step.final
        if final is None:
            if place not in self._active:
                insort(self._active, place, key=_order)
            self._groups.holds[place] = place.order, CHANGES if place.operation.reads else ALL
        elif final.status:
            self._settle(place, final, refusal(final), None)
        else:
            sts, val = place.operation.outcome(final)
            self._learned.learn(place.operation, final.data)
            self._settle(place, final, sts, val)

    def _settle(self, place: _Place, reply: Any, sts: Status, val: Any) -> None:
        """Put the result of an operation in its place."""
        assert place.batch is not None and place.result is not None
        place.batch.results[place.at] = place.result._replace(rpy=reply, sts=sts, val=val)
        self._groups.holds.pop(place, None)


def _order(place: _Place) -> Order:
    return place.order


def _refused_with(operation: Operation, result: Result) -> bool:
    """Whether an operation is to be asked alone after the packet that it was in was refused as a whole."""
    general = result.rpy.status
    if general == status.SERVICE_NOT_SUPPORTED:
        return True
    return operation.reads and general in (status.PARTIAL, status.REPLY_TOO_LARGE)
