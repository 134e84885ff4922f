"""A bare echo server: ``python -m bench.echo REQUEST REPLY`` answers every REQUEST octets with REPLY octets."""

from __future__ import annotations

import socket
import sys

from bench.threads import serve

__all__ = ["main"]


def main() -> None:
    """Serve until killed."""
    size, reply = int(sys.argv[1]), bytes(int(sys.argv[2]))

    def talk(connection: socket.socket) -> None:
        left = 0
        while data := connection.recv(65536):
            number, left = divmod(left + len(data), size)
            if number == 1:
                connection.sendall(reply)
            elif number:
                connection.sendall(reply * number)

    serve(talk)


if __name__ == "__main__":
    main()
