"""The controller's objects: Attribute and Object to customise, and the Device that answers requests."""

from cpppo.server.enip.device.attribute import MASK_GA_ALL, MASK_GA_SNG, Attribute, AttributeFailure
from cpppo.server.enip.device.identity import LOGIX_L61, Identity, IdentityData
from cpppo.server.enip.device.object import Answer, Context, Object, Target, serves
from cpppo.server.enip.device.router import Device

__all__ = [
    "LOGIX_L61",
    "MASK_GA_ALL",
    "MASK_GA_SNG",
    "Answer",
    "Attribute",
    "AttributeFailure",
    "Context",
    "Device",
    "Identity",
    "IdentityData",
    "Object",
    "Target",
    "serves",
]
