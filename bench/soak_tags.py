"""The tags of a long run, and what may be in them.

Owns: which there are, drawing values, and the checks of those that all clients write.  Rule: a client that looks at
a tag can tell what was never written.  Must not know who reads and writes when.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from cpppo.server.enip.client import Result
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.strings import SSTRING, STRING
from cpppo.server.enip.wire.types import DINT, DWORD, INT, LINT, LREAL, REAL, SINT, UINT, Kind, unpack

__all__ = ["AREAS", "GRID", "LEVELS", "UNIFORM", "Area", "Wrong", "drawn", "level", "succeeded", "tags", "uniform"]


class Wrong(Exception):
    """The server answered what it must not."""


class Area(NamedTuple):
    """A tag of which every client has ``own`` elements; ``words``: what is declared for each of them."""

    tag: str
    kind: Kind
    own: int
    declared: str
    words: int = 1


AREAS = (
    Area("Bytes", SINT, 40, "SINT"),
    Area("Words", INT, 300, "INT"),
    Area("Unsigned", UINT, 20, "UINT"),
    Area("Counts", DINT, 200, "DINT"),
    Area("Longs", LINT, 10, "LINT"),
    Area("Ratios", REAL, 50, "REAL"),
    Area("Exact", LREAL, 150, "LREAL"),
    Area("Flags", DWORD, 4, "BOOL", 32),
    Area("Texts", STRING, 8, "STRING"),
    Area("Notes", SSTRING, 5, "SSTRING"),
)
#: Of the Grid every client has a plane; the Uniform is always written whole, with one value.
GRID, UNIFORM = (4, 5), 200
#: The Level is a multiple of a quarter, up to so many.
LEVELS = 400

_LETTERS = "abc ÄÖÜ0123"


def tags(clients: int) -> list[str]:
    """The tags for so many clients, as the simulator takes them."""
    own = [f"{area.tag}={area.declared}[{clients * area.own * area.words}]" for area in AREAS]
    grid = f"Grid=DINT[{clients},{GRID[0]},{GRID[1]}]"
    return [*own, grid, f"Scratch=DINT[{clients}]", f"Uniform=INT[{UNIFORM}]", "Level=REAL"]


def drawn(chance: random.Random, kind: Kind, count: int) -> list[Any]:
    """Values of a type, by chance; all of them come back as they went."""
    if not kind.code:
        return ["".join(chance.choices(_LETTERS, k=chance.randrange(30))) for _ in range(count)]
    if kind.code in "fd":
        return [chance.randint(-1_000_000, 1_000_000) / 8 for _ in range(count)]
    return unpack(kind, chance.randbytes(count * kind.size))


def succeeded(result: Result) -> None:
    """Wrong if an operation was refused."""
    if result.sts != status.SUCCESS:
        raise Wrong(f"{result.dsc}: status {result.sts}")


def level(result: Result) -> None:
    """Wrong if the Level that was read is no value of it."""
    succeeded(result)
    if result.val[0] * 4 not in range(LEVELS + 1):
        raise Wrong(f"Level is {result.val[0]}, which nobody wrote")


def uniform(result: Result) -> None:
    """Wrong if the Uniform that was read has several values."""
    succeeded(result)
    if len(result.val) != UNIFORM or len(set(result.val)) != 1:
        raise Wrong(f"Uniform holds {sorted(set(result.val))} at once: a write half done was read")
