"""The dialect of our regular expressions, and errors of it that teach.

Owns what a pattern may hold and what to write instead of what it may not.  The dialect is that part of Python's ``re``
which a machine can run and greenery reads with the same meaning; two differences are meant: ``.`` takes a newline as
well, and ``\\d \\w \\s`` are ASCII alone.

Rule: whatever passes ``check`` means, on whole sentences, what ``re`` means by it; whatever does not is told with its
position and its remedy, in the user's own spelling.

Must not know how one symbol is spelled, how patterns become machines, nor import their parser.
"""

from __future__ import annotations

import re
from typing import NoReturn

from cpppo.automata.spelling import OCTAL_OUTSIDE, Speller, Symbol, quote
from cpppo.errors import GrammarError

__all__ = ["PatternError", "check", "explain"]

LONGEST = 60  # symbols of a pattern a message shows whole
BRACES = re.compile(r"\{([0-9]*)(?:,([0-9]*))?\}")
ENDING = re.compile(r"(?:\$|\\[Zz])*(?:\||\Z)")  # after it an end of sentence is no news


class PatternError(GrammarError, ValueError):
    """A regular expression that is not of the dialect.

    ``pattern`` is the expression as its author gave it, ``position`` the index into it (its length, where something is
    missing at the end), ``what`` is wrong and what to do ``instead``.  ``fixed`` is the whole pattern with that one
    remedy applied, None where there is no spelling for it; it may hold further faults.
    """

    def __init__(
        self, pattern: str | bytes, position: int, what: str, instead: str, fixed: str | bytes | None = None
    ) -> None:
        super().__init__(pattern, position, what, instead, fixed)
        self.pattern = pattern
        self.position = position
        self.what = what
        self.instead = instead
        self.fixed = fixed

    def __str__(self) -> str:
        shown = _excerpt(self.pattern, self.position)
        return f"bad regular expression {shown} at position {self.position}: {self.what}; {self.instead}"


def check(pattern: str, shown: str | bytes | None = None) -> None:
    """Raise PatternError at the first construct of ``pattern`` that is not of the dialect.

    ``shown`` is what the author wrote, symbol by symbol the same, where that was bytes: ``pattern`` is then it decoded
    as latin-1, and remedies are spelled in octets.
    """
    _Scanner(pattern, shown).scan()


def explain(pattern: str, exc: Exception, shown: str | bytes | None = None) -> PatternError:
    """The error to raise for a ``pattern`` that the parser refused with ``exc``; ``shown`` as in ``check``."""
    scanner = _Scanner(pattern, shown)
    try:
        scanner.scan()
    except PatternError as fault:
        return fault
    author = pattern if shown is None else shown
    if isinstance(exc, RecursionError):
        depth, position = scanner.deepest
        what = f"this nests too deep ({depth} groups)" if depth else "this is too complex"
        return PatternError(author, position, what, "take out needless groups, or build it of several machines")
    told = re.search(r"beyond index (\d+)", str(exc))
    position = min(int(told[1]), len(pattern)) if told else 0
    what = f"the parser cannot read it ({str(exc) or type(exc).__name__})"
    return PatternError(author, position, what, "write it with characters, classes, groups, | and * + ? {m,n} alone")


def _excerpt(pattern: str | bytes, position: int) -> str:
    """The pattern quoted; of a long one only the part around the position."""
    if len(pattern) <= LONGEST:
        return quote(pattern)
    start = min(max(0, position - LONGEST // 2), len(pattern) - LONGEST)
    stop = start + LONGEST
    return ("..." if start else "") + quote(pattern[start:stop]) + ("..." if stop < len(pattern) else "")


class _Scanner:
    """One pass over a pattern, left to right; raises PatternError at the first fault."""

    def __init__(self, pattern: str, shown: str | bytes | None) -> None:
        self.pattern = pattern
        self.shown = pattern if shown is None else shown
        self.octets = isinstance(shown, bytes)
        self.spell = Speller(pattern, self.octets)
        self._quote = self.spell.quote
        self.open: list[int] = []  # positions of the groups not yet closed
        self.names: set[str] = set()
        self.deepest = (0, 0)  # depth and position
        self.atom: int | None = None  # where that begins which a quantifier would repeat
        self.repeated = False  # it has its quantifier already
        self.fresh = True  # nothing stands before, in this branch

    def scan(self) -> None:
        at = 0
        while at < len(self.pattern):
            at = self._step(at)
        if self.open:
            escaped = self._quote("\\(")
            self._fail(self.open[-1], "this group is never closed", f"close it with ')'; the character is {escaped}")

    def _step(self, at: int) -> int:
        char = self.pattern[at]
        if char in "*+?{":
            return self._quantifier(at)
        if char == "(":
            return self._group(at)
        if char == "|":
            self.atom, self.repeated, self.fresh = None, False, True
            return at + 1
        if char == "[":
            start, at = at, self._class(at)
        elif char == "\\":
            start, at = at, self._outside(at)
        elif char == ")":
            if not self.open:
                self._lone(at, "this ')' closes no group")
            start, at = self.open.pop(), at + 1
        elif char in "]}":
            self._lone(at, f"this {char!r} closes nothing")
        elif char in "^$":
            self._place(at, 1, "\\x5e" if char == "^" else "[$]")
        else:
            start, at = at, at + 1
        self.atom, self.repeated, self.fresh = start, False, False
        return at

    # Telling

    def _fail(
        self, position: int, what: str, instead: str, span: tuple[int, int] = (0, 0), text: str | None = None
    ) -> NoReturn:
        """Raise; ``text`` in place of the pattern's ``span`` is the remedy."""
        fixed: str | bytes | None = None
        if text is not None:
            fixed = self.pattern[: span[0]] + text + self.pattern[span[1] :]
            fixed = fixed.encode("latin-1") if self.octets else fixed
        raise PatternError(self.shown, position, what, instead, fixed)

    def _lone(self, at: int, what: str) -> NoReturn:
        text = self.spell.literal(self.pattern[at])
        self._fail(at, what, f"write {self._quote(text)} for the character itself", (at, at + 1), text)

    def _place(self, at: int, length: int, character: str = "") -> NoReturn:
        """Anchors: those at the ends of a sentence can be left out, elsewhere they change what is matched."""
        anchor, end = self.pattern[at : at + length], at + length
        begins = anchor in ("^", "\\A")
        idle = self.fresh if begins else ENDING.match(self.pattern, end) is not None
        instead = "leave it out: a machine matches whole sentences always"
        if character:
            instead += f"; the character itself is written {self._quote(character)}"
        what = f"the anchor {self._quote(anchor)} is not of this dialect"
        self._fail(at, what, instead, (at, end), "" if idle and not self.open else None)

    # Quantifiers and groups

    def _quantifier(self, at: int) -> int:
        braces = BRACES.match(self.pattern, at)
        if self.pattern[at] == "{" and (braces is None or braces[0] == "{}"):
            self._lone(at, "this '{' begins no quantifier")
        end = braces.end() if braces else at + 1
        written = self.pattern[at:end]
        if self.atom is None:
            text = "".join(map(self.spell.literal, written))
            instead = f"write {self._quote(text)} for the character itself"
            self._fail(at, f"{self._quote(written)} has nothing to repeat", instead, (at, end), text)
        if self.repeated:
            self._requantified(at, end, self.atom)
        if braces:
            self._bounds(braces)
        self.repeated = True
        return end

    def _requantified(self, at: int, end: int, atom: int) -> NoReturn:
        written = self.pattern[at:end]
        if written == "?":
            instead = "leave out the '?', and ask the machine for greedy=False"
            self._fail(at, "a quantifier cannot be made lazy here", instead, (at, end), "")
        if written == "+":
            instead = "leave out the '+': a machine never goes back"
            self._fail(at, "a quantifier cannot be made possessive here", instead)
        text = f"(?:{self.pattern[atom:at]}){written}"
        what = f"{self._quote(written)} repeats what has a quantifier already"
        self._fail(at, what, f"write {self._quote(text)}, or one of the two alone", (atom, end), text)

    def _bounds(self, braces: re.Match[str]) -> None:
        """The bounds of {m,n} in their only spelling: a minimum, no leading zeros, and the smaller first."""
        low = braces[1].lstrip("0") or "0"
        high = low if braces[2] is None else braces[2] and (braces[2].lstrip("0") or "0")
        swapped = high != "" and (len(high), high) < (len(low), low)
        if swapped:
            low, high = high, low
        text = f"{{{low}}}" if braces[2] is None else f"{{{low},{high}}}"
        if text != braces[0]:
            what = "the numbers of a quantifier have no leading zeros here" if braces[1] else "the minimum is missing"
            what = "the minimum is larger than the maximum" if swapped else what
            self._fail(braces.start(), what, f"write {self._quote(text)}", braces.span(), text)

    def _group(self, at: int) -> int:
        rest = self.pattern[at + 1 : at + 5]
        if not rest.startswith("?"):
            end = at + 1
        elif rest.startswith("?:"):
            end = at + 3
        elif rest.startswith("?P<"):
            end = self._name(at)
        else:
            self._extension(at, rest)
        self.open.append(at)
        self.deepest = max(self.deepest, (len(self.open), at), key=lambda deep: deep[0])
        self.atom, self.repeated, self.fresh = None, False, True
        return end

    def _name(self, at: int) -> int:
        end = self.pattern.find(">", at)
        if end < 0:
            self._fail(at, "the name of this group does not end", "close it with '>', or write '(?:' and no name")
        name = self.pattern[at + 4 : end]
        usable = name.isidentifier() and (name.isascii() or not self.octets)
        if not usable or name in self.names:
            what = f"{self._quote(name)} names another group already" if usable else f"{self._quote(name)} is no name"
            self._fail(at, what, "write '(?:' and no name", (at, end + 1), "(?:")
        self.names.add(name)
        return end + 1

    def _extension(self, at: int, rest: str) -> NoReturn:
        if rest.startswith("?#"):
            end = self.pattern.find(")", at) + 1
            span, text = ((at, end), "") if end else ((0, 0), None)
            self._fail(at, "there are no comments in this dialect", "leave it out", span, text)
        if rest.startswith("?P="):
            self._backreference(at)
        if rest.startswith(("?=", "?!", "?<=", "?<!")):
            what = "there is no looking ahead or behind in this dialect: a machine takes each symbol once"
            self._fail(at, what, "leave it to the machine before or after this one")
        if rest.startswith(("?>", "?(")):
            what = "there are no atomic or conditional groups in this dialect"
            self._fail(at, what, "write '(?:', and the alternatives in full")
        if rest[1:2].isalpha() or rest[1:2] == "-":
            example = self._quote("[aA]")
            self._fail(at, "there are no flags in this dialect", f"write it out, eg. {example} for (?i) and 'a'")
        escaped = self._quote("\\(")
        self._fail(at, "there is no such group", f"write '(?:' for a group, {escaped} for the character itself")

    def _backreference(self, at: int) -> NoReturn:
        what = "a reference back to a group is not regular: no machine can do it"
        self._fail(at, what, "write what the group may match again, and compare the two afterwards")

    # Classes

    def _class(self, start: int) -> int:
        at = start + 1
        negated = self.pattern.startswith("^", at)
        first = at = at + negated
        symbols: list[str | None] = []
        faults: list[tuple[int, Symbol]] = []
        # As for re, a ']' that comes first is a member.
        while at == first or not self.pattern.startswith("]", at):
            if at >= len(self.pattern):
                self._unclosed(start, first)
            low = self.spell.member(at)
            high = self._range_end(low)
            found = [(at, low)] if high is None else [(at, low), (low.end + 1, high)]
            written = low.spelling
            if high is not None:
                ends = [low.spelling, high.spelling]
                if low.code is not None and high.code is not None and high.code < low.code:
                    ends.reverse()
                    what = f"the range {self._quote(self.pattern[at : high.end])} runs backwards"
                    found.insert(0, (at, low._replace(what=what)))
                written = None if None in ends else f"{ends[0]}-{ends[1]}"
            symbols.append(written)
            faults += [(position, symbol) for position, symbol in found if symbol.what]
            at = found[-1][1].end
        if faults:
            self._class_fault(faults[0], symbols, start, at + 1, negated)
        return at + 1

    def _class_fault(
        self, fault: tuple[int, Symbol], symbols: list[str | None], start: int, end: int, negated: bool
    ) -> NoReturn:
        """The whole class is mended at once, if it can be."""
        position, symbol = fault
        known = [spelling for spelling in symbols if spelling is not None]
        if len(known) < len(symbols):
            self._fail(position, symbol.what, symbol.instead or f"write {self._quote(symbol.spelling or '')} for it")
        text = f"[{'^' * negated}{''.join(known)}]"
        self._fail(position, symbol.what, symbol.instead or f"write {self._quote(text)}", (start, end), text)

    def _unclosed(self, start: int, first: int) -> NoReturn:
        if self.pattern.startswith("]", first):
            empty = self._quote(self.pattern[start : first + 1])
            what = f"the class {empty} is empty"
            self._fail(start, what, f"name its members, eg. {self._quote('[ ]')}, or {self._quote('.')} for any symbol")
        escaped = self._quote("\\[")
        self._fail(start, "this class is never closed", f"close it with ']'; the character is {escaped}")

    def _range_end(self, low: Symbol) -> Symbol | None:
        """The upper end of the range whose lower end is ``low``; None if it is no range."""
        at = low.end + 1
        shorthand = low.code is None and not low.what
        if shorthand or not self.pattern.startswith("-", low.end) or self.pattern[at : at + 1] in ("", "]"):
            return None
        high = self.spell.member(at)
        return high if high.code is not None or high.what else None

    # Escapes

    def _outside(self, at: int) -> int:
        """The end of the escape that begins here, outside of classes."""
        letter = self.pattern[at + 1 : at + 2]
        if letter and letter in "AZz":
            self._place(at, 2)
        if letter and letter in "bB":
            what = f"{self._quote(chr(92) + letter)} matches a place, not a symbol: no machine can do it"
            self._fail(at, what, "write the symbols that may stand there")
        if letter and letter in "123456789" and not OCTAL_OUTSIDE.match(self.pattern, at):
            self._backreference(at)
        symbol = self.spell.escape(at, False)
        if symbol.what:
            instead = symbol.instead or f"write {self._quote(symbol.spelling or '')}"
            self._fail(at, symbol.what, instead, (at, symbol.end), symbol.spelling)
        return symbol.end
