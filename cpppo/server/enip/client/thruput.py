"""How fast operations go, at a depth and a size of packets: ``python -m cpppo.server.enip.thruput``.

Owns: its options, a line an operation, and the rate.  Rule: shows what came, whatever it is.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from itertools import chain, repeat
from time import monotonic

from cpppo.errors import UsageError
from cpppo.server.command import read_lines
from cpppo.server.enip.client import report
from cpppo.server.enip.client.commands import (
    FAILED,
    OK,
    STATUSES,
    address_option,
    connected,
    count,
    ended,
    format_pace,
    logged,
    moment,
    pace_options,
    size,
)
from cpppo.server.enip.client.operations import parse_operations

__all__ = ["main"]

log = logging.getLogger("enip.cli")

_EXAMPLES = f"""\
A line an operation: the time (UTC), the number of its request, and the value (None: refused); at the end the rate.

examples:
  python -m cpppo.server.enip.thruput -a plc.example.com Volume Temperature --repeat 25
  python -m cpppo.server.enip.thruput -a plc.example.com Volume Temperature --repeat 25 --depth 20
  python -m cpppo.server.enip.thruput -a plc.example.com:44819 Volume Temperature -r 25 -d 20 --multiple 250

Over a network that takes long, many requests in flight are much faster than one; packets carry several of them.
In another terminal, for a try: enip_server Volume=REAL Temperature=REAL

{STATUSES}
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Perform the operations as often as asked for, and print the rate; the exit status.

    :param argv: the arguments, by default those of the process.
    """
    return ended("thruput", lambda: _logged(_parser().parse_intermixed_args(argv)))


def _logged(arguments: argparse.Namespace) -> int:
    with logged(None, 0):
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    operations = list(parse_operations(read_lines(arguments.tags, sys.stdin)))
    if not operations:
        raise UsageError("no tags on standard input; give one a line, eg. SCADA[0-10]")
    connection = connected(arguments.address, arguments.timeout, "Volume=REAL Temperature=REAL")
    done = requests = failures = 0
    started = monotonic()
    try:
        for result in connection.operate(
            chain.from_iterable(repeat(operations, arguments.repeat)),
            depth=arguments.depth,
            multiple=arguments.multiple,
        ):
            print(f"{moment()}: {result.idx:3d}: {result.val}", flush=True)
            done, requests = done + 1, result.idx + 1
            if report.failed(result):
                failures += 1
                log.warning("Client %s", report.format_failure(result))
    finally:
        connection.close()
    pace = format_pace(monotonic() - started, arguments.depth, done)
    print(f"{done:3d} operations using {requests:3d} requests {pace}")
    return FAILED if failures else OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cpppo.server.enip.thruput",
        description="Measure how many operations a second a controller and the network to it take.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tags", nargs="+", metavar="TAG", help="tag[first-last][=value,...]; - reads them from stdin")
    address_option(parser)
    pace_options(parser)
    parser.add_argument(
        "-m",
        "--multiple",
        type=size,
        default=0,
        metavar="OCTETS",
        help="pack operations into Multiple Service Packets of so many octets (default 0: do not)",
    )
    parser.add_argument("-r", "--repeat", type=count, default=1, metavar="N", help="do it all N times (default 1)")
    return parser
