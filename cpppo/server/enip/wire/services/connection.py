"""Opening and closing connections: Forward Open, Large Forward Open, Forward Close (CIP volume 1, chapter 3-5.5)."""

from __future__ import annotations

from cpppo.grammar import Message, drop, octets
from cpppo.server.enip.wire.path import EPATH
from cpppo.server.enip.wire.services.base import Service
from cpppo.server.enip.wire.types import UDINT, UINT, USINT

__all__ = [
    "FORWARD_CLOSE",
    "FORWARD_OPEN",
    "LARGE_FORWARD_OPEN",
    "SERVICES",
    "ForwardClose",
    "ForwardClosed",
    "ForwardOpen",
    "ForwardOpened",
    "ForwardRefused",
    "LargeForwardOpen",
]

#: The class of the object that opens connections.
_CONNECTION_MANAGER = 0x06


class ForwardOpen(Message):
    """Open a connection; O is its originator, T its target, which chooses the O->T id.

    ``to_rpi`` and ``from_rpi``: requested packet intervals O->T and T->O, in microseconds; ``..._parameters``: their
    sizes in the low 9 bits; ``multiplier``: the time-out is 4 * 2**multiplier intervals.
    """

    priority = USINT
    ticks = USINT
    to_id = UDINT
    from_id = UDINT
    serial = UINT
    vendor = UINT
    originator = UDINT
    multiplier = USINT
    reserved = drop(3)
    to_rpi = UDINT
    to_parameters = UINT
    from_rpi = UDINT
    from_parameters = UINT
    trigger = USINT
    size = USINT
    path = EPATH.within(size * 2)


class LargeForwardOpen(Message):
    """As `ForwardOpen`, the sizes in the low 16 bits of wider parameters."""

    priority = USINT
    ticks = USINT
    to_id = UDINT
    from_id = UDINT
    serial = UINT
    vendor = UINT
    originator = UDINT
    multiplier = USINT
    reserved = drop(3)
    to_rpi = UDINT
    to_parameters = UDINT
    from_rpi = UDINT
    from_parameters = UDINT
    trigger = USINT
    size = USINT
    path = EPATH.within(size * 2)


class ForwardOpened(Message):
    """The connection is open; ``to_api``, ``from_api``: the actual packet intervals."""

    to_id = UDINT
    from_id = UDINT
    serial = UINT
    vendor = UINT
    originator = UDINT
    to_api = UDINT
    from_api = UDINT
    words = USINT
    reserved = drop(1)
    application = octets(words * 2)


class ForwardClose(Message):
    """Close the connection of a triad (serial, vendor, originator); only here is an octet reserved."""

    priority = USINT
    ticks = USINT
    serial = UINT
    vendor = UINT
    originator = UDINT
    size = USINT
    reserved = drop(1)
    path = EPATH.within(size * 2)


class ForwardClosed(Message):
    """The connection is closed."""

    serial = UINT
    vendor = UINT
    originator = UDINT
    words = USINT
    reserved = drop(1)
    application = octets(words * 2)


class ForwardRefused(Message):
    """What a refused opening or closing answers after its status; ``remaining``: words of the path not gone."""

    serial = UINT
    vendor = UINT
    originator = UDINT
    remaining = USINT
    reserved = drop(1)


FORWARD_CLOSE = Service(0x4E, "Forward Close", ForwardClose, ForwardClosed, _CONNECTION_MANAGER)
FORWARD_OPEN = Service(0x54, "Forward Open", ForwardOpen, ForwardOpened, _CONNECTION_MANAGER)
LARGE_FORWARD_OPEN = Service(0x5B, "Large Forward Open", LargeForwardOpen, ForwardOpened, _CONNECTION_MANAGER)

SERVICES = (FORWARD_CLOSE, FORWARD_OPEN, LARGE_FORWARD_OPEN)
