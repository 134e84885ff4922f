"""The simulator's command line, as a process: what it says, prints and answers, and how it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.enip.device.frames import (
    cip_of,
    frames,
    modify,
    numbers,
    only,
    read,
    read_fragmented,
    register,
    rr,
    symbol,
    write,
)
from tests.tools import Server, python_environment, run_module

MODULE = "cpppo.server.enip"
TIMEOUT_S = 10.0


class Client:
    """A registered client of a server process."""

    def __init__(self, server: Server) -> None:
        self.sock = socket.create_connection(server.address, TIMEOUT_S)
        self.handle = only(self.ask(register())).session

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.sock.close()

    def ask(self, octets: bytes) -> bytes:
        self.sock.sendall(octets)
        reply = self.sock.recv(65536)
        assert reply, "the server ended the connection"
        return reply

    def cip(self, request: bytes) -> bytes:
        return cip_of(only(self.ask(rr(request, self.handle))))


def told(server: Server) -> list[str]:
    """The lines that a server which was ended has printed, without its first."""
    server.stop()
    return server.lines[1:]


# -- wrong usage


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["SCADA=FLOAT[3]"], ["'SCADA=FLOAT[3]'", "'FLOAT'", "REAL"]),
        (["SCADA=INT[0]"], ["'SCADA=INT[0]'", "SCADA=INT[10]"]),
        (["SCADA=INT["], ["'SCADA=INT['", "SCADA=INT[1000]"]),
        (["SCADA=INT", "Other", "SCADA=REAL"], ["'SCADA'", "exists already"]),
        (["SCADA=INT", "scada=REAL"], ["'scada'", "'SCADA'", "without case"]),
        (["-a", "1:2:3", "SCADA"], ["'1:2:3'", "localhost:44818"]),
        (["-a", ":65536", "SCADA"], ["':65536'", "65535"]),
        (["-a", "localhost:x", "SCADA"], ["'localhost:x'", "localhost:44818"]),
        (["-a", ":" + "9" * 5000, "SCADA"], ["65535"]),
        (["SCADA=INT[" + "9" * 5000 + "]"], ["SCADA=INT[10]"]),
        (["-"], ["standard input", "SCADA=INT[1000]"]),
    ],
    ids=lambda one: " ".join(one)[:30],
)
def test_wrong_usage(arguments: list[str], says: list[str]) -> None:
    """Wrong usage: one line on stderr that says what, and what instead; exit status 2; nothing on stdout."""
    done = run_module(MODULE, "-a", "127.0.0.1:0", *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr[-500:]
    (line,) = done.stderr.splitlines()
    assert line.startswith("enip_server: ")
    assert all(one in line for one in says), line


def test_no_tags() -> None:
    """No tags at all: the usage, and one line that says so; exit status 2; nothing on stdout."""
    done = run_module(MODULE)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: enip_server" in done.stderr and "TAG" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("arguments", [["--nothing", "SCADA"], ["SCADA", "-a"]])
def test_unknown_options(arguments: list[str]) -> None:
    """An option that is not there, or lacks its value: exit status 2, no traceback."""
    done = run_module(MODULE, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr and "usage: enip_server" in done.stderr


def test_help_teaches() -> None:
    """--help says what it is, shows every option and examples to try."""
    done = run_module(MODULE, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for one in ("--address", "--print", "--verbose", "SCADA=INT[1000]", "44818", "stdin", "enip_client 'SCADA[1]=99'"):
        assert one in done.stdout, one


# -- cannot serve


def cannot(*arguments: str) -> str:
    done = run_module(MODULE, *arguments)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr[-500:]
    (line,) = done.stderr.splitlines()
    assert line.startswith("enip_server: cannot serve on ")
    return line


def test_port_in_use() -> None:
    """A port in use: one line that names it and what to do; exit status 1."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = cannot("-a", f"127.0.0.1:{port}", "SCADA")
    assert f"127.0.0.1:{port}" in line and "in use" in line and "--address" in line


def test_port_of_another_simulator(simulator: Server) -> None:
    """Two simulators never share a port, whichever interfaces they ask for."""
    for host in ("127.0.0.1", "localhost", ""):
        assert "in use" in cannot("-a", f"{host}:{simulator.port}", "SCADA")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1", "999.1.1.1"])
def test_interface_that_is_not_here(host: str) -> None:
    """An interface that this machine has not: one line that says so, and not that another server may be there."""
    line = cannot("-a", f"{host}:0", "SCADA")
    assert host in line
    assert "another server" not in line, line


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "\u00e9" * 70])
def test_host_that_cannot_be_one(host: str) -> None:
    """A host name that no host can have: one line, no traceback."""
    done = run_module(MODULE, "-a", f"{host}:0", "SCADA")
    assert done.returncode in (1, 2) and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr[-500:]


# -- start


def test_start_up_line() -> None:
    """Port 0 is any free one; the one line at the start names the real address, and how to end it."""
    with Server("SCADA=INT[1000]", "Level=REAL") as server:
        assert re.fullmatch(rf"enip_server: 2 tags on 127\.0\.0\.1:{server.port}; Ctrl-C ends it", server.lines[0])
        assert server.port > 0
        with Client(server) as client:
            assert client.cip(read(symbol("Level"))) == bytes.fromhex("cc000000 ca00 00000000")
        assert told(server) == []


def test_start_up_line_is_on_stderr() -> None:
    """What is not asked for is never on stdout."""
    with subprocess.Popen(
        [sys.executable, "-m", MODULE, "-a", "127.0.0.1:0", "SCADA"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=python_environment(),
    ) as process:
        assert process.stderr is not None
        assert "1 tag on 127.0.0.1:" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out, err) == (0, "", "")


def test_tags_on_standard_input() -> None:
    """- reads tags, one a line; empty lines and comments are left out; others may stand beside it."""
    lines = "# tags of the plant\n\n  SCADA=INT[10]\nLevel = real\r\n   # more\nPump=BOOL"
    with Server("First=DINT", "-", "Last=SINT", stdin=lines) as server, Client(server) as client:
        assert "5 tags" in server.lines[0]
        for name, kind in (("First", "c4"), ("SCADA", "c3"), ("Level", "ca"), ("Pump", "c1"), ("Last", "c2")):
            assert client.cip(read(symbol(name)))[:5] == bytes.fromhex(f"cc000000 {kind}")
        assert client.cip(read(numbers(2, 1, 1)))[4:5] == b"\xc4"
        assert client.cip(read(numbers(2, 1, 5)))[4:5] == b"\xc2"


@pytest.mark.parametrize("text", ["SCADA=INT[", "SCADA=INT\nSCADA=INT", "SCADA INT"])
def test_bad_tags_on_standard_input(text: str) -> None:
    """A bad tag on standard input is told as one on the command line is."""
    done = run_module(MODULE, "-a", "127.0.0.1:0", "-", stdin=text + "\n")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


def test_octets_on_standard_input() -> None:
    """Standard input that is no text: one line, exit status 2, no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", MODULE, "-a", "127.0.0.1:0", "-"],
        input=b"SCADA\xff\xfe=INT\n\x80\x81",
        capture_output=True,
        timeout=TIMEOUT_S,
        env=python_environment(PYTHONIOENCODING="utf-8"),
    )
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, b"", 1), done.stderr[-300:]


# -- --print and -v


def test_print() -> None:
    """--print writes reads and writes, a line each: name, first and last element, which it was, the values."""
    with Server("--print", "SCADA=INT[1000]", "Sc=INT", "R=REAL", "Pump=BOOL") as server, Client(server) as client:
        client.cip(write(symbol("SCADA", 1), 0xC3, 1, b"\x63\0"))
        client.cip(read(symbol("SCADA"), 11))
        client.cip(write(symbol("Sc"), 0xC3, 1, b"\5\0"))
        client.cip(read(symbol("Sc")))
        client.cip(write(symbol("R"), 0xCA, 1, bytes.fromhex("0000c03f")))
        client.cip(read(symbol("Pump")))
        client.cip(read_fragmented(symbol("SCADA", 998), 2, 2))
        client.cip(read(symbol("None")))
        assert told(server) == [
            "               SCADA[    1-1    ] <= [99]",
            "               SCADA[    0-10   ] == [0, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0]",
            "                  Sc[    0-0    ] <= [5]",
            "                  Sc[    0-0    ] == [5]",
            "                   R[    0-0    ] <= [1.5]",
            "                Pump[    0-0    ] == [False]",
            "               SCADA[  999-999  ] == [0]",
        ]


def test_print_of_other_services() -> None:
    """Every write is printed, also of bits and of attributes."""
    with Server("--print", "A=DINT") as server, Client(server) as client:
        client.cip(modify(symbol("A"), 4, b"\5\0\0\0", b"\xff" * 4))
        client.cip(b"\x10" + numbers(2, 1, 1) + b"\6\0\0\0")
        assert told(server) == [
            "                   A[    0-0    ] <= [5]",
            "                   A[    0-0    ] <= [6]",
        ]


def test_print_from_many_clients() -> None:
    """Lines of clients that come at once are whole lines."""
    with Server("--print", "SCADA=INT[100]") as server:
        clients = [Client(server) for _ in range(10)]
        for one in clients:
            one.sock.sendall(rr(read(symbol("SCADA"), 100), one.handle) * 20)
        for one in clients:
            got = b""
            while len(got) < 20 * (24 + 16 + 206):
                got += one.sock.recv(65536)
            one.sock.close()
        lines = told(server)
        assert len(lines) == 200
        assert set(lines) == {f"{'SCADA':>20}[    0-99   ] == {[0] * 100}"}


def test_printing_to_nobody() -> None:
    """When whoever reads the printed lines has gone, clients are still answered."""
    with subprocess.Popen(
        [sys.executable, "-m", MODULE, "-a", "127.0.0.1:0", "--print", "SCADA"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=python_environment(),
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        port = int(process.stderr.readline().partition("127.0.0.1:")[2].partition(";")[0])
        process.stdout.close()
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock:
            sock.sendall(register())
            handle = only(sock.recv(100)).session
            replies = []
            for _ in range(3):
                sock.sendall(rr(write(symbol("SCADA"), 0xC3, 1, b"\5\0"), handle))
                replies.append(cip_of(only(sock.recv(1000))).hex(" "))
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        process.wait(TIMEOUT_S)
    assert replies == ["cd 00 00 00"] * 3
    assert "Traceback" not in said


def test_verbose() -> None:
    """-v tells the tags that are made, and the clients that come and go, on stderr."""
    with Server("-v", "SCADA=INT[3]") as server:
        with Client(server) as client:
            port = client.sock.getsockname()[1]
            client.cip(read(symbol("SCADA")))
        server.wait_for(f"enip_{port} done")
        server.stop()
        assert any("Creating tag: SCADA=INT[3]" in one for one in server.lines)
        assert len([one for one in server.lines if str(port) in one]) >= 2, server.lines


def test_more_verbose_shows_what_is_malformed() -> None:
    """With -vvv what a client does wrong is explained."""
    with Server("-vvv", "SCADA") as server, Client(server) as client:
        client.cip(b"\x4c" + symbol("SCADA") + b"\1")
        server.wait_for("malformed")


# -- the end


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it(signum: int) -> None:
    """SIGINT and SIGTERM end it in order: exit status 0; what was accepted is answered."""
    with Server("SCADA=INT[1000]") as server, Client(server) as client:
        client.sock.sendall(rr(read(symbol("SCADA")), client.handle) * 200)
        first = client.sock.recv(1)
        assert server.stop(signum) == 0
        got = first
        while more := client.sock.recv(65536):
            got += more
        replies = list(frames(got))
        assert replies and all(cip_of(one)[2] == 0 for one in replies)
        assert server.lines[1:] == []


def test_signals_end_it_with_idle_clients() -> None:
    """Clients that are connected, idle or within a frame, do not hold it up."""
    with Server("SCADA", deadline_s=3.0) as server, Client(server) as one, Client(server) as two:
        one.sock.sendall(rr(read(symbol("SCADA")), one.handle)[:30])
        assert server.stop(signal.SIGTERM) == 0
        assert one.sock.recv(1) == two.sock.recv(1) == b""


@pytest.mark.long
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_impatience(signum: int) -> None:
    """Ctrl-C again and again, while it still ends: no traceback, exit status 0."""
    with Server("SCADA=INT[1000]") as server, Client(server) as deaf:
        deaf.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):  # a client that never reads makes the end take a while
            while True:
                deaf.sock.sendall(rr(read(symbol("SCADA"), 250), deaf.handle) * 100)
        for _ in range(200):
            server.process.send_signal(signum)
            try:
                server.process.wait(0.05)
                break
            except subprocess.TimeoutExpired:
                continue
        assert server.stop() == 0


# -- in Python


CUSTOM = """
import sys
from cpppo.server.enip import device
from cpppo.server.enip.main import main

class Weather(device.Attribute):
    def __getitem__(self, key):
        raise RuntimeError("no weather today")
    def __setitem__(self, key, value):
        raise RuntimeError("changing the weather is not that easy")

sys.exit(main(sys.argv[1:], attribute_class=Weather))
"""


@pytest.mark.parametrize("options", [[], ["-v"], ["--print"]])
def test_attribute_class(tmp_path: Path, options: list[str]) -> None:
    """main(attribute_class=...) makes the tags of it; one that raises is a status, never a traceback."""
    script = tmp_path / "weather.py"
    script.write_text(CUSTOM)
    with Server(*options, "Paris=REAL", command=(sys.executable, "-u", str(script), "-a", "127.0.0.1:0")) as server:
        with Client(server) as client:
            assert client.cip(read(symbol("Paris"))) == bytes.fromhex("cc000200")
            assert client.cip(write(symbol("Paris"), 0xCA, 1, bytes(4))) == bytes.fromhex("cd000200")
        server.stop()
        assert not any("Traceback" in one or "Logging error" in one for one in server.lines), server.lines
        assert len([one for one in server.lines if "failed" in one]) == 2
