"""Tags as the simulator's command line declares them, and its standard address.

Owns: reading them from text.  Rule: text that cannot be understood raises UsageError, saying what to write instead.
Must not know sockets or devices.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cpppo.errors import UsageError
from cpppo.server.enip.wire.header import PORT
from cpppo.server.enip.wire.strings import KINDS
from cpppo.server.enip.wire.types import BOOL, DWORD, INT, Kind
from cpppo.server.enip.wire.values import QUOTED, Unfit, parse_int, parse_value

__all__ = [
    "ADDRESS",
    "MAXIMUM_DIMENSIONS",
    "MAXIMUM_ELEMENTS",
    "TIMEOUT_S",
    "TagSpec",
    "tag_address",
    "parse_tag",
    "parse_type",
    "tag_spec",
]

#: The default address: all interfaces, and the port registered for EtherNet/IP.
ADDRESS = ("", PORT)

#: Seconds that scripts wait for a reply, by the name ``cpppo.server.enip.timeout``.
TIMEOUT_S = 20.0

#: Elements a tag may have at most, and their octets: these must fit in memory.
MAXIMUM_ELEMENTS, _MAXIMUM_OCTETS = 16_777_216, 134_217_728
#: Dimensions a tag may have at most: clients have three places for their sizes.
MAXIMUM_DIMENSIONS = 3

#: Characters that a symbolic path segment can hold.
_NAME_LENGTH = 255
#: Characters of a text that an error repeats, and types that it names.
_SHOWN, _NAMED = 60, 40
#: What types are called elsewhere.
_ELSEWHERE = {
    **{"FLOAT": "REAL", "DOUBLE": "LREAL", "BOOLEAN": "BOOL", "CHAR": "SINT", "TEXT": "STRING"},
    **{"INT8": "SINT", "INT16": "INT", "INT32": "DINT", "INT64": "LINT", "FLOAT32": "REAL", "FLOAT64": "LREAL"},
    **{"UINT8": "USINT", "UINT16": "UINT", "UINT32": "UDINT", "UINT64": "ULINT"},
}

_TAG = re.compile(
    r"(?P<name>[^=\[\]@]*)(@(?P<address>[^=\[\]]*))?(=(?P<type>[^\[\]=,\"']*))?(\[(?P<size>[^\]]*)\])?(?P<set>\s*=(?P<values>.*))?",
    re.DOTALL,
)
_WORD = r"[A-Za-z_][A-Za-z0-9_]*"
_NAME = re.compile(rf"(Program:{_WORD}\.)?{_WORD}(:[A-Za-z0-9_]+)*", re.IGNORECASE)
_TYPE = re.compile(r"(?P<type>[^\[\]]*)(\[(?P<size>[^\]]*)\])?")
_SIZE = re.compile(r"\s*0*([1-9][0-9]{0,8})\s*", re.ASCII)
_BARE = re.compile(r"[^,]*")
_COMMA = re.compile(r"\s*(?:(,)\s*|\Z)")
_WORD_BITS = 8 * DWORD.size


class TagSpec(NamedTuple):
    """A tag of the simulator.

    ``shape``: its dimensions, () for a scalar; ``values``: those of its first elements, the others are zero;
    ``address``: the class, instance and attribute that were chosen for it; ``access``: what clients may do, one of
    read-write, read-only and none; ``description``: for people.
    """

    name: str
    type: Kind
    shape: tuple[int, ...] = ()
    values: tuple[Any, ...] = ()
    address: tuple[int, int, int] | None = None
    access: str = "read-write"
    description: str = ""

    @property
    def elements(self) -> int | None:
        """How many elements it has; None for a scalar."""
        return math.prod(self.shape) if self.shape else None


def parse_tag(text: str, kinds: Mapping[str, Kind] = KINDS) -> TagSpec:
    """A tag of ``name[@class/instance/attribute][=TYPE][[size[,size[,size]]]][=value,...]``.

    The default is a scalar INT of value 0.  UsageError if the text cannot be understood.

    :param kinds: the types there are, by name in upper case.
    """
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    try:
        return _parse(text.strip(), kinds)
    except UsageError as exc:
        raise UsageError(f"tag {shown!r}: {exc}") from None


def _parse(text: str, kinds: Mapping[str, Kind]) -> TagSpec:
    match = _TAG.fullmatch(text)
    if match is None or not match["name"] or (match["set"] and match["type"] is match["size"] is None):
        raise UsageError("it is not name=TYPE[size]=values; eg. SCADA=INT[1000], Level=REAL or Ramp=INT[4]=1,2,3,4")
    name = match["name"].strip()
    if len(name) > _NAME_LENGTH:
        raise UsageError(f"its name is longer than {_NAME_LENGTH} characters")
    if name.lower().endswith(".toml"):
        raise UsageError(f"it is no tag; a plant file is given as an option, --config {name}")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no tag name; use letters, digits and _, no digit first")
    address = None if match["address"] is None else tag_address(name, match["address"])
    kind: Kind = INT
    if match["type"] is not None:
        kind = _kind(match["type"], kinds, "; values follow the type")
    elif match["set"]:
        raise UsageError(f"values need a type before them; eg. {name}=INT[4]=1,2,3,4 or {name}=REAL=12.5")
    shape = () if match["size"] is None else _shape(name, kind, match["size"], "{}={}")
    most = math.prod(shape)
    values = _values(name, kind, match["values"], most) if match["set"] else ()
    return tag_spec(name, kind, shape, values, address)


def tag_spec(
    name: str,
    kind: Kind,
    shape: tuple[int, ...],
    values: Sequence[Any] = (),
    address: tuple[int, int, int] | None = None,
    access: str = "read-write",
    description: str = "",
) -> TagSpec:
    """A tag; a controller keeps arrays of BOOL in DWORDs, and serves those."""
    if kind is BOOL and shape:
        words = [0] * -(-len(values) // _WORD_BITS)
        for at, value in enumerate(values):
            words[at // _WORD_BITS] |= bool(value) << at % _WORD_BITS
        kind, shape, values = DWORD, (-(-shape[0] // _WORD_BITS),), words
    return TagSpec(name, kind, shape, tuple(values), address, access, description)


def parse_type(name: str, text: str, kinds: Mapping[str, Kind], form: str = "{}={}") -> tuple[Kind, tuple[int, ...]]:
    """(type, dimensions) of ``TYPE[size,...]``; UsageError if the text cannot be understood.

    :param name: of what is of that type, for examples.
    :param kinds: the types there are, by name in upper case.
    :param form: how both are written.
    """
    match = _TYPE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text[:_SHOWN]!r} is no type; eg. INT, REAL[10] or DINT[2,3]")
    kind = _kind(match["type"], kinds)
    return kind, () if match["size"] is None else _shape(name, kind, match["size"], form)


def _kind(text: str, kinds: Mapping[str, Kind], hint: str = "") -> Kind:
    wanted = text.strip()
    if wanted.upper() not in kinds:
        names = [one if one in KINDS else kinds[one].name for one in kinds][:_NAMED]
        here = f"write {_ELSEWHERE[wanted.upper()]}, " if wanted.upper() in _ELSEWHERE else ""
        raise UsageError(f"unknown type {wanted[:_SHOWN]!r}; {here}one of {', '.join(names)}{hint}")
    return kinds[wanted.upper()]


def tag_address(name: str, text: str) -> tuple[int, int, int]:
    """The numbers of ``class/instance/attribute``; UsageError, with the tag's name in an example, if they are none."""
    try:
        class_id, instance, attribute = map(parse_int, text[:_SHOWN].split("/"))
    except ValueError:
        raise UsageError(f"{text[:_SHOWN]!r} is no class/instance/attribute; eg. {name}@0x93/1/10=DINT") from None
    return class_id, instance, attribute


def _shape(name: str, kind: Kind, text: str, form: str) -> tuple[int, ...]:
    sizes = [_SIZE.fullmatch(one) for one in text.split(",", MAXIMUM_DIMENSIONS)]
    shape = tuple(int(one[1]) for one in sizes if one)
    most = min(MAXIMUM_ELEMENTS, _MAXIMUM_OCTETS // kind.size)
    if len(shape) != len(sizes) or len(shape) > MAXIMUM_DIMENSIONS or math.prod(shape) > most or len(text) > 99:
        raise UsageError(
            f"size {text[:20]!r} is not a number of 1 to {most}, nor up to {MAXIMUM_DIMENSIONS} with as many elements"
            f" in all; eg. {form.format(name, f'{kind.name}[10]')} or {form.format(name, f'{kind.name}[2,3]')}"
        )
    if kind is BOOL and len(shape) > 1:
        raise UsageError(f"arrays of BOOL have one dimension; eg. {form.format(name, f'BOOL[{math.prod(shape)}]')}")
    return shape


def _values(name: str, kind: Kind, text: str, most: int) -> tuple[Any, ...]:
    """The values, with or without brackets around them."""
    text = text.strip()
    if text[:1] == "[" and text[-1:] == "]":
        text = text[1:-1].strip()
    values: list[Any] = []
    at, more = 0, True
    while more:
        place = f"value {len(values) + 1}"
        match = QUOTED.match(text, at) or _BARE.match(text, at)
        one = match[0].strip() if match else ""
        if not one:
            raise UsageError(f"{place} is missing; eg. {name}={kind.name}={_example(kind)}")
        if len(values) == most:
            raise UsageError(f"{place}, {one[:20]!r}, is one too many: there {_are(most)}")
        if isinstance(kind.default, dict):
            raise UsageError(f"initial values of a structure like {kind.name} are given in the plant file")
        try:
            values.append(parse_value(kind, one))
        except Unfit as exc:
            hint = f"; write {name}={exc.wider}" if exc.wider else f"; eg. '{name}={kind.name}={_example(kind)}'"
            raise UsageError(f"{place}: {exc.problem}{hint}") from None
        at = match.end() if match else at
        comma = _COMMA.match(text, at)
        if comma is None:
            raise UsageError(f"{place} is followed by {text[at : at + 20]!r}; put commas between values")
        at, more = comma.end(), bool(comma[1])
    return tuple(values)


def _are(most: int) -> str:
    return "is 1 element" if most == 1 else f"are {most} elements"


def _example(kind: Kind) -> str:
    return '"unit 7"' if not kind.code else "12.5" if kind.code in "fd" else "1"
