"""All tests of histories run in UTC, with no abbreviation supported, and leave it so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cpppo.history.moments import ABBREVIATIONS


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    ABBREVIATIONS.support([], reset=True)
    yield
    ABBREVIATIONS.support([], reset=True)
