"""The command modbus_sim: its first line, its options, its end, and what it says when something is wrong."""

from __future__ import annotations

import errno
import logging
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cpppo.remote import modbus_sim
from cpppo.remote.framing import TcpFrames, rtu_frame, tcp_frame
from tests.remote.serial_lines import Line
from tests.tools import ROOT, Server, python_environment

COMMAND = (sys.executable, "-m", "cpppo.remote.modbus_sim")


def sim(*arguments: str) -> Server:
    return Server(*arguments, command=COMMAND)


def ask(address: tuple[str, int], pdu: str, unit: int = 1) -> str:
    """The data unit that answers another, both as hex."""
    frames = TcpFrames()
    with socket.create_connection(address, timeout=10) as sock:
        sock.sendall(tcp_frame(1, unit, bytes.fromhex(pdu)))
        while not (found := frames.feed(octets := sock.recv(1000))):
            assert octets, "no answer"
        return found[0].pdu.hex()


def test_the_first_line_and_the_end() -> None:
    """The first line on standard output says where it serves; Ctrl-C ends it with status 0."""
    with sim("-a", "localhost:0", "40001-40100=99") as server:
        said = re.fullmatch(
            r"Success; Started Modbus/TCP Simulator; PID = (\d+); address = (localhost:\d+)", server.lines[0]
        )
        assert said and int(said[1]) == server.process.pid and said[2] == f"localhost:{server.port}"
        assert ask(server.address, "03 0000 0002") == "030400630063"
        assert ask(server.address, "03 0064 0001") == "8302"
        assert server.stop() == 0
        assert len(server.lines) == 1


def test_sigterm_ends_it_in_order() -> None:
    """SIGTERM is as good as Ctrl-C."""
    with sim("-a", "127.0.0.1:0", "40001") as server:
        assert server.stop(signal.SIGTERM) == 0


def test_an_address_without_host_is_shown_as_it_was_given() -> None:
    """`-a :PORT` serves on all interfaces and says `address = :PORT`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*COMMAND, "-a", f":{port}", "40001=5"], stdout=subprocess.PIPE, text=True, env=python_environment()
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().endswith(f"; address = :{port}\n")
        assert ask(("127.0.0.1", port), "03 0000 0001") == "03020005"
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        process.stdout.close()


def test_values_signals_and_units() -> None:
    """Ranges with blanks, several values, signals, and units that are named."""
    arguments = (
        "-a",
        "127.0.0.1:0",
        "-c",
        '{"slaves":[2]}',
        " 40001 - 40002 = 1, 2 ",
        "40010=5,6,7",
        "30001=ramp:7,7,1s",
    )
    with sim(*arguments) as server:
        assert ask(server.address, "03 0000 0002", 2) == "030400010002"
        assert ask(server.address, "03 0009 0003", 2) == "0306000500060007"
        assert ask(server.address, "04 0000 0001", 2) == "04020007"
        assert ask(server.address, "03 0000 0001", 1) == "830b"


def test_a_configuration_file(tmp_path: Path) -> None:
    """A file says all that options can; these come first."""
    path = tmp_path / "sim.toml"
    path.write_text('address = "nowhere.invalid:1"\n[values]\n40001 = 7\n40002 = 8\n[units.3]\n40002 = 9\n')
    with sim("--config", str(path), "-a", "127.0.0.1:0", "40003=10") as server:
        assert ask(server.address, "03 0000 0003", 3) == "030600070009000a"


def test_a_range_of_ports() -> None:
    """With -r the next port that is free is taken, and shown."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with sim("-a", f"127.0.0.1:{port}", "-r", "20", "40001") as server:
            assert port < server.port < port + 20


@pytest.mark.parametrize(
    ("evil", "expected"), [("corrupt:transaction", 0), ("corrupt:protocol", 2), ("corrupt:unit", 6), ("truncate", None)]
)
def test_evil(evil: str, expected: int | None) -> None:
    """Replies are spoilt as --evil says."""
    whole = tcp_frame(1, 1, bytes.fromhex("0302000a"))
    with sim("-a", "127.0.0.1:0", "-e", evil, "40001=10") as server:
        with socket.create_connection(server.address, timeout=10) as sock:
            sock.sendall(tcp_frame(1, 1, bytes.fromhex("0300000001")))
            octets = sock.recv(1000)
        assert octets != whole
        assert len(octets) < len(whole) if expected is None else octets[expected : expected + 2] != whole[expected:][:2]


def test_on_a_serial_line() -> None:
    """An address that begins with / is a serial device, with the settings of -c."""
    with Line() as line:
        process = subprocess.Popen(
            [*COMMAND, "-a", line.paths[0], "-c", '{"baudrate":19200,"slaves":[1]}', "40001-40100=99"],
            stdout=subprocess.PIPE,
            text=True,
            env=python_environment(),
        )
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first == (f"Success; Started Modbus/RTU Simulator; PID = {process.pid}; address = {line.paths[0]}\n")
            reply = rtu_frame(1, bytes.fromhex("03020063"))
            assert line.ask(rtu_frame(1, bytes.fromhex("0300000001")), len(reply)) == reply
            assert line.ask(rtu_frame(2, bytes.fromhex("0300000001")), 1, 0.2) == b""
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
            process.stdout.close()


# ------------------------------------------------------------------ what is wrong
def test_an_address_that_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    """It is an ERROR with the address and the range, what to do, and status 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert modbus_sim.main(["-a", f"localhost:{port}", "40001"]) == 1
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    said = record.getMessage()
    assert said.startswith(f"Failed to start PLC simulator on localhost:{port}, over a range of 1 ports: ")
    assert "another server is there; use another port" in said


def test_the_default_port_needs_rights(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 502 is refused to all but root, with what to do instead."""

    def start(self: object) -> None:
        raise PermissionError(errno.EACCES, "permission denied")

    monkeypatch.setattr(modbus_sim.Simulator, "start", start)
    assert modbus_sim.main(["40001"]) == 1
    assert "on 0.0.0.0:502, over" in caplog.text and "use another, eg. --address :1502" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-a", "nowhere.invalid:1502", "40001"], "Failed to start PLC simulator on nowhere.invalid:1502, over"),
        (
            ["-a", "/nowhere/ttyS9", "40001"],
            "Failed to start PLC simulator on /nowhere/ttyS9: No such file or directory;",
        ),
        (["-a", "/dev/null", "40001"], "Failed to start PLC simulator on /dev/null: it is no serial device"),
        (["-a", ":0", "-e", "slow", "40001"], "evil 'slow' is not known"),
        (["-a", "/dev/ttyS1", "-e", "corrupt:protocol", "40001"], "there is no protocol on a serial line"),
    ],
)
def test_what_cannot_be_served(arguments: list[str], told: str, caplog: pytest.LogCaptureFixture) -> None:
    """An address or an evil that cannot be is an ERROR, and status 1."""
    assert modbus_sim.main(arguments) == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert told in caplog.text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "nothing to serve: name a range, eg. 40001-40100=99"),
        (["20001"], "20001 is no Modbus address"),
        (["40001=x"], "40001: 'x' is no value and no signal"),
        (["-a", "1:2:3", "40001"], "is not [host][:port]"),
        (["-r", "0", "40001"], "--range 0: it is a number of ports"),
        (["-c", "/nowhere/sim.toml", "40001"], "cannot read /nowhere/sim.toml"),
        (["-c", "{", "40001"], "the configuration has 1 mistake; see above"),
        (["-c", '{"baudrate":9600}', "-a", ":0", "40001"], "baudrate: only a serial line has these"),
        (["-c", "", "40001"], "--config is empty; name a TOML file"),
        (["-a", "dev/ttyS0", "40001"], "a serial device is named by its whole path, eg. /dev/ttyS0"),
        (["-a", "socket://localhost:4001", "40001"], "socket:// is not known here; Modbus/TCP is host:port"),
        (["--wrong"], "unrecognized arguments: --wrong"),
    ],
)
def test_wrong_usage(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage is told in one line with what to do, and status 2."""
    with pytest.raises(SystemExit) as caught:
        modbus_sim.main(arguments)
    assert caught.value.code == 2
    assert told in capsys.readouterr().err


def test_a_log_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    """A log file that cannot be is told, and status 1."""
    assert modbus_sim.main(["-a", "127.0.0.1:0", "-l", "/nowhere/sim.log", "40001"]) == 1
    assert "cannot write /nowhere/sim.log" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_an_output_that_is_full() -> None:
    """Who cannot be told where it serves is told that, and status 1."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "-a", "127.0.0.1:0", "40001"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30
        )
    assert (done.returncode, done.stderr) == (
        1,
        "modbus_sim: cannot write to standard output: No space left on device\n",
    )


def test_verbose() -> None:
    """-v tells who comes and goes, what they write and what is refused; -vv also what they read."""
    for option, reads in (("-v", False), ("-vv", True)):
        with sim(option, "-a", "127.0.0.1:0", "40001-40100=99") as server:
            for pdu in ("03 0000 0003", "06 0001 0005", "03 0064 0001", "11"):
                ask(server.address, pdu, unit=7)
            server.wait_for(r"127\.0\.0\.1:\d+: connected$")
            server.wait_for(r"127\.0\.0\.1:\d+, unit 7: writes 40002$")
            server.wait_for(r"127\.0\.0\.1:\d+, unit 7: reads 40101: exception 2$")
            server.wait_for(r"127\.0\.0\.1:\d+, unit 7: function 17, 1 octets$")
            server.wait_for(r"127\.0\.0\.1:\d+: gone$")
            assert any(line.endswith("reads 40001-40003") for line in server.lines) == reads


def test_ctrl_c_before_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is impatient sees no traceback; the status is that of an interrupted program."""

    def start(self: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(modbus_sim.Simulator, "start", start)
    assert modbus_sim.main(["-a", "127.0.0.1:0", "40001"]) == 130


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    """--help has examples, signals, and the exit status."""
    with pytest.raises(SystemExit):
        modbus_sim.main(["--help"])
    said = capsys.readouterr().out
    for one in ("modbus_sim -a :1502 40001-40100=99", "ramp:LOW,HIGH,PERIOD", "exit status:", "truncate", "slaves"):
        assert one in said


@pytest.mark.checkout
def test_the_file_of_that_name() -> None:
    """bin/modbus_sim.py is the same command."""
    made = subprocess.run(
        [sys.executable, str(ROOT / "bin" / "modbus_sim.py"), "--version"], capture_output=True, text=True, timeout=30
    )
    assert made.returncode == 0 and made.stdout.startswith("cpppo ")
