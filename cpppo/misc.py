"""Small helpers for scripts: numbers that may be missing, text in columns, and functions wrapped or measured.

Owns: names that users import from the front door.  Rule: each stands alone, and none keeps state of its own.
Must not know symbols, machines, or any protocol.
"""

from __future__ import annotations

import logging
import re
import reprlib
from collections.abc import Callable
from decimal import Decimal
from functools import wraps
from math import inf, isclose, isinf, isnan, nan
from time import perf_counter
from types import FunctionType
from typing import Any, Literal, ParamSpec, TypeVar, overload

from cpppo.errors import Error
from cpppo.timing import timer

__all__ = [
    "BadArgument",
    "LockHeld",
    "TooSlow",
    "assert_tps",
    "centeraxis",
    "change_function",
    "clamp",
    "exponential_moving_average",
    "function_name",
    "inf",
    "isinf",
    "isnan",
    "lazystr",
    "logresult",
    "magnitude",
    "mutexmethod",
    "nan",
    "nan_first",
    "nan_last",
    "natural",
    "near",
    "non_value",
    "reprargs",
    "reprlib",
    "scale",
    "timer",
]

P = ParamSpec("P")
R = TypeVar("R")

#: Columns to which `natural` pads numbers; longer ones compare as text.
NUMBER_COLUMNS = 9

_NUMBER = re.compile("([0-9]+)")


class BadArgument(Error, ValueError):
    """An argument with which the function asked cannot give an answer."""


class LockHeld(Error, AssertionError):
    """A method was called while its lock was held, and was told not to wait."""


class TooSlow(Error, AssertionError):
    """A function was measured below the rate demanded; ``tps`` is the rate reached, a second."""

    def __init__(self, message: str, tps: float) -> None:
        super().__init__(message)
        self.tps = tps


# ------------------------------------------------------------------ numbers
def near(a: float, b: float, significance: float = 1e-4) -> bool:
    """Whether ``a`` and ``b`` differ by no more than ``significance`` of the larger of the two.

    Infinities are near themselves, NaN is near nothing.

    :raises BadArgument: if ``significance`` is negative.
    """
    if significance < 0:
        raise BadArgument(f"near: significance {significance!r} is negative; give a fraction, such as 1e-4")
    return isclose(a, b, rel_tol=significance)


def magnitude(value: float) -> float:
    """What one more in the second significant digit of ``value`` adds: 1.0 of 23, .01 of .23.

    NaN of what has no magnitude: zero, anything negative, and NaN; infinity of infinity.
    """
    if isnan(value) or value <= 0:
        return nan
    if isinf(value):
        return inf
    # By its decimal digits: a logarithm is a digit off beside powers of ten.
    return float(f"1e{Decimal(repr(float(value))).adjusted() - 1}")


def clamp(value: float, limits: tuple[float, float]) -> float:
    """``value``, or the nearer of two limits where it is beyond; a limit of NaN is none, and NaN stays NaN.

    Limits the wrong way round are taken the right way round.
    """
    low, high = limits
    if low > high:
        low, high = high, low
    if value < low:
        return low
    return high if value > high else value


def scale(
    value: float, domain: tuple[float, float], rng: tuple[float, float], clamped: bool = False, exponent: float = 1
) -> float:
    """Where ``value``, which lies somewhere in ``domain``, lies in ``rng``; either may descend.

    ``exponent`` bends the line: 1 is straight, above 1 rises late, below 1 early; below the start of the
    domain the curve goes on mirrored.  ``clamped`` keeps the result within ``rng``.

    :raises BadArgument: if the domain is empty, or the exponent not above 0.
    """
    (begin, end), (low, high) = domain, rng
    if begin == end:
        raise BadArgument(f"scale: the domain {domain!r} is empty; its two ends must differ")
    if not exponent > 0:
        raise BadArgument(f"scale: exponent {exponent!r} is not above 0; 1 gives a straight line")
    part = (value - begin) / (end - begin)
    if clamped:
        part = clamp(part, (0, 1))
    if exponent != 1:
        part = part**exponent if part >= 0 else -((-part) ** exponent)
    # From the nearer end, so that both ends are exact.
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)


def non_value(value: Any) -> bool:
    """Whether ``value`` stands for a missing number: None, or NaN of any type."""
    return value is None or bool(value != value)


def nan_first(value: Any) -> tuple[Any, ...]:
    """A sort key that puts None and NaN before all values: ``sorted(values, key=nan_first)``."""
    return (0,) if non_value(value) else (1, value)


def nan_last(value: Any) -> tuple[Any, ...]:
    """A sort key that puts None and NaN behind all values, so that ``min(values, key=nan_last)`` is a value."""
    return (1,) if non_value(value) else (0, value)


def exponential_moving_average(current: float | None, sample: float, weight: float) -> float:
    """The average ``current`` moved towards ``sample`` by the fraction ``weight``; None or NaN begins with the sample.

    :raises BadArgument: if ``weight`` is not from 0 to 1.
    """
    if not 0 <= weight <= 1:
        raise BadArgument(f"exponential_moving_average: weight {weight!r} is not from 0 to 1")
    if current is None or isnan(current):
        return sample
    return current + (sample - current) * weight


# ------------------------------------------------------------------ text
def natural(value: Any) -> tuple[str | int, ...]:
    """A sort key that puts 'a9' before 'A10': text without case, numbers by size up to 9 digits.

    What is no text comes before all text (but the empty one), grouped by type and ordered by hash.

    :raises TypeError: if it is no text and cannot be hashed.
    """
    if not isinstance(value, str):
        return "", type(value).__name__, hash(value)
    parts = _NUMBER.split(value)
    parts[1::2] = [(digits.lstrip("0") or "0").rjust(NUMBER_COLUMNS) for digits in parts[1::2]]
    return tuple(part.lower() for part in parts if part)


def centeraxis(
    text: str,
    width: int,
    axis: str = ".",
    fillchar: str = " ",
    reverse: bool = False,
    clip: bool = False,
    left_right: tuple[int, int] = (1, 1),
) -> str:
    """``text`` in ``width`` columns with its first ``axis`` (its last, if ``reverse``) in the middle.

    Text without an axis stands left of where it would be (right of it and on it, if ``reverse``).  What is too
    long makes the result longer, or is cut off at its ends by ``clip``.  ``left_right`` shares out the columns
    beside the axis otherwise than in equal parts: (40, 9) of a width of 50 puts it into the 41st.

    :raises BadArgument: if the axis is empty, or the shares are negative or both zero.
    """
    if not axis:
        raise BadArgument("centeraxis: the axis is empty; give the text to centre on, such as '.'")
    left_share, right_share = left_right
    if min(left_right) < 0 or not any(left_right):
        raise BadArgument(f"centeraxis: left_right {left_right!r} shares out nothing; give two parts, such as (1, 1)")
    left, point, right = text.rpartition(axis) if reverse else text.partition(axis)
    before = max(width - len(axis), 0) * left_share // (left_share + right_share)
    behind = max(width - before, 0)
    left, right = left.rjust(before, fillchar), (point + right).ljust(behind, fillchar)
    return left[len(left) - before :] + right[:behind] if clip else left + right


def reprargs(*args: Any, **kwds: Any) -> str:
    """Arguments as they stand in a call, long ones shortened: ``1, 'a', key=None``."""
    named = (f"{key}={reprlib.repr(value)}" for key, value in kwds.items())
    return ", ".join([*map(reprlib.repr, args), *named])


class lazystr:
    """Text made by calling ``function`` when, and each time that, it is shown: an argument for log lines."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    def __str__(self) -> str:
        return str(self._function())


# ------------------------------------------------------------------ functions
def function_name(function: Callable[..., Any]) -> str:
    """'module.name' of a function; of a callable without a name, its type's; the name alone where no module is told."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__name__", None) or type(function).__name__
    return f"{module}.{name}" if module else name


def change_function(function: FunctionType, **changes: Any) -> FunctionType:
    """Change attributes of the code of ``function``, such as ``co_filename=...`` or ``co_name=...``; gives it back.

    :raises BadArgument: if it is not written in Python, or its code cannot be changed so.
    """
    code = getattr(function, "__code__", None)
    if code is None:
        raise BadArgument(f"change_function: {function_name(function)} has no code to change; give a Python function")
    try:
        function.__code__ = code.replace(**changes)
    except (TypeError, ValueError) as exc:
        raise BadArgument(
            f"change_function: the code of {function_name(function)} cannot be changed so: {exc};"
            " give attributes as code.replace() takes them, such as co_filename='...'"
        ) from exc
    return function


@overload
def logresult(
    prefix: str | None = ...,
    log: logging.Logger | None = ...,
    log_level: int = ...,
    exc_level: int = ...,
    exc_swallow: Literal[False] = ...,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
@overload
def logresult(
    prefix: str | None = ...,
    log: logging.Logger | None = ...,
    log_level: int = ...,
    exc_level: int = ...,
    *,
    exc_swallow: bool,
) -> Callable[[Callable[P, R]], Callable[P, R | None]]: ...
def logresult(
    prefix: str | None = None,
    log: logging.Logger | None = None,
    log_level: int = logging.DEBUG,
    exc_level: int = logging.WARNING,
    exc_swallow: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that logs each call's arguments with its result, or with the exception it raised.

    Lines begin with ``prefix``, by default the function's name, and go to ``log``, by default the logger of
    its module.  With ``exc_swallow`` the exception goes no further, and the result is None.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        label = function_name(function) if prefix is None else prefix
        logger = logging.getLogger(function.__module__) if log is None else log

        @wraps(function)
        def logged(*args: Any, **kwds: Any) -> Any:
            call = lazystr(lambda: f"{label}({reprargs(*args, **kwds)})")
            try:
                result = function(*args, **kwds)
            except Exception as exc:
                logger.log(exc_level, "%s raised %s: %s", call, type(exc).__name__, exc, stacklevel=2)
                if not exc_swallow:
                    raise
                return None
            logger.log(log_level, "%s --> %s", call, lazystr(lambda: reprlib.repr(result)), stacklevel=2)
            return result

        return logged

    return decorate


def mutexmethod(mutex: str = "lock", blocking: bool = True) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator for methods that run with the lock in their object's attribute ``mutex`` held.

    The lock has ``acquire(blocking)`` and ``release()``.  Unless ``blocking``, a call while it is held
    raises LockHeld, which is an AssertionError too, and runs nothing.
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        @wraps(method)
        def locked(*args: P.args, **kwds: P.kwargs) -> R:
            lock = getattr(args[0], mutex)
            if not lock.acquire(blocking):
                raise LockHeld(
                    f"Lock is held: {function_name(method)} does not wait for {mutex!r}; call it again later"
                )
            try:
                return method(*args, **kwds)
            finally:
                lock.release()

        return locked

    return decorate


def assert_tps(
    minimum: float, scale: float = 1, repeat: int = 1, clock: Callable[[], float] = perf_counter
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that makes a call run ``repeat`` times, and fail if that was too slow; gives the last result.

    A run counts for ``scale`` transactions, of which there must be ``minimum`` a second of ``clock``.  The call
    raises TooSlow, which is an AssertionError too, naming the rate reached.

    :raises BadArgument: if ``repeat`` is less than 1.
    """
    if repeat < 1:
        raise BadArgument(f"assert_tps: repeat {repeat!r} measures nothing; it must be 1 or more")

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def measured(*args: P.args, **kwds: P.kwargs) -> R:
            began = clock()
            for _ in range(repeat):
                result = function(*args, **kwds)
            taken = clock() - began
            tps = repeat * scale / taken if taken > 0 else inf
            if tps < minimum:
                raise TooSlow(f"{function_name(function)} reached {tps:.3f} TPS, less than {minimum:.3f}", tps)
            return result

        return measured

    return decorate
