"""Plant files on the command line, as processes: what is checked, said and served, and by whom it seems to be."""

from __future__ import annotations

import json
import re
import struct
import sys
from pathlib import Path

import pytest

from cpppo.history import parse_line
from cpppo.server.enip.device import DEFAULT_PROFILE, PROFILES
from tests.server.enip.device.connected import forward_open
from tests.server.enip.device.frames import LIST_IDENTITY, frame, only, path, read, symbol, write
from tests.server.enip.test_main import MODULE, Client, told
from tests.server.enip.test_plant import SAMPLE
from tests.server.enip.test_plant_mistakes import EACH, mistakes
from tests.tools import Server, run_module


@pytest.fixture
def sample(tmp_path: Path) -> str:
    """The path of the sample file."""
    file = tmp_path / "plant.toml"
    file.write_text(SAMPLE)
    return str(file)


def identity(client: Client) -> tuple[int, int, int, int, int, int, int, str]:
    """Vendor, device type, product code, revision, status, serial number and name, as List Identity says them."""
    payload = only(client.ask(frame(LIST_IDENTITY))).payload
    head = struct.unpack_from("<HHHBBHIB", payload, 24)
    assert payload[0:2] == b"\1\0" and len(payload) == 24 + 15 + head[-1] + 1
    return (*head[:-1], payload[39:-1].decode("iso-8859-1"))


def member(name: str, element: int, *names: str) -> bytes:
    """The path to a member of an element of an array."""
    octets = symbol(name, element)[1:]
    for one in names:
        octets += symbol(one)[1:]
    return path(octets)


# -- --check


def test_check(sample: str) -> None:
    """A file that is right: one line that says what it has; exit status 0, and nothing is served."""
    done = run_module(MODULE, "--check", "--config", sample)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{sample}: 1 type, 7 tags, 1 program: all right\n"


def test_check_with_tags(sample: str) -> None:
    """Tags of the command line and of standard input are checked with the file."""
    done = run_module(MODULE, "--check", "-c", sample, "Spare=Motor[2]", "-", stdin="Other=motor\n")
    assert (done.returncode, done.stderr) == (0, "")
    for tag, says in (("scada=INT", "exists already, as 'SCADA'"), ("X=Moter", "unknown type 'Moter'")):
        done = run_module(MODULE, "--check", "-c", sample, tag)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("enip_server: tag ") and says in line


@pytest.mark.parametrize("options", [["--check"], ["-a", "127.0.0.1:0"]])
def test_mistakes(tmp_path: Path, options: list[str]) -> None:
    """A file with mistakes: a line for each with place and key, then how many; exit status 2, checked or served."""
    file = tmp_path / "plant.toml"
    file.write_text(EACH)
    done = run_module(MODULE, *options, "--config", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    *lines, last = done.stderr.splitlines()
    assert lines == [f"{file}:{line}: {key}: {said}" for line, key, said in mistakes(EACH)]
    assert last == f"enip_server: {file} has {len(lines)} mistakes; see above"


def test_one_mistake(tmp_path: Path) -> None:
    """One mistake is one, also where it is found by making the tags."""
    file = tmp_path / "plant.toml"
    file.write_text("[tags]\nA = { type = 'INT', address = '1/1/1' }\n")
    done = run_module(MODULE, "--check", "--config", str(file))
    assert done.returncode == 2 and done.stderr.splitlines()[1:] == [f"enip_server: {file} has 1 mistake; see above"]
    assert done.stderr.startswith(f"{file}:2: tags.A.address: ")


def test_syntax(tmp_path: Path) -> None:
    """What is not TOML: one line with its line; exit status 2."""
    file = tmp_path / "plant.toml"
    file.write_text("[tags]\n\nSCADA = INT[1000]\nA = 5\n")
    done = run_module(MODULE, "--check", "--config", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"enip_server: {file}:3: it is not TOML: ") and '"INT[1000]"' in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config", "none.toml"], "cannot read none.toml: No such file or directory; name a plant file"),
        (["--config", "."], "; name a plant file that can be read"),
        (["--check", "SCADA"], "--check: of what? Name the plant file"),
        (["--identity", "1756-L99", "SCADA"], "'1756-L99'; one of 1756-L61, 1756-L83E, 5069-L320ER, 2080-LC50"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that cannot be read, and options that cannot be: one line, exit status 2."""
    monkeypatch.chdir(tmp_path)
    done = run_module(MODULE, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("enip_server: ") and says in line


def test_check_alone() -> None:
    """Without a file and tags there is the usage, which names both."""
    for arguments in ([], ["--check"]):
        done = run_module(MODULE, *arguments)
        assert done.returncode == 2 and "TAG" in done.stderr and "--config plant.toml" in done.stderr.splitlines()[-1]


# -- serving


def test_config_alone(sample: str) -> None:
    """--config alone serves the file's tags, structures, members and programs; what is printed names them."""
    with Server("--print", "--config", sample) as server, Client(server) as client:
        assert server.lines[0].startswith("enip_server: 7 tags on 127.0.0.1:")
        assert client.cip(read(symbol("Level"))) == b"\xcc\0\0\0\xca\0" + struct.pack("<f", 12.5)
        assert client.cip(write(symbol("Level"), 0xCA, 1, bytes(4))).hex() == "cd000f00"
        assert client.cip(write(member("Drive", 2, "speed"), 0xCA, 1, struct.pack("<f", 1.5))).hex() == "cd000000"
        assert client.cip(write(member("Drive", 2, "running"), 0xC1, 1, b"\xff")).hex() == "cd000000"
        assert client.cip(read(symbol("Drive", 2)))[4:6] == b"\xa0\x02"
        speed = path(symbol("Program:MainProgram")[1:] + symbol("Speed")[1:])
        assert client.cip(read(speed)) == b"\xcc\0\0\0\xca\0" + bytes(4)
        whole = "{'running': True, 'fault': False, 'speed': 1.5, 'counts': [0, 0, 0, 0], 'label': ''}"
        assert told(server) == [
            "               Level[    0-0    ] == [12.5]",
            "      Drive[2].speed[    0-0    ] <= [1.5]",
            "    Drive[2].running[    0-0    ] <= [True]",
            f"               Drive[    2-2    ] == [{whole}]",
            "Program:MainProgram.Speed[    0-0    ] == [0.0]",
        ]


def test_config_with_tags(sample: str) -> None:
    """Tags of the command line are added to those of the file, and may be of its types."""
    with Server("--config", sample, "Spare=Motor[2]", "Count=DINT=7") as server, Client(server) as client:
        assert server.lines[0].startswith("enip_server: 9 tags on ")
        assert client.cip(read(symbol("Count"))).hex() == "cc000000c40007000000"
        assert client.cip(read(member("Spare", 1, "counts"), 4))[:6].hex() == "cc000000c400"


def test_config_of_nothing(tmp_path: Path) -> None:
    """An empty file is served: a controller without tags."""
    (tmp_path / "empty.toml").touch()
    with Server("--config", str(tmp_path / "empty.toml")) as server, Client(server) as client:
        assert server.lines[0].startswith("enip_server: 0 tags on ")
        assert identity(client)[:3] == PROFILES[DEFAULT_PROFILE].identity[:3]


@pytest.mark.parametrize("name", PROFILES)
def test_identity(name: str) -> None:
    """--identity passes for each of the controllers, as List Identity says."""
    with Server("--identity", name.lower(), "SCADA") as server, Client(server) as client:
        assert identity(client) == PROFILES[name].identity[:8]


def test_identity_with_a_file(sample: str) -> None:
    """--identity takes the place of the file's profile; keys that the file sets one by one stay."""
    Path(sample).write_text(SAMPLE.replace("[controller]", "[controller]\nserial = 77"))
    for options, profile in (([], "1756-L83E"), (["--identity", "5069-L320ER"], "5069-L320ER")):
        with Server("--config", sample, *options) as server, Client(server) as client:
            assert identity(client) == PROFILES[profile].identity._replace(serial=77)[:8]


@pytest.mark.parametrize(
    ("line", "options", "refused"),
    [("strict = true", [], True), ("strict = false", ["--strict"], True), ("strict = false", [], False)],
)
def test_strict(tmp_path: Path, line: str, options: list[str], refused: bool) -> None:
    """Either of --strict and strict = true refuses an INT for a DINT tag."""
    file = tmp_path / "plant.toml"
    file.write_text(f"[controller]\n{line}\n[tags]\nWide = 'DINT'\n")
    with Server("--config", str(file), *options) as server, Client(server) as client:
        reply = client.cip(write(symbol("Wide"), 0xC3, 1, b"\1\0"))
        assert reply.hex() == ("cd00ff010721" if refused else "cd000000")


@pytest.mark.parametrize("line", ["large_forward_open = false", ""])
def test_large_forward_open(tmp_path: Path, line: str) -> None:
    """large_forward_open = false refuses Large Forward Open as an older controller does, and grants the small one."""
    file = tmp_path / "plant.toml"
    file.write_text(f"[controller]\n{line}\n")
    with Server("--config", str(file)) as server, Client(server) as client:
        assert client.cip(forward_open(4000))[2] == (8 if "false" in line else 0)
        assert client.cip(forward_open(500, 2, large=False))[2] == 0


# -- recording


def test_historize(sample: str, tmp_path: Path) -> None:
    """A recorded plant: structures are JSON objects; of a member or bit that is written, the element as it is then."""
    history = tmp_path / "some.hst"
    command = (sys.executable, "-u", "-m", "cpppo.server.enip.historize", str(history), "-a", "127.0.0.1:0")
    with Server("--config", sample, command=command) as server, Client(server) as client:
        assert client.cip(write(member("Drive", 2, "speed"), 0xCA, 1, struct.pack("<f", 1.5))).hex() == "cd000000"
        assert client.cip(write(member("Drive", 2, "fault"), 0xC1, 1, b"\xff")).hex() == "cd000000"
        assert client.cip(read(member("Drive", 2, "counts"), 4))[2] == 0
        whole = client.cip(read(symbol("Drive", 2)))[4:]
        data = struct.pack("<HH", *struct.unpack_from("<HH", whole)) + b"\1\0" + bytes(len(whole) - 4)
        assert client.cip(b"\x4d" + symbol("Drive", 7) + data).hex() == "cd000000"
    text = history.read_text()
    zero = {"running": False, "fault": False, "speed": 0.0, "counts": [0] * 4, "label": ""}
    spinning, stuck = zero | {"speed": 1.5}, zero | {"speed": 1.5, "fault": True}
    records = [one for one in map(parse_line, text.splitlines()) if one is not None]
    assert [(one.serial, one.data) for one in records] == [
        (["Drive", [2, 2]], {"write": [spinning]}),
        (["Drive", [2, 2]], {"write": [stuck]}),
        (["Drive", [2, 2]], {"read": [stuck]}),
        (["Drive", [2, 2]], {"read": [stuck]}),
        (["Drive", [7, 7]], {"write": [zero]}),
    ]
    assert len(re.findall("^#.*Started recording", text, re.M)) == 7
    assert json.dumps(stuck) in text
