"""The tables of docs/conformance.org: what works between us and others, and in which way.

Owns: the rows and columns, why there is none of some, and the tables' text, made from what the tests recorded.
Rule: a cell says what passed in a run of the tests, or why there is no test. Must not know any client or server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

from tests.peers.plants import MICRO, PROFILES
from tests.peers.servers import DEVICE, TAGS
from tests.tools import ROOT

__all__ = ["CLIENTS", "DOCUMENT", "SERVERS", "TABLES", "Cell", "Table"]

DOCUMENT = ROOT / "docs" / "conformance.org"
#: Characters of a line, without what it is indented by.
_WIDTH = 118


class Cell(NamedTuple):
    """One thing that can be tested: of a client, or a server, of another maker; ``way``: what a cell lists."""

    peer: str
    way: str
    capability: str


class Table:
    """One table: a column for each peer, a row for each capability, and in a cell the ways in which it passes.

    :param name: in the lines of the document that are around the table.
    :param rows: for each capability the ways that it can be had in.
    :param reasons: why there is no test: (peer or None for all, way or None for all, capability).
    """

    def __init__(
        self,
        name: str,
        peers: Sequence[str],
        rows: Mapping[str, Sequence[str]],
        reasons: Mapping[tuple[str | None, str | None, str], str],
    ) -> None:
        self.begin, self.end = (
            f"# begin: {name}written by make conformance",
            f"# end: {name}written by make conformance",
        )
        self.peers, self.rows, self.reasons = peers, rows, reasons
        self._ways = list(dict.fromkeys(way for ways in rows.values() for way in ways))

    def reason(self, cell: Cell) -> str | None:
        """Why there is no test of something; None if there is one."""
        peer, way, capability = cell
        keys = [(None, way, capability), (peer, None, capability), (peer, way, capability)]
        return next((self.reasons[key] for key in keys if key in self.reasons), None)

    def cells(self) -> Iterator[Cell]:
        """All that is tested."""
        for peer in self.peers:
            for capability, ways in self.rows.items():
                for way in ways:
                    cell = Cell(peer, way, capability)
                    if self.reason(cell) is None:
                        yield cell

    def text(self, passed: Iterable[Cell]) -> str:
        """The table, and the reasons for what is not in it."""
        done = set(passed)
        rows = [["", *self.peers]]
        for capability, ways in self.rows.items():
            row = [capability]
            for peer in self.peers:
                there = [_short(way) for way in ways if Cell(peer, way, capability) in done]
                row.append(" ".join(there) or "-")
            rows.append(row)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
        lines.insert(1, "|-" + "-+-".join("-" * width for width in widths) + "-|")
        lines += ["", "What is not in the table, and why:", *self._reasons()]
        return "\n".join(f"  {line}".rstrip() for line in lines)

    def _reasons(self) -> Iterator[str]:
        """A line for each reason that a peer has."""
        found: dict[tuple[str | None, str], list[tuple[str | None, str]]] = {}
        for (peer, way, capability), why in self.reasons.items():
            found.setdefault((peer, why), []).append((way, capability))
        for (peer, why), where in found.items():
            capabilities = ", ".join(dict.fromkeys(capability for _, capability in where))
            ways = ", ".join(dict.fromkeys(_short(way) for way, _ in where if way))
            line = f"- {' with '.join(filter(None, [peer, ways]))}: {capabilities}; {why}"
            yield from wrap(line, _WIDTH, subsequent_indent="  ")

    def read(self, document: str) -> set[Cell]:
        """The cells that the table in a document says pass."""
        _, _, rest = document.partition(self.begin)
        inside, found, _ = rest.partition(self.end)
        assert found, f"{DOCUMENT.name} has no lines {self.begin!r} and {self.end!r}"
        by_short = {_short(way): way for way in self._ways}
        lines = [line.strip() for line in inside.splitlines()]
        rows = [[one.strip() for one in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
        return {
            Cell(peer, by_short[short], row[0])
            for row in rows[1:]
            for peer, cell in zip(rows[0][1:], row[1:], strict=True)
            for short in cell.split()
            if short in by_short
        }

    def differences(self, document: str, recorded: Mapping[Cell, bool], whole: bool) -> list[str]:
        """What a document says that was not so in a run, and the other way round; [] if nothing.

        :param recorded: what was tested, and whether it passed.
        :param whole: all tests were run, so that the text must be the one they make, to the letter.
        """
        said = self.read(document)
        found = [
            f"{', '.join(cell)}: {'passes' if passed else 'fails'}, but the table says that it "
            f"{'passes' if cell in said else 'does not'}"
            for cell, passed in recorded.items()
            if passed != (cell in said)
        ]
        if whole and not found:
            found += [
                f"{', '.join(cell)}: the table has it, but there is no test of it" for cell in said - set(recorded)
            ]
            if not found and self.replaced(document, recorded) != document:
                found.append("the text around the table is not what the tests write")
        return found

    def replaced(self, document: str, recorded: Mapping[Cell, bool]) -> str:
        """The document with the table that a run makes."""
        before, _, rest = document.partition(self.begin)
        _, _, after = rest.partition(self.end)
        made = self.text(cell for cell, passed in recorded.items() if passed)
        return f"{before}{self.begin}\n{made}\n{self.end}{after}"

    def write(self, path: Path, recorded: Mapping[Cell, bool]) -> None:
        """Put what was recorded into a document."""
        path.write_text(self.replaced(path.read_text(encoding="utf-8"), recorded), encoding="utf-8")


def _short(way: str) -> str:
    """Of a profile the part that tells which one it is."""
    return way.partition("-")[2] or way


# -- clients of other makers on our simulator: the ways are its profiles

_CAPABILITIES = (
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

_REASONS: Mapping[tuple[str | None, str | None, str], str] = {
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


CLIENTS = Table("", ("pycomm3", "pylogix", "st-ethernet-ip"), dict.fromkeys(_CAPABILITIES, PROFILES), _REASONS)


# -- servers of other makers and our client: the ways are those that requests take

#: By Unconnected Send, by nothing, over a connection.
_REQUESTS = ("routed", "bare", "connected")
_OF_DEVICES = ("identity", "attributes", "assemblies", "refusals")
_OF_TAGS = (
    "tag list",
    "numbers",
    "arrays",
    "bits",
    "large arrays",
    "fragmented writes",
    "several tags at once",
    "long tag list",
    "structures",
    "bits of elements",
    "parts of large arrays",
)

SERVERS = Table(
    "servers, ",
    (TAGS, DEVICE),
    {
        "List Identity": ("TCP", "UDP"),
        "command lines": ("routed",),
        **dict.fromkeys((*_OF_DEVICES, *_OF_TAGS), _REQUESTS),
    },
    {
        (None, "UDP", "List Identity"): "these servers listen on TCP only",
        (TAGS, None, "assemblies"): "it has none",
        (TAGS, None, "long tag list"): "it refuses to tell what does not fit into its first reply",
        (TAGS, None, "structures"): "it takes the offset and the size of Read Template for each other",
        (TAGS, None, "bits of elements"): "it changes those of the first element, whichever is asked for",
        (TAGS, None, "parts of large arrays"): "it continues with those of the beginning, whichever are asked for",
        **{(DEVICE, None, row): "it has no tags" for row in _OF_TAGS},
    },
)

TABLES = (CLIENTS, SERVERS)
