"""Our client and servers of other makers: what it reads, writes and finds, and how it tells what they cannot do."""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cpppo.errors import StatusError, Timeout
from cpppo.server.enip import client
from cpppo.server.enip.client import Logix, UnknownTag
from tests.peers.conftest import Served
from tests.peers.servers import ASSEMBLIES, HOST, LARGE, NAME, NUMBERS, SERIAL, Device, Server, Tags
from tests.peers.wiretap import Wiretap, judge
from tests.tools import need, run_module

pytestmark = pytest.mark.peers

LONG_S, SHORT_S = 10.0, 1.0

#: How the ways of the table are asked for: of the tag level, and of a connector.
PATHS: dict[str, Any] = {"routed": None, "bare": [], "connected": None}


@pytest.fixture
def plc(served: Served) -> Iterator[Logix]:
    """The tag level, asking in the way that the test is about."""
    way, (host, port) = served.way, served.tap.address
    with Logix(host, port, PATHS[way], LONG_S, connected=way == "connected") as one:
        yield one


@pytest.fixture
def connection(served: Served) -> Iterator[client.connector]:
    """A connector, asking in the way that the test is about."""
    way, (host, port) = served.way, served.tap.address
    one = client.connector(host, port, LONG_S, route_path=PATHS[way], connected=way == "connected")
    yield one
    made = one.exchange.connection
    one.close()
    assert made is None or served.server.manager.find_by_ot_id(made.to_id) is None


def got(connection: client.connector, *operations: Any, **kwds: Any) -> list[tuple[Any, Any]]:
    """Status and value of each operation."""
    return [(one.sts, one.val) for one in connection.operate(operations, **kwds)]


def get(path: str) -> dict[str, Any]:
    """The operation that gets an attribute, or all of an instance."""
    return {"method": "get_attribute_single" if path.count("/") == 2 else "get_attributes_all", "path": path}


def put(path: str, octets: bytes) -> dict[str, Any]:
    """The operation that sets an attribute."""
    return {"method": "set_attribute_single", "path": path, "data": list(octets)}


@contextmanager
def judged(server: Server) -> Iterator[Wiretap]:
    """What is before a server; all that passes is judged at the end."""
    need("tshark")
    with Wiretap(server.address) as tap:
        yield tap
    judge(tap.conversations)


# -- any device


@pytest.mark.capability("List Identity")
def test_list_identity(served: Served) -> None:
    """Who it is, without a session."""
    assert served.way == "TCP"
    host, port = served.tap.address
    who = client.identify(host, port, LONG_S)
    assert (who.product_name, who.serial, who.revision, who.device_type) == (NAME, SERIAL, (3, 4), 12)
    assert who.address == (HOST, served.server.port), "where it says that it listens"


@pytest.mark.capability("command lines")
def test_command_lines(served: Served) -> None:
    """--discover, which asks by TCP where UDP is not answered, --list, getattr; exit statuses and words."""
    address = "{}:{}".format(*served.tap.address)
    found = run_module("cpppo.server.enip.client", "--discover", address, "--json")
    assert (found.returncode, json.loads(found.stdout)["product_name"]) == (0, NAME)
    listed = run_module("cpppo.server.enip.client", "-a", address, "--list")
    assert listed.returncode == 0 and listed.stdout.startswith(f"{NAME}  vendor 1  type 12  code 77  revision 3.4")
    rows = [line.split() for line in listed.stdout.splitlines()]
    if isinstance(served.server, Tags):
        assert ["Large", f"DINT[{LARGE}]", "none"] in rows and listed.stderr == "", "which stands for its read-write"
    else:
        assert "does not let itself be browsed" in listed.stderr and "path destination unknown" in listed.stderr
    attributes = run_module("cpppo.server.enip.getattr", "-a", address, "@1/1", "@1/1/7", "@9/9/9")
    text = str([len(NAME), *NAME.encode()])
    first, second, third = attributes.stdout.splitlines()
    assert attributes.returncode == 0
    assert first.endswith(text[1:]) and second.endswith(f"== {text}") and third.endswith("== None")
    assert "Status 5 (path destination unknown)" in attributes.stderr
    nothing = run_module("cpppo.server.enip.client", "-a", address, "-p", "Nope", "Nope=5")
    assert nothing.returncode == 1 and nothing.stdout.count("'Status 5 '") == 2


@pytest.mark.capability("identity")
def test_identity(plc: Logix) -> None:
    """The Identity object, by the tag level."""
    who = plc.identity()
    assert (who.product_name, who.serial, who.revision, who.vendor) == (NAME, SERIAL, (3, 4), 1)


@pytest.mark.capability("attributes")
@pytest.mark.parametrize("depth", [0, 20])
def test_attributes(connection: client.connector, depth: int) -> None:
    """One, and all, of an instance and of a class; one by one and many in flight."""
    name = [len(NAME), *NAME.encode()]
    asked = [get("@1/1/7"), get("@1/1"), get("@1/1/6"), get("@1/0/1")] * 10
    values = [value for _, value in got(connection, *asked, depth=depth)]
    assert [values[0], values[1][-len(name) :], values[3]] == [name, name, [1, 0]]
    assert bytes(values[2]) == SERIAL.to_bytes(4, "little")
    assert values == values[:4] * 10


@pytest.mark.capability("assemblies")
def test_assemblies(connection: client.connector) -> None:
    """What is set is there when it is got, up to 500 octets; also in one packet, which the device refuses."""
    for number, size in ASSEMBLIES.items():
        data = [at % 251 for at in range(size)]
        asked = put(f"@4/{number}/3", bytes(data)), get(f"@4/{number}/3"), get(f"@4/{number}/4")
        expected = [(0, True), (0, data), (0, list(size.to_bytes(2, "little")))]
        assert got(connection, *asked) == expected
        assert got(connection, *asked, multiple=490) == expected


@pytest.mark.capability("refusals")
@pytest.mark.parametrize("depth", [0, 5])
def test_refusals(served: Served, connection: client.connector, depth: int) -> None:
    """Each has the device's status, alone and between others, and the conversation goes on."""
    asked = [get("@1/9/1"), get("@1/1/1"), get("@1/1/77"), get("@0x99/1/1"), put("@1/1/1", b"\2\0"), get("@1/1/1")]
    found = got(connection, *asked, depth=depth)
    assert found == [(0x16, None), (0, [1, 0]), (0x14, None), (5, None), (0x0E, None), (0, [1, 0])]
    assert got(connection, {"path": "Nope"}, {"path": "Nope", "data": [1]}, depth=depth) == [(5, None)] * 2


@pytest.mark.capability("refusals")
def test_refusals_of_the_tag_level(served: Served, plc: Logix) -> None:
    """A device without tags, or without that one, and one without a clock, says so; no connection is lost by it."""
    if isinstance(served.server, Tags):
        with pytest.raises(UnknownTag, match="no tag 'Nope'"):
            plc.read("Nope")
        with pytest.raises(UnknownTag, match="no such element"):
            plc.read("Some_DINT[4]")
    else:
        for call in (plc.tags, lambda: plc.read("Nope"), lambda: plc.write({"Nope": 1})):
            with pytest.raises(StatusError, match="Get Instance Attribute List tags from 0: path destination unknown"):
                call()
    with pytest.raises(StatusError, match="the clock was not read: path destination unknown"):
        _ = plc.clock
    assert plc.connected and plc.identity().serial == SERIAL


# -- tags


@pytest.mark.capability("tag list")
def test_tag_list(plc: Logix) -> None:
    """All tags with their types and dimensions; no structures."""
    numbers = {f"One_{name}": name for name in NUMBERS}
    arrays = {f"Some_{name}": f"{name}[{len(values)}]" for name, values in NUMBERS.items()}
    others = {"Pump": "BOOL", "Word": "DINT", "Large": f"DINT[{LARGE}]"}
    assert {one.name: one.type for one in plc.tags()} == {**numbers, **arrays, **others}
    assert plc.types() == {} and plc.refresh() is None and len(plc.tags()) == 2 * len(NUMBERS) + 3


@pytest.mark.capability("numbers")
def test_numbers(served: Served, plc: Logix) -> None:
    """Each type's extremes are written, are in the server, and are read again."""
    for name, values in NUMBERS.items():
        tag = f"One_{name}"
        for value in values:
            plc.write({tag: value})
            assert plc.read(tag) == value
    assert served.server.octets("One_DINT") == struct.pack("<i", NUMBERS["DINT"][-1])
    for on in (True, False):
        plc.write({"Pump": on})
        assert plc.read("Pump") is on


@pytest.mark.capability("arrays")
def test_arrays(served: Served, plc: Logix) -> None:
    """Whole, in part and by element, in any order."""
    for name, values in NUMBERS.items():
        tag = f"Some_{name}"
        plc.write({tag: values})
        assert plc.read(tag, f"{tag}[1-2]", f"{tag}[3]") == [values, values[1:3], values[3]]
        plc.write({f"{tag}[1-2]": values[2:0:-1], f"{tag}[3]": values[0]})
        assert plc.read(tag) == [values[0], values[2], values[1], values[0]]


@pytest.mark.capability("bits")
def test_bits(served: Served, plc: Logix) -> None:
    """Bits of an integer, by Read Modify Write."""
    plc.write({"Word": 0b1000})
    plc.write({"Word.3": False, "Word.0": True, "Word.31": True})
    assert plc.read("Word.3", "Word.0", "Word.31", "Word") == [False, True, True, 1 - 2**31]
    assert served.server.octets("Word") == b"\1\0\0\x80"


@pytest.mark.capability("large arrays")
def test_large_arrays(served: Served, plc: Logix, connection: client.connector) -> None:
    """Larger than its replies, which are shorter than what we have room for."""
    values = list(range(LARGE))
    served.server.tags.find_by_name("Large").set_data(struct.pack(f"<{LARGE}i", *values))
    assert plc.read("Large") == values
    for depth in (0, 10):
        for fragment in (True, False):
            assert got(connection, {"path": f"Large[0-{LARGE - 1}]"}, depth=depth, fragment=fragment) == [(0, values)]


@pytest.mark.capability("fragmented writes")
def test_fragmented_writes(served: Served, plc: Logix) -> None:
    """Larger than a request."""
    values = [at * 70_001 for at in range(LARGE)]
    plc.write({"Large": values})
    assert served.server.octets("Large") == struct.pack(f"<{LARGE}i", *values)


@pytest.mark.capability("several tags at once")
def test_several_tags(served: Served, plc: Logix, connection: client.connector) -> None:
    """Hundreds by one call, in Multiple Service Packets; one that is refused refuses no other."""
    plc.write({f"Large[{at}]": -at for at in range(0, 300, 3)})
    assert plc.read(*(f"Large[{at}]" for at in range(0, 300, 3))) == [-at for at in range(0, 300, 3)]
    operations = client.parse_operations(["Large[3]", "Nope", f"Large[{LARGE}]", "Word=(INT)5", "Large[6]"])
    found = got(connection, *operations, multiple=300)
    assert found == [(0, [-3]), (5, None), ((0xFF, [0x2105]), None), ((0xFF, [0x2107]), None), (0, [-6])]


# -- what is wrong with them, and how our client tells it


def test_one_that_answers_on_the_wrong_connection(caplog: pytest.LogCaptureFixture) -> None:
    """As both are, if they are not told otherwise: the reply is dropped, with words; there is no wrong value."""
    for make in (Tags, Device):
        with make(honest=False) as server:
            connection = client.connector(*server.address, timeout=LONG_S, connected=True)
            with caplog.at_level(logging.WARNING), pytest.raises(Timeout, match="did not answer Get Attributes All"):
                got(connection, get("@1/1"), timeout=SHORT_S)
            connection.close()
            assert "dropped a reply that answers no request (on connection 0x00000001, sequence count 1)" in caplog.text
            caplog.clear()


def test_a_list_that_is_not_told_to_the_end() -> None:
    """The tags cannot be read by the tag level, which says why; they can by operations."""
    with Tags(more=40) as server, judged(server) as tap:
        with Logix(*tap.address, timeout=LONG_S) as plc:
            with pytest.raises(StatusError, match="List tags from [0-9]+: service not supported"):
                plc.read("Word")
        connection = client.connector(*tap.address, timeout=LONG_S)
        assert got(connection, *client.parse_operations(["Tag_39=(INT)7", "Tag_39"])) == [(0, True), (0, [7])]
        connection.close()


def test_what_the_document_says_is_wrong() -> None:
    """What nothing tells: elements that are taken for the first, and assemblies that the device does not see."""
    with Tags() as server, judged(server) as tap, Logix(*tap.address, timeout=LONG_S) as plc:
        plc.write({"Large": list(range(LARGE)), "Some_DINT": [0] * 4, "Some_DINT[1].0": True})
        assert plc.read("Some_DINT") == [1, 0, 0, 0]
        assert plc.read("Large[100-400]") != list(range(100, 401))
    with Device() as device, judged(device) as tap:
        connection = client.connector(*tap.address, timeout=LONG_S)
        assert got(connection, put("@4/100/3", bytes([7] * 8)), get("@4/100/3")) == [(0, True), (0, [7] * 8)]
        connection.close()
        assert device.assembly(100) == bytes(8)


def test_a_structure_that_cannot_be_known() -> None:
    """The tag level says which template it is; by operations there are its octets."""
    with Tags(structure=True) as server, judged(server) as tap:
        with Logix(*tap.address, timeout=LONG_S) as plc:
            with pytest.raises(StatusError, match="Read Template template 0x101: path destination unknown"):
                plc.read("Word")
        connection = client.connector(*tap.address, timeout=LONG_S)
        assert got(connection, {"path": "Drive"}) == [(0, bytes(8))]
        connection.close()
