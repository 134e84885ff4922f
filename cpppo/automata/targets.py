"""Conditional targets of transitions: the state they lead to is decided when the transition is taken.

Owns `decide` and `choice`.  Rule: deciding takes no symbol.  Must not know how states move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cpppo.errors import GrammarError

__all__ = ["choice", "decide", "decides"]


class decide:
    """A conditional target of a transition: ``state`` if the predicate says so, else the next target on that key.

    ``predicate(machine=, source=, path=, data=)`` decides; without one, always.  A state of None means
    explicitly no transition.
    """

    def __init__(self, name: str, state: Any = None, predicate: Callable[..., Any] | None = None) -> None:
        if not (predicate is None or callable(predicate)):
            raise GrammarError(f"decide {name!r}: the predicate {predicate!r} cannot be called")
        self.name = name
        self.state = state
        self.predicate = predicate

    def __call__(self, machine: Any = None, source: Any = None, path: str | None = None, data: Any = None) -> Any:
        """The state decided on, or None."""
        if self.predicate is None or self.predicate(machine=machine, source=source, path=path, data=data):
            return self.state
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} -> {self.state}>"


def decides(target: Any) -> bool:
    """True for a `decide`, or what can be called as one and has its state as ``state``."""
    return isinstance(target, decide) or (callable(target) and hasattr(target, "state"))


class choice:
    """A target that chooses by the data alone: `choose` in a subclass gives a state, or None for no transition.

    ``targets`` lists the states it may choose, that they be frozen with the rest; one not listed is
    frozen when it is first chosen.  Any object with these two names serves as well.
    """

    targets: Iterable[Any] = ()

    def choose(self, data: Any) -> Any:
        """The state to move to, or None."""
        raise NotImplementedError(f"{type(self).__name__} must define choose(data)")
