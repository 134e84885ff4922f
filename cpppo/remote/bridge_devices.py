"""The pollers of a bridge file's devices, and the controller whose tags they fill.

Owns: making both, polling what tags are made of, and ending it.  Rule: a value of several registers is polled in one
request.  Must not know sockets of clients, or the command line.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cpppo.remote.bridge_config import BridgeConfig, DeviceConfig, Serial
from cpppo.remote.bridge_tags import OnlineAttribute, Polled, attribute_for
from cpppo.server.enip.device import Device

__all__ = ["Bridge", "Polling", "modbus_pollers"]

#: Seconds that pollers are waited for at the end, all together.
_END_S = 5.0


class Polling(Polled, Protocol):
    """A poller that runs."""

    def poll(self, address: int, rate: float | None = None, count: int = 1) -> None:
        """Poll ``count`` addresses from ``address`` on from now on, in one request."""

    def stop(self) -> None:
        """Poll no more."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of the last poll."""


#: Makes the pollers of all devices, by their names.
Pollers = Callable[[BridgeConfig], Mapping[str, Polling]]


def modbus_pollers(config: BridgeConfig) -> dict[str, Polling]:
    """A Modbus poller for each device; those on one serial line take turns.  ImportError: there is no pymodbus."""
    from cpppo.remote.plc_modbus import poller_modbus
    from cpppo.remote.pymodbus_fixes import modbus_client_rtu

    lines: dict[str, Any] = {}
    patience: dict[str, float] = {}
    for one in config.devices:
        if one.serial is not None and one.timeout is not None:
            patience[one.serial.path] = max(one.timeout, patience.get(one.serial.path, 0.0))

    def client(line: Serial) -> Any:
        if line.path not in lines:
            more = {"timeout": patience[line.path]} if line.path in patience else {}
            lines[line.path] = modbus_client_rtu(
                port=line.path, baudrate=line.baudrate, parity=line.parity, stopbits=line.stopbits, **more
            )
        return lines[line.path]

    def poller(one: DeviceConfig) -> Polling:
        common: dict[str, Any] = {"reach": one.reach, "multi": one.multi, "unit": one.unit, "rate": one.rate}
        if one.timeout is not None:
            common["timeout"] = one.timeout
        if one.serial is not None:
            made: Polling = poller_modbus(one.name, client=client(one.serial), **common)
        else:
            made = poller_modbus(one.name, host=one.host, port=one.port, **common)
        return made

    return {one.name: poller(one) for one in config.devices}


class Bridge:
    """The controller of a bridge file, whose devices are polled from now on until ``stop``; a context, too.

    ``device``: the controller; ``pollers``: by the names of devices.

    :param pollers: makes the pollers; Modbus ones if not said.
    """

    def __init__(self, config: BridgeConfig, pollers: Pollers = modbus_pollers) -> None:
        self.config = config
        self.device = Device(config.profile, config.strict, config.name)
        self.pollers = dict(pollers(config))
        for one in config.devices:
            poller = self.pollers[one.name]
            for tag in one.tags:
                self.device.add_tag(attribute_for(tag, poller))
                for at in range(tag.point.size):
                    addresses = tag.point.addresses(at, at + 1)
                    poller.poll(addresses[0], count=len(addresses))
            if one.online is not None:
                self.device.add_tag(OnlineAttribute(one.online, poller))

    def __enter__(self) -> Bridge:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End polling."""
        for one in self.pollers.values():
            one.stop()
        within = threading.Event()
        del within
        for one in self.pollers.values():
            one.join(_END_S)
