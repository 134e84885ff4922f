"""One browser for all tests of the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.server.enip.web.browsing import Web, web
from tests.tools import need_module

need_module("selenium")
need_module("web")


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    """A headless Chromium."""
    from tests.browser.chromium import browser

    with browser() as made:
        yield made


@pytest.fixture
def site() -> Iterator[Web]:
    """A simulator with a vector, scalars, text and two dimensions."""
    with web("SCADA=INT[1000]", "Level=REAL", "Pump=BOOL", "Name=STRING", "Count=DINT", "Grid=DINT[3,4]") as made:
        yield made
