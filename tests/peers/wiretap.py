"""A proxy that records what a client and a controller say to each other, and has Wireshark judge it.

Owns: the proxy's sockets and threads, what passed through it, and which findings of the oracle are not the
controller's fault. Rule: octets pass unchanged, unless a test has it lie. Must not know any client.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from types import TracebackType

from tests.pcap_oracle import C2S, S2C, Dissection, Finding, OracleError, dissect_all
from tests.tools import need

__all__ = ["Conversation", "Lie", "Wiretap", "judge"]

TIMEOUT_S = 20.0
_OCTETS = 1 << 16
#: What the oracle looks at: showing it nothing else takes half the time.
_LAYERS = "enip cip cipcm cipcls cipcco data fake-field-wrapper _ws.malformed"

#: What was said on one connection, as the oracle takes it.
Conversation = list[tuple[str, bytes]]

#: Changes what a controller answers.
Lie = Callable[[bytes], bytes]


class Wiretap:
    """Between a client, which connects to ``address``, and a controller; ``conversations`` grows with what they say.

    :param controller: (host, port) where it listens.
    :param lie: changes what the controller answers.
    """

    def __init__(self, controller: tuple[str, int], lie: Lie | None = None) -> None:
        self.controller = controller
        self.lie = lie
        self.conversations: list[Conversation] = []
        self._closing = False
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._listener.getsockname()
        return host, port

    def __enter__(self) -> Wiretap:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        # A connection of its own wakes the acceptor, which alone adds threads; then all that is open is shut.
        self._closing = True
        socket.create_connection(self.address).close()
        self._acceptor.join(TIMEOUT_S)
        self._listener.close()
        for one in self._sockets:
            _shut(one, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(TIMEOUT_S)
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._closing:
                client.close()
                return
            try:
                controller = socket.create_connection(self.controller, TIMEOUT_S)
            except OSError:  # it does not listen, or no more: the client is told in the same way
                client.close()
                continue
            controller.settimeout(None)
            said: Conversation = []
            self.conversations.append(said)
            self._sockets += client, controller
            for way, source, sink, lie in ((C2S, client, controller, None), (S2C, controller, client, self.lie)):
                sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=_pump, args=(said, way, source, sink, lie))
                self._threads.append(thread)
                thread.start()


def _pump(said: Conversation, way: str, source: socket.socket, sink: socket.socket, lie: Lie | None) -> None:
    """Pass on what one side says until it ends."""
    while True:
        try:
            octets = source.recv(_OCTETS)
        except OSError:  # reset, eg. by a client that does not wait for the end
            octets = b""
        if not octets:
            break
        if lie is not None:
            octets = lie(octets)
        said.append((way, octets))
        try:
            sink.sendall(octets)
        except OSError:  # the other side is gone; what is said to it is still read
            pass
    _shut(sink, socket.SHUT_WR)


def _shut(one: socket.socket, how: int) -> None:
    try:
        one.shutdown(how)
    except OSError:  # it is shut already
        pass


def judge(conversations: Sequence[Conversation]) -> list[Dissection]:
    """What Wireshark makes of conversations; OracleError if it objects to any of it, whoever said it."""
    need("tshark")
    assert all(conversations) and conversations, "nobody said anything"
    judged = dissect_all(conversations, timeout=120, options=["-J", _LAYERS])
    for pdus in judged:
        found = [one for one in pdus.errors if not _is_false(one, pdus)]
        if found:
            shown = [f"\n--- {pdu!r}\n{pdu.text()}" for pdu in pdus if set(pdu.errors) & set(found)]
            raise OracleError("\n".join([*map(str, found), *shown[:5]]), found)
    return judged


def _is_false(finding: Finding, pdus: Dissection) -> bool:
    """Wireshark 4.0 shows only one of the two octets of the last status in a reply to Set Attribute List."""
    frames = [pdu for pdu in pdus if pdu.frame == finding.frame]
    return (
        finding[1:3] == (S2C, "uncovered")
        and finding.text.startswith("1 of ")
        and all(pdu.first("cip.sc") == "0x04" for pdu in frames)
    )
