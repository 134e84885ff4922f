"""The API over HTTP: URLs, groups, commands and messages as users' scripts know them."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from cpppo.server.delay import Delay
from cpppo.server.enip import device
from cpppo.server.enip.client import connector, parse_operations
from tests.server.enip.web.browsing import TIMEOUT_S, Web, web


def results(site: Web, *operations: str) -> list[Any]:
    with connector(*site.plc.address, timeout=TIMEOUT_S) as connection:
        made = list(connection.results(parse_operations(operations)))
    connection.close()
    return made


def test_everything(site: Web) -> None:
    """All groups, sorted and indented by 4; no command is {}."""
    got = site.get("/api")
    assert got.headers["content-type"] == "application/json; charset=utf-8"
    assert got.headers["cache-control"] == "no-cache" and got.headers["access-control-allow-origin"] == "*"
    body = got.json
    assert got.body.decode() == json.dumps(body, sort_keys=True, indent=4)
    assert sorted(body) == ["alarm", "command", "data", "since", "until"]
    assert (body["alarm"], body["command"], body["since"]) == ([], {}, None)
    assert sorted(body["data"]) == ["options", "server", "tags"]  # connections: there is none
    assert body["data"]["options"] == {"delay": {"value": 0.0}}
    assert body["data"]["server"] == {"control": {"disable": False, "done": False, "latency": 0.1, "timeout": 0.2}}
    assert body["data"]["tags"]["SCADA"] == {
        "attribute": "SCADA          INT[1000] == [0, 0, 0, 0, 0, 0, ...]",
        "error": 0,
    }
    assert body["data"]["tags"]["Tag"]["attribute"] == "Tag           DINT[   3] == [0, 0, 0]"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        # as the specification and the contract show them
        ("options/delay/value/0.5", (True, "options.delay.value='0.5' (0.5)")),
        ("options/delay/value=0.5", (True, "options.delay.value='0.5' (0.5)")),
        ("options/delay/value", (True, "options.delay.value: 0.0")),
        ("tags/SCADA/attribute[3]=4", (True, "tags.SCADA.attribute[3]='4' (4)")),
        ("tags/SCADA/attribute[3]/4", (True, "tags.SCADA.attribute[3]='4' (4)")),
        ("tags/SCADA/attribute[3]", (True, "tags.SCADA.attribute[3]: 0")),
        ("tags/SCADA/attribute%5B3%5D=4", (True, "tags.SCADA.attribute[3]='4' (4)")),
        ("tags/SCADA/error=8", (True, "tags.SCADA.error='8' (8)")),
        ("tags/SCADA/error/0x16", (True, "tags.SCADA.error='0x16' (22)")),
        (
            "tags/Tag/attribute[9]=7",
            (
                False,
                "tags.Tag.attribute[9]='7' failed: 'Attempt to access item at key 9 beyond Attribute length 3'",
            ),
        ),
        ("tags/Tag/nosuch=7", (False, "tags.Tag.nosuch='7' failed: 'nosuch'")),
        ("tags/Tag/nosuch", (False, "tags.Tag.nosuch failed: 'nosuch'")),
        ("options/delay/nosuch=1", (False, "options.delay.nosuch='1' failed: 'nosuch'")),
        ("server/control/latency=0.2", (True, "server.control.latency='0.2' (0.2)")),
        ("server/control/timeout=5", (True, "server.control.timeout='5' (5.0)")),
        # ranges, indices, arithmetic, whole attributes
        ("tags/Tag/attribute[0-2]=1,2,3", (True, "tags.Tag.attribute[0-2]='1,2,3' ([1, 2, 3])")),
        ("tags/Tag/attribute[1-2]", (True, "tags.Tag.attribute[1-2]: [0, 0]")),
        ("tags/Tag/attribute[0:2]", (True, "tags.Tag.attribute[0:2]: [0, 0]")),
        ("tags/Tag/attribute[1+1]=5", (True, "tags.Tag.attribute[1+1]='5' (5)")),
        ("tags/Tag/attribute=[7,8,9]", (True, "tags.Tag.attribute='[7,8,9]' ([7, 8, 9])")),
        ("tags/Tag/attribute", (True, "tags.Tag.attribute: Tag           DINT[   3] == [0, 0, 0]")),
        ("tags/Grid/attribute[1,2]=6", (True, "tags.Grid.attribute[1,2]='6' (6)")),
        ("tags/Level/attribute=12.5", (True, "tags.Level.attribute='12.5' (12.5)")),
        ("tags/level/attribute[0]=-1e3", (True, "tags.Level.attribute[0]='-1e3' (-1000.0)")),
        ("tags/Name/attribute=unit%207/b", (True, "tags.Name.attribute='unit 7/b' ('unit 7/b')")),
        ("tags/Name/attribute=a%2Fb", (True, "tags.Name.attribute='a/b' ('a/b')")),
        ("tags/Name/attribute='x'", (True, "tags.Name.attribute=\"'x'\" ('x')")),
        ("tags/Pump/attribute=yes", (True, "tags.Pump.attribute='yes' (True)")),
        ("tags/Pump/attribute=no", (True, "tags.Pump.attribute='no' (False)")),
        ("tags/Pump/attribute=2", (True, "tags.Pump.attribute='2' (True)")),
        # nothing matches: null; patterns match without case, the last one is told
        ("nosuch", None),
        ("tags/nosuch", None),
        ("tags/nosuch/attribute=1", None),
        ("options/range/value=1", None),
        ("*/delay/value=0.25", (True, "options.delay.value='0.25' (0.25)")),
        ("tags/*/error=0", (True, "tags.Grid.error='0' (0)")),
        ("TAGS/[st]*/error", (True, "tags.Tag.error: 0")),
        ("/delay/value", (True, "options.delay.value: 0.0")),
        ("tags//error", (True, "tags.Grid.error: 0")),
        # what cannot be
        ("tags/SCADA/attribute[3]=40000", (False, "tags.SCADA.attribute[3]='40000' failed: '40000 does not fit INT")),
        ("tags/SCADA/attribute[3]=x", (False, "tags.SCADA.attribute[3]='x' failed: ")),
        ("tags/SCADA/attribute[3]=", (False, "tags.SCADA.attribute[3]='' failed: ")),
        ("tags/SCADA/attribute[-1]", (False, "tags.SCADA.attribute[-1] failed: 'Attempt to access item at key -1 ")),
        ("tags/SCADA/attribute[x]", (False, "tags.SCADA.attribute[x] failed: ")),
        ("tags/SCADA/attribute[__import__('os')]", (False, "tags.SCADA.attribute[__import__('os')] failed: ")),
        ("tags/SCADA/attribute[0][1]", (False, "tags.SCADA.attribute[0][1] failed: ")),
        ("tags/SCADA/attribute[1%250]", (False, "tags.SCADA.attribute[1%0] failed: ")),
        ("tags/SCADA/attribute[0:9:2]", (False, "tags.SCADA.attribute[0:9:2] failed: ")),
        ("tags/SCADA/attribute[" + "9" * 5000 + "]", (False, "tags.SCADA.attribute[999")),
        ("tags/SCADA/attribute[", (False, "tags.SCADA.attribute[ failed: 'attribute['")),
        ("tags/SCADA/attribute[0-1]=1", (False, "tags.SCADA.attribute[0-1]='1' failed: '1 values for 2 elements")),
        ("tags/SCADA/attribute[5-4]", (False, "tags.SCADA.attribute[5-4] failed: 'Attempt to access ")),
        ("tags/Grid/attribute[2,0]", (False, "tags.Grid.attribute[2,0] failed: 'Attempt to access item at (2, 0)")),
        ("tags/Name/attribute=%E2%82%AC", (False, "tags.Name.attribute='€' failed: ")),
        ("tags/Pump/attribute=maybe", (False, "tags.Pump.attribute='maybe' failed: \"'maybe' is neither true nor")),
        ("tags/SCADA/error=256", (False, "tags.SCADA.error='256' failed: '256 is no status; 0 to 255 are'")),
        ("tags/SCADA/error=x", (False, "tags.SCADA.error='x' failed: ")),
        ("options/delay/value=-1", (False, "options.delay.value='-1' failed: 'a delay of -1.0 seconds")),
        ("options/delay/value=nan", (False, "options.delay.value='nan' failed: ")),
        ("options/delay/value=3601", (False, "options.delay.value='3601' failed: ")),
        ("options/delay/range=1-2", (False, "options.delay.range='1-2' failed: 'range'")),
        ("server/control/latency=0", (False, "server.control.latency='0' failed: ")),
        ("server/control/timeout=61", (False, "server.control.timeout='61' failed: ")),
        ("server/control/disable=perhaps", (False, "server.control.disable='perhaps' failed: ")),
        ("server/control/nosuch=1", (False, "server.control.nosuch='1' failed: 'nosuch'")),
    ],
)
def test_messages(site: Web, path: str, answer: tuple[bool, str] | None) -> None:
    """Always HTTP 200, and the message that scripts know; the beginning of it where it is longer than shown."""
    got = site.api(path)
    if answer is None:
        assert got is None
    else:
        assert got[0] is answer[0]
        assert got[1] == answer[1] if answer[0] else got[1].startswith(answer[1]), got[1]


def test_values_reach_clients(site: Web) -> None:
    """What is changed here is what clients read, and the other way round."""
    site.api("tags/SCADA/attribute[3]=4")
    assert results(site, "SCADA[2-4]", "SCADA[7]=77") == [[0, 4, 0], True]
    assert site.api("tags/SCADA/attribute[7]") == (True, "tags.SCADA.attribute[7]: 77")
    got = site.get("/api/tags/SCADA/attribute[0-8]").json
    assert got["data"] == {
        "tags": {"SCADA": {"attribute": "SCADA          INT[1000] == [0, 0, 0, 4, 0, 0, ...]", "error": 0}}
    }


def test_an_error_is_forced(site: Web) -> None:
    """Clients are refused with that status until it is 0 again."""
    site.api("tags/SCADA/error=8")
    assert results(site, "SCADA[0]", "Tag[0]") == [None, [0]]
    site.api("tags/SCADA/error/0")
    assert results(site, "SCADA[0]") == [[0]]


def test_since_and_arguments(site: Web) -> None:
    """Arguments of a URL override its path; `since` is given back, `until` is the time."""
    got = site.get("/api/nosuch/x?group=tags&match=Tag&command=attribute[0]&value=5&since=12.5")
    assert got.command == (True, "tags.Tag.attribute[0]='5' (5)")
    assert got.json["since"] == 12.5 and got.json["until"] > 1.7e9
    assert site.get("/api?since=").json["since"] is None
    for bad in ("x", "nan", "1e999"):
        refused = site.get(f"/api?since={bad}")
        assert refused.status == 400 and refused.command[0] is False


@pytest.mark.parametrize("path", ["/api.json", "/api/tags.json", "/api/tags/Tag/attribute[0].json", "/api/*/*.json"])
def test_json_by_suffix(site: Web, path: str) -> None:
    """.json asks for JSON, whatever is accepted."""
    got = site.get(path, Accept="text/html")
    assert got.headers["content-type"].startswith("application/json") and "Tag" in got.json["data"]["tags"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("text/javascript, application/json;q=0.5", "text/javascript"),
        ("text/plain", "text/plain"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("*/*", "application/json"),
        ("text/*", "text/javascript"),
        ("text/html;q=0, */*;q=0.1", "application/json"),
        ("image/png", None),
        ("text/html;q=0", None),
        ("text/html;q=x", None),
    ],
)
def test_content_by_accept(site: Web, accept: str, kind: str | None) -> None:
    """The type that is liked best, by quality; 406 if there is none."""
    got = site.get("/api/options", Accept=accept)
    if kind is None:
        assert got.status == 406 and "application/json" in got.json["error"]
    else:
        assert got.status == 200 and got.headers["content-type"] == f"{kind}; charset=utf-8"
        assert b'"delay": {' in got.body or kind == "text/html"


def test_html_is_minimal_and_escaped(site: Web) -> None:
    """A page for browsers: title, queries, response; nothing in it is markup of the client's or of a tag's value."""
    evil = "<script>alert(1)</script>"
    site.plc["Name"].value = evil
    got = site.get("/api/tags/Name/attribute='" + evil.replace("<", "%3C").replace(">", "%3E"), Accept="text/html")
    text = got.body.decode()
    assert text.startswith("<!DOCTYPE html>") and "<title>api/tags/Name/attribute</title>" in text
    assert "<h2>Queries:</h2>" in text and "<h2>Response:</h2>" in text
    assert "<script" not in text and "&lt;script&gt;" in text
    assert "default-src 'none'" in got.headers["content-security-policy"]


def test_range_of_delays() -> None:
    """Of a simulator started with a range that can be changed, and the value cannot; equal ones are a range, too."""
    with web(delay=Delay(0.0, 0.001)) as site:
        assert site.get("/api/options").json["data"]["options"]["delay"]["range"] == "0.0-0.001"
        assert site.api("options/delay/range=0.5-1.5") == (True, "options.delay.range='0.5-1.5' ('0.5-1.5')")
        assert site.api("options/delay/range=10.0-10.0") == (True, "options.delay.range='10.0-10.0' ('10.0-10.0')")
        assert site.get("/api/options").json["data"] == {
            "options": {"delay": {"range": "10.0-10.0", "value": 10.0}},
        }
        assert site.api("options/delay/range=2-1")[0] is False
        assert site.api("options/delay/range=2")[0] is False
        assert site.api("options/delay/value=0")[0] is False
        assert site.api("options/delay/range=0-0")[0] is True


def test_connections(site: Web) -> None:
    """Each has what was counted; eof ends it, and is answered once it has ended."""
    with connector(*site.plc.address, timeout=TIMEOUT_S) as one:
        list(one.results(parse_operations(["SCADA[0]"])))
        port = one.link.sock.getsockname()[1] if hasattr(one, "link") else None
        (name, shown), *more = site.get("/api/connections").json["data"]["connections"].items()
        assert more == [] and name == f"127_0_0_1_{shown['port']}" and port in (None, shown["port"])
        assert sorted(shown) == ["eof", "interface", "port", "processed", "received", "requests"]
        assert (shown["eof"], shown["interface"], shown["requests"]) == (False, "127.0.0.1", 2)
        assert site.api(f"connections/{name}/requests") == (True, f"connections.{name}.requests: 2")
        assert site.api(f"connections/{name}/requests=5")[0] is False
        assert site.api(f"connections/{name}/eof=false") == (True, f"connections.{name}.eof='false' (False)")
        assert site.api("connections/*/eof/true") == (True, f"connections.{name}.eof='true' (True)")
        assert site.get("/api/connections").json["command"] is None
    one.close()


def test_disable_and_enable(site: Web) -> None:
    """While disabled the port is closed and the web interface is not; enabled, it is there before that is answered."""
    with socket.create_connection(site.plc.address, TIMEOUT_S) as sock:
        assert site.api("server/control/disable/true") == (True, "server.control.disable='true' (True)")
        assert sock.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(site.plc.address, TIMEOUT_S)
    assert site.api("tags/SCADA/attribute[0]=9")[0] is True
    assert site.api("server/control/disable/false")[0] is True
    assert results(site, "SCADA[0]") == [[9]]


def test_an_attribute_that_fails_is_told() -> None:
    """Whatever a customised Attribute raises, or gives, is shown, and all else is answered."""

    class Odd(device.Attribute):
        def __getitem__(self, key: Any) -> Any:
            raise RuntimeError("no <such> sensor")

        def __setitem__(self, key: Any, value: Any) -> None:
            raise ValueError

    from cpppo.server.enip.wire.types import DINT

    with web(Odd("Odd", DINT), "SCADA") as site:
        assert "no <such> sensor" in site.get("/api/tags/Odd").json["data"]["tags"]["Odd"]["attribute"]
        assert site.api("tags/Odd/attribute[0]") == (False, "tags.Odd.attribute[0] failed: 'no <such> sensor'")
        assert site.api("tags/Odd/attribute[0]=1") == (False, "tags.Odd.attribute[0]='1' failed: 'ValueError'")
        assert site.api("tags/*/attribute=1") == (True, "tags.SCADA.attribute='1' (1)")


def test_too_many_elements_at_once() -> None:
    """What one message can show is bounded; parts can be had."""
    with web("Big=SINT[200000]") as site:
        assert site.api("tags/Big/attribute[0-99999]")[0] is True
        got = site.api("tags/Big/attribute[0-100000]")
        assert got[0] is False and "100001 elements are more than 100000" in got[1]
