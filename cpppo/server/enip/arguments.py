"""The options of enip_server: their texts, their values, and what is wrong with them.

Owns: the command line as a parser and as `Settings`.
Rule: an option that cannot be understood raises UsageError, saying what to write instead.
Must not know tags or sockets.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from cpppo.errors import UsageError
from cpppo.server.command import add_verbosity, parse_address
from cpppo.server.delay import Delay
from cpppo.server.enip.device import DEFAULT_PROFILE, PROFILES
from cpppo.server.enip.options import ADDRESS
from cpppo.server.enip.serve import MAXIMUM_SESSIONS
from cpppo.server.enip.web.running import WebSettings
from cpppo.server.enip.wire.header import MAXIMUM_LENGTH

__all__ = ["Settings", "parse_arguments"]

#: Octets of the smallest request there must be room for, RegisterSession; and connections beyond any machine's means.
_SMALLEST, _CONNECTIONS = 4, 100_000

#: The longest idle time-out, in seconds: a year.
_IDLE_S = 366 * 86400

#: Where the web interface is unless it is said, and what a token is made of.
_LOOPBACK, _WEB_PORT = "127.0.0.1", 80
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{8,200}")
#: How many times faster than recorded tags are driven at most.
_FACTOR = 1_000_000

_EXAMPLES = """\
examples:
  enip_server 'SCADA=INT[1000]'                a vector of 1000 INT, on all interfaces
  enip_server --print Level=REAL Pump=BOOL     two scalars; print what clients read and write
  enip_server -a localhost:0 'SCADA=dint[10]'  on a free port, which the first line names
  enip_server -a '[::1]' SCADA                 on IPv6, this machine alone
  enip_server -d 0.1-0.9 SCADA                 as slow as a plant at the end of a radio link
  enip_server -v -l plant.log SCADA            log tags and clients to plant.log
  enip_server 'Grid=DINT[2,3]' Level=REAL=12.5 'Ramp=INT[4]=1,2,3,4' "Name=STRING='unit 7'" 'Tag@0x93/1/10=DINT'
                                               two dimensions, initial values, text, a chosen address
  enip_server - < tags.txt                     tags from standard input, one a line
  enip_server --config plant.toml              structures, programs, descriptions: a whole controller
  enip_server --check --config plant.toml      is the file right?
  enip_server --play plant.hst --loop Level=REAL
                                               as it was when historize recorded it
  enip_server --identity 1756-L83E SCADA       pass for another controller
  enip_server --web :12345 SCADA               and a page to watch and steer it: http://localhost:12345/

then, in another terminal:
  enip_client 'SCADA[1]=99' 'SCADA[0-10]'

exit status: 0 ended in order (Ctrl-C, SIGTERM), 1 could not serve, 2 wrong usage.
SIGHUP opens the --log file anew.
"""


class Settings(NamedTuple):
    """What a command line asks for; ``tags`` as they were written; ``identity``: the name of a profile, if given."""

    tags: list[str]
    config: str | None
    check: bool
    identity: str | None
    address: tuple[str, int]
    web: WebSettings | None
    connections: int
    idle_s: float | None
    delay: Delay
    size: int
    strict: bool
    print: bool
    log: str | None
    profile: str | None
    verbose: int
    play: str | None
    factor: float
    loop: bool


def parse_arguments(argv: Sequence[str] | None) -> Settings:
    """The settings of a command line, by default that of the process; UsageError for values that cannot be.

    What argparse refuses, ``--help`` and ``--version`` end the program, as usual.
    """
    parser = _parser()
    given = parser.parse_args(argv)
    if not given.tags and given.config is None:
        parser.error("name at least one TAG, eg. SCADA=INT[1000], or a plant file, eg. --config plant.toml")
    if given.check and given.config is None:
        raise UsageError("--check: of what? Name the plant file, eg. --check --config plant.toml")
    if given.play is None and (given.loop or given.factor is not None):
        raise UsageError("--factor and --loop are of a recording; name it: --play FILE")
    idle_s = None
    if given.idle is not None:
        idle_s = _seconds("--idle", given.idle)
    address = parse_address(given.address, ADDRESS)
    return Settings(
        tags=given.tags,
        config=given.config,
        check=given.check,
        identity=given.identity,
        address=address,
        web=_web(given, address[0]),
        connections=_number("--connections", given.connections, 1, _CONNECTIONS),
        idle_s=idle_s,
        delay=Delay.parse(given.delay),
        size=MAXIMUM_LENGTH if given.size is None else _number("--size", given.size, _SMALLEST, MAXIMUM_LENGTH),
        strict=given.strict,
        print=given.print,
        log=given.log,
        profile=given.profile,
        verbose=given.verbose,
        play=given.play,
        factor=1.0 if given.factor is None else _factor(given.factor),
        loop=given.loop,
    )


def _web(given: argparse.Namespace, interface: str) -> WebSettings | None:
    """Where the web interface is, if one is asked for; without an interface of its own on that of the simulator."""
    if given.web is None:
        if given.web_readonly or given.web_token is not None:
            option = "--web-readonly" if given.web_readonly else "--web-token"
            raise UsageError(f"{option}: of what? Ask for a web interface, eg. --web :12345")
        return None
    token = given.web_token
    if token is not None and not _TOKEN.fullmatch(token):
        raise UsageError("--web-token: 8 to 200 letters, digits and -._~+/= make a token")
    text = given.web.strip()
    try:
        address = parse_address(text[1:] if re.match(r"\.(:|$)", text) else text, (interface or _LOOPBACK, _WEB_PORT))
    except UsageError as exc:
        raise UsageError(f"--web: {exc}") from None
    return WebSettings(address, given.web_readonly, token)


def _number(option: str, text: str, least: int, most: int) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 20 and least <= int(digits) <= most):
        raise UsageError(f"{option} {text[:60]!r} is not a number of {least} to {most}")
    return int(digits)


def _seconds(option: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _IDLE_S:
        raise UsageError(f"{option} {text[:60]!r} is not a number of seconds above 0, {_IDLE_S} at most; eg. 60")
    return seconds


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 < factor <= _FACTOR:
        raise UsageError(f"--factor {text[:60]!r} is not a number above 0, {_FACTOR} at most; eg. 10: ten times faster")
    return factor


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="enip_server",
        description="Simulate a Logix controller: serve tags over EtherNet/IP until ended by Ctrl-C.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "tags",
        nargs="*",
        metavar="TAG",
        help="name[@class/instance/attribute][=TYPE][[count[,count[,count]]]][=values], "
        "eg. SCADA=INT[1000]; - reads them from stdin; needed unless --config has some",
    )
    network = parser.add_argument_group("network")
    network.add_argument(
        "-a",
        "--address",
        default=":44818",
        help="[interface][:port] to serve on (default :44818; port 0: any free one; IPv6 as [::1]:44818)",
    )
    network.add_argument(
        "--connections",
        metavar="N",
        default=str(MAXIMUM_SESSIONS),
        help="sessions there can be at once (default %(default)s); a client beyond is told that there is no room",
    )
    network.add_argument(
        "--idle",
        metavar="SECONDS",
        help="end the connection of a client that sends no whole request for so long (default: never)",
    )
    web = parser.add_argument_group("web interface")
    web.add_argument(
        "-w",
        "--web",
        metavar="ADDRESS",
        help=f"serve a page, an API and metrics on [interface][:port] (. or :, port {_WEB_PORT} on the interface of "
        "--address, this host alone if that names none; port 0: any free one)",
    )
    web.add_argument("--web-readonly", action="store_true", help="nothing can be changed there")
    web.add_argument(
        "--web-token", metavar="TOKEN", help="refuse requests there without the header Authorization: Bearer TOKEN"
    )
    controller = parser.add_argument_group("controller")
    controller.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="a plant file (TOML): the controller, its types, tags and programs; tags named here are added",
    )
    controller.add_argument(
        "--check", action="store_true", help="tell what is wrong with the plant file and the tags, and end"
    )
    controller.add_argument(
        "--identity",
        metavar="PROFILE",
        help=f"pass for {', '.join(PROFILES)} (default {DEFAULT_PROFILE}, or as the plant file says)",
    )
    controller.add_argument(
        "-d",
        "--delay",
        metavar="SECONDS",
        default="0",
        help="delay every response, eg. 0.5; of a range, eg. 0.1-0.9, another delay is drawn each second",
    )
    controller.add_argument(
        "-s",
        "--size",
        metavar="OCTETS",
        help="refuse a request of more octets after its header (status 0x65), and end its session",
    )
    controller.add_argument(
        "--strict", action="store_true", help="refuse to write a narrower type into a tag, as a real controller does"
    )
    controller.add_argument(
        "--play", metavar="FILE", help="drive the tags from a recording of historize or enip_client --record"
    )
    controller.add_argument("--factor", metavar="N", help="play so many times faster (default 1)")
    controller.add_argument("--loop", action="store_true", help="play again from the beginning, for ever")
    output = parser.add_argument_group("output")
    output.add_argument("-p", "--print", action="store_true", help="print every read and write of a tag")
    output.add_argument("-l", "--log", metavar="FILE", help="log to a file; at 10 MB a new one is begun, 5 are kept")
    output.add_argument(
        "-P",
        "--profile",
        metavar="FILE",
        help="profile each connection: print the 50 most costly functions, add up all profiles in FILE",
    )
    add_verbosity(output)
    return parser
