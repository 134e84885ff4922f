"""CIP general and extended status, and encapsulation status: codes by name, and their words.

Owns: the one table of each.  Rule: a code nobody listed is still shown, by its number.  Must not know services.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# General status (CIP volume 1, appendix B)
SUCCESS = 0x00
CONNECTION_FAILURE = 0x01
RESOURCE_UNAVAILABLE = 0x02
INVALID_PARAMETER = 0x03
PATH_SEGMENT_ERROR = 0x04
PATH_DESTINATION_UNKNOWN = 0x05
PARTIAL = 0x06
SERVICE_NOT_SUPPORTED = 0x08
INVALID_VALUE = 0x09
ATTRIBUTE_LIST_ERROR = 0x0A
ATTRIBUTE_NOT_SETTABLE = 0x0E
PRIVILEGE_VIOLATION = 0x0F
REPLY_TOO_LARGE = 0x11
NOT_ENOUGH_DATA = 0x13
ATTRIBUTE_NOT_SUPPORTED = 0x14
TOO_MUCH_DATA = 0x15
EMBEDDED_ERROR = 0x1E
PATH_SIZE_INVALID = 0x26
LOGIX = 0xFF

# Extended status words, each with the general status it belongs to
NO_SUCH_SYMBOL = (0x0000,)  # of PATH_SEGMENT_ERROR
# of CONNECTION_FAILURE
CONNECTION_IN_USE, NO_SUCH_CLASS, NO_SUCH_CONNECTION = (0x0100,), (0x0103,), (0x0107,)
INVALID_SIZE, NO_MORE_CONNECTIONS = (0x0109,), (0x0113,)
OTHER_PRODUCT, OTHER_DEVICE_TYPE, OTHER_REVISION = (0x0114,), (0x0115,), (0x0116,)
INVALID_TO_SIZE, INVALID_FROM_SIZE = (0x0127,), (0x0128,)
NO_SUCH_PORT, NO_SUCH_SLOT, INVALID_SEGMENT = (0x0311,), (0x0312,), (0x0315,)
OFFSET_BEYOND_END, BEYOND_END, TYPE_MISMATCH = (0x2104,), (0x2105,), (0x2107,)  # of LOGIX

# Encapsulation status (CIP volume 2, chapter 2-3)
ENIP_SUCCESS = 0x0000
ENIP_UNSUPPORTED_COMMAND = 0x0001
ENIP_NO_RESOURCES = 0x0002
ENIP_INCORRECT_DATA = 0x0003
ENIP_INVALID_SESSION = 0x0064
ENIP_INVALID_LENGTH = 0x0065
ENIP_UNSUPPORTED_VERSION = 0x0069

#: The words of general statuses (CIP volume 1, appendix B).
GENERAL: Mapping[int, str] = {
    SUCCESS: "success",
    CONNECTION_FAILURE: "connection failure",
    RESOURCE_UNAVAILABLE: "resource unavailable",
    INVALID_PARAMETER: "invalid parameter value",
    PATH_SEGMENT_ERROR: "path segment error",
    PATH_DESTINATION_UNKNOWN: "path destination unknown",
    PARTIAL: "partial transfer: there is more data",
    0x07: "connection lost",
    SERVICE_NOT_SUPPORTED: "service not supported",
    INVALID_VALUE: "invalid attribute value",
    ATTRIBUTE_LIST_ERROR: "attribute list error",
    0x0B: "already in the requested mode or state",
    0x0C: "object state conflict",
    0x0D: "object already exists",
    ATTRIBUTE_NOT_SETTABLE: "attribute not settable",
    PRIVILEGE_VIOLATION: "privilege violation",
    0x10: "device state conflict",
    REPLY_TOO_LARGE: "reply data too large",
    0x12: "fragmentation of a primitive value",
    NOT_ENOUGH_DATA: "not enough data",
    ATTRIBUTE_NOT_SUPPORTED: "attribute not supported",
    TOO_MUCH_DATA: "too much data",
    0x16: "object does not exist",
    0x17: "service fragmentation sequence not in progress",
    0x18: "no stored attribute data",
    0x19: "store operation failure",
    0x1A: "routing failure: request packet too large",
    0x1B: "routing failure: response packet too large",
    0x1C: "missing attribute list entry data",
    0x1D: "invalid attribute value list",
    EMBEDDED_ERROR: "embedded service error",
    0x1F: "vendor specific error",
    0x20: "invalid parameter",
    0x21: "write-once value or medium already written",
    0x22: "invalid reply received",
    0x25: "key failure in path",
    PATH_SIZE_INVALID: "path size invalid",
    0x27: "unexpected attribute in list",
    0x28: "invalid member number",
    0x29: "member not settable",
    LOGIX: "general error",
}

#: The words of extended statuses, by (general status, first extended word).
EXTENDED: Mapping[tuple[int, int], str] = {
    (CONNECTION_FAILURE, *CONNECTION_IN_USE): "connection already in use",
    (CONNECTION_FAILURE, *NO_SUCH_CLASS): "transport class and trigger not supported",
    (CONNECTION_FAILURE, 0x0106): "ownership conflict",
    (CONNECTION_FAILURE, *NO_SUCH_CONNECTION): "no such connection to close",
    (CONNECTION_FAILURE, 0x0108): "invalid connection type",
    (CONNECTION_FAILURE, *INVALID_SIZE): "invalid connection size",
    (CONNECTION_FAILURE, 0x0110): "device not configured",
    (CONNECTION_FAILURE, 0x0111): "requested packet interval not supported",
    (CONNECTION_FAILURE, *NO_MORE_CONNECTIONS): "no more connections",
    (CONNECTION_FAILURE, *OTHER_PRODUCT): "vendor or product code mismatch",
    (CONNECTION_FAILURE, *OTHER_DEVICE_TYPE): "device type mismatch",
    (CONNECTION_FAILURE, *OTHER_REVISION): "revision mismatch",
    (CONNECTION_FAILURE, 0x0117): "invalid connection point",
    (CONNECTION_FAILURE, *INVALID_TO_SIZE): "invalid connection size O->T",
    (CONNECTION_FAILURE, *INVALID_FROM_SIZE): "invalid connection size T->O",
    (CONNECTION_FAILURE, 0x0203): "connection timed out",
    (CONNECTION_FAILURE, 0x0204): "the request timed out on its route",
    (CONNECTION_FAILURE, 0x0205): "parameter error in unconnected request",
    (CONNECTION_FAILURE, 0x0301): "no buffer memory",
    (CONNECTION_FAILURE, 0x0302): "no network bandwidth",
    (CONNECTION_FAILURE, *NO_SUCH_PORT): "no such port",
    (CONNECTION_FAILURE, *NO_SUCH_SLOT): "no such slot or link address",
    (CONNECTION_FAILURE, *INVALID_SEGMENT): "invalid segment in path",
    (PATH_SEGMENT_ERROR, *NO_SUCH_SYMBOL): "no such tag",
    (LOGIX, *OFFSET_BEYOND_END): "offset beyond the end of the data",
    (LOGIX, *BEYOND_END): "elements beyond the end of the tag",
    (LOGIX, *TYPE_MISMATCH): "data type mismatch",
}

#: The words of encapsulation statuses (CIP volume 2, chapter 2-3).
ENCAPSULATION: Mapping[int, str] = {
    ENIP_SUCCESS: "success",
    ENIP_UNSUPPORTED_COMMAND: "unsupported command",
    ENIP_NO_RESOURCES: "no memory or no more sessions",
    ENIP_INCORRECT_DATA: "incorrect data",
    ENIP_INVALID_SESSION: "invalid session handle",
    ENIP_INVALID_LENGTH: "invalid length",
    ENIP_UNSUPPORTED_VERSION: "unsupported protocol version",
}


def describe(status: int, extended: Sequence[int] = ()) -> str:
    """The words of a general status and of its extended one, if known: ``path segment error: no such tag``."""
    words = GENERAL.get(status, f"status 0x{status:02x}")
    more = EXTENDED.get((status, extended[0])) if extended else None
    return f"{words}: {more}" if more else words


def describe_encapsulation(status: int) -> str:
    """The words of an encapsulation status; eg. ``invalid session handle``."""
    return ENCAPSULATION.get(status, f"encapsulation status 0x{status:04x}")
