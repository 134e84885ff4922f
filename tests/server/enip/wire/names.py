"""The names that vectors of the wire use: every message, a few paths, and what an opening asks for."""

from __future__ import annotations

from typing import Any

from cpppo.grammar import Malformed, Message
from cpppo.server.enip.wire import header, items
from cpppo.server.enip.wire.path import EPATH, Path
from cpppo.server.enip.wire.services import (
    SERVICES,
    Reply,
    Request,
    RequestEnvelope,
    Service,
    attributes,
    browse,
    connection,
    multiple,
    tag,
    unconnected,
)
from tests.helpers import REFUSED, Vector, load_vectors

__all__ = ["NAMES", "VECTORS", "PathOf", "service_of"]


class PathOf(Message):
    """A path alone."""

    path = EPATH


NAMES: dict[str, Any] = {
    **{name: one for module in (attributes, browse, connection, items, tag) for name, one in vars(module).items()},
    **{name: one for module in (multiple, unconnected, header) for name, one in vars(module).items()},
    **{"Malformed": Malformed, "Path": Path, "PathOf": PathOf, "REFUSED": REFUSED},
    **{"Reply": Reply, "Request": Request, "RequestEnvelope": RequestEnvelope},
    "SCADA": Path.of([{"symbolic": "SCADA"}]),
    "SLOT_0": Path.of([{"port": 1, "link": 0}]),
    "AT_IDENTITY": Path.of([{"class": 1}, {"instance": 1}]),
    "AT_ROUTER": Path.of([{"class": 2}, {"instance": 1}]),
    "AT_MANAGER": Path.of([{"class": 6}, {"instance": 1}]),
    "TO_ROUTER": Path.of([{"port": 1, "link": 0}, {"class": 2}, {"instance": 1}]),
    "SYMBOLS": Path.of([{"class": 0x6B}, {"instance": 0}]),
    "STRUCT_B": Path.of([{"class": 0x6C}, {"instance": 0x2E9}]),
    "OPENING": {
        **{"priority": 10, "ticks": 5, "to_id": 0, "from_id": 1},
        **{"serial": 1, "vendor": 0xF33D, "originator": 0x21504345, "multiplier": 1, "trigger": 0xA3},
        **{"to_rpi": 1000000, "to_parameters": 0x43F8, "from_rpi": 1000000, "from_parameters": 0x43F8},
    },
}

#: Every vector, by file.
VECTORS: dict[str, list[Vector]] = {
    name: load_vectors(name) for name in ("paths", "requests", "connections", "replies", "frames")
}


def service_of(request: Any) -> Service:
    """The service that a request asks for: some codes mean something else at one class."""
    found = {one.class_id: one for one in SERVICES if one.code == request.service}
    return found.get(request.path.class_id) or found[None]
