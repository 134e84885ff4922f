"""The bridge's command: what it serves, what it says, and how it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cpppo.remote import bridge
from cpppo.remote.bridge_config import parse_bridge
from cpppo.server.enip.client import connector, parse_operations
from tests.remote.field import Field
from tests.tools import Server, python_environment, run_module

TAGS = """
online = "Boiler_Online"
[devices.Boiler.tags]
Level = "REAL @ 40001 CDAB"
Alarm = "BOOL @ 30001.3"
Outside = { type = "REAL", address = 40005, raw = "INT", scale = 0.1, offset = -40, access = "read-only" }
List = "INT[4] @ 40011"
"""


def _file(tmp_path: Path, port: int) -> str:
    path = tmp_path / "bridge.toml"
    path.write_text(
        f'[server]\naddress = "127.0.0.1:0"\n[devices.Boiler]\nhost = "127.0.0.1"\nport = {port}\nrate = 0.05{TAGS}'
    )
    return str(path)


def _bridge(*arguments: str) -> Server:
    return Server(command=(sys.executable, "-u", "-m", "cpppo.remote.bridge", *arguments))


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_it_is_ended(tmp_path: Path, ending: signal.Signals) -> None:
    """It says what is served and from where, logs each device's coming and going once, and ends with status 0."""
    with Field({**dict.fromkeys(range(40001, 40020), 0), 30001: 8}) as field:
        with _bridge(_file(tmp_path, field.address[1])) as server:
            server.wait_for("online")
            with connector(*server.address, timeout=5.0) as connection:

                def read(*tags: str) -> list[object]:
                    return [(one.sts, one.val) for one in connection.synchronous(parse_operations(tags))]

                assert read("Alarm", "Outside", "Boiler_Online") == [(0, [True]), (0, [-40.0]), (0, [True])]
                field.stop()
                server.wait_for("offline")
                assert read("Alarm", "Boiler_Online") == [(2, None), (0, [False])]
                field.start()
                server.wait_for("online")
                assert read("Alarm", "List[1-2]") == [(0, [True]), (0, [0, 0])]
            assert server.stop(ending) == 0
    said = "\n".join(server.lines)
    assert "bridge: 5 tags of 1 device on 127.0.0.1:" in said
    assert re.search(r"bridge: Boiler at 127\.0\.0\.1:\d+, every 0\.05 s: 5 tags", said)
    assert [len(re.findall(f"Boiler {word}", said)) for word in ("online", "offline")] == [2, 1]


def test_address_and_log(tmp_path: Path) -> None:
    """-a replaces the file's address; -l takes the log, -v says more."""
    log = tmp_path / "bridge.log"
    with Field({40001: 0}) as field:
        file = _file(tmp_path, field.address[1])
        Path(file).write_text(Path(file).read_text().replace("127.0.0.1:0", "203.0.113.1:0"))
        with _bridge("-a", "127.0.0.1:0", "-v", "-l", str(log), file) as server:
            with connector(*server.address, timeout=5.0) as connection:
                assert [one.sts for one in connection.synchronous(parse_operations(["Boiler_Online"]))] == [0]
    assert "EtherNet/IP Simulator" in log.read_text()


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check shows the tags, their types, and what they are made of; and serves nothing."""
    file = _file(tmp_path, 1502)
    assert bridge.main(["--check", file]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Boiler at 127.0.0.1:1502, every 0.05 s",
        "  Level          REAL    40001-40002 CDAB",
        "  Alarm          BOOL    30001.3 read-only",
        "  Outside        REAL    40005 AB as INT * 0.1 -40 read-only",
        "  List           INT[4]  40011-40014 AB",
        "  Boiler_Online  BOOL    whether it answers",
        f"{file}: 5 tags of 1 device: all right",
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_check_without_room(tmp_path: Path) -> None:
    """What --check cannot write it does not pass off as all right: status 1, and a line."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cpppo.remote.bridge", "--check", _file(tmp_path, 1502)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=python_environment(),
            timeout=30,
        )
    assert (done.returncode, done.stderr) == (1, "bridge: cannot write the results: No space left on device\n")


def test_a_file_without_devices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with a file as a whole stands behind its name and line, no key between."""
    path = tmp_path / "empty.toml"
    path.touch()
    assert bridge.main([str(path)]) == 2
    assert f"{path}:1: there are no devices; write eg. [devices.Boiler]" in capsys.readouterr().err


def test_mistakes_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All mistakes, each with its line, and how many there are; status 2, with --check or without."""
    path = tmp_path / "bad.toml"
    path.write_text('[devices.Boiler]\nhost = "a"\nrat = 1\n[devices.Boiler.tags]\nLevel = "INT @ 1"\n')
    for options in ([], ["--check"]):
        assert bridge.main([*options, str(path)]) == 2
        said = capsys.readouterr().err.splitlines()
        assert said == [
            f"{path}:3: devices.Boiler.rat: unknown key; is it rate?",
            f"{path}:5: devices.Boiler.tags.Level: 1 is a coil, one bit: its type is BOOL, not INT",
            f"bridge: {path} has 2 mistakes; see above",
        ]
    path.write_text("[devices")
    assert bridge.main([str(path)]) == 2
    assert "bad.toml:1: it is not TOML" in capsys.readouterr().err
    assert bridge.main([str(tmp_path / "none.toml")]) == 2
    assert "none.toml: No such file or directory; name a bridge file that can be read" in capsys.readouterr().err


def test_what_cannot_be_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An address that is wrong is status 2, one that cannot be had, or a log that cannot be written, status 1."""
    file = _file(tmp_path, 1502)
    assert bridge.main(["-a", "a:b:c", file]) == 2
    assert "is not [host][:port]" in capsys.readouterr().err
    with Field({}) as taken:
        assert bridge.main(["-a", f"127.0.0.1:{taken.address[1]}", file]) == 1
        assert "another server is there" in capsys.readouterr().err
    assert bridge.main(["-l", str(tmp_path / "no" / "log"), file]) == 1
    assert "name a file that can be written" in capsys.readouterr().err


def test_pymodbus_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without pymodbus it says how to get it; status 1."""
    monkeypatch.setitem(sys.modules, "cpppo.remote.plc_modbus", None)
    assert bridge.main([_file(tmp_path, 1502)]) == 1
    assert "plc_modbus" in capsys.readouterr().err


def test_ctrl_c_before_it_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is impatient sees no traceback; the status is that of an interrupted program."""

    def made(config: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bridge, "Bridge", made)
    assert bridge.main([_file(tmp_path, 1502)]) == 130


def test_help_teaches() -> None:
    """The example of --help is a bridge file that is right."""
    said = run_module("cpppo.remote.bridge", "--help").stdout
    example = said.partition("example of a bridge file:\n")[2].partition("\nthen,")[0]
    assert parse_bridge(example.encode()).tags == 7
