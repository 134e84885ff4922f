"""pymodbus, and repairs of what it gets wrong: clients, servers, framing and data, under names that do not move.

Owns: all that this project uses of pymodbus; nothing else imports it, so that its changes of names and meanings reach
this file alone.  Rule: no logic that could do without pymodbus.  Written for pymodbus 3.16; each class says which
fault it mends and since when pymodbus does not have it, where that is so.
"""

from __future__ import annotations

# ================================================================== servers and data
import asyncio
import functools
import logging
import struct
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from typing import Any, cast

from pymodbus.constants import ExcCodes
from pymodbus.datastore import ModbusServerContext, ModbusSparseDataBlock
from pymodbus.exceptions import NoSuchIdException, NotImplementedException
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData

from cpppo.errors import RemoteProtocolError
from cpppo.remote.answering import answer, exception
from cpppo.remote.cells import DEVICE_FAILURE, GATEWAY_NO_RESPONSE, ILLEGAL_FUNCTION, ILLEGAL_VALUE, Cells, Device
from cpppo.remote.cells import Refused as CellsRefused
from cpppo.remote.framing import RTU_LARGEST, Framed, TcpFrames, find_rtu, rtu_frame, tcp_frame
from cpppo.remote.serving import Exchange, Spoil

log = logging.getLogger("cpppo.remote.sim")

#: The table that a function is about, by its place in Device.tables.
_TABLE_OF = {1: 0, 5: 0, 15: 0, 2: 1, 4: 2, 3: 3, 6: 3, 16: 3, 22: 3, 23: 3}
#: Functions that change something: what a broadcast is about.
_WRITING = frozenset({5, 6, 15, 16, 22})
#: Seconds that a shutdown waits for the answers of requests that came before it.
GRACE_S = 5.0


class modbus_sparse_data_block(ModbusSparseDataBlock):
    """A table of which only what it was given exists.

    pymodbus fills the gaps between registers, answers for up to 15 coils that are not there, takes seconds to build a
    large block, and has no `validate` any more.  Here the base address is the lowest one, `validate` takes time by the
    number asked for alone, and 2 registers are 2 registers; `cells` are they.  `.simdata`, for pymodbus' own contexts,
    has neighbours in one piece.
    """

    def __init__(self, values: Mapping[int, int] | Iterable[int] | None = None, mutable: bool = True) -> None:
        given = dict(values) if isinstance(values, Mapping) else dict(enumerate(values or ()))
        bits = bool(given) and all(isinstance(value, bool) for value in given.values())
        self.cells = Cells({at: int(value) for at, value in given.items()}, bits)
        self.mutable = mutable

    @property
    def address(self) -> int:
        """The base address: the lowest there is."""
        return self.cells.base

    @property
    def values(self) -> dict[int, int]:
        """All values, by address."""
        return dict(self.cells.items())

    def validate(self, address: int, count: int = 1) -> bool:
        """Whether all of `count` elements from `address` on exist."""
        return self.cells.validate(address, count)

    def getValues(self, address: int, count: int = 1) -> list[int]:
        """The values of elements that exist; cpppo.remote.cells.Refused of others."""
        return self.cells.read(address, count)

    def setValues(self, address: int, values: Mapping[int, int] | Sequence[int] | int) -> None:
        """Change elements that exist; of a mutable block also add some."""
        given = values if isinstance(values, Mapping) else {}
        if not given:
            several = list(values) if isinstance(values, Iterable) else [values]
            given = dict(enumerate(several, address))
        if not self.mutable and not all(one in self.cells for one in given):
            raise CellsRefused(ExcCodes.ILLEGAL_ADDRESS, "not all of these exist, and the block is not mutable")
        self.cells.define(given)

    @property
    def simdata(self) -> list[SimData]:
        """The block in the form of pymodbus 4, each run of neighbours as one; as it is now."""
        runs: list[tuple[int, list[int]]] = []
        for at, value in self.cells.items():
            if not runs or at != runs[-1][0] + len(runs[-1][1]):
                runs.append((at, []))
            runs[-1][1].append(value)
        return [SimData(at, values=run, datatype=DataType.REGISTERS) for at, run in runs]

    @simdata.setter
    def simdata(self, _: Any) -> None:
        raise AttributeError("simdata is made of the block's values: change these")


class modbus_store(ModbusServerContext):
    """The devices that servers serve, by unit: any number of servers may share it.

    pymodbus copies a context for each server, so that two never share a value.  A single Device answers for all units.
    """

    old_simulator, simdevices = True, []

    def __init__(self, devices: Mapping[int, Device] | Device) -> None:
        self.devices = None if isinstance(devices, Device) else dict(devices)
        self.default = devices if isinstance(devices, Device) else None

    def device_ids(self) -> list[int]:
        return [0] if self.devices is None else list(self.devices)

    def device(self, unit: int) -> Device | None:
        """The device that answers for a unit."""
        return self.default if self.devices is None else self.devices.get(unit)

    def all(self) -> Collection[Device]:
        """Each device once."""
        return list(self.devices.values()) if self.devices is not None else [self.default] if self.default else []

    async def async_getValues(self, device_id: int, func_code: int, address: int, count: int = 1) -> Any:
        device = self.device(device_id)
        if device is None:
            raise NoSuchIdException(str(device_id))
        try:
            return list(device.read(_TABLE_OF[func_code], address, count))
        except CellsRefused as exc:
            return ExcCodes(exc.code)

    async def async_setValues(self, device_id: int, func_code: int, address: int, values: Sequence[int]) -> Any:
        device = self.device(device_id)
        if device is None:
            raise NoSuchIdException(str(device_id))
        try:
            device.write(_TABLE_OF[func_code], address, [int(value) for value in values])
        except CellsRefused as exc:
            return ExcCodes(exc.code)


class _Handler(ServerRequestHandler):
    """A connection of one of the servers below: what TCP and serial lines have in common."""

    #: At a shutdown: seconds in which requests that are on their way are still taken, and in which the client is to
    #: confirm its last replies.
    latency, drain = 0.1, 0.1
    #: Whether unit 0 means all of them.
    broadcasts = False
    transport: Any

    def __init__(self, owner: Any, *traces: Any) -> None:
        super().__init__(owner, *traces)  # type: ignore[no-untyped-call]
        self.exchange = Exchange(self.answered, self.packed, self.written, owner.evil)

    def packed(self, request: Framed, reply: bytes) -> bytes:
        raise NotImplementedError

    def answered(self, request: Framed) -> bytes | Awaitable[bytes]:
        """The answer to a request, b"" for none; of another context than ours it comes later."""
        everybody = request.unit == 0 and (self.broadcasts or self.server.broadcast_enable)
        store = self.server.context
        if not isinstance(store, modbus_store):
            return self._asked(request, everybody)
        if everybody:
            if request.pdu[0] in _WRITING:
                for each in store.all():
                    answer(request.pdu, each)
            return b""
        device = store.device(request.unit)
        return self._missing(request) if device is None else answer(request.pdu, device)

    def _missing(self, request: Framed) -> bytes:
        silent = self.broadcasts or self.server.ignore_missing_devices
        return b"" if silent else exception(request.pdu[0], GATEWAY_NO_RESPONSE)

    async def _asked(self, request: Framed, everybody: bool) -> bytes:
        """The answer of pymodbus' own contexts."""
        function, context = request.pdu[0], self.server.context
        message = self.server.decoder.decode(request.pdu) if function < 0x80 else None
        if message is None:  # it does not tell which of the two
            known = function in self.server.decoder.list_function_codes()
            return exception(function, ILLEGAL_VALUE if known else ILLEGAL_FUNCTION)
        message.dev_id, message.transaction_id = request.unit, request.transaction
        message = self.trace_pdu(False, message)
        try:
            for unit in context.device_ids() if everybody else [request.unit]:
                reply = await message.datastore_update(context, unit)
            if everybody:
                return b""
            reply = self.trace_pdu(True, reply)
            return bytes((reply.function_code,)) + reply.encode()
        except NoSuchIdException:
            return self._missing(request)
        except Exception:
            log.exception("unit %d, function %d: a pymodbus context failed", request.unit, function)
            return exception(function, DEVICE_FAILURE)

    def written(self, octets: bytes) -> None:
        if self.transport is not None:
            octets = self.trace_packet(True, octets)
            if self.comm_params.handle_local_echo:
                self.sent_buffer += octets
            self.transport.write(octets)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.exchange.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.exchange.lost()

    async def finish(self) -> None:
        """End in order: answer what has come, see it arrive, hang up."""
        await self.exchange.answered(GRACE_S)
        await self.exchange.hang_up(self.drain)


class modbus_tcp_request_handler(_Handler):
    """A Modbus/TCP connection.

    pymodbus answers one of several requests that come in one piece and drops all where they are long, never finds its
    way back after a wrong header, and a shutdown loses replies in flight.  Here each request is answered in its order,
    a wrong header ends the connection, and so does a shutdown, after the replies, without TIME_WAIT on this side.
    """

    def __init__(self, owner: Any, *traces: Any) -> None:
        super().__init__(owner, *traces)
        self.frames = TcpFrames()

    def packed(self, request: Framed, reply: bytes) -> bytes:
        return tcp_frame(request.transaction, request.unit, reply)

    def data_received(self, data: bytes) -> None:
        if self.exchange.closing:
            return
        data = self.trace_packet(False, data)
        try:
            while requests := self.frames.feed(data):
                self.exchange.take(requests)
                if not self.frames.partial:
                    return
                data = b""
        except RemoteProtocolError as exc:
            log.info("a client is left: %s", exc)
            self.exchange.closing = True
            self.ending = self.loop.create_task(self.finish())

    def pause_writing(self) -> None:
        self.exchange.stall(True)

    def resume_writing(self) -> None:
        self.exchange.stall(False)


class _Serves:
    """What both servers have that pymodbus' do not: service_actions, errors that say why, an end that loses nothing."""

    handler: type[_Handler]
    #: What spoils replies, for tests of clients (cpppo.remote.evil).
    evil: Spoil | None = None

    def callback_new_connection(self: Any) -> Any:
        return self.handler(self, self.trace_packet, self.trace_pdu, self.trace_connect)

    def service_actions(self) -> None:
        """Called every `poll_interval` seconds while serving; for subclasses."""

    async def listen(self: Any) -> bool:
        """Begin to listen.  OSError says why that cannot be; pymodbus logs it and raises RuntimeError without it."""
        self.is_closing, self.is_listener = False, True
        made = await self.call_create()
        self.transport = made[0] if isinstance(made, tuple) else made
        return True

    async def serve_forever(self: Any, poll_interval: float = 0.5, *, background: bool = False) -> None:
        """Serve until `shutdown`; in the `background`: return when it has begun.  OSError: it cannot."""
        await super().serve_forever(background=True)  # type: ignore[misc]
        self.servicing = asyncio.get_running_loop().create_task(self._service(poll_interval))
        if not background:
            await asyncio.wait({self.servicing})

    async def _service(self: Any, poll_interval: float) -> None:
        while not self.serving.done():
            try:
                self.service_actions()
            except Exception:
                log.exception("service_actions failed")
            await asyncio.wait({self.serving}, timeout=poll_interval)

    async def shutdown(self: Any) -> None:
        """End in order: no new connections, replies in flight are sent and arrive, then the others are closed."""
        if self.serving.done():
            return
        if self.transport is not None and not isinstance(self, ModbusSerialServer):
            self.transport.close()
        connected = [one for one in self.active_connections.values() if one.transport is not None]
        if connected:
            await asyncio.sleep(max(one.latency for one in connected))
            await asyncio.gather(*(one.finish() for one in connected))
        await super().shutdown()  # type: ignore[misc]


class modbus_server_tcp(_Serves, ModbusTcpServer):
    """A Modbus/TCP server: see modbus_tcp_request_handler for what differs from pymodbus'.

    Its context is a modbus_store, or any of pymodbus'.
    """

    handler = modbus_tcp_request_handler

    @property
    def address(self) -> tuple[str, int]:
        """(host, port) it listens on."""
        host, port = self.transport.sockets[0].getsockname()[:2]
        return host, port


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


class modbus_rtu_request_handler(_Handler):
    """A serial line with masters on it.

    Frames are found in noise; those for other units are passed over in silence; unit 0 is everybody, and nobody
    answers.  What stays incomplete is forgotten after a silence.
    """

    broadcasts = True
    latency = 0.0

    def __init__(self, owner: Any, *traces: Any) -> None:
        super().__init__(owner, *traces)
        self.max_buffer_size = 16 * RTU_LARGEST  # pymodbus drops all it has where there is more
        self._forget: asyncio.TimerHandle | None = None

    def packed(self, request: Framed, reply: bytes) -> bytes:
        return rtu_frame(request.unit, reply)

    def callback_data(self, data: bytes, addr: Any = None) -> int:
        data = self.trace_packet(False, data)
        if self._forget is not None:
            self._forget.cancel()
        used, requests = 0, []
        while used < len(data):
            done, unit, _, pdu = self.framer.decode(data[used:])
            used += done
            if not pdu:
                break
            requests.append(Framed(0, unit, pdu))
        self.exchange.take(requests, newest=True)
        if used < len(data):
            self._forget = self.loop.call_later(self.server.silence_s, self._silent)
        return used

    def _silent(self) -> None:
        self.recv_buffer = b""

    def callback_disconnected(self, exc: Exception | None) -> None:
        super().callback_disconnected(exc)
        if self._forget is not None:
            self._forget.cancel()
        if exc is not None:
            self.server.unplugged(exc)


class modbus_server_rtu(_Serves, ModbusSerialServer):
    """A Modbus/RTU server, for `units` on a line that it may share with others; None: for all that its context has.

    pymodbus loses a frame behind an octet of noise, answers for units that are others', takes their replies for
    requests, and is deaf for good once the device was unplugged.  Here see modbus_rtu_request_handler; the device is
    opened again, every `reconnect_delay` seconds until that works.  `silence_s`: after which an incomplete request is
    forgotten; by default the 3.5 characters of the standard and what operating systems and adapters may delay.
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
        self.silence_s = max(3.5 * 11 / self.comm_params.baudrate, 0.00175) + 0.05 if silence_s is None else silence_s
        self._reopening: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """The serial device."""
        return str(cast(Any, self.comm_params.source_address)[0])

    def unplugged(self, exc: Exception) -> None:
        """The device is gone: open it again, as soon as that can be."""
        log.error("%s is gone: %s; it is tried every %g s", self.address, exc, self.comm_params.reconnect_delay)
        self.transport = None
        self._reopening = self.loop.create_task(self._reopen())

    async def _reopen(self) -> None:
        while not self.serving.done():
            await asyncio.wait({self.serving}, timeout=self.comm_params.reconnect_delay)
            if self.serving.done():
                return
            try:
                await self.listen()
            except OSError:
                self.active_connections.clear()  # the one that was made for the device that is not there
            else:
                log.error("%s is back", self.address)
                return
