"""Writing what is played to a controller: ``python -m cpppo.history play --to HOST``.

Owns: which records are written, and how often a tag that cannot be is told.
Do not import this to write tags: use ``client.Logix``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from cpppo.errors import Error
from cpppo.history.series import tag_values
from cpppo.history.source import Entry
from cpppo.server.command import parse_address
from cpppo.server.enip.client.commands import Unreachable
from cpppo.server.enip.client.logix import Logix
from cpppo.server.enip.wire.header import PORT

__all__ = ["Writing"]


class Writing:
    """The tags of a controller at ``host[:port]``, to be written; those it does not have are told once each."""

    def __init__(self, address: str, timeout_s: float) -> None:
        host, port = parse_address(address, ("localhost", PORT))
        try:
            self._logix = Logix(host, port, timeout=timeout_s)
            self._arrays = {one.name.lower() for one in self._logix.tags() if one.shape}
        except (OSError, Error) as exc:
            raise Unreachable(f"cannot connect to {address}: {exc}; is a controller there?") from exc
        self._told: set[str] = set()
        self._others = 0

    def play(self, entry: Entry, line: Callable[[], str]) -> None:
        """Write the values of a record."""
        tag = tag_values(entry)
        if tag is None or not tag.values:
            self._others += 1
            return
        name, values = tag.name, tag.values
        if name.lower() in self._arrays:
            name = f"{name}[{tag.first}-{tag.first + len(values) - 1}]"
        try:
            self._logix.write({name: values if name != tag.name else values[0]})
        except (OSError, Error) as exc:
            if tag.name not in self._told:
                self._told.add(tag.name)
                print(f"history: {tag.name} cannot be written: {exc}", file=sys.stderr)

    def status(self) -> int:
        """The exit status: 1 if something could not be written."""
        if self._others:
            print(f"history: {self._others} records are not of tags, and were not written", file=sys.stderr)
        return 1 if self._told or self._others else 0

    def close(self) -> None:
        """End the connection."""
        self._logix.close()
