"""python -m cpppo.automata: pictures, traces, answers of the compiled machine, exit statuses, messages."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cpppo.automata import regex, regex_bytes
from cpppo.automata.__main__ import main
from cpppo.automata.diagram import columns
from tests.tools import need, python_environment, run_module

PATTERN = "(ab+)((,[ ]*)(ab+))*"


class Ran:
    """What a call of main wrote."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def rows(self) -> list[list[str]]:
        """The cells of the trace, without its head."""
        table = re.split("\n\n", self.out)[1].splitlines()
        assert re.split(" {2,}", table[0]) == ["step", "machine", "state", "symbol", "collected"]
        return [re.split(" {2,}", line) for line in table[1:]]

    @property
    def verdict(self) -> str:
        return self.out.splitlines()[-1]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def ran(*argv: str) -> Ran:
        status = main(argv)
        return Ran(status, *capsys.readouterr())

    return ran


def test_picture_alone(run: Any) -> None:
    """Without input the machine is drawn, as its diagram does."""
    ran = run(PATTERN)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == regex(None, PATTERN, terminal=True).diagram() + "\n"


def test_trace(run: Any) -> None:
    """With input, each step is a line: machine, state, the symbol to come, and what was collected."""
    ran = run("ab+", "abb,")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(regex(None, "ab+", terminal=True).diagram() + "\n\nstep")
    assert [row[:1] + row[3:] for row in ran.rows] == [
        ["0", "'a'", "''"],
        ["1", "'a'", "''"],
        ["2", "'b'", "'a'"],
        ["3", "'b'", "'ab'"],
    ]
    assert {row[1] for row in ran.rows} == {"(('ab+'))"}
    assert [row[2] for row in ran.rows] == ["( 0' )", "( 1 )", "((2))", "((2))"]
    assert ran.verdict == "accepted: 'abb'; remaining: ','; terminal: True"


def test_trace_to_the_end(run: Any) -> None:
    """Where the input ends, the run asks for more."""
    ran = run("ab+", "ab")
    assert ran.rows[-1] == ["3", "(('ab+'))", "(needs more)", "(end)", "'ab'"]
    assert ran.verdict == "accepted: 'ab'; remaining: ''; terminal: True"


@pytest.mark.parametrize(
    ("text", "why", "ways", "verdict"),
    [
        ("ax", "at offset 1: next symbol 'x'", "'b'", "not accepted; consumed: 'a'; remaining: 'x'; terminal: False"),
        ("a", "at offset 1: no more input", "'b'", "not accepted; consumed: 'a'; remaining: ''; terminal: False"),
        ("", "at offset 0: no more input", "'a'", "not accepted; consumed: ''; remaining: ''; terminal: False"),
    ],
)
def test_failure(run: Any, text: str, why: str, ways: str, verdict: str) -> None:
    """A run that fails says where and why, what would have gone on, and the status is 1."""
    ran = run("ab+", text)
    assert (ran.status, ran.err) == (1, "")
    assert why in ran.out.splitlines()[-3]
    assert ran.out.splitlines()[-2].endswith(f" goes on with: {ways}")
    assert ran.verdict == verdict


@pytest.mark.parametrize("flags", [(), ("--compiled",)])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("octets", [False, True])
@pytest.mark.parametrize("text", ["abb,ab", "a", "", "ab", "xab", "日"])
def test_compiled_tells_the_same(run: Any, flags: tuple[str, ...], lazy: bool, octets: bool, text: str) -> None:
    """Stepped or compiled, greedy or not, over text or octets: verdict and status are those of the rules."""
    ran = run("ab+", text, *flags, *["--lazy"] * lazy, *["--bytes"] * octets)
    matched = re.match("ab+?" if lazy else "ab+", text)
    symbols: Any = text.encode() if octets else text
    taken = matched.end() if matched else len(re.match("a?", text)[0])  # type: ignore[index]
    verdict = "accepted" if matched else "not accepted; consumed"
    assert ran.status == (0 if matched else 1)
    assert ran.verdict == (
        f"{verdict}: {symbols[:taken]!r}; remaining: {symbols[taken:]!r}; terminal: {matched is not None}"
    )
    assert ("step  machine" in ran.out) == (not flags)


def test_lazy(run: Any) -> None:
    """Not greedy, a run stops as soon as a sentence is complete; the picture says so."""
    ran = run("--lazy", "ab+", "abbb")
    assert ran.verdict == "accepted: 'ab'; remaining: 'bb'; terminal: True"
    assert ran.out.startswith("(('ab+')) not greedy\n")


def test_bytes(run: Any) -> None:
    """Over octets, input is UTF-8, symbols are shown by number, and bytes are collected."""
    ran = run("--bytes", "日+x", "日x\udcff")
    assert ran.out.startswith(regex_bytes(None, "日+x", terminal=True).diagram())
    assert [row[3:] for row in ran.rows[:3]] == [["0xe6", "b''"], ["0xe6", "b''"], ["0x97", "b'\\xe6'"]]
    assert ran.rows[-1][3:] == ["0x78 'x'", "b'\\xe6\\x97\\xa5'"]
    assert ran.verdict == r"accepted: b'\xe6\x97\xa5x'; remaining: b'\xff'; terminal: True"


def test_columns_of_a_long_trace(run: Any) -> None:
    """Of long input, the end of what is collected is shown; columns align whatever the symbols."""
    ran = run(".*", "日\n\x00é'" * 40)
    table = ran.out.split("\n\n")[1].splitlines()
    starts = {columns(line[: line.index(re.split(" {2,}", line)[-1])]) for line in table[60:-1]}
    assert len(table) == 203
    assert max(map(columns, table)) < 100
    assert len(starts) == 1
    assert all("  ..." in line for line in table[60:])
    assert ran.rows[1][3:] == ["'日'", "''"]
    assert ran.rows[3][3:] == ["'\\x00'", "'日\\n'"]
    assert ran.verdict.endswith("(200 symbols); remaining: ''; terminal: True")


def test_long_pattern(run: Any) -> None:
    """A long pattern does not push the table aside."""
    ran = run("a" * 200, "a")
    assert ran.status == 1
    assert ran.rows[0][1] == "(('aaaaaaaaaaaaaaaaaa..."


# ------------------------------------------------------------------ standard input
def given(monkeypatch: pytest.MonkeyPatch, octets: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(octets), encoding="ascii"))


def test_standard_input(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """- is standard input as it is, in UTF-8, line ends included."""
    given(monkeypatch, "пb\r\n".encode())
    assert run("пb+", "-").verdict == r"accepted: 'пb'; remaining: '\r\n'; terminal: True"
    given(monkeypatch, b"ab\xff")
    assert run("--bytes", "ab", "-").verdict == r"accepted: b'ab'; remaining: b'\xff'; terminal: True"


def test_standard_input_is_no_text(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Octets that are no text are refused, with their place and the remedy."""
    given(monkeypatch, b"ab\xff")
    ran = run("ab", "-")
    assert ran.status == 2
    assert "no text in UTF-8, at octet 2; with --bytes" in ran.err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["a\udcff", "x"], "REGEX is no text in UTF-8, at octet 1; write it in UTF-8"),
        (["--bytes", "é\udcff"], "REGEX is no text in UTF-8, at octet 2; write it in UTF-8"),
        (["a", "é\udcff"], "INPUT is no text in UTF-8, at octet 2; with --bytes it is taken as octets"),
    ],
)
def test_operands_are_no_text(run: Any, argv: list[str], told: str) -> None:
    """Operands that are no text are refused as standard input is; nothing is drawn."""
    ran = run(*argv)
    assert (ran.status, ran.out) == (2, "")
    assert told in ran.err


# ------------------------------------------------------------------ DOT and SVG
def test_dot(run: Any) -> None:
    """--dot prints DOT in place of the picture, and a run on standard error, so that DOT stays alone."""
    dot = regex(None, "ab+", terminal=True).diagram("dot") + "\n"
    assert run("--dot", "ab+").out == dot
    ran = run("--dot", "ab+", "abb")
    assert (ran.status, ran.out) == (0, dot)
    assert ran.err.splitlines()[-1] == "accepted: 'abb'; remaining: ''; terminal: True"


def test_svg(run: Any, tmp_path: Path) -> None:
    """--svg writes SVG to a file, or to standard output."""
    need("dot")
    path = tmp_path / "日.svg"
    ran = run("--svg", str(path), "日+", "x")
    assert (ran.status, ran.err) == (1, "")
    assert ran.out.startswith("step")
    assert ">&#39;日&#39;</text>" in path.read_text(encoding="utf-8")
    ran = run("--svg", "-", "日+", "日")
    assert (ran.status, ran.out) == (0, path.read_text(encoding="utf-8"))
    assert "accepted" in ran.err


def test_no_graphviz(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without graphviz, --svg says so with status 3, and writes nothing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = run("--svg", str(tmp_path / "x.svg"), "ab+", "ab")
    assert (ran.status, ran.out) == (3, "")
    assert "install" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_svg_cannot_be_written(run: Any, tmp_path: Path) -> None:
    """A file that cannot be written is told, with status 2."""
    need("dot")
    ran = run("--svg", str(tmp_path), "ab+")
    assert ran.status == 2
    assert f"cannot write the picture to {tmp_path}: " in ran.err


# ------------------------------------------------------------------ what is refused
@pytest.mark.parametrize(
    ("pattern", "caret"),
    [
        ("a[+-]b", 3),
        ("a(b", 1),
        ("日a(b", 3),
        ("\ta(b", 3),
        ("(a" * 50 + "b", None),
        ("a" * 100 + "[b-", None),
        ("[", 0),
    ],
)
def test_bad_expression(run: Any, pattern: str, caret: int | None) -> None:
    """A bad expression is one message, and a caret below the place; nothing is drawn."""
    ran = run(pattern, "x")
    assert (ran.status, ran.out) == (2, "")
    message, shown, mark = ran.err.splitlines()
    assert message.startswith("python -m cpppo.automata: bad regular expression ")
    assert mark.strip() == "^"
    assert columns(mark) <= 4 + columns(shown)
    position = int(re.search(r"at position (\d+)", message)[1])  # type: ignore[index]
    assert columns(mark) == 5 + (min(position, 30) if caret is None else caret)


@pytest.mark.parametrize(
    "argv",
    [
        ["--lazy", "ab+", "abb"],
        ["ab+", "--lazy", "abb"],
        ["ab+", "abb", "--lazy"],
        ["--lazy", "--", "ab+", "abb"],
        ["ab+", "--lazy", "--", "abb"],
        ["--lazy", "ab+", "abb", "--"],
    ],
)
def test_options_stand_anywhere(run: Any, argv: list[str]) -> None:
    """Options may stand before, after and between the operands."""
    assert run(*argv).verdict == "accepted: 'ab'; remaining: 'b'; terminal: True"


@pytest.mark.parametrize(
    ("argv", "verdict"),
    [
        (["--", "-?1", "-1"], "accepted: '-1'; remaining: ''; terminal: True"),
        (["--", "--lazy+", "--lazyy"], "accepted: '--lazyy'; remaining: ''; terminal: True"),
        (["-1", "--", "--"], "not accepted; consumed: '-'; remaining: '-'; terminal: False"),
        ([" *", "--", " --"], "accepted: ' '; remaining: '--'; terminal: True"),
    ],
)
def test_operands_with_hyphens(run: Any, argv: list[str], verdict: str) -> None:
    """After --, whatever it begins with is an operand, as it is."""
    assert run(*argv).verdict == verdict


@pytest.mark.parametrize("argv", [["-?[0-9]+"], ["-?[0-9]+", "-12"], ["--lazy", "-?[0-9]+", "--", "-12"]])
def test_expression_that_begins_with_a_hyphen(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An expression that looks like an option is refused with the remedy, which works."""
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(" goes after --: -- '-?[0-9]+'\n")
    assert main(["--", "-?[0-9]+", "-12"]) == 0


def test_no_remedy_for_unknown_options(capsys: pytest.CaptureFixture[str]) -> None:
    """An option that is just unknown is no operand."""
    with pytest.raises(SystemExit):
        main(["--nonsense", "a"])
    assert capsys.readouterr().err.endswith("unrecognized arguments: --nonsense\n")


@pytest.mark.parametrize("argv", [[], ["a", "b", "c"], ["--nonsense", "a"], ["--dot", "--svg", "-", "a"]])
def test_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage is told with status 2."""
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: python -m cpppo.automata" in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """--help explains the picture, and its examples are commands that do what they say."""
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    told = capsys.readouterr().out
    assert "python -m cpppo.automata --lazy 'ab+' abbb " in told
    assert "Big ones take long to read" in told
    status = told[told.index("exit status:") :]
    assert re.findall(r"\d+", status) == ["0", "1", "2", "3", "130", "141"]
    assert main(["--", "-?[0-9]+", "-12"]) == 0
    assert main(["--bytes", r"[+\-]?[0-9]+", "--", "-12"]) == 0
    assert main([PATTERN, "abb, ab"]) == 0
    assert "accepted: 'abb, ab'; remaining: ''" in capsys.readouterr().out


# ------------------------------------------------------------------ as a process
def test_process() -> None:
    """As a process it has the same output and exit statuses."""
    ran = run_module("cpppo.automata", "ab+", "-", stdin="abb,")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == "accepted: 'abb'; remaining: ','; terminal: True"
    ran = run_module("cpppo.automata", "ab+", "x")
    assert (ran.returncode, ran.stderr) == (1, "")
    ran = run_module("cpppo.automata", "a[+-]")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "Traceback" not in ran.stderr


def test_terminal_of_few_characters() -> None:
    """What the terminal's encoding lacks is escaped; DOT is in UTF-8 always."""
    command = [sys.executable, "-m", "cpppo.automata", "日", "日"]
    environment = python_environment(PYTHONIOENCODING="ascii")
    ran = subprocess.run(command, capture_output=True, env=environment, timeout=20)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert rb"accepted: '\u65e5'; remaining" in ran.stdout
    ran = subprocess.run([*command[:-1], "--dot"], capture_output=True, env=environment, timeout=20)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert "'日'".encode() in ran.stdout


def test_broken_pipe() -> None:
    """A reader that has seen enough ends it, without a message."""
    command = [sys.executable, "-m", "cpppo.automata", "a*", "a" * 20_000]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=python_environment()) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"(('a*'))\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) == 141


def test_interrupt(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while input is awaited ends it, without a message."""

    class Terminal(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Terminal())))
    ran = run("ab+", "-")
    assert (ran.status, ran.err) == (130, "")
