"""``python -m bench.soak [--seconds 60] [--clients 50] [--seed N]``: many clients against one simulator, for long.

Owns: the simulator's process, the clients' threads, what the simulator takes meanwhile, and the verdict.
Rule: the simulator is looked at from outside alone (``/proc``, its standard error, its exit status); its memory at
start is that after a warm-up, under the same load as at the end.  Must not know what the clients do.

The simulator gets one arena of the C library's allocator (``MALLOC_ARENA_MAX=1``, unless it is set already): what
several of them keep of what was freed grows for minutes, and would hide what is not freed.

Exit status 0: nothing unexpected; 1: something was, the memory grew, or threads or connections were left; 2: wrong
usage; 130: ended by Ctrl-C before its time, with nothing unexpected until then.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from bench.load import Server, running
from bench.soak_member import KINDS, REFUSALS, Member
from bench.soak_tags import tags

__all__ = ["GROWTH", "Report", "main", "soak"]

#: How much the memory may grow after the warm-up, which is this part of the run, within these bounds in seconds; and
#: the shortest run that is long enough to say.
GROWTH, WARM_UP, WARM_UP_S, SHORTEST_S = 0.05, 0.25, (10.0, 60.0), 30.0
#: Seconds between two looks, at most; and those that clients and server may take to end.
LOOK_S, END_S = 1.0, 40.0
#: Seconds in which the server must have forgotten the clients.
FORGET_S = 10.0
#: Faults that are shown; seconds between two lines of progress where there is no terminal.
SHOWN, LINES_S = 20, 60.0
#: The variable of the environment that says how many arenas there may be.
ARENAS = "MALLOC_ARENA_MAX"

Counters = Iterable["Counter[str]"]


class Taken(NamedTuple):
    """What a process takes: octets of memory, threads, sockets."""

    memory: int
    threads: int
    sockets: int


class Report(NamedTuple):
    """What came of a run of ``seconds``; ``before`` it, ``after`` it (None where there is no /proc), and while it ran.

    ``memory``: octets after the warm-up and at the end, medians of a fifth of the looks each; None if not known.
    """

    seconds: float
    clients: int
    seed: int
    done: Counter[str]
    expected: Counter[str]
    seen: Counter[str]
    faults: list[tuple[str, str]]
    before: Taken | None
    after: Taken | None
    memory: tuple[float, float] | None
    interrupted: bool

    def problems(self) -> list[str]:
        """Everything that is not as it must be, a line each."""
        found = [f"{kind}: {text}" for kind, text in self.faults[:SHOWN]]
        if len(self.faults) > SHOWN:
            found.append(f"and {len(self.faults) - SHOWN} more")
        if self.seen != self.expected and not self.faults:
            found.append(f"errors expected {dict(self.expected)}, but seen {dict(self.seen)}")
        if self.memory is not None and self.memory[1] > self.memory[0] * (1 + GROWTH):
            found.append(f"the memory grew by more than {GROWTH:.0%}")
        if self.before is not None and self.after is not None:
            for name, was, left in zip(Taken._fields, self.before, self.after, strict=True):
                if name != "memory" and left > was:
                    found.append(f"{left - was} {name} left in the simulator {FORGET_S:.0f} s after all clients left")
        return found

    def lines(self) -> Iterator[str]:
        """The table, and what is said below it."""
        wrong = Counter(kind for kind, _ in self.faults)
        rows: list[Sequence[object]] = [("operation", "done", "errors expected", "errors seen", "unexpected")]
        kinds = [*KINDS, *(kind for kind in {**self.done, **wrong} if kind not in KINDS)]
        rows += [(kind, f"{self.done[kind]:,}", "", "", wrong[kind]) for kind in kinds]
        rows += [(kind, "", f"{self.expected[kind]:,}", f"{self.seen[kind]:,}", "") for kind in REFUSALS]
        sums = [f"{sum(counter.values()):,}" for counter in (self.done, self.expected, self.seen)]
        rows.append(("all", *sums, len(self.faults)))
        widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            cells = [str(cell).rjust(width + 2) for cell, width in zip(row[1:], widths[1:], strict=True)]
            yield f"{row[0]:<{widths[0]}} {' '.join(cells)}".rstrip()
        yield ""
        yield f"{self.clients} clients, {self.seconds:.1f} s, seed {self.seed}"
        yield self._memory()
        if self.before is None or self.after is None:
            yield "threads and connections: not known, this system has no /proc"
        else:
            threads = max(self.after.threads - self.before.threads, 0)
            sockets = max(self.after.sockets - self.before.sockets, 0)
            yield f"left in the simulator: {threads} threads, {sockets} connections"

    def _memory(self) -> str:
        if self.before is None:
            return "memory: not known, this system has no /proc"
        started = f"memory of the simulator: {self.before.memory / 1e6:.1f} MB before the first client"
        if self.memory is None:
            return f"{started}; the run was too short to compare"
        first, last = self.memory
        return f"{started}, {first / 1e6:.1f} MB warm, {last / 1e6:.1f} MB at the end: {last / first - 1:+.1%}"


def soak(
    seconds: float,
    clients: int,
    seed: int,
    member: Callable[..., Member] = Member,
    tell: Callable[[str], object] = lambda text: None,
) -> Report:
    """Let clients loose on a simulator of their own.

    :param seconds: for so long.
    :param clients: so many at once, each in a thread.
    :param seed: of all that they do.
    :param member: makes a client; see ``Member``.
    :param tell: is told, now and then, how it goes.
    """
    stop, faults = threading.Event(), list[tuple[str, str]]()
    looks: list[int] = []
    interrupted = False
    with deaf(), one_arena(), running("cpppo.server.enip", "-a", "127.0.0.1:0", *tags(clients)) as server:
        listener = threading.Thread(target=_listen, args=(server.process.stderr, faults), daemon=True)
        listener.start()
        before = taken(server)
        members = [member(number, clients, server.port, seed, stop) for number in range(clients)]
        threads = [threading.Thread(target=one.run, name=f"client {one.number}", daemon=True) for one in members]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        try:
            with hearing():
                _watch(server, members, faults, began, seconds, looks, tell)
        except KeyboardInterrupt:
            interrupted = True
        took = time.monotonic() - began
        stop.set()
        faults += _joined(threads)
        after = _settled(server, before)
        server.process.terminate()
        faults += _ended(server)
        listener.join(END_S)
    for one in members:
        faults += [(kind, f"client {one.number}: {text}") for kind, text in one.faults]
    done, expected, seen = (_sum(getattr(one, name) for one in members) for name in ("done", "expected", "seen"))
    memory = _medians(looks) if took >= SHORTEST_S else None
    return Report(took, clients, seed, done, expected, seen, faults, before, after, memory, interrupted)


def _sum(counters: Counters) -> Counter[str]:
    return sum(counters, Counter())


# ------------------------------------------------------------------ Ctrl-C
def _mask(how: str) -> None:
    """Block or unblock Ctrl-C in this thread, and the processes it starts; where the system can."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(getattr(signal, how), {signal.SIGINT})


@contextmanager
def deaf() -> Iterator[None]:
    """Ctrl-C waits: a terminal sends it to the simulator too, which must outlive its clients."""
    _mask("SIG_BLOCK")
    try:
        yield
    finally:
        _mask("SIG_UNBLOCK")


@contextmanager
def hearing() -> Iterator[None]:
    """Within ``deaf``, Ctrl-C is heard again."""
    _mask("SIG_UNBLOCK")
    try:
        yield
    finally:
        _mask("SIG_BLOCK")


# ------------------------------------------------------------------ the simulator, from outside
@contextmanager
def one_arena() -> Iterator[None]:
    """What is started gets one arena to allocate from, unless somebody has decided otherwise."""
    if ARENAS in os.environ:
        yield
        return
    os.environ[ARENAS] = "1"
    try:
        yield
    finally:
        del os.environ[ARENAS]


def taken(server: Server) -> Taken | None:
    """What a server takes now; None where there is no /proc."""
    here = Path(f"/proc/{server.process.pid}")
    if not (here / "status").exists():
        return None
    threads = re.search(r"^Threads:\s*(\d+)", (here / "status").read_text(), re.MULTILINE)
    sockets = 0
    for descriptor in (here / "fd").iterdir():
        try:
            sockets += descriptor.readlink().name.startswith("socket:")
        except FileNotFoundError:  # closed since it was listed
            continue
    return Taken(server.resident(), int(threads[1]) if threads else 0, sockets)


def _listen(stream: IO[str], faults: list[tuple[str, str]]) -> None:
    """Nothing the clients do is worth a line: all the simulator says is unexpected."""
    faults.extend(("simulator", line.rstrip()) for line in stream)


def _watch(
    server: Server,
    members: Sequence[Member],
    faults: list[tuple[str, str]],
    began: float,
    seconds: float,
    looks: list[int],
    tell: Callable[[str], object],
) -> None:
    """Look at the memory until the time is over, or the simulator."""
    waiting = threading.Event()
    while (now := time.monotonic()) < began + seconds and server.process.poll() is None:
        waiting.wait(min(LOOK_S, seconds / 50, max(began + seconds - now, 0.0)))
        gone = time.monotonic() - began
        if (now_taken := taken(server)) is None:
            continue
        if gone >= min(max(seconds * WARM_UP, WARM_UP_S[0]), WARM_UP_S[1]):
            looks.append(now_taken.memory)
        done = sum(sum(one.done.values()) for one in members)
        wrong = len(faults) + sum(len(one.faults) for one in members)
        tell(
            f"{gone:.0f} of {seconds:.0f} s: {done:,} operations, {wrong} unexpected; simulator: "
            f"{now_taken.memory / 1e6:.1f} MB, {now_taken.threads} threads"
        )


def _medians(looks: Sequence[int]) -> tuple[float, float] | None:
    part = len(looks) // 5
    return (statistics.median(looks[:part]), statistics.median(looks[-part:])) if part else None


def _joined(threads: Sequence[threading.Thread]) -> list[tuple[str, str]]:
    deadline = time.monotonic() + END_S
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
    return [("end", f"{one.name} has not ended after {END_S:.0f} s") for one in threads if one.is_alive()]


def _settled(server: Server, before: Taken | None) -> Taken | None:
    """What the server takes once it has forgotten all clients, or when it should have."""
    waiting, deadline = threading.Event(), time.monotonic() + FORGET_S
    while (now := taken(server)) is not None and before is not None and time.monotonic() < deadline:
        if now.threads <= before.threads and now.sockets <= before.sockets:
            break
        waiting.wait(0.02)
    return now


def _ended(server: Server) -> list[tuple[str, str]]:
    try:
        code = server.process.wait(END_S)
    except subprocess.TimeoutExpired:
        return [("end", f"SIGTERM did not end the simulator within {END_S:.0f} s")]
    return [] if code == 0 else [("end", f"the simulator ended with exit status {code}")]


# ------------------------------------------------------------------ command line
class _Progress:
    """On a terminal a line that is always the latest; elsewhere one now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._due = 0.0

    def __call__(self, text: str) -> None:
        if self._terminal:
            print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)
        elif (now := time.monotonic()) >= self._due:
            self._due = now + LINES_S
            print(text, file=sys.stderr, flush=True)

    def over(self) -> None:
        """Nothing more is to be told."""
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print the table, and say what was unexpected."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description="Many clients against one simulator.")
    parser.add_argument("--seconds", type=_positive(float), default=60.0, help="how long (default %(default)s)")
    parser.add_argument("--clients", type=_positive(int), default=50, help="how many at once (default %(default)s)")
    parser.add_argument("--seed", type=int, help="of all that the clients do (default: another one each time)")
    arguments = parser.parse_args(argv)
    seed = random.randrange(1_000_000) if arguments.seed is None else arguments.seed
    progress = _Progress()
    try:
        report = soak(arguments.seconds, arguments.clients, seed, tell=progress)
    except KeyboardInterrupt:  # a second one, while the clients were ending
        return 130
    finally:
        progress.over()
    print(*report.lines(), sep="\n")
    problems = report.problems()
    print(*(f"unexpected: {problem}" for problem in problems), sep="\n", end="\n" if problems else "")
    return 1 if problems else 130 if report.interrupted else 0


def _positive(kind: type[int] | type[float]) -> Callable[[str], int | float]:
    def number(text: str) -> int | float:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
        return value

    return number


if __name__ == "__main__":
    sys.exit(main())
