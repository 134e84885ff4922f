"""Reading examples from Org text: source blocks, what is said before them, and the output shown after them.

Knows Org's syntax as far as these documents use it, and nothing of what the examples mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Block", "blocks", "normalised", "registry_installs"]

_BEGIN = re.compile(r"\s*#\+begin_src\s*(\S*)", re.IGNORECASE)
_SESSION = re.compile(r":session +(\S+)")
_TANGLE = re.compile(r":tangle +(\S+)")
_END = re.compile(r"\s*#\+end_(src|example)", re.IGNORECASE)
_EXAMPLE = re.compile(r"\s*#\+begin_example", re.IGNORECASE)
_RESULTS = re.compile(r"\s*#\+results", re.IGNORECASE)
_KEYWORD = re.compile(r"\s*#\+(name|caption|attr_\w+|header)", re.IGNORECASE)
_EXCUSE = re.compile(r"not run, because\b(.*)", re.IGNORECASE)

#: What differs from run to run, and by what it is replaced before outputs are compared.
_VOLATILE = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"(\d{4}-)?\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?", "<time>"),
        (r"\d+\.\d+ ?TPS", "<rate> TPS"),
        (r"\d+\.\d+ ?s\b", "<seconds>"),
        (r"(?<=[\w\]]):\d{4,5}\b", ":<port>"),
        (r"array\('[uw]'", "array('u'"),
        (r"[ \t]+", " "),
    )
)


@dataclass(frozen=True)
class Block:
    """One source block: where it begins, its language and text, why it is not run, and the output to expect."""

    line: int
    language: str
    text: str
    excuse: str | None = None  # None: to be run; else the reason, "" if none is given
    output: str | None = None
    before: str = ""  # the blocks before it of the same ``:session``, whose names it uses
    file: str | None = None  # the name of a file to write it to, from ``:tangle``

    @property
    def program(self) -> str:
        """A Python block as a program: what came before in its session is run without a word."""
        if not self.before:
            return self.text
        silent = "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n"
        return f"{silent}    exec(compile({self.before!r}, '<before>', 'exec'), globals())\n{self.text}"

    @property
    def console(self) -> bool:
        """Whether it is a session as on a terminal: `$ ` before commands, their output between them."""
        return any(line.startswith("$ ") for line in self.text.splitlines())

    def commands(self) -> Iterator[tuple[int, str, str | None]]:
        """(line, command, output to expect or None) of a shell block, in order.

        Lines that end in a backslash go on; comments are passed over; the output shown after the block belongs to
        its last command.
        """
        found: list[tuple[int, str, list[str]]] = []
        continued = False
        for number, line in enumerate(self.text.splitlines(), self.line + 1):
            if continued:
                at, command, said = found[-1]
                found[-1] = (at, f"{command}\n{line.removeprefix('> ')}", said)
            elif self.console and not line.startswith("$ "):
                if found:
                    found[-1][2].append(line)
                continue
            elif not (command := line.removeprefix("$ ").strip()) or command.startswith("#"):
                continue
            else:
                found.append((number, command, []))
            continued = line.endswith("\\")
        for index, (number, command, said) in enumerate(found):
            shown = "\n".join(said) if said else None
            yield number, command, self.output if shown is None and index == len(found) - 1 else shown


def blocks(text: str) -> list[Block]:
    """All source blocks of an Org text. One that is never ended is a ValueError."""
    lines = text.splitlines()
    found = []
    sessions: dict[str, str] = {}
    at = 0
    while at < len(lines):
        if begin := _BEGIN.match(lines[at]):
            body, after = _body(lines, at)
            output, excuse = _output(lines, after), _excuse(lines, at)
            session, file = _SESSION.search(lines[at]), _TANGLE.search(lines[at])
            before = sessions.get(session[1], "") if session else ""
            found.append(Block(at + 1, begin[1].lower(), body, excuse, output, before, file[1] if file else None))
            if session and excuse is None:
                sessions[session[1]] = f"{before}{body}\n"
            at = after
        else:
            at += 1
    return found


def _body(lines: list[str], begin: int) -> tuple[str, int]:
    """The text of the block that begins at a line, without its indentation, and the line after its end."""
    for end in range(begin + 1, len(lines)):
        if _END.match(lines[end]):
            inside = lines[begin + 1 : end]
            indent = min((len(line) - len(line.lstrip()) for line in inside if line.strip()), default=0)
            return "\n".join(line[indent:] for line in inside), end + 1
    raise ValueError(f"line {begin + 1}: a block that is never ended")


def _excuse(lines: list[str], begin: int) -> str | None:
    """The reason given for not running a block, in the paragraph right before it."""
    at = begin - 1
    while at >= 0 and (not lines[at].strip() or _KEYWORD.match(lines[at])):
        at -= 1
    paragraph: list[str] = []
    while at >= 0 and lines[at].strip() and not _END.match(lines[at]):
        paragraph.insert(0, lines[at].strip())
        at -= 1
    found = _EXCUSE.search(" ".join(paragraph))
    return found[1].strip(" .:") if found else None


def _output(lines: list[str], after: int) -> str | None:
    """What is shown as output right after a block: `#+RESULTS:` with `: ` lines, or an example block."""
    at = after
    while at < len(lines) and (not lines[at].strip() or _RESULTS.match(lines[at])):
        at += 1
    if at < len(lines) and _EXAMPLE.match(lines[at]):
        return _body(lines, at)[0]
    shown = []
    while at < len(lines) and re.match(r"\s*:( |$)", lines[at]):
        shown.append(lines[at].strip()[2:])
        at += 1
    return "\n".join(shown) if shown else None


def normalised(output: str) -> str:
    """Output without what differs from run to run: times, rates, ports, and blanks at the ends."""
    for pattern, word in _VOLATILE:
        output = pattern.sub(word, output)
    return "\n".join(line.strip() for line in output.strip().splitlines())


def registry_installs(text: str) -> list[str]:
    """The `pip install` commands of a text that fetch cpppo from the registry by its name."""
    named = re.compile(r"['\"]?cpppo(\[[^]]*\])?([=<>~!].*)?['\"]?[`=~.,;]?", re.IGNORECASE)
    found = []
    for command in re.findall(r"\bpip[\d.]* +install\b[^\n]*", text):
        if any(named.fullmatch(word) for word in command.split()[2:]):
            found.append(command)
    return found
