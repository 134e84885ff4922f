"""The pollers of a bridge file's devices, and the controller whose tags they fill.

Owns: making both, polling what tags are made of, and ending it.  Rule: what a value is made of is polled in one
request, so that a part of it is never older than the rest.  Must not know sockets of clients, or the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Protocol

from cpppo.remote.bridge_config import BridgeConfig, BridgeTag, DeviceConfig, Serial
from cpppo.remote.bridge_tags import OnlineAttribute, Polled, attribute_for
from cpppo.remote.pdu import READ_LIMIT
from cpppo.server.enip.device import Device
from cpppo.timing import clock

__all__ = ["Bridge", "Pollers", "Polling", "modbus_pollers"]

#: Seconds that pollers are waited for at the end, all together.
_END_S = 5.0


class Polling(Polled, Protocol):
    """A poller that runs."""

    def poll(self, address: int, rate: float | None = None, count: int = 1) -> None:
        """Poll ``count`` addresses from ``address`` on from now on, in one request."""

    def stop(self, timeout: float | None = 5.0) -> bool:
        """Poll no more; whether the last poll ended within ``timeout`` seconds."""


#: Makes the pollers of all devices, by their names; what is to be closed after them goes to the stack.
Pollers = Callable[[BridgeConfig, ExitStack], Mapping[str, Polling]]


def modbus_pollers(config: BridgeConfig, stack: ExitStack) -> dict[str, Polling]:
    """A Modbus poller for each device; those on one serial line take turns.  ImportError: there is no pymodbus."""
    from cpppo.remote.plc_modbus import poller_modbus
    from cpppo.remote.pymodbus_fixes import modbus_client_rtu

    lines: dict[str, Any] = {}

    def client(line: Serial) -> Any:
        if line.path not in lines:
            longest = [one.timeout for one in config.devices if one.serial == line and one.timeout is not None]
            settings: dict[str, Any] = line._asdict()
            del settings["path"]
            if longest:
                settings["timeout"] = max(longest)
            lines[line.path] = modbus_client_rtu(port=line.path, **settings)
            stack.callback(lines[line.path].close)
        return lines[line.path]

    def poller(one: DeviceConfig) -> Polling:
        common: dict[str, Any] = {"reach": one.reach, "multi": one.multi, "unit": one.unit, "rate": one.rate}
        if one.serial is not None:
            return poller_modbus(one.name, client=client(one.serial), **common)
        if one.timeout is not None:
            common["timeout"] = one.timeout
        return poller_modbus(one.name, host=one.host, port=one.port, **common)

    return {one.name: poller(one) for one in config.devices}


class Bridge:
    """The controller of a bridge file, whose devices are polled from ``start`` to ``stop``, or as long as in the block.

    ``device``: the controller; ``pollers``: by the names of devices.

    :param pollers: makes the pollers; Modbus ones if not said.
    """

    def __init__(self, config: BridgeConfig, pollers: Pollers = modbus_pollers) -> None:
        self.config = config
        self.device = Device(config.profile, config.strict, config.name)
        self._after = ExitStack()
        self.pollers = dict(pollers(config, self._after))
        for one in config.devices:
            poller = self.pollers[one.name]
            for tag in one.tags:
                self.device.add_tag(attribute_for(tag, poller))
            if one.online is not None:
                self.device.add_tag(OnlineAttribute(one.online, poller))

    def __enter__(self) -> Bridge:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to poll what the tags are made of."""
        for one in self.config.devices:
            for address, count in _groups(one.tags):
                self.pollers[one.name].poll(address, count=count)

    def stop(self) -> None:
        """End polling, for good, and the connections to devices."""
        until = clock() + _END_S
        for one in self.pollers.values():
            one.stop(0)  # all of them, before any is waited for
        for one in self.pollers.values():
            one.stop(max(0.0, until - clock()))
        self._after.close()


def _groups(tags: Iterable[BridgeTag]) -> Iterator[tuple[int, int]]:
    """(address, count) of what is to be polled in one request each: values, and those that overlap, together.

    Those overlapping that are too many for a request are polled as they are.
    """
    ranges = sorted({_range(tag, at) for tag in tags for at in range(tag.point.size)})
    group: list[tuple[int, int]] = []
    beyond = 0
    for address, count in [*ranges, (1 << 32, 1)]:
        if group and address >= beyond:
            whole = beyond - group[0][0]
            yield from [(group[0][0], whole)] if whole <= READ_LIMIT[False] else group
            group = []
        group.append((address, count))
        beyond = max(beyond, address + count)


def _range(tag: BridgeTag, at: int) -> tuple[int, int]:
    """(first address, count) of value ``at`` of a tag."""
    addresses = tag.point.addresses(at, at + 1)
    return addresses[0], len(addresses)
