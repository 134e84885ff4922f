"""A Modbus/TCP device for tests: few lines of its own, so that what it does is what the test says.

`Field` holds its tables in `cells`, by address as people write it (40001); addresses that are not there are refused.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping

from cpppo.remote.ranges import TABLES

_READS = {table.read: table for table in TABLES}
_WRITES = {code: table for table in TABLES for code in (table.write, table.write_several) if code}


class Field:
    """A device that answers on ``address`` in the `with` block, or between `start` and `stop`.

    ``refuse``: the exception code that writes get, 0 for none; ``writes``: (function, first address, values) of each.
    """

    def __init__(self, cells: Mapping[int, int]) -> None:
        self.cells = dict(cells)
        self.refuse = 0
        self.writes: list[tuple[int, int, list[int]]] = []
        self.address = ("127.0.0.1", 0)
        self._lock = threading.Lock()

    def __enter__(self) -> Field:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> Field:
        """Listen, on the same port as before."""
        self._listener = socket.create_server(self.address)
        self.address = self._listener.getsockname()[:2]
        self._peers: list[socket.socket] = []
        self._up = True
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Close everything at once."""
        with self._lock:
            self._up = False
            listener, peers = self._listener, self._peers
        for one in (listener, *peers):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def __setitem__(self, address: int, values: list[int]) -> None:
        """Set registers, all of them between two requests."""
        with self._lock:
            self.cells.update(enumerate(values, address))

    def _accept(self, listener: socket.socket) -> None:
        try:
            while True:
                peer, _ = listener.accept()
                with self._lock:
                    if not self._up:
                        peer.close()
                        return
                    self._peers.append(peer)
                threading.Thread(target=self._talk, args=(peer,), daemon=True).start()
        except OSError:
            return

    def _talk(self, peer: socket.socket) -> None:
        try:
            with peer.makefile("rb") as stream:
                while len(head := stream.read(7)) == 7:
                    transaction, protocol, length, unit = struct.unpack(">HHHB", head)
                    request = stream.read(length - 1)
                    with self._lock:
                        reply = self._reply(request)
                    peer.sendall(struct.pack(">HHHB", transaction, protocol, len(reply) + 1, unit) + reply)
        except (OSError, ValueError):
            pass
        peer.close()

    def _reply(self, request: bytes) -> bytes:
        function, offset, count = struct.unpack(">BHH", request[:5])
        table = _READS.get(function) or _WRITES[function]
        first = table.spans[0][0] + offset
        if function in _READS:
            if not all(one in self.cells for one in range(first, first + count)):
                return bytes((function | 0x80, 2))
            held = [self.cells[one] for one in range(first, first + count)]
            if table.bits:
                packed = sum(bool(one) << at for at, one in enumerate(held))
                octets = packed.to_bytes((count + 7) // 8, "little")
            else:
                octets = struct.pack(f">{count}H", *held)
            return bytes((function, len(octets))) + octets
        if function == table.write:
            values = [count // 0xFF00 if table.bits else count]
        elif table.bits:
            values = [int.from_bytes(request[6:], "little") >> at & 1 for at in range(count)]
        else:
            values = list(struct.unpack(f">{count}H", request[6:]))
        if self.refuse or not all(one in self.cells for one in range(first, first + len(values))):
            return bytes((function | 0x80, self.refuse or 2))
        self.writes.append((function, first, values))
        self.cells.update(enumerate(values, first))
        return request[:5]
