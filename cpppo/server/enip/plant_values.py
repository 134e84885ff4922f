"""Initial values of tags as a plant file writes them: numbers, text, lists, and tables of members.

Owns: whether a value fits its type, with the place of each part that does not.  Rule: all of them are told; what is
right has the form that `pack` takes.  Must not know tags or files.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cpppo.errors import LocalProtocolError, UsageError
from cpppo.server.enip.plant_problems import nearest
from cpppo.server.enip.toml import dotted, shown
from cpppo.server.enip.wire.structures import Member, Structure
from cpppo.server.enip.wire.types import BOOL, DWORD, Kind, limits, pack
from cpppo.server.enip.wire.values import Unfit, parse_value

__all__ = ["Place", "Values"]

#: Where a part of a value is: names of members, and numbers of elements.
Place = tuple[str | int, ...]

_WORD_BITS = 8 * DWORD.size
#: What types that do not take whole numbers take, by their codes.
_SORTS: Mapping[str, tuple[type, ...]] = {"?": (bool,), "f": (int, float), "d": (int, float)}


class Values:
    """Values of one type after the other.  ``wrong``: (place, what is wrong).

    :param bits: of each member that is an array of BOOL, how many there are (see `Types`).
    """

    def __init__(self, bits: Mapping[tuple[Structure, str], int]) -> None:
        self.wrong: list[tuple[Place, str]] = []
        self._bits = bits

    def initial(self, kind: Kind, shape: tuple[int, ...], value: Any) -> list[Any]:
        """The values of the first elements, in row-major order."""
        return self._elements(kind, shape, value, ()) if shape else [self._one(kind, value, ())]

    # -- lists

    def _elements(self, kind: Kind, shape: tuple[int, ...], value: Any, place: Place) -> list[Any]:
        """The elements of a list, or of lists in lists as deep as there are dimensions."""
        count = math.prod(shape)
        if not isinstance(value, list):
            self.wrong.append((place, f"{shown(value)} is no list; write eg. [{shown(value)}], of {_most(count)}"))
            return []
        lists = sum(isinstance(one, list) for one in value)
        if len(shape) > 1 and lists == len(value) > 0:
            return self._rows(kind, shape, value, place)
        if len(shape) > 1 and lists:
            self.wrong.append((place, "there are lists and values side by side; write lists only, or values only"))
            return []
        if len(value) > count:
            self.wrong.append((place, f"{len(value)} values are too many: it takes {_most(count)}"))
            return []
        if _fit(kind, value):
            return value
        return [self._one(kind, one, (*place, at)) for at, one in enumerate(value)]

    def _rows(self, kind: Kind, shape: tuple[int, ...], value: Sequence[Any], place: Place) -> list[Any]:
        if len(value) > shape[0]:
            self.wrong.append((place, f"{len(value)} lists are too many: it takes up to {shape[0]} here"))
            return []
        rows, whole = [], math.prod(shape[1:])
        for at, one in enumerate(value):
            before = len(self.wrong)
            row = self._elements(kind, shape[1:], one, (*place, at))
            if len(row) < whole and at < len(value) - 1 and before == len(self.wrong):
                self.wrong.append(((*place, at), f"{_are(len(row))} too few: {whole} stand before those of the next"))
            rows += row
        return rows

    # -- one value

    def _one(self, kind: Kind, value: Any, place: Place) -> Any:
        if isinstance(kind, Structure) and isinstance(value, dict):
            return self._members(kind, value, place)
        problem = _problem(kind, value)
        if problem:
            self.wrong.append((place, problem))
        return bool(value) if kind is BOOL else value

    def _members(self, kind: Structure, value: dict[str, Any], place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        names: set[str] = set()
        for name, one in value.items():
            here, member = (*place, name), kind.find(name)
            if member is None or member.hidden:
                self.wrong.append((here, _no_member(kind, name)))
            elif member.name in names:
                self.wrong.append((here, f"{member.name} has a value already: names are compared without case"))
            else:
                names.add(member.name)
                found[member.name] = self._member(kind, member, one, here)
        return found

    def _member(self, kind: Structure, member: Member, value: Any, place: Place) -> Any:
        bits = self._bits.get((kind, member.name))
        if bits is not None:
            return _words(self._elements(BOOL, (bits,), value, place))
        if member.count:
            return self._elements(member.kind, (member.count,), value, place)
        return self._one(member.kind, value, place)


def _words(bits: Iterable[Any]) -> list[int]:
    """The words that hold some bits."""
    words: list[int] = []
    for at, one in enumerate(bits):
        if at % _WORD_BITS == 0:
            words.append(0)
        words[-1] |= bool(one) << at % _WORD_BITS
    return words


def _fit(kind: Kind, values: list[Any]) -> bool:
    """Whether all of a list fits, found out at once."""
    taken = _SORTS.get(kind.code, (int,)) if kind.code else (str,) if isinstance(kind.default, str) else ()
    if not {type(one) for one in values} <= set(taken):
        return False
    try:
        pack(kind, values)
    except (LocalProtocolError, ValueError):  # the latter of a number too long to be told
        return False
    return True


def _problem(kind: Kind, value: Any) -> str:
    """What is wrong with a value that is no table of members; empty if nothing is."""
    if _fit(kind, [value]):
        return ""
    told = f"{shown(value)} is no {kind.name}"
    if isinstance(value, list):
        return f"{shown(value)} is a list, where there is one {kind.name} only"
    if isinstance(kind.default, str):
        return _no_text(kind, value)
    if isinstance(kind, Structure):
        return f"{told}, which takes its members, eg. {_example(kind)}"
    if kind is BOOL:
        return "" if type(value) is int and value in (0, 1) else f"{told}; write true or false"
    takes = "takes numbers" if kind.code in "fd" else "takes whole numbers of {} to {}".format(*limits(kind))
    if type(value) is bool:
        return f"{told}, which {takes}; a BOOL is true or false"
    if isinstance(value, str):
        return f"{told}, which {takes}, without quotes"
    return _too_far(kind, value) or f"{told}, which {takes}"


def _no_text(kind: Kind, value: Any) -> str:
    if not isinstance(value, str):
        simple = type(value) in (int, float, bool)
        return f"{shown(value)} is no {kind.name}; text stands in quotes" + (f': "{value}"'.lower() if simple else "")
    try:
        kind.produce(value)
    except LocalProtocolError as exc:
        return exc.reason
    return ""


def _too_far(kind: Kind, value: Any) -> str:
    """What is said of a number beyond what its type takes; empty for anything else."""
    if not (type(value) is int and value.bit_length() <= 64) and not (type(value) is float and kind.code in "fd"):
        return ""
    try:
        parse_value(kind, repr(value))
    except Unfit as exc:
        return exc.problem + (f"; {exc.wider} does" if exc.wider else "")
    except UsageError:
        return ""
    return ""


def _no_member(kind: Structure, name: str) -> str:
    names = {one.name: one for one in kind.members if not one.hidden}
    near = nearest(name, names)
    told = f"is it {near}?" if near else f"there are {', '.join(names)}"
    return f"{kind.name} has no member {dotted((name,))}; {told}"


def _example(kind: Structure) -> str:
    """A value of a structure with its first member."""
    first = next(one for one in kind.members if not one.hidden)
    zero = first.kind.unpack(bytes(first.kind.size))
    return shown({first.name: [zero] if first.count else zero})


def _most(count: int) -> str:
    return "1 element" if count == 1 else f"up to {count} elements"


def _are(count: int) -> str:
    return "1 value is" if count == 1 else f"{count} values are"
