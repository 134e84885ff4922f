"""The differential harness: what must hold for any message and any octets, whichever engine reads them.

Rule: the compiled and the stepped form, with memo and without, limited and as a prefix, whole and in pieces, are one.
"""

from __future__ import annotations

import random
from typing import Any

from cpppo.grammar import REJECTS, prefix
from cpppo.grammar.parse import parser
from tests.helpers import REFUSED, chunks, compiled, run, same, stepped
from tests.strategies import Case, damaged

__all__ = ["Different", "examine", "examine_case"]


class Different(AssertionError):
    """Two ways to the same thing gave two things."""


def _equal(one: Any, other: Any, what: str, message: Any, octets: bytes) -> None:
    if not same(one, other):
        source = message.source()
        raise Different(f"{what}: {one!r} is not {other!r}, of {octets.hex(' ') or 'no octets'}\n{source}")


def examine_case(case: Case, count: int = 12) -> tuple[int, int]:
    """A drawn message with its value, and with damaged octets; how many octets were parsed, and how many refused."""
    message, value = case.message, case.value
    octets = message.producer()(value)
    if type(octets) is not bytes:
        raise Different(f"produced {octets!r} of {value!r}")
    _equal(compiled(message, octets), value, "parse of produced", message, octets)
    _equal(message.parse(octets).produce(), octets, "produce of parsed", message, octets)
    examine(message, octets, case.prefix, case.seed)
    verdicts = [examine(message, one, case.prefix, case.seed) for one in damaged(octets, case.seed, count)]
    return 1 + sum(verdicts), len(verdicts) - sum(verdicts)


def examine(message: Any, octets: bytes, prefixed: bool = True, seed: int = 0) -> bool:
    """Any octets: every engine agrees; what is parsed is produced again.  Whether they were parsed."""
    record = compiled(message, octets)  # an error is explained by stepping: that alone is half of the comparison
    size = len(octets)
    stopped, used = run(message, octets)
    _equal(stopped if used == size else REFUSED, record, "stepped", message, octets)
    chance = random.Random(seed)
    cuts = [chance.randrange(size + 1) for _ in range(3)] if size else []
    for parts in (chunks(octets, cuts), [octets[at : at + 1] for at in range(size)]):
        _equal(stepped(message, octets, parts), record, "stepped in chunks", message, octets)

    _equal(_quietly(parser(message._node_, True, False), octets, 0, size), record, "without memo", message, octets)
    if "Malformed(" not in repr(record):  # which tells places in the whole
        moved = _quietly(parser(message._node_, True), b"\0" * 3 + octets + b"\0\xff", 3, 3 + size)
        _equal(moved, record, "inside other octets", message, octets)
    if prefixed:
        found = _quietly(prefix(message), octets, 0, size)
        _equal(found, REFUSED if stopped is REFUSED else (stopped, used), "as a prefix", message, octets)

    if record is REFUSED:
        return False
    if "Malformed(" not in repr(record):
        produced = record.produce()
        _equal(type(produced), bytes, "type produced", message, octets)
        again = compiled(message, produced)
        _equal(again, record, "parse of produced", message, produced)
        _equal(again.produce(), produced, "produce of parse", message, produced)
        if len(produced) > size:
            raise Different(f"{octets.hex(' ')} grew to {produced.hex(' ')}")
    return True


def _quietly(parse: Any, octets: bytes, start: int, end: int) -> Any:
    try:
        return parse(octets, start, end)
    except REJECTS:
        return REFUSED
