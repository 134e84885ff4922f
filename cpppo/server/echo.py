"""A server that gives back every line it gets: a worked example.

Owns: the machine of a line, and a client's conversation by it.
Rule: the machine finds where a line ends; nothing here searches the octets for it.
Must not know sockets.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from cpppo.automata import dfa, state, state_input
from cpppo.dotdict import dotdict
from cpppo.errors import NonTerminal, ProtocolError
from cpppo.server.command import serve_command, serve_peers
from cpppo.server.sentences import Sentences
from cpppo.server.tcp import Server

__all__ = ["ADDRESS", "MAXIMUM_LINE", "Lines", "line_machine", "main", "serve"]

log = logging.getLogger("echo.srv")

#: Where it listens unless told otherwise.
ADDRESS = ("localhost", 8007)

#: Octets of a line, its end included; whoever sends longer ones is no longer listened to.
MAXIMUM_LINE = 65536

_PROGRAM = "python -m cpppo.server.echo"

_DESCRIPTION = f"""\
Give back every line that is received, as soon as its end (\\n) has arrived; what comes
before is kept until then. A worked example: the lines are found by a machine of three
states, one run of it for each client, which waits in mid-line for the next octets.

limits: a line has {MAXIMUM_LINE} octets at most, its end included; who sends a longer one gets
  what came before it, and the end of the connection.
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
    begin = state("begin", terminal=True)
    line = line_machine()
    for each in (begin, _whole):
        each[True] = line
    line[None] = _whole
    return dfa("lines", initial=begin)


_LINES = _line_after_line()


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


if __name__ == "__main__":
    sys.exit(main())
