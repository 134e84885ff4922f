"""Machines: a state that runs others, and how one of its runs is seen.

Owns `dfa`, the views its runs yield, and which run a thread saw last.  Rule: a machine is a frozen
definition that any number of threads run at once.  Must not know how a run is stepped.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from cpppo.automata.node import MACHINE, Node
from cpppo.automata.run import cursor
from cpppo.automata.source import peekable
from cpppo.automata.state import centered, embrace, freeze, state
from cpppo.errors import GrammarError

__all__ = ["dfa", "view"]


class view:
    """A machine as one run has it: equal to the `dfa`, and like it in all but its current state.

    ``cycle`` of ``final`` repeats is running; ``path`` is where its data is kept, and ``ending`` the
    count of symbols sent at which its input ends, or None.
    """

    __slots__ = ("current", "cycle", "ending", "final", "machine", "path")

    def __init__(self, machine: dfa) -> None:
        self.machine = machine
        self.current: Any = machine.initial
        self.cycle = 0
        self.final = 1
        self.path = ""
        self.ending: int | None = None

    @property
    def name(self) -> str:
        return f"{self.machine.own_name}.{self.current}"

    @property
    def terminal(self) -> bool:
        """True if the machine may end a sentence, and this run of it has completed one."""
        return self.machine._terminal and self.cycle == self.final and (not self.final or bool(self.current.terminal))

    def name_centered(self) -> str:
        return centered(str(self))

    def __str__(self) -> str:
        return embrace(self.name, self.terminal)

    def __repr__(self) -> str:
        return f"<{self}>"

    def __eq__(self, other: object) -> bool:
        return self.machine is (other.machine if isinstance(other, view) else other)

    def __hash__(self) -> int:
        return hash(self.machine)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.machine, name)


class _Latest(threading.local):
    """The view of the calling thread's latest run."""

    view: view | None = None


class dfa(state):
    """A state that runs a machine of states: symbols that machine has no transition for are then its own.

    :param initial: the state in which the machine starts.
    :param repeat: times it is run, one after the other: an int, the path of one relative to its own
        context, or a callable(source=, machine=, path=, data=).  0: not at all.
    :param exact: True if it must take all the symbols its limit allows.
    :param limit: as for a state, but measured on entering it, and shared by all its repeats.
    :param greedy: False stops as soon as a terminal state is reached (in the last repeat).

    All others as for a state.  `terminal`, `current` and `name` are those of the calling thread's latest run.
    """

    _kind = MACHINE

    def __init__(
        self,
        name: str | None = None,
        initial: state | None = None,
        repeat: Any = None,
        *,
        exact: bool = False,
        **kwds: Any,
    ) -> None:
        super().__init__(type(self).__name__ if name is None else name, **kwds)
        if not isinstance(initial, state):
            raise GrammarError(f"Machine {self._name!r} needs a state as its initial, not {initial!r}")
        self.initial = initial
        self.repeat = repeat
        self.exact = bool(exact)
        self._latest = _Latest()

    @property
    def own_name(self) -> str:
        """Its name alone, without the state it is in."""
        return self._name

    @property
    def name(self) -> str:
        return f"{self._name}.{self.current}"

    @property
    def current(self) -> Any:
        """The state it is in; its initial one before any run."""
        latest = self._latest.view
        return self.initial if latest is None else latest.current

    @property
    def terminal(self) -> bool:
        """True if it was made terminal, and has completed a sentence."""
        latest = self._latest.view
        if latest is not None:
            return latest.terminal
        return self._terminal and self.repeat in (None, 1) and self.initial.terminal

    def run(
        self, source: Any, machine: Any = None, path: str | None = None, data: Any = None, ending: int | None = None
    ) -> Iterator[tuple[Any, Any | None]]:
        """Run it over ``source``, yielding (machine, state) on entering each state, before it is processed.

        (machine, None) means it cannot move without another symbol: chain more to the source and go
        on, or just go on to tell it that the source has ended.

        :param source: a `peekable` source, or an iterable to make one of.
        :param machine: given to hooks as the machine around this one.
        :param path: prefix of the place of its data.
        :param data: anything with ``data[path]`` and ``path in data``, or None to keep nothing.
        :param ending: count of symbols sent at which input ends.
        :raises NonTerminal: (while running) where a sentence is not complete.
        :raises GrammarError: for a definition that cannot work.
        """
        return cursor(self._node or freeze(self), peekable(source), machine, path or "", data, ending)

    def watch(self) -> view:
        """A view for a run in the calling thread, of which it is then the latest."""
        seen = self._latest.view = view(self)
        return seen

    # -- what subclasses may override

    def enter(self, data: Any, sent: int, ending: int | None) -> None:
        """Called positionally on being entered; ``ending`` is the count of symbols sent at which its input ends."""

    def leave(self, data: Any, sent: int, ending: int | None) -> None:
        """Called positionally when it stopped in order; may raise."""

    def recover(self, exc: Exception, data: Any, sent: int, ending: int | None) -> state | None:
        """Called positionally when a sentence inside it is not complete: where in it to go on, or None to fail."""
        return None

    # -- freezing

    def _children(self) -> Iterator[state]:
        yield self.initial
        yield from super()._children()

    def _node_kind(self) -> int:
        return MACHINE

    def _fill(self, node: Node, nodes: dict[state, Node]) -> None:
        seen = set()
        first: Any = self
        while isinstance(first, dfa):
            if first in seen:
                raise GrammarError(f"Machine {self._name!r} starts with itself; let its initial be a state")
            seen.add(first)
            first = first.initial
        super()._fill(node, nodes)
        own: Any = type(self)
        node.lazy = not self.greedy
        node.initial = nodes[self.initial]
        node.context = self._context
        node.repeat = self.repeat
        node.exact = self.exact
        node.enter = self.enter if own.enter is not dfa.enter else None
        node.leave = self.leave if own.leave is not dfa.leave else None
        node.recover = self.recover if own.recover is not dfa.recover else None
        node.initialize = self.initialize if own.initialize is not state.initialize else None
        node.terminate = self.terminate if own.terminate is not state.terminate else None
        node.enters = any(each is not None for each in (node.limit, node.repeat, node.enter, node.initialize))
        node.leaves = node.exact or node.leave is not None or node.terminate is not None
