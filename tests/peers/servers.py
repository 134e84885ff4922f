"""Servers of other makers that our clients are let loose on, each in a thread of its own, on loopback.

Owns: what they have, and where they listen.  Rule: a server is made as its documents say, and ended with the block.
Must not know any client, ours included.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

from tests.tools import need_module

__all__ = [
    "ASSEMBLIES",
    "DEVICE",
    "HOST",
    "LARGE",
    "MAKERS",
    "NAME",
    "NUMBERS",
    "SERIAL",
    "TAGS",
    "Device",
    "Server",
    "Tags",
]

TIMEOUT_S = 20.0
HOST = "127.0.0.1"

#: What both say of themselves.
NAME, SERIAL = "Made elsewhere", 0xC0FFEE42

#: The tags ``One_TYPE`` and ``Some_TYPE``, and the values that these are given.
NUMBERS: dict[str, list[Any]] = {
    "SINT": [-128, 127, 0, 1],
    "DINT": [-(2**31), 2**31 - 1, 0, 1],
    "LINT": [-(2**63), 2**63 - 1, 0, 1],
    "REAL": [-1.5, 0.0, 2.0**100, 1.25],
    "LREAL": [-1e300, 0.0, 1e-300, 0.1],
}
#: Elements of the tag Large, of DINT; octets of the device's assemblies, by instance.
LARGE = 1500
ASSEMBLIES = {100: 8, 102: 500}


class Server:
    """A server of asyncio, up inside the block."""

    port: int

    def __enter__(self) -> Any:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._run(self._begin())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        try:
            self._run(self._end())
        finally:
            self._stop()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens on TCP."""
        return HOST, self.port

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(TIMEOUT_S)

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()

    async def _begin(self) -> None:
        raise NotImplementedError

    async def _end(self) -> None:
        raise NotImplementedError


def _identity() -> Any:
    return need_module("ethernetip.cip.identity_info").IdentityInfo(
        vendor_id=1,
        device_type=12,
        product_code=77,
        major_revision=3,
        minor_revision=4,
        serial_number=SERIAL,
        product_name=NAME,
    )


def _other_ids(manager: Any) -> Callable[[int], int]:
    """What gives the id that replies on a connection carry, which an adapter has to be told."""

    def found(to_id: int) -> int:
        connection = manager.find_by_ot_id(to_id)
        return 0 if connection is None else connection.to_connection_id

    return found


class Tags(Server):
    """cm-ethernetip's Logix tag server.

    :param honest: replies on a connection carry its T->O id, which an adapter does only if it is told to.
    :param structure: whether there is a tag that is a structure.
    :param more: numbers of further tags, which make the list long.
    """

    def __init__(self, honest: bool = True, structure: bool = False, more: int = 0) -> None:
        codes = need_module("ethernetip.logix.data_types")
        database = need_module("ethernetip.logix.tag_database")
        self.tags = database.TagDatabase()
        for name, values in NUMBERS.items():
            self.tags.add_tag(f"One_{name}", getattr(codes, name))
            self.tags.add_tag(f"Some_{name}", getattr(codes, name), len(values))
        self.tags.add_tag("Pump", codes.BOOL)
        self.tags.add_tag("Word", codes.DINT)
        self.tags.add_tag("Large", codes.DINT, LARGE)
        for number in range(more):
            self.tags.add_tag(f"Tag_{number}", codes.INT)
        if structure:
            members = [database.TemplateMember("speed", codes.REAL), database.TemplateMember("count", codes.DINT)]
            self.tags.add_struct_tag("Drive", self.tags.add_template("Motor", *members))
        dispatcher = need_module("ethernetip.logix.logix_dispatcher").LogixDispatcher(self.tags, _identity())
        self._adapter = need_module("ethernetip.protocol.eip_adapter").EipAdapter(dispatcher, _identity())
        #: As the one that the dispatcher made, but known here.
        self.manager = need_module("ethernetip.connections.connection_manager").ConnectionManagerObject()
        self.manager.dispatch_request = dispatcher.dispatch
        dispatcher.register_class(self.manager.cip_class)
        if honest:
            self._adapter.connection_id_lookup = _other_ids(self.manager)

    def octets(self, tag: str) -> bytes:
        """What a tag has."""
        octets: bytes = self.tags.find_by_name(tag).get_data()
        return octets

    async def _begin(self) -> None:
        await self._adapter.listen(HOST, 0)
        self.port = self._adapter.port

    async def _end(self) -> None:
        await self._adapter.close()


class Device(Server):
    """cm-ethernetip's virtual device, with assemblies."""

    def __init__(self, honest: bool = True) -> None:
        self._device = need_module("ethernetip.device.virtual_device").VirtualDevice(_identity(), HOST)
        self.manager = self._device.connection_manager
        self._honest = honest
        for number, size in ASSEMBLIES.items():
            self._device.add_assembly(number, size)

    def assembly(self, number: int) -> bytes:
        """What an assembly has, as the device's own program sees it."""
        octets: bytes = self._device.assemblies.get_assembly(number).get_data()
        return octets

    async def _begin(self) -> None:
        await self._device.start(0, 0)
        adapter = self._device._adapter  # where it listens is told by nothing else
        self.port = adapter.port
        if self._honest:
            adapter.connection_id_lookup = _other_ids(self.manager)

    async def _end(self) -> None:
        await self._device.close()


#: Their names in docs/conformance.org, and what makes them.
TAGS, DEVICE = "cm-ethernetip, tags", "cm-ethernetip, device"
MAKERS: dict[str, Callable[[], Server]] = {TAGS: Tags, DEVICE: Device}
