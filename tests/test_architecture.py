"""The package keeps the rules of its architecture; and each rule's checker notices an offence planted for it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cpppo
from tests import architecture
from tests.architecture import Module
from tests.tools import python_environment

assert cpppo.__file__ is not None
MODULES = architecture.read(Path(cpppo.__file__).resolve().parent)
NAMES = sorted(MODULES)

RULES: dict[str, Callable[[Module], Iterator[str]]] = {
    "layers": lambda module: architecture.layer_offences(module, MODULES),
    "purity": architecture.purity_offences,
    "owners": architecture.owner_offences,
    "portability": architecture.portability_offences,
    "errors": architecture.swallowed_errors,
    "evaluation": architecture.evaluations,
    "docstring": architecture.docstring_offences,
    "exports": architecture.export_offences,
}


@pytest.mark.parametrize("rule", RULES)
def test_rule_holds(rule: str) -> None:
    """No module of the package offends against the rule."""
    assert [offence for name in NAMES for offence in RULES[rule](MODULES[name])] == []


def test_no_import_cycles() -> None:
    """No two modules need each other."""
    assert architecture.cycles(MODULES) == []


def test_file_lengths(notices: list[str]) -> None:
    """No file is longer than anybody reads; those on the way there are named at the end of the run."""
    notices += architecture.length_offences(MODULES.values(), architecture.LINES_REPORTED)
    assert architecture.length_offences(MODULES.values(), architecture.LINES_ALLOWED) == []


@pytest.mark.parametrize("name", [name for name in NAMES if MODULES[name].package])
def test_exports_exist(name: str) -> None:
    """Every name in a package's __all__ can be had from it."""
    package = importlib.import_module(name)
    assert [export for export in package.__all__ if not hasattr(package, export)] == []


AUDITED = """
import importlib, json, sys, threading
events = []
sys.addaudithook(lambda event, args: events.append(event) if event.startswith(("socket.", "_thread.start")) else None)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps({"events": events, "threads": threading.active_count(), "modules": list(sys.modules)}))
"""


@pytest.mark.parametrize("name", ["cpppo", "cpppo.server.enip"])
def test_import_is_light(name: str) -> None:
    """Importing a front door loads no optional dependency, starts no thread and touches no socket."""
    run = subprocess.run(
        [sys.executable, "-c", AUDITED, name], capture_output=True, text=True, env=python_environment(), timeout=60
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    loaded = {module.partition(".")[0] for module in told["modules"]}
    assert loaded & {"greenery", "web", "cheroot", "pytz", "tzlocal", "pymodbus", "serial"} == set()
    assert (told["events"], told["threads"]) == ([], 1)


# ------------------------------------------------------------------ the checkers themselves
def planted(name: str, source: str, package: bool = False) -> Module:
    return Module(name, source, package)


WIRE, DEVICE, FRONT = "cpppo.server.enip.wire.path", "cpppo.server.enip.device.router", "cpppo.server.enip.serve"


@pytest.mark.parametrize(
    ("name", "source", "target"),
    [
        ("cpppo.dotdict", "from cpppo.automata.state import state", "cpppo.automata.state"),
        ("cpppo.automata.state", "from ..grammar import nodes", "cpppo.grammar.nodes"),
        ("cpppo.automata.state", "def later():\n    import cpppo.grammar.nodes", "cpppo.grammar.nodes"),
        (WIRE, "from cpppo.server.enip.device import router", DEVICE),
        (DEVICE, "from ..session import Session", "cpppo.server.enip.session"),
        ("cpppo.server.enip.client.exchange", f"import {DEVICE}", DEVICE),
        ("cpppo.server.enip.session", "from .serve import serve", FRONT),
        ("cpppo.history.reader", f"import {WIRE}", WIRE),
        ("cpppo.remote.plc", "from cpppo.server.enip.client.connector import x", "cpppo.server.enip.client.connector"),
        (FRONT, "from .main import main", "cpppo.server.enip.main"),
        ("cpppo.server.tcp", f"import {WIRE}", WIRE),
        ("cpppo.automata.state", "from cpppo import dotdict", "cpppo"),
        ("cpppo.server.enip.unheard_of", "", ""),
    ],
)
def test_upward_import_is_noticed(name: str, source: str, target: str) -> None:
    """An import that does not go down, at the top or in a function, and a module of no layer, are offences."""
    module = planted(name, source)
    others = {target: planted(target, "", package=target == "cpppo")} if target else {}
    assert len(list(architecture.layer_offences(module, others))) == 1


@pytest.mark.parametrize(
    ("name", "source", "target", "package"),
    [
        (DEVICE, "from ..wire import path", WIRE, False),
        ("cpppo.server.enip.client.connector", "from .exchange import x", "cpppo.server.enip.client.exchange", False),
        ("cpppo.server.enip.main", f"import {FRONT}", FRONT, False),
        ("cpppo.history.__main__", f"import {FRONT}", FRONT, False),
        ("cpppo", "from .automata.state import state", "cpppo.automata.state", True),
        ("cpppo.server.enip", "from .main import main", "cpppo.server.enip.main", True),
    ],
)
def test_downward_import_is_allowed(name: str, source: str, target: str, package: bool) -> None:
    """Imports of lower layers, and of its own package by an __init__, are no offences."""
    assert list(architecture.layer_offences(planted(name, source, package), {target: planted(target, "")})) == []


def test_name_of_a_package_is_told_from_its_module() -> None:
    """`from package import name` means the package where it binds the name, else the module of that name."""
    package = planted("cpppo.automata", "from .state import state", package=True)
    state, run = planted("cpppo.automata.state", ""), planted("cpppo.automata.run", "")
    modules = {module.name: module for module in (package, state, run)}
    user = planted("cpppo.grammar.nodes", "from cpppo.automata import state, run")
    assert [to for _, to in architecture.dependencies(user, modules)] == ["cpppo.automata", "cpppo.automata.run"]
    assert [to for _, to in architecture.dependencies(package, modules)] == ["cpppo.automata.state"]


@pytest.mark.parametrize(
    "source",
    [
        "import socket",
        "import time as clock",
        "from asyncio import sleep",
        "import logging.handlers",
        "from logging import handlers",
        "def later():\n    import select",
        "import concurrent.futures",
        "import threading",
        "from threading import Lock",
    ],
)
def test_input_output_in_a_pure_layer_is_noticed(source: str) -> None:
    """A pure layer that imports I/O, time or threads, anywhere, offends; a front does not."""
    assert len(list(architecture.purity_offences(planted(WIRE, source)))) == 1
    assert list(architecture.purity_offences(planted(FRONT, source))) == []


def test_lock_is_allowed_where_it_belongs() -> None:
    """The machine may take a Lock from threading, but no Thread; plain logging is no I/O."""
    machine = "cpppo.automata.machine"
    assert list(architecture.purity_offences(planted(machine, "import logging\nfrom threading import Lock"))) == []
    assert len(list(architecture.purity_offences(planted(machine, "from threading import Thread")))) == 1


def test_other_importer_of_an_owned_dependency_is_noticed() -> None:
    """greenery and pymodbus are each imported by one module."""
    for source, owner in (("from greenery import parse", "automata.regex"), ("import pymodbus.client", "remote.plc")):
        assert len(list(architecture.owner_offences(planted("cpppo.automata.state", source)))) == 1
        expected = 0 if owner == "automata.regex" else 1
        assert len(list(architecture.owner_offences(planted(f"cpppo.{owner}", source)))) == expected


def test_cycles_are_noticed() -> None:
    """A cycle through a function-level import is one; through an import for typing alone it is none."""
    one = "from cpppo.grammar import two"
    sources = {
        "def later():\n    from . import one": [["cpppo.grammar.one", "cpppo.grammar.two"]],
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import one": [],
    }
    for two, expected in sources.items():
        modules = {m.name: m for m in (planted("cpppo.grammar.one", one), planted("cpppo.grammar.two", two))}
        assert architecture.cycles(modules) == expected


@pytest.mark.parametrize(
    "source",
    [
        "import signal\nsignal.signal(signal.SIGHUP, print)",
        "from signal import SIGHUP",
        "import socket\nif fast:\n    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, b'')",
        "import pty",
        "import os\npid = os.fork()",
        "from os import fork",
        "def later():\n    import fcntl, termios",
        "import resource",
        "import socket\nx = getattr(socket, 'SO_REUSEPORT')",
        "import os\ntry:\n    pass\nexcept AttributeError:\n    os.fork()",
        "import socket\ntry:\n    x = socket.SO_REUSEPORT\nexcept OSError:\n    x = 0",
    ],
)
def test_unguarded_posix_name_is_noticed(source: str) -> None:
    """A name that only POSIX systems have offends, however it is reached."""
    assert list(architecture.portability_offences(planted(FRONT, source))) != []


@pytest.mark.parametrize(
    "source",
    [
        "import signal\nif hasattr(signal, 'SIGHUP'):\n    signal.signal(signal.SIGHUP, print)",
        "import socket\nx = getattr(socket, 'SO_REUSEPORT', None)",
        "try:\n    import fcntl\nexcept ImportError:\n    fcntl = None",
        "import os, sys\nif sys.platform != 'win32':\n    os.fork()",
        "import os\nx = os.getuid() if os.name == 'posix' else 0",
        "import os\nx = hasattr(os, 'getuid') and os.getuid()",
        "import signal\nsignal.signal(signal.SIGINT, print)",
    ],
)
def test_guarded_posix_name_is_allowed(source: str) -> None:
    """A look at the system before the use, or a caught absence, is a guard; what all systems have needs none."""
    assert list(architecture.portability_offences(planted(FRONT, source))) == []


@pytest.mark.parametrize(
    "handler", ["except:\n    raise", "except Exception:\n    pass", "except (OSError, Exception):\n    return None"]
)
def test_swallowed_error_is_noticed(handler: str) -> None:
    """A bare except, and a broad one that does nothing, are offences."""
    assert len(list(architecture.swallowed_errors(planted(FRONT, f"try:\n    run()\n{handler}")))) == 1


def test_honest_handlers_are_allowed() -> None:
    """A named error may be passed over, and a broad handler that reports is none that swallows."""
    for handler in ("except OSError:\n    pass", "except Exception as exc:\n    report(exc)"):
        assert list(architecture.swallowed_errors(planted(FRONT, f"try:\n    run()\n{handler}"))) == []
    suppressed = planted(FRONT, "with contextlib.suppress(Exception):\n    run()")
    assert len(list(architecture.swallowed_errors(suppressed))) == 1


def test_evaluation_is_noticed() -> None:
    """eval offends everywhere, exec outside the grammar; a method of that name does not."""
    source = "eval(text)\nexec(text)\nself.eval(text)"
    assert len(list(architecture.evaluations(planted(FRONT, source)))) == 2
    assert len(list(architecture.evaluations(planted("cpppo.grammar.parse", source)))) == 1


def test_missing_docstring_is_noticed() -> None:
    """A comment is no docstring."""
    assert len(list(architecture.docstring_offences(planted(FRONT, "# serve\nimport os")))) == 1
    assert list(architecture.docstring_offences(planted(FRONT, '"""Serve."""'))) == []


@pytest.mark.parametrize(
    ("source", "offences"),
    [
        ("from .a import b\n__all__ = ['b']", 0),
        ("from __future__ import annotations\nfrom .a import b, _c\n__all__ = ['b']", 0),
        ("from .a import b", 1),
        ("from .a import b\n__all__ = ['b', 'c']", 1),
        ("from .a import b, c\n__all__ = ['b']", 1),
        ("from .a import b\n__all__ = ['b', 'b']", 1),
        ("from .a import b\n__all__ = ['b']\nb.register()", 1),
    ],
)
def test_exports_that_do_not_match_are_noticed(source: str, offences: int) -> None:
    """A package's __init__ only imports, and __all__ lists what it imports, each once."""
    assert len(list(architecture.export_offences(planted("cpppo.grammar", source, package=True)))) == offences


def test_long_file_is_noticed() -> None:
    """One line more than the limit is too many."""
    module = planted(FRONT, "pass\n" * 11)
    assert len(architecture.length_offences([module], 10)) == 1
    assert architecture.length_offences([module], 11) == []
