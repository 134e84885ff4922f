"""The names that vectors of the wire use: every message, and a few paths."""

from __future__ import annotations

from typing import Any

from cpppo.grammar import Malformed, Message
from cpppo.server.enip.wire import header, items
from cpppo.server.enip.wire.path import EPATH, Path
from cpppo.server.enip.wire.services import Reply, Request, RequestEnvelope, attributes, multiple, tag, unconnected
from tests.helpers import REFUSED, Vector, load_vectors

__all__ = ["NAMES", "VECTORS", "PathOf"]


class PathOf(Message):
    """A path alone."""

    path = EPATH


NAMES: dict[str, Any] = {
    **{name: one for module in (attributes, items, tag) for name, one in vars(module).items()},
    **{name: one for module in (multiple, unconnected, header) for name, one in vars(module).items()},
    **{"Malformed": Malformed, "Path": Path, "PathOf": PathOf, "REFUSED": REFUSED},
    **{"Reply": Reply, "Request": Request, "RequestEnvelope": RequestEnvelope},
    "SCADA": Path.of([{"symbolic": "SCADA"}]),
    "SLOT_0": Path.of([{"port": 1, "link": 0}]),
    "AT_IDENTITY": Path.of([{"class": 1}, {"instance": 1}]),
    "AT_ROUTER": Path.of([{"class": 2}, {"instance": 1}]),
    "AT_MANAGER": Path.of([{"class": 6}, {"instance": 1}]),
}

#: Every vector, by file.
VECTORS: dict[str, list[Vector]] = {name: load_vectors(name) for name in ("paths", "requests", "replies", "frames")}
