"""History: what was read and written, and when, as lines of text that outlive the program."""

from cpppo.history.record import Record, RecordError, format_comment, format_record, parse_line
from cpppo.history.writer import Writer, open_to_append

__all__ = ["Record", "RecordError", "Writer", "format_comment", "format_record", "open_to_append", "parse_line"]
