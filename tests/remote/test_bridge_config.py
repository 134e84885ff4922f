"""Bridge files: what they say, and that all their mistakes are told at once, each with its line and key."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from cpppo.errors import UsageError
from cpppo.remote.bridge_config import BridgeTag, Serial, parse_bridge, read_bridge
from cpppo.remote.points import Point
from cpppo.server.enip.plant_problems import Mistakes

WHOLE = b"""\
[server]
address = "127.0.0.1:44819"
name    = "Hall 3"
profile = "1756-L83E"
strict  = true

[devices.Boiler]
host    = "10.0.111.123"
port    = 1502
unit    = 3
rate    = 0.5
timeout = 2
reach   = 20
multi   = true
order   = "CDAB"
online  = "Boiler_Online"

[devices.Boiler.tags]
Level   = "REAL @ 40001"
Count   = "DINT[4] @ 40011 ABCD"
Total   = "LINT @ 40031"
Step    = "INT @ 40041"
Alarm   = "BOOL @ 30001.3"
Pump    = "BOOL @ 1"
Outside = { type = "REAL", address = 40005, raw = "INT", scale = 0.1, offset = -40.0, description = "degrees" }
Energy  = { type = "UDINT", address = "400101", access = "Read Only", order = "DCBA" }

[devices.Meter]
serial   = "/dev/ttyUSB0"
baudrate = 9600
parity   = "none"
stopbits = 2
unit     = 7

[devices.Meter.tags]
Power = "INT @ 30001"
"""

DEVICE = '[devices.Pump]\nhost = "10.0.0.5"\n[devices.Pump.tags]\n'


def test_whole_file() -> None:
    """All keys are read, and a device's order holds for its numbers of any size that say none."""
    config = parse_bridge(WHOLE)
    assert (config.address, config.name, config.strict) == (("127.0.0.1", 44819), "Hall 3", True)
    assert config.profile.identity.product_name == "1756-L83E/B"
    boiler, meter = config.devices
    assert (boiler.host, boiler.port, boiler.unit, boiler.serial) == ("10.0.111.123", 1502, 3, None)
    assert (boiler.rate, boiler.timeout, boiler.reach, boiler.multi) == (0.5, 2.0, 20, True)
    assert boiler.online == "Boiler_Online"
    assert boiler.tags == (
        BridgeTag("Level", Point("REAL", 40001, order="CDAB")),
        BridgeTag("Count", Point("DINT", 40011, count=4, order="ABCD")),
        BridgeTag("Total", Point("LINT", 40031, order="GHEFCDAB")),
        BridgeTag("Step", Point("INT", 40041, order="AB")),
        BridgeTag("Alarm", Point("BOOL", 30001, 3), read_only=True),
        BridgeTag("Pump", Point("BOOL", 1)),
        BridgeTag(
            "Outside",
            Point("REAL", 40005, raw="INT", order="AB", scale=Fraction(1, 10), offset=Fraction(-40)),
            description="degrees",
        ),
        BridgeTag("Energy", Point("UDINT", 400101, order="DCBA"), read_only=True),
    )
    assert meter.serial == Serial("/dev/ttyUSB0", 9600, "N", 2)
    assert (meter.where, boiler.where) == ("/dev/ttyUSB0 (9600 8N2) unit 7", "10.0.111.123:1502 unit 3")
    assert (meter.rate, meter.timeout, meter.reach, meter.multi, meter.online) == (1.0, None, 100, False, None)
    assert config.tags == 10


def test_little_is_enough() -> None:
    """A host and a tag are a bridge; all else is as usual."""
    config = parse_bridge(DEVICE.encode() + b'Level = "INT @ 40001"')
    assert config.address == ("", 44818)
    assert (config.devices[0].port, config.devices[0].unit, config.devices[0].where) == (502, None, "10.0.0.5:502")
    online = parse_bridge(b'[devices.Pump]\nhost = "10.0.0.5"\nonline = "Pump_Online"')
    assert (online.tags, online.devices[0].tags) == (1, ())


def test_all_mistakes_at_once() -> None:
    """Each mistake is told with file, line and key, in order; those that follow from another are not told."""
    with pytest.raises(Mistakes) as caught:
        parse_bridge(
            b"""\
[server]
adress = ":44818"
[devices.Boiler]
host = "10.0.0.5"
unit = 300
[devices.Boiler.tags]
Level = "FLOAT @ 40001"
Pump = "BOOL @ 1"
PUMP = "BOOL @ 2"
Big = { type = "DINT", adress = 40001 }
Big = "INT @ 40001"
""",
            "hall.toml",
        )
    assert str(caught.value).splitlines() == [
        "hall.toml:2: server.adress: unknown key; is it address?",
        "hall.toml:5: devices.Boiler.unit: 300 is not a number of 0 to 255",
        "hall.toml:7: devices.Boiler.tags.Level: unknown type FLOAT; one of BOOL, INT, UINT, WORD, DINT, UDINT, "
        "DWORD, REAL, LINT, ULINT, LWORD, LREAL",
        "hall.toml:9: devices.Boiler.tags.PUMP: there is a tag Pump already, of Boiler: names are compared without "
        "case; choose another",
        "hall.toml:10: devices.Boiler.tags.Big.adress: unknown key; is it address?",
        "hall.toml:11: devices.Boiler.tags.Big: it is there already, in line 10",
    ]
    assert caught.value.count == "6 mistakes"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('Level = "INT @ 50000000"', "is no address"),
        ('Level = "INT @ 20000"', "20000 is no Modbus address"),
        ('Level = "REAL @ 99999"', "it would end at 100000; the holding registers of this notation end at 99999"),
        ("Level = 40001", '40001 is no tag; write eg. Level = "INT @ 40001"'),
        ('Level = "40001"', "is not type @ address"),
        ("Level = { address = 40001 }", 'it has no type; add eg. type = "REAL"'),
        ('Level = { type = "REAL" }', "it has no address; add eg. address = 40001"),
        (
            'Level = { type = "BOOL", address = 40001.3 }',
            "tags.Level.address: a bit of a register is written in quotes",
        ),
        ('Level = { type = "INT", address = 40001, scale = "0.1" }', '"0.1" is not a number, without quotes'),
        ('Level = { type = "INT", address = 40001, scale = inf }', "inf is not a number"),
        ('Level = { type = "INT", address = 40001, scale = 0 }', "a scale of 0 leaves nothing"),
        ('Level = { type = "INT", address = 40001, raw = "BOOL" }', "is not what registers hold; write one of INT"),
        ('Level = { type = "INT", address = 40001, raw = "INT[2]" }', "is not what registers hold"),
        ('Level = { type = "REAL", address = 40001, scale = 0.1 }', 'scale: say what the registers hold: raw = "INT"'),
        ('Level = { type = "REAL", address = 40001, offset = 1 }', "offset: say what the registers hold"),
        (
            'Level = { type = "INT", address = 40001, order = "CDAB" }',
            "no order of the 2 octets of INT; write AB, BA",
        ),
        ('Level = { type = "REAL", address = 40001, raw = "INT", order = "CDAB" }', "of the 2 octets of INT"),
        ('Level = { type = "INT", address = 40001, access = "none" }', '"none" is not one of read-write, read-only'),
        (
            'Level = { type = "INT", address = 30001, access = "read-write" }',
            "access: input registers cannot be written",
        ),
        ('A = { type = "BOOL", address = "40001.1", access = "read-write" }', "bits of registers cannot be written"),
        ('A = { type = "BOOL", address = 10001, access = "read-write" }', "discrete inputs cannot be written"),
        ('Level = { type = "BOOL", address = 1, scale = 2 }', "a BOOL is one bit: raw, order, scale and offset"),
        ('"9 Level" = "INT @ 40001"', "a name is made of letters, digits and _"),
        (
            'Level = "INT @ 40001"\n[devices.Other]\nhost = "b"\nonline = "LEVEL"',
            "there is a tag Level already, of Pump",
        ),
        ('Level = "INT @ 40001"\n[devices.PUMP]\nhost = "b"\nonline = "x"', "it is there already, as Pump"),
        ("Level = INT @ 40001", "text stands in quotes"),
    ],
)
def test_mistakes_of_tags(line: str, told: str) -> None:
    """What is wrong with a tag is told, with what to write instead."""
    with pytest.raises(UsageError) as caught:
        parse_bridge((DEVICE + line).encode())
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "there are no devices; write eg. [devices.Boiler]"),
        ('[device.Pump]\nhost = "a"', "1: device: unknown key; is it devices?"),
        ('[Pump]\nhost = "a"\n[devices.A]\nhost = "b"\nonline = "x"', "a device has the head [devices.Pump]"),
        ('Level = "INT @ 40001"\n[devices.A]\nhost = "b"\nonline = "x"', "devices stand below [devices.NAME]"),
        ("[devices]\nPump = 1", "1 is not a table; write [devices.Pump]"),
        ('[devices.Pump]\nonline = "x"', "where is it? Write host ="),
        (
            '[devices.Pump]\nhost = "a"',
            'it has no tags; write [devices.Pump.tags] and below it eg. Level = "INT @ 40001"',
        ),
        ('[devices.Pump]\nhost = "a"\nLevel = "INT @ 40001"\nonline = "x"', "tags stand below [devices.Pump.tags]"),
        ('[devices.Pump]\nhost = ""\nonline = "x"', '"" is no host name or address'),
        (
            '[devices.Pump]\nhost = "a"\nserial = "/dev/ttyS0"\nonline = "x"',
            "host: it is on a serial line, and has none",
        ),
        ('[devices.Pump]\nhost = "a"\nbaudrate = 9600\nonline = "x"', "that is of a serial line; name it"),
        ('[devices.Pump]\nserial = "/dev/ttyS0"\nparity = "X"\nonline = "x"', '"X" is not one of "N", "E", "O"'),
        ('[devices.Pump]\nserial = "/dev/ttyS0"\nunit = 0\nonline = "x"', "0 is no unit of a serial line, 1 to 247"),
        ('[devices.Pump]\nhost = "a"\nrate = 0\nonline = "x"', "0 is not a number of seconds from 0.01 to 86400"),
        ('[devices.Pump]\nhost = "a"\ntimeout = "1"\nonline = "x"', '"1" is not a number of seconds'),
        ('[devices.Pump]\nhost = "a"\nport = 70000\nonline = "x"', "70000 is not a number of 1 to 65535"),
        ('[devices.Pump]\nhost = "a"\nreach = 0\nonline = "x"', "0 is not a number of 1 to 1000"),
        ('[devices.Pump]\nhost = "a"\norder = "AB"\nonline = "x"', "write ABCD, CDAB, BADC, DCBA"),
        ('[devices.Pump]\nhost = "a"\nonline = "a b"', "online: a name is made of letters"),
        (
            '[server]\naddress = "a:b:c"\n[devices.A]\nhost = "b"\nonline = "x"',
            "server.address: address 'a:b:c' is not",
        ),
        (
            '[server]\nprofile = "S7"\n[devices.A]\nhost = "b"\nonline = "x"',
            "server.profile: there is no identity 'S7'",
        ),
        ('[server]\nname = ""\n[devices.A]\nhost = "b"\nonline = "x"', "a name has 1 to 40 characters"),
        (
            '[devices.A]\nserial = "/dev/ttyS0"\nunit = 1\nonline = "x"\n'
            '[devices.B]\nserial = "/dev/ttyS0"\nbaudrate = 9600\nunit = 2\nonline = "y"',
            "it is /dev/ttyS0 (9600 8E1) here, and /dev/ttyS0 (19200 8E1) of A: say the same of both",
        ),
    ],
)
def test_mistakes_of_devices(text: str, told: str) -> None:
    """What is wrong with a device or the server is told, with what to write instead."""
    with pytest.raises(UsageError) as caught:
        parse_bridge(text.encode())
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_file(tmp_path: Path) -> None:
    """A file is named in what is wrong with it; what is not TOML has a line, too."""
    file = tmp_path / "b.toml"
    file.write_bytes(WHOLE)
    assert read_bridge(file) == parse_bridge(WHOLE)
    file.write_text("[devices\n")
    with pytest.raises(UsageError, match=r"b\.toml:1: it is not TOML"):
        read_bridge(file)
