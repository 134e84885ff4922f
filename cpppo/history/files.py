"""The files of a history: one by its name, and the set of those that it was rotated into.

Owns: opening files, compressed or not, by their ends; and which files belong to a set, in which order.
Rule: an end says what is inside.  A set is ``name``, then ``name.0``, ``name.1.gz`` and so on, the newest first.
Must not know lines or times.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from cpppo.errors import UsageError

__all__ = ["DAMAGES", "ENDS", "Member", "files_of", "members", "opener", "plain"]

#: What libraries raise for compressed files that are damaged, or cut short.
DAMAGES: tuple[type[Exception], ...] = (EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)

#: Modules with an ``open`` for Zstandard: of the interpreter, or to install.
_ZSTANDARD = ("compression.zstd", "backports.zstd", "zstandard")


class _Decompressed(io.RawIOBase):
    """A file of another library, to read; its own error is OSError here."""

    def __init__(self, file: Any, error: type[Exception]) -> None:
        self._file, self._error = file, error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            octets = self._file.read(len(buffer))
        except self._error as exc:
            raise OSError(f"no Zstandard, or damaged: {exc}") from exc
        buffer[: len(octets)] = octets
        return len(octets)

    def fileno(self) -> int:
        return int(self._file.fileno())

    def close(self) -> None:
        self._file.close()
        super().close()


def _zstandard(path: str, mode: str) -> Any:
    for name in _ZSTANDARD:
        try:
            module = import_module(name)
        except ImportError:
            continue
        file = module.open(path, mode)
        return _Decompressed(file, module.ZstdError) if mode == "rb" else file
    raise UsageError(f"{path} is compressed by Zstandard, for which there is no library: pip install backports.zstd")


_COMPRESSED: dict[str, Callable[[str, str], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _zstandard,
}
#: The ends of compressed files.
ENDS = tuple(_COMPRESSED)


def plain(path: str | os.PathLike[str]) -> bool:
    """Whether a file is not compressed, by its name."""
    return Path(path).suffix not in _COMPRESSED


def opener(path: str | os.PathLike[str], mode: str = "rb", bufsize: int = 4096) -> BinaryIO:
    """A file of octets to read (``rb``), write anew (``wb``) or append to (``ab``); the end of its name says how.

    It is a context manager, and iterated over by lines.  OSError if it cannot be opened; UsageError for another mode,
    and where there is no library for ``.zst``.  What is damaged shows when it is read: see ``DAMAGES``.
    """
    if mode not in ("rb", "wb", "ab"):
        raise UsageError(f"mode {mode!r} is none of 'rb', 'wb' and 'ab': a history is either read or written")
    compressed = _COMPRESSED.get(Path(path).suffix)
    if compressed is None:
        return cast(BinaryIO, open(path, mode, buffering=bufsize))
    file = compressed(os.fspath(path), mode)
    return cast(BinaryIO, io.BufferedReader(file, max(bufsize, 65536)) if mode == "rb" else file)


class Member(NamedTuple):
    """A file of a set: ``number`` None of the one that is written, 0 of the one before it.

    ``ext``: what its name has after that of the set: ``""``, ``.0``, ``.1.gz``.
    """

    path: Path
    number: int | None
    ext: str

    @property
    def end(self) -> str:
        """The end of its name, if it is compressed."""
        return "" if plain(self.path) else self.path.suffix


def files_of(path: str | os.PathLike[str]) -> Iterator[Member]:
    """The files of a set that there are, in no order; none if its directory is not there.

    OSError if its directory cannot be read.
    """
    whole = Path(path)
    form = re.compile(re.escape(whole.name) + r"(?:\.(0|[1-9][0-9]{0,8}))?(\.gz|\.bz2|\.xz|\.zst)?", re.ASCII)
    try:
        names = os.listdir(whole.parent)
    except FileNotFoundError:
        return
    for name in names:
        if match := form.fullmatch(name):
            number = None if match[1] is None else int(match[1])
            yield Member(whole.parent / name, number, name[len(whole.name) :])


def members(path: str | os.PathLike[str]) -> list[Member]:
    """The files of a set, newest first; of several with one number the plain one, which is whole.  OSError as above."""
    found: dict[int | None, Member] = {}
    for one in sorted(files_of(path), key=lambda one: one.end):
        found.setdefault(one.number, one)
    return [found[number] for number in sorted(found, key=lambda number: -1 if number is None else number)]
