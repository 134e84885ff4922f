"""Replies that are wrong on purpose: ``truncate``, ``delay:1-2``, ``corrupt:transaction``.

Owns: the spelling of what is to go wrong, and doing it to the octets of a reply.  Rule: chance is an argument, and what
is corrupted always differs from what it was.  Must not know: connections, clocks, requests.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from cpppo.errors import UsageError
from cpppo.remote.framing import crc

__all__ = ["parse_evil"]

#: Seconds of a delay that does not say.
DELAY_S = 5.0
_DELAY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(?:-(\d+(?:\.\d*)?|\.\d+))?")
#: What can be corrupted, on TCP and on a serial line.
_TCP = ("transaction", "protocol", "unit", "function", "registers")
_RTU = ("unit", "function", "registers", "checksum")
#: Functions whose replies have a count of octets before their data.
_COUNTED = frozenset({1, 2, 3, 4, 17, 23})


def parse_evil(text: str, rtu: bool, chance: random.Random) -> Callable[[bytes], tuple[bytes, float]]:
    """What spoils the octets of a reply: gives others, and the seconds after which they are to be sent.

    ``truncate``: only the first of them, one at least.  ``delay[:SECONDS[-SECONDS]]``: late, by 5 s, or by as many, or
    by something between.  ``corrupt[:WHAT]``: transaction, protocol, unit, function or registers (the data) are wrong,
    or one of them at random.  On a serial line (`rtu`) there is no transaction and no protocol, but a checksum, which
    fits to everything else that is wrong.  UsageError: it is none of these.
    """
    kind, colon, rest = (part.strip() for part in text.partition(":"))
    if kind == "truncate" and not colon:
        return lambda octets: (octets[: chance.randrange(1, len(octets))], 0.0)
    if kind == "delay":
        low, high = _delay(rest if colon else str(DELAY_S), text)
        return lambda octets: (octets, chance.uniform(low, high))
    if kind == "corrupt":
        known = _RTU if rtu else _TCP
        if colon and rest not in known:
            where = "a serial line" if rtu else "Modbus/TCP"
            told = f"there is no {rest} on {where}; there are" if rest in _RTU + _TCP else "write one of"
            raise UsageError(f"evil {text!r}: {told} {', '.join(known)}")
        return lambda octets: (_corrupted(octets, rest or chance.choice(known), rtu, chance), 0.0)
    raise UsageError(
        f"evil {text!r} is not known: write truncate, delay[:seconds[-seconds]] or corrupt[:{'|'.join(_TCP)}]"
    )


def _delay(given: str, text: str) -> tuple[float, float]:
    match = _DELAY.fullmatch(given)
    if not match:
        raise UsageError(f"evil {text!r}: {given!r} are no seconds; write delay, delay:1.5 or delay:0.5-2")
    low, high = float(match[1]), float(match[2] or match[1])
    if low > high:
        raise UsageError(f"evil {text!r}: {match[1]} is more than {match[2]}; the least delay comes first")
    return low, high


def _corrupted(octets: bytes, what: str, rtu: bool, chance: random.Random) -> bytes:
    unit, end = (0, len(octets) - 2) if rtu else (6, len(octets))
    first = unit + (3 if octets[unit + 1] in _COUNTED else 2)
    spans = {
        "transaction": (0, 2),
        "protocol": (2, 4),
        "unit": (unit, unit + 1),
        "function": (unit + 1, unit + 2),
        "registers": (min(first, end - 1), end),
        "checksum": (end, end + 2),
    }
    start, stop = spans[what]
    changed = bytearray(octets)
    place = chance.randrange(start, stop)
    changed[place] ^= chance.randrange(1, 0x80)  # 7 bits: a function does not become an exception
    if rtu and what != "checksum":
        changed[end:] = crc(bytes(changed[:end]))
    return bytes(changed)
