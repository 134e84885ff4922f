"""A simulator whose tags are temperatures: ``python -m cpppo.server.enip.weather CITY...``.

Each tag is the city of its name; reading it asks a weather service, which answers in JSON over HTTP.  To see how
little a tag of your own needs, derive it from ``device.Attribute``; most of this is about services that fail.
"""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit

from cpppo.errors import Error, StatusError, UsageError
from cpppo.server.enip.device import Attribute
from cpppo.server.enip.main import main as serve
from cpppo.server.enip.wire import status
from cpppo.server.enip.wire.types import INT, REAL
from cpppo.version import __version__

__all__ = ["URL", "Service", "ServiceError", "WeatherAttribute", "main", "weather"]

log = logging.getLogger("enip.srv")

#: What is asked by default; it wants an API key.
URL = "https://api.openweathermap.org/data/2.5/weather?units=metric&q={name}&appid={key}"

#: Seconds until a service that failed is asked again, at most.
RETRY_S = 5.0

#: Octets of an answer at most, and the greatest REAL.
_ANSWER, _GREATEST = 65536, 3.4028234e38

_EXAMPLES = f"""\
Each tag is a REAL, the temperature at main.temp of the JSON that the service answers. {{name}} in the template is the
name of the tag, _ standing for a blank; {{key}} is the API key. A failure is CIP status 0x02, and is asked about
again after at most {RETRY_S:g} seconds; there is a line in the log when a city starts to fail, and when it ends to.

examples:
  python -m cpppo.server.enip.weather --key 0123abcd London New_York
  python -m cpppo.server.enip.weather --url 'http://localhost:8000/{{name}}.json' --address localhost:0 Edmonton
  enip_client Edmonton                                in another terminal

exit status: as enip_server.
"""


class ServiceError(Error):
    """A weather service gave no temperature; says why."""


@dataclass(frozen=True)
class Service:
    """A weather service: what to ask, how long to wait, how long its answers hold; UsageError if that cannot be.

    ``url``: http or https, with ``{name}`` for the city and ``{key}`` for the API key; ``timeout_s``: seconds that a
    reader waits in all; ``cache_s``: seconds that an answer holds, by ``clock``.
    """

    url: str = URL
    key: str = ""
    timeout_s: float = 5.0
    cache_s: float = 60.0
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        fit = self.url.isascii() and self.url.isprintable() and " " not in self.url
        if not (fit and "{name}" in self.url and _is_http(self.url.replace("{name}", "x").replace("{key}", "x"))):
            raise UsageError(f"template {self.url!r} is no URL with {{name}}; eg. http://localhost:8000/{{name}}.json")
        if "{key}" in self.url and not self.key:
            raise UsageError("this service wants an API key, --key KEY; or name another service, --url TEMPLATE")
        if self.key and "{key}" not in self.url:
            raise UsageError("the template has no place for the key; write {key} where it belongs")
        if not 0 < self.timeout_s <= threading.TIMEOUT_MAX:
            raise UsageError(f"timeout {self.timeout_s:g} is no time to wait; give seconds, eg. 5")
        if not 0 <= self.cache_s:
            raise UsageError(f"cache {self.cache_s:g} is no time that answers hold; give seconds, 0 for never")

    def temperature(self, name: str) -> float:
        """Ask for the temperature of a city; ServiceError says why there is none."""
        city = quote(name.replace("_", " "), safe="")
        url = self.url.replace("{name}", city).replace("{key}", quote(self.key, safe=""))
        try:
            with urllib.request.urlopen(url, timeout=self.timeout_s) as reply:
                octets = reply.read(_ANSWER + 1)
        except HTTPError as exc:
            exc.close()
            raise ServiceError(f"HTTP status {exc.code}") from exc
        except (OSError, http.client.HTTPException, ValueError) as exc:  # among these: time-outs, and bad redirections
            # As a literal: some of these quote what the service sent.
            raise ServiceError(f"{type(exc).__name__}: {str(exc)[:200]!r}") from exc
        if len(octets) > _ANSWER:
            raise ServiceError(f"an answer of more than {_ANSWER} octets")
        try:
            value = json.loads(octets)["main"]["temp"]
        except (ValueError, RecursionError) as exc:
            raise ServiceError(f"an answer that is not JSON: {exc}") from exc
        except (LookupError, TypeError) as exc:
            raise ServiceError(f"an answer without main.temp: {octets[:60]!r}") from exc
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _GREATEST:
            raise ServiceError(f"a main.temp that is no REAL: {str(value)[:60]!r}")
        return float(value)


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class _Answer(NamedTuple):
    """A temperature or, None, the reason there is none; ``until``: the clock's time up to which it holds."""

    temperature: float | None
    reason: str
    until: float


class WeatherAttribute(Attribute):
    """The temperature of the city of its name, a REAL; ``service``, which a subclass sets, says whom to ask.

    However many clients read, the service is asked once at a time, and not before its last answer has expired.
    """

    service: ClassVar[Service]
    read_only = True

    def __init__(self, name: str, type_cls: Any = REAL, default: Any = 0.0, *arguments: Any, **settings: Any) -> None:
        # INT is the type of tags that say none.
        if type_cls not in (INT, REAL) or isinstance(default, (list, tuple, bytes, bytearray)) or default:
            raise UsageError(f"tag {name!r} is a temperature, one REAL, and has no other value; write {name} alone")
        super().__init__(name, REAL, 0.0, *arguments, **settings)
        self._answer: _Answer | None = None
        self._asking: threading.Event | None = None  # set when the answer is there
        self._failing = False
        self._answering = threading.Lock()

    def __getitem__(self, key: Any) -> Any:
        super().__getitem__(key)  # refuses elements that are not there
        temperature = self._temperature()
        return [temperature] if isinstance(key, slice) else temperature

    def __setitem__(self, key: Any, value: Any) -> None:
        raise StatusError(status.PRIVILEGE_VIOLATION, (), "changing the weather isn't that easy")

    def _temperature(self) -> float:
        with self._answering:
            answer = self._answer
            expired = answer is None or self.service.clock() >= answer.until
            asking = self._asking
            if expired and asking is None:
                asking = threading.Event()
                # In a thread: no time-out of urllib ends looking up a name, or an answer that comes octet by octet.
                threading.Thread(target=self._ask, args=(asking,), name=f"weather {self.name}", daemon=True).start()
                self._asking = asking  # not before: if there is no thread, nobody would end it
        if expired and asking is not None:
            answer = self._answer if asking.wait(self.service.timeout_s) else None
        if answer is None:
            return self._known(None, f"no answer within {self.service.timeout_s:g} s")
        return self._known(answer.temperature, answer.reason)

    def _ask(self, asking: threading.Event) -> None:
        service = self.service
        temperature, reason, holds = None, "", min(service.cache_s, RETRY_S)
        try:
            temperature, holds = service.temperature(self.name), service.cache_s
        except ServiceError as exc:
            reason = str(exc)
        except Exception as exc:  # nobody else would hear of it: who reads must get an answer
            log.exception("asking for the temperature of %s", self.name)
            reason = f"{type(exc).__name__}: {exc}"
        with self._answering:
            self._answer = _Answer(temperature, reason, service.clock() + holds)
            self._asking = None
        asking.set()

    def _known(self, temperature: float | None, reason: str) -> float:
        """The temperature, or the refusal that its reader gets; the log hears if that is a change."""
        failing = temperature is None
        with self._answering:
            changed, self._failing = failing is not self._failing, failing
        if changed and failing:
            log.warning("Couldn't get the temperature of %s: %s", self.name, reason)
        elif changed:
            log.warning("The temperature of %s is known again", self.name)
        if temperature is None:
            raise StatusError(status.RESOURCE_UNAVAILABLE, (), f"no temperature of {self.name}: {reason}")
        return temperature


def weather(service: Service) -> type[WeatherAttribute]:
    """The class of tags that ask a service."""

    class Weather(WeatherAttribute):
        pass

    Weather.service = service
    return Weather


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the temperatures of the cities on the command line, until interrupted.

    :param argv: our options, and the arguments of ``enip_server``; by default those of the process.
    :return: exit status, as of enip_server: 0 ended in order, 1 could not serve, 2 wrong usage.
    """
    parser = argparse.ArgumentParser(
        prog="python -m cpppo.server.enip.weather",
        usage="%(prog)s [option...] [server option...] CITY...",
        description="Simulate a Logix controller whose tags are temperatures; options of enip_server apply.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"cpppo {__version__}")
    parser.add_argument("--url", metavar="TEMPLATE", default=URL, help="what to ask (default %(default)s)")
    parser.add_argument("--key", default="", help="the API key, for {key} in the template")
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=5.0, help="how long a read waits (default %(default)g)"
    )
    parser.add_argument(
        "--cache", metavar="SECONDS", type=float, default=60.0, help="how long an answer holds (default %(default)g)"
    )
    options, rest = parser.parse_known_args(argv)
    if not rest:
        parser.error("no cities; eg. London")
    try:
        service = Service(options.url, options.key, options.timeout, options.cache)
    except UsageError as exc:
        parser.error(str(exc))
    return serve(rest, attribute_class=weather(service))


if __name__ == "__main__":
    sys.exit(main())
