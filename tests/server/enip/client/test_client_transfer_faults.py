"""Peers that answer parts as no controller should, or as only some do: nothing is endless, and nothing mixed up."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import LocalProtocolError, RemoteProtocolError
from cpppo.server.enip.client import reading
from tests.server.enip.client.memory import Front, services
from tests.server.enip.client.scripted import bare, reply, serve, service_reply

DEPTHS = [0, 1, 20]
Cip = Callable[[bytes], bytes]


def front(cip: Cip) -> Front:
    """A conversation with a peer that answers CIP requests."""
    return Front(lambda octets: reply(octets, cip(bare(octets))))


def asked(cip: bytes) -> tuple[int, int, int]:
    """(service, elements, octet) of a read."""
    data = cip[2 + 2 * cip[1] :]
    return cip[0], *struct.unpack("<HI", data[:6].ljust(6, b"\0"))


def words(first: int, count: int) -> bytes:
    return b"\xc3\0" + struct.pack(f"<{count}h", *range(first, first + count))


def script(*answers: Any) -> Cip:
    """A peer that gives these answers, (status, data), one after the other, and the last one for ever."""
    coming: Iterator[Any] = iter(answers)
    last: Any = None

    def cip(request: bytes) -> bytes:
        nonlocal last
        if b"Other" in request:
            return serve(request)
        last = next(coming, last)
        status, data = last
        return service_reply(request[0], data, status)

    return cip


def failing(peer: Front, depth: int, problem: str, **kwds: Any) -> None:
    """The large read raises; what came before it was given; then the conversation is over."""
    operations = [{"path": "Other[5]"}, {"path": "X", "elements": 1000}, {"path": "Other[7]"}]
    found, error = peer.outcome(operations, depth, **kwds)
    assert isinstance(error, RemoteProtocolError)
    assert problem in str(error)
    assert [one.val for one in found] == [[5]]
    with pytest.raises(LocalProtocolError, match="over, open a new one"):
        peer.run([{"path": "Other"}], depth)


NOTHING = (6, b"\xc3\0")
A2, B2 = b"\xa0\x02\x01\0", b"\xa0\x02\x02\0"


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([(6, words(0, 250)), NOTHING], "0x06 without data at octet 500 makes no progress with Read Tag"),
        ([(6, words(0, 250)), (6, b"")], "makes no progress"),
        ([NOTHING], "0x06 without data at octet 0 makes no progress"),
        ([(6, b"")], "makes no progress"),
        ([(6, A2 + b"1234"), (6, A2)], "0x06 without data at octet 4"),
        ([(6, b"\xda\0\1a"), (6, b"\xda\0")], "0x06 without data at octet 2"),
        ([(6, words(0, 250)), (6, b"\xc4\0" + bytes(500))], "type 0x00c4 follows type 0x00c3 within Read Tag"),
        ([(6, A2 + bytes(99)), (0, B2 + bytes(99))], "0x02a0 of handle 0x0002 follows type 0x02a0 of handle 0x0001"),
        ([(6, A2 + bytes(99)), (0, b"\xc3\0" + bytes(99))], "type 0x00c3 follows type 0x02a0 of handle 0x0001"),
        ([(6, words(0, 250)), (0, words(250, 250))], "500 octets from octet 500 cannot be the rest of 2000"),
        ([(6, words(0, 250)), (6, words(250, 900))], "1800 octets from octet 500 cannot be the rest"),
        ([(6, words(0, 250)), (0, b"")], "octet|type"),
        ([(6, b""), (0, b"")], "octet|type"),
        ([(6, b"\xda\0\1a"), (0, b"\xda\0\1b")], "are not 1000 texts"),
        ([(6, words(0, 1001))], "2002 octets from octet 0 cannot be the rest"),
    ],
)
@pytest.mark.parametrize("fragment", [False, True])
def test_impossible_parts(answers: Any, problem: str, fragment: bool, depth: int) -> None:
    """A part that brings nothing, that is of another type or handle, or too short or long: the peer's error, once."""
    peer = front(script(*answers))
    if "|" in problem:
        with pytest.raises(RemoteProtocolError):
            peer.run([{"path": "X", "elements": 1000}], depth, fragment=fragment)
    elif problem.startswith("2002") or depth < 20 or "rest of" not in problem:
        failing(peer, depth, problem, fragment=fragment)
    else:
        with pytest.raises(RemoteProtocolError, match="cannot be the rest"):
            peer.run([{"path": "X", "elements": 1000}], depth, fragment=fragment)


@pytest.mark.parametrize("head", [A2, b"\xda\0"])
def test_partial_without_end(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that always has more to send, of a type that does not tell how much there is, is stopped."""
    monkeypatch.setattr(reading, "MAXIMUM_OCTETS", 20_000)
    peer = front(script((6, head + b"\1a" * 250)))
    with pytest.raises(RemoteProtocolError, match="octets, and still no end, are too many for Read Tag X"):
        peer.run([{"path": "X", "elements": 3 if head != A2 else 1}], 5)
    assert len(peer.sent) <= 42


@pytest.mark.parametrize("depth", DEPTHS)
def test_more_to_come_of_nothing(depth: int) -> None:
    """A peer that says there is more when all has come is not asked for it."""

    def cip(request: bytes) -> bytes:
        _, elements, offset = asked(request)
        return service_reply(request[0], words(offset // 2, min(250, elements - offset // 2)), 6)

    peer = front(cip)
    (found,) = peer.run([{"path": "X", "elements": 1000}], depth)
    assert (found.sts, found.val) == (0, list(range(1000)))
    assert len(peer.sent) == 4


@pytest.mark.parametrize("depth", DEPTHS)
def test_nothing_by_read_tag(depth: int) -> None:
    """A peer that answers Read Tag of too much by 0x06 without data, or by 0x11, is read by Read Tag Fragmented."""
    for answer in (6, b""), (6, b"\xc3\0"), (0x11, b""):

        def cip(request: bytes, answer: Any = answer) -> bytes:
            service, elements, offset = asked(request)
            if service == 0x4C and elements > 250:
                return service_reply(0x4C, answer[1], answer[0])
            count = min(250, elements - offset // 2)
            return service_reply(service, words(offset // 2, count), 6 * (2 * count + offset < 2 * elements))

        peer = front(cip)
        assert peer.run([{"path": "X", "elements": 1000}], depth)[0].val == list(range(1000))
        assert services(peer) == [0x4C] + [0x52] * 4


@given(st.integers(0, 999), st.integers(1, 20), st.integers(1, 700), st.booleans())
def test_parts_of_any_size(seed: int, depth: int, most: int, fragment: bool) -> None:
    """Parts may be shorter or longer than those before them, and end anywhere: every octet finds its place."""
    chance = Random(seed)
    whole = words(0, 1000)[2:]

    def cip(request: bytes) -> bytes:
        _, elements, offset = asked(request)
        part = whole[offset : offset + chance.randint(1, most)]
        return service_reply(request[0], b"\xc3\0" + part, 6 * (offset + len(part) < 2 * elements))

    peer = front(cip)
    (found,) = peer.run([{"path": "X", "elements": 1000}], depth, chance.randrange, fragment=fragment)
    assert (found.sts, found.val) == (0, list(range(1000)))


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("fragment", [False, True])
@pytest.mark.parametrize("too_much", [(0x11, b""), (6, b""), (6, b"\xc3\0")])
def test_too_much_without_fragments(too_much: Any, fragment: bool, depth: int) -> None:
    """Without Fragmented services, of a peer that gives all or nothing, fewer elements are asked for until they fit."""

    def cip(request: bytes) -> bytes:
        service, elements, _ = asked(request)
        if service == 0x52:
            return service_reply(0x52, b"", 8)
        path = request[2 : 2 + 2 * request[1]]
        first = int.from_bytes(path[6:] if path[4:5] == b"\x29" else path[5:], "little")
        if elements > 100:
            return service_reply(0x4C, too_much[1], too_much[0])
        return service_reply(0x4C, words(first, elements))

    peer = front(cip)
    (found,) = peer.run([{"path": "X", "elements": 1000}], depth, fragment=fragment)
    assert (found.sts, found.val) == (0, list(range(1000)))
    peer.sent.clear()
    (found,) = peer.run([{"path": "X", "elements": 100}], depth, fragment=fragment)
    assert found.val == list(range(100)) and services(peer) == [0x4C]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("answer", [(0x11, b""), (6, b""), (6, b"\xc3\0"), (6, b"\xc3\0\1")])
def test_nothing_fits_without_fragments(answer: Any, depth: int) -> None:
    """If not even one element comes, that is the end of it."""

    def cip(request: bytes) -> bytes:
        return service_reply(request[0], *((b"", 8) if request[0] == 0x52 else answer[::-1]))

    peer = front(cip)
    (found,) = peer.run([{"path": "X", "elements": 1000}], depth)
    assert (found.sts, found.val) == (0x11 if answer[0] == 0x11 else 8, None)
    assert len(peer.sent) < 20


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("status", [0x06, 0x11])
def test_reads_of_a_packet_refused_for_its_size(status: int, depth: int) -> None:
    """If a packet's whole reply was too large its reads are asked singly; of its changes nobody knows."""

    def cip(request: bytes) -> bytes:
        return service_reply(0x0A, b"", status) if request[0] == 0x0A else serve(request)

    peer = front(cip)
    found = peer.run([{"path": "X[3]"}, {"path": "Y", "data": [1]}, {"path": "X[4]"}], depth, multiple=500)
    assert [(one.sts, one.val) for one in found] == [(0, [3]), (status, None), (0, [4])]
    assert services(peer)[-2:] == [0x4C, 0x4C] and services(peer).count(0x0A) == 1
    assert 0x0A not in peer.exchange.learned.refused


@pytest.mark.parametrize("depth", DEPTHS)
def test_members_too_large(depth: int) -> None:
    """Members answered 0x11 or 0x06 are read alone; a change answered so is not sent again."""

    def cip(request: bytes) -> bytes:
        if request[0] != 0x0A:
            return serve(request)
        members = [service_reply(0x4C, b"", 0x11), service_reply(0x4C, b"\xc3\0", 6), service_reply(0x4D, b"", 0x11)]
        ends = [2 + 2 * len(members)]
        for member in members:
            ends.append(ends[-1] + len(member))
        table = struct.pack(f"<{len(ends)}H", len(members), *ends[:-1])
        return service_reply(0x0A, table + b"".join(members), 0x1E)

    peer = front(cip)
    operations: list[dict[str, Any]] = [{"path": "X[3]"}, {"path": "X[4-5]"}, {"path": "Y", "data": [1]}]
    peer.exchange.learned.offered.add(0x0A)
    found = peer.run(operations, depth, multiple=500)
    assert [(one.sts, one.val) for one in found] == [(0, [3]), (0, [4, 5]), (0x11, None)]
    assert services(peer) == [0x0A, 0x4C, 0x4C]
    assert [one.idx for one in found] == [0] * 3


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("multiple", [0, 500])
def test_route_refused(depth: int, multiple: int) -> None:
    """A route that is refused, also midway, refuses what is sent along it; status 0x08 is no endless errand either."""
    for status, extended in (1, (0x312,)), (8, ()), (0x11, ()), (6, ()):
        peer = front(lambda request, s=status, e=extended: service_reply(0x52, b"", s, *e))  # type: ignore[misc]
        operations = [{"path": "X[0-9]"}, {"path": "Y"}, {"path": "Z", "data": [1] * 400}]
        found = peer.run(operations, depth, multiple=multiple)
        assert [one.val for one in found[:2]] == [None] * 2 or status == 6
        assert len(found) == 3 and len(peer.sent) < 10
    answers = iter([service_reply(0x4C, words(0, 250), 6), service_reply(0x52, b"", 1, 0x312)])
    peer = front(lambda request: next(answers, service_reply(0x52, b"", 1, 0x312)))
    (found_one,) = peer.run([{"path": "X", "elements": 1000}], depth)
    assert (found_one.sts, found_one.val) == ((1, [0x312]), None)


def test_results_before_a_fault_are_given() -> None:
    """In a packet, too, the results before a part that is the peer's error are given, and none after it."""

    def cip(request: bytes) -> bytes:
        if request[0] == 0x52:
            return service_reply(0x52, b"\xc4\0" + bytes(4), 6)
        if request[0] != 0x0A:
            return serve(request)
        one = serve(bytes.fromhex("4c02 91015800 0100"))
        members = [one, service_reply(0x4C, words(0, 4), 6), one]
        return service_reply(0x0A, struct.pack("<HHHH", 3, 8, 16, 30) + b"".join(members), 0x1E)

    peer = front(cip)
    found, error = peer.outcome([{"path": "X"}, {"path": "X[0-9]"}, {"path": "X"}], 1, multiple=500)
    assert [one.val for one in found] == [[0]]
    assert isinstance(error, RemoteProtocolError) and peer.exchange.failure is error
