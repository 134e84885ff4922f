"""Openings and closings of connections, and browsing: what cannot be sent, and where octets go wrong."""

from __future__ import annotations

from typing import Any

import pytest

from cpppo import LocalProtocolError
from cpppo.server.enip.wire.path import Path
from cpppo.server.enip.wire.services import SERVICES, Request, browse, connection
from tests.helpers import refused, same, stepped
from tests.server.enip.wire.names import NAMES, VECTORS, service_of

MANAGER, OPENING, TO_ROUTER = NAMES["AT_MANAGER"], NAMES["OPENING"], NAMES["TO_ROUTER"]
CLOSING = {"priority": 10, "ticks": 5, "serial": 1, "vendor": 0xF33D, "originator": 0x21504345}


@pytest.mark.parametrize("kind", [connection.ForwardOpen, connection.LargeForwardOpen])
@pytest.mark.parametrize("name", sorted(OPENING))
@pytest.mark.parametrize("value", [-1, 1 << 32, None, "1"])
def test_a_number_that_no_opening_has_room_for(kind: Any, name: str, value: Any) -> None:
    """The field is named, and nothing is sent."""
    with pytest.raises(LocalProtocolError) as caught:
        kind(**{**OPENING, name: value}, path=TO_ROUTER).produce()
    assert name in caught.value.path


def test_the_parameters_of_an_opening_are_16_bits_and_of_a_large_one_32() -> None:
    """4000 octets do not fit the one, and do fit the other."""
    wide = {**OPENING, "to_parameters": 0x42000FA0}
    with pytest.raises(LocalProtocolError, match="to_parameters"):
        connection.ForwardOpen(**wide, path=TO_ROUTER).produce()
    small = connection.ForwardOpen(**OPENING, path=TO_ROUTER).produce()
    assert len(connection.LargeForwardOpen(**wide, path=TO_ROUTER).produce()) == len(small) + 4 == 46


@pytest.mark.parametrize("kind", [connection.ForwardOpened, connection.ForwardClosed])
@pytest.mark.parametrize("octets", [b"x", b"abc", bytes(512)])
def test_data_for_the_application_is_whole_words(kind: Any, octets: bytes) -> None:
    """And no more of them than an octet counts: 255."""
    told = {name: 1 for name in kind._fields_ if name != "application"}
    assert kind(**told, application=bytes(510)).produce().endswith(bytes(510))
    with pytest.raises(LocalProtocolError):
        kind(**told, application=octets).produce()


@pytest.mark.parametrize("kind", [connection.ForwardOpen, connection.LargeForwardOpen, connection.ForwardClose])
def test_the_longest_connection_path(kind: Any) -> None:
    """255 words, and not one more."""
    told = CLOSING if kind is connection.ForwardClose else OPENING
    code = next(one.code for one in SERVICES if one.request is kind)
    longest = Path.of([{"network": 0x43, "value": 1}] * 253 + [{"class": 2}, {"instance": 1}])
    request = Request(service=code, path=MANAGER, data=kind(**told, path=longest))
    octets = request.produce()
    assert same(Request.parse(octets), request) and same(stepped(Request, octets), request)
    with pytest.raises(LocalProtocolError):
        kind(**told, path=Path.of([{"network": 0x43, "value": 1}, *longest.as_plain()])).produce()


@pytest.mark.parametrize(
    ("cut", "path"),
    [
        ("54 02 20 06 24 01", "data.priority"),
        ("54 02 20 06 24 01 0A 05 00 00 00", "data.to_id"),
        ("54 02 20 06 24 01 0A 05 00 00 00 00 01 00 00 00 01 00 3D F3 45 43 50", "data.originator"),
        ("4E 02 20 06 24 01 0A 05 01 00 3D", "data.vendor"),
        ("4E 02 20 06 24 01 0A 05 01 00 3D F3 45 43 50 21 01 00 91", "data.path"),
        ("55 02 20 6B 24 00 02 00 01 00 02", "data.attribute"),
        ("4C 02 20 6C 24 01 00 00 00 00 64", "data.length"),
    ],
)
def test_the_field_at_which_octets_end_is_told(cut: str, path: str) -> None:
    """So that a client's author finds the mistake."""
    octets = bytes.fromhex(cut)
    error = refused(Request, octets)
    assert error.path.startswith(path), error
    assert error.offset is not None and 6 <= error.offset <= len(octets)


@pytest.mark.parametrize("code", [0x54, 0x5B, 0x4E])
def test_an_opening_is_one_at_the_connection_manager_alone(code: int) -> None:
    """Whatever instance; at other objects and for tags the code means what it means there, or nothing."""
    vector = next(one for one in VECTORS["connections"] if one.octets[0] == code)
    payload = vector.octets[6:]
    for octets in ("02 20 06 24 02", "01 20 06", "03 21 00 06 00 24 01", "04 20 06 24 01 30 01 28 00"):
        request = Request.parse(bytes([code]) + bytes.fromhex(octets) + payload)
        assert service_of(request) in connection.SERVICES and type(request.data) is service_of(request).request
    for octets in ("02 20 01 24 01", "02 91 01 41 00", "03 91 01 06 00 24 06", "00"):
        request = Request.parse(bytes([code]) + bytes.fromhex(octets) + payload)
        assert type(request.data) not in {one.request for one in connection.SERVICES}


def test_a_template_is_read_at_its_class_alone() -> None:
    """0x4C elsewhere is Read Tag: the two can be told by the path only."""
    payload = bytes.fromhex("000000006400")
    read = Request.parse(bytes.fromhex("4C 02 20 6C 24 01") + payload)
    assert read.data == browse.ReadTemplate(offset=0, length=100)
    for path in ("02 20 6B 24 6C", "02 91 01 6C 00", "02 20 02 24 01"):
        refused(Request, b"\x4c" + bytes.fromhex(path) + payload)
