"""Tags that ask a weather service: one in this process, on a free port, which answers what a test wants."""

from __future__ import annotations

import logging
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cpppo.errors import StatusError, UsageError
from cpppo.history import Writer
from cpppo.server.enip.client import connector, parse_operations
from cpppo.server.enip.device import Device
from cpppo.server.enip.historize import Historized
from cpppo.server.enip.weather import RETRY_S, Service, ServiceError, WeatherAttribute, weather
from cpppo.server.enip.wire.types import DINT, INT, REAL
from tests.server.enip.device.frames import Simulator, numbers, read, symbol, write
from tests.tools import Server, run_module

MODULE = "cpppo.server.enip.weather"
UNAVAILABLE = bytes.fromhex("cc000200")
TIMEOUT_S = 10.0

Answer = Callable[[BaseHTTPRequestHandler], None]


def says(text: str | bytes, status: int = 200) -> Answer:
    """An answer of a body."""
    body = text.encode() if isinstance(text, str) else text

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def raw(octets: bytes) -> Answer:
    """An answer that may be no HTTP at all, and the end of the connection."""
    return lambda handler: handler.wfile.write(octets) and None


def redirects(to: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


class Weather:
    """A weather service: `answer` says what it does, `asked` keeps the paths it was asked for."""

    def __init__(self) -> None:
        self.answer: Answer = says('{"main": {"temp": 12.5}}')
        self.asked: list[str] = []
        self.ended = threading.Event()
        weather = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                weather.asked.append(self.path)
                try:
                    weather.answer(self)
                except OSError:  # whoever asked is gone
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                """Tests show what matters."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False  # so that server_close waits for them
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def never(self, handler: BaseHTTPRequestHandler) -> None:
        """Silence, until the test ends."""
        self.ended.wait(TIMEOUT_S)

    def drips(self, handler: BaseHTTPRequestHandler) -> None:
        """An answer that goes on, an octet at a time, until the test ends."""
        handler.send_response(200)
        handler.end_headers()
        while not self.ended.wait(0.02):
            handler.wfile.write(b" ")
            handler.wfile.flush()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Weather]:
    monkeypatch.setenv("no_proxy", "*")
    one = Weather()
    yield one
    one.close()
    for thread in threading.enumerate():  # those that still ask get their end now
        if thread.name.startswith("weather "):
            thread.join(TIMEOUT_S)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def city(service: Weather, name: str = "London", timeout_s: float = TIMEOUT_S, **settings: Any) -> WeatherAttribute:
    """A tag that asks the service."""
    return weather(Service(f"{service.url}/{{name}}", timeout_s=timeout_s, **settings))(name, REAL)


def simulator(*tags: WeatherAttribute) -> Simulator:
    device = Device()
    for tag in tags:
        device.add_tag(tag)
    return Simulator(device)


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


def real(value: float) -> bytes:
    """The reply to Read Tag of a REAL."""
    return bytes.fromhex("cc000000ca00") + struct.pack("<f", value)


# -- reading


@pytest.mark.parametrize("temperature", [12.5, -40, 0, 1e10])
def test_read(service: Weather, temperature: float) -> None:
    """A tag reads as the temperature at main.temp, a REAL, whole numbers too."""
    service.answer = says(f'{{"name": "x", "main": {{"temp": {temperature}, "humidity": 50}}}}')
    speaks = simulator(city(service))
    assert speaks.cip(read(symbol("London"))) == real(temperature)
    assert speaks.cip(b"\x0e" + numbers(2, 1, 1))[4:] == struct.pack("<f", temperature)


@pytest.mark.parametrize(
    ("name", "asked"), [("London", "/London"), ("New_York", "/New%20York"), ("Line:1", "/Line%3A1")]
)
def test_name(service: Weather, name: str, asked: str) -> None:
    """The service is asked for the tag's name, with blanks for _ and all else escaped."""
    assert city(service, name).value == 12.5
    assert service.asked == [asked]


def test_key(service: Weather) -> None:
    """The API key goes where the template says, escaped."""
    tag = weather(Service(f"{service.url}/?q={{name}}&appid={{key}}", key="a b&c"))("Rome", REAL)
    assert tag.value == 12.5 and service.asked == ["/?q=Rome&appid=a%20b%26c"]


def test_python_access(service: Weather) -> None:
    """By an index it is a number, by a slice a list; elements that are not there are a KeyError, and not asked for."""
    tag = city(service)
    assert (tag[0], tag[0:1], tag.value, str(tag).endswith("== [12.5]")) == (12.5, [12.5], 12.5, True)
    with pytest.raises(KeyError):
        tag[1]
    assert len(service.asked) == 1


def test_write(service: Weather) -> None:
    """The weather cannot be written."""
    tag = city(service)
    speaks = simulator(tag)
    assert speaks.cip(write(symbol("London"), 0xCA, 1, bytes(4)))[:3] == bytes.fromhex("cd000f")
    with pytest.raises(StatusError, match="weather"):
        tag[0] = 20.0
    assert speaks.cip(read(symbol("London"))) == real(12.5)


@pytest.mark.parametrize(
    ("kind", "default"),
    [(DINT, 0), (INT, [0]), (REAL, bytes(8)), (REAL, 12.5)],
    ids=["type", "list", "octets", "value"],
)
def test_only_one_real(service: Weather, kind: Any, default: Any) -> None:
    """A tag of another type, a vector, or one with a value of its own is refused, saying what to write."""
    with pytest.raises(UsageError, match="write Oslo alone"):
        weather(Service(f"{service.url}/{{name}}"))("Oslo", kind, default)
    assert weather(Service(f"{service.url}/{{name}}"))("Oslo", INT).type is REAL


# -- failures

FAILURES = [
    ("not found", says("{}", 404), "HTTP status 404"),
    ("server error", says('{"main": {"temp": 1}}', 503), "HTTP status 503"),
    ("no http", raw(b"\x00\xff garbage\r\n\r\n"), "BadStatusLine"),
    ("gone", raw(b""), "RemoteDisconnected"),
    ("cut short", raw(b'HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\n{"main"'), "not JSON"),
    ("cut chunk", raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"), "IncompleteRead"),
    ("huge header", raw(b"HTTP/1.0 200 OK\r\nX: " + b"x" * 70000), "LineTooLong"),
    ("redirected nowhere", redirects("http://[x"), "ValueError"),
    ("redirected to a file", redirects("file:///etc/hostname"), "HTTP status 302"),
    ("empty", says(""), "not JSON"),
    ("no json", says("<html>sunny</html>"), "not JSON"),
    ("no text", says(b"\xff\xfe\x00\xd8"), "not JSON"),
    ("deep", says("[" * 60000), "not JSON"),
    ("huge", says(" " * 70000 + '{"main": {"temp": 1}}'), "more than 65536 octets"),
    ("a list", says("[1]"), "without main.temp"),
    ("a number", says("12.5"), "without main.temp"),
    ("no main", says('{"cod": 401}'), "without main.temp"),
    ("no temp", says('{"main": {}}'), "without main.temp"),
    ("main is text", says('{"main": "temp"}'), "without main.temp"),
    ("text", says('{"main": {"temp": "12.5"}}'), "no REAL"),
    ("null", says('{"main": {"temp": null}}'), "no REAL"),
    ("true", says('{"main": {"temp": true}}'), "no REAL"),
    ("NaN", says('{"main": {"temp": NaN}}'), "no REAL"),
    ("infinite", says('{"main": {"temp": 1e999}}'), "no REAL"),
    ("too great", says('{"main": {"temp": 1e39}}'), "no REAL"),
    ("far too great", says(f'{{"main": {{"temp": 1{"0" * 400}}}}}'), "no REAL"),
]


@pytest.mark.parametrize(("answer", "reason"), [one[1:] for one in FAILURES], ids=[one[0] for one in FAILURES])
def test_failure(service: Weather, answer: Answer, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the service does wrong is CIP status 0x02, one line in the log that says what, and the session lives."""
    service.answer = answer
    speaks = simulator(city(service))
    assert [speaks.cip(read(symbol("London"))) for _ in range(3)] == [UNAVAILABLE] * 3
    (line,) = warned(caplog)
    assert "London" in line and reason in line and line.isprintable()
    assert speaks.alive()


@pytest.mark.parametrize("how", ["never", "drips"])
def test_slow(service: Weather, how: str, caplog: pytest.LogCaptureFixture) -> None:
    """A service that is silent, or never comes to an end, is given up after the time-out, and asked once at a time."""
    service.answer = getattr(service, how)
    speaks = simulator(city(service, timeout_s=0.1))
    assert [speaks.cip(read(symbol("London"))) for _ in range(3)] == [UNAVAILABLE] * 3
    assert len(warned(caplog)) == 1 and len(service.asked) == 1


def test_nobody_there(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """No service at all is a failure as any other."""
    monkeypatch.setenv("no_proxy", "*")
    closed = Weather()
    closed.close()
    assert simulator(city(closed)).cip(read(symbol("London"))) == UNAVAILABLE
    (line,) = warned(caplog)
    assert "refused" in line


def test_bug_in_the_service_class(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error while asking reaches the reader and the log, and nobody waits for ever."""

    class Broken(Service):
        def temperature(self, name: str) -> float:
            raise ZeroDivisionError("a mistake")

    tag = weather(Broken("http://localhost/{name}", timeout_s=TIMEOUT_S))("London", REAL)
    with pytest.raises(StatusError, match="ZeroDivisionError: a mistake"):
        tag[0]
    assert any(one.exc_info for one in caplog.records)


def test_changes_are_told_once(service: Weather, caplog: pytest.LogCaptureFixture) -> None:
    """The log has a line each time that a city starts to fail or ends to, however often it is read."""
    good, bad = service.answer, says("{}", 500)
    speaks = simulator(city(service, cache_s=0), city(service, "Paris", cache_s=0))
    for answer in (good, bad, bad, good, good, bad):
        service.answer = answer
        replies = {speaks.cip(read(symbol(name))) for name in ("London", "Paris") for _ in range(2)}
        assert replies == {real(12.5) if answer is good else UNAVAILABLE}
    told = [one for one in warned(caplog) if "London" in one]
    assert ["Couldn't get" in one for one in told] == [True, False, True]
    assert len(warned(caplog)) == 6


# -- holding answers


def test_cache(service: Weather) -> None:
    """An answer holds for the time given, to the second; then the service is asked anew."""
    clock = Clock()
    tag = city(service, cache_s=60, clock=clock)
    assert tag[0] == 12.5
    service.answer = says('{"main": {"temp": 13}}')
    clock.now += 59.9
    assert (tag[0], len(service.asked)) == (12.5, 1)
    clock.now += 0.1
    assert (tag[0], tag[0], len(service.asked)) == (13.0, 13.0, 2)


@pytest.mark.parametrize(("cache_s", "holds"), [(60, RETRY_S), (2, 2)])
def test_cache_of_failures(service: Weather, cache_s: float, holds: float) -> None:
    """A failure holds for a while, too, but not as long: a service in trouble is not hammered."""
    clock, good = Clock(), service.answer
    service.answer = says("{}", 500)
    speaks = simulator(city(service, cache_s=cache_s, clock=clock))
    assert speaks.cip(read(symbol("London"))) == UNAVAILABLE
    service.answer = good
    clock.now += holds - 0.1
    assert (speaks.cip(read(symbol("London"))), len(service.asked)) == (UNAVAILABLE, 1)
    clock.now += 0.1
    assert (speaks.cip(read(symbol("London"))), len(service.asked)) == (real(12.5), 2)


def test_asked_once_for_many(service: Weather) -> None:
    """Clients that read while the service is being asked wait for that answer; another city does not wait."""
    there, go = threading.Event(), threading.Event()
    good = service.answer

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/London":
            there.set()
            go.wait(TIMEOUT_S)
        good(handler)

    service.answer = slowly
    tag, other = city(service), city(service, "Paris")
    found: list[float] = []
    first = threading.Thread(target=lambda: found.append(tag[0]))
    first.start()
    assert there.wait(TIMEOUT_S)
    begun = threading.Barrier(9)

    def late() -> None:
        begun.wait(TIMEOUT_S)
        found.append(tag[0])

    threads = [threading.Thread(target=late) for _ in range(8)]
    for thread in threads:
        thread.start()
    begun.wait(TIMEOUT_S)
    assert other[0] == 12.5 and not found
    go.set()
    for thread in (first, *threads):
        thread.join(TIMEOUT_S)
    assert found == [12.5] * 9 and sorted(service.asked) == ["/London", "/Paris"]


def test_late_answer(service: Weather, caplog: pytest.LogCaptureFixture) -> None:
    """An answer that comes after the time-out serves those who read later."""
    go, good = threading.Event(), service.answer

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        go.wait(TIMEOUT_S)
        handler.wfile.write(b'{"main": {"temp": 3}}')

    service.answer = slowly

    class Patient(Service):
        def temperature(self, name: str) -> float:
            return Service(self.url, timeout_s=TIMEOUT_S).temperature(name)

    tag = weather(Patient(f"{service.url}/{{name}}", timeout_s=0.05))("London", REAL)
    with pytest.raises(StatusError, match="within 0.05 s"):
        tag[0]
    go.set()
    for thread in threading.enumerate():
        if thread.name == "weather London":
            thread.join(TIMEOUT_S)
    service.answer = good
    assert (tag[0], len(service.asked), len(warned(caplog))) == (3.0, 1, 2)


def test_with_a_record(service: Weather, tmp_path: Path) -> None:
    """A city can be recorded as any tag: the historized class first, then that of the weather."""
    with Writer(tmp_path / "some.hst", clock=lambda: 0.0) as writer:

        class Recorded(Historized, weather(Service(f"{service.url}/{{name}}", cache_s=0))):  # type: ignore[misc]
            history = writer

        tag = Recorded("London", REAL)
        assert tag.value == 12.5
        service.answer = says("{}", 500)
        with pytest.raises(StatusError):
            tag[0:1]
    lines = (tmp_path / "some.hst").read_text().splitlines()
    assert lines[1].endswith('["London", [0, 0]]\t{"read": [12.5]}')
    assert "Exception: no temperature of London: HTTP status 500 (status 0x02)" in lines[2]


# -- settings


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"url": "http://localhost/"}, "{name}"),
        ({"url": "{name}"}, "no URL"),
        ({"url": "file:///{name}"}, "no URL"),
        ({"url": "http:///{name}"}, "no URL"),
        ({"url": "http://localhost:x/{name}"}, "no URL"),
        ({"url": "http://localhost:99999/{name}"}, "no URL"),
        ({"url": "http://[x/{name}"}, "no URL"),
        ({"url": "http://localhost/a b{name}"}, "no URL"),
        ({"url": "http://localhost/\n{name}"}, "no URL"),
        ({"url": "http://localhost/\u00e9{name}"}, "no URL"),
        ({}, "--key KEY"),
        ({"url": "http://localhost/{name}", "key": "secret"}, "{key}"),
        ({"url": "http://localhost/{name}", "timeout_s": 0}, "timeout 0"),
        ({"url": "http://localhost/{name}", "timeout_s": float("nan")}, "timeout nan"),
        ({"url": "http://localhost/{name}", "timeout_s": float("inf")}, "timeout inf"),
        ({"url": "http://localhost/{name}", "cache_s": -1}, "cache -1"),
        ({"url": "http://localhost/{name}", "cache_s": float("nan")}, "cache nan"),
    ],
    ids=str,
)
def test_wrong_settings(settings: dict[str, Any], told: str) -> None:
    """Settings that cannot be are refused when given, saying which."""
    with pytest.raises(UsageError) as caught:
        Service(**settings)
    assert told in str(caught.value)


def test_the_key_is_not_told(service: Weather) -> None:
    """No failure shows the API key."""
    for _, answer, _ in FAILURES:
        service.answer = answer
        with pytest.raises(ServiceError) as caught:
            Service(f"{service.url}/{{name}}?{{key}}", key="secret").temperature("London")
        assert "secret" not in str(caught.value)


# -- the command


def test_command(service: Weather) -> None:
    """The command serves each city by its name, with the server's options among its own."""
    options = (
        "--url",
        f"{service.url}/{{name}}",
        "--print",
        "--cache",
        "60",
        "London",
        "Paris",
        "--timeout=10",
        "New_York=REAL",
    )
    with Server(*options, command=(sys.executable, "-u", "-m", MODULE, "-a", "127.0.0.1:0")) as server:
        connection = connector(*server.address, timeout=TIMEOUT_S)
        failures, values = connection.process(parse_operations(["London", "Paris", "New_York", "London"]))
        assert (failures, values) == (0, [[12.5]] * 4)
        failures, _ = connection.process(parse_operations(["London=1.5"]))
        assert failures == 1
        connection.close()
        assert server.stop() == 0
        assert any("London[    0-0    ] == [12.5]" in one for one in server.lines)
    assert sorted(service.asked) == ["/London", "/New%20York", "/Paris"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "no cities"),
        (["London"], "--key KEY"),
        (["--url", "http://localhost/", "London"], "{name}"),
        (["--url", "http://localhost/{name}", "--timeout", "soon", "London"], "--timeout"),
        (["--url", "http://localhost/{name}", "--cache", "-1", "London"], "cache -1"),
        (["--url", "http://localhost/{name}", "London=DINT"], "'London' is a temperature"),
        (["--url", "http://localhost/{name}", "--nothing", "London"], "--nothing"),
        (["--url", "http://localhost/{name}", "--tim", "5", "London"], "--tim"),
    ],
    ids=["nothing", "no key", "no name", "timeout", "cache", "type", "no option", "abbreviation"],
)
def test_wrong_usage(arguments: list[str], told: str) -> None:
    """Wrong usage, ours or the server's: what, and what instead; exit status 2."""
    done = run_module(MODULE, *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr[-500:]
    assert told in done.stderr and "Traceback" not in done.stderr


def test_help() -> None:
    """--help shows every option, and how to try it."""
    done = run_module(MODULE, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for one in ("--url", "--key", "--timeout", "--cache", "{name}", "0x02", "main.temp", "enip_client"):
        assert one in done.stdout, one


#: As the specification prints it, its methods in the class and the tag's name in place; {url} is where to ask.
EXAMPLE = """
import sys, logging, json
try:
    from urllib2 import urlopen
except ImportError:
    from urllib.request import urlopen

from cpppo.server.enip import device
from cpppo.server.enip.main import main

class Attribute_weather( device.Attribute ):
    def __getitem__( self, key ):
        try:
            url = "{url}/data/2.5/weather?units=metric&q=%s" % self.name
            weather = json.loads( urlopen( url ).read() )
            return [ weather['main']['temp'] ]
        except Exception as exc:
            logging.warning( "Couldn't get temperature for %s: %s", self.name, exc )
            raise

    def __setitem__( self, key, value ):
        raise Exception( "Changing the weather isn't that easy..." )

sys.exit( main( attribute_class=Attribute_weather ))
"""


def test_example_of_the_specification(service: Weather, tmp_path: Path) -> None:
    """The example of the specification runs as printed: temperatures are read, writes and failures are status 0x02."""
    script = tmp_path / "weather.py"
    script.write_text(EXAMPLE.replace("{url}", service.url))
    command = (sys.executable, "-u", str(script), "-a", "127.0.0.1:0", "London=REAL")
    with Server(command=command) as server:
        connection = connector(*server.address, timeout=TIMEOUT_S)
        operations = parse_operations(["London", "London=1.5"])
        results = [(one.sts, one.val) for one in connection.synchronous(operations)]
        service.answer = says("{}", 404)
        results += [(one.sts, one.val) for one in connection.synchronous(parse_operations(["London"]))]
        connection.close()
        server.stop()
    assert [status for status, _ in results] == [0, 2, 2] and results[0][1] == [12.5]
    assert service.asked == ["/data/2.5/weather?units=metric&q=London"] * 2
    assert len([one for one in server.lines if "Couldn't get temperature for London" in one]) == 1
