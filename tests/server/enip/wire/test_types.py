"""The CIP elementary types: one table, packed vectors, and values that do not fit."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from cpppo import LocalProtocolError, RemoteProtocolError
from cpppo.server.enip.wire import types
from cpppo.server.enip.wire.types import BY_CODE, TYPES, pack, unpack

#: Name, code, size, least and largest value (CIP volume 1, appendix C-6).
TABLE: list[tuple[str, int, int, Any, Any]] = [
    ("BOOL", 0xC1, 1, False, True),
    ("SINT", 0xC2, 1, -(2**7), 2**7 - 1),
    ("INT", 0xC3, 2, -(2**15), 2**15 - 1),
    ("DINT", 0xC4, 4, -(2**31), 2**31 - 1),
    ("LINT", 0xC5, 8, -(2**63), 2**63 - 1),
    ("USINT", 0xC6, 1, 0, 2**8 - 1),
    ("UINT", 0xC7, 2, 0, 2**16 - 1),
    ("UDINT", 0xC8, 4, 0, 2**32 - 1),
    ("ULINT", 0xC9, 8, 0, 2**64 - 1),
    ("REAL", 0xCA, 4, -1.5, 3.25),
    ("LREAL", 0xCB, 8, -1.5e300, 3.25e300),
    ("BYTE", 0xD1, 1, 0, 2**8 - 1),
    ("WORD", 0xD2, 2, 0, 2**16 - 1),
    ("DWORD", 0xD3, 4, 0, 2**32 - 1),
    ("LWORD", 0xD4, 8, 0, 2**64 - 1),
]
INTEGERS = [row for row in TABLE if type(row[3]) is int]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_a_type_has_its_code_and_size(row: tuple[str, int, int, Any, Any]) -> None:
    """Found by name and by code, little-endian, its boundaries there and back."""
    name, code, size, low, high = row
    kind = TYPES[name]
    assert getattr(types, name) is kind is BY_CODE[code]
    assert (kind.name, kind.tag_type, kind.size, repr(kind)) == (name, code, size, name)
    octets = pack(kind, [low, high])
    assert len(octets) == 2 * size
    assert unpack(kind, octets) == [low, high]
    assert kind.produce(high) == octets[size:] and kind.unpack(octets[:size]) == low
    if type(low) is int:
        assert octets == b"".join(value.to_bytes(size, "little", signed=low < 0) for value in (low, high))


def test_the_table_is_whole() -> None:
    """No type more, no type less, no code twice."""
    assert set(TYPES) == {row[0] for row in TABLE}
    assert len(BY_CODE) == len(TABLE)


@pytest.mark.parametrize("row", INTEGERS, ids=lambda row: row[0])
def test_a_value_out_of_range_is_named(row: tuple[str, int, int, Any, Any]) -> None:
    """The error tells the first value that does not fit, where it stands, and its type."""
    name, _, _, low, high = row
    for wrong in (low - 1, high + 1, "1", None, 1.5):
        with pytest.raises(LocalProtocolError, match=name) as caught:
            pack(TYPES[name], [low, high, wrong, wrong])
        assert caught.value.path == "[2]"


def test_a_real_too_large_is_named() -> None:
    with pytest.raises(LocalProtocolError, match="REAL"):
        pack(TYPES["REAL"], [1.0, 1e300])


def test_half_a_value_is_refused() -> None:
    """Octets that are no whole number of values tell where the last whole one ends."""
    with pytest.raises(RemoteProtocolError) as caught:
        unpack(TYPES["DINT"], bytes(11))
    assert caught.value.offset == 8
    assert unpack(TYPES["DINT"], b"") == []


def test_network_order() -> None:
    """The big-endian words of socket addresses are no types of tags."""
    assert types.UINT_BE.produce(0xAF12) == b"\xaf\x12"
    assert types.UDINT_BE.produce(0x7F000001) == struct.pack(">I", 0x7F000001)
    assert types.UINT_BE.unpack(b"\xaf\x12") == 0xAF12
    assert "UINT_BE" not in TYPES
