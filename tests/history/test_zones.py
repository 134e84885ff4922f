"""Time zones: every period of the database, walls that show a time twice or never, and the zone of this machine."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
import pytz

from cpppo.history import zones
from cpppo.history.moments import render
from cpppo.history.zones import UTC, UnknownTimeZoneError, Zone, get_localzone, zone_names, zone_of
from tests.tools import python_environment

#: Zones whose abbreviations are used by others, or that change in odd ways.
TEN = (
    "America/Edmonton America/New_York Europe/London Europe/Dublin Asia/Kolkata Asia/Jerusalem Asia/Shanghai "
    "America/Chicago Australia/Sydney Australia/Lord_Howe"
).split()
BEGIN, END = 0, int(datetime(2038, 1, 1, tzinfo=timezone.utc).timestamp())


def transitions(zone: Zone) -> list[int]:
    """The moments from 1970 to 2037 at which a zone changes."""
    return [int(start) for start in zone._starts if BEGIN <= start < END]


def test_every_period_is_pytz_own() -> None:
    """Just before and at each change of each zone, the offset and abbreviation are those that pytz itself gives."""
    for name in pytz.all_timezones:
        zone, native = zone_of(name), pytz.timezone(name)
        for change in [*transitions(zone), 1_000_000_000]:
            for moment in (change - 1, change):
                told, period = datetime.fromtimestamp(moment, native), zone.at(moment)
                offset = told.utcoffset()
                assert offset is not None
                assert (period.offset, period.label) == (offset.total_seconds(), told.tzname()), (name, moment)


@pytest.mark.parametrize("name", TEN)
def test_walls(name: str) -> None:
    """A time on the wall is each moment that shows it and no other: around all changes, two, one or none."""
    zone = zone_of(name)
    for change in transitions(zone):
        shown: dict[int, list[int]] = {}
        for moment in range(change - 4 * 86400, change + 4 * 86400, 900):
            shown.setdefault(moment + zone.at(moment).offset, []).append(moment)
        for wall in range(change - 86400, change + 86401, 900):
            assert zone.moments(wall) == shown.get(wall, [])


@pytest.mark.parametrize(
    "given",
    ["America/Edmonton", pytz.timezone("America/Edmonton"), datetime.now(pytz.timezone("America/Edmonton")).tzinfo],
    ids=["name", "pytz", "pytz at some time"],
)
def test_ways_to_name_a_zone(given: str | tzinfo) -> None:
    """A zone is known by its name, and from what pytz gives."""
    assert zone_of(given).name == "America/Edmonton" and zone_of(given).at(1399326141).label == "MDT"


def test_zoneinfo_is_read_for_its_name() -> None:
    """A ZoneInfo stands for the zone of that name in pytz, whatever the system's data say."""
    try:
        given = ZoneInfo("America/Edmonton")
    except ZoneInfoNotFoundError:
        pytest.skip("this system has no zone data")
    assert zone_of(given) is zone_of("America/Edmonton")


def test_fixed_offsets() -> None:
    """Offsets of datetime and of pytz are zones without changes; None and UTC in all forms are one."""
    assert zone_of(timezone(timedelta(hours=-6))).at(0).offset == -6 * 3600
    assert zone_of(pytz.FixedOffset(90)).at(0).offset == 90 * 60
    assert render(0, timezone(timedelta(hours=-6), "CST")) == "1969-12-31 18:00:00.000 -0600"
    assert zone_of(None) is zone_of(timezone.utc) is zone_of("UTC") is UTC
    assert zone_of("Etc/GMT+3").at(0)[1:3] == (-3 * 3600, "-03")


@pytest.mark.parametrize("name", ["Nowhere", "", "america/edmonton", "\u00c5ngermanland", "MDT"])
def test_no_zone(name: str) -> None:
    """What is no zone is refused, with an example of one; it is a KeyError too, whose text is not quoted."""
    with pytest.raises(UnknownTimeZoneError, match="America/Edmonton") as caught:
        zone_of(name)
    assert isinstance(caught.value, KeyError) and not str(caught.value).startswith('"')


def test_tzinfo_without_a_name() -> None:
    """A tzinfo that is no fixed offset and has no name cannot be looked up."""

    class Mine(tzinfo):
        def utcoffset(self, when: datetime | None) -> None:
            return None

    with pytest.raises(UnknownTimeZoneError, match="has no name"):
        zone_of(Mine())


# -- this machine


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("America/Edmonton", "America/Edmonton"),
        (":Europe/London", "Europe/London"),
        ("/usr/share/zoneinfo/Asia/Kolkata", "Asia/Kolkata"),
        ("MST7MDT", "MST7MDT"),
        ("", "UTC"),
    ],
)
def test_local_by_tz(told: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """TZ names the local zone, and is followed when it changes; empty it is UTC, as for the system."""
    monkeypatch.setenv("TZ", told)
    assert get_localzone().name == name


@pytest.mark.parametrize("told", ["EST5EDT,M3.2.0,M11.1.0", "<+03>-3", "Nowhere/City"])
def test_local_by_a_tz_that_names_none(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TZ that is no name is refused: nothing else would be the local time."""
    monkeypatch.setenv("TZ", told)
    with pytest.raises(UnknownTimeZoneError, match="set eg. TZ=America/Edmonton"):
        get_localzone()


def test_local_by_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without TZ it is what tzlocal finds; a link to zone data that are not there still tells the name."""
    import tzlocal

    monkeypatch.setattr(tzlocal, "get_localzone_name", lambda: "Europe/Dublin")
    assert zones._system_name() == "Europe/Dublin"
    monkeypatch.setattr(tzlocal, "get_localzone_name", lambda: None)
    link = tmp_path / "localtime"
    assert zones._system_name(str(link)) == "UTC"
    link.symlink_to("/nowhere/zoneinfo/America/Argentina/Ushuaia")
    assert zones._system_name(str(link)) == "America/Argentina/Ushuaia"
    link.unlink()
    link.write_bytes(b"a copy")
    with pytest.raises(UnknownTimeZoneError, match="does not tell the name"):
        zones._system_name(str(link))


def test_system_contradicts_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system's files say several things, the remedy is told."""
    import tzlocal

    def unclear() -> str:
        raise ZoneInfoNotFoundError("Multiple conflicting time zone configurations found")

    monkeypatch.setattr(tzlocal, "get_localzone_name", unclear)
    with pytest.raises(UnknownTimeZoneError, match="not clear, set eg. TZ.*conflicting"):
        zones._system_name()


MISSING = """
import sys
for name in {missing!r}:
    sys.modules[name] = None
from cpppo.history import timestamp
print(timestamp("2014-05-05 21:42:22 -0600"), timestamp(0).render("UTC"))
for what in (lambda: timestamp(0).render("America/Edmonton"), lambda: timestamp("2014-05-05 21:42:22 MDT"),
             lambda: timestamp.support_abbreviations("CA"), lambda: timestamp(0).local):
    try:
        print(what())
    except ValueError as exc:
        print(exc)
"""


def missing(*names: str, **environment: str) -> list[str]:
    env = {name: value for name, value in python_environment(**environment).items() if name != "TZ" or environment}
    program = MISSING.format(missing=names)
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_without_pytz() -> None:
    """Without pytz there are UTC and offsets, and whatever needs it says so, and how to get it."""
    fine, zone, label, region, local = missing("pytz")
    assert fine == "2014-05-06 03:42:22.000 1970-01-01 00:00:00.000"
    for line in (zone, region, local):
        assert "needs pytz, which is not installed: pip install pytz tzlocal" in line
    assert "'MDT' is no zone" in label and "write an offset" in label


def test_without_tzlocal() -> None:
    """Without tzlocal zones have their names, and TZ tells the local one; else it is said what is missing."""
    lines = missing("tzlocal")
    assert lines[1] == "1969-12-31 17:00:00.000 MST"
    assert "needs tzlocal, which is not installed: pip install tzlocal; or set eg. TZ=" in lines[-1]
    assert missing("tzlocal", TZ="America/Edmonton")[-1] == "1969-12-31 17:00:00 MST"


def test_without_zone_data_of_the_system() -> None:
    """Nothing is asked of the system's zone data, which containers leave out."""
    program = (
        "import zoneinfo; zoneinfo.ZoneInfo = None; from cpppo.history import timestamp; print(timestamp(0).local)"
    )
    env = python_environment(TZ="America/Edmonton", PYTHONTZPATH="/nowhere")
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "1969-12-31 17:00:00 MST\n"


def test_imported_late() -> None:
    """Neither package is imported before a local time is asked for."""
    program = (
        "import sys; from cpppo.history import timestamp; t = timestamp(0); str(t); t + 1; timestamp(str(t));"
        "timestamp('2014-05-05T21:42:22+01:00'); print({'pytz', 'tzlocal'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=python_environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


# -- regions


def test_regions() -> None:
    """Countries, areas, zones and lists of them are zones; whatever is none is refused."""
    assert "America/Edmonton" in zone_names("CA") and zone_names("ca") == zone_names("CA")
    assert {"Europe/Dublin", "Europe/London"} < set(zone_names("Europe"))
    assert "America/Argentina/Ushuaia" in zone_names("America/Argentina")
    assert zone_names("Asia/Kolkata") == ["Asia/Kolkata"]
    assert zone_names(["Asia/Kolkata", "IE", "Asia/Kolkata"]) == ["Asia/Kolkata", "Europe/Dublin"]
    assert len(zone_names()) > 400
    with pytest.raises(UnknownTimeZoneError, match="no country, area or zone"):
        zone_names("Atlantis")
