"""The client for threads: connector, and its operations one by one or pipelined.

Owns: what callers use, and how many requests are in flight.
Rule: what is sent and what a reply means is decided in exchange, operations and transfers; link.py has the socket.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from time import monotonic
from types import TracebackType
from typing import Any

from cpppo.errors import Error, Timeout
from cpppo.server.enip.client import report
from cpppo.server.enip.client.exchange import Exchange, Pending, Result, Route
from cpppo.server.enip.client.link import Link
from cpppo.server.enip.client.operations import Operation, prepare
from cpppo.server.enip.client.rehearsed import Run, run_of
from cpppo.server.enip.client.requests import operation_of, packet
from cpppo.server.enip.wire.header import PORT

__all__ = ["MAXIMUM_DEPTH", "await_response", "connector", "controller"]

log = logging.getLogger("enip.cli")

#: Requests in flight at most; more would fill the buffers of the network with neither side reading.
MAXIMUM_DEPTH = 256


class connector(Link):
    """A session with a controller.  ``with connection:`` keeps it for one thread; it stays open after that.

    :param host: name or IP address, IPv6 too.
    :param port: 44818 if None.
    :param timeout: seconds that connecting and every reply may take; None: no limit.
    :param route_path: route of the requests, [{"port": 1, "link": 0}] if None; [] sends them bare.
    :param send_path: the object that routes them, [{"class": 6}, {"instance": 1}] if None.
    :param connected: send them over a connection, opened for 4000 octets, or 500 if the peer refuses so many; those
        with a route or a context of their own, and those of ``unconnected_send``, go unconnected nevertheless.

    Raises OSError if there is no connection to be had, Timeout and RemoteProtocolError if there is no session,
    StatusError if a connection is refused.  Once a connection failed, every use of it raises LocalProtocolError.
    """

    def __init__(
        self,
        host: str,
        port: int | None = None,
        timeout: float | None = None,
        *,
        route_path: Route = None,
        send_path: Route = None,
        connected: bool = False,
    ) -> None:
        self._sent: deque[Pending] = deque()
        self._collected: deque[Result] = deque()
        super().__init__(Exchange(route_path, send_path), host, PORT if port is None else port, timeout, connected)

    @property
    def session(self) -> int:
        """The session handle."""
        return self.exchange.session

    def __enter__(self) -> connector:
        self._lock.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, where: TracebackType | None
    ) -> None:
        self._lock.release()

    # -- one request at a time, built or sent; await_response gives its result

    def read(self, path: Any, elements: int | None = None, offset: int | None = 0, **kwds: Any) -> Any:
        """Read ``elements`` (1 if None) elements of a tag; ``offset`` None: by Read Tag, else Read Tag Fragmented.

        As of all requests the record is returned; keywords: ``route_path``, ``send_path``, ``send`` (False: only
        build it), ``sender_context`` (up to 8 octets instead of those made here), ``timeout`` (for sending).
        """
        return self._request({"method": "read", "path": path, "elements": elements, "offset": offset}, **kwds)

    def write(
        self,
        path: Any,
        data: Sequence[Any],
        elements: int | None = None,
        offset: int | None = 0,
        tag_type: int | None = None,
        **kwds: Any,
    ) -> Any:
        """Write values of ``tag_type`` (a code; REAL if there is a float, else INT, if None); see ``read``."""
        operation = {"method": "write", "path": path, "data": data, "elements": elements, "offset": offset}
        return self._request({**operation, "tag_type": tag_type}, **kwds)

    def get_attribute_single(self, path: Any, **kwds: Any) -> Any:
        """Get one attribute, eg. ``@1/1/7``, as octets; see ``read``."""
        return self._request({"method": "get_attribute_single", "path": path}, **kwds)

    def get_attributes_all(self, path: Any, **kwds: Any) -> Any:
        """Get all attributes of an object, eg. ``@1/1``, as octets; see ``read``."""
        return self._request({"method": "get_attributes_all", "path": path}, **kwds)

    def set_attribute_single(self, path: Any, data: Sequence[Any], tag_type: int | None = None, **kwds: Any) -> Any:
        """Set one attribute to values of ``tag_type``, octets if None; see ``read``."""
        operation = {"method": "set_attribute_single", "path": path, "data": data, "tag_type": tag_type}
        return self._request(operation, **kwds)

    def multiple(self, request: Iterable[Any], **kwds: Any) -> Any:
        """Send requests in one Multiple Service Packet (one alone without it); ``collect`` gives each its result.

        :param request: what ``read(..., send=False)`` and the like gave, or operations as for ``synchronous``.
        """
        operations = [operation_of(one) for one in request]
        self._ask(operations, **kwds)
        return packet(operations)

    def unconnected_send(self, request: Any, **kwds: Any) -> Any:
        """Send one request that ``read(..., send=False)`` and the like gave, or one operation; see ``read``."""
        operation = operation_of(request)
        self._ask([operation], unconnected=True, **kwds)
        return operation.asked()

    def _request(self, operation: Mapping[str, Any], **kwds: Any) -> Any:
        prepared = prepare(operation)
        self._ask([prepared], **kwds)
        return prepared.asked()

    def _ask(
        self,
        operations: Sequence[Operation],
        *,
        route_path: Route = None,
        send_path: Route = None,
        timeout: float | None = None,
        send: bool = True,
        sender_context: bytes = b"",
        unconnected: bool = False,
    ) -> None:
        if send:
            with self._lock:
                pending, octets = self.exchange.issue(operations, 0, sender_context, route_path, send_path, unconnected)
                self._allow(self._time(timeout))
                self._send(octets)
                self._sent.append(pending)

    def collect(self, timeout: float | None = None) -> Result | None:
        """The result of the oldest low-level request not collected yet, None if there is none; Timeout if late.

        Of several that were sent in one packet each has a result of its own.
        """
        with self._lock:
            if not self._collected and self._sent:
                self._collected.extend(self._wait(self._sent.popleft(), self._time(timeout)))
            return self._collected.popleft() if self._collected else None

    # -- many operations

    def synchronous(
        self,
        operations: Iterable[Mapping[str, Any] | Operation],
        index: int = 0,
        fragment: bool = False,
        multiple: int = 0,
        timeout: float | None = None,
    ) -> Iterator[Result]:
        """The result of each operation; the next request is sent when the results of the last were taken.

        A tag larger than a packet takes several requests, each with a number, but gives one result, under the first of
        them.  An operation with an offset is one fragment: status 0x06 comes with a part of its data.

        :param operations: dictionaries: ``path``; if need be ``method elements offset tag_type data``.
        :param index: number of the first request.
        :param fragment: use the Fragmented services for all tags; else only for those that need them.
        :param multiple: pack operations into Multiple Service Packets of up to so many octets; 0: do not.
        :param timeout: seconds each reply may take; the connector's if None.
        """
        run = run_of(self.exchange, operations, multiple=multiple, index=index, fragment=fragment, overlap=False)
        return self.carry_out(run, 1, timeout)

    def pipeline(
        self,
        operations: Iterable[Mapping[str, Any] | Operation],
        index: int = 0,
        fragment: bool = False,
        multiple: int = 0,
        depth: int = 1,
        timeout: float | None = None,
    ) -> Iterator[Result]:
        """As ``synchronous``, with up to ``depth`` requests in flight; results come in the order asked."""
        most = max(1, min(depth, MAXIMUM_DEPTH))
        run = run_of(self.exchange, operations, multiple=multiple, index=index, fragment=fragment, overlap=most > 1)
        return self.carry_out(run, most, timeout)

    def carry_out(self, run: Run, most: int, timeout: float | None) -> Iterator[Result]:
        """The results of a run (``rehearsed.run_of``), with up to ``most`` of its requests in flight."""
        allowed = self._time(timeout)
        if most == 1 or run.alone:
            return self._one_by_one(run, allowed)
        return self._overlapping(run, most, allowed)

    def _one_by_one(self, run: Run, allowed: float | None) -> Iterator[Result]:
        while run.ready():
            with self._lock:
                issued = run.issue()
                if issued is None:
                    continue
                pending, octets = issued
                self._allow(allowed)
                self._send(octets)
                self._wait(pending, allowed)
            yield from run.take(pending)
        self._raise(run.error)

    def _raise(self, error: Error | None) -> None:
        if self.exchange.failure is not None:
            self._socket.close()
        if error is not None:
            raise error

    def _overlapping(self, run: Run, most: int, allowed: float | None) -> Iterator[Result]:
        flying: deque[Pending] = deque()
        broken: Error | None = None
        try:
            while True:
                while len(flying) < most and broken is None and (not flying or self.exchange.failure is None):
                    if not run.ready():
                        break
                    try:
                        with self._lock:
                            issued = run.several(most - len(flying))
                            if issued:
                                self._allow(allowed)
                                self._send(issued[0][1] if len(issued) == 1 else b"".join([one[1] for one in issued]))
                                flying.extend([one[0] for one in issued])
                    except Error as exc:  # sending failed; what was answered before is given first
                        broken = exc
                if not flying:
                    break
                with self._lock:
                    if isinstance(broken, Timeout) and flying[0].results is None:
                        break  # nothing more can come once a frame was sent in part
                    self._wait(flying[0], allowed)
                yield from run.take(flying.popleft())
        finally:
            with self._lock:
                for one in flying:
                    self.exchange.abandon(one)
        self._raise(broken or run.error)

    def operate(
        self,
        operations: Iterable[Mapping[str, Any] | Operation],
        index: int = 0,
        fragment: bool = False,
        multiple: int = 0,
        depth: int = 0,
        timeout: float | None = None,
        validating: bool = False,
        printing: bool = False,
    ) -> Iterator[Result]:
        """``synchronous`` if ``depth`` is 0, else ``pipeline``; through ``validate`` if validating or printing."""
        if depth:
            results = self.pipeline(operations, index, fragment, multiple, depth, timeout)
        else:
            results = self.synchronous(operations, index, fragment, multiple, timeout)
        return self.validate(results, printing) if validating or printing else results

    def validate(self, results: Iterable[Result], printing: bool = False) -> Iterator[Result]:
        """The results, those of successful writes with the values written; logs failures, prints all if asked."""
        for result in results:
            if report.failed(result):
                log.warning("Client %s", report.format_failure(result))
            elif result.val is True:
                result = result._replace(val=report.written(result.req))
            if printing:
                print(report.format_result(result), flush=True)
            yield result

    def results(
        self,
        operations: Iterable[Mapping[str, Any] | Operation],
        depth: int = 0,
        multiple: int = 0,
        fragment: bool = False,
        printing: bool = False,
        timeout: float | None = None,
    ) -> Iterator[Any]:
        """The values alone: a list, True for a write (printing: the values written), None for what was refused."""
        for result in self.operate(operations, 0, fragment, multiple, depth, timeout, False, printing):
            yield result.val

    def process(
        self,
        operations: Iterable[Mapping[str, Any] | Operation],
        depth: int = 0,
        multiple: int = 0,
        fragment: bool = False,
        printing: bool = False,
        timeout: float | None = None,
    ) -> tuple[int, list[Any]]:
        """(number of failures, values); see ``results``."""
        values = list(self.results(operations, depth, multiple, fragment, printing, timeout))
        return sum(value is None for value in values), values

    def _time(self, timeout: float | None) -> float | None:
        return self.timeout if timeout is None else timeout


#: The same, by its other name.
controller = connector


def await_response(connection: connector, timeout: float | None = None) -> tuple[Result | None, float]:
    """(result of the oldest low-level request, seconds waited); None in place of a result that did not come in time."""
    started = monotonic()
    try:
        result = connection.collect(timeout)
    except Timeout:
        result = None
    return result, monotonic() - started
