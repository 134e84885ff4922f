"""The options of enip_server, each tried on a process, and what is said of values that cannot be."""

from __future__ import annotations

import errno
import pstats
import re
import signal
import socket
import struct
import time
from pathlib import Path

import pytest

from cpppo.server.enip import main
from tests.server.enip.device.frames import REGISTER, cip_of, frame, only, read, register, rr, symbol, write
from tests.server.enip.test_main import MODULE, TIMEOUT_S, Client
from tests.tools import Server, run_module

READ = read(symbol("SCADA"))
IS_ZERO = bytes.fromhex("cc000000 c300 0000")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--delay", "x"], ["'x'", "0.1-0.9"]),
        (["--delay", "0.9-0.1"], ["0.9-0.1", "smaller number first"]),
        (["--delay", "1-2-3"], ["'1-2-3'"]),
        (["--delay", "9999"], ["9999", "3600"]),
        (["--size", "0"], ["--size '0'", "4 to 65511"]),
        (["--size", "65512"], ["--size '65512'", "4 to 65511"]),
        (["--size", "1e3"], ["--size '1e3'"]),
        (["--connections", "0"], ["--connections '0'", "1 to 100000"]),
        (["--connections", "9" * 5000], ["1 to 100000"]),
        (["--idle", "0"], ["--idle '0'", "above 0"]),
        (["--idle", "nan"], ["--idle 'nan'"]),
        (["--idle", "soon"], ["--idle 'soon'"]),
        (["--web", "::"], ["--web: address '::'", "[host][:port]"]),
        (["--web", "8080"], ["--web: address '8080'", "written :8080"]),
        (["--web", ":99999"], ["--web: ", "beyond 65535"]),
        (["--web-readonly"], ["--web-readonly: of what?", "--web :12345"]),
        (["--web-token", "12345678"], ["--web-token: of what?"]),
        (["-w", ":0", "--web-token", "short"], ["--web-token: 8 to 200"]),
        (["-w", ":0", "--web-token", "with a blank"], ["--web-token: 8 to 200"]),
    ],
    ids=lambda one: " ".join(one)[:30],
)
def test_values_that_cannot_be(arguments: list[str], says: list[str]) -> None:
    """One line on stderr that says which option and what instead; exit status 2; nothing is served."""
    done = run_module(MODULE, "-a", "127.0.0.1:0", *arguments, "SCADA")
    assert (done.returncode, done.stdout) == (2, ""), done.stderr[-500:]
    (line,) = done.stderr.splitlines()
    assert line.startswith("enip_server: ") and len(line) < 300
    assert all(one in line for one in says), line


@pytest.mark.parametrize("option", ["--log", "--profile"])
def test_files_that_cannot_be_written(option: str, tmp_path: Path) -> None:
    """A file that cannot be written: one line that names it, exit status 1."""
    path = tmp_path / "none" / "a.file"
    done = run_module(MODULE, "-a", "127.0.0.1:0", option, str(path), "SCADA")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("enip_server: cannot write ") and str(path) in line


def test_help_in_groups() -> None:
    """--help shows every option in its group, and ends with examples and exit statuses."""
    text = run_module(MODULE, "--help").stdout
    network, web, controller, output = (
        text.index(f"\n{one}:\n") for one in ("network", "web interface", "controller", "output")
    )
    end = text.index("\nexamples:\n")
    for place, until, options in (
        (network, web, ("-a", "--address", "--connections", "--idle")),
        (web, controller, ("-w", "--web", "--web-readonly", "--web-token")),
        (controller, output, ("-c", "--config", "--check", "--identity")),
        (controller, output, ("-d", "--delay", "-s", "--size", "--strict")),
        (output, end, ("-p", "--print", "-l", "--log", "-P", "--profile", "-v", "--verbose", "--version")),
    ):
        for option in options:
            assert re.search(rf"^ .*(?<![\w-]){option}\b", text[place:until], re.M), option
    assert "exit status: 0" in text[end:]


def test_constant_delay() -> None:
    """Every response takes that long at least, also each of several requests that came at once."""
    with Server("-d", "0.2", "SCADA") as server, Client(server) as client:
        began = time.monotonic()
        assert client.cip(READ) == IS_ZERO
        assert time.monotonic() - began >= 0.2
        began = time.monotonic()
        client.sock.sendall(rr(READ, client.handle) * 3)
        got = b""
        while len(got) < 3 * len(rr(b"", client.handle)) + 3 * len(IS_ZERO):
            got += client.sock.recv(1000)
        assert time.monotonic() - began >= 0.6


def test_delay_of_a_range() -> None:
    """With -v the range is told; no response comes sooner than its smaller number."""
    with Server("-v", "--delay", "0.05-0.1", "SCADA") as server, Client(server) as client:
        for _ in range(3):
            began = time.monotonic()
            client.cip(READ)
            assert time.monotonic() - began >= 0.05
        server.stop()
        assert any("0.05-0.1 seconds" in one for one in server.lines)


def test_a_delay_does_not_hold_up_the_end() -> None:
    """What was accepted is answered at once when the server ends, and not minutes later."""
    with Server("-d", "60", "SCADA", deadline_s=5.0) as server:
        with socket.create_connection(server.address, TIMEOUT_S) as sock:
            sock.sendall(register())
            with pytest.raises(TimeoutError):
                sock.settimeout(0.2)
                sock.recv(100)
            sock.settimeout(TIMEOUT_S)
            assert server.stop(signal.SIGTERM) == 0
            assert only(sock.recv(100)).status == 0


def test_size() -> None:
    """A request of more octets: status 0x65, and the end of its session; one of just as many is answered."""
    request = rr(READ, 0)
    octets = len(request) - 24
    with Server("-s", str(octets), "SCADA") as server:
        with Client(server) as client:
            assert client.cip(READ) == IS_ZERO
            reply = only(client.ask(rr(read(symbol("SCADA", 0)), client.handle)))
            assert (reply.status, reply.length, reply.command) == (0x65, 0, 0x6F)
            assert client.sock.recv(1) == b""
        with Client(server) as other:
            assert other.cip(READ) == IS_ZERO


def test_strict() -> None:
    """--strict refuses an INT for a DINT tag, which is taken otherwise."""
    for options, status in ((["--strict"], "ff010721"), ([], "0000")):
        with Server(*options, "Wide=DINT") as server, Client(server) as client:
            assert client.cip(write(symbol("Wide"), 0xC3, 1, b"\1\0")) == b"\xcd\0" + bytes.fromhex(status)


def test_connections() -> None:
    """A session too many is refused with 0x0002, session 0 and the end; the others go on."""
    with Server("--connections", "1", "SCADA") as server, Client(server) as first:
        with socket.create_connection(server.address, TIMEOUT_S) as sock:
            sock.sendall(frame(REGISTER, b"\1\0\0\0"))
            answer = b""
            while octets := sock.recv(100):
                answer += octets
        assert struct.unpack_from("<HHII", answer) == (REGISTER, 0, 0, 0x0002)
        assert first.cip(READ) == IS_ZERO


def test_idle() -> None:
    """--idle ends a connection that sends nothing whole for so long."""
    with Server("--idle", "0.3", "-vvv", "SCADA") as server, Client(server) as client:
        client.sock.sendall(rr(READ, client.handle)[:30])
        assert client.sock.recv(1) == b""
        server.wait_for("no whole request for 0.3 s")


def test_log(tmp_path: Path) -> None:
    """--log writes what -v asks for to the file, and nothing of it to stderr."""
    path = tmp_path / "a.log"
    with Server("-v", "--log", str(path), "SCADA=INT[3]") as server:
        with Client(server) as client:
            client.cip(READ)
        server.stop()
        assert len(server.lines) == 1
    text = path.read_text()
    for one in (
        "Creating tag: SCADA=INT[3]",
        f"EtherNet/IP Simulator: ('127.0.0.1', {server.port})",
        f"enip_srv server PID [{server.process.pid:5}] running on ('127.0.0.1', {server.port})",
        "begins serving peer ('127.0.0.1', ",
        "done; processed   2 requests over    ",
    ):
        assert one in text, text


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_log_is_opened_anew(tmp_path: Path) -> None:
    """SIGHUP opens the log anew, as logrotate wants it; the server goes on."""
    path, moved = tmp_path / "a.log", tmp_path / "moved.log"
    with Server("-v", "--log", str(path), "SCADA") as server, Client(server) as client:
        path.rename(moved)
        assert not path.exists()
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + TIMEOUT_S
        while not path.exists() and time.monotonic() < deadline:
            assert client.cip(READ) == IS_ZERO
        assert path.exists()
        with Client(server):
            pass
        server.stop()
    assert "begins serving" in moved.read_text() and "Creating tag" in moved.read_text()
    assert "begins serving" in path.read_text() and "Creating tag" not in path.read_text()


def test_profile(tmp_path: Path) -> None:
    """--profile prints where a connection spent its time, and keeps it in the file."""
    path = tmp_path / "a.prof"
    with Server("--profile", str(path), "SCADA") as server:
        with Client(server) as client:
            client.cip(READ)
        server.wait_for("Ordered by: cumulative time")
        server.stop()
        assert any("receive" in one for one in server.lines)
    assert pstats.Stats(str(path)).total_calls > 10  # type: ignore[attr-defined]


def test_profile_of_several(tmp_path: Path) -> None:
    """Connections at the same time are all served, be they profiled or not."""
    with Server("--profile", str(tmp_path / "a.prof"), "SCADA") as server, Client(server) as one, Client(server) as two:
        assert one.cip(READ) == two.cip(READ) == IS_ZERO


def test_ipv6() -> None:
    """An IPv6 address is given, and told, in brackets."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    command = Server().command[:-2]
    with Server("-v", "-a", "[::1]:0", "SCADA", command=command) as server:
        assert server.host == "::1"
        with Client(server) as client:
            assert client.cip(READ) == IS_ZERO
        assert f"on [::1]:{server.port};" in " ".join(server.lines)


def test_port_below_1024_without_rights(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that needs rights: one line that says so and what to do instead; exit status 1."""

    def refuse(sock: socket.socket, address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert main(["-a", "127.0.0.1:502", "SCADA"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    assert "127.0.0.1:502" in err and "special rights" in err and ":44818" in err


def test_answers_are_whole() -> None:
    """With a delay, a client that sends octet by octet is answered as without."""
    with Server("-d", "0.001", "SCADA") as server, Client(server) as client:
        for octet in rr(READ, client.handle):
            client.sock.sendall(bytes([octet]))
        assert cip_of(only(client.sock.recv(1000))) == IS_ZERO
