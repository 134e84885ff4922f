"""Every command and Python block of README.org and docs/ does what the document says.

Documents speak of the standard ports on this host or some other; the runner sends all of it to servers of its
own on free ports: whatever Python program an example starts is told, before anything else runs in it, to bind
and connect there instead (see PORTS). An example that starts a server leaves it up for those that follow; one of TOML
is a plant file, one for `modbus_sim` if it has values, or for the bridge if it has devices; it must be right, and
with `:tangle NAME` is that file for those that follow.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cpppo.remote.bridge_config import parse_bridge
from cpppo.remote.modbus_sim_config import parse_config
from cpppo.server.enip.plant import parse_plant
from tests.orgblocks import Block, blocks, normalised, registry_installs
from tests.tools import ROOT, Server, need, python_environment

DOCUMENTS = [path for path in (ROOT / "README.org", *sorted((ROOT / "docs").rglob("*.org"))) if path.exists()]
SHELLS = ("shell", "sh", "bash", "console")
TIMEOUT_S = 60.0

#: Programs that change the machine, fetch things or run the tests: their blocks must say why they are not run.
NEVER_RUN = ("pip", "pip3", "sudo", "git", "docker", "vagrant", "packer", "apt-get", "apt", "make")

#: Commands that serve until they are stopped.
SERVING = re.compile(
    r"(make simulator|enip_server|modbus_sim|python3? -m cpppo\.(server\.enip|remote\.modbus_sim))(?![\w.])"
    r"(?!.*(--help|--check|-h\b))"
)

#: Put before every program of an example (as `sitecustomize`): documented port -> the one in use here.
PORTS = """
import json, os, socket
ports = {int(port): used for port, used in json.loads(os.environ["EXAMPLE_PORTS"]).items()}
bound = {}

def connecting(name):
    genuine = getattr(socket.socket, name)
    def connect(self, address, *rest):
        used = {**ports, **bound}
        if isinstance(address, tuple) and address[1] in used:
            address = ("127.0.0.1", used[address[1]])
        return genuine(self, address, *rest)
    setattr(socket.socket, name, connect)

def sendto(self, data, *rest, genuine=socket.socket.sendto):
    *flags, address = rest
    used = {**ports, **bound}
    return genuine(self, data, *flags, ("127.0.0.1", used[address[1]]) if address[1] in used else address)

def bind(self, address, genuine=socket.socket.bind):
    if not isinstance(address, tuple):
        return genuine(self, address)
    genuine(self, ("127.0.0.1", bound.get(address[1], 0)))
    used = self.getsockname()[1]
    for port in (address[1] or used, used):  # the same one again, for UDP beside TCP
        bound.setdefault(port, used)

def getaddrinfo(host, port, *rest, genuine=socket.getaddrinfo, **keywords):
    return genuine("127.0.0.1" if port in ports else host, port, *rest, **keywords)

for name in ("connect", "connect_ex"):
    connecting(name)
socket.socket.sendto, socket.socket.bind, socket.getaddrinfo = sendto, bind, getaddrinfo
"""


class Runner:
    """Runs the blocks of one document in order, in a directory of its own; its servers end with it."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.servers: dict[int, Server] = {}  # by documented port
        self.webs: dict[int, str] = {}  # used port of a web interface by documented one
        self.stack = ExitStack()
        programs, self.site, self.work = (scratch / name for name in ("bin", "site", "work"))
        for directory in (programs, self.site, self.work):
            directory.mkdir()
        (self.site / "sitecustomize.py").write_text(PORTS)
        for name, body in console_programs():
            (programs / name).write_text(f"#!/bin/sh\n{body}\n")
            (programs / name).chmod(0o755)
        self.path = f"{programs}{os.pathsep}{os.environ['PATH']}"

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def environment(self) -> dict[str, str]:
        used = {str(port): server.port for port, server in self.servers.items()}
        base = python_environment()
        return {
            **base,
            "PATH": self.path,
            "PYTHONPATH": f"{self.site}{os.pathsep}{base['PYTHONPATH']}",
            "EXAMPLE_PORTS": str(used).replace("'", '"'),
        }

    def run(self, block: Block) -> None:
        """Run one block; fails the test if it fails, or says something else than the document shows."""
        if block.file is not None:
            (self.work / block.file).write_text(block.text + "\n", encoding="utf-8")
        if block.excuse is not None:
            assert block.excuse, f"line {block.line}: 'not run, because' gives no reason"
        elif block.language == "toml":
            self.configuration(block)
        elif block.language in SHELLS:
            for line, command, output in block.commands():
                self.shell(line, command, output)
        elif block.language == "python":
            self.server_for(44818)
            self.compare(block.line, self.finish(block.line, [sys.executable, "-c", block.program]), block.output)

    def configuration(self, block: Block) -> None:
        """A TOML file: of the bridge, of a simulated Modbus device, or of a plant."""
        octets, name = block.text.encode(), f"line {block.line}"
        if "[devices." in block.text:
            assert parse_bridge(octets, name).devices
        elif re.search(r"^\[values\]", block.text, re.MULTILINE):
            assert parse_config(octets, name).values
        else:
            plant = parse_plant(octets, name)
            plant.populate(plant.device())

    def shell(self, line: int, command: str, output: str | None) -> None:
        if SERVING.match(command):
            self.serve(line, command)
            return
        program = command.split()[0]
        assert program not in NEVER_RUN, f"line {line}: say 'not run, because ...' before a block with {program}"
        if not self.servers:
            self.server_for(44818)
        used = {port: str(server.port) for port, server in self.servers.items()}
        if program == "curl":
            need(program)
        for port, other in {**used, **self.webs}.items():  # programs of other makers are told by their arguments
            command = re.sub(rf"\b{port}\b", other, command)
        self.compare(line, self.finish(line, ["bash", "-e", "-o", "pipefail", "-c", command]), output)

    def finish(self, line: int, command: list[str]) -> str:
        """Run a command to its end; its standard output."""
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            cwd=self.work,
            env=self.environment(),
        )
        told = f"line {line}: {command[-1]}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, told
        assert "Traceback (most recent call last)" not in done.stderr, told
        return done.stdout

    def compare(self, line: int, output: str, expected: str | None) -> None:
        if expected is not None:
            assert normalised(output) == normalised(expected), f"line {line}: the output is not the one shown"

    def serve(self, line: int, command: str) -> None:
        """Start a server in the background; it stands in for the one the document speaks of."""
        command = command.rstrip("& ")
        if command.startswith("make simulator"):
            command = simulator_command(command)
        asked = re.search(r"(?:-a|--address)[ =]\S*:(\d+)", command)
        server = Server(command=["bash", "-c", f"exec {command}"], env=self.environment(), cwd=self.work)
        documented = int(asked[1]) if asked else 44818
        if documented in self.servers:
            self.servers.pop(documented).stop()
        self.servers[documented] = self.stack.enter_context(server)
        if web := re.search(r"(?:-w|--web)[ =]\S*:(\d+)", command):
            told = r" web http://\S+:(\d+)/"  # in the line that was waited for, or, with -v, in a later one
            used = re.search(told, "\n".join(server.lines)) or server.wait_for(told)
            self.webs[int(web[1])] = used[1]

    def server_for(self, port: int) -> None:
        """The simulator that a document takes for granted, if it has started none."""
        if port not in self.servers:
            self.servers[port] = self.stack.enter_context(Server("SCADA=INT[1000]"))


def console_programs() -> Iterator[tuple[str, str]]:
    """(name, shell text) of `python` and of each console script that setup.py declares."""
    python = shlex.quote(sys.executable)
    yield from ((name, f'exec {python} "$@"') for name in ("python", "python3"))
    declared = re.findall(r'"(\w+) = ([\w.]+):(\w+)"', (ROOT / "setup.py").read_text())
    assert declared, "setup.py declares no console script"
    for name, module, function in declared:
        call = f"import sys; from {module} import {function}; sys.argv[0] = '{name}'; sys.exit({function}())"
        yield name, f'exec {python} -c "{call}" "$@"'


def simulator_command(command: str) -> str:
    """What `make simulator` starts in the end, without creating an environment first."""
    need("make")
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    told = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "-C", str(ROOT), *shlex.split(command)[1:]],
        capture_output=True,
        text=True,
        check=True,
        env=outer,  # the tests may run under a make of their own, with variables that are not meant for this one
    ).stdout
    found = re.findall(r"^exec \S*(enip_server .*)$", told, re.MULTILINE)
    assert found, f"make simulator starts no enip_server:\n{told}"
    return str(found[-1])


def test_there_is_something_to_run() -> None:
    """README.org shows at least one command and one Python block that are run."""
    shown = [block.language for block in blocks((ROOT / "README.org").read_text()) if block.excuse is None]
    assert {"python"} & set(shown) and set(SHELLS) & set(shown)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_document(document: Path, tmp_path: Path) -> None:
    """Each block of the document runs, and says what the document shows."""
    with Runner(tmp_path) as runner:
        for block in blocks(document.read_text(encoding="utf-8")):
            runner.run(block)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_document_installs_from_sources(document: Path) -> None:
    """No document tells anybody to install by name: the registry's package of that name is another one."""
    assert registry_installs(document.read_text(encoding="utf-8")) == []
