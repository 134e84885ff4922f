"""The small helpers: numbers that may be missing, text in columns, functions wrapped and measured."""

from __future__ import annotations

import logging
import math
import reprlib
import threading
from collections.abc import Callable
from decimal import Decimal
from types import FunctionType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo import misc
from cpppo.errors import Error
from cpppo.misc import inf, nan

NUMBERS = st.floats(min_value=-1e6, max_value=1e6)


def test_all_names_exist() -> None:
    """Whatever the module lists can be had; the clock and reprlib are those of everybody else."""
    assert [name for name in misc.__all__ if not hasattr(misc, name)] == []
    assert misc.reprlib is reprlib
    assert (misc.isnan(nan), misc.isinf(inf), misc.isnan(inf), misc.isinf(nan)) == (True, True, False, False)


@pytest.mark.parametrize("kind", [ValueError, Error])
def test_bad_argument_is_a_value_error_of_our_tree(kind: type[Exception]) -> None:
    """A useless argument is refused as ValueError and as our own Error."""
    with pytest.raises(kind):
        misc.near(1, 1, significance=-1)


# ------------------------------------------------------------------ numbers
@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (10000, 10001, True),
        (10000, 10002, False),
        (-1.00005, -1, True),
        (1, -1, False),
        (0, 0, True),
        (inf, inf, True),
        (inf, 1, False),
        (nan, nan, False),
    ],
)
def test_near_is_relative_to_the_larger(a: float, b: float, expected: bool) -> None:
    """Numbers are near within a ten-thousandth of the larger, either way round."""
    assert misc.near(a, b) is expected
    assert misc.near(b, a) is expected


def test_near_takes_a_significance() -> None:
    """The fraction by which numbers may differ is the caller's; a negative one is refused, saying what to give."""
    assert misc.near(100, 91, significance=0.1)
    assert not misc.near(100, 89, significance=0.1)
    with pytest.raises(misc.BadArgument, match="-0.5 is negative; give a fraction"):
        misc.near(1, 1, significance=-0.5)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(23, 1.0), (0.23, 0.01), (99, 1.0), (100, 10.0), (1, 0.1), (1e-7, 1e-8), (999.9999999999999, 10.0), (inf, inf)],
)
def test_magnitude_is_the_weight_of_the_second_digit(value: float, expected: float) -> None:
    """The magnitude is a power of ten, one digit below the first digit; exact at powers of ten too."""
    assert misc.magnitude(value) == expected


@pytest.mark.parametrize("value", [0, -0.0, -23, -inf, nan])
def test_nothing_and_less_has_no_magnitude(value: float) -> None:
    """Zero, negative values and NaN have the magnitude NaN."""
    assert math.isnan(misc.magnitude(value))


@given(st.floats(min_value=1e-200, max_value=1e200))
def test_magnitude_leaves_two_digits(value: float) -> None:
    """A value is from 10 to 100 of its magnitudes."""
    exact = Decimal(repr(value)) / Decimal(repr(misc.magnitude(value)))
    assert 10 <= exact < 100


@pytest.mark.parametrize(
    ("value", "limits", "expected"),
    [
        (5, (0, 10), 5),
        (-1, (0, 10), 0),
        (11, (0, 10), 10),
        (11, (10, 0), 10),
        (-1, (10, 0), 0),
        (11, (0, nan), 11),
        (-1, (0, nan), 0),
        (-1, (nan, 10), -1),
        (11, (nan, 10), 10),
        (inf, (0, 10), 10),
    ],
)
def test_clamp_ignores_nan(value: float, limits: tuple[float, float], expected: float) -> None:
    """A value beyond a limit becomes the limit; limits of NaN are none, and their order does not matter."""
    assert misc.clamp(value, limits) == expected


def test_clamp_keeps_nan() -> None:
    """A missing value is not turned into a limit."""
    assert math.isnan(misc.clamp(nan, (0, 10)))


@pytest.mark.parametrize(
    ("value", "keywords", "expected"),
    [
        (5, {}, 50),
        (-1, {}, -10),
        (11, {}, 110),
        (11, {"clamped": True}, 100),
        (-inf, {"clamped": True}, 0),
        (1e300, {"clamped": True, "exponent": 2}, 100),
        (5, {"exponent": 2}, 25),
        (-5, {"exponent": 2}, -25),
        (5, {"exponent": 0.5}, 100 * 0.5**0.5),
        (-5, {"exponent": 0.5}, -100 * 0.5**0.5),
        (inf, {}, inf),
    ],
)
def test_scale(value: float, keywords: dict[str, Any], expected: float) -> None:
    """A value is taken from a domain to a range, straight or bent, within the range only if clamped."""
    assert misc.scale(value, (0, 10), (0, 100), **keywords) == pytest.approx(expected)


def test_scale_turns_descending_ranges() -> None:
    """A range or a domain that descends turns the direction, clamped as well."""
    assert misc.scale(1, (0, 10), (100, 0)) == 90
    assert misc.scale(1, (10, 0), (0, 100)) == 90
    assert misc.scale(11, (0, 10), (100, 0), clamped=True) == 0


@given(NUMBERS, st.tuples(NUMBERS, NUMBERS).filter(lambda ends: ends[0] != ends[1]), st.tuples(NUMBERS, NUMBERS))
def test_scale_is_exact_at_the_ends(value: float, domain: tuple[float, float], rng: tuple[float, float]) -> None:
    """The ends of the domain give the ends of the range exactly; clamped, nothing leaves the range."""
    assert (misc.scale(domain[0], domain, rng), misc.scale(domain[1], domain, rng)) == rng
    assert min(rng) <= misc.scale(value, domain, rng, clamped=True) <= max(rng)


def test_scale_refuses_what_has_no_answer() -> None:
    """An empty domain, and an exponent of 0 or less, are refused by name."""
    with pytest.raises(misc.BadArgument, match=r"the domain \(3, 3\) is empty"):
        misc.scale(1, (3, 3), (0, 1))
    for exponent in (0, -1, nan):
        with pytest.raises(misc.BadArgument, match=f"exponent {exponent} is not above 0"):
            misc.scale(1, (0, 1), (0, 1), exponent=exponent)


def test_missing_values_are_none_and_nan() -> None:
    """None and NaN of any type are no values; zero, empty text and infinity are."""
    assert [misc.non_value(value) for value in (None, nan, Decimal("NaN"))] == [True] * 3
    assert [misc.non_value(value) for value in (0, 0.0, "", inf, False, [])] == [False] * 6


def test_missing_values_sort_first_or_last() -> None:
    """As sort keys, nan_first and nan_last order values as they are, with what is missing at one end."""
    values = [2, nan, 1.5, None, -inf, inf]
    assert sorted(values, key=misc.nan_first)[2:] == [-inf, 1.5, 2, inf]
    assert sorted(values, key=misc.nan_last)[:4] == [-inf, 1.5, 2, inf]
    assert min(values, key=misc.nan_last) == -inf
    assert max(values, key=misc.nan_first) == inf
    assert max([None, nan], key=misc.nan_first) is None


def test_moving_average() -> None:
    """An average moves towards the sample by its weight, and begins with the sample where there was none."""
    assert misc.exponential_moving_average(None, 7, 0.1) == 7
    assert misc.exponential_moving_average(nan, 7, 0.1) == 7
    assert misc.exponential_moving_average(10, 20, 0.25) == 12.5
    assert (misc.exponential_moving_average(10, 20, 0), misc.exponential_moving_average(10, 20, 1)) == (10, 20)
    for weight in (-0.1, 1.1, nan):
        with pytest.raises(misc.BadArgument, match=f"weight {weight} is not from 0 to 1"):
            misc.exponential_moving_average(10, 20, weight)


# ------------------------------------------------------------------ text
def test_natural_keys() -> None:
    """Text gives lower-case parts with numbers 9 wide; anything else its type and hash."""
    assert misc.natural("a10") == ("a", "       10")
    assert misc.natural("Tag_007.b0") == ("tag_", "        7", ".b", "        0")
    assert misc.natural("") == ()
    assert misc.natural(3) == ("", "int", hash(3))
    with pytest.raises(TypeError, match="unhashable"):
        misc.natural([])


def test_natural_order() -> None:
    """Numbers in text sort by size and before letters, case does not count, and text follows what is none."""
    expected = ["", 3, (1, 2), "7", "10", "a", "a2", "A2b", "a10", "B1"]
    assert sorted(reversed(expected), key=misc.natural) == expected


@given(st.integers(0, 10**9 - 1), st.integers(0, 10**9 - 1))
def test_natural_compares_numbers(a: int, b: int) -> None:
    """Up to 9 digits, text with a number compares as its number does."""
    assert (misc.natural(f"x{a}y") < misc.natural(f"x{b}y")) == (a < b)


@pytest.mark.parametrize(
    ("text", "width", "keywords", "expected"),
    [
        ("a.b", 9, {}, "   a.b   "),
        ("a.b", 10, {}, "   a.b    "),
        ("a.b.c", 9, {}, "   a.b.c "),
        ("a.b.c", 9, {"reverse": True}, " a.b.c   "),
        ("12", 9, {}, "  12     "),
        ("12", 9, {"reverse": True}, "    12   "),
        ("a=b", 7, {"axis": "=", "fillchar": "_"}, "__a=b__"),
        ("a->b", 8, {"axis": "->"}, "  a->b  "),
        ("abcd.efgh", 5, {}, "abcd.efgh"),
        ("abcd.efgh", 5, {"clip": True}, "cd.ef"),
        ("abcd.e", 7, {}, "abcd.e  "),
        ("abcd.e", 7, {"clip": True}, "bcd.e  "),
        ("a.b", 8, {"left_right": (2, 5)}, " a.b    "),
        ("a.b", 4, {"left_right": (0, 1), "clip": True}, ".b  "),
        ("", 3, {}, "   "),
        ("a.b", 0, {"clip": True}, ""),
        ("a.b", 0, {}, "a.b"),
    ],
)
def test_centeraxis(text: str, width: int, keywords: dict[str, Any], expected: str) -> None:
    """The axis stands in the middle column, or where the shares of left and right put it."""
    assert misc.centeraxis(text, width, **keywords) == expected


@given(st.text("ab.", max_size=12), st.integers(0, 12), st.booleans(), st.tuples(st.integers(0, 3), st.integers(1, 3)))
def test_centeraxis_loses_nothing_or_fits(text: str, width: int, reverse: bool, shares: tuple[int, int]) -> None:
    """Unclipped, the text is all there in at least the width; clipped, the width is exact."""
    whole = misc.centeraxis(text, width, reverse=reverse, left_right=shares)
    assert whole.strip() == text
    assert len(whole) >= width
    assert len(misc.centeraxis(text, width, reverse=reverse, left_right=shares, clip=True)) == width


def test_centeraxis_refuses_no_axis_and_no_shares() -> None:
    """An empty axis has no place, and shares of nothing or less cannot be given."""
    with pytest.raises(misc.BadArgument, match="the axis is empty"):
        misc.centeraxis("a.b", 9, axis="")
    for shares in ((0, 0), (-1, 2)):
        with pytest.raises(misc.BadArgument, match="shares out nothing"):
            misc.centeraxis("a.b", 9, left_right=shares)


def test_reprargs_shows_a_call() -> None:
    """Arguments come in order, named ones with their names, long ones shortened."""
    assert misc.reprargs() == ""
    assert misc.reprargs(1, "a", key=None) == "1, 'a', key=None"
    assert misc.reprargs(list(range(100))) == "[0, 1, 2, 3, 4, 5, ...]"


def test_lazystr_waits_until_shown() -> None:
    """The function is called only when the text is wanted, and each time that it is."""
    shown: list[int] = []
    lazy = misc.lazystr(lambda: shown.append(1) or len(shown))
    assert shown == []
    assert (str(lazy), f"{lazy}", "%s" % (lazy,)) == ("1", "2", "3")  # noqa: UP031 - as logging formats


# ------------------------------------------------------------------ functions
def plain(value: int = 0) -> int:
    return 10 // value


def test_function_name_tells_the_module() -> None:
    """A function is named with its module; a callable object by its type; a method of an object by itself."""

    class Doer:
        def __call__(self) -> None: ...

    assert misc.function_name(plain) == f"{__name__}.plain"
    assert misc.function_name(len) == "builtins.len"
    assert misc.function_name(Doer()) == f"{__name__}.Doer"
    assert misc.function_name([].append) == "append"


def test_change_function_changes_its_code() -> None:
    """The code of the very function tells the new file; nothing else about it changes."""

    def own() -> int:
        return 3

    assert isinstance(own, FunctionType)
    assert misc.change_function(own, co_filename="elsewhere.py") is own
    assert (own.__code__.co_filename, own.__code__.co_name, own()) == ("elsewhere.py", "own", 3)


@pytest.mark.parametrize("changes", [{"co_nothing": 1}, {"co_filename": 1}, {"co_freevars": ("x",)}])
def test_change_function_refuses_what_code_has_not(changes: dict[str, Any]) -> None:
    """Attributes that code has not, and values that do not fit, are refused; the function stays as it was."""
    code = plain.__code__
    assert isinstance(plain, FunctionType)
    with pytest.raises(misc.BadArgument, match="plain cannot be changed so: .*; give attributes"):
        misc.change_function(plain, **changes)
    assert plain.__code__ is code


def test_change_function_wants_a_python_function() -> None:
    """What is not written in Python has no code to change."""
    given: Any = len
    with pytest.raises(misc.BadArgument, match="builtins.len has no code"):
        misc.change_function(given, co_filename="elsewhere.py")


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int, str, str]]:
    return [(r.name, r.levelno, r.getMessage(), r.funcName) for r in caplog.records]


def test_logresult_logs_the_result(caplog: pytest.LogCaptureFixture) -> None:
    """By default a call is logged at DEBUG to the module's logger, as from its caller, and its result is given."""
    caplog.set_level(logging.DEBUG)
    logged = misc.logresult()(plain)
    assert (logged(5), logged.__name__) == (2, "plain")
    assert told(caplog) == [
        (__name__, logging.DEBUG, f"{__name__}.plain(5) --> 2", "test_logresult_logs_the_result"),
    ]


def test_logresult_goes_where_told(caplog: pytest.LogCaptureFixture) -> None:
    """Prefix, logger and levels are the caller's choice; an exception is logged and goes on."""
    caplog.set_level(logging.DEBUG)
    logged = misc.logresult("ten by", logging.getLogger("own"), log_level=logging.INFO, exc_level=logging.ERROR)(plain)
    assert logged(value=2) == 5
    with pytest.raises(ZeroDivisionError):
        logged()
    assert [line[:3] for line in told(caplog)] == [
        ("own", logging.INFO, "ten by(value=2) --> 5"),
        ("own", logging.ERROR, "ten by() raised ZeroDivisionError: " + str(division_error())),
    ]


def division_error() -> ZeroDivisionError:
    with pytest.raises(ZeroDivisionError) as caught:
        plain()
    return caught.value


def test_logresult_swallows_only_on_demand(caplog: pytest.LogCaptureFixture) -> None:
    """With exc_swallow an exception is logged and gives None; what ends the program is never held up."""
    swallowing = misc.logresult(exc_swallow=True)(plain)
    assert swallowing(0) is None
    assert [level for _, level, _, _ in told(caplog)] == [logging.WARNING]

    def leave() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        misc.logresult(exc_swallow=True)(leave)()


def test_logresult_shows_nothing_that_is_not_logged() -> None:
    """Neither argument nor result is made text for a level that is off."""
    shown: list[str] = []

    class Unshown:
        def __repr__(self) -> str:
            shown.append("shown")
            return "Unshown()"

    logger = logging.Logger("quiet", logging.INFO)
    logger.addHandler(logging.NullHandler())
    unshown = Unshown()
    assert misc.logresult(log=logger)(lambda given: given)(unshown) is unshown
    assert shown == []


class Guarded:
    """An object with a lock, and one of another name."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.other = threading.Lock()

    @misc.mutexmethod()
    def waits(self, fail: bool = False) -> tuple[bool, bool]:
        if fail:
            raise KeyError("told to")
        return self.lock.locked(), self.other.locked()

    @misc.mutexmethod("other", blocking=False)
    def tries(self) -> tuple[bool, bool]:
        return self.lock.locked(), self.other.locked()


def test_mutexmethod_holds_its_lock() -> None:
    """The method runs with the lock named held, which is free again afterwards, after an exception too."""
    guarded = Guarded()
    assert guarded.waits() == (True, False)
    assert guarded.tries() == (False, True)
    with pytest.raises(KeyError):
        guarded.waits(fail=True)
    assert not guarded.lock.locked()
    assert Guarded.waits.__name__ == "waits"


@pytest.mark.parametrize("kind", [AssertionError, Error])
def test_mutexmethod_does_not_wait_if_told(kind: type[Exception]) -> None:
    """Not blocking, a held lock is an error, which leaves the lock with its holder."""
    guarded = Guarded()
    with guarded.other:
        with pytest.raises(kind, match="Lock is held: .*tries does not wait for 'other'"):
            guarded.tries()
        assert guarded.other.locked()
    assert guarded.tries() == (False, True)


def test_mutexmethod_waits_for_the_lock() -> None:
    """Blocking, a call runs only after the holder let go."""
    guarded = Guarded()
    events: list[str] = []
    asked = threading.Event()

    class Watched:
        def acquire(self, blocking: bool) -> bool:
            asked.set()
            return lock.acquire(blocking)

        def release(self) -> None:
            events.append("released")
            lock.release()

    lock = threading.Lock()
    setattr(guarded, "lock", watched := Watched())  # noqa: B010 - it is no Lock, on purpose
    assert guarded.lock is watched
    waits: Callable[..., Any] = misc.mutexmethod()(lambda self: events.append("ran"))
    with lock:
        thread = threading.Thread(target=waits, args=(guarded,))
        thread.start()
        assert asked.wait(10)
        events.append("let go")
    thread.join(10)
    assert events == ["let go", "ran", "released"]


class Clock:
    """A clock that goes on by as much as it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("keywords", "seconds", "calls", "rate"),
    [
        ({}, 0.5, 1, 2.0),
        ({"repeat": 4}, 0.5, 4, 2.0),
        ({"scale": 10}, 0.5, 1, 20.0),
        ({"scale": 10, "repeat": 3}, 0.25, 3, 40.0),
    ],
)
def test_assert_tps_measures_a_rate(keywords: dict[str, Any], seconds: float, calls: int, rate: float) -> None:
    """Runs are repeated, each counts for its transactions; the rate reached passes as minimum, and fails below."""
    clock = Clock()
    ran: list[int] = []

    def work(given: int) -> int:
        clock.now += seconds
        ran.append(given)
        return len(ran)

    assert misc.assert_tps(rate, clock=clock, **keywords)(work)(7) == calls
    assert ran == [7] * calls
    with pytest.raises(misc.TooSlow, match=rf"work reached {rate:.3f} TPS, less than {rate + 0.5:.3f}") as caught:
        misc.assert_tps(rate + 0.5, clock=clock, **keywords)(work)(7)
    assert caught.value.tps == rate
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, Error)


def test_assert_tps_by_the_real_clock() -> None:
    """Without a clock given, real seconds count; what takes no time is fast enough for anything."""
    assert misc.assert_tps(1e-3)(plain)(5) == 2
    with pytest.raises(misc.TooSlow):
        misc.assert_tps(inf, repeat=100)(plain)(5)
    assert misc.assert_tps(1e300, clock=Clock())(plain)(5) == 2


def test_assert_tps_refuses_to_measure_nothing() -> None:
    """No repetition at all is refused when the function is decorated."""
    with pytest.raises(misc.BadArgument, match="repeat 0 measures nothing"):
        misc.assert_tps(1, repeat=0)
