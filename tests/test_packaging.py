"""What is packaged is what the sources hold and say: files, names, dependencies, console scripts."""

from __future__ import annotations

import email
import importlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.message import Message
from pathlib import Path

import pytest

import cpppo
from tests.conftest import expected_package
from tests.tools import ROOT, need_module, python_environment

SETUP = (ROOT / "setup.py").read_text(encoding="utf-8")
SCRIPTS = re.findall(r'"(\w+) = ([\w.]+):(\w+)"', SETUP)


class Wheel:
    """A built wheel: its file names, its metadata, and its entry points as text."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            self.names = archive.namelist()
            info = next(name.partition("/")[0] for name in self.names if ".dist-info/" in name)
            self.metadata: Message = email.message_from_bytes(archive.read(f"{info}/METADATA"))
            self.entry_points = archive.read(f"{info}/entry_points.txt").decode()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    """The wheel, built from a copy of the sources with the build system that is installed."""
    need_module("build")
    copy, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for pattern in ("*.org", "*.txt", "*.toml", "LICENSE", "MANIFEST.in", "setup.py"):
        for path in ROOT.glob(pattern):
            shutil.copy(path, copy)
    shutil.copytree(ROOT / "cpppo", copy / "cpppo")
    made = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return Wheel(next(out.glob("*.whl")))


def test_the_package_meant_is_tested() -> None:
    """The package under test is the sources', or the installed wheel's, and never another of that name."""
    assert cpppo.__file__ is not None
    assert Path(cpppo.__file__).resolve().parent == expected_package()
    assert (expected_package() / "py.typed").is_file()


@pytest.mark.checkout
def test_wheel_holds_the_package(wheel: Wheel) -> None:
    """Every source file and py.typed are in the wheel; tests, benchmarks and documents are not."""
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "cpppo").rglob("*.py")}
    packaged = {name for name in wheel.names if ".dist-info/" not in name}
    assert sources <= packaged
    assert "cpppo/py.typed" in packaged
    assert {name.partition("/")[0] for name in packaged} == {"cpppo"}


@pytest.mark.checkout
def test_wheel_holds_the_page(wheel: Wheel) -> None:
    """Every file of the web interface's page and its description are in the wheel, though they are no Python."""
    web = ROOT / "cpppo" / "server" / "enip" / "web"
    files = {str(path.relative_to(ROOT)) for path in (web / "page").rglob("*") if path.is_file()}
    assert {Path(name).suffix for name in files} >= {".html", ".css", ".js", ".png"}
    assert files | {str((web / "openapi.json").relative_to(ROOT))} <= set(wheel.names)


@pytest.mark.checkout
def test_wheel_says_what_it_is(wheel: Wheel) -> None:
    """Name, version, licence, supported Pythons and the kind of text of the description."""
    assert wheel.metadata["Name"] == "cpppo"
    assert wheel.metadata["Version"] == cpppo.__version__
    assert wheel.metadata["License-Expression"] == "MIT"
    assert wheel.metadata["Requires-Python"] == ">=3.10"
    assert wheel.metadata["Description-Content-Type"] == "text/plain"


@pytest.mark.checkout
def test_wheel_requires_what_the_files_say(wheel: Wheel) -> None:
    """Plain requirements are those of requirements.txt; all others belong to an extra."""
    plain = [line for line in wheel.metadata.get_all("Requires-Dist") or [] if "extra ==" not in line]
    assert [re.split(r"[<>=]", line)[0] for line in plain] == ["greenery", "tomli"]
    assert "python_version <" in plain[1]
    assert {"all", "test"} <= set(wheel.metadata.get_all("Provides-Extra") or [])


@pytest.mark.checkout
def test_wheel_declares_the_scripts(wheel: Wheel) -> None:
    """The console scripts of setup.py are in the wheel."""
    assert SCRIPTS != []
    for name, module, function in SCRIPTS:
        assert f"{name} = {module}:{function}" in wheel.entry_points


@pytest.mark.parametrize(("name", "module", "function"), SCRIPTS)
def test_script_can_be_called(name: str, module: str, function: str) -> None:
    """What a console script names exists, and shows its usage, by the script's name or its module's."""
    assert callable(getattr(importlib.import_module(module), function))
    call = f"import sys; from {module} import {function}; sys.argv = ['{name}', '--help']; sys.exit({function}())"
    run = subprocess.run(
        [sys.executable, "-c", call], capture_output=True, text=True, timeout=60, env=python_environment()
    )
    assert run.returncode == 0, run.stderr
    assert "usage" in run.stdout.lower()


@pytest.mark.checkout
def test_sdist_would_hold_what_setup_reads() -> None:
    """Whatever setup.py reads is in the manifest: else a wheel cannot be built from the source distribution."""
    manifest = (ROOT / "MANIFEST.in").read_text(encoding="utf-8")
    for name in re.findall(r'(?:text|requirements)\("([\w.-]+)"\)', SETUP):
        assert (ROOT / name).is_file()
        assert any(Path(name).match(pattern) for pattern in manifest.split())


def test_changes_begin_with_the_unreleased() -> None:
    """CHANGES.org names what is not yet released first, under the customary headings only."""
    text = (ROOT / "CHANGES.org").read_text(encoding="utf-8")
    releases = re.findall(r"^\* (.+)$", text, re.MULTILINE)
    assert releases[0] == "Unreleased"
    assert set(re.findall(r"^\*\* (.+)$", text, re.MULTILINE)) <= {"Added", "Changed", "Fixed", "Removed"}


@pytest.mark.skipif(os.name != "posix", reason="file modes are of POSIX systems")
@pytest.mark.checkout
def test_scripts_are_executable() -> None:
    """What make and CI start can be started."""
    assert [path.name for path in (ROOT / ".ci").iterdir() if not os.access(path, os.X_OK)] == []
