"""A Modbus/TCP device for tests, written by hand: it answers, or does whatever a test tells it to.

Rule: shares no code with what is tested; a thread per connection; ends with its `with` block.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Device"]


class Device:
    """Registers and coils by protocol address, on 127.0.0.1, port 0.

    `answer`: called with (unit, data unit), gives the data unit of the reply, or None for silence; by default it is
    `served`.  `raw`: called with (request frame, its reply frame), gives the octets to send instead.
    """

    def __init__(self, registers: dict[int, int] | None = None, coils: dict[int, int] | None = None) -> None:
        self.registers = {} if registers is None else registers
        self.coils = {} if coils is None else coils
        self.answer: Callable[[int, bytes], bytes | None] = self.served
        self.raw: Callable[[bytes, bytes], bytes] = lambda asked, reply: reply
        #: Data units asked for, connections made, and those open now.
        self.asked: list[bytes] = []
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        self._listener: socket.socket | None = None
        self.port = 0

    def __enter__(self) -> Device:
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.gone()

    def listen(self) -> None:
        """Be there; again at the same port, after `gone`."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._accepting.start()

    def gone(self) -> None:
        """Close all connections, and take no others."""
        if self._listener is not None:
            with socket.socket() as waker:  # accept() is not ended by close()
                listener, self._listener = self._listener, None
                waker.connect(("127.0.0.1", self.port))
                self._accepting.join()
                listener.close()
        self.hang_up()
        self.wait(lambda: not self._open)

    def hang_up(self) -> None:
        """Close all connections."""
        with self._changed:
            for one in self._open:
                one.shutdown(socket.SHUT_RDWR)

    def wait(self, when: Callable[[], Any], seconds: float = 10.0) -> None:
        """Wait until something holds that requests or connections change."""
        with self._changed:
            assert self._changed.wait_for(when, seconds), "the device waited in vain"

    @property
    def open(self) -> int:
        """Connections that are open."""
        return len(self._open)

    def served(self, unit: int, pdu: bytes) -> bytes:
        """What a sound device answers."""
        function, address, count = struct.unpack(">BHH", pdu[:5])
        bits = function in (1, 2, 5, 15)
        table, places = (self.coils if bits else self.registers), range(address, address + count)
        if function in (5, 6):
            if address not in table:
                return bytes((function | 0x80, 2))
            table[address] = int(count > 0) if bits else count
            return pdu
        if any(place not in table for place in places):
            return bytes((function | 0x80, 2))
        if function == 16:
            table.update(zip(places, struct.unpack(f">{count}H", pdu[6:]), strict=True))
            return pdu[:5]
        if bits:
            packed = sum(table[place] << number for number, place in enumerate(places))
            return bytes((function, (count + 7) // 8)) + packed.to_bytes((count + 7) // 8, "little")
        return bytes((function, 2 * count)) + struct.pack(f">{count}H", *(table[place] for place in places))

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if self._listener is not listener:
                connection.close()
                return
            with self._changed:
                self.connections += 1
                self._open.add(connection)
                self._changed.notify_all()
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            stream = connection.makefile("rb")
            while len(header := stream.read(7)) == 7:
                number, _, length, unit = struct.unpack(">HHHB", header)
                pdu = stream.read(length - 1)
                with self._changed:
                    self.asked.append(pdu)
                    self._changed.notify_all()
                reply = self.answer(unit, pdu)
                if reply is not None:
                    frame = struct.pack(">HHHB", number, 0, len(reply) + 1, unit) + reply
                    connection.sendall(self.raw(header + pdu, frame))
            stream.close()
        except OSError:
            pass
        finally:
            with self._changed:
                self._open.discard(connection)
                connection.close()
                self._changed.notify_all()
