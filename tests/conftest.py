"""What holds for the whole run: which package is tested, Hypothesis' settings, notices, the common fixtures."""

from __future__ import annotations

import importlib
import os
import signal
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.tools import ROOT, Server, examples

#: Set where the installed wheel is tested: the package must then come from site-packages.
INSTALLED = "CPPPO_TESTS_INSTALLED"

#: A loaded machine is slow at times: an example that takes long is no failure.
settings.register_profile("cpppo", deadline=None, print_blob=True, max_examples=examples(100))
settings.load_profile("cpppo")

NOTICES = pytest.StashKey[list[str]]()


def expected_package() -> Path:
    """The directory from which `cpppo` must be imported in this run."""
    parent = Path(sysconfig.get_path("purelib")) if os.environ.get(INSTALLED) else ROOT
    return parent.resolve() / "cpppo"


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to test another package of the same name; let servers be ended by SIGINT in any surroundings."""
    config.stash[NOTICES] = []
    where = importlib.import_module("cpppo").__file__
    if where is None or Path(where).resolve().parent != expected_package():
        raise pytest.UsageError(f"cpppo is imported from {where}, but {expected_package()} is to be tested")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job; children inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    return f"cpppo: {expected_package()}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[NOTICES]:
        terminalreporter.section("notices")
        for line in config.stash[NOTICES]:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def notices(pytestconfig: pytest.Config) -> list[str]:
    """Lines to show at the end of the run: worth knowing, but no failure."""
    return pytestconfig.stash[NOTICES]


@pytest.fixture
def simulator() -> Iterator[Server]:
    """A simulator with the tag SCADA=INT[1000], as a process of its own."""
    with Server("SCADA=INT[1000]") as server:
        yield server
