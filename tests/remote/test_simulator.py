"""The simulator for programs: what its texts mean, and its values from both sides."""

from __future__ import annotations

import pytest

from cpppo.errors import UsageError
from cpppo.remote.cells import Device
from cpppo.remote.modbus_sim import simulator
from cpppo.remote.pymodbus_fixes import modbus_client_tcp
from cpppo.remote.simulator import devices_of, parse_values, valued


@pytest.mark.parametrize(
    ("text", "address", "values"),
    [
        ("40001-40003=99", 40001, [99, 99, 99]),
        ("40001-40005=1,2", 40001, [1, 2, 1, 2, 1]),
        (" 40001 - 40002 = 0x63 , -1 ", 40001, [99, 65535]),
        ("40010=5,6,7", 40010, [5, 6, 7]),
        ("40001", 40001, [0]),
        ("1-3=1,0", 1, [1, 0, 1]),
        ("465535-465536", 465535, [0, 0]),
    ],
)
def test_values(text: str, address: int, values: list[int]) -> None:
    """A range has the values given, repeated until it is full; one address with several goes on; none are 0."""
    assert parse_values(text) == (address, values)


def test_a_signal_over_a_range() -> None:
    """Each element has the signal; random ones differ from each other."""
    address, signals = parse_values("40001-40003=random:0,60000,1s,3")
    assert address == 40001 and len({signal(0.0) for signal in signals if callable(signal)}) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no range of addresses"),
        ("x=1", "is no range"),
        ("20001=1", "20001 is no Modbus address"),
        ("40001=", "no value after the =; write eg. 40001=0"),
        ("40001=1.5", "40001: '1.5' is no whole number; a register holds whole numbers"),
        ("40001=1,,2", "'' is no whole number"),
        ("40001=70000", "40001: 70000 does not fit: a register holds -32768 to 65535"),
        ("1=2", "2 does not fit: a bit is 0 or 1"),
        ("40001-40002=1,2,3", "3 values for 2 addresses"),
        ("9999=1,1", "2 values go beyond 9999, the last coil"),
        ("40001=ramp:1", "40001: 'ramp:1': write ramp"),
        ("40010-40001=1", "the last address comes before the first"),
    ],
)
def test_what_is_no_range_with_values(text: str, told: str) -> None:
    """What is wrong with a text is told, with its range."""
    with pytest.raises(UsageError) as caught:
        parse_values(text)
    assert told in str(caught.value)


def test_values_as_lists() -> None:
    """Values may come as numbers and lists, as from a file."""
    assert valued("40001-40003", [1, "ramp:5,6,1s"])[1][::2] == [1, 1]
    assert valued("1-2", True) == (1, [1, 1])
    with pytest.raises(UsageError, match="0 values for 1"):
        valued("40001", [])


def test_devices_of_units() -> None:
    """Units have the common values and their own, and share none; without units one device is all."""
    made = devices_of([(40001, [1, 2])], {1: [], 2: [(40002, [9]), (40003, [3])]})
    assert isinstance(made, dict)
    made[1][40001] = 5
    assert made[1][40001:40003] == [5, 2] and made[2][40001:40004] == [1, 9, 3]
    assert isinstance(devices_of([(40001, [1])]), Device)
    with pytest.raises(UsageError, match="unit 256: a unit is 0 to 255"):
        devices_of([], {256: []})


def test_both_sides_see_the_same_values() -> None:
    """What a client writes the program reads, and the other way round; its functions see both."""
    with simulator("40001-40010=7") as sim:
        client = modbus_client_tcp(*sim.address)
        try:
            assert client.read_holding_registers(0, count=2).registers == [7, 7]
            client.write_register(1, 123)
            assert sim[40002] == 123 and sim[40001:40003] == [7, 123]
            sim[40001] = 5
            sim.on_write = lambda address, values: [value * 2 for value in values]
            sim.on_read = lambda address, values: [value + 1 for value in values]
            client.write_register(1, 10)
            assert client.read_holding_registers(0, count=2).registers == [6, 21]
            assert sim[40002] == 20 and sim.on_write and sim.on_read
        finally:
            client.close()


def test_units_of_a_simulator() -> None:
    """Each unit has its own values; one that is not there is told."""
    with simulator("40001=1", units={1: [], 2: ["40001=2"]}) as sim:
        assert sim.unit(1)[40001] == 1 and sim.unit(2)[40001] == 2 and sim[40001] == 1
        with pytest.raises(UsageError, match="unit 3 is not there; there are 1, 2"):
            sim.unit(3)
    assert simulator("40001=1").unit(77)[40001] == 1


def test_two_servers_may_share_a_device() -> None:
    """What is written over one server is read over the other."""
    device = Device()
    device.define(40001, [1])
    with simulator(devices=device) as one, simulator(devices=device) as other:
        client = modbus_client_tcp(*one.address)
        client.write_register(0, 9)
        client.close()
        assert other[40001] == 9


def test_it_starts_once_and_stops_as_often_as_one_likes() -> None:
    """A second start is an error, a second stop is none, and it can be started again."""
    sim = simulator("40001=1")
    sim.start()
    with pytest.raises(RuntimeError, match="started already"):
        sim.start()
    sim.stop()
    sim.stop()
    sim.serve()  # returns at once: it is stopped
    with sim:
        assert sim.address[1]


def test_evil_by_text() -> None:
    """Replies are spoilt as the text says; a text that is none is refused when the simulator is made."""
    with pytest.raises(UsageError, match="evil 'x'"):
        simulator("40001", evil="x")
