"""Small helpers that scripts of old import from the client.

Owns: these alone.  Rule: what is of use to us as well stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import TypeVar

from cpppo.errors import LocalProtocolError
from cpppo.server.enip.client.exchange import CONTEXT_OCTETS

__all__ = ["format_context", "parse_context", "recycle"]

T = TypeVar("T")


def format_context(context: bytes) -> bytearray:
    """The 8 octets of a sender context, those missing zero; LocalProtocolError if there are more."""
    if len(context) > CONTEXT_OCTETS:
        raise LocalProtocolError(f"{context!r} has more than {CONTEXT_OCTETS} octets", "sender_context")
    return bytearray(context.ljust(CONTEXT_OCTETS, b"\0"))


def parse_context(context: bytes | bytearray) -> bytes:
    """A sender context without the zeros at its end."""
    return bytes(context).rstrip(b"\0")


def recycle(iterable: Iterable[T], times: int | None = None) -> Iterator[T]:
    """What an iterable gives, so many times over; for ever if None."""
    whole = list(iterable)
    if not whole:
        return iter(())
    return chain.from_iterable(repeat(whole) if times is None else repeat(whole, times))
