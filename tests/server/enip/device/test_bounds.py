"""What a reply may cost, and what customised attributes and objects may do to it."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from cpppo.errors import StatusError
from cpppo.server.enip.device import Attribute, Device, Identity
from cpppo.server.enip.wire.types import DINT, INT
from tests.server.enip.device.frames import Simulator, members, multiple, numbers, read, symbol, write


class Counting(Attribute):
    """Counts how often it is read."""

    reads = 0

    def __getitem__(self, key: Any) -> Any:
        type(self).reads += 1
        return super().__getitem__(key)


def large() -> Simulator:
    Counting.reads = 0
    device = Device()
    device.add_tag(Counting("Large", DINT, default=bytes(400_000)))
    return Simulator(device)


@pytest.mark.parametrize(
    "request_",
    [
        b"\x03" + numbers(2, 1) + struct.pack("<H1000H", 1000, *[1] * 1000),
        b"\x01" + numbers(2, 1),
        b"\x0e" + numbers(2, 1, 1),
    ],
    ids=["Get Attribute List", "Get Attributes All", "Get Attribute Single"],
)
def test_what_cannot_fit_the_reply_is_never_read(request_: bytes) -> None:
    """A short request cannot make the device copy a large tag a thousand times: 0x11 before anything is read."""
    simulator = large()
    assert simulator.cip(request_)[2:4] == b"\x11\0"
    assert Counting.reads == 0


def test_an_attribute_of_status_n_answers_it_to_every_service() -> None:
    """Forced to a status: reads give it, writes give it and are done all the same."""
    device = Device()
    tag = device.add_tag(Attribute("Tag", INT, default=1, error=8))
    simulator = Simulator(device)
    one = numbers(2, 1, 1)
    for request in (read(symbol("Tag")), b"\x0e" + one, b"\x01" + numbers(2, 1)):
        assert simulator.cip(request)[2] == 8
    assert simulator.cip(b"\x03" + numbers(2, 1) + bytes.fromhex("0100 0100"))[2:] == bytes.fromhex(
        "0a00 0100 0100 0800"
    )
    for value, request in (
        (2, write(symbol("Tag"), 0xC3, 1, b"\2\0")),
        (3, b"\x10" + one + b"\3\0"),
        (4, b"\x02" + numbers(2, 1) + b"\4\0"),
    ):
        assert simulator.cip(request)[2] == 8
        assert tag.value == value
    reply = simulator.cip(b"\x04" + numbers(2, 1) + bytes.fromhex("0100 0100 0500"))
    assert reply[2:] == bytes.fromhex("0a00 0100 0100 0800") and tag.value == 5


class Refuses(Attribute):
    """Raises a status that no reply can hold."""

    def __getitem__(self, key: Any) -> Any:
        raise StatusError(0x1FF)


def test_a_reply_that_cannot_be_sent_spoils_no_other_of_its_packet() -> None:
    """Alone or in a packet it is 0x02; the members around it are answered."""
    device = Device()
    device.add_tag(Attribute("Word", INT, default=7))
    device.add_tag(Refuses("Bad", INT))
    simulator = Simulator(device)
    assert simulator.cip(read(symbol("Bad"))) == bytes.fromhex("cc00 0200")
    reply = simulator.cip(multiple(read(symbol("Word")), read(symbol("Bad")), read(symbol("Word"))))
    good = bytes.fromhex("cc00 0000 c300 0700")
    assert reply[:4] == bytes.fromhex("8a00 1e00")
    assert members(reply) == [good, bytes.fromhex("cc00 0200"), good]


class Renamed(Identity):
    """Overrides a service by its method alone."""

    def get_attributes_all(self, target: Any, data: Any, context: Any) -> Any:
        return b"MINE"


def test_a_service_is_overridden_by_its_method_alone() -> None:
    """The mark of the method that is overridden counts."""
    assert Renamed.services[0x01] is Renamed.get_attributes_all
    assert Renamed.services[0x0E] is Identity.get_attribute_single


def test_resolved_paths_are_remembered_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """More paths than are remembered are resolved all the same, and no more are kept."""
    monkeypatch.setattr("cpppo.server.enip.device.directory._TARGETS", 10)
    device = Device()
    device.add_tag(Attribute("SCADA", INT, default=list(range(100))))
    simulator = Simulator(device)
    for index in range(100):
        assert simulator.cip(read(symbol("SCADA", index)))[6:] == struct.pack("<H", index)
        assert len(device._targets) <= 10


class ReadOnly(Attribute):
    """Takes no value."""

    def __setitem__(self, key: Any, value: Any) -> None:
        raise ValueError("not that easy")


@pytest.mark.parametrize(
    "request_",
    [write(symbol("Fixed"), 0xC3, 1, b"\2\0"), b"\x10" + numbers(2, 1, 1) + b"\2\0"],
    ids=["Write Tag", "Set Attribute Single"],
)
def test_a_write_that_failed_is_not_observed_as_done(request_: bytes) -> None:
    """What --print shows as written has been written."""
    device = Device()
    device.add_tag(ReadOnly("Fixed", INT, default=1))
    seen: list[str] = []
    device.router.observer = lambda one, first, octets, sign: seen.append(sign)
    assert Simulator(device).cip(request_)[2] == 0x02
    assert seen == []
