"""History: what was read and written, and when, as lines of text that outlive the program."""

from cpppo.history.abbreviations import AmbiguousTimeZoneError
from cpppo.history.files import opener
from cpppo.history.loader import IframeError, loader
from cpppo.history.logger import logger
from cpppo.history.offsets import format_offset, parse_offset, timedelta_total_seconds
from cpppo.history.playback import Playback, Played
from cpppo.history.reader import parse_record, reader
from cpppo.history.record import Record, RecordError, format_comment, format_record, parse_line
from cpppo.history.rotation import Rotation
from cpppo.history.source import DataError, Entry
from cpppo.history.stream import HistoryExhausted, Stream
from cpppo.history.timestamp import timestamp
from cpppo.history.writer import Writer, open_to_append
from cpppo.history.zones import UnknownTimeZoneError, get_localzone, zone_names

__all__ = [
    "AmbiguousTimeZoneError",
    "DataError",
    "Entry",
    "HistoryExhausted",
    "IframeError",
    "Playback",
    "Played",
    "Record",
    "RecordError",
    "Rotation",
    "Stream",
    "UnknownTimeZoneError",
    "Writer",
    "format_comment",
    "format_offset",
    "format_record",
    "get_localzone",
    "loader",
    "logger",
    "open_to_append",
    "opener",
    "parse_line",
    "parse_offset",
    "parse_record",
    "reader",
    "timedelta_total_seconds",
    "timestamp",
    "zone_names",
]
