"""The device: a controller that answers requests.

Owns: the reply to any request, good or bad, and the objects that every controller has.
Rule: every request gets a well-formed reply.  Must not know frames or sockets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from cpppo.errors import StatusError
from cpppo.grammar import REJECTS, Malformed, prefix
from cpppo.server.enip.device.controller import Changes, ProgramName, WallClock
from cpppo.server.enip.device.directory import Directory
from cpppo.server.enip.device.identity import LOGIX_L61, Identity, IdentityData
from cpppo.server.enip.device.manager import ConnectionManager
from cpppo.server.enip.device.message_router import MessageRouter
from cpppo.server.enip.device.object import Answer, Context
from cpppo.server.enip.device.profiles import Profile
from cpppo.server.enip.device.target import Target, no_such_symbol
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services import REPLY, Reply, Request, RequestEnvelope
from cpppo.server.enip.wire.services.multiple import Multiple

__all__ = ["Device"]

log = logging.getLogger("enip.dev")


class Device(Directory):
    """A controller.  ``identity``: its Identity object; ``manager``: its Connection Manager.

    :param identity: who it is, or a whole profile.
    :param strict: tags refuse other types than their own, as a controller does, also those that would fit.
    :param name: that of its program.
    :param identity_class: what says who it is; a subclass of ``Identity``.

    ``clock``: gives microseconds since 1970; until somebody sets it, it is always 1970.
    """

    def __init__(
        self,
        identity: IdentityData | Profile = LOGIX_L61,
        strict: bool = False,
        name: str = "Simulator",
        identity_class: type[Identity] = Identity,
    ) -> None:
        profile = identity if isinstance(identity, Profile) else Profile(identity)
        super().__init__(MessageRouter(self.request, packets=not profile.micro800))
        self.micro800 = profile.micro800
        self.identity = identity_class(profile.identity)
        self.manager = ConnectionManager(self.request, profile.identity, profile.large, not profile.micro800)
        self.clock: Callable[[], int] = _epoch
        self.name = name
        own = (ProgramName(name), WallClock(lambda: self.clock()), Changes(self.stamp))
        for one in (self.identity, self.manager, *own):
            self.add(one)
        self.strict = strict

    @property
    def strict(self) -> bool:
        """Whether tags refuse other types than their own."""
        return self.router.strict

    @strict.setter
    def strict(self, strict: bool) -> None:
        self.router.strict = strict

    def resolve(self, path: Path) -> Target:
        if not self.micro800:
            return super().resolve(path)
        try:
            return super().resolve(path)
        except StatusError as exc:
            if exc.status == status.PATH_SEGMENT_ERROR:  # as this family words it
                raise StatusError(status.PATH_DESTINATION_UNKNOWN) from None
            raise

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


def _epoch() -> int:
    return 0


def mended(malformed: Malformed, context: Context) -> Any:
    """A request from octets that do not follow the grammar: octets too many are forgiven, all else has its status."""
    octets, start, end = context.octets, malformed.start, malformed.end
    try:
        envelope = RequestEnvelope.parser()(octets, start, end)
    except REJECTS:
        if end - start < 2 or 2 + 2 * octets[start + 1] > end - start:
            raise StatusError(status.PATH_SIZE_INVALID) from None
        raise no_such_symbol() from None
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
