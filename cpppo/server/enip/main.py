"""enip_server: the simulator's command line; equals ``python -m cpppo.server.enip``.

Owns: from settings to a device that is served, and back to an exit status.
Do not import this to embed a simulator without a command line: use ``cpppo.server.enip.simulator``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import ExitStack
from typing import Any

from cpppo.errors import Error, UsageError
from cpppo.logs import NORMAL
from cpppo.server.command import (
    format_address,
    logging_to,
    raise_descriptor_limit,
    read_lines,
    refused,
    serve_until_interrupted,
)
from cpppo.server.enip.arguments import Settings, parse_arguments
from cpppo.server.enip.control import Controlled, completed
from cpppo.server.enip.device import Attribute, Device, Identity, profile_named
from cpppo.server.enip.options import ADDRESS
from cpppo.server.enip.plant import PlantError, parse_plant, read_plant
from cpppo.server.enip.serve import connections_for, serve
from cpppo.server.enip.tagging import create
from cpppo.server.enip.website import Unserved, Website
from cpppo.server.enip.wire.types import Kind, unpack
from cpppo.server.tcp import Server

__all__ = ["main"]

log = logging.getLogger("enip.srv")

#: Descriptors of a server beside those of its connections.
_OTHER_DESCRIPTORS = 64


def main(
    argv: Sequence[str] | None = None,
    attribute_class: type[Attribute] = Attribute,
    identity_class: type[Identity] | None = None,
    idle_service: Callable[[], object] | None = None,
    *,
    server: MutableMapping[str, Any] | None = None,
) -> int:
    """Serve the tags on the command line until interrupted, or until ``server['control'].done``.

    :param argv: the arguments, by default those of the process.
    :param attribute_class: what tags are made of; a subclass of ``device.Attribute``.
    :param identity_class: what says who the controller is; a subclass of ``device.Identity``.
    :param idle_service: called about every ``latency`` seconds, by the thread that accepts clients; what it raises
        ends the server, and is raised here.
    :param server: its ``control``, a ``cpppo.apidict``, leads the server from other threads: ``.done = True`` ends it,
        ``.disable = True`` ends its sessions and closes its port until False again; ``.latency`` (0.1) are the
        seconds in which it follows, ``.timeout`` (twice the latency) those that requests may take at the end, two at
        least.  What is missing is put there, and ``address`` (host, port) once it listens; ``web``, that of ``--web``.
    :return: exit status: 0 ended in order, 1 could not serve, 2 wrong usage.

    In a thread other than the main one it leaves signals alone.  UsageError if ``server`` is wrong.
    """
    surroundings: MutableMapping[str, Any] = {} if server is None else server
    surroundings["control"] = completed(surroundings.get("control"))
    with ExitStack() as stack:
        try:
            settings = parse_arguments(argv)
        except UsageError as exc:
            return _failed(2, exc)
        chores = [] if idle_service is None else [idle_service]
        try:
            reopen = stack.enter_context(logging_to(settings.log, settings.verbose))
            run = None if settings.profile is None else _profiling(settings.profile)
        except OSError as exc:
            return _failed(1, f"cannot write {exc.filename}: {exc.strerror}; name a file that can be written")
        if reopen is not None:
            chores.append(reopen)
        try:
            device, said = _device(settings, attribute_class, identity_class or Identity)
        except OSError as exc:
            return _failed(2, f"cannot read {exc.filename}: {exc.strerror}; name a plant file that can be read")
        except PlantError as exc:
            print(exc, file=sys.stderr)
            return _failed(2, f"{settings.config} has {exc.count}; see above")
        except UsageError as exc:
            return _failed(2, exc)
        except KeyboardInterrupt:  # while tags were read from standard input
            return 130
        if settings.check:
            print(f"{settings.config}: {said}: all right")
            return 0
        return _serve(settings, device, run, chores, surroundings, stack, last=argv is None)


def _serve(
    settings: Settings,
    device: Device,
    run: Callable[[Callable[[], None]], object] | None,
    chores: Sequence[Callable[[], object]],
    surroundings: MutableMapping[str, Any],
    stack: ExitStack,
    last: bool,
) -> int:
    """Serve a device until the end, with what the settings want beside it; the exit status.

    :param surroundings: as ``server`` of `main`; ``stack``: ends what is begun here; ``last``: then the process ends.
    """
    control = surroundings["control"]
    replay = None
    if settings.play is not None:
        try:
            replay = _replay(settings, device)
        except (OSError, Error) as exc:
            return _failed(1, f"cannot play {settings.play}: {exc}")
    wanted = connections_for(settings.connections) + _OTHER_DESCRIPTORS
    site = None
    if settings.web is not None:
        try:
            site = Website(settings.web)
        except Unserved as exc:
            return _failed(1, exc)
        wanted += site.descriptors
    if 0 < (got := raise_descriptor_limit(wanted)) < wanted:
        log.log(NORMAL, "%d descriptors can be open at once; --connections may want up to %d", got, wanted)

    def start(address: tuple[str, int], tick: Callable[[], float]) -> Server:
        return serve(
            device,
            address,
            settings.connections,
            idle_s=settings.idle_s,
            size=settings.size,
            delay=settings.delay,
            tick=tick,
            run=run,
            counters=None if site is None else site.counters,
        )

    try:
        serving = Controlled(start, settings.address, control, chores)
    except (OSError, UnicodeError) as exc:
        return _failed(1, refused(exc, settings.address, ADDRESS[1]))
    surroundings["address"] = serving.address
    if replay is not None:
        stack.callback(replay.stop)
        replay.start()

    def started() -> None:
        count, where = len(device.tags()), format_address(serving.address)
        if site is not None:
            stack.enter_context(site.on(device, serving, control, settings.delay))
            surroundings["web"] = site.address
            where += f", web {site.url}"
        tags = f"{count} tag{'' if count == 1 else 's'}"
        print(f"enip_server: {tags} on {where}; Ctrl-C ends it", file=sys.stderr, flush=True)

    try:
        serve_until_interrupted(serving, started, last)
    except Unserved as exc:
        return _failed(1, exc)
    return 0


def _failed(code: int, reason: object) -> int:
    print(f"enip_server: {reason}", file=sys.stderr)
    return code


def _device(settings: Settings, attribute_class: type[Attribute], identity_class: type[Identity]) -> tuple[Device, str]:
    """The device with all its tags, and what the plant file has."""
    identity = None if settings.identity is None else profile_named(settings.identity)
    plant = parse_plant(b"", identity=identity) if settings.config is None else read_plant(settings.config, identity)
    device = plant.device(strict=settings.strict, identity_class=identity_class)
    plant.populate(device, attribute_class)
    for text in read_lines(settings.tags, sys.stdin):
        create(device, text, attribute_class, plant.kinds)
    if not device.tags() and settings.config is None:
        raise UsageError("no tags on standard input; give one a line, eg. SCADA=INT[1000]")
    if settings.print:
        device.router.observer = _Printer()
    if settings.delay.range[1]:
        log.log(NORMAL, "Delaying all responses by %s seconds", settings.delay)
    return device, plant.summary()


def _replay(settings: Settings, device: Device) -> Any:
    from cpppo.server.enip.replay import Replay  # seldom wanted

    return Replay(device, str(settings.play), settings.factor, settings.loop)


def _profiling(path: str) -> Callable[[Callable[[], None]], None]:
    from cpppo.server.profiling import Profiling  # slow to import, and seldom wanted

    return Profiling(path)


class _Printer:
    """Prints what clients read and write, a line each."""

    def __call__(self, name: str, kind: Kind, first: int, octets: bytes, sign: str) -> None:
        values = unpack(kind, octets)
        last = first + max(len(values), 1) - 1
        sys.stdout.write(f"{name:>20}[{first:5}-{last:<5}] {sign} {values}\n")
        sys.stdout.flush()
