"""``python -m cpppo.history``: look at recordings, convert them, draw them, and play them.

Do not import this; import ``cpppo.history``.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from threading import Event
from time import time

from cpppo.errors import Error, UsageError
from cpppo.history.convert import FORMS
from cpppo.history.moments import parse, render
from cpppo.history.playback import Playback
from cpppo.history.plot import picture, sparkline
from cpppo.history.progress import Bar
from cpppo.history.record import Record, format_record
from cpppo.history.series import Thinned, points
from cpppo.history.source import DataError, Entry
from cpppo.history.stream import Stream, raising
from cpppo.history.zones import Zone, get_localzone, zone_of

__all__ = ["main"]

#: Seconds between looks at a file that is followed.
_FOLLOW_S = 0.1
#: Series that are drawn at most.
_MOST_SERIES = 50

_EXAMPLES = """\
FILE is the one that is, or was, written; what it was rotated into (FILE.0, FILE.1.gz ...) belongs to it.

examples:
  python -m cpppo.history cat plant.hst --since '2026-11-22 06:00:00'
  python -m cpppo.history cat --follow --zone America/Edmonton plant.hst
  python -m cpppo.history info plant.hst
  python -m cpppo.history convert plant.hst plant.csv       also .jsonl, and .parquet with pyarrow
  python -m cpppo.history plot plant.hst 'Level[0]'         on the terminal; --out level.png with matplotlib
  python -m cpppo.history play --factor 10 --loop plant.hst
  python -m cpppo.history play --to plc.example.com plant.hst

exit status: 0 all right, 1 some of it is no record or damaged, or it failed, 2 wrong usage, 130 interrupted.
"""


class Recording:
    """The recording that the arguments name, and what was wrong with it."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.zone = _zone(arguments.zone)
        self.since, self.until = (_moment(text, self.zone) for text in (arguments.since, arguments.until))
        self.problems = 0
        problem = raising if arguments.strict else self._told
        self.stream = Stream(arguments.file, problem, arguments.encoding)
        self.bar = Bar(sys.stderr)

    def _told(self, exc: DataError) -> None:
        self.problems += 1
        self.bar.clear()
        print(f"history: {exc}", file=sys.stderr)

    def entries(self, follow: bool = False) -> Iterator[Entry]:
        """The records of the time asked for, waiting for more if they are to be followed; with a bar if not."""
        with self.bar.over(self.since, self.until if self.until is not None else self.stream.last_time()):
            for one in self.stream.entries(self.since, follow=follow):
                if one is None:
                    Event().wait(_FOLLOW_S)
                    continue
                if self.until is not None and one.when >= self.until:
                    return
                if not follow:
                    self.bar.at(one.when)
                yield one

    def status(self) -> int:
        """The exit status so far."""
        return 1 if self.problems else 0


def _zone(text: str | None) -> Zone:
    return get_localzone() if text == "local" else zone_of(text)


def _moment(text: str | None, zone: Zone) -> float | None:
    return None if text is None else parse(text, zone)


def _line(one: Entry, when: float, zone: Zone) -> str:
    return format_record(Record(render(when, zone), one.serial, one.data)).rstrip("\n")


def cat(arguments: argparse.Namespace) -> int:
    """Print records as they were recorded."""
    recording = Recording(arguments)
    for one in recording.entries(arguments.follow):
        recording.bar.clear()
        print(_line(one, one.when, recording.zone), flush=arguments.follow)
    return recording.status()


def info(arguments: argparse.Namespace) -> int:
    """Tell what there is."""
    recording = Recording(arguments)
    files = recording.stream.members()
    octets = sum(one.path.stat().st_size for one in files)
    print(f"files   {len(files)}, {octets} octets: {', '.join(one.path.name for one in files)}")
    count = back = 0
    first = last = latest = 0.0
    series: set[str] = set()
    for one in recording.entries():
        first = one.when if not count else min(first, one.when)
        last = one.when if not count else max(last, one.when)
        back += bool(count) and one.when < latest
        latest, count = one.when, count + 1
        series.update(name for name, _ in points(one))
    recording.bar.clear()
    span = round(last - first, 3)
    print(f"records {count}" + (f", {(count - 1) / span:.3f} a second" if span else ""))
    if count:
        print(f"time    {render(first, recording.zone)} to {render(last, recording.zone)}, {span:.3f} s")
    print(f"series  {len(series)}: {', '.join(sorted(series)[:20])}{' ...' if len(series) > 20 else ''}")
    print(f"wrong   {recording.problems} lines, {back} steps back in time")
    return recording.status()


def convert(arguments: argparse.Namespace) -> int:
    """Write another form."""
    recording = Recording(arguments)
    end = os.path.splitext(arguments.out)[1]
    if end not in FORMS:
        raise UsageError(f"{arguments.out}: its end says no form; one of {', '.join(FORMS)}")
    if os.path.exists(arguments.out) and not arguments.force:
        raise UsageError(f"{arguments.out} is there; --force writes over it")
    write, binary = FORMS[end]
    recording.stream.members()  # or there is nothing to convert
    part = f"{arguments.out}.part"
    try:
        with open(part, "wb") as octets:
            if binary:
                write(recording.entries(), octets, recording.zone)
            else:
                with io.TextIOWrapper(octets, encoding="utf-8", newline="") as text:
                    write(recording.entries(), text, recording.zone)
        os.replace(part, arguments.out)
    finally:
        with suppress(OSError):
            os.unlink(part)  # half of it is worth nothing
    return recording.status()


def plot(arguments: argparse.Namespace) -> int:
    """Draw series."""
    recording = Recording(arguments)
    if arguments.out is not None and not arguments.out.endswith((".png", ".svg")):
        raise UsageError(f"{arguments.out}: its end says no picture; .png or .svg")
    width = max(10, shutil.get_terminal_size().columns)
    series: dict[str, Thinned] = {}
    passed_over = 0
    begin: float | None = None
    for one in recording.entries():
        begin = one.when if begin is None else begin
        for name, value in points(one):
            if (arguments.series and name not in arguments.series) or not isinstance(value, (int, float)):
                continue
            if name not in series and len(series) >= _MOST_SERIES:
                passed_over += 1
                continue
            series.setdefault(name, Thinned(begin)).add(one.when, float(value))
    recording.bar.clear()
    unknown = [name for name in arguments.series if name not in series]
    if unknown:
        raise UsageError(f"there are no numbers of {unknown[0]!r}; see: info {arguments.file}")
    if passed_over:
        print(f"history: only {_MOST_SERIES} series are drawn; name those you want", file=sys.stderr)
    if arguments.out is not None:
        picture(series, arguments.out, recording.zone)
        return recording.status()
    column = max((len(name) for name in series), default=0)
    plain = "utf" not in (sys.stdout.encoding or "").lower()
    ends = [last for one in series.values() for last, *_ in one.bins()]
    for name, thinned in series.items():
        shown = list(thinned.bins())
        low, high = min(one[1] for one in shown), max(one[3] for one in shown)
        span = f"  {low:g} to {high:g}"
        room = max(10, width - column - len(span) - 3)
        cells: list[float | None] = [None] * room
        whole = max(ends) - thinned.start or 1.0
        for when, _, mean, _ in shown:
            cells[min(room - 1, int((when - thinned.start) / whole * room))] = mean
        print(f"{name:<{column}}  {sparkline(cells, plain)}{span}")
    return recording.status()


def play(arguments: argparse.Namespace) -> int:
    """Print records, or write them to a controller, at their pace."""
    recording = Recording(arguments)
    last = recording.stream.last_time()
    playback = Playback(
        recording.stream,
        time(),
        arguments.factor,
        arguments.loop,
        not arguments.as_recorded,
        start=recording.since,
        end=recording.until,
    )
    with closing(_target(arguments)) as target, recording.bar.over(recording.since, None if arguments.loop else last):
        while (wait_s := playback.wait_s(time())) is not None:
            if wait_s:
                Event().wait(wait_s)
            for one in playback.due(time()):
                recording.bar.at(one.entry.when)
                target.play(one.entry, lambda one=one: _line(one.entry, one.when, recording.zone))  # type: ignore[misc]
        return recording.status() or target.status()


class _Printing:
    """Where records are shown."""

    def play(self, entry: Entry, line: Callable[[], str]) -> None:
        print(line(), flush=True)

    def status(self) -> int:
        return 0

    def close(self) -> None:
        pass


def _target(arguments: argparse.Namespace) -> _Printing:
    if arguments.to is None:
        return _Printing()
    from cpppo.server.enip.client.playing import Writing  # which is slow to import, and seldom wanted

    return Writing(arguments.to, arguments.timeout)  # type: ignore[return-value]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cpppo.history",
        description="Look at recordings of time series, convert them, draw them, and play them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("file", metavar="FILE", help="the file, without the numbers that rotation gives")
    common.add_argument("--since", metavar="TIME", help="from the first record of that time or later")
    common.add_argument("--until", metavar="TIME", help="to the last record before that time")
    common.add_argument("--zone", metavar="ZONE", help="of times here and printed: a zone, or local (default UTC)")
    common.add_argument("--encoding", metavar="NAME", help="of the files (default ascii)")
    common.add_argument("--strict", action="store_true", help="end at the first line that is no record")

    def command(name: str, run: Callable[[argparse.Namespace], int], told: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=told, description=told, parents=[common])
        made.set_defaults(run=run)
        return made

    one = command("cat", cat, "print records, all files as one")
    one.add_argument("-f", "--follow", action="store_true", help="wait for more, also in files begun later")
    command("info", info, "tell the files, times, series, and what is wrong with them")
    one = command("convert", convert, f"write another form, by the end of OUT: {', '.join(FORMS)}")
    one.add_argument("out", metavar="OUT", help="the file to write")
    one.add_argument("--force", action="store_true", help="write over a file that is there")
    one = command("plot", plot, "draw series of numbers, on the terminal or as a picture")
    one.add_argument("series", nargs="*", metavar="SERIES", help="as info names them (default all)")
    one.add_argument("-o", "--out", metavar="FILE", help="a .png or .svg to write, by matplotlib")
    one = command("play", play, "print records at the pace at which they were recorded, or another")
    one.add_argument("--factor", type=_factor, default=1.0, metavar="N", help="so many times faster (default 1)")
    one.add_argument("--loop", action="store_true", help="begin again at the end")
    one.add_argument("--as-recorded", action="store_true", help="print the recorded times, not those of now")
    one.add_argument("--to", metavar="HOST", help="write the values to the tags of a controller, host[:port], instead")
    one.add_argument("--timeout", type=float, default=5.0, metavar="S", help="seconds each reply may take (default 5)")
    return parser


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not factor > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0; eg. 10, or inf: all at once")
    return factor


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of the process; its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except UsageError as exc:
        return _failed(2, exc)
    except Error as exc:
        return _failed(1, exc)
    except KeyboardInterrupt:
        return 130
    except OSError as exc:
        if isinstance(exc, BrokenPipeError):  # whoever reads has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        return _failed(1, f"{exc.filename or arguments.file}: {exc.strerror or exc}")


def _failed(status: int, why: object) -> int:
    print(f"history: {why}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
