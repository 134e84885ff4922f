"""Tnetstrings as octets: both directions, and what neither takes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import LocalProtocolError, RemoteProtocolError
from cpppo.server import tnetstrings
from cpppo.server.tnetstrings import (
    MAXIMUM_DEPTH,
    MAXIMUM_DIGITS,
    MAXIMUM_SIZE_DIGITS,
    MalformedTnetstring,
    UnsupportedValue,
    dump,
    interpret,
    parse,
)

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.binary(max_size=20) | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT | st.binary(max_size=5), inner, max_size=5),
    max_leaves=20,
)

PAIRS: list[tuple[Any, bytes]] = [
    (None, b"0:~"),
    (True, b"4:true!"),
    (False, b"5:false!"),
    (0, b"1:0#"),
    (123, b"3:123#"),
    (-123, b"4:-123#"),
    (1.5, b"3:1.5^"),
    (1e100, b"6:1e+100^"),
    (-math.inf, b"4:-inf^"),
    (b"", b"0:,"),
    (b"hello", b"5:hello,"),
    (b"\x00\xff:~", b"4:\x00\xff:~,"),
    ("", b"0:$"),
    ("hello", b"5:hello$"),
    ("p\xf4t", b"4:p\xc3\xb4t$"),
    ([], b"0:]"),
    ([1, [b"a", None]], b"14:1:1#7:1:a,0:~]]"),
    ({}, b"0:}"),
    ({"a": 1, b"b": {}}, b"15:1:a$1:1#1:b,0:}}"),
]


@pytest.mark.parametrize(("value", "octets"), PAIRS, ids=[repr(octets) for _, octets in PAIRS])
def test_both_ways(value: Any, octets: bytes) -> None:
    """Each type has its one form, with its size in octets; what follows is given back."""
    assert dump(value) == octets
    for rest in (b"", b"5:hello,", b"\x00"):
        got, left = parse(octets + rest)
        assert (got, left) == (value, rest) and type(got) is type(value)


@given(VALUES, st.binary(max_size=5))
def test_round_trip(value: Any, rest: bytes) -> None:
    """Every value, dumped, is parsed to itself, of the same types, whatever follows."""
    got, left = parse(dump(value) + rest)
    assert left == rest
    assert repr(got) == repr(value)


@given(TEXT)
def test_encodings(text: str) -> None:
    """Text is told in the encoding asked for."""
    octets = text.encode("utf-16-le")
    assert dump(text, "utf-16-le") == b"%d:%b$" % (len(octets), octets)
    assert parse(dump(text, "utf-16-le"), "utf-16-le") == (text, b"")


def test_nan() -> None:
    """A float that is no number comes back as one."""
    assert dump(math.nan) == b"3:nan^"
    assert math.isnan(parse(b"3:nan^")[0])


def test_also_dumped() -> None:
    """A tuple is told as a list; any octets as bytes; a subclass as what it is derived from."""

    class Celsius(float):
        def __repr__(self) -> str:
            return f"{float(self)} C"

    assert dump((1, 2)) == dump([1, 2])
    assert dump(bytearray(b"abc")) == dump(memoryview(b"abc")) == dump(b"abc")
    assert dump(Celsius(1.5)) == b"3:1.5^"


def test_also_parsed() -> None:
    """A bool of one letter; signs; zeros before a size; any octets."""
    assert parse(b"1:t?") == (True, b"")
    assert parse(b"1:f?x") == (False, b"x")
    assert parse(b"3:+12#") == (12, b"")
    assert parse(b"005:hello,") == (b"hello", b"")
    assert parse(bytearray(b"1:a,b")) == parse(memoryview(b"1:a,b")) == (b"a", b"b")


def test_a_key_given_twice() -> None:
    """Of a key that comes twice in a dict, the last value counts."""
    assert parse(b"16:1:a$1:1#1:a$1:2#}") == ({"a": 2}, b"")


# ------------------------------------------------------------------ what is refused
def test_messages_scripts_may_know() -> None:
    """These errors are AssertionErrors with known messages, and errors of the project that say where."""
    for octets, message, offset in (
        (b"", "Invalid data to parse, it's empty.", 0),
        (b"1:x~", "Payload must be 0 length for null.", 2),
    ):
        with pytest.raises(AssertionError) as caught:
            parse(octets)
        assert str(caught.value) == message
        assert isinstance(caught.value, RemoteProtocolError)
        assert caught.value.offset == offset
    for octets in (b"5:hello", b"5:hel", b"0:"):
        with pytest.raises(AssertionError, match="^No payload type: ") as caught:
            parse(octets)
        assert isinstance(caught.value, RemoteProtocolError)
    with pytest.raises(AssertionError) as caught:
        dump({1, 2})
    assert str(caught.value) == "Can't serialize stuff that's <class 'set'>."
    assert isinstance(caught.value, LocalProtocolError)


MALFORMED = [
    (b":", "size", 0),
    (b"hello", "size", 0),
    (b"-1:a,", "size", 0),
    (b"+1:a,", "size", 0),
    (b" 1:a,", "size", 0),
    (b"1_0:aaaaaaaaaa,", "size", 0),
    (b"5", "size", 0),
    (b"9" * MAXIMUM_SIZE_DIGITS + b"9:a,", "A size of 10 digits, of which 9 are the most: b'9999999999', at", 0),
    (b"9" * MAXIMUM_SIZE_DIGITS + b"9", "A size of 10 digits", 0),
    (b"0" * 800 + b"1:a,", "A size of 801 digits, of which 9 are the most: b'00000000000000000000'[.]{3}, at", 0),
    (b"9" * MAXIMUM_SIZE_DIGITS + b"x", "Not a size of 1 to 9 digits and a ':'", 0),
    (b"\xb2:aa,", "size", 0),
    (b"3:abc;", "Invalid payload type: b';'", 5),
    (b"0:#", "integer", 2),
    (b"3:1_0#", "integer", 2),
    (b"2: 1#", "integer", 2),
    (b"3:1.0#", "integer", 2),
    (b"3:0x1#", "integer", 2),
    (b"0:^", "float", 2),
    (b"1:.^", "float", 2),
    (b"3:1_0^", "float", 2),
    (b"8:infinity^", "float", 2),
    (b"4:True!", "true or false", 2),
    (b"1:t!", "type '!', which is true or false; write type '?' for that", 2),
    (b"4:true?", "type '?', which is t or f; write type '!' for that", 2),
    (b"4:True?", "which is t or f: b'True'", 2),
    (b"2:a\xff$", "utf-8", 3),
    (b"3:1:a]", "No payload type", 4),
    (b"5:1:a,x]", "size", 6),
    (b"8:1:1#1:1#}", "key must be text", 2),
    (b"4:1:a$}", "no value", 6),
    (b"4:1:1#}", "key must be text", 2),
    (b"7:0:]1:1#}", "key must be text", 2),
]


@pytest.mark.parametrize(("octets", "message", "offset"), MALFORMED, ids=[repr(each[0][:20]) for each in MALFORMED])
def test_malformed(octets: bytes, message: str, offset: int) -> None:
    """What is no tnetstring: an error that says what is wrong, and at which octet."""
    with pytest.raises(MalformedTnetstring, match=message.replace("?", r"\?")) as caught:
        parse(octets)
    assert caught.value.offset == offset
    assert f"offset {offset}" in str(caught.value)


@given(st.binary(max_size=30) | st.lists(st.sampled_from(list(b"0123459:~!#^,$]}?tf.e-")), max_size=30).map(bytes))
def test_any_octets(octets: bytes) -> None:
    """Any octets are parsed, or refused by the one error, at an octet among them; what is parsed can be dumped."""
    try:
        value, rest = parse(octets)
    except MalformedTnetstring as exc:
        assert exc.offset is not None and 0 <= exc.offset <= len(octets)
    else:
        assert octets.endswith(rest) and len(rest) < len(octets)
        assert repr(parse(dump(value))) == repr((value, b""))


def nested(levels: int, kind: bytes = b"]") -> bytes:
    octets = b"0:" + kind
    for _ in range(levels - 1):
        key = b"0:," if kind == b"}" else b""
        octets = b"%d:%b%b%b" % (len(key + octets), key, octets, kind)
    return octets


@pytest.mark.parametrize("kind", [b"]", b"}"])
def test_depth(kind: bytes) -> None:
    """Lists and dicts may be nested MAXIMUM_DEPTH deep, both ways, and no deeper, however hostile."""
    deepest = nested(MAXIMUM_DEPTH, kind)
    value, rest = parse(deepest)
    assert rest == b"" and dump(value) == deepest
    for levels in (MAXIMUM_DEPTH + 1, 20_000):
        with pytest.raises(MalformedTnetstring, match="deep"):
            parse(nested(levels, kind))
    with pytest.raises(UnsupportedValue, match="deep"):
        dump([value])
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(UnsupportedValue, match="deep"):
        dump(circle)


def test_digits() -> None:
    """Numbers may have MAXIMUM_DIGITS octets, both ways, and no more."""
    most = 10**MAXIMUM_DIGITS - 1
    assert parse(dump(most)) == (most, b"")
    for number in (most + 1, -most, 1 << 10_000_000):
        with pytest.raises(UnsupportedValue, match="digits"):
            dump(number)
    for kind, message in ((b"#", "integer"), (b"^", "float")):
        octets = b"%d:%b%b" % (MAXIMUM_DIGITS, b"1" * MAXIMUM_DIGITS, kind)
        assert parse(octets)[1] == b""
        with pytest.raises(MalformedTnetstring, match=message):
            parse(b"%d:%b%b" % (MAXIMUM_DIGITS + 1, b"1" * (MAXIMUM_DIGITS + 1), kind))


def test_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has more octets than a size can tell is not dumped."""
    monkeypatch.setattr(tnetstrings, "MAXIMUM_SIZE_DIGITS", 2)
    assert dump(bytes(99)) == b"99:" + bytes(99) + b","
    with pytest.raises(UnsupportedValue, match="2 digits"):
        dump(bytes(100))
    with pytest.raises(UnsupportedValue, match="2 digits"):
        dump([bytes(97)])


def test_where_a_value_cannot_be_told() -> None:
    """An error names the place in the value."""
    with pytest.raises(UnsupportedValue) as caught:
        dump([1, {"name": [object()]}])
    assert caught.value.path == "[1]['name'][0]"
    assert caught.value.reason == "Can't serialize stuff that's <class 'object'>."
    with pytest.raises(UnsupportedValue, match="dict key that's <class 'int'>"):
        dump({1: 2})
    with pytest.raises(UnsupportedValue, match="surrogates") as caught:
        dump({"a": "\ud800"})
    assert caught.value.path == "['a']"


@pytest.mark.parametrize("encoding", ["no-such", "hex", "\0"])
def test_encodings_that_are_none(encoding: str) -> None:
    """An encoding that does not exist: an error that names it, both ways."""
    with pytest.raises(UnsupportedValue, match="encode"):
        dump("text", encoding)
    with pytest.raises(UnsupportedValue, match="decode"):
        parse(b"4:text$", encoding)


@pytest.mark.parametrize("given", ["5:hello,", 5, None, [53]])
def test_no_octets(given: Any) -> None:
    """Text and the like are refused, with what to give instead."""
    with pytest.raises(UnsupportedValue, match="give bytes"):
        parse(given)


def test_interpret() -> None:
    """A payload alone is interpreted by its type."""
    assert interpret(b"", ord("~")) is None
    assert interpret(b"12", ord("#")) == 12
    assert interpret(b"1:1#", ord("]")) == [1]
    with pytest.raises(MalformedTnetstring, match="offset 3"):
        interpret(b"1:1;", ord("]"))
