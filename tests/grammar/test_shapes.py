"""Choices: by an earlier field, by the next octet, repeated, remembered, and made into something else."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cpppo import LocalProtocolError
from cpppo.grammar import (
    Message,
    Struct,
    attr,
    const,
    drop,
    field,
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
from cpppo.grammar.artifacts import MEMO_ENTRIES, MEMO_OCTETS
from cpppo.grammar.parse import parser
from cpppo.grammar.shapes import Malformed
from cpppo.server.enip.wire.types import UDINT, UINT, UINT_BE, USINT
from tests.grammar.parts import Box, Kept
from tests.helpers import check_wire, compiled, refused, same, stepped


class Pair(Message):
    """Two numbers."""

    one = USINT
    two = UINT


@pytest.mark.parametrize("likely", [(), (2,), (1, 2), (1, 2, 3)], ids=str)
@pytest.mark.parametrize("default", [None, octets(), Pair], ids=["none", "octets", "message"])
def test_a_switch_takes_the_case_of_its_key(likely: tuple[int, ...], default: Any) -> None:
    """Tried first or found in a table; other keys take the default, or are refused."""
    node = switch(field("k"), {1: USINT, 2: Pair, 3: nothing()}, default=default, likely=likely)
    message = Struct("Switched", ["k" / USINT, "d" / node])
    check_wire(message, b"\1\5", message(k=1, d=5))
    check_wire(message, b"\2\5\6\0", message(k=2, d=Pair(5, 6)))
    check_wire(message, b"\3", message(k=3, d=None))
    if default is None:
        assert refused(message, b"\4\5\6\0").offset == 1
    else:
        value = b"\5\6\0" if default is not Pair else Pair(5, 6)
        check_wire(message, b"\4\5\6\0", message(k=4, d=value), rest=default is not Pair)


def test_a_switch_in_the_middle() -> None:
    """Cases of different sizes, with fields behind."""
    node = switch(field("k"), {1: USINT, 2: Pair}, default=UDINT, likely=(2,))
    message = Struct("Switched", ["k" / UINT_BE, "d" / node, "z" / USINT])
    check_wire(message, b"\0\1\5\x09", message(k=1, d=5, z=9))
    check_wire(message, b"\0\2\5\6\0\x09", message(k=2, d=Pair(5, 6), z=9))
    check_wire(message, b"\1\1\5\6\7\x08\x09", message(k=257, d=0x08070605, z=9))


def test_a_switch_in_a_switch_reads_another_field() -> None:
    """Both keys of the same message; the inner one by an attribute of what a field was parsed into."""
    inner = switch(attr(field("pair"), "one"), {7: UINT, 8: nothing()}, default=octets(1))
    message = Struct("Nested", ["k" / USINT, ("pair", Pair), "d" / switch(field("k"), {1: inner, 2: USINT})])
    check_wire(message, b"\1\7\0\0\5\0", message(k=1, pair=Pair(7, 0), d=5))
    check_wire(message, b"\1\x08\0\0", message(k=1, pair=Pair(8, 0), d=None))
    check_wire(message, b"\1\x09\0\0x", message(k=1, pair=Pair(9, 0), d=b"x"))
    check_wire(message, b"\2\x09\0\0\5", message(k=2, pair=Pair(9, 0), d=5))


@pytest.mark.parametrize("repeated", [vector, "rest", "within", "guarded", "mapped"], ids=str)
def test_a_switch_inside_reads_the_field_outside(repeated: Any) -> None:
    """Whatever is between the switch and the message whose field it reads."""
    inner: Any = switch(field("k"), {1: USINT, 2: UINT})
    node, value = {
        vector: (lambda: vector(inner, 2), [5, 6]),
        "rest": (lambda: rest(inner), [5, 6]),
        "within": (lambda: inner.within(field("n")), 5),
        "guarded": (lambda: guarded(inner), 5),
        "mapped": (lambda: mapped(inner, Box, "value"), Box(5)),
    }[repeated]
    length = ["n" / USINT] if repeated == "within" else []
    message = Struct("Inside", ["k" / USINT, *length, "d" / node()])
    for key in (1, 2):
        wire = b"".join(item.to_bytes(key, "little") for item in ([5, 6] if isinstance(value, list) else [5]))
        head = bytes([key]) + (bytes([len(wire)]) if length else b"")
        check_wire(message, head + wire, message(k=key, d=value), rest=repeated in ("rest", "guarded"))


ONE = Struct("One", [const(1, USINT), "a" / USINT])
WIDE = Struct("Wide", [const(2, USINT), drop(1), "a" / UINT], record=ONE)
ANY = Struct("Any", ["head" / USINT, "tail" / UINT])
OTHER = Struct("Other", ["first" / USINT])


@pytest.mark.parametrize("likely", [(), (1,), (2, 5)], ids=str)
def test_a_look_at_the_next_octet_chooses(likely: tuple[int, ...]) -> None:
    """That octet belongs to what it chooses; the narrowest of two encodings is produced."""
    node = peek({1: ONE, 2: WIDE, 5: ANY, 6: ANY}, default=OTHER, likely=likely)
    for message, tail in (
        (Struct("Peeked", ["d" / node]), b""),
        (Struct("Peeked", ["d" / node, "z" / UINT]), b"\x09\0"),
    ):
        more = {"z": 9} if tail else {}
        check_wire(message, b"\1\7" + tail, message(d=ONE(7), **more))
        check_wire(message, b"\2\0\7\0" + tail, message(d=ONE(7), **more), produced=b"\1\7" + tail, reserved=(1,))
        check_wire(message, b"\2\0\0\1" + tail, message(d=ONE(256), **more), reserved=(1,))
        check_wire(message, b"\5\1\0" + tail, message(d=ANY(5, 1), **more))
        check_wire(message, b"\6\1\0" + tail, message(d=ANY(6, 1), **more))
        check_wire(message, b"\xff" + tail, message(d=OTHER(255), **more))
    message = Struct("Peeked", ["d" / peek({1: ONE, 2: WIDE}, likely=likely[:1] if 5 not in likely else ())])
    for octet in (0, 3, 255):
        assert refused(message, bytes([octet, 0])).offset == 0
    refused(message, b"")


def test_a_look_may_choose_what_has_a_fixed_size() -> None:
    """Octets, text and vectors of a fixed size read no field, so they are cases like others."""
    node = peek({1: octets(2), 2: Pair}, default=None)
    message = Struct("Peeked", ["d" / node])
    assert compiled(message, b"\1x").d == stepped(message, b"\1x").d == b"\1x"


@pytest.mark.parametrize("node", [octets(3), text(3), vector(USINT, 3)], ids=["octets", "text", "vector"])
def test_what_has_a_fixed_size_can_be_remembered(node: Any) -> None:
    """It reads no field of another."""
    kept = memo(mapped(node, lambda value: Kept((value,)), "only"), Kept.remember)
    message = Struct("Remembered", ["d" / kept])
    assert compiled(message, b"abc").produce() == b"abc"


# ------------------------------------------------------------------ repetition
@pytest.mark.parametrize(
    "of", [UINT, UINT_BE, Pair, octets(2), text(2)], ids=["UINT", "UINT_BE", "Pair", "octets", "text"]
)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_counted_vector(of: Any, count: int) -> None:
    """Its count is derived, and held against the octets left before anything is parsed."""
    one, value = {
        UINT: (b"\1\2", 0x201),
        UINT_BE: (b"\1\2", 0x102),
        Pair: (b"\1\2\0", Pair(1, 2)),
    }.get(of, (b"ab", b"ab" if getattr(of, "encoding", None) is None else "ab"))
    counted = Struct("Counted", ["n" / UINT, "v" / vector(of, field("n")), "z" / USINT])
    check_wire(counted, bytes([count, 0]) + one * count + b"\x09", counted(v=[value] * count, z=9))
    fixed = Struct("Fixed", ["v" / vector(of, count), "z" / USINT])
    check_wire(fixed, one * count + b"\x09", fixed(v=[value] * count, z=9))
    assert refused(counted, b"\xff\xff" + one * 3 + b"\x09").offset == 2


def test_a_count_is_refused_at_once() -> None:
    """However large, and however cheap an item: no loop is begun, by neither engine."""
    message = Struct("Counted", ["n" / UDINT, "v" / vector(Pair, field("n"))])
    refused(message, b"\0\0\0\0\1")
    start = time.process_time()
    for _ in range(50):
        assert "4294967295" in refused(message, b"\xff\xff\xff\xff" + b"\1\2\0" * 100).reason
    assert time.process_time() - start < 1


def test_an_expression_for_a_count() -> None:
    message = Struct("Counted", ["n" / USINT, "v" / vector(USINT, field("n") * 2 + 1)])
    check_wire(message, b"\1abc", message(v=[97, 98, 99]))
    with pytest.raises(LocalProtocolError):
        message(v=[1, 2]).produce()


def test_rest_fills_the_limit() -> None:
    message = Struct("Filling", ["z" / USINT, "v" / rest(Pair)])
    for count in (0, 1, 3):
        check_wire(message, b"\x09" + b"\1\2\0" * count, message(z=9, v=[Pair(1, 2)] * count), rest=True)
    refused(message, b"\x09\1\2\0\1\2")


@pytest.mark.parametrize("word", [USINT, UINT, UDINT], ids=repr)
def test_a_table_of_offsets(word: Any) -> None:
    """Offsets count from the count; the last item extends to the end; items may be empty."""
    message = Struct("Table", ["z" / USINT, "v" / offsets(octets(), word)])
    for items in ([], [b""], [b"ab"], [b"a", b"", b"xyz"]):
        at, table = word.size * (1 + len(items)), b""
        for item in items:
            table += word.produce(at)
            at += len(item)
        wire = b"\x09" + word.produce(len(items)) + table + b"".join(items)
        check_wire(message, wire, message(z=9, v=items), rest=True)


@pytest.mark.parametrize(
    ("what", "wire"),
    [
        ("decreasing", "02 05 04 6162"),
        ("beyond the end", "02 03 06 6162"),
        ("into the table", "02 02 03 6162"),
        ("into the count", "02 00 03 6162"),
        ("more offsets than octets", "FF 03 04 6162"),
        ("no items, but octets", "00 61"),
        ("no room for the table", "02 03"),
    ],
)
def test_a_table_of_offsets_that_lies_is_refused(what: str, wire: str) -> None:
    refused(Struct("Table", ["v" / offsets(octets(), USINT)]), bytes.fromhex(wire))


def test_a_gap_behind_a_table_of_offsets_is_skipped() -> None:
    """Allowed when parsed, not produced."""
    message = Struct("Table", ["v" / offsets(octets(), USINT)])
    wire = bytes.fromhex("02 05 06 FFFF 6162")
    assert compiled(message, wire).v == stepped(message, wire).v == [b"a", b"b"]
    assert message.parse(wire).produce() == bytes.fromhex("02 03 04 6162")


# ------------------------------------------------------------------ made of others
def test_mapped_makes_and_undoes() -> None:
    """Of a node, and of a message."""
    for node, wire, value in ((UINT, b"\1\2", 0x201), (Pair, b"\1\2\0", Pair(1, 2))):
        message = Struct("Made", ["d" / mapped(node, Box, "value"), "z" / USINT])  # type: ignore[arg-type]
        check_wire(message, wire + b"\x09", message(d=Box(value), z=9))


def fresh_memo() -> tuple[Any, Any, list[Any]]:
    """A message with a memo of its own, the memo, and what was built."""
    built: list[Any] = []

    def build(parts: Any) -> Kept:
        built.append(parts)
        return Kept(parts)

    kept = memo(mapped(rest(UINT), build, "parts"), Kept.remember, granularity=2)
    return Struct("Remembering", ["n" / USINT, "d" / kept.within(field("n") * 2), "z" / USINT]), kept, built


def test_a_memo_builds_once() -> None:
    """The same octets give the same artifact; without a memo an equal one; nothing is remembered for bad octets."""
    message, kept, built = fresh_memo()
    one, other = message.parse(b"\1\5\0\x09"), message.parse(b"\1\5\0\x0a")
    assert one.d is other.d and len(built) == 1
    assert one.produce() == b"\1\5\0\x09"
    plain = parser(message._node_, True, False)(b"\1\5\0\x09", 0, 4)
    assert plain == one and plain.d is not one.d
    refused(message, b"\2\5\0\x09")
    assert list(kept.known) == [b"\5\0"]


def test_a_memo_is_bounded() -> None:
    """A peer that never repeats itself fills it, and it starts afresh; long octets are not kept at all."""
    message = Struct("Remembering", ["d" / memo(mapped(rest(UINT), Kept, "parts"), Kept.remember)])
    known = message._node_.fields[0][1].known
    most = 0
    for number in range(2 * MEMO_ENTRIES + 10):
        wire = number.to_bytes(4, "little")
        assert message.parse(wire).d == Kept([number & 0xFFFF, number >> 16])
        most = max(most, len(known))
    assert most == MEMO_ENTRIES
    known.clear()
    message.parse(bytes(MEMO_OCTETS))
    message.parse(bytes(MEMO_OCTETS + 2))
    assert [len(key) for key in known] == [MEMO_OCTETS]


def test_the_prefix_form_of_every_shape() -> None:
    """What can stand before others tells where it stopped."""
    nodes = [
        (switch(field("k"), {1: UINT, 2: Pair}), b"\2\0"),
        (peek({1: ONE, 2: WIDE}), b"\1\7"),
        (vector(UINT, 2), b"\1\0\2\0"),
        (vector(Pair, 1), b"\1\2\0"),
        (octets(2), b"ab"),
        (text(2), b"ab"),
        (mapped(UINT, Box, "value"), b"\1\0"),
        (nothing(), b""),
        (octets().within(2), b"ab"),
    ]
    for node, wire in nodes:
        message = Struct("Prefix", ["k" / USINT, "d" / node])
        record = message.parse(b"\1" + wire)
        assert prefix(message)(b"..\1" + wire + b"more", 2, 7 + len(wire)) == (record, 3 + len(wire))


def test_malformed_tells_its_place() -> None:
    """A plain thing: equal by its place, without a hash."""
    assert Malformed(1, 2) == Malformed(1, 2) != Malformed(1, 3)
    assert Malformed(1, 2) != (1, 2)
    assert repr(Malformed(1, 2)) == "Malformed(1, 2)"
    with pytest.raises(TypeError):
        hash(Malformed(1, 2))


def test_malformed_cannot_be_produced() -> None:
    message = Struct("Guarding", ["d" / guarded(Pair)])
    record = message.parse(b"\1")
    assert record.d == Malformed(0, 1)
    assert same(stepped(message, b"\1"), record)
    with pytest.raises(LocalProtocolError):
        record.produce()


def test_only_the_octet_looked_at_is_known() -> None:
    """A constant further on is checked, be it like the one that a peek has seen: repeated, or behind other octets."""
    one = Struct("One", [const(5, USINT), "x" / USINT])
    for likely in ((), (5,)):
        twice = Struct("Twice", ["p" / vector(one, 2)])
        message = Struct("Known", ["a" / peek({5: twice}, likely=likely)])
        check_wire(message, b"\5\1\5\2", message(a=twice(p=[one(x=1), one(x=2)])))
        assert refused(message, b"\5\1\6\2").offset == 2
        behind = Struct("Behind", ["o" / octets().within(2), const(5, USINT)])
        message = Struct("Known", ["a" / peek({5: behind}, likely=likely)])
        check_wire(message, b"\5\1\5", message(a=behind(o=b"\5\1")))
        assert refused(message, b"\5\1\6").offset == 2
