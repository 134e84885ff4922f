"""The device: its objects and tags, resolving paths to them, and answering requests.

Owns: the directory of objects by class and instance, of tags by name, and the reply to any request, good or bad.
Rule: every request gets a well-formed reply; a resolved path is remembered, never a value, an error or a right.
Must not know frames or sockets.
"""

from __future__ import annotations

import logging
from typing import Any

from cpppo.errors import StatusError, UsageError
from cpppo.grammar import REJECTS, Malformed, prefix
from cpppo.server.enip.device.attribute import Attribute
from cpppo.server.enip.device.identity import LOGIX_L61, Identity, IdentityData
from cpppo.server.enip.device.manager import ConnectionManager
from cpppo.server.enip.device.message_router import MessageRouter
from cpppo.server.enip.device.object import Answer, Context, Meta, Object, Target
from cpppo.server.enip.device.placed import PlacedTags, placed
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services import REPLY, Reply, Request, RequestEnvelope
from cpppo.server.enip.wire.services.multiple import Multiple

__all__ = ["Device"]

log = logging.getLogger("enip.dev")

#: Paths whose resolution is remembered at most.
_TARGETS = 4096


#: Class and attribute numbers are those that 16 bits hold, instance numbers those that 32 do.
_LARGEST = (0xFFFF, 0xFFFFFFFF, 0xFFFF)


class Device:
    """A controller.  ``identity``: its Identity object; ``router``: the Message Router, whose attributes are tags.

    ``strict``: tags refuse other types than their own, as a controller does, also those that would fit.
    """

    def __init__(self, identity: IdentityData = LOGIX_L61, strict: bool = False) -> None:
        self._objects: dict[tuple[int, int], Object] = {}
        self._symbols: dict[str, tuple[str, Object, int]] = {}
        self._targets: dict[Path, Target] = {}
        self.identity = Identity(identity)
        self.router = MessageRouter(self.request)
        for one in (self.identity, self.router, ConnectionManager(self.request)):
            self.add(one)
        self.strict = strict
        self._next = 1

    @property
    def strict(self) -> bool:
        """Whether tags refuse other types than their own."""
        return self.router.strict

    @strict.setter
    def strict(self, strict: bool) -> None:
        self.router.strict = strict

    def add(self, one: Object) -> None:
        """Add an object instance; UsageError if its class has that instance already."""
        place = (one.class_id, one.instance_id)
        if place in self._objects:
            raise UsageError(f"class 0x{place[0]:x} has an instance {place[1]} already")
        self._objects[place] = one
        meta = self._objects.setdefault((one.class_id, 0), Meta(type(one)))
        if isinstance(meta, Meta):
            meta.counted(one.instance_id)
        self._targets.clear()

    def add_tag(self, attribute: Attribute, address: tuple[int, int, int] | None = None) -> Attribute:
        """Add a tag, as the next attribute of the Message Router.

        :param address: a class, instance and attribute to put it at instead; the object is made if there is none.
        :raises UsageError: there is one of that name, or something at that address.
        """
        name = attribute.name.lower()
        if name in self._symbols:
            raise UsageError(
                f"tag {attribute.name!r} exists already, as {self._symbols[name][0]!r}: names are compared without case"
            )
        owner: Object = self.router
        if address is not None:
            owner, number = self._place(attribute.name, address)
        else:
            while self._next in owner.attribute:
                self._next += 1
            number = self._next
        owner.put(number, attribute)
        self._symbols[name] = (attribute.name, owner, number)
        self._targets.clear()
        return attribute

    def _place(self, name: str, address: tuple[int, int, int]) -> tuple[Object, int]:
        """The object and attribute number of an address, which must be free."""
        class_id, instance, number = address
        where = f"tag {name!r} at @0x{class_id:x}/{instance}/{number}"
        if not all(0 < one <= most for one, most in zip(address, _LARGEST, strict=True)):
            raise UsageError(f"{where}: numbers begin at 1, and end at {'/'.join(map(str, _LARGEST))}")
        owner = self._objects.get((class_id, instance))
        if owner is None:
            owner = placed(self.router, class_id, instance)
            self.add(owner)
        elif owner is not self.router and not isinstance(owner, PlacedTags):
            raise UsageError(f"{where}: that is the controller's {owner.name}; choose another class, eg. 0x93")
        if number in owner.attribute:
            raise UsageError(f"{where}: {owner.attribute[number].name!r} is there already; choose another attribute")
        return owner, number

    def tags(self) -> list[Attribute]:
        """Every tag, in the order they were added."""
        return [owner.attribute[number] for _, owner, number in self._symbols.values()]

    def __getitem__(self, name: str) -> Attribute:
        """The tag of a name, without case; KeyError if there is none."""
        _, owner, number = self._symbols[name.lower()]
        return owner.attribute[number]

    # -- resolving

    def resolve(self, path: Path) -> Target:
        """What a path leads to; StatusError 0x04 for names, 0x05 for numbers that are not there."""
        if path.symbol:
            target = self._by_name(path)
        else:
            target = self._by_number(path)
        if len(self._targets) >= _TARGETS:
            self._targets.clear()
        self._targets[path] = target
        return target

    def _by_name(self, path: Path) -> Target:
        found = self._symbols.get(path.symbol[0].lower()) if len(path.symbol) == 1 else None
        if found is None or len(path.segment) != 1 + len(path.element):
            raise StatusError(status.PATH_SEGMENT_ERROR, status.NO_SUCH_SYMBOL)
        _, owner, number = found
        return self._element(path, owner, number, True)

    def _by_number(self, path: Path) -> Target:
        parts = [path.class_id, path.instance, path.attribute, path.connection]
        if len(path.segment) != len(path.element) + sum(one is not None for one in parts):
            raise StatusError(status.PATH_SEGMENT_ERROR, status.NO_SUCH_SYMBOL)
        place = (path.class_id or 0, path.instance or 0)
        owner = self._objects.get(place) if path.connection is None else None
        if owner is None:
            raise StatusError(status.PATH_DESTINATION_UNKNOWN)
        return self._element(path, owner, path.attribute, False)

    @staticmethod
    def _element(path: Path, owner: Object, number: int | None, symbolic: bool) -> Target:
        attribute = owner.attribute.get(number) if number is not None else None
        start = 0
        if path.element and attribute is not None:
            try:
                start = attribute.index(path.element)
            except KeyError:
                raise StatusError(status.LOGIX, status.BEYOND_END) from None
        return Target(owner, number, attribute, start, symbolic)

    # -- answering

    def request(self, request: Any, context: Context) -> Reply:
        """The reply to a request record, or to one that is Malformed (its octets are in the context)."""
        code = 0
        try:
            if request.__class__ is Malformed:
                code = context.octets[request.start] if request.start < request.end else 0
                request = mended(request, context)
            code = request.service
            path = request.path
            target = self._targets.get(path) or self.resolve(path)
            handler = target.services.get(code)
            if handler is None:
                raise StatusError(status.SERVICE_NOT_SUPPORTED)
            answer = handler(target.object, target, request.data, context)
        except StatusError as exc:
            return Reply(code | REPLY, exc.status, exc.extended, b"")
        except Exception as exc:  # whatever a customised Attribute or Object raises must not end the session
            log.warning("service 0x%02x of %s failed: %s: %s", code, request.path, type(exc).__name__, exc)
            log.debug("service 0x%02x failed", code, exc_info=True)
            return Reply(code | REPLY, status.RESOURCE_UNAVAILABLE, (), b"")
        if answer.__class__ is Answer:
            return Reply(code | REPLY, answer.status, answer.extended, answer.data)
        if answer.__class__ is Reply:
            return answer
        return Reply(code | REPLY, status.SUCCESS, (), answer)


def mended(malformed: Malformed, context: Context) -> Any:
    """A request from octets that do not follow the grammar: octets too many are forgiven, all else has its status."""
    octets, start, end = context.octets, malformed.start, malformed.end
    try:
        envelope = RequestEnvelope.parser()(octets, start, end)
    except REJECTS:
        if end - start < 2 or 2 + 2 * octets[start + 1] > end - start:
            raise StatusError(status.PATH_SIZE_INVALID) from None
        raise StatusError(status.PATH_SEGMENT_ERROR, status.NO_SUCH_SYMBOL) from None
    ranked = sorted(context.services, key=lambda one: one.class_id is None)
    fitting = (one for one in ranked if one.code == envelope.service and one.class_id in (None, envelope.path.class_id))
    service = next(fitting, None)
    if service is None or service.request is Multiple:  # its last member extends to its end: there is no "too many"
        raise StatusError(status.NOT_ENOUGH_DATA)
    try:
        data, _ = prefix(service.request)(octets, end - len(envelope.data), end)
    except REJECTS:
        raise StatusError(status.NOT_ENOUGH_DATA) from None
    return Request(envelope.service, envelope.path, data)
