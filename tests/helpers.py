"""What tests of messages share: both engines over the same octets, and `check_wire` for one vector.

Rule: a verdict is a value or a `RemoteProtocolError` with a place; whatever else is raised fails the test. What a
message means is none of its business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cpppo import LocalProtocolError, RemoteProtocolError, chainable, dotdict, peekable
from cpppo.errors import NonTerminal
from cpppo.grammar import Struct, field
from cpppo.server.enip.wire.types import UDINT

__all__ = [
    "REFUSED",
    "Vector",
    "check_vector",
    "check_wire",
    "chunks",
    "compiled",
    "load_vectors",
    "refused",
    "run",
    "same",
    "stepped",
]

#: Stands for "these octets do not follow the grammar".
REFUSED = type("Refused", (), {"__repr__": lambda self: "REFUSED"})()

#: Where the machines under test put their record.
CONTEXT = "request"

#: What was made of so many messages is remembered. If it were of all that are ever drawn, the heap would become so
#: large that the garbage collector takes a second each time.
REMEMBERED = 64


def same(one: Any, other: Any) -> bool:
    """Whether two artifacts are the same in type and value; a NaN is the same as a NaN."""
    return type(one) is type(other) and repr(one) == repr(other)


def compiled(message: Any, octets: bytes) -> Any:
    """The record that compiled code makes of octets, or REFUSED; an error tells a place within the octets."""
    try:
        return message.parse(octets)
    except RemoteProtocolError as exc:
        assert type(exc) is RemoteProtocolError
        assert isinstance(exc.path, str)
        assert exc.offset is not None and 0 <= exc.offset <= len(octets), f"{exc!r} is outside {octets.hex(' ')}"
        assert exc.reason
        return REFUSED


def refused(message: Any, octets: bytes) -> RemoteProtocolError:
    """The error with which octets are refused, by both engines."""
    assert stepped(message, octets) is REFUSED
    try:
        record = message.parse(octets)
    except RemoteProtocolError as exc:
        assert compiled(message, octets) is REFUSED
        return exc
    raise AssertionError(f"{octets.hex(' ')} was parsed: {record!r}")


@lru_cache(REMEMBERED)
def machine(message: Any) -> Any:
    """The one machine of a message, shared by all runs."""
    return message.machine(context=CONTEXT)


def stepped(message: Any, octets: bytes, parts: Iterable[bytes] | None = None) -> Any:
    """The record that the machine makes of octets, or REFUSED; with ``parts`` these arrive one after the other."""
    record, used = run(message, octets, parts)
    return record if used == len(octets) else REFUSED


def run(message: Any, octets: bytes, parts: Iterable[bytes] | None = None) -> tuple[Any, int]:
    """What the machine makes of the beginning of octets, and how many it took; REFUSED, 0 where it fails."""
    data = dotdict()
    source: Any = peekable(octets) if parts is None else chainable()
    left: Iterator[bytes] = iter(() if parts is None else parts)
    try:
        for _, one in machine(message).run(source=source, data=data, ending=len(octets)):
            if one is None:
                part = next(left, None)
                if part is not None:
                    source.chain(part)
    except NonTerminal:
        return REFUSED, 0
    return data[CONTEXT], source.sent


def chunks(octets: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Octets cut at some places."""
    edges = sorted({0, len(octets), *(cut for cut in cuts if 0 < cut < len(octets))})
    return [octets[start:stop] for start, stop in pairwise(edges)]


@lru_cache(REMEMBERED)
def framed(message: Any) -> Any:
    """A message that holds another within a length."""
    return Struct("Framed", ["length" / UDINT, "body" / message.within(field("length"))])


def check_wire(
    message: Any,
    octets: bytes,
    value: Any,
    *,
    rest: bool = False,
    reserved: Iterable[int] = (),
    produced: bytes | None = None,
) -> None:
    """All that must hold for one vector.

    ``rest``: the message fills whatever it is given, so that only a limit around it tells where it ends;
    ``reserved``: places of octets that mean nothing; ``produced``: the octets sent for ``value``, if others.
    """
    produced = octets if produced is None else produced
    assert same(compiled(message, octets), value), f"{message.parse(octets)!r} is not {value!r}"
    assert compiled(message, octets) == value

    singly = [octets[at : at + 1] for at in range(len(octets))]
    for parts in (None, singly, chunks(octets, range(2, 99, 3)), chunks(octets, [len(octets) - 1]), [octets]):
        assert same(stepped(message, octets, parts), value), f"stepped in {parts}"

    assert value.produce() == produced, f"produced {value.produce().hex(' ')}"
    assert same(compiled(message, produced), value)

    for octet in (0xFF, 0x5A):
        dirty = bytearray(octets)
        for place in reserved:
            dirty[place] = octet
        assert same(compiled(message, bytes(dirty)), value)
        assert same(stepped(message, bytes(dirty)), value)

    if not rest:
        for more in (b"\0", b"\xff" * 3, octets):
            if more:
                _never(message, octets + more)
        for length in range(len(octets)):
            _never(message, octets[:length])
    for length in range(len(octets)):  # whatever they are taken for, it is not the whole
        assert not same(compiled(message, octets[:length]), value)
        assert same(compiled(message, octets[:length]), stepped(message, octets[:length]))
    _check_framed(message, octets, value)


def _check_framed(message: Any, octets: bytes, value: Any) -> None:
    """Within a length, no octet can be missing or too many, whatever fills the rest of its limit."""
    frame = framed(message)
    whole = len(octets).to_bytes(4, "little") + octets
    if "Malformed(" not in repr(value):  # that tells places in the whole
        assert same(compiled(frame, whole).body, value)
        assert same(stepped(frame, whole).body, value)
    for length in range(len(whole)):
        _never(frame, whole[:length])
    _never(frame, whole + b"\0")


def _never(message: Any, octets: bytes) -> None:
    refused(message, octets)


class Vector(NamedTuple):
    """One vector of a file: how it is checked is said by ``flags`` (rest, malformed)."""

    name: str
    message: str
    flags: frozenset[str]
    octets: bytes
    reserved: tuple[int, ...]
    expected: str
    produced: bytes | None


def load_vectors(name: str) -> list[Vector]:
    """The vectors of tests/vectors/NAME.txt; its format is told there, in paths.txt."""
    made: list[Vector] = []
    text = (Path(__file__).parent / "vectors" / f"{name}.txt").read_text(encoding="utf-8")
    for block in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        lines = block.strip("\n").splitlines()
        if not lines:
            continue
        title, message, *flags = (word.strip() for word in lines[0].split("|"))
        wire, reserved = _octets(line.partition(" ;")[0] for line in lines[1:] if line.startswith("    "))
        expected = " ".join(line[1:].strip() for line in lines if line.startswith("="))
        others = [_octets([line[1:]])[0] for line in lines if line.startswith(">")]
        made.append(Vector(title, message, frozenset(flags), wire, reserved, expected, others[0] if others else None))
        assert expected, f"{title}: no expected value"
    return made


def _octets(lines: Iterable[str]) -> tuple[bytes, tuple[int, ...]]:
    """Hex octets, "text" and '..' for reserved octets; and the places of these."""
    made, reserved = bytearray(), []
    for line in lines:
        for token in re.findall(r'"[^"]*"|\S+', line):
            if token.startswith('"'):
                made += token[1:-1].encode("ascii")
            elif token == "..":
                reserved.append(len(made))
                made.append(0)
            else:
                made += bytes.fromhex(token)
    return bytes(made), tuple(reserved)


def check_vector(vector: Vector, namespace: Mapping[str, Any]) -> None:
    """All that must hold for a vector, its names looked up in ``namespace``."""
    message = namespace[vector.message]
    if vector.expected == "REFUSED":
        refused(message, vector.octets)
        return
    value = eval(vector.expected, dict(namespace))
    if "malformed" in vector.flags:  # parsed, but not to be produced
        assert same(compiled(message, vector.octets), value), f"{compiled(message, vector.octets)!r}"
        assert same(stepped(message, vector.octets), value)
        assert same(stepped(message, vector.octets, [vector.octets[:3], vector.octets[3:]]), value)
        with pytest.raises(LocalProtocolError):
            value.produce()
        return
    check_wire(
        message,
        vector.octets,
        value,
        rest="rest" in vector.flags,
        reserved=vector.reserved,
        produced=vector.produced,
    )
