"""Object: a CIP object instance with attributes and services, and its class (instance 0).

Owns: the common services (Get and Set Attributes All, List, Single) and dispatch by service code.
Rule: a service handler takes (target, payload, context) and returns the reply's payload, or raises StatusError.
Must not know tags, frames or sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

from cpppo.errors import StatusError
from cpppo.server.enip.device.attribute import MASK_GA_ALL, MASK_GA_SNG, Attribute
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.services import Service, attributes, tag
from cpppo.server.enip.wire.types import UINT

__all__ = ["REPLY_HEAD", "Answer", "Context", "Handler", "Meta", "Object", "Target", "serves"]


#: Services that address an attribute by a name.
TAG_CODES = frozenset(
    one.code for one in (tag.READ_TAG, tag.WRITE_TAG, tag.RMW_TAG, tag.READ_TAG_FRAGMENTED, tag.WRITE_TAG_FRAGMENTED)
)

#: Octets of a reply before its payload (without extended status).
REPLY_HEAD = 4


class Target:
    """What a path leads to.  ``start``: the first element addressed; ``symbolic``: by name, not by numbers;
    ``services``: the handlers of what can be asked of it, by service code.
    """

    __slots__ = ("attribute", "attribute_id", "object", "services", "start", "symbolic")

    def __init__(
        self, one: Object, attribute_id: int | None, attribute: Attribute | None, start: int, symbolic: bool
    ) -> None:
        self.object = one
        self.attribute_id = attribute_id
        self.attribute = attribute
        self.start = start
        self.symbolic = symbolic
        self.services = one.symbolic_services if symbolic else one.services


class Context:
    """What a handler may need of what is around its request.

    ``octets``: those it stands in; ``room``: the most its whole reply may have; ``services``: those allowed here.
    """

    __slots__ = ("octets", "room", "services")

    def __init__(self, octets: bytes, room: int, services: Sequence[Service]) -> None:
        self.octets = octets
        self.room = room
        self.services = services

    def fitting(self, octets: bytes) -> bytes:
        """The payload of a reply, if it fits; StatusError if not."""
        if len(octets) + REPLY_HEAD > self.room:
            raise StatusError(status.REPLY_TOO_LARGE)
        return octets


class Answer(NamedTuple):
    """A reply payload with a status other than success, or with extended status."""

    data: Any
    status: int
    extended: tuple[int, ...] = ()


Handler = Callable[[Any, Target, Any, Context], Any]


def serves(service: Service) -> Callable[[Handler], Handler]:
    """Marks a method as the handler of a service."""

    def mark(handler: Handler) -> Handler:
        handler.serves = service  # type: ignore[attr-defined]
        return handler

    return mark


def _handlers(cls: type) -> dict[int, Handler]:
    """The handlers that a class itself marks, by service code."""
    return {one.serves.code: one for one in vars(cls).values() if hasattr(one, "serves")}


class Object:
    """An object instance.  ``class_id``, ``name``; ``attribute``: its attributes by number.

    Subclasses add services by methods marked with ``@serves(SERVICE)``.
    """

    class_id: ClassVar[int] = 0
    class_revision: ClassVar[int] = 1
    services: ClassVar[dict[int, Handler]] = {}
    #: Of those, the ones that can be asked of an attribute by its name.
    symbolic_services: ClassVar[dict[int, Handler]] = {}

    def __init__(self, name: str = "", instance_id: int = 1) -> None:
        self.name = name or type(self).__name__
        self.instance_id = instance_id
        self.attribute: dict[int, Attribute] = {}

    def __init_subclass__(cls, **kwds: Any) -> None:
        super().__init_subclass__(**kwds)
        cls.services = {**cls.services, **_handlers(cls)}
        cls.symbolic_services = {code: one for code, one in cls.services.items() if code in TAG_CODES}

    def put(self, number: int, attribute: Attribute) -> Attribute:
        """Add an attribute under its number."""
        self.attribute[number] = attribute
        return attribute

    # -- the common services

    def _one(self, target: Target) -> Attribute:
        if target.attribute is None:
            raise StatusError(status.ATTRIBUTE_NOT_SUPPORTED)
        if target.attribute.error:
            raise StatusError(target.attribute.error)
        return target.attribute

    @serves(attributes.GET_ATTRIBUTES_ALL)
    def get_attributes_all(self, target: Target, data: Any, context: Context) -> Any:
        """All attributes in order of their numbers, packed one after the other."""
        every = [one for _, one in sorted(self.attribute.items()) if not one.mask & MASK_GA_ALL]
        if not every:
            raise StatusError(status.SERVICE_NOT_SUPPORTED)
        return attributes.AttributeData(context.fitting(b"".join(one.octets() for one in every)))

    @serves(attributes.GET_ATTRIBUTE_SINGLE)
    def get_attribute_single(self, target: Target, data: Any, context: Context) -> Any:
        """One attribute, whole."""
        attribute = self._one(target)
        if attribute.mask & MASK_GA_SNG:
            raise StatusError(status.ATTRIBUTE_NOT_SUPPORTED)
        return attributes.AttributeData(context.fitting(attribute.octets()))

    @serves(attributes.SET_ATTRIBUTE_SINGLE)
    def set_attribute_single(self, target: Target, data: Any, context: Context) -> Any:
        """One attribute, whole; exactly as many octets as it has."""
        attribute = self._one(target)
        code = self._assign(attribute, data.data)
        if code:
            raise StatusError(code)
        return b""

    def _assign(self, attribute: Attribute, octets: bytes) -> int:
        """Set an attribute; the status."""
        if not self.settable(attribute):
            return status.ATTRIBUTE_NOT_SETTABLE
        size = attribute.size
        if len(octets) != size:
            return status.NOT_ENOUGH_DATA if len(octets) < size else status.TOO_MUCH_DATA
        attribute.write_octets(0, octets)
        return status.SUCCESS

    def settable(self, attribute: Attribute) -> bool:
        """Whether an attribute can be set; by default none can."""
        return False

    @serves(attributes.GET_ATTRIBUTE_LIST)
    def get_attribute_list(self, target: Target, data: Any, context: Context) -> Any:
        """Every attribute asked for, in that order: number, status and, if that is 0, the value."""
        parts, failed = [], False
        for number in data.attribute:
            attribute = self.attribute.get(number)
            if attribute is None or attribute.mask & MASK_GA_SNG or attribute.error:
                code = attribute.error if attribute is not None and attribute.error else status.ATTRIBUTE_NOT_SUPPORTED
                parts.append(UINT.produce(number) + UINT.produce(code))
                failed = True
            else:
                parts.append(UINT.produce(number) + UINT.produce(status.SUCCESS) + attribute.octets())
        return Answer(
            attributes.AttributeValues(len(parts), context.fitting(b"".join(parts))),
            status.ATTRIBUTE_LIST_ERROR if failed else status.SUCCESS,
        )

    @serves(attributes.SET_ATTRIBUTE_LIST)
    def set_attribute_list(self, target: Target, data: Any, context: Context) -> Any:
        """Set every attribute listed, in that order; one that is unknown ends the list: its size is not known."""
        parts, octets, failed = [], data.data, False
        for _ in range(data.count):
            if len(octets) < UINT.size:
                raise StatusError(status.NOT_ENOUGH_DATA)
            number = UINT.unpack(octets[: UINT.size])
            attribute = self.attribute.get(number)
            if attribute is None:
                parts.append(UINT.produce(number) + UINT.produce(status.ATTRIBUTE_NOT_SUPPORTED))
                failed = True
                break
            size = attribute.size
            value, octets = octets[UINT.size : UINT.size + size], octets[UINT.size + size :]
            code = self._assign(attribute, value)
            failed = failed or code != status.SUCCESS
            parts.append(UINT.produce(number) + UINT.produce(code))
        return Answer(
            attributes.AttributeValues(len(parts), context.fitting(b"".join(parts))),
            status.ATTRIBUTE_LIST_ERROR if failed else status.SUCCESS,
        )

    @serves(attributes.SET_ATTRIBUTES_ALL)
    def set_attributes_all(self, target: Target, data: Any, context: Context) -> Any:
        """Set all attributes, in order of their numbers, if all can be set."""
        every = [one for _, one in sorted(self.attribute.items()) if not one.mask & MASK_GA_ALL]
        if not every or not all(self.settable(one) for one in every):
            raise StatusError(status.SERVICE_NOT_SUPPORTED)
        sizes = [one.size for one in every]
        if len(data.data) != sum(sizes):
            raise StatusError(status.NOT_ENOUGH_DATA if len(data.data) < sum(sizes) else status.TOO_MUCH_DATA)
        at = 0
        for one, size in zip(every, sizes, strict=True):
            one.write_octets(0, data.data[at : at + size])
            at += size
        return b""


Object.services = _handlers(Object)


class Meta(Object):
    """The class of objects, addressed as instance 0: revision, highest instance, number of instances."""

    def __init__(self, of: type[Object]) -> None:
        super().__init__(of.__name__, 0)
        for number, name, value in ((1, "revision", of.class_revision), (2, "max_instance", 0), (3, "instances", 0)):
            self.put(number, Attribute(name, UINT, value))

    def counted(self, instance_id: int) -> None:
        """One more instance."""
        self.attribute[2].value = max(self.attribute[2].value, instance_id)
        self.attribute[3].value = self.attribute[3].value + 1
