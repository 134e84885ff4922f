"""The hand-written codecs of the benchmarks do the same job as the compiled one, so ratios to them mean something."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from bench import paths
from bench.messages import COMPILED, MESSAGES, REFERENCE, SIDES, STRAIGHT, Measured, forget
from cpppo.grammar import Malformed
from cpppo.grammar.parse import REJECTS
from cpppo.server.enip.wire.path import EPATH, Path

messages = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name)
sides = pytest.mark.parametrize("side", [REFERENCE, STRAIGHT])
REFUSALS = (ValueError, IndexError, struct.error)


def result(function: Callable[[bytes], Any], octets: bytes, refusals: tuple[type[Exception], ...] = REFUSALS) -> Any:
    """What a parser makes of octets; None if it refuses them."""
    try:
        return function(octets)
    except refusals:
        return None


def octets_of(message: Measured) -> bytes:
    """The octets of a message, by the compiled producer."""
    octets: bytes = message.producers[COMPILED](message.make())
    return octets


@messages
def test_same_octets(message: Measured) -> None:
    """All sides produce the same octets, from paths never produced before and from those that were."""
    octets = octets_of(message)
    for side in SIDES:
        record = message.make()
        for _ in range(2):
            assert message.producers[side](record) == octets
        for other in SIDES:
            forget(message.paths(record))
            assert message.producers[other](record) == octets


@messages
@sides
@pytest.mark.parametrize("memo", [False, True])
def test_same_artifacts(message: Measured, side: str, memo: bool) -> None:
    """All sides make equal artifacts of the same classes, with and without remembered paths."""
    octets = octets_of(message)
    for _ in range(2):
        expected = message.parse(COMPILED, memo)(octets)
        found = message.parse(side, memo)(octets)
        assert found == expected
        assert repr(found) == repr(expected)


@messages
@pytest.mark.parametrize("memo", [False, True])
def test_truncated_is_refused(message: Measured, memo: bool) -> None:
    """Whatever is cut off, every side refuses what is left."""
    octets = octets_of(message)
    for length in range(len(octets)):
        assert result(message.parse(COMPILED, memo), octets[:length], REJECTS) is None
        assert result(message.parse(REFERENCE, memo), octets[:length]) is None
        assert result(message.parse(STRAIGHT, memo), octets[:length]) is None


@messages
def test_wrong_context_is_refused(message: Measured) -> None:
    """A sender context that is not 8 octets long is refused by every side, never cut or filled."""
    for side in SIDES:
        record = message.make()
        record.context = b"seven .."[:7]
        with pytest.raises(ValueError):
            message.producers[side](record)


def malformed(octets: bytes, message: Measured) -> bool:
    """Whether the compiled parser refuses octets, or leaves something malformed in its artifacts."""
    return "Malformed" in repr(result(message.parse(COMPILED), octets, REJECTS) or Malformed(0, 0))


@messages
@sides
def test_truncated_inside(message: Measured, side: str) -> None:
    """With the lengths of frame and item put right, what the compiled parser finds malformed is refused."""
    octets, refused = octets_of(message), 0
    for cut in range(1, len(octets) - 40):
        shorter = bytearray(octets[:-cut])
        shorter[2:4] = struct.pack("<H", len(shorter) - 24)
        shorter[38:40] = struct.pack("<H", len(shorter) - 40)
        found = result(message.parse(side), bytes(shorter))
        refused += found is None
        if found is None:
            continue
        assert not malformed(bytes(shorter), message)
        assert found == message.parse(COMPILED)(bytes(shorter))
    assert refused >= min(5, len(octets) - 41)


@messages
@sides
def test_one_octet_changed(message: Measured, side: str) -> None:
    """Whatever is accepted with one octet changed is understood as the compiled parser does."""
    octets = octets_of(message)
    for index in range(min(len(octets), 130)):
        for value in (0, 1, 2, 0x7F, 0xFF, octets[index] ^ 1, (octets[index] + 1) & 0xFF):
            changed = octets[:index] + bytes([value]) + octets[index + 1 :]
            found = result(message.parse(side), changed)
            if found is not None:
                assert found == message.parse(COMPILED)(changed)
                assert not malformed(changed, message)


@pytest.mark.parametrize(
    "terms",
    [
        [{"symbolic": "SCADA"}, {"element": 7}],
        [{"symbolic": "even"}, {"element": 300}],
        [{"class": 6}, {"instance": 1}, {"attribute": 7}],
        [{"class": 0x1234}, {"instance": 0x1234}],
        [{"port": 1, "link": 0}],
    ],
)
def test_paths(terms: list[dict[str, Any]]) -> None:
    """Paths parsed by hand have all that a path has, and the same octets."""
    path = Path.of(terms)
    octets = paths.path_octets(path)
    found = paths.simple_path(octets, 0, len(octets))
    assert found == path and type(found) is Path
    for name in Path.__slots__:
        assert getattr(found, name) == getattr(path, name)
    compiled = EPATH._learn(octets)  # type: ignore[attr-defined]
    assert compiled == found
    for length in range(1, len(octets)):
        part = result(lambda o: paths.simple_path(o, 0, len(o)), octets[:length])
        assert part is None or len(part.segment) < len(path.segment)
