"""Attribute: the values behind a tag, and the only way to them.

Owns: storage as packed little-endian octets, element access by index and slice, and the lock around both.
Rule: every read and write goes through ``__getitem__`` / ``__setitem__``; a class that overrides neither is read and
written as packed octets instead, decided once per class.  The lock is never held around an override.
Must not know services, frames or sockets.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from threading import Lock
from typing import Any, ClassVar

from cpppo.errors import Error
from cpppo.grammar import Scalar
from cpppo.server.enip.wire.types import pack, unpack

__all__ = ["MASK_GA_ALL", "MASK_GA_SNG", "Attribute", "AttributeFailure"]

#: ``mask`` bits that hide an attribute from Get Attribute Single, and from Get Attributes All.
MASK_GA_SNG, MASK_GA_ALL = 1, 2

#: Elements shown by str().
_SHOWN = 20


class AttributeFailure(Error):
    """A customised Attribute returned something that is not what was asked of it."""


class Attribute:
    """``name``; ``type_cls``: the CIP type of its elements, eg. INT; ``default``: a value (scalar) or a list (vector).

    ``error``: a CIP status that every access answers instead of data, 0 for none.  Override ``__getitem__`` and
    ``__setitem__`` to customise: the key is an int or a slice without step; slices give and take lists; calls
    come from many threads.
    """

    _reads_packed: ClassVar[bool] = True
    _writes_packed: ClassVar[bool] = True

    def __init__(self, name: str, type_cls: Scalar[Any], default: Any = 0, error: int = 0x00, mask: int = 0) -> None:
        self.name = name
        self.parser = self.type = type_cls
        self.error = error
        self.mask = mask
        self.scalar = not isinstance(default, (list, tuple, bytes, bytearray))
        values = [default] if self.scalar else default
        self._octets = bytearray(values if isinstance(values, (bytes, bytearray)) else pack(type_cls, values))
        self._count = len(self._octets) // type_cls.size
        self._lock = Lock()

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

    def octets(self) -> bytes:
        """All elements, packed."""
        return self.read_octets(0, self.size)

    @property
    def value(self) -> Any:
        """The value of a scalar, the list of a vector."""
        return self[0] if self.scalar else self[0 : len(self)]

    @value.setter
    def value(self, value: Any) -> None:
        self[0 if self.scalar else slice(0, len(self))] = value

    def _range(self, key: Any) -> tuple[int, int]:
        """First and last+1 element of a key; KeyError if it is not within the attribute."""
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
        start, stop = self._range(key)
        octets = self._read(start * self.type.size, stop * self.type.size)
        return unpack(self.type, octets) if isinstance(key, slice) else self.type.unpack(octets)

    def __setitem__(self, key: Any, value: Any) -> None:
        start, stop = self._range(key)
        values = list(value) if isinstance(key, slice) else [value]
        if len(values) != stop - start:
            raise KeyError(f"Attribute {self.name}: {len(values)} values for {stop - start} elements at key {key!r}")
        self._write(start * self.type.size, pack(self.type, values))

    def _read(self, start: int, stop: int) -> bytes:
        with self._lock:
            return bytes(self._octets[start:stop])

    def _write(self, start: int, octets: bytes) -> None:
        with self._lock:
            self._octets[start : start + len(octets)] = octets

    # -- packed access for the services, octet offsets from the first element; ranges are checked by the caller

    def read_octets(self, start: int, stop: int) -> bytes:
        """Octets [start:stop) of the packed elements."""
        if self._reads_packed:
            with self._lock:
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
        try:
            values = self[0 : min(self._count, _SHOWN)]
            text = ", ".join(map(str, values)) + (", ..." if self._count > _SHOWN else "")
        except Exception as exc:  # whatever an override raises: this is only to be looked at
            text = f"? ({exc})"
        return f"{self.name:<12} {self.type.name:>5}[{self._count:4}] == [{text}]"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"
