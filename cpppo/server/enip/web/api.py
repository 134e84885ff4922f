"""The API: ``api/group/match/command/value`` to what is shown, after what was asked for is done.

Owns: what a URL, its arguments or a JSON body ask, and the body that answers.  Rule: it does no more than is asked; the
time comes as an argument.  Must not know HTTP or sockets.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cpppo.errors import UsageError
from cpppo.server.enip.web.groups import GROUPS, Thing, Unknown, matching
from cpppo.server.enip.web.running import Running

__all__ = ["Answer", "Query", "answer", "document", "query_of", "refused"]

_JSON = ".json"
#: Characters of a pattern; no name is longer, and to try a very long one on each name takes its time.
_PATTERN = 300


class Query(NamedTuple):
    """What is asked.  ``command`` None: nothing but to see; ``value`` None: to read, else what to write."""

    group: str = "*"
    match: str = "*"
    command: str | None = None
    value: Any = None
    since: float | None = None

    @property
    def changes(self) -> bool:
        """Whether it asks for a change."""
        return self.command is not None and self.value is not None

    @property
    def path(self) -> str:
        """As the beginning of a URL, without what is not asked."""
        return "/".join(("api", self.group, self.match, *([] if self.command is None else [self.command])))


class Answer(NamedTuple):
    """``body``: what is shown; ``found``: something matched; ``success``: no command failed, None if there was none."""

    body: dict[str, Any]
    found: bool
    success: bool | None


def query_of(segments: Sequence[str], arguments: Mapping[str, Any]) -> tuple[Query, bool]:
    """What the segments of a URL after ``api``, and its arguments (which override them), ask; and whether for JSON.

    UsageError if that makes no sense.
    """
    parts = list(segments)
    as_json = bool(parts) and parts[-1].endswith(_JSON)
    if as_json:
        parts[-1] = parts[-1][: -len(_JSON)]
    group, match = (parts[at] if len(parts) > at and parts[at] else "*" for at in (0, 1))
    command = parts[2] if len(parts) > 2 and parts[2] else None
    value: Any = "/".join(parts[3:]) if len(parts) > 3 else None
    if command is not None and "=" in command:
        command, _, first = command.partition("=")
        value = first if value is None else f"{first}/{value}"
    group, match = arguments.get("group", group), arguments.get("match", match)
    command, value = arguments.get("command", command), arguments.get("value", value)
    if not all(isinstance(one, str) for one in (group, match, "" if command is None else command)):
        raise UsageError("group, match and command are text")
    if max(len(group), len(match)) > _PATTERN:
        raise UsageError(f"no group and no name has more than {_PATTERN} characters")
    return Query(group, match, command, value, _since(arguments.get("since"))), as_json


def _since(given: Any) -> float | None:
    if given is None or given == "":
        return None
    try:
        since = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        since = math.nan
    if not math.isfinite(since):
        raise UsageError(f"since={str(given)[:40]!r} is no time; write seconds since 1970")
    return since


def answer(running: Running, query: Query, now: float, may_change: bool = True) -> Answer:
    """Do what is asked, and show all that it was about.

    :param now: seconds since 1970.
    :param may_change: a change is done, not refused.
    """
    found: list[tuple[str, Thing]] = []
    outcomes: list[dict[str, Any]] = []
    for group, things in GROUPS.items():
        if matching(group, query.group):
            for thing in things(running, query.match):
                found.append((group, thing))
                if query.command is not None:
                    outcomes.append(_outcome(group, thing, query.command, query.value, may_change))
    if query.changes and may_change:
        running.settle()
    data: dict[str, dict[str, Any]] = {}
    for group, thing in found:
        data.setdefault(group, {})[thing.name] = thing.data()
    success = all(one["success"] for one in outcomes) if outcomes else None
    last = outcomes[-1] if outcomes else {} if found else None
    return Answer(_body(last, data, query.since, now), bool(found), success)


def refused(reason: str, now: float) -> dict[str, Any]:
    """The body that answers what cannot be understood or is not allowed."""
    return _body({"message": reason, "success": False}, {}, None, now)


def _body(command: Any, data: dict[str, Any], since: float | None, now: float) -> dict[str, Any]:
    return {"alarm": [], "command": command, "data": data, "since": since, "until": now}


def _outcome(group: str, thing: Thing, command: str, value: Any, may_change: bool) -> dict[str, Any]:
    what = f"{group}.{thing.name}.{command}"
    try:
        if value is None:
            return {"message": f"{what}: {thing.get(command)}", "success": True}
        what = f"{what}={value!r}"
        if not may_change:
            raise UsageError("the web interface is read-only")
        return {"message": f"{what} ({thing.set(command, value)!r})", "success": True}
    except Exception as exc:  # an Attribute of the user's may raise anything: it is told, and nothing else stops
        return {"message": f"{what} failed: {_reason(exc)!r}", "success": False}


def _reason(exc: Exception) -> str:
    if isinstance(exc, Unknown):
        return str(exc)
    text = str(exc.args[0]) if isinstance(exc, KeyError) and exc.args else str(exc)
    return text or type(exc).__name__


def document(body: Any) -> str:
    """JSON as the API gives it."""
    return json.dumps(body, sort_keys=True, indent=4)
