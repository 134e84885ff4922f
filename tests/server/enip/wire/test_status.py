"""The words of statuses."""

from __future__ import annotations

import pytest

from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.status import ENCAPSULATION, EXTENDED, GENERAL, describe, describe_encapsulation

NAMED = {name: value for name, value in vars(status).items() if name.isupper() and not isinstance(value, dict)}


def test_every_named_code_has_words() -> None:
    """A status that the code names is one that people get words for."""
    for name, value in NAMED.items():
        if isinstance(value, tuple):
            assert any(key[1:] == value for key in EXTENDED), name
        elif name.startswith("ENIP_"):
            assert value in ENCAPSULATION, name
        else:
            assert value in GENERAL, name


def test_the_numbers_of_refused_openings() -> None:
    """As CIP has them, and clients look for them."""
    assert (status.CONNECTION_IN_USE, status.NO_SUCH_CLASS, status.NO_SUCH_CONNECTION) == ((0x100,), (0x103,), (0x107,))
    assert (status.INVALID_SIZE, status.NO_MORE_CONNECTIONS) == ((0x109,), (0x113,))
    assert (status.OTHER_PRODUCT, status.OTHER_DEVICE_TYPE, status.OTHER_REVISION) == ((0x114,), (0x115,), (0x116,))
    assert (status.NO_SUCH_PORT, status.NO_SUCH_SLOT, status.INVALID_SEGMENT) == ((0x311,), (0x312,), (0x315,))


@pytest.mark.parametrize(
    ("code", "extended", "words"),
    [
        (0x00, (), "success"),
        (0x04, (0,), "path segment error: no such tag"),
        (0x05, (0,), "path destination unknown"),
        (0x01, (0x0312,), "connection failure: no such slot or link address"),
        (0x01, status.CONNECTION_IN_USE, "connection failure: connection already in use"),
        (0x01, status.NO_SUCH_CLASS, "connection failure: transport class and trigger not supported"),
        (0x01, status.NO_SUCH_CONNECTION, "connection failure: no such connection to close"),
        (0x01, (*status.INVALID_SIZE, 4002), "connection failure: invalid connection size"),
        (0x01, status.NO_MORE_CONNECTIONS, "connection failure: no more connections"),
        (0x01, status.OTHER_PRODUCT, "connection failure: vendor or product code mismatch"),
        (0x01, status.OTHER_DEVICE_TYPE, "connection failure: device type mismatch"),
        (0x01, status.OTHER_REVISION, "connection failure: revision mismatch"),
        (0x01, status.INVALID_SEGMENT, "connection failure: invalid segment in path"),
        (0xFF, (0x2104,), "general error: offset beyond the end of the data"),
        (0xFF, (0x2105,), "general error: elements beyond the end of the tag"),
        (0xFF, (0x2107,), "general error: data type mismatch"),
        (0xFF, (0x9999,), "general error"),
        (0x8D, (), "status 0x8d"),
    ],
)
def test_describe(code: int, extended: tuple[int, ...], words: str) -> None:
    """Known codes give words, the extended word adds to them; unknown ones are shown by number."""
    assert describe(code, extended) == words


@pytest.mark.parametrize(("code", "words"), [(0x64, "invalid session handle"), (0x99, "encapsulation status 0x0099")])
def test_describe_encapsulation(code: int, words: str) -> None:
    """Encapsulation statuses have words of their own."""
    assert describe_encapsulation(code) == words
