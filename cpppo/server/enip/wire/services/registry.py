"""All the CIP services spoken, and the request at the outermost level of a conversation."""

from __future__ import annotations

from typing import Any

from cpppo.server.enip.wire.services import connection
from cpppo.server.enip.wire.services.base import Service, requests
from cpppo.server.enip.wire.services.unconnected import EMBEDDED, UNCONNECTED_SEND, UnconnectedSend

__all__ = ["SERVICES", "Request", "repeats"]

#: Every service spoken.
SERVICES: tuple[Service, ...] = (*EMBEDDED, *connection.SERVICES, UNCONNECTED_SEND)

Request: Any = requests(SERVICES)

_REPEATED = frozenset(service.request for service in SERVICES if service.repeats)


def repeats(request: Any) -> bool:
    """Whether the same request, octet by octet, is likely to come again; it may be sent over a route."""
    data = getattr(request, "data", None)
    return data.__class__ in _REPEATED or (data.__class__ is UnconnectedSend and repeats(data.request))
