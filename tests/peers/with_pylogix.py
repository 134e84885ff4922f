"""pylogix' PLC as a `Peer`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.peers.peer import Identity, Listed, Refused
from tests.tools import need_module

__all__ = ["Pylogix"]


class Pylogix:
    """``plc`` is pylogix' own. A Micro800 must be told to it."""

    name = "pylogix"

    def __init__(self, address: tuple[str, int], micro: bool) -> None:
        self.plc = need_module("pylogix").PLC()
        self.plc.IPAddress, self.plc.Port = address
        self.plc.Micro800 = micro
        self.plc.conn.msg_socket.close()  # of its ReceiveMessage; it never closes that itself

    def identity(self) -> Identity:
        found = _value(self.plc.GetDeviceProperties())
        major, minor = map(int, found.Revision.split("."))
        return Identity(found.ProductName, int(found.SerialNumber, 16), (major, minor))

    def tags(self) -> Mapping[str, Listed]:
        found = _value(self.plc.GetTagList()) or []
        return {
            one.TagName: Listed(one.DataType.replace("ASCIISTRING82", "STRING"), one.Array, one.Size)
            for one in found
            if not one.TagName.startswith("Program:") or "." in one.TagName
        }

    def programs(self) -> Sequence[str]:
        return [one.removeprefix("Program:") for one in _value(self.plc.GetProgramsList())]

    def read(self, tag: str, count: int = 1) -> Any:
        return _value(self.plc.Read(tag, count))

    def write(self, tag: str, value: Any) -> None:
        _value(self.plc.Write(tag, value))

    def read_many(self, *tags: str) -> list[Any]:
        return [_value(one) for one in self.plc.Read(list(tags))]

    def write_many(self, *pairs: tuple[str, Any]) -> None:
        for one in self.plc.Write(list(pairs)):
            _value(one)

    def clock(self) -> int:
        microseconds: int = _value(self.plc.GetPLCTime(raw=True))
        return microseconds

    def set_clock(self) -> None:
        _value(self.plc.SetPLCTime())

    def close(self) -> None:
        self.plc.Close()


def _value(response: Any) -> Any:
    if response.Status != "Success":
        raise Refused(f"{response.TagName}: {response.Status}")
    return response.Value
