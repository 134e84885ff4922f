"""enip_client: what it prints, and its exit status."""

from __future__ import annotations

import io
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cpppo.server.enip.client.cli import main
from tests.server.enip.client.scripted import Peer, bare, controller, registered
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
    assert services(peer) == [0x53, 0x52]


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


@pytest.mark.parametrize("tag", ["NOPE", "NOPE=1"])
@pytest.mark.parametrize("option", [["-p"], []])
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
    assert run(peer, *option, "X", "Y=1") == 0
    assert services(peer) == expected


def test_tags_from_standard_input(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag - stands for the lines of standard input; comments and blank lines are none."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("# tags\n\n X[1] \nY=2\n"))
    assert run(peer, "A", "-", "B") == 0
    assert services(peer) == [0x52, 0x52, 0x53, 0x52]


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        (["X", "SCADA["], "'SCADA['"),
        (["X=70000"], "write (DINT)70000"),
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
