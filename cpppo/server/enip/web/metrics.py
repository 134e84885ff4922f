"""The simulator's counters as Prometheus reads them.

Owns: the names of the metrics; the only importer of prometheus_client.  Rule: all is gathered when it is asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate
from math import inf

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from cpppo.server.enip.counted import BOUNDS_S
from cpppo.server.enip.web.running import Running
from cpppo.server.enip.wire.services import SERVICES

__all__ = ["CONTENT_TYPE", "exposition"]

CONTENT_TYPE = CONTENT_TYPE_LATEST

#: Services by code; two can share one: which of them was meant, the object that was addressed decides.
_NAMES: dict[int, str] = defaultdict(lambda: "unknown")
for _one in SERVICES:
    if _one.name not in _NAMES[_one.code].split(" or "):
        _NAMES[_one.code] = _one.name if _NAMES[_one.code] == "unknown" else f"{_NAMES[_one.code]} or {_one.name}"


class _Simulator(Collector):
    def __init__(self, running: Running) -> None:
        self._running = running

    def collect(self) -> Iterator[Metric]:
        sums = self._running.totals()
        answers = CounterMetricFamily(
            "cpppo_cip_requests",
            "CIP requests answered, also those in a packet of several, by service and general status.",
            labels=("service", "name", "status"),
        )
        for (service, status), count in sorted(sums.answers.items()):
            answers.add_metric((f"0x{service:02X}", _NAMES[service], f"0x{status:02X}"), count)
        yield answers
        bounds = map(floatToGoString, (*BOUNDS_S, inf))
        yield HistogramMetricFamily(
            "cpppo_cip_request_seconds",
            "How long the controller took for a CIP request, a packet of several being one; without --delay.",
            buckets=list(zip(bounds, accumulate(sums.took), strict=True)),
            sum_value=sums.seconds,
        )
        yield CounterMetricFamily("cpppo_tag_writes", "Write Tag and Write Tag Fragmented, done.", value=sums.writes)
        yield CounterMetricFamily("cpppo_frames", "Encapsulation frames received.", value=sums.requests)
        octets = CounterMetricFamily("cpppo_octets", "Octets of EtherNet/IP over TCP.", labels=("direction",))
        octets.add_metric(("received",), sums.received)
        octets.add_metric(("sent",), sums.sent)
        yield octets
        yield CounterMetricFamily("cpppo_connections_accepted", "TCP connections there were.", value=sums.connections)
        yield GaugeMetricFamily(
            "cpppo_connections", "TCP connections there are.", value=len(self._running.connections())
        )
        yield GaugeMetricFamily("cpppo_tags", "Tags there are.", value=len(self._running.device.tags()))


def exposition(running: Running) -> bytes:
    """All metrics, as text."""
    registry = CollectorRegistry()
    registry.register(_Simulator(running))
    text: bytes = generate_latest(registry)
    return text
