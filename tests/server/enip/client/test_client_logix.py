"""The tag level over loopback, for threads and for asyncio alike: values, and connections that are lost."""

from __future__ import annotations

import datetime
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cpppo.errors import LocalProtocolError, StatusError, Timeout
from cpppo.server.enip.client import Logix, OutcomeUnknown, UnknownTag
from cpppo.server.enip.device import Attribute
from cpppo.server.enip.simulator import Simulator
from cpppo.server.enip.wire.types import INT
from tests.server.enip.client.faces import FACES, Open, opening
from tests.server.enip.client.gate import Gate


@pytest.fixture(params=[(face, connected) for face in sorted(FACES) for connected in (False, True)])
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Makes a face of the tag level, whose requests go over a connection or not; closed at the end."""
    face, connected = request.param
    with opening(face, connected=connected) as make:
        yield make


def test_values(plc: Simulator, opened: Open) -> None:
    """One value for one tag, a list for several; what is written is there."""
    tags = opened(*plc.address)
    assert tags.read("Level") == 12.5
    assert tags.read("Level", "Word.3") == [12.5, True]
    outcome = tags.write({"Level": 1.5, "SCADA[0-3]": [1, 2, 3, 4], "Drive[1].label": "x", "Flags[5]": True})
    assert outcome == {"Level": None, "SCADA[0-3]": None, "Drive[1].label": None, "Flags[5]": None}
    assert tags.read("SCADA[2]", "Drive[1].label", "Flags[5]") == [3, "x", True]
    assert len(tags.read("SCADA")) == 1000


def test_what_there_is(plc: Simulator, opened: Open) -> None:
    """Tags, types, identity, clock, plans."""
    tags = opened(*plc.address)
    assert "Program:Main.Step" in {one.name for one in tags.tags()}
    assert set(tags.types()) == {"Motor", "Leaf", "Text20", "STRING"}
    assert tags.identity().product_name == "1756-L83E/B"
    now = tags.clock()
    assert abs(now - datetime.datetime.now(datetime.timezone.utc)) < datetime.timedelta(minutes=1)
    tags.set_clock(datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc))
    assert tags.clock().year == 2030
    assert "SCADA[0-1]" in str(tags.plan("SCADA[0]", "SCADA[1]"))


def test_refusals(plc: Simulator, opened: Open) -> None:
    """The first is raised, or all stand in their places."""
    tags = opened(*plc.address)
    tags.tags()
    plc.device["Level"].error = 8
    with pytest.raises(StatusError):
        tags.read("Word", "Level")
    word, level, nothing = tags.read("Word", "Level", "Nothing", raises=False)
    assert word == 8 and isinstance(level, StatusError) and isinstance(nothing, UnknownTag)
    plc.device["Level"].error = 0
    plc.device["Level"].read_only = True
    with pytest.raises(StatusError):
        tags.write({"Level": 5.0, "Word": 1})
    assert tags.write({"Level": 5.0, "Word": 2}, raises=False)["Word"] is None
    assert plc.device["Word"].value == 2


def test_refresh(plc: Simulator, opened: Open) -> None:
    """A tag that came later is known after refresh."""
    tags = opened(*plc.address)
    tags.tags()
    plc.device.add_tag(Attribute("Later", INT, 5))
    with pytest.raises(UnknownTag):
        tags.read("Later")
    tags.refresh()
    assert tags.read("Later") == 5


# -- connections that are lost


def test_a_lost_connection_is_made_anew(plc: Simulator, opened: Open) -> None:
    """Between calls and in the middle of one; the states are told, and what was known is kept."""
    states: list[tuple[str, bool]] = []
    with Gate(plc.address) as gate:
        tags = opened(*gate.address, on_state=lambda state, reason: states.append((state, reason is not None)))
        assert tags.read("Word") == 8 and tags.connected
        gate.cut()
        assert tags.read("Word") == 8
        lost = threading.Event()

        def cut_once(octets: bytes) -> bool:
            first = not lost.is_set()
            lost.set()
            return first

        gate.cut_reply = cut_once
        assert tags.read("SCADA[0-3]") == [0, 0, 0, 0] and lost.is_set()
        assert gate.connections == 3
    told = [state for state, _ in states]
    assert told[:5] == ["connected", "lost", "connected", "lost", "connected"]
    assert all(reason == (state == "lost") for state, reason in states)


def test_states_are_told_in_their_order(plc: Simulator) -> None:
    """A connection that another thread makes meanwhile is told of after the loss of the one before."""
    states: list[str] = []
    tags = Logix(*plc.address, on_state=lambda state, reason: states.append(state))
    tags.read("Level")
    lost = tags._connection
    assert lost is not None
    abort, other = lost.abort, threading.Thread(target=tags.read, args=("Word",))

    def slowly() -> None:
        abort()
        other.start()
        other.join(0.2)

    lost.abort = slowly  # type: ignore[method-assign]
    lost._socket.shutdown(socket.SHUT_RDWR)
    assert tags.read("Level") == 12.5
    other.join(10)
    tags.close()
    assert states == ["connected", "lost", "connected", "closed"]


def test_a_write_that_was_not_sent(plc: Simulator, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is found lost just before a write is sent: nothing is unknown, and it is written."""
    tags = opened(*plc.address)
    tags.read("Level")
    exchange = tags.plc._connection.exchange
    issue = exchange.issue

    def gone(*args: Any, **kwds: Any) -> Any:
        if exchange.failure is None:
            exchange.end("it is gone")
        return issue(*args, **kwds)

    monkeypatch.setattr(exchange, "issue", gone)
    tags.write({"Level": 3.5})
    assert exchange.failure is not None and tags.read("Level") == 3.5


def test_a_write_whose_outcome_is_unknown(plc: Simulator, opened: Open) -> None:
    """Cut after it was sent and before it is answered: OutcomeUnknown, and it is not sent again."""
    seen: list[str] = []
    plc.device.router.observer = lambda name, kind, first, octets, sign: seen.append(sign)
    with Gate(plc.address) as gate:
        tags = opened(*gate.address)
        tags.tags()
        gate.cut_reply = lambda octets: True
        with pytest.raises(OutcomeUnknown, match="before it answered a write"):
            tags.write({"Word": 5})
        gate.cut_reply = lambda octets: False
        assert seen == ["<="] and tags.read("Word") == 5


def test_a_write_before_which_the_connection_was_lost(plc: Simulator, opened: Open) -> None:
    """... is a write of which nothing was sent: it is done on the new connection."""
    with Gate(plc.address) as gate:
        tags = opened(*gate.address)
        assert tags.read("Word") == 8
        connection = tags.plc._connection
        connection.exchange.end("it was lost, and that was noticed")
        tags.write({"Word": 6})
        assert plc.device["Word"].value == 6


def test_no_controller(opened: Open) -> None:
    """Attempts until the time-out, then the error of the last."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    tags = opened("127.0.0.1", port, timeout=0.2)
    with pytest.raises(OSError):
        tags.read("Word")
    assert not tags.connected


def test_a_controller_that_comes_back(opened: Open) -> None:
    """Within the time-out of a call, attempts go on until it is there."""
    simulator = Simulator("Word=DINT=5")
    with simulator:
        address = simulator.address
        tags = opened(*address, timeout=20.0)
        assert tags.read("Word") == 5
    back = Simulator("Word=DINT=6", address=address)
    timer = threading.Timer(0.2, back.start)
    timer.start()
    try:
        assert tags.read("Word") == 6
    finally:
        timer.join()
        back.stop()


def test_a_controller_that_does_not_answer(plc: Simulator, opened: Open) -> None:
    """Timeout names what was not answered; afterwards it works again."""

    class Slow(Attribute):
        def __getitem__(self, key: Any) -> Any:
            waiting.wait(20)
            return super().__getitem__(key)

    waiting = threading.Event()
    plc.device.add_tag(Slow("Slow", INT, 5))
    tags = opened(*plc.address, timeout=0.3)
    tags.tags()
    with pytest.raises(Timeout, match="did not answer Read Tag Slow"):
        tags.read("Slow")
    waiting.set()
    assert tags.read("Slow", "Word") == [5, 8]


def test_closed(plc: Simulator, opened: Open) -> None:
    """A closed one says so; nothing is sent before the first call."""
    states: list[str] = []
    tags = opened(*plc.address, on_state=lambda state, reason: states.append(state))
    assert not tags.connected and states == []
    tags.read("Word")
    tags.end()
    assert states == ["connected", "closed"] and not tags.connected
    with pytest.raises(LocalProtocolError, match="was closed here"):
        tags.read("Word")


@pytest.mark.parametrize("users", [8])
def test_many_share_one(plc: Simulator, opened: Open, users: int) -> None:
    """Threads, or tasks, that share one: each gets its own values, also while the connection is cut."""
    with Gate(plc.address) as gate:
        tags = opened(*gate.address)
        tags.tags()

        def use(number: int) -> bool:
            for turn in range(25):
                if number == 0 and turn % 10 == 5:
                    gate.cut()
                value = (number * 100 + turn) % 30000
                try:
                    tags.write({f"SCADA[{number}]": value})
                except OutcomeUnknown:
                    tags.write({f"SCADA[{number}]": value})
                if tags.read(f"SCADA[{number}]", "Level") != [value, 12.5]:
                    return False
            return True

        with ThreadPoolExecutor(users) as pool:
            assert list(pool.map(use, range(users))) == [True] * users
