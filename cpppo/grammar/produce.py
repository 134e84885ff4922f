"""The source of compiled producers.

Owns: the pieces a message is made of, in wire order (runs of fixed-size fields that fuse into one
``Struct.pack``, and variables that hold octets), derived lengths and counts, and joining it all.
Rule: whatever can be derived from the value (lengths, counts, pads, offsets) is never asked of the caller.
Must not know any node's meaning.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from cpppo.errors import GrammarError
from cpppo.grammar.code import Code, Lazy
from cpppo.grammar.expr import Expr

__all__ = ["UNPRODUCIBLE", "Piece", "ProduceCode", "Produces", "producer"]

#: What compiled producers raise for a record that the protocol cannot express.
UNPRODUCIBLE = (struct.error, AttributeError, TypeError, ValueError, KeyError, IndexError, OverflowError)


class Produces(Protocol):
    """What the emitter needs of a node."""

    _compiled: dict[Any, Lazy]

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        """Emit code that adds the pieces for the value of expression ``source``."""

    def label(self) -> str:
        """A word for generated names."""


class Piece(NamedTuple):
    """Some octets: ``code`` and ``size`` of a fixed field (expression None: pad), else an octets expression."""

    code: str
    size: int
    expression: str | None


class ProduceCode(Code):
    """A producer under construction."""

    def __init__(self, name: str, arguments: str = "value") -> None:
        super().__init__(name, arguments)
        self.pieces: list[Piece] = []
        self.scopes: list[Mapping[str, str]] = []

    def scope(self, name: str) -> str:
        """The expression for a field of the message being produced."""
        if not self.scopes:
            raise GrammarError(f"{name!r} is not a field of the message that is produced here")
        return self.scopes[-1][name]

    def fixed(self, code: str, size: int, expression: str | None) -> None:
        """Add a field of fixed size."""
        self.pieces.append(Piece(code, size, expression))

    def octets(self, expression: str) -> None:
        """Add octets: a local variable, or any expression that is cheap to repeat."""
        self.pieces.append(Piece("", 0, expression))

    def derive(self, expr: Expr, amount: str, granularity: int) -> None:
        """Emit the field that ``expr`` is about, from what ``expr`` must amount to."""
        name, factor, constant = expr.solve()
        if constant:
            amount = f"{amount} - {constant}"
        if factor != 1:
            if granularity % factor or constant % factor:
                self.line(f"if ({amount}) % {factor}: raise ValueError('not a multiple of {factor} octets')")
            amount = f"({amount}) // {factor}"
        self.line(f"{self.scope(name)} = {amount}")

    def local(self, source: str, hint: str) -> str:
        """A local variable for an expression."""
        if source.isidentifier():
            return source
        name = self.var(hint)
        self.line(f"{name} = {source}")
        return name

    @staticmethod
    def length(pieces: list[Piece]) -> str:
        """Source of how many octets the pieces have."""
        constant = sum(piece.size for piece in pieces)
        terms = [f"len({piece.expression})" for piece in pieces if not piece.code]
        return " + ".join(terms + ([str(constant)] if constant or not terms else []))

    @contextmanager
    def apart(self) -> Iterator[list[Piece]]:
        """Collect the pieces of the body apart from those before."""
        saved, self.pieces = self.pieces, []
        yield self.pieces
        self.pieces = saved

    def joined(self, pieces: list[Piece]) -> str:
        """Source of the pieces' octets in one."""
        parts: list[str] = []
        run: list[Piece] = []
        for piece in [*pieces, Piece("", 0, None)]:
            if piece.code:
                run.append(piece)
                continue
            if run:
                parts.append(self._packed(run))
                run = []
            if piece.expression:
                parts.append(piece.expression)
        if len(parts) > 3:
            return f"b''.join(({', '.join(parts)}))"
        return " + ".join(parts) or "b''"

    def _packed(self, run: list[Piece]) -> str:
        codes = "".join(piece.code for piece in run)
        packer = struct.Struct("<" + codes)
        arguments = [piece.expression for piece in run if piece.expression is not None]
        if all(argument.lstrip("-").isdigit() for argument in arguments):
            return repr(packer.pack(*map(int, arguments)))
        return f"{self.const(packer.pack, 'pack')}({', '.join(arguments)})"


def producer(node: Produces) -> Lazy:
    """A node's producer ``f(value) -> octets``, made at its first call."""
    lazy = node._compiled.get("produce")
    if lazy is None:
        lazy = node._compiled["produce"] = Lazy(lambda: _make(node))
    return lazy


def _make(node: Produces) -> Callable[..., Any]:
    c = ProduceCode(f"produce_{node.label()}")
    c.line(f'"""The octets of a {node.label()}."""')
    node.emit_produce(c, "value")
    c.line(f"return {c.joined(c.pieces)}")
    return c.compile()
