"""The options of enip_client: their texts, and what its --help teaches.

Owns: the command line as a parser.  Rule: what argparse cannot refuse is refused where it is used.
Must not know sockets.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from cpppo.server.command import add_verbosity
from cpppo.server.enip.client.commands import STATUSES, count, seconds, size
from cpppo.server.enip.client.drafts import AUTO, CHOICES, PLAIN
from cpppo.server.enip.wire.header import PORT
from cpppo.server.enip.wire.strings import KINDS

__all__ = ["parse_arguments"]

_EXAMPLES = f"""\
tags:
  SCADA                    one element            SCADA=12                write what SCADA is (see --type)
  SCADA[3]                 element 3              SCADA[3]=(REAL)1.5      write a REAL, whatever it is
  SCADA[1-5]               elements 1 to 5        SCADA[1-2]=7,8          write two elements
  Motor.Speed, Grid[1,2]   members, dimensions    Name='unit 7'           write a STRING
  Word.3, Words[2].3       bits                   Word.3=1                write a bit
  SCADA[0-9]+4             from octet 4 on        SCADA[0-9]+4=5,6        write a part
  @2/1/3, "@0x04/5/{{'connection':100}}"            by number: class, instance, attribute, element
types: {", ".join(KINDS)}.
Quote what has brackets, parentheses or quotes: shells mean something else by them.
From standard input tags come one a line; what follows a # is a comment.

examples:
  enip_client 'SCADA[1]=99' 'SCADA[0-10]'         write one element, then read eleven
  enip_client -a plc.example.com Level            one tag of another host
  enip_client -p -r 100 -d 20 'SCADA[0-9]'        a hundred times, twenty requests in flight
  enip_client -m Level Volume 'Pump[0-3]'         all in one packet
  enip_client "Name=(STRING)'a, b'" 'Pump=(BOOL)1'  text, and a BOOL
  enip_client - < tags.txt                        tags from standard input
  enip_client --json Level | jq .value            for programs
  enip_client --list                              who the controller is, its tags and their types
  enip_client --discover                          a table of the devices that answer on this network
  enip_client --discover 192.168.1.255            on another network; or of a host: --discover plc.example.com

--json: of each operation an object with time, operation (as given), service, path, status (0: all right), extended
(further words of the status), words (these in English) and value (null: refused); at the end one with operations,
failures, label, seconds and tps. Of --discover: of each device an object with address, vendor, device_type,
product_code, revision, status, serial, product_name and state. Of --list: one of the controller, with such keys; of
each tag one with tag, type, dimensions and access; of each structure one with structure, size and members.

{STATUSES}
Of --discover: 1 if nothing answered. No controller at hand?  enip_server SCADA=INT[1000] simulates one.
"""


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options and tags of a command line, by default that of the process; tags may stand among options.

    What argparse refuses, ``--help`` and ``--version`` end the program, as usual.
    """
    parser = _parser()
    arguments = parser.parse_intermixed_args(argv)
    asking = None
    if arguments.discover is not None:
        asking = "--discover [HOST] only asks who is there"
    elif arguments.list:
        asking = "--list only asks what is there"
    if asking is None and not arguments.tags:
        parser.error("name at least one TAG, eg. SCADA[0-10]; - reads them from standard input")
    if asking is not None and arguments.tags:
        parser.error(f"{asking}; do {arguments.tags[0]!r} without it")
    if arguments.list and arguments.discover is not None:
        parser.error("--list asks one controller, --discover many; one at a time")
    return arguments


def _type(text: str) -> str:
    """What --type can be, in any case."""
    for choice in CHOICES:
        if text.lower() == choice.lower():
            return choice
    raise argparse.ArgumentTypeError(f"{text!r} is no type; one of {', '.join(CHOICES)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="enip_client",
        description="Read and write tags of a Logix controller, or of a simulated one, over EtherNet/IP.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tags", nargs="*", metavar="TAG", help="tag[first-last][=value,...]; - reads them from stdin")
    network = parser.add_argument_group("network")
    network.add_argument(
        "-a", "--address", default="", help=f"[host][:port] of the controller (default :{PORT} of this host)"
    )
    network.add_argument(
        "-t", "--timeout", type=seconds, metavar="S", help="seconds each reply may take (default 5; to --discover 1)"
    )
    network.add_argument(
        "--discover",
        nargs="?",
        const="",
        metavar="HOST",
        help="ask a host, a network by its broadcast address, or (none named) the first network, who is there",
    )
    network.add_argument(
        "--list", action="store_true", help="show who the controller is, and, if it can be browsed, its tags"
    )
    requests = parser.add_argument_group("requests")
    requests.add_argument("-r", "--repeat", type=count, default=1, metavar="N", help="do it all N times (default 1)")
    requests.add_argument(
        "-d", "--depth", type=size, default=1, metavar="N", help="requests in flight (default 1; 0: one by one)"
    )
    requests.add_argument("-m", "--multiple", action="store_true", help="several operations in one packet")
    requests.add_argument(
        "--type",
        type=_type,
        default=AUTO,
        metavar="TYPE",
        help=f"of values written without a cast: {AUTO} asks the controller, one read a tag, and is {PLAIN} where it "
        f"does not say (the default); {PLAIN}: INT, or REAL if one has a '.'; or the name of a type",
    )
    service = requests.add_mutually_exclusive_group()
    service.add_argument(
        "-f", "--fragment", action="store_true", default=True, help="use Read/Write Tag Fragmented (the default)"
    )
    service.add_argument("-n", "--no-fragment", dest="fragment", action="store_false", help="use plain Read/Write Tag")
    output = parser.add_argument_group(
        "output", "without -p, --json or -v: a line an operation with its time, and the rate"
    )
    shown = output.add_mutually_exclusive_group()
    shown.add_argument("-p", "--print", action="store_true", help="print a line an operation, and nothing else")
    shown.add_argument("--json", action="store_true", help="print a JSON object an operation, and one of the rate")
    output.add_argument(
        "--record", metavar="FILE", help="append what is read and written to a file, as historize does; to be played"
    )
    output.add_argument("-l", "--log", metavar="FILE", help="log to a file; at 10 MB a new one is begun, 5 are kept")
    add_verbosity(output)
    return parser
