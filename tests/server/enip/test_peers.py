"""Other makers' programs and our simulator: who it says it is, and whole conversations before Wireshark's eyes."""

from __future__ import annotations

import struct
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from cpppo.server.enip.device import Device
from cpppo.server.enip.serve import serve
from cpppo.server.tcp import Server
from tests.pcap_oracle import C2S, S2C, Finding, check, dissect
from tests.server.enip.device.frames import (
    ADDRESS,
    CONTEXT,
    HANDLE,
    LIST_IDENTITY,
    LIST_INTERFACES,
    LIST_SERVICES,
    NOP,
    REGISTER,
    SEND_RR_DATA,
    SEND_UNIT_DATA,
    UNREGISTER,
    Simulator,
    device,
    frame,
    frames,
    item,
    modify,
    multiple,
    numbers,
    packet,
    read,
    read_fragmented,
    register,
    rr,
    symbol,
    unconnected,
    write,
    write_fragmented,
)
from tests.server.enip.device.test_strings import TAGS as TEXTS
from tests.server.enip.device.test_strings import fragment, string, written
from tests.server.enip.test_main import Client
from tests.tools import Server as Process
from tests.tools import need, need_module

pytestmark = pytest.mark.peers

TIMEOUT_S = 10.0
WORD = read(symbol("Word"))


@pytest.fixture
def server() -> Iterator[Server]:
    one = serve(device(), ("127.0.0.1", 0))
    thread = threading.Thread(target=one.serve)
    thread.start()
    yield one
    one.stop()
    thread.join(TIMEOUT_S)


# -- identity


def test_pycomm3_reads_our_identity(server: Server) -> None:
    """pycomm3's CIPDriver.list_identity understands our ListIdentity."""
    driver = need_module("pycomm3").CIPDriver
    found = driver.list_identity(f"127.0.0.1:{server.address[1]}")
    assert found["product_name"] == "1756-L61/B LOGIX5561"
    assert found["vendor"] == "Rockwell Automation/Allen-Bradley"
    assert found["product_type"] == "Programmable Logic Controller"
    assert (found["product_code"], found["revision"]) == (0x36, {"major": 20, "minor": 11})
    assert found["serial"].lower() == "006c061a"
    assert (found["status"], found["state"]) == (b"\x60\x30", 3)
    assert found["ip_address"] == "127.0.0.1"


def test_pycomm3_opens_a_session(server: Server) -> None:
    """pycomm3 registers, asks for the module's identity on a route, and closes."""
    need_module("pycomm3")
    from pycomm3 import CIPDriver, Services

    with CIPDriver(f"127.0.0.1:{server.address[1]}") as driver:
        assert driver.get_module_info(0)["product_name"] == "1756-L61/B LOGIX5561"
        got = driver.generic_message(
            service=Services.get_attribute_single,
            class_code=b"\x01",
            instance=1,
            attribute=7,
            connected=False,
            unconnected_send=True,
            route_path=True,
        )
        assert got.error is None and got.value == b"\x141756-L61/B LOGIX5561"


def test_nmap_reads_our_identity(server: Server) -> None:
    """nmap's enip-info script understands our ListIdentity."""
    nmap, port = need("nmap"), server.address[1]
    done = subprocess.run(
        [nmap, "-Pn", "-n", "--script", "+enip-info", "-p", str(port), "127.0.0.1"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = done.stdout
    for one in (
        "enip-info",
        "type: Programmable Logic Controller (14)",
        "vendor: Rockwell Automation/Allen-Bradley (1)",
        "productName: 1756-L61/B LOGIX5561",
        "serialNumber: 0x006c061a",
        "productCode: 54",
        "revision: 20.11",
        "deviceIp: 127.0.0.1",
    ):
        assert one in said, said


# -- conversations

GET_ALL, GET_LIST, GET_ONE = b"\x01", b"\x03", b"\x0e"
SET_ALL, SET_LIST, SET_ONE = b"\x02", b"\x04", b"\x10"

CONVERSATIONS: dict[str, list[bytes]] = {
    "encapsulation": [
        frame(NOP, b"nothing"),
        frame(LIST_SERVICES),
        frame(LIST_IDENTITY),
        frame(LIST_INTERFACES),
        frame(LIST_SERVICES, session=HANDLE),
        rr(WORD),
        rr(WORD, session=1),
        register(),
        register(2),
        frame(UNREGISTER, session=HANDLE),
    ],
    "read tag": [
        rr(WORD),
        rr(read(symbol("SCADA", 3), 10)),
        rr(read(symbol("SCADA", 300), 250)),
        rr(read(symbol("SCADA"), 1000)),
        rr(read(symbol("None"))),
        rr(read(symbol("SCADA", 1000))),
        rr(read(numbers(2, 1, 4))),
        rr(read(numbers(9, 1, 4))),
    ],
    "read tag fragmented": [
        *(rr(read_fragmented(symbol("SCADA"), 1000, at)) for at in (0, 500, 1000, 1500, 1999)),
        rr(read_fragmented(symbol("SCADA"), 1000, 2000)),
    ],
    "write tag": [
        rr(write(symbol("SCADA", 1), 0xC3, 2, b"\1\0\2\0")),
        rr(write(symbol("Level"), 0xCA, 1, struct.pack("<f", 2.5))),
        rr(write(symbol("SCADA"), 0xC4, 1, bytes(4))),
        rr(write(symbol("SCADA"), 0xC3, 1, b"")),
        rr(write(symbol("SCADA"), 0xC3, 1, bytes(4))),
    ],
    "write tag fragmented": [
        *(rr(write_fragmented(symbol("SCADA"), 0xC3, 1000, at, bytes(500))) for at in (0, 500, 1000, 1500)),
        rr(write_fragmented(symbol("SCADA"), 0xC3, 1000, 2000, bytes(2))),
    ],
    "read modify write": [
        rr(modify(symbol("Bits"), 4, b"\1\0\0\0", b"\xff" * 4)),
        rr(modify(symbol("Bits"), 2, b"\1\0", b"\xff" * 2)),
    ],
    "get attributes all": [rr(GET_ALL + numbers(1, 1)), rr(GET_ALL + numbers(1)), rr(GET_ALL + numbers(9, 1))],
    "get attribute single": [
        *(rr(GET_ONE + numbers(1, 1, at)) for at in range(1, 9)),
        rr(GET_ONE + numbers(1, 1, 99)),
        rr(GET_ONE + numbers(2, 1, 5)),
    ],
    "get attribute list": [
        rr(GET_LIST + numbers(1, 1) + struct.pack("<8H", 7, *range(1, 8))),
        rr(GET_LIST + numbers(1, 1) + struct.pack("<4H", 3, 1, 99, 2)),
    ],
    "set attribute single": [
        rr(SET_ONE + numbers(2, 1, 5) + bytes(12)),
        rr(SET_ONE + numbers(2, 1, 5) + bytes(11)),
        rr(SET_ONE + numbers(1, 1, 1) + b"\5\0"),
    ],
    "set attribute list": [
        rr(SET_LIST + numbers(2, 1) + bytes.fromhex("0200 0900 05000000 0700 00000040")),
        rr(SET_LIST + numbers(2, 1) + bytes.fromhex("0100 6300 0500")),
    ],
    "set attributes all": [rr(SET_ALL + numbers(1, 1) + bytes(8))],
    "unknown services": [rr(b"\x7f" + numbers(1, 1)), rr(b"\x05" + numbers(1, 1))],
    "multiple service packet": [
        rr(multiple(WORD, read(symbol("SCADA"), 20))),
        rr(multiple(WORD, write(symbol("Word"), 0xC3, 1, b"\7\0"), read(symbol("None")), GET_ALL + numbers(1, 1))),
        rr(multiple(*[read(symbol("SCADA"), 250)] * 9)),
        rr(multiple(*[read(symbol("SCADA", at)) for at in range(100)])),
    ],
    "unconnected send": [
        rr(unconnected(WORD)),
        rr(unconnected(WORD, bytes(2))),
        rr(unconnected(GET_ALL + numbers(1, 1))),
        rr(unconnected(read_fragmented(symbol("SCADA"), 10, 4))),
        rr(unconnected(write(symbol("SCADA"), 0xC3, 1, b"\1\0"))),
        rr(unconnected(multiple(WORD, WORD, read(symbol("None"))))),
        rr(unconnected(read(symbol("None")))),
        rr(unconnected(write(symbol("Small"), 0xC2, 1, b"\1"))),
    ],
    "strings": [
        rr(read(symbol("Name"))),
        rr(read(symbol("Names", 1), 2)),
        rr(read(symbol("Many"), 20)),
        rr(written(symbol("Name"), 1, string("unit 8"))),
        rr(written(symbol("Name"), 1, string("unit 8"), handle=0x0FCF)),
        rr(written(symbol("Name"), 1, string("unit 8")[:20])),
        rr(write(symbol("Name"), 0xC3, 1, b"\1\0")),
        rr(unconnected(written(symbol("Names", 2), 1, string("\xe9" * 82)))),
        rr(multiple(read(symbol("Name")), written(symbol("Names"), 1, string("d")), read(symbol("Names"), 3))),
    ],
    "fragments of strings": [
        *(rr(read_fragmented(symbol("Many"), 20, at)) for at in (0, 440, 880, 1320, 1750)),
        rr(read_fragmented(symbol("Many"), 20, 1760)),
        *(rr(fragment(symbol("Many"), 20, at, string("f") * 5)) for at in (0, 440, 880, 1320)),
        rr(fragment(symbol("Many"), 20, 1760, string("f"))),
    ],
    "short strings": [
        rr(read(symbol("Short"))),
        rr(read(symbol("Shorts"), 3)),
        rr(read(symbol("Long"), 5)),
        *(rr(read_fragmented(symbol("Long"), 5, at)) for at in (0, 402, 1005)),
        rr(write(symbol("Short"), 0xDA, 1, b"\2hi")),
        rr(write(symbol("Shorts", 1), 0xDA, 2, b"\0\4more")),
        rr(write(symbol("Short"), 0xDA, 1, b"\3hi")),
        rr(written(symbol("Short"), 1, string("hi"))),
        rr(write_fragmented(symbol("Shorts"), 0xDA, 3, 0, b"\1a\1b")),
        rr(unconnected(read(symbol("Shorts"), 3))),
        rr(multiple(read(symbol("Short")), write(symbol("Short"), 0xDA, 1, b"\1z"), read(symbol("Short")))),
    ],
    "strict": [
        rr(write(symbol("Wide"), 0xC4, 1, bytes(4))),
        rr(write(symbol("Wide"), 0xC3, 1, b"\1\0")),
        rr(write(symbol("Fine"), 0xCA, 1, bytes(4))),
        rr(write_fragmented(symbol("Wide"), 0xC3, 3, 0, bytes(4))),
        rr(unconnected(write(symbol("Wide"), 0xC2, 1, b"\1"))),
        rr(multiple(WORD, write(symbol("Wide"), 0xC3, 1, b"\1\0"))),
    ],
    "three items": [frame(SEND_RR_DATA, packet(item(0), item(0xB2, WORD), item(0x8000, bytes(16))), HANDLE)],
    "unit data nobody answers": [
        rr(WORD),
        frame(
            SEND_UNIT_DATA,
            packet(item(0xA1, b"\1\0\0\0"), item(0xB1, b"\1\0" + WORD), timeout=0),
            HANDLE,
            CONTEXT,
        ),
    ],
}


def texts() -> Device:
    return device(TEXTS)


def strict() -> Device:
    one = device()
    one.strict = True
    return one


#: The devices of conversations with others than the usual one.
DEVICES: dict[str, Callable[[], Device]] = {
    "strings": texts,
    "fragments of strings": texts,
    "short strings": texts,
    "strict": strict,
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversations_before_wireshark(name: str) -> None:
    """tshark finds nothing malformed, unexplained or out of place in a conversation of each service."""
    need("tshark")
    simulator = Simulator(DEVICES.get(name, device)())
    for at, one in enumerate(CONVERSATIONS[name]):
        octets = bytearray(one)
        octets[12:20] = b"%08d" % at  # requests and replies are paired by their context
        simulator.send(bytes(octets))
    pdus = dissect(simulator.spoken)
    assert len(pdus) >= len(CONVERSATIONS[name]) + 2
    assert [str(one) for one in pdus.errors if not _is_false(name, one)] == []


def _is_false(name: str, finding: Finding) -> bool:
    """Wireshark 4.0 shows only one of the two octets of the last status in a reply to Set Attribute List."""
    return name == "set attribute list" and finding[1:3] == ("S2C", "uncovered") and "1 of 5" in finding.text


def test_wireshark_reads_our_identity() -> None:
    """tshark reads each field of the identity as it is meant."""
    need("tshark")
    simulator = Simulator()
    simulator.send(frame(LIST_IDENTITY))
    pdu = check(simulator.spoken)[-1]
    assert pdu.first("enip.lir.name") == "1756-L61/B LOGIX5561"
    assert (pdu.first("enip.sinaddr"), pdu.number("enip.sinport")) == ("127.0.0.1", ADDRESS[1])
    numbers_ = [pdu.number(f"enip.lir.{one}") for one in ("vendor", "devtype", "prodcode", "status", "state")]
    assert numbers_ == [1, 14, 0x36, 0x3060, 3]


def test_wireshark_reads_our_services() -> None:
    """tshark names the service and its capability."""
    need("tshark")
    simulator = Simulator()
    simulator.send(frame(LIST_SERVICES))
    text = check(simulator.spoken)[-1].text()
    assert "Communications" in text


def test_options_before_wireshark() -> None:
    """The replies of a server with --delay, --strict and --size are what tshark reads, the refusals too."""
    need("tshark")
    asks = [read(symbol("Wide")), write(symbol("Wide"), 0xC2, 1, b"\1"), read(symbol("Name")), read(symbol("Short"))]
    too_large = read(symbol("Name", 0, 0, 0, 0))
    size = max(len(rr(ask)) for ask in asks) - 24
    options = ("--delay", "0.001-0.002", "--size", str(size), "--strict")
    tags = ("Wide=DINT", "Name=STRING='unit 7'", "Short=SSTRING='xyz'")
    with Process(*options, *tags) as server, Client(server) as client:
        spoken = [(C2S, register()), (S2C, frame(REGISTER, b"\1\0\0\0", client.handle))]
        sent = [rr(ask, client.handle, b"%08d" % at) for at, ask in enumerate([*asks, too_large])]
        client.sock.sendall(b"".join(sent))
        got = b""
        while more := client.sock.recv(65536):
            got += more
    for request, reply in zip(sent, frames(got), strict=True):
        octets = frame(reply.command, reply.payload, reply.session, reply.context, reply.status)
        spoken += [(C2S, request), (S2C, octets)]
    told = [pdu for pdu in check(spoken) if pdu.direction == S2C]
    assert [pdu.number("enip.status") for pdu in told] == [0, 0, 0, 0, 0, 0x65]
    (narrower,) = (pdu for pdu in told if pdu.first("cip.genstat") == "0xff")
    assert (narrower.number("cip.sc"), narrower.number("cip.addstat")) == (0x4D, 0x2107)
