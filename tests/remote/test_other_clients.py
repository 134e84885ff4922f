"""Clients of other makers against our servers: mbpoll (libmodbus), modbus-serial; and Wireshark's verdict on frames."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpppo.remote import pdu
from cpppo.remote.answering import answer
from cpppo.remote.cells import Device
from cpppo.remote.framing import rtu_frame, tcp_frame
from cpppo.remote.simulator import Simulator, simulator
from tests import pcap_oracle
from tests.peers.with_node import installed
from tests.remote.bus import Bus
from tests.tools import need

pytestmark = pytest.mark.peers

VALUES = ("40001=1,2,3", "1=1,0,1", "10001=0,1", "30001=7,8")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with simulator(*VALUES) as served:
        yield served


def mbpoll(*arguments: str) -> tuple[int, str]:
    """Exit status of `mbpoll`, and what it says of values and errors."""
    made = subprocess.run([need("mbpoll"), *arguments], capture_output=True, text=True, timeout=30)
    return made.returncode, made.stdout + made.stderr


def read(*arguments: str) -> list[int]:
    """The values that `mbpoll` reads, once."""
    status, said = mbpoll("-1", *arguments)
    assert status == 0, said
    return [int(value) for value in re.findall(r"^\[\d+\]:\s+(\d+)", said, re.MULTILINE)]


def over_all_tables(served: Simulator, *where: str) -> None:
    """Reads and writes every table by `mbpoll`."""
    assert read("-t", "4", "-r", "1", "-c", "3", *where) == [1, 2, 3]
    assert read("-t", "3", "-r", "1", "-c", "2", *where) == [7, 8]
    assert read("-t", "0", "-r", "1", "-c", "3", *where) == [1, 0, 1]
    assert read("-t", "1", "-r", "1", "-c", "2", *where) == [0, 1]
    for table, first, values in (("4", "1", ["9"]), ("4", "2", ["8", "65000"]), ("0", "1", ["0", "1"])):
        status, said = mbpoll("-t", table, "-r", first, *where, *values)
        assert status == 0, said
    assert served[40001:40004] == [9, 8, 65000] and served[1:4] == [0, 1, 1]
    status, said = mbpoll("-1", "-t", "4", "-r", "3", "-c", "2", *where)
    assert "Illegal data address" in said


def test_mbpoll_over_tcp(sim: Simulator) -> None:
    """libmodbus reads, writes and is refused, over Modbus/TCP."""
    over_all_tables(sim, "-p", str(sim.address[1]), sim.address[0])


@pytest.mark.parametrize("noise", [b"", b"\xff\0"])
def test_mbpoll_over_a_serial_line(noise: bytes) -> None:
    """And over a serial line: with noise before its requests, too."""

    class Noisy(Bus):
        def carry(self, octets: bytes) -> bytes:
            return noise + octets if octets[1:2] in (b"\1", b"\2", b"\3", b"\4") and len(octets) == 8 else octets

    with Noisy(2) as line, simulator(*VALUES, address=line.paths[0], units=[1], baudrate=19200) as served:
        over_all_tables(served, "-m", "rtu", "-b", "19200", "-P", "none", line.paths[1])


def test_modbus_serial(sim: Simulator) -> None:
    """A client in JavaScript reads, writes, masks, is refused, and learns who it talks to."""
    made = subprocess.run(
        [need("node", optional=True), str(Path(__file__).parent / "modbus_client.js"), str(sim.address[1])],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "NODE_PATH": str(installed())},
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout) == {
        "coils": [True, False, True],
        "inputs": [False, True],
        "registers": [1, 2, 3],
        "measured": [7, 8],
        "beyond": 2,
        "unwritable": 2,
        "identified": {"0": "cpppo", "1": "modbus_sim", "2": "1.0"},
    }
    assert sim[40001:40004] == [7, 8 & 0xFFF0 | 5, 65000] and sim[1:4] == [0, 1, 0]


REQUESTS = [
    pdu.request_read(pdu.READ_COILS, 0, 10),
    pdu.request_read(pdu.READ_DISCRETE_INPUTS, 1, 2),
    pdu.request_read(pdu.READ_HOLDING_REGISTERS, 0, 125),
    pdu.request_read(pdu.READ_INPUT_REGISTERS, 3, 1),
    pdu.request_write(pdu.WRITE_COIL, 3, [1]),
    pdu.request_write(pdu.WRITE_REGISTER, 4, [99]),
    pdu.request_write(pdu.WRITE_COILS, 0, [1, 0] * 5),
    pdu.request_write(pdu.WRITE_REGISTERS, 0, range(123)),
    bytes.fromhex("16 0000 00f2 0025"),
    bytes.fromhex("17 0000 0002 0001 0001 02 0007"),
    bytes.fromhex("2b 0e 01 00"),
    bytes.fromhex("11"),
    pdu.request_read(pdu.READ_HOLDING_REGISTERS, 60000, 1),
]


@pytest.mark.parametrize("protocol", ["mbtcp", "mbrtu"])
def test_wireshark_understands_our_frames(protocol: str) -> None:
    """Requests and replies of every function, an exception among them, are dissected without objection."""
    need("tshark")
    rtu, served = protocol == "mbrtu", Device(now=lambda: 0.0)
    for first in (1, 10001, 30001, 40001):
        served.define(first, [1] * 200)
    exchange = []
    requests = [request for request in REQUESTS if len(request) > 1 or not rtu]  # it takes one so short for none
    for number, request in enumerate(requests, 1):
        for way, octets in ((pcap_oracle.C2S, request), (pcap_oracle.S2C, answer(request, served))):
            exchange.append((way, rtu_frame(9, octets) if rtu else tcp_frame(number, 9, octets)))
    options = ("-o", "mbrtu.crc_verification:TRUE") if rtu else ()
    pdus = pcap_oracle.dissect(exchange, protocol=protocol, options=options)
    # of serial frames Wireshark 4.0 shows no more than the checksum where the function is not a read
    assert [str(one) for one in pdus.errors if not (rtu and one.kind == "uncovered")] == []
    assert len(pdus) == len(exchange)
    for number, found in enumerate(pdus):
        assert rtu or found.number("mbtcp.trans_id") == number // 2 + 1
        assert found.number(f"{protocol}.unit_id") == 9
        assert found.number("modbus.func_code") & 0x7F == requests[number // 2][0]
        assert not rtu or found.first("mbrtu.crc16.status", generated=True) == "1"
    assert pdus[-1].number("modbus.exception_code") == 2
