"""Writes that name no type: enip_client asks the controller for it, and falls back to what the values look like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cpppo.errors import UsageError
from cpppo.server.enip import simulator
from cpppo.server.enip.client import main
from cpppo.server.enip.client.drafts import Draft, questions
from cpppo.server.enip.wire.types import DINT, REAL, Kind
from tests.server.enip.client.plant import PLANT
from tests.server.enip.client.scripted import Peer, bare


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A simulator of the plant."""
    path: Path = tmp_path_factory.mktemp("plant") / "plant.toml"
    path.write_bytes(PLANT)
    with simulator(config=path) as plc:
        yield "{}:{}".format(*plc.address)


@pytest.mark.parametrize(
    ("operation", "values", "status"),
    [
        ("Level=12", "[12.0]", "'OK'"),
        ("Word=70000", "[70000]", "'OK'"),
        ("Grid[1,2]=70000", "[70000]", "'OK'"),
        ("Drive[2].counts[0-1]=1,70000", "[1, 70000]", "'OK'"),
        ("Drive[2].speed=3", "[3.0]", "'OK'"),
        ("Pump=1", "[True]", "'OK'"),
        ("Name='a, b'", "['a, b']", "'OK'"),
        ("Word.3=1", "[True]", "'OK'"),
        ("SCADA[1]=99", "[99]", "'OK'"),
        ("SCADA[0-9]+4=5,6", "[5, 6]", "'OK'"),
        ("SCADA[1]=1.5", "[1.5]", "'Status 255 [8455]'"),
        ("Small=300", "[300]", "'Status 255 [8455]'"),
        ("Level=(INT)12", "[12]", "'OK'"),
        ("Flags=1", "[1]", "'Status 255 [8455]'"),
        ("NOPE=1", "[1]", "'Status 4 [0]'"),
        ("@{'symbolic':'Word','element':0}=70000", "[70000]", "'OK'"),
        ("@{'class':2,'instance':1,'attribute':9000,'element':1}=5", "[5]", "'Status 20 '"),
        ("@{'element':1}=5", "[5]", "'Status 5 '"),
    ],
)
def test_the_controller_says(
    address: str, operation: str, values: str, status: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A value is of the type that its tag has; one that cannot be is sent as it looks, for the controller to refuse."""
    assert main(["-a", address, "-p", operation]) == (0 if "OK" in status else 1)
    assert capsys.readouterr().out.rstrip().endswith(f" <= {values}: {status}")


def test_what_no_tag_of_that_type_takes(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A number that only a wider type takes is wrong usage once the type is known, and nothing at all is done."""
    assert main(["-a", address, "-p", "Level=1", "SCADA=70000"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "'SCADA=70000', at character 7" in err and "write (DINT)70000" in err


@pytest.mark.parametrize(
    ("choice", "operation", "shown"),
    [
        ("plain", "Level=12", "[12]: 'OK'"),
        ("PLAIN", "Level=12.0", "[12.0]: 'OK'"),
        ("real", "Level=12", "[12.0]: 'OK'"),
        ("DINT", "Word=7", "[7]: 'OK'"),
        ("DINT", "Level=(REAL)7", "[7.0]: 'OK'"),
        ("DINT", "Word.3=1", "[True]: 'OK'"),
        ("auto", "Level=12", "[12.0]: 'OK'"),
    ],
)
def test_type(address: str, choice: str, operation: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--type names the type of values that have no cast."""
    main(["-a", address, "-p", "--type", choice, operation])
    assert capsys.readouterr().out.rstrip().endswith(f" <= {shown}")


def test_no_such_type(capsys: pytest.CaptureFixture[str]) -> None:
    """A type that is none is wrong usage, and what there is stands in the message."""
    with pytest.raises(SystemExit) as caught:
        main(["--type", "WORDS", "X"])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert "'WORDS' is no type; one of auto, plain, " in err and "DINT" in err


@pytest.mark.parametrize(
    ("arguments", "services"),
    [
        (["A[1]=1", "a[2]=2", "B=3", "B"], [0x4C, 0x4C, 0x53, 0x53, 0x53, 0x52]),
        (["-r", "3", "A=1"], [0x4C, 0x53, 0x53, 0x53]),
        (["--type", "plain", "A=1"], [0x53]),
        (["--type", "INT", "A=1"], [0x53]),
        (["A=(INT)1", "A"], [0x53, 0x52]),
        (["A.3=1"], [0x53]),
    ],
)
def test_each_tag_is_asked_once(arguments: list[str], services: list[int]) -> None:
    """One read a tag, however many of its elements are written and however often; none where the type is given."""
    with Peer() as peer:
        main(["-a", f"{peer.host}:{peer.port}", "-p", *arguments])
        assert [bare(request)[0] for request in peer.requests] == services


def test_questions() -> None:
    """What is asked is the tag, or its member, without the last indices; a cast, a bit and a read ask nothing."""
    drafts = [
        Draft(text) for text in ("A[1,2]=1", "A[3,4]=2", "B[2].c[1-2]=1,2", "@2/1/3[4]=5", "C=(INT)1", "D.3=1", "E")
    ]
    assert [(key, one["path"]) for key, one in questions(drafts).items()] == [
        ("a", [{"symbolic": "A"}]),
        ("b[2].c", [{"symbolic": "B"}, {"element": 2}, {"symbolic": "c"}]),
        ("@0x0002/1/3", [{"class": 2}, {"instance": 1}, {"attribute": 3}]),
    ]
    assert {one["elements"] for one in questions(drafts).values()} == {1}


@pytest.mark.parametrize(
    ("text", "kinds", "data"),
    [
        ("A=1", {}, [1]),
        ("A=1", {"a": REAL}, [1.0]),
        ("A=70000", {"a": DINT}, [70000]),
        ("A=1.5", {"a": DINT}, [1.5]),
        ("A=1", {"b": REAL}, [1]),
    ],
)
def test_operation(text: str, kinds: dict[str, Kind], data: list[float]) -> None:
    """The type that was found counts, where the values are of it."""
    operation = Draft(text).operation(kinds)
    assert operation["data"] == data and [type(one) for one in operation["data"]] == [type(one) for one in data]


@pytest.mark.parametrize("text", ["A=70000", "A=1e3,x", "A=", "A[", "A[0-2]=70000", "A=1e400", "A=x"])
def test_what_cannot_be(text: str) -> None:
    """A text that no type mends is refused at once; one that a type may mend, if none was found."""
    with pytest.raises(UsageError) as caught:
        Draft(text).operation({})
    assert repr(text)[1:-1] in str(caught.value)
