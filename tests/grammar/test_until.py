"""Delimited text: octets and text up to a delimiter, by every way in and out; what is refused, and where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from cpppo import LocalProtocolError, chainable, dotdict
from cpppo.errors import GrammarError, NonTerminal
from cpppo.grammar import (
    Malformed,
    Message,
    Struct,
    const,
    field,
    guarded,
    octets,
    offsets,
    peek,
    prefix,
    rest,
    switch,
    text,
    until,
    vector,
)
from cpppo.grammar.delimiters import UNTIL_OCTETS
from cpppo.server.enip.wire.types import UINT, USINT
from tests.helpers import check_wire, chunks, compiled, refused, same, stepped


class Sentence(Message):
    """A line of NMEA 0183."""

    start = const(b"$")
    talker = text(2)
    kind = text(3)
    fields = until(b"*", most=74)
    checksum = octets(2)
    end = const(b"\r\n")


POSITION = b"$GPGLL,4916.45,N,12311.12,W,225444,A,*1D\r\n"
RECORD = Sentence(talker="GP", kind="GLL", fields=b",4916.45,N,12311.12,W,225444,A,", checksum=b"1D")


def records(pieces: Iterable[bytes]) -> Iterator[Any]:
    """The sentences that come in pieces, each as soon as its last octet is there."""
    machine, source, left = Sentence.machine(context="sentence"), chainable(), iter(pieces)
    while True:
        while source.peek() is None:
            piece = next(left, None)
            if piece is None:
                return
            source.chain(piece)
        data = dotdict()
        for _, state in machine.run(source=source, data=data):
            if state is None:
                source.chain(next(left, b""))
        yield data.sentence


# ------------------------------------------------------------------ a sentence
def test_a_sentence_is_parsed_and_produced() -> None:
    """Whole, cut off, with more behind it, stepped and compiled."""
    check_wire(Sentence, POSITION, RECORD)


def test_a_sentence_is_printed() -> None:
    """Its record has its fields in wire order, and its constants too by name."""
    record = Sentence.parse(POSITION)
    assert repr(record) == (
        "Sentence(talker='GP', kind='GLL', fields=b',4916.45,N,12311.12,W,225444,A,', checksum=b'1D')"
    )
    assert (record["start"], record.end, record["fields"][:8]) == (b"$", b"\r\n", b",4916.45")
    assert ("fields", "until b'*', 74 octets at most") in Sentence.layout()
    assert ("end", r"octets, always b'\r\n'") in Sentence.layout()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 20, 41, 42, 43, 83, 1000])
def test_sentences_are_streamed_in_pieces_of_any_size(size: int) -> None:
    """One after the other from one source, whatever the pieces."""
    other = Sentence(talker="GP", kind="RMC", fields=b"", checksum=b"4C")
    wire = POSITION + other.produce() + POSITION
    assert list(records(wire[at : at + size] for at in range(0, len(wire), size))) == [RECORD, other, RECORD]


def test_a_streamed_record_is_there_with_its_last_octet() -> None:
    """No octet of the next sentence is waited for."""
    sent: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number, octet in enumerate(POSITION * 2, 1):
            sent.append(number)
            yield bytes([octet])

    found = records(pieces())
    assert next(found) == RECORD and len(sent) == len(POSITION)
    assert next(found) == RECORD and len(sent) == 2 * len(POSITION)
    assert next(found, None) is None


#: What is wrong with a sentence, its octets; the offset and path told, and words.
WRONG = [
    ("nothing", b"", 0, "start", "non-terminal"),
    ("another start", b"!GPGLL*1D\r\n", 0, "start", "expected b'\\$', found b'!'"),
    ("cut off in its kind", b"$GPG", 4, "kind", "non-terminal"),
    ("cut off before its delimiter", b"$GPGLL,1", 8, "fields", r"no b'\*' before the end"),
    ("cut off at once", b"$GPGLL", 6, "fields", r"no b'\*' before the end"),
    ("without a delimiter", b"$GPGLL,1,1D\r\n", 13, "fields", r"no b'\*' before the end"),
    ("longer than allowed", b"$GPGLL" + b"," * 75 + b"*1D\r\n", 6 + 74, "fields", r"more than 74 octets before b'\*'"),
    ("endlessly long", b"$GPGLL" + b"," * 5000, 6 + 74, "fields", "in a value that began at offset 6,"),
    ("cut off in its checksum", b"$GPGLL*1", 8, "checksum", "non-terminal"),
    ("a delimiter in its checksum", b"$GPGLL**1D\r\n", 9, "end", r"expected b'\\r\\n', found b'D\\r'"),
    ("half an end", b"$GPGLL*1D\r", 10, "end", "non-terminal"),
    ("another end", b"$GPGLL*1D\n\r", 9, "end", r"expected b'\\r\\n', found b'\\n\\r'"),
    ("more than a sentence", b"$GPGLL*1D\r\n$", 11, "", "1 octets more"),
]
#: What is wrong with one of a stream: neither its end nor the beginning of the next.
STREAMED = WRONG[1:-1]


@pytest.mark.parametrize(("what", "wire", "offset", "path", "words"), WRONG, ids=[row[0] for row in WRONG])
def test_a_wrong_sentence_is_explained(what: str, wire: bytes, offset: int, path: str, words: str) -> None:
    """The octet at which it shows, the field, and why."""
    error = refused(Sentence, wire)
    assert (error.offset, error.path) == (offset, path)
    assert re.search(words, str(error))


@pytest.mark.parametrize("size", [1, 3, 10000])
@pytest.mark.parametrize(("what", "wire", "offset", "path", "words"), STREAMED, ids=[row[0] for row in STREAMED])
def test_a_wrong_stream_is_refused_at_the_same_octet(
    size: int, what: str, wire: bytes, offset: int, path: str, words: str
) -> None:
    """Fed in pieces, with the same words, and with the offset in words and as a number."""
    with pytest.raises(NonTerminal, match=words) as caught:
        list(records(wire[at : at + size] for at in range(0, len(wire), size)))
    assert caught.value.offset == offset
    assert f"at offset {offset}" in str(caught.value)


def test_a_peer_that_never_ends_is_not_listened_to_for_ever() -> None:
    """The stepped machine gives up one octet above the bound, its source as endless as it likes."""
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        yield from b"$GPGLL"
        while True:
            taken += 1
            assert taken < 1000
            yield 0x2C

    with pytest.raises(NonTerminal, match="more than 74 octets"):
        list(Sentence.machine().run(source=endless(), data=dotdict()))
    assert taken == 75


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (b"1*2", r"b'\*' ends it"),
        (b"*", r"b'\*' ends it"),
        (b"," * 75, "at most 74 octets"),
        ("text", "octets are expected"),
        (None, "octets are expected"),
        (7, "octets are expected"),
    ],
)
def test_a_value_that_cannot_be_delimited_is_not_produced(fields: Any, words: str) -> None:
    """One with the delimiter in it, too long, or no octets at all."""
    with pytest.raises(LocalProtocolError, match=words) as caught:
        Sentence(talker="GP", kind="GLL", fields=fields, checksum=b"00").produce()
    assert caught.value.path == "Sentence.fields"


@pytest.mark.parametrize("made", [bytearray, memoryview])
def test_any_kind_of_octets_is_produced(made: Callable[[bytes], Any]) -> None:
    record = Sentence(talker="GP", kind="GLL", fields=made(RECORD.fields), checksum=b"1D")
    assert record.produce() == POSITION


# ------------------------------------------------------------------ values and delimiters
@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_value_of_just_the_most_octets(most: int) -> None:
    """Is parsed and produced; one of an octet more is neither."""
    message = Struct("Bounded", ["a" / until(b"\0\1", most=most), "z" / USINT])
    for value in (b"", b"x", b"\0" * most, b"\1" * most):
        check_wire(message, value + b"\0\1\7", message(a=value, z=7))
    assert refused(message, b"x" * (most + 1) + b"\0\1\7").offset == most
    assert refused(message, b"\0" * (most + 2) + b"\1\7").path == "a"
    with pytest.raises(LocalProtocolError, match=f"at most {most} octets"):
        message(a=b"x" * (most + 1), z=7).produce()


def test_the_bound_unless_said_otherwise() -> None:
    """UNTIL_OCTETS octets, and not one more, whole and stepped, in and out."""
    message = Struct("Unbounded", ["a" / until(b"\n")])
    longest = b"x" * UNTIL_OCTETS
    assert message.parse(longest + b"\n") == message(a=longest)
    assert same(stepped(message, longest + b"\n"), message(a=longest))
    assert message(a=longest).produce() == longest + b"\n"
    assert refused(message, longest + b"x\n").offset == UNTIL_OCTETS
    with pytest.raises(LocalProtocolError, match=f"at most {UNTIL_OCTETS} octets"):
        message(a=longest + b"x").produce()


@pytest.mark.parametrize("delimiter", [b"*", b"\r\n", b"aa", b"aab", b"abab", b"abac", b"aabaaa"], ids=repr)
def test_the_first_delimiter_ends_it(delimiter: bytes) -> None:
    """However often octets before it look like its beginning; the machine finds it where bytes.find does."""
    message = Struct("Found", ["a" / until(delimiter), "b" / octets()])
    letters = sorted({*delimiter, 0x7A})
    words = [b""]
    for word in words:
        if len(word) < (7 if len(letters) < 4 else 5):
            words += [word + bytes([letter]) for letter in letters]
    for word in words:
        wire = word + delimiter
        at = wire.find(delimiter)
        wanted = message(a=wire[:at], b=wire[at + len(delimiter) :])
        assert same(compiled(message, wire), wanted)
        assert same(stepped(message, wire), wanted), wire


@pytest.mark.parametrize(
    ("delimiter", "value"), [(b"\r\r", b"a\r"), (b"aa", b"a"), (b"abab", b"xab"), (b"\r\n", b"a\r\nb"), (b"ab", b"ab")]
)
def test_a_value_whose_end_looks_like_its_delimiter_is_not_produced(delimiter: bytes, value: bytes) -> None:
    """For it would be parsed as another."""
    message = Struct("Looks", ["n" / USINT, "a" / until(delimiter)])
    wire = b"\1" + value + delimiter
    assert prefix(message)(wire, 0, len(wire))[0].a != value
    with pytest.raises(LocalProtocolError, match="ends it") as caught:
        message(n=1, a=value).produce()
    assert caught.value.path == "Looks.a"


@pytest.mark.parametrize("encoding", ["iso-8859-1", "ascii", "utf-8"])
def test_text_up_to_a_delimiter(encoding: str) -> None:
    """A delimiter that is text makes text; what the encoding cannot be is refused both ways."""
    word, delimiter = ("abc", ",") if encoding == "ascii" else ("a\xe9", "\xa7")
    message = Struct("Worded", ["t" / until(delimiter, encoding, most=6), "z" / USINT])
    check_wire(message, (word + delimiter).encode(encoding) + b"\1", message(t=word, z=1))
    assert message().t == ""
    for wrong in ("\u20ac" if encoding != "utf-8" else "\ud800", b"octets", 5, None, word + delimiter, "abcabca"):
        with pytest.raises(LocalProtocolError) as caught:
            message(t=wrong, z=1).produce()
        assert caught.value.path == "Worded.t"
    if encoding != "iso-8859-1":
        assert refused(message, b"\xff" + delimiter.encode(encoding) + b"\1").path == "t"


def test_the_encoding_unless_said_otherwise() -> None:
    """Is that of text()."""
    message = Struct("Latin", ["t" / until("\xa7")])
    check_wire(message, b"\xe9\xa7", message(t="\xe9"))


# ------------------------------------------------------------------ in every position
def test_delimited_values_one_after_the_other() -> None:
    """First, in the middle and last; the next begins behind the delimiter."""
    message = Struct("Three", ["a" / until(b","), "b" / until(b"\r\n"), "n" / UINT, "c" / until(";")])
    check_wire(message, b"one,two\r\n\7\0three;", message(a=b"one", b=b"two", n=7, c="three"))
    check_wire(message, b",\r\n\7\0;", message(a=b"", b=b"", n=7, c=""))


def test_a_delimiter_beyond_the_limit_is_none() -> None:
    """Within a length, the value must end there exactly."""
    message = Struct("Limited", ["n" / USINT, "a" / until(b",").within(field("n")), "z" / octets(2)])
    check_wire(message, b"\3ab,,,", message(a=b"ab", z=b",,"))
    error = refused(message, b"\2ab,,")
    assert (error.path, error.offset) == ("a", 3) and "no b','" in error.reason
    error = refused(message, b"\3a,b,,")
    assert error.offset == 3


def test_repeated_delimited_values() -> None:
    """Counted, as often as fill the limit, and in messages; a count beyond the octets left is refused at once."""
    counted = Struct("Counted", ["n" / USINT, "a" / vector(until(b"\r\n"), field("n")), "z" / USINT])
    check_wire(counted, b"\2ab\r\n\r\n\7", counted(a=[b"ab", b""], z=7))
    error = refused(counted, b"\4ab\r\n\r\n\7")
    assert (error.path, error.offset) == ("a", 1)
    filling = Struct("Filling", ["z" / USINT, "a" / rest(until(","))])
    check_wire(filling, b"\7a,,b,", filling(z=7, a=["a", "", "b"]), rest=True)
    assert refused(filling, b"\7a,b").path == "a[1]"
    pair = Struct("Pair", ["key" / until("="), "value" / until(";")])
    pairs = Struct("Pairs", ["p" / rest(pair)])
    check_wire(pairs, b"a=1;b=;", pairs(p=[pair("a", "1"), pair("b", "")]), rest=True)
    error = refused(pairs, b"a=1;b;")
    assert (error.path, error.offset) == ("p[1].key", 6)


def test_the_field_that_cannot_be_produced_is_named_in_inner_messages() -> None:
    pair = Struct("Pair", ["key" / until("="), "value" / until(";")])
    outer = Struct("Outer", ["p" / pair])
    with pytest.raises(LocalProtocolError, match="ends it") as caught:
        outer(p=pair("a=b", "c")).produce()
    assert caught.value.path == "Outer.p.key"


@pytest.mark.parametrize("default", [octets(), octets(0), guarded(octets()), None], ids=["rest", "none", "guard", "no"])
@pytest.mark.parametrize("likely", [(), (1,), (1, 2)], ids=repr)
def test_chosen_delimited_values(default: Any, likely: tuple[int, ...]) -> None:
    """By a switch: a case's octets get their delimiter, those of a default that is octets have none."""
    cases: dict[int, Any] = {1: until(b","), 2: until(";"), 3: UINT, 4: guarded(until(b"!"))}
    message = Struct("Chosen", ["k" / USINT, "a" / switch(field("k"), cases, default, likely)])
    check_wire(message, b"\1ab,", message(k=1, a=b"ab"))
    check_wire(message, b"\2ab;", message(k=2, a="ab"))
    check_wire(message, b"\3\5\0", message(k=3, a=5))
    check_wire(message, b"\4ab!", message(k=4, a=b"ab"), rest=True)
    if default is not None:
        check_wire(message, b"\5", message(k=5, a=b""), rest=True)


def test_a_delimited_default() -> None:
    message = Struct("Other", ["k" / USINT, "a" / switch(field("k"), {1: octets(1)}, until(b",")), "z" / USINT])
    check_wire(message, b"\1x\7", message(k=1, a=b"x", z=7))
    check_wire(message, b"\2xy,\7", message(k=2, a=b"xy", z=7))


def test_delimited_values_that_fail_alone() -> None:
    """Each has its own limit, within which its delimiter is sought."""
    message = Struct("Guards", ["a" / offsets(guarded(until(b",", most=2)), USINT)])
    wire = bytes.fromhex("05 06 07 0B 0D 11") + b"a" + b"abc," + b"a," + b"a,a," + b","
    record = compiled(message, wire)
    assert record.a == [Malformed(6, 7), Malformed(7, 11), b"a", Malformed(13, 17), b""]
    assert same(stepped(message, wire), record)


def test_a_constant_behind_a_delimited_value_is_checked() -> None:
    """Also where a peek knows the first octet, which is another one."""
    message = Struct("Peeked", ["a" / until(b","), const(5, USINT)])
    outer = Struct("Outer", ["p" / peek({5: message}, likely=(5,))])
    check_wire(outer, b"\5,\5", outer(p=message(a=b"\5")))
    assert refused(outer, b"\5,\6").offset == 2


def test_a_prefix_stops_behind_the_delimiter() -> None:
    message = Struct("Head", ["a" / until(b"\r\n")])
    assert prefix(message)(b"..one\r\ntwo\r\n", 2, 12) == (message(a=b"one"), 7)


def test_pieces_may_part_a_delimiter() -> None:
    """Wherever the octets are cut, twice."""
    message = Struct("Parted", ["a" / until(b"aab"), "z" / USINT])
    wire = b"xaaab\7"
    for first in range(len(wire)):
        for second in range(first, len(wire)):
            assert same(stepped(message, wire, chunks(wire, (first, second))), message(a=b"xa", z=7))


# ------------------------------------------------------------------ constants of octets
@pytest.mark.parametrize("value", [b"$", b"\r\n", b"\0", b"RIFF\0WAVE"])
def test_a_constant_of_octets_is_checked_and_supplied(value: bytes) -> None:
    """First, in the middle, twice and last; another octet in it is refused where it is."""
    message = Struct("Constant", ["magic" / const(value), "n" / UINT, const(value), "t" / until(","), const(value)])
    wire = value + b"\1\2" + value + b"ab," + value
    check_wire(message, wire, message(n=0x201, t="ab"))
    assert message.magic == value
    other = value[:-1] + bytes([value[-1] ^ 0xFF])
    error = refused(message, other + wire[len(value) :])
    assert (error.path, error.offset) == ("magic", len(value) - 1)
    assert repr(value) in error.reason and repr(other) in error.reason


def test_a_peek_finds_its_case_by_a_constant_of_octets() -> None:
    one, two = (Struct(f"Of{sign}", [const(sign.encode()), "a" / until(".")]) for sign in "$!")
    for likely in ((), (0x24,)):
        message = Struct("Either", ["s" / rest(peek({0x24: one, 0x21: two}, likely=likely))])
        check_wire(message, b"$a.!b.$.", message(s=[one("a"), two("b"), one("")]), rest=True)


# ------------------------------------------------------------------ hopeless declarations
HOPELESS: dict[str, tuple[Callable[[], Any], str]] = {
    "an empty delimiter": (lambda: until(b""), "empty delimiter"),
    "an empty delimiter of text": (lambda: until(""), "empty delimiter"),
    "a delimiter that is a number": (lambda: until(42), "octets or text"),  # type: ignore[call-overload]
    "no delimiter": (lambda: until(None), "octets or text"),  # type: ignore[call-overload]
    "no room for a value": (lambda: until(b",", most=0), "no room for a value"),
    "less than no room": (lambda: until(",", most=-1), "no room for a value"),
    "a bound that is no number": (lambda: until(b",", most="9"), "number above zero"),  # type: ignore[call-overload]
    "octets in an encoding": (lambda: until(b",", "ascii"), "octets have no encoding"),  # type: ignore[call-overload]
    "a delimiter the encoding has not": (lambda: until("\u20ac"), "give a delimiter of that encoding"),
    "an encoding no one knows": (lambda: until(",", "no-such"), "no-such"),
    "a constant without a scalar": (lambda: const(5), "name its scalar"),  # type: ignore[call-overload]
    "a constant of text": (lambda: const("$"), r"or give octets"),  # type: ignore[call-overload]
    "a constant its scalar has not": (lambda: const(300, USINT), "give a value of that scalar"),
    "a constant of no octets": (lambda: const(b""), "or give octets"),
}


@pytest.mark.parametrize("what", HOPELESS)
def test_a_hopeless_declaration_is_refused_where_it_is_made(what: str) -> None:
    make, words = HOPELESS[what]
    with pytest.raises(GrammarError, match=words):
        make()
