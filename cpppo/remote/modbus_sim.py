"""modbus_sim: a simulated Modbus device, on Modbus/TCP or a serial line; ``python -m cpppo.remote.modbus_sim``.

Owns: from arguments to a simulator that serves, and back to an exit status.  Rule: the first line on standard output
says where it serves, once it does.  Programs use ``simulator(...)``, which is importable from here, too.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from cpppo.errors import UsageError
from cpppo.remote.cells import Device
from cpppo.remote.modbus_sim_config import ConfigError, SimConfig, read_config
from cpppo.remote.serial_address import serial_address, serial_trouble
from cpppo.remote.simulator import Simulator, devices_of, parse_values, simulator
from cpppo.server.command import INTERRUPTED, add_verbosity, logging_to, parse_address, refused, serve_until_interrupted

__all__ = ["Simulator", "main", "simulator"]

log = logging.getLogger("cpppo.remote.sim")

#: Where it serves unless told otherwise.
ADDRESS = ("0.0.0.0", 502)

_EPILOG = """
A range is FIRST[-LAST][=VALUE[,VALUE...]]: values are repeated until it is full, and are 0 if none are given;
several for a single address go on from there. A value can also be a signal:
  ramp:LOW,HIGH,PERIOD             rises from LOW to HIGH in PERIOD (500ms, 10s, 1min), and begins anew
  sine:LOW,HIGH,PERIOD             a wave between both
  random:LOW,HIGH[,PERIOD[,SEED]]  another value every PERIOD (1s); the same ones with the same SEED
  counter[:LOW,HIGH,PERIOD]        one more every PERIOD (1s)
Addresses: coils 1-9999, discrete inputs 10001-19999 or 100001-165536, input registers 30001-39999 or
300001-365536, holding registers 40001-99999 or 400001-465536. What is not named is refused with exception 2.

examples:
  modbus_sim -a :1502 40001-40100=99                100 holding registers, on port 1502 of all interfaces
  modbus_sim -a localhost:1502 1-16=0,1 40001=ramp:0,100,10s '40010 = 5,6,7'
  modbus_sim -a localhost:1502 -r 10 40001-40100    port 1502, or the next free one of ten
  modbus_sim -a localhost:1502 -e delay:0.5-2 40001 each reply is half a second to two seconds late
  modbus_sim -a /dev/ttyS1 -c '{"baudrate":19200,"slaves":[1]}' 40001-40100=99      Modbus/RTU, unit 1
  modbus_sim --config plant.toml                    all of this in a file, and each unit with values of its own:
      address = ":1502"
      [values]
      40001-40100 = 99
      [units.2]
      40101 = "sine:0,1000,1min"

-v tells who connects and goes, what they write and what is refused them; -vv also what they read.

exit status: 0 ended in order, by Ctrl-C or SIGTERM; 1 could not serve, or an unknown evil; 2 wrong usage.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="modbus_sim",
        description="Simulate a Modbus device: serve coils, inputs and registers on Modbus/TCP or a serial line.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ranges", nargs="*", metavar="RANGE", help="what there is, eg. 40001-40100=99")
    parser.add_argument(
        "-a",
        "--address",
        metavar="ADDRESS",
        help="[interface][:port] to serve on (default 0.0.0.0:502; port 0: any free one), or a serial device, eg. "
        "/dev/ttyS1 (4800 baud 8N1 unless --config says otherwise)",
    )
    parser.add_argument(
        "-r", "--range", type=int, metavar="N", help="try as many ports, from that of --address on (default 1)"
    )
    parser.add_argument(
        "-e",
        "--evil",
        metavar="EVIL",
        help="spoil replies: truncate, delay[:seconds[-seconds]] (default 5), "
        "corrupt[:transaction|protocol|unit|function|registers]; on a serial line there is no transaction and no "
        "protocol, but a checksum",
    )
    parser.add_argument(
        "-c",
        "--config",
        metavar="CONFIG",
        help="""options as JSON, eg. '{"baudrate":19200,"slaves":[1]}' (also bytesize, parity, stopbits; slaves: the """
        "units that answer, else all), or a TOML file; what begins with { is JSON",
    )
    parser.add_argument(
        "-l", "--log", metavar="FILE", help="log to a file, kept below 10 MB, instead of standard error"
    )
    add_verbosity(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Serve what the arguments say until Ctrl-C or SIGTERM; the exit status."""
    parser = _parser()
    given = parser.parse_intermixed_args(argv)
    try:
        config = _configuration(given)
        address = _address(config)
        devices = devices_of(config.values, config.units)
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        parser.error(f"the configuration has {exc.count} mistake{'' if exc.count == 1 else 's'}; see above")
    except UsageError as exc:
        parser.error(str(exc))
    except OSError as exc:
        parser.error(
            f"cannot read {exc.filename}: {exc.strerror}; name a TOML file, or write JSON, which begins with {{"
        )
    try:
        with logging_to(given.log, given.verbose):
            if not given.verbose:  # what goes wrong we tell ourselves
                logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
            return _serve(config, address, devices, last=argv is None)
    except OSError as exc:
        where = exc.filename or "to standard output"
        print(f"modbus_sim: cannot write {where}: {exc.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before it served
        return INTERRUPTED


def _configuration(given: argparse.Namespace) -> SimConfig:
    """What --config says, and what the other options say instead or beside it."""
    config = SimConfig() if given.config is None else read_config(given.config)
    config.address = given.address or config.address
    config.evil = given.evil or config.evil
    config.ports = given.range if given.range is not None else config.ports or 1
    config.values += [parse_values(text) for text in given.ranges]
    if not 1 <= config.ports <= 65535:
        raise UsageError(f"--range {config.ports}: it is a number of ports, 1 to 65535")
    if not config.values and not any((config.units or {}).values()):
        raise UsageError("nothing to serve: name a range, eg. 40001-40100=99; --help tells more")
    return config


def _address(config: SimConfig) -> tuple[str, int] | str:
    """(host, port), or a serial device."""
    if config.address is not None and serial_address(config.address, urls=False):
        return config.address
    if config.serial:
        raise UsageError(
            f"{', '.join(config.serial)}: only a serial line has these; name one, eg. --address /dev/ttyS1"
        )
    return ADDRESS if config.address is None else parse_address(config.address, ("", ADDRESS[1]))


def _serve(config: SimConfig, address: tuple[str, int] | str, devices: Device | dict[int, Device], last: bool) -> int:
    """Serve until the end; the exit status."""
    rtu = isinstance(address, str)
    tried = [address] if isinstance(address, str) else _ports(*address, config.ports or 1)
    for one in tried:
        try:
            sim = Simulator(address=one, devices=devices, evil=config.evil, **(config.serial if rtu else {}))
            sim.start()
            break
        except (UsageError, ImportError) as exc:  # of the evil, or without pymodbus
            log.error("%s", exc)
            return 1
        except (OSError, UnicodeError) as exc:
            failure: Exception = exc
    else:
        if isinstance(address, str):
            log.error("Failed to start PLC simulator on %s: %s", address, serial_trouble(failure))
        else:
            spelled, why = _spelled(*address), refused(failure, address, 1502)
            log.error("Failed to start PLC simulator on %s, over a range of %d ports: %s", spelled, len(tried), why)
        return 1
    where = address if isinstance(address, str) else _spelled(address[0], sim.address[1])
    kind = "RTU" if rtu else "TCP"
    said = f"Success; Started Modbus/{kind} Simulator; PID = {os.getpid()}; address = {where}"
    serve_until_interrupted(sim, lambda: print(said, flush=True), last)
    return 0


def _ports(host: str, port: int, count: int) -> list[tuple[str, int]]:
    return [(host, one) for one in range(port, min(port + count, 0x10000))]


def _spelled(host: str, port: int) -> str:
    """An address with its host as it was given."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
