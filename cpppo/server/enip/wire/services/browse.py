"""Browsing a Logix controller: lists of symbols and the templates of structures (Logix 5000 Data Access)."""

from __future__ import annotations

from cpppo.grammar import Message, octets
from cpppo.server.enip.wire.services.attributes import AttributeList
from cpppo.server.enip.wire.services.base import Service
from cpppo.server.enip.wire.types import UDINT, UINT

__all__ = [
    "GET_INSTANCE_ATTRIBUTE_LIST",
    "READ_TEMPLATE",
    "SERVICES",
    "SYMBOL",
    "TEMPLATE",
    "InstanceAttributes",
    "ReadTemplate",
    "TemplateData",
]

#: The classes of symbols (tags) and of templates.
SYMBOL, TEMPLATE = 0x6B, 0x6C


class InstanceAttributes(Message):
    """For each instance its number (UDINT) and the values of the attributes asked for, in that order, unpadded."""

    data = octets()


class ReadTemplate(Message):
    """Octets of the definition of a structure, ``length`` at most."""

    offset = UDINT
    length = UINT


class TemplateData(Message):
    """Members (array size or bit, type, offset: UINT, UINT, UDINT), then names, each with a NUL at its end."""

    data = octets()


READ_TEMPLATE = Service(0x4C, "Read Template", ReadTemplate, TemplateData, TEMPLATE, answered=(0x00, 0x06))
GET_INSTANCE_ATTRIBUTE_LIST = Service(
    0x55, "Get Instance Attribute List", AttributeList, InstanceAttributes, answered=(0x00, 0x06)
)

SERVICES = (READ_TEMPLATE, GET_INSTANCE_ATTRIBUTE_LIST)
