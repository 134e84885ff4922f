"""The leaves of a grammar: scalars, octets, text, constants and reserved octets.

Owns: for each, the stepped machine (``step``), the compiled parser (``emit_parse``) and the compiled producer
(``emit_produce``), side by side.  Rule: whoever adds a node writes all three, in the same class.
Must not know any protocol; composites live in shapes.py and repeats.py.
"""

from __future__ import annotations

import struct
from operator import itemgetter
from typing import Any, TypeVar, overload

from cpppo.automata import state
from cpppo.errors import GrammarError
from cpppo.grammar import stepping
from cpppo.grammar.building import Unfit
from cpppo.grammar.expr import Expr, as_expr
from cpppo.grammar.node import Node, amount, as_node
from cpppo.grammar.parse import ParseCode
from cpppo.grammar.produce import ProduceCode, producer

__all__ = [
    "Const",
    "Drop",
    "Octets",
    "Payload",
    "Scalar",
    "Text",
    "const",
    "drop",
    "octets",
    "payload",
    "text",
]

T = TypeVar("T")
S = TypeVar("S")


class Scalar(Node[T]):
    """A number of fixed size, by its struct code (little-endian, or ``>`` in front).

    ``tag_type``: the CIP type code, where it has one; ``produce(value)``: its octets.
    """

    default = 0

    def __init__(self, name: str, struct_format: str, tag_type: int | None = None) -> None:
        super().__init__()
        self.name = name
        self.tag_type = tag_type
        self.big = struct_format.startswith(">")
        self.struct_format = struct_format if self.big else "<" + struct_format.lstrip("<")
        self._struct = struct.Struct(self.struct_format)
        self.size = self.fixed = self.minimum = self.granularity = self._struct.size
        self.code = self.struct_format[1:]

    def label(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return self.name

    def produce(self, value: T) -> bytes:
        """The octets of one value; struct.error if it is out of range."""
        return self._struct.pack(value)

    def unpack(self, octets: bytes | bytearray) -> T:
        """The value of exactly ``size`` octets."""
        value: T = self._struct.unpack(octets)[0]
        return value

    def step(self, name: str | None, after: state | None) -> state:
        convert = itemgetter(0) if self.code == "B" else self.unpack  # an octet alone needs no struct
        return stepping.chain(name, self.size, convert, after)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        if self.big and self.size > 1:
            raw = c.var("raw")
            c.fixed(f"{self.size}s", self.size, raw)
            c.flush(delimited)
            if target:
                c.line(f"{target} = {c.const(self._struct.unpack, 'unpack')}({raw})[0]")
            return
        c.fixed(self.code, self.size, target)
        if delimited:
            c.flush(True)

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        if self.big and self.size > 1:
            c.fixed(f"{self.size}s", self.size, f"{c.const(self._struct.pack, 'pack')}({source})")
        else:
            c.fixed(self.code, self.size, source)


class Const(Scalar[T]):
    """A scalar that must have one value: checked when parsing, supplied when producing."""

    stored = False

    def __init__(self, value: T, of: Scalar[T]) -> None:
        super().__init__(of.name, of.struct_format, of.tag_type)
        self.value = value
        try:
            self.octets = self.produce(value)
        except struct.error as exc:
            raise GrammarError(f"const({value!r}, {of.name}): {exc}; give a value of that scalar") from exc

    def step(self, name: str | None, after: state | None) -> state:
        def check(octets: bytearray) -> T:
            if octets == self.octets:
                return self.value
            value = self.unpack(octets)  # may be equal all the same, as 0.0 and -0.0
            if value != self.value:
                differing = (at for at, pair in enumerate(zip(octets, self.octets, strict=True)) if pair[0] != pair[1])
                raise Unfit(f"expected {self.value!r}, found {value!r}", next(differing, 0))  # 0: a NaN is no NaN
            return value

        return stepping.chain(name, self.size, check, after)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        big = self.big and self.size > 1
        if target is None and self.size == 1 and c.known is not None and self.octets[0] == c.known:
            c.fixed(self.code, self.size, None)  # looked at already
        else:
            found = c.var("found") if big or target is None else target
            expected = self.octets if big else self.value
            c.fixed(f"{self.size}s" if big else self.code, self.size, found, f"{found} != {expected!r}")
        if delimited or (big and target):
            c.flush(delimited)
        if big and target:
            c.line(f"{target} = {self.value!r}")

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        super().emit_produce(c, repr(self.value))


#: Zeros for the pads there usually are.
_PADS = tuple(bytes(count) for count in range(8))


class Drop(Node[None]):
    """Reserved octets: anything is accepted, zeros are produced."""

    stored = False

    def __init__(self, count: Expr) -> None:
        super().__init__()
        self.count = amount(count)
        self.fixed = getattr(count, "number", None)
        self.minimum = self.fixed or 0

    def amounts(self) -> tuple[Expr, ...]:
        return (self.count,)

    def step(self, name: str | None, after: state | None) -> state:
        if self.fixed:
            return stepping.chain(None, self.fixed, None, after, label=name)
        return stepping.span(None, self.count, None, after, label=name)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        if self.fixed is not None:
            c.fixed(f"{self.fixed}x", self.fixed, None)
            if delimited:
                c.flush(True)
            return
        c.flush()
        after = c.var("p")
        c.line(f"{after} = {c.at()} + {self.count.code(c.scope)}")
        c.reject_if(f"{after} {'!=' if delimited else '>'} {c.end}")
        if self.count.negative:
            c.reject_if(f"{after} < {c.at()}")
        c.move(after)

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        if self.fixed is not None:
            c.fixed(f"{self.fixed}x", self.fixed, None)
        else:
            most = getattr(getattr(self.count, "right", None), "number", None)
            zeros = f"bytes({self.count.code(c.scope)})"
            if getattr(self.count, "operator", "") == "%" and most is not None and most <= 8:
                zeros = f"{c.const(_PADS, 'pads')}[{self.count.code(c.scope)}]"
            c.octets(c.local(zeros, "pad"))


def _as_octets(value: Any) -> bytes:
    """The octets of another kind of buffer."""
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"octets are expected, not {value!r}")
    return bytes(value)


class Octets(Node[Any]):
    """Octets as they are: a fixed number, a number given by an earlier field, or the rest of the limit (None)."""

    default: Any = b""
    converts = False

    def __init__(self, count: Expr | None) -> None:
        super().__init__()
        self.count = None if count is None else amount(count)
        self.fixed = getattr(count, "number", None)
        self.minimum = self.fixed or 0
        self.granularity = self.fixed or 1
        self.fills = count is None

    def amounts(self) -> tuple[Expr, ...]:
        return () if self.count is None else (self.count,)

    def determines(self) -> tuple[Expr, ...]:
        return () if self.count is None or self.fixed is not None else (self.count,)

    def value(self, octets: bytes | bytearray) -> Any:
        """The artifact made of the octets."""
        return bytes(octets)

    def step(self, name: str | None, after: state | None) -> state:
        if self.fixed:
            return stepping.chain(name, self.fixed, self.value, after)
        return stepping.span(name, self.count, self.value, after)

    def emit_parse(self, c: ParseCode, target: str | None, delimited: bool) -> None:
        target = target or c.var("octets")
        if self.fixed is not None:
            c.fixed(f"{self.fixed}s", self.fixed, target)
            if delimited or self.converts:
                c.flush(delimited)
        else:
            c.flush()
            after = c.end
            if self.count is not None:
                after = c.var("p")
                c.line(f"{after} = {c.at()} + {self.count.code(c.scope)}")
                c.reject_if(f"{after} {'!=' if delimited else '>'} {c.end}")
                if self.count.negative:
                    c.reject_if(f"{after} < {c.at()}")
            c.line(f"{target} = o[{c.at()}:{after}]")
            c.move(after)
        self.emit_value(c, target)

    def emit_value(self, c: ParseCode, target: str) -> None:
        """Emit what makes the artifact of a local variable that holds octets."""

    def emit_octets(self, c: ProduceCode, source: str) -> str:
        """Emit what makes octets of a value; the local variable that holds them."""
        source = c.local(source, "octets")
        if self.fixed is not None:
            return source  # packing refuses what is no octets
        octets = c.var("octets")
        c.line(f"{octets} = {source} if {source}.__class__ is bytes else {c.const(_as_octets, 'as_octets')}({source})")
        return octets

    def emit_produce(self, c: ProduceCode, source: str) -> None:
        octets = self.emit_octets(c, source)
        if self.fixed is not None:
            c.line(f"if len({octets}) != {self.fixed}: raise ValueError('expected {self.fixed} octets')")
            c.fixed(f"{self.fixed}s", self.fixed, octets)
            return
        c.octets(octets)
        if self.count is not None:
            c.derive(self.count, f"len({octets})", 1)


class Text(Octets):
    """Octets that are text, ISO-8859-1 unless said otherwise."""

    default = ""
    converts = True

    def __init__(self, count: Expr | None, encoding: str) -> None:
        super().__init__(count)
        self.encoding = encoding

    def value(self, octets: bytes | bytearray) -> Any:
        try:
            return octets.decode(self.encoding)
        except UnicodeDecodeError as exc:
            raise Unfit(str(exc), exc.start) from exc

    def emit_value(self, c: ParseCode, target: str) -> None:
        c.line(f"{target} = {target}.decode({self.encoding!r})")

    def emit_octets(self, c: ProduceCode, source: str) -> str:
        octets = c.var("octets")
        c.line(f"{octets} = {source}.encode({self.encoding!r})")
        return octets


class Payload(Octets):
    """The rest of the limit as octets; when producing, octets or any message, of which one may be likely."""

    def __init__(self, likely: Any) -> None:
        super().__init__(None)
        self.likely: Any = None if likely is None else as_node(likely)

    def emit_octets(self, c: ProduceCode, source: str) -> str:
        source, octets, kind = c.local(source, "payload"), c.var("octets"), c.var("kind")
        c.line(f"{kind} = {source}.__class__")
        c.line(f"if {kind} is bytes: {octets} = {source}")
        if self.likely is not None:
            with c.block(f"elif {kind} is {c.const(self.likely.record, 'likely')}:"), c.apart() as pieces:
                self.likely.emit_produce(c, source)
                c.line(f"{octets} = {c.joined(pieces)}")
        c.line(f"else: {octets} = {c.const(PRODUCERS, 'producers')}[{kind}]({source})")
        return octets


class _Producers(dict[Any, Any]):
    """The producer of each message class met."""

    def __missing__(self, cls: Any) -> Any:
        self[cls] = made = producer(cls._node_).made()
        return made


PRODUCERS = _Producers()


@overload
def const(value: bytes) -> Node[bytes]: ...
@overload
def const(value: S, of: Scalar[S]) -> Node[S]: ...
def const(value: Any, of: Scalar[Any] | None = None) -> Node[Any]:
    """A field that always has this value: one of a scalar, or octets; GrammarError if it is neither."""
    if of is None:
        if not isinstance(value, bytes) or not value:
            raise GrammarError(f"const({value!r}): name its scalar, eg. const(5, UINT), or give octets, eg. b'$'")
        of = Scalar("octets", f"{len(value)}s")
    return Const(value, of)


def drop(count: Expr | Node[int] | int) -> Node[None]:
    """Reserved octets: anything is accepted, zeros are produced; a record does not keep them."""
    return Drop(as_expr(count))


def octets(count: Expr | Node[int] | int | None = None) -> Node[bytes]:
    """``count`` octets; by default the rest of the limit."""
    return Octets(None if count is None else as_expr(count))


def text(count: Expr | Node[int] | int | None = None, encoding: str = "iso-8859-1") -> Node[str]:
    """``count`` octets of text; by default the rest of the limit."""
    return Text(None if count is None else as_expr(count), encoding)


def payload(likely: Any = None) -> Node[Any]:
    """The rest of the limit, as octets; when producing, octets or a message (``likely``: the one it mostly is)."""
    return Payload(likely)
