"""enip_server: the simulator's command line; equals ``python -m cpppo.server.enip``.

Do not import this to embed a simulator without a command line: use ``cpppo.server.enip.serve``.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from cpppo.errors import UsageError
from cpppo.logs import NORMAL, start_logging
from cpppo.server.command import (
    add_verbosity,
    format_address,
    parse_address,
    read_lines,
    refused,
    serve_until_interrupted,
)
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.options import ADDRESS, TagSpec, parse_tag
from cpppo.server.enip.serve import serve
from cpppo.server.enip.wire.types import unpack

__all__ = ["main"]

log = logging.getLogger("enip.srv")

_EXAMPLES = """\
examples:
  enip_server 'SCADA=INT[1000]'                a vector of 1000 INT, on all interfaces
  enip_server --print Level=REAL Pump=BOOL     two scalars; print what clients read and write
  enip_server -a localhost:0 'SCADA=dint[10]'  on a free port, which the first line names
  enip_server - < tags.txt                     tags from standard input, one a line

then, in another terminal:
  enip_client 'SCADA[1]=99' 'SCADA[0-10]'
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="enip_server",
        description="Simulate a Logix controller: serve tags over EtherNet/IP until ended by Ctrl-C.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "tags", nargs="+", metavar="TAG", help="name[=TYPE][[count]], eg. SCADA=INT[1000]; - reads them from stdin"
    )
    network = parser.add_argument_group("network")
    network.add_argument(
        "-a",
        "--address",
        default=":44818",
        help="[interface][:port] to serve on (default :44818; port 0: any free one)",
    )
    output = parser.add_argument_group("output")
    output.add_argument("-p", "--print", action="store_true", help="print every read and write of a tag")
    add_verbosity(output)
    return parser


def main(argv: Sequence[str] | None = None, attribute_class: type[Attribute] = Attribute) -> int:
    """Serve the tags on the command line until interrupted.

    :param argv: the arguments, by default those of the process.
    :param attribute_class: what tags are made of; a subclass of ``device.Attribute``.
    :return: exit status: 0 ended in order, 1 could not serve, 2 wrong usage.
    """
    arguments = _parser().parse_args(argv)
    start_logging(arguments.verbose)
    try:
        address = parse_address(arguments.address, ADDRESS)
        device = Device()
        for text in read_lines(arguments.tags, sys.stdin):
            _add(device, parse_tag(text), attribute_class)
        if not device.tags():
            raise UsageError("no tags on standard input; give one a line, eg. SCADA=INT[1000]")
    except UsageError as exc:
        print(f"enip_server: {exc}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # while tags were read from standard input
        return 130
    if arguments.print:
        device.router.observer = _Printer()
    try:
        server = serve(device, address)
    except (OSError, UnicodeError) as exc:
        print(f"enip_server: {refused(exc, address, ADDRESS[1])}", file=sys.stderr)
        return 1
    count, where = len(device.tags()), format_address(server.address)
    started = f"enip_server: {count} tag{'s'[: count > 1]} on {where}; Ctrl-C ends it"
    serve_until_interrupted(server, lambda: print(started, file=sys.stderr, flush=True), argv is None)
    return 0


def _add(device: Device, spec: TagSpec, attribute_class: type[Attribute]) -> None:
    zero = spec.type.unpack(bytes(spec.type.size))
    default = zero if spec.elements is None else bytes(spec.elements * spec.type.size)
    device.add_tag(attribute_class(spec.name, spec.type, default=default))
    size = "" if spec.elements is None else f"[{spec.elements}]"
    log.log(NORMAL, "Creating tag: %s=%s%s", spec.name, spec.type.name, size)


class _Printer:
    """Prints what clients read and write, a line each."""

    def __call__(self, attribute: Attribute, first: int, octets: bytes, sign: str) -> None:
        values = unpack(attribute.type, octets)
        last = first + max(len(values), 1) - 1
        sys.stdout.write(f"{attribute.name:>20}[{first:5}-{last:<5}] {sign} {values}\n")
        sys.stdout.flush()
