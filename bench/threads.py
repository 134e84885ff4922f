"""The least that a thread-per-connection server can be: what echo.py and struct_server.py share.

Owns: accepting, and a thread with blocking receives for each connection.  Must not know what is spoken.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable

__all__ = ["serve"]


def serve(talk: Callable[[socket.socket], None]) -> None:
    """Accept until killed, on a free port that the first line on standard error names."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(f"serving on 127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=talk, args=(connection,), daemon=True).start()
