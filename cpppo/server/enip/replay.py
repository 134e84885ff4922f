"""Tags driven by a recording: ``enip_server --play FILE``.

Owns: the thread that sets the values when they are due, and what it tells of those it cannot.
Rule: values go through the Attribute, as those that clients write; what cannot be set is told once a tag.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import time

from cpppo.errors import Error
from cpppo.history.playback import Playback
from cpppo.history.series import tag_values
from cpppo.history.source import Entry
from cpppo.history.stream import Stream, warning
from cpppo.logs import NORMAL
from cpppo.server.enip.device import Device

__all__ = ["Replay"]

log = logging.getLogger("enip.srv")


class Replay:
    """Sets the tags of a device to what was recorded of them, by ``historize`` or ``enip_client --record``.

    :param path: the recording; HistoryExhausted if there is none, OSError if it cannot be read.
    :param factor: how many times faster than it was recorded.
    :param loop: begin again at the end.
    :param clock: seconds since 1970.
    """

    def __init__(
        self, device: Device, path: str, factor: float = 1.0, loop: bool = False, clock: Callable[[], float] = time
    ) -> None:
        self._device, self._path, self._clock = device, path, clock
        self._told: set[str] = set()
        self._playback = Playback(Stream(path, warning), clock(), factor, loop)
        self._wait_s = self._playback.wait_s(clock())  # opens it, or says why not
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    def start(self) -> None:
        """Play, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End it, wherever it is."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while (wait_s := self._playback.wait_s(self._clock())) is not None and not self._over.wait(wait_s):
                for one in self._playback.due(self._clock()):
                    self._set(one.entry)
                    if self._over.is_set():
                        return
            log.log(NORMAL, "%s is played to its end", self._path)
        except (OSError, Error) as exc:
            log.error("%s is not played any further: %s", self._path, exc)

    def _set(self, entry: Entry) -> None:
        tag = tag_values(entry)
        if tag is None:
            self._tell("records that are not of tags", "they are passed over")
            return
        try:
            self._device[tag.name][tag.first : tag.first + len(tag.values)] = tag.values
        except KeyError:
            self._tell(f"tag {tag.name}", "there is none of that name here")
        except Exception as exc:  # an Attribute may be anybody's
            self._tell(f"tag {tag.name}", str(exc) or type(exc).__name__)

    def _tell(self, what: str, why: str) -> None:
        if what not in self._told:
            self._told.add(what)
            log.warning("%s has %s that cannot be played: %s", self._path, what, why)
