"""Connections on the page: seen, leafed through, closed."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest
from selenium.webdriver import Chrome

from cpppo.server.command import raise_descriptor_limit
from cpppo.server.enip.client import Logix
from tests.browser.chromium import opened
from tests.server.enip.web.browsing import TIMEOUT_S, Web, web

pytestmark = pytest.mark.browser

CROWD = 1000

REGISTER = bytes((0x65, 0, 4, 0, *bytes(20), 1, 0, 0, 0))


def registered(address: tuple[str, int]) -> socket.socket:
    """A connection with a session: one without is closed before long."""
    sock = socket.create_connection(address, TIMEOUT_S)
    sock.sendall(REGISTER)
    left = len(REGISTER)
    while left:
        left -= len(sock.recv(left))
    return sock


def test_client_is_shown(driver: Chrome, site: Web) -> None:
    """Who is connected, and how much was asked."""
    with opened(driver, site) as page, Logix(*site.plc.address) as plc:
        assert plc.read("Count") == 0
        page.says("#connections-heading", "(1)")
        page.until(lambda: int(page.text("#connection-rows .number")) >= 2)
        assert page.text("#connection-rows .peer").startswith("127.0.0.1:")
        plc.close()
        page.says("#connections-none", "No client")
        page.until(lambda: page.texts("#connection-rows tr") == [])


def test_connection_is_closed(driver: Chrome, site: Web) -> None:
    """The one whose button is pressed ends, the other goes on; then all."""
    with (
        opened(driver, site) as page,
        registered(site.plc.address) as first,
        Logix(*site.plc.address) as other,
    ):
        assert other.read("Count") == 0
        name = f"127.0.0.1:{first.getsockname()[1]}"
        page.click(f'button[aria-label="Close {name}"]')
        assert first.recv(1) == b""
        page.until(lambda: len(page.texts("#connection-rows tr")) == 1)
        page.says("#connections-said", name)
        assert other.read("Count") == 0
        with socket.create_connection(site.plc.address, TIMEOUT_S) as third:
            page.click("#close-all")
            assert third.recv(1) == b""
            page.says("#connections-none", "No client")


def test_thousand_connections(driver: Chrome) -> None:
    """A page of rows of them, whichever."""
    if raise_descriptor_limit(2 * CROWD + 200) < 2 * CROWD + 200:
        pytest.skip("too few descriptors may be open here")
    with web("Count=DINT") as site, ExitStack() as crowd:
        for _ in range(CROWD):
            crowd.enter_context(registered(site.plc.address))
        with opened(driver, site) as page:
            page.says("#connections-heading", "(1,000)")
            page.says("#connections-pager .where", "1 to 25 of 1,000")
            assert len(page.texts("#connection-rows tr")) == 25
            page.click("#connections-pager button", "Last")
            page.says("#connections-pager .where", "976 to 1,000 of 1,000")
            crowd.close()
            page.says("#connections-heading", "(0)")
            page.until(lambda: page.texts("#connection-rows tr") == [])
