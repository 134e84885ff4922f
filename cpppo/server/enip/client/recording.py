"""Recording what operations read and wrote: ``enip_client --record FILE``.

Owns: how a result is a record of a history, the same that ``historize`` writes.  Must not know files.
"""

from __future__ import annotations

import re
from typing import Any

from cpppo.history import RecordError, Writer
from cpppo.server.enip.client import report
from cpppo.server.enip.client.exchange import Result

__all__ = ["record"]

_PATH = re.compile(r"(.*?)(?:\[(\d+)(?:-\d+)?\])?", re.DOTALL)


def record(writer: Writer, result: Result, text: str) -> None:
    """Record an operation that succeeded, one that was refused as a comment.

    :param text: of the operation, as it was given.
    """
    if report.failed(result):
        writer.comment(f"{text}: {report.format_status(result.sts)}")
        return
    plain = report.plain_result(result, text, 0.0)
    match = _PATH.fullmatch(plain["path"])
    name, first = (match[1], int(match[2] or 0)) if match else (plain["path"], 0)
    written = report.written(result.req)
    how, values = ("read", result.val) if written is None else ("write", written)
    count = len(values) if isinstance(values, (list, tuple)) else 1
    serial: list[Any] = [name, [first, first + max(count, 1) - 1]]
    try:
        writer.write({how: values}, serial=serial)
    except RecordError:  # octets, which JSON does not have
        writer.write({how: plain["value"]}, serial=serial)
