"""A bridge: Modbus devices are polled, and their registers served as Logix tags; ``python -m cpppo.remote.bridge``.

Owns: from arguments to a bridge that is served, and back to an exit status.
Do not import this to embed a bridge: use ``cpppo.remote.bridge_devices``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from cpppo.errors import UsageError
from cpppo.remote.bridge_config import BridgeConfig, BridgeTag, read_bridge
from cpppo.remote.bridge_devices import Bridge
from cpppo.remote.ranges import spelled
from cpppo.server.command import (
    INTERRUPTED,
    add_verbosity,
    format_address,
    logging_to,
    parse_address,
    raise_descriptor_limit,
    refused,
    serve_until_interrupted,
)
from cpppo.server.ending import OK, ended
from cpppo.server.enip.options import ADDRESS
from cpppo.server.enip.plant_problems import Mistakes
from cpppo.server.enip.serve import MAXIMUM_SESSIONS, connections_for, serve

__all__ = ["main"]

_PROGRAM = "python -m cpppo.remote.bridge"

#: Descriptors beside those of clients and devices.
_OTHER_DESCRIPTORS = 64

_EXAMPLE = """\
example of a bridge file:
  [server]
  address = "127.0.0.1:44818"         # where clients of the tags connect; all interfaces if not said

  [devices.Boiler]
  host    = "10.0.111.123"            # Modbus/TCP; port = 502 if not said
  unit    = 1
  rate    = 0.5                       # seconds from poll to poll
  online  = "Boiler_Online"           # a BOOL: does it answer?

  [devices.Boiler.tags]
  Level   = "REAL @ 40001 CDAB"       # type @ address, and the order of octets: ABCD if not said
  Counts  = "DINT[4] @ 40011"         # 4 values of 2 registers each
  Alarm   = "BOOL @ 30001.3"          # bit 3 of an input register
  Pump    = "BOOL @ 1"                # a coil
  Outside = { type = "REAL", address = 30005, raw = "INT", scale = 0.1, offset = -40.0 }

  [devices.Meter]
  serial  = "/dev/ttyUSB0"            # Modbus/RTU; baudrate = 19200, parity = "E", stopbits = 1 if not said
  unit    = 7

  [devices.Meter.tags]
  Energy  = { type = "UDINT", address = 40101, access = "read-only", description = "kWh" }

then, in another terminal:
  python -m cpppo.remote.bridge --check bridge.toml    is the file right, and what does it say?
  python -m cpppo.remote.bridge bridge.toml
  enip_client 'Level' 'Counts[0-3]' 'Pump=(BOOL)1'

While a device does not answer, its tags have the CIP status 0x02, never old values.

exit status: 0 ended in order (Ctrl-C, SIGTERM), 1 could not serve, 2 wrong usage or a file with mistakes.
SIGHUP opens the --log file anew.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve a bridge until interrupted; the exit status."""
    parser = _parser()
    given = parser.parse_args(argv)
    try:
        config = read_bridge(given.file)
        address = config.address if given.address is None else parse_address(given.address, ADDRESS)
    except OSError as exc:
        return _failed(2, f"cannot read {given.file}: {exc.strerror}; name a bridge file that can be read")
    except Mistakes as exc:
        print(exc, file=sys.stderr)
        return _failed(2, f"{given.file} has {exc.count}; see above")
    except UsageError as exc:
        return _failed(2, exc)
    if given.check:
        return ended("bridge", lambda: _told(config, given.file))
    with ExitStack() as stack:
        try:
            reopen = stack.enter_context(logging_to(given.log, given.verbose))
        except OSError as exc:
            return _failed(1, f"cannot write {exc.filename}: {exc.strerror}; name a file that can be written")
        try:
            return _serve(config, address, reopen, last=argv is None)
        except KeyboardInterrupt:  # before it served
            return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="Poll Modbus devices and serve their registers as tags of a controller, until Ctrl-C ends it.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", metavar="FILE", help="a bridge file (TOML): devices, and which registers are which tags"
    )
    parser.add_argument(
        "-a",
        "--address",
        help="[interface][:port] to serve on, instead of what the file says (port 0: any free one)",
    )
    parser.add_argument("--check", action="store_true", help="tell what is in the file, or wrong with it, and end")
    parser.add_argument("-l", "--log", metavar="FILE", help="log to a file; at 10 MB a new one is begun, 5 are kept")
    add_verbosity(parser)
    return parser


def _serve(config: BridgeConfig, address: tuple[str, int], reopen: Callable[[], None] | None, last: bool) -> int:
    try:
        bridge = Bridge(config)
    except ImportError as exc:
        return _failed(1, exc)
    raise_descriptor_limit(connections_for(MAXIMUM_SESSIONS) + len(config.devices) + _OTHER_DESCRIPTORS)
    with ExitStack() as stack:
        stack.callback(bridge.stop)
        try:
            server = serve(bridge.device, address, tick=None if reopen is None else _Reopening(reopen))
        except (OSError, UnicodeError) as exc:
            return _failed(1, refused(exc, address, ADDRESS[1]))

        def started() -> None:
            print(f"bridge: {_summary(config)} on {format_address(server.address)}; Ctrl-C ends it", file=sys.stderr)
            for one in config.devices:
                tags = len(one.tags) + (one.online is not None)
                print(f"bridge: {one.name} at {one.where}, every {one.rate:g} s: {_tags(tags)}", file=sys.stderr)
            sys.stderr.flush()
            bridge.start()  # now, so that what is heard of devices comes after these lines

        serve_until_interrupted(server, started, last)
    return 0


def _told(config: BridgeConfig, file: str) -> int:
    """What is in the file."""
    print("\n".join(_table(config)))
    print(f"{file}: {_summary(config)}: all right")
    return OK


class _Reopening:
    """Looks, every second, whether the log file is to be opened anew."""

    def __init__(self, reopen: Callable[[], None]) -> None:
        self._reopen = reopen

    def __call__(self) -> float:
        self._reopen()
        return 1.0


def _failed(code: int, reason: object) -> int:
    print(f"bridge: {reason}", file=sys.stderr)
    return code


def _tags(count: int) -> str:
    return f"{count} tag{'' if count == 1 else 's'}"


def _summary(config: BridgeConfig) -> str:
    count = len(config.devices)
    return f"{_tags(config.tags)} of {count} device{'' if count == 1 else 's'}"


def _table(config: BridgeConfig) -> Iterator[str]:
    """What there is, for people."""
    for one in config.devices:
        yield f"{one.name} at {one.where}, every {one.rate:g} s"
        rows = [*map(_row, one.tags), *([(one.online, "BOOL", "whether it answers")] if one.online else [])]
        widths = [max((len(row[at]) for row in rows), default=0) for at in (0, 1)]
        for name, kind, said in rows:
            yield f"  {name:{widths[0]}}  {kind:{widths[1]}}  {said}"


def _row(tag: BridgeTag) -> tuple[str, str, str]:
    point = tag.point
    addresses = point.addresses(0, point.size)
    said = [spelled(addresses[0], len(addresses)) + ("" if point.bit is None else f".{point.bit}"), point.order]
    if point.raw and (point.raw != point.type or point.scaled):
        said.append(f"as {point.raw}")
    if point.scaled:
        said.append(f"* {float(point.scale):g}" + (f" {float(point.offset):+g}" if point.offset else ""))
    said.append("read-only" if tag.read_only else "")
    kind = point.type if point.count is None else f"{point.type}[{point.count}]"
    return tag.name, kind, " ".join(one for one in said if one)


if __name__ == "__main__":
    sys.exit(main())
