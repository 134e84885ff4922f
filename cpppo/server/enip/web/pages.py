"""What the page shows: an overview, tags and connections a part at a time, rates.

Owns: the data of each, and which arguments they take.  Rule: only what is asked for is worked out, however many tags
and connections there are.  Must not know HTTP.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cpppo.errors import UsageError
from cpppo.server.enip.device import Attribute
from cpppo.server.enip.web.groups import ELIDED, connection_id, matching
from cpppo.server.enip.web.rates import INTERVAL_S, Rates
from cpppo.server.enip.web.running import Conversation, Running
from cpppo.server.enip.web.values import shown
from cpppo.version import __version__

__all__ = ["Missing", "Moment", "PAGES"]

#: Rows that are given at once, at most and usually: of tags and connections, and of the elements of a tag.
_ROWS, _USUAL_ROWS, _ELEMENTS, _USUAL_ELEMENTS = 500, 50, 2000, 100
#: Beyond any number of elements or connections.
_FAR = 1_000_000_000
#: Characters of a search.
_SEARCH = 300


class Missing(UsageError):
    """There is no such thing."""


class Moment(NamedTuple):
    """What there is to show: the simulator, the rates, the time by both clocks, and whether nothing can be changed."""

    running: Running
    rates: Rates
    now: float
    monotonic: float
    readonly: bool


def _number(arguments: Mapping[str, str], name: str, least: int, most: int, usual: int) -> int:
    text = arguments.get(name)
    if text is None:
        return usual
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and least <= int(text) <= most):
        raise UsageError(f"{name}={text[:40]!r} is not a number of {least} to {most}")
    return int(text)


def overview(moment: Moment, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Who the controller is and how it is, in a few numbers."""
    running = moment.running
    device, control, delay = running.device, running.control, running.delay
    who, sums = device.identity.data, running.totals()
    return {
        "now": moment.now,
        "version": __version__,
        "address": running.address,
        "controller": {
            "name": device.name,
            "product": who.product_name,
            "revision": f"{who.major}.{who.minor}",
            "serial": f"0x{who.serial:08x}",
            "vendor": who.vendor,
            "device_type": who.device_type,
            "product_code": who.product_code,
        },
        "state": "ended" if control["done"] else "disabled" if running.disabled else "running",
        "readonly": moment.readonly,
        "tags": len(device.tags()),
        "connections": len(running.connections()),
        "control": {name: control[name] for name in ("disable", "done", "latency", "timeout")},
        "delay": {"value": delay.value, "range": "{}-{}".format(*delay.range) if delay.ranged else None},
        "totals": {
            "connections": sums.connections,
            "requests": sums.requests,
            "received": sums.received,
            "sent": sums.sent,
            "writes": sums.writes,
        },
    }


def tags(moment: Moment, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Some of the tags whose name or description has a text, or whose name fits a pattern."""
    offset = _number(arguments, "offset", 0, _FAR, 0)
    limit = _number(arguments, "limit", 1, _ROWS, _USUAL_ROWS)
    search = arguments.get("search", "").strip().lower()
    if len(search) > _SEARCH:
        raise UsageError(f"a search has up to {_SEARCH} characters")
    every = moment.running.device.tags()
    if not search:
        found = every
    elif "*" in search or "?" in search:
        found = [one for one in every if matching(one.name, search)]
    else:
        found = [one for one in every if search in one.name.lower() or search in one.description.lower()]
    rows = [_tag(one, 0, ELIDED) for one in found[offset : offset + limit]]
    return {"total": len(every), "matched": len(found), "offset": offset, "tags": rows}


def tag(moment: Moment, arguments: Mapping[str, str]) -> dict[str, Any]:
    """One tag, and a window of its elements."""
    try:
        attribute = moment.running.device[arguments.get("name", "")]
    except KeyError:
        raise Missing(f"there is no tag {arguments.get('name', '')[:300]!r}") from None
    limit = _number(arguments, "limit", 1, _ELEMENTS, _USUAL_ELEMENTS)
    offset = _number(arguments, "offset", 0, len(attribute) - 1, 0)
    return {**_tag(attribute, offset, limit), "offset": offset}


def _tag(attribute: Attribute, offset: int, limit: int) -> dict[str, Any]:
    text, values = None, []
    try:
        given = attribute[offset : min(offset + limit, len(attribute))]
        values = [shown(one) for one in given] if isinstance(given, (list, tuple)) else [shown(given)]
    except Exception as exc:  # an Attribute of the user's may raise anything: it is shown instead
        text = f"{type(exc).__name__}: {exc}"
    return {
        "name": attribute.name,
        "type": attribute.type.name,
        "shape": list(attribute.shape),
        "length": len(attribute),
        "scalar": attribute.scalar,
        "access": "none" if attribute.hidden else "read-only" if attribute.read_only else "read-write",
        "description": attribute.description,
        "error": attribute.error,
        "values": values,
        "text": text,
    }


def connections(moment: Moment, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Some of the connections, the oldest first."""
    offset = _number(arguments, "offset", 0, _FAR, 0)
    limit = _number(arguments, "limit", 1, _ROWS, _USUAL_ROWS)
    every = sorted(moment.running.connections(), key=lambda one: one.began)
    rows = [_connection(one, moment.monotonic) for one in itertools.islice(every, offset, offset + limit)]
    return {"total": len(every), "offset": offset, "connections": rows}


def _connection(one: Conversation, monotonic: float) -> dict[str, Any]:
    talk = one.talk
    return {
        "id": connection_id(one),
        "peer": talk.peer,
        "registered": talk.registered,
        "requests": talk.requests,
        "received": talk.received,
        "sent": talk.sent,
        "age": round(max(monotonic - one.began, 0.0), 3),
        "connected": len(talk.origin.connections),
    }


def rates(moment: Moment, arguments: Mapping[str, str]) -> dict[str, Any]:
    """What went on, second by second, after a time."""
    text = arguments.get("since", "0")
    try:
        since = float(text)
    except ValueError:
        raise UsageError(f"since={text[:40]!r} is no time; write seconds since 1970") from None
    return {"interval": INTERVAL_S, "samples": moment.rates.since(since)}


#: What can be asked, by the last part of its URL.
PAGES: Mapping[str, Callable[[Moment, Mapping[str, str]], dict[str, Any]]] = {
    "overview": overview,
    "tags": tags,
    "tag": tag,
    "connections": connections,
    "rates": rates,
}
