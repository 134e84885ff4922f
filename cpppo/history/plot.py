"""Pictures of series: lines of blocks on a terminal, PNG and SVG where matplotlib is installed.

Owns: these.  Rule: what is shown of each length of time is the least and the greatest value, so no peak is missed.
Only this module imports matplotlib.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cpppo.errors import UsageError
from cpppo.history.moments import render
from cpppo.history.series import Thinned
from cpppo.history.zones import ZoneLike, zone_of

__all__ = ["picture", "sparkline"]

_BLOCKS = "▁▂▃▄▅▆▇█"
_PLAIN = "_.-=+*#@"


def sparkline(values: Sequence[float | None], plain: bool = False) -> str:
    """A character a value, higher for larger ones; blank where there is none.

    :param plain: of ASCII alone.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return " " * len(values)
    blocks, low = _PLAIN if plain else _BLOCKS, min(known)
    span = max(known) - low
    return "".join(
        " "
        if value is None or not math.isfinite(value)
        else blocks[min(int((value - low) / span * len(blocks)), len(blocks) - 1) if span else 0]
        for value in values
    )


def picture(series: Mapping[str, Thinned], path: str, zone: ZoneLike = None) -> None:
    """Write a PNG or SVG, by the end of its name; UsageError without matplotlib, OSError if it cannot be written."""
    try:
        import matplotlib  # type: ignore[import-not-found, import-untyped, unused-ignore]

        matplotlib.use("Agg")
        from matplotlib import dates, pyplot  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as exc:
        raise UsageError(
            "pictures need matplotlib, which is not installed: pip install matplotlib; or leave --out away"
        ) from exc
    where = zone_of(zone)
    figure, axes = pyplot.subplots(figsize=(10, 5))
    for name, one in series.items():
        shown: list[tuple[float, float, float, float]] = list(one.bins())
        days: Any = [when / 86400 for when, *_ in shown]
        (line,) = axes.plot(days, [mean for _, _, mean, _ in shown], label=name, linewidth=1)
        axes.fill_between(
            days, [low for _, low, _, _ in shown], [high for *_, high in shown], alpha=0.25, color=line.get_color()
        )
    locator = dates.AutoDateLocator(tz=where.native)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=where.native))
    starts = [one.start for one in series.values()]
    axes.set_xlabel(f"from {render(min(starts), zone)}" if starts else "")
    axes.legend(loc="best", fontsize="small")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
