"""A server that gives back every line it gets, and what small servers such as this have in common.

Owns: the machine of a line; a conversation led by a machine; the command line of a server that is tried by hand.
Rule: the machine finds where a line ends; nothing here searches the octets for it.  A conversation turns octets into
octets, wherever these come from.
Must not know what other servers talk about.
"""

from __future__ import annotations

import argparse
import errno
import logging
import socket
import sys
from collections.abc import Callable, Sequence

from cpppo.automata import chaining, dfa, state, state_input
from cpppo.dotdict import dotdict
from cpppo.errors import NonTerminal, ProtocolError, UsageError
from cpppo.logs import NORMAL, start_logging
from cpppo.server.enip.options import add_verbosity, format_address, parse_address
from cpppo.server.tcp import Connection, Server, Talks, serve_until_interrupted

__all__ = [
    "ADDRESS",
    "MAXIMUM_LINE",
    "Lines",
    "Sentences",
    "line_machine",
    "main",
    "serve",
    "serve_command",
    "serve_peers",
]

log = logging.getLogger("echo.srv")

#: Where it listens unless told otherwise.
ADDRESS = ("localhost", 8007)

#: Octets of a line, its end included; whoever sends longer ones is no longer listened to.
MAXIMUM_LINE = 65536

_PROGRAM = "python -m cpppo.server.echo"

_DESCRIPTION = """\
Give back every line that is received, as soon as its end (\\n) has arrived; what comes
before is kept until then. A worked example: the lines are found by a machine of three
states, one run of it for each client, which waits in mid-line for the next octets.
"""

_EXAMPLES = f"""\
examples:
  {_PROGRAM}                          on localhost:8007, for programs of this machine
  {_PROGRAM} --address :8007          on all interfaces
  {_PROGRAM} --address localhost:0    on a free port, which the first line names

then, in another terminal, type lines into one of these, or run the line that the server prints:
  nc localhost 8007
  telnet localhost 8007
"""


def line_machine(name: str = "line", context: str = "line") -> dfa:
    """A machine of one line: octets up to and with ``\\n``, MAXIMUM_LINE at most, kept at ``<context>.input``."""
    begin = state("begin")
    octet = state_input("octet")
    end = state_input("end", terminal=True)
    for each in (begin, octet):
        each[True] = octet
        each[ord("\n")] = end
    return dfa(name, initial=begin, context=context, limit=MAXIMUM_LINE)


#: Entered each time that a line is complete.
_whole = state("whole", terminal=True)


def _line_after_line() -> dfa:
    """A machine of any number of lines, which passes by `_whole` after each."""
    line = line_machine()
    line[None] = _whole
    _whole[None] = line
    return dfa("lines", initial=line)


_LINES = _line_after_line()


class Sentences:
    """A conversation in which each sentence a machine accepts gets an answer.  Octets in, octets out.

    :param machine: goes on from sentence to sentence, and enters the state ``whole`` at the end of each.
    :param peer: names the other side in the log.

    ``closed`` when what came is no sentence: then nothing is answered any more.
    """

    def __init__(self, machine: dfa, whole: state, peer: str) -> None:
        self.closed = False
        self.peer = peer
        self._whole = whole
        self._source = chaining()
        self._data = dotdict()
        self._run = machine.run(self._source, data=self._data)

    def receive(self, data: bytes) -> bytes:
        """The answers to the sentences that ``data`` completes."""
        if self.closed or not data:  # resuming without more would say that no more comes
            return b""
        self._source.chain(data)
        answers = []
        try:
            for _, entered in self._run:
                if entered is None:  # it goes on here when there is more
                    break
                if entered is self._whole:
                    answers.append(self.answer(self._data))
        except (NonTerminal, ProtocolError) as exc:
            self.closed = True
            answers.append(self.refuse(self._data, exc))
        return b"".join(answers)

    def answer(self, data: dotdict) -> bytes:
        """The answer to the sentence in ``data``, which it empties for the next; or a ProtocolError raised."""
        raise NotImplementedError(f"{type(self).__name__} must define answer(data)")

    def refuse(self, data: dotdict, exc: NonTerminal | ProtocolError) -> bytes:
        """The last answer, to what is no sentence because of ``exc``; ``data`` has what was understood of it."""
        raise NotImplementedError(f"{type(self).__name__} must define refuse(data, exc)")


class Lines(Sentences):
    """What a client of the echo is told: its own lines, until one is too long."""

    def __init__(self, peer: str = "a client") -> None:
        super().__init__(_LINES, _whole, peer)

    def answer(self, data: dotdict) -> bytes:
        line: bytes = data.pop("line").input.tobytes()
        return line

    def refuse(self, data: dotdict, exc: NonTerminal | ProtocolError) -> bytes:
        log.warning("%s: a line is longer than %d octets, connection closed: %s", self.peer, MAXIMUM_LINE, exc)
        return b""


def serve(address: tuple[str, int] = ADDRESS) -> Server:
    """A server that echoes lines on (host, port); its ``serve`` method accepts until ``stop``.  OSError as `Server`."""
    return serve_peers(address, Lines, "echo", log)


def main(argv: Sequence[str] | None = None) -> int:
    """Echo lines until interrupted.

    :param argv: the arguments, by default those of the process.
    :return: exit status: 0 ended in order, 2 wrong usage or an address that cannot be had.
    """
    return serve_command(argv, _PROGRAM, _DESCRIPTION, _EXAMPLES, ADDRESS, serve, b"hello\n")


def serve_peers(address: tuple[str, int], talk: Callable[[str], Talks], name: str, log: logging.Logger) -> Server:
    """A server that logs who comes and goes; ``talk`` makes the conversation with a peer out of its address."""

    def begun(sock: socket.socket) -> Talks:
        peer = format_address(sock.getpeername()[:2])
        log.log(NORMAL, "%s: connected", peer)
        return talk(peer)

    def ended(connection: Connection, left: int) -> None:
        log.log(NORMAL, "%s: gone (%d connections remain)", format_address(connection.peer[:2]), left)

    return Server(address, begun, ended, name=name)


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
        epilog=examples,
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
        where, why = format_address(address), getattr(exc, "strerror", None) or exc
        print(f"{program}: cannot serve on {where}: {why}; {_instead(exc)}", file=sys.stderr)
        return 2
    serve_until_interrupted(server, lambda: print(_greeting(program, server.address, sample), flush=True), argv is None)
    return 0


def _instead(exc: Exception) -> str:
    """What to do about an address that cannot be served on."""
    if getattr(exc, "errno", None) == errno.EADDRINUSE:
        return "another server is there; use another port, eg. --address localhost:0 for any free one"
    return "name an interface of this machine and a port above 1023, eg. --address localhost:8000"


def _greeting(program: str, address: tuple[str, int], sample: bytes) -> str:
    """Where it listens, and a line that tries it on any system that has Python."""
    host, port = address
    nearest = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    client = (
        f"import socket; s = socket.create_connection(({nearest!r}, {port})); s.sendall({sample!r}); print(s.recv(99))"
    )
    return f'{program}: on {format_address(address)}; Ctrl-C ends it. Try it:\n  python -c "{client}"'


if __name__ == "__main__":
    sys.exit(main())
