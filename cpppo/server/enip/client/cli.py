"""enip_client: the client's command line; equals ``python -m cpppo.server.enip.client``.

Owns: arguments, what is written where, and the exit status.  Rule: prints, never decides.
Do not import this to talk to a controller: use ``client.connector``.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from itertools import chain, repeat
from time import localtime, strftime, time
from typing import Any

from cpppo.errors import Error, UsageError
from cpppo.logs import NORMAL, start_logging
from cpppo.server.command import add_verbosity, format_address, parse_address, read_lines
from cpppo.server.enip.client import report
from cpppo.server.enip.client.connector import connector
from cpppo.server.enip.client.operations import parse_operations
from cpppo.server.enip.wire.header import PORT

__all__ = ["main"]

log = logging.getLogger("enip.cli")

#: Exit statuses; those of signals as shells show them.
_OK, _FAILED, _USAGE, _UNREACHABLE, _INTERRUPTED, _BROKEN_PIPE = 0, 1, 2, 3, 130, 141

#: Octets of a Multiple Service Packet, which any controller takes.
_PACKET = 500
#: The longest time-out; systems take no more than some weeks.
_DAY_S = 86400

_EXAMPLES = """\
tags:
  SCADA                    one element            SCADA=12                write an INT
  SCADA[3]                 element 3              SCADA[3]=1.5            write a REAL (it has a '.')
  SCADA[1-5]               elements 1 to 5        SCADA[1-2]=(DINT)7,8    write another type
  Motor.Speed, Grid[1,2]   members, dimensions    @2/1/3, "@0x04/5/{'connection':100}"   by number
  Pump=(BOOL)1             a BOOL; types other than INT and REAL are always named
Quote what has brackets: shells take [ ] for patterns of file names.

examples:
  enip_client 'SCADA[1]=99' 'SCADA[0-10]'         write one element, then read eleven
  enip_client -a plc.example.com Level            one tag of another host
  enip_client -p -r 100 -d 20 'SCADA[0-9]'        a hundred times, twenty requests in flight
  enip_client -m Level Volume 'Pump[0-3]'         all in one packet
  enip_client - < tags.txt                        tags from standard input, one a line

exit status: 0 all succeeded, 1 an operation failed, 2 wrong usage, 3 no connection, 130 interrupted.
No controller at hand?  enip_server SCADA=INT[1000] simulates one.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="enip_client",
        description="Read and write tags of a Logix controller, or of a simulated one, over EtherNet/IP.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tags", nargs="+", metavar="TAG", help="tag[first-last][=value,...]; - reads them from stdin")
    network = parser.add_argument_group("network")
    network.add_argument(
        "-a", "--address", default=f":{PORT}", help=f"[host][:port] of the controller (default :{PORT} of this host)"
    )
    network.add_argument(
        "-t", "--timeout", type=_seconds, default=5.0, metavar="S", help="seconds each reply may take (default 5.0)"
    )
    requests = parser.add_argument_group("requests")
    requests.add_argument("-r", "--repeat", type=_count, default=1, metavar="N", help="do it all N times (default 1)")
    requests.add_argument("-d", "--depth", type=_depth, default=1, metavar="N", help="requests in flight (default 1)")
    requests.add_argument("-m", "--multiple", action="store_true", help="several operations in one packet")
    service = requests.add_mutually_exclusive_group()
    service.add_argument(
        "-f", "--fragment", action="store_true", default=True, help="use Read/Write Tag Fragmented (the default)"
    )
    service.add_argument("-n", "--no-fragment", dest="fragment", action="store_false", help="use plain Read/Write Tag")
    output = parser.add_argument_group("output", "with neither, a line an operation with its time, and the rate")
    output.add_argument("-p", "--print", action="store_true", help="print a line an operation, and nothing else")
    add_verbosity(output)
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _DAY_S:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0, up to {_DAY_S}; eg. 5.0")
    return seconds


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= sys.maxsize:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 to {sys.maxsize}")
    return int(text)


def _depth(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 0 or more")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Perform the operations on the command line; the exit status.

    :param argv: the arguments, by default those of the process.
    """
    arguments = _parser().parse_args(argv)
    start_logging(arguments.verbose)
    try:
        host, port = parse_address(arguments.address, ("localhost", PORT))
        operations = list(parse_operations(read_lines(arguments.tags, sys.stdin)))
        if not operations:
            raise UsageError("no tags on standard input; give one a line, eg. SCADA[0-10]")
        return _connect(arguments, host, port, operations)
    except UsageError as exc:
        return _complain(exc, _USAGE)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as exc:  # our output cannot be written; keep the interpreter from writing on at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(exc, BrokenPipeError):  # its reader has seen enough
            return _BROKEN_PIPE
        return _complain(f"cannot write the results: {exc.strerror or exc}", _FAILED)


def _complain(problem: object, status: int) -> int:
    print(f"enip_client: {problem}", file=sys.stderr)
    return status


def _connect(arguments: argparse.Namespace, host: str, port: int, operations: list[dict[str, Any]]) -> int:
    try:
        connection = connector(host, port, arguments.timeout)
    except (OSError, Error) as exc:
        reason = getattr(exc, "strerror", None) or exc
        return _complain(
            f"cannot connect to {format_address((host, port))}: {reason}; "
            "is a controller there? To simulate one: enip_server SCADA=INT[1000]",
            _UNREACHABLE,
        )
    try:
        return _FAILED if _run(arguments, connection, operations) else _OK
    except Error as exc:
        return _complain(exc, _FAILED)
    finally:
        connection.close()


def _run(arguments: argparse.Namespace, connection: connector, operations: list[dict[str, Any]]) -> int:
    """Perform the operations and show what came of them; the number that failed."""
    show = not arguments.print and not arguments.verbose
    count = failures = 0
    services = set()
    started = time()
    for result in connection.operate(
        chain.from_iterable(repeat(operations, arguments.repeat)),
        fragment=arguments.fragment,
        multiple=_PACKET if arguments.multiple else 0,
        depth=arguments.depth,
        validating=True,
        printing=arguments.print,
    ):
        count += 1
        failures += report.failed(result)
        services.add(result.req.service)
        if show:
            print(_stamped(report.format_result(result)), flush=True)
        elif log.isEnabledFor(NORMAL):
            log.log(NORMAL, "%s", report.format_result(result))
    name = report.label(services.pop() if len(services) == 1 else None)
    rate = report.format_rate(name, count, time() - started)
    if show:
        print(_stamped(rate), flush=True)
    log.log(NORMAL, "%s", rate)
    return failures


def _stamped(line: str) -> str:
    """A line after the local time, ``MM-DD HH:MM:SS.mmm``."""
    now = time()
    return f"{strftime('%m-%d %H:%M:%S', localtime(now))}.{int(now % 1 * 1000):03d} {line}"
