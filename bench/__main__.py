"""``python -m bench [--write] [SUITE...]``: measure, print one table; also ``make bench``.

Exit status 0 whether or not goals are met (these are measurements, not tests), 1 if something does not work, 2 for
wrong usage.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from bench import automata, browse, client, history, remote, server, simulator, wire
from bench.measure import Row

__all__ = ["main", "replaced", "table"]

SUITES: dict[str, Callable[[], Iterator[Row]]] = {
    "automata": automata.rows,
    "wire": wire.rows,
    "server": server.rows,
    "simulator": simulator.rows,
    "browse": browse.rows,
    "client": client.rows,
    "history": history.rows,
    "remote": remote.rows,
}
DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "performance.org"
BEGIN, END = "# figures: begin", "# figures: end"
HEAD = ("what", "ours", "reference", "ratio", "goal", "")


def machine() -> str:
    """Processor, cores, interpreter and day."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", information.read_text(), re.MULTILINE)
        model = found[1].strip() if found else model
    clock = re.search(r"^cpu MHz\s*:\s*(\d+)", information.read_text(), re.MULTILINE) if information.exists() else None
    speed = f" at {clock[1]} MHz" if clock else ""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    today = datetime.date.today().isoformat()
    return f"{model}{speed}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, {python}, {today}"


def table(rows: Iterable[Row]) -> str:
    """The rows as an Org table."""
    cells = [list(HEAD), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = []
    for line in cells:
        texts = [
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(texts)} |")
    lines.insert(1, f"|{'+'.join('-' * (width + 2) for width in widths)}|")
    return "\n".join(lines)


def replaced(document: str, figures: str) -> str:
    """A document with the figures between its two marks; ValueError if it has none."""
    before, begin, rest = document.partition(BEGIN + "\n")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no lines {BEGIN!r} and {END!r}")
    return f"{before}{begin}{figures}\n{end}{after}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is named, print it, and write it down if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure against hand-written code.")
    parser.add_argument("suite", nargs="*", help=f"what to measure: {', '.join(SUITES)} (default: all)")
    parser.add_argument("--write", action="store_true", help=f"keep the table in {DOCUMENT.name}")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.suite if name not in SUITES]
    if unknown:
        parser.error(f"unknown suite {unknown[0]!r}; one of {', '.join(SUITES)}")
    if arguments.write and arguments.suite:
        parser.error("--write keeps the whole table; name no suites with it")
    rows = [row for name in arguments.suite or SUITES for row in SUITES[name]()]
    where = machine()
    print(table(rows))
    print(where)
    if arguments.write:
        document = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(replaced(document, f"Measured on: {where}.\n\n{table(rows)}"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
