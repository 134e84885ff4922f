"""A sample to copy: writes some tags of a controller and reads them back; ``python -m cpppo.server.enip.io``.

Owns: its three operations.  Rule: short enough to be read.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from cpppo.server.enip.client.commands import FAILED, OK, STATUSES, address_option, connected, ended
from cpppo.server.enip.client.operations import parse_operations

__all__ = ["main"]

#: A part of a tag, the first tag of all by its number, and some elements; the first tag is Tag in a simulator of it.
TAGS = ["Tag[0-9]+16=(DINT)4,5,6,7,8,9", "@0x2/1/1", "Tag[3-5]"]

#: Requests in flight; octets of a Multiple Service Packet (0: none); seconds that each reply may take.
DEPTH, MULTIPLE, TIMEOUT_S = 1, 0, 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Perform and print the operations; the exit status.

    :param argv: the arguments, by default those of the process.
    """
    return ended("io", lambda: _run(_parser().parse_args(argv).address))


def _run(address: str) -> int:
    connection = connected(address, TIMEOUT_S, "Tag=DINT[10]")
    try:
        failures, _ = connection.process(
            operations=parse_operations(TAGS), depth=DEPTH, multiple=MULTIPLE, printing=True, timeout=TIMEOUT_S
        )
    finally:
        connection.close()
    return FAILED if failures else OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cpppo.server.enip.io",
        description="A sample of the client: write some elements of the tag Tag, and read them back.",
        epilog=f"operations: {'  '.join(TAGS)}\n"
        "In another terminal: enip_server 'Tag=DINT[10]'. To do other operations: enip_client.\n\n" + STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    address_option(parser)
    return parser
