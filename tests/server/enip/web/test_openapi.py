"""The OpenAPI file says what the interface does: asked by a program that draws requests from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from cpppo.server.enip.web import app
from cpppo.server.enip.web.api import Query
from cpppo.server.enip.web.pages import PAGES
from tests.server.enip.web.browsing import Web, web
from tests.tools import examples, need_module

schemathesis: Any = need_module("schemathesis")

#: What would end the simulator or close its port, and what would make all else wait.
HARMFUL = ("done", "disable", "latency", "timeout", "value", "range", "eof")

FILE = Path(app.__file__).with_name("openapi.json")
OPERATIONS = [one.ok() for one in schemathesis.openapi.from_dict(json.loads(FILE.read_text())).get_all_operations()]

#: Not so with us: what is odd is answered (200, success false), as the specification wants.
EXCLUDED = [getattr(schemathesis.checks, one) for one in ("negative_data_rejection", "positive_data_acceptance")]


@pytest.fixture(scope="module")
def asked() -> Iterator[Web]:
    with web("SCADA=INT[1000]", "Level=REAL", "Pump=BOOL", "Name=STRING", "Grid=DINT[2,3]") as site:
        yield site


def harmful(case: Any) -> bool:
    """Whether a request names what ends or delays the others."""
    told = [case.path_parameters, case.query, case.body]
    commands = [str(one.get("command", "")) for one in told if isinstance(one, dict)]
    return any(name in command for command in commands for name in HARMFUL)


@pytest.mark.peers
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_all_that_can_be_asked(operation: Any, asked: Web) -> None:
    """Whatever is drawn from the file is answered with a status, type and body that it says; nothing else changes."""

    @settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE))
    def ask(case: Any) -> None:
        if not harmful(case):
            case.call_and_validate(base_url=asked.plc.url, excluded_checks=EXCLUDED)

    ask()
    assert asked.get("/page/overview").json["state"] == "running"


def test_all_urls_are_described(asked: Web) -> None:
    """Every page, argument and field that there is stands in the file."""
    described = asked.get("/openapi.json").json
    paths = described["paths"]
    assert {f"/page/{one}" for one in PAGES} <= set(paths)
    assert {"/api", "/metrics", "/openapi.json"} <= set(paths)
    assert set(described["components"]["schemas"]["Change"]["properties"]) == set(Query._fields)
    assert len(app._URLS) == 2 * 7


def test_examples_of_the_file_are_right(asked: Web) -> None:
    """All fields of the answers are in their schemas, and no others."""
    schemas = asked.get("/openapi.json").json["components"]["schemas"]
    (tag, *_) = asked.get("/page/tags").json["tags"]
    assert {*tag, "offset"} == set(schemas["Tag"]["properties"])
    assert set(asked.get("/page/overview").json) == set(schemas["Overview"]["properties"])
    assert set(asked.get("/api").json) == set(schemas["Answer"]["properties"])
