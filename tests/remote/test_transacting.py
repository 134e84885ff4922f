"""Clients against devices that answer wrongly, slowly, in pieces, or not at all."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.framer import FramerType

from cpppo.errors import Error, UsageError
from cpppo.remote.framing import rtu_frame, tcp_frame
from cpppo.remote.pdu import reply_values, request_read, request_write
from cpppo.remote.pymodbus_fixes import modbus_client_rtu, modbus_client_tcp
from cpppo.remote.transacting import BadReply, NoAnswer, NotConnected
from tests.remote.scripted import SerialDevice, TcpDevice

READ = request_read(3, 0, 2)
GOOD = bytes.fromhex("03 04 0007 0008")
Part = bytes | None


def tcp(request: bytes, pdu: bytes = GOOD, *, number: int = 0, unit: int = 0) -> bytes:
    """A reply to a request, its transaction and unit moved by so many."""
    return tcp_frame(int.from_bytes(request[:2], "big") + number & 0xFFFF, request[6] + unit, pdu)


def rtu(request: bytes, pdu: bytes = GOOD, *, unit: int = 0) -> bytes:
    return rtu_frame(request[0] + unit, pdu)


def client_of(device: TcpDevice | SerialDevice, timeout: float = 10.0, **kwds: Any) -> Any:
    if isinstance(device, TcpDevice):
        return modbus_client_tcp("127.0.0.1", device.port, timeout=timeout, **kwds)
    return modbus_client_rtu(port=device.path, timeout=timeout, baudrate=115200, **kwds)


def good(request: bytes) -> bytes:
    """The reply of a device that does as it should, on either transport."""
    return tcp(request) if request[2:4] == b"\0\0" and len(request) == 12 else rtu(request)


@pytest.fixture(params=[TcpDevice, SerialDevice])
def transport(request: pytest.FixtureRequest) -> type[TcpDevice] | type[SerialDevice]:
    kind: type[TcpDevice] | type[SerialDevice] = request.param
    return kind


Transport = type[TcpDevice] | type[SerialDevice]


# ------------------------------------------------------------------ both transports
def test_a_reply(transport: Transport) -> None:
    """A request goes out once; its reply comes back; the connection is used again."""
    with transport(lambda request: iter([good(request)])) as device:
        client = client_of(device)
        assert [reply_values(READ, client.transact(READ)) for _ in range(3)] == [[7, 8]] * 3
        assert len(device.requests) == 3
        client.close()


def test_a_reply_in_single_octets(transport: Transport) -> None:
    """However a reply is cut, it is one reply."""
    with transport(lambda request: (bytes((octet,)) for octet in good(request))) as device:
        client = client_of(device)
        assert client.transact(READ) == GOOD
        client.close()


def test_no_answer(transport: Transport) -> None:
    """A device that never answers costs the time-out, once, and the request is sent once: a write, too."""
    with transport(lambda request: iter([])) as device:
        client = client_of(device, timeout=0.2)
        write = request_write(6, 0, [1])
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match="no answer in time"):
            client.transact(write)
        assert 0.2 <= time.monotonic() - begun < 2
        assert len(device.requests) == 1
        client.close()


def test_a_device_that_dribbles(transport: Transport) -> None:
    """Octets that keep coming do not keep the time-out from ending the transaction."""

    def dribble(request: bytes) -> Iterator[Part]:
        reply = good(request)
        yield reply[:3]
        for octet in reply[3:-1]:
            device.ended.wait(0.05)
            yield bytes((octet,))

    with transport(dribble) as device:
        client = client_of(device, timeout=0.2)
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match="no answer in time"):
            client.transact(READ)
        assert time.monotonic() - begun < 2
        client.close()


def test_a_device_that_floods(transport: Transport) -> None:
    """Replies without end to what was not asked do not keep the time-out away, either."""

    def flood(request: bytes) -> Iterator[Part]:
        other = tcp(request, number=1) if transport is TcpDevice else rtu(request, unit=1)
        while not device.ended.is_set() and not over.is_set():
            yield other * 10

    over = threading.Event()
    with transport(flood) as device:
        client = client_of(device, timeout=0.3)
        with pytest.raises((BadReply, NoAnswer), match="octets that answer nothing|but unit 2 answered"):
            client.transact(READ)
        over.set()
        client.close()


def test_a_budget_for_several_transactions() -> None:
    """Seconds set are for all that follows together; reading gives what is left; None gives each its own again."""
    with TcpDevice(lambda request: iter([good(request)] if len(device.requests) == 1 else [])) as device:
        client = client_of(device, timeout=30.0)
        with client:
            assert client.timeout == 30
            client.timeout = 0.3
            client.transact(READ)
            assert 0 < client.timeout < 0.3
            begun = time.monotonic()
            with pytest.raises(NoAnswer):
                client.transact(READ)
            assert time.monotonic() - begun < 2
            assert client.timeout == 0
            client.timeout = True
            assert 29 < client.timeout <= 30
            client.timeout = None
            assert client.timeout == 30
        client.close()


def test_the_lock() -> None:
    """Who holds the client has it alone: another thread's transaction waits."""
    with TcpDevice(lambda request: iter([good(request)])) as device:
        client = client_of(device)
        done = threading.Event()
        other = threading.Thread(target=lambda: (client.transact(READ), done.set()))
        with client:
            other.start()
            assert client.transact(READ) == GOOD
            assert not done.is_set()
            assert len(device.requests) == 1
        other.join(10)
        assert done.is_set()
        client.close()


@pytest.mark.parametrize("unit", [-1, 256])
def test_units_that_are_none(unit: int) -> None:
    """A unit is an octet; what is not is refused before anything is sent."""
    with pytest.raises(UsageError, match=f"a unit is 0 to 255, not {unit}"):
        modbus_client_tcp().transact(READ, unit)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_time_outs_that_are_none(timeout: float) -> None:
    """A time-out is a time of more than nothing."""
    with pytest.raises(ValueError, match="a time-out is a time in seconds"):
        modbus_client_tcp(timeout=timeout)


def test_aborting(transport: Transport) -> None:
    """Another thread can end a transaction that waits, at once."""
    asked = threading.Event()

    def silent(request: bytes) -> Iterator[Part]:
        asked.set()
        return iter([])

    with transport(silent) as device:
        client = client_of(device, timeout=60)
        caught: list[Exception] = []

        def wait() -> None:
            try:
                client.transact(READ)
            except Error as exc:
                caught.append(exc)

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert asked.wait(10)
        client.abort()
        waiting.join(10)
        assert [type(exc).__mro__[2] for exc in caught] == [NoAnswer]
        client.close()


def test_what_pymodbus_users_call(transport: Transport) -> None:
    """pymodbus' own methods go the same way: its responses, its exceptions, its ExceptionResponse."""
    replies = [GOOD, bytes.fromhex("83 02"), bytes.fromhex("03 02 0001")]

    def script(request: bytes) -> Iterator[Part]:
        pdu = replies.pop(0)
        yield tcp(request, pdu) if transport is TcpDevice else rtu(request, pdu)

    with transport(script) as device:
        client = client_of(device, timeout=0.5)
        assert client.read_holding_registers(0, count=2, device_id=1).registers == [7, 8]
        refused = client.read_holding_registers(0, count=2, device_id=1)
        assert refused.isError() and refused.exception_code == 2
        with pytest.raises(ModbusIOException, match="2 octets of data, where 4 were asked"):
            client.read_holding_registers(0, count=2, device_id=1)
        client.close()


# ------------------------------------------------------------------ TCP
@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (lambda r: tcp(r, unit=1), "unit 2 answered, where 1 was asked"),
        (lambda r: tcp(r, bytes.fromhex("04 04 0007 0008")), "a reply to function 4, where 3 was asked"),
        (lambda r: tcp(r, bytes.fromhex("03 02 0007")), "2 octets of data, where 4 were asked"),
        (lambda r: tcp(r, bytes.fromhex("03 06 0007 0008 0009")), "6 octets of data, where 4 were asked"),
        (lambda r: tcp(r)[:3] + b"\1" + tcp(r)[4:], "protocol 1 in a Modbus/TCP header, not 0"),
        (lambda r: tcp(r)[:4] + b"\xff\xff" + tcp(r)[6:], "length 65535 in a Modbus/TCP header, not 2 to 254"),
        (lambda r: tcp(r)[:4] + b"\0\1" + tcp(r)[6:], "length 1 in a Modbus/TCP header"),
        (lambda r: b"HTTP/1.1 400 Bad Request\r\n\r\n", "protocol 21584 in a Modbus/TCP header"),
    ],
)
def test_tcp_replies_that_are_none(reply: Callable[[bytes], bytes], told: str) -> None:
    """They are told as what they are, at once, and the connection is not used again."""
    with TcpDevice(lambda request: iter([reply(request) if len(device.requests) == 1 else tcp(request)])) as device:
        client = client_of(device)
        with pytest.raises(BadReply, match=f"127.0.0.1:{device.port}: {told}"):
            client.transact(READ)
        assert client.socket is None
        assert client.transact(READ) == GOOD
        client.close()


def test_late_replies_are_told_apart() -> None:
    """What comes before the reply, to other transactions, is left out."""
    with TcpDevice(lambda r: iter([tcp(r, b"\x83\2", number=-1) + tcp(r, number=7) + tcp(r)])) as device:
        client = client_of(device)
        assert client.transact(READ) == GOOD
        client.close()


def test_a_reply_that_comes_after_the_time_out() -> None:
    """It is not taken for the reply to the next request, which goes over the same connection."""
    late: list[bytes] = []

    def script(request: bytes) -> Iterator[Part]:
        if not late:
            late.append(tcp(request, bytes.fromhex("03 04 dead beef")))
            return
        yield late[0] + tcp(request)

    with TcpDevice(script) as device:
        client = client_of(device, timeout=0.2)
        with pytest.raises(NoAnswer):
            client.transact(READ)
        client.timeout = 10
        assert client.transact(READ) == GOOD
        assert device.connections == 1
        client.close()


def test_a_reply_that_stops_half_way() -> None:
    """Its rest must not be taken for the beginning of another: the connection is given up."""
    with TcpDevice(lambda r: iter([tcp(r)[:-1]] if device.connections == 1 else [tcp(r)])) as device:
        client = client_of(device, timeout=0.2)
        with pytest.raises(NoAnswer, match="but a part of one"):
            client.transact(READ)
        client.timeout = 10
        assert client.transact(READ) == GOOD
        assert device.connections == 2
        client.close()


def test_a_connection_that_stays_silent() -> None:
    """After three requests without an answer another connection is tried."""
    with TcpDevice(lambda r: iter([] if device.connections == 1 else [tcp(r)])) as device:
        client = client_of(device, timeout=0.1)
        for held in (True, True, False):
            with pytest.raises(NoAnswer):
                client.transact(READ)
            assert (client.socket is not None) is held
        client.timeout = 10
        assert client.transact(READ) == GOOD
        client.close()


def test_a_device_that_closes() -> None:
    """The end of a connection before the answer is told as that; the next request goes over a new one."""
    with TcpDevice(lambda r: iter([None] if device.connections == 1 else [tcp(r)])) as device:
        client = client_of(device)
        with pytest.raises(NoAnswer, match="closed the connection before an answer came"):
            client.transact(READ)
        assert client.transact(READ) == GOOD
        client.close()


def test_no_connection() -> None:
    """Nobody listens, or no such host: NotConnected, also pymodbus' ConnectionException; connect() says False."""
    with TcpDevice(lambda r: iter([])) as device:
        pass
    for host in ("127.0.0.1", "no-such-host.invalid", "a..b"):
        client = modbus_client_tcp(host, device.port, timeout=10)
        assert not client.connect()
        with pytest.raises(NotConnected, match=f"{host}:{device.port}: no connection: ") as caught:
            client.transact(READ)
        assert isinstance(caught.value, ConnectionException)


def test_connecting_has_a_time_out() -> None:
    """A host that takes no connections (a full backlog) costs the time-out, not the system's minutes."""

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        held = [socket.socket() for _ in range(4)]
        for one in held:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        client = modbus_client_tcp("127.0.0.1", listener.getsockname()[1], timeout=0.2)
        begun = time.monotonic()
        with pytest.raises(Error, match="no connection in time|no answer in time"):
            client.transact(READ)
        assert time.monotonic() - begun < 2
        for one in held:
            one.close()


def test_other_framings_are_refused() -> None:
    """RTU over TCP is had from the client for RTU, and that is said."""
    with pytest.raises(TypeError, match="modbus_client_rtu.port='socket://host:port'"):
        modbus_client_tcp(framer=FramerType.RTU)


def test_rtu_over_tcp() -> None:
    """The RTU client over a TCP connection, as gateways have it."""
    with TcpDevice(lambda request: iter([rtu(request)])) as device:
        client = modbus_client_rtu(port=f"socket://127.0.0.1:{device.port}", timeout=10)
        assert [client.transact(READ) for _ in range(2)] == [GOOD, GOOD]
        client.close()


# ------------------------------------------------------------------ RTU
@pytest.mark.parametrize("noise", ["ff", "00", "01", "0103", "0103f0", "8302", "01 83", "a5" * 40, "0104040007"])
@pytest.mark.parametrize("apart", [False, True])
def test_noise_before_a_reply(noise: str, apart: bool) -> None:
    """Whatever precedes it, the frame whose checksum is right is found."""
    parts = [bytes.fromhex(noise)]
    with SerialDevice(lambda r: iter([*parts, rtu(r)] if apart else [parts[0] + rtu(r)])) as device:
        client = client_of(device)
        assert client.transact(READ) == GOOD
        client.close()


def test_a_frame_with_a_bad_checksum() -> None:
    """It is no reply; a good one behind it is."""
    with SerialDevice(lambda r: iter([rtu(r)[:-1] + b"\0" + (rtu(r) if len(device.requests) > 1 else b"")])) as device:
        client = client_of(device, timeout=0.2)
        with pytest.raises(NoAnswer):
            client.transact(READ)
        client.timeout = 10
        assert client.transact(READ) == GOOD
        client.close()


def test_other_units_on_the_line() -> None:
    """Replies of other units, and to other requests, are none to ours."""
    other = request_read(3, 0, 1)

    def script(request: bytes) -> Iterator[Part]:
        yield rtu(request, unit=1) + rtu(request, bytes.fromhex("04 04 dead beef")) + rtu(request, b"\3\2\1\1")
        if len(device.requests) > 1:
            yield rtu(request)

    with SerialDevice(script) as device:
        client = client_of(device, timeout=0.2)
        with pytest.raises(NoAnswer, match="no answer in time, but 2 octets of data, where 4 were asked"):
            client.transact(READ)
        client.timeout = 10
        assert client.transact(READ) == GOOD
        assert client.transact(other, 2) == b"\3\2\1\1"
        client.close()


def test_what_lies_on_the_line_already() -> None:
    """A reply that came after its time-out is not taken for that to the next request."""
    with SerialDevice(lambda r: iter([rtu(r, bytes.fromhex("03 04 0001 0001")), rtu(r)][-1:])) as device:
        client = client_of(device)
        client.transact(READ)

        os.write(device.master, rtu(b"\1", bytes.fromhex("03 04 dead beef")))
        while not client.socket.in_waiting:
            pass
        assert client.transact(READ) == GOOD
        client.close()


def test_a_line_with_an_echo() -> None:
    """Where the line gives back what is sent, a write is confirmed by the device alone."""
    with SerialDevice(lambda request: iter([request, request] if len(device.requests) > 1 else [request])) as device:
        client = client_of(device, timeout=0.2, handle_local_echo=True)
        write = request_write(6, 1, [5])
        with pytest.raises(NoAnswer):
            client.transact(write)
        client.timeout = 10
        assert client.transact(write) == write
        client.close()


def test_broadcasts_are_not_answered() -> None:
    """To unit 0 a request is sent, and no answer is awaited."""
    sent = threading.Event()

    def script(request: bytes) -> Iterator[Part]:
        sent.set()
        return iter([])

    with SerialDevice(script) as device:
        client = client_of(device, timeout=60)
        assert client.transact(request_write(6, 1, [5]), 0) == b""
        assert sent.wait(10)
        assert device.requests == [rtu_frame(0, request_write(6, 1, [5]))]
        begun = time.monotonic()
        assert client.transact(request_write(6, 1, [6]), 0) == b""
        assert time.monotonic() - begun > 0.05, "all units are given time to do it"
        client.close()


def test_a_serial_device_that_is_unplugged() -> None:
    """It is told as what it is, while waiting, and when it cannot be opened; another one in its place is used."""
    with SerialDevice(lambda request: iter([rtu(request)])) as device:
        client = client_of(device, timeout=0.5)
        assert client.transact(READ) == GOOD
        device.unplug()
        with pytest.raises(Error, match=f"{device.path}: (cannot be|no connection|no answer)"):
            client.transact(READ)
        with pytest.raises(NotConnected, match=f"{device.path}: no connection: .*No such file"):
            client.transact(READ)
    with SerialDevice(lambda request: iter([rtu(request)])) as device:
        client.comm_params.host = device.path
        client.timeout = 10
        assert client.transact(READ) == GOOD
        client.close()


def test_the_silence_between_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests are 3.5 characters apart, as the line's rate makes them."""
    paused: list[float] = []
    monkeypatch.setattr("cpppo.remote.transacting.time.sleep", paused.append)
    with SerialDevice(lambda request: iter([rtu(request)])) as device:
        client = modbus_client_rtu(port=device.path, baudrate=300, timeout=10)
        client.transact(READ)
        client.transact(READ)
        assert len(paused) == 1
        assert 0.1 < paused[0] <= 3.5 * 11 / 300
        client.close()


def test_a_late_answer_is_not_taken_for_another() -> None:
    """A frame does not tell what it answers: after a time-out, a unit's late answer is awaited before it is asked."""
    late: list[bytes] = []

    def script(request: bytes) -> Iterator[Part]:
        if not late:
            late.append(rtu(request, bytes.fromhex("03 04 dead beef")))
            device.ended.wait(0.3)
            yield late[0]
        else:
            yield rtu(request)

    with SerialDevice(script) as device:
        client = client_of(device, timeout=0.2)
        with pytest.raises(NoAnswer):
            client.transact(READ)
        assert client.transact(READ) == GOOD
        client.close()


def test_other_units_need_not_wait_for_a_late_answer() -> None:
    """Who answers can be told: only the unit that was late is waited for, and no longer than twice the time-out."""
    with SerialDevice(lambda r: iter([rtu(r)] if r[0] == 2 or len(device.requests) > 2 else [])) as device:
        client = client_of(device, timeout=0.3)
        with pytest.raises(NoAnswer):
            client.transact(READ, 1)
        begun = time.monotonic()
        assert client.transact(READ, 2) == GOOD
        assert time.monotonic() - begun < 0.3
        assert client.transact(READ, 1) == GOOD
        assert 0.5 < time.monotonic() - begun < 5
        client.close()


def test_others_have_the_line_while_a_late_answer_is_awaited() -> None:
    """A unit that does not answer costs the others of its line its time-out, and not twice that again."""
    with SerialDevice(lambda r: iter([rtu(r)] if r[0] == 2 else [])) as device:
        client = client_of(device, timeout=0.5)
        with pytest.raises(NoAnswer):
            client.transact(READ, 1)
        silent = threading.Thread(target=lambda: pytest.raises(NoAnswer, client.transact, READ, 1))
        silent.start()
        answers = 0
        while [request[0] for request in device.requests].count(1) < 2:
            assert client.transact(READ, 2) == GOOD
            answers += 1
        assert answers >= 5
        silent.join(10)
        client.close()


def test_a_late_answer_among_those_of_others() -> None:
    """It is known when it comes, whoever waits then: its unit is asked again at once."""

    def script(request: bytes) -> Iterator[Part]:
        if len(device.requests) > 1:
            yield from [rtu(request, unit=-1)] if request[0] == 2 else []
            yield rtu(request)

    with SerialDevice(script) as device:
        client = client_of(device, timeout=1.0)
        with pytest.raises(NoAnswer):
            client.transact(READ, 1)
        assert client.transact(READ, 2) == GOOD
        begun = time.monotonic()
        assert client.transact(READ, 1) == GOOD
        assert time.monotonic() - begun < 0.5
        client.close()


def test_a_line_that_does_not_fall_silent() -> None:
    """Nothing is sent into a flood, and it ends with the time-out."""

    def flood(request: bytes) -> Iterator[Part]:
        while not device.ended.is_set():
            yield b"\xff" * 4096

    with TcpDevice(flood) as device:
        client = modbus_client_rtu(port=f"socket://127.0.0.1:{device.port}", timeout=0.3)
        with pytest.raises(NoAnswer):
            client.transact(READ)
        with pytest.raises(NotConnected, match="the line does not fall silent"):
            client.transact(READ)


def test_a_device_that_hung_up_meanwhile() -> None:
    """Devices close what is idle: that is seen before a request is lost in it."""
    with TcpDevice(lambda request: iter([tcp(request), None])) as device:
        client = client_of(device)
        assert client.transact(READ) == GOOD
        while client.socket.recv(1, socket.MSG_PEEK):
            pass  # until its end is there
        assert client.transact(READ) == GOOD
        assert (len(device.requests), device.connections) == (2, 2)
        client.close()


def test_a_name_with_several_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not answer leaves time for the others, and all together have one budget."""
    with socket.socket() as full, TcpDevice(lambda request: iter([tcp(request)])) as device:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):  # from now on it answers nobody
            places = [full.getsockname(), ("127.0.0.1", device.port)]
            monkeypatch.setattr(
                socket,
                "getaddrinfo",
                lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", at) for at in places],
            )
            client = modbus_client_tcp("name", timeout=0.6)
            assert client.transact(READ) == GOOD
            client.close()
            places[:] = [full.getsockname()] * 3
            begun = time.monotonic()
            with pytest.raises(NotConnected, match="no connection in time"):
                client.transact(READ)
            assert time.monotonic() - begun < 1.2


def test_retiring_while_it_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes of opening a connection then is closed, and no other is opened."""
    asked, goes_on, found = threading.Event(), threading.Event(), socket.getaddrinfo

    def slow(*place: Any, **kwds: Any) -> Any:
        asked.set()
        assert goes_on.wait(10)
        return found(*place, **kwds)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with TcpDevice(lambda request: iter([tcp(request)])) as device:
        client = client_of(device)
        waiting = threading.Thread(target=lambda: pytest.raises(NotConnected, client.transact, READ))
        waiting.start()
        assert asked.wait(10)
        client.retire()
        goes_on.set()
        waiting.join(10)
        assert client.socket is None
        with pytest.raises(NotConnected, match="closed"):
            client.transact(READ)
        assert (client.socket, device.requests) == (None, [])


def test_a_late_answer_is_not_taken_by_another_thread() -> None:
    """Who waited for the line while the unit was late waits for its late answer, too."""
    asked = threading.Event()

    def script(request: bytes) -> Iterator[Part]:
        if not asked.is_set():
            asked.set()
            device.ended.wait(0.4)
            yield rtu(request, bytes.fromhex("03 04 dead beef"))
        else:
            yield rtu(request)

    with SerialDevice(script) as device:
        client = client_of(device, timeout=0.3)
        first = threading.Thread(target=lambda: pytest.raises(NoAnswer, client.transact, READ))
        first.start()
        assert asked.wait(10)
        assert client.transact(READ) == GOOD
        first.join(10)
        client.close()
