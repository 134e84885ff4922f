"""The harness fails when the controller lies: in a value, in a list, or in what only Wireshark looks at."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from tests.pcap_oracle import S2C, OracleError
from tests.peers import plants
from tests.peers.conftest import Talk, talking
from tests.peers.test_controller import test_opens as opens
from tests.peers.test_controller import test_tag_list as tag_list
from tests.peers.wiretap import Lie
from tests.peers.with_pycomm3 import Pycomm3
from tests.peers.with_pylogix import Pylogix

pytestmark = pytest.mark.peers

PROFILE = "1756-L83E"

#: How a reply to Forward Close begins, 40 octets from the start of its frame.
_FORWARD_CLOSED = b"\xce\0\0\0"


def _other_value(octets: bytes) -> bytes:
    return octets.replace(struct.pack("<HH", 0xC3, 4711), struct.pack("<HH", 0xC3, 4712))


def _other_type(octets: bytes) -> bytes:
    """Row, an array of DINT, becomes one of REAL in the list."""
    return octets.replace(b"\x03\0Row\xc4\x20", b"\x03\0Row\xca\x20")


def _other_length(octets: bytes) -> bytes:
    """The reply to Forward Close, which no client reads, says that it is longer than it is."""
    if octets[40:44] != _FORWARD_CLOSED:
        return octets
    return octets[:38] + struct.pack("<H", len(octets) - 40 + 2) + octets[40:]


def _other_service(octets: bytes) -> bytes:
    """It is the reply to another service."""
    return octets.replace(_FORWARD_CLOSED, b"\xd4\0\0\0") if octets[40:44] == _FORWARD_CLOSED else octets


def _other_item(octets: bytes) -> bytes:
    """Its data is in an item of a type that there is not."""
    return octets[:36] + b"\x99\0" + octets[38:] if octets[40:44] == _FORWARD_CLOSED else octets


@pytest.mark.parametrize(("lie", "test"), [(_other_value, opens), (_other_type, tag_list)], ids=["value", "type"])
@pytest.mark.parametrize("client", [Pycomm3.name, Pylogix.name])
def test_lies_to_the_client_are_noticed(client: str, lie: Lie, test: Callable[[Talk], None]) -> None:
    """A test of what a client reads passes with the controller, and fails where the controller's answer is changed."""
    with talking(client, PROFILE, plants.everything(PROFILE)) as honest:
        test(honest)
    with talking(client, PROFILE, plants.everything(PROFILE), lie) as liar, pytest.raises(AssertionError):
        test(liar)


@pytest.mark.parametrize(
    ("lie", "kind"), [(_other_length, "malformed"), (_other_service, "unpaired"), (_other_item, "structure")]
)
def test_lies_before_wireshark_are_noticed(lie: Lie, kind: str) -> None:
    """A reply that is malformed, out of place or unknown fails the conversation, though the client is content."""
    with pytest.raises(OracleError) as caught:
        with talking(Pycomm3.name, PROFILE, plants.everything(PROFILE), lie) as liar:
            opens(liar)
    assert (S2C, kind) in [(one.direction, one.kind) for one in caught.value.findings]
