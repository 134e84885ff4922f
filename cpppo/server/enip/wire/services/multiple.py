"""Multiple Service Packet: several requests in one, several replies in one (CIP volume 1, appendix A)."""

from __future__ import annotations

from typing import Any

from cpppo.grammar import Message, guarded, offsets, payload
from cpppo.server.enip.wire.services import attributes, browse, tag
from cpppo.server.enip.wire.services.base import Service, requests
from cpppo.server.enip.wire.types import UINT

__all__ = ["MULTIPLE", "MEMBERS", "MemberRequest", "Multiple", "MultipleReply"]

#: What may stand in a Multiple Service Packet: everything but another one, and the Connection Manager's.
MEMBERS = (*attributes.SERVICES, *tag.SERVICES, *browse.SERVICES)

MemberRequest: Any = requests(MEMBERS)


class Multiple(Message):
    """The requests; one that is malformed does not spoil the others."""

    request = offsets(guarded(MemberRequest), UINT)


class MultipleReply(Message):
    """The replies, in the order of the requests."""

    reply = offsets(payload(), UINT)


MULTIPLE = Service(0x0A, "Multiple Service Packet", Multiple, MultipleReply, answered=(0x00, 0x1E))
