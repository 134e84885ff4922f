"""Attributes of a controller's objects, as octets: ``python -m cpppo.server.enip.getattr``.

Owns: its options, and a line an attribute.  Rule: shows what came, whatever it is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from time import monotonic
from typing import Any

from cpppo.errors import UsageError
from cpppo.server.command import add_verbosity, read_lines
from cpppo.server.enip.client.commands import (
    OK,
    address_option,
    connected,
    ended,
    format_pace,
    logged,
    moment,
    pace_options,
)
from cpppo.server.enip.wire.text import parse_path_elements

__all__ = ["attribute_operation", "main"]

_EXAMPLES = """\
A line each: the time (UTC), the number of the request, the service, the path, and the octets (None: refused).

examples:
  python -m cpppo.server.enip.getattr @1/1/7                        the product name, a length and its characters
  python -m cpppo.server.enip.getattr -a plc.example.com @1/1 @2/1  all attributes of two objects
  python -m cpppo.server.enip.getattr -v -d 10 - < attributes.txt   from standard input, ten requests in flight

In another terminal, for a try: enip_server SCADA=INT[1000]

exit status: 0 whatever was answered, 1 the conversation broke, 2 wrong usage, 3 no connection, 130 interrupted.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Get the attributes on the command line and print them; the exit status.

    :param argv: the arguments, by default those of the process.
    """
    return ended("getattr", lambda: _logged(_parser().parse_intermixed_args(argv)))


def attribute_operation(text: str) -> dict[str, Any]:
    """The operation that gets ``@class/instance/attribute``, or all attributes of ``@class/instance``."""
    path, _, count = parse_path_elements(text)
    if "symbolic" in path[0] or count is not None:
        raise UsageError(f"{text!r} is no attribute, eg. @1/1/7, or @1/1 for all of an object's; for tags: enip_client")
    single = any("attribute" in term for term in path)
    return {"method": "get_attribute_single" if single else "get_attributes_all", "path": path}


def _logged(arguments: argparse.Namespace) -> int:
    with logged(arguments.log, arguments.verbose):
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    operations = [attribute_operation(text) for text in read_lines(arguments.attributes, sys.stdin)]
    if not operations:
        raise UsageError("no attributes on standard input; give one a line, eg. @1/1/7")
    connection = connected(arguments.address, arguments.timeout)
    requests = 0
    started = monotonic()
    try:
        for result in connection.operate(operations, depth=arguments.depth, validating=True):
            print(f"{moment()}: {result.idx:3d}: {result.dsc} == {result.val}", flush=True)
            requests = result.idx + 1
    finally:
        connection.close()
    if arguments.verbose:
        print(f"{requests:5d} requests {format_pace(monotonic() - started, arguments.depth, requests)}")
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cpppo.server.enip.getattr",
        description="Get attributes of a controller's objects, by Get Attribute Single or Get Attributes All.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "attributes", nargs="+", metavar="@CLASS/INSTANCE[/ATTRIBUTE]", help="what to get; - reads them from stdin"
    )
    address_option(parser)
    pace_options(parser)
    parser.add_argument("-l", "--log", metavar="FILE", help="log to a file; at 10 MB a new one is begun, 5 are kept")
    add_verbosity(parser)
    return parser
