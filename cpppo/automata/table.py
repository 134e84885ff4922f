"""Tables of regular languages: what a pattern comes to before any state is made of it.

Owns rows of ranges, and the way from rows over characters to rows over octets.  Rule: pure functions of
tables; row 0 is the initial one, each row can be reached, and from each a sentence can be completed.
Must not know where tables come from, nor states.

A language of characters is one of octets by UTF-8, in which an octet that belongs to no character
stands for itself, as with Python's 'surrogateescape': ``.`` is one character, or one odd octet.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple, TypeVar

__all__ = ["Row", "by_latin_1", "by_utf_8", "live"]

#: Code points of characters end here; an odd octet is the code point of this and itself.
CODE_POINTS, ESCAPED = 0x110000, 0xDC00
OCTETS = range(256)

_Ranges = tuple[tuple[int, int], ...]
_Key = TypeVar("_Key", bound=Hashable)


class Row(NamedTuple):
    """One state: whether a sentence may end here; where ranges of symbols lead, and where all others do.

    They lead to the number of a row, or to None where no sentence goes on so.
    """

    terminal: bool
    edges: tuple[tuple[_Ranges, int | None], ...]
    other: int | None


def live(initial: _Key, follow: Callable[[_Key], Iterable[_Key]], ends: Callable[[_Key], bool]) -> list[_Key]:
    """What is reached from ``initial`` and reaches one that ``ends``, breadth first."""
    back: dict[_Key, list[_Key]] = {initial: []}
    waiting = [initial]
    for key in waiting:
        for there in follow(key):
            if there not in back:
                back[there] = []
                waiting.append(there)
            back[there].append(key)
    alive = {key for key in waiting if ends(key)}
    spreading = list(alive)
    while spreading:
        for before in back[spreading.pop()]:
            if before not in alive:
                alive.add(before)
                spreading.append(before)
    return [key for key in waiting if key in alive]


class _Steps:
    """Where code points lead, row by row."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self._starts: list[list[int]] = []
        self._leads: list[list[int | None]] = []
        for row in rows:
            starts, leads = [0], [row.other]
            for first, last, there in sorted((*span, there) for ranges, there in row.edges for span in ranges):
                if starts[-1] == first:
                    starts.pop(), leads.pop()
                starts += [first, last + 1]
                leads += [there, row.other]
            self._starts.append(starts)
            self._leads.append(leads)

    def to(self, row: int | None, code: int) -> int | None:
        """Where a code point leads."""
        return None if row is None else self._leads[row][bisect_right(self._starts[row], code) - 1]

    def alike(self, row: int, first: int, last: int) -> bool:
        """True if all code points of a range lead to the same."""
        starts = self._starts[row]
        leads = self._leads[row][bisect_right(starts, first) - 1 : bisect_right(starts, last)]
        return all(there == leads[0] for there in leads)


def by_latin_1(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The language over octets in which each is the character of its number; () if it has no sentence."""
    steps = _Steps(rows)

    def follow(row: int) -> list[int | None]:
        return [steps.to(row, octet) for octet in OCTETS]

    return _numbered(0, follow, lambda row: rows[row].terminal)


class _Pending(NamedTuple):
    """Within a character: the octets so far, or None if all characters that go on so lead ``to`` the same row.

    The next octet must be one of ``first`` to ``last``, and ``left`` ones are missing, itself included; if
    they do not come, the octets so far are odd ones, and ``fallback`` is where these lead.
    """

    row: int | None
    octets: tuple[int, ...] | None
    to: int | None
    first: int
    last: int
    left: int
    fallback: int | None


_Octets = int | _Pending | None


def by_utf_8(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The language over octets that are its characters in UTF-8, or odd ones."""
    steps = _Steps(rows)

    def pending(row: int, octets: tuple[int, ...], fallback: int | None) -> _Octets:
        first, last, left = _continuation(octets)
        low, high = _block(octets, first, left), _block(octets, last, left, True)
        if not steps.alike(row, low, high):
            return _Pending(row, octets, None, first, last, left, fallback)
        to = steps.to(row, low)
        return None if to is None and fallback is None else _Pending(None, None, to, first, last, left, fallback)

    def step(state: _Octets, octet: int) -> _Octets:
        if state is None or isinstance(state, int):
            if state is None or octet < 0x80:
                return steps.to(state, octet)
            odd = steps.to(state, ESCAPED + octet)
            return pending(state, (octet,), odd) if 0xC2 <= octet <= 0xF4 else odd
        if not state.first <= octet <= state.last:
            return step(state.fallback, octet)
        odd = steps.to(state.fallback, ESCAPED + octet)
        if state.octets is not None and state.row is not None:
            octets = (*state.octets, octet)
            return steps.to(state.row, _decoded(octets)) if state.left == 1 else pending(state.row, octets, odd)
        if state.left == 1 or state.to is None and odd is None:
            return state.to
        return state._replace(first=0x80, last=0xBF, left=state.left - 1, fallback=odd)

    def ends(state: int | _Pending) -> bool:
        row = state if isinstance(state, int) else state.fallback
        return row is not None and rows[row].terminal

    def follow(state: int | _Pending) -> list[int | _Pending | None]:
        return [step(state, octet) for octet in OCTETS]

    initial: int | _Pending = 0
    return _numbered(initial, follow, ends)


def _continuation(octets: tuple[int, ...]) -> tuple[int, int, int]:
    """Of the octets that begin a character: the least and greatest that may follow, and how many are missing."""
    lead = octets[0]
    left = (1 if lead < 0xE0 else 2 if lead < 0xF0 else 3) - len(octets) + 1
    if len(octets) > 1:
        return 0x80, 0xBF, left
    # no character in more octets than needed, no surrogate, none beyond the last
    return {0xE0: 0xA0, 0xF0: 0x90}.get(lead, 0x80), {0xED: 0x9F, 0xF4: 0x8F}.get(lead, 0xBF), left


def _block(octets: tuple[int, ...], following: int, left: int, last: bool = False) -> int:
    """The first or last code point that begins with some octets and the one following."""
    return _decoded((*octets, following, *((0xBF if last else 0x80,) * (left - 1))))


def _decoded(octets: tuple[int, ...]) -> int:
    return ord(bytes(octets).decode("utf-8"))


def _numbered(
    initial: _Key, follow: Callable[[_Key], list[_Key | None]], ends: Callable[[_Key], bool]
) -> tuple[Row, ...]:
    """The least table over octets of what ``follow`` tells."""
    known: dict[_Key, list[_Key | None]] = {}

    def leads(key: _Key) -> list[_Key | None]:
        if key not in known:
            known[key] = follow(key)
        return known[key]

    keys = live(initial, lambda key: [there for there in dict.fromkeys(leads(key)) if there is not None], ends)
    place = {key: number for number, key in enumerate(keys)}
    columns = [[place.get(there, -1) if there is not None else -1 for there in leads(key)] for key in keys]
    group = _grouped(columns, [ends(key) for key in keys])
    first: dict[int, int] = {}
    for number, its in enumerate(group):
        first.setdefault(its, number)
    order = {its: number for number, its in enumerate(first)}
    return tuple(
        _row(ends(keys[number]), [None if there < 0 else order[group[there]] for there in columns[number]])
        for number in first.values()
    )


def _grouped(columns: list[list[int]], terminal: list[bool]) -> list[int]:
    """The group of each row, two being of one group if no sentence tells them apart."""
    distinct = list(dict.fromkeys(zip(*columns, strict=True)))
    group = [int(each) for each in terminal]
    count = len(set(group))
    while True:
        signs: dict[tuple[int, ...], int] = {}
        refined = [
            signs.setdefault(
                (group[row], *(-1 if column[row] < 0 else group[column[row]] for column in distinct)), len(signs)
            )
            for row in range(len(columns))
        ]
        if len(signs) == count:
            return refined
        group, count = refined, len(signs)


def _row(terminal: bool, leads: list[int | None]) -> Row:
    """A row of what each octet leads to; where most lead is where others do."""
    most, times = Counter(leads).most_common(1)[0]
    other = most if times > len(OCTETS) // 2 else None
    edges: dict[int | None, list[tuple[int, int]]] = {}
    for octet, there in enumerate(leads):
        if there == other:
            continue
        ranges = edges.setdefault(there, [])
        if ranges and ranges[-1][1] == octet - 1:
            ranges[-1] = (ranges[-1][0], octet)
        else:
            ranges.append((octet, octet))
    return Row(terminal, tuple((tuple(ranges), there) for there, ranges in edges.items()), other)
