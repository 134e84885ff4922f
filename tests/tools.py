"""What tests of whole programs share: programs that may be missing, console commands, a running server.

Rule: nothing here sleeps or guesses a port. A server binds port 0 and its start-up line tells the port;
whoever waits, waits for a line or for the end of a process, with a deadline. Protocol is none of its business.
"""

from __future__ import annotations

import importlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import NoReturn

import pytest

__all__ = [
    "ADDRESS",
    "COMPLETE",
    "ROOT",
    "Server",
    "missing",
    "need",
    "need_module",
    "python_environment",
    "run_module",
]

#: The directory that holds tests/, README.org and docs/ (and, in a checkout, the package).
ROOT = Path(__file__).resolve().parent.parent

#: Set to anything but "" or "0" (as .ci/run does), a missing program is a failure instead of a skip.
COMPLETE = "CPPPO_TESTS_COMPLETE"

#: The address named by a start-up line.
ADDRESS = re.compile(r"(127\.0\.0\.1|0\.0\.0\.0|localhost|\[?::1?\]?|address = ):(\d+)")

DEADLINE_S = 20.0

#: Debian packages whose name is not the program's.
PACKAGES = {"chromedriver": "chromium-driver", "dot": "graphviz"}


def examples(count: int) -> int:
    """How many examples to draw where a whole run draws ``count``.

    If CPPPO_TESTS_EXAMPLES names a percentage, that of them, but at least 20, as .ci/matrix does for all but the
    default interpreter: what is left for the others to find shows early.
    """
    percent = int(os.environ.get("CPPPO_TESTS_EXAMPLES") or 100)
    return count if percent >= 100 else max(count * percent // 100, min(count, 20))


def missing(what: str, install: str) -> NoReturn:
    """Skip the test, saying how to install what it needs; fail it where nothing may be missing."""
    reason = f"{what} is not installed: {install}"
    if os.environ.get(COMPLETE, "") not in ("", "0"):
        pytest.fail(f"{reason} ({COMPLETE} is set)")
    pytest.skip(reason, allow_module_level=True)


def need(program: str, optional: bool = False) -> str:
    """The path of a program of the operating system, or a skip (see `missing`).

    :param optional: that it is missing is a skip everywhere: CI does not install it.
    """
    install = f"apt-get install {PACKAGES.get(program, program)}"
    found = shutil.which(program)
    if found is None and optional:
        pytest.skip(f"{program} is not installed: {install}", allow_module_level=True)
    return found or missing(program, install)


def need_module(name: str) -> ModuleType:
    """An imported module of another project, or a skip (see `missing`)."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name != name.partition(".")[0]:
            raise
        missing(name, "pip install -r requirements-dev.txt")


def python_environment(**extra: str) -> dict[str, str]:
    """An environment in which a subprocess imports the very package that the tests import."""
    package = importlib.import_module("cpppo").__file__
    assert package is not None
    inherited = os.environ.get("PYTHONPATH")
    path = [str(Path(package).parent.parent), *([inherited] if inherited else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1", **extra}


def run_module(
    module: str, *arguments: str, stdin: str = "", timeout_s: float = DEADLINE_S
) -> subprocess.CompletedProcess[str]:
    """Run `python -m module arguments`; its exit status, stdout and stderr, whatever they are."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=python_environment(),
    )


class Server:
    """A server process, up inside the `with` block and ended, by its process id, after it.

    The default command is the EtherNet/IP server on 127.0.0.1, port 0, with `arguments` (tags, options)
    after these; `command` replaces the whole of it. `lines` grows with what the process writes (stdout and
    stderr in one). A traceback among the lines, or a process that has to be killed, fails the test.
    """

    def __init__(
        self,
        *arguments: str,
        command: Sequence[str] = (),
        stdin: str = "",
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.command = [
            *(command or (sys.executable, "-u", "-m", "cpppo.server.enip", "-a", "127.0.0.1:0")),
            *arguments,
        ]
        self.stdin, self.env, self.cwd, self.deadline_s = stdin, env, cwd, deadline_s
        self.lines: list[str] = []
        self.host, self.port = "", 0

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: (host, port), as for `socket.create_connection`."""
        return self.host, self.port

    def __enter__(self) -> Server:
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=python_environment() if self.env is None else self.env,
            cwd=self.cwd,
        )
        self._unread: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(self.stdin)
            self.process.stdin.close()
            host, port = self.wait_for(ADDRESS).groups()
        except BaseException:
            self.process.send_signal(signal.SIGINT)
            self._end()
            raise
        self.host, self.port = (
            "127.0.0.1" if host in ("0.0.0.0", "localhost", "address = ") else host.strip("[]"),
            int(port),
        )
        return self

    def wait_for(self, pattern: str | re.Pattern[str]) -> re.Match[str]:
        """Wait for the next line, not looked at by an earlier call, in which `pattern` is found."""
        deadline = time.monotonic() + self.deadline_s
        while True:
            try:
                line = self._unread.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(self._said(f"no line with {pattern!r} within {self.deadline_s} s"))
            if line is None:
                pytest.fail(self._said(f"it ended ({self.process.wait()}) without a line with {pattern!r}"))
            if found := re.search(pattern, line):
                return found

    def stop(self, signum: int = signal.SIGINT) -> int:
        """End the process by a signal, as Ctrl-C does, and give its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        if not self._end():
            pytest.fail(self._said(f"signal {signum} did not end it within {self.deadline_s} s"))
        if any(line.startswith("Traceback ") for line in self.lines):
            pytest.fail(self._said("it wrote a traceback"))
        return self.process.returncode

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None:
            self.stop()
        else:  # the test's own failure is the one to see
            self.process.send_signal(signal.SIGINT)
            self._end()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._unread.put(self.lines[-1])
        self._unread.put(None)

    def _end(self) -> bool:
        """Wait for the end, killing it if need be; whether it ended by itself."""
        try:
            self.process.wait(self.deadline_s)
            willing = True
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            willing = False
        self._reader.join(self.deadline_s)
        if self.process.stdout is not None and not self._reader.is_alive():
            self.process.stdout.close()
        return willing

    def _said(self, problem: str) -> str:
        return "\n".join([f"{' '.join(self.command)}: {problem}; it wrote:", *self.lines])
