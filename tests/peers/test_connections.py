"""Other makers' clients on connections large, small and none, with controllers of no tag, one, many and very many."""

from __future__ import annotations

import pytest

from tests.pcap_oracle import S2C, Dissection
from tests.peers import plants
from tests.peers.conformance import CLIENTS
from tests.peers.conftest import Talk, recorded
from tests.peers.peer import Refused
from tests.peers.plants import MICRO, PROFILES
from tests.peers.wiretap import Conversation, Wiretap, judge
from tests.peers.with_node import Node
from tests.peers.with_pycomm3 import Pycomm3
from tests.peers.with_pylogix import Pylogix
from tests.tools import need_module

pytestmark = pytest.mark.peers

COUNTS = (0, 1, 200, 3000)
#: Profiles with which a client browses controllers of every count of tags; with the others it is this one.
THOROUGH = {Pycomm3.name: PROFILES[:2], Pylogix.name: PROFILES[:2], Node.name: PROFILES[1:2]}
ANY_COUNT = 200

_LARGE_OPEN, _OPEN = "0x5b", "0x54"
_DONE, _REFUSED = "0x00", "0x08"


def _cases(capability: str) -> list[tuple[str, str]]:
    return [(one.peer, one.way) for one in CLIENTS.cells() if one.capability == capability]


#: (service, status) of each reply to Forward Open, large or not.
Opens = list[tuple[str | None, str | None]]


def _opens(pdus: Dissection) -> Opens:
    """How a client opened connections, as Wireshark saw it."""
    replies = [pdu for pdu in pdus if pdu.direction == S2C and pdu.first("cip.sc") in (_LARGE_OPEN, _OPEN)]
    return [(pdu.first("cip.sc"), pdu.first("cip.genstat")) for pdu in replies]


def _browsed(client: str, profile: str, large: bool) -> list[Opens]:
    """Have a client browse controllers of each count of tags; how it opened its connection to each."""
    conversations: list[Conversation] = []
    for count in COUNTS if profile in THOROUGH[client] else (ANY_COUNT,):
        plant = plants.numbered(profile, count)
        plant.device.manager.large = large
        with recorded(client, profile, plant) as talk:
            _browse(talk, count)
        assert len(plant.device.manager.connections) == 0
        conversations += talk.tap.conversations
    return [_opens(pdus) for pdus in judge(conversations)]


def _browse(talk: Talk, count: int) -> None:
    """List all tags, read and write some of them, and one that is not there."""
    found = talk.peer.tags()
    assert sorted(found) == sorted(talk.plant)
    arrays = [name for name, one in found.items() if one.dimensions]
    assert sorted(arrays) == sorted(name for name in talk.plant if int(name[4:]) % 10 == 5)
    for at in {0, count // 2, count - 1} if count else ():
        name = f"Tag_{at}"
        assert (name, talk.peer.read(f"{name}[0]" if name in arrays else name)) == (name, at)
    if count:
        talk.peer.write("Tag_0", -5)
        assert talk.plant["Tag_0"].value == -5
    with pytest.raises(Refused):
        talk.peer.read(f"Tag_{count}")


@pytest.mark.capability("connected, large")
@pytest.mark.parametrize(("client", "profile"), _cases("connected, large"))
def test_large(client: str, profile: str) -> None:
    """Where Large Forward Open is granted, clients that ask for it browse, read and write on it."""
    for opens in _browsed(client, profile, large=True):
        assert opens == [(_LARGE_OPEN, _DONE)]


@pytest.mark.capability("connected, small")
@pytest.mark.parametrize(("client", "profile"), _cases("connected, small"))
def test_small(client: str, profile: str) -> None:
    """Where it is refused, they do so on a connection of 500 octets, which takes more pages."""
    asked = [] if client == Node.name else [(_LARGE_OPEN, _REFUSED)]
    for opens in _browsed(client, profile, large=False):
        assert opens == [*asked, (_OPEN, _DONE)]


@pytest.mark.capability("unconnected")
@pytest.mark.parametrize(("client", "profile"), _cases("unconnected"))
def test_unconnected(client: str, profile: str) -> None:
    """Without any connection, a client reads a tag, by all the means that it has."""
    with plants.everything(profile) as plant, Wiretap(plant.address) as tap:
        plant["One_INT"].value = 4711
        _UNCONNECTED[client](Talk(None, plant, tap), profile)
    assert [one for pdus in judge(tap.conversations) for one in _opens(pdus)] == []


#: Read Tag, of one element; and the type and the octets of what is read.
READ, ONE, INT_4711 = 0x4C, b"\x01\x00", b"\xc3\x00" + (4711).to_bytes(2, "little")
SYMBOL = 0x6B


def _pycomm3(talk: Talk, profile: str) -> None:
    driver = need_module("pycomm3").CIPDriver
    number = list(talk.plant).index("One_INT") + 1  # in the order that they were added
    path = "{}:{}".format(*talk.tap.address)
    routed = profile != MICRO
    with driver(path) as one:
        if routed:
            assert one.get_module_info(0)["product_name"] == talk.plant.device.identity.data.product_name
        got = one.generic_message(
            service=READ,
            class_code=SYMBOL,
            instance=number,
            request_data=ONE,
            connected=False,
            unconnected_send=routed,
            route_path=routed,
        )
    assert (got.error, got.value) == (None, INT_4711)


def _pylogix(talk: Talk, profile: str) -> None:
    number = list(talk.plant).index("One_INT") + 1
    peer = Pylogix(talk.tap.address, profile == MICRO)
    try:
        got = peer.plc.Message(READ, SYMBOL, number, data=ONE)
        assert got.Status == "Success" and got.Value.endswith(INT_4711)
        assert peer.identity().name == talk.plant.device.identity.data.product_name
        if profile != MICRO:
            assert peer.plc.GetModuleProperties(0).Value.ProductName == peer.identity().name
    finally:
        peer.close()


def _node(talk: Talk, profile: str) -> None:
    peer = Node(talk.tap.address, profile == MICRO, connected=False)
    try:
        assert peer.read("One_INT") == 4711
        assert sorted(peer.tags()) == sorted(talk.plant)
        peer.write("Large", [7] * plants.LARGE)
        assert talk.plant["Large"][:] == peer.read("Large", plants.LARGE) == [7] * plants.LARGE
    finally:
        peer.close()


_UNCONNECTED = {Pycomm3.name: _pycomm3, Pylogix.name: _pylogix, Node.name: _node}
