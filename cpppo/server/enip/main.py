"""enip_server: the simulator's command line; equals ``python -m cpppo.server.enip``.

Do not import this to embed a simulator without a command line: use ``cpppo.server.enip.serve``.
"""

from __future__ import annotations

import argparse
import errno
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from cpppo.errors import UsageError
from cpppo.logs import NORMAL, start_logging
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.options import TagSpec, add_verbosity, format_address, parse_address, parse_tag, read_lines
from cpppo.server.enip.serve import serve
from cpppo.server.enip.wire.types import unpack
from cpppo.server.tcp import Server

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
        address = parse_address(arguments.address)
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
        where, why = format_address(address), getattr(exc, "strerror", None) or exc
        print(f"enip_server: cannot serve on {where}: {why}; {_instead(exc, address)}", file=sys.stderr)
        return 1
    return _run(server, len(device.tags()), argv is None)


def _run(server: Server, count: int, last: bool) -> int:
    """Serve until interrupted; the exit status.  ``last``: the process does nothing more afterwards."""
    main_thread = threading.current_thread() is threading.main_thread()
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        if main_thread:
            signal.signal(signal.SIGTERM, _interrupt)
        where = format_address(server.address)
        print(f"enip_server: {count} tag{'s'[: count > 1]} on {where}; Ctrl-C ends it", file=sys.stderr, flush=True)
        server.serve()
    except KeyboardInterrupt:
        log.log(NORMAL, "ended by the user")
    finally:
        if main_thread:  # ending takes a moment at most: impatience does not help
            for one in before:
                signal.signal(one, signal.SIG_IGN)
        server.stop()
        if main_thread and not last:
            for one, handler in before.items():
                signal.signal(one, handler)
    return 0


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _instead(exc: Exception, address: tuple[str, int]) -> str:
    """What to do about an address that cannot be served on."""
    code = getattr(exc, "errno", None)
    if code == errno.EADDRINUSE:
        return "another server is there; use another port, eg. --address :0 for any free one"
    if code in (errno.EACCES, errno.EPERM) and 0 < address[1] < 1024:
        return "ports below 1024 need special rights; use another, eg. --address :44818"
    return "name an interface of this machine, eg. --address localhost:44818, or none for all"


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
