"""pycomm3's LogixDriver as a `Peer`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.peers.peer import Identity, Listed, Refused
from tests.tools import need_module

__all__ = ["Pycomm3"]


class Pycomm3:
    """``driver`` is pycomm3's own."""

    name = "pycomm3"

    def __init__(self, address: tuple[str, int]) -> None:
        self.driver = need_module("pycomm3").LogixDriver("{}:{}".format(*address))
        if not self.driver.open():
            raise Refused("open")

    def identity(self) -> Identity:
        info = self.driver.info
        return Identity(
            info["product_name"], int(info["serial"], 16), (info["revision"]["major"], info["revision"]["minor"])
        )

    def tags(self) -> Mapping[str, Listed]:
        found = self.driver.tags
        return {
            name: Listed(one["data_type_name"], one["dim"], one["dimensions"][0] if one["dim"] else 0)
            for name, one in found.items()
        }

    def programs(self) -> Sequence[str]:
        return list(self.driver.info["programs"])

    def read(self, tag: str, count: int = 1) -> Any:
        return _value(self.driver.read(tag if count == 1 else f"{tag}{{{count}}}"))

    def write(self, tag: str, value: Any) -> None:
        _value(self.driver.write((_counted(tag, value), value)))

    def read_many(self, *tags: str) -> list[Any]:
        return [_value(one) for one in self.driver.read(*tags)]

    def write_many(self, *pairs: tuple[str, Any]) -> None:
        for one in self.driver.write(*[(_counted(tag, value), value) for tag, value in pairs]):
            _value(one)

    def clock(self) -> int:
        value = _value(self.driver.get_plc_time())
        microseconds: int = value["microseconds"]
        return microseconds

    def set_clock(self) -> None:
        _value(self.driver.set_plc_time())

    def close(self) -> None:
        self.driver.close()


def _counted(tag: str, value: Any) -> str:
    """pycomm3 wants to be told how many elements a list has; a bit of a BOOL array is told by its index."""
    assert not re.search(r"[{}]", tag)
    return f"{tag}{{{len(value)}}}" if isinstance(value, list) else tag


def _value(tag: Any) -> Any:
    if tag.error is not None:
        raise Refused(f"{tag.tag}: {tag.error}")
    return tag.value
