"""Connections over loopback: of the simulator and of peers that misbehave, through connector and the tag level."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cpppo.errors import LocalProtocolError, RemoteProtocolError, StatusError, Timeout
from cpppo.server.enip import client
from cpppo.server.enip.client import OutcomeUnknown, aio
from cpppo.server.enip.client.connector import connector
from cpppo.server.enip.simulator import Simulator
from tests.pcap_oracle import C2S
from tests.peers.wiretap import Wiretap, judge
from tests.server.enip.client.faces import FACES, Open, opening
from tests.server.enip.client.scripted import Peer, serve
from tests.server.enip.client.scripted_connected import Target, unit, unit_reply

LONG_S, SHORT_S = 10.0, 0.5
DEPTHS = [0, 1, 20]


@pytest.fixture(params=sorted(FACES))
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Makes a face of the tag level with a connection, closed at the end."""
    with opening(request.param, connected=True) as make:
        yield make


def connected(peer: Any, **kwds: Any) -> connector:
    host, port = peer.address
    return client.connector(host, port, timeout=kwds.pop("timeout", LONG_S), connected=True, **kwds)


def connections(plc: Simulator) -> int:
    """How many connections the controller has open."""
    return len(plc.device.manager.connections)


def forget(plc: Simulator) -> None:
    """The controller closes all connections, and says nothing of it."""
    table = plc.device.manager.connections
    for triad in list(table._open):
        table.close(triad)


# -- opening and closing


def test_opened_and_closed(plc: Simulator) -> None:
    """The connection is there as long as the connector is; then the controller has none, and no session, left."""
    connection = connected(plc)
    assert connections(plc) == 1
    assert list(connection.results([{"path": "Word"}])) == [[8]]
    connection.close()
    assert connections(plc) == 0
    with pytest.raises(LocalProtocolError, match="was closed"):
        connection.read("Word")
    connection.close()


def test_what_is_said_at_the_end() -> None:
    """Forward Close, and once it is answered UnRegisterSession; the socket is closed after that."""
    target = Target()
    with Peer(target) as peer:
        connection = connected(peer)
        list(connection.results([{"path": "X"}]))
        connection.close()
        assert len(target.closed) == 1
        peer.wait_until_left()
    assert [request[0] for request in peer.requests] == [0x6F, 0x70, 0x6F, 0x66]


def test_closing_is_bounded_by_the_time_out() -> None:
    """A peer that does not answer Forward Close is left after the time-out."""
    target = Target()
    script = target.managed
    target.managed = lambda request: b"" if target.opened else script(request)  # type: ignore[method-assign]
    with Peer(target) as peer:
        connection = connected(peer, timeout=SHORT_S)
        connection.close()
        assert connection._socket.fileno() == -1


def test_closing_wakes_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits for a reply without limit gets an error when another closes the connection."""
    target, waiting = Target(), threading.Event()
    raised: list[str] = []

    def answer(request: bytes) -> bytes:
        waiting.set()
        return b""

    target.answer = answer  # type: ignore[method-assign]

    def wait() -> None:
        try:
            list(connection.results([{"path": "X"}]))
        except RemoteProtocolError as exc:
            raised.append(str(exc))

    with Peer(target) as peer:
        connection = connected(peer, timeout=None)
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        assert waiting.wait(LONG_S)
        connection.close()
        thread.join(LONG_S)
    assert raised == ["it was closed before answering Read Tag X"]


def test_closing_that_is_cancelled() -> None:
    """... for asyncio ends the connection nevertheless."""
    target = Target()
    script = target.managed
    target.managed = lambda request: b"" if target.opened else script(request)  # type: ignore[method-assign]

    async def use(address: tuple[str, int]) -> None:
        tags = aio.Logix(*address, connected=True)
        connection = await tags._connect(asyncio.get_running_loop().time() + LONG_S)
        closing = asyncio.ensure_future(tags.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert connection.exchange.failure is not None and not tags.connected

    with Peer(target) as peer:
        host, port = peer.address
        asyncio.run(use((host, port)))


def test_refused_twice(opened: Open) -> None:
    """Where no connection is to be had, the error says why; no socket stays open."""
    target = Target({0x5B: (8,), 0x54: (1, 0x113)})
    with Peer(target) as peer:
        with pytest.raises(StatusError, match="refused Forward Open .*no more connections .*0x01 extended 0x0113"):
            connected(peer)
        tags = opened(*peer.address)
        with pytest.raises(StatusError, match="no more connections"):
            tags.read("X")
        assert not tags.connected
    assert [request[0] for request in peer.requests] == [0x6F, 0x6F] * 2


@pytest.mark.parametrize(("large", "size"), [(True, 4000), (False, 500)])
def test_the_tag_level_uses_what_is_granted(plc: Simulator, opened: Open, large: bool, size: int) -> None:
    """Browsing, reads and writes go over it, one at a time; no request is larger than it, and some are nearly so."""
    plc.device.manager.large = large
    with Wiretap(plc.address) as tap:
        tags = opened(*tap.address)
        assert len(tags.read("SCADA")) == 1000
        tags.write({"SCADA": list(range(1000))})
        assert plc.device["SCADA"][:] == list(range(1000))
        tags.write({f"SCADA[{number}]": number for number in range(0, 900, 3)})
        assert tags.read("Level", "Drive[1].label", "Word.3") == [12.5, "", True]
        tags.end()
    assert connections(plc) == 0
    (said,) = tap.conversations
    sizes = [struct.unpack_from("<H", octets, 42)[0] for way, octets in said if octets[0] == 0x70]
    assert max(sizes) <= size and sum(one > 0.9 * size for one in sizes) > 2000 // size
    commands = [(way, octets[0]) for way, octets in said]
    assert all(one[0] != two[0] for one, two in zip(commands, commands[1:], strict=False)), "one at a time"
    assert [octets for way, octets in commands if way == C2S][-2:] == [0x6F, 0x66]


# -- pipelining


@pytest.mark.parametrize("multiple", [0, 300])
def test_pipelining(plc: Simulator, multiple: int) -> None:
    """Our simulator answers requests that are sent before the replies to others, and each gets its own."""
    connection = connected(plc)
    writes: list[Any] = [{"path": f"SCADA[{at}]", "data": [at]} for at in range(300)]
    reads: list[Any] = [{"path": f"SCADA[{at}]"} for at in range(300)]
    assert list(connection.results(writes, depth=20, multiple=multiple)) == [True] * 300
    assert list(connection.results(reads, depth=20, multiple=multiple)) == [[at] for at in range(300)]
    connection.close()


def test_so_many_are_in_flight() -> None:
    """A peer that answers only when it has five requests is served, although it answers backwards."""
    target = Target()
    held: list[bytes] = []

    def answer(request: bytes) -> bytes:
        held.insert(0, Target.answer(target, request))
        if len(held) < 5:
            return b""
        answers = b"".join(held)
        held.clear()
        return answers

    target.answer = answer  # type: ignore[method-assign]
    with Peer(target) as peer:
        connection = connected(peer)
        operations = client.parse_operations([f"X[{number}]" for number in range(50)])
        assert list(connection.results(operations, depth=5)) == [[number] for number in range(50)]
        connection.close()


def test_more_requests_than_sequence_counts(plc: Simulator) -> None:
    """Counts go round without harm."""
    connection = connected(plc)
    connection.exchange._sequence = 0xFFF0
    assert list(connection.results([{"path": f"SCADA[{at}]"} for at in range(64)], depth=4)) == [[0]] * 64
    connection.close()


# -- low-level requests


def test_low_level(plc: Simulator) -> None:
    """They go over the connection, but for those that have a route or a context, and unconnected_send."""
    with Wiretap(plc.address) as tap:
        connection = connected(tap)
        record = connection.read("Word", offset=None, send=False)
        connection.read("Word", offset=None)
        connection.multiple([record, record])
        connection.read("Word", offset=None, sender_context=b"mine")
        connection.read("Word", offset=None, route_path=[])
        connection.unconnected_send(record)
        found = [connection.collect(LONG_S) for _ in range(6)]
        connection.close()
    assert [one.val for one in found if one] == [[8]] * 6
    (said,) = tap.conversations
    asked = b"".join(octets for way, octets in said if way == C2S)
    commands = []
    while asked:
        commands.append(asked[0])
        asked = asked[24 + struct.unpack_from("<H", asked, 2)[0] :]
    assert commands == [0x65, 0x6F, 0x70, 0x70, 0x6F, 0x6F, 0x6F, 0x6F, 0x66]


# -- peers that misbehave, and connections that are lost


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_reply_that_is_late(depth: int, caplog: pytest.LogCaptureFixture) -> None:
    """A Timeout; what comes late, twice, or on a connection of somebody else's answers no later request."""
    target = Target()
    held: list[bytes] = []

    def answer(request: bytes) -> bytes:
        asked = unit(request)
        octets = Target.answer(target, request)
        if b"Late" in request:
            held.append(octets)
            return b""
        foreign = unit_reply(target.from_id ^ 1, asked.sequence, serve(held_cip(asked.cip)))
        return b"".join([foreign, *held, *held, octets, octets])

    def held_cip(cip: bytes) -> bytes:
        return cip.replace(b"\x28\7", b"\x28\x09").replace(b"\x28\x08", b"\x28\x09")

    target.answer = answer  # type: ignore[method-assign]
    with Peer(target) as peer:
        connection = connected(peer)
        with pytest.raises(Timeout, match=r"did not answer Read Tag Late\[3-5\]"):
            list(connection.operate(client.parse_operations(["Late[3-5]"]), depth=depth, timeout=SHORT_S))
        assert list(connection.results(client.parse_operations(["X[7]", "X[8]"]), depth=depth)) == [[7], [8]]
        connection.close()
    assert f"answers no request (on connection 0x{target.from_id ^ 1:08x}, sequence count " in caplog.text


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("kind", ["cut short", "refused"])
def test_a_connection_gone_wrong(depth: int, kind: str) -> None:
    """A reply that is cut short, or an encapsulation status, ends it: an error, and every later use says so."""
    target = Target()

    def answer(request: bytes) -> bytes:
        if kind == "refused":
            return struct.pack("<HHII8sI", 0x70, 0, 0, 0x64, bytes(8), 0)
        return unit_reply(target.from_id, unit(request).sequence, b"\xcc\0")

    target.answer = answer  # type: ignore[method-assign]
    with Peer(target) as peer:
        connection = connected(peer)
        with pytest.raises(RemoteProtocolError):
            list(connection.results([{"path": "X"}] * 3, depth))
        with pytest.raises(LocalProtocolError, match="is over, open a new one"):
            list(connection.results([{"path": "X"}], depth))
        assert connection._socket.fileno() == -1


def test_a_connection_that_the_controller_closed(plc: Simulator, opened: Open) -> None:
    """Nothing answers on it: the read is repeated on a new connection, and a write has an outcome nobody knows."""
    states: list[str] = []
    tags = opened(*plc.address, timeout=SHORT_S, on_state=lambda state, reason: states.append(state))
    assert tags.read("Word") == 8
    forget(plc)
    assert tags.read("Word") == 8
    assert states == ["connected", "lost", "connected"] and connections(plc) == 1
    forget(plc)
    with pytest.raises(OutcomeUnknown, match="before it answered a write"):
        tags.write({"Word": 5})
    assert tags.read("Word") == 8
    tags.end()
    assert connections(plc) == 0


def test_many_share_a_connection_that_was_closed(plc: Simulator, opened: Open) -> None:
    """Those that waited for their turn meanwhile, too, get their values from the new one."""
    tags = opened(*plc.address, timeout=SHORT_S)
    tags.tags()
    forget(plc)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda number: tags.read("Word"), range(4))) == [8] * 4
    assert connections(plc) == 1


def test_a_connection_that_the_controller_refuses(plc: Simulator, opened: Open) -> None:
    """An encapsulation status in place of a reply is the end of it: a read is repeated, of a write nobody knows."""
    lying = threading.Event()

    def lie(octets: bytes) -> bytes:
        if octets[0] != 0x70 or not lying.is_set():
            return octets
        lying.clear()
        return struct.pack("<HHII8sI", 0x70, 0, 0, 0x64, bytes(8), 0)

    with Wiretap(plc.address, lie) as tap:
        tags = opened(*tap.address)
        assert tags.read("Word") == 8
        lying.set()
        assert tags.read("Word") == 8 and not lying.is_set()
        lying.set()
        with pytest.raises(OutcomeUnknown, match="0x0064, invalid session handle"):
            tags.write({"Word": 5})
        assert tags.read("Word") == 5
        tags.end()
    assert len(tap.conversations) == 3


def test_no_word_to_who_does_not_answer(opened: Open) -> None:
    """A connection given up since nothing came is not closed politely, which would be waited for, too."""
    target = Target()
    target.answer = lambda request: b""  # type: ignore[method-assign]
    with Peer(target) as peer:
        tags = opened(*peer.address, timeout=SHORT_S)
        with pytest.raises(Timeout):
            tags.read("X")
        assert [request[0] for request in peer.requests] == [0x6F, 0x70] and target.closed == []


def test_a_connection_idle_for_too_long(plc: Simulator, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for: another is made before anything is sent, a write included."""
    states: list[tuple[str, str]] = []
    tags = opened(*plc.address, on_state=lambda state, reason: states.append((state, str(reason))))
    assert tags.read("Word") == 8
    forget(plc)
    tags.plc._used -= 1000
    tags.write({"Word": 5})
    assert plc.device["Word"].value == 5 and connections(plc) == 1
    assert [state for state, _ in states] == ["connected", "lost", "connected"]
    assert "idle for 1000 s" in states[1][1]


def test_no_two_requests_at_once(plc: Simulator) -> None:
    """Tasks that share the tag level take turns on its connection; one that is cancelled leaves its turn."""

    async def use(address: tuple[str, int]) -> None:
        async with aio.Logix(*address, connected=True) as tags:
            await tags.tags()
            await asyncio.gather(*(tags.write({f"SCADA[{at}]": at}) for at in range(50)))
            assert await asyncio.gather(*(tags.read(f"SCADA[{at}]") for at in range(50))) == list(range(50))

    async def cancel(address: tuple[str, int]) -> None:
        async with aio.Logix(*address, connected=True) as tags:
            await tags.tags()
            call = asyncio.ensure_future(tags.read("SCADA"))
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await tags.read("Level") == 12.5 and tags.connected

    with Wiretap(plc.address) as tap:
        asyncio.run(use(tap.address))
    asyncio.run(cancel(plc.address))
    for said in tap.conversations:
        assert all(len(octets) == 24 + struct.unpack_from("<H", octets, 2)[0] for _, octets in said), (
            "a frame at a time"
        )
        assert all(one[0] != two[0] for one, two in zip(said, said[1:-1], strict=False)), "each waits for its reply"
    assert connections(plc) == 0


def test_asyncio_connection(plc: Simulator) -> None:
    """Below the tag level: many in flight if asked for; refused; closed as the peer takes part in it."""

    async def use() -> None:
        connection = await aio.connect(*plc.address, timeout=LONG_S, connected=True)
        reads: list[Any] = [{"path": f"SCADA[{at}]"} for at in range(100)]
        for depth in (1, 20):
            assert [one.val for one in await connection.perform(reads, depth)] == [[0]] * 100
        await connection.leave(LONG_S)
        assert connections(plc) == 0
        connection.close()
        await connection.leave(LONG_S)
        with pytest.raises(StatusError, match="no such slot"):
            await aio.connect(*plc.address, timeout=LONG_S, route_path=[{"port": 1, "link": 5}], connected=True)
        other = await aio.connect(*plc.address, timeout=LONG_S, connected=True)
        other.abort()
        await other.leave(LONG_S)

    asyncio.run(use())


# -- as others see it


@pytest.mark.peers
@pytest.mark.parametrize("large", [True, False])
def test_judged(plc: Simulator, large: bool) -> None:
    """A whole conversation of operations over a connection before Wireshark's eyes; see also test_client_judged."""
    plc.device.manager.large = large
    with Wiretap(plc.address) as tap:
        connection = connected(tap)
        texts = ["SCADA[1]=99", "SCADA[0-3]", "SCADA[0-999]", "Nope", "@1/1/7"]
        for multiple in (0, 300):
            list(connection.pipeline(client.parse_operations(texts), depth=5, multiple=multiple))
        connection.unconnected_send({"path": "Word"})
        connection.collect(LONG_S)
        connection.close()
    for pdus in judge(tap.conversations):
        services = [one.all("cip.sc")[0] for one in pdus if one.direction == C2S and one.first("cip.sc")]
        opens = ["0x5b"] if large else ["0x5b", "0x54"]
        assert services[: len(opens)] == opens and services[-1] == "0x4e"
        assert {one.first("enip.cpf.typeid") for one in pdus if one.number("enip.command") == 0x70} == {"0x00a1"}
