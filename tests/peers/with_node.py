"""st-ethernet-ip, a client in JavaScript, as a `Peer`: a process of node that is told what to do line by line.

Owns: its installation into a directory that is no part of the sources, and the process. Must not know what calls do.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.peers.peer import Identity, Listed, Refused
from tests.tools import ROOT, missing, need

__all__ = ["Node", "installed"]

_HERE = Path(__file__).parent / "node"
#: Where packages of npm are kept.
_CACHE = ROOT / ".node"
_INSTALL_S, _END_S = 150.0, 20.0


def installed() -> Path:
    """The directory of the packages that package.json names, installed if they are not there yet."""
    npm = need("npm", optional=True)
    wanted = (_HERE / "package.json").read_bytes()
    place = _CACHE / hashlib.sha256(wanted).hexdigest()[:16]
    if place.is_dir():
        return place / "node_modules"
    _CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE) as scratch:
        (Path(scratch) / "package.json").write_bytes(wanted)
        done = subprocess.run(
            [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=scratch,
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
        )
        if done.returncode:
            missing("st-ethernet-ip", f"npm install, which says {done.stderr.strip()[-400:]}")
        made = Path(scratch) / "whole"
        made.mkdir()
        shutil.move(Path(scratch) / "node_modules", made)
        try:
            made.rename(place)
        except OSError:  # another run was quicker
            if not place.is_dir():
                raise
    return place / "node_modules"


class Node:
    """A process of node with the client in it."""

    name = "st-ethernet-ip"

    def __init__(self, address: tuple[str, int], micro: bool, connected: bool = True) -> None:
        node, script = need("node", optional=True), str(_HERE / "client.js")
        slot, mode = "-" if micro else "0", "connected" if connected else "unconnected"
        self._process = subprocess.Popen(
            [node, script, str(address[1]), slot, mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "NODE_PATH": str(installed()), "TZ": "UTC"},
        )
        try:
            self._call("open")
        except BaseException:
            self._end()
            raise

    def _call(self, name: str, *arguments: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": name, "with": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"node ended ({self._process.wait(_END_S)}) when it was told to {name}"
        answer = json.loads(line, object_hook=_int)
        if "error" in answer:
            raise Refused(f"{name} {arguments[:1]}: {answer['error']}")
        return answer["value"]

    def identity(self) -> Identity:
        found = self._call("identity")
        major, minor = map(int, found["version"].split("."))
        return Identity(found["name"], found["serial"], (major, minor))

    def tags(self) -> Mapping[str, Listed]:
        kinds = {"ASCIISTRING82": "STRING", "BIT_STRING": "DWORD"}
        return {
            f"Program:{program}.{name}" if program else name: Listed(kinds.get(kind, kind), dimensions, None)
            for program, name, kind, dimensions in self._call("tags")
        }

    def programs(self) -> Sequence[str]:
        return list(self._call("programs"))

    def read(self, tag: str, count: int = 1) -> Any:
        return self._call("read", tag, count)

    def write(self, tag: str, value: Any) -> None:
        self._call("write", tag, _big(value))

    def read_many(self, *tags: str) -> list[Any]:
        return list(self._call("readMany", *tags))

    def write_many(self, *pairs: tuple[str, Any]) -> None:
        self._call("writeMany", *[(tag, _big(value)) for tag, value in pairs])

    def clock(self) -> int:
        microseconds: int = self._call("clock")
        return microseconds

    def set_clock(self) -> None:
        self._call("setClock")

    def close(self) -> None:
        try:
            self._call("close")
        finally:
            self._end()

    def _end(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise


def _big(value: Any) -> Any:
    """A value whose integers that JavaScript's numbers cannot hold are texts."""
    if isinstance(value, list):
        return [_big(one) for one in value]
    if isinstance(value, dict):
        return {name: _big(one) for name, one in value.items()}
    if isinstance(value, int) and not -(2**53) < value < 2**53:
        return {"int": str(value)}
    return value


def _int(value: dict[str, Any]) -> Any:
    return int(value["int"]) if set(value) == {"int"} else value
