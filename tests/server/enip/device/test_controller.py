"""What a controller tells of itself: name, clock, change stamps, profiles."""

from __future__ import annotations

import struct

import pytest

from cpppo.errors import UsageError
from cpppo.server.enip.device import PROFILES, Attribute, Device, Identity, profile_named
from cpppo.server.enip.wire.strings import SSTRING, structure
from cpppo.server.enip.wire.types import DINT, INT, REAL
from tests.server.enip.device.frames import (
    LIST_IDENTITY,
    Simulator,
    frame,
    multiple,
    numbers,
    only,
    read,
    symbol,
    write,
)


def test_name_of_the_program() -> None:
    """Get Attributes All of class 0x64: a UINT length and the name."""
    assert Simulator(Device(name="MyLogicApp")).cip(b"\x01" + numbers(0x64, 1)) == b"\x81\0\0\0\x0a\0MyLogicApp"


def test_clock() -> None:
    """Microseconds since 1970, as pycomm3 and pylogix ask for them; setting it changes what is told from then on."""
    of = Device()
    simulator = Simulator(of)
    of.clock = lambda: 1_000_000
    get = b"\x03" + numbers(0x8B, 1) + bytes.fromhex("0100 0b00")
    assert simulator.cip(get) == bytes.fromhex("83000000 0100 0b00 0000") + struct.pack("<Q", 1_000_000)
    setting = b"\x04" + numbers(0x8B, 1) + bytes.fromhex("0100 0600") + struct.pack("<Q", 1795885542166333)
    assert simulator.cip(setting) == bytes.fromhex("84000000 0100 0600 0000")
    of.clock = lambda: 1_000_005
    assert simulator.cip(get)[10:] == struct.pack("<Q", 1795885542166338)
    both = b"\x04" + numbers(0x8B, 1) + bytes.fromhex("0200 0600") + struct.pack("<Q", 7) + bytes.fromhex("0a00 01")
    assert simulator.cip(both) == bytes.fromhex("84000000 0200 0600 0000 0a00 0000")
    assert simulator.cip(b"\x0e" + numbers(0x8B, 1, 10)) == bytes.fromhex("8e000000 01")
    assert simulator.cip(b"\x0e" + numbers(0x8B, 1, 6))[4:] == struct.pack("<Q", 7)


def stamps(of: Device) -> bytes:
    """The change stamps, all."""
    reply = Simulator(of).cip(b"\x03" + numbers(0xAC, 1) + bytes.fromhex("0500 0100 0200 0300 0400 0a00"))
    assert reply[:6] == bytes.fromhex("83000000 0500") and len(reply) == 6 + 5 * 4 + 2 * 2 + 3 * 4
    return reply


def test_change_stamps() -> None:
    """The same for the same tags; other for other names, types, sizes or programs; values do not count."""

    def made(*tags: Attribute, program: str | None = None) -> Device:
        of = Device()
        for one in tags:
            of.add_tag(one)
        if program:
            of.add_program(program)
        return of

    plain = stamps(made(Attribute("A", INT)))
    assert plain == stamps(made(Attribute("A", INT, 5)))
    one, other = structure("S", [("x", DINT, 0)]), structure("S", [("y", DINT, 0)])
    others = [
        made(Attribute("B", INT)),
        made(Attribute("A", DINT)),
        made(Attribute("A", INT, [0])),
        made(Attribute("A", INT), Attribute("B", INT)),
        made(Attribute("A", INT), program="P"),
        made(Attribute("A", one, {})),
        made(Attribute("A", other, {})),
    ]
    assert len({plain, *map(stamps, others)}) == 1 + len(others)
    of = made(Attribute("A", INT))
    before = stamps(of)
    of.add_tag(Attribute("B", REAL))
    assert stamps(of) != before


def test_names_of_tags_and_programs() -> None:
    """A tag of a program has its full name; the name of a program alone is that of no tag."""
    of = Device()
    of.add_tag(Attribute("Program:Main.Speed", REAL))
    of.add_tag(Attribute("Speed", INT))
    assert [one.name for one in of.tags()] == ["Program:Main.Speed", "Speed"]
    assert of["PROGRAM:main.speed"].type is REAL and of["speed"].type is INT
    for wrong in ("Program:Main", "program:", "Program:.X", "Program:Main."):
        with pytest.raises(UsageError, match="is no tag"):
            of.add_tag(Attribute(wrong, INT))
        with pytest.raises(KeyError):
            of[wrong]
    with pytest.raises(UsageError, match="'Program:main.SPEED' exists already, as 'Program:Main.Speed'"):
        of.add_tag(Attribute("Program:main.SPEED", INT))
    with pytest.raises(KeyError):
        of["Program:Other.Speed"]
    assert of.router.attribute.keys() == {1}  # a program's tag is no attribute of the Message Router


@pytest.mark.parametrize("class_id", [0x6B, 0x6C])
def test_tags_cannot_be_put_where_tags_are_listed(class_id: int) -> None:
    """Symbols and templates are no place for a tag."""
    with pytest.raises(UsageError, match="choose another"):
        Device().add_tag(Attribute("T", INT), (class_id, 1, 1))


@pytest.mark.parametrize("name", PROFILES)
def test_profiles(name: str) -> None:
    """Identity object and List Identity say the same of each."""
    who = profile_named(name.lower()).identity
    simulator = Simulator(Device(profile_named(name)))
    octets = struct.pack("<HHHBBHIB", *who[:7], len(who.product_name)) + who.product_name.encode()
    assert simulator.cip(b"\x01" + numbers(1, 1)) == b"\x81\0\0\0" + octets
    listed = only(simulator.send(frame(LIST_IDENTITY))).payload
    assert octets in listed and who.product_name.startswith(name)
    single = simulator.cip(b"\x0e" + numbers(1, 1, 7))
    assert single[4:] == octets[14:]


def test_unknown_profile() -> None:
    """... names those there are."""
    with pytest.raises(UsageError, match="no identity '1756-L99'; one of 1756-L61, "):
        profile_named("1756-L99")


def test_an_identity_class_of_ones_own() -> None:
    """Device takes the class of its Identity object."""

    class Mine(Identity):
        pass

    of = Device(identity_class=Mine)
    assert type(of.identity) is Mine and Simulator(of).cip(b"\x01" + numbers(1, 1))[2] == 0


def test_micro800() -> None:
    """No packets of several requests; a tag that is not there is 0x05; text of a length octet."""
    of = Device(profile_named("2080-LC50"))
    of.add_tag(Attribute("Word", INT, 5))
    of.add_tag(Attribute("Name", SSTRING, "abc"))
    simulator = Simulator(of)
    assert simulator.cip(multiple(read(symbol("Word")))) == bytes.fromhex("8a000800")
    assert simulator.cip(read(symbol("None"))) == bytes.fromhex("cc000500")
    assert simulator.cip(read(symbol("Word"))) == bytes.fromhex("cc000000 c300 0500")
    assert simulator.cip(read(symbol("Word", 1))) == bytes.fromhex("cc00ff01 0521")
    assert simulator.cip(read(symbol("Name"))) == bytes.fromhex("cc000000 da00 03616263")
    assert simulator.cip(write(symbol("Name"), 0xDA, 1, b"\2xy")) == bytes.fromhex("cd000000")
    assert of["Name"].value == "xy"
