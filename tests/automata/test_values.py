"""Values: numbers of octets, text of symbols, whole numbers of digits; each alone and inside other machines."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from cpppo.automata import (
    Unacceptable,
    chainable,
    dfa,
    integer,
    integer_base,
    integer_bytes,
    regex,
    regex_bytes,
    state,
    state_drop,
    state_input,
    state_struct,
    string,
    string_base,
    string_bytes,
)
from cpppo.dotdict import dotdict
from cpppo.errors import GrammarError, NonTerminal
from tests.automata.outcomes import outcome

OCTETS = b"\x01\x02\x03\x04"


def unpacking(**given: Any) -> dfa:
    """A machine that takes four octets into m.v.input, and unpacks them to m.v."""
    first = here = state_input("0", context="v")
    for number in range(1, 4):
        there = here[True] = state_input(str(number), context="v")
        here = there
    here[None] = state_struct("S", context="v", terminal=True, **given)
    return dfa("M", initial=first, context="m")


def unpacked(octets: Any, **given: Any) -> Any:
    """What is unpacked of ``octets`` found at m.v_octets."""
    machine = dfa("M", initial=state_struct("S", True, context="v", input_extension="_octets", **given), context="m")
    return outcome(machine, b"", dotdict({"m.v_octets": octets})).kept["m.v"]


# -- numbers of octets


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({}, 1),
        ({"format": "<H"}, 0x0201),
        ({"format": ">H"}, 0x0102),
        ({"format": "<I"}, 0x04030201),
        ({"format": ">H", "offset": 1}, 0x0203),
        ({"format": ">H", "index": 1}, 0x0304),
        ({"offset": 1, "index": 2}, 4),
        ({"format": ">BH"}, (1, 0x0203)),
        ({"format": "4s"}, OCTETS),
    ],
    ids=str,
)
def test_struct(given: dict[str, Any], value: Any) -> None:
    """A value is at the offset, after that many values of its format; it takes the place of the octets."""
    assert outcome(unpacking(**given), OCTETS + b"x")[:2] == ({"m.v": value}, [ord("x")])


def test_struct_elsewhere() -> None:
    """With an extension of their own, the octets stay; they may be anything that bytes() makes octets of."""
    for octets in (b"\x05", bytearray(b"\x05"), [5], (5,)):
        assert unpacked(octets) == 5


def test_struct_appends_or_assigns() -> None:
    """What is there is appended to where that is possible, and else replaced."""
    machine = dfa("M", initial=state_struct("S", True, context="v", input_extension="_in"), context="m")
    for there, after in (([7], [7, 1]), (7, 1), (None, 1)):
        data = dotdict({"m.v_in": b"\x01", "m.v": there})
        assert outcome(machine, b"", data).kept["m.v"] == after


def test_struct_of_no_data() -> None:
    """Where nothing is kept, nothing is unpacked."""
    assert [str(entered) for _, entered in unpacking(format=">Q").run(OCTETS)][-1] == "((S))"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"format": ">Q"}, "'m.v.input' has 4 octets, 4 too few for '>Q'"),
        ({"format": ">H", "offset": 3}, "'m.v.input' has 4 octets, 1 too few for '>H'"),
        ({"index": 4}, "'m.v.input' has 4 octets, 1 too few for 'B'"),
    ],
    ids=str,
)
def test_struct_of_too_few_octets(given: dict[str, Any], message: str) -> None:
    """Too few octets are an error that says how many, and where; then nothing is put anywhere."""
    data = dotdict()
    with pytest.raises(Unacceptable) as caught:
        outcome(unpacking(**given), OCTETS, data)
    assert str(caught.value) == f"((S)) cannot use what it took, at offset 4: {message}"
    assert (caught.value.offset, list(data)) == (4, ["m.v.input"])


def test_struct_of_nothing() -> None:
    """No octets at all are too few, not an error of another kind."""
    with pytest.raises(Unacceptable, match="'v.input' has 0 octets, 1 too few"):
        outcome(dfa("M", initial=state_struct("S", context="v", terminal=True)), b"")


@pytest.mark.parametrize("octets", ["ab", None, [1000], -5], ids=repr)
def test_struct_of_no_octets(octets: Any) -> None:
    """What is no octets is refused."""
    with pytest.raises(Unacceptable, match="cannot use what it took, at offset 0"):
        unpacked(octets)


def test_struct_of_what_only_looks_like_octets() -> None:
    """A number, and collected text, are no octets either."""
    with pytest.raises(Unacceptable):
        unpacked(5)
    with pytest.raises(Unacceptable):
        outcome(unpacking(), "abcd")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"format": "q!"}, "'q!' is no format of struct: "),
        ({"offset": -1}, "offset -1 is no whole number from 0"),
        ({"index": -2}, "index -2 is no whole number from 0"),
        ({"format": 5}, "5 is no format of struct: "),
        ({"offset": "1"}, "offset '1' is no whole number from 0"),
    ],
    ids=str,
)
def test_struct_refused(given: dict[str, Any], message: str) -> None:
    """A format that is none, and a negative or strange place, are refused when the state is made."""
    with pytest.raises(GrammarError) as caught:
        state_struct("S", **given)
    assert str(caught.value).startswith(f"( S ): {message}")


def test_struct_copy() -> None:
    """A copy unpacks as its original does."""
    copy = state_struct(state_struct("S", True, context="v", format=">H", offset=1, input_extension="_in"))
    data = dotdict({"v_in": OCTETS})
    assert (outcome(dfa("M", initial=copy), b"", data).kept["v"], copy.name) == (0x0203, "S'")


# -- text


def test_string_takes_all() -> None:
    """By default all there is becomes a str, or bytes, at its context, in place of what was collected."""
    assert outcome(string(), "añ日😀\n\0")[:2] == ({"string": "añ日😀\n\0"}, [])
    assert outcome(string_bytes(), bytes(range(256)))[:2] == ({"string": bytes(range(256))}, [])
    assert outcome(string("S", "a+", context="s"), "aab", path="p")[:2] == ({"p.s": "aa"}, ["b"])
    assert outcome(string_bytes(initial=b"\xff+", regex_context="in"), b"\xff").kept == {"string": b"\xff"}


@pytest.mark.parametrize(
    ("given", "kept", "remaining"),
    [
        ({}, b"abc", b""),
        ({"limit": 2}, b"ab", b"c"),
        ({"limit": 0}, b"", b"abc"),
        ({"greedy": True, "limit": 2}, b"ab", b"c"),
        ({"greedy": False, "limit": 2}, b"", b"abc"),
        ({"greedy": False, "limit": 2, "initial": ".+"}, b"a", b"bc"),
        ({"limit": ".size"}, b"ab", b"c"),
        ({"limit": ".absent"}, b"", b"abc"),
        ({"repeat": 2, "initial": ".", "greedy": False}, b"ab", b"c"),
    ],
    ids=str,
)
def test_string_limits(given: dict[str, Any], kept: bytes, remaining: bytes) -> None:
    """All of a limit is taken, a number or a place in the data; greedy=False stops as soon as satisfied."""
    told, rest, _ = outcome(string_bytes(**given), b"abc", dotdict(size=2))
    assert (told["string"], bytes(rest)) == (kept, remaining)
    given = {**given, "initial": given.get("initial", ".*")}
    told, rest, _ = outcome(string(**given), "abc", dotdict(size=2))
    assert (told["string"], "".join(rest)) == (kept.decode(), remaining.decode())


def test_string_of_nothing() -> None:
    """The empty sentence is the empty str, or bytes."""
    assert outcome(string(), "").kept == outcome(string_bytes(decode="ascii"), b"").kept == {"string": ""}
    assert outcome(string_bytes(), b"").kept == {"string": b""}


def test_string_of_no_octets() -> None:
    """A pattern of octets makes bytes, of no octets too."""
    assert outcome(string(initial=b".*"), b"a").kept == {"string": b"a"}
    assert outcome(string(initial=b".*"), b"").kept == {"string": b""}


def test_string_again() -> None:
    """A second run over the same data replaces the value; one that fails leaves none."""
    machine, data = string(initial="a+"), dotdict()
    assert outcome(machine, "aa", data).kept == {"string": "aa"}
    assert outcome(machine, "a", data).kept == {"string": "a"}
    with pytest.raises(NonTerminal):
        outcome(machine, "b", data)
    assert dict(data.items()) == {}


def test_string_keeps_nothing_without_data() -> None:
    """Without data a run takes the same steps."""
    assert [entered and entered.name for _, entered in string(limit=2).run("abc")] == ["0'", "0", "0"]


@pytest.mark.parametrize(
    ("codec", "text"), [("utf-8", "é日"), ("utf-16-le", "é日"), ("iso-8859-1", "é"), ("ascii", "e")]
)
def test_decode(codec: str, text: str) -> None:
    """Octets become text by the codec named."""
    assert outcome(string_bytes(decode=codec), text.encode(codec)).kept == {"string": text}


def test_decode_text() -> None:
    """Text needs no decoding, whatever the codec."""
    assert outcome(string(decode="ascii"), "é").kept == {"string": "é"}


@pytest.mark.parametrize(
    ("codec", "octets", "offset", "message"),
    [
        ("utf-8", b"a\xffb", 3, "byte 0xff in position 1"),
        ("utf-8", b"a\xc3", 2, "unexpected end of data"),
        ("ascii", "aé".encode(), 3, "byte 0xc3 in position 1: ordinal not in range"),
        ("utf-16-le", b"a", 1, "truncated data"),
        ("undefined", b"a", 1, "undefined encoding"),
    ],
)
def test_octets_that_the_codec_does_not_know(codec: str, octets: bytes, offset: int, message: str) -> None:
    """Octets that cannot be decoded are an error of the machine, with the offset, and leave no value."""
    data = dotdict()
    with pytest.raises(NonTerminal, match=message) as caught:
        outcome(string_bytes(decode=codec), octets, data)
    assert (caught.value.offset, f"at offset {offset}" in str(caught.value)) == (offset, True)
    assert list(data.string) == ["input"]


@pytest.mark.parametrize(
    "codec",
    [
        "nonsense",
        "hex",
        "rot13",
        5,
    ],
)
def test_unknown_codec(codec: Any) -> None:
    """A codec that is none, or not of text, is refused when the machine is made."""
    with pytest.raises(GrammarError, match="codec"):
        string_bytes(decode=codec)


# -- whole numbers


@pytest.mark.parametrize(
    ("digits", "value"),
    [("0", 0), ("42", 42), ("0042", 42), ("9" * 4300, int("9" * 4300))],
    ids=lambda each: str(each)[:9],
)
def test_integer(digits: str, value: int) -> None:
    """Digits become a number in their place."""
    assert outcome(integer(), digits + "x")[:2] == ({"integer": value}, ["x"])
    assert outcome(integer_bytes(context="n"), digits.encode(), path="p").kept == {"p.n": value}


@pytest.mark.parametrize(
    ("given", "value", "remaining"),
    [({}, 123, ""), ({"greedy": False}, 1, "23"), ({"limit": 2}, 12, "3"), ({"limit": ".size"}, 12, "3")],
    ids=str,
)
def test_integer_flags(given: dict[str, Any], value: int, remaining: str) -> None:
    """It takes all digits, within its limit; greedy=False, the first."""
    kept, rest, _ = outcome(integer(**given), "123", dotdict(size=2))
    assert (kept["integer"], "".join(rest)) == (value, remaining)


def test_integer_of_another_pattern() -> None:
    """Any pattern that int() understands will do; what it does not is an error with the offset."""
    assert outcome(integer(initial=r"[+\-]?\d+"), "-12").kept == {"integer": -12}
    for pattern, text, offset in (("[a-f]+", "ff", 2), (r"\d*", "x", 0)):
        with pytest.raises(Unacceptable, match=f"at offset {offset}: invalid literal") as caught:
            outcome(integer(initial=pattern), text)
        assert caught.value.offset == offset


@pytest.mark.parametrize("symbols", ["", "x", "-1", "٣"])
def test_integer_of_no_digits(symbols: str) -> None:
    """Without a digit there is no number; digits are 0 to 9."""
    for machine, given in ((integer(), symbols), (integer_bytes(), symbols.encode())):
        with pytest.raises(NonTerminal, match="non-terminal state, at offset 0"):
            outcome(machine, given)


def test_integer_again() -> None:
    """A second run over the same data replaces the number, though digits are collected below its place."""
    for machine, digits in ((integer(), "42"), (integer_bytes(), b"42")):
        data = dotdict()
        assert [outcome(machine, part, data).kept for part in (digits, digits[1:])] == [{"integer": 42}, {"integer": 2}]


def test_integer_of_too_many_digits() -> None:
    """More digits than Python makes a number of are an error of the machine, not of Python."""
    many = sys.get_int_max_str_digits() + 1
    for machine, digits in ((integer(), "9" * many), (integer_bytes(), b"9" * many)):
        with pytest.raises(NonTerminal, match=f"{many} digits") as caught:
            outcome(machine, digits)
        assert caught.value.offset == many


def test_kinds() -> None:
    """Values are regular expressions, of text and of octets, with a common base."""
    assert [issubclass(each, string_base) for each in (string, string_bytes)] == [True, True]
    assert [issubclass(each, integer_base) for each in (integer, integer_bytes)] == [True, True]
    assert [issubclass(each, regex_bytes) for each in (string, string_bytes, integer, integer_bytes)] == [
        False,
        True,
    ] * 2
    assert issubclass(string, regex) and isinstance(string().initial, state)


# -- together


def net(limit: str = ".length", **given: Any) -> dfa:
    """A length, a colon, that many octets of text, and a comma."""
    length = integer_bytes("length", context="length")
    body = string_bytes("body", context="body", limit=limit, decode="utf-8")
    colon = length[ord(":")] = state_drop("colon")
    colon[None] = body
    body[ord(",")] = state_drop("comma", terminal=True)
    return dfa("net", initial=length, context="net", terminal=True, **given)


@pytest.mark.parametrize(("text", "value"), [("3:abc,", "abc"), ("0:,", ""), ("3:,,,,", ",,,"), ("5:é日,", "é日")])
def test_text_of_a_length_told_before(text: str, value: str) -> None:
    """A machine may be limited by what another put beside it, and takes all of that, whatever it is."""
    octets = text.encode()
    told = {"net.length": len(value.encode()), "net.body": value}
    assert outcome(net(), octets + b"7") == (told, [ord("7")], True)
    assert outcome(net(), octets, path="p.q").kept == {f"p.q.{path}": each for path, each in told.items()}


def test_text_of_a_length_told_further_up() -> None:
    """Each leading dot more reaches one level further up."""
    for limit, path in ((".n", "p.net.n"), ("..n", "p.n"), ("...n", "n")):
        kept = outcome(net(limit), b"9:ab,", dotdict({path: 2}), path="p").kept
        assert kept["p.net.body"] == "ab"


def test_text_of_a_length_in_pieces() -> None:
    """Octet by octet it is the same."""
    source, data, octets = chainable(), dotdict(), "5:é日,".encode()
    for _, entered in net().run(source, data=data):
        if entered is None:
            source.chain(octets[source.sent : source.sent + 1])
    assert dict(data.items()) == {"net.length": 5, "net.body": "é日"}


def test_repeated_values() -> None:
    """Repeated, the machine inside makes its values anew each time."""
    assert outcome(net(repeat=2), b"1:a,2:bc,").kept == {"net.length": 2, "net.body": "bc"}


@pytest.mark.parametrize(
    ("octets", "offset", "message"),
    [
        (b"2:abc,", 4, "next symbol 99"),
        (b"3:ab", 4, "no more input"),
        (b"3:abcd", 5, "next symbol 100"),
        (b"3:a\xffb,", 5, "cannot use what it took, at offset 5: 'utf-8'"),
        (b":", 0, "next symbol 58"),
        (b"3", 1, "no more input"),
    ],
)
def test_text_of_a_wrong_length(octets: bytes, offset: int, message: str) -> None:
    """What does not end where its length says is an error there."""
    with pytest.raises(NonTerminal) as caught:
        outcome(net(), octets)
    assert caught.value.offset == offset
    assert message in str(caught.value)
