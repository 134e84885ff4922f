"""The things that the API shows and changes: delay, connections, tags, the server's control.

Owns: what each has and takes.  Rule: a change goes the way it goes in a program: a tag through its Attribute, the
server through its control.  Must not know URLs, JSON or HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Protocol

from cpppo.errors import UsageError
from cpppo.server.enip.device import Attribute
from cpppo.server.enip.web.running import Conversation, Running
from cpppo.server.enip.web.values import boolean, key_of, listed, number, single

__all__ = ["GROUPS", "MAXIMUM_SHOWN", "Thing", "Unknown", "connection_id", "matching"]

#: Values that are elided to these many; elements that are read or written at once at most.
ELIDED, MAXIMUM_SHOWN = 6, 100_000

#: The longest latency and time-out, in seconds: with a longer one the server would seem to obey no more.
_LONGEST_S = 60.0

_GLOB = re.compile(r"[*?\[]")
_ATTRIBUTE = re.compile(r"attribute(\[.*\])?", re.DOTALL)


class Unknown(UsageError):
    """There is no such command."""


class Thing(Protocol):
    """Something that is shown and changed; ``name``: within its group."""

    name: str

    def data(self) -> dict[str, Any]:
        """What is shown of it."""

    def get(self, command: str) -> Any:
        """The value of one of its commands."""

    def set(self, command: str, value: Any) -> Any:
        """Change it; the value as it was understood."""


class _Delay:
    name = "delay"

    def __init__(self, running: Running) -> None:
        self._delay = running.delay

    def data(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"value": self._delay.value}
        if self._delay.ranged:
            shown["range"] = "{}-{}".format(*self._delay.range)
        return shown

    def get(self, command: str) -> Any:
        return _of(self.data(), command)

    def set(self, command: str, value: Any) -> Any:
        self.get(command)
        if command == "range":
            if not isinstance(value, str) or "-" not in value:
                raise UsageError("a range is written as eg. 0.5-1.5")
            self._delay.say(value)
            return value
        if self._delay.ranged:
            raise UsageError("it is drawn from the range; change that, eg. options/delay/range=0.5-0.5")
        seconds = number(value)
        self._delay.set(seconds)
        return seconds


class _Connection:
    def __init__(self, one: Conversation) -> None:
        self._one = one
        self.name = connection_id(one)

    def data(self) -> dict[str, Any]:
        host, port = self._one.peer[:2]
        talk = self._one.talk
        return {
            "eof": self._one.ending,
            "interface": host,
            "port": port,
            "processed": talk.processed,
            "received": talk.received,
            "requests": talk.requests,
        }

    def get(self, command: str) -> Any:
        return _of(self.data(), command)

    def set(self, command: str, value: Any) -> Any:
        self.get(command)
        if command != "eof":
            raise UsageError(f"{command} cannot be changed")
        ended = boolean(value)
        if ended:
            self._one.stop_reading()
        return ended


class _Tag:
    def __init__(self, attribute: Attribute) -> None:
        self._attribute = attribute
        self.name = attribute.name

    def data(self) -> dict[str, Any]:
        return {"attribute": self._attribute.elided(ELIDED), "error": self._attribute.error}

    def get(self, command: str) -> Any:
        if command == "error":
            return self._attribute.error
        if command == "attribute":
            return self._attribute.elided(ELIDED)
        key, count = self._place(command)
        values = self._attribute[key]
        return list(values) if count is not None and isinstance(values, (list, tuple)) else values

    def set(self, command: str, value: Any) -> Any:
        attribute = self._attribute
        if command == "error":
            code = number(value, whole=True)
            if not 0 <= code <= 0xFF:
                raise UsageError(f"{code} is no status; 0 to 255 are")
            attribute.error = code
            return code
        key, count = self._place(command)
        made = single(attribute.type, value) if count is None else listed(attribute.type, value, count)
        attribute[key] = made
        return made

    def _place(self, command: str) -> tuple[Any, int | None]:
        """The key of a command, and how many elements it stands for; None of a single one."""
        match = _ATTRIBUTE.fullmatch(command)
        if match is None:
            raise Unknown(command)
        attribute = self._attribute
        key = slice(0, len(attribute)) if match[1] is None else key_of(match[1])
        if match[1] is None and attribute.scalar:
            key = 0
        start, stop = attribute.span(key)
        if stop - start > MAXIMUM_SHOWN:
            raise UsageError(f"{stop - start} elements are more than {MAXIMUM_SHOWN} at once; take a part of them")
        if isinstance(key, tuple):
            key = start
        return key, stop - start if isinstance(key, slice) else None


class _Control:
    name = "control"

    def __init__(self, running: Running) -> None:
        self._control = running.control

    def data(self) -> dict[str, Any]:
        # By index: to ask by attribute would count as having seen what was set.
        return {name: self._control[name] for name in ("disable", "done", "latency", "timeout")}

    def get(self, command: str) -> Any:
        return _of(self.data(), command)

    def set(self, command: str, value: Any) -> Any:
        self.get(command)
        if command in ("disable", "done"):
            made: Any = boolean(value)
        else:
            made = number(value)
            if not 0 < made <= _LONGEST_S:
                raise UsageError(f"{made:g} seconds: above 0 and up to {_LONGEST_S:.0f} are possible")
        setattr(self._control, command, made)  # an apidict waits here until it is seen
        return made


def connection_id(one: Conversation) -> str:
    """The name of a connection: its peer's address, without what means something in a URL or a path."""
    host, port = one.peer[:2]
    return re.sub(r"[.:%]", "_", f"{host}_{port}")


def matching(name: str, pattern: str) -> bool:
    """Whether a pattern with *, ? and [...] fits a name, without case."""
    return fnmatchcase(name.lower(), pattern.lower())


def _of(data: Mapping[str, Any], command: str) -> Any:
    if command not in data:
        raise Unknown(command)
    return data[command]


def _options(running: Running, match: str) -> Iterator[Thing]:
    if matching(_Delay.name, match):
        yield _Delay(running)


def _connections(running: Running, match: str) -> Iterator[Thing]:
    for one in sorted(running.connections(), key=lambda one: one.began):
        if matching(connection_id(one), match):
            yield _Connection(one)


def _tags(running: Running, match: str) -> Iterator[Thing]:
    device = running.device
    if not _GLOB.search(match):  # the usual case, which must be quick however many tags there are
        try:
            yield _Tag(device[match])
        except KeyError:
            pass
        return
    for attribute in device.tags():
        if matching(attribute.name, match):
            yield _Tag(attribute)


def _server(running: Running, match: str) -> Iterator[Thing]:
    if matching(_Control.name, match):
        yield _Control(running)


#: Each group's things whose names fit a pattern.
GROUPS: Mapping[str, Callable[[Running, str], Iterator[Thing]]] = {
    "options": _options,
    "connections": _connections,
    "tags": _tags,
    "server": _server,
}
