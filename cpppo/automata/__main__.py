"""A regular expression on the command line: its machine drawn, and run over some input.

Owns the arguments, the table of a run and the exit status.  Rule: what is told is the machine's own answer.
Must not know how machines are made, stepped or drawn.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from cpppo.automata import PatternError, peekable, regex, regex_bytes, type_unicode_encoder
from cpppo.automata.diagram import columns, on_one_line, padded, symbol_text, ways_on
from cpppo.automata.naming import embrace
from cpppo.automata.picture import PictureError
from cpppo.dotdict import dotdict
from cpppo.errors import GrammarError, NonTerminal, UsageError

__all__ = ["main"]

# Exit statuses.
_ACCEPTED, _NOT_ACCEPTED, _USAGE, _NO_PICTURE, _INTERRUPTED, _BROKEN_PIPE = 0, 1, 2, 3, 130, 141

_PROGRAM = "python -m cpppo.automata"

# Columns of a machine's name, and of what it collected; symbols of input told, and of a bad pattern, at most.
NAME_COLUMNS, COLLECTED_COLUMNS, SYMBOLS_TOLD = 24, 32, 60

_DESCRIPTION = """\
Draw the machine of a regular expression; given an INPUT, run it over that, step by step.

The machine runs on until a symbol comes that cannot continue a sentence, and then either
has accepted a whole sentence, or fails. What follows that sentence, it leaves.
"""

_EPILOG = f"""\
the picture:
  > ( 0 )  'a'        -> ( 1 )    '>': it starts here; in ( 0 ), an 'a' leads to ( 1 )
    ((1))  'b'-'d'    -> ((1))    in two pairs of parentheses: a sentence may end here
           any other  -> ( 0 )    any symbol but those above

the trace: a line for each state entered, with the symbol that comes next, and what was collected before.

regular expressions: characters, classes such as [a-z] and [^a-z], groups, | and * + ? {{m,n}}; '.' is any
  symbol. A whole sentence is matched, as if between ^ and $. Put it in quotes, that the shell leave it alone.
  Big ones take long to read, some very long: counts such as [^,]{{0,1000}}, alternatives of hundreds of words,
  (a|b)*a(a|b){{9}}. In a program, write [^,]*, and let the limit of the machine count; Ctrl-C gives up.

examples:
  {_PROGRAM} '(ab+)((,[ ]*)(ab+))*'             the picture
  {_PROGRAM} '(ab+)((,[ ]*)(ab+))*' 'abb, ab'   and a run
  {_PROGRAM} --lazy 'ab+' abbb                  accepts 'ab', as soon as it can, and leaves 'bb'
  {_PROGRAM} --bytes '[+\\-]?[0-9]+' -- -12      over octets; after --, all are operands
  {_PROGRAM} -- '-?[0-9]+' -12                  an expression that begins with a hyphen
  printf 'abb' | {_PROGRAM} --compiled 'ab+' -  no trace, but the answer at speed, on standard input
  {_PROGRAM} --svg ab.svg 'ab+'                 a picture for documents, by graphviz
  {_PROGRAM} --dot 'ab+' | dot -Tpdf >ab.pdf    the same, your way

exit status: 0 accepted (or nothing to run), 1 not accepted, 2 wrong usage or regular expression,
  3 no picture by graphviz, 130 interrupted by Ctrl-C, 141 whoever read the output has ended.
"""


class _Parser(argparse.ArgumentParser):
    """Operands and options in any order; after ``--``, operands alone."""

    _hint = ""

    def operands_and_options(self, given: Sequence[str]) -> argparse.Namespace:
        end = list(given).index("--") if "--" in given else len(given)
        meant = next((each for each in given[:end] if re.match(r"-[^-h]|--[^a-z]", each)), None)
        self._hint = (
            "" if meant is None else f"; what begins with a hyphen and is no option goes after --: -- {meant!r}"
        )
        # those after -- are told by place: the parser itself would forget that they are operands
        after = [f" {each}" for each in given[end + 1 :]]
        arguments = self.parse_intermixed_args([*given[:end], *after])
        names = [name for name in ("pattern", "input") if getattr(arguments, name) is not None]
        for name in names[len(names) - len(after) :]:
            setattr(arguments, name, getattr(arguments, name)[1:])
        return arguments

    def error(self, message: str) -> NoReturn:
        super().error(message + self._hint)


def _parser() -> _Parser:
    parser = _Parser(
        prog=_PROGRAM, description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pattern", metavar="REGEX", help="a regular expression")
    parser.add_argument("input", metavar="INPUT", nargs="?", help="run over this; - reads standard input, all of it")
    picture = parser.add_argument_group(
        "picture", "in place of the one of text; where it takes standard output, a run is told on standard error"
    ).add_mutually_exclusive_group()
    picture.add_argument("--dot", action="store_true", help="print it in the language of graphviz")
    picture.add_argument("--svg", metavar="FILE", help="write it to FILE in SVG, by graphviz; - is standard output")
    run = parser.add_argument_group("machine and run")
    run.add_argument("--bytes", action="store_true", help="over octets: INPUT, and REGEX, are text in UTF-8")
    run.add_argument("--lazy", action="store_true", help="not greedy: stop as soon as a sentence is complete")
    run.add_argument("--compiled", action="store_true", help="run the compiled machine: its answer, without a trace")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Draw and run a regular expression; the exit status.

    :param argv: the arguments, by default those of the process.
    """
    arguments = _parser().operands_and_options(sys.argv[1:] if argv is None else argv)
    try:
        return _perform(arguments)
    except PatternError as exc:
        return _complain(f"{exc}\n{_marked(exc)}", _USAGE)
    except (UsageError, GrammarError) as exc:
        return _complain(exc, _USAGE)
    except PictureError as exc:
        return _complain(exc, _NO_PICTURE)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as exc:  # our output cannot be written; keep the interpreter from writing on at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(exc, BrokenPipeError):  # its reader has seen enough
            return _BROKEN_PIPE
        return _complain(f"cannot write the results: {exc.strerror or exc}", _USAGE)


def _complain(problem: object, status: int) -> int:
    _print(f"{_PROGRAM}: {problem}", sys.stderr)
    return status


def _print(text: str, file: Any) -> None:
    """A line of text; characters that the terminal does not know are escaped."""
    encoding = file.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=file)


def _perform(arguments: argparse.Namespace) -> int:
    kind = regex_bytes if arguments.bytes else regex
    pattern = _decoded(type_unicode_encoder(arguments.pattern), "REGEX", "write it in UTF-8")
    machine = kind(None, pattern, terminal=True, context="run", greedy=not arguments.lazy)
    symbols = None if arguments.input is None else _symbols(arguments.input, arguments.bytes)
    told = sys.stderr if arguments.dot or arguments.svg == "-" else sys.stdout
    _draw(machine, arguments)
    status = _ACCEPTED
    if symbols is not None:
        if not arguments.dot and arguments.svg is None:
            _print("", told)
        status = (_match if arguments.compiled else _trace)(machine, symbols, told)
    sys.stdout.flush()
    return status


def _symbols(given: str, octets: bool) -> str | bytes:
    """The input: the text given, or standard input, as text or octets."""
    name, read = ("standard input" if given == "-" else "INPUT"), type_unicode_encoder(given)
    if given == "-":
        try:
            read = sys.stdin.buffer.read()
        except OSError as exc:
            raise UsageError(f"cannot read standard input: {exc.strerror or exc}") from exc
    return read if octets else _decoded(read, name, "with --bytes it is taken as octets")


def _decoded(octets: bytes, name: str, instead: str) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError as exc:
        raise UsageError(f"{name} is no text in UTF-8, at octet {exc.start}; {instead}") from exc


# ------------------------------------------------------------------ pictures
def _draw(machine: regex, arguments: argparse.Namespace) -> None:
    if arguments.svg is None and not arguments.dot:
        _print(machine.diagram(), sys.stdout)
        return
    # files of graphviz are in UTF-8, whatever the terminal
    picture = type_unicode_encoder(machine.diagram("dot" if arguments.dot else "svg").rstrip("\n") + "\n")
    if arguments.dot or arguments.svg == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(picture)
        return
    try:
        with open(arguments.svg, "wb") as file:
            file.write(picture)
    except OSError as exc:
        raise UsageError(f"cannot write the picture to {arguments.svg}: {exc.strerror or exc}") from exc


def _marked(exc: PatternError) -> str:
    """The pattern, and below it a caret at the position of what is wrong; of a long one, the part around that."""
    pattern = exc.pattern if isinstance(exc.pattern, str) else exc.pattern.decode("latin-1")
    begin = max(0, exc.position - SYMBOLS_TOLD // 2)
    before, after = on_one_line(pattern[begin : exc.position]), on_one_line(pattern[exc.position :][:SYMBOLS_TOLD])
    return f"    {before}{after}\n    {' ' * columns(before)}^"


# ------------------------------------------------------------------ runs
def _match(machine: regex, symbols: str | bytes, file: Any) -> int:
    match = machine.compile().match(symbols)
    return _tell(symbols, match.consumed, match.accepted, match.terminal, file)


def _tell(symbols: str | bytes, consumed: int, accepted: bool, terminal: bool, file: Any) -> int:
    """What has become of the symbols; the exit status."""
    verdict = "accepted" if accepted else "not accepted; consumed"
    _print(
        f"{verdict}: {_told(symbols[:consumed])}; remaining: {_told(symbols[consumed:])}; terminal: {terminal}", file
    )
    return _ACCEPTED if accepted else _NOT_ACCEPTED


def _told(symbols: str | bytes) -> str:
    """Symbols for people: the first, and of many the count."""
    more = f"... ({len(symbols)} symbols)" if len(symbols) > SYMBOLS_TOLD else ""
    return repr(symbols[:SYMBOLS_TOLD]) + more


def _trace(machine: regex, symbols: str | bytes, file: Any) -> int:
    source = peekable(symbols)
    name = _cut(embrace(on_one_line(machine.own_name), True), NAME_COLUMNS)
    # no state is entered twice without a symbol taken, but the initial one and the want of a symbol
    widths = [
        max(len("step"), len(str(len(symbols) + 2))),
        max(len("machine"), columns(name)),
        max(len("state"), len("(needs more)"), *(columns(str(each)) for each in machine.nodes())),
        max(map(columns, ["symbol", "(end)", *map(symbol_text, set(symbols))])),
    ]

    def row(*cells: str) -> None:
        _print("  ".join(map(padded, cells, [*widths, 0])).rstrip(), file)

    row("step", "machine", "state", "symbol", "collected")
    state: Any = machine.initial
    try:
        for step, (state, symbol, collected) in enumerate(_steps(machine, source)):
            row(str(step), name, "(needs more)" if state is None else str(state), symbol, collected)
    except NonTerminal as exc:
        _print(f"\n{on_one_line(str(exc))}", file)
        _print(f"{machine.current} goes on with: {ways_on(machine.current) or 'nothing'}", file)
        return _tell(symbols, source.sent, False, machine.terminal, file)
    _print("", file)
    return _tell(symbols, source.sent, True, machine.terminal, file)


def _steps(machine: regex, source: Any) -> Iterator[tuple[Any, str, str]]:
    """Of each step, the state entered, the symbol that comes next, and what was collected before."""
    data = dotdict()
    where = machine.collected(None)
    for _, entered in machine.run(source, data=data):
        symbol = source.peek()
        collected = _recent(data[where] if where in data else (), machine.octets)
        yield entered, "(end)" if symbol is None else symbol_text(symbol), collected


def _recent(collected: Any, octets: bool) -> str:
    """What was collected; of much, the end."""
    recent: Any = collected[-COLLECTED_COLUMNS:]
    recent = bytes(recent) if octets else "".join(recent)
    while columns(repr(recent)) > COLLECTED_COLUMNS:
        recent = recent[1:]
    return ("..." if len(recent) < len(collected) else "") + repr(recent)


def _cut(text: str, width: int) -> str:
    """The beginning of a text, in ``width`` columns."""
    if columns(text) <= width:
        return text
    text = text[:width]
    while columns(text) > width - 3:
        text = text[:-1]
    return text + "..."


if __name__ == "__main__":
    sys.exit(main())
