"""The web interface beside a simulator: from its settings to its end.

Owns: what is counted for it, its start and stop, and what is wrong if it cannot be.  Rule: nothing of it is imported
unless it is asked for: web.py, which it needs, is optional.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from cpppo.dotdict import dotdict
from cpppo.errors import UsageError
from cpppo.logs import NORMAL
from cpppo.server.command import refused
from cpppo.server.delay import Delay
from cpppo.server.enip.control import Controlled
from cpppo.server.enip.counted import Counters
from cpppo.server.enip.device import Device
from cpppo.server.enip.web.running import WebSettings

__all__ = ["Unserved", "Website"]

log = logging.getLogger("enip.web")

#: A port that examples name: the usual one, 80, needs special rights.
_EXAMPLE_PORT = 12345


class Unserved(UsageError, OSError):
    """A web interface that cannot be: says why, and what to do."""


class Website:
    """A web interface to be.  Unserved, which says what to install, if that is missing.

    ``counters``: to be counted by what serves; ``address``, ``url``: where it is, once it is.
    """

    def __init__(self, settings: WebSettings) -> None:
        try:
            from cpppo.server.enip.web import server
        except ModuleNotFoundError as exc:
            if (exc.name or "").partition(".")[0] in ("web", "cheroot"):
                raise Unserved(
                    "--web needs web.py, which is not installed; pip install '.[web]' in the sources does that"
                ) from None
            raise
        self._settings = settings
        self._server = server
        self.counters = Counters()
        self.descriptors = server.DESCRIPTORS
        self.address = settings.address
        self.url = ""

    @contextmanager
    def on(self, device: Device, serving: Controlled, control: dotdict, delay: Delay) -> Iterator[None]:
        """Serve it while in the block; Unserved if its address cannot be had."""
        settings = self._settings
        simulation = self._server.Simulation(device, serving, control, delay, self.counters)
        try:
            started = self._server.WebServer(simulation, settings)
        except (OSError, UnicodeError) as exc:
            raise Unserved(refused(exc, settings.address, _EXAMPLE_PORT, "--web")) from exc
        try:
            self.address, self.url = started.address, started.url
            log.log(NORMAL, "web interface: %s", self.address)
            if settings.token is None and not settings.readonly and not _loopback(self.address[0]):
                log.warning(
                    "web interface: everybody who reaches %s can change everything; "
                    "--web-token or --web-readonly prevents that",
                    self.address,
                )
            yield
        finally:
            started.stop()


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"
