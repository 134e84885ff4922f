"""Reading sets of files: in order, from any time, while they are written, and what is no record."""

from __future__ import annotations

import gzip
import itertools
import lzma
import os
import random
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpppo.errors import UsageError
from cpppo.history import DataError, HistoryExhausted, Rotation, Stream, Writer, opener, source
from cpppo.history.moments import render
from cpppo.history.stream import warning
from tests.history.test_files import COMPRESSIONS
from tests.tools import examples

WHEN = 1405461824.0


def line(number: int, step: float = 1.0) -> str:
    return f"{render(WHEN + number * step)}\tnull\t{number}\n"


def lines(count: int, begin: int = 0) -> bytes:
    return "".join(line(number) for number in range(begin, begin + count)).encode()


def data(stream: Stream, *arguments: Any, **keywords: Any) -> list[Any]:
    return [one.data for one in stream.entries(*arguments, **keywords) if one is not None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A set of five files of ten records, two of them compressed."""
    made = tmp_path / "x.hst"
    made.write_bytes(lines(10, 40))
    (tmp_path / "x.hst.0").write_bytes(lines(10, 30))
    with gzip.open(tmp_path / "x.hst.1.gz", "wb") as file:
        file.write(lines(10, 20))
    (tmp_path / "x.hst.2").write_bytes(b"# no record at all\n\n")
    with lzma.open(tmp_path / "x.hst.3.xz", "wb") as file:
        file.write(lines(10, 10))
    (tmp_path / "x.hst.4").write_bytes(lines(10))
    return made


def test_whole_set(path: Path) -> None:
    """All files of a set, the oldest first; each entry tells its time, file and line."""
    entries = [one for one in Stream(path).entries() if one]
    assert [one.data for one in entries] == list(range(50))
    assert [one.when for one in entries] == [WHEN + one for one in range(50)]
    assert (entries[25].member.ext, entries[25].line, entries[25].serial) == (".1.gz", 6, None)


@pytest.mark.parametrize("start", [-5, 0, 0.5, 9, 9.5, 10, 19.5, 20, 29, 30, 35.5, 40, 49, 49.5, 60])
def test_from_a_time_on(start: float, path: Path) -> None:
    """From any time on, which may lie between files, in one that is compressed, before the first or behind the last."""
    first = max(0, -int(-start // 1))
    assert data(Stream(path), WHEN + start) == list(range(first, 50))
    assert data(Stream(path), WHEN + start, before=True) == list(range(max(0, min(first, 50) - 1), 50))


@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    repeats=st.integers(1, 4),
    start=st.integers(-2, 130),
    near=st.integers(1, 300),
    seed=st.integers(0, 99),
)
@settings(max_examples=examples(150), deadline=None)
def test_bisection_finds_what_reading_finds(
    sizes: list[int], repeats: int, start: int, near: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However the records lie in files, and many have the same time, those from a time on are all found."""
    directory, chance = tmp_path_factory.mktemp("set"), random.Random(seed)
    times: list[int] = []
    for number, size in enumerate(sizes):
        text = ""
        for _ in range(size):
            times.append(len(times) // repeats)
            filler = "x" * chance.randrange(100)
            text += (
                chance.choice(["", "\n", f"# {filler}\n"]) + f'{render(WHEN + times[-1])}\t"{filler}"\t{len(times)}\n'
            )
        left = len(sizes) - 2 - number
        (directory / (f"x.{left}" if left >= 0 else "x")).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "NEAR", near)
        found = data(Stream(directory / "x"), WHEN + start)
    assert found == [number for number, when in enumerate(times, 1) if when >= start]


def test_one_file_of_a_set(path: Path) -> None:
    """A file by its own name is read alone, compressed or not, from any time on."""
    assert data(Stream(f"{path}.1.gz")) == list(range(20, 30))
    assert data(Stream(f"{path}.1.gz"), WHEN + 25) == list(range(25, 30))
    assert data(Stream(f"{path}.4"), WHEN + 5) == list(range(5, 10))
    assert Stream(f"{path}.1.gz").last_time() is None and Stream(path).last_time() == WHEN + 49


def test_seeking_reads_little(tmp_path: Path) -> None:
    """A time in a large set is found without reading more than a few pieces of a few files."""
    octets = 0

    class Counted:
        def __init__(self, file: BinaryIO) -> None:
            self._file = file

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

        def __enter__(self) -> BinaryIO:
            return self._file

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def readline(self, most: int) -> bytes:
            nonlocal octets
            found = self._file.readline(most)
            octets += len(found)
            return found

    count = 20_000
    for number in range(8):
        with open(tmp_path / ("x" if number == 7 else f"x.{6 - number}"), "wb") as file:
            file.write(lines(count, number * count))
    size = (tmp_path / "x").stat().st_size
    stream = Stream(tmp_path / "x", opener=lambda *how: Counted(opener(*how)))  # type: ignore[arg-type,return-value]
    for wanted in (5, count * 3 - 1, count * 3, count * 5 + 777):
        octets = 0
        found = next(iter(stream.entries(WHEN + wanted)))
        assert found is not None and found.data == wanted
        assert octets < 2 * source.NEAR < size / 5


@pytest.mark.long
def test_memory_does_not_grow(tmp_path: Path) -> None:
    """One line at a time is in memory, not a file."""
    with gzip.open(tmp_path / "x.0.gz", "wb") as file:
        file.write(lines(30_000))
    (tmp_path / "x").write_bytes(lines(30_000, 30_000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in Stream(tmp_path / "x").entries()) == 60_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_no_file(tmp_path: Path) -> None:
    """A set of no file says so, with the path; so does a directory that is not there."""
    for missing in (tmp_path / "x.hst", tmp_path / "no" / "where.hst"):
        with pytest.raises(HistoryExhausted, match=str(missing)):
            list(Stream(missing).entries())


@pytest.mark.skipif(os.name != "posix", reason="rights are those of POSIX")
def test_no_rights(path: Path) -> None:
    """A file that may not be read is the OSError that the system gives."""
    path.chmod(0)
    root = os.geteuid() == 0  # who may read anything: be somebody else meanwhile
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError):
            list(Stream(path).entries())
    finally:
        if root:
            os.seteuid(0)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """A directory by that name cannot be read."""
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError, match="directory"):
        list(Stream(tmp_path / "x").entries())


# -- what is no record


def problems(where: Path, **options: Any) -> tuple[list[Any], list[str]]:
    told: list[str] = []
    stream = Stream(where, problem=lambda exc: told.append(str(exc)), **options)
    return data(stream), told


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"some text\n", "no record of time TAB serial TAB data: 'some text'"),
        (b"2014-07-15 22:03:44.186\tnull\t{1}\n", "the data of a record is not JSON"),
        (b"2014-07-15 22:03:44.186\tTag\t1\n", "the serial of a record is not JSON"),
        (b"2014-02-30 22:03:44.186\tnull\t1\n", "'2014-02-30 22:03:44.186' is no moment"),
        (b"2014-07-15 22:03:44.186 XYZ\tnull\t1\n", "'XYZ' is no zone"),
        (b"2014-07-15 22:03:44.186\tnull\t12\t# torn\n", "torn by a crash or a full disk"),
        (b'2014-07-15 22:03:44.186\tnull\t"\xe4"\n', "octet 30 of it is not ascii"),
        (b"\x00\x01\xff\n", "is not ascii"),
    ],
    ids=range(8),
)
def test_malformed_lines(bad: bytes, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A line that is no record is told with file, line and reason; it is raised, or passed over."""
    path = tmp_path / "x.hst"
    path.write_bytes(lines(2) + bad + lines(2, 2))
    found, (told,) = problems(path)
    assert found == [0, 1, 2, 3] and told.startswith(f"{path}, line 3: ") and why in told
    entries = Stream(path).entries()
    assert [next(entries), next(entries)]
    with pytest.raises(DataError) as caught:
        next(entries)
    assert (caught.value.path, caught.value.line) == (path, 3) and why in caught.value.why
    assert data(Stream(path, problem=warning)) == [0, 1, 2, 3] and told in caplog.text


def test_lines_are_counted_after_seeking(tmp_path: Path) -> None:
    """After bisection, too, a bad line is told by its number in the file."""
    path = tmp_path / "x.hst"
    path.write_bytes(lines(5000) + b"bad\n" + lines(5, 5000))
    told: list[DataError] = []
    assert data(Stream(path, problem=told.append), WHEN + 4995) == list(range(4995, 5005))
    assert [one.line for one in told] == [5001]


@pytest.mark.parametrize("cut", [1, 5, 20, 26])
def test_torn(cut: int, tmp_path: Path) -> None:
    """A last line without an end is told and is no record, even if it would be one; all before it is read."""
    path = tmp_path / "x.hst"
    path.write_bytes((lines(3) + line(1234).encode())[:-cut])
    found, (told,) = problems(path)
    assert found == [0, 1, 2] and f"{path}, line 4: torn: it has no end: '" in told.replace('b"', "'").replace(
        "b'", "'"
    )
    with pytest.raises(DataError, match="torn"):
        data(Stream(path))


def test_leaving_early_tells_nothing(tmp_path: Path) -> None:
    """Who stops reading is not told what would have come."""
    path = tmp_path / "x.hst"
    path.write_bytes(lines(3) + b"torn")
    entries = Stream(path).entries()
    assert next(entries)
    entries.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("end", COMPRESSIONS)
@pytest.mark.parametrize("how", ["cut", "damaged", "empty", "text"])
def test_compressed_files_that_are_damaged(end: str, how: str, tmp_path: Path) -> None:
    """What can be had of a compressed file that is cut short or damaged is read; it is told, and the next file read."""
    path, chance = tmp_path / "x.hst", random.Random(5)
    old = tmp_path / f"x.hst.0{end}"
    with opener(old, "wb") as file:
        for number in range(20_000):
            file.write(f'{render(WHEN + number)}\t"{chance.random()}"\t{number}\n'.encode())
    octets = old.read_bytes()
    broken = {
        "cut": octets[: len(octets) // 2],
        "damaged": octets[: len(octets) // 2] + bytes(64) + octets[len(octets) // 2 + 64 :],
        "empty": octets[:3],
        "text": lines(3),
    }
    old.write_bytes(broken[how])
    path.write_bytes(lines(3, 20_000))
    found, told = problems(path)
    assert found[-3:] == [20_000, 20_001, 20_002]
    assert told and f"{old}, line " in told[-1] and "damaged, and not read any further" in told[-1]
    if how != "damaged":  # of which gzip knows only at the end
        assert found[:-3] == list(range(len(found) - 3)) and f"line {len(found) - 2}: " in told[-1]
    if how in ("cut", "damaged") and end != ".bz2":
        assert found[:5000] == list(range(5000))


def test_lines_that_are_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without end is no reason to run out of memory: it is passed over, and told."""
    monkeypatch.setattr(source, "LONGEST", 100)
    path = tmp_path / "x.hst"
    path.write_bytes(lines(2) + b"x" * 1050 + b"\n" + lines(2, 2))
    found, (told,) = problems(path)
    assert found == [0, 1, 2, 3] and told == f"{path}, line 3: longer than 100 octets"
    path.write_bytes(lines(2) + b"x" * 99)
    assert problems(path)[0] == [0, 1]


def test_encodings(tmp_path: Path) -> None:
    """Files in another encoding are read by naming it; one without ASCII's line ends, or unknown, is refused."""
    path = tmp_path / "x.hst"
    path.write_bytes(f'{render(WHEN)}\tnull\t"\u00e9"\n'.encode("latin-1"))
    assert data(Stream(path, encoding="latin-1")) == ["\u00e9"]
    assert "octet 30 of it is not utf-8" in problems(path, encoding="utf-8")[1][0]
    for wrong in ("utf-16", "klingon"):
        with pytest.raises(UsageError, match=f"'{wrong}' is no encoding of histories"):
            Stream(path, encoding=wrong)


def test_time_goes_backwards(tmp_path: Path) -> None:
    """Records stay in the order in which they were written, with the times that they were given."""
    path = tmp_path / "x.hst"
    path.write_bytes(lines(3, 10) + lines(3) + lines(3, 20))
    assert data(Stream(path)) == [10, 11, 12, 0, 1, 2, 20, 21, 22]


# -- while it is written


def test_following(tmp_path: Path) -> None:
    """At the end there is None, and then what was written since; half a line waits for its other half."""
    path = tmp_path / "x.hst"
    path.write_bytes(lines(1))
    entries = Stream(path).entries(follow=True)

    def more() -> list[Any]:
        return [one.data for one in itertools.takewhile(lambda one: one is not None, entries) if one]

    assert more() == [0] and more() == []
    with open(path, "ab", buffering=0) as file:
        file.write(lines(2, 1) + line(3)[:10].encode())
        assert more() == [1, 2]
        file.write(line(3)[10:].encode())
        assert more() == [3] and more() == []
        path.rename(tmp_path / "x.hst.0")
        file.write(lines(1, 4))
        assert more() == [4] and more() == []
    path.write_bytes(lines(1, 5))
    assert more() == [5]
    path.unlink()
    path.write_bytes(lines(1, 6))
    (tmp_path / "x.hst.0").unlink()
    assert more() == [6]


def followed(path: Path, last: int) -> Iterator[int]:
    for one in Stream(path).entries(follow=True):
        if one is not None:
            yield one.data
            if one.data == last:
                return


@pytest.mark.parametrize("compress", ["", ".gz"])
def test_followers_of_a_file_that_is_rotated(compress: str, tmp_path: Path) -> None:
    """Readers follow a file being written, rotated and compressed, and see all of it, once, in order."""
    path, count = tmp_path / "x.hst", 3000
    seen: list[list[int]] = []
    with Writer(path, clock=lambda: WHEN, rotation=Rotation(octets=2000, compress=compress)) as writer:
        writer.write(0, now=WHEN)
        threads = [threading.Thread(target=lambda: seen.append(list(followed(path, count - 1)))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(1, count):
            writer.write(number, now=WHEN + number)
        for thread in threads:
            thread.join(60)
    assert seen == [list(range(count))] * 3


def test_a_set_that_is_rotated_while_it_is_read(path: Path) -> None:
    """Whoever reads a set sees each file once, also if all get other numbers meanwhile."""
    entries = Stream(path).entries()
    found = [one.data for one in itertools.islice(entries, 15) if one]
    for number in range(4, -1, -1):
        for name in (f"x.hst.{number}", f"x.hst.{number}.gz", f"x.hst.{number}.xz"):
            if path.with_name(name).exists():
                path.with_name(name).rename(path.with_name(name.replace(f".{number}", f".{number + 1}")))
    path.rename(path.with_name("x.hst.0"))
    path.write_bytes(lines(5, 50))
    found += [one.data for one in entries if one]
    assert found == list(range(55))
