"""How one symbol is spelled in a regular expression, and how a piece of one is quoted.

Owns the escapes and the members of classes: what each spelling stands for, and what to write instead of those that
are not of the dialect.  Rule: nothing is raised here; what is wrong with a spelling is told with it.
Must not know what symbols are put together to.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["OCTAL_OUTSIDE", "Speller", "Symbol", "quote"]

SHORTHANDS = frozenset("wdsWDS")
MNEMONICS = {"\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r"}
SPECIAL = frozenset("\\.*+?|()[]{}")  # outside classes
MEMBERS = {"\\": "backslash", "[": "'['", "]": "']'", "-": "hyphen", "^": "caret"}  # special inside classes
OCTAL_OUTSIDE = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{2})")
OCTAL_INSIDE = re.compile(r"\\([0-7]{1,3})")
HEXADECIMAL = re.compile("[0-9a-fA-F]*")
PROPERTY = re.compile(r"\\[pP](?:\{\^?(\w*)[^{}]*\}|(\w?))")
POSIX = re.compile(r"\[:\^?(\w+):\]")

#: The members that stand for a POSIX class, or for a property of Unicode, among the characters of ASCII.
NAMED = {
    "alpha": "A-Za-z",
    "upper": "A-Z",
    "lower": "a-z",
    "digit": "0-9",
    "alnum": "0-9A-Za-z",
    "word": r"\w",
    "xdigit": "0-9A-Fa-f",
    "space": r"\s",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "graph": "!-~",
    "print": " -~",
    "cntrl": r"\x00-\x1f\x7f",
    "ascii": r"\x00-\x7f",
}
NAMED |= {"l": NAMED["alpha"], "lu": NAMED["upper"], "ll": NAMED["lower"], "n": NAMED["digit"], "nd": NAMED["digit"]}
NAMED |= {"z": NAMED["space"], "zs": " ", "cc": NAMED["cntrl"]}


def quote(text: str | bytes) -> str:
    """A pattern in quotes as it is written in a raw string, so that it can be taken over from a message."""
    octets = isinstance(text, bytes)
    plain = text.decode("latin-1") if isinstance(text, bytes) else text
    return ("b'" if octets else "'") + "".join(_visible(char, octets) for char in plain) + "'"


def _visible(char: str, octets: bool) -> str:
    """A character as it can be both read and written in a pattern; an octet beyond ASCII by its number."""
    if char in MNEMONICS:
        return "\\" + MNEMONICS[char]
    if char < " " or char == "\x7f" or (octets and char > "\x7f"):
        return f"\\x{ord(char):02x}"
    return char if char.isprintable() else ascii(char)[1:-1]


class Symbol(NamedTuple):
    """What stands for one symbol (or one shorthand), in a class or outside."""

    end: int
    spelling: str | None  # as it must be written, None: there is no way
    code: int | None = None  # None for shorthands and for what has no meaning
    what: str = ""  # the fault, if any
    instead: str = ""


class Speller:
    """The symbols of one pattern; ``octets``: what its author wrote was bytes, and it is that decoded as latin-1."""

    def __init__(self, pattern: str, octets: bool) -> None:
        self.pattern = pattern
        self.octets = octets

    def quote(self, text: str) -> str:
        """A piece of the pattern as `quote` shows it, in the author's own kind of string."""
        return quote(text.encode("latin-1") if self.octets else text)

    def literal(self, char: str, inside: bool = False) -> str:
        """How the character itself is written, in a class or outside."""
        if char in (MEMBERS if inside else SPECIAL):
            return "\\" + char
        if char in "^$" and not inside:
            return {"^": "\\x5e", "$": "[$]"}[char]
        return _visible(char, self.octets) if char <= "\xff" else char

    def member(self, at: int) -> Symbol:
        """The member of a class that begins at ``at``."""
        char = self.pattern[at]
        if char == "\\":
            return self.escape(at, True)
        posix = POSIX.match(self.pattern, at)
        if posix:
            return self._named(posix, "POSIX class")
        if char in MEMBERS:
            return Symbol(at + 1, "\\" + char, ord(char), f"a {MEMBERS[char]} is no member of a class here")
        return Symbol(at + 1, char, ord(char))

    def escape(self, at: int, inside: bool) -> Symbol:
        """What the backslash at ``at`` begins, in a class or outside."""
        letter, end = self.pattern[at + 1 : at + 2], at + 2
        written = self.pattern[at:end]
        if not letter:
            return Symbol(at + 1, "\\\\", 92, "a backslash at the end escapes nothing")
        if letter in SHORTHANDS:
            return Symbol(end, written)
        if letter in MNEMONICS.values():
            return Symbol(end, written, next(ord(char) for char, name in MNEMONICS.items() if name == letter))
        if letter in (MEMBERS if inside else SPECIAL):
            return Symbol(end, written, ord(letter))
        if letter in "xuU":
            return self._numbered(at, letter, inside)
        octal = (OCTAL_INSIDE if inside else OCTAL_OUTSIDE).match(self.pattern, at)
        if octal:
            return self._octal(octal)
        if letter == "a" or (letter == "b" and inside):
            code = 7 if letter == "a" else 8
            return Symbol(end, f"\\x{code:02x}", code, f"there is no escape {self.quote(written)} here")
        if letter == "N":
            return Symbol(end, None, None, "there are no names of characters here", "write the character itself")
        prop = PROPERTY.match(self.pattern, at)
        if prop:
            return self._named(prop, "property of Unicode", letter == "P")
        spelling = self.literal(letter, inside)
        needless = "is needless, and not of this dialect" if not letter.isascii() or not letter.isalnum() else "is none"
        return Symbol(end, spelling, ord(letter), f"the escape {self.quote(written)} {needless}")

    def _named(self, found: re.Match[str], kind: str, negated: bool = False) -> Symbol:
        """A class of characters by its name; there are none, so its members must be written."""
        name = next((name for name in found.groups() if name), "")
        negated = negated or "^" in found[0]
        known = NAMED.get(name.lower(), "")
        example = self.quote(f"[{'^' * negated}{known or NAMED['alpha']}]")
        instead = f"write {example}" if known else f"name its members in a class, eg. {example}"
        if known and not self.octets:
            instead += " (of ASCII; others need ranges of their own)"
        return Symbol(found.end(), None, None, f"there is no {kind}, such as {self.quote(found[0])}, here", instead)

    def _octal(self, octal: re.Match[str]) -> Symbol:
        code = int(octal[1], 8)
        what = f"there is no octal escape {self.quote(octal[0])} here"
        if code > 0xFF:
            return Symbol(octal.end(), None, None, what, "write the character itself")
        return Symbol(octal.end(), f"\\x{code:02x}", code, what)

    def _numbered(self, at: int, letter: str, inside: bool) -> Symbol:
        """\\xHH, which is the dialect's, and \\uHHHH and \\UHHHHHHHH, which are not."""
        width = {"x": 2, "u": 4, "U": 8}[letter]
        found = HEXADECIMAL.match(self.pattern, at + 2, at + 2 + width)
        digits = found[0] if found else ""
        end = at + 2 + len(digits)
        if letter == "x":
            what = "" if len(digits) == 2 else f"{self.quote(chr(92) + 'x')} takes two hexadecimal digits"
            if not digits:
                return Symbol(end, None, None, what, f"write them, eg. {self.quote(chr(92) + 'x0a')}")
            return Symbol(end, f"\\x{digits:>02}", int(digits, 16), what)
        what = f"there is no escape {self.quote(self.pattern[at:end])} here"
        if len(digits) < width or int(digits, 16) > 0x10FFFF:
            return Symbol(end, None, None, what, "write the character itself")
        char = chr(int(digits, 16))
        if self.octets and char > "\x7f":
            octets = "".join(f"\\x{octet:02x}" for octet in char.encode("utf-8", "surrogatepass"))
            return Symbol(end, None, None, what, f"write its octets in UTF-8, {self.quote(octets)}")
        # What can be shown only by this very escape is not for showing.
        instead = "" if char <= "\xff" or char.isprintable() else "write the character itself, the string not raw"
        return Symbol(end, self.literal(char, inside), ord(char), what, instead)
