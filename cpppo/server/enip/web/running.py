"""What the web interface needs of a running simulator, as protocols.

Owns: the seam between what is asked over the web and what serves.  Rule: no HTTP, no sockets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from cpppo.dotdict import dotdict
from cpppo.server.enip.device import Device

__all__ = ["Conversation", "Pause", "Running", "Sums", "WebSettings"]


class WebSettings(NamedTuple):
    """``address``: (host, port) to serve on; ``readonly``: nothing can be changed; ``token``: who does not bring it is
    refused, None: nobody is.
    """

    address: tuple[str, int]
    readonly: bool = False
    token: str | None = None


class Pause(Protocol):
    """The delay of responses, see `cpppo.server.delay.Delay`."""

    value: float
    range: tuple[float, float]
    ranged: bool

    def set(self, low: float, high: float | None = None) -> None:
        """Delay by so many seconds."""

    def say(self, text: str) -> None:
        """Delay as a text says."""


class Conversation(Protocol):
    """A client's connection, see `cpppo.server.tcp.Connection`."""

    peer: Any
    talk: Any
    began: float
    ending: bool

    def stop_reading(self) -> None:
        """Let it answer what it has read, then end."""


class Sums(Protocol):
    """What was counted since the start, see `cpppo.server.enip.counted.Totals`."""

    connections: int
    requests: int
    received: int
    sent: int
    seconds: float

    @property
    def answers(self) -> Mapping[tuple[int, int], int]:
        """CIP requests by (service, status)."""

    @property
    def took(self) -> Sequence[int]:
        """CIP requests by how long they took."""

    @property
    def writes(self) -> int:
        """Writes of tags that were done."""


class Running(Protocol):
    """A simulator that runs.  ``address``: where, as text; ``control``: see `cpppo.server.enip.control.completed`."""

    device: Device
    control: dotdict
    address: str

    @property
    def delay(self) -> Pause:
        """That of responses."""

    @property
    def disabled(self) -> bool:
        """Whether its port is closed for a while."""

    def connections(self) -> Sequence[Conversation]:
        """The connections there are."""

    def settle(self) -> None:
        """Wait a while until what was changed has come true."""

    def totals(self) -> Sums:
        """What was counted."""
