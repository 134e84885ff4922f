"""Tag-level conversations: from names and values to operations and back, knowing what the controller has.

Owns: Knowledge, what is known of a controller, and the flows that use it.  Rule: sans-I/O, as in catalog.py; a front
drives a flow by doing its operations.  Must not know sockets, files or clocks.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from cpppo.errors import Error, LocalProtocolError, RemoteProtocolError
from cpppo.server.enip.client.catalog import Catalog, Flow, IdentityObject, Kept, browse, changes, identify
from cpppo.server.enip.client.operations import Operation
from cpppo.server.enip.client.pending import failure
from cpppo.server.enip.client.places import UnknownTag, find
from cpppo.server.enip.client.planner import Plan, plan_reads, plan_writes
from cpppo.server.enip.client.rehearsed import Batch
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services.attributes import (
    GET_ATTRIBUTE_LIST,
    SET_ATTRIBUTE_LIST,
    AttributeList,
    AttributeValues,
)
from cpppo.server.enip.wire.services.tag import RMW_TAG, WRITE_TAG, WRITE_TAG_FRAGMENTED
from cpppo.server.enip.wire.types import UINT, ULINT

__all__ = ["Knowledge", "OutcomeUnknown", "changing", "first_refused", "follow", "from_clock", "to_clock"]

T = TypeVar("T")

#: Services after which it matters whether they were done.
_CHANGING = frozenset({WRITE_TAG, WRITE_TAG_FRAGMENTED, RMW_TAG, SET_ATTRIBUTE_LIST})

#: Places whose plans are remembered, of all that was asked.
_REMEMBERED = 20_000

_CLOCK = Path.of([{"class": 0x8B}, {"instance": 1}])
_TIME, _SET_TIME = 11, 6
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class OutcomeUnknown(Error):
    """The connection was lost after a write was sent and before it was answered: it may have been done, or not."""


def follow(flow: Flow[T], perform: Callable[[Sequence[Operation]], Iterable[Any]]) -> T:
    """What a flow returns; ``perform`` does its operations, and gives their results."""
    try:
        operations = next(flow)
        while True:
            operations = flow.send(list(perform(operations)))
    except StopIteration as done:
        value: T = done.value
        return value


def changing(operations: Sequence[Operation]) -> bool:
    """Whether any of some operations changes something in the controller."""
    return operations.__class__ is not Batch and any(one.service in _CHANGING for one in operations)


def first_refused(values: Iterable[Any]) -> None:
    """Raise the first of some values that is an error."""
    for one in values:
        if isinstance(one, Exception):
            raise one


def from_clock(microseconds: int) -> datetime.datetime:
    """The time that a controller's clock tells, in UTC."""
    return _EPOCH + datetime.timedelta(microseconds=microseconds)


def to_clock(time: datetime.datetime) -> int:
    """What a controller's clock is set to for a time; LocalProtocolError for one without time zone."""
    if time.tzinfo is None:
        raise LocalProtocolError("the time has no time zone; eg. datetime.now(timezone.utc)", "clock")
    return (time - _EPOCH) // datetime.timedelta(microseconds=1)


class _Asked:
    """Texts that were asked for at once: the plan of those that are there, and what is wrong with the others."""

    __slots__ = ("catalog", "plan", "unknown")

    def __init__(self, texts: Iterable[str], catalog: Catalog) -> None:
        self.catalog = catalog
        #: By the number of the text.
        self.unknown: dict[int, str] = {}
        places = []
        for number, text in enumerate(texts):
            try:
                places.append(find(text, catalog))
            except UnknownTag as exc:
                self.unknown[number] = str(exc)
        self.plan = plan_reads(places)

    def values(self, results: Sequence[Any]) -> list[Any]:
        """For each text its value, or an error."""
        found = self.plan.values(results)
        for number, reason in self.unknown.items():
            found.insert(number, UnknownTag(reason))
        return found


class Knowledge:
    """What is known of a controller.  ``catalog``: None until it was asked for.

    ``kept``: the one of before, good as long as the controller's stamps are those it had then; a new one is put there.
    A controller without stamps is always asked.
    """

    def __init__(self, kept: Kept | None = None) -> None:
        self.catalog: Catalog | None = None
        self.kept = kept
        #: What was asked before, of so many places in all: most programs ask the same again and again.
        self._asked: dict[tuple[str, ...], _Asked] = {}
        self._places = 0

    def forget(self) -> None:
        """The controller may have another program now."""
        self.catalog = None

    def known(self) -> Flow[Catalog]:
        """The catalog, asked for if need be."""
        if self.catalog is None:
            stamps = yield from changes()
            if self.kept is not None and stamps == self.kept.stamps:
                self.catalog = self.kept.catalog
            else:
                self.catalog = yield from browse()
                self.kept = None if stamps is None else Kept(stamps, self.catalog)
        return self.catalog

    def identity(self) -> Flow[IdentityObject]:
        """Who the controller is."""
        return (yield from identify())

    def plan(self, texts: Sequence[str]) -> Flow[Plan]:
        """The plan of reading places; UnknownTag for those that are not there."""
        catalog = yield from self.known()
        return plan_reads([find(text, catalog) for text in texts])

    def read(self, texts: tuple[str, ...]) -> Flow[list[Any]]:
        """The value of each place, in its place the error of one that cannot be read."""
        catalog = self.catalog
        if catalog is None:
            catalog = yield from self.known()
        try:
            asked = self._asked.get(texts)
        except TypeError:  # there is a list among them, say: it is told below what they have to be
            asked = None
        if asked is None or asked.catalog is not catalog:
            asked = _Asked(texts, catalog)
            if len(texts) <= _REMEMBERED:
                self._places += len(texts)
                if self._places > _REMEMBERED:  # start afresh, never grow
                    self._asked.clear()
                    self._places = len(texts)
                self._asked[texts] = asked
        return asked.values((yield asked.plan.operations) if asked.plan.reads else ())

    def write(self, values: Mapping[str, Any]) -> Flow[list[Any]]:
        """For each place None, or the StatusError that it got; all values are checked before anything is sent."""
        catalog = yield from self.known()
        places = [find(text, catalog) for text in values]
        writes = plan_writes(places, list(values.values()))
        results = yield [one.operation for one in writes]
        found: list[Any] = [None] * len(places)
        for write, result in zip(writes, results, strict=True):
            if result.val is None and found[write.place] is None:
                found[write.place] = failure(result, f"{places[write.place].text} was not written")
        return found

    def clock(self) -> Flow[int]:
        """The controller's clock: microseconds since 1970."""
        (result,) = yield [Operation(GET_ATTRIBUTE_LIST, _CLOCK, AttributeList([_TIME]), "@0x8B/1")]
        if result.val is None:
            raise failure(result, "the clock was not read")
        octets = bytes(result.rpy.data)
        if len(octets) != 14 or octets[4:6] != bytes(2):
            raise RemoteProtocolError("the controller does not tell its time", "clock")
        return ULINT.unpack(octets[6:])

    def set_clock(self, microseconds: int) -> Flow[None]:
        """Set the controller's clock."""
        data = AttributeValues(1, UINT.produce(_SET_TIME) + ULINT.produce(microseconds))
        (result,) = yield [Operation(SET_ATTRIBUTE_LIST, _CLOCK, data, "@0x8B/1")]
        if result.val is None or result.sts:
            raise failure(result, "the clock was not set")
