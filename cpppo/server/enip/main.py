"""enip_server: the simulator's command line; equals ``python -m cpppo.server.enip``.

Do not import this to embed a simulator without a command line: use ``cpppo.server.enip.serve``.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from typing import Any

from cpppo.errors import UsageError
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.options import (
    NORMAL,
    TagSpec,
    add_verbosity,
    format_address,
    parse_address,
    parse_tag,
    start_logging,
)
from cpppo.server.enip.serve import serve
from cpppo.server.enip.wire.types import unpack

__all__ = ["main"]

log = logging.getLogger("enip.srv")

_EXAMPLES = """\
examples:
  enip_server SCADA=INT[1000]                  a vector of 1000 INT, on all interfaces
  enip_server --print Level=REAL Pump=BOOL     two scalars; print what clients read and write
  enip_server -a localhost:0 SCADA=dint[10]    on a free port, which the first line names
  enip_server - < tags.txt                     tags from standard input, one a line

then, in another terminal:
  enip_client SCADA[1]=99 SCADA[0-10]
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
        address = parse_address(arguments.address)
        device = Device()
        for text in _texts(arguments.tags):
            _add(device, parse_tag(text), attribute_class)
        if not device.tags():
            raise UsageError("no tags on standard input; give one a line, eg. SCADA=INT[1000]")
    except UsageError as exc:
        print(f"enip_server: {exc}", file=sys.stderr)
        return 2
    if arguments.print:
        device.router.observer = _Printer()
    try:
        server = serve(device, address)
    except OSError as exc:
        where = format_address(address)
        print(f"enip_server: cannot serve on {where}: {exc.strerror or exc}; {_instead(address)}", file=sys.stderr)
        return 1
    count = len(device.tags())
    where = format_address(server.address)
    print(f"enip_server: {count} tag{'s'[: count > 1]} on {where}; Ctrl-C ends it", file=sys.stderr, flush=True)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        server.serve()
    except KeyboardInterrupt:
        log.log(NORMAL, "ended by the user")
    finally:
        server.stop()
    return 0


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _instead(address: tuple[str, int]) -> str:
    port = address[1]
    if 0 < port < 1024:
        return "ports below 1024 need special rights; use another, eg. --address :44818"
    return "another server may be there; use another port, eg. --address :0 for any free one"


def _texts(given: Iterable[str]) -> Iterable[str]:
    """The tags given, ``-`` replaced by the lines of standard input."""
    for text in given:
        if text != "-":
            yield text
            continue
        for line in sys.stdin:
            if line.strip() and not line.lstrip().startswith("#"):
                yield line.strip()


def _add(device: Device, spec: TagSpec, attribute_class: type[Attribute]) -> None:
    zero = spec.type.unpack(bytes(spec.type.size))
    default = zero if spec.elements is None else bytes(spec.elements * spec.type.size)
    try:
        attribute = device.add_tag(attribute_class(spec.name, spec.type, default=default))
    except ValueError as exc:
        raise UsageError(f"{exc}; names are compared without case") from exc
    log.log(NORMAL, "Creating tag: %s", attribute)


class _Printer:
    """Prints what clients read and write, a line each."""

    def __call__(self, attribute: Attribute, first: int, octets: bytes, sign: str) -> None:
        values = unpack(attribute.type, octets)
        last = first + max(len(values), 1) - 1
        sys.stdout.write(f"{attribute.name:>20}[{first:5}-{last:<5}] {sign} {values}\n")
        sys.stdout.flush()
