"""Recording tags: what is written to the file of a historized simulator, and its command line."""

from __future__ import annotations

import itertools
import re
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cpppo.history import Record, Writer, parse_line
from cpppo.server.enip.client import connector, parse_operations
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.historize import Historized, historized
from cpppo.server.enip.wire.types import DINT, INT, REAL
from tests.server.enip.device.frames import (
    Simulator,
    modify,
    numbers,
    read,
    read_fragmented,
    symbol,
    write,
    write_fragmented,
)
from tests.tools import Server, run_module

MODULE = "cpppo.server.enip.historize"
WHEN = 1405461824.186
STAMP = "2014-07-15 22:03:44.186"


class Recording:
    """A simulator in memory whose tags are recorded in a file, by a clock that stands still."""

    def __init__(self, path: Path, kind: Callable[[Writer], type[Attribute]] = historized) -> None:
        self.path = path
        self.writer = Writer(path, clock=lambda: WHEN)
        tag, device = kind(self.writer), Device()
        device.add_tag(tag("Tag_Name", INT, default=[0] * 1000))
        device.add_tag(tag("S", REAL, default=1.5))
        self.device = device
        self.simulator = Simulator(device)
        self.started = len(self.lines())

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines()

    def cip(self, request: bytes) -> bytes:
        return self.simulator.cip(request)

    def recorded(self) -> list[str]:
        """The lines since the start."""
        return self.lines()[self.started :]


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    one = Recording(tmp_path / "some.hst")
    with one.writer:
        yield one


def failing(writer: Writer) -> type[Attribute]:
    """A recorded tag of which no element can be read, nor any but those from 2 on written."""

    class Failing(Attribute):
        def __getitem__(self, key: Any) -> Any:
            raise RuntimeError("no reading\nof this")

        def __setitem__(self, key: Any, value: Any) -> None:
            if key.start < 2:
                raise KeyError
            super().__setitem__(key, value)

    class Recorded(Historized, Failing):
        history = writer

    return Recorded


# -- what is recorded


def test_start(recording: Recording) -> None:
    """The file begins with a comment for each tag."""
    assert recording.lines() == [
        f"# {STAMP}: Started recording Tag: Tag_Name",
        f"# {STAMP}: Started recording Tag: S",
    ]


def test_reads_and_writes(recording: Recording) -> None:
    """Each read and write is a line of time, tag with first and last element, and values, parted by tabs."""
    assert recording.cip(write(symbol("tag_name"), 0xC3, 4, struct.pack("<4h", 0, 1, 2, 3)))[2] == 0
    assert recording.cip(read(symbol("S")))[4:] == struct.pack("<Hf", 0xCA, 1.5)
    assert recording.cip(read(symbol("Tag_Name", 2), 3))[6:] == struct.pack("<3h", 2, 3, 0)
    assert recording.recorded() == [
        f'{STAMP}\t["Tag_Name", [0, 3]]\t{{"write": [0, 1, 2, 3]}}',
        f'{STAMP}\t["S", [0, 0]]\t{{"read": [1.5]}}',
        f'{STAMP}\t["Tag_Name", [2, 4]]\t{{"read": [2, 3, 0]}}',
    ]


def test_fragments(recording: Recording) -> None:
    """Of fragmented services, each request records the elements that it carried."""
    recording.cip(read_fragmented(symbol("Tag_Name"), 1000))
    recording.cip(read_fragmented(symbol("Tag_Name"), 1000, 500))
    recording.cip(write_fragmented(symbol("Tag_Name"), 0xC3, 1000, 1998, struct.pack("<h", 7)))
    found = [parse_line(line) for line in recording.recorded()]
    assert found == [
        Record(STAMP, ["Tag_Name", [0, 249]], {"read": [0] * 250}),
        Record(STAMP, ["Tag_Name", [250, 499]], {"read": [0] * 250}),
        Record(STAMP, ["Tag_Name", [999, 999]], {"write": [7]}),
    ]


def test_other_services(recording: Recording) -> None:
    """Read-modify-write is a read and a write; Get Attribute Single is a read of all."""
    assert recording.cip(modify(symbol("Tag_Name", 5), 2, b"\x06\x00", b"\xff\xff"))[2] == 0
    assert recording.cip(b"\x0e" + numbers(2, 1, 2))[4:] == struct.pack("<f", 1.5)
    assert [parse_line(line) for line in recording.recorded()] == [
        Record(STAMP, ["Tag_Name", [5, 5]], {"read": [0]}),
        Record(STAMP, ["Tag_Name", [5, 5]], {"write": [6]}),
        Record(STAMP, ["S", [0, 0]], {"read": [1.5]}),
    ]


@pytest.mark.parametrize(
    "request_octets",
    [
        read(symbol("Tag_Name", 999), 2),
        read(symbol("Tag_Name"), 0),
        read(symbol("Nothing")),
        write(symbol("Tag_Name"), 0xCA, 1, bytes(4)),
        write(symbol("Tag_Name"), 0xC3, 2, bytes(2)),
    ],
    ids=["beyond", "none", "unknown", "type", "too few"],
)
def test_refused_before_the_tag(recording: Recording, request_octets: bytes) -> None:
    """Requests refused before they reach the tag are not recorded."""
    assert recording.cip(request_octets)[2] != 0
    assert recording.recorded() == []


def test_exceptions(tmp_path: Path) -> None:
    """What a tag's own methods raise is recorded, and the client gets its status as if it were not."""
    recording = Recording(tmp_path / "some.hst", failing)
    assert recording.cip(read(symbol("S"))) == bytes.fromhex("cc000200")
    assert recording.cip(write(symbol("Tag_Name"), 0xC3, 2, bytes(4))) == bytes.fromhex("cd000200")
    assert recording.cip(write(symbol("Tag_Name", 2), 0xC3, 1, b"\x09\x00")) == bytes.fromhex("cd000000")
    recording.writer.close()
    assert recording.recorded() == [
        f"# {STAMP}: PLC I/O Read  Tag                    S[    0-0    ] Exception: no reading\\nof this",
        f"# {STAMP}: PLC I/O Write Tag             Tag_Name[    0-1    ] Exception: KeyError",
        f'{STAMP}\t["Tag_Name", [2, 2]]\t{{"write": [9]}}',
    ]


def test_python_access(recording: Recording) -> None:
    """Access by Python is recorded alike: indices, open slices and those beyond the end."""
    tag = recording.device["Tag_Name"]
    tag[1] = 5
    assert (tag[1], tag[998:]) == (5, [0, 0])
    tag[0:2] = iter([7, 8])
    with pytest.raises(KeyError):
        tag[999:1001]
    with pytest.raises(TypeError):
        tag["1"]
    assert recording.recorded() == [
        f'{STAMP}\t["Tag_Name", [1, 1]]\t{{"write": [5]}}',
        f'{STAMP}\t["Tag_Name", [1, 1]]\t{{"read": [5]}}',
        f'{STAMP}\t["Tag_Name", [998, 999]]\t{{"read": [0, 0]}}',
        f'{STAMP}\t["Tag_Name", [0, 1]]\t{{"write": [7, 8]}}',
        f"# {STAMP}: PLC I/O Read  Tag             Tag_Name[  999-1000 ] Exception: "
        + repr("Attempt to access item at key slice(999, 1001, None) beyond Attribute length 1000"),
    ]


def test_threads(tmp_path: Path) -> None:
    """Lines of a tag stand in the order in which it was accessed; no bit set at the same time is lost."""
    with Writer(tmp_path / "some.hst", clock=itertools.count(1).__next__) as writer:
        tag = historized(writer)("Bits", DINT, default=[0])
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)

        def work(number: int) -> None:
            for _ in range(20):
                tag.modify_octets(0, struct.pack("<i", 1 << number), b"\xff\xff\xff\xff")
                tag.modify_octets(0, bytes(4), struct.pack("<i", ~(1 << number)))

        try:
            threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
    found = [parse_line(line) for line in (tmp_path / "some.hst").read_text().splitlines()]
    current, count = [0], 0
    for one in found:
        if one is not None:
            ((what, values),) = one.data.items()
            assert what == "write" or values == current
            current, count = values, count + 1
    assert (current, count) == ([0], 8 * 20 * 2 * 2)


def test_full_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With a full disk clients are answered as ever, and there is one line in the log."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Writer("/dev/full") as writer:
        device = Device()
        device.add_tag(historized(writer)("S", REAL, default=1.5))
        simulator = Simulator(device)
        for _ in range(5):
            assert simulator.cip(read(symbol("S")))[4:] == struct.pack("<Hf", 0xCA, 1.5)
    assert len([one for one in caplog.records if "cannot be written" in one.getMessage()]) == 1
    assert len(caplog.records) == 1


# -- the command


def server(path: Path, *arguments: str) -> Server:
    return Server(*arguments, command=(sys.executable, "-u", "-m", MODULE, str(path), "-a", "127.0.0.1:0"))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_command(tmp_path: Path, signum: signal.Signals) -> None:
    """The command of the specification: the file first, then as enip_server; lines are there at once."""
    path = tmp_path / "made" / "some_file.hst"
    with server(path, "Tag_Name=INT[1000]", "S=REAL", "--print") as up:
        connection = connector(*up.address, timeout=10.0)
        failures, _ = connection.process(parse_operations(["Tag_Name[0-3]=[0,1,2,3]", "S"]))
        connection.close()
        assert failures == 0
        lines = path.read_text().splitlines()
        assert up.stop(signum) == 0
        assert path.read_text().splitlines() == lines
        assert any("Tag_Name[    0-3    ] <= [0, 1, 2, 3]" in one for one in up.lines)
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"
    expected = [
        rf"# {stamp}: Started recording Tag: Tag_Name",
        rf"# {stamp}: Started recording Tag: S",
        rf'{stamp}\t\["Tag_Name", \[0, 3\]\]\t{{"write": \[0, 1, 2, 3\]}}',
        rf'{stamp}\t\["S", \[0, 0\]\]\t{{"read": \[0\.0\]}}',
    ]
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_command_with_a_full_disk() -> None:
    """Started with a full disk, it serves all the same, after one warning."""
    with server(Path("/dev/full"), "S=REAL") as up:
        connection = connector(*up.address, timeout=10.0)
        failures, values = connection.process(parse_operations(["S=(REAL)2.5", "S"]))
        connection.close()
        assert (failures, values[1]) == (0, [2.5])
        up.stop()
        assert len([one for one in up.lines if "cannot be written" in one]) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "FILE"),
        (["some.hst"], "no tags after FILE 'some.hst'"),
        (["-v", "some.hst", "S"], "FILE comes first"),
        (["", "S"], "FILE comes first"),
        (["some.hst", "S=FLOAT"], "FLOAT"),
        (["some.hst", "--nothing", "S"], "--nothing"),
    ],
    ids=["nothing", "no tags", "option first", "empty", "no type", "no option"],
)
def test_wrong_usage(arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong usage, ours or the server's: what, and what instead; exit status 2."""
    monkeypatch.chdir(tmp_path)
    done = run_module(MODULE, *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr[-500:]
    assert says in done.stderr and "Traceback" not in done.stderr


def test_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """A FILE that cannot be opened: one line that names it, exit status 1, and nothing is served."""
    done = run_module(MODULE, str(tmp_path), "-a", "127.0.0.1:0", "S=REAL")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("historize: cannot record to ") and str(tmp_path) in line


def test_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--help tells of recording; after FILE it tells of the server, and makes no file."""
    done = run_module(MODULE, "--help")
    assert (done.returncode, done.stderr) == (0, "") and "plant.hst" in done.stdout and "FILE" in done.stdout
    monkeypatch.chdir(tmp_path)
    done = run_module(MODULE, "some.hst", "--help")
    assert (done.returncode, done.stderr) == (0, "") and "--address" in done.stdout
    assert not (tmp_path / "some.hst").exists()
