"""Tags as the simulator's command line declares them, and its standard address.

Owns: reading them from text.  Rule: text that cannot be understood raises UsageError, saying what to write instead.
Must not know sockets or devices.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from cpppo.errors import UsageError
from cpppo.grammar import Scalar
from cpppo.server.enip.wire.header import PORT
from cpppo.server.enip.wire.types import DWORD, INT, TYPES

__all__ = ["ADDRESS", "TagSpec", "parse_tag"]

#: The default address: all interfaces, and the port registered for EtherNet/IP.
ADDRESS = ("", PORT)

#: Elements a tag may have at most: the widest element number is 32 bits, its octets must fit in memory.
MAXIMUM_ELEMENTS = 16_777_216

#: Characters that a symbolic path segment can hold.
_NAME_LENGTH = 255

_TAG = re.compile(r"(?P<name>[^=\[\]]+)(=(?P<type>[^\[\]=]*))?(\[(?P<count>[^\]]*)\])?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(:[A-Za-z0-9_]+)*")


class TagSpec(NamedTuple):
    """A tag of the simulator; ``elements`` None is a scalar."""

    name: str
    type: Scalar[Any]
    elements: int | None


def parse_tag(text: str) -> TagSpec:
    """A tag of ``name[=TYPE][[count]]``; the default is a scalar INT."""
    match = _TAG.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"tag {text!r} is not name=TYPE[count]; eg. SCADA=INT[1000] or Level=REAL")
    name = match["name"].strip()
    if len(name) > _NAME_LENGTH:
        raise UsageError(f"tag {name[:40]!r}...: its name is longer than {_NAME_LENGTH} characters")
    if not _NAME.fullmatch(name):
        raise UsageError(f"tag {text!r}: {name!r} is no tag name; use letters, digits and _, no digit first")
    known = ", ".join(TYPES)
    kind = INT
    if match["type"] is not None:
        found = TYPES.get(match["type"].strip().upper())
        if found is None:
            raise UsageError(f"tag {text!r}: unknown type {match['type'].strip()!r}; one of {known}")
        kind = found
    if match["count"] is None:
        return TagSpec(name, kind, None)
    size = match["count"].strip()
    if not re.fullmatch("0*[1-9][0-9]{0,8}", size, re.ASCII) or int(size[-9:]) > MAXIMUM_ELEMENTS or len(size) > 99:
        raise UsageError(
            f"tag {text[:60]!r}: size {size[:20]!r} is not a number of 1 to {MAXIMUM_ELEMENTS};"
            f" eg. {name}={kind.name}[10]"
        )
    count = int(size)
    if kind.name == "BOOL":  # a controller keeps arrays of BOOL in DWORDs, and serves those
        return TagSpec(name, DWORD, -(-count // 32))
    return TagSpec(name, kind, count)
