"""mapped(): what its function cannot use is the peer's fault, and how to go back."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any

import pytest

from cpppo import NonTerminal, dotdict, peekable
from cpppo.grammar import Struct, field, guarded, mapped, octets, offsets, rest, switch, text, until, vector
from cpppo.grammar.shapes import Malformed
from cpppo.server.enip.wire.types import UINT, USINT
from tests.helpers import check_wire, compiled, refused, run, same, stepped


class Colour(IntEnum):
    """A number with a name."""

    RED = 1
    BLUE = 2


class Temperature(float):
    """A number that is sent as text."""

    @property
    def text(self) -> str:
        return f"{self:.1f}"


INNER = Struct("Inner", ["x" / USINT])
temp = mapped(until(","), Temperature, parts="text")


def test_how_to_go_back() -> None:
    """By an attribute, or as what the node produces itself."""
    message = Struct("Weather", ["c" / mapped(USINT, Colour), "t" / temp])
    check_wire(message, b"\0022.5,", message(c=Colour.BLUE, t=Temperature(2.5)))


def failing(kind: type[Exception]) -> Any:
    """A function that raises."""

    def fail(value: Any) -> Any:
        raise kind("not this")

    return fail


@pytest.mark.parametrize(
    "function",
    [
        *map(failing, (ValueError, TypeError, OverflowError, ZeroDivisionError, KeyError, IndexError, struct.error)),
        Colour,
        {3: "three"}.__getitem__,
        lambda value: INNER.parse(b""),
    ],
)
def test_what_the_function_cannot_use_is_refused(function: Any) -> None:
    """Where it begins, by its field, with what it is, stepped and compiled, in the prefix form too."""
    message = Struct("Made", ["n" / USINT, "d" / mapped(UINT, function), "z" / USINT])
    error = refused(message, b"\1\7\0\2")
    assert (error.path, error.offset) == ("d", 1)
    assert str(error).startswith("d: cannot use 7: ") and "at offset 1" in str(error)
    with pytest.raises(NonTerminal, match="cannot use 7: .*, at offset 1") as caught:
        list(message.machine(context="made").run(source=peekable(b"\1\7\0\2"), data=dotdict()))
    assert caught.value.offset == 1


def test_an_error_of_another_kind_is_a_bug() -> None:
    """Nothing is swallowed that does not speak of the value."""
    message = Struct("Made", ["d" / mapped(USINT, failing(AttributeError))])
    for call in (message.parse, lambda wire: run(message, wire)):
        with pytest.raises(AttributeError, match="not this"):
            call(b"\1")


@pytest.mark.parametrize(
    ("message", "wire", "path", "offset"),
    [
        (Struct("V", ["n" / USINT, "d" / vector(temp, field("n"))]), b"\0022,x,", "d[1]", 3),
        (Struct("R", ["d" / rest(temp)]), b"2,33,x,", "d[2]", 5),
        (Struct("W", ["n" / USINT, "d" / mapped(text(), float).within(field("n"))]), b"\2xx", "d", 1),
        (Struct("S", ["n" / USINT, "d" / switch(field("n"), {1: temp})]), b"\1x,", "d", 1),
        (Struct("M", ["n" / USINT, "d" / mapped(mapped(UINT, str), {"1": 1}.__getitem__)]), b"\1\2\0", "d", 1),
        (Struct("O", ["d" / offsets(mapped(USINT, Colour), USINT)]), b"\2\3\4\1\7", "d.#item[1]", 4),
    ],
)
def test_wherever_it_stands(message: Any, wire: bytes, path: str, offset: int) -> None:
    error = refused(message, wire)
    assert (error.path, error.offset) == (path, offset)


def test_what_fails_alone() -> None:
    """A function that refuses is guarded as octets are; nothing of a guard stays in what is made of it."""
    message = Struct("Guards", ["d" / offsets(guarded(mapped(USINT, Colour)), USINT)])
    wire = b"\3\4\5\6\1\7\2"
    assert compiled(message, wire).d == [Colour.RED, Malformed(5, 6), Colour.BLUE]
    assert same(stepped(message, wire), compiled(message, wire))
    made = Struct("Around", ["d" / mapped(guarded(USINT), repr)])
    for wire in (b"\1", b"\1\2", b""):
        assert same(stepped(made, wire), compiled(made, wire))


def test_an_error_inside_names_the_field() -> None:
    """It is no list, though it is made of something."""
    message = Struct("Inside", ["d" / mapped(octets(3), bytes.hex)])
    error = refused(message, b"ab")
    assert (error.path, error.offset) == ("d", 2)
