"""The shapes of a grammar: limits, and choices between nodes.

Owns: ``step``, ``emit_parse`` and ``emit_produce`` of each, side by side.
Rule: a nested limit is checked against the enclosing one when the count is read, and must be consumed
exactly.  Must not know any protocol; repetition lives in repeats.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from cpppo.automata import state
from cpppo.errors import GrammarError
from cpppo.grammar import stepping
from cpppo.grammar.code import Reject
from cpppo.grammar.delimiters import Until
from cpppo.grammar.expr import Expr, as_expr
from cpppo.grammar.node import Node, part, valued
from cpppo.grammar.nodes import Octets, Scalar
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

        self.fills = any(node.fills for node in nodes)

    def inner(self) -> tuple[Node[Any], ...]:
        return (*self.cases.values(), *([self.other] if self.other else []))

    def keys(self) -> tuple[Expr, ...]:
        return (self.key,)

    def _inline(self) -> list[Any]:
        """Keys tested before the table: the likely ones, and those whose cases cannot or need not be called."""
        return [*self.likely, *(key for key, node in self.cases.items() if _in_place(node) and key not in self.likely)]

    def step(self, name: str | None, after: state | None) -> state:
        entries = {value: node.step(name, after) for value, node in self.cases.items()}
        other = None if self.other is None else self.other.step(name, after)
        return stepping.chosen(name, self.key, entries, other)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        c.flush()
        target, after, key = target or c.var("_"), c.var("p"), c.var("key")
        c.line(f"{key} = {self.key.code(c.scope)}")
        place, inline, word = (c.pos, c.off), self._inline(), "if"

        def emit(node: Node[Any]) -> None:
            c.pos, c.off = place
            node.emit_parse(c, target, delimited)
            c.flush()
            if not delimited:
                c.line(f"{after} = {c.at()}")

        for value in inline:
            with c.block(f"{word} {key} == {value!r}:"):
                emit(self.cases[value])
            word = "elif"
        c.pos, c.off = place
        results = target if delimited else f"{target}, {after}"
        arguments = f"(o, {c.at()}, {c.end})"
        table: dict[Any, Any] = {}
        for value, node in self.cases.items():
            if value not in inline:
                parser(node, delimited, c.memo).put(table, value)
        if table:
            name, parse = c.const(table, "table"), c.var("parse")
            with c.otherwise(word):
                c.line(f"{parse} = {name}.get({key})")
                c.line(f"if {parse} is not None: {results} = {parse}{arguments}")
                with c.block("else:"):
                    self._emit_other(c, emit, results, arguments, delimited)
        else:
            with c.otherwise(word):
                self._emit_other(c, emit, results, arguments, delimited)
        c.move(c.end if delimited else after)

    def _emit_other(
        self, c: ParseCode, emit: Callable[[Node[Any]], None], results: str, arguments: str, delimited: bool
    ) -> None:
        if self.other is None:
            c.line("raise Reject")
        elif _in_place(self.other):
            emit(self.other)
        else:
            other = c.var("other")
            parser(self.other, delimited, c.memo).put(c.namespace, other)
            c.line(f"{results} = {other}{arguments}")

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        source, octets = c.local(source, "artifact"), c.var("octets")
        key, word, inline = c.local(self.key.code(c.scope), "key"), "if", self._inline()

        def emit(node: Node[Any]) -> None:
            with c.apart() as pieces:
                node.emit_produce(c, source)
                c.line(f"{octets} = {c.joined(pieces)}")

        raw = [value for value in inline if _of_octets(self.cases[value])]  # these see to it themselves
        for value in [*raw, None, *(value for value in inline if value not in raw)]:
            if value is not None:
                with c.block(f"{word} {key} == {value!r}:"):
                    emit(self.cases[value])
            elif isinstance(self.other, Octets):  # what was left as octets is produced as it is
                c.line(f"{word} {source}.__class__ is bytes: {octets} = {source}")
            else:
                continue
            word = "elif"
        table: dict[Any, Any] = {}
        for value, node in self.cases.items():
            if value not in inline:
                producer(node).put(table, value)
        with c.otherwise(word):
            name = c.const(table, "table")
            if self.other is None:
                c.line(f"{octets} = {name}[{key}]({source})")
            elif not table and _in_place(self.other):
                emit(self.other)
            elif _in_place(self.other):
                c.line(f"if {key} in {name}: {octets} = {name}[{key}]({source})")
                with c.block("else:"):
                    emit(self.other)
            else:
                other = c.var("other")
                producer(self.other).put(c.namespace, other)
                c.line(f"{octets} = {name}.get({key}, {other})({source})")
        c.octets(octets)


def _in_place(node: Node[Any]) -> bool:
    """Whether a case is emitted where it stands: it reads fields of the message, or is too small for a call."""
    return bool(node.refs()) or isinstance(node, (Scalar, Nothing)) or _of_octets(node)


def _of_octets(node: Node[Any]) -> bool:
    """Whether octets are an artifact of it, and not only what stands in for one."""
    return isinstance(node, Octets) or any(isinstance(one, Until) for one in node.every())


def _refuse(o: bytes, p: int, end: int) -> Any:
    raise Reject


class Peek(Node[Any]):
    """One of several nodes, by the next octet, which that node consumes; ``likely`` octets are tried before the table.

    When producing, the class of the artifact tells its case; where several cases give the same class, ``of`` has a
    function that names the octet, or the smallest that can express the artifact is taken.
    """

    minimum = 1

    def __init__(
        self, cases: Mapping[int, Any], default: Any, of: Mapping[type, Callable[[Any], int]], likely: Iterable[int]
    ) -> None:
        super().__init__()
        self.cases = {octet: part(case) for octet, case in cases.items()}
        self.other = None if default is None else part(default)
        self.of = of
        self.likely = tuple(likely)
        for node in [*self.cases.values(), *([self.other] if self.other else [])]:
            if node.minimum < 1:
                raise GrammarError(f"peek(): {node.label()} may consume nothing, but must consume the octet looked at")
            if node.refs():
                raise GrammarError(f"peek(): {node.label()} reads outer fields; put it in a switch")
        self.fills = any(node.fills for node in self.cases.values())
        unknown = [octet for octet in (*self.cases, *self.likely) if octet not in range(256)]
        unknown += [octet for octet in self.likely if octet not in self.cases]
        if unknown:
            raise GrammarError(f"peek(): {unknown[0]!r} is no octet, or a likely one that is no case")

    def step(self, name: str | None, after: state | None) -> state:
        entries = {octet: node.step(name, after) for octet, node in self.cases.items()}
        other = None if self.other is None else self.other.step(name, after)
        return stepping.peeked(name, entries, other)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        c.flush()
        target, after, octet = target or c.var("_"), c.var("p"), c.var("octet")
        table: list[Any] = [_refuse] * 256
        for number in range(256):
            node = self.cases.get(number, self.other)
            if node is not None:
                parser(node, delimited, c.memo, number).put(table, number)
        if not c.sure:
            c.reject_if(f"{c.at()} >= {c.end}")
        c.sure = False
        c.line(f"{octet} = o[{c.at()}]")
        place, word = (c.pos, c.off), "if"
        for number in self.likely:
            with c.block(f"{word} {octet} == {number}:"):
                c.pos, c.off = place
                c.known = number
                self.cases[number].emit_parse(c, target, delimited)
                c.flush()
                c.known = None
                if not delimited:
                    c.line(f"{after} = {c.at()}")
            word = "elif"
        c.pos, c.off = place
        results = target if delimited else f"{target}, {after}"
        call = f"{results} = {c.const(table, 'table')}[{octet}](o, {c.at()}, {c.end})"
        c.line(call if word == "if" else f"else: {call}")
        c.move(c.end if delimited else after)

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        octets, kind, source = c.var("octets"), c.var("kind"), c.local(source, "item")
        by_class, word = c.const(self._by_class(), "by_class"), "if"
        c.line(f"{kind} = {source}.__class__")
        for record, node in self._likely_records():
            with c.block(f"{word} {kind} is {c.const(record, 'likely')}:"), c.apart() as pieces:
                with c.block("try:"):  # the narrowest encoding; a wider one if the value does not fit
                    node.emit_produce(c, source)
                    c.line(f"{octets} = {c.joined(pieces)}")
                c.line(f"except {c.const(struct.error, 'error')}: {octets} = {by_class}[{kind}]({source})")
            word = "elif"
        c.line(f"{'' if word == 'if' else 'else: '}{octets} = {by_class}[{kind}]({source})")
        c.octets(octets)

    def _likely_records(self) -> list[tuple[Any, Node[Any]]]:
        """The record classes of likely cases, each with the smallest node for it."""
        found: dict[Any, Node[Any]] = {}
        for octet in self.likely:
            record = getattr(self.cases[octet], "record", None)
            if record is not None and record not in self.of:
                rivals = [node for node in self.cases.values() if getattr(node, "record", None) is record]
                found[record] = min(rivals, key=lambda node: node.minimum)
        return list(found.items())

    def _by_class(self) -> dict[Any, Any]:
        """For each class of artifact, the function that produces it."""
        nodes: dict[Any, list[Node[Any]]] = {}
        for node in [*self.cases.values(), *([self.other] if self.other else [])]:
            known = nodes.setdefault(getattr(node, "record", None), [])
            if node not in known:
                known.append(node)
        table: dict[Any, Any] = {}
        for kind, group in nodes.items():
            if kind in self.of:
                table[kind] = _chosen(self.of[kind], self.cases)
            elif len(group) == 1:
                producer(group[0]).put(table, kind)
            else:
                table[kind] = _narrowest(sorted(group, key=lambda node: node.minimum))
        return table


def _chosen(of: Callable[[Any], int], cases: Mapping[int, Node[Any]]) -> Callable[[Any], bytes]:
    """A producer of the case whose octet ``of`` names."""

    def produce(artifact: Any) -> bytes:
        octets: bytes = producer(cases[of(artifact)])(artifact)
        return octets

    return produce


def _narrowest(nodes: list[Node[Any]]) -> Callable[[Any], bytes]:
    """A producer of the first node that can express the artifact."""
    c = ProduceCode(f"produce_{nodes[0].label()}")
    failed = c.const(struct.error, "error")
    for node in nodes[:-1]:
        with c.block("try:"), c.apart() as pieces:
            node.emit_produce(c, "value")
            c.line(f"return {c.joined(pieces)}")
        c.line(f"except {failed}: pass")
    nodes[-1].emit_produce(c, "value")
    c.line(f"return {c.joined(c.pieces)}")
    return c.compile()


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

    fills = True

    def __init__(self, node: Node[T]) -> None:
        super().__init__()
        self.node = node
        self.granularity = node.granularity

    def label(self) -> str:
        return self.node.label()

    def inner(self) -> tuple[Node[Any], ...]:
        return (self.node,)

    def step(self, name: str | None, after: state | None) -> state:
        return stepping.guarded(name, self.node.step(name, None), Malformed, after)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        c.flush()
        target, start = target or c.var("_"), c.at()
        with c.block("try:"):
            self.node.emit_parse(c, target, True)
            c.flush()
        c.line(f"except {c.const(REJECTS, 'REJECTS')}: {target} = {c.const(Malformed, 'Malformed')}({start}, {c.end})")
        c.move(c.end)

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        self.node.emit_produce(c, source)


def switch(key: Any, cases: Mapping[Any, Any], default: Any = None, likely: Iterable[Any] = ()) -> Node[Any]:
    """One of ``cases`` (nodes or messages) by an earlier field, or ``default``; without one others are refused."""
    return Switch(as_expr(key), cases, default, likely)


def peek(
    cases: Mapping[int, Any],
    default: Any = None,
    of: Mapping[type, Callable[[Any], int]] | None = None,
    likely: Iterable[int] = (),
) -> Node[Any]:
    """One of ``cases`` by the next octet; ``of`` names, for a class of artifact, the octet whose case produces it."""
    return Peek(cases, default, of or {}, likely)


def guarded(node: Any) -> Node[Any]:
    """A delimited node or message that fails alone, leaving Malformed(start, end)."""
    return Guarded(valued(node))


def nothing() -> Node[None]:
    """No octets; the artifact is None."""
    return Nothing()
