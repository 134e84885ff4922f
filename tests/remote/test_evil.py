"""Replies spoilt on purpose: what each mode does to the octets, on TCP and on serial lines."""

from __future__ import annotations

import random

import pytest

from cpppo.errors import UsageError
from cpppo.remote.evil import parse_evil
from cpppo.remote.framing import crc, rtu_frame, tcp_frame

REPLY = bytes.fromhex("03 04 0063 0064")
TCP, RTU = tcp_frame(0x1234, 9, REPLY), rtu_frame(9, REPLY)
SEEDS = range(50)


def spoilt(text: str, rtu: bool, octets: bytes, seed: int) -> tuple[bytes, float]:
    return parse_evil(text, rtu, random.Random(seed))(octets)


@pytest.mark.parametrize("octets", [TCP, RTU])
def test_truncate(octets: bytes) -> None:
    """The beginning of the reply is left, one octet at least, never all; it is not late."""
    made = [spoilt("truncate", octets is RTU, octets, seed) for seed in SEEDS]
    assert all(octets.startswith(left) and 0 < len(left) < len(octets) and not late for left, late in made)
    assert len({len(left) for left, _ in made}) > 5


@pytest.mark.parametrize(
    ("text", "low", "high"), [("delay", 5, 5), ("delay:1.5", 1.5, 1.5), ("delay:0.5-2", 0.5, 2), ("delay:.5", 0.5, 0.5)]
)
def test_delay(text: str, low: float, high: float) -> None:
    """The reply is whole, and late by the time that is said."""
    for seed in SEEDS:
        left, late = spoilt(text, False, TCP, seed)
        assert left == TCP and low <= late <= high


@pytest.mark.parametrize(
    ("what", "start", "stop"),
    [("transaction", 0, 2), ("protocol", 2, 4), ("unit", 6, 7), ("function", 7, 8), ("registers", 9, 13)],
)
def test_corrupt_on_tcp(what: str, start: int, stop: int) -> None:
    """What is named differs, and nothing else."""
    for seed in SEEDS:
        left, late = spoilt(f"corrupt:{what}", False, TCP, seed)
        assert left[:start] == TCP[:start] and left[stop:] == TCP[stop:] and left != TCP and not late


@pytest.mark.parametrize(("what", "start", "stop"), [("unit", 0, 1), ("function", 1, 2), ("registers", 3, 7)])
def test_corrupt_on_a_serial_line(what: str, start: int, stop: int) -> None:
    """What is named differs, and the checksum fits to it."""
    for seed in SEEDS:
        left, _ = spoilt(f"corrupt:{what}", True, RTU, seed)
        assert left[:start] == RTU[:start] and left[stop:-2] == RTU[stop:-2] and left[:-2] != RTU[:-2]
        assert crc(left[:-2]) == left[-2:]


def test_corrupt_the_checksum() -> None:
    """On a serial line the checksum alone can be wrong."""
    left, _ = spoilt("corrupt:checksum", True, RTU, 1)
    assert left[:-2] == RTU[:-2] and left != RTU


@pytest.mark.parametrize("rtu", [False, True])
def test_corrupt_anything(rtu: bool) -> None:
    """Without a name each is wrong in its turn; exceptions and confirmations, too."""
    for reply in (REPLY, b"\x83\x02", bytes.fromhex("06 0001 0063")):
        octets = rtu_frame(9, reply) if rtu else tcp_frame(1, 9, reply)
        made = {spoilt("corrupt", rtu, octets, seed)[0] for seed in SEEDS}
        assert len(made) > 4 and octets not in made and {len(one) for one in made} == {len(octets)}


def test_a_function_does_not_become_an_exception() -> None:
    """A corrupted function is another function, not a refusal."""
    assert all(spoilt("corrupt:function", False, TCP, seed)[0][7] < 0x80 for seed in SEEDS)


@pytest.mark.parametrize(
    ("text", "rtu", "told"),
    [
        ("slow", False, "write truncate, delay[:seconds[-seconds]] or corrupt[:transaction|"),
        ("truncate:1", False, "is not known"),
        ("delay:x", False, "'x' are no seconds; write delay, delay:1.5"),
        ("delay:", False, "'' are no seconds"),
        ("delay:2-1", False, "2 is more than 1; the least delay comes first"),
        ("corrupt:all", False, "write one of transaction, protocol, unit, function, registers"),
        ("corrupt:", False, "write one of"),
        ("corrupt:transaction", True, "there is no transaction on a serial line; there are unit, function, registers"),
        ("corrupt:checksum", False, "there is no checksum on Modbus/TCP; there are transaction"),
    ],
)
def test_unknown_evil(text: str, rtu: bool, told: str) -> None:
    """What is not known is told, with what there is."""
    with pytest.raises(UsageError) as caught:
        parse_evil(text, rtu, random.Random(0))
    assert told in str(caught.value)
