"""Modbus protocol data units as octets: what a client asks, and whether what came back answers it.

Owns: function and exception codes, the limits of a request, building read and write requests, judging and taking
apart their replies.  Rule: a reply is believed only if it answers the very request.  Must not know: frames, units,
transports, pymodbus.  Source: MODBUS application protocol specification 1.1b3, chapters 4 to 7.

A data unit is the function code and what follows it: no unit, no transaction, no checksum.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from cpppo.errors import Error, LocalProtocolError, RemoteProtocolError

__all__ = [
    "EXCEPTIONS",
    "READ_COILS",
    "READ_DISCRETE_INPUTS",
    "READ_HOLDING_REGISTERS",
    "READ_INPUT_REGISTERS",
    "READ_LIMIT",
    "WRITE_COIL",
    "WRITE_COILS",
    "WRITE_LIMIT",
    "WRITE_REGISTER",
    "WRITE_REGISTERS",
    "ExceptionReply",
    "reply_problem",
    "reply_values",
    "request_read",
    "request_write",
]

READ_COILS, READ_DISCRETE_INPUTS, READ_HOLDING_REGISTERS, READ_INPUT_REGISTERS = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16

_BITS = frozenset({READ_COILS, READ_DISCRETE_INPUTS, WRITE_COIL, WRITE_COILS})
_READS = frozenset({READ_COILS, READ_DISCRETE_INPUTS, READ_HOLDING_REGISTERS, READ_INPUT_REGISTERS})
_WRITES = frozenset({WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS})

#: The most of one request, by whether it is about bits.
READ_LIMIT = {True: 2000, False: 125}
WRITE_LIMIT = {True: 1968, False: 123}

#: The exception codes of chapter 7, under the names that logs of Modbus tools show.
EXCEPTIONS = {
    1: "IllegalFunction",
    2: "IllegalAddress",
    3: "IllegalValue",
    4: "SlaveFailure",
    5: "Acknowledge",
    6: "SlaveBusy",
    8: "MemoryParityError",
    10: "GatewayPathUnavailable",
    11: "GatewayNoResponse",
}


class ExceptionReply(Error):
    """The device understood the request and refused it.

    ``function`` is the function code of the request, ``code`` the exception code (EXCEPTIONS has their names);
    ``more`` is told after these.
    """

    def __init__(self, function: int, code: int, more: str = "") -> None:
        name = EXCEPTIONS.get(code, f"exception code {code}")
        super().__init__(f"Exception Response({function | 0x80}, {function}, {name}){more}")
        self.function = function
        self.code = code


def request_read(function: int, address: int, count: int) -> bytes:
    """A read of `count` bits or registers from protocol address `address` (0 to 65535)."""
    _fits(function, address, count, READ_LIMIT)
    return struct.pack(">BHH", function, address, count)


def request_write(function: int, address: int, values: Sequence[int]) -> bytes:
    """A write of bits (0, 1, False, True) or of registers (0 to 65535): the single functions take one value."""
    bits = function in _BITS
    for value in values:
        if not 0 <= int(value) <= (1 if bits else 0xFFFF) or int(value) != value:
            raise LocalProtocolError(_unfit(value, bits))
    if function in (WRITE_COIL, WRITE_REGISTER):
        (value,) = values
        _fits(function, address, 1, WRITE_LIMIT)
        return struct.pack(">BHH", function, address, (0xFF00 if value else 0) if bits else int(value))
    _fits(function, address, len(values), WRITE_LIMIT)
    if bits:
        packed = sum(1 << number for number, value in enumerate(values) if value)
        octets = packed.to_bytes((len(values) + 7) // 8, "little")
    else:
        octets = struct.pack(f">{len(values)}H", *map(int, values))
    return struct.pack(">BHHB", function, address, len(values), len(octets)) + octets


def _fits(function: int, address: int, count: int, limits: dict[bool, int]) -> None:
    most = limits[function in _BITS]
    if not 1 <= count <= most:
        raise LocalProtocolError(f"function {function} takes 1 to {most} at a time, not {count}")
    if not 0 <= address <= 0x10000 - count:
        raise LocalProtocolError(f"{count} from protocol address {address} go beyond 0 to 65535")


def _unfit(value: object, bits: bool) -> str:
    if bits:
        return f"a coil is 0 or 1, not {value}"
    negative = isinstance(value, int) and -0x8000 <= value < 0
    hint = f"; write {int(value) & 0xFFFF} for the signed {value}" if negative else ""  # type: ignore[call-overload]
    return f"a register holds 0 to 65535, not {value}{hint}"


def reply_problem(request: bytes, reply: bytes) -> str:
    """Why `reply` does not answer `request`, or "" if it does.  An exception of the same function is an answer.

    Of functions other than the eight above only the function code is judged.
    """
    function = request[0]
    if not reply:
        return "an empty reply"
    if reply[0] == function | 0x80:
        return "" if len(reply) == 2 else f"an exception of {len(reply)} octets instead of 2"
    if reply[0] != function:
        return f"a reply to function {reply[0] & 0x7F}, where {function} was asked"
    if function in _READS:
        count = int.from_bytes(request[3:5], "big")
        wanted = (count + 7) // 8 if function in _BITS else 2 * count
        given = len(reply) - 2
        if given != wanted or reply[1] != wanted:
            told = f" (and says {reply[1]})" if given >= 0 and reply[1] != given else ""
            return f"{max(given, 0)} octets of data{told}, where {wanted} were asked"
    elif function in _WRITES and reply != request[:5]:
        return f"{reply[1:].hex()} confirmed, where {request[1:5].hex()} was written"
    return ""


def reply_values(request: bytes, reply: bytes) -> list[int]:
    """The values of a read: bools of bits, 0 to 65535 of registers; of a write none.

    Raises ExceptionReply if the device refused, RemoteProtocolError if this is not an answer to the request.
    """
    problem = reply_problem(request, reply)
    if problem:
        raise RemoteProtocolError(problem)
    if reply[0] & 0x80:
        raise ExceptionReply(reply[0] & 0x7F, reply[1])
    if request[0] not in _READS:
        return []
    count = int.from_bytes(request[3:5], "big")
    if request[0] in _BITS:
        packed = int.from_bytes(reply[2:], "little")
        return [bool(packed >> number & 1) for number in range(count)]
    return list(struct.unpack_from(f">{count}H", reply, 2))
