"""What can never work, found when a machine is frozen, before it first runs.

Owns these checks.  Rule: refuses only what fails, or is idle, whatever the input and the data.  Must
not know how machines are run; what depends on them is found by the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cpppo.automata.naming import shown
from cpppo.automata.node import (
    CHOOSING,
    CUSTOM,
    DECIDING,
    DROP,
    HOOKED,
    INPUT,
    MACHINE,
    NO_SYMBOL,
    PLAIN,
    STOPPED,
    Node,
)
from cpppo.automata.symbols import CharacterClass
from cpppo.errors import GrammarError

__all__ = ["alternative", "hopeless", "moves", "reached", "surprise"]


def hopeless(first: Node, fresh: Iterable[Node]) -> None:
    """Refuse a graph whose newly frozen nodes cannot all be of use.

    :raises GrammarError: naming the state, and what to change.
    """
    seen = set(reached(first))
    free, free_inside = set[Node](), set[Node]()
    for node in fresh:
        if node not in seen:
            raise GrammarError(
                f"{first.state}: {node.state} can never be reached: only by transitions that are never taken, as"
                " those behind a decide without predicate, or of a terminal state with greedy=False; remove it or these"
            )
        _circles(node, lambda each: not each.terminal, free)
        if node.kind == MACHINE and not node.lazy:
            for each in reached(node.initial, False):
                _circles(each, lambda each: True, free_inside)
        _strangers(first, node)
        if node.kind == MACHINE and isinstance(node.limit, int):
            _limits(node)


def moves(node: Node) -> Iterator[Node]:
    """The nodes that transitions lead to, whatever decides."""
    waiting = [*node.table.values(), *(there for _, there in node.predicates), node.other, node.epsilon]
    while waiting:
        there = waiting.pop()
        if there.kind > STOPPED:
            yield there
        elif there.kind == DECIDING:
            waiting.extend(option for _, option in there.options)
            yield from there.targets
        else:
            yield from there.targets


def surprise(node: Node) -> str | None:
    """What of a node code of the user's, or the data, decides while it runs; None if nothing does."""
    declared = node.kind in (INPUT, DROP, PLAIN) or (node.kind == CUSTOM and node.state.as_declared())
    hooks = (node.enter, node.leave, node.recover, node.initialize, node.terminate, node.over)
    if any(hooks) if node.kind == MACHINE else not declared:
        return "has code of its own"
    if any(given is not None and not isinstance(given, int) for given in (node.limit, node.repeat)):
        return "has a limit or repeat that the data decide"
    for there in (*node.table.values(), *(there for _, there in node.predicates), node.other, node.epsilon):
        decided = there.kind == DECIDING and there.options[0][0] is not None
        if decided or alternative(there).kind in (CHOOSING, HOOKED):
            return "has a transition that is decided while it runs"
    if not all(isinstance(predicate, CharacterClass) for predicate, _ in node.predicates):
        return "has a predicate on symbols"
    return None


def alternative(there: Node) -> Node:
    """The first of several targets on one key, which is the one taken if nothing is decided."""
    return there.options[0][1] if there.kind == DECIDING else there


def reached(first: Node, inside: bool = True) -> Iterator[Node]:
    """All nodes reached from one, itself first; and what is inside machines, if asked."""
    seen, waiting = {first}, [first]
    while waiting:
        node = waiting.pop()
        yield node
        for each in (*moves(node), *((node.initial,) if inside and node.kind == MACHINE else ())):
            if each not in seen:
                seen.add(each)
                waiting.append(each)


def _circles(node: Node, passes: Callable[[Node], bool], free: set[Node]) -> None:
    """Refuse to go round without a symbol, through states that do nothing and that a run surely passes.

    ``free`` are those known to lead out of there: a long line is gone through once, not from each of its states.
    """
    seen: dict[Node, None] = {}
    while node not in free and node.kind == PLAIN and node.moves == NO_SYMBOL and passes(node):
        if node in seen:
            way = list(seen)
            names = " -> ".join(str(each.state) for each in [*way[way.index(node) :], node])
            raise GrammarError(f"{names} goes in circles without taking a symbol; let a state on the way take input")
        seen[node] = None
        node = node.epsilon
    free.update(seen)


def _strangers(first: Node, node: Node) -> None:
    """Refuse a symbol that leads to where it cannot be taken."""
    for symbol, there in node.table.items():
        while there.kind == MACHINE:
            there = there.initial
        if there.kind >= 0 and there.consumes and not _takes(there, symbol):
            raise GrammarError(
                f"{first.state}: {node.state} leads to {there.state} on {shown(symbol)}, which that cannot take;"
                f" its alphabet is {there.state.alphabet!r}"
            )


def _takes(node: Node, symbol: Any) -> bool:
    """False if a node surely cannot take a symbol."""
    try:
        return bool(node.state.validate(symbol))
    except (
        AttributeError,
        TypeError,
        ValueError,
    ):  # an alphabet that knows other symbols alone: the run tells
        return True


def _limits(machine: Node) -> None:
    """Refuse a limit inside a machine that is larger than its own."""
    for node in reached(machine.initial):
        if isinstance(node.limit, int) and node.limit > machine.limit:
            raise GrammarError(
                f"{node.state} has a limit of {node.limit}, but is inside {machine.state}, whose limit is"
                f" {machine.limit}; make it smaller, or the other larger"
            )
