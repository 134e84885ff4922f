"""``python -m bench.pymodbus_server``: pymodbus' own Modbus/TCP server, with registers 40001-40125.

Its first line on standard error names its address.
"""

from __future__ import annotations

import asyncio
import sys
import warnings

__all__ = ["main"]


async def _serve() -> None:
    from pymodbus.server import ModbusTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice

    registers = SimData(0, count=125, values=7, datatype=DataType.REGISTERS)
    server = ModbusTcpServer(SimDevice(0, registers), address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    transport = server.transport
    print(f"127.0.0.1:{transport.sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)  # type: ignore[union-attr]
    await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    warnings.simplefilter("ignore")
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
