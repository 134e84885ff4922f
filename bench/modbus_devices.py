"""``python -m bench.modbus_devices N``: N Modbus/TCP devices, a port each, written by hand for the measurements.

Owns: the answers.  Rule: as little work as possible, no code of the package; each register holds its protocol address,
but the first, which tells how many requests came before; its first line on standard error names all ports.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from typing import cast

__all__ = ["main"]

_REQUEST = struct.Struct(">HHHBBHH")
_HEAD = struct.Struct(">HHHBBB")
#: All registers there are, twice: no request goes beyond.
_REGISTERS = struct.pack(">65536H", *range(65536))


class _Device(asyncio.Protocol):
    """A connection to a device that only knows how to read registers."""

    def __init__(self, asked: list[int]) -> None:
        self._asked = asked
        self._transport: asyncio.Transport | None = None
        self._octets = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        octets = self._octets + data
        while len(octets) >= _REQUEST.size:
            number, _, _, unit, function, address, count = _REQUEST.unpack_from(octets)
            octets = octets[_REQUEST.size :]
            values = _REGISTERS[2 * address : 2 * (address + count)]
            if not address:
                values = (self._asked[0] & 0xFFFF).to_bytes(2, "big") + values[2:]
            self._asked[0] += 1
            assert self._transport is not None
            self._transport.write(_HEAD.pack(number, 0, 3 + 2 * count, unit, function, 2 * count) + values)
        self._octets = octets


async def _serve(devices: int) -> None:
    loop = asyncio.get_running_loop()
    servers = []
    for _ in range(devices):
        asked = [0]
        servers.append(await loop.create_server(lambda asked=asked: _Device(asked), "127.0.0.1", 0))  # type: ignore[misc]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    print(f"127.0.0.1:{ports[0]} ports {' '.join(map(str, ports))}", file=sys.stderr, flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    asyncio.run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
