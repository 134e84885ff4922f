"""What the tests of the web interface share: a simulator with one, and requests to it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from cpppo.server.delay import Delay
from cpppo.server.enip.simulator import LOOPBACK, Simulator
from cpppo.server.enip.web.running import WebSettings

__all__ = ["TIMEOUT_S", "Got", "Web", "web"]

TIMEOUT_S = 10.0
JSON = {"Content-Type": "application/json"}


class Got(NamedTuple):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def command(self) -> Any:
        """The (success, message) of the API's command; None if nothing matched, () if there was none."""
        command = self.json["command"]
        return command and (command["success"], command["message"]) if command else None if command is None else ()


class Web:
    """A simulator and its web interface."""

    def __init__(self, plc: Simulator) -> None:
        self.plc = plc
        self.host = plc.url.split("/")[2]

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.host.split(":")
        return host, int(port)

    def ask(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Got:
        """Any request; underscores in the names of headers stand for hyphens."""
        connection = http.client.HTTPConnection(self.host, timeout=TIMEOUT_S)
        try:
            connection.request(method, target, body, {name.replace("_", "-"): text for name, text in headers.items()})
            reply = connection.getresponse()
            return Got(reply.status, {name.lower(): text for name, text in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def get(self, target: str, **headers: str) -> Got:
        return self.ask("GET", target, **headers)

    def api(self, target: str, **headers: str) -> Any:
        """The (success, message) of a GET below /api, whose status is 200."""
        got = self.get(f"/api/{target}", **headers)
        assert got.status == 200, got
        return got.command

    def post(self, value: Any, target: str = "/api", **headers: str) -> Got:
        """A POST of JSON."""
        return self.ask("POST", target, json.dumps(value).encode(), **{**JSON, **headers})


@contextmanager
def web(*tags: Any, readonly: bool = False, token: str | None = None, **kwds: Any) -> Iterator[Web]:
    """A simulator with some tags and a web interface."""
    kwds.setdefault("delay", Delay())
    with Simulator(*(tags or ("SCADA=INT[1000]",)), web=WebSettings(LOOPBACK, readonly, token), **kwds) as plc:
        yield Web(plc)
