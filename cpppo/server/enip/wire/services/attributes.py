"""The common attribute services: Get and Set Attributes All, List and Single (CIP volume 1, appendix A)."""

from __future__ import annotations

from cpppo.grammar import Message, octets, vector
from cpppo.server.enip.wire.services.base import Service
from cpppo.server.enip.wire.services.tag import Void
from cpppo.server.enip.wire.types import UINT

__all__ = [
    "GET_ATTRIBUTES_ALL",
    "GET_ATTRIBUTE_LIST",
    "GET_ATTRIBUTE_SINGLE",
    "SERVICES",
    "SET_ATTRIBUTES_ALL",
    "SET_ATTRIBUTE_LIST",
    "SET_ATTRIBUTE_SINGLE",
    "AttributeData",
    "AttributeList",
    "AttributeValues",
]


class AttributeData(Message):
    """Attribute values, packed as their types say; only the object knows those."""

    data = octets()


class AttributeList(Message):
    """Attribute numbers."""

    count = UINT
    attribute = vector(UINT, count)


class AttributeValues(Message):
    """``count`` attributes: number and value when set, number, status (and value) when got."""

    count = UINT
    data = octets()


GET_ATTRIBUTES_ALL = Service(0x01, "Get Attributes All", Void, AttributeData)
SET_ATTRIBUTES_ALL = Service(0x02, "Set Attributes All", AttributeData, Void)
GET_ATTRIBUTE_LIST = Service(0x03, "Get Attribute List", AttributeList, AttributeValues, answered=(0x00, 0x0A))
SET_ATTRIBUTE_LIST = Service(0x04, "Set Attribute List", AttributeValues, AttributeValues, answered=(0x00, 0x0A))
GET_ATTRIBUTE_SINGLE = Service(0x0E, "Get Attribute Single", Void, AttributeData)
SET_ATTRIBUTE_SINGLE = Service(0x10, "Set Attribute Single", AttributeData, Void)

SERVICES = (
    GET_ATTRIBUTES_ALL,
    SET_ATTRIBUTES_ALL,
    GET_ATTRIBUTE_LIST,
    SET_ATTRIBUTE_LIST,
    GET_ATTRIBUTE_SINGLE,
    SET_ATTRIBUTE_SINGLE,
)
