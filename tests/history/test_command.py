"""``python -m cpppo.history``: what each command prints, and what it says to all that is wrong."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest

from cpppo.history import Rotation, Writer
from cpppo.history.__main__ import main
from cpppo.history.progress import AFTER_S, Bar
from cpppo.server.enip import simulator
from tests.tools import need_module, run_module

WHEN = 1405461824.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A recording of a tag with two elements, in several files."""
    made = tmp_path / "x.hst"
    with Writer(made, rotation=Rotation(octets=500)) as writer:
        for number in range(20):
            data = {"write" if number % 2 else "read": [number, number * 0.5]}
            writer.write(data, WHEN + number * 0.001, ["Level", [0, 1]])
    return made


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(one) for one in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_cat(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All records, as they were recorded; or those of a time, in any zone."""
    status, out, err = run(capsys, "cat", path)
    assert (status, err) == (0, "") and len(out.splitlines()) == 20
    assert out.splitlines()[19] == '2014-07-15 22:03:44.019\t["Level", [0, 1]]\t{"write": [19, 9.5]}'
    _, out, _ = run(
        capsys, "cat", path, "--since", "2014-07-15 16:03:44.018", "--until", "2014-07-15 16:03:44.019 MDT",
        "--zone", "America/Edmonton",
    )  # fmt: skip
    assert out == '2014-07-15 16:03:44.018 MDT\t["Level", [0, 1]]\t{"read": [18, 9.0]}\n'
    _, out, _ = run(capsys, "cat", path, "--zone", "local", "--since", "2014-07-15 22:03:44.019")
    assert out.startswith("2014-07-15 22:03:44.019\t")


def test_what_is_wrong(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines that are no records are told, all others printed; --strict ends there; the status is 1."""
    with open(path, "a", encoding="latin-1") as file:
        file.write("bad\n2014-07-15 22:03:45.000\tnull\t1\n2014-07-15 22:03:46.000\tnull\t1\u00e4")
    status, out, err = run(capsys, "cat", path)
    number = len(path.read_bytes().splitlines()) - 2
    assert status == 1 and len(out.splitlines()) == 21
    assert f"history: {path}, line {number}: no record of time TAB serial TAB data: 'bad'\n" in err
    assert f"history: {path}, line {number + 2}: torn" in err
    status, out, err = run(capsys, "cat", "--strict", path)
    assert status == 1 and len(out.splitlines()) == 20 and err.count("history: ") == 1
    assert "wrong   2 lines, 0 steps back in time" in run(capsys, "info", path)[1]


def test_follow(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Followed, what is written later is printed, until a time or for ever."""

    class Waiting:
        def wait(self, seconds: float) -> None:
            with Writer(path, rotation=Rotation(octets=1)) as writer:
                writer.write("later", WHEN + 50)
                writer.write("end", WHEN + 100)

    monkeypatch.setattr("cpppo.history.__main__.Event", Waiting)
    status, out, _ = run(capsys, "cat", "-f", path, "--until", "2014-07-15 22:05:24")
    assert status == 0 and out.splitlines()[20:] == ['2014-07-15 22:04:34.000\tnull\t"later"']


def test_info(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The files, how many records of when, the series, and what is wrong."""
    status, out, _ = run(capsys, "info", path)
    files, records, time, series, wrong = out.splitlines()
    assert status == 0 and files.startswith("files   3, ") and files.endswith("x.hst.1.gz, x.hst.0.gz, x.hst")
    assert records == "records 20, 1000.000 a second"
    assert time == "time    2014-07-15 22:03:44.000 to 2014-07-15 22:03:44.019, 0.019 s"
    assert series == "series  2: Level[0], Level[1]" and wrong == "wrong   0 lines, 0 steps back in time"
    with Writer(path) as writer:
        writer.write({"40001": 1}, WHEN - 5)
    out = run(capsys, "info", path)[1]
    assert "2014-07-15 22:03:39.000 to" in out and "40001, Level[0]" in out and "1 steps back" in out


def test_convert(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CSV has a row a value, JSON lines an object a record; a file that is there is written over by --force only."""
    with Writer(path) as writer:
        writer.write([True, "a, b", None, float("nan")], WHEN + 1, "S")
        writer.write({"x": 1}, WHEN + 2, "S")
        writer.write(5, WHEN + 3)
    rows, objects = tmp_path / "x.csv", tmp_path / "x.jsonl"
    assert run(capsys, "convert", path, rows) == (0, "", "")
    found = list(csv.reader(io.StringIO(rows.read_text())))
    assert found[:2] == [["time", "series", "value"], ["2014-07-15 22:03:44.000", "Level[0]", "0"]]
    assert [row[1:] for row in found[-6:]] == [
        ["S[0]", "true"], ["S[1]", "a, b"], ["S[2]", "null"], ["S[3]", "nan"], ["S.x", "1"], ["value", "5"]
    ]  # fmt: skip
    assert run(capsys, "convert", path, objects)[0] == 0
    lines = [json.loads(line) for line in objects.read_text().splitlines()]
    assert lines[1] == {"time": "2014-07-15 22:03:44.001", "serial": ["Level", [0, 1]], "data": {"write": [1, 0.5]}}
    assert lines[-3]["data"] == [True, "a, b", None, "nan"]
    status, _, err = run(capsys, "convert", path, rows)
    assert status == 2 and "is there; --force writes over it" in err
    assert run(capsys, "convert", "--force", path, rows)[0] == 0
    status, _, err = run(capsys, "convert", path, tmp_path / "x.doc")
    assert status == 2 and "one of .csv, .jsonl, .parquet" in err
    path.write_bytes(b"bad\n")
    assert run(capsys, "convert", "--strict", "--force", path, rows)[0] == 1
    assert list(csv.reader(io.StringIO(rows.read_text()))) == found and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("name", ["pyarrow", "matplotlib"])
def test_packages_that_are_missing(
    name: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its package a form is refused, with how to get it, and no half of a file is left."""
    monkeypatch.setitem(sys.modules, name, None)
    command = (
        ["convert", path, tmp_path / "x.parquet"] if name == "pyarrow" else ["plot", path, "-o", tmp_path / "x.png"]
    )
    status, _, err = run(capsys, *command)
    assert status == 2 and f"pip install {name}" in err
    assert not [one for one in tmp_path.iterdir() if one.suffix in (".parquet", ".png", ".part")]


def test_parquet(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Parquet has columns of their types."""
    need_module("pyarrow")
    import pyarrow.parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]

    with Writer(path) as writer:
        writer.write("text", WHEN + 1, "S")
    assert run(capsys, "convert", path, tmp_path / "x.parquet")[0] == 0
    rows = pyarrow.parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert len(rows) == 41 and (rows[3]["series"], rows[3]["value"]) == ("Level[1]", 0.5)
    assert rows[3]["time"].timestamp() == pytest.approx(WHEN + 0.001)
    assert (rows[-1]["series"], rows[-1]["value"], rows[-1]["text"]) == ("S", None, "text")


def test_plot(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal each series is a line of blocks with its range; a series that is not there is told."""
    monkeypatch.setenv("COLUMNS", "40")
    status, out, _ = run(capsys, "plot", path)
    first, second = out.splitlines()
    assert status == 0 and first.startswith("Level[0]  ") and first.endswith("  0 to 19")
    blocks = [character for character in first[10:-9] if character != " "]
    assert blocks == sorted(blocks) and len(set(blocks)) > 4 and second.endswith("  0 to 9.5")
    assert run(capsys, "plot", path, "Level[1]")[1].splitlines() == [second]
    status, _, err = run(capsys, "plot", path, "Nothing")
    assert status == 2 and "no numbers of 'Nothing'" in err
    assert run(capsys, "plot", path, "-o", tmp_path / "x.doc")[0] == 2


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("end", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_pictures(end: str, begins: bytes, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture is what its name says."""
    need_module("matplotlib")
    assert run(capsys, "plot", path, "--out", tmp_path / f"x{end}", "--zone", "America/Edmonton")[0] == 0
    assert (tmp_path / f"x{end}").read_bytes().startswith(begins)


def test_play(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Records are printed at their pace, with the times of now or their own."""
    status, out, _ = run(capsys, "play", "--factor", 10, path)
    assert status == 0 and [line.split("\t")[2] for line in out.splitlines()] == [
        line.split("\t")[2] for line in run(capsys, "cat", path)[1].splitlines()
    ]
    assert not out.startswith("2014")
    assert run(capsys, "play", "--factor", "inf", "--as-recorded", path)[1] == run(capsys, "cat", path)[1]
    assert run(capsys, "play", "--factor", "inf", "--loop", path)[0] == 2


def test_play_to_a_controller(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Values are written to the tags of a controller; those it does not have are told once."""
    with Writer(path) as writer:
        writer.write({"write": [7]}, WHEN + 0.03, ["Scalar", [0, 0]])
        for number in range(2):
            writer.write({"write": [7]}, WHEN + 0.04 + number, ["Other", [0, 0]])
        writer.write("a note", WHEN + 1.05)
    with simulator("Level=REAL[4]", "Scalar=DINT") as plc:
        status, out, err = run(capsys, "play", "--factor", "1000", "--to", "{}:{}".format(*plc.address), path)
        assert plc["Level"][:] == [19.0, 9.5, 0.0, 0.0] and plc["Scalar"].value == 7
        where = "{}:{}".format(*plc.address)
    assert (status, out) == (1, "") and err.count("Other cannot be written") == 1
    assert "1 records are not of tags" in err
    status, _, err = run(capsys, "play", "--timeout", "0.5", "--to", where, path)
    assert status == 1 and "cannot connect" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["cat", "x", "--zone", "Nowhere"], "no time zone"),
        (["cat", "x", "--since", "yesterday"], "'yesterday' is no moment"),
        (["cat", "x", "--encoding", "utf-16"], "no encoding of histories"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be understood is told, with status 2."""
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "") and says in err


def test_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording that is not there, or cannot be read, is told with its path, whatever the command."""
    for command in (["cat"], ["info"], ["plot"], ["play"]):
        status, _, err = run(capsys, *command, tmp_path / "none.hst")
        assert (
            status == 1
            and err
            == f"history: {tmp_path / 'none.hst'}: there is no such file, nor none.hst.0 or the like beside it\n"
        )
    assert run(capsys, "convert", tmp_path / "none.hst", tmp_path / "x.csv")[0] == 1
    (tmp_path / "dir").mkdir()
    status, _, err = run(capsys, "cat", tmp_path / "dir")
    assert status == 1 and str(tmp_path / "dir") in err and "directory" in err


def test_as_a_program(path: Path) -> None:
    """It runs as a module, says what it can do, and ends quietly if nobody reads on."""
    assert run_module("cpppo.history", "cat", str(path)).stdout.count("\n") == 20
    told = run_module("cpppo.history", "--help")
    assert told.returncode == 0 and "cat" in told.stdout and "exit status" in told.stdout
    assert run_module("cpppo.history", "play", "--factor", "0", str(path)).returncode == 2
    assert run_module("cpppo.history").returncode == 2


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar() -> None:
    """Work that is long has a bar on a terminal, which is taken away; elsewhere there is never one."""
    now = [0.0]
    for stream, expected in ((Terminal(), True), (io.StringIO(), False)):
        now[0] = 0.0
        bar = Bar(stream, lambda: now[0])
        with bar.over(0.0, 1000.0):
            bar.at(1.0)
            assert stream.getvalue() == ""
            now[0] = AFTER_S
            for when in range(2, 500):
                bar.at(float(when))
            assert ("%, " in stream.getvalue()) == expected
        assert stream.getvalue().endswith("\r") == expected
    unknown = Terminal()
    bar = Bar(unknown, lambda: now[0])
    with bar.over(None, None):
        now[0] += AFTER_S
        bar.at(5.0)
    assert "1 records" in unknown.getvalue()
