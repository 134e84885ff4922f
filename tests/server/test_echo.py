"""The echo server: its lines in memory, cut up in every way; then by TCP; then as a command."""

from __future__ import annotations

import gc
import logging
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpppo.logs import NORMAL
from cpppo.server import echo
from cpppo.server.echo import MAXIMUM_LINE, Lines
from cpppo.server.tcp import Server
from tests.tools import Server as Process
from tests.tools import run_module

TIMEOUT_S = 10.0
COMMAND = (sys.executable, "-u", "-m", "cpppo.server.echo")


def chunkings(octets: bytes) -> Iterator[list[bytes]]:
    """Every way to cut octets into pieces."""
    if not octets:
        yield []
    for end in range(1, len(octets) + 1):
        for rest in chunkings(octets[end:]):
            yield [octets[:end], *rest]


def complete(octets: bytes) -> bytes:
    """The part of octets up to their last line end."""
    return octets[: octets.rfind(b"\n") + 1]


# ------------------------------------------------------------------ in memory
def test_every_chunking() -> None:
    """However the octets are cut up, a line comes back when its end has arrived, and no sooner."""
    octets = b"ab\n\n\xff\x00\r\nc"
    for chunks in chunkings(octets):
        lines, sent, got = Lines(), b"", b""
        for chunk in chunks:
            sent += chunk
            got += lines.receive(chunk)
            assert got == complete(sent)
        assert not lines.closed


@given(st.lists(st.binary(max_size=10) | st.sampled_from([b"\n", b"a\nb", b""])))
def test_any_octets(chunks: list[bytes]) -> None:
    """Any octets are lines; what comes back is what came, up to the last line end."""
    lines = Lines()
    assert b"".join(map(lines.receive, chunks)) == complete(b"".join(chunks))


def test_clients_do_not_mix() -> None:
    """Clients share the machine, but no octet."""
    one, two = Lines(), Lines()
    assert one.receive(b"on") == two.receive(b"tw") == b""
    assert one.receive(b"e\n") == b"one\n"
    assert two.receive(b"o\n") == b"two\n"


def test_threads_do_not_mix() -> None:
    """Clients in threads of their own share the machine, but no octet."""
    start = threading.Barrier(8)
    got: dict[int, bytes] = {}

    def talk(number: int) -> None:
        lines = Lines()
        start.wait(TIMEOUT_S)
        got[number] = b"".join(lines.receive(b"%d" % number + ending) for _ in range(200) for ending in (b"", b"\n"))

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert got == {number: b"%d%d\n" % (number, number) * 200 for number in range(8)}


def test_longest_line(caplog: pytest.LogCaptureFixture) -> None:
    """A line has MAXIMUM_LINE octets at most; after a longer one nothing more is answered, and the log says why."""
    longest = bytes(MAXIMUM_LINE - 1) + b"\n"
    lines = Lines("10.0.0.1:2")
    assert lines.receive(longest + longest) == longest + longest
    assert not lines.closed and not caplog.records
    assert lines.receive(b"before\n" + bytes(MAXIMUM_LINE - 1)) == b"before\n"
    assert not lines.closed
    assert lines.receive(b"\0\nafter\n") == b""
    assert lines.closed
    assert lines.receive(b"after\n") == b""
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "10.0.0.1:2" in record.getMessage() and str(MAXIMUM_LINE) in record.getMessage()


@pytest.mark.parametrize(("octets", "whole"), [(b"", True), (b"a\n", True), (b"a", False), (b"a\nb", False)])
def test_end(octets: bytes, whole: bool) -> None:
    """When no more comes, it tells whether that is in order; nothing is answered afterwards."""
    lines = Lines()
    assert lines.receive(octets) == complete(octets)
    assert lines.end() is whole
    assert lines.closed and lines.receive(b"\n") == b""


def test_end_after_refusal() -> None:
    """Of a conversation that was refused, the end is in order."""
    lines = Lines()
    lines.receive(bytes(MAXIMUM_LINE) + b"\n")
    assert lines.closed and lines.end()


def test_what_is_kept() -> None:
    """A client that has sent many lines is kept no more of than one that has sent one."""
    lines = Lines()
    for _ in range(100):
        assert lines.receive(b"line\n") == b"line\n"
    assert dict(lines._data) == {}


def test_abandoned_in_mid_line() -> None:
    """A client that is gone in mid-line leaves the machine as it was."""
    lines = Lines()
    lines.receive(b"half")
    del lines
    gc.collect()
    assert Lines().receive(b"whole\n") == b"whole\n"


# ------------------------------------------------------------------ by TCP
@contextmanager
def serving(serve: Callable[[tuple[str, int]], Server]) -> Iterator[Server]:
    """A server on a free port of this machine; everything has ended after the block."""
    server = serve(("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def say(sock: socket.socket, chunks: Iterable[bytes], wanted: int) -> bytes:
    """Send some pieces, and receive so many octets, or up to the end."""
    sock.settimeout(TIMEOUT_S)
    for chunk in chunks:
        sock.sendall(chunk)
    got = b""
    while len(got) < wanted and (more := sock.recv(65536)):
        got += more
    return got


def test_over_loopback(caplog: pytest.LogCaptureFixture) -> None:
    """Clients are answered line by line, at once; their coming and going is logged."""
    caplog.set_level(logging.DEBUG, "echo.srv")
    with serving(echo.serve) as server:
        with socket.create_connection(server.address) as one, socket.create_connection(server.address) as two:
            port = one.getsockname()[1]
            assert say(one, [b"a", b"b\nc"], 3) == b"ab\n"
            assert say(two, [b"1\n2\n"], 4) == b"1\n2\n"
            assert say(one, [b"\n"], 2) == b"c\n"
            assert sorted(each.thread.name for each in server.connections()) == sorted(
                f"echo_{sock.getsockname()[1]}" for sock in (one, two)
            )
    told = [record.getMessage() for record in caplog.records if f":{port}" in record.getMessage()]
    assert len(told) == 2 and "connected" in told[0] and "gone" in told[1]


def test_gone_in_mid_line(caplog: pytest.LogCaptureFixture) -> None:
    """A client that is gone in mid-line is logged as such."""
    caplog.set_level(NORMAL, "echo.srv")
    with serving(echo.serve) as server, socket.create_connection(server.address) as sock:
        assert say(sock, [b"one\ntwo"], 4) == b"one\n"
    connected, gone = caplog.records
    assert "connected" in connected.getMessage() and "gone in mid-sentence" in gone.getMessage()
    assert gone.levelno == NORMAL


def test_a_line_too_long_over_loopback() -> None:
    """Whoever sends a line that is too long gets what came before it, and then the end of the connection."""
    with serving(echo.serve) as server, socket.create_connection(server.address) as sock:
        assert say(sock, [b"before\n", bytes(MAXIMUM_LINE)], 100) == b"before\n"


# ------------------------------------------------------------------ as a command
def test_command() -> None:
    """`python -m cpppo.server.echo` says where it listens and how to try it, which works; Ctrl-C ends it with 0."""
    with Process("--address", "localhost:0", command=COMMAND) as server:
        with socket.create_connection(server.address) as sock:
            assert say(sock, [b"hello\n"], 6) == b"hello\n"
        client = server.wait_for(r'^ *python -c "(.*)"$')[1]
        tried = subprocess.run([sys.executable, "-c", client], capture_output=True, text=True, timeout=TIMEOUT_S)
        assert (tried.stdout, tried.stderr) == ("b'hello\\n'\n", "")
        assert server.stop() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a Windows process unasked")
def test_terminated_with_clients() -> None:
    """SIGTERM ends it in order, too, whoever is connected."""
    with Process("--address", ":0", "-v", command=COMMAND) as server:
        assert server.host == "127.0.0.1"
        with socket.create_connection(server.address) as sock:
            server.wait_for("connected")
            assert server.stop(signal.SIGTERM) == 0
            assert say(sock, [], 1) == b""


def test_address_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    """An address that is taken: exit status 2, and a message that names it and says what to do."""
    with serving(echo.serve) as server:
        assert echo.main(["--address", f"127.0.0.1:{server.address[1]}"]) == 2
    message = capsys.readouterr().err
    assert re.search(rf"cannot serve on 127\.0\.0\.1:{server.address[1]}: .*; another server is there", message)


@pytest.mark.parametrize("address", ["localhost:x", "1:2:3", "localhost:70000", "no.such.host.invalid:0", "8007"])
def test_addresses_that_are_none(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An address that cannot be understood or had: exit status 2, and a message that names it."""
    assert echo.main(["--address", address]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and address in printed.err and "python -m cpppo.server.echo: " in printed.err


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """An argument it does not know: exit status 2, and the usage."""
    with pytest.raises(SystemExit) as ended:
        echo.main(["tag"])
    assert ended.value.code == 2
    assert "usage: python -m cpppo.server.echo" in capsys.readouterr().err


def test_help() -> None:
    """--help tells what it does, the default address, and how to try it."""
    helped = run_module("cpppo.server.echo", "--help")
    assert helped.returncode == 0 and helped.stderr == ""
    told = " ".join(helped.stdout.split())
    for words in (
        "line",
        "default localhost:8007",
        "--address localhost:0",
        "nc localhost 8007",
        "exit status: 0 ",
        str(MAXIMUM_LINE),
    ):
        assert words in told


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="a signal to one thread needs POSIX")
def test_main_as_a_function(capsys: pytest.CaptureFixture[str]) -> None:
    """Interrupted, main returns 0, with the signals as they were before, and its port is free."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    made: list[Server] = []

    def interrupt() -> None:
        with socket.create_connection(made[0].address) as sock:
            assert say(sock, [b"up\n"], 3) == b"up\n"  # so it is past all preparations
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)

    def serve(address: tuple[str, int]) -> Server:
        made.append(echo.serve(address))
        interrupter.start()
        return made[0]

    assert echo.serve_command(["-a", "127.0.0.1:0"], "it", "", "", ("", 1), serve, b"up\n") == 0
    interrupter.join(TIMEOUT_S)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert f"it: on 127.0.0.1:{made[0].address[1]}; " in capsys.readouterr().out
    echo.serve(made[0].address).stop()
