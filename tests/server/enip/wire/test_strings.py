"""STRING, structures like it, and SSTRING: their octets, and what they do not take."""

from __future__ import annotations

from typing import Any

import pytest

from cpppo.errors import LocalProtocolError, RemoteProtocolError
from cpppo.server.enip.wire.strings import KINDS, SSTRING, STRING, LogixString, kind_of, structure
from cpppo.server.enip.wire.structures import Member, Structure
from cpppo.server.enip.wire.types import DINT, INT, SINT, TYPES, UDINT, USINT, pack, unpack


def string(length: int, characters: bytes) -> bytes:
    """A STRING written out: LEN, 82 octets, 2 of padding."""
    return length.to_bytes(4, "little", signed=True) + characters.ljust(84, b"\0")


@pytest.mark.parametrize("text", ["", "unit 7", "\xe9\xff\0x", "x" * 82])
def test_string_both_ways(text: str) -> None:
    """LEN in 4 octets, the characters in 82, and 2 of padding: 88 in all."""
    octets = string(len(text), text.encode("iso-8859-1"))
    assert (STRING.size, STRING.tag_type, STRING.handle) == (88, 0x02A0, 0x0FCE)
    assert STRING.produce(text) == octets and STRING.unpack(octets) == text


@pytest.mark.parametrize(
    ("length", "text"), [(-1, ""), (-(2**31), ""), (83, "ab" * 41), (2**31 - 1, "ab" * 41), (3, "aba")]
)
def test_length_that_is_no_length(length: int, text: str) -> None:
    """A negative LEN has no characters, one beyond 82 has all that there are; the padding is never text."""
    octets = length.to_bytes(4, "little", signed=True) + b"ab" * 41 + b"zz"
    assert STRING.unpack(octets) == text


@pytest.mark.parametrize("text", ["", "unit 7", "\xff\0", "x" * 255])
def test_short_string_both_ways(text: str) -> None:
    """A length octet and the characters; kept in 256 octets, sent in as few as there are."""
    octets = bytes([len(text)]) + text.encode("iso-8859-1")
    kept = SSTRING.produce(text)
    assert len(kept) == SSTRING.size == 256 and SSTRING.tag_type == 0xDA
    assert (SSTRING.unpack(kept), SSTRING.sent(kept)) == (text, [octets])
    assert SSTRING.received(octets, 1) == (kept, len(octets))


@pytest.mark.parametrize(
    ("octets", "most", "texts", "used"),
    [
        (b"\1a\0\2bc", 3, ["a", "", "bc"], 6),
        (b"\1a\0\2bc", 2, ["a", ""], 3),
        (b"\1a\3bc", 2, ["a"], 2),
        (b"\5a", 1, [], 0),
        (b"", 1, [], 0),
        (b"\1a", 0, [], 0),
    ],
)
def test_short_strings_received(octets: bytes, most: int, texts: list[str], used: int) -> None:
    """Those that are whole are taken, and how many octets these were is told."""
    kept, end = SSTRING.received(octets, most)
    assert (unpack(SSTRING, kept), end) == (texts, used)


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (STRING, 5, "takes text"),
        (STRING, b"ab", "takes text"),
        (STRING, None, "takes text"),
        (STRING, "x" * 83, "holds 82"),
        (SSTRING, "x" * 256, "holds 255"),
        (STRING, "a\u20ac", "ISO-8859-1"),
    ],
)
def test_refused(kind: Any, value: Any, says: str) -> None:
    """What is no text, is too long, or is not ISO-8859-1: an error that says which value, and what the type takes."""
    with pytest.raises(LocalProtocolError, match=rf"^\[1\]: .*{kind.name}.*") as raised:
        pack(kind, ["", value])
    assert says in str(raised.value)


def test_vectors() -> None:
    """Texts one after the other; a part of one is refused."""
    octets = pack(STRING, ["a", "bc"])
    assert octets == string(1, b"a") + string(2, b"bc")
    assert unpack(STRING, octets) == ["a", "bc"]
    with pytest.raises(RemoteProtocolError, match="STRING"):
        unpack(STRING, octets[:-1])


def test_types_by_code() -> None:
    """The code in front of data, and the handle of a structure, tell the type; a structure of another is not known."""
    assert kind_of(0x02A0, 0x0FCE) is STRING and kind_of(0xDA) is SSTRING
    assert kind_of(0x02A0, 0x1234) is kind_of(0x02A0) is kind_of(0xD0) is None
    assert all(kind_of(one.tag_type or 0) is one for one in TYPES.values())
    assert KINDS == {**TYPES, "STRING": STRING, "SSTRING": SSTRING}


# ------------------------------------------------------------------ strings of other lengths
@pytest.mark.parametrize(
    ("capacity", "size"), [(1, 8), (3, 8), (4, 8), (5, 12), (20, 24), (82, 88), (83, 88), (400, 404), (65535, 65540)]
)
def test_a_structure_of_len_and_data_is_text(capacity: int, size: int) -> None:
    """As clients take it: LEN is DINT, DATA an array of SINT, of any length, padded to whole words."""
    made = structure("STR", [("LEN", DINT, 0), ("DATA", SINT, capacity)])
    assert isinstance(made, LogixString) and (made.capacity, made.size, made.default) == (capacity, size, "")
    assert made.members == (Member("LEN", DINT, 0, 0), Member("DATA", SINT, capacity, 4))
    for text in ("", "\xff\0"[:capacity], "x" * capacity):
        octets = len(text).to_bytes(4, "little") + text.encode("iso-8859-1")
        assert made.produce(text) == octets.ljust(size, b"\0") and made.unpack(made.produce(text)) == text
    with pytest.raises(LocalProtocolError, match=f"{capacity + 1} characters is no STR: it holds {capacity}"):
        made.produce("x" * (capacity + 1))


def test_strings_are_told_apart_by_name_and_capacity() -> None:
    """None is STRING, whose handle no other has."""
    one, other, more = (
        structure(name, [("LEN", DINT, 0), ("DATA", SINT, capacity)])
        for name, capacity in (("STR20", 20), ("STR20X", 20), ("STR20", 21))
    )
    assert len({one.handle, other.handle, more.handle, STRING.handle}) == 4
    assert structure("STRING", [("LEN", DINT, 0), ("DATA", SINT, 82)]).handle != STRING.handle


def test_names_of_len_and_data_in_another_case() -> None:
    """Clients know text by LEN and DATA, in capitals: so they are then."""
    made = structure("STR", [("Len", DINT, 0), ("data", SINT, 8)])
    assert isinstance(made, LogixString) and [one.name for one in made.members] == ["LEN", "DATA"]


@pytest.mark.parametrize(
    "members",
    [
        [("LEN", DINT, 0), ("DATA", SINT, 0)],
        [("LEN", DINT, 1), ("DATA", SINT, 8)],
        [("LEN", INT, 0), ("DATA", SINT, 8)],
        [("LEN", UDINT, 0), ("DATA", SINT, 8)],
        [("LEN", DINT, 0), ("DATA", USINT, 8)],
        [("LEN", DINT, 0), ("DATA", INT, 8)],
        [("DATA", SINT, 8), ("LEN", DINT, 0)],
        [("LEN", DINT, 0), ("TEXT", SINT, 8)],
        [("LEN", DINT, 0), ("DATA", SINT, 8), ("more", SINT, 0)],
        [("LEN", DINT, 0)],
    ],
    ids=str,
)
def test_structures_that_are_no_text(members: Any) -> None:
    """Other types, another order, other or more members: a structure like any other."""
    made = structure("S", members)
    assert type(made) is Structure and made.default == {}
    assert [one.name for one in made.members] == [name for name, _, _ in members]
    with pytest.raises(LocalProtocolError, match="'abc' is no S: it takes its members"):
        made.produce("abc")


def test_text_given_by_its_members_or_as_octets() -> None:
    """As controllers and clients may write it: LEN is kept as it is, and whatever is behind it."""
    assert STRING.produce({"LEN": 2, "DATA": [72, 105, 33]}) == string(2, b"Hi!")
    assert STRING.produce({"len": -1}) == string(-1, b"")
    assert STRING.produce({}) == STRING.produce("") == bytes(88)
    octets = bytes(range(88))
    assert STRING.produce(octets) == STRING.produce(bytearray(octets)) == octets
    for wrong, words in (({"LEN": "x"}, "LEN: 'x' is no DINT"), ({"TEXT": 1}, "STRING has no member 'TEXT'")):
        with pytest.raises(LocalProtocolError, match=words):
            STRING.produce(wrong)
    for wrong in (octets[1:], b"", [72, 105], None):
        with pytest.raises(LocalProtocolError, match="is no STRING: it takes text"):
            STRING.produce(wrong)
