"""What is shown of a controller as a whole: who it is, its tags and its structures; for people and for programs.

Owns: the words and columns.  Rule: pure text.  Must not know where it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cpppo.server.enip.client.catalog import Catalog, IdentityObject, TagInfo
from cpppo.server.enip.client.report import printable, table
from cpppo.server.enip.wire.structures import Member, Structure

__all__ = ["format_catalog", "format_controller", "plain_catalog", "plain_controller"]


def format_controller(one: IdentityObject) -> str:
    """The line of a controller: its name, and the numbers that tell which one it is."""
    return (
        f"{printable(one.product_name)}  vendor {one.vendor}  type {one.device_type}  code {one.product_code}  "
        f"revision {_revision(one)}  serial 0x{one.serial:08x}  status 0x{one.status:04x}"
    )


def plain_controller(one: IdentityObject) -> dict[str, Any]:
    """A controller as values that JSON has."""
    return {**one._asdict(), "revision": _revision(one)}


def _revision(one: IdentityObject) -> str:
    return "{}.{}".format(*one.revision)


def format_catalog(catalog: Catalog) -> Iterator[str]:
    """A table of the tags, then of each structure a heading and its members."""
    tags = _sorted(catalog)
    yield ""
    if not tags:
        yield "no tags"
        return
    yield from table(
        [("TAG", "TYPE", "ACCESS"), *((printable(one.name), printable(one.type), one.access) for one in tags)]
    )
    for kind in sorted(catalog.types.values(), key=lambda kind: kind.name.lower()):
        yield ""
        yield f"{printable(kind.name)}, a structure of {kind.size} octets:"
        yield from table([(f"  {printable(one.name)}", printable(_type(one))) for one in _shown(kind)])


def plain_catalog(catalog: Catalog) -> Iterator[dict[str, Any]]:
    """An object of each tag, then of each structure, as values that JSON has."""
    for one in _sorted(catalog):
        yield {
            "tag": one.name,
            "type": None if one.kind is None else one.kind.name,
            "dimensions": list(one.shape),
            "access": one.access,
        }
    for kind in sorted(catalog.types.values(), key=lambda kind: kind.name.lower()):
        members = [{"name": one.name, "type": one.kind.name, "count": one.count} for one in _shown(kind)]
        yield {"structure": kind.name, "size": kind.size, "members": members}


def _sorted(tags: Iterable[TagInfo]) -> list[TagInfo]:
    """By name; those of programs after the others."""
    return sorted(tags, key=lambda one: (one.name.startswith("Program:"), one.name.lower()))


def _shown(kind: Structure) -> Sequence[Member]:
    return [one for one in kind.members if not one.hidden]


def _type(member: Member) -> str:
    return f"{member.kind.name}[{member.count}]" if member.count else member.kind.name
