"""What Modbus servers and their connections do beside what a library of transports does for them.

Owns: who answers a request, how requests are taken from TCP and from serial lines, beginning and ending a server,
opening a serial device again.  Rule: these are halves of classes: the other half (cpppo.remote.pymodbus_fixes) has the
transports, and names what is used of it here.  Must not know: pymodbus, what requests say beyond their function.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from cpppo.errors import RemoteProtocolError
from cpppo.logs import DETAIL, NORMAL
from cpppo.remote.answering import answer, exception
from cpppo.remote.cells import GATEWAY_NO_RESPONSE, Device
from cpppo.remote.framing import RTU_LARGEST, Framed, TcpFrames, rtu_frame, tcp_frame
from cpppo.remote.serving import Exchange, Spoil
from cpppo.remote.told import changes, exchange_told

__all__ = ["Devices", "Handler", "RtuHandler", "RtuServes", "Serves", "TcpHandler"]

log = logging.getLogger("cpppo.remote.sim")

#: Functions that change something and answer with nothing new: what a broadcast is about.
_WRITING = frozenset({5, 6, 15, 16, 22})
#: Seconds that a shutdown waits for the answers of requests that came before it.
GRACE_S = 5.0


class Devices:
    """The devices that servers serve, by unit: any number of servers may share them.  A single one is all units."""

    def __init__(self, devices: Mapping[int, Device] | Device) -> None:
        self.devices = None if isinstance(devices, Device) else dict(devices)
        self.every = [devices] if isinstance(devices, Device) else list(devices.values())

    def device_ids(self) -> list[int]:
        """The units; [0] where a single device is all of them."""
        return [0] if self.devices is None else list(self.devices)

    def device(self, unit: int) -> Device | None:
        """The device that answers for a unit."""
        return self.every[0] if self.devices is None else self.devices.get(unit)


class Handler:
    """A connection of a server: `server`, `transport`, `trace_packet` ... are the other half's."""

    #: At a shutdown: seconds in which requests that are on their way are still taken, and in which the client is to
    #: confirm its last replies.
    latency, drain = 0.1, 0.1
    #: Whether unit 0 always means all of them, and other units than ours are others' business.
    shared = False
    #: Who is at the other end of a connection; of a serial line that is not known.
    peer = ""
    server: Any
    transport: Any
    comm_params: Any
    trace_packet: Any
    loop: asyncio.AbstractEventLoop
    sent_buffer: bytes

    def prepare(self) -> None:
        """Called once the other half is made."""
        self.exchange = Exchange(self.answered, self.packed, self.written, lambda: self.server.evil)

    def packed(self, request: Framed, reply: bytes) -> bytes:
        """The octets of a reply."""
        raise NotImplementedError

    def asked(self, request: Framed, everybody: bool) -> Awaitable[bytes]:
        """The answer to a request, of other contexts than `Devices`."""
        raise NotImplementedError

    def answered(self, request: Framed) -> bytes | Awaitable[bytes]:
        """The answer to a request, b"" for none; of another context than ours it comes later."""
        reply = self._answered(request)
        if log.isEnabledFor(NORMAL):
            known = reply if isinstance(reply, bytes) else b""
            level = NORMAL if changes(known, request.pdu) else DETAIL
            log.log(
                level, "%s, unit %d: %s", self.peer or "serial line", request.unit, exchange_told(request.pdu, known)
            )
        return reply

    def _answered(self, request: Framed) -> bytes | Awaitable[bytes]:
        everybody = request.unit == 0 and (self.shared or self.server.broadcast_enable)
        store = self.server.context
        if not isinstance(store, Devices):
            return self.asked(request, everybody)
        if everybody:
            for each in store.every if request.pdu[0] in _WRITING else ():
                answer(request.pdu, each)
            return b""
        device = store.device(request.unit)
        return self.missing(request) if device is None else answer(request.pdu, device)

    def missing(self, request: Framed) -> bytes:
        """The answer for a unit that there is not."""
        silent = self.shared or self.server.ignore_missing_devices
        return b"" if silent else exception(request.pdu[0], GATEWAY_NO_RESPONSE)

    def written(self, frames: Sequence[bytes]) -> None:
        """Send some frames."""
        if self.transport is not None:
            octets = b"".join(self.trace_packet(True, frame) for frame in frames)
            if self.comm_params.handle_local_echo:
                self.sent_buffer += octets
            self.transport.write(octets)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)  # type: ignore[misc]
        self.exchange.transport = transport
        address = transport.get_extra_info("peername")
        if address:
            host, port = address[:2]
            self.peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            log.log(NORMAL, "%s: connected", self.peer)
        if self.server.serving.done():  # it was accepted at the last moment
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)  # type: ignore[misc]
        self.exchange.lost()
        if self.peer:
            log.log(NORMAL, "%s: gone", self.peer)

    async def finish(self) -> None:
        """End in order: answer what has come, see it arrive, hang up."""
        await self.exchange.answered(GRACE_S)
        await self.exchange.hang_up(self.drain)


class TcpHandler(Handler):
    """A connection of Modbus/TCP: all requests are answered in order; after a wrong header it is ended."""

    def prepare(self) -> None:
        super().prepare()
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


class RtuHandler(Handler):
    """A serial line: frames are found in noise, and what stays incomplete is forgotten after a silence."""

    shared = True
    latency = 0.0
    framer: Any
    recv_buffer: bytes

    def prepare(self) -> None:
        super().prepare()
        self.max_buffer_size = 16 * RTU_LARGEST  # the other half drops all it has where there is more
        self._forget: asyncio.TimerHandle | None = None

    def packed(self, request: Framed, reply: bytes) -> bytes:
        return rtu_frame(request.unit, reply)

    def callback_data(self, data: bytes, addr: Any = None) -> int:
        """Take requests from octets; how many are done with."""
        data = self.trace_packet(False, data)
        self._remember()
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

    def _remember(self) -> None:
        if self._forget is not None:
            self._forget.cancel()
            self._forget = None

    def _silent(self) -> None:
        self.recv_buffer = b""

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._remember()
        if exc is not None:
            self.server.unplugged(exc)


class Serves:
    """A server: beginning, `service_actions` meanwhile, and an end that loses no reply."""

    handler: Any
    #: What spoils replies, for tests of clients (cpppo.remote.evil); another may be set at any time.
    evil: Spoil | None = None
    transport: Any
    serving: asyncio.Future[bool]
    active_connections: dict[str, Any]
    call_create: Any
    is_closing: bool
    is_listener: bool

    def callback_new_connection(self: Any) -> Any:
        return self.handler(self, self.trace_packet, self.trace_pdu, self.trace_connect)

    def service_actions(self) -> None:
        """Called every `poll_interval` seconds while serving; for subclasses."""

    async def listen(self) -> bool:
        """Begin to listen.  OSError says why that cannot be; pymodbus logs it and raises RuntimeError without it."""
        self.is_closing, self.is_listener = False, True
        made = await self.call_create()
        self.transport = made[0] if isinstance(made, tuple) else made
        return True

    async def serve_forever(self, poll_interval: float = 0.5, *, background: bool = False) -> None:
        """Serve until `shutdown`; in the `background`: return when it has begun.  OSError: it cannot."""
        await super().serve_forever(background=True)  # type: ignore[misc]
        self.servicing = asyncio.get_running_loop().create_task(self._service(poll_interval))
        if not background:
            await asyncio.wait({self.servicing})

    async def _service(self, poll_interval: float) -> None:
        while not self.serving.done():
            try:
                self.service_actions()
            except Exception:
                log.exception("service_actions failed")
            await asyncio.wait({self.serving}, timeout=poll_interval)

    async def refuse(self) -> None:
        """Take no new connections; those that are accepted already are there afterwards."""
        if self.transport is None:
            return
        for sock in self.transport.sockets:  # asyncio loses what it has accepted where it is closed at once
            with suppress(NotImplementedError):
                asyncio.get_running_loop().remove_reader(sock.fileno())
        await asyncio.sleep(0)
        self.transport.close()

    def connected(self) -> Iterable[Handler]:
        """The connections that there are."""
        return [one for one in self.active_connections.values() if one.transport is not None]

    async def shutdown(self) -> None:
        """End in order: no new connections, replies in flight are sent and arrive, then the others are closed."""
        if self.serving.done():
            return
        await self.refuse()
        if self.active_connections:
            await asyncio.sleep(self.handler.latency)
            await asyncio.gather(*(one.finish() for one in self.connected()))
        await super().shutdown()  # type: ignore[misc]


class RtuServes(Serves):
    """A server on a serial device, which is opened again when it was unplugged.

    `silence_s`: after which an incomplete request is forgotten: at least the 3.5 characters of the standard, and what
    operating systems and adapters may delay.
    """

    silence_s = 0.05
    comm_params: Any
    loop: asyncio.AbstractEventLoop

    async def listen(self) -> bool:
        try:
            return await super().listen()
        except OSError:
            raise
        except Exception as exc:  # termios.error and ValueError: of settings
            raise OSError(f"{self.address} does not take these settings: {exc}") from exc

    async def refuse(self) -> None:
        pass  # there are none but the line itself

    @property
    def address(self) -> str:
        """The serial device."""
        return str(self.comm_params.source_address[0])

    def unplugged(self, exc: Exception) -> None:
        """The device is gone: open it again, as soon as that can be."""
        log.error("%s is gone: %s; it is tried every %g s", self.address, exc, self.comm_params.reconnect_delay)
        self.transport = None
        self.reopening = self.loop.create_task(self._reopen())

    async def _reopen(self) -> None:
        while not self.serving.done():
            await asyncio.wait({self.serving}, timeout=self.comm_params.reconnect_delay)
            if self.serving.done():
                return
            try:
                await self.listen()
            except Exception as exc:  # what serial ports raise is not told by pyserial
                log.info("%s: %s", self.address, exc)
                self.active_connections.clear()  # the one that was made for the device that is not there
            else:
                log.error("%s is back", self.address)
                return
