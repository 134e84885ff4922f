"""Tags of a device, made from their text: ``SCADA=INT[1000]``, ``Level=REAL=12.5``, ``Tag@0x93/1/10=DINT``.

Owns: making an Attribute of what options.py or plant.py read, and adding it.  Rule: text that cannot be served raises
UsageError, saying what to write instead.  Must not know sockets or the command line.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from cpppo.logs import NORMAL
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.options import TagSpec, parse_tag
from cpppo.server.enip.wire.strings import KINDS, SSTRING, STRING
from cpppo.server.enip.wire.types import Kind, pack

__all__ = ["add", "create", "kinds_of"]

log = logging.getLogger("enip.srv")


def kinds_of(micro800: bool) -> dict[str, Kind]:
    """The types of a controller, by name in upper case; text of the Micro800 family has a length octet."""
    return {**KINDS, STRING.name: SSTRING} if micro800 else dict(KINDS)


def create(
    device: Device,
    text: str,
    attribute_class: type[Attribute] = Attribute,
    kinds: Mapping[str, Kind] | None = None,
) -> Attribute:
    """Add the tag that a text says to a device.

    :param text: ``name[@class/instance/attribute][=TYPE][[size,...]][=value,...]``; elements without value are zero.
    :param attribute_class: what it is made of; a subclass of ``device.Attribute``.
    :param kinds: the types there are, by name in upper case; those of the device if not given.
    :raises UsageError: it cannot be understood, or its name or address is taken already.
    """
    return add(device, parse_tag(text, kinds_of(device.micro800) if kinds is None else kinds), attribute_class)


def add(device: Device, spec: TagSpec, attribute_class: type[Attribute] = Attribute) -> Attribute:
    """Add a tag to a device; UsageError if its name or address is taken already."""
    kind, shape = spec.type, spec.shape
    if shape:
        first = pack(kind, spec.values)
        attribute = attribute_class(spec.name, kind, default=first.ljust((spec.elements or 0) * kind.size, b"\0"))
    else:
        zero = kind.unpack(bytes(kind.size))
        attribute = attribute_class(spec.name, kind, default=spec.values[0] if spec.values else zero)
    if len(shape) > 1:
        attribute.shape = shape
    attribute.description = spec.description
    attribute.read_only, attribute.hidden = spec.access == "read-only", spec.access == "none"
    device.add_tag(attribute, spec.address)
    where = "@0x{:04x}/{}/{}".format(*spec.address) if spec.address else ""
    size = f"[{','.join(map(str, shape))}]" if shape else ""
    log.log(NORMAL, "Creating tag: %s%s=%s%s", spec.name, where, kind.name, size)
    return attribute
