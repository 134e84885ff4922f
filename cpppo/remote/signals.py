"""Values that move by themselves: ``ramp:0,100,10s``, ``sine:0,1000,1min``, ``random:0,9,500ms,1``, ``counter``.

Owns: the spelling of signals and their values over time.  Rule: a value follows from the seconds that have passed, and
of a random signal from its seed; nothing is remembered.  Must not know: tables, clocks, requests.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable

from cpppo.errors import UsageError

__all__ = ["KINDS", "parse_signal", "register_value"]

#: How each kind is written.
KINDS = {
    "ramp": "ramp:LOW,HIGH,PERIOD",
    "sine": "sine:LOW,HIGH,PERIOD",
    "random": "random:LOW,HIGH[,PERIOD[,SEED]]",
    "counter": "counter[:LOW,HIGH,PERIOD]",
}
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_PERIOD = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(\w*)")


def register_value(number: int, bits: bool = False) -> int:
    """A number as an element holds it: a negative one as 16 bits.  UsageError: it does not fit."""
    low, high = (0, 1) if bits else (-0x8000, 0xFFFF)
    if not low <= number <= high:
        raise UsageError(f"{number} does not fit: {'a bit is 0 or 1' if bits else 'a register holds -32768 to 65535'}")
    return number & 0xFFFF


def parse_signal(text: str, bits: bool = False, number: int = 0) -> Callable[[float], int]:
    """The signal that a text describes: a function of seconds.  UsageError says what is wrong with it.

    LOW and HIGH are the least and the greatest value; a ramp and a counter begin anew after HIGH.  PERIOD is the time
    of a whole ramp or wave, and from one value to the next of random and counter (1 s where none is given).  `number`
    tells those apart that are made of one text: random ones differ.
    """
    kind, colon, rest = (part.strip() for part in text.partition(":"))
    if kind not in KINDS:
        raise UsageError(f"{text!r} is no value and no signal: write a number, or {', '.join(KINDS.values())}")
    given = [part.strip() for part in rest.split(",")] if colon else []
    least, most = {"ramp": (3, 3), "sine": (3, 3), "random": (2, 4), "counter": (0, 3)}[kind]
    if not least <= len(given) <= most or "" in given or (kind == "counter" and len(given) == 1):
        raise UsageError(f"{text!r}: write {KINDS[kind]}, eg. {_SAMPLES[kind]}")
    low, high = _bounds(given[:2], text, bits) if given else (0, 1 if bits else 0xFFFF)
    period = _seconds(given[2], text) if len(given) > 2 else 1.0
    if kind == "random":
        seed = _whole(given[3], text) if len(given) > 3 else random.getrandbits(32)
        return _random(low, high, period, f"{seed}/{number}/")
    return {"ramp": _ramp, "sine": _sine, "counter": _counter}[kind](low, high, period)


_SAMPLES = {
    "ramp": "ramp:0,100,10s",
    "sine": "sine:0,1000,1min",
    "random": "random:0,9,500ms",
    "counter": "counter:0,999,1s",
}


def _whole(text: str, whole: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise UsageError(f"{whole!r}: {text!r} is no whole number") from None


def _bounds(given: list[str], text: str, bits: bool) -> tuple[int, int]:
    low, high = (_whole(one, text) for one in given)
    for one in (low, high):
        try:
            register_value(one, bits)
        except UsageError as exc:
            raise UsageError(f"{text!r}: {exc}") from None
    if low > high:
        raise UsageError(f"{text!r}: {low} is more than {high}; the least value comes first")
    if low < 0 and high > 0x7FFF:
        raise UsageError(f"{text!r}: a register holds -32768 to 32767 or 0 to 65535, not both")
    return low, high


def _seconds(given: str, text: str) -> float:
    match = _PERIOD.fullmatch(given)
    if not match or match[2] not in _UNITS:
        raise UsageError(f"{text!r}: {given!r} is no time with its unit; write eg. 10s, 500ms, 1min or 2h")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds < 0.001:
        raise UsageError(f"{text!r}: a period is 1ms at least")
    return seconds


def _ramp(low: int, high: int, period: float) -> Callable[[float], int]:
    return lambda now: low + min(int((high - low + 1) * (now % period / period)), high - low) & 0xFFFF


def _sine(low: int, high: int, period: float) -> Callable[[float], int]:
    middle, reach = (low + high) / 2, (high - low) / 2
    return lambda now: min(high, math.floor(middle + reach * math.sin(2 * math.pi * now / period) + 0.5)) & 0xFFFF


def _random(low: int, high: int, period: float, seed: str) -> Callable[[float], int]:
    return lambda now: random.Random(seed + str(int(now / period))).randint(low, high) & 0xFFFF


def _counter(low: int, high: int, period: float) -> Callable[[float], int]:
    return lambda now: low + int(now / period) % (high - low + 1) & 0xFFFF
