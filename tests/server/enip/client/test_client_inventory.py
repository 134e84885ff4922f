"""enip_client --list: who a controller is, its tags and structures; for people and for programs."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpppo.server.enip import simulator
from cpppo.server.enip.client import main
from cpppo.server.enip.client.catalog import Catalog, Definition, Facts, IdentityObject, Symbol
from cpppo.server.enip.client.inventory import format_catalog, format_controller
from tests.server.enip.client.plant import PLANT
from tests.server.enip.client.scripted import Peer, bare, registered, reply, service_reply


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A simulator of the plant."""
    path: Path = tmp_path_factory.mktemp("plant") / "plant.toml"
    path.write_bytes(PLANT)
    with simulator(config=path) as plc:
        yield "{}:{}".format(*plc.address)


def test_text(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The controller, a table of its tags by name, those of programs last, and the members of each structure."""
    assert main(["-a", address, "--list"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == "" and lines[0].startswith("1756-L83E") and "  vendor 1  type 14  " in lines[0]
    rows = [line.split() for line in lines[2 : lines.index("", 2)]]
    assert rows[0] == ["TAG", "TYPE", "ACCESS"]
    assert ["SCADA", "INT[1000]", "read-write"] in rows and ["Cube", "INT[2,3,4]", "read-write"] in rows
    assert ["Fixed", "DINT", "read-only"] in rows and ["Drive", "Motor[8]", "read-write"] in rows
    assert [row[0] for row in rows[1:3]] == ["Cube", "Drive"] and rows[-1][0] == "Program:Main.Step"
    at = lines.index("Leaf, a structure of 92 octets:")
    assert [line.split() for line in lines[at + 1 : at + 4]] == [["on", "BOOL"], ["value", "INT"], ["name", "STRING"]]


def test_json(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line: the controller, tags, structures."""
    assert main(["-a", address, "--list", "--json"]) == 0
    controller, *found = map(json.loads, capsys.readouterr().out.splitlines())
    assert controller["vendor"] == 1 and controller["revision"].count(".") == 1
    tags = {one["tag"]: one for one in found if "tag" in one}
    assert tags["Grid"] == {"tag": "Grid", "type": "DINT", "dimensions": [2, 3], "access": "read-write"}
    (motor,) = [one for one in found if one.get("structure") == "Motor"]
    assert {"name": "counts", "type": "DINT", "count": 4} in motor["members"] and motor["size"] == 328


def test_no_tags(capsys: pytest.CaptureFixture[str]) -> None:
    """A controller without tags has none to show."""
    with simulator() as plc:
        assert main(["-a", "{}:{}".format(*plc.address), "--list"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["", "no tags"]


def test_what_cannot_be_browsed(capsys: pytest.CaptureFixture[str]) -> None:
    """A device that has no list of tags is shown all the same, and why there is no more."""

    def script(request: bytes, number: int) -> bytes:
        if request[0] == 0x65:
            return registered(request)
        asked = bare(request)
        if asked[0] != 0x01:
            return reply(request, service_reply(asked[0], b"", 0x08))
        identity = struct.pack("<HHHBBHI", 7, 14, 1, 2, 3, 0, 0xABC) + b"\x04Tiny"
        return reply(request, service_reply(0x01, identity))

    with Peer(script) as peer:
        assert main(["-a", f"{peer.host}:{peer.port}", "--list"]) == 0
    out, err = capsys.readouterr()
    assert out == "Tiny  vendor 7  type 14  code 1  revision 2.3  serial 0x00000abc  status 0x0000\n"
    assert "it does not let itself be browsed" in err and err.count("\n") == 1


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a controller it is exit status 3 and one line."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert main(["-a", f"127.0.0.1:{free.getsockname()[1]}", "--list"]) == 3
    assert "cannot connect to" in capsys.readouterr().err


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """A peer that answers no such request is an error, and not a controller without tags."""
    with Peer(lambda request, number: registered(request) if request[0] == 0x65 else b"") as peer:
        assert main(["-a", f"{peer.host}:{peer.port}", "-t", "0.2", "--list"]) == 1
    assert "did not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--list", "X"], "--list only asks what is there; do 'X' without it"),
        (["--list", "--discover"], "one at a time"),
    ],
)
def test_wrong_usage(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What goes not together is told."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and problem in capsys.readouterr().err


def test_names_cannot_steer_a_terminal() -> None:
    """What a peer calls itself and its tags is shown without control characters."""
    who = IdentityObject(1, 14, 54, (20, 11), 0, 0xABC, "PLC\x1b[2J")
    assert format_controller(who).startswith("PLC?[2J  vendor 1  type 14  code 54  revision 20.11  serial 0x00000abc")
    assert list(format_catalog(Catalog(Facts([], {}, [])))) == ["", "no tags"]


def test_types_cannot_steer_a_terminal() -> None:
    """Nor do the names of structures, where they are the types of tags and of members."""
    inner = Definition(struct.pack("<HHI", 0, 0xC4, 0) + b"In\x1b[2J;n\0one\0", 1, 4, 0x10)
    outer = Definition(struct.pack("<HHI", 0, 0x8001, 0) + b"Out\x9b2J;n\0two\0", 1, 4, 0x11)
    symbols = [Symbol("A", 1, 0x8001, (0, 0, 0), 0), Symbol("B", 2, 0xA002, (3, 0, 0), 0)]
    lines = list(format_catalog(Catalog(Facts(symbols, {1: inner, 2: outer}, []))))
    assert "".join(lines).isprintable() and "Out?2J[3]" in "".join(lines) and any("two" in one for one in lines)
