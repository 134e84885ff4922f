"""modbus_poll: every option, exit status and message, against devices that answer, refuse, vanish or are silent."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cpppo.history import Stream, loader
from cpppo.remote.framing import rtu_frame
from cpppo.remote.modbus_poll import main
from tests.remote.modbus_device import Device
from tests.remote.scripted import SerialDevice
from tests.tools import Server, python_environment

POLL = (sys.executable, "-m", "cpppo.remote.modbus_poll")
FAST = ("--rate", "0.05")


@pytest.fixture
def device() -> Iterator[Device]:
    with Device({place: 1000 + place for place in range(100)}, {place: place % 2 for place in range(20)}) as one:
        yield one


def at(device: Device) -> list[str]:
    return ["-a", f"127.0.0.1:{device.port}"]


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of the command."""
    status = main(arguments)
    told = capsys.readouterr()
    return status, told.out, told.err


def usage(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that says what is wrong with arguments."""
    try:
        status = main(arguments)
    except SystemExit as exc:
        status = int(str(exc.code))
    told = capsys.readouterr()
    assert (status, told.out) == (2, "")
    return told.err.splitlines()[-1]


# ------------------------------------------------------------------ once
def test_once(capsys: pytest.CaptureFixture[str], device: Device) -> None:
    """All values are printed in order of their addresses, and that is all of it."""
    status, out, _ = ran(capsys, *at(device), "--once", "40001-40003", "2", "40002")
    assert (status, out.splitlines()) == (
        0,
        ["    2 ==  True", "40001 ==  1000", "40002 ==  1001", "40003 ==  1002"],
    )
    assert len(device.asked) == 2


@pytest.mark.parametrize(
    "ranges", [["40001-40002", "40005"], ["40001 - 40002", " 40005 "], ["40001-40002,40005"], ["40001-40002 40005"]]
)
def test_ranges(capsys: pytest.CaptureFixture[str], device: Device, ranges: list[str]) -> None:
    """Ranges and numbers, with blanks, several in an argument."""
    status, out, _ = ran(capsys, *at(device), "--once", *ranges)
    assert (status, re.findall(r"^ *(\d+)", out, re.MULTILINE)) == (0, ["40001", "40002", "40005"])


@pytest.mark.parametrize("option", ["-r", "--reach"])
def test_reach(capsys: pytest.CaptureFixture[str], device: Device, option: str) -> None:
    """Addresses within reach are one request; without it only neighbours are."""
    assert ran(capsys, *at(device), "--once", option, "10", "40001", "40010")[0] == 0
    assert device.asked == [bytes.fromhex("03 0000 000a")]
    assert ran(capsys, *at(device), "--once", "40001", "40010")[0] == 0
    assert len(device.asked) == 3


def test_unit(capsys: pytest.CaptureFixture[str], device: Device) -> None:
    """The unit that is asked is the one named."""
    units = []
    device.answer = lambda unit, pdu: [units.append(unit), device.served(unit, pdu)][1]  # type: ignore[func-returns-value]
    assert ran(capsys, *at(device), "--once", "--unit", "7", "40001")[0] == 0
    assert units == [7]


def test_once_json(capsys: pytest.CaptureFixture[str], device: Device) -> None:
    """An object a line: time, address, value; of what is refused the error."""
    begun = time.time()
    status, out, err = ran(capsys, *at(device), "--once", "--json", "40001", "40201")
    objects = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert all(begun - 1 < one.pop("time") < time.time() + 1 for one in objects)
    assert objects[0] == {"address": 40001, "value": 1000}
    assert objects[1] == {
        "address": 40201,
        "value": None,
        "error": "Exception Response(131, 3, IllegalAddress)",
    }
    assert err.splitlines()[-1] == "modbus_poll: 40201: Exception Response(131, 3, IllegalAddress)"


def test_what_is_refused_is_found_out(capsys: pytest.CaptureFixture[str], device: Device) -> None:
    """All that a device has is read at once, whatever else was asked for, and the rest is said as ranges."""
    del device.registers[49]
    status, out, err = ran(capsys, *at(device), "--once", "40001-40150")
    assert (status, len(out.splitlines())) == (1, 99)
    assert "modbus_poll: 40050, 40101-40150: Exception Response(131, 3, IllegalAddress)" in err.splitlines()


def test_nobody_there(capsys: pytest.CaptureFixture[str], device: Device) -> None:
    """Status 3: nothing is there; it is said why, and what can be done."""
    device.gone()
    status, out, err = ran(capsys, *at(device), "--once", "1-9", "40001-40009")
    assert (status, out) == (3, "")
    last = err.splitlines()[-1]
    assert last.startswith(f"modbus_poll: 127.0.0.1:{device.port} does not answer: no connection: ")
    assert last.endswith("To simulate one: modbus_sim -a :1502 40001-40100=99")


def test_once_says_each_thing_once(device: Device) -> None:
    """Nothing but values where all have one; no log of coming and going, of which -v tells."""

    def told(*arguments: str) -> tuple[str, str]:
        command = [*POLL, *at(device), "--once", *arguments, "40001"]
        made = subprocess.run(command, capture_output=True, text=True, env=python_environment(), timeout=30)
        return made.stdout, made.stderr

    assert told() == ("40001 ==  1000\n", "")
    assert f"Polling: PLC 127.0.0.1:{device.port} online" in told("-v")[1]
    device.gone()
    out, err = told()
    assert (out, len(err.splitlines())) == ("", 1)


def test_a_serial_line_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """It is said why it cannot be opened, and which settings were tried."""
    told = "No such file or directory; is it plugged in? python -m serial.tools.list_ports names those that are"
    assert ran(capsys, "-a", "/dev/nowhere", "--unit", "3", "--once", "40001") == (
        3,
        "",
        f"modbus_poll: /dev/nowhere does not answer: no connection: {told}; is it unit 3, at 4800 baud 8N1?\n",
    )


def test_what_is_refused_is_one_range(capsys: pytest.CaptureFixture[str], device: Device) -> None:
    """Neighbours that are refused for one reason are one range, however many requests they are."""
    _, _, err = ran(capsys, *at(device), "--once", "40099-40500")
    assert err == "modbus_poll: 40101-40500: Exception Response(131, 3, IllegalAddress)\n"


def test_an_address_of_ipv6(capsys: pytest.CaptureFixture[str]) -> None:
    """It is in brackets wherever it is told, and told once."""
    with socket.socket(socket.AF_INET6) as free:
        free.bind(("::1", 0))
        port = free.getsockname()[1]
    status, _, err = ran(capsys, "-a", f"[::1]:{port}", "--once", "40001")
    assert (status, err.startswith(f"modbus_poll: [::1]:{port} does not answer: no connection: ")) == (3, True)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell closes the output")
@pytest.mark.parametrize(("form", "status"), [("--json", 1), ("", 0)])
def test_a_closed_output(device: Device, form: str, status: int) -> None:
    """What is written to a closed output is an error; where nothing is to be written, its being closed is none."""
    made = subprocess.run(
        ["sh", "-c", f'exec "$@" {form} --record /dev/null >&-', "sh", *POLL, *at(device), "--once", "40201-40202"],
        stderr=subprocess.PIPE,
        text=True,
        env=python_environment(),
        timeout=30,
    )
    told = ["modbus_poll: cannot write the results: standard output is closed"]
    assert made.returncode == 1
    assert ([line for line in made.stderr.splitlines() if "output" in line] == told) == bool(status)
    assert "Traceback" not in made.stderr


def test_timeout(capsys: pytest.CaptureFixture[str], device: Device) -> None:
    """Status 3, too, where a device takes requests and does not answer them, after the time named."""
    device.answer = lambda unit, pdu: None
    begun = time.monotonic()
    status, _, err = ran(capsys, *at(device), "--once", "--timeout", "0.1", "40001")
    assert status == 3 and time.monotonic() - begun < 2
    assert "does not answer: no answer in time" in err.splitlines()[-1]


# ------------------------------------------------------------------ usage
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["40001=5"], "'40001=5' is no range of addresses: write 40001 or 40001-40100"),
        ([""], "'' is no range of addresses: write 40001 or 40001-40100"),
        (["40010-40001"], "the last address comes before the first; write 40001-40010"),
        (["20001"], "20001 is no Modbus address: 1-9999 (coils)"),
        (["1-10001"], "the coils of this notation end at 9999"),
        ([], "the following arguments are required: RANGE"),
        (["--unit", "256", "40001"], "a unit is 0 to 255, not 256"),
        (["-r", "0", "40001"], "'0' is no number of 1 to"),
        (["-R", "0", "40001"], "'0' is no number of seconds above 0"),
        (["--timeout", "x", "40001"], "'x' is no number of seconds above 0"),
        (["-a", "502", "40001"], "a port alone is written :502"),
        (["-a", ":0", "40001"], "no device is at port 0; eg. localhost:502"),
        (["-a", "::x", "40001"], "is not [host][:port]"),
        (["-a", "dev/ttyS0", "--once", "40001"], "a serial device is named by its whole path, eg. /dev/ttyS0"),
        (["-a", "ttyUSB0", "--once", "40001"], "a serial device is named by its whole path, eg. /dev/ttyUSB0"),
        (
            ["-a", "http://plc", "--once", "40001"],
            "http:// is not known here; Modbus/TCP is host:port; RTU over TCP is socket:",
        ),
        (
            ["-a", "socket://plc", "--once", "40001"],
            "'socket://plc' is not socket://host:port; eg. socket://10.0.111.123:4001",
        ),
        (["-a", "/dev/x", "-c", "", "--once", "40001"], "--config: it is not JSON"),
        (["--baudrate", "9600", "40001"], "--baudrate is of a serial device; name one with --address"),
        (["-c", "{}", "40001"], "--config is of a serial device"),
        (["-a", "/dev/x", "-c", "{", "40001"], "--config: it is not JSON"),
        (["-a", "/dev/x", "-c", '{"baud": 1}', "40001"], "--config: baud: "),
        (["-a", "/dev/x", "-c", '{"parity": "none"}', "40001"], '--config: parity: "none" is not "N" or "E"'),
        (["-a", "/dev/x", "-c", '{"slaves": [1, 2]}', "40001"], "slaves: [1, 2] are several; name the one to poll"),
        (["--table", "--once", "40001"], "leave one away"),
        (["--table", "--json", "40001"], "not allowed with argument"),
        (["--table", "40001"], "--table needs a terminal; for a file or a program use --json"),
        (["--record", "/dev/null/x", "40001"], "cannot record to /dev/null/x"),
        (["-l", "/dev/null/x", "40001"], "cannot write /dev/null/x"),
    ],
)
def test_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    """Status 2, and one line: what is wrong, and what to write instead."""
    assert told in usage(capsys, *arguments)


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    """The help names every option, the addresses, examples, and what the exit statuses mean."""
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    options = "-a -r --reach -R --rate --unit --timeout --once --json --record --table -l -v --baudrate -c".split()
    assert all(option in text for option in options)
    assert "exit status: 0" in text and "40001 is the register at protocol address 0" in text
    assert text.count("\n  modbus_poll ") >= 5


def test_without_pymodbus(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what it needs it says how that is installed."""
    for name in ("cpppo.remote.plc_modbus", "cpppo.remote.pymodbus_fixes"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.delattr(sys.modules["cpppo.remote"], name.rpartition(".")[2], raising=False)
    monkeypatch.setitem(sys.modules, "pymodbus.client", None)
    status, _, err = ran(capsys, "--once", "40001")
    assert (status, err) == (1, "modbus_poll: Modbus needs pymodbus 3.16 and pyserial: pip install 'cpppo[remote]'\n")


# ------------------------------------------------------------------ until Ctrl-C
def polling(device: Device, *arguments: str) -> Server:
    """The command, until it is ended; its first line is that the device is online, and names it."""
    return Server(command=(*POLL, *at(device), *FAST, *arguments))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_changes(device: Device, signum: int) -> None:
    """A line a change, with the log's time; nothing for values that stay. Ctrl-C and SIGTERM end it with status 0."""
    with polling(device, "40001", "40002") as command:
        command.wait_for(r"^\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} .*WARNING .* 40001 ==  1000 \(was: None\)$")
        command.wait_for(r" 40002 ==  1001 \(was: None\)$")
        device.registers[0] = 5
        command.wait_for(r" 40001 ==     5 \(was: 1000\)$")
        assert command.stop(signum) == 0
        assert sum("40002" in line for line in command.lines) == 1


def test_verbose(device: Device) -> None:
    """-v tells what is asked for and what failed, when that changes."""
    with polling(device, "-v", "40001-40003", "30001") as command:
        command.wait_for(r" failing: , polling: 30001, 40001-40003$")
        device.registers.clear()
        command.wait_for(r" failing: .*40001.*, polling: ")
        command.wait_for(r" 40001 ==  None \(was: 1000\)$")


def test_a_device_that_goes_and_returns(device: Device) -> None:
    """Its values are lost and found again; the end is no failure: each address had a value."""
    with polling(device, "40001") as command:
        command.wait_for("40001 ==  1000")
        device.gone()
        command.wait_for("offline")
        command.wait_for(r"40001 ==  None \(was: 1000\)")
        device.listen()
        command.wait_for(r"40001 ==  1000 \(was: None\)")
        assert command.stop() == 0


def test_some_never_had_a_value(device: Device) -> None:
    """Status 1 at the end: an address never had a value; it is said which, and why."""
    with polling(device, "40001", "40201") as command:
        command.wait_for("40001 ==  1000")
        assert command.stop() == 1
        assert command.lines[-1] == "modbus_poll: 40201: Exception Response(131, 3, IllegalAddress)"


def test_never_there(device: Device) -> None:
    """Status 3 at the end: it polled all the time, and nobody answered."""
    device.gone()
    with polling(device, "40001") as command:
        assert command.stop() == 3
        assert " does not answer: " in command.lines[-1]


def test_a_silent_device_is_left_at_once(device: Device) -> None:
    """Ctrl-C does not wait for an answer that never comes."""
    device.answer = lambda unit, pdu: device.served(unit, pdu) if len(device.asked) == 1 else None
    with polling(device, "--timeout", "60", "40001") as command:
        command.wait_for("40001 ==  1000")
        device.wait(lambda: len(device.asked) > 1)
        begun = time.monotonic()
        assert command.stop() == 0
        assert time.monotonic() - begun < 5


def test_json(device: Device) -> None:
    """An object a change, on standard output, at once; what is lost has the error."""
    process = subprocess.Popen(
        [*POLL, *at(device), *FAST, "--json", "40001", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=python_environment(),
    )
    assert process.stdout is not None and process.stderr is not None

    def told() -> dict[str, Any]:
        assert process.stdout is not None
        one: dict[str, Any] = json.loads(process.stdout.readline())
        assert abs(one.pop("time") - time.time()) < 10
        return one

    assert {"address": 1, "value": False, "was": None} in [first := told(), second := told()]
    assert {"address": 40001, "value": 1000, "was": None} in [first, second]
    device.registers[0] = 5
    assert told() == {"address": 40001, "value": 5, "was": 1000}
    device.registers.clear()
    assert told() == {
        "address": 40001,
        "value": None,
        "was": 5,
        "error": "Exception Response(131, 3, IllegalAddress)",
    }
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
    assert "==" not in err


def test_a_reader_that_goes(device: Device) -> None:
    """Who reads enough and goes ends it, as of any program in a pipe."""
    process = subprocess.Popen(
        [*POLL, *at(device), *FAST, "--json", "40001"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=python_environment(),
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    device.registers[0] = 5
    assert process.wait(20) == 141
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there it is noticed with the next change")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_reader_that_goes_while_nothing_changes(device: Device, form: list[str]) -> None:
    """Who reads enough and goes ends it at once, also where changes are lines of the log on standard error."""
    process = subprocess.Popen(
        [*POLL, *at(device), *FAST, *form, "40001"],
        stdout=subprocess.PIPE if form else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if form else subprocess.PIPE,
        env=python_environment(),
    )
    try:
        pipe = process.stdout or process.stderr
        assert pipe is not None
        while b"1000" not in pipe.readline():
            pass
        pipe.close()
        assert process.wait(20) == 141
    finally:
        process.kill()
        process.wait()


def test_record(device: Device, tmp_path: Path) -> None:
    """The changes of each poll are a record that histories play back; what is lost is a comment."""
    path = tmp_path / "deep" / "plant.hst"
    with polling(device, "--record", str(path), "40001-40002", "2") as command:
        command.wait_for("40002 ==  1001")
        device.registers[0] = 5
        command.wait_for("40001 ==     5")
        device.registers.clear()
        command.wait_for(r"40002 ==  None")
    records = [one.data for one in Stream(path).entries() if one]
    assert records[:2] == [{"2": 1, "40001": 1000, "40002": 1001}, {"40001": 5}]
    assert '"2": 1,' in path.read_text()
    assert "# " in path.read_text() and "no value any more: Exception Response(131, 3" in path.read_text()


def test_record_played_back(capsys: pytest.CaptureFixture[str], device: Device, tmp_path: Path) -> None:
    """What was recorded is what a loader of histories gives."""
    path = tmp_path / "plant.hst"
    assert ran(capsys, *at(device), "--once", "--record", str(path), "40001-40002", "2")[0] == 0
    playing = loader(path, historical=time.time() + 60)
    playing.load()
    assert {register: value for register, (_, value) in playing.values.items()} == {2: 1, 40001: 1000, 40002: 1001}


def test_record_once(capsys: pytest.CaptureFixture[str], device: Device, tmp_path: Path) -> None:
    """--once is a record, too, and is appended to what there is."""
    path = tmp_path / "plant.hst"
    for _ in range(2):
        assert ran(capsys, *at(device), "--once", "--record", str(path), "40001")[0] == 0
    assert [(one.serial, one.data) for one in Stream(path).entries() if one] == [
        (f"127.0.0.1:{device.port}", {"40001": 1000})
    ] * 2


def test_log(device: Device, tmp_path: Path) -> None:
    """-l: the lines go to a file, and standard error has none of them."""
    path = tmp_path / "poll.log"
    process = subprocess.Popen(
        [*POLL, *at(device), *FAST, "-l", str(path), "40001"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=python_environment(),
    )
    device.wait(lambda: len(device.asked) > 3)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0] == ""
    assert process.returncode == 0
    assert "40001 ==  1000 (was: None)" in path.read_text()


# ------------------------------------------------------------------ serial lines
def serial(request: bytes) -> Iterator[bytes | None]:
    """Unit 3, whose registers and coils hold 7, or a 1."""
    if request[0] == 3:
        size = 2 * request[5] if request[1] == 3 else (request[5] + 7) // 8
        yield rtu_frame(3, bytes((request[1], size)) + b"\x00\x07" * (size // 2) + b"\x01" * (size % 2))


@pytest.mark.parametrize(
    "options",
    [["--baudrate", "19200", "--unit", "3"], ["-c", '{"baudrate":9600,"slaves":[3],"parity":"N","stopbits":1}']],
)
def test_serial(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    """A path is a serial device, polled by Modbus/RTU."""
    with SerialDevice(serial) as line:
        status, out, _ = ran(capsys, "-a", line.path, "--once", *options, "40001-40002", "1")
        assert (status, out.splitlines()) == (0, ["    1 ==  True", "40001 ==     7", "40002 ==     7"])


def test_no_such_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Status 3, where there is no such serial device."""
    path = str(tmp_path / "ttyX")
    status, _, err = ran(capsys, "-a", path, "--once", "40001")
    assert status == 3
    assert f"modbus_poll: {path} does not answer: no connection: " in err.splitlines()[-1]


# ------------------------------------------------------------------ on a terminal
def test_table(device: Device) -> None:
    """--table shows all in place on a terminal, and gives the cursor back at the end."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*POLL, *at(device), *FAST, "--table", "40001", "40201"],
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
        env={**python_environment(), "TERM": "xterm", "COLUMNS": "120", "LINES": "24"},
    )
    os.close(slave)
    seen = b""

    def until(pattern: bytes) -> None:
        nonlocal seen
        ends = time.monotonic() + 20
        while not re.search(pattern, seen):
            assert time.monotonic() < ends, seen
            seen += os.read(master, 65536)

    until(rb"40001 +1000 +\d\.\d s")
    until(rb"40201 +- .*Exception Response\(131, 3, IllegalAddress\)")
    until(rb"online, \d+ polls")
    device.registers[0] = 5
    until(rb"\x1b\[32m +40001 +5 ")
    process.send_signal(signal.SIGINT)
    until(rb"modbus_poll: 40201: Exception")
    until(rb"\x1b\[\?25h")
    assert process.wait(20) == 1
    os.close(master)
    assert b"\x1b[5A\r" in seen and b"==" not in seen


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_recording_that_loses_records(capsys: pytest.CaptureFixture[str], device: Device) -> None:
    """A full disk is told, and is no success."""
    status, _, told = ran(capsys, *at(device), "--once", "--record", "/dev/full", "40001")
    assert (status, told.splitlines()[-1]) == (1, "modbus_poll: 1 of the records could not be written to /dev/full")
