"""Who a device is: the request octet by octet, and what of replies is taken."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import RemoteProtocolError
from cpppo.server.enip.client.identities import Found, Identity, identities, missing, request
from cpppo.server.enip.client.report import format_identities, plain_identity
from tests.server.enip.client.scripted import frame

CONTEXT = b"anything"
ASKED = ("10.0.0.7", 44818)

L61 = Identity(ASKED, 1, 14, 54, (20, 11), 0x3060, 0x006C061A, "1756-L61/B LOGIX5561", 3)


def item(name: bytes = b"1756-L61/B LOGIX5561", serial: int = 0x006C061A, port: int = 44818) -> bytes:
    """The item of an identity."""
    where = struct.pack(">HHI8x", 2, port, 0x7F000001)
    told = struct.pack("<HHHBBHIB", 1, 14, 54, 20, 11, 0x3060, serial, len(name)) + name + b"\3"
    return struct.pack("<HHH", 0x0C, 2 + len(where) + len(told), 1) + where + told


def answer(*told: bytes, command: int = 0x63, status: int = 0) -> bytes:
    """The frame of a reply with some items."""
    return frame(command, struct.pack("<H", len(told)) + b"".join(told), CONTEXT, 0, status)


@pytest.mark.parametrize(
    ("timeout_s", "delay"), [(1.0, "f401"), (0.0, "f401"), (5.0, "c409"), (1e6, "ffff"), (float("inf"), "ffff")]
)
def test_request(timeout_s: float, delay: str) -> None:
    """A header alone; its context asks devices to answer in half the time, and not in the 2 s they would take."""
    expected = f"6300 0000 00000000 00000000 {delay} 6370 7070 6f00 00000000"
    assert request(timeout_s) == bytes.fromhex(expected)


def test_identity() -> None:
    """All that a device says, at the host it answered from and on the port that it tells."""
    assert identities(answer(item()), ASKED) == [L61]
    assert identities(answer(item(port=44819)), ASKED)[0].address == ("10.0.0.7", 44819)
    assert identities(answer(item(port=0)), ("10.0.0.7", 4000))[0].address == ("10.0.0.7", 4000)


def test_several_items() -> None:
    """A reply may have several, and others that nobody knows."""
    other = struct.pack("<HH", 0x86, 2) + b"??"
    told = identities(answer(other, item(), item(serial=7)), ASKED)
    assert [one.serial for one in told] == [0x006C061A, 7]


GARBAGE = {
    "nothing": b"",
    "text": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a header": answer()[:24],
    "no item": answer(),
    "another item": answer(struct.pack("<HH", 0x100, 0)),
    "cut short": answer(item())[:-1],
    "too long": answer(item()) + b"\0",
    "another command": answer(item(), command=0x04),
    "a request": request(1.0),
    "refused": answer(item(), status=1),
    "refused without items": frame(0x63, b"", CONTEXT, 0, 1),
    "a name beyond its end": answer(item(name=b"x" * 9).replace(b"\x09x", b"\x2ax")),
    "an item beyond its end": answer(item()[:2] + b"\xff\0" + item()[4:]),
    "more items than there are": frame(0x63, b"\2\0" + item(), CONTEXT, 0),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage(name: str) -> None:
    """What is no reply is refused where one is needed, and passed over where many may come."""
    with pytest.raises(RemoteProtocolError):
        identities(GARBAGE[name], ASKED)
    found = Found(44818)
    assert not found.take(GARBAGE[name], "10.0.0.7")
    assert found.devices == []


@given(st.binary(max_size=80), st.integers(0, 80))
def test_any_octets(octets: bytes, at: int) -> None:
    """Whatever comes, alone or in the middle of a reply, there is an identity or the error of the tree."""
    whole = answer(item())
    for one in (octets, whole[:at] + octets + whole[at + len(octets) :]):
        try:
            assert identities(one, ASKED)
        except RemoteProtocolError:
            pass


def test_each_once() -> None:
    """Who answers twice is there once; who differs in anything, or is elsewhere, is another; in the order they came."""
    found = Found(44818)
    for octets, host in (
        (answer(item()), "10.0.0.7"),
        (b"garbage", "10.0.0.6"),
        (answer(item(serial=7)), "10.0.0.7"),
        (answer(item()), "10.0.0.7"),
        (answer(item()), "10.0.0.8"),
    ):
        found.take(octets, host)
    assert [(one.address[0], one.serial) for one in found.devices] == [
        ("10.0.0.7", L61.serial),
        ("10.0.0.7", 7),
        ("10.0.0.8", L61.serial),
    ]


def test_missing() -> None:
    """How much of a reply is missing is known as it comes; what begins otherwise is refused."""
    whole = answer(item())
    assert [missing(whole[:at]) for at in (0, 1, 23)] == [24, 23, 1]
    assert [missing(whole[:at]) for at in (24, len(whole) - 1, len(whole))] == [len(whole) - 24, 1, 0]
    for wrong in (b"HTTP/1.1 400 Bad Request", b"\x63\0\xff\xff" + bytes(20)):
        with pytest.raises(RemoteProtocolError, match="begins no reply"):
            missing(wrong)


# -- as people and programs see them


def test_table() -> None:
    """A heading and a line a device, in columns; what cannot be shown does nothing to a terminal."""
    others = [L61._replace(address=("::1", 4), vendor=1234, product_name="Größe", serial=0xFFFFFFFF)]
    others += [L61._replace(product_name="\x1b[2J\nx\0")]
    assert format_identities([L61, *others]) == [
        "ADDRESS         VENDOR  TYPE  CODE  REVISION  SERIAL      STATUS  STATE  NAME",
        "10.0.0.7:44818  1       14    54    20.11     0x006c061a  0x3060  3      1756-L61/B LOGIX5561",
        "[::1]:4         1234    14    54    20.11     0xffffffff  0x3060  3      Größe",
        "10.0.0.7:44818  1       14    54    20.11     0x006c061a  0x3060  3      ?[2J?x?",
    ]


def test_plain() -> None:
    """For programs: numbers, and texts of address and revision."""
    expected: dict[str, Any] = {
        "address": "10.0.0.7:44818",
        "vendor": 1,
        "device_type": 14,
        "product_code": 54,
        "revision": "20.11",
        "status": 0x3060,
        "serial": 0x006C061A,
        "product_name": "1756-L61/B LOGIX5561",
        "state": 3,
    }
    assert plain_identity(L61) == expected
