"""The fixtures for other people's test-suites, used as there: by a pytest of its own, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.orgblocks import blocks
from tests.tools import ROOT, python_environment

pytest_plugins = ["pytester"]

PLUGIN = "cpppo.server.enip.pytest_plugin"


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A directory for tests of others; their pytest finds the package, and no plugins by itself."""
    monkeypatch.setenv("PYTHONPATH", python_environment()["PYTHONPATH"])
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


def run(suite: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run the suite with the plugin, every warning (a socket left open, an unknown marker) an error."""
    return suite.runpytest_subprocess("-p", PLUGIN, "-W", "error", "--strict-markers", *arguments, timeout=60)


def test_documented_suite(suite: pytest.Pytester) -> None:
    """The test-suite that the document shows passes."""
    text = (ROOT / "docs" / "simulator.org").read_text(encoding="utf-8")
    (shown,) = [block.text for block in blocks(text) if "plc_simulator" in block.text]
    suite.makepyfile(test_shown=shown)
    run(suite).assert_outcomes(passed=3)


def test_a_fresh_simulator_a_test(suite: pytest.Pytester) -> None:
    """Each test has a simulator of its own, which has ended when the next one begins."""
    suite.makepyfile(
        """
        import socket, threading, pytest
        seen = []

        @pytest.mark.parametrize("number", range(3))
        def test_fresh(plc_simulator, number):
            assert list(plc_simulator) == ["SCADA"] and len(plc_simulator["SCADA"]) == 1000
            assert plc_simulator["SCADA"][0] == 0
            plc_simulator["SCADA"][0] = 1
            seen.append(plc_simulator.address)

        def test_ended():
            assert threading.active_count() == 1 and len(seen) == 3
            for address in seen:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(address, 5.0)
        """
    )
    run(suite).assert_outcomes(passed=4)


def test_the_nearest_marker_counts(suite: pytest.Pytester) -> None:
    """A marker at the test goes before that of the module; one with options alone leaves the tags as they are."""
    suite.makepyfile(
        """
        import pytest
        from cpppo.server.enip import device
        pytestmark = pytest.mark.plc_tags("Module=DINT")

        def test_module(plc_simulator):
            assert list(plc_simulator) == ["Module"]

        @pytest.mark.plc_tags("Own=REAL", "Other")
        def test_own(plc_simulator):
            assert list(plc_simulator) == ["Own", "Other"]

        class Mine(device.Attribute): pass

        @pytest.mark.plc_tags(attribute_class=Mine)
        def test_options(plc_simulator):
            assert type(plc_simulator["SCADA"].attribute) is Mine
        """
    )
    run(suite).assert_outcomes(passed=3)


def test_plant_file(suite: pytest.Pytester) -> None:
    """A marker that names a plant file has its tags, and others only if it names them."""
    suite.makefile(".toml", plant="[tags]\nSCADA = 'REAL'\n")
    suite.makepyfile(
        """
        import pytest

        @pytest.mark.plc_tags(config="plant.toml")
        def test_file(plc_simulator):
            assert list(plc_simulator) == ["SCADA"] and plc_simulator["SCADA"].value == 0.0

        @pytest.mark.plc_tags("More=INT", config="plant.toml")
        def test_more(plc_simulator):
            assert list(plc_simulator) == ["SCADA", "More"]
        """
    )
    run(suite).assert_outcomes(passed=2)


def test_bad_tags_are_told(suite: pytest.Pytester) -> None:
    """A marker with a tag that cannot be understood is an error of that test alone, and says what to write."""
    suite.makepyfile(
        """
        import pytest

        @pytest.mark.plc_tags("SCADA=FLOAT")
        def test_bad(plc_simulator): pass

        def test_good(plc_simulator): pass
        """
    )
    result = run(suite)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*UsageError: tag 'SCADA=FLOAT': unknown type 'FLOAT'; write REAL, one of *"])


def test_failures_are_the_tests_own(suite: pytest.Pytester) -> None:
    """A test that fails with its simulators running fails by its own words, and they end."""
    suite.makepyfile(
        """
        import threading

        def test_fails(plc_simulator, plc_simulator_factory):
            plc_simulator_factory("A")
            assert plc_simulator["SCADA"][0] == 12345

        def test_ended():
            assert threading.active_count() == 1
        """
    )
    result = run(suite)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*assert 0 == 12345*"])


IMPORTED = f"""
import sys, threading, pytest
events = []
sys.addaudithook(lambda event, args: events.append(event) if event.startswith(("socket.", "_thread.start")) else None)
import {PLUGIN}
optional = {{"greenery", "web", "cheroot", "prometheus_client", "pymodbus", "pytz", "tzlocal"}} & set(sys.modules)
print(events, threading.active_count(), sorted(optional))
"""


def test_import_has_no_side_effects() -> None:
    """Importing the plugin starts no thread, touches no socket and loads no optional dependency."""
    run = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, env=python_environment(), timeout=60
    )
    assert (run.stdout, run.stderr) == ("[] 1 []\n", "")


def test_help_tells(suite: pytest.Pytester) -> None:
    """pytest --fixtures and --markers tell what there is."""
    told = run(suite, "--fixtures").stdout.str() + run(suite, "--markers").stdout.str()
    for one in ("plc_simulator ", "plc_simulator_factory", "@pytest.mark.plc_tags(*tags, **options)"):
        assert one in told, one


@pytest.mark.long
def test_found_by_its_entry_point(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a distribution declares what setup.py declares, the fixture is there without a word."""
    declared = re.findall(r'"pytest11": \["(\w+ = [\w.]+)"\]', (ROOT / "setup.py").read_text(encoding="utf-8"))
    assert len(declared) == 1
    info = suite.path / "site" / "somebody-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[pytest11]\n{declared[0]}\n")
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.setenv("PYTHONPATH", str(info.parent), prepend=os.pathsep)
    suite.makepyfile("def test_there(plc_simulator): assert plc_simulator['SCADA'][0] == 0")
    suite.runpytest_subprocess(timeout=60).assert_outcomes(passed=1)
    suite.runpytest_subprocess("-p", "no:cpppo", timeout=60).assert_outcomes(errors=1)
