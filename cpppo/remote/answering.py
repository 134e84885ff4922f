"""What a Modbus device answers: the data unit of a reply to the data unit of a request.

Owns: which functions are served, what is wrong with a request and which exception says so.  Rule: whatever the octets,
there is an answer; what is wrong with the request itself (3) is told before what is wrong with its addresses (2).
Must not know: frames, units, transports, time, pymodbus.  Source: MODBUS application protocol specification 1.1b3,
chapters 6 and 7.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from cpppo.remote import pdu
from cpppo.remote.cells import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE, Device, Refused

__all__ = ["answer", "exception"]

_COILS, _DISCRETE_INPUTS, _INPUT_REGISTERS, _HOLDING_REGISTERS = range(4)
_TWO = struct.Struct(">xHH")
_THREE = struct.Struct(">xHHH")
_SEVERAL = struct.Struct(">xHHB")
_BOTH = struct.Struct(">xHHHHB")
#: The most registers that function 23 writes.
_WRITE_AND_READ = 121
#: Octets of a data unit.
_LARGEST = 253


def answer(request: bytes, device: Device) -> bytes:
    """The data unit that answers `request` (at least its function code); of a refused one an exception."""
    serve = _SERVED.get(request[0])
    if serve is None:
        return exception(request[0], ILLEGAL_FUNCTION)
    try:
        return serve(request, device)
    except Refused as exc:
        return exception(request[0], exc.code)


def exception(function: int, code: int) -> bytes:
    """The data unit of an exception."""
    return bytes((function | 0x80, code))


def _span(size: int, request: bytes, most: int) -> tuple[int, int]:
    """(address, quantity) at the beginning of a request; `size` octets are a whole one."""
    if len(request) != size:
        raise Refused(ILLEGAL_VALUE)
    address, count = _TWO.unpack_from(request)
    _counted(address, count, most)
    return address, count


def _counted(address: int, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise Refused(ILLEGAL_VALUE)
    if address + count > 0x10000:
        raise Refused(ILLEGAL_ADDRESS)


def _reads_bits(table: int) -> Callable[[bytes, Device], bytes]:
    def serve(request: bytes, device: Device) -> bytes:
        address, count = _span(5, request, pdu.READ_LIMIT[True])
        digits = "".join("1" if value else "0" for value in reversed(device.read(table, address, count)))
        size = (count + 7) // 8
        return bytes((request[0], size)) + int(digits, 2).to_bytes(size, "little")

    return serve


def _reads_registers(table: int) -> Callable[[bytes, Device], bytes]:
    def serve(request: bytes, device: Device) -> bytes:
        address, count = _span(5, request, pdu.READ_LIMIT[False])
        return struct.pack(f">BB{count}H", request[0], 2 * count, *device.read(table, address, count))

    return serve


def _write_coil(request: bytes, device: Device) -> bytes:
    if len(request) != 5 or request[3:] not in (b"\xff\x00", b"\x00\x00"):
        raise Refused(ILLEGAL_VALUE)
    device.write(_COILS, _TWO.unpack(request)[0], [1 if request[3] else 0])
    return request


def _write_register(request: bytes, device: Device) -> bytes:
    if len(request) != 5:
        raise Refused(ILLEGAL_VALUE)
    address, value = _TWO.unpack(request)
    device.write(_HOLDING_REGISTERS, address, [value])
    return request


def _write_coils(request: bytes, device: Device) -> bytes:
    if len(request) < 6:
        raise Refused(ILLEGAL_VALUE)
    address, count, size = _SEVERAL.unpack_from(request)
    if size != (count + 7) // 8 or len(request) != 6 + size:
        raise Refused(ILLEGAL_VALUE)
    _counted(address, count, pdu.WRITE_LIMIT[True])
    packed = int.from_bytes(request[6:], "little")
    device.write(_COILS, address, [packed >> number & 1 for number in range(count)])
    return request[:5]


def _write_registers(request: bytes, device: Device) -> bytes:
    if len(request) < 6:
        raise Refused(ILLEGAL_VALUE)
    address, count, size = _SEVERAL.unpack_from(request)
    if size != 2 * count or len(request) != 6 + size:
        raise Refused(ILLEGAL_VALUE)
    _counted(address, count, pdu.WRITE_LIMIT[False])
    device.write(_HOLDING_REGISTERS, address, struct.unpack_from(f">{count}H", request, 6))
    return request[:5]


def _mask_register(request: bytes, device: Device) -> bytes:
    if len(request) != 7:
        raise Refused(ILLEGAL_VALUE)
    address, keep, put = _THREE.unpack(request)
    with device.lock:
        (value,) = device.tables[_HOLDING_REGISTERS].read(address)
        device.write(_HOLDING_REGISTERS, address, [value & keep | put & ~keep & 0xFFFF])
    return request


def _write_and_read(request: bytes, device: Device) -> bytes:
    if len(request) < 10:
        raise Refused(ILLEGAL_VALUE)
    source, count, target, written, size = _BOTH.unpack_from(request)
    if size != 2 * written or len(request) != 10 + size:
        raise Refused(ILLEGAL_VALUE)
    if not 1 <= written <= _WRITE_AND_READ:
        raise Refused(ILLEGAL_VALUE)
    _counted(source, count, pdu.READ_LIMIT[False])
    with device.lock:
        if not device.tables[_HOLDING_REGISTERS].validate(source, count):
            raise Refused(ILLEGAL_ADDRESS)  # before anything is written
        device.write(_HOLDING_REGISTERS, target, struct.unpack_from(f">{written}H", request, 10))
        values = device.read(_HOLDING_REGISTERS, source, count)
    return struct.pack(f">BB{count}H", request[0], 2 * count, *values)


def _diagnose(request: bytes, device: Device) -> bytes:
    """Function 8: what was sent comes back (0); the counters of a serial line are not kept."""
    if len(request) < 5 or len(request) % 2 == 0:
        raise Refused(ILLEGAL_VALUE)
    if request[1:3] != b"\0\0":
        raise Refused(ILLEGAL_FUNCTION)
    return request


def _report(request: bytes, device: Device) -> bytes:
    """Function 17: the product code and that it runs."""
    if len(request) != 1:
        raise Refused(ILLEGAL_VALUE)
    told = device.identity[1].encode("ascii", "replace")[:200] + b"\xff"
    return bytes((request[0], len(told))) + told


def _identify(request: bytes, device: Device) -> bytes:
    """Function 43/14: the objects of the basic (1), the regular and extended (2, 3) kind, or one of them (4)."""
    if request[1:2] != b"\x0e" and len(request) > 1:
        raise Refused(ILLEGAL_FUNCTION)
    if len(request) != 4 or not 1 <= request[2] <= 4:
        raise Refused(ILLEGAL_VALUE)
    kind, first = request[2], request[3]
    texts = [text.encode("ascii", "replace")[:200] for text in device.identity]
    if kind == 4:
        if first >= len(texts):
            raise Refused(ILLEGAL_ADDRESS)
        chosen = [first]
    else:
        beyond = min(3, len(texts)) if kind == 1 else len(texts)
        chosen = list(range(first if first < beyond else 0, beyond))
    objects, next_one = b"", 0
    count = 0
    for number in chosen:
        if 7 + len(objects) + 2 + len(texts[number]) > _LARGEST:
            next_one = number
            break
        objects += bytes((number, len(texts[number]))) + texts[number]
        count += 1
    return bytes((request[0], 14, kind, 0x82, 0xFF if next_one else 0, next_one, count)) + objects


_SERVED: dict[int, Callable[[bytes, Device], bytes]] = {
    pdu.READ_COILS: _reads_bits(_COILS),
    pdu.READ_DISCRETE_INPUTS: _reads_bits(_DISCRETE_INPUTS),
    pdu.READ_HOLDING_REGISTERS: _reads_registers(_HOLDING_REGISTERS),
    pdu.READ_INPUT_REGISTERS: _reads_registers(_INPUT_REGISTERS),
    pdu.WRITE_COIL: _write_coil,
    pdu.WRITE_REGISTER: _write_register,
    8: _diagnose,
    pdu.WRITE_COILS: _write_coils,
    pdu.WRITE_REGISTERS: _write_registers,
    17: _report,
    22: _mask_register,
    23: _write_and_read,
    43: _identify,
}
