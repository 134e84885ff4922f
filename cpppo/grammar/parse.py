"""The source of compiled parsers.

Owns: where in the octets the code under construction stands, what it has checked already, and the fusing
of adjacent fixed-size fields into one ``Struct.unpack_from``.  A parser comes in two forms: *delimited*
``f(o, p, end) -> value`` must end exactly at ``end``; *prefix* ``f(o, p, end) -> (value, position)``.
Rule: compiled code only detects (``Reject``), it never explains.  Must not know any node's meaning.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cpppo.errors import GrammarError
from cpppo.grammar.code import Code, Lazy, Reject

__all__ = ["REJECTS", "ParseCode", "Parses", "parser"]

#: What compiled parsers raise when octets do not follow the grammar.
REJECTS = (Reject, struct.error, IndexError, UnicodeDecodeError)


class Parses(Protocol):
    """What the emitter needs of a node."""

    _compiled: dict[Any, Lazy]

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        """Emit code that parses at the current position into local variable ``target`` (None: nowhere)."""

    def label(self) -> str:
        """A word for generated names."""


class ParseCode(Code):
    """A parser under construction; position is a variable plus a constant offset."""

    def __init__(self, name: str, memo: bool = True) -> None:
        super().__init__(name, "o, p, end")
        self.pos, self.off, self.end = "p", 0, "end"
        self.memo = memo
        #: The octet here, if that has been looked at already: a constant need not be compared with it again.
        self.known: int | None = None
        #: Whether it is known that there is an octet here.
        self.sure = False
        self.scopes: list[Mapping[str, str]] = []
        self._run: list[tuple[str, int, str | None]] = []
        self._checks: list[str] = []

    def at(self, more: int = 0) -> str:
        """Source of the current position, ``more`` octets further on."""
        offset = self.off + more
        return f"{self.pos} + {offset}" if offset else self.pos

    def move(self, pos: str, more: int = 0) -> None:
        """Stand at the position in a variable, or ``more`` octets further on; nothing is known of the octet there."""
        self.pos, self.off = pos, more
        self.known, self.sure = None, False

    def scope(self, name: str) -> str:
        """The local variable that holds a field of the message being parsed."""
        if not self.scopes:
            raise GrammarError(f"{name!r} is not a field of the message that is parsed here")
        return self.scopes[-1][name]

    def reject_if(self, condition: str) -> None:
        """Emit a check."""
        self.line(f"if {condition}: raise Reject")

    def fixed(self, code: str, size: int, target: str | None, reject: str | None = None) -> None:
        """Add a field of a fixed size (a struct code) to the run that is fused; ``reject``: a condition to check."""
        self.known, self.sure = None, False
        self._run.append((code, size, target))
        if reject:
            self._checks.append(reject)

    def flush(self, delimited: bool = False) -> None:
        """Emit the fused run; ``delimited``: it must end exactly at the end."""
        run, self._run = self._run, []
        total = sum(size for _, size, _ in run)
        if delimited:
            self.reject_if(f"{self.at(total)} != {self.end}")
        elif total:
            self.reject_if(f"{self.at(total)} > {self.end}")
        targets = [target for _, _, target in run if target]
        if targets:
            codes = "".join(code if target else f"{size}x" for code, size, target in run)
            first = next(index for index, (_, _, target) in enumerate(run) if target)
            if len(targets) == 1 and run[first][0] == "B":  # an octet alone needs no struct
                self.line(f"{targets[0]} = o[{self.at(sum(size for _, size, _ in run[:first]))}]")
            else:
                unpack = self.const(struct.Struct("<" + codes).unpack_from, "unpack")
                self.line(f"{', '.join(targets)}{',' if len(targets) == 1 else ''} = {unpack}(o, {self.at()})")
        self.off += total
        checks, self._checks = self._checks, []
        for check in checks:
            self.reject_if(check)

    def call(self, node: Parses, target: str | None, delimited: bool) -> None:
        """Emit a call of a node's own parser instead of its body."""
        self.flush()
        name = self.var(f"parse_{node.label()}")
        parser(node, delimited, self.memo).put(self.namespace, name)
        self.result(f"{name}(o, {self.at()}, {self.end})", target, delimited)

    def result(self, call: str, target: str | None, delimited: bool) -> None:
        """Take the value (and, from a prefix parser, the position) that a call returns."""
        target = target or self.var("_")
        if delimited:
            self.line(f"{target} = {call}")
            self.move(self.end)
        else:
            after = self.var("p")
            self.line(f"{target}, {after} = {call}")
            self.move(after)


def parser(node: Parses, delimited: bool, memo: bool = True, known: int | None = None) -> Lazy:
    """A node's parser in one of its forms, made at its first call.

    ``memo`` False: without memoised paths; ``known``: the first octet, which the caller has looked at.
    """
    key = ("parse", delimited, memo, known)
    lazy = node._compiled.get(key)
    if lazy is None:
        lazy = node._compiled[key] = Lazy(lambda: _make(node, delimited, memo, known))
    return lazy


def _make(node: Parses, delimited: bool, memo: bool, known: int | None) -> Callable[..., Any]:
    c = ParseCode(f"parse_{node.label()}{'' if delimited else '_prefix'}", memo)
    c.known = known
    c.line(f'"""Parse {node.label()}: octets o, from p, {"exactly to" if delimited else "not beyond"} end."""')
    target = c.var("value")
    node.emit_parse(c, target, delimited)
    c.flush()
    c.line(f"return {target}" if delimited else f"return {target}, {c.at()}")
    return c.compile()
