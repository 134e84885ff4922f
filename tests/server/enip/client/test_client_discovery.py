"""Finding devices over sockets: the simulator's own answers, and those of scripted peers."""

from __future__ import annotations

import errno
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from cpppo.errors import RemoteProtocolError, Timeout
from cpppo.server.enip import Simulator, client
from cpppo.server.enip.client import cli
from cpppo.server.enip.client.cli import main
from cpppo.server.enip.client.identities import request
from tests.server.enip.client.scripted import Peer
from tests.server.enip.client.test_client_identities import GARBAGE, answer, item

#: Long enough that only a mistake reaches it; and short, for what must be reached.
LONG_S, SHORT_S = 10.0, 0.05

#: All of this host.
BROADCAST = "127.255.255.255"

#: What a peer sends of a datagram received: from which of its sockets, and what.
Script = Callable[[bytes], Sequence[tuple[int, bytes]]]


@contextmanager
def listening(script: Script, sockets: int = 1) -> Iterator[int]:
    """The port of a peer over UDP that is asked there, and answers by its script from any of its sockets."""
    errors: list[BaseException] = []

    def serve() -> None:
        try:
            while True:
                octets, peer = made[0].recvfrom(1000)
                if octets == b"the end":
                    return
                for number, one in script(octets):
                    made[number].sendto(one, peer)
        except BaseException as exc:
            errors.append(exc)

    with ExitStack() as stack:
        made = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(sockets)]
        for one in made:
            one.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield made[0].getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"the end", made[0].getsockname())
            thread.join(LONG_S)
        assert errors == [] and not thread.is_alive()


def silent_port() -> int:
    """A port of this host where nobody listens, over TCP or UDP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# -- the simulator


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_one_host(host: str, plc_simulator: Simulator) -> None:
    """A host that is asked answers who it is, where it can be connected to; and no time is waited longer."""
    port = plc_simulator.address[1]
    (found,) = client.discover(host, LONG_S, port)
    assert found == client.Identity(
        ("127.0.0.1", port), 1, 14, 54, (20, 11), 0x3060, 0x006C061A, "1756-L61/B LOGIX5561", 3
    )
    connection = client.connector(*found.address, timeout=LONG_S)
    assert list(connection.results([{"path": "SCADA"}])) == [[0]]
    connection.close()


def test_over_tcp(plc_simulator: Simulator) -> None:
    """Over TCP it says the same."""
    port = plc_simulator.address[1]
    assert [client.identify("localhost", port)] == client.discover("127.0.0.1", LONG_S, port)


def test_the_identity_chosen(plc_simulator_factory: Callable[..., Simulator]) -> None:
    """What is told is what the controller passes for."""
    host, port = plc_simulator_factory("SCADA", identity="1756-L83E").address
    assert client.identify(host, port).product_name.startswith("1756-L83E")


@pytest.mark.skipif(sys.platform != "linux", reason="not every system broadcasts on its loopback")
def test_broadcast(plc_simulator_factory: Callable[..., Simulator], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a host all of the network are asked, and for as long as was said: more may answer."""
    port = plc_simulator_factory("SCADA", address=("", 0)).address[1]
    monkeypatch.setattr(sys.modules[client.discover.__module__], "BROADCAST", BROADCAST)
    for address in (None, BROADCAST):
        assert [one.address for one in client.discover(address, 10 * SHORT_S, port)] == [("127.0.0.1", port)]


def test_over_ipv6(plc_simulator_factory: Callable[..., Simulator]) -> None:
    """Hosts of IP version 6 are asked directly."""
    try:
        port = plc_simulator_factory("SCADA", address=("::1", 0)).address[1]
    except OSError as exc:
        pytest.skip(f"this host has no IPv6 loopback: {exc}")
    (found,) = client.discover("::1", LONG_S, port)
    assert found.address == ("::1", port)
    assert client.identify("::1", port, LONG_S) == found


# -- peers that behave, and that do not


def test_several_answer_amid_garbage() -> None:
    """Each device that answers is there once, in their order; what is no answer is passed over."""
    asked: list[bytes] = []

    def script(octets: bytes) -> Sequence[tuple[int, bytes]]:
        asked.append(octets)
        two = answer(item(serial=2, port=0))
        garbage = [(number % 3, one) for number, one in enumerate(GARBAGE.values())]
        return [*garbage, (1, two), (2, answer(item(serial=3, port=7))), (1, two), *garbage, (0, answer(item()))]

    with listening(script, sockets=3) as port:
        found = client.discover("127.0.0.1", LONG_S, port)
    assert [(one.serial, one.address[1]) for one in found] == [(2, port), (3, 7), (0x006C061A, 44818)]
    assert asked == [request(LONG_S)]


def test_what_came_in_time_is_given() -> None:
    """When whom we asked says nothing, the time ends the waiting; others that answered are there."""
    with listening(lambda octets: [(1, answer(item()))], sockets=2) as port:
        assert [one.serial for one in client.discover("127.0.0.1", SHORT_S, port)] == [0x006C061A]
    with listening(lambda octets: [(0, b"garbage")]) as port:
        assert client.discover("127.0.0.1", SHORT_S, port) == []
    assert client.discover("127.0.0.1", SHORT_S, silent_port()) == []


def test_garbage_does_not_extend_the_time() -> None:
    """The time is that of it all, however much comes that is no answer."""
    stop = threading.Event()

    def flood() -> None:
        _, peer = sock.recvfrom(1000)
        while not stop.wait(SHORT_S / 20):
            sock.sendto(b"garbage", peer)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        try:
            assert client.discover("127.0.0.1", SHORT_S, sock.getsockname()[1]) == []
        finally:
            stop.set()
            thread.join(LONG_S)


def test_a_host_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system tells that a datagram was refused, others may still answer."""
    genuine, refused = socket.socket.recvfrom, []

    class Refusing(socket.socket):
        def recvfrom(self, *arguments: Any) -> Any:
            if not refused:
                refused.append(1)
                raise ConnectionResetError(errno.ECONNRESET, "reset")
            return genuine(self, *arguments)

    with listening(lambda octets: [(0, answer(item()))]) as port:
        monkeypatch.setattr(socket, "socket", Refusing)
        assert len(client.discover("127.0.0.1", LONG_S, port)) == 1


@pytest.mark.parametrize("code", [errno.ENETUNREACH, errno.EACCES, errno.EINVAL])
def test_a_network_without_broadcast(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can be asked, the error says so, and whom to ask instead."""

    class Refusing(socket.socket):
        def sendto(self, *arguments: Any) -> int:
            assert arguments[1] == ("255.255.255.255", 44818)
            raise OSError(code, "no way")

    monkeypatch.setattr(socket, "socket", Refusing)
    with pytest.raises(OSError) as caught:
        client.discover()
    assert caught.value.errno == code
    assert caught.value.strerror == (
        "cannot ask 255.255.255.255 on UDP port 44818 who is there: no way; "
        "name a host, or the broadcast address of a network, eg. 192.168.1.255"
    )


@pytest.mark.parametrize("host", ["no such host", "x" * 300, "\udc80"])
def test_a_host_that_is_none(host: str) -> None:
    """A name that no host has is the same error."""
    with pytest.raises(OSError, match="who is there: .*; name a host"):
        client.discover(host, SHORT_S)


# -- over TCP


def test_identify_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply may come octet by octet, and is whole when it is whole."""

    class Dribbling(socket.socket):
        def recv(self, *arguments: Any) -> bytes:
            return super().recv(1)

    with Peer(lambda octets, number: answer(item()) + b"more") as peer:
        monkeypatch.setattr(socket, "socket", Dribbling)
        found = client.identify(peer.host, peer.port, LONG_S)
    assert (found.serial, found.address) == (0x006C061A, (peer.host, 44818))


def test_pieces_do_not_extend_the_time() -> None:
    """The time is that of the whole reply, not of each octet."""
    stop = threading.Event()
    whole = answer(item(name=b"x" * 200))

    def dribble() -> None:
        one, _ = listener.accept()
        with one:
            one.recv(1000)
            for at in range(len(whole)):
                if stop.wait(SHORT_S / 10):
                    break
                one.sendall(whole[at : at + 1])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=dribble, daemon=True)
        thread.start()
        try:
            with pytest.raises(Timeout, match=r"did not answer List Identity within 0\.05 s"):
                client.identify(*listener.getsockname(), SHORT_S)
        finally:
            stop.set()
            thread.join(LONG_S)


@pytest.mark.parametrize(
    ("octets", "error", "problem"),
    [
        (b"", Timeout, r"did not answer List Identity within 0\.05 s"),
        (None, RemoteProtocolError, "closed the connection before answering List Identity"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", RemoteProtocolError, "begins no reply"),
        (answer(), RemoteProtocolError, "has no identity"),
        (GARBAGE["refused"], RemoteProtocolError, "refused: EtherNet/IP status 0x0001, unsupported command"),
    ],
)
def test_identify_refused(octets: bytes | None, error: type[Exception], problem: str) -> None:
    """A peer that says nothing, or something else, is an error of the tree, and no socket is left open."""
    with Peer(lambda request, number: octets) as peer, pytest.raises(error, match=problem):
        client.identify(peer.host, peer.port, SHORT_S if octets == b"" else LONG_S)


def test_identify_nobody() -> None:
    """Where nobody listens, the system's error is raised."""
    with pytest.raises(ConnectionRefusedError):
        client.identify("127.0.0.1", silent_port())


# -- enip_client --discover


TABLE = "ADDRESS          VENDOR  TYPE  CODE  REVISION  SERIAL      STATUS  STATE  NAME"


@pytest.mark.parametrize("form", [["--discover", "{}:{}"], ["-a", "{}:{}", "--discover"]], ids=["host", "address"])
def test_command(form: list[str], plc_simulator: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    """--discover HOST, or of the address, prints a table of who answered."""
    assert main([one.format(*plc_simulator.address) for one in form]) == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert heading == TABLE
    assert line.split() == [
        f"127.0.0.1:{plc_simulator.address[1]}",
        *"1 14 54 20.11 0x006c061a 0x3060 3 1756-L61/B LOGIX5561".split(),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="not every system broadcasts on its loopback")
def test_command_of_all(
    plc_simulator_factory: Callable[..., Simulator],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """--discover alone asks all; with --json there is an object for each device."""
    port = plc_simulator_factory("SCADA", address=("", 0)).address[1]
    monkeypatch.setattr(sys.modules[client.discover.__module__], "BROADCAST", BROADCAST)
    assert main(["--discover", "-t", "0.5", "-a", f":{port}", "--json"]) == 0
    (found,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (found["address"], found["revision"], found["device_type"]) == (f"127.0.0.1:{port}", "20.11", 14)


def test_command_over_tcp(capsys: pytest.CaptureFixture[str]) -> None:
    """A host that is silent over UDP is asked over TCP."""
    with Peer(lambda octets, number: answer(item(port=peer.port))) as peer:
        assert main(["--discover", "{}:{}".format(*peer.address), "-t", "0.2"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("{}:{} ".format(*peer.address))


def test_command_of_nobody(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing answers: one line, and exit status 1."""
    port = silent_port()
    assert main(["--discover", f"127.0.0.1:{port}", "-t", "0.05"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith(f"enip_client: nothing answered on 127.0.0.1:{port} within 0.05 s; is a controller there?")
    asked: list[Any] = []
    monkeypatch.setattr(cli, "discover", lambda *arguments: asked.append(arguments) or [])
    assert main(["--discover"]) == 1
    assert asked == [(None, 1.0, 44818)]
    assert "nothing answered on port 44818 of any host of this network" in capsys.readouterr().err


def test_command_that_cannot_ask(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody can be asked: one line that says whom to ask instead, and exit status 3."""
    assert main(["--discover", "no-such-host.invalid"]) == 3
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("enip_client: cannot ask no-such-host.invalid on UDP port 44818 who is there: ")


@pytest.mark.parametrize("arguments", [["--discover", "localhost", "SCADA"], ["SCADA", "--discover"]])
def test_command_with_tags(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Tags have no place there: exit status 2, with the usage."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "--discover [HOST] only asks who is there; do 'SCADA' without it" in capsys.readouterr().err
