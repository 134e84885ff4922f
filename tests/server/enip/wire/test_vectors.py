"""Every vector of every message, through both engines, in pieces, cut off, extended, and produced again."""

from __future__ import annotations

from typing import Any

import pytest

from cpppo.grammar import Message
from cpppo.server.enip.wire import header, items
from cpppo.server.enip.wire.services import SERVICES, Reply, attributes, browse, connection, tag, unconnected
from cpppo.server.enip.wire.services.base import REPLY
from cpppo.server.enip.wire.status import ENCAPSULATION, EXTENDED, GENERAL
from tests.helpers import Vector, check_vector, check_wire
from tests.server.enip.wire.names import NAMES, VECTORS

ALL = [pytest.param(vector, id=f"{file}: {vector.name}") for file, vectors in VECTORS.items() for vector in vectors]


@pytest.mark.parametrize("vector", ALL)
def test_vector(vector: Vector) -> None:
    """The octets are the value, and the value is the octets."""
    check_vector(vector, NAMES)


def test_every_service_has_a_request_and_a_reply_among_the_vectors() -> None:
    """A service without a vector is not proven."""
    text = " ".join(vector.expected for vectors in VECTORS.values() for vector in vectors)
    missing = {
        one.__name__
        for service in SERVICES
        for one in (service.request, service.reply)
        if f"{one.__name__}(" not in text
    }
    assert missing == set()


@pytest.mark.parametrize("module", [attributes, browse, connection, tag, unconnected])
def test_every_message_of_a_service_has_a_vector(module: Any) -> None:
    """What a refusal carries, too."""
    text = " ".join(vector.expected for vectors in VECTORS.values() for vector in vectors)
    kinds = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Message)]
    assert [one.__name__ for one in kinds if one is not Message and f"{one.__name__}(" not in text] == []


def test_every_command_and_item_has_a_vector() -> None:
    """Requests and replies of all eight commands, and each kind of item."""
    frames = VECTORS["frames"]
    commands = {"RequestFrame": set[int](), "ReplyFrame": set[int]()}
    for vector in frames:
        commands[vector.message].add(int.from_bytes(vector.octets[:2], "little"))
    asked = {
        *(header.NOP, header.LIST_SERVICES, header.LIST_IDENTITY, header.LIST_INTERFACES, header.REGISTER_SESSION),
        *(header.UNREGISTER_SESSION, header.SEND_RR_DATA, header.SEND_UNIT_DATA),
    }
    assert asked <= commands["RequestFrame"]
    assert asked - {header.NOP, header.UNREGISTER_SESSION} <= commands["ReplyFrame"]  # these two have none
    text = " ".join(vector.expected for vector in frames)
    kinds = [one for name, one in vars(items).items() if isinstance(one, type) and issubclass(one, Message)]
    assert [one.__name__ for one in kinds if one is not Message and f"{one.__name__}(" not in text] == []


STATUSES = [
    *((status, ()) for status in GENERAL),
    *((status, (word,)) for status, word in EXTENDED),
    (0xFF, (0x2105, 0x0001)),
    (0x01, tuple(range(255))),
    (0xFE, (0xFFFF,)),
]


@pytest.mark.long  # each of 256 statuses of each service
@pytest.mark.parametrize("service", sorted({one.code for one in SERVICES}), ids=hex)
def test_every_status_in_the_reply_of_every_service(service: int) -> None:
    """Each general status, alone and with its extended words, with data behind and without."""
    for status, extended in STATUSES:
        head = bytes([service | REPLY, 0, status, len(extended)])
        words = b"".join(word.to_bytes(2, "little") for word in extended)
        for data in (b"", b"\xc3\0\x63\0") if len(extended) < 3 else (b"\1",):
            value = Reply(service=service | REPLY, status=status, extended=list(extended), data=data)
            if len(extended) > 2:
                assert Reply.parse(head + words + data) == value and value.produce() == head + words + data
            else:
                check_wire(Reply, head + words + data, value, rest=True, reserved=(1,))


@pytest.mark.parametrize("status", ENCAPSULATION, ids=hex)
@pytest.mark.parametrize(
    "command", [0x04, 0x63, 0x64, header.REGISTER_SESSION, header.SEND_RR_DATA, header.SEND_UNIT_DATA, 0x99], ids=hex
)
def test_every_encapsulation_status_without_a_payload(command: int, status: int) -> None:
    """A refusal is a header alone: of some commands its payload would be malformed, and is told as that."""
    octets = b"".join(
        part.to_bytes(size, "little") for part, size in ((command, 2), (0, 2), (7, 4), (status, 4), (0, 8), (0, 4))
    )
    record = header.ReplyFrame.parse(octets)
    assert (record.command, record.session, record.status) == (command, 7, status)
    assert record.CIP == b"" or repr(record.CIP) == "Malformed(24, 24)"
    if record.CIP == b"":
        check_wire(header.ReplyFrame, octets, record)
