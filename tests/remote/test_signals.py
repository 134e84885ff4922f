"""Signals: what their texts mean, and which are refused with what to write instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import UsageError
from cpppo.remote.signals import KINDS, parse_signal, register_value


def test_a_ramp() -> None:
    """It rises from the least to the greatest value in its period, each of them for as long, and begins anew."""
    ramp = parse_signal("ramp:0,9,10s")
    assert [ramp(second) for second in (0, 0.9, 1, 5, 9.99, 10, 19)] == [0, 0, 1, 5, 9, 0, 9]


def test_a_sine() -> None:
    """It begins in the middle, and is at both ends a quarter and three quarters of its period later."""
    sine = parse_signal("sine: 0, 1000, 1min")
    assert [sine(second) for second in (0, 15, 30, 45, 60)] == [500, 1000, 500, 0, 500]


def test_a_counter() -> None:
    """It is one more after each period, and begins anew after the greatest value; alone it counts seconds."""
    counter = parse_signal("counter:5,7,500ms")
    assert [counter(second) for second in (0, 0.49, 0.5, 1.0, 1.5)] == [5, 5, 6, 7, 5]
    assert [parse_signal("counter")(second) for second in (0, 65535, 65536)] == [0, 65535, 0]
    assert parse_signal("counter", bits=True)(3) == 1


def test_random_values() -> None:
    """They stay for a period, are the same ones with the same seed, and others for each element."""
    one, same, other = (parse_signal("random:0,60000,1s,7", number=number) for number in (0, 0, 1))
    values = [one(second) for second in range(20)]
    assert values == [same(second + 0.9) for second in range(20)] != [other(second) for second in range(20)]
    assert len(set(values)) > 15 and all(0 <= value <= 60000 for value in values)
    assert parse_signal("random:0,60000")(0) in range(60001)


def test_negative_values_are_16_bits() -> None:
    """A signal below 0 is given as the two's complement, and so are numbers."""
    assert parse_signal("ramp:-5,5,11s")(0) == 0xFFFB
    assert register_value(-1) == 0xFFFF and register_value(65535) == 65535 and register_value(1, True) == 1


@given(
    st.sampled_from(["ramp", "sine", "random", "counter"]),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.sampled_from(["1ms", "10s", ".5min", "3h"]),
    st.floats(0, 1e9),
)
def test_every_signal_stays_within_its_bounds(kind: str, one: int, other: int, period: str, now: float) -> None:
    """Whatever the time, a value is between the least and the greatest."""
    low, high = sorted((one, other))
    assert low <= parse_signal(f"{kind}:{low},{high},{period}")(now) <= high


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("wave:1,2,3s", "no value and no signal: write a number, or ramp"),
        ("ramp", "write ramp:LOW,HIGH,PERIOD, eg. ramp:0,100,10s"),
        ("ramp:0,100", "write ramp:LOW"),
        ("ramp:0,100,10s,1", "write ramp:LOW"),
        ("ramp:0,,10s", "write ramp:LOW"),
        ("counter:1", "write counter"),
        ("random:1", "write random"),
        ("sine:a,100,10s", "'a' is no whole number"),
        ("sine:100,0,10s", "100 is more than 0; the least value comes first"),
        ("sine:0,70000,10s", "70000 does not fit: a register holds -32768 to 65535"),
        ("sine:-1,40000,10s", "not both"),
        ("ramp:0,100,10", "'10' is no time with its unit; write eg. 10s"),
        ("ramp:0,100,10d", "'10d' is no time"),
        ("ramp:0,100,0s", "a period is 1ms at least"),
        ("random:0,1,1s,x", "'x' is no whole number"),
    ],
)
def test_what_is_no_signal(text: str, told: str) -> None:
    """A text that is none is told, with what to write."""
    with pytest.raises(UsageError) as caught:
        parse_signal(text)
    assert told in str(caught.value)


def test_a_signal_that_no_bit_holds() -> None:
    """A bit is 0 or 1, whatever the signal."""
    with pytest.raises(UsageError, match="5 does not fit: a bit is 0 or 1"):
        parse_signal("ramp:0,5,1s", bits=True)
    assert set(KINDS) == {"ramp", "sine", "random", "counter"}
