"""Tnetstrings: values as octets, each ``<size>:<payload><type>``, eg. ``5:hello,``.

Owns: the types there are, and both directions, `dump` and `parse`.
Rule: whatever comes in, it takes time in proportion to the octets given, and raises nothing but errors of this module.
Must not know sockets, nor how the octets were found in a stream.

    type   value                payload
    ~      None                 nothing
    !      bool                 true or false
    #      int                  decimal digits, perhaps with a sign
    ^      float                as Python prints it
    ,      bytes                the octets
    $      str                  the text, encoded
    ]      list                 tnetstrings, one after the other
    }      dict                 the same, keys (text or bytes) and values in turn
    ?      bool, parsed only    t or f
"""

from __future__ import annotations

import re
from typing import Any

from cpppo.errors import LocalProtocolError, RemoteProtocolError

__all__ = [
    "MAXIMUM_DEPTH",
    "MAXIMUM_DIGITS",
    "MAXIMUM_SIZE_DIGITS",
    "TYPES",
    "MalformedTnetstring",
    "UnsupportedValue",
    "dump",
    "interpret",
    "parse",
]

#: Lists and dicts inside one another.
MAXIMUM_DEPTH = 100
#: Octets of a number: as many digits as Python reads however it is set.
MAXIMUM_DIGITS = 640
#: Octets of a size.
MAXIMUM_SIZE_DIGITS = 9

#: The types that `parse` knows.
TYPES = b"~!#^,$]}?"

_NULL, _BOOL, _INT, _FLOAT, _BYTES, _TEXT, _LIST, _DICT, _BRIEF = TYPES

_WORDS = {_BOOL: {b"true": True, b"false": False}, _BRIEF: {b"t": True, b"f": False}}
_SIZE = re.compile(rb"[0-9]+")
_INTEGER = re.compile(rb"[+-]?[0-9]+")
_REAL = re.compile(rb"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|inf|nan)")

#: Octets of a payload shown in a message.
_SHOWN = 20


class MalformedTnetstring(RemoteProtocolError, AssertionError):
    """Octets that are no tnetstring; ``offset`` is the octet at which that shows, ``reason`` the message."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.offset = offset


class UnsupportedValue(LocalProtocolError, AssertionError):
    """A value that no tnetstring can hold; ``path`` is where in the value given, eg. ``[2]['name']``."""


# ------------------------------------------------------------------ values to octets
def dump(data: Any, encoding: str = "utf-8") -> bytes:
    """The tnetstring of a value: None, bool, int, float, bytes, str, and lists, tuples and dicts of these.

    :param encoding: of text.
    :raises UnsupportedValue: (also an AssertionError) for what cannot be told, saying where in ``data`` it is.
    """
    return _dump(data, encoding, "", 0)


def _dump(data: Any, encoding: str, path: str, depth: int) -> bytes:
    if data is None:
        return _framed(b"", _NULL, path)
    if isinstance(data, bool):
        return _framed(b"true" if data else b"false", _BOOL, path)
    if isinstance(data, int):
        return _framed(_digits(data, path), _INT, path)
    if isinstance(data, float):
        return _framed(float.__repr__(data).encode("ascii"), _FLOAT, path)
    if isinstance(data, (bytes, bytearray, memoryview)):
        return _framed(bytes(data), _BYTES, path)
    if isinstance(data, str):
        return _framed(_encoded(data, encoding, path), _TEXT, path)
    if not isinstance(data, (list, tuple, dict)):
        raise UnsupportedValue(f"Can't serialize stuff that's {type(data)}.", path)
    if depth >= MAXIMUM_DEPTH:
        raise UnsupportedValue(f"Lists and dicts nested more than {MAXIMUM_DEPTH} deep; give flatter ones.", path[:60])
    parts: list[bytes] = []
    if isinstance(data, dict):
        for key, value in data.items():
            if not isinstance(key, (str, bytes)):
                raise UnsupportedValue(f"Can't serialize a dict key that's {type(key)}; give str or bytes.", path)
            place = f"{path}[{key[:_SHOWN]!r}]"
            parts += _dump(key, encoding, place, depth), _dump(value, encoding, place, depth + 1)
        return _framed(b"".join(parts), _DICT, path)
    for at, value in enumerate(data):
        parts.append(_dump(value, encoding, f"{path}[{at}]", depth + 1))
    return _framed(b"".join(parts), _LIST, path)


def _framed(payload: bytes, kind: int, path: str) -> bytes:
    size = b"%d" % len(payload)
    if len(size) > MAXIMUM_SIZE_DIGITS:
        raise UnsupportedValue(f"Its {len(payload)} octets are more than a size of {MAXIMUM_SIZE_DIGITS} digits.", path)
    return b"%b:%b%c" % (size, payload, kind)


def _digits(number: int, path: str) -> bytes:
    # a digit is more than 10/3 bits; making digits of a large number only to count them would take long
    if number.bit_length() <= MAXIMUM_DIGITS * 10 // 3:
        digits = b"%d" % number
        if len(digits) <= MAXIMUM_DIGITS:
            return digits
    raise UnsupportedValue(f"An int of more than {MAXIMUM_DIGITS} digits; give it as text, in hexadecimal.", path)


def _encoded(text: str, encoding: str, path: str) -> bytes:
    try:
        return text.encode(encoding)
    except (LookupError, ValueError) as exc:
        raise UnsupportedValue(f"Can't encode text as {encoding!r}: {exc}.", path) from exc


# ------------------------------------------------------------------ octets to values
def parse(octets: bytes | bytearray | memoryview, encoding: str = "utf-8") -> tuple[Any, bytes]:
    """The value of the first tnetstring in ``octets``, and what follows it.

    :param encoding: of text.
    :raises MalformedTnetstring: (also an AssertionError) if they do not begin with one, or with a part of one only.
    :raises UnsupportedValue: for an encoding that is none, or what is no octets.
    """
    try:
        given = bytes(memoryview(octets))
    except TypeError as exc:
        raise UnsupportedValue(f"Can't parse a {type(octets).__name__}; give bytes, text encoded first.") from exc
    if not given:
        raise MalformedTnetstring("Invalid data to parse, it's empty.", 0)
    value, at = _parse(given, 0, len(given), encoding, 0)
    return value, given[at:]


def interpret(payload: bytes, kind: int, encoding: str = "utf-8") -> Any:
    """The value of a payload of type ``kind``, one of TYPES.

    :raises MalformedTnetstring: if it is none; the offset is that in the payload.
    """
    return _value(payload, 0, len(payload), kind, encoding, 0)


def _parse(octets: bytes, at: int, end: int, encoding: str, depth: int) -> tuple[Any, int]:
    """The value of the tnetstring that begins at ``at`` and ends before ``end``, and where it ends."""
    found = _SIZE.match(octets, at, end)
    colon = at if found is None else found.end()
    digits = octets[at : min(colon, at + _SHOWN)]
    if colon - at > MAXIMUM_SIZE_DIGITS:
        raise MalformedTnetstring(
            f"A size of {colon - at} digits, of which {MAXIMUM_SIZE_DIGITS} are the most: "
            f"{digits!r}{'...' * (colon - at > _SHOWN)}, at offset {at}",
            at,
        )
    if not digits or not octets.startswith(b":", colon, end):
        shown = octets[at : min(end, at + MAXIMUM_SIZE_DIGITS + 1)]
        raise MalformedTnetstring(
            f"Not a size of 1 to {MAXIMUM_SIZE_DIGITS} digits and a ':': {shown!r}, at offset {at}", at
        )
    begin = colon + 1
    stop = begin + int(digits)
    if stop >= end:
        raise MalformedTnetstring(
            f"No payload type: {octets[begin : min(end, begin + _SHOWN)]!r}, at offset {begin}: "
            f"{int(digits)} octets and a type should follow, {end - begin} octets do",
            begin,
        )
    return _value(octets, begin, stop, octets[stop], encoding, depth), stop + 1


def _value(octets: bytes, begin: int, end: int, kind: int, encoding: str, depth: int) -> Any:
    """The value of the payload between ``begin`` and ``end``."""
    if kind in (_LIST, _DICT):
        return _nested(octets, begin, end, kind, encoding, depth)
    payload = octets[begin:end]
    if kind == _BYTES:
        return payload
    if kind == _TEXT:
        return _decoded(payload, begin, encoding)
    if kind == _NULL:
        if payload:
            raise MalformedTnetstring("Payload must be 0 length for null.", begin)
        return None
    if kind in _WORDS:
        words = _WORDS[kind]
        if payload not in words:
            raise _bad(payload, begin, _words_of(kind, payload))
        return words[payload]
    if kind == _INT:
        if len(payload) > MAXIMUM_DIGITS or not _INTEGER.fullmatch(payload):
            raise _bad(payload, begin, f"an integer of decimal digits, {MAXIMUM_DIGITS} at most")
        return int(payload)
    if kind == _FLOAT:
        if len(payload) > MAXIMUM_DIGITS or not _REAL.fullmatch(payload):
            raise _bad(payload, begin, f"a float such as -1.5e-7 or inf, {MAXIMUM_DIGITS} octets at most")
        return float(payload)
    raise MalformedTnetstring(
        f"Invalid payload type: {bytes((kind,))!r}, not one of {TYPES.decode()}, at offset {end}", end
    )


def _words_of(kind: int, payload: bytes) -> str:
    """What a bool of one type is, and which type the payload is of, if it is one of the other."""
    what = f"a bool of type '{kind:c}', which is {' or '.join(word.decode() for word in _WORDS[kind])}"
    others = [f"; write type '{other:c}' for that" for other, words in _WORDS.items() if payload in words]
    return what + "".join(others)


def _nested(octets: bytes, begin: int, end: int, kind: int, encoding: str, depth: int) -> Any:
    """The list or dict of the payload between ``begin`` and ``end``."""
    if depth >= MAXIMUM_DEPTH:
        raise MalformedTnetstring(f"Nested more than {MAXIMUM_DEPTH} deep, at offset {begin}", begin)
    items, offsets = [], []
    at = begin
    while at < end:
        offsets.append(at)
        item, at = _parse(octets, at, end, encoding, depth + 1)
        items.append(item)
    if kind == _LIST:
        return items
    for offset, key in zip(offsets[::2], items[::2], strict=True):
        if not isinstance(key, (str, bytes)):
            raise MalformedTnetstring(f"A dict key must be text or bytes, not {type(key)}, at offset {offset}", offset)
    if len(items) % 2:
        raise MalformedTnetstring(f"Unbalanced dict: its last key has no value, at offset {end}", end)
    return dict(zip(items[::2], items[1::2], strict=True))


def _decoded(payload: bytes, begin: int, encoding: str) -> str:
    try:
        return payload.decode(encoding)
    except UnicodeDecodeError as exc:
        raise MalformedTnetstring(
            f"Text that is not {encoding}, at offset {begin + exc.start}", begin + exc.start
        ) from exc
    except (LookupError, ValueError) as exc:
        raise UnsupportedValue(f"Can't decode text as {encoding!r}: {exc}.") from exc


def _bad(payload: bytes, begin: int, what: str) -> MalformedTnetstring:
    return MalformedTnetstring(f"Not {what}: {payload[:_SHOWN]!r}, at offset {begin}", begin)
