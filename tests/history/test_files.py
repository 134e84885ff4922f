"""The files of a set: opened by their ends, found in their order."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import pytest

from cpppo.errors import UsageError
from cpppo.history import opener
from cpppo.history.files import ENDS, members


def usable(end: str) -> bool:
    """Whether files with an end can be made here: for Zstandard there may be no library."""
    if end != ".zst":
        return True
    try:
        opener("/nowhere/x.zst")
    except FileNotFoundError:
        return True
    except UsageError:
        return False
    return True


COMPRESSIONS = [end for end in ENDS if usable(end)]


@pytest.mark.parametrize("end", ["", *COMPRESSIONS])
def test_opener(end: str, tmp_path: Path) -> None:
    """What is written is read back, whole and by lines, and can be appended to; compressed by the end of its name."""
    path = tmp_path / f"some.hst{end}"
    with opener(path, "wb") as file:
        file.write(b"one\ntwo\n")
    with opener(path, "ab") as file:
        file.write(b"three\n")
    with opener(path) as file:
        assert list(file) == [b"one\n", b"two\n", b"three\n"]
    assert (path.read_bytes() == b"one\ntwo\nthree\n") == (end == "")


@pytest.mark.parametrize("mode", ["rw", "r+", "r", "w", ""])
def test_modes(mode: str, tmp_path: Path) -> None:
    """A file is read or written; other modes are refused, and create nothing."""
    with pytest.raises(UsageError, match="either read or written"):
        opener(tmp_path / "x", mode)
    assert not (tmp_path / "x").exists()


def test_missing(tmp_path: Path) -> None:
    """A file that is not there is an OSError, compressed or not."""
    for end in ("", *COMPRESSIONS):
        with pytest.raises(FileNotFoundError):
            opener(tmp_path / f"x{end}")


def test_without_a_library_for_zstandard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zstandard without a library is refused with what to install; the interpreter's own module comes first."""
    for name in ("compression.zstd", "backports.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match="x.zst is compressed by Zstandard.*pip install backports.zstd"):
        opener("x.zst")
    module = ModuleType("zstandard")
    module.open, module.ZstdError = open, RuntimeError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "zstandard", module)
    with pytest.raises(FileNotFoundError):
        opener("/nowhere/x.zst")


def test_zstandard_by_any_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the library, what it gives is read by lines, its own error is an OSError, and it is closed."""
    (tmp_path / "x.zst").write_bytes(b"one\ntwo\n")
    opened: list[BinaryIO] = []

    class Strange(Exception):
        pass

    class Damaged(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise Strange("frame")

    module = ModuleType("zstandard")
    module.open = lambda path, mode: opened.append(open(path, mode)) or opened[-1]  # type: ignore[attr-defined]
    module.ZstdError = Strange  # type: ignore[attr-defined]
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "zstandard", module)
    with opener(tmp_path / "x.zst") as file:
        assert list(file) == [b"one\n", b"two\n"] and file.fileno() == opened[0].fileno()
    assert opened[0].closed
    module.open = lambda path, mode: Damaged()  # type: ignore[attr-defined]
    with opener(tmp_path / "x.zst") as file, pytest.raises(OSError, match="damaged: frame"):
        file.readline()


def test_members(tmp_path: Path) -> None:
    """A set is the file and those with numbers, newest first; of one number a plain file before a compressed one."""
    names = ["a.hst", "a.hst.0", "a.hst.0.gz", "a.hst.1.xz", "a.hst.2.bz2", "a.hst.10.zst", "a.hst.9"]
    others = ["a.hst.x", "a.hst.01", "a.hst.1.gz.part", "a.hst.part.gz", "ab.hst", "a.hst.1.gz.gz", "xa.hst"]
    for name in [*names, *others]:
        (tmp_path / name).touch()
    found = members(tmp_path / "a.hst")
    assert [one.path.name for one in found] == [
        "a.hst", "a.hst.0", "a.hst.1.xz", "a.hst.2.bz2", "a.hst.9", "a.hst.10.zst"
    ]  # fmt: skip
    assert [one.ext for one in found] == ["", ".0", ".1.xz", ".2.bz2", ".9", ".10.zst"]
    (tmp_path / "a.hst").unlink()
    assert members(tmp_path / "a.hst")[0].ext == ".0"
    assert members(tmp_path / "none") == members(tmp_path / "no" / "where") == []
    assert [one.ext for one in members(tmp_path / "a.hst.1.xz")] == [""]


def test_names_without_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare name is one of the current directory."""
    monkeypatch.chdir(tmp_path)
    Path("x.hst").touch()
    assert [one.ext for one in members("x.hst")] == [""]
