"""Tags larger than a packet through the connector: over loopback, of the simulator and of peers that misbehave."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cpppo.errors import LocalProtocolError, RemoteProtocolError, Timeout
from cpppo.server.enip import client
from cpppo.server.enip.client.connector import connector
from cpppo.server.enip.simulator import Simulator, simulator
from tests.server.enip.client.large import DEPTHS
from tests.server.enip.client.scripted import Peer, bare, registered, reply, serve, service_reply

LONG_S, SHORT_S = 10.0, 0.05
#: Elements of a large tag; a packet takes 250 of them.
ELEMENTS = 1000
LARGE = {"path": "Word", "elements": ELEMENTS}


@pytest.fixture(scope="module")
def plant() -> Iterator[Simulator]:
    with simulator(f"Word=INT[{ELEMENTS}]", "Fine=LREAL[300]", "Text=STRING[30]", "One=INT") as one:
        yield one


def connected(peer: Any, **kwds: Any) -> connector:
    host, port = peer.address
    return client.connector(host, port, timeout=LONG_S, **kwds)


@pytest.mark.parametrize("size", [0, 500, 4000])
@pytest.mark.parametrize("fragment", [False, True])
@pytest.mark.parametrize("multiple", [0, 500, 4000])
@pytest.mark.parametrize("depth", DEPTHS)
def test_large_tags(
    plant: Simulator, depth: int, multiple: int, fragment: bool, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written to tags larger than a packet is read again, whole, and stands in the controller.

    Unconnected (size 0) and over connections of both sizes.
    """
    words, texts = list(range(depth, ELEMENTS + depth)), [f"text {number}" for number in range(30)]
    operations = [
        {"path": "Word", "data": words},
        {"path": "Text", "data": texts, "tag_type": 0x02A0},
        LARGE,
        {"path": "Text", "elements": 30},
        {"path": "Nope", "elements": 1000},
        {"path": "Fine", "elements": 300},
    ]
    monkeypatch.setattr(plant.device.manager, "large", size > 500)
    connection = connected(plant, connected=size > 0)
    assert size == (connection.exchange.connection.size if connection.exchange.connection else 0)
    found = connection.process(operations, depth, multiple, fragment)
    assert found == (1, [True, True, words, texts, None, [0.0] * 300])
    assert plant["Word"][:] == words and plant["Text"][:] == texts
    shown = [one.val for one in connection.operate(operations, depth=depth, validating=True)]
    assert shown == [words, texts, words, texts, None, [0.0] * 300]
    connection.close()


def test_low_level_is_one_fragment(plant: Simulator) -> None:
    """The low-level calls send what they say, and give what comes."""
    connection = connected(plant)
    plant["Word"][:] = range(ELEMENTS)
    connection.read("Word", elements=ELEMENTS)
    connection.read("Word", elements=ELEMENTS, offset=None)
    found = [connection.collect(), connection.collect()]
    assert [(one.sts, one.val) for one in found if one] == [(6, list(range(250)))] * 2
    connection.close()


def test_a_large_read_left_early(plant: Simulator) -> None:
    """Parts in flight of a read whose result is not wanted any more are nobody else's."""
    connection = connected(plant)
    plant["One"][0] = 7
    results = connection.pipeline([{"path": "One"}, *[LARGE] * 3], depth=5)
    assert next(results).val == [7]
    results.close()  # type: ignore[attr-defined]
    assert list(connection.results([{"path": "One"}])) == [[7]]
    connection.close()


def test_threads_share_large_reads(plant: Simulator) -> None:
    """Threads that share a connection each get their own tags, whole."""
    plant["Word"][:] = range(ELEMENTS)
    connection = connected(plant)
    wrong: list[Any] = []

    def work(number: int) -> None:
        operations = [{"path": f"Word[{number}]", "elements": 700 + number}] * 5
        values = list(connection.results(operations, depth=number % 3 * 4, multiple=number % 2 * 500))
        if values != [list(range(number, 700 + 2 * number))] * 5:
            wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    connection.close()
    assert wrong == []


def part(request: bytes) -> bytes:
    """The CIP reply of a peer whose packets take 250 INT."""
    cip = bare(request)
    service, data = cip[0], cip[2 + 2 * cip[1] :]
    elements, offset = struct.unpack("<HI", data[:6].ljust(6, b"\0"))
    if service not in (0x4C, 0x52) or elements <= 250:
        return serve(cip)
    values = range(offset // 2, min(offset // 2 + 250, elements))
    octets = struct.pack(f"<H{len(values)}h", 0xC3, *values)
    return service_reply(service, octets, 6 if offset + 500 < 2 * elements else 0)


def after_register(then: Callable[[bytes, int], bytes | None]) -> Callable[[bytes, int], bytes | None]:
    return lambda request, number: registered(request) if request[0] == 0x65 else then(request, number)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_peer_that_closes_after_a_reply(depth: int) -> None:
    """What was answered is given; then the error names the part that was not, and later uses say that it is over."""
    answered = 3

    def script(request: bytes, number: int) -> bytes | None:
        return reply(request, part(request)) if number <= answered else None

    with Peer(after_register(script)) as peer:
        connection = connected(peer)
        found = []
        with pytest.raises(RemoteProtocolError) as caught:
            for value in connection.results([{"path": "X[5]"}, {"path": "Y", "elements": 1000}], depth):
                found.append(value)
        assert found == [[5]]
        assert "closed the connection before answering Read Tag Fragmented Y[0-999] from octet 1000" in str(
            caught.value
        )
        with pytest.raises(LocalProtocolError, match="is over, open a new one"):
            list(connection.results([{"path": "X"}], depth))
        assert connection._socket.fileno() == -1


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_part_that_never_comes(depth: int) -> None:
    """A time-out names the part that was waited for; the connection goes on, and what comes late is dropped."""
    held: list[bytes] = []
    late = threading.Event()

    def script(request: bytes, number: int) -> bytes:
        answer = reply(request, part(request))
        if struct.pack("<HI", 1000, 1000) in request and not held:
            held.append(answer)
            return b""
        return b"".join(held) + answer if late.is_set() else answer

    with Peer(after_register(script)) as peer:
        connection = connected(peer)
        with pytest.raises(Timeout, match=r"did not answer Read Tag Fragmented Y\[0-999\] from octet 1000 within"):
            list(connection.pipeline([{"path": "Y", "elements": 1000}], depth=depth, timeout=SHORT_S))
        late.set()
        assert list(connection.results([{"path": "Y", "elements": 1000}], depth)) == [list(range(1000))]
        connection.close()


@pytest.mark.parametrize("depth", DEPTHS)
def test_no_progress(depth: int) -> None:
    """A peer that goes on answering 0x06 with nothing more is an error, and the socket is closed."""

    def script(request: bytes, number: int) -> bytes:
        cip = bare(request)
        return reply(request, service_reply(cip[0], struct.pack("<Hh", 0xC3, 5), 6) if number < 2 else empty(cip))

    def empty(cip: bytes) -> bytes:
        return service_reply(cip[0], b"\xc3\0", 6)

    with Peer(after_register(script)) as peer:
        connection = connected(peer)
        with pytest.raises(RemoteProtocolError, match="makes no progress with Read Tag X"):
            list(connection.results([{"path": "X", "elements": 9}] * 2, depth))
        assert connection._socket.fileno() == -1
        assert len(peer.requests) <= 2 + depth


@pytest.mark.parametrize("depth", DEPTHS)
def test_refusing_peer(depth: int) -> None:
    """A peer without packets and Fragmented services is served, and asked for each of them once."""
    refused: list[int] = []

    def script(request: bytes, number: int) -> bytes:
        cip = bare(request)
        if cip[0] in (0x0A, 0x52, 0x53):
            refused.append(cip[0])
            return reply(request, service_reply(cip[0], b"", 8))
        return reply(request, serve(cip))

    operations = [{"path": "X[3]"}, {"path": "Y", "data": [1, 2]}, {"path": "X[4]"}]
    with Peer(after_register(script)) as peer:
        connection = connected(peer)
        for _ in range(3):
            values = list(connection.results(operations, depth, multiple=500, fragment=True))
            assert values == [[3], True, [4]]
        connection.close()
    assert refused.count(0x0A) == 1 and len(refused) <= 4
