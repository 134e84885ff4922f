"""The simulator as a library: its life, its tags, its options, and what is left of it: nothing."""

from __future__ import annotations

import gc
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cpppo.errors import Error, LocalProtocolError, Timeout, UsageError
from cpppo.server.delay import Delay
from cpppo.server.enip import Simulator, simulator
from cpppo.server.enip.client import connector, parse_operations
from cpppo.server.enip.device import LOGIX_L61, Attribute, AttributeFailure
from cpppo.server.enip.simulator import OutOfRange, UnknownTag
from cpppo.server.enip.wire.types import DINT, INT
from tests.server.enip.device.frames import register

TIMEOUT_S = 10.0
DESCRIPTORS = "/proc/self/fd"


def ask(plc: Simulator, *operations: str) -> list[Any]:
    """What a client is answered: a value for each operation, None for a failure."""
    connection = connector(*plc.address, timeout=TIMEOUT_S)
    try:
        return connection.process(parse_operations(operations))[1]
    finally:
        connection.close()


@pytest.fixture
def plc() -> Iterator[Simulator]:
    with simulator("SCADA=INT[10]", "Level=REAL", "Pump=BOOL") as one:
        yield one


class Reversed(Attribute):
    """Gives its values backwards, and keeps what is written as it comes."""

    def __getitem__(self, key: Any) -> Any:
        values = super().__getitem__(key)
        return values[::-1] if isinstance(key, slice) else values


# -- clients and the program see the same values


def test_what_clients_write_is_there(plc: Simulator) -> None:
    """A value written by a client is read by the program, whatever the case of the name."""
    assert ask(plc, "SCADA[3-5]=7,8,9", "Level=2.5") == [True, True]
    assert plc["SCADA"][3] == 7
    assert plc["scada"][3:6] == [7, 8, 9]
    assert plc["Level"].value == 2.5


def test_clients_read_what_is_set(plc: Simulator) -> None:
    """A value set by the program, by index, slice or as a whole, is read by a client."""
    plc["SCADA"][0] = 5
    plc["SCADA"][-2:] = 8, 9
    plc["Level"].value = 1.5
    assert ask(plc, "SCADA[0-9]", "Level") == [[5, 0, 0, 0, 0, 0, 0, 0, 8, 9], [1.5]]
    plc["SCADA"].value = range(10)
    assert ask(plc, "SCADA[0-9]") == [list(range(10))]


def test_a_tag_is_a_sequence(plc: Simulator) -> None:
    """A tag has the length, indexes and slices of a list, from either end, and can be walked through."""
    tag = plc["SCADA"]
    tag.value = list(range(10))
    assert (tag.name, len(tag), tag[-1], tag[7:], tag[:2], tag[5:5], tag[20:]) == (
        "SCADA",
        10,
        9,
        [7, 8, 9],
        [0, 1],
        [],
        [],
    )
    assert list(tag) == list(range(10))
    assert (len(plc["Pump"]), plc["Pump"][0], plc["Pump"].value) == (1, False, False)
    assert "SCADA" in repr(tag)


def test_dimensions() -> None:
    """An element of several dimensions is had by its indices as well as by its number in row-major order."""
    tag = simulator("Grid=DINT[2,3]=0,1,2,3,4,5")["Grid"]
    assert (tag.shape, len(tag), tag[1, 2], tag[4]) == ((2, 3), 6, 5, 4)
    tag[0, 1] = 9
    assert tag.value == [0, 9, 2, 3, 4, 5]
    for indices in ((2, 0), (0, 3), (0, -1), (0, 0, 0)):
        with pytest.raises(OutOfRange, match=r"its dimensions are \(2, 3\)"):
            tag[indices]


def test_every_kind_of_tag() -> None:
    """Tags with values, of text, and at an address of their own are had like any other."""
    with simulator("Ramp=INT[3]=1,2,3", "Text=STRING", "Far@0x93/1/10=DINT=7") as plc:
        assert list(plc) == ["Ramp", "Text", "Far"]
        assert (plc["Ramp"].value, plc["Text"].value, plc["far"].value) == ([1, 2, 3], "", 7)
        plc["Text"].value = "ready"
        assert (plc["Text"][0], plc["Text"][:]) == ("ready", ["ready"])
        plc["Far"].value = 8
        assert ask(plc, "Far", "@0x93/1/10", "Ramp[2]") == [[8], [8], [3]]


@pytest.mark.parametrize("index", [10, -11, 1 << 40])
def test_elements_that_are_not_there(plc: Simulator, index: int) -> None:
    """An index beyond the elements is an IndexError that says how many there are, and nothing is written."""
    with pytest.raises(OutOfRange, match=f"SCADA has no element {index}; it has 10") as caught:
        plc["SCADA"][index]
    assert isinstance(caught.value, IndexError) and isinstance(caught.value, Error)
    with pytest.raises(OutOfRange):
        plc["SCADA"][index] = 1
    assert plc["SCADA"].value == [0] * 10


@pytest.mark.parametrize(
    ("key", "value", "error", "says"),
    [
        (slice(2, 4), [1, 2, 3], UsageError, r"SCADA\[2:4\] has 2 elements; 3 values"),
        (slice(None, None, 2), [1] * 5, UsageError, "no steps"),
        (slice(0, 2), [1, 70000], LocalProtocolError, "70000 is no INT"),
        (0, "text", LocalProtocolError, "'text' is no INT"),
        ("0", 1, TypeError, "str"),
    ],
)
def test_values_that_cannot_be_set(plc: Simulator, key: Any, value: Any, error: type[Exception], says: str) -> None:
    """Too many values, steps, and values that the type cannot hold are refused, and nothing is written."""
    with pytest.raises(error, match=says):
        plc["SCADA"][key] = value
    assert plc["SCADA"].value == [0] * 10


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("SCDA", "no tag 'SCDA'; is it 'SCADA'?"),
        ("levle", "no tag 'levle'; is it 'Level'?"),
        ("xyz", "no tag 'xyz'; there are 'Level', 'Pump', 'SCADA'"),
        (7, "no tag 7; there are"),
    ],
)
def test_unknown_tags(plc: Simulator, name: Any, says: str) -> None:
    """A tag that is not there is a KeyError that names those near it, or some that are there."""
    with pytest.raises(UnknownTag) as caught:
        plc[name]
    assert isinstance(caught.value, KeyError) and isinstance(caught.value, Error)
    assert str(caught.value).startswith(says)
    assert name not in plc


def test_names(plc: Simulator) -> None:
    """A simulator lists its tags in their order, and knows them without case."""
    assert list(plc) == ["SCADA", "Level", "Pump"]
    assert "pump" in plc and "Pumps" not in plc


@pytest.mark.parametrize(
    ("tags", "says"),
    [(("SCADA=FLOAT",), "FLOAT"), (("A=INT", "a=INT"), "exists already"), ((["A", "B"],), "each as an argument")],
)
def test_tags_that_cannot_be_made(tags: Any, says: str) -> None:
    """A tag that cannot be understood, or twice the same, is a UsageError that says what to write."""
    with pytest.raises(UsageError, match=says):
        simulator(*tags)


# -- options


def test_attributes_of_your_own() -> None:
    """Tags are made of the class that is given, or given ready made; program and clients see the same values."""
    with simulator("Ramp=INT[3]", Reversed("Made", DINT, [4, 5]), attribute_class=Reversed) as plc:
        plc["Ramp"].value = [1, 2, 3]
        assert plc["Ramp"].value == [3, 2, 1]
        assert ask(plc, "Ramp[0-2]", "Made[0-1]") == [[3, 2, 1], [5, 4]]


def test_attribute_that_fails() -> None:
    """What a customised Attribute raises reaches the program, and a list that is too short is an AttributeFailure."""

    class Short(Attribute):
        def __getitem__(self, key: Any) -> Any:
            return []

    class Broken(Attribute):
        def __getitem__(self, key: Any) -> Any:
            raise OSError("no sensor")

    plc = simulator(Short("Short", INT), Broken("Broken", INT))
    with pytest.raises(AttributeFailure, match=r"Short Short\[0:1\] gave \[\]"):
        plc["Short"][0]
    with pytest.raises(OSError, match="no sensor"):
        assert plc["Broken"].value


def test_attribute_that_answers_an_error(plc: Simulator) -> None:
    """An error put into a tag's Attribute is what clients are answered."""
    plc["SCADA"].attribute.error = 0x08
    assert ask(plc, "SCADA[0]", "Level") == [None, [0.0]]


def test_identity() -> None:
    """The controller is who it is told to be."""
    with simulator("A", identity=LOGIX_L61._replace(product_name="Tester")) as plc:
        connection = connector(*plc.address, timeout=TIMEOUT_S)
        connection.get_attribute_single("@1/1/7")
        result = connection.collect()
        connection.close()
    assert result is not None and bytes(result.val) == b"\x06Tester"


def test_connections_at_once() -> None:
    """There are as many sessions as are allowed; the next one is refused, and those there are go on."""
    with simulator("A=INT", connections=1) as plc:
        first = connector(*plc.address, timeout=TIMEOUT_S)
        with pytest.raises(Error):
            connector(*plc.address, timeout=TIMEOUT_S)
        assert first.process(parse_operations(["A"])) == (0, [[0]])
        first.close()


@pytest.mark.parametrize(("strict", "values"), [(False, [True, [7]]), (True, [None, [0]])])
def test_strict(strict: bool, values: list[Any]) -> None:
    """An INT written to a DINT tag is taken, or refused where the simulator is strict."""
    with simulator("Wide=DINT", strict=strict) as plc:
        assert ask(plc, "Wide=(INT)7", "Wide") == values


def test_delay() -> None:
    """A response that is delayed beyond the client's patience is the client's Timeout; the delay can be taken back."""
    delay = Delay()
    with simulator("A=INT", delay=delay) as plc:
        connection = connector(*plc.address, timeout=0.05)
        delay.value = 60.0
        with pytest.raises(Timeout):
            connection.process(parse_operations(["A"]))
        connection.close()
        delay.value = 0.0
        assert ask(plc, "A") == [[0]]


def test_idle() -> None:
    """A client that asks nothing for as long as is allowed is left."""
    with simulator("A=INT", idle_s=0.05) as plc, socket.create_connection(plc.address, TIMEOUT_S) as sock:
        sock.sendall(register())
        assert sock.recv(100)[:1] == register()[:1]
        assert sock.recv(100) == b""


# -- its life


def test_address_in_use(plc: Simulator) -> None:
    """A port that is taken is an OSError at the start; the simulator can still be stopped, and has no address."""
    second = simulator("A", address=plc.address)
    with pytest.raises(OSError):
        second.start()
    with pytest.raises(LocalProtocolError, match="not serving"):
        assert second.address
    second.stop()


def test_errors_of_the_block() -> None:
    """What the with block raises comes out of it unchanged, and the simulator has ended."""
    failure = RuntimeError("mine")
    with pytest.raises(RuntimeError) as caught, simulator("A") as plc:
        address = plc.address
        raise failure
    assert caught.value is failure
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, TIMEOUT_S)


def test_start_and_stop_again() -> None:
    """Starting twice is starting once, stopping twice stopping once; a simulator started again keeps its values."""
    plc = simulator("A=INT[2]")
    assert plc.start() is plc
    address = plc.address
    assert plc.start().address == address and "127.0.0.1" in repr(plc)
    ask(plc, "A[1]=7")
    plc.stop()
    plc.stop()
    assert plc["A"].value == [0, 7] and "stopped" in repr(plc)
    with plc:
        assert ask(plc, "A[1]") == [[7]]


def test_two_at_once() -> None:
    """Two simulators in one process have ports and values of their own."""
    with simulator("A=INT") as one, simulator("A=INT") as other:
        assert one.address != other.address
        ask(one, "A=1")
        assert (one["A"].value, other["A"].value) == (1, 0)


def settled() -> set[threading.Thread]:
    """The threads there are, once sessions that have told their end have come to it."""
    for thread in threading.enumerate():
        if thread.name.startswith("enip_"):
            thread.join(TIMEOUT_S)
    return set(threading.enumerate())


@pytest.mark.skipif(not os.path.isdir(DESCRIPTORS), reason="descriptors are counted in /proc, as Linux has it")
def test_nothing_is_left() -> None:
    """Started and stopped 200 times, with clients that leave and clients that stay, it leaves no thread or socket."""
    with simulator("SCADA=INT[10]") as plc:  # what is made once and for all is made here
        ask(plc, "SCADA[0]")
    gc.collect()  # what earlier tests have left is not to be counted
    threads, descriptors = settled(), len(os.listdir(DESCRIPTORS))
    for number in range(200):
        with simulator("SCADA=INT[10]") as plc:
            address = plc.address
            if number % 4 == 1:
                assert ask(plc, "SCADA[1]=9", "SCADA[0-1]") == [True, [0, 9]]
            elif number % 4 == 2:
                idle = connector(*address, timeout=TIMEOUT_S)
        if number % 4 == 2:
            with pytest.raises(Error, match="closed the connection"):
                idle.process(parse_operations(["SCADA[0]"]))
            idle.close()
        if number % 10 == 0:
            with socket.socket() as again:  # the port is free
                again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                again.bind(address)
    assert settled() == threads
    assert len(os.listdir(DESCRIPTORS)) <= descriptors


def test_blocked_session_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A session that an Attribute never lets go is named in the log when the simulator stops without it."""
    entered, leave = threading.Event(), threading.Event()

    class Blocking(Attribute):
        def __getitem__(self, key: Any) -> Any:
            entered.set()
            leave.wait(TIMEOUT_S * 6)
            return [0]

    plc = simulator(Blocking("Block", INT)).start()
    client = threading.Thread(target=lambda: pytest.raises(Error, ask, plc, "Block"))
    client.start()
    assert entered.wait(TIMEOUT_S)
    try:
        plc.stop(timeout_s=0.05)
        assert "goes on" in caplog.text
    finally:
        leave.set()
        client.join(TIMEOUT_S)
