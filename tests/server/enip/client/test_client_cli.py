"""enip_client: what it prints, and its exit status."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cpppo.server.enip.client import cli, commands, progress
from cpppo.server.enip.client.cli import main
from tests.server.enip.client.scripted import Peer, bare, controller, registered
from tests.server.enip.client.test_client_progress import Terminal
from tests.tools import python_environment

STAMP = re.compile(r"\d\d-\d\d \d\d:\d\d:\d\d\.\d\d\d ")
MODULE = [sys.executable, "-m", "cpppo.server.enip.client"]


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A small controller: every tag is a vector of INT but NOPE."""
    with Peer() as made:
        yield made


def run(peer: Peer, *arguments: str) -> int:
    return main(["-a", f"{peer.host}:{peer.port}", *arguments])


def services(peer: Peer) -> list[int]:
    return [bare(request)[0] for request in peer.requests]


def test_default_output(peer: Peer, capsys: pytest.CaptureFixture[str]) -> None:
    """A line with its time for each operation, and the rate at the end, on stdout; Fragmented services."""
    assert run(peer, "SCADA[1]=99", "SCADA[0-2]") == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(STAMP.match(line) for line in lines)
    assert [STAMP.sub("", line) for line in lines[:2]] == [
        "               SCADA[    1-1    ] <= [99]: 'OK'",
        "               SCADA[    0-2    ] == [0, 1, 2]: 'OK'",
    ]
    assert re.fullmatch(r"Client Tag I/O  Average *[\d.]+ TPS \( *[\d.]+s ea\)\.", STAMP.sub("", lines[2]))
    assert services(peer) == [0x4C, 0x53, 0x52]


def test_print(peer: Peer, capsys: pytest.CaptureFixture[str]) -> None:
    """--print writes the lines alone."""
    assert run(peer, "--print", "SCADA", "SCADA[3]") == 0
    assert capsys.readouterr().out.splitlines() == [
        "               SCADA              == [0]: 'OK'",
        "               SCADA[    3-3    ] == [3]: 'OK'",
    ]


def test_verbose() -> None:
    """-v says it all in the log, on stderr, and nothing on stdout."""
    with Peer() as peer:
        done = subprocess.run(
            [*MODULE, "-v", "-a", f"{peer.host}:{peer.port}", "X[1]", "NOPE"],
            capture_output=True,
            text=True,
            timeout=20,
            env=python_environment(),
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert "X[    1-1    ] == [1]: 'OK'" in done.stderr
    assert "WARNING" in done.stderr and "no such tag" in done.stderr
    assert "Client ReadFrg. Average" in done.stderr


def test_json(peer: Peer, capsys: pytest.CaptureFixture[str]) -> None:
    """--json is an object a line: of each operation in order, as it was given; and of them all."""
    given = ["SCADA[1]=99", "SCADA[0-2]", "NOPE", "NOPE=(DINT)7"]
    assert run(peer, "--json", "-r", "2", *given) == 1
    found: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    *each, rate = found
    assert [one.pop("operation") for one in each] == given * 2
    assert all(isinstance(one.pop("time"), float) for one in each)
    assert each[:4] == each[4:] == [
        {"service": "Write Tag Fragmented", "path": "SCADA[1]", **ok([99])},
        {"service": "Read Tag Fragmented", "path": "SCADA[0-2]", **ok([0, 1, 2])},
        {"service": "Read Tag Fragmented", "path": "NOPE", **NOPE},
        {"service": "Write Tag Fragmented", "path": "NOPE", **NOPE},
    ]  # fmt: skip
    assert rate.pop("seconds") > 0 and rate.pop("tps") > 0
    assert rate == {"operations": 8, "failures": 4, "label": "Tag I/O"}


NOPE = {"status": 4, "extended": [0], "words": "path segment error: no such tag", "value": None}


def ok(value: list[Any]) -> dict[str, Any]:
    return {"status": 0, "extended": [], "words": "success", "value": value}


def test_json_packed(peer: Peer, capsys: pytest.CaptureFixture[str]) -> None:
    """Packed or pipelined, each object still belongs to its operation."""
    given = [f"X[{number}]" for number in range(40)]
    assert run(peer, "--json", "-m", "-d", "5", *given) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["operation"], one["path"], one["value"]) for one in found[:-1]] == [
        (text, text, [number]) for number, text in enumerate(given)
    ]


def test_tags_among_options(peer: Peer) -> None:
    """Tags may stand before, between and after options."""
    assert run(peer, "A", "-p", "B=(INT)1", "-n", "C") == 0
    assert services(peer) == [0x4C, 0x4D, 0x4C]


def test_log(peer: Peer, tmp_path: Path) -> None:
    """--log has what would be on standard error, and is appended to; what goes to standard output stays there."""
    path = tmp_path / "a.log"
    path.write_text("before\n")
    for option in ([], ["-v"]):
        done = subprocess.run(
            [*MODULE, *option, "--log", str(path), "-a", f"{peer.host}:{peer.port}", "X[1]", "NOPE"],
            capture_output=True,
            text=True,
            timeout=20,
            env=python_environment(),
        )
        assert (done.returncode, done.stderr, "Average" in done.stdout) == (1, "", not option)
    before, first, *verbose = path.read_text().splitlines()
    assert before == "before"
    assert "WARNING" in first and "no such tag" in first
    assert ["X[    1-1    ] == [1]: 'OK'" in line for line in verbose] == [True, False, False, False]
    assert "Client ReadFrg. Average" in verbose[-1]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_log_is_opened_anew(tmp_path: Path) -> None:
    """SIGHUP opens the log anew, as whoever moved it away wants it; the run goes on."""
    path, moved = tmp_path / "a.log", tmp_path / "moved.log"

    def script(request: bytes, number: int) -> bytes | None:
        if b"MOVE" in request:
            path.rename(moved)
            os.kill(os.getpid(), signal.SIGHUP)
        return controller(request, number)

    with Peer(script) as peer:
        assert run(peer, "-l", str(path), "NOPE", "MOVE", "NOPE[7]") == 1
    assert "Frag NOPE returned" in moved.read_text() and "NOPE[7]" not in moved.read_text()
    assert path.read_text().count("\n") == 1


def test_log_that_cannot_be_written(peer: Peer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be opened is one line that names it, and exit status 2; nothing is sent."""
    path = tmp_path / "none" / "a.log"
    assert run(peer, "-l", str(path), "X") == 2
    assert capsys.readouterr().err.startswith(f"enip_client: cannot write {path}: ")
    assert peer.requests == []


@pytest.mark.parametrize(("repeat", "shown"), [("1", False), ("300", True)])
def test_progress(
    repeat: str, shown: bool, peer: Peer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On a terminal a long run with --repeat tells how far it is, and leaves nothing of that among its lines."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "AFTER_S", 0.0)
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    assert run(peer, "-p", "-r", repeat, "X[1]", "NOPE") == 1
    assert ("operations, 1 failed, " in terminal.getvalue()) is shown
    lines = [
        "                   X[    1-1    ] == [1]: 'OK'",
        "                NOPE              == None: 'Status 4 [0]'",
    ]
    assert terminal.screen() == [*lines * int(repeat), ""]


def test_no_progress_without_a_terminal(
    peer: Peer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where standard error is no terminal nothing is written there."""
    monkeypatch.setattr(progress, "AFTER_S", 0.0)
    assert run(peer, "-p", "-r", "20", "X") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("tag", ["NOPE", "NOPE=(INT)1"])
@pytest.mark.parametrize("option", [["-p"], [], ["--json"]])
def test_failed_operation(peer: Peer, tag: str, option: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """A refused read or write, printed or not, is exit status 1, and a warning says why."""
    assert run(peer, *option, "X", tag, "Y") == 1
    assert len(peer.requests) == 3
    assert "no such tag" in caplog.text


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (["-n"], [0x4C, 0x4D]),
        (["--no-fragment"], [0x4C, 0x4D]),
        (["-f"], [0x52, 0x53]),
        (["-r", "3"], [0x52, 0x53] * 3),
        (["-m"], [0x0A]),
        (["-m", "-n", "-r", "2"], [0x0A]),
        (["-d", "0"], [0x52, 0x53]),
        (["-d", "20", "-t", "9.5"], [0x52, 0x53]),
    ],
)
def test_options(peer: Peer, option: list[str], expected: list[int]) -> None:
    """Options choose the services, how often, how many at once and in one packet."""
    assert run(peer, "--type", "plain", *option, "X", "Y=1") == 0
    assert services(peer) == expected


def test_tags_from_standard_input(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag - stands for the lines of standard input; comments and blank lines are none."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("# tags\n\n X[1] \nY=2\n"))
    assert run(peer, "A", "-", "B") == 0
    assert services(peer) == [0x4C, 0x52, 0x52, 0x53, 0x52]


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        (["X", "SCADA["], "'SCADA['"),
        (["X=(INT)70000"], "write (DINT)70000"),
        (["X[0-3]=1"], "element count (4)"),
        (["-"], "no tags on standard input"),
    ],
)
def test_wrong_tags(
    peer: Peer,
    tags: list[str],
    problem: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A tag that cannot be understood is one line and exit status 2; nothing is sent at all."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert run(peer, *tags) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("enip_client: ") and problem in err and err.count("\n") == 1
    assert peer.requests == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-t", "0", "X"],
        ["-t", "soon", "X"],
        ["-t", "nan", "X"],
        ["-t", "1e10", "X"],
        ["-r", "0", "X"],
        ["-r", "99999999999999999999", "X"],
        ["-r", "9" * 5000, "X"],
        ["-d", "-1", "X"],
        ["-n", "-f", "X"],
        ["-p", "--json", "X"],
        ["-l"],
        ["--nosuch", "X"],
    ],
)
def test_wrong_options(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Options that make no sense are exit status 2, with the usage."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: enip_client" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["a:b:c", "host:99999"])
def test_wrong_address(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An address that is none is exit status 2."""
    assert main(["-a", address, "X"]) == 2
    assert "enip_client: address" in capsys.readouterr().err


def test_no_connection(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody listens: one line that says what, and what instead; exit status 3."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert main(["-a", f"127.0.0.1:{port}", "X"]) == 3
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert f"cannot connect to 127.0.0.1:{port}: " in err and "enip_server SCADA=INT[1000]" in err


def test_no_session(capsys: pytest.CaptureFixture[str]) -> None:
    """A peer that answers something else, or nothing, is no connection either."""
    with Peer(lambda request, number: b"") as peer:
        assert run(peer, "-t", "0.05", "X") == 3
    assert "did not answer Register Session within 0.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "did not answer Read Tag Fragmented X within"),
        (None, "closed the connection before answering Read Tag Fragmented X"),
        (struct.pack("<HHII8sI", 0x6F, 70, 0, 0, b"nobodys!", 0) + bytes(70), "did not answer"),
    ],
)
def test_failed_conversation(answer: bytes | None, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A conversation that breaks is one line and exit status 1."""
    with Peer(lambda request, number: registered(request) if number == 0 else answer) as peer:
        assert run(peer, "-t", "0.05", "X") == 1
    err = capsys.readouterr().err
    assert problem in err and err.count("\n") == 1


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """--help teaches: groups, forms of tags, examples, exit statuses."""
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert [
        word for word in ("network:", "requests:", "output:", "examples:", "exit status:") if word not in text
    ] == []


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """Every option has its line, and every field of --json is named."""
    with pytest.raises(SystemExit):
        main(["-h"])
    text = capsys.readouterr().out
    options = "-a --address -t --timeout -r --repeat -d --depth -m --multiple -f --fragment -n --no-fragment"
    more = "-p --print --json -l --log -v --verbose --version -h --help"
    fields = "time operation service path status extended words value operations failures label seconds tps"
    for word in f"{options} {more} {fields}".split():
        assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text), word


@pytest.mark.parametrize("where", ["arguments", "standard input", "connecting", "performing"])
def test_interrupted_anywhere(
    where: str, peer: Peer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C at any time is exit status 130, and not a word."""

    def interrupt(*arguments: Any, **keywords: Any) -> Any:
        raise KeyboardInterrupt

    class Stream:
        __iter__ = interrupt

    if where == "standard input":
        monkeypatch.setattr(sys, "stdin", Stream())
    else:
        module, name = {
            "arguments": (cli, "parse_arguments"),
            "connecting": (commands, "connector"),
            "performing": (cli.report, "format_result"),
        }[where]
        monkeypatch.setattr(module, name, interrupt)
    assert run(peer, "X", *["-"][: where == "standard input"]) == 130
    assert capsys.readouterr().err == ""


def test_reader_gone() -> None:
    """When the reader of the output has enough, the client ends without a word."""
    with Peer() as peer:
        process = subprocess.Popen(
            [*MODULE, "-p", "-r", "100000", "-d", "20", "-a", f"{peer.host}:{peer.port}", "X"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=python_environment(),
        )
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "                   X              == [0]: 'OK'\n"
        process.stdout.close()
        errors = process.stderr.read()
        process.stderr.close()
        assert (process.wait(20), errors) == (141, "")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process there")
def test_interrupted() -> None:
    """Ctrl-C while waiting ends the client without a traceback, as shells expect it."""
    with Peer(lambda request, number: controller(request, number) if number < 2 else b"") as peer:
        process = subprocess.Popen(
            [*MODULE, "-p", "-t", "60", "-a", f"{peer.host}:{peer.port}", "X", "Y"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=python_environment(),
        )
        assert process.stdout is not None
        assert "X" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (130, "")
