"""Running a message's machine: for users, step by step; and to explain octets that compiled code has rejected.

Owns: the machine users run, and where and why octets do not follow a grammar.
Rule: if the machine accepts what compiled code rejects, that is said loudly.  Must not know any protocol.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cpppo.automata import dfa, peekable
from cpppo.errors import Error, NonTerminal, RemoteProtocolError
from cpppo.grammar.code import Lazy
from cpppo.grammar.stepping import Builder, Mismatch, Steps

__all__ = ["Disagreement", "explain", "root"]

#: The machine that an error of a run names first; a path says the same more plainly.
_MACHINE = re.compile(r"^\( .*\) |^\(\(.*\)\) ")


class Disagreement(Error):
    """The stepped machine accepts what compiled code rejects: a bug of the engine, never of the peer."""


class Root(dfa):
    """A message's machine as users run it: its record is put at its context in the data of the run."""

    def run(
        self, source: Any, machine: Any = None, path: Any = None, data: Any = None, ending: int | None = None
    ) -> Iterator[Any]:
        builder, source = Builder(), peekable(source)
        try:
            yield from super().run(source=source, machine=machine, path=None, data=builder, ending=ending)
        except Mismatch as exc:
            if exc.offset is not None:
                raise
            raise Mismatch(f"{exc}, at offset {source.sent}", source.sent) from None
        where = self.context(path)
        if data is not None and where:
            data[where] = builder.top[0]


def root(node: Steps, name: str, context: str | None) -> dfa:
    """The machine of a message for users to run."""
    return Root(name, initial=node.step(None, None), terminal=True, context=context)


def explain(node: Steps, octets: bytes) -> RemoteProtocolError:
    """Why and where these octets do not follow the grammar; Disagreement if stepping accepts them."""
    lazy = node._compiled.get("step")
    if lazy is None:
        lazy = node._compiled["step"] = Lazy(
            lambda: dfa(node.label(), initial=node.step(None, None), terminal=True).run
        )
    source, builder, last = peekable(octets), Builder(), ""
    try:
        for _, one in lazy.made()(source=source, data=builder, ending=len(octets)):
            last = last if one is None else getattr(one, "own_name", None) or one.name
        if source.sent == len(octets):
            raise Disagreement(f"compiled {node.label()} rejects what its machine accepts: {octets.hex(' ')}")
        reason = f"{len(octets) - source.sent} octets more than expected"
    except NonTerminal as exc:
        reason = _MACHINE.sub("", str(exc))
    return RemoteProtocolError(reason, builder.path(last), source.sent)
