"""What a CIP service is: its code, its name, and the payloads of request and reply.

Owns: Service, and the request message made over a set of services.
Rule: adding a service is one declaration in one file beside this one.  Must not know what a service does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cpppo.grammar import Message, attr, field, octets, switch
from cpppo.server.enip.wire.path import EPATH
from cpppo.server.enip.wire.types import USINT

__all__ = ["REPLY", "RequestEnvelope", "Service", "requests"]

#: Services that most requests ask for: Read Tag Fragmented (or Unconnected Send) and Read Tag.
_LIKELY = (0x52, 0x4C)

#: Added to a request's service code in its reply.
REPLY = 0x80


class Service(NamedTuple):
    """A CIP service.  ``class_id``: the one object class that means this by the code (None: any other)."""

    code: int
    name: str
    request: type[Message]
    reply: type[Message]
    class_id: int | None = None
    #: General statuses whose reply carries the reply payload.
    answered: tuple[int, ...] = (0x00,)
    #: Whether it can be asked of an attribute by its name alone.
    symbolic: bool = False
    #: Whether clients mostly send the same requests for it, octet by octet, again and again.
    repeats: bool = False


class RequestEnvelope(Message):
    """Any request, its payload left as octets: what can be said of a request that is otherwise malformed."""

    service = USINT
    size = USINT
    path = EPATH.within(size * 2)
    data = octets()


def requests(services: Sequence[Service]) -> type[Any]:
    """The request message over some services; of others the payload stays octets."""
    table: dict[int, Any] = {}
    for code in sorted({service.code for service in services}):
        by_class = {one.class_id: one.request for one in services if one.code == code}
        general = by_class.pop(None, octets())
        by_path = (
            switch(attr(field("path"), "class_id"), by_class, default=general, likely=by_class) if by_class else None
        )
        table[code] = by_path or general
    likely = [code for code in _LIKELY if code in table]

    class Request(Message):
        service = USINT
        size = USINT
        path = EPATH.within(size * 2)
        data = switch(service, table, default=octets(), likely=likely)

    return Request
