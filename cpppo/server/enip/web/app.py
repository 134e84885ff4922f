"""The web application: which URL is answered by what.

Owns: methods, status codes, headers and content types; the only importer of web.py.  Rule: what is not understood or
not allowed is refused before anything is looked at; nothing that comes from outside is shown unescaped.
Must not know sockets and threads.
"""

from __future__ import annotations

import html
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import web

from cpppo.errors import UsageError
from cpppo.server.enip.web import api, guard, pages
from cpppo.server.enip.web.rates import Rates
from cpppo.server.enip.web.running import Running, WebSettings

__all__ = ["Site", "application"]

log = logging.getLogger("enip.web")

#: Bodies of more octets are sent in parts of so many; those sent at once, and seconds that each may take: whoever does
#: not read holds a thread for no longer.
_PART, _LARGE, _SEND_S = 65_536, 4, 15.0

#: Octets of the body of a POST.
_BODY = 65_536

_HERE = Path(__file__).parent
_STATIC = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".png": "image/png"}
_IMAGE = "static/images/favicon.png"

#: What a page of ours may do: load its own files and ask its own server, and nothing else.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS = (
    ("Cache-Control", "no-cache"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Content-Security-Policy", _POLICY),
)

#: The first parts of URLs that need the token.
_PRIVATE = ("api", "page", "metrics")

_DOCUMENT = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body>
<h2>Queries:</h2>
<pre>{queries}</pre>
<h2>Response:</h2>
<pre>{response}</pre>
</body>
</html>
"""


class Site:
    """What the handlers share.  ``names``: of this host, beside localhost and numeric addresses."""

    def __init__(self, running: Running, rates: Rates, settings: WebSettings, names: frozenset[str]) -> None:
        self.running, self.rates, self.settings, self.names = running, rates, settings, names
        page = _HERE / "page"
        self.files = {
            path.relative_to(page).as_posix(): (path, _STATIC[path.suffix])
            for path in page.rglob("*")
            if path.suffix in _STATIC
        }
        self.large = threading.BoundedSemaphore(_LARGE)


class _Reply(NamedTuple):
    status: int
    body: bytes = b""
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class _Request(NamedTuple):
    method: str
    url: guard.Url
    headers: dict[str, str]

    @property
    def changing(self) -> bool:
        return self.method not in ("GET", "HEAD")


def _problem(status: int, reason: str, *headers: tuple[str, str]) -> _Reply:
    return _Reply(status, json.dumps({"error": reason}).encode(), headers=headers)


def application(site: Site) -> Callable[..., Any]:
    """The site as a WSGI application."""
    web.config.debug = False  # else tracebacks go to the browser
    app = web.application(_URLS, {}, autoreload=False)
    app.add_processor(lambda handler: _emitted(site, handler))
    made: Callable[..., Any] = app.wsgifunc()
    return made


def _emitted(site: Site, handler: Callable[[], Any]) -> Any:
    """The reply of a handler, or of whatever refuses the request before."""
    ctx = web.ctx
    headers = {name[5:].replace("_", "-").lower(): text for name, text in ctx.env.items() if name.startswith("HTTP_")}
    try:
        url = guard.url_of(ctx.env.get("REQUEST_URI") or ctx.path + ctx.query)
    except UsageError as exc:
        reply = _problem(400, str(exc))
    else:
        ctx.site, ctx.request = site, _Request(ctx.method, url, headers)
        reply = _refused(site, ctx.request) or _handled(handler)
    ctx.status = f"{reply.status} {HTTPStatus(reply.status).phrase}"
    text = reply.kind.startswith(("text/", "application/")) and "charset" not in reply.kind
    ctx.headers = [
        ("Content-Type", f"{reply.kind}; charset=utf-8" if text else reply.kind),
        ("Content-Length", str(len(reply.body))),
        *_ALWAYS,
        *reply.headers,
    ]
    if site.settings.token is None:
        ctx.headers.append(("Access-Control-Allow-Origin", "*"))
    if ctx.method == "HEAD":
        return b""
    return reply.body if len(reply.body) <= _PART else _parts(site, reply.body)


def _handled(handler: Callable[[], Any]) -> _Reply:
    try:
        reply: _Reply = handler()
    except web.HTTPError:  # of web.py: no such URL, or no such method
        status = int(web.ctx.status.partition(" ")[0])
        allow = [(name, text) for name, text in web.ctx.headers if name == "Allow"]
        return _problem(status, HTTPStatus(status).phrase, *allow)
    if len(reply.body) > _PART and not web.ctx.site.large.acquire(blocking=False):
        return _problem(503, "too many large answers are being sent; try again", ("Retry-After", "1"))
    return reply


def _parts(site: Site, body: bytes) -> Iterator[bytes]:
    """A large body in parts; its place among the large ones is free again afterwards."""
    try:
        end = time.monotonic() + _SEND_S
        for at in range(0, len(body), _PART):
            if time.monotonic() > end:
                raise TimeoutError("timed out")
            yield body[at : at + _PART]
    finally:
        site.large.release()


def _refused(site: Site, request: _Request) -> _Reply | None:
    """What answers a request that may not be; None if it may."""
    if not guard.welcome(request.headers.get("host"), site.names):
        return _problem(403, "this host is known by its address, or as localhost, not by the name you asked for")
    first = request.url.segments[0].partition(".")[0]
    if first in _PRIVATE and not guard.admitted(request.headers.get("authorization"), site.settings.token):
        return _problem(
            401, "the token is missing or wrong: Authorization: Bearer TOKEN", ("WWW-Authenticate", "Bearer")
        )
    if request.changing and not guard.at_home(request.headers):
        return _problem(403, "pages of other origins cannot change anything")
    return None


def _answering(answer: Callable[[], _Reply]) -> _Reply:
    """What a handler answers; a bug of ours is told in the log, not to the client."""
    try:
        return answer()
    except Exception:
        log.exception("%s %s failed", web.ctx.method, web.ctx.path)
        return _problem(500, "an error of the web interface; the log has it")


class _Api:
    def GET(self) -> _Reply:
        return _answering(self._get)

    def POST(self) -> _Reply:
        return _answering(self._post)

    def _get(self) -> _Reply:
        request: _Request = web.ctx.request
        segments = request.url.segments[1:]
        if segments == ("",):
            return _Reply(303, headers=(("Location", "/api"),))
        if request.url.segments[0] == "api.json":
            segments = (".json",)
        now, site = time.time(), web.ctx.site
        try:
            query, as_json = api.query_of(segments, request.url.arguments)
        except UsageError as exc:
            return _Reply(400, api.document(api.refused(str(exc), now)).encode())
        kind = guard.TYPES[0] if as_json else guard.accepted(request.headers.get("accept"))
        if kind is None:
            return _problem(406, f"there are {', '.join(guard.TYPES)}")
        if query.changes and not guard.at_home(request.headers):
            body, status = api.refused("pages of other origins cannot change anything", now), 403
        else:
            may_change = request.method == "GET" and not site.settings.readonly
            body, status = api.answer(site.running, query, now, may_change).body, 200
        text = api.document(body)
        if kind == "text/html":
            text = _DOCUMENT.format(
                title=html.escape(query.path),
                queries=html.escape(json.dumps(query._asdict(), sort_keys=True, indent=4)),
                response=html.escape(text),
            )
        return _Reply(status, text.encode(), kind)

    def _post(self) -> _Reply:
        request: _Request = web.ctx.request
        now, site = time.time(), web.ctx.site
        try:
            query, _ = api.query_of(request.url.segments[1:], {**request.url.arguments, **_body()})
        except _Unsuitable as exc:
            return _Reply(exc.status, api.document(api.refused(str(exc), now)).encode(), headers=exc.headers)
        except UsageError as exc:
            return _Reply(400, api.document(api.refused(str(exc), now)).encode())
        if not query.changes:
            answer = api.refused("a POST changes something: it has a command and a value", now)
            return _Reply(400, api.document(answer).encode())
        may_change = not site.settings.readonly
        body, found, success = api.answer(site.running, query, now, may_change)
        status = 200 if success else 404 if not found else 400 if may_change else 403
        return _Reply(status, api.document(body).encode())


class _Unsuitable(UsageError):
    """A body that is not taken."""

    def __init__(self, status: int, reason: str, *headers: tuple[str, str]) -> None:
        super().__init__(reason)
        self.status, self.headers = status, headers


def _body() -> dict[str, Any]:
    """The JSON object that was sent."""
    env = web.ctx.env
    if env.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        raise _Unsuitable(415, "a POST has a JSON object, and Content-Type: application/json")
    length = env.get("CONTENT_LENGTH", "")
    if env.get("HTTP_TRANSFER_ENCODING") or not (length.isascii() and length.isdecimal()):
        raise _Unsuitable(411, "a POST says its Content-Length", ("Connection", "close"))
    if int(length) > _BODY:
        raise _Unsuitable(413, f"a POST has up to {_BODY} octets", ("Connection", "close"))
    try:
        made = json.loads(env["wsgi.input"].read(int(length)))
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"the body is no JSON: {exc}") from None
    known = ("group", "match", "command", "value", "since")
    if not isinstance(made, dict) or not set(made) <= set(known):
        raise UsageError(f"the body is no JSON object of {', '.join(known)}")
    return made


class _Page:
    def GET(self) -> _Reply:
        return _answering(self._get)

    def _get(self) -> _Reply:
        site, url = web.ctx.site, web.ctx.request.url
        make = pages.PAGES.get("/".join(url.segments[1:]))
        if make is None:
            return _problem(404, f"there are {', '.join(pages.PAGES)}")
        moment = pages.Moment(site.running, site.rates, time.time(), time.monotonic(), site.settings.readonly)
        try:
            made = make(moment, url.arguments)
        except pages.Missing as exc:
            return _problem(404, str(exc))
        except UsageError as exc:
            return _problem(400, str(exc))
        return _Reply(200, json.dumps(made, separators=(",", ":")).encode())


class _Metrics:
    def GET(self) -> _Reply:
        return _answering(self._get)

    def _get(self) -> _Reply:
        try:
            from cpppo.server.enip.web import metrics  # an optional dependency, and slow to import
        except ImportError:
            return _problem(501, "prometheus-client is not installed; pip install '.[web]' does that")
        return _Reply(200, metrics.exposition(web.ctx.site.running), metrics.CONTENT_TYPE)


class _Described:
    def GET(self) -> _Reply:
        return _Reply(200, (_HERE / "openapi.json").read_bytes())


class _File:
    def GET(self) -> _Reply:
        found = web.ctx.site.files.get("/".join(web.ctx.request.url.segments[1:]))
        if found is None:
            return _problem(404, "there is no such file")
        path, kind = found
        return _Reply(200, path.read_bytes(), kind)


class _Root:
    def GET(self) -> _Reply:
        return _Reply(303, headers=(("Location", "/static/index.html"),))


class _Icon:
    def GET(self) -> _Reply:
        return _Reply(301, headers=(("Location", f"/{_IMAGE}"),))


_URLS = (
    *(r"/api(?:\.json|/.*)?", _Api),
    *(r"/page/.*", _Page),
    *(r"/metrics", _Metrics),
    *(r"/openapi\.json", _Described),
    *(r"/static/.*", _File),
    *(r"/", _Root),
    *(r"/favicon\.ico", _Icon),
)
