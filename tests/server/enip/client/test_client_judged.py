"""Whole conversations of the tag level with the simulator, before Wireshark's eyes: every request that it can make."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cpppo.errors import StatusError
from cpppo.server.enip.simulator import Simulator
from tests.pcap_oracle import C2S, Dissection
from tests.peers.wiretap import Wiretap, judge
from tests.server.enip.client.faces import FACES
from tests.server.enip.client.plant import PLANT
from tests.tools import need

pytestmark = pytest.mark.peers

#: More than a packet of any connection carries.
LARGE = 3000
#: How requests go: the options, and which services open and close what they go over.
WAYS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "routed": ({}, {"0x52"}),
    "bare": ({"path": []}, set()),
    "large connection": ({"connected": True}, {"0x5b", "0x4e"}),
    "small connection": ({"connected": True}, {"0x5b", "0x54", "0x4e"}),
}
#: Get Attributes All, Get and Set Attribute List, Get Instance Attribute List, Read Template.
OF_THE_CONTROLLER = {"0x01", "0x03", "0x04", "0x55", "0x4c"}
#: Multiple Service Packet; Read Tag and Write Tag, plain and fragmented; Read Modify Write.
OF_VALUES = {"0x0a", "0x4c", "0x52", "0x4d", "0x53", "0x4e"}


@pytest.fixture
def plc(tmp_path: Path) -> Iterator[Simulator]:
    """The plant, served on loopback, with a large array more."""
    file = tmp_path / "plant.toml"
    file.write_bytes(PLANT.replace(b"\n[tags]\n", f'\n[tags]\nLarge = "DINT[{LARGE}]"\n'.encode()))
    with Simulator(config=file) as simulator:
        yield simulator


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("face", sorted(FACES))
def test_judged(plc: Simulator, tmp_path: Path, face: str, way: str) -> None:
    """All kinds of values and places are read and written, lists are browsed and kept, refusals told; no finding."""
    need("tshark")
    options, around = WAYS[way]
    plc.device.manager.large = way != "small connection"
    with Wiretap(plc.address) as tap, ExitStack() as stack:
        for step in (_controller, _values, _kept):
            tags = FACES[face](*tap.address, cache=tmp_path / "tags", **options)
            stack.callback(tags.close)
            step(tags, plc)
            tags.end()
    first, values, kept = judge(tap.conversations)
    assert _services(first) == OF_THE_CONTROLLER | around
    assert _services(values) == {"0x03"} | OF_VALUES | around
    assert "0x03" in _services(kept) and "0x55" not in _services(kept), "the stamps tell that the list is good"


def _services(pdus: Dissection) -> set[str]:
    """What was asked for, in packets and in what is sent along a route, too."""
    return {service for pdu in pdus if pdu.direction == C2S for service in pdu.all("cip.sc")}


def _controller(tags: Any, plc: Simulator) -> None:
    """Who it is, its clock, tags and types."""
    assert tags.identity().product_name == "1756-L83E/B"
    tags.set_clock(datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc))
    assert tags.clock().year == 2030
    assert {"Large", "Program:Main.Step"} < {one.name for one in tags.tags()}
    assert set(tags.types()) == {"Motor", "Leaf", "Text20", "STRING"}


def _values(tags: Any, plc: Simulator) -> None:
    """Values of every kind, of every kind of place."""
    motor = tags.read("Drive[1]")
    motor.update(running=True, speed=1.5, counts=[1, 2, 3, 4], label="motor", short="abc")
    written = {
        "Level": -0.5,
        "Small": -128,
        "Pump": True,
        "Name": "unit 8",
        "Short": "short",
        "Names[1-2]": ["one", "two"],
        "Grid": [[6, 5, 4], [3, 2, 1]],
        "Cube[1,2,3]": -7,
        "SCADA[10-29]": list(range(20)),
        "Large": list(range(LARGE)),
        "Drive[1]": motor,
        "Drive[2].speed": 2.5,
        "Drive[2].leaf[1].name": "leaf",
        "Program:Main.Step": 4,
        "Program:Main.Drive.counts[3]": 5,
        "Word.3": False,
        "Word.31": True,
        "Flags[30-35]": [True, False] * 3,
        "Drive[3].fault": True,
        "Drive[3].flags[39]": True,
    }
    tags.write(written)
    assert tags.read(*written) == list(written.values())
    assert plc.device["Large"][:] == list(range(LARGE)) and plc.device["Word"].value == -(2**31)
    near = [f"SCADA[{at}]" for at in range(10, 30)]
    assert str(tags.plan(*near)).count("Read Tag") == 1 and tags.read(*near) == list(range(20))
    far = [f"Large[{at}]" for at in range(0, LARGE, 50)]
    tags.write({place: -1 for place in far})
    assert tags.read(*far, "Large[1-2]", "Drive")[:-2] == [-1] * len(far)
    plc.device["Level"].read_only, plc.device["Name"].hidden = True, True
    refused = tags.write({"Level": 1.0, "Small": 1}, raises=False)
    assert isinstance(refused["Level"], StatusError) and refused["Small"] is None
    name, small = tags.read("Name", "Small", raises=False)
    assert isinstance(name, StatusError) and small == 1


def _kept(tags: Any, plc: Simulator) -> None:
    """The list is in the file."""
    assert tags.read("Drive[1]").label == "motor"
