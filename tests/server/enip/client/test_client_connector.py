"""The connector over sockets, against a scripted peer that behaves, or does not."""

from __future__ import annotations

import gc
import socket
import struct
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from cpppo.errors import LocalProtocolError, RemoteProtocolError, Timeout, UsageError
from cpppo.server.enip import client
from cpppo.server.enip.client.connector import MAXIMUM_DEPTH, connector
from tests.server.enip.client.scripted import SESSION, Peer, bare, registered, reply, serve

#: Long enough that only a mistake reaches it; and short, for what must be reached.
LONG_S, SHORT_S = 10.0, 0.05


def after_register(then: Callable[[bytes, int], bytes | None]) -> Callable[[bytes, int], bytes | None]:
    """A script that registers sessions, and answers requests by ``then``."""
    return lambda request, number: registered(request) if request[0] == 0x65 else then(request, number)


def connected(peer: Peer, **kwds: Any) -> connector:
    return client.connector(peer.host, peer.port, timeout=kwds.pop("timeout", LONG_S), **kwds)


def test_synchronous() -> None:
    """Operations are done one by one; each gives number, description, request, reply, status, value."""
    operations = client.parse_operations(["SCADA[1]=99", "SCADA[0-2]", "NOPE", "@2/1/1[4]"])
    with Peer() as peer, connected(peer) as connection:
        assert connection.session == SESSION
        found = [(idx, dsc, sts, val) for idx, dsc, req, rpy, sts, val in connection.synchronous(operations)]
        connection.close()
    assert found == [
        (0, "Single Write Tag  SCADA", 0, True),
        (1, "Single Read  Tag  SCADA", 0, [0, 1, 2]),
        (2, "Single Read  Tag  NOPE", (4, [0]), None),
        (3, "Single Read  Tag  @0x0002/1/1[4]", 0, [4]),
    ]


def test_synchronous_waits_for_its_reader() -> None:
    """The next request goes out only when the results of the last were taken."""
    with Peer() as peer:
        connection = connected(peer)
        results = connection.synchronous(client.parse_operations(["A", "B"]))
        next(results)
        assert len(peer.requests) == 1
        next(results)
        assert len(peer.requests) == 2
        connection.close()


def test_fragment_and_index() -> None:
    """Fragmented services are used where forced, or where there is an offset; numbers start at the index."""
    operations = list(client.parse_operations(["A", "B[0-3]+2", "C=1"]))
    with Peer() as peer:
        connection = connected(peer)
        plain = [one.dsc for one in connection.synchronous(operations)]
        forced = [(one.idx, one.dsc) for one in connection.pipeline(operations, index=5, fragment=True)]
        connection.close()
    assert plain == ["Single Read  Tag  A", "Single Read  Frag B", "Single Write Tag  C"]
    assert forced == [(5, "Single Read  Frag A"), (6, "Single Read  Frag B"), (7, "Single Write Frag C")]


@pytest.mark.parametrize("depth", [1, 3, MAXIMUM_DEPTH + 50])
def test_pipeline_depth(depth: int) -> None:
    """So many requests are in flight, no more and no less: a peer that answers only when it has them all is served."""
    depth_held = min(depth, MAXIMUM_DEPTH)
    held: list[bytes] = []
    most = 0

    def script(request: bytes, number: int) -> bytes:
        nonlocal most
        held.append(reply(request, serve(bare(request))))
        most = max(most, len(held))
        if number % depth_held:  # request 1 is the first after registering
            return b""
        answers = b"".join(held)
        held.clear()
        return answers

    count = 3 * depth_held
    with Peer(after_register(script)) as peer:
        connection = connected(peer)
        operations = client.parse_operations([f"X[{number % 100}]" for number in range(count)])
        found = [(one.idx, one.val) for one in connection.pipeline(operations, depth=depth)]
        connection.close()
    assert found == [(number, [number % 100]) for number in range(count)]
    assert most == depth_held


def test_replies_out_of_order() -> None:
    """Results come in the order asked, although the replies come backwards."""
    held: list[bytes] = []

    def script(request: bytes, number: int) -> bytes:
        held.insert(0, reply(request, serve(bare(request))))
        return b"" if number % 4 else b"".join(held)

    with Peer(after_register(script)) as peer:
        connection = connected(peer)
        operations = client.parse_operations([f"X[{number}]" for number in range(4)])
        assert [one.val for one in connection.pipeline(operations, depth=4)] == [[0], [1], [2], [3]]
        connection.close()


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_multiple(depth: int) -> None:
    """Operations are packed; results keep their order, each with its status; numbers count requests sent."""
    texts = ["A[0-1]", "NOPE", "B[7]", "C=1"] * 5
    with Peer() as peer:
        connection = connected(peer)
        found = list(connection.operate(client.parse_operations(texts), multiple=250, depth=depth))
        connection.close()
    assert [one.val for one in found] == [[0, 1], None, [7], True] * 5
    assert [one.sts for one in found] == [0, (4, [0]), 0, 0] * 5
    assert sorted({one.idx for one in found}) == list(range(len(peer.requests)))
    assert 1 < len(peer.requests) < len(texts)
    assert all(len(request) <= 250 for request in peer.requests)


def test_results_and_process(caplog: pytest.LogCaptureFixture) -> None:
    """results gives values alone; process counts the failures, of writes too."""
    texts = ["T[1-3]=1,2,3", "T[1-3]", "NOPE=1", "NOPE"]
    with Peer() as peer:
        connection = connected(peer)
        assert list(connection.results(client.parse_operations(texts))) == [True, [1, 2, 3], None, None]
        assert connection.process(client.parse_operations(texts), depth=2) == (2, [True, [1, 2, 3], None, None])
        assert not caplog.records
        list(connection.operate(client.parse_operations(texts), validating=True))
        connection.close()
    assert [record.message.partition(" returned")[0] for record in caplog.records] == [
        "Client Single Write Tag  NOPE",
        "Client Single Read  Tag  NOPE",
    ]


def test_process_printing(capsys: pytest.CaptureFixture[str]) -> None:
    """Printing shows a line an operation and gives the values written; a failed write stays a failure."""
    with Peer() as peer:
        connection = connected(peer)
        operations = client.parse_operations(["T[1-2]=1,2", "T[1-2]", "NOPE=1"])
        assert connection.process(operations, printing=True) == (1, [[1, 2], [1, 2], None])
        connection.close()
    assert capsys.readouterr().out.splitlines() == [
        "                   T[    1-2    ] <= [1, 2]: 'OK'",
        "                   T[    1-2    ] == [1, 2]: 'OK'",
        "                NOPE              <= [1]: 'Status 4 [0]'",
    ]


@pytest.mark.parametrize("depth", [0, 1, 10])
def test_a_wrong_operation_comes_after_those_before_it(depth: int) -> None:
    """An operation that cannot be understood raises its error when those before it have given their results."""
    found = []
    with Peer() as peer:
        connection = connected(peer)
        with pytest.raises(UsageError, match=r"'X\['"):
            for one in connection.operate(client.parse_operations(["A[1]", "A[2]", "X[", "A[3]"]), depth=depth):
                found.append(one.val)
        assert found == [[1], [2]]
        assert list(connection.results([{"path": "A[4]"}])) == [[4]], "and the connection goes on"
        connection.close()


@pytest.mark.parametrize("depth", [0, 1, 10])
def test_a_request_too_large_comes_after_those_before_it(depth: int) -> None:
    """An operation that no frame takes raises its error when those before it have given their results."""
    found = []
    with Peer() as peer:
        connection = connected(peer)
        with pytest.raises(LocalProtocolError, match="do it in parts"):
            for one in connection.operate(
                [{"path": "A[1]"}, {"path": "A[2]"}, {"path": "A", "data": [0] * 33000, "offset": 0}, {"path": "A[3]"}],
                depth=depth,
            ):
                found.append(one.val)
        assert found == [[1], [2]]
        assert list(connection.results([{"path": "A[4]"}])) == [[4]], "and the connection goes on"
        connection.close()


def test_what_came_before_sending_failed_is_given() -> None:
    """Results whose replies were received are given before the error of a request that could not be sent."""
    held: list[bytes] = []

    def script(request: bytes, number: int) -> bytes:
        held.append(reply(request, serve(bare(request))))
        return b"" if number % 3 else b"".join(held)

    with Peer(after_register(script)) as peer:
        connection = connected(peer)
        results = connection.results(client.parse_operations([f"X[{n}]" for n in range(9)]), depth=3)
        found = [next(results)]
        connection._socket.shutdown(socket.SHUT_WR)
        with pytest.raises(RemoteProtocolError, match="broke"):
            for value in results:
                found.append(value)
        connection.close()
    assert found == [[0], [1], [2]]


def test_sending_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that could not be sent in time is a Timeout, also when others are in flight."""
    with Peer(after_register(lambda request, number: b"")) as peer:
        connection = connected(peer)
        send = connection._send

        def slow(octets: bytes) -> None:
            if b"Late" in octets:
                raise Timeout(str(connection.exchange.end("it took no request")))
            send(octets)

        monkeypatch.setattr(connection, "_send", slow)
        with pytest.raises(Timeout, match="took no request before answering Read Tag X"):
            list(connection.results(client.parse_operations(["X", "Late"]), depth=2))
        connection.close()


def test_close_wakes_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits for a reply without limit gets an error when another closes the connection."""
    waiting, raised = threading.Event(), []

    def wait() -> None:
        try:
            connection.collect()
        except RemoteProtocolError as exc:
            raised.append(str(exc))

    with Peer(after_register(lambda request, number: b"")) as peer:
        connection = connected(peer, timeout=None)
        connection.read("X")
        allow = connection._allow

        def about_to_wait(timeout: float | None) -> None:
            allow(timeout)
            waiting.set()

        monkeypatch.setattr(connection, "_allow", about_to_wait)
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        assert waiting.wait(LONG_S)
        connection.close()
        thread.join(LONG_S)
    assert raised == ["it was closed before answering Read Tag Fragmented X"]


def test_records_can_be_changed() -> None:
    """Changing the request record of a call or a result changes nothing that is sent later."""
    with Peer() as peer:
        connection = connected(peer)
        for _ in range(2):
            record = connection.read("X[1]")
            assert record.data.elements == 1
            record.data.elements = 7
            assert connection.collect().val == [1]
            for depth, multiple in ((0, 0), (2, 0), (2, 500)):
                for result in connection.operate([{"path": "X[1]"}] * 2, depth=depth, multiple=multiple):
                    assert (result.val, result.req.data.elements) == ([1], 1)
                    result.req.data.elements = 7
        connection.close()


def test_low_level() -> None:
    """Low-level calls give the request record; await_response gives the results in the order asked."""
    with Peer() as peer:
        connection = connected(peer)
        assert connection.read("X", send=False).service == 0x52
        assert connection.read("X", offset=None, send=False).service == 0x4C
        assert peer.requests == []
        assert client.await_response(connection)[0] is None
        assert connection.read("X[2-3]").data.elements == 2
        connection.write("X", [1.5], tag_type=0xCA, offset=None)
        connection.get_attribute_single("@1/1/7", route_path=[])
        connection.get_attributes_all([{"class": 1}, {"instance": 1}])
        connection.set_attribute_single("@1/1/7", [1, 2], sender_context=b"mine")
        found = [client.await_response(connection, LONG_S) for _ in range(5)]
        connection.close()
    assert [result.val for result, elapsed in found if result and elapsed >= 0] == [
        [2, 3],
        True,
        list(b"\3abc"),
        list(b"\3abc"),
        True,
    ]
    assert [bare(request)[0] for request in peer.requests] == [0x52, 0x4D, 0x0E, 0x01, 0x10]
    assert peer.requests[2][40] == 0x0E, "an empty route sends it bare"
    assert peer.requests[4][12:20] == b"mine\0\0\0\0"


def test_low_level_is_late() -> None:
    """await_response gives nothing where no reply comes in time; that request is given up."""
    with Peer(after_register(lambda request, number: b"")) as peer:
        connection = connected(peer)
        connection.read("X")
        assert client.await_response(connection, SHORT_S)[0] is None
        assert client.await_response(connection, SHORT_S)[0] is None
        connection.close()


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_timeout(depth: int) -> None:
    """A reply that never comes is a Timeout that names operation and time; what comes late is nobody else's."""
    held: list[bytes] = []

    def script(request: bytes, number: int) -> bytes:
        answer = reply(request, serve(bare(request)))
        if b"Late" in request:
            held.append(answer)
            return b""
        return b"".join([*held, answer])

    with Peer(after_register(script)) as peer:
        connection = connected(peer)
        started = monotonic()
        with pytest.raises(Timeout, match=r"did not answer Read Tag Late\[3-5\] within 0\.\d\d\d s") as caught:
            list(connection.operate(client.parse_operations(["Late[3-5]", "Late"]), depth=depth, timeout=SHORT_S))
        assert isinstance(caught.value, TimeoutError)
        assert SHORT_S * 0.9 <= monotonic() - started < LONG_S
        assert list(connection.results(client.parse_operations(["X[7]", "X[8]"]), depth=depth)) == [[7], [8]]
        connection.close()


def test_dribbled_octets_do_not_extend_the_time() -> None:
    """The time allowed is that of the whole reply, not of each octet."""
    stop = threading.Event()

    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        one, _ = listener.accept()
        with one:
            one.sendall(registered(one.recv(1000)))
            one.recv(1000)
            while not stop.wait(SHORT_S / 20):
                one.sendall(struct.pack("<HHII8sI", 0x6F, 0, SESSION, 0, b"nobodys!", 0)[:24])

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        connection = client.connector(*listener.getsockname(), timeout=LONG_S)
        with pytest.raises(Timeout):
            list(connection.results([{"path": "X"}], timeout=SHORT_S * 2))
    finally:
        stop.set()
        thread.join(LONG_S)
        listener.close()
    connection.close()


def test_time_of_nothing_takes_what_is_there() -> None:
    """With a time-out of 0 a reply that is there already is still taken, and none is waited for."""
    with Peer(after_register(lambda r, n: reply(r, serve(bare(r))) if n < 2 else b"")) as peer:
        connection = connected(peer)
        connection.read("X[1]")
        assert connection._socket.recv(1, socket.MSG_PEEK)  # it is there now
        result, _ = client.await_response(connection, 0)
        assert result is not None and result.val == [1]
        connection.read("X[2]")
        result, elapsed = client.await_response(connection, 0)
        assert result is None and elapsed < LONG_S / 2
        connection.close()


FAULTS: dict[str, tuple[Callable[[bytes, int], bytes | None], str]] = {
    "hangs up": (lambda request, number: None, "closed the connection before answering Read Tag X"),
    "cut in a frame": (
        lambda request, number: None if number > 1 else reply(request, serve(bare(request)))[:30],
        "in the middle of a frame, 30 octets into it",
    ),
    "refuses": (lambda request, number: struct.pack("<HHII8sI", 0x6F, 0, 0, 0x64, request[12:20], 0), "0x0064"),
    "garbage": (lambda request, number: reply(request, b"\xff" * 50), "octet|service"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("depth", [0, 2])
def test_faults(fault: str, depth: int) -> None:
    """A peer that fails is a RemoteProtocolError once; the next use says that the connection is over."""
    script, problem = FAULTS[fault]
    with Peer(after_register(script)) as peer:
        connection = connected(peer)
        with pytest.raises(RemoteProtocolError, match=problem):
            list(connection.operate(client.parse_operations(["X", "X"]), depth=max(depth, 2 * ("cut" in fault))))
        for use in (lambda: list(connection.results([{"path": "X"}])), lambda: connection.read("X")):
            with pytest.raises(LocalProtocolError, match="this connection is over, open a new one"):
                use()
        connection.close()
        connection.close()


def test_reset() -> None:
    """A connection that is reset is an error of the tree that names the operation."""

    def script(request: bytes, number: int) -> bytes | None:
        accepted = peer._sockets[0]
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        return b""

    with Peer(after_register(script)) as peer:
        connection = connected(peer)
        with pytest.raises(RemoteProtocolError, match=r"broke \(.*reset.*\) before answering Read Tag X"):
            list(connection.results([{"path": "X"}]))
        connection.close()


def test_what_came_before_a_fault_is_given() -> None:
    """Results received before the peer failed are given first, even those of the same portion of octets."""
    held: list[bytes] = []

    def script(request: bytes, number: int) -> bytes:
        held.append(reply(request, serve(bare(request))) if number < 3 else b"\xff" * 30)
        return b"" if number < 3 else b"".join(held)

    with Peer(after_register(script)) as peer:
        connection = connected(peer)
        found = []
        with pytest.raises(RemoteProtocolError, match="command 0xffff"):
            for value in connection.results(client.parse_operations([f"X[{n}]" for n in range(9)]), depth=3):
                found.append(value)
        assert found == [[0], [1]]
        with pytest.raises(LocalProtocolError, match="is over"):
            next(connection.results([{"path": "X"}], depth=3))
        connection.close()


def test_no_connection() -> None:
    """Where nobody listens, the system's error is raised."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        client.connector("127.0.0.1", port, timeout=LONG_S)


@pytest.mark.parametrize(
    ("script", "error", "problem"),
    [
        (lambda request, number: b"", Timeout, "did not answer Register Session within"),
        (lambda request, number: None, RemoteProtocolError, "before answering Register Session"),
        (lambda request, number: b"HTTP/1.1 400 Bad Request\r\n\r\n", RemoteProtocolError, "command 0x5448"),
        (lambda request, number: b"\x65\0\xff\xff" + bytes(20), RemoteProtocolError, "65535 octets"),
    ],
)
def test_no_session(script: Any, error: Any, problem: str) -> None:
    """A peer that grants no session is an error, and no socket is left open."""
    with Peer(script) as peer:
        with pytest.raises(error, match=problem):
            connected(peer, timeout=SHORT_S)
    gc.collect()


def test_ipv6() -> None:
    """Addresses of IP version 6 are understood."""
    try:
        peer = Peer(family=socket.AF_INET6)
    except OSError as exc:
        pytest.skip(f"this host has no IPv6 loopback: {exc}")
    with peer:
        connection = connected(peer)
        assert str(connection) == f"[::1]:{peer.port}"
        assert list(connection.results([{"path": "X[5]"}])) == [[5]]
        connection.close()


def test_exclusive_use() -> None:
    """Inside ``with`` other threads wait; after it the connection is still open."""
    inside = threading.Event()
    found: list[Any] = []

    def other() -> None:
        inside.wait(LONG_S)
        found.extend(connection.results([{"path": "X[2]"}]))

    with Peer() as peer:
        connection = connected(peer)
        thread = threading.Thread(target=other)
        with connection:
            thread.start()
            inside.set()
            for number in range(50):
                assert list(connection.results([{"path": f"X[{number}]"}])) == [[number]]
            assert found == []
        thread.join(LONG_S)
        assert found == [[2]]
        connection.close()


def test_threads_take_turns() -> None:
    """Threads that share a connection each get their own results."""
    wrong: list[Any] = []

    def work(tag: int) -> None:
        operations = [{"path": f"X[{tag + number}]"} for number in range(50)]
        values = list(connection.results(operations, depth=tag % 3))
        if values != [[tag + number] for number in range(50)]:
            wrong.append((tag, values))

    with Peer() as peer:
        connection = connected(peer)
        threads = [threading.Thread(target=work, args=(tag,)) for tag in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG_S)
        connection.close()
    assert wrong == []


def test_a_pipeline_left_early() -> None:
    """When results are not all taken, the replies still in flight are nobody else's."""
    with Peer() as peer:
        connection = connected(peer)
        results = connection.pipeline(client.parse_operations([f"X[{n}]" for n in range(10)]), depth=5)
        assert next(results).val == [0]
        results.close()  # type: ignore[attr-defined]
        assert list(connection.results([{"path": "X[77]"}])) == [[77]]
        connection.close()


def test_close() -> None:
    """A closed connection says so at its next use; one that is forgotten closes its socket."""
    with Peer() as peer:
        connection = connected(peer)
        connection.close()
        with pytest.raises(LocalProtocolError, match="it was closed"):
            connection.read("X")
        forgotten = connected(peer)
        handle = forgotten._socket
        del forgotten
        gc.collect()
        assert handle.fileno() == -1


def test_controller_is_an_alias() -> None:
    """controller is another name of connector."""
    assert client.controller is client.connector
