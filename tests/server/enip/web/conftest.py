"""The simulator that most tests of the web interface ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.enip.web.browsing import Web, web


@pytest.fixture
def site() -> Iterator[Web]:
    """A simulator with a vector, scalars, text and two dimensions."""
    with web("SCADA=INT[1000]", "Tag=DINT[3]", "Level=REAL", "Pump=BOOL", "Name=STRING", "Grid=DINT[2,3]") as made:
        yield made
