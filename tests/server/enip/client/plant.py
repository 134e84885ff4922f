"""A controller in memory for tests of the tag level, and flows run against it without sockets."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from cpppo.server.enip.client.catalog import Catalog, browse
from cpppo.server.enip.client.exchange import Exchange
from cpppo.server.enip.client.transfers import Transfers
from cpppo.server.enip.device import Attribute, Device, profile_named
from cpppo.server.enip.plant import parse_plant
from cpppo.server.enip.session import Session

__all__ = ["PLANT", "catalog", "controller", "run"]

PLANT = b"""
[controller]
name = "Plant"
profile = "1756-L83E"

[types.Leaf]
on = "BOOL"
value = "INT"
name = "STRING"

[types.Text20]
LEN = "DINT"
DATA = "SINT[20]"

[types.Motor]
running = "BOOL"
fault = "BOOL"
speed = "REAL"
counts = "DINT[4]"
label = "STRING"
short = "Text20"
flags = "BOOL[40]"
leaf = "Leaf[2]"

[tags]
SCADA = "INT[1000]"
Level = { type = "REAL", value = 12.5 }
Fixed = { type = "DINT", value = 7, access = "read-only" }
Word = { type = "DINT", value = 8 }
Small = "SINT"
Drive = "Motor[8]"
Grid = { type = "DINT[2,3]", value = [[1, 2, 3], [4, 5, 6]] }
Cube = "INT[2,3,4]"
Flags = { type = "BOOL[64]", value = [true, false, true] }
Name = { type = "STRING", value = "unit 7" }
Names = "STRING[3]"
Short = "Text20"
Pump = "BOOL"

[programs.Main.tags]
Step = { type = "DINT", value = 3 }
Drive = "Motor"

[programs.Empty.tags]
"""


def controller(*tags: Attribute) -> Device:
    """The controller of the plant, with further tags."""
    plant = parse_plant(PLANT)
    device = plant.device()
    plant.populate(device)
    for one in tags:
        device.add_tag(one)
    return device


def run(flow: Generator[Any, Any, Any], device: Device) -> Any:
    """What a flow returns, its operations done one by one in a session of their own."""
    session, exchange = Session(device, 7, (0x7F000001, 44818)), Exchange()
    exchange.feed(session.receive(exchange.register()[1]))
    try:
        operations = next(flow)
        while True:
            transfers, results = Transfers(exchange, operations), []
            while transfers.ready():
                issued = transfers.issue()
                assert issued is not None, transfers.error
                exchange.feed(session.receive(issued[1]))
                results += transfers.take(issued[0])
            assert transfers.error is None
            operations = flow.send(results)
    except StopIteration as done:
        return done.value


def catalog(device: Device | None = None) -> Catalog:
    """What there is to know of a controller."""
    found: Catalog = run(browse(), device or controller())
    return found


assert profile_named("1756-L83E").large
