"""The controller's objects: Attribute and Object to customise, and the Device that answers requests."""

from cpppo.server.enip.device.attribute import MASK_GA_ALL, MASK_GA_SNG, Attribute, AttributeFailure
from cpppo.server.enip.device.identity import LOGIX_L61, Identity, IdentityData
from cpppo.server.enip.device.object import Answer, Context, Object, serves
from cpppo.server.enip.device.profiles import DEFAULT_PROFILE, PROFILES, Profile, profile_named
from cpppo.server.enip.device.router import Device
from cpppo.server.enip.device.target import Target

__all__ = [
    "DEFAULT_PROFILE",
    "LOGIX_L61",
    "MASK_GA_ALL",
    "MASK_GA_SNG",
    "PROFILES",
    "Answer",
    "Attribute",
    "AttributeFailure",
    "Context",
    "Device",
    "Identity",
    "IdentityData",
    "Object",
    "Profile",
    "Target",
    "profile_named",
    "serves",
]
