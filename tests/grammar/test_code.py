"""Generated source: lazily, readable, in files on request, in tracebacks, safe for threads."""

from __future__ import annotations

import ast
import linecache
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest

from cpppo.grammar import Message, Struct, field, octets, switch, vector
from cpppo.grammar import code as generated
from cpppo.server.enip.wire.header import RequestFrame
from cpppo.server.enip.wire.types import UINT, USINT
from tests.tools import python_environment


def fresh(name: str = "Fresh") -> Any:
    """A message that nobody has used."""
    inner = Struct("Inner", ["a" / USINT, "b" / UINT])
    return Struct(
        name,
        [
            "kind" / USINT,
            "size" / USINT,
            "body" / switch(field("kind"), {1: inner, 2: octets()}).within(field("size")),
            "count" / USINT,
            "item" / vector(inner, field("count")),
        ],
    )


OCTETS = bytes.fromhex("01 03 05 0600 01 07 0800")


def test_nothing_is_generated_by_importing() -> None:
    """Importing the whole package compiles no parser and no producer; the first parse does."""
    program = """
import cpppo.grammar.code as code
made = []
compile_ = code.Code.compile
code.Code.compile = lambda self: (made.append(self.name), compile_(self))[1]
import cpppo, cpppo.server.enip
from cpppo.server.enip.wire.header import ReplyFrame, RequestFrame
assert not any(name.startswith(("parse_", "produce_")) for name in made), made
RequestFrame.parse(bytes(24))
assert any("RequestFrame" in name for name in made), made
assert not any("ReplyFrame" in name or "produce" in name for name in made), made
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=python_environment(), timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_generated_modules_are_written_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CPPPO_GENERATED names a directory: one readable module a function, with its docstring."""
    monkeypatch.setenv(generated.DIRECTORY, str(tmp_path))
    message = fresh("Written")
    message.parse(OCTETS).produce()
    texts = {path.name: path.read_text() for path in tmp_path.glob("*.py")}
    assert {"parse_Written.py", "produce_Written.py"} <= set(texts)
    for name in ("parse_Written.py", "produce_Written.py"):
        (function,) = ast.parse(texts[name]).body
        assert isinstance(function, ast.FunctionDef)
        assert f"{function.name}.py" == name
        assert ast.get_docstring(function)
    assert message.parser().__code__.co_filename == str(tmp_path / "parse_Written.py")


def test_a_traceback_shows_generated_lines() -> None:
    """linecache knows the text, so that a debugger and a traceback show it."""
    message = fresh("Traced")
    try:
        message.parser()(b"\1", 0, 1)
    except generated.Reject as exc:
        shown = "".join(traceback.format_exception(exc))
    assert "<cpppo parse_Traced>" in shown
    assert "raise Reject" in shown.split("<cpppo parse_Traced>")[1]


def test_fixed_fields_are_fused() -> None:
    """Adjacent fields of fixed size are one unpack, and one check of the end."""
    source = Struct("Fused", ["a" / USINT, "b" / UINT, "c" / octets(3), "d" / UINT]).source()
    parse = source.partition("def produce_")[0]
    assert parse.count("unpack") == 1
    assert parse.count("raise Reject") == 1


def test_the_text_of_a_frame_s_parser_is_python() -> None:
    tree = ast.parse(RequestFrame.source())
    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef)] == [
        "parse_RequestFrame",
        "produce_RequestFrame",
    ]


def test_the_first_use_may_be_by_many_threads_at_once() -> None:
    """Sixteen threads parse, step, produce a message that none has used: all get the same."""
    for _ in range(10):
        message = fresh()
        wanted = fresh().parse(OCTETS).as_dict()
        machine = message.machine(context="made")
        barrier = threading.Barrier(16)
        results: list[Any] = []

        def work(
            message: Any = message, machine: Any = machine, barrier: Any = barrier, results: list[Any] = results
        ) -> None:
            try:
                barrier.wait()
                record = message.parse(OCTETS)
                data: dict[str, Any] = {}
                for _ in machine.run(source=OCTETS, data=data, ending=len(OCTETS)):
                    pass
                assert data["made"] == record
                assert record.produce() == OCTETS
                results.append(record.as_dict())
            except BaseException as exc:
                results.append(exc)

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert results == [wanted] * 16


def test_a_lazy_function_puts_itself_in_its_places() -> None:
    """Made once, on the first call, wherever it stands; later places get the function at once."""
    calls: list[str] = []

    def make() -> Any:
        calls.append("made")
        return lambda value: value + 1

    lazy = generated.Lazy(make)
    table: dict[str, Any] = {}
    lazy.put(table, "a")
    lazy.put(table, "b")
    assert calls == []
    assert table["a"](1) == 2
    assert table["a"] is table["b"] is lazy.function is lazy.made()
    lazy.put(table, "c")
    assert table["c"] is lazy.function
    assert lazy(2) == 3 and calls == ["made"]


@pytest.mark.parametrize(
    ("name", "wanted"), [("class", "class_"), ("import", "import_"), ("size", "size"), ("None", "None_")]
)
def test_words_of_python_get_an_underscore(name: str, wanted: str) -> None:
    assert generated.field_name(name) == wanted


def test_local_names_are_never_used_twice() -> None:
    code = generated.Code("f", "o, p, end")
    names = [code.var(hint) for hint in ("p", "p", "x", "x", "class", "a b", "a b", "Reject", "f")]
    assert len(set(names)) == len(names)
    assert not {"p", "o", "end", "Reject", "f"} & set(names)
    assert all(name.isidentifier() for name in names)


class Plain(Message):
    """For subclasses without fields."""

    number = UINT


def test_source_needs_no_parse_before() -> None:
    assert "def parse_Plain" in Plain.source()


def test_functions_of_one_name_do_not_hide_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two messages called alike show their own text in tracebacks, and are written to files of their own."""
    monkeypatch.setenv("CPPPO_GENERATED", str(tmp_path / "new"))
    functions = [Struct("Alike", ["a" / USINT, "b" / kind]).parser() for kind in (USINT, UINT)]
    files = [function.__code__.co_filename for function in functions]
    assert len(set(files)) == 2
    for function, file in zip(functions, files, strict=True):
        assert Path(file).read_text() == "".join(linecache.getlines(file)) == function.__source__
