"""The tag list kept in a file: used while the controller's stamps are the same, never wrongly, and never in the way."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cpppo.server.enip.client import flows
from cpppo.server.enip.client.cache import Cache, load, save
from cpppo.server.enip.client.catalog import Catalog, Facts, Kept, browse
from cpppo.server.enip.device import Attribute
from cpppo.server.enip.simulator import Simulator
from cpppo.server.enip.wire.types import INT
from tests.server.enip.client.faces import FACES, Open, opening
from tests.server.enip.client.plant import catalog, controller


@pytest.fixture(params=sorted(FACES))
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Makes a face of the tag level, closed at the end."""
    with opening(request.param) as make:
        yield make


@pytest.fixture
def browsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows each time that a controller is browsed."""
    times: list[str] = []

    def counted() -> Any:
        times.append("browsed")
        return browse()

    monkeypatch.setattr(flows, "browse", counted)
    return times


def test_what_is_kept_is_what_was_browsed(tmp_path: Path) -> None:
    """Every tag and type comes out of the file as it went in."""
    before = catalog(controller())
    save(tmp_path / "tags", Kept(b"\1\2", before))
    kept = load(tmp_path / "tags")
    assert kept is not None and kept.stamps == b"\1\2"
    assert [one[:2] + (one.type, one.access) for one in kept.catalog] == [
        one[:2] + (one.type, one.access) for one in before
    ]
    assert kept.catalog.programs == before.programs and kept.catalog.facts == before.facts
    assert kept.catalog.types.keys() == before.types.keys()
    assert [one.name for one in tmp_path.iterdir()] == ["tags"]


@pytest.mark.skipif(os.name != "posix", reason="permissions and links are those of POSIX")
def test_the_file_is_as_any_other(tmp_path: Path) -> None:
    """Others may read it as what `open` makes, or as they may already; a link stays one."""
    kept = Kept(b"1", Catalog(Facts([], {}, [])))
    file, link, usual = (tmp_path / name for name in ("tags", "link", "usual"))
    usual.touch()
    save(file, kept)
    assert file.stat().st_mode == usual.stat().st_mode
    file.chmod(0o640)
    link.symlink_to(file)
    save(link, Kept(b"2", kept.catalog))
    assert link.is_symlink() and file.stat().st_mode & 0o777 == 0o640
    found = load(file)
    assert found is not None and found.stamps == b"2" and len(list(tmp_path.iterdir())) == 3


def test_second_time(plc: Simulator, opened: Open, tmp_path: Path, browsed: list[str]) -> None:
    """Who names the file again does not browse; types are known all the same."""
    file = tmp_path / "tags.json"
    first = opened(*plc.address, cache=file)
    assert first.read("Level") == 12.5 and browsed
    browsed.clear()
    second = opened(*plc.address, cache=file)
    second.write({"Drive[1].speed": 3})
    assert second.read("Drive[1]").speed == 3.0 and len(second.tags()) == len(first.tags())
    assert browsed == []


def test_another_program(plc: Simulator, opened: Open, tmp_path: Path, browsed: list[str]) -> None:
    """A controller that has changed is browsed, by a new connection and upon refresh; the file is written anew."""
    file = tmp_path / "tags.json"
    first = opened(*plc.address, cache=file)
    first.tags()
    plc.device.add_tag(Attribute("New", INT))
    browsed.clear()
    assert opened(*plc.address, cache=file).read("New") == 0 and browsed
    browsed.clear()
    first.refresh()
    assert first.read("New") == 0 and browsed
    browsed.clear()
    assert opened(*plc.address, cache=file).read("New") == 0 and not browsed


def _with_a_size(text: str) -> str:
    """A size of structures that none can have."""
    plain = json.loads(text)
    for one in plain["definitions"].values():
        one[2] = 10**300
    return json.dumps(plain)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "null",
        lambda text: text.replace("tag list 1", "tag list 0"),
        lambda text: text.replace('"stamps"', '"stomps"'),
        lambda text: json.dumps({**json.loads(text), "stamps": "xyz"}),
        lambda text: json.dumps({**json.loads(text), "symbols": [["A", 1, 0xC3]]}),
        lambda text: json.dumps({**json.loads(text), "definitions": {"1": ["00", 5, 4, 3]}}),
        lambda text: json.dumps({**json.loads(text), "symbols": [["A", float("inf"), 0xC3, [0, 0, 0], 0]]}),
        _with_a_size,
        lambda text: "[" * 100_000,
    ],
)
def test_damaged(
    damage: Callable[[str], str], plc: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is no tag list is told of once, browsed for, and mended."""
    file = tmp_path / "tags.json"
    face = FACES["threads"](*plc.address, cache=file)
    face.tags()
    face.close()
    whole = file.read_text()
    file.write_text(damage(whole))
    with caplog.at_level(logging.WARNING):
        face = FACES["threads"](*plc.address, cache=file)
    assert "tags.json is not used, and will be written anew" in caplog.text
    assert face.read("Level") == 12.5
    face.close()
    assert file.read_text() == whole


def test_where_nothing_can_be_kept(
    plc: Simulator, opened: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A directory that is not there, or a file that is one: one warning, and work goes on."""
    for file in (tmp_path / "nowhere" / "tags.json", tmp_path):
        tags = opened(*plc.address, cache=file)
        with caplog.at_level(logging.WARNING):
            assert tags.read("Level") == 12.5 and tags.read("Word") == 8
        told = [one for one in caplog.messages if "cannot be kept" in one]
        assert len(told) == 1 and str(file) in told[0]
        caplog.clear()
    assert not [one for one in tmp_path.parent.iterdir() if one.name.startswith(f"{tmp_path.name}.")]


def test_a_controller_without_stamps_is_always_asked(tmp_path: Path) -> None:
    """What cannot be checked is not kept."""
    cache = Cache(tmp_path / "tags")
    assert cache.kept is None and not cache.lacks(None)
    cache.keep(None)
    assert list(tmp_path.iterdir()) == []
    kept = Kept(b"1", Catalog(Facts([], {}, [])))
    assert cache.lacks(kept) and not Cache(None).lacks(kept)
