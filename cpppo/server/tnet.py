"""A server that tells in JSON what tnetstrings it gets.

Owns: the machine of a tnetstring, and a client's conversation by it.
Rule: the machine finds where a tnetstring ends, however its octets are cut up; what a payload means is `tnetstrings`'.
Must not know sockets.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

from cpppo.automata import decide, dfa, integer_bytes, state, state_drop, state_input, string_bytes
from cpppo.dotdict import dotdict
from cpppo.errors import GrammarError, NonTerminal, ProtocolError, RemoteProtocolError
from cpppo.server.command import serve_command, serve_peers
from cpppo.server.sentences import Sentences
from cpppo.server.tcp import Server
from cpppo.server.tnetstrings import (
    MAXIMUM_DEPTH,
    MAXIMUM_DIGITS,
    MAXIMUM_SIZE_DIGITS,
    TYPES,
    MalformedTnetstring,
    interpret,
)

__all__ = ["ADDRESS", "MAXIMUM_SIZE", "Tnets", "data_parser", "main", "serve", "tnet_machine"]

log = logging.getLogger("tnet.srv")

#: Where it listens unless told otherwise.
ADDRESS = ("localhost", 8008)

#: Octets of a payload.
MAXIMUM_SIZE = 65536

_PROGRAM = "python -m cpppo.server.tnet"

_DESCRIPTION = f"""\
Answer each tnetstring, as soon as it is complete, with its value in JSON and an empty
line; what is no tnetstring, with {{"error": "what is wrong"}} and the end of the connection.

  5:hello,   5:hello$     octets, text    "hello"
  3:123#     4:1.50^      numbers         123    1.5
  4:true!    0:~          and the like    true   null
  8:1:1#1:2#]             a list          [1, 2]
  8:1:a,1:1#}}             a dict          {{"a": 1}}
  1:t?       1:f?         in brief        true   false

limits: a size has {MAXIMUM_SIZE_DIGITS} digits at most, a payload {MAXIMUM_SIZE} octets, a number {MAXIMUM_DIGITS};
  lists and dicts are nested {MAXIMUM_DEPTH} deep at most.

A worked example: the size that a machine reads is the limit of the machine that follows.
"""

_EXAMPLES = f"""\
examples:
  {_PROGRAM}                          on localhost:8008, for programs of this machine
  {_PROGRAM} --address :8008          on all interfaces
  {_PROGRAM} --address localhost:0    on a free port, which the first line names

then, in another terminal, type tnetstrings into one of these, or run the line that the server prints:
  nc localhost 8008
  telnet localhost 8008
"""


class _Verbatim(dict[Any, Any]):
    """A dict that a dotdict keeps as it is: of a plain one it would read the keys as paths."""


def _below(path: str | None, name: str) -> str:
    return f"{path}.{name}" if path else name


class _Type(state_input):
    """Takes the type of a tnetstring, and puts the value that this makes of its ``data`` where it would collect it."""

    def process(self, source: Any, machine: Any, path: str | None, data: Any) -> None:
        value = interpret(data[_below(path, "data")], next(source))
        data[self.context(path)] = _Verbatim(value) if isinstance(value, dict) else value


def data_parser(**kwds: Any) -> dfa:
    """A machine of the payload: as many octets as the ``size`` beside it says, kept as bytes.

    Keywords as for `string_bytes`; by default the context is ``data``, and the limit ``.size``, beside it.
    """
    return string_bytes(**{"name": "data", "context": "data", "limit": ".size", **kwds})


def tnet_machine(name: str | None = None, context: str = "tnet") -> dfa:
    """A machine of one tnetstring: its value is put at ``<context>.type.input``.

    ``<context>.size`` and ``<context>.data`` are its size and payload.  Run, it raises NonTerminal for what cannot
    begin a tnetstring of up to MAXIMUM_SIZE octets, MalformedTnetstring for a payload that is not of its type, and
    GrammarError without data to keep the size in.
    """

    def fits(path: str | None, data: Any, **others: Any) -> bool:
        if data is None:
            raise GrammarError("a tnetstring is limited by the size kept in the data: run its machine with some")
        return bool(data[_below(path, "size")] <= MAXIMUM_SIZE)

    size = integer_bytes("size", context="size", limit=MAXIMUM_SIZE_DIGITS)
    colon = state_drop("colon")
    payload = data_parser()
    value = _Type("type", context="type", terminal=True)
    size[ord(":")] = decide("fits", colon, fits)
    colon[None] = payload
    for kind in TYPES:
        payload[kind] = value
    return dfa("tnet" if name is None else name, initial=size, context=context)


#: Entered each time that a tnetstring is complete.
_whole = state("whole", terminal=True)


def _one_after_the_other() -> dfa:
    """A machine of any number of tnetstrings, line ends between them or not, which passes by `_whole` after each."""
    begin = state("begin", terminal=True)
    line_end = state_drop("line end", terminal=True)
    one = tnet_machine()
    for each in (begin, line_end, _whole):
        each[ord("\n")] = each[ord("\r")] = line_end
        each[True] = one
    one[None] = _whole
    return dfa("tnets", initial=begin)


_TNETS = _one_after_the_other()


class Tnets(Sentences):
    """What a client is told: its tnetstrings in JSON, until something is none."""

    def __init__(self, peer: str = "a client") -> None:
        super().__init__(_TNETS, _whole, peer)

    def answer(self, data: dotdict) -> bytes:
        return _json(data.pop("tnet").type.input)

    def refuse(self, data: dotdict, exc: NonTerminal | ProtocolError) -> bytes:
        if isinstance(exc, NonTerminal):
            wrong = _expected(data, exc, self.next_octet())
        elif isinstance(exc, MalformedTnetstring):
            wrong = f"in a payload of {data['tnet.size']} octets: {exc}"
        else:
            wrong = str(exc)
        log.warning("%s: %s; connection closed", self.peer, wrong)
        return _json({"error": wrong})


def _expected(data: dotdict, exc: NonTerminal, octet: int | None) -> str:
    """What is wrong with octets that are no tnetstring, by what was understood of it, and the octet that came then."""
    size = data.get("tnet.size")
    if not isinstance(size, int):
        what = f"a tnetstring begins with its size, 1 to {MAXIMUM_SIZE_DIGITS} decimal digits"
    elif "tnet.data" not in data and octet is not None and octet in b"0123456789":
        what = f"a size has {MAXIMUM_SIZE_DIGITS} digits at most"
    elif size > MAXIMUM_SIZE:
        what = f"the size {size} is more than {MAXIMUM_SIZE}, which is the most here"
    elif "tnet.data" not in data:
        what = "after the size comes a ':'"
    else:
        what = f"after {size} octets comes the type, one of {TYPES.decode()}"
    return f"{what}; not so at offset {exc.offset}"


def _json(value: Any) -> bytes:
    """The JSON text of a value, and an empty line.

    :raises RemoteProtocolError: for a value that has none.
    """
    try:
        return json.dumps(_plain(value), allow_nan=False).encode("ascii") + b"\n\n"
    except ValueError as exc:
        raise RemoteProtocolError(f"a value that JSON cannot tell: {exc}") from exc


def _plain(value: Any) -> Any:
    """A value with its octets as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        plain = {_plain(key): _plain(each) for key, each in value.items()}
        if len(plain) < len(value):
            raise ValueError("two keys of a dict are the same text, one as octets")
        return plain
    return value


def serve(address: tuple[str, int] = ADDRESS) -> Server:
    """A server that answers tnetstrings on (host, port); its ``serve`` method accepts until ``stop``.

    :raises OSError: as `Server` does.
    """
    return serve_peers(address, Tnets, "tnet", log)


def main(argv: Sequence[str] | None = None) -> int:
    """Answer tnetstrings until interrupted.

    :param argv: the arguments, by default those of the process.
    :return: exit status: 0 ended in order, 2 wrong usage or an address that cannot be had.
    """
    return serve_command(argv, _PROGRAM, _DESCRIPTION, _EXAMPLES, ADDRESS, serve, b"5:hello,")


if __name__ == "__main__":
    sys.exit(main())
