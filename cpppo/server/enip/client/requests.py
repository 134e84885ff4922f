"""Requests made one by one: from the records that callers hold back to operations, and several in a packet.

Owns: which records can be sent.  Rule: a record of the caller's is copied, so that changing it changes nothing sent.
Must not know frames, sessions, sockets or time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cpppo.errors import LocalProtocolError
from cpppo.server.enip.client.operations import Operation, prepare
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services.attributes import (
    GET_ATTRIBUTE_SINGLE,
    GET_ATTRIBUTES_ALL,
    SET_ATTRIBUTE_SINGLE,
)
from cpppo.server.enip.wire.services.multiple import MULTIPLE, MemberRequest, Multiple
from cpppo.server.enip.wire.services.tag import READ_TAG, READ_TAG_FRAGMENTED, WRITE_TAG, WRITE_TAG_FRAGMENTED
from cpppo.server.enip.wire.text import format_path

__all__ = ["operation_of", "packet"]

_ROUTER = Path.of([{"class": 2}, {"instance": 1}])

_SERVICES = {
    one.code: one
    for one in (
        READ_TAG,
        READ_TAG_FRAGMENTED,
        WRITE_TAG,
        WRITE_TAG_FRAGMENTED,
        GET_ATTRIBUTE_SINGLE,
        GET_ATTRIBUTES_ALL,
        SET_ATTRIBUTE_SINGLE,
    )
}


def operation_of(request: Any) -> Operation:
    """The operation of a request record, as ``connector.read`` and its like give, or of an operation dictionary.

    LocalProtocolError if it is neither.
    """
    if isinstance(request, Mapping):
        return prepare(request)
    service = _SERVICES.get(getattr(request, "service", None) or 0)
    data = getattr(request, "data", None)
    if service is None or not isinstance(data, service.request) or not isinstance(request.path, Path):
        raise LocalProtocolError(
            f"{request!r} is no request; take what read(..., send=False) and the like give, or an operation", "request"
        )
    copied = type(data)(*[getattr(data, name) for name in data._fields_])
    elements, offset = getattr(data, "elements", 0), getattr(data, "offset", 0)
    return Operation(service, request.path, copied, format_path(request.path), elements, offset)


def packet(operations: Sequence[Operation]) -> Any:
    """The record of a Multiple Service Packet of operations, for a caller to keep and change."""
    return MemberRequest(MULTIPLE.code, _ROUTER, Multiple([one.asked() for one in operations]))
