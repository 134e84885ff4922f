"""Pictures of machines: as text, and in the language of graphviz.

Owns how the states of a machine and the transitions between them are drawn.  Rule: a picture is a function
of the definition alone, the same each time; each machine is drawn once, whatever leads back to it.  Must not
know how machines are run, nor how graphviz is.

What a picture says on transitions: symbols as they are written in Python, octets by number; ``any`` symbol,
or ``any other`` than those that lead elsewhere; ``always`` and ``otherwise`` for what takes no symbol to
decide on (a transition on None); and below what condition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from unicodedata import combining, east_asian_width

from cpppo.automata.naming import embrace, shown
from cpppo.automata.state import state
from cpppo.automata.symbols import OCTETS, CharacterClass
from cpppo.automata.targets import decides
from cpppo.errors import UsageError

__all__ = ["columns", "diagram", "on_one_line", "padded", "symbol_text", "ways_on"]

STYLES = ("text", "dot", "svg")

# Columns of names and symbols, in text, beyond which these get lines of their own; and of symbols in DOT.
NAME_COLUMNS, SYMBOL_COLUMNS, DOT_COLUMNS = 32, 44, 24

# What an object that chooses without listing its targets leads to.
UNKNOWN = object()


def diagram(machine: Any, style: str = "text") -> str:
    """A picture of what is inside a machine.

    :param style: ``'text'``, states in the order of their distance from the initial one, which ``>`` marks;
        ``'dot'``, the language of graphviz; or ``'svg'``, made by graphviz.
    :raises UsageError: for another style.
    :raises PictureError: for ``'svg'`` where graphviz is not installed, or fails.
    """
    if style not in STYLES:
        raise UsageError(f"there is no diagram in the style {style!r}: ask for 'text', 'dot' or 'svg'")
    if style == "text":
        return _text(machine)
    if style == "dot":
        return _dot(machine)
    from cpppo.automata.picture import svg

    return svg(_dot(machine))


# ------------------------------------------------------------------ words
def on_one_line(text: str) -> str:
    """``text`` with all that cannot be printed, line ends among it, as in a Python literal."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def columns(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    return sum(0 if combining(each) else 2 if east_asian_width(each) in "WF" else 1 for each in text)


def padded(text: str, width: int) -> str:
    """``text`` and spaces, ``width`` columns in all."""
    return text + " " * (width - columns(text))


def symbol_text(symbol: Any) -> str:
    """A symbol in a picture or table: an octet by its number, and its character if it has one in ASCII."""
    if type(symbol) is int and symbol in OCTETS:
        return f"{symbol:#04x} {chr(symbol)!r}" if 0x20 < symbol < 0x7F else f"{symbol:#04x}"
    return on_one_line(shown(symbol))


def ways_on(place: Any) -> str:
    """On which symbols one moves on from a state, in a line of text; empty if on none."""
    return ", ".join(
        part + (f" {move.condition}" if move.condition else "")
        for move in _moves(place)
        if move.target is not None
        for part in move.parts
    )


def _characters(first: int, last: int) -> str:
    return repr(chr(first)) if first == last else f"{chr(first)!r}-{chr(last)!r}"


def _numbers(first: int, last: int) -> str:
    if first == last:
        return symbol_text(first)
    if first < 0 or last not in OCTETS:
        return f"{first} to {last}"
    letters = f" {chr(first)!r}-{chr(last)!r}" if first > 0x20 and last < 0x7F else ""
    return f"{first:#04x}-{last:#04x}{letters}"


def _joined(ranges: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Ranges in order; those that touch are one, but two neighbours stay two."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    for first, last in merged:
        yield from ((first, first), (last, last)) if last - first == 1 else ((first, last),)


def _parts(keys: Iterable[Any], any_symbol: str, no_symbol: str) -> list[str]:
    """The keys of transitions in words, neighbouring symbols merged."""
    characters: list[tuple[int, int]] = []
    numbers: list[tuple[int, int]] = []
    predicates: list[str] = []
    others: list[str] = []
    last: list[str] = []
    for key in keys:
        if isinstance(key, CharacterClass):
            (numbers if key.octets else characters).extend(key.ranges)
        elif isinstance(key, str) and len(key) == 1:
            characters.append((ord(key), ord(key)))
        elif type(key) is int:
            numbers.append((key, key))
        elif key is True or key is None:
            last.append(any_symbol if key else no_symbol)
        else:
            (predicates if callable(key) else others).append(symbol_text(key))
    named = [*(_characters(*each) for each in _joined(characters)), *(_numbers(*each) for each in _joined(numbers))]
    return [*predicates, *named, *others, *last]


def _wrapped(parts: list[str], condition: str, width: int) -> list[str]:
    """The parts in lines of about ``width`` columns."""
    lines = [""]
    for at, part in enumerate(parts, 1):
        piece = part + ("," if at < len(parts) else f" {condition}" if condition else "")
        if lines[-1] and columns(lines[-1]) + 1 + columns(piece) > width:
            lines.append(piece)
        else:
            lines[-1] += (" " if lines[-1] else "") + piece
    return lines


# ------------------------------------------------------------------ what is drawn
class _Move(NamedTuple):
    """Transitions to one target below one condition; the target is a state, None or UNKNOWN."""

    parts: list[str]
    condition: str
    target: Any


def _ends(given: Any) -> Iterator[tuple[str, Any]]:
    """The states that a target may lead to, each with the condition for that."""
    if given is None or isinstance(given, state):
        yield "", given
    elif decides(given):
        condition = "" if given.predicate is None else f"if {on_one_line(str(given.name))}"
        for inner, there in _ends(given.state):
            yield f"{condition} {inner}".strip(), there
    else:
        for there in tuple(getattr(given, "targets", ())) or (UNKNOWN,):
            yield f"by {type(given).__name__}", there


def _moves(place: Any) -> list[_Move]:
    """The transitions of a state, those of the same target merged."""
    edges = list(place.edges())
    count = Counter((key is True, key) for key, _ in edges)
    any_symbol = "any" if all(key is True or key is None for key, _ in edges) else "any other"
    no_symbol = "always" if all(key is None for key, _ in edges) else "otherwise"
    merged: dict[Any, tuple[list[Any], str, Any]] = {}
    for at, (key, given) in enumerate(edges):
        for condition, there in _ends(given):
            # where a key has several targets these are tried in order, which merging would hide
            alone = at if count[key is True, key] > 1 else None
            merged.setdefault((id(there), condition, alone), ([], condition, there))[0].append(key)
    moves = []
    for symbols, condition, there in merged.values():
        parts = _parts(symbols, any_symbol, no_symbol)
        if condition and parts == ["always"]:
            parts, condition = [condition], ""
        moves.append(_Move(parts, condition, there))
    return moves


def _is_machine(place: Any) -> bool:
    return isinstance(getattr(place, "initial", None), state)


def _named(place: Any, taken: set[str]) -> str:
    """The text of a state or machine, numbered if another has that text."""
    name = on_one_line(place.own_name if _is_machine(place) else place.name)
    label = embrace(name, place._terminal)
    number = 1
    while label in taken:
        number += 1
        label = embrace(f"{name} #{number}", place._terminal)
    taken.add(label)
    return label


def _notes(place: Any) -> str:
    """What else is to be known of a state or machine."""
    notes = [
        f"{what} {given if isinstance(given, (int, str)) else getattr(given, '__name__', shown(given))}"
        for what in ("limit", "repeat")
        if (given := getattr(place, what, None)) is not None
    ]
    return on_one_line(", ".join(notes + ([] if place.greedy else ["not greedy"])))


class _Level:
    """The inside of one machine: its states, and their texts."""

    def __init__(self, machine: Any, depth: int, machines: dict[Any, str]) -> None:
        self.depth = depth
        self.states = tuple(state.nodes(machine.initial))  # also where that is a machine itself
        self.labels: dict[Any, str] = {}
        for each in filter(_is_machine, self.states):
            if each not in machines:
                machines[each] = _named(each, set(machines.values()))
            self.labels[each] = machines[each]
        taken = set(self.labels.values())
        for each in self.states:
            if each not in self.labels:
                self.labels[each] = _named(each, taken)

    def target(self, there: Any) -> str:
        return "no transition" if there is None else "?" if there is UNKNOWN else self.labels[there]


class _Item(NamedTuple):
    """One state of a level.  Of a machine that is drawn here for the first time, ``inside`` is its level."""

    level: _Level
    state: Any
    inside: _Level | None

    @property
    def label(self) -> str:
        drawn = ", drawn above" if _is_machine(self.state) and self.inside is None else ""
        notes = _notes(self.state)
        return self.level.labels[self.state] + (f" {notes}" if notes else "") + drawn


def _items(root: Any) -> list[_Item]:
    """All states to draw, each machine followed by what is inside it."""
    machines = {root: _named(root, set())}
    drawn = {root}
    items = []
    top = _Level(root, 0, machines)
    waiting = [(top, iter(top.states))]
    while waiting:
        level, states = waiting[-1]
        for each in states:
            opens = _is_machine(each) and each not in drawn
            inside = _Level(each, level.depth + 1, machines) if opens else None
            items.append(_Item(level, each, inside))
            if inside is not None:
                drawn.add(each)
                waiting.append((inside, iter(inside.states)))
                break
        else:
            waiting.pop()
    return items


# ------------------------------------------------------------------ text
def _text(root: Any) -> str:
    items = _items(root)
    # of each item, its lines of symbols, with the target at the end of the last of each transition
    moves = [
        [
            (line, item.level.target(move.target) if line is lines[-1] else "")
            for move in _moves(item.state)
            for lines in [_wrapped(move.parts, move.condition, SYMBOL_COLUMNS)]
            for line in lines
        ]
        for item in items
    ]
    names: dict[_Level, int] = {}
    symbols: dict[_Level, int] = {}
    for item, own in zip(items, moves, strict=True):
        names[item.level] = max(names.get(item.level, 0), min(columns(item.label), NAME_COLUMNS))
        symbols[item.level] = max([symbols.get(item.level, 0), *(columns(line) for line, _ in own)])
    notes = _notes(root)
    lines = [_named(root, set()) + (f" {notes}" if notes else "")]
    for item, own in zip(items, moves, strict=True):
        level = item.level
        margin = "    " * level.depth + ("  > " if item.state is level.states[0] else "    ")
        head = margin + padded(item.label, names[level])
        if columns(item.label) > NAME_COLUMNS and own:
            lines.append(head)
            head = ""
        for line, there in own or [("", "")]:
            before = padded(head, len(margin) + names[level])
            lines.append(f"{before}  {padded(line, symbols[level])}  {there and f'-> {there}'}".rstrip())
            head = ""
    return "\n".join(lines)


# ------------------------------------------------------------------ DOT
def _quoted(text: str) -> str:
    """A string of DOT; there, texts also hold entities as in HTML."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("&", "&amp;"), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


def _titled(label: str, place: Any) -> str:
    notes = _notes(place)
    return _quoted(f"{label}\n{notes}" if notes else label)


def _dot(root: Any) -> str:
    items = _items(root)
    ids = {(item.level, item.state): f"n{number}" for number, item in enumerate(items)}
    lines = [
        "digraph {",
        f"  graph [label={_titled(_named(root, set()), root)} labelloc=t rankdir=LR compound=true]",
        "  node [shape=circle]",
        '  start [shape=point label=""]',
        f"  start -> {ids[items[0].level, items[0].state]}",
    ]
    edges: list[str] = []
    depth = 0
    for item in items:
        while depth > item.level.depth:
            lines.append("  " * depth + "}")
            depth -= 1
        margin, own = "  " * (depth + 1), ids[item.level, item.state]
        if item.inside is not None:
            # the point marks the inside's initial state, and is where transitions to the machine lead
            bold = " penwidth=2" if item.state._terminal else ""
            lines += [
                f"{margin}subgraph cluster_{own} {{",
                f"{margin}  graph [label={_titled(item.level.labels[item.state], item.state)}{bold}]",
                f'{margin}  {own} [shape=point label=""]',
            ]
            edges.append(f"  {own} -> {ids[item.inside, item.inside.states[0]]}")
            depth += 1
        else:
            lines.append(f"{margin}{own} [{_node(item)}]")
        for number, move in enumerate(_moves(item.state)):
            known = move.target is not None and move.target is not UNKNOWN
            there = ids[item.level, move.target] if known else f"{own}_{number}"
            if not known:
                lines.append(f"{margin}{there} [shape=none label={_quoted('×' if move.target is None else '?')}]")
            label = "\n".join(_wrapped(move.parts, move.condition, DOT_COLUMNS))
            dashed = " style=dashed" if move.condition else ""
            # from the border of a machine, not from the point inside it
            tail = f" ltail=cluster_{own}" if item.inside is not None and there != own else ""
            edges.append(f"  {own} -> {there} [label={_quoted(label)}{dashed}{tail}]")
    lines += ["  " * level + "}" for level in range(depth, 0, -1)]
    return "\n".join([*lines, *edges, "}"])


def _node(item: _Item) -> str:
    """The attributes of a state; of a machine, those of a box that stands for what is drawn elsewhere."""
    terminal = bool(item.state._terminal)
    if _is_machine(item.state):
        return f"label={_titled(item.level.labels[item.state], item.state)} shape=box" + " peripheries=2" * terminal
    label = item.level.labels[item.state]
    return f"label={_titled(label[2:-2], item.state)}" + " shape=doublecircle" * terminal
