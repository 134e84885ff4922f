"""Where messages begin and end: in any pieces, in noise, after damage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from cpppo.errors import RemoteProtocolError
from cpppo.remote.framing import RTU_LARGEST, Framed, TcpFrames, crc, find_rtu, rtu_frame, tcp_frame
from cpppo.remote.pymodbus_fixes import modbus_rtu_framer_collecting

MESSAGES = st.lists(st.builds(Framed, st.integers(0, 65535), st.integers(0, 255), st.binary(min_size=1, max_size=253)))
REPLIES = modbus_rtu_framer_collecting(DecodePDU(False))
REQUESTS = modbus_rtu_framer_collecting(DecodePDU(True), requests=True)


def pieces(octets: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({cut % (len(octets) + 1) for cut in cuts} | {len(octets)})
    return [octets[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(MESSAGES, st.lists(st.integers(0, 10_000)))
def test_tcp_in_any_pieces(messages: list[Framed], cuts: list[int]) -> None:
    """However a stream is cut, the same messages come out, and nothing is left."""
    frames = TcpFrames()
    octets = b"".join(tcp_frame(*message) for message in messages)
    assert [message for piece in pieces(octets, cuts) for message in frames.feed(piece)] == messages
    assert not frames.partial


@given(st.binary(max_size=40))
def test_tcp_of_any_octets(octets: bytes) -> None:
    """Whatever comes is messages, a part of one, or an error that names what is wrong."""
    try:
        for message in TcpFrames().feed(octets):
            assert 1 <= len(message.pdu) <= 253
    except RemoteProtocolError as exc:
        assert "Modbus/TCP header" in str(exc)


def test_crc_is_that_of_the_standard() -> None:
    """The example of the serial line's specification, chapter 6.2.2, and pymodbus' sums."""
    assert crc(b"\x02\x07") == b"\x41\x12"
    for number in range(256):
        octets = bytes(range(number))
        assert int.from_bytes(crc(octets), "big") == FramerRTU.compute_CRC(octets)


FRAMES = st.one_of(
    st.builds(lambda unit, n: rtu_frame(unit, bytes((3, 2 * len(n))) + b"".join(v.to_bytes(2, "big") for v in n)),
              st.integers(0, 255), st.lists(st.integers(0, 65535), min_size=1, max_size=125)),
    st.builds(lambda unit, f, code: rtu_frame(unit, bytes((f | 0x80, code))),
              st.integers(0, 255), st.integers(1, 24), st.integers(1, 11)),
    st.builds(lambda unit, rest: rtu_frame(unit, b"\x06" + rest), st.integers(0, 255),
              st.binary(min_size=4, max_size=4)),
)  # fmt: skip


def found(framer: modbus_rtu_framer_collecting, octets: bytes) -> list[bytes]:
    """All frames that a framer finds in octets, with unit and checksum."""
    frames = []
    while octets:
        used, unit, _, pdu = framer.decode(octets)
        if pdu:
            frames.append(rtu_frame(unit, pdu))
        else:
            break
        octets = octets[used:]
    return frames


@given(st.binary(max_size=30), FRAMES)
def test_a_frame_behind_noise(noise: bytes, frame: bytes) -> None:
    """It is found, and nothing else (but once in 65536 times, where noise has a right checksum by chance)."""
    assert found(REPLIES, noise + frame) == [frame]


@given(FRAMES, FRAMES, st.integers(0, 10_000), st.integers(1, 255))
def test_a_frame_behind_a_damaged_one(first: bytes, second: bytes, place: int, flipped: int) -> None:
    """What is damaged is left out; the good frame behind it is found."""
    at = place % len(first)
    damaged = first[:at] + bytes((first[at] ^ flipped,)) + first[at + 1 :]
    assert found(REPLIES, damaged + second) == [second]


@given(FRAMES)
def test_a_frame_that_is_not_complete(frame: bytes) -> None:
    """As long as octets are missing nothing is found, and nothing of it is thrown away."""
    for end in range(1, len(frame)):
        used, _, _, pdu = REPLIES.decode(frame[:end])
        if not pdu:  # a shorter frame may be right by chance
            assert used == 0


@given(st.binary(max_size=600))
def test_rtu_of_any_octets(octets: bytes) -> None:
    """Whatever comes, what is found has a right checksum, and what is kept could still become a frame."""
    for framer in (REPLIES, REQUESTS):
        result = find_rtu(octets, framer.size_of, None, framer.requests)
        assert 0 <= result.used <= len(octets)
        if result.frame:
            assert crc(result.frame[:-2]) == result.frame[-2:]
            assert result.frame == octets[result.used - len(result.frame) : result.used]
        else:
            assert len(octets) - result.used < RTU_LARGEST


@pytest.mark.parametrize(
    ("noise", "what"),
    [
        ("01 03 f0", "the beginning of a long reply"),
        ("ff", "an octet"),
        ("00 00 00 00", "zeros"),
        ("01 83", "an exception"),
    ],
)
def test_what_pymodbus_loses(noise: str, what: str) -> None:
    """Each of these costs pymodbus 3.16 the frame behind it, and us nothing."""
    frame = rtu_frame(1, bytes.fromhex("03 04 0007 0008"))
    octets = bytes.fromhex(noise) + frame
    assert FramerRTU(DecodePDU(False)).decode(octets)[3] == b"", f"pymodbus finds it behind {what}: say so in the docs"
    assert found(REPLIES, octets) == [frame]


def test_frames_of_other_units() -> None:
    """Asked for some units alone, a framer sees no others."""
    ours, others = (rtu_frame(unit, bytes.fromhex("03 0000 0001")) for unit in (1, 2))
    framer = modbus_rtu_framer_collecting(DecodePDU(True), {1}, requests=True)
    assert found(framer, others + ours + others) == [ours]


def test_a_request_is_no_exception() -> None:
    """Among requests, what looks like an exception reply of a neighbour is none of ours."""
    exception, request = rtu_frame(1, b"\x83\x02"), rtu_frame(1, bytes.fromhex("03 0000 0001"))
    assert found(REQUESTS, exception + request) == [request]
    assert found(REPLIES, exception) == [exception]
