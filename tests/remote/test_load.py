"""The averages of busy time."""

from __future__ import annotations

import pytest

from cpppo.remote.load import Load


def test_nothing_measured() -> None:
    """Before anything was measured there are three times nothing; no time passed is no measurement."""
    load = Load()
    load.add(1, 0)
    assert load.averages == (None, None, None)


def test_the_first_measurement_counts_for_all() -> None:
    """The first one is all that is known; it stays within 0 and 1."""
    load = Load()
    load.add(3, 2)
    assert load.averages == (1.0, 1.0, 1.0)


def test_shorter_spans_follow_faster() -> None:
    """After a minute of another load the average of one minute has moved by 63 %, that of 15 minutes by 6 %."""
    load = Load()
    load.add(0, 1)
    for _ in range(60):
        load.add(1, 1)
    assert load.averages == (
        pytest.approx(0.632, abs=1e-3),
        pytest.approx(0.181, abs=1e-3),
        pytest.approx(0.0645, abs=1e-3),
    )
