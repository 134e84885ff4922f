"""The directory of a device: its objects by number, its tags by name, and what paths lead to.

Owns: objects by class and instance, the scopes of tags (the controller's and each program's), and resolving paths.
Rule: a resolved path is remembered, never a value, an error or a right.  Must not know requests, frames or sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from cpppo.errors import StatusError, UsageError
from cpppo.server.enip.device.attribute import Attribute
from cpppo.server.enip.device.message_router import MessageRouter
from cpppo.server.enip.device.object import Meta, Object
from cpppo.server.enip.device.placed import PlacedTags, placed
from cpppo.server.enip.device.symbols import Entry, Symbols
from cpppo.server.enip.device.target import Target, no_such_symbol
from cpppo.server.enip.device.templates import Templates
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.path import SEGMENTS, Path
from cpppo.server.enip.wire.structures import Structure

__all__ = ["PROGRAM", "Directory"]

#: What the name of a program, as a symbol, begins with.
PROGRAM = "Program:"

#: Paths whose resolution is remembered at most, and segments that such a path has at most.
_TARGETS, _SEGMENTS = 4096, 32

#: Octets of the name of a tag, as a path counts them.
_NAME_OCTETS = 0xFF

#: Class and attribute numbers are those that 16 bits hold, instance numbers those that 32 do.
_LARGEST = (0xFFFF, 0xFFFFFFFF, 0xFFFF)

#: The segments that are numbers of objects, and their names in a path.
_NUMBERS = {SEGMENTS[name]: f"{name}_" if name == "class" else name for name in ("class", "instance", "attribute")}
_Symbolic, _Element = SEGMENTS["symbolic"], SEGMENTS["element"]


class Directory:
    """Objects and tags.  ``router``: the Message Router, whose attributes are tags; ``symbols``: those of the
    controller; ``programs``: those of each program, by its name in lower case; ``templates``: of the structures.
    """

    def __init__(self, router: MessageRouter) -> None:
        self._objects: dict[tuple[int, int], Object] = {}
        self._targets: dict[Path, Target] = {}
        self._tags: list[Attribute] = []
        self._next = 1
        self._stamp: int | None = None
        self.router = router
        self.templates = Templates()
        self.symbols = Symbols(router, self.templates.number_of)
        self.programs: dict[str, Symbols] = {}
        self.add(router)

    def add(self, one: Object) -> None:
        """Add an object instance; UsageError if its class has that instance already."""
        place = (one.class_id, one.instance_id)
        if place in self._objects:
            raise UsageError(f"class 0x{place[0]:x} has an instance {place[1]} already")
        self._objects[place] = one
        meta = self._objects.setdefault((one.class_id, 0), Meta(type(one)))
        if isinstance(meta, Meta):
            meta.counted(one.instance_id)
        self._targets.clear()

    def add_program(self, name: str) -> Symbols:
        """The scope of a program, which is made if it is not there yet."""
        scope = self.programs.get(name.lower())
        if scope is None:
            _addable(PROGRAM + name)
            scope = self.programs[name.lower()] = Symbols(self.router, self.templates.number_of)
            self.symbols.add(Entry(PROGRAM + name))
            self._changed()
        return scope

    def add_tag(self, attribute: Attribute, address: tuple[int, int, int] | None = None) -> Attribute:
        """Add a tag, as the next attribute of the Message Router; ``Program:NAME.TAG`` is a tag of a program instead.

        :param address: a class, instance and attribute to put it at; the object is made if there is none.
        :raises UsageError: there is one of that name, or something at that address.
        """
        program, name = _scoped(attribute.name)
        scope = self.symbols if program is None else self.programs.get(program.lower())
        known = scope and scope.by_name.get(name.lower())
        if known:
            shown = known.name if known.attribute is None else known.attribute.name
            raise UsageError(f"tag {attribute.name!r} exists already, as {shown!r}: names are compared without case")
        _addable(name)
        if address is not None:
            owner, number = self._place(attribute.name, address)
            owner.put(number, attribute)
        elif program is None:
            while self._next in self.router.attribute:
                self._next += 1
            self.router.put(self._next, attribute)
        if isinstance(attribute.type, Structure):
            self.templates.number_of(attribute.type)
        if scope is None:
            scope = self.add_program(program or "")
        scope.add(Entry(name, attribute))
        self._tags.append(attribute)
        self._changed()
        return attribute

    def _place(self, name: str, address: tuple[int, int, int]) -> tuple[Object, int]:
        """The object and attribute number of an address, which must be free."""
        class_id, instance, number = address
        where = f"tag {name!r} at @0x{class_id:x}/{instance}/{number}"
        if not all(0 < one <= most for one, most in zip(address, _LARGEST, strict=True)):
            raise UsageError(f"{where}: numbers begin at 1, and end at {'/'.join(map(str, _LARGEST))}")
        if class_id in (Symbols.class_id, Templates.class_id):
            raise UsageError(f"{where}: that class tells what tags there are; choose another, eg. 0x93")
        owner = self._objects.get((class_id, instance))
        if owner is None:
            owner = placed(self.router, class_id, instance)
            self.add(owner)
        elif owner is not self.router and not isinstance(owner, PlacedTags):
            raise UsageError(f"{where}: that is the controller's {owner.name}; choose another class, eg. 0x93")
        if number in owner.attribute:
            raise UsageError(f"{where}: {owner.attribute[number].name!r} is there already; choose another attribute")
        return owner, number

    def tags(self) -> list[Attribute]:
        """Every tag, in the order they were added."""
        return list(self._tags)

    def __getitem__(self, name: str) -> Attribute:
        """The tag of a name, without case; KeyError if there is none."""
        try:
            program, name = _scoped(name)
        except UsageError:
            raise KeyError(name) from None
        scope = self.symbols if program is None else self.programs[program.lower()]
        attribute = scope.by_name[name.lower()].attribute
        if attribute is None:
            raise KeyError(name)
        return attribute

    def _changed(self) -> None:
        self._targets.clear()
        self._stamp = None

    def stamp(self) -> int:
        """32 bits that follow from the names and types of all tags."""
        if self._stamp is None:
            told = (f"{one.name}:{one.type}:{getattr(one.type, 'handle', '')}:{one.shape}" for one in self._tags)
            self._stamp = crc32("|".join((*told, *self.programs)).encode("utf-8"))
        return self._stamp

    # -- resolving

    def resolve(self, path: Path) -> Target:
        """What a path leads to; StatusError 0x04 for names, 0x05 for numbers that are not there."""
        segments, scope = path.segment, self.symbols
        first: Any = segments[0] if segments else None
        if first.__class__ is _Symbolic and first.symbolic[: len(PROGRAM)].lower() == PROGRAM.lower():
            found = self.programs.get(first.symbolic[len(PROGRAM) :].lower())
            if found is None or len(segments) < 2:
                raise no_such_symbol()
            segments, scope = segments[1:], found
            first = segments[0]
        if first.__class__ is _Symbolic:
            entry = scope.by_name.get(first.symbolic.lower())
            if entry is None or entry.attribute is None:
                raise no_such_symbol()
            router = self.router
            target = Target(router, router.symbolic_services, attribute=entry.attribute, segments=segments[1:])
        else:
            target = self._by_number(segments, scope)
        if len(path.segment) <= _SEGMENTS:
            if len(self._targets) >= _TARGETS:
                self._targets.clear()
            self._targets[path] = target
        return target

    def _by_number(self, segments: Sequence[Any], scope: Symbols) -> Target:
        numbers: dict[str, int] = {}
        for one in segments:
            name = _NUMBERS.get(one.__class__)
            if name is None:
                break
            if name in numbers:
                raise no_such_symbol()
            numbers[name] = getattr(one, name)
        rest = segments[len(numbers) :]
        if any(one.__class__ not in (_Element, _Symbolic) for one in rest):
            connection = rest and rest[0].__class__ is SEGMENTS["connection"]
            raise StatusError(status.PATH_DESTINATION_UNKNOWN) if connection else no_such_symbol()
        class_id, instance, number = numbers.get("class_", 0), numbers.get("instance", 0), numbers.get("attribute")
        if class_id == Symbols.class_id:
            return self._symbol(scope, instance, number, rest)
        if scope is not self.symbols:
            raise StatusError(status.PATH_DESTINATION_UNKNOWN)
        if class_id == Templates.class_id:
            return Target(self.templates, self.templates.services, number, instance=instance)
        owner = self._objects.get((class_id, instance))
        if owner is None:
            raise StatusError(status.PATH_DESTINATION_UNKNOWN)
        attribute = owner.attribute.get(number) if number is not None else None
        return Target(owner, owner.services, number, attribute, segments=rest)

    def _symbol(self, scope: Symbols, instance: int, number: int | None, rest: Sequence[Any]) -> Target:
        """A symbol, or, for the services on tags, its tag."""
        entry = scope.get(instance)
        attribute = entry.attribute if entry and number is None else None
        unknown = status.PATH_DESTINATION_UNKNOWN
        return Target(scope, scope.services, number, attribute, instance, rest, absent=unknown)


def _addable(name: str) -> None:
    """UsageError if a symbol of a name could not be told of."""
    if not 0 < len(name) <= _NAME_OCTETS or max(name) > "\xff":
        raise UsageError(
            f"{name[:_NAME_OCTETS]!r} is no name of a tag: it has up to {_NAME_OCTETS} characters of ISO-8859-1"
        )


def _scoped(name: str) -> tuple[str | None, str]:
    """(program or None, name of the tag in it) of a full name; UsageError for the name of a program alone."""
    if name[: len(PROGRAM)].lower() != PROGRAM.lower():
        return None, name
    program, _, tag = name[len(PROGRAM) :].partition(".")
    if not program or not tag:
        raise UsageError(f"{name!r} is no tag: one of a program is named {PROGRAM}NAME.TAG")
    return program, tag
