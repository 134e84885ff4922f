"""Records that cannot be produced: which field is blamed, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cpppo import LocalProtocolError
from cpppo.grammar import Struct, attr, const, field, mapped, octets, payload, rest, switch, text, until, vector
from cpppo.server.enip.wire.types import UINT, USINT


class Sized:
    """What has an attribute."""

    def __init__(self, kind: int) -> None:
        self.kind = kind


sized = Struct("Sized", ["size" / USINT, "body" / octets(field("size")), "z" / UINT])
words = Struct("Words", ["size" / USINT, "path" / rest(UINT).within(field("size") * 2)])
whole = Struct("Whole", ["size" / USINT, "body" / octets(field("size") - 3)])
less = Struct("Less", ["size" / USINT, "body" / octets(field("size") + 3)])
items = Struct("Items", ["count" / USINT, "item" / vector(UINT, field("count"))])
chosen = Struct("Chosen", ["kind" / USINT, "data" / switch(field("kind"), {1: USINT, 2: UINT})])
later = Struct("Later", ["size" / USINT, "a" / octets(field("size")), "b" / switch(field("size"), {0: UINT, 1: USINT})])
fixed = Struct("Fixed", [const(7, USINT), "kind" / USINT, "data" / switch(field("kind"), {1: UINT}, payload())])
outer = Struct("Outer", ["n" / USINT, "inner" / vector(sized, field("n"))])
temperature = Struct("T", ["n" / USINT, "temp" / mapped(text(field("n")), float)])
measured = Struct("M", ["k" / mapped(USINT, Sized, "kind"), "d" / switch(attr(field("k"), "kind"), {1: UINT})])
until_temp = Struct("T2", ["temp" / mapped(until(","), float)])

#: What is wrong, a record, the path told and the words.
WRONG: dict[str, tuple[Callable[[], Any], str, str]] = {
    "octets": (lambda: sized(body=bytes(256)), "Sized.body", "256 octets, but size holds at most 255"),
    "in units": (lambda: words(path=[0] * 256), "Words.path", "512 octets, but (size * 2) holds at most 510"),
    "more counted": (lambda: whole(body=bytes(253)), "Whole.body", "253 octets, but (size - 3) holds at most 252"),
    "too short": (lambda: less(body=b"ab"), "Less.body", "2 octets, but (size + 3) holds at least 3"),
    "items": (lambda: items(item=[0] * 256), "Items.item", "256 items, but count holds at most 255"),
    "an item": (lambda: items(item=[0, 65536]), "Items.item", "cannot be [0, 65536]: "),
    "no octets": (lambda: sized(body="text"), "Sized.body", "cannot be 'text': octets are expected"),
    "a case": (lambda: chosen(kind=1, data=256), "Chosen.data", "cannot be 256: "),
    "no such case": (lambda: chosen(kind=3, data=256), "Chosen.data", "cannot be 256: "),
    "a case by what is derived": (lambda: later(a=b"x", b=256), "Later.b", "cannot be 256: "),
    "a later field": (lambda: sized(body=b"", z=-1), "Sized.z", "cannot be -1: "),
    "a case after a constant": (lambda: fixed(kind=1, data=-1), "Fixed.data", "cannot be -1: "),
    "in a list": (
        lambda: outer(inner=[sized(), sized(body=bytes(300))]),
        "Outer.inner[1].body",
        "300 octets, but size holds at most 255",
    ),
    "what has no way back": (lambda: until_temp(temp=2.5), "T2.temp", "cannot be 2.5: "),
    "what has no way back, with a length": (lambda: temperature(temp=2.5), "T.temp", "cannot be 2.5: "),
    "an attribute that is not there": (lambda: measured(k=5, d=1), "M.k", "cannot be 5: "),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_field_that_cannot_be_produced_is_named(what: str) -> None:
    """With what it is, and where it is too much, how much there may be; the same the second time."""
    make, path, words_ = WRONG[what]
    for _ in range(2):
        with pytest.raises(LocalProtocolError) as caught:
            make().produce()
        assert caught.value.path == path
        assert caught.value.reason.startswith(words_)
        assert str(caught.value).startswith(f"{path}: {words_}")


def test_the_most_there_may_be_is_produced() -> None:
    assert len(sized(body=bytes(255)).produce()) == 258
    assert len(words(path=[0] * 255).produce()) == 511
    assert len(whole(body=bytes(252)).produce()) == 253
    assert less(body=b"abc").produce() == b"\0abc"


def test_nothing_is_left_of_blaming() -> None:
    """The record is as it was, and is produced once it is mended."""
    record = sized(body=bytes(256), z=1)
    with pytest.raises(LocalProtocolError):
        record.produce()
    assert record == sized(body=bytes(256), z=1)
    record.body = b"x"
    assert record.produce() == b"\1x\1\0"
