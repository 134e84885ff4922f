"""The places a run can be at between two symbols, and where each symbol leads from there.

Owns rows, and how they follow one another: what the cursor does between two symbols, told without a
source.  Rule: answers as the cursor would; what it cannot tell, because code of the user's or the data
decides, is `Unforeseen`.  Must not know who asks.

A place is the node processed last, or about to be, and a frame for each machine around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from cpppo.automata.check import alternative, reached, surprise
from cpppo.automata.node import MACHINE, NO_SYMBOL, STOP, Node
from cpppo.automata.steps import IDLE_STATES
from cpppo.automata.symbols import CharacterClass
from cpppo.errors import GrammarError

__all__ = ["ROW", "ROWS", "Row", "Tables", "Unforeseen", "Verdict"]

#: Rows beyond which a machine is not told beforehand; symbols of which one row remembers where they lead.
ROWS, SYMBOLS = 10_000, 65_536
#: Machines inside one another, beyond which one is not told beforehand: it may be inside itself.
DEPTH = 100

#: A symbol that no transition names; and one that has not come yet.
OTHER, WAITING = object(), object()


class Unforeseen(Exception):
    """The machine cannot be told beforehand; the text says why."""


class Verdict(NamedTuple):
    """How a run ends: with a whole sentence or not, and whether the machine is terminal then."""

    accepted: bool
    terminal: bool


REJECTED = Verdict(False, False)


class _Frame(NamedTuple):
    """A machine being run: which cycle of how many; symbols it may still take, in all and in this cycle.

    ``idle`` if it is to be repeated, and this cycle has taken no symbol yet.
    """

    own: Node
    cycle: int
    final: int
    bound: int | None
    left: int | None
    idle: bool

    def less(self) -> _Frame:
        """The frame after one symbol more."""
        own, cycle, final, bound, left, idle = self
        if bound is None and left is None and not idle:
            return self
        return _Frame(own, cycle, final, bound and bound - 1, left and left - 1, False)


_Frames = tuple[_Frame, ...]


#: Key under which the table of a row has the row.
ROW = object()


class Row:
    """A place of a run.  ``table`` has, by symbol, the table of the row once that is taken, as far as this is known."""

    __slots__ = ("_ending", "_stops", "_tables", "ended", "entering", "frames", "node", "table")

    def __init__(self, tables: Tables, node: Node, frames: _Frames, entering: bool = False) -> None:
        self._tables = tables
        self._ending: Verdict | None = None
        self._stops: dict[Any, Verdict] = {}
        self.table: dict[Any, Any] = {ROW: self}
        self.node = node
        self.frames = frames
        self.entering = entering
        #: How a run ends here, if it does whatever comes next.
        self.ended: Verdict | None = None
        met = tables.follow(self, WAITING)
        if isinstance(met, Verdict):
            self.ended = met

    def lead(self, symbol: Any) -> Row | Verdict:
        """The row once ``symbol`` is taken, or how a run ends because it is not."""
        if symbol in self._stops:
            return self._stops[symbol]
        met = self.follow(symbol)
        if len(self.table) + len(self._stops) <= SYMBOLS:
            if isinstance(met, Row):
                self.table[symbol] = met.table
            else:
                self._stops[symbol] = met
        return met

    def follow(self, symbol: Any) -> Row | Verdict:
        """As `lead`, remembering nothing."""
        return self._tables.follow(self, symbol)

    def ending(self) -> Verdict:
        """How a run ends here for want of symbols."""
        if self._ending is None:
            met = self._tables.follow(self, None)
            self._ending = REJECTED if isinstance(met, Row) else met
        return self._ending


class Tables:
    """All rows of the machine of node ``root``.

    ``first`` is where runs start.  ``limit`` is how many symbols a run may take, after which it ends as
    for want of symbols; None if that is not limited, or told by the rows.

    :raises Unforeseen: if it cannot be told beforehand.
    :raises GrammarError: for a machine that can go in circles.
    """

    def __init__(self, root: Node) -> None:
        inside = list(reached(root.initial))
        for node in (root, *inside):
            _foresee(node)
        self._rows: dict[tuple[Node, _Frames], Row] = {}
        #: Whether symbols that are equal may be told apart: by an alphabet, as 1 from 1.0 and True.
        self.particular = any(node.consumes and node.state.alphabet is not None for node in inside)
        self.limit: int | None = None
        if root.limit is not None and not root.exact and all(node.limit is None for node in inside):
            self.limit = root.limit
        bound = None if self.limit is not None else root.limit
        times = 1 if root.repeat is None else root.repeat
        self.first: Row | Verdict
        if times:
            self.first = Row(self, root.initial, (_Frame(root, 1, times, bound, bound, times > 1),), entering=True)
            self._discover(self.first, _named((root, *inside)))
        else:
            self.first = REJECTED if root.exact and bound else Verdict(True, root.terminal)

    def _discover(self, first: Row, symbols: Iterable[Any]) -> None:
        """Find every row, that there are not too many, and that none goes in circles."""
        alphabet = (*symbols, OTHER)
        seen, waiting, taken = {first}, [first], 0
        while waiting:
            later = []
            for row in waiting:
                row.ending()
                for symbol in alphabet if taken != self.limit else ():
                    there = row.follow(symbol) if symbol is OTHER else row.lead(symbol)
                    if isinstance(there, Row) and there not in seen:
                        seen.add(there)
                        later.append(there)
            waiting, taken = later, taken + 1

    def _row(self, node: Node, frames: _Frames) -> Row:
        row = self._rows.get((node, frames))
        if row is None:
            if len(frames) > DEPTH:
                raise Unforeseen(f"machines are inside one another more than {DEPTH} deep")
            if len(self._rows) >= ROWS:
                raise Unforeseen(f"it has more than {ROWS} places between two symbols")
            row = self._rows.setdefault((node, frames), Row(self, node, frames))
        return row

    def follow(self, row: Row, symbol: Any) -> Row | Verdict:
        """Where ``symbol`` leads from a row: the row once it is taken, else how the run ends; None: no more symbols.

        Back to the row itself for WAITING, if that matters.
        """
        if row.node is STOP:
            return REJECTED
        node, frames, entering = row.node, list(row.frames), row.entering
        met: set[tuple[Node, _Frames, bool]] = set()
        while True:
            if not entering:
                frame = frames[-1]
                if frame.own.lazy and frame.cycle == frame.final and node.terminal:
                    there = STOP
                elif node.moves == NO_SYMBOL or frame.left == 0:
                    there = alternative(node.epsilon)
                elif symbol is WAITING:
                    return row
                else:
                    there = alternative(node.epsilon if symbol is None else _by_symbol(node, symbol))
                if there is not STOP:
                    node = there
                elif not node.terminal:
                    return REJECTED
                elif frame.cycle < frame.final and not frame.idle:  # a cycle that takes nothing is like all after it
                    frames[-1] = frame._replace(cycle=frame.cycle + 1, left=frame.bound, idle=True)
                    node = frame.own.initial
                else:
                    frames.pop()
                    node = frame.own
                    if node.exact and node.limit is not None and frame.bound:
                        return REJECTED
                    if not frames:
                        return Verdict(True, node.terminal)
                    continue
            entering = False
            frame = frames[-1]
            if node.kind == MACHINE:
                bound, times = frame.left, 1 if node.repeat is None else node.repeat
                if node.limit is not None:
                    if bound is not None and node.limit > bound:
                        return REJECTED
                    bound = node.limit
                if times:
                    frames.append(_Frame(node, 1, times, bound, bound, times > 1))
                    node, entering = node.initial, True
                elif node.exact and node.limit:
                    return REJECTED
            elif node.consumes:
                if symbol is WAITING and frame.left != 0:
                    return row
                if symbol is None or frame.left == 0 or not (symbol is OTHER or node.state.validate(symbol)):
                    return REJECTED
                frames = [each.less() for each in frames]
                return self._row(node, tuple(frames)) if _limited(node, frames) else self._row(STOP, ())
            elif not _limited(node, frames):
                return REJECTED
            place = node, tuple(frames), entering
            if place in met or len(frames) > len(row.frames) + IDLE_STATES:
                raise GrammarError(
                    f"{frames[0].own.state} can go in circles without taking a symbol, entering {node.state} again;"
                    " a cycle of states must take input somewhere"
                )
            met.add(place)


def _limited(node: Node, frames: list[_Frame]) -> bool:
    """Apply the limit of a state, if any, to the cycle it is in; False if it goes beyond the one there is."""
    if node.limit is not None:
        left = frames[-1].left
        if left is not None and node.limit > left:
            return False
        frames[-1] = frames[-1]._replace(left=node.limit)
    return True


def _by_symbol(node: Node, symbol: Any) -> Node:
    """Where a symbol leads from a node: exact, by class of characters, any other."""
    if symbol in node.table:
        return node.table[symbol]
    return next((there for predicate, there in node.predicates if predicate(symbol)), node.other)


def _foresee(node: Node) -> None:
    """Refuse a node that holds surprises."""
    why = surprise(node)
    if why is not None:
        raise Unforeseen(f"{node.state} {why}")


def _named(nodes: Iterable[Node]) -> Iterator[Any]:
    """The symbols that transitions name; of classes of characters, one for each part that some tell apart."""
    found: dict[Any, None] = {}
    for node in nodes:
        found.update(dict.fromkeys(node.table))
        for each, _ in node.predicates:
            if isinstance(each, CharacterClass):
                codes = {min(code, 0x10FFFF) for first, last in each.ranges for code in (first, last, last + 1)}
                found.update(dict.fromkeys(codes if each.octets else map(chr, codes)))
    return iter(found)
