"""The small tools: io, thruput and getattr; their lines to the character, and their exit statuses."""

from __future__ import annotations

import calendar
import io
import re
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cpppo.server.enip import Simulator
from cpppo.server.enip.client import commands
from cpppo.server.enip.client.getattr import main as getattr_main
from cpppo.server.enip.client.io import main as io_main
from cpppo.server.enip.client.thruput import main as thruput_main
from tests.server.enip.client.scripted import Peer, bare, registered
from tests.tools import Server, run_module

MAINS: dict[str, Callable[[Sequence[str]], int]] = {
    "io": io_main,
    "thruput": thruput_main,
    "getattr": getattr_main,
}
#: What each needs beside an address, and the status of a simulator that has none of that.
NEEDS = {"io": ([], 1), "thruput": (["Volume"], 1), "getattr": (["@0x66/1/1"], 0)}

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"
PACE = r"in [ \d]{4}\.\d\ds at pipeline depth %2d; [ \d]{3,}\.\d TPS"
L61 = [20, *b"1756-L61/B LOGIX5561"]


@pytest.fixture
def plc(plc_simulator_factory: Callable[..., Simulator]) -> Simulator:
    """A controller with the tags that the tools are shown with."""
    return plc_simulator_factory("Tag=DINT[10]", "Volume=REAL=1.5", "Temperature=REAL")


def at(plc: Simulator | Peer) -> list[str]:
    return ["-a", "{}:{}".format(*plc.address)]


def without_stamps(text: str) -> list[str]:
    lines = text.splitlines()
    assert all(re.match(STAMP, line) for line in lines[:-1])
    return [re.sub(f"^{STAMP}", "*", line) for line in lines]


def test_io(plc: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    """It writes a part of the tag, reads the first tag by its number, and some elements."""
    assert io_main(at(plc)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == [
        "                 Tag[    4-9    ] <= [4, 5, 6, 7, 8, 9]: 'OK'",
        "         @0x0002/1/1              == [0]: 'OK'",
        "                 Tag[    3-5    ] == [0, 4, 5]: 'OK'",
    ]


def test_io_without_the_tag(plc_simulator: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no such tag it shows so, and is exit status 1."""
    assert io_main(at(plc_simulator)) == 1
    assert capsys.readouterr().out.splitlines()[0].endswith("<= [4, 5, 6, 7, 8, 9]: 'Status 4 [0]'")


def test_thruput(plc: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    """A line an operation: time, number of its request, value; then how many, how, and how fast."""
    assert thruput_main([*at(plc), "Volume", "Temperature", "--repeat", "2"]) == 0
    *each, rate = without_stamps(capsys.readouterr().out)
    assert each == ["*:   0: [1.5]", "*:   1: [0.0]", "*:   2: [1.5]", "*:   3: [0.0]"]
    assert re.fullmatch(f"  4 operations using   4 requests {PACE % 0}", rate)


@pytest.mark.parametrize(
    ("options", "requests", "depth"),
    [
        ([], 50, 0),
        (["-d", "20"], 50, 20),
        (["--depth", "20", "--multiple", "250"], 5, 20),
        (["-m", "250", "-t", "9.5"], 5, 0),
    ],
)
def test_thruput_paces(
    options: list[str], requests: int, depth: int, plc: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Depth and size of packets are as asked for; operations of one packet show its number."""
    assert thruput_main([*at(plc), "Volume", "Temperature", "-r", "25", *options]) == 0
    *each, rate = without_stamps(capsys.readouterr().out)
    numbers = [int(line.split(":")[1]) for line in each]
    assert len(numbers) == 50 and numbers == sorted(numbers) and set(numbers) == set(range(requests))
    assert re.fullmatch(f" 50 operations using {requests:3d} requests {PACE % depth}", rate)


def test_thruput_refused(
    plc: Simulator, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    """What is refused shows as None, the log says why, the others are done, and the exit status is 1."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("# writes\nNOPE=1\n"))
    assert thruput_main(["Volume=2.5", "-", *at(plc), "Volume"]) == 1
    assert without_stamps(capsys.readouterr().out)[:-1] == ["*:   0: True", "*:   1: None", "*:   2: [2.5]"]
    assert "Client Single Write Tag  NOPE returned non-zero status: Status 4 [0]" in caplog.text


def test_getattr(plc: Simulator, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """A line an attribute: time, number, service and path, octets; None if refused, which is no failure."""
    assert getattr_main([*at(plc), "@1/1/7", "@0x01/1", "@0x66/1/1", "@2/1/{'attribute':1}"]) == 0
    found = without_stamps(capsys.readouterr().out)
    every = [1, 0, 14, 0, 54, 0, 20, 11, 0x60, 0x30, 0x1A, 0x06, 0x6C, 0, *L61]
    assert found[0] == f"*:   0: Single G_A_S      @0x0001/1/7 == {L61}"
    assert found[1] == f"*:   1: Single G_A_A      @0x0001/1 == {every}"
    assert found[2:] == [
        "*:   2: Single G_A_S      @0x0066/1/1 == None",
        f"*:   3: Single G_A_S      @0x0002/1/1 == {[0] * 40}",
    ]
    assert "Client Single G_A_S      @0x0066/1/1 returned" in caplog.text


@pytest.mark.parametrize("depth", [0, 10])
def test_getattr_verbose(
    depth: int, plc: Simulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """-v adds how many requests there were, and how fast; - reads attributes from standard input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("@1/1/7\n# more\n@1/1/6 # the serial number\n@1/1/1\n"))
    assert getattr_main([*at(plc), "@1/1/7", "-", "-v", "-d", str(depth)]) == 0
    *each, rate = without_stamps(capsys.readouterr().out)
    assert [line.partition(" == ")[0][-11:] for line in each] == [f"@0x0001/1/{number}" for number in (7, 7, 6, 1)]
    assert re.fullmatch(f"    4 requests {PACE % depth}", rate)


def test_getattr_logs_to_a_file(plc: Simulator, tmp_path: Any) -> None:
    """-l is where the log goes."""
    path = tmp_path / "a.log"
    assert getattr_main([*at(plc), "-l", str(path), "@0x66/1/1"]) == 0
    assert "@0x0066/1/1 returned non-zero status" in path.read_text()
    assert getattr_main([*at(plc), "-l", str(tmp_path / "none" / "a.log"), "@1/1"]) == 2


def test_moments_are_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are UTC, to the millisecond, wherever it runs."""
    monkeypatch.setattr(commands, "time", lambda: calendar.timegm((2026, 11, 22, 6, 43, 44)) + 0.8349)
    monkeypatch.setenv("TZ", "Canada/Mountain")
    if hasattr(time, "tzset"):
        time.tzset()
    try:
        assert commands.moment() == "2026-11-22 06:43:44.835"
    finally:
        monkeypatch.undo()
        if hasattr(time, "tzset"):
            time.tzset()


def test_pace() -> None:
    """How fast it went is in columns, of no time at all too."""
    assert commands.format_pace(0.1081, 0, 3) == "in    0.11s at pipeline depth  0;  27.8 TPS"
    assert commands.format_pace(0.0, 20, 3) == "in    0.00s at pipeline depth 20;   0.0 TPS"


# -- what can be wrong


@pytest.mark.parametrize("name", MAINS)
def test_no_connection(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody listens: one line that says what, and how to simulate what it needs; exit status 3."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert MAINS[name](["-a", f"127.0.0.1:{port}", *NEEDS[name][0]]) == 3
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith(f"{name}: cannot connect to 127.0.0.1:{port}: ") and "enip_server " in err


@pytest.mark.parametrize("name", MAINS)
def test_broken_conversation(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A controller that hangs up is one line, and exit status 1."""
    with Peer(lambda request, number: registered(request) if number == 0 else None) as peer:
        assert MAINS[name]([*at(peer), *NEEDS[name][0]]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"{name}: 127.0.0.1:") and "closed the connection before answering" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", MAINS)
def test_interrupted(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is exit status 130, and not a word."""

    def interrupt(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "connector", interrupt)
    assert MAINS[name](NEEDS[name][0]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("io", ["-a", "a:b:c"], "io: address 'a:b:c'"),
        ("thruput", ["-a", "host:99999", "X"], "thruput: address 'host:99999'"),
        ("thruput", ["X["], "thruput: 'X[', at its end"),
        ("thruput", ["X", "Y=70000"], "write (DINT)70000"),
        ("thruput", ["-"], "thruput: no tags on standard input"),
        ("getattr", ["-"], "getattr: no attributes on standard input"),
        ("getattr", ["SCADA"], "getattr: 'SCADA' is no attribute, eg. @1/1/7"),
        ("getattr", ["@1/1/7[0-3]"], "is no attribute"),
        ("getattr", ["@1/1/7=1"], "at character 7, '=1'"),
    ],
)
def test_wrong_usage(
    name: str,
    arguments: list[str],
    problem: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What cannot be understood is one line, and exit status 2, before anybody is asked anything."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert MAINS[name](arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and problem in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("io", ["X"]),
        ("thruput", []),
        ("thruput", ["-d", "-1", "X"]),
        ("thruput", ["-m", "x", "X"]),
        ("thruput", ["-r", "0", "X"]),
        ("thruput", ["-t", "0", "X"]),
        ("getattr", []),
        ("getattr", ["-t", "nan", "@1/1"]),
    ],
)
def test_wrong_options(name: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Options that make no sense are exit status 2, with the usage."""
    with pytest.raises(SystemExit) as caught:
        MAINS[name](arguments)
    assert caught.value.code == 2
    assert f"usage: python -m cpppo.server.enip.{name} " in capsys.readouterr().err


# -- as they are started


@pytest.mark.parametrize("name", MAINS)
def test_modules(name: str, simulator: Server) -> None:
    """python -m cpppo.server.enip.NAME runs it, and its exit status is that of the process."""
    arguments, status = NEEDS[name]
    done = run_module(f"cpppo.server.enip.{name}", "-a", f"{simulator.host}:{simulator.port}", *arguments)
    assert done.returncode == status, done.stderr
    assert "None" in done.stdout or "Status 4 [0]" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", MAINS)
def test_help(name: str) -> None:
    """--help shows how it is used, and what its exit statuses mean."""
    done = run_module(f"cpppo.server.enip.{name}", "--help")
    assert done.returncode == 0
    assert f"usage: python -m cpppo.server.enip.{name} " in done.stdout
    assert "-a HOST" in done.stdout and "exit status: 0" in done.stdout


def test_services(capsys: pytest.CaptureFixture[str]) -> None:
    """What is asked: the plain services of tags, unless there is an offset; attributes one or all."""
    with Peer() as peer:
        thruput_main([*at(peer), "X", "X=1"])
        getattr_main([*at(peer), "@1/1/7", "@1/1"])
    assert [bare(request)[0] for request in peer.requests] == [0x4C, 0x4D, 0x0E, 0x01]
