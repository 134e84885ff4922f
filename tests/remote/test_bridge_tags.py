"""Tags over a poller: reads give what was polled or 0x02, writes touch what they are about, refusals have a status."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from cpppo.errors import StatusError
from cpppo.remote.bridge_config import BridgeTag, parse_bridge
from cpppo.remote.bridge_tags import OnlineAttribute, attribute_for
from cpppo.remote.pdu import ExceptionReply
from cpppo.remote.plc import PlcOffline
from cpppo.server.enip import simulator
from cpppo.server.enip.client import connector, parse_operations
from cpppo.server.enip.device import Attribute

TAGS = """\
[devices.Boiler]
host = "unused"
online = "Boiler_Online"
[devices.Boiler.tags]
Level   = "REAL @ 40001 CDAB"
Step    = "INT @ 40003"
Counts  = "DINT[4] @ 40011"
Many    = "DINT[100] @ 40201"
Scaled  = { type = "REAL", address = 40005, raw = "INT", scale = 0.1 }
Wide    = { type = "DINT", address = 40006, raw = "INT" }
Small   = { type = "INT", address = 40007, raw = "UINT" }
Fixed   = { type = "INT", address = 40008, access = "read-only" }
Input   = "INT @ 30001"
Alarm   = "BOOL @ 40009.3"
Pump    = "BOOL @ 1"
Valves  = "BOOL[40] @ 101"
Flags   = "BOOL[20] @ 40021.0"
"""


class Fake:
    """A poller whose values and failures the test sets."""

    def __init__(self) -> None:
        self.held: dict[int, int] = {}
        self.wrote: list[tuple[int, Any]] = []
        self.online = True
        self.failure: Exception | None = None

    def __str__(self) -> str:
        return "Boiler"

    def values(self, addresses: Iterable[int]) -> list[Any]:
        return [self.held.get(one) if self.online else None for one in addresses]

    def write(self, address: int, value: Any) -> None:
        if self.failure is not None:
            raise self.failure
        self.wrote.append((address, value))


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def plc(fake: Fake) -> Iterator[Any]:
    (device,) = parse_bridge(TAGS.encode()).devices
    tags: list[Attribute] = [attribute_for(one, fake) for one in device.tags]
    with simulator(*tags, OnlineAttribute("Boiler_Online", fake)) as plc:
        yield plc


def _do(plc: Any, *operations: str) -> list[tuple[Any, Any]]:
    """(status, values) of operations of a client; status as (general, extended...) if it is not 0."""
    with connector(*plc.address, timeout=5.0) as connection:
        found = []
        for result in connection.synchronous(parse_operations(operations)):
            found.append((result.sts, result.val))
        return found


def _real(value: float) -> list[int]:
    high, low = struct.unpack(">2H", struct.pack(">f", value))
    return [high, low]


def test_reads_are_what_was_polled(plc: Any, fake: Fake) -> None:
    """Numbers of one and two registers, arrays, bits and scaled values read as their types say."""
    high, low = _real(12.5)
    fake.held = {40001: low, 40002: high, 40003: 0xFFFF, 40005: 403, 40006: 0x8000, 40009: 0b1000, 1: True, 30001: 7}
    fake.held |= dict(zip(range(40011, 40019), [0, 1, 0, 2, 0xFFFF, 0xFFFD, 0, 4], strict=True))
    assert _do(plc, "Level", "Step", "Counts[0-3]", "Counts[2]", "Scaled", "Wide", "Alarm", "Pump", "Input") == [
        (0, [12.5]),
        (0, [-1]),
        (0, [1, 2, -3, 4]),
        (0, [-3]),
        (0, [struct.unpack("<f", struct.pack("<f", 40.3))[0]]),
        (0, [-32768]),
        (0, [True]),
        (0, [True]),
        (0, [7]),
    ]


def test_what_is_not_known_is_unavailable(plc: Any, fake: Fake) -> None:
    """A tag any register of which is not known is 0x02; other tags, and other elements, go on."""
    fake.held = {40001: 0, 40003: 1, **dict.fromkeys(range(40011, 40018), 0)}
    assert _do(plc, "Level", "Step", "Counts[0-3]", "Counts[0-2]", "Boiler_Online") == [
        (2, None),
        (0, [1]),
        (2, None),
        (0, [0, 0, 0]),
        (0, [True]),
    ]
    fake.online = False
    assert _do(plc, "Step", "Counts[0]", "Boiler_Online") == [(2, None), (2, None), (0, [False])]
    assert _do(plc, "Pump", "Alarm", "Valves[0]", "Flags[0]") == [(2, None)] * 4  # and not False
    fake.online = True
    assert _do(plc, "Step") == [(0, [1])]


def test_writes_touch_what_they_are_about(plc: Any, fake: Fake) -> None:
    """A value of two registers is one request; elements of an array are written without the others."""
    high, low = _real(-2.0)
    assert (
        _do(
            plc,
            "Level=(REAL)-2.0",
            "Step=(INT)-2",
            "Counts[1-2]=(DINT)65536,-1",
            "Scaled=(REAL)-1.26",
            "Wide=(DINT)-5",
            "Pump=(BOOL)1",
        )
        == [(0, True)] * 6
    )
    assert fake.wrote == [
        (40001, [low, high]),
        (40003, 0xFFFE),
        (40013, [1, 0, 0xFFFF, 0xFFFF]),
        (40005, 0xFFF3),
        (40006, 0xFFFB),
        (1, 1),
    ]


def test_long_arrays_never_divide_a_value(plc: Any, fake: Fake) -> None:
    """What is too long for one request is written by several, each of whole values."""
    plc["Many"].value = list(range(100))
    assert [(address, len(value)) for address, value in fake.wrote] == [(40201, 122), (40323, 78)]
    assert [one for _, value in fake.wrote for one in value][1::2] == list(range(100))


def test_what_does_not_fit_is_refused(plc: Any, fake: Fake) -> None:
    """A value beyond the registers is 0x09, and nothing is written; so is one that the tag's type cannot show."""
    fake.held = {40007: 0xFFFF}
    assert _do(plc, "Wide=(DINT)40000", "Scaled=(REAL)3276.8", "Small=(INT)-1", "Small") == [
        (9, None),
        (9, None),
        (9, None),
        (9, None),
    ]
    assert fake.wrote == []


def test_read_only(plc: Any, fake: Fake) -> None:
    """Input registers, bits of registers, and tags said to be read-only cannot be written: 0x0F."""
    operations = ["Input=(INT)1", "Alarm=(BOOL)1", "Fixed=(INT)1", "Flags[0]=(DWORD)1", "Boiler_Online=(BOOL)1"]
    assert _do(plc, *operations) == [(0x0F, None)] * 5
    assert fake.wrote == []
    plc["Fixed"].value = 5  # a program may write what clients may not
    assert fake.wrote == [(40008, 5)]
    for name in ("Input", "Alarm", "Boiler_Online"):
        with pytest.raises(StatusError, match="0x0f"):
            plc[name].value = 1


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (PlcOffline("gone"), 0x02),
        (ExceptionReply(16, 1), (0x0F, 1)),
        (ExceptionReply(16, 2), (0x0F, 2)),
        (ExceptionReply(16, 3), (0x09, 3)),
        (ExceptionReply(16, 4), (0x02, 4)),
        (ExceptionReply(16, 6), (0x02, 6)),
        (ExceptionReply(16, 11), (0x02, 11)),
        (TimeoutError("late"), 0x02),
    ],
)
def test_refusals_of_the_device(plc: Any, fake: Fake, failure: Exception, status: Any) -> None:
    """A write that the device refuses has the exception code as extended status; 0x08 is never among them."""
    fake.failure = failure
    ((told, value),) = _do(plc, "Level=(REAL)1.0")
    code, *extended = status if isinstance(status, tuple) else (status,)
    assert value is None
    assert (told if isinstance(told, int) else (told[0], *told[1])) == (code if not extended else (code, *extended))


def test_no_part_of_a_value_is_written(plc: Any, fake: Fake) -> None:
    """A bit of a number, or a part of it, is 0x03: the rest is known from the last poll only."""
    fake.held = {40003: 0, **dict.fromkeys(range(40011, 40019), 0)}
    assert _do(plc, "Step.3=(BOOL)1") == [(3, None)]
    for write in (
        lambda: plc["Step"].attribute.write_octets(1, b"\1"),
        lambda: plc["Counts"].attribute.write_octets(0, b"\1" * 6),
    ):
        with pytest.raises(StatusError, match="0x03"):
            write()
    assert fake.wrote == []


def test_bits_of_an_array(plc: Any, fake: Fake) -> None:
    """An array of BOOL is kept in DWORDs; one bit is written to its coil alone, a DWORD to all of its coils."""
    fake.held = dict.fromkeys(range(101, 141), False) | {103: True, 134: True} | {40021: 0x8001, 40022: 0xFFFF}
    assert _do(plc, "Valves[0-1]", "Valves[1]", "Flags") == [(0, [4, 2]), (0, [2]), (0, [0xF8001])]
    assert _do(plc, "Valves[0].5=(BOOL)1", "Valves[1].0=(BOOL)0") == [(0, True)] * 2
    assert fake.wrote == [(106, 1), (133, 0)]
    fake.wrote.clear()
    assert _do(plc, "Valves[1]=(DWORD)129", "Valves[1]=(DWORD)256") == [(0, True), (9, None)]
    assert fake.wrote == [(133, [1, 0, 0, 0, 0, 0, 0, 1])]
    fake.wrote.clear()
    attribute = plc["Valves"].attribute
    assert attribute.modify_octets(0, bytes([0b101, 0, 0, 0]), bytes([0xFE, 0xFF, 0xFF, 0xFF])) == bytes([4, 0, 0, 0])
    assert fake.wrote == [(101, 0), (103, 1)]
    fake.held.clear()
    assert attribute.modify_octets(0, bytes([1, 0, 0, 0]), b"\xff" * 4) == bytes([1, 0, 0, 0])
    attribute[0:2] = [1, 0]
    attribute[1] = 0
    with pytest.raises(KeyError, match="1 values for 2 elements"):
        attribute[0:2] = [1]
    fake.held = dict.fromkeys(range(101, 141), True)
    assert attribute[1] == 0xFF


def test_keys_as_of_any_attribute(plc: Any, fake: Fake) -> None:
    """Elements that are not there, and values too few, are errors as with any Attribute; a lone key gives a value."""
    fake.held = dict.fromkeys(range(40011, 40019), 0) | {40003: 9}
    counts = plc["Counts"].attribute
    assert (counts[1], counts[1:3], plc["Step"].attribute[0]) == (0, [0, 0], 9)
    assert (len(counts), counts.scalar, plc["Step"].attribute.scalar) == (4, False, True)
    for wrong in (lambda: counts[4], lambda: counts.__setitem__(slice(0, 2), [1])):
        with pytest.raises(KeyError):
            wrong()
    counts[2] = 7
    assert fake.wrote == [(40015, [0, 7])]


def test_values_are_of_the_tags_type(fake: Fake) -> None:
    """What is written is what the tag's type holds: a REAL has 24 bits, wherever it is kept."""
    (device,) = parse_bridge(
        b'[devices.A]\nhost="a"\n[devices.A.tags]\nX={ type = "REAL", address = 40001, raw = "LREAL" }'
    ).devices
    tag: BridgeTag = device.tags[0]
    attribute_for(tag, fake)[0] = 0.1
    assert fake.wrote == [(40001, list(struct.unpack(">4H", struct.pack(">d", 0.10000000149011612))))]
