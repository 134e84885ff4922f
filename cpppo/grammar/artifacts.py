"""Artifacts made of other nodes' artifacts, and remembering them by their octets.

Owns: ``step``, ``emit_parse`` and ``emit_produce`` of each, side by side.
Rule: only immutable artifacts are remembered, and no more than MEMO_ENTRIES of them.
Must not know any protocol.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from cpppo.automata import state
from cpppo.errors import GrammarError, ProtocolError
from cpppo.grammar import stepping
from cpppo.grammar.node import Node, valued
from cpppo.grammar.parse import ParseCode, parser
from cpppo.grammar.produce import ProduceCode, producer
from cpppo.grammar.shapes import Guarded

__all__ = ["MEMO_ENTRIES", "MEMO_OCTETS", "Mapped", "Memo", "mapped", "memo"]

T = TypeVar("T")

#: What a function raises that cannot make an artifact of another: the peer's fault.
UNFIT = (ValueError, TypeError, ArithmeticError, LookupError, struct.error, ProtocolError)

#: Memoised artifacts a memo holds at most, and the longest octets it holds one for.
MEMO_ENTRIES, MEMO_OCTETS = 4096, 64


def deep(node: Node[Any]) -> Iterator[Node[Any]]:
    """All nodes inside one, those of inner messages too."""
    for one in node.every():
        yield one
        for _, part in getattr(one, "fields", ()):
            yield from deep(part)


class Mapped(Node[Any]):
    """An artifact made of another node's artifact; ``parts``: the attribute that holds the latter, None: itself."""

    def __init__(self, node: Node[Any], build: Callable[[Any], Any], parts: str | None) -> None:
        super().__init__()
        self.node, self.build, self.parts = node, build, parts
        self.fixed, self.minimum, self.granularity = node.fixed, node.minimum, node.granularity
        self.fills = node.fills

    def label(self) -> str:
        return getattr(self.build, "__name__", self.node.label())

    def inner(self) -> tuple[Node[Any], ...]:
        return (self.node,)

    def step(self, name: str | None, after: state | None) -> state:
        return stepping.made(name, self.node.step(None, None), self.build, UNFIT, after)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        target = target or c.var("_")
        self.node.emit_parse(c, target, delimited)
        c.flush()
        c.line(f"try: {target} = {c.const(self.build, 'build')}({target})")
        c.line(f"except {c.const(UNFIT, 'UNFIT')}: raise Reject from None")

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        self.node.emit_produce(c, c.local(f"{source}.{self.parts}" if self.parts else source, "parts"))


class Memo(Node[T]):
    """A delimited node whose artifact is immutable and a pure function of its octets: remembered by them.

    The artifact remembers the octets produced for it in its attribute ``octets`` (None at first).
    """

    def __init__(self, node: Node[T], granularity: int, remember: Callable[[T, bytes], None]) -> None:
        super().__init__()
        self.remember = remember
        if node.refs():
            raise GrammarError(f"memo({node.label()}): what depends on other fields cannot be remembered by its octets")
        self.node, self.granularity = node, granularity
        self.minimum, self.fills = node.minimum, node.fills
        if any(isinstance(one, Guarded) for one in deep(node)):
            raise GrammarError(f"memo({node.label()}): places in the octets at hand cannot be remembered")
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
        source, octets, produce = c.local(source, "artifact"), c.var("octets"), c.var("produce")
        producer(self.node).put(c.namespace, produce)
        c.line(f"{octets} = {source}.octets")
        with c.block(f"if {octets} is None:"):
            c.line(f"{octets} = {produce}({source})")
            c.line(f"{c.const(self.remember, 'remember')}({source}, {octets})")
        c.octets(octets)


def mapped(node: Any, build: Callable[[Any], T], parts: str | None = None) -> Node[T]:
    """The artifact ``build(artifact of node)``, eg. ``mapped(USINT, Colour)`` for an IntEnum.

    The way back: an artifact has in its attribute ``parts`` what the node produces; without one, the node must be
    able to produce the artifact itself, as USINT does an IntEnum.  ``float`` would not do for text, but this does::

        class Temperature(float):
            @property
            def text(self) -> str:
                return f"{self:.1f}"

        temp = mapped(until(","), Temperature, parts="text")

    What ``build`` cannot use (ValueError, TypeError, ArithmeticError, LookupError) is a RemoteProtocolError at the
    offset where that begins; an artifact that has no way back is a LocalProtocolError when it is produced.
    """
    return Mapped(valued(node), build, parts)


def memo(node: Any, remember: Callable[[T, bytes], None], granularity: int = 1) -> Node[T]:
    """A node whose immutable artifacts are remembered by their octets; ``remember`` sets an artifact's ``octets``."""
    return Memo(valued(node), granularity, remember)
