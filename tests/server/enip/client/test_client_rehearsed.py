"""Reads done again and again: replies known by their octets, requests known beforehand; and never a value different."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpppo.errors import Error, StatusError
from cpppo.server.enip.client.exchange import Exchange, Pending, Result, Shot
from cpppo.server.enip.client.flows import Knowledge, follow
from cpppo.server.enip.client.operations import Operation, parse_operations, prepare
from cpppo.server.enip.client.pending import results_of
from cpppo.server.enip.client.rehearsed import Again, Batch, Once, run_of
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.session import Session
from cpppo.server.enip.simulator import Simulator
from cpppo.server.enip.wire.header import ReplyFrame
from cpppo.server.enip.wire.types import DINT, INT, REAL, SINT, UDINT
from tests.server.enip.client.faces import FACES, opening
from tests.server.enip.client.memory import Narrow
from tests.server.enip.client.plant import controller

#: Reads that are remembered: numbers, alone, in packets and in several requests, and what has no shape.
TAGS = ("Level", "Word", "Word.3", "SCADA[3]", "SCADA", "Grid", "Flags", "Name", "Drive[1].speed", "Drive[1]", "Fixed")


#: What connections are drawn from: all on one device differ.
COUNTER = itertools.count(1)


class Line:
    """A client and a controller in memory.  ``sent``: the requests, ``runs``: what made them."""

    def __init__(self, device: Device, connected: bool = False) -> None:
        self.session, self.exchange = Session(device, 7, (0x7F000001, 44818)), Exchange()
        self.knowledge = Knowledge()
        self.sent: list[bytes] = []
        self.runs: list[object] = []
        #: Changes a reply before it is received.
        self.damage: Any = None
        number = next(COUNTER)
        chance = struct.pack("<IHI", number, number, number) if connected else b""
        for pending, octets in self.exchange.begin(chance):
            self.exchange.feed(self.session.receive(octets))
            assert pending.results is not None

    def perform(self, operations: Sequence[Operation]) -> list[Result]:
        """Do operations, one request at a time."""
        run = run_of(self.exchange, operations, multiple=self.exchange.packet)
        self.runs.append(run)
        found: list[Result] = []
        while run.ready():
            for pending, octets in run.several(3):
                self.sent.append(octets)
                reply = self.session.receive(octets)
                self.exchange.feed(reply if self.damage is None else self.damage(reply))
                found += run.take(pending)
        if run.error is not None:
            raise run.error
        return found

    def read(self, *tags: str) -> Any:
        return follow(self.knowledge.read(tags), self.perform)


@pytest.fixture
def device() -> Device:
    made = controller(Attribute("Other", DINT))
    made["SCADA"][0:1000] = list(range(1000))
    return made


def plain(values: Any) -> Any:
    """Values that can be compared: errors by their words."""
    return [repr(one) if isinstance(one, Exception) else one for one in values]


@pytest.mark.parametrize("connected", [False, True])
def test_the_third_time_it_is_known(device: Device, connected: bool) -> None:
    """Requests are those of the time before, with another context, and the values are those of now."""
    line = Line(device, connected)
    line.read(*TAGS)
    line.read(*TAGS)
    before = len(line.sent)
    line.sent.clear()
    assert not any(isinstance(one, (Again, Once)) for one in line.runs)
    for number in range(5):
        device["Level"][0] = number + 0.5
        device["SCADA"][999] = -number
        device["Name"][0] = f"unit {number}"
        values = line.read(*TAGS)
        assert isinstance(line.runs[-1], (Again, Once))
        assert values == Line(device, connected).read(*TAGS)
        assert (values[0], values[4][999], values[7]) == (number + 0.5, -number, f"unit {number}")
    assert len(line.sent) <= 5 * before


def test_nothing_is_parsed_that_is_known(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replies of numbers are told by their octets, those in packets and of parts of an array too."""
    line = Line(device)
    tags = ("Level", "Word", "SCADA", "Grid")
    for _ in range(6):
        line.read(*tags)
    parsed: list[bytes] = []
    monkeypatch.setattr(line.exchange, "_parse", parsed.append)
    assert line.read(*tags)[2] == list(range(1000)) and parsed == []


def test_single_operations_are_known_too(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """So are those of the connector; each result has a request of its own, which its caller may change."""
    line = Line(device)
    for _ in range(3):
        line.perform([prepare({"path": "SCADA[3]"})])
    monkeypatch.setattr(line.exchange, "_parse", None)
    (one,) = line.perform([prepare({"path": "SCADA[3]"})])
    (two,) = line.perform([prepare({"path": "SCADA[3]"})])
    assert one == two and one.val == [3] and one.req is not two.req and one.rpy.data == b"\xc3\0\3\0"
    one.req.data.elements = 9
    assert two.req.data.elements == 1 and prepare({"path": "SCADA[3]"}).request.data.elements == 1


def test_a_new_conversation_rehearses_too() -> None:
    """Its first requests are made before types are known, which makes them more: it does not stay with these."""
    names = [f"Small{number}" for number in range(10)]
    device = controller(*(Attribute(name, SINT, [1] * 90) for name in names))
    line = Line(device)
    counts = []
    for _ in range(2):
        for _ in range(4):
            line.sent.clear()
            assert line.read(*names) == [[1] * 90] * 10
        assert isinstance(line.runs[-1], Again)
        counts.append(len(line.sent))
        before, line = line, Line(device)
        line.knowledge = before.knowledge
    assert counts == [3, 3]


def test_what_is_refused_all_at_once(device: Device) -> None:
    """A tag that is refused now is told, the others have their values; and so it is when it is well again."""
    line = Line(device)
    for _ in range(4):
        line.read(*TAGS)
    assert isinstance(line.runs[-1], (Again, Once))
    device["Level"].error = 8
    values = line.read(*TAGS)
    assert isinstance(values[0], StatusError) and plain(values) == plain(Line(device).read(*TAGS))
    device["Level"].error = 0
    for _ in range(4):
        assert line.read(*TAGS) == Line(device).read(*TAGS)
    assert isinstance(line.runs[-1], (Again, Once))


def test_a_tag_of_another_type(device: Device) -> None:
    """A controller that was given another program is not read by what was known of the old one."""
    line = Line(device)
    for _ in range(4):
        line.read("Level", "Word")
    other = Device()
    for name in ("Level", "Word"):
        other.add_tag(Attribute(name, INT, 5))
    line.session = Session(other, 7, (0x7F000001, 44818))
    line.session.receive(Exchange().register()[1])
    with pytest.raises(Error, match="another type"):
        line.read("Level", "Word")


@pytest.mark.parametrize("kind, value", [(REAL, 1.5), (UDINT, 0xFFFFFFFF)])
def test_an_array_of_another_type(device: Device, kind: Any, value: Any) -> None:
    """What takes several requests is not read as the type that it had, even if that has as many octets."""
    line = Line(device)
    device.add_tag(Attribute("Big", DINT, [7] * 1000))
    batch = Batch([prepare({"path": "Big", "elements": 1000})])
    for _ in range(4):
        line.perform(batch)
    assert isinstance(line.runs[-1], Again)
    line.session.device = controller(Attribute("Big", kind, [value] * 1000))
    for _ in range(4):
        (result,) = line.perform(batch)
        assert result.val == [value] * 1000 and result.rpy.data[:2] == bytes((kind.tag_type, 0))
    assert isinstance(line.runs[-1], Again)


@pytest.mark.parametrize("sizes", [(30, 50), (50, 50), (50, 30, 50), (50, 50, 50)])
def test_members_that_come_short(sizes: tuple[int, ...]) -> None:
    """What came short in a packet goes on with its own first part, not with that of another tag there."""
    device = controller()
    line = Line(device)
    line.session = session = Narrow(device, 7, (0x7F000001, 44818))
    session.registered, session.data = True, 120
    wanted = [list(range(100 * number, 100 * number + size)) for number, size in enumerate(sizes)]
    for number, values in enumerate(wanted):
        device.add_tag(Attribute(f"Tag{number}", DINT, values))
    batch = Batch([prepare({"path": f"Tag{number}", "elements": size}) for number, size in enumerate(sizes)])
    for _ in range(5):
        assert [one.val for one in line.perform(batch)] == wanted
    assert isinstance(line.runs[-1], Again)


def test_two_connections_share_operations(device: Device) -> None:
    """Operations are shared by all conversations, what is known of their replies is of one; no value gets lost."""
    other = controller()
    other["SCADA"][3] = 33
    lines = [Line(device), Line(other)]
    for _ in range(8):
        assert [line.perform([prepare({"path": "SCADA[3]"})])[0].val for line in lines] == [[3], [33]]


class Elsewhere:
    """What is kept of an operation, whose shape another thread takes away as soon as it was looked at."""

    seen = 0

    def __init__(self, shape: Any) -> None:
        self._shapes = [shape]

    @property
    def shape(self) -> Any:
        return self._shapes.pop() if self._shapes else None


def test_a_shape_that_another_thread_takes_away(device: Device) -> None:
    """... harms nobody who is just looking at it; nor does the end of the conversation just then."""
    line = Line(device)
    operation = prepare({"path": "SCADA[3]"})
    for _ in range(3):
        line.perform([operation])
    pending, octets = line.exchange.issue([operation])
    pending.kept = Elsewhere(operation.shape)
    line.exchange.feed(line.session.receive(octets))
    assert pending.results is not None and pending.results[0].val == [3]

    class Ending:
        seen = 0

        class shape:
            @staticmethod
            def results(octets: bytes, pending: Pending) -> list[Result]:
                line.exchange.end("it was closed")
                return []

    pending, octets = line.exchange.issue([operation])
    pending.kept = Ending
    line.exchange.feed(line.session.receive(octets))
    assert pending.results == []


def test_a_context_of_zeros_over_a_connection(device: Device) -> None:
    """Frames of connections have such a context: they answer by their sequence counts nevertheless."""
    line = Line(device, connected=True)
    operation = prepare({"path": "SCADA[3]"})
    for _ in range(3):
        line.perform([operation])
    apart, first = line.exchange.issue([operation], context=bytes(8))
    over, second = line.exchange.issue([operation])
    replies = [line.session.receive(first)]
    device["SCADA"][3] = 33
    replies.append(line.session.receive(second))
    line.exchange.feed(replies[1])
    assert apart.results is None and over.results is not None and over.results[0].val == [33]
    line.exchange.feed(replies[0])
    assert apart.results is not None and apart.results[0].val == [3]


def test_the_same_twice(device: Device) -> None:
    """A tag asked for twice in one call has its value twice."""
    line = Line(device)
    for _ in range(5):
        assert line.read("SCADA[3]", "scada[3]", "Level", "SCADA[3]") == [3, 3, 12.5, 3]
    batch = Batch([prepare({"path": "SCADA[3]"})] * 2)
    for _ in range(5):
        assert [one.val for one in line.perform(batch)] == [[3], [3]]


def test_nothing_to_do(device: Device) -> None:
    """A batch of nothing is done at once."""
    line = Line(device)
    for _ in range(4):
        assert line.perform(Batch()) == [] and line.read("NOPE")[0].args == line.read("NOPE")[0].args


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("paths", [["SCADA[3]"], ["SCADA[3]", "Level", "Grid[1,0]"], ["SCADA[0-9]", "Word"]])
def test_no_octet_can_differ(device: Device, connected: bool, paths: list[str]) -> None:
    """Whatever octet of a reply is another one, it means what it would mean to who knows nothing, or is parsed."""
    line = Line(device, connected)
    replies: list[bytes] = []
    line.damage = lambda octets: replies.append(octets) or octets
    batch = Batch([prepare(one) for one in parse_operations(paths)])
    for _ in range(5):
        line.perform(batch)
    assert batch.way is not None and len(batch.way.shots) == 1
    (shot,) = batch.way.shots
    whole, (start, stop) = replies[-1], (44, 46) if connected else (12, 20)
    taken = 0
    for at in [*range(start), *range(stop, len(whole))]:
        for change in (0x01, 0x80, 0xFF):
            octets = whole[:at] + bytes((whole[at] ^ change,)) + whole[at + 1 :]
            pending, _ = line.exchange.issue(shot)
            found = shot.shape.results(octets, pending)
            if found is not None:
                taken += 1
                assert found == parsed_anew(octets, shot, pending.index, connected)
    assert taken == 3 * sum(len(one.data) - 2 for one in replies_of(whole, shot))
    for cut in range(len(whole)):
        assert shot.shape.results(whole[:cut], pending) is None
    assert shot.shape.results(whole + b"\0", pending) is None


def replies_of(octets: bytes, shot: Shot) -> list[Any]:
    """The CIP replies in a frame."""
    pending = Pending(octets[0], b"", shot, 0, True)
    return [one.rpy for one in results_of(pending, ReplyFrame.parse(octets).CIP.item)]


def parsed_anew(octets: bytes, shot: Shot, index: int, connected: bool) -> list[Result]:
    """The results that a frame means by its grammar."""
    pending = Pending(0x70 if connected else 0x6F, b"", shot, index, not connected)
    results = results_of(pending, ReplyFrame.parse(octets).CIP.item)
    return [one._replace(req=operation.request) for one, operation in zip(results, shot, strict=True)]


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.lists(st.sampled_from(TAGS), min_size=1, max_size=6).map(tuple)),
        st.tuples(st.just("value"), st.integers(-100, 100)),
        st.tuples(st.just("refuse"), st.sampled_from([0, 0, 8])),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(ACTIONS)
def test_the_same_as_for_the_first_time(actions: list[tuple[str, Any]]) -> None:
    """However often and whatever is read, while values change and tags are refused: it is what a new client gets."""
    device = controller()
    line = Line(device)
    for action, what in actions * 2:
        if action == "value":
            device["SCADA"][3] = device["Word"][0] = what
        elif action == "refuse":
            device["Level"].error = what
        else:
            assert plain(line.read(*what)) == plain(Line(device).read(*what))


@pytest.mark.parametrize("face", sorted(FACES))
def test_both_fronts_know_what_they_read(plc: Simulator, face: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For threads and for asyncio, what was read a few times is not parsed any more."""
    with opening(face) as make:
        tags = make(*plc.address)
        for _ in range(6):
            tags.read("SCADA", "Level", "Word")
        parsed: list[bytes] = []
        monkeypatch.setattr(tags.plc._connection.exchange, "_parse", parsed.append)
        assert tags.read("SCADA", "Level", "Word")[1:] == [12.5, 8] and parsed == []
