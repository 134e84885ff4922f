"""Paths: made of terms, immutable, remembered, and produced as narrow as can be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpppo import LocalProtocolError
from cpppo.grammar.artifacts import MEMO_ENTRIES, MEMO_OCTETS
from cpppo.server.enip.wire.path import EPATH, SEGMENTS, Path, encoded
from tests.helpers import REFUSED, check_wire, compiled, refused, same, stepped
from tests.server.enip.wire.names import PathOf

LOGICAL = {"class": 0x20, "instance": 0x24, "element": 0x28, "connection": 0x2C, "attribute": 0x30}


@pytest.mark.parametrize("name", LOGICAL)
@pytest.mark.parametrize(("value", "width"), [(0, 8), (255, 8), (256, 16), (65535, 16), (65536, 32), (0xFFFFFFFF, 32)])
def test_the_narrowest_encoding_is_produced_and_any_is_parsed(name: str, value: int, width: int) -> None:
    """All the widths that can hold a number give the same path, which is produced in the narrowest."""
    path = Path.of([{name: value}])
    base = LOGICAL[name]
    encodings = {
        8: bytes([base]) + value.to_bytes(4, "little")[:1],
        16: bytes([base + 1, 0]) + value.to_bytes(4, "little")[:2],
        32: bytes([base + 2, 0]) + value.to_bytes(4, "little"),
    }
    assert encoded(path) == encodings[width]
    for wide in (8, 16, 32):
        if wide >= width:
            check_wire(
                PathOf,
                encodings[wide],
                PathOf(path=path),
                rest=True,
                reserved=() if wide == 8 else (1,),
                produced=encodings[width],
            )


def test_a_path_tells_where_it_leads() -> None:
    """The last class, instance, attribute, connection; all elements and symbols."""
    path = Path.of([{"class": 1}, {"class": 2}, {"instance": 3}, {"attribute": 4}, {"connection": 5}])
    assert (path.class_id, path.instance, path.attribute, path.connection) == (2, 3, 4, 5)
    assert (path.element, path.symbol) == ((), ())
    path = Path.of([{"symbolic": "A"}, {"element": 1}, {"element": 2}, {"symbolic": "b"}])
    assert (path.symbol, path.element) == (("A", "b"), (1, 2))
    assert path.class_id is path.instance is path.attribute is path.connection is None


def test_a_term_may_hold_several_components() -> None:
    """In the order in which they are written."""
    assert Path.of([{"class": 2, "instance": 1, "attribute": 3}]) == Path.of(
        [{"class": 2}, {"instance": 1}, {"attribute": 3}]
    )
    assert Path.of([{"port": 1, "link": 0}]) == Path.of([{"link": 0, "port": 1}])


def test_as_plain_is_what_of_takes() -> None:
    terms: list[dict[str, Any]] = [{"symbolic": "A"}, {"element": 70000}, {"port": 2, "link": "10.0.0.1"}]
    assert Path.of(terms).as_plain() == terms
    assert Path.of(Path.of(terms).as_plain()) == Path.of(terms)
    assert eval(repr(Path.of(terms)), {"Path": Path}) == Path.of(terms)


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ({"klass": 1}, "unknown path component 'klass'"),
        ({"class": -1}, "0 to 0xFFFFFFFF"),
        ({"class": 1 << 32}, "0 to 0xFFFFFFFF"),
        ({"class": True}, "0 to 0xFFFFFFFF"),
        ({"class": "1"}, "0 to 0xFFFFFFFF"),
        ({"class": None}, "0 to 0xFFFFFFFF"),
        ({"element": 1.5}, "0 to 0xFFFFFFFF"),
        ({"port": 1}, "also needs 'link'"),
        ({"link": 1}, "also needs 'port'"),
        ({"vendor": 1}, "also needs"),
    ],
    ids=str,
)
def test_a_wrong_term_is_a_local_error(term: dict[str, Any], words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words) as caught:
        Path.of([term])
    assert caught.value.path == "path"


@pytest.mark.parametrize(
    "terms",
    [
        [{"port": 1, "link": 256}],
        [{"port": 0x10000, "link": 1}],
        [{"port": 1, "link": "x" * 256}],
        [{"symbolic": "x" * 256}],
        [{"symbolic": "\u20ac"}],
        [{"network": 0x41, "value": 256}],
        [{"network": 0x60, "value": 1}],
        [{"network": 0x20, "value": 1}],
        [{"data": b"abc"}],
        [{"data": bytes(512)}],
    ],
    ids=str,
)
def test_what_no_segment_can_express_is_a_local_error(terms: list[dict[str, Any]]) -> None:
    """When it is made, or when it is produced: nothing is produced that would be parsed as something else."""
    with pytest.raises(LocalProtocolError):
        PathOf(path=Path.of(terms)).produce()


def test_a_path_longer_than_its_size_can_say() -> None:
    """A path of more than 255 words is refused where a size is derived from it."""
    from cpppo.server.enip.wire.services import RequestEnvelope

    path = Path.of([{"symbolic": "x" * 254}, {"symbolic": "y" * 254}])
    with pytest.raises(LocalProtocolError):
        RequestEnvelope(service=1, path=path, data=b"").produce()


@pytest.mark.parametrize(
    "octets", ["20", "21 00 01", "22 00 01 02 03", "91", "91 05 53", "91 01 53", "34 04 00", "0F 01"]
)
def test_a_segment_cut_off_is_refused(octets: str) -> None:
    refused(PathOf, bytes.fromhex(octets))


@pytest.mark.parametrize("first", [octet for octet in range(256)])
def test_every_first_octet_is_a_segment_or_refused(first: int) -> None:
    """No octet hides another meaning: what is parsed is produced with a first octet that means the same."""
    for tail in (b"\0" * 9, b"\1" * 9, b"\0\2\0\0\0", b"\4" + b"\1" * 8, b"\1A\0", b"\2\1\0ab", b"\0"):
        octets = bytes([first]) + tail
        record = compiled(PathOf, octets)
        assert same(stepped(PathOf, octets), record)
        if isinstance(record, PathOf):
            assert PathOf.parse(record.produce()) == record


@pytest.mark.parametrize("octets", ["0F 00 00 02", "1F 02 00 00 31 32", "0F 0F 00 02", "0F FF FF 02"])
def test_a_port_in_two_octets_is_refused_or_produced_again(octets: str) -> None:
    """Port 0, that no narrow segment has, is no exception: what is parsed can be sent on."""
    record = compiled(PathOf, bytes.fromhex(octets))
    assert same(stepped(PathOf, bytes.fromhex(octets)), record)
    if record is not REFUSED:
        assert PathOf.parse(record.produce()) == record


def test_a_path_cannot_be_changed() -> None:
    """Remembered paths are shared by all sessions."""
    path = Path.of([{"class": 1}])
    for name in ("class_id", "segment", "octets", "nonsense"):
        with pytest.raises(LocalProtocolError, match="cannot be changed"):
            setattr(path, name, 2)
    with pytest.raises(LocalProtocolError):
        path.segment[0].class_ = 2
    assert path == Path.of([{"class": 1}])


def test_equal_paths_are_one_key() -> None:
    """Whatever encoding they came in."""
    narrow, wide = PathOf.parse(b"\x20\2").path, PathOf.parse(b"\x21\0\2\0").path
    assert narrow == wide and hash(narrow) == hash(wide)
    assert len({narrow, wide, Path.of([{"class": 2}])}) == 1
    assert narrow != Path.of([{"instance": 2}]) and narrow != "20 02"


def test_a_path_is_remembered_by_its_octets() -> None:
    """The same octets give the same object, and its octets are produced once."""
    one, other = PathOf.parse(b"\x20\x77\x24\1").path, PathOf.parse(b"\x20\x77\x24\1").path
    assert one is other
    assert encoded(one) is encoded(other) == b"\x20\x77\x24\1"


def test_the_memory_of_paths_is_bounded() -> None:
    """However many paths a peer thinks up, and however long: MEMO_ENTRIES of MEMO_OCTETS at most are kept."""
    known = EPATH.known  # type: ignore[attr-defined]
    for number in range(MEMO_ENTRIES + 10):
        octets = b"\x26\0" + number.to_bytes(4, "little")
        assert PathOf.parse(octets).path.instance == number
        assert len(known) <= MEMO_ENTRIES
    long = b"\x20\1" * (MEMO_OCTETS // 2)
    assert PathOf.parse(long) == PathOf.parse(long) and long in known
    longer = long + b"\x20\1"
    assert PathOf.parse(longer).path.class_id == 1 and longer not in known
    assert all(len(key) <= MEMO_OCTETS for key in known)


def test_every_segment_has_a_name() -> None:
    assert {"class", "instance", "element", "connection", "attribute", "port", "symbolic", "vendor"} <= set(SEGMENTS)
    assert {"network", "data"} <= set(SEGMENTS)


numbers = st.sampled_from([0, 1, 255, 256, 65535, 65536, 0xFFFFFFFF]) | st.integers(0, 0xFFFFFFFF)
octet = st.integers(0, 255)
terms = st.one_of(
    st.builds(lambda name, value: {name: value}, st.sampled_from(sorted(LOGICAL)), numbers),
    st.builds(lambda value: {"symbolic": value}, st.text(st.characters(max_codepoint=255), max_size=20)),
    st.builds(lambda port, link: {"port": port, "link": link}, st.integers(1, 65535), octet),
    st.builds(lambda port: {"port": port, "link": "192.168.0.10"[: port % 13]}, st.integers(1, 65535)),
    st.builds(lambda network, value: {"network": network, "value": value}, st.integers(0x40, 0x4F), octet),
    st.builds(lambda data: {"data": data * 2}, st.binary(max_size=8)),
)


@settings(max_examples=100, derandomize=True, database=None)
@given(st.lists(terms, max_size=6))
def test_any_path_is_parsed_from_what_it_produces(made: list[dict[str, Any]]) -> None:
    """Whole words, by both engines."""
    record = PathOf(path=Path.of(made))
    octets = record.produce()
    assert len(octets) % 2 == 0
    assert same(compiled(PathOf, octets), record)
    assert same(stepped(PathOf, octets), record)
