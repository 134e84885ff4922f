"""The simulator over TCP: a Device behind a threaded server.

Owns: joining sessions to sockets: handles, addresses, the log of clients coming and going.
Rule: moves octets and time, decides nothing about the protocol.
"""

from __future__ import annotations

import ipaddress
import logging
import secrets
import socket

from cpppo.logs import NORMAL
from cpppo.server.enip.device import Device
from cpppo.server.enip.session import Session
from cpppo.server.tcp import Connection, Server

__all__ = ["MAXIMUM_SESSIONS", "serve"]

log = logging.getLogger("enip.srv")

#: Sessions there can be at once; whoever comes then is told that there is no room for it.
MAXIMUM_SESSIONS = 2000


def serve(device: Device, address: tuple[str, int], sessions: int = MAXIMUM_SESSIONS) -> Server:
    """A server of ``device`` that listens on (host, port); its ``serve`` method accepts until ``stop``."""

    def talk(sock: socket.socket) -> Session:
        host, port = sock.getsockname()[:2]
        peer = "{}:{}".format(*sock.getpeername()[:2])
        log.log(NORMAL, "EtherNet/IP Server enip_%s begins serving peer %s", peer.rpartition(":")[2], peer)
        return Session(device, _handle(server), (_ipv4(host), port), peer, full)

    def full() -> bool:
        registered = [one for one in server.connections() if getattr(one.talk, "registered", False)]
        return len(registered) >= sessions

    def ended(connection: Connection, left: int) -> None:
        session = connection.talk
        if isinstance(session, Session):
            log.log(
                NORMAL,
                "enip_%s done; processed %3d requests over %6d bytes received (%d connections remain)",
                connection.peer[1],
                session.requests,
                session.received,
                left,
            )

    server = Server(address, talk, ended, name="enip")
    return server


def _handle(server: Server) -> int:
    """A session handle that no session has."""
    used = {getattr(one.talk, "handle", 0) for one in server.connections()}
    while True:
        handle = secrets.randbits(32)
        if handle and handle not in used:
            return handle


def _ipv4(host: str) -> int:
    """The number of an IPv4 address; List Identity has no room for others, which show as their loopback or 0."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return int(mapped) if mapped is not None else 0x7F000001 if address.is_loopback else 0
    return int(address)
