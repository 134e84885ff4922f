"""The package's front door: each promised name is there and is what it says, and importing it changes nothing else."""

from __future__ import annotations

import array
import json
import logging
import math
import subprocess
import sys
from typing import Any

import pytest

import cpppo
from cpppo import automata, errors

ENGINE = """state state_input state_drop state_struct dfa dfa_base dfa_input dfa_drop dfa_post regex regex_bytes
    regex_bytes_promote string string_base string_bytes integer integer_base integer_bytes decide NonTerminal""".split()
ITERATORS = "peekable peeking chainable chaining rememberable remembering".split()
CONSTANTS = """type_bytes_iter type_str_iter type_str_base type_unicode_array_symbol type_str_array_symbol
    type_bytes_array_symbol type_unicode_encoder type_str_encoder path_ext_input log log_cfg""".split()
DATA = "dotdict apidict".split()
MISC = """timer near scale magnitude clamp natural centeraxis nan inf isnan isinf nan_first nan_last non_value
    exponential_moving_average reprargs logresult lazystr function_name change_function mutexmethod assert_tps
    reprlib""".split()
VERSION = ["__version__", "__version_info__"]
SUBMODULES = "automata dotdict misc version".split()


@pytest.mark.parametrize("name", [*ENGINE, *ITERATORS, *CONSTANTS, *DATA, *MISC, *VERSION])
def test_name_is_exported(name: str) -> None:
    """Each promised name is an attribute of the package, and one of those it exports."""
    assert getattr(cpppo, name) is not None
    assert name in cpppo.__all__


def test_star_import() -> None:
    """All that is exported is there, once, in order."""
    there: dict[str, Any] = {}
    exec("from cpppo import *", there)
    assert set(cpppo.__all__) <= set(there)
    assert list(cpppo.__all__) == sorted(set(cpppo.__all__))


@pytest.mark.parametrize("name", SUBMODULES)
def test_submodules(name: str) -> None:
    """The submodules are there; what is named as one of them is what users expect under that name."""
    assert getattr(cpppo, name) is (cpppo.dotdict if name == "dotdict" else sys.modules[f"cpppo.{name}"])


@pytest.mark.parametrize("name", sorted(set(ENGINE + ITERATORS) - {"NonTerminal"}))
def test_engine_is_that_of_automata(name: str) -> None:
    """The engine's names are those of cpppo.automata, classes or functions of that very name."""
    assert getattr(cpppo, name) is getattr(automata, name)
    assert getattr(cpppo, name).__name__ == ("dfa" if name == "dfa_base" else name)


def test_kinds_of_states() -> None:
    """All of the engine's states and machines are states; machines are based on dfa_base."""
    machines = [
        getattr(cpppo, name) for name in ENGINE if name not in ("decide", "NonTerminal") and "state" not in name
    ]
    assert all(issubclass(each, cpppo.dfa_base) and issubclass(each, cpppo.state) for each in machines)
    assert all(issubclass(getattr(cpppo, name), cpppo.state) for name in ENGINE if "state" in name)
    assert issubclass(cpppo.NonTerminal, cpppo.Error) and cpppo.NonTerminal is errors.NonTerminal


def test_symbol_types() -> None:
    """Octets iterate as int, text as str; the typecodes are of arrays that hold them."""
    assert (cpppo.type_bytes_iter, cpppo.type_str_iter, cpppo.type_str_base) == (int, str, str)
    assert array.array(cpppo.type_bytes_array_symbol, b"\xff").tolist() == [255]
    for typecode in (cpppo.type_str_array_symbol, cpppo.type_unicode_array_symbol):
        assert array.array(typecode, "日").tolist() == ["日"]
        assert typecode == ("w" if sys.version_info >= (3, 13) else "u")
    assert cpppo.type_bytes_array_symbol == "B"
    assert list(cpppo.type_unicode_encoder("é")) == [0xC3, 0xA9]
    assert list(cpppo.type_str_encoder("é")) == ["é"]
    assert cpppo.path_ext_input == ".input"


def test_numbers() -> None:
    """nan and inf are Python's."""
    assert math.isnan(cpppo.nan) and cpppo.isnan(cpppo.nan) and cpppo.inf == math.inf and cpppo.isinf(cpppo.inf)


def test_version() -> None:
    """The version is told as text and as numbers."""
    assert cpppo.__version__.startswith(".".join(map(str, cpppo.__version_info__[:3])))


def test_log() -> None:
    """The package's logger, and what logging.basicConfig may be given."""
    assert isinstance(cpppo.log, logging.Logger) and cpppo.log.name == "cpppo"
    assert (cpppo.log_cfg["level"], cpppo.log_cfg["datefmt"]) == (logging.WARNING, "%m-%d %H:%M:%S")
    record = logging.LogRecord("enip.srv", logging.WARNING, "file", 1, "told", (), None, "main")
    record.thread, record.msecs = 0x7F91CD83CB80, 366.4
    line = logging.Formatter(cpppo.log_cfg["format"], cpppo.log_cfg["datefmt"]).format(record)
    assert line[14:] == ".366     7f91cd83cb80 enip.srv WARNING  main       told"


LOOK = """
import json, logging, sys
def seen():
    root = logging.getLogger()
    return {
        "root": [root.level, len(root.handlers), logging.getLevelName(25), logging.getLevelName(23)],
        "class": logging.getLoggerClass().__name__,
        "module": sorted(vars(logging)), "logger": sorted(vars(logging.Logger)),
        "recursion": sys.getrecursionlimit(), "hooks": [sys.excepthook is sys.__excepthook__],
    }
before = seen()
import cpppo
after = seen()
print(json.dumps([before, after, sorted(sys.modules)]))
"""

#: What only some uses need, or is not there everywhere.
LATE = ["greenery", "web", "cheroot", "pymodbus", "serial", "pytz", "tzlocal", "graphviz", "asyncio", "argparse"]


@pytest.fixture(scope="module")
def looked() -> list[Any]:
    """What was before and after an import of the package in a fresh interpreter, and the modules then."""
    run = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=60)
    assert run.stderr == ""
    told: list[Any] = json.loads(run.stdout)
    return told


def test_import_leaves_logging_alone(looked: list[Any]) -> None:
    """Importing sets no level, handler or level name, and adds nothing to logging."""
    before, after, _ = looked
    assert after == before


@pytest.mark.parametrize("name", LATE)
def test_import_is_light(looked: list[Any], name: str) -> None:
    """What only parts of the package need is not imported with it."""
    assert [each for each in looked[2] if each == name or each.startswith(name + ".")] == []


@pytest.mark.parametrize("name", ["server", "history", "remote", "tools"])
def test_parts_are_imported_when_asked(looked: list[Any], name: str) -> None:
    """The parts that are not the core are no attributes of the package until imported."""
    assert [each for each in looked[2] if each.startswith(f"cpppo.{name}")] == []
