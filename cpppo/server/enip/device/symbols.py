"""Symbols: the tags of a scope, the controller's or a program's, as clients browse them (class 0x6B).

Owns: the table of tags by name and by instance number, what a symbol says of its tag, and paging through them.
Rule: instance numbers ascend in the order the tags were added, and stay.  Must not know frames or sockets.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from cpppo.errors import StatusError
from cpppo.server.enip.device.attribute import Attribute
from cpppo.server.enip.device.object import Answer, Context, Instances, serves
from cpppo.server.enip.device.placed import TagDelegate
from cpppo.server.enip.device.tags import TagServices
from cpppo.server.enip.device.target import Target
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.services import browse
from cpppo.server.enip.wire.structures import STRUCTURE_BIT, Structure
from cpppo.server.enip.wire.types import UDINT, UINT, USINT

__all__ = ["Entry", "Symbols"]

#: Where the number of dimensions stands in a symbol's type; a system symbol; and the type of a program.
_DIMENSIONS, _SYSTEM, _PROGRAM = 13, 0x1000, 0x68
#: Software control: a tag of its own, no alias.
_BASE_TAG = 1 << 26
_SIZES = struct.Struct("<3I")
#: Where symbols and objects seem to be: any numbers will do as long as they stay.
_ADDRESSES, _APART = 0x10000000, 0x20
#: External access.
_READ_WRITE, _READ_ONLY, _NONE = 0, 2, 3


class Entry(NamedTuple):
    """A symbol: its name as it was given, and the tag; that of a program has none."""

    name: str
    attribute: Attribute | None = None


class Symbols(TagDelegate, Instances):
    """The Symbol object of a scope.  ``tags`` serves its tags; ``number_of`` tells the template of a structure."""

    class_id: ClassVar[int] = browse.SYMBOL

    def __init__(self, tags: TagServices, number_of: Callable[[Structure], int]) -> None:
        super().__init__("Symbol")
        self._tags = tags
        self._number_of = number_of
        self.by_name: dict[str, Entry] = {}
        self._by_number: dict[int, Entry] = {}
        self._numbers: list[int] = []

    def add(self, entry: Entry) -> None:
        """Add a symbol, whose name must not be there yet."""
        self.by_name[entry.name.lower()] = entry
        number = len(self._numbers) + 1
        self._by_number[number] = entry
        self._numbers.append(number)  # last: whoever browses meanwhile goes by these
        self._meta.counted(number)

    def get(self, number: int | None) -> Entry | None:
        """The symbol of an instance number."""
        return self._by_number.get(number or 0)

    def described(self, instance: int) -> Mapping[int, bytes] | None:
        entry = self._by_number.get(instance)
        if entry is None:
            return None
        return {number: make(self, instance, entry) for number, make in _ATTRIBUTES.items()}

    @serves(browse.GET_INSTANCE_ATTRIBUTE_LIST)
    def get_instance_attribute_list(self, target: Target, data: Any, context: Context) -> Any:
        """Whole symbols from the instance addressed on, each with the attributes asked for, in that order."""
        makers = [_ATTRIBUTES.get(number) for number in data.attribute]
        if None in makers:
            raise StatusError(status.ATTRIBUTE_NOT_SUPPORTED)
        parts: list[bytes] = []
        room = context.most()
        for at in range(bisect_left(self._numbers, target.instance or 0), len(self._numbers)):
            number = self._numbers[at]
            entry = self._by_number[number]
            record = UDINT.produce(number) + b"".join([make(self, number, entry) for make in makers if make])
            room -= len(record)
            if room < 0:
                if not parts:  # an empty page would be asked for again, for ever
                    raise StatusError(status.REPLY_TOO_LARGE)
                return Answer(browse.InstanceAttributes(b"".join(parts)), status.PARTIAL)
            parts.append(record)
        return browse.InstanceAttributes(b"".join(parts))

    # -- the attributes of a symbol

    def _name(self, number: int, entry: Entry) -> bytes:
        octets = entry.name.encode("iso-8859-1")
        return UINT.produce(len(octets)) + octets

    def _type(self, number: int, entry: Entry) -> bytes:
        tag = entry.attribute
        if tag is None:
            return UINT.produce(_SYSTEM | _PROGRAM)
        kind = tag.type
        code = STRUCTURE_BIT | self._number_of(kind) if isinstance(kind, Structure) else kind.tag_type or 0
        return UINT.produce(code | len(tag.shape) << _DIMENSIONS)

    def _address(self, number: int, entry: Entry) -> bytes:
        return UDINT.produce((_ADDRESSES + number * _APART) & 0xFFFFFFFF)

    def _object_address(self, number: int, entry: Entry) -> bytes:
        return UDINT.produce((2 * _ADDRESSES + number * _APART) & 0xFFFFFFFF)

    def _control(self, number: int, entry: Entry) -> bytes:
        return UDINT.produce(_BASE_TAG)

    def _element_size(self, number: int, entry: Entry) -> bytes:
        return UINT.produce(0 if entry.attribute is None else min(entry.attribute.type.size, 0xFFFF))

    def _dimensions(self, number: int, entry: Entry) -> bytes:
        shape = () if entry.attribute is None else entry.attribute.shape
        return _SIZES.pack(*shape, *(0,) * (3 - len(shape)))

    def _access(self, number: int, entry: Entry) -> bytes:
        tag = entry.attribute
        hidden = tag is not None and tag.hidden
        return USINT.produce(_NONE if hidden else _READ_ONLY if tag is not None and tag.read_only else _READ_WRITE)


_ATTRIBUTES: dict[int, Callable[[Symbols, int, Entry], bytes]] = {
    1: Symbols._name,
    2: Symbols._type,
    3: Symbols._address,
    5: Symbols._object_address,
    6: Symbols._control,
    7: Symbols._element_size,
    8: Symbols._dimensions,
    10: Symbols._access,
}
