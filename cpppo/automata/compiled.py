"""Compiled machines: what a run would tell of a sentence, by one look-up a symbol.

Owns `Matcher`.  Rule: the answers are those of stepping, whatever the machine; one that cannot be told
beforehand (see rows) is stepped.  Must not know how.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from operator import length_hint
from typing import Any, NamedTuple

from cpppo.automata.freezing import freeze
from cpppo.automata.rows import ROW, Row, Tables, Unforeseen, Verdict
from cpppo.automata.source import chaining
from cpppo.automata.steps import source_of
from cpppo.dotdict import dotdict
from cpppo.errors import GrammarError, NonTerminal, UsageError

__all__ = ["Match", "Matcher", "Matching"]

#: Symbols that are taken at once of an iterable, which may be endless.
BLOCK = 4096


class Match(NamedTuple):
    """What a run told: symbols it took; whether they are a whole sentence; whether the machine was terminal then."""

    consumed: int
    accepted: bool
    terminal: bool


class Matcher:
    """A machine, compiled: tells what `dfa.run` over symbols that can be collected would, many times quicker.

    It collects nothing itself.  Symbols must be hashable.

    Any number of threads may use one at once.  ``stepped`` is None, or why the machine is stepped
    after all: states or machines with code of their own, predicates, and limits or repeats that the
    data decide cannot be told beforehand.

    :raises GrammarError: for a machine that cannot work.
    """

    def __init__(self, machine: Any) -> None:
        self.machine = machine
        self.stepped: str | None = None
        self._tables: Tables | None = None
        if not hasattr(machine, "compile"):
            raise GrammarError(f"{machine!r} is no machine; give a dfa")
        try:
            self._tables = Tables(machine._node or freeze(machine))
        except Unforeseen as exc:
            self.stepped = str(exc)

    def match(self, symbols: Iterable[Any]) -> Match:
        """What a run over ``symbols``, and no more, tells."""
        if self._tables is not None and isinstance(symbols, (str, bytes)) and self._tables.limit is None:
            row = self._tables.first
            if isinstance(row, Row):
                count, met = _walk(row, symbols)
                return Match(count, *(met.ending() if isinstance(met, Row) else met))
        matching = self.stream()
        matching.feed(symbols)
        return matching.finish()

    def stream(self) -> Matching:
        """A run whose symbols come in pieces."""
        return _Stepping(self.machine) if self._tables is None else _Looking(self._tables)


class Matching:
    """A run of a compiled machine over symbols that come in pieces; of one thread."""

    _verdict: Verdict | None = None
    _finished = False

    @property
    def consumed(self) -> int:
        """How many symbols it has taken."""
        raise NotImplementedError

    def feed(self, symbols: Iterable[Any]) -> bool:
        """Take more symbols; True if it could take another after them, False if it has ended.

        :raises UsageError: after `finish`.
        """
        if self._finished:
            raise UsageError("This run is finished; begin another with stream()")
        if self._verdict is None:
            self._take(symbols if isinstance(symbols, (str, bytes)) else source_of(symbols, "A matcher"))
        return self._verdict is None

    def finish(self) -> Match:
        """No more symbols come: what the run tells."""
        self._finished = True
        if self._verdict is None:
            self._verdict = self._end()
        return Match(self.consumed, *self._verdict)

    def _take(self, symbols: Iterable[Any]) -> None:
        raise NotImplementedError

    def _end(self) -> Verdict:
        raise NotImplementedError


class _Looking(Matching):
    """By table."""

    def __init__(self, tables: Tables) -> None:
        self._count, self._limit, self._particular = 0, tables.limit, tables.particular
        if isinstance(tables.first, Row):
            self._go(tables.first)
        else:
            self._verdict = tables.first

    @property
    def consumed(self) -> int:
        return self._count

    def _take(self, symbols: Iterable[Any]) -> None:
        coming: Any = symbols
        while self._verdict is None:
            left = None if self._limit is None else self._limit - self._count
            if isinstance(coming, (str, bytes)):
                block: Collection[Any] = coming[:left]
                coming = ()
                count, met = _walk(self._row, block)
            else:
                coming = iter(coming)
                block = tuple(islice(coming, BLOCK if left is None else min(left, BLOCK)))
                count, met = (_ask if self._particular else _walk)(self._row, block)
            if not block:
                return
            self._count += count
            if isinstance(met, Verdict):
                self._verdict = met
            else:
                self._go(met)

    def _go(self, row: Row) -> None:
        self._row = row
        self._verdict = row.ending() if self._count == self._limit else row.ended

    def _end(self) -> Verdict:
        return self._row.ending()


class _Stepping(Matching):
    """By stepping, with data of its own."""

    def __init__(self, machine: Any) -> None:
        self._source = chaining()
        self._run = machine.run(self._source, data=dotdict())
        self._machine = machine
        self._view: Any = None
        self._step()

    @property
    def consumed(self) -> int:
        return self._source.sent

    def _take(self, symbols: Iterable[Any]) -> None:
        self._source.chain(symbols)
        if self._source.peek() is not None:
            self._step()

    def _end(self) -> Verdict:
        self._step()
        while self._verdict is None:  # starved once more on the way out
            self._step()
        return self._verdict

    def _step(self) -> None:
        """Run until it wants a symbol that is not there, or ends."""
        try:
            for view, entered in self._run:
                self._view = self._view or view  # the first is that of the machine itself
                if entered is None and self._source.peek() is None:
                    return
        except NonTerminal:
            self._verdict = Verdict(False, False)
        else:
            self._verdict = Verdict(True, (self._view or self._machine).terminal)


def _ask(row: Row, symbols: Collection[Any]) -> tuple[int, Row | Verdict]:
    """As `_walk`, remembering nothing: of symbols that may be equal to others, and yet not alike."""
    for count, symbol in enumerate(symbols):
        there = row.follow(symbol)
        if isinstance(there, Verdict):
            return count, there
        row = there
    return len(symbols), row


def _walk(row: Row, symbols: Collection[Any]) -> tuple[int, Row | Verdict]:
    """How many symbols are taken from a row on, and the row then; or how the run ends at the one not taken."""
    table = row.table
    coming = iter(symbols)
    while True:
        try:
            for symbol in coming:
                table = table[symbol]
            return len(symbols), table[ROW]
        except KeyError:  # not taken here, or not met here before
            there = table[ROW].lead(symbol)
            if isinstance(there, Verdict):
                return len(symbols) - length_hint(coming) - 1, there
            table = there.table
