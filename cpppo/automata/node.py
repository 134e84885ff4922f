"""What freezing makes of a state: a node, whose answers the stepping loop reads without a look-up.

Owns the shape of nodes and the numbers of their kinds.  Rule: filled once, then never written.
Must not know how states are declared nor how they are run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Node"]

# Kinds of node, in the order the stepping loop asks: those up to INPUT take one symbol each.
TAKE, DROP, INPUT, PLAIN, ACT, MACHINE, CUSTOM = range(7)
# Kinds that are no state: no transition; a stack of decides; a choice on the data alone; a state's own `transition`.
STOPPED, DECIDING, CHOOSING, HOOKED = -1, -2, -3, -4

# How a node moves: not on symbols; on any symbol alike; by table; by table, then predicates.
NO_SYMBOL, ANY_SYMBOL, BY_TABLE, BY_PREDICATE = range(4)


def _nothing(*given: Any) -> None:
    """What a node does that has nothing to do."""


class Node:
    """A frozen state, or what stands in for one as the target of a transition.

    ``epsilon`` is taken without a symbol; ``other`` with a symbol that neither ``get`` (the exact
    symbols) nor ``predicates`` know.  Both are `STOP` where there is no such transition.
    """

    __slots__ = (
        "act", "alike", "choose", "collects", "consumes", "context", "delegate", "enter", "enters", "epsilon", "exact",
        "get", "initial", "initialize", "kind", "lazy", "leave", "leaves", "limit", "moves", "options", "other", "over",
        "predicates",
        "recover", "repeat", "state", "table", "take", "targets", "terminal", "terminate",
    )  # fmt: skip

    def __init__(self, state: Any, kind: int) -> None:
        self.state: Any = state
        self.kind = kind
        self.terminal = False
        self.consumes = False
        self.limit: Any = None
        # transitions
        self.moves = NO_SYMBOL
        self.table: dict[Any, Node] = {}
        self.get: Callable[[Any, Node], Node] = self.table.get
        self.predicates: tuple[tuple[Callable[[Any], Any], Node], ...] = ()
        self.other: Node = self
        self.epsilon: Node = self
        # what a target that is no state decides by
        self.options: tuple[tuple[Callable[..., Any] | None, Node], ...] = ()
        self.choose: Callable[[Any], Any] = _nothing
        self.targets: tuple[Node, ...] = ()
        # what processing calls
        self.collects = ""
        self.take: Callable[[Any, Any], None] = _nothing
        self.act: Callable[[Any, int, int | None], None] = _nothing
        self.delegate: Callable[..., Iterator[tuple[Any, Any]]] | None = None
        # a machine's own
        self.context = ""
        self.initial: Node = self
        self.repeat: Any = None
        self.exact = False
        self.alike = False  # a cycle of it that takes nothing is like all after it
        self.lazy = False
        self.enters = False  # anything to do on entering it
        self.leaves = False  # anything to do on leaving it
        self.enter: Callable[[Any, int, int | None], None] | None = None
        self.leave: Callable[[Any, int, int | None], None] | None = None
        self.recover: Callable[[Exception, Any, int, int | None], Any] | None = None
        self.over: Callable[[Any], None] | None = None
        self.initialize: Callable[..., None] | None = None
        self.terminate: Callable[..., None] | None = None


#: The target of "no transition"; and, of a decide that tells the state itself, that of asking it.
STOP, ASK = Node(None, STOPPED), Node(None, STOPPED)
