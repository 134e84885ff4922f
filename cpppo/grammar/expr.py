"""References to earlier fields, and the small integer expressions made of them.

Owns: ``size * 2``, ``length % 2``, ``attr(path, "class_id")`` as written in a declaration, in the
three forms they are needed: Python source (compiled code), a value (the stepped machine), and
solved for the field (producing).  Rule: an expression reads only fields parsed before it.
Must not know octets, nodes' layouts or any protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from cpppo.errors import GrammarError

__all__ = ["Expr", "Ref", "as_expr", "attr", "field"]


class Expr:
    """An integer expression over the fields of one message."""

    __slots__ = ()

    def code(self, scope: Callable[[str], str]) -> str:
        """Python source; ``scope`` names the variable that holds a field."""
        raise GrammarError(f"{self!r} cannot be computed")

    def value(self, values: Mapping[str, Any]) -> Any:
        """The value, given the fields parsed so far."""
        raise GrammarError(f"{self!r} cannot be computed")

    def solve(self) -> tuple[str, int, int]:
        """As ``factor * field + constant``; GrammarError if it is not of that form."""
        raise GrammarError(f"{self!r} cannot be solved for a field, so nothing can be produced from it")

    @property
    def negative(self) -> bool:
        """Whether it may be below zero for a field that is not."""
        return False

    def names(self) -> tuple[str, ...]:
        """The fields it reads."""
        return ()

    def __mul__(self, other: int) -> Expr:
        return Operation("*", self, as_expr(other))

    def __add__(self, other: int) -> Expr:
        return Operation("+", self, as_expr(other))

    def __sub__(self, other: int) -> Expr:
        return Operation("-", self, as_expr(other))

    def __mod__(self, other: int) -> Expr:
        return Operation("%", self, _divisor(other))

    def __floordiv__(self, other: int) -> Expr:
        return Operation("//", self, _divisor(other))


class Literal(Expr):
    """A plain integer."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def code(self, scope: Callable[[str], str]) -> str:
        return str(self.number)

    def value(self, values: Mapping[str, Any]) -> Any:
        return self.number

    def __repr__(self) -> str:
        return str(self.number)


class Ref(Expr):
    """A field parsed earlier, by its name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def code(self, scope: Callable[[str], str]) -> str:
        return scope(self.name)

    def value(self, values: Mapping[str, Any]) -> Any:
        return values[self.name]

    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def solve(self) -> tuple[str, int, int]:
        return self.name, 1, 0

    def __repr__(self) -> str:
        return self.name


class Attribute(Expr):
    """An attribute of an earlier field's artifact."""

    __slots__ = ("name", "of")

    def __init__(self, of: Expr, name: str) -> None:
        self.of, self.name = of, name

    def code(self, scope: Callable[[str], str]) -> str:
        return f"{self.of.code(scope)}.{self.name}"

    def value(self, values: Mapping[str, Any]) -> Any:
        return getattr(self.of.value(values), self.name)

    def names(self) -> tuple[str, ...]:
        return self.of.names()

    def __repr__(self) -> str:
        return f"{self.of!r}.{self.name}"


class Operation(Expr):
    """Two expressions and one of ``* + - % //``."""

    __slots__ = ("left", "operator", "right")

    def __init__(self, operator: str, left: Expr, right: Expr) -> None:
        self.operator, self.left, self.right = operator, left, right

    def code(self, scope: Callable[[str], str]) -> str:
        return f"({self.left.code(scope)} {self.operator} {self.right.code(scope)})"

    def value(self, values: Mapping[str, Any]) -> Any:
        left, right = self.left.value(values), self.right.value(values)
        if self.operator == "*":
            return left * right
        if self.operator == "+":
            return left + right
        if self.operator == "-":
            return left - right
        return left % right if self.operator == "%" else left // right

    def names(self) -> tuple[str, ...]:
        return (*self.left.names(), *self.right.names())

    def solve(self) -> tuple[str, int, int]:
        if not isinstance(self.right, Literal) or self.operator not in "*+-" or not self.right.number:
            return super().solve()
        name, factor, constant = self.left.solve()
        number = self.right.number
        if self.operator == "*":
            return name, factor * number, constant * number
        return name, factor, constant + (number if self.operator == "+" else -number)

    @property
    def negative(self) -> bool:
        return self.operator == "-" or self.left.negative or self.right.negative

    def __repr__(self) -> str:
        return f"({self.left!r} {self.operator} {self.right!r})"


def as_expr(value: Any) -> Expr:
    """An expression from an expression or an integer; GrammarError for anything else."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, int):
        return Literal(value)
    _refuse(value)


def _divisor(value: Any) -> Expr:
    if not isinstance(value, int) or value <= 0:
        raise GrammarError(f"{value!r} cannot divide a length: use a number above zero")
    return Literal(value)


def attr(field: Any, name: str) -> Expr:
    """``attr(path, "class_id")``: an attribute of what an earlier field was parsed into."""
    return Attribute(as_expr(field), name)


def field(name: str) -> Expr:
    """A reference to an earlier field by its name, for the operator form."""
    return Ref(name)


def _refuse(value: Any) -> NoReturn:
    raise GrammarError(f"{value!r} is neither an integer nor a field declared earlier in this message")
