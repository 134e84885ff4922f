"""Objects and their common services, in exact octets: identity, attributes got and set, what is not there."""

from __future__ import annotations

from typing import Any

import pytest

from cpppo.server.enip.device import (
    MASK_GA_ALL,
    MASK_GA_SNG,
    Attribute,
    Device,
    Identity,
    IdentityData,
    Object,
    serves,
)
from cpppo.server.enip.wire.services import Service
from cpppo.server.enip.wire.services.tag import Void
from cpppo.server.enip.wire.types import DINT, INT, UINT
from tests.server.enip.device.frames import (
    ROUTER,
    Simulator,
    device,
    modify,
    multiple,
    numbers,
    path,
    read,
    read_fragmented,
    shown,
    symbol,
    unconnected,
    write,
)

ALL, SET_ALL, LIST, SET_LIST, ONE, SET_ONE = b"\x01", b"\x02", b"\x03", b"\x04", b"\x0e", b"\x10"
NAME = b"\x141756-L61/B LOGIX5561"


@pytest.fixture
def simulator() -> Simulator:
    return Simulator()


def cip(simulator: Simulator, request: bytes, expected: str) -> None:
    assert simulator.cip(request).hex(" ") == bytes.fromhex(expected).hex(" ")


# -- identity


def test_identity_whole(simulator: Simulator) -> None:
    """Get Attributes All of the Identity: vendor to name, as every client unpacks it."""
    values = bytes.fromhex("0100 0e00 3600 14 0b 6030 1a066c00") + NAME
    assert simulator.cip(ALL + numbers(1, 1)) == bytes.fromhex("81 00 00 00") + values


@pytest.mark.parametrize(
    ("attribute", "value"),
    [(1, "0100"), (2, "0e00"), (3, "3600"), (4, "140b"), (5, "6030"), (6, "1a066c00"), (7, NAME.hex()), (8, "03")],
)
def test_identity_attributes(simulator: Simulator, attribute: int, value: str) -> None:
    """Get Attribute Single of each attribute of the Identity."""
    cip(simulator, ONE + numbers(1, 1, attribute), "8e000000" + value)


def test_identity_can_be_chosen() -> None:
    """Another identity shows in its object."""
    data = IdentityData(0x99, 0x0C, 0x1234, 3, 7, 0x0030, 0xDEADBEEF, "Mine")
    simulator = Simulator(Device(data))
    cip(simulator, ALL + numbers(1, 1), "81000000 9900 0c00 3412 03 07 3000 efbeadde 04" + b"Mine".hex())


def test_nothing_of_the_identity_can_be_set(simulator: Simulator) -> None:
    """Set services on the Identity: 0x0E not settable, 0x08 for all at once."""
    cip(simulator, SET_ONE + numbers(1, 1, 1) + b"\2\0", "90 00 0e 00")
    cip(simulator, SET_LIST + numbers(1, 1) + bytes.fromhex("0100 0100 0200"), "84 00 0a 00 0100 0100 0e00")
    cip(simulator, SET_ALL + numbers(1, 1) + bytes(30), "82 00 08 00")
    cip(simulator, ONE + numbers(1, 1, 1), "8e 00 00 00 01 00")


@pytest.mark.parametrize("class_id", [1, 2, 6])
def test_class_level(simulator: Simulator, class_id: int) -> None:
    """Instance 0, or no instance, is the class: revision, highest instance, number of instances."""
    for where in (numbers(class_id, 0), numbers(class_id)):
        cip(simulator, ALL + where, "81000000 0100 0100 0100")
    cip(simulator, ONE + numbers(class_id, 0, 2), "8e000000 0100")


def test_class_counts_instances() -> None:
    """The class tells the highest instance and how many there are."""
    one = device()
    one.add(Identity(instance_id=7))
    cip(Simulator(one), ALL + numbers(1, 0), "81000000 0100 0700 0200")


# -- what is not there


@pytest.mark.parametrize(
    "service", [ALL, SET_ALL, ONE, SET_ONE, b"\x4c", b"\x4d", b"\x7f", b"\x54", b"\x05"], ids=shown
)
@pytest.mark.parametrize(
    "where", [numbers(0x99, 1, 1), numbers(2, 2, 1), numbers(1, 300), numbers(0x1234), b"\0"], ids=shown
)
def test_unknown_class_or_instance(simulator: Simulator, service: bytes, where: bytes) -> None:
    """A class or an instance that is not there: 0x05, whatever the service; so is a path that says nothing."""
    data = b"\xc3\0\1\0\1\0" if service == b"\x4d" else b"\1\0"
    assert simulator.cip(service + where + data) == bytes([service[0] | 0x80, 0, 5, 0])


@pytest.mark.parametrize("service", [ONE, SET_ONE], ids=shown)
@pytest.mark.parametrize("where", [numbers(1, 1, 99), numbers(1, 1), numbers(2, 1, 0), numbers(2, 1, 1000)])
def test_unknown_attribute(simulator: Simulator, service: bytes, where: bytes) -> None:
    """An attribute that is not there, or none in the path: 0x14."""
    assert simulator.cip(service + where) == bytes([service[0] | 0x80, 0, 0x14, 0])


@pytest.mark.parametrize(
    "request_",
    [
        b"\x7f" + numbers(1, 1),
        b"\x05" + numbers(2, 1),
        b"\x4b" + numbers(1, 1) + bytes(12),
        b"\x7f" + symbol("Word"),
        ONE + symbol("Word"),
        SET_ONE + symbol("Word") + b"\0\0",
        ALL + symbol("Word"),
        b"\x0a" + symbol("Word") + bytes.fromhex("0100 0400 4c00"),
        b"\x0a" + numbers(1, 1) + bytes.fromhex("0100 0400 4c00"),
        read(numbers(1, 1, 1)),
        write(numbers(1, 1, 1), 0xC7, 1, b"\2\0"),
        read(numbers(2, 0, 1)),
        ALL + numbers(6, 1),
        SET_ALL + numbers(6, 1),
        read(numbers(6, 1)),
        b"\xcc" + symbol("Word") + b"\1\0",
    ],
    ids=shown,
)
def test_unknown_service(simulator: Simulator, request_: bytes) -> None:
    """A service that an object has not: 0x08 in a bare reply; the session goes on."""
    assert simulator.cip(request_) == bytes([request_[0] | 0x80, 0, 8, 0])
    assert simulator.alive()


@pytest.mark.parametrize("name", ["Nothing", "", "SCADAS", "S", "SCADA.x", "Program:Main", "\xdf", "SCADA\0"])
@pytest.mark.parametrize("service", ["4c", "4d", "4e", "52", "53", "0e", "7f"])
def test_unknown_tag(simulator: Simulator, name: str, service: str) -> None:
    """A name that no tag has: 0x04 with the extended word 0, whatever the service."""
    code = bytes.fromhex(service)
    reply = simulator.cip(code + symbol(name) + bytes.fromhex("c300 0100 0000 0000"))
    assert reply == bytes([code[0] | 0x80, 0, 4, 1, 0, 0])


def test_member_of_an_atomic_tag(simulator: Simulator) -> None:
    """A member of what is no structure is not there: 0x04 with the extended word 0."""
    where = path(bytes.fromhex("9105") + b"SCADA\0" + bytes.fromhex("9101") + b"x\0")
    cip(simulator, read(where), "cc 00 04 01 0000")


@pytest.mark.parametrize("name", ["scada", "SCADA", "Scada", "sCaDa"])
def test_names_are_compared_without_case(simulator: Simulator, name: str) -> None:
    """Names are found in any case."""
    cip(simulator, read(symbol(name)), "cc000000 c300 0000")


def test_no_other_letters_are_alike() -> None:
    """Only the case is ignored: a sharp s is no double s."""
    cip(Simulator(device([("Pass", INT, 1)])), read(symbol("Pa\xdf")), "cc 00 04 01 0000")


# -- paths gone wrong


@pytest.mark.parametrize("octets", ["4c", "4c 01", "4c 02 91 01", "4c 09 20 02 24 01", "4c ff" + 20 * "00", "01 01"])
def test_path_beyond_the_request(simulator: Simulator, octets: str) -> None:
    """A path size beyond the octets there are: 0x26."""
    asked = bytes.fromhex(octets)
    assert simulator.cip(asked) == bytes([asked[0] | 0x80, 0, 0x26, 0])


@pytest.mark.parametrize("octets", ["ee ee", "91 09 41 42", "21 00", "91 00", "00 00", "34 04 00 00"])
def test_path_that_cannot_be_parsed(simulator: Simulator, octets: str) -> None:
    """A path whose segments are not: 0x04 with the extended word 0."""
    words = bytes.fromhex(octets)
    words += bytes(len(words) % 2)
    cip(simulator, read(path(words)), "cc 00 04 01 0000")


@pytest.mark.parametrize(
    "octets",
    [
        "20 02 24 01 30 04",
        "21 00 02 00 24 01 30 04",
        "20 02 25 00 01 00 30 04",
        "20 02 26 00 01 00 00 00 30 04",
        "21 00 02 00 25 00 01 00 31 00 04 00",
        "22 00 02 00 00 00 26 00 01 00 00 00 32 00 04 00 00 00",
        "20 02 24 01 30 04 28 00",
        "20 02 24 01 30 04 29 00 00 00",
        "20 02 24 01 30 04 2a 00 00 00 00 00",
    ],
)
def test_every_encoding_of_a_number(simulator: Simulator, octets: str) -> None:
    """Class, instance, attribute and element in 8, 16 and 32 bits all lead to the same tag."""
    cip(simulator, read(path(bytes.fromhex(octets))), "cc000000 c300 0700")


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (b"\x4c" + symbol("Word"), "cc 00 13 00"),
        (b"\x4c" + symbol("Word") + b"\1", "cc 00 13 00"),
        (b"\x52" + symbol("Word") + b"\1\0\0\0", "d2 00 13 00"),
        (b"\x4d" + symbol("Word") + b"\xc3\0\1", "cd 00 13 00"),
        (b"\x53" + symbol("Word") + b"\xc3\0\1\0\0\0", "d3 00 13 00"),
        (b"\x4e" + symbol("Word") + b"\2", "ce 00 13 00"),
        (LIST + numbers(1, 1) + b"\1", "83 00 13 00"),
        (LIST + numbers(1, 1) + b"\2\0\1\0", "83 00 13 00"),
        (SET_LIST + numbers(2, 1), "84 00 13 00"),
        (b"\x0a" + ROUTER, "8a 00 13 00"),
        (b"\x0a" + ROUTER + b"\2\0\6\0", "8a 00 13 00"),
    ],
    ids=shown,
)
def test_data_too_short(simulator: Simulator, request_: bytes, reply: str) -> None:
    """Service data that ends too early: 0x13."""
    cip(simulator, request_, reply)


@pytest.mark.parametrize("extra", [b"\0", b"\1\0\1\0", bytes(37)], ids=shown)
@pytest.mark.parametrize(
    "request_",
    [
        read(symbol("Word")),
        read_fragmented(symbol("Word"), 1),
        modify(symbol("Word"), 2, b"\0\0", b"\xff\xff"),
        ONE + numbers(1, 1, 7),
        ALL + numbers(1, 1),
        LIST + numbers(1, 1) + bytes.fromhex("0100 0100"),
        unconnected(read(symbol("Word"))),
    ],
    ids=["4c", "52", "4e", "0e", "01", "03", "52@6"],
)
def test_octets_too_many_are_tolerated(simulator: Simulator, request_: bytes, extra: bytes) -> None:
    """Octets after a request that is whole are ignored: some clients append a route."""
    assert simulator.cip(request_ + extra) == simulator.cip(request_)
    assert simulator.cip(request_)[2] == 0


# -- lists of attributes


def test_attribute_list_in_the_order_asked(simulator: Simulator) -> None:
    """Get Attribute List answers number, status and value of each, in the order asked for."""
    cip(
        simulator,
        LIST + numbers(1, 1) + bytes.fromhex("0300 0300 0100 0200"),
        "83000000 0300 0300 0000 3600 0100 0000 0100 0200 0000 0e00",
    )


def test_attribute_list_with_unknown_ones(simulator: Simulator) -> None:
    """An unknown attribute has number and status 0x14 and no value; the general status is 0x0A."""
    cip(
        simulator,
        LIST + numbers(1, 1) + bytes.fromhex("0300 0100 6300 0300"),
        "83000a00 0300 0100 0000 0100 6300 1400 0300 0000 3600",
    )


def test_attribute_list_of_tags(simulator: Simulator) -> None:
    """Tags are attributes of the Message Router, by the numbers of their order."""
    cip(
        simulator,
        LIST + numbers(2, 1) + bytes.fromhex("0200 0500 0400"),
        "83000000 0200 0500 0000 010000000200000003000000 0400 0000 0700",
    )


def test_set_attribute_list(simulator: Simulator) -> None:
    """Set Attribute List sets each in turn, and answers number and status."""
    cip(
        simulator,
        SET_LIST + numbers(2, 1) + bytes.fromhex("0200 0400 0900 0300 05"),
        "84000000 0200 0400 0000 0300 0000",
    )
    assert (simulator.device["Word"].value, simulator.device["Small"].value) == (9, 5)


def test_set_attribute_list_ends_at_an_unknown_one(simulator: Simulator) -> None:
    """What follows an unknown attribute cannot be told apart: the list ends there, with 0x14 and 0x0A."""
    cip(
        simulator,
        SET_LIST + numbers(2, 1) + bytes.fromhex("0300 0400 0900 6300 0500 0300 05"),
        "84000a00 0200 0400 0000 6300 1400",
    )
    assert (simulator.device["Word"].value, simulator.device["Small"].value) == (9, -1)


# -- one attribute


def test_get_and_set_one(simulator: Simulator) -> None:
    """Get and Set Attribute Single move a tag whole, as octets."""
    cip(simulator, SET_ONE + numbers(2, 1, 5) + bytes.fromhex("07000000 08000000 ffffffff"), "90 00 00 00")
    cip(simulator, ONE + numbers(2, 1, 5), "8e000000 07000000 08000000 ffffffff")
    assert simulator.device["Wide"].value == [7, 8, -1]


@pytest.mark.parametrize(("size", "code"), [(0, "13"), (11, "13"), (13, "15"), (400, "15")])
def test_set_one_of_another_length(simulator: Simulator, size: int, code: str) -> None:
    """Set Attribute Single: too short 0x13, too long 0x15; nothing is changed."""
    cip(simulator, SET_ONE + numbers(2, 1, 5) + bytes(size), f"90 00 {code} 00")
    assert simulator.device["Wide"].value == [1, 2, 3]


def test_set_all() -> None:
    """Set Attributes All sets every tag in order, if the octets are as many as all of them."""
    simulator = Simulator(device([("A", INT, 0), ("B", DINT, [0, 0])]))
    cip(simulator, SET_ALL + numbers(2, 1) + bytes.fromhex("0100 02000000 03000000"), "82 00 00 00")
    cip(simulator, ALL + numbers(2, 1), "81000000 0100 02000000 03000000")
    cip(simulator, SET_ALL + numbers(2, 1) + bytes(9), "82 00 13 00")
    cip(simulator, SET_ALL + numbers(2, 1) + bytes(11), "82 00 15 00")
    assert simulator.device["B"].value == [2, 3]


def test_masks_hide_attributes() -> None:
    """MASK_GA_SNG hides from Get Attribute Single and List, MASK_GA_ALL from Get Attributes All."""
    one = Device()
    one.add_tag(Attribute("A", INT, 1, mask=MASK_GA_SNG))
    one.add_tag(Attribute("B", INT, 2, mask=MASK_GA_ALL))
    simulator = Simulator(one)
    cip(simulator, ALL + numbers(2, 1), "81000000 0100")
    cip(simulator, ONE + numbers(2, 1, 1), "8e 00 14 00")
    cip(simulator, ONE + numbers(2, 1, 2), "8e000000 0200")
    cip(simulator, LIST + numbers(2, 1) + b"\1\0\1\0", "83000a00 0100 0100 1400")


def test_error_of_a_tag_is_answered() -> None:
    """A tag that is told to fail answers that status, without extended words, to every access; writes still count."""
    one = device([("A", INT, 1)])
    one["A"].error = 0x10
    simulator = Simulator(one)
    cip(simulator, read(symbol("A")), "cc 00 10 00")
    cip(simulator, read_fragmented(symbol("A"), 1), "d2 00 10 00")
    cip(simulator, write(symbol("A"), 0xC3, 1, b"\5\0"), "cd 00 10 00")
    cip(simulator, ONE + numbers(2, 1, 1), "8e 00 10 00")
    cip(simulator, LIST + numbers(2, 1) + b"\1\0\1\0", "83000a00 0100 0100 1000")
    one["A"].error = 0
    cip(simulator, read(symbol("A")), "cc000000 c300 0500")


# -- objects of one's own


class Turbine(Object):
    """An object with an attribute and a service of its own."""

    class_id = 0x99

    def __init__(self) -> None:
        super().__init__()
        self.put(1, Attribute("speed", UINT, 3000))
        self.started = 0

    @serves(Service(0x32, "Start", Void, Void))
    def start(self, target: Any, data: Any, context: Any) -> bytes:
        self.started += 1
        return b""

    @serves(Service(0x33, "Fail", Void, Void))
    def fail(self, target: Any, data: Any, context: Any) -> bytes:
        raise RuntimeError("the turbine is on fire")


def test_object_of_ones_own() -> None:
    """An object that is added answers the common services and its own; one that raises: 0x02."""
    one, turbine = device(), Turbine()
    one.add(turbine)
    simulator = Simulator(one)
    cip(simulator, ONE + numbers(0x99, 1, 1), "8e000000 b80b")
    cip(simulator, b"\x32" + numbers(0x99, 1), "b2 00 00 00")
    cip(simulator, b"\x33" + numbers(0x99, 1), "b3 00 02 00")
    cip(simulator, b"\x32" + numbers(1, 1), "b2 00 08 00")
    cip(simulator, multiple(b"\x32" + numbers(0x99, 1)), "8a000000 0100 0400 b2000000")
    assert turbine.started == 2
    with pytest.raises(ValueError, match="0x99 has an instance 1"):
        one.add(Turbine())


def test_object_added_later_is_found() -> None:
    """What was not there is not remembered as missing."""
    one = device()
    simulator = Simulator(one)
    cip(simulator, ONE + numbers(0x99, 1, 1), "8e 00 05 00")
    cip(simulator, read(symbol("Later")), "cc 00 04 01 0000")
    one.add(Turbine())
    one.add_tag(Attribute("Later", INT, 5))
    cip(simulator, ONE + numbers(0x99, 1, 1), "8e000000 b80b")
    cip(simulator, read(symbol("Later")), "cc000000 c300 0500")


def test_tag_names_are_unique_without_case() -> None:
    """A second tag of a name, in any case, is refused, and the first named."""
    one = device()
    with pytest.raises(ValueError, match="'scada' exists already, as 'SCADA'"):
        one.add_tag(Attribute("scada", INT))
    assert len(one.tags()) == 9


def test_many_different_paths_do_not_grow_memory_without_end() -> None:
    """What paths lead to is remembered for so many of them, and no more."""
    one = device([("A", INT, [0] * 20_000)])
    simulator = Simulator(one)
    for at in range(10_000):
        assert simulator.cip(read(symbol("A", at)))[2] == 0
    assert len(one._targets) <= 4096
