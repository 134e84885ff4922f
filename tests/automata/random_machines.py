"""Machines drawn at random, words to run them over, and what a run of them told.

Owns the drawing.  Rule: a machine is drawn as the Python text that builds it, so that what fails is printed as its
own reproduction; all chance comes from the generator given.  Must not know which answers are right (see references).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import cpppo.automata
from cpppo.automata import chainable, dfa, dfa_drop, dfa_input, regex, regex_bytes
from cpppo.dotdict import dotdict
from cpppo.errors import GrammarError, NonTerminal

__all__ = ["Graph", "Pattern", "Told", "chunkings", "cut", "draw_graph", "draw_pattern", "draw_words", "told"]

Tally = Counter[str]
Word = Sequence[Any]

# ------------------------------------------------------------------ running

#: What an error says of the symbol that follows, which a run in pieces may not have seen yet.
NEXT = re.compile(r"no more input|next symbol .*", re.DOTALL)


class Told(NamedTuple):
    """What a run did; ``steps`` without the waits for a symbol, ``accepted`` None where it went in circles."""

    consumed: int
    accepted: bool | None
    terminal: bool
    data: dict[str, list[Any]]
    steps: list[tuple[str, str]]
    error: str


def told(machine: Any, pieces: Iterable[Word]) -> Told:
    """Step ``machine`` over the pieces, each chained when the run wants a symbol that is not there."""
    source, data, error = chainable(), dotdict(), ""
    steps: list[tuple[str, str]] = []
    accepted: bool | None = True
    coming = iter(pieces)
    run = machine.run(source, data=data)
    try:
        for seen, entered in run:
            if entered is not None:
                steps.append((seen.own_name, getattr(entered, "own_name", entered.name)))
            else:  # going on with nothing there would tell it that the source has ended
                while source.peek() is None and (piece := next(coming, None)) is not None:
                    source.chain(piece)
    except NonTerminal as exc:
        accepted, error = False, NEXT.sub("", str(exc))
    except GrammarError as exc:
        if "circles" not in str(exc):
            raise
        accepted, error = None, str(exc)
    kept = {key: list(value) for key, value in data.items() if len(value)}
    return Told(source.sent, accepted, machine.terminal, kept, steps, error)


def cut(word: Word, ends: Iterable[int]) -> list[Word]:
    """The pieces of a word that end at these places; some may be empty."""
    places = [0, *sorted(end for end in ends if end <= len(word)), len(word)]
    return [word[first:last] for first, last in zip(places, places[1:], strict=False)]


def chunkings(word: Word, chance: Random, every: int) -> Iterator[list[Word]]:
    """A word in pieces: in every way if it is no longer than ``every``, else in single symbols and at random."""
    inner = range(1, len(word))
    if len(word) <= every:
        for chosen in range(1, 1 << len(inner)):
            yield cut(word, (place for place in inner if chosen >> (place - 1) & 1))
    elif inner:
        yield cut(word, inner)
    yield cut(word, (chance.randint(0, len(word)) for _ in range(3)))


# ------------------------------------------------------------------ graphs

#: Symbols that graphs name, and others that words also hold: both sorts count alike.
TEXT, OCTETS = ("a", "b", "c", "é", "😀"), (0, 1, 97, 128, 255)
CLASSES = {
    False: ("((97, 98),)", "((97, 97), (233, 0x10FFFF))", "((98, 0x10FFFF),)", "((99, 99),)"),
    True: ("((0, 1),)", "((97, 128),)", "((1, 255),)", "((255, 255),)"),
}
ALPHABETS = {
    False: ("str", "'abc'", "{'a', 'b', '😀'}", "lambda symbol: symbol < 'c'"),
    True: ("int", "range(256)", "b'\\x00\\x01a'", "lambda symbol: symbol > 0"),
}


class Graph(NamedTuple):
    """A machine drawn: the text that builds it, and the symbols of its words."""

    text: str
    symbols: tuple[Any, ...]

    def build(self) -> dfa:
        """Another machine of it."""
        names = dict(vars(cpppo.automata))
        exec(self.text, names)  # our own text: see _Drawing
        machine: dfa = names["machine"]
        return machine


class _Drawing:
    """A graph as it is drawn."""

    def __init__(self, chance: Random, tally: Tally) -> None:
        self.chance, self.tally = chance, tally
        self.octets = self.likely(0.35)
        self.symbols: tuple[Any, ...] = OCTETS if self.octets else TEXT
        self.lines: list[str] = []
        self.states = 0

    def likely(self, share: float) -> bool:
        return self.chance.random() < share

    def kind(self, share: float, name: str) -> bool:
        """True, and counted, with this likelihood."""
        chosen = self.likely(share)
        self.tally[name] += chosen
        return chosen

    def machine(self, depth: int, most: int | None) -> str:
        """Lines of a machine inside of ``depth`` others, of which the limit is at most ``most``, most often."""
        inside = "nested " if depth else ""
        given = [f"terminal={self.kind(0.75 if depth else 0.9, inside + 'machine terminal')}"]
        if self.kind(0.25, inside + "machine not greedy"):
            given.append("greedy=False")
        if self.kind(0.35, inside + "limit"):
            limit = self.chance.randint(0, 4)
            if most is not None and self.likely(0.9):
                limit = min(limit, most)
            self.tally[f"{inside}limit {limit}"] += 1
            most = limit
            given.append(f"limit={limit}")
            if self.kind(0.3, inside + "exact"):
                given.append("exact=True")
        if self.kind(0.35, inside + "repeat"):
            repeat = self.chance.choice((0, 1, 2, 2, 3))
            self.tally[f"{inside}repeat {repeat}"] += 1
            given.append(f"repeat={repeat}")
        if self.likely(0.7):
            given.append(f"context='m{depth}'")
        made = [self.state(depth, most) for _ in range(self.chance.randint(1, 4))]
        for name, kind in made:
            self.edges(name, kind, made)
        cls = "dfa"
        if self.kind(0.06, "machine that takes"):
            cls = self.chance.choice((dfa_input, dfa_drop)).__name__
        name = f"m{self.states}"
        self.states += 1
        self.lines.append(f"{name} = {cls}('{name}', {made[0][0]}, {', '.join(given)})")
        return name

    def state(self, depth: int, most: int | None) -> tuple[str, str]:
        """A line of a state; its name and class."""
        kind = self.chance.choice(("state", "state_input", "state_input", "state_input", "state_drop", "dfa"))
        if kind == "dfa":
            if depth < 2:
                self.tally["nested machine"] += 1
                return self.machine(depth + 1, most), kind
            kind = "state_input"
        self.tally[kind] += 1
        name = f"s{self.states}"
        self.states += 1
        given = [f"'{name}'"]
        if self.kind(0.5, "terminal"):
            given.append("terminal=True")
        if self.kind(0.15, "state not greedy"):
            given.append("greedy=False")
        if self.kind(0.15, f"alphabet of {kind}"):
            given.append(f"alphabet={self.chance.choice(ALPHABETS[self.octets])}")
        if self.kind(0.06, f"limit of {kind}"):
            given.append(f"limit={self.chance.randint(0, 2)}")
        if self.likely(0.2):
            given.append("context='c'")
        self.lines.append(f"{name} = {kind}({', '.join(given)})")
        return name, kind

    def edges(self, name: str, kind: str, made: list[tuple[str, str]]) -> None:
        """Lines of the transitions of a state."""
        idle = kind in ("state", "dfa")
        for symbol in self.chance.sample(self.symbols, self.chance.randint(0, 3)):
            self.tally["exact symbol"] += 1
            self.edge(name, repr(symbol), made, idle)
        if self.kind(0.25, "class of characters"):
            for ranges in self.chance.sample(CLASSES[self.octets], self.chance.randint(1, 2)):
                self.edge(name, f"CharacterClass({ranges}, {self.octets})", made, idle)
        if self.kind(0.02, "predicate"):
            self.edge(name, f"lambda symbol: symbol == {self.symbols[0]!r}", made, idle)
        if self.kind(0.25, "any symbol"):
            self.edge(name, "True", made, idle)
        if self.kind(0.45 if kind == "state" else 0.15, "no symbol"):
            self.edge(name, "None", made, idle)

    def edge(self, name: str, key: str, made: list[tuple[str, str]], idle: bool) -> None:
        takes = [each for each, kind in made if kind in ("state_input", "state_drop")]
        target = self.chance.choice(takes if idle and takes and self.likely(0.75) else [each for each, _ in made])
        if self.kind(0.08, "explicitly no transition"):
            target = "None"
        if self.kind(0.08, "unconditional decide"):
            target = f"decide('', {target})"
        elif self.kind(0.02, "conditional decide"):
            self.lines.append(f"{name}[{key}] = decide('', {target}, lambda source, **given: source.sent % 2)")
        self.lines.append(f"{name}[{key}] = {target}")


def draw_graph(chance: Random, tally: Tally) -> Graph:
    """A machine made by hand; what it holds is counted."""
    drawing = _Drawing(chance, tally)
    tally["octets" if drawing.octets else "text"] += 1
    drawing.lines.append(f"machine = {drawing.machine(0, None)}")
    return Graph("\n".join(drawing.lines), drawing.symbols)


# ------------------------------------------------------------------ patterns

#: Pieces of patterns by kind: characters of one to four octets; of octets, those of latin-1 alone.
PIECES = {
    "one octet": ("a", "b", ","),
    "two octets": ("é", "ß"),
    "three octets": ("日", "€"),
    "four octets": ("😀", "😁"),
    "class": ("[ab]", "[a-c]", "[é-€]", "[日😀a]", "[😀-😁]"),
    "negated class": ("[^ab]", "[^é]", "[^,€]", "[^😀]"),
    "dot": (".",),
}
OCTET_PIECES = {
    "one octet": ("a", "b", ",", "\xe9", "\xff", "\\x80"),
    "class": ("[ab]", "[a-\xe9]", "[\\x80-\\xff]"),
    "negated class": ("[^ab]", "[^\xe9]", "[^\\x00-\\x80]"),
    "dot": (".",),
}
QUANTIFIERS = ("", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,2}")
UNCOUNTED = ("", "", "*", "+", "?")
POOL = ("a", "b", "c", ",", "é", "è", "ß", "日", "€", "₭", "😀", "😁", "😎")
OCTET_POOL = (97, 98, 44, 0x82, 0x80, 0xA9, 0xC3, 0xE2, 0xED, 0xA0, 0xF0, 0x9F, 0xF4, 0xFF, 0xE9)
SYMBOLS = ("text", "octets of text", "octets")


class Pattern(NamedTuple):
    """A pattern drawn, and what its machine is given; with a separator it is nested in a machine that repeats it."""

    symbols: str
    pattern: str | bytes
    greedy: bool
    terminal: bool
    limit: int | None
    separator: Any
    outer_greedy: bool
    outer_limit: int | None

    def build(self) -> dfa:
        """Another machine of it; collects in p, or outer.p."""
        cls = regex if self.symbols == "text" else regex_bytes
        machine = cls(
            "p", self.pattern, context="p", terminal=self.terminal, greedy=self.greedy, limit=self.limit
        )  # fmt: skip
        if self.separator is None:
            return machine
        between = cpppo.automata.state_drop("between")
        machine[self.separator] = between
        between[None] = machine
        return dfa(
            "outer", machine, context="outer", terminal=True, greedy=self.outer_greedy, limit=self.outer_limit
        )  # fmt: skip


def draw_pattern(chance: Random, tally: Tally) -> Pattern:
    """A pattern of one of the three kinds of symbols; what it holds is counted."""
    symbols = chance.choice(SYMBOLS)
    drawn = _Expression(chance, tally, OCTET_PIECES if symbols == "octets" else PIECES).draw()
    separator = None
    if chance.random() < 0.3:
        separator = chance.choice(",a" if symbols == "text" else b",a\xa9")
        tally["nested"] += 1
    greedy, limit, outer = chance.random() < 0.7, None, None
    if chance.random() < 0.3:
        limit = chance.randint(0, 6)
    if separator is not None and chance.random() < 0.4:
        outer = chance.randint(limit or 0, 8)
    for name, given in (
        (symbols, True),
        ("not greedy", not greedy),
        ("limit", limit is not None),
        ("outer limit", outer is not None),
    ):
        tally[name] += given
    pattern = drawn.encode("latin-1") if symbols == "octets" else drawn
    return Pattern(
        symbols, pattern, greedy, chance.random() < 0.8, limit, separator, chance.random() < 0.7, outer
    )  # fmt: skip


class _Expression:
    """A pattern as it is drawn; of few pieces, for greenery's machines can grow out of all bounds."""

    def __init__(self, chance: Random, tally: Tally, pieces: dict[str, tuple[str, ...]]) -> None:
        self.chance, self.tally, self.pieces = chance, tally, pieces
        self.left = 4

    def draw(self, depth: int = 0) -> str:
        branches = []
        for _ in range(2 if self.chance.random() < 0.3 else 1):
            branches.append("".join(self.part(depth) for _ in range(self.chance.randint(min(depth, 1), 3))))
        self.tally["alternation"] += len(branches) > 1
        return "|".join(branches)

    def part(self, depth: int) -> str:
        if self.left <= 0:
            return ""
        counted = depth == 0  # counted deeper down, greenery may take minutes
        if depth < 2 and self.chance.random() < 0.3:
            text = f"({self.draw(depth + 1)})"
            counted = counted and len(text) <= 8
        else:
            self.left -= 1
            kind = self.chance.choice(list(self.pieces))
            self.tally[f"piece: {kind}"] += 1
            text = self.chance.choice(self.pieces[kind])
        quantifier = self.chance.choice(QUANTIFIERS if counted else UNCOUNTED)
        self.tally[f"quantifier: {quantifier}"] += 1
        return text + quantifier


def draw_words(drawn: Pattern, fsm: Any, chance: Random, count: int) -> list[Any]:
    """Words near the language of ``fsm``: sentences and parts of them, some with symbols changed."""
    octets = drawn.symbols != "text"
    pool: tuple[Any, ...] = tuple(map(chr, OCTET_POOL)) if drawn.symbols == "octets" else POOL
    words: list[Any] = [b"" if octets else ""]
    while len(words) < count:
        text = _sentence(fsm, pool, chance)
        if drawn.separator is not None and chance.random() < 0.7:
            middle = drawn.separator if isinstance(drawn.separator, str) else chr(drawn.separator)
            text += middle + _sentence(fsm, pool, chance)
        symbols: list[Any] = list(text)
        if octets:
            symbols = list(text.encode("latin-1" if drawn.symbols == "octets" else "utf-8"))
        for _ in range(chance.choice((0, 0, 1, 2))):
            at = chance.randint(0, len(symbols))
            change = [chance.choice(OCTET_POOL if octets else POOL)] if chance.random() < 0.7 else []
            symbols[at : at + chance.randint(0, 1)] = change
        words.append(bytes(symbols) if octets else "".join(symbols))
    return words


def _sentence(fsm: Any, pool: Sequence[str], chance: Random) -> str:
    """Characters that a walk along live states takes, and perhaps one more."""
    text, state = "", fsm.initial
    while len(text) < 8 and not (state in fsm.finals and chance.random() < 0.3):
        leads: Callable[[Any], bool] = lambda each: fsm.islive(fsm.map[state][each])  # noqa: B023, E731
        classes = [each for each in fsm.alphabet if leads(each)]
        symbols = [symbol for symbol in pool if any(each.accepts(symbol) for each in classes)]
        if not symbols:
            break
        text += chance.choice(symbols)
        (chosen,) = (each for each in classes if each.accepts(text[-1]))
        state = fsm.map[state][chosen]
    return text
