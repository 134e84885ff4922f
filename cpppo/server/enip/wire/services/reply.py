"""The reply to any CIP request (Message Router response, CIP volume 1, chapter 2-4)."""

from __future__ import annotations

from cpppo.grammar import Message, drop, payload, vector
from cpppo.server.enip.wire.services.tag import TagData
from cpppo.server.enip.wire.types import UINT, USINT

__all__ = ["Reply"]


class Reply(Message):
    """The reply to any request; what ``data`` means follows from the request."""

    service = USINT
    reserved = drop(1)
    status = USINT
    size = USINT
    extended = vector(UINT, size)
    data = payload(likely=TagData)
