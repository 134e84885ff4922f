"""Plant files: a controller with its types, tags and programs, written in TOML.

Owns: reading one, and everything that is wrong with it, each with its line and key.  Rule: all mistakes are told at
once; what depends on a mistake is not told again.  Must not know sockets or the command line.

    [controller]                    who it is: name, profile, vendor, product_code, revision, serial, ...
    [types.Motor]                   a structure: member = type
    [tags]                          name = type, or { type, value, description, access, address }
    [programs.MainProgram.tags]     the same, of a program
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from cpppo.errors import UsageError
from cpppo.server.enip.device import Attribute, Device, Identity, Profile
from cpppo.server.enip.options import TagSpec
from cpppo.server.enip.plant_problems import NAME_LENGTH, Mistakes, Problems, located
from cpppo.server.enip.plant_reader import PlacedTag, read_tables
from cpppo.server.enip.tagging import add
from cpppo.server.enip.toml import Document, Keys, parse_toml, read_octets
from cpppo.server.enip.wire.strings import KINDS
from cpppo.server.enip.wire.types import Kind

__all__ = ["NAME_LENGTH", "Plant", "PlantError", "parse_plant", "read_plant"]


class PlantError(Mistakes):
    """A plant file with mistakes, a line of text each; ``problems``: (line, key, what is wrong)."""


class Plant(NamedTuple):
    """What a plant file says.  ``identity``: who the controller is, in a profile; ``kinds``: the types there are, by
    name in upper case; ``placed``: the tags, and where in the ``document`` of ``file`` they stand.
    """

    name: str
    identity: Profile
    strict: bool
    kinds: Mapping[str, Kind]
    placed: tuple[PlacedTag, ...]
    programs: tuple[str, ...]
    document: Document
    file: str

    @property
    def tags(self) -> tuple[TagSpec, ...]:
        """The tags, those of programs last."""
        return tuple(one.spec for one in self.placed)

    def device(self, strict: bool = False, identity_class: type[Identity] = Identity) -> Device:
        """A new controller without tags."""
        return Device(self.identity, strict or self.strict, self.name, identity_class)

    def populate(self, device: Device, attribute_class: type[Attribute] = Attribute) -> None:
        """Add the tags and programs to a device; PlantError for those it cannot have."""
        problems = list(self._added(device, attribute_class))
        if problems:
            raise PlantError(self.file, located(self.document._replace(repeated=()), problems))
        for name in self.programs:
            device.add_program(name)

    def _added(self, device: Device, attribute_class: type[Attribute]) -> Iterator[tuple[Keys, str]]:
        """Add the tags, and tell which there cannot be; the same thing of many is told once."""
        told: set[str] = set()
        for keys, spec in self.placed:
            try:
                add(device, spec, attribute_class)
            except UsageError as exc:
                if str(exc) not in told:
                    yield (keys if spec.address is None else (*keys, "address")), str(exc)
                told.add(str(exc))

    def misplaced(self) -> Iterator[tuple[Keys, str]]:
        """The keys of tags that no controller of this sort can have, and why."""
        return self._added(self.device(), Attribute)

    def summary(self) -> str:
        """What there is, in numbers: ``2 types, 7 tags, 1 program``."""
        counts = {"type": len(self.kinds) - len(KINDS), "tag": len(self.placed), "program": len(self.programs)}
        return ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items())


def read_plant(path: str | Path, identity: Profile | None = None) -> Plant:
    """The plant of a file; PlantError (or UsageError for what is not TOML) with all mistakes, OSError if unreadable.

    :param identity: replaces the profile of the file; what else it says of its identity stays.
    """
    return parse_plant(read_octets(path), str(path), identity)


def parse_plant(octets: bytes, name: str = "plant.toml", identity: Profile | None = None) -> Plant:
    """As `read_plant`, of the octets of a file called ``name``."""
    document = parse_toml(octets, name)
    problems = Problems()
    plant = Plant(*read_tables(document, identity, problems), document=document, file=name)
    if problems.found or document.repeated:
        raise PlantError(name, located(document, [*problems.found, *plant.misplaced()]))
    return plant
