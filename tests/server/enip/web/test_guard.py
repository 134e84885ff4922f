"""Who is answered at all: hosts, origins, tokens, malformed URLs."""

from __future__ import annotations

import socket

import pytest

from cpppo.errors import UsageError
from cpppo.server.enip.web.guard import accepted, at_home, url_of, welcome
from tests.server.enip.web.browsing import TIMEOUT_S, Web, web

TOKEN = "s3cret-token"
CHANGE = {"group": "tags", "match": "SCADA", "command": "attribute[0]", "value": 7}


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("LOCALHOST:80", True),
        ("plc.localhost:1", True),
        ("127.0.0.1:12345", True),
        ("[::1]:12345", True),
        ("192.168.1.5", True),
        ("plant.example:80", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("evil.example@localhost", False),
        ("", False),
        (None, False),
        ("[::1", False),
    ],
)
def test_hosts(host: str | None, ours: bool) -> None:
    """Numeric addresses, localhost and our own names: what a page of another site cannot be called."""
    assert welcome(host, {"plant.example"}) is ours


@pytest.mark.parametrize(
    ("headers", "home"),
    [
        ({}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "whatever"}, False),
        ({"origin": "http://localhost:81"}, True),
        ({"origin": "http://localhost:82"}, False),
        ({"origin": "http://localhost"}, False),
        ({"origin": "http://127.0.0.1:81"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://localhost:x"}, False),
        ({"referer": "http://localhost:81/static/index.html"}, True),
        ({"referer": "http://evil.example/localhost:81"}, False),
        ({"referer": "http://localhost:81@evil.example/"}, False),
        ({"origin": "http://localhost:81", "referer": "http://evil.example/"}, False),
    ],
)
def test_origins(headers: dict[str, str], home: bool) -> None:
    """Whatever a browser says of a foreign page is believed; scripts say nothing."""
    assert at_home({"host": "localhost:81", **headers}) is home


def test_usual_ports_are_left_out() -> None:
    assert at_home({"host": "localhost", "origin": "http://localhost:80"})


@pytest.mark.parametrize(
    "raw",
    ["/api/%", "/api/%4", "/api/%zz", "/api?x=%g1", "/api/%00", "/api/a%0d%0ab", "/api/%ff", "/api/\xff", "/a\x7f"],
)
def test_malformed_urls(raw: str) -> None:
    with pytest.raises(UsageError):
        url_of(raw)


def test_urls() -> None:
    """Segments are decoded one by one: a %2F is part of one; the last argument of a name counts."""
    assert url_of("/api/a%2Fb/c?x=1&x=2&y=%20") == (("api", "a/b", "c"), {"x": "2", "y": " "})
    assert url_of("http://localhost/api") == (("api",), {})
    assert url_of("*") == (("",), {})
    with pytest.raises(UsageError, match="arguments"):
        url_of("/api?" + "&".join("x=1" for _ in range(101)))


def test_without_accept_it_is_json() -> None:
    assert accepted(None) == accepted(" ") == "application/json"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Referer": "http://evil.example/page"},
    ],
)
def test_foreign_pages_change_nothing(site: Web, headers: dict[str, str]) -> None:
    """Neither by GET nor by POST; the same without a change is answered."""
    got = site.get("/api/tags/SCADA/attribute[0]=7", **headers)
    assert got.status == 403 and got.command == (False, "pages of other origins cannot change anything")
    assert site.post(CHANGE, **headers).status == 403
    assert site.plc["SCADA"][0] == 0
    assert site.get("/api/tags/SCADA/attribute[0]", **headers).status == 200


def test_our_own_page_changes(site: Web) -> None:
    own = {"Sec_Fetch_Site": "same-origin", "Origin": f"http://{site.host}", "Referer": f"http://{site.host}/x"}
    assert site.post(CHANGE, **own).status == 200
    assert site.plc["SCADA"][0] == 7


@pytest.mark.parametrize("target", ["/api", "/", "/static/index.html", "/page/overview", "/metrics"])
def test_another_host_is_not_answered(site: Web, target: str) -> None:
    """A name that was made to point here (DNS rebinding) is refused, whatever is asked."""
    got = site.get(target, Host="evil.example")
    assert got.status == 403 and "localhost" in got.json["error"]


def test_token() -> None:
    """Without it all but the page's own files is 401; with one, no other site's pages may read."""
    with web("SCADA", token=TOKEN) as site:
        for target in ("/api", "/api.json", "/api/", "/page/overview", "/metrics", "/api/tags/SCADA/attribute=7"):
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
                got = site.get(target, **headers)
                assert (got.status, got.headers["www-authenticate"]) == (401, "Bearer"), target
        assert site.post(CHANGE).status == 401
        assert site.plc["SCADA"][0] == 0
        for target in ("/static/index.html", "/openapi.json"):
            assert site.get(target).status == 200
        bearer = {"Authorization": f"bearer {TOKEN}"}
        got = site.get("/api", **bearer)
        assert got.status == 200 and "access-control-allow-origin" not in got.headers
        assert site.post(CHANGE, **bearer).status == 200


@pytest.mark.parametrize(
    "target",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/....//app.py",
        "/static//etc/passwd",
        "/static/%2Fetc%2Fpasswd",
        "/static/..\\app.py",
        "/static/",
        "/static/index.html/",
        "/static/nosuch.css",
        "/../setup.py",
        "/page/../api",
        "/nosuch",
    ],
)
def test_no_path_leads_out(site: Web, target: str) -> None:
    """Only the files of the page are served: all else is not there."""
    assert site.get(target).status == 404


def test_no_other_server_is_asked(site: Web) -> None:
    """A URL that names a host of its own is refused."""
    for target in ("//etc/passwd", "http://evil.example/api"):
        assert site.get(target).status in (400, 403)


@pytest.mark.parametrize("target", ["/api/%", "/static/%00", "/api/x%0d%0aSet-Cookie:%20a=b", "/page/tags?search=%ff"])
def test_malformed_urls_are_refused(site: Web, target: str) -> None:
    """400; and no header of the answer is the client's."""
    got = site.get(target)
    assert got.status in (400, 404) and "set-cookie" not in got.headers
    assert site.get("/api").status == 200


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /api HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET  HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api HTTP/1.1\r\n\r\n",
        b"GET /api HTTP/1.0\r\n\r\n",
        b"GET /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70000 + b"\r\n\r\n",
        b"FOO\r\n\r\n",
        bytes(range(256)) + b"\r\n\r\n",
    ],
    ids=lambda one: repr(one[:30]),
)
def test_no_request_at_all(site: Web, octets: bytes) -> None:
    """Octets that are no HTTP, or too many, end their connection at most; others are answered."""
    with socket.create_connection(site.address, TIMEOUT_S) as sock:
        sock.sendall(octets)
        try:
            reply = sock.recv(65536)
        except ConnectionResetError:
            reply = b""
        assert reply == b"" or reply.startswith(b"HTTP/1.1 ")
        assert b"Traceback" not in reply
    assert site.get("/api").status == 200


def test_a_handler_that_fails_is_500(
    site: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug of ours is in the log, and nothing of it in the answer."""
    monkeypatch.setattr(type(site.plc.device), "tags", lambda self: 1 / 0)
    got = site.get("/page/tags")
    assert (got.status, got.json) == (500, {"error": "an error of the web interface; the log has it"})
    assert "ZeroDivisionError" in caplog.text
