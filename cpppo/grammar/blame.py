"""Why a record cannot be produced: which of its fields, and what is wrong with it.

Owns: producing the fields of a record one by one, once the whole has failed.
Rule: never part of producing what can be produced.  Must not know any protocol.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from typing import Any

from cpppo.errors import LocalProtocolError
from cpppo.grammar.code import Lazy, field_name
from cpppo.grammar.node import Node
from cpppo.grammar.nodes import Const
from cpppo.grammar.produce import UNPRODUCIBLE, ProduceCode
from cpppo.grammar.records import Record

__all__ = ["blame"]


def blame(record: Any, exc: Exception) -> LocalProtocolError:
    """Which field of a record cannot be produced."""
    message, name = record._node_, type(record).__name__
    known = {field: node.value for field, node in message.fields if isinstance(node, Const)}
    stored = [(field, node) for field, node in message.fields if node.stored and field not in message.derived]
    known.update((field, getattr(record, field_name(field), None)) for field, _ in stored)
    for field, node in stored:
        error = (
            _inside(known[field], f"{name}.{field}")
            or _alone(node, known, f"{name}.{field}", known[field])
            or _derived(node, known, f"{name}.{field}", dict(message.fields))
        )
        if error is not None:
            return error
    return LocalProtocolError(f"{exc} in {reprlib.repr(record)}", name)


def _inside(value: Any, path: str) -> LocalProtocolError | None:
    """The error of a record in a field, or in a list there."""
    records = [(f"{path}[{at}]", one) for at, one in enumerate(value)] if isinstance(value, list) else [(path, value)]
    for where, one in records:
        if isinstance(one, Record) and hasattr(one, "produce"):
            try:
                one.produce()
            except LocalProtocolError as exc:
                below = exc.path.partition(".")[2]
                return LocalProtocolError(exc.reason, f"{where}.{below}" if below else where)
    return None


def _alone(node: Node[Any], known: dict[str, Any], path: str, value: Any) -> LocalProtocolError | None:
    """The error of one field by itself; ``known`` then has what it derives."""
    try:
        _producer(node)(value, known)
    except UNPRODUCIBLE as exc:
        return LocalProtocolError(f"cannot be {reprlib.repr(value)}: {exc}", path)
    return None


def _derived(
    node: Node[Any], known: dict[str, Any], path: str, fields: dict[str, Node[Any]]
) -> LocalProtocolError | None:
    """The error of a field that has more, or less, than its length or count can tell."""
    for one in node.every():
        for expr in one.determines():
            name, factor, constant = expr.solve()
            value, most = known[name], 256 ** (fields[name].fixed or 0) - 1
            if not 0 <= value <= most:
                has = f"{value * factor + constant} {one.counted}"
                bound = f"at most {most * factor + constant}" if value > 0 else f"at least {constant}"
                return LocalProtocolError(f"{has}, but {expr!r} holds {bound}", path)
    return None


class _Known(dict[str, str]):
    """The expression for any field of a message: an item of ``known``."""

    def __missing__(self, name: str) -> str:
        return f"known[{name!r}]"


def _producer(node: Node[Any]) -> Callable[..., Any]:
    """A node's producer ``f(value, known) -> octets``, which reads and derives other fields in ``known``."""

    def make() -> Callable[..., Any]:
        c = ProduceCode(f"produce_{node.label()}_alone", "value, known")
        c.scopes.append(_Known())
        node.emit_produce(c, "value")
        c.line(f"return {c.joined(c.pieces)}")
        return c.compile()

    lazy = node._compiled.get("alone")
    if lazy is None:
        lazy = node._compiled["alone"] = Lazy(make)
    return lazy.made()
