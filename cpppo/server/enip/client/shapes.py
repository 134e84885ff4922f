"""How the reply to a request looks that was answered before: all of its octets but a few are the same again.

Owns: telling such a reply by its octets, and taking the values out of it.  Rule: a shape is made of a reply that was
parsed; octets that differ from it anywhere else are none, and are parsed.  Must not know which request is answered.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from cpppo.server.enip.client.operations import Operation
from cpppo.server.enip.client.parts import Part
from cpppo.server.enip.client.pending import Pending, Result
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.services import REPLY, Reply
from cpppo.server.enip.wire.types import BY_CODE, UINT

__all__ = ["Shape", "shape_of"]

#: Octets of a type in front of values, of a reply before its data if there are no extended words, and of the number of
#: members before their offsets.
_TYPE, _HEAD, _COUNT = UINT.size, 4, 2

Unpack = Callable[[bytes], tuple[Any, ...]]


class _Member:
    """The reply to one operation, from octet ``at`` on: its ``status``, and its data after the ``head`` of a type."""

    __slots__ = ("at", "dsc", "head", "operation", "service", "size", "status", "unpack")

    def __init__(self, operation: Operation, result: Result, at: int) -> None:
        data = result.rpy.data
        self.operation, self.at, self.dsc = operation, at + _HEAD + _TYPE, result.dsc
        self.service, self.status = result.rpy.service, result.rpy.status
        self.head, self.size = bytes(data[:_TYPE]), len(data) - _TYPE
        code = BY_CODE[int.from_bytes(self.head, "little")].code
        self.unpack: Unpack | None = None
        if not self.status and not isinstance(operation, Part):
            self.unpack = struct.Struct(f"<{operation.elements}{code}").unpack


class Shape:
    """The reply to the same operations again.  ``own``: whether the results are ours alone, and not a caller's, who
    may change their requests.

    :param octets: the frame; ``hole``: from which octet to which it has what it is matched by.
    """

    __slots__ = ("_begin", "_hole", "_members", "_own", "_same", "_single", "_size", "_split")

    def __init__(self, octets: bytes, hole: tuple[int, int], members: Sequence[_Member], own: bool) -> None:
        start, at = hole
        layout = f"<{start}s{at - start}x"
        for one in members:
            layout += f"{one.at - at}s{one.size}s"
            at = one.at + one.size
        self._size = len(octets)
        self._split = struct.Struct(f"{layout}{self._size - at}s").unpack
        parts = self._split(octets)
        self._begin, self._same = parts[0], parts[1::2]
        self._members, self._own = members, own
        self._hole = hole[1]
        self._single = members[0] if len(members) == 1 and members[0].at + members[0].size == self._size else None

    def results(self, octets: bytes, pending: Pending) -> list[Result] | None:
        """The results of the operations; None if this is not quite such a reply."""
        if len(octets) != self._size:
            return None
        one = self._single
        if one is not None:
            if not octets.startswith(self._begin) or not octets.startswith(self._same[0], self._hole):
                return None
            return [self._result(one, octets[one.at :], pending.index)]
        parts = self._split(octets)
        if parts[0] != self._begin or parts[1::2] != self._same:
            return None
        index, made = pending.index, self._result
        return [made(one, data, index) for one, data in zip(self._members, parts[2::2], strict=True)]

    def _result(self, one: _Member, data: bytes, index: int) -> Result:
        request = one.operation.request if self._own else one.operation.asked()
        values = [] if one.unpack is None else list(one.unpack(data))
        return Result(index, one.dsc, request, Reply(one.service, one.status, [], one.head + data), one.status, values)


def shape_of(pending: Pending, octets: bytes, hole: tuple[int, int], begin: int, own: bool) -> Shape | None:
    """The shape of the reply that a request got; None if the like cannot be told by its octets alone.

    :param begin: where the CIP reply begins in the frame; the others as of ``Shape``.
    """
    assert pending.results is not None
    operations, results = pending.operations, pending.results
    starts = [begin]
    if len(results) > 1:
        table = begin + _HEAD
        offsets = struct.unpack_from(f"<{len(results)}H", octets, table + _COUNT)
        starts = [table + one for one in offsets]
    at = begin
    members = []
    for operation, result, start in zip(operations, results, starts, strict=True):
        reply = result.rpy
        if start < at or not _plain(operation, reply, own):
            return None
        head = bytes((operation.service.code | REPLY, 0, reply.status, 0))
        if octets[start : start + _HEAD] != head or not octets.startswith(reply.data, start + _HEAD):
            return None
        at = start + _HEAD + len(reply.data)
        members.append(_Member(operation, result, start))
    if at != len(octets):
        return None
    return Shape(octets, hole, members, own)


def _plain(operation: Operation, reply: Any, own: bool) -> bool:
    """Whether it is the whole reply to a read of numbers, or that to a part of one, which has no values."""
    if not operation.reads or not operation.elements or reply.extended or len(reply.data) <= _TYPE:
        return False
    kind = BY_CODE.get(int.from_bytes(reply.data[:_TYPE], "little"))
    if kind is None or not kind.code:
        return False
    if isinstance(operation, Part) or (own and reply.status == status.PARTIAL):
        return reply.status in (status.SUCCESS, status.PARTIAL)
    return not reply.status and not operation.offset and len(reply.data) == _TYPE + operation.elements * kind.size
