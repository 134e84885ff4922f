"""The one error tree: whose fault, where, and at which octet.

Rule: octets from a peer raise only RemoteProtocolError; misuse by our own caller raises
LocalProtocolError (or GrammarError for a wrongly built machine or declaration).
Must not know any protocol's words.

    Error
    +-- GrammarError            a machine or message is declared wrongly
    +-- NonTerminal             a machine stopped where its sentence is not complete
    +-- UsageError              a command line, tag or operation that cannot be understood
    +-- ProtocolError
    |   +-- LocalProtocolError  we were asked to produce what cannot be produced
    |   +-- RemoteProtocolError the peer sent what cannot be parsed
    +-- Timeout                 also a TimeoutError
    +-- StatusError             a CIP service was refused: general and extended status
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "Error",
    "GrammarError",
    "LocalProtocolError",
    "NonTerminal",
    "ProtocolError",
    "RemoteProtocolError",
    "StatusError",
    "Timeout",
    "UsageError",
]


class Error(Exception):
    """Base of every error this project raises on purpose."""


class GrammarError(Error, TypeError):
    """A machine or a message declaration that can never work; found when it is built where possible."""


class NonTerminal(Error):
    """A (sub-)machine stopped in a state that does not complete a sentence.

    ``offset`` is the number of symbols consumed when it stopped, or None if unknown.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


class UsageError(Error, ValueError):
    """Text from a person (command line, tag, operation) that cannot be understood; says what to write instead."""


class ProtocolError(Error):
    """Octets or records that do not follow the protocol.  ``path`` names the field, eg. ``CIP.items[1].length``."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path


class LocalProtocolError(ProtocolError):
    """We were asked to send something the protocol cannot express."""


class RemoteProtocolError(ProtocolError):
    """The peer sent octets that do not follow the protocol; ``offset`` is the octet at which that shows."""

    def __init__(self, reason: str, path: str = "", offset: int | None = None) -> None:
        told = offset is None or f"offset {offset}" in reason
        super().__init__(reason if told else f"{reason}, at offset {offset}", path)
        self.reason = reason
        self.offset = offset


class Timeout(Error, TimeoutError):
    """The peer did not answer within the time allowed."""


class StatusError(Error):
    """A CIP service was refused: ``status`` is the general status, ``extended`` its additional words."""

    def __init__(self, status: int, extended: Sequence[int] = (), message: str = "") -> None:
        words = " ".join(f"0x{word:04x}" for word in extended)
        text = f"status 0x{status:02x}" + (f" extended {words}" if words else "")
        super().__init__(f"{message} ({text})" if message else text)
        self.status = status
        self.extended = tuple(extended)
