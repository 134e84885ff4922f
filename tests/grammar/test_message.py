"""Declarations: what they make, and every mistake that is refused where it is made."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pytest

from cpppo import LocalProtocolError, RemoteProtocolError
from cpppo.errors import GrammarError
from cpppo.grammar import (
    Message,
    Struct,
    attr,
    const,
    drop,
    field,
    framer,
    guarded,
    mapped,
    memo,
    nothing,
    octets,
    offsets,
    peek,
    prefix,
    rest,
    switch,
    text,
    vector,
)
from cpppo.server.enip.wire.types import BOOL, DINT, INT, REAL, SINT, UDINT, UINT, UINT_BE, ULINT, USINT
from tests.helpers import REFUSED, check_wire, compiled, refused, run, same, stepped


class Inner(Message):
    """A message to put into others."""

    number = UINT


class Counted(Message):
    """A message with a length."""

    size = USINT
    data = octets(size)
    last = USINT


def declare(body: Callable[[Any], None]) -> Any:
    """A message whose body runs ``body``, in which a name read again is a reference."""
    return types.new_class("Declared", (Message,), {}, body)


# ------------------------------------------------------------------ mistakes in declarations
def test_a_misspelt_field_is_a_name_error() -> None:
    """A name that no field has is an ordinary NameError, at the line where it is written."""
    with pytest.raises(NameError, match="lenght"):

        class Wrong(Message):
            length = UINT
            data = octets(lenght)  # type: ignore[name-defined]  # noqa: F821


def test_a_field_declared_twice_is_refused() -> None:
    with pytest.raises(GrammarError, match="'length' is declared twice"):

        class Wrong(Message):
            length = UINT
            length = UINT  # type: ignore[misc]


def test_a_field_that_is_an_expression_is_refused() -> None:
    """``data = length * 2`` forgot to say what has that many octets."""
    with pytest.raises(GrammarError, match="'data' is an expression"):

        class Wrong(Message):
            length = UINT
            data = length * 2


def test_a_message_with_fields_derives_from_none_that_has_some() -> None:
    with pytest.raises(GrammarError, match="cannot derive from Inner"):

        class Wrong(Inner):
            more = USINT


def test_a_message_without_fields_of_its_own_may_derive_from_another() -> None:
    """A subclass that only adds methods keeps the fields."""

    class Twice(Inner):
        def twice(self) -> int:
            return 2 * self.number

    assert Twice(number=4).twice() == 8
    assert Twice._fields_ == Inner._fields_


PARTS: dict[str, tuple[Callable[[], Any], str]] = {
    "a later field": (lambda: Struct("X", ["a" / octets(field("b")), "b" / USINT]), "'b'.*not declared before"),
    "no field at all": (lambda: Struct("X", ["a" / octets(field("b"))]), "'b'.*not declared before"),
    "a later field in a switch": (
        lambda: Struct("X", ["a" / switch(field("b"), {1: USINT}), "b" / USINT]),
        "'b'.*not declared before",
    ),
    "a later field in a case": (
        lambda: Struct("X", ["k" / USINT, "a" / switch(field("k"), {1: switch(field("b"), {1: UINT})}), "b" / USINT]),
        "'b'.*not declared before",
    ),
    "a later field's attribute": (
        lambda: Struct("X", ["a" / switch(attr(field("b"), "c"), {1: USINT}), "b" / Inner._node_]),
        "'b'.*not declared before",
    ),
    "a later field in a limit": (lambda: Struct("X", ["a" / USINT.within(field("b")), "b" / USINT]), "'b'"),
    "one length of two": (
        lambda: Struct("X", ["n" / USINT, "a" / octets(field("n")), "b" / octets(field("n"))]),
        "derived from both a and b",
    ),
    "a length that is text": (lambda: Struct("X", ["n" / text(2), "a" / octets(field("n"))]), "unsigned integer"),
    "a length that is constant": (
        lambda: Struct("X", ["n" / const(2, USINT), "a" / octets(field("n"))]),
        "is a constant",
    ),
    "a length that is a message": (
        lambda: Struct("X", ["n" / Inner._node_, "a" / octets(field("n"))]),
        "unsigned integer",
    ),
    "a length no one can solve": (lambda: Struct("X", ["n" / USINT, "a" / octets(field("n") % 2)]), "solved"),
    "a length by division": (lambda: Struct("X", ["n" / USINT, "a" / octets(field("n") // 2)]), "solved"),
    "a length of two fields": (
        lambda: Struct("X", ["n" / USINT, "m" / USINT, "a" / octets(field("n") + field("m"))]),
        "solved",
    ),
    "a length times nothing": (lambda: Struct("X", ["n" / USINT, "a" / octets(field("n") * 0)]), "solved"),
    "an expression of no integer": (lambda: octets("four"), "neither an integer nor a field"),  # type: ignore[arg-type]
    "a negative drop": (lambda: drop(-1), "no number of octets"),
    "rest of what may be empty": (lambda: rest(octets()), "may consume nothing"),
    "rest of nothing": (lambda: rest(nothing()), "may consume nothing"),
    "rest of an empty message": (lambda: rest(declare(lambda body: None)), "may consume nothing"),
    "peek of what may be empty": (lambda: peek({1: octets()}), "may consume nothing"),
    "peek of an empty default": (lambda: peek({1: USINT}, default=octets()), "may consume nothing"),
    "memo of what reads fields": (lambda: memo(switch(field("k"), {1: USINT}), print), "depends on other fields"),
    "switch without cases": (lambda: switch(field("k"), {}), "without any case"),
    "a likely key of no case": (lambda: switch(field("k"), {1: USINT}, likely=(2,)), "likely key 2"),
    "a repeated constant": (lambda: vector(const(1, USINT), 2), "have no value"),
    "a repeated drop": (lambda: rest(drop(1)), "have no value"),
    "a chosen drop": (lambda: switch(field("k"), {1: drop(1)}), "have no value"),
    "a peeked constant": (lambda: peek({1: const(1, USINT)}), "have no value"),
    "a guarded drop": (lambda: guarded(drop(1)), "have no value"),
    "offsets of constants": (lambda: offsets(const(1, USINT), UINT), "have no value"),
    "repeating what derives": (lambda: vector(octets(field("n")), 2), "cannot be repeated or chosen"),
    "choosing what derives": (lambda: switch(field("k"), {1: octets(field("n"))}), "cannot be repeated or chosen"),
    "no node": (lambda: vector(5, 2), "neither a node nor a message"),
    "no node in a switch": (lambda: switch(field("k"), {1: 2}), "neither a node nor a message"),
    "a name that is a method": (lambda: Struct("X", ["produce" / USINT]), "taken by a method"),
    "another name that is a method": (lambda: Struct("X", ["items" / USINT]), "taken by a method"),
    "a method's name in a body": (lambda: declare(lambda body: body.__setitem__("parse", USINT)), "taken by a method"),
}


@pytest.mark.parametrize("what", PARTS)
def test_a_wrong_declaration_is_refused_where_it_is_made(what: str) -> None:
    """The mistake is a GrammarError that says what is wrong; nothing is generated before."""
    make, words = PARTS[what]
    with pytest.raises(GrammarError, match=words):
        make()


#: Declarations that look well, and can never work.
HOPELESS: dict[str, Callable[[], Any]] = {
    "two fields of one name in the operator form": lambda: Struct("Wrong", ["a" / USINT, "a" / UINT]),
    "two fields of one attribute": lambda: Struct("Wrong", ["class" / USINT, "class_" / UINT]),
    "a length in floating point": lambda: Struct("Wrong", ["n" / REAL, "a" / octets(field("n"))]),
    "a limit in floating point": lambda: Struct("Wrong", ["n" / REAL, "a" / octets().within(field("n"))]),
    "a count in floating point": lambda: Struct("Wrong", ["n" / REAL, "a" / vector(USINT, field("n"))]),
    "a number of reserved octets in floating point": lambda: Struct("Wrong", ["n" / REAL, drop(field("n"))]),
    "a truth as a length": lambda: Struct("Wrong", ["n" / BOOL, "a" / octets(field("n"))]),
    "a text as a number of reserved octets": lambda: Struct("Wrong", ["n" / text(2), drop(field("n"))]),
    "an expression on reserved octets": lambda: Struct("Wrong", ["n" / drop(2), drop(field("n"))]),
    "a pad before the field that derives its length": lambda: Struct(
        "Wrong", ["n" / USINT, drop(field("n") % 2), "a" / octets(field("n"))]
    ),
    "a switch by the length that its own size derives": lambda: Struct(
        "Wrong", ["n" / USINT, "a" / switch(field("n"), {1: USINT, 2: UINT}).within(field("n"))]
    ),
    "a remainder by nothing": lambda: Struct("Wrong", ["n" / USINT, drop(field("n") % 0)]),
    "a division by nothing": lambda: Struct("Wrong", ["n" / USINT, drop(field("n") // 0)]),
    "a remainder by what a peer sends": lambda: Struct(
        "Wrong", ["n" / USINT, "m" / USINT, drop(field("n") % field("m"))]
    ),
    "reserved octets made into a value": lambda: Struct("Wrong", ["a" / mapped(drop(2), str)]),
    "a constant made into a value": lambda: Struct("Wrong", ["a" / mapped(const(2, USINT), str)]),
    "reserved octets that are remembered": lambda: Struct("Wrong", ["a" / memo(drop(2), print)]),
    "a table of offsets before another field": lambda: Struct("Wrong", ["a" / offsets(USINT, USINT), "b" / USINT]),
    "what fails alone before another field": lambda: Struct("Wrong", ["a" / guarded(USINT), "b" / USINT]),
    "a vector of tables of offsets": lambda: Struct("Wrong", ["a" / vector(offsets(USINT, USINT), 2)]),
    "a count of things that have no octets": lambda: Struct(
        "Wrong", ["n" / UDINT, "a" / vector(nothing(), field("n"))]
    ),
    "a count of messages that may be empty": lambda: Struct(
        "Wrong", ["n" / UDINT, "a" / vector(Struct("E", ["x" / octets()]), field("n"))]
    ),
    "a look at an octet that is none": lambda: peek({300: USINT}),
    "places in octets that are remembered": lambda: Struct("Wrong", ["a" / memo(guarded(UINT), print)]),
    "an attribute of what may be malformed": lambda: Struct(
        "Wrong",
        ["n" / USINT, "a" / guarded(Inner).within(field("n")), "b" / switch(attr(field("a"), "number"), {1: USINT})],
    ),
    "a case that reads a field behind a look-ahead": lambda: Struct(
        "Wrong", ["k" / USINT, "a" / peek({1: Inner._node_, 2: switch(field("k"), {1: USINT})})]
    ),
}


@pytest.mark.parametrize("what", HOPELESS)
def test_a_declaration_that_can_never_work_is_refused_where_it_is_made(what: str) -> None:
    """No grammar is accepted that raises anything but its own errors later, on parsing or producing."""
    with pytest.raises(GrammarError):
        HOPELESS[what]()


@pytest.mark.parametrize(
    "make",
    [
        lambda n: ["a" / octets(n)],
        lambda n: ["a" / text(n)],
        lambda n: ["a" / octets().within(n)],
        lambda n: ["a" / vector(Struct("Q", ["q" / USINT]), n)],
        lambda n: ["a" / vector(USINT, n)],
        lambda n: [drop(n)],
    ],
    ids=["octets", "text", "within", "vector of messages", "vector", "drop"],
)
@pytest.mark.parametrize("kind", [SINT, INT, DINT], ids=repr)
def test_a_negative_length_never_moves_backwards(kind: Any, make: Callable[[Any], list[Any]]) -> None:
    """A signed length is no declaration, or a negative one is refused by both engines alike."""
    try:
        message = Struct("Signed", ["n" / kind, *make(field("n")), "x" / USINT])
    except GrammarError:
        return
    for octets_ in (kind.produce(-1), kind.produce(-1) + b"\1", kind.produce(-2) + b"\1\2"):
        assert compiled(message, octets_) is REFUSED
        assert stepped(message, octets_) is REFUSED


# ------------------------------------------------------------------ names
@pytest.mark.parametrize("name", ["len", "list", "range", "bytes", "class", "o", "p", "end", "value", "Reject", "pack"])
@pytest.mark.parametrize("other", ["len", "list", "range", "object", "import", "octets", "unpack", "found"])
def test_any_name_is_fit_for_a_field(name: str, other: str) -> None:
    """Names of Python and of generated code are no names to avoid; words of the language get an underscore."""
    if name == other:
        return
    message = Struct("Named", [name / USINT, other / vector(UINT, field(name)), "z" / vector(Inner, 1)])
    octets_ = bytes.fromhex("02 0100 0200 0300")
    record = compiled(message, octets_)
    assert same(stepped(message, octets_), record)
    assert record[other] == [1, 2]
    assert record.produce() == octets_


def test_a_keyword_is_a_field_with_an_underscore() -> None:
    """``class`` is the attribute ``class_`` and stays ``class`` in dotted paths."""
    message = Struct("Keywords", ["class" / USINT, "from" / UINT])
    record = message.parse(b"\1\2\0")
    assert (record.class_, record.from_) == (1, 2)
    assert record["class"] == 1 and record["from"] == 2
    assert message(class_=1, from_=2) == record


# ------------------------------------------------------------------ references
def test_a_constant_can_be_referred_to() -> None:
    """A constant that a later expression reads is read, or the declaration is refused."""
    try:
        message = Struct("Constant", ["n" / const(2, USINT), drop(field("n")), "x" / USINT])
    except GrammarError:
        return
    check_wire(message, b"\2\0\0\5", message(x=5), reserved=(1, 2))


@pytest.mark.parametrize("kind", ["octets", "vector"])
def test_a_count_within_a_length_derives_both(kind: str) -> None:
    """Neither the length nor the count is ever asked of the caller, nor is the record touched."""
    part = octets(field("count")) if kind == "octets" else vector(USINT, field("count"))
    value: Any = b"\7\x08" if kind == "octets" else [7, 8]
    try:
        message = Struct("Both", ["size" / USINT, "count" / USINT, "a" / part.within(field("size"))])
    except GrammarError:
        return
    record = message.parse(b"\2\2\7\x08")
    assert record._fields_ == ("a",)
    check_wire(message, b"\2\2\7\x08", message(a=value))


def test_reserved_octets_within_a_length_are_none_of_a_record() -> None:
    """A limit on reserved octets or on a constant is refused, or works."""
    for node, octets_ in ((drop(2), b"\2\0\0"), (const(2, UINT), b"\2\2\0")):
        try:
            message = Struct("Limited", ["n" / USINT, "d" / node.within(field("n"))])
        except GrammarError:
            continue
        check_wire(message, octets_, message())


@pytest.mark.parametrize("name", ["k", "count", "offset", "item", "size", "edges", "gap"])
def test_items_of_a_table_may_read_fields_around_it(name: str) -> None:
    """A switch inside a table of offsets reads the outer message's field, whatever its name."""
    try:
        message = Struct("Outer", [name / USINT, "d" / offsets(switch(field(name), {1: USINT, 4: UINT}), USINT)])
    except GrammarError:
        return
    for octets_, values in ((b"\1\1\2\7", [7]), (b"\4\1\2\7\0", [7]), (b"\1\2\3\4\7\x08", [7, 8])):
        record = compiled(message, octets_)
        assert record is not REFUSED and record.d == values
        assert same(stepped(message, octets_), record)
        assert record.produce() == octets_


def test_a_table_of_offsets_in_network_order() -> None:
    """A big-endian table is refused as a declaration, or read and written in its order by both engines."""
    try:
        message = Struct("Big", ["d" / offsets(octets(), UINT_BE)])
    except GrammarError:
        return
    check_wire(message, b"\0\2\0\6\0\7ab", message(d=[b"a", b"b"]), rest=True)


def test_a_table_of_offsets_in_single_octets_may_be_one_octet() -> None:
    """The least a table takes is its count, of whatever size."""
    message = Struct("Tables", ["d" / offsets(offsets(octets(), USINT), USINT)])
    record = compiled(message, b"\1\2\0")
    assert record is not REFUSED and record.d == [[]]


# ------------------------------------------------------------------ what a message is
def test_a_message_parses_exactly_its_octets() -> None:
    check_wire(Counted, b"\2ab\7", Counted(data=b"ab", last=7))
    check_wire(Counted, b"\0\7", Counted(data=b"", last=7))


def test_octets_may_be_any_buffer() -> None:
    """bytes, bytearray and memoryview are parsed alike, and the record keeps bytes of its own."""
    buffer = bytearray(b"\2ab\7")
    one, other = Counted.parse(buffer), Counted.parse(memoryview(b"\2ab\7"))  # type: ignore[arg-type]
    buffer[1] = 0
    assert one == other == Counted(data=b"ab", last=7)
    assert type(one.data) is bytes


def test_an_empty_message_has_no_octets() -> None:
    class Empty(Message):
        pass

    assert Empty.parse(b"") == Empty()
    assert Empty().produce() == b""
    assert refused(Empty, b"\0").offset == 0


def test_layout_tells_every_field_in_order() -> None:
    """One row a field: its name, and what it is in words."""
    rows = dict(Struct("Rows", ["n" / USINT, "a" / octets(field("n")), "c" / const(3, UINT)]).layout())
    assert list(rows) == ["n", "a", "c"]
    assert rows["n"] == "USINT"
    assert "n" in rows["a"] and "octets" in rows["a"]
    assert "3" in rows["c"]


def test_source_shows_parser_and_producer() -> None:
    """The generated text is Python that compiles, of the two functions."""
    source = Counted.source()
    compile(source, "generated", "exec")
    assert "def parse_Counted(o, p, end):" in source
    assert "def produce_Counted(value):" in source


def test_the_prefix_form_tells_where_it_stopped() -> None:
    parse = prefix(Counted)
    assert parse(b"..\2ab\7more", 2, 10) == (Counted(data=b"ab", last=7), 6)
    assert run(Counted, b"\2ab\7more") == (Counted(data=b"ab", last=7), 4)


def test_a_machine_puts_its_record_at_its_context() -> None:
    assert stepped(Counted, b"\2ab\7") == Counted(data=b"ab", last=7)


class Frame(Message):
    """A head of fixed size, and a body."""

    kind = USINT
    length = UINT
    more = UINT
    body = octets().within(length * 2 + 1)


def test_the_framer_tells_a_frame_s_size_from_its_head() -> None:
    """Head, and what the length says, wherever the frame starts."""
    size = framer(Frame)
    assert size(b"\1\3\0\0\0", 0) == 5 + 7
    assert size(b"..\1\xff\xff\0\0", 2) == 5 + 2 * 0xFFFF + 1


@pytest.mark.parametrize(
    "fields",
    [
        ["length" / UINT, "body" / octets(field("length")), "tail" / USINT],
        ["size" / USINT, "name" / octets(field("size")), "length" / UINT, "body" / octets().within(field("length"))],
    ],
    ids=["something follows", "the head is not fixed"],
)
def test_a_framer_needs_a_head_of_fixed_size_and_one_body(fields: list[Any]) -> None:
    with pytest.raises(GrammarError, match="does not end in one field"):
        framer(Struct("Unframed", fields))


# ------------------------------------------------------------------ producing what cannot be
class Part(Message):
    """A part with a small number."""

    number = USINT


class Whole(Message):
    """Something in something."""

    first = UINT
    part = Part
    name = text(3)
    values = vector(UINT, 2)


GOOD: dict[str, Any] = {"first": 1, "part": Part(number=1), "name": "abc", "values": [1, 2]}


@pytest.mark.parametrize(
    ("field_", "value", "path"),
    [
        ("first", 0x10000, "Whole.first"),
        ("first", -1, "Whole.first"),
        ("first", None, "Whole.first"),
        ("first", "1", "Whole.first"),
        ("first", 1.5, "Whole.first"),
        ("part", Part(number=256), "Whole.part.number"),
        ("part", None, "Whole.part"),
        ("part", 5, "Whole.part"),
        ("name", "abcd", "Whole.name"),
        ("name", "ab", "Whole.name"),
        ("name", "a\u20acc", "Whole.name"),
        ("name", b"abc", "Whole.name"),
        ("values", [1], "Whole.values"),
        ("values", [1, 65536], "Whole.values"),
        ("values", None, "Whole.values"),
    ],
)
def test_what_cannot_be_produced_names_its_field(field_: str, value: Any, path: str) -> None:
    """A value out of range, of the wrong kind or missing is a LocalProtocolError with the field's path."""
    assert Whole(**GOOD).produce() == bytes.fromhex("0100 01 616263 0100 0200")
    with pytest.raises(LocalProtocolError) as caught:
        Whole(**{**GOOD, field_: value}).produce()
    assert caught.value.path == path


@pytest.mark.parametrize("value", ["abc", [1, 2], 5, None, (1,)], ids=repr)
@pytest.mark.parametrize("fields", [["d" / octets()], ["n" / UINT, "d" / octets(field("n"))]], ids=["rest", "counted"])
def test_octets_are_produced_of_octets_alone(fields: list[Any], value: Any) -> None:
    """Whatever is no bytes is refused; a producer never returns anything but bytes."""
    with pytest.raises(LocalProtocolError):
        Struct("Bare", fields)(d=value).produce()


@pytest.mark.parametrize("value", [bytearray(b"ab"), memoryview(b"ab")], ids=["bytearray", "memoryview"])
def test_octets_of_another_buffer_are_refused_or_become_bytes(value: Any) -> None:
    try:
        produced = Struct("Bare", ["d" / octets()])(d=value).produce()
    except LocalProtocolError:
        return
    assert type(produced) is bytes and produced == b"ab"


def test_too_much_for_a_length_is_a_local_error() -> None:
    """A derived length that its scalar cannot hold is refused, not cut."""
    with pytest.raises(LocalProtocolError, match="Counted"):
        Counted(data=bytes(256), last=0).produce()


def test_a_size_that_is_no_multiple_is_a_local_error() -> None:
    message = Struct("Words", ["n" / USINT, "d" / octets().within(field("n") * 2)])
    assert message(d=b"ab").produce() == b"\1ab"
    with pytest.raises(LocalProtocolError, match="multiple of 2"):
        message(d=b"abc").produce()


def test_an_unknown_case_is_a_local_error() -> None:
    message = Struct("Cases", ["k" / USINT, "d" / switch(field("k"), {1: USINT, 2: UINT})])
    assert message(k=2, d=5).produce() == b"\2\5\0"
    with pytest.raises(LocalProtocolError):
        message(k=3, d=5).produce()


def test_huge_numbers_are_parsed_as_they_are() -> None:
    """A 64-bit count that no frame can hold is refused at once, without any arithmetic going wrong."""
    message = Struct("Huge", ["n" / ULINT, "d" / vector(UINT, field("n"))])
    assert isinstance(refused(message, b"\xff" * 8 + b"\0\0"), RemoteProtocolError)


def test_framer_is_made_once() -> None:
    """A framer is generated once, however many ask for it: each connection does."""
    assert framer(Frame) is framer(Frame)
