"""Faults of an engine, each put in by patching one place: the differential harness must find every one.

Rule: a fault is small and likely, of the stepping loop, of the compiled tables, or of what both are made from; each
tells by which of the two comparisons it is looked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib import import_module
from random import Random
from typing import Any

from pytest import MonkeyPatch

from cpppo.automata import compiled, machine, rows, run, state, state_input, steps, table
from cpppo.automata.check import reached
from cpppo.automata.node import MACHINE, STOP, Node
from cpppo.automata.rows import Verdict
from tests.automata.random_machines import draw_graph, draw_pattern
from tests.automata.referees import examine_graph, examine_pattern

__all__ = ["BUGS"]

regex = import_module("cpppo.automata.regex")  # by another name the package has a class

Examine = Callable[[Random], None]
BUGS: dict[str, Callable[[MonkeyPatch], Examine]] = {}


def by_graphs(chance: Random) -> None:
    """Look for a fault by a random graph."""
    examine_graph(draw_graph(chance, Counter()), chance, Counter())


def by_patterns(chance: Random) -> None:
    """Look for a fault by a random pattern."""
    examine_pattern(draw_pattern(chance, Counter()), chance, Counter())


def found(examine: Examine) -> Callable[[Callable[[MonkeyPatch], None]], Callable[[MonkeyPatch], None]]:
    """Register a fault by the words of its function's name, and how it is looked for."""

    def register(plant: Callable[[MonkeyPatch], None]) -> Callable[[MonkeyPatch], None]:
        def planted(patch: MonkeyPatch) -> Examine:
            plant(patch)
            return examine

        BUGS[plant.__name__.replace("_", " ")] = planted
        return plant

    return register


def following(patch: MonkeyPatch, change: Callable[..., Any]) -> None:
    """Change where compiled rows lead: ``change`` gets the original, the tables, the row and the symbol."""
    follow = rows.Tables.follow
    patch.setattr(rows.Tables, "follow", lambda *given: change(follow, *given))


def choosing(patch: MonkeyPatch, change: Callable[..., Any]) -> None:
    """Change where a symbol leads from a node when compiled: ``change`` gets the original, the node and the symbol."""
    by_symbol = rows._by_symbol
    patch.setattr(rows, "_by_symbol", lambda *given: change(by_symbol, *given))


def altering(patch: MonkeyPatch, attribute: str, change: Callable[[Any], Any]) -> None:
    """Change what compiled rows read of the machines that have the attribute; stepping reads it as it is."""

    def altered(follow: Any, tables: Any, row: Any, symbol: Any) -> Any:
        if not row.frames:  # over
            return follow(tables, row, symbol)
        root = row.frames[0].own
        nodes = {node for node in (root, *reached(root.initial)) if node.kind == MACHINE}
        given = [(node, had) for node in nodes if (had := getattr(node, attribute)) is not None]
        for node, had in given:
            setattr(node, attribute, change(had))
        try:
            return follow(tables, row, symbol)
        finally:
            for node, had in given:
                setattr(node, attribute, had)

    following(patch, altered)


# ------------------------------------------------------------------ compiled tables


@found(by_graphs)
def compiled_greedy_ignored(patch: MonkeyPatch) -> None:
    """A machine with greedy=False runs on."""
    altering(patch, "lazy", lambda lazy: False)


@found(by_patterns)
def compiled_greedy_ignored_by_patterns(patch: MonkeyPatch) -> None:
    """A pattern with greedy=False runs on."""
    compiled_greedy_ignored(patch)


@found(by_graphs)
def compiled_limit_off_by_one(patch: MonkeyPatch) -> None:
    """A machine inside may take one symbol more."""
    altering(patch, "limit", lambda limit: limit + 1)


@found(by_patterns)
def compiled_limit_of_the_whole_off_by_one(patch: MonkeyPatch) -> None:
    """The limit of the whole machine is one less."""
    begin = compiled._Looking.__init__

    def less(self: Any, tables: Any) -> None:
        begin(self, tables)
        self._limit = self._limit and max(1, self._limit - 1)

    patch.setattr(compiled._Looking, "__init__", less)


@found(by_patterns)
def compiled_limit_counted_anew_in_each_piece(patch: MonkeyPatch) -> None:
    """What earlier pieces took is forgotten."""
    take = compiled._Looking._take

    def forgetful(self: Any, symbols: Any) -> None:
        limit, self._limit = self._limit, self._limit and self._limit + self._count
        take(self, symbols)
        self._limit = limit

    patch.setattr(compiled._Looking, "_take", forgetful)


@found(by_graphs)
def compiled_limit_larger_than_the_one_around(patch: MonkeyPatch) -> None:
    """A limit inside is not held against what is left of the one around."""
    limited = rows._limited

    def lax(node: Any, frames: list[Any]) -> bool:
        limited(node, frames)
        return True

    patch.setattr(rows, "_limited", lax)


@found(by_graphs)
def compiled_repeat_not_reset(patch: MonkeyPatch) -> None:
    """The limit that a state set in one repeat holds in the next."""

    class Kept(rows._Frame):
        def _replace(self, **given: Any) -> Any:
            if "cycle" in given and "left" in given:
                given["left"] = self.left
            return super()._replace(**given)

    patch.setattr(rows, "_Frame", Kept)


@found(by_graphs)
def compiled_repeat_one_too_few(patch: MonkeyPatch) -> None:
    """The last repeat is left out."""
    altering(patch, "repeat", lambda repeat: max(1, repeat - 1))


@found(by_graphs)
def compiled_exact_ignored(patch: MonkeyPatch) -> None:
    """A machine may leave some of its limit over."""
    altering(patch, "exact", lambda exact: False)


@found(by_graphs)
def compiled_epsilon_preferred(patch: MonkeyPatch) -> None:
    """A transition without a symbol comes before one with."""
    choosing(
        patch,
        lambda by_symbol, node, symbol: by_symbol(node, symbol) if node.epsilon is STOP else node.epsilon,
    )


@found(by_graphs)
def compiled_wildcard_dropped(patch: MonkeyPatch) -> None:
    """The transition of any symbol is not taken."""

    def dropped(by_symbol: Any, node: Node, symbol: Any) -> Node:
        there: Node = by_symbol(node, symbol)
        return node.epsilon if there is node.other else there

    choosing(patch, dropped)


@found(by_graphs)
def compiled_explicit_stop_ignored(patch: MonkeyPatch) -> None:
    """A symbol explicitly without a transition falls through to that of any symbol."""
    choosing(
        patch,
        lambda by_symbol, node, symbol: node.other if node.table.get(symbol) is STOP else by_symbol(node, symbol),
    )


@found(by_graphs)
def compiled_classes_forgotten(patch: MonkeyPatch) -> None:
    """Classes that are not kept as single symbols are not asked."""
    choosing(patch, lambda by_symbol, node, symbol: node.table.get(symbol, node.other))


@found(by_graphs)
def compiled_terminal_of_the_whole(patch: MonkeyPatch) -> None:
    """Every machine that ends in order counts as terminal."""

    def terminal(follow: Any, *given: Any) -> Any:
        met = follow(*given)
        return Verdict(met.accepted, met.accepted) if isinstance(met, Verdict) else met

    following(patch, terminal)


@found(by_graphs)
def compiled_end_not_noticed(patch: MonkeyPatch) -> None:
    """A run that can take no more waits for another symbol all the same."""
    follow = rows.Tables.follow
    patch.setattr(
        rows.Tables, "follow", lambda self, row, symbol: row if symbol is rows.WAITING else follow(self, row, symbol)
    )


@found(by_graphs)
def compiled_alphabet_ignored(patch: MonkeyPatch) -> None:
    """Any symbol is taken."""
    patch.setattr(state_input, "validate", lambda self, symbol: symbol is not None)


@found(by_graphs)
def compiled_symbol_counted_twice(patch: MonkeyPatch) -> None:
    """One symbol too many at the symbol that is not taken."""
    walk = compiled._walk

    def counted(row: Any, symbols: Any) -> Any:
        count, met = walk(row, symbols)
        return (count + 1 if count and isinstance(met, Verdict) else count), met

    patch.setattr(compiled, "_walk", counted)


# ------------------------------------------------------------------ the stepping loop


@found(by_graphs)
def stepped_repeat_zero_runs_once(patch: MonkeyPatch) -> None:
    """No repeats are one."""
    enter = steps.enter

    def once(*given: Any) -> Any:
        below, last, times = enter(*given)
        return below, last, times or 1

    patch.setattr(run, "enter", once)


@found(by_graphs)
def stepped_limit_hides_the_one_around(patch: MonkeyPatch) -> None:
    """A machine's own limit is not bound by that of the machine around it."""
    enter = steps.enter

    def alone(node: Any, source: Any, around: Any, path: str, data: Any, end: int | None) -> Any:
        return enter(node, source, around, path, data, end if node.limit is None else None)

    patch.setattr(run, "enter", alone)


@found(by_graphs)
def stepped_exact_ignored(patch: MonkeyPatch) -> None:
    """A machine may leave some of its limit over."""

    def lax(node: Any, source: Any, end: Any, view: Any, around: Any, path: str, data: Any) -> None:
        if node.over is not None:
            node.over(view)

    patch.setattr(run, "leave", lax)


@found(by_graphs)
def stepped_predicates_forgotten(patch: MonkeyPatch) -> None:
    """Classes that are not kept as single symbols are not asked."""
    patch.setattr(run, "by_predicate", lambda node, symbol: node.table.get(symbol, node.other))


@found(by_graphs)
def stepped_terminal_without_the_last_repeat(patch: MonkeyPatch) -> None:
    """A machine is terminal whether or not its run has failed."""
    patch.setattr(machine.view, "terminal", property(lambda self: self.machine._terminal))


# ------------------------------------------------------------------ what both are made from


@found(by_graphs)
def frozen_machines_are_terminal(patch: MonkeyPatch) -> None:
    """The terminal flag of a nested machine is lost."""
    fill = machine.dfa._fill

    def terminal(self: Any, node: Node, nodes: Any) -> None:
        fill(self, node, nodes)
        node.terminal = True

    patch.setattr(machine.dfa, "_fill", terminal)


@found(by_graphs)
def frozen_states_stay_greedy(patch: MonkeyPatch) -> None:
    """A terminal state with greedy=False moves on."""
    fill = state._fill

    def greedy(self: Any, node: Node, nodes: Any) -> None:
        given, self.greedy = self.greedy, self.greedy or node.kind != MACHINE
        fill(self, node, nodes)
        self.greedy = given

    patch.setattr(state, "_fill", greedy)


@found(by_graphs)
def frozen_wildcard_of_nothing_is_epsilon(patch: MonkeyPatch) -> None:
    """`S[True] = None` is taken for no such key."""
    fill = state._fill

    def through(self: Any, node: Node, nodes: Any) -> None:
        fill(self, node, nodes)
        if node.other is STOP:
            node.other = node.epsilon

    patch.setattr(state, "_fill", through)


# ------------------------------------------------------------------ patterns


def afresh(patch: MonkeyPatch) -> None:
    """Tables of octets are made anew while a fault is in, and none is kept."""
    patch.setattr(regex, "_over_octets", regex._over_octets.__wrapped__)


@found(by_patterns)
def octets_one_continuation_missing(patch: MonkeyPatch) -> None:
    """The first octet that may continue characters of three is not known to."""
    afresh(patch)
    continuation = table._continuation

    def narrow(octets: tuple[int, ...]) -> tuple[int, int, int]:
        first, last, left = continuation(octets)
        return (first + 1, last, left) if left == 1 else (first, last, left)

    patch.setattr(table, "_continuation", narrow)


@found(by_patterns)
def octets_odd_ones_refused(patch: MonkeyPatch) -> None:
    """An octet that is of no character is never taken."""
    afresh(patch)
    to = table._Steps.to
    patch.setattr(table._Steps, "to", lambda self, row, code: None if 0xDC80 <= code <= 0xDCFF else to(self, row, code))


@found(by_patterns)
def octets_within_a_character_are_terminal(patch: MonkeyPatch) -> None:
    """A sentence may end within a character."""
    afresh(patch)
    numbered = table._numbered
    patch.setattr(
        table,
        "_numbered",
        lambda initial, follow, ends: numbered(initial, follow, lambda at: not isinstance(at, int) or ends(at)),
    )


@found(by_patterns)
def ranges_one_short(patch: MonkeyPatch) -> None:
    """The last character of a class is not of it."""
    afresh(patch)
    graph = regex._rows

    def short(fsm: Any, pattern: Any) -> Any:
        return tuple(
            row._replace(
                edges=tuple(
                    (tuple((first, max(first, last - 1)) for first, last in ranges), there)
                    for ranges, there in row.edges
                )
            )
            for row in graph(fsm, pattern)
        )

    patch.setattr(regex, "_rows", short)
    patch.setattr(regex, "_read", regex._read.__wrapped__)
