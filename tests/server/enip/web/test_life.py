"""The web interface comes and goes with its simulator: by the command line, in a thread, in a with statement."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from cpppo.errors import LocalProtocolError
from cpppo.server.enip.arguments import parse_arguments
from cpppo.server.enip.simulator import LOOPBACK, Simulator, simulator
from cpppo.server.enip.web.running import WebSettings
from cpppo.server.enip.web.server import _Connection
from tests.server.enip.test_main_control import running
from tests.server.enip.web.browsing import TIMEOUT_S, web
from tests.tools import Server, python_environment, run_module

MODULE = "cpppo.server.enip"
URL = re.compile(r"web (http://\S+/);")


@pytest.mark.parametrize(
    ("options", "address"),
    [
        (["--web", "."], ("127.0.0.1", 80)),
        (["--web", ":"], ("127.0.0.1", 80)),
        (["-w", ":12345"], ("127.0.0.1", 12345)),
        (["-w", ".:12345"], ("127.0.0.1", 12345)),
        (["-w", "plant"], ("plant", 80)),
        (["-w", "[::1]:8080"], ("::1", 8080)),
        (["-a", "10.0.0.1", "--web", "."], ("10.0.0.1", 80)),
        (["-a", "10.0.0.1:44818", "--web", ":0"], ("10.0.0.1", 0)),
        (["-a", "10.0.0.1", "--web", "localhost:1"], ("localhost", 1)),
        (["-a", ":44819", "--web", ":1"], ("127.0.0.1", 1)),
        (["-a", "[::1]", "--web", ":1"], ("::1", 1)),
    ],
)
def test_where(options: list[str], address: tuple[str, int]) -> None:
    """The interface is that of --web, else of --address, else this host; the port is 80 unless said."""
    assert parse_arguments([*options, "SCADA"]).web == WebSettings(address)


def test_other_options() -> None:
    given = parse_arguments(["--web", ".", "--web-readonly", "--web-token", "12345678", "SCADA"])
    assert given.web == WebSettings(("127.0.0.1", 80), True, "12345678")
    assert parse_arguments(["SCADA"]).web is None


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as reply:
        body: bytes = reply.read()
    return body


@pytest.fixture
def server() -> Iterator[tuple[Server, str]]:
    """enip_server with a web interface, and where that is."""
    with Server("--web", ":0", "SCADA=INT[1000]") as one:
        found = URL.search(one.lines[0])
        assert found, one.lines
        yield one, found[1]


def test_first_line_names_it(server: tuple[Server, str]) -> None:
    """The first line says both addresses; Ctrl-C ends both."""
    one, url = server
    assert one.lines[0].startswith(f"enip_server: 1 tag on 127.0.0.1:{one.port}, web {url}; ")
    assert b'"SCADA"' in get(url + "api")
    assert one.stop() == 0
    with pytest.raises(OSError):
        get(url + "api")


def test_done_ends_it(server: tuple[Server, str]) -> None:
    """server/control/done ends the process in order, and is answered."""
    one, url = server
    assert b"server.control.done='true' (True)" in get(url + "api/server/control/done/true")
    assert one.process.wait(TIMEOUT_S) == 0


def test_a_port_that_is_taken() -> None:
    """One line that says so and what to do, exit status 1, and the simulator's port is given back."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_module(MODULE, "-a", "127.0.0.1:0", "--web", f":{port}", "SCADA")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"enip_server: cannot serve on 127.0.0.1:{port}: ") and "--web :0" in line


def test_an_interface_that_is_not_there() -> None:
    done = run_module(MODULE, "-a", "127.0.0.1:0", "--web", "no.such.host.invalid:0", "SCADA")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "cannot serve on no.such.host.invalid:0" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("absent", ["web", "cheroot"])
def test_without_web_py(absent: str, tmp_path: Path) -> None:
    """One line that says what to install, exit status 1; without --web nothing is missed."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {absent!r}: raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    base = python_environment()
    env = {**base, "PYTHONPATH": f"{tmp_path}{os.pathsep}{base['PYTHONPATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", MODULE, "-a", "127.0.0.1:0", "--web", ":0", "SCADA"],
        capture_output=True,
        text=True,
        timeout=60,
        env=env,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "web.py" in line and "pip install '.[web]'" in line
    with Server("SCADA", env=env) as server:
        assert server.stop() == 0


def test_others_can_reach_it_and_are_warned_of() -> None:
    """On an interface that others reach, without a token: a warning; with one, or read-only, none."""
    with Server("-w", "0.0.0.0:0", "SCADA") as one:
        one.stop()
        assert any("--web-token or --web-readonly" in line for line in one.lines)
    for options in (["--web-token", "12345678"], ["--web-readonly"]):
        with Server("-w", "0.0.0.0:0", *options, "SCADA") as one:
            one.stop()
            assert not any("everybody" in line for line in one.lines)


def test_main_in_a_thread_tells_where() -> None:
    """server["web"] is the address; the web interface ends with main."""
    with running("--web", ":0", "SCADA") as one:
        host, port = one.server["web"]
        assert b'"disabled"' not in get(f"http://{host}:{port}/page/overview")
        get(f"http://{host}:{port}/api/server/control/disable/true")
        assert b'"state":"disabled"' in get(f"http://{host}:{port}/page/overview")
        one.control["disable"] = False
    with pytest.raises(OSError):
        socket.create_connection((host, port), TIMEOUT_S)


def open_sockets() -> int | None:
    """How many sockets this process has, where that can be told."""
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return None
    targets = []
    for name in names:
        try:
            targets.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue
    return sum(one.startswith("socket:") for one in targets)


def test_nothing_is_left() -> None:
    """Started and stopped again and again: no thread and no socket more than before."""
    with web() as site:  # what is made once is made
        site.get("/api")
    threads, sockets = threading.active_count(), open_sockets()
    plc = simulator("SCADA", web=LOOPBACK)
    for _ in range(5):
        with plc:
            get(plc.url + "api")
            with socket.create_connection(plc.address, TIMEOUT_S):
                get(plc.url + "metrics")
    assert threading.active_count() == threads
    assert open_sockets() == sockets


def test_a_port_that_is_taken_leaves_nothing() -> None:
    """A simulator whose web interface cannot be has not started, and can be later."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        plc = Simulator("SCADA", web=taken.getsockname()[:2])
        threads = threading.active_count()
        with pytest.raises(OSError):
            plc.start()
        assert threading.active_count() == threads
    with plc:
        assert b"SCADA" in get(plc.url + "api")


def test_url_needs_a_web_interface() -> None:
    with simulator("SCADA") as plc, pytest.raises(LocalProtocolError):
        _ = plc.url
    plc = simulator("SCADA", web=LOOPBACK)
    with pytest.raises(LocalProtocolError):
        _ = plc.url


def test_done_by_the_web_in_a_simulator() -> None:
    """It is ended by `done`, and stopping it later is nothing special."""
    with simulator("SCADA", web=LOOPBACK) as plc:
        get(plc.url + "api/server/control/done/true")
        assert b'"state":"ended"' in get(plc.url + "page/overview")


def test_what_was_not_taken_is_forgotten() -> None:
    """A connection that is closed with something unsent sends nothing when it is collected."""
    near, far = socket.socketpair()
    with far:
        connection = _Connection(SimpleNamespace(peercreds_enabled=False, peercreds_resolve_enabled=False), near)
        connection.wfile._write_buf.extend(b"unsent")
        connection.close()
        assert not connection.wfile._write_buf
