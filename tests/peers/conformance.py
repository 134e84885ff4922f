"""The table of docs/conformance.org: which client does what with which controller.

Owns: the capabilities, why a client has none of some, and the table's text, made from what the tests recorded.
Rule: a cell says what passed in a run of the tests, or why there is no test. Must not know any client.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.peers.plants import MICRO, PROFILES
from tests.tools import ROOT

__all__ = [
    "CAPABILITIES",
    "CLIENTS",
    "DOCUMENT",
    "Cell",
    "cells",
    "differences",
    "read_table",
    "reason",
    "text",
    "write",
]

DOCUMENT = ROOT / "docs" / "conformance.org"
#: What is between these lines of it is written by the tests.
BEGIN, END = "# begin: written by make conformance", "# end: written by make conformance"

CLIENTS = ("pycomm3", "pylogix", "st-ethernet-ip")

CAPABILITIES = (
    "open",
    "identity",
    "tag list",
    "program tags",
    "numbers",
    "unsigned numbers",
    "LREAL",
    "arrays",
    "BOOL arrays",
    "bits",
    "strings",
    "string arrays",
    "custom strings",
    "structures by member",
    "whole structures read",
    "whole structures written",
    "large arrays",
    "fragmented writes",
    "several tags at once",
    "clock",
    "refusals",
    "connected, large",
    "connected, small",
    "unconnected",
)

_NO_STRUCTURES = "this family shows none"
_NO_PACKETS = "it needs the Multiple Service Packet, which this family refuses"

#: Why there is no test: (client or None for all, profile or None for all, capability).
REASONS: Mapping[tuple[str | None, str | None, str], str] = {
    ("st-ethernet-ip", None, "unsigned numbers"): "it only reads UINT, and knows no UDINT and ULINT",
    ("st-ethernet-ip", None, "LREAL"): "it does not know the type",
    ("st-ethernet-ip", None, "connected, large"): "it asks for connections of 500 octets",
    ("st-ethernet-ip", MICRO, "string arrays"): "it reads one SHORT_STRING at a time",
    ("st-ethernet-ip", MICRO, "several tags at once"): _NO_PACKETS,
    **{
        ("st-ethernet-ip", profile, "clock"): "it asks only controllers whose name has L8 in it"
        for profile in PROFILES
        if "L8" not in profile
    },
    ("pylogix", None, "custom strings"): "it takes STRING for text, and gives others as octets",
    ("pylogix", None, "whole structures written"): "it writes their members",
    ("pylogix", MICRO, "several tags at once"): _NO_PACKETS,
    (None, MICRO, "connected, large"): "this family refuses Large Forward Open",
    (None, MICRO, "custom strings"): _NO_STRUCTURES,
    (None, MICRO, "structures by member"): _NO_STRUCTURES,
    (None, MICRO, "whole structures read"): _NO_STRUCTURES,
    (None, MICRO, "whole structures written"): _NO_STRUCTURES,
}


class Cell(NamedTuple):
    """One thing that can be tested."""

    client: str
    profile: str
    capability: str


def reason(cell: Cell) -> str | None:
    """Why there is no test of something; None if there is one."""
    client, profile, capability = cell
    keys = [(None, profile, capability), (client, None, capability), (client, profile, capability)]
    return next((REASONS[key] for key in keys if key in REASONS), None)


def cells(clients: Iterable[str] = CLIENTS, profiles: Iterable[str] = PROFILES) -> Iterator[Cell]:
    """All that is tested."""
    for client in clients:
        for profile in profiles:
            for capability in CAPABILITIES:
                cell = Cell(client, profile, capability)
                if reason(cell) is None:
                    yield cell


def _short(profile: str) -> str:
    return profile.partition("-")[2]


def text(passed: Iterable[Cell]) -> str:
    """The table, and the reasons for what is not in it."""
    done = set(passed)
    rows = [["", *CLIENTS]]
    for capability in CAPABILITIES:
        row = [capability]
        for client in CLIENTS:
            there = [_short(one) for one in PROFILES if Cell(client, one, capability) in done]
            row.append(" ".join(there) or "-")
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|-" + "-+-".join("-" * width for width in widths) + "-|")
    lines += ["", "What is not in the table, and why:", *_reasons()]
    return "\n".join(f"  {line}".rstrip() for line in lines)


def _reasons() -> Iterator[str]:
    """A line for each reason that a client has."""
    found: dict[tuple[str | None, str], list[tuple[str | None, str]]] = {}
    for (client, profile, capability), why in REASONS.items():
        found.setdefault((client, why), []).append((profile, capability))
    for (client, why), where in found.items():
        capabilities = ", ".join(dict.fromkeys(capability for _, capability in where))
        profiles = ", ".join(dict.fromkeys(_short(profile) for profile, _ in where if profile))
        yield f"- {' with '.join(filter(None, [client, profiles]))}: {capabilities}; {why}"


def read_table(document: str) -> set[Cell]:
    """The cells that a table says pass."""
    _, _, rest = document.partition(BEGIN)
    inside, found, _ = rest.partition(END)
    assert found, f"{DOCUMENT.name} has no lines {BEGIN!r} and {END!r}"
    by_short = {_short(one): one for one in PROFILES}
    lines = [line.strip() for line in inside.splitlines()]
    rows = [[one.strip() for one in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {
        Cell(client, by_short[short], row[0])
        for row in rows[1:]
        for client, cell in zip(rows[0][1:], row[1:], strict=True)
        for short in cell.split()
        if short in by_short
    }


def differences(document: str, recorded: Mapping[Cell, bool], whole: bool) -> list[str]:
    """What a document says that was not so in a run, and the other way round; [] if nothing.

    :param recorded: what was tested, and whether it passed.
    :param whole: all tests were run, so that the text must be the one they make, to the letter.
    """
    said = read_table(document)
    found = [
        f"{', '.join(cell)}: {'passes' if passed else 'fails'}, but the table says that it "
        f"{'passes' if cell in said else 'does not'}"
        for cell, passed in recorded.items()
        if passed != (cell in said)
    ]
    if whole and not found:
        found += [f"{', '.join(cell)}: the table has it, but there is no test of it" for cell in said - set(recorded)]
        if not found and _replaced(document, recorded) != document:
            found.append("the text around the table is not what the tests write")
    return found


def _replaced(document: str, recorded: Mapping[Cell, bool]) -> str:
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    made = text(cell for cell, passed in recorded.items() if passed)
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def write(path: Path, recorded: Mapping[Cell, bool]) -> None:
    """Put what was recorded into a document."""
    path.write_text(_replaced(path.read_text(encoding="utf-8"), recorded), encoding="utf-8")
