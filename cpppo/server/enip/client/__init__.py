"""The EtherNet/IP client: connector, and operations from text."""

from cpppo.server.enip.client.cli import main
from cpppo.server.enip.client.compat import format_context, parse_context, recycle
from cpppo.server.enip.client.connector import await_response, connector, controller
from cpppo.server.enip.client.exchange import Result
from cpppo.server.enip.client.operations import parse_operations
from cpppo.server.enip.wire.text import format_path, parse_int, parse_path, parse_path_elements

__all__ = [
    "Result",
    "await_response",
    "connector",
    "controller",
    "format_context",
    "format_path",
    "main",
    "parse_context",
    "parse_int",
    "parse_operations",
    "parse_path",
    "parse_path_elements",
    "recycle",
]
