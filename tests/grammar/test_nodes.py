"""The leaves of a grammar: scalars in every kind and order, octets, text, constants, reserved octets, limits."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from cpppo import LocalProtocolError
from cpppo.errors import GrammarError
from cpppo.grammar import Message, Scalar, Struct, const, drop, field, nothing, octets, payload, text
from cpppo.grammar.nodes import as_node
from cpppo.server.enip.wire.types import UINT, USINT
from tests.helpers import check_wire, compiled, refused, stepped

CODES = "bBhHiIqQfd?"
VALUES: dict[str, list[Any]] = {
    "f": [0.0, 1.5, float("-inf")],
    "d": [0.0, 1e300, float("inf")],
    "?": [False, True],
}


def values(code: str) -> list[Any]:
    if code in VALUES:
        return VALUES[code]
    bits = 8 * struct.calcsize("<" + code)
    return [0, 1, 2**bits - 1] if code.isupper() else [0, -1, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("code", CODES)
def test_a_scalar_is_as_struct_packs_it(code: str, order: str) -> None:
    """Alone, first, in the middle and last, at its boundaries."""
    kind: Scalar[Any] = Scalar("KIND", order + code)
    alone = Struct("Alone", ["x" / kind])
    three = Struct("Three", ["a" / kind, "b" / USINT, "c" / kind, "d" / octets(1), "e" / kind])
    for value in values(code):
        packed = struct.pack(order + code, value)
        check_wire(alone, packed, alone(x=value))
        check_wire(three, packed + b"\1" + packed + b"\2" + packed, three(value, 1, value, b"\2", value))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("code", [code for code in CODES if code not in "fd?"])
def test_a_scalar_out_of_range_names_its_field(code: str, order: str) -> None:
    message = Struct("Ranged", ["ok" / USINT, "wrong" / Scalar("KIND", order + code)])
    for value in (min(values(code)) - 1, max(values(code)) + 1, "1", None):
        with pytest.raises(LocalProtocolError) as caught:
            message(ok=1, wrong=value).produce()
        assert caught.value.path == "Ranged.wrong"


@pytest.mark.parametrize("code", "BHIQ")
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("between", [0, 1], ids=["adjacent", "apart"])
def test_a_length_in_any_order_is_derived(code: str, order: str, between: int) -> None:
    """Lengths of any unsigned scalar, beside what they count or before other fields."""
    kind: Scalar[int] = Scalar("KIND", order + code)
    fields = ["n" / kind, *(["x" / UINT] if between else []), "d" / octets(field("n")), "z" / USINT]
    message = Struct("Counted", fields)
    head = struct.pack(order + code, 3) + (b"\7\0" if between else b"")
    check_wire(message, head + b"abc\x09", message(d=b"abc", z=9, **({"x": 7} if between else {})))


@pytest.mark.parametrize(
    "kind", [USINT, UINT, Scalar("BE", ">H"), Scalar("SIGNED", "h"), Scalar("BIG", ">q")], ids=repr
)
def test_a_constant_is_checked_and_supplied(kind: Any) -> None:
    """Any other value is refused at the constant; records have it as a class attribute."""
    message = Struct("Constant", ["first" / USINT, "magic" / const(5, kind), "last" / USINT])
    octets_ = b"\1" + kind.produce(5) + b"\2"
    check_wire(message, octets_, message(first=1, last=2))
    assert message.magic == message.parse(octets_).magic == 5
    error = refused(message, b"\1" + kind.produce(6) + b"\2")
    assert error.path.startswith("magic") and "5" in error.reason and "6" in error.reason


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_reserved_octets_are_anything_and_become_zeros(count: int) -> None:
    message = Struct("Reserved", ["a" / USINT, drop(count), "b" / USINT])
    check_wire(message, b"\1" + bytes(count) + b"\2", message(a=1, b=2), reserved=range(1, 1 + count))


@pytest.mark.parametrize("number", [0, 1, 2, 3, 255])
def test_a_computed_pad(number: int) -> None:
    """As many reserved octets as an expression over an earlier field says."""
    message = Struct("Padded", ["n" / USINT, drop(field("n") % 4), "b" / USINT])
    pad = number % 4
    check_wire(message, bytes([number]) + bytes(pad) + b"\2", message(n=number, b=2), reserved=range(1, 1 + pad))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_fixed_number_of_octets(count: int) -> None:
    message = Struct("Fixed", ["a" / octets(count), "b" / USINT])
    check_wire(message, b"x" * count + b"\2", message(a=b"x" * count, b=2))
    with pytest.raises(LocalProtocolError) as caught:
        message(a=b"x" * (count + 1), b=2).produce()
    assert caught.value.path == "Fixed.a"


@pytest.mark.parametrize(
    ("expression", "amount", "count"),
    [("n", 3, 3), ("n * 2", 4, 2), ("n + 1", 4, 3), ("n - 1", 2, 3), ("n * 2 + 2", 4, 1), ("n * 3 - 1", 5, 2)],
)
def test_a_number_of_octets_by_an_expression(expression: str, amount: int, count: int) -> None:
    """Solved for the field when producing."""
    message = Struct("Counted", ["n" / USINT, "d" / octets(eval(expression, {"n": field("n")})), "z" / USINT])
    check_wire(message, bytes([count]) + b"x" * amount + b"\2", message(d=b"x" * amount, z=2))


def test_an_amount_that_the_expression_cannot_be() -> None:
    """No whole number of words, or below the least."""
    words = Struct("Words", ["n" / USINT, "d" / octets(field("n") * 2)])
    more = Struct("More", ["n" / USINT, "d" / octets(field("n") + 2)])
    for message, data in ((words, b"abc"), (more, b"a")):
        with pytest.raises(LocalProtocolError):
            message(d=data).produce()
    less = Struct("Less", ["n" / USINT, "d" / octets(field("n") - 2)])
    assert refused(less, b"\1").offset == 1
    assert less.parse(b"\2") == less(d=b"")


@pytest.mark.parametrize("encoding", ["iso-8859-1", "ascii", "utf-8"])
def test_text_in_an_encoding(encoding: str) -> None:
    """Fixed, counted and filling; what the encoding cannot be is refused both ways."""
    word = "abc" if encoding == "ascii" else "a\xe9"
    wire = word.encode(encoding)
    fixed = Struct("Fixed", ["t" / text(len(wire), encoding), "z" / USINT])
    counted = Struct("Counted", ["n" / USINT, "t" / text(field("n"), encoding), "z" / USINT])
    filling = Struct("Filling", ["z" / USINT, "t" / text(encoding=encoding)])
    check_wire(fixed, wire + b"\1", fixed(t=word, z=1))
    check_wire(counted, bytes([len(wire)]) + wire + b"\1", counted(t=word, z=1))
    check_wire(filling, b"\1" + wire, filling(z=1, t=word), rest=True)
    with pytest.raises(LocalProtocolError):
        counted(t="\u20ac" if encoding != "utf-8" else "\ud800", z=1).produce()
    if encoding != "iso-8859-1":
        assert refused(counted, b"\1\xff\1").path.startswith("t")


def test_a_limit_is_filled_exactly() -> None:
    """By octets, scalars and messages; the limit around it holds too."""
    inner = Struct("Inner", ["a" / USINT, "b" / UINT])
    for node, wire, value in ((octets(), b"abc", b"abc"), (inner, b"\1\2\0", inner(a=1, b=2))):
        message = Struct("Limited", ["n" / USINT, "d" / node.within(field("n")), "z" / USINT])
        check_wire(message, b"\3" + wire + b"\x09", message(d=value, z=9))
    refused(message, b"\2\1\2\x09")
    refused(message, b"\4\1\2\0\x09\x09")
    refused(message, b"\xff\1\2\0\x09")


def test_a_limit_that_is_a_number() -> None:
    message = Struct("Limited", ["d" / octets().within(3), "z" / USINT])
    check_wire(message, b"abc\x09", message(d=b"abc", z=9))
    with pytest.raises(LocalProtocolError, match="3 octets"):
        message(d=b"ab", z=9).produce()


class Sent(Message):
    """Something to carry."""

    number = UINT


def test_a_payload_is_octets_or_any_message() -> None:
    """Parsed as octets; produced of octets, of the likely message and of any other."""
    other = Struct("Other", ["x" / USINT])
    for node in (payload(), payload(likely=Sent)):
        message = Struct("Carrier", ["kind" / USINT, "data" / node])
        check_wire(message, b"\1abc", message(kind=1, data=b"abc"), rest=True)
        assert message(kind=1, data=Sent(number=2)).produce() == b"\1\2\0"
        assert message(kind=1, data=other(x=5)).produce() == b"\1\5"
        for wrong in ("abc", 5, None, Sent):
            with pytest.raises(LocalProtocolError):
                message(kind=1, data=wrong).produce()
        with pytest.raises(LocalProtocolError):
            message(kind=1, data=Sent(number=1 << 16)).produce()


def test_nothing_is_none() -> None:
    message = Struct("Nothing", ["a" / USINT, "n" / nothing(), "b" / USINT])
    check_wire(message, b"\1\2", message(a=1, n=None, b=2))


def test_messages_are_fit_wherever_nodes_are() -> None:
    """In the operator form, in a tuple, and as an item."""
    assert as_node(Sent) is Sent._node_
    message = Struct("Outer", [("one", Sent), "two" / Sent._node_])
    check_wire(message, b"\1\0\2\0", message(one=Sent(1), two=Sent(2)))


def test_a_message_is_named_like_a_node_in_the_operator_form() -> None:
    """``'name'/Message`` as ``'name'/UINT``."""
    message = Struct("Outer", ["one" / Sent])
    check_wire(message, b"\1\0", message(one=Sent(1)))


@pytest.mark.parametrize("wrong", [5, "UINT", None, int, object()], ids=repr)
def test_what_is_no_node_is_refused(wrong: Any) -> None:
    with pytest.raises(GrammarError, match="neither a node nor a message"):
        as_node(wrong)


def test_truth_is_any_octet_but_zero() -> None:
    """And is produced as 1."""
    message = Struct("Truth", ["a" / Scalar("BOOL", "?")])
    record = compiled(message, b"\x80")
    assert record.a is True and stepped(message, b"\x80").a is True
    assert record.produce() == b"\1"
