"""Other makers' programs that discover our simulator over UDP, on the loopback alone; and Wireshark's eyes on it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.pcap_oracle import C2S, S2C, check
from tests.server.enip.device.frames import LIST_IDENTITY, frame
from tests.server.enip.test_discovery import ask, serving
from tests.server.enip.test_listing import LISTS, PYLOGIX
from tests.tools import need, need_module

pytestmark = pytest.mark.peers


class Aimed(socket.socket):
    """A socket that sends what is for everybody's port 44818 to a port of this host."""

    port = 0
    made: list[socket.socket]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.made.append(self)

    def sendto(self, data: Any, address: Any) -> int:  # type: ignore[override]
        assert address == ("255.255.255.255", 44818)
        return super().sendto(data, ("127.0.0.1", self.port))


@pytest.fixture
def aim(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, int], None]]:
    """Makes a module of another maker broadcast to a port of the loopback, and to nobody else."""
    made: list[socket.socket] = []

    def aim(module: str, port: int) -> None:
        names = ("AF_INET", "SOCK_DGRAM", "SOCK_STREAM", "SOL_SOCKET", "SO_BROADCAST", "gethostname")
        stand_in = SimpleNamespace(**{name: getattr(socket, name) for name in names})
        stand_in.socket = type("Aimed", (Aimed,), {"port": port, "made": made})
        stand_in.getaddrinfo = lambda *args: []  # so that they do not bind to an interface
        monkeypatch.setattr(sys.modules[module], "socket", stand_in)

    yield aim
    for one in made:  # they do not close all of them
        one.close()


def test_pycomm3_discovers_us(aim: Callable[[str, int], None]) -> None:
    """pycomm3's CIPDriver.discover finds the simulator and understands who it is."""
    need_module("pycomm3")
    from pycomm3 import CIPDriver

    with serving() as server:
        aim("pycomm3.cip_driver", server.address[1])
        (found,) = CIPDriver.discover()
        assert found["product_name"] == "1756-L61/B LOGIX5561"
        assert found["product_type"] == "Programmable Logic Controller"
        assert found["serial"].lower() == "006c061a"
        assert found["ip_address"] == "127.0.0.1"


def test_pylogix_discovers_us(aim: Callable[[str, int], None]) -> None:
    """pylogix's PLC().Discover finds the simulator and understands who it is."""
    need_module("pylogix")
    from pylogix import PLC

    with serving() as server:
        aim("pylogix.lgx_comm", server.address[1])
        with PLC() as plc:
            (found,) = plc.Discover().Value
        assert found.ProductName == "1756-L61/B LOGIX5561"
        assert (found.Vendor, found.IPAddress) == ("Rockwell Automation/Allen-Bradley", "127.0.0.1")
        assert (found.ProductCode, found.Revision) == (54, "20.11")


def test_octets_of_pylogix(aim: Callable[[str, int], None]) -> None:
    """The frame that our tests send is the one that pylogix does."""
    need_module("pylogix")
    from pylogix import PLC

    aim("pylogix.lgx_comm", 0)
    assert PLC().conn._build_list_identity() == PYLOGIX


def test_wireshark_reads_our_discovery() -> None:
    """tshark finds nothing malformed, unexplained or out of place in a conversation over UDP."""
    need("tshark")
    spoken: list[tuple[str, bytes]] = []
    with serving() as server:
        for at, command in enumerate((*LISTS, LIST_IDENTITY)):
            octets = frame(command, context=b"%08d" % at)
            spoken += [(C2S, octets), (S2C, ask(server.address, octets))]
        spoken += [(C2S, PYLOGIX), (S2C, ask(server.address, PYLOGIX))]
        pdus = check(spoken, transport="udp")
        assert [one.direction for one in pdus] == [C2S, S2C] * 5
        identity = pdus[-1]
        assert identity.first("enip.lir.name") == "1756-L61/B LOGIX5561"
        assert (identity.first("enip.sinaddr"), identity.number("enip.sinport")) == server.address
        assert "Communications" in pdus[1].text()
