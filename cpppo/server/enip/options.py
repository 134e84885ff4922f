"""What the command lines of server and client share: addresses, verbosity, and tags of the simulator.

Owns: reading them from text.  Rule: text that cannot be understood raises UsageError, saying what to write instead.
Must not know sockets or devices.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TextIO

from cpppo.errors import UsageError
from cpppo.grammar import Scalar
from cpppo.server.enip.wire.header import PORT
from cpppo.server.enip.wire.types import DWORD, INT, TYPES
from cpppo.version import __version__

__all__ = [
    "ADDRESS",
    "TagSpec",
    "add_verbosity",
    "format_address",
    "parse_address",
    "parse_tag",
    "read_lines",
]

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


def parse_address(text: str, default: tuple[str, int] = ADDRESS) -> tuple[str, int]:
    """(host, port) of ``[host][:port]``, an IPv6 host in brackets: ``[::1]:44818``."""
    match = re.fullmatch(r"(\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^:\[\]]*))(:(?P<port>[0-9]*))?", text.strip())
    if match is None:
        raise UsageError(f"address {text!r} is not [host][:port]; eg. localhost:44818, :44818 or [::1]:44818")
    digits = (match["port"] or str(default[1])).lstrip("0") or "0"
    if len(digits) > 5 or int(digits) > 65535:
        raise UsageError(f"address {text[:60]!r}: the port is beyond 65535")
    if match["host"] and match["host"].isdecimal():
        raise UsageError(f"address {text[:60]!r} is no host; a port alone is written :{match['host'][:20]}")
    host = match["six"] or match["host"] or default[0]
    if not host.isascii():
        raise UsageError(f"address {text[:60]!r}: {host[:50]!r} is no host name or address")
    return host, int(digits)


def format_address(address: tuple[str, int]) -> str:
    """The text of (host, port) that ``parse_address`` reads."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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


def read_lines(given: Iterable[str], stream: TextIO) -> Iterator[str]:
    """Texts from a command line, each ``-`` replaced by the lines of a stream (empty ones and # comments left out)."""
    for text in given:
        if text != "-":
            yield text
            continue
        try:
            for line in stream:
                if line.strip() and not line.lstrip().startswith("#"):
                    yield line.strip()
        except UnicodeDecodeError as exc:
            raise UsageError(f"standard input is not {exc.encoding} text: {exc.reason}") from exc


def add_verbosity(parser: argparse._ActionsContainer) -> None:
    """The -v option, and --version."""
    parser.add_argument("--version", action="version", version=f"cpppo {__version__}")
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="say more of what happens; up to -vvvv for everything"
    )
