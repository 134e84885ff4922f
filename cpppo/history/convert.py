"""Converting a history: CSV and JSON lines, and Parquet where pyarrow is installed.

Owns: these forms.  Rule: JSON lines hold all of a record, the others have a row a value; a few are in memory at a time.
Only this module imports pyarrow.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, TextIO

from cpppo.errors import UsageError
from cpppo.history.moments import render
from cpppo.history.series import points
from cpppo.history.source import Entry
from cpppo.history.zones import ZoneLike

__all__ = ["FORMS", "to_csv", "to_json_lines", "to_parquet"]

#: Rows of a group of a Parquet file.
_GROUP = 50_000


def to_csv(entries: Iterable[Entry], file: TextIO, zone: ZoneLike = None) -> None:
    """Rows of time, series and value; what is no number or text is JSON."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["time", "series", "value"])
    for one in entries:
        when = render(one.when, zone)
        writer.writerows([when, name, _cell(value)] for name, value in points(one))


def _cell(value: Any) -> Any:
    return value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else json.dumps(value)


def to_json_lines(entries: Iterable[Entry], file: TextIO, zone: ZoneLike = None) -> None:
    """Objects of time, serial and data; numbers that JSON has no form for are the texts nan, inf and -inf."""
    for one in entries:
        record = {"time": render(one.when, zone), "serial": one.serial, "data": _plain(one.data)}
        file.write(json.dumps(record, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def to_parquet(entries: Iterable[Entry], file: BinaryIO, zone: ZoneLike = None) -> None:
    """Columns time (UTC), series, value (a number, or null) and text (of what is none); UsageError without pyarrow."""
    try:
        import pyarrow  # type: ignore[import-not-found, import-untyped, unused-ignore]
        import pyarrow.parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as exc:
        raise UsageError(
            "Parquet needs pyarrow, which is not installed: pip install pyarrow; CSV does without"
        ) from exc
    columns = [("time", pyarrow.timestamp("us", "UTC")), ("series", pyarrow.string())]
    schema = pyarrow.schema([*columns, ("value", pyarrow.float64()), ("text", pyarrow.string())])
    rows: list[tuple[int, str, float | None, str | None]] = []
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:

        def group() -> None:
            made = [pyarrow.array(column, field.type) for column, field in zip(zip(*rows), schema)]  # noqa: B905
            writer.write_table(pyarrow.table(made, schema=schema))
            rows.clear()

        for one in entries:
            when = round(one.when * 1_000_000)
            for name, value in points(one):
                number = (
                    float(value) if isinstance(value, (int, float)) and abs(value) < 1e300 or value != value else None
                )
                rows.append((when, name, number, None if number is not None else _cell(value)))
            if len(rows) >= _GROUP:
                group()
        if rows:
            group()


#: The forms there are, by the end of the name of a file, and whether that is one of octets.
FORMS: dict[str, tuple[Callable[..., None], bool]] = {
    ".csv": (to_csv, False),
    ".jsonl": (to_json_lines, False),
    ".parquet": (to_parquet, True),
}
