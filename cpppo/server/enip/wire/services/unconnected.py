"""Unconnected Send: a request for the object at the end of a route (CIP volume 1, chapter 3-5.5.4)."""

from __future__ import annotations

from typing import Any

from cpppo.grammar import Message, drop, guarded, octets
from cpppo.server.enip.wire.path import EPATH
from cpppo.server.enip.wire.services.base import Service, requests
from cpppo.server.enip.wire.services.multiple import MEMBERS, MULTIPLE
from cpppo.server.enip.wire.types import UINT, USINT

__all__ = ["CONNECTION_MANAGER", "EMBEDDED", "UNCONNECTED_SEND", "EmbeddedRequest", "UnconnectedSend"]

#: The class of the object that takes Unconnected Send.
CONNECTION_MANAGER = 0x06

#: What may be sent over a route: everything but another Unconnected Send.
EMBEDDED = (*MEMBERS, MULTIPLE)

EmbeddedRequest: Any = requests(EMBEDDED)


class UnconnectedSend(Message):
    """A request and the route to its target; time-out = ticks * 2 ** (priority & 15) milliseconds."""

    priority = USINT
    ticks = USINT
    length = UINT
    request = guarded(EmbeddedRequest).within(length)
    pad = drop(length % 2)
    hops = USINT
    reserved = drop(1)
    route = EPATH.within(hops * 2)


class UnconnectedSendRefused(Message):
    """What an Unconnected Send that could not be routed answers: the words of route that were left."""

    remaining = octets()


UNCONNECTED_SEND = Service(0x52, "Unconnected Send", UnconnectedSend, UnconnectedSendRefused, CONNECTION_MANAGER, ())
