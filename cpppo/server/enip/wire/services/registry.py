"""All the CIP services spoken, and the request at the outermost level of a conversation."""

from __future__ import annotations

from typing import Any

from cpppo.server.enip.wire.services import connection
from cpppo.server.enip.wire.services.base import Service, requests
from cpppo.server.enip.wire.services.unconnected import EMBEDDED, UNCONNECTED_SEND

__all__ = ["SERVICES", "Request"]

#: Every service spoken.
SERVICES: tuple[Service, ...] = (*EMBEDDED, *connection.SERVICES, UNCONNECTED_SEND)

Request: Any = requests(SERVICES)
