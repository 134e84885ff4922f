"""A message's machine inside other machines: where its record goes, limits, repeats, and how it fails there."""

from __future__ import annotations

from typing import Any

import pytest

from cpppo import chainable, decide, dfa, dotdict, peekable, state, state_drop
from cpppo.errors import GrammarError, NonTerminal
from cpppo.grammar import Message, const, octets, rest, text, until, vector
from cpppo.server.enip.wire.types import UINT, USINT


class Line(Message):
    """A number and its text."""

    number = USINT
    words = until(b";", most=6)


class Counted(Message):
    """Octets and how many."""

    size = USINT
    body = octets(size)


WIRE, LINE = b"\7ab;", Line(number=7, words=b"ab")


def ran(machine: Any, wire: bytes, data: Any = None, **kwds: Any) -> int:
    """Run it; how many octets it took."""
    source = peekable(wire)
    for _ in machine.run(source=source, data=data, **kwds):
        pass
    return source.sent


def test_the_initial_machine_of_another() -> None:
    """The record is put below the context of the machine around."""
    data = dotdict()
    assert ran(dfa("F", initial=Line.machine(context="line"), context="f"), WIRE + b"!", data, path="top") == 4
    assert data.top.f.line == LINE and list(data) == ["top.f.line.number", "top.f.line.words"]


@pytest.mark.parametrize(("inner", "outer", "where"), [("x", None, "x"), (None, "f", "f"), ("x", "f", "f.x")])
def test_the_place_of_a_record(inner: str | None, outer: str | None, where: str) -> None:
    data = dotdict()
    ran(dfa("F", initial=Line.machine(context=inner), context=outer), WIRE, data)
    assert data[where] == LINE


def test_without_data_or_context_nothing_is_kept() -> None:
    """It takes its octets all the same."""
    data = dotdict()
    assert ran(dfa("F", initial=Line.machine(context="line"), context="f"), WIRE, None) == 4
    assert ran(dfa("F", initial=Line.machine()), WIRE, data) == 4
    assert not data


def messages() -> dfa:
    """A message of one of two kinds, told by an octet before it, then a stop."""
    first, stop = state("first"), state_drop("stop", terminal=True)
    for octet, machine in ((b"L", Line.machine(context="line")), (b"C", Counted.machine(context="counted"))):
        skip = state_drop("skip")
        first[octet[0]] = skip
        skip[None] = machine
        machine[b"."[0]] = stop
    return dfa("messages", initial=first, context="m", terminal=True)


def test_the_target_of_a_transition() -> None:
    """One machine serves any number of runs, with a symbol after it decided on by the machine around."""
    machine = messages()
    line, counted = dotdict(m=dotdict(line=LINE)), dotdict(m=dotdict(counted=Counted(body=b".")))
    for wire, kept in ((b"L\7ab;.", line), (b"C\1..", counted)) * 2:
        data = dotdict()
        assert (ran(machine, wire + b"!", data), data) == (len(wire), kept)


def test_one_octet_at_a_time() -> None:
    """Nested, it waits for more; the machine around is complete only once the message is."""
    machine, source, data = messages(), chainable(), dotdict()
    left, complete = iter(b"L\7ab;."), []
    for _, one in machine.run(source=source, data=data):
        if one is None:
            octet = next(left, None)
            if octet is not None:
                source.chain([octet])
        complete.append(machine.terminal)
    assert data.m.line == LINE and source.sent == 6
    assert machine.terminal and not any(complete[: complete.index(True)]) and complete.index(True) > 6


def test_it_is_terminal_only_once_it_is_complete() -> None:
    """Also in a second run, and if made not to be terminal never."""
    machine = Line.machine(context="line")
    assert not machine.terminal
    for _ in range(2):
        source, seen = chainable(), []
        for at, _ in enumerate(machine.run(source=source, data=dotdict())):
            seen.append(machine.terminal)
            if at < 4:
                source.chain(WIRE[at : at + 1])
        assert seen[0] is False and seen.count(True) <= 1 and machine.terminal
    assert not Line.machine(terminal=False).terminal


@pytest.mark.parametrize("around", [False, True])
def test_repeats_are_kept_in_a_list(around: bool) -> None:
    """Of the machine or of one around it: a list that is there gets every record, else the last one is kept."""
    if around:
        machine = dfa("F", initial=Line.machine(context="line"), context="f", repeat=3)
    else:
        machine = dfa("F", initial=Line.machine(context="line", repeat=3), context="f")
    wire = b"\1a;\2b;\3c;\4d;"
    data = dotdict({"f": {"line": []}})
    assert ran(machine, wire, data) == 9
    assert data.f.line == [Line(1, b"a"), Line(2, b"b"), Line(3, b"c")]
    data = dotdict()
    ran(machine, wire, data)
    assert data.f.line == Line(3, b"c")


@pytest.mark.parametrize("limit", [5, ".size", lambda source, machine, path, data: data["f.size"]], ids=repr)
def test_a_limit_bounds_it(limit: Any) -> None:
    """A number, a path in the data of the machine around, or a function of that data."""

    class Rest(Message):
        head = USINT
        tail = text()

    machine = dfa("F", initial=Rest.machine(context="rest", limit=limit), context="f")
    data = dotdict({"f": {"size": 5}})
    assert ran(machine, b"\1abcdefgh", data) == 5
    assert data.f.rest == Rest(head=1, tail="abcd")


def test_a_limit_of_the_machine_alone_bounds_a_stream() -> None:
    data = dotdict()
    machine = Line.machine(context="line", limit=3)
    with pytest.raises(NonTerminal, match="at offset 3"):
        ran(machine, WIRE, data)
    assert "line" not in data
    assert ran(machine, b"\7a;b;", data) == 3
    with pytest.raises(NonTerminal, match="1 symbols of its limit left"):
        ran(Line.machine(limit=4, exact=True), b"\7a;b;", data)


def test_a_limit_around_it_bounds_it() -> None:
    data = dotdict()
    assert ran(dfa("F", initial=Counted.machine(context="c"), limit=3, context="f"), b"\2abc", data) == 3
    with pytest.raises(NonTerminal, match="limit of 3 reaches 1 beyond the enclosing limit, at offset 1"):
        ran(dfa("F", initial=Counted.machine(context="c"), limit=3, context="f"), b"\3abc", data)


def test_it_fails_nested_as_it_does_alone() -> None:
    """With the offset of the whole source, in words too; the machine is as good as new."""

    class Framed(Message):
        stx = const(b"\2\3")
        n = UINT

    skip = state_drop("skip")
    skip[None] = Framed.machine(context="framed")
    machine = dfa("F", initial=skip)
    for _ in range(2):
        with pytest.raises(
            NonTerminal, match=r"^expected b.*, in a value that began at offset 1, at offset 2$"
        ) as caught:
            ran(machine, b"x\2\4\1\0", dotdict())
        assert caught.value.offset == 2
        data = dotdict()
        assert ran(machine, b"x\2\3\1\0", data) == 5
        assert data.framed == Framed(n=1)


def test_the_record_is_there_for_what_decides_next() -> None:
    """A predicate of the machine around reads it."""
    line, more = Line.machine(context="line"), state_drop("more", terminal=True)
    line[b"+"[0]] = decide("seven", more, lambda machine, source, path, data: data["f.line.number"] == 7)
    machine = dfa("F", initial=line, context="f")
    assert ran(machine, b"\7a;+", dotdict()) == 4
    with pytest.raises(NonTerminal):
        ran(dfa("G", initial=machine, exact=True, limit=4), b"\6a;+", dotdict())


def test_two_nested_runs_do_not_mix() -> None:
    machine = messages()
    datas, wires = [dotdict(), dotdict()], [b"L\7ab;.", b"L\1xyz;."]
    runs = [machine.run(source=peekable(wire), data=data) for wire, data in zip(wires, datas, strict=True)]
    while any([next(run, None) for run in runs]):
        pass
    assert [data.m.line for data in datas] == [LINE, Line(number=1, words=b"xyz")]


def test_a_compiled_machine_around_it() -> None:
    """Gives the answers of stepping."""
    matcher = messages().compile()
    assert matcher.match(b"L\7ab;.")[:2] == (6, True)
    assert matcher.match(b"L\7ab")[1] is False
    assert matcher.match(b"X")[:2] == (0, False)


def test_settings_are_those_of_a_dfa() -> None:
    with pytest.raises(GrammarError, match="has no alphabet"):
        Line.machine(alphabet=b"ab")
    with pytest.raises(GrammarError, match="limit -1"):
        Line.machine(limit=-1)


def test_a_picture_names_the_fields_that_limit() -> None:
    """And the count of what is repeated."""

    class Pictured(Message):
        size = USINT
        path = rest(UINT).within(size * 2)
        length = USINT
        body = octets(length)
        count = USINT
        item = vector(UINT, count)

    picture = Pictured.machine(limit=9).diagram()
    assert "((Pictured)) limit 9" in picture
    for words in ("limit length", "limit (size * 2)", "repeat count"):
        assert words in picture and words in Pictured.machine().diagram("dot")
        assert words in dfa("F", initial=Pictured.machine()).diagram()
