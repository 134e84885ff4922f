"""Clients of other makers on controllers of every profile, with Wireshark between; and what of it passed.

A test marked ``capability`` gets by the fixture ``talk`` a client that has a controller open, once for each client
and profile that can have the capability; or by the fixture ``served`` a server of another maker, once for each way to
ask it. What passes is recorded for docs/conformance.org.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cpppo.server.enip.simulator import Simulator
from tests.peers import plants
from tests.peers.conformance import CLIENTS, SERVERS, Cell
from tests.peers.peer import Peer
from tests.peers.servers import MAKERS
from tests.peers.wiretap import Lie, Wiretap, judge
from tests.peers.with_node import Node
from tests.peers.with_pycomm3 import Pycomm3
from tests.peers.with_pylogix import Pylogix
from tests.tools import need

RECORD = pytest.StashKey[dict[Cell, bool]]()
COLLECTED = pytest.StashKey[dict[str, Cell]]()
RUN = pytest.StashKey[set[str]]()

MARKERS = (
    "capability(name): what of docs/conformance.org a test is about",
    "conformance: compares that document with what was recorded, after all else",
)
HERE = Path(__file__).parent
#: By the fixture of a conversation, the table that it is about.
_TABLES = {"talk": CLIENTS, "served": SERVERS}
OPTION = "--write-conformance"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, action="store_true", help="write the tables of docs/conformance.org anew")


def pytest_configure(config: pytest.Config) -> None:
    for one in MARKERS:
        config.addinivalue_line("markers", one)
    config.stash[RECORD], config.stash[COLLECTED], config.stash[RUN] = {}, {}, set()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each client and profile, or server and way, that can have the capability."""
    fixture = next((name for name in _TABLES if name in metafunc.fixturenames), None)
    if fixture is None:
        return
    marker = metafunc.definition.get_closest_marker("capability")
    assert marker is not None, f"{metafunc.definition.nodeid} does not say which capability it is about"
    (capability,) = marker.args
    table = _TABLES[fixture]
    assert capability in table.rows
    pairs = [(one.peer, one.way) for one in table.cells() if one.capability == capability]
    metafunc.parametrize(fixture, pairs, indirect=True, ids=["-".join(pair) for pair in pairs], scope="package")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Note what tests there are before any is left out; then put those that share conversations after the others.

    So no conversation is idle for long, which would end its connection. The comparison of the table is the last of all.
    """
    config.stash[COLLECTED] = {one.nodeid: cell for one in items if (cell := _cell(one)) is not None}
    yield
    places = [at for at, one in enumerate(items) if one.path.is_relative_to(HERE)]
    here = sorted((items[at] for at in places), key=lambda one: "talk" in getattr(one, "fixturenames", ()))
    for at, one in zip(places, here, strict=True):
        items[at] = one
    items.sort(key=lambda one: one.get_closest_marker("conformance") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Record what a test of a capability came to; one that fails in any of its parts has failed."""
    report: pytest.TestReport = yield
    cell = _cell(item)
    if cell is not None and not report.skipped and (report.when == "call" or report.failed):
        record = item.config.stash[RECORD]
        record[cell] = record.get(cell, True) and report.passed
        item.config.stash[RUN].add(item.nodeid)
    return report


def _cell(item: pytest.Item) -> Cell | None:
    marker = item.get_closest_marker("capability")
    if marker is None or not isinstance(item, pytest.Function):
        return None
    parameters = item.callspec.params
    shared = next((parameters[name] for name in _TABLES if name in parameters), None)
    peer, way = shared or (parameters["client"], parameters["profile"])
    return Cell(peer, way, *marker.args)


# -- controllers and clients


class Talk(NamedTuple):
    """A client that has a controller open, and all that passes between them."""

    peer: Any
    plant: Simulator
    tap: Wiretap


def opened(client: str, profile: str, address: tuple[str, int]) -> Peer:
    """A client, by name, that has opened the controller at an address."""
    micro = profile == plants.MICRO
    if client == Pycomm3.name:
        return Pycomm3(address)
    return Pylogix(address, micro) if client == Pylogix.name else Node(address, micro)


@contextmanager
def recorded(client: str, profile: str, plant: Simulator, lie: Lie | None = None) -> Iterator[Talk]:
    """A client of a controller, all that passes between them recorded, for whoever judges it."""
    need("tshark")
    with ExitStack() as stack:
        stack.enter_context(plant)
        tap = stack.enter_context(Wiretap(plant.address, lie))
        peer = opened(client, profile, tap.address)
        stack.callback(peer.close)
        yield Talk(peer, plant, tap)


@contextmanager
def talking(client: str, profile: str, plant: Simulator, lie: Lie | None = None) -> Iterator[Talk]:
    """A client of a controller, all that passes between them recorded, and judged by Wireshark at the end."""
    with recorded(client, profile, plant, lie) as one:
        yield one
    judge(one.tap.conversations)


@pytest.fixture(scope="package")
def talk(request: pytest.FixtureRequest) -> Iterator[Talk]:
    """One conversation of a client with a controller that has everything, shared by all tests of the two."""
    client, profile = request.param
    assert client in CLIENTS.peers
    with talking(client, profile, plants.everything(profile)) as one:
        yield one


# -- servers


class Served(NamedTuple):
    """A server, all that passes between it and whoever connects to ``tap``, and the way in which it is to be asked."""

    server: Any
    tap: Wiretap
    way: str


@pytest.fixture(scope="package")
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """A server of another maker, shared by all tests that ask it in the same way; all is judged at the end."""
    need("tshark")
    maker, way = request.param
    with MAKERS[maker]() as server, Wiretap(server.address) as tap:
        yield Served(server, tap, way)
    judge(tap.conversations)
