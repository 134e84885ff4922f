"""The simulator for programs and test-suites: a controller in a thread, its tags at hand.

Owns: the life of a Device, its server and the thread that accepts; and Tag, Python's way to a tag's values.
Rule: values go through the Attribute, as they do for clients; after ``stop`` no thread, socket or port is left.
Must not know the protocol or the command line.
"""

from __future__ import annotations

import difflib
import logging
import operator
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from cpppo.errors import Error, LocalProtocolError, UsageError
from cpppo.server.delay import Delay
from cpppo.server.enip.control import Controlled, completed
from cpppo.server.enip.device import Attribute, AttributeFailure, IdentityData, Profile, profile_named
from cpppo.server.enip.plant import parse_plant, read_plant
from cpppo.server.enip.serve import MAXIMUM_SESSIONS, serve
from cpppo.server.enip.tagging import create
from cpppo.server.enip.web.running import WebSettings
from cpppo.server.enip.website import Website
from cpppo.server.tcp import Server

__all__ = ["LOOPBACK", "OutOfRange", "Simulator", "Tag", "UnknownTag", "simulator"]

log = logging.getLogger("enip.srv")

#: Where a simulator listens unless told otherwise: this host alone, any free port.
LOOPBACK = ("127.0.0.1", 0)

#: An index, the indices of an element of several dimensions, or a slice.
Key = int | tuple[int, ...] | slice

#: Near names that are shown of a tag that is not there, and how near they are (0 to 1).
_NEAR, _NEARNESS = 3, 0.5


class UnknownTag(Error, KeyError):
    """A tag that the simulator does not have."""

    def __str__(self) -> str:  # KeyError would quote it
        return str(self.args[0])


class OutOfRange(Error, IndexError):
    """An element that the tag does not have."""


class Tag:
    """The values of a tag, a sequence whose length never changes: ``tag[3]``, ``tag[-1]``, ``tag[2:5] = 1, 2, 3``.

    ``name``; ``attribute``: the Attribute itself, eg. to let it answer an error.  An index beyond its elements is
    OutOfRange (an IndexError), a slice is cut to them, without a step; as many values are written as there are
    elements.  A value that its type cannot hold is LocalProtocolError.  The elements of several dimensions are in
    row-major order; ``tag[1, 2]`` is one of them, too.
    """

    def __init__(self, attribute: Attribute) -> None:
        self.attribute = attribute

    @property
    def name(self) -> str:
        """Its name, as it was given."""
        return self.attribute.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions; () of a scalar."""
        return self.attribute.shape

    @property
    def value(self) -> Any:
        """The value of a scalar, the list of all values otherwise."""
        return self[0] if self.attribute.scalar else self[:]

    @value.setter
    def value(self, value: Any) -> None:
        self[0 if self.attribute.scalar else slice(None)] = value

    def __len__(self) -> int:
        return len(self.attribute)

    def __iter__(self) -> Iterator[Any]:
        return iter(self[:])

    def __getitem__(self, key: Key) -> Any:
        start, stop = self._range(key)
        # By slice, as clients do: an override gives a list for it, whatever it would give for an index.
        values = self.attribute[start:stop] if start < stop else []
        if not isinstance(values, (list, tuple)) or len(values) != stop - start:
            raise AttributeFailure(f"{type(self.attribute).__name__} {self.name}[{start}:{stop}] gave {values!r}")
        return list(values) if isinstance(key, slice) else values[0]

    def __setitem__(self, key: Key, value: Any) -> None:
        start, stop = self._range(key)
        values = list(value) if isinstance(key, slice) else [value]
        if len(values) != stop - start:
            raise UsageError(
                f"{self.name}[{start}:{stop}] has {stop - start} elements; {len(values)} values were given"
            )
        if values:
            self.attribute[start:stop] = values

    def _range(self, key: Key) -> tuple[int, int]:
        """First and last+1 element of a key."""
        count = len(self)
        if isinstance(key, slice):
            start, stop, step = key.indices(count)
            if step != 1:
                raise UsageError(f"{self.name} has no steps; slice what it gives, as in tag[:][::{step}]")
            return start, max(start, stop)
        if isinstance(key, tuple):
            try:
                index = self.attribute.index(key)
            except KeyError:
                raise OutOfRange(f"{self.name} has no element {key}; its dimensions are {self.shape}") from None
            return index, index + 1
        index = operator.index(key)
        if not -count <= index < count:
            raise OutOfRange(f"{self.name} has no element {index}; it has {count}, counted from 0")
        return index % count, index % count + 1

    def __repr__(self) -> str:
        return f"<Tag {self.attribute}>"


class Simulator:
    """A controller with tags, in this process; in a ``with`` block, or from ``start`` to ``stop``, it answers clients.

    :param tags: as on the command line, eg. ``SCADA=INT[10]``, or Attributes.
    :param address: (host, port) to listen on; this host alone and any free port if not given.
    :param attribute_class: what tags given as text are made of; a subclass of ``device.Attribute``.
    :param strict: refuse what is written in another type than the tag's, as a controller does, even if it would fit.
    :param identity: who the controller says it is: an identity, a profile, or the name of one, eg. ``1756-L83E``.
    :param config: a plant file, whose types, tags and programs there are, too.
    :param connections: sessions there can be at once.
    :param idle_s: seconds without a request after which a client is left; None: never.
    :param delay: of each response; its ``value``, in seconds, can be changed at any time.
    :param web: (host, port), or more settings, of a web interface beside it; see ``url``.

    UsageError for a tag that cannot be understood, or given twice; PlantError with all that is wrong with ``config``.
    ``device`` takes Objects of your own.
    """

    def __init__(
        self,
        *tags: str | Attribute,
        address: tuple[str, int] = LOOPBACK,
        attribute_class: type[Attribute] = Attribute,
        strict: bool = False,
        identity: IdentityData | Profile | str | None = None,
        config: str | Path | None = None,
        connections: int = MAXIMUM_SESSIONS,
        idle_s: float | None = None,
        delay: Delay | None = None,
        web: WebSettings | tuple[str, int] | None = None,
    ) -> None:
        if isinstance(identity, str):
            identity = profile_named(identity)
        profile = Profile(identity) if isinstance(identity, IdentityData) else identity
        plant = parse_plant(b"", identity=profile) if config is None else read_plant(config, profile)
        self.device = plant.device(strict)
        plant.populate(self.device, attribute_class)
        self._delay = Delay() if delay is None else delay
        self._website = None if web is None else Website(web if isinstance(web, WebSettings) else WebSettings(web))
        counters = None if self._website is None else self._website.counters
        self._listen = partial(
            serve, self.device, sessions=connections, idle_s=idle_s, delay=self._delay, counters=counters
        )
        self._address = address
        self._serving: tuple[Server | Controlled, threading.Thread] | None = None
        self._site = ExitStack()
        for tag in tags:
            if isinstance(tag, Attribute):
                self.device.add_tag(tag)
            elif isinstance(tag, str):
                create(self.device, tag, attribute_class, plant.kinds)
            else:
                raise UsageError(
                    f"{tag!r} is no tag; write each as an argument, eg. simulator('SCADA=INT[10]', 'Level=REAL')"
                )

    # -- its life

    def start(self) -> Simulator:
        """Listen, and answer clients in threads of their own; nothing new if it does so already.

        OSError if the address cannot be had.  After ``stop`` it can be started again, with the values it had.
        """
        if self._serving is None:
            server = self._listen(self._address) if self._website is None else self._with_site(self._website)
            thread = threading.Thread(target=server.serve, name=f"simulator_{server.address[1]}", daemon=True)
            try:
                thread.start()
            except BaseException:
                server.stop()
                self._site.close()
                raise
            self._serving = server, thread
        return self

    def _with_site(self, website: Website) -> Controlled:
        """What serves, led by the web interface that is started beside it."""
        control = completed(None)
        server = Controlled(lambda address, tick: self._listen(address, tick=tick), self._address, control)
        try:
            self._site.enter_context(website.on(self.device, server, control, self._delay))
        except BaseException:
            server.stop()
            raise
        return server

    def stop(self, timeout_s: float = 2.0) -> None:
        """Answer the requests that have come, end the sessions, give the port back; nothing if that is done.

        :param timeout_s: seconds that requests may still take, and as many again once their sessions are cut off.
        """
        if self._serving is None:
            return
        (server, thread), self._serving = self._serving, None
        server.stop(timeout_s)
        thread.join()
        self._site.close()
        for one in server.connections():
            log.warning("the session of %s goes on: an Attribute or Object keeps its thread", one.peer[0])

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> tuple[str, int]:
        """(host, port) that it listens on; LocalProtocolError unless it does."""
        if self._serving is None:
            raise LocalProtocolError("it is not serving; use it in a with statement, or call start()", "address")
        return self._serving[0].address

    @property
    def url(self) -> str:
        """Where a browser finds its web interface; LocalProtocolError unless there is one, and it serves."""
        if self._website is None or self._serving is None:
            raise LocalProtocolError("it has no web interface, or is not serving; say web=('127.0.0.1', 0)", "url")
        return self._website.url

    # -- its tags

    def __getitem__(self, name: str) -> Tag:
        attribute = self._find(name)
        if attribute is None:
            raise UnknownTag(self._unknown(name))
        return Tag(attribute)

    def _find(self, name: object) -> Attribute | None:
        try:
            return self.device[name] if isinstance(name, str) else None
        except KeyError:
            return None

    def _unknown(self, name: object) -> str:
        names = {one.lower(): one for one in self}
        near = difflib.get_close_matches(str(name).lower(), names, _NEAR, _NEARNESS)
        if near:
            return f"no tag {name!r}; is it {' or '.join(repr(names[one]) for one in near)}?"
        there = sorted(names.values())
        more = f" and {len(there) - _NEAR} more" if len(there) > _NEAR else ""
        return (
            f"no tag {name!r}; there {'are' if there else 'is'} {', '.join(map(repr, there[:_NEAR])) or 'none'}{more}"
        )

    def __contains__(self, name: object) -> bool:
        return self._find(name) is not None

    def __iter__(self) -> Iterator[str]:
        """The names of the tags, in the order they were added."""
        return iter([one.name for one in self.device.tags()])

    def __repr__(self) -> str:
        where = "stopped" if self._serving is None else "on {}:{}".format(*self.address)
        return f"<Simulator of {', '.join(self) or 'no tags'}, {where}>"


#: The same, by the name under which it reads well in a with statement.
simulator = Simulator
