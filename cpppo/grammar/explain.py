"""Running a message's machine: for users, step by step; and to explain octets that compiled code has rejected.

Owns: the machine users run, alone or inside others, and where and why octets do not follow a grammar.
Rule: if the machine accepts what compiled code rejects, that is said loudly.  Must not know any protocol.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from cpppo.automata import dfa, peekable, state
from cpppo.errors import Error, NonTerminal, RemoteProtocolError
from cpppo.grammar.building import Builder
from cpppo.grammar.code import Lazy
from cpppo.grammar.stepping import Steps

__all__ = ["Disagreement", "explain", "root"]

#: The machine that an error of a run names first; a path says the same more plainly.
_MACHINE = re.compile(r"^\( .*\) |^\(\(.*\)\) ")


class Disagreement(Error):
    """The stepped machine accepts what compiled code rejects: a bug of the engine, never of the peer."""


class _Place:
    """Where the records of a run are put."""

    def __init__(self, data: Any, where: str) -> None:
        self.data, self.where = data, where

    def append(self, record: Any) -> None:
        there = self.data[self.where] if self.where in self.data else None
        if type(there) is list:
            there.append(record)
        else:
            self.data[self.where] = record


class _Reading(state):
    """Reads one message with data of its own, whatever machines are around, and puts the record at its place."""

    def __init__(self, message: Any) -> None:
        super().__init__(message.own_name, terminal=True)
        self.message = message
        self.initial = message.initial  # for pictures

    @property
    def own_name(self) -> str:
        return self.name

    @property
    def terminal(self) -> bool:
        return False  # entering it completes nothing; once it runs, the machine around shows the message's own state

    def delegate(
        self, source: Any, machine: Any, path: str | None, data: Any, ending: int | None
    ) -> Iterator[tuple[Any, Any]]:
        builder = Builder(source, _Place(data, path) if data is not None and path else None)
        run = self.message.run(source=source, machine=machine, data=builder, ending=ending)
        first = next(run)
        if machine is not None:
            machine.current = first[0]
        return chain((first,), run)  # quicker than a generator around it, at every step


def root(node: Steps, name: str, context: str | None, **settings: Any) -> dfa:
    """The machine of a message for users to run."""
    return dfa(name, initial=_Reading(node.step(None, None)), context=context, **{"terminal": True, **settings})


def explain(node: Steps, octets: bytes) -> RemoteProtocolError:
    """Why and where these octets do not follow the grammar; Disagreement if stepping accepts them."""
    lazy = node._compiled.get("step")
    if lazy is None:
        lazy = node._compiled["step"] = Lazy(
            lambda: dfa(node.label(), initial=node.step(None, None), terminal=True).run
        )
    source, last = peekable(octets), ""
    builder = Builder(source)
    try:
        for _, one in lazy.made()(source=source, data=builder, ending=len(octets)):
            last = last if one is None else getattr(one, "own_name", None) or one.name
        if source.sent == len(octets):
            raise Disagreement(f"compiled {node.label()} rejects what its machine accepts: {octets.hex(' ')}")
        reason, offset = f"{len(octets) - source.sent} octets more than expected", source.sent
    except NonTerminal as exc:
        reason, offset = _MACHINE.sub("", str(exc)), exc.offset
    return RemoteProtocolError(reason, builder.path(last), offset)
