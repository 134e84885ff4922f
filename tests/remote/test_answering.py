"""Requests as octets, and what a device answers: values, echoes, and which exception for which mistake."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.remote import pdu
from cpppo.remote.answering import answer
from cpppo.remote.cells import Device, Refused


def device() -> Device:
    made = Device(now=lambda: 0.0)
    made.define(1, [1, 0, 1, 1, 0, 0, 0, 0, 1, 1])
    made.define(10001, [0, 1])
    made.define(30001, [7, 8])
    made.define(40001, range(1000, 1200))
    made.define(465536, [65535])
    return made


ANSWERS = {
    "coils": ("01 0000 000a", "01 02 0d 03"),
    "one coil": ("01 0002 0001", "01 01 01"),
    "discrete inputs": ("02 0000 0002", "02 01 02"),
    "holding registers": ("03 0000 0002", "03 04 03e8 03e9"),
    "the very last register": ("03 ffff 0001", "03 02 ffff"),
    "input registers": ("04 0001 0001", "04 02 0008"),
    "write coil on": ("05 0001 ff00", "05 0001 ff00"),
    "write coil off": ("05 0000 0000", "05 0000 0000"),
    "write register": ("06 0001 0063", "06 0001 0063"),
    "write coils": ("0f 0000 000a 02 ff 01", "0f 0000 000a"),
    "write registers": ("10 0000 0002 04 0001 0002", "10 0000 0002"),
    "mask register": ("16 0000 00f2 0025", "16 0000 00f2 0025"),
    "write, then read": ("17 0000 0002 0001 0001 02 0007", "17 04 03e8 0007"),
    "echo": ("08 0000 a537", "08 0000 a537"),
    "report": ("11", "11 0b" + b"modbus_sim".hex() + "ff"),
    "identification, basic": (
        "2b 0e 01 00",
        "2b 0e 01 82 00 00 03 00 05" + b"cpppo".hex() + "01 0a" + b"modbus_sim".hex() + "02 03" + b"1.0".hex(),
    ),
    "identification, one object": ("2b 0e 04 02", "2b 0e 04 82 00 00 01 02 03" + b"1.0".hex()),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(name: str) -> None:
    """Every function that is served gives the octets that the specification shows."""
    request, reply = (bytes.fromhex(text) for text in ANSWERS[name])
    assert answer(request, device()).hex(" ") == reply.hex(" ")


REFUSALS = {
    "unknown function": ("63 0000 0001", 1),
    "function 0": ("00", 1),
    "a function that looks like an exception": ("83 02", 1),
    "another diagnosis": ("08 0001 0000", 1),
    "another encapsulated interface": ("2b 0d 01 00", 1),
    "coils beyond what is there": ("01 0000 000b", 2),
    "an empty table": ("02 0000 0001", 2),
    "registers beyond what is there": ("03 00c7 0002", 2),
    "a gap": ("03 1000 0001", 2),
    "beyond 65536": ("03 ffff 0002", 2),
    "bits beyond 65536": ("01 ffff 0002", 2),
    "write a coil that is not there": ("05 0100 ff00", 2),
    "write a register that is not there": ("06 1000 0001", 2),
    "write coils, one not there": ("0f 0009 0002 01 03", 2),
    "write registers, one not there": ("10 00c7 0002 04 0001 0002", 2),
    "write registers beyond 65536": ("10 ffff 0002 04 0001 0002", 2),
    "mask a register that is not there": ("16 1000 0000 0000", 2),
    "write and read, the read not there": ("17 1000 0001 0000 0001 02 0007", 2),
    "write and read, the write not there": ("17 0000 0001 1000 0001 02 0007", 2),
    "identification, no such object": ("2b 0e 04 07", 2),
    "no coils": ("01 0000 0000", 3),
    "2001 coils": ("01 0000 07d1", 3),
    "2001 discrete inputs": ("02 0000 07d1", 3),
    "no registers": ("03 0000 0000", 3),
    "126 registers": ("03 0000 007e", 3),
    "126 input registers": ("04 0000 007e", 3),
    "the quantity is wrong and the address, too": ("03 ffff 007e", 3),
    "a coil of 1": ("05 0000 0001", 3),
    "a coil of ff01": ("05 0000 ff01", 3),
    "write no coils": ("0f 0000 0000 00", 3),
    "coils, wrong count of octets": ("0f 0000 000a 01 ff", 3),
    "coils, more octets than counted": ("0f 0000 000a 02 ff 01 00", 3),
    "1969 coils": ("0f 0000 07b1 f7" + "00" * 247, 3),
    "write no registers": ("10 0000 0000 00", 3),
    "registers, wrong count of octets": ("10 0000 0002 02 0001", 3),
    "registers, fewer octets than counted": ("10 0000 0002 04 0001", 3),
    "124 registers": ("10 0000 007c f8" + "0000" * 124, 3),
    "write and read 126": ("17 0000 007e 0000 0001 02 0007", 3),
    "write 122 and read": ("17 0000 0001 0000 007a f4" + "0000" * 122, 3),
    "write and read, wrong count of octets": ("17 0000 0001 0000 0001 04 0007", 3),
    "write nothing and read": ("17 0000 0001 0000 0000 00", 3),
    "a read too short": ("03 0000 00", 3),
    "a read too long": ("03 0000 0001 00", 3),
    "a bit read too long": ("01 0000 0001 00", 3),
    "a coil too short": ("05 0000 ff", 3),
    "a register too short": ("06 0000", 3),
    "coils without count": ("0f 0000 00", 3),
    "registers without count": ("10 0000 00", 3),
    "a mask too short": ("16 0000 0000", 3),
    "write and read, too short": ("17 0000 0001", 3),
    "an echo of nothing": ("08 0000", 3),
    "a report with data": ("11 00", 3),
    "identification of no kind": ("2b 0e 05 00", 3),
    "identification too short": ("2b 0e 01", 3),
    "encapsulation of nothing": ("2b", 3),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name: str) -> None:
    """Each mistake has its exception, and a refused request changes nothing."""
    text, code = REFUSALS[name]
    request, served = bytes.fromhex(text), device()
    if name == "an empty table":
        served = Device()
    before = [table.items() for table in served.tables]
    assert answer(request, served) == bytes((request[0] | 0x80, code))
    assert [table.items() for table in served.tables] == before


@pytest.mark.parametrize(("function", "most"), [(1, 2000), (2, 2000), (3, 125), (4, 125)])
def test_the_most_that_can_be_read(function: int, most: int) -> None:
    """As much as the specification allows is read in one request."""
    served = Device()
    for first in (1, 10001, 30001, 40001):
        served.define(first, [1] * most)
    request = pdu.request_read(function, 0, most)
    assert [int(one) for one in pdu.reply_values(request, answer(request, served))] == [1] * most


@pytest.mark.parametrize(("function", "most"), [(15, 1968), (16, 123)])
def test_the_most_that_can_be_written(function: int, most: int) -> None:
    """As much as the specification allows is written in one request."""
    served = Device()
    served.define(1, [0] * most)
    served.define(40001, [0] * most)
    assert answer(pdu.request_write(function, 0, [1] * most), served)[0] == function
    assert served.tables[0 if function == 15 else 3].read(0, most) == [1] * most


def test_writes_are_read_back() -> None:
    """What is written by each function is there afterwards."""
    served = device()
    for request in ("05 0001 ff00", "06 0001 0063", "10 0002 0002 04 0001 0002", "16 0000 00f2 0025"):
        answer(bytes.fromhex(request), served)
    assert served[40001:40005] == [1000 & 0xF2 | 0x25 & ~0xF2 & 0xFFFF, 0x63, 1, 2]
    assert served[2] == 1
    answer(bytes.fromhex("0f 0000 000a 02 aa 02"), served)
    assert served[1:11] == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]


def test_a_long_identification_goes_on() -> None:
    """What does not fit into a reply is asked for by the object to go on with."""
    served = Device(identity=["a" * 200, "b" * 200, "c"])
    first = answer(bytes.fromhex("2b0e0100"), served)
    assert len(first) <= 253 and first[4:7] == b"\xff\x01\x01"
    rest = answer(bytes((0x2B, 14, 1, first[5])), served)
    assert rest[4:7] == b"\0\0\2" and rest.endswith(b"\2\1c")


def test_the_users_functions_see_accesses() -> None:
    """on_read and on_write are called with the address and values; what they give counts."""
    served, seen = device(), []
    served.on_read = lambda address, values: seen.append(("read", address, values)) or [5] * len(values)  # type: ignore[func-returns-value]
    served.on_write = lambda address, values: seen.append(("write", address, values))
    assert answer(bytes.fromhex("03 0001 0002"), served).hex() == "030400050005"
    answer(bytes.fromhex("05 0000 0000"), served)
    answer(bytes.fromhex("03 ffff 0001"), served)
    assert seen == [("read", 40002, [1001, 1002]), ("write", 1, [0]), ("read", 465536, [65535])]
    assert served[1] == 0


def test_the_users_functions_may_refuse(caplog: pytest.LogCaptureFixture) -> None:
    """A Refused has its code; anything else that fails is logged, and answered as a failure of the device (4)."""
    served = device()

    def busy(address: int, values: list[int]) -> None:
        raise Refused(6)

    served.on_read = busy
    assert answer(bytes.fromhex("03 0001 0002"), served) == b"\x83\x06"
    assert not caplog.records
    for wrong in (lambda *_: 1 / 0, lambda *_: [1, 2, 3], lambda *_: [-1], lambda *_: [65536], lambda *_: ["x"]):
        served.on_write = wrong  # type: ignore[assignment]
        assert answer(bytes.fromhex("06 0001 0002"), served) == b"\x86\x04"
        assert "40002" in caplog.text
        caplog.clear()
    assert served[40002] == 1001
    served.on_write = None
    assert answer(bytes.fromhex("06 9001 0002"), served) == b"\x86\x02"


@given(st.binary(min_size=1, max_size=260))
def test_whatever_is_asked_is_answered(request: bytes) -> None:
    """Any octets have an answer: of the same function, or an exception with a code that exists; never too long."""
    reply = answer(request, SERVED)
    assert len(reply) <= 253 or reply == request
    assert reply[0] == request[0] or (reply[0] == request[0] | 0x80 and reply[1] in pdu.EXCEPTIONS)


@given(st.sampled_from([1, 2, 3, 4, 5, 6, 15, 16, 22, 23]), st.integers(0, 0xFFFF), st.integers(0, 2100), st.binary())
def test_whatever_is_asked_with_a_beginning_that_is_right(function: int, at: int, count: int, rest: bytes) -> None:
    """So do octets that begin as requests do."""
    reply = answer(struct.pack(">BHH", function, at, count) + rest, SERVED)
    assert reply[0] == function or reply[:2] in (bytes((function | 0x80, 2)), bytes((function | 0x80, 3)))


SERVED = device()
