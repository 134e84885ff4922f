"""The stepped form of a grammar: states and sub-machines that put together the same records as compiled code.

Owns: the machines that nodes are made of.
Rule: every octet is one transition of the automata engine; a graph is shared, a Builder belongs to one run.
Must not know any protocol, nor how the engine loops.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cpppo.automata import choice, dfa, state, state_act, state_drop, state_take
from cpppo.grammar.building import Mismatch, Parts, Unfit
from cpppo.grammar.code import Lazy
from cpppo.grammar.expr import Expr, Ref

__all__ = ["Steps"]


class Steps(Protocol):
    """What is needed of a node here."""

    minimum: int
    _compiled: dict[Any, Lazy]

    def step(self, name: str | None, after: state | None) -> state:
        """The entry state of a machine."""

    def label(self) -> str:
        """A word for names."""


# ------------------------------------------------------------------ states
class Gather(state_take):
    """Consumes one octet of a field."""

    def take(self, symbol: Any, data: Any) -> None:
        data.raw.append(symbol)


class Complete(state_take):
    """Consumes the last octet of a field and delivers its value."""

    def __init__(self, name: str, field: str | None, convert: Callable[[bytearray], Any], terminal: bool) -> None:
        super().__init__(name, terminal=terminal)
        self.field, self.convert = field, convert

    def take(self, symbol: Any, data: Any) -> None:
        raw = data.raw
        raw.append(symbol)
        try:
            value = self.convert(raw)
        except Unfit as exc:
            raise data.unfit(str(exc), exc.at) from None
        raw.clear()
        data.put(self.field, value)


class Deliver(state_act):
    """Delivers a value that no octet stands for."""

    def __init__(self, name: str, field: str | None, value: Any, terminal: bool) -> None:
        super().__init__(name, terminal=terminal)
        self.field, self.value = field, value

    def act(self, data: Any, sent: int, ending: int | None) -> None:
        data.put(self.field, self.value)


class Check(state_act):
    """Runs a check on what was parsed so far."""

    def __init__(self, name: str, check: Callable[[Any, int, int | None], None]) -> None:
        super().__init__(name)
        self.check = check

    def act(self, data: Any, sent: int, ending: int | None) -> None:
        self.check(data, sent, ending)


class Chosen(choice):
    """Goes to the entry of a case, by an expression over earlier fields."""

    def __init__(self, key: Expr, entries: Mapping[Any, state], other: state | None) -> None:
        self.key, self.entries, self.other = key, entries, other
        self.targets = (*entries.values(), *((other,) if other is not None else ()))

    def choose(self, data: Any) -> state:
        key = self.key.value(data.values)
        entry = self.entries.get(key, self.other)
        if entry is None:
            raise Mismatch(f"{self.key!r} is {key!r}, which has no meaning here", data.source.sent)
        return entry


# ------------------------------------------------------------------ sub-machines
class Span(dfa):
    """Any number of octets up to its limit."""

    def __init__(self, name: str, field: str | None, convert: Any, **kwds: Any) -> None:
        super().__init__(name, **kwds)
        self.field, self.convert = field, convert

    def leave(self, data: Any, sent: int, ending: int | None) -> None:
        if self.convert is not None:
            data.deliver(self.field, self.convert)


class Composite(dfa):
    """Opens a container on entry; on leaving, delivers what ``build`` makes of it."""

    def __init__(self, name: str, field: str | None, kind: type, build: Callable[[Any], Any], **kwds: Any) -> None:
        super().__init__(name, **kwds)
        self.field, self.kind, self.build = field, kind, build

    def enter(self, data: Any, sent: int, ending: int | None) -> None:
        data.open(self.field, self.kind())

    def leave(self, data: Any, sent: int, ending: int | None) -> None:
        value = self.build(data.close())
        data.put(self.field, value)


class Made(Composite):
    """An artifact that a function makes of another; ``unfit``: what that raises for one it cannot use."""

    def __init__(self, name: str, field: str | None, build: Any, unfit: Any, initial: state) -> None:
        super().__init__(name, field, Parts, build, initial=initial, terminal=True)
        self.unfit = unfit

    def enter(self, data: Any, sent: int, ending: int | None) -> None:
        data.open(self.field, Parts(sent))

    def leave(self, data: Any, sent: int, ending: int | None) -> None:
        parts: Parts = data.top
        try:
            value = self.build(parts[0])
        except self.unfit as exc:
            why = f"cannot use {reprlib.repr(parts[0])}: {type(exc).__name__}: {exc}"
            raise Mismatch(why, parts.began) from exc
        data.close()
        data.put(self.field, value)


class Counted(Composite):
    """A list of a given number of items; the number is checked against the octets left before any is parsed."""

    def __init__(
        self, name: str, field: str | None, count: Expr, minimum: int, initial: state, most: int | None = None
    ) -> None:
        super().__init__(name, field, list, _same, initial=initial, repeat=_evaluated(count), terminal=True)
        self.count, self.minimum, self.most = count, minimum, most

    def enter(self, data: Any, sent: int, ending: int | None) -> None:
        count = self.count.value(data.values)
        if self.most is not None and count > self.most:
            raise Mismatch(f"{count} items, where {self.most} are allowed at most", sent)
        if count < 0 or (ending is not None and count * self.minimum > ending - sent):
            left = _left(sent, ending)
            raise Mismatch(f"{count} items of at least {self.minimum} octets, where {left} are left", sent)
        super().enter(data, sent, ending)


class Table(Composite):
    """A count, offsets and the items they point at."""

    def enter(self, data: Any, sent: int, ending: int | None) -> None:
        if ending is None:
            raise Mismatch("a table of offsets needs a limit, the last item extends to it", sent)
        data.open(self.field, {**data.values, "#size": ending - sent})


class Guard(dfa):
    """A sub-machine that fails alone; what is left of its limit is then skipped."""

    def __init__(self, name: str, field: str | None, malformed: Callable[[int, int], Any], initial: state) -> None:
        body = dfa(name, initial=initial, limit=remaining, exact=True, terminal=True)
        super().__init__(name, initial=body, terminal=True)
        self.field, self.malformed = field, malformed
        self.skipped = _many(state_drop("skip", terminal=True))

    def enter(self, data: Any, sent: int, ending: int | None) -> None:
        top = data.top
        data.marks.append((len(data.stack), len(top) if isinstance(top, list) else 0, sent))

    def leave(self, data: Any, sent: int, ending: int | None) -> None:
        data.marks.pop()

    def recover(self, exc: Exception, data: Any, sent: int, ending: int | None) -> state | None:
        if ending is None:
            return None
        depth, delivered, start = data.marks[-1]
        data.cut(depth)
        if isinstance(data.top, list):
            del data.top[delivered:]
        data.put(self.field, self.malformed(start, ending))
        return self.skipped


def remaining(source: Any, machine: Any, path: Any, data: Any) -> int:
    """What the limit of the machine around leaves."""
    if machine.ending is None:
        raise Mismatch("a part that fails alone needs a limit", source.sent)
    length: int = machine.ending - source.sent
    return length


def _same(value: Any) -> Any:
    return value


def _left(sent: int, ending: int | None) -> str:
    return "an unknown number" if ending is None else str(ending - sent)


def _evaluated(expr: Expr) -> Callable[..., int]:
    def evaluate(source: Any, machine: Any, path: Any, data: Any) -> int:
        value: int = expr.value(data.values)
        if value < 0:
            raise Mismatch(f"{expr!r} is {value}, which is no number of octets or items", source.sent)
        return value

    evaluate.__name__ = evaluate.__qualname__ = repr(expr)  # in pictures and errors
    return evaluate


# ------------------------------------------------------------------ how nodes put them together
def linked(one: state, after: state | None) -> state:
    """A state that goes on to another without input; with none after it, it is the (terminal) end of its machine."""
    if after is not None:
        one[None] = after
    return one


def _many(one: state) -> state:
    """A machine's initial state that repeats a consuming (and terminal) state as long as there are symbols."""
    entry = state(one.name + "*", terminal=True)
    entry[True] = one
    one[True] = one
    return entry


def chain(
    field: str | None, size: int, convert: Callable[[Any], Any] | None, after: state | None, label: str | None = None
) -> state:
    """``size`` octets, one state each; ``convert`` makes the value delivered of them (None: dropped)."""
    label = label or field or "octet"
    names = [f"{label}+{number}" if size > 1 else label for number in range(size)]
    done = after is None
    states: list[state]
    if convert is None:
        states = [*(state_drop(name) for name in names[:-1]), state_drop(names[-1], terminal=done)]
    else:
        states = [*(Gather(name) for name in names[:-1]), Complete(names[-1], field, convert, done)]
    for one, following in zip(states, states[1:], strict=False):
        one[True] = following
    linked(states[-1], after)
    return states[0]


def span(field: str | None, count: Expr | None, convert: Any, after: state | None, label: str | None = None) -> state:
    """``count`` octets (None: the rest of the limit)."""
    label = label or field or "octets"
    one = state_drop(label, terminal=True) if convert is None else Gather(label, terminal=True)
    limits = {} if count is None else {"limit": _evaluated(count), "exact": True}
    return linked(Span(label, field, convert, initial=_many(one), terminal=True, **limits), after)


def limited(field: str | None, initial: state, length: Expr, after: state | None) -> state:
    """A machine that must fill exactly the octets an expression says."""
    return linked(dfa(field or "within", initial=initial, limit=_evaluated(length), exact=True, terminal=True), after)


def chosen(field: str | None, key: Expr, entries: Mapping[Any, state], other: state | None) -> state:
    """A switch on earlier fields."""
    entry = state(field or "switch")
    entry[None] = Chosen(key, entries, other)
    return entry


def peeked(field: str | None, entries: Mapping[int, state], other: state | None) -> state:
    """A switch on the next octet."""
    entry = state(field or "peek")
    for octet, target in entries.items():
        entry[octet] = target
    if other is not None:
        entry[True] = other
    return entry


def repeated(field: str | None, node: Steps, count: Expr | None, after: state | None, most: int | None = None) -> state:
    """A counted repetition, or one that fills the rest of the limit (None)."""
    label = field or node.label()
    if count is not None:
        return linked(Counted(label, field, count, node.minimum, node.step(None, None), most), after)
    entry = state(f"{label}*", terminal=True)
    entry[True] = node.step(None, entry)
    return linked(Composite(label, field, list, _same, initial=entry, terminal=True), after)


def offset_table(field: str | None, node: Steps, word: Any, after: state | None) -> state:
    """A count, that many offsets from the count word, and the items they point at."""
    size = word.size

    def counted(data: Any, sent: int, ending: int | None) -> None:
        count, total = data.values["#count"], data.values["#size"]
        if count * (size + node.minimum) > total - size:
            raise Mismatch(f"{count} offsets and items do not fit in the {total - size} octets left", sent)

    def monotonic(data: Any, sent: int, ending: int | None) -> None:
        values = data.values
        values["#edges"] = edges = [*values["#offset"], values["#size"]]
        head = size + size * values["#count"]
        values["#gap"] = edges[0] - head
        if edges[0] < head or (edges[0] != head and not values["#count"]):
            raise Mismatch(f"the items start at {edges[0]}, but their table ends at {head}", sent)
        for one, following in zip(edges, edges[1:], strict=False):
            if following < one or following > values["#size"]:
                raise Mismatch(
                    f"offset {following} after {one} does not lie in the {values['#size']} octets there are", sent
                )

    def extent(source: Any, machine: Any, path: Any, data: Any) -> int:
        edges, number = data.values["#edges"], len(data.top)
        length: int = edges[number + 1] - edges[number]
        return length

    item = dfa("item", initial=node.step(None, None), limit=extent, exact=True, terminal=True)
    items = Counted("item", "#item", Ref("#count"), 0, item)
    gap = span(None, Ref("#gap"), None, items, label="gap")
    check = Check("offsets", monotonic)
    linked(check, gap)
    offsets = Counted("offset", "#offset", Ref("#count"), size, chain(None, size, word.unpack, None, label="offset"))
    linked(offsets, check)
    fits = Check("count", counted)
    linked(fits, offsets)
    initial = chain("#count", size, word.unpack, fits, label="count")
    return linked(
        Table(field or "table", field, dict, lambda values: values["#item"], initial=initial, terminal=True), after
    )


def made(field: str | None, initial: state, build: Callable[[Any], Any], unfit: Any, after: state | None) -> state:
    """A machine whose one artifact is made into another."""
    return linked(Made(field or "made", field, build, unfit, initial), after)


def guarded(field: str | None, initial: state, malformed: Callable[[int, int], Any], after: state | None) -> state:
    """A machine that fails alone, skipping the rest of its limit."""
    return linked(Guard(field or "guarded", field, malformed, initial), after)


def deliver(field: str | None, value: Any, after: state | None) -> state:
    """A value that no octet stands for."""
    return linked(Deliver(field or "nothing", field, value, after is None), after)


def message(field: str | None, label: str, fields: Any, build: Callable[[Any], Any], after: state | None) -> state:
    """The fields of a message, one after the other."""
    entry: state | None = None
    for name, node in reversed(fields):
        entry = node.step(name, entry)
    entry = entry if entry is not None else state("empty", terminal=True)
    return linked(Composite(label, field, dict, build, initial=entry, terminal=True), after)
