"""Paths as bench/reference.py parses and produces them by hand.

Owns: segments in 8 and 16 bits, and a memo of whole paths.  Rule: the records of the package, made the quickest way.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct, pack
from typing import Any

from cpppo.server.enip.wire.path import SEGMENTS, Path

__all__ = ["PathParser", "new", "path_octets", "remembered_path", "set_octets", "simple_path"]

PathParser = Callable[[bytes, int, int], Path]

HEAD = Struct("<BB")
WORD = Struct("<H")

SymbolicSegment, ClassSegment, InstanceSegment = SEGMENTS["symbolic"], SEGMENTS["class"], SEGMENTS["instance"]
ElementSegment, AttributeSegment, PortSegment = SEGMENTS["element"], SEGMENTS["attribute"], SEGMENTS["port"]

new = object.__new__
# Segments and paths refuse changes, also those of whoever makes them: segments are filled through their slots ...
set_symbolic = vars(SymbolicSegment)["symbolic"].__set__
set_class = vars(ClassSegment)["class_"].__set__
set_instance = vars(InstanceSegment)["instance"].__set__
set_element = vars(ElementSegment)["element"].__set__
set_attribute = vars(AttributeSegment)["attribute"].__set__
set_port, set_link = vars(PortSegment)["port"].__set__, vars(PortSegment)["link"].__set__
set_octets = vars(Path)["octets"].__set__


class _Draft:
    """... and a path is filled as this, then made a Path, which costs half of eight slots."""

    __slots__ = Path.__slots__


def simple_path(o: bytes, p: int, end: int) -> Path:
    """The path in octets [p:end], which lie within ``o``."""
    class_id = instance = attribute = None
    element: tuple[int, ...] = ()
    symbol: tuple[str, ...] = ()
    segments = []
    while p < end:
        kind = o[p]
        if kind == 0x91:
            size = o[p + 1]
            start = p + 2
            p = start + size
            if p + (size & 1) > end:
                raise ValueError("symbolic segment beyond path")
            name = o[start:p].decode("iso-8859-1")
            segment = new(SymbolicSegment)
            set_symbolic(segment, name)
            symbol += (name,)
            p += size & 1
        elif kind == 0x20 or kind == 0x21:
            if kind == 0x20:
                class_id = o[p + 1]
                p += 2
            else:
                (class_id,) = WORD.unpack_from(o, p + 2)
                p += 4
            segment = new(ClassSegment)
            set_class(segment, class_id)
        elif kind == 0x24 or kind == 0x25:
            if kind == 0x24:
                instance = o[p + 1]
                p += 2
            else:
                (instance,) = WORD.unpack_from(o, p + 2)
                p += 4
            segment = new(InstanceSegment)
            set_instance(segment, instance)
        elif kind == 0x28 or kind == 0x29:
            if kind == 0x28:
                number = o[p + 1]
                p += 2
            else:
                (number,) = WORD.unpack_from(o, p + 2)
                p += 4
            segment = new(ElementSegment)
            set_element(segment, number)
            element += (number,)
        elif 0 < kind < 0x0F:
            segment = new(PortSegment)
            set_port(segment, kind)
            set_link(segment, o[p + 1])
            p += 2
        elif kind == 0x30:
            attribute = o[p + 1]
            segment = new(AttributeSegment)
            set_attribute(segment, attribute)
            p += 2
        else:
            raise ValueError(f"unknown segment {kind:#x}")
        segments.append(segment)
    if p != end:
        raise ValueError("segment beyond path")
    path: Any = new(_Draft)
    path.segment = (*segments,)
    path.class_id = class_id
    path.instance = instance
    path.attribute = attribute
    path.connection = None
    path.element = element
    path.symbol = symbol
    path.octets = path.hash = None
    path.__class__ = Path
    return path  # type: ignore[no-any-return]


_known: dict[bytes, Path] = {}


def remembered_path(o: bytes, p: int, end: int) -> Path:
    """As simple_path, of octets met before the same path again."""
    key = o[p:end]
    path = _known.get(key)
    if path is None:
        if len(_known) > 4095:
            _known.clear()
        _known[key] = path = simple_path(o, p, end)
    return path


def path_octets(path: Path) -> bytes:
    """The octets of a path, each segment in its narrowest form."""
    octets = b""
    for segment in path.segment:
        kind = segment.__class__
        if kind is SymbolicSegment:
            name = segment.symbolic.encode("iso-8859-1")
            size = len(name)
            octets += HEAD.pack(0x91, size) + (name + b"\0" if size & 1 else name)
        elif kind is ClassSegment:
            octets += _logical(0x20, segment.class_)
        elif kind is InstanceSegment:
            octets += _logical(0x24, segment.instance)
        elif kind is ElementSegment:
            octets += _logical(0x28, segment.element)
        elif kind is PortSegment and segment.port < 0x0F:
            octets += HEAD.pack(segment.port, segment.link)
        elif kind is AttributeSegment:
            octets += _logical(0x30, segment.attribute)
        else:
            raise ValueError(f"{segment!r}")
    return octets


def _logical(base: int, value: int) -> bytes:
    if value < 0x100:
        return HEAD.pack(base, value)
    return pack("<BxH", base + 1, value) if value < 0x10000 else pack("<BxI", base + 2, value)
