"""What existing scripts rely on: the specification's own samples as they stand, and the names and shapes they use."""

from __future__ import annotations

import copy
import importlib
import re
import sys
from collections.abc import Iterator
from time import time
from typing import Any

import pytest

import cpppo
from cpppo.errors import LocalProtocolError
from cpppo.history.moments import render
from cpppo.server.enip import Simulator, client
from tests.server.enip.client.scripted import Peer, bare
from tests.server.enip.client.test_client_tools import STAMP

LONG_S = 10.0

PROCESS = """
host                = 'localhost'    # Controller IP address
port                = address[1]      # default is port 44818
depth               = 1               # Allow 1 transaction in-flight
multiple            = 0               # Don't use Multiple Service Packet
fragment            = False           # Don't force Read/Write Tag Fragmented
timeout             = 1.0             # Any PLC I/O fails if it takes > 1s
printing            = True            # Print a summary of I/O
tags                = ["Tag[0-9]+16=(DINT)4,5,6,7,8,9", "@0x2/1/1", "Tag[3-5]"]

with client.connector( host=host, port=port, timeout=timeout ) as connection:
    operations          = client.parse_operations( tags )
    failures,transactions = connection.process(
        operations=operations, depth=depth, multiple=multiple,
        fragment=fragment, printing=printing, timeout=timeout )

sys.exit( 1 if failures else 0 )
"""

THRUPUT = """
ap                                     = argparse.ArgumentParser()
ap.add_argument( '-d', '--depth',      default=0, help="Pipelining depth" )
ap.add_argument( '-m', '--multiple',   default=0, help="Multiple Service Packet size limit" )
ap.add_argument( '-r', '--repeat',     default=1, help="Repeat requests this many times" )
ap.add_argument( '-a', '--address',     default='localhost', help="Hostname of target Controller" )
ap.add_argument( '-t', '--timeout',    default=None, help="I/O timeout seconds (default: 10)" )
ap.add_argument( 'tags', nargs='+',    help="Tags to read/write" )
args                                  = ap.parse_args()

depth                                = int( args.depth )
multiple                = int( args.multiple )
repeat                  = int( args.repeat )
operations               = client.parse_operations( args.tags * repeat )
timeout                 = None
if args.timeout is not None:
    timeout               = float( args.timeout )

with client.connector( host=args.address, timeout=timeout ) as conn:
    start                 = cpppo.timer()
    num,idx               = -1,-1
    for num,(idx,dsc,op,rpy,sts,val) in enumerate( conn.pipeline(
        operations=operations, depth=depth,
        multiple=multiple, timeout=timeout )):
        print( "%s: %3d: %s" % ( timestamp(), idx, val ) )

    elapsed               = cpppo.timer() - start
    print( "%3d operations using %3d requests in %7.2fs at pipeline depth %2s; %5.1f TPS" % (
        num+1, idx+1, elapsed, args.depth, num / elapsed ) )
"""

EXCLUSIVE = """
from cpppo.server.enip import client
with client.connector( host="localhost" ) as conn:
    ...
"""

PIPELINE = """
operations = client.parse_operations( ["Tag[8-9]=88,99", "Tag[0-10]" ] )

with client.controller( host='localhost' ) as conn:
    for idx,dsc,req,rpy,sts,val in conn.pipeline( operations=operations ):
        seen.append(( idx, dsc, sts, val ))
"""


@pytest.fixture
def names(plc_simulator_factory: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names that a sample finds; localhost and the default port are those of a simulator with the tag Tag."""
    plc: Simulator = plc_simulator_factory("Tag=DINT[10]", "Volume=REAL", "Temperature=REAL")
    monkeypatch.setattr(importlib.import_module("cpppo.server.enip.client.connector"), "PORT", plc.address[1])
    yield {
        "address": plc.address,
        "argparse": importlib.import_module("argparse"),
        "client": client,
        "cpppo": cpppo,
        "plc": plc,
        "seen": [],
        "sys": sys,
        "timestamp": lambda: render(time()),
    }


def run(sample: str, names: dict[str, Any]) -> None:
    exec(compile(sample, "sample", "exec"), names)


def test_sample_of_process(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The sample of ``process`` prints its three lines, and ends with 0."""
    with pytest.raises(SystemExit) as ended:
        run(PROCESS, names)
    assert ended.value.code == 0
    assert names["transactions"] == [[4, 5, 6, 7, 8, 9], [0], [0, 4, 5]]
    assert capsys.readouterr().out.splitlines() == [
        "                 Tag[    4-9    ] <= [4, 5, 6, 7, 8, 9]: 'OK'",
        "         @0x0002/1/1              == [0]: 'OK'",
        "                 Tag[    3-5    ] == [0, 4, 5]: 'OK'",
    ]


@pytest.mark.parametrize(
    ("options", "requests", "depth"),
    [("", 50, " 0"), ("--depth 20", 50, "20"), ("--depth 20 --multiple 250 -t 9.5", 5, "20")],
)
def test_sample_of_thruput(
    options: str,
    requests: int,
    depth: str,
    names: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sample of ``pipeline`` prints a line an operation, and how it went."""
    monkeypatch.setattr(sys, "argv", ["thruput", "Volume", "Temperature", "--repeat", "25", *options.split()])
    run(THRUPUT, names)
    *each, rate = capsys.readouterr().out.splitlines()
    assert len(each) == 50
    assert all(re.fullmatch(STAMP + r": [ \d]{3}: \[0\.0\]", line) for line in each)
    assert rate.startswith(f" 50 operations using {requests:3d} requests in ")
    assert f"s at pipeline depth {depth}; " in rate


def test_sample_of_exclusive_use(names: dict[str, Any]) -> None:
    """A connector in a with statement; afterwards it is still open."""
    run(EXCLUSIVE, names)
    assert names["conn"].session
    names["conn"].close()


def test_sample_of_results(names: dict[str, Any]) -> None:
    """The six items of a result; an INT is written to a DINT tag, and what is beyond its end is refused."""
    run(PIPELINE, names)
    assert names["seen"] == [
        (0, "Single Write Tag  Tag", 0, True),
        (1, "Single Read  Tag  Tag", (0xFF, [0x2105]), None),
    ]
    assert names["plc"]["Tag"][8:] == [88, 99]


# -- operations, results, names


def test_names() -> None:
    """What scripts import from the client is there, and the package lists it."""
    for name in (
        "parse_int parse_path parse_path_elements format_path format_context parse_context parse_operations "
        "await_response connector controller recycle main"
    ).split():
        assert callable(getattr(client, name)) and name in client.__all__


def test_operations_are_never_changed(names: dict[str, Any]) -> None:
    """Every method with every key, done in every way, several times over: the dictionaries stay as they were."""
    port = names["address"][1]
    operations: list[dict[str, Any]] = [
        {"method": "write", "path": [{"symbolic": "Tag"}, {"element": 0}], "elements": 10, "offset": 8,
         "tag_type": 0xC4, "data": [7, 8]},
        {"path": "Tag[2]", "tagtype": 0xC4, "data": [9]},
        {"path": [{"class": 2}, {"instance": 1}, {"attribute": 1}]},
        {"method": "read", "path": "Tag", "elements": 4},
        {"method": "get_attribute_single", "path": [{"class": 1}, {"instance": 1}, {"attribute": 1}]},
        {"method": "get_attributes_all", "path": "@1/1"},
        {"method": "set_attribute_single", "path": "@2/1/2", "data": [1.5], "tag_type": 0xCA},
        {"path": "NOPE"},
    ]  # fmt: skip
    before = copy.deepcopy(operations)
    expected = [True, True, [0], [0, 0, 9, 8], [1, 0], None, True, None]
    connection = client.connector("localhost", port, LONG_S)
    for fragment in (False, True):
        for multiple in (0, 500):
            for depth in (0, 1, 20):
                found = list(connection.operate(operations, index=3, fragment=fragment, multiple=multiple, depth=depth))
                values = [one.val for one in found]
                assert values[5] and values[5][:2] == [1, 0]
                assert [*values[:5], None, *values[6:]] == expected
                assert found[0].idx == 3 and found[-1].idx == 10 or multiple
                assert [one.sts for one in found] == [0] * 7 + [(4, [0])]
                assert operations == before
    connection.close()


def test_contexts() -> None:
    """A context is 8 octets, filled with zeros; and back."""
    assert client.format_context(b"mine") == b"mine\0\0\0\0"
    assert isinstance(client.format_context(b""), bytearray)
    assert client.parse_context(bytearray(b"mine\0\0\0\0")) == b"mine"
    assert client.parse_context(b"\0a\0\0\0\0\0\0") == b"\0a"
    with pytest.raises(LocalProtocolError, match="more than 8 octets"):
        client.format_context(b"too long!")


def test_recycle() -> None:
    """What there is comes again, as often as asked, or for ever; of nothing nothing comes."""
    assert list(client.recycle("ab", 2)) == list("abab")
    assert list(client.recycle(iter("ab"), times=0)) == []
    endless = client.recycle(iter([1, 2]))
    assert [next(endless) for _ in range(5)] == [1, 2, 1, 2, 1]
    assert list(client.recycle([])) == []


# -- several requests by hand


def test_multiple() -> None:
    """Records held back, and operations, go in one packet; each has its own result, in the order given."""
    with Peer() as peer:
        connection = client.connector(peer.host, peer.port, LONG_S)
        held = [
            connection.read("X[2-3]", send=False),
            connection.write("X", [1.5], tag_type=0xCA, send=False),
            {"path": "NOPE"},
            connection.get_attributes_all("@1/1", send=False),
        ]
        before = repr(held)
        record = connection.multiple(request=held, sender_context=b"mine")
        later = connection.read("Y[5]")
        found = [client.await_response(connection, LONG_S)[0] for _ in range(5)]
        assert connection.collect() is None
        connection.close()
    assert repr(held) == before
    assert (record.service, [one.service for one in record.data.request]) == (0x0A, [0x52, 0x53, 0x4C, 0x01])
    assert later.service == 0x52
    assert [(one.sts, one.val) for one in found if one] == [
        (0, [2, 3]),
        (0, True),
        ((4, [0]), None),
        (0, list(b"\3abc")),
        (0, [5]),
    ]
    assert [one.dsc for one in found[:2] if one] == ["Multi. Read  Frag X", "Multi. Write Frag X"]
    assert [bare(request)[0] for request in peer.requests] == [0x0A, 0x52]
    assert peer.requests[0][12:20] == b"mine\0\0\0\0"


def test_unconnected_send() -> None:
    """A record held back is sent, as often as wanted, along the route asked for."""
    with Peer() as peer:
        connection = client.connector(peer.host, peer.port, LONG_S)
        record = connection.read("X[2-3]", offset=None, send=False)
        sent = connection.unconnected_send(record)
        record.data.elements = 1
        connection.unconnected_send(record, route_path=[])
        connection.unconnected_send(request={"method": "get_attribute_single", "path": "@1/1/7"})
        found = [connection.collect() for _ in range(3)]
        assert [one.val for one in found] == [[2, 3], [2], list(b"\3abc")]
        connection.close()
    assert [sent.data.elements, *(one.req.data.elements for one in found[:2])] == [2, 2, 1]
    assert [request[40] for request in peer.requests] == [0x52, 0x4C, 0x52], "an empty route sends it bare"


@pytest.mark.parametrize("request_", [None, 5, "X", cpppo.dotdict(service=0x4C), Exception()])
def test_no_request(request_: Any) -> None:
    """What is no request is refused, and nothing is sent."""
    with Peer() as peer:
        connection = client.connector(peer.host, peer.port, LONG_S)
        with pytest.raises(LocalProtocolError, match=r"send=False|no path|unknown key"):
            connection.unconnected_send(request_)
        with pytest.raises(LocalProtocolError, match=r"send=False|no path|unknown key"):
            connection.multiple([{"path": "X"}, request_])
        with pytest.raises(LocalProtocolError, match="one operation at least"):
            connection.multiple([])
        assert peer.requests == []
        connection.close()
