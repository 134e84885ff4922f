"""Machines: a state that runs others, and how one of its runs is seen.

Owns `dfa`, the views its runs yield, and which run a thread saw last.  Rule: a machine is a frozen
definition that any number of threads run at once.  Must not know how a run is stepped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cpppo.automata.compiled import Matcher
from cpppo.automata.diagram import diagram
from cpppo.automata.freezing import freeze
from cpppo.automata.inputs import state_drop, state_input
from cpppo.automata.naming import centered, embrace
from cpppo.automata.node import MACHINE, Node
from cpppo.automata.run import cursor
from cpppo.automata.settings import amount
from cpppo.automata.state import state
from cpppo.automata.steps import source_of
from cpppo.errors import GrammarError
from cpppo.logs import log
from cpppo.misc import function_name

__all__ = ["dfa", "dfa_base", "dfa_drop", "dfa_input", "dfa_post", "posting", "view"]


#: Machines inside one another that a name shows.
SHOWN = 10


class view:
    """A machine as one run has it: equal to the `dfa`, and like it in all but its current state.

    ``cycle`` of ``final`` repeats is running; ``path`` is where its data is kept, and ``ending`` the
    count of symbols sent at which its input ends, or None.
    """

    __slots__ = ("began", "current", "cycle", "ending", "final", "machine", "path")

    def __init__(self, machine: dfa) -> None:
        self.machine = machine
        self.current: Any = machine.initial
        self.began = 0  # symbols sent when this cycle began
        self.cycle = 0
        self.final = 1
        self.path = ""
        self.ending: int | None = None

    def _within(self) -> list[view]:
        """Itself, and the machines it is in, each the current state of the one before."""
        views = [self]
        while isinstance(views[-1].current, view):
            views.append(views[-1].current)
        return views

    @property
    def name(self) -> str:
        views = self._within()
        last = views[SHOWN - 1].current if len(views) >= SHOWN else views[-1].current
        text = "..." if isinstance(last, view) else str(last)
        for each in reversed(views[1:SHOWN]):
            text = embrace(f"{each.machine.own_name}.{text}", each.terminal)
        return f"{self.machine.own_name}.{text}"

    @property
    def terminal(self) -> bool:
        """True if the machine may end a sentence, and this run of it has completed one."""
        for each in self._within():
            if not each.machine._terminal or each.cycle != each.final:
                return False
            if not each.final:
                return True
        return bool(each.current.terminal)

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

    def __enter__(self) -> view:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in view.__slots__:  # asked of one that is being copied
            raise AttributeError(f"a view has no {name}")
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
    :param states: those it is made of, to be sure that none is forgotten: one that transitions do not
        reach is refused when the machine is first run.
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
        states: Iterable[state] = (),
        **kwds: Any,
    ) -> None:
        name = type(self).__name__ if name is None else name
        for option in ("alphabet", "encoder", "extension", "typecode"):
            if kwds.get(option) is not None:
                raise GrammarError(f"Machine {name!r} has no {option}; give it to the states inside that take symbols")
        super().__init__(name, **kwds)
        if not isinstance(initial, state):
            raise GrammarError(f"Machine {self._name!r} needs a state as its initial, not {initial!r}")
        self.initial = initial
        self.repeat = amount(repeat, "repeat", self._name)
        self.exact = bool(exact)
        self._states = tuple(states)
        for each in self._states:
            if not isinstance(each, state):
                raise GrammarError(f"states of machine {self._name!r} has {each!r}, which is none")
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
        return cursor(self._node or freeze(self), source_of(source, self), machine, path or "", data, ending)

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

    def over(self, seen: view) -> None:
        """Called with the view of a run of it that has ended, in whatever way."""

    # -- looking at it

    def nodes(self) -> Iterator[state]:
        """All states inside it, its initial one first; of machines among them, not what is inside these."""
        return state.nodes(self.initial)

    def diagram(self, style: str = "text") -> str:
        """A picture of it: as ``'text'``, as ``'dot'`` (the language of graphviz), or as ``'svg'`` (by graphviz)."""
        return diagram(self, style)

    def compile(self) -> Matcher:
        """What tells of sentences as runs of it do, at speed; see `Matcher`."""
        return Matcher(self)

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
        inside = set(self.nodes()) if self._states else set()
        for each in self._states:
            if each not in inside:
                raise GrammarError(f"{each} of machine {self._name!r} can never be reached: no transition leads there")
        super()._fill(node, nodes)
        own: Any = type(self)
        for hook in ("accepts", "context", "delegate", "process", "validate"):
            if getattr(own, hook) is not getattr(state, hook):
                raise GrammarError(
                    f"{own.__name__} overrides {hook}, which is never asked of a machine; override"
                    " initialize, terminate, enter, leave or transition, or put a state of your own inside it"
                )
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
        node.over = self.over if own.over is not dfa.over else None
        node.enters = any(each is not None for each in (node.limit, node.repeat, node.enter, node.initialize))
        node.leaves = node.exact or any(each is not None for each in (node.leave, node.terminate, node.over))


#: What is common to `dfa`, `dfa_input`, `dfa_drop` and `dfa_post`.
dfa_base = dfa


class dfa_input(dfa):
    """A machine that takes one symbol, collects it as `state_input` does, and then runs its states."""

    _first: type[state] = state_input

    def __init__(self, name: str | None = None, initial: state | None = None, **kwds: Any) -> None:
        inner = {key: kwds.pop(key) for key in ("repeat", "greedy") if key in kwds}
        outer = {key: kwds.pop(key) for key in ("alphabet", "typecode", "encoder", "extension") if key in kwds}
        name = type(self).__name__ if name is None else name
        first = self._first(f"{name}_first", **outer)
        first[None] = dfa(name, initial, terminal=True, **inner)
        super().__init__(name, first, **kwds)


class dfa_drop(dfa_input):
    """A machine that takes one symbol, forgets it, and then runs its states."""

    _first = state_drop


class posting(view):
    """A view of a `dfa_post`, with what one of its runs has posted."""

    __slots__ = ("posted",)

    def __init__(self, machine: dfa) -> None:
        super().__init__(machine)
        self.posted: list[Callable[[], object]] | None = []  # None once it is over

    def post(self, closure: Callable[[], object]) -> None:
        """Have ``closure()`` called when this run of the machine is over.

        :raises GrammarError: if it is over.
        """
        if self.posted is None:
            raise GrammarError(f"{self}: this run is over; post while it runs")
        self.posted.append(closure)


class dfa_post(dfa):
    """A machine that calls what was posted during a run when that is over, however it ended; errors are logged.

    Hooks inside it get the run's view as ``machine``, and call ``machine.post(closure)``.
    """

    def watch(self) -> posting:
        seen = self._latest.view = posting(self)
        return seen

    def over(self, seen: view) -> None:
        closures: list[Callable[[], object]] = []
        if isinstance(seen, posting) and seen.posted is not None:
            closures, seen.posted = seen.posted, None
        for closure in closures:
            try:
                closure()
            except Exception:  # the run is over: whom it should reach is gone
                log.exception("%s: what was posted, %s, failed", self, function_name(closure))

    def post(self, closure: Callable[[], object]) -> None:
        """As `posting.post`, of the calling thread's latest run."""
        latest = self._latest.view
        if not isinstance(latest, posting):
            raise GrammarError(f"{self} is not running in this thread; post while it runs")
        latest.post(closure)
