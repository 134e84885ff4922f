"""Attribute: the values behind a tag, and the only way to them.

Owns: storage as packed little-endian octets, element access by index, indices and slice, and the lock around writes.
Rule: every read and write goes through ``__getitem__`` / ``__setitem__``; a class that overrides neither is read and
written as packed octets instead, decided once per class.  The lock keeps writes out of a modification, and is never
held around an override; to cut out octets is one step of the interpreter, so that reads need no lock.
Must not know services, frames or sockets.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from threading import Lock
from typing import Any, ClassVar

from cpppo.errors import Error, LocalProtocolError
from cpppo.server.enip.wire.strings import ShortString
from cpppo.server.enip.wire.types import Kind, pack, unpack

__all__ = ["MASK_GA_ALL", "MASK_GA_SNG", "Attribute", "AttributeFailure"]

#: ``mask`` bits that hide an attribute from Get Attribute Single, and from Get Attributes All.
MASK_GA_SNG, MASK_GA_ALL = 1, 2

#: Dimensions that clients can be told of.
_DIMENSIONS = 3

#: Elements shown by str().
_SHOWN = 20


class AttributeFailure(Error):
    """A customised Attribute returned something that is not what was asked of it."""


class Attribute:
    """``name``; ``type_cls``: the CIP type of its elements, eg. INT; ``default``: a value (scalar) or a list (vector).

    ``error``: a CIP status that every access answers instead of data, 0 for none.  Override ``__getitem__`` and
    ``__setitem__`` to customise: the key is an int or a slice without step; slices give and take lists; calls
    come from many threads.  Without overrides each access is atomic; attributes never wait for each other.

    ``len()`` is the number of all elements; those of several dimensions are in row-major order, and one of them
    can also be had by its indices: ``attribute[1, 2]``.
    """

    #: Whether clients can only read it; and whether they can neither read nor write it.
    read_only: bool = False
    hidden: bool = False
    #: What it is, for people.
    description: str = ""

    _reads_packed: ClassVar[bool] = True
    _writes_packed: ClassVar[bool] = True

    def __init__(self, name: str, type_cls: Kind, default: Any = 0, error: int = 0x00, mask: int = 0) -> None:
        self.name = name
        self.parser = self.type = type_cls
        self.error = error
        self.mask = mask
        self.scalar = not isinstance(default, (list, tuple, bytes, bytearray))
        if default.__class__ is int and not default:
            default = type_cls.default  # that of text is no 0
        values = [default] if self.scalar else default
        self._octets = bytearray(values if isinstance(values, (bytes, bytearray)) else pack(type_cls, values))
        self._count = len(self._octets) // type_cls.size
        self._shape: tuple[int, ...] = () if self.scalar else (self._count,)
        self._lock = Lock()
        #: The type, if its elements are sent in fewer octets than they are kept in.
        self.varying = type_cls if isinstance(type_cls, ShortString) else None

    def __init_subclass__(cls, **kwds: Any) -> None:
        super().__init_subclass__(**kwds)
        cls._reads_packed = cls.__getitem__ is Attribute.__getitem__
        cls._writes_packed = cls.__setitem__ is Attribute.__setitem__

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> int:
        """Octets of all elements."""
        return self._count * self.type.size

    @property
    def shape(self) -> tuple[int, ...]:
        """The dimensions, () of a scalar; those that are set must hold as many elements as there are."""
        return self._shape

    @shape.setter
    def shape(self, shape: Sequence[int]) -> None:
        shape = tuple(shape)
        if min(shape, default=0) < 1 or math.prod(shape) != self._count or len(shape) > _DIMENSIONS:
            raise LocalProtocolError(f"the {self._count} elements of {self.name} do not have the dimensions {shape}")
        self._shape, self.scalar = shape, False

    def index(self, indices: Sequence[int]) -> int:
        """The number of an element in row-major order, by one index for each dimension, or by that number itself.

        KeyError if there is no such element.
        """
        if len(indices) == 1:
            at, inside = indices[0], indices[0] < self._count
        else:
            at, inside = 0, len(indices) == len(self._shape)
            for one, extent in zip(indices, self._shape, strict=False):
                at, inside = at * extent + one, inside and one < extent
        if not inside or min(indices, default=0) < 0:
            raise KeyError(f"Attempt to access item at {tuple(indices)!r} of Attribute {self.name}, {self._shape!r}")
        return at

    def octets(self) -> bytes:
        """All elements, packed, as they are sent."""
        kept = self.read_octets(0, self.size)
        return kept if self.varying is None else b"".join(self.varying.sent(kept))

    def extent(self, octets: bytes) -> int:
        """How many octets at the beginning of some are the values of all elements; more than there are if too few."""
        if self.varying is None:
            return self.size
        kept, used = self.varying.received(octets, self._count)
        return used if len(kept) == self.size else len(octets) + 1

    def kept(self, octets: bytes) -> bytes:
        """The octets to keep of all elements, from those that were sent, their ``extent``."""
        return octets if self.varying is None else self.varying.received(octets, self._count)[0]

    @property
    def value(self) -> Any:
        """The value of a scalar, the list of a vector."""
        return self[0] if self.scalar else self[0 : len(self)]

    @value.setter
    def value(self, value: Any) -> None:
        self[0 if self.scalar else slice(0, len(self))] = value

    def span(self, key: Any) -> tuple[int, int]:
        """First and last+1 element of a key; KeyError if it is not within the attribute."""
        if isinstance(key, tuple):
            key = self.index(key)
        if isinstance(key, slice):
            if key.step not in (None, 1):
                raise KeyError(f"Attribute {self.name} has no strided access; {key!r}")
            start = 0 if key.start is None else operator.index(key.start)
            stop = self._count if key.stop is None else operator.index(key.stop)
        else:
            start = operator.index(key)
            stop = start + 1
        if not 0 <= start < stop <= self._count:
            raise KeyError(f"Attempt to access item at key {key!r} beyond Attribute length {self._count}")
        return start, stop

    def __getitem__(self, key: Any) -> Any:
        start, stop = self.span(key)
        octets = self._read(start * self.type.size, stop * self.type.size)
        return unpack(self.type, octets) if isinstance(key, slice) else self.type.unpack(octets)

    def __setitem__(self, key: Any, value: Any) -> None:
        start, stop = self.span(key)
        values = list(value) if isinstance(key, slice) else [value]
        if len(values) != stop - start:
            raise KeyError(f"Attribute {self.name}: {len(values)} values for {stop - start} elements at key {key!r}")
        self._write(start * self.type.size, pack(self.type, values))

    def _read(self, start: int, stop: int) -> bytes:
        return bytes(self._octets[start:stop])

    def _write(self, start: int, octets: bytes) -> None:
        with self._lock:
            self._octets[start : start + len(octets)] = octets

    # -- packed access for the services, octet offsets from the first element; ranges are checked by the caller

    def read_octets(self, start: int, stop: int) -> bytes:
        """Octets [start:stop) of the packed elements."""
        if self._reads_packed:
            return bytes(self._octets[start:stop])
        size = self.type.size
        first, last = start // size, -(-stop // size)
        octets = pack(self.type, self._given(first, last))
        return octets[start - first * size : stop - first * size]

    def _given(self, first: int, last: int) -> Sequence[Any]:
        """What an overridden ``__getitem__`` gives for [first:last), checked."""
        values = self[first:last]
        if not isinstance(values, (list, tuple)) or len(values) != last - first:
            raise AttributeFailure(f"{type(self).__name__} {self.name}[{first}:{last}] gave {values!r}")
        return values

    def write_octets(self, start: int, octets: bytes) -> None:
        """Replace the octets from ``start`` on."""
        if self._writes_packed:
            self._write(start, octets)
            return
        size = self.type.size
        first, last = start // size, -(-(start + len(octets)) // size)
        whole = octets
        if len(octets) != (last - first) * size:  # an element in part: the rest of it stays as it is
            around = bytearray(self.read_octets(first * size, last * size))
            around[start - first * size : start - first * size + len(octets)] = octets
            whole = bytes(around)
        self[first:last] = unpack(self.type, whole)

    def modify_octets(self, start: int, or_mask: bytes, and_mask: bytes) -> bytes:
        """Set the bits of ``or_mask``, then keep only those of ``and_mask``; at once for plain attributes.

        :return: the octets as they are then.
        """
        size = len(or_mask)
        ones, keep = int.from_bytes(or_mask, "little"), int.from_bytes(and_mask, "little")

        def modified(old: bytes | bytearray) -> bytes:
            return ((int.from_bytes(old, "little") | ones) & keep).to_bytes(size, "little")

        if not (self._reads_packed and self._writes_packed):
            new = modified(self.read_octets(start, start + size))
            self.write_octets(start, new)
            return new
        with self._lock:
            new = modified(self._octets[start : start + size])
            self._octets[start : start + size] = new
        return new

    def __str__(self) -> str:
        return self.elided(_SHOWN)

    def elided(self, most: int) -> str:
        """The name, type, size and first values, ``most`` of them at most, as text."""
        try:
            values = self[0 : min(self._count, most)]
            text = ", ".join(map(str, values)) + (", ..." if self._count > most else "")
        except Exception as exc:  # whatever an override raises: this is only to be looked at
            text = f"? ({exc})"
        size = ",".join(map(str, self._shape)) if len(self._shape) > 1 else f"{self._count:4}"
        return f"{self.name:<12} {self.type.name:>5}[{size}] == [{text}]"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"
