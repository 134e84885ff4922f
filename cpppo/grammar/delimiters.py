"""Delimited text: octets or text up to a delimiter, which is consumed and is no part of the value.

Owns: the stepped machine, the compiled parser and the compiled producer of ``until``, side by side.
Rule: the first delimiter ends the value, and no value is longer than ``most``, however its octets come in.
Must not know any protocol.
"""

from __future__ import annotations

from typing import Any, TypeVar, overload

from cpppo.automata import state
from cpppo.errors import GrammarError
from cpppo.grammar import stepping
from cpppo.grammar.building import Mismatch
from cpppo.grammar.node import Node
from cpppo.grammar.nodes import Octets, Text
from cpppo.grammar.parse import ParseCode
from cpppo.grammar.produce import ProduceCode

__all__ = ["UNTIL_OCTETS", "Until", "until"]

T = TypeVar("T")

#: The octets before a delimiter at most, unless said otherwise.
UNTIL_OCTETS = 4096


class Until(Node[T]):
    """What ``of`` makes of the octets before a delimiter, ``most`` of them at most; the delimiter is consumed."""

    def __init__(self, of: Octets, delimiter: bytes, most: int) -> None:
        super().__init__()
        self.of, self.delimiter, self.most = of, delimiter, most
        self.minimum = len(delimiter)
        self.default = of.default

    def step(self, name: str | None, after: state | None) -> state:
        size = len(self.delimiter)
        label = name or self.label()
        last = stepping.Complete(label, name, lambda raw: self.of.value(raw[:-size]), after is None)
        entry = state(label)
        seen = [_Seeking(f"{label}+{matched}", matched, self) for matched in range(size)]
        missing = stepping.Check(label, self._missing)
        for matched, one in [(0, entry), *enumerate(seen)]:
            for octet in sorted(set(self.delimiter)):
                following = self._matched(matched, octet)
                one[octet] = last if following == size else seen[following]
            one[True] = seen[0]
            one[None] = missing
        stepping.linked(last, after)
        return entry

    def _matched(self, matched: int, octet: int) -> int:
        """How much of the delimiter the octets end in, once ``octet`` follows as much of it as ``matched``."""
        octets = self.delimiter[:matched] + bytes((octet,))
        return next(size for size in range(len(octets), -1, -1) if octets.endswith(self.delimiter[:size]))

    def _missing(self, data: Any, sent: int, ending: int | None) -> None:
        raise Mismatch(f"no {self.delimiter!r} before the end", sent)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        c.flush()
        target, stop = target or c.var("octets"), c.var("stop")
        start = f"({c.at()})" if c.off else c.at()
        c.line(f"{stop} = o.find({self.delimiter!r}, {c.at()}, {c.end})")
        c.reject_if(f"not 0 <= {stop} - {start} <= {self.most}")  # below 0: there is none
        c.line(f"{target} = o[{c.at()}:{stop}]")
        self.of.emit_value(c, target)
        c.move(stop, len(self.delimiter))
        if delimited:
            c.reject_if(f"{c.at()} != {c.end}")

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        octets = self.of.emit_octets(c, source)
        whole, ends = c.var("whole"), f"{self.delimiter!r} ends it, so that cannot occur before"
        c.line(f"if len({octets}) > {self.most}: raise ValueError('at most {self.most} octets')")
        c.line(f"{whole} = {octets} + {self.delimiter!r}")
        c.line(f"if {whole}.find({self.delimiter!r}) != len({octets}): raise ValueError({ends!r})")
        c.octets(whole)


class _Seeking(stepping.Gather):
    """Consumes one octet, after which the first ``matched`` octets of the delimiter have been seen."""

    def __init__(self, name: str, matched: int, node: Until[Any]) -> None:
        super().__init__(name)
        self.node = node
        self.most = node.most + matched

    def take(self, symbol: Any, data: Any) -> None:
        taken = data.raw
        taken.append(symbol)
        if len(taken) > self.most:
            raise data.unfit(f"more than {self.node.most} octets before {self.node.delimiter!r}", len(taken) - 1)


@overload
def until(delimiter: bytes, *, most: int = ...) -> Node[bytes]: ...
@overload
def until(delimiter: str, encoding: str = ..., *, most: int = ...) -> Node[str]: ...
def until(delimiter: bytes | str, encoding: str | None = None, *, most: Any = UNTIL_OCTETS) -> Node[Any]:
    """Octets up to a delimiter of octets, or text up to one of text (ISO-8859-1 unless said otherwise).

    The delimiter is consumed, and produced after the value, which cannot contain it; ``most``: octets of a value,
    above which both parsing and producing refuse it.  GrammarError for a delimiter or a bound that cannot work.
    """
    if not isinstance(delimiter, (bytes, str)):
        raise GrammarError(f"until({delimiter!r}): a delimiter is octets or text, eg. b',' or ','")
    if not delimiter:
        raise GrammarError(f"until({delimiter!r}): an empty delimiter ends nothing; use octets() for the rest")
    if not isinstance(most, int) or most < 1:
        raise GrammarError(f"until({delimiter!r}): most={most!r} leaves no room for a value; use a number above zero")
    if not (encoding is None or isinstance(encoding, str)):
        raise GrammarError(f"until({delimiter!r}): encoding {encoding!r} is none; most= is given by its name")
    if isinstance(delimiter, bytes):
        if encoding is not None:
            raise GrammarError(f"until({delimiter!r}): octets have no encoding; for text give the delimiter as text")
        return Until(Octets(None), delimiter, most)
    encoding = encoding or "iso-8859-1"
    try:
        ending, mark = delimiter.encode(encoding), "".encode(encoding)
    except (UnicodeError, LookupError) as exc:
        raise GrammarError(f"until({delimiter!r}): {exc}; give a delimiter of that encoding") from exc
    if mark:
        raise GrammarError(f"until({delimiter!r}): {encoding!r} begins with a mark; use one without, eg. 'utf-16-le'")
    return Until(Text(None, encoding), ending, most)
