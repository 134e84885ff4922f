"""The fixtures ``plc_simulator`` and ``plc_simulator_factory`` for other people's test-suites.

pytest finds this by an entry point.  Owns: what a test says of its simulator, and ending it with the test.
Rule: whoever imports this, eg. every run of pytest, gets nothing but the fixtures: no thread, no socket, no setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cpppo.server.enip.simulator import Simulator

__all__ = ["DEFAULT_TAGS", "plc_simulator", "plc_simulator_factory", "pytest_configure"]

#: What there is if a test names no tags.
DEFAULT_TAGS = ("SCADA=INT[1000]",)

_MARKER = "plc_tags(*tags, **options): tags of the fixture plc_simulator, as enip_server's; options of Simulator"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def plc_simulator_factory() -> Iterator[Callable[..., Simulator]]:
    """Starts simulators: ``plc_simulator_factory('SCADA=INT[10]', ...)``; all of them end with the test."""
    with ExitStack() as running:

        def start(*tags: Any, **options: Any) -> Simulator:
            return running.enter_context(Simulator(*tags, **options))

        yield start


@pytest.fixture
def plc_simulator(request: pytest.FixtureRequest, plc_simulator_factory: Callable[..., Simulator]) -> Simulator:
    """A running simulator with the tag SCADA=INT[1000], or those of ``@pytest.mark.plc_tags``; ends with the test."""
    marker = request.node.get_closest_marker("plc_tags")
    tags, options = (marker.args, marker.kwargs) if marker is not None else ((), {})
    if not tags and "config" not in options:
        tags = DEFAULT_TAGS
    return plc_simulator_factory(*tags, **options)
