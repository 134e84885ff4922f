"""Browsing in memory: symbols in pages, templates, programs; and reading tags by their symbols' numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from cpppo.errors import UsageError
from cpppo.server.enip.device import Attribute, Device
from cpppo.server.enip.device.templates import Templates
from cpppo.server.enip.wire.strings import SSTRING, STRING, structure
from cpppo.server.enip.wire.structures import Structure
from cpppo.server.enip.wire.types import BOOL, DINT, DWORD, INT, LINT, REAL, SINT
from tests.server.enip.device.connected import Client
from tests.server.enip.device.frames import Simulator, members, multiple, numbers, path, read, symbol, write

STRUCT_B = Structure("STRUCT_B", [("pilot_on", BOOL, 0), ("hourlyCount", INT, 12), ("rate", REAL, 0)], 0x9ECD)
OUTER = structure("Outer", [("id", DINT, 0), ("b", STRUCT_B, 2), ("msg", STRING, 0)])

PYCOMM3, PYLOGIX, LIBPLCTAG = (1, 2, 3, 5, 6, 8, 10), (1, 2, 8), (2, 7, 8, 1)


def asked(attributes: tuple[int, ...], instance: int = 0, program: str = "", wide: bool = False) -> bytes:
    """Get Instance Attribute List of the symbols from an instance on."""
    scope = symbol(program)[1:] if program else b""
    place = b"\x25\0" + struct.pack("<H", instance) if wide else bytes([0x24, instance])
    return (
        b"\x55" + path(scope + b"\x20\x6b" + place) + struct.pack(f"<H{len(attributes)}H", len(attributes), *attributes)
    )


class Symbol(NamedTuple):
    """What a record says, with the attributes pycomm3 asks for."""

    instance: int
    name: str
    kind: int
    sizes: tuple[int, int, int]
    access: int


def records(octets: bytes) -> Iterator[Symbol]:
    """The records of a page that pycomm3 asked for."""
    at = 0
    while at < len(octets):
        instance, length = struct.unpack_from("<IH", octets, at)
        name = octets[at + 6 : at + 6 + length].decode("iso-8859-1")
        at += 6 + length
        kind, _, _, control, *sizes, access = struct.unpack_from("<HIII3IB", octets, at)
        assert control == 1 << 26
        at += 27
        yield Symbol(instance, name, kind, tuple(sizes), access)  # type: ignore[arg-type]


def pages(client: Any, program: str = "", attributes: tuple[int, ...] = PYCOMM3) -> list[list[Symbol]]:
    """All pages, each asked for from the instance after the last of the one before."""
    found, start = [], 0
    while True:
        reply = client.cip(asked(attributes, start, program, wide=start > 255))
        assert reply[2] in (0, 6) and reply[3] == 0
        found.append(list(records(reply[4:])))
        if reply[2] == 0:
            return found
        start = found[-1][-1].instance + 1


@pytest.fixture
def simulator() -> Simulator:
    of = Device(name="MyLogicApp")
    for name, kind, default in (
        ("SCADA", INT, [0] * 1000),
        ("Flag", BOOL, False),
        ("B1", STRUCT_B, {"rate": 1.5}),
        ("Outers", OUTER, [{}] * 3),
        ("Name", STRING, "unit 7"),
        ("Short", SSTRING, ""),
        ("Flags", DWORD, [0, 0]),
    ):
        of.add_tag(Attribute(name, kind, default))
    cube = Attribute("Cube", LINT, [0] * 24)
    cube.shape = (2, 3, 4)
    of.add_tag(cube)
    of.add_tag(Attribute("Program:Main.Speed", REAL, 2.5))
    of.add_tag(Attribute("Program:main.B", STRUCT_B, {}))
    of.add_program("Empty")
    of.add_tag(Attribute("Last", DINT, 7), (0x93, 1, 10))
    of["Flag"].read_only = True
    of["Last"].hidden = True
    return Simulator(of)


def test_every_symbol(simulator: Simulator) -> None:
    """Names as given, types with dimensions and templates, sizes, access; programs are system symbols."""
    (page,) = pages(Client(simulator))
    outer, b = simulator.device.templates.number_of(OUTER), simulator.device.templates.number_of(STRUCT_B)
    assert page == [
        Symbol(1, "SCADA", 0x20C3, (1000, 0, 0), 0),
        Symbol(2, "Flag", 0x00C1, (0, 0, 0), 2),
        Symbol(3, "B1", 0x8000 | b, (0, 0, 0), 0),
        Symbol(4, "Outers", 0xA000 | outer, (3, 0, 0), 0),
        Symbol(5, "Name", 0x8FCE, (0, 0, 0), 0),
        Symbol(6, "Short", 0x00DA, (0, 0, 0), 0),
        Symbol(7, "Flags", 0x20D3, (2, 0, 0), 0),
        Symbol(8, "Cube", 0x60C5, (2, 3, 4), 0),
        Symbol(9, "Program:Main", 0x1068, (0, 0, 0), 0),
        Symbol(10, "Program:Empty", 0x1068, (0, 0, 0), 0),
        Symbol(11, "Last", 0x00C4, (0, 0, 0), 3),
    ]


@pytest.mark.parametrize("attributes", [PYCOMM3, PYLOGIX, LIBPLCTAG, (1,), (2, 1), (10, 7, 6, 5, 3)])
def test_the_attributes_asked_for_in_that_order(simulator: Simulator, attributes: tuple[int, ...]) -> None:
    """Three clients send three lists, and take the answer apart by its places."""
    number = simulator.device.templates.number_of(STRUCT_B)
    values = {
        1: b"\2\0B1",
        2: struct.pack("<H", 0x8000 | number),
        3: struct.pack("<I", 0x10000060),
        5: struct.pack("<I", 0x20000060),
        6: struct.pack("<I", 1 << 26),
        7: b"\x20\0",
        8: bytes(12),
        10: b"\0",
    }
    record = struct.pack("<I", 3) + b"".join(values[one] for one in attributes)
    assert simulator.cip(asked(attributes, 3)).startswith(bytes.fromhex("d5000000") + record)


@pytest.mark.parametrize("number", [0, 4, 9, 11, 99])
def test_an_attribute_symbols_do_not_have(simulator: Simulator, number: int) -> None:
    """... refuses the whole list: a record without it would be taken apart wrongly."""
    assert simulator.cip(asked((1, number, 2))) == bytes.fromhex("d5001400")


@pytest.mark.parametrize("size", [60, 100, 160, 500, 4000])
def test_pages_hold_whole_records_up_to_the_size(size: int) -> None:
    """However small the connection: every symbol once, in order, in pages that are as full as they can be."""
    of = Device()
    for number in range(300):
        of.add_tag(Attribute(f"Tag_{number:03}", INT))
    client = Client(Simulator(of), size, large=size > 511)
    found = pages(client)
    assert [one.instance for page in found for one in page] == list(range(1, 301))
    record = 4 + 2 + 7 + 27
    full = (size - 2 - 4) // record
    assert [len(page) for page in found[:-1]] == [full] * (len(found) - 1) and 0 < len(found[-1]) <= full


@pytest.mark.parametrize("extra", [0, 1])
def test_a_page_that_ends_exactly_on_the_last_record(extra: int) -> None:
    """Nothing left: 0x00, no empty page is asked for; one octet too few for the last: 0x06 and one more page."""
    of = Device()
    for number in range(5):
        of.add_tag(Attribute(f"T{number}", INT))
    size = 5 * (4 + 2 + 2 + 27) + 4 + 2 - extra
    assert [len(page) for page in pages(Client(Simulator(of), size, large=False))] == ([5] if not extra else [4, 1])


def test_a_record_larger_than_a_page() -> None:
    """A symbol that no page can hold: 0x11, never an empty page, which clients would ask for for ever."""
    of = Device()
    of.add_tag(Attribute("T" * 100, INT))
    assert Client(Simulator(of), 100, large=False).cip(asked(PYCOMM3)) == bytes.fromhex("d5001100")


@pytest.mark.parametrize(("start", "first"), [(0, 1), (1, 1), (5, 5), (11, 11), (12, None), (200, None)])
def test_the_start_is_inclusive(simulator: Simulator, start: int, first: int | None) -> None:
    """From the instance asked for on, be it there or not; beyond the last: an empty page, 0x00."""
    reply = Client(simulator).cip(asked(PYCOMM3, start))
    assert reply[:4] == bytes.fromhex("d5000000")
    assert [one.instance for one in records(reply[4:])][:1] == ([] if first is None else [first])


def test_any_encoding_of_an_instance(simulator: Simulator) -> None:
    """8, 16 and 32 bits."""
    tail = struct.pack("<HH", 1, 1)
    replies = {
        simulator.cip(b"\x55" + path(b"\x20\x6b" + place) + tail)
        for place in (b"\x24\x05", b"\x25\0\x05\0", b"\x26\0\x05\0\0\0")
    }
    assert len(replies) == 1 and replies.pop()[:14] == bytes.fromhex("d5000000 05000000 0400") + b"Name"


def test_unconnected_pages(simulator: Simulator) -> None:
    """Without a connection a page has as much as an unconnected read."""
    reply = simulator.cip(asked(PYCOMM3))
    assert reply[2] == 0
    of = Device()
    for number in range(300):
        of.add_tag(Attribute(f"Tag_{number}", INT))
    assert len(Simulator(of).cip(asked(PYCOMM3))) <= 504


@pytest.mark.parametrize("program", ["Program:Main", "program:MAIN"])
@pytest.mark.parametrize("start", [0, 1])
def test_tags_of_a_program(simulator: Simulator, program: str, start: int) -> None:
    """A scope of its own, with numbers of its own, found without case."""
    reply = Client(simulator).cip(asked(PYCOMM3, start, program))
    assert [(one.instance, one.name) for one in records(reply[4:])] == [(1, "Speed"), (2, "B")]


def test_an_empty_program(simulator: Simulator) -> None:
    """No tags: an empty page and 0x00, which is what clients take for the end."""
    assert Client(simulator).cip(asked(PYLOGIX, 1, "Program:Empty")) == bytes.fromhex("d5000000")


def test_a_program_that_is_not_there(simulator: Simulator) -> None:
    """0x04, as of any name."""
    assert simulator.cip(asked(PYLOGIX, 0, "Program:Nope")) == bytes.fromhex("d5000401 0000")


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (read(numbers(0x6B, 1)), "cc000000 c300 0000"),
        (read(path(bytes.fromhex("206b 2401 2805"))), "cc000000 c300 0000"),
        (read(path(bytes.fromhex("206b 2403") + symbol("rate")[1:])), "cc000000 ca00 0000c03f"),
        (read(path(symbol("Program:Main")[1:] + bytes.fromhex("206b 2401"))), "cc000000 ca00 00002040"),
        (write(numbers(0x6B, 1), 0xC3, 1, b"\5\0"), "cd000000"),
        (read(numbers(0x6B, 9)), "cc000500"),
        (read(numbers(0x6B, 99)), "cc000500"),
        (read(numbers(0x6B, 0)), "cc000500"),
        (read(path(bytes.fromhex("206b 24632805"))), "cc000500"),
        (read(path(bytes.fromhex("206b 2401 29 00 e803"))), "cc00ff01 0521"),
        (write(numbers(0x6B, 2), 0xC1, 1, b"\1"), "cd000f00"),
        (read(numbers(0x6B, 11)), "cc000f00"),
        (read(numbers(0x93, 1, 10)), "cc000f00"),
        (b"\x0e" + numbers(0x93, 1, 10), "8e000f00"),
        (b"\x10" + numbers(0x93, 1, 10) + bytes(4), "90000e00"),
    ],
)
def test_tags_by_the_numbers_of_their_symbols(simulator: Simulator, request_: bytes, reply: str) -> None:
    """As by name: with index and member, in a program; no such symbol: 0x05; access as it is."""
    assert simulator.cip(request_) == bytes.fromhex(reply)


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (b"\x0e" + numbers(0x6B, 1, 1), "8e000000 0500 5343414441"),
        (b"\x0e" + numbers(0x6B, 1, 7), "8e000000 0200"),
        (b"\x0e" + numbers(0x6B, 1, 4), "8e001400"),
        (b"\x0e" + numbers(0x6B, 99, 1), "8e000500"),
        (
            b"\x03" + numbers(0x6B, 2) + bytes.fromhex("0300 0200 6300 0100"),
            "83000a00 0300 0200 0000 c100 6300 1400 0100 0000 0400 466c6167",
        ),
        (b"\x10" + numbers(0x6B, 1, 1) + b"\1\0X", "90000e00"),
        (b"\x0e" + numbers(0x6B, 0, 2), "8e000000 0b00"),
    ],
)
def test_attributes_of_one_symbol(simulator: Simulator, request_: bytes, reply: str) -> None:
    """The same attributes singly and listed; they cannot be set; instance 0 tells the highest number."""
    assert simulator.cip(request_) == bytes.fromhex(reply)


# -- templates


def template(client: Any, number: int, attributes: tuple[int, ...] = (4, 5, 2, 1)) -> bytes:
    """Get Attribute List of a template."""
    wide = b"\x25\0" + struct.pack("<H", number)
    listed = struct.pack(f"<H{len(attributes)}H", len(attributes), *attributes)
    reply: bytes = client.cip(b"\x03" + path(b"\x20\x6c" + wide) + listed)
    return reply


def definition(number: int, offset: int, length: int) -> bytes:
    """Read Template."""
    return b"\x4c" + path(b"\x20\x6c\x25\0" + struct.pack("<H", number)) + struct.pack("<IH", offset, length)


def test_the_sizes_of_a_template(simulator: Simulator) -> None:
    """Every attribute with its number and status, in the order asked for: the golden octets of a structure."""
    number = simulator.device.templates.number_of(STRUCT_B)
    golden = "83000000 0400 0400 0000 1e000000 0500 0000 20000000 0200 0000 0400 0100 0000 cd9e"
    assert template(simulator, number) == bytes.fromhex(golden)
    assert template(simulator, 0xFCE)[4:] == bytes.fromhex(
        "0400 0400 0000 11000000 0500 0000 58000000 0200 0000 0200 0100 0000 ce0f"
    )
    fixed = template(simulator, number, (4, 3, 2, 1))
    assert fixed[4:12] == bytes.fromhex("0400 0400 0000 1e00") and fixed[14:20] == bytes.fromhex("0300 0000 0400")


def test_attributes_that_templates_do_not_have(simulator: Simulator) -> None:
    """0x14 for that one, the others are answered: 0x0A."""
    reply = template(simulator, 0xFCE, (1, 99, 2))
    assert reply == bytes.fromhex("83000a00 0300 0100 0000 ce0f 6300 1400 0200 0000 0200")


@pytest.mark.parametrize("shorter", [20, 21, 23])
def test_reading_a_definition(simulator: Simulator, shorter: int) -> None:
    """Clients ask for 4 * words less 20, 21 or 23 octets: they get as many, and all that means something."""
    number = simulator.device.templates.number_of(STRUCT_B)
    reply = simulator.cip(definition(number, 0, 4 * 0x1E - shorter))
    assert reply[:4] == bytes.fromhex("cc000000") and len(reply) == 4 + 4 * 0x1E - shorter
    assert reply[4:36] == bytes.fromhex("0000c20000000000 0000c10000000000 0c00c32002000000 0000ca001c000000")
    names = reply[36:].rstrip(b"\0").split(b"\0")
    assert names == [b"STRUCT_B;nEAEAEAEA", b"ZZZZZZZZZZSTRUCT_B0", b"pilot_on", b"hourlyCount", b"rate"]


def test_a_definition_tells_the_numbers_of_those_inside(simulator: Simulator) -> None:
    """Nested structures by template number, in arrays too."""
    templates = simulator.device.templates
    reply = simulator.cip(definition(templates.number_of(OUTER), 0, 24))
    b = templates.number_of(STRUCT_B)
    assert reply[4:] == struct.pack("<HHIHHIHHI", 0, 0xC4, 0, 2, 0xA000 | b, 4, 0, 0x8FCE, 68)


@pytest.mark.parametrize("size", [20, 60, 500])
def test_a_definition_in_parts(simulator: Simulator, size: int) -> None:
    """Over small connections: 0x06 and what fits, to be continued at the octets received."""
    client, number = Client(simulator, size, large=False), simulator.device.templates.number_of(STRUCT_B)
    octets = b""
    while len(octets) < 100:
        reply = client.cip(definition(number, len(octets), 100 - len(octets)))
        assert reply[2] == (6 if len(octets) + len(reply) - 4 < 100 else 0) and len(reply) <= size - 2
        octets += reply[4:]
    assert octets == STRUCT_B.definition(lambda one: 0)


@pytest.mark.parametrize(
    ("offset", "length", "status", "octets"),
    [(99, 50, 0, 1), (90, 10, 0, 10), (100, 1, 0xFF, 0), (0xFFFFFFFF, 10, 0xFF, 0), (0, 0, 0, 0), (0, 0xFFFF, 0, 100)],
)
def test_reading_past_the_end(simulator: Simulator, offset: int, length: int, status: int, octets: int) -> None:
    """Up to the end what there is; from there on 0xFF/0x2104."""
    reply = simulator.cip(definition(simulator.device.templates.number_of(STRUCT_B), offset, length))
    if status:
        assert reply == bytes.fromhex("cc00ff01 0421")
    else:
        assert reply[2] == 0 and len(reply) == 4 + octets


@pytest.mark.parametrize("number", [0x100, 0xFFF, 0xFFFF])
def test_templates_that_are_not_there(simulator: Simulator, number: int) -> None:
    """0x05, whatever is asked of them."""
    assert template(simulator, number) == bytes.fromhex("83000500")
    assert simulator.cip(definition(number, 0, 10)) == bytes.fromhex("cc000500")


def test_a_truncated_template_request(simulator: Simulator) -> None:
    """Too little data: 0x13."""
    assert simulator.cip(definition(0xFCE, 0, 48)[:-1]) == bytes.fromhex("cc001300")


def test_browsing_in_a_packet(simulator: Simulator) -> None:
    """Symbols and templates may be asked for among other requests."""
    replies = members(simulator.cip(multiple(asked((1,), 11), definition(0xFCE, 0, 8), read(symbol("Flag")))))
    assert replies == [
        bytes.fromhex("d5000000 0b000000 0400") + b"Last",
        bytes.fromhex("cc000000 0000c400 00000000"),
        bytes.fromhex("cc000000 c100 00"),
    ]


def test_numbers_of_templates() -> None:
    """None whose low octet is the code of an elementary type; each structure has one; all used up is an error."""
    templates = Templates()
    kinds = [structure(f"T{number}", [("x", DINT, 0)]) for number in range(4000)]
    found = []
    with pytest.raises(UsageError, match="more structures than"):
        for kind in kinds:
            found.append(templates.number_of(kind))
    assert len(set(found)) == len(found) > 2500
    assert all(0x101 <= one <= 0xEFF for one in found)
    codes = {0x00, 0xA0, *range(0xC0, 0xCD), *range(0xD0, 0xD5), 0xD6, 0xD7, 0xDA, 0xDF}
    assert not {one & 0xFF for one in found} & codes
    assert templates.number_of(kinds[0]) == found[0] and templates.number_of(STRING) == 0xFCE


def test_the_handle_is_the_same_everywhere(simulator: Simulator) -> None:
    """In the template, in front of what is read, and as a write must have it."""
    handle = OUTER.handle
    assert handle is not None
    number = simulator.device.templates.number_of(OUTER)
    assert template(simulator, number)[-2:] == struct.pack("<H", handle)
    data = simulator.cip(read(symbol("Outers", 1)))
    assert data[4:8] == struct.pack("<HH", 0x02A0, handle)
    octets = b"\x4d" + symbol("Outers", 1) + struct.pack("<HHH", 0x02A0, handle, 1) + data[8:]
    assert simulator.cip(octets) == bytes.fromhex("cd000000")
    wrong = b"\x4d" + symbol("Outers", 1) + struct.pack("<HHH", 0x02A0, handle ^ 1, 1) + data[8:]
    assert simulator.cip(wrong) == bytes.fromhex("cd00ff01 0721")


def test_an_element_larger_than_its_size_can_tell() -> None:
    """Attribute 7 has 16 bits: it stays at the most, and the list is whole."""
    of = Device()
    of.add_tag(Attribute("Huge", structure("Huge", [("x", DINT, 20_000)]), {}))
    of.add_tag(Attribute("Next", INT))
    reply = Simulator(of).cip(asked((7, 1)))
    assert reply[4:] == b"\1\0\0\0\xff\xff\4\0Huge" + b"\2\0\0\0\2\0\4\0Next"


@pytest.mark.parametrize("name", ["", "Tank\u20ac", "x" * 256, "Program:Main.", "Program:\u20ac.x"])
def test_names_that_no_client_could_be_told(name: str) -> None:
    """They are refused when the tag is added, and spoil no list."""
    device = Device()
    with pytest.raises(UsageError):
        device.add_tag(Attribute(name, DINT, 0))
    device.add_tag(Attribute("Good", DINT, 0))
    assert [[one.name for one in page] for page in pages(Simulator(device))] == [["Good"]]


def test_more_tags_than_16_bits_can_number() -> None:
    """All are served, by name and by the 32 bits of their numbers, and listed; the class tells no more than 65535."""
    device = Device()
    for number in range(65537):
        device.add_tag(Attribute(f"T{number}", SINT, number % 100))
    simulator = Simulator(device)
    assert simulator.cip(read(symbol("T65536"))) == bytes.fromhex("cc000000 c200 24")
    last = path(bytes.fromhex("206b 2600 01000100"))
    assert simulator.cip(read(last)) == bytes.fromhex("cc000000 c200 24")
    listed = simulator.cip(b"\x55" + last + struct.pack("<HH", 1, 1))
    assert listed == bytes.fromhex("d5000000 01000100 0600") + b"T65536"
    assert simulator.cip(b"\x0e" + numbers(0x6B, 0, 2)) == bytes.fromhex("8e000000 ffff")


def test_a_tag_is_added_while_a_client_browses() -> None:
    """A number is listed once what it stands for is there."""
    device = Device()
    device.add_tag(Attribute("One", DINT, 0))
    numbered: list[int] = []

    class Numbers(list[int]):
        def append(self, number: int) -> None:
            super().append(number)
            numbered.extend(one.instance for page in pages(Simulator(device)) for one in page)

    device.symbols._numbers = Numbers(device.symbols._numbers)
    device.add_tag(Attribute("Two", DINT, 0))
    assert numbered == [1, 2]
