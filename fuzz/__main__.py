"""Any octets parse or raise RemoteProtocolError, never anything else; and stepped equals compiled.

Owns: the targets, one for each entry of octets from a peer, random grammars, and random automata.  Rule: whatever
is found is printed with the octets (and the grammar's or machine's seed), and the exit status is 1.
Must not know how a message is declared: the checks are those of the tests.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cpppo.errors import Error
from cpppo.history import Record, format_record, parse_line
from cpppo.history.moments import parse, render
from tests.automata.random_machines import draw_graph, draw_pattern
from tests.automata.referees import examine_graph, examine_pattern
from tests.grammar.harness import examine, examine_case
from tests.server.enip.wire.names import NAMES, VECTORS
from tests.strategies import Case, cases, damaged

#: Examples of each target, unless said otherwise.
EXAMPLES = 20_000

#: Damaged variants of one vector or grammar, each an example.
VARIANTS = 16


def grammars(examples: int, tally: Counter[str]) -> None:
    """Random grammars with damaged octets; the failing one is shrunk."""

    @settings(
        max_examples=max(1, examples // VARIANTS), database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.booleans().flatmap(lambda shrinks: cases(Counter(), shrinks=shrinks)))
    def agree(case: Case) -> None:
        parsed, refused = examine_case(case, VARIANTS)
        tally.update(parsed=parsed, refused=refused)

    agree()


def automata(draw: Callable[..., Any], examine: Callable[..., None]) -> Callable[[int, Counter[str]], None]:
    """Random machines over random words, each an example."""

    def target(examples: int, tally: Counter[str]) -> None:
        seeds = random.Random()
        while tally["accepted"] + tally["rejected"] < examples:
            seed = seeds.getrandbits(32)
            chance, told = random.Random(seed), Counter[str]()
            try:
                examine(draw(chance, Counter()), chance, told)
            except Exception as exc:
                raise AssertionError(f"seed {seed}: {exc}") from exc
            tally.update({what: told[what] for what in ("accepted", "rejected")})
            tally["machines"] += 1

    return target


def vectors(file: str) -> Callable[[int, Counter[str]], None]:
    """Damaged vectors of a file, and octets that never were one."""

    def target(examples: int, tally: Counter[str]) -> None:
        chance = random.Random()
        while examples > 0:
            vector = chance.choice(VECTORS[file])
            seed = chance.getrandbits(32)
            for octets in damaged(vector.octets, seed, VARIANTS):
                tally["parsed" if _one(NAMES[vector.message], octets, seed) else "refused"] += 1
                examples -= 1

    return target


def frames(examples: int, tally: Counter[str]) -> None:
    """Whole frames, requests and replies: a header that is right, and damage or noise behind it."""
    chance = random.Random()
    while examples > 0:
        vector = chance.choice(VECTORS["frames"])
        seed = chance.getrandbits(32)
        head, payload = vector.octets[:24], vector.octets[24:]
        for body in damaged(payload, seed, VARIANTS):
            octets = head[:2] + len(body).to_bytes(2, "little") + head[4:] + body
            for message in (NAMES["RequestFrame"], NAMES["ReplyFrame"]):
                parsed = _one(message, octets, seed)
                if not parsed:
                    raise AssertionError(f"a whole frame was refused: {octets.hex(' ')}")
                tally["malformed" if "Malformed(" in repr(message.parse(octets)) else "parsed"] += 1
            examples -= 1


def histories(examples: int, tally: Counter[str]) -> None:
    """Damaged lines of histories and texts of moments: a record that is written again as it was read, or refused."""
    chance = random.Random()
    while examples > 0:
        seed = chance.getrandbits(32)
        line = format_record(Record(render(chance.uniform(-6e10, 2.5e11)), ["Tag", [0, 3]], {"read": [seed, 0.5, "x"]}))
        for octets in damaged(line.encode(), seed, VARIANTS):
            examples -= 1
            text = octets.decode("latin-1")
            try:
                record = parse_line(text)
                moment = None if record is None else parse(record.timestamp)
            except ValueError as exc:
                assert isinstance(exc, Error), f"{text!r}: {exc!r}"
                tally["refused"] += 1
                continue
            tally["parsed"] += 1
            if record is not None and moment is not None:
                again = format_record(Record(render(moment, None, 6), record.serial, record.data))
                assert repr(parse_line(again)) == repr(record._replace(timestamp=render(moment, None, 6))), text


def _one(message: Any, octets: bytes, seed: int) -> bool:
    try:
        return examine(message, octets, prefixed=False, seed=seed)
    except Exception as exc:
        raise AssertionError(f"{message.__name__}: {octets.hex(' ')}: {exc!r}") from exc


TARGETS: dict[str, Callable[[int, Counter[str]], None]] = {
    "grammars": grammars,
    "machines": automata(draw_graph, examine_graph),
    "patterns": automata(draw_pattern, examine_pattern),
    "frames": frames,
    "requests": vectors("requests"),
    "connections": vectors("connections"),
    "replies": vectors("replies"),
    "paths": vectors("paths"),
    "histories": histories,
}


def main(arguments: list[str]) -> int:
    """Run every target; 0 if none found anything, 1 if one did, 2 for a wrong argument."""
    if len(arguments) > 1 or arguments and not arguments[0].isdigit():
        print("usage: python -m fuzz [EXAMPLES]", file=sys.stderr)
        return 2
    examples = int(arguments[0]) if arguments else EXAMPLES
    failed = 0
    for name, target in TARGETS.items():
        tally: Counter[str] = Counter()
        start = time.monotonic()
        try:
            target(examples, tally)
            found = "nothing found"
        except Exception as exc:
            failed += 1
            found = f"FOUND {type(exc).__name__}: {exc}"
        counts = ", ".join(f"{count} {what}" for what, count in sorted(tally.items()))
        print(f"{name}: {counts or 'none'} in {time.monotonic() - start:.1f} s: {found}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
