"""What the page asks: overview, tags, one tag, connections, rates; and the counters behind them."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from cpppo.server.delay import Delay
from cpppo.server.enip import device
from cpppo.server.enip.client import connector, parse_operations
from cpppo.server.enip.counted import BOUNDS_S, CountedSession, Counters
from cpppo.server.enip.web import metrics
from cpppo.server.enip.web.rates import SAMPLES, Rates
from cpppo.server.enip.web.values import shown
from cpppo.server.enip.wire.types import DINT, LINT, REAL
from tests.server.enip.device.frames import multiple, read, register, rr, symbol
from tests.server.enip.web.browsing import TIMEOUT_S, Web, web


def test_overview(site: Web) -> None:
    """Who the controller is, how it is, how much there is of everything."""
    with connector(*site.plc.address, timeout=TIMEOUT_S) as connection:
        list(connection.results(parse_operations(["SCADA[0]=1", "SCADA[0]", "Nosuch"])))
        got = site.get("/page/overview").json
    connection.close()
    assert got["address"] == "{}:{}".format(*site.plc.address)
    assert got["controller"] == {
        "name": "Simulator",
        "product": "1756-L61/B LOGIX5561",
        "revision": "20.11",
        "serial": "0x006c061a",
        "vendor": 1,
        "device_type": 14,
        "product_code": 54,
    }
    assert (got["state"], got["readonly"], got["tags"], got["connections"]) == ("running", False, 6, 1)
    assert got["delay"] == {"value": 0.0, "range": None}
    totals = got["totals"]
    assert (totals["connections"], totals["requests"], totals["writes"]) == (1, 4, 1)
    assert totals["received"] > 100 < totals["sent"]


def test_overview_of_a_range() -> None:
    with web(delay=Delay(0.25, 0.5)) as site:
        assert site.get("/page/overview").json["delay"]["range"] == "0.25-0.5"


def test_tags_by_parts() -> None:
    """Searched and paged by the server; the first values; in the order they were added."""
    with web("Grid=DINT[2,3]=1,2,3,4", *(f"Tag{number}" for number in range(1000)), "Level=REAL=12.5") as site:
        got = site.get("/page/tags?limit=2").json
        assert (got["total"], got["matched"], got["offset"]) == (1002, 1002, 0)
        assert got["tags"][0] == {
            "name": "Grid",
            "type": "DINT",
            "shape": [2, 3],
            "length": 6,
            "scalar": False,
            "access": "read-write",
            "description": "",
            "error": 0,
            "values": [1, 2, 3, 4, 0, 0],
            "text": None,
        }
        got = site.get("/page/tags?search=TAG9&offset=100&limit=50").json
        assert (got["matched"], [one["name"] for one in got["tags"]]) == (111, [f"Tag{n}" for n in range(989, 1000)])
        assert [one["name"] for one in site.get("/page/tags?search=l*l").json["tags"]] == ["Level"]
        assert site.get("/page/tags?search=nosuch").json["tags"] == []
        assert len(site.get("/page/tags").json["tags"]) == 50


def test_search_in_descriptions(site: Web) -> None:
    site.plc["Level"].attribute.description = "of the <tank>, m"
    site.plc["Level"].attribute.read_only = True
    (found,) = site.get("/page/tags?search=TANK").json["tags"]
    assert (found["name"], found["description"], found["access"]) == ("Level", "of the <tank>, m", "read-only")


def test_a_window_of_a_tag(site: Web) -> None:
    site.plc["SCADA"][500:503] = 1, 2, 3
    got = site.get("/page/tag?name=scada&offset=499&limit=4").json
    assert (got["name"], got["offset"], got["length"], got["values"]) == ("SCADA", 499, 1000, [0, 1, 2, 3])
    assert len(site.get("/page/tag?name=SCADA&offset=950").json["values"]) == 50


@pytest.mark.parametrize(
    ("target", "status", "error"),
    [
        ("tag?name=nosuch", 404, "no tag 'nosuch'"),
        ("tag", 404, "no tag ''"),
        ("tag?name=SCADA&offset=1000", 400, "0 to 999"),
        ("tag?name=SCADA&limit=2001", 400, "1 to 2000"),
        ("tag?name=SCADA&limit=0", 400, "1 to 2000"),
        ("tags?limit=501", 400, "1 to 500"),
        ("tags?offset=-1", 400, "offset='-1'"),
        ("tags?offset=%C2%B2", 400, "offset="),
        ("tags?search=" + "x" * 301, 400, "300 characters"),
        ("connections?limit=x", 400, "limit='x'"),
        ("rates?since=x", 400, "since='x'"),
        ("nosuch", 404, "overview"),
        ("", 404, "overview"),
        ("tags/x", 404, "overview"),
    ],
)
def test_what_cannot_be_shown(site: Web, target: str, status: int, error: str) -> None:
    got = site.get(f"/page/{target}")
    assert got.status == status and error in got.json["error"]


def test_values_that_json_has_not() -> None:
    """Large numbers and those that are none are text; so is why a value cannot be had."""

    class Odd(device.Attribute):
        def __getitem__(self, key: Any) -> Any:
            raise RuntimeError("no sensor")

    real = device.Attribute("Real", REAL, [math.nan, math.inf, -math.inf, 0.5])
    with web(device.Attribute("Long", LINT, [2**53, 2**53 + 1]), real, Odd("Odd", DINT)) as site:
        long, number, odd = site.get("/page/tags").json["tags"]
        assert long["values"] == [2**53, "9007199254740993"]
        assert number["values"] == ["nan", "inf", "-inf", 0.5]
        assert (odd["values"], odd["text"]) == ([], "RuntimeError: no sensor")


def test_shown() -> None:
    """Structures are objects, and what JSON does not know is text."""
    assert shown({"a": (1, True, None), "b": {"c": 1j}}) == {"a": [1, True, None], "b": {"c": "1j"}}


def test_connections_by_parts(site: Web) -> None:
    """The oldest first; each with what it did."""
    made = [connector(*site.plc.address, timeout=TIMEOUT_S) for _ in range(3)]
    list(made[1].results(parse_operations(["SCADA[0-9]"])))
    got = site.get("/page/connections?offset=1&limit=1").json
    assert (got["total"], got["offset"], len(got["connections"])) == (3, 1, 1)
    (one,) = got["connections"]
    assert sorted(one) == ["age", "connected", "id", "peer", "received", "registered", "requests", "sent"]
    assert (one["requests"], one["registered"], one["connected"]) == (2, True, 0)
    assert one["id"] == one["peer"].replace(".", "_").replace(":", "_") and 0 <= one["age"] < TIMEOUT_S
    assert site.post({"group": "connections", "match": one["id"], "command": "eof", "value": True}).status == 200
    assert site.get("/page/connections").json["total"] == 2
    for each in made:
        each.close()


def test_quick_with_many_tags() -> None:
    """With 10,000 tags a page of them takes milliseconds."""
    with web(*(f"Tag{number}=INT[10]" for number in range(10_000))) as site:
        site.get("/page/overview")
        began = time.perf_counter()
        for _ in range(10):
            site.get("/page/overview")
            site.get("/page/tags?search=Tag9&offset=500")
            site.get("/api/tags/Tag77/attribute[1]")
        assert time.perf_counter() - began < 3.0


class Sums:
    """Counters as `Rates` takes them."""

    def __init__(self, requests: int, seconds: float, took: int) -> None:
        self.connections, self.requests, self.received, self.sent = 0, requests, 10 * requests, 20 * requests
        self.seconds, self.took, self.answers, self.writes = seconds, [took], {}, 0


def test_rates() -> None:
    """Differences a second; a time that stands still makes none; so many are kept."""
    rates = Rates()
    rates.sample(100.0, Sums(0, 0.0, 0), 0)
    assert rates.since(0) == []
    rates.sample(102.0, Sums(50, 0.5, 25), 3)
    rates.sample(102.0, Sums(51, 0.5, 25), 3)
    rates.sample(103.0, Sums(51, 0.5, 25), 2)
    assert rates.since(0) == [
        {"time": 102.0, "requests": 25.0, "received": 250.0, "sent": 500.0, "latency": 0.02, "connections": 3},
        {"time": 103.0, "requests": 0.0, "received": 0.0, "sent": 0.0, "latency": None, "connections": 2},
    ]
    assert rates.since(102.0)[0]["time"] == 103.0
    for number in range(2 * SAMPLES):
        rates.sample(200.0 + number, Sums(100, 1.0, 50), 1)
    assert len(rates.since(0)) == SAMPLES


def test_samples_are_taken(site: Web) -> None:
    """The web interface notes what goes on, second by second."""
    deadline = time.monotonic() + TIMEOUT_S
    samples: list[Any] = []
    while not samples and time.monotonic() < deadline:
        samples = site.get("/page/rates").json["samples"]
    assert samples and site.get(f"/page/rates?since={samples[-1]['time'] + 60}").json["samples"] == []


# -- counters


def counted() -> tuple[Counters, CountedSession, int]:
    controller = device.Device()
    controller.add_tag(device.Attribute("SCADA", DINT, [0] * 10))
    counters = Counters()
    session = counters.session(controller, 7, (0, 0))
    session.receive(register())
    return counters, session, session.handle


def test_what_is_counted() -> None:
    """CIP requests by service and status, those in a packet, too; octets; how long the controller took."""
    counters, session, handle = counted()
    sent = received = session.sent
    received = session.received
    requests = [
        read(symbol("SCADA")),
        read(symbol("SCADA")),
        read(symbol("Nosuch")),
        multiple(read(symbol("SCADA")), read(symbol("Nosuch"))),
    ]
    for request in requests:
        sent += len(session.receive(rr(request, handle)))
        received += len(rr(request, handle))
    sums = counters.totals()
    assert (sums.connections, sums.requests, sums.sent, sums.received) == (1, 5, sent, received)
    assert sums.answers == {(0x4C, 0): 3, (0x4C, 4): 2, (0x0A, 0x1E): 1}
    assert sum(sums.took) == 4 and len(sums.took) == len(BOUNDS_S) + 1 and sums.seconds > 0


def test_octets_of_several_at_once() -> None:
    """Requests that come together, in parts, or are answered one by one count once."""
    counters, session, handle = counted()
    frames = rr(read(symbol("SCADA")), handle) * 3
    before = session.sent
    first = session.receive(frames[:-5])
    rest = session.receive(frames[-5:])
    each = list(session.answers(frames))
    assert counters.totals().sent - before == len(first) + len(rest) + sum(map(len, each)) == 6 * len(each[0])


def test_counts_of_sessions_that_ended_stay() -> None:
    counters, session, handle = counted()
    session.receive(rr(read(symbol("SCADA")), handle))
    before = counters.totals()
    counters.ended(session)
    after = counters.totals()
    assert (before.requests, before.answers, before.took) == (after.requests, after.answers, after.took)
    session.receive(rr(read(symbol("SCADA")), handle))
    assert counters.totals().requests == after.requests


def test_metrics(site: Web) -> None:
    """As Prometheus reads them, parsed by its own library."""
    from prometheus_client.parser import text_string_to_metric_families

    with connector(*site.plc.address, timeout=TIMEOUT_S) as connection:
        operations = parse_operations(
            ["SCADA[0]=1", "SCADA[0-3]", "Nosuch", "Tag[0-1]=1,2"],
        )
        list(connection.results(operations))
        got = site.get("/metrics")
    connection.close()
    assert got.headers["content-type"] == metrics.CONTENT_TYPE
    families = {one.name: one for one in text_string_to_metric_families(got.body.decode())}
    values = {(one.name, *sorted(one.labels.values())): one.value for each in families.values() for one in each.samples}
    assert values["cpppo_connections",] == values["cpppo_connections_accepted_total",] == 1
    assert values["cpppo_tags",] == 6 and values["cpppo_frames_total",] == 5
    assert values["cpppo_tag_writes_total",] == 2
    assert values["cpppo_cip_requests_total", "0x00", "0x4C", "Read Tag or Read Template"] == 1
    assert values["cpppo_cip_requests_total", "0x04", "0x4C", "Read Tag or Read Template"] == 1
    assert values["cpppo_cip_request_seconds_count",] == 4 == values["cpppo_cip_request_seconds_bucket", "+Inf"]
    assert values["cpppo_octets_total", "received"] > 0 < values["cpppo_octets_total", "sent"]
    assert 0 < values["cpppo_cip_request_seconds_sum",] < 1


def test_metrics_without_the_library(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said what to install, and all else is there."""
    monkeypatch.setitem(__import__("sys").modules, "cpppo.server.enip.web.metrics", None)
    monkeypatch.delattr("cpppo.server.enip.web.metrics")
    got = site.get("/metrics")
    assert got.status == 501 and "prometheus-client" in got.json["error"]
    assert site.get("/api").status == 200


def test_nothing_is_counted_without_a_web_interface() -> None:
    """Sessions are plain ones then."""
    from cpppo.server.enip import simulator
    from cpppo.server.enip.session import Session

    with simulator("SCADA") as plc, connector(*plc.address, timeout=TIMEOUT_S) as connection:
        assert plc._serving is not None
        (one,) = plc._serving[0].connections()
        assert type(one.talk) is Session
        connection.close()


def test_names_of_services() -> None:
    """A code that two services share has the names of both: it does not tell which was meant."""
    assert metrics._NAMES[0x4C] == "Read Tag or Read Template"
    assert metrics._NAMES[0x77] == "unknown"
