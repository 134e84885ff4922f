"""Repetition in a grammar: counted, to the end of the limit, and by a table of offsets.

Owns: ``step``, ``emit_parse`` and ``emit_produce`` of each, side by side.
Rule: ``count * minimum <= remaining`` is checked before any loop, and each turn consumes something or is counted.
Must not know any protocol.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, TypeVar

from cpppo.automata import state
from cpppo.errors import GrammarError
from cpppo.grammar import stepping
from cpppo.grammar.expr import Expr, as_expr
from cpppo.grammar.node import Node, amount, part
from cpppo.grammar.nodes import Scalar
from cpppo.grammar.parse import ParseCode
from cpppo.grammar.produce import ProduceCode

__all__ = ["Offsets", "Rest", "Vector", "offsets", "rest", "vector"]

T = TypeVar("T")


class _Structs(dict[int, struct.Struct]):
    """Structs of so many values, by the count."""

    def __init__(self, template: str) -> None:
        super().__init__()
        self.template = template

    def __missing__(self, count: int) -> struct.Struct:
        made = struct.Struct(self.template % count)
        if count <= 256:  # larger counts are as many as a peer likes: they are not kept
            self[count] = made
        return made


@cache
def _structs(template: str) -> _Structs:
    return _Structs(template)


class Vector(Node[list[T]]):
    """A counted repetition; the count is derived when producing, and must not be above ``most``, if given."""

    counted = "items"

    def __init__(self, node: Node[T], count: Expr, most: int | None) -> None:
        super().__init__()
        self.node, self.count, self.most = node, amount(count), most
        if node.fills:
            raise GrammarError(f"vector({node.label()}): the first item would take all that is left")
        if count.names() and not node.minimum:
            raise GrammarError(f"vector({node.label()}): a peer could ask for any number of items that have no octets")
        self.number: int | None = getattr(count, "number", None)
        self.fixed = self.number * node.fixed if self.number is not None and node.fixed is not None else None
        self.minimum = (self.number or 0) * node.minimum
        self.granularity = node.granularity
        self.default = ()

    def label(self) -> str:
        return f"{self.node.label()}_vector"

    def inner(self) -> tuple[Node[Any], ...]:
        return (self.node,)

    def amounts(self) -> tuple[Expr, ...]:
        return (self.count,)

    def determines(self) -> tuple[Expr, ...]:
        return (self.count,) if self.number is None else ()

    def step(self, name: str | None, after: state | None) -> state:
        return stepping.repeated(name, self.node, self.count, after, self.most)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        c.flush()
        target, count = target or c.var("items"), c.var("count")
        c.line(f"{count} = {self.count.code(c.scope)}")
        if self.count.negative:
            c.reject_if(f"{count} < 0")
        if self.most is not None:
            c.reject_if(f"{count} > {self.most}")
        if self.node.minimum:
            size = f"{count} * {self.node.minimum}" if self.node.minimum != 1 else count
            c.reject_if(f"{size} > {c.end} - {c.at() if not c.off else '(' + c.at() + ')'}")
        if isinstance(self.node, Scalar) and type(self.node) is Scalar:
            after = c.var("p")
            order = ">" if self.node.big else "<"
            structs = c.const(_structs(order + "%d" + self.node.code), "structs")
            c.line(f"{target} = list({structs}[{count}].unpack_from(o, {c.at()})) if {count} else []")
            c.line(f"{after} = {c.at()} + {count} * {self.node.size}")
            c.move(after)
        else:
            _emit_loop(c, self.node, target, f"for _ in range({count}):")
        if delimited:
            c.reject_if(f"{c.at()} != {c.end}")

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        source = c.local(source, "items")
        if self.most is not None:
            c.line(f"if len({source}) > {self.most}: raise ValueError('at most {self.most} items')")
        _emit_joined(c, self.node, source, self.most is not None)
        if self.number is None:
            c.derive(self.count, f"len({source})", 1)
        else:
            c.line(f"if len({source}) != {self.number}: raise ValueError('expected {self.number} items')")


class Rest(Node[list[T]]):
    """A repetition that fills the rest of the limit."""

    fills = True

    def __init__(self, node: Node[T]) -> None:
        super().__init__()
        if node.minimum < 1:
            raise GrammarError(f"rest({node.label()}): the repeated part may consume nothing, so it would never end")
        if node.fills:
            raise GrammarError(f"rest({node.label()}): the first item would take all that is left")
        self.node = node
        self.granularity = node.granularity
        self.default = ()

    def label(self) -> str:
        return f"{self.node.label()}_rest"

    def inner(self) -> tuple[Node[Any], ...]:
        return (self.node,)

    def step(self, name: str | None, after: state | None) -> state:
        return stepping.repeated(name, self.node, None, after)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        c.flush()
        _emit_loop(c, self.node, target or c.var("items"), f"while %s < {c.end}:")

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        _emit_joined(c, self.node, c.local(source, "items"))


def _emit_loop(c: ParseCode, node: Node[Any], target: str, head: str) -> None:
    """A loop that parses one node a turn; ``%s`` in its head stands for the position."""
    here, item = c.var("p"), c.var("item")
    c.line(f"{target} = []")
    c.line(f"{here} = {c.at()}")
    with c.block(head.replace("%s", here)):
        c.move(here)
        c.sure = "%s" in head
        node.emit_parse(c, item, False)
        c.flush()
        c.sure = False
        c.line(f"{target}.append({item})")
        if c.at() != here:
            c.line(f"{here} = {c.at()}")
    c.move(here)


def _emit_joined(c: ProduceCode, node: Node[Any], items: str, few: bool = False) -> None:
    """Pieces for the octets of all items; of a ``few`` only, adding them up is quicker than joining them."""
    octets = c.var("octets")
    if type(node) is Scalar:
        order = ">" if node.big else "<"
        packed = f"{c.const(_structs(order + '%d' + node.code), 'structs')}[len({items})].pack(*{items})"
        c.line(f"{octets} = {packed} if {items} else b''")
    else:
        item, parts = c.var("item"), octets if few else c.var("parts")
        c.line(f"{parts} = b''" if few else f"{parts} = []")
        with c.block(f"for {item} in {items}:"), c.apart() as pieces:
            node.emit_produce(c, item)
            c.line(f"{parts} += {c.joined(pieces)}" if few else f"{parts}.append({c.joined(pieces)})")
        if not few:
            c.line(f"{octets} = b''.join({parts})")
    c.octets(octets)


class Offsets(Node[list[T]]):
    """A count, a table of that many offsets, and the items they point at; offsets count from the count word.

    Offsets must not decrease nor leave the limit; each item extends to the next one's offset, the last to the end.
    """

    fills = True

    def __init__(self, node: Node[T], word: Scalar[int]) -> None:
        super().__init__()
        self.node, self.word = node, word
        self.minimum = word.size
        self._words = _structs((">" if word.big else "<") + "%d" + word.code)
        self.default = ()

    def label(self) -> str:
        return f"{self.node.label()}_offsets"

    def inner(self) -> tuple[Node[Any], ...]:
        return (self.node,)

    def step(self, name: str | None, after: state | None) -> state:
        return stepping.offset_table(name, self.node, self.word, after)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        c.flush()
        size, target = self.word.size, target or c.var("items")
        base, count, table = c.var("base"), c.var("count"), c.var("offsets")
        start, stop, item = c.var("start"), c.var("stop"), c.var("item")
        c.line(f"{base} = {c.at()}")
        c.move(base)
        self.word.emit_parse(c, count, False)
        c.flush()
        c.reject_if(f"{count} * {size + self.node.minimum} > {c.end} - {base} - {size}")
        structs = c.const(self._words, "structs")
        c.line(f"{table} = list({structs}[{count}].unpack_from(o, {base} + {size}))")
        c.line(f"{table}.append({c.end} - {base})")
        c.reject_if(f"{table}[0] < {size} + {count} * {size}")
        c.reject_if(f"not {count} and {table}[0] != {size}")
        c.line(f"{target} = []")
        c.line(f"{start} = {table}[0]")
        with c.block(f"for {stop} in {table}[1:]:"):
            c.reject_if(f"{stop} < {start} or {base} + {stop} > {c.end}")
            saved, c.end, first = c.end, c.var("end"), c.var("p")
            c.line(f"{first} = {base} + {start}; {c.end} = {base} + {stop}")
            c.move(first)
            self.node.emit_parse(c, item, True)
            c.flush()
            c.line(f"{target}.append({item}); {start} = {stop}")
            c.end = saved
        c.move(c.end)

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        octets, source = c.var("octets"), c.local(source, "items")
        item, parts, table, at = c.var("item"), c.var("parts"), c.var("offsets"), c.var("at")
        size = self.word.size
        c.line(f"{parts} = []; {table} = []; {at} = {size} + {size} * len({source})")
        with c.block(f"for {item} in {source}:"), c.apart() as pieces:
            self.node.emit_produce(c, item)
            c.line(f"{item} = {c.joined(pieces)}")
            c.line(f"{table}.append({at}); {parts}.append({item}); {at} += len({item})")
        structs = c.const(self._words, "structs")
        c.line(f"{octets} = {structs}[len({table}) + 1].pack(len({table}), *{table}) + b''.join({parts})")
        c.octets(octets)


def vector(node: Any, count: Any, most: int | None = None) -> Node[list[Any]]:
    """``count`` times a node or message, ``most`` times at most."""
    return Vector(part(node), as_expr(count), most)


def rest(node: Any) -> Node[list[Any]]:
    """A node or message as often as fills the limit."""
    return Rest(part(node))


def offsets(node: Any, word: Scalar[int]) -> Node[list[Any]]:
    """A count, that many offsets, and what they point at."""
    return Offsets(part(node), word)
