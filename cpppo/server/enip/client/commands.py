"""What the client's command lines share: options, connecting, and how times and rates are shown.

Owns: these; how commands end is cpppo.server.ending's, under the same names here.  Must not know what a command does.
"""

from __future__ import annotations

import argparse
from time import time

from cpppo.errors import Error
from cpppo.history.moments import render
from cpppo.server.command import format_address, parse_address
from cpppo.server.ending import FAILED, OK, Unreachable, count, ended, logged, seconds, size
from cpppo.server.enip.client.connector import connector
from cpppo.server.enip.wire.header import PORT

__all__ = [
    "FAILED",
    "OK",
    "STATUSES",
    "Unreachable",
    "address_option",
    "connected",
    "count",
    "ended",
    "format_pace",
    "logged",
    "moment",
    "pace_options",
    "seconds",
    "size",
]

#: What they mean, for people.
STATUSES = "exit status: 0 all succeeded, 1 an operation failed, 2 wrong usage, 3 no connection, 130 interrupted."


def address_option(parser: argparse.ArgumentParser) -> None:
    """The option -a, as of all tools."""
    parser.add_argument(
        "-a",
        "--address",
        default="localhost",
        metavar="HOST",
        help=f"host[:port] of the controller (default localhost:{PORT})",
    )


def pace_options(parser: argparse.ArgumentParser) -> None:
    """The options that say how requests are sent: -d and -t."""
    parser.add_argument(
        "-d", "--depth", type=size, default=0, metavar="N", help="requests in flight (default 0: one by one)"
    )
    parser.add_argument(
        "-t", "--timeout", type=seconds, default=10.0, metavar="S", help="seconds each reply may take (default 10)"
    )


def moment() -> str:
    """The time now, UTC, as histories write it: ``2026-11-22 06:43:44.835``."""
    return render(time())


def format_pace(elapsed_s: float, depth: int, operations: int) -> str:
    """How fast so many operations went, eg. ``in    0.11s at pipeline depth  0;  27.8 TPS``."""
    rate = operations / elapsed_s if elapsed_s else 0.0
    return f"in {elapsed_s:7.2f}s at pipeline depth {depth:2d}; {rate:5.1f} TPS"


def connected(address: str, timeout: float | None, tag: str = "SCADA=INT[1000]") -> connector:
    """A session with the controller at ``[host][:port]``; Unreachable says why there is none, and what can be done.

    :param tag: of a simulator that would do.
    """
    host, port = parse_address(address, ("localhost", PORT))
    try:
        return connector(host, port, timeout)
    except (OSError, Error) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise Unreachable(
            f"cannot connect to {format_address((host, port))}: {reason}; "
            f"is a controller there? To simulate one: enip_server {tag}"
        ) from exc
