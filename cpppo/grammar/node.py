"""What every node of a grammar is, and the limit that any of them can be given.

Owns: Node, what a declaration may be made of, and Within.
Rule: a node describes itself (size, references, what it derives) so that declarations are checked when made.
Must not know any protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from cpppo.automata import state
from cpppo.errors import GrammarError
from cpppo.grammar import stepping
from cpppo.grammar.code import Lazy
from cpppo.grammar.expr import Expr, as_expr
from cpppo.grammar.parse import ParseCode
from cpppo.grammar.produce import ProduceCode

__all__ = ["Node", "Within", "amount", "as_node", "part", "valued"]

T = TypeVar("T")


class Node(Generic[T]):
    """A part of a message whose artifact is a T.

    ``fixed``: its size in octets if it is always the same; ``minimum``: the least it can have;
    ``granularity``: produced sizes are multiples of it; ``stored``: whether a record keeps its value;
    ``default``: what a record constructor assumes.
    """

    fixed: int | None = None
    minimum: int = 0
    granularity: int = 1
    stored: bool = True
    default: Any = None
    #: Whether it takes all that its limit leaves, so that nothing can follow it.
    fills: bool = False
    #: What the fields it determines are a number of.
    counted: str = "octets"

    def __init__(self) -> None:
        self._compiled: dict[Any, Lazy] = {}

    def label(self) -> str:
        """A word for tables and generated names."""
        return type(self).__name__.lower()

    def inner(self) -> tuple[Node[Any], ...]:
        """The nodes inside it that belong to the same message."""
        return ()

    def amounts(self) -> tuple[Expr, ...]:
        """Its own expressions that are numbers of octets or items."""
        return ()

    def keys(self) -> tuple[Expr, ...]:
        """Its own expressions that choose between nodes."""
        return ()

    def determines(self) -> tuple[Expr, ...]:
        """Its own expressions whose field is derived from what is produced."""
        return ()

    def every(self) -> Iterator[Node[Any]]:
        """It and all nodes inside it that belong to the same message."""
        yield self
        for node in self.inner():
            yield from node.every()

    def refs(self) -> tuple[Expr, ...]:
        """Expressions that read earlier fields of the same message, those of inner nodes included."""
        found = (expr for node in self.every() for expr in (*node.amounts(), *node.keys()))
        return tuple(expr for expr in found if expr.names())

    def derives(self) -> tuple[Expr, ...]:
        """Expressions whose fields producing this derives, those of inner nodes included."""
        return tuple(expr for node in self.every() for expr in node.determines())

    def within(self, length: Expr | Node[int] | int) -> Node[T]:
        """This, limited to (and filling) ``length`` octets; when producing, the length is derived."""
        return Within(self, as_expr(length))

    def step(self, name: str | None, after: state | None) -> state:
        """The entry state of a machine for this; it delivers under ``name`` and goes on to ``after`` (None: done)."""
        raise NotImplementedError(type(self).__name__)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        """Emit code that parses this into the local variable ``target``."""
        raise NotImplementedError(type(self).__name__)

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        """Emit code that produces the octets of the value of ``source``."""
        raise NotImplementedError(type(self).__name__)

    def __truediv__(self, other: Any) -> Any:
        return NotImplemented

    def __rtruediv__(self, name: str) -> tuple[str, Node[T]]:
        """``'interface'/UDINT``: a named field, for the operator form."""
        return name, self

    if TYPE_CHECKING:
        # In a message body a field's name stands for a reference to it; a record's attribute is a T.
        @overload
        def __get__(self, record: None, owner: type) -> Node[T]: ...
        @overload
        def __get__(self, record: object, owner: type) -> T: ...
        def __get__(self, record: object | None, owner: type) -> Node[T] | T: ...
        def __mul__(self, other: int) -> Expr: ...
        def __add__(self, other: int) -> Expr: ...
        def __sub__(self, other: int) -> Expr: ...
        def __mod__(self, other: int) -> Expr: ...
        def __floordiv__(self, other: int) -> Expr: ...


def as_node(value: Any) -> Node[Any]:
    """A node from a node or a message class."""
    node = value if isinstance(value, Node) else getattr(value, "_node_", None)
    if not isinstance(node, Node):
        raise GrammarError(f"{value!r} is neither a node nor a message; use one, eg. UINT or octets(4)")
    return node


def valued(value: Any) -> Node[Any]:
    """A node (or message class) that has an artifact; drop() and const() have none outside a message body."""
    node = as_node(value)
    if not node.stored:
        raise GrammarError(f"{node.label()}: reserved octets and constants are fields of a message, they have no value")
    return node


def part(value: Any) -> Node[Any]:
    """A node that can be repeated or chosen: its produced size or count must not determine an outer field."""
    node = valued(value)
    if node.derives():
        raise GrammarError(f"{node.label()} gives {node.derives()[0]!r} its value, so it cannot be repeated or chosen")
    return node


def amount(expr: Expr) -> Expr:
    """An expression fit for a number of octets or items."""
    number = getattr(expr, "number", 0)
    if number < 0:
        raise GrammarError(f"{number} is no number of octets or items")
    return expr


class Within(Node[T]):
    """A node that fills exactly as many octets as an earlier field says."""

    def __init__(self, node: Node[T], length: Expr) -> None:
        super().__init__()
        self.node, self.length = node, amount(length)
        self.default, self.stored = node.default, node.stored

    def label(self) -> str:
        return self.node.label()

    def inner(self) -> tuple[Node[Any], ...]:
        return (self.node,)

    def amounts(self) -> tuple[Expr, ...]:
        return (self.length,)

    def determines(self) -> tuple[Expr, ...]:
        return (self.length,) if self.length.names() else ()

    def step(self, name: str | None, after: state | None) -> state:
        return stepping.limited(name, self.node.step(name, None), self.length, after)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        c.flush()
        saved, end = c.end, c.var("end")
        c.line(f"{end} = {c.at()} + {self.length.code(c.scope)}")
        c.reject_if(f"{end} {'!=' if delimited else '>'} {saved}")
        if self.length.negative:
            c.reject_if(f"{end} < {c.at()}")
        c.end = end
        self.node.emit_parse(c, target, True)
        c.end = saved
        c.move(end)

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        mark = len(c.pieces)
        self.node.emit_produce(c, source)
        length = c.length(c.pieces[mark:])
        if hasattr(self.length, "number"):
            c.line(f"if {length} != {self.length.number}: raise ValueError('expected {self.length.number} octets')")
        else:
            c.derive(self.length, length, self.node.granularity)
