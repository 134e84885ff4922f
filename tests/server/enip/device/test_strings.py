"""Tags of text: STRING as the structure of Logix controllers, SSTRING as it is; in Python and in exact octets."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from cpppo.errors import LocalProtocolError
from cpppo.server.enip.device import Attribute
from cpppo.server.enip.wire.strings import SSTRING, STRING
from cpppo.server.enip.wire.types import unpack
from tests.server.enip.device.frames import (
    Simulator,
    device,
    members,
    modify,
    multiple,
    numbers,
    read,
    read_fragmented,
    shown,
    symbol,
    write,
    write_fragmented,
)

HEAD = "a002 ce0f"
TAGS = (
    ("Name", STRING, "unit 7"),
    ("Names", STRING, ["a", "bc", ""]),
    ("Many", STRING, [f"text {at}" for at in range(20)]),
    ("Short", SSTRING, "xyz"),
    ("Shorts", SSTRING, ["a", "", "bcd"]),
    ("Long", SSTRING, ["x" * 200] * 5),
)


def string(text: str) -> bytes:
    return struct.pack("<i84s", len(text), text.encode("iso-8859-1"))


def written(where: bytes, elements: int, data: bytes, handle: int = 0x0FCE) -> bytes:
    """Write Tag of a structure."""
    return b"\x4d" + where + struct.pack("<HHH", 0x02A0, handle, elements) + data


def fragment(where: bytes, elements: int, offset: int, data: bytes) -> bytes:
    """Write Tag Fragmented of a structure."""
    return b"\x53" + where + struct.pack("<HHHI", 0x02A0, 0x0FCE, elements, offset) + data


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(device(TAGS))


def cip(simulator: Simulator, request: bytes, expected: str) -> None:
    assert simulator.cip(request).hex(" ") == bytes.fromhex(expected).hex(" ")


# -- in Python


@pytest.mark.parametrize("kind", [STRING, SSTRING], ids=str)
def test_values_are_text(kind: Any) -> None:
    """Text by index, lists of it by slice; what the type cannot hold is refused and changes nothing."""
    one = Attribute("A", kind, ["a", "bc"])
    assert (one[1], one[0:2], one.value, len(one), one.size) == ("bc", ["a", "bc"], ["a", "bc"], 2, 2 * kind.size)
    one[0] = "\xe9"
    one[1:2] = ["z"]
    assert one.value == ["\xe9", "z"]
    for wrong in ("x" * 256, 5, "\u20ac"):
        with pytest.raises(LocalProtocolError, match=kind.name):
            one[0:2] = ["ok", wrong]
    assert one.value == ["\xe9", "z"]
    scalar = Attribute("B", kind)
    assert (scalar.value, scalar.scalar) == ("", True)
    assert str(Attribute("T", kind, ["a"])).endswith("[   1] == [a]")


# -- STRING


def test_read(simulator: Simulator) -> None:
    """The structure's code and handle, then 88 octets an element."""
    cip(simulator, read(symbol("Name")), f"cc000000 {HEAD}" + string("unit 7").hex())
    cip(simulator, read(symbol("Names", 1), 2), f"cc000000 {HEAD}" + string("bc").hex() + string("").hex())
    cip(simulator, read(symbol("Names"), 4), "cc 00 ff 01 0521")
    cip(simulator, b"\x0e" + numbers(2, 1, 1), "8e000000" + string("unit 7").hex())


def test_write(simulator: Simulator) -> None:
    """Whole elements of the same structure."""
    cip(simulator, written(symbol("Names", 1), 2, string("x") + string("y")), "cd000000")
    assert simulator.device["Names"].value == ["a", "x", "y"]
    cip(simulator, b"\x10" + numbers(2, 1, 1) + string("set"), "90000000")
    assert simulator.device["Name"].value == "set"


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (written(symbol("Name"), 1, string("x"), handle=0x0FCF), "cd 00 ff 01 0721"),
        (write(symbol("Name"), 0xDA, 1, b"\1x"), "cd 00 ff 01 0721"),
        (write(symbol("Name"), 0xC2, 1, b"x"), "cd 00 ff 01 0721"),
        (written(symbol("Name"), 0, b""), "cd 00 ff 01 0521"),
        (written(symbol("Name"), 2, string("") * 2), "cd 00 ff 01 0521"),
        (written(symbol("Name"), 1, string("x")[:-1]), "cd 00 13 00"),
        (written(symbol("Name"), 1, string("x") + b"\0"), "cd 00 15 00"),
        (fragment(symbol("Name"), 1, 88, b"x"), "d3 00 ff 01 0421"),
        (fragment(symbol("Name"), 1, 80, bytes(9)), "d3 00 ff 01 0521"),
        (modify(symbol("Name"), 88, bytes(88), bytes(88)), "ce 00 03 00"),
        (modify(symbol("Short"), 256, bytes(256), bytes(256)), "ce 00 03 00"),
        (b"\x10" + numbers(2, 1, 1) + bytes(87), "90 00 13 00"),
    ],
    ids=shown,
)
def test_refused(simulator: Simulator, request_: bytes, reply: str) -> None:
    """Another structure or type, other lengths: refused in the usual order, and nothing is changed."""
    cip(simulator, request_, reply)
    assert (simulator.device["Name"].value, simulator.device["Short"].value) == ("unit 7", "xyz")


@pytest.mark.parametrize(("length", "text"), [(-1, ""), (100, "ab" * 41), (2, "ab")])
def test_length_is_kept_as_it_was_written(simulator: Simulator, length: int, text: str) -> None:
    """A LEN that is none is given back to clients as it came; in Python there are the characters that exist."""
    octets = struct.pack("<i84s", length, b"ab" * 41 + b"zz")
    cip(simulator, written(symbol("Name"), 1, octets), "cd000000")
    cip(simulator, read(symbol("Name")), f"cc000000 {HEAD}" + octets.hex())
    assert simulator.device["Name"].value == text


def test_fragments(simulator: Simulator) -> None:
    """Every fragment repeats code and handle; the offset counts data only; it all comes, and whole elements first."""
    whole = b"".join(string(f"text {at}") for at in range(20))
    got, sizes = b"", []
    while len(got) < len(whole):
        reply = simulator.cip(read_fragmented(symbol("Many"), 20, len(got)))
        assert reply[:2] == b"\xd2\0" and reply[3:8] == b"\0\xa0\x02\xce\x0f"
        sizes.append(len(reply) - 8)
        got += reply[8:]
        assert reply[2] == (0 if len(got) == len(whole) else 6)
    assert got == whole and sizes == [440, 440, 440, 440]
    reply = simulator.cip(read(symbol("Many"), 20))
    assert reply[2] == 6 and reply[8:] == whole[:440]
    assert simulator.cip(read_fragmented(symbol("Many"), 20, 87))[8:] == whole[87:527]


def test_write_fragments(simulator: Simulator) -> None:
    """A fragment begins anywhere, also within an element."""
    whole = string("x" * 82) + string("yz") + string("!")
    for offset in (0, 50, 100, 150, 200, 250):
        cip(simulator, fragment(symbol("Names"), 3, offset, whole[offset : offset + 50]), "d3000000")
    assert simulator.device["Names"].value == ["x" * 82, "yz", "!"]


def test_an_element_larger_than_what_is_left_is_given_in_part(simulator: Simulator) -> None:
    """A member of a packet with little room left gives the octets that fit: a client that goes on gets it all."""
    filler = [read(symbol("Many"), 5)] * 8
    reply = simulator.cip(multiple(*filler, read(symbol("Many"), 5)))
    parts = members(reply)
    assert reply[2] == 0x1E and parts[-1][2] == 6 and 8 < len(parts[-1]) < 8 + 440
    assert b"".join(string(f"text {at}") for at in range(5)).startswith(parts[-1][8:])


def test_overrides_get_text() -> None:
    """A customised Attribute is asked for texts and is given texts."""

    class Loud(Attribute):
        def __getitem__(self, key: Any) -> Any:
            return [one.upper() for one in super().__getitem__(key)]

        def __setitem__(self, key: Any, value: Any) -> None:
            super().__setitem__(key, [one + "!" for one in value])

    for kind, request in (
        (STRING, written(symbol("A"), 1, string("hi"))),
        (SSTRING, write(symbol("A"), 0xDA, 1, b"\2hi")),
    ):
        simulator = Simulator(device([]))
        simulator.device.add_tag(Loud("A", kind, "x"))
        cip(simulator, request, "cd000000")
        reply = simulator.cip(read(symbol("A")))
        assert reply[2] == 0 and b"HI!" in reply


@pytest.mark.parametrize("given", ["ab", [5], ["x" * 300], ["\u20ac"], [], None])
@pytest.mark.parametrize("kind", [STRING, SSTRING], ids=str)
def test_override_that_gives_no_text(kind: Any, given: Any) -> None:
    """Whatever else an override gives: 0x02, and the session lives."""

    class Odd(Attribute):
        def __getitem__(self, key: Any) -> Any:
            return given

    simulator = Simulator(device([]))
    simulator.device.add_tag(Odd("A", kind, "x"))
    cip(simulator, read(symbol("A")), "cc 00 02 00")
    assert simulator.alive()


# -- SSTRING


def test_short_read(simulator: Simulator) -> None:
    """Code 0xDA; a length octet and only that many characters; elements back to back."""
    cip(simulator, read(symbol("Short")), "cc000000 da00 03 78797a")
    cip(simulator, read(symbol("Shorts"), 3), "cc000000 da00 0161 00 03626364")
    cip(simulator, read(symbol("Shorts", 2)), "cc000000 da00 03626364")
    cip(simulator, read(symbol("Shorts"), 4), "cc 00 ff 01 0521")
    cip(simulator, read_fragmented(symbol("Shorts"), 3, 2), "d2000000 da00 00 03626364")
    cip(simulator, read_fragmented(symbol("Shorts"), 3, 4), "d2000000 da00 626364")
    cip(simulator, read_fragmented(symbol("Shorts"), 3, 7), "d2 00 ff 01 0421")


def test_short_fragments(simulator: Simulator) -> None:
    """Whole elements first; continued by the octets received it all comes."""
    whole = (b"\xc8" + b"x" * 200) * 5
    got, sizes = b"", []
    while len(got) < len(whole):
        reply = simulator.cip(read_fragmented(symbol("Long"), 5, len(got)))
        assert reply[3:6] == b"\0\xda\0"
        sizes.append(len(reply) - 6)
        got += reply[6:]
        assert reply[2] == (0 if len(got) == len(whole) else 6)
    assert got == whole and sizes == [402, 402, 201]
    assert simulator.cip(read_fragmented(symbol("Long"), 5, 100))[6:] == whole[100:402]


def test_short_write(simulator: Simulator) -> None:
    """As many texts as announced, of whatever lengths; a shorter one leaves nothing of a longer."""
    cip(simulator, write(symbol("Shorts"), 0xDA, 3, b"\2hi\5there\0"), "cd000000")
    assert simulator.device["Shorts"].value == ["hi", "there", ""]
    cip(simulator, write(symbol("Shorts", 1), 0xDA, 1, b"\1!"), "cd000000")
    cip(simulator, read(symbol("Shorts"), 3), "cc000000 da00 026869 0121 00")


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (write(symbol("Shorts"), 0xDA, 2, b"\1a"), "cd 00 13 00"),
        (write(symbol("Shorts"), 0xDA, 2, b"\1a\3bc"), "cd 00 13 00"),
        (write(symbol("Shorts"), 0xDA, 1, b"\1ab"), "cd 00 15 00"),
        (write(symbol("Shorts"), 0xDA, 1, b""), "cd 00 13 00"),
        (write(symbol("Shorts"), 0xDA, 4, b"\0\0\0\0"), "cd 00 ff 01 0521"),
        (write(symbol("Shorts"), 0xD0, 1, b"\1\0a"), "cd 00 ff 01 0721"),
        (write_fragmented(symbol("Shorts"), 0xDA, 3, 0, b""), "d3 00 13 00"),
        (write_fragmented(symbol("Shorts"), 0xDA, 3, 0, b"\2a"), "d3 00 13 00"),
        (write_fragmented(symbol("Shorts"), 0xDA, 3, 0, b"\0\0\0\0"), "d3 00 ff 01 0521"),
        (write_fragmented(symbol("Shorts"), 0xDA, 3, 1, b"\0"), "d3 00 ff 01 0421"),
        (write_fragmented(symbol("Shorts"), 0xDA, 3, 7, b"\0"), "d3 00 ff 01 0421"),
        (write_fragmented(symbol("Shorts"), 0xDA, 3, 9999, b"\0"), "d3 00 ff 01 0421"),
    ],
    ids=shown,
)
def test_short_refused(simulator: Simulator, request_: bytes, reply: str) -> None:
    """Too little, too much, an offset where no element begins: refused, and nothing is changed."""
    cip(simulator, request_, reply)
    assert simulator.device["Shorts"].value == ["a", "", "bcd"]


def test_short_write_sent_twice(simulator: Simulator) -> None:
    """The whole request again after its data, its sequence count in front, as pycomm3 sends it, is no other data."""
    for data, elements in ((b"\5hello", 1), (b"\1a\0\2bc", 3), (b"\0", 1)):
        request = write(symbol("Shorts"), 0xDA, elements, data)
        cip(simulator, request + b"\6\0" + request, "cd000000")
    assert simulator.device["Shorts"].value == ["", "", "bc"]
    cip(simulator, request + b"\6\0" + request[:-1], "cd 00 15 00")


def test_short_write_fragments(simulator: Simulator) -> None:
    """Fragments of whole elements, each where the one before it ended."""
    cip(simulator, write_fragmented(symbol("Shorts"), 0xDA, 3, 0, b"\4long"), "d3000000")
    cip(simulator, write_fragmented(symbol("Shorts"), 0xDA, 3, 5, b"\1x\1y"), "d3000000")
    assert simulator.device["Shorts"].value == ["long", "x", "y"]


def test_short_strings_as_attributes() -> None:
    """The attribute services move them as they are sent, not as they are kept."""
    simulator = Simulator(device([("A", SSTRING, ["a", "bc"]), ("B", SSTRING, "d")]))
    cip(simulator, b"\x0e" + numbers(2, 1, 1), "8e000000 0161 026263")
    cip(simulator, b"\x01" + numbers(2, 1), "81000000 0161 026263 0164")
    cip(simulator, b"\x10" + numbers(2, 1, 1) + b"\2xy\0", "90000000")
    cip(simulator, b"\x10" + numbers(2, 1, 1) + b"\2xy", "90 00 13 00")
    cip(simulator, b"\x10" + numbers(2, 1, 1) + b"\2xy\0\0", "90 00 15 00")
    assert simulator.device["A"].value == ["xy", ""]
    cip(simulator, b"\x02" + numbers(2, 1) + b"\1p\1q\1r", "82000000")
    assert (simulator.device["A"].value, simulator.device["B"].value) == (["p", "q"], "r")
    cip(simulator, b"\x02" + numbers(2, 1) + b"\1s\1t", "82 00 13 00")
    cip(simulator, b"\x02" + numbers(2, 1) + b"\1s\1t\0\0", "82 00 15 00")
    assert (simulator.device["A"].value, simulator.device["B"].value) == (["p", "q"], "r")
    cip(simulator, b"\x04" + numbers(2, 1) + b"\2\0" + b"\1\0\1u\0" + b"\2\0\1v", "84000000 0200 01000000 02000000")
    assert (simulator.device["A"].value, simulator.device["B"].value) == (["u", ""], "v")


def test_observer_sees_whole_texts(simulator: Simulator) -> None:
    """Whoever looks on is given each text read or written, as octets that are kept."""
    seen: list[Any] = []
    simulator.device.router.observer = lambda name, kind, first, octets, sign: seen.append(
        (name, first, unpack(kind, octets))
    )
    simulator.cip(read(symbol("Names", 1), 2))
    simulator.cip(written(symbol("Name"), 1, string("x")))
    simulator.cip(write(symbol("Shorts", 1), 0xDA, 1, b"\1!"))
    simulator.cip(read_fragmented(symbol("Shorts"), 3, 1))
    simulator.cip(read_fragmented(symbol("Long"), 5, 201))
    simulator.cip(b"\x0e" + numbers(2, 1, 5))
    simulator.cip(b"\x10" + numbers(2, 1, 5) + b"\1a\1b\1c")
    assert seen == [
        ("Names", 1, ["bc", ""]),
        ("Name", 0, ["x"]),
        ("Shorts", 1, ["!"]),
        ("Shorts", 1, ["!", "bcd"]),
        ("Long", 1, ["x" * 200] * 2),
        ("Shorts", 0, ["a", "!", "bcd"]),
        ("Shorts", 0, ["a", "b", "c"]),
    ]
