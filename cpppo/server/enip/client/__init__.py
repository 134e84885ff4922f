"""The EtherNet/IP client: connector and operations from text; Logix, and ``aio`` for asyncio, for tags by name."""

from cpppo.server.enip.client.cli import main
from cpppo.server.enip.client.compat import format_context, parse_context, recycle
from cpppo.server.enip.client.connector import await_response, connector, controller
from cpppo.server.enip.client.discovery import discover, identify
from cpppo.server.enip.client.exchange import Result
from cpppo.server.enip.client.flows import OutcomeUnknown
from cpppo.server.enip.client.identities import Identity
from cpppo.server.enip.client.logix import Logix
from cpppo.server.enip.client.operations import parse_operations
from cpppo.server.enip.client.places import UnknownTag
from cpppo.server.enip.wire.text import format_path, parse_int, parse_path, parse_path_elements

__all__ = [
    "Identity",
    "Logix",
    "OutcomeUnknown",
    "Result",
    "UnknownTag",
    "await_response",
    "connector",
    "controller",
    "discover",
    "format_context",
    "format_path",
    "identify",
    "main",
    "parse_context",
    "parse_int",
    "parse_operations",
    "parse_path",
    "parse_path_elements",
    "recycle",
]
