"""What the command lines of servers and clients share: addresses, verbosity, standard input, serving to the end.

Owns: reading these from text, and the signals that end a server.
Rule: text that cannot be understood raises UsageError, saying what to write instead.
Must not know any protocol.
"""

from __future__ import annotations

import argparse
import errno
import logging
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from cpppo.errors import UsageError
from cpppo.logs import NORMAL, start_logging
from cpppo.server.sentences import Sentences
from cpppo.server.tcp import Connection, Server, Talks, format_address
from cpppo.version import __version__

__all__ = [
    "INTERRUPTED",
    "Serves",
    "add_verbosity",
    "format_address",
    "logging_to",
    "parse_address",
    "raise_descriptor_limit",
    "read_lines",
    "refused",
    "serve_command",
    "serve_peers",
    "serve_until_interrupted",
]

log = logging.getLogger("network")

#: The exit status of who is interrupted before there is anything to end in order, as shells show it.
INTERRUPTED = 130

#: Seconds after which Ctrl-C is noticed at last: a signal that comes just before accepting begins does not end that.
LOOK_S = 1.0

#: What a line says before its comment: a # after anything but a blank belongs to it, as does all in quotes.
_SAID = re.compile(r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?<=\S)\#|[^\#])*""")

_STATUSES = """
exit status: 0 ended in order, by Ctrl-C or SIGTERM; 2 wrong usage, or an address that cannot be had.
"""


def parse_address(text: str, default: tuple[str, int]) -> tuple[str, int]:
    """(host, port) of ``[host][:port]``, an IPv6 host in brackets; what is left out is as in ``default``."""
    port = default[1]
    match = re.fullmatch(r"(\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^:\[\]]*))(:(?P<port>[0-9]*))?", text.strip())
    if match is None:
        raise UsageError(f"address {text!r} is not [host][:port]; eg. localhost:{port}, :{port} or [::1]:{port}")
    digits = (match["port"] or str(port)).lstrip("0") or "0"
    if len(digits) > 5 or int(digits) > 65535:
        raise UsageError(f"address {text[:60]!r}: the port is beyond 65535")
    if match["host"] and match["host"].isdecimal():
        raise UsageError(f"address {text[:60]!r} is no host; a port alone is written :{match['host'][:20]}")
    host = match["six"] or match["host"] or default[0]
    if not host.isascii():
        raise UsageError(f"address {text[:60]!r}: {host[:50]!r} is no host name or address")
    return host, int(digits)


def read_lines(given: Iterable[str], stream: TextIO) -> Iterator[str]:
    """Texts from a command line, each ``-`` replaced by the lines of a stream.

    Blank lines are left out, and comments: from a # at the beginning of a line, or after a blank and not in quotes.
    """
    for text in given:
        if text != "-":
            yield text
            continue
        try:
            for line in stream:
                said = _SAID.match(line)
                if said is not None and said[0].strip():
                    yield said[0].strip()
        except UnicodeDecodeError as exc:
            raise UsageError(f"standard input is not {exc.encoding} text: {exc.reason}") from exc


def add_verbosity(parser: argparse._ActionsContainer) -> None:
    """The -v option, and --version."""
    parser.add_argument("--version", action="version", version=f"cpppo {__version__}")
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="say more of what happens; up to -vvvv for everything"
    )


@contextmanager
def logging_to(path: str | None, verbose: int) -> Iterator[Callable[[], None] | None]:
    """Log to a file that is kept small, or (None) to standard error, at a degree of verbosity, while in the block.

    For a file it gives what is to be called now and then, and opens it anew if SIGHUP has come, as after it was moved
    away.  OSError, with the name of the file, if it cannot be opened.
    """
    if path is None:
        start_logging(verbose)
        yield None
        return
    from cpppo.logfile import LogFile  # slow to import, and seldom wanted

    file = LogFile(path)
    start_logging(verbose, file)
    asked = threading.Event()
    listens = hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread()
    if hasattr(signal, "SIGHUP") and listens:
        before = signal.signal(signal.SIGHUP, lambda number, frame: asked.set())

    def reopen() -> None:
        if asked.is_set():
            asked.clear()
            file.reopen()

    try:
        yield reopen
    finally:
        if hasattr(signal, "SIGHUP") and listens:
            signal.signal(signal.SIGHUP, before)
        logging.root.removeHandler(file)
        file.close()


class Serves(Protocol):
    """What serves until it is stopped."""

    def serve(self) -> None:
        """Serve until ``stop``."""

    def stop(self) -> None:
        """End in order."""


def serve_until_interrupted(server: Serves, started: Callable[[], object], last: bool = False) -> None:
    """Call ``started``, then serve until Ctrl-C or SIGTERM, and end in order, impatience notwithstanding.

    :param started: eg. tells the user; interrupting it is as interrupting the server.
    :param last: the process does nothing more afterwards, and so ignores these signals to its end.

    Signals reach the main thread only: in another one this serves until ``server.stop``.
    """
    main_thread = threading.current_thread() is threading.main_thread()
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        if main_thread:
            signal.signal(signal.SIGTERM, _interrupt)
        started()
        server.serve()
    except KeyboardInterrupt:
        log.log(NORMAL, "ended by the user")
    finally:
        if main_thread:
            for one in before:
                signal.signal(one, signal.SIG_IGN)
        server.stop()
        if main_thread and not last:
            for one, handler in before.items():
                signal.signal(one, handler)


def raise_descriptor_limit(wanted: int) -> int:
    """Let this process open ``wanted`` descriptors, or as many as the system allows; how many these are, 0: unknown."""
    try:
        import resource
    except ImportError:  # not a POSIX system, and no such limit
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    bounds = [one for one in (wanted, hard) if one != resource.RLIM_INFINITY]
    if soft == resource.RLIM_INFINITY or soft >= min(bounds):
        return soft if soft != resource.RLIM_INFINITY else wanted
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(bounds), hard))
    except (OSError, ValueError) as exc:
        log.info("the limit of %d open descriptors cannot be raised to %d: %s", soft, min(bounds), exc)
        return soft
    return min(bounds)


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def serve_peers(address: tuple[str, int], talk: Callable[[str], Talks], name: str, log: logging.Logger) -> Server:
    """A server that logs who comes and goes; ``talk`` makes the conversation with a peer out of its address.

    Of one led by a machine (`Sentences`) it also logs if the peer was gone in mid-sentence.
    """

    def begun(sock: socket.socket) -> Talks:
        peer = format_address(sock.getpeername()[:2])
        log.log(NORMAL, "%s: connected", peer)
        return talk(peer)

    def ended(connection: Connection, left: int) -> None:
        whole = not isinstance(connection.talk, Sentences) or connection.talk.end()
        how = "gone" if whole else "gone in mid-sentence, which is not answered"
        log.log(NORMAL, "%s: %s (%d connections remain)", format_address(connection.peer[:2]), how, left)

    return Server(address, begun, ended, tick=lambda: LOOK_S, name=name)


def serve_command(
    argv: Sequence[str] | None,
    program: str,
    description: str,
    examples: str,
    default: tuple[str, int],
    serve: Callable[[tuple[str, int]], Server],
    sample: bytes,
) -> int:
    """The command of a small server with no options but its address: serve until interrupted; the exit status.

    :param default: the address without ``--address``.
    :param serve: makes the server of an address.
    :param sample: what the user is shown how to send.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=examples + _STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-a",
        "--address",
        default=format_address(default),
        metavar="HOST:PORT",
        help="interface and port to serve on (default %(default)s; no host: all interfaces, port 0: any free one)",
    )
    add_verbosity(parser)
    arguments = parser.parse_args(argv)
    start_logging(arguments.verbose)
    try:
        address = parse_address(arguments.address, ("", default[1]))
    except UsageError as exc:
        print(f"{program}: {exc}", file=sys.stderr)
        return 2
    try:
        server = serve(address)
    except (OSError, UnicodeError) as exc:
        print(f"{program}: {refused(exc, address, default[1])}", file=sys.stderr)
        return 2
    serve_until_interrupted(server, lambda: print(_greeting(program, server.address, sample), flush=True), argv is None)
    return 0


def refused(exc: Exception, address: tuple[str, int], port: int, option: str = "--address") -> str:
    """Why an address cannot be served on, and what to do instead; ``port`` is the usual one, ``option`` names it."""
    all_of_them = ", or none for all" if option == "--address" else ""
    code, where = getattr(exc, "errno", None), format_address(address)
    if code == errno.EADDRINUSE:
        instead = f"another server is there; use another port, eg. {option} :0 for any free one"
    elif code in (errno.EACCES, errno.EPERM) and 0 < address[1] < 1024:
        instead = f"ports below 1024 need special rights; use another, eg. {option} :{port}"
    else:
        instead = f"name an interface of this machine, eg. {option} localhost:{port}{all_of_them}"
    return f"cannot serve on {where}: {getattr(exc, 'strerror', None) or exc}; {instead}"


def _greeting(program: str, address: tuple[str, int], sample: bytes) -> str:
    """Where it listens, and a line that tries it on any system that has Python."""
    host, port = address
    nearest = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    client = (
        f"import socket; s = socket.create_connection(({nearest!r}, {port})); s.sendall({sample!r}); print(s.recv(99))"
    )
    return f'{program}: on {format_address(address)}; Ctrl-C ends it. Try it:\n  python -c "{client}"'
