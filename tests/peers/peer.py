"""What the tests ask of a client, whoever made it.

Owns: the calls that every client offers here, and what is common to their answers. Rule: a client is used as its
documents say, with its default settings; the address is all it is told. Must not know any controller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

__all__ = ["Identity", "Listed", "Peer", "Refused"]


class Refused(Exception):
    """What was asked was not done, in the words of the client."""


class Identity(NamedTuple):
    """Who the controller is; ``revision`` is (major, minor)."""

    name: str
    serial: int
    revision: tuple[int, int]


class Listed(NamedTuple):
    """A tag as a client lists it: the name of its type, its dimensions, and the elements of the first of these.

    ``extent`` is None where a client does not tell.
    """

    kind: str
    dimensions: int
    extent: int | None


class Peer(Protocol):
    """A client that has a controller open; a request that is refused is `Refused`."""

    name: str

    def identity(self) -> Identity:
        """Who the controller is."""

    def tags(self) -> Mapping[str, Listed]:
        """All tags; those of programs as ``Program:NAME.TAG``."""

    def programs(self) -> Sequence[str]:
        """The names of the programs."""

    def read(self, tag: str, count: int = 1) -> Any:
        """The value of a tag, member, element or bit; with a count, the list of as many."""

    def write(self, tag: str, value: Any) -> None:
        """Write a value, or a list of them from the element on."""

    def read_many(self, *tags: str) -> list[Any]:
        """The values of several tags by one call."""

    def write_many(self, *pairs: tuple[str, Any]) -> None:
        """Write several tags by one call."""

    def clock(self) -> int:
        """The controller's time, in microseconds since 1970."""

    def set_clock(self) -> None:
        """Set the controller's time to that of this machine."""

    def close(self) -> None:
        """Leave the controller."""
