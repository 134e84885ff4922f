"""The device: its objects and tags, resolving paths to them, and answering requests.

Owns: the directory of objects by class and instance, of tags by name, and the reply to any request, good or bad.
Rule: every request gets a well-formed reply; a resolved path is remembered, never a value, an error or a right.
Must not know frames or sockets.
"""

from __future__ import annotations

import logging
from typing import Any

from cpppo.errors import StatusError
from cpppo.grammar import REJECTS, Malformed, prefix
from cpppo.server.enip.device.attribute import Attribute
from cpppo.server.enip.device.identity import LOGIX_L61, Identity, IdentityData
from cpppo.server.enip.device.manager import ConnectionManager
from cpppo.server.enip.device.object import Answer, Context, Meta, Object, Target
from cpppo.server.enip.device.tags import MessageRouter
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services import REPLY, SERVICES, Reply, Request, RequestEnvelope
from cpppo.server.enip.wire.services.multiple import Multiple

__all__ = ["Device"]

log = logging.getLogger("enip.dev")

#: Paths whose resolution is remembered at most.
_TARGETS = 4096


class Device:
    """A controller.  ``identity``: its Identity object; ``router``: the Message Router, whose attributes are tags."""

    def __init__(self, identity: IdentityData = LOGIX_L61) -> None:
        self._objects: dict[tuple[int, int], Object] = {}
        self._symbols: dict[str, tuple[str, Object, int]] = {}
        self._targets: dict[Path, Target] = {}
        self.identity = Identity(identity)
        self.router = MessageRouter(self.request)
        for one in (self.identity, self.router, ConnectionManager(self.request)):
            self.add(one)

    def add(self, one: Object) -> None:
        """Add an object instance; ValueError if its class has that instance already."""
        place = (one.class_id, one.instance_id)
        if place in self._objects:
            raise ValueError(f"class 0x{place[0]:x} has an instance {place[1]} already")
        self._objects[place] = one
        meta = self._objects.setdefault((one.class_id, 0), Meta(type(one)))
        if isinstance(meta, Meta):
            meta.counted(one.instance_id)
        self._targets.clear()

    def add_tag(self, attribute: Attribute) -> Attribute:
        """Add a tag, as the next attribute of the Message Router; ValueError if there is one of that name."""
        name = attribute.name.casefold()
        if name in self._symbols:
            raise ValueError(f"tag {attribute.name!r} exists already, as {self._symbols[name][0]!r}")
        number = len(self.router.attribute) + 1
        self.router.put(number, attribute)
        self._symbols[name] = (attribute.name, self.router, number)
        return attribute

    def tags(self) -> list[Attribute]:
        """Every tag, in the order they were added."""
        return list(self.router.attribute.values())

    def __getitem__(self, name: str) -> Attribute:
        """The tag of a name, without case; KeyError if there is none."""
        _, owner, number = self._symbols[name.casefold()]
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
        found = self._symbols.get(path.symbol[0].casefold()) if len(path.symbol) == 1 else None
        if found is None or len(path.segment) != 1 + len(path.element):
            raise StatusError(status.PATH_SEGMENT_ERROR, status.NO_SUCH_SYMBOL)
        _, owner, number = found
        return self._element(path, owner, number, True)

    def _by_number(self, path: Path) -> Target:
        if path.class_id is None or path.connection is not None and path.attribute is None:
            owner = None
        else:
            owner = self._objects.get((path.class_id, 0 if path.instance is None else path.instance))
        if owner is None:
            raise StatusError(status.PATH_DESTINATION_UNKNOWN)
        return self._element(path, owner, path.attribute, False)

    @staticmethod
    def _element(path: Path, owner: Object, number: int | None, symbolic: bool) -> Target:
        attribute = owner.attribute.get(number) if number is not None else None
        start = path.element[0] if path.element else 0
        if len(path.element) > 1 or (attribute is not None and start >= len(attribute)):
            raise StatusError(status.LOGIX, status.BEYOND_END)
        return Target(owner, number, attribute, start, bool(path.element), symbolic)

    # -- answering

    def request(self, request: Any, context: Context) -> Reply:
        """The reply to a request record, or to one that is Malformed (its octets are in the context)."""
        code = 0
        try:
            if request.__class__ is Malformed:
                octets = context.octets[request.start : request.end]
                code = octets[0] if octets else 0
                request = mended(octets)
            code = request.service
            path = request.path
            target = self._targets.get(path) or self.resolve(path)
            answer = target.object.service(target, code, request.data, context)
        except StatusError as exc:
            return Reply(code | REPLY, exc.status, exc.extended, b"")
        except Exception as exc:  # whatever a customised Attribute or Object raises must not end the session
            log.warning("service 0x%02x of %s failed: %s: %s", code, request, type(exc).__name__, exc)
            log.debug("service 0x%02x failed", code, exc_info=True)
            return Reply(code | REPLY, status.RESOURCE_UNAVAILABLE, (), b"")
        if answer.__class__ is Answer:
            return Reply(code | REPLY, answer.status, answer.extended, answer.data)
        if answer.__class__ is Reply:
            return answer
        return Reply(code | REPLY, status.SUCCESS, (), answer)


def mended(octets: bytes) -> Any:
    """A request from octets that do not follow the grammar: octets too many are forgiven, all else has its status."""
    try:
        envelope = RequestEnvelope.parser()(octets, 0, len(octets))
    except REJECTS:
        short = len(octets) < 2 or 2 + 2 * octets[1] > len(octets)
        if short:
            raise StatusError(status.PATH_SIZE_INVALID) from None
        raise StatusError(status.PATH_SEGMENT_ERROR, status.NO_SUCH_SYMBOL) from None
    payload = next(
        (
            one.request
            for one in sorted(SERVICES, key=lambda one: one.class_id is None)
            if one.code == envelope.service and one.class_id in (None, envelope.path.class_id)
        ),
        None,
    )
    if payload is None or payload is Multiple:
        raise StatusError(status.NOT_ENOUGH_DATA)
    try:
        data, _ = prefix(payload)(envelope.data, 0, len(envelope.data))
    except REJECTS:
        raise StatusError(status.NOT_ENOUGH_DATA) from None
    return Request(envelope.service, envelope.path, data)
