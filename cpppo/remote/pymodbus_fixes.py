"""pymodbus, and repairs of what it gets wrong: clients, servers, framing and data, under names that do not move.

Owns: all that this project uses of pymodbus and pyserial; nothing else imports them, so that their changes of names
and meanings reach this file alone.  Rule: no logic that could do without pymodbus.  Written for pymodbus 3.16; each
class says which fault it mends, or since when pymodbus does not have it.
"""

from __future__ import annotations

import functools
import logging
import struct
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cpppo.errors import UsageError
from cpppo.remote import servers
from cpppo.remote.answering import exception
from cpppo.remote.cells import DEVICE_FAILURE, ILLEGAL_FUNCTION, ILLEGAL_VALUE, Device, Refused, SparseBlock
from cpppo.remote.framing import Framed, find_rtu
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
    from pymodbus.constants import ExcCodes
    from pymodbus.datastore import ModbusServerContext, ModbusSparseDataBlock
    from pymodbus.exceptions import (
        ConnectionException,
        ModbusException,
        ModbusIOException,
        NoSuchIdException,
        NotImplementedException,
        ParameterException,
    )
    from pymodbus.framer import FramerRTU, FramerType
    from pymodbus.pdu import DecodePDU, ModbusPDU
    from pymodbus.server import ModbusSerialServer, ModbusTcpServer
    from pymodbus.server.requesthandler import ServerRequestHandler
    from pymodbus.simulator import DataType, SimData
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
    "modbus_rtu_request_handler",
    "modbus_server_rtu",
    "modbus_server_tcp",
    "modbus_sparse_data_block",
    "modbus_store",
    "modbus_tcp_request_handler",
]

log = logging.getLogger("cpppo.remote.sim")


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
        except Exception as exc:  # what it makes of a reply that is none is not told
            raise modbus_no_answer(f"{self}: {exc!r}") from exc
        return bytes((response.function_code,)) + bytes(response.encode())

    def close(self) -> None:
        """End the connection."""
        self.client.close()

    def abort(self) -> None:
        """Nothing: pymodbus' clients cannot be interrupted; their time-out ends them."""


# ------------------------------------------------------------------ servers and what they serve
class modbus_sparse_data_block(SparseBlock, ModbusSparseDataBlock):
    """A table of which only what it was given exists.

    pymodbus fills the gaps between registers, answers for up to 15 coils that are not there, takes seconds to build a
    large block, and has no `validate` any more.  Here the base address is the lowest one, `validate` takes time by the
    number asked for alone, and 2 registers are 2 registers.
    """

    @property
    def simdata(self) -> list[SimData]:  # type: ignore[override]
        """The block as pymodbus' own contexts take it, each run of neighbours as one; a copy of what it is now."""
        return [SimData(at, values=run, datatype=DataType.REGISTERS) for at, run in self.runs()]


class modbus_store(servers.Devices, ModbusServerContext):
    """The devices that servers serve, by unit; for pymodbus' own servers, too.

    pymodbus copies a context for each server, so that two never share a value; these do.
    """

    old_simulator, simdevices = True, []

    def _found(self, unit: int) -> Device:
        device = self.device(unit)
        if device is None:
            raise NoSuchIdException(f"unit {unit}")
        return device

    async def async_getValues(self, device_id: int, func_code: int, address: int, count: int = 1) -> Any:
        try:
            return list(self._found(device_id).read(_TABLE_OF[func_code], address, count))
        except Refused as exc:
            return ExcCodes(exc.code)

    async def async_setValues(self, device_id: int, func_code: int, address: int, values: Sequence[int]) -> Any:
        try:
            self._found(device_id).write(_TABLE_OF[func_code], address, [int(value) for value in values])
        except Refused as exc:
            return ExcCodes(exc.code)


#: The table that a function is about, by its place in Device.tables.
_TABLE_OF: Mapping[int, int] = {1: 0, 5: 0, 15: 0, 2: 1, 4: 2, 3: 3, 6: 3, 16: 3, 22: 3, 23: 3}


class _RequestHandler(servers.Handler, ServerRequestHandler):
    """A connection of one of the servers below: how pymodbus' own contexts are asked."""

    def __init__(self, owner: Any, *traces: Any) -> None:
        ServerRequestHandler.__init__(self, owner, *traces)  # type: ignore[no-untyped-call]
        self.prepare()

    async def asked(self, request: Framed, everybody: bool) -> bytes:
        function, context = request.pdu[0], self.server.context
        units = context.device_ids()
        if not everybody and request.unit not in units and 0 not in units:  # 0 is everybody else
            return self.missing(request)
        message = self.server.decoder.decode(request.pdu) if function < 0x80 else None
        if message is None:  # it does not tell which of the two
            known = function in self.server.decoder.list_function_codes()
            return exception(function, ILLEGAL_VALUE if known else ILLEGAL_FUNCTION)
        message.dev_id, message.transaction_id = request.unit, request.transaction
        message = self.trace_pdu(False, message)
        try:
            for unit in units if everybody else [request.unit]:
                reply = await message.datastore_update(context, unit)
            if everybody:
                return b""
            reply = self.trace_pdu(True, reply)
            return bytes((reply.function_code,)) + bytes(reply.encode())
        except NoSuchIdException:
            return self.missing(request)
        except Exception:
            log.exception("unit %d, function %d: a pymodbus context failed", request.unit, function)
            return exception(function, DEVICE_FAILURE)


class modbus_tcp_request_handler(servers.TcpHandler, _RequestHandler):
    """A Modbus/TCP connection.

    pymodbus answers one of several requests that come in one piece and drops all where they are long, never finds its
    way back after a wrong header, and a shutdown loses replies in flight.  Here each request is answered in its order,
    a wrong header ends the connection, and so does a shutdown, after the replies, without TIME_WAIT on this side.
    """


class modbus_rtu_request_handler(servers.RtuHandler, _RequestHandler):
    """A serial line with masters on it: requests are found in noise, those for other units passed over in silence."""


class modbus_server_tcp(servers.Serves, ModbusTcpServer):
    """A Modbus/TCP server of a `modbus_store`, or of any of pymodbus' contexts.

    pymodbus' own has no `service_actions`, and does not say why it cannot listen; see modbus_tcp_request_handler, too.
    """

    handler = modbus_tcp_request_handler

    @property
    def address(self) -> tuple[str, int]:
        """(host, port) it listens on."""
        host, port = self.transport.sockets[0].getsockname()[:2]
        return host, port


class modbus_server_rtu(servers.RtuServes, ModbusSerialServer):
    """A Modbus/RTU server, for `units` on a line that it may share with others; None: for all that its context has.

    pymodbus loses a frame behind an octet of noise, answers for units that are others', takes their replies for
    requests, and is deaf for good once the device was unplugged: here it is opened again, as soon as it can be.
    `silence_s`: see RtuServes.
    """

    handler = modbus_rtu_request_handler

    def __init__(
        self, context: Any, *, units: Collection[int] | None = None, silence_s: float | None = None, **kwds: Any
    ) -> None:
        super().__init__(context, **kwds)
        if units is None and isinstance(context, modbus_store) and context.devices is not None:
            units = context.device_ids()
        wanted = None if units is None else frozenset({*units, 0})
        self.framer: Any = functools.partial(modbus_rtu_framer_collecting, units=wanted, requests=True)
        allowed = max(3.5 * 11 / self.comm_params.baudrate, 0.00175) + self.silence_s
        self.silence_s = allowed if silence_s is None else silence_s
