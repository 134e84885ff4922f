"""pymodbus, and repairs of what it gets wrong: clients, servers, framing and data, under names that do not move.

Owns: all that this project uses of pymodbus and pyserial; nothing else imports them, so that their changes of names
and meanings reach this file alone.  Rule: no logic that could do without pymodbus.  Written for pymodbus 3.16; each
class says which fault it mends, or since when pymodbus does not have it.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Any

from cpppo.errors import UsageError
from cpppo.remote.framing import find_rtu
from cpppo.remote.pdu import ExceptionReply
from cpppo.remote.transacting import (
    TIMEOUT_S,
    BadReply,
    NoAnswer,
    NotConnected,
    RtuTransactions,
    TcpTransactions,
    Transactions,
    read_port,
)

try:
    import serial
    from pymodbus.client import ModbusSerialClient, ModbusTcpClient
    from pymodbus.exceptions import (
        ConnectionException,
        ModbusException,
        ModbusIOException,
        NotImplementedException,
        ParameterException,
    )
    from pymodbus.framer import FramerRTU, FramerType
    from pymodbus.pdu import DecodePDU, ModbusPDU
except ImportError as exc:
    raise ImportError("Modbus needs pymodbus 3.16 and pyserial: pip install 'cpppo[remote]'") from exc

__all__ = [
    "adapted",
    "modbus_bad_address",
    "modbus_bad_reply",
    "modbus_client_rtu",
    "modbus_client_tcp",
    "modbus_client_timeout",
    "modbus_no_answer",
    "modbus_not_connected",
    "modbus_refused",
    "modbus_rtu_framer_collecting",
    "modbus_rtu_read",
]


# ------------------------------------------------------------------ errors: ours, and pymodbus' for who catches those
class _Told(Exception):
    """An error of two families, with the attributes that pymodbus' have."""

    fcode: int | None = None
    transaction_id = dev_id = 0

    def __init__(self, text: str) -> None:
        Exception.__init__(self, text)
        self.string = self.message = self.reason = text

    def __str__(self) -> str:
        return self.string


class modbus_not_connected(_Told, NotConnected, ConnectionException):
    """NotConnected, for who catches pymodbus' errors."""


class modbus_no_answer(_Told, NoAnswer, ModbusIOException):
    """NoAnswer, for who catches pymodbus' errors."""


class modbus_bad_reply(_Told, BadReply, ModbusIOException):
    """BadReply, for who catches pymodbus' errors."""

    path, offset = "", None


class modbus_bad_address(_Told, UsageError, ParameterException):
    """An address that does not exist or cannot be written, or a value that does not fit there."""


class modbus_refused(ExceptionReply, ModbusException):
    """The device refused a request: an exception reply."""


# ------------------------------------------------------------------ framing
modbus_rtu_read = read_port


class modbus_rtu_framer_collecting(FramerRTU):
    """Finds the next right frame in whatever comes over a serial line.

    pymodbus 3.16 gives up all it has at the first wrong checksum: an octet of noise costs the frame behind it.
    `units`: only frames for these (None: all); `requests`: those of masters, of which none is an exception.
    """

    def __init__(self, decoder: DecodePDU, units: Collection[int] | None = None, requests: bool = False) -> None:
        super().__init__(decoder)
        self.units = units
        self.requests = requests

    def decode(self, data: bytes) -> tuple[int, int, int, bytes]:
        """(octets done with, unit, 0, data unit); the data unit is b"" where more octets are needed."""
        found = find_rtu(data, self.size_of, self.units, self.requests)
        return (found.used, found.frame[0], 0, found.frame[1:-2]) if found.frame else (found.used, 0, 0, b"")

    def size_of(self, octets: bytes) -> int | None:
        """The octets of the frame that begins with these, 0: not to be told yet, None: none begins."""
        try:
            kind = self.decoder.lookupPduClass(octets)
            return None if kind is None else kind.calculateRtuFrameSize(octets)
        except (IndexError, struct.error):
            return 0
        except NotImplementedException:
            return None


# ------------------------------------------------------------------ clients
class modbus_client_timeout(Transactions):
    """Transactions with one time-out each: what both clients share.

    pymodbus waits anew for every piece of a reply, sends a request again (a write, too) when none came, and takes a
    reply of another function or another number of registers for an answer.  Here a transaction (connect, send, receive)
    has one budget of time, a request is sent once, and a reply is believed if it answers the request.
    """

    not_connected, no_answer, bad_reply = modbus_not_connected, modbus_no_answer, modbus_bad_reply
    comm_params: Any
    framer: Any

    def execute(self, no_response_expected: bool, request: ModbusPDU) -> Any:
        """pymodbus' own way in: its request, its response (an ExceptionResponse is returned, not raised)."""
        asked = bytes((request.function_code,)) + request.encode()
        reply = self.transact(asked, request.dev_id, not no_response_expected)
        if not reply:
            return None
        response = self.framer.decoder.decode(reply)
        if response is None:
            raise self.bad_reply(f"{self}: {len(reply)} octets that are no reply to function {request.function_code}")
        response.dev_id, response.transaction_id = request.dev_id, request.transaction_id
        return response


class modbus_client_tcp(modbus_client_timeout, TcpTransactions, ModbusTcpClient):
    """A Modbus/TCP client with time-outs on connect, send and receive; other faults as modbus_client_timeout says.

    pymodbus has time-outs on each of these since 3.0, but none over all; and it cannot use descriptors over 1023.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 502, *, timeout: float = TIMEOUT_S, **kwds: Any) -> None:
        if kwds.get("framer", FramerType.SOCKET) is not FramerType.SOCKET:
            raise TypeError(
                "Modbus/TCP has its own framing; RTU over TCP is modbus_client_rtu(port='socket://host:port')"
            )
        super().__init__(host, port=port, timeout=timeout, retries=0, **kwds)
        self.place = host, port


class modbus_client_rtu(modbus_client_timeout, RtuTransactions, ModbusSerialClient):
    """A Modbus/RTU client for a serial port, or for RTU over TCP (port="socket://host:port").

    pymodbus' own has sound time-outs since 3.0; what is mended is the framing (modbus_rtu_framer_collecting), and what
    modbus_client_timeout says.  Several pollers may share one client, each for a unit of the same line.
    """

    def __init__(
        self,
        framer: type[modbus_rtu_framer_collecting] | None = None,
        port: str = "",
        baudrate: int = 19200,
        *,
        timeout: float = TIMEOUT_S,
        **kwds: Any,
    ) -> None:
        super().__init__(port, baudrate=baudrate, timeout=timeout, retries=0, **kwds)
        self.framer = self.transaction.framer = (framer or modbus_rtu_framer_collecting)(DecodePDU(False))
        self.decode = self.framer.decode
        self.echo = self.comm_params.handle_local_echo

    def __str__(self) -> str:
        return str(self.comm_params.host)

    def _open(self, left: float) -> None:
        line = self.comm_params
        self.socket = serial.serial_for_url(
            line.host,
            timeout=left,
            write_timeout=self._own,
            bytesize=line.bytesize,
            stopbits=line.stopbits,
            baudrate=line.baudrate,
            parity=line.parity,
            **({} if "://" in line.host else {"exclusive": True}),
        )


class adapted:
    """Any synchronous client of pymodbus, with the `transact` that ours have: as good as that client is."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._requests = DecodePDU(True)

    def __str__(self) -> str:
        return str(self.client)

    def transact(self, pdu: bytes, unit: int = 1) -> bytes:
        """As Transactions.transact; the reply is not judged."""
        request = self._requests.decode(pdu)
        if request is None:
            raise modbus_bad_reply(f"function {pdu[0]} is unknown to pymodbus")
        request.dev_id = unit
        try:
            response = self.client.execute(False, request)
        except ConnectionException as exc:
            raise modbus_not_connected(f"{self}: {exc}") from exc
        except (ModbusException, OSError) as exc:
            raise modbus_no_answer(f"{self}: {exc}") from exc
        return bytes((response.function_code,)) + bytes(response.encode())

    def close(self) -> None:
        """End the connection."""
        self.client.close()

    def abort(self) -> None:
        """Nothing: pymodbus' clients cannot be interrupted; their time-out ends them."""
