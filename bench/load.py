"""A raw client, hand-written, and servers as child processes with the CPU and memory they use.

Owns: sending prepared octets as fast as they are answered, at some depth; starting servers, telling their costs.
Rule: while a server is measured the client only sends and counts octets.  Must not know what the requests ask.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Client", "Server", "running"]

ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)")
REGISTER = struct.pack("<HHII8sIHH", 0x65, 4, 0, 0, bytes(8), 0, 1, 0)
HEADER_OCTETS = 24
TIMEOUT_S = 30.0


class Server(NamedTuple):
    """A server process; ``port`` on the local host, and that of its web interface, 0 if it has none.

    ``line``: its first, as it is.
    """

    process: subprocess.Popen[Any]
    port: int
    web: int = 0
    line: str = ""

    def cpu(self) -> float:
        """Seconds of processor time all its threads have used, to the nanosecond (the CPU clock of a Linux process)."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def resident(self) -> int:
        """Octets of memory it occupies."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        kilobytes = re.search(r"VmRSS:\s*(\d+) kB", status)
        if kilobytes is None:
            raise RuntimeError("the system does not tell the memory of a process")
        return int(kilobytes[1]) * 1024


@contextmanager
def running(module: str, *arguments: str, stdin: str = "", told: str = "stderr") -> Iterator[Server]:
    """``python -m module arguments`` as a child, once its first line, on what ``told`` names, has named its address."""
    root = str(Path(__file__).resolve().parent.parent)
    process: Any = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if told == "stdout" else subprocess.DEVNULL,
        stderr=subprocess.PIPE if told == "stderr" else subprocess.DEVNULL,
        text=True,
        cwd=root,
        # As on a user's machine, where what was compiled is kept
        env={**os.environ, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": ""},
    )
    output = getattr(process, told)
    try:
        process.stdin.write(stdin)
        process.stdin.close()
        line = output.readline()
        found = ADDRESS.findall(line)
        if not found:
            raise RuntimeError(f"{module} does not name its address: {(line + output.read()).strip()}")
        yield Server(process, *map(int, found))._replace(line=line)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        output.close()


class Client:
    """A connection; with a session unless ``register`` is False."""

    def __init__(self, port: int, register: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.session = self.ask(REGISTER)[4:8] if register else bytes(4)

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def own(self, frame: bytes) -> bytes:
        """A frame with the handle of this session."""
        return frame[:4] + self.session + frame[8:]

    def ask(self, frame: bytes) -> bytes:
        """The reply to one frame; RuntimeError if it is refused."""
        self.socket.sendall(frame)
        reply = self._exactly(HEADER_OCTETS)
        reply += self._exactly(int.from_bytes(reply[2:4], "little"))
        if reply[8:12] != bytes(4):
            raise RuntimeError(f"status {reply[8:12].hex()} to {frame.hex(' ')}")
        return reply

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise RuntimeError("the server closed the connection")
            data += more
        return data

    def exchange(self, blocks: Sequence[tuple[bytes, int]]) -> None:
        """Send each block of requests and await as many octets as answer it, before the next."""
        send, receive = self.socket.sendall, self.socket.recv
        for octets, wanted in blocks:
            send(octets)
            while wanted > 0:
                wanted -= len(receive(65536)) or self._ended()
        if wanted:
            raise RuntimeError(f"{-wanted} octets more than expected")

    @staticmethod
    def _ended() -> int:
        raise RuntimeError("the server closed the connection")

    def blocks(self, frames: Sequence[bytes], depth: int) -> list[tuple[bytes, int]]:
        """Blocks of ``depth`` requests, of frames whose replies are looked at (and their sizes learnt) first."""
        own = [self.own(frame) for frame in frames]
        sizes = [len(self.ask(frame)) for frame in own]
        starts = range(0, len(own), depth)
        return [(b"".join(own[at : at + depth]), sum(sizes[at : at + depth])) for at in starts]
