"""Plant files: a controller with its types, tags and programs, written in TOML.

Owns: reading one, and everything that is wrong with it, each with its line and key.  Rule: all mistakes are told at
once; what depends on a mistake is not told again.  Must not know sockets or the command line.

    [controller]                    who it is: name, profile, vendor, product_code, revision, serial, ...
    [types.Motor]                   a structure: member = type
    [tags]                          name = type, or { type, value, description, access, address }
    [programs.MainProgram.tags]     the same, of a program
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cpppo.errors import LocalProtocolError, UsageError
from cpppo.server.enip.device import DEFAULT_PROFILE, Attribute, Device, Identity, Profile, profile_named
from cpppo.server.enip.options import TagSpec, parse_type, tag_address, tag_spec
from cpppo.server.enip.tagging import add, kinds_of
from cpppo.server.enip.toml import Keys, key_lines, line_of, parse_toml
from cpppo.server.enip.wire.strings import KINDS, structure
from cpppo.server.enip.wire.structures import Structure
from cpppo.server.enip.wire.types import BOOL, TYPES, Kind, pack

__all__ = ["NAME_LENGTH", "Plant", "PlantError", "parse_plant", "read_plant"]

#: Characters of a name, as Logix controllers limit them.
NAME_LENGTH = 40

#: The keys of each table, and what their values are.
_TOP = {"controller": dict, "types": dict, "tags": dict, "programs": dict}
_TAG = {"type": str, "value": object, "description": str, "access": str, "address": str}
_PROGRAM = {"tags": dict}
_CONTROLLER = {
    "name": str,
    "profile": str,
    "vendor": int,
    "device_type": int,
    "product_code": int,
    "revision": str,
    "status": int,
    "serial": int,
    "product_name": str,
    "strict": bool,
    "large_forward_open": bool,
}
_ACCESS = ("read-write", "read-only", "none")
#: How types of values are called where one is wrong.
_WORDS = {dict: "a table", str: "text in quotes", int: "a whole number", bool: "true or false"}
#: Bits of the numbers that say who a controller is.
_BITS = {"vendor": 16, "device_type": 16, "product_code": 16, "status": 16, "serial": 32}


class PlantError(UsageError):
    """A plant file with mistakes, a line of text each; ``problems``: (line, key, what is wrong)."""

    def __init__(self, name: str, problems: Iterable[tuple[int, str, str]]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(f"{name}:{line}: {key}: {text}" for line, key, text in self.problems))


class Plant(NamedTuple):
    """What a plant file says.  ``identity``: who the controller is, in a profile; ``kinds``: the types there are, by
    name in upper case; ``places``: the keys of each tag, in ``text``, that of ``file``.
    """

    name: str
    identity: Profile
    strict: bool
    kinds: Mapping[str, Kind]
    tags: tuple[TagSpec, ...]
    programs: tuple[str, ...]
    places: tuple[Keys, ...] = ()
    text: str = ""
    file: str = ""

    def device(self, strict: bool = False, identity_class: type[Identity] = Identity) -> Device:
        """A new controller without tags."""
        return Device(self.identity, strict or self.strict, self.name, identity_class)

    def populate(self, device: Device, attribute_class: type[Attribute] = Attribute) -> None:
        """Add the tags and programs to a device; PlantError for those it cannot have."""
        problems: list[tuple[Keys, str]] = []
        for spec, keys in zip(self.tags, self.places, strict=True):
            try:
                add(device, spec, attribute_class)
            except UsageError as exc:
                problems.append((keys, str(exc)))
        if problems:
            raise _located(self.file, self.text, problems)
        for name in self.programs:
            device.add_program(name)

    def summary(self) -> str:
        """What there is, in numbers: ``2 types, 7 tags, 1 program``."""
        counts = {"type": len(self.kinds) - len(KINDS), "tag": len(self.tags), "program": len(self.programs)}
        return ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items())


def read_plant(path: str | Path, identity: Profile | None = None) -> Plant:
    """The plant of a file; PlantError (or UsageError for what is not TOML) with all mistakes, OSError if unreadable.

    :param identity: replaces that of the file.
    """
    return parse_plant(Path(path).read_bytes(), str(path), identity)


def parse_plant(octets: bytes, name: str = "plant.toml", identity: Profile | None = None) -> Plant:
    """As `read_plant`, of the octets of a file called ``name``."""
    values, text = parse_toml(octets, name)
    reader = _Reader(values, identity)
    plant = reader.plant()
    if reader.problems:
        raise _located(name, text, reader.problems)
    return plant._replace(text=text, file=name)


def _located(name: str, text: str, problems: Iterable[tuple[Keys, str]]) -> PlantError:
    lines = key_lines(text)
    return PlantError(name, ((line_of(lines, keys), ".".join(keys), what) for keys, what in problems))


class _Reader:
    """The values of a file as they are checked; ``problems``: (keys, what is wrong)."""

    def __init__(self, values: dict[str, Any], identity: Profile | None) -> None:
        self.problems: list[tuple[Keys, str]] = []
        self._values = self._table((), values, _TOP)
        self._given = identity
        self._kinds: dict[str, Kind] = {}
        #: Types that are being looked at (from outside in), and those that are wrong.
        self._open: list[str] = []
        self._broken: set[str] = set()

    def _wrong(self, keys: Keys, text: object) -> None:
        self.problems.append((keys, str(text)))

    def _table(self, keys: Keys, values: Any, known: Mapping[str, type]) -> dict[str, Any]:
        """Those entries of a table that can be used: known, and of the right sort."""
        found = {}
        for key, value in values.items():
            here = (*keys, key)
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                self._wrong(here, f"unknown key; {f'is it {near[0]}?' if near else 'one of ' + ', '.join(known)}")
            elif known[key] is not object and type(value) is not known[key]:
                self._wrong(here, f"{_shown(value)} is not {_WORDS[known[key]]}")
            else:
                found[key] = value
        return found

    def plant(self) -> Plant:
        controller = self._table(("controller",), self._values.get("controller", {}), _CONTROLLER)
        profile = self._identity(controller)
        self._kinds = kinds_of(profile.micro800)
        self._types(self._values.get("types", {}))
        scopes: list[tuple[str, Keys, dict[str, Any]]] = [("", ("tags",), self._values.get("tags", {}))]
        programs: list[str] = []
        for name, program in self._values.get("programs", {}).items():
            keys = ("programs", name)
            if self._named(keys, name, programs) and type(program) is dict:
                programs.append(name)
                tags = self._table(keys, program, _PROGRAM).get("tags", {})
                scopes.append((f"Program:{name}.", (*keys, "tags"), tags))
            elif type(program) is not dict:
                self._wrong(keys, f"{_shown(program)} is not a table; write [programs.{name}.tags]")
        found = [one for prefix, keys, tags in scopes for one in self._tags(prefix, keys, tags)]
        name = controller.get("name", "Simulator")
        if not name or len(name) > NAME_LENGTH or not _latin(name):
            self._wrong(("controller", "name"), f"a name has 1 to {NAME_LENGTH} characters of ISO-8859-1")
        strict = bool(controller.get("strict", False))
        places, specs = tuple(keys for keys, _ in found), tuple(spec for _, spec in found)
        return Plant(name, profile, strict, self._kinds, specs, tuple(programs), places)

    # -- who it is

    def _identity(self, given: dict[str, Any]) -> Profile:
        profile = profile_named(DEFAULT_PROFILE)
        if "profile" in given:
            try:
                profile = profile_named(given["profile"])
            except UsageError as exc:
                self._wrong(("controller", "profile"), exc)
        profile = profile if self._given is None else self._given
        changes: dict[str, Any] = {}
        for key, bits in _BITS.items():
            if key not in given:
                continue
            if 0 <= given[key] < 1 << bits:
                changes[key] = given[key]
            else:
                self._wrong(("controller", key), f"{given[key]} is not a number of 0 to {(1 << bits) - 1}")
        if "revision" in given:
            numbers = given["revision"].split(".")
            if len(numbers) == 2 and all(one.isdecimal() and one.isascii() and len(one) < 4 for one in numbers):
                changes["major"], changes["minor"] = map(int, numbers)
            if max(changes.get("major", 256), changes.get("minor", 256)) > 255:
                self._wrong(("controller", "revision"), f'{_shown(given["revision"])} is no revision; eg. "32.11"')
        if "product_name" in given:
            changes["product_name"] = given["product_name"]
            if len(given["product_name"]) > 32 or not _latin(given["product_name"]):
                self._wrong(("controller", "product_name"), "a product name has up to 32 characters of ISO-8859-1")
        large = given.get("large_forward_open", profile.large)
        return profile._replace(identity=profile.identity._replace(**changes), large=large)

    # -- types

    def _types(self, types: dict[str, Any]) -> None:
        names: list[str] = []
        for name, members in types.items():
            keys = ("types", name)
            if name.upper() in KINDS:
                self._wrong(keys, "there is an elementary type of that name; choose another")
            elif not self._named(keys, name, names):
                self._broken.add(name.upper())
            elif type(members) is not dict:
                self._wrong(keys, f"{_shown(members)} is not a table; write [types.{name}] and then member = type")
                self._broken.add(name.upper())
            names.append(name)
        self._wanted = {name.upper(): name for name in names}
        for name in names:
            self._type(types, name)

    def _type(self, types: dict[str, Any], name: str) -> None:
        """Make a type, and first those it is made of."""
        upper = name.upper()
        if upper in self._kinds or upper in self._broken:
            return
        if upper in self._open:
            chain = " -> ".join(self._wanted[one] for one in (*self._open[self._open.index(upper) :], upper))
            self._wrong(("types", self._wanted[upper]), f"it would contain itself: {chain}")
            self._broken.update(self._open[self._open.index(upper) :])
            return
        self._open.append(upper)
        members: list[tuple[str, Kind, int]] = []
        for member, text in types[name].items():
            keys = ("types", name, member)
            kind, shape = self._kind(keys, member, text, types)
            if kind is None:
                self._broken.add(upper)
            elif len(shape) > 1:
                self._wrong(keys, "a member has one dimension at most")
                self._broken.add(upper)
            else:
                members.append((member, kind, shape[0] if shape else 0))
        self._open.pop()
        try:
            made = structure(name, members) if members or upper not in self._broken else None
            if made is not None and upper not in self._broken:
                self._kinds[upper] = made
        except LocalProtocolError as exc:
            member = next((one for one, _, _ in members if repr(one) in exc.reason), None)
            self._wrong(("types", name, *([] if member is None else [member])), exc.reason)
            self._broken.add(upper)

    def _kind(self, keys: Keys, name: str, text: Any, types: dict[str, Any]) -> tuple[Kind | None, tuple[int, ...]]:
        """The type and the dimensions that a text says; None if that is wrong, which then has been told."""
        if not isinstance(text, str):
            self._wrong(keys, f'{_shown(text)} is no type; write eg. "REAL" or "DINT[4]"')
            return None, ()
        wanted = text.partition("[")[0].strip().upper()
        if wanted in self._wanted:
            self._type(types, self._wanted[wanted])
        if wanted in self._broken:
            return None, ()
        try:
            return parse_type(name, text, self._kinds)
        except UsageError as exc:
            self._wrong(keys, exc)
            return None, ()

    # -- tags

    def _tags(self, prefix: str, keys: Keys, tags: dict[str, Any]) -> Iterable[tuple[Keys, TagSpec]]:
        names: list[str] = []
        for name, given in tags.items():
            here = (*keys, name)
            if not self._named(here, name, names):
                continue
            names.append(name)
            if type(given) is dict:
                table = self._table(here, given, _TAG)
                if "type" not in given:
                    self._wrong(here, 'it has no type; write eg. type = "INT[10]"')
                if "type" not in table:
                    continue
                kind, shape = self._kind((*here, "type"), name, table["type"], self._values.get("types", {}))
            else:
                table = {}
                kind, shape = self._kind(here, name, given, self._values.get("types", {}))
            if kind is not None:
                yield here, self._tag(here, prefix + name, kind, shape, table)

    def _tag(self, keys: Keys, name: str, kind: Kind, shape: tuple[int, ...], table: dict[str, Any]) -> TagSpec:
        access, address, values = table.get("access", _ACCESS[0]), None, []
        if access not in _ACCESS:
            self._wrong((*keys, "access"), f"{_shown(access)} is not one of {', '.join(_ACCESS)}")
        if "address" in table:
            try:
                address = tag_address(name, table["address"].removeprefix("@"))
            except UsageError as exc:
                self._wrong((*keys, "address"), exc)
        if "value" in table:
            values = self._initial((*keys, "value"), kind, shape, table["value"])
        return tag_spec(name, kind, shape, values, address, access, table.get("description", ""))

    def _initial(self, keys: Keys, kind: Kind, shape: tuple[int, ...], value: Any) -> list[Any]:
        """The values of the first elements, in row-major order."""
        try:
            values = _flat(value, shape) if shape else [value]
            for one in values:
                _checked(kind, one)
            pack(kind, values)
        except LocalProtocolError as exc:
            place = exc.path if shape else exc.path.removeprefix("[0]").removeprefix(".")
            self._wrong(keys, f"{place}: {exc.reason}" if place else exc.reason)
            return []
        return values

    def _named(self, keys: Keys, name: str, others: Iterable[str]) -> bool:
        """Whether a name can be that of a tag, type or program; if not, say so."""
        twice = next((one for one in others if one.lower() == name.lower()), None)
        if len(name) > NAME_LENGTH:
            self._wrong(keys, f"a name has up to {NAME_LENGTH} characters, this one {len(name)}")
        elif not (name.isascii() and name.replace(":", "_").isidentifier()):
            self._wrong(keys, "a name is made of letters, digits and _, no digit first")
        elif twice is not None:
            self._wrong(keys, f"it is there already, as {twice!r}: names are compared without case")
        else:
            return True
        return False


def _latin(text: str) -> bool:
    return all(one <= "\xff" for one in text)


def _shown(value: Any) -> str:
    """A value for an error, not too long."""
    text = repr(value)
    return text if len(text) <= NAME_LENGTH else text[:NAME_LENGTH] + "..."


def _flat(value: Any, shape: tuple[int, ...]) -> list[Any]:
    """The elements of a list, or of lists in lists as deep as there are dimensions; LocalProtocolError if too many."""
    if not isinstance(value, list):
        raise LocalProtocolError(f"{_shown(value)} is not a list; there {_elements(shape)}")
    if len(shape) > 1 and value and all(isinstance(one, list) for one in value):
        if len(value) > shape[0]:
            raise LocalProtocolError(f"{len(value)} lists are more than the first dimension, {shape[0]}")
        rows = [_flat(one, shape[1:]) for one in value]
        whole = _product(shape[1:])
        short = next((at for at, one in enumerate(rows[:-1]) if len(one) < whole), None)
        if short is not None:
            raise LocalProtocolError(f"{len(rows[short])} elements are not the {whole} before the next", f"[{short}]")
        return [one for row in rows for one in row]
    if len(value) > _product(shape):
        raise LocalProtocolError(f"{len(value)} values are too many: there {_elements(shape)}")
    return value


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for one in shape:
        total *= one
    return total


def _elements(shape: tuple[int, ...]) -> str:
    count = _product(shape)
    return f"{'is' if count == 1 else 'are'} {count} element{'' if count == 1 else 's'}"


def _checked(kind: Kind, value: Any) -> None:
    """LocalProtocolError for what Python would take as a number but a reader would not."""
    if kind is BOOL:
        if type(value) is not bool and value not in (0, 1):
            raise LocalProtocolError(f"{_shown(value)} is no BOOL; it is true or false")
    elif type(value) is bool and kind.name in TYPES:
        raise LocalProtocolError(f"{value} is no {kind.name}".replace("True", "true").replace("False", "false"))
    elif isinstance(kind, Structure) and isinstance(value, dict):
        for name, one in value.items():
            member = kind.find(name)
            if member is not None:
                for part in one if isinstance(one, list) else [one]:
                    _checked(member.kind, part)
