"""A simulator that records its tags: ``python -m cpppo.server.enip.historize FILE TAG...``.

The tags of any simulator of yours are recorded by `Historized`, an ``Attribute`` class to derive from.
"""

from __future__ import annotations

import argparse
import operator
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from cpppo.history import Writer
from cpppo.server.enip.device import Attribute
from cpppo.server.enip.main import main as serve

__all__ = ["Historized", "historized", "main"]

_EXAMPLES = """\
Each read and write is a line: the time (UTC), the tag with its first and last element, and the values.
Of a member of a structure, or a bit, that is written, the line has the whole element as it is then.
A file that exists is appended to; its directories are created; if the disk is full the simulator goes on.

examples:
  python -m cpppo.server.enip.historize plant.hst 'Tag_Name=INT[1000]' Level=REAL
  python -m cpppo.server.enip.historize plant.hst --print --address localhost:0 Level=REAL
  python -m cpppo.server.enip.historize plant.hst --help      the server's own options

exit status: as enip_server; 1 also if FILE cannot be opened, 2 wrong usage.
"""


class Historized(Attribute):
    """A tag whose reads and writes, and the exceptions they raise, go to ``history``, which a subclass sets.

    Derive from this first and from another ``Attribute`` class next to record what that does.
    """

    history: ClassVar[Writer]

    def __init__(self, name: str, *arguments: Any, **settings: Any) -> None:
        super().__init__(name, *arguments, **settings)
        # Held around an access and its record: lines stand in the order in which it happened.
        self._accessing = threading.RLock()
        #: Whether what is read was not asked for: the rest of an element that is written in part.
        self._filling = False
        self.history.comment(f"Started recording Tag: {name}")

    def __getitem__(self, key: Any) -> Any:
        first, last = self._elements(key)
        with self._accessing:
            try:
                value = super().__getitem__(key)
            except Exception as exc:
                self._failed("Read", first, last, exc)
                raise
            if not self._filling:
                values = value if isinstance(key, slice) else [value]
                self.history.write({"read": values}, serial=[self.name, [first, last]])
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        first, last = self._elements(key)
        values = list(value) if isinstance(key, slice) else [value]
        with self._accessing:
            try:
                super().__setitem__(key, values if isinstance(key, slice) else value)
            except Exception as exc:
                self._failed("Write", first, last, exc)
                raise
            self.history.write({"write": values}, serial=[self.name, [first, last]])

    def modify_octets(self, start: int, or_mask: bytes, and_mask: bytes) -> bytes:
        with self._written(start, len(or_mask)):
            return super().modify_octets(start, or_mask, and_mask)

    def write_octets(self, start: int, octets: bytes) -> None:
        with self._written(start, len(octets)):
            super().write_octets(start, octets)

    @contextmanager
    def _written(self, start: int, count: int) -> Iterator[None]:
        """Around an access that may read and then writes some octets: nothing comes between."""
        with self._accessing:
            before = self._filling
            self._filling = before or bool(start % self.type.size or count % self.type.size)
            try:
                yield
            finally:
                self._filling = before

    def _elements(self, key: Any) -> tuple[int, int]:
        """The first and the last element of an index or slice, be they there or not."""
        if not isinstance(key, slice):
            at = self.index(key) if isinstance(key, tuple) else operator.index(key)
            return at, at
        first = 0 if key.start is None else operator.index(key.start)
        return first, (len(self) if key.stop is None else operator.index(key.stop)) - 1

    def _failed(self, what: str, first: int, last: int, exc: Exception) -> None:
        text = str(exc) or type(exc).__name__
        self.history.comment(f"PLC I/O {what:<5} Tag {self.name:>20}[{first:5}-{last:<5}] Exception: {text}")


def historized(writer: Writer) -> type[Historized]:
    """The class of tags that are recorded by ``writer``."""

    class Recorded(Historized):
        history = writer

    return Recorded


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the tags on the command line and record them, until interrupted.

    :param argv: FILE and the arguments of ``enip_server``, by default those of the process.
    :return: exit status: 0 ended in order, 1 could not serve or open FILE, 2 wrong usage.
    """
    parser = argparse.ArgumentParser(
        prog="python -m cpppo.server.enip.historize",
        usage="%(prog)s FILE [server option...] TAG...",
        description="Simulate a Logix controller as enip_server does, and record what is read and written in FILE.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="the file to append to; it comes first")
    parser.add_argument("server", metavar="...", nargs="*", help="tags and options, as of enip_server")
    given = list(sys.argv[1:] if argv is None else argv)
    if not given or given[0] in ("-h", "--help"):
        parser.parse_args(given)  # which ends here
    path, *rest = given
    if not path or path.startswith("-"):
        parser.error(f"FILE comes first, then options and tags; {path!r} is none (./{path} if it is)")
    if not rest:
        parser.error(f"no tags after FILE {path!r}; eg. {path} SCADA=INT[1000]")
    with Writer(path) as writer:
        if not {"-h", "--help", "--version"} & set(rest):
            try:
                writer.open()
            except (OSError, ValueError) as exc:
                reason = getattr(exc, "strerror", None) or exc
                print(f"historize: cannot record to {path}: {reason}; name a file that can be written", file=sys.stderr)
                return 1
        return serve(rest, attribute_class=historized(writer))


if __name__ == "__main__":
    sys.exit(main())
