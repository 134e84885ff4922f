"""Random grammars and octets for them: messages made of every kind of node, values, and damage.

Owns: what Hypothesis draws (`cases`), and the tally of each node kind in each position.
Rule: whatever is drawn is a declaration that must work, and a value that it must produce and parse.
"""

from __future__ import annotations

import random
import types
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st

from cpppo.grammar import Message, Struct, attr, const, drop, field, mapped, memo, octets, rest, text, vector
from cpppo.grammar.nodes import as_node
from tests.grammar.parts import ENCODINGS, MAKERS, SCALARS, Box, Chooser, Kept, Keys, Make, Part, part

__all__ = ["Case", "cases", "damaged"]

#: Names that are words of Python, of generated code, or of the records' own protocol, among plain ones.
NAMES = (
    *("a", "b", "path", "item", "count", "offset", "size", "length", "data", "service"),
    *("class", "from", "len", "list", "range", "bytes", "object", "value", "record", "new", "octets"),
    *("o", "p", "end", "p_2", "unpack", "pack", "table", "key", "found", "Reject", "edges", "gap", "set_a"),
)
_UNSIGNED = ("<B", "<H", "<I", "<Q", ">B", ">H", ">I")
_WIDE = ("<H", "<I", ">H", ">I")


class Case(NamedTuple):
    """A message, a value of it, and where its randomness for damage starts."""

    message: Any
    value: Any
    prefix: bool
    seed: int


# ------------------------------------------------------------------ messages
class _Plan:
    """The fields of a message under construction."""

    def __init__(self, c: Chooser, depth: int, ends: bool) -> None:
        self.c, self.depth, self.ends = c, depth, ends
        self.names = list(NAMES)
        self.rows: list[tuple[str, str, Any, Make | None]] = []  # kind, name, node, what draws its value
        self.keys: Keys = {}
        self.plain: list[tuple[Any, bool]] = []  # integers that expressions may read, and whether they are small
        self.fills = False
        self.prefix = True
        self.last = False

    def add(self, kind: str, node: Any, make: Make | None, name: str | None = None) -> str:
        name = name or self.name()
        self.rows.append((kind, name, node, make))
        return name

    def name(self) -> str:
        return self.names.pop(self.c.integer(0, len(self.names) - 1))

    def take(self, kind: str, one: Part) -> None:
        self.add(kind, one.node, one.make)
        self.fills |= one.fills
        self.prefix &= one.prefix

    # -- kinds of fields

    def scalar(self) -> None:
        kind = SCALARS["<" + self.c.pick("bBhHiIqQfd?")]
        name = self.add("scalar", kind, lambda c, env: c.scalar(kind))
        if kind.struct_format[-1] in "BHIQ":
            self.plain.append((field(name), False))

    def scalar_big(self) -> None:
        kind = SCALARS[">" + self.c.pick("hHiIqQfd")]
        name = self.add("scalar big", kind, lambda c, env: c.scalar(kind))
        if kind.struct_format[-1] in "HIQ":
            self.plain.append((field(name), False))

    def key(self) -> None:
        """A field that switches read, as it is or in a box."""
        kind = SCALARS[self.c.pick(("<B", "<H", ">H", "<i", "<?"))]
        choices = [False, True] if kind.struct_format == "<?" else [0, 1, 2, 255][self.c.integer(0, 2) :]
        if self.c.chance(25):
            name = self.add(
                "mapped", mapped(kind, Box, "value"), lambda c, env: env.setdefault(name, Box(c.pick(choices)))
            )
            self.keys[name] = attr(field(name), "value"), choices
        else:
            name = self.add("scalar", kind, lambda c, env: env.setdefault(name, c.pick(choices)))
            self.keys[name] = field(name), choices

    def const(self) -> None:
        if self.c.chance(20):
            self.add("const octets", const(self.c.octets(self.c.integer(1, 3))), None)
            return
        order = self.c.pick("<>")
        kind = SCALARS[order + self.c.pick("bBhHiIqQ?")]
        big = order == ">" and kind.size > 1
        self.add("const big" if big else "const", const(self.c.scalar(kind), kind), None)

    def drop(self) -> None:
        self.add("drop fixed", drop(self.c.integer(0, 4)), None)

    def drop_expression(self) -> None:
        if not self.plain:
            return self.scalar()
        expression, small = self.c.pick(self.plain)
        if small and self.c.chance(40):
            self.add("drop expression", drop(expression), None)
        else:
            self.add("drop expression", drop(expression % self.c.integer(2, 4)), None)
        return None

    def _between(self) -> None:
        """Perhaps fields between one and the other that refers to it."""
        for _ in range(self.c.pick((0, 0, 0, 1, 1, 2))):
            self.c.pick((self.scalar, self.const, self.drop))()

    def _length(self, wide: bool) -> tuple[str, Any]:
        """A field to be derived, and perhaps others after it."""
        kind = SCALARS[self.c.pick(_WIDE if wide else _UNSIGNED)]
        name = self.add("length", kind, None)
        self._between()
        return name, field(name)

    def _amounts(self, ref: Any, factor: int, constant: int) -> tuple[Any, list[int]]:
        expression = ref * factor if factor != 1 or self.c.chance(10) else ref
        if constant:
            expression = expression + constant if constant > 0 else expression - -constant
        return expression, [factor * n + constant for n in range(6) if factor * n + constant >= 0]

    def counted(self) -> None:
        """Octets, text or a vector, as many as an earlier field says."""
        name, ref = self._length(False)
        factor, constant = self.c.pick((1, 1, 1, 2, 3)), self.c.pick((0, 0, 0, 1, 3, -1, -2))
        expression, amounts = self._amounts(ref, factor, constant)
        kind = self.c.pick(("octets counted", "text counted", "vector of scalars", "vector counted", "vector counted"))
        if kind == "octets counted":
            self.add(kind, octets(expression), lambda c, env: c.octets(c.pick(amounts)))
        elif kind == "text counted":
            encoding = self.c.pick(ENCODINGS)
            self.add(kind, text(expression, encoding), lambda c, env: c.text(encoding, c.pick(amounts)))
        elif kind == "vector of scalars":
            of = SCALARS[self.c.pick("<>") + self.c.pick("bBhHiIqQfd?")]
            self.add(kind, vector(of, expression), lambda c, env: [c.scalar(of) for _ in range(c.pick(amounts[:4]))])
        else:
            item = part(self.c, "vector", self.depth - 1, False, self.keys, 1)
            few = amounts[:3]
            self.add(
                kind, vector(item.node, expression), lambda c, env: [item.make(c, env) for _ in range(c.pick(few))]
            )
        self.plain.append((field(name), True))

    def within(self) -> None:
        """Anything within a length, or within a literal number of octets."""
        if self.c.chance(15):
            count = self.c.integer(0, 4)
            self.add("within literal", octets().within(count), lambda c, env: c.octets(count))
            return
        name, ref = self._length(True)
        if self.c.chance(35):
            factor, constant = self.c.pick((1, 2, 3)), self.c.pick((0, 1, 2, -1))
            expression, amounts = self._amounts(ref, factor, constant)
            self.c.tally["octets rest", "within"] += 1
            self.add("within", octets().within(expression), lambda c, env: c.octets(c.pick(amounts)))
        else:
            one = part(self.c, "within", self.depth - 1, True, self.keys)
            expression, _ = self._amounts(ref, 1, self.c.pick((0, 0, 0, -1, -3)))
            self.add("within", one.node.within(expression), one.make)
        self.plain.append((field(name), True))

    def memo(self) -> None:
        """A memo is always within a length."""
        _, ref = self._length(True)
        if self.c.chance(50):
            of = SCALARS[self.c.pick(("<H", "<I", ">H"))]
            kept = memo(mapped(rest(of), Kept, "parts"), Kept.remember, granularity=2)
            node = kept.within(ref * 2)
            self.add("memo", node, lambda c, env: Kept([c.scalar(of) for _ in range(c.integer(0, 3))]))
        else:
            self.c.pure += 1
            one = part(self.c, "memo", self.depth - 1, True, {})
            self.c.pure -= 1
            kept = memo(mapped(as_node(one.node), _keep, "only"), Kept.remember)
            self.add("memo", kept.within(ref), lambda c, env: _keep(one.make(c, {})))

    def switch(self) -> None:
        if self.depth <= 0:
            return self.scalar()
        if not self.keys or self.c.chance(30):
            self.key()
            self._between()
        self.take("switch", MAKERS["switch"](self.c, self.depth, self.last and self.ends, self.keys, 0))
        return None

    def any(self) -> None:
        """Any part as a field."""
        kind = self.c.pick(("octets fixed", "text fixed", "vector fixed", "mapped", "message", "message", "nothing"))
        if self.depth <= 0 and kind in ("message", "mapped", "vector fixed"):
            kind = "octets fixed"
        one = MAKERS[kind](self.c, self.depth, self.last and self.ends, self.keys, 0)
        self.take(kind, one)

    def delimited(self) -> None:
        """Octets or text up to a delimiter."""
        kind = self.c.pick(("until", "until text"))
        self.take(kind, MAKERS[kind](self.c, self.depth, False, {}, 0))

    def peek(self) -> None:
        if self.depth <= 0:
            return self.scalar()
        self.take("peek", MAKERS["peek"](self.c, self.depth, self.last and self.ends, {}, 1))
        return None

    def filling(self) -> None:
        """Something that takes what the limit leaves."""
        kinds = ["octets rest", "text rest", "payload", "rest", "offsets", "offsets"]
        kinds += [] if self.c.pure else ["guarded", "guarded"]
        kind = self.c.pick(kinds if self.depth > 0 else kinds[:3])
        self.take(kind, MAKERS[kind](self.c, self.depth, True, self.keys, 0))


def _keep(value: Any) -> Kept:
    return Kept((value,))


_FIELDS = ("scalar", "scalar_big", "const", "drop", "drop_expression", "counted", "counted", "within", "within")
_MORE = ("memo", "memo", "switch", "switch", "any", "any", "peek", "delimited")


def message(c: Chooser, depth: int, ends: bool, least: int = 0) -> Part:
    """A message of a few fields, as a class body or in the operator form."""
    plan = _Plan(c, depth, ends)
    wanted = c.integer(1, 4)
    if least:
        plan.scalar()
    for number in range(wanted):
        plan.last = number == wanted - 1
        if plan.last and ends and c.chance(60):
            plan.filling()
        else:
            getattr(plan, c.pick(_FIELDS + _MORE if depth > 0 else _FIELDS))()
    rows = plan.rows
    for number, (kind, _, _, _) in enumerate(rows):
        only = "only" if len(rows) == 1 else ""
        c.tally[kind, only or ("first" if not number else "last" if number == len(rows) - 1 else "middle")] += 1
    body = c.chance(50)
    made = _class_body(c.name(), rows) if body else Struct(c.name(), [(name, node) for _, name, node, _ in rows])
    c.tally["class body" if body else "operator form", "any"] += 1
    attributes = {one: key for key, one in made._node_.declared.items()}

    def make(c: Chooser, env: dict[str, Any]) -> Any:
        own: dict[str, Any] = {}
        values: dict[str, Any] = {}
        for _, name, _, draw in rows:
            if draw is None:
                continue
            values[attributes[name]] = drawn = draw(c, own)
            own[name] = drawn.value if isinstance(drawn, Box) and name in plan.keys else drawn
        return made(**values)

    return Part(made, make, plan.fills, plan.prefix)


def _class_body(name: str, rows: list[tuple[str, str, Any, Make | None]]) -> Any:
    def fill(body: dict[str, Any]) -> None:
        for _, field_, node, _ in rows:
            body[field_] = node

    return types.new_class(name, (Message,), {}, fill)


def _nested(c: Chooser, depth: int, ends: bool, keys: Keys, least: int) -> Part:
    return message(c, depth - 1, ends, least)


MAKERS["message"] = _nested


# ------------------------------------------------------------------ cases
def cases(tally: Counter[tuple[str, str]], depth: int = 3, shrinks: bool = False) -> st.SearchStrategy[Case]:
    """Messages with a value each; what was made where is added to ``tally``.

    ``shrinks``: a failure is made as small as possible; drawing is slower and less varied.
    """

    def draw_case(chance: random.Random) -> Case:
        counted: Counter[tuple[str, str]] = Counter()
        c = Chooser(chance, counted)
        drawn = message(c, depth, True)
        value = drawn.make(c, {})
        case = Case(drawn.node, value, drawn.prefix, c.integer(0, 1 << 32))
        tally.update(counted)
        return case

    return (st.randoms(use_true_random=False) if shrinks else st.builds(random.Random, st.integers(0, 1 << 64))).map(
        draw_case
    )


def damaged(octets_: bytes, seed: int, count: int) -> Iterator[bytes]:
    """Octets with something changed, added, missing or cut off; and some that were never right."""
    chance = random.Random(seed)
    yield from (octets_ + b"\0", octets_[:-1], octets_[1:], b"")
    for _ in range(count):
        made = bytearray(octets_)
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            made = _harm(made, chance)
        yield bytes(made)


def _harm(made: bytearray, chance: random.Random) -> bytearray:
    """One change."""
    size, act = len(made), chance.randrange(12)
    if act == 0:
        return bytearray(chance.randbytes(chance.randint(0, size + 2)))
    if act == 1 or not size:
        return made + made[chance.randint(0, size) :] + chance.randbytes(1)
    at = chance.randrange(size)
    if act == 2:
        made[at:at] = chance.randbytes(chance.randint(1, 3))
    elif act == 3:
        del made[at : at + chance.randint(1, 3)]
    elif act == 4:
        del made[at:]
    elif act == 5:
        made[at] ^= 1 << chance.randrange(8)
    elif act == 6:
        made[at] = chance.choice((0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF))
    elif act == 7:
        made[at] = (made[at] + chance.choice((-2, -1, 1, 2))) % 256
    else:  # more or fewer octets, and an octet before them that says so: a length, as a rule
        there, number = chance.randint(at + 1, size), chance.choice((1, 1, 2, 4))
        if chance.random() < 0.6:
            made[there:there] = chance.randbytes(number)
        else:
            number = -len(made[there : there + number])
            del made[there : there - number]
        made[at] = (made[at] + chance.choice((number, number, number // 2))) % 256
    return made
