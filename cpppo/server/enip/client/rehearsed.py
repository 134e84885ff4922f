"""Reads that are done again and again: how they were done, and doing them that way.

Owns: Batch, what is read at once, and Way, the requests that it took.  Rule: once a reply is not as it was, all of the
batch is read anew, as if for the first time: reading twice harms nobody.  Must not know frames.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cpppo.errors import Error
from cpppo.server.enip.client.exchange import Exchange, Pending, Result, Shot
from cpppo.server.enip.client.operations import Operation, known
from cpppo.server.enip.client.transfers import Transfers
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.services import REPLY, Reply
from cpppo.server.enip.wire.types import BY_CODE, UINT

__all__ = ["Again", "Batch", "Once", "Run", "run_of"]

#: Octets of a type in front of values.
_TYPE = UINT.size
#: How often a batch is done before it is done as it was: first the types of tags are learnt, then the requests settle.
_REHEARSALS = 2


class _Piece(NamedTuple):
    """What a request gave for an operation: from octet ``start`` on, of which request and member it is; its size."""

    start: int
    request: int
    member: int
    size: int


class _Joined(NamedTuple):
    """An operation whose data came in the replies to several requests, in their order: its ``head`` is the type.

    ``pieces``: of each the request and the member.
    """

    operation: Operation
    pieces: tuple[tuple[int, int], ...]
    head: bytes
    unpack: struct.Struct


class Way(NamedTuple):
    """How a batch was done over a conversation.

    ``once``: whether one request has all, in the order of the batch; ``sizes``: octets of data after the type, of each
    member of the reply to each of the ``shots``; ``places``: for each operation of the batch the request and the member
    that answer it, or of what it is joined.
    """

    exchange: Exchange
    multiple: int
    once: bool
    shots: Sequence[Shot]
    sizes: Sequence[Sequence[int]]
    places: Sequence[tuple[int, int] | _Joined]


class Batch(tuple[Operation, ...]):
    """Reads of tags that are done at once, maybe many times.  ``way``: how, once that is known."""

    way: Way | None = None
    rehearsals = 0

    def forget(self) -> None:
        """It is not done any more as it was."""
        self.way, self.rehearsals = None, 0


def run_of(
    exchange: Exchange, operations: Iterable[Mapping[str, Any] | Operation], *, multiple: int, **kwds: Any
) -> Run:
    """What makes the requests for some operations: as they were made before, if they are reads that were.

    The keywords are those of ``Transfers``.
    """
    kind = operations.__class__
    if kind is Batch:
        batch: Any = operations
        way = batch.way
        if way is not None and (way.exchange is not exchange or way.multiple != multiple):
            batch.forget()  # a new conversation has to learn the types first, too
            way = None
        if way is None:
            return _Rehearsal(exchange, batch, multiple)
        return Once(exchange, way.shots[0], 0, batch, multiple) if way.once else Again(batch, way)
    if multiple <= 0 and (kind is list or kind is tuple):
        given: Any = operations
        if len(given) == 1 and given[0].__class__ is dict and "data" not in given[0]:
            one = known(given[0], kwds.get("fragment", False))
            if one is not None and one.shape is not None:
                return Once(exchange, (one,), kwds.get("index", 0), None, 0)
    return Transfers(exchange, operations, multiple=multiple, **kwds)


class _Rehearsal(Transfers):
    """The requests and results of a batch, which remembers how it was done."""

    def __init__(self, exchange: Exchange, batch: Batch, multiple: int) -> None:
        super().__init__(exchange, batch, multiple=multiple)
        self._batch, self._multiple = batch, multiple
        #: What was answered, and the operation of which it is a part.
        self._answered: list[tuple[Pending, Operation | None]] = []
        self._given = 0

    def take(self, pending: Pending) -> Sequence[Result]:
        place = self._parts.get(pending)
        self._answered.append((pending, None if place is None else place.operation))
        found = super().take(pending)
        self._given += len(found)
        batch = self._batch
        if self._given == len(batch) and self.error is None:
            batch.rehearsals += 1
            if batch.rehearsals >= _REHEARSALS:
                batch.way = _way(self._exchange, self._multiple, batch, self._answered)
        return found


def _way(
    exchange: Exchange, multiple: int, batch: Batch, answered: Sequence[tuple[Pending, Operation | None]]
) -> Way | None:
    """The way that a batch was done; None if its requests are not the same each time, or not all were answered."""
    pieces: dict[int, list[_Piece]] = {id(one): [] for one in batch}
    if len(pieces) != len(batch):  # the same twice: which is which
        return None
    sizes = []
    for request, (pending, whole) in enumerate(answered):
        results = pending.results or ()
        sizes.append([len(one.rpy.data) - _TYPE for one in results])
        for member, (operation, result) in enumerate(zip(pending.operations, results, strict=True)):
            if result.rpy.status not in (status.SUCCESS, status.PARTIAL):
                return None
            pieces[id(whole or operation)].append(_Piece(operation.offset, request, member, sizes[-1][member]))
    places = []
    for operation in batch:
        found = sorted(pieces[id(operation)])
        pending = answered[found[0].request][0]
        place = _place(operation, found, (pending.results or ())[found[0].member])
        if place is None:
            return None
        places.append(place)
    shots = [Shot(pending.operations) for pending, _ in answered]
    once = len(shots) == 1 and all(one is other for one, other in zip(shots[0], batch, strict=True))
    return Way(exchange, multiple, once, shots, sizes, places)


def _place(operation: Operation, pieces: Sequence[_Piece], first: Result) -> tuple[int, int] | _Joined | None:
    """Where the data of an operation is; None if the pieces are not just all of it."""
    if len(pieces) == 1:
        return (pieces[0].request, pieces[0].member) if not first.rpy.status else None
    head = bytes(first.rpy.data[:_TYPE])
    kind = BY_CODE.get(int.from_bytes(head, "little"))
    end = 0
    for one in pieces:
        if one.start != end:
            return None
        end += one.size
    if kind is None or not kind.code or end != operation.elements * kind.size:
        return None
    unpack = struct.Struct(f"<{operation.elements}{kind.code}")
    return _Joined(operation, tuple((one.request, one.member) for one in pieces), head, unpack)


class Once:
    """The one request that some reads took before; used like ``Transfers``.

    :param batch: that they are, or None: the one operation that is in ``shot``.
    """

    __slots__ = ("_anew", "_batch", "_exchange", "_index", "_multiple", "_own_error", "_shot", "issued")

    #: It takes one request.
    alone = True

    def __init__(
        self, exchange: Exchange, shot: Sequence[Operation], index: int, batch: Batch | None, multiple: int
    ) -> None:
        self._exchange, self._shot, self._index, self._batch, self._multiple = exchange, shot, index, batch, multiple
        self.issued = 0
        self._anew: Transfers | None = None
        self._own_error: Error | None = None

    @property
    def error(self) -> Error | None:
        return self._own_error if self._anew is None else self._anew.error

    def ready(self) -> bool:
        """Whether there is a request, which then is to be issued."""
        if self._anew is None:
            return not self.issued and self._own_error is None
        return self._anew.ready()

    def issue(self) -> tuple[Pending, bytes] | None:
        """(pending, octets to send) of the request that is ready; None if it cannot be sent, as ``error`` tells."""
        if self._anew is not None:
            return self._anew.issue()
        try:
            issued = self._exchange.issue(self._shot, self._index)
        except Error as exc:
            self._own_error = exc
            return None
        self.issued = 1
        return issued

    def several(self, most: int) -> list[tuple[Pending, bytes]]:
        """One request at most."""
        issued = self.issue()
        return [] if issued is None else [issued]

    def take(self, pending: Pending) -> Sequence[Result]:
        """The results, by the request that was answered; none if all is to be read anew."""
        if self._anew is not None:
            return self._anew.take(pending)
        results = pending.results
        assert results is not None
        for one in results:
            if one.sts:
                break
        else:
            return results
        if self._batch is None:
            self._anew = Transfers(self._exchange, self._shot, self._index)
        else:
            self._batch.forget()
            self._anew = _Rehearsal(self._exchange, self._batch, self._multiple)
        return ()


class Again:
    """The requests and the results of a batch, as it was done before; used like ``Transfers``."""

    alone = False

    def __init__(self, batch: Batch, way: Way) -> None:
        self._batch, self._way = batch, way
        self.issued = 0
        self._replies: list[Sequence[Result]] = []
        self._as_it_was = True
        self._error: Error | None = None
        #: What reads it all anew, if need be.
        self._anew: Transfers | None = None

    @property
    def error(self) -> Error | None:
        return self._error if self._anew is None else self._anew.error

    def ready(self) -> bool:
        """Whether there is a request, which then is to be issued."""
        if self._anew is None and not self._as_it_was and len(self._replies) == self.issued:
            self._batch.forget()
            self._anew = _Rehearsal(self._way.exchange, self._batch, self._way.multiple)
        if self._anew is not None:
            return self._anew.ready()
        return self._as_it_was and self._error is None and self.issued < len(self._way.shots)

    def issue(self) -> tuple[Pending, bytes] | None:
        """(pending, octets to send) of the request that is ready; None if it cannot be sent, as ``error`` tells."""
        if self._anew is not None:
            return self._anew.issue()
        try:
            issued = self._way.exchange.issue(self._way.shots[self.issued], self.issued)
        except Error as exc:
            self._error = exc
            return None
        self.issued += 1
        return issued

    def several(self, most: int) -> list[tuple[Pending, bytes]]:
        """Up to so many requests at once; none if the one that is ready cannot be sent."""
        if self._anew is not None:
            return self._anew.several(most)
        found: list[tuple[Pending, bytes]] = []
        while len(found) < most and self.ready():
            issued = self.issue()
            if issued is None:
                break
            found.append(issued)
        return found

    def take(self, pending: Pending) -> Sequence[Result]:
        """The results that are known now, by a request that was answered, the oldest in flight: all at the end."""
        if self._anew is not None:
            return self._anew.take(pending)
        results = pending.results
        assert results is not None
        sizes = self._way.sizes[len(self._replies)]
        self._replies.append(results)
        for result, size in zip(results, sizes, strict=True):
            if result.sts not in (status.SUCCESS, status.PARTIAL) or len(result.rpy.data) - _TYPE != size:
                self._as_it_was = False
        if not self._as_it_was or len(self._replies) < len(self._way.shots):
            return ()
        replies = self._replies
        found = []
        for place in self._way.places:
            whole = _joined(place, replies) if isinstance(place, _Joined) else replies[place[0]][place[1]]
            if whole is None or whole.sts:
                self._as_it_was = False
                return ()
            found.append(whole)
        return found


#: What makes requests, and takes what answers them.
Run = Transfers | Again | Once


def _joined(place: _Joined, replies: Sequence[Sequence[Result]]) -> Result | None:
    """The result of an operation, from the replies to its parts; None if these are of another type now."""
    parts = [replies[request][member] for request, member in place.pieces]
    if not all([one.rpy.data.startswith(place.head) for one in parts]):
        return None
    octets = b"".join([one.rpy.data[_TYPE:] for one in parts])
    reply = Reply(place.operation.service.code | REPLY, status.SUCCESS, [], place.head + octets)
    return parts[0]._replace(rpy=reply, sts=status.SUCCESS, val=list(place.unpack.unpack(octets)))
