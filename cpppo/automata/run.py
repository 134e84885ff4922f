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

from collections.abc import Generator, Iterator
from typing import Any

from cpppo.automata.freezing import freeze
from cpppo.automata.node import (
    ACT,
    ANY_SYMBOL,
    BY_TABLE,
    CUSTOM,
    HOOKED,
    INPUT,
    MACHINE,
    NO_SYMBOL,
    STOP,
    STOPPED,
    TAKE,
    Node,
)
from cpppo.automata.source import look_ahead
from cpppo.automata.steps import (
    FAILED,
    IDLE_STATES,
    Saved,
    by_predicate,
    decided,
    enter,
    incomplete,
    leave,
    look_for_circles,
    node_of,
    process,
    terminated,
    unacceptable,
    uncollectable,
)
from cpppo.errors import NonTerminal

__all__ = ["alone", "cursor", "moving"]


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
    stack: list[Saved] = []
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
                                raise incomplete(view, source, end)
                        if ahead:
                            symbol = ahead.pop()
                            source.sent += 1
                        elif peek() is None:  # somebody else took it meanwhile
                            raise incomplete(view, source, end)
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
                                    source.push(symbol)
                                    raise uncollectable(view, source, symbol, exc) from exc
                    elif kind == MACHINE:
                        idle += 1
                        if idle > IDLE_STATES:
                            look_for_circles(seen, idle, nxt, own, cycle, stack, view, source)
                        below, last, times = enter(nxt, source, view, path, data, end)
                        if times:
                            stack.append((view, own, path, end, bound, cycle, final, lazy))
                            view, own, path, end, bound, cycle, final = shown, nxt, below, last, last, 1, times
                            view.path, view.ending, view.cycle, view.final = path, end, 1, final
                            lazy = own.lazy and final == 1
                            if final != 1:
                                view.began = source.sent
                            appends = {}
                            symbol = node = None
                            nxt = own.initial
                            kind = nxt.kind
                        else:
                            shown.cycle = shown.final = 0
                            leave(nxt, source, last, shown, view, path, data)
                            if not stack:
                                return
                            node = nxt
                            views[node] = shown
                    else:
                        idle += 1
                        if idle > IDLE_STATES:
                            look_for_circles(seen, idle, nxt, own, cycle, stack, view, source)
                        if kind == ACT:
                            nxt.act(data, source.sent, end)
                        elif kind == CUSTOM:
                            given = {"source": source, "machine": view, "path": path, "data": data}
                            before = source.sent
                            ended = end is not None and before >= end
                            if nxt.consumes and ended:
                                raise incomplete(view, source, end)
                            if not nxt.state.accepts(**given):
                                if not ended and peek() is None:
                                    yield view, None
                                if not nxt.state.accepts(**given):
                                    raise unacceptable(view, source)
                            view.ending = end
                            view.ending = end = process(nxt, end, **given)
                            if nxt.delegate is not None:
                                yield from nxt.delegate(**given, ending=end)
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
                                nxt = by_predicate(node, symbol)
                        kind = nxt.kind
                        if kind < STOPPED:
                            if kind == HOOKED:
                                nxt = yield from _hooked(nxt, source, view, path, data, end)
                            else:
                                nxt = decided(nxt, source, view, path, data)
                            kind = nxt.kind
                        if kind >= 0:
                            break
                        # no transition: once more from the start, or leave the machine
                        if not node.terminal:
                            raise incomplete(view, source, end)
                        appends = {}
                        if cycle < final and own.alike and view.began == source.sent:
                            view.cycle = cycle = final
                        if cycle < final:
                            cycle += 1
                            view.began = source.sent
                            view.cycle, view.ending, end = cycle, bound, bound
                            lazy = own.lazy and cycle == final
                            nxt = own.initial
                            kind = nxt.kind
                            break
                        node, last, shown = own, bound, view
                        view, own, path, end, bound, cycle, final, lazy = stack.pop()
                        if node.leaves:
                            leave(node, source, last, shown, view, path, data)
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
                    view.cycle = FAILED
                    if own.terminate is not None:
                        own.terminate(exception=exc, machine=stack[-1][0], path=stack[-1][2], data=data)
                    if own.over is not None:
                        own.over(view)
                    view, own, path, end, bound, cycle, final, lazy = stack.pop()
                resumed = own.recover(exc, data, source.sent, end) if stack and own.recover is not None else None
                if resumed is None:
                    raise
                nxt = resumed._node or freeze(resumed)
                kind, symbol, appends, shown = nxt.kind, None, {}, resumed
                view.current, view.ending = shown, end
                yield view, shown
    except BaseException as exc:
        problem: BaseException = exc
        done = isinstance(exc, GeneratorExit) and node is not None and node.terminal
        while stack:
            done = done and cycle == final
            left, seen_here = own, view
            if not done:
                seen_here.cycle = FAILED
            view, own, path, end, bound, cycle, final, lazy = stack.pop()
            try:
                if left.terminate is not None and done:
                    terminated(left.terminate, seen_here, source, view, path, data)
                elif left.terminate is not None:
                    left.terminate(exception=problem, machine=view, path=path, data=data)
            except Exception as another:  # of a hook: those around it are ended all the same
                problem, done = another, False
            finally:
                if left.over is not None:
                    left.over(seen_here)
            done = done and left.terminal
        if problem is exc:
            raise
        raise problem from exc


def alone(
    node: Node, source: Any, machine: Any, path: str, data: Any, ending: int | None
) -> Iterator[tuple[Any, Any | None]]:
    """Process one state that is in no machine, then yield (machine, the state it moves to)."""
    given = {"source": source, "machine": machine, "path": path, "data": data}
    if node.consumes and ending is not None and source.sent >= ending:
        raise incomplete(node.state, source, ending)
    if not node.state.accepts(**given):
        if source.peek() is None:
            yield machine, None
        if not node.state.accepts(**given):
            raise unacceptable(node.state, source)
    end = ending
    if node.kind == ACT:
        node.act(data, source.sent, ending)
    else:
        end = process(node, ending, **given)
    yield from node.state.delegate(**given, ending=end)
    yield from node.state.transition(**given, ending=end)


def moving(
    node: Node, source: Any, machine: Any, path: str, data: Any, end: int | None
) -> Iterator[tuple[Any, Any | None]]:
    """Decide where a state moves as `cursor` does; yields (machine, None) for want of a symbol, then the state."""
    if node.epsilon.kind == HOOKED:
        node = node.epsilon.initial
    symbol = None
    if node.moves != NO_SYMBOL and (end is None or source.sent < end):
        symbol = source.peek()
        if symbol is None:
            yield machine, None
            symbol = source.peek()
    target = node.epsilon if symbol is None else by_predicate(node, symbol)
    if target.kind < STOPPED:
        target = decided(target, source, machine, path, data)
    yield machine, target.state


def _hooked(
    node: Node, source: Any, view: Any, path: str, data: Any, end: int | None
) -> Generator[tuple[Any, None], None, Node]:
    """Where a state whose class has a `transition` of its own moves."""
    moved = None
    for machine, moved in node.state.transition(source=source, machine=view, path=path, data=data, ending=end):
        if moved is None:
            yield machine, None
    return node_of(moved, view)
