"""Artifacts made of other nodes' artifacts, and remembering them by their octets.

Owns: ``step``, ``emit_parse`` and ``emit_produce`` of each, side by side.
Rule: only immutable artifacts are remembered, and no more than MEMO_ENTRIES of them.
Must not know any protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from cpppo.automata import state
from cpppo.errors import GrammarError
from cpppo.grammar import stepping
from cpppo.grammar.expr import Expr
from cpppo.grammar.nodes import Node
from cpppo.grammar.parse import ParseCode, parser
from cpppo.grammar.produce import ProduceCode, producer

__all__ = ["MEMO_ENTRIES", "MEMO_OCTETS", "Mapped", "Memo", "mapped", "memo"]

T = TypeVar("T")

#: Memoised artifacts a memo holds at most, and the longest octets it holds one for.
MEMO_ENTRIES, MEMO_OCTETS = 4096, 64


class Mapped(Node[Any]):
    """An artifact made of another node's artifact, and back."""

    def __init__(self, node: Node[Any], build: Callable[[Any], Any], parts: Callable[[Any], Any]) -> None:
        super().__init__()
        self.node, self.build, self.parts = node, build, parts
        self.fixed, self.minimum, self.granularity = node.fixed, node.minimum, node.granularity

    def label(self) -> str:
        return getattr(self.build, "__name__", self.node.label())

    def refs(self) -> tuple[Expr, ...]:
        return self.node.refs()

    def derives(self) -> Expr | None:
        return self.node.derives()

    def step(self, name: str | None, after: state | None) -> state:
        return stepping.converted(name, self.node.step(None, None), self.build, after)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        target = target or c.var("_")
        self.node.emit_parse(c, target, delimited)
        c.flush()
        c.line(f"{target} = {c.const(self.build, 'build')}({target})")

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        self.node.emit_produce(c, c.local(f"{c.const(self.parts, 'parts')}({source})", "parts"))


class Memo(Node[T]):
    """A delimited node whose artifact is immutable and a pure function of its octets: remembered by them.

    The artifact remembers the octets produced for it in its attribute ``octets`` (None at first).
    """

    def __init__(self, node: Node[T], granularity: int) -> None:
        super().__init__()
        if node.refs():
            raise GrammarError(f"memo({node.label()}): what depends on other fields cannot be remembered by its octets")
        self.node, self.granularity = node, granularity
        self.minimum = node.minimum
        self.known: dict[bytes, T] = {}

    def label(self) -> str:
        return self.node.label()

    def step(self, name: str | None, after: state | None) -> state:
        return self.node.step(name, after)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        if not c.memo or not delimited:
            c.call(self.node, target, delimited)
            return
        c.flush()
        target, key = target or c.var("_"), c.var("key")
        c.line(f"{key} = o[{c.at()}:{c.end}]")
        c.line(f"{target} = {c.const(self.known.get, 'known')}({key})")
        c.line(f"if {target} is None: {target} = {c.const(self._learn, 'learn')}({key})")
        c.move(c.end)

    def _learn(self, octets: bytes) -> T:
        value: T = parser(self.node, True)(octets, 0, len(octets))
        if len(octets) <= MEMO_OCTETS:
            if len(self.known) >= MEMO_ENTRIES:  # a hostile peer fills it: start afresh, never grow
                self.known.clear()
            self.known[bytes(octets)] = value
        return value

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        source, octets = c.local(source, "artifact"), c.var("octets")
        c.line(f"{octets} = {source}.octets")
        c.line(f"if {octets} is None: {octets} = {c.const(self._remember, 'remember')}({source})")
        c.octets(octets)

    def _remember(self, artifact: Any) -> bytes:
        octets: bytes = producer(self.node)(artifact)
        artifact.remember(octets)
        return octets


def mapped(node: Node[Any], build: Callable[[Any], T], parts: Callable[[T], Any]) -> Node[T]:
    """The artifact ``build(artifact of node)``; ``parts`` undoes it to produce."""
    return Mapped(node, build, parts)


def memo(node: Node[T], granularity: int = 1) -> Node[T]:
    """A node whose immutable artifacts are remembered by their octets."""
    return Memo(node, granularity)
