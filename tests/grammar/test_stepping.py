"""Explanations: what is wrong with a frame, at which octet, in which field; and engines that disagree."""

from __future__ import annotations

import re

import pytest

from cpppo import RemoteProtocolError, chainable, dotdict
from cpppo.errors import NonTerminal, ProtocolError
from cpppo.grammar import (
    Disagreement,
    Message,
    Struct,
    const,
    drop,
    field,
    guarded,
    nothing,
    octets,
    offsets,
    peek,
    rest,
    switch,
    text,
    vector,
)
from cpppo.grammar.shapes import Malformed
from cpppo.server.enip.wire.types import UDINT, UINT, USINT
from tests.helpers import check_wire, compiled, refused, same, stepped


class Item(Message):
    """An item with a length."""

    type_id = UINT
    length = UINT
    data = switch(type_id, {0: nothing(), 1: UDINT, 2: text(encoding="ascii")}).within(length)


class Frame(Message):
    """A little of everything."""

    magic = const(0x55AA, UINT)
    count = USINT
    item = vector(Item, count)
    size = USINT
    path = rest(
        peek({1: Struct("One", [const(1, USINT), "one" / USINT]), 2: Struct("Two", [const(2, USINT), "two" / UINT])})
    ).within(size * 2)
    pad = drop(size % 2)
    tail = UINT


GOOD = "AA55 02 0000 0000 0100 0400 01020304 01 01 05 00 0900"


def test_the_good_frame() -> None:
    record = Frame.parse(bytes.fromhex(GOOD))
    assert record["item[1].data"] == 0x04030201 and record["path[0].one"] == 5 and record.tail == 9
    assert same(stepped(Frame, bytes.fromhex(GOOD)), record)


#: What was done to it, the octets; and the offset and the path told.
DAMAGED = [
    ("nothing at all", "", 0, "magic"),
    ("half a constant", "AA", 1, "magic"),
    ("another constant", "AA54 02", 1, "magic"),
    ("no count", "AA55", 2, "count"),
    ("too many items", "AA55 05 0000 0000 0100 0400 01020304", 3, "item"),
    ("an item cut off in its type", "AA55 01 0000 00", 3, "item"),
    ("an item of no known type", "AA55 01 0900 0000 00 0000", 7, "item[0].data"),
    ("an item too long for what is left", "AA55 01 0200 2000 61 62", 7, "item[0].data"),
    ("an item longer than its data", "AA55 01 0100 0500 01020304 05 00 0900", 11, "item[0].data"),
    ("an item shorter than its data", "AA55 01 0100 0300 01020304 00 0900", 10, "item[0].data"),
    ("an item with octets that should have none", "AA55 01 0000 0100 FF 00 0900", 7, "item[0].data"),
    ("text of the wrong kind, in the second item", "AA55 02 0000 0000 0200 0200 61FF 00 0900", 12, "item[1].data"),
    ("a path longer than what is left", "AA55 00 05 0105", 4, "path"),
    ("an unknown segment", "AA55 00 01 0305 00 0900", 4, "path[0]"),
    ("an unknown second segment", "AA55 00 02 0105 0305 0900", 6, "path[1]"),
    ("a segment longer than its path", "AA55 00 01 0205 00 0900", 6, "path[0].two"),
    ("no pad", "AA55 00 01 0105", 6, "pad"),
    ("half a tail", "AA55 00 00 09", 5, "tail"),
    ("one octet more", GOOD + "00", 21, ""),
    ("three octets more", GOOD + "000102", 21, ""),
]  # fmt: skip


@pytest.mark.parametrize(("what", "damaged", "offset", "path"), DAMAGED, ids=[row[0] for row in DAMAGED])
def test_a_damaged_frame_is_explained(what: str, damaged: str, offset: int, path: str) -> None:
    """The octet at which it shows and the field it is in (and which of its octets), in the message too."""
    octets_ = bytes.fromhex(damaged)
    error = refused(Frame, octets_)
    assert error.offset == offset
    assert error.path == path or re.fullmatch(re.escape(path) + r"\[[0-3]\]", error.path)
    assert re.search(rf"at (octet|offset) {offset}\b", str(error))
    assert str(error).startswith(path)
    assert error.__cause__ is None and error.__suppress_context__  # nothing of compiled code is shown


def test_an_explanation_is_a_remote_error() -> None:
    error = refused(Frame, b"")
    assert isinstance(error, RemoteProtocolError) and isinstance(error, ProtocolError)
    assert not isinstance(error, NonTerminal)


def test_engines_that_disagree_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Octets that compiled code refuses and the machine accepts are a bug of ours, with the octets in the words."""
    message = Struct("Sound", ["a" / USINT, "b" / UINT])
    function = message.parser()
    assert function(b"\1\2\3", 0, 3) == message(a=1, b=0x302)
    lazy = next(one for key, one in message._node_._compiled.items() if one.function is function)

    def refusing(octets_: bytes, start: int, end: int) -> object:
        from cpppo.grammar import Reject

        raise Reject

    monkeypatch.setattr(lazy, "function", refusing)
    with pytest.raises(Disagreement, match="01 02 03"):
        message.parse(b"\1\2\3")
    with pytest.raises(RemoteProtocolError):
        message.parse(b"\1\2")


# ------------------------------------------------------------------ what fails alone
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("07", [7]),
        ("0708", [Malformed(3, 5)]),
        ("", [Malformed(3, 3)]),
    ],
)
def test_what_fails_alone_leaves_one_value(body: str, expected: list[object]) -> None:
    """In a table of offsets: nothing that it had delivered before stays beside Malformed."""
    message = Struct("Guards", ["n" / USINT, "d" / offsets(guarded(USINT), USINT)])
    wire = bytes.fromhex("00 01 02" + body)
    assert compiled(message, wire).d == expected
    assert same(stepped(message, wire), compiled(message, wire))


def test_what_fails_alone_beside_others() -> None:
    """Each item has its place, whichever fails."""
    inner = Struct("Inner", ["a" / USINT, "b" / vector(USINT, 2)])
    message = Struct("Guards", ["d" / offsets(guarded(inner), USINT)])
    wire = bytes.fromhex("03 04 08 0B 01020304 010203 01")
    wanted = [Malformed(4, 8), inner(a=1, b=[2, 3]), Malformed(11, 12)]
    assert compiled(message, wire).d == wanted
    assert stepped(message, wire).d == wanted


def test_guards_in_guards() -> None:
    """The innermost fails; those around it do not."""
    inner = Struct("Innermost", ["n" / USINT, "d" / guarded(UINT).within(field("n"))])
    message = Struct("Around", ["d" / guarded(inner)])
    assert compiled(message, b"\2\1\0").d == inner(d=1)
    assert compiled(message, b"\1\1").d == inner(d=Malformed(1, 2))
    assert compiled(message, b"\2\1").d == Malformed(0, 2)
    for wire in (b"\2\1\0", b"\1\1", b"\2\1", b"", b"\0", b"\0\0"):
        assert same(stepped(message, wire), compiled(message, wire))


# ------------------------------------------------------------------ runs
def test_a_machine_waits_for_more() -> None:
    """Starved, it says so and goes on where it was: the same run takes what comes later."""
    wire = bytes.fromhex(GOOD)
    machine, data, source = Frame.machine(context="frame"), dotdict(), chainable()
    waits, position = 0, 0
    for _, state in machine.run(source=source, data=data, ending=len(wire)):
        if state is None:
            waits += 1
            source.chain(wire[position : position + 3])
            position += 3
    assert waits >= len(wire) // 3
    assert data.frame == Frame.parse(wire)


def test_two_runs_of_one_machine_do_not_mix() -> None:
    """The definition is shared, each run has its own place and values."""
    machine = Frame.machine(context="frame")
    wires = [bytes.fromhex(GOOD), bytes.fromhex("AA55 00 00 0700")]
    sources, datas = [chainable(wire) for wire in wires], [dotdict(), dotdict()]
    runs = [machine.run(source=sources[at], data=datas[at], ending=len(wires[at])) for at in (0, 1)]
    alive = [0, 1]
    while alive:
        for at in list(alive):
            if next(runs[at], None) is None:
                alive.remove(at)
    assert [data.frame for data in datas] == [Frame.parse(wire) for wire in wires]


def test_a_machine_has_the_name_it_is_given() -> None:
    assert Frame.machine().own_name == "Frame"
    assert Frame.machine(name="other").own_name == "other"


def test_octets_after_a_frame_stay_in_the_source() -> None:
    """Without an end, a machine takes its sentence and leaves the rest."""
    message = Struct("Head", ["n" / USINT, "d" / octets(field("n"))])
    source, data = chainable(b"\2abcd"), dotdict()
    for _ in message.machine(context="head").run(source=source, data=data):
        pass
    assert data.head == message(d=b"ab")
    assert (source.sent, source.peek()) == (3, ord("c"))
    check_wire(message, b"\2ab", message(d=b"ab"))
