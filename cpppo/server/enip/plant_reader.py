"""The tables of a plant file, one after the other, as what they say.

Owns: which keys there are, and what their values mean.  Rule: everything that is right can be had, whatever else is
wrong.  Must not know how files are read, nor devices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from cpppo.errors import UsageError
from cpppo.server.enip.device import DEFAULT_PROFILE, Profile, profile_named
from cpppo.server.enip.options import TagSpec, tag_address, tag_spec
from cpppo.server.enip.plant_problems import NAME_LENGTH, Problems, nearest
from cpppo.server.enip.plant_types import Types
from cpppo.server.enip.plant_values import Values
from cpppo.server.enip.tagging import kinds_of
from cpppo.server.enip.toml import Document, Keys, dotted, shown
from cpppo.server.enip.wire.structures import Structure
from cpppo.server.enip.wire.types import Kind

__all__ = ["PlacedTag", "Read", "read_tables"]

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
#: Its name, if the file has none.
_NAME = "Simulator"
_ACCESS = ("read-write", "read-only", "none")
#: Bits of the numbers that say who a controller is.
_BITS = {"vendor": 16, "device_type": 16, "product_code": 16, "status": 16, "serial": 32}
#: Characters of its product name.
_PRODUCT_LENGTH = 32
#: Parts of one value that are told to be wrong.
_PARTS = 5


class PlacedTag(NamedTuple):
    """A tag, and the keys that lead to it."""

    keys: Keys
    spec: TagSpec


class Read(NamedTuple):
    """What the tables say; ``kinds``: the types there are, by name in upper case."""

    name: str
    identity: Profile
    strict: bool
    kinds: dict[str, Kind]
    tags: tuple[PlacedTag, ...]
    programs: tuple[str, ...]


def read_tables(document: Document, identity: Profile | None, problems: Problems) -> Read:
    """What the tables of a document say, as far as it is right.

    :param identity: replaces the profile that it names.
    """
    return _Reader(document, problems).read(identity)


class _Reader:
    def __init__(self, document: Document, problems: Problems) -> None:
        self._problems = problems
        self._given = document.values
        self._top = problems.table((), document.values, _TOP, _misplaced)

    def read(self, given: Profile | None) -> Read:
        controller = self._problems.table(("controller",), self._top.get("controller", {}), _CONTROLLER)
        profile = self._identity(controller, given)
        complete = not any(nearest(key, {"types": dict}) for key in self._given.keys() - self._top.keys())
        self._types = Types(self._problems, self._top.get("types", {}), kinds_of(profile.micro800), complete)
        programs: list[str] = []
        tags = list(self._tags(("tags",), "", self._top.get("tags", {})))
        others: dict[str, str] = {}
        for name, program in self._top.get("programs", {}).items():
            keys = ("programs", name)
            known = self._problems.named(keys, others)
            found = list(self._program(keys, program))
            if known:
                programs.append(name)
                tags += found
        name = controller.get("name", _NAME)
        if not name or len(name) > NAME_LENGTH or not _latin(name):
            self._problems.wrong(("controller", "name"), f"a name has 1 to {NAME_LENGTH} characters of ISO-8859-1")
            name = _NAME
        strict = bool(controller.get("strict", False))
        return Read(name, profile, strict, self._types.kinds, tuple(tags), tuple(programs))

    # -- who it is

    def _identity(self, table: dict[str, Any], given: Profile | None) -> Profile:
        profile = profile_named(DEFAULT_PROFILE)
        if "profile" in table:
            try:
                profile = profile_named(table["profile"])
            except UsageError as exc:
                self._problems.wrong(("controller", "profile"), exc)
        profile = profile if given is None else given
        changes: dict[str, Any] = {}
        for key, bits in _BITS.items():
            if key in table and 0 <= table[key] < 1 << bits:
                changes[key] = table[key]
            elif key in table:
                told = f"{shown(table[key])} is not a number of 0 to {(1 << bits) - 1}"
                self._problems.wrong(("controller", key), told)
        if "revision" in table:
            parts = table["revision"].split(".")
            numbers = [int(one) for one in parts if one.isdecimal() and one.isascii() and len(one) < 4]
            if len(numbers) == len(parts) == 2 and max(numbers) < 256:
                changes["major"], changes["minor"] = numbers
            else:
                told = f'{shown(table["revision"])} is no revision; write major and minor number, eg. "32.11"'
                self._problems.wrong(("controller", "revision"), told)
        if "product_name" in table:
            if len(table["product_name"]) <= _PRODUCT_LENGTH and _latin(table["product_name"]):
                changes["product_name"] = table["product_name"]
            else:
                told = f"a product name has up to {_PRODUCT_LENGTH} characters of ISO-8859-1"
                self._problems.wrong(("controller", "product_name"), told)
        large = table.get("large_forward_open", profile.large)
        return profile._replace(identity=profile.identity._replace(**changes), large=large)

    # -- tags

    def _program(self, keys: Keys, program: Any) -> Iterable[PlacedTag]:
        """The tags of a program."""
        head = f"[{dotted((*keys, 'tags'))}]"
        if type(program) is not dict:
            self._problems.wrong(keys, f"{shown(program)} is not a table; write {head}")
            return ()
        table = self._problems.table(keys, program, _PROGRAM, lambda key, value: f"the tags stand below {head}")
        return self._tags((*keys, "tags"), f"Program:{keys[-1]}.", table.get("tags", {}))

    def _tags(self, keys: Keys, prefix: str, tags: dict[str, Any]) -> Iterable[PlacedTag]:
        names: dict[str, str] = {}
        for name, given in tags.items():
            here = (*keys, name)
            known = False
            if name.lower().startswith("program:"):
                self._problems.wrong(here, "the tags of a program stand below [programs.NAME.tags]")
            else:
                known = self._problems.named(here, names, parts=True)
            spec = self._tag(here, prefix + name, given)
            if spec is not None and known:
                yield PlacedTag(here, spec)

    def _tag(self, keys: Keys, name: str, given: Any) -> TagSpec | None:
        """A tag from its type, or from a table; None if its type is wrong."""
        if type(given) is not dict:
            kind, shape = self._types.kind(keys, given)
            return None if kind is None else tag_spec(name, kind, shape)
        if not any(nearest(key, _TAG) for key in given):
            head = f"[types.{dotted(keys[-1:])}]"
            told = f'it has no type; write eg. type = "INT[10]". The members of a structure stand below {head}'
            self._problems.wrong(keys, told)
            return None
        found: Kind | None = None
        shape = ()
        if isinstance(given.get("type"), str):
            found, shape = self._types.kind((*keys, "type"), given["type"])
        elif not any(nearest(key, {"type": str}) for key in given):
            self._problems.wrong(keys, 'it has no type; add eg. type = "INT[10]"')
        table = self._problems.table(keys, given, _TAG, lambda key, value: _is_member(found, key, value))
        address, given_access = self._address(keys, table), table.get("access", _ACCESS[0])
        access = re.sub(r"[ /_]", "-", given_access.strip().lower())  # "Read Only", as engineering tools have it
        if access not in _ACCESS:
            self._problems.wrong((*keys, "access"), f"{shown(given_access)} is not one of {', '.join(_ACCESS)}")
        if found is None:
            return None
        values = self._initial((*keys, "value"), found, shape, table["value"]) if "value" in table else []
        return tag_spec(name, found, shape, values, address, access, table.get("description", ""))

    def _address(self, keys: Keys, table: dict[str, Any]) -> tuple[int, int, int] | None:
        if "address" not in table:
            return None
        try:
            return tag_address(keys[-1], table["address"].removeprefix("@"))
        except UsageError:
            told = f'{shown(table["address"])} is no class/instance/attribute; write eg. "0x93/1/10"'
            self._problems.wrong((*keys, "address"), told)
            return None

    def _initial(self, keys: Keys, kind: Kind, shape: tuple[int, ...], value: Any) -> list[Any]:
        """The values of the first elements, in row-major order; none if any is wrong."""
        reader = Values(self._types.bits)
        values = reader.initial(kind, shape, value)
        for place, text in reader.wrong[:_PARTS]:
            inner = next((at for at, one in enumerate(place) if isinstance(one, int)), len(place))
            rest = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in place[inner:])
            more = len(reader.wrong) - _PARTS
            also = f" (and {more} more)" if more > 0 and (place, text) == reader.wrong[_PARTS - 1] else ""
            self._problems.wrong((*keys, *map(str, place[:inner])), f"{rest}: {text}{also}" if rest else text + also)
        return [] if reader.wrong else values


def _misplaced(key: str, value: Any) -> str:
    """What to do instead of a key beside all tables."""
    known = ", ".join(f"[{one}]" for one in _TOP)
    return f"tags stand below [tags]; the tables are {known}" if isinstance(value, str) else ""


def _is_member(kind: Kind | None, key: str, value: Any) -> str:
    """What to do instead of a key of a tag that is a member of its structure."""
    member = kind.find(key) if isinstance(kind, Structure) else None
    if member is None or member.hidden:
        return ""
    return f"write a member's value as value = {shown({member.name: value})}"


def _latin(text: str) -> bool:
    return all(one <= "\xff" for one in text)
