"""What symbols can be: types and typecodes of text and octets, alphabets, encoders, character classes.

Owns the few facts about symbols that depend on their type.  Rule: nothing of a state or a run is here.
Must not know where symbols come from, nor what they mean.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any

from cpppo.errors import GrammarError

__all__ = [
    "OCTETS",
    "OCTET_TYPECODE",
    "TEXT_TYPECODE",
    "CharacterClass",
    "path_ext_input",
    "type_bytes_array_symbol",
    "type_bytes_iter",
    "type_str_array_symbol",
    "type_str_base",
    "type_str_encoder",
    "type_str_iter",
    "type_unicode_array_symbol",
    "type_unicode_encoder",
    "typecode_of",
]

#: Typecode of arrays of text: Python 3.13 has a new one and warns of the old.
TEXT_TYPECODE = "w" if sys.version_info >= (3, 13) else "u"
OCTET_TYPECODE = "B"
#: The alphabet of octets.
OCTETS = range(256)

#: What iterating octets, and text, yields; and what text is.
type_bytes_iter: type = int
type_str_iter: type = str
type_str_base: type = str
type_bytes_array_symbol = OCTET_TYPECODE
type_str_array_symbol = type_unicode_array_symbol = TEXT_TYPECODE
#: The ending of the place where `state_input` collects.
path_ext_input = ".input"


def type_unicode_encoder(text: str) -> bytes:
    """An encoder: text as octets, in UTF-8; surrogates that stand for odd octets become these again."""
    return text.encode("utf-8", "surrogateescape")


def type_str_encoder(text: str) -> str:
    """An encoder that leaves text as it is."""
    return text


def typecode_of(symbol: Any) -> str | None:
    """The typecode of an array that holds symbols such as ``symbol``; None if no array does."""
    return TEXT_TYPECODE if isinstance(symbol, str) else OCTET_TYPECODE if isinstance(symbol, int) else None


class CharacterClass:
    """A set of characters, or of octets, as ranges; a predicate on symbols.

    :param ranges: (first, last) code points or octets, both included, ascending and apart.
    :param octets: True if symbols are ints, False if they are characters.
    """

    __slots__ = ("_firsts", "octets", "ranges")

    def __init__(self, ranges: Iterable[tuple[int, int]], octets: bool = False) -> None:
        self.ranges = tuple((first, last) for first, last in ranges)
        self.octets = octets
        before = -1
        for first, last in self.ranges:
            if not before < first <= last <= (0xFF if octets else 0x10FFFF):
                raise GrammarError(
                    f"ranges {self.ranges!r} of a class are not ascending and apart, or beyond its symbols"
                )
            before = last
        if not self.ranges:
            raise GrammarError("a class of no symbols: give (first, last) ranges of code points or octets")
        self._firsts = [first for first, _ in self.ranges]

    def __call__(self, symbol: Any) -> bool:
        if self.octets:
            if not isinstance(symbol, int):
                return False
            code = symbol
        elif isinstance(symbol, str) and len(symbol) == 1:
            code = ord(symbol)
        else:
            return False
        at = bisect_right(self._firsts, code) - 1
        return at >= 0 and code <= self.ranges[at][1]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __iter__(self) -> Iterator[Any]:
        for first, last in self.ranges:
            for code in range(first, last + 1):
                yield code if self.octets else chr(code)

    def __str__(self) -> str:
        return "[" + "".join(map(self._range, self.ranges)) + "]"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def _range(self, ends: tuple[int, int]) -> str:
        first, last = (_character(end, self.octets) for end in ends)
        return first if ends[0] == ends[1] else f"{first}{'' if ends[0] + 1 == ends[1] else '-'}{last}"


def _character(code: int, octet: bool) -> str:
    """A code point or octet as written in a class."""
    if code > 0x7F and octet:
        return f"\\x{code:02x}"
    character = chr(code)
    if character in "-]\\^[":
        return "\\" + character
    return character if character.isprintable() else repr(character)[1:-1]
