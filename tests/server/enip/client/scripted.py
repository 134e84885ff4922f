"""A scripted peer for the client: frames made by hand with struct, and a server that answers as it is told.

Rule: nothing of the project's wire code is used, so that a mistake there cannot hide itself here.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType

__all__ = ["HEADER", "SESSION", "Peer", "bare", "controller", "frame", "registered", "reply", "service_reply"]

HEADER = struct.Struct("<HHII8sI")
SESSION = 0x11223344

#: What is asked of a script: the request's frame and its number on the connection -> octets, or None to hang up.
Script = Callable[[bytes, int], "bytes | None"]


def frame(command: int, payload: bytes, context: bytes, session: int = SESSION, status: int = 0) -> bytes:
    """A frame of the encapsulation protocol."""
    return HEADER.pack(command, len(payload), session, status, context, 0) + payload


def registered(request: bytes, session: int = SESSION) -> bytes:
    """The reply to a RegisterSession frame."""
    return frame(0x65, struct.pack("<HH", 1, 0), request[12:20], session)


def reply(request: bytes, cip: bytes, *, context: bytes | None = None) -> bytes:
    """The frame that answers a SendRRData frame with a CIP reply."""
    items = struct.pack("<IHHHHHH", 0, 0, 2, 0, 0, 0xB2, len(cip)) + cip
    return frame(0x6F, items, request[12:20] if context is None else context)


def service_reply(service: int, data: bytes = b"", status: int = 0, *extended: int) -> bytes:
    """A CIP reply."""
    return struct.pack(f"<BBBB{len(extended)}H", service | 0x80, 0, status, len(extended), *extended) + data


def bare(request: bytes) -> bytes:
    """The CIP request in a SendRRData frame, out of its Unconnected Send if it is in one."""
    (length,) = struct.unpack_from("<H", request, 38)
    cip = request[40 : 40 + length]
    if cip[:6] != bytes.fromhex("520220062401"):
        return cip
    (size,) = struct.unpack_from("<H", cip, 8)
    return cip[10 : 10 + size]


def serve(cip: bytes) -> bytes:
    """The reply of a small controller: every tag is a vector of 1000 INT, element n is n; NOPE does not exist."""
    service, words = cip[0], cip[1]
    path, data = cip[2 : 2 + 2 * words], cip[2 + 2 * words :]
    if b"NOPE" in path:
        return service_reply(service, b"", 0x04, 0x0000)
    if service == 0x0A:
        count, *offsets = struct.unpack_from(f"<{1 + data[0]}H", data)
        members = [serve(data[a:b]) for a, b in zip(offsets, [*offsets[1:], len(data)], strict=True)]
        at = [2 + 2 * count]
        for member in members:
            at.append(at[-1] + len(member))
        worst = 0x1E if any(member[2] for member in members) else 0
        return service_reply(service, struct.pack(f"<{count + 1}H", count, *at[:-1]) + b"".join(members), worst)
    if service in (0x4C, 0x52):
        first = path[-1] if path[-2] == 0x28 else 0
        (count,) = struct.unpack_from("<H", data)
        offset = struct.unpack_from("<I", data, 2)[0] if service == 0x52 else 0
        values = range(first + offset // 2, first + count)
        return service_reply(service, struct.pack(f"<H{len(values)}h", 0xC3, *values))
    if service in (0x4D, 0x53, 0x10):
        return service_reply(service)
    if service in (0x0E, 0x01):
        return service_reply(service, b"\x03abc")
    return service_reply(service, b"", 0x08)


def controller(request: bytes, number: int) -> bytes:
    """The script of a peer that behaves: it registers sessions and serves tags."""
    return registered(request) if request[0] == 0x65 else reply(request, serve(bare(request)))


class Peer:
    """A server on a free port of the loopback interface, that answers each frame by its script.

    ``requests``: the frames received after registering; ``errors``: what the script raised.
    """

    def __init__(self, script: Script = controller, family: socket.AddressFamily = socket.AF_INET) -> None:
        self.script = script
        self.requests: list[bytes] = []
        self.errors: list[BaseException] = []
        self._listener = socket.socket(family)
        self._listener.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        self._listener.listen()
        self.host, self.port = self._listener.getsockname()[:2]
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self.host, self.port

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        for one in (self._listener, *self._sockets):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:  # it is not connected any more
                pass
            one.close()
        for thread in self._threads:
            thread.join(10)
        assert not [thread for thread in self._threads if thread.is_alive()]
        if kind is None:
            assert self.errors == []

    def wait_until_left(self) -> None:
        """Wait until all clients have gone: then all that they sent was received."""
        for thread in self._threads[1:]:
            thread.join(10)
            assert not thread.is_alive()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:  # closed: the test is over
                return
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(connected)
            self._start(self._talk, connected)

    def _talk(self, connected: socket.socket) -> None:
        number = 0
        try:
            while True:
                head = self._exactly(connected, HEADER.size)
                request = head + self._exactly(connected, struct.unpack_from("<H", head, 2)[0])
                if request[0] != 0x65:
                    self.requests.append(request)
                answer = self.script(request, number)
                if answer is None:
                    connected.shutdown(socket.SHUT_RDWR)
                    return
                connected.sendall(answer)
                number += 1
        except (EOFError, OSError):  # the client went
            return
        except BaseException as exc:
            self.errors.append(exc)
            connected.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _exactly(connected: socket.socket, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            more = connected.recv(count - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets
