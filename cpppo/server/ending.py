"""How the command lines of clients end, and the options that all of them have.

Owns: exit statuses, the one line on standard error that says why something failed, options' texts as numbers, the log
and the recording that an option names.
Rule: nobody at a terminal ever sees a traceback.  Must not know any protocol, nor what a command does.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from cpppo.errors import Error, UsageError
from cpppo.history import Writer
from cpppo.server.command import INTERRUPTED, logging_to

__all__ = ["FAILED", "OK", "UNREACHABLE", "Unreachable", "count", "ended", "logged", "recording_to", "seconds", "size"]

#: Exit statuses; those of signals as shells show them.
OK, FAILED, USAGE, UNREACHABLE, BROKEN_PIPE = 0, 1, 2, 3, 141

#: The longest time-out; systems take no more than some weeks.
_DAY_S = 86400


class _Closed(io.TextIOBase):
    """A standard output that is none: all is well until something is to be written there."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "standard output is closed")


class Unreachable(Error):
    """There is no connection to be had."""


def seconds(text: str) -> float:
    """A number of seconds that can be waited, of an option's text."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= _DAY_S:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0, up to {_DAY_S}; eg. 5.0")
    return number


def count(text: str) -> int:
    """How often something is done, of an option's text."""
    if not text.isdecimal() or not 1 <= len(text) <= 18 or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 to {10**18 - 1}")
    return int(text)


def size(text: str) -> int:
    """How many there may be, of an option's text."""
    if not text.isdecimal() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 0 to {10**18 - 1}")
    return int(text)


@contextmanager
def logged(path: str | None, verbose: int) -> Iterator[Callable[[], None]]:
    """Log as the options say, while in the block; gives what is to be called now and then."""
    with ExitStack() as stack:
        try:
            reopen = stack.enter_context(logging_to(path, verbose))
        except OSError as exc:
            raise UsageError(f"cannot write {exc.filename}: {exc.strerror}; name a file that can be written") from exc
        yield reopen or (lambda: None)


@contextmanager
def recording_to(path: str | os.PathLike[str]) -> Iterator[Writer]:
    """A history file that is appended to while in the block; UsageError if it cannot be, Error if records were lost."""
    with Writer(path) as writer:
        try:
            writer.open()
        except OSError as exc:
            raise UsageError(f"cannot record to {path}: {exc.strerror}; name a file that can be written") from exc
        yield writer
    if writer.losses:
        raise Error(f"{writer.losses} of the records could not be written to {path}")


def ended(program: str, run: Callable[[], int]) -> int:
    """Run a command to its end; its exit status, whatever happens."""
    if cast(Any, sys.stdout) is None:  # closed by who started us
        sys.stdout = _Closed()
    elif isinstance(sys.stdout, io.TextIOWrapper):  # whose encoding may not have all that a tag can hold
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = run()
        sys.stdout.flush()
        return status
    except UsageError as exc:
        return _complain(program, exc, USAGE)
    except Unreachable as exc:
        return _complain(program, exc, UNREACHABLE)
    except Error as exc:
        return _complain(program, exc, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as exc:  # our output cannot be written; keep the interpreter from writing on at its end
        if not isinstance(sys.stdout, _Closed):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(exc, BrokenPipeError):  # its reader has seen enough
            return BROKEN_PIPE
        return _complain(program, f"cannot write the results: {exc.strerror or exc}", FAILED)


def _complain(program: str, problem: object, status: int) -> int:
    print(f"{program}: {problem}", file=sys.stderr)
    return status
