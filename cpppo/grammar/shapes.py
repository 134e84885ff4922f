"""The shapes of a grammar: limits, and choices between nodes.

Owns: ``step``, ``emit_parse`` and ``emit_produce`` of each, side by side.
Rule: a nested limit is checked against the enclosing one when the count is read, and must be consumed
exactly.  Must not know any protocol; repetition lives in repeats.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from cpppo.automata import state
from cpppo.errors import GrammarError
from cpppo.grammar import stepping
from cpppo.grammar.code import Reject
from cpppo.grammar.expr import Expr, as_expr
from cpppo.grammar.nodes import Node, Octets, part, valued
from cpppo.grammar.parse import REJECTS, ParseCode, parser
from cpppo.grammar.produce import ProduceCode, producer

__all__ = ["Malformed", "Nothing", "Peek", "Switch", "guarded", "nothing", "peek", "switch"]

T = TypeVar("T")


class Nothing(Node[None]):
    """No octets at all; the artifact is None."""

    fixed = 0

    def step(self, name: str | None, after: state | None) -> state:
        return stepping.deliver(name, None, after)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        if delimited:
            c.flush(True)
        if target:
            c.line(f"{target} = None")

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        pass


class Switch(Node[Any]):
    """One of several nodes, by the value of an earlier field; ``likely`` keys are tried before the table."""

    def __init__(self, key: Expr, cases: Mapping[Any, Any], default: Any, likely: Iterable[Any] = ()) -> None:
        super().__init__()
        self.key = key
        self.cases = {value: part(case) for value, case in cases.items()}
        self.other = None if default is None else part(default)
        self.likely = tuple(likely)
        nodes = [*self.cases.values(), *([self.other] if self.other else [])]
        if not nodes:
            raise GrammarError("switch() without any case can never match")
        unknown = [value for value in self.likely if value not in self.cases]
        if unknown:
            raise GrammarError(f"switch(): likely key {unknown[0]!r} is no case")
        self.minimum = min(node.minimum for node in nodes)
        self.fixed = nodes[0].fixed if len({node.fixed for node in nodes}) == 1 else None

    def refs(self) -> tuple[Expr, ...]:
        others = [self.other] if self.other else []
        return (self.key, *(expr for node in [*self.cases.values(), *others] for expr in node.refs()))

    def _inline(self) -> list[Any]:
        """Keys tested before the table: the likely ones, and those whose cases read fields of this message."""
        return [
            *self.likely,
            *(value for value, node in self.cases.items() if node.refs() and value not in self.likely),
        ]

    def step(self, name: str | None, after: state | None) -> state:
        entries = {value: node.step(name, after) for value, node in self.cases.items()}
        other = None if self.other is None else self.other.step(name, after)
        return stepping.chosen(name, self.key, entries, other)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        c.flush()
        target, after, key = target or c.var("_"), c.var("p"), c.var("key")
        c.line(f"{key} = {self.key.code(c.scope)}")
        pos, off = c.pos, c.off
        word = "if"
        inline = self._inline()
        for value in inline:
            with c.block(f"{word} {key} == {value!r}:"):
                c.pos, c.off = pos, off
                self.cases[value].emit_parse(c, target, delimited)
                c.flush()
                if not delimited:
                    c.line(f"{after} = {c.at()}")
            word = "elif"
        c.pos, c.off = pos, off
        rest = {value: node for value, node in self.cases.items() if value not in inline}
        if inline:
            with c.block("else:"):
                self._table(c, rest, key, target, after, delimited)
        else:
            self._table(c, rest, key, target, after, delimited)
        c.move(c.end if delimited else after)

    def _table(
        self, c: ParseCode, cases: dict[Any, Node[Any]], key: str, target: str, after: str, delimited: bool
    ) -> None:
        table: dict[Any, Any] = {}
        for value, node in cases.items():
            parser(node, delimited, c.memo).put(table, value)
        name = c.const(table, "table")
        if self.other is None:
            parse = f"{name}[{key}]" if table else ""
            c.reject_if(f"{key} not in {name}" if table else "True")
        elif table:
            other = c.var("other")
            parser(self.other, delimited, c.memo).put(c.namespace, other)
            parse = f"{name}.get({key}, {other})"
        else:
            parse = c.var("other")
            parser(self.other, delimited, c.memo).put(c.namespace, parse)
        if parse:
            results = target if delimited else f"{target}, {after}"
            c.line(f"{results} = {parse}(o, {c.at()}, {c.end})")

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        source, octets = c.local(source, "artifact"), c.var("octets")
        key, word = c.local(self.key.code(c.scope), "key"), "if"
        if isinstance(self.other, Octets):  # what was left as octets is produced as it is
            c.line(f"if {source}.__class__ is bytes: {octets} = {source}")
            word = "elif"
        inline = [value for value in self._inline() if self.cases[value].refs()]
        for value in inline:
            with c.block(f"{word} {key} == {value!r}:"), c.apart() as pieces:
                self.cases[value].emit_produce(c, source)
                c.line(f"{octets} = {c.joined(pieces)}")
            word = "elif"
        table: dict[Any, Any] = {}
        for value, node in self.cases.items():
            if value not in inline:
                producer(node).put(table, value)
        call = f"{c.const(table, 'table')}[{key}]({source})"
        if self.other is not None:
            other = c.var("other")
            producer(self.other).put(c.namespace, other)
            call = f"{c.const(table, 'table')}.get({key}, {other})({source})"
        c.line(f"{octets} = {call}" if word == "if" else f"else: {octets} = {call}")
        c.octets(octets)


class Peek(Node[Any]):
    """One of several nodes, by the next octet, which that node consumes; ``of`` tells the case of an artifact."""

    minimum = 1

    def __init__(self, cases: Mapping[int, Any], default: Any, of: Callable[[Any], int | None]) -> None:
        super().__init__()
        self.cases = {octet: part(case) for octet, case in cases.items()}
        self.other = None if default is None else part(default)
        self.of = of
        for node in [*self.cases.values(), *([self.other] if self.other else [])]:
            if node.minimum < 1:
                raise GrammarError(f"peek(): {node.label()} may consume nothing, but must consume the octet looked at")

    def step(self, name: str | None, after: state | None) -> state:
        entries = {octet: node.step(name, after) for octet, node in self.cases.items()}
        other = None if self.other is None else self.other.step(name, after)
        return stepping.peeked(name, entries, other)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        c.flush()
        table: list[Any] = [None] * 256
        refuse = None if self.other is None else parser(self.other, delimited, c.memo)
        for octet in range(256):
            lazy = parser(self.cases[octet], delimited, c.memo) if octet in self.cases else refuse
            if lazy is None:
                table[octet] = _refuse
            else:
                lazy.put(table, octet)
        c.reject_if(f"{c.at()} >= {c.end}")
        c.result(f"{c.const(table, 'table')}[o[{c.at()}]](o, {c.at()}, {c.end})", target, delimited)

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        table: dict[Any, Any] = {}
        for octet, node in self.cases.items():
            producer(node).put(table, octet)
        if self.other is not None:
            producer(self.other).put(table, None)
        octets, of = c.var("octets"), c.const(self.of, "case_of")
        source = c.local(source, "item")
        c.line(f"{octets} = {c.const(table, 'table')}[{of}({source})]({source})")
        c.octets(octets)


def _refuse(o: bytes, p: int, end: int) -> Any:
    raise Reject


class Malformed:
    """Stands where octets [start:end] of the whole did not follow their grammar, while those around them did."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Malformed) and (self.start, self.end) == (other.start, other.end)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Malformed({self.start}, {self.end})"


class Guarded(Node[T]):
    """A delimited node that fails alone: its artifact is Malformed where its octets do not follow its grammar."""

    def __init__(self, node: Node[T]) -> None:
        super().__init__()
        self.node = node
        self.granularity = node.granularity

    def label(self) -> str:
        return self.node.label()

    def refs(self) -> tuple[Expr, ...]:
        return self.node.refs()

    def derives(self) -> Expr | None:
        return self.node.derives()

    def step(self, name: str | None, after: state | None) -> state:
        return stepping.guarded(name, self.node.step(name, None), Malformed, after)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        if not delimited:
            raise GrammarError(f"guarded({self.label()}) needs a limit: use it within one")
        c.flush()
        target, start = target or c.var("_"), c.at()
        with c.block("try:"):
            if self.node.refs():
                self.node.emit_parse(c, target, True)
                c.flush()
            else:
                c.call(self.node, target, True)
        c.line(f"except {c.const(REJECTS, 'REJECTS')}: {target} = {c.const(Malformed, 'Malformed')}({start}, {c.end})")
        c.move(c.end)

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        self.node.emit_produce(c, source)


def switch(key: Any, cases: Mapping[Any, Any], default: Any = None, likely: Iterable[Any] = ()) -> Node[Any]:
    """One of ``cases`` (nodes or messages) by an earlier field, or ``default``; without one others are refused."""
    return Switch(as_expr(key), cases, default, likely)


def peek(cases: Mapping[int, Any], of: Callable[[Any], int | None], default: Any = None) -> Node[Any]:
    """One of ``cases`` by the next octet; ``of(artifact)`` names the octet whose case produces it."""
    return Peek(cases, default, of)


def guarded(node: Any) -> Node[Any]:
    """A delimited node or message that fails alone, leaving Malformed(start, end)."""
    return Guarded(valued(node))


def nothing() -> Node[None]:
    """No octets; the artifact is None."""
    return Nothing()
