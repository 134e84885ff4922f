"""The web interface's server: cheroot around the application, in threads of its own.

Owns: the life of these threads and sockets, and the clock of the samples; the only importer of cheroot.
Rule: after ``stop`` nothing is left; whatever clients do here, the simulator does not notice.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

from cheroot import wsgi
from cheroot.server import HTTPConnection

from cpppo.dotdict import dotdict
from cpppo.server.delay import Delay
from cpppo.server.enip.control import Controlled
from cpppo.server.enip.counted import Counters, Totals
from cpppo.server.enip.device import Device
from cpppo.server.enip.web.app import Site, application
from cpppo.server.enip.web.hall import BODY_OCTETS, HEAD_OCTETS, WHOLE_S, Hall
from cpppo.server.enip.web.rates import INTERVAL_S, Rates
from cpppo.server.enip.web.running import WebSettings
from cpppo.server.tcp import Connection, format_address

__all__ = ["DESCRIPTORS", "Simulation", "WebServer"]

log = logging.getLogger("enip.web")

#: Threads that answer; connections that are kept for further requests; descriptors that all this takes.
_THREADS, _KEPT, DESCRIPTORS = 16, 100, 400
#: Seconds until the thread that accepts notices that it is to end.
_NOTICE_S = 0.1
#: Connections that may wait to be accepted.
_BACKLOG = 1024
#: Octets that an answer can have before its thread has to wait for the client to read.
_SENT = 262_144
#: Seconds that a change may take to come true.
_SETTLE_S = 2.0


class Simulation:
    """A simulator that is served, as the web interface sees it."""

    def __init__(self, device: Device, serving: Controlled, control: dotdict, delay: Delay, counters: Counters) -> None:
        self.device, self.control = device, control
        self.delay: Delay = delay
        self.address = format_address(serving.address)
        self._serving, self._counters = serving, counters

    @property
    def disabled(self) -> bool:
        return self._serving.disabled

    def connections(self) -> Sequence[Connection]:
        return self._serving.connections()

    def totals(self) -> Totals:
        return self._counters.totals()

    def settle(self) -> None:
        """Wait until those that were to end have ended, and the port is open if it is to be."""
        deadline = time.monotonic() + _SETTLE_S
        for one in self.connections():
            if one.ending:
                one.join(deadline)
        if not self.control["disable"] and not self.control["done"]:
            self._serving.wait_open(max(deadline - time.monotonic(), 0.0))


class _Connection(HTTPConnection):
    """cheroot's connection, which forgets what its peer did not take once it is closed."""

    def close(self) -> None:
        try:
            super().close()
        finally:  # else it is sent to a closed socket when it is collected: a traceback on standard error
            self.wfile._write_buf.clear()


class _Http(wsgi.Server):
    """cheroot's server, which is given a connection only when its request is there."""

    ConnectionClass = _Connection

    def __init__(self, address: tuple[str, int], site: Site) -> None:
        super().__init__(
            address,
            application(site),
            numthreads=_THREADS,
            timeout=int(WHOLE_S),
            shutdown_timeout=1,
            request_queue_size=_BACKLOG,
            server_name="cpppo",
        )
        self.version = self.software = "cpppo"
        self.max_request_header_size, self.max_request_body_size = HEAD_OCTETS, BODY_OCTETS
        self.keep_alive_conn_limit = _KEPT
        self.expiration_interval = _NOTICE_S
        self.hall = Hall(super().process_conn)
        self.refusal: OSError | None = None

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:
        """As cheroot does, but that it leaves the socket open if this fails, and forgets why."""
        made: socket.socket = self.prepare_socket(
            self.bind_addr, family, type, proto, self.nodelay, self.ssl_adapter, self.reuse_port
        )
        try:
            made.bind(self.bind_addr)
        except OSError as exc:
            self.refusal = exc
            made.close()
            raise
        self.socket = made
        self.bind_addr = made.getsockname()[:2]
        return made

    def process_conn(self, conn: Any) -> None:
        if conn.rfile.has_data():  # it sent the next request before it had the answer, which we do not take
            conn.close()
        else:
            self.hall.enter(conn)

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        log.log(min(level, logging.INFO) if not traceback else level, "%s", msg, exc_info=traceback)


class WebServer:
    """Serves as soon as it is made; ``address``: (host, port) where.  OSError if the address cannot be had."""

    def __init__(self, simulation: Simulation, settings: WebSettings) -> None:
        self._simulation = simulation
        self._rates = Rates()
        host, port = settings.address
        here = {one.lower() for one in (host, socket.gethostname()) if one}
        self._http = _Http((host, port), Site(simulation, self._rates, settings, frozenset(here)))
        self._stopping = threading.Event()
        try:
            self._http.prepare()
        except BaseException as exc:
            self._http.requests.stop(0)
            self._http.hall.stop()
            if isinstance(exc, OSError) and self._http.refusal is not None:
                raise self._http.refusal from None
            raise
        self._http.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT)
        self.address: tuple[str, int] = self._http.bind_addr[:2]
        self._threads = [
            threading.Thread(target=self._http.serve, name="web_http", daemon=True),
            threading.Thread(target=self._sample, name="web_rates", daemon=True),
        ]
        self._http.hall.start()
        for one in self._threads:
            one.start()

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://{format_address(self.address)}/"

    def stop(self) -> None:
        """Answer what is being answered, then end."""
        self._stopping.set()
        self._http.stop()
        self._http.hall.stop()
        for one in self._threads:
            one.join()

    def _sample(self) -> None:
        while True:
            self._rates.sample(time.time(), self._simulation.totals(), len(self._simulation.connections()))
            if self._stopping.wait(INTERVAL_S):
                return
