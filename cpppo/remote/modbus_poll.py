"""modbus_poll: poll a Modbus device and tell what changes; equals ``python -m cpppo.remote.modbus_poll``.

Owns: its options, and which of the forms of `modbus_poll_shown` they ask for.  Rule: prints, never decides.
Do not import this to poll a device: use ``cpppo.remote.plc_modbus`` or ``cpppo.remote.aio``.
"""

from __future__ import annotations

import argparse
import json
import logging
import queue
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from cpppo.errors import Error, UsageError
from cpppo.logs import start_logging
from cpppo.remote import modbus_poll_shown as shown
from cpppo.remote.modbus_poll_table import Screen
from cpppo.remote.ranges import parse_range
from cpppo.remote.serial_address import serial_address
from cpppo.remote.transacting import TIMEOUT_S
from cpppo.server.command import add_verbosity, format_address, parse_address, serve_until_interrupted
from cpppo.server.ending import FAILED, OK, Unreachable, count, ended, logged, recording_to, seconds
from cpppo.timing import timer

if TYPE_CHECKING:
    from cpppo.remote.plc_modbus import poller_modbus

__all__ = ["main"]

#: Where a device is, unless told otherwise.
ADDRESS = ("localhost", 502)
#: Polls of --once at most: each learns more of what a device refuses.
_ONCE = 10000
#: Polls that wait to be shown, at most; more delay the next poll.  Seconds between two looks at signals and ages.
_WAITING, _LOOK_S = 1000, 1.0

_EPILOG = """
A range is FIRST[-LAST]: coils 1-9999, discrete inputs 10001-19999 or 100001-165536, input registers 30001-39999 or
300001-365536, holding registers 40001-99999 or 400001-465536. 40001 is the register at protocol address 0.

A line is logged for each value that is another than at the poll before, None if there is none any more:
  11-29 00:24:06.123 ... WARNING ... 40001 ==   123 (was: None)
With --json it is an object on standard output: time (seconds since the epoch), address, value, was, and, where a
value was lost, error. --once prints all values, '40001 ==   123', and ends.

A request that the device refuses is cut in parts until it is known what of it is refused; that is tried again after
a minute, and then more and more seldom. -v tells which requests are made, and what failed. "Exception Response(131, 3,
IllegalAddress)" is a refusal: the function with its highest bit set, the function, and the exception (here: 2) by name.

examples:
  modbus_poll 40001-40010                                    the device on this machine, every second
  modbus_poll -a 10.0.111.123 -r 20 -R .5 30001-30003 40001 40012   two requests, every half a second
  modbus_poll -a :1502 --once --json 40001-40100             for a script: all values, once
  modbus_poll -a :1502 --table 40001-40020                   see them live
  modbus_poll -a :1502 --record plant.hst 40001-40100        keep them, to be played back
  modbus_poll -a /dev/ttyS0 --baudrate 19200 --unit 3 1-16   Modbus/RTU, over a serial line
  modbus_sim -a :1502 40001-40100=99                         a device to try this with

exit status: 0 all addresses have a value (without --once: had one until Ctrl-C or SIGTERM), 1 some had none, 2 wrong
usage, 3 the device did not answer at all.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="modbus_poll",
        description="Poll coils, inputs and registers of a Modbus device, and tell what changes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ranges", nargs="+", metavar="RANGE", help="what to poll, eg. 40001 or 40001-40010")
    device = parser.add_argument_group("the device")
    device.add_argument(
        "-a",
        "--address",
        default=format_address(ADDRESS),
        metavar="ADDRESS",
        help="[host][:port] (default %(default)s), or a serial device, eg. /dev/ttyS0 (4800 baud 8N1 unless told "
        "otherwise), or RTU over TCP, eg. socket://10.0.111.123:4001",
    )
    device.add_argument("--unit", type=int, metavar="N", help="the unit's number, 0 to 255 (default 1)")
    device.add_argument(
        "--timeout",
        type=seconds,
        default=TIMEOUT_S,
        metavar="S",
        help="seconds that a request may take as a whole (default %(default)s)",
    )
    device.add_argument("--baudrate", type=count, metavar="N", help="of a serial device (default 4800)")
    device.add_argument(
        "-c",
        "--config",
        metavar="JSON",
        help="""of a serial device, as modbus_sim has it, eg. '{"baudrate":19200,"parity":"E","slaves":[1]}' (also """
        "bytesize, stopbits)",
    )
    pace = parser.add_argument_group("requests")
    pace.add_argument(
        "-r",
        "--reach",
        type=count,
        default=1,
        metavar="N",
        help="addresses so far apart are read in one request, what is between them, too (default 1: neighbours)",
    )
    pace.add_argument(
        "-R", "--rate", type=seconds, default=1.0, metavar="S", help="seconds from poll to poll (default 1.0)"
    )
    pace.add_argument("--once", action="store_true", help="poll all once, print what there is, and end")
    output = parser.add_argument_group("output", "without these: a line of the log for each change")
    forms = output.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="print an object a line for each change, or value")
    forms.add_argument(
        "--table", action="store_true", help="show all in a table that is rewritten in place; NO_COLOR: without colours"
    )
    output.add_argument("--record", metavar="FILE", help="append the changes of each poll to a history file")
    output.add_argument(
        "-l", "--log", metavar="FILE", help="log to a file, kept below 10 MB, instead of standard error"
    )
    add_verbosity(output)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Poll what the arguments say; the exit status.

    :param argv: the arguments, by default those of the process.
    """
    given = _parser().parse_intermixed_args(argv)
    return ended("modbus_poll", lambda: _run(given, last=argv is None))


def _run(given: argparse.Namespace, last: bool) -> int:
    if given.table and given.once:
        raise UsageError("--table shows changes as they come, and --once ends before there are any; leave one away")
    if given.table and not sys.stdout.isatty():
        raise UsageError("--table needs a terminal; for a file or a program use --json")
    addresses = _addresses(given.ranges)
    with ExitStack() as stack:
        latest = stack.enter_context(_latest(given)) if given.table and not given.log else shown.Latest()
        chore = stack.enter_context(logged(given.log, given.verbose)) if given.log or not given.table else lambda: None
        if given.once and not given.verbose:
            stack.enter_context(_quiet())
        plc = _poller(given)
        stack.callback(plc.client.close)
        stack.callback(plc.stop)
        for address in addresses:
            plc.poll(address)
        shows = [shown.told_plan(plc)]
        if given.record:
            shows.append(shown.to_history(plc, stack.enter_context(recording_to(given.record))))
        if given.json and not given.once:
            shows.append(shown.to_json(plc, sys.stdout))
        if given.table:
            screen = Screen(sys.stdout)
            stack.callback(screen.close)
            shows.append(shown.in_table(plc, addresses, screen, latest))
        if not (given.json or given.once) and (given.log or not given.table):
            shows.append(shown.to_log)
        if given.once:
            return _once(given, _Watch(plc, shows, chore), addresses)
        if given.json or not given.log:
            shows.append(shown.while_read(sys.stdout if given.json or given.table else sys.stderr))
        watch = _Watch(plc, shows, chore)
        serve_until_interrupted(watch, lambda: None, last)
        return _verdict(given, watch, [address for address in addresses if address not in watch.seen])


def _addresses(texts: Iterable[str]) -> list[int]:
    """Each address of the ranges once, in order; several ranges in a text are told apart by blanks or commas."""
    ranges = [part for text in texts for part in re.sub(r"\s*-\s*", "-", text).replace(",", " ").split() or [text]]
    return sorted({address for first, many in map(parse_range, ranges) for address in range(first, first + many)})


# ------------------------------------------------------------------ the device
def _poller(given: argparse.Namespace) -> poller_modbus:
    try:
        from cpppo.remote import plc_modbus, pymodbus_fixes
    except ImportError as exc:
        raise Error(str(exc)) from exc
    unit = given.unit
    if unit is not None and not 0 <= unit <= 255:
        raise UsageError(f"a unit is 0 to 255, not {unit}")
    client: Any  # pymodbus_fixes is imported here alone
    if serial_address(given.address):
        line, named = _line(given)
        unit = named if unit is None else unit
        client = pymodbus_fixes.modbus_client_rtu(port=given.address, timeout=given.timeout, **line)
        name = given.address
    else:
        for option in ("config", "baudrate"):
            if getattr(given, option) is not None:
                raise UsageError(f"--{option} is of a serial device; name one with --address, eg. -a /dev/ttyS0")
        host, port = parse_address(given.address, ADDRESS)
        if not port:
            raise UsageError(f"address {given.address!r}: no device is at port 0; eg. {host}:{ADDRESS[1]}")
        client = pymodbus_fixes.modbus_client_tcp(host, port, timeout=given.timeout)
        name = format_address((host, port))
    return plc_modbus.poller_modbus(name, client, reach=given.reach, unit=unit, rate=given.rate, start=False)


def _line(given: argparse.Namespace) -> tuple[dict[str, Any], int | None]:
    """The settings of a serial line, those of the simulator unless told otherwise, and the unit that they name."""
    from cpppo.remote.modbus_sim_config import parse_options  # slow to import, and seldom wanted
    from cpppo.remote.simulator import SERIAL

    told = parse_options("{}" if given.config is None else given.config)
    units = list(told.units or ())
    if len(units) > 1:
        raise UsageError(f"--config: slaves: {units} are several; name the one to poll, eg. [{units[0]}]")
    baudrate = {} if given.baudrate is None else {"baudrate": given.baudrate}
    return {**SERIAL, **told.serial, **baudrate}, units[0] if units else None


# ------------------------------------------------------------------ polls, shown
class _Watch:
    """Takes what polls brought from the poller's thread to the main one, which shows it; see cpppo.server.command."""

    def __init__(self, plc: poller_modbus, shows: Sequence[shown.Shows], chore: Callable[[], None]) -> None:
        self.plc, self._shows, self._chore = plc, shows, chore
        self._polls: queue.Queue[shown.Poll] = queue.Queue(_WAITING)
        self._changes: list[tuple[int, Any, Any]] = []
        self._over = threading.Event()
        #: Addresses that had a value; whether the device answered, ever.
        self.seen: set[int] = set()
        self.answered = False
        plc.on_change(lambda *change: self._changes.append(change))
        plc.on_poll(self._polled)

    def _polled(self) -> None:
        poll, self._changes = shown.Poll(timer(), self._changes), []
        while not self._over.is_set():
            try:
                self._polls.put(poll, timeout=_LOOK_S)
                return
            except queue.Full:  # whoever reads our output is slow: the device waits, nothing is lost
                continue

    def show(self, poll: shown.Poll) -> None:
        """Show a poll."""
        self.answered = self.answered or self.plc.online
        self.seen.update(address for address, _, new in poll.changes if new is not None)
        for show in self._shows:
            show(poll)
        self._chore()

    def serve(self) -> None:
        """Poll and show; until `stop`, or a signal."""
        self.plc.start()
        while not self._over.is_set():
            try:
                poll = self._polls.get(timeout=_LOOK_S)
            except queue.Empty:
                poll = shown.Poll(timer(), ())
            self.show(poll)

    def stop(self) -> None:
        """End it, at once, whatever the device does."""
        self._over.set()
        self.plc.stop(0)
        self.plc.client.abort()
        self.plc.stop()

    def polled_once(self) -> None:
        """Poll, and show that."""
        self.plc.poll_once()
        self.show(self._polls.get())


def _once(given: argparse.Namespace, watch: _Watch, addresses: Sequence[int]) -> int:
    """Poll until all is read, or known to be refused, and print it."""
    plc = watch.plc
    for _ in range(_ONCE):
        before = plc.polling, plc.refused
        watch.polled_once()
        if not plc.online or (plc.polling, plc.refused) == before:
            break
    missing = []
    for address, value in zip(addresses, plc.values(addresses), strict=True):
        plain: dict[str, Any] = {"time": round(timer(), 3), "address": address, "value": value}
        if value is None:
            missing.append(address)
            plain["error"] = plc.counts(address).last
        if given.json:
            print(json.dumps(plain), flush=True)
        elif value is not None:
            print(f"{address:5d} == {value!s:>5}", flush=True)
    return _verdict(given, watch, missing)


def _verdict(given: argparse.Namespace, watch: _Watch, missing: Sequence[int]) -> int:
    """The exit status, and why it is not 0."""
    if not missing:
        return OK
    told = shown.failures(watch.plc, missing)
    if not watch.answered:
        why = told[0][1].removeprefix(f"{watch.plc}: ")
        raise Unreachable(f"{watch.plc} does not answer: {why}; {_remedy(given, watch.plc)}")
    for ranges, why in told:
        print(f"modbus_poll: {ranges}: {why}", file=sys.stderr)
    return FAILED


def _remedy(given: argparse.Namespace, plc: poller_modbus) -> str:
    """What to look at where nothing answers."""
    if not serial_address(given.address):
        return "is a device there? To simulate one: modbus_sim -a :1502 40001-40100=99"
    line = _line(given)[0]
    settings = f", at {line['baudrate']} baud {line['bytesize']}{line['parity']}{line['stopbits']}"
    return f"is it unit {plc.unit}{'' if '://' in given.address else settings}?"


@contextmanager
def _quiet() -> Iterator[None]:
    """No word of online and offline, of which --once tells the one that matters."""
    transitions = logging.getLogger("cpppo.remote.polling")
    before = transitions.level
    transitions.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        transitions.setLevel(before)


@contextmanager
def _latest(given: argparse.Namespace) -> Iterator[shown.Latest]:
    """The log's latest line, instead of standard error: there the table is."""
    latest = shown.Latest()
    start_logging(given.verbose, latest)
    try:
        yield latest
    finally:
        logging.root.removeHandler(latest)


if __name__ == "__main__":
    sys.exit(main())
