"""enip_client: the client's command line; equals ``python -m cpppo.server.enip.client``.

Owns: what is done, and what is written where.  Rule: prints, never decides.
Do not import this to talk to a controller: use ``client.connector``.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, repeat
from time import localtime, strftime, time
from typing import Any

from cpppo.errors import Error, StatusError, UsageError
from cpppo.logs import NORMAL
from cpppo.server.command import format_address, parse_address, read_lines
from cpppo.server.ending import recording_to
from cpppo.server.enip.client import catalog, inventory, report
from cpppo.server.enip.client.arguments import parse_arguments
from cpppo.server.enip.client.commands import FAILED, OK, Unreachable, connected, ended, logged
from cpppo.server.enip.client.connector import connector
from cpppo.server.enip.client.discovery import discover, identify
from cpppo.server.enip.client.drafts import Draft, answered, questions
from cpppo.server.enip.client.exchange import Result
from cpppo.server.enip.client.flows import follow
from cpppo.server.enip.client.progress import Progress
from cpppo.server.enip.client.recording import record
from cpppo.server.enip.wire.header import PORT

__all__ = ["main"]

log = logging.getLogger("enip.cli")

#: Octets of a Multiple Service Packet, which any controller takes.
_PACKET = 500

#: Seconds that a reply may take, and that devices may take to answer who they are.
_REPLY_S, _DISCOVER_S = 5.0, 1.0

#: Requests in flight, at least, while a controller is browsed: they depend on each other only in part.
_BROWSE_DEPTH = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Perform the operations on the command line; the exit status.

    :param argv: the arguments, by default those of the process.
    """
    return ended("enip_client", lambda: _logged(parse_arguments(argv)))


def _logged(arguments: argparse.Namespace) -> int:
    with logged(arguments.log, arguments.verbose) as chore:
        if arguments.discover is not None:
            return _discover(arguments)
        return _list(arguments) if arguments.list else _run(arguments, chore)


def _discover(arguments: argparse.Namespace) -> int:
    """Show who is there."""
    host, port = parse_address(arguments.discover or arguments.address, ("", PORT))
    timeout = arguments.timeout or _DISCOVER_S
    try:
        devices = discover(host or None, timeout, port)
    except OSError as exc:
        raise Unreachable(exc.strerror or exc) from exc
    if host and not devices:  # UDP may be kept from it
        with suppress(OSError, Error):
            devices = [identify(host, port, timeout)]
    if not devices:
        where = format_address((host, port)) if host else f"port {port} of any host of this network"
        raise Error(
            f"nothing answered on {where} within {timeout:g} s; is a controller there? "
            "To simulate one: enip_server SCADA=INT[1000]"
        )
    lines = [json.dumps(report.plain_identity(one)) for one in devices] if arguments.json else None
    print(*(lines or report.format_identities(devices)), sep="\n", flush=True)
    return OK


def _list(arguments: argparse.Namespace) -> int:
    """Show who the controller is and what it has."""
    connection = connected(arguments.address, arguments.timeout or _REPLY_S)
    perform = partial(connection.pipeline, multiple=_PACKET, depth=max(arguments.depth, _BROWSE_DEPTH))
    try:
        who = follow(catalog.identify(), perform)
        shown = json.dumps(inventory.plain_controller(who)) if arguments.json else inventory.format_controller(who)
        print(shown, flush=True)
        try:
            found = follow(catalog.browse(), perform)
        except StatusError as exc:
            print(f"enip_client: its tags cannot be listed, it does not let itself be browsed: {exc}", file=sys.stderr)
            return OK
        plain = map(json.dumps, inventory.plain_catalog(found)) if arguments.json else inventory.format_catalog(found)
        print(*plain, sep="\n", flush=True)
    finally:
        connection.close()
    return OK


def _run(arguments: argparse.Namespace, chore: Callable[[], None]) -> int:
    parse_address(arguments.address, ("localhost", PORT))  # a wrong one is told before anything is read
    texts = list(read_lines(arguments.tags, sys.stdin))
    drafts = [Draft(text, arguments.type) for text in texts]
    if not drafts:
        raise UsageError("no tags on standard input; give one a line, eg. SCADA[0-10]")
    connection = connected(arguments.address, arguments.timeout or _REPLY_S)
    try:
        operations = _typed(arguments, connection, drafts)
        return FAILED if _perform(arguments, connection, texts, operations, chore) else OK
    finally:
        connection.close()


def _typed(arguments: argparse.Namespace, connection: connector, drafts: Sequence[Draft]) -> list[dict[str, Any]]:
    """The operations, once the controller has told the types that they need."""
    asked = questions(drafts)
    results = connection.operate(asked.values(), depth=arguments.depth, multiple=_packet(arguments))
    kinds = answered(asked, list(results))
    return [one.operation(kinds) for one in drafts]


def _packet(arguments: argparse.Namespace) -> int:
    """Octets of a Multiple Service Packet, 0 for none."""
    return _PACKET if arguments.multiple else 0


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
    waiting = sys.stderr if arguments.repeat > 1 else None
    with _recorder(arguments.record) as keep, Progress(len(operations) * arguments.repeat, waiting) as progress:
        for result in connection.operate(
            chain.from_iterable(repeat(operations, arguments.repeat)),
            fragment=arguments.fragment,
            multiple=_packet(arguments),
            depth=arguments.depth,
            validating=True,
        ):
            failed = report.failed(result)
            keep(result, texts[count % len(texts)])
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


@contextmanager
def _recorder(path: str | None) -> Iterator[Callable[[Result, str], None]]:
    """What records a result and the text of its operation, if a file is named for that."""
    if path is None:
        yield lambda result, text: None
        return
    with recording_to(path) as writer:
        yield partial(record, writer)


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
