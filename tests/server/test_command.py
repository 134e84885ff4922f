"""What command lines share: addresses and lines read from text, logging, and servers that end with a signal."""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpppo.errors import UsageError
from cpppo.server.command import (
    format_address,
    logging_to,
    parse_address,
    raise_descriptor_limit,
    read_lines,
    refused,
    serve_until_interrupted,
)
from cpppo.server.tcp import Server
from tests.server.test_tcp import TIMEOUT_S, Echo, connect, say

DEFAULT = ("", 44818)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", ("", 44818)),
        (":", ("", 44818)),
        (":0", ("", 0)),
        (":44819", ("", 44819)),
        ("localhost", ("localhost", 44818)),
        ("localhost:", ("localhost", 44818)),
        ("localhost:0", ("localhost", 0)),
        ("127.0.0.1:65535", ("127.0.0.1", 65535)),
        (" 10.0.0.1:1 ", ("10.0.0.1", 1)),
        ("[::1]:5", ("::1", 5)),
        ("[::1]", ("::1", 44818)),
        ("[fe80::1%eth0]:5", ("fe80::1%eth0", 5)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    """[host][:port], either may be left out; an IPv6 host in brackets."""
    assert parse_address(text, DEFAULT) == address


@pytest.mark.parametrize(
    "text", ["a:b", "1:2:3", "::1", "::1:5", "host:65536", "host:-1", "host:1.5", "[::1", "::1]:5", ":0x10", "host:٣"]
)
def test_bad_addresses(text: str) -> None:
    """Anything else: a UsageError of one line that quotes it and says how it is written."""
    with pytest.raises(UsageError) as raised:
        parse_address(text, DEFAULT)
    message = str(raised.value)
    assert repr(text) in message and "\n" not in message
    assert "eg." in message or "65535" in message


def test_address_of_very_many_digits() -> None:
    """A port of thousands of digits is refused like any other."""
    with pytest.raises(UsageError):
        parse_address(":" + "9" * 5000, DEFAULT)


@pytest.mark.parametrize("address", [("", 44818), ("localhost", 0), ("::1", 5), ("10.0.0.1", 65535)])
def test_addresses_round_trip(address: tuple[str, int]) -> None:
    """What format_address writes, parse_address reads."""
    assert parse_address(format_address(address), DEFAULT) == address


SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def handlers() -> Iterator[list[object]]:
    """What SIGINT and SIGTERM do, and again after the test."""
    before = [signal.getsignal(one) for one in SIGNALS]
    yield list(before)
    for one, handler in zip(SIGNALS, before, strict=True):
        signal.signal(one, handler)


class Impatient(Server):
    """Is interrupted once more while it stops."""

    stopped = False

    def stop(self, timeout_s: float = 2.0) -> None:
        for one in SIGNALS:
            signal.raise_signal(one)
        super().stop(timeout_s)
        self.stopped = True


@pytest.mark.parametrize("one", SIGNALS)
def test_interrupted(one: signal.Signals, handlers: list[object]) -> None:
    """Ctrl-C and SIGTERM end it in order, also while it tells that it has started; more of them change nothing."""
    server = Impatient(("127.0.0.1", 0), lambda sock: Echo())
    serve_until_interrupted(server, lambda: signal.raise_signal(one))
    assert server.stopped
    assert [signal.getsignal(each) for each in SIGNALS] == handlers


def test_interrupted_last(handlers: list[object]) -> None:
    """Where nothing is done afterwards, the signals are ignored to the end."""
    server = Impatient(("127.0.0.1", 0), lambda sock: Echo())
    serve_until_interrupted(server, lambda: signal.raise_signal(signal.SIGINT), last=True)
    assert [signal.getsignal(each) for each in SIGNALS] == [signal.SIG_IGN, signal.SIG_IGN]


def test_uninterrupted_in_a_thread(handlers: list[object]) -> None:
    """In a thread other than the main one it serves until stop(), and touches no signal."""
    server = Server(("127.0.0.1", 0), lambda sock: Echo())
    started = threading.Event()
    thread = threading.Thread(target=serve_until_interrupted, args=(server, started.set))
    thread.start()
    assert started.wait(TIMEOUT_S)
    with connect(server) as sock:
        assert say(sock, b"one") == b"one"
    assert [signal.getsignal(each) for each in SIGNALS] == handlers
    server.stop()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()


def test_started_fails(handlers: list[object]) -> None:
    """An error in what tells that it has started is not hidden; the server is stopped, the signals are as before."""
    server = Server(("127.0.0.1", 0), lambda sock: Echo())

    def started() -> None:
        raise BrokenPipeError("nobody listens")

    with pytest.raises(BrokenPipeError):
        serve_until_interrupted(server, started)
    assert [signal.getsignal(each) for each in SIGNALS] == handlers
    Server(server.address, lambda sock: Echo()).stop()


# -- descriptors


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The limits of descriptors, (soft, hard); the last is in force."""
    resource = pytest.importorskip("resource", reason="this system has no limit of descriptors")
    kept = [(256, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda what: kept[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda what, limit: kept.append(limit))
    return kept


@pytest.mark.parametrize(
    ("before", "wanted", "got", "after"),
    [
        ((256, 4096), 1000, 1000, (1000, 4096)),
        ((256, 4096), 5000, 4096, (4096, 4096)),
        ((256, -1), 5000, 5000, (5000, -1)),
        ((1024, 4096), 1000, 1024, (1024, 4096)),
        ((4096, 4096), 5000, 4096, (4096, 4096)),
        ((-1, -1), 5000, 5000, (-1, -1)),
    ],
)
def test_descriptor_limit(
    before: tuple[int, int], wanted: int, got: int, after: tuple[int, int], limits: list[tuple[int, int]]
) -> None:
    """It is raised to what is wanted, as far as that is allowed, and never lowered."""
    limits.append(before)
    assert raise_descriptor_limit(wanted) == got
    assert limits[-1] == after


def test_descriptor_limit_that_stays(limits: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that refuses it all the same leaves the limit as it was."""
    import resource

    def refuse(what: int, limit: tuple[int, int]) -> None:
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_descriptor_limit(1000) == 256


def test_descriptor_limit_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that has no such limit needs nothing."""
    monkeypatch.setitem(sys.modules, "resource", None)
    assert raise_descriptor_limit(1000) == 0


# -- addresses that cannot be had


@pytest.mark.parametrize(
    ("code", "address", "says"),
    [
        (errno.EADDRINUSE, ("127.0.0.1", 5), ["127.0.0.1:5", "another server", "--address :0"]),
        (errno.EACCES, ("", 502), [":502", "special rights", "--address :44818"]),
        (errno.EPERM, ("::1", 502), ["[::1]:502", "special rights"]),
        (errno.EACCES, ("", 5020), ["interface of this machine"]),
        (errno.EADDRNOTAVAIL, ("10.9.9.9", 5), ["10.9.9.9:5", "interface of this machine", "localhost:44818"]),
    ],
)
def test_refused(code: int, address: tuple[str, int], says: list[str]) -> None:
    """One line: where, why, and what to do instead."""
    line = refused(OSError(code, "why"), address, 44818)
    assert "\n" not in line and "why" in line
    assert all(one in line for one in says), line


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("X[1]", ["X[1]"]),
        ("  X[1]  ", ["X[1]"]),
        ("", []),
        (" \t", []),
        ("# all of it", []),
        ("   # all of it", []),
        ("X[1]=5 # the level", ["X[1]=5"]),
        ("X[1]=5\t#the level", ["X[1]=5"]),
        ("X#1", ["X#1"]),
        ("Name='a # b' # text", ["Name='a # b'"]),
        ('Name="a # b"', ['Name="a # b"']),
        ("Name='it\\'s # 1', \"# 2\" # end", ["Name='it\\'s # 1', \"# 2\""]),
        ("Name='never ended # what now", ["Name='never ended"]),
    ],
)
def test_lines(line: str, said: list[str]) -> None:
    """Of a line of the stream its comment is left out, but nothing that stands in quotes; blank lines are none."""
    assert list(read_lines(["A", "-", "# B"], io.StringIO(f"{line}\n"))) == ["A", *said, "# B"]


def test_lines_that_are_no_text() -> None:
    """Octets that are no text are a UsageError that says so."""
    stream = io.TextIOWrapper(io.BytesIO(b"X\n\xff\n"), encoding="utf-8")
    with pytest.raises(UsageError, match="standard input is not utf-8 text"):
        list(read_lines(["-"], stream))


def test_logging_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the block the log goes to the file; afterwards it does not, and signals are treated as before."""
    monkeypatch.setattr(logging.root, "handlers", [])
    level = logging.root.level
    hangup = signal.getsignal(signal.SIGHUP) if hasattr(signal, "SIGHUP") else None
    path = tmp_path / "a.log"
    try:
        with logging_to(str(path), 0):
            logging.getLogger("any").warning("inside")
        assert logging.root.handlers == []
    finally:
        logging.root.setLevel(level)
    assert path.read_text().endswith(" inside\n")
    assert not hasattr(signal, "SIGHUP") or signal.getsignal(signal.SIGHUP) is hangup


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_logging_to_a_file_that_was_moved(tmp_path: Path) -> None:
    """SIGHUP opens the file anew, once, when the program gets round to it."""
    path, moved = tmp_path / "a.log", tmp_path / "moved.log"
    log = logging.getLogger("any")
    with logging_to(str(path), 0) as chore:
        assert chore is not None
        log.warning("before")
        path.rename(moved)
        chore()
        assert not path.exists()
        os.kill(os.getpid(), signal.SIGHUP)
        chore()
        log.warning("after")
    assert moved.read_text().endswith(" before\n") and path.read_text().endswith(" after\n")


def test_logging_to_no_file(tmp_path: Path) -> None:
    """A file that cannot be opened is the system's error, with its name; without a file there is nothing to do."""
    path = str(tmp_path / "none" / "a.log")
    with pytest.raises(OSError) as raised:
        with logging_to(path, 0):
            pass
    assert raised.value.filename == path
    with logging_to(None, 0) as chore:
        assert chore is None
