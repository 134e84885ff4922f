"""Templates: what the structures of a controller are made of, as clients read them (class 0x6C).

Owns: the instance numbers of structures, their sizes and definitions.  Rule: a number stays; clients take some of
them for elementary types, so those are not given.  Must not know frames or sockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from cpppo.errors import StatusError, UsageError
from cpppo.server.enip.device.object import Answer, Context, Instances, serves
from cpppo.server.enip.device.target import Target
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.services import browse
from cpppo.server.enip.wire.strings import STRING
from cpppo.server.enip.wire.structures import Structure, template_words
from cpppo.server.enip.wire.types import UDINT, UINT, USINT

__all__ = ["Templates"]

#: Numbers of structures that users define: below and above are those of controllers themselves.
_FIRST, _LAST = 0x101, 0xEFF
#: The number of STRING.
_STRING = 0xFCE
#: Low octets of numbers that clients take for the code of an elementary type.
_TAKEN = frozenset({0x00, 0xA0, *range(0xC0, 0xE0)})


class Templates(Instances):
    """The Template object: all structures of a device."""

    class_id: ClassVar[int] = browse.TEMPLATE

    def __init__(self) -> None:
        super().__init__("Template")
        self._numbers: dict[Structure, int] = {}
        self._by_number: dict[int, tuple[Structure, bytes]] = {}
        self._next = _FIRST

    def number_of(self, kind: Structure) -> int:
        """The number of a structure; a new one if it has none yet, also for those inside it."""
        number = self._numbers.get(kind)
        if number is None:
            for one in kind.inner():
                self.number_of(one)
            number = _STRING if kind is STRING else self._free()
            self._numbers[kind] = number
            self._by_number[number] = kind, kind.definition(self._numbers.__getitem__)
            self._meta.counted(number)
        return number

    def _free(self) -> int:
        while self._next & 0xFF in _TAKEN:
            self._next += 1
        if self._next > _LAST:
            raise UsageError("there are more structures than a controller has numbers for; use fewer types")
        self._next += 1
        return self._next - 1

    def described(self, instance: int) -> Mapping[int, bytes] | None:
        found = self._by_number.get(instance)
        if found is None:
            return None
        kind, definition = found
        count = UINT.produce(len(kind.members))
        return {
            1: UINT.produce(kind.handle),
            2: count,
            3: count,
            4: UDINT.produce(template_words(definition)),
            5: UDINT.produce(kind.size),
            6: UINT.produce(0),
            7: UDINT.produce(0),
            8: USINT.produce(0),
        }

    @serves(browse.READ_TEMPLATE)
    def read_template(self, target: Target, data: Any, context: Context) -> Any:
        """Octets of a definition, as many as were asked for and there are; status 0x06 if they do not fit."""
        if not isinstance(data, browse.ReadTemplate):  # addressed otherwise
            raise StatusError(status.SERVICE_NOT_SUPPORTED)
        found = self._by_number.get(target.instance or 0)
        if found is None:
            raise StatusError(status.PATH_DESTINATION_UNKNOWN)
        _, definition = found
        if data.offset >= len(definition):
            raise StatusError(status.LOGIX, status.OFFSET_BEYOND_END)
        octets, room = definition[data.offset : data.offset + data.length], context.most()
        if len(octets) <= room:
            return browse.TemplateData(octets)
        if room <= 0:
            raise StatusError(status.REPLY_TOO_LARGE)
        return Answer(browse.TemplateData(octets[:room]), status.PARTIAL)
