"""Regular expressions: from a pattern to its table, and from that to states.

Owns the reading of patterns; the only importer of greenery, which is imported when the first pattern is
read.  Rule: a pattern is read once, whatever is made of it.  Must not know machines; what states are
made is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from cpppo.automata.dialect import PatternError, check, explain
from cpppo.automata.settings import encoded
from cpppo.automata.symbols import CharacterClass, type_str_encoder, type_unicode_encoder
from cpppo.automata.table import Row, by_latin_1, by_utf_8, live
from cpppo.errors import GrammarError

__all__ = ["Read", "graph", "read"]

#: Patterns that are remembered, and characters of a pattern that an encoder is asked for.
REMEMBERED, ENCODED = 512, 65536

#: A pattern as given and as greenery has it; its minimal machine there; its table over characters.
Read = tuple[str | bytes, Any, Any, tuple[Row, ...]]


def read(pattern: Any) -> Read:
    """Read a pattern: text, octets, or greenery's own ``Pattern`` or ``Fsm``.

    :raises PatternError: if it is no pattern, or no sentence matches it (a ValueError, too).
    """
    if isinstance(pattern, (str, bytes)):
        return _read(pattern)
    from greenery import Fsm, Pattern

    if isinstance(pattern, Fsm):
        return f"a machine of {len(pattern.states)} states", None, pattern, _rows(pattern, "machine")
    if isinstance(pattern, Pattern):
        fsm = pattern.to_fsm()
        return str(pattern), pattern, fsm, _rows(fsm, str(pattern))
    raise GrammarError(f"A regular expression is text or octets, or greenery's Pattern or Fsm, not {pattern!r}")


@lru_cache(REMEMBERED)
def _read(pattern: str | bytes) -> Read:
    from greenery import parse

    text = pattern if isinstance(pattern, str) else pattern.decode("latin-1")
    check(text, pattern)
    try:
        lego = parse(text)
        fsm = lego.to_fsm()
    except MemoryError:
        raise
    except Exception as exc:  # of many types, and none of them its own
        raise explain(text, exc, pattern) from exc
    return pattern, lego, fsm, _rows(fsm, pattern)


def _rows(fsm: Any, pattern: str | bytes) -> tuple[Row, ...]:
    """The table of a machine of greenery's, without what leads nowhere."""
    classes = sorted(fsm.alphabet)
    place = {
        state: number
        for number, state in enumerate(
            live(
                fsm.initial, lambda state: [fsm.map[state][each] for each in classes], lambda state: state in fsm.finals
            )
        )
    }
    if not place:
        raise PatternError(pattern, 0, "no sentence matches it", "let it accept something")
    rows = []
    for state in place:
        leads = {each: place.get(fsm.map[state][each]) for each in classes}
        (other,) = (there for each, there in leads.items() if each.negated)
        edges: dict[int | None, list[tuple[int, int]]] = {}
        for each, there in leads.items():
            if there != other:
                edges.setdefault(there, []).extend(each.ord_ranges)
        rows.append(Row(state in fsm.finals, tuple((_joined(ranges), there) for there, ranges in edges.items()), other))
    return tuple(rows)


def _joined(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Ranges in order, those that touch made one."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return tuple(joined)


@lru_cache(REMEMBERED)
def _over_octets(pattern: str | bytes) -> tuple[Row, ...]:
    rows = _read(pattern)[3]
    return by_latin_1(rows) if isinstance(pattern, bytes) else by_utf_8(rows)


def graph(
    pattern: Any, made: Callable[[str, bool], Any], encoder: Callable[[str], Iterable[Any]] | None
) -> tuple[Any, Any, Any, Any]:
    """The states of a pattern: (its text, greenery's Pattern, greenery's Fsm, the first state).

    ``made(name, terminal)`` makes a state.  A pattern of octets is over octets; one of text over
    characters, or over octets in UTF-8 with `type_unicode_encoder`; another ``encoder`` makes of each
    character of the pattern the symbol, or symbols, that stand for it, while what the pattern takes
    without naming it (as ``.`` and ``[^a]`` do) is any single other symbol.

    :raises PatternError: see `read`.
    :raises GrammarError: for an encoder that cannot serve.
    """
    text, lego, fsm, rows = read(pattern)
    octets = isinstance(pattern, bytes) or encoder is type_unicode_encoder
    if octets:
        rows = _over_octets(pattern) if isinstance(pattern, (str, bytes)) else by_utf_8(rows)
        if not rows:
            raise PatternError(text, 0, "no sentence of octets matches it", "take it as text")
    states = [made(str(number), row.terminal) for number, row in enumerate(rows)]
    for state, row in zip(states, rows, strict=True):
        between: dict[tuple[Any, ...], Any] = {(): state}
        for ranges, there in row.edges:
            target = None if there is None else states[there]
            members = CharacterClass(ranges, octets)
            if octets or encoder is None or encoder is type_str_encoder:
                state[next(iter(members)) if len(members) == 1 else members] = target
            else:
                for symbols in _encoded(members, encoder):
                    _lead(between, symbols, target, made)
        if row.other is not None:
            state[True] = states[row.other]
    return text, lego, fsm, states[0]


def _encoded(members: CharacterClass, encoder: Callable[[str], Iterable[Any]]) -> Iterator[tuple[Any, ...]]:
    """The symbols of each character."""
    if len(members) > ENCODED:
        raise GrammarError(
            f"An encoder is asked for each character that a pattern names, but {members} are {len(members)};"
            f" name at most {ENCODED}"
        )
    for character in members:
        yield encoded(encoder, character)


def _lead(
    between: dict[tuple[Any, ...], Any], symbols: tuple[Any, ...], target: Any, made: Callable[[str, bool], Any]
) -> None:
    """Lead from the state of no symbols to ``target``, by way of a state for each symbol but the last."""
    for count in range(1, len(symbols)):
        before, here = symbols[: count - 1], symbols[:count]
        if here not in between:
            between[here] = made(f"{between[()].name}_{len(between)}", False)
            _new(between[before], here[-1], between[here], symbols)
    _new(between[symbols[:-1]], symbols[-1], target, symbols)


def _new(state: Any, symbol: Any, target: Any, symbols: tuple[Any, ...]) -> None:
    if dict.__contains__(state, symbol):
        raise GrammarError(f"The encoder makes of one character {symbols!r}, which another is or begins with")
    state.lead(symbol, target)
