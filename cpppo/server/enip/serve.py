"""The simulator over TCP: a Device behind a threaded server; and over UDP, where it can be discovered.

Owns: joining sessions to sockets: handles, places, addresses, the log of clients coming and going, and the time
that a client may take.  Rule: moves octets and time, decides nothing about the protocol.
"""

from __future__ import annotations

import ipaddress
import itertools
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable

from cpppo.logs import NORMAL
from cpppo.server.delay import Delay
from cpppo.server.enip.counted import Counters
from cpppo.server.enip.device import Device
from cpppo.server.enip.listing import Discovery
from cpppo.server.enip.session import Session
from cpppo.server.enip.wire.header import MAXIMUM_LENGTH
from cpppo.server.tcp import Connection, Server, format_address
from cpppo.server.udp import WILDCARDS, Datagrams, Peer, local_host

__all__ = ["MAXIMUM_SESSIONS", "REGISTER_S", "connections_for", "serve"]

log = logging.getLogger("enip.srv")

#: Sessions there can be at once; whoever comes then is told that there is no room for it.
MAXIMUM_SESSIONS = 2000

#: Seconds in which a client must register a session.
REGISTER_S = 2.0

#: Connections without a session that there can be beside as many as there are sessions, to tell them there is no room.
_UNREGISTERED = 500

#: Seconds between two looks at who is late, and between two draws of a delay.
_LOOK_S, _DRAW_S = 0.25, 1.0


def connections_for(sessions: int) -> int:
    """Connections there can be at once, with so many sessions; the others are closed without an answer."""
    return 2 * sessions + _UNREGISTERED


def serve(
    device: Device,
    address: tuple[str, int],
    sessions: int = MAXIMUM_SESSIONS,
    *,
    idle_s: float | None = None,
    size: int = MAXIMUM_LENGTH,
    delay: Delay | None = None,
    tick: Callable[[], float] | None = None,
    run: Callable[[Callable[[], None]], object] | None = None,
    counters: Counters | None = None,
) -> Server:
    """A server of ``device`` that listens on (host, port); its ``serve`` method accepts until ``stop``.

    Until then it also answers discovery over UDP there, unless that port is taken.

    :param sessions: there can be at once.
    :param idle_s: seconds without a whole request after which a client is left; None: never.
    :param size: octets that a request may have after its header.
    :param delay: of each response.
    :param tick: called by ``serve`` now and then; says in how many seconds again.
    :param run: calls what it is given, the conversation with a client, in the thread of that client.
    :param counters: of all sessions.
    """
    device.clock = _microseconds
    places = _Places(sessions)
    handles = itertools.count(secrets.randbits(32))
    begin = Session if counters is None else counters.session

    def talk(sock: socket.socket) -> Session:
        host, port = sock.getsockname()[:2]
        peer = sock.getpeername()[:2]
        log.log(NORMAL, "EtherNet/IP Server enip_%d begins serving peer %s", peer[1], peer)
        handle = next(handles) % 0xFFFFFFFF + 1
        return begin(device, handle, (_ipv4(host), port), format_address(peer), places.take, places.give_back, size)

    def ended(connection: Connection, left: int) -> None:
        session = connection.talk
        if not isinstance(session, Session):
            return
        session.end()
        if counters is not None:
            counters.ended(session)
        log.log(
            NORMAL,
            "enip_%d done; processed %3d requests over %5d bytes/%5d received (%d connections remain)",
            connection.peer[1],
            session.requests,
            session.processed,
            session.received,
            left,
        )

    def chores() -> float:
        again = look(server)
        return again if tick is None else min(again, tick())

    look = _Look(idle_s)
    server = _Discovered(address, talk, ended, connections_for(sessions), "enip", delay, chores, run)
    host = server.address
    server.datagrams = _datagrams(device, host)
    log.log(NORMAL, "EtherNet/IP Simulator: %s", host)
    log.log(NORMAL, "enip_srv server PID [%5d] running on %s", os.getpid(), host)
    return server


def _microseconds() -> int:
    """What the wall clock of this machine says, since 1970."""
    return time.time_ns() // 1000


class _Discovered(Server):
    """The TCP server, and what answers over UDP beside it, if anything does: they end together."""

    datagrams: Datagrams | None = None

    def stop(self, timeout_s: float = 2.0) -> None:
        if self.datagrams is not None:
            self.datagrams.stop(timeout_s)
        super().stop(timeout_s)


def _datagrams(device: Device, address: tuple[str, int]) -> Datagrams | None:
    """What answers discovery over UDP where TCP is served; None, and a warning, if it cannot be."""
    host, port = address
    discovery = Discovery(device)

    def answer(data: bytes, peer: Peer) -> bytes:
        return discovery.answer(data, lambda: (_ipv4(local_host(peer, host)), port))

    where = format_address(address)
    try:
        datagrams = Datagrams(address, answer, "discovery")
    except (OSError, RuntimeError) as exc:
        log.warning("no UDP on %s (%s): discovery will not be answered there; TCP is served all the same", where, exc)
        return None
    if host not in WILDCARDS:
        log.log(NORMAL, "discovery on %s: asked directly; broadcasts reach a server on all interfaces only", where)
    return datagrams


class _Places:
    """How many sessions there are, of how many there can be."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a place, if there is one."""
        with self._lock:
            taken = self._left > 0
            self._left -= taken
            return taken

    def give_back(self) -> None:
        """The place of a session that has ended."""
        with self._lock:
            self._left += 1


class _Look:
    """Looks after a server from time to time: draws its delay anew, closes connections of clients that are late.

    What counts as doing something is a whole request: who sends one octet now and then is idle.
    """

    def __init__(self, idle_s: float | None) -> None:
        self._idle_s = idle_s
        self._every_s = _LOOK_S if idle_s is None else min(_LOOK_S, idle_s / 4)
        self._due = self._draw = 0.0

    def __call__(self, server: Server) -> float:
        """Do what is due; in how many seconds there may be more to do."""
        now = time.monotonic()
        if now >= self._draw:
            self._draw = now + _DRAW_S
            server.delay.roll()
        if now >= self._due:
            self._due = now + self._every_s
            for one in server.connections():
                if isinstance(one.talk, Session) and not one.talk.closed:
                    self._at(one, one.talk, now)
        return self._every_s

    def _at(self, one: Connection, session: Session, now: float) -> None:
        session.look(now)
        if not session.registered:
            if now - one.began >= REGISTER_S:
                log.info("%s: closed: it registered no session within %g s", session.peer, REGISTER_S)
                one.abort()
        elif session.requests != one.seen or one.busy:
            one.seen, one.since = session.requests, now
        elif self._idle_s is not None and now - one.since >= self._idle_s:
            log.info("%s: closed: it sent no whole request for %g s", session.peer, self._idle_s)
            one.stop_reading()


def _ipv4(host: str) -> int:
    """The number of an IPv4 address; List Identity has no room for others, which show as their loopback or 0."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return int(mapped) if mapped is not None else 0x7F000001 if address.is_loopback else 0
    return int(address)
