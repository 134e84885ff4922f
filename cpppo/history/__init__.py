"""History: what was read and written, and when, as lines of text that outlive the program."""

from cpppo.history.abbreviations import AmbiguousTimeZoneError
from cpppo.history.offsets import format_offset, parse_offset, timedelta_total_seconds
from cpppo.history.record import Record, RecordError, format_comment, format_record, parse_line
from cpppo.history.timestamp import timestamp
from cpppo.history.writer import Writer, open_to_append
from cpppo.history.zones import UnknownTimeZoneError, get_localzone, zone_names

__all__ = [
    "AmbiguousTimeZoneError",
    "Record",
    "RecordError",
    "UnknownTimeZoneError",
    "Writer",
    "format_comment",
    "format_offset",
    "format_record",
    "get_localzone",
    "open_to_append",
    "parse_line",
    "parse_offset",
    "timedelta_total_seconds",
    "timestamp",
    "zone_names",
]
