"""The cursor: the one loop that steps a machine, and all that a run remembers.

Owns the stack of entered machines, the waiting for symbols, limits, repeats, and the errors of a run.
Rule: everything that changes is in the run's own variables and frames; nodes are only read.  Must not
know how machines are declared or shown, nor what any symbol means.

One step: process the node just entered; decide on the next symbol, without taking it, where to move;
yield (machine, state); and so on.  A machine is entered as a state is, by pushing a frame; one that
cannot move pops, so that the machine around it may try the same symbol.  That there is no transition,
that there is no symbol yet, and that the source has ended are three answers: the second yields
(machine, None), and becomes the third if there still is no symbol on resumption.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import index
from typing import Any

from cpppo.automata.node import (
    ACT,
    ANY_SYMBOL,
    BY_TABLE,
    CHOOSING,
    CUSTOM,
    INPUT,
    MACHINE,
    NO_SYMBOL,
    STOP,
    STOPPED,
    TAKE,
    Node,
)
from cpppo.automata.source import look_ahead
from cpppo.automata.state import freeze
from cpppo.errors import GrammarError, NonTerminal

__all__ = ["Leftover", "LimitExceeded", "Unacceptable", "cursor", "measure"]

#: States entered one after the other without taking a symbol, before circling is looked for.
IDLE_STATES = 1000

# What is saved of a machine while another is run inside it: view, own node, path, where its input ends
# now, and ends by its own limit, cycle, of how many, and whether to stop as soon as satisfied.
_Saved = tuple[Any, Node, str, "int | None", "int | None", int, int, bool]


class LimitExceeded(NonTerminal):
    """A limit reaches beyond the limit of the machine around it, or a state took more symbols than allowed."""


class Unacceptable(NonTerminal):
    """The next symbol is not one the state can process."""


class Leftover(NonTerminal):
    """A machine that must take all of its limit stopped before its end."""


def cursor(
    root: Node, source: Any, outer: Any, path: str, data: Any, ending: int | None
) -> Iterator[tuple[Any, Any | None]]:
    """Step the machine of node ``root``, yielding (machine, state entered), or (machine, None) for want of a symbol.

    Machines are yielded as the views that `watch` of their definition makes, one for each time a
    machine is inside itself; they are only written here.

    :raises NonTerminal: where a sentence is not complete; with the offset in symbols.
    :raises GrammarError: for a machine that goes in circles without input, or collects where it cannot.
    """
    peek, advance = source.peek, source.__next__
    ahead = look_ahead(source)
    stack: list[_Saved] = []
    views: dict[Node, Any] = {}  # those of machines not now on the stack
    seen: set[Any] = set()
    idle = 0
    appends: dict[str, Any] = {}
    # the machine being run, and how far; at first, what is around all
    view, own, end, bound, cycle, final, lazy = outer, STOP, ending, ending, 0, 0, False
    shown = root.state.watch()
    node: Node | None = None  # processed last; None while a machine is just entered
    nxt, kind = root, MACHINE
    symbol: Any = None  # decided on, not yet taken
    try:
        while True:  # once more after a machine has recovered from an error inside it
            try:
                while True:
                    # process the node entered
                    if kind <= INPUT:
                        if symbol is None:
                            if end is None or source.sent < end:
                                symbol = peek()
                                if symbol is None:
                                    yield view, None
                                    symbol = peek()
                            if symbol is None:
                                raise _incomplete(view, source, end)
                        if ahead:
                            symbol = ahead.pop()
                            source.sent += 1
                        elif peek() is None:  # somebody else took it meanwhile
                            raise _incomplete(view, source, end)
                        else:
                            symbol = advance()
                        idle = 0
                        node = nxt
                        if kind == TAKE:
                            node.take(symbol, data)
                        elif kind == INPUT:
                            try:
                                append = appends[node.collects]
                            except KeyError:
                                append = appends[node.collects] = node.state.collector(path, data, symbol)
                            if append is not None:
                                try:
                                    append(symbol)
                                except (TypeError, ValueError, OverflowError) as exc:
                                    raise _uncollectable(view, source, symbol, exc) from exc
                    elif kind == MACHINE:
                        idle += 1
                        if idle > IDLE_STATES:
                            _look_for_circles(seen, idle, nxt, own, cycle, stack, view, source)
                        below, last, times = _enter(nxt, source, view, path, data, end)
                        if times:
                            stack.append((view, own, path, end, bound, cycle, final, lazy))
                            view, own, path, end, bound, cycle, final = shown, nxt, below, last, last, 1, times
                            view.path, view.ending, view.cycle, view.final = path, end, 1, final
                            lazy = own.lazy and final == 1
                            appends = {}
                            symbol = node = None
                            nxt = own.initial
                            kind = nxt.kind
                        else:
                            shown.cycle = shown.final = 0
                            _leave(nxt, source, last, shown, view, path, data)
                            if not stack:
                                return
                            node = nxt
                            views[node] = shown
                    else:
                        idle += 1
                        if idle > IDLE_STATES:
                            _look_for_circles(seen, idle, nxt, own, cycle, stack, view, source)
                        if kind == ACT:
                            nxt.act(data, source.sent, end)
                        elif kind == CUSTOM:
                            given = {"source": source, "machine": view, "path": path, "data": data}
                            before = source.sent
                            ended = end is not None and before >= end
                            if nxt.consumes and ended:
                                raise _incomplete(view, source, end)
                            if not nxt.state.accepts(**given):
                                if not ended and peek() is None:
                                    yield view, None
                                if not nxt.state.accepts(**given):
                                    raise _unacceptable(view, source)
                            view.ending = end
                            view.ending = end = _process(nxt, end, **given)
                            if source.sent != before:
                                idle = 0
                        node = nxt

                    # decide where to move
                    while node is not None:
                        moves = node.moves
                        if lazy and node.terminal:
                            nxt = STOP
                        elif moves == NO_SYMBOL or (end is not None and source.sent >= end):
                            symbol = None
                            nxt = node.epsilon
                        else:
                            if ahead:
                                symbol = ahead[-1]
                            else:
                                symbol = peek()
                                if symbol is None:
                                    yield view, None
                                    symbol = peek()
                            if symbol is None:
                                nxt = node.epsilon
                            elif moves == ANY_SYMBOL:
                                nxt = node.other
                            elif moves == BY_TABLE:
                                nxt = node.get(symbol, node.other)
                            else:
                                nxt = _by_predicate(node, symbol)
                        kind = nxt.kind
                        if kind < STOPPED:
                            nxt = _decided(nxt, source, view, path, data)
                            kind = nxt.kind
                        if kind >= 0:
                            break
                        # no transition: once more from the start, or leave the machine
                        if not node.terminal:
                            raise _incomplete(view, source, end)
                        appends = {}
                        if cycle < final:
                            cycle += 1
                            view.cycle, view.ending, end = cycle, bound, bound
                            lazy = own.lazy and cycle == final
                            nxt = own.initial
                            kind = nxt.kind
                            break
                        node, last, shown = own, bound, view
                        view, own, path, end, bound, cycle, final, lazy = stack.pop()
                        if node.leaves:
                            _leave(node, source, last, shown, view, path, data)
                        if not stack:
                            return
                        views[node] = shown

                    if kind == MACHINE:
                        shown = views.pop(nxt, None) or nxt.state.watch()
                    else:
                        shown = nxt.state
                    view.current = shown
                    yield view, shown
            except NonTerminal as exc:
                while stack and own.recover is None:
                    if own.terminate is not None:
                        own.terminate(exception=exc, machine=stack[-1][0], path=stack[-1][2], data=data)
                    view, own, path, end, bound, cycle, final, lazy = stack.pop()
                resumed = own.recover(exc, data, source.sent, end) if stack and own.recover is not None else None
                if resumed is None:
                    raise
                nxt = resumed._node or freeze(resumed)
                kind, symbol, appends, shown = nxt.kind, None, {}, resumed
                view.current, view.ending = shown, end
                yield view, shown
    except BaseException as exc:
        done = node is not None and node.terminal
        while stack:
            done = done and cycle == final
            ended_here, own_here = (None if done and isinstance(exc, GeneratorExit) else exc), own
            view, own, path, end, bound, cycle, final, lazy = stack.pop()
            if own_here.terminate is not None:
                own_here.terminate(exception=ended_here, machine=view, path=path, data=data)
            done = done and own_here.terminal
        raise


def _enter(node: Node, source: Any, around: Any, path: str, data: Any, end: int | None) -> tuple[str, int | None, int]:
    """What a machine starts with: the path of its data, where its input ends, and how often it is to run."""
    own = node.context
    below = f"{path}.{own}" if path and own else path or own
    if not node.enters:
        return below, end, 1
    times = 1
    if node.initialize is not None:
        node.initialize(machine=around, path=path, data=data)
    try:
        if node.limit is not None:
            count = measure(node.limit, "limit", node.state, around, source, path, data)
            end = _limited(node.state, source, count, end)
        if node.enter is not None:
            node.enter(data, source.sent, end)
        if node.repeat is not None:
            times = measure(node.repeat, "repeat", node.state, around, source, path, data)
    except BaseException as exc:
        if node.terminate is not None:
            node.terminate(exception=exc, machine=around, path=path, data=data)
        raise
    return below, end, times


def _leave(node: Node, source: Any, end: int | None, view: Any, around: Any, path: str, data: Any) -> None:
    """What a machine that stopped in order does at its end."""
    try:
        if node.exact and node.limit is not None and end is not None and source.sent != end:
            raise Leftover(
                f"{view} stopped with {end - source.sent} symbols of its limit left, at offset {source.sent}",
                source.sent,
            )
        if node.leave is not None:
            node.leave(data, source.sent, end)
    except BaseException as exc:
        if node.terminate is not None:
            node.terminate(exception=exc, machine=around, path=path, data=data)
        raise
    if node.terminate is not None:
        node.terminate(exception=None, machine=around, path=path, data=data)


def measure(given: Any, what: str, owner: Any, machine: Any, source: Any, path: str | None, data: Any) -> int:
    """The number a limit or repeat means now; a path that is not there means 0.

    :raises GrammarError: if it is no number, NonTerminal if it is negative.
    """
    if isinstance(given, str):
        where = f"{owner.context(path, '')}.{given}"
        number = data[where] if data is not None and where in data else 0
    elif callable(given):
        number = given(source=source, machine=machine, path=path, data=data)
    else:
        number = given
    try:
        count = index(number)
    except TypeError as exc:
        raise GrammarError(f"{owner}: {what} {given!r} is {number!r}, which is not a whole number") from exc
    if count < 0:
        raise NonTerminal(f"{owner}: {what} {given!r} is negative: {count}, at offset {source.sent}", source.sent)
    return count


def _limited(view: Any, source: Any, count: int, end: int | None) -> int:
    """The count of symbols sent at which a limit of ``count`` symbols from here ends."""
    bound: int = source.sent + count
    if end is not None and bound > end:
        raise LimitExceeded(
            f"{view} limit of {count} reaches {bound - end} beyond the enclosing limit, at offset {source.sent}",
            source.sent,
        )
    return bound


def _process(node: Node, end: int | None, source: Any, machine: Any, path: str, data: Any) -> int | None:
    """Process a state with hooks or a limit of its own; where input ends from here on."""
    state = node.state
    state.initialize(machine=machine, path=path, data=data)
    try:
        state.process(source=source, machine=machine, path=path, data=data)
        if end is not None and source.sent > end:
            raise LimitExceeded(
                f"{machine} took {source.sent - end} symbols beyond its limit, at offset {source.sent}", source.sent
            )
        if node.limit is not None:
            count = measure(node.limit, "limit", state, machine, source, path, data)
            end = _limited(machine, source, count, end)
    except BaseException as exc:
        state.terminate(exception=exc, machine=machine, path=path, data=data)
        raise
    state.terminate(exception=None, machine=machine, path=path, data=data)
    return end


def _by_predicate(node: Node, symbol: Any) -> Node:
    """Where ``symbol`` leads from a node with predicates: exact, by predicate, any, without."""
    exact = node.get(symbol, node)
    if exact is not node:
        return exact
    for predicate, target in node.predicates:
        if predicate(symbol):
            return target
    return node.other


def _decided(target: Node, source: Any, machine: Any, path: str, data: Any) -> Node:
    """The node a conditional target decides on, or STOP."""
    if target.kind == CHOOSING:
        chosen = target.choose(data)
        return STOP if chosen is None else chosen._node or freeze(chosen)
    for predicate, node in target.options:
        if predicate is None or predicate(machine=machine, source=source, path=path, data=data):
            return _decided(node, source, machine, path, data) if node.kind < STOPPED else node
    return STOP


def _look_for_circles(
    seen: set[Any], idle: int, node: Node, own: Node, cycle: int, stack: list[_Saved], view: Any, source: Any
) -> None:
    """Refuse to enter a state again with no symbol taken since, in the same machines and cycles."""
    if idle == IDLE_STATES + 1:
        seen.clear()
    place = (node, own, cycle, *((saved[1], saved[5]) for saved in stack))
    if place in seen or len(stack) > IDLE_STATES:
        raise GrammarError(
            f"{view} goes in circles without taking a symbol, entering {node.state} again at offset {source.sent};"
            " a cycle of states must take input somewhere"
        )
    seen.add(place)


def _next(source: Any, end: int | None) -> str:
    """What follows, for a message."""
    if end is not None and source.sent >= end:
        return "limit reached"
    symbol = source.peek()
    return "no more input" if symbol is None else f"next symbol {symbol!r}"


def _incomplete(view: Any, source: Any, end: int | None) -> NonTerminal:
    return NonTerminal(
        f"{view} sub-machine terminated in a non-terminal state, at offset {source.sent}: {_next(source, end)}",
        source.sent,
    )


def _unacceptable(view: Any, source: Any) -> NonTerminal:
    symbol = source.peek()
    if symbol is None:
        return _incomplete(view, source, None)
    return Unacceptable(f"{view} cannot process the symbol {symbol!r}, at offset {source.sent}", source.sent)


def _uncollectable(view: Any, source: Any, symbol: Any, why: Exception) -> NonTerminal:
    offset = source.sent - 1
    return Unacceptable(f"{view} cannot collect the symbol {symbol!r}, at offset {offset}: {why}", offset)
