"""enip_client: the client's command line; equals ``python -m cpppo.server.enip.client``.

Owns: what is done, and what is written where.  Rule: prints, never decides.
Do not import this to talk to a controller: use ``client.connector``.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from time import localtime, strftime, time
from typing import Any

from cpppo.errors import UsageError
from cpppo.logs import NORMAL
from cpppo.server.command import parse_address, read_lines
from cpppo.server.enip.client import report
from cpppo.server.enip.client.arguments import parse_arguments
from cpppo.server.enip.client.commands import FAILED, OK, connected, ended, logged
from cpppo.server.enip.client.connector import connector
from cpppo.server.enip.client.exchange import Result
from cpppo.server.enip.client.operations import parse_operations
from cpppo.server.enip.client.progress import Progress
from cpppo.server.enip.wire.header import PORT

__all__ = ["main"]

log = logging.getLogger("enip.cli")

#: Octets of a Multiple Service Packet, which any controller takes.
_PACKET = 500


def main(argv: Sequence[str] | None = None) -> int:
    """Perform the operations on the command line; the exit status.

    :param argv: the arguments, by default those of the process.
    """
    return ended("enip_client", lambda: _logged(parse_arguments(argv)))


def _logged(arguments: argparse.Namespace) -> int:
    with logged(arguments.log, arguments.verbose) as chore:
        return _run(arguments, chore)


def _run(arguments: argparse.Namespace, chore: Callable[[], None]) -> int:
    parse_address(arguments.address, ("localhost", PORT))  # a wrong one is told before anything is read
    texts = list(read_lines(arguments.tags, sys.stdin))
    operations = list(parse_operations(texts))
    if not operations:
        raise UsageError("no tags on standard input; give one a line, eg. SCADA[0-10]")
    connection = connected(arguments.address, arguments.timeout)
    try:
        return FAILED if _perform(arguments, connection, texts, operations, chore) else OK
    finally:
        connection.close()


def _perform(
    arguments: argparse.Namespace,
    connection: connector,
    texts: Sequence[str],
    operations: Sequence[dict[str, Any]],
    chore: Callable[[], None],
) -> int:
    """Perform the operations and show what came of them; the number that failed."""
    show = _shown(arguments)
    count = failures = 0
    services = set()
    started = time()
    with Progress(len(operations) * arguments.repeat, sys.stderr if arguments.repeat > 1 else None) as progress:
        for result in connection.operate(
            chain.from_iterable(repeat(operations, arguments.repeat)),
            fragment=arguments.fragment,
            multiple=_PACKET if arguments.multiple else 0,
            depth=arguments.depth,
            validating=True,
        ):
            failed = report.failed(result)
            services.add(result.req.service)
            line = show(result, texts[count % len(texts)])
            if line:
                progress.clear()
                print(line, flush=True)
            if log.isEnabledFor(NORMAL):
                log.log(NORMAL, "%s", report.format_result(result))
            count += 1
            failures += failed
            progress.step(failed)
            chore()
    elapsed = time() - started
    name = report.label(services.pop() if len(services) == 1 else None)
    rate = report.format_rate(name, count, elapsed)
    if arguments.json:
        print(json.dumps(report.plain_rate(name, count, failures, elapsed)), flush=True)
    elif not arguments.print and not arguments.verbose:
        print(_stamped(rate), flush=True)
    log.log(NORMAL, "%s", rate)
    return failures


def _shown(arguments: argparse.Namespace) -> Callable[[Result, str], str]:
    """What makes the line to print of a result and the text of its operation; none, if it belongs to the log."""
    if arguments.json:
        return lambda result, text: json.dumps(report.plain_result(result, text, time()))
    if arguments.print:
        return lambda result, text: report.format_result(result)
    if arguments.verbose:
        return lambda result, text: ""
    return lambda result, text: _stamped(report.format_result(result))


def _stamped(line: str) -> str:
    """A line after the local time, ``MM-DD HH:MM:SS.mmm``."""
    now = time()
    return f"{strftime('%m-%d %H:%M:%S', localtime(now))}.{int(now % 1 * 1000):03d} {line}"
