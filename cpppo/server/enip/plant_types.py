"""The structures of a plant file, and types as it writes them: ``Motor[8]``.

Owns: making structures from their members in whatever order they stand, and what is wrong with them.  Rule: what is
made of a type that is wrong is wrong, too, without a word.  Must not know tags.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cpppo.errors import LocalProtocolError, UsageError
from cpppo.server.enip.options import parse_type
from cpppo.server.enip.plant_problems import Problems, nearest
from cpppo.server.enip.toml import Keys, dotted, shown
from cpppo.server.enip.wire.strings import KINDS, SSTRING, structure
from cpppo.server.enip.wire.structures import Structure
from cpppo.server.enip.wire.types import BOOL, Kind

__all__ = ["MAXIMUM_DEPTH", "Types"]

#: How deep structures can be in structures.
MAXIMUM_DEPTH = 32

#: How types are written elsewhere: INT(10), INT 10, INT[2][3]; and ARRAY[0..9] OF INT.
_SIZED = re.compile(r"\s*(\w+)\s*[\[( ]\s*(\d+(?:(?:\s*,\s*|\]\s*\[)\d+)*)\s*[\])]?\s*")
_ARRAY = re.compile(r"\s*ARRAY\s*\[\s*(?:(\d+)\s*\.\.\s*)?(\d+)\s*\]\s*OF\s+(\w+)\s*", re.IGNORECASE)


class Types:
    """The types of a plant.  ``kinds``: all there are, by name in upper case; ``bits``: of each member that was an
    array of BOOL, which a structure keeps in DWORDs, how many there were.

    :param tables: the members of each structure, by its name.
    :param kinds: the types that are not structures of the file.
    :param complete: no table of types is left out for a mistake: one that is not there is unknown.
    """

    def __init__(
        self, problems: Problems, tables: Mapping[str, Any], kinds: Mapping[str, Kind], complete: bool = True
    ) -> None:
        self.kinds = dict(kinds)
        self.bits: dict[tuple[Structure, str], int] = {}
        self._problems = problems
        self._complete = complete
        self._tables: dict[str, tuple[str, dict[str, Any]]] = {}
        self._depths: dict[str, int] = {}
        #: Those that are being made, from outside in, and those that are wrong.
        self._open: list[str] = []
        self._broken: set[str] = set()
        others = self._sorted(tables)
        for upper in self._tables:
            self._make(upper)
        for keys, members in others:
            self._members(keys, members)

    def _sorted(self, tables: Mapping[str, Any]) -> list[tuple[Keys, dict[str, Any]]]:
        """Find those that can be made; the others, whose members are looked at all the same."""
        names: dict[str, str] = {}
        others: list[tuple[Keys, dict[str, Any]]] = []
        for name, members in tables.items():
            keys, upper = ("types", name), name.upper()
            if upper in KINDS:
                self._problems.wrong(keys, "there is an elementary type of that name; choose another")
                known = False
            else:
                known = self._problems.named(keys, names, parts=True)
            if type(members) is not dict:
                head = f"[types.{dotted((name,))}]"
                self._problems.wrong(keys, f"{shown(members)} is not a table; write {head} and below it member = type")
            elif known:
                self._tables[upper] = name, members
            else:
                others.append((keys, members))
            if upper not in KINDS and upper not in self._tables:
                self._broken.add(upper)
        return others

    def _make(self, upper: str) -> None:
        """Make a structure, and first those it is made of."""
        if upper in self.kinds or upper in self._broken:
            return
        name, table = self._tables[upper]
        self._open.append(upper)
        members = self._members(("types", name), table)
        self._open.pop()
        if members is None or upper in self._broken:
            self._broken.add(upper)
            return
        depth = 1 + max((self._depths.get(kind.name.upper(), 0) for _, kind, _ in members), default=0)
        try:
            if depth > MAXIMUM_DEPTH:
                raise LocalProtocolError(f"structures are up to {MAXIMUM_DEPTH} deep in each other; this one is deeper")
            made = structure(name, members)
        except LocalProtocolError as exc:
            self._problems.wrong(("types", name), exc.reason)
            self._broken.add(upper)
            return
        self.kinds[upper], self._depths[upper] = made, depth
        self.bits.update({(made, member): count for member, kind, count in members if kind is BOOL and count})

    def _members(self, keys: Keys, table: dict[str, Any]) -> list[tuple[str, Kind, int]] | None:
        """The members that a table says; None if any is wrong."""
        names: dict[str, str] = {}
        members: list[tuple[str, Kind, int]] = []
        for member, text in table.items():
            here = (*keys, member)
            named = self._problems.named(here, names)
            kind, shape = self.kind(here, text)
            if kind is not None and self._possible(here, kind, shape) and named:
                members.append((member, kind, shape[0] if shape else 0))
        return members if len(members) == len(table) else None

    def _possible(self, keys: Keys, kind: Kind, shape: tuple[int, ...]) -> bool:
        """Whether there can be a member of a type; if not, say so."""
        name = "member"
        try:
            if len(shape) > 1:
                raise LocalProtocolError(f'a member has one dimension at most; write eg. "{kind.name}[{shape[0]}]"')
            if kind is SSTRING and self.kinds["STRING"] is SSTRING:
                raise LocalProtocolError("controllers of the Micro800 family have no text in structures; leave it out")
            structure(name, [(name, kind, shape[0] if shape else 0)])
        except LocalProtocolError as exc:
            self._problems.wrong(keys, exc.reason.removeprefix(f"member {name!r}: "))
            return False
        return True

    def kind(self, keys: Keys, text: Any) -> tuple[Kind | None, tuple[int, ...]]:
        """The type and the dimensions that a text says; None if that is wrong, which then has been told.

        :param keys: where it stands.
        """
        name = dotted(keys[-2:-1] if keys[0] != "types" and keys[-1] == "type" else keys[-1:])
        if not isinstance(text, str):
            self._problems.wrong(keys, f"{shown(text)} is no type; write {_example(name, text)}")
            return None, ()
        wanted = text.partition("[")[0].strip().upper()
        if wanted in self._open:
            self._circular(keys, wanted)
        elif wanted in self._tables:
            if len(self._open) < MAXIMUM_DEPTH:
                self._make(wanted)
            else:
                self._problems.wrong(keys, f"structures are up to {MAXIMUM_DEPTH} deep in each other; it is deeper")
                self._broken.update(self._open)
                return None, ()
        if wanted in self._broken:
            return None, ()
        try:
            return self._parsed(name, text, wanted, keys[0] == "types")
        except UsageError as exc:
            if self._complete or wanted in self.kinds:
                self._problems.wrong(keys, exc)
            return None, ()

    def _parsed(self, name: str, text: str, wanted: str, member: bool) -> tuple[Kind, tuple[int, ...]]:
        if "=" in text:
            instead = "a type has no values" if member else 'write eg. { type = "INT[4]", value = [1, 2] }'
            raise UsageError(f"{shown(text)} is no type; {instead}")
        array, sized = _ARRAY.fullmatch(text), _SIZED.fullmatch(text)
        if array:
            count = int(array[2][:20]) - (int(array[1][:20]) - 1 if array[1] else 0)
            raise UsageError(f'{shown(text)} is no type; write "{array[3]}[{max(count, 1)}]"')
        if sized and wanted not in self.kinds or sized and "][" in text.replace(" ", ""):
            sizes = ",".join(re.findall(r"\d+", sized[2]))
            if sized[1].upper() in self.kinds or sized[1].upper() in self._tables:
                raise UsageError(f'{shown(text)} is no type; write "{sized[1]}[{sizes}]"')
        if wanted not in self.kinds and (near := nearest(wanted, self._tables)):
            raise UsageError(f"unknown type {shown(text.partition('[')[0].strip())}; is it {self._tables[near][0]}?")
        return parse_type(name, text, self.kinds, '{} = "{}"')

    def _circular(self, keys: Keys, wanted: str) -> None:
        inside = self._open[self._open.index(wanted) :]
        chain = " -> ".join(self._tables[one][0] for one in (*inside, wanted))
        self._problems.wrong(keys, f"{self._tables[wanted][0]} would contain itself: {chain}")
        self._broken.update(inside)


def _example(name: str, given: Any) -> str:
    """What to write, where something else than text was given for a type."""
    if isinstance(given, dict) and not isinstance(given.get("type"), str):
        return f"{name} = its type; what is made of members stands below a head of its own, [types.NAME]"
    inner = given["type"] if isinstance(given, dict) else given[0] if isinstance(given, list) and given else None
    return f"{name} = {shown(inner)}" if isinstance(inner, str) else f'eg. {name} = "REAL" or {name} = "DINT[4]"'
