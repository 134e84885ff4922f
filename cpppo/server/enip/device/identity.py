"""Identity: who the controller says it is (CIP volume 1, chapter 5-2).

Owns: the identity data and the object that answers with it.  Rule: one table of values for every place that shows them.
Must not know frames.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from cpppo.server.enip.device.attribute import MASK_GA_ALL, Attribute
from cpppo.server.enip.device.object import Object
from cpppo.server.enip.wire.types import UDINT, UINT, USINT

__all__ = ["LOGIX_L61", "Identity", "IdentityData", "ShortString"]


class IdentityData(NamedTuple):
    """Vendor, device type and product code; revision; status word; serial number; name; state."""

    vendor: int
    device_type: int
    product_code: int
    major: int
    minor: int
    status: int
    serial: int
    product_name: str
    state: int = 0x03


#: A ControlLogix 5561 in remote run mode.
LOGIX_L61 = IdentityData(0x0001, 0x000E, 0x0036, 20, 11, 0x3060, 0x006C061A, "1756-L61/B LOGIX5561")


class ShortString(Attribute):
    """A SHORT_STRING: a length octet and that many characters of ISO-8859-1."""

    def __init__(self, name: str, text: str) -> None:
        octets = text.encode("iso-8859-1")
        super().__init__(name, USINT, [len(octets), *octets])


class Identity(Object):
    """The Identity object, class 1."""

    class_id: ClassVar[int] = 0x01

    def __init__(self, data: IdentityData = LOGIX_L61, instance_id: int = 1) -> None:
        super().__init__("Identity", instance_id)
        self.data = data
        self.put(1, Attribute("vendor", UINT, data.vendor))
        self.put(2, Attribute("device_type", UINT, data.device_type))
        self.put(3, Attribute("product_code", UINT, data.product_code))
        self.put(4, Attribute("revision", USINT, [data.major, data.minor]))
        self.put(5, Attribute("status", UINT, data.status))
        self.put(6, Attribute("serial", UDINT, data.serial))
        self.put(7, ShortString("product_name", data.product_name))
        self.put(8, Attribute("state", USINT, data.state, mask=MASK_GA_ALL))
