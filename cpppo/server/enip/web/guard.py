"""Which requests are answered at all: the host they name, where they come from, the token they bring; and their URL.

Owns: these decisions, and the content type of an answer.  Rule: headers and text in, a decision out; all that is odd is
refused.  Must not know what is asked for.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

from cpppo.errors import UsageError

__all__ = ["TYPES", "Url", "accepted", "admitted", "at_home", "url_of", "welcome"]

#: Content types of the API, the default first.
TYPES = ("application/json", "text/javascript", "text/plain", "text/html")

#: Arguments of a URL at most.
_ARGUMENTS = 100

_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443}


class Url(NamedTuple):
    """What a URL names: the segments of its path, decoded one by one, and its arguments, the last of each name."""

    segments: tuple[str, ...]
    arguments: dict[str, str]


def url_of(raw: str) -> Url:
    """The parts of a request's target, as it was sent; UsageError if it is malformed."""
    path, _, query = raw.partition("?")
    if not path.startswith("/"):
        path = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/]*", "", path) or "/"  # as proxies are asked
    segments = tuple(_decoded(one) for one in path.split("/")[1:]) or ("",)
    _decoded(query)
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_ARGUMENTS, errors="strict")
    except ValueError as exc:
        raise UsageError(f"the arguments of the URL are malformed: {exc}") from None
    return Url(segments, dict(pairs))


def _decoded(text: str) -> str:
    if _ESCAPE.search(text):
        raise UsageError("a % in a URL is followed by two hexadecimal digits; a % itself is written %25")
    try:
        decoded = unquote_to_bytes(text.encode("iso-8859-1")).decode("utf-8")
    except UnicodeError:
        raise UsageError("the URL is no UTF-8") from None
    if _CONTROL.search(decoded):
        raise UsageError("control characters have no place in a URL")
    return decoded


def welcome(host: str | None, names: Iterable[str]) -> bool:
    """Whether the Host that a request names is ours: a name in the list, or any numeric address.

    A page whose own name was made to point here (DNS rebinding) names that.
    """
    match = _HOST.fullmatch(host or "")
    if match is None:
        return False
    name = match["host"].strip("[]").lower().rstrip(".")
    if name in names or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def at_home(headers: Mapping[str, str]) -> bool:
    """Whether a request does not come from a page of another origin, as far as its browser says."""
    if headers.get("sec-fetch-site", "none").lower() not in ("none", "same-origin"):
        return False
    ours = _origin(f"http://{headers.get('host', '')}")
    return all(_ours(headers[name], ours) for name in ("origin", "referer") if headers.get(name))


def _ours(url: str, ours: tuple[str, int] | None) -> bool:
    theirs = _origin(url)
    return theirs is not None and theirs == ours


def _origin(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.hostname, port) if parts.hostname else None


def admitted(authorization: str | None, token: str | None) -> bool:
    """Whether the token is brought, if there is one."""
    if token is None:
        return True
    scheme, _, given = (authorization or "").partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
    return same and scheme.lower() == "bearer"


def accepted(accept: str | None) -> str | None:
    """The content type that a client likes best; None if none of ours will do."""
    if not (accept or "").strip():
        return TYPES[0]
    liked: dict[str, tuple[int, float]] = {}
    for part in (accept or "").split(","):
        name, *parameters = (one.strip().lower() for one in part.split(";"))
        for rank, one in ((2, name), (1, name[:-1] if name.endswith("/*") else ""), (0, name if name == "*/*" else "")):
            if not one:
                continue
            for ours in TYPES:
                fits = ours == one if rank == 2 else ours.startswith(one) if rank == 1 else True
                if fits and rank >= liked.get(ours, (-1, 0.0))[0]:  # what is named best counts
                    liked[ours] = rank, _quality(parameters)
    best = max(TYPES, key=lambda one: liked.get(one, (0, 0.0))[1])  # the first of equals
    return best if liked.get(best, (0, 0.0))[1] > 0 else None


def _quality(parameters: Iterable[str]) -> float:
    for one in parameters:
        name, _, value = one.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
