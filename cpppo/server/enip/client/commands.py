"""What the client's command lines share: exit statuses, options, connecting, and how they end.

Owns: these, how times and rates are shown, and the one line on standard error that says why something failed.
Rule: nobody at a terminal ever sees a traceback.  Must not know what a command does.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import time

from cpppo.errors import Error, UsageError
from cpppo.history.moments import render
from cpppo.server.command import format_address, logging_to, parse_address
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

#: Exit statuses; those of signals as shells show them.
OK, FAILED, USAGE, UNREACHABLE, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 130, 141

#: What they mean, for people.
STATUSES = "exit status: 0 all succeeded, 1 an operation failed, 2 wrong usage, 3 no connection, 130 interrupted."

#: The longest time-out; systems take no more than some weeks.
_DAY_S = 86400


class Unreachable(Error):
    """There is no connection to be had."""


def seconds(text: str) -> float:
    """A number of seconds that can be waited, of an option's text."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= _DAY_S:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0, up to {_DAY_S}; eg. 5.0")
    return number


def count(text: str) -> int:
    """How often something is done, of an option's text."""
    if not text.isdecimal() or not 1 <= len(text) <= 18 or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 to {10**18 - 1}")
    return int(text)


def size(text: str) -> int:
    """How many there may be, of an option's text."""
    if not text.isdecimal() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 0 to {10**18 - 1}")
    return int(text)


@contextmanager
def logged(path: str | None, verbose: int) -> Iterator[Callable[[], None]]:
    """Log as the options say, while in the block; gives what is to be called now and then."""
    with ExitStack() as stack:
        try:
            reopen = stack.enter_context(logging_to(path, verbose))
        except OSError as exc:
            raise UsageError(f"cannot write {exc.filename}: {exc.strerror}; name a file that can be written") from exc
        yield reopen or (lambda: None)


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


def ended(program: str, run: Callable[[], int]) -> int:
    """Run a command to its end; its exit status, whatever happens."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # whose encoding may not have all that a tag can hold
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = run()
        sys.stdout.flush()
        return status
    except UsageError as exc:
        return _complain(program, exc, USAGE)
    except Unreachable as exc:
        return _complain(program, exc, UNREACHABLE)
    except Error as exc:
        return _complain(program, exc, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as exc:  # our output cannot be written; keep the interpreter from writing on at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(exc, BrokenPipeError):  # its reader has seen enough
            return BROKEN_PIPE
        return _complain(program, f"cannot write the results: {exc.strerror or exc}", FAILED)


def _complain(program: str, problem: object, status: int) -> int:
    print(f"{program}: {problem}", file=sys.stderr)
    return status
