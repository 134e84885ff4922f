"""Changes by POST: JSON in, the same body as for GET out, with a status that says whether it was done."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.enip.web.browsing import Web, web


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        (("tags", "SCADA", "attribute[3]", 7), 200, "tags.SCADA.attribute[3]=7 (7)"),
        (("tags", "SCADA", "attribute[3]", "0x1F"), 200, "tags.SCADA.attribute[3]='0x1F' (31)"),
        (("tags", "SCADA", "attribute[0-2]", [1, 2, 3]), 200, "tags.SCADA.attribute[0-2]=[1, 2, 3] ([1, 2, 3])"),
        (("tags", "SCADA", "attribute[0-0]", 5), 200, "tags.SCADA.attribute[0-0]=5 ([5])"),
        (("tags", "Level", "attribute", 12), 200, "tags.Level.attribute=12 (12)"),
        (("tags", "Pump", "attribute", True), 200, "tags.Pump.attribute=True (True)"),
        (("tags", "Name", "attribute", "a, b"), 200, "tags.Name.attribute='a, b' ('a, b')"),
        (("tags", "SCADA", "error", 8), 200, "tags.SCADA.error=8 (8)"),
        (("options", "delay", "value", 0.25), 200, "options.delay.value=0.25 (0.25)"),
        (("tags", "nosuch", "error", 8), 404, None),
        (("tags", "SCADA", "nosuch", 8), 400, "failed: 'nosuch'"),
        (("tags", "SCADA", "attribute[3]", 40000), 400, "is no INT"),
        (("tags", "SCADA", "attribute[3]", 7.5), 400, "is no INT"),
        (("tags", "SCADA", "attribute[3]", True), 400, "is no INT"),
        (("tags", "SCADA", "attribute[3]", {"a": 1}), 400, "is no INT"),
        (("tags", "SCADA", "attribute[3]", [1]), 400, "is no INT"),
        (("tags", "SCADA", "attribute[0-1]", [1]), 400, "1 values for 2 elements"),
        (("tags", "Pump", "attribute", []), 400, "neither true nor false"),
        (("tags", "Name", "attribute", 5), 400, "it takes text"),
        (("tags", "SCADA", "error", True), 400, "no whole number"),
        (("tags", "SCADA", "error", 1.5), 400, "no whole number"),
        (("options", "delay", "value", "x"), 400, "no number"),
        (("options", "delay", "value", 1e309), 400, "no number"),
        (("tags", "SCADA", "attribute[3]", None), 400, "a POST changes something"),
        (("tags", "SCADA", None, 7), 400, "a POST changes something"),
        ((7, "SCADA", "error", 7), 400, "are text"),
        (("tags", "x" * 301, "error", 7), 400, "300 characters"),
    ],
)
def test_changes(site: Web, asked: tuple[Any, ...], status: int, message: str | None) -> None:
    """200 if it was done, 404 if nothing matched, 400 if it was refused; the body is the API's."""
    got = site.post(dict(zip(("group", "match", "command", "value"), asked, strict=True)))
    assert got.status == status, got
    assert sorted(got.json) == ["alarm", "command", "data", "since", "until"]
    if message is None:
        assert got.command is None
    else:
        success, told = got.command
        assert success is (status == 200) and message in told


def test_one_failure_among_several_is_a_failure(site: Web) -> None:
    """Of several that match all are tried; 200 says that all were done."""
    got = site.post({"group": "tags", "match": "*", "command": "attribute[2]", "value": 1})
    assert got.status == 400  # the scalars have no such element
    assert site.plc["SCADA"][2] == site.plc["Tag"][2] == 1


def test_the_url_says_the_rest(site: Web) -> None:
    """What the body leaves out is in the URL."""
    assert site.post({"value": 5}, "/api/tags/Tag/attribute[1]").status == 200
    assert site.plc["Tag"].value == [0, 5, 0]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {}, 415),
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"\xff\xfe", {"Content-Type": "application/json"}, 400),
        (b"[" * 60000, {"Content-Type": "application/json"}, 400),
        (b"[]", {"Content-Type": "application/json"}, 400),
        (b'{"nosuch": 1}', {"Content-Type": "application/json"}, 400),
        (b"", {"Content-Type": "application/json", "Content-Length": "x"}, 400),
        (b"", {"Content-Type": "application/json", "Content-Length": "-5"}, 411),
        (b"0\r\n\r\n", {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}, 411),
    ],
    ids=lambda one: str(one)[:40],
)
def test_bodies_that_are_not_taken(site: Web, body: bytes, headers: dict[str, str], status: int) -> None:
    """What is no small JSON object is refused; and the next request is answered."""
    assert site.ask("POST", "/api", body, **headers).status == status
    assert site.get("/api").status == 200


def test_a_large_body_is_not_read(site: Web) -> None:
    """Of 10 MB nothing is kept: refused as too large, or the connection ends."""
    try:
        assert site.ask("POST", "/api", bytes(10_000_000), **{"Content-Type": "application/json"}).status == 413
    except ConnectionError as exc:  # it was closed while we sent
        assert isinstance(exc, ConnectionResetError | BrokenPipeError)
    assert site.get("/api").status == 200


def test_readonly() -> None:
    """Nothing can be changed, by no method; all can be seen."""
    with web("SCADA", readonly=True) as site:
        assert site.api("tags/SCADA/attribute=7") == (
            False,
            "tags.SCADA.attribute='7' failed: 'the web interface is read-only'",
        )
        got = site.post({"group": "tags", "match": "SCADA", "command": "attribute", "value": 7})
        assert got.status == 403 and got.command[0] is False
        assert site.api("tags/SCADA/attribute[0]") == (True, "tags.SCADA.attribute[0]: 0")
        assert site.get("/page/overview").json["readonly"] is True


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_change_nothing(site: Web, method: str) -> None:
    """HEAD is GET without a body and without effect; all others are not allowed."""
    got = site.ask(method, "/api/tags/SCADA/attribute[0]=7", b"" if method == "PUT" else None)
    assert got.status == (200 if method == "HEAD" else 405)
    assert site.plc["SCADA"][0] == 0
    if method == "HEAD":
        assert got.body == b"" and int(got.headers["content-length"]) > 0
