"""Random parts of grammars: every kind of node that can be repeated, chosen, limited or nested, with its values.

Owns: the Chooser, and a maker for each kind of part.  Rule: a part is drawn together with what draws a value for it.
Must not know messages; whoever draws those adds their maker to MAKERS.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from cpppo.grammar import (
    Scalar,
    Struct,
    const,
    drop,
    guarded,
    mapped,
    nothing,
    octets,
    offsets,
    payload,
    peek,
    rest,
    switch,
    text,
    until,
    vector,
)
from cpppo.grammar.delimiters import UNTIL_OCTETS
from cpppo.grammar.nodes import as_node
from tests.helpers import same

__all__ = ["ENCODINGS", "MAKERS", "SCALARS", "Box", "Chooser", "Keys", "Kept", "Make", "Part", "part"]

Make = Callable[["Chooser", dict[str, Any]], Any]

_INTEGERS = {"b": 8, "h": 16, "i": 32, "q": 64}
SCALARS: dict[str, Scalar[Any]] = {
    f"{order}{code}": Scalar(f"S{'BE' if order == '>' else 'LE'}_{number}", order + code)
    for order in "<>"
    for number, code in enumerate("bBhHiIqQfd?")
}


class Box:
    """What mapped() makes of something."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and same(self.value, other.value)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Box({self.value!r})"


class Kept:
    """An immutable artifact that memo() may remember."""

    def __init__(self, parts: Any) -> None:
        self.parts, self.octets = tuple(parts), None

    @property
    def only(self) -> Any:
        """The part of an artifact made of one."""
        return self.parts[0]

    def remember(self, octets_: bytes) -> None:
        self.octets = octets_  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kept) and same(self.parts, other.parts)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Kept({self.parts!r})"


class Part(NamedTuple):
    """A node and a function that draws a value for it, given the values of the keys around it."""

    node: Any
    make: Make
    fills: bool = False  # takes all that its limit leaves, so nothing can follow
    #: Its form without a limit is of use too.
    prefix: bool = True


class Chooser:
    """Makes choices, and tallies what it made where."""

    def __init__(self, chance: random.Random, tally: Counter[tuple[str, str]]) -> None:
        self.integer, self.tally, self.names = chance.randint, tally, 0
        self.pure = 0  # inside a memo, where nothing may depend on its place

    def pick(self, options: Any) -> Any:
        return options[self.integer(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        return self.integer(0, 99) < percent

    def octets(self, count: int) -> bytes:
        return bytes(self.integer(0, 255) for _ in range(count))

    def name(self) -> str:
        self.names += 1
        return f"M{self.names}"

    def scalar(self, kind: Scalar[Any]) -> Any:
        """A value, at its boundaries as a rule."""
        code = kind.struct_format[-1]
        if code == "?":
            return self.chance(50)
        if code in "fd":
            return self.pick([0.0, -0.0, 1.5, -2.25, float("inf"), float("nan")])
        bits = _INTEGERS[code.lower()]
        low = 0 if code.isupper() else -(1 << bits - 1)
        high = low + (1 << bits) - 1
        return self.pick([0, 1, low, high, high // 2, high // 3 + 1, max(low, -1), self.integer(low, high)])

    def text(self, encoding: str, count: int) -> str:
        """Text of so many octets."""
        letter = {"ascii": "x", "iso-8859-1": "\xe9", "utf-8": "\xe9"}[encoding]
        made = ""
        while len(made.encode(encoding)) < count:
            one = letter if self.chance(50) else "a"
            made += one if len((made + one).encode(encoding)) <= count else "a"
        return made


# ------------------------------------------------------------------ parts
Keys = dict[str, tuple[Any, list[Any]]]  # name -> (expression, the values it may have)


def part(c: Chooser, where: str, depth: int, ends: bool, keys: Keys, least: int = 0) -> Part:
    """A part that may be repeated, chosen or limited; ``ends``: something limits it; ``least``: octets it must take."""
    kinds = ["scalar", "scalar big", "octets fixed", "text fixed", c.pick(("until", "until text"))]
    if depth > 0:
        kinds += ["vector fixed", "mapped", "message", "message", "peek"]
        kinds += ["switch", "switch"] if keys else []
    if not least:
        kinds += ["nothing"]
        kinds += ["octets rest", "text rest", "payload"] if ends else []
        if ends and depth > 0:
            kinds += ["rest", "rest"]
            kinds += ["offsets", "offsets"] if where != "memo" else []
            kinds += [] if c.pure else ["guarded", "guarded"]
    kind = c.pick(kinds)
    made = MAKERS[kind](c, depth, ends, keys, least)
    c.tally[kind, where] += 1
    return made


def _scalar(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    kind = SCALARS["<" + c.pick("bBhHiIqQfd?")]
    return Part(kind, lambda c, env: c.scalar(kind))


def _scalar_big(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    kind = SCALARS[">" + c.pick("bBhHiIqQfd")]
    return Part(kind, lambda c, env: c.scalar(kind))


def _octets_fixed(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    count = c.integer(least, 4)
    return Part(octets(count), lambda c, env: c.octets(count))


def _text_fixed(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    count, encoding = c.integer(least, 5), c.pick(ENCODINGS)
    return Part(text(count, encoding), lambda c, env: c.text(encoding, count))


ENCODINGS = ("iso-8859-1", "ascii", "utf-8")


def _until(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    delimiter, most = c.pick((b"*", b"\0", b"\r\n", b"\1\1", b"\0\0\1", b"\0\1\0\2")), c.pick((1, 3, 5, UNTIL_OCTETS))

    def make(c: Chooser, env: dict[str, Any]) -> bytes:
        """Octets of which many are some of the delimiter's, cut where it would begin."""
        made = bytes(
            c.pick(delimiter) if c.chance(70) else c.integer(0, 255) for _ in range(c.integer(0, min(most, 5)))
        )
        return made[: (made + delimiter).find(delimiter)]

    return Part(until(delimiter, most=most), make)


def _until_text(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    encoding, delimiter, most = c.pick(ENCODINGS), c.pick((",", "aa", "\r\n")), c.pick((3, UNTIL_OCTETS))

    def make(c: Chooser, env: dict[str, Any]) -> str:
        made = c.text(encoding, c.integer(0, 3))
        return made[: (made + delimiter).find(delimiter)]

    return Part(until(delimiter, encoding, most=most), make)


def _vector_fixed(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    count = c.integer(least, 3)
    of = part(c, "vector", depth - 1, False, keys, 1)
    return Part(vector(of.node, count), _several(of, count, count))


def _several(of: Part, low: int, high: int) -> Make:
    return lambda c, env: [of.make(c, env) for _ in range(c.integer(low, high))]


def _mapped(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    of = part(c, "mapped", depth - 1, ends, keys, least)
    return Part(mapped(as_node(of.node), Box, "value"), lambda c, env: Box(of.make(c, env)), of.fills, of.prefix)


def _nothing(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    return Part(nothing(), lambda c, env: None)


def _octets_rest(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    return Part(octets(), lambda c, env: c.octets(c.integer(0, 5)), True)


def _payload(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    return Part(payload(), lambda c, env: c.octets(c.integer(0, 5)), True)


def _text_rest(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    encoding = c.pick(ENCODINGS)
    return Part(text(encoding=encoding), lambda c, env: c.text(encoding, c.integer(0, 5)), True)


def _rest(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    of = part(c, "rest", depth - 1, False, keys, 1)
    return Part(rest(of.node), _several(of, 0, 3), True)


def _offsets(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    of = part(c, "offsets", depth - 1, True, keys)
    return Part(offsets(of.node, SCALARS[c.pick(("<H", "<H", "<I"))]), _several(of, 0, 3), True, False)


def _guarded(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    of = part(c, "guarded", depth - 1, True, keys)
    return Part(guarded(of.node), of.make, True, False)


def _switch(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    name = c.pick(sorted(keys))
    expression, choices = keys[name]
    default = c.chance(50)
    known = choices[: c.integer(1, len(choices))] if default else choices
    where = "case"
    parts = {value: part(c, where, depth - 1, ends, keys, least) for value in known}
    other = part(c, "default", depth - 1, ends, keys, least) if default else None
    likely = [value for value in known if c.chance(30)]
    c.tally["switch with default" if default else "switch without default", "any"] += 1
    c.tally["switch with likely" if likely else "switch without likely", "any"] += 1
    every = [*parts.values(), *([other] if other else [])]
    node = switch(
        expression,
        {value: one.node for value, one in parts.items()},
        default=other.node if other else None,
        likely=likely,
    )

    def make(c: Chooser, env: dict[str, Any]) -> Any:
        chosen = parts.get(env[name], other)
        assert chosen is not None
        return chosen.make(c, env)

    return Part(node, make, any(one.fills for one in every), all(one.prefix for one in every))


def _peek(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    """Cases told by a constant, one number in two widths, one record for several octets, and perhaps a default."""
    parts: dict[int, Part] = {}
    for octet in sorted({c.integer(0, 3) for _ in range(c.integer(1, 3))}):
        inner = part(c, "peek", depth - 1, ends, {})
        made = Struct(c.name(), [const(octet, SCALARS["<B"]), ("inner", inner.node)])
        parts[octet] = Part(made, _record(made, "inner", inner), inner.fills, inner.prefix)
    if c.chance(40):
        narrow = Struct(c.name(), [const(4, SCALARS["<B"]), "number" / SCALARS["<B"]])
        wide = Struct(c.name(), [const(5, SCALARS["<B"]), drop(1), "number" / SCALARS["<H"]], record=narrow)
        parts[4], parts[5] = (
            Part(node, lambda c, env: narrow(number=c.pick((0, 1, 255, 256, 65535)))) for node in (narrow, wide)
        )
        c.tally["peek at two widths", "any"] += 1
    head = Struct(c.name(), ["head" / SCALARS["<B"], "tail" / SCALARS["<H"]])
    for octet in sorted({c.integer(6, 9) for _ in range(c.integer(0, 2))}):
        parts[octet] = Part(head, lambda c, env, octet=octet: head(head=octet, tail=c.integer(0, 65535)))
    other = None
    if c.chance(50):
        count = c.integer(0, 2)
        free = Struct(c.name(), ["head" / SCALARS["<B"], "rest" / octets(count)])
        other = Part(free, lambda c, env: free(head=c.integer(10, 255), rest=c.octets(count)))
    c.tally["peek with default" if other else "peek without default", "any"] += 1
    likely = [octet for octet in parts if c.chance(30)]
    c.tally["peek with likely" if likely else "peek without likely", "any"] += 1
    every = [*parts.values(), *([other] if other else [])]
    node = peek({octet: one.node for octet, one in parts.items()}, default=other.node if other else None, likely=likely)
    return Part(
        node,
        lambda c, env: c.pick(every).make(c, {}),
        any(one.fills for one in every),
        all(one.prefix for one in every),
    )


def _record(message_: Any, name: str, inner: Part) -> Make:
    return lambda c, env: message_(**{name: inner.make(c, {})})


MAKERS: dict[str, Callable[[Chooser, int, bool, Keys, int], Part]] = {
    "scalar": _scalar,
    "scalar big": _scalar_big,
    "octets fixed": _octets_fixed,
    "text fixed": _text_fixed,
    "until": _until,
    "until text": _until_text,
    "vector fixed": _vector_fixed,
    "mapped": _mapped,
    "nothing": _nothing,
    "octets rest": _octets_rest,
    "text rest": _text_rest,
    "payload": _payload,
    "rest": _rest,
    "offsets": _offsets,
    "guarded": _guarded,
    "switch": _switch,
    "peek": _peek,
}
