"""Requests as octets, and which replies answer them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.errors import LocalProtocolError, RemoteProtocolError
from cpppo.remote.pdu import ExceptionReply, reply_problem, reply_values, request_read, request_write


@pytest.mark.parametrize(
    ("octets", "built"),
    [
        ("01 0013 0013", request_read(1, 0x13, 0x13)),
        ("02 00c4 0016", request_read(2, 0xC4, 0x16)),
        ("03 006b 0003", request_read(3, 0x6B, 3)),
        ("04 0008 0001", request_read(4, 8, 1)),
        ("05 00ac ff00", request_write(5, 0xAC, [True])),
        ("05 00ac 0000", request_write(5, 0xAC, [0])),
        ("06 0001 0003", request_write(6, 1, [3])),
        ("0f 0013 000a 02 cd01", request_write(15, 0x13, [1, 0, 1, 1, 0, 0, 1, 1, 1, 0])),
        ("10 0001 0002 04 000a 0102", request_write(16, 1, [10, 0x102])),
    ],
)
def test_requests(octets: str, built: bytes) -> None:
    """The examples of the specification of the protocol, chapter 6."""
    assert built == bytes.fromhex(octets)


@pytest.mark.parametrize(
    ("function", "address", "count", "told"),
    [
        (3, 0, 0, "function 3 takes 1 to 125 at a time, not 0"),
        (3, 0, 126, "function 3 takes 1 to 125 at a time, not 126"),
        (1, 0, 2001, "function 1 takes 1 to 2000 at a time, not 2001"),
        (3, 65535, 2, "2 from protocol address 65535 go beyond 0 to 65535"),
        (3, -1, 1, "1 from protocol address -1 go beyond 0 to 65535"),
    ],
)
def test_reads_that_cannot_be(function: int, address: int, count: int, told: str) -> None:
    """Beyond the protocol's limits nothing is built."""
    with pytest.raises(LocalProtocolError, match=told):
        request_read(function, address, count)


@pytest.mark.parametrize(
    ("function", "values", "told"),
    [
        (6, [65536], "a register holds 0 to 65535, not 65536"),
        (16, [1, -2], "a register holds 0 to 65535, not -2; write 65534 for the signed -2"),
        (16, [1.5], "a register holds 0 to 65535, not 1.5"),
        (5, [2], "a coil is 0 or 1, not 2"),
        (15, [1, -1], "a coil is 0 or 1, not -1"),
        (16, [0] * 124, "function 16 takes 1 to 123 at a time, not 124"),
        (15, [0] * 1969, "function 15 takes 1 to 1968 at a time, not 1969"),
        (16, [], "function 16 takes 1 to 123 at a time, not 0"),
    ],
)
def test_writes_that_cannot_be(function: int, values: Sequence[float], told: str) -> None:
    """A value that the device could not hold is never sent as another."""
    with pytest.raises(LocalProtocolError, match=told):
        request_write(function, 0, values)  # type: ignore[arg-type]


READ = request_read(3, 0, 2)


@pytest.mark.parametrize(
    ("request_", "reply", "told"),
    [
        (READ, "", "an empty reply"),
        (READ, "04 04 0001 0002", "a reply to function 4, where 3 was asked"),
        (READ, "84 02", "a reply to function 4, where 3 was asked"),
        (READ, "83", "an exception of 1 octets instead of 2"),
        (READ, "83 02 00", "an exception of 3 octets instead of 2"),
        (READ, "03", "0 octets of data, where 4 were asked"),
        (READ, "03 02 0001", "2 octets of data, where 4 were asked"),
        (READ, "03 06 0001 0002 0003", "6 octets of data, where 4 were asked"),
        (READ, "03 04 0001 00", r"3 octets of data \(and says 4\), where 4 were asked"),
        (READ, "03 03 0001 0002", r"4 octets of data \(and says 3\), where 4 were asked"),
        (request_read(1, 0, 9), "01 01 ff", "1 octets of data, where 2 were asked"),
        (request_write(6, 1, [3]), "06 0001 0004", "00010004 confirmed, where 00010003 was written"),
        (request_write(16, 1, [3, 4]), "10 0001 0001", "00010001 confirmed, where 00010002 was written"),
        (request_write(5, 1, [1]), "05 0001", "0001 confirmed"),
    ],
)
def test_replies_that_answer_something_else(request_: bytes, reply: str, told: str) -> None:
    """Another function, another length, another confirmation: no answer, and it is said why."""
    with pytest.raises(RemoteProtocolError, match=told):
        reply_values(request_, bytes.fromhex(reply))


def test_exceptions_are_answers() -> None:
    """An exception reply is raised with both function codes and its name."""
    with pytest.raises(ExceptionReply) as caught:
        reply_values(request_write(6, 1, [3]), bytes.fromhex("86 02"))
    assert (caught.value.function, caught.value.code) == (6, 2)
    assert str(caught.value) == "Exception Response(134, 6, IllegalAddress)"
    assert "exception code 99" in str(ExceptionReply(3, 99))


def test_other_functions_are_judged_by_their_code_alone() -> None:
    """Of a function that is neither read nor write only the code can be told."""
    assert reply_problem(b"\x11", b"\x11\x03abc") == ""
    assert "where 17 was asked" in reply_problem(b"\x11", b"\x12")


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=125))
def test_registers(values: list[int]) -> None:
    """What a device sends is what is read."""
    octets = b"".join(value.to_bytes(2, "big") for value in values)
    assert reply_values(request_read(3, 0, len(values)), bytes((3, len(octets))) + octets) == values


@given(st.lists(st.booleans(), min_size=1, max_size=2000))
def test_bits(values: list[bool]) -> None:
    """Bits go low ones first, and the padding of the last octet is none of them."""
    size = (len(values) + 7) // 8
    packed = sum(bit << number for number, bit in enumerate(values)) | (1 << 8 * size) - (1 << len(values))
    assert reply_values(request_read(2, 0, len(values)), bytes((2, size)) + packed.to_bytes(size, "little")) == values
    assert (
        request_write(15, 0, values[:1968])[6:][: len(values) // 8]
        == packed.to_bytes(size, "little")[: len(values[:1968]) // 8]
    )


@given(st.binary(max_size=20))
def test_any_octets(octets: bytes) -> None:
    """Whatever comes is an answer, or it is said why it is none."""
    try:
        assert len(reply_values(READ, octets)) == 2
    except (ExceptionReply, RemoteProtocolError) as exc:
        assert str(exc)
