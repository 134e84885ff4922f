"""What a person sees of results: the line of one operation, and the rate of many.

Owns: the words and columns, and what programs see instead.  Rule: pure text; the time is an argument.
Must not know where it is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cpppo.server.enip.client.exchange import Result
from cpppo.server.enip.client.identities import Identity
from cpppo.server.enip.client.operations import Status
from cpppo.server.enip.wire.services.attributes import (
    GET_ATTRIBUTE_SINGLE,
    GET_ATTRIBUTES_ALL,
    SET_ATTRIBUTE_SINGLE,
)
from cpppo.server.enip.wire.services.tag import READ_TAG, READ_TAG_FRAGMENTED, WRITE_TAG, WRITE_TAG_FRAGMENTED
from cpppo.server.enip.wire.status import describe
from cpppo.server.enip.wire.strings import ShortString, kind_of
from cpppo.server.enip.wire.text import format_path
from cpppo.server.enip.wire.types import unpack

__all__ = [
    "failed",
    "format_failure",
    "format_identities",
    "format_rate",
    "format_result",
    "format_status",
    "label",
    "plain_identity",
    "plain_rate",
    "plain_result",
    "printable",
    "table",
    "written",
]

_READS = (READ_TAG.code, READ_TAG_FRAGMENTED.code)
_WRITES = (WRITE_TAG.code, WRITE_TAG_FRAGMENTED.code)
_LABELS = {
    READ_TAG.code: "ReadTag",
    READ_TAG_FRAGMENTED.code: "ReadFrg.",
    WRITE_TAG.code: "WriteTag",
    WRITE_TAG_FRAGMENTED.code: "WriteFrg.",
}
_SERVICES = {
    one.code: one.name
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
#: The columns of a table of devices.
_COLUMNS = ("ADDRESS", "VENDOR", "TYPE", "CODE", "REVISION", "SERIAL", "STATUS", "STATE", "NAME")
#: Characters of a tag's name, and of the bracket with its first and last index.
_NAME, _INDEX = 20, len("[    0-0    ]")


def format_status(status: Status) -> str:
    """``OK`` or ``Status <code> <extended words>``."""
    if status == 0:
        return "OK"
    code, extended = status if isinstance(status, tuple) else (status, "")
    return f"Status {code} {extended}"


def failed(result: Result) -> bool:
    """Whether an operation was refused."""
    return result.val is None


def format_failure(result: Result) -> str:
    """A refused operation and why, in words; eg. ``Single Read  Tag  NOPE returned ...: no such tag``."""
    code, extended = result.sts if isinstance(result.sts, tuple) else (result.sts, [])
    words = describe(code, extended)
    return f"{result.dsc} returned non-zero status: {format_status(result.sts).rstrip()} ({words})"


def written(request: Any) -> list[Any] | None:
    """The values that a request writes, if it writes any."""
    if request.service in _WRITES:
        data = request.data
        kind = kind_of(data.type, data.handle)
        if kind is None:
            return list(data.data)
        return unpack(kind, kind.received(data.data, data.elements)[0] if isinstance(kind, ShortString) else data.data)
    return list(request.data.data) if request.service == SET_ATTRIBUTE_SINGLE.code else None


def format_result(result: Result) -> str:
    """The line of one operation: tag, indices, ``==`` (read) ``<=`` (write) ``??`` (other), values, status."""
    request = result.req
    values = written(request)
    path = request.path
    operator = "==" if request.service in _READS else "??" if values is None else "<="
    shown = result.val if values is None else values
    index = " " * _INDEX
    first = path.segment[-1].as_dict().get("element")
    if request.service in _LABELS and first is not None:
        last = first + request.data.elements - 1
        size = _size(request, result)
        if size is not None:
            first += getattr(request.data, "offset", 0) // size
        index = f"[{first:5d}-{last:<5d}]"
    elif request.service in _LABELS and request.data.elements > 1:
        index = f"[{0:5d}-{request.data.elements - 1:<5d}]"
    return f"{format_path(path):>{_NAME}}{index} {operator} {shown!r}: {format_status(result.sts)!r}"


def _size(request: Any, result: Result) -> int | None:
    """Octets of an element, as far as the request or its reply tells."""
    if request.service in _WRITES:
        kind = kind_of(request.data.type, request.data.handle)
    else:
        octets = result.rpy.data
        kind = kind_of(int.from_bytes(octets[:2], "little"), int.from_bytes(octets[2:4], "little"))
    return None if kind is None or isinstance(kind, ShortString) else kind.size


def label(service: int | None) -> str:
    """The name of a run of operations that all asked for one service, or (None) for several."""
    return _LABELS.get(service, "Tag I/O") if service is not None else "Tag I/O"


def format_rate(name: str, count: int, elapsed_s: float) -> str:
    """How fast ``count`` operations went, eg. ``Client ReadFrg. Average  20.266 TPS (  0.049s ea).``"""
    each = elapsed_s / count if count else 0.0
    rate = 1.0 / each if each else 0.0
    return f"Client {name:<8} Average {rate:7.3f} TPS ({each:7.3f}s ea)."


def plain_result(result: Result, operation: str, time_s: float) -> dict[str, Any]:
    """A result as values that JSON has: what was asked (by an operation's text), and what came of it.

    ``value`` is a list, of a write that of what was written; None if it was refused.  Octets whose type is not known
    are a list of numbers, and what is no number of JSON is text: ``nan inf -inf``.
    """
    code, extended = result.sts if isinstance(result.sts, tuple) else (result.sts, [])
    request = result.req
    values = None if failed(result) else written(request)
    elements = request.data.elements if request.service in _LABELS else None
    return {
        "time": round(time_s, 3),
        "operation": operation,
        "service": _SERVICES[request.service],
        "path": format_path(request.path, elements),
        "status": code,
        "extended": list(extended),
        "words": describe(code, extended),
        "value": _plain(result.val if values is None else values),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, bytes, bytearray)):
        return [_plain(one) for one in value]
    return value


def plain_rate(name: str, count: int, failures: int, elapsed_s: float) -> dict[str, Any]:
    """The rate of many operations as values that JSON has."""
    rate = count / elapsed_s if elapsed_s else 0.0
    return {
        "operations": count,
        "failures": failures,
        "label": name,
        "seconds": round(elapsed_s, 6),
        "tps": round(rate, 3),
    }


def format_identities(devices: Sequence[Identity]) -> list[str]:
    """A table of devices: a heading, and a line each."""
    rows: list[Sequence[str]] = [_COLUMNS]
    for one in devices:
        serial, status = f"0x{one.serial:08x}", f"0x{one.status:04x}"
        numbers = (str(one.vendor), str(one.device_type), str(one.product_code), _revision(one))
        rows.append((_address(one), *numbers, serial, status, str(one.state), printable(one.product_name)))
    return table(rows)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of rows, in columns that are as wide as they need."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def printable(text: str) -> str:
    """Somebody else's text, without what a terminal would act on."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _address(device: Identity) -> str:
    host, port = device.address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _revision(device: Identity) -> str:
    return "{}.{}".format(*device.revision)


def plain_identity(device: Identity) -> dict[str, Any]:
    """A device as values that JSON has; ``address`` as the command line takes it."""
    return {**device._asdict(), "address": _address(device), "revision": _revision(device)}
