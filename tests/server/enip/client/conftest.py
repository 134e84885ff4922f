"""What the tests of the client share: the plant, served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cpppo.server.enip.simulator import Simulator
from tests.server.enip.client.plant import PLANT


@pytest.fixture
def plc(tmp_path: Path) -> Iterator[Simulator]:
    """The plant, served on loopback."""
    file = tmp_path / "plant.toml"
    file.write_bytes(PLANT)
    with Simulator(config=file) as simulator:
        yield simulator
