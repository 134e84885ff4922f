"""What the stepping loop calls for now and then: entering and leaving machines, limits, decisions, errors.

Owns what happens less often than once a symbol, and the errors of a run.  Rule: nodes are only read,
and nothing is kept from one call to the next.  Must not know the order in which the loop calls.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import Any

from cpppo.automata.freezing import freeze
from cpppo.automata.naming import shown
from cpppo.automata.node import ASK, CHOOSING, STOP, STOPPED, Node
from cpppo.automata.source import peekable
from cpppo.errors import Error, GrammarError, NonTerminal

__all__ = [
    "FAILED",
    "IDLE_STATES",
    "Leftover",
    "LimitExceeded",
    "Saved",
    "Unacceptable",
    "by_predicate",
    "decided",
    "enter",
    "incomplete",
    "leave",
    "look_for_circles",
    "measure",
    "node_of",
    "terminated",
    "process",
    "source_of",
    "unacceptable",
    "uncollectable",
]

#: States entered one after the other without taking a symbol, before circling is looked for.
IDLE_STATES = 1000
#: And at most, in all.
IDLE_MOST = 100_000

#: The cycle of a machine whose run has failed: no last one.
FAILED = -1

# What is saved of a machine while another is run inside it: view, own node, path, where its input ends
# now, and ends by its own limit, cycle, of how many, and whether to stop as soon as satisfied.
Saved = tuple[Any, Node, str, "int | None", "int | None", int, int, bool]


_UNKNOWN = Node(None, STOPPED)


class LimitExceeded(NonTerminal, AssertionError):
    """A limit reaches beyond the limit of the machine around it, or a state took more symbols than allowed."""


class Unacceptable(NonTerminal):
    """The next symbol is not one the state can process."""


class Leftover(NonTerminal):
    """A machine that must take all of its limit stopped before its end."""


def enter(node: Node, source: Any, around: Any, path: str, data: Any, end: int | None) -> tuple[str, int | None, int]:
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
            end = limited(node.state, source, count, end)
        if node.enter is not None:
            node.enter(data, source.sent, end)
        if node.repeat is not None:
            times = measure(node.repeat, "repeat", node.state, around, source, path, data)
    except BaseException as exc:
        if node.terminate is not None:
            node.terminate(exception=exc, machine=around, path=path, data=data)
        raise
    return below, end, times


def leave(node: Node, source: Any, end: int | None, view: Any, around: Any, path: str, data: Any) -> None:
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
        view.cycle = FAILED
        if node.terminate is not None:
            node.terminate(exception=exc, machine=around, path=path, data=data)
        raise
    else:
        if node.terminate is not None:
            terminated(node.terminate, view, source, around, path, data)
    finally:
        if node.over is not None:
            node.over(view)


def terminated(terminate: Callable[..., None], view: Any, source: Any, machine: Any, path: str, data: Any) -> None:
    """End a state or machine in order; it may refuse what was taken by a ValueError."""
    try:
        terminate(exception=None, machine=machine, path=path, data=data)
    except ValueError as exc:
        if isinstance(exc, Error):
            raise
        raise Unacceptable(f"{view} cannot use what it took, at offset {source.sent}: {exc}", source.sent) from exc


def measure(given: Any, what: str, owner: Any, machine: Any, source: Any, path: str | None, data: Any) -> int:
    """The number a limit or repeat means now; a path that is not there means 0.

    :raises GrammarError: if it is no number, NonTerminal if it is negative.
    """
    if isinstance(given, str):
        where = below(owner.context(path, ""), given)
        number = data[where] if data is not None and where in data else 0
    elif callable(given):
        number = given(source=source, machine=machine, path=path, data=data)
    else:
        number = given
    try:
        count = index(number)
    except TypeError as exc:
        raise GrammarError(
            f"{owner}: {what} {given!r} is {number!r}, which is not a whole number, at offset {source.sent}"
        ) from exc
    if count < 0:
        raise NonTerminal(f"{owner}: {what} {given!r} is negative: {count}, at offset {source.sent}", source.sent)
    return count


def below(context: str, path: str) -> str:
    """A path relative to a context: each leading dot goes up by one level."""
    name = path.lstrip(".")
    levels = context.split(".") if context else []
    up = len(path) - len(name)
    return ".".join([*levels[: max(len(levels) - up, 0)], name])


def limited(view: Any, source: Any, count: int, end: int | None) -> int:
    """The count of symbols sent at which a limit of ``count`` symbols from here ends."""
    bound: int = source.sent + count
    if end is not None and bound > end:
        raise LimitExceeded(
            f"{view} limit of {count} reaches {bound - end} beyond the enclosing limit, at offset {source.sent}",
            source.sent,
        )
    return bound


def process(node: Node, end: int | None, source: Any, machine: Any, path: str, data: Any) -> int | None:
    """Process a state with hooks or a limit of its own; where input ends from here on."""
    state = node.state
    state.initialize(machine=machine, path=path, data=data)
    try:
        try:
            state.process(source=source, machine=machine, path=path, data=data)
        except StopIteration as exc:
            raise incomplete(state if machine is None else machine, source, end) from exc
        if end is not None and source.sent > end:
            raise LimitExceeded(
                f"{machine} took {source.sent - end} symbols beyond its limit, at offset {source.sent}", source.sent
            )
        if node.limit is not None:
            count = measure(node.limit, "limit", state, machine, source, path, data)
            end = limited(state if machine is None else machine, source, count, end)
    except BaseException as exc:
        state.terminate(exception=exc, machine=machine, path=path, data=data)
        raise
    terminated(state.terminate, state, source, machine, path, data)
    return end


def by_predicate(node: Node, symbol: Any) -> Node:
    """Where ``symbol`` leads from a node with predicates: exact, by predicate, any, without."""
    exact = node.get(symbol, _UNKNOWN)
    if exact is not _UNKNOWN:
        return exact
    for predicate, target in node.predicates:
        try:
            if predicate(symbol):
                return target
        except (AttributeError, TypeError, ValueError) as exc:
            raise GrammarError(
                f"{node.state}: its predicate {shown(predicate)} fails for the symbol {symbol!r}: {exc}"
            ) from exc
    return node.other


def decided(target: Node, source: Any, machine: Any, path: str, data: Any) -> Node:
    """The node a conditional target decides on, or STOP."""
    if target.kind == CHOOSING:
        return node_of(target.choose(data), machine)
    for predicate, node in target.options:
        met = True if predicate is None else predicate(machine=machine, source=source, path=path, data=data)
        if node is ASK:
            if met is not None:
                return node_of(met, machine)
        elif met:
            return decided(node, source, machine, path, data) if node.kind < STOPPED else node
    return STOP


def source_of(given: Any, owner: Any) -> Any:
    """A source to run something on."""
    try:
        return peekable(given)
    except TypeError as exc:
        raise GrammarError(f"{owner}: cannot run on {given!r}, which is no iterable of symbols") from exc


def node_of(chosen: Any, machine: Any) -> Node:
    """The node of a state that was chosen while running; STOP for None."""
    if chosen is None:
        return STOP
    if not hasattr(chosen, "_node"):
        raise GrammarError(f"{machine}: what was chosen, {chosen!r}, is no state")
    return chosen._node or freeze(chosen)


def look_for_circles(
    seen: set[Any], idle: int, node: Node, own: Node, cycle: int, stack: list[Saved], view: Any, source: Any
) -> None:
    """Refuse to enter a state again with no symbol taken since, in the same machines and cycles."""
    if idle == IDLE_STATES + 1:
        seen.clear()
    if idle > IDLE_MOST:
        raise LimitExceeded(
            f"{view} entered {IDLE_MOST} states without taking a symbol, at offset {source.sent}", source.sent
        )
    place = (node, own, cycle, *((saved[1], saved[5]) for saved in stack))
    if place in seen or len(stack) > IDLE_STATES:
        raise GrammarError(
            f"{view} goes in circles without taking a symbol, entering {node.state} again at offset {source.sent};"
            " a cycle of states must take input somewhere"
        )
    seen.add(place)


def _next(view: Any, source: Any, end: int | None) -> str:
    """What follows, for a message."""
    if end is not None and source.sent >= end:
        return "limit reached"
    symbol = source.peek()
    if symbol is None:
        return "no more input"
    strange = getattr(view, "strange", None)  # a machine of one kind of symbols knows others
    return f"next symbol {symbol!r}{strange(symbol) if strange else ''}"


def incomplete(view: Any, source: Any, end: int | None) -> NonTerminal:
    return NonTerminal(
        f"{view} sub-machine terminated in a non-terminal state, at offset {source.sent}: {_next(view, source, end)}",
        source.sent,
    )


def unacceptable(view: Any, source: Any) -> NonTerminal:
    symbol = source.peek()
    if symbol is None:
        return incomplete(view, source, None)
    return Unacceptable(f"{view} cannot process the symbol {symbol!r}, at offset {source.sent}", source.sent)


def uncollectable(view: Any, source: Any, symbol: Any, why: Exception) -> NonTerminal:
    return Unacceptable(f"{view} cannot collect the symbol {symbol!r}, at offset {source.sent}: {why}", source.sent)
