"""enip_server's main in a thread: led by its control, and called while idle."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import cpppo
from cpppo.errors import UsageError
from cpppo.server.enip import device, main
from cpppo.server.enip.control import LATENCY_S, Controlled, completed
from cpppo.server.tcp import Server
from tests.server.enip.device.frames import LIST_IDENTITY, frame, numbers, read, rr, symbol, write
from tests.server.enip.test_serve import Client
from tests.server.test_tcp import Echo, connect, say

TIMEOUT_S = 10.0
READ = read(symbol("SCADA"))


class Running:
    """main() in a thread; ``server`` is what it was given, ``idle`` is told whenever it is idle."""

    def __init__(self, *arguments: str, **kwds: Any) -> None:
        self.server: dict[str, Any] = {"control": cpppo.apidict(5.0, **kwds.pop("control", {}))}
        self.idle = threading.Event()
        self.result: Any = None
        self.thread = threading.Thread(target=self._main, args=(["-a", "127.0.0.1:0", *arguments], kwds))

    def _main(self, argv: list[str], kwds: dict[str, Any]) -> None:
        try:
            self.result = main(argv, idle_service=self.idle.set, server=self.server, **kwds)
        except Exception as exc:
            self.result = exc

    @property
    def control(self) -> Any:
        return self.server["control"]

    @property
    def address(self) -> tuple[str, int]:
        address: tuple[str, int] = self.server["address"]
        return address

    def ended(self) -> Any:
        self.thread.join(TIMEOUT_S)
        assert not self.thread.is_alive()
        return self.result


@contextmanager
def running(*arguments: str, **kwds: Any) -> Iterator[Running]:
    """A server that has listened and been idle; it is ended after the block."""
    one = Running(*arguments, **kwds)
    one.thread.start()
    try:
        assert one.idle.wait(TIMEOUT_S)
        yield one
    finally:
        one.control["done"] = True
        one.ended()


def refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, TIMEOUT_S).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it came while the port was being closed
        return False
    return False


def wait_for(condition: Callable[[], bool]) -> bool:
    """Whether it comes true, looked at again and again."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (true := condition()) and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return true


def test_main_is_the_function() -> None:
    """The package's main is the function, by either name."""
    from cpppo.server.enip.main import main as other

    assert main is other and callable(main)


def test_done_ends_it() -> None:
    """Setting done returns as soon as it was seen; the server ends in order: 0, clients and port gone."""
    with running("SCADA") as one, Client(one) as client:
        assert client.cip(READ)[2] == 0
        address = one.address
        began = time.monotonic()
        one.control.done = True
        assert time.monotonic() - began < 2.0
        assert one.ended() == 0
        assert client.at_end()
        assert refused(address)


def test_done_before_it_began() -> None:
    """A control that is done already ends it at once."""
    one = Running("SCADA", control={"done": True})
    one.thread.start()
    assert one.ended() == 0


def test_what_is_missing_is_put_there() -> None:
    """The control gets latency 0.1, timeout 0.2, done and disable False; server gets the address."""
    with running("SCADA") as one:
        assert {key: one.control[key] for key in ("latency", "timeout", "done", "disable")} == {
            "latency": 0.1,
            "timeout": 0.2,
            "done": False,
            "disable": False,
        }
        assert one.address[0] == "127.0.0.1" and one.address[1] > 0


def test_server_without_control() -> None:
    """A server without a control gets one."""
    server: dict[str, Any] = {}

    def idle() -> None:
        server["control"]["done"] = True

    assert main(["-a", "127.0.0.1:0", "SCADA"], idle_service=idle, server=server) == 0
    assert isinstance(server["control"], cpppo.apidict)


def test_disable_closes_it_for_a_while() -> None:
    """Disabled, it ends its sessions and gives its port back; enabled, it is there again, with the values it had."""
    with running("SCADA", control={"latency": 0.02}) as one:
        address = one.address
        with Client(one) as client:
            client.cip(write(symbol("SCADA"), 0xC3, 1, b"\7\0"))
            one.control.disable = True
            assert client.at_end()
        assert wait_for(lambda: refused(address))
        one.idle.clear()
        assert one.idle.wait(TIMEOUT_S), "it is idle, too, while it is disabled"
        assert one.thread.is_alive()
        one.control.disable = False
        assert wait_for(lambda: not refused(address))
        assert one.address == address
        with Client(one) as client:
            assert client.cip(READ) == bytes.fromhex("cc000000 c300 0700")


def test_done_while_disabled() -> None:
    """Also a server that is disabled can be ended."""
    with running("SCADA", control={"latency": 0.02}) as one:
        address = one.address
        one.control.disable = True
        assert wait_for(lambda: refused(address))
        one.control.done = True
        assert one.ended() == 0


def test_port_that_was_taken_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    """Its port taken while it was disabled: one line in the log, and it is tried until it is free."""
    with running("SCADA", control={"latency": 0.02}) as one:
        address = one.address
        one.control.disable = True
        assert wait_for(lambda: refused(address))
        with socket.create_server(address) as other:
            one.control.disable = False
            assert wait_for(lambda: "cannot serve on 127.0.0.1:" in caplog.text)
            for _ in range(3):
                one.idle.clear()
                assert one.idle.wait(TIMEOUT_S)
            other.close()
        assert wait_for(lambda: not refused(address))
        with Client(one) as client:
            assert client.cip(READ)[2] == 0
        assert caplog.text.count("cannot serve on") == 1


def test_idle_service_comes_again() -> None:
    """It is called about every latency, also while clients are busy."""
    with running("SCADA", control={"latency": 0.02}) as one, Client(one) as client:
        for _ in range(5):
            one.idle.clear()
            while not one.idle.is_set():
                assert client.cip(READ)[2] == 0


def test_idle_service_that_fails() -> None:
    """What it raises ends the server, in order, and is raised."""
    address: list[tuple[str, int]] = []
    server: dict[str, Any] = {}

    def idle() -> None:
        address.append(server["address"])
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        main(["-a", "127.0.0.1:0", "SCADA"], idle_service=idle, server=server)
    assert refused(address[0])


class Pump(device.Identity):
    """A controller of another name."""

    def __init__(self, data: device.IdentityData = device.LOGIX_L61, instance_id: int = 1) -> None:
        super().__init__(data._replace(product_name="a pump"), instance_id)


def test_identity_class() -> None:
    """identity_class says who the controller is, to List Identity and to those who ask the object."""
    with running("SCADA", identity_class=Pump) as one, Client(one) as client:
        assert b"\6a pump" in client.ask(frame(LIST_IDENTITY)).payload
        assert client.cip(b"\x0e" + numbers(1, 1, 7))[4:] == b"\6a pump"


def test_signals_are_left_alone() -> None:
    """In a thread, options that need signals in the main one are taken all the same."""
    with running("SCADA") as one, Client(one) as client:
        assert client.ask(rr(READ, client.handle)).status == 0


def test_log_in_a_thread(tmp_path: Any) -> None:
    """A log that was asked for is closed, and logged to no more, when the server has ended."""
    handlers = logging.root.handlers[:]
    with running("--log", str(tmp_path / "a.log"), "SCADA"):
        assert len(logging.root.handlers) == len(handlers) + 1
    assert logging.root.handlers == handlers


def test_wrong_usage_in_a_thread(capsys: pytest.CaptureFixture[str]) -> None:
    """A list of options that cannot be understood gives exit status 2."""
    assert main(["SCADA=FLOAT"]) == 2
    assert "FLOAT" in capsys.readouterr().err


@pytest.mark.parametrize(
    "control", [{"done": False}, 5, cpppo.apidict(1.0, latency=0), cpppo.apidict(1.0, {"timeout": "soon"})]
)
def test_control_that_cannot_be(control: Any) -> None:
    """A control that is none, or has no number of seconds, is a UsageError of main's caller."""
    with pytest.raises(UsageError, match="control"):
        main(["SCADA"], server={"control": control})


def test_unknown_keywords() -> None:
    """A keyword that main does not know is refused, as by any function."""
    with pytest.raises(TypeError, match="enip_process"):
        main(["SCADA"], enip_process=None)  # type: ignore[call-arg]


def test_timeout_follows_the_latency() -> None:
    """Unless it says otherwise, the timeout is twice the latency."""
    assert completed(cpppo.apidict(1.0, latency=3.0))["timeout"] == 6.0
    assert completed(None)["latency"] == LATENCY_S


def test_stop_from_another_thread() -> None:
    """stop() ends it wherever it is; twice is no harm."""
    ready = threading.Event()
    served = Controlled(
        lambda address, tick: Server(address, lambda sock: Echo(), tick=tick),
        ("127.0.0.1", 0),
        completed(None),
        [ready.set],
    )
    thread = threading.Thread(target=served.serve)
    thread.start()
    assert ready.wait(TIMEOUT_S)
    with connect(served._server) as sock:
        assert say(sock, b"one") == b"one"
    served.stop()
    served.stop()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()
    assert refused(served.address)
