"""Messages: one declaration, from which the record, the machine, the parser and the producer come.

Owns: the class-body language (a field's name, read later in the body, is a reference to it), the operator
form ``Struct('Name', ['interface'/UDINT, ...])``, and the public calls on a message.
Rule: a mistake in a declaration is an error at the declaration.  Must not know any protocol.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from functools import cache
from typing import Any, ClassVar, TypeVar

from cpppo.automata import dfa, state
from cpppo.errors import GrammarError, LocalProtocolError
from cpppo.grammar import stepping
from cpppo.grammar.blame import blame
from cpppo.grammar.check import derived_fields
from cpppo.grammar.code import Code, field_name
from cpppo.grammar.delimiters import Until
from cpppo.grammar.explain import explain, root
from cpppo.grammar.expr import Expr, Ref
from cpppo.grammar.node import Node, Within, as_node
from cpppo.grammar.nodes import Const
from cpppo.grammar.parse import REJECTS, ParseCode, parser
from cpppo.grammar.produce import UNPRODUCIBLE, ProduceCode, producer
from cpppo.grammar.records import Record

__all__ = ["Message", "MessageNode", "Struct", "framer", "prefix", "values"]

M = TypeVar("M", bound="Message")


class _Body(dict[str, Any]):
    """The namespace of a message body: hands back a reference when a field's name is read again."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        return Ref(name) if _is_field(value) and not name.startswith("_") else value

    def __setitem__(self, name: str, value: Any) -> None:
        if name in self and _is_field(super().__getitem__(name)):
            raise GrammarError(f"field {name!r} is declared twice")
        if isinstance(value, Expr):
            raise GrammarError(
                f"field {name!r} is an expression, {value!r}; name a node, eg. UINT or octets({value!r})"
            )
        super().__setitem__(name, value)


def _is_field(value: Any) -> bool:
    return isinstance(value, (Node, MessageMeta))


class MessageMeta(type):
    """Makes of the fields in a class body the slots of a record and the node that parses and produces it."""

    _node_: MessageNode

    @classmethod
    def __prepare__(metacls, name: str, bases: tuple[type, ...], /, **kwds: Any) -> MutableMapping[str, object]:
        return _Body()

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any], **kwds: Any) -> MessageMeta:
        named = [(field, as_node(dict.get(body, field))) for field in list(body) if _is_field(dict.get(body, field))]
        made: MessageMeta = _declare(mcs, name, bases, dict(body), named, **kwds)
        return made

    def __init__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any], **kwds: Any) -> None:
        super().__init__(name, bases, body)

    def __rtruediv__(cls, name: str) -> tuple[str, Any]:
        """``'identity'/Identity``: a named field, for the operator form."""
        return name, cls


def _declare(
    mcs: type[MessageMeta],
    name: str,
    bases: tuple[type, ...],
    body: dict[str, Any],
    fields: list[tuple[str, Node[Any]]],
    record: type[Any] | None = None,
    frozen: bool = False,
) -> Any:
    inherited = [base for base in bases if getattr(base, "_fields_", ())]
    if inherited and fields:
        raise GrammarError(f"{name}: a message with fields of its own cannot derive from {inherited[0].__name__}")
    for field, _ in fields:
        body.pop(field, None)
        if any(hasattr(base, field) for base in bases):
            raise GrammarError(f"{name}.{field}: the name is taken by a method of every message; choose another")
    derived = derived_fields(name, fields)
    stored = [(field, node) for field, node in fields if node.stored and field not in derived]
    slots = () if inherited else tuple(field_name(field) for field, _ in stored)
    body["__slots__"] = slots
    if slots or not inherited:
        body["_fields_"] = slots
        body["_defaults_"] = {field_name(field): node.default for field, node in stored}
        constants = {
            field_name(field): node.value for field, node in fields if isinstance(node, Const) and field[0] != "_"
        }
        body.update(constants)
        body["_constants_"] = tuple(constants)
    if frozen:
        body["_frozen_"] = True
        body["__setattr__"] = _refuse_change
        body["__hash__"] = _hash
    cls = type.__new__(mcs, name, bases, body)
    if not inherited:
        cls._node_ = MessageNode(name, fields, derived, record or cls)
    return cls


def _refuse_change(self: Any, name: str, value: Any) -> None:
    raise LocalProtocolError("this record is shared and cannot be changed; make a new one", f"{self!r}.{name}")


def _hash(self: Any) -> int:
    return hash((type(self), *(getattr(self, name) for name in self._fields_)))


class MessageNode(Node[Any]):
    """The node of a message: its fields one after the other; ``record`` is what it is parsed into."""

    def __init__(
        self, name: str, fields: list[tuple[str, Node[Any]]], derived: frozenset[str], record: type[Any]
    ) -> None:
        super().__init__()
        self.name, self.fields, self.derived, self.record = name, fields, derived, record
        self.minimum = sum(node.minimum for _, node in fields)
        sizes = [node.fixed for _, node in fields]
        self.fixed = None if None in sizes else sum(size for size in sizes if size is not None)
        self.granularity = self.fixed or 1
        self.fills = bool(fields) and fields[-1][1].fills
        self.declared = {field_name(field): field for field, _ in fields}

    def label(self) -> str:
        return self.name

    def step(self, name: str | None, after: state | None) -> state:
        record, declared = self.record, [self.declared[field] for field in self.record._fields_]

        def build(values: Mapping[str, Any]) -> Any:
            return record(*[values[field] for field in declared])

        return stepping.message(name, self.name, self.fields, build, after)

    def emit_fields(self, c: ParseCode, delimited: bool) -> dict[str, str]:
        """Emit what parses the fields; the local variable of each."""
        scope = {field: c.var(field) for field, _ in self.fields}
        used = {name for _, node in self.fields for expr in node.refs() for name in expr.names()}
        c.scopes.append(scope)
        for number, (field, node) in enumerate(self.fields, 1):
            wanted = field in used or field_name(field) in self.record._fields_
            node.emit_parse(c, scope[field] if wanted else None, delimited and number == len(self.fields))
        if not self.fields and delimited:
            c.flush(True)
        c.flush()
        c.scopes.pop()
        return scope

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        target = target or c.var("record")
        scope = self.emit_fields(c, delimited)
        record = c.const(self.record, self.record.__name__)
        c.line(f"{target} = {c.const(object.__new__, 'new')}({record})")
        for field in self.record._fields_:
            value = scope[self.declared[field]]
            if self.record._frozen_:
                c.line(f"{c.const(getattr(self.record, field).__set__, 'set_' + field)}({target}, {value})")
            else:
                c.line(f"{target}.{field} = {value}")

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        source = c.local(source, "record")
        scope = {
            field: c.var(field)
            if field in self.derived
            else repr(node.value)
            if isinstance(node, Const)
            else f"{source}.{field_name(field)}"
            for field, node in self.fields
        }
        c.scopes.append(scope)
        for field, node in self.fields:
            node.emit_produce(c, scope[field])
        c.scopes.pop()


class Message(Record, metaclass=MessageMeta):
    """Base of all messages; see docs/design.org.  Class calls parse, a record's ``produce()`` undoes it."""

    _node_: ClassVar[MessageNode]

    @classmethod
    def parse(cls: type[M], octets: bytes) -> M:
        """The record of exactly these octets; RemoteProtocolError says where they do not follow the grammar."""
        octets = bytes(octets)
        try:
            record: M = parser(cls._node_, True)(octets, 0, len(octets))
        except REJECTS:
            raise explain(cls._node_, octets) from None
        return record

    @classmethod
    def parser(cls) -> Any:
        """The compiled ``f(octets, start, end) -> record``, for whoever explains failures (REJECTS) otherwise."""
        return parser(cls._node_, True).made()

    def produce(self) -> bytes:
        """The record's octets; LocalProtocolError if the protocol cannot express it."""
        try:
            octets: bytes = producer(type(self)._node_)(self)
        except UNPRODUCIBLE as exc:
            raise blame(self, exc) from exc
        return octets

    @classmethod
    def producer(cls) -> Any:
        """The compiled ``f(record) -> octets``."""
        return producer(cls._node_).made()

    @classmethod
    def within(cls: type[M], length: Expr | Node[int] | int) -> Node[M]:
        """This message, limited to (and filling) ``length`` octets."""
        node: Node[M] = cls._node_
        return node.within(length)

    @classmethod
    def machine(cls, name: str | None = None, context: str | None = None, **settings: Any) -> dfa:
        """The automaton that parses this symbol by symbol, alone or inside other machines.

        Its record is put at ``context`` of the data, below those of the machines around it, in place of what is
        there; to a list there, it is appended, which keeps all that repeats give.  ``settings``: as of a `dfa`, eg.
        ``limit`` and ``repeat``.  NonTerminal (while running) where octets do not follow the grammar.
        """
        return root(cls._node_, name or cls.__name__, context, **settings)

    @classmethod
    def source(cls) -> str:
        """The generated source of parser and producer."""
        made = (parser(cls._node_, True).made(), producer(cls._node_).made())
        return "\n\n".join(vars(function)["__source__"] for function in made)

    @classmethod
    def layout(cls) -> list[tuple[str, str]]:
        """Documentation rows: (field, what it is)."""
        return [(field, describe(node)) for field, node in _fields(cls)]


def _fields(message: type[Message]) -> list[tuple[str, Node[Any]]]:
    """The named nodes of a message."""
    node: Any = message._node_
    fields: list[tuple[str, Node[Any]]] = node.fields
    return fields


def prefix(message: type[Message]) -> Any:
    """The compiled ``f(octets, start, end) -> (record, position)`` that does not mind what follows."""
    return parser(message._node_, False).made()


@cache
def values(message: type[Message]) -> Callable[[bytes, int, int], tuple[Any, ...]]:
    """The compiled ``f(octets, start, end) -> tuple`` of what a record would keep, for whoever needs none."""
    node: Any = message._node_
    c = ParseCode(f"values_{message.__name__}")
    scope = node.emit_fields(c, True)
    c.line(f"return {''.join(scope[node.declared[field]] + ', ' for field in message._fields_)}")
    return c.compile()


@cache
def framer(message: type[Message]) -> Callable[[bytes, int], int]:
    """``f(octets, start)``: how many octets a message has, from those before its last field, which a length limits."""
    fields = _fields(message)
    last = fields[-1][1]
    sizes = [node.fixed for _, node in fields[:-1]]
    if not isinstance(last, Within) or None in sizes:
        raise GrammarError(f"{message.__name__} does not end in one field within a length, after fields of fixed size")
    name, factor, constant = last.length.solve()
    at = [field for field, _ in fields].index(name)
    length = fields[at][1]
    c = Code(f"frame_{message.__name__}", "o, p")
    unpack = c.const(struct.Struct(getattr(length, "struct_format", "")).unpack_from, "unpack")
    before, head = sum(size or 0 for size in sizes[:at]), sum(size or 0 for size in sizes) + constant
    c.line(f"return {head} + {factor} * {unpack}(o, p + {before})[0]")
    return c.compile()


def describe(node: Node[Any]) -> str:
    """A node in a few words, eg. ``EPATH, within (size * 2) octets``."""
    words = node.label()
    if isinstance(node, Const):
        words += f", always {node.value!r}"
    if isinstance(node, Until):
        words += f" {node.delimiter!r}, {node.most} octets at most"
    limits = ", ".join(repr(expr) for expr in node.refs())
    return f"{words} ({limits})" if limits else words


def Struct(name: str, fields: Iterable[Any], record: Any = None, frozen: bool = False) -> Any:
    """A message made from a table of ``'name'/NODE`` pairs; unnamed parts (drop, const) are given as nodes.

    ``record``: the message whose records it yields, if not its own.
    """
    named = [field if isinstance(field, tuple) else (f"_{number}", field) for number, field in enumerate(fields)]
    pairs = [(str(field), as_node(node)) for field, node in named]
    return _declare(MessageMeta, name, (Message,), {"__module__": __name__}, pairs, record=record, frozen=frozen)
