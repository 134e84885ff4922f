"""The text form of tags, paths and values, both ways: ``SCADA[1-5]=(DINT)1,2``, ``A.B[2].C``, ``@4/5/1``.

Owns: reading an operation, path or value from text, and writing paths.  Rule: text is never run as code; what
cannot be understood raises UsageError, which names the text, the character, and what to write instead.
Must not know what is done with an operation.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from cpppo.errors import ProtocolError, UsageError
from cpppo.server.enip.wire.path import Path, encoded
from cpppo.server.enip.wire.strings import KINDS, STRING, ShortString
from cpppo.server.enip.wire.types import BOOL, INT, REAL, Kind
from cpppo.server.enip.wire.values import QUOTED, Unfit, parse_int, parse_value

__all__ = [
    "MAXIMUM_ELEMENTS",
    "Segments",
    "format_path",
    "parse_int",
    "parse_operation",
    "parse_path",
    "parse_path_elements",
    "untyped",
]

#: A path in plain terms: ``[{"class": 2}, {"instance": 1}]``.
Segments = list[dict[str, Any]]

#: Elements that one request can ask for: its count has 16 bits.
MAXIMUM_ELEMENTS = 0xFFFF

#: The highest bit that a word of any type has.
_LAST_BIT = 63

#: What the numbers of an address stand for, in order.
_PLACES = ("class", "instance", "attribute", "element")
_COMPONENTS = (*_PLACES, "connection", "symbolic", "port", "link")

_NAME = re.compile(r"[^][{}()/.+=,@'\"\s]+")
_NUMBER = re.compile(r"[0-9][0-9A-Za-z]*")
_NUMBERED = re.compile(r"[0-9]+").fullmatch
_WORD = re.compile(r"\w+")
_VALUE = re.compile(r"[^],\s]+")
_BLANK = re.compile(r"\s*")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def parse_path(text: str) -> Segments:
    """The terms of a path, eg. ``[{"symbolic": "SCADA"}, {"element": 1}]`` of ``SCADA[1-5]``."""
    return parse_path_elements(text)[0]


def parse_path_elements(text: str) -> tuple[Segments, int | None, int | None]:
    """(terms, first element or None, number of elements or None) of a path; UsageError if it is none."""
    reader = _Reader(text)
    found = reader.path()
    reader.end("nothing can follow a path but [first-last]")
    return found


def parse_operation(text: str, kind: Kind | None = None) -> dict[str, Any]:
    """The operation that a text says: ``Tag[first-last]+offset=(TYPE)value,value``; all but the tag can be left out.

    Keys: ``path`` (terms); ``elements`` of a range; ``offset`` in octets; of a write also ``method``, ``tag_type``
    and ``data``.  UsageError if it cannot be understood.

    :param kind: of values without a cast; by default what they look like: STRING, REAL or INT.
    """
    reader = _Reader(text)
    path, first, elements = reader.path()
    operation: dict[str, Any] = {"path": path}
    if elements is not None:
        operation["elements"] = elements
    offset = reader.offset()
    if offset is not None:
        operation["offset"] = offset
    if reader.taken("="):
        _add_values(reader, operation, first is not None, _is_bit(path), kind)
    reader.end("a tag goes on with [first-last], +offset or =value")
    return operation


def untyped(text: str) -> Segments | None:
    """The path of a write that names no type, neither by a cast nor as a bit; None of any other operation."""
    reader = _Reader(text)
    path, _, _ = reader.path()
    reader.offset()
    return path if reader.taken("=") and not reader.taken("(") and not _is_bit(path) else None


def _is_bit(path: Segments) -> bool:
    """Whether a path ends in a member that is a number: a bit of what is before it, eg. ``Word.3``."""
    return len(path) > 1 and "symbolic" in path[0] and _NUMBERED(path[-1].get("symbolic", "")) is not None


def _add_values(reader: _Reader, operation: dict[str, Any], indexed: bool, bit: bool, usual: Kind | None) -> None:
    """Complete a write with its values, which must be as many as the elements it names."""
    start = reader.at
    kind, data = reader.values(BOOL if bit else usual)
    elements, offset = operation.get("elements"), operation.get("offset")
    if elements is None and offset is not None:
        reader.refuse("a write at an offset needs the range of the whole transfer, eg. Tag[0-9]+4=(DINT)1,2", start)
    wanted = elements or (1 if indexed or bit else len(data))
    if offset is None and len(data) != wanted:
        reader.refuse(f"the number of values ({len(data)}) doesn't match the element count ({wanted})", start)
    if offset is not None:
        if offset and isinstance(kind, ShortString):
            reader.refuse(f"each {kind.name} has its own number of octets: no offset can be told; leave it out", start)
        if offset % kind.size:
            reader.refuse(f"the offset {offset} is no multiple of the {kind.size} octets of one {kind.name}", start)
        if offset // kind.size + len(data) > wanted:
            reader.refuse(f"{len(data)} values at offset {offset} go beyond the {wanted} elements", start)
    if wanted > MAXIMUM_ELEMENTS:
        reader.refuse(f"{wanted} values; one request takes at most {MAXIMUM_ELEMENTS}", start)
    operation.update(method="write", elements=wanted, tag_type=kind.tag_type, data=data)


def _next_place(place: int, term: Mapping[str, Any]) -> int:
    """The place in the usual order of the term that follows ``term``, which stands at ``place``."""
    named = [_PLACES.index(name) + 1 for name in term if name in _PLACES]
    return max(named) if named else place if "port" in term else place + 1


class _Reader:
    """A text and the place in it that is read next."""

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise UsageError(f"a tag or an operation is text, eg. 'SCADA[1-5]', not {text!r}")
        self.text, self.at = text, 0
        self._skip()

    # -- the least parts

    def refuse(self, problem: str, at: int | None = None) -> NoReturn:
        """Raise the error that points at a character, by default the next one."""
        at = self.at if at is None else at
        rest = self.text[at:].strip()
        where = f"at character {at + 1}, {rest!r}" if rest else "at its end"
        raise UsageError(f"{self.text!r}, {where}: {problem}")

    def end(self, expected: str) -> None:
        """Nothing but blanks may be left."""
        if self.at < len(self.text):
            self.refuse(expected)

    def taken(self, token: str) -> bool:
        """Whether the next character is this one; if so, go past it."""
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        self._skip()
        return True

    def need(self, token: str, instead: str) -> None:
        """Go past a character that must be there."""
        if not self.taken(token):
            self.refuse(f"{token!r} is missing; {instead}")

    def find(self, pattern: re.Pattern[str]) -> str | None:
        """The text of a pattern that stands here, if it does; go past it."""
        match = pattern.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        self._skip()
        return match[0]

    def _skip(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def number(self, instead: str) -> int:
        """An unsigned number, which must be there."""
        start = self.at
        found = self.find(_NUMBER)
        if found is None:
            self.refuse(f"a number is missing; {instead}")
        try:
            return parse_int(found)
        except ValueError:
            self.refuse(f"{found!r} is no number; write decimal, 0x hexadecimal, 0o octal or 0b binary", start)

    def checked(self, term: dict[str, Any], start: int) -> dict[str, Any]:
        """A term of a path, if the wire can express it."""
        try:
            encoded(Path.of([term]))
        except ProtocolError as exc:
            self.refuse(exc.reason, start)
        except (struct.error, ValueError) as exc:
            self.refuse(f"{term} cannot be sent: {exc}", start)
        return term

    # -- paths

    def path(self) -> tuple[Segments, int | None, int | None]:
        """(terms, first element, number of elements)."""
        return self._numeric() if self.taken("@") else self._symbolic()

    def _symbolic(self) -> tuple[Segments, int | None, int | None]:
        """Members separated by dots, each with its indices; a range can only be the last."""
        terms: Segments = []
        while True:
            start = self.at
            name = self.find(_NAME)
            if name is None:
                self.refuse("the name of a tag or of its member is missing, eg. SCADA or Motor.Speed")
            for at, char in enumerate(name):
                if ord(char) > 0xFF:
                    self.refuse(f"{char!r} cannot be part of a name, which is ISO-8859-1", start + at)
            if len(name) > 0xFF:
                self.refuse(f"a name of {len(name)} characters; at most 255 can be sent", start)
            terms.append({"symbolic": name})
            if _is_bit(terms):
                if int(name[:9]) > _LAST_BIT:
                    self.refuse(f"there is no bit {name}; the bits of a word are 0 to {_LAST_BIT} at most", start)
                if self.text[self.at : self.at + 1] in ("[", "."):
                    self.refuse("a bit has neither elements nor members, eg. Word.3 or Words[2].3")
                return terms, None, None
            indices, count = self._indices()
            terms += [{"element": index} for index in indices]
            if not self.taken("."):
                return terms, indices[-1] if indices else None, count
            if count is not None:
                self.refuse("a range of elements has no members; put the range last, or one element, eg. A[2].B[0-3]")

    def _numeric(self) -> tuple[Segments, int | None, int | None]:
        """Terms separated by slashes: numbers in the usual order, or JSON objects; an element last."""
        terms: Segments = []
        place = 0
        while True:
            start = self.at
            if self.taken("{"):
                term = self._object()
            elif place >= len(_PLACES):
                self.refuse(f"what is this term? After {', '.join(_PLACES)}, name it, eg. {{'connection':100}}")
            else:
                term = {_PLACES[place]: self.number("an address is eg. @2/1/3 or @4/5/{'connection':100}")}
            terms.append(self.checked(term, start))
            place = _next_place(place, term)
            if not self.taken("/"):
                break
        start = self.at
        indices, count = self._indices()
        if len(indices) > 1:
            self.refuse("a numeric address takes one index or range, eg. @0x2/1/1[0-9]", start)
        if indices:
            if "element" in terms[-1]:
                terms.pop()
            terms.append({"element": indices[0]})
        return terms, terms[-1].get("element"), count

    def _object(self) -> dict[str, Any]:
        """The names and numbers or texts of a JSON object, whose quotes may be single; its brace is taken."""
        term: dict[str, Any] = {}
        instead = "a named term is eg. {'connection':100} or {'port':1,'link':'10.0.0.1'}"
        while True:
            start = self.at
            quoted = self.find(_QUOTED)
            if quoted is None:
                self.refuse(f"a name in quotes is missing; {instead}")
            name = quoted[1:-1]
            if name not in _COMPONENTS:
                self.refuse(f"unknown path component {name!r}; one of {', '.join(_COMPONENTS)}", start)
            if name in term:
                self.refuse(f"{name!r} is given twice", start)
            self.need(":", instead)
            text = self.find(_QUOTED)
            term[name] = self.number(instead) if text is None else text[1:-1]
            if not self.taken(","):
                self.need("}", instead)
                return term

    def _indices(self) -> tuple[list[int], int | None]:
        """The indices in brackets, if any, and the number of elements if the last is a range."""
        if not self.taken("["):
            return [], None
        instead = "an index is eg. [3], [1-5] or [1,2]"
        indices: list[int] = []
        count = None
        while True:
            start = self.at
            indices.append(self.number(instead))
            if self.taken("-"):
                last = self.number(instead)
                count = last - indices[-1] + 1
                if count < 1:
                    self.refuse(f"the range {indices[-1]}-{last} runs backwards; write [{last}-{indices[-1]}]", start)
                if count > MAXIMUM_ELEMENTS:
                    self.refuse(f"{count} elements; one request takes at most {MAXIMUM_ELEMENTS}", start)
            self.checked({"element": indices[-1]}, start)
            if count is not None or not self.taken(","):
                self.need("]", instead)
                return indices, count

    # -- what is done

    def offset(self) -> int | None:
        """The octets after a plus; a plus alone means nothing."""
        if not self.taken("+"):
            return None
        start = self.at
        if self.at == len(self.text) or self.text[self.at] == "=":
            return None
        offset = self.number("an offset in octets is eg. Tag[0-9]+4")
        if offset > 0xFFFFFFFF:
            self.refuse(f"the offset {offset} is beyond the {0xFFFFFFFF} that can be sent", start)
        return offset

    def values(self, usual: Kind | None) -> tuple[Kind, list[Any]]:
        """The type, cast, else the usual one, else told by the values; and these, with or without brackets around."""
        kind = self._cast() if self.taken("(") else usual
        bracket = self.taken("[")
        found: list[tuple[str, int]] = []
        while True:
            start = self.at
            text = self.find(QUOTED) or self.find(_VALUE)
            if text is None:
                self.refuse("a value is missing, eg. Tag=1 or Tag[0-2]=(REAL)1,2.5,3")
            found.append((text, start))
            if not self.taken(","):
                break
        if bracket:
            self.need("]", "it ends the values")
        if kind is None:
            kind = _told_by([text for text, _ in found])
        return kind, [self._value(kind, text, start) for text, start in found]

    def _cast(self) -> Kind:
        start = self.at
        name = self.find(_WORD) or ""
        kind = KINDS.get(name.upper())
        if kind is None:
            self.refuse(f"{name!r} is no type; one of {', '.join(KINDS)}", start)
        self.need(")", f"a cast is eg. ({kind.name})1")
        return kind

    def _value(self, kind: Kind, text: str, start: int) -> Any:
        """One value of a type, if it fits."""
        try:
            return parse_value(kind, text)
        except Unfit as exc:
            hint = f"; to a tag of type {exc.wider} write ({exc.wider}){text}" if exc.wider else ""
            self.refuse(exc.problem + hint, start)


def _told_by(texts: Sequence[str]) -> Kind:
    """The type of values that were given without any."""
    if any(QUOTED.fullmatch(text) for text in texts):
        return STRING
    return REAL if any("." in text for text in texts) else INT


def format_path(path: Path | Iterable[Mapping[str, Any]], count: int | None = None) -> str:
    """The text of a path, or of its terms: ``SCADA`` (the last element left out), ``@0x0002/1/1[3]``.

    ``count``: the number of elements from there on, which makes both ``SCADA[3-4]`` and ``@0x0002/1/1[3-4]``.
    """
    terms = path.as_plain() if isinstance(path, Path) else [dict(term) for term in path]
    first = terms.pop()["element"] if terms and list(terms[-1]) == ["element"] else None
    if terms and "symbolic" in terms[0] and all(list(term) in (["symbolic"], ["element"]) for term in terms):
        name, shown = _members(terms), None if count is None else first
    else:
        name, shown = "@" + "/".join(_numeric_terms(terms)), first
    if shown is None and count in (None, 1):
        return name
    start = shown or 0
    index = f"{start}" if count in (None, 1) else f"{start}-{start + (count or 1) - 1}"
    return f"{name[:-1]},{index}]" if name.endswith("]") else f"{name}[{index}]"


def _members(terms: Segments) -> str:
    """Names, dots between them, and the indices of each in brackets."""
    text = ""
    for term in terms:
        if "symbolic" in term:
            text += f".{term['symbolic']}"
        else:
            text = f"{text[:-1]},{term['element']}]" if text.endswith("]") else f"{text}[{term['element']}]"
    return text[1:]


def _numeric_terms(terms: Segments) -> Iterable[str]:
    """The texts of terms: numbers where they stand at their usual places, else JSON."""
    place = 0
    for term in terms:
        name = next(iter(term))
        if len(term) > 1 or _PLACES[place : place + 1] != (name,):
            yield json.dumps(term, separators=(",", ":"))
        else:
            yield f"0x{term[name]:04X}" if name == "class" else str(term[name])
        place = _next_place(place, term)
