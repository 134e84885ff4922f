"""Controllers that the simulator can pass for: who they say they are, and what they can do.

Owns: the one table of profiles.  Rule: what is not known of a controller from a recording is said in
docs/conformance.org.  Must not know frames or sockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cpppo.errors import UsageError
from cpppo.server.enip.device.identity import LOGIX_L61, IdentityData

__all__ = ["DEFAULT_PROFILE", "PROFILES", "Profile", "profile_named"]

#: Allen-Bradley; programmable logic controllers; and a status word: remote run.
_VENDOR, _PLC, _REMOTE_RUN = 0x0001, 0x000E, 0x3060


class Profile(NamedTuple):
    """A controller.  ``large``: it grants Large Forward Open; ``micro800``: it is of that family, which has no
    backplane, no packets of several requests, and text of a length octet.
    """

    identity: IdentityData
    large: bool = True
    micro800: bool = False


def _plc(code: int, major: int, minor: int, serial: int, name: str) -> IdentityData:
    return IdentityData(_VENDOR, _PLC, code, major, minor, _REMOTE_RUN, serial, name)


DEFAULT_PROFILE = "1756-L61"

PROFILES: Mapping[str, Profile] = {
    DEFAULT_PROFILE: Profile(LOGIX_L61),
    "1756-L83E": Profile(_plc(166, 32, 11, 0x00C8A1B2, "1756-L83E/B")),
    "5069-L320ER": Profile(_plc(0x99, 32, 11, 0x00D1C3A4, "5069-L320ER/A")),
    "2080-LC50": Profile(_plc(0x9E, 12, 11, 0x60B5A7C8, "2080-LC50-24QBB"), large=False, micro800=True),
}


def profile_named(name: str) -> Profile:
    """The profile of a name, without case; UsageError if there is none."""
    for one, found in PROFILES.items():
        if one.lower() == name.strip().lower():
            return found
    raise UsageError(f"there is no identity {name[:40]!r}; one of {', '.join(PROFILES)}")
