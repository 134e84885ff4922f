"""The machines that several tests run: ab+, and a list of these; and what is told of a run."""

from __future__ import annotations

from typing import Any, NamedTuple

from cpppo.automata import dfa, peekable, state, state_drop, state_input
from cpppo.dotdict import dotdict


def letters(greedy_state: bool = True) -> state:
    """The initial state of a machine accepting ab+."""
    first, a, b = state("E"), state_input("A"), state_input("B", terminal=True, greedy=greedy_state)
    first["a"] = a
    a["b"] = b
    b["b"] = b
    return first


def basic(**settings: Any) -> dfa:
    """A machine accepting ab+, collecting into basic.input."""
    return dfa("ab+", **{"initial": letters(), "context": "basic", **settings})


def csv(item: dict[str, Any] | None = None, **settings: Any) -> dfa:
    """A machine accepting ab+ again and again, dropping commas and spaces between, collecting into csv.input."""
    each = dfa("ab+", initial=letters(), terminal=True, **(item or {}))
    between = state_drop("SEP")
    each[","] = between
    between[" "] = between
    between[None] = each
    return dfa("CSV", initial=each, context="csv", **settings)


class Told(NamedTuple):
    """What a run did: each (own name of the machine, name of the state or None), what it kept, what it left."""

    steps: list[tuple[str, str | None]]
    accepted: str
    remaining: str
    terminal: bool


def told(machine: dfa, text: Any, **given: Any) -> Told:
    """Run ``machine`` over ``text`` to its end."""
    data, source = dotdict(), peekable(text)
    steps = [
        (seen.own_name, None if entered is None else entered.name)
        for seen, entered in machine.run(source, data=data, **given)
    ]
    accepted = "".join(data.get(machine.context() + ".input", ""))
    return Told(steps, accepted, "".join(source), machine.terminal)
