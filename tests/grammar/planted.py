"""Faults of an engine, each put in by patching one place: the differential harness must find every one.

Rule: a fault is small and likely, of one engine or of the producer; generated code is changed line by line, where
``planted()`` tells whether any line was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pytest import MonkeyPatch

from cpppo.grammar import artifacts, delimiters, node, nodes, parse, produce, repeats, shapes, stepping
from cpppo.grammar.expr import Expr

__all__ = ["BUGS"]

Planted = Callable[[], bool]
BUGS: dict[str, Callable[[MonkeyPatch], Planted]] = {}


def bug(plant: Callable[[MonkeyPatch], Planted | None]) -> Callable[[MonkeyPatch], Planted | None]:
    """Register a fault by the words of its function's name."""
    BUGS[plant.__name__.replace("_", " ")] = lambda patch: plant(patch) or (lambda: True)
    return plant


def rewritten(patch: MonkeyPatch, cls: Any, method: str, pattern: str, replacement: str) -> Planted:
    """Change the lines of source that a node itself emits."""
    count = 0
    original = getattr(cls, method)

    def emit(self: Any, c: Any, *args: Any) -> None:
        nonlocal count
        line = c.line

        def changed(text: str) -> None:
            nonlocal count
            made = re.sub(pattern, replacement, text)
            count += made != text
            line(made)

        outermost = "line" not in vars(c)
        if outermost:
            c.line = changed
        try:
            original(self, c, *args)
        finally:
            if outermost:
                del c.line

    patch.setattr(cls, method, emit)
    return lambda: count > 0


# ------------------------------------------------------------------ compiled parsers
@bug
def compiled_fields_may_end_before_the_end(patch: MonkeyPatch) -> Planted | None:
    """ParseCode.flush forgets that a delimited run must end exactly there."""
    flush = parse.ParseCode.flush

    def lax(self: parse.ParseCode, delimited: bool = False) -> None:
        flush(self, False)

    patch.setattr(parse.ParseCode, "flush", lax)
    return None


@bug
def compiled_vector_bound_off_by_one(patch: MonkeyPatch) -> Planted | None:
    """A vector may reach one octet beyond its limit."""
    return rewritten(patch, repeats.Vector, "emit_parse", r"^(if .* > )(\w+)( - .*: raise Reject)$", r"\1\2 + 1\3")


@bug
def compiled_limit_is_not_consumed_exactly(patch: MonkeyPatch) -> Planted | None:
    """What stands within a length may leave octets over."""
    within = node.Within.emit_parse

    def lax(self: Any, c: Any, target: str | None, delimited: bool) -> None:
        inner = self.node
        emit = inner.emit_parse
        needs = isinstance(inner, (shapes.Guarded, repeats.Offsets, artifacts.Mapped, shapes.Switch))
        inner.emit_parse = lambda c, target, _: emit(c, target, needs)
        try:
            within(self, c, target, delimited)
        finally:
            del inner.emit_parse

    patch.setattr(node.Within, "emit_parse", lax)
    return None


@bug
def compiled_limit_may_leave_the_enclosing_one(patch: MonkeyPatch) -> Planted | None:
    """A nested length is not held against the limit around it."""
    return rewritten(patch, node.Within, "emit_parse", r"^if end\w* > \w+: raise Reject$", "pass")


@bug
def compiled_drop_accepts_a_wrong_count(patch: MonkeyPatch) -> Planted | None:
    """Reserved octets that are not all there are accepted."""
    return rewritten(patch, nodes.Drop, "emit_parse", r"^if p\w* (>|!=) \w+: raise Reject$", "pass")


@bug
def compiled_offsets_may_decrease(patch: MonkeyPatch) -> Planted | None:
    """The table of offsets is not checked to be monotonic."""
    return rewritten(patch, repeats.Offsets, "emit_parse", r"^if stop\w* < start\w* or ", "if ")


@bug
def compiled_guard_swallows_nothing(patch: MonkeyPatch) -> Planted | None:
    """The place of what failed alone is off by one."""
    return rewritten(patch, shapes.Guarded, "emit_parse", r"(Malformed\w*\(.*)\)$", r"\1 - 1)")


@bug
def compiled_delimiter_is_sought_beyond_the_limit(patch: MonkeyPatch) -> Planted | None:
    """A value may reach for a delimiter that belongs to what follows its limit."""
    return rewritten(patch, delimiters.Until, "emit_parse", r"(o\.find\(.*), \w+\)$", r"\1)")


@bug
def compiled_delimited_value_has_no_bound(patch: MonkeyPatch) -> Planted | None:
    """A value may be as long as a peer likes."""
    return rewritten(patch, delimiters.Until, "emit_parse", r"^if not 0 <= (.*) <= \d+:", r"if not 0 <= \1:")


@bug
def memo_of_a_shorter_key(patch: MonkeyPatch) -> Planted | None:
    """What was learnt is remembered under its first octets too."""
    learn = artifacts.Memo._learn

    def confused(self: Any, octets: bytes) -> Any:
        value = learn(self, octets)
        self.known[octets[:-1]] = value
        return value

    patch.setattr(artifacts.Memo, "_learn", confused)
    return None


# ------------------------------------------------------------------ the stepped machine
@bug
def stepped_scalar_loses_its_sign(patch: MonkeyPatch) -> Planted | None:
    """A signed scalar is converted as an unsigned one."""
    unpack = nodes.Scalar.unpack

    def unsigned(self: Any, octets: Any) -> Any:
        if self.struct_format[-1] in "bhi":
            return int.from_bytes(octets, "big" if self.big else "little")
        return unpack(self, octets)

    patch.setattr(nodes.Scalar, "unpack", unsigned)
    return None


@bug
def stepped_switch_takes_its_default_for_zero(patch: MonkeyPatch) -> Planted | None:
    """A key of zero is taken for no key."""

    def choose(self: Any, data: Any) -> Any:
        key = self.key.value(data.values)
        entry = (self.entries.get(key) if key else None) or self.other
        if entry is None:
            raise stepping.Mismatch("no such case", 0)
        return entry

    patch.setattr(stepping.Chosen, "choose", choose)
    return None


@bug
def stepped_limit_is_not_consumed_exactly(patch: MonkeyPatch) -> Planted | None:
    """What stands within a length may leave octets over, that are then taken for what follows."""
    limited = stepping.limited

    def lax(field: str | None, initial: Any, length: Expr, after: Any) -> Any:
        machine = limited(field, initial, length, after)
        machine.exact = False  # type: ignore[attr-defined]
        return machine

    patch.setattr(stepping, "limited", lax)
    return None


@bug
def stepped_drop_is_one_octet_short(patch: MonkeyPatch) -> Planted | None:
    """A computed number of reserved octets is one less, if there are two or more."""
    span = stepping.span

    def short(field: Any, count: Any, convert: Any, after: Any, label: Any = None) -> Any:
        if convert is None and count is not None and hasattr(count, "left"):
            original = count

            class Short(Expr):
                __slots__ = ()

                def value(self, values: Any) -> Any:
                    number = original.value(values)
                    return number - (number > 1)

            count = Short()
        return span(field, count, convert, after, label)

    patch.setattr(stepping, "span", short)
    return None


@bug
def stepped_vector_is_not_bounded_before_its_items(patch: MonkeyPatch) -> Planted | None:
    """A count that is negative or too large repeats nothing."""
    evaluated = stepping._evaluated

    def lax(expr: Expr) -> Any:
        evaluate = evaluated(expr)
        return lambda **kwds: evaluate(**kwds) % 3

    patch.setattr(stepping, "_evaluated", lax)
    return None


@bug
def stepped_delimiter_starts_afresh_where_it_breaks_off(patch: MonkeyPatch) -> Planted | None:
    """Octets that were taken for the first of a delimiter are not looked at again."""

    def forgetful(self: Any, matched: int, octet: int) -> int:
        return matched + 1 if self.delimiter[matched] == octet else 0

    patch.setattr(delimiters.Until, "_matched", forgetful)
    return None


@bug
def stepped_delimited_value_may_be_one_octet_longer(patch: MonkeyPatch) -> Planted | None:
    """The bound of the machine is not that of the parser."""
    init = delimiters._Seeking.__init__

    def lax(self: Any, name: str, matched: int, node: Any) -> None:
        init(self, name, matched, node)
        self.most += 1

    patch.setattr(delimiters._Seeking, "__init__", lax)
    return None


# ------------------------------------------------------------------ producers
@bug
def produced_length_forgets_its_constant(patch: MonkeyPatch) -> Planted | None:
    """A length that counts more than what it limits is produced too large."""
    derive = produce.ProduceCode.derive

    def forgetful(self: Any, expr: Expr, amount: str, granularity: int) -> None:
        name, factor, constant = expr.solve()
        derive(self, _Solved(name, factor, 0 if constant == 1 else constant), amount, granularity)

    patch.setattr(produce.ProduceCode, "derive", forgetful)
    return None


class _Solved(Expr):
    __slots__ = ("solved",)

    def __init__(self, *solved: Any) -> None:
        self.solved = solved

    def solve(self) -> Any:
        return self.solved


@bug
def produced_vector_in_the_other_order(patch: MonkeyPatch) -> Planted | None:
    """The items of a vector of big-endian scalars are written little-endian."""
    joined = repeats._emit_joined

    def little(c: Any, node: Any, items: str) -> None:
        if type(node) is nodes.Scalar and node.big:
            node = nodes.Scalar(node.name, node.code)
        joined(c, node, items)

    patch.setattr(repeats, "_emit_joined", little)
    return None


@bug
def produced_table_points_one_octet_short(patch: MonkeyPatch) -> Planted | None:
    """Offsets count from behind the count, not from it."""
    return rewritten(patch, repeats.Offsets, "emit_produce", r"(at\w* = )\w+ \+ ", r"\1")
