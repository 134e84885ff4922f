"""Objects whose tags are served by the Message Router, eg. those whose numbers were chosen.

Owns: such objects.  Rule: its tags are those of the Message Router in all but their numbers: read, written,
checked and looked at by the same code.  Must not know frames or sockets.
"""

from __future__ import annotations

from typing import Any

from cpppo.server.enip.device.attribute import Attribute
from cpppo.server.enip.device.object import Context, Object, serves
from cpppo.server.enip.device.tags import TagServices
from cpppo.server.enip.device.target import Target
from cpppo.server.enip.wire.services import tag

__all__ = ["PlacedTags", "TagDelegate", "placed"]


class TagDelegate(Object):
    """An object whose tags another one serves: ``_tags``."""

    _tags: TagServices

    @serves(tag.READ_TAG)
    def read_tag(self, target: Target, data: Any, context: Context) -> Any:
        """As of any tag; so are all of these."""
        return self._tags.read_tag(target, data, context)

    @serves(tag.READ_TAG_FRAGMENTED)
    def read_tag_fragmented(self, target: Target, data: Any, context: Context) -> Any:
        return self._tags.read_tag_fragmented(target, data, context)

    @serves(tag.WRITE_TAG)
    def write_tag(self, target: Target, data: Any, context: Context) -> Any:
        return self._tags.write_tag(target, data, context)

    @serves(tag.WRITE_TAG_FRAGMENTED)
    def write_tag_fragmented(self, target: Target, data: Any, context: Context) -> Any:
        return self._tags.write_tag_fragmented(target, data, context)

    @serves(tag.RMW_TAG)
    def read_modify_write_tag(self, target: Target, data: Any, context: Context) -> Any:
        return self._tags.read_modify_write_tag(target, data, context)


class PlacedTags(TagDelegate):
    """An object each of whose attributes is a tag; ``tags``: the object that serves them."""

    def __init__(self, tags: TagServices, instance_id: int) -> None:
        super().__init__("", instance_id)
        self._tags = tags

    def read(self, attribute: Attribute) -> bytes:
        return self._tags.read(attribute)

    def store(self, attribute: Attribute, octets: bytes) -> None:
        self._tags.store(attribute, octets)

    def settable(self, attribute: Attribute) -> bool:
        return self._tags.settable(attribute)


def placed(tags: TagServices, class_id: int, instance_id: int) -> PlacedTags:
    """A new object of a class that there was none for."""
    kind: type[PlacedTags] = type(f"Class_0x{class_id:04x}", (PlacedTags,), {"class_id": class_id})
    return kind(tags, instance_id)
