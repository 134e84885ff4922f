"""Configurations of modbus_sim: JSON options and TOML files, and all that is wrong with them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpppo.errors import UsageError
from cpppo.remote.modbus_sim_config import ConfigError, parse_config, parse_options, read_config

WHOLE = b"""
address = "/dev/ttyS1"
ports = 3
evil = "delay:1"
slaves = [1, 2]

[serial]
baudrate = 19200
parity = "E"
bytesize = 8
stopbits = 1

[values]
40001-40003 = 99
1-4 = [1, 0]
40010 = "5,6"

[units.2]
40001 = "ramp:0,100,10s"
"""


def test_a_file() -> None:
    """Everything that a file can say is taken from it."""
    config = parse_config(WHOLE)
    assert (config.address, config.ports, config.evil) == ("/dev/ttyS1", 3, "delay:1")
    assert config.serial == {"baudrate": 19200, "parity": "E", "bytesize": 8, "stopbits": 1}
    assert config.values == [(40001, [99] * 3), (1, [1, 0, 1, 0]), (40010, [5, 6])]
    assert config.units is not None and list(config.units) == [1, 2] and config.units[1] == []
    ((address, (signal,)),) = config.units[2]
    assert address == 40001 and callable(signal) and signal(5.0) == 50


def test_a_file_of_nothing() -> None:
    """What a file does not say is None or empty."""
    config = parse_config(b"")
    assert (config.address, config.ports, config.evil, config.serial, config.values, config.units) == (
        None,
        None,
        None,
        {},
        [],
        None,
    )


def test_json() -> None:
    """Options as the older command took them."""
    config = read_config(' {"baudrate":19200,"slaves":[1]}')
    assert config.serial == {"baudrate": 19200} and config.units == {1: []}


def test_a_file_by_its_name(tmp_path: Path) -> None:
    """What does not begin with { is the name of a file."""
    path = tmp_path / "sim.toml"
    path.write_bytes(WHOLE)
    assert read_config(str(path)).ports == 3
    with pytest.raises(OSError):
        read_config(str(tmp_path / "none.toml"))


WRONG = b"""addres = ":1502"
ports = 0
evil = 5
slaves = [1, 300, "x"]

[serial]
baudrate = 0
parity = "X"
bytesize = 7
stopbits = true
speed = 9600

[values]
40001-40003 = 99.5
20001 = 1
1 = 2
40010 = []
40011 = "wave:1"

[units]
999 = 1
3 = 4

[units.2]
40001 = 70000
"""


def test_all_mistakes_at_once() -> None:
    """Each mistake has its line and key, and what to do instead; the lines are in order."""
    with pytest.raises(ConfigError) as caught:
        parse_config(WRONG, "sim.toml")
    lines = str(caught.value).splitlines()
    assert caught.value.count == len(lines)
    for line, told in {
        1: "addres: unknown key; is it address?",
        2: "ports: 0 is not 1 to 65535",
        3: "evil: 5 is not text in quotes",
        7: "serial.baudrate: 0 is not more than 0",
        8: 'serial.parity: "X" is not "N" or "E"',
        9: "serial.bytesize: 7 is not 8",
        10: "serial.stopbits: true is not 1 or 1.5 or 2",
        11: "serial.speed: unknown key",
        14: "values.40001-40003: 99.5 is no whole number",
        15: "values.20001: 20001 is no Modbus address",
        16: "values.1: 2 does not fit: a bit is 0 or 1",
        17: "values.40010: 0 values for 1 addresses",
        18: "values.40011: 'wave:1' is no value and no signal",
        21: "units.999: a unit is 0 to 255",
        22: "units.3: 4 is not a table; write [units.3]",
        25: "units.2.40001: 70000 does not fit",
    }.items():
        assert any(one.startswith(f"sim.toml:{line}: {told}") for one in lines), (line, told, lines)
    assert sum(one.startswith("sim.toml:4: slaves: ") for one in lines) == 2
    assert [int(one.split(":")[1]) for one in lines] == sorted(int(one.split(":")[1]) for one in lines)


def test_what_is_there_twice() -> None:
    """A key that is there again is told, with the line of the first."""
    with pytest.raises(ConfigError, match="sim.toml:3: values.40001: it is there already, in line 2"):
        parse_config(b"[values]\n40001 = 1\n40001 = 2\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "it is not JSON"),
        ('{"baudrate": "fast"}', '--config: baudrate: "fast" is not a whole number'),
        ('{"baud": 9600, "slaves": []}', "--config: baud: unknown key; is it baudrate?"),
        ('{"slaves": []}', "no unit would answer"),
        ('{"slaves": [true]}', "true is no unit"),
    ],
)
def test_json_that_is_wrong(text: str, told: str) -> None:
    """JSON options that are wrong are told with their key."""
    with pytest.raises(ConfigError) as caught:
        parse_options(text)
    assert told in str(caught.value)


def test_what_is_no_toml() -> None:
    """A file that is no TOML is told with its line."""
    with pytest.raises(UsageError, match="sim.toml:2: it is not TOML"):
        parse_config(b'address = ":1"\nvalues\n', "sim.toml")
