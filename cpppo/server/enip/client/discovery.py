"""Finding devices: List Identity over UDP, to one host or to all of a network; and over TCP.

Owns: the sockets and the time.  Rule: moves octets and time; who answered is decided in identities.
"""

from __future__ import annotations

import errno
import logging
import socket
from time import monotonic

from cpppo.errors import RemoteProtocolError, Timeout
from cpppo.server.enip.client.identities import Found, Identity, identities, missing, request
from cpppo.server.enip.wire.header import PORT

__all__ = ["BROADCAST", "discover", "identify"]

log = logging.getLogger("enip.cli")

#: All hosts of the network that the system takes for its first.
BROADCAST = "255.255.255.255"

#: Octets that a datagram may have: more than any has.
_DATAGRAM = 65536


def discover(address: str | None = None, timeout: float = 1.0, port: int = PORT) -> list[Identity]:
    """The devices that answer List Identity over UDP within a time, in the order they do.

    :param address: name or IP address of a host, which has answered when it has; or the broadcast address of a
        network, eg. 192.168.1.255; all hosts of the first network if None.
    :param timeout: seconds to wait for answers.
    :param port: that they listen on.

    OSError says why nobody can be asked.  What is no answer, and what came before, is passed over.
    """
    host = BROADCAST if address is None else address
    found = Found(port)
    try:
        family, _, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            if family == socket.AF_INET:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.sendto(request(timeout), target)
            ends = monotonic() + timeout
            while (left := ends - monotonic()) > 0:
                sock.settimeout(left)
                try:
                    octets, peer = sock.recvfrom(_DATAGRAM)
                except TimeoutError:
                    break
                except ConnectionError as exc:  # Windows: the host says that nobody listens there
                    log.debug("%s: %s", host, exc)
                    continue
                if not found.take(octets, peer[0]):
                    log.info("%s: %d octets that are no reply to List Identity", peer[0], len(octets))
                elif peer[:2] == target[:2]:  # whom we asked, and so no broadcast
                    break
    except (OSError, UnicodeError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise OSError(
            getattr(exc, "errno", None) or errno.EINVAL,
            f"cannot ask {host} on UDP port {port} who is there: {reason}; "
            "name a host, or the broadcast address of a network, eg. 192.168.1.255",
        ) from exc
    return found.devices


def identify(host: str, port: int = PORT, timeout: float = 5.0) -> Identity:
    """Who the device at an address is, over TCP, in a connection for this alone.

    :param timeout: seconds that it all may take.

    Raises OSError if there is no connection to be had, Timeout and RemoteProtocolError if there is no answer.
    """
    ends = monotonic() + timeout
    octets = b""
    try:
        with socket.create_connection((host, port), timeout) as sock:
            peer: str = sock.getpeername()[0]
            sock.sendall(request(timeout))
            while needed := missing(octets):
                sock.settimeout(max(ends - monotonic(), 1e-6))
                more = sock.recv(needed)
                if not more:
                    raise RemoteProtocolError(f"{host}:{port} closed the connection before answering List Identity")
                octets += more
                if ends <= monotonic() and missing(octets):
                    raise TimeoutError
    except TimeoutError as exc:
        raise Timeout(f"{host}:{port} did not answer List Identity within {timeout:g} s") from exc
    return identities(octets, (peer, port))[0]
