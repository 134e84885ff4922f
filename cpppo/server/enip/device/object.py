"""Object: a CIP object instance with attributes and services, and its class (instance 0).

Owns: the common services (Get and Set Attributes All, List, Single) and dispatch by service code.
Rule: a service handler takes (target, payload, context) and returns the reply's payload, or raises StatusError.
Must not know tags, frames or sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from cpppo.errors import StatusError
from cpppo.server.enip.device.attribute import MASK_GA_ALL, MASK_GA_SNG, Attribute
from cpppo.server.enip.device.connections import Origin
from cpppo.server.enip.device.target import Target
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.services import Service, attributes
from cpppo.server.enip.wire.types import UINT, USINT

__all__ = ["READ_OCTETS", "REPLY_HEAD", "Answer", "Context", "Handler", "Instances", "Meta", "Object", "serves"]

#: Octets of a reply before its payload (without extended status).
REPLY_HEAD = 4
#: Data octets that one unconnected read carries.
READ_OCTETS = 500
#: The highest number and count of instances that a class tells.
_MOST = 0xFFFF


class Context:
    """What a handler may need of what is around its request.

    ``octets``: those it stands in; ``room``: the most its whole reply may have; ``services``: those allowed here;
    ``data``: the most octets of tags, or of a list, that the reply may have; ``origin``: the session that asks.
    """

    __slots__ = ("data", "octets", "origin", "room", "services")

    def __init__(
        self,
        octets: bytes,
        room: int,
        services: Sequence[Service],
        data: int = READ_OCTETS,
        origin: Origin | None = None,
    ) -> None:
        self.octets = octets
        self.room = room
        self.services = services
        self.data = data
        self.origin = origin

    def inside(self, services: Sequence[Service]) -> Context:
        """The context of a request within this one, where other services are allowed."""
        return Context(self.octets, self.room, services, self.data, self.origin)

    def fit(self, size: int) -> None:
        """StatusError if a payload of so many octets does not fit the reply."""
        if size + REPLY_HEAD > self.room:
            raise StatusError(status.REPLY_TOO_LARGE)

    def most(self, head: int = 0) -> int:
        """The octets of data there is room for, after a payload's head."""
        return min(self.room - REPLY_HEAD - head, self.data)


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
        cls._collect()

    @classmethod
    def _collect(cls) -> None:
        """Find the handlers, those that a subclass overrides without marking them again included."""
        marked: dict[str, Service] = {}
        for base in reversed(cls.__mro__):
            marked.update((name, one.serves) for name, one in vars(base).items() if hasattr(one, "serves"))
        cls.services = {service.code: getattr(cls, name) for name, service in marked.items()}
        cls.symbolic_services = {
            service.code: getattr(cls, name) for name, service in marked.items() if service.symbolic
        }

    def put(self, number: int, attribute: Attribute) -> Attribute:
        """Add an attribute under its number."""
        self.attribute[number] = attribute
        return attribute

    # -- every reading and writing of a whole attribute goes through these

    def read(self, attribute: Attribute) -> bytes:
        """The octets of an attribute; StatusError if it answers an error."""
        if attribute.error:
            raise StatusError(attribute.error)
        return attribute.octets()

    def write(self, attribute: Attribute, octets: bytes) -> None:
        """Replace the octets of an attribute, all of them; StatusError if that is refused, or answered by an error."""
        if not self.settable(attribute):
            raise StatusError(status.ATTRIBUTE_NOT_SETTABLE)
        extent = attribute.extent(octets)
        if len(octets) != extent:
            raise StatusError(status.NOT_ENOUGH_DATA if len(octets) < extent else status.TOO_MUCH_DATA)
        self.store(attribute, attribute.kept(octets))
        if attribute.error:
            raise StatusError(attribute.error)

    def store(self, attribute: Attribute, octets: bytes) -> None:
        """Put octets into an attribute, as many as it keeps."""
        attribute.write_octets(0, octets)

    def settable(self, attribute: Attribute) -> bool:
        """Whether an attribute can be set; by default none can."""
        return False

    # -- the common services

    def attributes_of(self, target: Target) -> Mapping[int, Attribute]:
        """The attributes of what is asked, by number."""
        return self.attribute

    def _every(self, target: Target) -> list[Attribute]:
        """The attributes that the services on all of them are about, in order of their numbers."""
        every = [one for _, one in sorted(self.attributes_of(target).items()) if not one.mask & MASK_GA_ALL]
        if not every:
            raise StatusError(status.SERVICE_NOT_SUPPORTED)
        return every

    @serves(attributes.GET_ATTRIBUTES_ALL)
    def get_attributes_all(self, target: Target, data: Any, context: Context) -> Any:
        """All attributes, packed one after the other."""
        every = self._every(target)
        context.fit(sum(one.size for one in every))
        return attributes.AttributeData(b"".join(map(self.read, every)))

    @serves(attributes.GET_ATTRIBUTE_SINGLE)
    def get_attribute_single(self, target: Target, data: Any, context: Context) -> Any:
        """One attribute, whole."""
        attribute = self._single(target)
        if attribute.mask & MASK_GA_SNG:
            raise StatusError(status.ATTRIBUTE_NOT_SUPPORTED)
        context.fit(attribute.size)
        return attributes.AttributeData(self.read(attribute))

    @serves(attributes.SET_ATTRIBUTE_SINGLE)
    def set_attribute_single(self, target: Target, data: Any, context: Context) -> Any:
        """One attribute, whole; exactly as many octets as it has."""
        self.write(self._single(target), data.data)
        return b""

    def _single(self, target: Target) -> Attribute:
        """The attribute addressed by its number."""
        number = target.attribute_id
        attribute = None if number is None else self.attributes_of(target).get(number)
        if attribute is None:
            raise StatusError(status.ATTRIBUTE_NOT_SUPPORTED)
        return attribute

    @serves(attributes.GET_ATTRIBUTE_LIST)
    def get_attribute_list(self, target: Target, data: Any, context: Context) -> Any:
        """Every attribute asked for, in that order: number, status and, if that is 0, the value."""
        parts, worst, size = [], status.SUCCESS, UINT.size
        found = self.attributes_of(target)
        for number in data.attribute:
            attribute = found.get(number)
            code, octets = status.ATTRIBUTE_NOT_SUPPORTED, b""
            if attribute is not None and not attribute.mask & MASK_GA_SNG:
                size += attribute.size
                context.fit(size)  # before it is read: a long list of large attributes costs nothing
                try:
                    code, octets = status.SUCCESS, self.read(attribute)
                except StatusError as exc:
                    code = exc.status
            size += 2 * UINT.size
            context.fit(size)
            worst = status.ATTRIBUTE_LIST_ERROR if code else worst
            parts.append(UINT.produce(number) + UINT.produce(code) + octets)
        return Answer(attributes.AttributeValues(len(parts), b"".join(parts)), worst)

    @serves(attributes.SET_ATTRIBUTE_LIST)
    def set_attribute_list(self, target: Target, data: Any, context: Context) -> Any:
        """Set every attribute listed, in that order; one that is unknown ends the list: its size is not known."""
        parts, octets, worst = [], data.data, status.SUCCESS
        found = self.attributes_of(target)
        context.fit(UINT.size + 2 * UINT.size * data.count)
        for _ in range(data.count):
            if len(octets) < UINT.size:
                raise StatusError(status.NOT_ENOUGH_DATA)
            number = UINT.unpack(octets[: UINT.size])
            attribute = found.get(number)
            code = status.ATTRIBUTE_NOT_SUPPORTED
            if attribute is not None:
                octets = octets[UINT.size :]
                extent = attribute.extent(octets)
                value, octets = octets[:extent], octets[extent:]
                try:
                    self.write(attribute, value)
                    code = status.SUCCESS
                except StatusError as exc:
                    code = exc.status
            worst = status.ATTRIBUTE_LIST_ERROR if code else worst
            parts.append(UINT.produce(number) + UINT.produce(code))
            if attribute is None:
                break
        return Answer(attributes.AttributeValues(len(parts), b"".join(parts)), worst)

    @serves(attributes.SET_ATTRIBUTES_ALL)
    def set_attributes_all(self, target: Target, data: Any, context: Context) -> Any:
        """Set all attributes, in order of their numbers, if all can be set."""
        every = self._every(target)
        if not all(self.settable(one) for one in every):
            raise StatusError(status.SERVICE_NOT_SUPPORTED)
        octets, parts = data.data, []
        for one in every:
            extent = one.extent(octets)
            parts.append(octets[:extent])
            octets = octets[extent:]
            if len(parts[-1]) < extent:
                raise StatusError(status.NOT_ENOUGH_DATA)
        if octets:
            raise StatusError(status.TOO_MUCH_DATA)
        for one, part in zip(every, parts, strict=True):
            self.write(one, part)
        return b""


Object._collect()


class Meta(Object):
    """The class of objects, addressed as instance 0: revision, highest instance, number of instances."""

    def __init__(self, of: type[Object]) -> None:
        super().__init__(of.__name__, 0)
        for number, name, value in ((1, "revision", of.class_revision), (2, "max_instance", 0), (3, "instances", 0)):
            self.put(number, Attribute(name, UINT, value))

    def counted(self, instance_id: int) -> None:
        """One more instance; what is told of them ends where 16 bits do."""
        self.attribute[2].value = min(max(self.attribute[2].value, instance_id), _MOST)
        self.attribute[3].value = min(self.attribute[3].value + 1, _MOST)


class Instances(Object):
    """An object that answers for all instances of its class, whose attributes are made when they are asked for."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name, 0)
        self._meta = Meta(type(self))

    def described(self, instance: int) -> Mapping[int, bytes] | None:
        """The octets of the attributes of an instance, by number; None if there is no such instance."""
        raise NotImplementedError

    def attributes_of(self, target: Target) -> Mapping[int, Attribute]:
        if not target.instance:
            return self._meta.attribute
        found = self.described(target.instance)
        if found is None:
            raise StatusError(status.PATH_DESTINATION_UNKNOWN)
        return {number: Attribute(f"{self.name}_{number}", USINT, octets) for number, octets in found.items()}
