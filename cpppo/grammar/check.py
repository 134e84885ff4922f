"""What makes a message's declaration hopeless, found when it is made; and which of its fields are derived.

Owns: the checks across the fields of one message.  Rule: whatever would fail later for every peer is refused here.
Must not know how nodes are parsed or produced.
"""

from __future__ import annotations

from typing import Any

from cpppo.errors import GrammarError
from cpppo.grammar.code import field_name
from cpppo.grammar.expr import Attribute, Expr
from cpppo.grammar.node import Node, Within
from cpppo.grammar.nodes import Const, Scalar
from cpppo.grammar.shapes import Guarded

__all__ = ["derived_fields"]

#: Struct codes of unsigned integers, which lengths and counts must be.
_UNSIGNED = "BHILQ"

Fields = list[tuple[str, Node[Any]]]


def derived_fields(message: str, fields: Fields) -> frozenset[str]:
    """The fields that producing derives; GrammarError for a declaration that cannot work."""
    _check_names(message, fields)
    before: dict[str, Node[Any]] = {}
    deriving: dict[str, int] = {}
    for number, (field, node) in enumerate(fields):
        where = f"{message}.{field}"
        if node.fills and number + 1 < len(fields):
            raise GrammarError(f"{where} takes all that is left, so {fields[number + 1][0]!r} cannot follow it")
        for one in node.every():
            for expr in one.amounts():
                _check_amount(where, expr, before)
            for expr in one.keys():
                _check_key(where, expr, before)
        for expr in node.derives():
            name = expr.solve()[0]
            if name in deriving:
                other = fields[deriving[name]][0]
                raise GrammarError(f"{message}.{name} would be derived from both {other} and {field}")
            if isinstance(before[name], Const):
                raise GrammarError(f"{message}.{name} is a constant, but {field} would have to change it")
            deriving[name] = number
        before[field] = node
    _check_order(message, fields, deriving)
    return frozenset(deriving)


def _check_names(message: str, fields: Fields) -> None:
    seen: set[str] = set()
    for field, _ in fields:
        if field_name(field) in seen:
            raise GrammarError(f"{message}: field {field!r} is declared twice")
        seen.add(field_name(field))


def _known(where: str, expr: Expr, before: dict[str, Node[Any]]) -> None:
    for name in expr.names():
        if name not in before:
            raise GrammarError(f"{where} refers to {name!r}, which is not declared before it")


def _check_amount(where: str, expr: Expr, before: dict[str, Node[Any]]) -> None:
    """A number of octets or items is made of unsigned integers."""
    _known(where, expr, before)
    for name in expr.names():
        node = before[name]
        if not isinstance(node, Scalar) or node.code not in _UNSIGNED or isinstance(expr, Attribute):
            raise GrammarError(f"{where}: {name!r} is a length or count, so it must be an unsigned integer")


def _check_key(where: str, expr: Expr, before: dict[str, Node[Any]]) -> None:
    """A key is read from a field that has a value, whatever a peer sends."""
    _known(where, expr, before)
    for name in expr.names():
        node = before[name]
        if not (node.stored or isinstance(node, Const)):
            raise GrammarError(f"{where} reads {name!r}, which has no value")
        while isinstance(node, Within):
            node = node.node
        if isinstance(expr, Attribute) and isinstance(node, Guarded):
            raise GrammarError(f"{where} reads an attribute of {name!r}, which may be malformed")


def _check_order(message: str, fields: Fields, deriving: dict[str, int]) -> None:
    """What producing derives is known only from the field on that derives it."""
    for number, (field, node) in enumerate(fields):
        for one in node.every():
            for exprs, least in ((one.amounts(), number + 1), (one.keys(), number)):
                for name in (name for expr in exprs for name in expr.names()):
                    if deriving.get(name, -1) >= least:
                        later = fields[deriving[name]][0]
                        raise GrammarError(f"{message}.{field} needs {name!r}, which producing derives from {later!r}")
